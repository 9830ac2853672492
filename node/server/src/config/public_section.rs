//! `[public]`: the door to those who are no peers.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[public]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicSection {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Base URL under which others reach this door, `https://host` or `https://host:port`, no trailing slash; what pages,
    /// catalogs and signed addresses name.
    pub endpoint: String,
    /// Zone of the network from which this door is reached, as rules name it after `net:`.
    #[serde(default = "internet", skip_serializing_if = "is_internet")]
    pub network: String,
    /// PEM file with the certificate chain, in the node's folder or with its full path; without it the door speaks plain
    /// HTTP, which is for loopback and for a proxy in front that speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Address of the agency's own credential service, if it has one elsewhere; named in this node's DID document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_service: Option<String>,
    /// That a proxy in front speaks TLS: without it and without a certificate the door listens on loopback only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind_proxy: bool,
}

fn internet() -> String {
    "internet".to_owned()
}

fn is_internet(network: &str) -> bool {
    network == internet()
}

impl PublicSection {
    /// A door on plain HTTP at a loopback address.
    pub fn on_loopback(listen: SocketAddr) -> Self {
        Self {
            listen,
            endpoint: format!("http://{listen}"),
            network: internet(),
            certificate: None,
            key: None,
            credential_service: None,
            behind_proxy: false,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        policy::ZoneId::named(&self.network).map_err(|e| format!("[public] network: {e}"))?;
        if self.certificate.is_some() != self.key.is_some() {
            return Err("[public] certificate and key go together; write both or neither".to_owned());
        }
        if self.certificate.is_none() && !self.behind_proxy && !self.listen.ip().is_loopback() {
            return Err(format!(
                "[public] listen = `{}` would send keys and rows in clear; give certificate and key, or say \
                 behind_proxy = true where a proxy in front speaks TLS",
                self.listen
            ));
        }
        self.check_endpoint()
    }

    fn check_endpoint(&self) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("[public] endpoint = `{}` {why}", self.endpoint));
        let Ok(uri) = self.endpoint.parse::<http::Uri>() else {
            return wrong("is no URL; write https://host or https://host:port");
        };
        let bare = (uri.path().is_empty() || uri.path() == "/") && !self.endpoint.ends_with('/');
        let Some(host) = uri.host().filter(|_| bare && uri.query().is_none()) else {
            return wrong("must be https://host or https://host:port with no path and no trailing slash");
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return wrong("holds a user name; leave it out");
        }
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if is_loopback(host) => Ok(()),
            _ => wrong("must begin with https://; http:// is for 127.0.0.1 and localhost alone"),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::PublicSection;

    #[test]
    fn nothing_leaves_in_clear_by_a_slip() {
        let good = PublicSection::on_loopback("127.0.0.1:8080".parse().unwrap());
        good.check().unwrap();
        let wide = PublicSection { listen: "0.0.0.0:443".parse().unwrap(), ..good.clone() };
        assert!(wide.check().unwrap_err().contains("in clear"));
        let proxied = PublicSection {
            behind_proxy: true,
            endpoint: "https://data.example.vn".to_owned(),
            ..wide.clone()
        };
        proxied.check().unwrap();
        for (endpoint, wants) in [
            ("http://data.example.vn", "https://"),
            ("https://data.example.vn/", "trailing slash"),
            ("https://data.example.vn/x", "no path"),
            ("https://a@data.example.vn", "user name"),
            ("data", "https://"),
        ] {
            let bad = PublicSection { endpoint: endpoint.to_owned(), ..proxied.clone() };
            let told = bad.check().unwrap_err();
            assert!(told.contains(wants), "{endpoint}: {told}");
        }
        let half = PublicSection { certificate: Some("a.pem".into()), ..good };
        assert!(half.check().unwrap_err().contains("go together"));
    }
}
