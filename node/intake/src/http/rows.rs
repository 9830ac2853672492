//! Rows of an answer, page after page.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use ureq::http::HeaderMap;
use url::Url;

use super::client::{self, Answer, Client};
use super::paging::{Pager, endless};
use super::{Format, Http, Paging};
use crate::flat::{CsvRecords, array_at, flatten};
use crate::limits::PAGE_BYTES_MAX;
use crate::remote::{Deadline, Text, check_columns, check_row, quoted};
use crate::{Cell, IntakeError, Place, Remark, Rows};

/// The page that is being read.
enum Page {
    Json { records: std::vec::IntoIter<String>, next: Option<Url> },
    Csv { records: Box<CsvRecords>, headers: HeaderMap, at: Url },
}

/// The rows of an HTTP origin.
pub(super) struct HttpRows {
    origin: Http,
    client: Client,
    pager: Pager,
    page: Option<Page>,
    columns: Vec<String>,
    positions: HashMap<String, usize>,
    text: Text,
    /// Columns that some record of JSON had.
    seen: HashSet<String>,
    /// Number of the record in its page.
    row: u64,
    /// What the rows of this page and of the one before amount to.
    sums: (DefaultHasher, Option<u64>),
}

impl HttpRows {
    /// Asks for the first page.
    pub(super) fn open(origin: &Http, base: &Path, deadline: Deadline) -> Result<Self, IntakeError> {
        let url = client::address(&origin.url, origin.allow_http)?;
        let ca = origin.ca.as_ref().map(|ca| base.join(ca));
        let client =
            Client::new(&url, &origin.headers, origin.bearer.as_ref(), ca.as_deref(), base, deadline)?;
        let mut pager = Pager::new(origin.paging.clone(), url);
        let first = pager.start();
        let mut rows = Self {
            origin: origin.clone(),
            client,
            pager,
            page: None,
            columns: Vec::new(),
            positions: HashMap::new(),
            text: Text::default(),
            seen: HashSet::new(),
            row: 0,
            sums: (DefaultHasher::new(), None),
        };
        rows.load(first)?;
        check_columns(&rows.columns)?;
        rows.positions = rows.columns.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        Ok(rows)
    }

    pub(super) fn host(&self) -> &str {
        self.origin.url.split('/').nth(2).unwrap_or_default()
    }

    fn load(&mut self, url: Url) -> Result<(), IntakeError> {
        let accept = match self.origin.format {
            Format::Json => "application/json",
            Format::Csv => "text/csv",
        };
        let answer = self.client.get(&url, &[("accept", accept)])?;
        check_type(self.origin.format, &answer.headers)?;
        self.row = 0;
        let page = match self.origin.format {
            Format::Json => self.json(url, answer)?,
            Format::Csv => self.csv(url, answer)?,
        };
        self.page = Some(page);
        Ok(())
    }

    fn json(&mut self, url: Url, answer: Answer) -> Result<Page, IntakeError> {
        let bytes = client::whole(answer.body, PAGE_BYTES_MAX)?;
        self.client.spend(bytes.len() as u64)?;
        let body = String::from_utf8(bytes)
            .map_err(|_| IntakeError::content(self.place(), "không phải chữ UTF-8", "not UTF-8 text"))?;
        let found = array_at(body.trim_start_matches('\u{feff}'), &self.origin.records)?;
        let records: Vec<String> = found.into_iter().map(|record| record.get().to_owned()).collect();
        if self.columns.is_empty() {
            self.columns = match &self.origin.columns {
                Some(columns) => columns.clone(),
                None => self.names(&records)?,
            };
        }
        let next = self.pager.next(&url, &answer.headers, Some(&body), records.len() as u64, &self.client)?;
        Ok(Page::Json { records: records.into_iter(), next })
    }

    /// Names of all records of the first page, in the order in which they come.
    fn names(&mut self, records: &[String]) -> Result<Vec<String>, IntakeError> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for (i, record) in records.iter().enumerate() {
            let place = Place { row: i as u64 + 1, ..self.place() };
            for (name, _) in flatten(record, None, &place, &mut Text::default())? {
                if seen.insert(name.clone()) {
                    names.push(name);
                }
            }
        }
        if names.is_empty() {
            return Err(IntakeError::origin(
                "trang đầu không có bản ghi nào nên không biết có những cột nào; hãy liệt kê trong `columns`",
                "the first page has no record, so the columns are not known; list them in `columns`",
            ));
        }
        Ok(names)
    }

    fn csv(&mut self, url: Url, answer: Answer) -> Result<Page, IntakeError> {
        let records = CsvRecords::open(answer.body, self.place().part)?;
        if self.columns.is_empty() {
            self.columns = self.origin.columns.clone().unwrap_or_else(|| records.columns().to_vec());
        }
        let missing = self.columns.iter().find(|name| !records.columns().contains(name));
        if let Some(name) = missing {
            return Err(IntakeError::content(
                self.place().column(&quoted(name)),
                "không có cột này trong dòng tiêu đề",
                "the header has no such column",
            ));
        }
        Ok(Page::Csv { records: Box::new(records), headers: answer.headers, at: url })
    }

    fn place(&self) -> Place {
        Place { part: Some((self.pager.pages + 1).to_string()), ..Place::row(self.row) }
    }

    /// The next record of this page; `Err` inside is the address of the next page, or none.
    fn record(&mut self, row: &mut Vec<Cell>) -> Result<Result<Place, Option<Url>>, IntakeError> {
        match self.page.as_mut() {
            None => Ok(Err(None)),
            Some(Page::Json { records, next }) => match records.next() {
                None => Ok(Err(next.take())),
                Some(record) => {
                    self.row += 1;
                    // The pager has counted this page when it was loaded.
                    let place = Place { part: Some(self.pager.pages.to_string()), ..Place::row(self.row) };
                    self.flat(&record, &place, row)?;
                    Ok(Ok(place))
                }
            },
            Some(Page::Csv { records, headers, at }) => {
                let mut cells = Vec::new();
                match records.next(&mut cells, &mut self.text)? {
                    Some(place) => {
                        self.row += 1;
                        self.client.spend(
                            cells.iter().map(|cell| cell.as_ref().map_or(1, String::len) as u64).sum(),
                        )?;
                        let named = records.columns().iter().zip(cells);
                        spread(named, &self.positions, self.columns.len(), row);
                        Ok(Ok(place))
                    }
                    None => Ok(Err(self.pager.next(at, headers, None, self.row, &self.client)?)),
                }
            }
        }
    }

    fn flat(&mut self, record: &str, place: &Place, row: &mut Vec<Cell>) -> Result<(), IntakeError> {
        let wanted = self.origin.columns.as_deref();
        let cells = flatten(record, wanted, place, &mut self.text)?;
        if let Some((name, _)) = cells.iter().find(|(name, _)| !self.positions.contains_key(name)) {
            let name = quoted(name);
            return Err(IntakeError::content(
                place.clone().column(&name),
                "trang đầu không có tên này; hãy liệt kê các cột cần lấy trong `columns`",
                "the first page does not have this name; list the columns to take in `columns`",
            ));
        }
        for (name, _) in &cells {
            if !self.seen.contains(name) {
                self.seen.insert(name.clone());
            }
        }
        spread(
            cells.iter().map(|(name, cell)| (name, cell.clone())),
            &self.positions,
            self.columns.len(),
            row,
        );
        check_row(row, &self.columns, place)
    }

    fn step(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        loop {
            row.clear();
            match self.record(row)? {
                Ok(place) => {
                    row.hash(&mut self.sums.0);
                    return Ok(Some(place));
                }
                Err(None) => return Ok(None),
                Err(Some(url)) => {
                    self.compare()?;
                    self.load(url)?;
                }
            }
        }
    }

    /// Refuses a page that has the rows of the one before: the server does not know the parameter.
    fn compare(&mut self) -> Result<(), IntakeError> {
        let sum = std::mem::take(&mut self.sums.0).finish();
        let again = self.sums.1.replace(sum) == Some(sum);
        let counted = matches!(self.origin.paging, Paging::Page { .. } | Paging::Offset { .. });
        if again && counted && self.row > 0 { Err(endless()) } else { Ok(()) }
    }
}

/// Puts named cells where their columns are; the others are missing.
fn spread<'a>(
    cells: impl Iterator<Item = (&'a String, Cell)>,
    positions: &HashMap<String, usize>,
    columns: usize,
    row: &mut Vec<Cell>,
) {
    row.clear();
    row.resize(columns, None);
    for (name, cell) in cells {
        if let Some(to) = positions.get(name).and_then(|i| row.get_mut(*i)) {
            *to = cell;
        }
    }
}

/// Refuses a page of another kind, such as a login page.
fn check_type(format: Format, headers: &HeaderMap) -> Result<(), IntakeError> {
    let said = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = match format {
        Format::Json => said.is_empty() || said.ends_with("json") || said == "text/plain",
        Format::Csv => !said.contains("html") && !said.ends_with("json") && !said.ends_with("xml"),
    };
    if fits {
        return Ok(());
    }
    let said = quoted(&said);
    Err(IntakeError::unreachable(
        format!(
            "máy chủ trả về `{said}`, có thể là trang đăng nhập hoặc báo lỗi; hãy xem lại địa chỉ và thông tin đăng nhập"
        ),
        format!("the server gives `{said}`, perhaps a login or error page; see the address and credentials"),
    ))
}

impl Rows for HttpRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        let place = self.step(row);
        if !matches!(place, Ok(Some(_))) {
            row.clear();
            self.page = None;
        }
        place
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = self.text.remarks();
        let unseen = self.columns.iter().filter(|name| !self.seen.contains(*name));
        let unseen: Vec<_> = unseen.map(|name| quoted(name)).collect();
        if self.origin.format == Format::Json && !unseen.is_empty() {
            let names = unseen.join("`, `");
            remarks.push(Remark::new(
                "column-never-seen",
                format!("không bản ghi nào có cột `{names}`; hãy xem lại tên trong `columns`"),
                format!("no record has the columns `{names}`; see the names in `columns`"),
            ));
        }
        remarks
    }
}
