//! What a statement of the ledger says, as JSON for people and programs. The text in the ledger is what counts; this is
//! for reading.

use ledger::statement::{Decision, Deed, Own, Question, RuleSet, SignedStatement, Statement, Word};
use serde_json::{Map, Value, json};

use crate::files::hex;
use crate::operation::rfc3339;

/// A signed statement with its signer and leaf hash.
pub fn signed(signed: &SignedStatement) -> Value {
    let mut view = statement(signed.statement());
    if let Some(members) = view.as_object_mut() {
        members.insert("signer".to_owned(), json!(signed.signer()));
        members.insert("leaf".to_owned(), json!(hex(&signed.leaf().0)));
    }
    view
}

/// What it says.
pub fn statement(statement: &Statement) -> Value {
    let mut view = Map::new();
    view.insert("kind".to_owned(), json!(statement.kind().first_line()));
    view.insert("exchange".to_owned(), json!(statement.id().as_str()));
    view.insert("time".to_owned(), json!(time(statement.time().get())));
    match statement {
        Statement::Intent(intent) => {
            question(&mut view, &intent.question);
            rules(&mut view, &intent.rules);
        }
        Statement::Exchange(exchange) => {
            question(&mut view, &exchange.question);
            match &exchange.decision {
                Decision::Permit { .. } => view.insert("decision".to_owned(), json!("permit")),
                Decision::Deny { reason, .. } => {
                    view.insert("decision".to_owned(), json!("deny"));
                    view.insert("reason".to_owned(), json!(reason.as_str()))
                }
            };
            rules(&mut view, &exchange.rules);
        }
        Statement::Ack(ack) => {
            view.insert("of_leaf".to_owned(), json!(hex(&ack.leaf.0)));
            view.insert("provider_log".to_owned(), place(&ack.provider));
            view.insert("consumer_log".to_owned(), place(&ack.consumer));
        }
        Statement::Interrupted(interrupted) => {
            view.insert("of_intent".to_owned(), json!(interrupted.intent.index));
            view.insert("reason".to_owned(), json!(interrupted.reason.as_str()));
        }
        Statement::Own(said) => own(&mut view, said),
    }
    Value::Object(view)
}

fn own(view: &mut Map<String, Value>, own: &Own) {
    let word = |word: &Option<Word>| word.as_ref().map(|w| w.as_str().to_owned());
    view.insert("agency".to_owned(), json!(own.agency.as_str()));
    let told = match &own.deed {
        Deed::Decided(decided) => json!({
            "consumer": decided.subject.as_str(),
            "operation": decided.action.as_str(),
            "dataset": decided.dataset.as_str(),
            "agreement": word(&decided.agreement),
            "purpose": word(&decided.purpose),
            "basis": word(&decided.basis),
            "decision": if decided.refused.is_none() { "permit" } else { "deny" },
            "reason": word(&decided.refused),
            "rule_set": rule_set(&decided.rules),
        }),
        Deed::RulesActivated(activated) => {
            json!({"rule_set": rule_set(&activated.rules), "before": rule_set(&activated.before)})
        }
        Deed::PersonChanged(changed) => json!({
            "register": changed.register,
            "change": changed.change.as_str(),
            "key": changed.key.as_str(),
            "roles": changed.roles.as_str(),
            "by": word(&changed.by),
        }),
        Deed::Read(read) => json!({
            "reader": read.reader.as_str(),
            "action": read.action.as_str(),
            "purpose": word(&read.purpose),
            "entries": {"from": read.from, "to": read.to},
            "opened": read.opened,
        }),
        Deed::Erased(erased) => {
            json!({"of_entry": erased.entry.index, "of_leaf": hex(&erased.entry.leaf.0), "reason": erased.reason.as_str()})
        }
        Deed::Anchored(anchored) => json!({
            "tree": tree(anchored.size, &anchored.root),
            "token": hex(&anchored.token),
            "stamped": time(anchored.stamped.get()),
        }),
        Deed::Conflict(conflict) => json!({
            "log": conflict.log.as_str(),
            "first": tree(conflict.first_size, &conflict.first_root),
            "second": tree(conflict.second_size, &conflict.second_root),
            "evidence": hex(&conflict.evidence),
        }),
        Deed::OwnRead(read) => json!({
            "dataset": read.dataset.as_str(),
            "operation": read.operation.as_str(),
            "purpose": word(&read.purpose),
            "basis": word(&read.basis),
            "decision": "permit",
            "permit": read.permit.as_str(),
            "rule_set": rule_set(&read.rules),
        }),
        Deed::Linkage(act) => json!({
            "linkage": act.linkage.as_str(),
            "act": act.act.as_str(),
            "holders": act.holders.as_str().split('|').collect::<Vec<_>>(),
            "party": act.party.as_ref().map(ledger::statement::Party::as_str),
        }),
        Deed::Broken(broken) => json!({
            "log": broken.log.as_str(),
            "promised": {"index": broken.promised.index, "leaf": hex(&broken.promised.leaf.0)},
            "found": hex(&broken.found.0),
            "tree": tree(broken.size, &broken.root),
            "evidence": hex(&broken.evidence),
        }),
    };
    if let Value::Object(mut told) = told {
        view.append(&mut told);
    }
}

fn tree(size: u64, root: &ledger::merkle::Hash) -> Value {
    json!({"size": size, "root": hex(&root.0)})
}

fn question(view: &mut Map<String, Value>, question: &Question) {
    let mut put = |key: &str, value: Option<&str>| view.insert(key.to_owned(), json!(value));
    put("provider", Some(question.provider.as_str()));
    put("consumer", Some(question.consumer.as_str()));
    put("dataset", Some(question.dataset.as_str()));
    put("operation", Some(question.operation.as_str()));
    put("agreement", question.agreement.as_ref().map(|w| w.as_str()));
    put("purpose", question.purpose.as_ref().map(|w| w.as_str()));
    put("basis", question.basis.as_ref().map(|w| w.as_str()));
}

fn rules(view: &mut Map<String, Value>, rules: &RuleSet) {
    view.insert("rule_set".to_owned(), rule_set(rules));
}

fn rule_set(rules: &RuleSet) -> Value {
    json!({"version": rules.version, "sha256": hex(&rules.sha256)})
}

fn place(place: &ledger::statement::Place) -> Value {
    json!({"origin": place.log.as_str(), "index": place.index})
}

fn time(seconds: u64) -> String {
    i64::try_from(seconds).map_or_else(|_| "-".to_owned(), rfc3339)
}

#[cfg(test)]
mod tests {
    use ledger::merkle::Hash;
    use ledger::statement::{Ack, ExchangeId, Party, Place, Seconds, Statement};

    #[test]
    fn an_acknowledgement_is_told_with_both_places() {
        let place = |log: &str, index| Place { log: Party::new(log).unwrap(), index };
        let ack = Ack {
            id: ExchangeId::new("01J9ZQ4Y7M8N6P5R3S2T1V0W9X").unwrap(),
            time: Seconds::new(1_790_000_000).unwrap(),
            leaf: Hash([0xab; 32]),
            provider: place("urn:a/ledger", 3),
            consumer: place("urn:b/ledger", 1),
        };
        let view = super::statement(&Statement::Ack(ack));
        assert_eq!(view["kind"], "tram/ack@v1");
        assert_eq!(view["time"], "2026-09-21T14:13:20Z");
        assert_eq!(view["provider_log"]["index"], 3);
        assert!(view["of_leaf"].as_str().unwrap().starts_with("abab"));
    }
}
