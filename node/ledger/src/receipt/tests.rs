use std::sync::Arc;
use std::time::Duration;

use certs::note::Signer;
use ed25519_dalek::SigningKey;
use tempfile::TempDir;

use super::*;
use crate::commitment::{ExchangeKey, Field};
use crate::log::LogOptions;
use crate::statement::{
    Ack, CommittedFields, Decision, EntryRef, Exchange, ExchangeId, Interrupted, Party, Place, Question,
    RuleSet, Seconds, Word,
};
use crate::testing::signer;

mod witnessed;

const PROVIDER: &str = "urn:agency:vn:h26.18";
const CONSUMER: &str = "urn:agency:vn:g09";
const TIME: u64 = 1_790_000_000;

fn public(seed: u8) -> ed25519_dalek::VerifyingKey {
    SigningKey::from_bytes(&[seed; 32]).verifying_key()
}
fn origin(participant: &str) -> String {
    format!("{participant}/ledger")
}
fn secrets() -> ExchangeKey {
    ExchangeKey::new([0x42; 32])
}

/// Seeds: signing keys 1 (provider) and 2 (consumer), ledger keys 11 and 12; stranger 3 and 13.
#[derive(Clone)]
struct Book {
    signing: Vec<(&'static str, u8, u64, u64)>,
    ledger: Vec<(&'static str, u8, u64, u64)>,
}

impl Book {
    fn new() -> Self {
        let (from, until) = (TIME - 1000, TIME + 1000);
        let signing = vec![(PROVIDER, 1, from, until), (CONSUMER, 2, from, until), ("x", 3, from, until)];
        let ledger = vec![(PROVIDER, 11, from, until), (CONSUMER, 12, from, until), ("x", 13, from, until)];
        Self { signing, ledger }
    }
}

fn dated(rows: &[(&'static str, u8, u64, u64)], who: &str) -> Vec<DatedKey> {
    let rows = rows.iter().filter(|row| row.0 == who);
    rows.map(|row| DatedKey { key: public(row.1), valid_from: row.2, valid_until: row.3 }).collect()
}

impl KeyBook for Book {
    fn signing_keys(&self, participant: &str) -> Vec<DatedKey> {
        dated(&self.signing, participant)
    }
    fn log(&self, origin: &str) -> Option<LogIdentity> {
        let participant = origin.strip_suffix("/ledger")?;
        let keys = dated(&self.ledger, participant);
        (!keys.is_empty()).then(|| LogIdentity { participant: participant.to_owned(), keys })
    }
}

fn question() -> Question {
    let word = |text| Word::new(text).unwrap();
    Question {
        id: ExchangeId::new("01J9ZQ4Y7M8N6P5R3S2T1V0W9X").unwrap(),
        time: Seconds::new(TIME).unwrap(),
        provider: Party::new(PROVIDER).unwrap(),
        consumer: Party::new(CONSUMER).unwrap(),
        dataset: word("d:permits@7"),
        operation: word("read"),
        agreement: Some(word("urn:uuid:1")),
        purpose: Some(word("pu:research")),
        basis: None,
    }
}

fn exchange() -> Statement {
    let committed = CommittedFields {
        user: Some(secrets().commit(Field::User, b"an officer")),
        ..CommittedFields::default()
    };
    Statement::Exchange(Exchange {
        question: question(),
        decision: Decision::Permit { response: secrets().commit(Field::Response, b"digest") },
        rules: RuleSet { sha256: [1; 32], version: 42 },
        request: secrets().commit(Field::Request, b"base"),
        committed,
    })
}

fn ack(leaf: Hash, provider_index: u64, consumer_index: u64) -> Statement {
    Statement::Ack(Ack {
        id: question().id,
        time: Seconds::new(TIME + 5).unwrap(),
        leaf,
        provider: Place { log: Party::new(&origin(PROVIDER)).unwrap(), index: provider_index },
        consumer: Place { log: Party::new(&origin(CONSUMER)).unwrap(), index: consumer_index },
    })
}

struct House {
    _folder: TempDir,
    log: Log,
}

impl House {
    /// A log of `before` other entries and then the statement.
    fn with(signer: Signer, before: u64, statement: &SignedStatement) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LogOptions {
            checkpoint_interval: Duration::from_secs(3600),
            ..LogOptions::new(folder.path().join("guard"))
        };
        let log = Log::open(&folder.path().join("log"), signer, Arc::new(|| TIME), options).unwrap();
        for k in 0..before {
            log.append_blocking(format!("entry {k}")).unwrap();
        }
        assert_eq!(log.append_blocking(statement.bytes()).unwrap().leaf_hash, statement.leaf());
        log.append_blocking("one more").unwrap();
        log.close();
        Self { _folder: folder, log }
    }
    fn receipt(&self, index: u64, ack: Option<SignedStatement>) -> Receipt {
        let keys = Some(serde_json::json!({"members": ["an excerpt"]}));
        let bytes = issue(&self.log, index, &self.log.checkpoint().unwrap().signed, ack, keys).unwrap();
        Receipt::parse(&bytes).unwrap()
    }
}

fn statement() -> SignedStatement {
    exchange().sign(&signer(PROVIDER, 1)).unwrap()
}

/// The provider's receipt: entry 3 of its log; the consumer has it at 1.
fn provider_receipt() -> Receipt {
    let house = House::with(signer(&origin(PROVIDER), 11), 3, &statement());
    let ack = ack(statement().leaf(), 3, 1).sign(&signer(CONSUMER, 2)).unwrap();
    house.receipt(3, Some(ack))
}

fn judged(receipt: &Receipt) -> Verdict {
    verify_receipt(&receipt.to_bytes().unwrap(), &Book::new())
}

#[test]
fn both_sides_receipts_are_valid_and_have_one_shape() {
    let provider = provider_receipt();
    let house = House::with(signer(&origin(CONSUMER), 12), 1, &statement());
    let consumer = house.receipt(1, provider.ack.clone());
    for (receipt, who, index, size) in [(&provider, PROVIDER, 3, 5), (&consumer, CONSUMER, 1, 3)] {
        let Verdict::Valid(summary) = judged(receipt) else { panic!("{:?}", judged(receipt)) };
        assert_eq!((summary.log_of.as_str(), summary.signer.as_str()), (who, PROVIDER));
        assert_eq!((summary.index, summary.size, summary.leaf), (index, size, statement().leaf()));
        assert_eq!(summary.origin, origin(who));
        assert_eq!(summary.statement, exchange());
        assert_eq!(summary.ack.unwrap().consumer.index, 1);
    }
    assert_eq!(provider.keys, Some(serde_json::json!({"members": ["an excerpt"]})));
    // Without an acknowledgement it is a receipt as well.
    let alone = Receipt { ack: None, keys: None, ..provider };
    let Verdict::Valid(summary) = judged(&alone) else { panic!() };
    assert_eq!(summary.ack, None);
}

#[test]
fn the_file_is_a_proof_that_other_tools_read() {
    let bytes = provider_receipt().to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    ProofFile::parse(&bytes).unwrap().verify_leaf(&statement().leaf()).unwrap();
}

#[test]
fn wrong_signatures_are_told_apart_by_name() {
    let wrong = |receipt: &Receipt| match judged(receipt) {
        Verdict::WrongSignature { who, why } => (who, why.contains("knows no such key")),
        other => panic!("{other:?}"),
    };
    let good = provider_receipt();
    // Altered text under the old signature.
    let altered = String::from_utf8(statement().bytes().to_vec()).unwrap().replace("permits@7", "permits@8");
    let altered = SignedStatement::parse(altered.as_bytes()).unwrap();
    assert_eq!(wrong(&Receipt { statement: altered, ..good.clone() }), (PROVIDER.to_owned(), false));
    // Signed with a key that the registry does not know for this participant.
    let foreign = exchange().sign(&signer(PROVIDER, 3)).unwrap();
    assert_eq!(wrong(&Receipt { statement: foreign, ..good.clone() }), (PROVIDER.to_owned(), true));
    // The acknowledgement: altered, of an unknown key, of somebody else.
    let text = String::from_utf8(good.ack.clone().unwrap().bytes().to_vec()).unwrap();
    let altered =
        SignedStatement::parse(text.replace("time 1790000005", "time 1790000006").as_bytes()).unwrap();
    assert_eq!(wrong(&Receipt { ack: Some(altered), ..good.clone() }), (CONSUMER.to_owned(), false));
    for (name, seed, unknown) in [(CONSUMER, 3, true), (PROVIDER, 1, false)] {
        let ack = ack(statement().leaf(), 3, 1).sign(&signer(name, seed)).unwrap();
        assert_eq!(wrong(&Receipt { ack: Some(ack), ..good.clone() }), (CONSUMER.to_owned(), unknown));
    }
}

#[test]
fn what_is_not_in_the_ledger_is_said() {
    let good = provider_receipt();
    let not_in = |receipt: &Receipt| {
        let verdict = judged(receipt);
        assert!(matches!(&verdict, Verdict::NotInLedger { .. }), "{verdict:?}");
    };
    // A genuine statement of the provider that this log does not have.
    let mut other = question();
    other.operation = Word::new("query").unwrap();
    let Statement::Exchange(exchange) = exchange() else { panic!() };
    let other = Statement::Exchange(Exchange { question: other, ..exchange });
    let other = other.sign(&signer(PROVIDER, 1)).unwrap();
    not_in(&Receipt { statement: other, ack: None, ..good.clone() });
    not_in(&Receipt { index: 2, ..good.clone() });
    not_in(&Receipt { index: u64::MAX, ..good.clone() });
    not_in(&Receipt { path: vec![], ..good.clone() });
    for at in 0..good.path.len() {
        let mut path = good.path.clone();
        path[at].0[7] ^= 1;
        not_in(&Receipt { path, ..good.clone() });
    }
}

#[test]
fn keys_out_of_their_time_are_said() {
    let bytes = provider_receipt().to_bytes().unwrap();
    let late = |book: &Book| match verify_receipt(&bytes, book) {
        Verdict::KeyNotValidAtThatTime { who, time } => (who, time),
        other => panic!("{other:?}"),
    };
    let with = |signing: &[(&'static str, u8, u64, u64)]| Book { signing: signing.to_vec(), ..Book::new() };
    let (from, until) = (TIME - 1000, TIME + 1000);
    // The last second is not included, the first is.
    let book = with(&[(PROVIDER, 1, from, TIME), (CONSUMER, 2, from, until)]);
    assert_eq!(late(&book), (PROVIDER.to_owned(), TIME));
    let book = with(&[(PROVIDER, 1, TIME + 1, until), (CONSUMER, 2, from, until)]);
    assert_eq!(late(&book), (PROVIDER.to_owned(), TIME));
    let book = with(&[(PROVIDER, 1, from, until), (CONSUMER, 2, from, TIME + 5)]);
    assert_eq!(late(&book), (CONSUMER.to_owned(), TIME + 5));
    let book = with(&[(PROVIDER, 1, TIME, TIME + 1), (CONSUMER, 2, TIME + 5, TIME + 6)]);
    assert!(matches!(verify_receipt(&bytes, &book), Verdict::Valid(_)));
    // A key with a gap between its periods.
    for (gap_until, valid) in [(TIME, true), (TIME + 1, false)] {
        let periods =
            [(PROVIDER, 1, from, from + 1), (PROVIDER, 1, gap_until, until), (CONSUMER, 2, from, until)];
        let verdict = verify_receipt(&bytes, &with(&periods));
        assert_eq!(matches!(verdict, Verdict::Valid(_)), valid, "{verdict:?}");
    }
    // A ledger key that had ended before the statement was written cannot have signed for it.
    let ended = Book { ledger: vec![(PROVIDER, 11, from, TIME)], ..Book::new() };
    assert_eq!(late(&ended), (origin(PROVIDER), TIME));
    // A later ledger key may: the receipt was issued after a rotation.
    let rotated = Book { ledger: vec![(PROVIDER, 11, TIME + 500, until)], ..Book::new() };
    assert!(matches!(verify_receipt(&bytes, &rotated), Verdict::Valid(_)));
}

#[test]
fn bad_checkpoints_are_said() {
    let good = provider_receipt();
    let text = String::from_utf8(good.to_bytes().unwrap()).unwrap();
    let bad = |bytes: &[u8], book: &Book| {
        let verdict = verify_receipt(bytes, book);
        assert!(matches!(&verdict, Verdict::CheckpointBad { .. }), "{verdict:?}");
    };
    bad(text.replace("/ledger\n5\n", "/ledger\n6\n").as_bytes(), &Book::new());
    bad(text.as_bytes(), &Book { ledger: vec![], ..Book::new() });
    bad(text.as_bytes(), &Book { ledger: vec![(PROVIDER, 13, 0, u64::MAX)], ..Book::new() });
    // The ledger key is no signing key and the other way round.
    bad(text.as_bytes(), &Book { ledger: vec![(PROVIDER, 1, 0, u64::MAX)], ..Book::new() });
}

#[test]
fn other_data_is_said() {
    let good = provider_receipt();
    let other = |receipt: &Receipt| {
        let verdict = judged(receipt);
        assert!(matches!(&verdict, Verdict::OtherData { .. }), "{verdict:?}");
    };
    let consumer = signer(CONSUMER, 2);
    for wrong in [ack(Hash([0; 32]), 3, 1), ack(statement().leaf(), 4, 1), ack(statement().leaf(), 1, 3)] {
        other(&Receipt { ack: Some(wrong.sign(&consumer).unwrap()), ..good.clone() });
    }
    // A log of somebody who has no part in the exchange proves nothing about it.
    let stranger = House::with(signer("x/ledger", 13), 3, &statement());
    other(&stranger.receipt(3, None));
    // Held against other data.
    let bytes = good.to_bytes().unwrap();
    let against = |leaf: Option<Hash>, openings: Vec<crate::commitment::Opening>| {
        verify_receipt_expecting(&bytes, &Book::new(), &Expectation { leaf, openings, trust: None })
    };
    let right = vec![
        secrets().open(Field::Request, b"base"),
        secrets().open(Field::Response, b"digest"),
        secrets().open(Field::User, b"an officer"),
    ];
    assert!(matches!(against(Some(statement().leaf()), right), Verdict::Valid(_)));
    assert!(matches!(against(Some(Hash([0; 32])), vec![]), Verdict::OtherData { .. }));
    for wrong in [
        secrets().open(Field::Response, b"another digest"),
        ExchangeKey::new([1; 32]).open(Field::Response, b"digest"),
        secrets().open(Field::Case, b"a field that is absent"),
    ] {
        assert!(matches!(against(None, vec![wrong]), Verdict::OtherData { .. }));
    }
}

#[test]
fn what_is_no_receipt_is_said() {
    let good = provider_receipt();
    let text = String::from_utf8(good.to_bytes().unwrap()).unwrap();
    let extra = |json: serde_json::Value| {
        let line = format!("extra {}\n", crate::text::to_base64(json.to_string().as_bytes()));
        let start = text.find("extra ").unwrap();
        let end = text.find("index ").unwrap();
        format!("{}{line}{}", &text[..start], &text[end..])
    };
    let b64 = crate::text::to_base64;
    let (leaf, ack) = (b64(statement().bytes()), b64(good.ack.unwrap().bytes()));
    let form = "tram/receipt@v1";
    assert!(Receipt::parse(extra(serde_json::json!({"form": form, "statement": leaf})).as_bytes()).is_ok());
    let bad = [
        String::new(),
        text.replace("tlog-proof@v1", "tlog-proof@v2"),
        text[..text.len() - 1].to_owned(),
        extra(serde_json::json!({"form": "tram/receipt@v2", "statement": leaf})),
        extra(serde_json::json!({"form": form})),
        extra(serde_json::json!({"form": form, "statement": leaf, "more": 1})),
        extra(serde_json::json!({"form": form, "statement": "AAAA"})),
        extra(serde_json::json!({"form": form, "statement": leaf, "ack": leaf})),
        extra(serde_json::json!({"form": form, "statement": ack, "ack": ack})),
        extra(serde_json::json!([])),
    ];
    for file in bad {
        let verdict = verify_receipt(file.as_bytes(), &Book::new());
        assert!(matches!(verdict, Verdict::Malformed { .. }), "{verdict:?}");
    }
    let large = serde_json::Value::String("k".repeat(KEYS_BYTES_MAX));
    let large = Receipt { keys: Some(large), ..provider_receipt() };
    assert!(matches!(large.to_bytes(), Err(LedgerError::TooLarge { .. })));
}

#[test]
fn no_single_flipped_bit_leaves_another_valid_receipt() {
    let good = Receipt { keys: None, ..provider_receipt() };
    let bytes = good.to_bytes().unwrap();
    let valid = judged(&good);
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 7);
        let verdict = verify_receipt(&bad, &Book::new());
        assert!(!matches!(verdict, Verdict::Valid(_)) || verdict == valid, "byte {at}");
    }
}

#[test]
fn other_kinds_have_receipts_in_their_authors_logs() {
    let interrupted = Statement::Interrupted(Interrupted {
        id: question().id,
        time: Seconds::new(TIME).unwrap(),
        intent: EntryRef { index: 0, leaf: Hash([0; 32]) },
        reason: Word::new("restart").unwrap(),
    });
    let signed = interrupted.sign(&signer(PROVIDER, 1)).unwrap();
    let own = House::with(signer(&origin(PROVIDER), 11), 1, &signed);
    assert!(matches!(judged(&own.receipt(1, None)), Verdict::Valid(_)));
    let foreign = House::with(signer(&origin(CONSUMER), 12), 1, &signed);
    assert!(matches!(judged(&foreign.receipt(1, None)), Verdict::OtherData { .. }));
    let ack = ack(Hash([0; 32]), 3, 1).sign(&signer(CONSUMER, 2)).unwrap();
    let both = House::with(signer(&origin(PROVIDER), 11), 1, &ack);
    assert!(matches!(judged(&both.receipt(1, None)), Verdict::Valid(_)));
}
