//! Rows of a cursor, in batches.

use std::path::Path;
use std::pin::Pin;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream, Statement};

use super::Postgresql;
use super::session::Session;
use super::sql::Reading;
use super::types::Form;
use crate::remote::{Text, check_columns, check_row, quoted, shrunk};
use crate::{Cell, IntakeError, Place, Remark, Rows};

/// Rows of one `FETCH`. They are not held: the number only bounds the work of one statement of the server.
const FETCH: &str = "FETCH FORWARD 10000 FROM tram";
const FETCHED: u64 = 10_000;

/// The rows of a table or a query.
pub(super) struct PostgresRows {
    columns: Vec<String>,
    forms: Vec<Form>,
    // Before the session, which drives it.
    batch: Option<Pin<Box<SimpleQueryStream>>>,
    session: Option<Session>,
    row: u64,
    text: Text,
    /// In a live reading the columns that are needed: there a cell without a form is missing, its place named, in place of an
    /// end to the reading.
    wanted: Option<Vec<String>>,
}

/// Names and forms of a statement's columns.
pub(super) fn shape(statement: &Statement) -> Result<(Vec<String>, Vec<Form>), IntakeError> {
    let named: Vec<(String, &Type)> =
        statement.columns().iter().map(|column| (column.name().to_owned(), column.type_())).collect();
    let forms = named.iter().map(|(name, kind)| Form::of(name, kind)).collect::<Result<_, _>>()?;
    let columns: Vec<String> = named.into_iter().map(|(name, _)| name).collect();
    check_columns(&columns)?;
    Ok((columns, forms))
}

impl PostgresRows {
    /// Logs in, prepares the statement and opens a cursor over it.
    pub(super) fn open(origin: &Postgresql, base: &Path) -> Result<Self, IntakeError> {
        let statement = Reading::of(origin)?.statement();
        let session = Session::begin(origin, base, origin.seconds_max)?;
        let prepared = session.prepare(&statement)?;
        let (columns, forms) = shape(&prepared)?;
        session.declare(&statement, &[])?;
        Ok(Self::of(columns, forms, session, None))
    }

    /// Opens a cursor over a statement of ours with its parameters, for a live reading.
    pub(super) fn live(
        session: Session,
        statement: &str,
        bound: &[&(dyn ToSql + Sync)],
        wanted: Vec<String>,
    ) -> Result<Self, IntakeError> {
        let prepared = session.wait(session.client.prepare(statement))?;
        let (columns, forms) = shape(&prepared)?;
        session.declare(statement, bound)?;
        Ok(Self::of(columns, forms, session, Some(wanted)))
    }

    fn of(columns: Vec<String>, forms: Vec<Form>, session: Session, wanted: Option<Vec<String>>) -> Self {
        Self { columns, forms, batch: None, session: Some(session), row: 0, text: Text::default(), wanted }
    }

    /// The next row as the server sends it; none after the last.
    fn fetch(&mut self) -> Result<Option<SimpleQueryRow>, IntakeError> {
        let Some(session) = &self.session else { return Ok(None) };
        loop {
            let batch = match &mut self.batch {
                Some(batch) => batch,
                None => {
                    let batch = session.wait(session.client.simple_query_raw(FETCH))?;
                    self.batch.insert(Box::pin(batch))
                }
            };
            match session.wait(next(batch.as_mut()))? {
                Some(SimpleQueryMessage::Row(row)) => return Ok(Some(row)),
                Some(SimpleQueryMessage::CommandComplete(n)) if n < FETCHED => return Ok(None),
                // The batch has ended; its last word comes after it was counted.
                None => self.batch = None,
                Some(_) => {}
            }
        }
    }

    fn fill(&mut self, from: &SimpleQueryRow, row: &mut Vec<Cell>) -> Result<Place, IntakeError> {
        let mut place = Place::row(self.row);
        for (i, (form, name)) in self.forms.iter().zip(&self.columns).enumerate() {
            // What nobody needs damages no row.
            if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(name)) {
                row.push(None);
                continue;
            }
            let value = from.try_get(i).map_err(|_| {
                IntakeError::content(place.clone().column(name), "không phải chữ UTF-8", "not UTF-8 text")
            })?;
            let cell = value.map(|value| {
                form.text(value, &mut self.text).ok_or_else(|| {
                    let value = quoted(value);
                    IntakeError::content(
                        place.clone().column(name),
                        format!("`{value}` không biểu diễn được; hãy sửa ở nguồn hoặc dùng `query` để bỏ nó"),
                        format!("`{value}` has no form here; correct it at the source or leave it out by a `query`"),
                    )
                })
            });
            match cell.transpose() {
                Ok(cell) => row.push(cell),
                Err(_) if self.wanted.is_some() => {
                    place.column = Some(name.clone());
                    row.push(None);
                }
                Err(e) => return Err(e),
            }
        }
        if self.wanted.is_some() {
            place.column = shrunk(row, &self.columns).or(place.column);
            return Ok(place);
        }
        check_row(row, &self.columns, &place).map(|()| place)
    }
}

async fn next(
    mut batch: Pin<&mut SimpleQueryStream>,
) -> Result<Option<SimpleQueryMessage>, tokio_postgres::Error> {
    use futures_core::Stream as _;
    std::future::poll_fn(|cx| batch.as_mut().poll_next(cx)).await.transpose()
}

impl Rows for PostgresRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        let fetched = self.fetch();
        let place = match fetched {
            Ok(Some(from)) => {
                self.row += 1;
                self.fill(&from, row).map(Some)
            }
            Ok(None) => Ok(None),
            Err(e) => Err(e),
        };
        if !matches!(place, Ok(Some(_))) {
            self.batch = None;
            self.session = None;
        }
        place
    }

    fn remarks(&self) -> Vec<Remark> {
        self.text.remarks()
    }
}
