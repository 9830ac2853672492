//! What was received, to the agency's own programs: as it came, with HEAD and spans, or in another form of theirs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use dataplane::{Job, OutputFormat, Query, Restriction, Schema, Source};

use super::body::Segments;
use super::exchanges::find;
use crate::error::{Error, Result};
use crate::flow::{consumer, described};
use crate::node::Node;
use crate::query::QueryDoc;
use crate::records::{Exchange, Side, Stage};
use crate::represent::{self, Representation, accept, formats, problems};
use crate::{files, kinds, limits};

/// `GET` and `HEAD /v1/exchanges/{id}/data`: the rows, as received and verified; in another form where `Accept` likes one
/// better.
pub async fn data(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let exchange = find(&node, &id)?;
    let held = held(&node, &exchange)?;
    let came_as = form(&exchange)?;
    let schema = schema(&node, &exchange)?.filter(|_| formats::readable(came_as).is_some());
    let mut offered = vec![held.media_type];
    if schema.is_some() {
        offered.extend(formats::ALL.iter().map(|form| form.media_type()));
    }
    let Some(best) = accept::best(&headers, &offered) else {
        let mut response = problems::without_body(&method, problems::not_acceptable(&offered));
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        return Ok(response);
    };
    let other = formats::ALL.into_iter().find(|form| form.media_type() == best && best != held.media_type);
    let mut response = match (other, schema, formats::readable(came_as)) {
        (Some(form), Some(schema), Some(format)) => {
            let source = Source { path: held.path.clone(), format };
            converted(&node, &method, &exchange, source, schema, form).await?
        }
        _ => held.answer(&method, &headers).await?,
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// The file of an exchange that is complete.
pub fn held(node: &Node, exchange: &Exchange) -> Result<Representation> {
    let (Side::Consumer, Stage::Completed, Some(bytes)) = (exchange.side, exchange.stage, exchange.bytes)
    else {
        return Err(Error::conflict(format!(
            "exchange `{}` has no rows to take home: it is {} and this node is its {}",
            exchange.id,
            exchange.stage.word(),
            if exchange.side == Side::Consumer { "consumer" } else { "provider" }
        )));
    };
    let Some(sha256) = exchange.sha256.as_deref().and_then(files::unhex::<32>) else {
        return Err(Error::conflict(format!("the rows of exchange `{}` were erased", exchange.id)));
    };
    let form = form(exchange)?;
    let name = represent::plain_name(&format!("{}-{}", exchange.dataset, exchange.id));
    Ok(Representation {
        path: consumer::received_file(node, &exchange.id),
        bytes,
        sha256,
        media_type: form.media_type(),
        file_name: format!("{name}.{}", formats::extension(form)),
    })
}

fn form(exchange: &Exchange) -> Result<OutputFormat> {
    let query = QueryDoc::from_wire(Some(&exchange.ask.query)).map_err(Error::internal)?;
    Ok(formats::output(&query.format))
}

/// The columns, as the signed manifest had them; none where they were not kept.
fn schema(node: &Node, exchange: &Exchange) -> Result<Option<Schema>> {
    let Some(columns) = described::read(node, exchange) else { return Ok(None) };
    let columns = columns.iter().map(|c| dataplane::Column::new(&c.name, kinds::from_manifest(c.kind), true));
    Schema::new(columns.collect()).map(Some).map_err(Error::internal)
}

/// The rows read from the file that was verified and written anew. What the provider's decision hid is not in them.
async fn converted(
    node: &Node,
    method: &Method,
    exchange: &Exchange,
    source: Source,
    schema: Schema,
    format: OutputFormat,
) -> Result<Response> {
    if *method == Method::HEAD {
        return Ok(represent::head(format));
    }
    let place = node.conversions.clone().acquire_owned().await.map_err(Error::internal)?;
    let job = Job {
        source,
        schema,
        restriction: Restriction::default(),
        query: Query::default(),
        format,
        limits: dataplane::Limits { timeout: limits::VIEW_TIMEOUT, ..dataplane::Limits::default() },
        correlation: exchange.id.clone(),
    };
    represent::stream(job, place).await
}
