//! Receipts: what a party keeps to prove an exchange alone, years later, without a network and without a node.
//!
//! A receipt is a C2SP `tlog-proof` file: inclusion proof and checkpoint of one leaf, readable by other people's
//! tools. The leaf's bytes, the consumer's acknowledgement and an excerpt of the registry ride in its `extra`
//! line as base64 of JSON. **That line is not authenticated by the format**: statement and acknowledgement prove
//! themselves by their signatures and by inclusion, and the excerpt of the registry proves nothing until the
//! caller has checked the registry's own signatures and made a [`KeyBook`] of it.
//!
//! Provider's and consumer's receipts have the same shape: the same statement, each from its own log.
//!
//! Begin with [`issue`] and [`verify_receipt`].

mod judge;

use serde::{Deserialize, Serialize};

pub use judge::{
    DatedKey, Expectation, KeyBook, LogIdentity, Summary, Trust, Verdict, verify_receipt,
    verify_receipt_expecting,
};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{LedgerError, Result};
use crate::log::Log;
use crate::merkle::Hash;
use crate::proof::ProofFile;
use crate::statement::{SignedStatement, Statement};
use crate::text;

/// What the `extra` line of a receipt says it is.
const FORM: &str = "tram/receipt@v1";
/// The excerpt of the registry, in bytes of JSON: some members with their keys, not all ten thousand.
pub const KEYS_BYTES_MAX: usize = 256 * 1024;

/// The parts of a receipt, read and not yet judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The leaf: the signed statement.
    pub statement: SignedStatement,
    /// The consumer's acknowledgement of an exchange.
    pub ack: Option<SignedStatement>,
    /// An excerpt of the registry, for the caller to read and to check. The ledger does not look into it.
    pub keys: Option<serde_json::Value>,
    /// Where the log has the leaf.
    pub index: u64,
    /// The inclusion path.
    pub path: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// The JSON of the `extra` line. It is a file of ours: unknown fields are refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    form: String,
    statement: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<serde_json::Value>,
}

impl Receipt {
    /// The bytes of the file.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] when the excerpt of the registry is over [`KEYS_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let keys_bytes = self.keys.as_ref().map_or(0, |keys| keys.to_string().len());
        if keys_bytes > KEYS_BYTES_MAX {
            return Err(LedgerError::TooLarge {
                what: "registry excerpt",
                bytes: keys_bytes,
                max: KEYS_BYTES_MAX,
            });
        }
        let extra = Extra {
            form: FORM.to_owned(),
            statement: text::to_base64(self.statement.bytes()),
            ack: self.ack.as_ref().map(|ack| text::to_base64(ack.bytes())),
            keys: self.keys.clone(),
        };
        let extra = serde_json::to_vec(&extra).map_err(|error| malformed(error.to_string()))?;
        let (path, checkpoint) = (self.path.clone(), self.checkpoint.clone());
        Ok(ProofFile { extra: Some(extra), index: self.index, path, checkpoint }.to_bytes())
    }

    /// Reads the bytes of the file and judges nothing.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`], [`LedgerError::TooLarge`], [`LedgerError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let proof = ProofFile::parse(bytes)?;
        let extra = proof.extra.ok_or_else(|| malformed("it has no extra line with the statement"))?;
        let extra: Extra = serde_json::from_slice(&extra).map_err(|error| malformed(error.to_string()))?;
        if extra.form != FORM {
            return Err(malformed(format!("its form is `{}`, not `{FORM}`", text::shortened(&extra.form))));
        }
        let statement = read_statement(&extra.statement)?;
        let ack = extra.ack.as_deref().map(read_statement).transpose()?;
        if ack.as_ref().is_some_and(|ack| !matches!(ack.statement(), Statement::Ack(_))) {
            return Err(malformed("its acknowledgement is a statement of another kind"));
        }
        if ack.is_some() && !matches!(statement.statement(), Statement::Exchange(_)) {
            return Err(malformed("it acknowledges what is no exchange"));
        }
        let ProofFile { index, path, checkpoint, .. } = proof;
        Ok(Self { statement, ack, keys: extra.keys, index, path, checkpoint })
    }
}

fn malformed(why: impl Into<String>) -> LedgerError {
    LedgerError::malformed("receipt", why)
}

fn read_statement(base64: &str) -> Result<SignedStatement> {
    let bytes = text::base64(base64).ok_or_else(|| malformed("a statement in it is no canonical base64"))?;
    SignedStatement::parse(&bytes)
}

/// Makes the receipt of entry `index` of our log under a checkpoint that covers it (see
/// [`Log::checkpoint_covering`]). The checkpoint may carry witnesses' cosignatures
/// ([`SignedCheckpoint::cosigned`]); they go into the receipt.
///
/// # Errors
/// [`LedgerError::OutOfRange`] when the checkpoint does not cover the entry; [`LedgerError::Malformed`] when the
/// entry is no statement; [`LedgerError::TooLarge`]; those of reading.
pub fn issue(
    log: &Log,
    index: u64,
    under: &SignedCheckpoint,
    ack: Option<SignedStatement>,
    keys: Option<serde_json::Value>,
) -> Result<Vec<u8>> {
    let path = log.inclusion(index, under.checkpoint().size)?;
    let statement = SignedStatement::parse(&log.entry(index)?)?;
    Receipt { statement, ack, keys, index, path, checkpoint: under.clone() }.to_bytes()
}

#[cfg(test)]
mod tests;
