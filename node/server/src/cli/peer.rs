//! `tram peer …` and `tram catalog …`

use std::path::Path;

use serde_json::{Value, json};

use super::args::{CatalogCommand, PeerCommand};
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

/// Runs one verb of `tram catalog`.
pub async fn catalog(dir: &Path, verb: CatalogCommand, out: Out) -> Result<u8> {
    let CatalogCommand::Search { words, participant, cached } = verb;
    let client = Client::connect(dir, Doors::Closed).await?;
    let mut path = format!("/v1/catalog?refresh={}&q={}", !cached, segment(&words.join(" ")));
    if let Some(participant) = participant {
        path.push_str(&format!("&participant={}", segment(&participant)));
    }
    let answer = client.get(&path).await;
    client.close().await;
    let answer = answer?;
    out.result(&answer, |a| entries_table(list(a, "entries")));
    for peer in list(&answer, "unreached") {
        say(&format!(
            "{} could not be asked ({}); what it showed before is listed",
            text(peer, "id"),
            text(peer, "why")
        ));
    }
    Ok(0)
}

fn entries_table(entries: &[Value]) -> String {
    if entries.is_empty() {
        return "nothing found".to_owned();
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            vec![
                format!("{}/{}", text(e, "participant"), text(e, "dataset")),
                text(e, "version"),
                text(&e["title"], "vi"),
                text(e, "seen"),
            ]
        })
        .collect();
    table(&["dataset", "version", "title", "seen"], &rows)
}
