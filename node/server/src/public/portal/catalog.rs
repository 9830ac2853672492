//! `/catalog`: DCAT-AP in three notations, in pages.

use std::sync::Arc;

use ::portal::accept::{self, Variant};
use ::portal::limits::CATALOG_PAGE;
use ::portal::paging::Page;
use ::portal::rdf::{self, Notation};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{model, reply};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::public::Caller;

/// How a catalog is asked for. Names that are unknown are ignored, as harvesters add their own.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    page: Option<String>,
    size: Option<String>,
    modified_since: Option<String>,
}

type Asked = std::result::Result<Query<Wanted>, axum::extract::rejection::QueryRejection>;

macro_rules! ending {
    ($name:ident, $notation:expr, $ending:literal) => {
        #[doc = concat!("`GET /catalog.", $ending, "`")]
        pub(super) async fn $name(
            State(node): State<Arc<Node>>,
            caller: Caller,
            asked: Asked,
            headers: HeaderMap,
        ) -> Result<Response> {
            document(node, caller, wanted(asked)?, headers, $notation, concat!("/catalog.", $ending)).await
        }
    };
}

ending!(turtle, Notation::Turtle, "ttl");
ending!(rdf_xml, Notation::RdfXml, "rdf");
ending!(xml, Notation::RdfXml, "xml");
ending!(json_ld, Notation::JsonLd, "jsonld");

/// `GET /catalog`: by what the client accepts; people are led to the list.
pub(super) async fn negotiated(
    State(node): State<Arc<Node>>,
    caller: Caller,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response> {
    let field = headers.get(header::ACCEPT).and_then(|field| field.to_str().ok());
    match accept::choose(field, Variant::Rdf(Notation::Turtle)) {
        Some(Variant::Rdf(notation)) => {
            document(node, caller, wanted(asked)?, headers, notation, "/catalog").await
        }
        Some(Variant::Html) => {
            let mut response = Redirect::to("/").into_response();
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
            Ok(response)
        }
        None => Err(not_acceptable()),
    }
}

/// None of the notations that there are.
pub(super) fn not_acceptable() -> Error {
    Error::usage(
        "there is text/turtle, application/rdf+xml, application/ld+json and text/html; accept one of these",
    )
}

fn wanted(asked: Asked) -> Result<Wanted> {
    asked.map(|Query(wanted)| wanted).map_err(|e| Error::usage(format!("the query cannot be read: {e}")))
}

fn number(name: &str, text: Option<&str>, usual: usize) -> Result<usize> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(usual) };
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| Error::usage(format!("`{name}` is `{text}`; write a whole number from 1")))
}

async fn document(
    node: Arc<Node>,
    caller: Caller,
    wanted: Wanted,
    headers: HeaderMap,
    notation: Notation,
    path: &'static str,
) -> Result<Response> {
    let page = number("page", wanted.page.as_deref(), 1)?;
    let size = number("size", wanted.size.as_deref(), CATALOG_PAGE)?.min(CATALOG_PAGE);
    let since = wanted.modified_since.filter(|text| !text.is_empty());
    let since = since.map(|text| since_when(&text).map(|time| (text, time))).transpose()?;
    let asker = caller.clone();
    let body =
        reply::apart(move || reply::whole(written(&node, &asker, (page, size), since, notation, path)))
            .await?;
    Ok(reply::tagged(&headers, &caller, notation.media_type(), body))
}

fn since_when(text: &str) -> Result<i64> {
    ::portal::read_time(text).ok_or_else(|| {
        Error::usage(format!("`modified_since` is `{text}`; write a day or a time as 2026-01-31T00:00:00Z"))
    })
}

fn written(
    node: &Node,
    caller: &Caller,
    (number, size): (usize, usize),
    since: Option<(String, i64)>,
    notation: Notation,
    path: &str,
) -> Result<Vec<u8>> {
    let mut all = model::shown(node, caller)?;
    let modified = all.iter().map(|shown| shown.dataset.record.modified).max();
    if let Some((_, time)) = &since {
        all.retain(|shown| shown.dataset.record.modified >= *time);
    }
    let page = Page::new(number, size, all.len());
    // Only the datasets of this page are put into words.
    let catalog = model::catalog(node, page.cut(&all))?;
    let address = format!("{}{path}", catalog.base);
    let size_text = size.to_string();
    let mut query: Vec<(&str, &str)> = Vec::new();
    if size != CATALOG_PAGE {
        query.push(("size", &size_text));
    }
    if let Some((text, _)) = &since {
        query.push(("modified_since", text));
    }
    let view = rdf::View { datasets: &catalog.datasets, page, address: &address, modified, query: &query };
    notation.write(&rdf::catalog(&catalog, &view)).map_err(Error::internal)
}
