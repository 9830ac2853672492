//! The statement that is read: names quoted, a query held to one `SELECT`.

use super::Postgresql;
use crate::IntakeError;
use crate::limits::QUERY_BYTES_MAX;
use crate::remote::quoted;

/// Longest name of PostgreSQL, bytes (`NAMEDATALEN` less one).
const NAME_BYTES_MAX: usize = 63;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// A table, with these columns or all.
    Table {
        /// Its schema.
        schema: String,
        /// Its name.
        table: String,
        /// Its columns; none for all.
        columns: Option<Vec<String>>,
    },
    /// A query.
    Query(String),
}

impl Reading {
    /// What a description asks for.
    pub(super) fn of(origin: &Postgresql) -> Result<Self, IntakeError> {
        match (&origin.table, &origin.query) {
            (Some(table), None) => {
                let (schema, table) = split(table)?;
                if let Some(columns) = &origin.columns {
                    crate::remote::check_columns(columns)?;
                    columns.iter().try_for_each(|name| usable(name))?;
                }
                Ok(Self::Table { schema, table, columns: origin.columns.clone() })
            }
            (None, Some(query)) if origin.columns.is_none() => Ok(Self::Query(one_select(query)?)),
            _ => Err(IntakeError::origin(
                "cần đúng một trong hai: `table` (có thể kèm `columns`) hoặc `query`",
                "exactly one is needed: `table` (perhaps with `columns`) or `query`",
            )),
        }
    }

    /// The statement.
    pub(super) fn statement(&self) -> String {
        match self {
            Self::Query(query) => query.clone(),
            Self::Table { schema, table, columns } => {
                let columns = columns.as_ref().map_or_else(
                    || "*".to_owned(),
                    |names| names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", "),
                );
                format!("SELECT {columns} FROM {}.{}", identifier(schema), identifier(table))
            }
        }
    }
}

/// A name as an identifier: in double quotes, quotes in it doubled.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn usable(name: &str) -> Result<(), IntakeError> {
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\0') {
        return Ok(());
    }
    let shown = quoted(name);
    Err(IntakeError::origin(
        format!("tên `{shown}` không dùng được trong PostgreSQL (1 đến {NAME_BYTES_MAX} byte)"),
        format!("`{shown}` cannot be a name in PostgreSQL (1 to {NAME_BYTES_MAX} bytes)"),
    ))
}

/// Splits `schema.table`; either part may stand in double quotes.
fn split(name: &str) -> Result<(String, String), IntakeError> {
    let bad = || {
        let shown = quoted(name);
        IntakeError::origin(
            format!("`table` phải có dạng `lược_đồ.bảng`, ví dụ `public.wards`; đang là `{shown}`"),
            format!("`table` has the form `schema.table`, such as `public.wards`; it is `{shown}`"),
        )
    };
    let (schema, rest) = part(name).ok_or_else(bad)?;
    let (table, rest) = rest.strip_prefix('.').and_then(part).ok_or_else(bad)?;
    if !rest.is_empty() {
        return Err(bad());
    }
    usable(&schema)?;
    usable(&table)?;
    Ok((schema, table))
}

/// The first part of a dotted name, and what follows it.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.contains('"')).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return inner.get(at + 1..).map(|rest| (name, rest));
        }
    }
    None
}

/// The query without a closing semicolon. That it is one statement is for the server to say, which prepares it first:
/// telling semicolons from text in PostgreSQL's quotes is not ours.
fn one_select(query: &str) -> Result<String, IntakeError> {
    let query = query.trim().trim_end_matches(';').trim_end();
    let word: String = query.chars().take_while(char::is_ascii_alphabetic).collect();
    let reads = word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with");
    if reads && query.len() <= QUERY_BYTES_MAX && !query.contains('\0') {
        return Ok(query.to_owned());
    }
    Err(IntakeError::origin(
        format!("`query` phải là một câu SELECT hoặc WITH, tối đa {QUERY_BYTES_MAX} byte"),
        format!("`query` is one SELECT or WITH statement of at most {QUERY_BYTES_MAX} bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_dot_that_is_not_quoted_and_quoted_again_for_the_server() {
        assert_eq!(split("public.wards").unwrap(), ("public".into(), "wards".into()));
        assert_eq!(split(r#""y.te"."a""b""#).unwrap(), ("y.te".into(), "a\"b".into()));
        for bad in ["wards", "", ".", "a.", ".b", "a.b.c", r#""a.b"#, r#"a"b.c"#, "\"a\"x.b", "a.b\0"] {
            assert!(split(bad).is_err(), "{bad}");
        }
        let reading = Reading::Table {
            schema: "public".into(),
            table: "x\"; DROP TABLE wards; --".into(),
            columns: Some(vec!["a\"b".into()]),
        };
        assert_eq!(reading.statement(), "SELECT \"a\"\"b\" FROM \"public\".\"x\"\"; DROP TABLE wards; --\"");
    }

    #[test]
    fn only_statements_that_read_pass() {
        assert_eq!(one_select(" select 1 ; ").unwrap(), "select 1");
        assert!(one_select("WITH a AS (SELECT 1) SELECT * FROM a").is_ok());
        for bad in ["", "DELETE FROM wards", "selectx", "/* */ COPY wards TO PROGRAM 'id'", "SELECT '\0'"] {
            assert!(one_select(bad).is_err(), "{bad}");
        }
    }
}
