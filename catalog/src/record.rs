//! All that the node knows of one of its own datasets. Plain values; [`DatasetRecord::check`] says what cannot be.

use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::{CatalogError, DatasetId, hints};

mod check;
mod promises;

pub use promises::{
    Arguments, Expect, Frequency, Latency, Measure, Metric, Promises, Rule, RuleUnit, Severity, TimeUnit,
};

/// A text for people: Vietnamese first, English beside it (may be empty).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Vietnamese.
    pub vi: String,
    /// English; empty where nobody wrote it yet.
    #[serde(default)]
    pub en: String,
}

impl Text {
    /// A text in both languages.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Text { vi: vi.into(), en: en.into() }
    }
}

/// How far a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being written; nobody else sees it. `draft` in the contract.
    Draft,
    /// Offered, to whom the rules let see it. `active` in the contract.
    Published,
    /// No longer offered. `retired` in the contract.
    Withdrawn,
}

/// How restricted data is: 0 (open) to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u8")]
pub struct Classification(u8);

impl Classification {
    /// Open to anyone.
    pub const OPEN: Classification = Classification(0);
    /// The most restricted; what a draft begins with.
    pub const MAX: Classification = Classification(9);

    /// The number, 0 to 9.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u64> for Classification {
    type Error = CatalogError;

    fn try_from(input: u64) -> Result<Self, CatalogError> {
        match u8::try_from(input) {
            Ok(class) if class <= 9 => Ok(Classification(class)),
            _ => Err(CatalogError::BadClassification { input }),
        }
    }
}

impl From<Classification> for u8 {
    fn from(class: Classification) -> u8 {
        class.0
    }
}

/// Whether data is about people (Law on Personal Data Protection 91/2025/QH15). Ordered by strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Not about people.
    #[default]
    None,
    /// Basic personal data.
    Basic,
    /// Sensitive personal data.
    Sensitive,
}

/// How much the state or the public would suffer from losing hold of data (Law on Data 60/2024/QH15, Art. 13(2)). Which
/// data is important or core stands in Decision 20/2025/QD-TTg; a person says it. Ordered by strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Neither important nor core.
    #[default]
    Other,
    /// Important data.
    Important,
    /// Core data.
    Core,
}

impl DataClass {
    /// Whether it is neither important nor core: what records and contracts leave out.
    #[must_use]
    pub fn is_other(&self) -> bool {
        *self == DataClass::Other
    }
}

/// How a dataset is shared (Decree 47/2020: open data, default sharing, sharing on special request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingKind {
    /// Open data: anyone.
    Open,
    /// Shared by default between agencies.
    Default,
    /// Shared on special request, under an agreement.
    Special,
    /// State secret: never leaves.
    Secret,
}

impl SharingKind {
    /// The word in JSON, on the command line and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Default => "default",
            Self::Special => "special",
            Self::Secret => "secret",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Open, Self::Default, Self::Special, Self::Secret].into_iter().find(|kind| kind.word() == word)
    }
}

/// What counts as one person or case when only aggregates may leave. Without one, each row counts as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The column that tells one from another; distinct values are counted.
    Key(String),
    /// The column that says how many a row stands for; values are summed.
    Count(String),
}

impl Subject {
    /// The column.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Subject::Key(column) | Subject::Count(column) => column,
        }
    }
}

/// The form of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values, or with another delimiter.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// One JSON array of objects.
    Json,
    /// Apache Parquet.
    Parquet,
}

/// Where a dataset's rows really are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file.
    pub path: String,
    /// Its form.
    pub format: Format,
    /// The delimiter of a CSV file, one ASCII character; only CSV has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Text.
    String,
    /// Whole number.
    Integer,
    /// Number.
    Number,
    /// Yes or no.
    Boolean,
    /// Calendar day.
    Date,
    /// Day and time of day.
    Timestamp,
}

/// One column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name, exactly as in the source.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// What it means; may be empty.
    #[serde(default)]
    pub description: Text,
    /// Whether it is about people.
    #[serde(default)]
    pub personal: Personal,
    /// How restricted it is; `None`: as the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// What is promised of its values.
    #[serde(default, skip_serializing_if = "Promises::is_none")]
    pub promises: Promises,
}

impl Column {
    /// A column of which only the form is known.
    pub fn new(name: impl Into<String>, kind: ColumnKind, nullable: bool) -> Self {
        Column {
            name: name.into(),
            kind,
            nullable,
            description: Text::default(),
            personal: Personal::None,
            classification: None,
            promises: Promises::default(),
        }
    }
}

/// All that the node knows of one of its own datasets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRecord {
    /// Its name within the agency.
    pub id: DatasetId,
    /// Counts up from 1 with every change of the contract that others must notice.
    pub version: u32,
    /// Its title; the Vietnamese one is never empty.
    pub title: Text,
    /// What it is.
    pub description: Text,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Participant id of the agency that answers for it.
    pub publisher: String,
    /// The sector or theme, if named.
    pub theme: Option<String>,
    /// How far it is.
    pub status: Status,
    /// How restricted it is.
    pub classification: Classification,
    /// Whether it is about people; at least as strict as every column.
    pub personal: Personal,
    /// Whether it is important or core data.
    #[serde(default, skip_serializing_if = "DataClass::is_other")]
    pub data_class: DataClass,
    /// How it is shared.
    pub kind: SharingKind,
    /// Collections that rules may name.
    pub collections: Vec<String>,
    /// Tags that rules may name.
    pub tags: Vec<String>,
    /// What counts as one person or case in aggregates.
    pub subject: Option<Subject>,
    /// Columns by which aggregates may be grouped.
    pub group_by: Vec<String>,
    /// Purposes it is meant for; a hint for askers, no rule.
    pub purposes: Vec<String>,
    /// Reference of the data-protection impact assessment, where there is one.
    pub dpia: Option<String>,
    /// Whether a consumer must acknowledge the rows before it can read them: they travel sealed, and the key comes after
    /// the acknowledgement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipt_first: bool,
    /// The column by which it grows: rows are only added, each with a value no smaller than those before. Who keeps a copy
    /// then gets the new rows alone, and no old version is kept for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_by: Option<String>,
    /// The licence: a name or an address.
    pub licence: Option<String>,
    /// How often it is brought up to date.
    pub frequency: Option<Frequency>,
    /// How old the newest row may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Quality rules of the whole table; those of a column stand with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<Rule>,
    /// Where the rows are.
    pub source: Source,
    /// Its columns in the order of the source.
    pub columns: Vec<Column>,
    /// When it was first described, Unix seconds.
    pub issued: i64,
    /// When the record last changed, Unix seconds.
    pub modified: i64,
    /// SHA-256 of the contract's bytes in lower-case hex; `None` until a contract was read.
    pub contract_digest: Option<String>,
}

impl DatasetRecord {
    /// A first record of a source whose columns were found. Strict until a person says otherwise: shared on special
    /// request only, most restricted, and columns that look personal are marked so.
    #[must_use]
    pub fn draft(id: DatasetId, publisher: &str, source: Source, columns: Vec<Column>, now: i64) -> Self {
        let mut record = DatasetRecord {
            title: Text::new(id.as_str(), ""),
            id,
            version: 1,
            description: Text::default(),
            keywords: Vec::new(),
            publisher: publisher.to_owned(),
            theme: None,
            status: Status::Draft,
            classification: Classification::MAX,
            personal: Personal::None,
            data_class: DataClass::Other,
            kind: SharingKind::Special,
            collections: Vec::new(),
            tags: Vec::new(),
            subject: None,
            group_by: Vec::new(),
            purposes: Vec::new(),
            dpia: None,
            receipt_first: false,
            append_by: None,
            licence: None,
            frequency: None,
            latency: None,
            quality: Vec::new(),
            source,
            columns,
            issued: now,
            modified: now,
            contract_digest: None,
        };
        for column in &mut record.columns {
            column.personal = column.personal.max(hints::looks_personal(&column.name));
        }
        record.personal = record.columns.iter().map(|c| c.personal).max().unwrap_or_default();
        record
    }

    /// Says for the whole dataset whether it is about people, and lowers the marks of columns that are stricter than
    /// that. Gives the columns so lowered, for a person to look at once more.
    pub fn set_personal(&mut self, personal: Personal) -> Vec<Problem> {
        self.personal = personal;
        let mut lowered = Vec::new();
        for column in self.columns.iter_mut().filter(|column| column.personal > personal) {
            column.personal = personal;
            let what = "its name looks like personal data, and the dataset was said to hold none of that kind; look again";
            lowered.push(Problem::new(format!("column `{}`", column.name), what));
        }
        lowered
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Holds the record against everything that must be so.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] with all problems found, each with the record's field.
    pub fn check(&self) -> Result<(), CatalogError> {
        let problems = check::problems(self);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(CatalogError::Invalid { of: "dataset record", problems })
        }
    }

    /// What is allowed but worth a look before publishing.
    #[must_use]
    pub fn advice(&self) -> Vec<Problem> {
        check::advice(self)
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        check::problems(self)
    }
}
