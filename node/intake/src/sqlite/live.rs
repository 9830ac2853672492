//! A question put to a table of a SQLite file.
//!
//! SQLite keeps a type with each value, whatever the column says, and the house reads values by their text. So a condition is
//! put to the values of the very type that it is about, and all others are read:
//!
//! | the contract's kind | what is put to it |
//! | --- | --- |
//! | string | `=`, `IN` and prefixes of texts that no other text is composed to (ASCII without `K`, `;` and `` ` ``), missing or not |
//! | integer | all, to integers |
//! | number | `=`, `IN`, and orders as `<=` and `>=`, to binary fractions |
//!
//! Rows come in the order of the table: no index is used.

use std::path::Path;

use catalog::ColumnKind;
use rusqlite::types::Value;

use super::{Sqlite, SqliteRows, identifier};
use crate::IntakeError;
use crate::live::{Comparison, Condition, Given, Live, Wanted, composed_of_itself};
use crate::remote::check_columns;

/// Most parameters of a statement, well below what SQLite takes.
const BOUND_MAX: usize = 10_000;

impl Sqlite {
    pub(crate) fn open_live(&self, base: &Path, wanted: &Wanted) -> Result<Live, IntakeError> {
        let Some(table) = &self.table else {
            return Err(IntakeError::origin("cần `table`", "`table` is needed"));
        };
        check_columns(&wanted.all)?;
        let kind = Self {
            table: None,
            columns: None,
            query: Some(format!("SELECT type FROM sqlite_schema WHERE name = {}", literal(table))),
            ..self.clone()
        };
        let mut row = Vec::new();
        let mut rows = SqliteRows::open(&kind, base, self.seconds_max)?;
        crate::Rows::next(&mut rows, &mut row)?;
        // A view computes: which of its columns are asked for must not decide whether it fails.
        let plain = row.first().and_then(Option::as_deref) == Some("table");
        let columns = if plain { &wanted.columns } else { &wanted.all };
        let columns = columns.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        let mut filter = Filter::default();
        let policy = wanted.policy.iter().filter(|condition| plain && filter.add(condition)).count();
        let asked = wanted.asked.iter().filter(|condition| plain && filter.add(condition)).count();
        let fixed = if plain { " NOT INDEXED" } else { "" };
        let mut statement = format!("SELECT {columns} FROM {}{fixed}", identifier(table));
        if !filter.clauses.is_empty() {
            statement.push_str(&format!(" WHERE {}", filter.clauses.join(" AND ")));
        }
        if let Some(limit) = wanted.limit {
            statement.push_str(&format!(" LIMIT {limit}"));
        }
        let rows = SqliteRows::live(self, base, statement.clone(), filter.bound, wanted.columns.clone())?;
        Ok(Live { rows: Box::new(rows), statement, pushed: (policy, asked) })
    }
}

/// A text as SQL writes it: our own statement about the schema takes no parameters.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[derive(Default)]
struct Filter {
    bound: Vec<Value>,
    clauses: Vec<String>,
}

impl Filter {
    fn add(&mut self, condition: &Condition) -> bool {
        let before = self.bound.len();
        match self.clause(condition) {
            Some(clause) if self.bound.len() <= BOUND_MAX => self.clauses.push(format!("({clause})")),
            _ => {
                self.bound.truncate(before);
                return false;
            }
        }
        true
    }

    fn clause(&mut self, condition: &Condition) -> Option<String> {
        use Comparison::{
            Between, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, Missing, Present, StartsWith,
            Unequal,
        };
        let name = identifier(&condition.column);
        let (kind, number) = match condition.kind {
            ColumnKind::String => ("text", false),
            ColumnKind::Integer => ("integer", false),
            ColumnKind::Number => ("real", true),
            _ => return None,
        };
        let string = condition.kind == ColumnKind::String;
        let mut values =
            condition.values.iter().map(|v| value(v, condition.kind)).collect::<Option<Vec<_>>>()?;
        let op = match condition.comparison {
            Missing => return Some(format!("{name} IS NULL OR {name} = ''")),
            Present => return Some(format!("{name} IS NOT NULL")),
            Equal | In => {
                let places: Vec<String> = values.into_iter().map(|v| self.one(v)).collect();
                return Some(format!(
                    "typeof({name}) <> '{kind}' OR {name} COLLATE BINARY IN ({})",
                    places.join(", ")
                ));
            }
            StartsWith if string => {
                let prefix = self.one(values.pop()?);
                let letters = format!("length({prefix})");
                return Some(format!(
                    "typeof({name}) <> 'text' OR substr({name}, 1, {letters}) COLLATE BINARY = {prefix}"
                ));
            }
            _ if string => return None,
            StartsWith => return None,
            Unequal if number => return None,
            Between => {
                let (high, low) = (values.pop()?, values.pop()?);
                let (low, high) = (self.one(low), self.one(high));
                return Some(format!("typeof({name}) <> '{kind}' OR {name} BETWEEN {low} AND {high}"));
            }
            Unequal => "<>",
            Less if number => "<=",
            Greater if number => ">=",
            Less => "<",
            LessOrEqual => "<=",
            Greater => ">",
            GreaterOrEqual => ">=",
        };
        Some(format!("typeof({name}) <> '{kind}' OR {name} {op} {}", self.one(values.pop()?)))
    }

    fn one(&mut self, value: Value) -> String {
        self.bound.push(value);
        format!("?{}", self.bound.len())
    }
}

fn value(given: &Given, kind: ColumnKind) -> Option<Value> {
    match (kind, given) {
        (ColumnKind::String, Given::Text(text)) => {
            (composed_of_itself(text) && !text.contains('\0')).then(|| Value::Text(text.clone()))
        }
        (ColumnKind::Integer, Given::Integer(n)) => Some(Value::Integer(*n)),
        (ColumnKind::Number, Given::Number(n)) if n.is_finite() => Some(Value::Real(*n)),
        #[expect(clippy::cast_precision_loss, reason = "a number of the house holds no more digits either")]
        (ColumnKind::Number, Given::Integer(n)) => Some(Value::Real(*n as f64)),
        _ => None,
    }
}
