//! The agency's catalog for the rest of the field (crate `portal`): DCAT-AP for harvesters, CKAN's Action API for portals, pages
//! and markup for people and search engines.
//!
//! | address | what it is |
//! | --- | --- |
//! | `/`, `/?q=WORDS&page=N` | the list for people |
//! | `/catalog`, `/catalog.{ttl,rdf,xml,jsonld}` | DCAT-AP 3.0.1; `page`, `size`, `modified_since` |
//! | `/dataset/NAME`, `/dataset/NAME.{html,ttl,rdf,xml,jsonld}` | one dataset, by what the client accepts |
//! | `/api/3/action/NAME`, `/api/action/NAME` | CKAN's Action API, reading, by GET and POST |
//! | `/sitemap.xml`, `/robots.txt`, `/portal.css` | what goes with the pages |
//!
//! **What it is.** Each answer is made for its caller from [`crate::shown`] alone. A failure is an error of the whole answer:
//! those who copy a catalog delete what is missing in it.
//!
//! **What it is not.** No rows: a distribution leads to the doors that decide about rows.

mod action;
mod catalog;
mod model;
mod pages;
mod reply;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::node::Node;

/// The addresses of this sub-door.
pub fn routes() -> Router<Arc<Node>> {
    let call = get(action::by_get).post(action::by_post);
    Router::new()
        .route("/", get(pages::list))
        .route("/catalog", get(catalog::negotiated))
        .route("/catalog.ttl", get(catalog::turtle))
        .route("/catalog.rdf", get(catalog::rdf_xml))
        .route("/catalog.xml", get(catalog::xml))
        .route("/catalog.jsonld", get(catalog::json_ld))
        .route("/dataset/{name}", get(pages::dataset))
        .route("/sitemap.xml", get(pages::sitemap))
        .route("/robots.txt", get(pages::robots))
        .route("/portal.css", get(pages::style))
        .route("/api/3", get(action::version))
        .route("/api/3/action/{action}", call.clone())
        .route("/api/action/{action}", call)
}
