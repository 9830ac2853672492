//! Catalog, dataset, distribution and data service (DSP 2025-1, catalog protocol; schemas under `catalog/`).

use serde_json::{Value, json};

use super::error::{IdError, MessageError};
use super::id::{Address, Extra, Id, NonEmpty};
use super::policy::Offer;
use super::transfer::json_literal;
use super::wire::{Cause, Fields, Free, FromField, Out, Wire, kind, ours, plain_text, serde_by_wire, wrong};
use crate::manifest::Column;

/// A question for what a provider offers to the asker (`POST …/catalog/request`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogRequestMessage {
    /// Implementation-specific; a provider that does not support it answers 400.
    pub filter: Vec<Value>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for CatalogRequestMessage {
    const TYPE: &'static str = "CatalogRequestMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let filter = fields.any_list::<Free>("filter")?.into_iter().map(|free| free.0).collect();
        Ok(CatalogRequestMessage { filter, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.values("filter", self.filter.clone()).extra(&self.extra);
    }
}

/// A question for one dataset. Over HTTPS `GET …/catalog/datasets/{id}` takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRequestMessage {
    /// The dataset's id.
    pub dataset: Id,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for DatasetRequestMessage {
    const TYPE: &'static str = "DatasetRequestMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(DatasetRequestMessage { dataset: fields.id("dataset")?, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.text("dataset", self.dataset.as_str()).extra(&self.extra);
    }
}

/// What a catalog holds; also a catalog inside another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogContent {
    /// The catalog's id.
    pub id: Id,
    /// Datasets that the asker may see.
    pub datasets: Vec<Dataset>,
    /// Catalogs inside this one.
    pub catalogs: Vec<CatalogContent>,
    /// Services that give access.
    pub services: Vec<DataService>,
    /// Forms of the catalog itself.
    pub distributions: Vec<Distribution>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl CatalogContent {
    /// A catalog with nothing in it yet.
    #[must_use]
    pub fn empty(id: Id) -> CatalogContent {
        CatalogContent {
            id,
            datasets: Vec::new(),
            catalogs: Vec::new(),
            services: Vec::new(),
            distributions: Vec::new(),
            extra: Extra::none(),
        }
    }
}

impl Wire for CatalogContent {
    const TYPE: &'static str = "Catalog";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        if fields.has("hasPolicy") {
            return Err(fields.wrong(
                "hasPolicy",
                "no policy on a catalog",
                "a policy",
                "put it on the datasets",
            ));
        }
        Ok(CatalogContent {
            id: fields.id("@id")?,
            datasets: fields.list("dataset")?,
            catalogs: fields.list("catalog")?,
            services: fields.list("service")?,
            distributions: fields.list("distribution")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str())
            .list("dataset", &self.datasets)
            .list("catalog", &self.catalogs)
            .list("service", &self.services)
            .list("distribution", &self.distributions)
            .extra(&self.extra);
    }
}

/// The catalog of one participant, as it sees fit for the asker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// The provider's participant id.
    pub participant_id: Id,
    /// What is in it.
    pub content: CatalogContent,
}

impl Wire for Catalog {
    const TYPE: &'static str = "Catalog";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(Catalog { participant_id: fields.id("participantId")?, content: CatalogContent::read(fields)? })
    }

    fn write(&self, out: &mut Out) {
        out.text("participantId", self.participant_id.as_str());
        self.content.write(out);
    }
}

/// A dataset inside a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The dataset's id.
    pub id: Id,
    /// Under which offers it may be had.
    pub offers: NonEmpty<Offer>,
    /// In which forms.
    pub distributions: NonEmpty<Distribution>,
    /// Titles, schema and the like; see [`DatasetDescription`].
    pub extra: Extra,
}

impl Wire for Dataset {
    const TYPE: &'static str = "Dataset";
    const ROOT: bool = false;
    const TYPE_DUE: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(Dataset {
            id: fields.id("@id")?,
            offers: fields.list_due("hasPolicy")?,
            distributions: fields.list_due("distribution")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str())
            .list("hasPolicy", self.offers.as_slice())
            .list("distribution", self.distributions.as_slice())
            .extra(&self.extra);
    }
}

/// A dataset as an answer of its own (`GET …/catalog/datasets/{id}`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDataset(pub Dataset);

impl Wire for RootDataset {
    const TYPE: &'static str = "Dataset";
    const ROOT: bool = true;
    const TYPE_DUE: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Dataset::read(fields).map(RootDataset)
    }

    fn write(&self, out: &mut Out) {
        self.0.write(out);
    }
}

/// One form of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The transfer format, such as `HttpData-PULL`.
    pub format: Id,
    /// The service that gives access.
    pub access_service: AccessService,
    /// Offers for this form only.
    pub offers: Vec<Offer>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Distribution {
    /// A form of a dataset behind an embedded service.
    #[must_use]
    pub fn new(format: Id, service: DataService) -> Distribution {
        let access_service = AccessService::Embedded(Box::new(service));
        Distribution { format, access_service, offers: Vec::new(), extra: Extra::none() }
    }
}

impl Wire for Distribution {
    const TYPE: &'static str = "Distribution";
    const ROOT: bool = false;
    const TYPE_DUE: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let mut services = fields.list_due::<AccessService>("accessService")?.into_vec();
        let access_service = match (services.pop(), services.is_empty()) {
            (Some(service), true) => service,
            _ => {
                return Err(fields.wrong(
                    "accessService",
                    "one service",
                    "several",
                    "send one distribution each",
                ));
            }
        };
        Ok(Distribution {
            format: fields.id("format")?,
            access_service,
            offers: fields.list("hasPolicy")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("format", self.format.as_str());
        match &self.access_service {
            AccessService::Reference(id) => out.text("accessService", id.as_str()),
            AccessService::Embedded(service) => out.object("accessService", service.as_ref()),
        };
        out.list("hasPolicy", &self.offers).extra(&self.extra);
    }
}

/// The service of a distribution: named, or told in full. In full is better: as JSON-LD a bare name is only a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessService {
    /// The id of a service of the same catalog.
    Reference(Id),
    /// The service.
    Embedded(Box<DataService>),
}

impl FromField for AccessService {
    fn from_field(value: Value, pointer: String) -> Result<Self, MessageError> {
        let named = value.is_string() || value.as_object().is_some_and(|object| object.len() == 1);
        if !named {
            return DataService::from_field(value, pointer)
                .map(|service| AccessService::Embedded(Box::new(service)));
        }
        let found = kind(&value);
        let advice = "name a service or describe it";
        let text =
            plain_text(value).ok_or_else(|| wrong(&pointer, "an id or a DataService", found, advice))?;
        let id = Id::new(text).map_err(|error| wrong(&pointer, "an id", found, &error.to_string()))?;
        Ok(AccessService::Reference(id))
    }
}

/// A callable service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataService {
    /// The service's id.
    pub id: Id,
    /// The base address that negotiation paths extend.
    pub endpoint_url: Address,
    /// Datasets behind it.
    pub serves: Vec<Dataset>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl DataService {
    /// A service at an address.
    #[must_use]
    pub fn new(id: Id, endpoint_url: Address) -> DataService {
        DataService { id, endpoint_url, serves: Vec::new(), extra: Extra::none() }
    }
}

impl Wire for DataService {
    const TYPE: &'static str = "DataService";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(DataService {
            id: fields.id("@id")?,
            endpoint_url: fields.address("endpointURL")?,
            serves: fields.list("servesDataset")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str())
            .text("endpointURL", self.endpoint_url.as_str())
            .list("servesDataset", &self.serves)
            .extra(&self.extra);
    }
}

/// A refusal of a catalog question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogError {
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for CatalogError {
    const TYPE: &'static str = "CatalogError";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let code = fields.opt_text("code")?;
        let reason = fields.any_list::<Free>("reason")?.into_iter().map(|free| free.0).collect();
        Ok(CatalogError { cause: Cause { code, reason }, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.cause(&self.cause).extra(&self.extra);
    }
}

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
}

impl DatasetDescription {
    /// The description as properties of a dataset.
    pub fn to_extra(&self) -> Result<Extra, IdError> {
        let mut extra = Extra::none();
        let strings = |list: &[String]| list.iter().cloned().map(Value::String).collect::<Vec<_>>();
        let columns = json!({ "@type": "@json", "@value": self.columns });
        let properties = [
            ("dct:title".to_owned(), self.title.to_value()),
            ("dct:description".to_owned(), self.description.to_value()),
            ("dcat:keyword".to_owned(), filled(strings(&self.keywords))),
            ("dct:identifier".to_owned(), self.identifier.clone().map(Value::String)),
            (ours("version"), self.version.map(Value::from)),
            (ours("classification"), self.classification.map(Value::from)),
            (ours("schema"), Some(columns).filter(|_| !self.columns.is_empty())),
            (ours("purposes"), filled(strings(&self.purposes))),
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
        }
    }
}

fn filled(items: Vec<Value>) -> Option<Value> {
    if items.is_empty() { None } else { Some(Value::Array(items)) }
}

serde_by_wire!(
    CatalogRequestMessage,
    DatasetRequestMessage,
    CatalogContent,
    Catalog,
    Dataset,
    RootDataset,
    Distribution,
    DataService,
    CatalogError,
);

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
            columns: vec![Column { name: "PM 2.5".into(), kind: crate::manifest::ColumnKind::Number }],
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
