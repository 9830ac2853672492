//! schema.org's `Dataset` as JSON-LD, for search engines: what Google's Dataset Search asks of a page.

use serde_json::{Value, json};

use crate::limits::{SCHEMA_DESCRIPTION_MAX, SCHEMA_DESCRIPTION_MIN};
use crate::model::{Agent, Dataset};
use crate::rdf::statements::media_type;
use crate::text::{day, shortened};
use crate::vocabulary;

/// A dataset in schema.org's words.
pub fn dataset(base: &str, dataset: &Dataset) -> Value {
    let address = crate::model::dataset_url(base, &dataset.name);
    let mut out = json!({
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": address,
        "url": address,
        "name": dataset.title.first(),
        "description": description(dataset),
        "identifier": dataset.identifier,
        "inLanguage": "vi",
        "version": dataset.version,
        "dateCreated": day(dataset.issued),
        "dateModified": day(dataset.modified),
        "isAccessibleForFree": true,
        "keywords": dataset.keywords,
        "publisher": agency(&dataset.publisher),
        "creator": agency(&dataset.publisher),
        "includedInDataCatalog": { "@type": "DataCatalog", "url": format!("{base}/") },
    });
    let mut add = |name: &str, value: Value| {
        if let Some(map) = out.as_object_mut() {
            map.insert(name.to_owned(), value);
        }
    };
    if let Some(title) = dataset.title.second() {
        add("alternateName", json!(title));
    }
    if let Some(licence) = licence(dataset) {
        add("license", json!(licence));
    }
    if !dataset.distributions.is_empty() {
        add("distribution", distributions(dataset));
    }
    if !dataset.columns.is_empty() {
        add("variableMeasured", dataset.columns.iter().map(|column| json!(column.name)).collect());
    }
    out
}

/// The same, safe inside a `script` element: no text in it can end the element.
pub(crate) fn script(base: &str, one: &Dataset) -> String {
    dataset(base, one).to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// 50 to 5000 characters. What is too short is filled up with what is known: who publishes it, and until when it counts.
fn description(dataset: &Dataset) -> String {
    let text = dataset.description.or(&dataset.title).first().trim();
    if text.chars().count() >= SCHEMA_DESCRIPTION_MIN {
        return shortened(text, SCHEMA_DESCRIPTION_MAX);
    }
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    let agency = shortened(dataset.publisher.title.first(), 200);
    let day = day(dataset.modified);
    format!("{text}{end} Bộ dữ liệu do {agency} công bố, cập nhật lần cuối ngày {day}.")
}

fn agency(agent: &Agent) -> Value {
    json!({ "@type": "GovernmentOrganization", "name": agent.title.first(), "identifier": agent.id })
}

fn licence(dataset: &Dataset) -> Option<String> {
    let text = dataset.licence.as_ref()?;
    match vocabulary::licence(text) {
        Some(known) => Some(known.url.to_owned()),
        None => vocabulary::is_address(text).then(|| text.clone()),
    }
}

fn distributions(dataset: &Dataset) -> Value {
    let one = |distribution: &crate::model::Distribution| {
        json!({
            "@type": "DataDownload",
            "name": distribution.title.first(),
            "encodingFormat": media_type(distribution.form),
            "contentUrl": distribution.download_url.as_ref().unwrap_or(&distribution.access_url),
        })
    };
    dataset.distributions.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;
    use crate::samples;

    #[test]
    fn a_description_has_a_length_that_search_engines_take() {
        for text in ["", "x", &"dữ liệu ".repeat(6), &"dữ liệu ".repeat(10), &"ữ".repeat(9_000)] {
            let mut one = samples::dataset("a");
            one.description = Text::new(text, "");
            let length = dataset(samples::BASE, &one)["description"].as_str().unwrap().chars().count();
            assert!((50..=5_000).contains(&length), "{length}");
        }
    }

    #[test]
    fn only_what_may_be_seen_is_said() {
        let open = dataset(samples::BASE, &samples::dataset("a"));
        assert_eq!(open["variableMeasured"], json!(["pm25"]));
        assert_eq!(open["license"], "https://creativecommons.org/licenses/by/4.0/");
        let restricted = dataset(samples::BASE, &samples::restricted("a"));
        for name in ["distribution", "variableMeasured", "license"] {
            assert!(restricted.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn no_text_ends_the_script() {
        let mut one = samples::dataset("a");
        one.title = Text::new("</script><script>alert(1)//<!--", "");
        let text = script(samples::BASE, &one);
        assert!(!text.contains('<'), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], one.title.vi);
    }
}
