//! `/odata/v4/`: tables for spreadsheets and reporting programs, in OData 4.0 (read).
//!
//! | route | what |
//! | --- | --- |
//! | `/odata/v4/` | service document: what the caller may query |
//! | `/odata/v4/$metadata` | the columns of it, as CSDL in XML or JSON |
//! | `/odata/v4/NAME` | rows: `$select $filter $orderby $top $skip $count $format`, page by page |
//! | `/odata/v4/NAME/$count` | how many rows |
//!
//! **What it is.** Datasets come from [`crate::shown`], rows from [`crate::flow::direct`]: each question is a decision and an
//! exchange in the ledger. What the node's query carries of a filter goes into it, the rest is looked at here, over rows that
//! the caller may see anyway. The rows of one question are kept for an hour and read page by page, so a page never mixes two
//! versions; the gate is asked again for each page.
//!
//! **What it is not.** Nothing is written and no single row has an address: rows under rules have no identity that would
//! outlive a change of the rules. The key property numbers the rows of one answer.

mod ask;
mod limits;
mod lines;
mod page;
mod reply;
mod sets;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;
use odata::{Accept, Metadata, Options, csdl, service};

use self::reply::{Told, told};
use super::Caller;
use super::caller::NotGood;
use crate::error::Result;
use crate::flow::direct;
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// JSON as those get it who do not say how.
const JSON: Accept = Accept::Json { metadata: Metadata::Minimal, ieee754: false };

/// The routes of this door.
pub fn routes() -> Router<Arc<Node>> {
    let root = get(service_document).fallback(reply::read_only);
    Router::new()
        .route("/odata/v4", root.clone())
        .route("/odata/v4/", root)
        .route("/odata/v4/{name}", get(named).fallback(reply::read_only))
        .route("/odata/v4/{name}/{*rest}", get(below).fallback(reply::read_only))
}

type Who = std::result::Result<Caller, NotGood>;

/// One request, read at the door.
struct Call<'a> {
    node: &'a Arc<Node>,
    operation: Operation,
    caller: Caller,
    query: &'a str,
    headers: &'a HeaderMap,
    /// Only the head of the answer is wanted: nothing is asked of the engine.
    head: bool,
}

impl<'a> Call<'a> {
    fn new(
        node: &'a Arc<Node>,
        who: Who,
        method: &Method,
        query: &'a str,
        headers: &'a HeaderMap,
    ) -> std::result::Result<Self, Told> {
        let caller = who.map_err(Told::NotGood)?;
        odata::version(field(headers, "odata-maxversion"))?;
        let operation = Operation::begin(Actor::Node, &node.clock);
        Ok(Self { node, operation, caller, query, headers, head: method == Method::HEAD })
    }

    fn base(&self) -> Result<String> {
        Ok(format!("{}/odata/v4/", super::endpoint(self.node)?))
    }

    fn accept(&self, format: Option<&str>, offered: &[Accept]) -> std::result::Result<Accept, Told> {
        Ok(Accept::read(field(self.headers, "accept"), format, offered)?)
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn service_document(
    State(node): State<Arc<Node>>,
    who: Who,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    told(Call::new(&node, who, &method, &query, &headers).and_then(|call| {
        let accept = call.accept(odata::answer::format(call.query)?.as_deref(), &[JSON])?;
        let Accept::Json { metadata, .. } = accept else { return Err(Told::no_such()) };
        let document = service::document(&sets::listed(&call)?, &call.base()?, metadata);
        Ok(reply::body(accept, document.to_string().into_bytes()))
    }))
}

fn metadata(call: &Call<'_>) -> std::result::Result<Response, Told> {
    let accept = call.accept(odata::answer::format(call.query)?.as_deref(), &[Accept::Xml, JSON])?;
    let model = sets::described(call)?;
    let body = match accept {
        Accept::Xml => csdl::xml(&model).map_err(crate::error::Error::internal)?,
        Accept::Json { .. } | Accept::Text => csdl::json(&model).to_string(),
    };
    Ok(reply::body(accept, body.into_bytes()))
}

async fn named(
    State(node): State<Arc<Node>>,
    who: Who,
    method: Method,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let call = match Call::new(&node, who, &method, &query, &headers) {
        Ok(call) => call,
        Err(why) => return told(Err(why)),
    };
    told(match name.as_str() {
        "$metadata" => metadata(&call),
        _ => rows(&call, &name).await,
    })
}

/// A page of rows.
async fn rows(call: &Call<'_>, name: &str) -> std::result::Result<Response, Told> {
    let sets::Found { dataset, set, aggregate } = sets::find(call, name).await?;
    let options = Options::parse(call.query, &set)?;
    let accept = call.accept(options.format.as_deref(), &[JSON])?;
    if call.head {
        return Ok(reply::body(accept, Vec::new()));
    }
    let plan = ask::plan(&set, &options, aggregate);
    let wish = field(call.headers, "prefer").and_then(odata::answer::max_page_size);
    let from = match &options.skip_token {
        Some(token) => page::From::open(call, name, token)?,
        None => page::From::first(&options),
    };
    let given = match &from.exchange {
        Some(exchange) => direct::again(call.node, &call.operation, &call.caller, exchange)?,
        None => direct::rows(call.node, &call.operation, &call.caller, &dataset, plan.query.clone()).await?,
    };
    let page = page::Page { call, name, set: &set, options: &options, plan: &plan, accept, wish };
    let first = from.exchange.is_none();
    let answer = page.answer(&given, from).await;
    if answer.is_err() && first {
        // Nobody has an address of a next page.
        page::forget(&given);
    }
    answer
}

/// `NAME/$count`; there is nothing else below a set.
async fn below(
    State(node): State<Arc<Node>>,
    who: Who,
    method: Method,
    Path((name, rest)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let call = match Call::new(&node, who, &method, &query, &headers) {
        Ok(call) => call,
        Err(why) => return told(Err(why)),
    };
    told(match rest.as_str() {
        "$count" => count(&call, &name).await,
        _ => Err(Told::no_such()),
    })
}

async fn count(call: &Call<'_>, name: &str) -> std::result::Result<Response, Told> {
    let sets::Found { dataset, set, aggregate } = sets::find(call, name).await?;
    let options = Options::parse(call.query, &set)?;
    // It is plain text whatever else is accepted: clients ask for it with the fields of their other requests.
    let accept = Accept::read(None, options.format.as_deref(), &[Accept::Text])?;
    if options.skip_token.is_some() || options.paging != odata::Paging::default() || options.select.is_some()
    {
        return Err(odata::Fault::bad("$count", "only $filter goes with it").into());
    }
    if call.head {
        return Ok(reply::body(accept, Vec::new()));
    }
    let plan = ask::count(&set, &options, aggregate);
    let given = direct::rows(call.node, &call.operation, &call.caller, &dataset, plan.query.clone()).await?;
    let number = page::count(&given, &set, &plan).await;
    page::forget(&given);
    Ok(reply::body(accept, number?.to_string().into_bytes()))
}
