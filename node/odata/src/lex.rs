//! A filter cut into words, values and signs (ABNF for OData 4.01).

use crate::error::{Fault, quote};
use crate::limits::{FILTER_BYTES_MAX, TOKENS_MAX};
use crate::names::{in_word, starts_word};

/// One piece, and what stands at the place where it begins, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or an operator's word.
    Word(String),
    /// What stood in single quotes, doubled quotes made single.
    Text(String),
    /// A number, a day or a time, as written.
    Literal(String),
    /// One of `( ) , / : @ $ *` and whatever else is no letter.
    Sign(char),
}

/// Cuts a text into pieces.
pub(crate) fn cut(text: &str, target: &str) -> Result<Vec<Token>, Fault> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(Fault::bad(
            target,
            format!("it has {} bytes; at most {FILTER_BYTES_MAX}, ask in several requests", text.len()),
        ));
    }
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.trim_start().chars().next() {
        rest = rest.trim_start();
        let (token, after) = match first {
            '\'' => quoted(rest, target)?,
            c if starts_word(c) => {
                let (word, after) = span(rest, in_word);
                (Token::Word(word.to_owned()), after)
            }
            c if c.is_ascii_digit() || (c == '-' && negative(rest)) => literal(rest),
            c => (Token::Sign(c), rest.get(c.len_utf8()..).unwrap_or_default()),
        };
        tokens.push(token);
        if tokens.len() > TOKENS_MAX {
            return Err(Fault::bad(
                target,
                format!("it has over {TOKENS_MAX} words, values and signs; ask in several requests"),
            ));
        }
        rest = after;
    }
    Ok(tokens)
}

/// The longest beginning of these characters, and the rest.
fn span(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// `-5` and `-INF` are values; other uses of `-` are not known here.
fn negative(text: &str) -> bool {
    let after = text.get(1..).unwrap_or_default();
    after.starts_with(|c: char| c.is_ascii_digit()) || after.starts_with("INF")
}

/// Numbers, days and times; an identifier of 32 hexadecimal digits comes out as one piece, too, and is refused later.
fn literal(text: &str) -> (Token, &str) {
    let (begin, _) = text.split_at(1);
    let (value, after) = span(text.get(1..).unwrap_or_default(), |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '+')
    });
    (Token::Literal(format!("{begin}{value}")), after)
}

fn quoted<'a>(text: &'a str, target: &str) -> Result<(Token, &'a str), Fault> {
    let mut value = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        let Some(end) = rest.find('\'') else {
            let why = format!("the text `{}` has no closing quote; a quote inside is doubled", quote(text));
            return Err(Fault::bad(target, why));
        };
        value.push_str(rest.get(..end).unwrap_or_default());
        rest = rest.get(end + 1..).unwrap_or_default();
        match rest.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Ok((Token::Text(value), rest)),
        }
    }
}
