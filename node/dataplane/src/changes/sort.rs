//! Sorts rows with runs on the disk where they do not fit in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Copy;
use super::rows::{FileSink, Place, Row, Rows, open, open_file};
use crate::DataError;
use crate::limits::{SORT_BYTES, SORT_RUNS_MAX};

/// Sorts what comes, with runs on the disk where it does not fit in memory.
pub(super) fn sort<R: Read>(input: R, key: Vec<Place>, target: &Path) -> Result<Copy, DataError> {
    let (header, mut rows) = open(input, key.clone())?;
    let mut runs = Runs { beside: target.to_owned(), files: Vec::new(), made: 0 };
    let (mut held, mut cost) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        cost += row.cost();
        held.push(row);
        if cost > SORT_BYTES {
            held.sort_unstable();
            runs.put(&header, held.drain(..))?;
            cost = 0;
            if runs.files.len() >= SORT_RUNS_MAX {
                runs.merge(&header, &key)?;
            }
        }
    }
    held.sort_unstable();
    let mut sink = FileSink::create(target, &header)?;
    runs.merged(held, &key, |row| sink.row(&[&row.line, b"\n"]))?;
    sink.finish()
}

/// Sorted pieces of a view on the disk; gone when this is.
struct Runs {
    beside: PathBuf,
    files: Vec<PathBuf>,
    made: usize,
}

impl Drop for Runs {
    fn drop(&mut self) {
        for path in &self.files {
            // Best effort: the folder is scratch and is emptied at the node's start.
            let _ = fs::remove_file(path);
        }
    }
}

impl Runs {
    fn next_path(&mut self) -> PathBuf {
        let mut name = self.beside.as_os_str().to_owned();
        name.push(format!(".run{}", self.made));
        self.made += 1;
        PathBuf::from(name)
    }

    fn put(&mut self, header: &[u8], rows: impl Iterator<Item = Row>) -> Result<(), DataError> {
        let path = self.next_path();
        self.files.push(path.clone());
        let mut sink = FileSink::create(&path, header)?;
        for row in rows {
            sink.row(&[&row.line, b"\n"])?;
        }
        sink.finish().map(|_| ())
    }

    /// Makes one run of all, so that not too many files are open at once.
    fn merge(&mut self, header: &[u8], key: &[Place]) -> Result<(), DataError> {
        let path = self.next_path();
        let mut sink = FileSink::create(&path, header)?;
        self.merged(Vec::new(), key, |row| sink.row(&[&row.line, b"\n"]))?;
        sink.finish()?;
        let old = std::mem::replace(&mut self.files, vec![path]);
        old.iter().try_for_each(fs::remove_file).map_err(DataError::io("remove a sorted run"))
    }

    /// All rows in order, those of the runs and those still held.
    fn merged(
        &self,
        held: Vec<Row>,
        key: &[Place],
        mut take: impl FnMut(&Row) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut inputs: Vec<Rows<File>> = Vec::with_capacity(self.files.len());
        for path in &self.files {
            inputs.push(open_file(path, key)?.1);
        }
        let mut held = held.into_iter();
        let mut heads = BinaryHeap::new();
        for (number, input) in inputs.iter_mut().enumerate() {
            heads.extend(input.next()?.map(|row| Reverse((row, number))));
        }
        heads.extend(held.next().map(|row| Reverse((row, usize::MAX))));
        while let Some(Reverse((row, number))) = heads.pop() {
            take(&row)?;
            let next = match inputs.get_mut(number) {
                Some(input) => input.next()?,
                None => held.next(),
            };
            heads.extend(next.map(|row| Reverse((row, number))));
        }
        Ok(())
    }
}
