//! What a catalog shows of a dataset: of our own, or of a peer's as it was last fetched.

use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::{CatalogError, ColumnKind, DatasetRecord, SharingKind, Text, limits};

/// A column as a catalog shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryColumn {
    /// The name.
    pub name: String,
    /// What it holds, where the peer said something we know.
    #[serde(default)]
    pub kind: Option<ColumnKind>,
    /// What it means; may be empty.
    #[serde(default)]
    pub description: Text,
}

/// One dataset in a catalog. Ids are opaque; unknown fields are tolerated, since most of it comes from peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// Participant id of the agency that offers it.
    pub participant: String,
    /// The dataset's id, as that agency writes it.
    pub dataset: String,
    /// Its title.
    pub title: Text,
    /// What it is.
    #[serde(default)]
    pub description: Text,
    /// Words to find it by.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The sector or theme, if named.
    #[serde(default)]
    pub theme: Option<String>,
    /// Its version; 0 where the peer did not say.
    #[serde(default)]
    pub version: u32,
    /// How restricted it is, 0 to 9, where the peer said.
    #[serde(default)]
    pub classification: Option<u8>,
    /// How it is shared, where the peer said.
    #[serde(default)]
    pub sharing: Option<SharingKind>,
    /// Purposes it is meant for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Its columns, where the peer shows them.
    #[serde(default)]
    pub columns: Vec<EntryColumn>,
    /// When this was fetched from the peer (or read from our own record), Unix seconds.
    pub fetched_at: i64,
}

impl CatalogEntry {
    /// How old this is, in seconds: how long the peer has not been asked, or not been reached. Never negative.
    #[must_use]
    pub fn age_s(&self, now: i64) -> u64 {
        u64::try_from(now.saturating_sub(self.fetched_at)).unwrap_or(0)
    }

    /// Holds a peer's entry against the limits, so that one peer cannot fill our memory or a clerk's screen.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] with what is too long or missing.
    pub fn check(&self) -> Result<(), CatalogError> {
        let mut problems = Vec::new();
        let mut must = |holds: bool, path: &str, what: String| {
            if !holds {
                problems.push(Problem::new(path, what));
            }
        };
        for (path, id) in [("participant", &self.participant), ("dataset", &self.dataset)] {
            let (len, max) = (id.len(), limits::REFERENCE_BYTES_MAX);
            must((1..=max).contains(&len), path, format!("{len} bytes; 1 to {max} are allowed"));
        }
        for (path, text, max) in [
            ("title", &self.title, limits::TITLE_CHARS_MAX),
            ("description", &self.description, limits::DESCRIPTION_CHARS_MAX),
        ] {
            let len = text.vi.chars().count().max(text.en.chars().count());
            must(len <= max, path, format!("{len} characters; at most {max} are allowed"));
        }
        for (path, list) in [("keywords", &self.keywords), ("purposes", &self.purposes)] {
            let fits = list.len() <= limits::WORDS_MAX
                && list.iter().all(|w| w.chars().count() <= limits::WORD_CHARS_MAX);
            must(fits, path, "too many words, or too long ones".to_owned());
        }
        let theme = self.theme.as_ref().map_or(0, String::len);
        must(theme <= limits::REFERENCE_BYTES_MAX, "theme", "it is too long".to_owned());
        let columns = self.columns.len() <= limits::COLUMNS_MAX && self.columns.iter().all(EntryColumn::fits);
        must(columns, "columns", "too many columns, or too long texts in them".to_owned());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(CatalogError::Invalid { of: "catalog entry", problems })
        }
    }
}

impl EntryColumn {
    fn fits(&self) -> bool {
        let text = self.description.vi.chars().count().max(self.description.en.chars().count());
        self.name.len() <= limits::COLUMN_NAME_BYTES_MAX && text <= limits::DESCRIPTION_CHARS_MAX
    }
}

impl From<&DatasetRecord> for CatalogEntry {
    /// What our own catalog shows of a dataset: no source, no tags, no marks of columns.
    fn from(record: &DatasetRecord) -> Self {
        let column = |c: &crate::Column| EntryColumn {
            name: c.name.clone(),
            kind: Some(c.kind),
            description: c.description.clone(),
        };
        CatalogEntry {
            participant: record.publisher.clone(),
            dataset: record.id.to_string(),
            title: record.title.clone(),
            description: record.description.clone(),
            keywords: record.keywords.clone(),
            theme: record.theme.clone(),
            version: record.version,
            classification: Some(record.classification.get()),
            sharing: Some(record.kind),
            purposes: record.purposes.clone(),
            columns: record.columns.iter().map(column).collect(),
            fetched_at: record.modified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_entry_may_say_more_but_not_too_much() {
        let json =
            r#"{"participant":"urn:a","dataset":"urn:a/x","title":{"vi":"X"},"fetched_at":100,"later":1}"#;
        let mut entry: CatalogEntry = serde_json::from_str(json).unwrap();
        entry.check().unwrap();
        assert_eq!((entry.age_s(160), entry.age_s(50)), (60, 0));
        entry.keywords = vec!["k".to_owned(); limits::WORDS_MAX + 1];
        entry.title.en = "x".repeat(limits::TITLE_CHARS_MAX + 1);
        entry.dataset = String::new();
        let error = entry.check().unwrap_err();
        let paths: Vec<_> = error.problems().iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["dataset", "title", "keywords"]);
    }
}
