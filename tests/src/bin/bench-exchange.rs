//! `tests/bench/run exchange [--json]`: how long one takes from `POST /v1/exchanges` to the agreement, to the first and to
//! the last byte of 10 MB. Keys: `agreement_p50_ms`, `first_byte_p50_ms`, `last_byte_p50_ms`, `receipts_p50_ms`, `payload_mb`,
//! `runs_count`.
//!
//! Each run names another legal basis, so that each negotiates anew. The agreement is there when the local door says so;
//! the first byte when the first verified chunk (4 MiB) is on the consumer's disk; the last when the whole file is; the
//! receipts when the exchange is completed.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::bench::door::call;
use tests::bench::{Figures, MB, median, ms, say, write_payload};
use tests::{TestNode, pair, repository};

/// Exchanges that are timed.
const RUNS: usize = 9;
/// Size of the dataset.
const PAYLOAD_BYTES: u64 = 10_000_000;
/// Longest that one exchange may take.
const LIMIT: Duration = Duration::from_secs(60);
const PROVIDER: &str = "urn:agency:vn:bench:provider";

fn main() -> std::io::Result<()> {
    let desk = tempfile::tempdir()?;
    let payload = desk.path().join("readings.csv");
    let (rows, bytes) = write_payload(&payload, PAYLOAD_BYTES)?;
    say(&format!("payload: {rows} rows, {bytes} bytes"));
    let provider = TestNode::up(PROVIDER, "Bên cung cấp");
    let consumer = TestNode::up("urn:agency:vn:bench:consumer", "Bên khai thác");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    tests::scene::publish(&provider, &payload, "readings-plain", &["--in-place"]);
    pair(&provider, &consumer);

    let mut times: [Vec<f64>; 4] = Default::default();
    for run in 1..=RUNS {
        let took = exchange(&consumer, run)?;
        say(&format!("run {run} of {RUNS}: {took:.0?} ms"));
        times.iter_mut().zip(took).for_each(|(all, one)| all.push(one));
    }
    let [agreement, first, last, receipts] = &times;
    let mut figures = Figures::default();
    figures.add("agreement_p50_ms", median(agreement));
    figures.add("first_byte_p50_ms", median(first));
    figures.add("last_byte_p50_ms", median(last));
    figures.add("receipts_p50_ms", median(receipts));
    figures.add("payload_mb", bytes as f64 / MB);
    figures.add("runs_count", RUNS as f64);
    figures.print()
}

/// Milliseconds to the agreement, the first chunk, the whole file, the receipts.
fn exchange(consumer: &TestNode, run: usize) -> std::io::Result<[f64; 4]> {
    let body = json!({
        "participant": PROVIDER,
        "dataset": "readings-plain",
        "purpose": "official-statistics",
        "basis": format!("law-{run}"),
        "format": "csv",
    });
    let started = Instant::now();
    let begun = call(consumer, "POST", "/v1/exchanges", &body.to_string())?;
    let id = begun["id"].as_str().unwrap_or_default().to_owned();
    let chunk = consumer.dir().join("inbox").join(&id).join("rows.held");
    let whole = consumer.dir().join("received").join(&id);
    let mut took: [Option<f64>; 4] = [None; 4];
    while took.iter().any(Option::is_none) {
        let seen = call(consumer, "GET", &format!("/v1/exchanges/{id}"), "")?;
        let stage = seen["stage"].as_str().unwrap_or_default();
        let now = [
            seen["agreement"].is_string(),
            chunk.metadata().is_ok_and(|record| record.len() > 0) || whole.exists(),
            whole.exists(),
            stage == "completed",
        ];
        for (slot, reached) in took.iter_mut().zip(now) {
            if reached && slot.is_none() {
                *slot = Some(ms(started.elapsed()));
            }
        }
        if stage == "refused" || stage == "failed" || started.elapsed() > LIMIT {
            return Err(std::io::Error::other(format!("the exchange came to nothing: {seen}")));
        }
    }
    Ok(took.map(|t| t.unwrap_or_default()))
}
