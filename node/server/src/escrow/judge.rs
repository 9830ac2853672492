//! The auditor's part: judging what a consumer handed over, opening the envelope, and the rows with what was in it.
//!
//! **In this order.** The receipt must be valid by keys that the auditor trusts, and must hold the consumer's
//! acknowledgement: rows stay sealed for who did not acknowledge. The manifest must be the one that the provider's signed
//! statement commits to. Only then the envelope is opened, and what is wrong from here on is the provider's doing. What is
//! wrong before is the handed-over file's, and accuses nobody.
//!
//! **What it is not.** It does not ask the provider. Whether that ended the exchange before the acknowledgement reached it
//! stands in its ledger; `docs/auditing.md` says what to ask first.

use std::path::{Path, PathBuf};

use dataplane::merkle::Sha256;
use dataplane::sealing::{Sealer, SealingKey};
use dataplane::{ChunkDigest, DataError, Inbox};
use exchange::Manifest;
use exchange::manifest::{Chunk, Escrow};
use ledger::commitment::{Field, Opening};
use ledger::receipt::{Expectation, KeyBook as _, Summary, Verdict, verify_receipt_expecting};
use ledger::statement::{Decision, Statement};

use super::handover::{self, Front};
use super::key::AuditorKey;
use super::{Bad, bound, open};
use crate::answer::Told;
use crate::error::{Error, Result};
use crate::files;
use crate::flow::receipts::verdict_text;
use crate::keybook::Book;

/// What came of it.
#[derive(Debug)]
pub struct Judged {
    /// Id of the exchange.
    pub exchange: String,
    /// What the provider signed.
    pub manifest: Manifest,
    /// When the consumer acknowledged, Unix seconds.
    pub acknowledged: u64,
    /// What the consumer says went wrong.
    pub says: Option<String>,
    /// The end.
    pub outcome: Outcome,
}

/// The end of an opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rows are the announced ones and lie in the file asked for; beside it the receipt with the acknowledgement.
    Opened {
        /// The receipt: for the provider, which is owed it.
        receipt: PathBuf,
    },
    /// The provider sealed something else than it signed.
    Misdeed(Misdeed),
}

/// What the provider did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misdeed {
    /// The envelope is no good.
    #[error("the envelope is no good: {0}")]
    Envelope(#[from] Bad),
    /// Envelope and key are right, and the chunks hold something else than was announced.
    #[error("the key is the right one, and the sealed chunks hold something else than was announced: {0}")]
    OtherRows(String),
}

impl Misdeed {
    /// The word for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Envelope(Bad::DoesNotOpen) => "envelope-does-not-open",
            Self::Envelope(Bad::OtherKey) => "envelope-holds-another-key",
            Self::OtherRows(_) => "other-rows",
        }
    }
}

/// Where things stand between the front of the file and its last chunk.
struct Work {
    judged: Judged,
    receipt: Vec<u8>,
    inbox: Option<(tempfile::TempDir, Inbox, SealingKey)>,
}

/// Opens what was handed over, with the auditor's key and the keys of the parties that the auditor trusts. The rows go into
/// `out`, which is new.
///
/// # Errors
/// [`Error::Verification`] when the file proves nothing, [`Error::Usage`] when the envelope is for another key: neither says
/// anything about the provider. [`Error::Io`].
pub fn judge(file: &Path, key: &AuditorKey, book: &Book, out: &Path) -> Result<Judged> {
    let beside = receipt_path(out);
    for path in [out, beside.as_path()] {
        if path.exists() {
            return Err(Error::usage(format!("`{}` is there already; choose another name", path.display())));
        }
    }
    let work = handover::read(
        file,
        |front| begin(file, front, key, book, out),
        |work, number, bytes| take(file, work, number, &bytes),
    )?;
    finish(work, out, beside)
}

/// The receipt's name beside the rows.
fn receipt_path(out: &Path) -> PathBuf {
    PathBuf::from(format!("{}.consumer.tlog-proof", out.display()))
}

fn no(file: &Path, why: &str) -> Error {
    Error::Verification(format!(
        "`{}` does not hold: {why}; this says nothing about the provider",
        file.display()
    ))
}

fn begin(
    file: &Path,
    front: Front,
    key: &AuditorKey,
    book: &Book,
    out: &Path,
) -> Result<(Option<usize>, Work)> {
    let summary = proven(file, &front, book)?;
    let manifest = front.signed.manifest;
    let acknowledged = summary.ack.as_ref().ok_or_else(|| {
        no(
            file,
            "its receipt holds no acknowledgement, and rows stay sealed for who did not acknowledge them",
        )
    })?;
    let (escrow, key_sha256) = envelope(file, &manifest)?;
    if escrow.recipient.0 != *key.recipient().bytes() {
        return Err(Error::usage(format!(
            "the envelope is for the key {} of {}, and this file holds the key {}; take the other one (nothing is proven by this)",
            super::key::line(&escrow.recipient.0),
            escrow.auditor,
            key.recipient()
        )));
    }
    let opened = open(escrow, &bound(&manifest, escrow, key_sha256), key);
    let outcome = match &opened {
        Ok(_) => Outcome::Opened { receipt: receipt_path(out) },
        Err(bad) => Outcome::Misdeed((*bad).into()),
    };
    let judged = Judged {
        exchange: manifest.exchange_id.clone(),
        acknowledged: acknowledged.time.get(),
        says: front.head.says,
        outcome,
        manifest,
    };
    let count = opened.is_ok().then_some(judged.manifest.chunks.len());
    let inbox = opened.ok().map(|key| place(out, key)).transpose()?;
    Ok((count, Work { judged, receipt: front.receipt, inbox }))
}

/// A folder beside the rows for the sealed chunks; it goes when the work is done.
fn place(out: &Path, key: SealingKey) -> Result<(tempfile::TempDir, Inbox, SealingKey)> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(".tram-escrow-").tempdir_in(parent);
    let folder = folder.map_err(|e| Error::io(parent, e))?;
    let inbox = Inbox::open(folder.path()).map_err(Error::internal)?;
    Ok((folder, inbox, key))
}

fn envelope<'a>(file: &Path, manifest: &'a Manifest) -> Result<(&'a Escrow, exchange::Digest)> {
    let sealed = manifest.sealed.as_ref().ok_or_else(|| no(file, "its rows were never sealed"))?;
    let escrow =
        sealed.escrow.as_ref().ok_or_else(|| no(file, "the provider sealed the key to no auditor"))?;
    Ok((escrow, sealed.key_sha256))
}

/// Receipt and manifest by keys that are trusted: who signed what, and that it is about one exchange.
fn proven(file: &Path, front: &Front, book: &Book) -> Result<Summary> {
    let manifest = &front.signed.manifest;
    let salt = files::unhex::<32>(&front.head.salt)
        .ok_or_else(|| no(file, "what opens its commitment is not 32 bytes of hex"))?;
    let value = Told::Manifest(Box::new(manifest.clone())).value()?;
    let expected =
        Expectation { openings: vec![Opening::new(Field::Response, salt, value)], ..Expectation::default() };
    let summary = match verify_receipt_expecting(&front.receipt, book, &expected) {
        Verdict::Valid(summary) => *summary,
        other => return Err(no(file, &format!("its receipt is {}", verdict_text(&other)))),
    };
    let Statement::Exchange(said) = &summary.statement else {
        return Err(no(file, "its receipt is of no exchange"));
    };
    let asked = &said.question;
    let fits = matches!(said.decision, Decision::Permit { .. })
        && asked.id.as_str() == manifest.exchange_id
        && asked.provider.as_str() == manifest.provider.as_str()
        && asked.consumer.as_str() == manifest.consumer.as_str()
        && summary.signer == manifest.provider.as_str()
        && front.head.exchange == manifest.exchange_id;
    if !fits {
        return Err(no(file, "its manifest is of another exchange than its receipt"));
    }
    signed_by_provider(file, front, book)?;
    Ok(summary)
}

/// The provider's own signature on the manifest, besides the one on the statement that commits to it.
fn signed_by_provider(file: &Path, front: &Front, book: &Book) -> Result<()> {
    let manifest = &front.signed.manifest;
    let wrong = |e: String| no(file, &e);
    let text = manifest.signing_bytes().map_err(|e| wrong(e.to_string()))?;
    let signature = front.signed.signature().bytes().map_err(|e| wrong(e.to_string()))?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature);
    let keys = book.signing_keys(manifest.provider.as_str());
    if keys.iter().any(|dated| dated.key.verify_strict(&text, &signature).is_ok()) {
        return Ok(());
    }
    Err(no(file, "no known key of the provider signed its manifest"))
}

fn take(file: &Path, work: &mut Work, number: usize, bytes: &[u8]) -> Result<()> {
    let (Some((_, inbox, _)), Some(chunk)) = (work.inbox.as_mut(), work.judged.manifest.chunks.get(number))
    else {
        return Err(Error::internal("a chunk that nobody asked for"));
    };
    match inbox.accept(number as u64, &announced(chunk), bytes) {
        Ok(_) => Ok(()),
        Err(DataError::ChunkMismatch { why, .. }) => {
            Err(no(file, &format!("chunk {number} is not the one of the manifest: {why}")))
        }
        Err(other) => Err(Error::internal(other)),
    }
}

fn announced(chunk: &Chunk) -> ChunkDigest {
    ChunkDigest { len: chunk.len, sha256: Sha256(*chunk.sha256.as_bytes()) }
}

fn finish(mut work: Work, out: &Path, beside: PathBuf) -> Result<Judged> {
    let Some((_folder, inbox, key)) = work.inbox.take() else { return Ok(work.judged) };
    let manifest = &work.judged.manifest;
    let sealer = Sealer::new(&key, &manifest.exchange_id).map_err(Error::internal)?;
    let whole = Sha256(*manifest.sha256.as_bytes());
    let chunks: Vec<ChunkDigest> = manifest.chunks.iter().map(announced).collect();
    match inbox.open_sealed(&chunks, &whole, &sealer, out) {
        Ok(_) => handover::write_new(&beside, &work.receipt)?,
        Err(error @ (DataError::NotOpened { .. } | DataError::WholeMismatch(_))) => {
            work.judged.outcome = Outcome::Misdeed(Misdeed::OtherRows(error.to_string()));
        }
        Err(other) => return Err(Error::internal(other)),
    }
    Ok(work.judged)
}
