//! A small part of SQL as another way to write a [`Query`]: `SELECT … FROM this_dataset [WHERE …] [GROUP BY …]
//! [ORDER BY …] [LIMIT n]`.
//!
//! **What it is.** A translation. The text is checked for its size, parsed, and each piece is turned into the part of a
//! [`Query`] that says the same; what comes out is checked and planned like any other query, so SQL can ask nothing
//! that a structured query cannot.
//!
//! **What it is not.** It is no way to the engine: no text of a consumer's ever gets there. What has no counterpart in a
//! [`Query`] is refused with its name, where it stands and what to write instead, never ignored.
//!
//! `tokens` looks at the text before it is parsed, `select` translates the clauses, `items` what is selected, `condition`
//! what stands behind `WHERE`, `times` parts of times, and `refused` knows the names of what is not taken.

mod condition;
mod items;
mod refused;
mod select;
mod times;
mod tokens;

use std::fmt;

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token};

use crate::{DataError, Query};
use tokens::Tokens;

/// The name that a query's `FROM` may always use for the dataset that it is put to.
pub const THIS_DATASET: &str = "this_dataset";

/// Recursion that the parser may use. One step takes up to 65 KB of stack in a build without optimisation, and a
/// worker thread has 2 MB.
const PARSER_DEPTH: usize = 16;

/// Why a text is no query. It quotes the text alone, so it may be shown to whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// Line of the text, from 1.
    pub line: u64,
    /// Character of that line, from 1.
    pub column: u64,
    /// The construct that is not taken.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl SqlError {
    fn new(at: Location, what: impl Into<String>, instead: impl Into<String>) -> Self {
        let (line, column) = (at.line.max(1), at.column.max(1));
        Self { line, column, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}; {}", self.line, self.column, self.what, self.instead)
    }
}

impl std::error::Error for SqlError {}

impl From<SqlError> for DataError {
    fn from(error: SqlError) -> Self {
        Self::Query(error.to_string())
    }
}

impl Query {
    /// The query that a SQL text says. `dataset` is the name by which `FROM` may call the dataset beside
    /// [`THIS_DATASET`]. Names are taken exactly as written, in double quotes or without; whether such columns are
    /// visible is for [`crate::output_schema`] to tell.
    ///
    /// # Errors
    /// [`SqlError`] for all that is not of the subset (`docs/queries.md`).
    pub fn from_sql(sql: &str, dataset: &str) -> Result<Self, SqlError> {
        let tokens = Tokens::new(sql)?;
        let mut parser =
            Parser::new(&Subset).with_recursion_limit(PARSER_DEPTH).with_tokens_with_locations(tokens.all());
        let parsed = parser.parse_query().map_err(|e| not_sql(&e, &tokens))?;
        while parser.consume_token(&Token::SemiColon) {}
        let next = parser.peek_token();
        if next.token != Token::EOF {
            let at = next.span.start;
            return Err(match next.token {
                Token::Word(word) if tokens.follows_semicolon(at) => SqlError::new(
                    at,
                    format!("a second statement (`{}`) cannot be sent along", word.value),
                    "send one SELECT at a time",
                ),
                token => SqlError::new(
                    at,
                    format!("`{token}` does not belong here"),
                    "end the query before it, or see which clauses there are in docs/queries.md",
                ),
            });
        }
        select::query(*parsed, &tokens, dataset)
    }
}

/// Plain names and texts: letters of any script, names in double quotes, texts in single ones without escapes.
#[derive(Debug)]
struct Subset;

impl Dialect for Subset {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_'
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    // Not to be used: to be refused by name.
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
}

/// What the parser says, with the place that it names at the end of its text.
fn not_sql(error: &ParserError, tokens: &Tokens) -> SqlError {
    const INSTEAD: &str = "write SELECT columns FROM this_dataset WHERE column = value LIMIT n";
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(tokens.start(), "it is nested too deep", "write it with fewer parentheses");
        }
    };
    let (said, at) = match text.rsplit_once(" at Line: ") {
        Some((said, place)) => (said, location(place).unwrap_or_else(|| tokens.end())),
        None => (text, tokens.end()),
    };
    let said: String = said.chars().take(200).collect();
    SqlError::new(at, format!("this is not SQL that can be read ({said})"), INSTEAD)
}

/// `1, Column: 8`
fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.parse().ok()?, column: column.parse().ok()? })
}

/// The name of a column.
fn name(ident: &Ident) -> String {
    ident.value.clone()
}
