//! What each caller learns of each dataset, over every rendition of the public door: a table of callers, datasets and routes,
//! with a canary for every kind of fact. Nothing is told to who may not discover; each level shows what it may and no more.
//!
//! A route that is added to the door belongs into [`ROUTES`]; the first test fails for one that is not.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;
use tests::scene::publish;
use tests::{Rules, TestNode, repository};

/// What a caller may know of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Nothing,
    Title,
    Columns,
    Rows,
}
use Level::{Columns, Nothing, Rows, Title};

/// Datasets with the level of the public, a journalist and an analyst.
const DATASETS: [(&str, [Level; 3]); 4] = [
    ("kin", [Nothing, Nothing, Nothing]),
    ("ten", [Title, Title, Title]),
    ("bao", [Nothing, Columns, Rows]),
    ("mo", [Rows, Rows, Rows]),
];

/// Where the door answers, `{d}` for each dataset. Each holds what it may for at least one of the callers.
const ROUTES: &[&str] = &[
    "/",
    "/?q=canary",
    "/catalog",
    "/catalog.ttl",
    "/catalog.rdf",
    "/catalog.xml",
    "/catalog.jsonld",
    "/catalog.ttl?modified_since=2020-01-01T00:00:00Z",
    "/dataset/{d}",
    "/dataset/{d}.ttl",
    "/dataset/{d}.rdf",
    "/dataset/{d}.xml",
    "/dataset/{d}.jsonld",
    "/sitemap.xml",
    "/robots.txt",
    "/portal.css",
    "/api/3",
    "/api/3/action/site_read",
    "/api/3/action/status_show",
    "/api/3/action/package_list",
    "/api/3/action/package_search",
    "/api/3/action/package_search?q=canary",
    "/api/3/action/package_search?facet.field=[\"tags\",\"groups\",\"organization\"]",
    "/api/3/action/package_show?id={d}",
    "/api/3/action/current_package_list_with_resources",
    "/api/3/action/organization_list?all_fields=true",
    "/api/3/action/group_list?all_fields=true",
    "/api/3/action/tag_list?all_fields=true",
    "/api/3/action/license_list",
    "/api/action/package_list",
    "/odata/v4/",
    "/odata/v4/$metadata",
    "/odata/v4/{d}",
    "/odata/v4/{d}/$count",
    "/odata/v4/{d}?$select=cot_{d}",
    "/odata/v4/{d}?$filter=cot_{d} eq 'x'",
    "/delta-sharing/shares",
    "/delta-sharing/shares/chia-se/all-tables",
    "/delta-sharing/shares/chia-se/schemas/datasets/tables",
    "/delta-sharing/shares/chia-se/schemas/datasets/tables/{d}/version",
    "/delta-sharing/shares/chia-se/schemas/datasets/tables/{d}/metadata",
];

/// The canaries of a dataset, with the level from which on they may be seen.
fn canaries(name: &str) -> [(String, Level); 5] {
    [
        (format!("canary-title-{name}"), Title),
        (format!("canary-word-{name}"), Title),
        (format!("cot_{name}"), Columns),
        (format!("GIATRI{}", name.to_uppercase()), Rows),
        // Masked under every rule: nobody sees it.
        (format!("BIMAT{}", name.to_uppercase()), Level::Rows),
    ]
}

struct Stage {
    node: TestNode,
    keys: [Option<String>; 3],
    _dir: tempfile::TempDir,
}

fn stage() -> Stage {
    let node = TestNode::up_public("urn:agency:vn:mo", "Sở Mở");
    let dir = tempfile::tempdir().unwrap();
    let mut rules = Rules::closed();
    let masked = |name: &str| json!({"mask": {format!("kin_{name}"): "null"}});
    for (name, levels) in DATASETS {
        let file = dir.path().join(format!("{name}.csv"));
        let up = name.to_uppercase();
        fs::write(&file, format!("cot_{name},kin_{name}\nGIATRI{up},BIMAT{up}\nx,BIMAT{up}\n")).unwrap();
        let (title, word) = (format!("canary-title-{name}"), format!("canary-word-{name}"));
        let words =
            ["--title", &title, "--keyword", &word, "--description", &word, "--kind", "open", "--class", "0"];
        publish(&node, &file, name, &words);
        for (subject, level) in ["gr:public", "gr:press", "gr:analysts"].into_iter().zip(levels) {
            for (action, from) in
                [("discover", Title), ("metadata", Columns), ("query", Rows), ("download", Rows)]
            {
                if level >= from {
                    let obligations = if from == Rows { masked(name) } else { json!(null) };
                    rules = rules.open(subject, action, name, obligations);
                }
            }
        }
    }
    rules.apply(&node);
    let key = |id: &str, group: &str| {
        node.ok(&["party", "add", id, "--name", group, "--group", group]);
        let made = node.json(&["party", "key", id, "--purpose", "planning", "--basis", "law"]);
        Some(made["key"].as_str().unwrap().to_owned())
    };
    let keys = [None, key("urn:party:vn:bao", "press"), key("urn:party:vn:vien", "analysts")];
    Stage { node, keys, _dir: dir }
}

/// Status and body of a GET.
fn get(stage: &Stage, caller: usize, path: &str) -> (u16, String) {
    let url = format!("{}{}", stage.node.public_url(), path.replace(' ', "%20").replace('"', "%22"));
    let mut words = vec!["-s".to_owned(), "-g".to_owned(), "-w".to_owned(), "\n%{http_code}".to_owned()];
    if let Some(key) = &stage.keys[caller] {
        words.extend(["-H".to_owned(), format!("Authorization: Bearer {key}")]);
    }
    words.push(url);
    let told = std::process::Command::new("curl").args(words).output().unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// What the request itself says is echoed by nobody who may not know it: the canary of a title is never part of a path.
fn echoed(path: &str, canary: &str) -> bool {
    path.contains(canary)
}

#[test]
fn nobody_learns_more_of_a_dataset_than_its_level_from_any_rendition() {
    let stage = stage();
    let mut seen: BTreeMap<(usize, &str, Level), u32> = BTreeMap::new();
    for caller in 0..3 {
        for route in ROUTES {
            let paths: Vec<String> = match route.contains("{d}") {
                true => DATASETS.iter().map(|(name, _)| route.replace("{d}", name)).collect(),
                false => vec![(*route).to_owned()],
            };
            for path in paths {
                let (status, body) = get(&stage, caller, &path);
                assert!(status < 500, "{path} for caller {caller}: {status} {body}");
                for (name, levels) in DATASETS {
                    for (canary, from) in canaries(name) {
                        let found = body.contains(&canary);
                        let may = levels[caller] >= from && !canary.starts_with("BIMAT");
                        assert!(
                            may || !found || echoed(&path, &canary),
                            "{path} tells caller {caller} `{canary}` ({status}):\n{body}"
                        );
                        if found && may {
                            *seen.entry((caller, name, from)).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    // Each level is reached, and by more than one rendition, or the test above would hold for a door that tells nothing.
    for caller in 0..3 {
        for (name, levels) in DATASETS {
            for level in [Title, Columns, Rows] {
                let times = seen.get(&(caller, name, level)).copied().unwrap_or(0);
                assert_eq!(times > 0, levels[caller] >= level, "caller {caller}, {name}, {level:?}: {times}");
            }
        }
    }
}

#[test]
fn a_hidden_dataset_and_one_that_does_not_exist_are_answered_alike() {
    let stage = stage();
    for route in ROUTES.iter().filter(|route| route.contains("{d}")) {
        for caller in 0..3 {
            let hidden = get(&stage, caller, &route.replace("{d}", "kin"));
            let unknown = get(&stage, caller, &route.replace("{d}", "ngo"));
            let plain = |(status, body): (u16, String), name: &str| {
                // Ids of a problem differ from answer to answer; the name that was asked for may be repeated.
                let body: String =
                    body.replace(name, "X").lines().filter(|line| !line.contains("instance")).collect();
                (status, body)
            };
            let (hidden, unknown) = (plain(hidden, "kin"), plain(unknown, "ngo"));
            assert_eq!(hidden.0, unknown.0, "{route} for caller {caller}");
            assert_eq!(
                hidden.1.len(),
                unknown.1.len(),
                "{route} for caller {caller}:\n{}\n{}",
                hidden.1,
                unknown.1
            );
            assert!(hidden.0 >= 400, "{route}: {}", hidden.0);
        }
    }
}

#[test]
fn every_route_of_the_door_stands_in_the_table() {
    // The doors' sources name their routes; those that only take POST, or a signed address, are asked elsewhere.
    const ELSEWHERE: &[&str] = &[
        "/v1/files/",
        "/dsp/",
        "/.well-known/",
        // The protocol of connectors and its kit: their callers are other ones, and `dsp.rs` asks for them.
        "/catalog/",
        "/negotiations/",
        "/transfers/",
        "/tck/",
    ];
    let folder = repository().join("node/server/src/public");
    let mut files = vec![folder];
    let mut found = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for piece in text.split(".route(\"").skip(1) {
            let route = piece.split('"').next().unwrap();
            let begin = route.split('{').next().unwrap();
            let known =
                ROUTES.iter().any(|listed| listed.starts_with(begin) && (begin.len() > 1 || route == "/"));
            let elsewhere = ELSEWHERE.iter().any(|known| route.starts_with(known));
            assert!(known || elsewhere, "{}: `{route}` is not in the table of this test", path.display());
            found += 1;
        }
    }
    assert!(found > 5, "only {found} routes seen: this rule looks at nothing");
}
