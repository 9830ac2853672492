#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::sync::Arc;

use serde_json::json;

use super::bases::Base;
use super::*;
use crate::operation::{Actor, Operation};

/// A node with the dataset `x`, its file, and a way to change it.
async fn stage() -> (tempfile::TempDir, Arc<Node>) {
    let (dir, node) = crate::testing::node().await;
    let file = dir.path().join("x.csv");
    std::fs::write(&file, "a,b\n1,2\n").unwrap();
    let operation = Operation::begin(Actor::Local, &node.clock);
    let new = serde_json::from_value(json!({"path": file, "name": "x"})).unwrap();
    datasets::add(&node, &operation, new).await.unwrap();
    change(&node, "a,b\n1,2\n").await;
    (dir, node)
}

async fn change(node: &Node, rows: &str) {
    let operation = Operation::begin(Actor::Local, &node.clock);
    std::fs::write(node.dir.join("data/x/x.csv"), rows).unwrap();
    datasets::validate(node, &operation, "x").await.unwrap();
}

fn numbers(node: &Node) -> Vec<u64> {
    all(node, "x").unwrap().iter().map(|version| version.number).collect()
}

async fn copy_of(node: &Node, version: u64, exchange: &str, at: i64) {
    let base = Base {
        peer: "urn:agency:vn:b".into(),
        exchange: exchange.into(),
        from: None,
        version: Some(version),
        shape: "s".into(),
        sha256: "d".into(),
        at,
    };
    bases::put(node, "x", &base).await.unwrap();
}

#[tokio::test]
async fn versions_stay_while_somebody_needs_them_and_go_then() {
    let (_dir, node) = stage().await;
    let now = node.clock.now();
    assert_eq!(numbers(&node), [1]);
    change(&node, "a,b\n1,2\n").await;
    assert_eq!(numbers(&node), [1], "the same rows are the same version");
    copy_of(&node, 1, "E1", now).await;
    change(&node, "a,b\n1,3\n").await;
    change(&node, "a,b\n1,4\n").await;
    needs::sweep(&node).await.unwrap();
    assert_eq!(numbers(&node), [1, 3], "a consumer's, and the present one");
    let rows = &all(&node, "x").unwrap()[0].dataset.record.source.path;
    assert_eq!(std::fs::read_to_string(rows).unwrap(), "a,b\n1,2\n", "as they were");
    // The consumer did not come back for a month and a day.
    copy_of(&node, 1, "E1", now - 31 * 86_400).await;
    needs::sweep(&node).await.unwrap();
    assert_eq!((numbers(&node), bases::all(&node, "x").unwrap().len()), (vec![3], 0));
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn limits_take_the_oldest_copies_versions_first_and_never_the_present_one() {
    let (dir, node) = stage().await;
    crate::boot::close(&node).await;
    let path = node.dir.clone();
    drop(node);
    for (limit, left) in
        [("per_dataset_max = 2", vec![3, 4]), ("per_dataset_max = 0", vec![4]), ("disk_max_mb = 0", vec![4])]
    {
        let folder = dir.path().join("again");
        let _ = std::fs::remove_dir_all(&folder);
        copy_folder(&path, &folder);
        let text = std::fs::read_to_string(folder.join("tram.toml")).unwrap();
        let node = crate::boot::open(&folder, crate::boot::Doors::Closed).await.unwrap();
        // The paths in the records are those of the folder that was copied.
        let mut dataset = datasets::demand(&node, "x").unwrap();
        dataset.record.source.path = folder.join("data/x/x.csv").to_string_lossy().into_owned();
        for number in 1..=4 {
            let source = PathBuf::from(&dataset.record.source.path);
            std::fs::write(&source, format!("a,b\n1,{number}\n")).unwrap();
            let report = dataset.report.as_mut().unwrap();
            (report.changed_ns, report.sha256) =
                (datasets::changed_ns(&source).unwrap(), format!("{number}"));
            std::fs::remove_file(said(&super::folder(&node, "x"), number)).unwrap_or_default();
            put_aside(&node, dataset.clone(), number, None).await.unwrap();
            copy_of(&node, number, &format!("E{number}"), node.clock.now()).await;
        }
        let tx = store::Tx::new().put_json(store::Space::Dataset, &b"x"[..], &dataset).unwrap();
        node.store.commit(tx).await.unwrap();
        crate::boot::close(&node).await;
        drop(node);
        std::fs::write(folder.join("tram.toml"), format!("{text}\n[versions]\n{limit}\n")).unwrap();
        let node = crate::boot::open(&folder, crate::boot::Doors::Closed).await.unwrap();
        needs::sweep(&node).await.unwrap();
        assert_eq!(numbers(&node), left, "{limit}");
        let kept: Vec<Option<u64>> =
            bases::all(&node, "x").unwrap().iter().map(|base| base.version).collect();
        assert!(kept.iter().all(|version| version.is_some_and(|v| left.contains(&v))), "{limit}: {kept:?}");
        crate::boot::close(&node).await;
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(|_| ()).unwrap(),
        }
    }
}

#[tokio::test]
async fn what_a_kill_left_half_done_is_no_version_and_is_removed() {
    let (_dir, node) = stage().await;
    let folder = folder(&node, "x");
    // Rows without what makes them a version, and a version whose description is damaged.
    std::fs::write(rows(&folder, 7), "a,b\n").unwrap();
    std::fs::write(rows(&folder, 8), "a,b\n").unwrap();
    std::fs::write(said(&folder, 8), "{").unwrap();
    assert_eq!(numbers(&node), [1]);
    needs::sweep(&node).await.unwrap();
    assert!(!rows(&folder, 7).exists() && !rows(&folder, 8).exists() && rows(&folder, 1).exists());
    // A version that was not kept in time is kept on the next round.
    std::fs::remove_file(said(&folder, 1)).unwrap();
    needs::sweep(&node).await.unwrap();
    assert_eq!(numbers(&node).len(), 1);
    crate::boot::close(&node).await;
}

#[test]
fn the_version_of_a_contract_stands_in_the_offer() {
    let read = |offer: &str| contracts::version_in(offer, "urn:agency:vn:a", "bui");
    assert_eq!(read("urn:tram:offer:urn:agency:vn:a/bui@12:0123456789abcdef"), Some(12));
    assert_eq!(read("urn:tram:offer:urn:agency:vn:a/bui@3:0123456789abcdef:0123456789abcdef"), Some(3));
    for other in [
        "urn:tram:offer:urn:agency:vn:b/bui@12:00",
        "urn:tram:offer:urn:agency:vn:a/bui2@12:00",
        "x",
        "urn:tram:offer:urn:agency:vn:a/bui@x",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
}
