//! One entry with what proves that its publisher showed it.

use serde::Serialize;

use super::kept::{self, Page, Signed};
use super::wire;
use crate::error::Result;
use crate::node::Node;
use crate::operation::rfc3339;

/// A message that was signed, and whether that holds by the keys that this node knows now.
#[derive(Debug, Clone, Serialize)]
pub struct Word {
    /// When it came, RFC 3339.
    pub at: String,
    /// The address that was asked.
    pub url: String,
    /// What this node signed to ask.
    pub asked: Signed,
    /// What the peer signed to answer.
    pub said: Signed,
    /// The body of the answer, byte for byte.
    pub body: String,
    /// Id of the key that signed the answer, if all of it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why it does not hold, otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// What proves an entry.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// The page with the dataset, as the peer sent it.
    pub page: Word,
    /// The newest word of the peer that the page is still so; none if it was not asked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Word>,
}

/// What proves a peer's entry; `None` for own ones and for what is not kept.
pub fn of(node: &Node, participant: &str, dataset: &str) -> Result<Option<Evidence>> {
    if participant == node.config.node.id {
        return Ok(None);
    }
    let pages = kept::pages(&node.store, participant)?.into_iter().map(|(_, page)| page);
    let page = pages.into_iter().find(|page| shows(page, participant, dataset));
    Ok(page.map(|page| evidence(node, page)))
}

fn shows(page: &Page, participant: &str, dataset: &str) -> bool {
    let Ok(catalog) = page.catalog() else { return false };
    catalog.content.datasets.iter().any(|d| wire::name(d.id.as_str(), participant) == dataset)
}

fn evidence(node: &Node, Page { head, body }: Page) -> Evidence {
    let keys = node.peers.keys();
    let word = |at: i64, known: Option<&str>, asked: &Signed, said: &Signed, body: &[u8]| {
        let checked = kept::check(&head, said, body, known, &*keys);
        Word {
            at: rfc3339(at),
            url: said.covers(kept::ASKED).unwrap_or(&head.url).to_owned(),
            asked: asked.clone(),
            said: said.clone(),
            body: String::from_utf8_lossy(body).into_owned(),
            key: checked.as_ref().ok().cloned(),
            broken: checked.err(),
        }
    };
    let confirmed = head.confirmed.as_ref();
    Evidence {
        page: word(head.fetched_at, None, &head.asked, &head.said, &body),
        confirmed: confirmed.map(|c| word(c.at, Some(&head.sha256), &c.asked, &c.said, c.body.as_bytes())),
    }
}
