//! Bounded memory: a dataset much larger than what a node may hold goes through a governed view, and neither side's
//! memory grows with it. The full gigabyte is a benchmark (`tests/bench/run transfer`); here a third of it, so that
//! whoever collects an answer in memory is seen all the same.

#![allow(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use tests::bench::write_payload;
use tests::{TestNode, pair, repository};

/// Size of the dataset.
const PAYLOAD_BYTES: u64 = 300_000_000;
/// What each node may hold at its peak: well under the payload, well over what a view needs (about 115 MB).
const RSS_BYTES_MAX: u64 = 200_000_000;
const PROVIDER: &str = "urn:agency:vn:memory:provider";

#[test]
fn a_large_dataset_is_streamed_by_both_sides() {
    let desk = tempfile::tempdir().unwrap();
    let payload = desk.path().join("readings.csv");
    write_payload(&payload, PAYLOAD_BYTES).unwrap();
    let provider = TestNode::up(PROVIDER, "Bên cung cấp");
    let consumer = TestNode::up("urn:agency:vn:memory:consumer", "Bên khai thác");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    tests::scene::publish(&provider, &payload, "readings-governed", &["--in-place"]);
    pair(&provider, &consumer);
    let out = desk.path().join("out.csv");
    let what = format!("{PROVIDER}/readings-governed");
    let words = ["--purpose", "official-statistics", "--basis", "law", "--out", &out.to_string_lossy()];
    consumer.ok(&[&["exchange", "get", &what], &words[..]].concat());
    let arrived = std::fs::metadata(&out).unwrap().len();
    assert!(arrived > PAYLOAD_BYTES / 2, "only {arrived} bytes arrived");
    for (side, node) in [("provider", &provider), ("consumer", &consumer)] {
        let Some(peak) = node.rss_bytes(true) else { return tests::skip("this system tells no peak memory") };
        assert!(peak < RSS_BYTES_MAX, "the {side} held {peak} bytes at its peak");
    }
}
