//! `kill -9` of either node at random moments of negotiation and transfer.
//!
//! What must hold afterwards: what was reported as completed stays so, with its rows and receipts; what was promised to
//! a person (an exchange id) is known; every exchange ends, and one that did not complete says why; both ledgers verify;
//! nothing is in a ledger twice; the same statement stands in both; no intent stays without an outcome.
//!
//! The moments are drawn from a seed, which is printed: `TRAM_CRASH_SEED=N` draws the same ones again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod chaos;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chaos::Dice;
use serde_json::Value;
use sha2::Digest;
use tests::scene::publish;
use tests::{Running, TestNode, pair, run};

const PROVIDER: &str = "urn:agency:vn:kho";
const CONSUMER: &str = "urn:agency:vn:phuong";
/// Kills in all.
const KILLS: usize = 44;
/// Kills in one round, with one more exchange each round.
const KILLS_A_ROUND: usize = 2;
/// A transfer of the large file takes about three seconds in a debug build: kills fall inside it.
const LARGE_ROWS: usize = 400_000;
const SMALL_ROWS: usize = 300;
/// Longest moment before a kill.
const MOMENT_MAX_MS: u64 = 2_600;
/// How long the survivors may take to end everything: the monitor takes up what stands still every 15 s, and the pauses
/// between tries grow.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(240);
/// Each of these makes an agreement of its own; the shipped rules permit all to agencies of the state.
const PURPOSES: [&str; 8] = [
    "environment-monitoring",
    "admin-procedure",
    "health-monitoring",
    "planning",
    "public-safety",
    "social-benefit",
    "tax-collection",
    "traffic-management",
];

#[test]
fn nothing_is_lost_or_doubled_when_nodes_are_killed() {
    let mut dice = Dice::from_env("TRAM_CRASH_SEED");
    let mut stage = Stage::set();
    let mut kills = [0, 0];
    while kills[0] + kills[1] < KILLS {
        stage.begin(&mut dice);
        for _ in 0..KILLS_A_ROUND {
            thread::sleep(Duration::from_millis(dice.below(MOMENT_MAX_MS)));
            let which = dice.below(2) as usize;
            kills[which] += 1;
            stage.kill(which, &mut dice);
        }
        stage.nothing_reported_is_lost();
    }
    println!("killed the provider {} and the consumer {} times", kills[0], kills[1]);
    stage.settle();
    stage.nothing_reported_is_lost();
    stage.every_end_is_told();
    stage.ledgers_agree();
    // Once more from disk alone, after an orderly stop.
    stage.provider.restart();
    stage.consumer.restart();
    stage.nothing_reported_is_lost();
    stage.completed_ones_prove_themselves();
}

/// Two nodes, what was asked, and what a person was told so far.
struct Stage {
    provider: TestNode,
    consumer: TestNode,
    running: Vec<Running>,
    promised: BTreeSet<String>,
    completed: BTreeMap<String, Value>,
    begun: usize,
    /// SHA-256 of the rows by dataset.
    wanted: BTreeMap<&'static str, String>,
}

impl Stage {
    fn set() -> Self {
        let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
        let consumer = TestNode::up(CONSUMER, "Phường thử");
        pair(&provider, &consumer);
        for (name, rows) in [("lon", LARGE_ROWS), ("nho", SMALL_ROWS)] {
            let file = provider.desk().join(format!("{name}.csv"));
            write_rows(&file, rows);
            publish(&provider, &file, name, &[]);
        }
        let mut stage = Self {
            provider,
            consumer,
            running: Vec::new(),
            promised: BTreeSet::new(),
            completed: BTreeMap::new(),
            begun: 0,
            wanted: BTreeMap::new(),
        };
        for name in ["lon", "nho"] {
            stage.wanted.insert(name, stage.undisturbed(name));
        }
        stage
    }

    /// What arrives when nobody is killed: its digest is the measure for all later ones.
    fn undisturbed(&self, name: &str) -> String {
        let what = format!("{PROVIDER}/{name}");
        let out = self.consumer.desk().join("undisturbed");
        let file = out.to_string_lossy();
        self.consumer.ok(&[
            "exchange",
            "get",
            &what,
            "--purpose",
            "administration",
            "--basis",
            "law",
            "--out",
            &file,
        ]);
        sha256_of(&out)
    }

    fn begin(&mut self, dice: &mut Dice) {
        // Three of four are large; a purpose that was used before goes by its standing agreement.
        let name = if dice.below(4) == 0 { "nho" } else { "lon" };
        let purpose = PURPOSES[dice.below(PURPOSES.len() as u64) as usize];
        let what = format!("{PROVIDER}/{name}");
        let running = self.consumer.spawn(&[
            "exchange",
            "get",
            &what,
            "--purpose",
            purpose,
            "--basis",
            "law",
            "--queue",
            "--json",
        ]);
        self.running.push(running);
        self.begun += 1;
    }

    fn kill(&mut self, which: usize, dice: &mut Dice) {
        let node = if which == 0 { &mut self.provider } else { &mut self.consumer };
        node.kill9();
        thread::sleep(Duration::from_millis(dice.below(400)));
        node.start();
        self.collect_promises();
    }

    /// Ids that a finished command printed: a person relies on them.
    fn collect_promises(&mut self) {
        for mut command in std::mem::take(&mut self.running) {
            if !command.ended() {
                self.running.push(command);
                continue;
            }
            let output = command.wait();
            let id = output.stderr.lines().find_map(|line| line.strip_prefix("exchange ")?.split(':').next());
            self.promised.extend(id.map(str::to_owned));
        }
    }

    fn exchanges(&self, node: &TestNode) -> BTreeMap<String, Value> {
        let listed = node.json(&["exchange", "list"]);
        let all = listed["exchanges"].as_array().unwrap().clone();
        all.into_iter().map(|e| (e["id"].as_str().unwrap().to_owned(), e)).collect()
    }

    fn nothing_reported_is_lost(&mut self) {
        self.collect_promises();
        let now = self.exchanges(&self.consumer);
        for id in &self.promised {
            assert!(now.contains_key(id), "exchange {id} was begun before a person's eyes and is gone");
        }
        for (id, before) in &self.completed {
            let after = now.get(id).unwrap_or_else(|| panic!("completed exchange {id} is gone"));
            for key in ["stage", "rows", "bytes", "sha256", "agreement", "entries", "receipts"] {
                assert_eq!(after[key], before[key], "`{key}` of completed exchange {id} changed");
            }
        }
        for (id, exchange) in now {
            if exchange["stage"] == "completed" {
                self.completed.insert(id, exchange);
            }
        }
    }

    /// Leaves both alone until everything has ended.
    fn settle(&mut self) {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            let open: Vec<_> = [&self.consumer, &self.provider]
                .into_iter()
                .flat_map(|node| self.exchanges(node).into_values())
                .filter(|exchange| !is_final(exchange))
                .collect();
            if open.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "these do not end: {open:#?}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    fn every_end_is_told(&self) {
        let ended = self.exchanges(&self.consumer);
        let complete = ended.values().filter(|e| e["stage"] == "completed").count();
        for (id, exchange) in &ended {
            let told = exchange["failure"].as_str().is_some_and(|why| why.len() > 10);
            assert!(exchange["stage"] == "completed" || told, "{id} ended without a reason: {exchange}");
        }
        println!("{} exchanges were begun, {} are known, {complete} completed", self.begun, ended.len());
        // Everything was asked with --queue and is permitted, so only a crash can stop one: most must arrive.
        assert!(complete * 10 >= ended.len() * 9, "only {complete} of {} completed: {ended:#?}", ended.len());
    }

    fn ledgers_agree(&self) {
        for node in [&self.provider, &self.consumer] {
            let checked = node.json(&["ledger", "verify"]);
            assert_eq!(checked["ok"], true, "{checked}");
        }
        let (at_provider, at_consumer) = (entries(&self.provider), entries(&self.consumer));
        once_each(&at_provider);
        once_each(&at_consumer);
        for (id, exchange) in self.exchanges(&self.consumer) {
            if exchange["stage"] != "completed" {
                continue;
            }
            for kind in ["tram/exchange@v1", "tram/ack@v1"] {
                let key = (id.clone(), kind.to_owned());
                let (here, there) = (at_consumer.get(&key), at_provider.get(&key));
                assert!(here.is_some() && there.is_some(), "{kind} of {id} is missing: {here:?} {there:?}");
                assert_eq!(here.unwrap(), there.unwrap(), "{kind} of {id} is not the same in both ledgers");
            }
        }
        for (id, kind) in at_provider.keys().filter(|(_, kind)| kind == "tram/intent@v1") {
            let closed = ["tram/exchange@v1", "tram/interrupted@v1"]
                .iter()
                .any(|outcome| at_provider.contains_key(&(id.clone(), (*outcome).to_owned())));
            assert!(closed, "the {kind} of {id} has no outcome");
        }
    }

    fn completed_ones_prove_themselves(&self) {
        for (id, exchange) in &self.completed {
            let wanted = &self.wanted[exchange["dataset"].as_str().unwrap()];
            assert_eq!(exchange["sha256"].as_str(), Some(wanted.as_str()), "{id}");
            let received = self.consumer.dir().join("received").join(id);
            assert_eq!(&sha256_of(&received), wanted, "the rows of {id} on disk");
            let mut receipts = 0;
            for node in [&self.provider, &self.consumer] {
                for entry in std::fs::read_dir(node.dir().join("receipts")).unwrap() {
                    let path = entry.unwrap().path();
                    if path.to_string_lossy().contains(id.as_str()) {
                        run(&["receipt", "verify", &path.to_string_lossy()]).expect_code(0);
                        receipts += 1;
                    }
                }
            }
            assert_eq!(receipts, 4, "each side keeps both receipts of {id}");
        }
    }
}

fn is_final(exchange: &Value) -> bool {
    ["completed", "refused", "unreachable", "failed", "interrupted"]
        .iter()
        .any(|stage| exchange["stage"] == *stage)
}

/// Leaf hashes by exchange and kind, in order.
type Entries = BTreeMap<(String, String), Vec<String>>;

fn entries(node: &TestNode) -> Entries {
    let mut found = Entries::new();
    let mut from = 0;
    loop {
        let page = node.json(&["ledger", "list", "--from", &from.to_string(), "--limit", "200"]);
        for entry in page["entries"].as_array().unwrap() {
            let said = &entry["statement"];
            let word =
                |key: &str| said[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {entry}")).to_owned();
            found.entry((word("exchange"), word("kind"))).or_default().push(word("leaf"));
        }
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => return found,
        }
    }
}

fn once_each(entries: &Entries) {
    // A question is decided for the agreement and for the transfer, and anew by a node that was killed before the deed.
    for ((id, kind), leaves) in entries.iter().filter(|((_, kind), _)| kind != "tram/decision@v1") {
        assert_eq!(leaves.len(), 1, "{kind} of {id} stands {} times in one ledger", leaves.len());
    }
}

fn write_rows(path: &Path, rows: usize) {
    let mut text = String::from("id,phuong,ngay,gia_tri,ghi_chu\n");
    for i in 0..rows {
        text.push_str(&format!(
            "{i},phuong-{},2026-01-{:02},{},trạm quan trắc số {} của thành phố\n",
            i % 97,
            1 + i % 28,
            (i * 7_919) % 1_000,
            (i * 31_337) % 1_000_003
        ));
    }
    std::fs::write(path, text).unwrap();
}

fn sha256_of(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
