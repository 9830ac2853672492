//! Names, time, use, and the report itself.

use std::collections::BTreeMap;
use std::path::Path;

use policy::lint::{Finding, FindingCode as Code, LintContext, LintReport, Observed, Severity, lint};
use policy::{Minute, RuleSet, SharingKind};

use crate::common::{self, dataset, party};
use crate::help::{at, blind, files, id, knows, linked, load, p, rules, told};

#[test]
fn a_name_that_nothing_defines_is_told_once_with_one_that_is_like_it() {
    let mut context = knows([("ds:air", dataset(1, SharingKind::Default))]);
    context.parties = Some(BTreeMap::from([("ag:env".parse().unwrap(), party(&["gr:inspectors"]))]));
    let rows = linked(&[p("A", "obj=ds:air pur=pu:helth"), p("B", "obj=ds:air act=download pur=pu:helth")]);
    let report = lint(&rules(&rows), &context);
    let finding = report.findings.iter().find(|f| f.code == Code::UnknownName).unwrap();
    assert_eq!((finding.rule.as_ref().unwrap().as_str(), finding.other.len()), ("A", 1));
    assert!(finding.text.en().contains("pu:helth") && finding.what_to_do.en().contains("`pu:health`"));
    for unknown in [
        "obj=ds:ari",
        "obj=co:sensor",
        "obj=tag:nothing",
        "obj=se:nothing",
        "obj=ow:nobody",
        "sub=ag:nobody",
        "sub=gr:ward",
        "net=net:nowhere",
        "when=place=pl:hanio",
    ] {
        let report = lint(&rules(&linked(&[p("A", unknown)])), &context);
        assert_eq!(told(&report, Code::UnknownName, "A"), Some(Severity::Warning), "{unknown}");
    }
    for known in [
        "obj=ds:air",
        "obj=co:sensors",
        "obj=tag:core",
        "obj=ow:owner",
        "sub=ag:env",
        "sub=gr:inspectors",
        "sub=gr:state",
        "sub=gr:foreign",
        "net=net:internet",
        "pur=pu:dengue",
        "bas=bas:some-law",
        "when=role=ro:doctor",
        "when=place=pl:la",
        "when=place=pl:hanoi",
    ] {
        let report = lint(&rules(&linked(&[p("A", known)])), &context);
        assert!(!report.has(Code::UnknownName), "{known}");
    }
    assert!(!blind(&[p("A", "sub=ag:nobody obj=ds:ari pur=pu:helth agr=agr:1")]).has(Code::UnknownName));
}

#[test]
fn a_rule_that_has_not_matched_for_long_is_told_where_it_could_have() {
    let minute = |text| Minute::parse(text).unwrap();
    let mut context = at("2026-11-20T08:00Z");
    context.usage = Some(Observed {
        since: minute("2026-01-01T00:00Z"),
        last: BTreeMap::from([
            (id("USED"), minute("2026-11-01T00:00Z")),
            (id("OLD"), minute("2026-03-01T00:00Z")),
        ]),
        added: [id("ADDED")].into(),
    });
    let set = rules(&[
        p("USED", "sub=gr:a"),
        p("OLD", "sub=gr:b"),
        p("NEVER", "sub=gr:c"),
        p("ADDED", "sub=gr:d"),
        p("FRESH", "sub=gr:e nbf=2026-10-01T00:00Z"),
        p("LOOK", "sub=gr:f act=discover"),
        p("NO", "sub=gr:g obj=ds:x eft=deny"),
    ]);
    let report = lint(&set, &context);
    assert_eq!(told(&report, Code::NeverMatched, "NEVER"), Some(Severity::Warning));
    assert_eq!(told(&report, Code::NeverMatched, "OLD"), Some(Severity::Warning));
    assert_eq!(told(&report, Code::NeverMatched, "NO"), Some(Severity::Note), "a deny may rest");
    for quiet in ["USED", "ADDED", "FRESH", "LOOK"] {
        assert_eq!(told(&report, Code::NeverMatched, quiet), None, "{quiet}");
    }
    context.unmatched_days = Some(400);
    assert!(!lint(&set, &context).has(Code::NeverMatched), "nothing was recorded for so long");
    context.usage = None;
    assert!(!lint(&set, &context).has(Code::NeverMatched));
}

#[test]
fn a_rule_past_its_end_is_expired_and_one_near_it_soon() {
    let set = rules(&[p("A", "exp=2026-12-01T00:00Z"), p("B", "sub=gr:b")]);
    let on = |time| lint(&set, &at(time));
    assert_eq!(told(&on("2026-12-01T00:00Z"), Code::Expired, "A"), Some(Severity::Warning));
    assert_eq!(told(&on("2026-12-01T00:00Z"), Code::ExpiresSoon, "A"), None);
    assert_eq!(told(&on("2026-11-20T00:00Z"), Code::ExpiresSoon, "A"), Some(Severity::Warning));
    assert_eq!(told(&on("2026-11-20T00:00Z"), Code::Expired, "A"), None);
    assert_eq!(told(&on("2026-10-01T00:00Z"), Code::ExpiresSoon, "A"), None);
    assert_eq!(told(&on("2026-12-01T00:00Z"), Code::Expired, "B"), None);
    assert!(!lint(&set, &LintContext::default()).has(Code::Expired), "without a clock nothing is over");
}

#[test]
fn obligations_that_no_rule_uses_are_told() {
    let unused = |report: &LintReport| {
        report
            .findings
            .iter()
            .filter(|f| f.code == Code::UnusedObligations)
            .map(|f| f.text.en().to_owned())
            .collect::<Vec<_>>()
    };
    let some = blind(&[p("A", "obl=LOOSE")]);
    assert_eq!(unused(&some).len(), 2);
    assert!(unused(&some).iter().all(|text| !text.contains("LOOSE")));
}

#[test]
fn findings_name_file_and_line_where_these_are_known() {
    let files = files(&["# a comment\n\n".into(), p("A", "obj=tag:personal")], "# none\n");
    let context = LintContext::default().with_places(&files);
    let report = lint(&load(&files), &context);
    let finding = report.findings.iter().find(|f| f.rule.is_some()).unwrap();
    assert_eq!((finding.file.as_deref(), finding.line), (Some("policy.csv"), Some(3)));
    assert_eq!(blind(&[p("A", "obj=tag:personal")]).findings[0].line, None);
}

#[test]
fn what_is_not_listed_is_counted_and_errors_come_first() {
    let mut rows: Vec<String> = (0..1_500).map(|at| p(&format!("A{at}"), &format!("sub=gr:g{at}"))).collect();
    rows.push(p("Z", "obj=tag:personal"));
    let report = blind(&rows);
    assert_eq!(report.findings.len(), 1_000);
    assert_eq!(report.unlisted, report.errors + report.warnings + report.notes - 1_000);
    assert!(report.unlisted >= 501 && report.errors >= 3);
    assert!(report.findings[..report.errors].iter().all(|f| f.severity == Severity::Error));
}

#[test]
fn what_ships_has_no_error_and_no_lost_words() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/server/src/demo/rules");
    let folders = ["ward", "environment", "health"].map(|name| demo.join(name));
    let sets = folders.iter().map(|folder| RuleSet::from_folder(folder, 1).unwrap());
    for set in sets.chain([RuleSet::builtin(1).unwrap()]) {
        let context = LintContext { now: Minute::from_unix(common::NOW), ..LintContext::of_cases(&set) };
        let report = lint(&set, &context);
        // The built-in set's register has one record that contradicts itself, to show what becomes of it.
        let planted = |finding: &&Finding| {
            finding.code == Code::RecordConflict && finding.text.en().contains("`ds:mixed-up`")
        };
        assert!(report.findings.iter().filter(planted).all(|f| f.severity == Severity::Note));
        assert_eq!(report.errors, 0, "{:#?}", report.findings);
        assert!(report.notes > 0, "a benefit statement is missing at least");
        assert!(report.findings.iter().all(|f| !f.text.en().contains("could not be written")));
    }
}

#[test]
fn the_page_on_rules_lists_every_code() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md")).unwrap();
    for code in Code::ALL {
        let word = serde_json::to_value(code).unwrap();
        assert!(
            page.contains(&format!("| `{}` |", word.as_str().unwrap())),
            "{word} is not in docs/rules.md"
        );
    }
}
