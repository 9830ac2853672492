//! The catalog for connectors: to each only what the rules let its party discover.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use exchange::dsp::{self as wire, Catalog, CatalogContent, CatalogRequestMessage, Dataset, RootDataset};
use serde::Deserialize;
use serde_json::Value;

use crate::dsp::{Connector, identity, offers, reply};
use crate::error::Result;
use crate::limits::CATALOG_PAGE;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::shown;

/// Where a page begins: after the dataset with this name.
#[derive(Debug, Default, Deserialize)]
pub struct Page {
    #[serde(default)]
    after: Option<String>,
}

/// `POST /catalog/request`
pub async fn request(
    State(node): State<Arc<Node>>,
    Query(page): Query<Page>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let connector = match identity::caller(&node, &headers).await {
        Ok(connector) => connector,
        Err(error) => return error.into_response(),
    };
    let message = match wire::parse::<CatalogRequestMessage>(&body) {
        Ok(message) => message,
        Err(error) => return reply::catalog_error(StatusCode::BAD_REQUEST, "MALFORMED", &error.to_string()),
    };
    if !message.filter.iter().all(asks_for_all) {
        let why = "this node knows no filter; leave it out and search the answer";
        return reply::catalog_error(StatusCode::BAD_REQUEST, "FILTER", why);
    }
    match render(&node, &connector, page.after.as_deref()) {
        Ok((catalog, next)) => with_link(reply::message(StatusCode::OK, &catalog), next),
        Err(error) => error.into_response(),
    }
}

/// Eclipse's connector always sends a query: one that leaves nothing out is no filter. Its `limit` is the client's wish for
/// a page; pages here have their own size and say where the next one is.
fn asks_for_all(filter: &Value) -> bool {
    let Some(query) = filter.as_object() else { return false };
    let kind = query.get("@type").and_then(Value::as_str);
    let neutral = |(key, value): (&String, &Value)| match key.as_str() {
        "@type" | "limit" | "sortOrder" => true,
        "offset" => value.as_u64() == Some(0),
        "filterExpression" => value.as_array().is_some_and(Vec::is_empty),
        _ => value.is_null(),
    };
    kind == Some("QuerySpec") && query.iter().all(neutral)
}

fn with_link(mut response: Response, next: Option<String>) -> Response {
    let link = next.and_then(|after| {
        let target = format!("<{}/catalog/request?after={after}>; rel=\"next\"", crate::dsp::PATH);
        HeaderValue::from_str(&target).ok()
    });
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

fn render(node: &Node, connector: &Connector, after: Option<&str>) -> Result<(Catalog, Option<String>)> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let mut all = shown::all(node, &operation, &connector.caller())?;
    all.retain(|shown| after.is_none_or(|after| shown.name() > after));
    let next =
        (all.len() > CATALOG_PAGE).then(|| all.get(CATALOG_PAGE - 1).map(|shown| shown.name().to_owned()));
    all.truncate(CATALOG_PAGE);
    let described = all.iter().map(|shown| offers::describe(node, &operation, connector, shown));
    let datasets: Vec<Dataset> = described.collect::<Result<_>>()?;
    #[cfg(feature = "tck")]
    let datasets = datasets.into_iter().chain(crate::dsp::script::datasets(node)?).collect();
    let me = &node.config.node.id;
    let content = CatalogContent {
        datasets,
        services: vec![offers::service(node)?],
        ..CatalogContent::empty(offers::id(&format!("{me}/catalog"))?)
    };
    Ok((Catalog { participant_id: offers::id(me)?, content }, next.flatten()))
}

/// `GET /catalog/datasets/{id}`: an unknown and a hidden dataset are answered alike.
pub async fn dataset(State(node): State<Arc<Node>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let connector = match identity::caller(&node, &headers).await {
        Ok(connector) => connector,
        Err(error) => return error.into_response(),
    };
    match one(&node, &connector, &id) {
        Ok(Some(dataset)) => reply::message(StatusCode::OK, &RootDataset(dataset)),
        Ok(None) => {
            reply::catalog_error(StatusCode::NOT_FOUND, "UNKNOWN", "no such dataset is offered to you")
        }
        Err(error) => error.into_response(),
    }
}

fn one(node: &Node, connector: &Connector, id: &str) -> Result<Option<Dataset>> {
    #[cfg(feature = "tck")]
    if let Some(dataset) = crate::dsp::script::find(node, id)? {
        return Ok(Some(dataset));
    }
    let Some(name) = offers::name_of(node, id) else { return Ok(None) };
    let operation = Operation::begin(Actor::Node, &node.clock);
    let found = shown::one(node, &operation, &connector.caller(), name)?;
    found.map(|shown| offers::describe(node, &operation, connector, &shown)).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::asks_for_all;

    #[test]
    fn only_a_query_that_leaves_nothing_out_is_no_filter() {
        let eclipse = json!({"@type": "QuerySpec", "limit": 50, "offset": 0, "sortOrder": "ASC", "filterExpression": []});
        assert!(asks_for_all(&eclipse));
        for (key, value) in [
            ("offset", json!(50)),
            ("filterExpression", json!([{"operandLeft": "id"}])),
            ("sortField", json!("name")),
            ("@type", json!("Other")),
        ] {
            let mut other = eclipse.clone();
            other[key] = value;
            assert!(!asks_for_all(&other), "{key}");
        }
        assert!(!asks_for_all(&json!("all")));
    }
}
