//! Where a ledger lies, and how it is opened there: a node's folder, a log's folder, a mirror, an address, a bundle.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::checkpoint::SignedCheckpoint;
use ledger::source::{Entry, Folder, Reader, Source, Tree};
use ledger::tile::{Content, Tile};
use ledger::timestamp::Roots;
use ledger::trust::TrustPolicy;
use tokio::runtime::Handle;

use super::bundle::{self, Bundle};
use super::http::Http;
use super::told;
use super::trust::Trust;
use crate::error::{Error, Result};
use crate::witness::quorum;

/// What a place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A node's folder.
    Node(PathBuf),
    /// The folder of a log alone.
    Log(PathBuf),
    /// A folder of static tiles.
    Mirror(PathBuf),
    /// An address with tiles below.
    Address(String),
    /// An exported file.
    Bundle(PathBuf),
}

impl Place {
    /// Tells what `text` names.
    pub fn find(text: &str) -> Result<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Address(text.to_owned()));
        }
        let path = std::path::absolute(text).map_err(|e| Error::io(Path::new(text), e))?;
        if path.is_file() {
            return if bundle::looks_like_one(&path)? {
                Ok(Self::Bundle(path))
            } else {
                Err(Error::usage(format!(
                    "`{text}` is no bundle that `tram ledger export` wrote; name such a file, a node's folder, a mirror or an address"
                )))
            };
        }
        if !path.is_dir() {
            return Err(Error::not_found(format!(
                "`{text}` is not there, or may not be read by you: name a folder, a bundle or an address (http:// or https://)"
            )));
        }
        if path.join("descriptor.json").exists() || path.join("ledger").is_dir() {
            Ok(Self::Node(path))
        } else if path.join("meta").exists() && path.join("entries.dat").exists() {
            Ok(Self::Log(path))
        } else if path.join("tile").is_dir() || path.join("checkpoint").exists() {
            Ok(Self::Mirror(path))
        } else {
            Err(Error::not_found(format!(
                "`{text}` holds no ledger: no node's folder, no log and no mirror (`checkpoint`, `tile/`)"
            )))
        }
    }

    /// One word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Node(_) => "node",
            Self::Log(_) => "log",
            Self::Mirror(_) => "mirror",
            Self::Address(_) => "address",
            Self::Bundle(_) => "bundle",
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(path) | Self::Log(path) | Self::Mirror(path) | Self::Bundle(path) => {
                write!(f, "{}", path.display())
            }
            Self::Address(url) => f.write_str(url),
        }
    }
}

/// How to reach a place and whom to believe.
#[derive(Clone)]
pub struct Access {
    /// Files with keys.
    pub keys: Vec<PathBuf>,
    /// Single keys.
    pub vkeys: Vec<String>,
    /// TLS roots, PEM.
    pub ca: Option<PathBuf>,
    /// Roots of time-stamping authorities.
    pub stamps: Option<Arc<Roots>>,
    /// Whom to trust for a checkpoint, and how many must have cosigned.
    pub policy: Option<Arc<TrustPolicy>>,
    /// How old cosignatures may be, seconds.
    pub max_age: Option<u64>,
    /// Folder with archived entries.
    pub archive: Option<PathBuf>,
    /// Of a node's folder: as far as its witnesses vouch for it, if they do.
    pub witnessed: bool,
    /// Bearer token.
    pub token: Option<String>,
    /// The runtime that requests run on.
    pub handle: Handle,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} files, {} keys)", self.keys.len(), self.vkeys.len())
    }
}

impl Access {
    /// Nothing but what lies at the place.
    pub fn plain(handle: Handle) -> Self {
        Self {
            keys: vec![],
            vkeys: vec![],
            ca: None,
            stamps: None,
            policy: None,
            max_age: None,
            archive: None,
            witnessed: false,
            token: None,
            handle,
        }
    }
}

/// A ledger that can be read: its checkpoint is signed by a known key and its right edge makes the signed root.
pub struct Opened {
    /// Where.
    pub place: Place,
    /// The proved tree.
    pub reader: Reader<Box<dyn Source + Send>>,
    /// The keys.
    pub trust: Trust,
    /// The entries that this place has: all of them, but for a bundle and for archived ones.
    pub ranges: Vec<Range<u64>>,
    /// Entries before this index are in an archive that was not given.
    pub archived: u64,
    /// What came with a bundle.
    pub bundle: Option<bundle::Head>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({}, {:?})", self.place, self.reader)
    }
}

impl Opened {
    /// Opens a place. Blocks.
    pub fn open(place: &Place, access: &Access) -> Result<Self> {
        let given = Trust::given(&access.keys, &access.vkeys)?;
        let (mut bundled, mut first) = (None, 0);
        let mut folder = |dir: &Path| {
            let folder = Folder::open(dir, access.archive.as_deref()).map_err(told)?;
            first = folder.first();
            Ok::<_, Error>(Box::new(folder))
        };
        let (source, own): (Box<dyn Source + Send>, Option<Trust>) = match place {
            Place::Node(dir) => {
                let own = if given.is_empty() { Some(Trust::of_node(dir)?) } else { None };
                (folder(&dir.join("ledger"))?, own)
            }
            Place::Log(dir) => (folder(dir)?, None),
            Place::Mirror(dir) => (Box::new(Tree::new(dir)), None),
            Place::Address(url) => {
                let http =
                    Http::new(url, access.ca.as_deref(), access.token.as_deref(), access.handle.clone())?;
                (Box::new(http), None)
            }
            Place::Bundle(path) => {
                let bundle = Bundle::open(path)?;
                let own = Trust::of_members(bundle.head.members.clone());
                bundled = Some(bundle.head.clone());
                (Box::new(bundle), Some(own))
            }
        };
        let trust = match own {
            Some(own) if given.is_empty() => own,
            _ if given.is_empty() => return Err(no_keys(place)),
            _ => given,
        };
        let bytes = match (&access.witnessed, place) {
            (true, Place::Node(dir)) => quorum::kept(dir)?,
            _ => None,
        };
        let bytes = bytes.map_or_else(|| source.checkpoint().map_err(told), Ok)?;
        let signed = Self::signed(&source, &bytes, &trust)?;
        let reader = match (Reader::at(source, signed), place) {
            (Err(error), Place::Address(url)) => {
                return Err(elsewhere(url, access, &bytes).unwrap_or_else(|| told(error)));
            }
            (read, _) => read.map_err(told)?,
        };
        if let Some(head) = &bundled {
            head.check(path_of(place), &trust, reader.checkpoint())?;
        }
        let ranges = bundled
            .as_ref()
            .map_or_else(|| std::iter::once(first..reader.size()).collect(), bundle::Head::ranges);
        Ok(Self { place: place.clone(), reader, trust, ranges, archived: first, bundle: bundled })
    }

    /// The checkpoint, signed by a key that is trusted.
    fn signed(source: &dyn Source, bytes: &[u8], trust: &Trust) -> Result<SignedCheckpoint> {
        let place = source.place("checkpoint");
        let wrong = |why: String| Error::Verification(format!("`{place}`: {why}"));
        let signed = SignedCheckpoint::parse(bytes).map_err(|e| wrong(e.to_string()))?;
        let keys = trust.keys_of(signed.checkpoint().origin.as_str());
        if keys.is_empty() {
            return Err(Error::usage(format!(
                "`{place}` is of the ledger `{}`, and no key of it was given; add --keys FILE or --vkey KEY of its agency",
                signed.checkpoint().origin
            )));
        }
        signed.verify(&keys).map_err(|e| {
            wrong(format!(
                "expected a checkpoint of `{}` signed by a key that is trusted here, found: {e}",
                signed.checkpoint().origin
            ))
        })?;
        Ok(signed)
    }

    /// The name of the log.
    pub fn origin(&self) -> String {
        self.reader.checkpoint().origin.to_string()
    }

    /// The agency whose log it is.
    pub fn owner(&self) -> String {
        self.trust.owner(self.reader.checkpoint().origin.as_str())
    }

    /// How many entries this place has.
    pub fn held(&self) -> u64 {
        self.ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum()
    }

    /// All entries that this place has from an index on, each proved.
    pub fn entries(&self, from: u64) -> impl Iterator<Item = Result<Entry>> + '_ {
        let ranges = self.ranges.iter().map(move |range| range.start.max(from)..range.end);
        ranges
            .filter(|range| !range.is_empty())
            .flat_map(|range| self.reader.entries(range))
            .map(|e| e.map_err(told))
    }
}

/// What to say of an address that shows a checkpoint and has no tile at all, while one step further is the same log: it was
/// asked wrongly, and nobody is accused. (A node's local door shows its checkpoint in two places.)
fn elsewhere(url: &str, access: &Access, checkpoint: &[u8]) -> Option<Error> {
    let origin = |bytes: &[u8]| Some(SignedCheckpoint::parse(bytes).ok()?.checkpoint().origin.clone());
    let open =
        |url: &str| Http::new(url, access.ca.as_deref(), access.token.as_deref(), access.handle.clone()).ok();
    let size = SignedCheckpoint::parse(checkpoint).ok()?.checkpoint().size;
    let here = open(url)?;
    let first = |width| Tile::new(Content::Hashes { level: 0 }, 0, width).ok();
    for tile in [first(u16::try_from(size.min(256)).ok()?)?, first(256)?] {
        if !matches!(here.tile(&tile), Ok(None)) {
            return None;
        }
    }
    let there = format!("{}/tlog", url.trim_end_matches('/'));
    let found = open(&there)?.checkpoint().ok()?;
    (origin(&found)? == origin(checkpoint)?).then(|| {
        Error::usage(format!(
            "`{url}` shows a checkpoint and has no tiles, so it is not the address of a log; give `{there}`"
        ))
    })
}

fn path_of(place: &Place) -> &Path {
    match place {
        Place::Bundle(path) => path,
        _ => Path::new("-"),
    }
}

/// What to say when nobody told whose log it is.
pub(super) fn no_keys(place: &Place) -> Error {
    Error::usage(format!(
        "whose log is at `{place}`? Give its keys: --keys FILE (registry, descriptor or lines of verifier keys) or \
         --vkey KEY, taken from somebody other than the one who serves the log"
    ))
}
