//! The whole way from what a consumer holds to the auditor's rows or verdict, with a provider that may cheat.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use certs::NodeKeys;
use certs::descriptor::SignedDescriptor;
use certs::registry::{Member, MemberStatus, Operator, REGISTRY_FORMAT, Registry};
use dataplane::sealing::SealingKey;
use ed25519_dalek::Signer as _;
use exchange::manifest::{
    Bound, Chunk, Column, ColumnKind, DatasetRef, DecisionRef, Draft, Escrow, RuleSetRef, Sealed, Sealing,
};
use exchange::{DetachedSignature, Digest, Id, Manifest, SignedManifest};
use ledger::commitment::{ExchangeKey, Field};
use ledger::statement::{
    Ack, CommittedFields, Decision, Exchange, ExchangeId, Party, Place, Question, RuleSet, Seconds,
    Statement, Word,
};
use ledger::{KeyName, Log, LogOptions, Signer};
use tempfile::TempDir;

use super::*;
use crate::escrow::handover::FORM;
use crate::escrow::seal;
use crate::testing::member;

const PROVIDER: &str = "urn:agency:vn:b";
const CONSUMER: &str = "urn:agency:vn:a";
const AUDITOR: &str = "urn:agency:vn:thanh-tra";
const EXCHANGE: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const OTHER_EXCHANGE: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAW";
const ROWS: &[u8] = b"id,ten\n1,Nghia Do\n";
const DATA_KEY: [u8; 32] = [7; 32];

/// Everybody's keys, and the folder where the files lie. What a test changes is a field.
struct House {
    dir: TempDir,
    provider: (NodeKeys, SignedDescriptor),
    consumer: (NodeKeys, SignedDescriptor),
    auditor: AuditorKey,
    /// Whether the consumer's receipt holds its acknowledgement.
    acknowledged: bool,
    /// What the provider says that the rows are.
    announced: Digest,
    /// The envelope in the manifest; made honestly when absent.
    envelope: Option<Escrow>,
    /// What lies in the file as the first chunk; the sealed rows when absent.
    chunk: Option<Vec<u8>>,
}

impl House {
    fn new() -> Self {
        let house = Self {
            dir: tempfile::tempdir().unwrap(),
            provider: member(PROVIDER),
            consumer: member(CONSUMER),
            auditor: AuditorKey::generate().unwrap(),
            acknowledged: true,
            announced: Digest::of(ROWS),
            envelope: None,
            chunk: None,
        };
        house.auditor.write(&house.path("secret.key")).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The rows sealed as docs/protocol.md §6 says.
    fn sealed() -> Vec<u8> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &DATA_KEY).unwrap());
        let aad = [b"tram/sealed-chunk@v1\n", EXCHANGE.as_bytes(), b"\n", &0_u64.to_be_bytes()].concat();
        let mut bytes = ROWS.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from(aad), &mut bytes)
            .unwrap();
        bytes
    }

    /// An envelope of this key, bound to this exchange.
    fn envelope(&self, key: [u8; 32], exchange: &str) -> Escrow {
        let bound = Bound {
            exchange,
            provider: PROVIDER,
            consumer: CONSUMER,
            auditor: AUDITOR,
            key_sha256: Digest::of(&DATA_KEY),
        };
        seal(&SealingKey::new(key), Id::new(AUDITOR).unwrap(), &self.auditor.recipient(), &bound).unwrap()
    }

    fn manifest(&self) -> SignedManifest {
        let id = |text: &str| Id::new(text).unwrap();
        let chunk = Self::sealed();
        let escrow = self.envelope.clone().unwrap_or_else(|| self.envelope(DATA_KEY, EXCHANGE));
        let sealed =
            Sealed { algorithm: Sealing::Aes256Gcm, key_sha256: Digest::of(&DATA_KEY), escrow: Some(escrow) };
        let manifest = Manifest::seal(Draft {
            exchange_id: EXCHANGE.into(),
            provider: id(PROVIDER),
            consumer: id(CONSUMER),
            agreement_id: id("urn:uuid:1"),
            transfer_id: id("urn:uuid:2"),
            decision: DecisionRef { id: id("urn:d"), sha256: Digest::of(b"d") },
            rule_set: RuleSetRef { sha256: Digest::of(b"r"), version: 1 },
            dataset: DatasetRef { id: id("urn:agency:vn:b/x"), version: 1 },
            columns: vec![Column { name: "id".into(), kind: ColumnKind::Integer }],
            media_type: "text/csv".into(),
            obligations: json!({}),
            rows: 1,
            chunk_size: 4 << 20,
            chunks: vec![Chunk { len: chunk.len() as u64, sha256: Digest::of(&chunk) }],
            sha256: self.announced,
            sealed: Some(sealed),
            copy: None,
            superseded: None,
            created: 2_000_000,
        })
        .unwrap();
        let signature = self.provider.0.signing.sign(&manifest.signing_bytes().unwrap()).to_bytes();
        let signature = DetachedSignature::new(format!("{PROVIDER}#k"), &signature).unwrap();
        SignedManifest::new(manifest, signature)
    }

    fn signer(of: &NodeKeys, id: &str) -> Signer {
        Signer::new(KeyName::new(id).unwrap(), of.signing.clone())
    }

    /// The consumer's receipt of the provider's statement about this manifest.
    fn receipt(&self, manifest: &Manifest, key: &ExchangeKey) -> Vec<u8> {
        let told = crate::answer::Told::Manifest(Box::new(manifest.clone()));
        let question = Question {
            id: ExchangeId::new(EXCHANGE).unwrap(),
            time: Seconds::new(2_000_000).unwrap(),
            provider: Party::new(PROVIDER).unwrap(),
            consumer: Party::new(CONSUMER).unwrap(),
            dataset: Word::new("urn:agency:vn:b/x@1").unwrap(),
            operation: Word::new("query").unwrap(),
            agreement: None,
            purpose: None,
            basis: None,
        };
        let statement = Statement::Exchange(Exchange {
            question,
            decision: Decision::Permit { response: key.commit(Field::Response, &told.value().unwrap()) },
            rules: RuleSet { sha256: [1; 32], version: 1 },
            request: key.commit(Field::Request, b"request"),
            committed: CommittedFields::default(),
        });
        let signed = statement.sign(&Self::signer(&self.provider.0, PROVIDER)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let origin = KeyName::new(&format!("{CONSUMER}/ledger")).unwrap();
        let options = LogOptions::new(folder.path().join("guard"));
        let signer = Signer::new(origin, self.consumer.0.ledger.clone());
        let log = Log::open(&folder.path().join("log"), signer, Arc::new(|| 2_000_001), options).unwrap();
        let index = log.append_blocking(signed.bytes()).unwrap().index;
        log.close();
        let place = |of: &str, index| Place { log: Party::new(&format!("{of}/ledger")).unwrap(), index };
        let ack = Statement::Ack(Ack {
            id: ExchangeId::new(EXCHANGE).unwrap(),
            time: Seconds::new(2_000_002).unwrap(),
            leaf: signed.leaf(),
            provider: place(PROVIDER, 5),
            consumer: place(CONSUMER, index),
        });
        let ack = self.acknowledged.then(|| ack.sign(&Self::signer(&self.consumer.0, CONSUMER)).unwrap());
        ledger::receipt::issue(&log, index, &log.checkpoint().unwrap().signed, ack, None).unwrap()
    }

    /// What the consumer hands over, and the registry by which the auditor judges it.
    fn hand_over(&self) -> PathBuf {
        let signed = self.manifest();
        let key = ExchangeKey::new([9; 32]);
        let receipt = self.receipt(&signed.manifest, &key);
        let inbox = self.path("inbox");
        std::fs::create_dir_all(&inbox).unwrap();
        std::fs::write(inbox.join("manifest.json"), signed.to_bytes().unwrap()).unwrap();
        std::fs::write(inbox.join("0.chunk"), Self::sealed()).unwrap();
        let head = Head {
            form: FORM.into(),
            exchange: EXCHANGE.into(),
            auditor: AUDITOR.into(),
            salt: files::hex(key.open(Field::Response, &[]).salt()),
            says: Some("the provider is gone".into()),
        };
        let file = self.path("handed.tar");
        handover::write(&inbox, &head, &receipt, &file).unwrap();
        if let Some(chunk) = &self.chunk {
            replace_last(&file, &Self::sealed(), chunk);
        }
        self.registry();
        file
    }

    fn registry(&self) {
        let id = certs::ParticipantId::parse("urn:operator").unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let member = |d: &SignedDescriptor| Member {
            descriptor: d.clone(),
            status: MemberStatus::Active,
            predecessors: Vec::new(),
            successors: Vec::new(),
        };
        let registry = Registry {
            format: REGISTRY_FORMAT.into(),
            version: 1,
            previous_sha256: None,
            issued: 1,
            fresh_until: 4_000_000_000,
            grace_until: 4_000_000_000,
            threshold: 1,
            operators: vec![Operator { id: id.clone(), key: certs::PublicKey::of(&key) }],
            members: vec![member(&self.consumer.1), member(&self.provider.1)],
        };
        let signed = registry.into_unsigned().unwrap().sign_with(&id, &key).unwrap();
        std::fs::write(self.path("registry.json"), signed.to_bytes().unwrap()).unwrap();
    }

    fn open(&self, file: &Path) -> Result<Value> {
        open(file, &self.path("secret.key"), &[self.path("registry.json")], &self.path("rows.csv"))
    }

    /// Nothing of the rows lies anywhere, and no folder was left.
    #[track_caller]
    fn nothing_came_out(&self) {
        for entry in std::fs::read_dir(self.dir.path()).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.starts_with("rows.csv") && !name.starts_with(".tram-escrow"), "{name}");
        }
    }

    #[track_caller]
    fn misdeed(&self, word: &str) {
        let file = self.hand_over();
        let told = self.open(&file).unwrap();
        assert_eq!(told["misdeed"], word, "{told}");
        let proves = told["proves"].as_str().unwrap();
        assert!(
            proves.starts_with(&format!("PROVEN of {PROVIDER}")) && proves.contains("signature"),
            "{proves}"
        );
        self.nothing_came_out();
    }

    #[track_caller]
    fn accuses_nobody(&self, file: &Path, wants: &str) {
        let error = self.open(file).unwrap_err();
        assert_eq!(error.exit_code(), 4, "{error}");
        let text = error.to_string();
        assert!(text.contains(wants) && text.contains("says nothing about the provider"), "{text}");
        self.nothing_came_out();
    }
}

/// Puts other bytes of the same length into the file, at their last place.
fn replace_last(file: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn the_auditor_opens_the_rows_of_a_provider_that_stays_silent() {
    let house = House::new();
    let file = house.hand_over();
    let told = house.open(&file).unwrap();
    assert_eq!(std::fs::read(house.path("rows.csv")).unwrap(), ROWS);
    assert_eq!((&told["misdeed"], &told["sha256"]), (&Value::Null, &json!(Digest::of(ROWS))));
    assert_eq!(told["consumer_says"], "the provider is gone");
    // The provider is owed the acknowledgement: it lies beside the rows.
    let receipt = std::fs::read(told["receipt_file"].as_str().unwrap()).unwrap();
    assert!(ledger::receipt::Receipt::parse(&receipt).unwrap().ack.is_some());
    assert!(opened_text(&told).contains("OPENED"));
    // Nothing is written over, and nothing else was left.
    assert_eq!(house.open(&file).unwrap_err().exit_code(), 2);
    let left = std::fs::read_dir(house.dir.path()).unwrap().flatten();
    assert!(!left.map(|e| e.file_name()).any(|name| name.to_string_lossy().starts_with(".tram")));
}

#[tokio::test]
async fn an_envelope_of_another_key_is_proven_of_the_provider_with_exit_code_4() {
    let mut house = House::new();
    house.envelope = Some(house.envelope([8; 32], EXCHANGE));
    house.misdeed("envelope-holds-another-key");
    let verb = EscrowCommand::Open {
        file: house.path("handed.tar"),
        key: house.path("secret.key"),
        registry: vec![house.path("registry.json")],
        out: house.path("rows.csv"),
    };
    assert_eq!(run(verb, Out { json: true }).await.unwrap(), 4);
}

#[test]
fn an_envelope_that_does_not_open_is_proven_of_the_provider() {
    let mut house = House::new();
    let mut touched = house.envelope(DATA_KEY, EXCHANGE);
    touched.ciphertext.0[3] ^= 1;
    house.envelope = Some(touched);
    house.misdeed("envelope-does-not-open");
}

#[test]
fn an_envelope_from_another_exchange_is_proven_of_the_provider() {
    let mut house = House::new();
    house.envelope = Some(house.envelope(DATA_KEY, OTHER_EXCHANGE));
    house.misdeed("envelope-does-not-open");
}

#[test]
fn other_rows_than_announced_are_proven_of_the_provider() {
    let mut house = House::new();
    house.announced = Digest::of(b"other rows");
    house.misdeed("other-rows");
}

#[test]
fn whoever_did_not_acknowledge_gets_nothing_opened() {
    let mut house = House::new();
    house.acknowledged = false;
    let file = house.hand_over();
    house.accuses_nobody(&file, "no acknowledgement");
}

#[test]
fn the_wrong_secret_key_proves_nothing() {
    let house = House::new();
    let file = house.hand_over();
    std::fs::remove_file(house.path("secret.key")).unwrap();
    AuditorKey::generate().unwrap().write(&house.path("secret.key")).unwrap();
    let error = house.open(&file).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains("nothing is proven"), "{error}");
    house.nothing_came_out();
}

#[test]
fn a_consumer_that_changes_what_it_hands_over_convicts_nobody() {
    let mut house = House::new();
    let mut chunk = House::sealed();
    chunk[0] ^= 1;
    house.chunk = Some(chunk);
    let file = house.hand_over();
    house.accuses_nobody(&file, "chunk 0 is not the one of the manifest");

    // An envelope that it put into the manifest itself is in nothing that the provider signed.
    let house = House::new();
    let file = house.hand_over();
    let manifest = std::fs::read(house.path("inbox/manifest.json")).unwrap();
    let (good, forged) =
        (house.manifest().manifest.sealed.unwrap().escrow.unwrap(), house.envelope([8; 32], EXCHANGE));
    let text = String::from_utf8(manifest.clone()).unwrap();
    let at = text.find("\"ciphertext\":\"").unwrap() + 14;
    assert_eq!(good.ciphertext.to_string().len(), 64);
    let other = format!("{}{}{}", &text[..at], forged.ciphertext, &text[at + 64..]);
    assert_ne!(other, text);
    replace_last(&file, &manifest, other.as_bytes());
    house.accuses_nobody(&file, "`response` is not what the statement commits to");
}

#[test]
fn a_file_that_breaks_off_or_is_something_else_is_refused_by_its_name() {
    let house = House::new();
    let file = house.hand_over();
    let whole = std::fs::read(&file).unwrap();
    // The last kilobytes are the tar's end, which nobody needs.
    let content = whole.len() - 1_024 - 512;
    for len in (0..content).step_by(97) {
        std::fs::write(&file, &whole[..len]).unwrap();
        let error = house.open(&file).unwrap_err();
        assert_eq!(error.exit_code(), 4, "{len} bytes: {error}");
        house.nothing_came_out();
    }
    std::fs::write(&file, b"id,ten\n").unwrap();
    house.accuses_nobody(&file, "no handed-over exchange");
    for (from, to) in [("0.chunk", "1.chunk"), ("handover.json", "handover.jsom"), ("@v1", "@v2")] {
        let mut bytes = whole.clone();
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(house.open(&file).unwrap_err().exit_code(), 4, "{to}");
        house.nothing_came_out();
    }
}

#[test]
fn every_flipped_bit_is_found_or_harmless_and_accuses_nobody() {
    let house = House::new();
    let file = house.hand_over();
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(41) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&file, bytes).unwrap();
        match house.open(&file) {
            // In padding, in what the consumer says, in the order of the tar's fields.
            Ok(told) => {
                assert_eq!(told["misdeed"], Value::Null, "byte {at}");
                assert_eq!(std::fs::read(house.path("rows.csv")).unwrap(), ROWS);
                for name in ["rows.csv", "rows.csv.consumer.tlog-proof"] {
                    std::fs::remove_file(house.path(name)).unwrap();
                }
            }
            Err(error) => {
                assert_eq!(error.exit_code(), 4, "byte {at}: {error}");
                house.nothing_came_out();
            }
        }
    }
}

#[tokio::test]
async fn a_key_pair_is_made_once_and_its_line_can_be_configured() {
    let house = House::new();
    let verb = || EscrowCommand::Key { out: house.path("new.key") };
    assert_eq!(run(verb(), Out { json: true }).await.unwrap(), 0);
    let line = std::fs::read_to_string(house.path("new.key.pub")).unwrap();
    let section =
        crate::config::EscrowSection { auditor: AUDITOR.into(), key: line.trim().into(), demand: false };
    let key = AuditorKey::read(&house.path("new.key")).unwrap();
    assert_eq!(section.recipient().unwrap(), key.recipient());
    assert_eq!(run(verb(), Out { json: true }).await.unwrap_err().exit_code(), 2);
    assert_eq!(AuditorKey::read(&house.path("new.key")).unwrap().recipient(), key.recipient());
}
