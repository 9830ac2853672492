//! One agency alone cannot rewrite, drop or fork its history: witnesses vouch for it, a node that came back from an old
//! backup signs nothing, and a fork is caught by those who heard the other tale, with a proof that a stranger judges.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::scene::{get, publish};
use tests::{Rules, TestNode, flip_byte, pair, run};

const PATIENCE: Duration = Duration::from_secs(60);
const A: &str = "urn:agency:vn:wit-a";
const B: &str = "urn:agency:vn:wit-b";
const C: &str = "urn:agency:vn:wit-c";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];

/// `a` provides counts; `b` and `c` are its peers and, as its configuration says, its witnesses.
struct Scene {
    a: TestNode,
    b: TestNode,
    c: TestNode,
}

impl Scene {
    fn new(quorum: Option<usize>) -> Self {
        let mut a = TestNode::up(A, "Sở Xây dựng");
        let (b, c) = (TestNode::up(B, "Phường Nghĩa Đô"), TestNode::up(C, "Kiểm toán"));
        rules(&a);
        let file = a.desk().join("counts.csv");
        std::fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
        publish(&a, &file, "counts", &[]);
        pair(&a, &b);
        pair(&a, &c);
        if let Some(quorum) = quorum {
            a.stop();
            // With a witness down a receipt waits in vain, so the test that does so waits less.
            witnessed(&a, quorum, if quorum == 2 { 20 } else { 5 });
            a.start();
        }
        Self { a, b, c }
    }

    fn exchange(&self, name: &str) -> Vec<PathBuf> {
        get(&self.b, &format!("{A}/counts"), name, &FOR).receipts()
    }
}

fn rules(node: &TestNode) {
    Rules::new()
        .allow("state", "query", "counts", "planning", serde_json::json!({"retention_days": 30}))
        .apply(node);
}

fn witnessed(node: &TestNode, quorum: usize, wait: u64) {
    let path = node.dir().join("tram.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let section = format!(
        "\n[ledger.witnesses]\npeers = [\"{B}\", \"{C}\"]\nquorum = {quorum}\nevery_seconds = 1\nreceipt_wait_seconds = {wait}\n"
    );
    std::fs::write(&path, text + &section).unwrap();
}

/// A copy of the node's folder and of the guard beside it, as a careless backup has it.
fn copied(node: &TestNode, to: &Path) {
    let from = node.dir();
    for (from, to) in [(from.clone(), to.join("node")), (guard(node), to.join("guard"))] {
        let done = std::process::Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
        assert!(done.success());
    }
}

fn guard(node: &TestNode) -> PathBuf {
    let dir = node.dir();
    dir.parent().unwrap().join(format!(".{}.checkpoint", dir.file_name().unwrap().to_string_lossy()))
}

/// Puts a copy in the place of what the node has now.
fn put_back(node: &TestNode, from: &Path) {
    std::fs::remove_dir_all(node.dir()).unwrap();
    std::fs::remove_file(guard(node)).unwrap();
    std::fs::rename(from.join("node"), node.dir()).unwrap();
    std::fs::rename(from.join("guard"), guard(node)).unwrap();
}

/// `tram ledger witnesses --json`, whatever its exit code.
fn state(node: &TestNode) -> Value {
    node.cmd(&["ledger", "witnesses", "--json"]).json()
}

#[track_caller]
fn wait_for(node: &TestNode, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let told = state(node);
        if fits(&told) {
            return told;
        }
        assert!(started.elapsed() < PATIENCE, "no {what} at {}: {told}\n{}", node.id(), node.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn conflicts(told: &Value) -> &[Value] {
    told["conflicts"].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn receipts_carry_the_word_of_a_quorum_and_of_no_fewer() {
    let mut scene = Scene::new(Some(2));
    let receipts = scene.exchange("counts.csv");
    let policy = scene.a.desk().join("trust.txt");
    std::fs::write(&policy, scene.a.ok(&["ledger", "trust"]).stdout).unwrap();
    let verify = |file: &Path| {
        run(&["receipt", "verify", &file.to_string_lossy(), "--trust", &policy.to_string_lossy(), "--json"])
    };
    let of = |side: &str| receipts.iter().find(|r| r.to_string_lossy().contains(side)).unwrap();
    let judged = verify(of(".provider.")).expect_code(0).json();
    assert_eq!(judged["witnessed"].as_array().unwrap().len(), 2, "{judged}");
    // The same word stands in the node's folder, and in what an auditor takes home.
    // The acknowledgement is younger than the receipt; the quorum comes by for it, too.
    let all = scene.a.json(&["ledger", "checkpoint"])["size"].as_u64();
    wait_for(&scene.a, "quorum for all entries", |told| told["own"]["cosigned"].as_u64() >= all);
    let bundle = scene.a.desk().join("for-auditor.tar");
    let period = format!("{}..", "2020-01-01");
    scene.a.ok(&[
        "ledger",
        "export",
        "--period",
        &period,
        "--for",
        "kiem-toan",
        "--out",
        &bundle.to_string_lossy(),
    ]);
    for place in [scene.a.dir(), bundle] {
        let words =
            ["ledger", "verify", &place.to_string_lossy(), "--trust", &policy.to_string_lossy(), "--json"];
        let checked =
            run(&[&words[..], &["--keys", &scene.a.dir().join("registry.json").to_string_lossy()]].concat());
        let checked = checked.expect_code(0).json();
        assert_eq!(checked["quorum"]["met"], true, "{checked}");
    }
    // The consumer's ledger has no witnesses, and its key is not in this policy.
    let told = verify(of(".consumer.")).expect_code(4).stderr;
    assert!(told.contains("not witnessed"), "{told}");
    // A cosignature that was altered spoils it.
    let text = std::fs::read_to_string(of(".provider.")).unwrap();
    let forged = scene.a.desk().join("forged.tlog-proof");
    let line = text.lines().find(|line| line.contains("wit-c/witness")).unwrap();
    let other = if line.ends_with("A=") { "B=" } else { "A=" };
    std::fs::write(&forged, text.replace(line, &format!("{}{other}", &line[..line.len() - 2]))).unwrap();
    verify(&forged).expect_code(4);

    // With one witness down, exchanges go on, and no quorum is claimed for what is new.
    scene.c.stop();
    let before = wait_for(&scene.a, "quorum", |told| told["own"]["cosigned"].is_u64());
    let receipts = scene.exchange("again.csv");
    let of = receipts.iter().find(|r| r.to_string_lossy().contains(".provider.")).unwrap();
    run(&["receipt", "verify", &of.to_string_lossy()]).expect_code(0);
    let said = verify(of).expect_code(4).stderr;
    assert!(said.contains("not witnessed"), "{said}");
    let now = state(&scene.a);
    assert_eq!(now["own"]["cosigned"], before["own"]["cosigned"], "{now}");
    assert!(now["own"]["witnesses"].to_string().contains("cannot be reached"), "{now}");
    // It comes back, catches up, and the same receipt comes with its word now.
    scene.c.start();
    wait_for(&scene.a, "catching up", |told| {
        told["own"]["cosigned"].as_u64() > before["own"]["cosigned"].as_u64()
    });
}

#[test]
fn a_node_that_came_back_from_an_old_backup_signs_nothing() {
    let mut scene = Scene::new(Some(2));
    let backup = tempfile::tempdir().unwrap();
    scene.a.stop();
    copied(&scene.a, backup.path());
    scene.a.start();
    scene.exchange("counts.csv");
    let known = wait_for(&scene.a, "quorum", |told| told["own"]["cosigned"].as_u64() > Some(3));
    scene.a.stop();
    put_back(&scene.a, backup.path());
    let size = std::fs::read(scene.a.dir().join("ledger/checkpoint")).unwrap();
    let refused = scene.a.cmd(&["serve"]);
    assert_ne!(refused.code, 0);
    for needed in
        ["old backup", "nothing was signed", "docs/ledger.md", known["own"]["cosigned"].to_string().as_str()]
    {
        assert!(refused.stderr.contains(needed), "`{needed}` is not in: {}", refused.stderr);
    }
    // Nothing was written by the refusal, and commands on the folder are refused alike.
    assert_eq!(std::fs::read(scene.a.dir().join("ledger/checkpoint")).unwrap(), size);
    let told = scene.a.cmd(&["policy", "apply", &scene.a.desk().join("rules").to_string_lossy()]);
    assert_ne!(told.code, 0);
    assert!(told.stderr.contains("old backup"), "{}", told.stderr);
}

#[test]
fn a_fork_in_the_absence_of_witnesses_is_caught_when_they_meet_it() {
    let mut scene = Scene::new(Some(1));
    let backup = tempfile::tempdir().unwrap();
    scene.a.stop();
    copied(&scene.a, backup.path());
    scene.a.start();
    scene.exchange("counts.csv");
    let cosigned_by_b = |told: &Value| {
        let all = told["own"]["witnesses"].as_array().unwrap();
        all.iter().any(|w| w["witness"] == B && w["size"].as_u64() > Some(3))
    };
    wait_for(&scene.a, "cosignature of b", cosigned_by_b);
    scene.a.stop();
    put_back(&scene.a, backup.path());
    scene.b.stop();
    scene.c.stop();
    // Nobody can be asked, so it starts; it signs another history.
    scene.a.start();
    for _ in 0..12 {
        rules(&scene.a);
    }
    scene.b.start();
    let told = wait_for(&scene.a, "end of signing", |told| told["halted"].is_string());
    assert!(told["halted"].as_str().unwrap().contains(B), "{told}");
    let refused = scene.a.cmd(&["policy", "apply", &scene.a.desk().join("rules").to_string_lossy()]);
    assert_ne!(refused.code, 0, "a node that signs nothing takes no rules");
    let status = scene.a.ok(&["status"]).stdout;
    assert!(status.contains("SIGNS NOTHING") && status.contains("CANNOT WRITE"), "{status}");
}

#[test]
fn a_fork_is_caught_by_gossip_alone_and_proven_to_strangers() {
    let mut scene = Scene::new(None);
    let backup = tempfile::tempdir().unwrap();
    scene.a.stop();
    copied(&scene.a, backup.path());
    scene.a.start();
    scene.exchange("counts.csv");
    let log = format!("{A}/ledger");
    let heard = |told: &Value| {
        told["logs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|l| l["log"] == log.as_str() && l["size"].as_u64() > Some(3))
    };
    wait_for(&scene.b, "gossip", heard);
    scene.a.stop();
    put_back(&scene.a, backup.path());
    scene.a.start();
    for _ in 0..24 {
        rules(&scene.a);
    }
    // Any message brings the other tale: here, a look into the catalog.
    let started = Instant::now();
    let found = loop {
        scene.b.cmd(&["catalog", "search", "counts"]);
        let told = state(&scene.b);
        if !conflicts(&told).is_empty() {
            break told;
        }
        assert!(started.elapsed() < PATIENCE, "no conflict: {told}\n{}", scene.b.log());
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(conflicts(&found)[0]["log"], log.as_str());
    let said = scene.b.cmd(&["ledger", "witnesses"]).expect_code(4).stdout;
    assert!(said.contains("SIGNED TWO HISTORIES"), "{said}");
    assert!(scene.b.ok(&["status"]).stdout.contains("SIGNED TWO HISTORIES"));
    // The file comes first, then the entry.
    let listed = || scene.b.json(&["ledger", "list", "--limit", "256"])["entries"].to_string();
    while !listed().contains("tram/conflict@v1") {
        assert!(started.elapsed() < PATIENCE, "no entry of the conflict: {}", listed());
        std::thread::sleep(Duration::from_millis(100));
    }

    // A stranger with the registry judges it; an altered proof proves nothing.
    let evidence = PathBuf::from(conflicts(&found)[0]["evidence"].as_str().unwrap());
    let registry = scene.b.dir().join("registry.json");
    let judge = || {
        run(&["ledger", "conflict", &evidence.to_string_lossy(), "--registry", &registry.to_string_lossy()])
    };
    assert!(judge().expect_code(0).stdout.contains("PROVEN"));
    let length = std::fs::metadata(&evidence).unwrap().len() as usize;
    for at in (0..length).step_by(length / 24) {
        flip_byte(&evidence, at);
        judge().expect_code(4);
        flip_byte(&evidence, at);
    }
    // Nothing rests on that ledger any more: no receipt of it is taken, no checkpoint cosigned, also after a restart.
    scene.b.restart();
    let told = scene.b.cmd(&[
        "exchange",
        "get",
        &format!("{A}/counts"),
        "--out",
        "x.csv",
        FOR[0],
        FOR[1],
        FOR[2],
        FOR[3],
    ]);
    assert_ne!(told.code, 0);
    assert!(told.stderr.contains("two histories"), "{}", told.stderr);
}
