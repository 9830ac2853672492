//! A statement with its author's signature: the bytes of a leaf.

use certs::note::{KeyName, Note, Signer, Vkey};

use super::Statement;
use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, leaf_hash};
use crate::text;

/// A signed statement in bytes. The longest legal one (every id at its limit) has under 9 KiB.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024;

/// A statement, who claims to have signed it, and the exact bytes. Kept as bytes and never written anew: these
/// bytes are the leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    note: Note,
    bytes: Vec<u8>,
}

impl Statement {
    /// Signs with the signing key of the statement's author, whose name is the author's participant id.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key's name is not that of the author.
    pub fn sign(&self, signer: &Signer) -> Result<SignedStatement> {
        let note = signer.sign(&self.to_text())?;
        check_author(self, signer.vkey().name())?;
        Ok(SignedStatement { statement: self.clone(), bytes: note.to_bytes(), note })
    }

    /// Who must sign, as far as the statement itself says: the provider for an intent and an exchange, the agency for what it says of its own node. The author
    /// of an ack is the consumer of its exchange, that of an interruption the provider of its intent; see
    /// [`crate::receipt`].
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        match self {
            Self::Intent(intent) => Some(intent.question.provider.as_str()),
            Self::Exchange(exchange) => Some(exchange.question.provider.as_str()),
            Self::Own(own) => Some(own.agency.as_str()),
            Self::Ack(_) | Self::Interrupted(_) => None,
        }
    }
}

impl SignedStatement {
    /// Reads the bytes of a leaf: a note with exactly one signature line over a canonical statement, in the name
    /// of the statement's author. The signature itself is judged by [`SignedStatement::verify`].
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`], [`LedgerError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            let (bytes, max) = (bytes.len(), STATEMENT_BYTES_MAX);
            return Err(LedgerError::TooLarge { what: "statement", bytes, max });
        }
        let note = Note::parse(bytes)?;
        let statement = Statement::parse(note.text())?;
        let [signature] = note.signatures() else {
            return Err(LedgerError::malformed("statement", "it must have exactly one signature"));
        };
        check_author(&statement, &signature.name)?;
        Ok(Self { statement, bytes: bytes.to_vec(), note })
    }

    /// What it says.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Its note.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The bytes of the leaf.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash of the leaf, the same in every log that holds it.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.bytes)
    }

    /// The participant in whose name it is signed.
    #[must_use]
    pub fn signer(&self) -> &str {
        self.note.signatures().first().map_or("", |signature| signature.name.as_str())
    }

    /// The key id of the signature line.
    #[must_use]
    pub fn key_id(&self) -> [u8; 4] {
        self.note.signatures().first().map_or([0; 4], |signature| signature.key_id)
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`LedgerError::Note`] when the key did not sign exactly this.
    pub fn verify(&self, key: &Vkey) -> Result<()> {
        self.note.verify(std::slice::from_ref(key))?;
        Ok(())
    }
}

fn check_author(statement: &Statement, name: &KeyName) -> Result<()> {
    match statement.author() {
        Some(author) if author != name.as_str() => {
            let why = format!(
                "`{}` must sign it, but the signature is in the name of `{}`",
                text::shortened(author),
                text::shortened(name.as_str())
            );
            Err(LedgerError::malformed("statement", why))
        }
        _ => Ok(()),
    }
}
