//! Names of rules as IRIs, and back.
//!
//! Every kind of name has an IRI prefix of its own. Agencies, datasets and agreements that are known by an IRI anyway
//! (`ag:urn:agency:vn:x`) stand as that IRI, because that is how peers know them.

use crate::ids::{check, shown};

/// What our own terms begin with, in full.
pub(crate) const NS: &str = "urn:tram:ns:";
/// The same where a document's context says so.
pub(crate) const GOV: &str = "gov:";
/// The vocabulary of ODRL.
pub(crate) const ODRL: &str = "http://www.w3.org/ns/odrl/2/";
/// The profile whose terms this module knows.
pub const PROFILE: &str = "urn:tram:ns:profile:1";
/// IRI of a rule, before its id.
pub(crate) const RULE: &str = "urn:tram:rule:";
/// IRI of an obligation set, before its id.
pub(crate) const SET: &str = "urn:tram:obligations:";
/// IRI of a reason, before the rule's id.
pub(crate) const REASON: &str = "urn:tram:reason:";

/// Prefix of a name, and what its IRI begins with.
const KINDS: &[(&str, &str)] = &[
    ("ag:", "urn:tram:agency:"),
    ("us:", "urn:tram:user:"),
    ("gr:", "urn:tram:group:"),
    ("ro:", "urn:tram:role:"),
    ("un:", "urn:tram:unit:"),
    ("ds:", "urn:tram:dataset:"),
    ("co:", "urn:tram:collection:"),
    ("tag:", "urn:tram:tag:"),
    ("se:", "urn:tram:sector:"),
    ("ow:", "urn:tram:owner:"),
    ("pu:", "urn:tram:purpose:"),
    ("agr:", "urn:tram:agreement:"),
    ("bas:", "urn:tram:basis:"),
    ("net:", "urn:tram:zone:"),
    ("pl:", "urn:tram:place:"),
    ("via:", "urn:tram:route:"),
];
/// Kinds whose names may be IRIs of their own.
const BARE: &[&str] = &["ag:", "ds:", "agr:"];

fn is_bare(text: &str) -> bool {
    let own = text.starts_with("urn:tram:");
    !own && ["urn:", "did:", "https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

/// The IRI of a name.
#[must_use]
pub fn iri_of(name: &str) -> String {
    let kind = KINDS.iter().find_map(|(prefix, iri)| Some((prefix, iri, name.strip_prefix(prefix)?)));
    match kind {
        Some((prefix, _, rest)) if BARE.contains(prefix) && is_bare(rest) => rest.to_owned(),
        Some((_, iri, rest)) => format!("{iri}{rest}"),
        None => name.to_owned(),
    }
}

/// The name of an IRI, if it is of one of these kinds (prefixes such as `pu:`).
///
/// # Errors
/// What is wrong with it, and what would do.
pub fn name_of(iri: &str, kinds: &[&'static str]) -> Result<String, String> {
    let ours = KINDS.iter().find_map(|(prefix, base)| Some((*prefix, iri.strip_prefix(base)?)));
    let found = match ours {
        Some((prefix, rest)) => Some((prefix, rest)),
        None => kinds.iter().find(|kind| BARE.contains(*kind) && is_bare(iri)).map(|kind| (*kind, iri)),
    };
    let wanted = || {
        let known = KINDS.iter().filter(|(prefix, _)| kinds.contains(prefix));
        known.map(|(_, base)| format!("`{base}…`")).collect::<Vec<_>>().join(" or ")
    };
    let Some((prefix, rest)) = found.filter(|(prefix, _)| kinds.contains(prefix)) else {
        return Err(format!("`{}` is no name that can stand here: write {}", shown(iri), wanted()));
    };
    let name = format!("{prefix}{rest}");
    check(&name, "a name", kinds).map_err(|error| error.to_string())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_iri_are_each_other() {
        for (name, iri) in [
            ("ag:urn:agency:vn:x", "urn:agency:vn:x"),
            ("ag:tax", "urn:tram:agency:tax"),
            ("ag:urn:tram:group:x", "urn:tram:agency:urn:tram:group:x"),
            ("gr:urn:agency:vn:x", "urn:tram:group:urn:agency:vn:x"),
            ("ds:air", "urn:tram:dataset:air"),
            ("pu:a/b.c", "urn:tram:purpose:a/b.c"),
        ] {
            assert_eq!(iri_of(name), iri);
            let kinds: Vec<&'static str> = KINDS.iter().map(|(prefix, _)| *prefix).collect();
            assert_eq!(name_of(iri, &kinds).unwrap(), name);
        }
    }

    #[test]
    fn an_iri_of_another_kind_is_refused() {
        assert!(name_of("urn:tram:group:x", &["ag:"]).is_err());
        assert!(name_of("urn:agency:vn:x", &["pu:"]).is_err());
        assert!(name_of("urn:tram:purpose:", &["pu:"]).is_err());
        assert!(name_of("urn:tram:purpose:a,b", &["pu:"]).is_err());
        assert!(name_of("urn:agency:x y", &["ag:"]).is_err());
    }
}
