use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// The definition of RFC 9162 section 2.1.1, word by word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let mut k = 1;
            while k * 2 < more.len() {
                k *= 2;
            }
            node_hash(&naive_root(&more[..k]), &naive_root(&more[k..]))
        }
    }
}

struct Leaves(Vec<Hash>);

impl Subtrees for Leaves {
    type Error = Infallible;
    fn subtree(&self, height: u32, index: u64) -> std::result::Result<Hash, Infallible> {
        let start = (index as usize) << height;
        Ok(naive_root(&self.0[start..start + (1 << height)]))
    }
}

/// The entries of the design's vectors.
fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|k| leaf_hash(format!("{{\"exchange\":{k}}}").as_bytes())).collect())
}

fn edge_of(count: u64) -> Edge {
    let mut edge = Edge::new();
    for k in 0..count {
        edge.push(leaf_hash(format!("{{\"exchange\":{k}}}").as_bytes()), |_, _| {});
    }
    edge
}

#[test]
fn roots_match_the_vectors() {
    let vectors = [
        (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (1, "F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE="),
        (3, "bchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk="),
        (256, "jnvLdrWr6TjmOKcLMJTzzEwwNajwT6onKT3og9u8lb0="),
        (257, "X4bP+vS1xWA41ayri07WAGYBa466h9deUWs3Ct2MUFI="),
        (70_000, "IAFgsDx6NaucUnNokLyszFkLBnZONnF+flccyRifXg4="),
    ];
    for (size, root) in vectors {
        assert_eq!(edge_of(size).root().to_string(), root, "size {size}");
    }
}

#[test]
fn proofs_match_the_vectors() {
    let tree = leaves(3);
    let inclusion: Vec<String> =
        inclusion_path(&tree, 1, 3).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        inclusion,
        ["F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE=", "ii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI="]
    );
    let consistency: Vec<String> =
        consistency_path(&tree, 1, 3).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        consistency,
        ["9n+5Apqw839WN6kgcGDYetrgO0q94UEA7XKL89Q0J6I=", "ii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI="]
    );
}

#[test]
fn every_small_tree_proves_every_leaf_and_every_beginning() {
    let tree = leaves(40);
    for size in 1..=40u64 {
        let root = naive_root(&tree.0[..size as usize]);
        assert_eq!(super::root(&tree, size).unwrap(), root);
        for index in 0..size {
            let path = inclusion_path(&tree, index, size).unwrap();
            verify_inclusion(&tree.0[index as usize], index, size, &path, &root).unwrap();
            let other = (index + 1) % 40;
            assert!(verify_inclusion(&tree.0[other as usize], index, size, &path, &root).is_err());
        }
        for old in 0..=size {
            let old_root = naive_root(&tree.0[..old as usize]);
            let path = consistency_path(&tree, old, size).unwrap();
            verify_consistency(old, &old_root, size, &root, &path).unwrap();
            if old > 0 && old < size {
                assert!(verify_consistency(old, &leaf_hash(b"fork"), size, &root, &path).is_err());
                assert!(verify_consistency(old, &old_root, size, &leaf_hash(b"fork"), &path).is_err());
            }
        }
    }
}

#[test]
fn an_independent_implementation_agrees() {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    let mut oracle: MemoryBackedTree<sha2::Sha256, Vec<u8>> = MemoryBackedTree::new();
    let tree = leaves(300);
    for size in 1..=300u64 {
        oracle.push(format!("{{\"exchange\":{}}}", size - 1).into_bytes());
        assert_eq!(oracle.root().as_bytes().as_slice(), super::root(&tree, size).unwrap().0, "{size}");
        let index = size * 7 / 11;
        let ours: Vec<u8> =
            inclusion_path(&tree, index, size).unwrap().iter().flat_map(|hash| hash.0).collect();
        assert_eq!(oracle.prove_inclusion(index as usize).as_bytes(), ours, "{index} of {size}");
        let added = size - (size / 3).max(1);
        if added > 0 {
            let ours: Vec<u8> =
                consistency_path(&tree, size - added, size).unwrap().iter().flat_map(|hash| hash.0).collect();
            assert_eq!(oracle.prove_consistency(added as usize).as_bytes(), ours, "{added} of {size}");
        }
    }
}

#[test]
fn strangers_numbers_do_no_harm() {
    let hash = leaf_hash(b"x");
    let long = vec![hash; 200];
    for index in [0, 1, u64::MAX - 1, u64::MAX] {
        for size in [0, 1, 2, u64::MAX - 1, u64::MAX] {
            assert!(verify_inclusion(&hash, index, size, &long, &hash).is_err());
            assert!(verify_consistency(index, &hash, size, &leaf_hash(b"y"), &long).is_err());
        }
    }
    assert!(verify_inclusion(&hash, 0, 0, &[], &hash).is_err());
}

proptest! {
    #[test]
    fn edges_and_proofs_agree_with_the_naive_tree(count in 1u64..700, at in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
        let tree = leaves(count);
        let root = naive_root(&tree.0);
        prop_assert_eq!(edge_of(count).root(), root);
        prop_assert_eq!(Edge::of(&tree, count).unwrap(), edge_of(count));
        let index = at.index(count as usize) as u64;
        let mut path = inclusion_path(&tree, index, count).unwrap();
        prop_assert!(path.len() <= PROOF_HASHES_MAX);
        prop_assert!(verify_inclusion(&tree.0[index as usize], index, count, &path, &root).is_ok());
        let mut old = consistency_path(&tree, index, count).unwrap();
        let old_root = naive_root(&tree.0[..index as usize]);
        prop_assert!(verify_consistency(index, &old_root, count, &root, &old).is_ok());
        // One flipped bit anywhere, one hash more or one less: refused.
        if !path.is_empty() {
            let byte = flip.index(path.len() * 32);
            path[byte / 32].0[byte % 32] ^= 1;
            prop_assert!(verify_inclusion(&tree.0[index as usize], index, count, &path, &root).is_err());
            path[byte / 32].0[byte % 32] ^= 1;
            let last = path.pop().unwrap();
            prop_assert!(verify_inclusion(&tree.0[index as usize], index, count, &path, &root).is_err());
            path.extend([last, last]);
            prop_assert!(verify_inclusion(&tree.0[index as usize], index, count, &path, &root).is_err());
        }
        if !old.is_empty() {
            let byte = flip.index(old.len() * 32);
            old[byte / 32].0[byte % 32] ^= 1;
            prop_assert!(verify_consistency(index, &old_root, count, &root, &old).is_err());
        }
    }

    /// Any entries, any size, any place: root and both proofs are those of an implementation that others wrote, byte for byte.
    #[test]
    fn random_trees_are_those_of_an_independent_implementation(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..300),
        at in any::<prop::sample::Index>(),
        beginning in any::<prop::sample::Index>(),
    ) {
        use ct_merkle::mem_backed_tree::MemoryBackedTree;
        let mut oracle: MemoryBackedTree<sha2::Sha256, Vec<u8>> = MemoryBackedTree::new();
        let mut edge = Edge::new();
        for entry in &entries {
            oracle.push(entry.clone());
            edge.push(leaf_hash(entry), |_, _| {});
        }
        let tree = Leaves(entries.iter().map(|entry| leaf_hash(entry)).collect());
        let size = entries.len() as u64;
        let root = Hash(oracle.root().as_bytes().as_slice().try_into().unwrap());
        prop_assert_eq!(edge.root(), root);

        let bytes = |path: &[Hash]| -> Vec<u8> { path.iter().flat_map(|hash| hash.0).collect() };
        let hashes = |bytes: &[u8]| -> Vec<Hash> { bytes.chunks(32).map(|hash| Hash(hash.try_into().unwrap())).collect() };
        let index = at.index(entries.len());
        let theirs = hashes(oracle.prove_inclusion(index).as_bytes());
        prop_assert_eq!(bytes(&inclusion_path(&tree, index as u64, size).unwrap()), bytes(&theirs));
        prop_assert!(verify_inclusion(&tree.0[index], index as u64, size, &theirs, &root).is_ok());

        // The oracle proves additions to a tree that had something, so `old` is neither 0 nor `size`.
        let old = beginning.index(entries.len());
        if old > 0 {
            let theirs = hashes(oracle.prove_consistency(entries.len() - old).as_bytes());
            prop_assert_eq!(bytes(&consistency_path(&tree, old as u64, size).unwrap()), bytes(&theirs));
            let old_root = naive_root(&tree.0[..old]);
            prop_assert!(verify_consistency(old as u64, &old_root, size, &root, &theirs).is_ok());
        }
    }

    /// A history that differs anywhere before `old` has no proof to the larger tree: neither the honest one nor its own.
    #[test]
    fn a_random_rewriting_is_never_consistent(
        count in 2u64..200,
        old in any::<prop::sample::Index>(),
        changed in any::<prop::sample::Index>(),
    ) {
        let honest = leaves(count);
        let old = 1 + old.index(count as usize - 1);
        let mut rewritten = Leaves(honest.0.clone());
        rewritten.0[changed.index(old)] = leaf_hash(b"rewritten");
        let (old_root, new_root) = (naive_root(&honest.0[..old]), naive_root(&rewritten.0));
        for tree in [&honest, &rewritten] {
            let path = consistency_path(tree, old as u64, count).unwrap();
            prop_assert!(verify_consistency(old as u64, &old_root, count, &new_root, &path).is_err());
        }
    }
}
