//! `tram connector …`: parties that speak the Dataspace Protocol with connectors of other makes.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};

/// How a connector shows who it is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Auth {
    /// By a key of the party (`tram party key`); this node shows the token of --token-file.
    Static,
    /// By self-issued tokens of its DID.
    DidWeb,
    /// The same, and credentials that its credential service presents.
    Dcp,
    /// By a claim without proof, as Eclipse's iam-mock: for tests on one machine alone.
    Mock,
}

/// `tram connector …`
#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// Register the connector of a party, or change its registration.
    Add {
        /// The party's id (`tram party add`).
        party: String,
        /// Its id in the protocol; the party's when left out.
        #[arg(long, value_name = "ID")]
        participant: Option<String>,
        /// Base of its DSP 2025-1 paths, https://…
        #[arg(long, value_name = "URL")]
        endpoint: String,
        /// Base of the callback addresses that it names; the endpoint when left out.
        #[arg(long, value_name = "URL")]
        callback: Option<String>,
        /// Base of the addresses where its rows are, when they are in a private network or beside the endpoint.
        #[arg(long, value_name = "URL")]
        data: Option<String>,
        /// How it shows who it is.
        #[arg(long, value_enum)]
        auth: Auth,
        /// File with the token that this node shows to it (static).
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// Type of a credential that it has to present (dcp); may be given several times.
        #[arg(long, value_name = "TYPE")]
        credential: Vec<String>,
        /// DID of an issuer whose credentials count (dcp); may be given several times.
        #[arg(long, value_name = "DID")]
        issuer: Vec<String>,
        /// Id of a schema that those issuers are trusted to follow (dcp).
        #[arg(long, value_name = "URL")]
        schema: Vec<String>,
        /// Take documents that list keys without saying what for (did-web, dcp).
        #[arg(long)]
        unlisted_keys: bool,
        /// For which purpose it asks.
        #[arg(long)]
        purpose: Option<String>,
        /// On which legal basis.
        #[arg(long)]
        basis: Option<String>,
    },
    /// Get the rows of a dataset: offer, agreement, transfer, file.
    Get {
        /// The party's id.
        party: String,
        /// The dataset's id in its catalog.
        dataset: String,
        /// For which purpose, for this agency's ledger.
        #[arg(long)]
        purpose: Option<String>,
        /// On which legal basis.
        #[arg(long)]
        basis: Option<String>,
        /// Where the rows go; a file that is there is not written over.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How long to wait for them, seconds; they come afterwards as well.
        #[arg(long, default_value_t = 60)]
        wait: u64,
    },
    /// All connectors.
    List,
    /// Forget a connector.
    Remove {
        /// The party's id.
        party: String,
    },
}

/// Runs one verb.
pub async fn run(dir: &Path, verb: ConnectorCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: ConnectorCommand, out: Out) -> Result<()> {
    match verb {
        ConnectorCommand::Add {
            party,
            participant,
            endpoint,
            callback,
            data,
            auth,
            token_file,
            credential,
            issuer,
            schema,
            unlisted_keys,
            purpose,
            basis,
        } => {
            let token =
                token_file.map(|file| std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e)));
            let mode = match auth {
                Auth::Static => "static",
                Auth::Mock => "mock",
                Auth::DidWeb => "did-web",
                Auth::Dcp => "dcp",
            };
            let proof = matches!(auth, Auth::Dcp)
                .then(|| json!({"credentials": credential, "issuers": issuer, "schemas": schema}));
            let new = json!({
                "party": party,
                "participant": participant.unwrap_or_else(|| party.clone()),
                "endpoint": endpoint,
                "callback": callback,
                "data": data,
                "mode": mode,
                "token": token.transpose()?,
                "proof": proof,
                "unlisted_keys": unlisted_keys,
                "purpose": purpose,
                "basis": basis,
            });
            let told = client.post("/v1/connectors", &new).await?;
            out.result(&told, |told| format!("đã ghi · registered\n{}", listed(std::slice::from_ref(told))));
        }
        ConnectorCommand::Get { party, dataset, purpose, basis, out: file, wait } => {
            let wish = json!({"dataset": dataset, "purpose": purpose, "basis": basis});
            let at = format!("/v1/connectors/{}/errands", segment(&party));
            let begun = client.post(&at, &wish).await?;
            let told = ended(client, &text(&begun, "id"), wait).await?;
            if let Some(file) = file {
                copy(Path::new(&text(&told, "file")), &file)?;
            }
            out.result(&told, |told| {
                format!("đã nhận · received: {} B, sha-256 {}", text(told, "bytes"), text(told, "sha256"))
            });
        }
        ConnectorCommand::List => {
            out.result(&client.get("/v1/connectors").await?, |told| listed(list(told, "connectors")));
        }
        ConnectorCommand::Remove { party } => {
            let told = client.delete(&format!("/v1/connectors/{}", segment(&party))).await?;
            out.result(&told, |told| format!("đã quên · forgotten\n{}", listed(std::slice::from_ref(told))));
        }
    }
    Ok(())
}

/// How often the node is asked how an errand stands.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

async fn ended(client: &Client, id: &str, wait: u64) -> Result<Value> {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(wait);
    loop {
        let told = client.get(&format!("/v1/errands/{}", segment(id))).await?;
        match told["stage"].as_str() {
            Some("received") => return Ok(told),
            Some("failed") => return Err(Error::Peer(text(&told, "failure"))),
            _ if std::time::Instant::now() >= until => {
                return Err(Error::Queued(format!("the rows are not here yet; look at errand {id} later")));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let told = |e: std::io::Error| Error::io(to, e);
    let mut source = std::fs::File::open(from).map_err(|e| Error::io(from, e))?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(to).map_err(told)?;
    std::io::copy(&mut source, &mut file).map_err(told)?;
    file.sync_all().map_err(told)
}

fn listed(connectors: &[Value]) -> String {
    let row = |connector: &Value| {
        ["party", "participant", "endpoint", "mode", "purpose", "basis"]
            .map(|name| text(connector, name))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = connectors.iter().map(row).collect();
    table(
        &[
            "bên · party",
            "mã · participant",
            "địa chỉ · endpoint",
            "xác thực · auth",
            "mục đích · purpose",
            "căn cứ · basis",
        ],
        &rows,
    )
}
