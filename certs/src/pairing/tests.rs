//! Invitations as people copy them, MACs and words.

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_790_000_000;

fn invitation() -> Invitation {
    Invitation {
        participant: ParticipantId::parse("urn:agency:vn:h26.18").unwrap(),
        endpoint: "https://node.agency.example:8443/tram".into(),
        channel_spki: [0x5a; 32],
        secret: PairingSecret::new([0xc3; 16]),
        expires: NOW + 3_600,
    }
}

#[test]
fn a_code_comes_back_however_it_was_pasted() {
    let code = invitation().to_code().unwrap();
    assert!(code.starts_with(CODE_PREFIX));
    let spread = format!("  {}\r\n", code.replace('-', " -\n ").replacen(" -\n ", "-", 1));
    for text in
        [code.to_string(), code.to_uppercase(), spread, format!("tram1-{}", code[6..].replace('-', ""))]
    {
        assert_eq!(Invitation::from_code(&text, NOW).unwrap(), invitation(), "{text}");
    }
}

#[test]
fn every_single_mistyped_letter_is_noticed() {
    let code = invitation().to_code().unwrap();
    for (i, old) in code.char_indices().skip(CODE_PREFIX.len()).filter(|(_, c)| *c != '-') {
        let new = if old == 'q' { 'r' } else { 'q' };
        let typo = format!("{}{new}{}", &code[..i], &code[i + 1..]);
        assert_eq!(Invitation::from_code(&typo, NOW), Err(PairingError::Checksum), "at {i}");
    }
}

#[test]
fn a_code_cut_short_anywhere_is_refused() {
    let code = invitation().to_code().unwrap();
    for end in 0..code.len() {
        assert!(Invitation::from_code(&code[..end], NOW).is_err(), "cut at {end}");
    }
    assert!(Invitation::from_code(&format!("{}aaaaaaaa", code.as_str()), NOW).is_err());
}

#[test]
fn errors_say_what_is_wrong() {
    let code = invitation().to_code().unwrap();
    let read = |text: &str| Invitation::from_code(text, NOW).unwrap_err();
    assert_eq!(read("hello"), PairingError::NotACode);
    assert_eq!(read(""), PairingError::NotACode);
    assert_eq!(read(&code.replacen("tram1", "tram2", 1)), PairingError::OtherVersion);
    assert_eq!(read(&code.replacen("tram1-", "tram1-a0", 1)), PairingError::Character { found: '0', at: 2 });
    assert_eq!(read(&"tram1-".repeat(CODE_CHARS_MAX)), PairingError::TooLong);
    assert_eq!(Invitation::from_code(&code, NOW + 3_600).unwrap(), invitation());
    assert_eq!(Invitation::from_code(&code, NOW + 3_601), Err(PairingError::Expired));
}

#[test]
fn the_longest_invitation_fits_and_impossible_ones_are_not_written() {
    let longest = Invitation {
        participant: ParticipantId::parse(&format!("u:{}", "x".repeat(254))).unwrap(),
        endpoint: format!("https://{}", "y".repeat(ENDPOINT_BYTES_MAX - 8)),
        ..invitation()
    };
    let code = longest.to_code().unwrap();
    assert!(code.len() <= CODE_CHARS_MAX, "{}", code.len());
    assert_eq!(Invitation::from_code(&code, NOW).unwrap(), longest);
    for endpoint in ["http://a.example", "https://", "https://a b", ""] {
        let bad = Invitation { endpoint: endpoint.into(), ..invitation() };
        assert!(matches!(bad.to_code(), Err(PairingError::Content(_))), "{endpoint}");
    }
    let late = Invitation { expires: 1 << 40, ..invitation() };
    assert!(matches!(late.to_code(), Err(PairingError::Content(_))));
}

#[test]
fn macs_bind_secret_role_and_descriptor() {
    let secret = PairingSecret::new([1; 16]);
    let mac = pairing_mac(&secret, PairingRole::Guest, &[2; 32]);
    assert_eq!(verify_pairing_mac(&secret, PairingRole::Guest, &[2; 32], &mac), Ok(()));
    let wrong = Err(PairingError::WrongMac);
    assert_eq!(verify_pairing_mac(&secret, PairingRole::Inviter, &[2; 32], &mac), wrong);
    assert_eq!(verify_pairing_mac(&secret, PairingRole::Guest, &[3; 32], &mac), wrong);
    assert_eq!(verify_pairing_mac(&PairingSecret::new([9; 16]), PairingRole::Guest, &[2; 32], &mac), wrong);
}

#[test]
fn hmac_is_the_one_of_rfc_2104() {
    // Computed with: printf 'abc' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…0f
    let key: [u8; 16] = std::array::from_fn(|i| i as u8);
    let expected = "d601cc177559b0248459787f7e804ed7f27689b5995c59b661802d9682fdf8d2";
    assert_eq!(hex(&hmac(&key, &[b"a", b"bc"])), expected);
}

#[test]
fn both_sides_see_the_same_words_and_others_do_not() {
    let secret = PairingSecret::new([1; 16]);
    let ours = six_words(&[1; 32], &[2; 32], &secret);
    assert_eq!(ours, six_words(&[2; 32], &[1; 32], &secret));
    assert_ne!(ours, six_words(&[1; 32], &[3; 32], &secret));
    assert_ne!(ours, six_words(&[1; 32], &[2; 32], &PairingSecret::new([2; 16])));
}

#[test]
fn debug_hides_the_secret() {
    let shown = format!("{:?}", invitation());
    assert!(!shown.contains("c3c3") && !shown.contains("195"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(tram1-)?[ -~\\n]{0,300}") {
        let _ = Invitation::from_code(&text, NOW);
    }

    #[test]
    fn any_invitation_round_trips(
        id in "[a-z]{1,8}:[!$-;=?-Z_a-z~&&[^+]]{1,40}",
        host in "[a-z0-9.]{1,60}",
        spki: [u8; 32],
        secret: [u8; 16],
        expires in NOW..NOW * 2,
    ) {
        let Ok(participant) = ParticipantId::parse(&id) else { return Err(TestCaseError::reject("id")) };
        let endpoint = format!("https://{host}");
        let secret = PairingSecret::new(secret);
        let one = Invitation { participant, endpoint, channel_spki: spki, secret, expires };
        prop_assert_eq!(Invitation::from_code(&one.to_code().unwrap(), NOW).unwrap(), one);
    }
}
