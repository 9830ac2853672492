//! Reading a bundle: where each file lies in the tar, and every byte checked by its digest before it is used.

use std::collections::BTreeMap;
use std::fs::File as Disk;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use certs::descriptor::SignedDescriptor;
use certs::note::Note;
use ledger::LedgerError;
use ledger::checkpoint::SignedCheckpoint;
use ledger::proof::ProofFile;
use ledger::source::{BUNDLE_BYTES_MAX, Entry, Source};
use ledger::tile::Tile;
use sha2::{Digest, Sha256};

use super::{
    FILES_MAX, FORM, Head, MANIFEST_BYTES_MAX, Manifest, cut, forged, leaf_name, proof_name, stamps,
};
use crate::error::{Error, Result};
use crate::files;

/// Names that are no part of the tree.
const PLAIN: [&str; 5] = ["README.txt", "bundle.json", "bundle.note", "checkpoint", "registry.json"];
/// The two files that the list of contents cannot list.
const UNLISTED: [&str; 2] = ["bundle.json", "bundle.note"];

/// An opened bundle. Its own list of contents is believed only after [`Head::check`].
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    disk: Disk,
    places: BTreeMap<String, (u64, u64)>,
    /// What it says of itself.
    pub head: Head,
}

impl Bundle {
    /// Reads names and list of contents, and holds them against each other.
    pub fn open(path: &Path) -> Result<Self> {
        let disk = Disk::open(path).map_err(|e| Error::io(path, e))?;
        let places = places(path, &disk)?;
        let raw = |name: &str, max: u64| -> Result<Vec<u8>> {
            let place = places.get(name).ok_or_else(|| cut(path, name, "it is not in the file"))?;
            pread(path, &disk, name, *place, max)
        };
        let json = raw("bundle.json", MANIFEST_BYTES_MAX)?;
        let manifest: Manifest =
            serde_json::from_slice(&json).map_err(|e| forged(path, "bundle.json", &e.to_string()))?;
        if manifest.form != FORM {
            return Err(forged(path, "bundle.json", "its form is one that this program does not know"));
        }
        let note = Note::parse(&raw("bundle.note", 64 << 10)?);
        let note = note.map_err(|e| forged(path, "bundle.note", &e.to_string()))?;
        let digest = files::hex(&Sha256::digest(&json));
        let head = Head { manifest, members: Vec::new(), note, digest };
        let mut bundle = Self { path: path.to_owned(), disk, places, head };
        bundle.same_names()?;
        bundle.ordered()?;
        bundle.head.members = bundle.read_members()?;
        Ok(bundle)
    }

    fn read_members(&self) -> Result<Vec<SignedDescriptor>> {
        let bytes = self.file("registry.json")?.unwrap_or_default();
        serde_json::from_slice(&bytes).map_err(|e| forged(&self.path, "registry.json", &e.to_string()))
    }

    fn same_names(&self) -> Result<()> {
        let listed = &self.head.manifest.files;
        for (name, file) in listed {
            match self.places.get(name) {
                None => return Err(cut(&self.path, name, "`bundle.json` lists it and it is not there")),
                Some((_, bytes)) if *bytes != file.bytes => {
                    let why = format!("it has {bytes} bytes instead of {}", file.bytes);
                    return Err(forged(&self.path, name, &why));
                }
                Some(_) => {}
            }
        }
        let stray =
            self.places.keys().find(|name| !listed.contains_key(*name) && !UNLISTED.contains(&name.as_str()));
        stray.map_or(Ok(()), |name| Err(forged(&self.path, name, "`bundle.json` does not list it")))
    }

    fn ordered(&self) -> Result<()> {
        let said = &self.head.manifest;
        let mut end = 0;
        for (from, to) in &said.entries {
            if from < &end || from >= to || *to > said.size {
                return Err(forged(&self.path, "bundle.json", "its ranges of entries cannot be"));
            }
            end = *to;
        }
        let given = |index: u64| said.entries.iter().any(|(from, to)| (*from..*to).contains(&index));
        if said.unreadable.iter().any(|left| left.index >= said.size || given(left.index)) {
            return Err(forged(&self.path, "bundle.json", "an entry that it leaves out cannot be left out"));
        }
        Ok(())
    }

    /// A listed file, checked by its digest.
    fn file(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let (Some(place), Some(file)) = (self.places.get(name), self.head.manifest.files.get(name)) else {
            return Ok(None);
        };
        let bytes = pread(&self.path, &self.disk, name, *place, BUNDLE_BYTES_MAX as u64)?;
        if files::hex(&Sha256::digest(&bytes)) != file.sha256 {
            return Err(forged(&self.path, name, "its SHA-256 is not the one that `bundle.json` lists"));
        }
        Ok(Some(bytes))
    }

    /// Reads every listed file, so that nothing in it is unchecked. Gives back how many.
    pub fn check_files(&self) -> Result<u64> {
        for name in self.head.manifest.files.keys() {
            self.file(name)?;
        }
        Ok(self.head.manifest.files.len() as u64)
    }

    /// Checks the proof that rides beside an entry, if one does.
    pub fn check_proof(&self, entry: &Entry, signed: &SignedCheckpoint) -> Result<()> {
        let name = proof_name(entry.index);
        let Some(bytes) = self.file(&name)? else { return Ok(()) };
        let wrong = |why: String| forged(&self.path, &name, &why);
        let proof = ProofFile::parse(&bytes).map_err(|e| wrong(e.to_string()))?;
        if proof.index != entry.index || proof.checkpoint != *signed {
            return Err(wrong("it is of another entry or tree".to_owned()));
        }
        let tree = signed.checkpoint();
        ledger::merkle::verify_inclusion(&entry.leaf, entry.index, tree.size, &proof.path, &tree.root)
            .map_err(|e| wrong(e.to_string()))
    }

    /// The sizes of the trees that were stamped, as the names of the files say.
    pub fn stamped(&self) -> impl Iterator<Item = u64> + '_ {
        self.head.manifest.files.keys().filter_map(|name| stamps::size_of(name, stamps::TOKEN))
    }

    /// The answer of the time-stamping authority over the tree of that size.
    pub fn token(&self, size: u64) -> Result<Option<Vec<u8>>> {
        self.file(&stamps::name(size, stamps::TOKEN))
    }

    /// The note that this answer is over.
    pub fn stamped_note(&self, size: u64) -> Result<Vec<u8>> {
        let name = stamps::name(size, stamps::NOTE);
        let found = self.file(&name)?;
        found.ok_or_else(|| cut(&self.path, &name, "the time-stamp over it is there and it is not"))
    }

    fn give(&self, name: &str) -> ledger::Result<Option<Vec<u8>>> {
        self.file(name).map_err(|error| LedgerError::NotAsSigned {
            place: self.place(name),
            index: None,
            expected: "the file that the bundle lists".to_owned(),
            found: error.to_string(),
        })
    }
}

impl Source for Bundle {
    fn checkpoint(&self) -> ledger::Result<Vec<u8>> {
        let found = self.give("checkpoint")?;
        found.ok_or_else(|| LedgerError::NotAsSigned {
            place: self.place("checkpoint"),
            index: None,
            expected: "a signed checkpoint".to_owned(),
            found: "nothing".to_owned(),
        })
    }

    fn tile(&self, tile: &Tile) -> ledger::Result<Option<Vec<u8>>> {
        self.give(&tile.to_string())
    }

    fn entry(&self, index: u64) -> ledger::Result<Option<Vec<u8>>> {
        self.give(&leaf_name(index))
    }

    fn place(&self, name: &str) -> String {
        format!("{}:{name}", self.path.display())
    }
}

/// Where each file lies. Names that are not ours, links and doubles are refused.
/// Whether a file may be a bundle at all, damaged or not: its list of contents is named near its beginning.
pub fn looks_like_one(path: &Path) -> Result<bool> {
    let mut start = vec![0; 256 * 1024];
    let disk = Disk::open(path).map_err(|e| Error::io(path, e))?;
    let length = disk.read_at(&mut start, 0).map_err(|e| Error::io(path, e))?;
    let start = start.get(..length).unwrap_or_default();
    let names: [&[u8]; 2] = [b"bundle.json", b"bundle.note"];
    let first = start.get(..100).and_then(|name| name.split(|byte| *byte == 0).next());
    let first = first.and_then(|name| std::str::from_utf8(name).ok()).is_some_and(is_ours);
    Ok(first || names.iter().any(|name| start.windows(name.len()).any(|window| window == *name)))
}

fn places(path: &Path, disk: &Disk) -> Result<BTreeMap<String, (u64, u64)>> {
    let length = disk.metadata().map_err(|e| Error::io(path, e))?.len();
    let no_tar = |why: String| Error::Verification(format!("`{}` is no audit bundle: {why}", path.display()));
    let mut archive = tar::Archive::new(disk);
    let mut places = BTreeMap::new();
    for entry in archive.entries_with_seek().map_err(|e| no_tar(e.to_string()))? {
        let entry = entry.map_err(|e| no_tar(format!("it breaks off: {e}")))?;
        // Who unpacked and packed it again has folders in it; they hold nothing.
        if entry.header().entry_type() == tar::EntryType::Directory {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !is_ours(&name) || entry.header().entry_type() != tar::EntryType::Regular {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(no_tar(format!("`{shown}` is no file of one")));
        }
        let (at, bytes) = (entry.raw_file_position(), entry.size());
        if at.checked_add(bytes).is_none_or(|end| end > length) {
            return Err(cut(path, &name, "the file ends before it"));
        }
        if places.insert(name.clone(), (at, bytes)).is_some() {
            return Err(forged(path, &name, "it is there twice"));
        }
        if places.len() > FILES_MAX {
            return Err(no_tar(format!("it holds over {FILES_MAX} files")));
        }
    }
    Ok(places)
}

fn is_ours(name: &str) -> bool {
    let entry = || {
        let (index, kind) = name.strip_prefix("entry/")?.split_once('.')?;
        let index: u64 = index.parse().ok()?;
        Some(
            ["leaf", "tlog-proof"].contains(&kind) && (leaf_name(index) == name || proof_name(index) == name),
        )
    };
    let stamp = || [stamps::TOKEN, stamps::NOTE].iter().any(|kind| stamps::size_of(name, kind).is_some());
    PLAIN.contains(&name) || name.parse::<Tile>().is_ok() || entry() == Some(true) || stamp()
}

fn pread(path: &Path, disk: &Disk, name: &str, (at, bytes): (u64, u64), max: u64) -> Result<Vec<u8>> {
    if bytes > max {
        return Err(forged(path, name, &format!("it is over {max} bytes")));
    }
    let mut read = vec![0; usize::try_from(bytes).unwrap_or(0)];
    disk.read_exact_at(&mut read, at).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => cut(path, name, "the file ends before it"),
        _ => Error::io(path, e),
    })?;
    Ok(read)
}
