//! Replays what was kept, without libFuzzer: every file of every corpus, and every file with a byte changed.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::Path;

/// Whether a reader accepts the bytes.
type Reads = fn(&[u8]) -> bool;

/// Files of a target, in order.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn every_target_holds_on_its_corpus_and_around_it() {
    for (name, target) in fuzz::TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 3, "the corpus of `{name}` has {} files", files.len());
        for mut data in files {
            target(&data);
            for at in 0..data.len().min(600) {
                data[at] ^= 1;
                target(&data);
                data[at] ^= 1;
                target(&data[..at]);
            }
        }
    }
}

/// A corpus that is refused at the first byte would fuzz nothing.
#[test]
fn every_corpus_has_something_that_is_read() {
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap_or_default();
    let reads: [(&str, Reads); 8] = [
        ("note", |data| certs::note::Note::parse(data).is_ok()),
        ("checkpoint", |data| ledger::checkpoint::SignedCheckpoint::parse(data).is_ok()),
        ("proof", |data| ledger::receipt::Receipt::parse(data).is_ok()),
        ("request", |data| ledger::witness::AddCheckpoint::parse(data).is_ok()),
        ("policy", |data| ledger::trust::TrustPolicy::parse(data).is_ok()),
        ("conflict", |data| ledger::conflict::Evidence::parse(data).is_ok()),
        ("stamp", |data| ledger::timestamp::Token::from_response(data).is_ok()),
        ("entry", |data| ledger::statement::SignedStatement::parse(data).is_ok()),
    ];
    for (name, reads) in reads {
        assert!(corpus(name).iter().any(|data| reads(data)), "nothing in the corpus of `{name}` is read");
    }
    let drafts: Vec<_> =
        corpus("contract").iter().map(|data| catalog::contract::read(&text(data), 2_000_000_000)).collect();
    assert!(drafts.iter().any(Result::is_ok), "{drafts:?}");
    assert!(corpus("source").iter().any(|data| intake::Origin::parse(&text(data)).is_ok()));
    assert!(corpus("mapping").iter().any(|data| intake::mapping::Mapping::parse(&text(data)).is_ok()));
    let asked = |data: &Vec<u8>| odata::Options::parse(&text(data), &fuzz::data::odata_set()).is_ok();
    assert!(corpus("odata").iter().any(asked));
    for kind in ["text", "json", "excel"] {
        let read = corpus(kind).iter().filter(|data| fuzz::data::row_count(kind, data) > 0).count();
        assert!(read >= 2, "only {read} files in the corpus of `{kind}` are read");
    }
    assert!(corpus("vkey").iter().any(|data| text(data).parse::<certs::note::Vkey>().is_ok()));
    assert!(corpus("tile").iter().any(|data| text(data).parse::<ledger::tile::Tile>().is_ok()));
}

/// The deepest readers are reached: a proof of two stories, a stamp that holds.
#[test]
fn the_corpus_reaches_the_verdicts() {
    let keys: Vec<_> = fuzz::KEYS.iter().map(|key| key.parse().unwrap()).collect();
    let stories = corpus("conflict").into_iter().filter(|data| {
        matches!(ledger::conflict::verify(data, &keys), ledger::conflict::Verdict::Equivocated(_))
    });
    assert_eq!(stories.count(), 2);
    let roots = ledger::timestamp::Roots::from_pem(fuzz::AUTHORITY).unwrap();
    let stamps = corpus("stamp").into_iter().filter(|data| {
        let token = ledger::timestamp::Token::from_response(data);
        token.is_ok_and(|token| ledger::timestamp::verify(&token, fuzz::STAMPED, &roots, fuzz::LATER).is_ok())
    });
    assert_eq!(stamps.count(), 1);
}

/// The list of targets and the programs are the same.
#[test]
fn every_target_has_its_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/src/bin");
    let mut programs: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    let mut names: Vec<&str> = fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
}
