//! A page of a peer's catalog as entries of ours.

use catalog::{CatalogEntry, ColumnKind, EntryColumn, SharingKind, Text};
use exchange::dsp::{Catalog, Dataset, DatasetDescription, LangText};

use crate::error::{Error, Result};

/// The datasets of a page as entries. A catalog in another's name is refused.
pub(super) fn read(page: &Catalog, participant: &str, now: i64) -> Result<Vec<CatalogEntry>> {
    if page.participant_id.as_str() != participant {
        return Err(Error::Peer(format!(
            "{participant} answered with the catalog of `{}`",
            page.participant_id
        )));
    }
    let entries = page.content.datasets.iter().map(|dataset| entry(dataset, participant, now));
    let (good, bad): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.check().is_ok());
    if !bad.is_empty() {
        tracing::warn!(%participant, left_out = bad.len(), "datasets of a peer's catalog break the limits");
    }
    Ok(good)
}

/// The peer's own name of a dataset.
pub(super) fn name<'d>(id: &'d str, participant: &str) -> &'d str {
    id.strip_prefix(participant).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id)
}

fn entry(dataset: &Dataset, participant: &str, now: i64) -> CatalogEntry {
    let said = DatasetDescription::from_extra(&dataset.extra);
    let name = name(dataset.id.as_str(), participant);
    let mut title = text(said.title);
    if title.vi.is_empty() && title.en.is_empty() {
        title.vi = name.to_owned();
    }
    let column = |c: exchange::manifest::Column| EntryColumn {
        name: c.name,
        kind: Some(kind(c.kind)),
        description: Text::default(),
    };
    CatalogEntry {
        participant: participant.to_owned(),
        dataset: name.to_owned(),
        title,
        description: text(said.description),
        keywords: said.keywords,
        theme: said.theme,
        version: said.version.unwrap_or(0),
        classification: said.classification,
        sharing: said.sharing.as_deref().and_then(SharingKind::named),
        purposes: said.purposes,
        columns: said.columns.into_iter().map(column).collect(),
        fetched_at: now,
    }
}

fn text(text: LangText) -> Text {
    Text { vi: text.vi, en: text.en }
}

fn kind(kind: exchange::manifest::ColumnKind) -> ColumnKind {
    use exchange::manifest::ColumnKind as Wire;
    match kind {
        Wire::String => ColumnKind::String,
        Wire::Integer => ColumnKind::Integer,
        Wire::Number => ColumnKind::Number,
        Wire::Boolean => ColumnKind::Boolean,
        Wire::Date => ColumnKind::Date,
        Wire::Timestamp => ColumnKind::Timestamp,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use exchange::Id;
    use exchange::dsp::{Address, CatalogContent, DataService, Distribution, NonEmpty, Offer};
    use exchange::terms::Terms;

    use super::*;

    pub(in crate::crawl) const PEER: &str = "urn:agency:vn:env";

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    pub(in crate::crawl) fn dataset(name: &str, description: &DatasetDescription) -> Dataset {
        let service = DataService::new(id("urn:s"), Address::new("https://127.0.0.1:1/dsp/2025-1").unwrap());
        Dataset {
            id: id(name),
            offers: NonEmpty::one(Offer { id: id("urn:o"), rules: Terms::default().to_rules().unwrap() }),
            distributions: NonEmpty::one(Distribution::new(id("HttpData-PULL"), service)),
            extra: description.to_extra().unwrap(),
        }
    }

    pub(in crate::crawl) fn page(datasets: Vec<Dataset>) -> Catalog {
        let content = CatalogContent { datasets, ..CatalogContent::empty(id("urn:c")) };
        Catalog { participant_id: id(PEER), content }
    }

    #[test]
    fn a_page_becomes_entries_under_the_peers_own_names() {
        let said = DatasetDescription {
            title: LangText { vi: "Chất lượng không khí".into(), en: "Air quality".into() },
            version: Some(3),
            theme: Some("Môi trường".into()),
            sharing: Some("open".into()),
            columns: vec![exchange::manifest::Column {
                name: "pm25".into(),
                kind: exchange::manifest::ColumnKind::Number,
            }],
            ..DatasetDescription::default()
        };
        let bare = DatasetDescription { sharing: Some("as we like".into()), ..DatasetDescription::default() };
        let page =
            page(vec![dataset(&format!("{PEER}/air-hourly"), &said), dataset("urn:other:thing", &bare)]);
        let entries = read(&page, PEER, 100).unwrap();
        assert_eq!(
            (entries[0].dataset.as_str(), entries[0].version, entries[0].fetched_at),
            ("air-hourly", 3, 100)
        );
        assert_eq!(entries[0].columns[0].kind, Some(ColumnKind::Number));
        assert_eq!(
            (entries[0].theme.as_deref(), entries[0].sharing),
            (Some("Môi trường"), Some(SharingKind::Open))
        );
        assert_eq!(
            (entries[1].dataset.as_str(), entries[1].title.vi.as_str(), entries[1].sharing),
            ("urn:other:thing", "urn:other:thing", None)
        );
    }

    #[test]
    fn a_catalog_in_anothers_name_and_a_dataset_over_the_limits_are_not_taken() {
        let long = DatasetDescription {
            title: LangText { vi: "x".repeat(catalog::limits::TITLE_CHARS_MAX + 1), en: String::new() },
            ..DatasetDescription::default()
        };
        let page = page(vec![
            dataset(&format!("{PEER}/a"), &long),
            dataset(&format!("{PEER}/b"), &DatasetDescription::default()),
        ]);
        let entries = read(&page, PEER, 100).unwrap();
        assert_eq!(entries.iter().map(|e| e.dataset.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(matches!(read(&page, "urn:agency:vn:x", 100), Err(Error::Peer(_))));
    }
}
