//! Versions of a table, and which of them a caller was given.
//!
//! **The rule.** A feed of changes tells what changed between the rows that this caller was given and those that it may have
//! now, and nothing else: what was there before it came, and what came and went between two of its visits, is not told. So a
//! feed is the caller's own, and begins with the first version that it was given. A version counts as given under the
//! obligations of then alone: under others its rows were other rows.

use policy::Obligations;

use super::answer::Answer;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::public::Caller;
use crate::query::QueryDoc;
use crate::releases::Release;
use crate::versions::bases::{self, Base};
use crate::versions::{self, Version};

/// The present version of a table.
#[derive(Debug, Clone)]
pub struct Present {
    /// Its number: of the kept version, or, where none are kept, the second in which the rows changed last.
    pub number: u64,
    /// Since when, Unix seconds.
    pub at: i64,
    /// The version, where it is kept.
    pub kept: Option<Version>,
}

/// The present version of a dataset.
pub async fn present(node: &Node, dataset: &Dataset, now: i64) -> Result<Present> {
    if let Some(version) = versions::keep(node, dataset).await? {
        return Ok(Present { number: version.number, at: version.kept, kept: Some(version) });
    }
    const NANOSECONDS: u64 = 1_000_000_000;
    let changed = dataset.report.as_ref().map(|report| report.changed_ns / NANOSECONDS);
    // Rows that are read where they live may be others at each question.
    let live = crate::sources::live::described(node, dataset)?.is_some();
    let at = changed.and_then(|at| i64::try_from(at).ok()).filter(|_| !live).unwrap_or(now);
    Ok(Present { number: at.unsigned_abs(), at, kept: None })
}

/// Digest of what decides which rows and columns a caller is shown, apart from the rows.
pub fn shape(
    obligations: &Obligations,
    caller: &Caller,
    dataset: &Dataset,
    query: &QueryDoc,
) -> Result<String> {
    bases::shape(obligations, query, dataset, ("", caller.purpose.as_deref()))
}

/// Name under which it is kept that a version was given to a caller; beside the copies of peers, whose names are ids.
fn name(caller: &Caller, version: u64) -> String {
    format!(
        "delta:{}:{version}",
        files::hex(&<sha2::Sha256 as sha2::Digest>::digest(caller.subject.as_bytes()))
    )
}

/// Keeps that a version was given, and with it the version's rows for as long as subscribers' are kept. Nothing is kept of
/// the public: nobody can say which of all was there.
pub async fn given(
    node: &Node,
    caller: &Caller,
    release: &Release,
    (version, shape): (&Version, String),
    now: i64,
) -> Result<()> {
    if caller.is_public() {
        return Ok(());
    }
    let base = Base {
        peer: caller.subject.clone(),
        exchange: name(caller, version.number),
        from: None,
        version: Some(version.number),
        bytes: 0,
        rows: 0,
        shape,
        sha256: release.id.clone(),
        at: now,
    };
    bases::put(node, &release.dataset, &base).await
}

/// A version that a caller was given, and as of when its rows were made.
#[derive(Debug, Clone)]
pub struct Given {
    /// The version.
    pub version: Version,
    /// Unix seconds.
    pub at: i64,
}

/// What a caller was given under these obligations and is still kept, the oldest first, and the present version at the end.
pub fn history(
    node: &Node,
    caller: &Caller,
    (present, now): (Version, i64),
    shape: &str,
) -> Answer<Vec<Given>> {
    let dataset = present.dataset.record.id.as_str();
    let kept = versions::all(node, dataset)?;
    let mine = bases::all(node, dataset)?;
    let mut history: Vec<Given> = mine
        .iter()
        .filter(|base| base.peer == caller.subject && base.shape == shape)
        .filter(|base| base.version.is_some_and(|n| base.exchange == name(caller, n)))
        .filter_map(|base| {
            let version = kept.iter().find(|version| Some(version.number) == base.version)?;
            let before = version.number < present.number;
            (before && crate::datasets::unchanged(&version.dataset).is_ok())
                .then(|| Given { version: version.clone(), at: base.at })
        })
        .collect();
    history.sort_by_key(|given| given.version.number);
    history.push(Given { version: present, at: now });
    Ok(history)
}

/// Why a dataset has no versions to tell changes between.
pub fn none_kept(name: &str) -> Error {
    Error::conflict(format!(
        "no versions of `{name}` are kept (it is read where it lives), so no changes can be told; read the table"
    ))
}
