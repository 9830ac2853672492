//! What the ledger says of own datasets that a question reads: one `own-read@v1` entry for each, durable before anything is read.
//!
//! **Promises.** Exactly one entry for each source of a question, however often reading it is tried again: the entry's bytes
//! are kept before they go to the ledger and looked for there afterwards. What was asked of the dataset stands in the entry as a
//! commitment; the key and the text that open it lie in a private file under `evidence/`, and nothing of them in the entry.
//!
//! **What it is not.** No decision by the rules: an owner reads its own data by its own permit, and the entry says so. No
//! peer has a copy of it; that it was not left out shows only against the question's report.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::commitment::{ExchangeKey, Field};
use ledger::statement::{Deed, OwnRead, RuleSet, Word};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Question;
use super::document::SourceDoc;
use crate::error::{Error, Result};
use crate::files;
use crate::flow::statement;
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::{Operation, random};
use crate::records::Leaf;

/// Largest private file, bytes: a question and a small entry.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What opens an entry, and where it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The entry's key, base64.
    key: String,
    /// What the commitment is over, as JSON.
    asked: Value,
    /// The entry.
    leaf: Leaf,
}

fn path(node: &Node, question: &str, source: &str) -> PathBuf {
    node.dir.join("evidence").join(format!("own-{question}-{source}.json"))
}

fn kept(node: &Node, question: &str, source: &str) -> Result<Option<Kept>> {
    let path = path(node, question, source);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read_limited(&path, FILE_BYTES_MAX)?;
    let damaged =
        || Error::Verification(format!("`{}` is damaged; put it back from a backup", path.display()));
    serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged())
}

fn keep(node: &Node, question: &str, source: &str, kept: &Kept) -> Result<()> {
    files::write_atomic(&path(node, question, source), &serde_json::to_vec(kept).map_err(Error::internal)?)
}

/// The entry of a source, once it is durable.
pub fn entry(node: &Node, question: &str, source: &str) -> Option<u64> {
    kept(node, question, source).ok().flatten().and_then(|kept| kept.leaf.index)
}

/// Writes the entry, unless it is there; durable when it gives back its index.
pub async fn record(
    node: &Node,
    operation: &Operation,
    question: &Question,
    source: &SourceDoc,
    permit: &Permit,
) -> Result<u64> {
    let (id, name) = (question.id.as_str(), source.name.as_str());
    let mut said = match kept(node, id, name)? {
        Some(said) => said,
        None => {
            let said = said(node, operation, id, source, permit)?;
            keep(node, id, name, &said)?;
            said
        }
    };
    if let Some(index) = said.leaf.index {
        return Ok(index);
    }
    let index = statement::find_or_append(node, &said.leaf).await?;
    said.leaf.index = Some(index);
    keep(node, id, name, &said)?;
    Ok(index)
}

fn said(node: &Node, operation: &Operation, id: &str, source: &SourceDoc, permit: &Permit) -> Result<Kept> {
    let word =
        |text: &str| Word::new(text).map_err(|e| Error::usage(format!("source `{}`: {e}", source.name)));
    let optional = |text: &Option<String>| text.as_deref().map(word).transpose();
    let asked = json!({"source": source.name, "query": source.query(&node.config.node.id)?});
    let bytes = random::<32>()?;
    let canonical = exchange::json::canonical(&asked).map_err(Error::internal)?;
    let (sha256, version) = permit.rule_set();
    let read = OwnRead {
        dataset: word(&format!("{}/{}", node.config.node.id, permit.dataset()))?,
        operation: word("query")?,
        purpose: optional(&source.purpose)?,
        basis: optional(&source.basis)?,
        permit: word("owner")?,
        rules: RuleSet { sha256, version },
        question: ExchangeKey::new(bytes).commit(Field::Question, &canonical),
    };
    let entry = statement::own_bytes(node, operation.now, Some(id), Deed::OwnRead(Box::new(read)))?;
    Ok(Kept { key: BASE64.encode(bytes), asked, leaf: Leaf::new(&entry, node.ledger.size()) })
}

/// Destroys what opens the entries of a question; the entries stay.
pub fn destroy(node: &Node, question: &Question) -> Result<()> {
    question.doc.sources.iter().try_for_each(|source| files::remove(&path(node, &question.id, &source.name)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledger::statement::{Own, SignedStatement, Statement};

    use super::*;
    use crate::operation::Actor;
    use crate::questions::Stage;

    fn question(filter: &str) -> Question {
        let doc = json!({"sources": [
            {"name": "a", "from": "urn:agency:vn:b/x"},
            {"name": "cua-toi", "from": "dan-cu", "purpose": "planning", "on": ["id"], "where": [filter]},
        ]});
        Question {
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            doc: serde_json::from_value(doc).unwrap(),
            exchanges: vec![None, None],
            announced: vec![Value::Null, Value::Null],
            stage: Stage::Asking,
            failure: None,
            report: None,
            created: 1,
            updated: 1,
        }
    }

    async fn written(node: &Arc<Node>, question: &Question) -> u64 {
        let operation = Operation::begin(Actor::Local, &node.clock);
        let permit = node.gate.own(&operation, node, "dan-cu").unwrap();
        record(node, &operation, question, &question.doc.sources[1], &permit).await.unwrap()
    }

    #[tokio::test]
    async fn the_ledger_says_which_own_dataset_was_read_and_hides_what_was_asked_of_it() {
        let (_dir, node) = crate::testing::node().await;
        let question = question("ho_ten = 'NGUYEN VAN A'");
        let index = written(&node, &question).await;
        let bytes = node.ledger.entry(index).unwrap();
        let signed = SignedStatement::parse(&bytes).unwrap();
        let Statement::Own(Own { id, deed: Deed::OwnRead(read), .. }) = signed.statement() else {
            panic!("{signed:?}")
        };
        assert_eq!(id.as_str(), question.id);
        assert_eq!((read.dataset.as_str(), read.permit.as_str()), ("urn:agency:vn:a/dan-cu", "owner"));
        assert_eq!(read.purpose.as_ref().unwrap().as_str(), "planning");
        assert_eq!(read.rules.sha256, *node.gate.engine().rule_set().digest().as_bytes());
        assert!(!String::from_utf8_lossy(&bytes).contains("NGUYEN"));
        // What lies here opens it, and nothing else does.
        let kept = kept(&node, &question.id, "cua-toi").unwrap().unwrap();
        let key = ExchangeKey::new(BASE64.decode(&kept.key).unwrap().try_into().unwrap());
        let canonical = exchange::json::canonical(&kept.asked).unwrap();
        assert!(String::from_utf8_lossy(&canonical).contains("NGUYEN"));
        assert_eq!(key.commit(Field::Question, &canonical), read.question);
        assert_ne!(key.commit(Field::Question, b"{}"), read.question);
        destroy(&node, &question).unwrap();
        assert!(super::kept(&node, &question.id, "cua-toi").unwrap().is_none());
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn reading_that_is_tried_again_leaves_one_entry() {
        let (_dir, node) = crate::testing::node().await;
        let question = question("id = 1");
        let index = written(&node, &question).await;
        let size = node.ledger.size();
        assert_eq!(written(&node, &question).await, index);
        // Cut off between the ledger and the file.
        let mut cut = kept(&node, &question.id, "cua-toi").unwrap().unwrap();
        cut.leaf.index = None;
        keep(&node, &question.id, "cua-toi", &cut).unwrap();
        assert_eq!(entry(&node, &question.id, "cua-toi"), None);
        assert_eq!(written(&node, &question).await, index);
        assert_eq!((node.ledger.size(), entry(&node, &question.id, "cua-toi")), (size, Some(index)));
        crate::boot::close(&node).await;
    }
}
