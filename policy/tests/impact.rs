//! Impact: what a draft would have answered to questions of the past.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::{NOW, agreement, dataset, engine, facts, files, grant, party, question};
use policy::impact::{AskedAt, Impact, Replay, Turn, replay};
use policy::strictness::Strictness;
use policy::{Action, Engine, Facts, Question, SharingKind};

const BASE: [&str; 2] = ["R-OPEN", "R-DENY"];

/// Wards may query `ds:a`; nobody may have `ds:b`.
fn base() -> String {
    let mut rules =
        grant(BASE[0], "20", "gr:wards", "ds:a", "query", "allow").replace(" -, allow", " OB, allow");
    rules.push_str(&grant(BASE[1], "20", "*", "ds:b", "*", "deny"));
    rules
}

fn built(policy: &str) -> Engine {
    let reasons = |id: &str| {
        format!(
            r#""{id}": {{"legal_basis": {{"vi": "Điều 1", "en": "Art. 1", "mark": "M"}}, "text": {{"vi": "Không.", "en": "No."}}}}"#
        )
    };
    let denies: Vec<String> = policy
        .lines()
        .filter(|line| line.ends_with("deny"))
        .map(|line| reasons(line.split(", ").nth(1).unwrap()))
        .collect();
    let obligations = r#"{"OB": {"audit": 1, "rate_per_min": 60}, "STRICT": {"audit": 3, "rate_per_min": 6},
        "LOOSE": {"audit": 1}, "OTHER": {"audit": 3}}"#;
    let files = files(policy)
        .with("obligations.json", obligations)
        .with("reasons.json", format!("{{{}}}", denies.join(",")));
    engine(&files)
}

fn asked(subject: &str, of: &str) -> (Question, Facts) {
    let question = question(subject, Action::Query, of);
    (question, facts(party(&["gr:wards"]), dataset(1, SharingKind::Default)))
}

fn past() -> Vec<(Question, Facts)> {
    let mut all = vec![asked("ag:x", "ds:a"); 5];
    all.extend(vec![asked("ag:y", "ds:a"); 3]);
    all.extend(vec![asked("ag:x", "ds:b"); 2]);
    all.push(asked("ag:x", "ds:c"));
    all
}

fn of(draft: &str) -> Impact {
    replay(past().into_iter(), &built(&base()), &built(draft), &Replay::at(AskedAt::Recorded))
}

fn turned(impact: &Impact) -> Vec<(Turn, u64)> {
    impact.turned.iter().map(|(turn, count)| (*turn, *count)).collect()
}

#[test]
fn the_same_rules_change_nothing() {
    let impact = of(&base());
    assert_eq!((impact.replayed, impact.unchanged), (11, 11));
    assert!(impact.groups.is_empty() && impact.turned.is_empty() && impact.ungrouped.is_empty());
}

#[test]
fn a_permit_that_becomes_a_refusal_is_grouped_by_agency_and_ground() {
    let impact = of(&format!("{}{}", base(), grant("A-CUT", "20", "ag:x", "ds:a", "*", "deny")));
    assert_eq!(turned(&impact), [(Turn::Closed, 5)]);
    let [group] = impact.groups.as_slice() else { panic!("{:#?}", impact.groups) };
    assert_eq!((group.subject.as_str(), group.dataset.as_str(), group.count), ("ag:x", "ds:a", 5));
    assert_eq!(group.from.to_string(), "permit by R-OPEN");
    assert_eq!(group.to.to_string(), "refusal RULE-DENIES by A-CUT");
    assert_eq!(group.examples.iter().map(|example| example.position).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(impact.unchanged, 6);
}

#[test]
fn a_refusal_that_becomes_a_permit_is_shown_first() {
    let draft = format!(
        "{}{}{}",
        base(),
        grant("N-OPEN", "10", "*", "ds:b", "query", "allow"),
        grant("A-CUT", "20", "*", "ds:a", "*", "deny")
    );
    let impact = of(&draft);
    assert_eq!(turned(&impact), [(Turn::Opened, 2), (Turn::Closed, 8)]);
    let first = &impact.groups[0];
    assert_eq!(first.from.to_string(), "refusal RULE-DENIES by R-DENY");
    assert_eq!(first.to.to_string(), "permit by N-OPEN");
    assert!(first.turn.opens() && !impact.groups[1].turn.opens());
    assert_eq!(impact.groups[1].count, 5, "the most frequent of a turn comes first");
}

#[test]
fn obligations_that_change_are_told_with_their_direction_and_parts() {
    for (set, turn) in
        [("STRICT", Turn::Tightened), ("LOOSE", Turn::Loosened), ("OTHER", Turn::LoosenedInPart)]
    {
        let impact = of(&base().replace(" OB, allow", &format!(" {set}, allow")));
        assert_eq!(turned(&impact), [(turn, 8)], "{set}");
    }
    let impact = of(&base().replace(" OB, allow", " OTHER, allow"));
    let parts: Vec<_> =
        impact.groups[0].examples[0].obligations.iter().map(|p| (p.part.as_str(), p.strictness)).collect();
    assert_eq!(parts, [("audit", Strictness::Tighter), ("rate_per_min", Strictness::Looser)]);
}

#[test]
fn a_grant_meant_for_one_agency_shows_the_side_effect_it_has_on_another() {
    // Meant: let `ag:z` in, under strict obligations. Written for all wards, in the tier of the old grant: obligations
    // of all grants of the deciding tier are joined, so everybody's become stricter.
    let meant =
        grant("R-NEW", "20", "gr:wards", "*", "query", "allow").replace(" -, allow", " STRICT, allow");
    let impact = of(&format!("{}{meant}", base()));
    assert_eq!(turned(&impact), [(Turn::Opened, 1), (Turn::Tightened, 8)]);
    let side: Vec<_> =
        impact.groups[1..].iter().map(|group| (group.subject.as_str(), group.turn, group.count)).collect();
    assert_eq!(side, [("ag:x", Turn::Tightened, 5), ("ag:y", Turn::Tightened, 3)]);
}

#[test]
fn another_rule_or_reason_for_the_same_answer_is_told_apart_from_no_change() {
    let impact = of(&base().replace("R-OPEN", "R-SAME"));
    assert_eq!(turned(&impact), [(Turn::Regrounded, 8)]);
    let impact = of(&format!("{}{}", base(), grant("R-LAW", "00", "*", "ds:c", "*", "deny")));
    assert_eq!(turned(&impact), [(Turn::Regrounded, 1)]);
    assert_eq!(impact.groups[0].from.to_string(), "refusal NO-RULE");
}

#[test]
fn a_rule_that_begins_later_shows_its_effect_when_the_questions_are_asked_then() {
    let later = grant("R-LATER", "20", "*", "ds:c", "*", "allow").replace("2020-01-01", "2027-01-01");
    let draft = built(&format!("{}{later}", base()));
    let at = |at| replay(past().into_iter(), &built(&base()), &draft, &Replay::at(at));
    assert_eq!(turned(&at(AskedAt::Recorded)), []);
    assert_eq!(turned(&at(AskedAt::Second(NOW + 86_400 * 60))), [(Turn::Opened, 1)]);
}

#[test]
fn agreements_that_stood_stand_at_the_later_time_and_those_that_did_not_do_not() {
    let under = |standing: bool| {
        let (mut question, mut facts) = asked("ag:x", "ds:a");
        question.purpose = Some("pu:p".parse().unwrap());
        question.agreement = Some("agr:1".parse().unwrap());
        let mut agreement = agreement(&question, &["pu:p"]);
        if !standing {
            agreement.expires = question.now;
        }
        facts.agreement = Some(agreement);
        (question, facts)
    };
    let cut = built(&format!("{}{}", base(), grant("A-CUT", "20", "*", "ds:a", "*", "deny")));
    let late = Replay::at(AskedAt::Second(NOW + 86_400));
    let of = |standing| replay([under(standing)].into_iter(), &built(&base()), &cut, &late);
    assert_eq!(turned(&of(true)), [(Turn::Closed, 1)]);
    assert_eq!(turned(&of(false)), [], "both refuse: the agreement had ended");
}

#[test]
fn groups_are_bounded_for_each_turn_and_the_rest_is_counted() {
    let many = |of: &'static str| (0..50).map(move |n| asked(&format!("ag:n{n}"), of));
    let draft = format!(
        "{}{}{}",
        base(),
        grant("A-CUT", "20", "*", "ds:a", "*", "deny"),
        grant("N-OPEN", "10", "*", "ds:b", "query", "allow")
    );
    let how = Replay { groups: 10, ..Replay::at(AskedAt::Recorded) };
    let impact = replay(many("ds:a").chain(many("ds:b")), &built(&base()), &built(&draft), &how);
    assert_eq!(turned(&impact), [(Turn::Opened, 50), (Turn::Closed, 50)]);
    assert_eq!(impact.groups.len(), 20, "what comes late and opens is not crowded out");
    assert_eq!(impact.ungrouped.values().copied().collect::<Vec<_>>(), [40, 40]);
}
