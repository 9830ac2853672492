//! Door 2: the agency's own applications and its command line. JSON over loopback HTTP, one bearer token, problem+json.
//!
//! Loopback only, and the `Host` header must say so (a web page that rebinds its name to 127.0.0.1 is refused). What is
//! asked here is asked by the agency itself; rows of other agencies come in only through an exchange.

mod approvals;
mod aside;
mod body;
mod catalog;
mod connectors;
mod datasets;
mod exchanges;
mod files;
mod ledger;
mod line;
mod linkages;
mod listener;
mod parties;
mod peers;
mod people;
mod policy;
mod policy_compliance;
mod policy_decide;
mod policy_impact;
mod policy_life;
mod policy_lint;
mod policy_odrl;
mod questions;
mod received;
mod sources;
mod subscriptions;
mod tlog;
mod versions;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

pub use self::listener::serve;
pub use self::policy_impact::compared;
pub use self::tlog::READER_HEADER;
use crate::error::{self, Error, Result};
use crate::limits::LOCAL_BODY_BYTES_MAX;
use crate::node::Node;

/// The door's table of contents: method, path, what answers. Every route asks for the token, but signed addresses of files,
/// which are as good as one for their file.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/v1/node"),
    ("GET", "/v1/datasets"),
    ("POST", "/v1/datasets"),
    ("GET", "/v1/datasets/{id}"),
    ("POST", "/v1/datasets/{id}/validate"),
    ("POST", "/v1/datasets/{id}/publish"),
    ("POST", "/v1/datasets/{id}/withdraw"),
    ("GET", "/v1/datasets/{id}/versions"),
    ("POST", "/v1/datasets/{id}/end"),
    ("GET", "/v1/peers"),
    ("POST", "/v1/peers"),
    ("POST", "/v1/peers/invitations"),
    ("DELETE", "/v1/peers/{id}"),
    ("GET", "/v1/connectors"),
    ("POST", "/v1/connectors"),
    ("DELETE", "/v1/connectors/{party}"),
    ("POST", "/v1/connectors/{party}/errands"),
    ("GET", "/v1/errands"),
    ("GET", "/v1/errands/{id}"),
    ("GET", "/v1/parties"),
    ("POST", "/v1/parties"),
    ("DELETE", "/v1/parties/{id}"),
    ("POST", "/v1/parties/{id}/keys"),
    ("DELETE", "/v1/parties/{id}/keys/{key}"),
    ("GET", "/v1/approvals"),
    ("POST", "/v1/approvals/{id}"),
    ("POST", "/v1/approvals/{id}/withdraw"),
    ("GET", "/v1/catalog"),
    ("GET", "/v1/exchanges"),
    ("POST", "/v1/exchanges"),
    ("GET", "/v1/exchanges/{id}"),
    ("POST", "/v1/exchanges/{id}/resume"),
    ("POST", "/v1/exchanges/{id}/erase"),
    ("POST", "/v1/exchanges/{id}/handover"),
    ("GET", "/v1/exchanges/{id}/data"),
    ("POST", "/v1/exchanges/{id}/files"),
    ("GET", "/v1/files/{release}/{file}"),
    ("GET", "/v1/exchanges/{id}/receipts/{side}"),
    ("GET", "/v1/exchanges/{id}/decisions"),
    ("GET", "/v1/exchanges/{id}/decisions/{entry}"),
    ("GET", "/v1/line"),
    ("POST", "/v1/line"),
    ("GET", "/v1/subscriptions"),
    ("POST", "/v1/subscriptions"),
    ("GET", "/v1/subscriptions/{id}"),
    ("GET", "/v1/subscriptions/{id}/data"),
    ("POST", "/v1/subscriptions/{id}/refresh"),
    ("POST", "/v1/subscriptions/{id}/stop"),
    ("GET", "/v1/linkages"),
    ("POST", "/v1/linkages"),
    ("POST", "/v1/linkages/import"),
    ("POST", "/v1/linkages/{id}/sealed"),
    ("DELETE", "/v1/linkages/{id}"),
    ("GET", "/v1/ledger/checkpoint"),
    ("GET", "/v1/ledger/entries"),
    ("GET", "/v1/ledger/witnesses"),
    ("POST", "/v1/ledger/archive"),
    ("POST", "/v1/ledger/restore"),
    ("POST", "/v1/ledger/verify"),
    ("POST", "/v1/ledger/reads"),
    ("GET", "/v1/ledger/tlog/checkpoint"),
    ("GET", "/v1/ledger/tlog/tile/{*tile}"),
    ("GET", "/v1/registry"),
    ("GET", "/v1/policy"),
    ("POST", "/v1/policy"),
    ("POST", "/v1/policy/explain"),
    ("GET", "/v1/policy/lint"),
    ("POST", "/v1/policy/lint"),
    ("GET", "/v1/policy/compliance"),
    ("POST", "/v1/policy/impact"),
    ("GET", "/v1/policy/who"),
    ("POST", "/v1/policy/diff"),
    ("POST", "/v1/policy/decide"),
    ("GET", "/v1/policy/odrl"),
    ("GET", "/v1/policy/drafts"),
    ("POST", "/v1/policy/drafts"),
    ("GET", "/v1/policy/drafts/{id}"),
    ("POST", "/v1/policy/drafts/{id}/approval"),
    ("POST", "/v1/policy/drafts/{id}/activate"),
    ("POST", "/v1/policy/rollback"),
    ("GET", "/v1/policy/history"),
    ("GET", "/v1/policy/versions/{id}"),
    ("GET", "/v1/questions"),
    ("POST", "/v1/questions"),
    ("GET", "/v1/questions/{id}"),
    ("GET", "/v1/questions/{id}/data"),
    ("POST", "/v1/questions/{id}/erase"),
    ("GET", "/v1/sources"),
    ("GET", "/v1/sources/{id}"),
    ("POST", "/v1/sources/{id}/refresh"),
    ("GET", "/v1/people"),
    ("POST", "/v1/people"),
    ("POST", "/v1/people/confirmation"),
    ("POST", "/v1/people/removal"),
];

/// The router of the local door.
pub fn router(node: Arc<Node>) -> Router {
    let routes =
        ROUTES.iter().fold(Router::new(), |router, (method, path)| router.route(path, handler(method, path)));
    routes
        .fallback(|| async {
            Error::not_found("no such resource on the local door; docs/local-api.md lists them")
        })
        .layer(DefaultBodyLimit::max(LOCAL_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(node.clone(), authenticate))
        .with_state(node)
}

fn handler(method: &str, path: &str) -> MethodRouter<Arc<Node>> {
    match (method, path) {
        ("GET", "/v1/node") => get(about),
        ("GET", "/v1/datasets") => get(datasets::list),
        ("POST", "/v1/datasets") => post(datasets::add),
        ("GET", "/v1/datasets/{id}") => get(datasets::show),
        ("POST", "/v1/datasets/{id}/validate") => post(datasets::validate),
        ("POST", "/v1/datasets/{id}/publish") => post(datasets::publish),
        ("POST", "/v1/datasets/{id}/withdraw") => post(datasets::withdraw),
        ("GET", "/v1/datasets/{id}/versions") => get(versions::list),
        ("POST", "/v1/datasets/{id}/end") => post(versions::end),
        ("GET", "/v1/peers") => get(peers::list),
        ("POST", "/v1/peers") => post(peers::accept),
        ("POST", "/v1/peers/invitations") => post(peers::invite),
        ("DELETE", "/v1/peers/{id}") => delete(peers::revoke),
        ("GET", "/v1/connectors") => get(connectors::list),
        ("POST", "/v1/connectors") => post(connectors::add),
        ("DELETE", "/v1/connectors/{party}") => delete(connectors::remove),
        ("POST", "/v1/connectors/{party}/errands") => post(connectors::begin),
        ("GET", "/v1/errands") => get(connectors::errands),
        ("GET", "/v1/errands/{id}") => get(connectors::errand),
        ("GET", "/v1/parties") => get(parties::list),
        ("POST", "/v1/parties") => post(parties::add),
        ("DELETE", "/v1/parties/{id}") => delete(parties::stop),
        ("POST", "/v1/parties/{id}/keys") => post(parties::key),
        ("DELETE", "/v1/parties/{id}/keys/{key}") => delete(parties::revoke),
        ("GET", "/v1/approvals") => get(approvals::list),
        ("POST", "/v1/approvals/{id}") => post(approvals::answer),
        ("POST", "/v1/approvals/{id}/withdraw") => post(approvals::withdraw),
        ("GET", "/v1/catalog") => get(catalog::search),
        ("GET", "/v1/exchanges") => get(exchanges::list),
        ("POST", "/v1/exchanges") => post(exchanges::start),
        ("GET", "/v1/exchanges/{id}") => get(exchanges::show),
        ("POST", "/v1/exchanges/{id}/resume") => post(exchanges::resume),
        ("POST", "/v1/exchanges/{id}/erase") => post(exchanges::erase),
        ("POST", "/v1/exchanges/{id}/handover") => post(exchanges::handover),
        ("GET", "/v1/exchanges/{id}/data") => get(received::data),
        ("POST", "/v1/exchanges/{id}/files") => post(files::list),
        ("GET", "/v1/files/{release}/{file}") => get(files::file),
        ("GET", "/v1/exchanges/{id}/receipts/{side}") => get(exchanges::receipt),
        ("GET", "/v1/exchanges/{id}/decisions") => get(exchanges::decisions),
        ("GET", "/v1/exchanges/{id}/decisions/{entry}") => get(exchanges::decision),
        ("GET", "/v1/line") => get(line::show),
        ("POST", "/v1/line") => post(line::set),
        ("GET", "/v1/subscriptions") => get(subscriptions::list),
        ("POST", "/v1/subscriptions") => post(subscriptions::add),
        ("GET", "/v1/subscriptions/{id}") => get(subscriptions::show),
        ("GET", "/v1/subscriptions/{id}/data") => get(subscriptions::data),
        ("POST", "/v1/subscriptions/{id}/refresh") => post(subscriptions::refresh),
        ("POST", "/v1/subscriptions/{id}/stop") => post(subscriptions::stop),
        ("GET", "/v1/linkages") => get(linkages::list),
        ("POST", "/v1/linkages") => post(linkages::make),
        ("POST", "/v1/linkages/import") => post(linkages::take),
        ("POST", "/v1/linkages/{id}/sealed") => post(linkages::seal),
        ("DELETE", "/v1/linkages/{id}") => delete(linkages::drop),
        ("GET", "/v1/ledger/checkpoint") => get(ledger::checkpoint),
        ("GET", "/v1/ledger/entries") => get(ledger::entries),
        ("GET", "/v1/ledger/witnesses") => get(ledger::witnesses),
        ("POST", "/v1/ledger/archive") => post(ledger::archive),
        ("POST", "/v1/ledger/restore") => post(ledger::restore),
        ("POST", "/v1/ledger/verify") => post(ledger::verify),
        ("POST", "/v1/ledger/reads") => post(tlog::read),
        ("GET", "/v1/ledger/tlog/checkpoint") => get(ledger::checkpoint),
        ("GET", "/v1/ledger/tlog/tile/{*tile}") => get(tlog::tile),
        ("GET", "/v1/registry") => get(peers::registry),
        ("GET", "/v1/policy") => get(policy::show),
        ("POST", "/v1/policy") => post(policy::apply),
        ("POST", "/v1/policy/explain") => post(policy::explain),
        ("GET", "/v1/policy/lint") => get(policy_lint::in_force),
        ("POST", "/v1/policy/lint") => post(policy_lint::draft),
        ("GET", "/v1/policy/compliance") => get(policy_compliance::show),
        ("POST", "/v1/policy/impact") => post(policy_impact::impact),
        ("GET", "/v1/policy/who") => get(policy_impact::who),
        ("POST", "/v1/policy/diff") => post(policy_impact::diff),
        ("POST", "/v1/policy/decide") => post(policy_decide::decide),
        ("GET", "/v1/policy/odrl") => get(policy_odrl::export),
        ("GET", "/v1/policy/drafts") => get(policy_life::drafts),
        ("POST", "/v1/policy/drafts") => post(policy_life::propose),
        ("GET", "/v1/policy/drafts/{id}") => get(policy_life::show),
        ("POST", "/v1/policy/drafts/{id}/approval") => post(policy_life::answer),
        ("POST", "/v1/policy/drafts/{id}/activate") => post(policy_life::activate),
        ("POST", "/v1/policy/rollback") => post(policy_life::roll_back),
        ("GET", "/v1/policy/history") => get(policy_life::list),
        ("GET", "/v1/policy/versions/{id}") => get(policy_life::bundle),
        ("GET", "/v1/questions") => get(questions::list),
        ("POST", "/v1/questions") => post(questions::ask),
        ("GET", "/v1/questions/{id}") => get(questions::show),
        ("GET", "/v1/questions/{id}/data") => get(questions::data),
        ("POST", "/v1/questions/{id}/erase") => post(questions::erase),
        ("GET", "/v1/sources") => get(sources::list),
        ("GET", "/v1/sources/{id}") => get(sources::show),
        ("POST", "/v1/sources/{id}/refresh") => post(sources::refresh),
        ("GET", "/v1/people") => get(people::list),
        ("POST", "/v1/people") => post(people::add),
        ("POST", "/v1/people/confirmation") => post(people::confirm),
        ("POST", "/v1/people/removal") => post(people::remove),
        // A row of the table without a handler answers nothing rather than something; a test walks the table.
        _ => MethodRouter::new(),
    }
}

async fn authenticate(State(node): State<Arc<Node>>, request: Request, next: Next) -> Result<Response> {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    if !is_loopback(host) {
        return Err(Error::Unauthenticated(format!(
            "host `{host}` is not this machine; call the local door as http://127.0.0.1:PORT"
        )));
    }
    if request.uri().path().starts_with(crate::releases::PATH_BEGIN) {
        // `files::file` asks for the signature.
        return Ok(error::tell_locally(next.run(request).await));
    }
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok())
        .and_then(|h| h.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(node.local_token().as_bytes())) {
        return Err(Error::Unauthenticated(
            "the local door wants `Authorization: Bearer TOKEN`; the token is in run/local.json of the node's folder"
                .to_owned(),
        ));
    }
    Ok(error::tell_locally(next.run(request).await))
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn about(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    Ok(Json(json!({
        "participant": node.config.node.id,
        "name": {"vi": node.config.node.name_vi, "en": node.config.node.name_en},
        "version": env!("CARGO_PKG_VERSION"),
        "endpoint": node.config.peer.endpoint,
        "ledger": {"origin": node.ledger_origin(), "entries": node.ledger.size(), "time_stamped": node.stamping.view()},
        "rule_set": node.gate.describe(),
        "writable": node.can_write(),
        "halted": node.watch.halted(),
        "witnesses": node.watch.quorum.view(),
        "conflicts": node.watch.conflicts.view(),
    })))
}

#[cfg(test)]
mod tests;
