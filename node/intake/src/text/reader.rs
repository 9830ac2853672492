//! Reads the rows of a text file.

use std::io::Read;

use super::encoding::{self, Encoding};
use super::split::{Fault, Record, Splitter};
use super::{Delimiter, TextOrigin, sniff};
use crate::file::Input;
use crate::font::Watch;
use crate::header::quoted;
use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};
use crate::text_form::Composed;
use crate::{Cell, IntakeError, Place, Remark, Rows};

pub(super) struct TextRows {
    input: Input,
    form: TextOrigin,
    encoding: Encoding,
    delimiter: Delimiter,
    splitter: Splitter<Box<dyn Read>>,
    record: Record,
    columns: Vec<String>,
    /// Cells of the header with those at the end that are empty.
    length: usize,
    remarks: Vec<Remark>,
    empty: u64,
    /// Cells with characters that no program writes on purpose, and the row of the first.
    odd: (u64, u64),
    watch: Watch,
    composed: Composed,
}

impl TextRows {
    pub fn new(form: &TextOrigin, input: Input) -> Result<Self, IntakeError> {
        let mut remarks = Vec::new();
        let encoding = match form.encoding {
            Some(encoding) => encoding,
            None => encoding::found(&input)?,
        };
        remarks.extend(converted(encoding, form.encoding.is_none()));
        if form.encoding.is_some() && encoding::is_rather_utf8(&input, encoding)? {
            remarks.push(rather_utf8(encoding));
        }
        let delimiter = match form.delimiter {
            Some(delimiter) => delimiter,
            None => sniff::delimiter(&input, encoding, form.header)?,
        };
        if form.delimiter.is_none() {
            remarks.push(found_delimiter(delimiter));
        }
        let sample = sniff::sample(&input, encoding, delimiter)?;
        let (i, header) = sniff::header(&sample, form.header)?;
        let (line, length) = sample.get(i).map_or((0, 0), |row| (row.row, row.cells.len()));
        if form.header.is_none() && line > 1 {
            remarks.push(passed_over(line));
        }
        let mut splitter = Splitter::new(encoding::bytes(&input, encoding)?, delimiter.byte());
        let mut record = Record::default();
        while record.line < line && splitter.next(&mut record).map_err(|fault| told(&input, fault))? {}
        splitter.blank = 0;
        let shown =
            |name: &String| form.font.map_or_else(|| name.clone(), |font| font.shown(name).into_owned());
        let (columns, form) = (header.names.iter().map(shown).collect(), form.clone());
        let (watch, composed) = (Watch::default(), Composed::default());
        Ok(Self {
            input,
            form,
            encoding,
            delimiter,
            splitter,
            record,
            columns,
            length,
            remarks,
            empty: 0,
            odd: (0, 0),
            watch,
            composed,
        })
    }

    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub fn delimiter(&self) -> Delimiter {
        self.delimiter
    }

    fn ragged(&self) -> IntakeError {
        let (n, length) = (self.record.cells().len(), self.length);
        IntakeError::content(
            Place::row(self.record.line),
            format!(
                "dòng có {n} ô, tiêu đề có {length}; hãy xem ô nào thiếu dấu ngoặc kép hay dấu ngăn cách"
            ),
            format!("the row has {n} cells, the header {length}; see which cell lacks quotes or a delimiter"),
        )
    }

    fn odd(&self) -> Option<Remark> {
        let ((count, line), word) = (self.odd, self.encoding.word());
        (count > 0).then(|| {
            Remark::new(
                "characters-odd",
                format!(
                    "{count} ô có ký tự thay thế (U+FFFD) hay ký tự điều khiển, ô đầu tiên ở dòng {line}; có lẽ tệp không phải {word} hoặc đã hỏng từ trước"
                ),
                format!(
                    "{count} cells hold replacement characters (U+FFFD) or control characters, the first in row {line}; perhaps the file is not {word}, or was damaged before"
                ),
            )
        })
    }

    fn fill(&mut self, row: &mut Vec<Cell>) -> Result<(), IntakeError> {
        for (cell, name) in self.record.cells().zip(&self.columns) {
            let place = || Place::row(self.record.line).column(name);
            let text = self.encoding.text(cell).ok_or_else(|| not_text_at(self.encoding, place()))?;
            if is_odd(&text) {
                let (count, first) = self.odd;
                self.odd = (count + 1, if count == 0 { self.record.line } else { first });
            }
            if text.is_empty() || self.form.null_text.iter().any(|null| null == text.trim()) {
                row.push(None);
                continue;
            }
            let font = if self.encoding.is_old() { Some(crate::Font::Unicode) } else { self.form.font };
            let text = if text.is_ascii() { text } else { self.watch.take(font, text, &place())? };
            row.push(Some(self.composed.take(text)));
        }
        let surplus = self.record.cells().skip(self.columns.len()).find(|cell| !cell.is_empty());
        if let Some(cell) = surplus {
            let text = quoted(&String::from_utf8_lossy(cell));
            return Err(IntakeError::content(
                Place::row(self.record.line),
                format!("có giá trị `{text}` ở cột không có tên"),
                format!("there is a value `{text}` in a column without a name"),
            ));
        }
        Ok(())
    }
}

impl Rows for TextRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        loop {
            if !self.splitter.next(&mut self.record).map_err(|fault| told(&self.input, fault))? {
                self.input.unchanged()?;
                return Ok(None);
            }
            if self.record.cells().len() > 1 && self.record.cells().all(<[u8]>::is_empty) {
                self.empty += 1;
                continue;
            }
            if self.record.cells().len() != self.length {
                return Err(self.ragged());
            }
            self.fill(row)?;
            return Ok(Some(Place::row(self.record.line)));
        }
    }

    fn remarks(&self) -> Vec<Remark> {
        let empty = self.empty + self.splitter.blank;
        let blank = (empty > 0).then(|| {
            Remark::new(
                "rows-blank",
                format!("bỏ qua {empty} dòng trống"),
                format!("{empty} blank rows were passed over"),
            )
        });
        let watched = self.watch.remark(self.form.font);
        let more = blank.into_iter().chain(self.odd()).chain(watched).chain(self.composed.remark());
        self.remarks.iter().cloned().chain(more).collect()
    }
}

fn converted(encoding: Encoding, found: bool) -> Option<Remark> {
    if encoding == Encoding::Utf8 {
        return None;
    }
    let word = encoding.word();
    let (how_vi, how_en) = if found { ("nhận ra", "found to be") } else { ("khai là", "said to be") };
    Some(Remark::new(
        "text-converted",
        format!("bảng mã của tệp được {how_vi} {word}; chữ đã chuyển sang Unicode"),
        format!("the file's encoding is {how_en} {word}; its text was turned into Unicode"),
    ))
}

fn rather_utf8(encoding: Encoding) -> Remark {
    let word = encoding.word();
    Remark::new(
        "encoding-doubted",
        format!(
            "tệp được khai là {word} nhưng đọc như UTF-8 thì hợp lệ; hãy xem chữ có đúng không, nếu sai thì bỏ `encoding`"
        ),
        format!(
            "the file is said to be {word} and is good UTF-8; see whether its text reads well, else take `encoding` out"
        ),
    )
}

/// Whether text holds what no program writes on purpose: the sign for what could not be read, or controls.
fn is_odd(text: &str) -> bool {
    text.contains(|c: char| {
        c == char::REPLACEMENT_CHARACTER || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
    })
}

fn found_delimiter(delimiter: Delimiter) -> Remark {
    let word = delimiter.word();
    Remark::new(
        "text-delimiter",
        format!("dấu ngăn cách nhận ra là `{word}`"),
        format!("the delimiter was found to be `{word}`"),
    )
}

fn passed_over(line: u64) -> Remark {
    Remark::new(
        "header-found",
        format!("dòng tiêu đề là dòng {line}; các dòng phía trên được bỏ qua"),
        format!("the header is row {line}; what stands above it was passed over"),
    )
}

pub(super) fn not_text(encoding: Encoding, line: u64) -> IntakeError {
    not_text_at(encoding, Place::row(line))
}

fn not_text_at(encoding: Encoding, place: Place) -> IntakeError {
    let word = encoding.word();
    IntakeError::content(
        place,
        format!("có ký tự không thuộc bảng mã {word}; hãy xem lại `encoding` hoặc xuất lại tệp"),
        format!("there are bytes that are not {word}; see to `encoding` or export the file again"),
    )
}

/// What is wrong with a record.
pub(super) fn told(input: &Input, fault: Fault) -> IntakeError {
    let (line, vi, en) = match fault {
        Fault::Io(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            return IntakeError::content(
                Place::default(),
                "tệp không đúng bảng mã UTF-16; hãy xem lại `encoding` hoặc xuất lại tệp",
                "the file is not good UTF-16; see to `encoding` or export it again",
            );
        }
        Fault::Io(e) => return input.broken(&e),
        Fault::Unclosed(line) => (
            line,
            "dấu ngoặc kép mở ở dòng này không được đóng đến hết tệp".to_owned(),
            "quotes that open in this row are not closed to the end of the file".to_owned(),
        ),
        Fault::AfterQuote(line) => (
            line,
            "sau dấu ngoặc kép đóng còn có chữ; dấu ngoặc kép trong ô phải viết hai lần (\"\")".to_owned(),
            "there is text after closing quotes; quotes within a cell are written twice (\"\")".to_owned(),
        ),
        Fault::Cell(line) => (
            line,
            format!("một ô dài hơn {CELL_BYTES_MAX} byte; có lẽ một dấu ngoặc kép không được đóng"),
            format!("a cell is longer than {CELL_BYTES_MAX} bytes; perhaps quotes are not closed"),
        ),
        Fault::Row(line) => (
            line,
            format!("dòng dài hơn {ROW_BYTES_MAX} byte"),
            format!("the row is longer than {ROW_BYTES_MAX} bytes"),
        ),
        Fault::Columns(line) => (
            line,
            format!("dòng có hơn {COLUMNS_MAX} ô"),
            format!("the row has more than {COLUMNS_MAX} cells"),
        ),
    };
    IntakeError::content(Place::row(line), vi, en)
}
