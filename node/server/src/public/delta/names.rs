//! Names of the share, the schema and the tables, and what they lead to.

use catalog::DatasetId;
use serde::Deserialize;

use super::answer::{Answer, Failure};
use crate::error::Error;
use crate::node::Node;
use crate::operation::Operation;
use crate::public::Caller;
use crate::shown::{self, Shown};

/// Name of the one schema.
pub const SCHEMA: &str = "datasets";
/// Name of the share of an agency whose id has no word that can be one.
const SHARE: &str = "agency";

/// Name of the one share: the last word of the agency's id, `h26-18` of `urn:agency:vn:h26.18`. Clients write names with
/// points between them, so that none may have one.
pub fn share(node: &Node) -> String {
    let last = node.config.node.id.rsplit(':').next().unwrap_or_default();
    DatasetId::suggest(last).map_or_else(|| SHARE.to_owned(), String::from)
}

/// Which table an address names. Names are compared without case, as the protocol has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    share: String,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    table: Option<String>,
}

impl Named {
    /// Whether share and schema are those that there are.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn here(&self, node: &Node) -> Answer<()> {
        let share = self.share.eq_ignore_ascii_case(&share(node));
        let schema = self.schema.as_ref().is_none_or(|schema| schema.eq_ignore_ascii_case(SCHEMA));
        if share && schema { Ok(()) } else { Err(nothing()) }
    }

    /// The dataset behind the table, as the caller may see it.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the same words for what is not there and what the caller may not discover.
    pub fn table(&self, node: &Node, operation: &Operation, caller: &Caller) -> Answer<Shown> {
        self.here(node)?;
        let name = self.table.as_deref().unwrap_or_default().to_ascii_lowercase();
        // Only what is a name reaches the store.
        let name = name.parse::<DatasetId>().map_err(|_| nothing())?;
        shown::one(node, operation, caller, name.as_str())?.ok_or_else(nothing)
    }
}

/// The one answer for all that is not there.
fn nothing() -> Failure {
    Error::not_found("no such share, schema or table here for you; list the tables to see which there are")
        .into()
}
