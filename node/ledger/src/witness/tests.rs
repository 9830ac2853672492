use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::conflict;
use crate::merkle::{Hash, leaf_hash};
use crate::testing::{LOG_ORIGIN, Tree, cosigner, log_signer, signer, witness};

const NOW: u64 = 1_790_000_000;

fn known(origin: &str) -> Option<Vec<Vkey>> {
    (origin == LOG_ORIGIN).then(|| vec![log_signer().vkey()])
}

fn body(old: u64, proof: Vec<Hash>, checkpoint: SignedCheckpoint) -> Vec<u8> {
    AddCheckpoint { old, proof, checkpoint }.to_bytes()
}

fn grow(tree: &Tree, old: u64, new: u64) -> Vec<u8> {
    body(old, tree.consistency(old, new), tree.signed(new))
}

struct House {
    folder: TempDir,
    witness: Option<Witness>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self { folder, witness: None };
        house.reopen().unwrap();
        house
    }
    fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("witness")
    }
    fn reopen(&mut self) -> Result<(), LedgerError> {
        self.witness = None;
        self.witness = Some(Witness::open(&self.dir(), witness())?);
        Ok(())
    }
    fn witness(&self) -> &Witness {
        self.witness.as_ref().unwrap()
    }
    fn ask(&self, body: &[u8]) -> Result<Cosigned, Refusal> {
        self.witness().add_checkpoint(body, &known, NOW)
    }
    fn state_file(&self) -> std::path::PathBuf {
        self.dir().join(origin_path(LOG_ORIGIN))
    }
}

#[test]
fn the_cosignature_is_that_of_the_vectors() {
    let house = House::new();
    let tree = Tree::of(70_000, 70_000, "");
    let answer = house.ask(&grow(&tree, 0, 3)).unwrap();
    assert_eq!(
        answer.body(),
        "\u{2014} witness.example/agency-b FR9RtAAAAABqsTuA2JfRCtL4Tj9knDMO0uqD49ZhdyEfeFJlumC2Az4YeqYX2K1KpOXceyd30f0lmWOgjmHSfrABhgRRpF9nRtbaBg==\n"
    );
    let lines = parse_cosignatures(answer.body().as_bytes()).unwrap();
    assert_eq!(tree.signed(3).cosigned(&lines, &[witness().vkey()]).unwrap(), answer.signed);
    for (old, new) in [(3, 256), (256, 257), (257, 70_000), (70_000, 70_000)] {
        let answer = house.ask(&grow(&tree, old, new)).unwrap();
        assert_eq!(answer.signed.checkpoint(), tree.signed(new).checkpoint());
    }
    assert_eq!(
        house.witness().checkpoint_of(LOG_ORIGIN).unwrap().checkpoint().root.to_string(),
        "IAFgsDx6NaucUnNokLyszFkLBnZONnF+flccyRifXg4="
    );
}

#[test]
fn each_refusal_has_the_status_of_the_specification_and_changes_nothing() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.ask(&grow(&tree, 0, 10)).unwrap();
    let before = house.witness().checkpoint_of(LOG_ORIGIN).unwrap();
    let elsewhere = signer("ledger.example/other", 7);
    let wrong_key = signer(LOG_ORIGIN, 8);
    let bad_signature = |new: u64| {
        let text = String::from_utf8(grow(&tree, 10, new)).unwrap();
        text.replacen(&format!("\n{new}\n"), &format!("\n{}\n", new + 1), 1).into_bytes()
    };
    let empty = |root: &str| {
        let note = log_signer().sign(&format!("{LOG_ORIGIN}\n0\n{root}\n")).unwrap();
        [b"old 0\n\n", note.to_bytes().as_slice()].concat()
    };
    let mut swapped = tree.consistency(10, 12);
    swapped.reverse();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("no request", b"hello".to_vec(), 400),
        ("too large", vec![b'a'; REQUEST_BYTES_MAX + 1], 400),
        ("old over size", body(10, vec![], tree.signed(9)), 400),
        ("an unknown log", body(0, vec![], tree.signed_by(12, &elsewhere)), 404),
        ("an unknown key", body(10, tree.consistency(10, 12), tree.signed_by(12, &wrong_key)), 403),
        ("a wrong signature", bad_signature(12), 403),
        ("old too small", grow(&tree, 9, 12), 409),
        ("old 0", grow(&tree, 0, 12), 409),
        ("old too large", grow(&tree, 11, 12), 409),
        ("a rollback", grow(&tree, 5, 9), 409),
        ("no proof", body(10, vec![], tree.signed(12)), 422),
        ("a wrong proof", body(10, swapped, tree.signed(12)), 422),
        ("the proof of a fork", grow(&fork, 10, 12), 422),
        ("a fork of the same size", body(10, vec![], fork.signed(10)), 422),
        ("the same again with a proof", body(10, tree.consistency(9, 10), tree.signed(10)), 422),
        ("the empty tree with another root", empty(&leaf_hash(b"x").to_string()), 422),
    ];
    for (what, body, status) in cases {
        let refusal = house.ask(&body).unwrap_err();
        assert_eq!(refusal.status(), status, "{what}: {refusal}");
        let size = Some((SIZE_CONTENT_TYPE, "10\n".to_owned()));
        assert_eq!(refusal.body(), if status == 409 { size } else { None }, "{what}");
        assert_eq!(house.witness().checkpoint_of(LOG_ORIGIN).unwrap(), before, "{what}");
    }
    house.ask(&grow(&tree, 10, 12)).unwrap();
}

#[test]
fn the_first_request_must_start_from_0_without_proof() {
    let house = House::new();
    let tree = Tree::of(20, 20, "");
    let stale = house.ask(&grow(&tree, 3, 5)).unwrap_err();
    assert_eq!(stale.body(), Some((SIZE_CONTENT_TYPE, "0\n".to_owned())));
    let with_proof = house.ask(&body(0, tree.consistency(3, 5), tree.signed(5))).unwrap_err();
    assert_eq!(with_proof.status(), 422);
    assert!(house.witness().origins().is_empty());
    assert_eq!(house.witness().checkpoint(&origin_path(LOG_ORIGIN)), None);
    // An empty log may be cosigned, and grows from there.
    house.ask(&grow(&tree, 0, 0)).unwrap();
    house.ask(&grow(&tree, 0, 5)).unwrap();
    assert_eq!(house.witness().origins(), [log_signer().vkey().name().clone()]);
    let read = house.witness().checkpoint(&origin_path(LOG_ORIGIN)).unwrap();
    assert_eq!(read.verify(&[log_signer().vkey(), witness().vkey()]).unwrap().len(), 2);
    assert_eq!(house.witness().checkpoint("../meta"), None);
}

#[test]
fn a_fork_is_refused_with_evidence_that_others_verify() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.ask(&grow(&tree, 0, 10)).unwrap();
    for (old, body) in [
        (10, grow(&fork, 10, 12)),
        (10, body(10, vec![], fork.signed(10))),
        // A client that does not know where the witness is shows the same fork.
        (0, body(0, vec![], fork.signed(10))),
    ] {
        let refusal = house.ask(&body).unwrap_err();
        let suspicion = refusal.suspicion().unwrap();
        assert_eq!(suspicion.last.checkpoint(), tree.signed(10).checkpoint(), "{old}");
        let bytes = suspicion.evidence.as_ref().unwrap().to_bytes();
        let verdict = conflict::verify(&bytes, &[log_signer().vkey()]);
        assert!(matches!(verdict, conflict::Verdict::Equivocated(_)), "{verdict:?}");
    }
    // A proof that is merely wrong accuses nobody, but the two checkpoints are there to be looked into.
    let refusal = house.ask(&body(10, vec![], tree.signed(12))).unwrap_err();
    assert_eq!(refusal.suspicion().unwrap().evidence, None);
    // Where the path lacks its first hash, tiles of the larger tree make the proof.
    let house = House::new();
    house.ask(&grow(&tree, 0, 8)).unwrap();
    let refusal = house.ask(&grow(&fork, 8, 12)).unwrap_err();
    let found = refusal.suspicion().unwrap();
    assert_eq!(found.evidence, None);
    let bridge = Bridge::of(&fork, 8, 12).unwrap();
    let keys = [log_signer().vkey()];
    assert!(Evidence::find(&found.last, &found.offered, bridge.as_ref(), &keys).is_some());
}

#[test]
fn what_strangers_add_to_a_checkpoint_is_neither_kept_nor_served() {
    let house = House::new();
    let tree = Tree::of(3, 3, "");
    let mut note = tree.signed(3).note().clone();
    for seed in 20..40 {
        signer("stranger.example", seed).add_to(&mut note).unwrap();
    }
    let crowded = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
    let answer = house.ask(&body(0, vec![], crowded)).unwrap();
    assert_eq!(answer.signed.note().signatures().len(), 2);
}

#[test]
fn a_key_after_its_rotation_signs_for_nobody() {
    let house = House::new();
    let tree = Tree::of(20, 20, "");
    house.ask(&grow(&tree, 0, 10)).unwrap();
    let next = signer(LOG_ORIGIN, 8);
    let rotated = |_: &str| Some(vec![next.vkey()]);
    let old_key = house.witness().add_checkpoint(&grow(&tree, 10, 12), &rotated, NOW).unwrap_err();
    assert_eq!(old_key.status(), 403);
    let new_key = body(10, tree.consistency(10, 12), tree.signed_by(12, &next));
    house.witness().add_checkpoint(&new_key, &rotated, NOW).unwrap();
    // A fork under the new key of what the old key signed: the caller, who knows both, has the proof.
    let fork = Tree::of(3, 20, "-fork");
    let before = House::new();
    before.ask(&grow(&tree, 0, 10)).unwrap();
    let forked = body(10, vec![], fork.signed_by(10, &next));
    let refusal = before.witness().add_checkpoint(&forked, &rotated, NOW).unwrap_err();
    let found = refusal.suspicion().unwrap();
    let both = [log_signer().vkey(), next.vkey()];
    assert!(Evidence::find(&found.last, &found.offered, None, &both).is_some());
}

#[test]
fn the_witnesss_own_key_may_be_rotated() {
    let mut house = House::new();
    let tree = Tree::of(20, 20, "");
    house.ask(&grow(&tree, 0, 10)).unwrap();
    house.witness = None;
    let next = || cosigner("witness.example/agency-b", 10);
    let refused = Witness::open(&house.dir(), next()).unwrap_err();
    assert!(matches!(refused, LedgerError::Corrupt { .. }), "{refused}");
    let open = Witness::open_rotated(&house.dir(), next(), &[witness().vkey()]).unwrap();
    let answer = open.add_checkpoint(&grow(&tree, 10, 12), &known, NOW).unwrap();
    assert!(answer.signed.verify(&[log_signer().vkey(), next().vkey()]).unwrap().len() == 2);
}

#[test]
fn times_never_go_back() {
    let mut house = House::new();
    let tree = Tree::of(20, 20, "");
    let ask =
        |house: &House, old, new, now| house.witness().add_checkpoint(&grow(&tree, old, new), &known, now);
    assert_eq!(ask(&house, 0, 1, NOW).unwrap().time, NOW);
    assert_eq!(ask(&house, 1, 2, NOW - CLOCK_BACK_MAX).unwrap().time, NOW);
    house.reopen().unwrap();
    let refused = ask(&house, 2, 3, NOW - CLOCK_BACK_MAX - 1).unwrap_err();
    assert!(matches!(refused, Refusal::ClockBack { last: NOW, .. }) && refused.status() == 503, "{refused}");
    assert_eq!(house.witness().checkpoint_of(LOG_ORIGIN).unwrap().checkpoint().size, 2);
    assert_eq!(ask(&house, 2, 3, NOW + 1).unwrap().time, NOW + 1);
    // The same checkpoint again gets a fresh time, so that a quiet log stays fresh.
    assert_eq!(ask(&house, 3, 3, NOW + 9).unwrap().time, NOW + 9);
}

#[test]
fn a_damaged_or_lost_file_is_named_at_opening() {
    let mut house = House::new();
    house.ask(&grow(&Tree::of(3, 3, ""), 0, 3)).unwrap();
    house.witness = None;
    for path in [house.state_file(), house.dir().join("origins")] {
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 7);
            std::fs::write(&path, bad).unwrap();
            match house.reopen() {
                Err(LedgerError::Corrupt { file, .. }) => assert_eq!(file, path),
                other => panic!("byte {at} of {}: {other:?}", path.display()),
            }
        }
        std::fs::remove_file(&path).unwrap();
        match house.reopen() {
            Err(LedgerError::Corrupt { file, .. }) => assert_eq!(file, path),
            other => panic!("{}: {other:?}", path.display()),
        }
        std::fs::write(&path, good).unwrap();
        house.reopen().unwrap();
        house.witness = None;
    }
    // The state of one log under the name of another.
    let elsewhere = house.dir().join(origin_path("ledger.example/other"));
    std::fs::copy(house.state_file(), &elsewhere).unwrap();
    assert!(matches!(house.reopen(), Err(LedgerError::Corrupt { file, .. }) if file == elsewhere));
}

#[test]
fn a_crash_between_state_and_list_loses_nothing() {
    let mut house = House::new();
    let list = house.dir().join("origins");
    let before = std::fs::read(&list).unwrap();
    let tree = Tree::of(20, 20, "");
    house.ask(&grow(&tree, 0, 10)).unwrap();
    std::fs::write(&list, before).unwrap();
    std::fs::write(house.state_file().with_extension("tmp"), b"torn").unwrap();
    house.reopen().unwrap();
    assert_eq!(house.ask(&grow(&tree, 0, 10)).unwrap_err().status(), 409);
    house.reopen().unwrap();
    std::fs::remove_file(house.state_file()).unwrap();
    assert!(house.reopen().is_err(), "the list was mended at the first opening");
}

#[test]
fn a_full_memory_takes_no_new_log_and_serves_the_others() {
    let mut house = House::new();
    house.witness.as_mut().unwrap().origins_max = 1;
    let (tree, elsewhere) = (Tree::of(5, 5, ""), signer("ledger.example/other", 7));
    house.ask(&grow(&tree, 0, 3)).unwrap();
    let known = |_: &str| Some(vec![elsewhere.vkey()]);
    let other = body(0, vec![], tree.signed_by(3, &elsewhere));
    let refused = house.witness().add_checkpoint(&other, &known, NOW).unwrap_err();
    assert!(matches!(refused, Refusal::Full) && refused.status() == 503);
    house.ask(&grow(&tree, 3, 5)).unwrap();
}

#[test]
fn two_processes_cannot_share_the_memory() {
    let house = House::new();
    assert!(matches!(Witness::open(&house.dir(), witness()), Err(LedgerError::InUse(_))));
}

#[test]
fn what_cannot_be_remembered_is_not_cosigned_and_nothing_after_it() {
    let house = House::new();
    let tree = Tree::of(20, 20, "");
    house.ask(&grow(&tree, 0, 5)).unwrap();
    let aside = house.folder.path().join("aside");
    std::fs::rename(house.dir(), &aside).unwrap();
    let refused = house.ask(&grow(&tree, 5, 6)).unwrap_err();
    assert!(matches!(&refused, Refusal::Storage(LedgerError::Io { .. })) && refused.status() == 500);
    std::fs::rename(&aside, house.dir()).unwrap();
    assert!(matches!(house.ask(&grow(&tree, 5, 6)), Err(Refusal::Stopped)));
    assert_eq!(house.witness().checkpoint_of(LOG_ORIGIN).unwrap().checkpoint().size, 5);
}

#[test]
fn requests_at_the_same_time_cannot_roll_the_memory_back() {
    let house = House::new();
    let tree = Arc::new(Tree::of(40, 40, ""));
    house.ask(&grow(&tree, 0, 1)).unwrap();
    // All start from 1: only one of them can win.
    let won: Vec<u64> = std::thread::scope(|scope| {
        let ask = |new| house.ask(&grow(&tree, 1, new)).map(|answer| answer.signed.checkpoint().size);
        let threads: Vec<_> = (2..20).map(|new| scope.spawn(move || ask(new))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(house.witness().checkpoint_of(LOG_ORIGIN).unwrap().checkpoint().size, won[0]);
}

#[derive(Debug, Clone)]
struct Step {
    branch: usize,
    old: Option<u64>,
    new: u64,
    now: u64,
    reopen: bool,
    break_proof: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0usize..3,
        prop::option::weighted(0.3, 0u64..24),
        0u64..24,
        0u64..200,
        any::<bool>(),
        prop::bool::weighted(0.1),
    );
    let step = step.prop_map(|(branch, old, new, now, reopen, break_proof)| Step {
        branch,
        old,
        new,
        now,
        reopen,
        break_proof,
    });
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Three histories that part after 0, 6 and 12 entries; most requests start from where the witness is.
    #[test]
    fn no_two_cosigned_checkpoints_contradict_each_other(steps in steps()) {
        let branches = [Tree::of(12, 24, "-a"), Tree::of(6, 24, "-b"), Tree::of(0, 24, "-c")];
        let mut house = House::new();
        let mut cosigned: Vec<(Checkpoint, u64)> = Vec::new();
        for step in steps {
            if step.reopen {
                house.reopen().unwrap();
            }
            let tree = &branches[step.branch];
            let last = cosigned.last().map_or(0, |(last, _)| last.size);
            let old = step.old.unwrap_or(last);
            let mut proof = tree.consistency(old.min(step.new), step.new);
            if step.break_proof {
                proof.pop();
            }
            let answer = house.witness().add_checkpoint(&body(old, proof, tree.signed(step.new)), &known, NOW + step.now);
            if let Ok(answer) = answer {
                cosigned.push((answer.signed.checkpoint().clone(), answer.time));
            }
        }
        for pair in cosigned.windows(2) {
            prop_assert!(pair[0].0.size <= pair[1].0.size && pair[0].1 <= pair[1].1);
        }
        // One of the histories holds them all.
        let holds = |tree: &Tree| cosigned.iter().all(|(c, _)| tree.signed(c.size).checkpoint() == c);
        prop_assert!(branches.iter().any(holds), "{cosigned:?}");
    }
}
