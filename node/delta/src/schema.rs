//! The columns of a table as Spark writes them (section "Schema Object" of the protocol).

use serde_json::{Value, json};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// Whole number, 64 bits.
    Long,
    /// Number, IEEE 754 binary64.
    Double,
    /// `true` or `false`.
    Boolean,
    /// Calendar day.
    Date,
    /// Day and time of day without a zone.
    Timestamp,
}

/// A column as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// What people say of it.
    pub comment: Option<String>,
}

impl Kind {
    /// The word of the type. The newer form of answers tells a time without a zone from one with; the older has one word.
    fn word(self, without_zone: bool) -> &'static str {
        match self {
            Self::String => "string",
            Self::Long => "long",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp if without_zone => "timestamp_ntz",
            Self::Timestamp => "timestamp",
        }
    }
}

/// The text of `schemaString`.
#[must_use]
pub fn text(columns: &[Column], without_zone: bool) -> String {
    let fields: Vec<Value> = columns
        .iter()
        .map(|column| {
            let metadata = column.comment.as_ref().map_or_else(|| json!({}), |text| json!({"comment": text}));
            let kind = column.kind.word(without_zone);
            json!({"name": column.name, "type": kind, "nullable": column.nullable, "metadata": metadata})
        })
        .collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

/// Whether a reader must know times without a zone to read the newer form.
#[must_use]
pub fn has_times(columns: &[Column]) -> bool {
    columns.iter().any(|column| column.kind == Kind::Timestamp)
}
