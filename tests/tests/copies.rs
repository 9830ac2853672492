//! Where copies end and what is no copy: an erased exchange takes the subscribed copy along, inboxes of exchanges at their
//! end are tidied up, and what never arrived is nothing to tell changes from. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::scene::{get, publish, wait};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];

struct Stage {
    provider: TestNode,
    consumer: TestNode,
    what: String,
}

impl Stage {
    fn set(name: &str, rows: &str) -> Self {
        let provider = TestNode::up(&format!("urn:agency:vn:ban-sao-{name}"), "Chi cục Môi trường");
        let consumer = TestNode::up(&format!("urn:agency:vn:giu-{name}"), "Phường");
        pair(&provider, &consumer);
        Rules::new().allow("state", "query", "bui", PURPOSE, json!({})).apply(&provider);
        let file = provider.desk().join("bui.csv");
        fs::write(&file, rows).unwrap();
        publish(&provider, &file, "bui", &[]);
        let what = format!("{}/bui", provider.id());
        Self { provider, consumer, what }
    }

    /// Begins an exchange that asks for a copy, and waits until the provider has made its rows.
    fn made(&self, since: &str) -> String {
        let before = self.ids();
        let words = [&["exchange", "get", &self.what, "--queue", "--since", since][..], &FOR[..]].concat();
        let _given_up = self.consumer.spawn(&words);
        let new = || self.ids().into_iter().find(|id| !before.contains(id));
        let id = wait("the exchange", new);
        let there = || self.provider.cmd(&["exchange", "show", &id, "--json"]);
        wait("the rows at the provider", || {
            let told = there();
            (told.code == 0).then(|| told.json()["rows"].as_u64()).flatten()
        });
        id
    }

    fn ids(&self) -> Vec<String> {
        let all = self.consumer.json(&["exchange", "list"]);
        let all = all["exchanges"].as_array().unwrap().iter();
        all.filter_map(|e| e["id"].as_str().map(str::to_owned)).collect()
    }

    fn subscription(&self) -> Value {
        self.consumer.json(&["subscription", "show", "bui"])
    }

    /// The exchange that brought the copy.
    fn copied(&self) -> String {
        wait("the copy", || self.subscription()["copy"]["exchange"].as_str().map(str::to_owned))
    }

    fn inbox(&self, id: &str) -> PathBuf {
        self.consumer.dir().join("inbox").join(id)
    }

    /// What a kill between the end of an exchange and the tidying leaves.
    fn leave(&self, id: &str) {
        fs::create_dir_all(self.inbox(id)).unwrap();
        fs::write(self.inbox(id).join("rows.part"), "a,b\n1,2\n").unwrap();
    }
}

#[test]
fn an_erased_exchange_takes_its_inbox_and_the_subscribed_copy_along() {
    let mut stage = Stage::set("a", "a,b\n1,2\n");
    stage.consumer.ok(&[&["subscription", "add", &stage.what, "--every", "366d"], &FOR[..]].concat());
    let id = stage.copied();
    let copy = stage.consumer.dir().join("subscriptions/bui.csv");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "a,b\n1,2\n");
    stage.leave(&id);
    stage.consumer.ok(&["exchange", "erase", &id, "--reason", "request"]);
    assert!(!copy.exists() && !stage.inbox(&id).exists());
    assert!(!stage.consumer.dir().join("received").join(&id).exists());
    assert!(stage.subscription()["copy"].is_null(), "{}", stage.subscription());
    // The subscription goes on, with the whole.
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    let next = stage.copied();
    let told = stage.consumer.json(&["exchange", "show", &next]);
    assert_eq!(told["copy"]["kind"], "whole", "{told}");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "a,b\n1,2\n");
    // What such a kill left goes by itself.
    stage.consumer.stop();
    stage.leave(&next);
    stage.consumer.start();
    wait("the inbox to be tidied up", || (!stage.inbox(&next).exists()).then_some(()));
    assert!(copy.exists(), "the copy is no leftover");
}

#[test]
fn what_was_never_acknowledged_is_no_copy_to_tell_changes_from() {
    let rows = |n: u32| (0..2_000).fold("id,ghi_chu\n".to_owned(), |all, i| all + &format!("{i},tram {n}\n"));
    let stage = Stage::set("b", &rows(1));
    // So slow that the rows are made and not here.
    stage.consumer.ok(&["line", "set", "--fetch", "1k"]);
    let first = stage.made("none");
    fs::write(stage.provider.dir().join("data/bui/bui.csv"), rows(2)).unwrap();
    stage.provider.ok(&["dataset", "validate", "bui"]);
    let second = stage.made(&first);
    let state = |id: &str| stage.consumer.json(&["exchange", "show", id]);
    assert_ne!(state(&first)["stage"], "completed", "the line was too quick for this test");
    stage.consumer.ok(&["line", "set", "--fetch", "none"]);
    for id in [&first, &second] {
        wait("the end", || (state(id)["stage"] == "completed").then_some(()));
    }
    let told = state(&second);
    assert_eq!((&told["copy"]["kind"], &told["copy"]["why"]), (&json!("whole"), &json!("gone")), "{told}");
    // Now it has arrived.
    let third = get(&stage.consumer, &stage.what, "3.csv", &[&FOR[..], &["--since", &second]].concat());
    assert_eq!(
        (&third.told["copy"]["kind"], &third.told["copy"]["rows"]),
        (&json!("changes"), &json!(2_000))
    );
}
