//! What changed between two versions as Parquet files: the views of both that are permitted now, and the difference of
//! these. Nothing of either version that the views do not show goes into it.

use std::path::Path;

use dataplane::changes::{self, FEED};
use dataplane::{
    Column, ColumnKind, Format, Job, PartLimits, PartsSummary, Query, Restriction, Schema, Source,
};

use crate::error::{Error, Result};
use crate::files;
use crate::flow::copies::key;
use crate::flow::job::{broken, job};
use crate::gate::Permit;
use crate::node::Node;
use crate::query::QueryDoc;
use crate::records::Exchange;
use crate::versions::Version;

/// Writes the files of the change from one version to another into `folder`.
///
/// # Errors
/// [`Error::Conflict`] where the two have different columns.
pub(super) async fn write(
    (node, now): (&Node, i64),
    (exchange, permit, query): (&Exchange, &Permit, &QueryDoc),
    (from, to): (&(Version, i64), &Version),
    (folder, parts): (&Path, PartLimits),
) -> Result<PartsSummary> {
    let (old, at) = from;
    for version in [old, to] {
        crate::datasets::unchanged(&version.dataset)?;
    }
    let (was, before) = job(node, *at, exchange, permit, &old.dataset, query)?;
    let (is, columns) = job(node, now, exchange, permit, &to.dataset, query)?;
    if before != columns {
        return Err(Error::conflict(format!(
            "versions {} and {} of this table have different columns; read the table",
            old.number, to.number
        )));
    }
    let (schema, limits) = (is.schema.clone(), is.limits.clone());
    let shown = dataplane::output_schema(&schema, &is.restriction, &is.query).map_err(broken)?;
    let key = key(permit, query, &to.dataset, &columns);
    let work = folder.join("work");
    files::make_private_dir(&work)?;
    let (was_at, is_at, told) = (work.join("was"), work.join("is"), work.join("told"));
    changes::ordered(was, &key, &was_at).await.map_err(broken)?;
    changes::ordered(is, &key, &is_at).await.map_err(broken)?;
    let target = told.clone();
    let difference = move || changes::feed(&was_at, &is_at, &key, &target);
    tokio::task::spawn_blocking(difference).await.map_err(Error::internal)?.map_err(broken)?;
    let answer = dataplane::run(Job {
        source: Source { path: told, format: Format::Csv { delimiter: ',', null_text: None } },
        schema: with_change(&shown)?,
        // Both views were restricted; this only writes their difference in another form.
        restriction: Restriction::default(),
        query: Query::default(),
        format: dataplane::OutputFormat::Parquet,
        limits,
        correlation: exchange.id.clone(),
    });
    let written =
        dataplane::write_parts(answer.await.map_err(broken)?, folder, parts).await.map_err(broken)?;
    files::remove_folder(&work)?;
    Ok(written)
}

fn with_change(shown: &Schema) -> Result<Schema> {
    let columns = shown.columns().iter().map(|column| Column::new(&column.name, column.kind, true));
    let change = Column::new(FEED, ColumnKind::String, false);
    Schema::new(columns.chain([change]).collect())
        .map_err(|e| Error::conflict(format!("no changes are told: {e}")))
}
