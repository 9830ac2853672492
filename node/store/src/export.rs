//! Everything as lines of JSON, whatever the engine: for backups and for changing the engine.
//!
//! ```text
//! {"header":{"format":"tram-store","version":1,"revision":42}}
//! {"record":{"space":"peer","key":"<base64>","revision":7,"value":"<base64>"}}     in order of space, then key
//! {"end":{"records":1,"sha256":"<hex, over all bytes before this line>"}}
//! ```
//!
//! The digest finds damage, not malice: a backup that leaves the house is encrypted and signed around it. Reading is
//! strict: unknown fields, records out of order or twice, a wrong count or digest, and anything after the end are errors.

use std::io::{BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::{DiskWrite, Engine};
use crate::{Space, StoreError, frame, limits, reader, tx};

const FORMAT: &str = "tram-store";
const VERSION: u32 = 1;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSummary {
    /// Number of records.
    pub records: u64,
    /// The newest revision of the store.
    pub revision: u64,
    /// SHA-256 over all lines before the last, in lower-case hex; it is also in the last line.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Header(Header),
    Record(RecordLine),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    space: String,
    key: String,
    revision: u64,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: u64,
    sha256: String,
}

/// Writes the export; the caller keeps commits out.
pub(crate) fn write(engine: &Engine, mut out: impl Write) -> Result<ExportSummary, StoreError> {
    let (mut hash, mut records) = (Sha256::new(), 0);
    let revision = reader::newest_revision(engine)?;
    let header = Header { format: FORMAT.to_owned(), version: VERSION, revision };
    put_line(&mut out, Some(&mut hash), &Line::Header(header))?;
    refuse_foreign(engine)?;
    for space in Space::ALL {
        let mut from = Some(Bytes::new());
        while let Some(start) = from {
            let page = reader::scan(engine, space, &start, None, limits::SCAN_RECORDS_MAX)?;
            for record in page.records {
                let line = RecordLine {
                    space: space.name().to_owned(),
                    key: STANDARD.encode(&record.key),
                    revision: record.revision,
                    value: STANDARD.encode(&record.value),
                };
                put_line(&mut out, Some(&mut hash), &Line::Record(line))?;
                records += 1;
            }
            from = page.next;
        }
    }
    let sha256 = hex(&hash.finalize());
    put_line(&mut out, None, &Line::End(End { records, sha256: sha256.clone() }))?;
    out.flush().map_err(StoreError::io("write the export"))?;
    Ok(ExportSummary { records, revision, sha256 })
}

/// A key of an unknown space would silently be left out of the backup.
fn refuse_foreign(engine: &Engine) -> Result<(), StoreError> {
    let known = Space::ALL.map(Space::code);
    let (first, last) = (known.iter().min().copied(), known.iter().max().copied());
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let before = engine.range(vec![frame::PARTS + 1], vec![first]).next();
    let after = engine.range(vec![last + 1], vec![0xff; limits::KEY_BYTES_MAX + 2]).next();
    match before.or(after) {
        None => Ok(()),
        Some(found) => found.and_then(|_| {
            Err(StoreError::Engine {
                what: "export everything",
                detail: "there are records of a space this version does not know; run `tram doctor`"
                    .to_owned(),
            })
        }),
    }
}

fn put_line(out: &mut impl Write, hash: Option<&mut Sha256>, line: &Line) -> Result<(), StoreError> {
    let failed = "write the export";
    let mut text = serde_json::to_vec(line).map_err(std::io::Error::other).map_err(StoreError::io(failed))?;
    text.push(b'\n');
    if let Some(hash) = hash {
        hash.update(&text);
    }
    out.write_all(&text).map_err(StoreError::io(failed))
}

/// Reads an export into an empty engine. Durable when it returns `Ok`.
pub(crate) fn read(engine: &Engine, export: impl BufRead) -> Result<(), StoreError> {
    let mut lines = Lines { input: export, line: 0, hash: Sha256::new() };
    let Some(Line::Header(header)) = lines.next(true)? else {
        return Err(lines.bad("it does not begin with the header of an export"));
    };
    if header.format != FORMAT || header.version != VERSION {
        return Err(
            lines.bad(format!("format `{}` version {} is not known here", header.format, header.version))
        );
    }
    let mut loader = Loader { engine, batch: Vec::new(), bytes: 0, records: 0, last: None };
    let end = loop {
        let hash_so_far = lines.hash.clone();
        match lines.next(true)? {
            Some(Line::Record(record)) => {
                loader.load(record, header.revision).map_err(|what| what.at(&lines))?;
            }
            Some(Line::End(end)) => break (end, hash_so_far),
            Some(Line::Header(_)) => return Err(lines.bad("a second header")),
            None => return Err(lines.bad("the export is cut short: its last line is missing")),
        }
    };
    let (end, hash) = end;
    if end.records != loader.records {
        return Err(lines.bad(format!("{} records were announced, {} came", end.records, loader.records)));
    }
    if end.sha256 != hex(&hash.finalize()) {
        return Err(lines.bad("the digest does not fit: the export was damaged or changed"));
    }
    if lines.next(false)?.is_some() {
        return Err(lines.bad("there is more after the end"));
    }
    loader.finish(header.revision)
}

/// The lines of an export, each within its limit.
struct Lines<R> {
    input: R,
    line: u64,
    hash: Sha256,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self, parse: bool) -> Result<Option<Line>, StoreError> {
        self.line += 1;
        let mut text = Vec::new();
        self.input
            .by_ref()
            .take(limits::EXPORT_LINE_BYTES_MAX)
            .read_until(b'\n', &mut text)
            .map_err(StoreError::io("read the export"))?;
        if text.is_empty() {
            return Ok(None);
        }
        if !parse || text.last() != Some(&b'\n') {
            return Err(self.bad("the line is too long, cut short, or after the end"));
        }
        self.hash.update(&text);
        match serde_json::from_slice(&text) {
            Ok(line) => Ok(Some(line)),
            Err(error) => Err(self.bad(error.to_string())),
        }
    }

    fn bad(&self, what: impl Into<String>) -> StoreError {
        StoreError::BadImport { line: self.line, what: what.into() }
    }
}

/// Why a record was not loaded.
enum NotLoaded {
    Bad(String),
    Failed(StoreError),
}

impl NotLoaded {
    fn at<R: BufRead>(self, lines: &Lines<R>) -> StoreError {
        match self {
            NotLoaded::Bad(what) => lines.bad(what),
            NotLoaded::Failed(error) => error,
        }
    }
}

/// Writes records in batches, so that memory stays bounded.
struct Loader<'e> {
    engine: &'e Engine,
    batch: Vec<DiskWrite>,
    bytes: usize,
    records: u64,
    last: Option<(Space, Vec<u8>)>,
}

impl Loader<'_> {
    fn load(&mut self, line: RecordLine, newest: u64) -> Result<(), NotLoaded> {
        let bad = |what: String| NotLoaded::Bad(what);
        let space =
            Space::from_name(&line.space).ok_or_else(|| bad(format!("`{}` is no space", line.space)))?;
        let key = STANDARD.decode(&line.key).map_err(|e| bad(format!("the key is not base64: {e}")))?;
        let value = STANDARD.decode(&line.value).map_err(|e| bad(format!("the value is not base64: {e}")))?;
        tx::validate_key(space, &key).map_err(|e| bad(e.to_string()))?;
        if value.len() > limits::VALUE_BYTES_MAX {
            return Err(bad(format!("the value has {} bytes", value.len())));
        }
        if line.revision == 0 || line.revision > newest {
            return Err(bad(format!("revision {} is not between 1 and {newest}", line.revision)));
        }
        if self.last.as_ref().is_some_and(|(s, k)| (*s, k.as_slice()) >= (space, key.as_slice())) {
            return Err(bad("the record is out of order or comes twice".to_owned()));
        }
        self.records += 1;
        let id = u32::try_from(self.records).map_err(|_| bad("too many records".to_owned()))?;
        self.bytes += key.len() + value.len();
        let frames = frame::frames(space, &key, &value.into(), line.revision, id);
        self.batch.extend(frames.into_iter().map(|(k, f)| (k, Some(f))));
        self.last = Some((space, key));
        if self.bytes >= limits::GROUP_BYTES_SOFT {
            self.write_batch().map_err(NotLoaded::Failed)
        } else {
            Ok(())
        }
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        self.engine.apply(std::mem::take(&mut self.batch))?;
        self.engine.make_durable()
    }

    fn finish(mut self, newest: u64) -> Result<(), StoreError> {
        self.batch.push((frame::REVISION_KEY.to_vec(), Some(frame::revision_frame(newest))));
        self.write_batch()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
