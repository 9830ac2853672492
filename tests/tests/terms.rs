//! Terms over the real wire: what a catalog offers to whom, with which duties, and what of a peer's terms is refused.
//!
//! A node provides; the test plays peers of another make, and a second node consumes as people would use it. Every message
//! is held against the official JSON Schemas.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod wire;

use std::fs;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair};
use wire::schemas::Schemas;
use wire::words::{self, message};
use wire::{Answer, Door, Received, Reply, Request, Rogue, Target, new_exchange_id, new_pid};

const NODE: &str = "urn:agency:vn:kho-dieu-khoan";
const PEER: &str = "urn:agency:vn:khach";
const BASE: &str = "/dsp/2025-1";

/// A provider with two datasets: one for the peer's group, one for others.
struct Stage {
    node: TestNode,
    peer: Rogue,
    target: Target,
    door: Door,
    schemas: Schemas,
}

fn rules() -> Rules {
    let masked = json!({"mask": {"ghi_chu": "drop"}, "retention_days": 30, "no_onward": true});
    let members = "state";
    Rules::new()
        .allow(members, "query", "tram-do", "environment-monitoring", masked.clone())
        .allow(members, "query", "tram-do", "planning", masked)
        .allow("others", "query", "tram-do", "secret-work", json!({"max_rows": 7}))
        .allow("others", "query", "rieng", "secret-work", json!({}))
}

fn provider() -> TestNode {
    let node = TestNode::up(NODE, "Kho dữ liệu");
    for name in ["tram-do", "rieng"] {
        let file = node.desk().join(format!("{name}.csv"));
        fs::write(&file, "id,phuong,ghi_chu\n1,Nghĩa Đô,a\n2,Tây Hồ,b\n").unwrap();
        publish(&node, &file, name, &[]);
    }
    rules().apply(&node);
    node
}

impl Stage {
    fn set() -> Self {
        let node = provider();
        let peer = Rogue::new(PEER);
        let target = peer.pair(&node);
        let door = Door::open(&peer, &target, |_| Answer::Signed(200, Vec::new()));
        Self { node, peer, target, door, schemas: Schemas::load() }
    }

    #[track_caller]
    fn post(&self, path: &str, exchange: &str, body: &Value) -> Reply {
        self.schemas.check(body);
        let bytes = serde_json::to_vec(body).unwrap();
        self.peer.ask(&self.target, Request::bare("POST", &format!("{BASE}{path}"), bytes).of(exchange))
    }

    fn catalog(&self) -> Value {
        let catalog = self.post("/catalog/request", "-", &message("CatalogRequestMessage", json!({})));
        let catalog = catalog.expect(200).json();
        self.schemas.check(&catalog);
        catalog
    }

    fn offers(&self, dataset: &str) -> Vec<Value> {
        let catalog = self.catalog();
        let datasets = catalog["dataset"].as_array().unwrap();
        let found = datasets.iter().find(|d| d["@id"] == format!("{NODE}/{dataset}")).unwrap();
        found["hasPolicy"].as_array().unwrap().clone()
    }

    /// The offer as a consumer sends it: one purpose and one basis in place of those to choose from.
    fn wish(&self) -> Value {
        let mut offer = self.offers("tram-do")[0].clone();
        offer["target"] = json!(format!("{NODE}/tram-do"));
        offer["permission"][0]["constraint"] = words::permission("planning")[0]["constraint"].clone();
        offer
    }

    /// What becomes of a request with this offer: the agreement, or the reason of the termination.
    #[track_caller]
    fn asked(&self, offer: &Value) -> Result<Value, String> {
        let (exchange, pid) = (new_exchange_id(), new_pid());
        let from = self.door.received().len();
        let first = words::first_request(&pid, &self.peer.callback(), offer);
        self.post("/negotiations/request", &exchange, &first).expect(201);
        let came = self.door.wait("an end", from, |came: &Received| {
            came.exchange.as_deref() == Some(&exchange)
                && (came.path.ends_with("/agreement") || came.path.ends_with("/termination"))
        });
        self.schemas.check(&came.body);
        match came.path.ends_with("/agreement") {
            true => Ok(came.body["agreement"].clone()),
            false => Err(format!("{} {}", came.body["code"], came.body["reason"])),
        }
    }
}

#[test]
fn a_catalog_offers_each_party_what_it_may_have_and_says_nothing_of_others() {
    let stage = Stage::set();
    let offers = stage.offers("tram-do");
    let [offer] = offers.as_slice() else { panic!("{offers:#?}") };
    let text = offer.to_string();
    assert_eq!(offer["permission"][0]["action"], "odrl:read", "copies are not permitted");
    assert!(
        text.contains("urn:tram:purpose:planning")
            && text.contains("urn:tram:purpose:environment-monitoring")
    );
    let duties: Vec<&str> =
        offer["obligation"].as_array().unwrap().iter().map(|d| d["action"].as_str().unwrap()).collect();
    assert_eq!(duties, ["urn:tram:ns:mask", "odrl:delete", "urn:tram:ns:noOnward"]);
    for other in ["secret", "T-ALLOW", "others", "\"7\""] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    // A dataset that it may know of and not have says so.
    let [closed] = stage.offers("rieng").try_into().unwrap();
    assert_eq!((&closed["prohibition"][0]["action"], closed.get("permission")), (&json!("use"), None));
    // The same rules make the same offer, other rules another one.
    assert_eq!(stage.offers("tram-do"), offers);
    rules().allow("state", "download", "tram-do", "planning", json!({})).apply(&stage.node);
    let more = stage.offers("tram-do");
    assert_eq!(more.len(), 2);
    assert!(more.iter().all(|more| more["@id"] != offer["@id"]) && more[0]["@id"] != more[1]["@id"]);
}

#[test]
fn an_agreement_repeats_the_duties_and_other_duties_are_refused_by_name() {
    let stage = Stage::set();
    let wish = stage.wish();
    let agreement = stage.asked(&wish).unwrap();
    assert_eq!(agreement["obligation"], wish["obligation"]);

    let mut weaker = wish.clone();
    weaker["obligation"][1]["constraint"][0]["rightOperand"]["@value"] = json!("P300D");
    let why = stage.asked(&weaker).unwrap_err();
    assert!(why.contains("DUTIES") && why.contains("odrl:delete"), "{why}");

    let mut fewer = wish.clone();
    fewer["obligation"].as_array_mut().unwrap().pop();
    let why = stage.asked(&fewer).unwrap_err();
    assert!(why.contains("DUTIES") && why.contains("gov:noOnward"), "{why}");

    let mut stronger = wish.clone();
    stronger["obligation"].as_array_mut().unwrap().push(json!({"action": "odrl:watermark"}));
    let why = stage.asked(&stronger).unwrap_err();
    assert!(why.contains("agreed to and not demanded: odrl:watermark"), "{why}");
}

#[test]
fn what_is_not_understood_of_a_peers_terms_is_refused_by_name() {
    let stage = Stage::set();
    let condition = |left: &'static str, operator: &'static str, right: Value| {
        move |offer: &mut Value| {
            let more = json!({"leftOperand": left, "operator": operator, "rightOperand": right});
            offer["permission"][0]["constraint"].as_array_mut().unwrap().push(more);
        }
    };
    type Change = Box<dyn Fn(&mut Value)>;
    let changes: Vec<(&str, Change)> = vec![
        ("odrl:payAmount", Box::new(condition("odrl:payAmount", "eq", json!("5")))),
        (
            "urn:tram:ns:route",
            Box::new(condition("urn:tram:ns:route", "eq", json!("urn:tram:route:platform"))),
        ),
        (
            "odrl:deliveryChannel",
            Box::new(condition("odrl:deliveryChannel", "eq", json!("urn:tram:zone:internet"))),
        ),
        ("urn:tram:ns:role", Box::new(condition("urn:tram:ns:role", "isA", json!("urn:tram:group:state")))),
        (
            "xone",
            Box::new(|o| {
                o["permission"][0]["constraint"] =
                    json!([{"xone": words::permission("planning")[0]["constraint"]}])
            }),
        ),
        ("odrl:distribute", Box::new(|o| o["prohibition"] = json!([{"action": "odrl:distribute"}]))),
        ("urn:other:profile", Box::new(|o| o["profile"] = json!("urn:other:profile"))),
        ("odrl:inheritFrom", Box::new(|o| o["odrl:inheritFrom"] = json!("urn:x"))),
        ("odrl:compensate", Box::new(|o| o["obligation"][0]["action"] = json!("odrl:compensate"))),
        (
            "consequence",
            Box::new(|o| o["obligation"][0]["consequence"] = json!([{"action": "odrl:compensate"}])),
        ),
        (
            "urn:tram:ns:legalBasis",
            Box::new(|o| {
                o["permission"][0]["constraint"][1]["rightOperand"] = json!({"@id": "urn:tram:ns:some"});
            }),
        ),
    ];
    for (name, change) in changes {
        let mut offer = stage.wish();
        change(&mut offer);
        let why = stage.asked(&offer).unwrap_err();
        let bare = name.trim_start_matches("odrl:");
        assert!(why.contains("TERMS") && why.contains(bare), "{name}: {why}");
    }
}

#[test]
fn what_a_peer_states_of_itself_is_asked_of_the_rules() {
    let stage = Stage::set();
    let folder = rules().apply(&stage.node);
    let csv = fs::read_to_string(folder.join("policy.csv")).unwrap();
    let narrow = csv.replace("T-OB-3, allow", "T-OB-3, allow, role=ro:planner clearance=3-9 place=pl:vn");
    assert_ne!(csv, narrow);
    fs::write(folder.join("policy.csv"), narrow).unwrap();
    stage.node.ok(&["policy", "apply", &folder.to_string_lossy()]);
    let all = stage.offers("tram-do");
    let with_role = all.iter().find(|offer| offer.to_string().contains("urn:tram:role:planner")).unwrap();
    assert!(with_role.to_string().contains("urn:tram:place:vn"), "{with_role:#}");
    let mut wish = stage.wish();
    wish["@id"] = with_role["@id"].clone();
    assert!(stage.asked(&wish).unwrap_err().contains("NO-RULE"), "nothing is stated");
    let constraint = wish["permission"][0]["constraint"].as_array_mut().unwrap();
    for (left, operator, right) in [
        ("urn:tram:ns:role", "isA", "urn:tram:role:planner"),
        ("urn:tram:ns:clearance", "gteq", "4"),
        ("odrl:spatial", "isPartOf", "urn:tram:place:vn"),
    ] {
        constraint.push(json!({"leftOperand": left, "operator": operator, "rightOperand": right}));
    }
    stage.asked(&wish).unwrap();
}

#[test]
fn two_nodes_agree_on_the_announced_duties_and_keep_them_when_rules_loosen() {
    let provider = provider();
    let consumer = TestNode::up("urn:agency:vn:khai-thac", "Bên khai thác");
    pair(&provider, &consumer);
    let what = format!("{NODE}/tram-do");
    let words = ["--purpose", "planning", "--basis", "law"];
    let first = get(&consumer, &what, "first.csv", &words);
    assert!(!first.text().contains("ghi_chu"));
    // The rules let more go now; what both signed still holds.
    let loose = Rules::new().allow("state", "query", "tram-do", "planning", json!({}));
    loose.apply(&provider);
    let second = get(&consumer, &what, "second.csv", &words);
    assert!(!second.text().contains("ghi_chu"), "{}", second.text());
    // A copy is another deed, and these rules permit none.
    let copy = ask(&consumer, &what, "copy.csv", &[&words[..], &["--download"]].concat());
    assert_ne!(copy.code, 0, "{copy:?}");
}

#[test]
fn rules_go_out_as_odrl_and_come_back_as_a_draft() {
    let node = provider();
    let (file, draft) = (node.desk().join("rules.json"), node.desk().join("draft"));
    let (file, draft) = (file.to_string_lossy().into_owned(), draft.to_string_lossy().into_owned());
    let before = node.json(&["policy", "show"])["rule_set"].clone();
    assert_eq!(node.json(&["policy", "odrl", "export", "--out", &file])["policies"], 2);
    let about = node.json(&["policy", "odrl", "export", "--dataset", "rieng"]).to_string();
    assert!(
        about.contains("urn:tram:dataset:rieng") && !about.contains("urn:tram:dataset:tram-do"),
        "{about}"
    );
    let done = node.json(&["policy", "odrl", "import", &file, "--out", &draft]);
    assert_eq!(done["grants"], before["grants"]);
    assert_eq!(node.json(&["policy", "show"])["rule_set"], before, "a draft is not in force");
    assert_eq!(node.json(&["policy", "apply", &draft])["rule_set"]["sha256"], before["sha256"]);
    let tampered = fs::read_to_string(&file).unwrap().replace("\"prohibit\"", "\"perm\"");
    fs::write(&file, tampered).unwrap();
    let refused =
        node.cmd(&["policy", "odrl", "import", &file, "--out", &format!("{draft}2")]).expect_code(2);
    assert!(refused.stderr.contains("perm"), "{refused:?}");
}
