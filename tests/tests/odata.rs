//! Tables at the public door in OData, as spreadsheets ask for them. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fmt::Write as _;

use serde_json::{Value, json};
use tests::door::{Answer, call_at};
use tests::scene::publish;
use tests::{Rules, TestNode};

const PURPOSE: &str = "air-quality-management";
const ROWS: usize = 6_000;

struct Scene {
    node: TestNode,
    key: String,
}

fn table(rows: usize) -> String {
    let mut table = String::from("so,tram,Giờ đo,pm25,nguoi,kin\n");
    for n in 0..rows {
        let pm25 = if n % 10 == 3 { String::new() } else { format!("{}.5", n % 300) };
        writeln!(table, "{n},Trạm {},2023-04-{:02}T00:00:00,{pm25},SECRET-{n},HIDDEN-{n}", n % 7, 1 + n % 28)
            .unwrap();
    }
    table
}

/// Rows of station 6 and the column `kin` are hidden, names are masked; of `mat` the title is shown, of anything else nothing.
fn rules() -> Rules {
    let obligations = json!({
        "mask": {"nguoi": "hash"},
        "columns": ["so", "tram", "Giờ đo", "pm25", "nguoi"],
        "row_filter": [{"column": "tram", "op": "ne", "value": "Trạm 6"}],
    });
    known().allow("press", "query", "bui", PURPOSE, obligations)
}

fn known() -> Rules {
    ["bui", "mat"].into_iter().fold(Rules::closed(), |rules, name| {
        let rules = rules.open("gr:press", "discover", name, Value::Null);
        rules.open("gr:press", "metadata", name, Value::Null)
    })
}

fn key(node: &TestNode, id: &str, group: &str) -> String {
    node.ok(&["party", "add", id, "--name", "Báo", "--group", group]);
    let told = node.json(&["party", "key", id, "--purpose", PURPOSE, "--basis", "law"]);
    told["key"].as_str().unwrap().to_owned()
}

fn scene(name: &str) -> Scene {
    let node = TestNode::up_public(&format!("urn:agency:vn:bang-{name}"), "Chi cục Môi trường");
    rules().apply(&node);
    let file = node.desk().join("bui.csv");
    std::fs::write(&file, table(ROWS)).unwrap();
    publish(&node, &file, "bui", &[]);
    let key = key(&node, "urn:party:vn:bao", "press");
    Scene { node, key }
}

impl Scene {
    fn get(&self, path: &str) -> Answer {
        self.with("GET", path, &[("authorization", &format!("Bearer {}", self.key))])
    }

    fn with(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let url = self.node.public_url();
        let path = path.strip_prefix(&url).unwrap_or(path);
        call_at(url.strip_prefix("http://").unwrap(), method, &encoded(path), fields, "")
    }

    fn rows(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/odata/v4/bui?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.json());
        answer.json()["value"].as_array().unwrap().clone()
    }
}

/// Percent signs for what an address cannot have as it is.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic();
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["so"].as_u64().unwrap()).collect()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[test]
fn a_table_is_read_as_the_rules_show_it() {
    let scene = scene("a");
    let service = scene.get("/odata/v4/");
    assert_eq!((service.status, service.field("odata-version")), (200, "4.0"));
    assert_eq!(service.json()["value"][0]["name"], "bui");
    let metadata = text(&scene.get("/odata/v4/$metadata"));
    assert!(metadata.contains("<Property Name=\"Giờ_đo\" Type=\"Edm.DateTimeOffset\""), "{metadata}");
    assert!(metadata.contains("<Property Name=\"nguoi\" Type=\"Edm.String\""), "{metadata}");
    assert!(!metadata.contains("kin"), "a hidden column is in the metadata: {metadata}");
    let visible: Vec<u64> = (0..ROWS as u64).filter(|n| n % 7 != 6).collect();
    let first = scene.get("/odata/v4/bui?$count=true");
    let all = text(&first);
    assert!(!all.contains("SECRET") && !all.contains("HIDDEN") && !all.contains("Trạm 6"));
    assert_eq!(first.json()["@odata.count"], visible.len());
    let rows = first.json()["value"].as_array().unwrap().clone();
    assert_eq!(numbers(&rows), visible[..5_000]);
    assert_eq!((&rows[0]["_row"], &rows[0]["Giờ_đo"]), (&json!(1), &json!("2023-04-01T00:00:00Z")));
    for (query, wanted) in [
        ("$filter=so lt 10&$select=so", vec![0, 1, 2, 3, 4, 5, 7, 8, 9]),
        ("$filter=so lt 20 and pm25 eq null", vec![3]),
        ("$filter=so lt 20 and pm25 ne 0.5 and contains(tram,'ạm 0')", vec![7, 14]),
        ("$filter=tram eq 'Trạm 6'", vec![]),
        ("$filter=endswith(tram,'6')", vec![]),
        ("$filter=so eq 1 or tram eq 'Trạm 2' and so lt 10", vec![1, 2, 9]),
        ("$filter=day(Giờ_đo) eq 28 and so lt 30", vec![]),
        ("$filter=day(Giờ_đo) eq 1 and so lt 60", vec![0, 28, 56]),
        ("$orderby=so desc&$top=3", vec![5_999, 5_997, 5_996]),
        ("$skip=5&$top=3", vec![5, 7, 8]),
        ("$top=0", vec![]),
    ] {
        let wanted: Vec<u64> = wanted;
        assert_eq!(numbers(&scene.rows(query)), wanted, "{query}");
    }
    for (path, wanted) in [
        ("/odata/v4/bui/$count", visible.len()),
        ("/odata/v4/bui/$count?$filter=so lt 10", 9),
        ("/odata/v4/bui/$count?$filter=endswith(tram,'5') and so lt 20", 3),
        ("/odata/v4/bui/$count?$filter=tram eq 'Trạm 6'", 0),
    ] {
        let counted = scene.get(path);
        assert_eq!((counted.status, text(&counted)), (200, wanted.to_string()), "{path}");
    }
    // Basic as spreadsheets send it, and HEAD.
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("excel:{}", scene.key));
    let basic = format!("Basic {basic}");
    let head = scene.with("HEAD", "/odata/v4/bui", &[("authorization", &basic)]);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn what_is_hidden_is_as_what_is_not_there() {
    let scene = scene("b");
    for name in ["mat", "an"] {
        let file = scene.node.desk().join(format!("{name}.csv"));
        std::fs::write(&file, "a,b\n1,2\n").unwrap();
        publish(&scene.node, &file, name, &[]);
    }
    // What may be discovered and not queried is refused, with the reason.
    let refused = scene.get("/odata/v4/mat");
    assert_eq!(refused.status, 403, "{}", refused.json());
    assert!(!text(&refused).contains("\"a\""));
    let error = &refused.json()["error"];
    assert!(
        error["code"].is_string() && error["message"].as_str().unwrap().contains("legal basis"),
        "{error}"
    );
    // What may not be discovered is byte for byte what is not there, below it too.
    let unknown = scene.get("/odata/v4/khong_co");
    assert_eq!(unknown.status, 404);
    for path in [
        "an",
        "an/$count",
        "an/a",
        "khong_co/$count",
        "an?$filter=a eq 1",
        "an?$filter=((",
        "bui/so",
        "bui-x",
    ] {
        let hidden = scene.get(&format!("/odata/v4/{path}"));
        assert_eq!((hidden.status, &hidden.body), (404, &unknown.body), "{path}");
    }
    scene.node.ok(&["dataset", "withdraw", "mat"]);
    assert_eq!(scene.get("/odata/v4/mat").body, unknown.body);
    let metadata = text(&scene.get("/odata/v4/$metadata"));
    assert!(!metadata.contains("\"an\"") && !metadata.contains("\"mat\""), "{metadata}");
    // A column that is hidden and one that does not exist are told in the same words.
    for query in ["$filter=NAME eq 'x'", "$select=NAME", "$orderby=NAME"] {
        let told = |name: &str| {
            let answer = scene.get(&format!("/odata/v4/bui?{}", query.replace("NAME", name)));
            assert_eq!(answer.status, 400, "{query}");
            text(&answer).replace(name, "NAME")
        };
        assert_eq!(told("kin"), told("khongco"));
    }
    // The public sees no table, and a wrong key is nobody.
    let nobody = scene.with("GET", "/odata/v4/", &[]);
    assert_eq!((nobody.status, &nobody.json()["value"]), (200, &json!([])));
    assert!(!text(&scene.with("GET", "/odata/v4/$metadata", &[])).contains("bui"));
    let wrong = scene.with("GET", "/odata/v4/", &[("authorization", "Bearer tram_x")]);
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (401, Some("unauthenticated")));
    assert!(wrong.field("www-authenticate").contains("Basic"));
}

#[test]
fn what_cannot_be_done_is_said() {
    let scene = scene("c");
    for (path, status, target) in [
        ("bui?$filter=so add 1 eq 2", 501, "$filter"),
        ("bui?$filter=so eq 'x'", 400, "$filter"),
        ("bui?$filter=(((so eq 1", 400, "$filter"),
        ("bui?$expand=x", 501, "$expand"),
        ("bui?$apply=x", 501, "$apply"),
        ("bui?$top=-1", 400, "$top"),
        ("bui?$format=atom", 415, "$format"),
        ("bui(1)", 501, "path"),
        ("bui/$count?$top=1", 400, "$count"),
        ("?$top=1", 400, "$top"),
    ] {
        let told = scene.get(&format!("/odata/v4/{path}"));
        let error = &told.json()["error"];
        assert_eq!((told.status, error["target"].as_str()), (status, Some(target)), "{path}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| text.len() > 10));
    }
    let bearer = format!("Bearer {}", scene.key);
    let atom =
        scene.with("GET", "/odata/v4/bui", &[("authorization", &bearer), ("accept", "application/atom+xml")]);
    assert_eq!(atom.status, 406);
    let old = scene.with("GET", "/odata/v4/", &[("authorization", &bearer), ("odata-maxversion", "3.0")]);
    assert_eq!(old.status, 400);
    let written = scene.with("POST", "/odata/v4/bui", &[("authorization", &bearer)]);
    assert_eq!((written.status, written.field("allow")), (405, "GET, HEAD"));
}

#[test]
fn pages_go_on_in_the_version_in_which_they_began_and_for_who_began_them() {
    let scene = scene("d");
    let other = key(&scene.node, "urn:party:vn:khac", "press");
    let first = scene.get("/odata/v4/bui?$select=so,tram&$filter=so ge 0").json();
    let next = first["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(next.contains("$skiptoken=") && next.contains("$select=so,tram"), "{next}");
    // The table is replaced while somebody reads on.
    std::fs::write(scene.node.dir().join("data/bui/bui.csv"), table(40)).unwrap();
    scene.node.ok(&["dataset", "validate", "bui"]);
    let second = scene.get(&next).json();
    let visible: Vec<u64> = (0..ROWS as u64).filter(|n| n % 7 != 6).collect();
    assert_eq!(numbers(second["value"].as_array().unwrap()), visible[5_000..]);
    assert!(second.get("@odata.nextLink").is_none());
    assert_eq!(scene.rows("$select=so").len(), 35, "a new question has the new rows");
    // A page of ten, whatever it is asked for.
    let bearer = format!("Bearer {}", scene.key);
    let small =
        scene.with("GET", "/odata/v4/bui", &[("authorization", &bearer), ("prefer", "odata.maxpagesize=10")]);
    assert_eq!(small.field("preference-applied"), "odata.maxpagesize=10");
    assert_eq!(small.json()["value"].as_array().unwrap().len(), 10);
    let link = small.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(numbers(scene.get(&link).json()["value"].as_array().unwrap())[0], 11);
    // Another caller, another question, another token: nothing.
    let another = scene.with("GET", &link, &[("authorization", &format!("Bearer {other}"))]);
    assert_eq!(another.status, 400, "{}", another.json());
    assert_eq!(scene.with("GET", &link, &[]).status, 404, "the public does not even know the table's name");
    let moved = link.replace("?$skiptoken=", "?$filter=so%20ge%200&$skiptoken=");
    assert_ne!(moved, link);
    assert_eq!(scene.get(&moved).status, 400);
    let token = link.split("$skiptoken=").nth(1).unwrap();
    let forged = link.replace(token, &format!("A{token}"));
    assert_eq!(scene.get(&forged).status, 400);
    // Stricter rules end the reading.
    let stricter = json!({"mask": {"nguoi": "hash", "tram": "null"}, "columns": ["so", "tram", "nguoi"]});
    known().allow("press", "query", "bui", PURPOSE, stricter).apply(&scene.node);
    let stopped = scene.get(&link);
    assert_eq!((stopped.status, stopped.json()["error"]["code"].as_str()), (403, Some("RULES-CHANGED")));
    known().apply(&scene.node);
    assert_eq!(scene.get(&link).status, 403);
    Rules::closed().open("gr:nobody", "discover", "bui", Value::Null).apply(&scene.node);
    assert_eq!(scene.get(&link).status, 404);
}

#[test]
fn each_question_is_in_the_ledger() {
    let scene = scene("e");
    let permits = || {
        let told = scene.node.json(&["exchange", "list"]);
        let all = told["exchanges"].as_array().unwrap().clone();
        all.iter().filter(|exchange| exchange["dataset"] == "bui" && exchange["effect"] == "permit").count()
    };
    let before = permits();
    scene.rows("$top=1");
    assert_eq!(scene.get("/odata/v4/bui/$count").status, 200);
    assert_eq!(permits(), before + 2);
    let reading = scene.get("/odata/v4/bui").json();
    assert_eq!(scene.get(reading["@odata.nextLink"].as_str().unwrap()).status, 200);
    assert_eq!(permits(), before + 3, "a further page is no further question");
}

#[test]
fn groups_that_the_rules_make_are_a_table_as_well() {
    let scene = scene("f");
    let only = json!({"aggregate": {"k": 5, "group_by": ["tram"]}});
    known().allow("press", "query", "bui", PURPOSE, only).apply(&scene.node);
    let metadata = text(&scene.get("/odata/v4/$metadata"));
    assert!(metadata.contains("Name=\"tram\"") && !metadata.contains("Name=\"nguoi\""), "{metadata}");
    let rows = scene.rows("$filter=endswith(tram,'1') or tram eq 'Trạm 4'&$orderby=tram desc");
    let stations: Vec<&str> = rows.iter().map(|row| row["tram"].as_str().unwrap()).collect();
    assert_eq!(stations, ["Trạm 4", "Trạm 1"]);
    assert_eq!(text(&scene.get("/odata/v4/bui/$count")), "7");
}
