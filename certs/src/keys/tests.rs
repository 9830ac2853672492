//! Keys on disk: written once, read back the same, refused when others could read them.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::public::Period;

const NOW: i64 = 1_790_000_000;

fn details() -> CertificateDetails {
    CertificateDetails {
        participant: ParticipantId::parse("urn:agency:vn:h26.18").unwrap(),
        hosts: vec!["node.example".into(), "192.0.2.7".into()],
        valid: Period::new(NOW, NOW + 86_400).unwrap(),
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn stored_keys_come_back_the_same_with_tight_modes() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("node/keys");
    let keys = NodeKeys::generate(&details()).unwrap();
    keys.store(&dir).unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o7777, 0o700);
    for (_, name) in PRIVATE_FILES {
        assert_eq!(std::fs::metadata(dir.join(name)).unwrap().mode() & 0o7777, 0o600, "{name}");
    }
    let again = NodeKeys::load(&dir).unwrap();
    assert_eq!(again.signing, keys.signing);
    assert_eq!(again.ledger, keys.ledger);
    assert_eq!(again.witness, keys.witness);
    assert_eq!(again.channel.certificate(), keys.channel.certificate());
    assert_eq!(again.channel.spki_sha256(), keys.channel.spki_sha256());
    let left: Vec<_> = std::fs::read_dir(dir.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no staging folder is left behind");
    let listed: Vec<_> = generated_file_names().collect();
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), listed.len());
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_to_run() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("keys");
    NodeKeys::generate(&details()).unwrap().store(&dir).unwrap();
    for (_, name) in PRIVATE_FILES {
        for mode in [0o640, 0o604, 0o620] {
            chmod(&dir.join(name), mode);
            let text = NodeKeys::load(&dir).unwrap_err().to_string();
            assert!(text.contains("run: chmod 600 '"), "{text}");
            assert!(text.contains(name), "{text}");
        }
        chmod(&dir.join(name), 0o600);
    }
    chmod(&dir, 0o770);
    assert!(matches!(NodeKeys::load(&dir), Err(KeyError::OpenToOthers { wanted: 0o700, .. })));
}

#[test]
fn keys_are_never_overwritten() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("keys");
    let first = NodeKeys::generate(&details()).unwrap();
    first.store(&dir).unwrap();
    let second = NodeKeys::generate(&details()).unwrap();
    assert!(matches!(second.store(&dir), Err(KeyError::Exists(_))));
    assert_eq!(NodeKeys::load(&dir).unwrap().signing, first.signing);
}

#[test]
fn damaged_files_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("keys");
    NodeKeys::generate(&details()).unwrap().store(&dir).unwrap();
    let path = dir.join("ledger.key");
    let good = std::fs::read(&path).unwrap();
    let oversized = vec![b'A'; KEY_FILE_BYTES_MAX as usize + 1];
    for bad in [&b""[..], b"not a key", &good[..good.len() / 2], &oversized] {
        std::fs::write(&path, bad).unwrap();
        let error = NodeKeys::load(&dir).unwrap_err();
        assert!(
            matches!(&error, KeyError::Malformed { path, .. } if path.ends_with("ledger.key")),
            "{error}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(NodeKeys::load(&dir), Err(KeyError::Io { .. })));
}

#[test]
fn one_key_for_two_uses_is_refused() {
    let mut seeds = KeySeeds::default();
    *seeds.channel = [1; 32];
    *seeds.signing = [2; 32];
    *seeds.ledger = [3; 32];
    *seeds.witness = [2; 32];
    assert!(matches!(NodeKeys::from_seeds(&seeds, &details()), Err(KeyError::SameKeyTwice)));
    *seeds.witness = [4; 32];
    assert!(NodeKeys::from_seeds(&seeds, &details()).is_ok());
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (temp.path().join("one"), temp.path().join("two"));
    NodeKeys::generate(&details()).unwrap().store(&one).unwrap();
    NodeKeys::generate(&details()).unwrap().store(&two).unwrap();
    std::fs::copy(two.join("channel.crt"), one.join("channel.crt")).unwrap();
    assert!(matches!(NodeKeys::load(&one), Err(KeyError::CertificateOfAnotherKey(_))));
}

#[test]
fn a_renewed_certificate_keeps_the_pin() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("keys");
    let mut keys = NodeKeys::generate(&details()).unwrap();
    keys.store(&dir).unwrap();
    let (pin, old) = (keys.channel.spki_sha256(), keys.channel.certificate_sha256());
    let later = CertificateDetails { valid: Period::new(NOW + 5, NOW + 90_000).unwrap(), ..details() };
    keys.renew_certificate(&dir, &later).unwrap();
    assert_eq!(keys.channel.spki_sha256(), pin);
    assert_ne!(keys.channel.certificate_sha256(), old);
    assert_eq!(NodeKeys::load(&dir).unwrap().channel.certificate_period(), Some(later.valid));
}

#[test]
fn certificates_name_participant_and_hosts() {
    let keys = NodeKeys::generate(&details()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(keys.channel.certificate()).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    assert!(names.iter().any(|n| n.contains("urn:agency:vn:h26.18")), "{names:?}");
    assert!(names.iter().any(|n| n.contains("node.example")), "{names:?}");
    assert_eq!(names.len(), 3);
    assert!(!parsed.is_ca());
    let bad = CertificateDetails { hosts: vec!["bad host".into()], ..details() };
    assert!(matches!(NodeKeys::generate(&bad), Err(KeyError::Certificate(_))));
    let many = CertificateDetails { hosts: vec!["a.example".into(); CERTIFICATE_HOSTS_MAX + 1], ..details() };
    assert!(matches!(NodeKeys::generate(&many), Err(KeyError::Certificate(_))));
}

#[test]
fn debug_shows_no_secret() {
    let mut seeds = KeySeeds::default();
    *seeds.channel = [0xa1; 32];
    *seeds.signing = [0xa2; 32];
    *seeds.ledger = [0xa3; 32];
    *seeds.witness = [0xa4; 32];
    let keys = NodeKeys::from_seeds(&seeds, &details()).unwrap();
    let shown = format!("{keys:?} {:?}", keys.signer(&details().participant)).to_lowercase();
    for byte in [0xa1u8, 0xa2, 0xa3, 0xa4] {
        for secret in [crate::encode::hex(&[byte; 8]), crate::encode::b64(&[byte; 32]).to_lowercase()] {
            assert!(!shown.contains(&secret), "{shown}");
        }
        let as_list = format!("{byte}, {byte}");
        assert!(!shown.contains(&as_list), "{shown}");
    }
}
