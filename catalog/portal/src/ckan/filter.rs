//! Filter queries (`fq`) as harvesters write them: the part of Solr's language that CKAN's clients use.
//!
//! ```text
//! query = any { any }            side by side: all must fit
//! any   = all { OR all }
//! all   = one { [AND] one }      the word AND
//! one   = [+ | - | NOT | !] ( "(" query ")" | [field ":"] value )
//! value = word | "text" | [from TO to] | "(" value { OR value } ")"      `*` stands for anything at the end of a word
//! ```
//!
//! Terms side by side bind weaker than `OR`: `organization:a OR organization:b metadata_modified:[… TO *]`, as
//! `ckanext-harvest` writes it, means either organization *and* the time. An unknown field is an error, not an empty page.

use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::model::Dataset;
use crate::text::{keywords as tags, read_time};

use super::package::{format_word, group_id, licence, organization_id, package_id};

/// What must hold of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Is(Field, Match),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Name,
    Title,
    Notes,
    Organization,
    OwnerOrg,
    Groups,
    Tags,
    Format,
    Licence,
    Modified,
    Created,
    Type,
    State,
    Capacity,
    Private,
    AccessRights,
    Anything,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Match {
    Anything,
    Word(String),
    Beginning(String),
    Between(Option<i64>, Option<i64>),
}

impl Field {
    pub(super) fn of(name: &str) -> Option<Field> {
        Some(match name {
            "id" => Field::Id,
            "name" => Field::Name,
            "title" | "title_string" => Field::Title,
            "notes" => Field::Notes,
            "organization" => Field::Organization,
            "owner_org" => Field::OwnerOrg,
            "groups" => Field::Groups,
            "tags" => Field::Tags,
            "res_format" => Field::Format,
            "license_id" => Field::Licence,
            "metadata_modified" => Field::Modified,
            "metadata_created" => Field::Created,
            "type" | "dataset_type" | "entity_type" => Field::Type,
            "state" => Field::State,
            "capacity" => Field::Capacity,
            "private" => Field::Private,
            "access_rights" | "extras_access_rights" => Field::AccessRights,
            "text" | "*" => Field::Anything,
            _ => return None,
        })
    }

    fn is_time(self) -> bool {
        matches!(self, Field::Modified | Field::Created)
    }

    /// The values that a dataset has there.
    pub(super) fn values(self, dataset: &Dataset) -> Vec<String> {
        let both = |text: &crate::model::Text| vec![text.vi.clone(), text.en.clone()];
        match self {
            Field::Id => vec![package_id(dataset)],
            Field::Name => vec![dataset.name.clone()],
            Field::Title => both(&dataset.title),
            Field::Notes => both(&dataset.description),
            Field::Organization => vec![dataset.publisher.name.clone()],
            Field::OwnerOrg => vec![organization_id(&dataset.publisher)],
            Field::Groups => {
                dataset.theme.iter().flat_map(|theme| [theme.name.clone(), group_id(theme)]).collect()
            }
            Field::Tags => tags(dataset),
            Field::Format => dataset.distributions.iter().map(|d| format_word(d.form).to_owned()).collect(),
            Field::Licence => licence(dataset).0.into_iter().collect(),
            Field::Modified | Field::Created => Vec::new(),
            Field::Type => vec!["dataset".to_owned(), "package".to_owned()],
            Field::State => vec!["active".to_owned()],
            Field::Capacity => vec!["public".to_owned()],
            Field::Private => vec!["false".to_owned()],
            Field::AccessRights => vec![dataset.rights.word().to_owned()],
            Field::Anything => [Field::Name, Field::Title, Field::Notes, Field::Tags]
                .into_iter()
                .flat_map(|field| field.values(dataset))
                .collect(),
        }
    }

    /// Whether a word may stand anywhere in the value.
    fn is_text(self) -> bool {
        matches!(self, Field::Title | Field::Notes | Field::Anything)
    }
}

impl Filter {
    /// Whether it holds.
    pub(super) fn fits(&self, dataset: &Dataset) -> bool {
        match self {
            Filter::All(list) => list.iter().all(|filter| filter.fits(dataset)),
            Filter::Any(list) => list.iter().any(|filter| filter.fits(dataset)),
            Filter::Not(filter) => !filter.fits(dataset),
            Filter::Is(field, wanted) => fits(*field, wanted, dataset),
        }
    }
}

fn fits(field: Field, wanted: &Match, dataset: &Dataset) -> bool {
    let time = match field {
        Field::Modified => dataset.modified,
        Field::Created => dataset.issued,
        _ => 0,
    };
    match wanted {
        Match::Anything => field.is_time() || field.values(dataset).iter().any(|value| !value.is_empty()),
        Match::Between(from, to) if field.is_time() => {
            from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to)
        }
        Match::Between(..) => false,
        Match::Word(word) => {
            let word = crate::fold(word);
            let same = |value: &String| {
                let value = crate::fold(value);
                if field.is_text() { value.contains(&word) } else { value == word }
            };
            field.values(dataset).iter().any(same)
        }
        Match::Beginning(start) => {
            let start = crate::fold(start);
            let begins = |word: &str| crate::fold(word).starts_with(&start);
            field
                .values(dataset)
                .iter()
                .any(|v| begins(v) || (field.is_text() && v.split_whitespace().any(begins)))
        }
    }
}

/// Reads a query; what is wrong is said with the place.
pub(super) fn read(text: &str) -> Result<Filter, String> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(format!("the query is longer than {FILTER_BYTES_MAX} bytes"));
    }
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, terms: 0 };
    let filter = reader.query()?;
    match reader.peek() {
        None => Ok(filter),
        Some(token) => Err(format!("`{token:?}` closes nothing")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Minus,
    Word(String),
    Text(String),
    /// The inside of brackets.
    Range(String),
    Field(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        match c {
            c if c.is_whitespace() || c == '+' => {
                rest.next();
            }
            '(' | ')' | '-' | '!' => {
                rest.next();
                out.push(match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Minus,
                });
            }
            '"' => {
                rest.next();
                out.push(Token::Text(until(&mut rest, '"', text)?));
            }
            '[' => {
                rest.next();
                out.push(Token::Range(until(&mut rest, ']', text)?));
            }
            '{' | '}' => return Err("braces (local parameters, open ends) are not taken".to_owned()),
            _ => out.push(word(&mut rest)),
        }
    }
    Ok(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn until(rest: &mut Chars<'_>, end: char, whole: &str) -> Result<String, String> {
    let mut inside = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => inside.extend(rest.next()),
            c if c == end => return Ok(inside),
            c => inside.push(c),
        }
    }
    Err(format!("`{end}` is missing at the end of `{}`", crate::text::shortened(whole, 80)))
}

/// A word, or a field with its colon. A backslash takes the meaning from the character after it.
fn word(rest: &mut Chars<'_>) -> Token {
    let mut inside = String::new();
    while let Some(&c) = rest.peek() {
        match c {
            c if c.is_whitespace() || "()[]{}\"".contains(c) => break,
            ':' => {
                rest.next();
                return Token::Field(inside);
            }
            '\\' => {
                rest.next();
                inside.extend(rest.next());
            }
            c => {
                rest.next();
                inside.push(c);
            }
        }
    }
    Token::Word(inside)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    terms: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, word: &str) -> bool {
        let fits = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(fits);
        fits
    }

    fn query(&mut self) -> Result<Filter, String> {
        let mut all = Vec::new();
        while self.peek().is_some_and(|token| *token != Token::Close) {
            all.push(self.any()?);
        }
        Ok(one_or(all, Filter::All))
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut any = vec![self.all()?];
        while self.takes("OR") || self.takes("||") {
            any.push(self.all()?);
        }
        Ok(one_or(any, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut all = vec![self.one()?];
        while self.takes("AND") || self.takes("&&") {
            all.push(self.one()?);
        }
        Ok(one_or(all, Filter::All))
    }

    fn one(&mut self) -> Result<Filter, String> {
        self.terms += 1;
        if self.terms > FILTER_TERMS_MAX {
            return Err(format!("there are more than {FILTER_TERMS_MAX} terms"));
        }
        let mut not = false;
        while self.takes("NOT") || self.peek() == Some(&Token::Minus) {
            if self.tokens.get(self.at) == Some(&Token::Minus) {
                self.at += 1;
            }
            not = !not;
        }
        let filter = match self.next() {
            Some(Token::Open) => self.inside(Reader::query)?,
            Some(Token::Field(name)) => {
                let field = Field::of(&name).ok_or_else(|| format!("undefined field {name}"))?;
                self.value(field)?
            }
            Some(Token::Word(word)) if ["AND", "OR", "&&", "||"].contains(&word.as_str()) => {
                return Err(format!("`{word}` joins nothing"));
            }
            Some(Token::Word(word)) => Filter::Is(Field::Anything, plain(&word)),
            Some(Token::Text(text)) => Filter::Is(Field::Anything, Match::Word(text)),
            Some(token) => return Err(format!("a term was expected, not `{token:?}`")),
            None => return Err("a term is missing at the end".to_owned()),
        };
        Ok(if not { Filter::Not(Box::new(filter)) } else { filter })
    }

    /// What stands in parentheses, the first of which was taken.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(format!("there are more than {FILTER_DEPTH_MAX} parentheses within each other"));
        }
        let value = read(self)?;
        self.depth -= 1;
        match self.next() {
            Some(Token::Close) => Ok(value),
            _ => Err("`)` is missing".to_owned()),
        }
    }

    fn value(&mut self, field: Field) -> Result<Filter, String> {
        match self.next() {
            Some(Token::Open) => self.inside(|reader| reader.values(field)),
            Some(Token::Text(text)) => Ok(Filter::Is(field, Match::Word(text))),
            Some(Token::Range(range)) => Ok(Filter::Is(field, between(&range)?)),
            Some(Token::Word(word)) => Ok(Filter::Is(field, plain(&word))),
            // A time or an address has colons of its own.
            Some(Token::Field(first)) => match self.next() {
                Some(Token::Word(rest)) => Ok(Filter::Is(field, plain(&format!("{first}:{rest}")))),
                _ => Err(format!("a value is missing after `{first}:`")),
            },
            _ => Err("a value is missing after a field".to_owned()),
        }
    }

    /// `(a OR b)`; without a word between, any of them may fit too.
    fn values(&mut self, field: Field) -> Result<Filter, String> {
        let (mut list, mut all) = (Vec::new(), false);
        while self.peek().is_some_and(|token| *token != Token::Close) {
            self.terms += 1;
            if self.terms > FILTER_TERMS_MAX {
                return Err(format!("there are more than {FILTER_TERMS_MAX} terms"));
            }
            list.push(self.value(field)?);
            if self.takes("AND") {
                all = true;
            } else {
                self.takes("OR");
            }
        }
        Ok(if all { Filter::All(list) } else { Filter::Any(list) })
    }
}

fn one_or(mut list: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    if list.len() == 1 { list.remove(0) } else { many(list) }
}

fn plain(word: &str) -> Match {
    match word.strip_suffix('*') {
        Some("") => Match::Anything,
        Some(start) => Match::Beginning(start.to_owned()),
        None => Match::Word(word.to_owned()),
    }
}

fn between(inside: &str) -> Result<Match, String> {
    let (from, to) =
        inside.split_once(" TO ").ok_or_else(|| format!("`[{inside}]` is no range: write [from TO to]"))?;
    let end = |text: &str| match text.trim() {
        "*" => Ok(None),
        "NOW" => Ok(None),
        text => read_time(text).map(Some).ok_or_else(|| format!("Invalid Date String: `{text}`")),
    };
    Ok(Match::Between(end(from)?, end(to)?))
}
