//! `tram peer …`

use std::path::Path;

use serde_json::{Value, json};

use super::args::PeerCommand;
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::Result;

/// Runs one verb of `tram peer`.
pub async fn run(dir: &Path, verb: PeerCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: PeerCommand, out: Out) -> Result<()> {
    match verb {
        PeerCommand::Invite { group, made_for } => {
            let body = json!({"groups": group, "for": made_for});
            let answer = client.post("/v1/peers/invitations", &body).await?;
            out.result(&answer, |a| text(a, "code"));
            say(&format!(
                "Give this code to the other agency by a channel you trust; it works once, until {}.\nThey run: tram peer accept CODE\nThe node must be running (`tram serve`) when they do. Then compare the six words that both sides see.",
                text(&answer, "expires")
            ));
        }
        PeerCommand::Accept { code, group, made_for } => {
            let body = json!({"code": code, "groups": group, "for": made_for});
            let answer = client.post("/v1/peers", &body).await?;
            out.result(&answer, |a| format!("{}  {}", text(&a["peer"], "id"), text(&a["peer"], "name_vi")));
            say(&format!("Compare these words with the other side: {}", text(&answer["peer"], "words")));
        }
        PeerCommand::List => {
            let answer = client.get("/v1/peers").await?;
            out.result(&answer, |a| peers_table(list(a, "peers")));
        }
        PeerCommand::Revoke { participant } => {
            let answer = client.delete(&format!("/v1/peers/{}", segment(&participant))).await?;
            out.result(&answer, |a| format!("{} is {}", text(&a["peer"], "id"), text(&a["peer"], "status")));
        }
    }
    Ok(())
}

fn peers_table(peers: &[Value]) -> String {
    if peers.is_empty() {
        return "no peers yet; `tram peer invite` on one side, `tram peer accept CODE` on the other"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = peers
        .iter()
        .map(|p| {
            let groups: Vec<&str> = list(p, "groups").iter().filter_map(Value::as_str).collect();
            vec![
                text(p, "id"),
                text(p, "status"),
                text(p, "name_vi"),
                text(p, "endpoint"),
                groups.join(","),
                text(p, "words"),
            ]
        })
        .collect();
    table(&["participant", "status", "name", "endpoint", "groups", "words"], &rows)
}
