//! Rules as ODRL and back: what comes back is the same rule set, and what cannot be said is refused by its name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::path::{Path, PathBuf};

use common::{Dice, dataset, shared};
use policy::odrl::{self, OdrlCode, OdrlError};
use policy::{Files, RuleSet, SharingKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn exported(rules: &RuleSet) -> Value {
    odrl::document(rules, None).unwrap()
}

fn imported(document: &Value) -> Result<odrl::Draft, OdrlError> {
    odrl::import(&serde_json::to_vec(document).unwrap())
}

#[track_caller]
fn comes_back(rules: &RuleSet) {
    let document = exported(rules);
    let draft = imported(&document).unwrap_or_else(|e| panic!("{:#?}\n{document:#}", e.problems));
    let again = RuleSet::from_files(&draft.files(), rules.version()).unwrap();
    assert_eq!(again.grants(), rules.grants());
    assert_eq!(again.duties(), rules.duties());
    assert_eq!(again.links(), rules.links());
    assert_eq!(again.obligations(), rules.obligations());
    assert_eq!(again.digest(), rules.digest(), "reasons and all");
    assert!(draft.notes.is_empty(), "{:?}", draft.notes);
}

fn folders(under: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(under).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.join("policy.csv").exists()).collect()
}

#[test]
fn every_pack_and_every_demo_rule_set_comes_back_whole() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = folders(&here.join("packs"));
    all.extend(folders(&here.join("../node/server/src/demo/rules")));
    assert!(all.len() >= 4, "{all:?}");
    let mut sets = Vec::new();
    for folder in &all {
        // A pack may carry files besides those of a rule set; these are the ones that decide.
        let mut files = Files::new();
        for name in ["policy.csv", "duties.csv", "obligations.json", "reasons.json", "pack.toml"] {
            if let Ok(bytes) = std::fs::read(folder.join(name)) {
                files.insert(name, bytes);
            }
        }
        // A pack that adds to another one is no rule set alone; the one that the node ships is.
        if let Ok(rules) = RuleSet::from_files(&files, 1) {
            sets.push(rules);
        }
    }
    assert!(sets.len() >= 4);
    assert!(
        sets.iter().any(|rules| rules.invariants() != Default::default()),
        "one under another legal order"
    );
    sets.iter().for_each(comes_back);
    comes_back(&RuleSet::builtin(1).unwrap());
}

#[test]
fn the_worked_example_comes_back_whole() {
    let Some(folder) = shared("design/policy-example") else { return };
    let mut files = Files::new();
    for name in ["policy.csv", "duties.csv", "obligations.json"] {
        files.insert(name, std::fs::read(folder.join(name)).unwrap());
    }
    let rules = RuleSet::from_files(&files, 1).unwrap();
    let document = exported(&rules);
    let policies = document["@graph"].as_array().unwrap().iter().filter(|node| node["@type"] == "Set");
    assert_eq!(policies.count(), 4, "one for each tier");
    comes_back(&rules);
}

/// A random rule set: every column with every kind of value, every obligation, links of all four kinds.
fn random(seed: u64) -> RuleSet {
    let mut dice = Dice(seed | 1);
    let mut policy = String::from(
        "g, un:a/x, un:a\ng, ag:urn:agency:vn:a, gr:state\ng2, ds:x, co:y\ng2, se:health, tag:t\ng3, pu:a, pu:b\ng4, pl:vn:hn, pl:vn\n",
    );
    let mut duties = String::from("# duties\n");
    for n in 0..=dice.below(12) {
        policy.push_str(&row(&mut dice, n, true));
    }
    for n in 0..dice.below(6) {
        duties.push_str(&row(&mut dice, 100 + n, false));
    }
    let sets: serde_json::Map<String, Value> =
        (0..4).map(|n| (format!("OB-{n}"), obligation_set(&mut dice))).collect();
    let files = Files::new()
        .with("policy.csv", policy)
        .with("duties.csv", duties)
        .with("obligations.json", Value::Object(sets).to_string());
    RuleSet::from_files(&files, 1).unwrap_or_else(|e| panic!("{:#?}", e.problems))
}

fn row(dice: &mut Dice, n: usize, grant: bool) -> String {
    let mut pick = |from: &[&str]| (*dice.pick(from)).to_owned();
    let subject = pick(&["*", "ag:urn:agency:vn:a", "ag:tax", "us:lan", "gr:state", "ro:doctor"]);
    let object =
        pick(&["*", "ds:x", "ds:urn:agency:vn:b/air", "co:y", "tag:personal", "se:health", "ow:tax"]);
    let action = pick(&["*", "discover", "metadata", "query", "download", "subscribe", "call"]);
    let purpose = pick(&["*", "pu:a", "pu:b"]);
    let classes = pick(&["0, 9", "0, 2", "3, 9", "4, 4"]);
    let times = pick(&[
        "0000-01-01T00:00Z, 9999-12-31T00:00Z",
        "2026-01-01T00:00Z, 9999-12-31T00:00Z",
        "2026-02-03T04:05Z, 2027-01-01T23:59Z",
    ]);
    let tier = pick(&["00", "10", "20", "30"]);
    let set = pick(&["OB-0", "OB-1", "OB-2"]);
    let when = pick(&[
        "",
        "",
        ", unit=un:a/x",
        ", role=ro:doctor clearance=3-9",
        ", place=pl:vn:hn route=via:platform",
        ", unit=un:a role=ro:nurse clearance=0-4 place=pl:vn route=via:direct",
    ]);
    if !grant {
        return format!(
            "p, R-{n}, {tier}, {subject}, {object}, {action}, {purpose}, {classes}, {times}, {set}, allow{when}\n"
        );
    }
    let agreement = pick(&["*", "+", "-", "agr:urn:uuid:1", "agr:old"]);
    let basis = pick(&["*", "+", "-", "bas:law"]);
    let network = pick(&["*", "net:gov"]);
    let end = pick(&["-, deny", "-, allow", "SET, allow"]).replace("SET", &set);
    format!(
        "p, R-{n}, {tier}, {subject}, {object}, {action}, {purpose}, {agreement}, {basis}, {network}, {classes}, {times}, {end}{when}\n"
    )
}

fn obligation_set(dice: &mut Dice) -> Value {
    let all = json!({
        "columns": ["a", "tên, có dấu"], "row_filter": ["year >= 2020", {"column": "t", "op": "in", "values": ["a", "b"]}],
        "mask": {"a": "drop", "b": {"partial": {"first": 2, "last": 0}}, "c": {"generalize": {"bucket": 10}},
                 "d": {"truncate": 3}, "e": {"constant": "urn:tram:ns:x gov:x"}, "f": {"generalize": {"decimals": 2}},
                 "g": {"generalize": {"place": 1}}, "h": "hash", "i": {"generalize": "month"}},
        "aggregate": {"k": 10, "group_by": ["ward"], "subject": [{"key": "id"}], "dominance": {"1": 80}, "p_percent": 10,
                      "noise": {"counts": 2, "sums_percent": 5}, "round": 5},
        "differential_privacy": {"epsilon": 0.5, "budget": {"month": 4}, "bounds": {"n": [0, 50]}},
        "quota": {"rows_per_day": 10, "requests_per_month": 3, "bytes_per_month": 1_000_000},
        "delay_hours": {"t": 24, "u": 1}, "max_rows": 100, "rate_per_min": 60, "retention_days": 365,
        "watermark": true, "no_onward": true, "notify": ["dpo@provider", "audit"], "approval": ["dpo"],
        "encrypt": 2, "audit": 3,
    });
    let kept = all.as_object().unwrap().iter().filter(|_| dice.chance(2));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_rule_set_comes_back_whole(seed in any::<u64>()) {
        comes_back(&random(seed));
    }

    /// One character of the text changed: refused, or something that really differs; never silently the same rules.
    #[test]
    fn no_change_of_a_term_goes_unseen(seed in any::<u64>(), at in any::<prop::sample::Index>()) {
        let rules = random(seed);
        let mut document = exported(&rules);
        let mut strings = Vec::new();
        pointers(&document, String::new(), &mut strings);
        let pointer = at.get(&strings).clone();
        let Some(Value::String(text)) = document.pointer_mut(&pointer) else { unreachable!() };
        text.push('x');
        if let Ok(draft) = imported(&document) {
            let again = RuleSet::from_files(&draft.files(), 1).unwrap();
            // The name of a policy is no part of its rules, and neither is what kind of thing a target is said to be.
            let head = pointer.matches('/').count() == 3 && pointer.ends_with("/uid");
            let kind = pointer.ends_with("/@type");
            prop_assert!(head || kind || again.digest() != rules.digest(), "{pointer}");
        }
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, format!("{at}/{n}"), found));
        }
        Value::Object(map) => {
            for (key, item) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(item, format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn an_export_for_one_dataset_holds_only_rules_about_it() {
    let rules = RuleSet::builtin(1).unwrap();
    let id = "ds:x".parse().unwrap();
    let facts = dataset(2, SharingKind::Default);
    let document = odrl::document(&rules, Some((&id, &facts))).unwrap();
    let text = document.to_string();
    assert!(text.contains("VN-NAT-04") && text.contains("VN-DUT-06"));
    for other in ["VN-AGY-01", "VN-NAT-02", "VN-LAW-03", "VN-DUT-01"] {
        assert!(!text.contains(other), "{other} is about other datasets");
    }
    let owned = common::files(
        "p, R-1, 30, *, ow:owner, query, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n",
    );
    let rules = RuleSet::from_files(&owned, 1).unwrap();
    assert_eq!(odrl::export(&rules, Some((&id, &facts))).unwrap()[0].permission.len(), 1);
}

fn policy(change: impl FnOnce(&mut Value)) -> Result<odrl::Draft, OdrlError> {
    let mut policy = json!({
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Set", "uid": "urn:x", "profile": odrl::PROFILE, "conflict": "prohibit", "gov:tier": "20",
        "permission": [{
            "uid": "urn:tram:rule:R-1", "assignee": "urn:agency:vn:a", "target": "urn:tram:dataset:x", "action": "odrl:read",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "urn:tram:purpose:a"}],
            "duty": [{"action": "delete", "constraint":
                [{"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"}]}],
        }],
    });
    change(&mut policy);
    imported(&policy)
}

/// What is refused is named where it stands.
#[track_caller]
fn refused(code: OdrlCode, term: &str, change: impl FnOnce(&mut Value)) {
    let error = policy(change).unwrap_err();
    let found = error.problems.iter().any(|p| p.code == code && p.term == term);
    assert!(found, "{code:?} `{term}` is not among {:#?}", error.problems);
}

#[test]
fn what_rules_cannot_say_is_refused_by_name() {
    assert!(policy(|_| {}).is_ok());
    let constraint = |value: Value| move |p: &mut Value| p["permission"][0]["constraint"] = value;
    let atom = |left: &str, operator: &str, right: Value| json!([{"leftOperand": left, "operator": operator, "rightOperand": right}]);
    let purpose = json!({"leftOperand": "purpose", "operator": "isA", "rightOperand": "urn:tram:purpose:a"});
    refused(OdrlCode::Operand, "payAmount", constraint(atom("odrl:payAmount", "eq", json!("5"))));
    refused(OdrlCode::Operand, "gov:mood", constraint(atom("gov:mood", "eq", json!("5"))));
    refused(
        OdrlCode::Operand,
        "urn:other:purpose",
        constraint(atom("urn:other:purpose", "isA", json!("urn:tram:purpose:a"))),
    );
    refused(OdrlCode::Operator, "neq", constraint(atom("purpose", "neq", json!("urn:tram:purpose:a"))));
    refused(OdrlCode::Operator, "eq", constraint(atom("purpose", "eq", json!("urn:tram:purpose:a"))));
    refused(OdrlCode::Operator, "lteq", constraint(atom("dateTime", "lteq", json!("2026-01-01T00:00:00Z"))));
    refused(OdrlCode::Value, "dateTime", constraint(atom("dateTime", "lt", json!("2026-01-01T00:00:30Z"))));
    refused(OdrlCode::Value, "purpose", constraint(atom("purpose", "isA", json!("urn:tram:group:a"))));
    refused(
        OdrlCode::Value,
        "gov:classification",
        constraint(atom("gov:classification", "lteq", json!("12"))),
    );
    refused(OdrlCode::Logic, "xone", constraint(json!([{"xone": [purpose, purpose]}])));
    refused(OdrlCode::Logic, "andSequence", constraint(json!([{"andSequence": [purpose]}])));
    refused(OdrlCode::Twice, "purpose", constraint(json!([purpose, purpose])));
    refused(OdrlCode::Property, "unit", |p| p["permission"][0]["constraint"][0]["unit"] = json!("x"));
    refused(OdrlCode::Inherit, "inheritFrom", |p| p["inheritFrom"] = json!("urn:y"));
    refused(OdrlCode::Inherit, "odrl:inheritFrom", |p| p["odrl:inheritFrom"] = json!("urn:y"));
    refused(OdrlCode::Consequence, "consequence", |p| {
        p["permission"][0]["duty"][0]["consequence"] = json!([{"action": "odrl:compensate"}])
    });
    refused(OdrlCode::Consequence, "remedy", |p| p["permission"][0]["remedy"] = json!([]));
    refused(OdrlCode::Consequence, "failure", |p| p["permission"][0]["failure"] = json!([]));
    refused(OdrlCode::Conflict, "perm", |p| p["conflict"] = json!("perm"));
    refused(OdrlCode::Conflict, "invalid", |p| p["conflict"] = json!("odrl:invalid"));
    refused(OdrlCode::Conflict, "conflict", |p| drop(p.as_object_mut().unwrap().remove("conflict")));
    refused(OdrlCode::Profile, "https://w3id.org/other", |p| p["profile"] = json!("https://w3id.org/other"));
    refused(OdrlCode::Action, "distribute", |p| p["permission"][0]["action"] = json!("odrl:distribute"));
    refused(OdrlCode::Malformed, "action", |p| {
        p["permission"][0]["action"] = json!({"@id": "odrl:read", "refinement": []})
    });
    refused(OdrlCode::Action, "compensate", |p| {
        p["permission"][0]["duty"][0]["action"] = json!("compensate")
    });
    refused(OdrlCode::Malformed, "target", |p| {
        p["permission"][0]["target"] = json!({"uid": "urn:tram:dataset:x", "refinement": []})
    });
    refused(OdrlCode::Duty, "duty", |p| {
        let rule = p["permission"][0].take();
        *p = json!({"@type": "Set", "conflict": "prohibit", "prohibition": [rule]});
    });
    refused(OdrlCode::Twice, "target", |p| p["target"] = json!("urn:tram:dataset:y"));
    refused(OdrlCode::Twice, "assignee", |p| p["assignee"] = json!("urn:agency:vn:b"));
    refused(OdrlCode::Duty, "obligation", |p| {
        let duty = p["permission"][0]["duty"].take();
        let mut rule = p["permission"][0].take();
        rule.as_object_mut().unwrap().remove("duty");
        *p = json!({"@type": "Set", "conflict": "prohibit", "prohibition": [rule], "obligation": duty});
    });
    refused(OdrlCode::Tier, "05", |p| p["gov:tier"] = json!("05"));
    refused(OdrlCode::Type, "Ticket", |p| p["@type"] = json!("Ticket"));
    refused(OdrlCode::Type, "https://other.example/context", |p| {
        p["@context"] = json!(["https://other.example/context"])
    });
    refused(OdrlCode::Type, "odrl", |p| p["@context"] = json!([{"odrl": "urn:x:"}]));
    refused(OdrlCode::Property, "price", |p| p["permission"][0]["price"] = json!("5"));
    refused(OdrlCode::Twice, "odrl:action", |p| p["permission"][0]["odrl:action"] = json!("odrl:read"));
}

#[test]
fn a_weakened_duty_is_seen_by_the_digest_of_its_set() {
    let rules = RuleSet::builtin(1).unwrap();
    for (from, to) in [("P365D", "P3650D"), ("P180D", "P181D"), ("gov:noOnward", "odrl:watermark")] {
        let text = exported(&rules).to_string();
        assert!(text.contains(from));
        let error = odrl::import(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.has(OdrlCode::Duty), "{from}: {:#?}", error.problems);
    }
    let mut document = exported(&rules);
    let rule =
        document["@graph"].as_array_mut().unwrap().iter_mut().flat_map(|p| p["permission"].as_array_mut());
    let rule = rule.flatten().find(|rule| rule.get("duty").is_some()).unwrap();
    rule.as_object_mut().unwrap().remove("duty");
    assert!(imported(&document).unwrap_err().has(OdrlCode::Duty), "a duty left out");
}

#[test]
fn or_becomes_rows_and_too_many_rows_are_refused() {
    let is = |name: &str| json!({"leftOperand": "purpose", "operator": "isA", "rightOperand": format!("urn:tram:purpose:{name}")});
    let draft = policy(|p| p["permission"][0]["constraint"] = json!([{"or": [is("a"), {"and": [is("b")]}]}]))
        .unwrap();
    let rows: Vec<String> =
        draft.grants.iter().map(|r| format!("{} {}", r.id, r.purpose.written())).collect();
    assert_eq!(rows, ["R-1.1 pu:a", "R-1.2 pu:b"]);
    let many: Vec<Value> = (0..=policy::limits::ODRL_ROWS_MAX).map(|n| is(&n.to_string())).collect();
    let error = policy(|p| p["permission"][0]["constraint"] = json!([{"or": many}])).unwrap_err();
    assert!(error.has(OdrlCode::Limit));
}

#[test]
fn the_written_out_spellings_are_read_as_the_compact_ones() {
    let odrl = |word: &str| format!("http://www.w3.org/ns/odrl/2/{word}");
    let plain = policy(|_| {}).unwrap();
    let full = json!({
        "@type": [odrl("Set")], "@id": "urn:x",
        odrl("profile"): [{"@id": odrl::PROFILE}], odrl("conflict"): [{"@id": odrl("prohibit")}],
        "urn:tram:ns:tier": [{"@value": "20"}],
        odrl("permission"): [{
            "@id": "urn:tram:rule:R-1", odrl("assignee"): [{"@id": "urn:agency:vn:a"}],
            odrl("target"): [{"@id": "urn:tram:dataset:x"}], odrl("action"): [{"@id": odrl("read")}],
            odrl("constraint"): [{odrl("leftOperand"): [{"@id": odrl("purpose")}], odrl("operator"): [{"@id": odrl("isA")}],
                odrl("rightOperand"): [{"@id": "urn:tram:purpose:a"}]}],
            odrl("duty"): [{odrl("action"): [{"@id": odrl("delete")}], odrl("constraint"): [{
                odrl("leftOperand"): [{"@id": odrl("elapsedTime")}], odrl("operator"): [{"@id": odrl("lteq")}],
                odrl("rightOperand"): [{"@value": "P30D", "@type": "http://www.w3.org/2001/XMLSchema#duration"}]}]}],
        }],
    });
    assert_eq!(imported(&full).unwrap(), plain);
}

#[test]
fn sizes_and_depth_are_limited() {
    let levels = policy::limits::ODRL_DEPTH_MAX + 1;
    let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(odrl::import(deep.as_bytes()).unwrap_err().to_string().contains("deeper"));
    let long = vec![b' '; policy::limits::ODRL_BYTES_MAX + 1];
    assert!(odrl::import(&long).unwrap_err().has(OdrlCode::Limit));
    let twice = br#"{"@type": "Set", "conflict": "prohibit", "conflict": "perm"}"#;
    assert!(odrl::import(twice).unwrap_err().to_string().contains("twice"));
    assert!(odrl::import(b"{} {}").is_err() && odrl::import(b"[]").is_err() && odrl::import(b"").is_err());
}

#[test]
fn an_offer_of_a_peer_becomes_a_draft_with_its_common_duties_and_what_was_not_said() {
    let draft = imported(&json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "Offer", "@id": "urn:offer:1",
        "conflict": "prohibit", "assigner": "urn:agency:vn:b", "target": "urn:agency:vn:b/air",
        "permission": [{"action": "use"}],
        "obligation": [{"action": "odrl:delete", "constraint":
            [{"leftOperand": "odrl:elapsedTime", "operator": "lteq", "rightOperand": {"@value": "P10D"}}]}],
    }))
    .unwrap();
    assert_eq!(draft.grants[0].object.written(), "ds:urn:agency:vn:b/air");
    assert_eq!(draft.grants[0].tier, policy::Tier::Owner);
    let set = draft.grants[0].obligations.as_ref().unwrap();
    assert_eq!(draft.obligations[set].retention_days.unwrap().get(), 10);
    assert!(draft.duties.is_empty());
    assert_eq!(draft.notes.len(), 2, "{:?}", draft.notes);
    let readme = draft.files();
    assert!(String::from_utf8_lossy(readme.get("README.md").unwrap()).contains("urn:agency:vn:b"));
}
