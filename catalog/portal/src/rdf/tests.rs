use std::collections::BTreeSet;

use oxrdf::Triple;
use proptest::prelude::*;

use super::*;
use crate::model::{Sha256, Text};
use crate::samples;

/// Statements as one text each, so that they can be compared as sets.
fn graph(statements: impl IntoIterator<Item = Triple>) -> BTreeSet<String> {
    statements.into_iter().map(|statement| statement.to_string()).collect()
}

fn read(notation: Notation, bytes: &[u8]) -> BTreeSet<String> {
    match notation {
        Notation::Turtle => graph(oxttl::TurtleParser::new().for_slice(bytes).map(|t| t.expect("Turtle"))),
        Notation::RdfXml => {
            graph(oxrdfxml::RdfXmlParser::new().for_slice(bytes).map(|t| t.expect("RDF/XML")))
        }
        Notation::JsonLd => graph(
            oxjsonld::JsonLdParser::new()
                .for_slice(bytes)
                .map(|quad| quad.expect("JSON-LD"))
                .map(|quad| Triple::new(quad.subject, quad.predicate, quad.object)),
        ),
    }
}

fn view<'a>(datasets: &'a [Dataset], number: usize, total: usize) -> View<'a> {
    View {
        datasets,
        page: Page::new(number, 2, total),
        address: "https://data.example.vn/catalog.ttl",
        modified: Some(1_759_276_800),
        query: &[],
    }
}

fn same_in_all(statements: Vec<Triple>) -> Result<(), TestCaseError> {
    let wanted = graph(statements.clone());
    for notation in Notation::ALL {
        let bytes = notation.write(&statements).expect("it is written");
        prop_assert_eq!(&read(notation, &bytes), &wanted, "{:?}", notation);
        prop_assert_eq!(&notation.write(&statements).expect("again"), &bytes, "{:?} is not stable", notation);
    }
    Ok(())
}

#[test]
fn all_notations_say_the_same() {
    let mut datasets = vec![samples::dataset("a"), samples::restricted("b")];
    datasets[0].distributions[0].sha256 = Some(Sha256("ab".repeat(32)));
    datasets[0].distributions[0].bytes = Some(7);
    let whole = samples::catalog(Vec::new());
    same_in_all(catalog(&whole, &view(&datasets, 1, 5))).unwrap();
    same_in_all(dataset(&whole.base, &datasets[0], &whole.services)).unwrap();
    same_in_all(catalog(&whole, &view(&[], 1, 0))).unwrap();
}

#[test]
fn a_restricted_dataset_has_no_address_but_its_page() {
    let text = Notation::Turtle.write(&dataset(samples::BASE, &samples::restricted("b"), &[])).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("access-right/RESTRICTED"), "{text}");
    for word in ["dcat:distribution", "accessURL", "odata"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn pages_lead_from_the_first_to_the_last() {
    let whole = samples::catalog(Vec::new());
    let datasets = [samples::dataset("a")];
    let page = |number| {
        let mut view = view(&datasets, number, 5);
        view.query = &[("modified_since", "2025-10-01T00:00:00+07:00")];
        graph(catalog(&whole, &view)).into_iter().collect::<Vec<_>>().join("\n")
    };
    let link = |property: &str, number: usize| {
        let query = format!("page={number}&modified_since=2025-10-01T00%3A00%3A00%2B07%3A00");
        format!("<http://www.w3.org/ns/hydra/core#{property}> <https://data.example.vn/catalog.ttl?{query}>")
    };
    assert!(page(1).contains(&link("next", 2)), "{}", page(1));
    assert!(!page(1).contains("#previous"));
    assert!(page(2).contains(&link("previous", 1)) && page(2).contains(&link("next", 3)));
    assert!(page(3).contains(&link("last", 3)) && !page(3).contains("#next"));
    assert!(!page(9).contains("#next"), "a page past the end must not lead on");
}

#[test]
fn each_link_of_the_profile_ends_at_a_thing_with_its_class() {
    let whole = samples::catalog(Vec::new());
    let statements = catalog(&whole, &view(&[samples::dataset("a"), samples::restricted("b")], 1, 2));
    let typed: BTreeSet<String> = statements
        .iter()
        .filter(|t| t.predicate.as_str().ends_with("#type"))
        .map(|t| t.subject.to_string())
        .collect();
    let words =
        ["publisher", "theme", "accessRights", "accrualPeriodicity", "license", "format", "mediaType"];
    let mut seen = 0;
    for statement in &statements {
        if words.iter().any(|word| statement.predicate.as_str().ends_with(word)) {
            assert!(typed.contains(&statement.object.to_string()), "{statement}");
            seen += 1;
        }
    }
    assert!(seen >= words.len(), "only {seen} links were looked at");
}

proptest! {
    #[test]
    fn any_text_survives_every_notation(
        title in ".{0,40}", description in "\\PC{0,60}", word in ".{1,20}", licence in ".{1,30}", name in ".{1,12}",
        agent in ".{0,20}",
    ) {
        let mut one = samples::dataset("a");
        one.title = Text::new(title.clone(), description.clone());
        one.description = Text::new(description, title);
        one.keywords = vec![word];
        one.licence = Some(licence);
        one.name = name;
        one.publisher.id = agent;
        same_in_all(dataset(samples::BASE, &one, &[]))?;
    }
}
