//! One page of an answer: kept rows from a place on, narrowed, numbered, and the link to the next page.

use axum::http::HeaderValue;
use axum::response::Response;
use odata::answer::Shape;
use odata::{Accept, EntitySet, Expr, Options, Value};
use serde_json::{Map, Value as Json};

use super::Call;
use super::ask::{COUNT, Plan};
use super::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX, SCAN_BYTES_MAX, SORTED_ROWS_MAX};
use super::lines::{self, Lines};
use super::reply::{self, Told};
use super::token::{Bound, Place};
use crate::error::{Error, Result};
use crate::files;
use crate::flow::direct::Given;

/// Where a page begins.
pub struct From {
    /// The exchange whose rows are kept; none when the question is new.
    pub exchange: Option<String>,
    since: Option<i64>,
    at: u64,
    given: u64,
    left: Option<u64>,
    /// Rows to leave out first.
    skip: u64,
}

impl From {
    /// The first page.
    pub fn first(options: &Options) -> Self {
        let paging = options.paging;
        Self { exchange: None, since: None, at: 0, given: 0, left: paging.top, skip: paging.skip }
    }

    /// A later page.
    pub fn open(call: &Call<'_>, name: &str, token: &str) -> Result<Self> {
        let query = question(call.query);
        let place = bound(call, name, &query).open(token, call.operation.now)?;
        Ok(Self {
            exchange: Some(place.exchange),
            since: Some(place.since),
            at: place.at,
            given: place.given,
            left: place.left,
            skip: 0,
        })
    }
}

fn bound<'a>(call: &'a Call<'_>, name: &'a str, query: &'a str) -> Bound<'a> {
    Bound {
        secret: &call.node.mask_secret,
        subject: &call.caller.subject,
        key: call.caller.key.as_deref().unwrap_or_default(),
        name,
        query,
    }
}

/// The query string without the part of the rows that is meant: what a next link repeats.
fn question(query: &str) -> String {
    let place = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().replace("%24", "$");
        ["$skip", "$top", "$skiptoken", "$count"].contains(&name.as_str())
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !place(pair)).collect();
    kept.join("&")
}

/// A page that is asked for.
pub struct Page<'a> {
    /// Who asks, and how.
    pub call: &'a Call<'a>,
    /// Name of the set.
    pub name: &'a str,
    /// The set.
    pub set: &'a EntitySet,
    /// What is asked.
    pub options: &'a Options,
    /// How it is answered.
    pub plan: &'a Plan,
    /// In which form.
    pub accept: Accept,
    /// Rows of a page that the client wishes at most.
    pub wish: Option<u64>,
}

/// A page in the making.
struct Making {
    out: Vec<u8>,
    rows: u64,
    first: u64,
    most: u64,
}

impl Making {
    fn full(&self) -> bool {
        self.rows >= self.most || self.out.len() >= PAGE_BYTES_MAX
    }
}

impl Page<'_> {
    /// The page of rows that were given, from a place on.
    pub async fn answer(&self, given: &Given, from: From) -> std::result::Result<Response, Told> {
        let count = match self.options.paging.count && from.exchange.is_none() {
            true => Some(count(given, self.set, self.plan).await?),
            false => None,
        };
        let size = self.wish.unwrap_or(PAGE_ROWS_MAX).min(PAGE_ROWS_MAX);
        let most = from.left.map_or(size, |left| left.min(size));
        let shape = Shape::new(self.set, self.options, self.accept);
        let mut making = Making { out: Vec::new(), rows: 0, first: from.given, most };
        let base = self.call.base()?;
        shape.begin(&mut making.out, &base, count);
        let next = match self.plan.order.is_empty() {
            true => self.streamed(given, &from, &shape, &mut making).await?,
            false => self.sorted(given, &from, &shape, &mut making).await?,
        };
        let left = from.left.map(|left| left.saturating_sub(making.rows));
        let next = next.filter(|_| left != Some(0));
        let link = next.map(|at| {
            let place = Place {
                exchange: given.exchange.clone(),
                since: from.since.unwrap_or(self.call.operation.now),
                at,
                given: from.given.saturating_add(making.rows),
                left,
            };
            self.link(&base, &place)
        });
        let link = link.transpose()?;
        if link.is_none() && from.exchange.is_none() {
            // Nobody can come back for it.
            forget(given);
        }
        shape.end(&mut making.out, link.as_deref());
        let mut response = reply::body(self.accept, making.out);
        if self.wish.is_some()
            && let Ok(applied) = HeaderValue::from_str(&format!("odata.maxpagesize={size}"))
        {
            response.headers_mut().insert("preference-applied", applied);
        }
        Ok(response)
    }

    fn link(&self, base: &str, place: &Place) -> Result<String> {
        let query = question(self.call.query);
        let token = bound(self.call, self.name, &query).seal(place)?;
        let between = if query.is_empty() { "" } else { "&" };
        Ok(format!("{base}{}?{query}{between}$skiptoken={token}", self.name))
    }

    /// Rows as they lie; where the next page begins, if there may be more.
    async fn streamed(
        &self,
        given: &Given,
        from: &From,
        shape: &Shape<'_>,
        making: &mut Making,
    ) -> Result<Option<u64>> {
        let mut lines = Lines::open(&given.file, from.at).await?;
        let mut skip = from.skip;
        let last = from.at.saturating_add(SCAN_BYTES_MAX);
        loop {
            let at = lines.at();
            let Some(line) = lines.next().await? else { return Ok(None) };
            // A row is looked at before the page is closed: after the last one there is no link to nothing.
            let row = lines::read(line)?;
            if !self.meant(&row) {
                // The rows that are still to be left out cannot be told in a place, so they are passed in one go.
                if lines.at() >= last && skip == 0 {
                    return Ok(Some(lines.at()));
                }
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if making.full() {
                return Ok(Some(at));
            }
            self.write(shape, making, &row);
        }
    }

    /// Groups and figures, sorted here; where the next page begins, counted in rows.
    async fn sorted(
        &self,
        given: &Given,
        from: &From,
        shape: &Shape<'_>,
        making: &mut Making,
    ) -> Result<Option<u64>> {
        let mut rows = Vec::new();
        let mut lines = Lines::open(&given.file, 0).await?;
        while let Some(line) = lines.next().await? {
            let row = lines::read(line)?;
            if self.meant(&row) {
                rows.push((self.keys(&row), row));
            }
            if rows.len() > SORTED_ROWS_MAX {
                return Err(Error::usage(format!(
                    "$orderby: over {SORTED_ROWS_MAX} groups are not sorted here; narrow them with $filter"
                )));
            }
        }
        rows.sort_by(|(a, _), (b, _)| self.ranked(a, b));
        let begin = from.at.saturating_add(from.skip);
        for (at, (_, row)) in (0_u64..).zip(&rows).skip_while(|(at, _)| *at < begin) {
            if making.full() {
                return Ok(Some(at));
            }
            self.write(shape, making, row);
        }
        Ok(None)
    }

    fn meant(&self, row: &Map<String, Json>) -> bool {
        self.plan.rest.as_ref().is_none_or(|rest| meant(rest, self.set, row))
    }

    fn keys(&self, row: &Map<String, Json>) -> Vec<Value> {
        self.plan.order.iter().map(|order| cell(self.set, row, order.property)).collect()
    }

    fn ranked(&self, a: &[Value], b: &[Value]) -> std::cmp::Ordering {
        let each = self.plan.order.iter().zip(a.iter().zip(b));
        let each = each.map(|(order, (a, b))| a.ranked(b, order.descending));
        each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    }

    fn write(&self, shape: &Shape<'_>, making: &mut Making, row: &Map<String, Json>) {
        let cells: Vec<Json> =
            self.options.columns(self.set).iter().map(|at| raw(self.set, row, *at)).collect();
        let number = making.first.saturating_add(making.rows).saturating_add(1);
        shape.row(&mut making.out, making.rows == 0, number, &cells);
        making.rows += 1;
    }
}

fn raw(set: &EntitySet, row: &Map<String, Json>, at: usize) -> Json {
    let property = set.properties.get(at);
    property.and_then(|property| row.get(&property.column.name)).cloned().unwrap_or_default()
}

fn cell(set: &EntitySet, row: &Map<String, Json>, at: usize) -> Value {
    let found = set.properties.get(at).and_then(|p| Some((p.column.kind, row.get(&p.column.name)?)));
    found.and_then(|(kind, cell)| Value::read(kind, cell)).unwrap_or(Value::Null)
}

fn meant(rest: &Expr, set: &EntitySet, row: &Map<String, Json>) -> bool {
    let cells: Vec<Value> = (0..set.properties.len()).map(|at| cell(set, row, at)).collect();
    rest.holds(&cells)
}

/// How many rows a question has.
pub async fn count(given: &Given, set: &EntitySet, plan: &Plan) -> Result<u64> {
    if plan.counted {
        let mut lines = Lines::open(&given.file, 0).await?;
        let line = lines.next().await?.ok_or_else(|| Error::internal("a count came without a row"))?;
        let number = lines::read(line)?.get(COUNT).and_then(Json::as_u64);
        return number.ok_or_else(|| Error::internal("a count came without a number"));
    }
    let Some(rest) = &plan.rest else { return Ok(given.rows) };
    let mut lines = Lines::open(&given.file, 0).await?;
    let mut number = 0;
    while let Some(line) = lines.next().await? {
        number += u64::from(meant(rest, set, &lines::read(line)?));
    }
    Ok(number)
}

/// Removes the kept rows of an answer that is complete.
pub fn forget(given: &Given) {
    if let Some(folder) = given.file.parent()
        && let Err(error) = files::remove_folder(folder)
    {
        tracing::warn!(exchange = given.exchange, %error, "the rows of an answer could not be removed");
    }
}
