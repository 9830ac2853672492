//! Delta Sharing at the public door: who sees which table, what the lines say, what a feed of changes tells. With a real node;
//! the client from PyPI reads the same in `tests/conformance/delta`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tests::door::{Answer, call_at};
use tests::scene::publish;
use tests::{Rules, TestNode};

const PURPOSE: &str = "air-quality-management";
const PARTY: &str = "urn:party:vn:bao";
const OTHER: &str = "urn:party:vn:khac";
const TABLES: &str = "/delta-sharing/shares/chia-se/schemas/datasets/tables";
const HEADER: &str = "so,tram,nguoi,noi_bo\n";
const FIRST: &str = "1,HK,SECRET-1,INTERNAL-1\n2,TH,SECRET-2,INTERNAL-2\n3,KIN,SECRET-3,INTERNAL-3\n";

struct Stage {
    node: TestNode,
    /// `Authorization` of the party that may read, and of one that may not.
    reader: String,
    other: String,
}

/// Who may know of `an` is nobody; `kin` may be discovered and not read; `bui` is read by the group `press`.
fn shown() -> Value {
    json!({
        "columns": ["so", "tram", "nguoi"],
        "mask": {"nguoi": "hash"},
        "row_filter": [{"column": "tram", "op": "ne", "value": "KIN"}],
    })
}

fn rules(node: &TestNode, obligations: Value) {
    let rules = Rules::closed().allow("press", "download", "bui", PURPOSE, obligations);
    let open =
        ["bui", "kin"].into_iter().flat_map(|name| ["discover", "metadata"].map(|action| (name, action)));
    open.fold(rules, |rules, (name, action)| rules.open("*", action, name, Value::Null)).apply(node);
}

impl Stage {
    fn set() -> Self {
        let node = TestNode::up_public("urn:agency:vn:chia-se", "Chi cục Môi trường");
        for name in ["bui", "kin", "an"] {
            let file = node.desk().join(format!("{name}.csv"));
            fs::write(&file, format!("{HEADER}{FIRST}")).unwrap();
            publish(&node, &file, name, &[]);
        }
        rules(&node, shown());
        let mut keys = Vec::new();
        for (party, group) in [(PARTY, "press"), (OTHER, "nobody")] {
            node.ok(&["party", "add", party, "--name", "Báo", "--group", group]);
            let profile = node.desk().join(format!("{group}.share"));
            let path = profile.to_string_lossy();
            node.ok(&["party", "key", party, "--purpose", PURPOSE, "--basis", "law", "--delta", &path]);
            assert_eq!(fs::metadata(&profile).unwrap().permissions().mode() & 0o777, 0o600);
            let told: Value = serde_json::from_slice(&fs::read(&profile).unwrap()).unwrap();
            assert_eq!(told["shareCredentialsVersion"], 1);
            assert_eq!(told["endpoint"], format!("{}/delta-sharing", node.public_url()));
            keys.push(format!("Bearer {}", told["bearerToken"].as_str().unwrap()));
        }
        let other = keys.pop().unwrap();
        Self { node, reader: keys.pop().unwrap(), other }
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> Answer {
        let url = self.node.public_url();
        let address = url.strip_prefix("http://").unwrap();
        let fields = [("authorization", key), ("content-type", "application/json")];
        let fields = if key.is_empty() { &fields[1..] } else { &fields[..] };
        call_at(address, method, path, fields, body)
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        self.ask("GET", path, key, "")
    }

    /// The lines of a question for rows.
    fn query(&self, body: &str) -> Vec<Value> {
        let answer = self.ask("POST", &format!("{TABLES}/bui/query"), &self.reader, body);
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (200, "application/x-ndjson; charset=utf-8")
        );
        lines(&answer)
    }

    fn changes(&self, parameters: &str, key: &str) -> Answer {
        self.get(&format!("{TABLES}/bui/changes?{parameters}"), key)
    }

    fn version(&self) -> u64 {
        let answer = self.get(&format!("{TABLES}/bui/version"), &self.reader);
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        answer.field("delta-table-version").parse().unwrap()
    }

    fn rewrite(&self, rows: &str) {
        fs::write(self.node.dir().join("data/bui/bui.csv"), format!("{HEADER}{rows}")).unwrap();
        self.node.ok(&["dataset", "validate", "bui"]);
    }

    fn fetch(&self, url: &str) -> Answer {
        let path = url.strip_prefix(&self.node.public_url()).unwrap();
        self.get(path, "")
    }
}

fn lines(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["errorCode"].as_str().unwrap_or_default().to_owned())
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

/// Every address, for every caller: nobody learns of what the rules hide, and what is hidden is answered like what is not there.
#[test]
fn no_table_column_or_value_is_told_to_who_may_not_know_it() {
    let stage = Stage::set();
    let keys = [stage.reader.as_str(), stage.other.as_str(), ""];
    let lists =
        ["", "/chia-se", "/chia-se/schemas", "/chia-se/schemas/datasets/tables", "/chia-se/all-tables"];
    for key in keys {
        for list in lists {
            let answer = stage.get(&format!("/delta-sharing/shares{list}"), key);
            assert_eq!(answer.status, 200, "{list}");
            for secret in ["\"an\"", "\"kin\"", "SECRET", "INTERNAL", "noi_bo"] {
                assert!(!contains(&answer.body, secret), "{list} tells of {secret}");
            }
            let reads = key == stage.reader && list.ends_with("tables");
            assert_eq!(contains(&answer.body, "\"bui\""), reads, "{list}");
        }
        for (method, end, body) in [
            ("GET", "", ""),
            ("HEAD", "", ""),
            ("GET", "/version", ""),
            ("GET", "/metadata", ""),
            ("POST", "/query", "{}"),
            ("GET", "/changes?startingVersion=0", ""),
        ] {
            let at = |table: &str| stage.ask(method, &format!("{TABLES}/{table}{end}"), key, body);
            let (hidden, nothing) = (at("an"), at("khong-co"));
            assert_eq!((hidden.status, &hidden.body), (404, &nothing.body), "{method} {end}");
            let closed = at("kin");
            assert_eq!(closed.status, 403, "{method} {end}");
            if method != "HEAD" {
                assert_eq!(code(&closed).1, "PERMISSION_DENIED");
                assert!(!closed.json()["message"].as_str().unwrap().is_empty());
            }
            if key != stage.reader {
                assert_eq!(at("bui").status, 403, "{method} {end}");
            }
        }
    }
    let wrong = stage.get("/delta-sharing/shares", "Bearer tram_wrong");
    assert_eq!(code(&wrong), (401, "UNAUTHENTICATED".to_owned()));
    assert!(wrong.field("www-authenticate").starts_with("Bearer"));
    // Other words in the address.
    for path in
        ["/shares/other/schemas", "/shares/chia-se/schemas/other/tables", "/else", "/shares/chia-se/x"]
    {
        let answer = stage.get(&format!("/delta-sharing{path}"), &stage.reader);
        assert_eq!(code(&answer), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()), "{path}");
    }
}

#[test]
fn rows_come_as_files_under_the_decision_and_what_is_wrong_is_said() {
    let stage = Stage::set();
    let version = stage.version();
    let told = stage.query("{}");
    assert_eq!(told[0], json!({"protocol": {"minReaderVersion": 1}}));
    let schema: Value = serde_json::from_str(told[1]["metaData"]["schemaString"].as_str().unwrap()).unwrap();
    let names: Vec<&str> =
        schema["fields"].as_array().unwrap().iter().filter_map(|f| f["name"].as_str()).collect();
    assert_eq!(names, ["so", "tram", "nguoi"]);
    let file = &told[2]["file"];
    let stats: Value = serde_json::from_str(file["stats"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&stats["numRecords"], &stats["maxValues"]["so"]),
        (&json!(2), &json!(2)),
        "of shown rows alone"
    );
    let bytes = stage.fetch(file["url"].as_str().unwrap());
    assert_eq!((bytes.status, bytes.body.len() as u64), (200, file["size"].as_u64().unwrap()));
    for secret in ["SECRET", "INTERNAL", "KIN"] {
        assert!(!contains(&bytes.body, secret), "the file holds {secret}");
    }
    // The same question has the same files; one that wants fewer has some of them.
    assert_eq!(stage.query(&format!("{{\"version\":{version}}}"))[2]["file"]["id"], file["id"]);
    let hint = json!({"op": "greaterThan", "children": [
        {"op": "column", "name": "so", "valueType": "long"}, {"op": "literal", "value": "2", "valueType": "long"}]});
    assert_eq!(stage.query(&json!({"jsonPredicateHints": hint.to_string()}).to_string()).len(), 2);
    for (body, status) in [
        ("[", 400),
        (r#"{"version":-1}"#, 400),
        (r#"{"version":99}"#, 400),
        (r#"{"timestamp":"2001-01-01T00:00:00Z"}"#, 400),
        (r#"{"startingVersion":0}"#, 400),
    ] {
        let answer = stage.ask("POST", &format!("{TABLES}/BUI/query"), &stage.reader, body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["message"].is_string(), "{body}");
    }
    // Each decision is in the ledger, and one question of a table is one exchange however often it is asked.
    let refused = stage.ask("POST", &format!("{TABLES}/kin/query"), &stage.reader, "{}");
    assert_eq!(refused.status, 403);
    // A key that is taken back ends what it was given.
    let url = file["url"].as_str().unwrap();
    let parties = stage.node.json(&["party", "list"]);
    let party = parties["parties"].as_array().unwrap().iter().find(|party| party["id"] == PARTY).unwrap();
    stage.node.ok(&["party", "revoke", PARTY, party["keys"][0]["id"].as_str().unwrap()]);
    assert!(stage.fetch(url).status >= 400);
    assert_eq!(stage.get("/delta-sharing/shares", &stage.reader).status, 401);
}

#[test]
fn a_feed_tells_what_changed_for_this_caller_and_nothing_else() {
    let stage = Stage::set();
    let first = stage.version();
    // Never read: the feed is the present table, as rows that came.
    stage.query("{}");
    // Hidden rows and columns change, one shown row goes, one comes.
    stage.rewrite("1,HK,SECRET-1,OTHER\n3,KIN,SECRET-4,INTERNAL-3\n5,LB,SECRET-5,INTERNAL-5\n");
    let second = stage.version();
    assert!(second > first);
    let feed = lines(&stage.changes(&format!("startingVersion={second}"), &stage.reader));
    let cdf = &feed[2]["cdf"];
    assert_eq!((feed.len(), &cdf["version"]), (3, &json!(second)));
    let stats: Value = serde_json::from_str(cdf["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], 2, "2 went and 5 came");
    let bytes = stage.fetch(cdf["url"].as_str().unwrap()).body;
    assert!(contains(&bytes, "delete") && contains(&bytes, "insert") && !contains(&bytes, "SECRET"));
    let whole = lines(&stage.changes("startingVersion=0", &stage.reader));
    assert_eq!((&whole[2]["add"]["version"], &whole[3]["cdf"]["version"]), (&json!(first), &json!(second)));
    for wrong in [
        "",
        "startingVersion=99",
        "startingVersion=x",
        "startingVersion=1&startingTimestamp=2025-01-01T00:00:00Z",
    ] {
        assert_eq!(stage.changes(wrong, &stage.reader).status, 400, "{wrong}");
    }
    // Other rules show other rows: nothing is told across them, and the feed begins anew.
    let more = json!({"columns": ["so", "tram"]});
    rules(&stage.node, more);
    assert_eq!(
        stage.changes(&format!("startingVersion={second}&endingVersion={second}"), &stage.reader).status,
        200
    );
    let anew = lines(&stage.changes("startingVersion=0", &stage.reader));
    assert_eq!((anew.len(), &anew[2]["add"]["version"]), (3, &json!(second)));
    stage.rewrite("1,HK,SECRET-1,x\n");
    let third = stage.version();
    assert_eq!(stage.changes(&format!("startingVersion={third}"), &stage.reader).status, 200);
    // Rows that rules limit have no feed.
    rules(&stage.node, json!({"max_rows": 1}));
    let limited = stage.changes("startingVersion=0", &stage.reader);
    assert_eq!(code(&limited), (400, "NOT_SUPPORTED".to_owned()));
}
