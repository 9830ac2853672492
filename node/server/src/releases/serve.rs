//! Answers signed addresses. The gate is asked on each of them; nothing is decided once for all.

use axum::http::{HeaderMap, Method};
use axum::response::Response;
use store::Space;

use super::link::{Signed, Signer};
use super::{Release, folder, spool, told};
use crate::error::{Error, Result};
use crate::files;
use crate::flow::produce;
use crate::flow::provider;
use crate::gate::Permit;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange};
use crate::represent::{self, Representation};

/// How the path of every signed address begins, on whichever door.
pub const PATH_BEGIN: &str = "/v1/files/";

/// The signed address of one file of a release, from the root of the door; good for the time that is configured.
///
/// # Errors
/// [`Error::NotFound`] when the release has no such file.
pub fn file(node: &Node, release: &Release, name: &str, now: i64) -> Result<String> {
    part(release, name)?;
    let seconds = node.config.files.link_minutes.saturating_mul(60).min(limits::LINK_SECONDS_MAX);
    Signer::new(&node.mask_secret)?.sign(&path(&release.id, name), &release.decision, now, seconds)
}

/// The path of a file.
pub fn path(id: &str, name: &str) -> String {
    format!("{PATH_BEGIN}{id}/{name}")
}

fn part<'a>(release: &'a Release, name: &str) -> Result<&'a dataplane::Part> {
    let found = release.files.parts.iter().find(|part| part.name == name);
    found.ok_or_else(|| Error::not_found("no such file"))
}

/// The answer to a signed address of the file `name` of the release `id`.
///
/// # Errors
/// [`Error::Unauthenticated`] for an address that is not ours, of nothing that is here, or expired; [`Error::Refused`] when
/// the rules say no by now.
pub async fn serve(
    node: &Node,
    (id, name): (&str, &str),
    signed: &Signed,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    // Who has no good signature does not learn what is here: the same words, after the same work.
    let release = spool::find(node, id, operation.now);
    let bound = release.as_ref().map_or("", |release| release.decision.as_str());
    let checked = Signer::new(&node.mask_secret)?.check(&path(id, name), bound, signed, operation.now);
    let Some(release) = release else {
        return Err(Error::Unauthenticated(
            "this address is not signed by this node; ask for a new one".to_owned(),
        ));
    };
    checked?;
    let permit = ask_again(node, &operation, &release)?;
    let part = part(&release, name)?;
    served(node, &permit, &release, part)?.answer(method, headers).await
}

/// The permit under which the files may be read now: what was decided must still be permitted, and what it demands now must
/// be kept by the rows as they were made.
fn ask_again(node: &Node, operation: &Operation, release: &Release) -> Result<Permit> {
    let gone = || Error::conflict("the exchange of these files is not here any more; ask again");
    let (exchange, _) = records::get::<Exchange>(&node.store, Space::Exchange, release.exchange.as_bytes())?
        .ok_or_else(gone)?;
    let (permit, _) = provider::readable_now(node, operation, &exchange)?.map_err(told)?;
    if !produce::keeps(&release.obligations, &permit) {
        return Err(Error::Refused(Box::new(provider::rules_changed())));
    }
    Ok(permit)
}

fn served(node: &Node, permit: &Permit, release: &Release, part: &dataplane::Part) -> Result<Representation> {
    permit.demand_for(&release.recipient, &release.dataset, &crate::flow::statement::DATA)?;
    let stem = represent::plain_name(&format!("{}-{}", release.dataset, files::hex(&part.sha256.0[..4])));
    Ok(Representation {
        path: folder(node).join(&release.id).join(&part.name),
        bytes: part.bytes,
        sha256: part.sha256.0,
        media_type: dataplane::OutputFormat::Parquet.media_type(),
        file_name: format!("{stem}-{}", part.name),
    })
}
