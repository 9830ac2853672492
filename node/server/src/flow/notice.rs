//! Who is to be told of an exchange: the obligation `notify`, and who is asked to approve one; kept as one line each in `notices.ndjson` of the node's
//! folder, durable before the first row leaves. The people of that role, or a program that mails them, read it there.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::json;

use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::{Operation, rfc3339};
use crate::records::Exchange;

/// Writes a line for each role that the permit names.
pub fn tell(node: &Node, operation: &Operation, exchange: &Exchange, permit: &Permit) -> Result<()> {
    permit
        .obligations()
        .notify
        .iter()
        .try_for_each(|role| write(node, operation, exchange, role.as_str(), "notify"))
}

/// Writes one line; `about` says why: `notify`, `approval`.
pub fn write(node: &Node, operation: &Operation, exchange: &Exchange, role: &str, about: &str) -> Result<()> {
    let line = json!({
        "at": rfc3339(operation.now),
        "about": about,
        "role": role,
        "exchange": exchange.id,
        "consumer": exchange.peer,
        "dataset": exchange.dataset,
        "purpose": exchange.ask.purpose,
        "basis": exchange.ask.basis,
    });
    let line = format!("{line}\n");
    let path = node.dir.join("notices.ndjson");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| Error::io(&path, e))
}
