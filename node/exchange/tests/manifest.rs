//! The manifest: consistent in itself, the same bytes everywhere, and every alteration found.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

mod common;

use common::id;
use exchange::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use exchange::manifest::*;
use exchange::{DetachedSignature, Digest, Manifest, SignedManifest};
use serde_json::{Value, json};

fn draft(chunks: Vec<Chunk>) -> Draft {
    Draft {
        exchange_id: "01J9ZQ3V6T8W4X5Y6Z7A8B9CDE".into(),
        provider: id("urn:agency:vn:hanoi-env"),
        consumer: id("urn:agency:vn:hanoi-ops"),
        agreement_id: id("urn:tram:agreement:1"),
        transfer_id: id("urn:uuid:1"),
        decision: DecisionRef { id: id("urn:tram:decision:1"), sha256: Digest::of(b"decision") },
        rule_set: RuleSetRef { sha256: Digest::of(b"rules"), version: 42 },
        dataset: DatasetRef { id: id("urn:agency:vn:hanoi-env/air-hourly"), version: 7 },
        columns: vec![
            Column { name: "Thời gian".into(), kind: ColumnKind::Timestamp },
            Column { name: "PM 2.5".into(), kind: ColumnKind::Number },
        ],
        media_type: "text/csv".into(),
        obligations: json!({ "max_rows": 1000 }),
        rows: 10,
        chunk_size: CHUNK_BYTES_MIN,
        chunks,
        sha256: Digest::of(b"whole"),
        sealed: None,
        copy: None,
        superseded: None,
        created: 1_790_000_000,
    }
}

fn chunks(count: u64, last: u64) -> Vec<Chunk> {
    let len = |i| if i + 1 == count { last } else { CHUNK_BYTES_MIN };
    (0..count).map(|i| Chunk { len: len(i), sha256: Digest::of(&i.to_be_bytes()) }).collect()
}

fn signed() -> SignedManifest {
    let manifest = Manifest::seal(draft(chunks(5, 17))).unwrap();
    SignedManifest::new(manifest, DetachedSignature::new("urn:agency:vn:hanoi-env#k1", &[9; 64]).unwrap())
}

#[test]
fn a_sealed_manifest_survives_the_wire_byte_for_byte() {
    let signed = signed();
    let bytes = signed.to_bytes().unwrap();
    let read = SignedManifest::parse(&bytes).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.manifest.bytes, 4 * CHUNK_BYTES_MIN + 17);
    assert_eq!(read.signature().keyid(), "urn:agency:vn:hanoi-env#k1");
    let signing = read.manifest.signing_bytes().unwrap();
    assert!(signing.starts_with(b"tram/manifest@v1\n{\"agreement_id\":"));
    assert_eq!(Digest::of(&signing[b"tram/manifest@v1\n".len()..]), read.manifest.digest().unwrap());
}

fn sealing() -> Sealed {
    Sealed { algorithm: Sealing::Aes256Gcm, key_sha256: Digest::of(&[7; 32]), escrow: None }
}

#[test]
fn a_sealed_manifest_counts_the_rows_and_lists_the_chunks_as_they_travel() {
    let sealed = |last| Manifest::seal(Draft { sealed: Some(sealing()), ..draft(chunks(3, last)) });
    let manifest = sealed(17).unwrap();
    assert_eq!(manifest.bytes, 2 * (CHUNK_BYTES_MIN - 16) + 1);
    let plain = Manifest::seal(draft(chunks(3, 17))).unwrap();
    assert_eq!(manifest.root, plain.root);
    assert_ne!(manifest.digest().unwrap(), plain.digest().unwrap());
    // A chunk with nothing but a tag holds no rows.
    for last in [0, 16] {
        let error = sealed(last).unwrap_err();
        assert!(matches!(error, ManifestError::ChunkLength { index: 2, .. }), "{error}");
    }
    // The size of the chunks is not the size of the rows.
    let altered = Manifest { bytes: 2 * CHUNK_BYTES_MIN + 17, ..manifest };
    assert!(matches!(altered.check(), Err(ManifestError::Value { field: "bytes", .. })));
}

#[test]
fn how_chunks_are_sealed_is_signed_and_read_strictly() {
    let manifest = Manifest::seal(Draft { sealed: Some(sealing()), ..draft(chunks(1, 17)) }).unwrap();
    let signature = DetachedSignature::new("urn:agency:vn:hanoi-env#k1", &[9; 64]).unwrap();
    let signed = SignedManifest::new(manifest, signature);
    let text = String::from_utf8(signed.to_bytes().unwrap()).unwrap();
    assert_eq!(SignedManifest::parse(text.as_bytes()).unwrap(), signed);
    let digest = Digest::of(&[7; 32]).to_string();
    let written = format!(r#""sealed":{{"algorithm":"aes-256-gcm","key_sha256":"{digest}"}}"#);
    assert!(text.contains(&written), "{text}");
    for (from, to) in [("aes-256-gcm", "aes-128-gcm"), ("\"algorithm\"", "\"more\":1,\"algorithm\"")] {
        assert!(SignedManifest::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    let other = Digest::of(&[8; 32]).to_string();
    let read = SignedManifest::parse(text.replacen(&digest, &other, 1).as_bytes()).unwrap();
    assert_ne!(read.manifest.signing_bytes().unwrap(), signed.manifest.signing_bytes().unwrap());
    assert!(!String::from_utf8(self::signed().to_bytes().unwrap()).unwrap().contains("\"sealed\""));
}

fn envelope() -> Escrow {
    Escrow {
        auditor: id("urn:agency:vn:thanh-tra"),
        suite: EscrowSuite::X25519Aes256Gcm,
        recipient: Fixed([1; 32]),
        enc: Fixed([2; 32]),
        ciphertext: Fixed([3; 48]),
    }
}

#[test]
fn an_escrow_envelope_is_signed_with_the_manifest_and_read_strictly() {
    let with = Sealed { escrow: Some(envelope()), ..sealing() };
    let manifest = Manifest::seal(Draft { sealed: Some(with), ..draft(chunks(1, 17)) }).unwrap();
    let without = Manifest::seal(Draft { sealed: Some(sealing()), ..draft(chunks(1, 17)) }).unwrap();
    assert_ne!(manifest.digest().unwrap(), without.digest().unwrap());
    let signature = DetachedSignature::new("urn:agency:vn:hanoi-env#k1", &[9; 64]).unwrap();
    let signed = SignedManifest::new(manifest, signature);
    let text = String::from_utf8(signed.to_bytes().unwrap()).unwrap();
    assert_eq!(SignedManifest::parse(text.as_bytes()).unwrap(), signed);
    let ones = Fixed([1_u8; 32]).to_string();
    for (from, to) in [
        ("hpke-x25519-hkdf-sha256-aes-256-gcm", "hpke-p256"),
        ("\"auditor\"", "\"more\":1,\"auditor\""),
        (ones.as_str(), "AQEB"),
        // Another spelling of the same bytes, and one byte more.
        ("AQE=\"", "AQF=\""),
        (&format!("\"recipient\":\"{ones}\","), ""),
        ("AwMD\"", "AwMDAwMD\""),
    ] {
        assert_ne!(text.replacen(from, to, 1), text, "`{from}` is not there");
        assert!(SignedManifest::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn each_thing_that_an_envelope_is_bound_to_changes_the_bound_bytes() {
    let bound = Bound {
        exchange: "01J9ZQ3V6T8W4X5Y6Z7A8B9CDE",
        provider: "urn:p",
        consumer: "urn:c",
        auditor: "urn:a",
        key_sha256: Digest::of(b"k"),
    };
    let others = [
        Bound { exchange: "01J9ZQ3V6T8W4X5Y6Z7A8B9CDF", ..bound },
        Bound { provider: "urn:q", ..bound },
        Bound { consumer: "urn:q", ..bound },
        Bound { auditor: "urn:q", ..bound },
        Bound { key_sha256: Digest::of(b"q"), ..bound },
        Bound { provider: "urn:c", consumer: "urn:p", ..bound },
    ];
    for other in others {
        assert_ne!(other.info(), bound.info(), "{other:?}");
    }
}

#[test]
fn an_answer_without_a_byte_has_no_chunk() {
    let manifest = Manifest::seal(draft(vec![])).unwrap();
    assert_eq!((manifest.bytes, manifest.root), (0, Digest::of(b"")));
}

/// Every leaf of the JSON changed in turn: either the manifest is refused, or the bytes that are signed differ.
#[test]
fn no_alteration_stays_unseen() {
    let signed = signed();
    let value: Value = serde_json::from_slice(&signed.to_bytes().unwrap()).unwrap();
    let mut refused = 0;
    for pointer in leaves(&value, String::new()) {
        let mut altered = value.clone();
        let leaf = altered.pointer_mut(&pointer).unwrap();
        *leaf = match leaf {
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::String(text) => {
                let last = if text.ends_with('0') { "1" } else { "0" };
                json!(format!("{}{last}", &text[..text.len() - text.chars().last().unwrap().len_utf8()]))
            }
            other => panic!("{pointer}: {other}"),
        };
        match SignedManifest::parse(&serde_json::to_vec(&altered).unwrap()) {
            Err(_) => refused += 1,
            Ok(read) if pointer == "/keyid" => assert_ne!(read.signature(), signed.signature()),
            Ok(read) => {
                assert_ne!(read.manifest.signing_bytes().unwrap(), signed.manifest.signing_bytes().unwrap())
            }
        }
    }
    assert!(refused >= 20, "{refused} refusals only: chunks, root, sizes and digests must be among them");
}

fn leaves(value: &Value, pointer: String) -> Vec<String> {
    match value {
        Value::Object(object) => {
            object.iter().flat_map(|(key, inner)| leaves(inner, format!("{pointer}/{key}"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, inner)| leaves(inner, format!("{pointer}/{i}"))).collect()
        }
        _ => vec![pointer],
    }
}

#[test]
fn swapped_chunks_are_found_by_the_root() {
    let mut manifest = Manifest::seal(draft(chunks(5, CHUNK_BYTES_MIN))).unwrap();
    manifest.chunks.swap(1, 2);
    assert!(matches!(manifest.verify_root(), Err(ManifestError::Digest { field: "root", .. })));
    assert_eq!(manifest.check(), manifest.verify_root());
}

#[test]
fn chunks_are_full_but_the_last_and_never_empty() {
    for (chunks, index) in [
        (chunks(3, 0), 2),
        (chunks(3, CHUNK_BYTES_MIN + 1), 2),
        (vec![Chunk { len: 5, sha256: Digest::of(b"") }, Chunk { len: 5, sha256: Digest::of(b"") }], 0),
    ] {
        let error = Manifest::seal(draft(chunks)).unwrap_err();
        assert!(
            matches!(error, ManifestError::ChunkLength { index: found, .. } if found == index),
            "{error}"
        );
    }
}

#[test]
fn values_out_of_their_limits_are_named() {
    type Change = fn(&mut Draft);
    let changes: &[(&str, Change)] = &[
        ("exchange_id", |draft| draft.exchange_id = "01j9zq3v6t8w4x5y6z7a8b9cde".into()),
        ("exchange_id", |draft| draft.exchange_id = "81J9ZQ3V6T8W4X5Y6Z7A8B9CDE".into()),
        ("exchange_id", |draft| draft.exchange_id.clear()),
        ("media_type", |draft| draft.media_type = "csv".into()),
        ("media_type", |draft| draft.media_type = "text/csv\r\nx: y".into()),
        ("schema.columns", |draft| draft.columns.clear()),
        ("schema.columns", |draft| draft.columns = vec![draft.columns[0].clone(); 2]),
        ("rows", |draft| draft.rows = 1 << 53),
        ("rule_set.version", |draft| draft.rule_set.version = 1 << 53),
        ("chunk_size", |draft| draft.chunk_size = CHUNK_BYTES_MIN - 1),
        ("chunk_size", |draft| draft.chunk_size = CHUNK_BYTES_MAX + 1),
    ];
    for (field, change) in changes {
        let mut draft = draft(vec![]);
        change(&mut draft);
        let error = Manifest::seal(draft).unwrap_err();
        assert!(
            matches!(&error, ManifestError::Value { field: found, .. } if found == field),
            "{field}: {error}"
        );
    }
}

#[test]
fn the_parser_is_strict() {
    let text = String::from_utf8(signed().to_bytes().unwrap()).unwrap();
    assert!(SignedManifest::parse(text.as_bytes()).is_ok());
    let refused = [
        text.replacen("{\"keyid\"", "{\"more\":1,\"keyid\"", 1),
        text.replacen("\"rows\":10", "\"rows\":10,\"rows\":10", 1),
        text.replacen("\"rows\":10", "\"rows\":10,\"more\":1", 1),
        text.replacen("\"rows\":10", "\"rows\":-1", 1),
        text.replacen("\"rows\":10,", "", 1),
        text.replacen("{\"max_rows\":1000}", "{\"max_rows\":1000,\"max_rows\":1000}", 1),
        text.replacen("sha-256", "sha-512", 1),
        text.replacen("\"type\":\"number\"", "\"type\":\"float\"", 1),
        format!("{text}x"),
    ];
    for altered in refused {
        assert_ne!(altered, text);
        let error = SignedManifest::parse(altered.as_bytes()).unwrap_err();
        assert!(matches!(error, ManifestError::Json(_)), "{error}");
    }
}

fn copied(kind: CopyKind) -> Draft {
    let mut draft = draft(chunks(1, 17));
    let changes = kind == CopyKind::Changes;
    if changes {
        draft.columns.push(Column { name: CHANGE_COLUMN.into(), kind: ColumnKind::String });
    }
    draft.copy = Some(CopyRef {
        kind,
        from_version: (kind != CopyKind::Whole).then(|| "01J9ZQ3V6T8W4X5Y6Z7A8B9CDF".to_owned()),
        to_version: draft.exchange_id.clone(),
        why: (kind == CopyKind::Whole).then_some(Why::First),
        append_by: (kind == CopyKind::Append).then(|| draft.columns[0].name.clone()),
        key: vec![draft.columns[0].name.clone()],
        rows: draft.rows,
        sha256: draft.sha256,
    });
    draft
}

#[test]
fn a_copy_is_a_whole_or_changes_and_never_both() {
    type Change = fn(&mut Draft, &mut CopyRef);
    for kind in [CopyKind::Whole, CopyKind::Changes, CopyKind::Append] {
        let manifest = Manifest::seal(copied(kind)).unwrap();
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }
    let bad: &[(CopyKind, Change)] = &[
        (CopyKind::Whole, |_, copy| copy.to_version = "01J9ZQ3V6T8W4X5Y6Z7A8B9CDF".into()),
        (CopyKind::Whole, |_, copy| copy.from_version = Some(copy.to_version.clone())),
        (CopyKind::Whole, |_, copy| copy.why = None),
        (CopyKind::Whole, |_, copy| copy.rows += 1),
        (CopyKind::Whole, |_, copy| copy.sha256 = Digest::of(b"another")),
        (CopyKind::Whole, |_, copy| copy.key = vec!["hidden".into()]),
        (CopyKind::Whole, |_, copy| copy.kind = CopyKind::Changes),
        (CopyKind::Changes, |_, copy| copy.from_version = None),
        (CopyKind::Changes, |_, copy| copy.from_version = Some("yesterday".into())),
        (CopyKind::Changes, |_, copy| copy.why = Some(Why::Gone)),
        (CopyKind::Changes, |draft, _| _ = draft.columns.pop()),
        (CopyKind::Changes, |_, copy| copy.rows = 1 << 53),
        (CopyKind::Changes, |_, copy| copy.append_by = Some(copy.key[0].clone())),
        (CopyKind::Append, |_, copy| copy.append_by = None),
        (CopyKind::Append, |_, copy| copy.append_by = Some("hidden".into())),
        (CopyKind::Append, |_, copy| copy.from_version = None),
        (CopyKind::Append, |_, copy| copy.why = Some(Why::Rewritten)),
        (CopyKind::Append, |draft, copy| copy.rows = draft.rows - 1),
        (CopyKind::Append, |draft, _| {
            draft.columns.push(Column { name: CHANGE_COLUMN.into(), kind: ColumnKind::String });
        }),
    ];
    for (number, (kind, change)) in bad.iter().enumerate() {
        let mut draft = copied(*kind);
        let mut copy = draft.copy.take().unwrap();
        change(&mut draft, &mut copy);
        draft.copy = Some(copy);
        assert!(Manifest::seal(draft).is_err(), "{number}");
    }
}
