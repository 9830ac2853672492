//! The IRIs that are written.

pub(crate) const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
pub(crate) const DCAT: &str = "http://www.w3.org/ns/dcat#";
pub(crate) const DCT: &str = "http://purl.org/dc/terms/";
pub(crate) const FOAF: &str = "http://xmlns.com/foaf/0.1/";
pub(crate) const SKOS: &str = "http://www.w3.org/2004/02/skos/core#";
pub(crate) const SPDX: &str = "http://spdx.org/rdf/terms#";
pub(crate) const HYDRA: &str = "http://www.w3.org/ns/hydra/core#";

/// Prefixes of all notations.
pub(crate) const PREFIXES: [(&str, &str); 7] = [
    ("dcat", DCAT),
    ("dct", DCT),
    ("foaf", FOAF),
    ("hydra", HYDRA),
    ("skos", SKOS),
    ("spdx", SPDX),
    ("xsd", XSD),
];

/// The European Union's lists that DCAT-AP 3.0.1 §13 asks for.
pub(crate) const ACCESS_RIGHT: &str = "http://publications.europa.eu/resource/authority/access-right/";
pub(crate) const FREQUENCY: &str = "http://publications.europa.eu/resource/authority/frequency/";
pub(crate) const LANGUAGE: &str = "http://publications.europa.eu/resource/authority/language/";
pub(crate) const FILE_TYPE: &str = "http://publications.europa.eu/resource/authority/file-type/";
pub(crate) const LICENCE: &str = "http://publications.europa.eu/resource/authority/licence/";
pub(crate) const AVAILABILITY: &str =
    "http://publications.europa.eu/resource/authority/planned-availability/";
/// DCAT-AP's own vocabulary.
pub(crate) const DCATAP: &str = "http://data.europa.eu/r5r/";
/// IANA's media types.
pub(crate) const MEDIA_TYPE: &str = "https://www.iana.org/assignments/media-types/";

/// Licences that are known by other names: the usual name without case, spaces and dashes; the word in the authority's
/// list; CKAN's id; the title; the address.
pub(crate) struct Licence {
    pub(crate) key: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) ckan: &'static str,
    pub(crate) title: &'static str,
    pub(crate) url: &'static str,
}

pub(crate) const LICENCES: [Licence; 4] = [
    Licence {
        key: "cc01.0",
        authority: "CC0",
        ckan: "cc-zero",
        title: "Creative Commons CC0",
        url: "https://creativecommons.org/publicdomain/zero/1.0/",
    },
    Licence {
        key: "ccby4.0",
        authority: "CC_BY_4_0",
        ckan: "cc-by",
        title: "Creative Commons Attribution 4.0",
        url: "https://creativecommons.org/licenses/by/4.0/",
    },
    Licence {
        key: "ccbysa4.0",
        authority: "CC_BYSA_4_0",
        ckan: "cc-by-sa",
        title: "Creative Commons Attribution-ShareAlike 4.0",
        url: "https://creativecommons.org/licenses/by-sa/4.0/",
    },
    Licence {
        key: "odbl1.0",
        authority: "ODC_ODBL_1_0",
        ckan: "odc-odbl",
        title: "Open Data Commons Open Database License 1.0",
        url: "https://opendatacommons.org/licenses/odbl/1-0/",
    },
];

/// The licence that a name or an address means, where we know it.
pub(crate) fn licence(text: &str) -> Option<&'static Licence> {
    let address = text.trim_end_matches('/');
    let dense: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    LICENCES.iter().find(|licence| {
        licence.url.trim_end_matches('/') == address
            || [licence.key, licence.key.trim_end_matches("4.0").trim_end_matches("1.0")]
                .contains(&dense.as_str())
    })
}

/// Whether this is an address that may stand as a link.
pub(crate) fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
