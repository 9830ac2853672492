//! Exchanges that wait while the person who began them went away: what is said of a peer that is down, and how the
//! rows are taken home later. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::scene::publish;
use tests::{TestNode, pair};

const ROWS: &str = "id,v\n1,2\n3,4\n";
const FOR: [&str; 5] = ["--purpose", "planning", "--basis", "law", "--queue"];
/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(120);

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + STEP;
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A provider that offers `x`, and a consumer that knows it.
fn agencies(name: &str) -> (TestNode, TestNode) {
    let provider = TestNode::up(&format!("urn:agency:vn:kho-{name}"), "Kho dữ liệu");
    let consumer = TestNode::up(&format!("urn:agency:vn:xa-{name}"), "Xã thử");
    pair(&provider, &consumer);
    let file = provider.desk().join("x.csv");
    std::fs::write(&file, ROWS).unwrap();
    publish(&provider, &file, "x", &[]);
    (provider, consumer)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn newest(node: &TestNode) -> Value {
    node.json(&["exchange", "list"])["exchanges"][0].clone()
}

/// The command that was told, in backquotes, as the shell reads its words; without the name of the program.
fn told_command(told: &str) -> Vec<String> {
    let mut quoted =
        told.split('`').filter(|part| part.starts_with("tram exchange resume") && part.contains("--out"));
    let command = quoted.next().unwrap_or_else(|| panic!("no command in {told}"));
    let script = format!("tram() {{ printf '%s\\n' \"$@\"; }}; {command}");
    let words = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(words.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_rows_that_came_meanwhile_are_taken_home_by_the_command_that_was_told() {
    let (mut provider, mut consumer) = agencies("a");
    provider.stop();
    let (file, receipts) = (consumer.desk().join("sau này.csv"), consumer.desk().join("biên nhận"));
    let what = format!("{}/x", provider.id());
    let place = ["--out", text(&file), "--receipts", text(&receipts)];
    let told = consumer.cmd(&[&["exchange", "get", &what], &place[..], &FOR[..]].concat()).expect_code(6);
    let id = newest(&consumer)["id"].as_str().unwrap().to_owned();
    let words = told_command(&told.stderr);
    let wanted = [&["exchange", "resume", &id], &place[..]].concat();
    assert_eq!(words, wanted, "{}", told.stderr);
    for wanted in ["chưa xong", "is not finished", "chạy / "] {
        assert!(told.stderr.contains(wanted), "`{wanted}` is not in {}", told.stderr);
    }
    consumer.kill9();
    consumer.start();
    provider.start();
    until("the rows", || newest(&consumer)["stage"] == "completed");
    // The node writes into its own folder alone, and what is here needs no provider.
    assert!(!file.exists() && !consumer.dir().join("handouts").exists());
    provider.stop();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    consumer.ok(&words);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ROWS);
    let fresh = consumer.desk().join("as a new file of ours");
    std::fs::write(&fresh, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&fresh), "the mode is that of any file of the caller");
    for side in ["provider", "consumer"] {
        let receipt = receipts.join(format!("{id}.{side}.tlog-proof"));
        consumer.ok(&["receipt", "verify", text(&receipt), "--data", text(&file)]);
    }
    // The same rows are there already; other ones give way only when it is said.
    consumer.ok(&words);
    std::fs::write(&file, "mine").unwrap();
    let refused = consumer.cmd(&words).expect_code(1);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    consumer.ok(&[&words[..], &["--replace"]].concat());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ROWS);
    let parts = std::fs::read_dir(consumer.desk()).unwrap().flatten();
    assert_eq!(parts.filter(|f| text(&f.path()).ends_with(".part")).count(), 0, "nothing is left beside it");
}

#[test]
fn an_exchange_that_is_taken_up_while_the_peer_is_down_does_not_speak_of_people_who_approve() {
    let (mut provider, consumer) = agencies("b");
    provider.stop();
    let what = format!("{}/x", provider.id());
    consumer.cmd(&[&["exchange", "get", &what], &FOR[..]].concat()).expect_code(6);
    let id = newest(&consumer)["id"].as_str().unwrap().to_owned();
    let told = consumer.cmd(&["exchange", "resume", &id]).expect_code(6);
    assert!(!told.stderr.contains("approve") && !told.stderr.contains("phê duyệt"), "{}", told.stderr);
    for wanted in ["chờ mạng", "waiting for the network", "--out FILE"] {
        assert!(told.stderr.contains(wanted), "`{wanted}` is not in {}", told.stderr);
    }
}

/// The hour of the day on this machine, as its own clock tells it.
fn hour() -> u32 {
    let told = Command::new("date").arg("+%H").output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_big_transfer_waits_for_its_hours_or_for_a_word_and_a_small_one_goes() {
    let (provider, consumer) = agencies("c");
    let table: String =
        (0..900_000).fold("so,v\n".to_owned(), |table, n| table + &format!("{n},{}\n", n % 7));
    let file = provider.desk().join("lớn.csv");
    std::fs::write(&file, &table).unwrap();
    publish(&provider, &file, "lon", &[]);
    let hours = |from: u32, to: u32| {
        let (from, to) = (format!("{:02}:00", from % 24), format!("{:02}:00", to % 24));
        consumer.json(&["line", "set", "--big-mb", "1", "--big-from", &from, "--big-to", &to])
    };
    let now = hour();
    assert_eq!(hours(now + 3, now + 5)["all"]["big"]["mb"], 1);
    let get = |dataset: &str, out: &Path| {
        let what = format!("{}/{dataset}", provider.id());
        consumer.cmd(&[&["exchange", "get", &what, "--out", text(out)], &FOR[..4]].concat())
    };
    let (first, second) = (consumer.desk().join("1.csv"), consumer.desk().join("2.csv"));
    let ids: Vec<String> = [&first, &second]
        .map(|out| {
            let told = get("lon", out).expect_code(6);
            let exchange = newest(&consumer);
            let id = exchange["id"].as_str().unwrap().to_owned();
            let any_hour = format!("exchange resume {id} --any-hour");
            for wanted in ["chờ giờ tải lớn", "hours of big transfers", &any_hour] {
                assert!(told.stderr.contains(wanted), "`{wanted}` is not in {}", told.stderr);
                assert!(exchange["waiting"].as_str().unwrap().contains(wanted), "{exchange}");
            }
            assert_eq!(exchange["wait"]["for"], "hours", "{exchange}");
            assert!(exchange["wait"]["until"].as_str().unwrap().contains(":00:00"), "{exchange}");
            id
        })
        .to_vec();
    assert!(consumer.log().contains("waits for the hours"), "the log tells it too");
    let small = consumer.desk().join("x.csv");
    get("x", &small).expect_code(0);
    assert_eq!(std::fs::read_to_string(&small).unwrap(), ROWS);
    consumer.ok(&["exchange", "resume", &ids[1], "--any-hour", "--out", text(&second)]);
    assert!(std::fs::read_to_string(&second).unwrap() == table, "other rows");
    let waits = |id: &str| consumer.json(&["exchange", "show", id])["wait"]["for"] == "hours";
    assert!(waits(&ids[0]) && !first.exists(), "a word for one says nothing of the other");
    // Its hours have come.
    hours(now + 23, now + 3);
    until("the rows of the first", || consumer.json(&["exchange", "show", &ids[0]])["stage"] == "completed");
    consumer.ok(&["exchange", "resume", &ids[0], "--out", text(&first)]);
    assert!(std::fs::read_to_string(&first).unwrap() == table, "other rows");
    assert!(consumer.json(&["line", "set", "--big-mb", "none"])["all"]["big"].is_null());
}
