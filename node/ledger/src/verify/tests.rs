use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::log::{Log, LogOptions, export_tiles};
use crate::testing::{log_signer, signer};

const SIZE: u64 = 600;

/// A stopped log of 600 entries whose older segments are gone, and its exported tree.
fn log() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (dir, tree) = (folder.path().join("log"), folder.path().join("tree"));
    let options = LogOptions {
        checkpoint_interval: Duration::from_secs(3600),
        segment_bytes: 8000,
        ..LogOptions::new(folder.path().join("guard"))
    };
    let log = Log::open(&dir, log_signer(), Arc::new(|| 0), options).unwrap();
    for k in 0..SIZE {
        log.append_blocking(format!("{{\"exchange\":{k}}}").into_bytes()).unwrap();
    }
    log.close();
    export_tiles(&log, &tree).unwrap();
    drop(log);
    (folder, dir, tree)
}

fn check(dir: &Path) -> Report {
    verify_dir(dir, &log_signer().vkey()).unwrap()
}

/// Every file under a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Flips bits all over each file; each flip must be found and the file named. Gives back what was named where.
fn flip_everywhere(dir: &Path) {
    assert!(check(dir).is_sound());
    for path in files(dir) {
        let good = fs::read(&path).unwrap();
        let step = (good.len() / 23).max(1);
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[at] ^= 0x08;
            fs::write(&path, &bad).unwrap();
            let finding = check(dir).finding;
            let finding = finding.unwrap_or_else(|| panic!("byte {at} of {} unnoticed", path.display()));
            assert_eq!(finding.file, path, "byte {at}: {finding}");
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(check(dir).is_sound());
}

#[test]
fn flipped_bits_in_each_file_of_a_folder_are_found_and_named() {
    let (_folder, dir, _) = log();
    flip_everywhere(&dir);
}

#[test]
fn flipped_bits_in_each_file_of_a_tree_are_found_and_named() {
    let (_folder, _, tree) = log();
    flip_everywhere(&tree);
}

#[test]
fn the_index_is_named() {
    let (_folder, dir, tree) = log();
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let index = |dir: &Path| check(dir).finding.unwrap().index;
    flip(&dir.join("level0"), 321 * 32 + 5);
    assert_eq!(index(&dir), Some(321));
    flip(&dir.join("level0"), 321 * 32 + 5);
    flip(&dir.join("level1"), 32 + 5);
    assert_eq!(index(&dir), Some(1));
    flip(&dir.join("level1"), 32 + 5);
    flip(&dir.join("entries.idx"), 599 * 8 + 7);
    assert_eq!(index(&dir), Some(599));
    flip(&tree.join("tile/0/001"), 64);
    assert_eq!(index(&tree), Some(258));
}

#[test]
fn cut_lengthened_and_missing_files_are_found_and_named() {
    let (_folder, dir, tree) = log();
    for root in [dir, tree] {
        for path in files(&root) {
            if path.ends_with("lock") {
                continue;
            }
            let good = fs::read(&path).unwrap();
            let mut cases = vec![Some([&good[..], &[0; 40]].concat()), None];
            if !good.is_empty() {
                cases.push(Some(good[..good.len() - 1].to_vec()));
                cases.push(Some(Vec::new()));
            }
            for case in cases {
                match &case {
                    Some(bytes) => fs::write(&path, bytes).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                let shape = case.map(|bytes| bytes.len());
                let report = check(&root);
                let torn = path.extension().is_some_and(|end| end == "wal") && shape == Some(good.len() + 40);
                // The write-ahead log still has what the end of these two lost; opening writes it out again.
                let behind = path.ends_with("entries.idx") || path.ends_with("level0");
                if torn {
                    assert_eq!((report.torn_bytes, report.finding), (40, None));
                } else if behind && shape == Some(good.len() - 1) {
                    assert_eq!((report.entries, report.unwritten, report.finding), (SIZE, 1, None));
                } else {
                    let finding = report.finding.unwrap_or_else(|| panic!("{} {shape:?}", path.display()));
                    let folder_named = shape.is_none() && finding.file == path.parent().unwrap();
                    assert!(finding.file == path || folder_named, "{} {shape:?}: {finding}", path.display());
                }
            }
            fs::write(&path, &good).unwrap();
        }
        assert!(check(&root).is_sound());
    }
}

#[test]
fn another_key_or_a_foreign_checkpoint_is_found() {
    let (_folder, dir, tree) = log();
    for root in [&dir, &tree] {
        let report = verify_dir(root, &signer("somebody.else", 3).vkey()).unwrap();
        assert_eq!(report.finding.unwrap().file, root.join("checkpoint"));
    }
    // Signed by the right key over another tree of the same size.
    let mut checkpoint =
        crate::checkpoint::SignedCheckpoint::parse(&fs::read(dir.join("checkpoint")).unwrap())
            .unwrap()
            .checkpoint()
            .clone();
    checkpoint.root.0[0] ^= 1;
    let forged = checkpoint.sign(&log_signer()).unwrap().to_bytes();
    for root in [&dir, &tree] {
        fs::write(root.join("checkpoint"), &forged).unwrap();
        let finding = check(root).finding.unwrap();
        assert_eq!((finding.file, finding.index), (root.join("checkpoint"), Some(SIZE)));
    }
}

#[test]
fn nothing_is_modified() {
    let (_folder, dir, _) = log();
    let before: Vec<_> = files(&dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let readonly = |path: &Path, on: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(on);
        fs::set_permissions(path, permissions).unwrap();
    };
    before.iter().for_each(|(_, path)| readonly(path, true));
    assert!(check(&dir).is_sound());
    let after: Vec<_> = files(&dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    assert_eq!(before, after);
}

#[test]
fn an_empty_folder_is_no_log() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(check(folder.path()).finding.unwrap().file, folder.path().join("checkpoint"));
}
