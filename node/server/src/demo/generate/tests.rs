use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::*;

fn text(dataset: DemoDataset, seed: u64, rows: usize) -> (String, Written) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(dataset.file_name);
    let written = (dataset.write)(&path, seed, rows).unwrap();
    (std::fs::read_to_string(&path).unwrap(), written)
}

/// Fields of one line; these files quote only whole fields and never a quote inside.
fn fields(line: &str) -> Vec<&str> {
    let (mut quoted, mut start, mut out) = (false, 0, Vec::new());
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                out.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&line[start..]);
    out
}

fn column<'a>(file: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = file.lines();
    let index = fields(lines.next().unwrap()).iter().position(|header| *header == name).unwrap();
    lines.map(|line| fields(line)[index]).collect()
}

#[test]
fn same_seed_same_bytes_forever() {
    let wanted = [
        "04e637ef00ec9c24403d44321dbb45afac53f2c7126b5c4bdef297e2820e2d5d",
        "322aeda509ef6d3954c61bf614ef00ff2fcec267c3d7f0df406c9d99d66412fe",
        "eeecf6a3e264d8297613a1f938d7939fca723565e09846fa8a07ccf2619d9019",
        "4ffce9c657b90a76ab497f0f701d7ba8dfa01511940b4205797a3bbb8b9bb8d1",
    ];
    for (dataset, wanted) in ALL.into_iter().zip(wanted) {
        let (file, _) = text(dataset, 7, dataset.rows);
        let digest: String =
            Sha256::digest(file.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, wanted, "the bytes of `{}` have changed", dataset.id);
    }
}

#[test]
fn another_seed_gives_other_bytes() {
    for dataset in ALL {
        assert_ne!(text(dataset, 7, 30).0, text(dataset, 8, 30).0, "{}", dataset.id);
    }
}

#[test]
fn counts_are_what_is_in_the_file_and_every_row_is_whole() {
    for dataset in ALL {
        for rows in [0, 1, 5, dataset.rows] {
            let (file, written) = text(dataset, 1, rows);
            assert_eq!(written, Written { rows: rows as u64, bytes: file.len() as u64 }, "{}", dataset.id);
            let width = fields(file.lines().next().unwrap()).len();
            assert!(file.lines().all(|line| fields(line).len() == width), "{}", dataset.id);
            assert_eq!(file.lines().count(), rows + 1);
        }
    }
}

#[test]
fn letters_are_composed_and_headers_are_plain() {
    for dataset in ALL {
        let (file, _) = text(dataset, 3, dataset.rows);
        let header = file.lines().next().unwrap();
        assert!(
            header.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_,".contains(c)),
            "{header}"
        );
        assert!(!file.chars().any(|c| ('\u{300}'..='\u{36f}').contains(&c)), "`{}` is not NFC", dataset.id);
        for hidden in dataset.hidden_columns {
            assert!(fields(header).contains(hidden), "`{}` has no column `{hidden}`", dataset.id);
        }
    }
}

#[test]
fn air_has_hours_to_hide_and_plausible_cycles() {
    let (file, _) = text(AIR_HOURLY, 7, AIR_HOURLY.rows);
    let status = column(&file, "trang_thai");
    let share = |name: &str| status.iter().filter(|s| **s == name).count() as f64 / status.len() as f64;
    assert!((0.01..0.10).contains(&share("hieu_chuan")), "{}", share("hieu_chuan"));
    assert!((0.002..0.05).contains(&share("mat_tin_hieu")), "{}", share("mat_tin_hieu"));

    let mean = |name: &str, hours: &[&str]| {
        let hour_of = column(&file, "gio_dia_phuong");
        let values: Vec<f64> = column(&file, name)
            .iter()
            .zip(hour_of)
            .zip(&status)
            .filter(|((_, at), status)| **status == "hoat_dong" && hours.contains(&&at[11..13]))
            .map(|((value, _), _)| value.parse().unwrap())
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean("no2", &["07", "08", "17"]) > 2.0 * mean("no2", &["02", "03"]), "rush hours");
    assert!(mean("o3", &["12", "13"]) > 3.0 * mean("o3", &["01", "02"]), "sunlight");
    assert!(mean("nhiet_do", &["13"]) > mean("nhiet_do", &["04"]) + 3.0, "afternoon");
    assert!((15.0..90.0).contains(&mean("pm25", &["00", "06", "12", "18"])));
}

#[test]
fn local_time_is_seven_hours_ahead() {
    let (file, _) = text(AIR_HOURLY, 7, 13);
    assert_eq!(column(&file, "thoi_diem_utc")[12], "2026-07-31T18:00:00");
    assert_eq!(column(&file, "gio_dia_phuong")[12], "2026-08-01 01:00:00");
}

#[test]
fn dengue_has_small_cells_and_no_person_twice() {
    let (file, _) = text(DENGUE_CASES, 7, DENGUE_CASES.rows);
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for cell in column(&file, "phuong").into_iter().zip(column(&file, "thang_khoi_phat")) {
        *cells.entry(cell).or_default() += 1;
    }
    let small = cells.values().filter(|cases| **cases < 5).count();
    assert!(small >= 20, "{small} of {} cells have fewer than 5 cases", cells.len());
    assert!(cells.values().any(|cases| *cases > 50));
    let mut patients = column(&file, "ma_benh_nhan");
    patients.sort_unstable();
    patients.dedup();
    assert_eq!(patients.len(), DENGUE_CASES.rows);
    assert!(column(&file, "dia_chi").iter().all(|address| address.contains("Minh Hoạ")));
}

#[test]
fn too_many_rows_are_refused_before_a_file_exists() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    let error = write_air_hourly(&path, 1, ROWS_MAX + 1).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(!path.exists());
}
