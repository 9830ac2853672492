//! `tests/bench/run footprint`: what an idle node needs. Keys: `idle_rss_mb`, `start_ms`, `binary_mb`, `runs_count`.

use std::thread;
use std::time::Duration;

use tests::TestNode;
use tests::bench::{Figures, MB, median, ms, say, write_payload};

/// Starts measured; the median is printed.
const RUNS: usize = 5;
/// How long a node is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes of the one dataset that it offers.
const DATASET_BYTES: u64 = 1_000_000;

fn main() -> std::io::Result<()> {
    let mut figures = Figures::default();
    let mut node = TestNode::init("urn:agency:vn:bench", "Trạm đo");
    let file = node.desk().join("readings.csv");
    write_payload(&file, DATASET_BYTES)?;
    node.start();
    tests::scene::publish(&node, &file, "readings", &[]);
    node.stop();

    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for run in 1..=RUNS {
        node.start();
        starts.push(ms(node.start_time()));
        thread::sleep(IDLE);
        memory.extend(node.rss_bytes(false).map(|bytes| bytes as f64 / MB));
        say(&format!("start {run} of {RUNS}: {:.0} ms", ms(node.start_time())));
        node.stop();
    }
    figures.add("idle_rss_mb", median(&memory));
    figures.add("start_ms", median(&starts));
    figures.add("binary_mb", std::fs::metadata(tests::tram())?.len() as f64 / MB);
    figures.add("runs_count", RUNS as f64);
    figures.print()
}
