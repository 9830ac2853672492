//! `tram ledger witnesses|trust|conflict`: who vouches for this ledger, whom to trust, and the proof when a ledger lies.

use std::path::{Path, PathBuf};

use ledger::conflict::{self, Verdict};
use ledger::promise::{self, PROOF_BYTES_MAX};
use ledger::trust::TrustPolicy;
use serde_json::{Value, json};

use super::client::Client;
use super::out::{Out, list, red, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::files;
use crate::keybook::Book;

/// `tram ledger witnesses`
pub async fn show(dir: &Path, out: Out) -> Result<u8> {
    let told = ask(dir).await?;
    out.result(&told, show_text);
    Ok(if list(&told, "conflicts").is_empty() && told["halted"].is_null() { 0 } else { 4 })
}

/// `tram ledger trust`
pub async fn trust(dir: &Path, out: Out) -> Result<u8> {
    let told = ask(dir).await?;
    if told["policy"].is_null() {
        return Err(Error::not_found(
            "this node has no witnesses; name some peers in tram.toml, [ledger.witnesses] (docs/ledger.md)",
        ));
    }
    out.result(&json!({"policy": told["policy"]}), |told| text(told, "policy"));
    Ok(0)
}

async fn ask(dir: &Path) -> Result<Value> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let answer = client.get("/v1/ledger/witnesses").await;
    client.close().await;
    answer
}

fn show_text(told: &Value) -> String {
    let mut lines = alarms(told);
    let cosigned = match told["own"]["cosigned"].as_u64() {
        Some(size) => format!("a quorum vouches for the first {size} entries of this ledger"),
        None if told["policy"].is_null() => {
            "nobody witnesses this ledger: [ledger.witnesses] in tram.toml".to_owned()
        }
        None => "no quorum vouches for this ledger yet".to_owned(),
    };
    lines.push(cosigned);
    let rows = |list: &[Value], keys: [&str; 3]| -> Vec<Vec<String>> {
        list.iter().map(|row| keys.iter().map(|key| text(row, key)).collect()).collect()
    };
    let own = rows(list(&told["own"], "witnesses"), ["witness", "size", "problem"]);
    if !own.is_empty() {
        lines.push(table(&["witness", "cosigned", "problem"], &own));
    }
    let logs = rows(list(told, "logs"), ["log", "size", "unchecked"]);
    if !logs.is_empty() {
        lines.push("what peers' ledgers say of themselves:".to_owned());
        lines.push(table(&["ledger", "entries", "not yet compared"], &logs));
    }
    lines.join("\n")
}

/// What must not be overlooked, in red.
pub fn alarms(told: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = told["halted"].as_str() {
        lines.push(red(&format!("THIS NODE SIGNS NOTHING: {why}")));
    }
    for conflict in list(told, "conflicts") {
        let deed = if conflict["what"] == json!("broken promise") {
            "BROKE ITS PROMISE OF A PLACE"
        } else {
            "SIGNED TWO HISTORIES"
        };
        let (log, evidence) = (text(conflict, "log"), text(conflict, "evidence"));
        lines.push(red(&format!("THE LEDGER {log} {deed}; the proof is {evidence}")));
    }
    lines
}

/// `tram ledger conflict FILE`: judges a proof against a ledger with nothing but files.
pub fn judge(file: &Path, registries: &[PathBuf], out: Out) -> Result<u8> {
    let bytes = super::receipt::read_limited(file, conflict::CONFLICT_BYTES_MAX.max(PROOF_BYTES_MAX))?;
    if bytes.first() == Some(&b'{') {
        return judge_promise(file, &bytes, registries, out);
    }
    let evidence = conflict::Evidence::parse(&bytes)
        .map_err(|e| Error::Verification(format!("`{}` is no proof: {e}", file.display())))?;
    let origin = evidence.larger().checkpoint().origin.clone();
    let (book, _) = super::receipt::registry_book(registries)?;
    match conflict::verify(&bytes, &vkeys(&book, &origin)?) {
        Verdict::Equivocated(found) => {
            let tree =
                |c: &ledger::checkpoint::Checkpoint| json!({"size": c.size, "root": files::hex(&c.root.0)});
            let told = json!({
                "verdict": "two histories",
                "log": origin.as_str(),
                "first": tree(&found.smaller),
                "second": tree(&found.larger),
            });
            out.result(&told, |told| {
                red(&format!(
                    "PROVEN: {} signed {} entries with one history and {} with another",
                    text(told, "log"),
                    text(&told["first"], "size"),
                    text(&told["second"], "size")
                ))
            });
            Ok(0)
        }
        Verdict::NotSigned { size, why } => Err(not_proven(
            file,
            &format!("the checkpoint of {size} entries is not signed by that ledger: {why}"),
        )),
        Verdict::NotProven { why } => Err(not_proven(file, why)),
        Verdict::Malformed { why } => Err(not_proven(file, &why)),
    }
}

fn judge_promise(file: &Path, bytes: &[u8], registries: &[PathBuf], out: Out) -> Result<u8> {
    let (book, _) = super::receipt::registry_book(registries)?;
    match promise::verify(bytes, &book) {
        promise::Verdict::Broken { keeper, promised } => {
            let told = json!({
                "verdict": "broken promise",
                "keeper": keeper,
                "log": promised.origin.as_str(),
                "index": promised.index,
                "leaf": files::hex(&promised.leaf.0),
            });
            out.result(&told, |told| {
                red(&format!(
                    "PROVEN: {} promised a leaf at {} of {}, and something else stands there",
                    text(told, "keeper"),
                    text(told, "index"),
                    text(told, "log")
                ))
            });
            Ok(0)
        }
        promise::Verdict::NotProven { why } => Err(not_proven(file, &why)),
    }
}

fn not_proven(file: &Path, why: &str) -> Error {
    Error::Verification(format!("`{}` proves nothing: {why}", file.display()))
}

fn vkeys(book: &Book, origin: &ledger::KeyName) -> Result<Vec<ledger::Vkey>> {
    use ledger::KeyBook as _;
    let known = book.log(origin.as_str()).ok_or_else(|| {
        Error::Verification(format!(
            "the registry knows no ledger `{origin}`, so nothing is proven; give the registry of its federation"
        ))
    })?;
    let kind = certs::note::KeyKind::Ed25519;
    let vkeys = known.keys.into_iter().map(|dated| ledger::Vkey::new(origin.clone(), kind, dated.key));
    vkeys.collect::<std::result::Result<_, _>>().map_err(Error::internal)
}

/// A trust policy from a file.
pub fn policy_of(file: &Path) -> Result<TrustPolicy> {
    let bytes = files::read_limited(file, ledger::trust::POLICY_BYTES_MAX)?;
    TrustPolicy::parse(&bytes).map_err(|e| Error::usage(format!("`{}`: {e}", file.display())))
}
