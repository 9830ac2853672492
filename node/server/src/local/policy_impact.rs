//! What rules do and what a change of them would do: replay of recorded questions, who can see what, differences.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::access::{Access, AccessLimits, KnownAgreement, KnownDataset, KnownParty, World};
use policy::impact::{AskedAt, Replay};
use policy::{AgreementId, DatasetId, Dpia, Engine, RuleSet, SubjectId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Space;

use super::aside::aside;
use super::body::{JsonBody, Params, RulesBody};
use crate::error::{Error, Result};
use crate::flow::agreement::Standing;
use crate::node::Node;
use crate::operation::{read_time, rfc3339};
use crate::records::{self, Peer, Side};
use crate::{datasets, decisions, gate, limits, rules};

/// A rule set: files, an earlier version, or with neither the one in force.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    files: Option<BTreeMap<String, String>>,
    #[serde(default)]
    version: Option<u64>,
}

impl Rules {
    fn load(&self, node: &Node) -> Result<RuleSet> {
        let in_force = || node.gate.engine().rule_set().clone();
        match (&self.files, self.version) {
            (Some(_), Some(_)) => Err(Error::usage("name files or a version of the rules, not both")),
            // A draft has no version yet; it would get the next one.
            (Some(files), None) => rules::load(files, in_force().version() + 1),
            (None, Some(version)) if version != in_force().version() => {
                rules::earlier(node, version).map(|(rules, _)| rules)
            }
            (None, _) => Ok(in_force()),
        }
    }

    fn engine(&self, node: &Node) -> Result<Engine> {
        Engine::new(self.load(node)?).map_err(Error::internal)
    }
}

/// Body of `POST /v1/policy/impact`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impact {
    draft: Rules,
    #[serde(default)]
    last: Option<usize>,
    #[serde(default)]
    at: Option<String>,
}

/// `POST /v1/policy/impact`: the newest recorded questions, put to the rules in force and to a draft.
pub async fn impact(State(node): State<Arc<Node>>, JsonBody(body): RulesBody<Impact>) -> Result<Json<Value>> {
    let last = body.last.unwrap_or(limits::IMPACT_QUESTIONS);
    if last == 0 || last > limits::IMPACT_QUESTIONS_MAX {
        return Err(Error::usage(format!(
            "{last} questions cannot be replayed; ask for 1 to {}",
            limits::IMPACT_QUESTIONS_MAX
        )));
    }
    let at = match body.at.as_deref() {
        None => AskedAt::Second(node.clock.now()),
        Some("recorded") => AskedAt::Recorded,
        Some(time) => AskedAt::Second(read_time(time)?),
    };
    let here = Arc::clone(&node);
    aside(&here, move || replayed(&node, &body.draft, last, at)).await
}

fn replayed(node: &Node, draft: &Rules, last: usize, at: AskedAt) -> Result<Value> {
    let draft = draft.engine(node)?;
    let newest = decisions::newest(node, last)?;
    let questions = newest.questions.iter().map(|kept| (kept.question.clone(), kept.facts.clone()));
    let impact = policy::impact::replay(questions, &node.gate.engine(), &draft, &Replay::at(at));
    let times = |kept: Option<&decisions::Recorded>| kept.map(|kept| rfc3339(kept.at));
    let mut answer = serde_json::to_value(&impact).map_err(Error::internal)?;
    answer["questions"] = json!({
        "kept": newest.kept,
        "unreadable": newest.unreadable,
        "from": times(newest.questions.first()),
        "until": times(newest.questions.last()),
        "asked_at": match at {
            AskedAt::Recorded => "recorded".to_owned(),
            AskedAt::Second(second) => rfc3339(second),
        },
    });
    for group in answer["groups"].as_array_mut().into_iter().flatten() {
        group["undeliverable"] = json!(undeliverable(node, &draft, &newest.questions, group)?);
        for example in group["examples"].as_array_mut().into_iter().flatten() {
            let position = example["position"].as_u64().and_then(|position| usize::try_from(position).ok());
            if let Some(kept) = position.and_then(|position| newest.questions.get(position)) {
                example["exchange"] = json!(kept.exchange);
                example["entry"] = json!(kept.entry);
                example["asked"] = json!(rfc3339(kept.at));
            }
        }
    }
    Ok(answer)
}

/// Why nothing would leave of what a group of questions is permitted by the draft: as the gate would find. The first of them
/// stands for all.
fn undeliverable(
    node: &Node,
    draft: &Engine,
    recorded: &[decisions::Recorded],
    group: &Value,
) -> Result<Option<String>> {
    let example = &group["examples"][0];
    let position = example["position"].as_u64().and_then(|position| usize::try_from(position).ok());
    let kept = position.and_then(|position| recorded.get(position));
    let (Some(kept), true) = (kept, group["to"]["permit"] == json!(true)) else { return Ok(None) };
    let question: policy::Question =
        serde_json::from_value(example["question"].clone()).map_err(Error::internal)?;
    let decision = draft.decide(&question, &kept.facts);
    let name = question.dataset.as_str();
    let Some(dataset) = datasets::find(node, name.strip_prefix("ds:").unwrap_or(name))? else {
        return Ok(None);
    };
    let Some(owed) = decision.obligations().filter(|_| question.action.moves_content()) else {
        return Ok(None);
    };
    let refused = gate::unsupported(owed).map(|refusal| refusal.text_en);
    Ok(refused.or_else(|| {
        let purpose = question.purpose.as_ref().map(policy::PurposeId::as_str);
        let (secrets, recipient) = (node.secrets(), question.subject.as_str());
        let fits = crate::enforce::fits(owed, &dataset, secrets, recipient, purpose, question.now);
        fits.err().map(|why| why.to_string())
    }))
}

/// Query of `GET /v1/policy/who`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    dataset: Option<String>,
    agency: Option<String>,
    version: Option<u64>,
    at: Option<String>,
}

/// `GET /v1/policy/who`: who can see a dataset, or what an agency can see.
pub async fn who(State(node): State<Arc<Node>>, Params(who): Params<Who>) -> Result<Json<Value>> {
    let at = who.at.as_deref().map_or(Ok(node.clock.now()), read_time)?;
    let rules = Rules { files: None, version: who.version };
    let here = Arc::clone(&node);
    aside(&here, move || {
        let engine = rules.engine(&node)?;
        let world = world(&node, at)?;
        let limits = AccessLimits::default();
        let access = match (&who.dataset, &who.agency) {
            (Some(dataset), None) => {
                datasets::demand(&node, dataset)?;
                let id = DatasetId::named(dataset).map_err(|e| Error::usage(e.to_string()))?;
                policy::access::who_sees(&engine, &world, &id, limits)
            }
            (None, Some(agency)) => {
                let id = SubjectId::named(agency).map_err(|e| Error::usage(e.to_string()))?;
                if !world.parties.iter().any(|known| known.id == id) {
                    return Err(Error::not_found(format!(
                        "no peer `{agency}` here; `tram peer list` shows them"
                    )));
                }
                policy::access::what_is_seen_by(&engine, &world, &id, limits)
            }
            _ => return Err(Error::usage("name a dataset or an agency, and one of them only")),
        };
        shown(&node, &access, at)
    })
    .await
}

fn shown(node: &Node, access: &Access, at: i64) -> Result<Value> {
    let mut answer = serde_json::to_value(access).map_err(Error::internal)?;
    answer["at"] = json!(rfc3339(at));
    let mut unpublished: Vec<&str> = Vec::new();
    let all = datasets::readable(node)?;
    for dataset in all.iter().filter(|dataset| !dataset.is_published()) {
        let named = |row: &policy::access::Row| {
            row.dataset.as_str().strip_prefix("ds:") == Some(dataset.record.id.as_str())
        };
        if access.rows.iter().any(named) {
            unpublished.push(dataset.record.id.as_str());
        }
    }
    answer["unpublished"] = json!(unpublished);
    for (row, told) in access.rows.iter().zip(answer["rows"].as_array_mut().into_iter().flatten()) {
        // What the gate would say: a permit whose obligations the node cannot keep is refused.
        told["undeliverable"] = json!(gate::unsupported(&row.obligations).map(|refusal| refusal.text_en));
    }
    Ok(answer)
}

/// Everything this node knows. Datasets that are not published yet are taken as if they were.
fn world(node: &Node, at: i64) -> Result<World> {
    let mut parties = Vec::new();
    for peer in records::readable::<Peer>(&node.store, Space::Peer, b"")? {
        if let Some(facts) = gate::party_facts(&peer)? {
            let id = SubjectId::named(&peer.id).map_err(Error::internal)?;
            parties.push(KnownParty { id, facts });
        }
    }
    parties.extend(crate::parties::known(node)?);
    let mut known = Vec::new();
    for dataset in datasets::readable(node)? {
        let id = DatasetId::named(dataset.record.id.as_str()).map_err(Error::internal)?;
        let dpia = dataset.record.dpia.clone().map_or(Dpia::Missing, Dpia::Filed);
        known.push(KnownDataset { id, facts: datasets::facts(node, &dataset)?, new_agreement: Some(dpia) });
    }
    let mut agreements = Vec::new();
    for standing in records::readable::<Standing>(&node.store, Space::Agreement, b"")? {
        if standing.side == Side::Provider && standing.holds_at(at) {
            agreements.push(agreement(node, &standing)?);
        }
    }
    let (mut zones, mut routes) = (Vec::new(), Vec::new());
    for asker in [node.config.node.id.as_str(), crate::parties::PUBLIC] {
        let (zone, route) = gate::channel(node, asker)?;
        if !zones.contains(&zone) {
            zones.push(zone);
        }
        if !routes.contains(&route) {
            routes.push(route);
        }
    }
    Ok(World { at, parties, datasets: known, agreements, zones, routes })
}

fn agreement(node: &Node, standing: &Standing) -> Result<KnownAgreement> {
    let id = AgreementId::named(&standing.id).map_err(Error::internal)?;
    let consumer = SubjectId::named(&standing.consumer).map_err(Error::internal)?;
    let dataset = DatasetId::named(&standing.dataset).map_err(Error::internal)?;
    let facts = gate::agreement_facts(node, &consumer, &dataset, standing)?;
    Ok(KnownAgreement { id, facts, dossier: false })
}

/// Body of `POST /v1/policy/diff`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    #[serde(default)]
    from: Rules,
    #[serde(default)]
    to: Rules,
}

/// `POST /v1/policy/diff`: what differs between two rule sets, and which way it goes.
pub async fn diff(State(node): State<Arc<Node>>, JsonBody(body): RulesBody<Diff>) -> Result<Json<Value>> {
    let here = Arc::clone(&node);
    aside(&here, move || compared(&body.from.load(&node)?, &body.to.load(&node)?)).await
}

/// The difference of two rule sets for people and programs: what may open first, the rest counted.
pub fn compared(from: &RuleSet, to: &RuleSet) -> Result<Value> {
    let mut diff = policy::diff::diff(from, to);
    diff.changes.sort_by_key(|change| !change.bearing.may_open());
    let left_out = diff.changes.len().saturating_sub(limits::DIFF_CHANGES_MAX);
    diff.changes.truncate(limits::DIFF_CHANGES_MAX);
    let mut answer = serde_json::to_value(&diff).map_err(Error::internal)?;
    answer["left_out"] = json!(left_out);
    for (change, told) in diff.changes.iter().zip(answer["changes"].as_array_mut().into_iter().flatten()) {
        told["text"] = json!({"vi": change.vi(), "en": change.en()});
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::error::Error;

    #[tokio::test]
    async fn what_cannot_be_asked_of_rules_is_refused_with_what_to_do() {
        let (_dir, node) = crate::testing::node().await;
        let client = crate::testing::local_door(&node);
        let draft = json!({"version": 1});
        for (path, body, wants) in [
            ("/v1/policy/impact", json!({"draft": draft, "last": 0}), "1 to 100000"),
            ("/v1/policy/impact", json!({"draft": draft, "last": 100_001}), "1 to 100000"),
            ("/v1/policy/impact", json!({"draft": draft, "at": "soon"}), "is no date"),
            ("/v1/policy/impact", json!({"draft": {"files": {"policy.csv": "x"}}}), "problems"),
            ("/v1/policy/diff", json!({"to": {"version": 1, "files": {}}}), "not both"),
            ("/v1/policy/diff", json!({"to": {"colour": "red"}}), "colour"),
        ] {
            let error = client.post(path, &body).await.unwrap_err();
            assert!(matches!(&error, Error::Usage(text) if text.contains(wants)), "{body}: {error}");
        }
        for path in ["/v1/policy/who", "/v1/policy/who?dataset=x&agency=y"] {
            let error = client.get(path).await.unwrap_err();
            assert!(
                matches!(&error, Error::Usage(text) if text.contains("one of them only")),
                "{path}: {error}"
            );
        }
        for path in ["/v1/policy/who?dataset=x", "/v1/policy/who?agency=urn:agency:vn:y"] {
            assert!(matches!(client.get(path).await, Err(Error::NotFound(_))), "{path}");
        }
        let gone = client.post("/v1/policy/diff", &json!({"from": {"version": 77}})).await;
        assert!(matches!(gone, Err(Error::NotFound(_))));
        let same = client.post("/v1/policy/diff", &json!({"from": {"version": 1}})).await.unwrap();
        assert_eq!((&same["bearing"], &same["left_out"]), (&json!("neutral"), &json!(0)));
        client.close().await;
    }
}
