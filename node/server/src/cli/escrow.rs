//! `tram escrow …` for auditors, and the consumer's `tram exchange handover`. What is checked and how is in `crate::escrow`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::EscrowCommand;
use super::client::{Client, segment};
use super::out::{Out, red, say, text};
use crate::error::{Error, Result};
use crate::escrow::handover::{self, Head};
use crate::escrow::judge::{self, Judged, Outcome};
use crate::escrow::key::AuditorKey;
use crate::files;

/// Runs one verb.
pub async fn run(verb: EscrowCommand, out: Out) -> Result<u8> {
    match verb {
        EscrowCommand::Key { out: file } => key(&file, out),
        EscrowCommand::Open { file, key, registry, out: rows } => {
            let work = move || open(&file, &key, &registry, &rows);
            let told = tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
            out.result(&told, opened_text);
            if told["misdeed"].is_null() {
                return Ok(0);
            }
            say(&red(&format!("tram: {}", text(&told, "proves"))));
            Ok(4)
        }
    }
}

fn key(file: &Path, out: Out) -> Result<u8> {
    let beside = PathBuf::from(format!("{}.pub", file.display()));
    if beside.exists() {
        return Err(Error::usage(format!("`{}` is there already; choose another name", beside.display())));
    }
    let key = AuditorKey::generate()?;
    key.write(file)?;
    let line = key.recipient().to_string();
    handover::write_new(&beside, format!("{line}\n").as_bytes())?;
    let told = json!({"key": line, "secret_file": file.display().to_string(), "public_file": beside.display().to_string()});
    out.result(&told, |told| text(told, "key"));
    say(&format!("  the secret half is in {}; whoever has it opens every escrowed key", file.display()));
    Ok(0)
}

fn open(file: &Path, key: &Path, registries: &[PathBuf], rows: &Path) -> Result<Value> {
    let key = AuditorKey::read(key)?;
    let (book, digest) = super::receipt::registry_book(registries)?;
    let judged = judge::judge(file, &key, &book, rows)?;
    Ok(view(&judged, rows, &digest))
}

fn view(judged: &Judged, rows: &Path, registry: &str) -> Value {
    let manifest = &judged.manifest;
    let sealed = manifest.sealed.as_ref();
    let acknowledged = i64::try_from(judged.acknowledged).unwrap_or(i64::MAX);
    let mut told = json!({
        "exchange": judged.exchange,
        "provider": manifest.provider,
        "consumer": manifest.consumer,
        "dataset": manifest.dataset.id,
        "auditor": sealed.and_then(|s| s.escrow.as_ref()).map(|e| e.auditor.as_str()),
        "key_sha256": sealed.map(|s| s.key_sha256),
        "acknowledged": crate::operation::rfc3339(acknowledged),
        "consumer_says": judged.says,
        "registry_sha256": registry,
        "misdeed": Value::Null,
    });
    match &judged.outcome {
        Outcome::Opened { receipt } => {
            told["file"] = json!(rows.display().to_string());
            told["rows"] = json!(manifest.rows);
            told["bytes"] = json!(manifest.bytes);
            told["sha256"] = json!(manifest.sha256);
            told["receipt_file"] = json!(receipt.display().to_string());
        }
        Outcome::Misdeed(misdeed) => {
            told["misdeed"] = json!(misdeed.word());
            told["proves"] = json!(format!(
                "PROVEN of {}: {misdeed}. Its signature stands under the manifest and under the statement that commits to \
it, and these bind the envelope, the digest of the key and the rows, so nobody else can have done it. Keep the handed-over \
file: with it and the auditor's secret key an arbiter sees the same",
                manifest.provider
            ));
        }
    }
    told
}

fn opened_text(told: &Value) -> String {
    let mut lines = vec![format!(
        "exchange {}: {} gave {} to {}, which acknowledged at {}",
        text(told, "exchange"),
        text(told, "provider"),
        text(told, "dataset"),
        text(told, "consumer"),
        text(told, "acknowledged")
    )];
    if !told["consumer_says"].is_null() {
        lines.push(format!("  the consumer says: {}", text(told, "consumer_says")));
    }
    if told["misdeed"].is_null() {
        lines.push(format!(
            "OPENED: {} rows, {} bytes, sha256 {}: the announced ones",
            text(told, "rows"),
            text(told, "bytes"),
            text(told, "sha256")
        ));
        lines.push(format!("  rows {}", text(told, "file")));
        lines.push(format!("  for the provider, the acknowledgement: {}", text(told, "receipt_file")));
    } else {
        lines.push(format!("MISDEED: {}", text(told, "misdeed")));
    }
    lines.join("\n")
}

/// `tram exchange handover`
pub async fn hand_over(
    client: &Client,
    dir: &Path,
    (exchange, says): (&str, Option<String>),
    file: &Path,
    out: Out,
) -> Result<u8> {
    if file.exists() {
        return Err(Error::usage(format!("`{}` is there already; choose another name", file.display())));
    }
    let answer =
        client.post(&format!("/v1/exchanges/{}/handover", segment(exchange)), &json!({"says": says})).await?;
    let head: Head = serde_json::from_value(answer["head"].clone()).map_err(Error::internal)?;
    let receipt = answer["receipt"].as_str().unwrap_or_default().as_bytes().to_vec();
    let (inbox, target) = (dir.join("inbox").join(&head.exchange), file.to_owned());
    let auditor = head.auditor.clone();
    let work = move || handover::write(&inbox, &head, &receipt, &target);
    let manifest = tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
    let told = json!({
        "file": file.display().to_string(),
        "exchange": exchange,
        "for": auditor,
        "chunks": manifest.chunks.len(),
        "sha256": files::sha256_of(file)?,
        "recorded": answer["recorded"],
    });
    out.result(&told, handed_text);
    Ok(0)
}

fn handed_text(told: &Value) -> String {
    format!(
        "{}: exchange {}, {} sealed chunks, for {}\nrecorded as entry {}\nthe auditor opens it:  tram escrow open {} --key SECRET --registry registry.json --out ROWS",
        text(told, "file"),
        text(told, "exchange"),
        text(told, "chunks"),
        text(told, "for"),
        text(told, "recorded"),
        text(told, "file")
    )
}

#[cfg(test)]
mod tests;
