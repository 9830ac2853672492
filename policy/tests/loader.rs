//! What casbin takes in silence, the loader refuses by name; and it names everything, not the first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::{files, grant};
use policy::{Files, LoadError, ProblemCode, RuleSet};

const GOOD: &str = "p, R1, 30, ag:a, ds:x, query, pu:p, agr:1, bas:law, net:gov, 0, 3, 2026-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow\n";

fn load(files: &Files) -> Result<RuleSet, LoadError> {
    RuleSet::from_files(files, 1)
}

/// Loads the good row with one text replaced and wants exactly this problem, on line 1, of rule R1.
fn refused(from: &str, to: &str, code: ProblemCode) {
    assert!(GOOD.contains(from), "{from}");
    let error = load(&files(&GOOD.replacen(from, to, 1))).expect_err(to);
    assert!(error.has(code), "{from} -> {to}: {:?}", error.problems);
    assert!(error.problems.iter().all(|p| p.file == "policy.csv"), "{:?}", error.problems);
    assert!(
        error.problems.iter().filter(|p| p.code == code).all(|p| p.line == Some(1)),
        "{:?}",
        error.problems
    );
}

#[test]
fn the_good_row_is_good() {
    let rules = load(&files(GOOD)).unwrap();
    let row = rules.grants()[0].grant_row().join(", ");
    assert_eq!(row, format!("{}, *, *, 0, 9, *, *", &GOOD.trim()[3..]));
}

#[test]
fn further_conditions_stand_in_a_last_column() {
    let text = "unit=un:a/cards role=ro:doctor place=pl:vn route=via:platform clearance=3-9";
    let rules = load(&files(&GOOD.replace(", allow", &format!(", allow, {text}")))).unwrap();
    assert_eq!(rules.grants()[0].when.written(), text);
    let row = rules.grants()[0].grant_row();
    assert_eq!(row[15..], ["un:a/cards", "ro:doctor", "3", "9", "pl:vn", "via:platform"]);
    let one = load(&files(&GOOD.replace(", allow", ", allow, clearance=4 role=*"))).unwrap();
    assert_eq!(one.grants()[0].when.written(), "clearance=4-4");
}

#[test]
fn a_condition_that_is_not_understood_is_refused() {
    use ProblemCode as P;
    refused(", allow", ", allow, ", P::FieldBlank);
    refused(", allow", ", allow, roles=ro:doctor", P::When);
    refused(", allow", ", allow, role", P::Name);
    refused(", allow", ", allow, role=", P::Name);
    refused(", allow", ", allow, role=ag:a", P::Name);
    refused(", allow", ", allow, role=ro:a role=ro:b", P::When);
    refused(", allow", ", allow, clearance=10", P::Class);
    refused(", allow", ", allow, clearance=5-3", P::Class);
    refused(", allow", ", allow, place=VN", P::Name);
    refused(", allow", ", allow, route=platform", P::Name);
    refused(", allow", ", allow, unit=un:x, role=ro:y", P::FieldCount);
}

#[test]
fn rules_without_further_conditions_keep_the_digest_of_the_first_model() {
    let plain = load(&files(GOOD)).unwrap();
    let with = load(&files(&GOOD.replace(", allow", ", allow, role=ro:x"))).unwrap();
    assert_ne!(plain.digest(), with.digest());
    // Worked out before rules had a last column: a receipt of then names it.
    assert_eq!(
        plain.digest().to_string(),
        "e03d82231ba89ebe88b4d21efdf1b3dfc1390c0fb68f5ab38047be4720217548"
    );
    let first = files(GOOD).with("grant.conf", include_str!("../models/1/grant.conf"));
    assert_eq!(load(&first).unwrap().digest(), plain.digest());
    let mixed = files(&GOOD.replace(", allow", ", allow, role=ro:x"))
        .with("grant.conf", include_str!("../models/1/grant.conf"));
    assert!(load(&mixed).unwrap_err().has(ProblemCode::ModelDiffers));
}

#[test]
fn every_column_is_checked() {
    use ProblemCode as P;
    refused("R1", "R 1", P::Id);
    refused("R1", "-", P::Id);
    refused(", 30,", ", 3,", P::Tier);
    refused(", 30,", ", 05,", P::Tier);
    refused(", 30,", ", 030,", P::Tier);
    refused("ag:a", "tax", P::Name);
    refused("ag:a", "ds:a", P::Name);
    refused("ag:a", "+", P::Name);
    refused("ag:a", "ag:*", P::Name);
    refused("ag:a", "\"ag:a\"", P::Name);
    refused("ds:x", "ag:x", P::Name);
    refused("ds:x", "ds:", P::Name);
    refused("query", "Query", P::Action);
    refused("query", "read", P::Action);
    refused("query", "quer\u{443}", P::Action);
    refused("pu:p", "-", P::Name);
    refused("agr:1", "1", P::Name);
    refused("bas:law", "law", P::Name);
    refused("net:gov", "10.0.0.0/8", P::Name);
    refused("net:gov", "+", P::Name);
    refused(", 0, 3,", ", 0, 10,", P::Class);
    refused(", 0, 3,", ", 00, 03,", P::Class);
    refused(", 0, 3,", ", 4, 3,", P::Class);
    refused(", 0, 3,", ", a, 3,", P::Class);
    refused("2026-01-01T00:00Z", "2026-1-1T00:00Z", P::Time);
    refused("2026-01-01T00:00Z", "1767225600", P::Time);
    refused("2026-01-01T00:00Z", "2026-01-01T00:00+07:00", P::Time);
    refused("2027-01-01T00:00Z", "2026-01-01T00:00Z", P::Time);
    refused("2027-01-01T00:00Z", "2025-01-01T00:00Z", P::Time);
    refused("OB,", "OB-NONE,", P::ObligationsUnknown);
    refused("OB,", "{\"audit\": 1},", P::Id);
    for effect in ["Allow", "DENY", "permit", "allow;", "den\u{443}"] {
        refused(", allow", &format!(", {effect}"), P::Effect);
    }
    refused(", allow", ", deny", P::DenyObliges);
}

#[test]
fn short_and_long_rows_are_refused() {
    use ProblemCode as P;
    refused(", OB, allow", "", P::FieldCount);
    refused(", allow", ", allow, deny", P::When);
    refused("pu:p", "", P::FieldBlank);
    refused("ag:a", "  ", P::FieldBlank);
    assert!(load(&files("p\n")).unwrap_err().has(P::FieldCount));
    assert!(load(&files("p,\n")).unwrap_err().has(P::FieldCount));
}

#[test]
fn sections_that_casbin_would_drop_are_refused() {
    for row in ["p2, a, b", "e, some(where (p.eft == allow))", "P, R2", "policy", ", R2", "g5, a, b"] {
        let error = load(&files(&format!("{GOOD}{row}\n"))).expect_err(row);
        assert!(error.has(ProblemCode::SectionUnknown), "{row}: {:?}", error.problems);
    }
    let in_duties = files(GOOD).with("duties.csv", "g, ag:a, gr:b\n");
    assert!(load(&in_duties).unwrap_err().has(ProblemCode::SectionUnknown));
}

#[test]
fn a_link_cannot_speak_for_another_kind() {
    for row in [
        "g2, tax-office, statistics",
        "g2, ag:a, co:c",
        "g, ds:x, gr:g",
        "g, ag:a, ag:b",
        "g, ag:a, *",
        "g2, ds:x, ds:y",
        "g3, pu:a, gr:g",
    ] {
        let error = load(&files(&format!("{GOOD}{row}\n"))).expect_err(row);
        assert!(error.has(ProblemCode::Name), "{row}: {:?}", error.problems);
        assert_eq!(error.problems[0].line, Some(2));
    }
    let short = load(&files(&format!("{GOOD}g, ag:a\n"))).unwrap_err();
    assert!(short.has(ProblemCode::FieldCount));
    let twice = load(&files(&format!("{GOOD}g3, pu:a, pu:b\ng3, pu:a, pu:b\n"))).unwrap_err();
    assert!(twice.has(ProblemCode::LinkTwice));
    let circle = load(&files(&format!("{GOOD}g3, pu:a, pu:b\ng3, pu:b, pu:a\n"))).unwrap_err();
    assert!(circle.has(ProblemCode::LinkCircle));
}

#[test]
fn ids_stand_once_over_grants_and_duties() {
    let twice = load(&files(&format!("{GOOD}{GOOD}"))).unwrap_err();
    assert!(twice.has(ProblemCode::IdTwice));
    let duty = "p, R1, 00, *, *, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow\n";
    let across = load(&files(GOOD).with("duties.csv", duty)).unwrap_err();
    assert!(across.has(ProblemCode::IdTwice) && across.problems[0].file == "duties.csv");
}

#[test]
fn duties_oblige_and_never_deny() {
    let duty = "p, D1, 00, *, *, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow\n";
    assert_eq!(load(&files(GOOD).with("duties.csv", duty)).unwrap().duties().len(), 1);
    for (from, to) in [("OB, allow", "-, allow"), ("OB, allow", "OB, deny"), ("OB, allow", "OB, Allow")] {
        let error = load(&files(GOOD).with("duties.csv", duty.replace(from, to))).unwrap_err();
        assert!(error.has(ProblemCode::Duty), "{to}: {:?}", error.problems);
    }
    let unknown = load(&files(GOOD).with("duties.csv", duty.replace("OB,", "NO,"))).unwrap_err();
    assert!(unknown.has(ProblemCode::ObligationsUnknown));
}

#[test]
fn a_rule_set_without_rules_is_refused() {
    for policy in ["", "# only a comment\n", "g, ag:a, gr:b\n"] {
        assert!(load(&files(policy)).unwrap_err().has(ProblemCode::NoRules), "{policy}");
    }
    assert!(load(&Files::new()).unwrap_err().has(ProblemCode::FileMissing));
}

#[test]
fn the_model_is_fixed() {
    let own = include_str!("../models/grant.conf");
    assert!(load(&files(GOOD).with("grant.conf", own)).is_ok());
    assert!(load(&files(GOOD).with("grant.conf", format!("# another comment\n\n{own}"))).is_ok());
    for (from, to) in [
        ("priority(p.eft) || deny", "some(where (p.eft == allow))"),
        ("priority(p.eft) || deny", "priority(p.eft)  || deny"),
        ("r.cls <= p.chi && ", ""),
        ("[matchers]", "[matchers]\nm2 = true"),
        ("m = ", "m = true || "),
    ] {
        let error = load(&files(GOOD).with("grant.conf", own.replace(from, to))).expect_err(to);
        assert!(error.has(ProblemCode::ModelDiffers), "{to}");
    }
    assert!(load(&files(GOOD).with("duty.conf", own)).unwrap_err().has(ProblemCode::ModelDiffers));
}

#[test]
fn files_are_known_text_of_limited_size() {
    assert!(load(&files(GOOD).with("policy2.csv", "")).unwrap_err().has(ProblemCode::FileUnknown));
    assert!(load(&files(GOOD).with("README.md", "for people")).is_ok());
    for bytes in [&b"p, R\xff"[..], b"\xef\xbb\xbfp, R", b"p, R\0"] {
        assert!(load(&files(GOOD).with("policy.csv", bytes)).unwrap_err().has(ProblemCode::NotText));
    }
    let full = format!("{GOOD}{}", "#".repeat(policy::limits::FILE_BYTES_MAX - GOOD.len()));
    assert!(load(&files(&full)).is_ok());
    assert!(load(&files(&format!("{full}#"))).unwrap_err().has(ProblemCode::FileUnreadable));
}

#[test]
fn obligation_sets_are_read_strictly_and_all_named() {
    let broken = r#"{"OB": {"audit": 1}, "A": {"stamp": true}, "B": {"audit": 9}, "C": {}}"#;
    let error = load(&files(GOOD).with("obligations.json", broken)).unwrap_err();
    for set in ["A", "B"] {
        assert!(error.problems.iter().any(|p| p.rule.as_deref() == Some(set)), "{set}: {:?}", error.problems);
    }
    let twice = r#"{"OB": {"audit": 1}, "OB": {}}"#;
    let error = load(&files(GOOD).with("obligations.json", twice)).unwrap_err();
    assert!(error.problems[0].message.contains("stands twice"), "{:?}", error.problems);
    assert!(load(&files(GOOD).with("obligations.json", "[]")).unwrap_err().has(ProblemCode::Obligations));
}

#[test]
fn a_deny_needs_a_reason_where_reasons_are_given() {
    let policy = format!("{GOOD}{}", grant("R2", "20", "*", "ds:x", "*", "deny"));
    assert!(load(&files(&policy)).is_ok(), "without the file the standing reasons serve");
    let reason = |id: &str| {
        let text = r#"{"legal_basis": {"vi": "Quy chế", "en": "Rules", "mark": "S"}, "text": {"vi": "Không", "en": "No"}}"#;
        format!(r#"{{"{id}": {text}}}"#)
    };
    let with = |reasons: &str| load(&files(&policy).with("reasons.json", reasons));
    assert!(with(&reason("R2")).is_ok());
    assert!(with("{}").unwrap_err().has(ProblemCode::ReasonMissing));
    assert!(with(&reason("R9")).unwrap_err().has(ProblemCode::ReasonUnknown));
    assert!(with(&reason("INV-SECRET")).unwrap_err().has(ProblemCode::ReasonUnknown));
    for (from, to) in [
        ("\"Không\"", "\" \""),
        ("\"S\"", "\"X\""),
        ("\"en\": \"Rules\", ", ""),
        ("\"en\": \"No\"", "\"en\": \"No\", \"fr\": \"Non\""),
    ] {
        let error = with(&reason("R2").replace(from, to)).expect_err(to);
        assert!(error.has(ProblemCode::Reason), "{to}");
    }
}

#[test]
fn test_tables_and_registers_are_read_strictly() {
    let case = r#"[{"n": "a", "q": ["ag:a","ds:x","query","-","-","-","net:gov","2026-11-20T08:00Z"], "want": "deny"}]"#;
    let with = |cases: &str| load(&files(GOOD).with("cases.json", cases));
    assert_eq!(with(case).unwrap().cases().len(), 1);
    for (from, to) in [
        ("\"deny\"", "\"Deny\""),
        ("\"net:gov\",", ""),
        ("ag:a", "a"),
        ("query", "read"),
        ("08:00Z", "08:00"),
        ("\"n\"", "\"name\""),
        ("\"net:gov\"", "\"-\""),
    ] {
        assert!(with(&case.replace(from, to)).unwrap_err().has(ProblemCode::Case), "{to}");
    }
    let register =
        r#"{"datasets": {}, "agreements": {}, "parties": {"ag:a": "VN"}, "transfer_dossiers": []}"#;
    let with = |register: &str| load(&files(GOOD).with("registry.json", register));
    assert!(with(register).is_ok());
    for (from, to) in
        [("VN", "vn"), ("ag:a", "a"), ("\"VN\"", "\"VN\", \"ag:a\": \"XX\""), ("[]", "[], \"more\": 1")]
    {
        assert!(with(&register.replace(from, to)).unwrap_err().has(ProblemCode::Registry), "{to}");
    }
}

#[test]
fn all_problems_are_named_and_their_number_is_limited() {
    let policy = format!(
        "{GOOD}p, X\np, Y, 30\nq, z\ng, a, b\n{}",
        GOOD.replace("R1", "R2").replace("allow", "Allow")
    );
    let error = load(&files(&policy).with("duties.csv", "p, D\n").with("obligations.json", "{")).unwrap_err();
    let lines: Vec<_> =
        error.problems.iter().filter(|p| p.file == "policy.csv").filter_map(|p| p.line).collect();
    for line in [2, 3, 4, 5, 6] {
        assert!(lines.contains(&line), "line {line}: {lines:?}");
    }
    for file in ["duties.csv", "obligations.json"] {
        assert!(error.problems.iter().any(|p| p.file == file), "{file}");
    }
    let flood = load(&files(&"q\n".repeat(policy::limits::PROBLEMS_MAX + 7))).unwrap_err();
    assert_eq!(
        (flood.problems.len(), flood.unlisted),
        (policy::limits::PROBLEMS_MAX, 7),
        "that there is no rule follows from them"
    );
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |files: &Files| load(files).unwrap().digest();
    let two = format!("{GOOD}{}g, ag:a, gr:g\n", grant("R2", "00", "*", "*", "*", "deny"));
    let swapped = format!("# words\n g ,ag:a,  gr:g\n{}\n\n{GOOD}", grant("R2", "00", "*", "*", "*", "deny"));
    assert_eq!(digest(&files(&two)), digest(&files(&swapped)), "order, blanks and comments are no change");
    assert_eq!(load(&files(&two)).unwrap().with_version(9).digest(), digest(&files(&two)));
    for changed in
        [two.replace("ag:a, ds:x", "ag:b, ds:x"), two.replace("gr:g", "gr:h"), two.replace("deny", "allow")]
    {
        assert_ne!(digest(&files(&two)), digest(&files(&changed)));
    }
    let other = files(&two).with("obligations.json", r#"{"OB": {"audit": 2}, "OB2": {"audit": 2}}"#);
    assert_ne!(digest(&files(&two)), digest(&other));
}

#[test]
fn a_folder_is_read_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("policy.csv", GOOD), ("duties.csv", ""), ("obligations.json", r#"{"OB": {}}"#)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    assert_eq!(RuleSet::from_folder(folder.path(), 3).unwrap().version(), 3);
    std::fs::write(folder.path().join("policy.csv~"), "").unwrap();
    assert!(RuleSet::from_folder(folder.path(), 3).unwrap_err().has(ProblemCode::FileUnknown));
    std::fs::remove_file(folder.path().join("policy.csv~")).unwrap();
    std::fs::create_dir(folder.path().join("cases.json")).unwrap();
    assert!(RuleSet::from_folder(folder.path(), 3).unwrap_err().has(ProblemCode::FileUnreadable));
    assert!(RuleSet::from_folder(&folder.path().join("none"), 3).is_err());
}
