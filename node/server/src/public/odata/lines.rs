//! The kept rows of an answer, one after the other.

use std::io::SeekFrom;
use std::path::Path;

use serde_json::{Map, Value};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader};

use super::limits::ROW_BYTES_MAX;
use crate::error::{Error, Result};

/// Rows of NDJSON from some place on.
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    at: u64,
}

impl Lines {
    /// Opens a file at a place where a row begins.
    pub async fn open(path: &Path, at: u64) -> Result<Self> {
        // The place came from a token that this node signed; a file that is gone was swept.
        let gone = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::not_found("this answer is not kept any more; ask again from the beginning")
            }
            _ => Error::io(path, e),
        };
        let mut file = File::open(path).await.map_err(gone)?;
        file.seek(SeekFrom::Start(at)).await.map_err(gone)?;
        Ok(Self { reader: BufReader::new(file), line: Vec::new(), at })
    }

    /// Where the next row begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The bytes of the next row; none at the end.
    pub async fn next(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let read = (&mut self.reader).take(ROW_BYTES_MAX).read_until(b'\n', &mut self.line).await;
        let read = read.map_err(Error::internal)? as u64;
        if read == 0 {
            return Ok(None);
        }
        if read == ROW_BYTES_MAX {
            return Err(Error::TooLarge(
                "a row of the answer is too large for this door; take the file".to_owned(),
            ));
        }
        self.at += read;
        Ok(Some(&self.line))
    }
}

/// A row by the names of its columns.
pub fn read(line: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(line).map_err(|_| Error::internal("a kept row is no JSON object"))
}
