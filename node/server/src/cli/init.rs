//! `tram init`, `tram serve`, `tram status`: making a node, running it, asking how it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::args::InitArgs;
use super::client::Client;
use super::out::{Out, say, text};
use crate::boot::{self, Doors};
use crate::config::{
    Config, FilesSection, LedgerSection, LocalSection, NodeSection, PeerSection, PublicSection,
};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::Clock;

/// How often a serving node looks whether it can still write.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);

/// `tram init`: makes a node and says what comes next.
pub fn init(dir: &Path, args: InitArgs, out: Out) -> Result<u8> {
    let config = configured(args)?;
    boot::init(dir, &config, Clock::system().now())?;
    let made = json!({
        "participant": config.node.id,
        "dir": dir.display().to_string(),
        "config": dir.join(crate::config::FILE).display().to_string(),
        "endpoint": config.peer.endpoint,
        "local": format!("http://{}", config.local.listen),
        "guard_file": config.guard_file(dir).display().to_string(),
    });
    out.result(&made, |m| format!("made the node {} in {}", text(m, "participant"), text(m, "dir")));
    let dir = dir.display();
    say(&format!(
        "Its keys are in {dir}/keys: back the folder up, and never run two copies of it.\nA second copy of the last \
signed checkpoint is kept in {}; set [ledger] guard_file in tram.toml to put it on another disk.\nNext:\n  \
tram dataset add FILE --dir {dir}\n  tram serve --dir {dir}",
        text(&made, "guard_file")
    ));
    Ok(0)
}

fn configured(args: InitArgs) -> Result<Config> {
    let endpoint = match args.endpoint {
        Some(endpoint) => endpoint,
        None if args.listen.ip().is_unspecified() => {
            return Err(Error::usage(format!(
                "the peer door listens on {}, which is no address that peers could call; name one with --endpoint https://HOST:PORT",
                args.listen
            )));
        }
        None => format!("https://{}", args.listen),
    };
    crate::config::check_endpoint(&endpoint).map_err(Error::Usage)?;
    Ok(Config {
        node: NodeSection {
            id: args.id,
            name_en: args.name_en.unwrap_or_else(|| args.name.clone()),
            name_vi: args.name,
            country: args.country,
        },
        peer: PeerSection::new(args.listen, endpoint),
        local: LocalSection { listen: args.local },
        ledger: LedgerSection::default(),
        versions: Default::default(),
        files: FilesSection::default(),
        public: args.public.map(PublicSection::on_loopback),
    })
}

/// `tram serve`: opens both doors and stays until a signal, or until the node can no longer record what it does.
pub async fn serve(dir: &Path, out: Out) -> Result<u8> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let node = boot::open_when_free(dir, Doors::All).await?;
    let (peer, local) = (node.config.peer.listen, node.config.local.listen);
    say(&format!(
        "{} serves: peers on https://{peer} ({}), local door http://{local}",
        node.config.node.id, node.config.peer.endpoint
    ));
    let broken = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        why = broken(&node) => Some(why),
    };
    boot::close(&node).await;
    if let Some(why) = broken {
        return Err(Error::Unavailable(format!("the node stopped itself: {why}")));
    }
    out.result(&json!({"participant": node.config.node.id, "stopped": true}), |_| "stopped".to_owned());
    Ok(0)
}

/// Comes back with the reason once the store or the ledger takes no more writes. A node that cannot record what it does
/// must do nothing; ended, it is noticed and started again by whoever watches over it.
async fn broken(node: &Arc<Node>) -> String {
    loop {
        if let Some(why) = node.ledger.failure() {
            return format!(
                "the ledger takes no entries ({why}); look after the disk and start the node again"
            );
        }
        if let Some(why) = node.store.read_only() {
            return format!(
                "the store takes no writes ({why}); look after the disk and start the node again"
            );
        }
        tokio::time::sleep(HEALTH_PERIOD).await;
    }
}

/// `tram status`: asks the running node and never opens one here.
pub async fn status(dir: &Path, out: Out) -> Result<u8> {
    let config = Config::read(dir)?;
    let Some(client) = Client::running(dir).await else {
        return Err(Error::Unavailable(format!(
            "the node {} in `{}` is not running, or does not answer; start it with `tram serve --dir {}`",
            config.node.id,
            dir.display(),
            dir.display()
        )));
    };
    let facts = client.get("/v1/node").await?;
    out.result(&facts, status_text);
    Ok(0)
}

fn status_text(facts: &Value) -> String {
    let writable = facts["writable"] == json!(true);
    let mut lines = super::witness::alarms(facts);
    lines.extend([
        format!("{}  {}", text(facts, "participant"), text(&facts["name"], "vi")),
        format!("running, version {}, peers reach it at {}", text(facts, "version"), text(facts, "endpoint")),
        format!("ledger {}: {} entries", text(&facts["ledger"], "origin"), text(&facts["ledger"], "entries")),
        format!(
            "rule set version {}, sha256 {}",
            text(&facts["rule_set"], "version"),
            text(&facts["rule_set"], "sha256")
        ),
        if writable { "records what it does" } else { "CANNOT WRITE: every exchange is refused" }.to_owned(),
    ]);
    let stamped = &facts["ledger"]["time_stamped"];
    if !stamped["failing_since"].is_null() {
        lines.push(format!(
            "not time-stamped since {}: {}",
            text(stamped, "failing_since"),
            text(stamped, "why")
        ));
    }
    for witness in super::out::list(&facts["witnesses"], "witnesses") {
        if !witness["problem"].is_null() {
            lines.push(format!(
                "the witness {} did not cosign: {}",
                text(witness, "witness"),
                text(witness, "problem")
            ));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::configured;

    fn config(words: &[&str]) -> crate::error::Result<crate::config::Config> {
        let all = [&["tram", "init", "--id", "urn:agency:vn:a", "--name", "Phường"], words].concat();
        match Cli::try_parse_from(all).unwrap().command {
            Command::Init(args) => configured(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_has_a_sensible_default() {
        let config = config(&[]).unwrap();
        assert_eq!((config.node.name_en.as_str(), config.node.country.as_str()), ("Phường", "VN"));
        assert_eq!(config.peer.endpoint, "https://127.0.0.1:7443");
    }

    #[test]
    fn an_endpoint_that_nobody_can_call_is_refused() {
        assert!(config(&["--listen", "0.0.0.0:7443"]).unwrap_err().to_string().contains("--endpoint"));
        let named =
            config(&["--listen", "0.0.0.0:7443", "--endpoint", "https://tram.example.vn:7443"]).unwrap();
        assert_eq!(named.peer.endpoint, "https://tram.example.vn:7443");
        assert!(config(&["--endpoint", "http://x"]).is_err());
    }
}
