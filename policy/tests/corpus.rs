//! Malformed rule sets, each refused for the reason by which it is known. One wrong thing each, in files that are else good.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

use policy::ProblemCode as P;
use policy::{Files, RuleSet};

const POLICY: &str = "\
g, ag:a, gr:g
g2, ds:x, co:c
g3, pu:p, pu:q
g4, pl:vn:hn, pl:vn
p, R1, 30, gr:g, co:c, query, pu:q, agr:1, bas:law, net:gov, 0, 3, 2026-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow, unit=un:u clearance=2-9
p, R2, 20, *, *, *, *, *, *, *, 0, 9, 2026-01-01T00:00Z, 2027-01-01T00:00Z, -, deny
";
const DUTIES: &str =
    "p, D1, 10, *, tag:personal, *, *, 0, 9, 2026-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow\n";
const OBLIGATIONS: &str =
    r#"{"OB": {"audit": 1, "max_rows": 10, "mask": {"name": "hash"}, "retention_days": 30}}"#;
const REASONS: &str = r#"{"R2": {"legal_basis": {"vi": "Luật", "en": "Law", "mark": "S"}, "text": {"vi": "Không", "en": "No"}}}"#;
const CASES: &str = r#"[{"n": "a", "q": ["ag:a", "ds:x", "query", "-", "-", "-", "net:gov", "2026-11-20T08:00Z"], "want": "deny"}]"#;
const REGISTRY: &str =
    r#"{"datasets": {}, "agreements": {}, "parties": {"ag:a": "VN"}, "transfer_dossiers": []}"#;

fn good() -> Files {
    Files::new()
        .with("policy.csv", POLICY)
        .with("duties.csv", DUTIES)
        .with("obligations.json", OBLIGATIONS)
        .with("reasons.json", REASONS)
        .with("cases.json", CASES)
        .with("registry.json", REGISTRY)
}

/// A file, a text in it, what stands there instead, and the problem that this is.
type Fault = (&'static str, &'static str, &'static str, P);

const FAULTS: &[Fault] = &[
    // Rows that are no rows.
    ("policy.csv", "p, R1,", "p2, R1,", P::SectionUnknown),
    ("policy.csv", "p, R1,", "P, R1,", P::SectionUnknown),
    ("policy.csv", "p, R1,", ", R1,", P::SectionUnknown),
    ("policy.csv", "p, R1,", "\"p\", R1,", P::SectionUnknown),
    ("policy.csv", "g, ag:a", "g5, ag:a", P::SectionUnknown),
    ("policy.csv", "p, R1,", "p; R1;", P::SectionUnknown),
    ("duties.csv", "p, D1", "g, ag:a, gr:g\np, D1", P::SectionUnknown),
    ("policy.csv", ", OB, allow, unit=un:u clearance=2-9", "", P::FieldCount),
    ("policy.csv", "clearance=2-9", "clearance=2-9, more", P::FieldCount),
    ("policy.csv", "g, ag:a, gr:g", "g, ag:a", P::FieldCount),
    ("policy.csv", "g, ag:a, gr:g", "g, ag:a, gr:g, gr:h", P::FieldCount),
    ("duties.csv", ", OB, allow", ", allow", P::FieldCount),
    ("policy.csv", "gr:g, co:c,", ", co:c,", P::FieldBlank),
    ("policy.csv", ", OB, allow", ", , allow", P::FieldBlank),
    ("policy.csv", "g3, pu:p, pu:q", "g3, , pu:q", P::FieldBlank),
    // Ids.
    ("policy.csv", "R1", "1R", P::Id),
    ("policy.csv", "R1", "R\u{661}", P::Id),
    ("policy.csv", "R1", "R 1", P::Id),
    ("policy.csv", "R1", "*", P::Id),
    ("policy.csv", "R2, 20", "R1, 20", P::IdTwice),
    ("duties.csv", "D1", "R1", P::IdTwice),
    // Columns.
    ("policy.csv", ", 30,", ", 31,", P::Tier),
    ("policy.csv", ", 30,", ", 3,", P::Tier),
    ("policy.csv", ", 30,", ", owner,", P::Tier),
    ("policy.csv", "gr:g, co:c", "g, co:c", P::Name),
    ("policy.csv", "gr:g, co:c", "ds:g, co:c", P::Name),
    ("policy.csv", "gr:g, co:c", "gr:g, ag:c", P::Name),
    ("policy.csv", "gr:g, co:c", "gr:g, co:", P::Name),
    ("policy.csv", "gr:g, co:c", "gr:g, co:*", P::Name),
    ("policy.csv", "gr:g, co:c", "gr:\u{430}g, co:c", P::Name),
    ("policy.csv", "gr:g, co:c", "gr:g\u{200b}, co:c", P::Name),
    ("policy.csv", "pu:q, agr", "-, agr", P::Name),
    ("policy.csv", "agr:1", "1", P::Name),
    ("policy.csv", "bas:law", "law", P::Name),
    ("policy.csv", "net:gov", "10.0.0.0/8", P::Name),
    ("policy.csv", "net:gov", "-", P::Name),
    ("policy.csv", "query", "Query", P::Action),
    ("policy.csv", "query", "read", P::Action),
    ("policy.csv", "query", "query|download", P::Action),
    ("policy.csv", ", 0, 3,", ", 3, 0,", P::Class),
    ("policy.csv", ", 0, 3,", ", 0, 10,", P::Class),
    ("policy.csv", ", 0, 3,", ", *, 3,", P::Class),
    ("policy.csv", "2026-01-01T00:00Z", "2026-01-01", P::Time),
    ("policy.csv", "2026-01-01T00:00Z", "2026-02-30T00:00Z", P::Time),
    ("policy.csv", "2026-01-01T00:00Z", "2027-01-01T00:00Z", P::Time),
    ("policy.csv", "2026-01-01T00:00Z", "1767225600", P::Time),
    ("policy.csv", "2026-01-01T00:00Z", "2026-01-01T07:00+07:00", P::Time),
    ("policy.csv", ", OB, allow", ", NONE, allow", P::ObligationsUnknown),
    ("policy.csv", ", -, deny", ", OB, deny", P::DenyObliges),
    ("policy.csv", "allow", "Allow", P::Effect),
    ("policy.csv", "allow", "permit", P::Effect),
    ("policy.csv", "deny", "DENY", P::Effect),
    ("policy.csv", "unit=un:u", "unit", P::Name),
    ("policy.csv", "unit=un:u", "unit=u", P::Name),
    ("policy.csv", "unit=un:u", "colour=red", P::When),
    ("policy.csv", "unit=un:u", "unit=un:u unit=un:v", P::When),
    ("policy.csv", "clearance=2-9", "clearance=9-2", P::Class),
    // Links.
    ("policy.csv", "g, ag:a, gr:g", "g, ag:a, ag:b", P::Name),
    ("policy.csv", "g2, ds:x, co:c", "g2, ag:x, co:c", P::Name),
    ("policy.csv", "g2, ds:x, co:c", "g2, ds:x, ds:y", P::Name),
    ("policy.csv", "g3, pu:p, pu:q", "g3, pu:p, gr:g", P::Name),
    ("policy.csv", "g3, pu:p, pu:q", "g3, pu:p, pu:p", P::LinkCircle),
    ("policy.csv", "g3, pu:p, pu:q", "g3, pu:p, pu:q\ng3, pu:q, pu:p", P::LinkCircle),
    ("policy.csv", "g3, pu:p, pu:q", "g3, pu:p, pu:q\ng3, pu:p, pu:q", P::LinkTwice),
    // Duties.
    ("duties.csv", "OB, allow", "OB, deny", P::Duty),
    ("duties.csv", "OB, allow", "-, allow", P::Duty),
    ("duties.csv", "OB, allow", "NONE, allow", P::ObligationsUnknown),
    // Texts that are not text.
    ("policy.csv", "g, ag:a", "\u{feff}g, ag:a", P::NotText),
    ("policy.csv", "R1", "R1\0", P::NotText),
    ("obligations.json", "OB", "O\0B", P::NotText),
    // Obligations.
    ("obligations.json", "{\"OB\"", "[{\"OB\"", P::Obligations),
    ("obligations.json", "\"audit\": 1", "\"audit\": 9", P::Obligations),
    ("obligations.json", "\"audit\": 1", "\"audit\": \"1\"", P::Obligations),
    ("obligations.json", "\"audit\": 1", "\"audit\": 1, \"audit\": 2", P::Obligations),
    ("obligations.json", "\"max_rows\": 10", "\"max_rows\": -1", P::Obligations),
    ("obligations.json", "\"max_rows\": 10", "\"maxrows\": 10", P::Obligations),
    ("obligations.json", "\"hash\"", "\"md5\"", P::Obligations),
    ("obligations.json", "\"retention_days\": 30", "\"retention_days\": 1e9", P::Obligations),
    // Reasons.
    ("reasons.json", "\"R2\"", "\"R9\"", P::ReasonUnknown),
    ("reasons.json", "\"R2\"", "\"R1\"", P::ReasonMissing),
    ("reasons.json", "\"Không\"", "\"\"", P::Reason),
    ("reasons.json", "\"en\": \"No\"", "\"fr\": \"Non\"", P::Reason),
    ("reasons.json", "\"mark\": \"S\"", "\"mark\": \"Q\"", P::Reason),
    // Tables and their register.
    ("cases.json", "\"want\": \"deny\"", "\"want\": \"no\"", P::Case),
    ("cases.json", "\"want\": \"deny\"", "\"wants\": \"deny\"", P::Case),
    ("cases.json", "\"net:gov\", ", "", P::Case),
    ("cases.json", "\"ds:x\"", "\"x\"", P::Case),
    ("cases.json", "2026-11-20T08:00Z", "tomorrow", P::Case),
    ("registry.json", "\"VN\"", "\"Vietnam\"", P::Registry),
    ("registry.json", "\"parties\"", "\"people\"", P::Registry),
    ("registry.json", "\"VN\"}", "\"VN\", \"ag:a\": \"LA\"}", P::Registry),
];

fn with(file: &str, from: &str, to: &str) -> Files {
    let files = good();
    let text = std::str::from_utf8(files.get(file).unwrap()).unwrap().to_owned();
    assert!(text.contains(from), "{file} has no `{from}`");
    files.with(file, text.replacen(from, to, 1))
}

#[test]
fn without_a_fault_it_is_loaded() {
    let rules = RuleSet::from_files(&good(), 1).unwrap_or_else(|error| panic!("{:#?}", error.problems));
    assert_eq!((rules.grants().len(), rules.duties().len(), rules.links().len()), (2, 1, 4));
}

#[test]
fn each_fault_is_refused_by_its_name_and_in_its_file() {
    assert!(FAULTS.len() >= 60, "{}", FAULTS.len());
    let mut wrong = Vec::new();
    for (file, from, to, code) in FAULTS {
        match RuleSet::from_files(&with(file, from, to), 1) {
            Ok(_) => wrong.push(format!("{file}: `{from}` -> `{to}` was loaded")),
            Err(error) => {
                // A reason that is missing is a fault of the rule without one.
                let place = if *code == P::ReasonMissing { "policy.csv" } else { *file };
                if !error.problems.iter().any(|problem| problem.code == *code && problem.file == place) {
                    wrong.push(format!("{file}: `{from}` -> `{to}` is not {code:?}: {:?}", error.problems));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_that_are_not_there_or_have_no_place_are_refused_by_name() {
    for missing in ["policy.csv", "duties.csv", "obligations.json"] {
        let all = good();
        let less = all.iter().filter(|(name, _)| *name != missing);
        let files = less.fold(Files::new(), |files, (name, bytes)| files.with(name, bytes));
        let error = RuleSet::from_files(&files, 1).expect_err(missing);
        assert!(error.problems.iter().any(|p| p.code == P::FileMissing && p.file == missing), "{error:?}");
    }
    for stray in ["policy.csv.bak", "Policy.csv", "../policy.csv", "policy2.csv", ""] {
        let error = RuleSet::from_files(&good().with(stray, "x"), 1).expect_err(stray);
        assert!(error.has(P::FileUnknown), "{stray:?}");
    }
    let model = include_str!("../models/grant.conf").replace("r.now < p.exp", "true");
    assert!(RuleSet::from_files(&good().with("grant.conf", model), 1).unwrap_err().has(P::ModelDiffers));
    assert!(RuleSet::from_files(&good().with("policy.csv", "\n"), 1).unwrap_err().has(P::NoRules));
    let bytes = [POLICY.as_bytes(), b"# \xff\n"].concat();
    assert!(RuleSet::from_files(&good().with("policy.csv", bytes), 1).unwrap_err().has(P::NotText));
}

#[test]
fn cut_off_anywhere_it_is_refused_or_says_less_and_never_panics() {
    for (file, text) in [("obligations.json", OBLIGATIONS), ("reasons.json", REASONS), ("cases.json", CASES)]
    {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let cut = good().with(file, &text.as_bytes()[..end]);
            assert!(RuleSet::from_files(&cut, 1).is_err(), "{file} cut at {end}");
        }
    }
    let row = POLICY.lines().nth(5).unwrap();
    for end in 1..row.len() {
        let cut = good().with("policy.csv", &row.as_bytes()[..end]);
        assert!(RuleSet::from_files(&cut, 1).is_err(), "the row cut at {end}");
    }
}
