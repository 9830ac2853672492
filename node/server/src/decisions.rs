//! Decisions, kept so that anybody can check them later: the whole question with its facts and the whole answer here, a
//! signed statement with commitments to both in the ledger, and a receipt that opens them.
//!
//! Promise: a decision is in the ledger before what it permits is done. Its receipt replays: the question under the rule
//! set of the digest that the statement names gives the same answer, byte for byte, or the receipt is told as broken.
//! A crash between entry and record is mended at the next start ([`take_up`]).
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
use crate::records::{self, Exchange, Leaf};

/// How keys of marks begin, see [`marked`].
const MARK: &[u8] = b"unsettled/";

mod newest;

pub use self::newest::{Recorded, newest};

/// A decision as the node keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// When, Unix seconds.
    pub at: i64,
    /// Its entry of the ledger.
    leaf: Leaf,
    /// The question and its facts.
    asked: Grounds,
    /// The decision.
    decision: Value,
}

impl Kept {
    /// Its index in the ledger, once it is known to be durable there.
    pub fn entry(&self) -> Option<u64> {
        self.leaf.index
    }
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
    let bytes = statement::own_bytes(node, operation.now, Some(&exchange.id), deed)?;
    let leaf = Leaf::new(&bytes, node.ledger.size());
    let mut kept = Kept { at: operation.now, leaf, asked: verdict.grounds.clone(), decision };
    // A crash from here on leaves an entry and a record that do not know of each other; the mark remembers that.
    let mark = Tx::new().put_json(Space::Decision, marked(&key), &key).map_err(Error::from)?;
    put(node, &key, &kept, mark).await?;
    kept.leaf.index = Some(node.append(bytes).await?);
    settle(node, &key, &kept).await
}

/// The decision and its entry know of each other.
async fn settle(node: &Node, key: &str, kept: &Kept) -> Result<()> {
    put(node, key, kept, Tx::new().delete(Space::Decision, marked(key))).await
}

async fn put(node: &Node, key: &str, kept: &Kept, with: Tx) -> Result<()> {
    let tx = Tx::new().put_json(Space::Decision, key.as_bytes().to_vec(), kept).map_err(Error::from)?;
    node.store.commit(tx.and(with)).await.map_err(Error::from)?;
    Ok(())
}

/// Where it is remembered that a decision may be in the ledger or not. Keys of exchanges begin otherwise.
fn marked(key: &str) -> Vec<u8> {
    [MARK, key.as_bytes()].concat()
}

/// Mends what a crash left: a decision whose entry is in the ledger learns of it, and one whose entry is not there yet is
/// written now, with the bytes and the time that it has. Gives back how many there were. One that cannot be mended now is
/// logged and stays for the next start.
pub async fn take_up(node: &Node) -> Result<usize> {
    let marks = records::all::<String>(&node.store, Space::Decision, MARK)?;
    for (_, key) in &marks {
        match mend(node, key).await {
            Ok(entry) => {
                tracing::warn!(decision = key, entry, "a decision and its entry had lost each other")
            }
            Err(error) => tracing::warn!(decision = key, %error, "a decision still lacks its entry"),
        }
    }
    Ok(marks.len())
}

async fn mend(node: &Node, key: &str) -> Result<Option<u64>> {
    let Some((mut kept, _)) = records::get::<Kept>(&node.store, Space::Decision, key.as_bytes())? else {
        // It was erased meanwhile.
        let tx = Tx::new().delete(Space::Decision, marked(key));
        node.store.commit(tx).await.map_err(Error::from)?;
        return Ok(None);
    };
    let index = statement::find_or_append(node, &kept.leaf).await?;
    kept.leaf.index = Some(index);
    settle(node, key, &kept).await?;
    Ok(Some(index))
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
        "entry": kept.entry(),
        "question": kept.asked.question,
        "facts": kept.asked.facts,
        "approvals": kept.asked.approvals,
        "decision": kept.decision,
    })
}

/// The receipt of a decision: its entry in the ledger, and what opens it.
pub async fn receipt(node: &Node, exchange: &Exchange, entry: u64) -> Result<Vec<u8>> {
    let kept = of(node, exchange)?.into_iter().find(|kept| kept.entry() == Some(entry)).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use certs::message::SignatureEvidence;
    use ledger::statement::{SignedStatement, Statement};

    use super::*;
    use crate::operation::Actor;
    use crate::records::Side;

    const PEER: &str = "urn:agency:vn:b";

    /// A node that has decided about an exchange, and the key of the decision.
    async fn decided() -> (tempfile::TempDir, std::sync::Arc<Node>, Exchange, String) {
        let (dir, node) = crate::testing::node().await;
        let ask = crate::testing::ask();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let exchange = Exchange::new(id, Side::Provider, PEER.into(), "x".into(), ask, 1);
        let signed = SignatureEvidence { base: "base".into(), signature: [0; 64] };
        evidence::asked(&node, PEER, &exchange.id, &signed).unwrap();
        let (subject, action) = (PEER, policy::Action::Query);
        let (exchange_id, dataset) = (Some(exchange.id.as_str()), "x");
        let asked = Asked {
            subject,
            action,
            dataset,
            purpose: None,
            basis: None,
            agreement: None,
            exchange: exchange_id,
        };
        let operation = Operation::begin(Actor::Node, &node.clock);
        node.gate.decide(&node, &operation, &exchange, &asked).await.unwrap();
        let prefix = [exchange.key().as_slice(), b"/"].concat();
        let [(key, _)] = &records::all::<Kept>(&node.store, Space::Decision, &prefix).unwrap()[..] else {
            panic!()
        };
        let key = String::from_utf8(key.clone()).unwrap();
        (dir, node, exchange, key)
    }

    /// Puts the record back to what it was before it learned of its entry; as if `from` was the ledger's size then.
    async fn crash(node: &Node, key: &str, bytes: Option<&[u8]>) {
        let (mut kept, _) =
            records::get::<Kept>(&node.store, Space::Decision, key.as_bytes()).unwrap().unwrap();
        kept.leaf.index = None;
        if let Some(bytes) = bytes {
            kept.leaf = Leaf::new(bytes, node.ledger.size());
        }
        let mark = Tx::new().put_json(Space::Decision, marked(key), &key).unwrap();
        put(node, key, &kept, mark).await.unwrap();
    }

    #[tokio::test]
    async fn a_decision_that_lost_its_entry_in_a_crash_finds_it_at_the_next_start() {
        let (dir, node, exchange, key) = decided().await;
        let entry = of(&node, &exchange).unwrap()[0].entry().unwrap();
        assert!(records::all::<String>(&node.store, Space::Decision, MARK).unwrap().is_empty());
        crash(&node, &key, None).await;
        assert!(receipt(&node, &exchange, entry).await.is_err());
        let size = node.ledger.size();
        let folder = node.dir.clone();
        crate::boot::close(&node).await;
        drop(node);
        let node = crate::boot::open(&folder, crate::boot::Doors::Closed).await.unwrap();
        assert_eq!(of(&node, &exchange).unwrap()[0].entry(), Some(entry));
        assert_eq!(node.ledger.size(), size, "it was there already");
        assert!(!receipt(&node, &exchange, entry).await.unwrap().is_empty());
        assert_eq!(take_up(&node).await.unwrap(), 0);
        crate::boot::close(&node).await;
        drop(dir);
    }

    #[tokio::test]
    async fn a_decision_whose_entry_was_never_written_gets_it_and_an_erased_one_is_let_go() {
        let (_dir, node, exchange, key) = decided().await;
        let bytes = node.ledger.entry(of(&node, &exchange).unwrap()[0].entry().unwrap()).unwrap();
        crash(&node, &key, Some(&bytes)).await;
        let size = node.ledger.size();
        assert_eq!(take_up(&node).await.unwrap(), 1);
        assert_eq!(of(&node, &exchange).unwrap()[0].entry(), Some(size));
        let written = SignedStatement::parse(&node.ledger.entry(size).unwrap()).unwrap();
        assert!(matches!(written.statement(), Statement::Own(own) if own.id.as_str() == exchange.id));
        crash(&node, &key, Some(b"other")).await;
        destroy(&node, &exchange).await.unwrap();
        assert_eq!(take_up(&node).await.unwrap(), 1);
        assert_eq!(take_up(&node).await.unwrap(), 0);
        assert_eq!(node.ledger.size(), size + 1, "nothing was written for it");
        crate::boot::close(&node).await;
    }
}
