//! The protocol's names in their three spellings: `target`, `odrl:target`, `http://www.w3.org/ns/odrl/2/target`.

/// The protocol's own terms with the vocabulary that the context file puts each into.
const TERMS: &[(&str, &str)] = &[
    ("accessService", "dcat"),
    ("action", "odrl"),
    ("agreement", "dspace"),
    ("agreementId", "dspace"),
    ("and", "odrl"),
    ("andSequence", "odrl"),
    ("assignee", "odrl"),
    ("assigner", "odrl"),
    ("callbackAddress", "dspace"),
    ("catalog", "dcat"),
    ("code", "dspace"),
    ("constraint", "odrl"),
    ("consumerPid", "dspace"),
    ("dataAddress", "dspace"),
    ("dataset", "dcat"),
    ("dataset", "dspace"),
    ("distribution", "dcat"),
    ("endpoint", "dspace"),
    ("endpointProperties", "dspace"),
    ("endpointType", "dspace"),
    ("endpointURL", "dcat"),
    ("eventType", "dspace"),
    ("filter", "dspace"),
    ("format", "dct"),
    ("hasPolicy", "odrl"),
    ("leftOperand", "odrl"),
    ("name", "dspace"),
    ("obligation", "odrl"),
    ("offer", "dspace"),
    ("operator", "odrl"),
    ("or", "odrl"),
    ("participantId", "dspace"),
    ("permission", "odrl"),
    ("profile", "odrl"),
    ("prohibition", "odrl"),
    ("providerPid", "dspace"),
    ("reason", "dspace"),
    ("rightOperand", "odrl"),
    ("servesDataset", "dcat"),
    ("service", "dcat"),
    ("state", "dspace"),
    ("target", "odrl"),
    ("timestamp", "dspace"),
    ("value", "dspace"),
    ("xone", "odrl"),
];

/// Prefixes that the context file defines, with what they stand for.
const VOCABULARIES: &[(&str, &str)] = &[
    ("dspace", "https://w3id.org/dspace/2025/1/"),
    ("odrl", "http://www.w3.org/ns/odrl/2/"),
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dct", "http://purl.org/dc/terms/"),
];

/// Split `odrl:target` or its full IRI into vocabulary and name; `None` for anything else.
fn split_name(name: &str) -> Option<(&'static str, &str)> {
    VOCABULARIES.iter().find_map(|(prefix, iri)| {
        let compact = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(':'));
        compact.or_else(|| name.strip_prefix(iri)).map(|local| (*prefix, local))
    })
}

/// The protocol term that a spelled-out key stands for.
pub(super) fn term_of(key: &str) -> Option<&'static str> {
    let (vocabulary, local) = split_name(key)?;
    TERMS.iter().find(|(term, home)| *term == local && *home == vocabulary).map(|(term, _)| *term)
}

/// True when a key is only another spelling of a protocol term.
pub(super) fn is_term(key: &str) -> bool {
    term_of(key).is_some()
}

/// `odrl:eq` and the full IRI become `eq`; everything else stays.
pub(super) fn local_name(name: &str) -> &str {
    split_name(name).map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_vocabulary_makes_a_term() {
        assert_eq!(term_of("odrl:target"), Some("target"));
        assert_eq!(term_of("http://purl.org/dc/terms/format"), Some("format"));
        assert_eq!(term_of("https://w3id.org/dspace/2025/1/providerPid"), Some("providerPid"));
        for foreign in ["target", "dspace:target", "dcat:keyword", "dct:title", "odrl:", "odrlx:target"] {
            assert_eq!(term_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn every_term_of_the_table_is_found_in_both_spellings() {
        for (term, prefix) in TERMS {
            assert_eq!(term_of(&format!("{prefix}:{term}")), Some(*term));
            let (_, iri) = VOCABULARIES.iter().find(|(known, _)| known == prefix).unwrap();
            assert_eq!(term_of(&format!("{iri}{term}")), Some(*term));
        }
    }
}
