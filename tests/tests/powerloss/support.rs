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
use ledger::{Log, LogOptions};
use store::{OpenOptions, Space, Store, Tx};

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

fn open(dir: &Path) -> Result<(Log, Store), String> {
    let options = LogOptions {
        checkpoint_interval: Duration::from_millis(3),
        segment_bytes: 10_000,
        ..LogOptions::new(dir.join("guard"))
    };
    let log = Log::open(&dir.join("ledger"), log_signer(), Arc::new(|| 0), options);
    let log = log.map_err(|error| format!("ledger: {error}"))?;
    let options = OpenOptions { free_open_min_bytes: 0, free_write_min_bytes: 0, ..OpenOptions::default() };
    let store = Store::open(&dir.join("store"), options).map_err(|error| format!("store: {error}"))?;
    Ok((log, store))
}

fn key(thread: usize, number: u64) -> String {
    format!("{thread}/{number}")
}

/// Entries from a few bytes to several blocks.
fn entry(thread: usize, number: u64) -> String {
    let length = Numbers(((thread as u64) << 32) ^ number).below(if number % 20 == 0 { 20_000 } else { 300 });
    format!("{thread} {number} {}", "x".repeat(usize::try_from(length).unwrap()))
}

/// The writer: `sessions` times open, write and close; each thread stops after `steps` steps in all.
pub fn write(dir: &Path, sessions: u64, steps: u64) {
    println!();
    for session in 0..sessions {
        let (log, store) = open(dir).unwrap();
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

/// Opens both and holds them against what was acknowledged and against each other; the error says what is wrong.
pub fn judge(dir: &Path, acknowledged: &Acknowledged) -> Result<(), String> {
    let (log, store) = open(dir)?;
    let mut edge = Edge::new();
    for index in 0..log.size() {
        let entry = log.entry(index).map_err(|error| format!("ledger: {error}"))?;
        edge.push(leaf_hash(&entry), |_, _| {});
    }
    if log.checkpoint().unwrap().checkpoint().root != edge.root() {
        return Err("ledger: the root is not that of its entries".to_owned());
    }
    for (thread, last) in acknowledged.iter().enumerate() {
        for number in (0..).take_while(|number| last.is_some_and(|last| *number <= last)) {
            let record =
                store.get(Space::Exchange, key(thread, number)).map_err(|error| format!("store: {error}"))?;
            if record.is_none() {
                return Err(format!("store: lost {}", key(thread, number)));
            }
        }
    }
    // Every record, acknowledged or not, tells of an entry that is there.
    let page = store.scan(Space::Exchange, "", None, 100_000).map_err(|error| format!("store: {error}"))?;
    for record in page.records {
        let place = String::from_utf8(record.value.to_vec()).unwrap();
        let (index, leaf) = place.split_once(' ').unwrap();
        let entry = log.entry(index.parse().unwrap()).map_err(|error| format!("ledger: lost: {error}"))?;
        if leaf_hash(&entry).to_string() != leaf {
            return Err(format!("ledger: another entry at {index}"));
        }
    }
    drop(log);
    let report =
        verify_dir(&dir.join("ledger"), &log_signer().vkey()).map_err(|error| format!("ledger: {error}"))?;
    report.finding.map_or(Ok(()), |finding| Err(format!("ledger: {finding}")))?;
    let report = store.verify().map_err(|error| format!("store: {error}"))?;
    if report.is_sound() { Ok(()) } else { Err(format!("store: {report:?}")) }
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
