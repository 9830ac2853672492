//! A node whose disk was copied and that went on twice under one key: a witness refuses the second history, and
//! two of its peers who compare notes hold a proof of it. All through the doors that a node has: logs on disk,
//! tiles as bytes, requests as bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ledger::checkpoint::SignedCheckpoint;
use ledger::conflict::{self, Verdict};
use ledger::gossip::{Gossip, Heard, Need};
use ledger::tile_reader::{TileReader, Wanted, tiles_needed};
use ledger::witness::{AddCheckpoint, Witness, parse_cosignatures};
use ledger::{Cosigner, KeyName, Log, LogOptions, Signer, Vkey};

const TIME: u64 = 1_790_000_000;

fn signer() -> Signer {
    Signer::new(KeyName::new("ledger.example/agency-a").unwrap(), SigningKey::from_bytes(&[7; 32]))
}

/// A log of `shared` entries and then as many of its own as make `size`.
fn log(folder: &Path, name: &str, shared: u64, size: u64) -> Log {
    let options = LogOptions {
        checkpoint_interval: Duration::from_secs(3600),
        ..LogOptions::new(folder.join(format!("{name}-guard/guard")))
    };
    let log = Log::open(&folder.join(name), signer(), Arc::new(|| TIME), options).unwrap();
    for k in 0..size {
        let of = if k < shared { "both" } else { name };
        log.append_blocking(format!("entry {k} of {of}")).unwrap();
    }
    log.close();
    log
}

fn signed(log: &Log) -> SignedCheckpoint {
    log.checkpoint().unwrap().signed.clone()
}

fn fetch(need: &Need, from: &Log) -> ledger::bridge::Bridge {
    let planned = tiles_needed(need.new.size, Wanted::Consistency { old: need.old });
    let tiles: HashMap<_, _> =
        planned.into_iter().map(|tile| (tile, from.tile_bytes(&tile).unwrap())).collect();
    TileReader::new(&need.new, |tile| Ok(tiles[tile].clone())).unwrap().bridge(need.old).unwrap()
}

#[test]
fn a_log_that_went_on_twice_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let left = log(folder.path(), "left", 40, 64);
    let right = log(folder.path(), "right", 40, 90);
    let keys = vec![signer().vkey()];
    let known =
        |origin: &str| -> Option<Vec<Vkey>> { (origin == "ledger.example/agency-a").then(|| keys.clone()) };

    let cosigner =
        Cosigner::new(KeyName::new("witness.example/b").unwrap(), SigningKey::from_bytes(&[9; 32]));
    let witness = Witness::open(&folder.path().join("witness"), cosigner).unwrap();
    let first = AddCheckpoint { old: 0, proof: vec![], checkpoint: signed(&left) };
    let answer = witness.add_checkpoint(&first.to_bytes(), &known, TIME).unwrap();
    let lines = parse_cosignatures(answer.body().as_bytes()).unwrap();
    signed(&left).cosigned(&lines, &[witness.vkey()]).unwrap();

    let proof = right.consistency(64, 90).unwrap();
    let second = AddCheckpoint { old: 64, proof, checkpoint: signed(&right) };
    let refusal = witness.add_checkpoint(&second.to_bytes(), &known, TIME + 1).unwrap_err();
    assert_eq!(refusal.status(), 422);
    let suspicion = refusal.suspicion().unwrap();

    // One peer saw the left history, the other the right one; the witness's two checkpoints tell them.
    for (heard_before, told) in [(&left, &suspicion.offered), (&right, &suspicion.last)] {
        let dir = folder.path().join(format!("gossip-{}", heard_before.size()));
        let gossip = Gossip::open(&dir).unwrap();
        assert_eq!(gossip.hear(&signed(heard_before), &keys, None, TIME).unwrap(), Heard::Newer);
        let Heard::Unchecked { need, kept: true } = gossip.hear(told, &keys, None, TIME).unwrap() else {
            panic!()
        };
        let bridge = fetch(&need, &right);
        let Heard::Conflict(evidence) = gossip.hear(told, &keys, Some(&bridge), TIME).unwrap() else {
            panic!()
        };
        let Verdict::Equivocated(found) = conflict::verify(&evidence.to_bytes(), &keys) else { panic!() };
        assert_eq!((found.smaller.size, found.larger.size), (64, 90));
        assert_eq!(found.smaller.root, left.root(64).unwrap());
        assert_eq!(found.beginning_of_larger, right.root(64).unwrap());
    }
}
