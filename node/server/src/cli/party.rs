//! `tram party …`: who may ask at the public door, and with which keys.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::files;

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
        /// Write it into a profile file for clients of Delta Sharing, readable by its owner alone, and show it nowhere.
        #[arg(long, value_name = "FILE")]
        delta: Option<PathBuf>,
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
        PartyCommand::Key { id, purpose, basis, days, delta } => {
            if let Some(path) = delta.as_deref().filter(|path| path.exists()) {
                let why = format!("`{}` is there already; give another name, or move it", path.display());
                return Err(Error::usage(why));
            }
            let new = json!({"purpose": purpose, "basis": basis, "days": days});
            let told = client.post(&format!("{}/keys", at(&id)), &new).await?;
            match delta {
                None => out.result(&told, key),
                Some(path) => out.result(&profile(told, &path)?, |told| {
                    format!(
                        "hồ sơ cho Delta Sharing, có khóa ở trong · a profile for Delta Sharing, with the key in it: {}\nđến · until {}",
                        text(told, "profile"),
                        text(told, "until"),
                    )
                }),
            }
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

/// Writes the file that a client of Delta Sharing reads; what is told of the key afterwards is without it.
fn profile(mut told: Value, path: &Path) -> Result<Value> {
    let Some(door) = told["endpoint"].as_str() else {
        return Err(Error::conflict(format!(
            "this node has no public door, so no client could ask; take the key `{}` back and write [public] into tram.toml",
            text(&told, "id")
        )));
    };
    let endpoint = format!("{door}{}", crate::public::delta::BASE);
    let profile = ::delta::Profile::new(&endpoint, text(&told, "key"), Some(text(&told, "until")));
    let bytes = serde_json::to_vec_pretty(&profile).map_err(Error::internal)?;
    files::write_atomic(path, &bytes)?;
    if let Some(told) = told.as_object_mut() {
        told.remove("key");
        told.insert("profile".to_owned(), path.display().to_string().into());
    }
    Ok(told)
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
