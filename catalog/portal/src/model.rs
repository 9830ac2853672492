//! What is shown, as plain values. Whoever makes them has asked the gate first: what stands here is written.

/// A text for people: Vietnamese first, English beside it (may be empty).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Vietnamese.
    pub vi: String,
    /// English; empty where nobody wrote it.
    pub en: String,
}

impl Text {
    /// A text in both languages.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Text { vi: vi.into(), en: en.into() }
    }

    /// Whether there is nothing in either language.
    pub fn is_empty(&self) -> bool {
        self.vi.trim().is_empty() && self.en.trim().is_empty()
    }

    /// The Vietnamese text, or the English one where there is no other.
    pub fn first(&self) -> &str {
        if self.vi.trim().is_empty() { &self.en } else { &self.vi }
    }

    /// The English text where it says something other than [`Self::first`].
    pub fn second(&self) -> Option<&str> {
        (!self.vi.trim().is_empty() && !self.en.trim().is_empty() && self.vi != self.en)
            .then_some(self.en.as_str())
    }

    /// This text, or another where it is empty.
    pub fn or<'a>(&'a self, other: &'a Text) -> &'a Text {
        if self.is_empty() { other } else { self }
    }
}

/// An agency: publisher of the catalog or of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Participant id, an IRI.
    pub id: String,
    /// Its word in addresses ([`crate::slug`]).
    pub name: String,
    /// Its name for people.
    pub title: Text,
}

/// A sector or topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Its word in addresses ([`crate::slug`]).
    pub name: String,
    /// Its name for people.
    pub title: String,
}

/// The European Union's access rights, which DCAT-AP asks for (`dct:accessRights`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRights {
    /// Anyone gets it.
    Public,
    /// Those get it who fulfil conditions.
    Restricted,
    /// Nobody outside gets it.
    NonPublic,
}

impl AccessRights {
    /// The word in the authority's list.
    pub fn word(self) -> &'static str {
        match self {
            AccessRights::Public => "PUBLIC",
            AccessRights::Restricted => "RESTRICTED",
            AccessRights::NonPublic => "NON_PUBLIC",
        }
    }
}

/// How often something is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// All the time.
    Continuous,
    /// Each hour.
    Hour,
    /// Each day.
    Day,
    /// Each week.
    Week,
    /// Each month.
    Month,
    /// Each quarter.
    Quarter,
    /// Each year.
    Year,
    /// In another rhythm.
    Other,
}

/// In which form rows are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OData 4: asked over HTTP, answered in JSON.
    OData,
    /// Delta Sharing: Parquet files behind an open protocol.
    DeltaSharing,
    /// A page for people.
    Page,
    /// One file of this kind.
    Csv,
    /// One file of this kind.
    Json,
    /// One file of this kind.
    Parquet,
}

/// SHA-256 of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sha256(
    /// Lower-case hex.
    pub String,
);

/// One way to get a dataset's rows; only what the one who asks may use stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Its word within the dataset: `odata`, `delta`.
    pub name: String,
    /// Its name for people.
    pub title: Text,
    /// The form.
    pub form: Form,
    /// Where it is asked for.
    pub access_url: String,
    /// Where a file is fetched without further ado.
    pub download_url: Option<String>,
    /// How large that file is.
    pub bytes: Option<u64>,
    /// What that file hashes to.
    pub sha256: Option<Sha256>,
}

/// An API through which datasets are had (`dcat:DataService`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its word within the node: `odata`, `delta`.
    pub name: String,
    /// Its name for people.
    pub title: Text,
    /// The form of what it gives.
    pub form: Form,
    /// Its root.
    pub endpoint_url: String,
    /// Where a machine reads how to use it.
    pub description_url: Option<String>,
}

/// A column; only where the one who asks may see columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds: `string`, `integer`, …
    pub kind: String,
    /// What it means.
    pub description: Text,
}

/// A dataset that the one who asks may discover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name within the node, `[a-z0-9-]`.
    pub name: String,
    /// What others know it by; never changes.
    pub identifier: String,
    /// Its title.
    pub title: Text,
    /// What it is.
    pub description: Text,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who answers for it.
    pub publisher: Agent,
    /// Its sector.
    pub theme: Option<Theme>,
    /// Counts up with each change of its contract.
    pub version: u32,
    /// Who may have it, in general.
    pub rights: AccessRights,
    /// How the law says it is shared (`open`, `default`, `special`), where the one who asks may know.
    pub sharing: Option<String>,
    /// The licence: a name or an address.
    pub licence: Option<String>,
    /// How often it is brought up to date.
    pub every: Option<Every>,
    /// First described, Unix seconds.
    pub issued: i64,
    /// Last changed, Unix seconds.
    pub modified: i64,
    /// Ways to get it; none where the one who asks may only know that it is there.
    pub distributions: Vec<Distribution>,
    /// Its columns; none where the one who asks may not see them.
    pub columns: Vec<Column>,
}

/// All that the one who asks may discover at this node, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// Base URL of the public door, without a slash at its end.
    pub base: String,
    /// The agency.
    pub publisher: Agent,
    /// What the catalog is called.
    pub title: Text,
    /// What it holds.
    pub description: Text,
    /// APIs that serve some of the datasets.
    pub services: Vec<Service>,
    /// The datasets.
    pub datasets: Vec<Dataset>,
}

impl Catalog {
    /// Address of a dataset: its subject in RDF and its page for people.
    pub fn dataset_url(&self, name: &str) -> String {
        dataset_url(&self.base, name)
    }

    /// The dataset of that name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }

    /// When anything here changed last, Unix seconds; none in an empty catalog.
    pub fn modified(&self) -> Option<i64> {
        self.datasets.iter().map(|dataset| dataset.modified).max()
    }
}

/// Address of a dataset under a base URL.
pub fn dataset_url(base: &str, name: &str) -> String {
    format!("{base}/dataset/{}", crate::text::escaped(name))
}
