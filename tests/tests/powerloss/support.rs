//! A writer that keeps a ledger and a store side by side, as a node does, and a judge who knows what was acknowledged.
//!
//! Each step appends an entry, then commits a record that says where the entry stands, then prints `A thread number`.
//! So the judge expects of every acknowledged step both, and of every record whatever that its entry is there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certs::note::{KeyName, Signer};
use ed25519_dalek::SigningKey;
use ledger::merkle::{Edge, leaf_hash};
use ledger::verify::verify_dir;
use ledger::{LedgerError, Log, LogOptions};
use store::{OpenOptions, Space, Store, StoreError, Tx};

pub const THREADS: usize = 4;
/// The last acknowledged step of each thread; `None`: none yet.
pub type Acknowledged = [Option<u64>; THREADS];

/// A stream of numbers (Vigna's splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn log_signer() -> Signer {
    let name = KeyName::new("ledger.example/agency-a/exchange-log").unwrap();
    Signer::new(name, SigningKey::from_bytes(&[7; 32]))
}

fn open_log(dir: &Path) -> Result<Log, LedgerError> {
    let options = LogOptions {
        checkpoint_interval: Duration::from_millis(3),
        segment_bytes: 10_000,
        ..LogOptions::new(dir.join("guard"))
    };
    Log::open(&dir.join("ledger"), log_signer(), Arc::new(|| 0), options)
}

fn open_store(dir: &Path) -> Result<Store, StoreError> {
    let options = OpenOptions { free_open_min_bytes: 0, free_write_min_bytes: 0, ..OpenOptions::default() };
    Store::open(&dir.join("store"), options)
}

fn key(thread: usize, number: u64) -> String {
    format!("{thread}/{number}")
}

/// Entries from a few bytes to several blocks.
fn entry(thread: usize, number: u64) -> String {
    let length =
        Numbers(((thread as u64) << 32) ^ number).below(if number.is_multiple_of(20) { 20_000 } else { 300 });
    format!("{thread} {number} {}", "x".repeat(usize::try_from(length).unwrap()))
}

/// The writer: `sessions` times open, write and close; each thread stops after `steps` steps in all.
pub fn write(dir: &Path, sessions: u64, steps: u64) {
    println!();
    for session in 0..sessions {
        let (log, store) = (open_log(dir).unwrap(), open_store(dir).unwrap());
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (log, store) = (&log, &store);
                let numbers = steps * session / sessions..steps * (session + 1) / sessions;
                scope.spawn(move || numbers.for_each(|number| step(log, store, thread, number)));
            }
        });
        log.close();
        store.close();
    }
    println!("DONE");
}

fn step(log: &Log, store: &Store, thread: usize, number: u64) {
    let committed = log.append_blocking(entry(thread, number)).unwrap();
    let place = format!("{} {}", committed.index, committed.leaf_hash);
    store.commit_blocking(Tx::new().put(Space::Exchange, key(thread, number), place)).unwrap();
    println!("A {thread} {number}");
}

/// Notes what a line of the writer acknowledges.
pub fn note(line: &str, acknowledged: &mut Acknowledged) {
    let words: Vec<&str> = line.split(' ').collect();
    if let ["A", thread, number] = words[..] {
        acknowledged[thread.parse::<usize>().unwrap()] = Some(number.parse().unwrap());
    }
}

/// Holds both against what was acknowledged and against each other; the error says what is wrong with each.
pub fn judge(dir: &Path, acknowledged: &Acknowledged) -> Result<(), String> {
    let (leaves, places) = match (judge_ledger(dir), judge_store(dir, acknowledged)) {
        (Ok(leaves), Ok(places)) => (leaves, places),
        (ledger, store) => {
            let wrong = [("ledger", ledger.err()), ("store", store.err())];
            let wrong = wrong.into_iter().filter_map(|(which, why)| Some(format!("{which}: {}", why?)));
            return Err(wrong.collect::<Vec<_>>().join("; "));
        }
    };
    // Every record, acknowledged or not, tells of an entry that is there.
    for (index, leaf) in places {
        match leaves.get(index) {
            Some(found) if *found == leaf => {}
            other => return Err(format!("ledger: lost entry {index} that the store tells of: {other:?}")),
        }
    }
    Ok(())
}

/// Opens the ledger, as the next start would, and gives back its leaf hashes.
fn judge_ledger(dir: &Path) -> Result<Vec<String>, String> {
    let said = |error: LedgerError| error.to_string();
    let log = open_log(dir).map_err(said)?;
    let (mut edge, mut leaves) = (Edge::new(), Vec::new());
    for index in 0..log.size() {
        let leaf = leaf_hash(&log.entry(index).map_err(said)?);
        edge.push(leaf, |_, _| {});
        leaves.push(leaf.to_string());
    }
    if log.checkpoint().map_err(said)?.checkpoint().root != edge.root() {
        return Err("the root is not that of its entries".to_owned());
    }
    drop(log);
    let report = verify_dir(&dir.join("ledger"), &log_signer().vkey()).map_err(said)?;
    report.finding.map_or(Ok(leaves), |finding| Err(finding.to_string()))
}

/// Opens the store; every acknowledged step has its record. Gives back where all records say that entries stand.
fn judge_store(dir: &Path, acknowledged: &Acknowledged) -> Result<Vec<(usize, String)>, String> {
    let said = |error: StoreError| error.to_string();
    let store = open_store(dir).map_err(said)?;
    for (thread, last) in acknowledged.iter().enumerate() {
        for number in (0..).take_while(|number| last.is_some_and(|last| *number <= last)) {
            if store.get(Space::Exchange, key(thread, number)).map_err(said)?.is_none() {
                return Err(format!("lost {}", key(thread, number)));
            }
        }
    }
    let report = store.verify().map_err(said)?;
    if !report.is_sound() {
        return Err(format!("{report:?}"));
    }
    let (mut places, mut from) = (Vec::new(), Some(Vec::new()));
    while let Some(begin) = from {
        let page = store.scan(Space::Exchange, begin, None, 1000).map_err(said)?;
        for record in page.records {
            let place = String::from_utf8(record.value.to_vec()).unwrap();
            let (index, leaf) = place.split_once(' ').unwrap();
            places.push((index.parse().unwrap(), leaf.to_owned()));
        }
        from = page.next.map(|next| next.to_vec());
    }
    Ok(places)
}

/// This very test binary, set to run only its test `child` in the given role.
pub fn child_process(role: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TRAM_POWER_CHILD", role)
        .env("TRAM_POWER_DIR", dir)
        .stdin(Stdio::null());
    command
}

/// The body of the test `child`: does nothing unless it was started by [`child_process`].
pub fn run_child() {
    let Ok(role) = std::env::var("TRAM_POWER_CHILD") else { return };
    let dir = std::path::PathBuf::from(std::env::var_os("TRAM_POWER_DIR").unwrap());
    let number = |name: &str| std::env::var(name).unwrap().parse().unwrap();
    if role == "write" {
        return write(&dir, number("TRAM_POWER_SESSIONS"), number("TRAM_POWER_STEPS"));
    }
    let mut acknowledged = Acknowledged::default();
    let words = std::env::var("TRAM_POWER_ACKNOWLEDGED").unwrap();
    for (slot, word) in acknowledged.iter_mut().zip(words.split(' ')) {
        *slot = word.parse().ok();
    }
    match judge(&dir, &acknowledged) {
        Ok(()) => println!("\nJUDGED sound"),
        Err(what) => println!("\nJUDGED {}", what.replace('\n', " ")),
    }
}
