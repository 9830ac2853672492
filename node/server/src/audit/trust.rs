//! Whose keys an auditor goes by: given as files or on the command line, or found where the log lies.
//!
//! A file may be a registry, a node's descriptor, or lines with verifier keys (`vkey`, as C2SP signed-note writes them;
//! lines of a tlog-policy are read for the keys in them).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use certs::descriptor::SignedDescriptor;
use certs::note::{KeyKind, KeyName, Vkey};
use certs::registry::{Anchor, Registry, SignedRegistry, VerifiedRegistry};
use ledger::receipt::{DatedKey, KeyBook};
use ledger::statement::SignedStatement;

use crate::error::{Error, Result};
use crate::keybook::Book;

/// Verifier keys in one file.
const VKEYS_MAX: usize = 1_000;

/// Keys of logs, witnesses and authors of statements.
#[derive(Debug, Default)]
pub struct Trust {
    /// Given one by one.
    pub vkeys: Vec<Vkey>,
    /// From registries and descriptors.
    pub book: Option<Book>,
    /// Where they come from, for people.
    pub from: &'static str,
}

impl Trust {
    /// What the auditor gives: files and single keys.
    pub fn given(files: &[PathBuf], vkeys: &[String]) -> Result<Self> {
        let mut trust = Self { from: "given", ..Self::default() };
        for text in vkeys {
            let wrong = |e: &dyn std::fmt::Display| {
                Error::usage(format!("--vkey `{text}` is no verifier key (NAME+ID+BASE64): {e}"))
            };
            trust.vkeys.push(text.parse().map_err(|e| wrong(&e))?);
        }
        let (mut registries, mut descriptors) = (Vec::new(), Vec::new());
        for path in files {
            match read(path)? {
                Keys::Registry(registry) => registries.push(*registry),
                Keys::Descriptor(descriptor) => descriptors.push(*descriptor),
                Keys::Lines(keys) => trust.vkeys.extend(keys),
            }
        }
        trust.put(&registries, descriptors);
        Ok(trust)
    }

    /// What a node's own folder says: its descriptor, and its registry with those that went before.
    pub fn of_node(dir: &Path) -> Result<Self> {
        let mut trust = Self { from: "folder", ..Self::default() };
        let own = crate::ledger_check::descriptor(dir)?;
        let mut registries = Vec::new();
        let mut names: Vec<PathBuf> = fs::read_dir(dir)
            .map_err(|e| Error::io(dir, e))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| is_registry(path))
            .collect();
        names.sort();
        for path in names {
            registries.push(registry(&path, &limited(&path)?)?);
        }
        trust.put(&registries, vec![own]);
        Ok(trust)
    }

    /// Members whose descriptors ride along.
    pub fn of_members(members: Vec<SignedDescriptor>) -> Self {
        Self { vkeys: Vec::new(), book: Some(Book::of_members(members)), from: "bundle" }
    }

    fn put(&mut self, registries: &[VerifiedRegistry], descriptors: Vec<SignedDescriptor>) {
        if registries.is_empty() && descriptors.is_empty() {
            return;
        }
        let all: Vec<&Registry> = registries.iter().map(VerifiedRegistry::registry).collect();
        let mut book = Book::of_registries(&all);
        book.add(descriptors);
        self.book = Some(book);
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.vkeys.is_empty() && self.book.is_none()
    }

    /// The keys that may have signed a checkpoint of this log, with those of witnesses.
    pub fn keys_of(&self, origin: &str) -> Vec<Vkey> {
        let mut keys = self.vkeys.clone();
        let log = self.book.as_ref().and_then(|book| book.log(origin));
        if let (Some(log), Ok(name)) = (log, KeyName::new(origin)) {
            let made = log.keys.iter().map(|key| Vkey::new(name.clone(), KeyKind::Ed25519, key.key));
            keys.extend(made.filter_map(std::result::Result::ok));
        }
        keys
    }

    /// Whose log this is: as the keys say, else by its name.
    pub fn owner(&self, origin: &str) -> String {
        let known = self.book.as_ref().and_then(|book| book.log(origin)).map(|log| log.participant);
        known.unwrap_or_else(|| origin.strip_suffix("/ledger").unwrap_or(origin).to_owned())
    }

    /// Names of an agency, Vietnamese and English, when they are known.
    pub fn names(&self, participant: &str) -> Option<(String, String)> {
        self.book.as_ref()?.names(participant)
    }
}

/// What the signature of a statement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// By a known key of its author.
    Good,
    /// No key of this author is known here.
    Unknown,
    /// In the name of an author whose keys are known, and by none of them; or wrong.
    Wrong,
}

/// Judges statements' signatures; keeps the keys that it made.
#[derive(Debug, Default)]
pub struct Judge {
    keys: HashMap<String, Vec<Vkey>>,
}

impl Judge {
    /// Judges one statement by the keys of its author.
    pub fn judge(&mut self, trust: &Trust, statement: &SignedStatement) -> Signed {
        let signer = statement.signer();
        if !self.keys.contains_key(signer) {
            self.keys.insert(signer.to_owned(), keys_of(trust, signer));
        }
        let keys = self.keys.get(signer).map_or(&[][..], Vec::as_slice);
        let mut claimed = keys.iter().filter(|key| key.id() == statement.key_id());
        if keys.is_empty() {
            return Signed::Unknown;
        }
        if claimed.any(|key| statement.verify(key).is_ok()) { Signed::Good } else { Signed::Wrong }
    }
}

fn keys_of(trust: &Trust, signer: &str) -> Vec<Vkey> {
    let Ok(name) = KeyName::new(signer) else { return Vec::new() };
    let dated: Vec<DatedKey> = trust.book.as_ref().map(|book| book.signing_keys(signer)).unwrap_or_default();
    let made = dated.iter().map(|key| Vkey::new(name.clone(), KeyKind::Ed25519, key.key));
    let given = trust.vkeys.iter().filter(|key| key.name().as_str() == signer).cloned();
    made.filter_map(std::result::Result::ok).chain(given).collect()
}

enum Keys {
    Registry(Box<VerifiedRegistry>),
    Descriptor(Box<SignedDescriptor>),
    Lines(Vec<Vkey>),
}

fn read(path: &Path) -> Result<Keys> {
    let bytes = limited(path)?;
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        if let Ok(descriptor) = SignedDescriptor::parse(&bytes) {
            return Ok(Keys::Descriptor(Box::new(descriptor)));
        }
        return registry(path, &bytes).map(|registry| Keys::Registry(Box::new(registry)));
    }
    let text = String::from_utf8_lossy(&bytes);
    let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let keys: Vec<Vkey> = words.filter_map(|word| word.parse().ok()).take(VKEYS_MAX).collect();
    if keys.is_empty() {
        return Err(Error::usage(format!(
            "`{}` holds no keys; give a registry (registry.json), a descriptor, or lines with verifier keys",
            path.display()
        )));
    }
    Ok(Keys::Lines(keys))
}

fn limited(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let max = certs::registry::REGISTRY_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| Error::io(path, e))?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    if bytes.len() as u64 > max {
        return Err(Error::TooLarge(format!(
            "`{}` is over {max} bytes; it is no file of keys",
            path.display()
        )));
    }
    Ok(bytes)
}

/// A registry must be signed by the operators that it names itself.
fn registry(path: &Path, bytes: &[u8]) -> Result<VerifiedRegistry> {
    let wrong = |why: String| Error::Verification(format!("the registry `{}`: {why}", path.display()));
    let signed = SignedRegistry::parse(bytes).map_err(|e| wrong(e.to_string()))?;
    let said = signed.unverified();
    let anchor = Anchor { threshold: said.threshold, operators: said.operators.clone() };
    signed.verify_first(&anchor).map_err(|e| wrong(e.to_string()))
}

fn is_registry(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == "registry.json" || name.starts_with("registry-") && name.ends_with(".json")
}
