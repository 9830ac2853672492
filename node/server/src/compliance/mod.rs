//! How a node lives up to a legal pack: each clause of the matrix with how it stands under the rules in force, and what of
//! the node's own records counts as evidence.
//!
//! Figures are counts, no entries: nothing of an exchange is shown. A count of nothing is told as 0, one that could not be
//! made as unknown with its reason; neither says that a clause is broken. Only a lost rule does.
//!
//! Begin with [`at_node`], or with [`of_rules`] for a rule set without a node.

mod count;

use std::collections::BTreeMap;

use policy::pack::{BUILTIN, Clause, ClauseState, Evidence, Held, Pack, Standing};
use policy::{Country, Engine, Invariants, RuleSet, SourceMark};
use serde_json::{Value, json};

use self::count::Counted;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::{gate, rules};

/// A pack that ships with the program.
pub fn pack(name: &str) -> Result<Pack> {
    if !BUILTIN.contains(&name) {
        return Err(Error::not_found(format!(
            "there is no pack `{}`; `tram policy pack list` shows {}",
            name.escape_debug(),
            BUILTIN.join(", ")
        )));
    }
    Pack::builtin(name).map_err(Error::internal)
}

/// The pack of the legal order that a rule set is written for.
pub fn pack_of(rules: &RuleSet) -> &'static str {
    match rules.invariants() {
        Invariants::Vn => "vn",
        Invariants::Eu => "eu",
    }
}

/// Refuses a rule set of a legal order that the node's seat does not allow.
pub fn demand_seat(node: &Node, rules: &RuleSet) -> Result<()> {
    let seat = &node.config.node.country;
    if Country::parse(seat).is_some_and(|seat| rules.invariants().may_rule_in(seat)) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "pack.toml names the invariants {}, which are not for a node with its seat in {seat}; begin with the pack of your \
         own country: tram policy pack list",
        rules.invariants().version()
    )))
}

/// The matrix of a pack at a node: rules in force, and evidence from the ledger and the store. Reads the ledger; call it
/// where waiting is allowed.
pub fn at_node(node: &Node, name: Option<&str>, now: i64) -> Result<Value> {
    let engine = node.gate.engine();
    let pack = pack(name.unwrap_or_else(|| pack_of(engine.rule_set())))?;
    let counted = count::count(node, &pack, now)?;
    Ok(document(&pack, &engine, Some(&counted)))
}

/// The matrix of a pack under rules that are not in force anywhere; without evidence.
pub fn of_rules(rules: RuleSet, name: Option<&str>) -> Result<Value> {
    let pack = pack(name.unwrap_or_else(|| pack_of(&rules)))?;
    let engine = Engine::new(rules).map_err(Error::internal)?;
    Ok(document(&pack, &engine, None))
}

fn document(pack: &Pack, engine: &Engine, counted: Option<&Counted>) -> Value {
    let held = pack.hold(engine);
    let clauses: Vec<Value> =
        pack.clauses().iter().zip(&held).map(|(clause, held)| row(clause, held, counted)).collect();
    json!({
        "pack": head(pack),
        "rule_set": gate::described(engine.rule_set()),
        "counted": counted.map(Counted::view),
        "clauses": clauses,
        "summary": summary(pack, &held),
        "ok": held.iter().all(|held| held.standing != Standing::Lost),
    })
}

/// What a pack says of itself, for people and programs.
pub fn head(pack: &Pack) -> Value {
    let about = pack.about();
    json!({
        "id": about.id,
        "version": about.version,
        "name": about.name,
        "covers": about.covers,
        "invariants": about.invariants.version(),
        "clauses": pack.clauses().len(),
        "grants": pack.rules().grants().len(),
        "duties": pack.rules().duties().len(),
        "cases": pack.rules().cases().len(),
        "holidays": pack.calendar().map(policy::Calendar::years),
    })
}

fn row(clause: &Clause, held: &Held, counted: Option<&Counted>) -> Value {
    let mut row = serde_json::to_value(clause).unwrap_or_default();
    let evidence: Vec<Value> = clause.evidence.iter().map(|what| evidence(what, counted)).collect();
    row["standing"] = json!(held.standing);
    row["lost"] = json!(held.lost);
    row["changed"] = json!(held.changed);
    row["broken"] = json!(held.broken);
    row["evidence"] = json!(evidence);
    row
}

fn evidence(what: &Evidence, counted: Option<&Counted>) -> Value {
    let (count, unknown) = match counted.map(|counted| counted.of(what)) {
        None => (None, None),
        Some(Ok(count)) => (Some(count), None),
        Some(Err(why)) => (None, Some(why)),
    };
    json!({"what": what, "count": count, "unknown": unknown, "see": see(what)})
}

/// The command that shows what was counted.
fn see(what: &Evidence) -> String {
    match what {
        Evidence::Entries(kind) => format!("tram ledger query --kind {kind}"),
        Evidence::Refusals(code) => format!("tram ledger query --kind decision --effect deny --text {code}"),
        // The ledger commits to the rule and does not show it; the decisions here do.
        Evidence::Rule(_) => "tram exchange decisions EXCHANGE".to_owned(),
        Evidence::Overdue => "tram exchange list".to_owned(),
    }
}

fn summary(pack: &Pack, held: &[Held]) -> Value {
    let state = |state| pack.clauses().iter().filter(|clause| clause.state == state).count();
    let standing = |standing| held.iter().filter(|held| held.standing == standing).count();
    let mut marks: BTreeMap<&str, usize> = BTreeMap::new();
    for clause in pack.clauses() {
        let mark = match clause.source.mark() {
            SourceMark::Primary => "P",
            SourceMark::Secondary => "S",
            SourceMark::Memory => "M",
        };
        *marks.entry(mark).or_default() += 1;
    }
    json!({
        "kept": state(ClauseState::Kept),
        "partly": state(ClauseState::Partly),
        "left_to_people": state(ClauseState::LeftToPeople),
        "changed": standing(Standing::Changed),
        "lost": standing(Standing::Lost),
        "marks": marks,
    })
}

/// The rule set of a folder, for [`of_rules`].
pub fn folder(folder: &std::path::Path) -> Result<RuleSet> {
    RuleSet::from_folder(folder, 1).map_err(|e| rules::refused(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot;
    use crate::testing::{local_door, node};

    fn texts(pack: &Pack) -> BTreeMap<String, String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        pack.files().iter().map(|(name, bytes)| (name.to_owned(), text(bytes))).collect()
    }

    #[tokio::test]
    async fn a_fresh_node_holds_every_clause_and_has_its_own_activation_as_no_evidence_yet() {
        let (_dir, node) = node().await;
        let door = local_door(&node);
        let told = door.get("/v1/policy/compliance").await.unwrap();
        assert_eq!((&told["ok"], &told["pack"]["id"]), (&json!(true), &json!("vn")));
        assert_eq!(told["clauses"].as_array().unwrap().len(), pack("vn").unwrap().clauses().len());
        assert!(told["clauses"].as_array().unwrap().iter().all(|c| c["standing"] == json!("held")), "{told}");
        let secret = &told["clauses"][0]["evidence"][0];
        assert_eq!((&secret["what"], &secret["count"]), (&json!("refusals:INV-SECRET"), &json!(0)));
        assert_eq!(told["counted"]["unreadable"], json!(0));
        // Another pack can be asked for; the rules in force are not of its legal order.
        let eu = door.get("/v1/policy/compliance?pack=eu").await.unwrap();
        assert_eq!(eu["ok"], json!(false));
        assert!(door.get("/v1/policy/compliance?pack=xx").await.unwrap_err().to_string().contains("vn, eu"));
        boot::close(&node).await;
    }

    #[tokio::test]
    async fn a_node_does_not_take_the_law_of_another_seat() {
        let (_dir, node) = node().await;
        let door = local_door(&node);
        let files = texts(&pack("eu").unwrap());
        let refused = door.post("/v1/policy", &json!({"files": files})).await.unwrap_err().to_string();
        assert!(refused.contains("eu/1") && refused.contains("VN"), "{refused}");
        let files = texts(&pack("vn").unwrap());
        let applied = door.post("/v1/policy", &json!({"files": files})).await.unwrap();
        assert_eq!(applied["rule_set"]["version"], json!(2), "{applied}");
        assert_eq!(door.get("/v1/policy/compliance").await.unwrap()["ok"], json!(true));
        boot::close(&node).await;
    }

    #[test]
    fn rules_that_stand_on_nothing_lose_the_clauses_without_a_node() {
        let files = policy::Files::new()
            .with(
                "policy.csv",
                "p, R-1, 30, *, *, *, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n",
            )
            .with("duties.csv", "# none\n")
            .with("obligations.json", "{}");
        let told = of_rules(RuleSet::from_files(&files, 1).unwrap(), None).unwrap();
        assert_eq!((&told["ok"], &told["counted"]), (&json!(false), &Value::Null));
        let lost = told["summary"]["lost"].as_u64().unwrap();
        assert!(lost >= 10, "{told}");
        assert!(told["clauses"][0]["evidence"][0]["count"].is_null());
        // The invariants hold whatever the rules say.
        assert_eq!(told["clauses"][0]["standing"], json!("held"));
    }
}
