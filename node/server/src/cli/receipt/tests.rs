use std::sync::Arc;

use certs::NodeKeys;
use certs::descriptor::SignedDescriptor;
use certs::registry::{Member, MemberStatus, Operator, REGISTRY_FORMAT, Registry};
use exchange::manifest::{Chunk, Column, ColumnKind, DatasetRef, DecisionRef, Draft, RuleSetRef};
use exchange::{Digest, Id, Manifest};
use ledger::commitment::{ExchangeKey, Field};
use ledger::statement::{
    CommittedFields, Decision, Exchange, ExchangeId, Party, Question, RuleSet, Seconds, Statement, Word,
};
use ledger::{KeyName, Log, LogOptions, Signer};
use tempfile::TempDir;

use super::*;
use crate::error::RefusalInfo;
use crate::keybook::Excerpt;
use crate::testing::member;

const PROVIDER: &str = "urn:agency:vn:a";
const CONSUMER: &str = "urn:agency:vn:b";
const ROWS: &[u8] = b"a,b\n1,2\n";

/// A provider with its ledger, a consumer, and the folder where everything lies.
struct House {
    dir: TempDir,
    provider: (NodeKeys, SignedDescriptor),
    consumer: (NodeKeys, SignedDescriptor),
    key: ExchangeKey,
}

impl House {
    fn new() -> Self {
        let key = ExchangeKey::new([7; 32]);
        Self {
            dir: tempfile::tempdir().unwrap(),
            provider: member(PROVIDER),
            consumer: member(CONSUMER),
            key,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn manifest(&self) -> Manifest {
        let id = |text: &str| Id::new(text).unwrap();
        let draft = Draft {
            exchange_id: "01J9ZQ4Y7M8N6P5R3S2T1V0W9X".into(),
            provider: id(PROVIDER),
            consumer: id(CONSUMER),
            agreement_id: id("urn:uuid:1"),
            transfer_id: id("urn:uuid:2"),
            decision: DecisionRef { id: id("urn:d"), sha256: Digest::of(b"d") },
            rule_set: RuleSetRef { sha256: Digest::of(b"r"), version: 1 },
            dataset: DatasetRef { id: id("urn:agency:vn:a/x"), version: 1 },
            columns: vec![Column { name: "a".into(), kind: ColumnKind::Integer }],
            media_type: "text/csv".into(),
            obligations: json!({}),
            rows: 1,
            chunk_size: 4 << 20,
            chunks: vec![Chunk { len: ROWS.len() as u64, sha256: Digest::of(ROWS) }],
            sha256: Digest::of(ROWS),
            sealed: None,
            copy: None,
            superseded: None,
            created: 2_000_000,
        };
        Manifest::seal(draft).unwrap()
    }

    /// Writes the receipt of a statement about `told` and gives its path. `ride` is what the excerpt says was answered.
    fn receipt(&self, told: &Told, ride: Option<Told>) -> std::path::PathBuf {
        let digest = match told {
            Told::Manifest(m) => m.digest().unwrap(),
            Told::Refusal(r) => exchange::json::digest(r).unwrap(),
        };
        use base64::Engine as _;
        let value =
            format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest.as_bytes()));
        let response = self.key.commit(Field::Response, value.as_bytes());
        let decision = match told {
            Told::Manifest(_) => Decision::Permit { response },
            Told::Refusal(_) => {
                Decision::Deny { reason: Word::new("NO-RULE").unwrap(), response: Some(response) }
            }
        };
        let question = Question {
            id: ExchangeId::new("01J9ZQ4Y7M8N6P5R3S2T1V0W9X").unwrap(),
            time: Seconds::new(2_000_000).unwrap(),
            provider: Party::new(PROVIDER).unwrap(),
            consumer: Party::new(CONSUMER).unwrap(),
            dataset: Word::new("urn:agency:vn:a/x@1").unwrap(),
            operation: Word::new("query").unwrap(),
            agreement: None,
            purpose: Some(Word::new("research").unwrap()),
            basis: None,
        };
        let statement = Statement::Exchange(Exchange {
            question,
            decision,
            rules: RuleSet { sha256: [1; 32], version: 1 },
            request: self.key.commit(Field::Request, b"request"),
            committed: CommittedFields::default(),
        });
        let signer = Signer::new(KeyName::new(PROVIDER).unwrap(), self.provider.0.signing.clone());
        let signed = statement.sign(&signer).unwrap();
        let excerpt = Excerpt {
            registry_version: 1,
            registry_sha256: "00".into(),
            members: vec![self.provider.1.clone(), self.consumer.1.clone()],
            decision: None,
            answer: ride.and_then(|told| Answer::new(&self.key, told)),
        };
        let origin = KeyName::new(&format!("{PROVIDER}/ledger")).unwrap();
        let house = tempfile::tempdir().unwrap();
        let options = LogOptions::new(house.path().join("guard"));
        let signer = Signer::new(origin, self.provider.0.ledger.clone());
        let log = Log::open(&house.path().join("log"), signer, Arc::new(|| 2_000_001), options).unwrap();
        let index = log.append_blocking(signed.bytes()).unwrap().index;
        log.close();
        let keys = serde_json::to_value(excerpt).unwrap();
        let bytes =
            ledger::receipt::issue(&log, index, &log.checkpoint().unwrap().signed, None, Some(keys)).unwrap();
        let path = self.path("receipt.tlog-proof");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn registry(&self, members: &[&SignedDescriptor]) -> std::path::PathBuf {
        self.version(1, 1, members)
    }

    fn version(&self, version: u64, issued: i64, members: &[&SignedDescriptor]) -> std::path::PathBuf {
        let id = certs::ParticipantId::parse("urn:operator").unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let member = |d: &&SignedDescriptor| Member {
            descriptor: (*d).clone(),
            status: MemberStatus::Active,
            predecessors: Vec::new(),
            successors: Vec::new(),
        };
        let registry = Registry {
            format: REGISTRY_FORMAT.into(),
            version,
            previous_sha256: (version > 1).then(|| "0".repeat(64)),
            issued,
            fresh_until: 4_000_000_000,
            grace_until: 4_000_000_000,
            threshold: 1,
            operators: vec![Operator { id: id.clone(), key: certs::PublicKey::of(&key) }],
            members: members.iter().map(member).collect(),
        };
        let signed = registry.into_unsigned().unwrap().sign_with(&id, &key).unwrap();
        let path = self.path(&format!("registry-{version}-{issued}.json"));
        std::fs::write(&path, signed.to_bytes().unwrap()).unwrap();
        path
    }
}

fn refusal() -> RefusalInfo {
    RefusalInfo {
        code: "NO-RULE".into(),
        legal_basis: "Điều 16".into(),
        text_vi: "không".into(),
        text_en: "no".into(),
    }
}

#[track_caller]
fn wrong(judged: Result<Value>, wants: &str) {
    let error = judged.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains(wants), "`{error}` should say `{wants}`");
}

#[test]
fn a_receipt_is_judged_by_its_own_keys_and_held_against_the_data() {
    let house = House::new();
    let told = Told::Manifest(Box::new(house.manifest()));
    let file = house.receipt(&told, Some(told.clone()));
    let (same, other) = (house.path("same.csv"), house.path("other.csv"));
    std::fs::write(&same, ROWS).unwrap();
    std::fs::write(&other, b"a,b\n1,3\n").unwrap();
    let judged = verify(&file, &[], Some(&same)).unwrap();
    assert_eq!(judged["verdict"], "valid");
    assert_eq!(judged["statement"]["purpose"], "research");
    assert_eq!(judged["keys"]["from"], "receipt");
    assert_eq!(judged["keys"]["members"].as_array().unwrap().len(), 2);
    assert_eq!(judged["data"]["is_the_answer"], true);
    let text = verdict_text(&judged);
    assert!(
        text.starts_with("VALID") && text.contains("not acknowledged") && text.contains("--registry"),
        "{text}"
    );
    wrong(verify(&file, &[], Some(&other)), "other data");
}

#[test]
fn a_registry_that_knows_other_keys_refuses_what_the_receipt_vouches_for_itself() {
    let house = House::new();
    let told = Told::Manifest(Box::new(house.manifest()));
    let file = house.receipt(&told, None);
    let registry = house.registry(&[&house.provider.1, &house.consumer.1]);
    let judged = verify(&file, std::slice::from_ref(&registry), None).unwrap();
    assert_eq!((&judged["keys"]["from"], &judged["answer"]), (&json!("registry"), &Value::Null));
    let (_, stranger) = member(PROVIDER);
    let registry = house.registry(&[&stranger]);
    wrong(verify(&file, std::slice::from_ref(&registry), None), "bad checkpoint");
    let mut bytes = std::fs::read(&registry).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&registry, bytes).unwrap();
    wrong(verify(&file, std::slice::from_ref(&registry), None), "registry");
}

#[test]
fn what_rides_along_must_be_what_was_answered() {
    let house = House::new();
    let manifest = Told::Manifest(Box::new(house.manifest()));
    let file = house.receipt(&manifest, Some(Told::Refusal(refusal())));
    wrong(verify(&file, &[], None), "other data");
    let file = house.receipt(&manifest, None);
    let rows = house.path("rows.csv");
    std::fs::write(&rows, ROWS).unwrap();
    wrong(verify(&file, &[], Some(&rows)), "carries no manifest");
}

#[test]
fn a_refusal_is_told_in_its_words_and_is_about_no_rows() {
    let house = House::new();
    let told = Told::Refusal(refusal());
    let file = house.receipt(&told, Some(told.clone()));
    let judged = verify(&file, &[], None).unwrap();
    assert_eq!(judged["statement"]["decision"], "deny");
    assert_eq!(judged["answer"]["refusal"]["code"], "NO-RULE");
    assert!(verdict_text(&judged).contains("không / no"));
    wrong(verify(&file, &[], Some(&file)), "refusal");
}

#[test]
fn damaged_files_are_told_from_forged_ones() {
    let house = House::new();
    let told = Told::Refusal(refusal());
    let file = house.receipt(&told, None);
    let good = std::fs::read_to_string(&file).unwrap();
    for (bad, wants) in [
        (good.replace("tlog-proof@v1", "tlog-proof@v2"), "malformed"),
        (String::new(), "malformed"),
        (good.replace("/ledger\n1\n", "/ledger\n2\n"), "bad checkpoint"),
        (format!("{good}{}", "x".repeat(certs::note::NOTE_BYTES_MAX + 1)), "is over"),
        (good.replacen("c2sp", "x", 1), "malformed"),
    ] {
        std::fs::write(&file, bad).unwrap();
        wrong(verify(&file, &[], None), wants);
    }
    // What is no receipt at all was asked wrongly, however long it is.
    for other in ["a,b\n1,2\n".to_owned(), "1,2\n".repeat(certs::note::NOTE_BYTES_MAX)] {
        std::fs::write(&file, other).unwrap();
        let error = verify(&file, &[], None).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains("is no receipt"), "{error}");
    }
    assert_eq!(verify(&house.path("none"), &[], None).unwrap_err().exit_code(), 1);
}

#[test]
fn keys_that_were_replaced_verify_what_is_older_than_their_replacement_and_nothing_later() {
    let house = House::new();
    let file = house.receipt(&Told::Refusal(refusal()), None);
    let before = house.version(4, 1_000_000, &[&house.provider.1, &house.consumer.1]);
    let (_, new_keys) = member(PROVIDER);
    // The statement is of the second 2,000,000.
    for (replaced, valid) in [(2_000_001, true), (2_000_000, false), (1_999_999, false)] {
        let since = house.version(5, replaced, &[&new_keys, &house.consumer.1]);
        assert!(verify(&file, std::slice::from_ref(&since), None).is_err(), "the new keys alone");
        for both in [[before.clone(), since.clone()], [since, before.clone()]] {
            assert_eq!(verify(&file, &both, None).is_ok(), valid, "replaced at {replaced}");
        }
    }
}
