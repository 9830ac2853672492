//! Connectors: those who speak the Dataspace Protocol 2025-1 and are no nodes of this kind.
//!
//! **What it is.** A peer speaks DSP over mutual TLS with signed messages ([`crate::peer`]). A connector (Eclipse's, or
//! another's) speaks the same protocol over HTTPS as its dataspace has it. It is a party ([`crate::parties`]) with a
//! registration: its id in the protocol, where it is reached, and **one** way in which it shows who it is
//! ([`identity::Mode`]). Nothing is switched on for a party that is not registered here.
//!
//! **What it is not.** It decides nothing: what a connector sees and gets is what the rules give its party
//! ([`crate::shown`], [`crate::flow::direct`]). Its processes are driven by [`crate::flow::connector`], its door is
//! [`crate::public::dsp`], calls to it leave by [`crate::outbound::connector`].

pub mod identity;
pub mod offers;
pub mod reply;
#[cfg(feature = "tck")]
pub mod script;

use certs::did::{DidWeb, Unlisted};
use exchange::dsp::{Address, Id};
use policy::{BasisId, PurposeId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};

use self::identity::Mode;
use self::identity::dcp::Proof;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::public::Caller;
use crate::{parties, records};

/// Where the protocol begins under the public door.
pub const PATH: &str = "/dsp/2025-1";
/// The transfer format that both sides of the field speak: the consumer pulls over HTTP.
pub const FORMAT: &str = "HttpData-PULL";

/// Registrations in the drawer of connectors.
const REGISTERED: &str = "r/";

/// A connector as the node keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// The party that it speaks for.
    pub party: String,
    /// Its id in the protocol, as agreements name it.
    pub participant: Id,
    /// Base of its DSP 2025-1 paths, where this node asks as consumer.
    pub endpoint: Address,
    /// Base of the callback addresses that it may name; its endpoint when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Address>,
    /// Base of the addresses from which this node may pull its rows, when that is another place than its endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Address>,
    /// How it shows who it is.
    pub mode: Mode,
    /// What this node says to it, in mode `static`. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it has to present, in mode `dcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// That documents of it and of its issuers may list keys without saying what for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted_keys: bool,
    /// For which purpose it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// On which legal basis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Since when, Unix seconds.
    pub added: i64,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector({}, {})", self.party, self.mode.word())
    }
}

/// What is said of a new connector.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    party: String,
    participant: String,
    endpoint: String,
    #[serde(default)]
    callback: Option<String>,
    #[serde(default)]
    data: Option<String>,
    mode: Mode,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    proof: Option<Proof>,
    #[serde(default)]
    unlisted_keys: bool,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    basis: Option<String>,
}

impl Connector {
    /// Who asks, for the rules.
    pub fn caller(&self) -> Caller {
        Caller {
            subject: self.party.clone(),
            purpose: self.purpose.clone(),
            basis: self.basis.clone(),
            key: None,
        }
    }

    /// Whether it lies on this machine.
    fn is_at_home(&self) -> bool {
        self.endpoint.as_str().parse::<http::Uri>().is_ok_and(|uri| is_loopback(&uri))
    }

    /// Whether an address that it names for callbacks is its own: nobody may send this node to a third place.
    pub fn owns_callback(&self, address: &Address) -> bool {
        under(self.callback.as_ref().unwrap_or(&self.endpoint), address.as_str())
    }

    /// What to make of documents that list keys for nothing.
    pub fn unlisted(&self) -> Unlisted {
        if self.unlisted_keys { Unlisted::Accept } else { Unlisted::Refuse }
    }

    /// How the document of a DID of this registration is fetched: in clear on loopback alone, and only beside a connector
    /// that is registered there in clear as well.
    pub fn did_scheme(&self, did: &DidWeb) -> &'static str {
        let here = matches!(did.host(), "localhost" | "127.0.0.1");
        if here && self.endpoint.as_str().starts_with("http://") { "http" } else { "https" }
    }

    /// Whether an address has the host and port of its endpoint, of its DID or of one of its issuers, which the operator named.
    pub fn names(&self, url: &str) -> bool {
        let Ok(uri) = url.parse::<http::Uri>() else { return false };
        let Some((scheme, authority)) = uri.scheme_str().zip(uri.authority()) else { return false };
        let own = DidWeb::parse(self.participant.as_str()).ok();
        let issuers = self.proof.iter().flat_map(|proof| proof.issuers.iter());
        own.iter().chain(issuers).any(|did| {
            did.authority().eq_ignore_ascii_case(authority.as_str()) && scheme == self.did_scheme(did)
        })
    }

    /// Whether rows may be pulled from an address without asking where its name leads to.
    pub fn owns_data(&self, address: &str) -> bool {
        [Some(&self.endpoint), self.data.as_ref()].into_iter().flatten().any(|base| under(base, address))
    }
}

/// Whether an address is a base or lies below it, letter by letter: what is written in two ways is two addresses.
fn under(base: &Address, address: &str) -> bool {
    let base = base.as_str().trim_end_matches('/');
    let Some(rest) = address.strip_prefix(base) else { return false };
    let plain = !rest.split('/').any(|segment| matches!(segment, "." | ".."));
    plain && (rest.is_empty() || rest.starts_with('/'))
}

fn key(party: &str) -> Vec<u8> {
    format!("{REGISTERED}{party}").into_bytes()
}

/// The connector of a party that may ask.
pub fn find(node: &Node, party: &str) -> Result<Option<Connector>> {
    if !parties::find(node, party)?.is_some_and(|party| party.active) {
        return Ok(None);
    }
    Ok(records::get::<Connector>(&node.store, Space::Connector, &key(party))?.map(|(connector, _)| connector))
}

/// The same, or an error that says what to do.
pub fn demand(node: &Node, party: &str) -> Result<Connector> {
    find(node, party)?.ok_or_else(|| {
        Error::not_found(format!("no connector of a party `{party}` here; `tram connector list` shows them"))
    })
}

/// All connectors, by party.
pub fn all(node: &Node) -> Result<Vec<Connector>> {
    let found = records::all::<Connector>(&node.store, Space::Connector, REGISTERED.as_bytes())?;
    Ok(found.into_iter().map(|(_, connector)| connector).collect())
}

/// Registers the connector of a party, or puts another registration in its place.
///
/// # Errors
/// [`Error::Usage`] for what cannot be used, [`Error::NotFound`] for an unknown party.
pub async fn add(node: &Node, new: New, now: i64) -> Result<Connector> {
    parties::demand(node, &new.party)?;
    let connector = read(new, now)?;
    if connector.mode == Mode::Static && connector.token.is_none() {
        return Err(Error::usage("mode `static` needs the token that this node shows; give --token-file"));
    }
    check_identity(node, &connector)?;
    if connector.mode == Mode::Mock && !(identity::is_at_home(node) && connector.is_at_home()) {
        return Err(Error::usage(
            "mode `mock` proves nothing: it is for a connector and a public door on loopback, with no proxy in front",
        ));
    }
    let others = all(node)?;
    if others.len() >= limits::PARTIES_MAX {
        return Err(Error::TooLarge(format!("there are {} connectors already", limits::PARTIES_MAX)));
    }
    let taken =
        |other: &&Connector| other.participant == connector.participant && other.party != connector.party;
    if let Some(other) = others.iter().find(taken) {
        return Err(Error::conflict(format!(
            "`{}` is the connector of `{}`",
            other.participant, other.party
        )));
    }
    let tx = Tx::new().put_json(Space::Connector, key(&connector.party), &connector).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(connector)
}

/// In the modes with a DID the id in the protocol is one, and this node has one, too.
fn check_identity(node: &Node, connector: &Connector) -> Result<()> {
    if !matches!(connector.mode, Mode::DidWeb | Mode::Dcp) {
        return Ok(());
    }
    DidWeb::parse(connector.participant.as_str()).map_err(|e| {
        Error::usage(format!("in mode `{}` the participant is a DID: {e}", connector.mode.word()))
    })?;
    match (connector.mode, &connector.proof) {
        (Mode::Dcp, Some(proof)) => proof.check()?,
        (Mode::Dcp, None) => return Err(Error::usage("mode `dcp` needs --credential and --issuer")),
        _ => {}
    }
    identity::did::own_did(node)?;
    identity::did::own_key(node).map(|_| ())
}

/// Forgets a connector: it is nobody from now on.
pub async fn remove(node: &Node, party: &str) -> Result<Connector> {
    let connector = demand(node, party)?;
    node.store.commit(Tx::new().delete(Space::Connector, key(party))).await.map_err(Error::from)?;
    Ok(connector)
}

fn read(new: New, now: i64) -> Result<Connector> {
    let address = |what: &str, text: String| {
        Address::new(text)
            .map_err(|e| Error::usage(format!("{what}: {e}")))
            .and_then(|address| clear(what, address))
    };
    let named = |what: &str, text: &str, e: policy::IdError| Error::usage(format!("{what} `{text}`: {e}"));
    if let Some(purpose) = &new.purpose {
        PurposeId::named(purpose).map_err(|e| named("purpose", purpose, e))?;
    }
    if let Some(basis) = &new.basis {
        BasisId::named(basis).map_err(|e| named("legal basis", basis, e))?;
    }
    if new
        .token
        .as_ref()
        .is_some_and(|token| token.trim().is_empty() || token.len() > limits::AUTHORIZATION_BYTES_MAX)
    {
        return Err(Error::usage(format!("a token has 1 to {} bytes", limits::AUTHORIZATION_BYTES_MAX)));
    }
    Ok(Connector {
        participant: Id::new(new.participant).map_err(|e| Error::usage(format!("participant: {e}")))?,
        endpoint: address("endpoint", new.endpoint)?,
        callback: new.callback.map(|text| address("callback", text)).transpose()?,
        data: new.data.map(|text| address("data", text)).transpose()?,
        mode: new.mode,
        proof: new.proof,
        unlisted_keys: new.unlisted_keys,
        token: new.token.map(|token| token.trim().to_owned()),
        purpose: new.purpose,
        basis: new.basis,
        party: new.party,
        added: now,
    })
}

/// Tokens and rows go in clear on loopback only.
fn clear(what: &str, address: Address) -> Result<Address> {
    let uri: http::Uri =
        address.as_str().parse().map_err(|e| Error::usage(format!("{what} `{address}` is no URL: {e}")))?;
    match uri.scheme_str() {
        Some("https") => Ok(address),
        Some("http") if is_loopback(&uri) => Ok(address),
        _ => Err(Error::usage(format!(
            "{what} `{address}` must begin with https://; http:// is for 127.0.0.1 and localhost alone"
        ))),
    }
}

/// Whether a URL leads to this machine.
fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A connector as people see it; its token is not shown.
pub fn view(connector: &Connector) -> Value {
    json!({
        "party": connector.party,
        "participant": connector.participant,
        "endpoint": connector.endpoint,
        "callback": connector.callback,
        "data": connector.data,
        "mode": connector.mode,
        "proof": connector.proof,
        "unlisted_keys": connector.unlisted_keys,
        "purpose": connector.purpose,
        "basis": connector.basis,
        "added": crate::operation::rfc3339(connector.added),
    })
}

/// A new pid; never used twice.
pub fn new_pid() -> Result<Id> {
    offers::id(&format!("urn:uuid:{}", uuid::Uuid::new_v4()))
}

/// Key by which a first message is found again.
pub fn dedup(process: &str, party: &str, pid: &Id) -> Vec<u8> {
    format!("d/{process}/{}/{}", records::short(party), records::short(pid.as_str())).into_bytes()
}

/// The base of this node's DSP paths at its public door.
pub fn base(node: &Node) -> Result<Address> {
    Address::new(format!("{}{PATH}", crate::public::endpoint(node)?)).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_under_a_base_or_it_is_not() {
        let base = Address::new("https://a.example/dsp/").unwrap();
        for (address, wants) in [
            ("https://a.example/dsp", true),
            ("https://a.example/dsp/", true),
            ("https://a.example/dsp/x", true),
            ("https://a.example/dspx", false),
            ("https://a.example", false),
            ("https://a.example/dsp/../y", false),
            ("https://a.example.evil/dsp", false),
            ("http://a.example/dsp", false),
        ] {
            assert_eq!(under(&base, address), wants, "{address}");
        }
    }

    #[test]
    fn nothing_goes_in_clear_but_on_loopback() {
        for (address, good) in [
            ("https://a.example/x", true),
            ("http://127.0.0.1:8083", true),
            ("http://localhost:8083", true),
            ("http://10.0.0.1:8083", false),
            ("http://a.example", false),
        ] {
            assert_eq!(clear("endpoint", Address::new(address).unwrap()).is_ok(), good, "{address}");
        }
    }
}
