//! The header of a sheet: one row, or several whose merged cells belong together.

use calamine::Dimensions;

use crate::header::{Candidate, Sample, names};

/// Most rows of a header.
const HEIGHT_MAX: u32 = 5;

/// The header that begins with this row of the sample. `height` as given, else as the merged cells say.
pub(super) fn candidate(
    sample: &[Sample],
    i: usize,
    height: Option<u32>,
    merged: &[Dimensions],
) -> Candidate {
    let Some(first) = sample.get(i) else {
        return Candidate { names: Vec::new(), height: 1 };
    };
    let top = u32::try_from(first.row).unwrap_or(u32::MAX).saturating_sub(1);
    // One cell alone is a title, however far it is merged.
    let alone = first.cells.iter().filter(|cell| !cell.trim().is_empty()).count() < 2;
    let height = height.unwrap_or_else(|| if alone { 1 } else { told(top, merged) }).min(HEIGHT_MAX);
    if height == 1 {
        return Candidate::row(&first.cells);
    }
    let last = top.saturating_add(height);
    let rows = sample.iter().skip(i).take_while(|row| row.row <= u64::from(last));
    let rows: Vec<(u32, &Sample)> =
        rows.map(|row| (u32::try_from(row.row).unwrap_or(u32::MAX) - 1, row)).collect();
    let reach = merged.iter().filter(|range| within(range, top, last)).map(|range| range.end.1 as usize + 1);
    let width = rows.iter().map(|(_, row)| row.cells.len()).chain(reach).max().unwrap_or(0);
    let width = width.min(crate::limits::COLUMNS_MAX + 1);
    let joined = (0..width).map(|column| {
        let mut parts: Vec<&str> = Vec::new();
        for row in top..last {
            let (from_row, from_column) = source(row, column, top, last, merged);
            let part = rows
                .iter()
                .find(|(number, _)| *number == from_row)
                .and_then(|(_, row)| row.cells.get(from_column));
            // A cell that reaches down is said once.
            if let Some(part) = part.filter(|part| !part.trim().is_empty() && (from_row == row)) {
                parts.push(part);
            }
        }
        parts.join(" ")
    });
    let joined: Vec<String> = joined.collect();
    Candidate { names: names(&joined), height: rows.len() }
}

/// How many rows a header takes that begins at `top`: as far down as its merged cells, one more below those that reach
/// across only.
fn told(top: u32, merged: &[Dimensions]) -> u32 {
    let here = || merged.iter().filter(|range| range.start.0 == top);
    let down = here().map(|range| range.end.0 - range.start.0 + 1).max().unwrap_or(1);
    let across = here().any(|range| range.end.1 > range.start.1 && range.end.0 == top);
    if across { down.max(2) } else { down }
}

fn within(range: &Dimensions, top: u32, last: u32) -> bool {
    range.start.0 >= top && range.end.0 < last
}

/// The cell that a cell shows: the first of its merged range.
fn source(row: u32, column: usize, top: u32, last: u32, merged: &[Dimensions]) -> (u32, usize) {
    let holds = |range: &&Dimensions| {
        within(range, top, last)
            && (range.start.0..=range.end.0).contains(&row)
            && (range.start.1 as usize..=range.end.1 as usize).contains(&column)
    };
    merged.iter().find(holds).map_or((row, column), |range| (range.start.0, range.start.1 as usize))
}
