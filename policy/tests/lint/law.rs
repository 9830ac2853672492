//! What the law and the records ask of rules.

use std::collections::BTreeMap;

use policy::lint::{FindingCode as Code, KnownDataset, LintContext, Severity, lint};
use policy::{Country, DataClass, DatasetFacts, Personal, RuleSet, SharingKind};

use crate::common::{dataset, party};
use crate::help::{blind, files, id, knows, load, p, personal, rules, told};

#[test]
fn a_grant_above_the_class_of_its_dataset_is_wide() {
    let context = knows([("ds:air", dataset(1, SharingKind::Default))]);
    let with = |said: &str| lint(&rules(&[p("A", said)]), &context);
    assert_eq!(told(&with("obj=ds:air chi=2"), Code::WideClass, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("obj=co:x chi=9"), Code::WideClass, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("obj=ds:air chi=1"), Code::WideClass, "A"), None);
    assert_eq!(told(&with("obj=co:x chi=8"), Code::WideClass, "A"), None);
    assert_eq!(told(&with("obj=ds:air chi=9 eft=deny"), Code::WideClass, "A"), None, "a deny may be wide");
}

#[test]
fn a_grant_that_reaches_special_or_sensitive_data_without_naming_it_is_broad() {
    let context = knows([
        ("ds:air", dataset(1, SharingKind::Default)),
        ("ds:register", dataset(3, SharingKind::Special)),
        ("ds:sick", personal(2, Personal::Sensitive)),
    ]);
    let links = "g2, ds:air, co:plain\ng2, ds:register, co:mixed\n".to_owned();
    let with = |said: &str| lint(&rules(&[links.clone(), p("A", said)]), &context);
    assert_eq!(told(&with("obj=* chi=3"), Code::Broad, "A"), Some(Severity::Error), "anything to anyone");
    assert_eq!(told(&with("obj=* chi=3 sub=gr:state"), Code::Broad, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("obj=co:mixed chi=3"), Code::Broad, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("obj=co:default-shared"), Code::Broad, "A"), Some(Severity::Warning), "ds:sick");
    for narrow in [
        "obj=co:plain chi=3",
        "obj=co:mixed chi=2",
        "obj=co:special chi=3",
        "obj=tag:sensitive",
        "obj=ds:register chi=3",
        "obj=* chi=3 act=discover",
        "obj=* chi=1",
        "obj=* chi=3 eft=deny",
    ] {
        assert_eq!(told(&with(narrow), Code::Broad, "A"), None, "{narrow}");
    }
    assert_eq!(
        told(&blind(&[p("A", "obj=*")]), Code::Broad, "A"),
        Some(Severity::Error),
        "it could be anything"
    );
    assert_eq!(told(&blind(&[p("A", "obj=* chi=0")]), Code::Broad, "A"), None);
}

#[test]
fn personal_data_wants_purpose_basis_citation_end_and_deletion() {
    let open = blind(&[p("A", "obj=tag:personal")]);
    let full = "obj=tag:personal pur=pu:x bas=+ exp=2027-01-01T00:00Z obl=DELETE";
    let reasons = r#"{"A": {"legal_basis": {"vi": "Luật", "en": "Law", "mark": "M"},
        "text": {"vi": "Vì", "en": "For"}}}"#;
    let good = files(&[p("A", full)], "# none\n").with("reasons.json", reasons);
    let good = lint(&load(&good), &LintContext::default());
    for (code, severity) in [
        (Code::NoPurpose, Severity::Error),
        (Code::NoBasis, Severity::Error),
        (Code::NoCitation, Severity::Warning),
        (Code::NoEnd, Severity::Warning),
        (Code::NoRetention, Severity::Error),
    ] {
        assert_eq!(told(&open, code, "A"), Some(severity), "{code:?}");
        assert_eq!(told(&good, code, "A"), None, "{code:?}");
        for other in ["obj=tag:personal act=discover", "obj=tag:personal eft=deny", "obj=co:open"] {
            assert_eq!(told(&blind(&[p("A", other)]), code, "A"), None, "{code:?} {other}");
        }
    }
    let agreed = blind(&[p("A", "obj=tag:personal agr=+")]);
    assert_eq!(told(&agreed, Code::NoPurpose, "A"), None, "the agreement says for what");
}

#[test]
fn a_collection_with_personal_data_is_told_as_reaching_it() {
    let context = knows([("ds:sick", personal(2, Personal::Basic))]);
    let with = |said: &str| lint(&rules(&["g2, ds:sick, co:x\n".into(), p("A", said)]), &context);
    assert_eq!(told(&with("obj=co:x"), Code::NoPurpose, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("obj=ds:sick"), Code::NoPurpose, "A"), Some(Severity::Error));
    assert_eq!(told(&with("obj=co:x chi=1"), Code::NoPurpose, "A"), None, "its class is left out");
    assert!(with("obj=co:x").findings.iter().any(|f| f.text.vi().contains("`ds:sick`")));
}

#[test]
fn a_duty_that_says_when_to_delete_is_enough_where_it_covers_the_grant() {
    let duty = |object: &str, to: &str| {
        format!("p, N, 00, *, {object}, *, *, 0, {to}, 2026-01-01T00:00Z, 9999-12-31T00:00Z, DELETE, allow\n")
    };
    let with = |said: &str, duty: &str| {
        let context =
            knows([("ds:sick", personal(2, Personal::Basic)), ("ds:air", dataset(1, SharingKind::Default))]);
        lint(&load(&files(&["g2, ds:sick, co:x\n".into(), p("A", said)], duty)), &context)
    };
    for covered in ["obj=ds:sick", "obj=co:x", "obj=tag:personal", "obj=tag:sensitive"] {
        assert_eq!(
            told(&with(covered, &duty("tag:personal", "9")), Code::NoRetention, "A"),
            None,
            "{covered}"
        );
        assert_eq!(told(&with(covered, &duty("*", "9")), Code::NoRetention, "A"), None, "{covered}");
    }
    assert_eq!(
        told(&with("obj=ds:sick", &duty("tag:personal", "1")), Code::NoRetention, "A"),
        Some(Severity::Error)
    );
    assert_eq!(
        told(&with("obj=co:x", &duty("ds:air", "9")), Code::NoRetention, "A"),
        Some(Severity::Warning)
    );
}

#[test]
fn a_deny_needs_a_reason_and_a_grant_should_say_what_people_gain() {
    let said = |benefit: &str| {
        let entry = format!(
            r#"{{"legal_basis": {{"vi": "Luật", "en": "Law", "mark": "M"}}, "text": {{"vi": "Vì", "en": "For"}}{benefit}}}"#
        );
        let rows = [p("A", "sub=gr:a"), p("D", "eft=deny obj=ds:x"), p("L", "act=discover")];
        let reasons = format!(r#"{{"A": {entry}, "D": {entry}}}"#);
        lint(&load(&files(&rows, "# none\n").with("reasons.json", reasons)), &LintContext::default())
    };
    let bare = blind(&[p("A", "sub=gr:a"), p("D", "eft=deny obj=ds:x")]);
    assert_eq!(told(&bare, Code::DenyUngrounded, "D"), Some(Severity::Error));
    assert_eq!(told(&bare, Code::NoBenefit, "A"), Some(Severity::Note));
    assert_eq!(told(&said(""), Code::DenyUngrounded, "D"), None);
    assert_eq!(told(&said(""), Code::NoBenefit, "A"), Some(Severity::Note));
    let full = said(r#", "benefit": {"vi": "Ít giấy tờ hơn", "en": "Less paper"}"#);
    assert!(!full.has(Code::NoBenefit), "{full:#?}");
}

#[test]
fn the_loader_takes_a_benefit_in_both_languages_only_and_it_is_part_of_the_digest() {
    let with = |benefit: &str| {
        let entry =
            r#"{"legal_basis": {"vi": "Luật", "en": "Law", "mark": "M"}, "text": {"vi": "Vì", "en": "For"}"#;
        let reasons = format!(r#"{{"A": {entry}{benefit}}}}}"#);
        RuleSet::from_files(&files(&[p("A", "")], "# none\n").with("reasons.json", reasons), 1)
    };
    let (without, said) = (with("").unwrap(), with(r#", "benefit": {"vi": "Lợi", "en": "Gain"}"#).unwrap());
    assert_eq!(said.reason(&id("A")).unwrap().benefit.as_ref().unwrap().en(), "Gain");
    assert_ne!(without.digest(), said.digest());
    for bad in
        [r#", "benefit": {"vi": "Lợi"}"#, r#", "benefit": {"vi": "Lợi", "en": ""}"#, r#", "benefits": {}"#]
    {
        assert!(with(bad).unwrap_err().has(policy::ProblemCode::Reason), "{bad}");
    }
}

#[test]
fn a_grant_abroad_without_an_agreement_is_told() {
    let mut context = knows([(
        "ds:core",
        DatasetFacts { data_class: DataClass::Core, ..dataset(2, SharingKind::Default) },
    )]);
    let abroad = policy::PartyFacts { country: Country::parse("LA").unwrap(), ..party(&[]) };
    context.parties = Some(BTreeMap::from([
        ("ag:abroad".parse().unwrap(), abroad),
        ("ag:here".parse().unwrap(), party(&[])),
    ]));
    let with = |said: &str| lint(&rules(&["g, gr:asean, gr:foreign\n".into(), p("A", said)]), &context);
    for opens in [
        "sub=gr:foreign obj=ds:core",
        "sub=ag:abroad obj=*",
        "sub=gr:asean obj=tag:personal",
        "sub=* obj=tag:core",
    ] {
        assert_eq!(told(&with(opens), Code::Abroad, "A"), Some(Severity::Warning), "{opens}");
    }
    for keeps in [
        "sub=gr:foreign obj=ds:core agr=+",
        "sub=ag:here obj=ds:core",
        "sub=gr:foreign obj=co:open",
        "sub=* obj=co:default-shared",
    ] {
        assert_eq!(told(&with(keeps), Code::Abroad, "A"), None, "{keeps}");
    }
}

#[test]
fn a_link_that_contradicts_a_record_is_an_error() {
    let context = knows([("ds:air", dataset(1, SharingKind::Default))]);
    let with = |mark: &str| lint(&rules(&[format!("g2, ds:air, {mark}\n"), p("A", "")]), &context);
    let found = with("tag:personal");
    assert!(found.has(Code::RecordConflict) && found.errors == 1, "{found:#?}");
    assert!(with("co:open").has(Code::RecordConflict));
    assert!(!with("co:default-shared").has(Code::RecordConflict));
    assert!(!with("co:own").has(Code::RecordConflict));
}

#[test]
fn a_dataset_with_more_persons_than_its_class_allows_is_an_error() {
    let with = |kind: Personal, class: DataClass, persons: Option<u64>| {
        let facts = DatasetFacts { data_class: class, ..personal(2, kind) };
        let mut context = knows([]);
        let known = KnownDataset { facts, persons };
        context.datasets.as_mut().unwrap().insert("ds:p".parse().unwrap(), known);
        lint(&rules(&[p("A", "")]), &context).has(Code::ClassCount)
    };
    for (kind, class, persons) in [
        (Personal::Basic, DataClass::Other, 100_000),
        (Personal::Basic, DataClass::Important, 1_000_000),
        (Personal::Sensitive, DataClass::Other, 10_000),
        (Personal::Sensitive, DataClass::Important, 100_000),
    ] {
        assert!(with(kind, class, Some(persons)), "{kind:?} {class:?} {persons}");
        assert!(!with(kind, class, Some(persons - 1)), "{kind:?} {class:?} one fewer");
        assert!(!with(kind, DataClass::Core, Some(persons)), "{kind:?} core");
        assert!(!with(kind, class, None), "not counted");
    }
    assert!(!with(Personal::None, DataClass::Other, Some(1_000_000)));
}

#[test]
fn an_agency_that_cannot_read_back_its_data_is_told() {
    let mut context = knows([("ds:air", dataset(1, SharingKind::Default))]);
    let with =
        |context: &LintContext, said: &str| lint(&rules(&[p("A", said)]), context).has(Code::NoReadBack);
    assert!(!with(&context, "obj=ds:x"), "whose rules these are is not known");
    context.node = Some("ag:host".parse().unwrap());
    for cannot in [
        "obj=ds:air",
        "tier=10 obj=ds:air sub=ag:other",
        "tier=10 obj=ds:air act=discover",
        "tier=10 obj=ds:air eft=deny",
    ] {
        assert!(with(&context, cannot), "{cannot}");
    }
    for can in
        ["tier=10 obj=ds:air sub=ag:owner", "tier=00 obj=co:default-shared", "tier=10 obj=ow:owner act=*"]
    {
        assert!(!with(&context, can), "{can}");
    }
    context.node = Some("ag:owner".parse().unwrap());
    assert!(!with(&context, "obj=ds:x"), "its own data");
}

#[test]
fn a_rule_whose_obligations_fit_none_of_its_datasets_is_an_error_and_some_of_them_a_warning() {
    let mut context = knows([
        ("ds:air", dataset(1, SharingKind::Default)),
        ("ds:noise", dataset(1, SharingKind::Default)),
        ("ds:maps", dataset(2, SharingKind::Default)),
    ]);
    let unfit = ["ds:air", "ds:noise"].map(|id| (id.parse().unwrap(), "no column `dau`".to_owned()));
    context.misfits.insert(policy::ObligationSetId::parse("STRICT").unwrap(), unfit.into());
    let links = "g2, ds:air, co:sensors\ng2, ds:noise, co:sensors\n".to_owned();
    let with = |said: &str| lint(&rules(&[links.clone(), p("A", said)]), &context);
    for (said, severity) in [
        ("obj=ds:air obl=STRICT", Some(Severity::Error)),
        ("obj=co:sensors obl=STRICT", Some(Severity::Error)),
        ("obj=co:default-shared obl=STRICT", Some(Severity::Warning)),
        // Of class 2 there are the maps alone, and they fit.
        ("obj=* clo=2 obl=STRICT", None),
        ("obj=ds:maps obl=STRICT", None),
        ("obj=ds:air obl=LOOSE", None),
        ("obj=ds:air obl=STRICT act=discover", None),
        ("obj=ds:soon obl=STRICT", None),
    ] {
        assert_eq!(told(&with(said), Code::Misfit, "A"), severity, "{said}");
    }
    let report = with("obj=co:sensors obl=STRICT");
    let finding = report.findings.iter().find(|finding| finding.code == Code::Misfit).unwrap();
    let text = finding.text.en();
    assert!(text.contains("2 of the 2") && text.contains("`ds:air`") && text.contains("`dau`"), "{text}");
    assert_eq!(
        policy::lint::misfits(&rules(&[links.clone(), p("A", "obj=co:sensors obl=STRICT")]), &context)
            .findings
            .len(),
        1,
        "this check alone"
    );
}

#[test]
fn a_grant_of_pseudonyms_to_a_party_that_holds_their_key_lets_nothing_leave() {
    let linkage = policy::Linkage::new("dinh-danh", &"0".repeat(32)).unwrap();
    let rules = [p("A", "sub=ag:urn:a obl=LINKED"), p("B", "sub=ag:urn:b obl=LINKED")];
    let set = format!(r#"{{"LINKED": {{"mask": {{"id": {{"linkage": "{linkage}"}}}}}}}}"#);
    let files = files(&rules, "# none\n").with("obligations.json", set);
    let holders = ["ag:urn:b", "ag:urn:c"].map(|id| id.parse().unwrap()).into();
    let context = LintContext { linkages: Some([(linkage, holders)].into()), ..LintContext::default() };
    let report = lint(&load(&files), &context);
    assert_eq!(told(&report, Code::Misfit, "A"), None);
    assert_eq!(told(&report, Code::Misfit, "B"), Some(Severity::Error));
}
