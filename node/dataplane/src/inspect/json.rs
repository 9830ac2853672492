//! NDJSON and JSON arrays of flat objects. A name twice in one object is refused: readers disagree about it.

use std::fmt;
use std::fs::File;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::guess::{Guess, is_of};
use super::{FileReport, Hashing, Inspection, Problems, expected, quoted, schema_of, text_of};
use crate::limits::{COLUMNS_MAX, SAMPLE_ROWS_MAX};
use crate::records::{Framing, Record, Records};
use crate::{Column, ColumnKind, DataError, Format, Problem, Schema};

/// A value of a flat object.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Missing,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Cell {
    fn is_of(&self, kind: ColumnKind) -> bool {
        match (self, kind) {
            (Self::Missing, _)
            | (Self::Boolean(_), ColumnKind::Boolean)
            | (Self::Integer(_), ColumnKind::Integer | ColumnKind::Number)
            | (Self::Number(_), ColumnKind::Number)
            | (Self::Text(_), ColumnKind::String) => true,
            (Self::Text(text), ColumnKind::Date | ColumnKind::Timestamp) => is_of(kind, text),
            _ => false,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("`null`"),
            Self::Boolean(v) => write!(f, "`{v}`"),
            Self::Integer(v) => write!(f, "`{v}`"),
            Self::Number(v) => write!(f, "`{v}`"),
            Self::Text(v) => write!(f, "the text {}", quoted(v)),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CellVisitor;
        impl<'de> Visitor<'de> for CellVisitor {
            type Value = Cell;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, number, boolean or null; nested values are not supported, flatten them")
            }
            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Missing)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Cell, E> {
                Ok(Cell::Boolean(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Cell, E> {
                Ok(Cell::Integer(v))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Cell, E> {
                // Beyond 64 bits with sign it is a number like any other, without its last digits.
                #[expect(clippy::cast_precision_loss, reason = "that is what reading it as a number means")]
                Ok(i64::try_from(v).map_or(Cell::Number(v as f64), Cell::Integer))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Cell, E> {
                Ok(Cell::Number(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Cell, E> {
                Ok(Cell::Text(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Cell, A::Error> {
                Err(A::Error::custom("a list is in a field; flatten it to columns"))
            }
            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Cell, A::Error> {
                Err(A::Error::custom("an object is in a field; flatten it to columns"))
            }
        }
        deserializer.deserialize_any(CellVisitor)
    }
}

/// The fields of one flat object in their order.
struct Row(Vec<(String, Cell)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;
        impl<'de> Visitor<'de> for RowVisitor {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object `{…}`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut row = Vec::new();
                while let Some((name, cell)) = map.next_entry::<String, Cell>()? {
                    if row.len() >= COLUMNS_MAX {
                        return Err(A::Error::custom(format_args!(
                            "an object has more than {COLUMNS_MAX} fields"
                        )));
                    }
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "the field {} is there twice",
                            quoted(&name)
                        )));
                    }
                    row.push((name, cell));
                }
                Ok(Row(row))
            }
        }
        deserializer.deserialize_map(RowVisitor)
    }
}

fn framing(format: &Format) -> Framing {
    if *format == Format::Json { Framing::JsonArray } else { Framing::Lines }
}

fn row_of(record: &Record<'_>) -> Result<Row, Problem> {
    let text = text_of(record.line, record.offset, record.bytes)?;
    serde_json::from_str(text).map_err(|e| Problem::line(record.line, format!("not a flat JSON object: {e}")))
}

pub(super) fn inspect(file: File, format: &Format) -> Result<Inspection, DataError> {
    let mut records = Records::new(&file, framing(format));
    let mut columns: Vec<(String, Guess, Kinds)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let (mut rows, mut whole_file) = (0u64, true);
    while let Some(record) = records.next_record().map_err(|e| DataError::problem(e.into()))? {
        if rows >= SAMPLE_ROWS_MAX {
            whole_file = false;
            break;
        }
        let line = record.line;
        rows += 1;
        for (name, cell) in row_of(&record).map_err(DataError::problem)?.0 {
            let place = *places.entry(name.clone()).or_insert(columns.len());
            if place >= COLUMNS_MAX {
                let what = format!("the objects have more than {COLUMNS_MAX} different fields together");
                return Err(DataError::problem(Problem::line(line, what)));
            }
            if place == columns.len() {
                columns.push((name, Guess::default(), Kinds::default()));
            }
            if let Some((_, guess, kinds)) = columns.get_mut(place) {
                kinds.see(&cell, guess);
            }
        }
    }
    finish_inspection(format, columns, rows, whole_file)
}

fn finish_inspection(
    format: &Format,
    columns: Vec<(String, Guess, Kinds)>,
    rows: u64,
    whole_file: bool,
) -> Result<Inspection, DataError> {
    if rows == 0 {
        return Err(DataError::problem(Problem::file("it holds no object; a schema cannot be told")));
    }
    let mut out = Vec::with_capacity(columns.len());
    for (name, guess, kinds) in columns {
        let kind = kinds.kind(&guess).ok_or_else(|| {
            DataError::problem(Problem {
                line: 0,
                column: Some(name.clone()),
                what: "it holds values of different kinds; write one kind only".into(),
            })
        })?;
        let always = whole_file && kinds.present == rows;
        out.push(Column::new(name, kind, !always));
    }
    Ok(Inspection {
        format: format.clone(),
        schema: schema_of(out)?,
        sampled_rows: rows,
        warnings: Vec::new(),
    })
}

/// Which kinds of JSON values a column has held.
#[derive(Debug, Default)]
struct Kinds {
    present: u64,
    boolean: bool,
    integer: bool,
    number: bool,
    text: bool,
}

impl Kinds {
    fn see(&mut self, cell: &Cell, guess: &mut Guess) {
        self.present += u64::from(*cell != Cell::Missing);
        match cell {
            Cell::Missing => {}
            Cell::Boolean(_) => self.boolean = true,
            Cell::Integer(_) => self.integer = true,
            Cell::Number(_) => self.number = true,
            Cell::Text(text) => {
                self.text = true;
                // Quoted in the sense of CSV: a text of digits stays a text.
                guess.see(text, true);
            }
        }
    }

    fn kind(&self, guess: &Guess) -> Option<ColumnKind> {
        match (self.boolean, self.integer || self.number, self.text) {
            (false, false, false) => Some(ColumnKind::String),
            (true, false, false) => Some(ColumnKind::Boolean),
            (false, true, false) if self.number => Some(ColumnKind::Number),
            (false, true, false) => Some(ColumnKind::Integer),
            (false, false, true) => Some(match guess.kind() {
                kind @ (ColumnKind::Date | ColumnKind::Timestamp) => kind,
                _ => ColumnKind::String,
            }),
            _ => None,
        }
    }
}

pub(super) fn validate(file: File, format: &Format, schema: &Schema) -> Result<FileReport, DataError> {
    let mut input = Hashing::new(file);
    let mut problems = Problems::default();
    let mut rows = 0;
    let mut records = Records::new(&mut input, framing(format));
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(e) => return Err(problems.last(e.into())),
        };
        rows += 1;
        match row_of(&record) {
            Ok(row) => check_row(record.line, &row, schema, &mut problems)?,
            Err(problem) => problems.add(problem)?,
        }
    }
    problems.finish()?;
    Ok(input.report(rows))
}

fn check_row(line: u64, row: &Row, schema: &Schema, problems: &mut Problems) -> Result<(), DataError> {
    for (name, cell) in &row.0 {
        let Some(column) = schema.column(name) else {
            let what = format!("the field {} is not in the schema; remove it or add a column", quoted(name));
            problems.add(Problem::line(line, what))?;
            continue;
        };
        if !cell.is_of(column.kind) {
            let what = format!("{cell} is not {}", expected(column.kind));
            problems.add(Problem::cell(line, name, what))?;
        }
    }
    for column in schema.columns().iter().filter(|c| !c.nullable) {
        let there = row.0.iter().any(|(n, c)| *n == column.name && *c != Cell::Missing);
        if !there {
            problems.add(Problem::cell(line, &column.name, "the value is missing; fill it in"))?;
        }
    }
    Ok(())
}
