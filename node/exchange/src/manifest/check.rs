//! Whether a manifest is consistent in itself.

use std::collections::HashSet;

use super::{Manifest, ManifestError};
use crate::json::{self, Digest};
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, ID_BYTES_MAX, JSON_INTEGER_MAX, MANIFEST_CHUNKS_MAX,
    MANIFEST_COLUMNS_MAX,
};

pub(super) fn all(manifest: &Manifest) -> Result<(), ManifestError> {
    ulid(&manifest.exchange_id)?;
    media_type(&manifest.media_type)?;
    columns(manifest)?;
    numbers(manifest)?;
    chunks(manifest)?;
    super::copy::check(manifest)?;
    same("schema.sha256", manifest.schema.sha256, json::digest(&manifest.schema.columns)?)?;
    same("obligations.sha256", manifest.obligations.sha256, json::digest(&manifest.obligations.applied)?)?;
    manifest.verify_root()
}

pub(super) fn same(field: &'static str, stated: Digest, computed: Digest) -> Result<(), ManifestError> {
    if stated == computed { Ok(()) } else { Err(ManifestError::Digest { field, stated, computed }) }
}

pub(super) fn value(field: &'static str, found: impl ToString, expected: impl ToString) -> ManifestError {
    ManifestError::Value { field, found: found.to_string(), expected: expected.to_string() }
}

/// 26 digits of Crockford's base 32, at most 128 bits.
pub(super) fn ulid(text: &str) -> Result<(), ManifestError> {
    let digit = |c: u8| c.is_ascii_digit() || (c.is_ascii_uppercase() && !b"ILOU".contains(&c));
    let first = text.as_bytes().first().copied().unwrap_or(b'Z');
    if text.len() == 26 && first <= b'7' && text.bytes().all(digit) {
        return Ok(());
    }
    Err(value("exchange_id", format!("`{}`", crate::dsp::short(text)), "a ULID of 26 characters"))
}

fn media_type(text: &str) -> Result<(), ManifestError> {
    let slash = text.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
    if slash && text.len() <= 200 && text.bytes().all(|c| c.is_ascii_graphic() || c == b' ') {
        return Ok(());
    }
    Err(value("media_type", format!("`{}`", crate::dsp::short(text)), "a media type such as text/csv"))
}

fn columns(manifest: &Manifest) -> Result<(), ManifestError> {
    let columns = &manifest.schema.columns;
    if columns.is_empty() || columns.len() > MANIFEST_COLUMNS_MAX {
        return Err(value("schema.columns", columns.len(), format!("1 to {MANIFEST_COLUMNS_MAX} columns")));
    }
    let mut names = HashSet::new();
    for column in columns {
        if column.name.is_empty() || column.name.len() > ID_BYTES_MAX || !names.insert(&column.name) {
            let found = format!("`{}`", crate::dsp::short(&column.name));
            return Err(value("schema.columns", found, "names that differ and are not blank"));
        }
    }
    Ok(())
}

fn numbers(manifest: &Manifest) -> Result<(), ManifestError> {
    for (field, number) in
        [("rows", manifest.rows), ("bytes", manifest.bytes), ("rule_set.version", manifest.rule_set.version)]
    {
        if number > JSON_INTEGER_MAX {
            return Err(value(field, number, format!("at most {JSON_INTEGER_MAX}")));
        }
    }
    let size = manifest.chunk_size;
    if !(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&size) {
        return Err(value("chunk_size", size, format!("{CHUNK_BYTES_MIN} to {CHUNK_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// All chunks but the last are full, none is empty, and together, without what sealing added, they are the whole.
fn chunks(manifest: &Manifest) -> Result<(), ManifestError> {
    let count = manifest.chunks.len();
    if count > MANIFEST_CHUNKS_MAX {
        return Err(value("chunks", count, format!("at most {MANIFEST_CHUNKS_MAX} chunks")));
    }
    let size = manifest.chunk_size;
    let added = manifest.sealed.as_ref().map_or(0, |sealed| sealed.algorithm.overhead());
    let least = added + 1;
    let mut sum = 0_u64;
    for (index, chunk) in manifest.chunks.iter().enumerate() {
        let last = index + 1 == count;
        let fits = if last { (least..=size).contains(&chunk.len) } else { chunk.len == size };
        if !fits {
            let expected = if last { format!("{least} to {size}") } else { size.to_string() };
            return Err(ManifestError::ChunkLength { index, found: chunk.len, expected });
        }
        sum = sum.saturating_add(chunk.len - added);
    }
    if sum == manifest.bytes {
        Ok(())
    } else {
        Err(value("bytes", manifest.bytes, format!("{sum}, the sum of what is in the chunks")))
    }
}
