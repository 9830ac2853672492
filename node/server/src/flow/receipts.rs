//! Receipts: what a party keeps to prove an exchange alone. Each side keeps both sides' receipts.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::message::LogPromise;
use ledger::promise::Promise;
use ledger::receipt::{self, Receipt, Verdict};
use ledger::statement::{Ack, Decision, Place, SignedStatement, Statement};
use serde::{Deserialize, Serialize};

use super::{change, evidence, manifest, receive, statement};
use crate::answer::{Answer, Told};
use crate::error::{Error, Result};
use crate::files;
use crate::keybook::{self, Book};
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{Exchange, Side, short};
use crate::witness::{conflicts, promises, quorum};

/// What a provider hands over at the end: the statement, where it stands, and what opens its commitments.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedOver {
    /// The statement's bytes, base64.
    pub statement: String,
    /// Its index in the provider's ledger.
    pub index: u64,
    /// The openings.
    pub openings: evidence::Evidence,
}

/// The provider's part, once the statement is in its ledger.
pub fn handed_over(node: &Node, exchange: &Exchange) -> Result<HandedOver> {
    let not_yet = || Error::Unavailable("the statement is not written yet; ask again".to_owned());
    let leaf = exchange.statement.as_ref().ok_or_else(not_yet)?;
    Ok(HandedOver {
        statement: leaf.bytes.clone(),
        index: leaf.index.ok_or_else(not_yet)?,
        openings: evidence::read(node, exchange)?,
    })
}

/// The signed promise of inclusion for the statement of an exchange, if it is written.
pub fn promise(node: &Node, exchange: &Exchange) -> Result<Option<LogPromise>> {
    let Some((index, leaf)) = exchange.statement.as_ref().and_then(|l| Some((l.index?, l))) else {
        return Ok(None);
    };
    let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
    Ok(Some(LogPromise {
        origin: node.ledger_origin(),
        index,
        leaf_hash: ledger::merkle::leaf_hash(&bytes).0,
    }))
}

/// The bytes of an entry that is kept in an exchange's record.
pub fn statement_of(exchange: &Exchange) -> Result<(SignedStatement, u64)> {
    let leaf =
        exchange.statement.as_ref().ok_or_else(|| Error::conflict("the exchange has no statement yet"))?;
    let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
    let signed = SignedStatement::parse(&bytes).map_err(Error::internal)?;
    Ok((signed, leaf.index.ok_or_else(|| Error::conflict("the statement is not in the ledger yet"))?))
}

/// The consumer's acknowledgement: this leaf stands here and there.
pub fn acknowledge(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    provider_index: u64,
) -> Result<Vec<u8>> {
    let (signed, index) = statement_of(exchange)?;
    let place = |log: &str, index: u64| -> Result<Place> {
        Ok(Place { log: ledger::statement::Party::new(log).map_err(Error::internal)?, index })
    };
    let ack = Ack {
        id: signed.statement().id().clone(),
        time: statement::seconds(operation.now)?,
        leaf: signed.leaf(),
        provider: place(&exchange.peer_ledger(), provider_index)?,
        consumer: place(&node.ledger_origin(), index)?,
    };
    statement::signed(node, &Statement::Ack(ack))
}

/// The provider takes the consumer's acknowledgement into its own ledger.
pub async fn take_ack(node: &Node, operation: &Operation, exchange: &Exchange, bytes: &[u8]) -> Result<u64> {
    let wrong = |why: String| Error::Verification(format!("the acknowledgement: {why}"));
    let signed = SignedStatement::parse(bytes).map_err(|e| wrong(e.to_string()))?;
    let Statement::Ack(ack) = signed.statement() else {
        return Err(wrong("it is another statement".to_owned()));
    };
    let key = node.peers.statement_key(&exchange.peer, operation.now)?;
    signed.verify(&key).map_err(|e| wrong(e.to_string()))?;
    let (ours, index) = statement_of(exchange)?;
    let fits = ack.id == *ours.statement().id()
        && ack.leaf == ours.leaf()
        && ack.provider.index == index
        && ack.provider.log.as_str() == node.ledger_origin()
        && ack.consumer.log.as_str() == exchange.peer_ledger()
        && signed.signer() == exchange.peer;
    if !fits {
        return Err(wrong("it is about another statement or another place".to_owned()));
    }
    promises::hold(node, exchange, Promise::of_ack(&signed).map_err(Error::internal)?)?;
    let (_, index) =
        statement::once(node, &exchange.key(), statement::Slot::Ack, || Ok(bytes.to_vec())).await?;
    Ok(index)
}

fn path(node: &Node, exchange: &Exchange, of: Side) -> PathBuf {
    let (here, of) = (side_word(exchange.side), side_word(of));
    node.dir.join("receipts").join(format!(
        "{here}-{}-{}.{of}.tlog-proof",
        short(&exchange.peer),
        exchange.id
    ))
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Provider => "provider",
        Side::Consumer => "consumer",
    }
}

/// This node's own receipt of an exchange: made when a signed checkpoint covers the statement, kept, given again.
pub async fn own(node: &Node, exchange: &Exchange) -> Result<Vec<u8>> {
    let path = path(node, exchange, exchange.side);
    let (_, index) = statement_of(exchange)?;
    if let Ok(bytes) = std::fs::read(&path)
        && !may_be_witnessed_now(node, index, &bytes)
    {
        return Ok(bytes);
    }
    let ack = exchange.ack.as_ref().filter(|leaf| leaf.index.is_some());
    let ack = ack
        .map(|leaf| {
            let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
            SignedStatement::parse(&bytes).map_err(Error::internal)
        })
        .transpose()?;
    let under = quorum::covering(node, index).await?;
    let parties = [node.config.node.id.as_str(), &exchange.peer];
    let keys =
        keybook::excerpt(&node.peers.keys(), &parties, |excerpt| excerpt.answer = answer(node, exchange))?;
    let bytes = receipt::issue(&node.ledger, index, &under, ack, Some(keys)).map_err(Error::internal)?;
    files::write_atomic(&path, &bytes)?;
    note(node, exchange, exchange.side).await?;
    Ok(bytes)
}

/// Whether a receipt was made without witnesses that vouch for its entry now.
fn may_be_witnessed_now(node: &Node, index: u64, receipt: &[u8]) -> bool {
    let vouched = node.watch.quorum.cosigned().is_some_and(|signed| signed.checkpoint().size > index);
    let alone = |receipt: Receipt| receipt.checkpoint.note().signatures().len() == 1;
    vouched && Receipt::parse(receipt).is_ok_and(alone)
}

/// What opens the statement's commitment to the answer, for whoever has the receipt and the rows in hand; none when the
/// openings were erased or the manifest is gone or too long.
fn answer(node: &Node, exchange: &Exchange) -> Option<Answer> {
    let (signed, _) = statement_of(exchange).ok()?;
    let Statement::Exchange(said) = signed.statement() else { return None };
    let committed = match &said.decision {
        Decision::Permit { response } => *response,
        Decision::Deny { response, .. } => (*response)?,
    };
    let told = match (&exchange.refusal, exchange.side) {
        (Some(refusal), _) => Told::Refusal(refusal.clone()),
        (None, Side::Provider) => Told::Manifest(Box::new(manifest::kept(node, exchange)?)),
        (None, Side::Consumer) => Told::Manifest(Box::new(receive::kept_manifest(node, exchange)?)),
    };
    let key = evidence::read(node, exchange).and_then(|openings| openings.key()).ok()?;
    let answer = Answer::new(&key, told)?;
    answer.opening().is_ok_and(|opening| opening.fits(&committed)).then_some(answer)
}

async fn note(node: &Node, exchange: &Exchange, of: Side) -> Result<()> {
    let word = side_word(of).to_owned();
    change(node, &exchange.key(), |e| {
        if !e.receipts.contains(&word) {
            e.receipts.push(word.clone());
            e.receipts.sort_by(|a, b| b.cmp(a));
        }
    })
    .await
}

/// Keeps the other side's receipt after judging it by this node's own registry: it must be of this very statement, in
/// the other side's ledger.
pub async fn keep_theirs(node: &Node, exchange: &Exchange, bytes: &[u8]) -> Result<()> {
    let wrong = |why: String| Error::Verification(format!("the receipt of {}: {why}", exchange.peer));
    let book = Book::of_registry(node.peers.keys().registry());
    conflicts::refuse(node, &exchange.peer_ledger())?;
    let (ours, _) = statement_of(exchange)?;
    match receipt::verify_receipt(bytes, &book) {
        Verdict::Valid(summary) if summary.leaf == ours.leaf() && summary.log_of == exchange.peer => {}
        Verdict::Valid(summary) => {
            return Err(wrong(format!("it is of another statement or ledger (`{}`)", summary.origin)));
        }
        other => return Err(wrong(verdict_text(&other))),
    }
    let of = match exchange.side {
        Side::Provider => Side::Consumer,
        Side::Consumer => Side::Provider,
    };
    files::write_atomic(&path(node, exchange, of), bytes)?;
    // It shows the leaf in the other side's signed tree: what that side promised is kept.
    promises::kept(node, exchange)?;
    note(node, exchange, of).await
}

/// The provider's half of the swap: judges and keeps the consumer's receipt, gives its own.
pub async fn swap(node: &Node, exchange: &Exchange, theirs: &[u8]) -> Result<Vec<u8>> {
    keep_theirs(node, exchange, theirs).await?;
    own(node, exchange).await
}

fn path_of(node: &Node, exchange: &Exchange, of: &str) -> Result<PathBuf> {
    let side = match of {
        "provider" => Side::Provider,
        "consumer" => Side::Consumer,
        other => return Err(Error::usage(format!("`{other}` is no side; ask for provider or consumer"))),
    };
    Ok(path(node, exchange, side))
}

/// Puts another form of a receipt in the place of the one that is held.
pub fn replace(node: &Node, exchange: &Exchange, of: &str, bytes: &[u8]) -> Result<()> {
    files::write_atomic(&path_of(node, exchange, of)?, bytes)
}

/// A receipt that is held, by its side's word.
pub fn read(node: &Node, exchange: &Exchange, of: &str) -> Result<Vec<u8>> {
    let path = path_of(node, exchange, of)?;
    std::fs::read(&path)
        .map_err(|_| Error::not_found(format!("no receipt of the {of} is held for exchange {}", exchange.id)))
}

/// A verdict in one line.
pub fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid(summary) => format!("valid: entry {} of {}", summary.index, summary.origin),
        Verdict::WrongSignature { who, why } => format!("wrong signature of `{who}`: {why}"),
        Verdict::NotInLedger { origin, index } => format!("entry {index} of `{origin}` is something else"),
        Verdict::KeyNotValidAtThatTime { who, time } => format!("the key of `{who}` was not valid at {time}"),
        Verdict::CheckpointBad { why } => format!("the checkpoint is bad: {why}"),
        Verdict::NotWitnessed { judgement } => format!("not witnessed: {judgement}"),
        Verdict::OtherData { why } => format!("about other data: {why}"),
        Verdict::Malformed { why } => format!("malformed: {why}"),
    }
}
