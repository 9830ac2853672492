//! `tests/bench/run large [--mb N] [--json]`: memory of both nodes while a dataset of 10 GB goes through each format, and while 200
//! transfers run at once.
//!
//! Two columns of nine are asked for: every byte of the file is read and parsed, and the disk need not hold it three times
//! over for each format. `peak` figures are the most that a process ever had since it started (`VmHWM`).

use tests::bench::door::load;
use tests::bench::transfer::{PROVIDER, Pair, Wish, crowd};
use tests::bench::{Figures, MB, payload_mb, say, write_payload};
use tests::{TestNode, pair, repository};

/// Size of the payload if `--mb` says nothing else.
const PAYLOAD_MB: u64 = 10_000;
/// Formats that can hold so many rows; a sheet of Excel has a million.
const FORMATS: [&str; 5] = ["csv", "parquet", "arrow", "ndjson", "json"];
/// Transfers at once.
const CROWD: usize = 200;
/// Nodes that they are spread over.
const CONSUMER_NODES: usize = 4;
/// Size of what each of them gets, MB.
const SMALL_MB: u64 = 25;

fn main() -> std::io::Result<()> {
    let desk = tempfile::tempdir()?;
    let mut figures = Figures::default();
    let (payload, small) = (desk.path().join("readings.csv"), desk.path().join("small.csv"));
    let (rows, bytes) = write_payload(&payload, payload_mb(PAYLOAD_MB) * 1_000_000)?;
    write_payload(&small, SMALL_MB * 1_000_000)?;
    say(&format!("payload: {rows} rows, {bytes} bytes; load {}", load()));

    let provider = TestNode::up(PROVIDER, "Bên cung cấp");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    for (name, file) in [("readings-governed", &payload), ("readings-small", &small)] {
        tests::scene::publish(&provider, file, name, &["--in-place"]);
    }
    let consumers: Vec<TestNode> = (0..CONSUMER_NODES)
        .map(|number| TestNode::up(&format!("urn:agency:vn:bench:consumer-{number}"), "Bên khai thác"))
        .collect();
    consumers.iter().for_each(|consumer| pair(&provider, consumer));

    let peak = |node: &TestNode| node.rss_bytes(true).unwrap_or(0) as f64 / MB;
    let one = Pair { provider: &provider, consumer: &consumers[0] };
    for format in FORMATS {
        let columns = ["reading", "pm25"];
        let run = one.get(Wish { dataset: "readings-governed", format, basis: "law", columns: &columns })?;
        let (ours, theirs) = (peak(&provider), peak(&consumers[0]));
        say(&format!(
            "{format}: {:.0} MB in {:.0} s; peaks so far {ours:.0} and {theirs:.0} MB",
            run.mb, run.seconds
        ));
        figures.add(&format!("{format}_s"), run.seconds);
        figures.add(&format!("{format}_mb"), run.mb);
    }
    figures.add("provider_peak_mb", peak(&provider));
    figures.add("consumer_peak_mb", peak(&consumers[0]));
    let wish = Wish { dataset: "readings-small", format: "csv", basis: "law-crowd", columns: &[] };
    let crowd = crowd(&provider, &consumers, CROWD, wish)?;
    figures.add("concurrent_200_mb_s", crowd.mb_s);
    figures.add("rss_mb_200", crowd.provider_rss_mb);
    figures.add("consumer_rss_mb_50", crowd.consumer_rss_mb);
    figures.add("concurrent_200_slowest_to_quickest", crowd.spread);
    figures.add("payload_mb", bytes as f64 / MB);
    figures.add("load_after", load());
    figures.print()
}
