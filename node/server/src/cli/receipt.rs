//! `tram receipt …`: judging a receipt with nothing but files. No network, no node.
//!
//! The keys come from a registry that the reader trusts, or from the receipt itself; then their fingerprints are shown,
//! because keys that ride in a receipt prove only that it is whole, and not whose it is.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use certs::registry::{Anchor, Registry, SignedRegistry, VerifiedRegistry};
use ledger::receipt::{Expectation, Receipt, Summary, Trust, Verdict, verify_receipt_expecting};
use ledger::statement::{Deed, Kind, Own, Statement};
use ledger::trust::{Freshness, TrustPolicy};
use serde_json::{Value, json};

use super::args::ReceiptCommand;
use super::out::{Out, list, text};
use crate::answer::{Answer, Told};
use crate::decisions::Opened;
use crate::error::{Error, Result};
use crate::keybook::Book;
use crate::operation::Clock;
use crate::{files, statement_view};

/// How much of a file is looked at to tell whether it is a receipt: its first line, and what may ride in the second.
const START_BYTES: u64 = 1 << 20;

/// Runs one verb.
pub fn run(verb: ReceiptCommand, out: Out) -> Result<u8> {
    let ReceiptCommand::Verify { file, registry, data, trust, rules } = verb;
    let trust = trust.as_deref().map(super::witness::policy_of).transpose()?;
    let mut judged = verify_by(&file, &registry, data.as_deref(), trust)?;
    if let Some(rules) = rules {
        replay(&file, &rules)?;
        judged["replayed"] = json!(true);
    }
    out.result(&judged, verdict_text);
    Ok(0)
}

/// Judges the receipt in `file` by `registries` (several versions, where keys were replaced), or if there are none by the keys that ride in it; with `data`, also whether the receipt
/// is about that file. Anything but a valid receipt is an error that says which kind.
pub fn verify(file: &Path, registries: &[PathBuf], data: Option<&Path>) -> Result<Value> {
    verify_by(file, registries, data, None)
}

/// [`verify`], with the witnesses whose quorum must vouch for the checkpoint.
fn verify_by(
    file: &Path,
    registries: &[PathBuf],
    data: Option<&Path>,
    trust: Option<TrustPolicy>,
) -> Result<Value> {
    if !looks_like_one(file)? {
        return Err(Error::usage(format!(
            "`{}` is no receipt; name a file that ends in .tlog-proof, as `tram exchange get` writes them beside the rows",
            file.display()
        )));
    }
    let bytes = read_limited(file, certs::note::NOTE_BYTES_MAX)?;
    let receipt = Receipt::parse(&bytes).map_err(|e| not_valid(file, "malformed", &e.to_string()))?;
    let keys = Keys::of(file, &receipt, registries)?;
    let mut expected = Expectation::default();
    let now = u64::try_from(Clock::system().now()).unwrap_or(0);
    // A receipt is read years later: its cosignatures may be of any age, and of no time to come.
    expected.trust = trust.map(|policy| Trust { policy, at: Freshness { now, max_age: None } });
    let other_data = |e: Error| not_valid(file, "other data", &e.to_string());
    if let Some(answer) = &keys.answer {
        expected.openings.push(answer.opening().map_err(other_data)?);
    }
    if let Some(decision) = &keys.decision {
        expected.openings.extend(decision.openings().map_err(other_data)?);
    }
    let verdict = verify_receipt_expecting(&bytes, &keys.book, &expected);
    let summary = match verdict {
        Verdict::Valid(summary) => summary,
        other => return Err(told(file, &other)),
    };
    let compared = data.map(|data| compare(file, keys.answer.as_ref(), data)).transpose()?;
    Ok(view(file, &summary, &keys, compared))
}

/// Decides the question of a decision's receipt anew, under the rule set in a folder. The receipt was verified before.
fn replay(file: &Path, folder: &Path) -> Result<()> {
    let receipt = Receipt::parse(&read_limited(file, certs::note::NOTE_BYTES_MAX)?)
        .map_err(|e| not_valid(file, "malformed", &e.to_string()))?;
    let opened = receipt.keys.as_ref().map(Book::of_excerpt).transpose()?.and_then(|(_, e)| e.decision);
    let Statement::Own(Own { deed: Deed::Decided(said), .. }) = receipt.statement.statement() else {
        return Err(Error::usage(format!(
            "`{}` is no receipt of a decision; leave out --rules, or write one with `tram exchange decisions EXCHANGE --receipts DIR`",
            file.display()
        )));
    };
    let opened = opened.ok_or_else(|| {
        not_valid(file, "nothing to replay", "what opens its question and its answer is not in it")
    })?;
    let rules =
        policy::RuleSet::from_folder(folder, said.rules.version).map_err(|e| crate::rules::refused(&e))?;
    opened.replay(said, rules).map_err(|e| not_valid(file, "does not replay", &e.to_string()))
}

/// The keys that a receipt is judged by, and what rides along with them.
struct Keys {
    book: Book,
    from: &'static str,
    registry_sha256: String,
    answer: Option<Answer>,
    decision: Option<Opened>,
}

impl Keys {
    fn of(file: &Path, receipt: &Receipt, registries: &[PathBuf]) -> Result<Self> {
        let excerpt = receipt.keys.as_ref().map(Book::of_excerpt).transpose();
        let excerpt = excerpt.map_err(|e| not_valid(file, "malformed", &e.to_string()));
        if !registries.is_empty() {
            let (book, digest) = registry_book(registries)?;
            // The answer needs no trust of its own: it opens the commitment or it does not.
            let (answer, decision) = excerpt
                .ok()
                .flatten()
                .map_or((None, None), |(_, excerpt)| (excerpt.answer, excerpt.decision));
            return Ok(Self { book, from: "registry", registry_sha256: digest, answer, decision });
        }
        let (book, excerpt) = excerpt?.ok_or_else(|| {
            Error::Verification(format!(
                "`{}` carries no keys; give a registry with --registry FILE",
                file.display()
            ))
        })?;
        Ok(Self {
            book,
            from: "receipt",
            registry_sha256: excerpt.registry_sha256,
            answer: excerpt.answer,
            decision: excerpt.decision,
        })
    }
}

/// Registries that the reader chose to trust, with their digests for people.
pub(super) fn registry_book(paths: &[PathBuf]) -> Result<(Book, String)> {
    let verified = paths.iter().map(|path| registry_of(path)).collect::<Result<Vec<_>>>()?;
    let registries: Vec<&Registry> = verified.iter().map(VerifiedRegistry::registry).collect();
    let digests: Vec<String> = verified.iter().map(|v| files::hex(&v.digest())).collect();
    Ok((Book::of_registries(&registries), digests.join(", ")))
}

/// A registry must be signed by the operators that it names itself.
fn registry_of(path: &Path) -> Result<VerifiedRegistry> {
    let bytes = read_limited(path, certs::registry::REGISTRY_BYTES_MAX)?;
    let wrong = |why: String| Error::Verification(format!("the registry `{}`: {why}", path.display()));
    let signed = SignedRegistry::parse(&bytes).map_err(|e| wrong(e.to_string()))?;
    let said = signed.unverified();
    let anchor = Anchor { threshold: said.threshold, operators: said.operators.clone() };
    signed.verify_first(&anchor).map_err(|e| wrong(e.to_string()))
}

/// Whether a file may be a receipt at all, damaged or not: it is empty, or one of the two first lines is there in part. What
/// is none is no evidence against anybody.
fn looks_like_one(file: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let disk = std::fs::File::open(file).map_err(|e| Error::io(file, e))?;
    disk.take(START_BYTES).read_to_end(&mut start).map_err(|e| Error::io(file, e))?;
    let names: [&[u8]; 3] = [b"c2sp.org/", b"tlog-proof", b"\nindex "];
    Ok(start.is_empty() || names.iter().any(|name| start.windows(name.len()).any(|window| window == *name)))
}

pub(super) fn read_limited(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    files::read_limited(path, bytes_max).map_err(|error| match error {
        Error::TooLarge(_) => not_valid(path, "malformed", &format!("it is over {bytes_max} bytes")),
        other => other,
    })
}

fn not_valid(file: &Path, verdict: &str, why: &str) -> Error {
    Error::Verification(format!("`{}` is not valid: {verdict}: {why}", file.display()))
}

/// Each verdict has a word of its own, so that a forged signature is never mistaken for a damaged file.
fn told(file: &Path, verdict: &Verdict) -> Error {
    match verdict {
        Verdict::Valid(_) => not_valid(file, "valid", "this cannot be"),
        Verdict::WrongSignature { who, why } => {
            not_valid(file, "wrong signature", &format!("of `{who}`: {why}"))
        }
        Verdict::NotInLedger { origin, index } => {
            not_valid(file, "not in the ledger", &format!("entry {index} of `{origin}` is something else"))
        }
        Verdict::KeyNotValidAtThatTime { who, time } => {
            let time = i64::try_from(*time).map_or_else(|_| time.to_string(), crate::operation::rfc3339);
            not_valid(file, "key not valid at that time", &format!("the key of `{who}` at {time}"))
        }
        Verdict::CheckpointBad { why } => not_valid(file, "bad checkpoint", why),
        Verdict::NotWitnessed { judgement } => not_valid(file, "not witnessed", &judgement.to_string()),
        Verdict::OtherData { why } => not_valid(file, "other data", why),
        Verdict::Malformed { why } => not_valid(file, "malformed", why),
    }
}

/// Holds a file against the manifest that the statement commits to.
fn compare(receipt: &Path, answer: Option<&Answer>, data: &Path) -> Result<Value> {
    let manifest = match answer.map(|a| &a.told) {
        Some(Told::Manifest(manifest)) => manifest,
        Some(Told::Refusal(_)) => {
            return Err(not_valid(
                receipt,
                "other data",
                "it is the receipt of a refusal; no rows were given",
            ));
        }
        None => {
            return Err(Error::Verification(format!(
                "`{}` is valid, but carries no manifest, so it cannot say whether it is about `{}`; leave out --data",
                receipt.display(),
                data.display()
            )));
        }
    };
    let found = files::sha256_of(data)?;
    let wanted = manifest.sha256.to_string();
    if found != wanted {
        let why = format!(
            "the SHA-256 of `{}` is {found}, of the rows that were given it is {wanted}",
            data.display()
        );
        return Err(not_valid(receipt, "other data", &why));
    }
    Ok(json!({"file": data.display().to_string(), "sha256": found, "is_the_answer": true}))
}

fn view(file: &Path, summary: &Summary, keys: &Keys, compared: Option<Value>) -> Value {
    let members: Vec<Value> = keys
        .book
        .fingerprints()
        .into_iter()
        .filter(|(id, _)| keys.from == "receipt" || *id == summary.signer || *id == summary.log_of)
        .map(|(id, fingerprint)| json!({"id": id, "fingerprint": fingerprint}))
        .collect();
    json!({
        "verdict": "valid",
        "file": file.display().to_string(),
        "statement": statement_view::statement(&summary.statement),
        "signer": summary.signer,
        "leaf": files::hex(&summary.leaf.0),
        "ledger": {
            "of": summary.log_of,
            "origin": summary.origin,
            "index": summary.index,
            "size": summary.size,
        },
        "acknowledged": summary.ack.as_ref().map(|ack| {
            statement_view::statement(&ledger::statement::Statement::Ack(ack.clone()))
        }),
        "witnessed": summary.quorum.as_ref().map(|judgement| {
            let counted = judgement.counted().map(|(name, time)| {
                let time = i64::try_from(time).map_or_else(|_| time.to_string(), crate::operation::rfc3339);
                json!({"witness": name.to_string(), "time": time})
            });
            counted.collect::<Vec<_>>()
        }),
        "answer": keys.answer.as_ref().map(|answer| answer_view(&answer.told)),
        "opened": keys.decision.as_ref().map(|opened| json!({"asked": opened.asked, "decision": opened.decision})),
        "keys": {"from": keys.from, "registry_sha256": keys.registry_sha256, "members": members},
        "data": compared,
    })
}

fn answer_view(told: &Told) -> Value {
    match told {
        Told::Refusal(refusal) => json!({"refusal": refusal}),
        Told::Manifest(manifest) => json!({
            "rows": manifest.rows,
            "bytes": manifest.bytes,
            "sha256": manifest.sha256,
            "columns": manifest.schema.columns,
            "obligations": manifest.obligations.applied,
        }),
    }
}

fn verdict_text(judged: &Value) -> String {
    let said = &judged["statement"];
    let decision = match said["reason"].as_str() {
        Some(reason) => format!("{} ({reason})", text(said, "decision")),
        None => text(said, "decision"),
    };
    let ledger = &judged["ledger"];
    let provider = if said["provider"].is_string() { text(said, "provider") } else { text(said, "agency") };
    let mut lines = vec![
        "VALID".to_owned(),
        format!("{}  exchange {}, {}", text(said, "time"), text(said, "exchange"), text(said, "kind")),
        format!("  {} asked {provider} for {}", text(said, "consumer"), text(said, "dataset")),
        format!(
            "  purpose {}, legal basis {}, agreement {}",
            text(said, "purpose"),
            text(said, "basis"),
            text(said, "agreement")
        ),
        format!("  decision {decision}"),
        format!(
            "  entry {} of {} in {}",
            text(ledger, "index"),
            text(ledger, "size"),
            text(ledger, "origin")
        ),
    ];
    lines.extend(beside_text(judged));
    lines.extend(keys_text(&judged["keys"]));
    lines.join("\n")
}

/// What a receipt proves besides its statement.
fn beside_text(judged: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if judged["statement"]["kind"] == json!(Kind::Exchange.first_line()) {
        let acknowledged = if judged["acknowledged"].is_null() { "not acknowledged" } else { "acknowledged" };
        lines.push(format!("  {acknowledged} by the consumer"));
    }
    for witness in list(judged, "witnessed") {
        lines.push(format!("  witnessed by {} at {}", text(witness, "witness"), text(witness, "time")));
    }
    if !judged["opened"].is_null() {
        lines.push("  question and answer of the decision are in it and open what was signed".to_owned());
    }
    if judged["replayed"] == json!(true) {
        lines.push("  decided anew under the same rules, the question gets the same answer".to_owned());
    }
    if let Some(refusal) = judged["answer"].get("refusal") {
        lines.push(format!("  {} / {}", text(refusal, "text_vi"), text(refusal, "text_en")));
    }
    if !judged["data"].is_null() {
        lines.push(format!("  {} is the file that was given", text(&judged["data"], "file")));
    }
    lines
}

fn keys_text(keys: &Value) -> Vec<String> {
    let from_receipt = keys["from"] == json!("receipt");
    let mut lines = vec![if from_receipt {
        "  by the keys that ride in the receipt; compare their fingerprints, or give --registry:".to_owned()
    } else {
        format!("  by the registry with the SHA-256 {}", text(keys, "registry_sha256"))
    }];
    for member in list(keys, "members") {
        lines.push(format!("    {}  {}", text(member, "fingerprint"), text(member, "id")));
    }
    lines
}

#[cfg(test)]
mod tests;
