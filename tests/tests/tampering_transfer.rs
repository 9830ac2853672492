//! One bit turned over in the middle of a transfer: in a chunk that waits at the provider, in the provider's manifest, in a
//! chunk that the consumer has already; or a chunk is gone. Wrong rows never arrive; the exchange recovers or says why it
//! failed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::Digest;
use tests::scene::{get, publish, wait};
use tests::{TestNode, flip_byte, pair};

const PROVIDER: &str = "urn:agency:vn:kho";
const WORDS: [&str; 4] = ["--purpose", "environment-monitoring", "--basis", "law"];
/// Some thirty megabytes: eight chunks, made in seconds, so that there is a middle.
const ROWS: usize = 420_000;

/// A transfer whose consumer was killed with some chunks on its disk, while the provider went on to the end.
struct Middle {
    provider: TestNode,
    consumer: TestNode,
    id: String,
    wanted: String,
}

impl Middle {
    fn reach() -> Self {
        let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
        let mut consumer = TestNode::up("urn:agency:vn:phuong", "Phường thử");
        pair(&provider, &consumer);
        let file = provider.desk().join("lon.csv");
        let mut text = String::from("id,phuong,ghi_chu\n");
        for i in 0..ROWS {
            text.push_str(&format!(
                "{i},phuong-{},so do thu {} cua tram quan trac khong khi\n",
                i % 97,
                i * 31_337 % 1_000_003
            ));
        }
        fs::write(&file, &text).unwrap();
        publish(&provider, &file, "lon", &[]);
        let what = format!("{PROVIDER}/lon");
        let begun = consumer.spawn(&[&["exchange", "get", &what, "--queue"], &WORDS[..]].concat());
        let id = wait("the exchange", || {
            let all = consumer.json(&["exchange", "list"]);
            all["exchanges"][0]["id"].as_str().map(str::to_owned)
        });
        let inbox = consumer.dir().join("inbox").join(&id);
        wait("two chunks", || (held(&inbox) >= 2).then_some(()));
        consumer.kill9();
        begun.wait();
        wait("the provider's last chunk", || provider.json(&["exchange", "show", &id])["rows"].as_u64());
        assert!(inbox.exists(), "the consumer was too quick: it had everything before it was killed");
        Self { provider, consumer, id, wanted: sha256_of(text.as_bytes()) }
    }

    /// The only folder in the provider's spool.
    fn spool(&self) -> PathBuf {
        let mut folders =
            fs::read_dir(self.provider.dir().join("spool")).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|path| path.to_string_lossy().contains(&self.id)).unwrap()
    }

    /// What becomes of the exchange at the consumer.
    fn end(&self) -> Value {
        wait("the end", || {
            let exchange = self.consumer.json(&["exchange", "show", &self.id]);
            let over = ["completed", "failed", "interrupted", "refused"]
                .iter()
                .any(|stage| exchange["stage"] == *stage);
            over.then_some(exchange)
        })
    }

    fn received(&self) -> PathBuf {
        self.consumer.dir().join("received").join(&self.id)
    }

    /// Either the right rows, or no rows and a reason; in both cases sound ledgers and a provider that knows the end.
    fn right_or_told(&self, exchange: &Value) {
        if exchange["stage"] == "completed" {
            assert_eq!(sha256_of(&fs::read(self.received()).unwrap()), self.wanted);
        } else {
            let why = exchange["failure"].as_str().unwrap_or_default();
            assert!(why.len() > 20, "no reason: {exchange}");
            assert!(!self.received().exists(), "rows of a failed exchange are on the consumer's disk");
            println!("the exchange failed and said: {why}");
        }
        wait("the provider to learn of the end", || {
            let there = self.provider.json(&["exchange", "show", &self.id]);
            ["completed", "failed", "interrupted"].iter().any(|stage| there["stage"] == *stage).then_some(())
        });
        for node in [&self.provider, &self.consumer] {
            assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
        }
        // And a new exchange of the same dataset is not harmed.
        let again = get(&self.consumer, &format!("{PROVIDER}/lon"), "again.csv", &WORDS);
        assert_eq!(sha256_of(&again.bytes), self.wanted);
    }
}

#[test]
fn a_chunk_that_waits_at_the_provider() {
    let mut middle = Middle::reach();
    let last = chunks_in(&middle.spool()).pop().unwrap();
    middle.provider.stop();
    flip_byte(&last, 1_000);
    middle.provider.start();
    middle.consumer.start();
    let exchange = middle.end();
    middle.right_or_told(&exchange);
}

#[test]
fn the_manifest_at_the_provider() {
    let mut middle = Middle::reach();
    let manifest = middle.spool().join("manifest.json");
    let rows = fs::read_to_string(&manifest).unwrap().find("\"rows\":").unwrap();
    middle.provider.stop();
    flip_byte(&manifest, rows + 8);
    middle.provider.start();
    middle.consumer.start();
    let exchange = middle.end();
    middle.right_or_told(&exchange);
}

#[test]
fn a_chunk_in_the_consumers_inbox_is_fetched_again() {
    let mut middle = Middle::reach();
    // In the first chunk: it is held, and its place in the file is the first.
    flip_byte(&middle.consumer.dir().join("inbox").join(&middle.id).join("rows.part"), 1_000);
    middle.consumer.start();
    let exchange = middle.end();
    assert_eq!(exchange["stage"], "completed", "{exchange}");
    middle.right_or_told(&exchange);
}

#[test]
fn rows_that_are_made_again_after_a_restart_are_cut_as_before_whatever_the_line_is_then() {
    let mut middle = Middle::reach();
    // Chosen anew, the chunks would be of 256 KiB now, and those that the consumer holds would fit nothing.
    middle.provider.ok(&["line", "set", "--low-data", "on"]);
    let last = chunks_in(&middle.spool()).pop().unwrap();
    middle.provider.stop();
    fs::remove_file(&last).unwrap();
    middle.provider.start();
    middle.consumer.start();
    let exchange = middle.end();
    assert_eq!(exchange["stage"], "completed", "{exchange}");
    middle.right_or_told(&exchange);
}

/// Chunks that a consumer notes as held.
fn held(inbox: &Path) -> usize {
    fs::read_to_string(inbox.join("rows.held")).map_or(0, |record| record.lines().count())
}

/// The chunk files of a folder by number; none when there is no folder.
fn chunks_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "chunk")).collect();
    found.sort_by_key(number);
    found
}

fn sha256_of(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
