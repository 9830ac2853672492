//! Putting a rule set in force: at once, whole, and in the ledger, or not at all.
//!
//! Three writes: what is about to come (store), the entry (ledger), what is in force (store). The entry decides. Whoever is
//! cut off between them is taken up by [`settle`], at start or before the next change: with the entry in the ledger the
//! rule set is in force, without it nothing ever happened.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::statement::{Deed, RulesActivated};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};
use tokio::sync::OwnedMutexGuard;

use super::act::{DraftName, RuleSetRef, SignedAct};
use super::draft;
use super::manifest::{Manifest, SignedManifest, Way};
use super::people::People;
use super::{Applied, CURRENT, Checked, archived, base, content};
use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{self, Leaf};

/// Key of the rule set that is about to come into force.
const PENDING: &[u8] = b"pending";

/// The right to change which rule set is in force; one at a time has it.
pub struct Turn(#[expect(dead_code, reason = "held, never looked at")] OwnedMutexGuard<()>);

/// A rule set that came into force, as it is kept beside its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What the node signed.
    pub signed: SignedManifest,
    /// Its entry in the ledger.
    pub entry: Leaf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    applied: Applied,
    release: Release,
}

/// What is to come into force, and who said so.
pub struct Coming {
    /// The rule set, checked under the next version.
    pub checked: Checked,
    /// By which way.
    pub how: Way,
    /// Not before this second.
    pub not_before: Option<i64>,
    /// The author's note.
    pub note: Option<String>,
    /// Who proposed it.
    pub author: Option<SignedAct>,
    /// Who approved it.
    pub approvals: Vec<SignedAct>,
}

/// Waits for the turn, and takes up what was cut off before.
pub async fn turn(node: &Node) -> Result<Turn> {
    let turn = Turn(node.locks.lock(b"rule-set").await);
    settle(node).await?;
    Ok(turn)
}

/// Key of what is kept beside a version.
pub fn release_key(version: u64) -> Vec<u8> {
    format!("m/{version:020}").into_bytes()
}

/// Puts a rule set in force.
pub async fn activate(node: &Node, operation: &Operation, _turn: &Turn, coming: Coming) -> Result<Value> {
    if !node.can_write() {
        return Err(Error::Unavailable(
            "this node cannot write, so its rules stay as they are; `tram status` tells why".to_owned(),
        ));
    }
    crate::compliance::demand_seat(node, coming.checked.engine.rule_set())?;
    crate::linkage::demand_keys(node, coming.checked.engine.rule_set(), &coming.how)?;
    let pending = prepare(node, operation, &coming).await?;
    // Before the rules are felt: what they permit must not be in the ledger ahead of them.
    let bytes = entry_bytes(&pending.release.entry)?;
    let index = node.append(bytes).await?;
    let version = pending.applied.version;
    let kept = finish(node, pending, index).await;
    // In force, whatever became of the store: the entry says so, and a node that cannot write its store stops by itself.
    node.gate.put_in_force(coming.checked.engine);
    tracing::info!(version, entry = index, "another rule set is in force");
    kept?;
    Ok(json!({
        "rule_set": node.gate.describe(),
        "tests": coming.checked.tests,
        "entry": index,
        "four_eyes": People::read(&node.store)?.0.four_eyes(),
    }))
}

/// Writes down what is about to come.
async fn prepare(node: &Node, operation: &Operation, coming: &Coming) -> Result<Pending> {
    let content = content::put(&node.store, &coming.checked.files).await?;
    let previous = base(node);
    let rule_set = RuleSetRef { version: previous.version + 1, sha256: coming.checked.sha256() };
    let pending = Pending {
        applied: Applied {
            version: rule_set.version,
            content: content.clone(),
            applied: operation.now,
            sha256: rule_set.sha256.clone(),
        },
        release: Release {
            entry: leaf(node, operation, &coming.checked)?,
            signed: manifest(node, operation, coming, (rule_set, content, previous))?,
        },
    };
    let tx = Tx::new().absent(Space::RuleSet, PENDING).put_json(Space::RuleSet, PENDING, &pending);
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    Ok(pending)
}

/// Takes up what was cut off: a change of the register of people, an activation.
pub async fn settle(node: &Node) -> Result<()> {
    super::people::settle(node).await?;
    let Some((pending, _)) = records::get::<Pending>(&node.store, Space::RuleSet, PENDING)? else {
        return Ok(());
    };
    let version = pending.applied.version;
    let bytes = entry_bytes(&pending.release.entry)?;
    let Some(index) = statement::find(node, &bytes, pending.release.entry.from)? else {
        tracing::warn!(
            version,
            "a rule set that was about to come into force did not reach the ledger: it never was"
        );
        let tx = Tx::new().delete(Space::RuleSet, PENDING);
        node.store.commit(tx).await.map_err(Error::from)?;
        return Ok(());
    };
    tracing::warn!(version, entry = index, "a rule set came into force and was cut off then: it is");
    let files = content::get(&node.store, &pending.applied.content)?;
    let engine = policy::Engine::new(super::load(&files, version)?).map_err(Error::internal)?;
    finish(node, pending, index).await?;
    node.gate.put_in_force(Arc::new(engine));
    Ok(())
}

/// Writes that what was about to come is in force.
async fn finish(node: &Node, pending: Pending, index: u64) -> Result<()> {
    let Pending { applied, mut release } = pending;
    release.entry.index = Some(index);
    let key = release_key(applied.version);
    let mut tx = Tx::new()
        .delete(Space::RuleSet, PENDING)
        .put_json(Space::RuleSet, CURRENT, &applied)
        .and_then(|tx| tx.put_json(Space::RuleSet, archived(applied.version), &applied))
        .and_then(|tx| tx.put_json(Space::RuleSet, key, &release))
        .map_err(Error::from)?;
    if let Way::Draft { draft, .. } = &release.signed.manifest.how {
        tx = tx.and(taken(node, *draft, applied.version)?);
    }
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

fn taken(node: &Node, name: DraftName, version: u64) -> Result<Tx> {
    let (mut draft, revision) = draft::demand(&node.store, name)?;
    draft.state = draft::State::InForce { version };
    let key = draft::key(name);
    let tx = Tx::new().at(Space::RuleSet, key.clone(), revision).put_json(Space::RuleSet, key, &draft);
    tx.map_err(Error::from)
}

fn entry_bytes(leaf: &Leaf) -> Result<Vec<u8>> {
    BASE64.decode(&leaf.bytes).map_err(Error::internal)
}

fn leaf(node: &Node, operation: &Operation, checked: &Checked) -> Result<Leaf> {
    let said = |rules: &policy::RuleSet, version| ledger::statement::RuleSet {
        sha256: *rules.digest().as_bytes(),
        version,
    };
    let now = node.gate.engine();
    let before = said(now.rule_set(), now.rule_set().version());
    let rules = said(checked.engine.rule_set(), before.version + 1);
    let bytes = statement::own_bytes(
        node,
        operation.now,
        None,
        Deed::RulesActivated(RulesActivated { rules, before }),
    )?;
    Ok(Leaf { bytes: BASE64.encode(bytes), from: node.ledger.size(), index: None })
}

fn manifest(
    node: &Node,
    operation: &Operation,
    coming: &Coming,
    (rule_set, files, previous): (RuleSetRef, String, RuleSetRef),
) -> Result<SignedManifest> {
    let (register, _) = People::read(&node.store)?;
    let signers = coming.author.iter().chain(&coming.approvals).map(|act| act.key.as_str());
    let mut people: Vec<_> = signers.filter_map(|key| register.holder(key)).cloned().collect();
    people.sort_by_key(|p| p.is.key.to_bytes());
    people.dedup();
    let manifest = Manifest {
        node: node.config.node.id.clone(),
        rule_set,
        files,
        previous,
        how: coming.how.clone(),
        four_eyes: register.four_eyes(),
        not_before: coming.not_before,
        note: coming.note.clone(),
        author: coming.author.clone(),
        approvals: coming.approvals.clone(),
        people,
        activated: operation.now,
    };
    SignedManifest::sign(manifest, &node.signer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::{self, Doors};
    use crate::operation::Actor;
    use crate::rules::{checked, in_force};

    async fn coming(node: &Node) -> (Operation, Coming) {
        let mut files = crate::rules::files(node).unwrap();
        files.insert("README.md".to_owned(), "other".to_owned());
        let checked = checked(files, base(node).version + 1).await.unwrap();
        let coming = Coming {
            checked,
            how: Way::Applied,
            not_before: None,
            note: None,
            author: None,
            approvals: Vec::new(),
        };
        (Operation::begin(Actor::Local, &node.clock), coming)
    }

    async fn reopened(node: std::sync::Arc<Node>) -> std::sync::Arc<Node> {
        let folder = node.dir.clone();
        boot::close(&node).await;
        drop(node);
        boot::open(&folder, Doors::Closed).await.unwrap()
    }

    fn pending(node: &Node) -> bool {
        records::get::<Pending>(&node.store, Space::RuleSet, PENDING).unwrap().is_some()
    }

    #[tokio::test]
    async fn cut_off_before_the_entry_nothing_ever_happened() {
        let (_dir, node) = crate::testing::node().await;
        let (operation, coming) = coming(&node).await;
        prepare(&node, &operation, &coming).await.unwrap();
        let node = reopened(node).await;
        assert_eq!((base(&node).version, node.ledger.size(), pending(&node)), (1, 0, false));
        boot::close(&node).await;
    }

    #[tokio::test]
    async fn cut_off_after_the_entry_the_new_one_is_in_force_and_announced_once() {
        let (_dir, node) = crate::testing::node().await;
        let (operation, coming) = coming(&node).await;
        let pending_now = prepare(&node, &operation, &coming).await.unwrap();
        node.append(entry_bytes(&pending_now.release.entry).unwrap()).await.unwrap();
        let node = reopened(node).await;
        assert_eq!((base(&node).version, node.ledger.size(), pending(&node)), (2, 1, false));
        assert_eq!(in_force(&node.store).unwrap().version(), 2);
        let release = crate::rules::history::release(&node, 2).unwrap().unwrap();
        assert_eq!(release.entry.index, Some(0));
        let node = reopened(node).await;
        assert_eq!((base(&node).version, node.ledger.size()), (2, 1));
        boot::close(&node).await;
    }

    #[tokio::test]
    async fn an_offer_outlives_its_rules_for_a_short_while() {
        let (_dir, node) = crate::testing::node().await;
        let first = base(&node).sha256;
        let mut files = crate::rules::files(&node).unwrap();
        let other = files["policy.csv"].clone()
            + "p, OTHER, 30, *, ds:x, discover, *, *, *, *, 0, 1, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";
        files.insert("policy.csv".to_owned(), other);
        let operation = Operation::begin(Actor::Local, &node.clock);
        crate::rules::direct::apply(&node, &operation, files).await.unwrap();
        let lately = |after| crate::rules::history::lately(&node, operation.now + after).unwrap();
        let limit = crate::limits::OFFER_SECONDS;
        assert_eq!(lately(limit), [base(&node).sha256, first]);
        assert_eq!(lately(limit + 1), [base(&node).sha256]);
        boot::close(&node).await;
    }

    #[tokio::test]
    async fn what_was_cut_off_is_taken_up_before_the_next_change() {
        let (_dir, node) = crate::testing::node().await;
        let (operation, first) = coming(&node).await;
        let cut = prepare(&node, &operation, &first).await.unwrap();
        node.append(entry_bytes(&cut.release.entry).unwrap()).await.unwrap();
        let turn = turn(&node).await.unwrap();
        let (operation, second) = coming(&node).await;
        activate(&node, &operation, &turn, second).await.unwrap();
        assert_eq!((base(&node).version, node.ledger.size()), (3, 2));
        boot::close(&node).await;
    }
}
