//! Connectors that are a `did:web` (crate `certs`, [`certs::did`]): their documents fetched and kept for a while, their
//! tokens taken once, and this node's own DID.
//!
//! Only DIDs that a registration names are ever asked for: a stranger's token makes this node fetch nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use certs::did::document::Service;
use certs::did::limits::DOCUMENT_BYTES_MAX;
use certs::did::token::Unverified;
use certs::did::{DidWeb, Document, OwnKey, Replays, SelfIssued, own};
use serde_json::Value;
use store::{Space, Tx};

use super::{Mode, dcp};
use crate::dsp::{self, Connector};
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::outbound::connector::{Ask, ask};
use crate::records;

/// Where the newest second stands up to which tokens may have been taken.
const MARK: &[u8] = b"did-mark";

/// What this process keeps for it.
pub struct Identities {
    own: OnceLock<OwnKey>,
    documents: Mutex<HashMap<String, Kept>>,
    replays: Replays,
    mark: tokio::sync::Mutex<i64>,
}

/// A document, or that there was none, and since when.
#[derive(Clone)]
struct Kept {
    at: i64,
    document: Option<Arc<Document>>,
}

impl Identities {
    /// With what the process before this one left in the store.
    pub fn open(store: &store::Store) -> Result<Self> {
        let mark = records::get::<i64>(store, Space::Meta, MARK)?.map_or(i64::MIN, |(mark, _)| mark);
        Ok(Self {
            own: OnceLock::new(),
            documents: Mutex::default(),
            replays: Replays::new(mark.saturating_add(1)),
            mark: tokio::sync::Mutex::new(mark),
        })
    }

    fn kept(&self, did: &DidWeb) -> Option<Kept> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(did.as_str()).cloned()
    }

    fn keep(&self, did: &DidWeb, kept: Kept) {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= limits::DID_DOCUMENTS_MAX {
            // Only registered DIDs come here, so this is rare; what is dropped is fetched again.
            documents.clear();
        }
        documents.insert(did.as_str().to_owned(), kept);
    }
}

/// This node's DID: the host of its public door.
///
/// # Errors
/// [`Error::Conflict`] when the door is closed, [`Error::Usage`] for a host that no `did:web` can name.
pub fn own_did(node: &Node) -> Result<DidWeb> {
    let endpoint = crate::public::endpoint(node)?;
    let authority = endpoint.split_once("://").map_or(endpoint, |(_, authority)| authority);
    DidWeb::parse(&format!("did:web:{}", authority.replace(':', "%3A")))
        .map_err(|e| Error::usage(e.to_string()))
}

/// The own key; made when it is first needed.
pub fn own_key(node: &Node) -> Result<&OwnKey> {
    if let Some(key) = node.identities.own.get() {
        return Ok(key);
    }
    let key = OwnKey::load_or_create(&key_file(node)).map_err(|e| Error::usage(e.to_string()))?;
    Ok(node.identities.own.get_or_init(|| key))
}

fn key_file(node: &Node) -> std::path::PathBuf {
    node.dir.join("keys").join(own::KEY_FILE)
}

/// The own DID document; none before the first connector with a DID was registered.
pub fn own_document(node: &Node) -> Result<Option<Value>> {
    if !key_file(node).exists() {
        return Ok(None);
    }
    let endpoint = crate::public::endpoint(node)?;
    let service = |kind: &str, endpoint: String| Service { kind: kind.to_owned(), endpoint };
    let mut services = vec![
        service("DataService", format!("{endpoint}/.well-known/dspace-version")),
        service("CatalogService", format!("{}/catalog", dsp::base(node)?)),
    ];
    let elsewhere = node.config.public.as_ref().and_then(|section| section.credential_service.clone());
    services.extend(elsewhere.map(|address| service("CredentialService", address)));
    Ok(Some(own_key(node)?.document(&own_did(node)?, &services)))
}

/// A self-issued token of this node for one message.
pub fn mint(node: &Node, audience: &str, token: Option<&str>) -> Result<String> {
    let id = uuid::Uuid::new_v4().to_string();
    own_key(node)?.mint(&own_did(node)?, audience, &id, node.clock.now(), token).map_err(Error::internal)
}

/// The connector whose self-issued token this is; none if it is nobody's or does not hold. Why is in the log alone.
pub async fn by_token(node: &Node, token: &str) -> Result<Option<Connector>> {
    let Ok(own) = own_did(node) else { return Ok(None) };
    let unverified = match Unverified::read(token, &own, node.clock.now()) {
        Ok(unverified) => unverified,
        Err(error) => return Ok(refused("a connector", &error)),
    };
    let Some(connector) = registered(node, unverified.did())? else {
        return Ok(refused("a connector", &"its DID is not registered"));
    };
    match proven(node, &connector, unverified).await {
        Ok(()) => Ok(Some(connector)),
        // The store's own errors are not the caller's fault.
        Err(Failed::Here(error)) => Err(error),
        Err(Failed::There(why)) => Ok(refused(&connector.party, &why)),
    }
}

fn refused(who: &str, why: &dyn std::fmt::Display) -> Option<Connector> {
    tracing::info!(who, %why, "a self-issued token was refused");
    None
}

/// The connector registered under a DID, if its party may ask.
fn registered(node: &Node, did: &DidWeb) -> Result<Option<Connector>> {
    let is =
        |c: &Connector| matches!(c.mode, Mode::DidWeb | Mode::Dcp) && c.participant.as_str() == did.as_str();
    match dsp::all(node)?.into_iter().find(is) {
        Some(connector) => dsp::find(node, &connector.party),
        None => Ok(None),
    }
}

/// Whose fault a failure is.
pub(super) enum Failed {
    /// Ours: the store, our key.
    Here(Error),
    /// The caller's, or of those whom it names.
    There(String),
}

impl From<certs::did::DidError> for Failed {
    fn from(error: certs::did::DidError) -> Self {
        Self::There(error.to_string())
    }
}

async fn proven(
    node: &Node,
    connector: &Connector,
    token: Unverified<'_>,
) -> std::result::Result<(), Failed> {
    let did = token.did().clone();
    let document = resolve(node, connector, &did).await?;
    let said = token.verify(&document, connector.unlisted())?;
    taken(node, &said).await?;
    if connector.mode == Mode::Dcp { dcp::presented(node, connector, &said, &document).await } else { Ok(()) }
}

/// Remembers a token as used: durably up to which second, in memory which one.
async fn taken(node: &Node, said: &SelfIssued) -> std::result::Result<(), Failed> {
    let now = node.clock.now();
    let mut mark = node.identities.mark.lock().await;
    if said.issued > *mark {
        // Ahead of time, so that not each message writes.
        let ahead = said.issued.max(now).saturating_add(limits::DID_MARK_AHEAD_S);
        let tx =
            Tx::new().put_json(Space::Meta, MARK.to_vec(), &ahead).map_err(|e| Failed::Here(e.into()))?;
        node.store.commit(tx).await.map_err(|e| Failed::Here(e.into()))?;
        *mark = ahead;
    }
    drop(mark);
    Ok(node.identities.replays.take(said, now)?)
}

/// The document of a DID that the connector's registration names: the kept one, or fetched, once for all who wait.
pub(super) async fn resolve(
    node: &Node,
    connector: &Connector,
    did: &DidWeb,
) -> std::result::Result<Arc<Document>, Failed> {
    let _turn = node.locks.lock(format!("did/{did}").as_bytes()).await;
    let now = node.clock.now();
    let none = || Failed::There(format!("the document of `{did}` could not be had lately"));
    if let Some(kept) = node.identities.kept(did) {
        let life =
            if kept.document.is_some() { limits::DID_DOCUMENT_KEPT_S } else { limits::DID_FAILURE_KEPT_S };
        if (kept.at..kept.at.saturating_add(life)).contains(&now) {
            return kept.document.ok_or_else(none);
        }
    }
    let fetched = fetch(node, connector, did).await;
    // From when it is known, not from when it was asked for: a slow host's failure would be forgotten as it is kept.
    let now = node.clock.now();
    node.identities.keep(did, Kept { at: now, document: fetched.as_ref().ok().cloned() });
    fetched
}

async fn fetch(
    node: &Node,
    connector: &Connector,
    did: &DidWeb,
) -> std::result::Result<Arc<Document>, Failed> {
    let url = did.url(connector.did_scheme(did));
    let headers = [(header::ACCEPT, HeaderValue::from_static("application/did+json, application/json"))];
    let wish =
        Ask { method: Method::GET, url: &url, headers: HeaderMap::from_iter(headers), body: String::new() };
    let bytes = told(ask(node, wish, true, DOCUMENT_BYTES_MAX).await)?;
    Ok(Arc::new(Document::read(did, &bytes)?))
}

/// What went wrong on the line, or over there, is the other side's.
pub(super) fn told<T>(answer: Result<T>) -> std::result::Result<T, Failed> {
    answer.map_err(|error| match error {
        Error::Internal(_) => Failed::Here(error),
        other => Failed::There(other.to_string()),
    })
}
