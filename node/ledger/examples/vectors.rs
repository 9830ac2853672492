//! Writes logs of known keys and entries for other people's tools, and reads back what a foreign witness signed.
//!
//! `vectors make DIR` writes into an empty folder: `logs/<size>/` (static `tlog-tiles` trees), `cosigned/<size>`
//! (their checkpoints with a witness's line), `proofs/` (`.tlog-proof` files beside their leaves), `receipts/` (of
//! signed statements, as a node issues them), `consistency/<old>-<new>` (one hash a line), `bodies/` (requests of
//! `tlog-witness`, among them a fork and a stale one) and the two verification keys.
//! `vectors check DIR` verifies the files in `DIR/foreign`, checkpoints to which another program added its
//! cosignature, against `log.vkey` and `foreign.vkey`.
//!
//! Keys and entries are those of the design's vectors: nothing here is secret. `tests/conformance/ledger` calls it.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use certs::note::{Cosigner, KeyName, Signer, Vkey};
use ed25519_dalek::SigningKey;
use ledger::checkpoint::SignedCheckpoint;
use ledger::merkle::Hash;
use ledger::proof::ProofFile;
use ledger::statement::{SignedStatement, Statement};
use ledger::{Log, LogOptions, export_tiles, receipt};
use tokio::task::JoinSet;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "ledger.example/agency-a/exchange-log";
const SIZES: [u64; 6] = [1, 2, 255, 256, 257, 70_000];
/// When the witness says that it signed.
const TIME: u64 = 1_790_000_000;
/// The first entry in which the forked log differs.
const FORKED_AT: u64 = 200;
/// A committed field; what it hides is of no interest here.
const COMMITMENT: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PROVIDER: &str = "urn:agency:vn:h26.18";

fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", dir] => make(Path::new(dir)),
        ["check", dir] => check(Path::new(dir)),
        _ => Err("usage: vectors make DIR | vectors check DIR".into()),
    }
}

fn signer(name: &str, seed: u8) -> Done<Signer> {
    Ok(Signer::new(KeyName::new(name)?, SigningKey::from_bytes(&[seed; 32])))
}

fn log_signer() -> Done<Signer> {
    signer(ORIGIN, 7)
}

fn witness() -> Done<Cosigner> {
    Ok(Cosigner::new(KeyName::new("witness.example/agency-b")?, SigningKey::from_bytes(&[9; 32])))
}

fn make(dir: &Path) -> Done {
    for folder in ["logs", "cosigned", "proofs", "receipts", "consistency", "bodies", "work"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("log.vkey"), format!("{}\n", log_signer()?.vkey()))?;
    fs::write(dir.join("witness.vkey"), format!("{}\n", witness()?.vkey()))?;
    let entry = |k: u64| format!("{{\"exchange\":{k}}}").into_bytes();
    let mut largest = None;
    for size in SIZES {
        let log = log_of(&dir.join("work").join(size.to_string()), log_signer()?, (0..size).map(entry))?;
        export_tiles(&log, &dir.join("logs").join(size.to_string()))?;
        let cosigned = cosigned(&log)?;
        fs::write(dir.join("cosigned").join(size.to_string()), cosigned.to_bytes())?;
        for index in indices(size) {
            proof(dir, &log, &cosigned, index)?;
        }
        largest = Some(log);
    }
    let log = largest.ok_or("no size was asked for")?;
    for (at, old) in SIZES.into_iter().enumerate() {
        for new in SIZES.into_iter().skip(at + 1) {
            fs::write(
                dir.join("consistency").join(format!("{old}-{new}")),
                lines(&log.consistency(old, new)?),
            )?;
        }
    }
    bodies(dir, &log, entry)?;
    receipts(dir)?;
    fs::remove_dir_all(dir.join("work"))?;
    Ok(())
}

/// Entries worth a proof: both ends, and both sides of a tile's edge.
fn indices(size: u64) -> Vec<u64> {
    let mut indices = vec![0, 1, 128, 254, 255, 256, 65_535, 65_536, size.saturating_sub(1)];
    indices.retain(|index| *index < size);
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// A closed log with these entries, the last of them under its checkpoint.
fn log_of(folder: &Path, signer: Signer, entries: impl Iterator<Item = Vec<u8>>) -> Done<Arc<Log>> {
    let options = LogOptions::new(folder.join("guard"));
    let log = Arc::new(Log::open(&folder.join("log"), signer, Arc::new(|| TIME), options)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        // Tasks of this runtime start in the order in which they are spawned, so entries keep theirs; as many at a
        // time as one batch takes.
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for entry in entries.by_ref().take(ledger::log::BATCH_ENTRIES_MAX) {
                let log = Arc::clone(&log);
                tasks.spawn(async move { log.append(entry).await.map(drop) });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            Ok::<(), Box<dyn Error>>(())
        })?;
    }
    log.close();
    Ok(log)
}

fn cosigned(log: &Log) -> Done<SignedCheckpoint> {
    let mut note = log.checkpoint()?.signed.note().clone();
    witness()?.add_to(&mut note, TIME)?;
    Ok(SignedCheckpoint::parse(&note.to_bytes())?)
}

fn proof(dir: &Path, log: &Log, under: &SignedCheckpoint, index: u64) -> Done {
    let size = under.checkpoint().size;
    let path = log.inclusion(index, size)?;
    let file = ProofFile { extra: None, index, path, checkpoint: under.clone() };
    let name = dir.join("proofs").join(format!("{size}-{index}"));
    fs::write(name.with_extension("tlog-proof"), file.to_bytes())?;
    fs::write(name.with_extension("leaf"), log.entry(index)?)?;
    Ok(())
}

fn lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| format!("{hash}\n")).collect()
}

/// Requests in the order in which a witness should get them; the name says what it should do.
fn bodies(dir: &Path, log: &Log, entry: impl Fn(u64) -> Vec<u8>) -> Done {
    let write = |name: &str, old: u64, proof: &[Hash], checkpoint: &[u8]| {
        let mut body = format!("old {old}\n{}\n", lines(proof)).into_bytes();
        body.extend_from_slice(checkpoint);
        fs::write(dir.join("bodies").join(name), body)
    };
    let checkpoint = |size: u64| fs::read(dir.join("logs").join(size.to_string()).join("checkpoint"));
    write("1-accept-255", 0, &[], &checkpoint(255)?)?;
    write("2-accept-257", 255, &log.consistency(255, 257)?, &checkpoint(257)?)?;
    write("3-stale-257", 255, &log.consistency(255, 257)?, &checkpoint(257)?)?;
    let other = |k: u64| if k < FORKED_AT { entry(k) } else { format!("rewritten {k}").into_bytes() };
    for (name, size) in [("4-fork-300", 300), ("5-fork-257", 257)] {
        let fork = log_of(&dir.join("work").join(name), log_signer()?, (0..size).map(other))?;
        let proof = if size > 257 { fork.consistency(257, size)? } else { Vec::new() };
        write(name, 257, &proof, &fork.checkpoint()?.signed.to_bytes())?;
    }
    write("6-accept-70000", 257, &log.consistency(257, 70_000)?, &checkpoint(70_000)?)?;
    Ok(())
}

/// Receipts as a node issues them: the statement rides in the `extra` line and is the leaf as well.
fn receipts(dir: &Path) -> Done {
    let author = signer(PROVIDER, 1)?;
    let statement = |serial: u64| -> Done<SignedStatement> {
        let text = format!(
            "tram/exchange@v1\nid 01J9ZQ4Y7M8N6P5R3S2T1V{serial:04}\ntime {TIME}\nprovider {PROVIDER}\n\
             consumer urn:agency:vn:g09\ndataset {PROVIDER}:d:permits@7\noperation read\nagreement urn:uuid:1\n\
             purpose pu:research\nbasis -\ndecision permit\npolicy {} 42\nrequest {COMMITMENT}\n\
             response {COMMITMENT}\nc.user {COMMITMENT}\n",
            "3b".repeat(32)
        );
        Ok(Statement::parse(&text)?.sign(&author)?)
    };
    let statements = (0..5).map(statement).collect::<Done<Vec<_>>>()?;
    let leaves = statements.iter().map(|statement| statement.bytes().to_vec());
    let log = log_of(&dir.join("work/receipts"), log_signer()?, leaves)?;
    for (index, statement) in (0..).zip(&statements) {
        let name = dir.join("receipts").join(format!("5-{index}"));
        fs::write(
            name.with_extension("tlog-proof"),
            receipt::issue(&log, index, &log.checkpoint()?.signed, None, None)?,
        )?;
        fs::write(name.with_extension("leaf"), statement.bytes())?;
    }
    Ok(())
}

/// Verifies checkpoints to which another program added a cosignature.
fn check(dir: &Path) -> Done {
    let key = |name: &str| -> Done<Vkey> { Ok(fs::read_to_string(dir.join(name))?.trim_end().parse()?) };
    let keys = [key("log.vkey")?, key("foreign.vkey")?];
    let mut count = 0;
    for file in fs::read_dir(dir.join("foreign"))? {
        let path = file?.path();
        let signed = SignedCheckpoint::parse(&fs::read(&path)?)?;
        let verified = signed.verify(&keys)?;
        if verified.len() != keys.len() || verified.iter().all(|by| by.time.is_none()) {
            return Err(format!("`{}` lacks the cosignature of `{}`", path.display(), keys[1].name()).into());
        }
        // What is altered must be refused: the last letter of the witness's line stands before its newline.
        let mut altered = fs::read(&path)?;
        let at = altered.len().saturating_sub(20);
        altered[at] ^= 1;
        if SignedCheckpoint::parse(&altered).and_then(|signed| signed.verify(&keys)).is_ok() {
            return Err(format!("`{}` is accepted with an altered byte", path.display()).into());
        }
        count += 1;
    }
    if count == 0 { Err("no foreign checkpoint is there".into()) } else { Ok(()) }
}
