//! Finished files over HTTP: strong ETag, exact length, digest, HEAD, one span with 206.
//!
//! **What it is.** A file that is whole and does not change any more (received rows, a part of a release) becomes an answer
//! as RFC 9110 (conditions, ranges) and RFC 9530 (digests) say. Readers of Parquet need exact lengths and 206: some refuse
//! an answer of 200 to a `Range`. Bytes go from disk to line in small pieces, whatever the file's length.
//!
//! **What it is not.** It decides nothing: who calls it holds a permit, or serves the agency its own. It compresses nothing:
//! Parquet, Arrow and XLSX are compressed inside, and a transformed answer would have another digest.

pub mod accept;
pub mod conditions;
mod convert;
pub mod formats;
pub mod problems;

use std::io::SeekFrom;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use self::conditions::Selected;
pub use self::convert::{head, stream};
use crate::error::{Error, Result};
use crate::files;

/// Bytes of a file that are in memory at once for one answer.
const PIECE_BYTES: usize = 64 * 1024;
/// Longest span that is read twice, hashed and then sent, so that its `Content-Digest` can stand before it: a footer of
/// Parquet, or a chunk of the node's size. A longer one is held against the digest of the whole.
const DIGEST_SPAN_BYTES_MAX: u64 = crate::limits::CHUNK_BYTES as u64;
/// No shared cache, no cache that does not ask again: a decision may have changed. And nobody on the way compresses.
const CACHE: &str = "private, no-cache, no-transform";

/// A finished file and what is known of it.
#[derive(Debug, Clone)]
pub struct Representation {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the whole; the ETag and the digest come from it.
    pub sha256: [u8; 32],
    /// Media type.
    pub media_type: &'static str,
    /// Name under which a browser keeps it: ASCII letters, digits, `.`, `-` and `_`.
    pub file_name: String,
}

impl Representation {
    /// The strong ETag, with its quotes.
    pub fn etag(&self) -> String {
        format!("\"{}\"", files::hex(&self.sha256))
    }

    /// The answer to a GET or HEAD with these headers.
    ///
    /// # Errors
    /// [`Error::Io`] when the file is not there; an internal error when it has another length than it had.
    pub async fn answer(&self, method: &Method, headers: &HeaderMap) -> Result<Response> {
        let file = File::open(&self.path).await.map_err(|e| Error::io(&self.path, e))?;
        let found = file.metadata().await.map_err(|e| Error::io(&self.path, e))?.len();
        if found != self.bytes {
            return Err(Error::internal("a finished file has another length than it had"));
        }
        let mut response = match conditions::select(method, headers, &self.etag(), self.bytes) {
            Selected::Whole => self.whole(method, file)?,
            Selected::Part(span) => self.part(file, span).await?,
            Selected::NotModified => StatusCode::NOT_MODIFIED.into_response(),
            Selected::Failed => problems::without_body(method, problems::precondition_failed(&self.etag())),
            Selected::Unsatisfiable => problems::range_not_satisfiable(self.bytes)?,
        };
        set(&mut response, header::ETAG, &self.etag())?;
        set(&mut response, header::ACCEPT_RANGES, "bytes")?;
        set(&mut response, header::CACHE_CONTROL, CACHE)?;
        set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
        Ok(response)
    }

    fn whole(&self, method: &Method, file: File) -> Result<Response> {
        let body = match *method == Method::HEAD {
            true => Body::empty(),
            false => Body::from_stream(ReaderStream::with_capacity(file.take(self.bytes), PIECE_BYTES)),
        };
        let mut response = Response::new(body);
        self.describe(&mut response, self.bytes)?;
        if *method != Method::HEAD {
            set(&mut response, CONTENT_DIGEST, &digest_field(&self.sha256))?;
        }
        Ok(response)
    }

    async fn part(&self, file: File, span: RangeInclusive<u64>) -> Result<Response> {
        let (first, last) = (*span.start(), *span.end());
        let length = last - first + 1;
        let broken = |e| Error::io(&self.path, e);
        let mut digest = None;
        let mut file = file;
        if length <= DIGEST_SPAN_BYTES_MAX {
            let (same, hashed) = hashed(file.into_std().await, first, length).await?.map_err(broken)?;
            (file, digest) = (File::from_std(same), Some(digest_field(&hashed)));
        }
        file.seek(SeekFrom::Start(first)).await.map_err(broken)?;
        let mut response =
            Response::new(Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE_BYTES)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", self.bytes))?;
        self.describe(&mut response, length)?;
        if let Some(digest) = digest {
            set(&mut response, CONTENT_DIGEST, &digest)?;
        }
        Ok(response)
    }

    fn describe(&self, response: &mut Response, length: u64) -> Result<()> {
        set(response, header::CONTENT_TYPE, self.media_type)?;
        set(response, header::CONTENT_LENGTH, &length.to_string())?;
        set(response, REPR_DIGEST, &digest_field(&self.sha256))?;
        set(response, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{}\"", self.file_name))
    }
}

/// A file that was hashed, with the digest, or what the disk said.
type Hashed = std::io::Result<(std::fs::File, [u8; 32])>;

/// Hashes so many bytes of a file from a place on, a piece at a time.
async fn hashed(mut file: std::fs::File, first: u64, length: u64) -> Result<Hashed> {
    use std::io::{Read, Seek};
    let work = move || {
        file.seek(SeekFrom::Start(first))?;
        let (mut whole, mut buffer) = (sha2::Sha256::new(), vec![0u8; PIECE_BYTES]);
        let mut rest = Read::by_ref(&mut file).take(length);
        loop {
            match rest.read(&mut buffer)? {
                0 => break,
                read => whole.update(buffer.get(..read).unwrap_or_default()),
            }
        }
        let digest = whole.finalize().into();
        Ok((file, digest))
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// Digest of what is in this answer (RFC 9530).
const CONTENT_DIGEST: header::HeaderName = header::HeaderName::from_static("content-digest");
/// Digest of the whole, whatever span is in this answer (RFC 9530).
const REPR_DIGEST: header::HeaderName = header::HeaderName::from_static("repr-digest");

/// A digest as a structured field: `sha-256=:BASE64:`.
fn digest_field(sha256: &[u8; 32]) -> String {
    format!("sha-256=:{}:", BASE64.encode(sha256))
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) -> Result<()> {
    response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(Error::internal)?);
    Ok(())
}

/// A name that headers and file systems take: what is no ASCII letter, digit, `.`, `-` or `_` becomes `-`.
pub fn plain_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    text.chars().take(100).map(plain).collect()
}

#[cfg(test)]
mod tests;
