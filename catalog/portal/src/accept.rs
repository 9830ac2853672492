//! Which notation a client wants: by the ending of the address first, else by its `Accept` field (RFC 9110 §12.5.1).

use crate::rdf::Notation;

/// What a resource can be had as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A page for people.
    Html,
    /// Statements for machines.
    Rdf(Notation),
}

/// What is offered for an `Accept` field, best first where a client likes several alike.
const OFFERED: [(&str, &str, Variant); 9] = [
    ("text", "html", Variant::Html),
    ("application", "xhtml+xml", Variant::Html),
    ("text", "turtle", Variant::Rdf(Notation::Turtle)),
    ("application", "x-turtle", Variant::Rdf(Notation::Turtle)),
    ("application", "rdf+xml", Variant::Rdf(Notation::RdfXml)),
    ("application", "xml", Variant::Rdf(Notation::RdfXml)),
    ("text", "xml", Variant::Rdf(Notation::RdfXml)),
    ("application", "ld+json", Variant::Rdf(Notation::JsonLd)),
    ("application", "json", Variant::Rdf(Notation::JsonLd)),
];

/// The variant that an `Accept` field asks for most; `usual` where it takes anything or nothing was said, none where it takes
/// nothing that there is.
pub fn choose(accept: Option<&str>, usual: Variant) -> Option<Variant> {
    let Some(accept) = accept.filter(|field| !field.trim().is_empty()) else { return Some(usual) };
    let ranges: Vec<Range> = accept.split(',').filter_map(Range::read).collect();
    let worth = |kind: &str, sub: &str| {
        ranges
            .iter()
            .filter_map(|range| range.worth(kind, sub))
            .max_by_key(|(exact, _)| *exact)
            .map(|(_, q)| q)
    };
    let usual_first = OFFERED.iter().filter(|offer| offer.2 == usual);
    let others = OFFERED.iter().filter(|offer| offer.2 != usual);
    let mut best: Option<(u16, Variant)> = None;
    for (kind, sub, variant) in usual_first.chain(others) {
        let Some(q) = worth(kind, sub).filter(|q| *q > 0) else { continue };
        if best.is_none_or(|(most, _)| q > most) {
            best = Some((q, *variant));
        }
    }
    best.map(|(_, variant)| variant)
}

/// One media range with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    sub: &'a str,
    q: u16,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, sub) = parts.next()?.split_once('/')?;
        let q = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, value)| value.trim().parse::<f32>().ok())?;
        let thousandths = (q.clamp(0.0, 1.0) * 1000.0).round();
        Some(Range { kind: kind.trim(), sub: sub.trim(), q: thousandths as u16 })
    }

    /// How exactly the range means this type, and its weight; none where it does not.
    fn worth(&self, kind: &str, sub: &str) -> Option<(u8, u16)> {
        let exact = match (self.kind, self.sub) {
            ("*", "*") => 1,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 2,
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(sub) => 3,
            _ => return None,
        };
        Some((exact, self.q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_likes_best() {
        let html = Variant::Html;
        let rdf = Variant::Rdf;
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, wanted) in [
            (None, Some(html)),
            (Some(""), Some(html)),
            (Some("*/*"), Some(html)),
            (Some(browser), Some(html)),
            (Some("text/turtle"), Some(rdf(Notation::Turtle))),
            (Some("application/rdf+xml;q=0.5, application/ld+json"), Some(rdf(Notation::JsonLd))),
            (Some("TEXT/Turtle;q=0.9, text/html;q=0.1"), Some(rdf(Notation::Turtle))),
            (Some("text/*, text/html;q=0"), Some(rdf(Notation::Turtle))),
            (Some("image/png"), None),
            (Some("*/*;q=0"), None),
            (Some("text/html;q=x"), None),
        ] {
            assert_eq!(choose(accept, html), wanted, "{accept:?}");
        }
        assert_eq!(choose(Some("*/*"), rdf(Notation::RdfXml)), Some(rdf(Notation::RdfXml)));
    }
}
