//! What most stories begin with: a dataset on offer, agencies that know each other, an exchange taken home.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Output, TestNode};

/// Adds a file as a dataset, checks it and offers it. `words` are further arguments of `dataset add`; it is shared by
/// default between agencies, of class 1 and without personal data, where they say nothing else.
#[track_caller]
pub fn publish(node: &TestNode, file: &Path, name: &str, words: &[&str]) {
    let path = file.to_string_lossy();
    let usual = [["--kind", "default"], ["--class", "1"], ["--personal", "none"]];
    let usual = usual.iter().filter(|[word, _]| !words.contains(word)).flatten().copied();
    let add: Vec<&str> = ["dataset", "add", &path, "--name", name]
        .into_iter()
        .chain(usual)
        .chain(words.iter().copied())
        .collect();
    node.ok(&add);
    node.ok(&["dataset", "validate", name]);
    node.ok(&["dataset", "publish", name]);
}

/// What an exchange left: what the command printed, and the file with the rows.
#[derive(Debug)]
pub struct Got {
    /// The command's JSON.
    pub told: Value,
    /// Where the rows were put.
    pub file: PathBuf,
    /// The rows.
    pub bytes: Vec<u8>,
}

impl Got {
    /// The rows as text.
    ///
    /// # Panics
    /// When they are no text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_else(|error| panic!("the rows are no UTF-8: {error}"))
    }

    /// A member of the command's JSON that is a text.
    #[track_caller]
    pub fn word(&self, key: &str) -> String {
        word(&self.told, key)
    }

    /// The receipts' files.
    #[track_caller]
    pub fn receipts(&self) -> Vec<PathBuf> {
        receipts(&self.told)
    }
}

/// A member that must be a text.
#[track_caller]
pub fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}")).to_owned()
}

/// The receipts that an exchange's JSON names.
#[track_caller]
pub fn receipts(told: &Value) -> Vec<PathBuf> {
    let files = told["receipt_files"].as_array().unwrap_or_else(|| panic!("no receipt files in {told}"));
    files.iter().filter_map(Value::as_str).map(PathBuf::from).collect()
}

/// What `receipt verify --json` proved: all but the digest of the registry that the keys were copied from, which is
/// for people to compare. A receipt altered there alone proves the same as before.
#[must_use]
pub fn proved(judged: &Value) -> Value {
    let mut proved = judged.clone();
    if let Some(keys) = proved["keys"].as_object_mut() {
        keys.remove("registry_sha256");
    }
    proved
}

/// `tram exchange get WHAT … --out FILE --json`, whatever comes of it. `what` is `PARTICIPANT/DATASET`, the file is on the
/// consumer's desk.
#[track_caller]
pub fn ask(consumer: &TestNode, what: &str, file: &str, words: &[&str]) -> Output {
    let out = consumer.desk().join(file);
    let out = out.to_string_lossy();
    consumer.cmd(&[&["exchange", "get", what, "--out", &out, "--json"], words].concat())
}

/// The same, which must be permitted and complete.
#[track_caller]
pub fn get(consumer: &TestNode, what: &str, file: &str, words: &[&str]) -> Got {
    let told = ask(consumer, what, file, words).expect_code(0).json();
    let file = consumer.desk().join(file);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("`{}`: {error}\n{told}", file.display()));
    Got { told, file, bytes }
}

/// Longest wait of a test for something that nodes do by themselves; the monitor takes up what stands still every 15 s.
const WAIT_TIMEOUT: Duration = Duration::from_secs(180);
/// How often it looks.
const WAIT_POLL: Duration = Duration::from_millis(20);

/// Looks until there is something to see.
///
/// # Panics
/// When it does not come.
#[track_caller]
pub fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(WAIT_POLL);
    }
}

/// Something that tests of one program share while at least one of them uses it. Unlike a static it is dropped, so that no
/// node outlives the tests.
#[derive(Debug)]
pub struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// What the others use, or what `make` makes. If making panics, the next caller tries again.
    pub fn get(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut held = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(shared) = held.upgrade() {
            return shared;
        }
        let made = Arc::new(make());
        *held = Arc::downgrade(&made);
        made
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_lives_as_long_as_somebody_uses_it() {
        let shared = Shared::new();
        let first = shared.get(|| 1);
        assert_eq!(*shared.get(|| 2), 1);
        drop(first);
        assert_eq!(*shared.get(|| 3), 3);
    }
}
