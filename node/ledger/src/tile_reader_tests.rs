use super::*;
use crate::merkle::{verify_consistency, verify_inclusion};
use crate::testing::Tree;

const SIZES: [u64; 11] = [1, 2, 3, 255, 256, 257, 511, 513, 65_535, 65_536, 70_000];

fn reader(tree: &Tree, size: u64) -> TileReader<impl Fn(&Tile) -> Result<Vec<u8>> + '_> {
    TileReader::new(tree.signed(size).checkpoint(), |tile: &Tile| Ok(tree.tile(tile))).unwrap()
}

#[test]
fn proofs_out_of_tiles_are_those_of_the_tree() {
    let tree = Tree::of(70_000, 70_000, "");
    for size in SIZES {
        let root = tree.signed(size).checkpoint().root;
        let reader = reader(&tree, size);
        for at in [0, 1.min(size - 1), size / 3, size / 2, size - 1] {
            let (leaf, path) = reader.inclusion(at).unwrap();
            assert_eq!(leaf, tree.0[at as usize]);
            verify_inclusion(&leaf, at, size, &path, &root).unwrap();
            let old_root = tree.signed(at).checkpoint().root;
            verify_consistency(at, &old_root, size, &root, &reader.consistency(at).unwrap()).unwrap();
            if at > 0 && at < size {
                assert_eq!(reader.bridge(at).unwrap().roots(), (old_root, root));
            }
        }
        assert!(reader.inclusion(size).is_err());
        assert!(reader.consistency(size + 1).is_err());
        assert!(reader.bridge(0).is_err() && reader.bridge(size).is_err());
    }
}

#[test]
fn the_vectors_come_out_of_the_tiles() {
    let tree = Tree::of(3, 3, "");
    let told = |hashes: Vec<Hash>| hashes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let reader = reader(&tree, 3);
    assert_eq!(
        told(reader.inclusion(1).unwrap().1),
        "F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE= ii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI="
    );
    assert_eq!(
        told(reader.consistency(1).unwrap()),
        "9n+5Apqw839WN6kgcGDYetrgO0q94UEA7XKL89Q0J6I= ii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI="
    );
}

#[test]
fn the_plan_names_every_tile_that_is_asked_for() {
    let tree = Tree::of(70_000, 70_000, "");
    for size in SIZES {
        for at in [0, 1, 128, size / 3, size / 2, size - 1] {
            for wanted in [Wanted::Consistency { old: at }, Wanted::Inclusion { index: at.min(size - 1) }] {
                let needed = tiles_needed(size, wanted);
                let fetched: HashMap<Tile, Vec<u8>> =
                    needed.iter().map(|tile| (*tile, tree.tile(tile))).collect();
                let fetch = |tile: &Tile| Ok(fetched[tile].clone());
                let reader = TileReader::new(tree.signed(size).checkpoint(), fetch).unwrap();
                match wanted {
                    Wanted::Consistency { old } if 0 < old && old < size => {
                        reader.bridge(old).unwrap();
                    }
                    Wanted::Consistency { .. } => {}
                    Wanted::Inclusion { index } => {
                        reader.inclusion(index).unwrap();
                    }
                }
                assert!(needed.len() < 16, "{size} {at} {}", needed.len());
            }
        }
    }
    assert!(tiles_needed(u64::MAX, Wanted::Consistency { old: u64::MAX / 3 }).len() < 300);
    assert_eq!(tiles_needed(0, Wanted::Inclusion { index: 0 }), []);
}

#[test]
fn no_altered_tile_gets_through() {
    let tree = Tree::of(70_000, 70_000, "");
    for (size, wanted) in [
        (257, Wanted::Inclusion { index: 5 }),
        (70_000, Wanted::Inclusion { index: 300 }),
        (70_000, Wanted::Consistency { old: 66_000 }),
    ] {
        for bad in tiles_needed(size, wanted) {
            for at in [0, usize::from(bad.width()) / 2, usize::from(bad.width()) - 1] {
                let fetch = |tile: &Tile| {
                    let mut bytes = tree.tile(tile);
                    if *tile == bad {
                        bytes[32 * at] ^= 1;
                    }
                    Ok(bytes)
                };
                let outcome =
                    TileReader::new(tree.signed(size).checkpoint(), fetch).and_then(|reader| match wanted {
                        Wanted::Consistency { old } => reader.bridge(old).map(|_| ()),
                        Wanted::Inclusion { index } => reader.inclusion(index).map(|_| ()),
                    });
                assert!(matches!(outcome, Err(LedgerError::ProofWrong("tile"))), "{size} {bad} {at}");
            }
        }
    }
}

#[test]
fn lengths_are_checked_and_a_full_tile_may_stand_for_a_partial_one() {
    let tree = Tree::of(300, 300, "");
    let with = |size: u64, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        TileReader::new(tree.signed(size).checkpoint(), |tile: &Tile| Ok(change(tree.tile(tile)))).map(|_| ())
    };
    let full = |mut bytes: Vec<u8>| {
        bytes.resize(HASH_TILE_BYTES, 0xab);
        bytes
    };
    with(200, &full).unwrap();
    for length in [0, 31, 32 * 199, 32 * 201, HASH_TILE_BYTES + 32] {
        let change = |mut bytes: Vec<u8>| {
            bytes.resize(length, 0);
            bytes
        };
        assert!(matches!(with(200, &change), Err(LedgerError::Malformed { .. })), "{length}");
    }
    with(0, &|_| panic!("the empty tree has no tiles")).unwrap();
}
