//! A writer whose every step can be recomputed, and a judge who knows which of its steps were acknowledged.
//!
//! The writer runs in a process of its own: the test's own binary, started again with `TRAM_STORE_CHILD` set. Four threads
//! commit one transaction after the other, each writing the same value under the same key in two spaces, and print
//! `A thread step` once a commit has returned. The judge opens what is left on the disk: every acknowledged step
//! must be there, the one step under way may be, both spaces must agree, and the store must verify as sound.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use store::{OpenOptions, Space, Store, StoreError, Tx};

pub const THREADS: u64 = 4;
const KEYS_PER_THREAD: u64 = 40;
const SPACES: [Space; 2] = [Space::Exchange, Space::Outbox];

/// The last acknowledged step of each thread in one run of the writer; `None`: none yet.
pub type Acknowledged = [Option<u64>; THREADS as usize];

/// A deterministic stream of numbers (Vigna's splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
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

/// A number that differs from run to run; tests print it so that a failure can be repeated with `TRAM_SEED`.
pub fn seed() -> u64 {
    let given = std::env::var("TRAM_SEED").ok().and_then(|s| s.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("TRAM_SEED={seed}");
    seed
}

pub fn options() -> OpenOptions {
    OpenOptions { free_open_min_bytes: 0, free_write_min_bytes: 0, ..OpenOptions::default() }
}

/// What one step does: the key, and the value it leaves there; `None` deletes.
fn step(run: u64, thread: u64, number: u64) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut numbers = Numbers((run << 48) ^ (thread << 40) ^ number);
    let key = format!("{thread}/{}", numbers.below(KEYS_PER_THREAD)).into_bytes();
    let len = match numbers.below(200) {
        0 => 1 << 20,
        1..=2 => 200_000,
        3..=20 => 4_097 + numbers.below(20_000) as usize,
        21..=25 => 4_096,
        _ => 40 + numbers.below(600) as usize,
    };
    if numbers.below(8) == 0 {
        return (key, None);
    }
    let mut value = format!("{run} {thread} {number} ").into_bytes();
    while value.len() < len {
        value.extend_from_slice(&numbers.next().to_be_bytes());
    }
    value.truncate(len);
    (key, Some(value))
}

/// The writer: `sessions` times open, write and close; each thread stops after `steps` steps in all.
pub fn write(dir: &Path, run: u64, sessions: u64, steps: u64) {
    println!();
    for session in 0..sessions {
        let store = Store::open(dir, options()).expect("the writer opens the store");
        println!("READY");
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let store = &store;
                let numbers = steps * session / sessions..steps * (session + 1) / sessions;
                scope.spawn(move || numbers.for_each(|number| commit_step(store, run, thread, number)));
            }
        });
        store.close();
    }
    println!("DONE");
}

fn commit_step(store: &Store, run: u64, thread: u64, number: u64) {
    let (key, value) = step(run, thread, number);
    let tx = SPACES.into_iter().fold(Tx::new(), |tx, space| match &value {
        Some(value) => tx.put(space, key.clone(), value.clone()),
        None => tx.delete(space, key.clone()),
    });
    store.commit_blocking(tx).expect("the writer commits");
    println!("A {thread} {number}");
}

/// Notes what a line of the writer acknowledges.
pub fn note(line: &str, acknowledged: &mut Acknowledged) {
    let mut words = line.split(' ');
    if let (Some("A"), Some(thread), Some(number), None) =
        (words.next(), words.next(), words.next(), words.next())
    {
        let (thread, number) = (thread.parse::<usize>().unwrap(), number.parse::<u64>().unwrap());
        assert_eq!(
            acknowledged[thread],
            number.checked_sub(1),
            "a thread acknowledges one step after the other"
        );
        acknowledged[thread] = Some(number);
    }
}

/// What may be found under each key: the last acknowledged value, or what the step under way leaves.
fn allowed(runs: &[(u64, Acknowledged)]) -> BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>> {
    let mut allowed: BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>> = BTreeMap::new();
    for (run, acknowledged) in runs {
        for (thread, last) in (0..THREADS).zip(acknowledged) {
            let under_way = last.map_or(0, |last| last + 1);
            for number in 0..under_way {
                let (key, value) = step(*run, thread, number);
                allowed.insert(key, vec![value]);
            }
            let (key, value) = step(*run, thread, under_way);
            allowed.entry(key).or_insert_with(|| vec![None]).push(value);
        }
    }
    allowed
}

/// Opens the store and holds it against what was acknowledged; the error says what is wrong.
pub fn judge(dir: &Path, runs: &[(u64, Acknowledged)]) -> Result<(), String> {
    let store = Store::open(dir, options()).map_err(|e| format!("does not open: {e}"))?;
    let said = |e: StoreError| e.to_string();
    let report = store.verify().map_err(said)?;
    if !report.is_sound() {
        return Err(format!("not sound: {report:?}"));
    }
    let allowed = allowed(runs);
    for (key, values) in &allowed {
        let [first, second] = SPACES.map(|space| store.get(space, key));
        let (first, second) = (first.map_err(said)?, second.map_err(said)?);
        let name = String::from_utf8_lossy(key);
        if first != second {
            return Err(format!("half a transaction: {name} has {first:?} and {second:?}"));
        }
        if !values.contains(&first.as_ref().map(|v| v.value.to_vec())) {
            let wanted: Vec<_> = values.iter().map(|v| v.as_ref().map(Vec::len)).collect();
            return Err(format!("lost: {name} has {first:?}, acknowledged were lengths {wanted:?}"));
        }
    }
    for space in SPACES {
        for record in store.scan(space, "", None, 1000).map_err(said)?.records {
            if !allowed.contains_key(record.key.as_ref()) {
                return Err(format!("a key that nobody wrote: {record:?}"));
            }
        }
    }
    Ok(())
}

/// This very test binary, set to run only its test `child` in the given role.
pub fn child_process(role: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TRAM_STORE_CHILD", role)
        .env("TRAM_STORE_DIR", dir)
        .stdin(Stdio::null());
    command
}

/// The body of the test `child`: does nothing unless it was started by [`child_process`].
pub fn run_child() {
    let Ok(role) = std::env::var("TRAM_STORE_CHILD") else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let dir = PathBuf::from(std::env::var_os("TRAM_STORE_DIR").expect("the child is told where"));
    match role.as_str() {
        "write" => {
            write(&dir, number("TRAM_STORE_RUN"), number("TRAM_STORE_SESSIONS"), number("TRAM_STORE_STEPS"))
        }
        "judge" => {
            let lines =
                std::env::var("TRAM_STORE_ACKNOWLEDGED").expect("the child is told what was acknowledged");
            let mut acknowledged = Acknowledged::default();
            for (slot, word) in acknowledged.iter_mut().zip(lines.split(' ')) {
                *slot = word.parse().ok();
            }
            match judge(&dir, &[(number("TRAM_STORE_RUN"), acknowledged)]) {
                Ok(()) => println!("\nJUDGED sound"),
                Err(what) => println!("\nJUDGED {what}"),
            }
        }
        other => panic!("no role `{other}`"),
    }
    std::io::stdout().flush().unwrap();
}
