//! Making a bundle: which entries, which tiles lead from them to the root, which fields are opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File as Disk;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ledger::Signer;
use ledger::checkpoint::CHECKPOINT_BYTES_MAX;
use ledger::commitment::Field;
use ledger::proof::ProofFile;
use ledger::source::Source;
use ledger::statement::{Deed, Own, SignedStatement, Statement};
use ledger::tile::{Content, TILE_WIDTH, Tile, level_length, levels_of};
use ledger::timestamp::TOKEN_BYTES_MAX;
use ledger::timestamp::files::Pair;
use sha2::{Digest, Sha256};

use super::{
    FORM, File, Manifest, Opened as OpenedField, Unreadable, leaf_name, note_text, proof_name, readme, stamps,
};
use crate::audit::filter::Period;
use crate::audit::place::Opened;
use crate::audit::told;
use crate::error::{Error, Result};
use crate::flow::evidence;
use crate::records::Side;
use crate::{files, operation};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// For whom.
    pub made_for: String,
    /// For which purpose.
    pub purpose: Option<String>,
    /// Of which days.
    pub period: Period,
    /// Only these exchanges; empty for all.
    pub exchanges: Vec<String>,
    /// Fields to open, of those exchanges.
    pub open: Vec<Field>,
}

/// What will be given: found before the node notes it down, written after.
#[derive(Debug)]
pub struct Plan {
    ranges: Vec<Range<u64>>,
    opened: Vec<OpenedField>,
    stamps: Vec<Pair>,
    unreadable: Vec<Unreadable>,
    /// Agencies that the entries name: their descriptors ride along.
    parties: BTreeSet<String>,
    order: Order,
}

impl Plan {
    /// Chooses the entries and opens the fields. `dir` is the node's folder, which `log` was opened from.
    pub fn make(dir: &Path, log: &Opened, order: Order) -> Result<Self> {
        if !order.open.is_empty() && order.exchanges.is_empty() {
            return Err(Error::usage("fields are opened by need: name the exchanges with --exchange ID"));
        }
        let parties = BTreeSet::from([log.owner()]);
        let mut plan = Self {
            ranges: Vec::new(),
            opened: Vec::new(),
            stamps: Vec::new(),
            unreadable: Vec::new(),
            parties,
            order,
        };
        let (mut found, mut anchored) = (BTreeSet::new(), BTreeSet::new());
        for entry in log.entries(0) {
            let entry = entry?;
            let signed = match SignedStatement::parse(&entry.bytes) {
                Ok(signed) => signed,
                Err(error) => {
                    plan.unreadable.push(Unreadable::new(entry.index, &error.to_string()));
                    continue;
                }
            };
            let said = signed.statement();
            let id = said.id().as_str();
            let asked = plan.order.exchanges.is_empty() || plan.order.exchanges.iter().any(|e| e == id);
            if !asked || !plan.order.period.holds(said.time().get()) {
                continue;
            }
            found.insert(id.to_owned());
            plan.parties.insert(signed.signer().to_owned());
            plan.parties.extend(parties_of(said));
            match plan.ranges.last_mut() {
                Some(last) if last.end == entry.index => last.end += 1,
                _ => plan.ranges.push(entry.index..entry.index + 1),
            }
            match said {
                Statement::Exchange(_) => plan.open(dir, &log.owner(), entry.index, said)?,
                Statement::Own(Own { deed: Deed::Anchored(stamp), .. }) => {
                    anchored.insert(stamp.size);
                }
                _ => {}
            }
        }
        if let Some(lost) = plan.order.exchanges.iter().find(|id| !found.contains(*id)) {
            return Err(Error::not_found(format!(
                "the ledger has no entry of exchange {lost} in this period"
            )));
        }
        if plan.ranges.is_empty() {
            return Err(Error::not_found("the ledger has no entry in this period; nothing was written"));
        }
        plan.stamps = stamps::chosen(&dir.join("ledger"), &plan.ranges, &anchored, log.reader.size())?;
        Ok(plan)
    }

    fn open(&mut self, dir: &Path, me: &str, index: u64, said: &Statement) -> Result<()> {
        let Statement::Exchange(exchange) = said else { return Ok(()) };
        let question = &exchange.question;
        let provides = question.provider.as_str() == me;
        let (side, peer) = if provides {
            (Side::Provider, question.consumer.as_str())
        } else {
            (Side::Consumer, question.provider.as_str())
        };
        for field in &self.order.open {
            let id = question.id.as_str();
            let closed = |why: &str| {
                Error::not_found(format!(
                    "the field `{}` of exchange {id} cannot be opened: {why}",
                    field.name()
                ))
            };
            let committed = said.commitment(*field).ok_or_else(|| closed("the entry has no such field"))?;
            let kept = evidence::of(dir, side, peer, id)?;
            let kept = kept.ok_or_else(|| closed("what opens it was erased or never came"))?;
            let value = match field {
                Field::Request => Some(kept.request()?),
                Field::Response => kept.response.clone().map(String::into_bytes),
                Field::User => kept.committed.user.clone().map(String::into_bytes),
                Field::Subject => kept.committed.subject.clone().map(String::into_bytes),
                Field::Case => kept.committed.case.clone().map(String::into_bytes),
                Field::Question | Field::Verdict => None,
            };
            let value = value.ok_or_else(|| closed("its value is not kept here"))?;
            let opening = kept.key()?.open(*field, &value);
            if !opening.fits(&committed) {
                return Err(closed("what is kept does not fit the entry"));
            }
            self.opened.push(OpenedField::new(index, &opening));
        }
        Ok(())
    }

    /// First entry and the end of the last one.
    pub fn span(&self) -> (u64, u64) {
        (self.ranges.first().map_or(0, |r| r.start), self.ranges.last().map_or(0, |r| r.end))
    }

    /// How many entries.
    pub fn entries(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// How many fields are opened.
    pub fn opened(&self) -> u64 {
        self.opened.len() as u64
    }

    /// How many time-stamps.
    pub fn stamps(&self) -> u64 {
        self.stamps.len() as u64
    }

    /// Writes the file, whole or not at all. `signer` is the node's signing key under its participant id.
    pub fn write(self, log: &Opened, signer: &Signer, now: i64, out: &Path) -> Result<Manifest> {
        let names = self.names(log);
        let parties = self.parties;
        let tree = log.reader.checkpoint();
        let mut manifest = Manifest {
            form: FORM.to_owned(),
            origin: tree.origin.to_string(),
            participant: signer.vkey().name().to_string(),
            made_for: self.order.made_for.clone(),
            purpose: self.order.purpose.clone(),
            created: operation::rfc3339(now),
            period: self.order.period.days(),
            exchanges: self.order.exchanges.clone(),
            size: tree.size,
            root: tree.root.to_string(),
            entries: self.ranges.iter().map(|range| (range.start, range.end)).collect(),
            unreadable: self.unreadable,
            opened: self.opened,
            files: BTreeMap::new(),
        };
        let fixed = fixed_files(log, &manifest, &parties)?;
        for (name, part) in &names {
            manifest.files.insert(name.clone(), listed(&part.bytes(log)?));
        }
        manifest.files.extend(fixed.iter().map(|(name, bytes)| (name.clone(), listed(bytes))));
        let json = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
        let digest = files::hex(&Sha256::digest(&json));
        let note = signer.sign(&note_text(&manifest.origin, &digest)).map_err(Error::internal)?;
        let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|e| Error::io(folder, e))?;
        {
            let mut tar = Tar::new(temporary.as_file_mut(), out);
            for (name, bytes) in &fixed {
                tar.put(name, bytes)?;
            }
            tar.put("bundle.json", &json)?;
            tar.put("bundle.note", &note.to_bytes())?;
            for (name, part) in &names {
                tar.put(name, &part.bytes(log)?)?;
            }
            tar.end()?;
        }
        temporary.as_file().sync_all().map_err(|e| Error::io(out, e))?;
        temporary.persist(out).map_err(|e| Error::io(out, e.error))?;
        Ok(manifest)
    }

    /// Tiles, entries and time-stamps, by the names they get.
    fn names(&self, log: &Opened) -> BTreeMap<String, Part> {
        let size = log.reader.size();
        let mut parts = BTreeMap::new();
        let mut tiles = BTreeSet::new();
        // The right edge of the tree and of each one that was stamped: their roots are made of it.
        for edge in self.stamps.iter().map(|pair| pair.size).chain([size]) {
            for level in levels_of(size) {
                tiles.extend(tile_at(level, level_length(level, edge) / TILE_WIDTH, size));
            }
        }
        for Pair { size, token, checkpoint } in self.stamps.iter().cloned() {
            parts.insert(stamps::name(size, stamps::TOKEN), Part::Kept(token, TOKEN_BYTES_MAX));
            parts.insert(stamps::name(size, stamps::NOTE), Part::Kept(checkpoint, CHECKPOINT_BYTES_MAX));
        }
        for range in &self.ranges {
            let mut at = range.start;
            while at < range.end {
                let n = at / TILE_WIDTH;
                let end = range.end.min((n + 1) * TILE_WIDTH);
                for level in levels_of(size) {
                    tiles.extend(tile_at(level, n.checked_shr(8 * u32::from(level)).unwrap_or(0), size));
                }
                let width = (size - n * TILE_WIDTH).min(TILE_WIDTH);
                match Tile::new(Content::Entries, n, u16::try_from(width).unwrap_or(256)) {
                    Ok(bundle) if at == n * TILE_WIDTH && end - at == width => {
                        parts.insert(bundle.to_string(), Part::Tile(bundle));
                    }
                    _ => parts.extend(
                        (at..end)
                            .flat_map(|i| [(leaf_name(i), Part::Leaf(i)), (proof_name(i), Part::Proof(i))]),
                    ),
                }
                at = end;
            }
        }
        parts.extend(tiles.into_iter().map(|tile| (tile.to_string(), Part::Tile(tile))));
        parts
    }
}

/// Tile `n` of a level as wide as the tree makes it; none when it would be empty.
fn tile_at(level: u8, n: u64, size: u64) -> Option<Tile> {
    let width = level_length(level, size).saturating_sub(n.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH);
    Tile::new(Content::Hashes { level }, n, u16::try_from(width).ok()?).ok()
}

/// Something that is read anew when it is needed, so that memory stays the same.
enum Part {
    Tile(Tile),
    Leaf(u64),
    Proof(u64),
    /// A file of the log's folder, and how long it may be.
    Kept(PathBuf, usize),
}

impl Part {
    fn bytes(&self, log: &Opened) -> Result<Vec<u8>> {
        let gone = || Error::internal("an entry or tile is gone while it is exported");
        match self {
            Self::Tile(tile) => log.reader.source().tile(tile).map_err(told)?.ok_or_else(gone),
            Self::Leaf(index) => {
                let entry = log.reader.entries(*index..index + 1).next().ok_or_else(gone)?;
                Ok(entry.map_err(told)?.bytes)
            }
            Self::Proof(index) => {
                let path = log.reader.inclusion(*index).map_err(told)?;
                let checkpoint = log.reader.signed().clone();
                Ok(ProofFile { extra: None, index: *index, path, checkpoint }.to_bytes())
            }
            Self::Kept(path, max) => files::read_limited(path, *max),
        }
    }
}

fn listed(bytes: &[u8]) -> File {
    File { bytes: bytes.len() as u64, sha256: files::hex(&Sha256::digest(bytes)) }
}

fn parties_of(said: &Statement) -> Vec<String> {
    let of = |q: &ledger::statement::Question| vec![q.provider.to_string(), q.consumer.to_string()];
    match said {
        Statement::Intent(intent) => of(&intent.question),
        Statement::Exchange(exchange) => of(&exchange.question),
        _ => Vec::new(),
    }
}

/// The readme, the checkpoint, and the descriptors of the agencies that the entries name.
fn fixed_files(
    log: &Opened,
    manifest: &Manifest,
    parties: &BTreeSet<String>,
) -> Result<Vec<(String, Vec<u8>)>> {
    let members =
        log.trust.book.as_ref().map(|book| book.members(|id| parties.contains(id))).unwrap_or_default();
    let members = serde_json::to_vec_pretty(&members).map_err(Error::internal)?;
    let vkey = log.trust.keys_of(&manifest.origin).first().map_or_else(String::new, ToString::to_string);
    Ok(vec![
        ("README.txt".to_owned(), readme::text(manifest, &vkey).into_bytes()),
        ("checkpoint".to_owned(), log.reader.signed().to_bytes()),
        ("registry.json".to_owned(), members),
    ])
}

/// A tar whose bytes hang on its contents alone: no times, no owners.
struct Tar<'a> {
    builder: tar::Builder<BufWriter<&'a mut Disk>>,
    out: &'a Path,
}

impl<'a> Tar<'a> {
    fn new(disk: &'a mut Disk, out: &'a Path) -> Self {
        Self { builder: tar::Builder::new(BufWriter::new(disk)), out }
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        self.builder.append_data(&mut header, name, bytes).map_err(|e| Error::io(self.out, e))
    }

    fn end(self) -> Result<()> {
        let mut inner = self.builder.into_inner().map_err(|e| Error::io(self.out, e))?;
        inner.flush().map_err(|e| Error::io(self.out, e))
    }
}
