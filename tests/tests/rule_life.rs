//! The life of rule sets: proposed by one, approved by another, in force at once and whole, and back in one step.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::scene::{get, publish};
use tests::{Output, Rules, TestNode, pair, run};

const A: &str = "urn:agency:vn:life-a";
const B: &str = "urn:agency:vn:life-b";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A rule set whose rows tell which of several it is: `n` rows at most of the dataset.
fn numbered(n: u64) -> Rules {
    Rules::new().allow("state", "query", "counts", "planning", json!({"max_rows": n}))
}

fn folder(node: &TestNode, name: &str, rules: &Rules) -> PathBuf {
    let folder = node.desk().join(name);
    rules.write(&folder);
    folder
}

/// A node with a person who may approve, one who writes rules, a data-protection officer and an auditor.
struct House {
    node: TestNode,
}

impl House {
    fn new(id: &str) -> Self {
        let house = Self { node: TestNode::up(id, "Sở Thử nghiệm") };
        house.person("lan", "policy-approver", None).expect_code(0);
        for (name, role) in [("minh", "policy-editor"), ("hoa", "data-protection-officer"), ("tu", "auditor")]
        {
            house.person(name, role, Some("lan")).expect_code(0);
        }
        house
    }

    fn key(&self, name: &str) -> String {
        text(&self.node.desk().join(format!("{name}.key"))).to_owned()
    }

    fn person(&self, name: &str, role: &str, by: Option<&str>) -> Output {
        let key = self.key(name);
        let mut words = vec!["person", "add", name, "--role", role, "--key-out", &key];
        let by = by.map(|by| self.key(by));
        if let Some(by) = &by {
            words.extend(["--as", by]);
        }
        self.node.cmd(&words)
    }

    fn draft(&self, rules: &Path, author: &str) -> String {
        let told =
            self.node.json(&["policy", "draft", text(rules), "--as", &self.key(author), "--note", "thử"]);
        told["draft"]["name"].as_str().unwrap().to_owned()
    }

    fn says(&self, verb: &str, draft: &str, who: &str) -> Output {
        self.node.cmd(&["policy", verb, draft, "--as", &self.key(who)])
    }

    fn version(&self) -> u64 {
        self.node.json(&["policy", "show"])["rule_set"]["version"].as_u64().unwrap()
    }
}

#[track_caller]
fn refused(output: Output, why: &str) {
    assert!(output.code != 0 && output.stderr.contains(why), "wanted `{why}`, got: {output:?}");
}

#[test]
fn four_eyes_see_what_one_pair_proposes() {
    let mut house = House::new(A);
    let people = house.node.json(&["person", "list"]);
    assert_eq!((&people["four_eyes"], people["people"].as_array().unwrap().len()), (&json!(true), 4));
    let rules = folder(&house.node, "rules", &numbered(5));
    // One step is over, and so is a draft of nobody.
    refused(house.node.cmd(&["policy", "apply", text(&rules)]), "two people are needed");
    refused(house.node.cmd(&["policy", "draft", text(&rules)]), "author's signature");
    refused(house.node.cmd(&["policy", "draft", text(&rules), "--as", &house.key("tu")]), "policy-editor");
    let first = house.draft(&rules, "minh");
    let shown = house.node.json(&["policy", "drafts", &first]);
    assert!(
        shown["lint"]["findings"].is_array() && shown["draft"]["opens"].to_string().contains("T-ALLOW-2"),
        "{shown}"
    );
    refused(house.node.cmd(&["policy", "apply", &first]), "has not approved it");
    // Roles, strangers, the author.
    refused(house.says("approve", &first, "minh"), "policy-approver or data-protection-officer");
    refused(house.says("approve", &first, "tu"), "policy-approver or data-protection-officer");
    let stranger = house.key("stranger");
    run(&["person", "key", &stranger]).expect_code(2);
    std::fs::copy(TestNode::init(B, "B").dir().join("keys/signing.key"), &stranger).unwrap();
    refused(house.says("approve", &first, "stranger"), "of nobody who may act here");
    let own = house.draft(&rules, "lan");
    refused(house.says("approve", &own, "lan"), "somebody else");
    house.says("reject", &own, "hoa").expect_code(0);
    refused(house.node.cmd(&["policy", "apply", &own]), "rejected");
    refused(house.says("approve", &own, "lan"), "rejected");
    // The rows open `counts`, of which nothing says that it holds no personal data: the officer is asked, too.
    house.says("approve", &first, "lan").expect_code(0);
    refused(house.says("approve", &first, "lan"), "already");
    refused(house.node.cmd(&["policy", "apply", &first]), "data-protection-officer");
    house.says("approve", &first, "hoa").expect_code(0);
    let second = house.draft(&folder(&house.node, "second", &numbered(6)), "minh");
    let before = house.version();
    let applied = house.node.json(&["policy", "apply", &first]);
    assert_eq!(applied["rule_set"]["version"], before + 1);
    // The other draft was made for what is no longer in force.
    for who in ["lan", "hoa"] {
        house.says("approve", &second, who).expect_code(0);
    }
    refused(house.node.cmd(&["policy", "apply", &second]), "draft it anew");
    refused(house.node.cmd(&["policy", "apply", &first]), "in force since");
    // What was signed is told, and judged by a stranger with the file alone.
    house.node.stop();
    let history = house.node.json(&["policy", "history"]);
    let newest = &history["versions"][0];
    assert_eq!(
        (&newest["author"]["name"], &newest["how"]["draft"]),
        (&json!("minh"), &json!(first)),
        "{newest}"
    );
    assert_eq!(newest["approvals"].as_array().unwrap().len(), 2);
    let bundle = house.node.desk().join("bundle.json");
    let version = (before + 1).to_string();
    house.node.json(&["policy", "verify", &version, "--out", text(&bundle)]);
    let registry = house.node.dir().join("registry.json");
    for words in [vec![], vec!["--registry", text(&registry)]] {
        let judged =
            run(&[&["policy", "verify", text(&bundle), "--json"], &words[..]].concat()).expect_code(0).json();
        assert_eq!((&judged["valid"], &judged["rule_set"]["version"]), (&json!(true), &json!(before + 1)));
    }
    let good: Value = serde_json::from_slice(&std::fs::read(&bundle).unwrap()).unwrap();
    for (pointer, value) in [
        ("/files/policy.csv", json!("# nothing\n")),
        ("/files/cases.json", json!("[ ]")),
        ("/signed/manifest/note", json!("other")),
        ("/signed/manifest/approvals", json!([])),
        ("/signed/manifest/people/0/is/roles", json!(["auditor"])),
        ("/signed/manifest/rule_set/version", json!(77)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&bundle, bad.to_string()).unwrap();
        let judged = run(&["policy", "verify", text(&bundle)]);
        assert!([2, 4].contains(&judged.code), "{pointer}: {judged:?}");
    }
}

#[test]
fn people_who_left_and_signatures_from_elsewhere_count_for_nothing() {
    let house = House::new("urn:agency:vn:life-c");
    let rules = folder(&house.node, "rules", &numbered(5));
    let open = |name: &str| Rules::new().allow("state", "query", name, "planning", json!({}));
    let other = folder(&house.node, "other", &open("other"));
    let (first, second) = (house.draft(&rules, "minh"), house.draft(&other, "minh"));
    for who in ["lan", "hoa"] {
        house.says("approve", &first, who).expect_code(0);
    }
    // The very bytes that approved the first draft, put before the second.
    let bundle_of = |draft: &str| raw(&house.node, "GET", &format!("/v1/policy/drafts/{draft}"), None);
    let proposal = bundle_of(&first)["draft"]["proposal"].clone();
    let misdirected = |draft: &str| {
        let signed =
            sign_elsewhere(&house, "lan", json!({"do": "approve", "draft": draft, "proposal": proposal}));
        let path = format!("/v1/policy/drafts/{second}/approval");
        let told = raw(&house.node, "POST", &path, Some(json!({"signed": signed})));
        assert_eq!(told["type"], "urn:tram:problem:verification-failed", "{told}");
    };
    misdirected(&first);
    // The right draft, the wrong content.
    misdirected(&second);
    // Somebody who approved and is let out takes the approval along.
    refused(house.node.cmd(&["person", "remove", "hoa"]), "signature of somebody who may approve");
    refused(house.node.cmd(&["person", "remove", "hoa", "--as", &house.key("minh")]), "policy-approver");
    house.node.ok(&["person", "remove", "hoa", "--as", &house.key("lan")]);
    refused(house.node.cmd(&["policy", "apply", &first]), "data-protection-officer");
    refused(house.says("approve", &second, "hoa"), "of nobody who may act here");
    refused(house.node.cmd(&["person", "remove", "lan", "--as", &house.key("lan")]), "nobody would be left");
    refused(house.person("eve", "policy-approver", Some("hoa")), "of nobody who may act here");
    assert!(!house.node.desk().join("eve.key").exists(), "the key of somebody who was not let in");
    // All of it stands in the ledger, without a name.
    let entries = house.node.json(&["ledger", "list", "--limit", "256"]);
    let said = |n: usize, key: &str| entries["entries"][n]["statement"][key].clone();
    let changes: Vec<Value> = (0..5).map(|n| said(n, "change")).collect();
    assert_eq!(changes, ["add", "add", "add", "add", "remove"], "{entries}");
    assert_eq!((said(0, "by"), said(0, "roles")), (Value::Null, json!("policy-approver")));
    assert_eq!(
        (said(4, "by"), said(4, "key"), said(4, "register")),
        (said(0, "key"), said(2, "key"), json!(5))
    );
    for name in ["lan", "minh", "hoa"] {
        assert!(!entries.to_string().contains(name), "{name} is named in the ledger");
    }
    // A failing case stops a draft before anybody looks at it.
    let case = json!([{"n": "nobody may", "want": "allow",
        "q": ["ag:urn:agency:vn:x", "ds:counts", "query", "pu:planning", "-", "bas:law", "net:gov", "2026-11-20T08:00Z"]}]);
    let registry = json!({"datasets": {"ds:counts": {"owner": "ag:urn:agency:vn:y", "cls": 1, "personal": "none", "kind": "default"}},
        "agreements": {}, "parties": {"ag:urn:agency:vn:x": "VN"}, "transfer_dossiers": []});
    std::fs::write(rules.join("cases.json"), case.to_string()).unwrap();
    std::fs::write(rules.join("registry.json"), registry.to_string()).unwrap();
    refused(house.node.cmd(&["policy", "draft", text(&rules), "--as", &house.key("minh")]), "cases fail");
    assert_eq!(house.version(), 1);
}

#[test]
fn drafts_wait_for_their_day() {
    let house = House::new("urn:agency:vn:life-d");
    let rules = folder(&house.node, "rules", &Rules::new());
    let words = ["policy", "draft", text(&rules), "--not-before", "2999-01-01", "--as", &house.key("minh")];
    let draft = house.node.json(&words)["draft"]["name"].as_str().unwrap().to_owned();
    for who in ["lan", "hoa"] {
        house.says("approve", &draft, who).expect_code(0);
    }
    refused(house.node.cmd(&["policy", "apply", &draft]), "2999-01-01");
}

#[test]
fn the_way_back_is_one_step_and_an_emergency_one_signature() {
    let house = House::new("urn:agency:vn:life-e");
    let node = &house.node;
    let built_in = node.desk().join("built-in");
    node.ok(&["policy", "export", text(&built_in)]);
    // An emergency: what is in force, and a denial for two days.
    let until = minutes_ahead(48 * 60);
    let row = |until: &str, effect: &str| {
        format!("p, STOP-1, 20, *, *, query, *, *, *, *, 0, 9, 2020-01-01T00:00Z, {until}, -, {effect}\n")
    };
    let reason = json!({"legal_basis": {"vi": "Khẩn cấp", "en": "Emergency", "mark": "M"}, "text": {"vi": "Tạm dừng.", "en": "On hold."}});
    let policy = std::fs::read_to_string(built_in.join("policy.csv")).unwrap();
    let mut reasons: Value =
        serde_json::from_slice(&std::fs::read(built_in.join("reasons.json")).unwrap()).unwrap();
    reasons["STOP-1"] = reason;
    let put = |until: &str, effect: &str| {
        std::fs::write(built_in.join("policy.csv"), format!("{policy}{}", row(until, effect))).unwrap();
        std::fs::write(built_in.join("reasons.json"), reasons.to_string()).unwrap();
        // Its own cases ask at other times and would fail for this one; an emergency may leave them out.
        std::fs::write(built_in.join("cases.json"), "[]").unwrap();
    };
    let lan = house.key("lan");
    let apply = ["policy", "apply", text(&built_in), "--emergency", "--as"];
    let by = |key: &str| node.cmd(&[&apply[..], &[key]].concat());
    put(&until, "deny");
    refused(by(&house.key("minh")), "policy-approver");
    refused(by(&house.key("hoa")), "policy-approver");
    put(&minutes_ahead(73 * 60), "deny");
    refused(by(&lan), "72 hours");
    put(&until, "allow");
    refused(by(&lan), "allows");
    put(&until, "deny");
    // Allows of a more authoritative tier still decide where they match, and whoever relies on the ban must know.
    let told = by(&lan).expect_code(0).stderr;
    assert!(
        told.contains("warning") && told.contains("STOP-1") && told.contains("more authoritative tier"),
        "{told}"
    );
    assert_eq!(node.json(&["policy", "history"])["versions"][0]["how"]["way"], "emergency");
    // Back.
    refused(node.cmd(&["policy", "rollback"]), "--as KEYFILE");
    refused(node.cmd(&["policy", "rollback", "--as", &house.key("minh")]), "policy-approver");
    refused(node.cmd(&["policy", "rollback", "9", "--as", &lan]), "never had");
    refused(node.cmd(&["policy", "rollback", "2", "--as", &lan]), "in force already");
    let back = node.json(&["policy", "rollback", "--as", &lan]);
    let history = node.json(&["policy", "history"]);
    assert_eq!(back["rule_set"]["version"], 3);
    let digests: Vec<&Value> = history["versions"].as_array().unwrap().iter().map(|v| &v["sha256"]).collect();
    assert_eq!(digests[0], digests[2], "{history}");
    assert_ne!(digests[0], digests[1], "{history}");
    assert_eq!(history["versions"][0]["how"]["to"]["version"], 1);
    // Each is an entry of the ledger, and each bundle verifies.
    // Four people came before.
    for (version, entry) in [("2", 4), ("3", 5)] {
        let judged = node.json(&["policy", "verify", version]);
        assert_eq!(judged["valid"], true);
        let listed = history["versions"].as_array().unwrap();
        let of = listed.iter().find(|v| v["version"].as_u64() == version.parse().ok()).unwrap();
        assert_eq!(of["entry"], json!(entry), "{history}");
    }
}

#[test]
fn one_signature_undoes_the_last_change_and_opens_nothing_older() {
    let house = House::new("urn:agency:vn:life-j");
    for rows in [5, 2, 1] {
        let draft = house.draft(&folder(&house.node, &format!("rules-{rows}"), &numbered(rows)), "minh");
        for who in ["lan", "hoa"] {
            house.says("approve", &draft, who).expect_code(0);
        }
        house.node.ok(&["policy", "apply", &draft]);
    }
    let back = |to: &str| house.node.cmd(&["policy", "rollback", to, "--as", &house.key("lan")]);
    refused(back("2"), "two people");
    assert_eq!(house.version(), 4);
    back("3").expect_code(0);
    assert_eq!(house.version(), 5, "the last change is undone, although that opens");
    refused(back("2"), "two people");
    back("4").expect_code(0);
    assert_eq!(house.version(), 6, "what was undone a moment ago comes back the same way");
}

#[test]
fn an_approver_who_came_by_one_signature_waits_for_a_second() {
    let house = House::new("urn:agency:vn:life-k");
    house.person("tuan", "policy-approver", Some("lan")).expect_code(0);
    let told = house.person("eve", "policy-approver", Some("lan")).expect_code(0);
    assert!(told.stderr.contains("tram person confirm \"eve\""), "{told:?}");
    let draft = house.draft(&folder(&house.node, "rules", &numbered(5)), "lan");
    refused(house.says("approve", &draft, "eve"), "from when");
    let confirm = |by: &str| house.node.cmd(&["person", "confirm", "eve", "--as", &house.key(by)]);
    refused(confirm("lan"), "another policy-approver");
    refused(confirm("eve"), "from when");
    refused(confirm("minh"), "policy-approver");
    confirm("tuan").expect_code(0);
    house.says("approve", &draft, "eve").expect_code(0);
    let entries = house.node.json(&["ledger", "list", "--limit", "256"]);
    let changes: Vec<&Value> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["statement"]["change"])
        .filter(|change| !change.is_null())
        .collect();
    assert_eq!(changes.last(), Some(&&json!("confirm")), "{entries}");
}

#[test]
fn rules_in_tables_are_the_same_rules() {
    let node = TestNode::init("urn:agency:vn:life-i", "Sở Thử nghiệm");
    let rules = folder(&node, "rules", &numbered(5));
    let csv = std::fs::read_to_string(rules.join("policy.csv")).unwrap();
    let applied = |node: &TestNode| node.json(&["policy", "apply", text(&rules)])["rule_set"].clone();
    let before = applied(&node);
    let told = run(&["policy", "convert", text(&rules), "--to", "toml", "--json"]).expect_code(0).json();
    assert_eq!(told["written"], json!(["duties.toml", "policy.toml"]), "{told}");
    assert!(!rules.join("policy.csv").exists() && told["sha256"] == before["sha256"], "{told}");
    let after = applied(&node);
    assert_eq!((&after["sha256"], after["version"].as_u64()), (&before["sha256"], Some(3)));
    assert!(node.ok(&["policy", "show"]).stdout.contains("[[grant]]"));
    run(&["policy", "convert", text(&rules), "--to", "csv"]).expect_code(0);
    let back = std::fs::read_to_string(rules.join("policy.csv")).unwrap();
    assert!(csv.lines().all(|row| back.contains(row)), "{csv}\n{back}");
    assert!(!rules.join("policy.toml").exists());
}

#[test]
fn every_answer_comes_from_one_whole_rule_set_while_twenty_come_and_go() {
    let provider = TestNode::up("urn:agency:vn:life-f", "Bên cung cấp");
    let consumer = TestNode::up("urn:agency:vn:life-g", "Bên khai thác");
    pair(&provider, &consumer);
    let rows: String = (0..50).map(|n| format!("x{n},{n}\n")).collect();
    let csv = provider.desk().join("counts.csv");
    std::fs::write(&csv, format!("name,count\n{rows}")).unwrap();
    publish(&provider, &csv, "counts", &["--kind", "default", "--class", "1"]);
    let coming = |n: u64| {
        let kept = json!({"max_rows": 50});
        Rules::new().allow("state", "query", "counts", "planning", kept).allow(
            "state",
            "query",
            "other",
            "planning",
            json!({"max_rows": n}),
        )
    };
    publish(&provider, &csv, "other", &["--kind", "default", "--class", "1"]);
    coming(40).apply(&provider);
    let what = format!("{}/counts", provider.id());
    let words = ["--purpose", "planning", "--basis", "law"];
    let done = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let got = get(&consumer, &what, &format!("rows-{}.csv", answers.len()), &words);
                answers.push(got.text().lines().count() - 1);
            }
            answers
        });
        let deciding = scope.spawn(|| {
            let mut told = Vec::new();
            let body = json!({"subject": consumer.id(), "dataset": "other", "action": "query", "purpose": "planning", "basis": "law"});
            while !done.load(Ordering::Relaxed) {
                told.push(raw(&provider, "POST", "/v1/policy/explain", Some(body.clone())));
            }
            told
        });
        for n in 1..=20 {
            coming(n).apply(&provider);
        }
        done.store(true, Ordering::Relaxed);
        (asking.join().unwrap(), deciding.join().unwrap())
    });
    // Version v permits as many rows of the other dataset as its number says: 40 in version 2, 1 in version 3, 2 in version 4 …
    let wanted = |version: u64| if version == 2 { 40 } else { version - 2 };
    assert!(!answers.0.is_empty() && !answers.1.is_empty(), "{} {}", answers.0.len(), answers.1.len());
    assert!(answers.0.iter().all(|lines| *lines == 50), "{:?}", answers.0);
    let mut seen = std::collections::BTreeSet::new();
    for told in &answers.1 {
        let decision = &told["explanation"]["decision"];
        let version = decision["rule_set_version"].as_u64().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(decision["obligations"]["max_rows"], json!(wanted(version)), "{decision}");
        seen.insert(version);
    }
    assert!(seen.len() > 1, "the versions came one after another: {seen:?}");
}

#[test]
fn after_a_kill_at_any_moment_the_old_or_the_new_is_in_force_and_the_ledger_says_the_same() {
    let mut node = TestNode::up("urn:agency:vn:life-h", "Sở Thử nghiệm");
    let (mut cut, mut done) = (0, 0);
    let mut delay = Duration::ZERO;
    for round in 1..=18u64 {
        let rules = folder(&node, &format!("rules-{round}"), &numbered(round));
        let before = node.json(&["policy", "show"])["rule_set"]["version"].as_u64().unwrap();
        let files: Value = ["policy.csv", "duties.csv", "obligations.json"]
            .map(|name| (name.to_owned(), json!(std::fs::read_to_string(rules.join(name)).unwrap())))
            .into_iter()
            .collect();
        let call = Call::begin(&node, "POST", "/v1/policy", &json!({"files": files}).to_string());
        thread::sleep(delay);
        node.kill9();
        let told = call.answer();
        node.start();
        let shown = node.json(&["policy", "show"]);
        let version = shown["rule_set"]["version"].as_u64().unwrap();
        assert!(version == before || version == before + 1, "{before} → {version}");
        if told.is_some_and(|told| told["rule_set"]["version"] == before + 1) {
            assert_eq!(version, before + 1, "what was told as done is done");
        }
        // Later and later until a kill comes after the last write, then to and fro about the moment between.
        if version == before {
            cut += 1;
            delay = if done == 0 {
                delay * 2 + Duration::from_millis(2)
            } else {
                delay + Duration::from_millis(3)
            };
        } else {
            done += 1;
            delay = delay.saturating_sub(Duration::from_millis(7));
        }
        // The files are those of the version that is in force, whole.
        let files: Value =
            serde_json::from_str(shown["files"]["obligations.json"].as_str().unwrap()).unwrap();
        if version == before + 1 {
            assert_eq!(files["T-OB-2"]["max_rows"], json!(round));
        }
        agree(&node);
    }
    assert!(
        cut > 0 && done > 0,
        "{cut} kills came before and {done} after: the moment between was not in reach"
    );
    assert_eq!(run(&["ledger", "verify", text(&node.dir())]).code, 0);
}

/// The history and the ledger name the same versions with the same digests, each once.
#[track_caller]
fn agree(node: &TestNode) {
    let history = node.json(&["policy", "history"]);
    let mut kept: Vec<(Value, Value)> = history["versions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["how"]["way"] != "built-in")
        .map(|v| (v["version"].clone(), v["sha256"].clone()))
        .collect();
    kept.reverse();
    let entries = node.json(&["ledger", "list", "--limit", "256"]);
    let logged: Vec<(Value, Value)> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["statement"])
        .filter(|s| s["kind"] == "tram/policy@v1")
        .map(|s| (s["rule_set"]["version"].clone(), s["rule_set"]["sha256"].clone()))
        .collect();
    assert_eq!(kept, logged, "{history}\n{entries}");
}

fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap()
}

/// A time so many minutes from now, as rules write it.
fn minutes_ahead(minutes: i64) -> String {
    policy::Minute::from_unix(seconds_now() + minutes * 60).unwrap().to_string()
}

/// One call of the local door, by hand, of which nobody knows whether it is answered.
struct Call(std::net::TcpStream);

impl Call {
    fn begin(node: &TestNode, method: &str, path: &str, body: &str) -> Self {
        use std::io::Write;
        let run = std::fs::read(node.dir().join("run/local.json")).unwrap();
        let run: Value = serde_json::from_slice(&run).unwrap();
        let (address, token) = (run["address"].as_str().unwrap(), run["token"].as_str().unwrap());
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        Self(stream)
    }

    fn answer(mut self) -> Option<Value> {
        use std::io::Read;
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

fn raw(node: &TestNode, method: &str, path: &str, body: Option<Value>) -> Value {
    let body = body.map_or_else(String::new, |body| body.to_string());
    Call::begin(node, method, path, &body)
        .answer()
        .unwrap_or_else(|| panic!("{method} {path} gave no answer"))
}

/// A signed act as a program that is no Tram would make it, from the documented form alone.
fn sign_elsewhere(house: &House, who: &str, act: Value) -> Value {
    use base64::Engine as _;
    use ed25519_dalek::Signer as _;
    use sha2::Digest as _;
    let key = certs::keys::load_one(Path::new(&house.key(who))).unwrap();
    let said = json!({"node": house.node.id(), "at": seconds_now(), "act": act});
    let bytes =
        [b"tram/rule-set-act@v1\n".to_vec(), serde_json_canonicalizer::to_vec(&said).unwrap()].concat();
    let thumbprint = sha2::Sha256::digest(key.verifying_key().to_bytes());
    json!({
        "said": said,
        "key": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(thumbprint),
        "signature": base64::engine::general_purpose::STANDARD.encode(key.sign(&bytes).to_bytes()),
    })
}
