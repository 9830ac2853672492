//! Time-stamps by a local authority: the good one is accepted, by us and by `openssl ts -verify`; each bad one is
//! refused by the name of its fault. In a program of its own, since it starts processes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod authority;

use std::sync::{Arc, OnceLock};

use authority::Authority;
use certs::note::{KeyName, Signer};
use ed25519_dalek::SigningKey;
use ledger::checkpoint::SignedCheckpoint;
use ledger::timestamp::{Roots, TimestampError, Token, files, read_response, request, verify};
use ledger::verify::{Checks, Report, verify_dir_against};
use ledger::{LedgerError, Log, LogOptions};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const NONCE: u64 = 0x8123_4567_89ab_cdef;
/// Later than any token of these tests, whose authority takes the machine's clock.
const LATER: u64 = 4_000_000_000;

fn authority() -> &'static Authority {
    static ONE: OnceLock<Authority> = OnceLock::new();
    ONE.get_or_init(Authority::new)
}

fn roots(name: &str) -> Roots {
    Roots::from_pem(&authority().read(&format!("{name}.pem"))).unwrap()
}

fn log_signer() -> Signer {
    let name = KeyName::new("ledger.example/agency-a/exchange-log").unwrap();
    Signer::new(name, SigningKey::from_bytes(&[7; 32]))
}

/// The log of five entries, stopped, with its stamp by the local authority.
fn stamped_log() -> (TempDir, SignedCheckpoint, files::Pair) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let options = LogOptions::new(folder.path().join("guard"));
    let log = Log::open(&dir, log_signer(), Arc::new(|| 0), options).unwrap();
    for k in 0..5 {
        log.append_blocking(format!("{{\"exchange\":{k}}}")).unwrap();
    }
    log.close();
    let checkpoint = log.checkpoint().unwrap().signed.clone();
    let pair = files::store(&dir, &checkpoint, &token_over(&checkpoint.to_bytes())).unwrap();
    (folder, checkpoint, pair)
}

fn token_over(message: &[u8]) -> Token {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let digest = Sha256::digest(message).into();
    let answer = authority().answer(&request(&digest, NONCE).unwrap());
    read_response(&answer, &digest, NONCE).unwrap()
}

/// The bytes of the `TSTInfo` in a token.
fn info_of(token: &Token) -> Vec<u8> {
    let response = token.to_response();
    // `eContentType`, then `[0]` and OCTET STRING, each shorter than 128 bytes.
    let name = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
    let at = response.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    assert_eq!((response[at], response[at + 2]), (0xa0, 4));
    response[at + 4..at + 4 + usize::from(response[at + 3])].to_vec()
}

fn judge(token: &Token, message: &[u8], root: &str) -> Result<ledger::timestamp::Stamp, TimestampError> {
    verify(token, message, &roots(root), LATER)
}

#[test]
fn a_good_stamp_is_accepted_here_and_by_openssl() {
    let (_folder, checkpoint, pair) = stamped_log();
    let token = files::read_token(&pair).unwrap();
    let stamp = judge(&token, &checkpoint.to_bytes(), "root").unwrap();
    assert_eq!((stamp.authority.as_str(), stamp.policy.as_str()), ("CN=tsa", "1.2.3.4.1"));
    assert!(stamp.time > 1_700_000_000 && stamp.time == token.time() && !stamp.serial.is_empty());
    assert!(authority().accepts(&pair.checkpoint, &pair.token, "root"));
    assert!(!authority().accepts(&pair.checkpoint, &pair.token, "other"));
}

#[test]
fn the_question_is_what_openssl_reads() {
    let question = authority().path("a-question");
    for nonce in [1, 0x7f, 0x80, 0xff00, NONCE, u64::MAX] {
        std::fs::write(&question, request(&[0xab; 32], nonce).unwrap()).unwrap();
        let text = authority().openssl("ts -query -text -in a-question").to_uppercase();
        assert!(text.contains("SHA256") && text.contains("CERTIFICATE REQUIRED: YES"), "{text}");
        assert!(text.contains(&format!("NONCE: 0X{nonce:02X}")), "{nonce:x}: {text}");
    }
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let message = b"a note";
    let digest: [u8; 32] = Sha256::digest(message).into();
    let answer = token_over(message).to_response();
    assert_eq!(read_response(&answer, &digest, NONCE + 1).unwrap_err(), TimestampError::OtherNonce);
    assert_eq!(read_response(&answer, &[0; 32], NONCE).unwrap_err(), TimestampError::OtherMessage);
    let mut refused = answer.clone();
    let status = refused.windows(3).position(|window| window == [2, 1, 0]).unwrap();
    refused[status + 2] = 2;
    assert_eq!(read_response(&refused, &digest, NONCE).unwrap_err(), TimestampError::Refused(2));
    assert!(matches!(
        read_response(&[0x30, 5, 0x30, 3, 2, 1, 0], &digest, NONCE),
        Err(TimestampError::Malformed { .. })
    ));
    assert!(matches!(read_response(&[0; 70_000], &digest, NONCE), Err(TimestampError::Malformed { .. })));
    for cut in 0..answer.len() {
        assert!(read_response(&answer[..cut], &digest, NONCE).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_altered_note_is_refused() {
    let token = token_over(b"a note");
    assert_eq!(judge(&token, b"A note", "root").unwrap_err(), TimestampError::OtherMessage);
}

#[test]
fn an_altered_token_is_refused_wherever_it_is_altered() {
    let token = token_over(b"a note");
    let good = token.to_response();
    assert!(judge(&token, b"a note", "root").is_ok());
    // Before it stands the answer's own head: two lengths, and the status.
    for at in 9..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let outcome = Token::from_response(&bad).and_then(|token| judge(&token, b"a note", "root"));
        assert!(outcome.is_err(), "byte {at} of {}: {outcome:?}", good.len());
    }
    // The signature's last byte, and the time under the old signature.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    let refused = judge(&Token::from_response(&bad).unwrap(), b"a note", "root").unwrap_err();
    assert_eq!(refused, TimestampError::Signature);
    let mut bad = good.clone();
    let info = info_of(&token);
    let at = good.windows(info.len()).position(|window| window == info).unwrap();
    let time = info.windows(3).position(|window| window == [0x18, 15, b'2']).unwrap();
    bad[at + time + 6] ^= 1;
    let refused = judge(&Token::from_response(&bad).unwrap(), b"a note", "root").unwrap_err();
    assert_eq!(refused, TimestampError::Attribute("messageDigest"));
}

#[test]
fn another_root_is_refused() {
    let refused = judge(&token_over(b"a note"), b"a note", "other").unwrap_err();
    assert_eq!(refused, TimestampError::UnknownRoot("CN=tsa".to_owned()));
}

#[test]
fn each_mistake_of_an_authority_is_refused_by_its_name() {
    let info = info_of(&token_over(b"mistakes"));
    let signed =
        |info: &[u8], signer: &str| Token::from_der(&authority().sign_anything(info, signer)).unwrap();
    let judged = |info: &[u8], signer: &str| judge(&signed(info, signer), b"mistakes", "root");
    // The way of making them is right: the right signer's is accepted.
    assert!(judged(&info, "tsa").is_ok());
    for signer in ["soft", "both", "none"] {
        assert_eq!(judged(&info, signer).unwrap_err(), TimestampError::Purpose(format!("CN={signer}")));
    }
    // At these times the certificate is not valid any more, or not yet.
    let at = info.windows(3).position(|window| window == [0x18, 15, b'2']).unwrap() + 2;
    for year in [b"2049", b"2001"] {
        let mut other = info.clone();
        other[at..at + 4].copy_from_slice(year);
        assert_eq!(judged(&other, "tsa").unwrap_err(), TimestampError::Expired("CN=tsa".to_owned()));
    }
    // A token of next year is good next year.
    let token = signed(&info, "tsa");
    let now = token.time() - 3600;
    let refused = verify(&token, b"mistakes", &roots("root"), now).unwrap_err();
    assert_eq!(refused, TimestampError::Future { time: token.time(), now });
}

#[test]
fn roots_are_certificates() {
    for bad in [&b""[..], b"words", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(Roots::from_pem(bad), Err(TimestampError::Roots(_))));
    }
}

fn check(folder: &TempDir, root: Option<&Roots>) -> Report {
    let keys = [log_signer().vkey()];
    let checks = Checks { roots: root, now: LATER, ..Checks::of(&keys) };
    // A process that another test is just starting has a copy of this one's locks until it runs its own program.
    let look = || match verify_dir_against(&folder.path().join("log"), &checks) {
        Err(LedgerError::InUse(_)) => None,
        other => Some(other.unwrap()),
    };
    for _ in 0..1_000 {
        if let Some(report) = look() {
            return report;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the log stays locked");
}

#[test]
fn the_check_of_a_log_lists_its_stamps() {
    let (folder, ..) = stamped_log();
    let report = check(&folder, Some(&roots("root")));
    assert_eq!(report.finding, None);
    let listed: Vec<_> =
        report.stamps.iter().map(|(size, stamp)| (*size, stamp.authority.as_str())).collect();
    assert_eq!((listed, report.stamps_unchecked), (vec![(5, "CN=tsa")], 0));
    let report = check(&folder, None);
    assert_eq!((report.finding, report.stamps.len(), report.stamps_unchecked), (None, 0, 1));
}

#[test]
fn the_check_of_a_log_names_the_bad_stamp() {
    let (folder, _, pair) = stamped_log();
    let named = |root: Option<&Roots>| check(&folder, root).finding.map(|finding| finding.file);
    assert_eq!(named(Some(&roots("other"))), Some(pair.token.clone()));
    for path in [&pair.token, &pair.checkpoint] {
        let good = std::fs::read(path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(path, &bad).unwrap();
            assert_eq!(named(Some(&roots("root"))).as_ref(), Some(path), "byte {at}");
        }
        std::fs::write(path, &good).unwrap();
    }
    // A stamp over another log's note, which is a good stamp.
    let foreign = token_over(b"another note");
    std::fs::write(&pair.token, foreign.to_response()).unwrap();
    assert_eq!(named(None), Some(pair.token.clone()));
    std::fs::remove_file(&pair.checkpoint).unwrap();
    assert_eq!(named(None), Some(pair.checkpoint.clone()));
    let stray = pair.token.with_file_name("notes.txt");
    std::fs::write(&stray, "x").unwrap();
    assert_eq!(named(None), Some(stray));
}

#[test]
fn a_token_over_other_bytes_is_not_stored() {
    let (folder, checkpoint, _) = stamped_log();
    let refused = files::store(&folder.path().join("log"), &checkpoint, &token_over(b"another note"));
    assert!(matches!(refused, Err(ledger::LedgerError::Timestamp(TimestampError::OtherMessage))));
}
