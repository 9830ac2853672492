//! Lists: the share, its schema, and the tables whose rows the caller may have.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use delta::Paging;
use delta::listing::{OneShare, Schema, Share, Table};

use super::answer::{Answer, Asker, Parameters, json};
use super::names::{self, Named, SCHEMA};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::public::Caller;
use crate::shown;

/// `GET /shares`
pub async fn shares(
    State(node): State<Arc<Node>>,
    Asker(_): Asker,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Response> {
    let all = vec![Share { name: names::share(&node) }];
    Ok(json(&paging.cut(all, |share| &share.name)?))
}

/// `GET /shares/{share}`
pub async fn share(
    State(node): State<Arc<Node>>,
    Asker(_): Asker,
    Path(named): Path<Named>,
) -> Answer<Response> {
    named.here(&node)?;
    Ok(json(&OneShare { share: Share { name: names::share(&node) } }))
}

/// `GET /shares/{share}/schemas`
pub async fn schemas(
    State(node): State<Arc<Node>>,
    Asker(_): Asker,
    Path(named): Path<Named>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Response> {
    named.here(&node)?;
    let all = vec![Schema { name: SCHEMA.to_owned(), share: names::share(&node) }];
    Ok(json(&paging.cut(all, |schema| &schema.name)?))
}

/// `GET /shares/{share}/schemas/{schema}/tables`
pub async fn tables(
    State(node): State<Arc<Node>>,
    Asker(caller): Asker,
    Path(named): Path<Named>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Response> {
    named.here(&node)?;
    Ok(json(&paging.cut(all(&node, &caller)?, |table| &table.name)?))
}

/// `GET /shares/{share}/all-tables`
pub async fn all_tables(
    state: State<Arc<Node>>,
    asker: Asker,
    named: Path<Named>,
    paging: Parameters<Paging>,
) -> Answer<Response> {
    tables(state, asker, named, paging).await
}

/// Tables by name. What the caller may discover and not read is in the catalog, and no table.
fn all(node: &Node, caller: &Caller) -> Answer<Vec<Table>> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let share = names::share(node);
    let shown = shown::all(node, &operation, caller)?;
    let mut tables: Vec<Table> = shown
        .iter()
        .filter(|shown| shown.access.any())
        .map(|shown| Table {
            name: shown.name().to_owned(),
            schema: SCHEMA.to_owned(),
            share: share.clone(),
            id: format!("{}/{}", node.config.node.id, shown.name()),
        })
        .collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}
