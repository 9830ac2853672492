//! The words of a text, looked at before they are parsed: how many there are, how deep they nest, and which signs no
//! query of ours can have. What passes keeps the parser's tree shallow, so that no text can exhaust the stack.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{SqlError, Subset};
use crate::limits::{SQL_BYTES_MAX, SQL_DEPTH_MAX, SQL_JOINTS_MAX};

/// The words of one text, without the spaces between them.
pub(super) struct Tokens(Vec<TokenWithSpan>);

impl Tokens {
    pub(super) fn new(sql: &str) -> Result<Self, SqlError> {
        let start = Location { line: 1, column: 1 };
        if sql.len() > SQL_BYTES_MAX {
            let what = format!("the query has {} bytes, at most {SQL_BYTES_MAX}", sql.len());
            return Err(SqlError::new(start, what, "shorten it"));
        }
        let mut found = Tokenizer::new(&Subset, sql).tokenize_with_location().map_err(|e| {
            let said: String = e.message.chars().take(200).collect();
            SqlError::new(e.location, format!("it cannot be read ({said})"), "close each quote and comment")
        })?;
        found.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        let tokens = Self(found);
        tokens.check_begin()?;
        tokens.check_signs()?;
        tokens.check_size()?;
        Ok(tokens)
    }

    pub(super) fn all(&self) -> Vec<TokenWithSpan> {
        self.0.clone()
    }

    pub(super) fn start(&self) -> Location {
        self.0.first().map_or(Location { line: 1, column: 1 }, |t| t.span.start)
    }

    /// Where the last word stands.
    pub(super) fn end(&self) -> Location {
        let last = self.0.iter().rev().find(|t| t.token != Token::EOF);
        last.map_or_else(|| self.start(), |t| t.span.start)
    }

    /// Where the first of these words stands, written without quotes; behind `FROM` if it is there at all.
    pub(super) fn place(&self, words: &[&str]) -> Location {
        let is = |token: &TokenWithSpan, words: &[&str]| match &token.token {
            Token::Word(w) if w.quote_style.is_none() => {
                words.iter().any(|k| w.value.eq_ignore_ascii_case(k))
            }
            _ => false,
        };
        let from = self.0.iter().position(|t| is(t, &["FROM"])).unwrap_or(0);
        let behind = self.0.iter().skip(from).find(|t| is(t, words));
        behind.or_else(|| self.0.iter().find(|t| is(t, words))).map_or_else(|| self.start(), |t| t.span.start)
    }

    pub(super) fn follows_semicolon(&self, at: Location) -> bool {
        let place = self.0.iter().position(|t| t.span.start == at);
        let before = place.and_then(|p| p.checked_sub(1)).and_then(|p| self.0.get(p));
        before.is_some_and(|t| t.token == Token::SemiColon)
    }

    fn check_begin(&self) -> Result<(), SqlError> {
        const INSTEAD: &str = "write SELECT columns FROM this_dataset";
        match self.0.first().map(|t| (&t.token, t.span.start)) {
            None | Some((Token::EOF, _)) => Err(SqlError::new(self.start(), "there is no query", INSTEAD)),
            Some((Token::Word(word), _)) if word.keyword == Keyword::SELECT => Ok(()),
            Some((Token::Word(word), at)) => {
                let what = format!("a query begins with SELECT, not with `{}`", word.value.to_uppercase());
                Err(SqlError::new(at, what, INSTEAD))
            }
            Some((token, at)) => {
                let what = format!("a query begins with SELECT, not with `{token}`");
                Err(SqlError::new(at, what, INSTEAD))
            }
        }
    }

    fn check_signs(&self) -> Result<(), SqlError> {
        for TokenWithSpan { token, span } in &self.0 {
            if let Some((what, instead)) = refused_sign(token) {
                return Err(SqlError::new(span.start, what, instead));
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), SqlError> {
        let (mut depth, mut joints) = (0usize, 0usize);
        let mut before: Option<&Token> = None;
        for TokenWithSpan { token, span } in &self.0 {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                other if is_joint(other, before) => joints += 1,
                _ => {}
            }
            before = Some(token);
            if depth > SQL_DEPTH_MAX {
                let what = format!("parentheses are nested more than {SQL_DEPTH_MAX} deep");
                return Err(SqlError::new(span.start, what, "write it with fewer parentheses"));
            }
            if joints > SQL_JOINTS_MAX {
                let what = format!("there are more than {SQL_JOINTS_MAX} keywords and operators");
                return Err(SqlError::new(
                    span.start,
                    what,
                    "use IN for many values, or ask in several queries",
                ));
            }
        }
        Ok(())
    }
}

/// Whether the word can make the tree deeper. A list of any length does not, nor the sign of a number in it.
fn is_joint(token: &Token, before: Option<&Token>) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword && word.quote_style.is_none(),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Comma | Token::EOF => false,
        Token::Minus => !matches!(before, Some(Token::LParen | Token::Comma)),
        _ => true,
    }
}

/// What no query has, and what to write instead.
fn refused_sign(token: &Token) -> Option<(String, &'static str)> {
    let named = |what: &str, instead| Some((format!("{what} (`{token}`) cannot be used"), instead));
    match token {
        Token::Word(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::LParen
        | Token::RParen
        | Token::Mul
        | Token::Minus
        | Token::Period
        | Token::SemiColon
        | Token::EOF => None,
        Token::Plus | Token::Div | Token::DuckIntDiv | Token::Mod | Token::Caret => {
            named("arithmetic", "compare columns with values as they are, and compute on your side")
        }
        Token::DoubleColon => named("a cast", "compare the column with a value of its own kind"),
        Token::StringConcat => {
            named("the joining of texts", "ask for the columns and join them on your side")
        }
        Token::DoubleEq => named("this sign", "write a single `=`"),
        Token::Placeholder(_) => named("a parameter", "write the value itself"),
        Token::LBracket | Token::RBracket | Token::LBrace | Token::RBrace => {
            named("a part of a value", "name a column; values are flat")
        }
        Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::DollarQuotedString(_) => {
            named("this kind of text", "write texts as 'text', a quote in it twice")
        }
        Token::Char('`') => named("this quote", "put names in double quotes: \"a name\""),
        _ => named("this sign", "see what a query can have in docs/queries.md"),
    }
}
