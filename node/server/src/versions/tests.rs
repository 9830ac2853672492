#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::sync::Arc;

use serde_json::json;

use super::bases::Base;
use super::settings::VersionSection;
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
        bytes: 0,
        rows: 0,
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
    let (_dir, node) = stage().await;
    for number in 1..=4 {
        change(&node, &format!("a,b\n1,{}\n", 10 + number)).await;
    }
    let now = node.clock.now();
    for number in numbers(&node) {
        copy_of(&node, number, &format!("E{number}"), now).await;
    }
    assert_eq!(numbers(&node), [1, 2, 3, 4, 5]);
    let defaults = VersionSection::default;
    for (limits, left) in [
        (VersionSection { per_dataset_max: 3, ..defaults() }, vec![3, 4, 5]),
        (VersionSection { per_dataset_max: 2, ..defaults() }, vec![4, 5]),
        (VersionSection { disk_max_mb: 0, ..defaults() }, vec![5]),
        (VersionSection { per_dataset_max: 0, ..defaults() }, vec![5]),
    ] {
        needs::sweep_within(&node, &limits).await.unwrap();
        assert_eq!(numbers(&node), left, "{limits:?}");
        let kept: Vec<u64> = bases::all(&node, "x").unwrap().iter().filter_map(|base| base.version).collect();
        assert_eq!(kept, left, "who lost its version gets the whole: {limits:?}");
    }
    crate::boot::close(&node).await;
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
