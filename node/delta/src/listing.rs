//! Pages of shares, schemas and tables.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::AskError;
use crate::limits::{PAGE_ITEMS_MAX, PAGE_TOKEN_BYTES_MAX};

/// A share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its name.
    pub name: String,
}

/// The answer for one share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OneShare {
    /// The share.
    pub share: Share,
}

/// A schema of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Name of its share.
    pub share: String,
}

/// A table of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Name of its schema.
    pub schema: String,
    /// Name of its share.
    pub share: String,
    /// What it is called for as long as it lives.
    pub id: String,
}

/// Which page is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Paging {
    max_results: Option<String>,
    page_token: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// Its entries.
    pub items: Vec<T>,
    /// What asks for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

impl Paging {
    /// A question for a page.
    #[must_use]
    pub fn new(max_results: Option<u32>, page_token: Option<String>) -> Self {
        Self { max_results: max_results.map(|n| n.to_string()), page_token }
    }

    /// The page of a list, which must be in the order of `name`. A token names the last entry that was given, so that what
    /// comes and goes between two pages moves nothing else.
    ///
    /// # Errors
    /// A number that is none, a token that this crate did not make.
    pub fn cut<T>(&self, all: Vec<T>, name: impl Fn(&T) -> &str) -> Result<Page<T>, AskError> {
        let most = self.most()?;
        let after = self.after()?;
        let mut rest: Vec<T> =
            all.into_iter().filter(|item| after.as_deref().is_none_or(|after| name(item) > after)).collect();
        let more = rest.len() > most;
        rest.truncate(most);
        let last = rest.last().map(|item| name(item).to_owned()).or(after).unwrap_or_default();
        let next_page_token = more.then(|| URL_SAFE_NO_PAD.encode(format!("after:{last}")));
        Ok(Page { items: rest, next_page_token })
    }

    fn most(&self) -> Result<usize, AskError> {
        let Some(text) = &self.max_results else { return Ok(PAGE_ITEMS_MAX) };
        let wrong = |_| AskError::parameter("maxResults", "it is a whole number from 0");
        Ok(text.parse::<u32>().map_err(wrong)?.try_into().unwrap_or(usize::MAX).min(PAGE_ITEMS_MAX))
    }

    fn after(&self) -> Result<Option<String>, AskError> {
        let wrong =
            || AskError::parameter("pageToken", "it is not one of this server; begin with the first page");
        let Some(token) = self.page_token.as_deref().filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        if token.len() > PAGE_TOKEN_BYTES_MAX {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        text.strip_prefix("after:").map(|after| Some(after.to_owned())).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_pages(names: &[String], most: u32) -> Vec<String> {
        let (mut seen, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = Paging::new(Some(most), token).cut(names.to_vec(), |name| name).unwrap();
            seen.extend(page.items);
            pages += 1;
            assert!(pages <= names.len() + 1, "pages without end");
            match page.next_page_token {
                Some(next) => token = Some(next),
                None => return seen,
            }
        }
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(names in prop::collection::btree_set("[a-z0-9-]{1,8}", 0..40), most in 1_u32..50) {
            let names: Vec<String> = names.into_iter().collect();
            prop_assert_eq!(all_pages(&names, most), names);
        }

        #[test]
        fn no_token_makes_it_panic(token in ".{0,64}", most in ".{0,8}") {
            let paging = Paging { max_results: Some(most), page_token: Some(token) };
            let _ = paging.cut(vec!["a".to_owned()], |name| name);
        }
    }

    #[test]
    fn no_results_are_given_where_none_are_wanted_and_there_are_more() {
        let page = Paging::new(Some(0), None).cut(vec!["a".to_owned()], |name| name).unwrap();
        assert!(page.items.is_empty());
        let next = Paging::new(None, page.next_page_token).cut(vec!["a".to_owned()], |name| name).unwrap();
        assert_eq!(next.items, ["a"]);
    }

    #[test]
    fn what_is_no_number_and_no_token_of_ours_is_refused() {
        let cut = |paging: Paging| paging.cut(vec!["a".to_owned()], |name| name);
        for most in ["-1", "x", "1.5", ""] {
            assert!(cut(Paging { max_results: Some(most.to_owned()), page_token: None }).is_err(), "{most}");
        }
        for token in ["x", "%", "YQ"] {
            assert!(
                cut(Paging { max_results: None, page_token: Some(token.to_owned()) }).is_err(),
                "{token}"
            );
        }
    }
}
