//! Catalog, dataset, distribution and data service (DSP 2025-1, catalog protocol; schemas under `catalog/`).

use serde_json::Value;

use super::error::MessageError;
use super::id::{Address, Extra, Id, NonEmpty};
use super::policy::Offer;
use super::wire::{Cause, Fields, Free, FromField, Out, Wire, kind, plain_text, serde_by_wire, wrong};

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
