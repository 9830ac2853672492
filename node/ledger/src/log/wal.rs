//! The write-ahead log: records in segment files, the only thing that is synced before an append is answered.
//!
//! Record, numbers big-endian: `"TRW1"`, u64 first index, u32 count, u32 body length, body (entries, each behind
//! its u16 length: the bytes of a bundle), the root after it (32 bytes), u32 CRC-32C of all before.
//!
//! Promise: a segment begins with a record of no entries, which states the size and root before it; a record is
//! whole or it is not there. A segment appears under its name only after its first record is durable.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::disk;
use crate::error::{LedgerError, Result};
use crate::merkle::Hash;

const MAGIC: &[u8; 4] = b"TRW1";
const HEAD_BYTES: usize = 4 + 8 + 4 + 4;
const TAIL_BYTES: usize = 32 + 4;
/// Bytes of entries in one record: a batch stops at 8 MiB, and one entry may still join.
pub(crate) const BODY_BYTES_MAX: usize = (8 << 20) + (1 << 17);
/// How much is read at once when looking for records behind a damaged one.
const SEARCH_BYTES: usize = 1 << 20;

/// One batch.
#[derive(Debug)]
pub(crate) struct Record {
    /// Index of its first entry.
    pub first: u64,
    /// Its entries behind their lengths.
    pub body: Vec<u8>,
    /// How many.
    pub count: u32,
    /// The root after it.
    pub root: Hash,
}

/// What stands at an offset.
pub(crate) enum Found {
    Record(Record, u64),
    End,
    /// Not a whole record.
    Bad(&'static str),
}

/// The bytes of a record.
pub(crate) fn encode(first: u64, count: u32, body: &[u8], root: &Hash) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + body.len() + TAIL_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    // A batch is far under 4 GiB.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&root.0);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// Reads the record at `offset` of a segment of `length` bytes.
pub(crate) fn read(file: &File, path: &Path, offset: u64, length: u64) -> Result<Found> {
    if offset >= length {
        return Ok(Found::End);
    }
    let left = length - offset;
    if left < (HEAD_BYTES + TAIL_BYTES) as u64 {
        return Ok(Found::Bad("the record is incomplete"));
    }
    let head = disk::read_at(file, path, offset, HEAD_BYTES)?;
    let Some((first, count, body_length)) = parse_head(&head) else {
        return Ok(Found::Bad("the record does not begin with `TRW1`"));
    };
    if body_length as usize > BODY_BYTES_MAX {
        return Ok(Found::Bad("the record's length is over the limit"));
    }
    let whole = HEAD_BYTES + body_length as usize + TAIL_BYTES;
    if left < whole as u64 {
        return Ok(Found::Bad("the record is incomplete"));
    }
    let bytes = disk::read_at(file, path, offset, whole)?;
    let Some((rest, crc)) = bytes.split_last_chunk::<4>() else { return Ok(Found::Bad("too short")) };
    if crc32c::crc32c(rest) != u32::from_be_bytes(*crc) {
        return Ok(Found::Bad("the record's CRC-32C is wrong"));
    }
    let Some((rest, root)) = rest.split_last_chunk::<32>() else { return Ok(Found::Bad("too short")) };
    let body = rest.get(HEAD_BYTES..).unwrap_or_default().to_vec();
    Ok(Found::Record(Record { first, body, count, root: Hash(*root) }, offset + whole as u64))
}

fn parse_head(head: &[u8]) -> Option<(u64, u32, u32)> {
    let rest = head.strip_prefix(MAGIC)?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (body, _) = rest.split_first_chunk::<4>()?;
    Some((u64::from_be_bytes(*first), u32::from_be_bytes(*count), u32::from_be_bytes(*body)))
}

/// Whether a whole record begins anywhere behind `offset`: then what stands at `offset` is damage, not the tail
/// that a power cut leaves.
pub(crate) fn record_behind(file: &File, path: &Path, offset: u64, length: u64) -> Result<bool> {
    let mut at = offset + 1;
    while at < length {
        let chunk = usize::try_from(length - at).unwrap_or(SEARCH_BYTES).min(SEARCH_BYTES);
        let bytes = disk::read_at(file, path, at, chunk)?;
        for (n, window) in bytes.windows(MAGIC.len()).enumerate() {
            if window == MAGIC && matches!(read(file, path, at + n as u64, length)?, Found::Record(..)) {
                return Ok(true);
            }
        }
        // Chunks overlap, so that a magic on the border is seen.
        at += (chunk.saturating_sub(MAGIC.len() - 1)).max(1) as u64;
    }
    Ok(false)
}

/// Splits a body into entries with their length prefix; `None` when the lengths do not fill it exactly.
pub(crate) fn entries(body: &[u8]) -> Option<Vec<([u8; 2], &[u8])>> {
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (prefix, behind) = rest.split_first_chunk::<2>()?;
        let (entry, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*prefix)))?;
        out.push((*prefix, entry));
        rest = behind;
    }
    Some(out)
}

/// A segment file: the size of the log before it, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub first: u64,
    pub path: PathBuf,
}

/// The segments of a folder in their order. Leftovers of an interrupted creation are not among them.
pub(crate) fn segments(folder: &Path) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).map_err(LedgerError::io("listing", folder))? {
        let path = item.map_err(LedgerError::io("listing", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(first) = name.strip_suffix(".wal").filter(|digits| digits.len() == 20) {
            let first = first
                .parse()
                .map_err(|_| LedgerError::corrupt(&path, "its name", "20 digits were expected"))?;
            found.push(Segment { first, path });
        }
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// Creates the segment that follows `first` entries with that root, durably.
pub(crate) fn create(folder: &Path, first: u64, root: &Hash) -> Result<Segment> {
    let path = folder.join(format!("{first:020}.wal"));
    disk::replace(&path, &encode(first, 0, &[], root))?;
    Ok(Segment { first, path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::empty_root;

    #[test]
    fn records_read_back_and_every_damage_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let body = [0, 3, b'a', b'b', b'c', 0, 0];
        let good = encode(7, 2, &body, &empty_root());
        fs::write(&path, &good).unwrap();
        let file = File::open(&path).unwrap();
        let length = good.len() as u64;
        let Found::Record(record, next) = read(&file, &path, 0, length).unwrap() else { panic!() };
        assert_eq!((record.first, record.count, next), (7, 2, length));
        assert_eq!(entries(&record.body).unwrap(), [([0, 3], &b"abc"[..]), ([0, 0], &b""[..])]);
        assert!(matches!(read(&file, &path, length, length).unwrap(), Found::End));
        for cut in 1..length {
            assert!(matches!(read(&file, &path, 0, cut).unwrap(), Found::Bad(_)), "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            assert!(matches!(read(&file, &path, 0, length).unwrap(), Found::Bad(_)), "flip at {at}");
        }
    }

    #[test]
    fn a_record_behind_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let record = encode(0, 0, &[], &empty_root());
        for gap in [1usize, 5, SEARCH_BYTES - 3, SEARCH_BYTES - 1, SEARCH_BYTES + 7] {
            let bytes = [vec![b'T'; gap], record.clone()].concat();
            fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            assert!(record_behind(&file, &path, 0, bytes.len() as u64).unwrap(), "{gap}");
            assert!(!record_behind(&file, &path, gap as u64, bytes.len() as u64).unwrap(), "{gap}");
        }
    }

    #[test]
    fn bodies_must_be_filled_exactly() {
        assert!(entries(&[0]).is_none());
        assert!(entries(&[0, 2, 1]).is_none());
        assert!(entries(&[]).unwrap().is_empty());
    }
}
