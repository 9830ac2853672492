//! The system query options of a request (URL Conventions 4.01, 5.1).

use percent_encoding::percent_decode_str;

use crate::error::{Fault, quote};
use crate::limits::{ORDER_MAX, PARAMETERS_MAX, QUERY_BYTES_MAX, ROWS_MAX};
use crate::parse::{filter, property};
use crate::{EntitySet, Expr};

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Place in the set's properties.
    pub property: usize,
    /// From the greatest to the least.
    pub descending: bool,
}

/// Which part of all rows is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paging {
    /// At most so many.
    pub top: Option<u64>,
    /// After so many.
    pub skip: u64,
    /// Whether the number of all rows is asked for, whatever `top` and `skip` say.
    pub count: bool,
}

/// What a request for a set's rows asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Places of the columns, in the order in which they are named; `None` for all.
    pub select: Option<Vec<usize>>,
    /// Whether the key is in the answer.
    pub key: bool,
    /// Which rows.
    pub filter: Option<Expr>,
    /// In which order.
    pub order: Vec<Order>,
    /// Which part of them.
    pub paging: Paging,
    /// Where an answer that was cut goes on; opaque.
    pub skip_token: Option<String>,
    /// The form, if the address says it.
    pub format: Option<String>,
}

/// System query options that are known and not done, with what to do instead.
const NOT_DONE: [(&str, &str); 7] = [
    ("$expand", "rows have no relations to others"),
    ("$search", "compare columns in $filter"),
    ("$apply", "ask for the rows and group them on your side"),
    ("$compute", "ask for the rows and compute on your side"),
    ("$levels", "there are no hierarchies"),
    ("$index", "rows are only read"),
    ("$schemaversion", "metadata has no versions"),
];

impl Options {
    /// Reads the query string of a request as it stands in the address.
    ///
    /// # Errors
    /// A [`Fault`] that names the option, says what is wrong with it, or that it is not done here.
    pub fn parse(query: &str, set: &EntitySet) -> Result<Self, Fault> {
        let mut options = Self { key: true, ..Self::default() };
        for (name, value) in parameters(query)? {
            let value = value.trim();
            match name.as_str() {
                "$filter" => options.filter = Some(filter(value, set)?),
                "$select" => options.select(value, set)?,
                "$orderby" => options.order = order(value, set)?,
                "$top" => options.paging.top = Some(number("$top", value)?),
                "$skip" => options.paging.skip = number("$skip", value)?,
                "$count" => options.paging.count = truth("$count", value)?,
                "$skiptoken" => options.skip_token = Some(value.to_owned()),
                "$format" => options.format = Some(value.to_owned()),
                other => refuse(other)?,
            }
        }
        Ok(options)
    }

    fn select(&mut self, text: &str, set: &EntitySet) -> Result<(), Fault> {
        let mut columns = Vec::new();
        self.key = false;
        for name in text.split(',').map(str::trim) {
            if name == "*" {
                self.key = true;
                columns.extend(0..set.properties.len());
            } else if name == set.key {
                self.key = true;
            } else if name.contains(['/', '(', '.']) {
                let why = format!("`{}` is not done here; name columns, or write `*`", quote(name));
                return Err(Fault::not_implemented("$select", why));
            } else {
                columns.push(property(set, name, "$select")?);
            }
        }
        let mut seen = std::collections::HashSet::new();
        columns.retain(|at| seen.insert(*at));
        self.select = Some(columns);
        Ok(())
    }

    /// Places of the columns of the answer.
    #[must_use]
    pub fn columns(&self, set: &EntitySet) -> Vec<usize> {
        self.select.clone().unwrap_or_else(|| (0..set.properties.len()).collect())
    }
}

/// What the address says of the form, for documents that take no other option.
///
/// # Errors
/// A [`Fault`] for a query string that is not well formed, or for another system query option.
pub fn format(query: &str) -> Result<Option<String>, Fault> {
    let mut format = None;
    for (name, value) in parameters(query)? {
        match name.as_str() {
            "$format" => format = Some(value.trim().to_owned()),
            other if other.starts_with('$') => {
                return Err(Fault::bad(other, "this document takes $format only"));
            }
            _ => {}
        }
    }
    Ok(format)
}

/// Names and values, decoded; each system query option at most once.
fn parameters(query: &str) -> Result<Vec<(String, String)>, Fault> {
    if query.len() > QUERY_BYTES_MAX {
        let why = format!("it has {} bytes; at most {QUERY_BYTES_MAX}, ask in several requests", query.len());
        return Err(Fault::bad("query", why));
    }
    let mut found: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.starts_with('$') && found.iter().any(|(known, _)| *known == name) {
            return Err(Fault::bad(&quote(&name), "it stands twice; give it once"));
        }
        found.push((name, value));
        if found.len() > PARAMETERS_MAX {
            return Err(Fault::bad("query", format!("it has over {PARAMETERS_MAX} parameters")));
        }
    }
    Ok(found)
}

/// Percent signs taken out. Programs write a space as `+`, too; a plus sign is `%2B`.
fn decoded(text: &str) -> Result<String, Fault> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Fault::bad("query", "it is no UTF-8 behind its percent signs")),
    }
}

/// Own parameters of clients are nobody's business; system query options that are not done are refused, since rows that
/// were not asked for are worse than none (Protocol 4.01, 11.2.1).
fn refuse(name: &str) -> Result<(), Fault> {
    if let Some((_, instead)) = NOT_DONE.iter().find(|(known, _)| *known == name) {
        return Err(Fault::not_implemented(name, format!("it is not done here; {instead}")));
    }
    if name.starts_with('@') {
        return Err(Fault::not_implemented(
            &quote(name),
            "parameter aliases are not done here; write the value",
        ));
    }
    if name.starts_with('$') {
        return Err(Fault::not_implemented(&quote(name), "this option is not known here"));
    }
    Ok(())
}

fn number(target: &str, text: &str) -> Result<u64, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= ROWS_MAX).ok_or_else(|| {
        Fault::bad(target, format!("`{}` is no whole number from 0 to {ROWS_MAX}", quote(text)))
    })
}

fn truth(target: &str, text: &str) -> Result<bool, Fault> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::bad(target, format!("`{}` is neither true nor false", quote(text)))),
    }
}

fn order(text: &str, set: &EntitySet) -> Result<Vec<Order>, Fault> {
    const TARGET: &str = "$orderby";
    let mut order: Vec<Order> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let mut words = item.split_whitespace();
        let (name, way, more) = (words.next().unwrap_or_default(), words.next(), words.next());
        let descending = match (way, more) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => {
                let why = format!("`{}` is no column with `asc` or `desc` behind it", quote(item));
                return Err(Fault::bad(TARGET, why));
            }
        };
        // Rows are numbered as they come: to sort by the key upwards is to leave them so.
        if name == set.key && !descending {
            continue;
        }
        if name.contains(['/', '(']) {
            let why = format!("`{}` is not done here; sort by columns as they are", quote(name));
            return Err(Fault::not_implemented(TARGET, why));
        }
        let property = property(set, name, TARGET)?;
        if order.iter().all(|o| o.property != property) {
            order.push(Order { property, descending });
        }
        if order.len() > ORDER_MAX {
            return Err(Fault::bad(TARGET, format!("it names over {ORDER_MAX} columns")));
        }
    }
    Ok(order)
}
