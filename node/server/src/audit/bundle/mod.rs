//! One file for an auditor: a part of a ledger that proves itself without the node that gave it.
//!
//! It is a plain tar with fixed names: `README.txt`, `bundle.json` (what is in it, with the SHA-256 of every other
//! file), `bundle.note` (the node's signature over that), `checkpoint`, `registry.json`, the tiles that lead from the
//! entries to the root, and the entries: whole bundles where all of their entries are given, else one
//! `entry/INDEX.leaf` with its `entry/INDEX.tlog-proof` each, so that nothing is given that was not asked for; and in
//! `timestamps/` the third party's word (RFC 3161) on when they were there.
//!
//! Promise: a file that is cut, forged, added or left out is refused by its name. Nothing is unpacked, so no name can
//! lead anywhere. Fields are opened one by one; what opens one opens no other.
//!
//! Begin with [`Bundle::open`] for reading, [`write::Order`] for writing.

mod read;
mod readme;
mod stamps;
pub mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::descriptor::SignedDescriptor;
use certs::note::{KeyKind, KeyName, Note, Vkey};
use ledger::checkpoint::Checkpoint;
use ledger::commitment::{Field, Opening};
use ledger::receipt::KeyBook;
use serde::{Deserialize, Serialize};

pub use read::{Bundle, looks_like_one};

use super::trust::Trust;
use crate::error::{Error, Result};
use crate::files;

/// What `bundle.json` says it is, and the first line of the signed note.
const FORM: &str = "tram/audit-bundle@v1";
/// Files of one bundle: enough for the tiles of 100 million entries.
const FILES_MAX: usize = 1_000_000;
/// Longest `bundle.json`, bytes: some 120 for each file.
const MANIFEST_BYTES_MAX: u64 = 160 << 20;
/// Longest reason for leaving an entry out, characters: a few words and the beginning of the entry.
const REASON_CHARS_MAX: usize = 300;
/// Fields that can be opened.
const FIELDS: [Field; 7] = [
    Field::Request,
    Field::Response,
    Field::User,
    Field::Subject,
    Field::Case,
    Field::Question,
    Field::Verdict,
];

/// `bundle.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    form: String,
    /// The name of the log.
    pub origin: String,
    /// The agency that gave it.
    pub participant: String,
    /// For whom.
    #[serde(rename = "for")]
    pub made_for: String,
    /// For which purpose.
    pub purpose: Option<String>,
    /// When, RFC 3339.
    pub created: String,
    /// First and last day, as asked for.
    pub period: (String, String),
    /// Only these exchanges; empty for all of the period.
    pub exchanges: Vec<String>,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The root, base64.
    pub root: String,
    /// The entries that are in it: from, to (not included).
    pub entries: Vec<(u64, u64)>,
    /// Entries that are left out, since the giver's program could not read them.
    pub unreadable: Vec<Unreadable>,
    /// What was opened.
    pub opened: Vec<Opened>,
    files: BTreeMap<String, File>,
}

/// One file's length and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    bytes: u64,
    sha256: String,
}

/// An entry that no statement could be made of: nobody can tell of which day or exchange it is, so it is never asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// The entry.
    pub index: u64,
    /// Why it cannot be read.
    pub reason: String,
}

/// One opened field: what its commitment in the entry is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The entry.
    pub index: u64,
    /// The field's name.
    pub field: String,
    /// Its salt, hex.
    salt: String,
    /// Its value, base64.
    value: String,
}

impl Unreadable {
    fn new(index: u64, reason: &str) -> Self {
        let reason = reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
        Self { index, reason }
    }
}

impl Opened {
    fn new(index: u64, opening: &Opening) -> Self {
        Self {
            index,
            field: opening.field().name().to_owned(),
            salt: files::hex(opening.salt()),
            value: BASE64.encode(opening.value()),
        }
    }

    /// As the ledger knows it.
    pub fn opening(&self) -> Result<Opening> {
        let wrong = || {
            Error::Verification(format!(
                "the opened field `{}` of entry {} is malformed",
                self.field, self.index
            ))
        };
        let field = field(&self.field).ok_or_else(wrong)?;
        let salt = files::unhex::<32>(&self.salt).ok_or_else(wrong)?;
        Ok(Opening::new(field, salt, BASE64.decode(&self.value).map_err(|_| wrong())?))
    }

    /// The value, as text where it is text.
    pub fn text(&self) -> String {
        let bytes = BASE64.decode(&self.value).unwrap_or_default();
        // A request is its signature base (text) and 64 bytes of signature.
        String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.as_bytes();
            let text =
                bytes.len().checked_sub(64).and_then(|end| std::str::from_utf8(bytes.get(..end)?).ok());
            text.map_or_else(|| self.value.clone(), str::to_owned)
        })
    }
}

/// A field by its name.
pub fn field(name: &str) -> Option<Field> {
    FIELDS.into_iter().find(|field| field.name() == name || field.name() == format!("c.{name}"))
}

/// What a bundle says of itself, checked against its signature when the keys are known.
#[derive(Debug, Clone)]
pub struct Head {
    /// `bundle.json`
    pub manifest: Manifest,
    /// The descriptors that ride along.
    pub members: Vec<SignedDescriptor>,
    note: Note,
    digest: String,
}

/// The text that the node signs.
fn note_text(origin: &str, digest: &str) -> String {
    format!("{FORM}\n{origin}\nsha256 {digest}\n")
}

impl Head {
    /// The entries that are in it.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        self.manifest.entries.iter().map(|(from, to)| *from..*to).collect()
    }

    /// Checks the node's signature over the list of contents, and that the list is of this tree.
    pub(super) fn check(&self, path: &Path, trust: &Trust, checkpoint: &Checkpoint) -> Result<()> {
        let said = &self.manifest;
        if note_text(&said.origin, &self.digest) != self.note.text() {
            return Err(forged(path, "bundle.json", "it is not what `bundle.note` was signed for"));
        }
        let name = KeyName::new(&said.participant)
            .map_err(|_| forged(path, "bundle.json", "its participant is no name of a key"))?;
        let dated = trust.book.as_ref().map(|book| book.signing_keys(&said.participant)).unwrap_or_default();
        let mut keys: Vec<Vkey> =
            dated.iter().filter_map(|key| Vkey::new(name.clone(), KeyKind::Ed25519, key.key).ok()).collect();
        keys.extend(trust.vkeys.iter().filter(|key| *key.name() == name).cloned());
        self.note.verify(&keys).map_err(|e| {
            let why =
                format!("expected the signature of `{}` by a trusted key, found: {e}", said.participant);
            forged(path, "bundle.note", &why)
        })?;
        let owner = trust.owner(&said.origin);
        if owner != said.participant {
            return Err(forged(
                path,
                "bundle.json",
                &format!("`{owner}` keeps this log, not `{}`", said.participant),
            ));
        }
        let same = checkpoint.origin.as_str() == said.origin
            && checkpoint.size == said.size
            && checkpoint.root.to_string() == said.root;
        if same {
            Ok(())
        } else {
            Err(forged(path, "checkpoint", "it is of another tree than `bundle.json` says"))
        }
    }
}

fn forged(path: &Path, name: &str, why: &str) -> Error {
    Error::Verification(format!("`{}`: `{name}` is forged or damaged: {why}", path.display()))
}

fn cut(path: &Path, name: &str, why: &str) -> Error {
    Error::Verification(format!(
        "`{}`: `{name}` is cut or missing: {why}; ask for the bundle again",
        path.display()
    ))
}

fn leaf_name(index: u64) -> String {
    format!("entry/{index}.leaf")
}

fn proof_name(index: u64) -> String {
    format!("entry/{index}.tlog-proof")
}

#[cfg(test)]
mod tests;
