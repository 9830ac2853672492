//! What opens the commitments of the ledger: one small private file an exchange, outside ledger and store.
//!
//! Deleting it, and the receipts and `asked-` file of the same exchange (which open parts of it), erases: the entry
//! stays and proves itself, and opens to nothing any more (crypto-shredding). It is a file and not a record because the
//! store's engine keeps overwritten values for a while.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::message::SignatureEvidence;
use ledger::commitment::{ExchangeKey, Field};
use ledger::statement::CommittedFields;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::outbox::Row;
use crate::records::{Exchange, Side, short};

/// The openings of one exchange.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The exchange's key, base64.
    key: String,
    /// The request's signature base.
    pub request_base: String,
    /// The request's signature, base64.
    pub request_signature: String,
    /// What the answer's commitment is over.
    pub response: Option<String>,
    /// What the commitments of the committed fields are over.
    #[serde(default)]
    pub committed: CommittedValues,
}

/// Longest value of a committed field, bytes.
const VALUE_BYTES_MAX: usize = 256;

/// Whom and what a request is about, as the consumer wants it on record: the ledger holds a
/// commitment to each field, apart from the others.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedValues {
    /// The person who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The person whom the data is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The case or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
}

impl CommittedValues {
    /// Whether there is nothing to commit to.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what is blank, too long or holds control characters; the value is not repeated in the error.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("user", &self.user), ("subject", &self.subject), ("case", &self.case)] {
            let Some(value) = value else { continue };
            let fits = !value.trim().is_empty() && value.len() <= VALUE_BYTES_MAX;
            if !fits || value.chars().any(char::is_control) {
                return Err(Error::usage(format!(
                    "the committed field `{name}` must have 1 to {VALUE_BYTES_MAX} bytes without control characters"
                )));
            }
        }
        Ok(())
    }

    /// The commitments, each under its own salt.
    pub fn commit(&self, key: &ExchangeKey) -> CommittedFields {
        let commit = |field, value: &Option<String>| value.as_ref().map(|v| key.commit(field, v.as_bytes()));
        CommittedFields {
            user: commit(Field::User, &self.user),
            subject: commit(Field::Subject, &self.subject),
            case: commit(Field::Case, &self.case),
        }
    }
}

impl std::fmt::Debug for CommittedValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommittedValues(secret)")
    }
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evidence(secret)")
    }
}

impl Evidence {
    /// The exchange's key.
    pub fn key(&self) -> Result<ExchangeKey> {
        let bytes: [u8; 32] =
            BASE64.decode(&self.key).ok().and_then(|b| b.try_into().ok()).ok_or_else(|| {
                Error::Verification("the exchange's key is not 32 bytes of base64".to_owned())
            })?;
        Ok(ExchangeKey::new(bytes))
    }

    /// What the request's commitment is over: signature base and signature.
    pub fn request(&self) -> Result<Vec<u8>> {
        Ok([self.request_base.as_bytes(), &self.signature()?].concat())
    }

    /// The request's signature.
    pub fn signature(&self) -> Result<[u8; 64]> {
        let bytes = BASE64.decode(&self.request_signature).ok().and_then(|b| b.try_into().ok());
        bytes.ok_or_else(|| {
            Error::Verification("the request's signature is not 64 bytes of base64".to_owned())
        })
    }
}

fn path(node: &Node, side: Side, peer: &str, id: &str) -> PathBuf {
    path_in(&node.dir, side, peer, id)
}

/// The openings of an exchange in a node's folder; none when they were erased or never came.
pub fn of(dir: &std::path::Path, side: Side, peer: &str, id: &str) -> Result<Option<Evidence>> {
    read_at(&path_in(dir, side, peer, id))
}

fn path_in(dir: &std::path::Path, side: Side, peer: &str, id: &str) -> PathBuf {
    let side = match side {
        Side::Provider => "p",
        Side::Consumer => "c",
    };
    dir.join("evidence").join(format!("{side}-{}-{id}.json", short(peer)))
}

/// Keeps what a consumer signed to ask, on the provider's side; draws the exchange's key the first time.
pub fn asked(node: &Node, peer: &str, id: &str, signed: &SignatureEvidence) -> Result<()> {
    let path = path(node, Side::Provider, peer, id);
    let (key, committed) = match read_at(&path)? {
        Some(known) => (known.key, known.committed),
        None => (BASE64.encode(crate::operation::random::<32>()?), CommittedValues::default()),
    };
    write(
        &path,
        &Evidence {
            key,
            committed,
            request_base: signed.base.clone(),
            request_signature: BASE64.encode(signed.signature),
            response: None,
        },
    )
}

/// Keeps what this node signed to ask, on the consumer's side, for its own file of the exchange.
pub fn keep_request(node: &Node, row: &Row, signed: &SignatureEvidence) -> Result<()> {
    let path = asked_path(node, &row.exchange_id);
    let text = format!("{}\n\n{}\n", signed.base, BASE64.encode(signed.signature));
    files::write_atomic(&path, text.as_bytes())
}

/// Keeps the values of the committed fields, on the provider's side. What stands in a statement already stays.
pub fn keep_values(node: &Node, exchange: &Exchange, values: CommittedValues) -> Result<()> {
    values.check()?;
    let mut evidence = read(node, exchange)?;
    if evidence.committed == values {
        return Ok(());
    }
    if evidence.response.is_some() {
        return Err(Error::conflict(format!(
            "exchange {} has its answer; committed fields come before it",
            exchange.id
        )));
    }
    evidence.committed = values;
    write(&path(node, exchange.side, &exchange.peer, &exchange.id), &evidence)
}

fn wish_path(node: &Node, id: &str) -> PathBuf {
    node.dir.join("evidence").join(format!("committed-{id}.json"))
}

/// Keeps what this node, as consumer, wants committed in an exchange that it begins.
pub fn keep_wish(node: &Node, id: &str, values: &CommittedValues) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    files::write_atomic(&wish_path(node, id), &serde_json::to_vec(values).map_err(Error::internal)?)
}

/// What this node wants committed in an exchange of its own.
pub fn wish(node: &Node, id: &str) -> Result<CommittedValues> {
    Ok(read_file(&wish_path(node, id))?.unwrap_or_default())
}

/// Destroys what opens the commitments of an exchange. The entries stay and prove themselves.
pub fn destroy(node: &Node, exchange: &Exchange) -> Result<()> {
    let mut files = vec![path(node, exchange.side, &exchange.peer, &exchange.id)];
    if exchange.side == Side::Consumer {
        files.extend([wish_path(node, &exchange.id), asked_path(node, &exchange.id)]);
    }
    files.iter().try_for_each(|file| files::remove(file))?;
    super::sealing::destroy(node, exchange)
}

fn asked_path(node: &Node, id: &str) -> PathBuf {
    node.dir.join("evidence").join(format!("asked-{id}.txt"))
}

/// Keeps the openings that the provider handed over, on the consumer's side.
pub fn keep(node: &Node, exchange: &Exchange, evidence: &Evidence) -> Result<()> {
    write(&path(node, exchange.side, &exchange.peer, &exchange.id), evidence)
}

/// Notes what the answer's commitment is over.
pub fn answered(node: &Node, exchange: &Exchange, response: &str) -> Result<Evidence> {
    let path = path(node, exchange.side, &exchange.peer, &exchange.id);
    let mut evidence = read(node, exchange)?;
    evidence.response = Some(response.to_owned());
    write(&path, &evidence)?;
    Ok(evidence)
}

/// Reads the openings of an exchange.
pub fn read(node: &Node, exchange: &Exchange) -> Result<Evidence> {
    let path = path(node, exchange.side, &exchange.peer, &exchange.id);
    read_at(&path)?.ok_or_else(|| {
        Error::not_found(format!(
            "the openings of exchange {} are not here; they were erased or never came",
            exchange.id
        ))
    })
}

fn read_at(path: &std::path::Path) -> Result<Option<Evidence>> {
    read_file(path)
}

fn read_file<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::internal(format!("`{}` is unreadable: {e}", path.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path, e)),
    }
}

fn write(path: &std::path::Path, evidence: &Evidence) -> Result<()> {
    files::write_atomic(path, &serde_json::to_vec(evidence).map_err(Error::internal)?)
}
