use certs::note::{Cosigner, Signer};
use proptest::prelude::*;

use super::*;
use crate::checkpoint::SignedCheckpoint;
use crate::testing::{LOG_ORIGIN, Tree, cosigner, log_signer, signer, witness};

const NOW: u64 = 1_790_000_000;
const LOG: &str =
    "ledger.example/agency-a/exchange-log+bd1d9640+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const WITNESS: &str = "witness.example/agency-b+151f51b4+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";

/// Witnesses x1, x2, x3, y1, y2 with their keys.
fn cosigners() -> Vec<Cosigner> {
    (1..=5).map(|k| cosigner(&format!("witness.example/{k}"), 20 + k)).collect()
}

fn federation() -> TrustPolicy {
    let keys: Vec<String> = cosigners().iter().map(|c| c.vkey().to_string()).collect();
    let text = format!(
        "# the federation's witnesses\nlog {LOG} https://ledger.example/\n\n\
         witness x1 {}\n\twitness\tx2  {} https://x2.example/\nwitness x3 {}\n group x 2 x1 x2 x3 \n\
         witness y1 {}\nwitness y2 {}\ngroup y any y1 y2\n  # both\ngroup both all x y\nquorum both\n",
        keys[0], keys[1], keys[2], keys[3], keys[4]
    );
    TrustPolicy::parse(text.as_bytes()).unwrap()
}

fn cosigned(by: &[(usize, u64)]) -> SignedCheckpoint {
    let mut note = Tree::of(3, 3, "").signed(3).note().clone();
    for (which, time) in by {
        cosigners()[*which].add_to(&mut note, *time).unwrap();
    }
    SignedCheckpoint::parse(&note.to_bytes()).unwrap()
}

fn any_age() -> Freshness {
    Freshness { now: NOW, max_age: None }
}

fn outcomes(judgement: &Judgement) -> Vec<Outcome> {
    judgement.witnesses.iter().map(|said| said.outcome).collect()
}

#[test]
fn the_vectors_meet_a_policy_of_their_keys() {
    let text = format!("log {LOG}\nwitness b {WITNESS}\nquorum b\n");
    let policy = TrustPolicy::parse(text.as_bytes()).unwrap();
    let mut note = Tree::of(3, 3, "").signed(3).note().clone();
    witness().add_to(&mut note, NOW).unwrap();
    let signed = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
    let judgement = policy.judge(&signed, Freshness { now: NOW, max_age: Some(0) });
    assert!(judgement.met);
    let counted: Vec<_> = judgement.counted().map(|(name, time)| (name.to_string(), time)).collect();
    assert_eq!(counted, [("b".to_owned(), NOW)]);
    assert_eq!(policy.to_text(), text.as_bytes());
}

#[test]
fn the_quorum_counts_groups_of_groups() {
    let policy = federation();
    for (by, met) in [
        (&[0, 1, 3][..], true),
        (&[0, 2, 4], true),
        (&[0, 1, 2, 3, 4], true),
        (&[0, 1, 2], false),
        (&[0, 3, 4], false),
        (&[3, 4], false),
        (&[], false),
    ] {
        let by: Vec<(usize, u64)> = by.iter().map(|which| (*which, NOW)).collect();
        assert_eq!(policy.judge(&cosigned(&by), any_age()).met, met, "{by:?}");
    }
}

#[test]
fn stale_and_future_cosignatures_do_not_count_and_say_so() {
    let policy = federation();
    let at = Freshness { now: NOW, max_age: Some(600) };
    let signed = cosigned(&[(0, NOW - 600), (1, NOW - 601), (2, NOW + 60), (3, NOW + 61)]);
    let judgement = policy.judge(&signed, at);
    assert_eq!(
        outcomes(&judgement),
        [
            Outcome::Counted { time: NOW - 600 },
            Outcome::TooOld { time: NOW - 601 },
            Outcome::Counted { time: NOW + 60 },
            Outcome::InFuture { time: NOW + 61 },
            Outcome::Absent,
        ]
    );
    assert!(!judgement.met, "y has nobody left");
    // Of any age, the future still does not count.
    assert!(!policy.judge(&signed, any_age()).met);
    assert!(policy.judge(&signed, Freshness { now: NOW + 1, max_age: None }).met);
    // The newest line of a witness that is not in the future is its word.
    let twice = cosigned(&[(0, NOW - 601), (0, NOW - 5), (0, NOW + 1000)]);
    assert_eq!(outcomes(&policy.judge(&twice, at))[0], Outcome::Counted { time: NOW - 5 });
}

#[test]
fn unknown_keys_are_ignored_and_a_known_keys_wrong_signature_spoils_all() {
    let policy = federation();
    let good = cosigned(&[(0, NOW), (1, NOW), (3, NOW), (4, NOW)]);
    let mut crowded = good.note().clone();
    witness().add_to(&mut crowded, NOW).unwrap();
    let crowded = SignedCheckpoint::parse(&crowded.to_bytes()).unwrap();
    assert!(policy.judge(&crowded, any_age()).met);
    let mut spoiled = Tree::of(3, 3, "").signed(3).note().clone();
    for (at, line) in good.note().signatures().iter().enumerate().skip(1) {
        let mut line = line.clone();
        if at == 4 {
            line.bytes[20] ^= 1;
        }
        spoiled.push(line).unwrap();
    }
    let spoiled = SignedCheckpoint::parse(&spoiled.to_bytes()).unwrap();
    let judgement = policy.judge(&spoiled, any_age());
    assert_eq!(outcomes(&judgement)[4], Outcome::WrongSignature);
    assert_eq!(judgement.spoiled_by, Some(cosigners()[4].vkey().name().clone()));
    assert!(!judgement.met, "although the quorum would be met without it");
}

#[test]
fn the_log_must_be_one_of_the_policy() {
    let policy = federation();
    let by = |signer: &Signer| {
        let mut note = Tree::of(3, 3, "").signed_by(3, signer).note().clone();
        for which in [0, 1, 3] {
            cosigners()[which].add_to(&mut note, NOW).unwrap();
        }
        let judgement = policy.judge(&SignedCheckpoint::parse(&note.to_bytes()).unwrap(), any_age());
        (judgement.met, judgement.log)
    };
    assert_eq!(by(&log_signer()), (true, LogSigned::ByTrustedKey));
    assert_eq!(by(&signer("ledger.example/other", 7)), (false, LogSigned::UnknownOrigin));
    // The key of before or after a rotation that the policy does not name.
    assert_eq!(by(&signer(LOG_ORIGIN, 8)), (false, LogSigned::ByNoTrustedKey));
    let none = TrustPolicy::parse(b"quorum none\n").unwrap();
    assert!(!none.wants_witnesses());
    let judgement = none.judge(&cosigned(&[]), any_age());
    assert_eq!((judgement.met, judgement.log), (true, LogSigned::NotAsked));
}

#[test]
fn the_text_reads_back_as_the_same_policy() {
    let policy = federation();
    assert_eq!(TrustPolicy::parse(&policy.to_text()).unwrap(), policy);
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some(&b"https://x2.example/"[..]));
    // Names are bytes: not UTF-8, and a Kelvin sign is not a K.
    let keys = cosigners();
    let mut text = Vec::new();
    for (name, key) in [(&b"\xff\xfe"[..], &keys[0]), (b"K", &keys[1]), ("\u{212a}".as_bytes(), &keys[2])] {
        text.extend_from_slice(&[b"witness ", name, b" ", key.vkey().to_string().as_bytes(), b"\n"].concat());
    }
    text.extend_from_slice(b"quorum \xff\xfe\n");
    let policy = TrustPolicy::parse(&text).unwrap();
    assert_eq!(policy.to_text(), text);
    assert_eq!(policy.witnesses()[0].name.bytes(), b"\xff\xfe");
}

#[test]
fn what_the_grammar_does_not_have_is_refused_with_its_line() {
    let keys = cosigners();
    let vkey = |at: usize| keys[at].vkey().to_string();
    let (a, b) = (format!("witness a {}", vkey(0)), format!("witness b {}", vkey(1)));
    let same_key = cosigner("another.example", 21).vkey();
    let same_log_key = signer("ledger.example/other", 7).vkey();
    let cases: Vec<(Vec<String>, usize, &str)> = vec![
        (vec!["frog".into()], 1, "no keyword"),
        (vec!["LOG x".into()], 1, "no keyword"),
        (vec!["log".into()], 1, "must read"),
        (vec![format!("log {LOG} url more")], 1, "must read"),
        (vec!["log rubbish".into()], 1, "name+id+key"),
        (vec![format!("log {WITNESS}")], 1, "0x01"),
        (vec![format!("log {LOG}"), format!("log {LOG}")], 2, "already"),
        (vec![format!("log {LOG}"), format!("log {same_log_key}")], 2, "public key already"),
        (vec!["witness a".into()], 1, "must read"),
        (vec![format!("witness a {LOG}")], 1, "0x04"),
        (vec![a.clone(), format!("witness a {}", vkey(1))], 2, "defined already"),
        (vec![a.clone(), format!("witness b {same_key}")], 2, "public key already"),
        (vec![format!("witness none {}", vkey(0))], 1, "`none`"),
        (vec![a.clone(), "group g".into()], 2, "must read"),
        (vec![a.clone(), "group g any".into()], 2, "must read"),
        (vec![a.clone(), "group none any a".into()], 2, "`none`"),
        (vec![a.clone(), "group a any a".into()], 2, "defined already"),
        (vec![a.clone(), "group g 0 a".into()], 2, "from 1 to 1"),
        (vec![a.clone(), "group g 2 a".into()], 2, "from 1 to 1"),
        (vec![a.clone(), "group g 01 a".into()], 2, "from 1 to 1"),
        (vec![a.clone(), "group g some a".into()], 2, "from 1 to 1"),
        (vec![a.clone(), "group g any a a".into()], 2, "listed once"),
        (vec![a.clone(), b.clone(), "group g any a".into(), "group h any a b".into()], 4, "listed once"),
        (vec![a.clone(), "group g any b".into(), b.clone()], 2, "earlier line"),
        (vec![a.clone(), "group g any g".into()], 2, "earlier line"),
        (vec![a.clone(), "group g any none".into()], 2, "earlier line"),
        (vec!["quorum a".into(), a.clone()], 1, "earlier line"),
        (vec!["quorum A".into()], 1, "earlier line"),
        (vec!["quorum".into()], 1, "must read"),
        (vec!["quorum none".into(), "quorum none".into()], 2, "already"),
        (vec!["quorum none\r".into()], 1, "control"),
        (vec!["# fine".into(), String::new(), "quo\u{7f}rum none".into()], 3, "control"),
        (vec![format!("#{}", "x".repeat(LINE_BYTES_MAX))], 1, "8 KiB"),
    ];
    for (lines, line, what) in cases {
        let text = lines.join("\n") + "\n";
        match TrustPolicy::parse(text.as_bytes()) {
            Err(PolicyError::Line { line: found, why }) => {
                assert!(found == line && why.contains(what), "{text}: line {found}: {why}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for whole in [&b""[..], b"# nothing\n", b"quorum none", &vec![b'\n'; POLICY_BYTES_MAX + 1]] {
        assert!(matches!(TrustPolicy::parse(whole), Err(PolicyError::Whole(_))));
    }
}

#[test]
fn the_numbers_of_logs_witnesses_and_groups_have_edges() {
    let witnesses = |count: usize| -> String {
        (0..count)
            .map(|k| {
                let mut seed = [1; 32];
                seed[..8].copy_from_slice(&(k as u64).to_be_bytes());
                let key = ed25519_dalek::SigningKey::from_bytes(&seed);
                let name = certs::note::KeyName::new("w").unwrap();
                format!("witness {k} {}\n", Cosigner::new(name, key).vkey())
            })
            .collect()
    };
    let enough = witnesses(GROUPS_MAX + 1);
    let groups = |count: usize| (0..count).map(|k| format!("group g{k} any {k}\n")).collect::<String>();
    let parse = |text: String| TrustPolicy::parse(text.as_bytes());
    parse(format!("{enough}{}quorum g0\n", groups(GROUPS_MAX))).unwrap();
    assert!(parse(format!("{enough}{}quorum g0\n", groups(GROUPS_MAX + 1))).is_err());
    parse(format!("{}quorum 0\n", witnesses(WITNESSES_MAX))).unwrap();
    assert!(parse(format!("{}quorum 0\n", witnesses(WITNESSES_MAX + 1))).is_err());
    let logs = |count: u64| -> String {
        let seed = |k: u64| [k.to_be_bytes(), [2; 8], [2; 8], [2; 8]].concat().try_into().unwrap();
        let name = || certs::note::KeyName::new("l").unwrap();
        let key = |k| Signer::new(name(), ed25519_dalek::SigningKey::from_bytes(&seed(k))).vkey();
        (0..count).map(|k| format!("log {}\n", key(k))).collect()
    };
    parse(format!("{}quorum none\n", logs(LOGS_MAX as u64))).unwrap();
    assert!(parse(format!("{}quorum none\n", logs(LOGS_MAX as u64 + 1))).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic_and_what_it_reads_it_writes(words in prop::collection::vec("(log|witness|group|quorum|none|any|all|a|b|1|2| |\t|\n|#|WITNESS|LOG){1}", 0..40), raw in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = TrustPolicy::parse(&raw);
        let text = words.join(" ").replace("WITNESS", WITNESS).replace("LOG", LOG) + "\n";
        if let Ok(policy) = TrustPolicy::parse(text.as_bytes()) {
            prop_assert_eq!(TrustPolicy::parse(&policy.to_text()).unwrap(), policy);
        }
    }

    /// One more cosignature never loses a quorum, and one fewer never wins it.
    #[test]
    fn quorums_are_monotone(counts in prop::collection::vec(any::<bool>(), 5), at in 0usize..5) {
        let policy = federation();
        let (mut fewer, mut more) = (counts.clone(), counts);
        fewer[at] = false;
        more[at] = true;
        prop_assert!(!policy.met_by(&fewer) || policy.met_by(&more));
    }
}
