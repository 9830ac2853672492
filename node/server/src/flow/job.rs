//! What the engine is asked to do for an exchange: the governed view of the dataset that is served, under a permit and for a
//! query, with the columns of its answer.
//!
//! **What it is not.** Nothing is read here and nothing computed: [`super::produce`] runs the job, and
//! [`crate::releases`] and [`super::copies`] run others of the same make. A question that cannot be answered is refused
//! here, before anything of the dataset is touched.

use dataplane::{DataError, Job};
use exchange::manifest::Column;

use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::Operation;
use crate::query::QueryDoc;
use crate::records::Exchange;
use crate::sources::live;
use crate::versions::contracts;
use crate::{datasets, enforce, kinds, limits};

/// What the engine says, as the consumer may hear it: its texts are made so that they tell nothing of hidden data.
pub(crate) fn broken(error: DataError) -> Error {
    match error {
        // What does not fit between rules and dataset is the provider's affair: its text names columns.
        DataError::Query(_) | DataError::NotVisible { .. } | DataError::Quota { .. } => {
            Error::usage(error.to_string())
        }
        other => Error::internal(other),
    }
}

/// Whether the query can be answered at all under this permit; reads no row.
pub fn check(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    query: &QueryDoc,
) -> Result<()> {
    let served = contracts::served_to(node, exchange)?;
    let dataset = served.dataset;
    datasets::unchanged(&dataset)?;
    if served.number.is_none() && live::described(node, &dataset)?.is_some() {
        no_changes(query)?;
    }
    job(node, operation.now, exchange, permit, &dataset, query).map(|_| ())
}

/// What the engine is to do for an exchange, and the columns of its answer.
pub(crate) fn job(
    node: &Node,
    now: i64,
    exchange: &Exchange,
    permit: &Permit,
    dataset: &datasets::Dataset,
    query: &QueryDoc,
) -> Result<(Job, Vec<Column>)> {
    // Two askers without an agreement get different pseudonyms, as two agreements do.
    let alone =
        || format!("direct/{}/{}", exchange.peer, exchange.ask.purpose.as_deref().unwrap_or_default());
    let agreement = match (&exchange.agreement, &exchange.direct) {
        (None, Some(_)) => alone(),
        (agreement, _) => agreement.clone().unwrap_or_default(),
    };
    let agreement = agreement.as_str();
    let copy = enforce::Copy { exchange: &exchange.id, consumer: &exchange.peer, agreement, now };
    let restriction = enforce::restriction(permit, dataset, &node.secrets(), &copy)?;
    let schema = dataset.schema()?;
    let visible = dataplane::visible_schema(&schema, &restriction).map_err(broken)?;
    let query_doc = enforce::query(query, &visible)?;
    let output = dataplane::output_schema(&schema, &restriction, &query_doc).map_err(broken)?;
    let columns =
        output.columns().iter().map(|c| Column { name: c.name.clone(), kind: kinds::to_manifest(c.kind) });
    let columns = columns.collect();
    let job = Job {
        source: dataset.source(),
        schema,
        restriction,
        query: query_doc,
        format: crate::represent::formats::output(&query.format),
        limits: dataplane::Limits { timeout: limits::VIEW_TIMEOUT, ..dataplane::Limits::default() },
        correlation: exchange.id.clone(),
    };
    Ok((job, columns))
}

/// Noise belongs to a record with all its columns, and an older contract has others: two noises of one cell could be averaged.
pub(crate) fn one_noise(served: &contracts::Served, job: &Job) -> Result<()> {
    let noise = job.restriction.aggregate_only.as_ref().and_then(|only| only.disclosure.noise.as_ref());
    if served.number.is_some() && noise.is_some() {
        return Err(Error::conflict(
            "figures with noise are made of the contract in force alone; agree on it (tram exchange get --renew)",
        ));
    }
    Ok(())
}

/// Changes are told between kept versions, and of a live source none are kept.
pub(super) fn no_changes(query: &QueryDoc) -> Result<()> {
    match query.since {
        Some(_) => Err(Error::usage(
            "this dataset is read from its source at each question and has no versions to tell changes between; \
             ask without `since`, and subscribe to a dataset that is fetched on a schedule",
        )),
        None => Ok(()),
    }
}
