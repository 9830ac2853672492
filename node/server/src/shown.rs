//! What a caller may see of this node's datasets: the one place from which every rendition takes them.
//!
//! **What it is.** For each published dataset the gate is asked whether the caller may *discover* it, whether it may see
//! the *metadata* (names of columns, counts, samples), and whether it may *query* or *download*. Who may not discover a
//! dataset gets the same answer as for one that does not exist. Who may discover it and nothing else sees a title without
//! an address.
//!
//! **What it is not.** No permit to rows: those are decided when somebody asks for them ([`crate::flow`]).
//!
//! A dataset that cannot be judged is an error of the whole, not a shorter list: those who copy a catalog take what is
//! missing for withdrawn.

use policy::Action;
use serde::Serialize;

use crate::datasets::{self, Dataset};
use crate::error::Result;
use crate::gate::Asked;
use crate::node::Node;
use crate::operation::Operation;
use crate::public::Caller;

/// A dataset with what the caller may know of it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The dataset. Only title, description, keywords, theme and dates are for who may discover it and nothing else.
    pub dataset: Dataset,
    /// Whether it may see names of columns, counts and samples.
    pub columns: bool,
    /// What it may have of the rows.
    pub access: Access,
}

/// What a caller may have of a dataset's rows, as the rules stand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Access {
    /// Answers to queries.
    pub query: bool,
    /// The whole table.
    pub download: bool,
}

impl Access {
    /// Whether it may have anything.
    pub fn any(self) -> bool {
        self.query || self.download
    }
}

impl Shown {
    /// Name of the dataset here.
    pub fn name(&self) -> &str {
        self.dataset.record.id.as_str()
    }
}

/// All datasets that the caller may discover, by name.
///
/// # Errors
/// Any record that cannot be read or judged.
pub fn all(node: &Node, operation: &Operation, caller: &Caller) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for dataset in datasets::all(node)? {
        shown.extend(look(node, operation, caller, dataset)?);
    }
    Ok(shown)
}

/// One dataset; none where there is none, or the caller may not discover it.
pub fn one(node: &Node, operation: &Operation, caller: &Caller, name: &str) -> Result<Option<Shown>> {
    match datasets::find(node, name)? {
        Some(dataset) => look(node, operation, caller, dataset),
        None => Ok(None),
    }
}

fn look(node: &Node, operation: &Operation, caller: &Caller, dataset: Dataset) -> Result<Option<Shown>> {
    if !dataset.is_published() {
        return Ok(None);
    }
    let may = |action: Action| {
        let plain = matches!(action, Action::Discover | Action::Metadata);
        let asked = Asked {
            subject: &caller.subject,
            action,
            dataset: dataset.record.id.as_str(),
            // A catalog is asked without a purpose, as peers ask it; rows are asked for one.
            purpose: caller.purpose.as_deref().filter(|_| !plain),
            basis: caller.basis.as_deref().filter(|_| !plain),
            agreement: None,
            exchange: None,
        };
        let verdict = node.gate.look(node, operation, &asked)?;
        Ok::<_, crate::Error>(verdict.permit().is_ok())
    };
    if !may(Action::Discover)? {
        return Ok(None);
    }
    let access = Access { query: may(Action::Query)?, download: may(Action::Download)? };
    // Who may have rows learns their columns with them.
    let columns = access.any() || may(Action::Metadata)?;
    Ok(Some(Shown { dataset, columns, access }))
}
