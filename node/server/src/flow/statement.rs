//! What an exchange leaves in the ledger: intent, statement, acknowledgement, interruption.
//!
//! Each entry is written once whatever happens: its bytes are kept in the exchange's record before they are handed to
//! the ledger, with the ledger's size at that moment; after a crash the entry is looked for from there on before it is
//! written again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::Signer;
use ledger::commitment::Field;
use ledger::statement::{
    Decision, Deed, Erased, Exchange as Exchanged, ExchangeId, Intent, Own, Party, Question, RuleSet,
    Seconds, SignedStatement, Statement, Word,
};

use super::{change, evidence};
use crate::error::{Error, RefusalInfo, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{self, Exchange, Leaf, Side};

/// What a permit for rows is about.
pub const DATA: [policy::Action; 2] = [policy::Action::Query, policy::Action::Download];

/// Which entry of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The intent.
    Intent,
    /// The statement.
    Statement,
    /// The acknowledgement.
    Ack,
    /// The interruption.
    Interrupted,
    /// The destruction of what opens the statement.
    Erasure,
}

fn slot(exchange: &mut Exchange, slot: Slot) -> &mut Option<Leaf> {
    match slot {
        Slot::Intent => &mut exchange.intent,
        Slot::Statement => &mut exchange.statement,
        Slot::Ack => &mut exchange.ack,
        Slot::Interrupted => &mut exchange.interrupted,
        Slot::Erasure => &mut exchange.erasure,
    }
}

/// Writes an entry once, whoever asks and however often. `make` gives its bytes; it is asked only when no bytes were
/// kept before. An exchange has one outcome: a statement or an interruption, whichever comes first.
pub async fn once(
    node: &Node,
    key: &[u8],
    which: Slot,
    make: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<(Vec<u8>, u64)> {
    let _turn = node.locks.lock(&[b"leaf/", key].concat()).await;
    let (mut exchange, _) = records::get::<Exchange>(&node.store, store::Space::Exchange, key)?
        .ok_or_else(|| Error::not_found("no such exchange"))?;
    let other = match which {
        Slot::Statement => &exchange.interrupted,
        Slot::Interrupted => &exchange.statement,
        Slot::Intent | Slot::Ack | Slot::Erasure => &None,
    };
    if other.is_some() {
        return Err(Error::conflict(format!("the exchange {} has its outcome already", exchange.id)));
    }
    let leaf = match slot(&mut exchange, which).clone() {
        Some(leaf) => leaf,
        None => {
            let leaf = Leaf::new(&make()?, node.ledger.size());
            change(node, key, |e| *slot(e, which) = Some(leaf.clone())).await?;
            leaf
        }
    };
    let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
    if let Some(index) = leaf.index {
        return Ok((bytes, index));
    }
    let index = find_or_append(node, &leaf).await?;
    change(node, key, |e| {
        if let Some(leaf) = slot(e, which) {
            leaf.index = Some(index);
        }
    })
    .await?;
    Ok((bytes, index))
}

/// The index of an entry that may have been written just before a crash; writes it if it was not.
pub async fn find_or_append(node: &Node, leaf: &Leaf) -> Result<u64> {
    let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
    match find(node, &bytes, leaf.from)? {
        Some(index) => Ok(index),
        None => node.append(bytes).await,
    }
}

/// Looks for an entry that may have been written just before a crash.
pub fn find(node: &Node, bytes: &[u8], from: u64) -> Result<Option<u64>> {
    for index in from..node.ledger.size() {
        if node.ledger.entry(index).map_err(Error::internal)? == bytes {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// The rule set of a decision, as statements name it.
pub fn rules(decision: &policy::Decision) -> RuleSet {
    RuleSet { sha256: *decision.rule_set_digest.as_bytes(), version: decision.rule_set_version }
}

/// The signer of this node's statements: its signing key under its participant id.
pub fn signer(node: &Node) -> Result<Signer> {
    let name = ledger::KeyName::new(&node.config.node.id).map_err(Error::internal)?;
    Ok(Signer::new(name, node.keys.signing.clone()))
}

fn word(text: &str) -> Result<Word> {
    Word::new(text).map_err(|e| Error::usage(e.to_string()))
}

/// Seconds as statements write them.
pub fn seconds(now: i64) -> Result<Seconds> {
    u64::try_from(now).map_err(Error::internal).and_then(|s| Seconds::new(s).map_err(Error::internal))
}

fn question(node: &Node, operation: &Operation, exchange: &Exchange) -> Result<Question> {
    let version = match crate::versions::contracts::served_to(node, exchange) {
        Ok(served) => served.dataset.version,
        // What cannot be served is refused in the words of the version in force.
        Err(_) => crate::datasets::find(node, &exchange.dataset)?.map_or(0, |d| d.version),
    };
    let optional = |text: &Option<String>| text.as_deref().map(word).transpose();
    Ok(Question {
        id: ExchangeId::new(&exchange.id).map_err(|e| Error::usage(e.to_string()))?,
        time: seconds(operation.now)?,
        provider: Party::new(&node.config.node.id).map_err(Error::internal)?,
        consumer: Party::new(&exchange.peer).map_err(Error::internal)?,
        dataset: word(&format!("{}/{}@{version}", node.config.node.id, exchange.dataset))?,
        operation: word(&exchange.ask.action)?,
        agreement: optional(&exchange.agreement)?,
        purpose: optional(&exchange.ask.purpose)?,
        basis: optional(&exchange.ask.basis)?,
    })
}

/// Writes the intent of a permitted transfer: durable before the first byte leaves.
pub async fn intend(node: &Node, operation: &Operation, exchange: &Exchange, permit: &Permit) -> Result<()> {
    permit.demand_for(&exchange.peer, &exchange.dataset, &DATA)?;
    let (sha256, version) = permit.rule_set();
    once(node, &exchange.key(), Slot::Intent, || {
        let intent =
            Intent { question: question(node, operation, exchange)?, rules: RuleSet { sha256, version } };
        signed(node, &Statement::Intent(intent))
    })
    .await
    .map(|_| ())
}

/// Writes the statement of a refusal and keeps the refusal in the exchange.
pub async fn refuse(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    rules: RuleSet,
    refusal: &RefusalInfo,
) -> Result<()> {
    let response = refusal_digest(refusal)?;
    let openings = evidence::answered(node, exchange, &response)?;
    let (key, request) = (openings.key()?, openings.request()?);
    once(node, &exchange.key(), Slot::Statement, || {
        let decision = Decision::Deny {
            reason: word(&refusal.code)?,
            response: Some(key.commit(Field::Response, response.as_bytes())),
        };
        let exchanged = Exchanged {
            question: question(node, operation, exchange)?,
            decision,
            rules,
            request: key.commit(Field::Request, &request),
            committed: openings.committed.commit(&key),
        };
        signed(node, &Statement::Exchange(exchanged))
    })
    .await?;
    let refusal = refusal.clone();
    change(node, &exchange.key(), |e| e.refusal = Some(refusal.clone())).await
}

/// What a refusal's commitment is over: SHA-256 of its canonical JSON, in Content-Digest form (RFC 9530).
pub fn refusal_digest(refusal: &RefusalInfo) -> Result<String> {
    let digest = exchange::json::digest(refusal).map_err(Error::internal)?;
    Ok(format!("sha-256=:{}:", BASE64.encode(digest.as_bytes())))
}

/// Writes the statement of a permitted answer, whose manifest has this digest.
pub async fn permit(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    rules: RuleSet,
    manifest: &[u8; 32],
) -> Result<(Vec<u8>, u64)> {
    permit.demand_for(&exchange.peer, &exchange.dataset, &DATA)?;
    let response = format!("sha-256=:{}:", BASE64.encode(manifest));
    let openings = evidence::answered(node, exchange, &response)?;
    let (key, request) = (openings.key()?, openings.request()?);
    once(node, &exchange.key(), Slot::Statement, || {
        let exchanged = Exchanged {
            question: question(node, operation, exchange)?,
            decision: Decision::Permit { response: key.commit(Field::Response, response.as_bytes()) },
            rules,
            request: key.commit(Field::Request, &request),
            committed: openings.committed.commit(&key),
        };
        signed(node, &Statement::Exchange(exchanged))
    })
    .await
}

/// Closes an intent that will have no outcome.
pub async fn interrupt(node: &Node, operation: &Operation, exchange: &Exchange, reason: &str) -> Result<()> {
    let Some(intent) = &exchange.intent else { return Ok(()) };
    let Some(index) = intent.index else { return Ok(()) };
    let bytes = BASE64.decode(&intent.bytes).map_err(Error::internal)?;
    let entry = ledger::statement::EntryRef { index, leaf: ledger::merkle::leaf_hash(&bytes) };
    let written = once(node, &exchange.key(), Slot::Interrupted, || {
        let interrupted = ledger::statement::Interrupted {
            id: ExchangeId::new(&exchange.id).map_err(Error::internal)?,
            time: seconds(operation.now)?,
            intent: entry,
            reason: word(reason)?,
        };
        signed(node, &Statement::Interrupted(interrupted))
    })
    .await;
    match written {
        // The outcome came first: nothing is left to close.
        Err(Error::Conflict(_)) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Writes what this node says about itself, under the id of an exchange or one of its own; gives id and index.
pub async fn own(node: &Node, now: i64, of: Option<&str>, deed: Deed) -> Result<(ExchangeId, u64)> {
    let id = of.map_or_else(|| ulid::Ulid::generate().to_string(), str::to_owned);
    let own = own_statement(node, now, &id, deed)?;
    let id = own.id().clone();
    let index = node.append(signed(node, &own)?).await?;
    Ok((id, index))
}

/// The signed bytes of a statement of the node about itself, for who keeps them before they go to the ledger.
pub fn own_bytes(node: &Node, now: i64, of: Option<&str>, deed: Deed) -> Result<Vec<u8>> {
    let id = of.map_or_else(|| ulid::Ulid::generate().to_string(), str::to_owned);
    signed(node, &own_statement(node, now, &id, deed)?)
}

fn own_statement(node: &Node, now: i64, id: &str, deed: Deed) -> Result<Statement> {
    let id = ExchangeId::new(id).map_err(|e| Error::usage(e.to_string()))?;
    let agency = Party::new(&node.config.node.id).map_err(Error::internal)?;
    Ok(Statement::Own(Own { id, time: seconds(now)?, agency, deed }))
}

/// Writes that what opens the statement of an exchange was destroyed.
pub async fn erased(node: &Node, operation: &Operation, exchange: &Exchange, reason: &str) -> Result<u64> {
    let (said, index) = super::receipts::statement_of(exchange)?;
    let entry = ledger::statement::EntryRef { index, leaf: said.leaf() };
    let deed = Deed::Erased(Erased { entry, reason: word(reason)? });
    let (_, index) = once(node, &exchange.key(), Slot::Erasure, || {
        signed(node, &own_statement(node, operation.now, &exchange.id, deed)?)
    })
    .await?;
    Ok(index)
}

/// Signs a statement with this node's signing key.
pub fn signed(node: &Node, statement: &Statement) -> Result<Vec<u8>> {
    Ok(statement.sign(&signer(node)?).map_err(Error::internal)?.bytes().to_vec())
}

/// Reads the statement that a provider handed over and checks that it is about exactly this exchange and signed by the
/// provider; then that its commitments open to what this node asked and got.
pub fn check(
    node: &Node,
    exchange: &Exchange,
    bytes: &[u8],
    openings: &evidence::Evidence,
    response: &str,
    now: i64,
) -> Result<SignedStatement> {
    let wrong = |what: String| Error::Verification(format!("the statement of {}: {what}", exchange.peer));
    let signed = SignedStatement::parse(bytes).map_err(|e| wrong(e.to_string()))?;
    let key = node.peers.statement_key(&exchange.peer, now)?;
    signed.verify(&key).map_err(|e| wrong(e.to_string()))?;
    let Statement::Exchange(said) = signed.statement() else {
        return Err(wrong("it is no exchange".to_owned()));
    };
    let question = &said.question;
    let same = |what: &str, found: &str, wanted: &str| {
        if found == wanted { Ok(()) } else { Err(wrong(format!("{what} is `{found}`, expected `{wanted}`"))) }
    };
    let dash = |value: &Option<Word>| value.as_ref().map_or("-".to_owned(), |w| w.as_str().to_owned());
    same("the id", question.id.as_str(), &exchange.id)?;
    same("the provider", question.provider.as_str(), &exchange.peer)?;
    same("the consumer", question.consumer.as_str(), &node.config.node.id)?;
    same("the purpose", &dash(&question.purpose), exchange.ask.purpose.as_deref().unwrap_or("-"))?;
    same("the legal basis", &dash(&question.basis), exchange.ask.basis.as_deref().unwrap_or("-"))?;
    let dataset = format!("{}/{}@", exchange.peer, exchange.dataset);
    if !question.dataset.as_str().starts_with(&dataset) {
        return Err(wrong(format!("the dataset is `{}`", question.dataset)));
    }
    let key = openings.key()?;
    if key.commit(Field::Request, &openings.request()?) != said.request {
        return Err(wrong("the commitment to the request does not open".to_owned()));
    }
    asked_by_us(node, exchange, openings)?;
    let committed = super::evidence::wish(node, &exchange.id)?.commit(&key);
    // A refusal may come before the provider was told the values.
    if said.committed != committed
        && (matches!(said.decision, Decision::Permit { .. })
            || said.committed != ledger::statement::CommittedFields::default())
    {
        return Err(wrong("its committed fields are not what this node wanted committed".to_owned()));
    }
    let committed = match &said.decision {
        Decision::Permit { response } => Some(*response),
        Decision::Deny { response, .. } => *response,
    };
    if committed != Some(key.commit(Field::Response, response.as_bytes())) {
        return Err(wrong("the commitment to the answer does not open to what came".to_owned()));
    }
    Ok(signed)
}

/// The request that the statement speaks of must bear this node's own signature, and be of this exchange.
fn asked_by_us(node: &Node, exchange: &Exchange, openings: &evidence::Evidence) -> Result<()> {
    let wrong =
        || Error::Verification("the statement speaks of a request that this node did not sign".to_owned());
    let ours = node.signer.public().verify(openings.request_base.as_bytes(), &openings.signature()?);
    let line = format!("\"tram-exchange-id\": {}\n", exchange.id);
    if ours && openings.request_base.contains(&line) && exchange.side == Side::Consumer {
        return Ok(());
    }
    Err(wrong())
}
