//! `tram party …`: who may ask at the public door, and with which keys.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, table, text};
use crate::boot::Doors;
use crate::error::Result;

/// `tram party …`
#[derive(Debug, Subcommand)]
pub enum PartyCommand {
    /// Register somebody who has no node of its own.
    Add {
        /// Its id, an IRI, for example urn:party:vn:bao-ha-noi.
        id: String,
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Country, two letters; this node's when left out.
        #[arg(long, value_name = "CC")]
        country: Option<String>,
        /// A group that rules name as gr:GROUP; repeat for each.
        #[arg(long, value_name = "GROUP")]
        group: Vec<String>,
    },
    /// All parties and what is known of their keys.
    List,
    /// Make a key for one; it is shown this once.
    Key {
        /// Its id.
        id: String,
        /// For which purpose it asks with this key.
        #[arg(long)]
        purpose: Option<String>,
        /// On which legal basis.
        #[arg(long)]
        basis: Option<String>,
        /// For how many days the key is good; 90 when left out.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Take a key back.
    Revoke {
        /// The party's id.
        id: String,
        /// The key's id, as `tram party list` shows it.
        key: String,
    },
    /// Let one ask no more.
    Stop {
        /// Its id.
        id: String,
    },
}

/// Runs one verb.
pub async fn run(dir: &Path, verb: PartyCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: PartyCommand, out: Out) -> Result<()> {
    let at = |id: &str| format!("/v1/parties/{}", segment(id));
    match verb {
        PartyCommand::Add { id, name, country, group } => {
            let new = json!({"id": id, "name": name, "country": country, "groups": group});
            out.result(&client.post("/v1/parties", &new).await?, |told| {
                format!("đã ghi · registered\n{}", one(told))
            });
        }
        PartyCommand::List => {
            out.result(&client.get("/v1/parties").await?, |told| listed(list(told, "parties")));
        }
        PartyCommand::Key { id, purpose, basis, days } => {
            let new = json!({"purpose": purpose, "basis": basis, "days": days});
            out.result(&client.post(&format!("{}/keys", at(&id)), &new).await?, key);
        }
        PartyCommand::Revoke { id, key } => {
            let told = client.delete(&format!("{}/keys/{}", at(&id), segment(&key))).await?;
            out.result(&told, |told| format!("đã thu hồi khóa · the key is good no more\n{}", one(told)));
        }
        PartyCommand::Stop { id } => {
            let told = client.delete(&at(&id)).await?;
            out.result(&told, |told| format!("không được hỏi nữa · may ask no more\n{}", one(told)));
        }
    }
    Ok(())
}

fn key(told: &Value) -> String {
    format!(
        "khóa của {party}, chỉ hiện lần này · the key of {party}, shown this once:\n\n{key}\n\nđến · until {until}",
        party = text(told, "party"),
        key = text(told, "key"),
        until = text(told, "until"),
    )
}

fn one(party: &Value) -> String {
    listed(std::slice::from_ref(party))
}

fn listed(parties: &[Value]) -> String {
    let mut rows = Vec::new();
    for party in parties {
        let active = if party["active"] == true { "có · yes" } else { "không · no" };
        let groups: Vec<&str> =
            party["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let keys = list(party, "keys");
        let good = keys.iter().filter(|key| key["good"] == true);
        let good: Vec<String> = good.map(|key| text(key, "id")).collect();
        rows.push(vec![
            text(party, "id"),
            text(party, "name"),
            groups.join(","),
            active.to_owned(),
            good.join(","),
        ]);
    }
    table(&["mã · id", "tên · name", "nhóm · groups", "được hỏi · may ask", "khóa · keys"], &rows)
}
