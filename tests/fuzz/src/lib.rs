//! What each fuzz target holds: whatever a stranger sends is refused or read, never a panic, and what is read is
//! canonical, that is writing it again gives the same bytes.
//!
//! Each function here is one target; `libfuzzer/src/bin/<name>.rs` gives it to libFuzzer, `corpus/<name>/` holds its seeds
//! and what once broke it, and `tests/corpus.rs` replays that without libFuzzer. To add one: a function and a line in
//! [`TARGETS`], a file in `libfuzzer/src/bin`, some seeds. `tests/fuzz/run` does the rest.
//!
//! [`data`] has the targets over files and descriptions of data; the others are here.
//!
//! Not here: anything that needs a clock, a server or a key that matters.

pub mod data;
mod dataplane;
#[allow(dead_code, reason = "the readers that are taken by their path need a few of them")]
#[path = "../../../node/dataplane/src/limits.rs"]
mod limits;

use certs::note::{Note, Vkey, parse_signature};
use ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use ledger::conflict::{self as evidence, Evidence};
use ledger::merkle::{Edge, Hash, leaf_hash, verify_consistency, verify_inclusion};
use ledger::proof::ProofFile;
use ledger::receipt::Receipt;
use ledger::statement::{SignedStatement, Statement};
use ledger::tile::Tile;
use ledger::timestamp::{Roots, Token, verify};
use ledger::trust::{Freshness, LogSigned, TrustPolicy};
use ledger::witness::{AddCheckpoint, parse_cosignatures, parse_size, size_body};

/// One target: bytes of anybody.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 20] = [
    ("note", note),
    ("vkey", vkey),
    ("checkpoint", checkpoint),
    ("proof", proof),
    ("tile", tile),
    ("entry", entry),
    ("merkle", merkle),
    ("request", request),
    ("policy", policy),
    ("conflict", conflict),
    ("stamp", stamp),
    ("parquet", data::parquet),
    ("records", data::records),
    ("source", data::source),
    ("mapping", data::mapping),
    ("contract", data::contract),
    ("text", data::text),
    ("json", data::json),
    ("excel", data::excel),
    ("odata", data::odata),
];

/// Keys of the design's vectors, so that seeds have signatures that verify.
pub const KEYS: [&str; 2] = [
    "ledger.example/agency-a/exchange-log+bd1d9640+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
    "witness.example/agency-b+151f51b4+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
];

/// When the witness of the vectors signed, in POSIX seconds.
const TIME: u64 = 1_790_000_000;
/// A checkpoint that both of them signed.
const COSIGNED: &[u8] = include_bytes!("../corpus/checkpoint/cosigned");
/// What the seeds of `stamp` are over, and a time after they were made.
pub const STAMPED: &[u8] = b"a checkpoint\n";
/// See [`STAMPED`]; POSIX seconds.
pub const LATER: u64 = 2_000_000_000;
/// The certificate of the authority that made the seeds of `stamp`.
pub const AUTHORITY: &[u8] = include_bytes!("authority.pem");

fn keys() -> Vec<Vkey> {
    let keys: Vec<Vkey> = KEYS.iter().filter_map(|key| key.parse().ok()).collect();
    assert_eq!(keys.len(), KEYS.len(), "the keys of the vectors no longer parse");
    keys
}

/// A signed note, and a signature line alone.
pub fn note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_bytes(), data, "a note has two spellings");
        let good = note.verify(&keys()).map_or(0, |verified| verified.len());
        assert!(good <= KEYS.len(), "a key signed twice");
    }
    if let Ok(line) = std::str::from_utf8(data)
        && let Ok(signature) = parse_signature(line)
        && let Ok(mut note) = Note::new("x\n")
        && note.push(signature).is_ok()
    {
        // A line that is read alone is read in a note, too, and stays itself.
        assert_eq!(note.to_bytes(), format!("x\n\n{line}\n").into_bytes());
    }
}

/// A verification key.
pub fn vkey(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = text.parse::<Vkey>()
    {
        assert_eq!(key.to_string(), text, "a key has two spellings");
    }
}

/// A checkpoint's three lines, and the signed note around them.
pub fn checkpoint(data: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.to_bytes(), data, "a signed checkpoint has two spellings");
        assert_eq!(signed.checkpoint().to_text(), signed.note().text());
        let _ = signed.verify(&keys());
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.to_text(), text, "a checkpoint has two spellings");
        assert!(Statement::parse(text).is_err(), "a checkpoint reads as a statement");
    }
}

/// A proof file, and the receipt that may ride in it.
pub fn proof(data: &[u8]) {
    if let Ok(proof) = ProofFile::parse(data) {
        assert_eq!(proof.to_bytes(), data, "a proof file has two spellings");
        let _ = proof.verify_leaf(&leaf_hash(data));
    }
    if let Ok(receipt) = Receipt::parse(data)
        && let Ok(bytes) = receipt.to_bytes()
    {
        // Its `extra` line is JSON, which may be spelled in many ways; what it says must stay.
        assert_eq!(
            Receipt::parse(&bytes).ok().as_ref(),
            Some(&receipt),
            "a receipt changes when it is written"
        );
    }
}

/// The path of a tile.
pub fn tile(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(tile) = text.parse::<Tile>()
    {
        assert_eq!(tile.to_string(), text, "a tile has two paths");
        assert_eq!(Tile::new(tile.content(), tile.index(), tile.width()).ok(), Some(tile));
    }
}

/// A signed statement, that is an entry, and its text alone.
pub fn entry(data: &[u8]) {
    if let Ok(signed) = SignedStatement::parse(data) {
        assert_eq!(signed.bytes(), data);
        assert_eq!(signed.note().to_bytes(), data, "a statement has two spellings");
        assert_eq!(signed.statement().to_text(), signed.note().text());
        assert_eq!(signed.leaf(), leaf_hash(data));
        assert!(SignedCheckpoint::parse(data).is_err(), "a statement reads as a checkpoint");
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(statement) = Statement::parse(text)
    {
        assert_eq!(statement.to_text(), text, "a statement's text has two spellings");
        assert!(Checkpoint::parse(text).is_err(), "a statement reads as a checkpoint");
    }
}

/// Proofs of a stranger: two numbers, then hashes. Nothing but the real leaf and the real beginning is accepted in a
/// tree that is known.
pub fn merkle(data: &[u8]) {
    let Some((numbers, rest)) = data.split_at_checked(18) else { return };
    let number = |at: usize| numbers[at..at + 8].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let path: Vec<Hash> =
        rest.chunks_exact(32).take(70).filter_map(|hash| hash.try_into().ok().map(Hash)).collect();
    let (root, other) = (leaf_hash(b"root"), leaf_hash(b"other"));
    let _ = verify_inclusion(&other, number(0), number(8), &path, &root);
    let _ = verify_consistency(number(0), &other, number(8), &root, &path);

    // A small tree of known leaves: a path that leads to its root leads from the leaf of that place only.
    let (size, index) = (u64::from(numbers[16]) % 40 + 1, u64::from(numbers[17]));
    let leaf = |k: u64| leaf_hash(&k.to_be_bytes());
    let root_of = |count: u64| {
        let mut edge = Edge::new();
        (0..count).for_each(|k| edge.push(leaf(k), |_, _| {}));
        edge.root()
    };
    let foreign = leaf_hash(data);
    assert!(
        verify_inclusion(&foreign, index, size, &path, &root_of(size)).is_err(),
        "a foreign leaf is proved"
    );
    let old = index % (size + 1);
    if old > 0 {
        assert!(
            verify_consistency(old, &foreign, size, &root_of(size), &path).is_err(),
            "a foreign beginning is proved"
        );
    }
    if index < size && verify_inclusion(&leaf(index), index, size, &path, &root_of(size)).is_ok() {
        let next = (index + 1) % size;
        let moved = size > 1 && verify_inclusion(&leaf(index), next, size, &path, &root_of(size)).is_ok();
        assert!(!moved, "one path proves a leaf at two places");
    }
}

/// What a witness is asked, and what it answers.
pub fn request(data: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(request.to_bytes(), data, "a request has two spellings");
    }
    if let Ok(lines) = parse_cosignatures(data)
        && let Ok(mut note) = Note::new("x\n")
        && lines.into_iter().all(|line| note.push(line).is_ok())
    {
        assert_eq!(note.to_bytes(), [b"x\n\n", data].concat(), "an answer has two spellings");
    }
    if let Ok(size) = parse_size(data) {
        assert_eq!(size_body(size).as_bytes(), data, "a size has two spellings");
    }
}

/// Whose cosignatures count. The form allows comments and spaces; what is read must stay when it is written.
pub fn policy(data: &[u8]) {
    let Ok(policy) = TrustPolicy::parse(data) else { return };
    assert_eq!(
        TrustPolicy::parse(&policy.to_text()).ok().as_ref(),
        Some(&policy),
        "a policy changes when it is written"
    );
    let Ok(signed) = SignedCheckpoint::parse(COSIGNED) else {
        panic!("the cosigned checkpoint no longer parses")
    };
    let judgement = policy.judge(&signed, Freshness { now: TIME, max_age: None });
    let trusted = matches!(judgement.log, LogSigned::ByTrustedKey | LogSigned::NotAsked);
    assert!(
        !judgement.met || trusted && judgement.spoiled_by.is_none(),
        "a note of a stranger is good enough"
    );
    let witnessed = judgement.counted().next().is_some();
    assert!(!judgement.met || witnessed || !policy.wants_witnesses(), "a quorum of nobody is met");
}

/// Evidence that a log told two stories.
pub fn conflict(data: &[u8]) {
    if let Ok(found) = Evidence::parse(data) {
        assert_eq!(found.to_bytes(), data, "evidence has two spellings");
    }
    if let evidence::Verdict::Equivocated(stories) = evidence::verify(data, &keys()) {
        assert_eq!(stories.smaller.origin, stories.larger.origin, "two logs are taken for one");
        assert_ne!(stories.beginning_of_larger, stories.smaller.root, "one story is taken for two");
    }
}

/// The answer of a time-stamping authority, and a token alone, against the authority of the seeds.
pub fn stamp(data: &[u8]) {
    let Ok(roots) = Roots::from_pem(AUTHORITY) else { panic!("the authority no longer parses") };
    for token in [Token::from_response(data), Token::from_der(data)].into_iter().flatten() {
        let _ = verify(&token, STAMPED, &roots, LATER);
    }
}
