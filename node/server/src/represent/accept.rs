//! Which of the forms on offer a caller likes best (RFC 9110 §12.5.1).
//!
//! `Accept` is read as a list of structured fields (RFC 9651), which every usual one is. One that cannot be read counts as
//! none: who cannot say what it wants gets what is there.

use axum::http::{HeaderMap, header};
use sfv::{BareItem, List, ListEntry, Parser};

/// The best of `offered` (media types, with or without parameters, the favourite first); `None` when the caller takes none
/// of them.
pub fn best<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let likes = likes(headers);
    let mut found: Option<(&str, f64)> = None;
    for offer in offered {
        let weight = likes.as_ref().map_or(1.0, |likes| weight(likes, offer));
        if weight > 0.0 && found.is_none_or(|(_, best)| weight > best) {
            found = Some((offer, weight));
        }
    }
    found.map(|(offer, _)| offer)
}

/// A range of media types and how much it is liked, 0 to 1.
type Like = (String, f64);

/// What is liked; `None` where nothing is said.
fn likes(headers: &HeaderMap) -> Option<Vec<Like>> {
    let fields: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().map(|v| v.to_str().ok()).collect::<Option<_>>()?;
    let list: List = Parser::new(&fields.join(",")).parse().ok()?;
    let likes: Vec<Like> = list.iter().filter_map(like).collect();
    (!likes.is_empty()).then_some(likes)
}

fn like(entry: &ListEntry) -> Option<Like> {
    let ListEntry::Item(item) = entry else { return None };
    let BareItem::Token(range) = &item.bare_item else { return None };
    let q = match item.params.get("q") {
        None => 1.0,
        Some(BareItem::Integer(whole)) => (i64::from(*whole) as f64).clamp(0.0, 1.0),
        Some(BareItem::Decimal(part)) => f64::from(*part).clamp(0.0, 1.0),
        Some(_) => return None,
    };
    Some((range.as_str().to_ascii_lowercase(), q))
}

/// How much an offer is liked: by the closest range that names it.
fn weight(likes: &[Like], offer: &str) -> f64 {
    let essence = offer.split(';').next().unwrap_or_default().trim();
    let family = essence.split('/').next().unwrap_or_default();
    let closest = [essence.to_owned(), format!("{family}/*"), "*/*".to_owned()];
    let named = closest.iter().find_map(|range| likes.iter().find(|(like, _)| like == range));
    named.map_or(0.0, |(_, q)| *q)
}

#[cfg(test)]
mod tests {
    use super::best;
    use axum::http::{HeaderMap, header};

    const OFFERED: [&str; 3] = [
        "text/csv; charset=utf-8; header=present",
        "application/vnd.apache.arrow.stream",
        "application/json",
    ];

    fn asked(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        best(&headers, &OFFERED)
    }

    #[test]
    fn who_says_nothing_gets_the_favourite() {
        assert_eq!(best(&HeaderMap::new(), &OFFERED), Some(OFFERED[0]));
        for accept in
            ["", "*/*", "text/*", "text/csv", "TEXT/CSV", "text/csv;header=present", "=nonsense=", "a/b;q="]
        {
            assert_eq!(asked(accept), Some(OFFERED[0]), "{accept}");
        }
    }

    #[test]
    fn the_best_liked_is_given() {
        assert_eq!(asked("application/vnd.apache.arrow.stream"), Some(OFFERED[1]));
        assert_eq!(asked("text/csv;q=0.5, application/json"), Some(OFFERED[2]));
        assert_eq!(asked("application/*, text/csv;q=0.9"), Some(OFFERED[1]));
        assert_eq!(asked("application/vnd.apache.arrow.stream;q=0, application/*"), Some(OFFERED[2]));
        assert_eq!(asked("text/html, */*;q=0.1"), Some(OFFERED[0]), "as browsers ask");
        assert_eq!(asked("application/json, */*"), Some(OFFERED[0]), "equally liked: the favourite");
    }

    #[test]
    fn nothing_is_given_to_who_takes_nothing_of_it() {
        for accept in ["text/html", "image/*", "*/*;q=0", "text/csv;q=0.0"] {
            assert_eq!(asked(accept), None, "{accept}");
        }
    }
}
