//! Two nodes meet as connectors of other makes would: by the Dataspace Protocol alone, over the public door, with tokens.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::scene::{publish, wait};
use tests::{Rules, TestNode};

const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// Registers `guest` at `host` as a party with a connector, and gives the key that it shows there.
fn register(host: &TestNode, guest: &TestNode, party: &str) -> String {
    host.ok(&["party", "add", party, "--name", "Đầu nối", "--group", "portals"]);
    let key = host.json(&["party", "key", party])["key"].as_str().unwrap().to_owned();
    let file = host.desk().join("none");
    fs::write(&file, "later\n").unwrap();
    connect(host, guest, party, &file);
    key
}

fn connect(host: &TestNode, guest: &TestNode, party: &str, token: &Path) {
    let (endpoint, data) =
        (format!("{}/dsp/2025-1", guest.public_url()), format!("{}/dsp/data", guest.public_url()));
    let (id, token) = (guest.id().to_owned(), token.display().to_string());
    let words =
        ["connector", "add", party, "--participant", &id, "--endpoint", &endpoint, "--auth", "static"];
    host.ok(&[
        &words[..],
        &["--token-file", &token, "--purpose", "statistics", "--basis", "law", "--data", &data],
    ]
    .concat());
}

struct Pair {
    provider: TestNode,
    consumer: TestNode,
    /// What the consumer shows to the provider.
    key: String,
}

const AT_PROVIDER: &str = "urn:party:vn:hoi";
const AT_CONSUMER: &str = "urn:party:vn:giu";

fn pair() -> Pair {
    let provider = TestNode::up_public("urn:agency:vn:giu", "Sở Giữ");
    let consumer = TestNode::up_public("urn:agency:vn:hoi", "Sở Hỏi");
    let key = register(&provider, &consumer, AT_PROVIDER);
    let back = register(&consumer, &provider, AT_CONSUMER);
    for (host, guest, party, token) in
        [(&provider, &consumer, AT_PROVIDER, &back), (&consumer, &provider, AT_CONSUMER, &key)]
    {
        let file = host.desk().join("token");
        fs::write(&file, token).unwrap();
        connect(host, guest, party, &file);
    }
    Pair { provider, consumer, key }
}

fn table(node: &TestNode, name: &str) {
    let file = node.desk().join(format!("{name}.csv"));
    fs::write(&file, "ma,ten,so\n1,Đồng Xuân,7\n2,Hàng Da,9\n").unwrap();
    publish(node, &file, name, &[]);
}

/// Status and body of one request to the provider's protocol.
fn call(pair: &Pair, key: &str, method: &str, path: &str, body: Option<&Value>) -> (String, Value) {
    let url = format!("{}{path}", pair.provider.public_url());
    let mut command = Command::new("curl");
    command.args(["-s", "-w", "\n%{http_code}", "-X", method, "-H", "content-type: application/json"]);
    if !key.is_empty() {
        command.args(["-H", &format!("authorization: Bearer {key}")]);
    }
    if body.is_some() {
        command.args(["--data-binary", "@-"]);
    }
    let mut child = command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = body.map(Value::to_string).unwrap_or_default();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let (body, status) = told.rsplit_once('\n').unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn message(kind: &str, mut rest: Value) -> Value {
    rest["@context"] = json!([CONTEXT]);
    rest["@type"] = json!(kind);
    rest
}

#[test]
fn rows_come_by_the_protocol_alone_and_only_as_the_rules_say() {
    let pair = pair();
    table(&pair.provider, "cho");
    table(&pair.provider, "kin");
    let masked = json!({"mask": {"ten": "null"}});
    let subject = format!("ag:{AT_PROVIDER}");
    Rules::closed()
        .open(&subject, "discover", "cho", Value::Null)
        .open(&subject, "query", "cho", masked)
        .apply(&pair.provider);

    let (status, catalog) = call(
        &pair,
        &pair.key,
        "POST",
        "/dsp/2025-1/catalog/request",
        Some(&message("CatalogRequestMessage", json!({}))),
    );
    assert_eq!(status, "200", "{catalog}");
    assert!(catalog.to_string().contains("urn:agency:vn:giu/cho"), "{catalog}");
    assert!(!catalog.to_string().contains("kin"), "what may not be discovered is nowhere: {catalog}");
    let one = |id: &str| call(&pair, &pair.key, "GET", &format!("/dsp/2025-1/catalog/datasets/{id}"), None);
    let (hidden, unknown) = (one("urn:agency:vn:giu%2Fkin"), one("urn:agency:vn:giu%2Fnothing"));
    assert_eq!((hidden.0.as_str(), &hidden), ("404", &unknown), "hidden and unknown are answered alike");

    let out = pair.consumer.desk().join("cho-here.csv");
    let file = out.display().to_string();
    let words = [
        "connector",
        "get",
        AT_CONSUMER,
        "urn:agency:vn:giu/cho",
        "--purpose",
        "statistics",
        "--basis",
        "law",
    ];
    let told = pair.consumer.json(&[&words[..], &["--out", &file]].concat());
    assert_eq!(told["stage"], "received", "{told}");
    let rows = fs::read_to_string(&out).unwrap();
    assert!(rows.contains('7') && !rows.contains("Xuân"), "the mask holds for connectors too: {rows}");

    let refused = pair.consumer.cmd(&["connector", "get", AT_CONSUMER, "urn:agency:vn:giu/kin"]);
    assert_ne!(refused.code, 0);
}

#[test]
fn what_may_be_seen_and_not_had_is_refused_with_its_reason() {
    let pair = pair();
    table(&pair.provider, "cho");
    Rules::closed().open("*", "discover", "cho", Value::Null).apply(&pair.provider);
    let told = pair.consumer.cmd(&["connector", "get", AT_CONSUMER, "urn:agency:vn:giu/cho"]);
    assert_ne!(told.code, 0);
    assert!(told.stderr.contains("not offered"), "{}", told.stderr);
}

#[test]
fn strangers_third_places_and_malformed_messages_change_nothing() {
    let pair = pair();
    table(&pair.provider, "cho");
    let subject = format!("ag:{AT_PROVIDER}");
    Rules::closed()
        .open(&subject, "discover", "cho", Value::Null)
        .open(&subject, "query", "cho", Value::Null)
        .apply(&pair.provider);
    let version = call(&pair, "", "GET", "/.well-known/dspace-version", None);
    assert_eq!(
        (version.0.as_str(), &version.1["protocolVersions"][0]["path"]),
        ("200", &json!("/dsp/2025-1"))
    );
    let ask = message("CatalogRequestMessage", json!({}));
    for key in ["", "tram_nobody", "{\"clientId\":\"urn:agency:vn:hoi\"}"] {
        let (status, _) = call(&pair, key, "POST", "/dsp/2025-1/catalog/request", Some(&ask));
        assert_eq!(status, "401", "`{key}` is nobody");
    }
    let filter = message("CatalogRequestMessage", json!({"filter": [{"a": 1}]}));
    assert_eq!(call(&pair, &pair.key, "POST", "/dsp/2025-1/catalog/request", Some(&filter)).0, "400");

    let (_, dataset) =
        call(&pair, &pair.key, "GET", "/dsp/2025-1/catalog/datasets/urn:agency:vn:giu%2Fcho", None);
    let mut offer = dataset["hasPolicy"][0].clone();
    offer["target"] = dataset["@id"].clone();
    let request = |pid: &str, callback: &str, offer: &Value| {
        message(
            "ContractRequestMessage",
            json!({"consumerPid": pid, "callbackAddress": callback, "offer": offer}),
        )
    };
    let open = |body: &Value| call(&pair, &pair.key, "POST", "/dsp/2025-1/negotiations/request", Some(body));
    let own = format!("{}/dsp/2025-1", pair.consumer.public_url());
    for third in [
        "http://127.0.0.1:1/dsp/2025-1",
        "http://169.254.169.254/latest",
        &format!("{own}/../x"),
        &format!("{own}x"),
    ] {
        let (status, told) = open(&request("urn:uuid:1", third, &offer));
        assert_eq!((status.as_str(), &told["code"]), ("400", &json!("CALLBACK")), "{third}: {told}");
    }
    let huge = request("urn:uuid:1", &own, &json!({"x": "y".repeat(2 << 20)}));
    assert_eq!(open(&huge).0, "413");
    for broken in [
        json!({}),
        json!([]),
        message("ContractRequestMessage", json!({})),
        request("urn:uuid:1", &own, &json!({})),
    ] {
        assert_eq!(open(&broken).0, "400", "{broken}");
    }

    // Weaker terms than those of the offer are no agreement.
    let mut weaker = offer.clone();
    weaker["permission"] = json!([{"action": "use"}]);
    let (status, begun) = open(&request("urn:uuid:weaker", &own, &weaker));
    assert_eq!(status, "201", "{begun}");
    let pid = begun["providerPid"].as_str().unwrap().to_owned();
    let path = format!("/dsp/2025-1/negotiations/{pid}");
    let again = open(&request("urn:uuid:weaker", &own, &weaker));
    assert_eq!(again.1["providerPid"], json!(pid), "the same message again is the same negotiation");
    assert_eq!(
        open(&request("urn:uuid:weaker", &own, &offer)).0,
        "400",
        "and another one with its pid is none"
    );
    wait("the end of the negotiation", || {
        let (_, told) = call(&pair, &pair.key, "GET", &path, None);
        assert!(told["state"] != "AGREED" && told["state"] != "FINALIZED", "{told}");
        // The other node knows no such negotiation and answers 404 each time: the end here is that no agreement comes.
        pair.provider
            .log()
            .contains("sent again")
            .then_some(())
            .or((told["state"] == "TERMINATED").then_some(()))
    });
    let other = pair.provider.json(&["party", "add", "urn:party:vn:ba", "--name", "Bên thứ ba"]);
    let _ = other;
    let third = pair.provider.json(&["party", "key", "urn:party:vn:ba"])["key"].as_str().unwrap().to_owned();
    assert_eq!(
        call(&pair, &third, "GET", &path, None).0,
        "401",
        "a party without a connector is nobody here"
    );
    let data = call(&pair, "wrong", "GET", &format!("/dsp/data/{pid}"), None);
    assert_eq!(data.0, "401", "a token that opens nothing");
}
