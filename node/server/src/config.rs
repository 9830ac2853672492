//! The node's configuration: one TOML file, `tram.toml`, parsed once into checked types.
//!
//! Unknown keys are refused, because a misspelt key that is silently ignored is a setting that nobody made.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::escrow::key::Recipient;
use crate::versions::settings::VersionSection;

/// Name of the file inside a node's folder.
pub const FILE: &str = "tram.toml";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this node is.
    pub node: NodeSection,
    /// The door to other nodes.
    pub peer: PeerSection,
    /// The door to the agency's own applications and to the command line.
    pub local: LocalSection,
    /// The ledger.
    #[serde(default)]
    pub ledger: LedgerSection,
    /// Versions of datasets.
    #[serde(default, skip_serializing_if = "VersionSection::is_default")]
    pub versions: VersionSection,
    /// Rows as files that lie ready.
    #[serde(default, skip_serializing_if = "FilesSection::is_usual")]
    pub files: FilesSection,
    /// The door to everybody else; closed when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicSection>,
}

mod files_section;
mod public_section;
pub use files_section::FilesSection;
pub use public_section::PublicSection;

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// Participant id, an IRI such as `urn:agency:vn:h26.18`.
    pub id: String,
    /// Name of the agency, Vietnamese.
    pub name_vi: String,
    /// Name of the agency, English.
    pub name_en: String,
    /// Country, ISO 3166-1 alpha-2.
    #[serde(default = "vietnam")]
    pub country: String,
}

/// `[peer]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSection {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Base URL under which peers reach this node, `https://host:port`, no trailing slash.
    pub endpoint: String,
    /// Zone of the network in which peers meet this node, as rules name it after `net:`.
    #[serde(default = "government", skip_serializing_if = "is_government")]
    pub network: String,
    /// Which way data takes to peers, as rules name it after `via:`: `platform` where they come through one.
    #[serde(default = "direct", skip_serializing_if = "is_direct")]
    pub route: String,
    /// Whether no peer can connect to this node (a firewall lets nothing in): it then asks its peers for the messages that
    /// wait for it there. Such a node consumes; its own datasets can be fetched by nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outbound_only: bool,
}

fn government() -> String {
    "gov".to_owned()
}

fn is_government(network: &str) -> bool {
    network == government()
}

fn direct() -> String {
    "direct".to_owned()
}

fn is_direct(route: &str) -> bool {
    route == direct()
}

impl PeerSection {
    /// A door at this address, in the usual network and without a platform between.
    pub fn new(listen: SocketAddr, endpoint: String) -> Self {
        Self { listen, endpoint, network: government(), route: direct(), outbound_only: false }
    }

    fn check(&self) -> std::result::Result<(), String> {
        policy::ZoneId::named(&self.network).map_err(|e| format!("[peer] network: {e}"))?;
        policy::RouteId::named(&self.route).map_err(|e| format!("[peer] route: {e}"))?;
        Ok(())
    }
}

/// `[local]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalSection {
    /// Address to listen on; a loopback address.
    pub listen: SocketAddr,
}

/// `[ledger]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSection {
    /// Where a second copy of the last signed checkpoint lies, best on another disk; a node that was put back from
    /// an old backup notices by it. Default: beside the node's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_file: Option<PathBuf>,
    /// Which peers witness the ledger; nobody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnesses: Option<WitnessSection>,
    /// Who time-stamps the ledger; nobody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamps: Option<TimestampSection>,
    /// Which auditor gets the keys of `receipt-first` rows, sealed; nobody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow: Option<EscrowSection>,
}

/// `[ledger.witnesses]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSection {
    /// Participant ids of the peers that cosign this node's checkpoints.
    pub peers: Vec<String>,
    /// How many of them must.
    pub quorum: usize,
    /// How often they are asked, seconds; a receipt that waits asks at once.
    #[serde(default = "ten")]
    pub every_seconds: u64,
    /// How long a receipt waits for the quorum before it is made without it, seconds.
    #[serde(default = "eight")]
    pub receipt_wait_seconds: u64,
}

fn eight() -> u64 {
    8
}

fn ten() -> u64 {
    10
}

impl WitnessSection {
    fn check(&self, me: &str) -> std::result::Result<(), String> {
        let known: std::collections::BTreeSet<&String> = self.peers.iter().collect();
        if known.len() != self.peers.len() || self.peers.iter().any(|peer| peer == me) {
            return Err("[ledger.witnesses] peers names one twice, or this node itself".to_owned());
        }
        for peer in &self.peers {
            certs::ParticipantId::parse(peer).map_err(|e| format!("[ledger.witnesses] peers: {e}"))?;
        }
        if self.quorum == 0 || self.quorum > self.peers.len() {
            return Err(format!(
                "[ledger.witnesses] quorum = {} cannot be met by {} peers; write 1 to that number",
                self.quorum,
                self.peers.len()
            ));
        }
        if self.every_seconds == 0 {
            return Err("[ledger.witnesses] every_seconds is 0; write 10".to_owned());
        }
        Ok(())
    }
}

/// `[ledger.timestamps]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampSection {
    /// Address of a time-stamping authority (RFC 3161 over HTTP). Its answers are signed, so `http://` will do.
    pub authority: String,
    /// PEM file with the roots by which its answers are believed, in the node's folder or with its full path.
    pub roots: PathBuf,
    /// How often at most, seconds.
    #[serde(default = "daily")]
    pub every_seconds: u64,
}

fn daily() -> u64 {
    86_400
}

impl TimestampSection {
    fn check(&self) -> std::result::Result<(), String> {
        let uri: Option<http::Uri> = self.authority.parse().ok();
        let fits =
            uri.is_some_and(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some());
        if !fits {
            return Err(format!(
                "[ledger.timestamps] authority = `{}` is no address; write http://host/path or https://host/path",
                self.authority
            ));
        }
        if self.every_seconds == 0 {
            return Err("[ledger.timestamps] every_seconds is 0; write 86400 for once a day".to_owned());
        }
        Ok(())
    }
}

/// `[ledger.escrow]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscrowSection {
    /// Participant id of the auditor.
    pub auditor: String,
    /// The auditor's public key, the line that `tram escrow key` prints.
    pub key: String,
    /// As consumer: acknowledge sealed rows only when their key is sealed to this auditor's key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub demand: bool,
}

impl EscrowSection {
    fn check(&self, me: &str) -> std::result::Result<(), String> {
        certs::ParticipantId::parse(&self.auditor).map_err(|e| format!("[ledger.escrow] auditor: {e}"))?;
        if self.auditor == me {
            return Err("[ledger.escrow] auditor is this node itself; name a third party".to_owned());
        }
        self.recipient().map(|_| ())
    }

    /// The key, read.
    pub fn recipient(&self) -> std::result::Result<Recipient, String> {
        Recipient::parse(&self.key).map_err(|e| format!("[ledger.escrow] key: {e}"))
    }
}

fn vietnam() -> String {
    "VN".to_owned()
}

impl Config {
    /// Reads and checks `DIR/tram.toml`.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                Error::usage(format!(
                    "`{}` holds no node: no {FILE} there; make one with `tram init --dir {} --id urn:agency:… --name \"…\"`",
                    dir.display(),
                    dir.display()
                ))
            } else {
                Error::io(&path, e)
            }
        })?;
        Self::parse(&text).map_err(|e| Error::usage(format!("{}: {e}", path.display())))
    }

    /// Parses and checks the text of a configuration file; the error is one line.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
        config.check()?;
        Ok(config)
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self)
            .map_err(|e| Error::internal(format!("configuration does not serialize: {e}")))
    }

    fn check(&self) -> std::result::Result<(), String> {
        certs::ParticipantId::parse(&self.node.id).map_err(|e| format!("[node] id: {e}"))?;
        if self.node.name_vi.trim().is_empty() {
            return Err("[node] name_vi is blank; write the agency's name".to_owned());
        }
        if !self.local.listen.ip().is_loopback() {
            return Err(format!(
                "[local] listen = `{}` is no loopback address; the local door has no TLS, so use 127.0.0.1:PORT",
                self.local.listen
            ));
        }
        self.ledger.witnesses.as_ref().map_or(Ok(()), |section| section.check(&self.node.id))?;
        self.ledger.timestamps.as_ref().map_or(Ok(()), TimestampSection::check)?;
        self.peer.check()?;
        self.files.check()?;
        self.public.as_ref().map_or(Ok(()), PublicSection::check)?;
        self.ledger.escrow.as_ref().map_or(Ok(()), |section| section.check(&self.node.id))?;
        check_endpoint(&self.peer.endpoint)
    }

    /// The second place of the last signed checkpoint.
    pub fn guard_file(&self, dir: &Path) -> PathBuf {
        self.ledger.guard_file.clone().unwrap_or_else(|| {
            let name = dir.file_name().map_or_else(|| "node".into(), |n| n.to_string_lossy().into_owned());
            dir.parent().unwrap_or(dir).join(format!(".{name}.checkpoint"))
        })
    }
}

/// Checks a base URL: https, a host, nothing after the authority.
pub fn check_endpoint(endpoint: &str) -> std::result::Result<(), String> {
    let uri: http::Uri = endpoint
        .parse()
        .map_err(|e| format!("endpoint `{endpoint}` is no URL ({e}); write https://host:port"))?;
    let bare = uri.path().is_empty() || uri.path() == "/";
    if uri.scheme_str() != Some("https") || uri.host().is_none() || !bare || endpoint.ends_with('/') {
        return Err(format!(
            "endpoint `{endpoint}` must be https://host:port with no path and no trailing slash"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Config;

    const GOOD: &str = r#"
[node]
id = "urn:agency:vn:ward"
name_vi = "Phường Nghĩa Đô"
name_en = "Nghia Do ward"
[peer]
listen = "127.0.0.1:7443"
endpoint = "https://127.0.0.1:7443"
[local]
listen = "127.0.0.1:7080"
"#;

    #[test]
    fn a_good_file_survives_a_round_trip() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.node.country, "VN");
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
        let elsewhere = GOOD
            .replace("[local]", "network = \"city\"\nroute = \"platform\"\noutbound_only = true\n[local]");
        let config = Config::parse(&elsewhere).unwrap();
        assert_eq!((config.peer.network.as_str(), config.peer.route.as_str()), ("city", "platform"));
        assert!(config.peer.outbound_only);
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
    }

    #[test]
    fn bad_files_say_what_to_do() {
        for (from, to, wants) in [
            ("[local]", "[local]\nlisten_to = 1", "listen_to"),
            ("127.0.0.1:7080", "0.0.0.0:7080", "loopback"),
            ("https://127.0.0.1:7443", "http://127.0.0.1:7443", "https://host:port"),
            ("https://127.0.0.1:7443", "https://127.0.0.1:7443/x", "no path"),
            ("urn:agency:vn:ward", "a ward", "a ward"),
            ("Phường Nghĩa Đô", " ", "name_vi"),
            ("[local]", "network = \"10.0.0.0 8\"\n[local]", "[peer] network"),
            ("[local]", "route = \"\"\n[local]", "[peer] route"),
        ] {
            let error = Config::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(wants), "`{error}` should mention `{wants}`");
        }
    }

    #[test]
    fn where_keys_are_escrowed_is_checked() {
        let key = crate::escrow::key::AuditorKey::generate().unwrap().recipient().to_string();
        let good = format!("{GOOD}[ledger.escrow]\nauditor = \"urn:agency:vn:thanh-tra\"\nkey = \"{key}\"\n");
        let config = Config::parse(&good).unwrap();
        assert!(!config.ledger.escrow.as_ref().unwrap().demand);
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
        for (from, to, wants) in [
            ("thanh-tra", "ward", "this node itself"),
            ("urn:agency:vn:thanh-tra", "an auditor", "auditor"),
            ("x25519+", "x448+", "tram escrow key"),
            ("auditor =", "auditors =", "auditors"),
            ("key =", "demand = 1\nkey =", "demand"),
        ] {
            let error = Config::parse(&good.replace(from, to)).unwrap_err();
            assert!(error.contains(wants), "`{error}` should mention `{wants}`");
        }
        assert!(Config::parse(&good[..good.find("key =").unwrap()]).unwrap_err().contains("key"));
    }
}
