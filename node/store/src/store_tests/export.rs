//! Exports: they come back as they were, or not at all.

use std::path::Path;
use std::sync::Arc;

use super::{folder, open, options};
use crate::{Space, Store, Tx};

/// Some of everything, with a deleted key, so that the newest revision is on no record.
fn filled(path: &Path) -> Store {
    let store = open(path);
    for (i, space) in Space::ALL.into_iter().enumerate() {
        let tx = Tx::new().put(space, vec![i as u8, 0, 255], vec![i as u8; i * 3000]).put(space, "x", "");
        store.commit_blocking(tx).unwrap();
    }
    store.commit_blocking(Tx::new().delete(Space::Meta, "x")).unwrap();
    store
}

fn exported(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    let summary = store.export(&mut out).unwrap();
    let last = String::from_utf8(out.clone()).unwrap().lines().last().unwrap().to_owned();
    assert_eq!(last, format!(r#"{{"end":{{"records":{},"sha256":"{}"}}}}"#, summary.records, summary.sha256));
    out
}

#[test]
fn an_export_imported_exports_the_same() {
    let (_dir, path) = folder();
    let store = filled(&path);
    let (export, other) = (exported(&store), path.with_file_name("other"));
    let copy = Store::import(&other, options(), &export[..]).unwrap();
    assert!(copy.verify().unwrap().is_sound());
    assert_eq!(exported(&copy), export);
    let next = copy.commit_blocking(Tx::new().put(Space::Meta, "new", "1")).unwrap();
    assert_eq!(next, store.commit_blocking(Tx::new().put(Space::Meta, "new", "1")).unwrap());
    drop(copy);
    assert_eq!(exported(&open(&other)), exported(&store), "and it is durable");
    let again = Store::import(&other, options(), &export[..]).unwrap_err().to_string();
    assert!(again.contains("there is a store in it already"), "{again}");
}

#[test]
fn a_damaged_export_is_refused_and_leaves_no_store() {
    let (_dir, path) = folder();
    let export = String::from_utf8(exported(&filled(&path))).unwrap();
    let lines: Vec<&str> = export.lines().collect();
    let without = |n: usize| {
        let kept: Vec<&str> = lines.iter().enumerate().filter(|(i, _)| *i != n).map(|(_, l)| *l).collect();
        kept.join("\n") + "\n"
    };
    let swapped = {
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        swapped.join("\n") + "\n"
    };
    let doubled = export.replacen(lines[2], &format!("{}\n{}", lines[2], lines[2]), 1);
    let cases = [
        ("empty", String::new(), "header"),
        ("no header", without(0), "header"),
        ("one record less", without(3), "were announced"),
        ("no end", without(lines.len() - 1), "cut short"),
        ("cut in a line", export[..export.len() - 5].to_owned(), "cut short"),
        ("changed value", export.replacen(r#""value":"AQEB"#, r#""value":"AQEC"#, 1), "digest"),
        ("swapped", swapped, "out of order"),
        ("doubled", doubled, "comes twice"),
        ("more after the end", format!("{export}{}\n", lines[1]), "after the end"),
        ("unknown field", export.replacen(r#""space":"#, r#""extra":1,"space":"#, 1), "unknown field"),
        ("unknown space", export.replacen(r#""space":"peer""#, r#""space":"pear""#, 1), "`pear` is no space"),
        ("a line without end", format!("{}\n{}", lines[0], "x".repeat(3 << 20)), "too long"),
        ("newer format", export.replacen(r#""version":1"#, r#""version":2"#, 1), "version 2"),
    ];
    for (i, (name, text, expected)) in cases.into_iter().enumerate() {
        assert_ne!(text, export, "{name}");
        let other = path.with_file_name(format!("other-{i}"));
        let error = Store::import(&other, options(), text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        let reopened = Store::open(&other, options()).unwrap_err().to_string();
        assert!(reopened.contains("broken off"), "{name}: {reopened}");
    }
}

#[test]
fn an_export_is_of_one_moment_and_commits_wait_for_it() {
    let (_dir, path) = folder();
    let store = Arc::new(open(&path));
    let tx =
        |n: u32| Tx::new().put(Space::Meta, "a", format!("{n}")).put(Space::Receipt, "z", format!("{n}"));
    store.commit_blocking(tx(0)).unwrap();
    let writer = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            for n in 1..300 {
                store.commit_blocking(tx(n)).unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let text = String::from_utf8(exported(&store)).unwrap();
        let values: Vec<_> =
            text.lines().filter_map(|l| l.split_once(r#""value":"#)).map(|(_, v)| v).collect();
        assert!(values.len() == 2 && values[0] == values[1], "{values:?}");
    }
    writer.join().unwrap();
}
