//! `tests/bench/run transfer [--mb N] [--json]`: how fast a large dataset goes from node to node, governed and not, beside
//! nginx serving the same bytes over mutual TLS. Keys: `governed_mb_per_s`, `ungoverned_mb_per_s`, `nginx_mb_per_s`,
//! `provider_peak_rss_mb`, `payload_mb`, `runs_count`.
//!
//! A node's time is that of `tram exchange get` from the command to the verified, durable file: negotiation, the governed view,
//! spool, manifest, every chunk's digest and the receipts are in it. Speeds count the bytes that arrived.

use std::path::Path;
use std::time::Instant;

use tests::bench::nginx::Nginx;
use tests::bench::{Figures, MB, median, say, write_payload};
use tests::{TestNode, pair, repository};

/// Times each of the three is measured, in turn, so that a busy moment of the machine hits all alike.
const RUNS: usize = 3;
/// Size of the payload if `--mb` says nothing else.
const PAYLOAD_MB: u64 = 1_000;
const PROVIDER: &str = "urn:agency:vn:bench:provider";

fn main() -> std::io::Result<()> {
    let desk = tempfile::tempdir()?;
    let payload = desk.path().join("readings.csv");
    let (rows, bytes) = write_payload(&payload, payload_mb() * 1_000_000)?;
    say(&format!("payload: {rows} rows, {bytes} bytes"));
    let nginx = Nginx::serve(&payload)?;
    let (provider, consumer) = nodes(&payload);

    let out = desk.path().join("out.csv");
    let (mut yardstick, mut plain, mut governed) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=RUNS {
        yardstick.push(bytes as f64 / MB / nginx.fetch(&out)?.as_secs_f64());
        plain.push(get(&consumer, "readings-plain", &out)?);
        governed.push(get(&consumer, "readings-governed", &out)?);
        say(&format!(
            "run {run} of {RUNS}: nginx {yardstick:.0?}, plain {plain:.0?}, governed {governed:.0?} MB/s"
        ));
    }

    let mut figures = Figures::default();
    figures.add("governed_mb_per_s", median(&governed));
    figures.add("ungoverned_mb_per_s", median(&plain));
    figures.add("nginx_mb_per_s", median(&yardstick));
    figures.add("provider_peak_rss_mb", provider.rss_bytes(true).unwrap_or(0) as f64 / MB);
    figures.add("payload_mb", bytes as f64 / MB);
    figures.add("runs_count", RUNS as f64);
    figures.print()
}

/// A provider that offers the file twice, once under obligations, and a consumer that knows it.
fn nodes(payload: &Path) -> (TestNode, TestNode) {
    let provider = TestNode::up(PROVIDER, "Bên cung cấp");
    let consumer = TestNode::up("urn:agency:vn:bench:consumer", "Bên khai thác");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    for name in ["readings-plain", "readings-governed"] {
        tests::scene::publish(&provider, payload, name, &["--in-place"]);
    }
    pair(&provider, &consumer);
    (provider, consumer)
}

/// Megabytes a second of one exchange.
fn get(consumer: &TestNode, dataset: &str, out: &Path) -> std::io::Result<f64> {
    let started = Instant::now();
    let what = format!("{PROVIDER}/{dataset}");
    consumer.ok(&[
        "exchange",
        "get",
        &what,
        "--purpose",
        "official-statistics",
        "--basis",
        "law",
        "--format",
        "csv",
        "--out",
        &out.to_string_lossy(),
    ]);
    let took = started.elapsed().as_secs_f64();
    let arrived = std::fs::metadata(out)?.len();
    std::fs::remove_file(out)?;
    Ok(arrived as f64 / MB / took)
}

fn payload_mb() -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--mb").and_then(|at| words.get(at + 1)?.parse().ok());
    given.unwrap_or(PAYLOAD_MB)
}
