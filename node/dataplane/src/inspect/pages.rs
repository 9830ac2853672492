//! The pages of a Parquet file before its reader unpacks them. A page's header says how long the page gets, and some of the
//! unpackers write until their input ends: a small file could fill the memory. So every header is held against limits and
//! against its column first, and what is packed by gzip is unpacked into nothing once, to see that it says the truth.
//!
//! Packings whose unpacker cannot be held to a length here (Brotli, the LZ4 of old) are refused.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use flate2::read::MultiGzDecoder;

use super::page_header::PageHeader;
use super::thrift::Stop;
use crate::limits::{PARQUET_PAGE_BYTES_MAX, PARQUET_ROW_GROUP_BYTES_MAX};

/// Rows that are decoded at once.
const BATCH_ROWS: i64 = 8_192;
/// Bytes that are looked at for a header first, and at most: a header may hold the least and greatest text of its page.
const HEADER_BYTES: [u64; 2] = [4 << 10, 1 << 20];

/// What is wrong with the pages, or nothing.
pub(super) fn check(file: &File, metadata: &ParquetMetaData) -> Result<(), String> {
    let mut groups = Vec::new();
    for group in metadata.row_groups() {
        let mut bytes = 0i64;
        for chunk in group.columns() {
            let name = chunk.column_descr().name();
            packing(chunk.compression()).map_err(|why| format!("column `{name}`: {why}"))?;
            bytes = bytes.saturating_add(walk(file, chunk).map_err(|why| {
                format!("the pages of column `{name}` cannot be read ({why}); write it again")
            })?);
        }
        groups.push((group.num_rows(), bytes));
    }
    together(&groups)
}

/// Row groups with few rows are read together, until a batch is full: so together they may be as long as one.
fn together(groups: &[(i64, i64)]) -> Result<(), String> {
    let (mut rows, mut bytes, mut first) = (0i64, 0i64, groups.iter());
    for (more_rows, more_bytes) in groups {
        (rows, bytes) = (rows.saturating_add(*more_rows), bytes.saturating_add(*more_bytes));
        if bytes > PARQUET_ROW_GROUP_BYTES_MAX {
            return Err(format!(
                "its row groups have so few and so long rows that {BATCH_ROWS} of them are over {PARQUET_ROW_GROUP_BYTES_MAX} bytes; shorten the rows"
            ));
        }
        while rows >= BATCH_ROWS {
            let Some((gone_rows, gone_bytes)) = first.next() else { break };
            (rows, bytes) = (rows - gone_rows, bytes - gone_bytes);
        }
    }
    Ok(())
}

fn packing(compression: Compression) -> Result<(), String> {
    match compression {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::ZSTD(_)
        | Compression::LZ4_RAW => Ok(()),
        other => {
            Err(format!("it is packed by {other}, which is not read here; write it with zstd or snappy"))
        }
    }
}

/// Goes from header to header; gives the bytes of the pages once unpacked. The chunk was found to lie within the file before.
fn walk(file: &File, chunk: &ColumnChunkMetaData) -> Result<i64, String> {
    let (mut at, length) = chunk.byte_range();
    let end = at.saturating_add(length);
    let (mut values, mut unpacked) = (0i64, 0i64);
    while at < end {
        let (header, size) = header(file, at, end)?;
        at += size;
        if header.packed > end - at {
            return Err("one is longer than its column".to_owned());
        }
        if header.unpacked > PARQUET_PAGE_BYTES_MAX || header.packed > PARQUET_PAGE_BYTES_MAX {
            return Err(format!("one is over {PARQUET_PAGE_BYTES_MAX} bytes"));
        }
        unpacked = unpacked.saturating_add_unsigned(header.unpacked);
        if unpacked > PARQUET_ROW_GROUP_BYTES_MAX {
            return Err(format!("together they are over {PARQUET_ROW_GROUP_BYTES_MAX} bytes"));
        }
        if header.is_dictionary && header.values > header.unpacked {
            return Err("a dictionary has more words than bytes".to_owned());
        }
        if header.is_data {
            values = values.saturating_add_unsigned(header.values);
        }
        if matches!(chunk.compression(), Compression::GZIP(_)) {
            unpack(file, at, &header)?;
        }
        at += header.packed;
    }
    if values != chunk.num_values() {
        return Err("they hold another number of values than the footer says".to_owned());
    }
    Ok(unpacked)
}

/// The header at this place and its length.
fn header(file: &File, at: u64, end: u64) -> Result<(PageHeader, u64), String> {
    for most in HEADER_BYTES {
        let window = read(file, at, most.min(end - at)).map_err(|e| e.to_string())?;
        match PageHeader::read(&window) {
            Ok((header, size)) => return Ok((header, size as u64)),
            Err(Stop::Short) if (window.len() as u64) < end - at => {}
            Err(_) => return Err("a page has no header".to_owned()),
        }
    }
    Err("the header of a page is too long".to_owned())
}

/// Unpacks into nothing, and stops at the length that the header says.
fn unpack(file: &File, at: u64, header: &PageHeader) -> Result<(), String> {
    if !header.is_packed || header.packed < header.levels {
        return Ok(());
    }
    let packed = read(file, at + header.levels, header.packed - header.levels).map_err(|e| e.to_string())?;
    let due = header.unpacked.saturating_sub(header.levels);
    let mut unpacked = MultiGzDecoder::new(&packed[..]).take(due + 1);
    let length = io::copy(&mut unpacked, &mut io::sink()).unwrap_or(u64::MAX);
    if length > due {
        return Err("one unpacks to more than it says".to_owned());
    }
    Ok(())
}

fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
