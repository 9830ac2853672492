//! What a consumer hands to the auditor: one tar with its receipt, the signed manifest, and the sealed chunks.
//!
//! Its files come in one order: `handover.json`, `receipt.tlog-proof`, `manifest.json`, `0.chunk`, `1.chunk` and so on. A
//! reader therefore knows what each chunk must be before it reads one, and a foreign file fills no disk. Nothing in it is
//! believed for being in it: [`super::judge`] says what is.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use exchange::limits::{CHUNK_BYTES_MAX, MANIFEST_BYTES_MAX};
use exchange::{Manifest, SignedManifest};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// What the first file says it is.
pub const FORM: &str = "tram/handover@v1";
/// Longest first file, bytes.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// The three files before the chunks.
const HEAD: &str = "handover.json";
const RECEIPT: &str = "receipt.tlog-proof";
const MANIFEST: &str = "manifest.json";

/// What the file says of itself, and what opens the statement's commitment to the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORM`].
    pub form: String,
    /// Id of the exchange.
    pub exchange: String,
    /// For whom it is.
    pub auditor: String,
    /// Salt of the statement's field `response`, hex.
    pub salt: String,
    /// What the consumer says went wrong: its own word.
    pub says: Option<String>,
}

/// Writes the file from an inbox. `out` is new and its owner's alone, or there is none afterwards.
///
/// # Errors
/// [`Error::Usage`] when `out` is there; [`Error::Verification`] when the inbox has lost a chunk; [`Error::Io`].
pub fn write(inbox: &Path, head: &Head, receipt: &[u8], out: &Path) -> Result<Manifest> {
    let manifest = inbox.join(MANIFEST);
    let manifest = files::read_limited(&manifest, MANIFEST_BYTES_MAX)?;
    let signed = SignedManifest::parse(&manifest).map_err(|e| Error::Verification(e.to_string()))?;
    let mut options = OpenOptions::new();
    let disk = options.write(true).create_new(true).mode(0o600).open(out).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::usage(format!("`{}` is there already; choose another name", out.display()))
        }
        _ => Error::io(out, e),
    })?;
    let written = write_into(disk, inbox, head, receipt, &manifest, &signed.manifest, out);
    if written.is_err() {
        let _ = std::fs::remove_file(out);
    }
    written.map(|()| signed.manifest)
}

fn write_into(
    disk: File,
    inbox: &Path,
    head: &Head,
    receipt: &[u8],
    manifest_bytes: &[u8],
    manifest: &Manifest,
    out: &Path,
) -> Result<()> {
    let mut tar = tar::Builder::new(BufWriter::new(disk));
    let mut put = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, name, bytes).map_err(|e| Error::io(out, e))
    };
    put(HEAD, &serde_json::to_vec_pretty(head).map_err(Error::internal)?)?;
    put(RECEIPT, receipt)?;
    put(MANIFEST, manifest_bytes)?;
    for (number, chunk) in manifest.chunks.iter().enumerate() {
        let path = inbox.join(chunk_name(number));
        let bytes = files::read_limited(&path, usize::try_from(CHUNK_BYTES_MAX).unwrap_or(0))?;
        if exchange::Digest::of(&bytes) != chunk.sha256 {
            return Err(Error::Verification(format!(
                "`{}` is not the chunk of the manifest any more; while the provider is there, `tram exchange resume` fetches it again",
                path.display()
            )));
        }
        put(&chunk_name(number), &bytes)?;
    }
    let inner = tar.into_inner().map_err(|e| Error::io(out, e))?;
    let disk = inner.into_inner().map_err(|e| Error::io(out, e.into_error()))?;
    disk.sync_all().map_err(|e| Error::io(out, e))
}

fn chunk_name(number: usize) -> String {
    format!("{number}.chunk")
}

/// The files before the chunks, read and not judged.
#[derive(Debug)]
pub struct Front {
    /// The first file.
    pub head: Head,
    /// The consumer's receipt.
    pub receipt: Vec<u8>,
    /// The manifest, consistent in itself.
    pub signed: SignedManifest,
}

/// A handed-over file, read from front to back. `judge` gets the front and says whether to go on (`Some`) or not; then each
/// chunk that the manifest lists is given to `take`, whole, in order, as it came.
///
/// # Errors
/// [`Error::Verification`] when it is no such file, or breaks off; whatever `judge` and `take` say.
pub fn read<T>(
    file: &Path,
    judge: impl FnOnce(Front) -> Result<(Option<usize>, T)>,
    mut take: impl FnMut(&mut T, usize, Vec<u8>) -> Result<()>,
) -> Result<T> {
    let no = |why: &str| {
        Error::Verification(format!(
            "`{}` is no handed-over exchange: {why}; ask the consumer for another one (this says nothing about the provider)",
            file.display()
        ))
    };
    let disk = File::open(file).map_err(|e| Error::io(file, e))?;
    let mut archive = tar::Archive::new(BufReader::new(disk));
    let mut entries = archive.entries().map_err(|e| no(&e.to_string()))?;
    let mut next = |name: &str, max: u64| -> Result<Vec<u8>> {
        let entry = entries.next().ok_or_else(|| no(&format!("`{name}` is missing")))?;
        let entry = entry.map_err(|e| no(&format!("it breaks off before `{name}` ({e})")))?;
        let ours = entry.path_bytes().as_ref() == name.as_bytes();
        if !ours || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(no(&format!("another file is in the place of `{name}`")));
        }
        let size = entry.size();
        if size > max {
            return Err(no(&format!("`{name}` is over {max} bytes")));
        }
        let mut bytes = Vec::new();
        entry.take(max).read_to_end(&mut bytes).map_err(|e| no(&format!("`{name}` cannot be read ({e})")))?;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(no(&format!("it breaks off in `{name}`"))) }
    };
    let head: Head =
        serde_json::from_slice(&next(HEAD, HEAD_BYTES_MAX)?).map_err(|e| no(&format!("`{HEAD}`: {e}")))?;
    if head.form != FORM {
        return Err(no("its form is one that this program does not know"));
    }
    let receipt = next(RECEIPT, certs::note::NOTE_BYTES_MAX as u64)?;
    let manifest = next(MANIFEST, MANIFEST_BYTES_MAX as u64)?;
    let signed = SignedManifest::parse(&manifest).map_err(|e| no(&e.to_string()))?;
    let (chunks, mut kept) = judge(Front { head, receipt, signed })?;
    for number in 0..chunks.unwrap_or(0) {
        let bytes = next(&chunk_name(number), CHUNK_BYTES_MAX)?;
        take(&mut kept, number, bytes)?;
    }
    Ok(kept)
}

/// Writes rows' neighbour, such as the receipt beside them; its owner's alone, and nothing is written over.
///
/// # Errors
/// [`Error::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all())).map_err(|e| Error::io(path, e))
}
