//! SHOWN: the datasets that somebody may discover, as the rest of the field reads them.
//!
//! - [`rdf`] writes a catalog as DCAT-AP 3.0.1 in Turtle, RDF/XML and JSON-LD: the same statements in each.
//! - [`ckan`] answers the reading half of CKAN's Action API, version 3.
//! - [`html`] makes pages for people, with schema.org markup for search engines ([`schema_org`]) and a sitemap
//!   ([`sitemap`]).
//! - [`accept`] chooses the notation that a client asked for; [`paging`] cuts a catalog into pages.
//!
//! What it is not: it decides nothing. It writes what it is given ([`model`]), and whoever builds that has asked the gate
//! for each dataset and column first. It opens no connection, reads no file and takes no clock; what it writes depends on
//! nothing but its arguments, so that a harvester that comes again finds the same bytes.
//!
//! Begin with [`model::Catalog`].

pub mod accept;
pub mod ckan;
pub mod html;
pub mod limits;
pub mod model;
pub mod paging;
pub mod rdf;
pub mod schema_org;
pub mod sitemap;
mod text;
mod vocabulary;

#[cfg(test)]
mod samples;

pub use text::{fold, read_time, slug};
