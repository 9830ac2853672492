use super::*;
use crate::testing::{Tree, log_signer, signer, witness};

/// Two histories that part after `shared` entries.
fn forked(shared: u64, left: u64, right: u64) -> (Tree, Tree) {
    (Tree::of(shared, left, "-left"), Tree::of(shared, right, "-right"))
}

fn keys() -> Vec<Vkey> {
    vec![log_signer().vkey()]
}

fn find(one: &SignedCheckpoint, other: &SignedCheckpoint, bridge: Option<&Bridge>) -> Option<Evidence> {
    Evidence::find(one, other, bridge, &keys())
}

/// Evidence of a fork after 2 entries, of sizes 5 and 7.
fn vector() -> Evidence {
    let (left, right) = forked(2, 5, 7);
    let bridge = Bridge::of(&right, 5, 7).unwrap();
    find(&left.signed(5), &right.signed(7), bridge.as_ref()).unwrap()
}

#[test]
fn two_roots_of_one_size_are_a_proof() {
    let (left, right) = forked(2, 5, 5);
    for (one, other) in [(&left, &right), (&right, &left)] {
        let evidence = find(&one.signed(5), &other.signed(5), None).unwrap();
        assert_eq!(Evidence::parse(&evidence.to_bytes()).unwrap(), evidence);
        assert!(matches!(verify(&evidence.to_bytes(), &keys()), Verdict::Equivocated(_)));
    }
}

#[test]
fn every_fork_of_two_sizes_is_proven_by_a_bridge_out_of_the_larger_tree() {
    for new in 2..20 {
        for old in 1..new {
            for shared in 0..old {
                let (left, right) = forked(shared, old, new);
                let bridge = Bridge::of(&right, old, new).unwrap();
                let evidence = find(&right.signed(new), &left.signed(old), bridge.as_ref()).unwrap();
                let bytes = evidence.to_bytes();
                assert_eq!(Evidence::parse(&bytes).unwrap(), evidence);
                let Verdict::Equivocated(found) = verify(&bytes, &keys()) else { panic!() };
                assert_eq!((found.smaller.size, found.larger.size), (old, new));
                assert_eq!(found.beginning_of_larger, right.signed(old).checkpoint().root);
            }
        }
    }
}

#[test]
fn a_log_that_only_grew_cannot_be_accused() {
    let tree = Tree::of(20, 20, "");
    let (fork, _) = forked(3, 20, 20);
    for new in 1..=20 {
        for old in 1..=new {
            let (one, other) = (tree.signed(old), tree.signed(new));
            let bridges = [
                Bridge::of(&tree, old, new).unwrap(),
                // Out of a tree that the log never signed.
                Bridge::of(&fork, old, new).unwrap(),
                None,
            ];
            for bridge in &bridges {
                assert_eq!(find(&one, &other, bridge.as_ref()), None);
                let (smaller, larger, bridge) = (one.clone(), other.clone(), bridge.clone());
                if old < new {
                    let verdict = Evidence { smaller, larger, bridge }.judge(&keys());
                    assert!(matches!(verdict, Verdict::NotProven { .. }), "{old} {new} {verdict:?}");
                }
            }
        }
    }
}

#[test]
fn a_bridge_to_another_size_accuses_nobody() {
    let tree = Tree::of(20, 20, "");
    for other in (1..20).filter(|other| *other != 5) {
        let bridge = Bridge::of(&tree, other, 20).unwrap();
        assert_eq!(find(&tree.signed(5), &tree.signed(20), bridge.as_ref()), None, "{other}");
    }
}

#[test]
fn one_flipped_bit_anywhere_spoils_the_proof() {
    let bytes = vector().to_bytes();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 7);
        assert!(!matches!(verify(&bad, &keys()), Verdict::Equivocated(_)), "byte {at}");
    }
}

#[test]
fn both_checkpoints_must_be_of_the_log_and_signed_by_it() {
    let (left, right) = forked(2, 5, 5);
    let stranger = signer(crate::testing::LOG_ORIGIN, 8);
    assert!(find(&left.signed(5), &right.signed_by(5, &stranger), None).is_none());
    let evidence = find(&left.signed(5), &right.signed(5), None).unwrap();
    assert!(matches!(evidence.judge(&[stranger.vkey()]), Verdict::NotSigned { size: 5, .. }));
    assert!(matches!(evidence.judge(&[]), Verdict::NotSigned { .. }));
    // A log has both: the old key before its rotation and the new one.
    let both = [log_signer().vkey(), stranger.vkey()];
    assert!(Evidence::find(&left.signed(5), &right.signed_by(5, &stranger), None, &both).is_some());
    // Another log, although the same key holder.
    let elsewhere = signer("ledger.example/other", 7);
    let both = [log_signer().vkey(), elsewhere.vkey()];
    assert!(Evidence::find(&left.signed(5), &right.signed_by(5, &elsewhere), None, &both).is_none());
}

#[test]
fn a_witness_cannot_hide_the_conflict_by_a_wrong_cosignature() {
    let (left, right) = forked(2, 5, 5);
    let mut note = left.signed(5).note().clone();
    witness().add_to(&mut note, 1).unwrap();
    let bytes = String::from_utf8(note.to_bytes()).unwrap().replace("AAAAAAAAA", "AAAAAAAAC");
    let spoiled = SignedCheckpoint::parse(bytes.as_bytes()).unwrap();
    let keys = [log_signer().vkey(), witness().vkey()];
    assert!(spoiled.verify(&keys).is_err());
    assert!(Evidence::find(&spoiled, &right.signed(5), None, &keys).is_some());
}

#[test]
fn other_spellings_are_refused() {
    let good = String::from_utf8(vector().to_bytes()).unwrap();
    let first_hash = good.lines().nth(1).unwrap();
    let bad = [
        String::new(),
        good.replace("@v1", "@v2"),
        good.replacen(first_hash, "AAAA", 1),
        good.replacen(&format!("{first_hash}\n"), "", 1),
        good.replacen(first_hash, &format!("{first_hash}\n").repeat(70), 1),
        good.replacen("\n\n", "\n\n\n", 1),
        format!("{good}\n"),
        format!("{good}\n\n"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        // The larger checkpoint first.
        {
            let parts: Vec<&str> = good.trim_end().split("\n\n").collect();
            [parts[0], parts[3], parts[4], parts[1], parts[2]].join("\n\n") + "\n"
        },
    ];
    for text in bad {
        assert!(matches!(verify(text.as_bytes(), &keys()), Verdict::Malformed { .. }), "{text}");
    }
    // Of one size: in the other order, the same twice, with a path.
    let (left, right) = forked(2, 5, 5);
    let same = String::from_utf8(find(&left.signed(5), &right.signed(5), None).unwrap().to_bytes()).unwrap();
    let parts: Vec<&str> = same.trim_end().split("\n\n").collect();
    for order in [[3, 4, 1, 2], [1, 2, 1, 2]] {
        let text =
            [parts[0], parts[order[0]], parts[order[1]], parts[order[2]], parts[order[3]]].join("\n\n");
        assert!(matches!(verify(format!("{text}\n").as_bytes(), &keys()), Verdict::Malformed { .. }));
    }
    let with_path = same.replacen("\n\n", &format!("\n{first_hash}\n\n"), 1);
    assert!(matches!(verify(with_path.as_bytes(), &keys()), Verdict::Malformed { .. }));
    assert!(Evidence::parse(&vec![b'a'; CONFLICT_BYTES_MAX + 1]).is_err());
}
