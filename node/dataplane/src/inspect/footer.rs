//! Parquet's footer before its reader takes it: how many columns, how deep, how many pieces. The reader builds a tree of the
//! schema by calling itself, and a record for each piece; bytes that lie could take its stack or its memory.

use super::thrift::{Compact, Kind, Stop};
use crate::limits::{COLUMNS_MAX, PARQUET_CHUNKS_MAX, PARQUET_SCHEMA_DEPTH_MAX};

/// Fields of `FileMetaData`.
const SCHEMA: i64 = 2;
const ROW_GROUPS: i64 = 4;
/// Field of `SchemaElement`.
const CHILDREN: i64 = 5;
/// Field of `RowGroup`.
const CHUNKS: i64 = 1;

/// What is wrong with a footer, or nothing.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    walk(bytes).unwrap_or_else(|stop| {
        Err(match stop {
            Stop::Short => "its Parquet footer ends too early; write it again".to_owned(),
            Stop::Bad => "its Parquet footer cannot be read; write it again".to_owned(),
        })
    })
}

/// The outer result is about the bytes, the inner about what they say.
fn walk(bytes: &[u8]) -> Result<Result<(), String>, Stop> {
    let mut reader = Compact::new(bytes);
    let mut last = 0;
    while let Some((field, kind)) = reader.field(&mut last)? {
        let said = match (field, kind) {
            (SCHEMA, Kind::List) => schema(&mut reader)?,
            (ROW_GROUPS, Kind::List) => row_groups(&mut reader)?,
            _ => {
                reader.skip(kind)?;
                Ok(())
            }
        };
        if said.is_err() {
            return Ok(said);
        }
    }
    Ok(Ok(()))
}

/// The schema is a tree as a list, each node with the number of its children behind it.
fn schema(reader: &mut Compact<'_>) -> Result<Result<(), String>, Stop> {
    let (count, kind) = reader.list()?;
    if kind != Kind::Struct {
        return Err(Stop::Bad);
    }
    // The root is a node, and so are the two wrappers of a list.
    let most = 4 * COLUMNS_MAX as u64;
    if count > most {
        return Ok(Err(format!(
            "its Parquet schema has {count} nodes, at most {COLUMNS_MAX} columns can be taken"
        )));
    }
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..count {
        let children = children(reader)?;
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        while open.last().is_some_and(|left| *left <= 0) {
            open.pop();
        }
        if open.len() > PARQUET_SCHEMA_DEPTH_MAX {
            return Ok(Err(format!(
                "its Parquet schema is over {PARQUET_SCHEMA_DEPTH_MAX} deep; write a flat table"
            )));
        }
    }
    Ok(Ok(()))
}

fn children(reader: &mut Compact<'_>) -> Result<i64, Stop> {
    let (mut last, mut children) = (0, 0);
    while let Some((field, kind)) = reader.field(&mut last)? {
        match (field, kind) {
            (CHILDREN, Kind::Number) => children = reader.number()?,
            _ => reader.skip(kind)?,
        }
    }
    Ok(children)
}

fn row_groups(reader: &mut Compact<'_>) -> Result<Result<(), String>, Stop> {
    let (count, kind) = reader.list()?;
    if kind != Kind::Struct {
        return Err(Stop::Bad);
    }
    let mut chunks = 0u64;
    for _ in 0..count {
        let mut last = 0;
        while let Some((field, kind)) = reader.field(&mut last)? {
            if (field, kind) != (CHUNKS, Kind::List) {
                reader.skip(kind)?;
                continue;
            }
            chunks = chunks.saturating_add(reader.clone().list()?.0);
            if chunks > PARQUET_CHUNKS_MAX {
                return Ok(Err(format!(
                    "its Parquet file has over {PARQUET_CHUNKS_MAX} pieces of columns; write larger row groups"
                )));
            }
            reader.skip(kind)?;
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::check;

    /// `FileMetaData` with this schema: the number of children of each node.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x02, 0x19, 0xFC];
        let mut count = children.len();
        while count >= 0x80 {
            bytes.push(count as u8 | 0x80);
            count >>= 7;
        }
        bytes.push(count as u8);
        for children in children {
            // 4: name "a", 5: children.
            bytes.extend([0x48, 1, b'a']);
            if *children > 0 {
                bytes.extend([0x15, children * 2]);
            }
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_schema_is_held_to_its_depth_and_its_width() {
        check(&footer(&[2, 0, 0])).unwrap();
        check(&footer(&[2, 1, 1, 0, 0])).unwrap();
        let mut deep = vec![1; 100_000];
        deep.push(0);
        assert!(check(&footer(&deep)).unwrap_err().contains("100001 nodes"));
        deep.truncate(1_000);
        assert!(check(&footer(&deep)).unwrap_err().contains("deep"));
        let wide = vec![0; 10_000];
        assert!(check(&footer(&wide)).unwrap_err().contains("at most 2048 columns"));
        let bytes = footer(&[1, 0]);
        for cut in 0..bytes.len() - 1 {
            assert!(check(&bytes[..cut]).unwrap_err().contains("too early"), "at {cut}");
        }
    }

    #[test]
    fn pieces_are_counted_before_they_are_kept() {
        // 4: row groups, one, whose columns say that they are 2^40.
        let bytes = [0x49, 0x1C, 0x19, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
        assert!(check(&bytes).unwrap_err().contains("pieces"));
    }
}
