//! How a connector shows who it is, and how this node shows who it is to a connector. One mode for each connector, chosen at
//! its registration; what comes in another mode is nobody. Modes with a `did:web` are in [`did`] and [`dcp`].

pub mod dcp;
pub mod did;

use axum::http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Connector;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::parties;

/// A way to show who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A token that never changes: a key of the party one way, a token that the other side gave the other way.
    Static,
    /// The `iam-mock` of the Eclipse connector: a claim without proof. For tests on loopback and nothing else.
    Mock,
    /// Self-issued tokens of its `did:web` (Decentralized Claims Protocol 1.0.1 §4.3).
    DidWeb,
    /// The same, and credentials that its credential service presents.
    Dcp,
}

impl Mode {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Mock => "mock",
            Self::DidWeb => "did-web",
            Self::Dcp => "dcp",
        }
    }
}

/// Which connector sent these headers.
///
/// # Errors
/// [`Error::Unauthenticated`], with the same words whatever is wrong.
pub async fn caller(node: &Node, headers: &HeaderMap) -> Result<Connector> {
    let nobody = || {
        Error::Unauthenticated(
            "no connector is known by this Authorization field; register it with `tram connector add`"
                .to_owned(),
        )
    };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(nobody)?;
    if sent.len() > limits::AUTHORIZATION_BYTES_MAX {
        return Err(nobody());
    }
    let sent = sent.trim();
    let bearer = sent.strip_prefix("Bearer ").or_else(|| sent.strip_prefix("bearer ")).map(str::trim);
    // Keys of parties have no dots, signed tokens have two; only after `Bearer` are they taken.
    if let Some(token) = bearer.filter(|token| token.matches('.').count() == 2 && !token.starts_with('{')) {
        return did::by_token(node, token).await?.ok_or_else(nobody);
    }
    let token = bearer.unwrap_or(sent);
    let found = if token.starts_with('{') { by_claim(node, token)? } else { by_key(node, token)? };
    found.ok_or_else(nobody)
}

/// The key is looked up by its hash: no comparison takes longer for a better guess.
fn by_key(node: &Node, key: &str) -> Result<Option<Connector>> {
    match parties::authenticate(node, key, node.clock.now()) {
        Ok((party, key)) => {
            // A key that was given for one purpose does not ask for the registration's.
            let fits = |connector: &Connector| {
                connector.mode == Mode::Static
                    && (key.purpose.is_none() || key.purpose == connector.purpose)
                    && (key.basis.is_none() || key.basis == connector.basis)
            };
            Ok(super::find(node, &party.id)?.filter(fits))
        }
        Err(Error::Unauthenticated(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nobody from elsewhere comes through the public door.
pub fn is_at_home(node: &Node) -> bool {
    node.config.public.as_ref().is_some_and(|door| door.listen.ip().is_loopback() && !door.behind_proxy)
}

fn by_claim(node: &Node, claim: &str) -> Result<Option<Connector>> {
    // Asked again here: the door may have been opened since the registration.
    if !is_at_home(node) {
        return Ok(None);
    }
    let Ok(claim) = serde_json::from_str::<Value>(claim) else { return Ok(None) };
    let Some(id) = claim.get("clientId").and_then(Value::as_str) else { return Ok(None) };
    let all = super::all(node)?;
    let found = all.into_iter().find(|known| known.mode == Mode::Mock && known.participant.as_str() == id);
    match found {
        Some(connector) => super::find(node, &connector.party),
        None => Ok(None),
    }
}

/// What this node says of itself to a connector.
pub fn present(node: &Node, connector: &Connector) -> Result<HeaderValue> {
    let text = match connector.mode {
        Mode::Static => {
            let token = connector.token.as_deref().ok_or_else(|| {
                Error::usage(format!("the connector of `{}` has no token; register it anew", connector.party))
            })?;
            format!("Bearer {token}")
        }
        Mode::DidWeb | Mode::Dcp => {
            format!("Bearer {}", did::mint(node, connector.participant.as_str(), None)?)
        }
        Mode::Mock => json!({
            "region": "any",
            "audience": connector.participant,
            "clientId": node.config.node.id,
        })
        .to_string(),
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Error::usage("the token holds letters that no header takes; write it in ASCII"))?;
    value.set_sensitive(true);
    Ok(value)
}
