use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::boot;
use crate::cli::client::Client;

/// A node without open doors, in a folder of its own.
struct House {
    _dir: TempDir,
    node: Arc<Node>,
    client: Client,
    desk: std::path::PathBuf,
}

impl House {
    async fn new() -> Self {
        let (dir, node) = crate::testing::node().await;
        let client = Client::Here(Box::new(router(node.clone())), node.clone());
        Self { desk: dir.path().to_owned(), _dir: dir, node, client }
    }

    async fn close(self) {
        boot::close(&self.node).await;
    }

    async fn answer(&self, method: &str, path: &str, token: &str, host: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(if method == "POST" { "{}" } else { "" }))
            .unwrap();
        let response = router(self.node.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Adds, checks and publishes a small file.
    async fn publish(&self, name: &str, rows: &str) {
        let path = self.desk.join(format!("{name}.csv"));
        std::fs::write(&path, rows).unwrap();
        let body = json!({"path": path, "name": name, "title": "Chất lượng không khí", "kind": "default", "class": 1});
        let added = self.client.post("/v1/datasets", &body).await.unwrap();
        assert_eq!((&added["dataset"]["status"], &added["dataset"]["rows"]), (&json!("draft"), &Value::Null));
        let checked = self.client.post(&format!("/v1/datasets/{name}/validate"), &json!({})).await.unwrap();
        assert_eq!(checked["report"]["rows"], checked["dataset"]["rows"]);
        let published = self.client.post(&format!("/v1/datasets/{name}/publish"), &json!({})).await.unwrap();
        assert_eq!(published["dataset"]["status"], "published");
    }
}

#[test]
fn only_this_machine_is_loopback() {
    for good in ["127.0.0.1:7080", "localhost:1", "LOCALHOST", "[::1]:9", "127.9.9.9"] {
        assert!(is_loopback(good), "{good}");
    }
    for bad in ["", "example.org", "10.0.0.1:7080", "127.0.0.1.example.org:80", "localhost.example.org"] {
        assert!(!is_loopback(bad), "{bad}");
    }
}

#[tokio::test]
async fn every_route_of_the_table_answers_and_none_without_the_token_or_for_another_host() {
    let house = House::new().await;
    let token = house.node.local_token().to_owned();
    let here = "127.0.0.1:2";
    for (method, path) in ROUTES {
        let path = path
            .replace("{id}", "x")
            .replace("{side}", "provider")
            .replace("{release}", "x")
            .replace("{file}", "x");
        let (status, text) = house.answer(method, &path, &token, here).await;
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(!text.contains("no such resource"), "{method} {path} is nobody's");
        assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}: {text}");
        for (token, host) in [("", here), ("x", here), (&token[1..], here), (token.as_str(), "example.org")] {
            let (status, text) = house.answer(method, &path, token, host).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} for `{host}`");
            assert!(text.contains("urn:tram:problem:unauthenticated"), "{text}");
        }
    }
    let (status, text) = house.answer("GET", "/v1/elsewhere", &token, here).await;
    assert!(status == StatusCode::NOT_FOUND && text.contains("docs/local-api.md"));
    assert_eq!(house.answer("GET", "/v1/elsewhere", "", here).await.0, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[test]
fn the_table_of_contents_names_each_handler_once_and_the_document_each_route() {
    let mut seen = std::collections::BTreeSet::new();
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/local-api.md")).unwrap();
    for (method, path) in ROUTES {
        assert!(seen.insert((method, path)), "{method} {path} stands twice");
        assert!(
            page.contains(&format!("### `{method} {path}`")),
            "docs/local-api.md says nothing of {method} {path}"
        );
    }
}

#[tokio::test]
async fn a_dataset_is_added_checked_published_found_and_withdrawn() {
    let house = House::new().await;
    house.publish("air", "station,pm25\nA,12\nB,40\n").await;
    let shown = house.client.get("/v1/datasets/air").await.unwrap();
    assert_eq!(
        (&shown["dataset"]["rows"], &shown["dataset"]["columns"][1]["name"]),
        (&json!(2), &json!("pm25"))
    );
    let contract = std::fs::read_to_string(shown["contract"].as_str().unwrap()).unwrap();
    assert!(contract.contains("pm25"));
    let found = house.client.get("/v1/catalog?q=chat%20luong").await.unwrap();
    assert_eq!((&found["total"], &found["entries"][0]["dataset"]), (&json!(1), &json!("air")));
    assert_eq!(found["unreached"], json!([]));
    let withdrawn = house.client.post("/v1/datasets/air/withdraw", &json!({})).await.unwrap();
    assert_eq!(withdrawn["dataset"]["status"], "withdrawn");
    assert_eq!(house.client.get("/v1/catalog?q=").await.unwrap()["entries"], json!([]));
    let again =
        house.client.post("/v1/datasets", &json!({"path": house.desk.join("air.csv"), "name": "air"})).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    assert!(matches!(house.client.get("/v1/datasets/none").await, Err(Error::NotFound(_))));
    let unknown = house.client.post("/v1/datasets", &json!({"path": "x", "colour": "red"})).await;
    assert!(matches!(unknown, Err(Error::Usage(text)) if text.contains("colour")));
    house.close().await;
}

#[tokio::test]
async fn rules_are_shown_refused_with_every_problem_applied_and_explained() {
    let house = House::new().await;
    let shown = house.client.get("/v1/policy").await.unwrap();
    let mut files = shown["files"].clone();
    assert_eq!(shown["rule_set"]["version"], 1);
    files["duties.csv"] = json!("p, A\np, B\n");
    let refused = house.client.post("/v1/policy", &json!({"files": files})).await;
    assert!(
        matches!(refused, Err(Error::Usage(text)) if text.contains("duties.csv:1") && text.contains("duties.csv:2"))
    );
    let applied = house.client.post("/v1/policy", &json!({"files": shown["files"]})).await.unwrap();
    assert_eq!((&applied["rule_set"]["version"], &applied["tests"]["failed"]), (&json!(2), &json!(0)));
    assert_eq!(applied["warnings"], json!([]));
    let mut untested = shown["files"].clone();
    untested["cases.json"] = json!("[]");
    let applied = house.client.post("/v1/policy", &json!({"files": untested})).await.unwrap();
    assert!(applied["warnings"][0].as_str().unwrap().contains("no cases"));
    let ask = json!({"subject": "urn:agency:vn:b", "dataset": "air", "action": "query"});
    let explained = house.client.post("/v1/policy/explain", &ask).await.unwrap();
    assert_eq!(explained["explanation"]["decision"]["code"], "INV-PARTY");
    let wrong = json!({"subject": "urn:agency:vn:b", "dataset": "air", "action": "steal"});
    assert!(matches!(house.client.post("/v1/policy/explain", &wrong).await, Err(Error::Usage(_))));
    house.close().await;
}

#[tokio::test]
async fn invitations_peers_registry_and_ledger_answer() {
    let house = House::new().await;
    let invitation = house.client.post("/v1/peers/invitations", &json!({"groups": ["wards"]})).await.unwrap();
    assert!(invitation["code"].as_str().unwrap().len() > 20);
    assert!(invitation["expires"].as_str().unwrap().ends_with('Z'));
    let own = house.client.post("/v1/peers", &json!({"code": invitation["code"]})).await;
    assert!(matches!(own, Err(Error::Usage(text)) if text.contains("itself")));
    assert_eq!(house.client.get("/v1/peers").await.unwrap(), json!({"peers": []}));
    let registry = house.client.get("/v1/registry").await.unwrap();
    assert_eq!(registry["registry"]["version"], 1);
    house.node.append(b"not a statement".to_vec()).await.unwrap();
    let entries = house.client.get("/v1/ledger/entries?from=0&limit=9").await.unwrap();
    assert_eq!((&entries["size"], &entries["entries"][0]["bytes"]), (&json!(1), &json!(15)));
    assert_eq!(house.client.get("/v1/ledger/entries?from=7").await.unwrap()["entries"], json!([]));
    let checked = house.client.post("/v1/ledger/verify", &json!({})).await.unwrap();
    // That the entries were listed is one itself, and one only.
    assert_eq!((&checked["ok"], &checked["entries"]), (&json!(true), &json!(2)));
    let bad = house.client.get("/v1/ledger/entries?from=minus").await;
    assert!(matches!(bad, Err(Error::Usage(_))));
    house.close().await;
}

#[tokio::test]
async fn tags_and_collections_that_no_rule_can_name_are_refused_where_they_are_written() {
    let house = House::new().await;
    house.publish("air", "station,pm25\nA,12\n").await;
    let path = house.desk.join("air.csv");
    for (what, name) in [("tags", "hai từ"), ("collections", "a,b")] {
        let mut body = json!({"path": path, "name": "other", "kind": "default", "class": 1});
        body[what] = json!([name]);
        let refused = house.client.post("/v1/datasets", &body).await;
        assert!(matches!(&refused, Err(Error::Usage(text)) if text.contains(name)), "{refused:?}");
    }
    assert!(matches!(house.client.get("/v1/datasets/other").await, Err(Error::NotFound(_))));
    let contract = house.node.dir.join("contracts/air.yaml");
    let text = std::fs::read_to_string(&contract).unwrap();
    let mut dataset = crate::datasets::demand(&house.node, "air").unwrap();
    dataset.record.tags = vec!["hai từ".into()];
    let edited = ::catalog::contract::write(&dataset.record).unwrap();
    assert_ne!(edited, text);
    std::fs::write(&contract, edited).unwrap();
    let refused = house.client.post("/v1/datasets/air/validate", &json!({})).await;
    assert!(matches!(&refused, Err(Error::Usage(text)) if text.contains("hai từ")), "{refused:?}");
    // On this door the path of what is missing is told.
    std::fs::remove_file(&contract).unwrap();
    let missing = house.client.post("/v1/datasets/air/validate", &json!({})).await;
    assert!(matches!(&missing, Err(Error::Internal(text)) if text.contains("air.yaml")), "{missing:?}");
    house.close().await;
}

#[tokio::test]
async fn a_rule_set_of_6_mib_is_compared_and_5_mib_of_something_else_are_refused() {
    let house = House::new().await;
    let mut files = house.client.get("/v1/policy").await.unwrap()["files"].clone();
    let long =
        "# a remark that makes the file as long as one with many rules is, line by line\n".repeat(80_000);
    assert!(long.len() > 6 << 20);
    files["policy.csv"] = json!(format!("{}{long}", files["policy.csv"].as_str().unwrap()));
    house.client.post("/v1/policy/diff", &json!({"from": {"files": files}})).await.unwrap();
    let ask = json!({"questions": [], "more": "x".repeat(5 << 20)});
    let refused = house.client.post("/v1/policy/decide", &ask).await;
    assert!(matches!(&refused, Err(Error::TooLarge(_))), "{refused:?}");
    house.close().await;
}

#[tokio::test]
async fn core_data_is_not_handed_out_as_a_copy_and_important_data_is_logged_in_full() {
    let house = House::new().await;
    let (keys, descriptor) = crate::testing::member("urn:agency:vn:b");
    crate::testing::pair(&house.node, &keys, &descriptor).await;
    let path = house.desk.join("air.csv");
    std::fs::write(&path, "station,pm25\nA,12\n").unwrap();
    for (name, class) in [("plain", "other"), ("kept", "core"), ("noted", "important")] {
        let body = json!({"path": path, "name": name, "kind": "default", "class": 1, "data_class": class});
        let added = house.client.post("/v1/datasets", &body).await.unwrap();
        assert_eq!(added["dataset"]["data_class"], class);
        // The contract carries it: what is read back is what was said.
        let contract = std::fs::read_to_string(added["contract"].as_str().unwrap()).unwrap();
        assert_eq!(contract.contains("dataClass"), class != "other", "{contract}");
        house.client.post(&format!("/v1/datasets/{name}/validate"), &json!({})).await.unwrap();
        house.client.post(&format!("/v1/datasets/{name}/publish"), &json!({})).await.unwrap();
    }
    let ask = |name: &str, action: &str| {
        json!({"subject": "urn:agency:vn:b", "dataset": name, "action": action,
            "purpose": "environment-monitoring", "basis": "law"})
    };
    let asked: Vec<Value> = ["plain", "kept", "noted"].map(|name| ask(name, "download")).into();
    let told = house.client.post("/v1/policy/decide", &json!({"questions": asked})).await.unwrap();
    let decided = |n: usize| told["decisions"][n]["decision"].to_string();
    assert!(decided(1).contains("VN-LAW-01") && !decided(0).contains("VN-LAW-01"), "{told}");
    assert!(decided(2).contains("VN-DUT-03") && !decided(0).contains("VN-DUT-03"), "{told}");
    assert_eq!(told["decisions"][1]["facts"]["dataset"]["data_class"], "core");
    assert_eq!(told["decisions"][1]["decision"]["code"], "RULE-DENIES", "{told}");
    house.close().await;
}

#[tokio::test]
async fn old_entries_go_to_an_archive_and_come_back() {
    let house = House::new().await;
    for n in 0..300u64 {
        house.node.append(entry(&house.node, n)).await.unwrap();
    }
    let archive = house.desk.join("archive");
    let ask = async |path: &str, body: Value| house.client.post(path, &body).await;
    for bad in [
        json!({"to": archive}),
        json!({"to": archive, "before": "soon"}),
        json!({"to": "x", "before_entry": 9}),
    ] {
        assert!(matches!(ask("/v1/ledger/archive", bad.clone()).await, Err(Error::Usage(_))), "{bad}");
    }
    // By the time that entries state: the first 280 are of another day. The write-ahead log holds them still.
    let told = ask("/v1/ledger/archive", json!({"to": archive, "before": "2026-01-02"})).await.unwrap();
    assert_eq!((&told["asked"], &told["archived"]), (&json!(280), &json!(0)), "{told}");
    // More than a segment of the write-ahead log; it lets go of a full one once the flat files are synced.
    let long = vec![b'x'; 60_000];
    futures::future::try_join_all((0..320).map(|_| house.node.append(long.clone()))).await.unwrap();
    let begun = std::time::Instant::now();
    while ask("/v1/ledger/archive", json!({"to": archive, "before_entry": 280})).await.unwrap()["archived"]
        != 256
    {
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "the write-ahead log never lets go");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        house.node.append(long.clone()).await.unwrap();
    }
    let size = house.node.ledger.size();
    house.node.ledger.checkpoint_covering(size - 1).await.unwrap();
    let gone = house.client.get("/v1/ledger/entries?from=3&limit=1").await.unwrap_err().to_string();
    assert!(gone.contains("archive"), "{gone}");
    let checked = crate::ledger_check::check(&house.node.dir).unwrap();
    assert_eq!((&checked["ok"], &checked["archived"]), (&json!(true), &json!(256)), "{checked}");
    // An auditor finds the ledger whole without the archive, and reads all with it.
    for (given, held) in [(None, size - 256), (Some(archive.clone()), size)] {
        let place = crate::audit::place::Place::Node(house.node.dir.clone());
        let plain = crate::audit::place::Access::plain(tokio::runtime::Handle::current());
        let access = crate::audit::place::Access { archive: given, ..plain };
        let judged = tokio::task::spawn_blocking(move || crate::audit::check::check(&place, &access))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(judged["ok"], json!(true), "{judged}");
        let statements = &judged["statements"];
        let read = statements["signed"].as_u64().unwrap() + statements["unreadable"].as_u64().unwrap();
        assert_eq!(read, held, "{judged}");
    }
    assert!(ask("/v1/ledger/restore", json!({"from": house.desk.join("empty")})).await.is_err());
    let told = ask("/v1/ledger/restore", json!({"from": archive})).await.unwrap();
    assert_eq!(told["restored"], json!(256));
    let back = house.client.get("/v1/ledger/entries?from=3&limit=1").await.unwrap();
    assert_eq!(back["entries"][0]["index"], json!(3));
    house.close().await;
}

/// An entry of the node itself: the first 280 of one day, the others of the next.
fn entry(node: &Node, n: u64) -> Vec<u8> {
    use ::ledger::statement::{Deed, ExchangeId, Own, Party, Read, Seconds, Statement, Word};
    let day = crate::operation::read_time(if n < 280 { "2026-01-01" } else { "2026-01-02" }).unwrap();
    let read = Read {
        reader: Word::new("a").unwrap(),
        action: Word::new("query").unwrap(),
        purpose: None,
        from: 0,
        to: n,
        opened: 0,
        user: None,
    };
    let own = Own {
        id: ExchangeId::new("01J9ZQ4Y7M8N6P5R3S2T1V0W9X").unwrap(),
        time: Seconds::new(u64::try_from(day).unwrap()).unwrap(),
        agency: Party::new(&node.config.node.id).unwrap(),
        deed: Deed::Read(read),
    };
    crate::flow::statement::signed(node, &Statement::Own(own)).unwrap()
}
