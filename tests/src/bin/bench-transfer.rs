//! `tests/bench/run transfer [--mb N] [--json]`: how fast a large dataset goes from node to node over mutual TLS, signed and
//! verified at both ends, beside nginx serving the same bytes and DuckDB writing the same governed result to a file.
//!
//! A node's time is that from `POST /v1/exchanges` until the consumer's file has its name: negotiation, view, spool, signed
//! manifest and every chunk's digest are in it, and the file is durable. The receipts come after it (a checkpoint is signed
//! once a second) and have a key of their own. Speeds count the bytes that arrived. A cold view is one that no spool
//! serves: another agreement, so another key of the hash.

use std::path::Path;

use tests::bench::door::load;
use tests::bench::nginx::Nginx;
use tests::bench::transfer::{PROVIDER, Pair, Run, Wish, crowd};
use tests::bench::{Figures, MB, duckdb, median, payload_mb, say, write_payload};
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

fn main() -> std::io::Result<()> {
    let desk = tempfile::tempdir()?;
    let (payload, small) = (desk.path().join("readings.csv"), desk.path().join("small.csv"));
    let (rows, bytes) = write_payload(&payload, payload_mb(PAYLOAD_MB) * 1_000_000)?;
    write_payload(&small, payload_mb(PAYLOAD_MB) * 1_000_000 / SMALL_PART)?;
    say(&format!("payload: {rows} rows, {bytes} bytes; load {}", load()));
    let load_before = load();
    let nginx = Nginx::serve(&payload)?;
    let (provider, consumers) = nodes(&payload, &small);
    let one = Pair { provider: &provider, consumer: &consumers[0] };
    let out = desk.path().join("out.csv");

    let mut all = Measured::default();
    // Made once, so that it is stored.
    one.get(wish("readings-plain", "csv", "law-stored"))?;
    for run in 1..=RUNS {
        let (fetched, verified) = nginx.fetch_verified(&out)?;
        all.nginx_alone.push(bytes as f64 / MB / fetched.as_secs_f64());
        all.nginx.push(bytes as f64 / MB / (fetched + verified).as_secs_f64());
        all.stored.push(one.get(wish("readings-plain", "csv", "law-stored"))?);
        let fresh = format!("law-{run}");
        all.cold.push(one.get(wish("readings-governed", "csv", &fresh))?);
        all.again.push(one.get(wish("readings-governed", "csv", &fresh))?);
        all.parquet.push(one.get(wish("readings-governed", "parquet", &fresh))?);
        all.duckdb.push(duckdb::governed(&payload, &out)?);
        std::fs::remove_file(&out)?;
        say(&format!("run {run} of {RUNS}, load {}: {}", load(), all.last()));
    }
    let alone_rss = provider.rss_bytes(true).unwrap_or(0) as f64 / MB;
    let crowd = crowd(&provider, &consumers, CONSUMERS, wish("readings-small", "csv", "law-crowd"))?;

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

fn wish<'a>(dataset: &'a str, format: &'a str, basis: &'a str) -> Wish<'a> {
    Wish { dataset, format, basis, columns: &[] }
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
