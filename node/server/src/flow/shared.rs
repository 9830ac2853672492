//! Spools that are shared: rows that were made once serve every transfer with the same dataset version, the same
//! restriction (keys of masks included), the same query and format.
//!
//! **Promises.** Each exchange keeps a folder of its own, with links to the chunks and its own signed manifest, so that
//! any of them can be swept alone and nothing needs counting. The gate is asked, intent and outcome are written and
//! quotas are counted for each transfer as if its rows had been made for it. Sealed rows are never shared: each exchange
//! has its own key. Which folder has which shape is written into it, last; a folder from before a restart is hashed
//! before it is shared.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dataplane::{DataError, Job, SpoolReader};

use crate::datasets::Dataset;

/// Name of the file in a spool's folder that holds its shape.
const SHAPE_FILE: &str = "shape";

/// A sealed spool that may be shared.
#[derive(Debug, Clone)]
struct Stored {
    folder: PathBuf,
    /// As it was written; none of a folder that was found after a restart.
    reader: Option<SpoolReader>,
}

/// The shapes of the spools that lie here.
#[derive(Default)]
pub struct Shapes {
    known: Mutex<Option<HashMap<String, Vec<Stored>>>>,
}

/// The shape of a job over a dataset as it is now.
pub fn shape(dataset: &Dataset, job: &Job, chunk_bytes: u64) -> Option<String> {
    if !job.repeats() {
        return None;
    }
    let report = dataset.report.as_ref()?;
    let version = dataset.record.version.to_string();
    let file = format!("{} {} {}", report.sha256, report.bytes, report.changed_ns);
    let chunk = chunk_bytes.to_string();
    Some(job.shape(&[dataset.record.id.as_str(), &version, &file, &chunk]).to_string())
}

impl Shapes {
    /// Takes over the rows of a spool of this shape, if one lies here whole. Blocks on the disk.
    pub fn adopt(&self, spool: &Path, shape: &str, folder: &Path) -> Option<SpoolReader> {
        let candidates =
            self.known(spool).as_ref().and_then(|known| known.get(shape).cloned()).unwrap_or_default();
        for stored in candidates.into_iter().rev().filter(|stored| stored.folder != folder) {
            let adopted =
                stored.reader.clone().map_or_else(|| SpoolReader::open(&stored.folder), Ok).and_then(
                    |reader| {
                        reader.verify()?;
                        reader.adopt(folder)
                    },
                );
            match adopted {
                Ok(reader) => return Some(reader),
                Err(error) => {
                    // Swept in the meantime, damaged, or on a disk without links: the rows are made.
                    tracing::info!(folder = %stored.folder.display(), %error, "a spool cannot be shared");
                    let damaged = matches!(error, DataError::Spool(_));
                    self.let_go(spool, shape, &stored.folder, damaged);
                }
            }
        }
        None
    }

    /// Notes that the sealed spool in `folder` has this shape. Best effort: without the note the rows are made again.
    pub fn note(&self, spool: &Path, shape: &str, folder: &Path, reader: SpoolReader) {
        if let Err(error) = std::fs::write(folder.join(SHAPE_FILE), shape) {
            tracing::info!(folder = %folder.display(), %error, "a spool will not be shared after a restart");
        }
        if let Some(known) = self.known(spool).as_mut() {
            let stored = Stored { folder: folder.to_owned(), reader: Some(reader) };
            known.entry(shape.to_owned()).or_default().push(stored);
        }
    }

    /// Forgets a folder, and with damage its shape: what else is linked to the same chunks is no better.
    fn let_go(&self, spool: &Path, shape: &str, folder: &Path, damaged: bool) {
        let mut known = self.known(spool);
        let Some(list) = known.as_mut().and_then(|known| known.get_mut(shape)) else { return };
        for stored in list.iter().filter(|stored| damaged || stored.folder == folder) {
            let _ = std::fs::remove_file(stored.folder.join(SHAPE_FILE));
        }
        list.retain(|stored| !damaged && stored.folder != folder);
    }

    /// Lets go of what was swept.
    pub fn keep_existing(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_mut() {
            known.retain(|_, list| {
                list.retain(|stored| stored.folder.exists());
                !list.is_empty()
            });
        }
    }

    /// What is known; the first time, what lies in the spool.
    fn known(&self, spool: &Path) -> MutexGuard<'_, Option<HashMap<String, Vec<Stored>>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let mut found: HashMap<String, Vec<Stored>> = HashMap::new();
            for entry in std::fs::read_dir(spool).into_iter().flatten().flatten() {
                let folder = entry.path();
                if let Ok(shape) = std::fs::read_to_string(folder.join(SHAPE_FILE)) {
                    found.entry(shape).or_default().push(Stored { folder, reader: None });
                }
            }
            *known = Some(found);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use dataplane::ChunkWriter;
    use dataplane::limits::CHUNK_BYTES_MIN;

    use super::*;

    const SHAPE: &str = "a shape";

    fn write(folder: &Path, bytes: &[u8]) -> SpoolReader {
        let (mut writer, reader) = ChunkWriter::create(folder, CHUNK_BYTES_MIN).unwrap();
        writer.write(bytes).unwrap();
        writer.seal(1, false).unwrap();
        reader
    }

    #[test]
    fn a_spool_is_shared_by_links_and_either_folder_may_go() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, bytes) = (dir.path(), vec![7; CHUNK_BYTES_MIN as usize + 5]);
        let shapes = Shapes::default();
        assert!(shapes.adopt(spool, SHAPE, &spool.join("b")).is_none());
        let first = write(&spool.join("a"), &bytes);
        shapes.note(spool, SHAPE, &spool.join("a"), first.clone());
        assert!(shapes.adopt(spool, "another shape", &spool.join("b")).is_none());
        let shared = shapes.adopt(spool, SHAPE, &spool.join("b")).unwrap();
        assert_eq!(shared.summary(), first.summary());
        std::fs::remove_dir_all(spool.join("a")).unwrap();
        assert_eq!(std::fs::read(spool.join("b/0.chunk")).unwrap(), bytes[..CHUNK_BYTES_MIN as usize]);
        SpoolReader::open(&spool.join("b")).unwrap().verify().unwrap();
        // What was swept is not offered any more.
        assert!(shapes.adopt(spool, SHAPE, &spool.join("c")).is_none());
    }

    #[test]
    fn after_a_restart_a_whole_spool_is_found_and_a_damaged_one_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path();
        let reader = write(&spool.join("a"), &[7; 100]);
        Shapes::default().note(spool, SHAPE, &spool.join("a"), reader);
        assert!(Shapes::default().adopt(spool, SHAPE, &spool.join("b")).is_some());
        std::fs::write(spool.join("a/0.chunk"), [8; 100]).unwrap();
        assert!(Shapes::default().adopt(spool, SHAPE, &spool.join("c")).is_none());
        assert!(!spool.join("a").join(SHAPE_FILE).exists(), "it is offered again after the next restart");
    }
}
