//! `tests/bench/run ledger`: durable appends a second by 1, 64, 256 and 1,024 writers, beside the disk's own syncs and
//! Tessera's POSIX storage; proofs, memory and verification of a log of ten million entries. Keys: docs/performance.md.
//!
//! An append counts when the ledger has answered, that is after the entry is durable. Writers share batches, so many are
//! faster than one; one writer waits for the disk each time.

use std::path::Path;
use std::time::Duration;

use tests::bench::ledger::{ENTRY_BYTES, Measured, append, disk, large, tessera};
use tests::bench::{Figures, quantile, say};

/// How long each number of writers is measured.
const MEASURED: Duration = Duration::from_secs(10);
/// How long the disk's own syncs are counted, once before and once after the appends.
const SYNCED: Duration = Duration::from_secs(3);

fn main() -> Measured<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, folder] = words.as_slice()
        && word == large::WORD
    {
        println!("{}", large::measure(Path::new(folder), &large::Sizes::FULL)?.to_line());
        return Ok(());
    }
    let tessera = tessera::program()?;
    let mut figures = Figures::default();
    figures.add("entry_bytes", ENTRY_BYTES as f64);
    let before = fsyncs()?;
    ours(&mut figures)?;
    theirs(&mut figures, &tessera)?;
    figures.add("fsync_per_s", (before + fsyncs()?) / 2.0);
    let folder = tempfile::tempdir()?;
    let large = large::in_a_process_of_its_own(folder.path())?;
    figures.add("verify_per_s", large.verify_per_s);
    figures.add("verify_peak_rss_mb", large.peak_rss_mb);
    figures.add("proof_p99_us_10m", large.proof_p99_us);
    figures.add("rss_mb_1m", large.first_rss_mb);
    figures.add("rss_mb_10m", large.last_rss_mb);
    Ok(figures.print()?)
}

fn fsyncs() -> Measured<f64> {
    disk::fsyncs_per_s(tempfile::tempdir()?.path(), SYNCED)
}

fn ours(figures: &mut Figures) -> Measured<()> {
    for writers in [1, 64, 256, 1024] {
        let folder = tempfile::tempdir()?;
        let run = append::run(folder.path(), writers, MEASURED)?;
        let (p50, p99) = (quantile(&run.took_ms, 0.5), quantile(&run.took_ms, 0.99));
        say(&format!(
            "{writers} at a time: {:.0} appends a second in {:.0} batches a second, p50 {p50:.2} ms, p99 {p99:.2} ms",
            run.per_s(),
            run.batches as f64 / run.seconds
        ));
        figures.add(&format!("append_{writers}_per_s"), run.per_s());
        figures.add(&format!("append_p50_ms_{writers}"), p50);
        figures.add(&format!("append_p99_ms_{writers}"), p99);
        figures.add(&format!("batches_{writers}_per_s"), run.batches as f64 / run.seconds);
        if let Some(name) = [(1, "1_writer"), (64, "64_writers")].iter().find(|(n, _)| *n == writers) {
            figures.add(&format!("appends_{}_per_s", name.1), run.per_s());
            figures.add(&format!("append_{}_p50_ms", name.1), p50);
            figures.add(&format!("append_{}_p99_ms", name.1), p99);
        }
        if writers == 1024 {
            figures.add("bytes_per_entry", run.bytes_per_entry);
        }
    }
    Ok(())
}

fn theirs(figures: &mut Figures, program: &Path) -> Measured<()> {
    for writers in [256, 1024] {
        let folder = tempfile::tempdir()?;
        let run = tessera::run(program, folder.path(), writers, MEASURED)?;
        let (per_s, p50, p99) = (run.per_s, run.p50_ms, run.p99_ms);
        say(&format!("Tessera, {writers} at a time: {per_s:.0} a second, p50 {p50:.1} ms, p99 {p99:.1} ms"));
        figures.add(&format!("tessera_{writers}_per_s"), per_s);
        figures.add(&format!("tessera_p99_ms_{writers}"), p99);
    }
    Ok(())
}
