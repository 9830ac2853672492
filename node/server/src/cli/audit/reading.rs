//! Reads by the command line are entries of the ledger that is read, before anything of it is shown.

use std::path::Path;

use serde_json::json;

use super::super::client::Client;
use super::super::out::say;
use crate::audit::place::Place;
use crate::boot::Doors;
use crate::error::{Error, Result};

/// A read that is about to happen.
#[derive(Debug, Clone)]
pub struct Read {
    /// `query`, `reconcile`, `watch`.
    pub act: &'static str,
    /// Who reads; without, the user of this machine.
    pub reader: Option<String>,
    /// Whether the node's folder was not named as a place: it is then this node's own, and opened if it does not run.
    pub own: bool,
}

/// Who reads when nobody says so.
pub fn reader(given: Option<&str>) -> String {
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    given.map(str::to_owned).or_else(user).unwrap_or_else(|| "local".to_owned())
}

impl Read {
    /// Records that entries `from..to` are read. An error says that nothing may be shown.
    ///
    /// A mirror, an address and a bundle are out of reach, and so is a named folder whose node does not run: it is taken
    /// for a copy, and a second node that wrote to a copy would fork the log. A folder that cannot be written to is one,
    /// too, and that is said.
    pub async fn record(&self, place: &Place, from: u64, to: u64) -> Result<()> {
        let Place::Node(dir) = place else { return Ok(()) };
        match Client::running(dir).await {
            Some(client) => self.tell(Ok(client), from, to).await,
            None if !self.own => Ok(()),
            None if is_read_only(dir) => {
                say(&format!(
                    "tram: `{0}`: thư mục chỉ đọc, lượt đọc này không được ghi vào sổ / the folder is read-only, so this read is not \
                     recorded in its ledger",
                    dir.display()
                ));
                Ok(())
            }
            None => self.tell(Client::connect(dir, Doors::Closed).await, from, to).await,
        }
    }

    async fn tell(&self, client: Result<Client>, from: u64, to: u64) -> Result<()> {
        let told = json!({"reader": reader(self.reader.as_deref()), "action": self.act, "purpose": null,
            "from": from.min(to), "to": to, "opened": 0});
        let done = match client {
            Ok(client) => {
                let done = client.post("/v1/ledger/reads", &told).await;
                client.close().await;
                done
            }
            Err(error) => Err(error),
        };
        done.map(|_| ()).map_err(|error| {
            Error::Unavailable(format!(
                "lượt đọc này không ghi được vào sổ nên không có gì được đưa ra / this read cannot be recorded in the ledger, so \
                 nothing is shown: {error}; to look into a node that is broken, copy its folder and name the copy"
            ))
        })
    }
}

/// Whether this process may not write there: a medium for reading, or somebody else's folder.
fn is_read_only(dir: &Path) -> bool {
    // A file without a name, which leaves nothing behind.
    tempfile::tempfile_in(dir.join("ledger")).is_err_and(|error| denies_writing(error.kind()))
}

fn denies_writing(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    #[test]
    fn a_folder_is_read_only_when_writing_is_denied_and_not_when_it_fails() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ledger")).unwrap();
        assert!(!super::is_read_only(dir.path()));
        assert!(std::fs::read_dir(dir.path().join("ledger")).unwrap().next().is_none());
        for (kind, denied) in [
            (ErrorKind::PermissionDenied, true),
            (ErrorKind::ReadOnlyFilesystem, true),
            (ErrorKind::StorageFull, false),
            (ErrorKind::NotFound, false),
        ] {
            assert_eq!(super::denies_writing(kind), denied, "{kind}");
        }
    }
}
