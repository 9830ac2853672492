//! From one page to the next, until there is none.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use ureq::http::HeaderMap;
use url::Url;

use super::client::{Client, elsewhere};
use crate::IntakeError;
use crate::flat::text_at;
use crate::limits::PAGES_MAX;

/// How the rest of an answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// The whole comes at once.
    #[default]
    None,
    /// The body of a JSON page names the next: `path` with dots; no text there ends.
    Next {
        /// Where, such as `links.next`.
        path: String,
    },
    /// The header `Link` with `rel="next"` names it (RFC 8288); without that it ends.
    LinkHeader,
    /// A parameter counts pages; a page without records ends.
    Page {
        /// Its name, such as `page`.
        parameter: String,
        /// Number of the first page.
        #[serde(default = "one")]
        first: u64,
    },
    /// A parameter counts records; a page with fewer than `limit` ends.
    Offset {
        /// Name of the parameter that counts, such as `offset`.
        offset: String,
        /// Name of the parameter that says how many, such as `limit`.
        limit_parameter: String,
        /// How many records a page has.
        limit: u64,
    },
}

fn one() -> u64 {
    1
}

/// Longest address of a page, bytes.
const ADDRESS_BYTES_MAX: usize = 8 << 10;

/// Where a reading stands.
pub(super) struct Pager {
    paging: Paging,
    first: Url,
    seen: HashSet<String>,
    /// Pages taken so far.
    pub(super) pages: u64,
    records: u64,
}

impl Pager {
    pub(super) fn new(paging: Paging, first: Url) -> Self {
        Self { paging, first, seen: HashSet::new(), pages: 0, records: 0 }
    }

    /// Address of the first page.
    pub(super) fn start(&mut self) -> Url {
        let url = match &self.paging {
            Paging::Page { parameter, first } => with(&self.first, &[(parameter, *first)]),
            Paging::Offset { offset, limit_parameter, limit } => {
                with(&self.first, &[(offset, 0), (limit_parameter, *limit)])
            }
            _ => self.first.clone(),
        };
        self.seen.insert(url.to_string());
        url
    }

    /// Address of the page after one with so many records; none after the last. `body` is that of a JSON page.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`] for pages that go round, lead elsewhere or do not end.
    pub(super) fn next(
        &mut self,
        at: &Url,
        headers: &HeaderMap,
        body: Option<&str>,
        records: u64,
        client: &Client,
    ) -> Result<Option<Url>, IntakeError> {
        self.pages += 1;
        self.records = self.records.saturating_add(records);
        let next = match &self.paging {
            Paging::None => None,
            Paging::Next { path } => match body {
                Some(body) => text_at(body, path)?.and_then(|next| at.join(&next).ok()),
                None => None,
            },
            Paging::LinkHeader => next_link(headers).and_then(|next| at.join(&next).ok()),
            Paging::Page { parameter, first } => {
                (records > 0).then(|| with(&self.first, &[(parameter, first.saturating_add(self.pages))]))
            }
            Paging::Offset { offset, limit_parameter, limit } => (records >= *limit && records > 0)
                .then(|| with(&self.first, &[(offset, self.records), (limit_parameter, *limit)])),
        };
        let Some(next) = next else { return Ok(None) };
        if !client.serves(&next) {
            return Err(elsewhere(&next));
        }
        let long = next.as_str().len() > ADDRESS_BYTES_MAX;
        if long || self.pages >= PAGES_MAX || !self.seen.insert(next.to_string()) {
            return Err(endless());
        }
        Ok(Some(next))
    }
}

/// Pages go round or do not end.
pub(super) fn endless() -> IntakeError {
    IntakeError::unreachable(
        "các trang lặp lại hoặc không có trang cuối nên đã dừng đọc; hãy xem lại `paging`",
        "pages repeat or do not end and reading stopped; see `paging`",
    )
}

/// The address with these parameters in place of any of their names.
fn with(url: &Url, parameters: &[(&String, u64)]) -> Url {
    let mut next = url.clone();
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !parameters.iter().any(|(own, _)| own.as_str() == name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut query = next.query_pairs_mut();
    query.clear().extend_pairs(kept);
    for (name, value) in parameters {
        query.append_pair(name, &value.to_string());
    }
    drop(query);
    next
}

/// The target of the first link whose relation is `next` (RFC 8288, §3).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all("link").iter().filter_map(|value| value.to_str().ok()).find_map(|value| {
        let mut rest = value;
        while let Some((_, from)) = rest.split_once('<') {
            let (target, after) = from.split_once('>')?;
            let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
            if is_next(parameters) {
                return Some(target.to_owned());
            }
            rest = after;
        }
        None
    })
}

fn is_next(parameters: &str) -> bool {
    parameters.split([';', ',']).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("link", value.parse().unwrap());
            next_link(&headers)
        };
        assert_eq!(of("</p1>; rel=\"prev\", </p3?a=1,2>; rel=\"next\"").unwrap(), "/p3?a=1,2");
        assert_eq!(of("</p3>; title=\"x\"; REL=next").unwrap(), "/p3");
        assert_eq!(of("</p3>; rel=\"last next\"").unwrap(), "/p3");
        for none in ["</p1>; rel=\"prev\"", "</next>", "rel=next", "<", "</p>; rel=\"nextish\""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn parameters_take_the_place_of_those_in_the_address() {
        let url = Url::parse("https://a.example/x?page=9&q=H%C3%A0").unwrap();
        assert_eq!(with(&url, &[(&"page".to_owned(), 2)]).as_str(), "https://a.example/x?q=H%C3%A0&page=2");
    }
}
