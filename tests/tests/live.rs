//! Live sources: a question reaches the agency's PostgreSQL server and no further than it must. With real nodes and a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

#[allow(dead_code, reason = "shared with the tests of the reader")]
#[path = "../../node/intake/tests/servers/mod.rs"]
mod servers;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use servers::{Server, server};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];

fn description(node: &TestNode, server: &Server, table: &str) -> PathBuf {
    let path = node.desk().join(format!("{table}.toml"));
    let origin = server.origin(&format!("table = \"public.{table}\""));
    fs::write(&path, format!("mode = \"live\"\n{origin}")).unwrap();
    path
}

fn agencies(name: &str) -> (TestNode, TestNode) {
    let provider = TestNode::up(&format!("urn:agency:vn:song-{name}"), "Sở Y tế");
    let consumer = TestNode::up(&format!("urn:agency:vn:hoi-{name}"), "Phường");
    pair(&provider, &consumer);
    (provider, consumer)
}

/// Folders of questions that are not answered yet.
fn open_questions(node: &TestNode) -> usize {
    let spool = fs::read_dir(node.dir().join("spool")).unwrap();
    spool.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "rows")).count()
}

#[test]
fn each_answer_is_as_new_as_its_question_and_reads_no_more_than_it_needs() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE cases (ward text, month date, n int4, note text);
         INSERT INTO cases VALUES ('Nghĩa Đô', '2026-10-01', 3, 'a'), ('Tây Hồ', '2026-10-01', 4, 'b');
         GRANT SELECT ON cases TO reader",
    );
    let (provider, consumer) = agencies("a");
    Rules::new().allow("state", "query", "cases", PURPOSE, json!({})).apply(&provider);
    publish(&provider, &description(&provider, &server, "cases"), "cases", &[]);
    let what = format!("{}/cases", provider.id());
    let rows =
        |file: &str, more: &[&str]| get(&consumer, &what, file, &[&FOR, more].concat()).text().to_owned();
    assert_eq!(rows("1.csv", &[]).lines().count(), 3);
    server.admin("INSERT INTO cases VALUES ('Xuân Đỉnh', '2026-11-01', 5, 'c')");
    // Nobody refreshed anything.
    server.admin("ALTER ROLE reader SET log_statement = 'all'");
    let sql = "SELECT ward FROM this_dataset WHERE month >= '2026-11-01'";
    assert_eq!(rows("2.csv", &["--sql", sql]), "ward\nXuân Đỉnh\n");
    let log = fs::read_to_string(server.path("log")).unwrap();
    let told = log.lines().find(|line| line.contains("DECLARE tram") && line.contains("\"cases\"")).unwrap();
    assert!(told.contains("\"ward\", \"month\" FROM") && told.contains("\"month\" >= $1"), "{told}");
    assert!(!told.contains("note") && !told.contains("2026-11-01"), "{told}");
    assert_eq!(open_questions(&provider), 0, "rows of answered questions are kept");
    // What the server says is for the steward alone.
    server.admin("REVOKE SELECT ON cases FROM reader");
    let told = ask(&consumer, &what, "3.csv", &FOR);
    assert!(told.code != 0 && !format!("{told:?}").contains("42501"), "{told:?}");
    let state = provider.json(&["source", "show", "cases"])["state"].clone();
    assert!(state["problem"].as_str().unwrap().contains("42501"), "{state}");
    server.admin("GRANT SELECT ON cases TO reader");
    assert_eq!(rows("4.csv", &[]).lines().count(), 4);
    assert!(provider.json(&["source", "show", "cases"])["state"]["problem"].is_null());
}

#[test]
fn an_answer_is_of_one_moment_whenever_its_provider_is_killed() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE moments AS SELECT g AS id, 0 AS mark FROM generate_series(1, 150000) g;
         GRANT SELECT ON moments TO reader",
    );
    let (mut provider, consumer) = agencies("b");
    Rules::new().allow("state", "query", "moments", PURPOSE, json!({})).apply(&provider);
    publish(&provider, &description(&provider, &server, "moments"), "moments", &[]);
    let what = format!("{}/moments", provider.id());
    for n in 1..=4 {
        let file = consumer.desk().join(format!("{n}.csv"));
        let out = file.to_string_lossy().into_owned();
        let words = [&["exchange", "get", &what, "--out", &out, "--json"][..], &FOR[..]].concat();
        let getting = consumer.spawn(&words);
        // Somewhere within reading, computing and sending, at another moment each time.
        std::thread::sleep(Duration::from_millis(400 * n));
        provider.kill9();
        server.admin(&format!("UPDATE moments SET mark = {n}"));
        provider.start();
        let told = getting.wait();
        assert_eq!(told.code, 0, "round {n}: {told:?}");
        let text = fs::read_to_string(&file).unwrap();
        let marks: std::collections::BTreeSet<&str> =
            text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
        assert_eq!((text.lines().count(), marks.len()), (150_001, 1), "round {n}: rows of {marks:?}");
    }
}
