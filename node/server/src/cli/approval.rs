//! `tram approval …`: requests that wait for a person.

use std::path::Path;

use serde_json::{Value, json};

use super::args::ApprovalCommand;
use super::client::{Client, segment};
use super::out::{Out, list, table, text};
use crate::boot::Doors;
use crate::error::Result;

/// Runs one verb.
pub async fn run(dir: &Path, verb: ApprovalCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: ApprovalCommand, out: Out) -> Result<()> {
    let (id, tail, body) = match verb {
        ApprovalCommand::List => {
            let answer = client.get("/v1/approvals").await?;
            out.result(&answer, |a| approvals_table(list(a, "approvals")));
            return Ok(());
        }
        ApprovalCommand::Give { approval, role, by, note } => {
            (approval, "", json!({"role": role, "approved": true, "by": by, "note": note}))
        }
        ApprovalCommand::Refuse { approval, role, by, note } => {
            (approval, "", json!({"role": role, "approved": false, "by": by, "note": note}))
        }
        ApprovalCommand::Withdraw { approval, by, note } => {
            (approval, "/withdraw", json!({"by": by, "note": note}))
        }
    };
    let answer = client.post(&format!("/v1/approvals/{}{tail}", segment(&id)), &body).await?;
    out.result(&answer, |a| format!("{} is {}", text(&a["approval"], "id"), text(&a["approval"], "state")));
    Ok(())
}

fn approvals_table(approvals: &[Value]) -> String {
    if approvals.is_empty() {
        return "nothing waits for an approval; rules ask for one with the obligation `approval`".to_owned();
    }
    let row = |a: &Value| {
        let roles: Vec<String> = list(a, "roles")
            .iter()
            .map(|role| {
                let said = match role["approved"].as_bool() {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "?",
                };
                format!("{}: {said}", text(role, "role"))
            })
            .collect();
        let mut row: Vec<String> =
            ["id", "state", "consumer", "dataset", "purpose", "basis"].map(|key| text(a, key)).into();
        row.push(roles.join(", "));
        row.push(text(a, "asked"));
        row
    };
    let rows: Vec<Vec<String>> = approvals.iter().map(row).collect();
    table(&["approval", "state", "consumer", "dataset", "purpose", "basis", "roles", "asked"], &rows)
}
