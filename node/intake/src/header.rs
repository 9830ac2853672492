//! Finds the row with the columns' names, below the titles that people put above a table.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;

use crate::limits::{COLUMNS_MAX, QUOTED_CHARS_MAX};
use crate::{IntakeError, Place};

/// Rows that are looked at to find the header.
pub(crate) const SAMPLE_ROWS: usize = 50;
/// Bytes after which no further row is looked at.
pub(crate) const SAMPLE_BYTES: usize = 4 << 20;

/// A row of the beginning of a table, with the number that people see.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Row number, from 1.
    pub row: u64,
    /// Its cells; `""` is an empty one.
    pub cells: Vec<String>,
}

/// What could be a header: the names of one row, or of several that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Names, tidied.
    pub names: Vec<String>,
    /// Rows that it takes.
    pub height: usize,
}

impl Candidate {
    /// The names in one row.
    pub fn row(cells: &[String]) -> Self {
        Self { names: names(cells), height: 1 }
    }
}

/// Names as people mean them: NFC, one blank between words, no empty ones at the end.
pub(crate) fn names(cells: &[String]) -> Vec<String> {
    let tidy =
        |cell: &String| cell.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
    let mut names: Vec<String> = cells.iter().map(tidy).collect();
    names.truncate(used(&names));
    names
}

/// A cell as a message quotes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Refuses names that cannot be columns.
pub(crate) fn checked(names: &[String], place: &Place) -> Result<(), IntakeError> {
    if names.is_empty() {
        let (vi, en) = (
            "dòng tiêu đề trống; hãy đặt `header` là số của dòng có tên cột",
            "the header row is empty; set `header` to the number of the row with the columns' names",
        );
        return Err(IntakeError::content(place.clone(), vi, en));
    }
    if names.len() > COLUMNS_MAX {
        let n = names.len();
        return Err(IntakeError::content(
            place.clone(),
            format!("có {n} cột, nhiều nhất là {COLUMNS_MAX}"),
            format!("there are {n} columns, at most {COLUMNS_MAX} are taken"),
        ));
    }
    let mut seen = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(IntakeError::content(
                place.clone(),
                format!("cột thứ {} không có tên; hãy đặt tên cho cột", i + 1),
                format!("column number {} has no name; give it one", i + 1),
            ));
        }
        if !seen.insert(name) {
            let name = quoted(name);
            return Err(IntakeError::content(
                place.clone(),
                format!("hai cột cùng tên `{name}`; hãy đổi tên một cột"),
                format!("two columns are called `{name}`; rename one"),
            ));
        }
    }
    Ok(())
}

/// Index into `sample` of the first row of the header.
///
/// The header is the first row that is full, repeats nothing, is as wide as everything below it and does not look like
/// the data below it. A row above it that is nearly as full could be the true header with a flaw: then nothing is chosen.
///
/// Where no row is as wide as everything below it, one that is as wide as most is taken: the reader then tells which row is
/// too wide.
pub(crate) fn find(
    sample: &[Sample],
    candidate: impl Fn(usize) -> Candidate,
) -> Result<(usize, Candidate), IntakeError> {
    let strict = among(sample, &candidate, 0);
    if let Ok(Some(found)) = strict {
        return Ok(found);
    }
    match among(sample, &candidate, 1) {
        Ok(Some(found)) => Ok(found),
        _ => Err(strict.err().unwrap_or_else(|| flawed(sample))),
    }
}

/// The same; `wider` of twice the rows below may be wider than the header.
fn among(
    sample: &[Sample],
    candidate: &impl Fn(usize) -> Candidate,
    wider: usize,
) -> Result<Option<(usize, Candidate)>, IntakeError> {
    for i in 0..sample.len() {
        let found = candidate(i);
        let below = sample.get(i + found.height..).unwrap_or_default();
        let width = found.names.len();
        if width == 0 || below.iter().filter(|row| used(&row.cells) > width).count() * 2 > below.len() * wider
        {
            continue;
        }
        let place = Place::row(sample.get(i).map_or(0, |row| row.row));
        if checked(&found.names, &place).is_err() {
            continue;
        }
        if let Some(flawed) = sample.iter().take(i).find(|row| nearly_as_full(row, width)) {
            let place = Place::row(flawed.row);
            checked(&names(&flawed.cells), &place)?;
            return Err(unclear(place));
        }
        if looks_like_data(&found.names, below) {
            return Err(unclear(place));
        }
        return Ok(Some((i, found)));
    }
    Ok(None)
}

fn flawed(sample: &[Sample]) -> IntakeError {
    let first = sample.iter().find(|row| filled(row) > 1).or(sample.first());
    let place = Place::row(first.map_or(0, |row| row.row));
    let wrong = first.and_then(|row| checked(&names(&row.cells), &place).err());
    wrong.unwrap_or_else(|| unclear(place))
}

fn unclear(place: Place) -> IntakeError {
    IntakeError::content(
        place,
        "không nhận ra dòng tiêu đề (tên cột); hãy thêm dòng tiêu đề hoặc đặt `header` là số của dòng đó",
        "cannot tell the header row (the columns' names); add one, or set `header` to its number",
    )
}

fn used(cells: &[String]) -> usize {
    cells.iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |i| i + 1)
}

fn filled(row: &Sample) -> usize {
    row.cells.iter().filter(|cell| !cell.trim().is_empty()).count()
}

fn nearly_as_full(row: &Sample, width: usize) -> bool {
    filled(row) >= 2 && filled(row) * 10 >= width * 6
}

/// Numbers and days as names, over columns of the same, are the first row of a table without a header. Years are names
/// often enough (a column a year), unless years stand below them.
fn looks_like_data(names: &[String], below: &[Sample]) -> bool {
    names.iter().enumerate().any(|(i, name)| {
        if !is_figure(name) {
            return false;
        }
        let cells = below.iter().filter_map(|row| row.cells.get(i)).filter(|cell| !cell.trim().is_empty());
        let (mut alike, mut all) = (0, 0);
        for cell in cells {
            all += 1;
            alike += usize::from(if is_year(name) { is_year(cell) } else { is_figure(cell) });
        }
        all > 0 && alike * 2 > all
    })
}

fn is_year(text: &str) -> bool {
    text.trim().parse::<u16>().is_ok_and(|n| (1900..=2100).contains(&n))
}

fn is_figure(text: &str) -> bool {
    let text = text.trim();
    text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "+-.,:/TZ ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: &[&[&str]]) -> Vec<Sample> {
        let cells = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        rows.iter().enumerate().map(|(i, row)| Sample { row: i as u64 + 1, cells: cells(row) }).collect()
    }

    fn found(rows: &[&[&str]]) -> Result<usize, String> {
        let sample = sample(rows);
        find(&sample, |i| Candidate::row(&sample[i].cells)).map(|(i, _)| i).map_err(|e| e.to_string())
    }

    #[test]
    fn titles_above_the_table_are_passed_over() {
        let rows: &[&[&str]] =
            &[&["BÁO CÁO DÂN SỐ"], &["", "", "Đơn vị: người"], &["Xã", "Nam", "Nữ"], &["A", "1", ""]];
        assert_eq!(found(rows), Ok(2));
        assert_eq!(found(&[&["Tỉnh", "2019", "2020"], &["Hà Nội", "8093", "8246"]]), Ok(0));
        assert_eq!(found(&[&["a"], &["x"], &["y"]]), Ok(0));
    }

    #[test]
    fn a_table_without_a_header_or_with_a_flawed_one_is_refused() {
        assert!(found(&[&["Hà Nội", "2019", "5"], &["Huế", "2020", "6"]]).unwrap_err().contains("`header`"));
        assert!(found(&[&["a", "", "c"], &["x", "y", "z"]]).unwrap_err().contains("column number 2"));
        assert!(found(&[&["a", "b", "a"], &["x", "y", "z"]]).unwrap_err().contains("called `a`"));
        assert!(found(&[&["a", "b"], &["1", "2", "3"]]).is_err());
        assert!(found(&[]).is_err());
    }
}
