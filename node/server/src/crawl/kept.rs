//! Pages of peers' catalogs on disk, each as the peer sent it, with what both sides signed.
//!
//! Promise: an auditor can check from a kept page alone, and the peer's public key, that this peer showed these datasets to
//! this node at that time, and until when it said that nothing changed. A page that was damaged on the disk is no page:
//! it is logged, and fetched again with the next crawl.
//!
//! Keys in [`Space::Meta`]: `crawl/PEER` (how many pages, when), `crawl/PEER/PAGE/head` and `/body`, PEER shortened.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::message::{KeyResolver, SignatureEvidence};
use exchange::dsp::{self, Catalog};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Space, Store, Tx};

use crate::error::{Error, Result};
use crate::files;
use crate::limits;
use crate::records;

const PREFIX: &str = "crawl/";

/// What one side signed: the RFC 9421 signature base and the Ed25519 signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The signature base, the text itself.
    pub base: String,
    /// The signature, base64.
    pub signature: String,
}

impl From<&SignatureEvidence> for Signed {
    fn from(evidence: &SignatureEvidence) -> Self {
        Self { base: evidence.base.clone(), signature: BASE64.encode(evidence.signature) }
    }
}

/// The newest word of the peer that a page is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// When, Unix seconds.
    pub at: i64,
    /// What this node signed to ask; its address names the digest of the page.
    pub asked: Signed,
    /// What the peer signed to answer.
    pub said: Signed,
    /// The short body of that answer.
    pub body: String,
}

/// All of a kept page but its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whose page it is.
    pub participant: String,
    /// The address that it was asked of.
    pub url: String,
    /// SHA-256 of the body, hex.
    pub sha256: String,
    /// When it was fetched, Unix seconds.
    pub fetched_at: i64,
    /// What this node signed to ask.
    pub asked: Signed,
    /// What the peer signed to answer: its base holds the digest of the body and the address asked.
    pub said: Signed,
    /// The newest word that it is still so.
    pub confirmed: Option<Confirmed>,
}

/// A kept page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is known about it.
    pub head: Head,
    /// The peer's answer, byte for byte.
    pub body: Vec<u8>,
}

impl Page {
    /// The answer read.
    pub fn catalog(&self) -> Result<Catalog> {
        let participant = &self.head.participant;
        dsp::parse::<Catalog>(&self.body)
            .map_err(|e| Error::Peer(format!("the catalog of {participant} is malformed: {e}")))
    }
}

/// One peer's catalog as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Whose it is.
    pub participant: String,
    /// How many pages it has.
    pub pages: usize,
    /// When it was last read to its end, Unix seconds.
    pub seen_at: i64,
}

fn key(participant: &str) -> String {
    format!("{PREFIX}{}", records::short(participant))
}

fn page_key(participant: &str, page: usize, part: &str) -> Vec<u8> {
    format!("{}/{page:05}/{part}", key(participant)).into_bytes()
}

/// Peers of whom something is kept. What cannot be read is logged and left out.
pub fn wholes(store: &Store) -> Result<Vec<Whole>> {
    // `crawl/PEER` and, behind `/`, its pages: only the first has this length.
    let mut found = Vec::new();
    let mut from = PREFIX.as_bytes().to_vec();
    let end = store::prefix_end(PREFIX.as_bytes());
    loop {
        let page = store.scan(Space::Meta, &from, end.as_deref(), 1)?;
        let Some(record) = page.records.first() else { return Ok(found) };
        let of: Vec<&[u8]> = record.key.splitn(3, |byte| *byte == b'/').take(2).collect();
        let of = of.join(&b'/');
        // Pages without it are those of a first crawl that was cut off.
        if of == *record.key {
            match serde_json::from_slice::<Whole>(&record.value) {
                Ok(whole) => found.push(whole),
                Err(error) => {
                    tracing::error!(%error, "a kept catalog cannot be read; it will be fetched again")
                }
            }
        }
        // Behind its pages: `0` is the character after `/`.
        from = [&*of, b"0"].concat();
    }
}

/// What is kept of one peer.
pub fn whole(store: &Store, participant: &str) -> Result<Option<Whole>> {
    let Some(record) = store.get(Space::Meta, key(participant))? else { return Ok(None) };
    Ok(serde_json::from_slice(&record.value).ok())
}

/// The pages of a peer with their numbers, in order; a damaged one is left out and logged.
pub fn pages(store: &Store, participant: &str) -> Result<Vec<(usize, Page)>> {
    let count = whole(store, participant)?.map_or(0, |whole| whole.pages);
    let mut pages = Vec::new();
    for number in 0..count.min(limits::CATALOG_PAGES_MAX) {
        match page(store, participant, number)? {
            Some(page) => pages.push((number, page)),
            None => {
                tracing::error!(%participant, number, "a kept catalog page is damaged; it will be fetched again")
            }
        }
    }
    Ok(pages)
}

/// `None` for a page that is not there or not as it was written.
fn page(store: &Store, participant: &str, number: usize) -> Result<Option<Page>> {
    let head = store.get(Space::Meta, page_key(participant, number, "head"))?;
    let body = store.get(Space::Meta, page_key(participant, number, "body"))?;
    let (Some(head), Some(body)) = (head, body) else { return Ok(None) };
    let Ok(head) = serde_json::from_slice::<Head>(&head.value) else { return Ok(None) };
    let mut unpacked = Vec::new();
    let most = limits::MESSAGE_BYTES_MAX as u64;
    let read = ZlibDecoder::new(&*body.value).take(most).read_to_end(&mut unpacked);
    let sound = read.is_ok() && sha256(&unpacked) == head.sha256 && head.participant == participant;
    Ok(sound.then_some(Page { head, body: unpacked }))
}

/// Writes a peer's pages in place of the old ones: the bodies of the new ones, the heads of all. Each page is a transaction
/// of its own, because a long catalog is more than one may hold; after a crash in between, pages that do not fit their
/// heads are fetched again.
pub async fn keep(store: &Store, participant: &str, pages: &[(Page, bool)], now: i64) -> Result<()> {
    let before = whole(store, participant)?.map_or(0, |whole| whole.pages);
    for (number, (page, moved)) in pages.iter().enumerate() {
        let mut tx = Tx::new().put_json(Space::Meta, page_key(participant, number, "head"), &page.head)?;
        if *moved {
            tx = tx.put(Space::Meta, page_key(participant, number, "body"), packed(&page.body)?);
        }
        store.commit(tx).await?;
    }
    let whole = Whole { participant: participant.to_owned(), pages: pages.len(), seen_at: now };
    store.commit(Tx::new().put_json(Space::Meta, key(participant).into_bytes(), &whole)?).await?;
    for number in pages.len()..before {
        let tx = Tx::new().delete(Space::Meta, page_key(participant, number, "head"));
        store.commit(tx.delete(Space::Meta, page_key(participant, number, "body"))).await?;
    }
    Ok(())
}

fn packed(body: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    ZlibEncoder::new(body, Compression::default()).read_to_end(&mut packed).map_err(Error::internal)?;
    Ok(packed)
}

/// SHA-256 in hex, as the page's digest is written.
pub fn sha256(bytes: &[u8]) -> String {
    files::hex(&<[u8; 32]>::from(Sha256::digest(bytes)))
}

/// The address of a page with the digest that is known of it, as it is asked.
pub fn asking(url: &str, known: Option<&str>) -> String {
    match known {
        Some(known) => format!("{url}{}known={known}", if url.contains('?') { '&' } else { '?' }),
        None => url.to_owned(),
    }
}

impl Signed {
    /// A line of the signature base.
    pub fn covers(&self, name: &str) -> Option<&str> {
        self.base.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The line of an answer's base that says which address was asked.
pub const ASKED: &str = "\"@target-uri\";req";

/// Who signed an answer, if it holds: the body is the signed one, the address is that of the page, and the key is the
/// peer's. `known`: the digest that the address must name; without one any may stand there.
pub fn check(
    head: &Head,
    signed: &Signed,
    body: &[u8],
    known: Option<&str>,
    keys: &dyn KeyResolver,
) -> std::result::Result<String, String> {
    let line = |name: &str| signed.covers(name).ok_or_else(|| format!("the signature does not cover {name}"));
    let digest = format!("sha-256=:{}:", BASE64.encode(Sha256::digest(body)));
    if line("\"content-digest\"")? != digest {
        return Err("the body is not the one that was signed".to_owned());
    }
    let asked = line(ASKED)?;
    let is_page = match known {
        Some(known) => asked == asking(&head.url, Some(known)),
        None => asked == head.url || asked.starts_with(&asking(&head.url, Some(""))),
    };
    if !is_page {
        return Err("the signature answers another address".to_owned());
    }
    let parameters = line("\"@signature-params\"")?;
    let value = |name: &str| {
        let rest = parameters.split(';').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        rest.map(|v| v.trim_matches('"')).ok_or_else(|| format!("the signature has no `{name}`"))
    };
    let (keyid, created) = (value("keyid")?, value("created")?);
    let created = created.parse().map_err(|_| "the signature has no time".to_owned())?;
    let key =
        keys.signing_key(keyid, created).ok_or_else(|| format!("`{keyid}` is no key of the registry"))?;
    if key.participant.as_str() != head.participant {
        return Err(format!("`{keyid}` is a key of {}", key.participant));
    }
    let signature = BASE64.decode(&signed.signature).ok().and_then(|s| <[u8; 64]>::try_from(s).ok());
    match signature {
        Some(signature) if key.key.verify(signed.base.as_bytes(), &signature) => Ok(keyid.to_owned()),
        _ => Err("the signature does not fit".to_owned()),
    }
}

#[cfg(test)]
mod tests;
