//! The stage of the bad-line tests: two nodes, the line, what was begun, and what the consumer was seen to hold.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::Digest as _;
use tests::line::{Line, Quality};
use tests::scene::publish;
use tests::{Running, TestNode, pair, run, skip};

const PROVIDER: &str = "urn:agency:vn:kho";
const CONSUMER: &str = "urn:agency:vn:phuong";
/// For setting the stage.
const GOOD: Quality =
    Quality { delay: Duration::from_millis(1), loss_per_mille: 0, bits_per_second: 200_000_000 };
/// How long everything may take to end once the cuts are over.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(420);
/// Each makes an agreement of its own; the shipped rules permit all to agencies of the state.
const PURPOSES: [&str; 6] = [
    "environment-monitoring",
    "admin-procedure",
    "health-monitoring",
    "planning",
    "public-safety",
    "social-benefit",
];

pub struct Scene {
    // Before the line: nodes end first.
    pub provider: TestNode,
    pub consumer: TestNode,
    running: Vec<Running>,
    begun: Vec<&'static str>,
    promised: BTreeSet<String>,
    /// SHA-256 of the rows by dataset, as a good line brings them.
    wanted: BTreeMap<&'static str, String>,
    /// Chunks that lay in the consumer's inbox, with the length of the provider's log when they were seen there.
    held: BTreeMap<(String, u64), usize>,
    pub line: Line,
}

impl Scene {
    /// Both nodes, paired, with these datasets of so many rows; `None` (and said so) where no line can be laid.
    pub fn set(datasets: &[(&'static str, usize)]) -> Option<Self> {
        let line =
            Line::lay(GOOD, 1).map_err(|why| skip(&format!("no line can be laid here: {why}"))).ok()?;
        let mut provider = TestNode::init_at(PROVIDER, "Kho dữ liệu", line.end(0));
        let mut consumer = TestNode::init_at(CONSUMER, "Phường thử", line.end(1));
        provider.log_as("info,tram::peer::data=debug");
        provider.start();
        consumer.start();
        pair(&provider, &consumer);
        let mut scene = Self {
            provider,
            consumer,
            running: Vec::new(),
            begun: Vec::new(),
            promised: BTreeSet::new(),
            wanted: BTreeMap::new(),
            held: BTreeMap::new(),
            line,
        };
        for (name, rows) in datasets {
            let file = scene.provider.desk().join(format!("{name}.csv"));
            write_rows(&file, *rows);
            publish(&scene.provider, &file, name, &[]);
            let got = tests::scene::get(
                &scene.consumer,
                &format!("{PROVIDER}/{name}"),
                "undisturbed",
                &["--purpose", "tax-collection", "--basis", "law"],
            );
            scene.wanted.insert(name, got.word("sha256"));
        }
        Some(scene)
    }

    /// Asks for a dataset, and leaves it to the node.
    pub fn begin(&mut self, name: &'static str) {
        let purpose = PURPOSES[self.begun.len() % PURPOSES.len()];
        let what = format!("{PROVIDER}/{name}");
        let words = ["exchange", "get", &what, "--purpose", purpose, "--basis", "law", "--queue", "--json"];
        let mut command = self.consumer.spawn(&words);
        // The wish is durable when it is listed; a kill after this must not lose it.
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.exchanges(&self.consumer).len() <= self.wanted.len() + self.begun.len() {
            assert!(!command.ended(), "`exchange get` ended before its exchange was there");
            assert!(Instant::now() < deadline, "the exchange is not listed");
            thread::sleep(Duration::from_millis(100));
        }
        self.running.push(command);
        self.begun.push(name);
        self.promised.extend(self.exchanges(&self.consumer).into_keys());
    }

    pub fn cut(&mut self, time: Duration) {
        self.look();
        self.line.cut();
        thread::sleep(time);
        self.line.mend();
    }

    pub fn kill_provider(&mut self) {
        self.look();
        self.provider.kill9();
        self.provider.start();
    }

    pub fn kill_consumer(&mut self) {
        self.consumer.kill9();
        self.look();
        self.consumer.start();
    }

    /// Notes which chunks lie in the consumer's inboxes.
    fn look(&mut self) {
        let mut seen = Vec::new();
        for folder in std::fs::read_dir(self.consumer.dir().join("inbox")).into_iter().flatten().flatten() {
            let exchange = folder.file_name().to_string_lossy().into_owned();
            // The record of the rows: a line for each chunk that is held, its number first.
            let record = std::fs::read_to_string(folder.path().join("rows.held")).unwrap_or_default();
            for line in record.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                if let Some(number) = line.split(' ').next().and_then(|n| n.parse().ok()) {
                    seen.push((exchange.clone(), number));
                }
            }
        }
        // Taken after the look: a request that was answered before stands in the log already.
        let until = self.provider.log().len();
        for chunk in seen {
            self.held.entry(chunk).or_insert(until);
        }
    }

    pub fn chunks_seen(&self) -> usize {
        self.held.len()
    }

    fn exchanges(&self, node: &TestNode) -> BTreeMap<String, Value> {
        let listed = node.json(&["exchange", "list"]);
        let all = listed["exchanges"].as_array().unwrap().clone();
        all.into_iter().map(|e| (e["id"].as_str().unwrap().to_owned(), e)).collect()
    }

    /// Waits for the end of everything, and holds it against what must be.
    pub fn all_is_well(&mut self) {
        self.settle();
        let at_consumer = self.exchanges(&self.consumer);
        assert_eq!(at_consumer.len(), self.wanted.len() + self.begun.len());
        for id in &self.promised {
            let exchange = &at_consumer[id];
            assert_eq!(exchange["stage"], "completed", "{exchange:#}");
            let wanted = &self.wanted[exchange["dataset"].as_str().unwrap()];
            assert_eq!(exchange["sha256"].as_str(), Some(wanted.as_str()), "{exchange:#}");
            let received = std::fs::read(self.consumer.dir().join("received").join(id)).unwrap();
            let digest: String = sha2::Sha256::digest(received).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(&digest, wanted, "the rows of {id} on disk");
        }
        self.nothing_held_was_asked_for_again();
        self.ledgers_agree();
    }

    fn settle(&mut self) {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            self.look();
            let open: Vec<Value> = [&self.consumer, &self.provider]
                .into_iter()
                .flat_map(|node| self.exchanges(node).into_values())
                .filter(|exchange| exchange["stage"] != "completed")
                .collect();
            if open.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "these do not end: {open:#?}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    fn nothing_held_was_asked_for_again(&self) {
        let log = self.provider.log();
        let (mut at, mut served, mut resumed) = (0, 0, 0);
        for line in log.split_inclusive('\n') {
            let begins = at;
            at += line.len();
            if !line.contains("chunk served") {
                continue;
            }
            served += 1;
            resumed += u64::from(line.contains("bytes="));
            let word = |key: &str| {
                let rest =
                    line.split_once(&format!("{key}=")).unwrap_or_else(|| panic!("no {key}: {line}")).1;
                rest.split_whitespace().next().unwrap().trim_matches('"').to_owned()
            };
            let chunk = (word("exchange"), word("chunk").parse::<u64>().unwrap());
            let seen = self.held.get(&chunk);
            assert!(seen.is_none_or(|seen| begins < *seen), "asked for again though it was held: {line}");
        }
        assert!(served > 0, "the provider's log tells of no chunk");
        println!(
            "{served} answers with chunks, {resumed} of them the rest of one; line: {:?}",
            self.line.count()
        );
    }

    fn ledgers_agree(&mut self) {
        for node in [&self.provider, &self.consumer] {
            let checked = node.json(&["ledger", "verify"]);
            assert_eq!(checked["ok"], true, "{checked}");
        }
        let (at_provider, at_consumer) = (entries(&self.provider), entries(&self.consumer));
        for id in &self.promised {
            for kind in ["tram/exchange@v1", "tram/ack@v1"] {
                let key = (id.clone(), kind.to_owned());
                let (here, there) = (&at_consumer[&key], &at_provider[&key]);
                assert_eq!((here.len(), here), (1, there), "{kind} of {id}");
            }
        }
        self.provider.stop();
        self.consumer.stop();
        let folders = [self.provider.dir(), self.consumer.dir()];
        let [a, b] = folders.each_ref().map(|folder| folder.to_str().unwrap());
        run(&["ledger", "reconcile", a, b, "--reader", "Thanh tra"]).expect_code(0);
    }
}

/// Leaf hashes by exchange and kind.
fn entries(node: &TestNode) -> BTreeMap<(String, String), Vec<String>> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = node.json(&["ledger", "list", "--from", &from.to_string(), "--limit", "200"]);
        for entry in page["entries"].as_array().unwrap() {
            let said = &entry["statement"];
            let word = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
            found.entry((word("exchange"), word("kind"))).or_default().push(word("leaf"));
        }
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => return found,
        }
    }
}

fn write_rows(path: &std::path::Path, rows: usize) {
    let mut text = String::from("id,phuong,ngay,gia_tri,ghi_chu\n");
    for i in 0..rows {
        text.push_str(&format!(
            "{i},phuong-{},2026-01-{:02},{},trạm số {}\n",
            i % 97,
            1 + i % 28,
            (i * 7_919) % 1_000,
            (i * 31_337) % 1_000_003
        ));
    }
    std::fs::write(path, text).unwrap();
}
