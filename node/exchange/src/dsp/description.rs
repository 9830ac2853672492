//! What a dataset says about itself beyond the protocol: DCAT terms, and ours under `urn:tram:ns:`.

use serde_json::{Value, json};

use super::error::IdError;
use super::id::Extra;
use super::transfer::json_literal;
use super::wire::ours;
use crate::manifest::Column;

/// A text in Vietnamese and English; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LangText {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl LangText {
    fn to_value(&self) -> Option<Value> {
        let pairs = [("vi", &self.vi), ("en", &self.en)];
        let items: Vec<Value> = pairs
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(language, text)| json!({ "@language": language, "@value": text }))
            .collect();
        if items.is_empty() { None } else { Some(Value::Array(items)) }
    }

    /// A text without a language, or in a third one, counts for both of ours where they have none.
    fn from_value(value: Option<&Value>) -> LangText {
        let mut text = LangText::default();
        let mut other = None;
        for item in items(value) {
            let Some(found) = item.as_str().or_else(|| item.get("@value").and_then(Value::as_str)) else {
                continue;
            };
            match item.get("@language").and_then(Value::as_str) {
                Some("vi") => text.vi = found.to_owned(),
                Some("en") => text.en = found.to_owned(),
                _ => other = Some(found),
            }
        }
        if let Some(other) = other {
            for slot in [&mut text.vi, &mut text.en] {
                if slot.is_empty() {
                    other.clone_into(slot);
                }
            }
        }
        text
    }
}

fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(single) => vec![single],
    }
}

/// An older version of the contract that the reader agreed on, and until when it is served.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OlderVersion {
    /// The version.
    pub version: u32,
    /// Its end.
    pub until: super::Timestamp,
}

/// What a dataset says about itself beyond the protocol: DCAT terms, and ours under `urn:tram:ns:`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetDescription {
    /// `dct:title`.
    pub title: LangText,
    /// `dct:description`.
    pub description: LangText,
    /// `dcat:keyword`.
    pub keywords: Vec<String>,
    /// `dct:identifier`: the agency's own name of the dataset.
    pub identifier: Option<String>,
    /// `urn:tram:ns:version`.
    pub version: Option<u32>,
    /// `urn:tram:ns:classification`, 0 (open) to 9.
    pub classification: Option<u8>,
    /// `urn:tram:ns:schema`: the columns in order.
    pub columns: Vec<Column>,
    /// `urn:tram:ns:purposes`: for which purposes an offer is meant.
    pub purposes: Vec<String>,
    /// `dcat:theme`: the sector, as the agency names it.
    pub theme: Option<String>,
    /// `urn:tram:ns:sharing`: `open`, `default` or `special`.
    pub sharing: Option<String>,
    /// `urn:tram:ns:olderVersions`: those that the reader holds an agreement on and that the one in force breaks.
    pub older: Vec<OlderVersion>,
}

impl DatasetDescription {
    /// The description as properties of a dataset.
    pub fn to_extra(&self) -> Result<Extra, IdError> {
        let mut extra = Extra::none();
        let strings = |list: &[String]| list.iter().cloned().map(Value::String).collect::<Vec<_>>();
        let columns = json!({ "@type": "@json", "@value": self.columns });
        let older = json!({ "@type": "@json", "@value": self.older });
        let properties = [
            ("dct:title".to_owned(), self.title.to_value()),
            ("dct:description".to_owned(), self.description.to_value()),
            ("dcat:keyword".to_owned(), filled(strings(&self.keywords))),
            ("dct:identifier".to_owned(), self.identifier.clone().map(Value::String)),
            (ours("version"), self.version.map(Value::from)),
            (ours("classification"), self.classification.map(Value::from)),
            (ours("schema"), Some(columns).filter(|_| !self.columns.is_empty())),
            (ours("purposes"), filled(strings(&self.purposes))),
            ("dcat:theme".to_owned(), self.theme.clone().map(Value::String)),
            (ours("sharing"), self.sharing.clone().map(Value::String)),
            (ours("olderVersions"), Some(older).filter(|_| !self.older.is_empty())),
        ];
        for (key, value) in properties {
            if let Some(value) = value {
                extra.insert(key, value)?;
            }
        }
        Ok(extra)
    }

    /// Read what a peer says; a property in another form counts as absent, since nothing is decided by it.
    #[must_use]
    pub fn from_extra(extra: &Extra) -> DatasetDescription {
        let strings = |key: &str| {
            let texts = items(extra.get(key)).into_iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        let number = |name: &str| extra.get(&ours(name)).and_then(Value::as_u64);
        let columns = extra.get(&ours("schema")).cloned().map(json_literal);
        let older = extra.get(&ours("olderVersions")).cloned().map(json_literal);
        DatasetDescription {
            title: LangText::from_value(extra.get("dct:title")),
            description: LangText::from_value(extra.get("dct:description")),
            keywords: strings("dcat:keyword"),
            identifier: extra.get("dct:identifier").and_then(Value::as_str).map(str::to_owned),
            version: number("version").and_then(|number| u32::try_from(number).ok()),
            classification: number("classification")
                .and_then(|number| u8::try_from(number).ok())
                .filter(|c| *c <= 9),
            columns: columns.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default(),
            purposes: strings(&ours("purposes")),
            theme: extra.get("dcat:theme").and_then(Value::as_str).map(str::to_owned),
            sharing: extra.get(&ours("sharing")).and_then(Value::as_str).map(str::to_owned),
            older: older.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default(),
        }
    }
}

fn filled(items: Vec<Value>) -> Option<Value> {
    if items.is_empty() { None } else { Some(Value::Array(items)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_survives_the_wire() {
        let description = DatasetDescription {
            title: LangText { vi: "Chất lượng không khí".into(), en: "Air quality".into() },
            keywords: vec!["pm25".into()],
            identifier: Some("air-hourly".into()),
            version: Some(7),
            classification: Some(1),
            theme: Some("Môi trường".into()),
            sharing: Some("open".into()),
            columns: vec![Column { name: "PM 2.5".into(), kind: crate::manifest::ColumnKind::Number }],
            older: vec![OlderVersion { version: 6, until: crate::dsp::Timestamp::from_unix(9).unwrap() }],
            ..DatasetDescription::default()
        };
        let extra = description.to_extra().unwrap();
        assert_eq!(DatasetDescription::from_extra(&extra), description);
        assert!(extra.get("dct:description").is_none());
    }

    #[test]
    fn a_foreign_description_is_read_as_far_as_it_goes() {
        let mut extra = Extra::none();
        extra.insert("dct:title", json!("Verkehr")).unwrap();
        extra.insert(ours("classification"), json!(77)).unwrap();
        extra.insert(ours("schema"), json!("none")).unwrap();
        let read = DatasetDescription::from_extra(&extra);
        assert_eq!(read.title, LangText { vi: "Verkehr".into(), en: "Verkehr".into() });
        assert_eq!((read.classification, read.columns), (None, vec![]));
    }

    #[test]
    fn a_protocol_term_cannot_be_smuggled_in_as_extra() {
        let mut extra = Extra::none();
        for key in ["target", "@type", "odrl:hasPolicy", "http://www.w3.org/ns/dcat#dataset"] {
            assert!(extra.insert(key, Value::Null).is_err(), "{key}");
        }
    }
}
