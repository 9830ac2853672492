//! Copies of what only grows: the view is hashed as it is made, and where its beginning is the copy that the consumer
//! holds, only the rows behind it are kept.
//!
//! **Promises.** Length and SHA-256 of the earlier copy are all that is needed of it. That the beginning is the same is
//! proven and not believed: a row that came late, was corrected or went makes it another one, and the whole is made. A
//! view that comes in its order is never written down as a whole; one that does not is sorted as every copy is. The
//! order (the growing column's value, then key and record as always) depends on the rows shown alone.
//!
//! **What it is not.** It does not know whether the column may be shown: the caller names one that the answer has as it is.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::rows::{FileSink, Place, Row, Sink, open, open_file};
use super::sort::sort;
use super::{Copy, pump};
use crate::hashed::Hashed;
use crate::limits::SORT_BYTES;
use crate::merkle::Sha256;
use crate::schema::ColumnKind;
use crate::spool::sync_file;
use crate::{DataError, Job};

/// The copy that a consumer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Bytes of the file.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
}

/// What was made of a view that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// The consumer's copy afterwards.
    pub whole: Copy,
    /// Rows of the file that was written, if those are what came behind the known copy; none where it is the whole.
    pub added: Option<u64>,
}

/// Writes the view of a job as a copy that is sorted by the value of `by` first, then as [`super::ordered`] does. Where it
/// begins with the `known` copy, header and the rows behind it are all that is written.
///
/// # Errors
/// As [`super::ordered`].
pub async fn grown(
    job: Job,
    (by, key): (&str, &[String]),
    known: Option<Known>,
    target: &Path,
) -> Result<Grown, DataError> {
    let names = [&[by.to_owned()][..], key].concat();
    let mut wanted = known;
    loop {
        let (to, held) = (target.to_owned(), wanted);
        match pump(job.clone(), &names, move |input, places| in_order(input, by_value(places), held, &to))
            .await?
        {
            Pass::Made(grown) => return Ok(grown),
            // It is made anew and written from its beginning.
            Pass::Rewritten => wanted = None,
            Pass::Unordered => break,
        }
    }
    let to = target.to_owned();
    let sorted =
        move |input, places| sort(input, by_value(places), &to).and_then(|whole| cut(&to, whole, wanted));
    pump(job, &names, sorted).await
}

/// The growing column is sorted by its value: days and times by their text, whole numbers as numbers.
fn by_value(places: Vec<(usize, ColumnKind)>) -> Vec<Place> {
    let place = |(n, (at, kind)): (usize, (usize, ColumnKind))| Place {
        at,
        number: n == 0 && kind == ColumnKind::Integer,
    };
    places.into_iter().enumerate().map(place).collect()
}

/// How one look at a view ended.
enum Pass {
    Made(Grown),
    /// It does not begin with the known copy.
    Rewritten,
    /// Its rows do not come in the order of copies.
    Unordered,
}

/// Takes a view whose rows come in the order of the growing column.
fn in_order<R: Read>(
    input: R,
    places: Vec<Place>,
    known: Option<Known>,
    target: &Path,
) -> Result<Pass, DataError> {
    let (header, mut rows) = open(input, places)?;
    let mut tail = Tail::new(&header, known, target)?;
    let mut held = Held::default();
    while let Some(row) = rows.next()? {
        match held.fit(&row) {
            Fit::Same => {}
            Fit::Behind => {
                if !tail.rows(held.take())? {
                    return Ok(Pass::Rewritten);
                }
            }
            Fit::Before => return Ok(Pass::Unordered),
        }
        held.put(row);
        // Rows of one value that do not fit in memory are sorted on the disk.
        if held.cost > SORT_BYTES {
            return Ok(Pass::Unordered);
        }
    }
    match tail.rows(held.take())? {
        true => tail.finish(),
        false => Ok(Pass::Rewritten),
    }
}

/// Rows of one value of the growing column, which are sorted before they count.
#[derive(Default)]
struct Held {
    rows: Vec<Row>,
    cost: usize,
}

enum Fit {
    Same,
    Behind,
    Before,
}

impl Held {
    fn fit(&self, row: &Row) -> Fit {
        let Some(last) = self.rows.last() else { return Fit::Same };
        match value(row).cmp(value(last)) {
            std::cmp::Ordering::Equal => Fit::Same,
            std::cmp::Ordering::Greater => Fit::Behind,
            std::cmp::Ordering::Less => Fit::Before,
        }
    }

    fn put(&mut self, row: Row) {
        self.cost += row.cost();
        self.rows.push(row);
    }

    fn take(&mut self) -> Vec<Row> {
        self.cost = 0;
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable();
        rows
    }
}

/// The first part of a row's key: up to and with the mark that ends each part and is in none.
fn value(row: &Row) -> &[u8] {
    let end = row.key.windows(2).position(|pair| pair == [0, 1]).map_or(row.key.len(), |at| at + 2);
    row.key.get(..end).unwrap_or_default()
}

/// The whole as it is hashed, and the part of it that is written.
struct Tail<'a> {
    /// The whole so far, while it is not written.
    whole: Sink<std::io::Sink>,
    header: &'a [u8],
    target: &'a Path,
    part: Part,
}

/// What becomes of the rows that come.
enum Part {
    /// They should be those of the known copy, and are hashed alone.
    Known(Known),
    /// They are behind it, and are written.
    Behind(FileSink),
    /// There is no known copy, and what is written is the whole.
    All(FileSink),
}

impl<'a> Tail<'a> {
    fn new(header: &'a [u8], known: Option<Known>, target: &'a Path) -> Result<Self, DataError> {
        let part = match known {
            Some(known) => Part::Known(known),
            None => Part::All(FileSink::create(target, header)?),
        };
        Ok(Self { whole: Sink::new(std::io::sink(), header)?, header, target, part })
    }

    /// Takes rows; false when the known copy is not the beginning.
    fn rows(&mut self, rows: Vec<Row>) -> Result<bool, DataError> {
        for row in rows {
            if !self.at_known_end()? {
                return Ok(false);
            }
            let line: [&[u8]; 2] = [&row.line, b"\n"];
            match &mut self.part {
                Part::Known(_) => self.whole.row(&line)?,
                Part::Behind(sink) => {
                    self.whole.row(&line)?;
                    sink.row(&line)?;
                }
                Part::All(sink) => sink.row(&line)?,
            }
        }
        Ok(true)
    }

    /// Where the known copy should end, proves that it does and goes over to what is behind it. False when it does not.
    fn at_known_end(&mut self) -> Result<bool, DataError> {
        let Part::Known(known) = &self.part else { return Ok(true) };
        if self.whole.bytes() < known.bytes {
            return Ok(true);
        }
        let same = self.whole.bytes() == known.bytes && self.whole.figures().sha256 == known.sha256;
        if same {
            self.part = Part::Behind(FileSink::create(self.target, self.header)?);
        }
        Ok(same)
    }

    fn finish(mut self) -> Result<Pass, DataError> {
        if !self.at_known_end()? {
            return Ok(Pass::Rewritten);
        }
        let whole = self.whole.figures();
        Ok(match self.part {
            // It ends before the known copy does.
            Part::Known(_) => Pass::Rewritten,
            Part::Behind(sink) => Pass::Made(Grown { whole, added: Some(sink.finish()?.rows) }),
            Part::All(sink) => Pass::Made(Grown { whole: sink.finish()?, added: None }),
        })
    }
}

/// Cuts the known copy off the front of a whole that had to be written down, if it is there.
fn cut(path: &Path, whole: Copy, known: Option<Known>) -> Result<Grown, DataError> {
    let Some(known) = known.filter(|known| known.bytes <= whole.bytes && known.rows <= whole.rows) else {
        return Ok(Grown { whole, added: None });
    };
    let mut file = File::open(path).map_err(DataError::io("open a copy"))?;
    if hash_of(&mut (&mut file).take(known.bytes))? != known.sha256 {
        return Ok(Grown { whole, added: None });
    }
    let (header, _) = open_file(path, &[])?;
    let mut name = path.as_os_str().to_owned();
    name.push(".tail");
    let tail = std::path::PathBuf::from(name);
    // The file stands where the known copy ends.
    let written = File::create(&tail).and_then(|out| {
        let mut out = BufWriter::new(out);
        out.write_all(&header)?;
        out.write_all(b"\n")?;
        std::io::copy(&mut file, &mut out)?;
        out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
        fs::rename(&tail, path)
    });
    written.map_err(DataError::io("write the new rows of a copy"))?;
    let added = whole.rows.saturating_sub(known.rows);
    Ok(Grown { whole, added: Some(added) })
}

fn hash_of(input: &mut impl Read) -> Result<Sha256, DataError> {
    let mut into = Hashed::new(std::io::sink());
    std::io::copy(input, &mut into).map_err(DataError::io("read a copy"))?;
    Ok(into.sha256())
}

/// Writes a copy with the rows behind it to `target`: the file `copy`, then `tail` without its header. Gives the SHA-256 of
/// the copy that was read and of the one that was written: only if both are the ones expected is the result of any use.
///
/// # Errors
/// [`DataError::Spool`] when the two have different columns; [`DataError::Io`].
pub fn append(copy: &Path, tail: &Path, target: &Path) -> Result<(Sha256, Sha256), DataError> {
    let (header, _) = open_file(copy, &[])?;
    let (said, _) = open_file(tail, &[])?;
    if header != said {
        return Err(super::difference::misfit());
    }
    let mut out = Hashed::new(BufWriter::new(File::create(target).map_err(DataError::io("make a copy"))?));
    let write = |out: &mut Hashed<BufWriter<File>>, path: &Path, from: u64| {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        std::io::copy(&mut file, out)
    };
    let failed = |e| DataError::io("write a copy")(e);
    write(&mut out, copy, 0).map_err(failed)?;
    let read = out.sha256();
    write(&mut out, tail, said.len() as u64 + 1).map_err(failed)?;
    let written = out.sha256();
    let file = out.into_inner().into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(DataError::io("make a copy durable"))?;
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        sync_file(folder)?;
    }
    Ok((read, written))
}

#[cfg(test)]
mod tests;
