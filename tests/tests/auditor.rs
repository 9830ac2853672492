//! An auditor at work with nothing but the command line: a node's folder, its tiles over HTTP, a mirror, a bundle; two
//! ledgers held against each other; a log followed over a restart and a rollback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tests::scene::{Shared, ask, get, publish, word};
use tests::{Output, Rules, TestNode, flip_byte, pair, run};

const PROVIDER: &str = "urn:agency:vn:aud-so-y-te";
const CONSUMER: &str = "urn:agency:vn:aud-phuong";
const WHAT: &str = "urn:agency:vn:aud-so-y-te/counts";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];

struct Pair {
    provider: TestNode,
    consumer: TestNode,
    /// Ids of the permitted exchanges.
    permitted: Vec<String>,
    refused: String,
}

/// Two agencies after two permitted exchanges and a refused one.
fn make() -> Pair {
    let provider = TestNode::up(PROVIDER, "Sở Y tế Hà Nội");
    let consumer = TestNode::up(CONSUMER, "Phường Nghĩa Đô");
    Rules::new()
        .allow("state", "query", "counts", "planning", json!({"retention_days": 30}))
        .apply(&provider);
    let file = provider.desk().join("counts.csv");
    fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\nNghĩa Tân,80\n").unwrap();
    publish(&provider, &file, "counts", &[]);
    pair(&provider, &consumer);
    let permitted = ["one.csv", "two.csv"].map(|name| exchange_of(&get(&consumer, WHAT, name, &FOR).told));
    let refused = ask(&consumer, WHAT, "no.csv", &["--purpose", "marketing", "--basis", "law"]);
    let refused = refused.expect_code(3);
    let listed = consumer.json(&["exchange", "list"]);
    let all = listed["exchanges"].as_array().unwrap();
    let denied = all.iter().find(|e| e["effect"] == "deny").unwrap_or_else(|| panic!("{listed} {refused:?}"));
    Pair { refused: word(denied, "id"), permitted: permitted.to_vec(), provider, consumer }
}

fn exchange_of(told: &Value) -> String {
    told["id"].as_str().or(told["exchange"].as_str()).unwrap_or_else(|| panic!("no id in {told}")).to_owned()
}

/// Shared by the tests that stop and spoil nothing.
fn agencies() -> Arc<Pair> {
    static SHARED: Shared<Pair> = Shared::new();
    SHARED.get(make)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The log's key as a stranger would be given it.
fn vkey(node: &TestNode) -> String {
    let readme = export(node, "vkey.tar", &[]);
    let listed = run(&["ledger", "verify", text(&readme), "--json"]).expect_code(0).json();
    assert_eq!(listed["keys"]["from"], "bundle", "{listed}");
    let packed = fs::read(&readme).unwrap();
    let packed = String::from_utf8_lossy(&packed);
    let at = packed.find("--log-vkey '").unwrap() + "--log-vkey '".len();
    packed[at..].split('\'').next().unwrap().to_owned()
}

#[track_caller]
fn export(node: &TestNode, name: &str, words: &[&str]) -> PathBuf {
    let file = node.desk().join(name);
    let fixed = [
        "ledger",
        "export",
        "--period",
        "2020-01-01..",
        "--for",
        "Thanh tra Thành phố",
        "--out",
        text(&file),
    ];
    let told = node.json(&[&fixed, words].concat());
    assert!(told["recorded"].is_u64(), "{told}");
    file
}

/// Waits until the newest signed checkpoint covers all entries that the node has.
fn settled(node: &TestNode) -> u64 {
    // The first of them is an entry itself.
    node.json(&["ledger", "list", "--limit", "1"]);
    for _ in 0..200 {
        let entries = node.json(&["ledger", "list", "--limit", "1"])["size"].as_u64().unwrap();
        if node.json(&["ledger", "checkpoint"])["size"].as_u64() == Some(entries) {
            return entries;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no checkpoint covers the last entry")
}

/// `tram ledger verify`, which must find something bad; what it says of it.
#[track_caller]
fn bad(words: &[&str]) -> String {
    let told = run(&[&["ledger", "verify", "--json"], words].concat()).expect_code(4).json();
    assert_eq!(told["ok"], false, "{told}");
    word(&told, "problem")
}

#[track_caller]
fn indexes(told: &Value) -> Vec<u64> {
    told["entries"].as_array().unwrap().iter().map(|e| e["index"].as_u64().unwrap()).collect()
}

#[test]
fn a_folder_its_tiles_and_a_bundle_verify_and_say_the_same() {
    let pair = agencies();
    let node = &pair.provider;
    settled(node);
    let folder = node.json(&["ledger", "verify"]);
    assert_eq!((&folder["ok"], &folder["kind"]), (&json!(true), &json!("node")), "{folder}");
    assert_eq!(folder["statements"]["author_unknown"], 0, "{folder}");
    let key = vkey(node);
    let bundle = export(node, "all.tar", &[]);
    let checked = run(&["ledger", "verify", text(&bundle), "--json"]).expect_code(0).json();
    assert_eq!((&checked["ok"], &checked["kind"]), (&json!(true), &json!("bundle")), "{checked}");
    assert_eq!(checked["bundle"]["for"], "Thanh tra Thành phố");
    assert_eq!(checked["statements"]["author_unknown"], 0, "{checked}");
    // The door's tiles, by the log's key alone.
    let (url, token) = door(node);
    let words = ["ledger", "verify", &url, "--vkey", &key, "--token-file", text(&token), "--json"];
    let tiles = run(&words).expect_code(0).json();
    assert_eq!((&tiles["ok"], &tiles["kind"]), (&json!(true), &json!("address")), "{tiles}");
    assert_eq!(tiles["origin"], folder["origin"]);
    // One step too early, the door shows a checkpoint and no tiles: asked wrongly, and no verdict on the ledger.
    let early = url.trim_end_matches("/tlog");
    let told = run(&["ledger", "verify", early, "--vkey", &key, "--token-file", text(&token)]).expect_code(2);
    assert!(told.stderr.contains(&url) && !told.stdout.contains("NOT VALID"), "{told:?}");
    let root = early.trim_end_matches("/v1/ledger");
    let told = run(&["ledger", "verify", root, "--vkey", &key, "--token-file", text(&token)]).expect_code(5);
    assert!(told.stderr.contains("/v1/ledger/tlog"), "{told:?}");
    // Without a key, or without the token, nothing is believed.
    run(&["ledger", "verify", &url, "--token-file", text(&token)]).expect_code(2);
    run(&["ledger", "verify", &url, "--vkey", &key]).expect_code(5);
    let other = vkey(&pair.consumer);
    let wrong = bad(&[&url, "--vkey", &other, "--token-file", text(&token)]);
    assert!(wrong.contains("signed by a key that is trusted"), "{wrong}");
}

/// The address of a node's tiles, and a file with the token.
fn door(node: &TestNode) -> (String, PathBuf) {
    let run: Value = serde_json::from_slice(&fs::read(node.dir().join("run/local.json")).unwrap()).unwrap();
    let token = node.desk().join("token");
    fs::write(&token, word(&run, "token")).unwrap();
    (format!("http://{}/v1/ledger/tlog", word(&run, "address")), token)
}

#[test]
fn questions_are_answered_by_each_filter_and_pages_leave_nothing_out() {
    let pair = agencies();
    let node = &pair.provider;
    let size = settled(node);
    let query = |words: &[&str]| node.json(&[&["ledger", "query"], words].concat());
    let permits = query(&["--kind", "exchange", "--effect", "permit"]);
    assert_eq!(indexes(&permits).len(), 2, "{permits}");
    let denied = query(&["--effect", "deny", "--kind", "exchange"]);
    assert_eq!(denied["entries"][0]["statement"]["exchange"], json!(pair.refused), "{denied}");
    for words in
        [["--dataset", "counts"], ["--dataset", WHAT], ["--purpose", "planning"], ["--text", "SO Y te"]]
    {
        let found = query(&[&words[..], &["--kind", "exchange", "--effect", "permit"]].concat());
        assert_eq!(indexes(&found), indexes(&permits), "{words:?}");
    }
    for words in
        [["--agency", CONSUMER], ["--agency", "nghia do"], ["--from", "2020-01-01"], ["--to", "2999-01-01"]]
    {
        assert!(indexes(&query(&words)).contains(&indexes(&permits)[0]), "{words:?}");
    }
    for words in [
        ["--agency", "urn:agency:vn:aud"],
        ["--dataset", "count"],
        ["--purpose", "nothing"],
        ["--to", "2020-01-01"],
        ["--text", "khong co gi nhu the"],
    ] {
        assert_eq!(indexes(&query(&words)), [0; 0], "{words:?}");
    }
    // Pages of one, one behind the other, are the whole.
    let all = query(&["--kind", "exchange,intent,ack"]);
    assert_eq!(indexes(&query(&["--kind", " exchange, intent , ack,"])), indexes(&all));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let mark = after.map(|a: u64| a.to_string());
        let mut words = vec!["--kind", "exchange,intent,ack", "--limit", "1"];
        words.extend(mark.as_deref().map(|mark| ["--after", mark]).into_iter().flatten());
        let page = query(&words);
        paged.extend(indexes(&page));
        after = page["next"].as_u64();
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, indexes(&all));
    let csv = node.ok(&["ledger", "query", "--csv", "--kind", "exchange"]).stdout;
    assert_eq!((csv.lines().count(), csv.starts_with("index,time,kind")), (4, true), "{csv}");
    assert!(csv.lines().next().unwrap().ends_with("basis,rule_set_version,reader,action"), "{csv}");
    let permit = csv.lines().find(|line| line.contains(",permit,")).unwrap();
    assert!(permit.ends_with(",law,2,,"), "{permit}");
    node.ok(&["ledger", "query", "--limit", "1", "--reader", "Thanh tra CSV"]);
    settled(node);
    let reads = node.ok(&["ledger", "query", "--csv", "--kind", "audit"]).stdout;
    assert!(reads.lines().any(|line| line.ends_with(",thanh-tra-csv,query")), "{reads}");
    let lines = node.ok(&["ledger", "query", "--ndjson", "--kind", "exchange"]).stdout;
    assert!(
        lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && lines.lines().count() == 3
    );
    node.cmd(&["ledger", "query", "--kind", "nonsense"]).expect_code(2);
    node.cmd(&["ledger", "query", "--from", "today"]).expect_code(2);
    // Each of these reads stands in the ledger now.
    settled(node);
    let reads = query(&["--kind", "audit", "--after", &(size - 1).to_string()]);
    assert!(indexes(&reads).len() > 10, "{reads}");
    // Others read the same ledger meanwhile.
    let queried = |entry: &Value| entry["statement"]["action"] == "query";
    assert!(reads["entries"].as_array().unwrap().iter().any(queried), "{reads}");
}

#[test]
fn an_opened_field_verifies_and_the_others_stay_closed() {
    let pair = agencies();
    let node = &pair.provider;
    settled(node);
    let id = &pair.permitted[0];
    let file =
        export(node, "opened.tar", &["--exchange", id, "--open", "response", "--purpose", "inspection"]);
    let checked = run(&["ledger", "verify", text(&file), "--json"]).expect_code(0).json();
    let opened = checked["bundle"]["opened"].as_array().unwrap();
    assert_eq!(opened.len(), 1, "{checked}");
    assert_eq!(opened[0]["field"], "response");
    assert!(word(&opened[0], "value").starts_with("sha-256=:"), "{checked}");
    assert!(checked["withheld"].as_u64().unwrap() > 0, "only one exchange was asked for: {checked}");
    let shown = run(&["ledger", "query", text(&file), "--json"]).expect_code(0).json();
    let all = shown["entries"].as_array().unwrap();
    assert!(all.iter().all(|entry| entry["statement"]["exchange"] == json!(id)), "{shown}");
    assert_eq!(all.iter().filter(|entry| entry["opened"].is_object()).count(), 1, "{shown}");
    // Neither the request's text nor the exchange's key is anywhere in the file.
    let kept = fs::read_dir(node.dir().join("evidence")).unwrap().filter_map(|e| {
        let path = e.unwrap().path();
        path.to_string_lossy().contains(id.as_str()).then(|| fs::read(path).unwrap())
    });
    let kept: Value = serde_json::from_slice(&kept.last().unwrap()).unwrap();
    let packed = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    for secret in ["key", "request_signature"] {
        assert!(!packed.contains(&word(&kept, secret)), "{secret} is in the bundle");
    }
    // A field of no exchange in particular, or one that is not kept, is not opened.
    let words = ["ledger", "export", "--period", "..", "--for", "x", "--out", "x.tar", "--open", "request"];
    node.cmd(&words).expect_code(2);
    node.cmd(&[&words[..], &["--exchange", id, "--open", "user"]].concat()).expect_code(1);
    // The ledger says that it was opened, for whom.
    settled(node);
    let reads = node.json(&["ledger", "query", "--kind", "audit", "--agency", "thanh-tra-thanh-pho"]);
    let export = reads["entries"].as_array().unwrap().iter().find(|e| e["statement"]["opened"] == 1);
    assert_eq!(export.unwrap_or_else(|| panic!("{reads}"))["statement"]["purpose"], "inspection");
}

#[test]
fn a_cut_forged_or_padded_bundle_is_refused_by_name() {
    let pair = agencies();
    settled(&pair.provider);
    let file =
        export(&pair.provider, "spoiled.tar", &["--exchange", &pair.permitted[0], "--open", "response"]);
    let good = fs::read(&file).unwrap();
    let spoiled = file.with_file_name("bad.tar");
    for at in (0..good.len()).step_by(263) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&spoiled, bytes).unwrap();
        let output = run(&["ledger", "verify", text(&spoiled), "--json"]);
        // Padding between the files, and names of owners that nobody reads, mean nothing.
        let meaning = header_or_body(&good, at);
        assert!(output.code == 4 || !meaning, "byte {at}: {output:?}");
        assert!(output.code == 0 || output.stdout.contains("bad.tar"), "byte {at}: {output:?}");
    }
    for length in [0, 100, 512, good.len() / 4, good.len() / 2, good.len() - 2048] {
        fs::write(&spoiled, &good[..length]).unwrap();
        let output = run(&["ledger", "verify", text(&spoiled)]);
        // Of the shortest nobody can tell that it was a bundle: asked wrongly, and nobody is accused.
        assert!(output.code == 4 || output.code == 2 && length <= 512, "{length}: {output:?}");
        assert!(format!("{}{}", output.stdout, output.stderr).contains("bad.tar"), "{length}: {output:?}");
    }
    fs::write(&spoiled, "a;b\n1;2\n").unwrap();
    let told = run(&["ledger", "verify", text(&spoiled)]).expect_code(2);
    assert!(told.stderr.contains("is no bundle") && !told.stdout.contains("NOT VALID"), "{told:?}");
    // Another's keys are no verdict on this ledger either.
    let other = pair.consumer.dir().join("descriptor.json");
    let told = run(&["ledger", "verify", text(&file), "--keys", text(&other)]).expect_code(2).stderr;
    assert!(told.contains("no key of it was given"), "{told}");
    // The provider's own descriptor, from elsewhere than the bundle, does.
    let own = pair.provider.dir().join("descriptor.json");
    run(&["ledger", "verify", text(&file), "--keys", text(&own)]).expect_code(0);
}

/// Whether a byte of a tar belongs to a file's content.
fn header_or_body(tar: &[u8], at: usize) -> bool {
    let mut offset = 0;
    while offset + 512 <= tar.len() && tar[offset] != 0 {
        let size = std::str::from_utf8(&tar[offset + 124..offset + 135]).unwrap();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap();
        let body = offset + 512;
        if (body..body + size).contains(&at) {
            return true;
        }
        offset = body + size.div_ceil(512) * 512;
    }
    false
}

#[test]
fn two_ledgers_are_held_against_each_other() {
    let mut pair = make();
    settled(&pair.provider);
    settled(&pair.consumer);
    let places = |pair: &Pair| [pair.provider.dir(), pair.consumer.dir()];
    let [a, b] = places(&pair);
    let words = ["ledger", "reconcile", text(&a), text(&b), "--reader", "Thanh tra Thành phố", "--json"];
    let same = run(&words).expect_code(0).json();
    assert_eq!((&same["ok"], &same["agree"]), (&json!(true), &json!(3)), "{same}");
    // Both ledgers say who held them against each other.
    for node in [&pair.provider, &pair.consumer] {
        settled(node);
        let reads = node.json(&["ledger", "query", "--agency", "thanh-tra-thanh-pho"]);
        assert_eq!(reads["entries"][0]["statement"]["action"], "reconcile", "{reads}");
    }
    // A bundle stands for a side; one that gives a single exchange lacks the others.
    let one = export(&pair.consumer, "one.tar", &["--exchange", &pair.permitted[0]]);
    let found = run(&["ledger", "reconcile", text(&a), text(&one), "--json"]).expect_code(4).json();
    let codes: Vec<(String, String)> = found["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (word(d, "code"), word(d, "exchange")))
        .collect();
    let lacking = |code: &str, id: &String| codes.contains(&(code.to_owned(), id.clone()));
    assert!(
        lacking("missing-at-b", &pair.permitted[1]) && lacking("missing-at-b", &pair.refused),
        "{codes:?}"
    );
    assert!(lacking("ack-missing-at-b", &pair.permitted[1]), "{codes:?}");
    assert!(codes.iter().all(|(_, id)| *id != pair.permitted[0]), "{codes:?}");
    assert!(word(&found["differences"][0]["reason"], "vi").contains("sổ của"), "{found}");
    let said = run(&["ledger", "reconcile", text(&a), text(&one)]).expect_code(4).stdout;
    assert!(said.contains("has no entry of what"), "{said}");
    run(&["ledger", "reconcile", text(&a), text(&a)]).expect_code(2);
    // A side that is spoiled is not compared at all.
    pair.provider.stop();
    flip_byte(&a.join("ledger/entries.dat"), 40);
    let output = run(&["ledger", "reconcile", text(&a), text(&b)]).expect_code(4);
    assert!(output.stderr.contains("entries.dat") && output.stderr.contains("at index"), "{output:?}");
    let queried = run(&["ledger", "query", text(&a), "--json"]).expect_code(4);
    assert!(word(&queried.json(), "problem").contains("at index"), "{queried:?}");
}

#[test]
fn a_log_is_followed_over_a_restart_and_a_rollback_is_told_loudly() {
    let mut pair = make();
    pair.consumer.stop();
    let state = pair.provider.desk().join("watched.checkpoint");
    let dir = pair.provider.dir();
    let watch = |place: &str| -> Output {
        run(&["ledger", "watch", place, "--once", "--json", "--state", text(&state)])
    };
    let summary =
        |output: &Output| -> Value { serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap() };
    let size = settled(&pair.provider);
    let first = watch(text(&dir)).expect_code(0);
    assert_eq!(summary(&first)["new"], json!(size), "{first:?}");
    assert_eq!(first.stdout.lines().count() as u64, size + 1, "one line an entry and one of the round");
    // Its own entry is all that it finds next, and no further one is written for this reader in this hour.
    assert_eq!(settled(&pair.provider), size + 1);
    let again = watch(text(&dir)).expect_code(0);
    assert!(again.stdout.contains("\"watch\""), "{again:?}");
    assert_eq!(summary(&again)["new"], 1);
    assert_eq!(settled(&pair.provider), size + 1);
    let size = size + 1;
    assert_eq!(summary(&watch(text(&dir)).expect_code(0))["new"], 0);
    // A copy of this day, to go back to.
    pair.provider.stop();
    let old = pair.provider.desk().join("old");
    copy(&dir, &old);
    // Whoever restores a backup can put back the file that guards against it, too.
    let guard = |of: &str| pair.provider.desk().join(format!(".{of}.checkpoint"));
    fs::copy(guard("node"), guard("old")).unwrap();
    pair.provider.start();
    for _ in 0..3 {
        pair.provider.ok(&["ledger", "query", "--limit", "1"]);
    }
    let grown = settled(&pair.provider);
    let next = watch(text(&dir)).expect_code(0);
    assert_eq!(summary(&next)["new"], json!(grown - size), "{next:?}");
    // The old state of the log again.
    let back = watch(text(&old)).expect_code(4);
    let told = summary(&back);
    assert_eq!(told["code"], "rollback", "{back:?}");
    assert!(back.stderr.contains("THE LOG WENT BACK"), "{back:?}");
    let kept = told["evidence"].as_array().unwrap();
    assert!(kept.len() == 2 && kept.iter().all(|file| Path::new(file.as_str().unwrap()).is_file()), "{told}");
    // The state has not moved, so the right log goes on.
    settled(&pair.provider);
    watch(text(&dir)).expect_code(0);
    // A log that is not there is a line that is down, not a verdict.
    let address = "http://127.0.0.1:1/log";
    let key = vkey(&pair.provider);
    let words = ["ledger", "watch", address, "--once", "--vkey", &key, "--state", text(&state)];
    run(&words).expect_code(5);
    // The copy goes on by itself, as after a restored backup whose guard was thrown away: a fork.
    settled(&pair.provider);
    fork(&old, &state);
}

/// The same log with other last entries, signed by the same key: the copy goes on for as long as the right one did.
fn fork(old: &Path, state: &Path) {
    let words = ["ledger", "query", "--dir", text(old), "--limit", "1"];
    for _ in 0..6 {
        let output = run(&words).expect_code(0);
        assert!(!output.stderr.contains("not recorded"), "{output:?}");
    }
    let output =
        run(&["ledger", "watch", text(old), "--once", "--json", "--state", text(state)]).expect_code(4);
    let told: Value = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(told["code"], "fork", "{output:?}");
    assert!(output.stderr.contains("THE LOG FORKED"), "{output:?}");
    // What a monitor caught, a stranger judges.
    let mut kept = told["evidence"].as_array().unwrap().iter().filter_map(Value::as_str);
    let proof = kept.rfind(|file| file.ends_with(".conflict")).unwrap_or_else(|| panic!("{told}"));
    let judged = run(&["ledger", "conflict", proof, "--registry", text(&old.join("registry.json"))]);
    assert!(judged.expect_code(0).stdout.contains("PROVEN"));
}

/// With modes: a node refuses folders that others may read.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

#[test]
fn reading_tiles_is_one_entry_a_session_and_hash_tiles_are_none() {
    let mut pair = make();
    pair.consumer.stop();
    let node = &pair.provider;
    settled(node);
    let key = vkey(node);
    let before = settled(node);
    let (url, token) = door(node);
    let words = ["ledger", "verify", &url, "--vkey", &key, "--token-file", text(&token)];
    for _ in 0..3 {
        run(&words).expect_code(0);
    }
    assert_eq!(settled(node), before + 1);
    let last = node.json(&["ledger", "list", "--from", &before.to_string()]);
    assert_eq!(last["entries"][0]["statement"]["action"], "tiles", "{last}");
}

#[test]
fn listing_entries_is_one_entry_a_session_and_reader() {
    let node = TestNode::up("urn:agency:vn:aud-lists", "Sở Nội vụ");
    Rules::new().apply(&node);
    let list = |words: &[&str]| node.json(&[&["ledger", "list"], words].concat());
    let size = list(&["--reader", "Ông A"])["size"].as_u64().unwrap();
    for _ in 0..3 {
        list(&["--reader", "Ông A"]);
    }
    list(&["--reader", "Bà B"]);
    // Nothing was given out, so nobody read.
    list(&["--reader", "Bà C", "--from", "1000"]);
    let shown = list(&["--reader", "Ông A", "--from", &size.to_string()]);
    let said: Vec<_> = shown["entries"].as_array().unwrap().iter().map(|e| &e["statement"]).collect();
    let who: Vec<String> = said.iter().map(|said| word(said, "reader")).collect();
    assert_eq!(who, ["ong-a", "ba-b"], "{shown}");
    assert!(said.iter().all(|said| said["action"] == "list"), "{shown}");
}

#[test]
fn a_read_that_cannot_be_recorded_is_refused_but_for_a_copy() {
    let mut node = TestNode::up("urn:agency:vn:aud-broken", "Sở Tư pháp");
    Rules::new().apply(&node);
    settled(&node);
    node.stop();
    // A node that cannot be opened: nobody can write down who read.
    let config = node.dir().join("tram.toml");
    let kept = fs::read(&config).unwrap();
    fs::write(&config, "nonsense = 1\n").unwrap();
    let refused = node.cmd(&["ledger", "query"]).expect_code(1);
    assert!(refused.stderr.contains("cannot be recorded") && refused.stderr.contains("copy"), "{refused:?}");
    assert!(!refused.stdout.contains("policy@v1"), "{refused:?}");
    // A folder that is named, and does not run, counts as a copy.
    let dir = node.dir();
    let shown = run(&["ledger", "query", text(&dir)]).expect_code(0);
    assert!(shown.stdout.contains("policy@v1"), "{shown:?}");
    fs::write(&config, kept).unwrap();
    assert!(node.ok(&["ledger", "query"]).stdout.contains("policy@v1"));
}
