//! Reads the rows of a folder's files as one table.

use std::collections::VecDeque;

use super::listing::{Listed, Listing};
use super::{FileForm, FolderOrigin, LISTED_MAX, Take};
use crate::{Cell, IntakeError, Place, Problem, Remark, Rows, Said};

/// What other systems call a folder of missing values.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

pub(super) struct FolderRows {
    form: FolderOrigin,
    listing: Listing,
    waiting: VecDeque<Listed>,
    now: Current,
    columns: Vec<String>,
    /// Columns that folders' names give, after those of the files.
    partitions: usize,
    remarks: Vec<Remark>,
    cells: Vec<Cell>,
}

/// The file that is read.
struct Current {
    name: String,
    rows: Box<dyn Rows>,
    /// Where each of its columns goes.
    to: Vec<usize>,
    values: Vec<Cell>,
}

impl FolderRows {
    pub fn new(form: FolderOrigin, listing: Listing, files: Vec<Listed>) -> Result<Self, IntakeError> {
        let mut waiting: VecDeque<Listed> = files.into();
        let Some(first) = waiting.pop_front() else {
            return Err(IntakeError::unreachable("thư mục không có tệp nào", "the folder has no files"));
        };
        let (keys, values): (Vec<String>, Vec<Cell>) = partitions(&form, &first.name).into_iter().unzip();
        let rows = opened(&form, &listing, &first.name)?;
        let mut columns = rows.columns().to_vec();
        let to = (0..columns.len()).collect();
        columns.extend(keys.iter().cloned());
        crate::header::checked(&columns, &Place { part: Some(first.name.clone()), ..Place::default() })?;
        let mut remarks = Vec::new();
        if form.take == Take::Newest {
            let name = &first.name;
            remarks.push(Remark::new(
                "folder-newest",
                format!("đọc tệp mới nhất: {name}"),
                format!("the newest file is read: {name}"),
            ));
        }
        let now = Current { name: first.name, rows, to, values };
        Ok(Self { form, listing, waiting, now, columns, partitions: keys.len(), remarks, cells: Vec::new() })
    }

    /// The next file.
    fn turn(&mut self) -> Result<bool, IntakeError> {
        let Some(file) = self.waiting.pop_front() else {
            return Ok(false);
        };
        let left = LISTED_MAX.saturating_sub(self.remarks.len());
        self.remarks.extend(named(&self.now).into_iter().take(left));
        let rows = opened(&self.form, &self.listing, &file.name)?;
        let (keys, values): (Vec<String>, Vec<Cell>) = partitions(&self.form, &file.name).into_iter().unzip();
        let own = self.columns.len() - self.partitions;
        let (files, folders) = self.columns.split_at(own);
        if keys != folders {
            return Err(different(&file.name, &keys, folders));
        }
        let to: Option<Vec<usize>> =
            rows.columns().iter().map(|name| files.iter().position(|own| own == name)).collect();
        let to =
            to.filter(|to| to.len() == own).ok_or_else(|| different(&file.name, rows.columns(), files))?;
        self.now = Current { name: file.name, rows, to, values };
        Ok(true)
    }
}

/// The remarks on a file, with its name.
fn named(file: &Current) -> Vec<Remark> {
    let name = &file.name;
    let named = |remark: Remark| Remark {
        code: remark.code,
        said: Said::new(format!("{name}: {}", remark.said.vi), format!("{name}: {}", remark.said.en)),
    };
    file.rows.remarks().into_iter().map(named).collect()
}

fn opened(form: &FolderOrigin, listing: &Listing, name: &str) -> Result<Box<dyn Rows>, IntakeError> {
    let file = form.file.clone().or_else(|| FileForm::of(name));
    let file = file.ok_or_else(|| {
        IntakeError::origin(
            format!("không biết `{name}` là loại tệp gì; hãy thêm bảng `[file]` với `type`"),
            format!("cannot tell what kind of file `{name}` is; add a table `[file]` with a `type`"),
        )
    })?;
    listing.open(name).and_then(|input| file.read(input)).map_err(|e| within(e, name))
}

/// The same error, of this file.
fn within(e: IntakeError, name: &str) -> IntakeError {
    match e {
        IntakeError::Content(Problem { place, said }) => {
            IntakeError::Content(Problem { place: part(place, name), said })
        }
        other => other,
    }
}

fn part(place: Place, name: &str) -> Place {
    let part = match place.part {
        Some(part) if part != name => format!("{name} / {part}"),
        _ => name.to_owned(),
    };
    Place { part: Some(part), ..place }
}

/// The columns that the names of folders give.
fn partitions(form: &FolderOrigin, name: &str) -> Vec<(String, Cell)> {
    if form.take == Take::Newest {
        return Vec::new();
    }
    let folders = name.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pair = |folder: &str| {
        let (key, value) = folder.split_once('=')?;
        let value = (!value.is_empty() && value != NO_VALUE).then(|| crate::text_form::nfc(value.to_owned()));
        Some((crate::text_form::nfc(key.to_owned()), value))
    };
    folders.split('/').filter_map(pair).collect()
}

fn different(name: &str, has: &[String], should: &[String]) -> IntakeError {
    let list = |of: &[String], but: &[String]| {
        let names: Vec<&str> =
            of.iter().filter(|name| !but.contains(name)).take(LISTED_MAX).map(String::as_str).collect();
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    };
    let (lacks, adds) = (list(should, has), list(has, should));
    IntakeError::content(
        Place { part: Some(name.to_owned()), ..Place::default() },
        format!("tệp không cùng cột với các tệp trước: thiếu {lacks}; thừa {adds}"),
        format!("the file has not the columns of those before it: lacks {lacks}; adds {adds}"),
    )
}

impl Rows for FolderRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        loop {
            let next = self.now.rows.next(&mut self.cells).map_err(|e| within(e, &self.now.name))?;
            let Some(place) = next else {
                if self.turn()? {
                    continue;
                }
                return Ok(None);
            };
            row.resize(self.columns.len() - self.partitions, None);
            for (cell, to) in self.cells.drain(..).zip(&self.now.to) {
                if let Some(target) = row.get_mut(*to) {
                    *target = cell;
                }
            }
            row.extend(self.now.values.iter().cloned());
            return Ok(Some(part(place, &self.now.name)));
        }
    }

    fn remarks(&self) -> Vec<Remark> {
        let own = self.listing.remarks();
        own.into_iter().chain(self.remarks.iter().cloned()).chain(named(&self.now)).collect()
    }
}
