//! `tram ledger …`: what this node did. What an auditor does with a ledger is in `audit` beside this file.

use std::path::Path;

use ledger::checkpoint::SignedCheckpoint;
use serde_json::{Value, json};

use super::args::LedgerCommand;
use super::audit;
use super::client::Client;
use super::out::{Out, list, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::{files, ledger_check};

/// Runs one verb. `checkpoint` reads the folder itself, as the auditor's verbs do: what they say does not hang on a node's
/// word.
pub async fn run(dir: &Path, verb: LedgerCommand, out: Out) -> Result<u8> {
    match verb {
        LedgerCommand::Verify(args) => audit::verify(dir, args, out).await,
        LedgerCommand::Checkpoint => {
            let document = checkpoint(dir)?;
            out.result(&document, |d| text(d, "checkpoint"));
            Ok(0)
        }
        LedgerCommand::Archive { before, before_entry, to } => {
            let to = std::path::absolute(&to).map_err(|e| Error::io(&to, e))?;
            let body = json!({"before": before, "before_entry": before_entry, "to": to});
            post(dir, "/v1/ledger/archive", &body, out, archived_text).await
        }
        LedgerCommand::Restore { from } => {
            let from = std::path::absolute(&from).map_err(|e| Error::io(&from, e))?;
            let text = |told: &Value| format!("{} entries are back in the ledger", text(told, "restored"));
            post(dir, "/v1/ledger/restore", &json!({"from": from}), out, text).await
        }
        LedgerCommand::Witnesses => super::witness::show(dir, out).await,
        LedgerCommand::Trust => super::witness::trust(dir, out).await,
        LedgerCommand::Conflict { file, registry } => super::witness::judge(&file, &registry, out),
        LedgerCommand::List { from, limit, reader } => {
            entries(dir, from, limit, &audit::reading::reader(reader.as_deref()), out).await
        }
        LedgerCommand::Query(args) => audit::query(dir, *args, out).await,
        LedgerCommand::Export(args) => audit::export(dir, *args, out).await,
        LedgerCommand::Reconcile(args) => audit::reconcile(args, out).await,
        LedgerCommand::Watch(args) => audit::watch(args, out).await,
    }
}

async fn post(dir: &Path, path: &str, body: &Value, out: Out, text: fn(&Value) -> String) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let answer = client.post(path, body).await;
    client.close().await;
    out.result(&answer?, text);
    Ok(0)
}

fn archived_text(told: &Value) -> String {
    let mut lines = match told["archived"].as_u64() {
        Some(0) | None => vec!["nothing was moved".to_owned()],
        Some(moved) => vec![
            format!("the first {moved} entries are in {}", text(told, "to")),
            "keep that folder: `tram ledger restore --from DIR` brings them back".to_owned(),
        ],
    };
    if told["archived"].as_u64() < told["asked"].as_u64() {
        lines.push(format!(
            "asked for were those before {}: only whole bundles of 256 move, and the newest entries stay as long as the write-ahead log holds them (some 16 MiB)",
            text(told, "asked")
        ));
    }
    if told["freed"] == json!(false) && told["archived"].as_u64() > Some(0) {
        lines.push("their space was not given back: this file system makes no holes".to_owned());
    }
    lines.join("\n")
}

/// The newest signed checkpoint, its signature checked with the keys of the node's own descriptor.
fn checkpoint(dir: &Path) -> Result<Value> {
    let descriptor = ledger_check::descriptor(dir)?;
    let path = dir.join("ledger").join("checkpoint");
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let signed = SignedCheckpoint::open(&bytes, &ledger_check::keys(descriptor.descriptor())?)
        .map_err(|e| Error::Verification(format!("`{}`: {e}", path.display())))?;
    let said = signed.checkpoint();
    Ok(json!({
        "origin": said.origin.as_str(),
        "size": said.size,
        "root": files::hex(&said.root.0),
        "checkpoint": String::from_utf8_lossy(&bytes),
    }))
}

async fn entries(dir: &Path, from: u64, limit: u64, reader: &str, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let answer = client.get_as(&format!("/v1/ledger/entries?from={from}&limit={limit}"), reader).await;
    client.close().await;
    out.result(&answer?, entries_table);
    Ok(0)
}

fn entries_table(answer: &Value) -> String {
    let entries = list(answer, "entries");
    if entries.is_empty() {
        return format!("no entries from there on; the ledger has {}", text(answer, "size"));
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    table(&["entry", "time", "kind", "exchange", "dataset", "consumer", "purpose", "decision"], &rows)
}

pub(super) fn row(entry: &Value) -> Vec<String> {
    let said = &entry["statement"];
    if said.is_null() {
        return vec![text(entry, "index"), "-".to_owned(), text(entry, "unreadable")];
    }
    let decision = match said["reason"].as_str() {
        Some(reason) if said["decision"].is_string() => format!("deny {reason}"),
        Some(reason) => reason.to_owned(),
        None => text(said, "decision"),
    };
    let mut cells = vec![text(entry, "index")];
    cells.extend(
        ["time", "kind", "exchange", "dataset", "consumer", "purpose"].iter().map(|key| text(said, key)),
    );
    cells.push(decision);
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn entries_are_one_row_each_whatever_they_are() {
        let said =
            json!({"kind": "tram/exchange@v1", "exchange": "01J", "decision": "deny", "reason": "NO-RULE"});
        let table = super::entries_table(&json!({"size": 2, "entries": [
            {"index": 0, "statement": said},
            {"index": 1, "unreadable": "not a statement", "bytes": 3},
        ]}));
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("deny NO-RULE") && table.contains("not a statement"));
        assert!(super::entries_table(&json!({"size": 2, "entries": []})).contains("has 2"));
    }
}
