//! Rules that others, the law or their own columns keep from being heard.

use std::collections::BTreeMap;

use policy::lint::{FindingCode as Code, LintContext, Severity, lint};
use policy::{DatasetFacts, Personal, SharingKind};

use crate::common::{dataset, party};
use crate::help::{at, blind, files, knows, linked, load, p, personal, rules, told};

#[test]
fn an_allow_under_a_deny_of_its_tier_or_above_is_shadowed_and_one_beside_it_is_not() {
    for deny_tier in ["10", "20"] {
        let report = blind(&linked(&[
            p("A", "sub=gr:wards obj=ds:air pur=pu:dengue"),
            p("D", &format!("tier={deny_tier} sub=gr:state obj=co:sensors pur=pu:health eft=deny")),
        ]));
        assert_eq!(told(&report, Code::Shadowed, "A"), Some(Severity::Warning), "{report:#?}");
        let finding = report.findings.iter().find(|f| f.code == Code::Shadowed).unwrap();
        assert_eq!(finding.other.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["D"]);
    }
    for beside in [
        "sub=gr:other",
        "obj=ds:water",
        "act=download",
        "pur=pu:tax",
        "chi=1",
        "net=net:internet",
        "bas=+",
        "tier=30",
        "exp=2030-01-01T00:00Z",
        "agr=-",
        "when=route=via:platform",
        "when=clearance=3-9",
    ] {
        let report = blind(&linked(&[
            p("A", "sub=gr:wards obj=ds:air pur=pu:dengue"),
            p("D", &format!("sub=gr:state obj=co:sensors pur=pu:health {beside} eft=deny")),
        ]));
        assert_eq!(told(&report, Code::Shadowed, "A"), None, "{beside}");
    }
}

#[test]
fn a_deny_under_a_more_authoritative_allow_is_an_error() {
    let with = |tier: &str| {
        blind(&[p("A", &format!("tier={tier} obj=co:x")), p("D", "obj=co:x sub=gr:wards eft=deny")])
    };
    assert_eq!(told(&with("10"), Code::Shadowed, "D"), Some(Severity::Error));
    assert_eq!(told(&with("20"), Code::Shadowed, "D"), None, "in its own tier the deny wins");
    assert_eq!(told(&with("30"), Code::Shadowed, "D"), None);
}

#[test]
fn a_rule_of_the_same_effect_under_a_more_authoritative_one_is_unreachable() {
    let with = |obligations: &str| {
        blind(&[p("A", "tier=10 obl=LOOSE"), p("B", &format!("sub=gr:wards obl={obligations}"))])
    };
    assert_eq!(told(&with("LOOSE"), Code::Unreachable, "B"), Some(Severity::Note));
    assert_eq!(told(&with("STRICT"), Code::Unreachable, "B"), Some(Severity::Warning), "its duty is lost");
    assert_eq!(told(&with("STRICT"), Code::Unreachable, "A"), None);
    let beside = blind(&[p("A", "tier=10 sub=gr:wards"), p("B", "")]);
    assert_eq!(told(&beside, Code::Unreachable, "B"), None);
}

#[test]
fn what_the_law_refuses_first_is_unreachable() {
    let facts = DatasetFacts { kind: SharingKind::Secret, ..dataset(1, SharingKind::Secret) };
    let mut context = knows([("ds:orders", facts), ("ds:p", personal(2, Personal::Basic))]);
    let gone = policy::PartyFacts { active: false, ..party(&[]) };
    context.parties =
        Some(BTreeMap::from([("ag:gone".parse().unwrap(), gone), ("ag:here".parse().unwrap(), party(&[]))]));
    for never in [
        "clo=9 chi=9",
        "obj=ds:orders",
        "sub=ag:gone",
        "obj=tag:personal bas=-",
        "obj=co:special agr=-",
        "obj=tag:sensitive agr=- bas=+",
        "obj=ds:p bas=bas:consent",
    ] {
        let report = lint(&rules(&[p("A", never)]), &context);
        assert_eq!(told(&report, Code::Unreachable, "A"), Some(Severity::Warning), "{never}");
    }
    for heard in [
        "clo=8 chi=9",
        "obj=ds:p",
        "sub=ag:here",
        "obj=tag:personal bas=+",
        "obj=co:special agr=+",
        "obj=tag:personal bas=- act=discover",
        "obj=ds:p bas=bas:law",
        "tier=10 obj=co:special agr=- bas=bas:emergency exp=2027-01-01T00:00Z",
    ] {
        let report = lint(&rules(&[p("A", heard)]), &context);
        assert_eq!(told(&report, Code::Unreachable, "A"), None, "{heard}");
    }
}

#[test]
fn a_rule_that_adds_nothing_is_redundant_once_and_one_that_tightens_is_not() {
    let with = |by: &str, rule: &str| blind(&[p("A", by), p("B", rule)]);
    assert_eq!(told(&with("", "sub=gr:wards"), Code::Redundant, "B"), Some(Severity::Note));
    assert_eq!(
        told(&with("obl=STRICT", "sub=gr:wards obl=LOOSE"), Code::Redundant, "B"),
        Some(Severity::Note)
    );
    assert_eq!(told(&with("obl=LOOSE", "sub=gr:wards obl=STRICT"), Code::Redundant, "B"), None);
    let twins = with("", "");
    assert_eq!(twins.findings.iter().filter(|f| f.code == Code::Redundant).count(), 1, "{twins:#?}");
    assert_eq!(told(&twins, Code::Redundant, "B"), Some(Severity::Note), "the later one is named");
    // Only the narrow one bears out an emergency.
    let narrow = "tier=10 obj=co:special bas=bas:emergency exp=2027-01-01T00:00Z";
    assert_eq!(told(&with("tier=10 obj=co:special", narrow), Code::Redundant, "B"), None);
    let denies = with("eft=deny", "eft=deny sub=gr:wards");
    assert_eq!(told(&denies, Code::Redundant, "B"), Some(Severity::Note));
}

#[test]
fn a_duty_that_another_makes_needless_is_redundant() {
    let duty = |id: &str, object: &str, set: &str| {
        format!("p, {id}, 10, *, {object}, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, {set}, allow\n")
    };
    let with = |first: &str, second: &str| {
        let duties = [duty("N1", "*", first), duty("N2", "tag:personal", second)].concat();
        lint(&load(&files(&[p("A", "")], &duties)), &LintContext::default())
    };
    assert_eq!(told(&with("STRICT", "LOOSE"), Code::Redundant, "N2"), Some(Severity::Note));
    assert_eq!(told(&with("STRICT", "LOOSE"), Code::Redundant, "N1"), None);
    assert_eq!(told(&with("LOOSE", "STRICT"), Code::Redundant, "N2"), None);
}

#[test]
fn an_allow_and_a_deny_of_one_tier_that_meet_overlap() {
    let with = |deny: &str| blind(&linked(&[p("A", "obj=co:sensors"), p("D", &format!("{deny} eft=deny"))]));
    for meets in
        ["obj=ds:air", "obj=co:sensors sub=gr:wards", "obj=* pur=pu:health", "obj=ds:air clo=2 chi=9"]
    {
        assert_eq!(told(&with(meets), Code::Overlap, "D"), Some(Severity::Note), "{meets}");
    }
    for apart in ["obj=ds:water", "obj=ds:air act=download", "obj=ds:air clo=3 chi=9", "obj=ds:air tier=30"] {
        assert_eq!(told(&with(apart), Code::Overlap, "D"), None, "{apart}");
    }
    assert_eq!(told(&with("obj=*"), Code::Overlap, "D"), None, "that is shadowed, not an overlap");
}

#[test]
fn a_deny_that_an_allow_above_it_overrules_in_part_is_told() {
    let with = |allow: &str| blind(&linked(&[p("A", allow), p("D", "obj=co:sensors act=* eft=deny")]));
    assert_eq!(told(&with("tier=10 obj=ds:air"), Code::Overruled, "D"), Some(Severity::Warning));
    let looks = with("tier=10 obj=ds:air act=discover");
    assert_eq!(told(&looks, Code::Overruled, "D"), Some(Severity::Note), "only seen, not had");
    assert_eq!(told(&with("tier=20 obj=ds:air"), Code::Overruled, "D"), None);
    assert_eq!(told(&with("tier=10 obj=ds:water"), Code::Overruled, "D"), None);
}

#[test]
fn a_rule_that_leaves_out_the_class_of_its_dataset_is_blank() {
    let context = knows([("ds:air", dataset(3, SharingKind::Default))]);
    let with = |said: &str| lint(&rules(&[p("A", &format!("obj=ds:air {said}"))]), &context);
    assert_eq!(told(&with("chi=2"), Code::Blank, "A"), Some(Severity::Warning));
    assert_eq!(told(&with("chi=3"), Code::Blank, "A"), None);
}

#[test]
fn what_is_over_covers_nothing_that_is_still_to_come() {
    let set = rules(&[p("A", ""), p("D", "eft=deny exp=2026-06-01T00:00Z")]);
    assert_eq!(told(&lint(&set, &at("2026-11-20T00:00Z")), Code::Shadowed, "A"), None);
    let begun = rules(&[p("A", "nbf=2020-01-01T00:00Z"), p("D", "eft=deny")]);
    let shadowed = |context: &LintContext| told(&lint(&begun, context), Code::Shadowed, "A");
    assert_eq!(shadowed(&at("2026-11-20T00:00Z")), Some(Severity::Warning), "what is past does not count");
    assert_eq!(shadowed(&LintContext::default()), None);
}
