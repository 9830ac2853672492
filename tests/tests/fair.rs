//! Many at once: transfers from one provider share its line, and rows that are the same for several transfers are made once.
//! That a reader who stands still costs a piece and its own place is held beside the code (`peer/signed.rs`,
//! `dataplane/src/spool/serve.rs`): how much a system takes out of a node's hands differs too much to be seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use tests::bench::door::call;
use tests::bench::write_payload;
use tests::scene::{get, publish, wait};
use tests::{TestNode, flip_byte, pair, repository};

const PROVIDER: &str = "urn:agency:vn:kho";

/// A provider with the rules of the benchmark and a payload, and a consumer.
fn scene(dataset: &str, bytes: u64) -> (TestNode, TestNode) {
    let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    let payload = provider.desk().join("readings.csv");
    write_payload(&payload, bytes).unwrap();
    publish(&provider, &payload, dataset, &["--in-place"]);
    let consumer = TestNode::up("urn:agency:vn:phuong", "Phường thử");
    pair(&provider, &consumer);
    (provider, consumer)
}

// ---- sharing the line ----

/// Transfers at once, each of so many bytes: 24 chunks.
const AT_ONCE: usize = 5;
const EACH_BYTES: u64 = 100_000_000;

#[test]
fn transfers_that_run_at_once_get_on_together() {
    let (_provider, consumer) = scene("readings-plain", EACH_BYTES);
    let what = format!("{PROVIDER}/readings-plain");
    // Once before, so that agreement and spool are there and all begin alike.
    get(&consumer, &what, "first.csv", &["--purpose", "official-statistics", "--basis", "law"]);
    let wish = json!({
        "participant": PROVIDER, "dataset": "readings-plain", "purpose": "official-statistics", "basis": "law",
    });
    let ids: Vec<String> = (0..AT_ONCE)
        .map(|_| {
            call(&consumer, "POST", "/v1/exchanges", &wish.to_string()).unwrap()["id"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    let received = |id: &String| consumer.dir().join("received").join(id);
    let held = |id: &String| {
        let record = consumer.dir().join("inbox").join(id).join("rows.held");
        if received(id).exists() {
            24
        } else {
            fs::read_to_string(record).map_or(0, |text| text.lines().count())
        }
    };
    let at_first_end: Vec<usize> = wait("the first to end", || {
        ids.iter().any(|id| received(id).exists()).then(|| ids.iter().map(held).collect())
    });
    // A queue that served one after the other would have left the last at nothing.
    assert!(
        at_first_end.iter().all(|chunks| *chunks >= 6),
        "chunks of 24 when the first ended: {at_first_end:?}"
    );
    for id in &ids {
        wait("the end", || {
            let seen = call(&consumer, "GET", &format!("/v1/exchanges/{id}"), "").unwrap();
            assert!(seen["stage"] != "failed", "{seen}");
            (seen["stage"] == "completed").then_some(())
        });
        assert!(fs::read(received(id)).unwrap() == fs::read(received(&ids[0])).unwrap());
    }
}

// ---- rows that are made once ----

fn spools(provider: &TestNode) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(provider.dir().join("spool")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    all
}

fn inode(folder: &Path) -> u64 {
    fs::metadata(folder.join("0.chunk")).unwrap().ino()
}

#[test]
fn rows_are_made_once_for_transfers_that_get_the_same() {
    let (mut provider, consumer) = scene("readings-governed", 9_000_000);
    let what = format!("{PROVIDER}/readings-governed");
    let take = |basis: &str, file: &str| {
        get(&consumer, &what, file, &["--purpose", "official-statistics", "--basis", basis]).bytes
    };
    let first = take("law-1", "1.csv");
    assert!(take("law-1", "2.csv") == first);
    let shared: Vec<u64> = spools(&provider).iter().map(|folder| inode(folder)).collect();
    assert_eq!((shared.len(), shared[0]), (2, shared[1]), "the second was made anew");
    // Another agreement hashes with another key: it gets rows of its own.
    assert!(take("law-2", "3.csv") != first);
    assert!(spools(&provider).iter().any(|folder| inode(folder) != shared[0]), "two agreements share hashes");
    // Found again after the provider was killed.
    provider.kill9();
    provider.start();
    assert!(take("law-1", "4.csv") == first);
    assert_eq!(spools(&provider).iter().filter(|folder| inode(folder) == shared[0]).count(), 3);
    // And not when the disk changed it: it is made again.
    provider.stop();
    let linked = spools(&provider).into_iter().find(|folder| inode(folder) == shared[0]).unwrap();
    flip_byte(&linked.join("0.chunk"), 1_000);
    provider.start();
    assert!(take("law-1", "5.csv") == first, "damaged rows were handed on");
    assert!(take("law-1", "6.csv") == first);
    assert_eq!(spools(&provider).iter().filter(|folder| inode(folder) == shared[0]).count(), 3);
}
