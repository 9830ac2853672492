//! Brings a subscription's copy up by what an exchange brought: the whole takes its place, changes are applied to it. Done
//! again after a kill it finds it done.

use std::path::{Path, PathBuf};

use exchange::manifest::{CopyKind, CopyRef};

use super::{Held, Subscription, copy_path};
use crate::error::{Error, Result};
use crate::files;
use crate::flow::consumer::received_file;
use crate::node::Node;
use crate::records::Exchange;

/// The copy after a completed exchange.
///
/// # Errors
/// [`Error::Verification`] when the copy here is not the one that the changes are of.
pub async fn bring_up(node: &Node, subscription: &Subscription, exchange: &Exchange) -> Result<Held> {
    let told = exchange.copy.clone().ok_or_else(|| {
        Error::Verification("the provider said nothing of a copy; the whole is asked for next".to_owned())
    })?;
    let (copy, received) = (copy_path(node, &subscription.name), received_file(node, &exchange.id));
    let work = {
        let (told, before) = (told.clone(), subscription.copy.clone());
        move || apply(&copy, &received, &told, before.as_ref().map(|before| before.sha256.as_str()))
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
    Ok(Held {
        exchange: exchange.id.clone(),
        sha256: told.sha256.to_string(),
        rows: told.rows,
        at: node.clock.now(),
    })
}

/// Puts the copy that `told` describes into the place of `copy`, from the rows that were received. Whoever has the old file
/// open reads it to its end; the name is at each moment of a whole copy. `before`: SHA-256 of the copy that is expected
/// there, where that is known.
///
/// # Errors
/// [`Error::Verification`] when copy and changes do not belong together; the copy is then as it was.
pub fn apply(copy: &Path, received: &Path, told: &CopyRef, before: Option<&str>) -> Result<()> {
    let wanted = told.sha256.to_string();
    if copy.exists() && files::sha256_of(copy)? == wanted {
        return Ok(());
    }
    let part = beside(copy);
    let made = match told.kind {
        CopyKind::Whole => std::fs::copy(received, &part)
            .and_then(|_| std::fs::File::open(&part)?.sync_all())
            .map_err(|e| Error::io(&part, e))
            .and_then(|()| files::sha256_of(&part)),
        CopyKind::Changes | CopyKind::Append if !copy.exists() => {
            return Err(not_ours(copy, "it is not there"));
        }
        CopyKind::Changes | CopyKind::Append => joined(copy, received, told, &part)
            .map_err(|error| match error {
                dataplane::DataError::Io { .. } => Error::internal(error),
                dataplane::DataError::Spool(why) => not_ours(copy, &why),
                other => not_ours(copy, &other.to_string()),
            })
            .and_then(|(read, written)| match before.is_none_or(|before| before == read) {
                true => Ok(written),
                false => Err(not_ours(copy, "it was changed here")),
            }),
    };
    let placed = made.and_then(|found| match found == wanted {
        true => place(&part, copy),
        false => Err(not_ours(copy, "what comes of it has another digest than the provider signed")),
    });
    if placed.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    placed
}

/// Writes to `part` what copy and received rows make together; gives the SHA-256 of the copy that was read and of the result.
fn joined(
    copy: &Path,
    received: &Path,
    told: &CopyRef,
    part: &Path,
) -> std::result::Result<(String, String), dataplane::DataError> {
    if told.kind == CopyKind::Append {
        let (read, written) = dataplane::changes::grow::append(copy, received, part)?;
        return Ok((read.to_string(), written.to_string()));
    }
    let (read, written) = dataplane::changes::apply(copy, received, &told.key, part)?;
    Ok((read.sha256.to_string(), written.sha256.to_string()))
}

fn place(part: &Path, copy: &Path) -> Result<()> {
    std::fs::rename(part, copy).map_err(|e| Error::io(copy, e))?;
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, e))
}

pub(super) fn beside(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn not_ours(copy: &Path, why: &str) -> Error {
    Error::Verification(format!(
        "phần thay đổi không phải của bản sao `{0}`; lấy toàn bộ (--since none) · the changes are not of the copy `{0}`: {why}; get the whole (--since none)",
        copy.display()
    ))
}
