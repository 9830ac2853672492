//! A node to which nobody can connect, as behind a firewall that lets nothing in: what peers have to say waits there, and the
//! exchange completes as soon as the node asks for it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::scene::publish;
use tests::{TestNode, free_port, pair};

const PROVIDER: &str = "urn:agency:vn:kho";
const CONSUMER: &str = "urn:agency:vn:xa";
/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(120);

/// Changes the configuration of a node that does not run.
fn edit(node: &TestNode, from: &str, to: &str) {
    let path = node.dir().join("tram.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "no `{from}` in {text}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn until(what: &str, mut done: impl FnMut() -> Option<Value>) -> Value {
    let deadline = Instant::now() + STEP;
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_node_that_nobody_reaches_gets_its_messages_by_asking_and_its_exchange_completes() {
    let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    let mut consumer = TestNode::init(CONSUMER, "Xã thử");
    // It listens elsewhere than it says: a connection to its address is refused.
    let listen = format!("listen = \"{}\"", consumer.peer_address());
    edit(&consumer, &listen, &format!("listen = \"127.0.0.1:{}\"", free_port()));
    consumer.start();
    pair(&provider, &consumer);
    let file = provider.desk().join("x.csv");
    std::fs::write(&file, "id,v\n1,2\n3,4\n").unwrap();
    publish(&provider, &file, "x", &[]);
    let what = format!("{PROVIDER}/x");
    let words =
        ["exchange", "get", &what, "--purpose", "planning", "--basis", "law", "--queue", "--wait", "1"];
    consumer.cmd(&words);

    // Without asking nothing arrives, and the provider says what waits, and why.
    let waiting = until("a message that waits at the provider", || {
        let shown = provider.json(&["line", "show"]);
        let peer = shown["peers"][0].clone();
        (peer["wait"]["tries"].as_u64().unwrap_or(0) >= 2).then_some(peer)
    });
    assert_eq!((&waiting["peer"], &waiting["messages"]), (&CONSUMER.into(), &1.into()), "{waiting}");
    assert!(waiting["wait"]["reason"].as_str().unwrap().contains("cannot be reached"), "{waiting}");
    let open = consumer.json(&["exchange", "list"])["exchanges"][0].clone();
    assert_ne!(open["stage"], "completed", "{open}");

    consumer.stop();
    edit(&consumer, "[peer]\n", "[peer]\noutbound_only = true\n");
    consumer.start();
    let done = until("the end of the exchange", || {
        let exchange = consumer.json(&["exchange", "list"])["exchanges"][0].clone();
        (exchange["stage"] == "completed").then_some(exchange)
    });
    assert_eq!((done["id"].as_str(), &done["rows"]), (open["id"].as_str(), &2.into()), "{done}");
    let rows = std::fs::read_to_string(consumer.dir().join("received").join(done["id"].as_str().unwrap()));
    assert_eq!(rows.unwrap(), "id,v\n1,2\n3,4\n");
    // Both sides count it as done, and nothing is left in the outbox.
    let at_provider = until("the end at the provider", || {
        let exchange = provider.json(&["exchange", "list"])["exchanges"][0].clone();
        (exchange["stage"] == "completed").then_some(exchange)
    });
    assert_eq!(at_provider["id"], done["id"]);
    assert_eq!(provider.json(&["line", "show"])["peers"][0]["messages"], 0);
}

#[test]
fn a_peer_that_accepts_the_connection_and_never_answers_holds_up_no_other() {
    let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    let mut dead = TestNode::up("urn:agency:vn:im", "Nơi im lặng");
    let mut consumer = TestNode::init(CONSUMER, "Xã thử");
    let listen = format!("listen = \"{}\"", consumer.peer_address());
    edit(&consumer, &listen, &format!("listen = \"127.0.0.1:{}\"", free_port()));
    edit(&consumer, "[peer]\n", "[peer]\noutbound_only = true\n");
    consumer.start();
    for node in [&provider, &dead] {
        pair(node, &consumer);
        let file = node.desk().join("x.csv");
        std::fs::write(&file, "id,v\n1,2\n3,4\n").unwrap();
        publish(node, &file, "x", &[]);
    }
    dead.stop();
    let hole = TcpListener::bind(dead.peer_address()).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in hole.incoming() {
            held.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let get = |what: &str| {
        let terms = ["--purpose", "planning", "--basis", "law", "--queue", "--wait", "1"];
        consumer.cmd(&[&["exchange", "get", what], &terms[..]].concat());
    };
    get("urn:agency:vn:im/x");
    // One connection of the exchange itself, one of the ask for messages.
    until("two connections to the silent peer", || {
        (asked.load(Ordering::SeqCst) >= 2).then_some(Value::Null)
    });
    get(&format!("{PROVIDER}/x"));
    let ended = until("the end of the exchange with the peer that answers", || {
        let list = consumer.json(&["exchange", "list"]);
        let of = |peer: &str| {
            let found = list["exchanges"].as_array().unwrap().iter().find(|e| e["peer"] == peer);
            found.unwrap()["stage"].clone()
        };
        assert_ne!(of("urn:agency:vn:im"), "completed");
        (of(PROVIDER) == "completed").then_some(list)
    });
    // Nothing came twice: one exchange with each, and both ends of the one that is done count it once.
    assert_eq!(ended["exchanges"].as_array().unwrap().len(), 2, "{ended}");
    assert_eq!(provider.json(&["exchange", "list"])["exchanges"].as_array().unwrap().len(), 1);
}
