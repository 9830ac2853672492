//! The public door of a real node: closed unless opened, and each caller only what the rules show.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::fs;

use tests::scene::publish;
use tests::{Rules, TestNode};

fn status(url: &str, words: &[&str]) -> String {
    let mut all = vec!["-s", "-o", "/dev/null", "-w", "%{http_code}"];
    all.extend(words);
    all.push(url);
    let told = std::process::Command::new("curl").args(all).output().unwrap();
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn a_key_is_good_until_it_is_taken_back_and_a_bad_one_is_never_the_public() {
    let node = TestNode::up_public("urn:agency:vn:mo", "Sở Mở");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cho.csv");
    fs::write(&file, "ma,ten\n1,Đồng Xuân\n").unwrap();
    publish(&node, &file, "cho", &[]);
    Rules::new().apply(&node);
    let party = "urn:party:vn:bao";
    node.ok(&["party", "add", party, "--name", "Báo", "--group", "press"]);
    assert_ne!(node.cmd(&["party", "add", party, "--name", "Báo"]).code, 0, "an id is taken once");
    assert_ne!(
        node.cmd(&["party", "add", "urn:tram:public", "--name", "x"]).code,
        0,
        "the public is nobody's"
    );
    assert_ne!(node.cmd(&["party", "key", party, "--days", "0"]).code, 0);
    let made = node.json(&["party", "key", party, "--purpose", "reporting", "--basis", "law"]);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("tram_") && key.len() > 40);
    let listed = node.json(&["party", "list"]);
    assert!(!listed.to_string().contains(&key), "a key is shown once");
    assert_eq!(listed["parties"][0]["keys"][0]["purpose"], "reporting");
    let files = format!("{}/v1/files/{}/0.parquet", node.public_url(), "0".repeat(64));
    assert_eq!(status(&files, &[]), "401", "an address that nobody signed");
    assert_eq!(
        status(&format!("{}/v1/node", node.public_url()), &[]),
        "404",
        "nothing of the local door is here"
    );
    node.ok(&["party", "revoke", party, made["id"].as_str().unwrap()]);
    assert_eq!(node.json(&["party", "list"])["parties"][0]["keys"][0]["good"], false);
    node.ok(&["party", "stop", party]);
    assert_ne!(node.cmd(&["party", "key", party]).code, 0, "a stopped party gets no key");
}
