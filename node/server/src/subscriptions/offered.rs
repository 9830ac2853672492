//! Whether a new subscription can bring anything: the peer is asked for the dataset before the wish is kept.
//!
//! **What it is not.** No decision: what may be had is decided at each exchange. A peer that cannot be reached now is no
//! reason to refuse; the first exchange waits for it, and what it says is shown with the subscription.

use std::time::Duration;

use exchange::dsp::DatasetDescription;

use super::New;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::query::QueryDoc;

/// How long a person waits for the peer's word; a slow line is no reason to refuse.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the peer.
///
/// # Errors
/// [`Error::NotFound`] for a dataset that is not offered; [`Error::Usage`] for columns that it does not have.
pub(super) async fn check(node: &Node, new: &New) -> Result<()> {
    let route = node.peers.route(&new.participant)?;
    let asked = tokio::time::timeout(PATIENCE, node.outbound.dataset(node, &route, &new.dataset)).await;
    let dataset = match asked {
        Ok(Ok(dataset)) => dataset,
        Ok(Err(error @ (Error::NotFound(_) | Error::Refused(_)))) => return Err(error),
        Ok(Err(error)) => {
            tracing::info!(peer = new.participant, %error, "a subscription begins without a look at the catalog");
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    let columns: Vec<String> = DatasetDescription::from_extra(&dataset.extra)
        .columns
        .into_iter()
        .map(|column| column.name)
        .collect();
    // A peer need not say which columns there are.
    if columns.is_empty() {
        return Ok(());
    }
    let query = QueryDoc::from_wire(Some(&new.ask.query)).map_err(Error::Usage)?;
    let named = query.columns.iter().chain(query.filter.iter().map(|condition| &condition.column));
    match named.into_iter().find(|name| !columns.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!(
            "không có cột `{name}` trong {0}/{1}; các cột được xem: {2} · `{0}/{1}` shows no column `{name}`; it shows {2}",
            new.participant,
            new.dataset,
            columns.join(", ")
        ))),
    }
}
