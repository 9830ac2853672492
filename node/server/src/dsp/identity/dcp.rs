//! The verifier of the Decentralized Claims Protocol 1.0.1: asks the credential service that a connector's document names for
//! the credentials that its registration demands, and believes what holds ([`certs::did::presentation`]).
//!
//! Asked for each message, so a credential that was taken back counts no more from then on. Issuers that the registration
//! does not name are never asked for anything; their credentials count for nothing.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use certs::did::credential::Credential;
use certs::did::limits::{PRESENTATION_RESPONSE_BYTES_MAX, STATUS_LIST_BYTES_MAX};
use certs::did::presentation::{self, CREDENTIAL_SERVICE, QUERY_PATH};
use certs::did::{Document, SelfIssued};
use serde::{Deserialize, Serialize};

use super::did::{Failed, mint, own_did, resolve, told};
use crate::dsp::Connector;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::outbound::connector::{Ask, ask};

/// What a connector has to present (mode `dcp`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Types of credentials, all of them.
    pub credentials: Vec<String>,
    /// DIDs of the issuers whose credentials count.
    pub issuers: Vec<certs::did::DidWeb>,
    /// Ids of schemas that those issuers are trusted to follow; a credential that names another does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
}

impl Proof {
    /// Whether it says enough and not too much.
    pub fn check(&self) -> Result<()> {
        let max = limits::PROOF_ENTRIES_MAX;
        if self.credentials.is_empty() || self.issuers.is_empty() {
            return Err(Error::usage("mode `dcp` needs at least one --credential and one --issuer"));
        }
        if [self.credentials.len(), self.issuers.len(), self.schemas.len()].iter().any(|n| *n > max) {
            return Err(Error::usage(format!("at most {max} credentials, issuers and schemas can be named")));
        }
        let word = |kind: &String| {
            (1..=limits::CREDENTIAL_TYPE_BYTES_MAX).contains(&kind.len())
                && kind.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        };
        if self.credentials.iter().all(word) {
            Ok(())
        } else {
            Err(Error::usage(
                "a type of credential has letters, digits and `-_.`, as in `MembershipCredential`",
            ))
        }
    }
}

/// Whether the one who sent `said` presents now what its registration demands.
pub(super) async fn presented(
    node: &Node,
    connector: &Connector,
    said: &SelfIssued,
    holder: &Document,
) -> std::result::Result<(), Failed> {
    let there = |why: &str| Failed::There(why.to_owned());
    let proof = connector.proof.as_ref().ok_or_else(|| there("its registration demands no credentials"))?;
    // One at a time for each connector: a slow credential service holds up its own messages alone.
    let _turn = node.locks.lock(format!("dcp/{}", connector.party).as_bytes()).await;
    let presentations = query(node, connector, proof, said, holder).await?;
    let own = own_did(node).map_err(Failed::Here)?;
    let mut held = BTreeSet::new();
    for text in &presentations {
        for credential in presentation::open(text, holder, &own, node.clock.now(), connector.unlisted())? {
            if proof.issuers.contains(credential.issuer()) {
                held.extend(types(node, connector, proof, holder, &credential).await?);
            }
        }
    }
    match proof.credentials.iter().find(|kind| !held.contains(*kind)) {
        None => Ok(()),
        Some(kind) => Err(there(&format!("it presents no `{kind}` of an issuer that counts"))),
    }
}

async fn query(
    node: &Node,
    connector: &Connector,
    proof: &Proof,
    said: &SelfIssued,
    holder: &Document,
) -> std::result::Result<Vec<String>, Failed> {
    let there = |why: &str| Failed::There(why.to_owned());
    let service = holder
        .service(CREDENTIAL_SERVICE)
        .ok_or_else(|| there("its document names no credential service"))?;
    let access = said
        .access_token
        .as_deref()
        .ok_or_else(|| there("its token opens no credential service (`token`)"))?;
    let url = format!("{}{QUERY_PATH}", service.trim_end_matches('/'));
    let scopes: Vec<String> = proof.credentials.iter().map(|kind| presentation::scope_of(kind)).collect();
    let bearer = format!("Bearer {}", mint(node, said.did.as_str(), Some(access)).map_err(Failed::Here)?);
    let mut bearer =
        HeaderValue::from_str(&bearer).map_err(|_| there("its token holds letters that no header takes"))?;
    bearer.set_sensitive(true);
    let json = HeaderValue::from_static("application/json");
    let headers =
        [(header::AUTHORIZATION, bearer), (header::CONTENT_TYPE, json.clone()), (header::ACCEPT, json)];
    let wish = Ask {
        method: Method::POST,
        url: &url,
        headers: HeaderMap::from_iter(headers),
        body: presentation::query(&scopes).to_string(),
    };
    let bytes = told(ask(node, wish, connector.names(&url), PRESENTATION_RESPONSE_BYTES_MAX).await)?;
    Ok(presentation::response(&bytes)?)
}

/// The types that a credential proves, once its issuer, its dates and its status were asked.
async fn types(
    node: &Node,
    connector: &Connector,
    proof: &Proof,
    holder: &Document,
    credential: &Credential,
) -> std::result::Result<Vec<String>, Failed> {
    let issuer = resolve(node, connector, credential.issuer()).await?;
    let now = node.clock.now();
    let proven = credential.verify(&issuer, holder.did(), now, connector.unlisted())?;
    if let Some(other) = proven.schemas.iter().find(|schema| !proof.schemas.contains(schema)) {
        return Err(Failed::There(format!(
            "a credential follows a schema that is not registered: `{other}`"
        )));
    }
    for entry in &proven.status {
        let accept = HeaderValue::from_static("application/vc+jwt, application/jwt;q=0.9");
        let wish = Ask {
            method: Method::GET,
            url: &entry.list,
            headers: HeaderMap::from_iter([(header::ACCEPT, accept)]),
            body: String::new(),
        };
        let bytes = told(ask(node, wish, connector.names(&entry.list), STATUS_LIST_BYTES_MAX).await)?;
        let list =
            std::str::from_utf8(&bytes).map_err(|_| Failed::There("a status list is no text".to_owned()))?;
        entry.check(list, &issuer, now, connector.unlisted())?;
    }
    Ok(proven.types)
}
