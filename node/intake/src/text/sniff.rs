//! Finds out what stands between cells: the delimiter under which the beginning of the file is a table.

use super::Delimiter;
use super::encoding::{self, Encoding};
use super::split::{Record, Splitter};
use crate::file::Input;
use crate::header::{self, Candidate, SAMPLE_BYTES, SAMPLE_ROWS, Sample};
use crate::{IntakeError, Place};

/// The beginning of a file under one delimiter.
pub(super) fn sample(
    input: &Input,
    encoding: Encoding,
    delimiter: Delimiter,
) -> Result<Vec<Sample>, IntakeError> {
    let mut splitter = Splitter::new(encoding::bytes(input, encoding)?, delimiter.byte());
    let (mut record, mut rows, mut bytes) = (Record::default(), Vec::new(), 0);
    while rows.len() < SAMPLE_ROWS
        && bytes < SAMPLE_BYTES
        && splitter.next(&mut record).map_err(|fault| super::reader::told(input, fault))?
    {
        let cells = record
            .cells()
            .map(|cell| encoding.text(cell).ok_or_else(|| super::reader::not_text(encoding, record.line)));
        bytes += record.cells().map(<[u8]>::len).sum::<usize>();
        rows.push(Sample { row: record.line, cells: cells.collect::<Result<_, _>>()? });
    }
    Ok(rows)
}

/// Where the header is: as given, else found.
pub(super) fn header(sample: &[Sample], given: Option<u64>) -> Result<(usize, Candidate), IntakeError> {
    let row = |i: usize| Candidate::row(sample.get(i).map_or(&[][..], |row| &row.cells));
    let Some(line) = given else {
        return header::find(sample, row);
    };
    let Some(i) = sample.iter().position(|row| row.row == line) else {
        return Err(IntakeError::content(
            Place::row(line),
            format!("`header = {line}`: không có dòng nào bắt đầu ở đó trong {SAMPLE_ROWS} dòng đầu"),
            format!("`header = {line}`: no row begins there within the first {SAMPLE_ROWS}"),
        ));
    };
    let found = row(i);
    header::checked(&found.names, &Place::row(line))?;
    Ok((i, found))
}

/// How well a delimiter does, if there is a header.
struct Try {
    delimiter: Delimiter,
    /// Rows above the header.
    above: usize,
    /// Columns.
    width: usize,
    /// Rows below the header that are as long as it, per mille.
    even: usize,
}

/// The delimiter under which the beginning reads as a table.
///
/// # Errors
/// [`IntakeError::Content`] when two do equally well.
pub(super) fn delimiter(
    input: &Input,
    encoding: Encoding,
    given: Option<u64>,
) -> Result<Delimiter, IntakeError> {
    let tries = Delimiter::ALL.map(|delimiter| attempt(input, encoding, delimiter, given).ok());
    let mut tries: Vec<Try> = tries.into_iter().flatten().collect();
    let single = tries.iter().all(|one| one.width == 1);
    tries.retain(|one| one.width > 1);
    tries.sort_by_key(|one| (std::cmp::Reverse(one.even), one.above, std::cmp::Reverse(one.width)));
    match tries.as_slice() {
        [best, second, ..] if second.even + 100 > best.even && !best.is_clearly_above(second) => {
            let (a, b) = (best.delimiter.word(), second.delimiter.word());
            Err(IntakeError::content(
                Place::default(),
                format!("dấu ngăn cách có thể là `{a}` hoặc `{b}`; hãy đặt `delimiter`"),
                format!("the delimiter could be `{a}` or `{b}`; set `delimiter`"),
            ))
        }
        [best, ..] => Ok(best.delimiter),
        [] if single => Ok(Delimiter::Comma),
        [] => most_frequent(input, encoding),
    }
}

impl Try {
    /// A wrong delimiter finds its header further down, with no more columns.
    fn is_clearly_above(&self, other: &Self) -> bool {
        self.above < other.above && self.width >= other.width
    }
}

fn attempt(
    input: &Input,
    encoding: Encoding,
    delimiter: Delimiter,
    given: Option<u64>,
) -> Result<Try, IntakeError> {
    let sample = sample(input, encoding, delimiter)?;
    let (i, found) = header(&sample, given)?;
    let length = sample.get(i).map_or(0, |row| row.cells.len());
    let below = sample.get(i + 1..).unwrap_or_default();
    let even = below.iter().filter(|row| row.cells.len() == length).count();
    Ok(Try {
        delimiter,
        above: i,
        width: found.names.len(),
        even: (even * 1000).checked_div(below.len()).unwrap_or(1000),
    })
}

/// No delimiter gives a table: the one that there is most of, so that the reader tells what is wrong with it.
fn most_frequent(input: &Input, encoding: Encoding) -> Result<Delimiter, IntakeError> {
    use std::io::Read as _;
    let mut start = Vec::new();
    encoding::bytes(input, encoding)?.take(64 << 10).read_to_end(&mut start).map_err(|e| input.broken(&e))?;
    let count = |delimiter: &Delimiter| start.iter().filter(|byte| **byte == delimiter.byte()).count();
    Ok(Delimiter::ALL.into_iter().rev().max_by_key(count).unwrap_or(Delimiter::Comma))
}
