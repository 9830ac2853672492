//! Checking a ledger wherever it lies: the signed checkpoint, every tile and entry, every statement's signature, and what
//! a bundle opened. The first bad thing is named.
//!
//! Cosignatures are listed with what is known of them, and held against a trust policy when one is given. Time-stamps
//! are checked where they are: beside the files of a node, a log or a mirror, and in a bundle.

use std::path::{Path, PathBuf};

use ledger::checkpoint::SignedCheckpoint;
use ledger::statement::{Deed, Own, SignedStatement, Statement};
use ledger::timestamp::{Roots, files as beside};
use ledger::trust::{Freshness, Outcome, TrustPolicy};
use ledger::verify::Checks;
use serde_json::{Map, Value, json};
use sha2::Digest;

use super::bundle::Bundle;
use super::place::{Access, Opened, Place};
use super::stamps;
use super::trust::{Judge, Signed, Trust};
use crate::error::{Error, Result};
use crate::operation::Clock;
use crate::{files, ledger_check};

/// What was found; `ok` is false when something is bad. An error is told for what could not be read at all.
pub fn check(place: &Place, access: &Access) -> Result<Value> {
    let report = match place {
        Place::Node(dir) if access.keys.is_empty() && access.vkeys.is_empty() => {
            ledger_check::check_by(dir, access.stamps.as_deref(), access.archive.as_deref())?
        }
        Place::Node(dir) => {
            files_of(&dir.join("ledger"), place, access, ledger_check::stamp_roots(dir)?.as_ref())?
        }
        Place::Log(dir) | Place::Mirror(dir) => files_of(dir, place, access, None)?,
        Place::Address(_) | Place::Bundle(_) => json!({"ok": true}),
    };
    let mut report = match report {
        Value::Object(report) => report,
        _ => Map::new(),
    };
    report.insert("place".to_owned(), json!(place.to_string()));
    report.insert("kind".to_owned(), json!(place.word()));
    if report.get("ok") == Some(&json!(true)) {
        match entries(place, access, &mut report) {
            Err(Error::Verification(problem)) => {
                report.insert("ok".to_owned(), json!(false));
                report.insert("problem".to_owned(), json!(problem));
            }
            other => other?,
        }
    }
    Ok(Value::Object(report))
}

/// The files of a log or mirror, each against the others, by the keys that were given.
fn files_of(dir: &Path, place: &Place, access: &Access, configured: Option<&Roots>) -> Result<Value> {
    let mut trust = Trust::given(&access.keys, &access.vkeys)?;
    if trust.is_empty() {
        trust = match place {
            Place::Node(dir) => Trust::of_node(dir)?,
            other => return Err(super::place::no_keys(other)),
        };
    }
    let path = dir.join("checkpoint");
    let origin = std::fs::read(&path)
        .ok()
        .and_then(|bytes| SignedCheckpoint::parse(&bytes).ok())
        .map(|signed| signed.checkpoint().origin.to_string())
        .unwrap_or_default();
    let (keys, now) = (trust.keys_of(&origin), Clock::system().now());
    let checks = Checks {
        keys: &keys,
        roots: access.stamps.as_deref().or(configured),
        archive: access.archive.as_deref(),
        now: u64::try_from(now).unwrap_or(0),
    };
    ledger_check::check_folder(dir, &origin, &checks)
}

/// Every entry against the tree, and every statement by its author's keys.
fn entries(place: &Place, access: &Access, report: &mut Map<String, Value>) -> Result<()> {
    let log = Opened::open(place, access)?;
    let bundle = match place {
        Place::Bundle(path) => Some(Bundle::open(path)?),
        _ => None,
    };
    // A node may have grown since its files were checked: what was counted then stays.
    report.entry("signed").or_insert(json!(log.reader.size()));
    let mut put = |key: &str, value: Value| report.insert(key.to_owned(), value);
    put("origin", json!(log.origin()));
    put("owner", json!(log.owner()));
    put("root", json!(files::hex(&log.reader.checkpoint().root.0)));
    put("keys", keys(&log));
    let vouched = vouched(&log, place)?;
    put("cosigned", vouched.as_ref().map_or(Value::Null, |signed| json!(signed.checkpoint().size)));
    let shown = vouched.as_ref().unwrap_or(log.reader.signed());
    put("cosignatures", cosignatures(&log, shown));
    put("problem", Value::Null);
    if let Some(policy) = &access.policy {
        put("quorum", quorum(&log, shown, policy, access.max_age)?);
    }
    if bundle.is_some() {
        put("withheld", json!(log.reader.size().saturating_sub(log.held())));
    }
    let tokens = match (place, &bundle) {
        (Place::Node(dir), _) => Tokens::Folder(dir.join("ledger")),
        (Place::Log(dir), _) => Tokens::Folder(dir.clone()),
        (_, Some(bundle)) => Tokens::Bundle(bundle),
        (_, None) => Tokens::Elsewhere,
    };
    let counted = statements(&log, bundle.as_ref(), &tokens)?;
    report.entry("entries").or_insert(json!(counted.all));
    let (good, unknown, unreadable) = (counted.good, counted.unknown, counted.unreadable);
    report.insert(
        "statements".to_owned(),
        json!({"signed": good, "author_unknown": unknown, "unreadable": unreadable}),
    );
    if let Some(bundle) = &bundle {
        bundle.check_files()?;
        let now = u64::try_from(Clock::system().now()).unwrap_or(0);
        let stamps = stamps::check(&log, bundle, access.stamps.as_deref(), now)?;
        let good: Vec<Value> = stamps.good.iter().map(ledger_check::stamp_view).collect();
        report.insert("time_stamps".to_owned(), json!(good));
        report.insert("time_stamps_unchecked".to_owned(), json!(stamps.unchecked));
        report.insert("bundle".to_owned(), about(bundle));
    }
    Ok(())
}

/// Where the tokens lie that entries name.
enum Tokens<'a> {
    Folder(PathBuf),
    Bundle(&'a Bundle),
    /// Not at this place.
    Elsewhere,
}

impl Tokens<'_> {
    /// An `anchor@v1` names a token by its digest: it must lie where the log does.
    fn has(&self, log: &Opened, index: u64, said: &Statement) -> Result<()> {
        let Statement::Own(Own { deed: Deed::Anchored(anchored), .. }) = said else { return Ok(()) };
        let (file, bytes) = match self {
            Self::Folder(folder) => {
                let file = beside::Pair::at(folder, anchored.size).token;
                (file.display().to_string(), std::fs::read(&file).ok())
            }
            Self::Bundle(bundle) => {
                let name = format!("{}: {}/{}.tsr", log.place, beside::FOLDER, anchored.size);
                (name, bundle.token(anchored.size)?)
            }
            Self::Elsewhere => return Ok(()),
        };
        let found = bytes.map(|bytes| <[u8; 32]>::from(sha2::Sha256::digest(bytes)));
        if found == Some(anchored.token) {
            return Ok(());
        }
        Err(Error::Verification(format!(
            "`{file}`: expected the time-stamp that entry {index} names, found {}",
            if found.is_none() { "nothing" } else { "another one" }
        )))
    }
}

#[derive(Default)]
struct Counted {
    all: u64,
    good: u64,
    unknown: u64,
    unreadable: u64,
}

fn statements(log: &Opened, bundle: Option<&Bundle>, tokens: &Tokens<'_>) -> Result<Counted> {
    let (mut counted, mut judge) = (Counted::default(), Judge::default());
    let mut opened = bundle.map_or(&[][..], |bundle| &bundle.head.manifest.opened).iter().collect::<Vec<_>>();
    for entry in log.entries(0) {
        let entry = entry?;
        counted.all += 1;
        if let Some(bundle) = bundle {
            bundle.check_proof(&entry, log.reader.signed())?;
        }
        let parsed = SignedStatement::parse(&entry.bytes);
        if let Ok(signed) = &parsed {
            tokens.has(log, entry.index, signed.statement())?;
        }
        let Ok(signed) = parsed else {
            counted.unreadable += 1;
            continue;
        };
        match judge.judge(&log.trust, &signed) {
            Signed::Good => counted.good += 1,
            Signed::Unknown => counted.unknown += 1,
            Signed::Wrong => {
                return Err(Error::Verification(format!(
                    "`{}` at index {}: expected the signature of `{}`, found one that its key did not make",
                    log.place,
                    entry.index,
                    signed.signer()
                )));
            }
        }
        for field in opened.extract_if(.., |field| field.index == entry.index) {
            let commitment = signed.statement().commitment(field.opening()?.field());
            if !commitment.is_some_and(|c| field.opening().is_ok_and(|opening| opening.fits(&c))) {
                return Err(Error::Verification(format!(
                    "`{}` at index {}: the opened field `{}` does not fit the commitment in the entry",
                    log.place, entry.index, field.field
                )));
            }
        }
    }
    match opened.first() {
        None => Ok(counted),
        Some(field) => Err(Error::Verification(format!(
            "`{}`: a field of entry {} is opened, and the entry is not here or no statement",
            log.place, field.index
        ))),
    }
}

/// Where the keys come from, with short fingerprints for people who compare.
fn keys(log: &Opened) -> Value {
    let book = log.trust.book.as_ref().map(crate::keybook::Book::fingerprints).unwrap_or_default();
    let members: Vec<Value> =
        book.into_iter().map(|(id, fingerprint)| json!({"id": id, "fingerprint": fingerprint})).collect();
    let vkeys: Vec<String> = log.trust.vkeys.iter().map(ToString::to_string).collect();
    json!({"from": log.trust.from, "members": members, "vkeys": vkeys})
}

/// Signatures on the checkpoint beside the log's own; `known` says that a key that was given made it.
/// What a node's witnesses vouched for: the log's own word, and a part of this tree. Others carry theirs in the checkpoint.
fn vouched(log: &Opened, place: &Place) -> Result<Option<SignedCheckpoint>> {
    let Place::Node(dir) = place else { return Ok(None) };
    let Some(bytes) = crate::witness::quorum::kept(dir)? else { return Ok(None) };
    let wrong = |why: String| Error::Verification(format!("`{}`: {why}", dir.join("cosigned").display()));
    let signed = SignedCheckpoint::parse(&bytes).map_err(|e| wrong(e.to_string()))?;
    let said = signed.checkpoint();
    signed.verify(&log.trust.keys_of(said.origin.as_str())).map_err(|e| wrong(e.to_string()))?;
    let root = log.reader.root_at(said.size).map_err(|e| wrong(e.to_string()))?;
    if root == said.root {
        return Ok(Some(signed));
    }
    Err(wrong(format!("expected the root {root} of its first {} entries, found {}", said.size, said.root)))
}

fn cosignatures(log: &Opened, signed: &SignedCheckpoint) -> Value {
    let keys = log.trust.keys_of(signed.checkpoint().origin.as_str());
    let verified = signed.verify(&keys).unwrap_or_default();
    let others = signed.note().signatures().iter().filter(|s| s.name != signed.checkpoint().origin);
    let view = others.map(|signature| {
        let known = verified
            .iter()
            .find(|v| *v.key.name() == signature.name && v.key.id() == signature.key_id);
        let time = known.and_then(|v| v.time).and_then(|t| i64::try_from(t).ok()).map(crate::operation::rfc3339);
        json!({"name": signature.name.as_str(), "key_id": files::hex(&signature.key_id), "known": known.is_some(),
            "time": time})
    });
    Value::Array(view.collect())
}

/// The policy must be met; who counted for it, and when they cosigned.
fn quorum(
    log: &Opened,
    signed: &SignedCheckpoint,
    policy: &TrustPolicy,
    max_age: Option<u64>,
) -> Result<Value> {
    let now = u64::try_from(Clock::system().now()).unwrap_or(0);
    let judged = policy.judge(signed, Freshness { now, max_age });
    let time = |t: u64| i64::try_from(t).map_or_else(|_| t.to_string(), crate::operation::rfc3339);
    let counted: Vec<Value> =
        judged.counted().map(|(name, t)| json!({"name": name.to_string(), "time": time(t)})).collect();
    if judged.met {
        return Ok(json!({"met": true, "counted": counted}));
    }
    let absent = judged.witnesses.iter().filter(|said| !matches!(said.outcome, Outcome::Counted { .. }));
    let absent: Vec<String> = absent.map(|said| format!("{} ({:?})", said.name, said.outcome)).collect();
    Err(Error::Verification(format!(
        "`{}`: the checkpoint does not meet the trust policy ({:?}): {} of its witnesses cosigned, these did not: {}",
        log.place,
        judged.log,
        counted.len(),
        absent.join(", ")
    )))
}

fn about(bundle: &Bundle) -> Value {
    let said = &bundle.head.manifest;
    let opened: Vec<Value> =
        said.opened.iter().map(|o| json!({"index": o.index, "field": o.field, "value": o.text()})).collect();
    json!({"from": said.participant, "for": said.made_for, "purpose": said.purpose, "created": said.created,
        "period": {"from": said.period.0, "to": said.period.1}, "exchanges": said.exchanges,
        "entries": said.entries, "unreadable": said.unreadable, "opened": opened})
}
