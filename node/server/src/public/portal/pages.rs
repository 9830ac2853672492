//! Pages for people, one dataset in every form, and what search engines read.

use std::collections::HashMap;
use std::sync::Arc;

use ::portal::accept::{self, Variant};
use ::portal::html::{self, Listing};
use ::portal::limits::HTML_PAGE;
use ::portal::paging::Page;
use ::portal::rdf::{self, Notation};
use ::portal::sitemap;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use super::catalog::not_acceptable;
use super::{model, reply};
use crate::crawl::visible;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::public::Caller;
use crate::shown::Shown;

/// The list's query. What cannot be read counts as not said: these addresses are typed by people.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    q: Option<String>,
    page: Option<String>,
}

impl Wanted {
    fn number(&self) -> Option<usize> {
        self.page.as_deref().and_then(|text| text.parse().ok())
    }
}

type Asked = std::result::Result<Query<Wanted>, axum::extract::rejection::QueryRejection>;

/// `GET /`
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    caller: Caller,
    asked: Asked,
    headers: HeaderMap,
) -> Response {
    let wanted = asked.map(|Query(wanted)| wanted).unwrap_or_default();
    let asker = caller.clone();
    match reply::apart(move || reply::whole(listed(&node, &asker, &wanted))).await {
        Ok(body) => reply::page(&headers, &caller, body),
        Err(error) => reply::failure(&headers, error),
    }
}

fn listed(node: &Node, caller: &Caller, wanted: &Wanted) -> Result<String> {
    let all = model::shown(node, caller)?;
    let words: String = wanted
        .q
        .as_deref()
        .unwrap_or_default()
        .trim()
        .chars()
        .take(catalog::limits::QUERY_CHARS_MAX)
        .collect();
    let fit: Vec<&Shown> = if words.is_empty() {
        all.iter().collect()
    } else {
        let names = visible::names(node, &all, &words)?;
        let by_name: HashMap<&str, &Shown> = all.iter().map(|shown| (shown.name(), shown)).collect();
        names.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect()
    };
    let page = Page::new(wanted.number().unwrap_or(1), HTML_PAGE, fit.len());
    let catalog = model::catalog(node, page.cut(&fit).iter().copied())?;
    let datasets: Vec<&::portal::model::Dataset> = catalog.datasets.iter().collect();
    html::list(&catalog, Listing { datasets: &datasets, page, query: &words }).map_err(Error::internal)
}

/// `GET /dataset/{name}`, `/dataset/{name}.ttl`, …
pub(super) async fn dataset(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(asked): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let (name, ending) = match asked.split_once('.') {
        Some((name, ending)) => (name, Some(ending)),
        None => (asked.as_str(), None),
    };
    let field = headers.get(header::ACCEPT).and_then(|field| field.to_str().ok());
    let variant = match ending {
        Some("html") => Variant::Html,
        Some(ending) => Variant::Rdf(Notation::of_ending(ending).ok_or_else(nothing)?),
        None => accept::choose(field, Variant::Html).ok_or_else(not_acceptable)?,
    };
    let shown = reply::whole(model::one(&node, &caller, name));
    match variant {
        Variant::Html => Ok(match shown.and_then(|shown| drawn(&node, shown)) {
            Ok(body) => reply::page(&headers, &caller, body),
            Err(error) => reply::failure(&headers, error),
        }),
        Variant::Rdf(notation) => {
            let body = written(&node, shown?, notation)?;
            Ok(reply::tagged(&headers, &caller, notation.media_type(), body))
        }
    }
}

/// The one answer for what is not there and what may not be known.
fn nothing() -> Error {
    Error::not_found("no such dataset here; `/` is the list of what this agency shows")
}

fn drawn(node: &Node, shown: Option<Shown>) -> Result<String> {
    let catalog = model::catalog(node, shown.as_ref())?;
    let dataset = catalog.datasets.first().ok_or_else(nothing)?;
    html::dataset(&catalog, dataset).map_err(Error::internal)
}

fn written(node: &Node, shown: Option<Shown>, notation: Notation) -> Result<Vec<u8>> {
    let catalog = model::catalog(node, shown.as_ref())?;
    let dataset = catalog.datasets.first().ok_or_else(nothing)?;
    notation.write(&rdf::dataset(&catalog.base, dataset, &catalog.services)).map_err(Error::internal)
}

/// `GET /sitemap.xml`
pub(super) async fn sitemap(
    State(node): State<Arc<Node>>,
    caller: Caller,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response> {
    let number = asked.map(|Query(wanted)| wanted).unwrap_or_default().number();
    let asker = caller.clone();
    let write = move || {
        let all = reply::whole(model::shown(&node, &asker))?;
        let entries: Vec<sitemap::Entry<'_>> =
            all.iter().map(|shown| (shown.name(), shown.dataset.record.modified)).collect();
        Ok(sitemap::write(reply::base(&node), &entries, number).into_bytes())
    };
    let body = reply::apart(write).await?;
    Ok(reply::tagged(&headers, &caller, "application/xml", body))
}

/// `GET /robots.txt`
pub(super) async fn robots(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    let body = sitemap::robots(reply::base(&node)).into_bytes();
    reply::tagged(&headers, &Caller::public(), "text/plain; charset=utf-8", body)
}

/// `GET /portal.css`
pub(super) async fn style(headers: HeaderMap) -> Response {
    reply::tagged(&headers, &Caller::public(), "text/css; charset=utf-8", html::STYLE.as_bytes().to_vec())
}
