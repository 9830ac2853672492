//! Which rule sets were in force: who, when, why, with which approvals, and where the ledger says so.

use serde_json::{Value, json};
use store::Space;

use super::activation::{Release, release_key};
use super::manifest::{Bundle, person_view};
use super::{base, content};
use crate::error::{Error, Result};
use crate::limits::{LIST_PAGE, OFFER_SECONDS};
use crate::node::Node;
use crate::operation::rfc3339;
use crate::records;

/// What is kept of a version; none for the one that ships with the node.
pub fn release(node: &Node, version: u64) -> Result<Option<Release>> {
    Ok(records::get::<Release>(&node.store, Space::RuleSet, &release_key(version))?
        .map(|(release, _)| release))
}

/// Digests of the rule set in force and of those that were until a short while ago ([`OFFER_SECONDS`]).
pub fn lately(node: &Node, now: i64) -> Result<Vec<String>> {
    let mut digests = vec![base(node).sha256];
    let mut version = base(node).version;
    while let Some(release) = release(node, version)? {
        let said = release.signed.manifest;
        if said.activated < now.saturating_sub(OFFER_SECONDS) || digests.len() >= LIST_PAGE {
            break;
        }
        version = said.previous.version;
        digests.push(said.previous.sha256);
    }
    Ok(digests)
}

/// Versions, the newest first; at most a page of them, from `before` downwards.
pub fn list(node: &Node, before: Option<u64>) -> Result<Value> {
    let in_force = base(node);
    let first = before.map_or(in_force.version, |before| before.saturating_sub(1).min(in_force.version));
    let mut versions = Vec::new();
    for version in (1..=first).rev().take(LIST_PAGE) {
        versions.push(match release(node, version)? {
            Some(release) => view(&release),
            None => {
                json!({"version": version, "sha256": super::earlier(node, version)?.0.digest(), "how": {"way": "built-in"}})
            }
        });
    }
    Ok(json!({"in_force": in_force.version, "versions": versions}))
}

fn view(release: &Release) -> Value {
    let said = &release.signed.manifest;
    json!({
        "version": said.rule_set.version,
        "sha256": said.rule_set.sha256,
        "previous": said.previous.version,
        "how": said.how,
        "activated": rfc3339(said.activated),
        "four_eyes": said.four_eyes,
        "note": said.note,
        "author": said.author.as_ref().map(|act| person_view(said, act)),
        "approvals": said.approvals.iter().map(|act| person_view(said, act)).collect::<Vec<_>>(),
        "entry": release.entry.index,
    })
}

/// The signed bundle of a version.
pub fn bundle(node: &Node, version: u64) -> Result<Bundle> {
    let release = release(node, version)?.ok_or_else(|| {
        Error::not_found(format!(
            "this node signed nothing about version {version}; `tram policy history` lists those that it put in force"
        ))
    })?;
    let files = content::get(&node.store, &release.signed.manifest.files)?;
    Ok(Bundle { signed: release.signed, files, descriptor: node.descriptor.clone() })
}
