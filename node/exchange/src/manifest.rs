//! The manifest: the signed list of a transfer's chunks, with everything that says under what they were released.
//!
//! Promises: a manifest that was sealed or parsed here is consistent in itself (sums, sizes, digests, Merkle root); its
//! bytes are the same at every node (RFC 8785). Absent: the data, and the signature's verification.
//!
//! The root follows `tram/manifest@v1`: `leaf = SHA-256(0x00 || u64be index || u64be length || SHA-256(chunk))`,
//! `node = SHA-256(0x01 || left || right)`, split at the largest power of two below the count (RFC 6962 section 2.1).
//! Leaves are over digests, so data is hashed once. The root of no chunks is the SHA-256 of nothing.

mod check;
mod copy;
mod root;
mod sealed;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use copy::{CHANGE_COLUMN, CopyKind, CopyRef, Superseded, Why};
pub use root::merkle_root;
pub use sealed::{Bound, Escrow, EscrowSuite, Fixed, Sealed, Sealing};

use crate::dsp::{Id, IdError, Timestamp};
use crate::json::{self, Digest, JsonError};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::signature::{DetachedSignature, SignatureFormError};

/// First line of the bytes to sign, so that a signature on a manifest can never pass for one on something else.
const SIGNING_CONTEXT: &[u8] = b"tram/manifest@v1\n";

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Text.
    String,
    /// Whole numbers.
    Integer,
    /// Numbers with fractions.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A moment.
    Timestamp,
}

/// One column of what was transferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name, exactly as in the data.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: ColumnKind,
}

/// One chunk: its length in bytes and its SHA-256. Its place in the list is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Bytes.
    pub len: u64,
    /// SHA-256 of the chunk.
    pub sha256: Digest,
}

/// The decision that permitted the transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRef {
    /// Its id at the provider.
    pub id: Id,
    /// SHA-256 of the decision receipt.
    pub sha256: Digest,
}

/// The rule set that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetRef {
    /// SHA-256 of the rule set.
    pub sha256: Digest,
    /// Its version at the provider.
    pub version: u64,
}

/// The dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    /// Its id, as in the agreement.
    pub id: Id,
    /// Its version.
    pub version: u32,
}

/// The columns that were transferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaRef {
    /// The columns in order.
    pub columns: Vec<Column>,
    /// SHA-256 over the canonical JSON of `columns`.
    pub sha256: Digest,
}

/// What was done to the data because the decision demanded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObligationsRef {
    /// The obligations, in the policy's own form.
    #[serde(deserialize_with = "crate::json::strict_value")]
    pub applied: Value,
    /// SHA-256 over the canonical JSON of `applied`.
    pub sha256: Digest,
}

/// Everything that the provider states about a transfer. Made by [`Manifest::seal`] or [`SignedManifest::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Id of the exchange: a ULID that the consumer chose.
    pub exchange_id: String,
    /// The provider's participant id.
    pub provider: Id,
    /// The consumer's participant id.
    pub consumer: Id,
    /// The agreement.
    pub agreement_id: Id,
    /// The provider's pid of the transfer.
    pub transfer_id: Id,
    /// The decision.
    pub decision: DecisionRef,
    /// The rule set.
    pub rule_set: RuleSetRef,
    /// The dataset.
    pub dataset: DatasetRef,
    /// The columns.
    pub schema: SchemaRef,
    /// The media type of the whole, such as `text/csv`.
    pub media_type: String,
    /// The obligations.
    pub obligations: ObligationsRef,
    /// Rows of the whole.
    pub rows: u64,
    /// Bytes of the whole: of the rows, also when the chunks are longer because they are sealed.
    pub bytes: u64,
    /// The digest algorithm; always `sha-256`.
    pub alg: Algorithm,
    /// Bytes of every chunk but the last.
    pub chunk_size: u64,
    /// The chunks in order.
    pub chunks: Vec<Chunk>,
    /// Merkle root over the chunks.
    pub root: Digest,
    /// SHA-256 of the whole: of the rows, also when the chunks are sealed.
    pub sha256: Digest,
    /// How the chunks are sealed; absent where they travel as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// What becomes of the copy that the consumer keeps; absent where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyRef>,
    /// That the rows are of an older version of the contract; absent where they are of the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
    /// When the manifest was made.
    pub created: Timestamp,
}

/// The digest algorithm of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// SHA-256 (the name of RFC 9530's registry).
    #[serde(rename = "sha-256")]
    Sha256,
}

/// What the provider knows when the last chunk is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Manifest`")]
pub struct Draft {
    pub exchange_id: String,
    pub provider: Id,
    pub consumer: Id,
    pub agreement_id: Id,
    pub transfer_id: Id,
    pub decision: DecisionRef,
    pub rule_set: RuleSetRef,
    pub dataset: DatasetRef,
    pub columns: Vec<Column>,
    pub media_type: String,
    pub obligations: Value,
    pub rows: u64,
    pub chunk_size: u64,
    pub chunks: Vec<Chunk>,
    pub sha256: Digest,
    pub sealed: Option<Sealed>,
    pub copy: Option<CopyRef>,
    pub superseded: Option<Superseded>,
    /// Unix seconds.
    pub created: i64,
}

/// Why something is not a manifest, or not a consistent one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not usable JSON, or not of this form.
    #[error("the manifest is not readable: {0}")]
    Json(#[from] JsonError),
    /// A text or time has no usable form.
    #[error("the manifest is not usable: {0}")]
    Text(#[from] IdError),
    /// The signature has no usable form.
    #[error("the manifest is not usable: {0}")]
    Signature(#[from] SignatureFormError),
    /// A value is out of its limits.
    #[error("the manifest's `{field}` is {found}: expected {expected}; ask the provider for a new manifest")]
    Value {
        /// The field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// One chunk is wrong.
    #[error(
        "chunk {index} of the manifest has {found} bytes: expected {expected}; ask the provider for a new manifest"
    )]
    ChunkLength {
        /// The chunk's number.
        index: usize,
        /// Its length.
        found: u64,
        /// What was expected.
        expected: String,
    },
    /// A digest does not fit what it stands for.
    #[error(
        "the manifest's `{field}` is {stated}, computed {computed}: it was altered or badly made; do not use the data"
    )]
    Digest {
        /// The field.
        field: &'static str,
        /// The digest of the manifest.
        stated: Digest,
        /// The digest that was computed.
        computed: Digest,
    },
}

impl Manifest {
    /// Compute the digests and the root, and check the whole.
    pub fn seal(draft: Draft) -> Result<Manifest, ManifestError> {
        let added = draft.sealed.as_ref().map_or(0, |sealed| sealed.algorithm.overhead());
        let rows = |chunk: &Chunk| chunk.len.saturating_sub(added);
        let bytes = draft.chunks.iter().fold(0_u64, |sum, chunk| sum.saturating_add(rows(chunk)));
        let manifest = Manifest {
            exchange_id: draft.exchange_id,
            provider: draft.provider,
            consumer: draft.consumer,
            agreement_id: draft.agreement_id,
            transfer_id: draft.transfer_id,
            decision: draft.decision,
            rule_set: draft.rule_set,
            dataset: draft.dataset,
            schema: SchemaRef { sha256: json::digest(&draft.columns)?, columns: draft.columns },
            media_type: draft.media_type,
            obligations: ObligationsRef {
                sha256: json::digest(&draft.obligations)?,
                applied: draft.obligations,
            },
            rows: draft.rows,
            bytes,
            alg: Algorithm::Sha256,
            chunk_size: draft.chunk_size,
            root: merkle_root(&draft.chunks),
            chunks: draft.chunks,
            sha256: draft.sha256,
            sealed: draft.sealed,
            copy: draft.copy,
            superseded: draft.superseded,
            created: Timestamp::from_unix(draft.created)?,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether the manifest is consistent in itself; names the first fault.
    pub fn check(&self) -> Result<(), ManifestError> {
        check::all(self)
    }

    /// Whether the root is that of the chunks.
    pub fn verify_root(&self) -> Result<(), ManifestError> {
        check::same("root", self.root, merkle_root(&self.chunks))
    }

    /// RFC 8785 bytes.
    pub fn canonical(&self) -> Result<Vec<u8>, JsonError> {
        json::canonical(self)
    }

    /// SHA-256 over the RFC 8785 bytes: what the ledger's statement commits to.
    pub fn digest(&self) -> Result<Digest, JsonError> {
        json::digest(self)
    }

    /// The bytes that the provider signs: a line that says what it is, then the canonical JSON.
    pub fn signing_bytes(&self) -> Result<Vec<u8>, JsonError> {
        let mut bytes = SIGNING_CONTEXT.to_vec();
        bytes.extend(self.canonical()?);
        Ok(bytes)
    }
}

/// A manifest with the provider's signature over [`Manifest::signing_bytes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedManifest {
    /// The manifest.
    pub manifest: Manifest,
    #[serde(flatten)]
    signature: DetachedSignature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    manifest: Manifest,
    keyid: String,
    signature: String,
}

impl SignedManifest {
    /// Join a manifest and its signature.
    #[must_use]
    pub fn new(manifest: Manifest, signature: DetachedSignature) -> SignedManifest {
        SignedManifest { manifest, signature }
    }

    /// Read and check a manifest. The signature's form is checked, not the signature: do that next, with the key that
    /// the registry has for [`SignedManifest::signature`]'s key id.
    pub fn parse(bytes: &[u8]) -> Result<SignedManifest, ManifestError> {
        let written: Written = json::read_as(bytes, MANIFEST_BYTES_MAX)?;
        let signature = DetachedSignature::read(written.keyid, written.signature)?;
        written.manifest.check()?;
        Ok(SignedManifest { manifest: written.manifest, signature })
    }

    /// Who signed, and the signature.
    #[must_use]
    pub fn signature(&self) -> &DetachedSignature {
        &self.signature
    }

    /// RFC 8785 bytes, as they are served and kept.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        json::canonical(self)
    }
}
