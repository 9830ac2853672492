//! What each fuzz target holds: whatever a stranger sends is refused or read, never a panic, and what is read is
//! canonical, that is writing it again gives the same bytes.
//!
//! Each function here is one target; `libfuzzer/src/bin/<name>.rs` gives it to libFuzzer, `corpus/<name>/` holds its seeds
//! and what once broke it, and `tests/corpus.rs` replays that without libFuzzer. To add one: a function and a line in
//! [`TARGETS`], a file in `libfuzzer/src/bin`, some seeds. `tests/fuzz/run` does the rest.
//!
//! Not here: anything that needs a disk, a clock or a key that matters.

use certs::note::{Note, Vkey, parse_signature};
use ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use ledger::merkle::{Edge, Hash, leaf_hash, verify_consistency, verify_inclusion};
use ledger::proof::ProofFile;
use ledger::receipt::Receipt;
use ledger::statement::{SignedStatement, Statement};
use ledger::tile::Tile;

/// One target: bytes of anybody.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("note", note),
    ("vkey", vkey),
    ("checkpoint", checkpoint),
    ("proof", proof),
    ("tile", tile),
    ("entry", entry),
    ("merkle", merkle),
];

/// Keys of the design's vectors, so that seeds have signatures that verify.
const KEYS: [&str; 2] = [
    "ledger.example/agency-a/exchange-log+bd1d9640+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
    "witness.example/agency-b+151f51b4+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
];

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
