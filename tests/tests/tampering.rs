//! One bit turned over, in every kind of file that a node keeps or hands out. Each time somebody must notice, and say which
//! file it was; wrong data must never pass for right.
//!
//! The nodes are stopped first: this is what a disk, a careless administrator or an intruder does to files. Data that is
//! spoiled while two nodes are in the middle of a transfer is in `tampering_transfer.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::scene::{Got, get, proved, publish};
use tests::{Output, TestNode, flip_byte, pair, run};

const PROVIDER: &str = "urn:agency:vn:kho";
/// How long a node may take to find out that it must not start.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Two nodes that exchanged a dataset and stopped in order.
struct Remains {
    provider: TestNode,
    consumer: TestNode,
    got: Got,
}

fn remains() -> Remains {
    let mut provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    let mut consumer = TestNode::up("urn:agency:vn:phuong", "Phường thử");
    pair(&provider, &consumer);
    let file = provider.desk().join("tram-do.csv");
    fs::write(&file, "id,phuong,gia_tri\n1,Nghĩa Đô,12\n2,Tây Hồ,7\n3,Xuân Đỉnh,9\n").unwrap();
    publish(&provider, &file, "tram-do", &[]);
    let what = format!("{PROVIDER}/tram-do");
    let words = ["--purpose", "environment-monitoring", "--basis", "law"];
    let got = get(&consumer, &what, "rows.csv", &words);
    provider.stop();
    consumer.stop();
    Remains { provider, consumer, got }
}

/// Turns a bit, looks, and turns it back.
fn spoiled<T>(path: &Path, offset: usize, look: impl FnOnce() -> T) -> T {
    flip_byte(path, offset);
    let seen = look();
    flip_byte(path, offset);
    seen
}

/// Offsets over a whole file: the first, the last, and some between.
fn places(path: &Path, wanted: usize) -> Vec<usize> {
    let length = fs::metadata(path).unwrap().len() as usize;
    assert!(length > 0, "`{}` is empty: nothing to spoil", path.display());
    let step = (length / wanted).max(1);
    let mut places: Vec<usize> = (0..length).step_by(step).collect();
    places.push(length - 1);
    places
}

/// `tram serve`, which must refuse to start; what it said.
#[track_caller]
fn refuses_to_serve(node: &TestNode, why: &str) -> String {
    let mut serving = node.spawn(&["serve"]);
    let deadline = Instant::now() + REFUSAL_TIMEOUT;
    while !serving.ended() {
        if Instant::now() > deadline || node.dir().join("run/local.json").exists() {
            serving.kill();
            panic!("the node serves although {why}: {}", serving.wait().stderr);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = serving.wait();
    assert_ne!(output.code, 0, "{why}: {}", output.stderr);
    output.stderr
}

/// A file of a node is spoiled in `wanted` places; each time the node must refuse to serve and name the file.
fn serve_names(node: &TestNode, file: &str, wanted: usize) {
    let path = node.dir().join(file);
    let bytes = fs::read(&path).unwrap();
    // A line end that became another blank says the same.
    for offset in places(&path, wanted).into_iter().filter(|at| bytes[*at] != b'\n') {
        let why = format!("byte {offset} of `{file}` was changed");
        let said = spoiled(&path, offset, || refuses_to_serve(node, &why));
        let name = path.file_name().unwrap().to_string_lossy();
        let beside = file.ends_with("channel.key") && said.contains("channel.crt");
        assert!(beside || said.contains(&*name), "{why}, and the refusal does not name it: {said}");
    }
}

/// A file of the ledger is spoiled in `wanted` places; each time `ledger verify` must give 4 and name the file.
fn verify_names(node: &TestNode, file: &str, wanted: usize, index: bool) {
    let path = node.dir().join("ledger").join(file);
    for offset in places(&path, wanted) {
        let output = spoiled(&path, offset, || node.cmd(&["ledger", "verify", "--json"]));
        let told = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, 4, "byte {offset} of `{file}`: {told}");
        assert!(
            told.contains(&path.display().to_string()),
            "byte {offset} of `{file}`, which is not named: {told}"
        );
        if index {
            assert!(told.contains("at index"), "byte {offset} of `{file}`: no index is named: {told}");
        }
    }
}

#[test]
fn the_ledger_names_the_file_and_the_entry() {
    let Remains { provider, consumer, .. } = remains();
    for node in [&provider, &consumer] {
        verify_names(node, "entries.dat", 25, true);
        verify_names(node, "level0", 8, true);
        verify_names(node, "entries.idx", 6, false);
        verify_names(node, "checkpoint", 12, false);
        verify_names(node, "meta", 5, false);
        for record in files_in(&node.dir().join("ledger/wal")) {
            let name = format!("wal/{}", record.file_name().unwrap().to_string_lossy());
            verify_names(node, &name, 20, false);
        }
        // Every bit was turned back.
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
}

#[test]
fn a_node_does_not_start_on_a_spoiled_ledger() {
    let Remains { provider, .. } = remains();
    // What a start reads: it must be quick on a log of millions, so old entries are left to `ledger verify`.
    serve_names(&provider, "ledger/checkpoint", 6);
    serve_names(&provider, "ledger/meta", 3);
    for record in files_in(&provider.dir().join("ledger/wal")) {
        let name = format!("ledger/wal/{}", record.file_name().unwrap().to_string_lossy());
        serve_names(&provider, &name, 6);
    }
}

#[test]
fn a_node_does_not_start_on_spoiled_keys_or_a_spoiled_registry() {
    let Remains { mut provider, .. } = remains();
    serve_names(&provider, "registry.json", 12);
    serve_names(&provider, "descriptor.json", 8);
    for key in
        ["channel.key", "channel.crt", "signing.key", "ledger.key", "witness.key", "operator.key", "mask.key"]
    {
        serve_names(&provider, &format!("keys/{key}"), 4);
    }
    // And with everything as it was, it starts.
    provider.start();
}

#[test]
fn a_spoiled_store_is_refused_or_unharmed_but_never_believed() {
    let Remains { mut consumer, got, .. } = remains();
    let id = got.word("id");
    let before = consumer.json(&["exchange", "show", &id]);
    let path = consumer.dir().join("store/engine/db");
    let bytes = fs::read(&path).unwrap();
    // Every place where a record of this exchange lies, also old versions of it, and places all over the file.
    let mut offsets: Vec<usize> = bytes
        .windows(id.len())
        .enumerate()
        .filter(|(_, w)| *w == id.as_bytes())
        .map(|(at, _)| at + 3)
        .collect();
    assert!(!offsets.is_empty(), "the exchange is not found in the store's file");
    offsets.extend(places(&path, 30));
    let mut refused = 0;
    for offset in offsets {
        let copy = fs::read(&path).unwrap();
        flip_byte(&path, offset);
        let output = consumer.cmd(&["exchange", "show", &id, "--json"]);
        // Opening repairs and appends: put everything back as it was.
        fs::write(&path, copy).unwrap();
        if output.code == 0 {
            assert_eq!(
                output.json(),
                before,
                "byte {offset} of the store was changed, and the node believes it"
            );
        } else {
            assert!(output.stderr.contains("store"), "byte {offset}: not named: {}", output.stderr);
            refused += 1;
        }
    }
    assert!(refused > 0, "no change was noticed");
    consumer.start();
    assert_eq!(consumer.json(&["exchange", "show", &id]), before);
}

#[test]
fn a_receipt_is_valid_as_a_whole_or_not_at_all() {
    let Remains { consumer, got, .. } = remains();
    for file in got.receipts() {
        let verify = || run(&["receipt", "verify", &file.to_string_lossy(), "--json"]);
        let whole = proved(&verify().expect_code(0).json());
        for offset in places(&file, 400) {
            let output = spoiled(&file, offset, verify);
            if output.code == 0 && proved(&output.json()) == whole {
                continue;
            }
            assert_eq!(
                output.code,
                4,
                "byte {offset} of `{}` was changed: {}",
                file.display(),
                output.stdout
            );
            assert!(
                output.stderr.contains("is not valid"),
                "no verdict for byte {offset}: {}",
                output.stderr
            );
        }
        wrong_signatures_are_named(&file);
    }
    other_data_is_named(&consumer, &got);
}

/// The verdict for a signature is another one than for a damaged file.
fn wrong_signatures_are_named(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let signed: Vec<usize> = text.match_indices("\n\u{2014} ").map(|(at, line)| at + line.len()).collect();
    assert!(!signed.is_empty(), "a receipt ends with a signed checkpoint: {text}");
    for start in signed {
        let line = text[start..].lines().next().unwrap();
        // Beyond the key's hash, in the middle of the 64 bytes; another letter, so that the line stays base64.
        let offset = start + line.len() - 40;
        let mut forged = text.clone();
        let other = if &text[offset..=offset] == "A" { "B" } else { "A" };
        forged.replace_range(offset..=offset, other);
        fs::write(file, forged).unwrap();
        let output = run(&["receipt", "verify", &file.to_string_lossy()]).expect_code(4);
        let named = output.stderr.contains("wrong signature") || output.stderr.contains("checkpoint");
        assert!(named, "{}", output.stderr);
    }
    fs::write(file, text).unwrap();
}

fn other_data_is_named(consumer: &TestNode, got: &Got) {
    let receipt =
        got.receipts().into_iter().find(|path| path.to_string_lossy().contains("provider")).unwrap();
    let (receipt, rows) = (receipt.to_string_lossy().into_owned(), got.file.to_string_lossy().into_owned());
    let compare = || run(&["receipt", "verify", &receipt, "--data", &rows]);
    compare().expect_code(0);
    let output = spoiled(&got.file, 30, compare).expect_code(4);
    assert!(output.stderr.contains("other data") && output.stderr.contains("SHA-256"), "{}", output.stderr);
    // A registry that was spoiled is no anchor.
    let registry = consumer.dir().join("registry.json");
    let by_registry = || run(&["receipt", "verify", &receipt, "--registry", &registry.to_string_lossy()]);
    by_registry().expect_code(0);
    for offset in places(&registry, 12) {
        let output: Output = spoiled(&registry, offset, by_registry).expect_code(4);
        assert!(output.stderr.contains("registry"), "{}", output.stderr);
    }
}

#[test]
fn what_a_refused_command_leaves_is_told_in_json_too() {
    let Remains { provider, .. } = remains();
    let path = provider.dir().join("ledger/entries.dat");
    let told: Value = spoiled(&path, 40, || provider.cmd(&["ledger", "verify", "--json"])).json();
    assert_eq!(told["ok"], false);
    assert!(told["problem"].as_str().unwrap().contains("entries.dat"), "{told}");
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.into_iter().filter(|path| fs::metadata(path).unwrap().len() > 0).collect()
}
