//! What people set about lines: caps and low-data mode, for all peers or for one. Kept in `line.toml` of the node's folder,
//! which the command line writes and a person may edit while the node stands still.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hours::Big;
use crate::error::{Error, Result};
use crate::files;

/// Name of the file inside a node's folder.
pub const FILE: &str = "line.toml";
/// Smallest cap, bytes a second. Below, a chunk of 256 KiB takes more than four minutes, and a peer may hold the line for
/// dead.
pub const CAP_MIN: u64 = 1_000;
/// Peers with settings of their own.
const PEERS_MAX: usize = 10_000;

/// What is set for all peers or for one; what is not set is left to the node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most bytes of data served a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_bytes_per_second: Option<u64>,
    /// Most bytes of data fetched a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_bytes_per_second: Option<u64>,
    /// Whether every byte counts: the smallest chunks, catalogs and logs of peers looked at more rarely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_data: Option<bool>,
    /// When big transfers may be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub big: Option<Big>,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For all peers together (caps) or each of them (low-data mode).
    #[serde(default)]
    pub all: Limits,
    /// For single peers, by participant id. A cap here stands beside the one for all; low-data mode here goes before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<String, Limits>,
}

impl Settings {
    /// Reads and checks the file of a node's folder; nothing is set where there is none.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = path(dir);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|e| Error::usage(format!("{}: {e}", path.display()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::io(&path, e)),
        }
    }

    /// Parses and checks the text of a file; the error is one line.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let settings: Self = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
        settings.check()?;
        Ok(settings)
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<()> {
        self.check().map_err(Error::Usage)?;
        let text = toml::to_string_pretty(self)
            .map_err(|e| Error::internal(format!("the settings do not serialize: {e}")))?;
        files::write_atomic(&path(dir), text.as_bytes())
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.peers.len() > PEERS_MAX {
            return Err(format!("settings for {} peers; at most {PEERS_MAX}", self.peers.len()));
        }
        for id in self.peers.keys() {
            certs::ParticipantId::parse(id).map_err(|e| format!("[peers] `{id}`: {e}"))?;
        }
        for limits in self.peers.values().chain([&self.all]) {
            limits.big.as_ref().map_or(Ok(()), Big::check)?;
            for cap in [limits.serve_bytes_per_second, limits.fetch_bytes_per_second].into_iter().flatten() {
                if cap < CAP_MIN {
                    return Err(format!(
                        "a cap of {cap} bytes a second is below {CAP_MIN}: the line would be taken for dead; write {CAP_MIN} or more, or no cap"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The hours of big transfers from this peer: its own, or those for all.
    pub fn big(&self, peer: &str) -> Option<Big> {
        self.peers.get(peer).and_then(|limits| limits.big).or(self.all.big)
    }

    /// Whether low-data mode is on towards this peer.
    pub fn low_data(&self, peer: &str) -> bool {
        self.peers.get(peer).and_then(|limits| limits.low_data).or(self.all.low_data).unwrap_or(false)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_a_peer_goes_before_what_is_set_for_all() {
        let text = "[all]\nlow_data = true\nserve_bytes_per_second = 8000\n[all.big]\nmb = 50\nfrom = \"20:00\"\nto = \"06:00\"\n\
                    [peers.\"urn:agency:vn:b\"]\nlow_data = false\n[peers.\"urn:agency:vn:b\".big]\nmb = 9\nfrom = \"12:00\"\nto = \"13:00\"\n";
        let settings = Settings::parse(text).unwrap();
        let mb = |peer| settings.big(peer).map(|big| big.mb);
        assert_eq!((mb("urn:agency:vn:a"), mb("urn:agency:vn:b")), (Some(50), Some(9)));
        assert!(settings.low_data("urn:agency:vn:a") && !settings.low_data("urn:agency:vn:b"));
        assert!(!Settings::default().low_data("urn:agency:vn:a"));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Settings::read(dir.path()).unwrap(), Settings::default());
        settings.write(dir.path()).unwrap();
        assert_eq!(Settings::read(dir.path()).unwrap(), settings);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused_with_what_to_write() {
        for (text, wants) in [
            ("[all]\nserve_bytes_per_second = 999\n", "1000 or more"),
            ("[all]\nfetch_bytes_per_second = 0\n", "1000 or more"),
            ("[all]\nfetch_bytes = 5000\n", "fetch_bytes"),
            ("[peers.\"a peer\"]\nlow_data = true\n", "a peer"),
            ("low_data = true\n", "low_data"),
            ("[all.big]\nmb = 0\nfrom = \"20:00\"\nto = \"06:00\"\n", "write 1 to"),
            ("[all.big]\nmb = 5\nfrom = \"20:00\"\nto = \"6h\"\n", "20:00 or 06:30"),
            ("[all.big]\nmb = 5\nfrom = \"20:00\"\nto = \"20:00\"\n", "two times"),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.contains(wants), "`{error}` should mention `{wants}`");
        }
    }
}
