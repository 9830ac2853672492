//! Random callers: the store answers like a map that remembers revisions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{folder, open};
use crate::{Space, Store, Tx};

/// What a random caller may do.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, Want)>, Vec<(u8, Option<u16>)>),
    Reopen,
}

#[derive(Clone, Debug)]
enum Want {
    Absent,
    Current,
    Stale,
}

fn step() -> impl Strategy<Value = Step> {
    let want = prop_oneof![1 => Just(Want::Absent), 3 => Just(Want::Current), 1 => Just(Want::Stale)];
    let checks = prop::collection::vec((0u8..12, want), 0..3);
    let size = prop_oneof![4 => 0u16..40, 1 => 4000u16..4200, 1 => 8000u16..20_000];
    let writes = prop::collection::vec((0u8..12, prop::option::weighted(0.8, size)), 0..5);
    prop_oneof![20 => (checks, writes).prop_map(|(c, w)| Step::Commit(c, w)), 1 => Just(Step::Reopen)]
}

/// Twelve keys in two spaces, so that steps meet each other.
fn place(n: u8) -> (Space, Vec<u8>) {
    (if n.is_multiple_of(2) { Space::Meta } else { Space::Decision }, vec![b'k', n / 2])
}

type Model = BTreeMap<(Space, Vec<u8>), (Vec<u8>, u64)>;

fn commit_both(store: &Store, model: &mut Model, checks: &[(u8, Want)], writes: &[(u8, Option<u16>)]) {
    let (mut tx, mut holds) = (Tx::new(), true);
    for (n, want) in checks {
        let (space, key) = place(*n);
        let current = model.get(&(space, key.clone())).map(|(_, revision)| *revision);
        tx = match (want, current) {
            (Want::Current, Some(revision)) => tx.at(space, key, revision),
            (Want::Current | Want::Absent, _) => {
                holds &= current.is_none();
                tx.absent(space, key)
            }
            (Want::Stale, _) => {
                holds = false;
                tx.at(space, key, u64::MAX)
            }
        };
    }
    for (i, (n, size)) in writes.iter().enumerate() {
        let (space, key) = place(*n);
        tx = match size {
            Some(size) => tx.put(space, key, vec![*n ^ i as u8; usize::from(*size)]),
            None => tx.delete(space, key),
        };
    }
    match store.commit_blocking(tx) {
        Ok(revision) => {
            assert!(holds, "a check that does not hold was passed");
            for (i, (n, size)) in writes.iter().enumerate() {
                match size {
                    Some(size) => {
                        model.insert(place(*n), (vec![*n ^ i as u8; usize::from(*size)], revision));
                    }
                    None => drop(model.remove(&place(*n))),
                }
            }
        }
        Err(error) => assert!(error.is_conflict() && !holds, "{error}"),
    }
}

fn compare(store: &Store, model: &Model) {
    let mut found = Model::new();
    for space in [Space::Meta, Space::Decision] {
        for record in store.scan(space, "", None, 1000).unwrap().records {
            let got = store.get(space, &record.key).unwrap().unwrap();
            assert_eq!((&got.value, got.revision), (&record.value, record.revision));
            found.insert((space, record.key.to_vec()), (record.value.to_vec(), record.revision));
        }
    }
    assert!(found == *model, "the store and the model differ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_behaves_like_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let (_dir, path) = folder();
        let (mut store, mut model) = (open(&path), Model::new());
        for step in steps {
            match step {
                Step::Commit(checks, writes) => commit_both(&store, &mut model, &checks, &writes),
                Step::Reopen => {
                    drop(store);
                    store = open(&path);
                }
            }
            compare(&store, &model);
        }
        prop_assert!(store.verify().unwrap().is_sound());
    }
}
