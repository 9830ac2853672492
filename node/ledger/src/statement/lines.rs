//! Lines `key value` in a fixed order: the one reader and the one writer of all statements.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::{LedgerError, Result};
use crate::text;

const WHAT: &str = "statement";

/// Reads lines in the order in which they are asked for.
pub(super) struct Lines<'a> {
    rest: std::iter::Peekable<std::str::Split<'a, char>>,
}

impl<'a> Lines<'a> {
    /// Takes the text and gives back its first line.
    pub fn new(text: &'a str) -> Result<(&'a str, Self)> {
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| LedgerError::malformed(WHAT, "its last line does not end with a newline"))?;
        let mut rest = body.split('\n').peekable();
        let first = rest.next().unwrap_or_default();
        Ok((first, Self { rest }))
    }

    /// The value of the next line, which must have this key.
    pub fn text(&mut self, key: &str) -> Result<&'a str> {
        let found = self.rest.next();
        found.and_then(|line| value_of(line, key)).ok_or_else(|| {
            let found = found.map_or("the end".to_owned(), |line| format!("`{}`", text::shortened(line)));
            LedgerError::malformed(WHAT, format!("the line `{key}` was expected, but {found} was found"))
        })
    }

    /// The next line's value, read by its type.
    pub fn value<T: FromStr<Err = LedgerError>>(&mut self, key: &str) -> Result<T> {
        self.text(key)?.parse()
    }

    /// The next line's value if the line has this key.
    pub fn value_if_present<T: FromStr<Err = LedgerError>>(&mut self, key: &str) -> Result<Option<T>> {
        let next = self.rest.next_if(|line| value_of(line, key).is_some());
        next.and_then(|line| value_of(line, key)).map(str::parse).transpose()
    }

    /// The next line's value, `-` meaning none.
    pub fn value_or_dash<T: FromStr<Err = LedgerError>>(&mut self, key: &str) -> Result<Option<T>> {
        match self.text(key)? {
            "-" => Ok(None),
            value => value.parse().map(Some),
        }
    }

    /// The next line's value as a canonical number.
    pub fn number(&mut self, key: &str) -> Result<u64> {
        number(key, self.text(key)?)
    }

    /// There must be no line left.
    pub fn end(mut self) -> Result<()> {
        match self.rest.next() {
            None => Ok(()),
            Some(line) => {
                let why =
                    format!("the line `{}` is unknown here, double or out of order", text::shortened(line));
                Err(LedgerError::malformed(WHAT, why))
            }
        }
    }
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix(' ')
}

/// A canonical number, or a refusal that names the line.
pub(super) fn number(key: &str, value: &str) -> Result<u64> {
    text::decimal(value).ok_or_else(|| {
        let why = format!("`{key}` is `{}`, which is no canonical number", text::shortened(value));
        LedgerError::malformed(WHAT, why)
    })
}

/// Two values divided by one space, or a refusal that names the line.
pub(super) fn pair<'a>(key: &str, value: &'a str) -> Result<(&'a str, &'a str)> {
    value.split_once(' ').ok_or_else(|| LedgerError::malformed(WHAT, format!("`{key}` needs two values")))
}

/// Writes lines.
pub(super) struct Writer(String);

impl Writer {
    pub fn new(first: &str) -> Self {
        Self(format!("{first}\n"))
    }

    pub fn line(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.0.push_str(&format!("{key} {value}\n"));
        self
    }

    pub fn line_if_some(&mut self, key: &str, value: Option<&impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.line(key, value);
        }
        self
    }

    pub fn line_or_dash(&mut self, key: &str, value: Option<&impl Display>) -> &mut Self {
        match value {
            Some(value) => self.line(key, value),
            None => self.line(key, "-"),
        }
    }

    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}
