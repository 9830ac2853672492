//! The catalog for the rest of the field, on a real node: each rendition says what its caller may know, and no more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by stopping, its helpers too"
)]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::scene::publish;
use tests::{Rules, TestNode};

/// Status, head and body of an answer.
struct Told {
    status: u16,
    head: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

fn ask(node: &TestNode, path: &str, words: &[&str]) -> Told {
    let url = format!("{}{path}", node.public_url());
    let output = Command::new("curl").args(["-s", "-g", "-i"]).args(words).arg(url).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {path}: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Told { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Words that stand in the hidden dataset alone.
const SECRETS: [&str; 4] = ["mat-kin", "Sổ kín", "cot_kin", "từ khoá kín"];
/// Words that stand in the restricted dataset's columns, licence and addresses alone.
const RESTRICTED: [&str; 3] = ["cot_han_che", "odata/v4/han_che", "tables/han-che"];

/// An agency with a dataset that anybody may query, one that anybody may know of, and one that nobody sees; and the key of a
/// party that sees all three.
fn scene() -> (TestNode, String) {
    let node = TestNode::up_public("urn:agency:vn:mo", "Sở Mở");
    let dir = tempfile::tempdir().unwrap();
    for (name, title, column, keyword, kind) in [
        ("cho-mo", "Chợ & siêu thị", "ten_cho", "thương mại", "open"),
        ("han-che", "Sổ hạn chế", "cot_han_che", "sổ", "default"),
        ("mat-kin", "Sổ kín", "cot_kin", "từ khoá kín", "default"),
    ] {
        let file = dir.path().join(format!("{name}.csv"));
        fs::write(&file, format!("ma,{column}\n1,Đồng Xuân\n2,Hôm\n")).unwrap();
        let class = if kind == "open" { "0" } else { "1" };
        let words = ["--title", title, "--keyword", keyword, "--kind", kind, "--class", class];
        publish(&node, &file, name, &words);
    }
    let mut rules = Rules::closed()
        .open("gr:public", "discover", "cho-mo", Value::Null)
        .open("gr:public", "query", "cho-mo", Value::Null)
        .open("gr:public", "discover", "han-che", Value::Null);
    for name in ["cho-mo", "han-che", "mat-kin"] {
        for action in ["discover", "metadata", "query"] {
            rules = rules.open("gr:press", action, name, Value::Null);
        }
    }
    rules.apply(&node);
    let party = "urn:party:vn:bao";
    node.ok(&["party", "add", party, "--name", "Báo", "--group", "press"]);
    let made = node.json(&["party", "key", party, "--purpose", "reporting", "--basis", "law"]);
    (node, made["key"].as_str().unwrap().to_owned())
}

/// Every address that shows datasets.
const ADDRESSES: [&str; 22] = [
    "/",
    "/?q=so",
    "/?q=cot_kin",
    "/?q=cot_han_che",
    "/catalog",
    "/catalog.ttl",
    "/catalog.rdf",
    "/catalog.xml",
    "/catalog.jsonld",
    "/catalog.ttl?modified_since=2020-01-01",
    "/dataset/han-che",
    "/dataset/han-che.ttl",
    "/dataset/mat-kin",
    "/sitemap.xml",
    "/api/3/action/package_list",
    "/api/3/action/package_search?rows=100&facet.field=[%22tags%22,%22organization%22,%22groups%22]",
    "/api/3/action/package_search?q=so",
    "/api/3/action/package_search?q=cot_han_che",
    "/api/3/action/current_package_list_with_resources",
    "/api/3/action/tag_list",
    "/api/3/action/organization_show?id=urn-agency-vn-mo&include_datasets=true",
    "/api/action/package_show?id=han-che",
];

#[test]
fn no_rendition_tells_more_than_its_caller_may_know() {
    let (node, key) = scene();
    let bearer = format!("Authorization: Bearer {key}");
    let mut press = String::new();
    for address in ADDRESSES {
        let told = ask(&node, address, &[]);
        assert!(told.status < 500, "{address}: {}", told.body);
        // A search says its own words again.
        let asked = |word: &str| address.contains(word);
        for secret in SECRETS.iter().chain(&RESTRICTED).filter(|word| !asked(word)) {
            assert!(!told.body.contains(secret), "{address} tells `{secret}`: {}", told.body);
        }
        press.push_str(&ask(&node, address, &["-H", &bearer]).body);
    }
    for word in SECRETS.iter().chain(&RESTRICTED) {
        assert!(press.contains(word), "who may see `{word}` does not: the test looks at nothing");
    }
    for query in ["cot_kin", "cot_han_che", "kín"] {
        let found =
            ask(&node, "/api/3/action/package_search", &["-G", "--data-urlencode", &format!("q={query}")]);
        assert_eq!(found.json()["result"]["count"], 0, "{query}");
    }
    let wrong = ask(&node, "/catalog.ttl", &["-H", "Authorization: Bearer tram_no"]);
    assert_eq!(wrong.status, 401, "a key that is not good is not the public");
    let wrong = ask(&node, "/api/3/action/package_list", &["-H", "X-CKAN-API-Key: tram_no"]);
    assert_eq!((wrong.status, &wrong.json()["error"]["__type"]), (403, &json!("Authorization Error")));
}

#[test]
fn hidden_and_unknown_are_answered_alike() {
    let (node, _) = scene();
    for address in ["/dataset/NAME", "/dataset/NAME.ttl", "/api/3/action/package_show?id=NAME"] {
        let of = |name: &str| {
            let told = ask(&node, &address.replace("NAME", name), &[]);
            (told.status, told.body.replace(name, "NAME"))
        };
        let hidden = of("mat-kin");
        assert_eq!(hidden.0, 404, "{address}");
        assert_eq!(hidden, of("khong-co"), "{address}");
    }
}

#[test]
fn clients_get_the_form_that_they_ask_for() {
    let (node, _) = scene();
    for (accept, kind) in [
        ("text/turtle", "text/turtle"),
        ("application/rdf+xml", "application/rdf+xml"),
        ("application/ld+json", "application/ld+json"),
        ("text/html", "text/html; charset=utf-8"),
    ] {
        let told = ask(&node, "/dataset/cho-mo", &["-H", &format!("Accept: {accept}")]);
        assert!(told.head.contains(&format!("content-type: {kind}")), "{accept}: {}", told.head);
        assert!(told.head.contains("vary: accept, authorization"), "{}", told.head);
    }
    assert_eq!(ask(&node, "/catalog", &["-H", "Accept: image/png"]).status, 400, "nothing of that kind");
    let page = ask(&node, "/dataset/cho-mo", &[]);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert!(page.body.contains("schema.org") && page.body.contains("Chợ &#38; siêu thị"), "{}", page.body);
    let first = ask(&node, "/catalog.ttl", &[]);
    let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again = ask(&node, "/catalog.ttl", &["-H", &format!("If-None-Match: {tag}")]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert!(first.body.contains("access-right/PUBLIC") && first.body.contains("access-right/RESTRICTED"));
    let paged = ask(&node, "/catalog.ttl?size=1", &[]);
    assert!(paged.body.contains("catalog.ttl?page=2&size=1"), "{}", paged.body);
    assert!(!paged.body.contains("Sổ hạn chế"), "a page holds what stands on it");
    let past = ask(&node, "/catalog.ttl?size=1&page=9", &[]);
    assert!(past.status == 200 && !past.body.contains("dcat:Dataset"), "{}", past.body);
    assert_eq!(ask(&node, "/catalog.ttl?modified_since=yesterday", &[]).status, 400);
    assert!(!ask(&node, "/catalog.ttl?modified_since=2999-01-01", &[]).body.contains("dcat:Dataset"));
}

#[test]
fn ckans_clients_may_ask_in_each_of_their_ways() {
    let (node, key) = scene();
    let search = json!({"fq": "organization:urn-agency-vn-mo", "rows": 5}).to_string();
    let json =
        ask(&node, "/api/action/package_search", &["-H", "Content-Type: application/json", "-d", &search]);
    assert_eq!(json.json()["result"]["count"], 2, "{}", json.body);
    let form = ask(&node, "/api/3/action/package_show", &["-d", "id=cho-mo"]);
    assert_eq!(form.json()["result"]["resources"][0]["format"], "OData", "{}", form.body);
    let mine = ask(&node, "/api/3/action/package_list", &["-H", &format!("Authorization: {key}")]);
    assert_eq!(mine.json()["result"], json!(["cho-mo", "han-che", "mat-kin"]));
    let bad = ask(&node, "/api/3/action/package_list", &["-H", "Content-Type: application/json", "-d", "{"]);
    assert_eq!(bad.status, 400, "{}", bad.body);
    assert_eq!(
        ask(&node, "/api/3/action/package_create", &["-d", "{}"]).status,
        400,
        "nothing is written here"
    );
    let found = ask(&node, "/api/3/action/package_search", &["-G", "--data-urlencode", "q=cho sieu thi"]);
    assert_eq!(found.json()["result"]["results"][0]["name"], "cho-mo", "marks may be left out");
}
