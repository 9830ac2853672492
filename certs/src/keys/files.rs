//! The key files.
//!
//! Promises: private keys exist on disk only as regular files with mode 0600 in a folder with mode 0700; the whole
//! folder appears by one rename, durable before `store` returns; a file that others can read is never used.
//! The state of the world after a failed write: nothing new under the folder's own name.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{ChannelKey, KeyError, NodeKeys, PRIVATE_FILES, pkcs8_der, seed_of_pkcs8};
use crate::encode::{b64, hex};
use crate::public::KeyUse;

/// A key file has under 200 bytes, a certificate under 2 KiB.
pub const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;
const CERTIFICATE_FILE: &str = "channel.crt";
const PEM_LINE_CHARS: usize = 64;

/// The names of the files that [`NodeKeys::store`] writes, for backup tools and documentation.
pub fn generated_file_names() -> impl Iterator<Item = &'static str> {
    PRIVATE_FILES.into_iter().map(|(_, name)| name).chain([CERTIFICATE_FILE])
}

pub(super) fn store_all(keys: &NodeKeys, dir: &Path) -> Result<(), KeyError> {
    refuse_occupied(dir)?;
    let parent = parent_of(dir);
    std::fs::create_dir_all(&parent).map_err(io("make the folder", &parent))?;
    let staging = staging_name(dir)?;
    DirBuilder::new().mode(0o700).create(&staging).map_err(io("make the folder", &staging))?;
    let placed = fill(keys, &staging).and_then(|()| {
        // Renaming over an empty folder is allowed, over a full one it is not: nothing is ever overwritten.
        std::fs::rename(&staging, dir).map_err(io("put the keys at", dir))
    });
    if placed.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = std::fs::remove_dir_all(&staging);
    }
    placed.and_then(|()| sync_dir(&parent))
}

fn fill(keys: &NodeKeys, staging: &Path) -> Result<(), KeyError> {
    for (purpose, name) in PRIVATE_FILES {
        let der = match purpose {
            KeyUse::Channel => keys.channel.private_der(),
            KeyUse::Signing => pkcs8_der(keys.signing.as_bytes()),
            KeyUse::Ledger => pkcs8_der(keys.ledger.as_bytes()),
            KeyUse::Witness => pkcs8_der(keys.witness.as_bytes()),
        };
        write_new(&staging.join(name), &pem("PRIVATE KEY", &der), 0o600)?;
    }
    let certificate = pem("CERTIFICATE", keys.channel.certificate());
    write_new(&staging.join(CERTIFICATE_FILE), &certificate, 0o644)?;
    sync_dir(staging)
}

pub(super) fn store_certificate(key: &ChannelKey, dir: &Path) -> Result<(), KeyError> {
    let target = dir.join(CERTIFICATE_FILE);
    let staging = staging_name(&target)?;
    let written = write_new(&staging, &pem("CERTIFICATE", key.certificate()), 0o644)
        .and_then(|()| std::fs::rename(&staging, &target).map_err(io("replace", &target)));
    if written.is_err() {
        let _ = std::fs::remove_file(&staging);
    }
    written.and_then(|()| sync_dir(dir))
}

pub(super) fn load_all(dir: &Path) -> Result<NodeKeys, KeyError> {
    let folder = std::fs::metadata(dir).map_err(io("open the key folder", dir))?;
    if folder.mode() & 0o022 != 0 {
        return Err(KeyError::OpenToOthers {
            path: dir.to_owned(),
            mode: folder.mode() & 0o7777,
            wanted: 0o700,
        });
    }
    let [channel, signing, ledger, witness] = PRIVATE_FILES.map(|(_, name)| read_private(&dir.join(name)));
    Ok(NodeKeys {
        channel: load_channel(dir, channel?)?,
        signing: SigningKey::from_bytes(&*signing?),
        ledger: SigningKey::from_bytes(&*ledger?),
        witness: SigningKey::from_bytes(&*witness?),
    })
}

/// Writes one private key to a new file with mode 0600: a person's own key, which no node holds.
///
/// # Errors
/// [`KeyError::Io`] also when there is a file already; keys are never overwritten.
pub fn store_one(key: &SigningKey, path: &Path) -> Result<(), KeyError> {
    write_new(path, &pem("PRIVATE KEY", &pkcs8_der(key.as_bytes())), 0o600)?;
    sync_dir(&parent_of(path))
}

/// Reads what [`store_one`] or `openssl genpkey -algorithm ed25519` wrote.
///
/// # Errors
/// [`KeyError::OpenToOthers`] names the command to run; [`KeyError::Malformed`] and [`KeyError::Io`] name the file.
pub fn load_one(path: &Path) -> Result<SigningKey, KeyError> {
    Ok(SigningKey::from_bytes(&*read_private(path)?))
}

fn load_channel(dir: &Path, seed: Zeroizing<[u8; 32]>) -> Result<ChannelKey, KeyError> {
    let path = dir.join(CERTIFICATE_FILE);
    let file = File::open(&path).map_err(io("open", &path))?;
    let malformed = || KeyError::Malformed { path: path.clone(), expected: "a PEM certificate" };
    let certificate = CertificateDer::from_pem_slice(&read_bounded(file, &path, "a PEM certificate")?)
        .map_err(|_| malformed())?;
    crate::tls::spki_sha256(&certificate).map_err(|_| malformed())?;
    ChannelKey::from_parts(seed, certificate).ok_or(KeyError::CertificateOfAnotherKey(path))
}

fn read_private(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    const EXPECTED: &str = "an Ed25519 private key in PKCS#8 PEM";
    let file = File::open(path).map_err(io("open", path))?;
    // Asked of the open file, so that nobody can swap it between the look and the read.
    let mode = file.metadata().map_err(io("look at", path))?.mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::OpenToOthers { path: path.to_owned(), mode: mode & 0o7777, wanted: 0o600 });
    }
    let text = read_bounded(file, path, EXPECTED)?;
    PrivatePkcs8KeyDer::from_pem_slice(&text)
        .ok()
        .and_then(|der| seed_of_pkcs8(der.secret_pkcs8_der()))
        .ok_or_else(|| KeyError::Malformed { path: path.to_owned(), expected: EXPECTED })
}

fn read_bounded(file: File, path: &Path, expected: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut text = Zeroizing::new(Vec::new());
    file.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(io("read", path))?;
    if text.len() as u64 > KEY_FILE_BYTES_MAX {
        return Err(KeyError::Malformed { path: path.to_owned(), expected });
    }
    Ok(text)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), KeyError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io("create", path))?;
    file.write_all(text.as_bytes()).map_err(io("write", path))?;
    file.sync_all().map_err(io("make durable", path))
}

/// RFC 7468 text. The result may hold a secret: it is wiped when dropped.
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(b64(der));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (i, c) in body.chars().enumerate() {
        if i > 0 && i % PEM_LINE_CHARS == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

fn refuse_occupied(dir: &Path) -> Result<(), KeyError> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(KeyError::Exists(dir.to_owned())),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io("look into", dir)(e)),
    }
}

/// A name beside the target that no other process uses.
fn staging_name(target: &Path) -> Result<PathBuf, KeyError> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(KeyError::Random)?;
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(parent_of(target).join(format!(".{name}.{}.tmp", hex(&random))))
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync_dir(dir: &Path) -> Result<(), KeyError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io("make durable", dir))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { what, path, source }
}
