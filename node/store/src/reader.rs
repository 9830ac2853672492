//! Reading: from frames on the disk to records. The caller holds the engine against writers, so that a long value and
//! its parts, and all records of one page, are of one moment.

use bytes::Bytes;

use crate::engine::Engine;
use crate::frame::{self, Head, Split};
use crate::{Page, Record, Space, StoreError, Versioned, limits};

/// The frame under a key, checked, without the parts of a long value.
pub(crate) fn head(engine: &Engine, space: Space, key: &[u8]) -> Result<Option<Head>, StoreError> {
    let disk_key = frame::record_key(space, key);
    let Some(found) = engine.get(&disk_key)? else { return Ok(None) };
    frame::read_head(&disk_key, &found).map(Some).map_err(bad(space, key))
}

/// The value that a head stands for.
pub(crate) fn value(engine: &Engine, space: Space, key: &[u8], head: Head) -> Result<Versioned, StoreError> {
    match head {
        Head::Inline { revision, value } => Ok(Versioned { value, revision }),
        Head::Split(split) => {
            let value = join(engine, split)?.map_err(bad(space, key))?;
            Ok(Versioned { value, revision: split.revision })
        }
    }
}

pub(crate) fn get(engine: &Engine, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
    head(engine, space, key)?.map(|head| value(engine, space, key, head)).transpose()
}

pub(crate) fn scan(
    engine: &Engine,
    space: Space,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Page, StoreError> {
    let limit = limit.clamp(1, limits::SCAN_RECORDS_MAX);
    let end = to.map_or_else(|| vec![space.code() + 1], |to| frame::record_key(space, to));
    let (mut page, mut bytes) = (Page::default(), 0);
    for item in engine.range(frame::record_key(space, from), end) {
        let (disk_key, found) = item?;
        let key = Bytes::copy_from_slice(disk_key.get(1..).unwrap_or_default());
        if page.records.len() >= limit || bytes >= limits::SCAN_BYTES_SOFT {
            page.next = Some(key);
            break;
        }
        let head = frame::read_head(&disk_key, &found).map_err(bad(space, &key))?;
        let Versioned { value, revision } = value(engine, space, &key, head)?;
        bytes += value.len();
        page.records.push(Record { key, value, revision });
    }
    Ok(page)
}

/// The newest revision on the disk; 0 for a store that was never written to.
pub(crate) fn newest_revision(engine: &Engine) -> Result<u64, StoreError> {
    match engine.get(&frame::REVISION_KEY)? {
        None => Ok(0),
        Some(found) => frame::read_revision(&found)
            .map_err(|what| StoreError::Engine { what: "read the newest revision", detail: what.to_owned() }),
    }
}

/// Puts the parts of a long value together; the inner error says what does not fit.
fn join(engine: &Engine, split: Split) -> Result<Result<Bytes, frame::Bad>, StoreError> {
    let mut value = Vec::with_capacity(split.len as usize);
    for part_key in split.part_keys() {
        let Some(found) = engine.get(&part_key)? else { return Ok(Err("a part of the value is missing")) };
        match frame::read_part(&part_key, &found) {
            Ok(part) => value.extend_from_slice(part),
            Err(what) => return Ok(Err(what)),
        }
    }
    if value.len() != split.len as usize || crc32fast::hash(&value) != split.crc {
        return Ok(Err("its parts do not add up to the value"));
    }
    Ok(Ok(value.into()))
}

fn bad(space: Space, key: &[u8]) -> impl FnOnce(frame::Bad) -> StoreError {
    move |what| StoreError::BadRecord { space, key: key.to_vec(), what: what.to_owned() }
}
