//! Reads the rows of a JSON file.

use std::collections::HashMap;

use super::JsonOrigin;
use super::document::{Document, Step, steps};
use super::records::{Astray, Cells, ListThere, Record, Walk};
use crate::file::Input;
use crate::font::Watch;
use crate::header::{checked, quoted};
use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};
use crate::text_form::Composed;
use crate::{Cell, IntakeError, Place, Remark, Rows};

pub(super) struct JsonRows {
    input: Input,
    form: JsonOrigin,
    records: Records,
    columns: Vec<String>,
    index: HashMap<String, usize>,
    lists: Vec<String>,
    watch: Watch,
    composed: Composed,
}

/// The records of a file.
struct Records {
    document: Document,
    tail: Vec<Step>,
    walk: Walk,
    n: u64,
}

impl Records {
    fn new(input: &Input, way: &[Step]) -> Result<Self, IntakeError> {
        let document = Document::new(input, way)?;
        Ok(Self { tail: document.tail.clone(), document, walk: Walk::default(), n: 0 })
    }

    fn next(&mut self) -> Result<Option<Record>, IntakeError> {
        loop {
            let astray = |e: Astray| astray(self.n + 1, &e);
            if let Some(record) = self.walk.next(&self.tail).map_err(astray)? {
                self.n += 1;
                return Ok(Some(record));
            }
            let Some(element) = self.document.next()? else {
                return Ok(None);
            };
            self.walk.begin(element, &self.tail).map_err(astray)?;
        }
    }
}

fn astray(n: u64, e: &Astray) -> IntakeError {
    let step = &e.step;
    IntakeError::content(
        Place::row(n),
        format!("bước `{step}` của `records` không đi được: ở đó không có danh sách hay đối tượng như vậy"),
        format!("the step `{step}` of `records` leads nowhere: no such list or object is there"),
    )
}

/// A record's values by column. The same name twice is refused by whoever uses them.
fn cells<'a>(
    record: &'a Record,
    form: &JsonOrigin,
    n: u64,
    lists: &mut Vec<String>,
) -> Result<Cells<'a>, IntakeError> {
    let left_out = |name: &str| {
        let below = |left: &String| {
            name.strip_prefix(left.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        form.leave_out.iter().any(below)
    };
    match record.cells(&left_out, lists) {
        Ok(Some(cells)) => Ok(cells),
        Ok(None) => Err(IntakeError::content(
            Place::row(n),
            "bản ghi không phải là đối tượng {…}; hãy đặt `records` để chỉ đến danh sách bản ghi",
            "the record is no object {…}; set `records` so that it leads to the list of records",
        )),
        Err(ListThere(name)) => Err(IntakeError::content(
            Place::row(n).column(&quoted(&name)),
            "có một danh sách trong ô; hãy ghi tên cột này vào `leave_out` hoặc đi qua nó bằng `records`",
            "there is a list in the cell; name this column in `leave_out`, or go through it with `records`",
        )),
    }
}

impl JsonRows {
    /// `look_at`: records in which columns are looked for.
    pub fn new(form: &JsonOrigin, input: Input, look_at: u64) -> Result<Self, IntakeError> {
        let way = steps(&form.records)?;
        let mut first = Records::new(&input, &way)?;
        let (mut columns, mut index, mut lists) = (Vec::new(), HashMap::new(), Vec::new());
        while first.n < look_at {
            let Some(record) = first.next()? else { break };
            for (name, _) in cells(&record, form, first.n, &mut lists)? {
                if index.contains_key(&name) {
                    continue;
                }
                if columns.len() == COLUMNS_MAX {
                    return Err(IntakeError::content(
                        Place::row(first.n),
                        format!(
                            "có hơn {COLUMNS_MAX} cột; có lẽ tên trường là dữ liệu, hãy xem lại `records`"
                        ),
                        format!(
                            "there are more than {COLUMNS_MAX} columns; perhaps names of fields are data, see to `records`"
                        ),
                    ));
                }
                index.insert(name.clone(), columns.len());
                columns.push(name);
            }
        }
        if columns.is_empty() {
            return Err(IntakeError::content(
                Place::default(),
                "không có bản ghi nào; hãy xem lại `records`",
                "there are no records; see to `records`",
            ));
        }
        checked(&columns, &Place::default())?;
        let records = Records::new(&input, &way)?;
        let (form, watch, composed) = (form.clone(), Watch::default(), Composed::default());
        Ok(Self { input, form, records, columns, index, lists, watch, composed })
    }

    fn fill(&mut self, record: &Record, row: &mut Vec<Cell>) -> Result<(), IntakeError> {
        let n = self.records.n;
        let (mut seen, mut bytes) = (vec![false; self.columns.len()], 0);
        row.resize(self.columns.len(), None);
        for (name, value) in cells(record, &self.form, n, &mut self.lists)? {
            let place = Place::row(n).column(&quoted(&name));
            let Some(i) = self.index.get(&name).copied() else {
                return self.input.unchanged().and(Err(IntakeError::content(
                    place,
                    "cột mới xuất hiện khi đọc lại",
                    "a column that was not there before",
                )));
            };
            if seen.get_mut(i).is_none_or(|seen| std::mem::replace(seen, true)) {
                return Err(IntakeError::content(
                    place,
                    "hai trường cho cùng một cột",
                    "two fields make the same column",
                ));
            }
            let Some(text) = value.filter(|text| !self.form.null_text.iter().any(|null| null == text.trim()))
            else {
                continue;
            };
            bytes += text.len();
            if text.len() > CELL_BYTES_MAX || bytes > ROW_BYTES_MAX {
                return Err(IntakeError::content(
                    place,
                    "ô hoặc bản ghi quá dài",
                    "the cell or the record is too long",
                ));
            }
            let text = self.watch.take(self.form.font, text.to_owned(), &place)?;
            if let Some(cell) = row.get_mut(i) {
                *cell = Some(self.composed.take(text));
            }
        }
        Ok(())
    }
}

impl Rows for JsonRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        let Some(record) = self.records.next()? else {
            self.input.unchanged()?;
            return Ok(None);
        };
        self.fill(&record, row)?;
        Ok(Some(Place::row(self.records.n)))
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if !self.lists.is_empty() {
            let names = self.lists.join(", ");
            remarks.push(Remark::new(
                "json-lists-left-out",
                format!("danh sách trong phần tử cha không được đọc: {names}"),
                format!("lists in parents are not read: {names}"),
            ));
        }
        let n = self.records.walk.without;
        if n > 0 {
            remarks.push(Remark::new(
                "json-without-records",
                format!("{n} phần tử không có bản ghi nào ở chỗ `records` chỉ đến"),
                format!("{n} elements have no records where `records` leads"),
            ));
        }
        remarks.extend(self.watch.remark(self.form.font));
        remarks.extend(self.composed.remark());
        remarks
    }
}
