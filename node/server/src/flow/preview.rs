//! Which columns somebody would get, before anything is asked: for metadata that programs read first.
//!
//! The restriction is the same that a question would meet, so a masked column has the kind of its masked values, and an
//! aggregate-only dataset the columns of its groups and figures. Nothing is read and nothing is kept.

use dataplane::Schema;
use policy::Action;

use super::job::broken;
use crate::datasets::Dataset;
use crate::enforce;
use crate::error::{RefusalInfo, Result};
use crate::gate::Asked;
use crate::node::Node;
use crate::operation::Operation;
use crate::public::Caller;

/// What the answer to an empty query would look like.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Its columns.
    pub schema: Schema,
    /// Whether they are groups and figures: then rows are not narrowed by a query, since the figures are of groups that are
    /// fixed.
    pub aggregate: bool,
}

/// The columns of a dataset for who asks to query it, or why there are none.
///
/// # Errors
/// Rules and dataset that do not fit together.
pub fn columns(
    node: &Node,
    operation: &Operation,
    caller: &Caller,
    dataset: &Dataset,
) -> Result<std::result::Result<Preview, RefusalInfo>> {
    let asked = Asked {
        subject: &caller.subject,
        action: Action::Query,
        dataset: dataset.record.id.as_str(),
        purpose: caller.purpose.as_deref(),
        basis: caller.basis.as_deref(),
        agreement: None,
        exchange: None,
    };
    let permit = match node.gate.look(node, operation, &asked)?.permit() {
        Ok(permit) => permit,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let copy = enforce::Copy { exchange: "", consumer: &caller.subject, agreement: "", now: operation.now };
    let restriction = enforce::restriction(&permit, dataset, &node.secrets(), &copy)?;
    let schema = dataplane::output_schema(&dataset.schema()?, &restriction, &dataplane::Query::default());
    let aggregate = restriction.aggregate_only.is_some();
    Ok(Ok(Preview { schema: schema.map_err(broken)?, aggregate }))
}
