//! Reading everything once and holding it against its checksums, for `tram doctor` and after a restore.

use std::collections::{BTreeMap, HashMap};

use crate::engine::Engine;
use crate::frame::{self, Head};
use crate::{Space, StoreError, limits, reader};

/// Revision and id of a long value: what the keys of its parts begin with.
type LongId = (u64, u32);

/// A record that cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// The space of the record.
    pub space: Space,
    /// Its key.
    pub key: Vec<u8>,
    /// What does not fit.
    pub what: String,
}

/// What [`crate::Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Good records per space; spaces without records are left out.
    pub records: BTreeMap<Space, u64>,
    /// Bytes of all good values.
    pub value_bytes: u64,
    /// The newest revision of the store.
    pub revision: u64,
    /// Damaged records, the first [`limits::REPORT_BAD_MAX`] of them.
    pub bad: Vec<BadRecord>,
    /// How many damaged records there are in all.
    pub bad_total: u64,
    /// Pieces of long values that belong to no record. They waste space and harm nothing.
    pub orphan_parts: u64,
    /// Keys that belong to no space this version knows.
    pub foreign: u64,
}

impl Report {
    /// Whether everything can be trusted and nothing is left over.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad_total == 0 && self.orphan_parts == 0 && self.foreign == 0
    }

    fn blame(&mut self, space: Space, key: &[u8], what: &str) {
        self.bad_total += 1;
        if self.bad.len() < limits::REPORT_BAD_MAX {
            self.bad.push(BadRecord { space, key: key.to_vec(), what: what.to_owned() });
        }
    }
}

/// Goes over the whole engine; the caller keeps commits out.
pub(crate) fn verify(engine: &Engine) -> Result<Report, StoreError> {
    let mut report = Report { revision: reader::newest_revision(engine)?, ..Report::default() };
    // The number of parts of every long value.
    let mut long: HashMap<LongId, usize> = HashMap::new();
    for item in engine.range(vec![frame::PARTS + 1], vec![0xff; limits::KEY_BYTES_MAX + 2]) {
        let (disk_key, found) = item?;
        match disk_key.split_first().map(|(code, key)| (Space::from_code(*code), key)) {
            Some((Some(space), key)) => {
                let parts = look_at(engine, &mut report, (space, key), (&disk_key, &found))?;
                long.extend(parts);
            }
            _ => report.foreign += 1,
        }
    }
    for item in engine.range(vec![frame::PARTS], vec![frame::PARTS + 1]) {
        let (part_key, _) = item?;
        if !is_wanted(&part_key, &long) {
            report.orphan_parts += 1;
        }
    }
    Ok(report)
}

/// Checks one record; gives the id and the number of parts of a long value.
fn look_at(
    engine: &Engine,
    report: &mut Report,
    (space, key): (Space, &[u8]),
    (disk_key, found): (&[u8], &[u8]),
) -> Result<Option<(LongId, usize)>, StoreError> {
    let head = match frame::read_head(disk_key, found) {
        Ok(head) => head,
        Err(what) => {
            report.blame(space, key, what);
            return Ok(None);
        }
    };
    let parts = match &head {
        Head::Split(split) => Some(((split.revision, split.id), split.part_keys().count())),
        Head::Inline { .. } => None,
    };
    match reader::value(engine, space, key, head) {
        Ok(found) if found.revision > report.revision => {
            report.blame(space, key, "it is newer than the newest revision of the store");
        }
        Ok(found) => {
            *report.records.entry(space).or_default() += 1;
            report.value_bytes += found.value.len() as u64;
        }
        Err(StoreError::BadRecord { what, .. }) => report.blame(space, key, &what),
        Err(other) => return Err(other),
    }
    Ok(parts)
}

fn is_wanted(part_key: &[u8], long: &HashMap<LongId, usize>) -> bool {
    let Some((_, rest)) = part_key.split_first() else { return false };
    let Some((revision, rest)) = rest.split_first_chunk::<8>() else { return false };
    let Some((id, rest)) = rest.split_first_chunk::<4>() else { return false };
    let Ok(index) = <[u8; 4]>::try_from(rest) else { return false };
    let parts = long.get(&(u64::from_be_bytes(*revision), u32::from_be_bytes(*id)));
    parts.is_some_and(|parts| (u32::from_be_bytes(index) as usize) < *parts)
}
