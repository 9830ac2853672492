//! Programs that read files by address: HEAD, exact lengths, spans, signed addresses, Arrow streams. With real nodes.
//!
//! The reader here is as strict as the strictest known: it takes 206 alone for a span, and the length that HEAD told. With
//! `TRAM_CLIENTS` (a Python with the packages of `tests/conformance/clients.d`) the real ones read the same files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::Digest;
use tests::door::{Answer, bearer, call};
use tests::scene::{Got, get, publish};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
const ROWS: usize = 60_000;
const PARQUET: &str = "application/vnd.apache.parquet";

fn files(node: &TestNode, exchange: &str) -> Answer {
    let fields = [("authorization", &*bearer(node))];
    call(node, "POST", &format!("/v1/exchanges/{exchange}/files"), &fields)
}

struct Scene {
    provider: TestNode,
    consumer: TestNode,
    rules: Rules,
}

/// Two agencies and a table whose last column is masked.
fn scene(name: &str) -> Scene {
    let provider = TestNode::init(&format!("urn:agency:vn:tep-{name}"), "Chi cục Môi trường");
    let config = provider.dir().join("tram.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[files]\npart_mib = 1\nlink_minutes = 5\n")).unwrap();
    let mut provider = provider;
    provider.start();
    let consumer = TestNode::up(&format!("urn:agency:vn:doc-{name}"), "Phường");
    pair(&provider, &consumer);
    let rules = Rules::new().allow("state", "query", "bui", PURPOSE, json!({"mask": {"nguoi": "hash"}}));
    let rules = rules.allow("state", "download", "bui", PURPOSE, json!({"mask": {"nguoi": "hash"}}));
    rules.apply(&provider);
    let mut table = String::from("so,tram,pm25,nguoi\n");
    for n in 0..ROWS {
        writeln!(table, "{n},Trạm {},{}.5,SECRET-{n}", n % 7, n % 300).unwrap();
    }
    let file = provider.desk().join("bui.csv");
    fs::write(&file, table).unwrap();
    publish(&provider, &file, "bui", &[]);
    Scene { provider, consumer, rules }
}

impl Scene {
    fn got(&self, file: &str, words: &[&str]) -> Got {
        get(&self.consumer, &format!("{}/bui", self.provider.id()), file, &[&FOR, words].concat())
    }
}

/// Reads a file as a strict reader does: its length from HEAD, then spans, each of which must be answered with 206.
fn read_strictly(node: &TestNode, url: &str, step: usize) -> Vec<u8> {
    let head = call(node, "HEAD", url, &[]);
    assert_eq!((head.status, head.body.len(), head.field("accept-ranges")), (200, 0, "bytes"), "{url}");
    let length: usize = head.field("content-length").parse().unwrap();
    let mut body = Vec::new();
    while body.len() < length {
        let last = (body.len() + step).min(length) - 1;
        let part = call(node, "GET", url, &[("range", &format!("bytes={}-{last}", body.len()))]);
        assert_eq!(part.status, 206, "a reader of this kind refuses any other");
        assert_eq!(part.field("content-range"), format!("bytes {}-{last}/{length}", body.len()));
        assert_eq!(part.field("etag"), head.field("etag"), "of one version");
        body.extend(part.body);
    }
    body
}

#[test]
fn received_rows_are_served_with_spans_and_in_the_form_that_is_asked_for() {
    let scene = scene("a");
    let got = scene.got("bui.parquet", &["--format", "parquet"]);
    let path = format!("/v1/exchanges/{}/data", got.word("id"));
    let token = bearer(&scene.consumer);
    let ask = |method: &str, fields: &[(&str, &str)]| {
        call(&scene.consumer, method, &path, &[&[("authorization", &*token)], fields].concat())
    };
    let whole = ask("GET", &[]);
    assert_eq!((whole.status, whole.field("content-type")), (200, PARQUET));
    assert!(whole.body == got.bytes);
    assert_eq!(whole.field("etag"), format!("\"{}\"", got.word("sha256")));
    let footer = ask("GET", &[("range", "bytes=-4")]);
    assert_eq!((footer.status, &footer.body[..]), (206, &b"PAR1"[..]));
    assert_eq!(ask("GET", &[("if-none-match", whole.field("etag"))]).status, 304);
    // As a stream of Arrow, and as lines: other bytes of the same rows, without length and spans.
    let arrow = ask("GET", &[("accept", "application/vnd.apache.arrow.stream")]);
    assert_eq!((arrow.status, arrow.field("content-type")), (200, "application/vnd.apache.arrow.stream"));
    assert_eq!((arrow.field("transfer-encoding"), arrow.field("accept-ranges")), ("chunked", "none"));
    assert_eq!(arrow.field("vary"), "accept");
    assert!(
        arrow.body.starts_with(&[0xFF; 4]) && arrow.body.ends_with(&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
    );
    let csv = ask("GET", &[("accept", "text/csv")]);
    assert_eq!(String::from_utf8(csv.body).unwrap(), scene.got("bui.csv", &["--format", "csv"]).text());
    let lines = ask("GET", &[("accept", "application/x-ndjson")]);
    assert_eq!(lines.body.iter().filter(|byte| **byte == b'\n').count(), ROWS);
    assert!(ask("HEAD", &[("accept", "text/csv")]).body.is_empty());
    let html = ask("GET", &[("accept", "text/html")]);
    assert!(html.status == 406 && html.json()["detail"].as_str().unwrap().contains(PARQUET));
    assert_eq!(html.field("vary"), "accept");
    // Whoever is told no rows is told why, in one form; a HEAD has the fields of it and no body.
    let past = format!("bytes={}-", got.bytes.len());
    for (fields, status, kind) in [
        (&[("accept", "text/html")], 406, "not-acceptable"),
        (&[("if-match", "\"another\"")], 412, "precondition-failed"),
        (&[("range", &*past)], 416, "range-not-satisfiable"),
    ] {
        let told = ask("GET", fields);
        assert_eq!((told.status, told.field("content-type")), (status, "application/problem+json"));
        let body = told.json();
        assert_eq!(body["type"], format!("urn:tram:problem:{kind}"));
        assert_eq!(body["status"], status);
        if status == 416 {
            assert_eq!(told.field("content-range"), format!("bytes */{}", got.bytes.len()));
            continue;
        }
        let head = ask("HEAD", fields);
        assert_eq!((head.status, head.body.len()), (status, 0));
        assert_eq!(head.field("content-type"), "application/problem+json");
    }
}

#[test]
fn files_lie_ready_for_readers_that_take_206_alone() {
    let scene = scene("b");
    let exchange = scene.got("bui.csv", &[]).word("id");
    let told = files(&scene.provider, &exchange);
    assert_eq!(told.status, 200, "{}", told.json());
    let told = told.json();
    let parts = told["files"].as_array().unwrap();
    assert!(parts.len() > 1 && told["rows"] == ROWS, "{told}");
    for part in parts {
        let (url, bytes) = (part["url"].as_str().unwrap(), part["bytes"].as_u64().unwrap());
        assert!(bytes <= 1 << 20 && url.contains("X-Amz-Signature="), "{part}");
        let body = read_strictly(&scene.provider, url, 300_000);
        assert_eq!(body.len() as u64, bytes);
        assert_eq!(hex(&sha2::Sha256::digest(&body)), part["sha256"].as_str().unwrap());
        assert!(body.starts_with(b"PAR1") && body.ends_with(b"PAR1"));
        assert!(!contains(&body, b"SECRET-"), "what the decision masks is in no file");
        assert_eq!(call(&scene.provider, "GET", url, &[]).body.len() as u64, bytes, "as often as wanted");
    }
    // The same again is the same files, and another decision in the ledger, whatever number of reads there was.
    let decisions =
        || scene.provider.json(&["exchange", "decisions", &exchange])["decisions"].as_array().unwrap().len();
    let before = decisions();
    let again = files(&scene.provider, &exchange).json();
    assert_eq!(again["release"], told["release"]);
    read_strictly(&scene.provider, again["files"][0]["url"].as_str().unwrap(), 1 << 20);
    assert_eq!(decisions(), before + 1);
    real_clients(&scene, &told);
}

#[test]
fn an_address_is_good_for_its_file_and_while_the_rules_agree() {
    let mut scene = scene("c");
    let exchange = scene.got("bui.csv", &[]).word("id");
    let told = files(&scene.provider, &exchange).json();
    let url = told["files"][0]["url"].as_str().unwrap().to_owned();
    let other = url.replace("/0.parquet", "/1.parquet");
    let unsigned = url.split('?').next().unwrap().to_owned();
    let nothing = url.replace(told["release"].as_str().unwrap(), &"0".repeat(64));
    let longer = url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000");
    assert_ne!(longer, url);
    let outside = url.replace("/0.parquet", "/..%2f..%2ftram.toml");
    for bad in [&other, &unsigned, &nothing, &longer, &outside, &format!("{url}0")] {
        let answer = call(&scene.provider, "GET", bad, &[]);
        assert_eq!(answer.status, 401, "{bad}");
        assert_eq!(answer.json()["type"], "urn:tram:problem:unauthenticated");
        assert_eq!(call(&scene.provider, "HEAD", bad, &[]).status, 401);
    }
    // The address holds after a restart, but not for another host and not on another path.
    scene.provider.restart();
    assert_eq!(call(&scene.provider, "HEAD", &url, &[]).status, 200);
    let query = url.split_once('?').unwrap().1;
    assert_eq!(call(&scene.provider, "GET", &format!("/v1/node?{query}"), &[]).status, 401);
    // Another mask is another release under another name; what was made under the looser rule is served no more.
    let stricter = Rules::new()
        .allow("state", "query", "bui", PURPOSE, json!({"mask": {"nguoi": "hash", "tram": "null"}}))
        .apply(&scene.provider);
    drop(stricter);
    let stopped = call(&scene.provider, "GET", &url, &[]);
    assert_eq!((stopped.status, stopped.json()["refusal"]["code"].as_str()), (403, Some("RULES-CHANGED")));
    let made_anew = files(&scene.provider, &exchange).json();
    assert_ne!(made_anew["release"], told["release"]);
    assert_ne!(made_anew["files"][0]["id"], told["files"][0]["id"], "clients keep files by their id");
    let url = made_anew["files"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(call(&scene.provider, "HEAD", &url, &[]).status, 200);
    // No rule at all: nothing is made and nothing is served.
    Rules::new().apply(&scene.provider);
    assert_eq!(call(&scene.provider, "GET", &url, &[]).status, 403);
    assert_eq!(files(&scene.provider, &exchange).status, 403);
    scene.rules.apply(&scene.provider);
    assert_eq!(
        call(&scene.provider, "HEAD", &url, &[]).status,
        200,
        "the stricter rows keep the looser rule as well"
    );
    scene.provider.ok(&["dataset", "withdraw", "bui"]);
    assert_eq!(call(&scene.provider, "GET", &url, &[]).status, 403);
}

#[test]
fn the_consumers_own_programs_get_an_address_for_what_was_received() {
    let scene = scene("d");
    let got = scene.got("bui.parquet", &["--format", "parquet"]);
    let told = files(&scene.consumer, &got.word("id")).json();
    let url = told["files"][0]["url"].as_str().unwrap().to_owned();
    assert!(read_strictly(&scene.consumer, &url, 500_000) == got.bytes);
    assert_eq!(call(&scene.provider, "GET", &url, &[]).status, 401, "another node's address");
    scene.consumer.ok(&["exchange", "erase", &got.word("id"), "--reason", "request"]);
    assert_eq!(call(&scene.consumer, "GET", &url, &[]).status, 401);
    // At the provider an erased exchange has no files either.
    let exchange = got.word("id");
    let made = files(&scene.provider, &exchange).json();
    let url = made["files"][0]["url"].as_str().unwrap().to_owned();
    scene.provider.ok(&["exchange", "erase", &exchange, "--reason", "request"]);
    assert_eq!(call(&scene.provider, "GET", &url, &[]).status, 409);
    assert_eq!(files(&scene.provider, &exchange).status, 409);
}

/// Lets the real clients read, where there are some.
fn real_clients(scene: &Scene, told: &Value) {
    let Some(python) = std::env::var_os("TRAM_CLIENTS") else {
        println!("skipped: no real clients; `tests/conformance/clients` brings them");
        return;
    };
    let task = json!({
        "base": format!("http://{}", scene.provider.local_address()),
        "told": told,
        "arrow": arrow_task(scene),
    });
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/clients.d/check.py");
    let done = Command::new(python).arg(check).arg(task.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    println!("{said}");
    assert!(done.status.success(), "{said}");
}

/// An exchange whose rows are read as a stream of Arrow.
fn arrow_task(scene: &Scene) -> Value {
    let exchange = scene.got("lai.csv", &["--format", "csv"]).word("id");
    let base = format!("http://{}", scene.consumer.local_address());
    json!({"url": format!("{base}/v1/exchanges/{exchange}/data"), "authorization": bearer(&scene.consumer)})
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
