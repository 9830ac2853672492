//! Exchanges that wait while the person who began them went away: what is said of a peer that is down, and the file that is
//! written later. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

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

#[test]
fn the_file_is_written_when_the_rows_come_though_both_the_command_and_the_node_were_gone() {
    let (mut provider, mut consumer) = agencies("a");
    provider.stop();
    let file = consumer.desk().join("sau này.csv");
    let what = format!("{}/x", provider.id());
    let told = consumer.cmd(&[&["exchange", "get", &what, "--out", text(&file)], &FOR[..]].concat());
    let told = told.expect_code(6);
    let id = newest(&consumer)["id"].as_str().unwrap().to_owned();
    for wanted in ["chưa xong", "is not finished", &format!("exchange resume {id} --out"), "by itself"] {
        assert!(told.stderr.contains(wanted), "`{wanted}` is not in {}", told.stderr);
    }
    assert_eq!(newest(&consumer)["out"]["file"], text(&file));
    // Nobody says goodbye; the wish is on the disk.
    consumer.kill9();
    consumer.start();
    provider.start();
    until("the file", || file.exists());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ROWS);
    for side in ["provider", "consumer"] {
        let receipt = file.with_file_name(format!("sau này.csv.{side}.tlog-proof"));
        until("the receipt", || receipt.exists());
        consumer.ok(&["receipt", "verify", text(&receipt), "--data", text(&file)]);
    }
    until("the wish to be done", || newest(&consumer)["out"].is_null());
    let done = newest(&consumer);
    assert_eq!((&done["id"], &done["stage"]), (&id.into(), &"completed".into()), "{done}");
}

#[test]
fn an_exchange_that_is_taken_up_while_the_peer_is_down_does_not_speak_of_people_who_approve() {
    let (mut provider, consumer) = agencies("b");
    provider.stop();
    let what = format!("{}/x", provider.id());
    consumer.cmd(&[&["exchange", "get", &what], &FOR[..]].concat()).expect_code(6);
    let id = newest(&consumer)["id"].as_str().unwrap().to_owned();
    assert_eq!(newest(&consumer)["delivered"], false);
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
    until("the file of the first", || first.exists());
    assert!(std::fs::read_to_string(&first).unwrap() == table, "other rows");
    assert!(consumer.json(&["line", "set", "--big-mb", "none"])["all"]["big"].is_null());
}
