//! The entity model: what one caller may query, as entity sets with typed properties.

use crate::names;

/// Namespace of the schema; types and container lie in it.
pub const NAMESPACE: &str = "tram";
/// Name of the entity container. Sets have no capitals, so none is called like it.
pub const CONTAINER: &str = "Datasets";
/// Name of the property that numbers the rows of an answer; see [`EntitySet`].
pub const KEY: &str = "_row";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Text: `Edm.String`.
    Text,
    /// Whole number of 64 bits: `Edm.Int64`.
    Integer,
    /// Number: `Edm.Double`.
    Number,
    /// Yes or no: `Edm.Boolean`.
    Boolean,
    /// Calendar day: `Edm.Date`.
    Date,
    /// Day and time of day: `Edm.DateTimeOffset`, written as UTC. Tables seldom say a zone, and OData has no time without
    /// one; the digits are those of the table.
    Timestamp,
}

impl ColumnKind {
    /// The primitive type (CSDL 4.01, 3.3).
    #[must_use]
    pub fn edm(self) -> &'static str {
        match self {
            Self::Text => "Edm.String",
            Self::Integer => "Edm.Int64",
            Self::Number => "Edm.Double",
            Self::Boolean => "Edm.Boolean",
            Self::Date => "Edm.Date",
            Self::Timestamp => "Edm.DateTimeOffset",
        }
    }
}

/// A column as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// What it means; may be empty.
    pub description: String,
}

/// A column under the name that OData gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Name in metadata, options and answers.
    pub name: String,
    /// The column.
    pub column: Column,
}

/// A dataset as an entity set. Its key is [`EntitySet::key`], the place of a row in the answer from 1 on: OData demands a key of
/// every set, and tables under rules have none that would survive masks. It names no row beyond the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitySet {
    /// Name of the set and of its type.
    pub name: String,
    /// Name of the key.
    pub key: String,
    /// What it is; may be empty.
    pub title: String,
    /// Its columns.
    pub properties: Vec<Property>,
}

impl EntitySet {
    /// The set of a dataset with these columns.
    #[must_use]
    pub fn new(dataset: &str, title: &str, columns: Vec<Column>) -> Self {
        let names = names::properties(columns.iter().map(|c| c.name.as_str()), &[KEY]);
        let properties =
            names.into_iter().zip(columns).map(|(name, column)| Property { name, column }).collect();
        Self { name: names::set_name(dataset), key: KEY.to_owned(), title: title.to_owned(), properties }
    }

    /// Place of the property of that exact name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.properties.iter().position(|property| property.name == name)
    }
}

/// All that a caller may query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// The sets, in the order in which they are listed.
    pub sets: Vec<EntitySet>,
}
