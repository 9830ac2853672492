//! A time-stamping authority of our own (openssl behind HTTP) stamps a running node's ledger; its silence holds up nothing,
//! and a stamp that was altered, or is of an authority that nobody trusts, is refused by name.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

#[path = "../../node/ledger/tests/authority/mod.rs"]
#[allow(dead_code, reason = "the ledger's own tests make more mistakes with it than these")]
mod authority;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use authority::Authority;
use serde_json::Value;
use tests::{Rules, TestNode, flip_byte, run};

/// How long a stamp or its failure may take to show.
const PATIENCE: Duration = Duration::from_secs(60);

/// The authority behind HTTP; `silent` makes it answer 503.
struct Office {
    authority: Arc<Authority>,
    silent: Arc<AtomicBool>,
    port: u16,
}

impl Office {
    fn open() -> Self {
        let (authority, silent) = (Arc::new(Authority::new()), Arc::new(AtomicBool::new(false)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let office = Self { authority: authority.clone(), silent: silent.clone(), port };
        std::thread::spawn(move || {
            for line in listener.incoming() {
                // A client that hangs up is no reason to close the office.
                let _ = line.and_then(|line| answer(line, &authority, silent.load(Ordering::SeqCst)));
            }
        });
        office
    }
}

fn answer(line: TcpStream, authority: &Authority, silent: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(line.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head)? > 2 {
        if let Some(value) = head.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        head.clear();
    }
    let mut question = vec![0; length];
    reader.read_exact(&mut question)?;
    let mut line = line;
    if silent {
        return line.write_all(
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    }
    let told = authority.answer(&question);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        told.len()
    );
    line.write_all(&[head.as_bytes(), &told].concat())
}

/// A node whose ledger that authority stamps at most each second, believed by the roots in `roots`.
fn node(office: &Office, roots: &str) -> TestNode {
    let node = TestNode::init("urn:agency:vn:stamped", "Sở Tài nguyên");
    std::fs::write(node.dir().join("tsa.pem"), office.authority.read(roots)).unwrap();
    let config = node.dir().join("tram.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let section = format!(
        "\n[ledger.timestamps]\nauthority = \"http://127.0.0.1:{}/tsr\"\nroots = \"tsa.pem\"\nevery_seconds = 1\n",
        office.port
    );
    std::fs::write(&config, text + &section).unwrap();
    node
}

#[track_caller]
fn wait_for(node: &TestNode, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let status = node.json(&["status"]);
        let stamped = status["ledger"]["time_stamped"].clone();
        if fits(&stamped) {
            return stamped;
        }
        assert!(started.elapsed() < PATIENCE, "no {what}: {status}\n{}", node.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Something that the ledger records.
fn deed(node: &TestNode) {
    Rules::new().apply(node);
    // A stamp is asked for when there is news, and its own entry is none.
    Rules::new().apply(node);
}

fn stamps(node: &TestNode) -> Vec<PathBuf> {
    let folder = node.dir().join("ledger/timestamps");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "tsr")).collect()
}

#[test]
fn the_ledger_is_stamped_and_silence_holds_up_nothing() {
    let office = Office::open();
    let mut node = node(&office, "root.pem");
    node.start();
    deed(&node);
    let first = wait_for(&node, "stamp", |told| told["time"].is_string());
    assert_eq!(first["failing_since"], Value::Null, "{first}");

    let checked = node.json(&["ledger", "verify"]);
    assert_eq!(checked["time_stamps"][0]["size"], first["size"], "{checked}");
    let text = node.ok(&["ledger", "verify"]).stdout;
    assert!(text.contains("time-stamps hold"), "{text}");
    // Anybody's openssl agrees.
    for token in stamps(&node) {
        let note = token.with_extension("checkpoint");
        assert!(office.authority.accepts(&note, &token, "root"), "{}", token.display());
        assert!(!office.authority.accepts(&note, &token, "other"), "{}", token.display());
    }
    let entries = node.json(&["ledger", "list", "--limit", "256"])["entries"].clone();
    let anchored = entries.as_array().unwrap().iter().find(|e| e["statement"]["kind"] == "tram/anchor@v1");
    assert_eq!(anchored.unwrap()["statement"]["tree"]["size"], first["size"]);

    office.silent.store(true, Ordering::SeqCst);
    deed(&node);
    let failing = wait_for(&node, "failure", |told| told["failing_since"].is_string());
    assert!(failing["why"].as_str().unwrap().contains("503"), "{failing}");
    office.silent.store(false, Ordering::SeqCst);
    deed(&node);
    let later = wait_for(&node, "stamp after the silence", |told| told["failing_since"].is_null());
    assert!(later["size"].as_u64() > first["size"].as_u64(), "{later}");
    // What was stamped is known after a restart.
    node.stop();
    node.start();
    let again = wait_for(&node, "memory of the stamp", |told| told["time"].is_string());
    assert!(again["size"].as_u64() >= later["size"].as_u64(), "{again}");
}

#[test]
fn altered_stamps_and_foreign_authorities_are_refused_by_name() {
    let office = Office::open();
    let mut node = node(&office, "root.pem");
    node.start();
    deed(&node);
    wait_for(&node, "stamp", |told| told["time"].is_string());
    node.stop();
    let token = stamps(&node).remove(0);
    for file in [token.clone(), token.with_extension("checkpoint")] {
        let middle = std::fs::metadata(&file).unwrap().len() as usize / 2;
        flip_byte(&file, middle);
        let told = node.cmd(&["ledger", "verify"]).expect_code(4).stdout;
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(told.contains(&*name), "{name}: {told}");
        flip_byte(&file, middle);
    }
    node.cmd(&["ledger", "verify"]).expect_code(0);
    // The auditor's own roots count, and not those of the node that he audits.
    let roots = |name: &str| office.authority.path(name).to_string_lossy().into_owned();
    node.cmd(&["ledger", "verify", "--stamp-roots", &roots("root.pem")]).expect_code(0);
    node.cmd(&["ledger", "verify", "--stamp-roots", &roots("other.pem")]).expect_code(4);
    // The ledger names each token: one that is gone is missed.
    let kept = std::fs::read(&token).unwrap();
    std::fs::remove_file(&token).unwrap();
    let told = node.cmd(&["ledger", "verify"]).expect_code(4).stdout;
    assert!(told.contains("that entry") && told.contains(".tsr"), "{told}");
    std::fs::write(&token, kept).unwrap();
    // The same stamps, judged by somebody else's roots.
    std::fs::write(node.dir().join("tsa.pem"), office.authority.read("other.pem")).unwrap();
    let told = node.cmd(&["ledger", "verify"]).expect_code(4).stdout;
    assert!(told.contains(".tsr"), "{told}");
    // And a running node keeps none that it does not believe.
    let before = stamps(&node).len();
    node.start();
    deed(&node);
    let refused = wait_for(&node, "refusal", |told| told["failing_since"].is_string());
    assert!(refused["why"].as_str().unwrap().contains("root"), "{refused}");
    assert_eq!(stamps(&node).len(), before);
}

/// `tram ledger export` of everything, into a file beside the node.
fn exported(node: &TestNode, name: &str) -> String {
    let file = node.desk().join(name).to_string_lossy().into_owned();
    let told = node.json(&["ledger", "export", "--period", "..", "--for", "Thanh tra", "--out", &file]);
    assert!(told["time_stamps"].as_u64() > Some(0), "{told}");
    file
}

#[test]
fn a_bundle_carries_its_time_stamps_and_they_verify_without_the_node() {
    let office = Office::open();
    let mut node = node(&office, "root.pem");
    node.start();
    deed(&node);
    let stamped = wait_for(&node, "stamp", |told| told["time"].is_string());
    node.stop();
    let file = exported(&node, "stamped.tar");
    let roots = |name: &str| office.authority.path(name).to_string_lossy().into_owned();
    let checked = run(&["ledger", "verify", &file, "--stamp-roots", &roots("root.pem"), "--json"]);
    let checked = checked.expect_code(0).json();
    assert_eq!(checked["time_stamps"][0]["size"], stamped["size"], "{checked}");
    assert_eq!(checked["time_stamps_unchecked"], 0, "{checked}");
    // Another authority's roots refuse it by name; without roots it is told that nobody looked.
    let told = run(&["ledger", "verify", &file, "--stamp-roots", &roots("other.pem")]).expect_code(4).stdout;
    assert!(told.contains("timestamps/") && told.contains(".tsr"), "{told}");
    let told = run(&["ledger", "verify", &file]).expect_code(0).stdout;
    assert!(told.contains("time-stamps were not checked") && told.contains("--stamp-roots"), "{told}");
    // Unpacked, anybody's openssl agrees, and the whole is a mirror with its time-stamps.
    let out = node.desk().join("unpacked");
    std::fs::create_dir(&out).unwrap();
    let tar = std::process::Command::new("tar").args(["xf", &file, "-C"]).arg(&out).status().unwrap();
    assert!(tar.success());
    let size = stamped["size"].as_u64().unwrap();
    let [note, token] = ["checkpoint", "tsr"].map(|kind| out.join(format!("timestamps/{size}.{kind}")));
    assert!(office.authority.accepts(&note, &token, "root"), "{}", token.display());
    let descriptor = node.dir().join("descriptor.json").to_string_lossy().into_owned();
    let mirror = out.to_string_lossy().into_owned();
    let words = ["ledger", "verify", &mirror, "--keys", &descriptor, "--stamp-roots", &roots("root.pem")];
    assert!(run(&words).expect_code(0).stdout.contains("time-stamps hold"));
    // The ledger names the token: a bundle of a folder that lost it is no better than the folder.
    for token in stamps(&node) {
        std::fs::remove_file(token).unwrap();
    }
    let lost = node.desk().join("lost.tar").to_string_lossy().into_owned();
    node.ok(&["ledger", "export", "--period", "..", "--for", "Thanh tra", "--out", &lost]);
    let told = run(&["ledger", "verify", &lost]).expect_code(4).stdout;
    assert!(told.contains("that entry") && told.contains(".tsr"), "{told}");
}
