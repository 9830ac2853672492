//! `tests/bench/run transfer [--mb N] [--json]`: how fast a large dataset goes from node to node over mutual TLS, signed and
//! verified at both ends, beside nginx serving the same bytes and DuckDB writing the same governed result to a file.
//!
//! A node's time is that from `POST /v1/exchanges` until the consumer's file has its name: negotiation, view, spool, signed
//! manifest and every chunk's digest are in it, and the file is durable. The receipts come after it (a checkpoint is signed
//! once a second) and have a key of their own. Speeds count the bytes that arrived. A cold view is one that no spool
//! serves: another agreement, so another key of the hash.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::bench::door::{call, cpu_s, load};
use tests::bench::nginx::Nginx;
use tests::bench::{Figures, MB, duckdb, median, say, write_payload};
use tests::{TestNode, pair, repository};

/// Times each is measured, in turn, so that a busy moment of the machine hits all alike.
const RUNS: usize = 3;
/// Size of the payload if `--mb` says nothing else.
const PAYLOAD_MB: u64 = 1_000;
/// Consumers at once: so many exchanges at each of [`CONSUMER_NODES`] nodes.
const CONSUMERS: usize = 100;
/// Nodes that they are spread over: each with keys, connections and limits of its own.
const CONSUMER_NODES: usize = 4;
/// Size of what each of them gets, as a part of the payload: a hundred times all of it would measure the disk.
const SMALL_PART: u64 = 20;
/// Longest that one step may take.
const LIMIT: Duration = Duration::from_secs(1_800);
const PROVIDER: &str = "urn:agency:vn:bench:provider";

fn main() -> std::io::Result<()> {
    let desk = tempfile::tempdir()?;
    let (payload, small) = (desk.path().join("readings.csv"), desk.path().join("small.csv"));
    let (rows, bytes) = write_payload(&payload, payload_mb() * 1_000_000)?;
    write_payload(&small, payload_mb() * 1_000_000 / SMALL_PART)?;
    say(&format!("payload: {rows} rows, {bytes} bytes; load {}", load()));
    let load_before = load();
    let nginx = Nginx::serve(&payload)?;
    let (provider, consumers) = nodes(&payload, &small);
    let one = Pair { provider: &provider, consumer: &consumers[0] };
    let out = desk.path().join("out.csv");

    let mut all = Measured::default();
    // Made once, so that it is stored.
    one.get("readings-plain", "csv", "law-stored")?;
    for run in 1..=RUNS {
        let (fetched, verified) = nginx.fetch_verified(&out)?;
        all.nginx_alone.push(bytes as f64 / MB / fetched.as_secs_f64());
        all.nginx.push(bytes as f64 / MB / (fetched + verified).as_secs_f64());
        all.stored.push(one.get("readings-plain", "csv", "law-stored")?);
        let fresh = format!("law-{run}");
        all.cold.push(one.get("readings-governed", "csv", &fresh)?);
        all.again.push(one.get("readings-governed", "csv", &fresh)?);
        all.parquet.push(one.get("readings-governed", "parquet", &fresh)?);
        all.duckdb.push(duckdb::governed(&payload, &out)?);
        std::fs::remove_file(&out)?;
        say(&format!("run {run} of {RUNS}, load {}: {}", load(), all.last()));
    }
    let alone_rss = provider.rss_bytes(true).unwrap_or(0) as f64 / MB;
    let crowd = crowd(&provider, &consumers)?;

    let mut figures = Figures::default();
    all.tell(&mut figures, bytes as f64 / MB);
    figures.add("concurrent_100_mb_s", crowd.mb_s);
    figures.add("rss_mb_100", crowd.provider_rss_mb);
    figures.add("consumer_rss_mb_25", crowd.consumer_rss_mb);
    figures.add("concurrent_100_slowest_to_quickest", crowd.spread);
    figures.add("provider_peak_rss_mb", alone_rss);
    figures.add("payload_mb", bytes as f64 / MB);
    figures.add("runs_count", RUNS as f64);
    figures.add("load_before", load_before);
    figures.add("load_after", load());
    figures.print()
}

/// One transfer.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    mb: f64,
    seconds: f64,
    first_s: f64,
    receipts_s: f64,
    provider_cpu_s: f64,
    consumer_cpu_s: f64,
}

impl Run {
    fn mb_s(&self) -> f64 {
        self.mb / self.seconds
    }
}

#[derive(Default)]
struct Measured {
    nginx: Vec<f64>,
    nginx_alone: Vec<f64>,
    stored: Vec<Run>,
    cold: Vec<Run>,
    again: Vec<Run>,
    parquet: Vec<Run>,
    duckdb: Vec<(f64, f64)>,
}

impl Measured {
    fn last(&self) -> String {
        let speed = |runs: &[Run]| runs.last().map_or(0.0, Run::mb_s);
        let cpu = |runs: &[Run]| runs.last().map_or((0.0, 0.0), |r| (r.provider_cpu_s, r.consumer_cpu_s));
        format!(
            "nginx {:.0} (curl alone {:.0}), stored {:.0} {:.1?}, cold {:.0} {:.1?}, from spool {:.0} MB/s; parquet {:.1?} CPU s; DuckDB {:.1?} s",
            self.nginx.last().unwrap_or(&0.0),
            self.nginx_alone.last().unwrap_or(&0.0),
            speed(&self.stored),
            cpu(&self.stored),
            speed(&self.cold),
            cpu(&self.cold),
            speed(&self.again),
            cpu(&self.parquet),
            self.duckdb.last().unwrap_or(&(0.0, 0.0)),
        )
    }

    fn tell(&self, figures: &mut Figures, payload_mb: f64) {
        let of = |runs: &[Run], what: fn(&Run) -> f64| median(&runs.iter().map(what).collect::<Vec<_>>());
        figures.add("stored_mb_s", of(&self.stored, Run::mb_s));
        figures.add("governed_cold_mb_s", of(&self.cold, Run::mb_s));
        figures.add("governed_spool_mb_s", of(&self.again, Run::mb_s));
        figures.add("nginx_mb_s", median(&self.nginx));
        figures.add("governed_cold_s", of(&self.cold, |r| r.seconds));
        figures.add("duckdb_s", median(&self.duckdb.iter().map(|d| d.0).collect::<Vec<_>>()));
        figures.add("cpu_s_per_gb", of(&self.stored, |r| (r.provider_cpu_s + r.consumer_cpu_s) / r.mb * 1e3));
        figures.add("provider_cpu_s_per_gb", of(&self.stored, |r| r.provider_cpu_s / r.mb * 1e3));
        figures.add("nginx_unverified_mb_s", median(&self.nginx_alone));
        figures.add("governed_cold_provider_cpu_s", of(&self.cold, |r| r.provider_cpu_s));
        figures.add("governed_cold_consumer_cpu_s", of(&self.cold, |r| r.consumer_cpu_s));
        figures.add("duckdb_cpu_s", median(&self.duckdb.iter().map(|d| d.1).collect::<Vec<_>>()));
        let input: Vec<f64> = self.parquet.iter().map(|r| payload_mb / r.provider_cpu_s).collect();
        figures.add("parquet_input_mb_per_cpu_s", median(&input));
        figures.add("parquet_s", of(&self.parquet, |r| r.seconds));
        figures.add("stored_first_byte_ms", of(&self.stored, |r| r.first_s * 1e3));
        figures.add("cold_first_byte_ms", of(&self.cold, |r| r.first_s * 1e3));
        figures.add("stored_receipts_s", of(&self.stored, |r| r.receipts_s));
    }
}

struct Pair<'a> {
    provider: &'a TestNode,
    consumer: &'a TestNode,
}

impl Pair<'_> {
    /// One transfer from the wish to the file, and on to the receipts. The file is removed.
    fn get(&self, dataset: &str, format: &str, basis: &str) -> std::io::Result<Run> {
        let cpu = (cpu_s(self.provider), cpu_s(self.consumer));
        let started = Instant::now();
        let id = begin(self.consumer, dataset, format, basis)?;
        let file = received(self.consumer, &id);
        let record = self.consumer.dir().join("inbox").join(&id).join("rows.held");
        let mut run = Run::default();
        while !file.exists() {
            if run.first_s == 0.0 && record.metadata().is_ok_and(|m| m.len() > 0) {
                run.first_s = started.elapsed().as_secs_f64();
            }
            patience(self.consumer, &id, started)?;
            thread::sleep(Duration::from_millis(2));
        }
        run.seconds = started.elapsed().as_secs_f64();
        (run.provider_cpu_s, run.consumer_cpu_s) =
            (cpu_s(self.provider) - cpu.0, cpu_s(self.consumer) - cpu.1);
        run.mb = file.metadata()?.len() as f64 / MB;
        while call(self.consumer, "GET", &format!("/v1/exchanges/{id}"), "")?["stage"] != "completed" {
            patience(self.consumer, &id, started)?;
            thread::sleep(Duration::from_millis(20));
        }
        run.receipts_s = started.elapsed().as_secs_f64();
        std::fs::remove_file(&file)?;
        Ok(run)
    }
}

fn begin(consumer: &TestNode, dataset: &str, format: &str, basis: &str) -> std::io::Result<String> {
    let wish = json!({
        "participant": PROVIDER,
        "dataset": dataset,
        "purpose": "official-statistics",
        "basis": basis,
        "format": format,
        "queue": true,
    });
    let begun = call(consumer, "POST", "/v1/exchanges", &wish.to_string())?;
    let id = begun["id"].as_str().ok_or_else(|| std::io::Error::other(format!("not begun: {begun}")))?;
    Ok(id.to_owned())
}

fn received(consumer: &TestNode, id: &str) -> PathBuf {
    consumer.dir().join("received").join(id)
}

fn patience(consumer: &TestNode, id: &str, started: Instant) -> std::io::Result<()> {
    if started.elapsed() < LIMIT {
        return Ok(());
    }
    let seen = call(consumer, "GET", &format!("/v1/exchanges/{id}"), "")?;
    Err(std::io::Error::other(format!("the exchange came to nothing: {seen}")))
}

/// A hundred transfers at once.
struct Crowd {
    mb_s: f64,
    provider_rss_mb: f64,
    consumer_rss_mb: f64,
    /// Time of the last to end, as a multiple of that of the first.
    spread: f64,
}

fn crowd(provider: &TestNode, consumers: &[TestNode]) -> std::io::Result<Crowd> {
    // One before, so that every consumer has its agreement and the spool is there: what is measured is the serving.
    for consumer in consumers {
        Pair { provider, consumer }.get("readings-small", "csv", "law-crowd")?;
    }
    let started = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..CONSUMERS / CONSUMER_NODES {
        for consumer in consumers {
            waiting.push((consumer, begin(consumer, "readings-small", "csv", "law-crowd")?));
        }
    }
    let (mut bytes, mut provider_rss, mut consumer_rss) = (0_u64, 0_u64, 0_u64);
    let mut ends = Vec::new();
    while !waiting.is_empty() {
        waiting.retain(|(consumer, id)| {
            let file = received(consumer, id);
            let Ok(found) = file.metadata() else { return true };
            bytes += found.len();
            ends.push(started.elapsed().as_secs_f64());
            // Its receipts need no rows, and the disk needs the room.
            let _removed = std::fs::remove_file(file);
            false
        });
        provider_rss = provider_rss.max(provider.rss_bytes(false).unwrap_or(0));
        for consumer in consumers {
            consumer_rss = consumer_rss.max(consumer.rss_bytes(false).unwrap_or(0));
        }
        if let Some((consumer, id)) = waiting.first() {
            patience(consumer, id, started)?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let (first, last) = (ends.first().copied().unwrap_or(1.0), ends.last().copied().unwrap_or(1.0));
    say(&format!(
        "{CONSUMERS} at once: the first after {first:.1} s, the last after {last:.1} s; load {}",
        load()
    ));
    Ok(Crowd {
        mb_s: bytes as f64 / MB / last,
        provider_rss_mb: provider_rss as f64 / MB,
        consumer_rss_mb: consumer_rss as f64 / MB,
        spread: last / first,
    })
}

/// A provider that offers the file twice, once under obligations, and a small one, and consumers that know it.
fn nodes(payload: &Path, small: &Path) -> (TestNode, Vec<TestNode>) {
    let provider = TestNode::up(PROVIDER, "Bên cung cấp");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    for (name, file) in
        [("readings-plain", payload), ("readings-governed", payload), ("readings-small", small)]
    {
        tests::scene::publish(&provider, file, name, &["--in-place"]);
    }
    let consumers: Vec<TestNode> = (0..CONSUMER_NODES)
        .map(|number| TestNode::up(&format!("urn:agency:vn:bench:consumer-{number}"), "Bên khai thác"))
        .collect();
    for consumer in &consumers {
        pair(&provider, consumer);
    }
    (provider, consumers)
}

fn payload_mb() -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--mb").and_then(|at| words.get(at + 1)?.parse().ok());
    given.unwrap_or(PAYLOAD_MB)
}
