//! Files for programs that read addresses and send no token: signed links, and what they lead to. On the provider's side they
//! are a release of the rows; on the consumer's side the received file, for the agency's own programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::{Value, json};

use super::body::{Params, Segments};
use super::exchanges::find;
use super::received::held;
use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation, rfc3339};
use crate::records::{Exchange, Side};
use crate::releases;
use crate::releases::link::{Signed, Signer};

/// `POST /v1/exchanges/{id}/files`: signed addresses of the rows: of Parquet files made of them where this node provided them,
/// of the file as received where it asked for them.
pub async fn list(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let exchange = find(&node, &id)?;
    match exchange.side {
        Side::Provider => provided(&node, &operation, &exchange).await.map(Json),
        Side::Consumer => received(&node, &operation, &exchange).map(Json),
    }
}

async fn provided(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<Value> {
    let release = releases::make(node, operation, exchange).await?;
    let files = release.files.parts.iter().map(|part| {
        Ok(json!({
            "id": format!("{}-{}", release.id, part.name.trim_end_matches(".parquet")),
            "url": releases::file(node, &release, &part.name, operation.now)?,
            "bytes": part.bytes,
            "sha256": part.sha256,
            "rows": part.rows,
            "columns": part.columns,
        }))
    });
    let files: Vec<Value> = files.collect::<Result<_>>()?;
    Ok(json!({
        "release": release.id,
        "exchange": exchange.id,
        "recipient": release.recipient,
        "dataset": release.dataset,
        "version": release.version,
        "rows": release.files.rows,
        "bytes": release.files.bytes,
        "capped": release.files.capped,
        "files": files,
        "expires": rfc3339(expires(node, operation)),
    }))
}

/// The received file: the agency's own, so nobody is asked but the record of the exchange.
fn received(node: &Node, operation: &Operation, exchange: &Exchange) -> Result<Value> {
    let held = held(node, exchange)?;
    let seconds = node.config.files.link_minutes.saturating_mul(60);
    let sha256 = crate::files::hex(&held.sha256);
    let path = releases::path(&exchange.id, RECEIVED);
    let url = Signer::new(&node.mask_secret)?.sign(&path, &sha256, operation.now, seconds)?;
    Ok(json!({
        "exchange": exchange.id,
        "dataset": exchange.dataset,
        "rows": exchange.rows,
        "bytes": held.bytes,
        "files": [{"id": sha256, "url": url, "bytes": held.bytes, "sha256": sha256, "rows": exchange.rows,
                   "media_type": held.media_type}],
        "expires": rfc3339(expires(node, operation)),
    }))
}

/// Name of the one file of a received exchange in its signed address.
const RECEIVED: &str = "received";

fn expires(node: &Node, operation: &Operation) -> i64 {
    operation.now.saturating_add(i64::from(node.config.files.link_minutes) * 60)
}

/// `GET` and `HEAD /v1/files/{release}/{file}`: a file by its signed address. The signature stands for the token.
pub async fn file(
    State(node): State<Arc<Node>>,
    Segments((release, file)): Segments<(String, String)>,
    Params(signed): Params<Signed>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    if file == RECEIVED {
        // No word about which exchanges there are to who has no good signature.
        let held = find(&node, &release).and_then(|exchange| held(&node, &exchange));
        let bound = held.as_ref().map_or_else(|_| String::new(), |held| crate::files::hex(&held.sha256));
        let path = releases::path(&release, RECEIVED);
        Signer::new(&node.mask_secret)?.check(&path, &bound, &signed, node.clock.now())?;
        return held?.answer(&method, &headers).await;
    }
    releases::serve(&node, (&release, &file), &signed, &method, &headers).await
}
