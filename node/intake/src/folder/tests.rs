use std::fs;
use std::time::SystemTime;

use super::*;
use crate::{Cell, Origin, Place, Remark};

struct Read {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
    remarks: Vec<Remark>,
}

/// A folder with these files, the later the newer.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (i, (name, text)) in files.iter().enumerate() {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + i as u64);
        fs::File::options().append(true).open(&path).unwrap().set_modified(when).unwrap();
    }
    dir
}

fn form(more: &str) -> FolderOrigin {
    match Origin::parse(&format!("type = \"folder\"\npath = \".\"\n{more}")).unwrap() {
        Origin::Folder(form) => form,
        other => panic!("{other:?}"),
    }
}

fn read_after(dir: &Path, more: &str, pause: impl FnOnce()) -> Result<Read, IntakeError> {
    let mut rows = form(more).open_after(dir, pause)?;
    let (mut row, mut all) = (Vec::new(), Vec::new());
    while let Some(Place { part, row: number, .. }) = rows.next(&mut row)? {
        all.push((format!("{}:{number}", part.unwrap()), row.clone()));
    }
    Ok(Read { columns: rows.columns().to_vec(), rows: all, remarks: rows.remarks() })
}

fn read(dir: &Path, more: &str) -> Result<Read, IntakeError> {
    read_after(dir, more, || ())
}

fn cells(cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
}

fn remark<'a>(read: &'a Read, code: &str) -> &'a str {
    let found = read.remarks.iter().find(|remark| remark.code == code);
    found.map_or_else(|| panic!("no {code} in {:?}", read.remarks), |remark| &remark.said.en)
}

const NEWEST: &str = "files = \"*.csv\"\ntake = \"newest\"";
const ALL: &str = "files = \"*.csv\"\ntake = \"all\"";

#[test]
fn the_newest_file_by_time_is_taken() {
    let dir = folder(&[
        ("z.csv", "a,b\n1,2\n"),
        ("b.csv", "a,c\n3,4\n"),
        ("later.txt", "x"),
        ("sub/y.csv", "q\n1\n"),
    ]);
    let read = read(dir.path(), NEWEST).unwrap();
    assert_eq!(read.columns, ["a", "c"]);
    assert_eq!(read.rows, [("b.csv:2".to_owned(), cells(&["3", "4"]))]);
    assert!(remark(&read, "folder-newest").contains("b.csv"));
}

#[test]
fn all_files_become_one_table_with_the_folders_as_columns() {
    let dir = folder(&[
        ("nam=2025/thang=03/x.csv", "a,b\n1,2\n"),
        ("nam=2024/thang=__HIVE_DEFAULT_PARTITION__/y.csv", "b,a\n4,3\n"),
        ("other/z.csv", "q\n1\n"),
    ]);
    let read = read(dir.path(), ALL).unwrap();
    assert_eq!(read.columns, ["b", "a", "nam", "thang"]);
    let first =
        ("nam=2024/thang=__HIVE_DEFAULT_PARTITION__/y.csv:2".to_owned(), cells(&["4", "3", "2024", "-"]));
    assert_eq!(
        read.rows,
        [first, ("nam=2025/thang=03/x.csv:2".to_owned(), cells(&["2", "1", "2025", "03"]))]
    );
    assert!(remark(&read, "folder-left").contains("other/"));
    assert!(remark(&read, "text-delimiter").contains("y.csv: "));
}

#[test]
fn files_with_other_columns_are_refused_by_name() {
    for (second, said) in [("b.csv", "lacks b; adds c"), ("nam=2025/b.csv", "adds nam")] {
        let text = if second == "b.csv" { "a,c\n1,2\n" } else { "a,b\n1,2\n" };
        let dir = folder(&[("a.csv", "a,b\n1,2\n"), (second, text)]);
        let told = read(dir.path(), ALL).err().unwrap().to_string();
        assert!(told.starts_with(second) && told.contains(said), "{told}");
    }
    let dir = folder(&[("a=1/a.csv", "a,b\n1,2\n")]);
    assert!(read(dir.path(), ALL).err().unwrap().to_string().contains("called `a`"));
}

#[test]
fn an_error_names_its_file() {
    let dir = folder(&[("a.csv", "a,b\n1,2\n"), ("b.csv", "a,b\n1,2\n3\n")]);
    let told = read(dir.path(), &format!("{ALL}\n[file]\ntype = \"text\"\ndelimiter = \",\""))
        .err()
        .unwrap()
        .to_string();
    assert!(told.starts_with("b.csv: dòng · row 3"), "{told}");
}

#[test]
fn links_out_of_the_folder_are_refused() {
    let outside = folder(&[("secret.csv", "a\nsecret\n")]);
    for target in [outside.path().join("secret.csv"), "/etc/passwd".into()] {
        for take in [NEWEST, ALL] {
            let dir = folder(&[("a.csv", "a,b\n1,2\n")]);
            std::os::unix::fs::symlink(&target, dir.path().join("link.csv")).unwrap();
            let told = read(dir.path(), take).err().unwrap().to_string();
            assert!(told.contains("link.csv") && told.contains("out of the folder"), "{told}");
        }
    }
    // A folder behind a link is not entered.
    let dir = folder(&[("a.csv", "a\nx\n")]);
    std::os::unix::fs::symlink(outside.path(), dir.path().join("n=1")).unwrap();
    assert_eq!(read(dir.path(), ALL).unwrap().rows.len(), 1);
}

#[test]
fn what_is_still_written_is_left_for_later() {
    let dir = folder(&[
        ("old.csv", "a,b\n1,2\n"),
        ("new.csv", "a,b\n3,4\n"),
        ("up.csv.part", "a"),
        ("~$x.csv", "a"),
    ]);
    let grows = || fs::write(dir.path().join("new.csv"), "a,b\n3,4\n5,6\n").unwrap();
    let read = read_after(dir.path(), NEWEST, grows).unwrap();
    assert_eq!(read.rows[0].0, "old.csv:2");
    for name in ["new.csv", "up.csv.part", "~$x.csv"] {
        assert!(remark(&read, "folder-unfinished").contains(name), "{name}");
    }
    let gone = read_after(dir.path(), NEWEST, || {
        fs::remove_file(dir.path().join("new.csv")).unwrap();
        fs::remove_file(dir.path().join("old.csv")).unwrap();
    });
    assert!(matches!(gone, Err(IntakeError::Unreachable(_))));
}

#[test]
fn kinds_are_told_by_the_name_or_by_the_description() {
    let dir = folder(&[("a.json", "[{\"x\":1}]"), ("b.dat", "p;q\n1;2\n")]);
    assert_eq!(read(dir.path(), "files = \"*.json\"\ntake = \"newest\"").unwrap().columns, ["x"]);
    let dat = "files = \"*.dat\"\ntake = \"newest\"";
    assert!(matches!(read(dir.path(), dat), Err(IntakeError::Origin(_))));
    assert_eq!(read(dir.path(), &format!("{dat}\n[file]\ntype = \"text\"")).unwrap().columns, ["p", "q"]);
    let with_path = format!("{dat}\n[file]\ntype = \"text\"\npath = \"x\"");
    assert!(read(dir.path(), &with_path).err().unwrap().to_string().contains("`path`"));
}

#[test]
fn odd_names_are_names() {
    let dir = folder(&[("'; DROP TABLE x; --.csv", "a,b\n1,2\n")]);
    assert_eq!(read(dir.path(), ALL).unwrap().rows[0].0, "'; DROP TABLE x; --.csv:2");
    assert!(matches!(read(&dir.path().join("gone"), ALL), Err(IntakeError::Unreachable(_))));
    assert!(matches!(
        read(dir.path(), "files = \"*.xlsx\"\ntake = \"all\""),
        Err(IntakeError::Unreachable(_))
    ));
}

#[test]
fn a_check_counts_the_files() {
    let dir = folder(&[("a.csv", "a,b\n1,2\n"), ("b.csv", "a,b\n3,4\n")]);
    let health = form(ALL).check(dir.path()).unwrap();
    assert_eq!((health.bytes, health.parts.len(), health.columns.len()), (Some(16), 2, 2));
    assert_eq!(health.modified.as_deref(), Some("1970-01-12T13:46:41Z"));
}
