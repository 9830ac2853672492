//! Which keys came before: exact, in bounded memory. Keys are held as keyed 128-bit hashes with the row they came in;
//! when there are too many, they go sorted to scratch files that are merged at the end. A scratch file holds no values.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::limits::{KEY_RUNS_MAX, PLACES_MAX};
use crate::{Cell, IntakeError, Place};

/// A hash and a row, as they lie in a scratch file.
const ENTRY_BYTES: usize = 24;

/// Set in the row of a key that came again.
const AGAIN: u64 = 1 << 63;

/// How often keys came again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Rows whose key came in an earlier row.
    pub(super) rows: u64,
    /// Different keys that came more than once.
    pub(super) keys: u64,
}

/// What was found of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct Duplicates {
    /// `None`: too many keys to tell.
    pub(super) count: Option<Count>,
    /// The first of them. Those that only merging found have no part.
    pub(super) first: Vec<Place>,
}

/// The keys of some columns.
pub(super) struct Seen {
    columns: Vec<usize>,
    keys: HashMap<u128, u64>,
    most: usize,
    scratch: PathBuf,
    runs: Vec<File>,
    hashers: [RandomState; 2],
    rows: u64,
    first: Vec<Place>,
    too_many: bool,
}

impl Seen {
    /// Of the columns at these positions, with at most `most` keys in memory.
    pub(super) fn new(columns: Vec<usize>, most: usize, scratch: &Path) -> Self {
        Self {
            columns,
            keys: HashMap::new(),
            most,
            scratch: scratch.to_owned(),
            runs: Vec::new(),
            hashers: [RandomState::new(), RandomState::new()],
            rows: 0,
            first: Vec::new(),
            too_many: false,
        }
    }

    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    #[cfg(test)]
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Looks at a row. A key of which nothing is there is none.
    pub(super) fn row(&mut self, place: &Place, cells: &[Cell]) -> Result<(), IntakeError> {
        let key = || self.columns.iter().map(|at| cells.get(*at).and_then(Option::as_deref));
        if self.too_many || key().all(|cell| cell.is_none()) {
            return Ok(());
        }
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            key().for_each(|cell| cell.hash(&mut hasher));
            u128::from(hasher.finish())
        };
        let [high, low] = &self.hashers;
        let hash = hash(high) << 64 | hash(low);
        if let Some(row) = self.keys.get_mut(&hash) {
            *row |= AGAIN;
            self.found(place.clone());
            return Ok(());
        }
        if self.keys.len() >= self.most {
            self.spill().map_err(scratch)?;
        }
        self.keys.insert(hash, place.row & !AGAIN);
        Ok(())
    }

    fn found(&mut self, place: Place) {
        self.rows += 1;
        if self.first.len() < PLACES_MAX {
            self.first.push(place);
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.runs.len() >= KEY_RUNS_MAX {
            self.too_many = true;
            self.keys = HashMap::new();
            self.runs.clear();
            return Ok(());
        }
        let mut sorted: Vec<(u128, u64)> = self.keys.drain().collect();
        sorted.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile_in(&self.scratch)?);
        for (hash, row) in sorted {
            file.write_all(&hash.to_be_bytes())?;
            file.write_all(&row.to_be_bytes())?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Result<Duplicates, IntakeError> {
        let keys = if self.runs.is_empty() {
            self.keys.values().filter(|row| **row & AGAIN != 0).count() as u64
        } else {
            self.spill().and_then(|()| self.merge()).map_err(scratch)?
        };
        let count = (!self.too_many).then_some(Count { rows: self.rows, keys });
        Ok(Duplicates { count, first: self.first })
    }

    /// The keys that came more than once. A run holds a key once, so a key of several runs came again in all but one.
    fn merge(&mut self) -> io::Result<u64> {
        let mut runs: Vec<BufReader<File>> = self.runs.drain(..).map(BufReader::new).collect();
        let mut heads = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            heads.extend(entry(run)?.map(|(hash, row)| Reverse((hash, row, at))));
        }
        // The key before, and whether it is counted already.
        let mut last: Option<(u128, bool)> = None;
        let mut keys = 0;
        while let Some(Reverse((hash, row, at))) = heads.pop() {
            let before = last.filter(|(key, _)| *key == hash);
            if before.is_some() {
                self.found(Place::row(row & !AGAIN));
            }
            let again = before.is_some() || row & AGAIN != 0;
            let counted = before.is_some_and(|(_, counted)| counted);
            keys += u64::from(again && !counted);
            last = Some((hash, again));
            if let Some(run) = runs.get_mut(at) {
                heads.extend(entry(run)?.map(|(hash, row)| Reverse((hash, row, at))));
            }
        }
        Ok(keys)
    }
}

fn entry(run: &mut BufReader<File>) -> io::Result<Option<(u128, u64)>> {
    let mut bytes = [0; ENTRY_BYTES];
    match run.read_exact(&mut bytes) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let (mut hash, mut row) = ([0; 16], [0; 8]);
    hash.copy_from_slice(&bytes[..16]);
    row.copy_from_slice(&bytes[16..]);
    Ok(Some((u128::from_be_bytes(hash), u64::from_be_bytes(row))))
}

fn scratch(error: io::Error) -> IntakeError {
    IntakeError::unreachable(
        format!("không ghi được tệp tạm để tìm dòng trùng: {error}; hãy kiểm tra đĩa của nút"),
        format!("the scratch file for finding duplicates cannot be used: {error}; check the node's disk"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(most: usize, keys: &[Option<u64>]) -> Duplicates {
        let mut seen = Seen::new(vec![0], most, &std::env::temp_dir());
        for (i, key) in keys.iter().enumerate() {
            seen.row(&Place::row(i as u64 + 2), &[key.map(|key| key.to_string())]).unwrap();
            assert!(seen.keys.len() <= most);
        }
        seen.finish().unwrap()
    }

    #[test]
    fn duplicates_are_exact_whether_they_fit_in_memory_or_not() {
        let keys: Vec<Option<u64>> = (0..5_000).map(|i| (i % 7 != 0).then_some(i * i % 1_999)).collect();
        let distinct: std::collections::HashSet<_> = keys.iter().flatten().collect();
        let rows = keys.iter().flatten().count() - distinct.len();
        let often = |key: &u64| keys.iter().flatten().filter(|other| *other == key).count();
        let again = distinct.iter().filter(|key| often(key) > 1).count();
        let expected = Count { rows: rows as u64, keys: again as u64 };
        for most in [100, 700, 1_000, 1_000_000] {
            assert_eq!(count(most, &keys).count, Some(expected), "{most}");
        }
    }

    #[test]
    fn the_row_that_repeats_is_named_also_across_scratch_files() {
        let mut keys: Vec<Option<u64>> = (0..250).map(Some).collect();
        keys.push(Some(3));
        for most in [100, 1_000] {
            let found = count(most, &keys);
            assert_eq!((found.count, found.first[0].row), (Some(Count { rows: 1, keys: 1 }), 252), "{most}");
        }
    }

    #[test]
    fn too_many_keys_are_said_to_be_too_many() {
        let keys: Vec<Option<u64>> = (0..(KEY_RUNS_MAX as u64 + 2) * 3).map(Some).collect();
        assert_eq!(count(2, &keys).count, None);
    }

    #[test]
    fn neighbouring_cells_are_not_run_together() {
        let mut seen = Seen::new(vec![0, 1], 10, &std::env::temp_dir());
        for (a, b) in [(Some("ab"), Some("c")), (Some("a"), Some("bc")), (None, Some("c")), (Some("c"), None)]
        {
            seen.row(&Place::row(2), &[a.map(str::to_owned), b.map(str::to_owned)]).unwrap();
        }
        assert_eq!(seen.finish().unwrap().count, Some(Count::default()));
    }
}
