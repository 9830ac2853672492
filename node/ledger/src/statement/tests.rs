use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::testing::signer;

const COMMITMENT: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const ID: &str = "01J9ZQ4Y7M8N6P5R3S2T1V0W9X";
const PROVIDER: &str = "urn:agency:vn:h26.18";
const CONSUMER: &str = "urn:agency:vn:g09";

/// Frozen: this is how leaves look for ever.
fn exchange_text() -> String {
    format!(
        "tram/exchange@v1\nid {ID}\ntime 1790000000\nprovider {PROVIDER}\nconsumer {CONSUMER}\n\
         dataset urn:agency:vn:h26.18:d:permits@7\noperation read\nagreement urn:uuid:1\npurpose pu:research\n\
         basis -\ndecision permit\npolicy {} 42\nrequest {COMMITMENT}\nresponse {COMMITMENT}\n\
         c.user {COMMITMENT}\nc.subject {COMMITMENT}\nc.case {COMMITMENT}\n",
        "3b".repeat(32)
    )
}

fn intent_text() -> String {
    format!(
        "tram/intent@v1\nid {ID}\ntime 1790000000\nprovider {PROVIDER}\nconsumer {CONSUMER}\n\
         dataset d@7\noperation read\nagreement -\npurpose -\nbasis bas:emergency\npolicy {} 0\n",
        "00".repeat(32)
    )
}

fn ack_text() -> String {
    format!(
        "tram/ack@v1\nid {ID}\ntime 1790000001\nleaf {COMMITMENT}\nprovider-log {PROVIDER}/ledger\n\
         provider-index 0\nconsumer-log {CONSUMER}/ledger\nconsumer-index 18446744073709551615\n"
    )
}

fn interrupted_text() -> String {
    format!("tram/interrupted@v1\nid {ID}\ntime 1790000001\nintent 12 {COMMITMENT}\nreason restart\n")
}

/// A statement of one agency about its own node.
fn own_text(kind: &str, rest: &str) -> String {
    format!("tram/{kind}@v1\nid {ID}\ntime 1790000001\nagency {PROVIDER}\n{rest}")
}

fn own_texts() -> [String; 11] {
    let (a, b) = ("3b".repeat(32), "00".repeat(32));
    let decided = |decision: &str| {
        format!(
            "subject {CONSUMER}\naction query\ndataset d\nagreement -\npurpose pu:research\nbasis -\n\
             decision {decision}\npolicy {a} 42\nquestion {COMMITMENT}\nverdict {COMMITMENT}\n"
        )
    };
    [
        own_text("decision", &decided("permit")),
        own_text("decision", &decided("deny NO-RULE")),
        own_text("policy", &format!("policy {a} 43\nbefore {b} 42\n")),
        own_text(
            "audit",
            &format!(
                "reader urn:agency:vn:kiem-toan\naction export\npurpose -\nentries 0 12\nopened 2\nc.user {COMMITMENT}\n"
            ),
        ),
        own_text("erasure", &format!("entry 7 {COMMITMENT}\nreason request\n")),
        own_text("anchor", &format!("tree 300 {COMMITMENT}\ntoken {a}\nstamped 1790000000\n")),
        own_text(
            "conflict",
            &format!("log {CONSUMER}/ledger\nfirst 3 {COMMITMENT}\nsecond 3 {COMMITMENT}\nevidence {b}\n"),
        ),
        own_text(
            "broken-promise",
            &format!(
                "log {CONSUMER}/ledger\npromised 3 {COMMITMENT}\nfound {COMMITMENT}\ntree 7 {COMMITMENT}\nevidence {b}\n"
            ),
        ),
        own_text(
            "own-read",
            &format!(
                "dataset urn:agency:vn:a/dan-cu\noperation query\npurpose planning\nbasis -\npermit owner\npolicy {a} 42\n\
                 question {COMMITMENT}\n"
            ),
        ),
        own_text(
            "linkage",
            "linkage dinh-danh@0f3a9c21b4d8e6f00f3a9c21b4d8e6f0\nact seal\nholders urn:agency:vn:a|urn:agency:vn:b\n\
             party urn:agency:vn:b\n",
        ),
        own_text("person", "register 3\nchange add\nkey C-SA8\nroles auditor,policy-approver\nby -\n"),
    ]
}

fn all() -> Vec<String> {
    let mut all = vec![exchange_text(), intent_text(), ack_text(), interrupted_text()];
    all.extend(own_texts());
    all
}

#[test]
fn the_catalogue_has_every_kind_with_exactly_its_lines() {
    let texts = all();
    for kind in Kind::ALL {
        let of_kind: Vec<&String> =
            texts.iter().filter(|text| text.lines().next() == Some(kind.first_line())).collect();
        assert!(!of_kind.is_empty(), "no sample of `{}`", kind.first_line());
        for text in of_kind {
            let keys: Vec<&str> = text.lines().skip(1).map(|line| line.split_once(' ').unwrap().0).collect();
            let documented: Vec<&str> = kind.fields().iter().map(|field| field.key).collect();
            assert_eq!(documented, keys, "`{}`", kind.first_line());
            for field in kind.fields() {
                let line = text.lines().find(|line| line.starts_with(&format!("{} ", field.key))).unwrap();
                let without = text.replace(&format!("{line}\n"), "");
                // A refusal may lack `response`, a permit may not.
                let without = if field.key == "response" {
                    without.replace("decision permit", "decision deny NO-RULE")
                } else {
                    without
                };
                assert_eq!(Statement::parse(&without).is_ok(), field.optional, "without `{line}`");
            }
        }
    }
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let text = own_texts()[3].replace("entries 0 12", "entries 12 0");
    assert!(Statement::parse(&text).unwrap_err().to_string().contains("ends before"));
}

#[test]
fn what_an_agency_says_of_itself_is_signed_by_itself() {
    for text in own_texts() {
        let statement = Statement::parse(&text).unwrap();
        assert!(statement.sign(&signer(CONSUMER, 2)).is_err(), "{text}");
        let signed = statement.sign(&signer(PROVIDER, 1)).unwrap();
        assert_eq!(SignedStatement::parse(signed.bytes()).unwrap().statement(), &statement);
    }
}

#[test]
fn a_field_is_committed_to_where_its_line_is() {
    let has = |text: &str, field| Statement::parse(text).unwrap().commitment(field).is_some();
    for field in [Field::Request, Field::Response, Field::User, Field::Subject, Field::Case] {
        assert!(has(&exchange_text(), field), "{}", field.name());
    }
    let [decided, _, _, read, ..] = own_texts();
    assert!(has(&decided, Field::Question) && has(&decided, Field::Verdict) && has(&read, Field::User));
    assert!(!has(&decided, Field::Request) && !has(&intent_text(), Field::Request));
}

#[test]
fn the_grammar_is_frozen() {
    for text in all() {
        let statement = Statement::parse(&text).unwrap();
        assert_eq!(statement.to_text(), text);
        assert_eq!(statement.id().as_str(), ID);
        assert_eq!(statement.kind().first_line(), text.lines().next().unwrap());
    }
    let Statement::Exchange(exchange) = Statement::parse(&exchange_text()).unwrap() else { panic!() };
    assert_eq!(exchange.question.time.get(), 1_790_000_000);
    assert_eq!(exchange.question.purpose, Some(Word::new("pu:research").unwrap()));
    assert_eq!(exchange.question.basis, None);
    assert_eq!(exchange.rules, RuleSet { sha256: [0x3b; 32], version: 42 });
    assert_eq!(exchange.committed.case, Some(Commitment([1; 32])));
}

#[test]
fn optional_lines_may_be_absent() {
    let line = |key: &str| format!("{key} {COMMITMENT}\n");
    let mut text = exchange_text();
    for key in ["c.user", "c.case", "c.subject"] {
        text = text.replace(&line(key), "");
        assert_eq!(Statement::parse(&text).unwrap().to_text(), text);
    }
    let refused = text.replace("decision permit", "decision deny no-agreement");
    assert_eq!(Statement::parse(&refused).unwrap().to_text(), refused);
    let refused = refused.replace(&line("response"), "");
    assert_eq!(Statement::parse(&refused).unwrap().to_text(), refused);
    // A permit without its answer is no statement.
    assert!(Statement::parse(&text.replace(&line("response"), "")).is_err());
}

#[test]
fn every_line_is_needed_once_and_in_its_place() {
    for text in all() {
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            let optional = lines[at].starts_with("c.");
            let without: String =
                lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, l)| format!("{l}\n")).collect();
            assert_eq!(Statement::parse(&without).is_err(), !optional, "without `{}`", lines[at]);
            let mut double = lines.clone();
            double.insert(at, lines[at]);
            assert!(Statement::parse(&(double.join("\n") + "\n")).is_err(), "double `{}`", lines[at]);
            if at + 1 < lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, at + 1);
                assert!(Statement::parse(&(swapped.join("\n") + "\n")).is_err(), "swapped `{}`", lines[at]);
            }
            let mut unknown = lines.clone();
            unknown.insert(at, "note hello");
            assert!(Statement::parse(&(unknown.join("\n") + "\n")).is_err());
        }
        assert!(Statement::parse(&(text.clone() + "extra 1\n")).is_err());
        assert!(Statement::parse(&(text.clone() + "\n")).is_err());
        assert!(Statement::parse(text.trim_end()).is_err());
    }
}

#[test]
fn other_spellings_are_refused() {
    let cases = [
        ("tram/exchange@v1", "tram/exchange@v2"),
        ("tram/exchange@v1", "tram.example/exchange@v1"),
        ("tram/exchange@v1", "tram/Exchange@v1"),
        ("tram/exchange@v1", "tram/registry@v1"),
        ("tram/exchange@v1", "tram/exchange@v1 "),
        ("id 01J9", "id 81J9"),
        ("id 01J9", "id 01j9"),
        ("id 01J9", "id 01I9"),
        ("id 01J9", "id 1J9"),
        ("id 01J9", "id  01J9"),
        ("time 1790000000", "time 01790000000"),
        ("time 1790000000", "time 9223372036854775808"),
        ("time 1790000000", "time -1"),
        ("time 1790000000", "time"),
        ("provider urn:agency:vn:h26.18", "provider "),
        ("provider urn:", "provider urn+"),
        ("provider urn:", "provider u rn:"),
        ("dataset urn:", "dataset u\u{0}rn:"),
        ("dataset urn:", "dataset ürn:"),
        ("dataset urn:", "dataset u\u{200b}rn:"),
        ("dataset urn:", "dataset urn\t:"),
        ("operation read", "operation -"),
        ("operation read", "operation read "),
        ("basis -", "basis --\u{7f}"),
        ("decision permit", "decision allow"),
        ("decision permit", "decision permit "),
        ("decision permit", "decision deny"),
        ("decision permit", "decision deny "),
        ("decision permit", "decision deny two words"),
        ("decision permit", "decision deny -"),
        ("policy 3b", "policy 3B"),
        ("policy 3b", "policy "),
        (" 42\n", " 042\n"),
        (" 42\n", "\n"),
        (" 42\n", " 42 \n"),
        (" 42\n", " 42 1\n"),
        ("request AQEB", "request AQE"),
        ("AQE=\nresponse", "AQF=\nresponse"),
        ("AQE=\nresponse", "AQE\nresponse"),
        ("\n", "\r\n"),
    ];
    for (from, to) in cases {
        let text = exchange_text();
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from}");
        assert!(Statement::parse(&altered).is_err(), "{from:?} as {to:?}");
    }
    let long =
        exchange_text().replace("operation read", &format!("operation {}", "r".repeat(WORD_BYTES_MAX)));
    assert!(Statement::parse(&long).is_ok());
    assert!(Statement::parse(&long.replace("operation r", "operation rr")).is_err());
}

#[test]
fn newer_kinds_are_told_apart_from_nonsense() {
    let why = |line: &str| line.parse::<Kind>().unwrap_err().to_string();
    for name in RESERVED {
        assert!(why(&format!("tram/{name}@v1")).contains("newer version"));
    }
    assert!(why("tram/ack@v2").contains("newer version"));
    assert!(why("tram/joke@v1").contains("unknown"));
    // A checkpoint never reads as a statement, nor the other way round.
    assert!(Statement::parse("tram/ack@v1\n3\nbchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=\n").is_err());
    for text in all() {
        assert!(crate::checkpoint::Checkpoint::parse(&text).is_err());
    }
}

#[test]
fn the_author_signs() {
    let statement = Statement::parse(&exchange_text()).unwrap();
    let provider = signer(PROVIDER, 1);
    let signed = statement.sign(&provider).unwrap();
    let again = SignedStatement::parse(signed.bytes()).unwrap();
    assert_eq!(again, signed);
    assert_eq!((again.signer(), again.key_id()), (PROVIDER, provider.vkey().id()));
    again.verify(&provider.vkey()).unwrap();
    assert!(again.verify(&signer(PROVIDER, 2).vkey()).is_err());
    assert!(statement.sign(&signer(CONSUMER, 2)).is_err());
    // Somebody else's name under a statement of the provider, a second signature, an altered text.
    let foreign = signer(CONSUMER, 2).sign(&exchange_text()).unwrap();
    assert!(SignedStatement::parse(&foreign.to_bytes()).is_err());
    let mut two = signed.note().clone();
    provider.add_to(&mut two).unwrap();
    assert!(SignedStatement::parse(&two.to_bytes()).is_err());
    let altered = String::from_utf8(signed.bytes().to_vec()).unwrap().replace("permits@7", "permits@8");
    let altered = SignedStatement::parse(altered.as_bytes()).unwrap();
    assert!(altered.verify(&provider.vkey()).is_err());
    assert_ne!(altered.leaf(), signed.leaf());
    assert!(SignedStatement::parse(&vec![b'a'; STATEMENT_BYTES_MAX + 1]).is_err());
}

#[test]
fn the_longest_statement_fits_a_leaf() {
    let word = "w".repeat(WORD_BYTES_MAX);
    let mut text = exchange_text().replace(PROVIDER, &word).replace(CONSUMER, &word);
    for key in ["dataset", "operation", "agreement", "purpose", "basis"] {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
        text = text.replace(&line, &format!("{key} {word}"));
    }
    let text = text.replace("decision permit", &format!("decision deny {word}"));
    let signed = Statement::parse(&text).unwrap().sign(&signer(&word, 1)).unwrap();
    assert!(SignedStatement::parse(signed.bytes()).is_ok(), "{} bytes", signed.bytes().len());
}

fn word() -> impl Strategy<Value = Word> {
    "[!-~]{1,40}".prop_filter_map("`-` is none", |text| Word::new(&text).ok())
}
fn party() -> impl Strategy<Value = Party> {
    "[!-*,-~]{2,40}".prop_map(|text| Party::new(&text).unwrap())
}
fn commitment() -> impl Strategy<Value = Commitment> {
    any::<[u8; 32]>().prop_map(Commitment)
}
fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        commitment().prop_map(|response| Decision::Permit { response }),
        (word(), option::of(commitment())).prop_map(|(reason, response)| Decision::Deny { reason, response }),
    ]
}
fn question() -> impl Strategy<Value = Question> {
    let who = (party(), party());
    let what = (word(), word(), option::of(word()), option::of(word()), option::of(word()));
    ("[0-7][0-9A-HJKMNP-TV-Z]{25}", 0..=i64::MAX as u64, who, what).prop_map(|(id, time, who, what)| {
        Question {
            id: ExchangeId::new(&id).unwrap(),
            time: Seconds::new(time).unwrap(),
            provider: who.0,
            consumer: who.1,
            dataset: what.0,
            operation: what.1,
            agreement: what.2,
            purpose: what.3,
            basis: what.4,
        }
    })
}
fn rules() -> impl Strategy<Value = RuleSet> {
    (any::<[u8; 32]>(), any::<u64>()).prop_map(|(sha256, version)| RuleSet { sha256, version })
}
fn committed() -> impl Strategy<Value = CommittedFields> {
    (option::of(commitment()), option::of(commitment()), option::of(commitment()))
        .prop_map(|(user, subject, case)| CommittedFields { user, subject, case })
}
fn statement() -> impl Strategy<Value = Statement> {
    let place = || (party(), any::<u64>()).prop_map(|(log, index)| Place { log, index });
    let hash = || any::<[u8; 32]>().prop_map(Hash);
    prop_oneof![
        (question(), rules()).prop_map(|(question, rules)| Statement::Intent(Intent { question, rules })),
        (question(), decision(), rules(), commitment(), committed()).prop_map(
            |(question, decision, rules, request, committed)| Statement::Exchange(Exchange {
                question,
                decision,
                rules,
                request,
                committed
            })
        ),
        (question(), hash(), place(), place()).prop_map(|(q, leaf, provider, consumer)| Statement::Ack(
            Ack { id: q.id, time: q.time, leaf, provider, consumer }
        )),
        (question(), any::<u64>(), hash(), word()).prop_map(|(q, index, leaf, reason)| {
            Statement::Interrupted(Interrupted {
                id: q.id,
                time: q.time,
                intent: EntryRef { index, leaf },
                reason,
            })
        }),
        own(),
    ]
}

fn own() -> impl Strategy<Value = Statement> {
    let hash = || any::<[u8; 32]>().prop_map(Hash);
    let deed = prop_oneof![
        (question(), option::of(word()), rules(), commitment(), commitment()).prop_map(
            |(q, refused, rules, question, verdict)| Deed::Decided(Box::new(Decided {
                subject: q.consumer,
                action: q.operation,
                dataset: q.dataset,
                purpose: q.purpose,
                basis: q.basis,
                agreement: q.agreement,
                refused,
                rules,
                question,
                verdict,
            }))
        ),
        (question(), word(), rules(), commitment()).prop_map(|(q, permit, rules, question)| Deed::OwnRead(
            Box::new(OwnRead {
                dataset: q.dataset,
                operation: q.operation,
                purpose: q.purpose,
                basis: q.basis,
                permit,
                rules,
                question,
            })
        )),
        (word(), word(), word(), option::of(party())).prop_map(|(linkage, act, holders, party)| {
            Deed::Linkage(Box::new(LinkageAct { linkage, act, holders, party }))
        }),
        (rules(), rules()).prop_map(|(rules, before)| Deed::RulesActivated(RulesActivated { rules, before })),
        (any::<u64>(), word(), word(), word(), option::of(word())).prop_map(
            |(register, change, key, roles, by)| Deed::PersonChanged(PersonChanged {
                register,
                change,
                key,
                roles,
                by
            })
        ),
        (word(), option::of(word()), any::<u64>(), any::<u64>(), any::<u64>(), option::of(commitment()))
            .prop_map(|(reader, purpose, a, b, opened, user)| Deed::Read(Read {
                action: reader.clone(),
                reader,
                purpose,
                from: a.min(b),
                to: a.max(b),
                opened,
                user,
            })),
        (any::<u64>(), hash(), word()).prop_map(|(index, leaf, reason)| Deed::Erased(Erased {
            entry: EntryRef { index, leaf },
            reason
        })),
        (any::<u64>(), hash(), any::<[u8; 32]>(), 0..=i64::MAX as u64).prop_map(
            |(size, root, token, stamped)| Deed::Anchored(Anchored {
                size,
                root,
                token,
                stamped: Seconds::new(stamped).unwrap(),
            })
        ),
        (party(), any::<(u64, u64)>(), hash(), hash(), any::<[u8; 32]>()).prop_map(
            |(log, (first_size, second_size), first_root, second_root, evidence)| Deed::Conflict(Conflict {
                log: certs::note::KeyName::new(log.as_str()).unwrap(),
                first_size,
                first_root,
                second_size,
                second_root,
                evidence,
            })
        ),
        (party(), any::<u64>(), hash(), hash(), any::<u64>(), hash(), any::<[u8; 32]>()).prop_map(
            |(log, index, leaf, found, size, root, evidence)| Deed::Broken(Broken {
                log: certs::note::KeyName::new(log.as_str()).unwrap(),
                promised: EntryRef { index, leaf },
                found,
                size,
                root,
                evidence,
            })
        ),
    ];
    (question(), deed)
        .prop_map(|(q, deed)| Statement::Own(Own { id: q.id, time: q.time, agency: q.provider, deed }))
}

proptest! {
    #[test]
    fn value_and_text_map_one_to_one(statement in statement()) {
        let text = statement.to_text();
        prop_assert_eq!(Statement::parse(&text).unwrap(), statement);
    }

    #[test]
    fn what_reads_is_canonical(statement in statement(), at in any::<prop::sample::Index>(), byte in 0u8..128) {
        let mut bytes = statement.to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = std::str::from_utf8(&bytes) && let Ok(read) = Statement::parse(text) {
            prop_assert_eq!(read.to_text(), text);
        }
    }

    #[test]
    fn nonsense_does_no_harm(text in "\\PC*") {
        let _ = Statement::parse(&text);
        let broken = text + "\u{1}\n";
        prop_assert!(Statement::parse(&broken).is_err());
    }
}
