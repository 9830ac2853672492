//! DCAT-AP 3.0.1 (SEMIC, 2024): the statements about a catalog, made once and written in three notations.
//!
//! There are no blank nodes: each thing has an IRI that stays the same, so that a harvester that comes again finds no change
//! where there is none. What stands at the end of a link (agency, licence, frequency, medium) is named with its class in the
//! same document, since the profile's shapes look for it there and a reader need not fetch anything.

mod notation;
pub(crate) mod statements;

pub use notation::{Notation, NotationError};

use oxrdf::Triple;

use crate::model::{Catalog, Dataset};
use crate::paging::Page;
use statements::Statements;

/// Which part of a catalog a document holds, and how it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// The datasets of this page, out of a catalog that may hold more.
    pub datasets: &'a [Dataset],
    /// Which page it is, of how many.
    pub page: Page,
    /// Address of this document without its query: `https://host/catalog.ttl`.
    pub address: &'a str,
    /// When anything in the whole catalog changed last, Unix seconds.
    pub modified: Option<i64>,
    /// What else was asked for (`modified_since`, `size`): the next page is asked for in the same way.
    pub query: &'a [(&'a str, &'a str)],
}

/// The statements of one page of a catalog. `catalog.datasets` is not looked at.
pub fn catalog(catalog: &Catalog, view: &View<'_>) -> Vec<Triple> {
    let mut out = Statements::new(&catalog.base);
    out.catalog(catalog, view);
    for dataset in view.datasets {
        out.dataset(dataset, &catalog.services);
    }
    out.finish()
}

/// The statements about one dataset.
pub fn dataset(base: &str, dataset: &Dataset, services: &[crate::model::Service]) -> Vec<Triple> {
    let mut out = Statements::new(base);
    out.dataset(dataset, services);
    let used = |name: &str| dataset.distributions.iter().any(|distribution| distribution.name == name);
    for service in services.iter().filter(|service| used(&service.name)) {
        out.service(service);
    }
    out.finish()
}

#[cfg(test)]
mod tests;
