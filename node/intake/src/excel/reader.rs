//! Reads the rows of a sheet.

use std::collections::VecDeque;

use calamine::Dimensions;

use super::book::{self, Line, Lines, Opened};
use super::cell::{Shown, letters};
use super::{ExcelOrigin, guard, header};
use crate::file::Input;
use crate::font::Watch;
use crate::header::{Candidate, SAMPLE_BYTES, SAMPLE_ROWS, Sample, checked, find, quoted};
use crate::limits::COLUMNS_MAX;
use crate::text_form::Composed;
use crate::{Cell, IntakeError, Place, Remark, Rows};

/// Most merged ranges near the header.
const MERGED_MAX: usize = 10_000;
/// Most names or ranges that a remark lists.
const LISTED_MAX: usize = 5;

pub(super) struct SheetRows {
    input: Input,
    form: ExcelOrigin,
    opened: Opened,
    lines: Lines,
    waiting: VecDeque<Line>,
    columns: Vec<String>,
    header: u64,
    last: u64,
    blank: u64,
    watch: Watch,
    composed: Composed,
}

impl SheetRows {
    pub fn new(form: &ExcelOrigin, input: Input) -> Result<Self, IntakeError> {
        guard::guard(&input)?;
        let (mut opened, mut lines) = book::open(input.rewound()?, form.sheet.clone())?;
        let (mut waiting, mut bytes) = (VecDeque::new(), 0);
        while waiting.len() < SAMPLE_ROWS && bytes < SAMPLE_BYTES {
            let Some(line) = lines.next()? else { break };
            bytes += line.bytes();
            waiting.push_back(line);
        }
        let part = opened.sheet.clone();
        let (header, last, names) =
            header_of(form, &waiting, &opened.merged).map_err(|e| within(e, &part))?;
        while waiting.front().is_some_and(|line| line.row <= last) {
            waiting.pop_front();
        }
        opened.merged.retain(|range| u64::from(range.end.0) + 1 > last);
        let shown =
            |name: &String| form.font.map_or_else(|| name.clone(), |font| font.shown(name).into_owned());
        let columns = names.iter().map(shown).collect();
        let (form, watch, composed) = (form.clone(), Watch::default(), Composed::default());
        Ok(Self { input, form, opened, lines, waiting, columns, header, last, blank: 0, watch, composed })
    }

    pub fn sheet(&self) -> &str {
        &self.opened.sheet
    }

    pub fn sheets(&self) -> &[String] {
        &self.opened.sheets
    }

    fn place(&self, row: u64) -> Place {
        Place { part: Some(self.opened.sheet.clone()), ..Place::row(row) }
    }

    fn fill(&mut self, line: Line, row: &mut Vec<Cell>) -> Result<(), IntakeError> {
        row.resize(self.columns.len(), None);
        for (column, value) in line.cells {
            let place = self.place(line.row);
            let cell_name = format!("{}{}", letters(column), line.row);
            let Some((name, cell)) = self.columns.get(column as usize).zip(row.get_mut(column as usize))
            else {
                return Err(beyond(place, &cell_name, &value));
            };
            let place = place.column(name);
            let text = match value {
                Shown::Text(text) => text,
                Shown::Bad(said) => {
                    let (vi, en) =
                        (format!("ô {cell_name}: {}", said.vi), format!("cell {cell_name}: {}", said.en));
                    return Err(IntakeError::content(place, vi, en));
                }
            };
            if self.form.null_text.iter().any(|null| null == text.trim()) {
                continue;
            }
            let text = self.watch.take(self.form.font, text, &place)?;
            *cell = Some(self.composed.take(text));
        }
        Ok(())
    }
}

fn beyond(place: Place, cell_name: &str, value: &Shown) -> IntakeError {
    let text = if let Shown::Text(text) = value { quoted(text) } else { String::new() };
    IntakeError::content(
        place,
        format!("ô {cell_name} có giá trị `{text}` ở cột không có tên; hãy đặt tên cột hoặc xoá ô"),
        format!(
            "cell {cell_name} holds `{text}` in a column without a name; name the column or clear the cell"
        ),
    )
}

/// The same error, of this sheet.
fn within(e: IntakeError, sheet: &str) -> IntakeError {
    match e {
        IntakeError::Content(mut problem) => {
            problem.place.part = Some(sheet.to_owned());
            IntakeError::Content(problem)
        }
        other => other,
    }
}

/// First and last row of the header, and the names.
fn header_of(
    form: &ExcelOrigin,
    lines: &VecDeque<Line>,
    merged: &[Dimensions],
) -> Result<(u64, u64, Vec<String>), IntakeError> {
    let sample = lines.iter().map(sampled).collect::<Result<Vec<Sample>, _>>()?;
    let end = sample.last().map_or(0, |row| row.row);
    let merged: Vec<Dimensions> =
        merged.iter().filter(|range| u64::from(range.start.0) < end).take(MERGED_MAX).copied().collect();
    let candidate = |i| header::candidate(&sample, i, form.header_rows, &merged);
    let (i, found): (usize, Candidate) = match form.header {
        None => find(&sample, candidate)?,
        Some(given) => {
            let at = sample.iter().position(|row| row.row == given);
            let i = at.ok_or_else(|| no_such_row(given))?;
            let found = candidate(i);
            checked(&found.names, &Place::row(given))?;
            (i, found)
        }
    };
    let row = |i: usize| sample.get(i).map_or(0, |row| row.row);
    Ok((row(i), row(i + found.height.max(1) - 1), found.names))
}

fn sampled(line: &Line) -> Result<Sample, IntakeError> {
    let width = line.cells.last().map_or(0, |(column, _)| *column as usize + 1);
    if width > COLUMNS_MAX {
        return Err(IntakeError::content(
            Place::row(line.row),
            format!("có giá trị ở cột thứ {width}, nhiều nhất là {COLUMNS_MAX} cột"),
            format!("there is a value in column number {width}, at most {COLUMNS_MAX} are taken"),
        ));
    }
    let mut cells = vec![String::new(); width];
    for (column, value) in &line.cells {
        if let (Shown::Text(text), Some(cell)) = (value, cells.get_mut(*column as usize)) {
            cell.clone_from(text);
        }
    }
    Ok(Sample { row: line.row, cells })
}

fn no_such_row(row: u64) -> IntakeError {
    IntakeError::content(
        Place::row(row),
        format!("`header = {row}`: dòng đó trống hoặc không nằm trong {SAMPLE_ROWS} dòng đầu có dữ liệu"),
        format!(
            "`header = {row}`: that row is empty or not among the first {SAMPLE_ROWS} that hold anything"
        ),
    )
}

impl Rows for SheetRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        let line = match self.waiting.pop_front() {
            Some(line) => Some(line),
            None => self.lines.next()?,
        };
        let Some(line) = line else {
            self.input.unchanged()?;
            return Ok(None);
        };
        self.blank += line.row - self.last - 1;
        self.last = line.row;
        let place = self.place(line.row);
        self.fill(line, row)?;
        Ok(Some(place))
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let sheet = &self.opened.sheet;
        if self.form.sheet.is_none() && self.opened.sheets.len() > 1 {
            let others = listed(&self.opened.others);
            remarks.push(Remark::new(
                "excel-sheet",
                format!("đọc trang tính `{sheet}`; các trang khác có dữ liệu: {others}"),
                format!("sheet `{sheet}` is read; others that hold something: {others}"),
            ));
        }
        if !self.opened.hidden.is_empty() {
            let hidden = listed(&self.opened.hidden);
            let (vi, en) = if self.opened.is_hidden {
                ("; trang được đọc là trang ẩn", "; the one that is read is hidden")
            } else {
                ("", "")
            };
            remarks.push(Remark::new(
                "excel-hidden",
                format!("có trang tính ẩn: {hidden}{vi}"),
                format!("hidden sheets: {hidden}{en}"),
            ));
        }
        if self.form.header.is_none() && self.header > 1 {
            let row = self.header;
            remarks.push(Remark::new(
                "header-found",
                format!("dòng tiêu đề là dòng {row}; các dòng phía trên được bỏ qua"),
                format!("the header is row {row}; what stands above it was passed over"),
            ));
        }
        if !self.opened.merged.is_empty() {
            let (n, ranges) = (
                self.opened.merged.len(),
                listed(&self.opened.merged.iter().take(LISTED_MAX + 1).map(range).collect::<Vec<_>>()),
            );
            remarks.push(Remark::new(
                "excel-merged",
                format!("{n} vùng ô gộp trong bảng ({ranges}): chỉ ô đầu có giá trị, các ô khác là thiếu"),
                format!("{n} merged ranges in the table ({ranges}): only the first cell has the value, the others are missing"),
            ));
        }
        if self.blank > 0 {
            let n = self.blank;
            remarks.push(Remark::new(
                "rows-blank",
                format!("bỏ qua {n} dòng trống"),
                format!("{n} blank rows were passed over"),
            ));
        }
        remarks.extend(self.watch.remark(self.form.font));
        remarks.extend(self.composed.remark());
        remarks
    }
}

fn range(range: &Dimensions) -> String {
    let cell = |(row, column): (u32, u32)| format!("{}{}", letters(column), u64::from(row) + 1);
    format!("{}:{}", cell(range.start), cell(range.end))
}

fn listed(names: &[String]) -> String {
    let list = names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "–".to_owned(),
        n if n > LISTED_MAX => format!("{list}, …"),
        _ => list,
    }
}
