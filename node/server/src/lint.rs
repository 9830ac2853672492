//! What the node knows of the world that its rules speak about, for lint: catalog, peers, agreements, kept decisions.
//!
//! The looking over itself is [`policy::lint`].

use std::collections::{BTreeMap, BTreeSet};

use policy::lint::{KnownDataset, LintContext, Observed, UNMATCHED_DAYS};
use policy::{
    AgreementId, Country, DatasetId, GroupId, Linkage, Minute, ObligationSetId, Obligations, PartyFacts,
    RuleId, RuleSet, SubjectId, ZoneId,
};
use store::Space;

use crate::decisions::Heard;
use crate::error::{Error, Result};
use crate::flow::agreement::Standing;
use crate::node::Node;
use crate::records::{self, Invitation, Peer};
use crate::{datasets, enforce, gate, rules};

/// Most kept decisions that are read for one lint. Where there are more, nothing is said of rules that never match:
/// among those not read one could have matched.
const DECISIONS_MAX: usize = 200_000;
/// Most pairs of obligation set and dataset that are tried; where there are more, nothing is said of misfits.
const MISFITS_TRIED_MAX: usize = 20_000;
const DAY: i64 = 86_400;

/// Everything that this node knows beside the rules.
///
/// # Errors
/// The store's, and a record that cannot be read.
pub fn context(
    node: &Node,
    rules: &RuleSet,
    files: &BTreeMap<String, String>,
    now: i64,
    unmatched_days: Option<u32>,
) -> Result<LintContext> {
    let days = i64::from(unmatched_days.unwrap_or(UNMATCHED_DAYS));
    Ok(LintContext {
        now: Minute::from_unix(now),
        node: SubjectId::named(&node.config.node.id).ok(),
        datasets: Some(known_datasets(node)?),
        misfits: misfits(node, rules, now)?,
        parties: Some(known_parties(node)?),
        groups: promised_groups(node)?,
        zones: zones(node),
        agreements: Some(agreements(node)?),
        linkages: Some(known_linkages(node)?),
        usage: observed(node, rules, now.saturating_sub(days.saturating_mul(DAY)))?,
        unmatched_days,
        ..LintContext::default()
    }
    .with_places(&rules::bundle(files)))
}

/// The keys that are here, with those who hold them; of a damaged one nobody is known.
fn known_linkages(node: &Node) -> Result<BTreeMap<Linkage, BTreeSet<SubjectId>>> {
    let keys = crate::linkage::of(node);
    let holders = |name: Linkage| {
        let held = keys.find(&name).ok();
        let ids = held.iter().flat_map(|held| held.holders());
        let ids = ids.filter_map(|id| SubjectId::named(id).ok()).collect();
        (name, ids)
    };
    Ok(keys.names()?.into_iter().map(holders).collect())
}

/// Published or not: rules are written before a dataset is offered.
fn known_datasets(node: &Node) -> Result<BTreeMap<DatasetId, KnownDataset>> {
    let known = |dataset: &datasets::Dataset| {
        let id = DatasetId::named(dataset.record.id.as_str()).map_err(Error::internal)?;
        Ok((id, KnownDataset { facts: datasets::facts(node, dataset)?, persons: None }))
    };
    datasets::readable(node)?.iter().map(known).collect()
}

/// What people should know before rules come into force: those by which nothing could leave.
///
/// # Errors
/// The store's.
pub fn told(node: &Node, rules: &RuleSet, now: i64) -> Result<Vec<String>> {
    let misfits = misfits(node, rules, now)?;
    // Most rules fit, and looking over all of a large set takes its time.
    if misfits.is_empty() {
        return Ok(Vec::new());
    }
    let context = LintContext {
        now: Minute::from_unix(now),
        datasets: Some(known_datasets(node)?),
        misfits,
        ..LintContext::default()
    };
    let found = policy::lint::misfits(rules, &context).findings;
    let said = |f: policy::lint::Finding| {
        let (text, todo) = (&f.text, &f.what_to_do);
        format!("{}\n  {}\n  → {} / {}", text.vi(), text.en(), todo.vi(), todo.en())
    };
    Ok(found.into_iter().map(said).collect())
}

/// Which obligation sets do not fit which datasets, and why.
fn misfits(
    node: &Node,
    rules: &RuleSet,
    now: i64,
) -> Result<BTreeMap<ObligationSetId, BTreeMap<DatasetId, String>>> {
    let mut misfits: BTreeMap<ObligationSetId, BTreeMap<DatasetId, String>> = BTreeMap::new();
    let all = datasets::readable(node)?;
    if all.len().saturating_mul(rules.obligations().len()) > MISFITS_TRIED_MAX {
        return Ok(misfits);
    }
    for (set, obligations) in rules.obligations() {
        let alone = by_itself(obligations);
        for dataset in &all {
            if let Err(why) = enforce::fits(&alone, dataset, node.secrets(), NOBODY, Some(NOBODY), now) {
                let id = DatasetId::named(dataset.record.id.as_str()).map_err(Error::internal)?;
                misfits.entry(set.clone()).or_default().insert(id, why.to_string());
            }
        }
    }
    Ok(misfits)
}

/// Recipient and purpose where none is asked about: it holds no linkage key. That a party of a rule holds the key of a mask
/// is lint's to say, which knows the holders ([`known_linkages`]).
const NOBODY: &str = "-";

/// Obligations without what another rule's may complete when both apply: how groups are made, and of what.
fn by_itself(obligations: &Obligations) -> Obligations {
    let mut alone = obligations.clone();
    if alone.aggregate.as_ref().is_none_or(|aggregate| aggregate.group_by.is_none()) {
        (alone.aggregate, alone.differential_privacy) = (None, None);
    }
    alone
}

/// Zones from which this node's doors are reached.
fn zones(node: &Node) -> BTreeSet<ZoneId> {
    let public = node.config.public.as_ref().map(|section| &section.network);
    [&node.config.peer.network]
        .into_iter()
        .chain(public)
        .filter_map(|zone| ZoneId::named(zone).ok())
        .collect()
}

/// Every peer, the node itself, and who may come through the public door.
fn known_parties(node: &Node) -> Result<BTreeMap<SubjectId, PartyFacts>> {
    let own = &node.config.node;
    let mut parties = BTreeMap::new();
    if let (Ok(id), Some(country)) = (SubjectId::named(&own.id), Country::parse(&own.country)) {
        parties.insert(id, PartyFacts { country, active: true, groups: Vec::new() });
    }
    for peer in records::readable::<Peer>(&node.store, Space::Peer, b"")? {
        if let (Ok(id), Some(facts)) = (SubjectId::named(&peer.id), gate::party_facts(&peer)?) {
            parties.insert(id, facts);
        }
    }
    parties.extend(crate::parties::known(node)?.into_iter().map(|known| (known.id, known.facts)));
    Ok(parties)
}

/// Groups that invitations promise to whoever accepts.
fn promised_groups(node: &Node) -> Result<std::collections::BTreeSet<GroupId>> {
    let open = records::readable::<Invitation>(&node.store, Space::Invitation, b"")?;
    Ok(open.iter().flat_map(|invitation| &invitation.groups).filter_map(|g| GroupId::named(g).ok()).collect())
}

fn agreements(node: &Node) -> Result<std::collections::BTreeSet<AgreementId>> {
    let all = records::readable::<Standing>(&node.store, Space::Agreement, b"")?;
    Ok(all.iter().filter_map(|standing| AgreementId::named(&standing.id).ok()).collect())
}

/// Which rules the kept decisions name, and when last; `line` is the time up to which a rule must have been in force to
/// be judged.
fn observed(node: &Node, rules: &RuleSet, line: i64) -> Result<Option<Observed>> {
    let mut since = i64::MAX;
    let mut last: BTreeMap<RuleId, i64> = BTreeMap::new();
    let (mut from, mut read) = (Vec::new(), 0);
    loop {
        let page = node.store.scan(Space::Decision, &from, None, 256).map_err(Error::from)?;
        read += page.records.len();
        if read > DECISIONS_MAX {
            return Ok(None);
        }
        // A record that is damaged is told where decisions are shown; here it only counts for less.
        let heard = page.records.iter().filter_map(|r| serde_json::from_slice::<Heard>(&r.value).ok());
        for Heard { at, decision } in heard {
            since = since.min(at);
            for id in [decision.matched, decision.overridden, decision.duties].into_iter().flatten() {
                let known = last.entry(id).or_insert(at);
                *known = at.max(*known);
            }
        }
        match page.next {
            Some(next) => from = next.to_vec(),
            None => break,
        }
    }
    // Without a decision from before the line nobody knows whether there was anything to match.
    let Some(since) = Minute::from_unix(since).filter(|since| since.unix() <= line) else { return Ok(None) };
    let before = rules::in_force_at(node, line)?;
    let old = |rule: &&policy::Rule| !before.grants().contains(rule) && !before.duties().contains(rule);
    let added = rules.grants().iter().chain(rules.duties()).filter(old).map(|rule| rule.id.clone()).collect();
    let minute = |(id, at)| Some((id, Minute::from_unix(at)?));
    Ok(Some(Observed { since, last: last.into_iter().filter_map(minute).collect(), added }))
}

#[cfg(test)]
mod tests {
    use policy::lint::{FindingCode, lint};

    use super::*;
    use crate::testing;

    const ROWS: &str = "\
p, OLD, 20, *, ds:air, query, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n\
p, PEER, 20, gr:state, co:open, query, *, *, *, *, 0, 0, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n\
p, NOBODY, 20, gr:nobody, co:open, query, *, *, *, *, 0, 0, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";

    fn files() -> BTreeMap<String, String> {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        [file("policy.csv", ROWS), file("duties.csv", "# none\n"), file("obligations.json", "{}")].into()
    }

    /// Writes a decision as the node keeps it.
    async fn decided(node: &Node, at: i64, rule: &str) {
        let kept = serde_json::json!({"at": at, "entry": null, "asked": null,
            "decision": {"matched": [rule], "overridden": [], "duties": []}});
        let key = format!("exchange/{at}").into_bytes();
        node.store.commit(store::Tx::new().put_json(Space::Decision, key, &kept).unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_node_knows_its_peers_groups_and_datasets() {
        let (_dir, node) = testing::node().await;
        let (keys, descriptor) = testing::member("urn:agency:vn:b");
        testing::pair(&node, &keys, &descriptor).await;
        let rules = rules::load(&files(), 2).unwrap();
        let context = context(&node, &rules, &files(), node.clock.now(), None).unwrap();
        let unknown: Vec<String> = lint(&rules, &context)
            .findings
            .into_iter()
            .filter(|finding| finding.code == FindingCode::UnknownName)
            .map(|finding| format!("{:?} {:?} {}", finding.rule, finding.line, finding.text.en()))
            .collect();
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        assert!(
            unknown
                .iter()
                .any(|text| text.contains("OLD") && text.contains("Some(1)") && text.contains("`ds:air`"))
        );
        assert!(unknown.iter().any(|text| text.contains("NOBODY") && text.contains("`gr:nobody`")));
    }

    #[tokio::test]
    async fn only_decisions_from_before_the_line_show_that_a_rule_was_not_used() {
        let (_dir, node) = testing::node().await;
        let now = node.clock.now();
        // The rules are those that the node has had all along.
        let rules = node.gate.engine().rule_set().clone();
        let unused = |days| {
            let context = context(&node, &rules, &files(), now, Some(days)).unwrap();
            let report = lint(&rules, &context);
            let of = report.findings.iter().filter(|finding| finding.code == FindingCode::NeverMatched);
            of.filter_map(|finding| finding.rule.as_ref().map(ToString::to_string)).collect::<Vec<_>>()
        };
        assert!(unused(30).is_empty(), "nothing was recorded yet");
        decided(&node, now - 40 * DAY, "VN-NAT-04").await;
        decided(&node, now - 2 * DAY, "VN-NAT-05").await;
        let named = unused(30);
        assert!(
            named.contains(&"VN-NAT-04".to_owned()) && named.contains(&"VN-NAT-06".to_owned()),
            "{named:?}"
        );
        assert!(!named.contains(&"VN-NAT-05".to_owned()), "{named:?}");
        assert!(unused(60).is_empty(), "nothing is known of sixty days");
    }

    #[tokio::test]
    async fn a_rule_that_came_later_is_not_called_unused() {
        let (_dir, node) = testing::node().await;
        let now = node.clock.now();
        decided(&node, now - 40 * DAY, "VN-NAT-04").await;
        let rules = rules::load(&files(), 2).unwrap();
        let known = context(&node, &rules, &files(), now, Some(30)).unwrap().usage.unwrap();
        assert_eq!(known.added.len(), 3, "the node had its first rules then, and these are others");
    }
}
