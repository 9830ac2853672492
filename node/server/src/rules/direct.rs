//! The ways into force that take one step: at once while nobody may approve, back to an earlier rule set, and in an emergency.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::Engine;
use serde_json::{Value, json};

use super::act::{Act, Proposal, RuleSetRef, SignedAct};
use super::activation::{self, Coming, Turn};
use super::draft;
use super::manifest::Way;
use super::people::{People, Role};
use super::{Checked, base, checked, content, earlier, named};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::Operation;

/// What people are told when rules came into force by one person's word.
pub const TWO_EYES: &str = "four eyes are off: nobody is registered who may approve, so one person's word was enough; \
`tram person add NAME --role policy-approver` switches them on";

/// Checks files as a rule set, runs their tests and puts them in force. Refused once somebody may approve.
pub async fn apply(node: &Node, operation: &Operation, files: content::Texts) -> Result<Value> {
    let turn = activation::turn(node).await?;
    if People::read(&node.store)?.0.four_eyes() {
        return Err(Error::conflict(
            "two people are needed here: `tram policy draft FOLDER --as KEYFILE`, then somebody else: `tram policy approve DRAFT --as KEYFILE`, \
             then `tram policy apply DRAFT`; what only forbids more goes at once with --emergency",
        ));
    }
    let checked = checked(files, base(node).version + 1).await?;
    let coming = coming(checked, Way::Applied, None);
    finish(node, operation, &turn, coming).await
}

/// Puts in force at once what only forbids more for a few days, by one signature of somebody who may approve.
pub async fn tighten(
    node: &Node,
    operation: &Operation,
    files: content::Texts,
    signed: SignedAct,
) -> Result<Value> {
    let turn = activation::turn(node).await?;
    let base = base(node);
    let checked = checked(files, base.version + 1).await?;
    let proposal =
        Proposal { rules: checked.sha256(), files: content::digest(&checked.files)?, base, not_before: None };
    approver(node, operation, &signed, &Act::Tighten { proposal })?;
    let now = node.gate.engine();
    let minute = policy::Minute::from_unix(operation.now).ok_or_else(|| Error::internal("no time is now"))?;
    policy::review::only_forbids_more(now.rule_set(), checked.engine.rule_set(), minute).map_err(|why| {
        Error::conflict(format!(
            "this does more than forbid for a few days, so it needs two people:\n  {}",
            why.join("\n  ")
        ))
    })?;
    let powerless = powerless(&now, &checked).await?;
    let mut done = finish(node, operation, &turn, coming(checked, Way::Emergency, Some(signed))).await?;
    if let (Some(warnings), false) = (done["warnings"].as_array_mut(), powerless.is_empty()) {
        warnings.extend(powerless.into_iter().map(Value::String));
    }
    Ok(done)
}

/// New denials that allows of a more authoritative tier overrule, in part or wholly: in an emergency somebody relies on them.
async fn powerless(now: &Arc<Engine>, checked: &Checked) -> Result<Vec<String>> {
    let (old, new) = (Arc::clone(now), Arc::clone(&checked.engine));
    let look = move || {
        use policy::lint::FindingCode::{Overruled, Shadowed, Unreachable};
        let before: BTreeSet<_> = old.rule_set().grants().iter().map(|rule| &rule.id).collect();
        let report = policy::lint::lint(new.rule_set(), &policy::lint::LintContext::default());
        let said = report.findings.iter().filter(|finding| {
            matches!(finding.code, Overruled | Shadowed | Unreachable)
                && finding.rule.as_ref().is_some_and(|rule| !before.contains(rule))
        });
        let words = |finding: &policy::lint::Finding| {
            let rule = finding.rule.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{rule}: {} / {}", finding.text.vi(), finding.text.en())
        };
        said.map(words).collect()
    };
    tokio::task::spawn_blocking(look).await.map_err(Error::internal)
}

/// How long the last change can be undone by one person, seconds (three days, as long as an emergency lasts).
const UNDO_SECONDS: i64 = 72 * 3_600;

/// Puts the files of an earlier version in force again, as a new version. Without `version` the one before this one.
pub async fn roll_back(
    node: &Node,
    operation: &Operation,
    version: Option<u64>,
    signed: Option<SignedAct>,
) -> Result<Value> {
    let turn = activation::turn(node).await?;
    let base = base(node);
    let to = match version {
        Some(version) => version,
        None => before(node, &base)?,
    };
    if to == base.version {
        return Err(Error::conflict(format!("version {to} is in force already")));
    }
    let (rules, files) = earlier(node, to)?;
    let to = named(&rules);
    match (&signed, People::read(&node.store)?.0.four_eyes()) {
        (Some(signed), _) => {
            approver(node, operation, signed, &Act::RollBack { to: to.clone(), base: base.clone() })?
        }
        (None, false) => {}
        (None, true) => {
            return Err(Error::conflict(
                "going back needs the signature of one person who may approve: give that person's key with --as KEYFILE",
            ));
        }
    }
    let checked = checked(files, base.version + 1).await?;
    if signed.is_some() && !undoes(node, &base, &to, operation.now)? {
        let (openings, _) = draft::opens(node, &checked).await?;
        if !openings.is_empty() {
            return Err(Error::conflict(format!(
                "going back to version {} opens what is closed now, so it needs two people like any draft: `tram policy export FOLDER --version {}`, then `tram policy draft FOLDER`\n  {}",
                to.version,
                to.version,
                openings.join("\n  ")
            )));
        }
    }
    finish(node, operation, &turn, coming(checked, Way::RolledBack { to }, signed)).await
}

/// Whether going back to `to` only undoes the last change, and soon after it: what one person may do in any case.
fn undoes(node: &Node, base: &RuleSetRef, to: &RuleSetRef, now: i64) -> Result<bool> {
    let release = super::history::release(node, base.version)?;
    Ok(release.is_some_and(|release| {
        let said = &release.signed.manifest;
        said.previous.version == to.version && now.saturating_sub(said.activated) <= UNDO_SECONDS
    }))
}

/// The version that was in force before this one.
pub fn before(node: &Node, base: &RuleSetRef) -> Result<u64> {
    let release = super::history::release(node, base.version)?;
    release.map(|release| release.signed.manifest.previous.version).ok_or_else(|| {
        Error::conflict(format!(
            "version {} is the first of this node; there is nothing before it",
            base.version
        ))
    })
}

fn approver(node: &Node, operation: &Operation, signed: &SignedAct, wanted: &Act) -> Result<()> {
    let (people, _) = People::read(&node.store)?;
    people.speaker_in(&node.config.node.id, operation.now, signed, &[Role::PolicyApprover])?;
    if signed.said.act == *wanted {
        return Ok(());
    }
    Err(Error::Verification(
        "this was signed about something else, or the rule set in force changed meanwhile; look at it and sign anew".to_owned(),
    ))
}

fn coming(checked: Checked, how: Way, signed: Option<SignedAct>) -> Coming {
    Coming {
        checked,
        how,
        not_before: None,
        note: None,
        author: None,
        approvals: signed.into_iter().collect(),
    }
}

async fn finish(node: &Node, operation: &Operation, turn: &Turn, coming: Coming) -> Result<Value> {
    let warnings = coming.checked.warnings(node, operation.now)?;
    let mut done = activation::activate(node, operation, turn, coming).await?;
    done["warnings"] = json!(warnings);
    Ok(done)
}
