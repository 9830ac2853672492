//! `GET …/tables/{table}/changes`: the change data feed of a caller, from the versions that it was given.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use delta::ask::{ChangesParameters, End};
use delta::{Change, Lines};

use super::answer::{Answer, Asker, Parameters, Reads, lines};
use super::names::Named;
use super::versions::{self, Given};
use super::{rows, versions::none_kept};
use crate::error::{Error, Result};
use crate::flow::direct;
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::releases::What;

/// Answers the question.
pub async fn changes(
    State(node): State<Arc<Node>>,
    Asker(caller): Asker,
    Reads(capabilities): Reads,
    Path(named): Path<Named>,
    Parameters(asked): Parameters<ChangesParameters>,
) -> Answer<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let shown = named.table(&node, &operation, &caller)?;
    let permit = rows::permitted(&node, &operation, &caller, &shown)?;
    let asked = asked.read()?;
    if caller.is_public() {
        return Err(Error::conflict("changes are told to those who have a key; read the table").into());
    }
    can(&permit)?;
    let present = versions::present(&node, &shown.dataset, operation.now).await?;
    let newest = present.kept.clone().ok_or_else(|| none_kept(shown.name()))?;
    let doc = rows::question(&shown);
    let shape = versions::shape(permit.obligations(), &caller, &shown.dataset, &doc)?;
    let history = versions::history(&node, &caller, (newest.clone(), operation.now), &shape)?;
    let (from, to) = span(&history, asked.from, asked.to)?;
    let mut told = rows::told(&node, &operation, &caller, &shown, &present)?;
    told.version = Some(from);
    let form = rows::form(capabilities, &told)?;
    let mut out = Lines::new(form, &told);
    for (change, what, given) in steps(&history, from, to) {
        let release =
            direct::release_of(&node, &operation, &caller, shown.name(), doc.clone(), &what).await?;
        let version = Some((given.version.number, given.version.kept));
        for file in rows::files(&node, &operation, &release, version)? {
            out.change(change, &file);
        }
        if given.version.number == newest.number {
            versions::given(&node, &caller, &release, (&newest, shape.clone()), operation.now).await?;
        }
    }
    rows::same(&node, &shown, &present, operation.now).await?;
    Ok(lines(out, form, from))
}

/// Whether changes can be told of rows under this permit: not where an answer is cut, marked or made of groups, and not where
/// the clock alone shows more of them.
pub fn can(permit: &Permit) -> Result<()> {
    let why = crate::flow::copies::unlike(permit, &[]);
    if why.is_none() && permit.obligations().delay_hours.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(
        "no changes are told of rows that the rules limit, delay, mark or give as figures only; read the table",
    ))
}

/// First and last version of the answer.
fn span(history: &[Given], from: End, to: Option<End>) -> Answer<(u64, u64)> {
    let number = |given: &Given| given.version.number;
    let (first, last) = (history.first().map_or(0, number), history.last().map_or(0, number));
    let at = |given: &Given| given.version.kept.saturating_mul(1000);
    let later = || Error::usage(format!("there is no version as new as that; the present one is {last}"));
    let from = match from {
        End::Version(n) if n > last => return Err(later().into()),
        // The very beginning: whatever the caller was given first.
        End::Version(n) if n <= 1 => n,
        End::Version(n) if n < first => return Err(gone(n, first)),
        End::Version(n) => n,
        End::At(time) => history.iter().find(|given| at(given) >= time).map(number).ok_or_else(later)?,
    };
    let to = match to {
        None => last,
        Some(End::Version(n)) if n > last => return Err(later().into()),
        Some(End::Version(n)) => n,
        Some(End::At(time)) => history.iter().rfind(|given| at(given) <= time).map_or(0, number),
    };
    if to < from {
        return Err(Error::usage(format!("the end, version {to}, is before the beginning, {from}")).into());
    }
    Ok((from, to))
}

fn gone(asked: u64, first: u64) -> super::answer::Failure {
    Error::usage(format!(
        "changes from version {asked} on cannot be told to you: the version before it was not given to you under the \
         present rules, or is kept no more; read the table, and follow it from there (your feed begins with version {first})"
    ))
    .into()
}

/// What is told, in order: the first version that was given, as rows that came, and then each against the one before.
fn steps(history: &[Given], from: u64, to: u64) -> Vec<(Change, What, &Given)> {
    let before = std::iter::once(None).chain(history.iter().map(Some));
    let step = |(before, given): (Option<&Given>, &'_ Given)| match before {
        None => (Change::Add, What::Version(Box::new(given.version.clone()))),
        Some(before) => {
            let old = (before.version.clone(), before.at);
            (Change::Cdf, What::Changes { from: Box::new(old), to: Box::new(given.version.clone()) })
        }
    };
    before
        .zip(history)
        .filter(|(_, given)| (from..=to).contains(&given.version.number))
        .map(|(before, given)| {
            let (change, what) = step((before, given));
            (change, what, given)
        })
        .collect()
}
