//! Time-stamps in a bundle: which of the log's go along, and under which names.
//!
//! For each entry the first stamp that covers it, since no later one says more about it, and each stamp that a given
//! `anchor@v1` names. The names are those of the log's folder, so that a bundle of all entries, unpacked, is a mirror with
//! its time-stamps.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use ledger::timestamp::files::{self, FOLDER, Pair};

use crate::audit::told;
use crate::error::Result;

/// Ending of an authority's answer.
pub const TOKEN: &str = "tsr";
/// Ending of the note that it is over.
pub const NOTE: &str = "checkpoint";

/// The name of a file about the tree of that size.
pub fn name(size: u64, kind: &str) -> String {
    format!("{FOLDER}/{size}.{kind}")
}

/// The size in such a name; none when it is no such name.
pub fn size_of(file: &str, kind: &str) -> Option<u64> {
    let (size, _) = file.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('.')?;
    let size = size.parse().ok()?;
    (name(size, kind) == file).then_some(size)
}

/// The stamps in a log's folder that go with these entries of a tree of `size`. One whose note is gone stays away: an
/// entry that names it then shows the loss in the bundle as it does in the folder.
pub fn chosen(log: &Path, ranges: &[Range<u64>], named: &BTreeSet<u64>, size: u64) -> Result<Vec<Pair>> {
    let mut from = 0;
    let mut chosen = files::list(log).map_err(told)?;
    chosen.retain(|pair| {
        let new = std::mem::replace(&mut from, pair.size)..pair.size;
        let first = ranges.iter().any(|range| range.start < new.end && new.start < range.end);
        (first || named.contains(&pair.size)) && pair.size <= size && pair.checkpoint.exists()
    });
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_gets_its_first_stamp_and_no_later_one() {
        let log = tempfile::tempdir().unwrap();
        std::fs::create_dir(log.path().join(FOLDER)).unwrap();
        for size in [3, 10, 20, 30] {
            for kind in [TOKEN, NOTE] {
                std::fs::write(log.path().join(name(size, kind)), "").unwrap();
            }
        }
        let sizes = |ranges: &[(u64, u64)], named: &[u64], size| -> Vec<u64> {
            let named = named.iter().copied().collect();
            let ranges: Vec<Range<u64>> = ranges.iter().map(|(from, to)| *from..*to).collect();
            let pairs = chosen(log.path(), &ranges, &named, size).unwrap();
            pairs.into_iter().map(|pair| pair.size).collect()
        };
        assert_eq!(sizes(&[(0, 40)], &[], 40), [3, 10, 20, 30]);
        assert_eq!(sizes(&[(3, 4)], &[], 40), [10]);
        assert_eq!(sizes(&[(2, 3), (25, 26)], &[], 40), [3, 30]);
        assert_eq!(sizes(&[(25, 26)], &[10], 40), [10, 30]);
        assert_eq!(sizes(&[(35, 36)], &[], 40), [0; 0]);
        // A stamp over a tree that the bundle's checkpoint does not cover proves nothing in it.
        assert_eq!(sizes(&[(25, 26)], &[], 29), [0; 0]);
    }

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(size_of("timestamps/7.tsr", TOKEN), Some(7));
        for other in ["timestamps/07.tsr", "timestamps/7.checkpoint", "timestamps/+7.tsr", "x/7.tsr"] {
            assert_eq!(size_of(other, TOKEN), None, "{other}");
        }
    }
}
