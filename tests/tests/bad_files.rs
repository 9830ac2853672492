//! Files as agencies really have them: ragged, in another encoding, cut off, or made to hurt. Each is refused with the
//! place and what to do, little memory is used, and the node goes on serving.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tests::scene::{Shared, get, publish};
use tests::{Output, Rules, TestNode, pair, rss_bytes};

const WHAT: &str = "urn:agency:vn:bad-provider/good";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];
const GOOD: &str = "phuong,so_xe\nNghĩa Đô,120\n";
/// Length of the endless line, bytes.
const LINE_BYTES: usize = 100_000_000;
/// What such a line may cost: less than half of it, so that whoever holds the line in memory is seen, and more than what the
/// tests that use the same node at the same moment make it take.
const MEMORY_BYTES_MAX: u64 = 40 * 1024 * 1024;
/// Rows that an inspection looks at; what is wrong behind them only a validation finds.
const SAMPLE_ROWS: usize = 10_000;

struct Pair {
    provider: TestNode,
    consumer: TestNode,
}

fn agencies() -> Arc<Pair> {
    static SHARED: Shared<Pair> = Shared::new();
    SHARED.get(|| {
        let provider = TestNode::up("urn:agency:vn:bad-provider", "Sở Xây dựng");
        let consumer = TestNode::up("urn:agency:vn:bad-consumer", "Phường Nghĩa Đô");
        Rules::new().allow("state", "query", "good", "planning", json!({})).apply(&provider);
        publish(&provider, &put(&provider, "good.csv", GOOD.as_bytes()), "good", &[]);
        pair(&provider, &consumer);
        Pair { provider, consumer }
    })
}

fn put(node: &TestNode, name: &str, bytes: &[u8]) -> PathBuf {
    let path = node.desk().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The node still gives its good dataset.
#[track_caller]
fn serves(agencies: &Pair, file: &str) {
    assert_eq!(get(&agencies.consumer, WHAT, file, &FOR).text(), GOOD);
}

/// `text` in UTF-16, as a spreadsheet saves it when told "Unicode text".
fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn bad_files_are_refused_with_their_place_and_what_to_do() {
    let agencies = agencies();
    // In windows-1258 `ê` is one byte, which begins no UTF-8 character before a space.
    let latin = [b"ten,so\nTr".as_slice(), b"\xea n,1\n"].concat();
    let deep = format!("{{\"a\":{}1{}}}\n", "[".repeat(200), "]".repeat(200));
    let cases: [(&str, Vec<u8>, &[&str]); 17] = [
        (
            "ragged.csv",
            b"a,b,c\n1,2,3\n4,5\n".to_vec(),
            &["line 3", "2 fields", "the header has 3", "add the missing"],
        ),
        ("wide.csv", b"a,b\n1,2\n3,4,5\n6,7\n8,9\n".to_vec(), &["line 3", "3 fields", "quote fields"]),
        ("latin.csv", latin, &["line 2", "byte 9", "not UTF-8", "save the file as UTF-8"]),
        ("utf16.csv", utf16("a,b\n1,2\n"), &["line 1", "UTF-16", "save it as UTF-8"]),
        ("nul.csv", b"a,b\n1,2\n3,\x00\n".to_vec(), &["line 3", "NUL", "save it as text"]),
        ("empty.csv", Vec::new(), &["empty", "save the table again"]),
        ("blank.csv", b"\n\n\n".to_vec(), &["no header line", "first line"]),
        ("twice.csv", b"a,b,a\n1,2,3\n".to_vec(), &["line 1", "`a`"]),
        ("nameless.csv", b"a,,c\n1,2,3\n".to_vec(), &["line 1", "name"]),
        ("open-quote.csv", b"a,b\n1,2\n3,\"x\n4,5\n".to_vec(), &["line 3", "quote", "close it or double it"]),
        ("stray-quote.csv", b"a,b\n1,x\"y\"z\n".to_vec(), &["line 2", "quote", "quote the whole field"]),
        ("sheet.csv", b"PK\x03\x04rest".to_vec(), &["spreadsheet", "save the sheet as CSV UTF-8"]),
        ("cut.json", b"[{\"a\":1},{\"a\":".to_vec(), &["line 1", "not closed"]),
        ("no-object.json", b"[1,2]".to_vec(), &["line 1", "objects"]),
        ("broken.ndjson", b"{\"a\":1}\n{\"a\":}\n".to_vec(), &["line 2"]),
        ("deep.ndjson", deep.into_bytes(), &["line 1"]),
        ("cut.parquet", b"PAR1 and nothing of it".to_vec(), &["Parquet"]),
    ];
    for (name, bytes, words) in cases {
        let path = put(&agencies.provider, name, &bytes);
        let refused = agencies.provider.cmd(&["dataset", "add", text(&path), "--name", "bad"]);
        assert_eq!(refused.code, 2, "{name}: {refused:?}");
        assert!(refused.stdout.is_empty(), "{name}: {refused:?}");
        for word in words {
            assert!(refused.stderr.contains(word), "{name}: no `{word}` in {}", refused.stderr);
        }
    }
    agencies.provider.cmd(&["dataset", "show", "bad"]).expect_code(1);
    for kept in ["contracts/bad.yaml", "data/bad"] {
        assert!(!agencies.provider.dir().join(kept).exists(), "`{kept}` of a bad file was kept");
    }
    serves(&agencies, "after-bad.csv");
}

/// A header, as many good rows as an inspection looks at, and one more.
fn good_rows(rows: usize) -> String {
    let mut csv = "ngay,so\n".to_owned();
    for n in 0..rows {
        writeln!(csv, "2026-11-{:02},{n}", n % 28 + 1).unwrap();
    }
    csv
}

#[test]
fn what_is_wrong_behind_the_sample_is_found_by_validation() {
    let agencies = agencies();
    let bad = "2026-02-30,x\n2026-11-01\nhôm nay,7\n";
    let path = put(&agencies.provider, "late.csv", (good_rows(SAMPLE_ROWS + 5) + bad).as_bytes());
    agencies.provider.ok(&["dataset", "add", text(&path), "--name", "late"]);
    let refused = agencies.provider.cmd(&["dataset", "validate", "late"]).expect_code(2);
    let line = SAMPLE_ROWS + 7;
    for word in [
        format!("line {line}: column `ngay`: `2026-02-30`"),
        format!("line {line}: column `so`: `x`"),
        format!("line {}: the row has 1 fields", line + 1),
        format!("line {}: column `ngay`: `hôm nay`", line + 2),
        "a day such as".to_owned(),
        "a whole number such as".to_owned(),
    ] {
        assert!(refused.stderr.contains(&word), "no `{word}` in {}", refused.stderr);
    }
    let unpublished = agencies.provider.cmd(&["dataset", "publish", "late"]).expect_code(1);
    assert!(unpublished.stderr.contains("tram dataset validate late"), "{unpublished:?}");
    let good = put(&agencies.provider, "turned.csv", good_rows(3).as_bytes());
    publish(&agencies.provider, &good, "turned", &["--in-place"]);
    std::fs::write(&good, good_rows(4)).unwrap();
    let turned = agencies.provider.cmd(&["dataset", "publish", "turned"]).expect_code(1);
    assert!(turned.stderr.contains("was changed after it was checked"), "{turned:?}");
}

/// A file of good rows and then one line of a hundred megabytes.
fn endless(node: &TestNode, name: &str, rows: usize) -> PathBuf {
    let path = node.desk().join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(good_rows(rows).as_bytes()).unwrap();
    let piece = [b'x'; 1 << 16];
    let mut left = LINE_BYTES;
    while left > 0 {
        let now = left.min(piece.len());
        file.write_all(&piece[..now]).unwrap();
        left -= now;
    }
    path
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_little_memory() {
    let agencies = agencies();
    let node = &agencies.provider;
    // Warm: what a node takes to look at any file is no cost of the line.
    publish(node, &put(node, "warm.csv", good_rows(SAMPLE_ROWS + 5).as_bytes()), "warm", &[]);
    let before = node.rss_bytes(true).unwrap();
    let at_once = node.cmd(&["dataset", "add", text(&endless(node, "endless.csv", 1)), "--name", "endless"]);
    told(at_once, 3);
    let later = endless(node, "endless-later.csv", SAMPLE_ROWS + 1);
    node.ok(&["dataset", "add", text(&later), "--name", "endless-later"]);
    told(node.cmd(&["dataset", "validate", "endless-later"]), SAMPLE_ROWS + 3);
    let grown = node.rss_bytes(true).unwrap() - before;
    assert!(grown < MEMORY_BYTES_MAX, "the node took {grown} bytes for a line that it refuses");
    serves(&agencies, "after-endless.csv");
}

#[test]
fn a_command_without_a_node_reads_an_endless_line_in_little_memory() {
    let node = TestNode::init("urn:agency:vn:bad-alone", "Sở Xây dựng");
    let peak = |file: &Path| -> (Output, u64) {
        let mut running = node.spawn(&["dataset", "add", text(file), "--name", "some"]);
        let mut peak = 0;
        while !running.ended() {
            peak = peak.max(rss_bytes(running.pid(), true).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(2));
        }
        (running.wait(), peak)
    };
    let (_, usual) = peak(&put(&node, "ragged.csv", b"a,b\n1\n"));
    let (refused, endless) = peak(&endless(&node, "endless.csv", 1));
    told(refused, 3);
    assert!(usual > 1_000_000, "the memory was not seen: {usual}");
    let grown = endless.saturating_sub(usual);
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes for a line that is refused");
}

#[track_caller]
fn told(refused: Output, line: usize) {
    let refused = refused.expect_code(2);
    for word in [
        &format!("line {line}: "),
        "longer than 1048576 bytes",
        "look for a quote that is not closed or split the row",
    ] {
        assert!(refused.stderr.contains(word), "no `{word}` in {}", refused.stderr);
    }
}
