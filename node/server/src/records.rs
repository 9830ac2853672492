//! What the node remembers of exchanges, peers and messages on their way: one struct a noun, kept as JSON.
//!
//! Keys are built here and nowhere else. Every change goes through [`update`], which reads, lets the caller change, and
//! writes at the revision it read: two changes at once cannot swallow each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Space, Store, StoreError, Tx};

use crate::error::{Error, RefusalInfo, Result};
use crate::flow::terms::Stated;

/// On which side of an exchange this node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This node has the data.
    Provider,
    /// This node asked for it.
    Consumer,
}

/// How far an exchange has come, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The agreement is being negotiated.
    Negotiating,
    /// The agreement stands.
    Agreed,
    /// The transfer was asked for.
    Transferring,
    /// Chunks are under way.
    Receiving,
    /// Every chunk is verified; statement, acknowledgement and receipts go back and forth.
    Acknowledging,
    /// Done, with receipts.
    Completed,
    /// The rules said no.
    Refused,
    /// The peer could not be reached and nobody wanted to wait.
    Unreachable,
    /// Something broke that trying again does not mend.
    Failed,
    /// It was cut off by a crash and could not be taken up again.
    Interrupted,
}

impl Stage {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Refused | Self::Unreachable | Self::Failed | Self::Interrupted)
    }

    /// The word used in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Negotiating => "negotiating",
            Self::Agreed => "agreed",
            Self::Transferring => "transferring",
            Self::Receiving => "receiving",
            Self::Acknowledging => "acknowledging",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a consumer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// `query` or `download`.
    pub action: String,
    /// Purpose, without prefix.
    pub purpose: Option<String>,
    /// Legal basis, without prefix.
    pub basis: Option<String>,
    /// What the consumer adds to the view; the wire form of `urn:tram:ns:query`.
    pub query: Value,
    /// What the consumer states of the people and the place that use the data.
    #[serde(default, skip_serializing_if = "Stated::is_empty")]
    pub stated: Stated,
}

/// A ledger entry that an exchange left or is about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The entry's bytes, base64.
    pub bytes: String,
    /// Size of the ledger before the entry was handed over: where to look for it after a crash.
    pub from: u64,
    /// Its index, once it is durable.
    pub index: Option<u64>,
}

impl Leaf {
    /// An entry that is about to be handed over to a ledger of `size` entries.
    pub fn new(bytes: &[u8], size: u64) -> Self {
        Self { bytes: BASE64.encode(bytes), from: size, index: None }
    }
}

/// One exchange, on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// ULID chosen by the consumer.
    pub id: String,
    /// This node's side.
    pub side: Side,
    /// Participant id of the other side.
    pub peer: String,
    /// Dataset name at the provider.
    pub dataset: String,
    /// What is asked for.
    pub ask: Ask,
    /// How far it has come.
    pub stage: Stage,
    /// Whether the consumer wants to wait for an unreachable peer.
    #[serde(default)]
    pub queue: bool,
    /// Whether the consumer wants a new agreement although one stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
    /// Whether its rows are fetched at any hour, however big they are (consumer).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_hour: bool,
    /// This node's pid of the negotiation.
    pub negotiation: Option<String>,
    /// Id of the agreement.
    pub agreement: Option<String>,
    /// This node's pid of the transfer.
    pub transfer: Option<String>,
    /// Base URL of the data and its token, from TransferStart (consumer).
    #[serde(default)]
    pub address: Option<DataAddress>,
    /// SHA-256 of the consumer's certificate, hex: what the token of the data is bound to (provider).
    #[serde(default)]
    pub certificate: Option<String>,
    /// The refusal, when the rules said no.
    pub refusal: Option<RefusalInfo>,
    /// Why it failed.
    pub failure: Option<String>,
    /// How long and how often it has waited for the network, while `failure` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses: Option<Pauses>,
    /// Obligations applied.
    pub obligations: Value,
    /// Rows of the answer.
    pub rows: Option<u64>,
    /// Bytes of the answer.
    pub bytes: Option<u64>,
    /// SHA-256 of the answer, hex.
    pub sha256: Option<String>,
    /// Entry of the intent (provider).
    pub intent: Option<Leaf>,
    /// Entry of the statement.
    pub statement: Option<Leaf>,
    /// Entry of the acknowledgement.
    pub ack: Option<Leaf>,
    /// Entry that says the exchange was interrupted.
    #[serde(default)]
    pub interrupted: Option<Leaf>,
    /// Entry that says what opens the statement was destroyed.
    #[serde(default)]
    pub erasure: Option<Leaf>,
    /// Receipts that are held, by side: `provider`, `consumer`.
    #[serde(default)]
    pub receipts: Vec<String>,
    /// Whether the rows travel sealed and the key comes after the acknowledgement. As the dataset was when the transfer was
    /// decided; a consumer learns it from the manifest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipt_first: bool,
    /// At the provider: size in which its rows are cut. Rows that are made again are cut as before, or nothing that the consumer
    /// holds would fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_bytes: Option<u64>,
    /// What becomes of the copy that is kept of the dataset, as the manifest says (consumer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<exchange::manifest::CopyRef>,
    /// The subscription that it brings rows for (consumer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// That the rows are of an older version of the contract, as the manifest says (consumer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<exchange::manifest::Superseded>,
    /// When its answer was counted against quotas, Unix seconds (provider).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<i64>,
    /// That it was asked for at the public door, and how (provider).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<crate::flow::direct::Direct>,
    /// When it began, Unix seconds.
    pub created: i64,
    /// When it changed last, Unix seconds.
    pub updated: i64,
}

/// Tries of what waits for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pauses {
    /// When the first of them failed, Unix seconds.
    pub since: i64,
    /// How many.
    pub count: u32,
}

/// Where a consumer pulls from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataAddress {
    /// Base URL.
    pub endpoint: String,
    /// Bearer token; short-lived and bound to the consumer's certificate, so worth little to a reader of the store.
    pub token: String,
}

impl std::fmt::Debug for DataAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataAddress({}, token hidden)", self.endpoint)
    }
}

impl Exchange {
    /// A new exchange, about which nothing has happened yet.
    pub fn new(id: String, side: Side, peer: String, dataset: String, ask: Ask, now: i64) -> Self {
        Self {
            id,
            side,
            peer,
            dataset,
            ask,
            stage: Stage::Negotiating,
            queue: true,
            renew: false,
            any_hour: false,
            negotiation: None,
            agreement: None,
            transfer: None,
            address: None,
            certificate: None,
            refusal: None,
            failure: None,
            pauses: None,
            obligations: Value::Null,
            rows: None,
            bytes: None,
            sha256: None,
            intent: None,
            statement: None,
            ack: None,
            interrupted: None,
            erasure: None,
            receipts: Vec::new(),
            receipt_first: false,
            chunk_bytes: None,
            copy: None,
            subscription: None,
            superseded: None,
            counted: None,
            direct: None,
            created: now,
            updated: now,
        }
    }

    /// Notes that it waits for the network, and why; counted from the last time that it went on.
    pub fn pause(&mut self, why: &str, now: i64) {
        let before = self.failure.is_some().then_some(self.pauses).flatten();
        let count = before.map_or(0, |pauses| pauses.count).saturating_add(1);
        self.pauses = Some(Pauses { since: before.map_or(now, |pauses| pauses.since), count });
        self.failure = Some(why.to_owned());
    }

    /// Origin of the other side's ledger, as [`certs::descriptor::default_origin`] names it.
    pub fn peer_ledger(&self) -> String {
        format!("{}/ledger", self.peer)
    }

    /// The key under which it is kept.
    pub fn key(&self) -> Vec<u8> {
        match self.side {
            Side::Consumer => consumer_key(&self.id),
            Side::Provider => provider_key(&self.peer, &self.id),
        }
    }
}

/// Key of an exchange that this node began.
pub fn consumer_key(id: &str) -> Vec<u8> {
    format!("c/{id}").into_bytes()
}

/// Key of an exchange that `consumer` began here: ids are unique per consumer only.
pub fn provider_key(consumer: &str, id: &str) -> Vec<u8> {
    format!("p/{}/{id}", short(consumer)).into_bytes()
}

/// Bytes of a digest in a key: two participants that share them would share records, so nobody may find two ids that do.
const SHORT_BYTES: usize = 16;

/// A participant id as a fixed-width key part.
pub fn short(participant: &str) -> String {
    use sha2::Digest;
    let digest: [u8; 32] = sha2::Sha256::digest(participant.as_bytes()).into();
    crate::files::hex(&digest[..SHORT_BYTES])
}

/// A negotiation or transfer with the exchange it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Process<T> {
    /// The protocol's own record.
    pub process: T,
    /// Key of the exchange.
    pub exchange: String,
    /// Kind of our own message that is on its way and not yet acknowledged.
    #[serde(default)]
    pub pending: Option<String>,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The peer's own signed description, JSON.
    pub descriptor: Value,
    /// Participant id.
    pub id: String,
    /// Name, Vietnamese.
    pub name_vi: String,
    /// Name, English.
    pub name_en: String,
    /// Country.
    pub country: String,
    /// Base URL.
    pub endpoint: String,
    /// Groups that rules may name, without prefix.
    pub groups: Vec<String>,
    /// `active` or `revoked`.
    pub status: String,
    /// Six words that both sides compare.
    pub words: String,
    /// When it was paired, Unix seconds.
    pub paired: i64,
}

/// An open invitation. Of the secret only what checks it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The one-time secret, hex. Worthless after use or a day; the record is deleted then.
    pub secret: String,
    /// Groups for the one that accepts.
    pub groups: Vec<String>,
    /// The only participant that may use it; it may then come with other keys than it had.
    #[serde(default)]
    pub made_for: Option<certs::ParticipantId>,
    /// Unix seconds.
    pub expires: i64,
}

/// Reads a record.
pub fn get<T: DeserializeOwned>(store: &Store, space: Space, key: &[u8]) -> Result<Option<(T, u64)>> {
    let Some(found) = store.get(space, key).map_err(Error::from)? else { return Ok(None) };
    let value = serde_json::from_slice(&found.value).map_err(|e| {
        Error::internal(format!("record {} of {space} is unreadable: {e}", key.escape_ascii()))
    })?;
    Ok(Some((value, found.revision)))
}

/// Reads every record of a space, or those whose key begins with `prefix`.
pub fn all<T: DeserializeOwned>(store: &Store, space: Space, prefix: &[u8]) -> Result<Vec<(Vec<u8>, T)>> {
    each(store, space, prefix)?.into_iter().collect()
}

/// The same without those that cannot be read; they are logged.
pub fn readable<T: DeserializeOwned>(store: &Store, space: Space, prefix: &[u8]) -> Result<Vec<T>> {
    // What cannot be read was logged when its error was made.
    Ok(each(store, space, prefix)?.into_iter().flatten().map(|(_, value)| value).collect())
}

/// A record with its key, or why it cannot be read.
type Readable<T> = Result<(Vec<u8>, T)>;

fn each<T: DeserializeOwned>(store: &Store, space: Space, prefix: &[u8]) -> Result<Vec<Readable<T>>> {
    let end = store::prefix_end(prefix);
    let mut from = prefix.to_vec();
    let mut found = Vec::new();
    loop {
        let page = store.scan(space, &from, end.as_deref(), 256).map_err(Error::from)?;
        for record in &page.records {
            let value = serde_json::from_slice(&record.value).map_err(|e| {
                Error::internal(format!("record {} of {space} is unreadable: {e}", record.key.escape_ascii()))
            });
            found.push(value.map(|value| (record.key.to_vec(), value)));
        }
        match page.next {
            Some(next) => from = next.to_vec(),
            None => return Ok(found),
        }
    }
}

/// Changes a record: reads it, lets `change` work on it, and writes it at the revision that was read; begins again
/// when somebody else was faster. What `change` adds to the transaction is written with it or not at all.
pub async fn update<T, R>(
    store: &Store,
    space: Space,
    key: &[u8],
    mut change: impl FnMut(&mut T) -> Result<(R, Tx)>,
) -> Result<R>
where
    T: DeserializeOwned + Serialize,
{
    loop {
        let (mut value, revision) = get::<T>(store, space, key)?
            .ok_or_else(|| Error::not_found(format!("no {space} `{}` here", String::from_utf8_lossy(key))))?;
        let (result, tx) = change(&mut value)?;
        let tx = Tx::new()
            .at(space, key.to_vec(), revision)
            .put_json(space, key.to_vec(), &value)
            .map_err(Error::from)?
            .and(tx);
        match store.commit(tx).await {
            Ok(_) => return Ok(result),
            Err(e) if e.is_conflict() => tokio::task::yield_now().await,
            Err(e) => return Err(e.into()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_conflict() {
            return Self::conflict(
                "somebody else changed this at the same moment; look at it again and retry",
            );
        }
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn participants_have_keys_of_128_bits() {
        let (a, b) = (super::short("urn:agency:vn:a"), super::short("urn:agency:vn:b"));
        assert_eq!((a.len(), a == b), (32, false));
    }
}
