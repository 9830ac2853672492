//! Transfers between two nodes as the benchmarks time them: one from the wish to the file, and many at once.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::door::{call, cpu_s, load};
use super::{MB, say};
use crate::TestNode;

/// Longest that one step may take.
const LIMIT: Duration = Duration::from_secs(1_800);
/// Who provides.
pub const PROVIDER: &str = "urn:agency:vn:bench:provider";

/// One transfer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    /// What arrived.
    pub mb: f64,
    /// From the wish until the file has its name.
    pub seconds: f64,
    /// Until the first chunk is held.
    pub first_s: f64,
    /// Until the receipts.
    pub receipts_s: f64,
    /// Processor time of the provider.
    pub provider_cpu_s: f64,
    /// And of the consumer.
    pub consumer_cpu_s: f64,
}

impl Run {
    /// What arrived, by the clock.
    pub fn mb_s(&self) -> f64 {
        self.mb / self.seconds
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Dataset of [`PROVIDER`].
    pub dataset: &'a str,
    /// Format of the answer.
    pub format: &'a str,
    /// Legal basis: another makes another agreement.
    pub basis: &'a str,
    /// Columns; all where none is named.
    pub columns: &'a [&'a str],
}

/// Who gives and who gets.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The provider.
    pub provider: &'a TestNode,
    /// The consumer.
    pub consumer: &'a TestNode,
}

impl Pair<'_> {
    /// One transfer from the wish to the file, and on to the receipts. The file is removed.
    ///
    /// # Errors
    /// The door's, or an exchange that does not end in time.
    pub fn get(&self, wish: Wish<'_>) -> io::Result<Run> {
        let cpu = (cpu_s(self.provider), cpu_s(self.consumer));
        let started = Instant::now();
        let id = begin(self.consumer, wish)?;
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

fn begin(consumer: &TestNode, wish: Wish<'_>) -> io::Result<String> {
    let wish = json!({
        "participant": PROVIDER,
        "dataset": wish.dataset,
        "purpose": "official-statistics",
        "basis": wish.basis,
        "format": wish.format,
        "columns": wish.columns,
        "queue": true,
    });
    let begun = call(consumer, "POST", "/v1/exchanges", &wish.to_string())?;
    let id = begun["id"].as_str().ok_or_else(|| io::Error::other(format!("not begun: {begun}")))?;
    Ok(id.to_owned())
}

fn received(consumer: &TestNode, id: &str) -> PathBuf {
    consumer.dir().join("received").join(id)
}

fn patience(consumer: &TestNode, id: &str, started: Instant) -> io::Result<()> {
    if started.elapsed() < LIMIT {
        return Ok(());
    }
    let seen = call(consumer, "GET", &format!("/v1/exchanges/{id}"), "")?;
    Err(io::Error::other(format!("the exchange came to nothing: {seen}")))
}

/// Many transfers at once.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// What arrived at all of them, until the last was there.
    pub mb_s: f64,
    /// The provider's greatest resident memory meanwhile.
    pub provider_rss_mb: f64,
    /// The greatest of a consumer.
    pub consumer_rss_mb: f64,
    /// Time of the last to end, as a multiple of that of the first.
    pub spread: f64,
}

/// `count` transfers at once of the same, as many at each consumer. The files are removed.
///
/// # Errors
/// The door's, or an exchange that does not end in time.
pub fn crowd(provider: &TestNode, consumers: &[TestNode], count: usize, wish: Wish<'_>) -> io::Result<Crowd> {
    // One before, so that every consumer has its agreement and the spool is there: what is measured is the serving.
    for consumer in consumers {
        Pair { provider, consumer }.get(wish)?;
    }
    let started = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..count / consumers.len().max(1) {
        for consumer in consumers {
            waiting.push((consumer, begin(consumer, wish)?));
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
        "{count} at once: the first after {first:.1} s, the last after {last:.1} s; load {}",
        load()
    ));
    Ok(Crowd {
        mb_s: bytes as f64 / MB / last,
        provider_rss_mb: provider_rss as f64 / MB,
        consumer_rss_mb: consumer_rss as f64 / MB,
        spread: last / first,
    })
}
