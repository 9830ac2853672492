//! Delta Sharing at the public door (`/delta-sharing/…`): the agency's tables for pandas, Spark, Power BI and whatever else
//! speaks the open protocol (crate `delta`).
//!
//! **What it is.** One share named after the agency, one schema, and in it a table for each dataset whose rows the caller may
//! have. A question for rows is a decision of the gate for that caller, with the purpose and the legal basis of its key;
//! files are made under it ([`crate::flow::direct`]) and told by signed addresses of minutes. Conditions and limits in
//! a question leave out files by the figures of rows as shown and do nothing else: the same files, under the same names, are
//! told to whoever asks for less.
//!
//! **What it is not.** No table has partitions, and nothing can be written. A dataset that the caller may not discover is
//! answered like one that does not exist, at every address below it.

mod answer;
mod changes;
mod names;
mod rows;
mod tables;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::node::Node;

/// Where this sub-door stands: what the profile of a client names as its endpoint, behind the door's own.
pub const BASE: &str = "/delta-sharing";

/// The addresses of the protocol (section "REST APIs").
pub fn routes() -> Router<Arc<Node>> {
    let at = |path: &str| format!("{BASE}/shares{path}");
    let table = |path: &str| at(&format!("/{{share}}/schemas/{{schema}}/tables/{{table}}{path}"));
    Router::new()
        .route(&at(""), get(tables::shares))
        .route(&at("/{share}"), get(tables::share))
        .route(&at("/{share}/schemas"), get(tables::schemas))
        .route(&at("/{share}/schemas/{schema}/tables"), get(tables::tables))
        .route(&at("/{share}/all-tables"), get(tables::all_tables))
        // Clients of before 2022 ask for the version with HEAD; axum answers HEAD where there is GET.
        .route(&table(""), get(rows::version))
        .route(&table("/version"), get(rows::version))
        .route(&table("/metadata"), get(rows::metadata))
        .route(&table("/query"), post(rows::query))
        .route(&table("/changes"), get(changes::changes))
        .route(&format!("{BASE}/{{*rest}}"), axum::routing::any(answer::nowhere))
}
