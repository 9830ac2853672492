use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::conflict::{self, Verdict};
use crate::testing::{LOG_ORIGIN, Tree, log_signer, signer, witness};
use crate::tile::Tile;
use crate::tile_reader::{TileReader, Wanted, tiles_needed};

const NOW: u64 = 1_790_000_000;

fn keys() -> Vec<Vkey> {
    vec![log_signer().vkey(), witness().vkey()]
}

struct House {
    folder: TempDir,
    gossip: Option<Gossip>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self { folder, gossip: None };
        house.reopen().unwrap();
        house
    }
    fn reopen(&mut self) -> Result<()> {
        self.gossip = None;
        self.gossip = Some(Gossip::open(&self.folder.path().join("gossip"))?);
        Ok(())
    }
    fn gossip(&self) -> &Gossip {
        self.gossip.as_ref().unwrap()
    }
    fn hear(&self, signed: &SignedCheckpoint, bridge: Option<&Bridge>) -> Heard {
        self.gossip().hear(signed, &keys(), bridge, NOW).unwrap()
    }
    /// Hears, and when asked for it gets the bridge out of that tree's tiles.
    fn hear_out(&self, signed: &SignedCheckpoint, served: &Tree) -> Heard {
        match self.hear(signed, None) {
            Heard::Unchecked { need, .. } => self.hear(signed, Some(&fetch(&need, served))),
            heard => heard,
        }
    }
    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("gossip").join(crate::witness::origin_path(LOG_ORIGIN) + ".json")
    }
}

/// As the node does it: plan, fetch, authenticate.
fn fetch(need: &Need, served: &Tree) -> Bridge {
    let planned = tiles_needed(need.new.size, Wanted::Consistency { old: need.old });
    let tiles: std::collections::HashMap<Tile, Vec<u8>> =
        planned.into_iter().map(|tile| (tile, served.tile(&tile))).collect();
    let reader = TileReader::new(&need.new, |tile: &Tile| Ok(tiles[tile].clone())).unwrap();
    reader.bridge(need.old).unwrap()
}

fn largest(house: &House) -> u64 {
    house.gossip().largest(LOG_ORIGIN).unwrap().checkpoint().size
}

#[test]
fn a_log_that_grows_is_followed_with_one_bridge_a_step() {
    let mut house = House::new();
    let tree = Tree::of(700, 700, "");
    assert_eq!(house.hear(&tree.signed(0), None), Heard::Known);
    assert!(house.gossip().origins().is_empty());
    assert_eq!(house.hear(&tree.signed(3), None), Heard::Newer);
    for (before, size) in [(3, 4), (4, 256), (256, 257), (257, 700)] {
        let need = Need { old: before, new: tree.signed(size).checkpoint().clone() };
        assert_eq!(house.hear(&tree.signed(size), None), Heard::Unchecked { need, kept: true });
        house.reopen().unwrap();
        let waiting = house.gossip().pending(LOG_ORIGIN);
        assert_eq!(waiting.len(), 1, "nothing is lost by a restart");
        let bridge = fetch(&waiting[0].1, &tree);
        assert_eq!(house.hear(&waiting[0].0, Some(&bridge)), Heard::Newer);
        assert_eq!(house.gossip().pending(LOG_ORIGIN), []);
        assert_eq!(largest(&house), size);
    }
    let recent: Vec<u64> =
        house.gossip().recent(LOG_ORIGIN).iter().map(|(signed, _)| signed.checkpoint().size).collect();
    assert_eq!(recent, [3, 4, 256, 257]);
    for size in [3, 4, 256, 257, 700] {
        assert_eq!(house.hear(&tree.signed(size), None), Heard::Known);
    }
}

#[test]
fn a_rollback_is_a_part_of_the_history_or_a_conflict() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.hear(&tree.signed(10), None);
    assert_eq!(house.hear_out(&tree.signed(7), &tree), Heard::Known);
    assert_eq!(largest(&house), 10);
    assert_eq!(house.hear(&tree.signed(7), None), Heard::Known, "checked once is enough");
    assert_eq!(house.hear_out(&fork.signed(3), &tree), Heard::Known, "before the fork both are the same");
    assert!(matches!(house.hear_out(&fork.signed(8), &tree), Heard::Conflict(_)));
}

#[test]
fn every_fork_becomes_evidence_that_outlives_a_restart() {
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    for (told, served) in [
        (fork.signed(10), &tree),
        (fork.signed(15), &fork),
        (fork.signed(16), &fork),
        (fork.signed(8), &tree),
    ] {
        let mut house = House::new();
        house.hear(&tree.signed(10), None);
        let Heard::Conflict(evidence) = house.hear_out(&told, served) else { panic!("{told:?}") };
        let verdict = conflict::verify(&evidence.to_bytes(), &[log_signer().vkey()]);
        assert!(matches!(verdict, Verdict::Equivocated(_)), "{verdict:?}");
        house.reopen().unwrap();
        assert_eq!(house.gossip().conflict(LOG_ORIGIN), Some(*evidence.clone()));
        assert_eq!((largest(&house), house.gossip().pending(LOG_ORIGIN)), (10, vec![]));
        // The first proof stays; another conflict is told all the same.
        let other = Tree::of(2, 10, "-third").signed(10);
        assert!(matches!(house.hear(&other, None), Heard::Conflict(_)));
        assert_eq!(house.gossip().conflict(LOG_ORIGIN), Some(*evidence));
    }
}

#[test]
fn two_roots_of_one_size_conflict_although_neither_was_checked() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.hear(&tree.signed(5), None);
    assert!(matches!(house.hear(&tree.signed(10), None), Heard::Unchecked { kept: true, .. }));
    assert!(matches!(house.hear(&fork.signed(10), None), Heard::Conflict(_)));
    assert!(house.gossip().conflict(LOG_ORIGIN).is_some());
}

#[test]
fn a_wrong_bridge_decides_nothing() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.hear(&tree.signed(6), None);
    let foreign = Bridge::of(&fork, 6, 10).unwrap();
    let refused = house.gossip().hear(&tree.signed(10), &keys(), foreign.as_ref(), NOW);
    assert!(matches!(refused, Err(LedgerError::ProofWrong(_))));
    // A bridge between other sizes is none.
    let other = Bridge::of(&tree, 5, 10).unwrap();
    assert!(matches!(house.hear(&tree.signed(10), other.as_ref()), Heard::Unchecked { .. }));
    assert_eq!((largest(&house), house.gossip().conflict(LOG_ORIGIN)), (6, None));
    assert_eq!(house.hear_out(&tree.signed(10), &tree), Heard::Newer);
}

#[test]
fn only_the_logs_own_signature_is_heard_and_kept() {
    let house = House::new();
    let tree = Tree::of(5, 5, "");
    let stranger = signer(LOG_ORIGIN, 8);
    let refused = house.gossip().hear(&tree.signed_by(3, &stranger), &keys(), None, NOW);
    assert!(matches!(refused, Err(LedgerError::Note(_))));
    // Another log's checkpoint under the keys of this one.
    let elsewhere = signer("ledger.example/other", 7);
    assert!(house.gossip().hear(&tree.signed_by(3, &elsewhere), &keys(), None, NOW).is_err());
    assert!(house.gossip().origins().is_empty());
    let mut note = tree.signed(3).note().clone();
    witness().add_to(&mut note, 1).unwrap();
    stranger.add_to(&mut note).unwrap();
    house.hear(&SignedCheckpoint::parse(&note.to_bytes()).unwrap(), None);
    assert_eq!(house.gossip().largest(LOG_ORIGIN), Some(tree.signed(3)));
}

#[test]
fn a_rotated_key_hides_no_fork() {
    let house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.hear(&tree.signed(10), None);
    let next = signer(LOG_ORIGIN, 8);
    let both = [log_signer().vkey(), next.vkey()];
    let heard = house.gossip().hear(&fork.signed_by(10, &next), &both, None, NOW).unwrap();
    assert!(matches!(heard, Heard::Conflict(_)));
}

#[test]
fn the_memory_is_bounded_and_what_waits_is_not_pushed_out() {
    let house = House::new();
    let tree = Tree::of(60, 60, "");
    house.hear(&tree.signed(1), None);
    for size in 2..30 {
        assert_eq!(house.hear_out(&tree.signed(size), &tree), Heard::Newer);
    }
    let recent = house.gossip().recent(LOG_ORIGIN);
    assert_eq!(recent.len(), RECENT_MAX);
    assert_eq!(recent.last().unwrap().0.checkpoint().size, 28);
    for size in 30..50 {
        let Heard::Unchecked { kept, .. } = house.hear(&tree.signed(size), None) else { panic!() };
        assert_eq!(kept, size < 46, "{size}");
    }
    assert!(matches!(house.hear(&tree.signed(31), None), Heard::Unchecked { kept: true, .. }));
    let waiting = house.gossip().pending(LOG_ORIGIN);
    assert_eq!(waiting.len(), RECENT_MAX);
    for (signed, _) in waiting {
        assert_eq!(house.hear_out(&signed, &tree), Heard::Newer);
    }
    assert_eq!((largest(&house), house.gossip().pending(LOG_ORIGIN)), (45, vec![]));
}

#[test]
fn a_full_memory_takes_no_new_log_and_hears_the_others() {
    let mut house = House::new();
    house.gossip.as_mut().unwrap().origins_max = 1;
    let (tree, elsewhere) = (Tree::of(5, 5, ""), signer("ledger.example/other", 7));
    house.hear(&tree.signed(3), None);
    let refused = house.gossip().hear(&tree.signed_by(3, &elsewhere), &[elsewhere.vkey()], None, NOW);
    assert!(matches!(refused, Err(LedgerError::BadOption { .. })));
    assert_eq!(house.hear_out(&tree.signed(5), &tree), Heard::Newer);
}

#[test]
fn a_damaged_file_is_named_at_opening() {
    let mut house = House::new();
    let (tree, fork) = (Tree::of(20, 20, ""), Tree::of(3, 20, "-fork"));
    house.hear(&tree.signed(5), None);
    house.hear(&tree.signed(7), None);
    house.hear(&fork.signed(5), None);
    house.gossip = None;
    let path = house.file();
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 7);
        std::fs::write(&path, bad).unwrap();
        assert!(
            matches!(house.reopen(), Err(LedgerError::Corrupt { file, .. }) if file == path),
            "byte {at}"
        );
    }
    std::fs::write(&path, &good).unwrap();
    house.reopen().unwrap();
    assert_eq!(house.gossip().pending(LOG_ORIGIN).len(), 1);
    assert!(house.gossip().conflict(LOG_ORIGIN).is_some());
    house.gossip = None;
    // The memory of one log under the name of another.
    let elsewhere = path.with_file_name(crate::witness::origin_path("ledger.example/other") + ".json");
    std::fs::rename(&path, &elsewhere).unwrap();
    assert!(matches!(house.reopen(), Err(LedgerError::Corrupt { file, .. }) if file == elsewhere));
}

#[test]
fn what_the_disk_does_not_take_is_not_believed() {
    let house = House::new();
    let tree = Tree::of(5, 5, "");
    std::fs::remove_dir_all(house.folder.path().join("gossip")).unwrap();
    assert!(matches!(house.gossip().hear(&tree.signed(3), &keys(), None, NOW), Err(LedgerError::Io { .. })));
    assert_eq!(house.gossip().largest(LOG_ORIGIN), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// In any order and through restarts: an honest log is never accused, and a fork is found as soon as both of
    /// its sides were heard past the point where they part.
    #[test]
    fn forks_are_found_and_nobody_else_is_accused(sizes in prop::collection::vec((1u64..24, any::<bool>(), any::<bool>()), 1..20)) {
        let (tree, fork) = (Tree::of(6, 24, ""), Tree::of(6, 24, "-fork"));
        let mut house = House::new();
        let (mut past, mut past_fork) = (false, false);
        for (size, forked, reopen) in sizes {
            if reopen {
                house.reopen().unwrap();
            }
            let side = if forked { &fork } else { &tree };
            // The log serves to us the tiles that fit what it signed for the larger of the two.
            let heard = match house.hear(&side.signed(size), None) {
                Heard::Unchecked { need, .. } => {
                    let served = if fork.signed(need.new.size).checkpoint() == &need.new { &fork } else { &tree };
                    house.hear(&side.signed(size), Some(&fetch(&need, served)))
                }
                heard => heard,
            };
            past |= size > 6 && !forked;
            past_fork |= size > 6 && forked;
            let decided = !matches!(heard, Heard::Unchecked { .. });
            prop_assert!(decided);
            prop_assert_eq!(house.gossip().conflict(LOG_ORIGIN).is_some(), past && past_fork);
        }
    }
}
