//! Pages for people: Vietnamese first, English beside it; no script runs, nothing is fetched from elsewhere.

use askama::Template;

use crate::limits::SUMMARY_CHARS;
use crate::model::{AccessRights, Catalog, Dataset, Every};
use crate::paging::Page;
use crate::rdf::Notation;
use crate::text::{day, escaped, shortened};

/// The style sheet; pages link to it as `/portal.css`.
pub const STYLE: &str = include_str!("../../templates/portal.css");

/// What the pages allow the browser: their own style and form, nothing else. The markup for search engines is data and does
/// not run.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// One page of the list, as far as words and page go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing<'a> {
    /// The datasets of this page.
    pub datasets: &'a [&'a Dataset],
    /// Which page it is.
    pub page: Page,
    /// The words that were looked for; empty for none.
    pub query: &'a str,
}

#[derive(Template)]
#[template(path = "list.html")]
struct List<'a> {
    catalog: &'a Catalog,
    listing: Listing<'a>,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct One<'a> {
    catalog: &'a Catalog,
    dataset: &'a Dataset,
    address: String,
    markup: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    title_vi: &'a str,
    title_en: &'a str,
}

/// The list of datasets with its search box. `catalog.datasets` is not looked at.
pub fn list(catalog: &Catalog, listing: Listing<'_>) -> Result<String, askama::Error> {
    let address = |number: usize| {
        let words =
            if listing.query.is_empty() { String::new() } else { format!("&q={}", escaped(listing.query)) };
        format!("{}/?page={number}{words}", catalog.base)
    };
    let previous = listing.page.previous().map(address);
    let next = listing.page.next().map(address);
    List { catalog, listing, previous, next }.render()
}

/// The page of one dataset.
pub fn dataset(catalog: &Catalog, dataset: &Dataset) -> Result<String, askama::Error> {
    let address = catalog.dataset_url(&dataset.name);
    let markup = crate::schema_org::script(&catalog.base, dataset);
    One { catalog, dataset, address, markup }.render()
}

/// A page that says why there is none: both languages.
pub fn message(title_vi: &str, title_en: &str) -> Result<String, askama::Error> {
    Message { title_vi, title_en }.render()
}

/// Words of the templates.
impl Dataset {
    fn summary(&self) -> String {
        shortened(self.description.first(), SUMMARY_CHARS)
    }

    fn rights_vi(&self) -> &'static str {
        match self.rights {
            AccessRights::Public => "Dữ liệu mở",
            AccessRights::Restricted => "Hạn chế: cần được cho phép",
            AccessRights::NonPublic => "Không công khai",
        }
    }

    fn rights_en(&self) -> &'static str {
        match self.rights {
            AccessRights::Public => "open data",
            AccessRights::Restricted => "restricted: needs permission",
            AccessRights::NonPublic => "not public",
        }
    }

    fn every_vi(&self) -> Option<&'static str> {
        self.every.map(|every| match every {
            Every::Continuous => "liên tục",
            Every::Hour => "hằng giờ",
            Every::Day => "hằng ngày",
            Every::Week => "hằng tuần",
            Every::Month => "hằng tháng",
            Every::Quarter => "hằng quý",
            Every::Year => "hằng năm",
            Every::Other => "theo chu kỳ khác",
        })
    }

    fn modified_day(&self) -> String {
        day(self.modified)
    }

    fn issued_day(&self) -> String {
        day(self.issued)
    }
}

#[cfg(test)]
mod tests;
