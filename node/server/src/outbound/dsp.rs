//! Questions of the Dataspace Protocol that this node asks as a consumer of catalogs.

use exchange::dsp::{self, CatalogRequestMessage, RootDataset};

use super::{Answer, Call, Outbound};
use crate::crawl::kept;
use crate::error::{Error, Result};
use crate::flow::protocol::base;
use crate::node::Node;
use crate::peers::Route;

/// One page of a peer's catalog, not read yet.
#[derive(Debug)]
pub struct Paged {
    /// The verified answer.
    pub answer: Answer,
    /// Whether the peer only says that the page is the one that is known.
    pub unchanged: bool,
    /// Where the next one is.
    pub next: Option<String>,
}

/// The one member of that answer.
const UNCHANGED: &str = "urn:tram:ns:unchanged";

impl Outbound {
    /// Where the catalog of a peer begins.
    pub fn catalog_url(&self, route: &Route) -> Result<String> {
        Ok(base(&route.endpoint)?.join(&["catalog", "request"]))
    }

    /// One page of a peer's catalog. A peer that knows how answers with a line if it is the page of digest `known`.
    pub async fn catalog_page(
        &self,
        node: &Node,
        route: &Route,
        url: &str,
        known: Option<&str>,
    ) -> Result<Paged> {
        let message = CatalogRequestMessage { filter: Vec::new(), extra: dsp::Extra::none() };
        let body = dsp::to_bytes(&message).map_err(Error::internal)?;
        let call = Call::post(kept::asking(url, known), body);
        let answer = self.call(node, route, call).await?.success()?;
        let unchanged = known.is_some_and(|known| *answer.body == *unchanged(known).as_bytes());
        let link = answer.headers.get(http::header::LINK).and_then(|l| l.to_str().ok());
        let next = link.and_then(next_link).map(|l| absolute(route, &l));
        Ok(Paged { answer, unchanged, next })
    }

    /// One dataset of a peer.
    pub async fn dataset(&self, node: &Node, route: &Route, dataset: &str) -> Result<dsp::Dataset> {
        let id = format!("{}/{dataset}", route.participant);
        let url = base(&route.endpoint)?.join(&["catalog", "datasets", &id]);
        let answer = self.call(node, route, Call::get(url)).await?;
        if answer.status == http::StatusCode::NOT_FOUND {
            return Err(Error::not_found(format!(
                "{} offers no dataset `{dataset}` to this node; `tram catalog search` shows what it offers",
                route.participant
            )));
        }
        let answer = answer.success()?;
        dsp::parse::<RootDataset>(&answer.body)
            .map(|d| d.0)
            .map_err(|e| Error::Peer(format!("the dataset of {} is malformed: {e}", route.participant)))
    }
}

/// What a node answers instead of a catalog page that the reader has: the page's SHA-256 in hex.
pub fn unchanged(sha256: &str) -> String {
    serde_json::json!({ UNCHANGED: sha256 }).to_string()
}

/// The target of `rel="next"` in a Link field (RFC 8288), of the simple form that catalogs use.
fn next_link(field: &str) -> Option<String> {
    field.split(',').find_map(|link| {
        let (target, parameters) = link.split_once(';')?;
        let is_next = parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
        let target = target.trim().strip_prefix('<')?.strip_suffix('>')?;
        is_next.then(|| target.to_owned())
    })
}

fn absolute(route: &Route, link: &str) -> String {
    if link.starts_with('/') { format!("{}{link}", route.endpoint) } else { link.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_next_page_is_found() {
        let field = "</dsp/2025-1/catalog/request?page=1>; rel=\"previous\", </x?page=3>; rel=\"next\"";
        assert_eq!(super::next_link(field).as_deref(), Some("/x?page=3"));
        assert_eq!(super::next_link("</x>; rel=\"prev\""), None);
    }
}
