//! A rule set as ODRL.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::columns::conditions;
use super::duty::duties;
use super::model::{OdrlPolicy, OdrlRule, Spelling, kind_of, list};
use super::names::{NS, REASON, SET, iri_of};
use super::terms::{FULFIL, action_of};
use crate::digest::{CanonError, Digest};
use crate::ids::{DatasetId, ObligationSetId};
use crate::obligations::Obligations;
use crate::question::DatasetFacts;
use crate::rule::{Link, LinkKind, Pattern, Rule, RuleEffect, Tier};
use crate::rule_set::RuleSet;

/// One policy for each tier that says something; with a dataset, only rules that are about it.
///
/// # Errors
/// [`CanonError`] when an obligation set has no canonical form; none that was loaded does that.
pub fn export(
    rules: &RuleSet,
    about: Option<(&DatasetId, &DatasetFacts)>,
) -> Result<Vec<OdrlPolicy>, CanonError> {
    let sets = digests(rules)?;
    let objects = about.map(|(dataset, facts)| Objects::of(rules, dataset, facts));
    let concerns = |rule: &&Rule| objects.as_ref().is_none_or(|objects| objects.has(rule));
    let name: String = rules.digest().to_string().chars().take(16).collect();
    let mut policies = Vec::new();
    for tier in Tier::ALL {
        let of = |list: &[Rule], effect: RuleEffect, duty: bool| -> Vec<OdrlRule> {
            let fits = |rule: &&Rule| rule.tier == tier && rule.effect == effect;
            list.iter().filter(fits).filter(concerns).map(|rule| written(rule, duty, &sets)).collect()
        };
        let policy = OdrlPolicy {
            uid: format!("urn:tram:policy:{name}:{}", tier.written()),
            tier,
            permission: of(&rules.grants, RuleEffect::Allow, false),
            prohibition: of(&rules.grants, RuleEffect::Deny, false),
            obligation: of(&rules.duties, RuleEffect::Allow, true),
        };
        if [&policy.permission, &policy.prohibition, &policy.obligation].iter().any(|list| !list.is_empty()) {
            policies.push(policy);
        }
    }
    Ok(policies)
}

/// The whole as one document: policies, links, and what no policy carries (reasons, obligation sets
/// without a rule, the legal order where it is not the usual one).
///
/// # Errors
/// As [`export`].
pub fn document(rules: &RuleSet, about: Option<(&DatasetId, &DatasetFacts)>) -> Result<Value, CanonError> {
    let policies = export(rules, about)?;
    let mut graph: Vec<Value> = policies.iter().map(OdrlPolicy::value).collect();
    graph.extend(links(&rules.links));
    if !rules.invariants().is_default() {
        graph.push(json!({"@type": "gov:Invariants", "gov:value": rules.invariants()}));
    }
    let shown: BTreeSet<&str> = policies.iter().flat_map(all_rules).map(|rule| rule.id.as_str()).collect();
    for (key, reason) in &rules.reasons {
        if about.is_none() || shown.contains(key.as_str()) || key == crate::ReasonCode::NoRule.as_str() {
            let literal = json!({"@type": "@json", "@value": reason});
            graph.push(json!({"@type": "gov:Reason", "uid": format!("{REASON}{key}"), "gov:value": literal}));
        }
    }
    let used: BTreeSet<&ObligationSetId> =
        policies.iter().flat_map(all_rules).filter_map(|rule| Some(&rule.set.as_ref()?.0)).collect();
    if about.is_none() {
        graph.extend(rules.obligations.iter().filter(|(id, _)| !used.contains(id)).map(|(id, set)| {
            let mut out = Map::new();
            out.insert("@type".to_owned(), json!("gov:ObligationSet"));
            out.insert("uid".to_owned(), json!(format!("{SET}{id}")));
            list(&mut out, "gov:duty", duties(set).iter().map(|duty| duty.value(Spelling::Document)));
            Value::Object(out)
        }));
    }
    Ok(json!({"@context": ["http://www.w3.org/ns/odrl.jsonld", {"gov": NS}], "@graph": graph}))
}

fn all_rules(policy: &OdrlPolicy) -> impl Iterator<Item = &OdrlRule> {
    policy.permission.iter().chain(&policy.prohibition).chain(&policy.obligation)
}

fn digests(rules: &RuleSet) -> Result<BTreeMap<&ObligationSetId, (&Obligations, Digest)>, CanonError> {
    rules.obligations.iter().map(|(id, set)| Ok((id, (set, set.digest()?)))).collect()
}

fn written(rule: &Rule, duty: bool, sets: &BTreeMap<&ObligationSetId, (&Obligations, Digest)>) -> OdrlRule {
    let name = |pattern: &Pattern| match pattern {
        Pattern::Any => None,
        Pattern::Name(name) => Some(name.clone()),
    };
    let set = rule.obligations.as_ref().and_then(|id| Some((id.clone(), sets.get(id)?)));
    OdrlRule {
        id: rule.id.clone(),
        assignee: name(&rule.subject),
        target: name(&rule.object),
        action: if duty { FULFIL } else { action_of(rule.action) },
        constraint: conditions(rule, duty),
        duty: set.as_ref().map(|(_, (set, _))| duties(set)).unwrap_or_default(),
        set: set.map(|(id, (_, digest))| (id, *digest)),
    }
}

/// Each name with everything that it is directly a part of.
fn links(links: &[Link]) -> impl Iterator<Item = Value> {
    let mut above: BTreeMap<(LinkKind, &str), Vec<String>> = BTreeMap::new();
    for link in links {
        above.entry((link.kind, link.from.as_str())).or_default().push(iri_of(&link.to));
    }
    above.into_iter().map(|((kind, from), to)| {
        let key = if kind == LinkKind::Purpose { "gov:broader" } else { "partOf" };
        json!({"@type": kind_of(from), "uid": iri_of(from), key: to})
    })
}

/// A dataset with everything that it stands under.
struct Objects<'a> {
    names: BTreeSet<&'a str>,
    owner: String,
    class: crate::rule::Class,
}

impl<'a> Objects<'a> {
    fn of(rules: &'a RuleSet, dataset: &'a DatasetId, facts: &'a DatasetFacts) -> Self {
        let owner = crate::standing::owner_name(facts);
        let mut direct = vec![dataset.as_str()];
        direct.extend(crate::standing::derived(facts));
        direct.extend(facts.sector.iter().map(|sector| sector.as_str()));
        direct.extend(facts.tags.iter().map(|tag| tag.as_str()));
        direct.extend(facts.collections.iter().map(|collection| collection.as_str()));
        let mut names: BTreeSet<&str> = direct.iter().flat_map(|name| rules.closure.above(name)).collect();
        names.extend(rules.closure.above(&owner));
        names.extend(direct);
        Self { names, owner, class: facts.class }
    }

    fn has(&self, rule: &Rule) -> bool {
        let object = match &rule.object {
            Pattern::Any => true,
            Pattern::Name(name) => self.names.contains(name.as_str()) || self.owner == *name,
        };
        object && rule.class_from <= self.class && self.class <= rule.class_to
    }
}
