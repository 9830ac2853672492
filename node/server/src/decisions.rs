//! Decisions, kept so that anybody can check them later: the whole question with its facts and the whole answer here, a
//! signed statement with commitments to both in the ledger, and a receipt that opens them.
//!
//! Promise: a decision is in the ledger before what it permits is done. Its receipt replays: the question under the rule
//! set of the digest that the statement names gives the same answer, byte for byte, or the receipt is told as broken.
//! Decisions about what a catalog shows are not kept; a catalog asks for thousands of them.

use ledger::commitment::{Field, Opening};
use ledger::receipt;
use ledger::statement::{Decided, Deed, Party, Word};
use policy::{Engine, Facts, Question, RuleSet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};

use crate::approvals::Approval;
use crate::error::{Error, Result};
use crate::flow::{evidence, statement};
use crate::gate::{Asked, Verdict};
use crate::keybook::{self, Excerpt};
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{self, Exchange};

mod newest;

pub use self::newest::{Recorded, newest};

/// A decision as the node keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// When, Unix seconds.
    pub at: i64,
    /// Its index in the ledger, once it is durable there.
    pub entry: Option<u64>,
    /// The question and its facts.
    asked: Grounds,
    /// The decision.
    decision: Value,
}

/// What opens the commitments of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    question_salt: String,
    verdict_salt: String,
    /// The question and its facts.
    pub asked: Grounds,
    /// The decision.
    pub decision: Value,
}

/// A question with the facts that it was decided on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The question.
    pub question: Question,
    /// The facts.
    pub facts: Facts,
    /// The approvals by people that a permit rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

impl Opened {
    /// Openings for the commitments of the statement.
    pub fn openings(&self) -> Result<[Opening; 2]> {
        let salt = |hex: &str| {
            crate::files::unhex::<32>(hex).ok_or_else(|| {
                Error::Verification("malformed: a salt of the decision is not 32 bytes of hex".to_owned())
            })
        };
        let question = Opening::new(Field::Question, salt(&self.question_salt)?, canonical(&self.asked)?);
        let verdict = Opening::new(Field::Verdict, salt(&self.verdict_salt)?, canonical(&self.decision)?);
        Ok([question, verdict])
    }

    /// Decides the question again under `rules`: an error says how the answer differs from the one that was given.
    pub fn replay(&self, said: &Decided, rules: RuleSet) -> Result<()> {
        let found = *rules.digest().as_bytes();
        if found != said.rules.sha256 {
            return Err(Error::Verification(format!(
                "other rules: the decision was made by the rule set {}, these rules are {}; `tram policy export --version {}` at the deciding node gives the right ones",
                crate::files::hex(&said.rules.sha256),
                crate::files::hex(&found),
                said.rules.version
            )));
        }
        let engine = Engine::new(rules).map_err(Error::internal)?;
        let again = engine.decide(&self.asked.question, &self.asked.facts);
        if canonical(&again)? == canonical(&self.decision)? {
            return Ok(());
        }
        Err(Error::Verification(format!(
            "not what the rules say: decided anew, the question gives {}",
            if again.is_permit() { "a permit or other obligations" } else { "a refusal or another reason" }
        )))
    }
}

fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    exchange::json::canonical(value).map_err(Error::internal)
}

/// Keeps a decision about an exchange: here, and as an entry of the ledger.
pub async fn keep(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    asked: &Asked<'_>,
    verdict: &Verdict,
) -> Result<()> {
    let decision = serde_json::to_value(&verdict.decision).map_err(Error::internal)?;
    let deed = said(node, exchange, asked, verdict, &decision)?;
    let key = format!("{}/{}", String::from_utf8_lossy(&exchange.key()), ulid::Ulid::generate());
    let mut kept = Kept { at: operation.now, entry: None, asked: verdict.grounds.clone(), decision };
    put(node, &key, &kept).await?;
    // A crash from here on leaves an entry and a record that do not know of each other; the exchange is then decided anew.
    let (_, entry) = statement::own(node, operation.now, Some(&exchange.id), deed).await?;
    kept.entry = Some(entry);
    put(node, &key, &kept).await
}

async fn put(node: &Node, key: &str, kept: &Kept) -> Result<()> {
    let tx = Tx::new().put_json(Space::Decision, key.as_bytes().to_vec(), kept).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

/// What opens the commitments of a decision. The salts come from the exchange's key each time: the store, whose engine
/// keeps overwritten values for a while, never holds them.
fn opened(node: &Node, exchange: &Exchange, kept: &Kept) -> Result<Opened> {
    let key = evidence::read(node, exchange)?.key()?;
    let salt = |field| crate::files::hex(key.open(field, &[]).salt());
    Ok(Opened {
        question_salt: salt(Field::Question),
        verdict_salt: salt(Field::Verdict),
        asked: kept.asked.clone(),
        decision: kept.decision.clone(),
    })
}

fn said(
    node: &Node,
    exchange: &Exchange,
    asked: &Asked<'_>,
    verdict: &Verdict,
    decision: &Value,
) -> Result<Deed> {
    let key = evidence::read(node, exchange)?.key()?;
    let word = |text: &str| Word::new(text).map_err(|e| Error::usage(e.to_string()));
    let optional = |text: Option<&str>| text.map(word).transpose();
    let decided = Decided {
        subject: Party::new(asked.subject).map_err(Error::internal)?,
        action: word(asked.action.written())?,
        dataset: word(&format!("{}/{}", node.config.node.id, asked.dataset))?,
        purpose: optional(asked.purpose)?,
        basis: optional(asked.basis)?,
        agreement: optional(asked.agreement.map(|agreement| agreement.id.as_str()))?,
        refused: optional(verdict.refused())?,
        rules: statement::rules(&verdict.decision),
        question: key.commit(Field::Question, &canonical(&verdict.grounds)?),
        verdict: key.commit(Field::Verdict, &canonical(decision)?),
    };
    Ok(Deed::Decided(Box::new(decided)))
}

/// The decisions about an exchange, in their order.
pub fn of(node: &Node, exchange: &Exchange) -> Result<Vec<Kept>> {
    let prefix = [exchange.key().as_slice(), b"/"].concat();
    Ok(records::all::<Kept>(&node.store, Space::Decision, &prefix)?
        .into_iter()
        .map(|(_, kept)| kept)
        .collect())
}

/// What of a kept decision tells which rules are used.
#[derive(Debug, Deserialize)]
pub struct Heard {
    /// When, Unix seconds.
    pub at: i64,
    /// The rules that it names.
    pub decision: HeardRules,
}

/// The rules that a decision names.
#[derive(Debug, Deserialize)]
pub struct HeardRules {
    /// Rules of the deciding tier that matched.
    #[serde(default)]
    pub matched: Vec<policy::RuleId>,
    /// Rules of lesser tiers that matched.
    #[serde(default)]
    pub overridden: Vec<policy::RuleId>,
    /// Duties that applied.
    #[serde(default)]
    pub duties: Vec<policy::RuleId>,
}

/// Destroys what opens the decisions about an exchange.
pub async fn destroy(node: &Node, exchange: &Exchange) -> Result<()> {
    let prefix = [exchange.key().as_slice(), b"/"].concat();
    let mut tx = Tx::new();
    for (key, _) in records::all::<Kept>(&node.store, Space::Decision, &prefix)? {
        tx = tx.delete(Space::Decision, key);
    }
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

/// A decision for people and programs.
pub fn view(kept: &Kept) -> Value {
    json!({
        "at": crate::operation::rfc3339(kept.at),
        "entry": kept.entry,
        "question": kept.asked.question,
        "facts": kept.asked.facts,
        "approvals": kept.asked.approvals,
        "decision": kept.decision,
    })
}

/// The receipt of a decision: its entry in the ledger, and what opens it.
pub async fn receipt(node: &Node, exchange: &Exchange, entry: u64) -> Result<Vec<u8>> {
    let kept = of(node, exchange)?.into_iter().find(|kept| kept.entry == Some(entry)).ok_or_else(|| {
        Error::not_found(format!(
            "exchange {} has no decision in entry {entry}; `tram exchange decisions {}` lists them",
            exchange.id, exchange.id
        ))
    })?;
    let under = crate::witness::quorum::covering(node, entry).await?;
    let parties = [node.config.node.id.as_str()];
    let opened = opened(node, exchange, &kept)?;
    let rides = |excerpt: &mut Excerpt| excerpt.decision = Some(opened);
    let keys = keybook::excerpt(&node.peers.keys(), &parties, rides)?;
    receipt::issue(&node.ledger, entry, &under, None, Some(keys)).map_err(Error::internal)
}
