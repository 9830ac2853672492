//! Entity sets: the datasets that a caller may query, with the columns that it would get.

use odata::{Column, ColumnKind, EntitySet, Model};

use super::Call;
use super::reply::Told;
use crate::error::Result;
use crate::flow::direct;
use crate::flow::preview::{self, Preview};
use crate::query::QueryDoc;
use crate::shown::{self, Shown};

/// A set that a request names.
pub struct Found {
    /// Its dataset.
    pub dataset: String,
    /// The set, with its columns.
    pub set: EntitySet,
    /// Whether its rows are groups and figures.
    pub aggregate: bool,
}

/// All sets by name, without columns: for the service document.
pub fn listed(call: &Call<'_>) -> Result<Model> {
    let shown = shown::all(call.node, &call.operation, &call.caller)?;
    let queried = shown.iter().filter(|shown| shown.access.query);
    let sets = queried.map(|shown| EntitySet::new(shown.name(), title(shown), Vec::new())).collect();
    Ok(Model { sets })
}

/// All sets with their columns.
pub fn described(call: &Call<'_>) -> Result<Model> {
    let mut sets = Vec::new();
    for shown in shown::all(call.node, &call.operation, &call.caller)? {
        if shown.access.query
            && let Ok(preview) = preview::columns(call.node, &call.operation, &call.caller, &shown.dataset)?
        {
            sets.push(set(&shown, &preview));
        }
    }
    Ok(Model { sets })
}

/// The set of that name. What is hidden and what is not there are told alike; what may be discovered and not queried is refused
/// with the rules' reason, and the refusal is kept as any other.
pub async fn find(call: &Call<'_>, name: &str) -> std::result::Result<Found, Told> {
    if name.contains('(') {
        return Err(
            odata::Fault::not_implemented("path", "a single row has no address; ask with $filter").into()
        );
    }
    let dataset = odata::dataset_of(name).ok_or_else(Told::no_such)?;
    let shown = shown::one(call.node, &call.operation, &call.caller, &dataset)?.ok_or_else(Told::no_such)?;
    match preview::columns(call.node, &call.operation, &call.caller, &shown.dataset)? {
        Ok(preview) => Ok(Found { dataset, set: set(&shown, &preview), aggregate: preview.aggregate }),
        Err(refusal) if call.head => Err(crate::error::Error::Refused(Box::new(refusal)).into()),
        Err(refusal) => {
            let query =
                QueryDoc { action: "query".to_owned(), format: "ndjson".to_owned(), ..QueryDoc::default() };
            let asked = direct::rows(call.node, &call.operation, &call.caller, &dataset, query).await;
            asked.err().map_or_else(
                || Err(crate::error::Error::Refused(Box::new(refusal)).into()),
                |e| Err(e.into()),
            )
        }
    }
}

fn title(shown: &Shown) -> &str {
    let title = &shown.dataset.record.title;
    if title.vi.is_empty() { &title.en } else { &title.vi }
}

fn set(shown: &Shown, preview: &Preview) -> EntitySet {
    let told = |name: &str| {
        let known = shown.dataset.record.columns.iter().find(|column| column.name == name);
        known.map(|column| {
            if column.description.vi.is_empty() { &column.description.en } else { &column.description.vi }
        })
    };
    let columns = preview.schema.columns().iter().map(|column| Column {
        name: column.name.clone(),
        kind: kind(column.kind),
        nullable: column.nullable,
        description: told(&column.name).cloned().unwrap_or_default(),
    });
    EntitySet::new(shown.name(), title(shown), columns.collect())
}

fn kind(kind: dataplane::ColumnKind) -> ColumnKind {
    match kind {
        dataplane::ColumnKind::String => ColumnKind::Text,
        dataplane::ColumnKind::Integer => ColumnKind::Integer,
        dataplane::ColumnKind::Number => ColumnKind::Number,
        dataplane::ColumnKind::Boolean => ColumnKind::Boolean,
        dataplane::ColumnKind::Date => ColumnKind::Date,
        dataplane::ColumnKind::Timestamp => ColumnKind::Timestamp,
    }
}
