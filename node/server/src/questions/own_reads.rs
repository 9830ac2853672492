//! What the ledger says of own datasets that a question reads: one `own-read@v1` entry for each, durable before anything is read.
//!
//! **Promises.** Exactly one entry for each source of a question, however often reading it is tried again: the entry's bytes
//! are kept before they go to the ledger and looked for there afterwards. What was asked of the dataset stands in the entry as a
//! commitment; the key and the text that open it lie in a private file under `evidence/`, and nothing of them in the entry.
//! Erased, the file keeps the entry alone, and one `erasure@v1` names it.
//!
//! **What it is not.** No decision by the rules: an owner reads its own data by its own permit, and the entry says so. No
//! peer has a copy of it; that it was not left out shows only against the question's report.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::commitment::{ExchangeKey, Field};
use ledger::statement::{Deed, EntryRef, Erased, OwnRead, RuleSet, Word};
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
    /// The entry's key, base64; none once it is erased.
    key: Option<String>,
    /// What the commitment is over, as JSON; null once it is erased.
    asked: Value,
    /// The entry.
    leaf: Leaf,
    /// The entry that says that it was erased.
    #[serde(default)]
    erasure: Option<Leaf>,
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
    let leaf = Leaf::new(&entry, node.ledger.size());
    Ok(Kept { key: Some(BASE64.encode(bytes)), asked, leaf, erasure: None })
}

/// Destroys what opens the entry of a source; the entry stays. A file that cannot be read opens nothing and goes whole.
pub fn close(node: &Node, question: &str, source: &str) -> Result<()> {
    match kept(node, question, source) {
        Ok(None) => Ok(()),
        Ok(Some(said)) if said.key.is_none() => Ok(()),
        Ok(Some(said)) => keep(node, question, source, &Kept { key: None, asked: Value::Null, ..said }),
        Err(Error::Verification(why)) => {
            tracing::warn!(question, source, why, "an opening that cannot be read is removed");
            files::remove(&path(node, question, source))
        }
        Err(error) => Err(error),
    }
}

/// Writes that what opens the entry of a source was destroyed, unless that is there; gives its index. None where nothing
/// stands in the ledger.
pub async fn erased(
    node: &Node,
    operation: &Operation,
    question: &str,
    source: &str,
    reason: &str,
) -> Result<Option<u64>> {
    let Some(mut said) = kept(node, question, source)?.filter(|said| said.key.is_none()) else {
        return Ok(None);
    };
    let bytes = BASE64.decode(&said.leaf.bytes).map_err(Error::internal)?;
    let index = match said.leaf.index {
        Some(index) => Some(index),
        // Killed between the ledger and the file: it may stand there all the same.
        None => statement::find(node, &bytes, said.leaf.from)?,
    };
    let Some(index) = index else { return Ok(None) };
    said.leaf.index = Some(index);
    let mut erasure = match said.erasure.clone() {
        Some(erasure) => erasure,
        None => {
            let entry = EntryRef { index, leaf: ledger::merkle::leaf_hash(&bytes) };
            let reason = Word::new(reason).map_err(|e| Error::usage(e.to_string()))?;
            let deed = Deed::Erased(Erased { entry, reason });
            let bytes = statement::own_bytes(node, operation.now, Some(question), deed)?;
            let erasure = Leaf::new(&bytes, node.ledger.size());
            said.erasure = Some(erasure.clone());
            keep(node, question, source, &said)?;
            erasure
        }
    };
    if erasure.index.is_none() {
        erasure.index = Some(statement::find_or_append(node, &erasure).await?);
        said.erasure = Some(erasure.clone());
        keep(node, question, source, &said)?;
    }
    Ok(erasure.index)
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
        let key = ExchangeKey::new(BASE64.decode(kept.key.as_ref().unwrap()).unwrap().try_into().unwrap());
        let canonical = exchange::json::canonical(&kept.asked).unwrap();
        assert!(String::from_utf8_lossy(&canonical).contains("NGUYEN"));
        assert_eq!(key.commit(Field::Question, &canonical), read.question);
        assert_ne!(key.commit(Field::Question, b"{}"), read.question);
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

    #[tokio::test]
    async fn erasing_that_is_cut_off_anywhere_ends_with_one_entry_and_nothing_that_opens() {
        let (_dir, node) = crate::testing::node().await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let question = question("ho_ten = 'NGUYEN VAN A'");
        let index = written(&node, &question).await;
        let erased = async |reason| erased(&node, &operation, &question.id, "cua-toi", reason).await.unwrap();
        // While it opens, nothing says that it does not.
        assert_eq!(erased("request").await, None);
        // Cut off before the index of what was read is kept, and after what opens it is destroyed.
        let mut cut = kept(&node, &question.id, "cua-toi").unwrap().unwrap();
        cut.leaf.index = None;
        keep(&node, &question.id, "cua-toi", &cut).unwrap();
        close(&node, &question.id, "cua-toi").unwrap();
        let file = std::fs::read_to_string(path(&node, &question.id, "cua-toi")).unwrap();
        assert!(!file.contains("NGUYEN") && !file.contains(cut.key.as_ref().unwrap()), "{file}");
        let said = erased("request").await.unwrap();
        let bytes = node.ledger.entry(said).unwrap();
        let signed = SignedStatement::parse(&bytes).unwrap();
        let Statement::Own(Own { id, deed: Deed::Erased(deed), .. }) = signed.statement() else {
            panic!("{signed:?}")
        };
        let leaf = ledger::merkle::leaf_hash(&node.ledger.entry(index).unwrap());
        assert_eq!((deed.entry.index, deed.entry.leaf, deed.reason.as_str()), (index, leaf, "request"));
        assert_eq!(id.as_str(), question.id);
        // Cut off between the ledger and the file.
        let mut cut = kept(&node, &question.id, "cua-toi").unwrap().unwrap();
        cut.erasure.as_mut().unwrap().index = None;
        keep(&node, &question.id, "cua-toi", &cut).unwrap();
        let size = node.ledger.size();
        close(&node, &question.id, "cua-toi").unwrap();
        assert_eq!((erased("order").await, node.ledger.size()), (Some(said), size));
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn what_never_came_to_the_ledger_is_erased_without_an_entry() {
        let (_dir, node) = crate::testing::node().await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let question = question("ho_ten = 'NGUYEN VAN A'");
        let permit = node.gate.own(&operation, &node, "dan-cu").unwrap();
        let said = said(&node, &operation, &question.id, &question.doc.sources[1], &permit).unwrap();
        keep(&node, &question.id, "cua-toi", &said).unwrap();
        close(&node, &question.id, "cua-toi").unwrap();
        let size = node.ledger.size();
        assert_eq!(erased(&node, &operation, &question.id, "cua-toi", "request").await.unwrap(), None);
        assert_eq!(node.ledger.size(), size);
        // Damaged: there is nothing to keep of it.
        std::fs::write(path(&node, &question.id, "cua-toi"), "{").unwrap();
        close(&node, &question.id, "cua-toi").unwrap();
        assert!(!path(&node, &question.id, "cua-toi").exists());
        crate::boot::close(&node).await;
    }
}
