//! Differences of rule sets, and the claims about which way they turn answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::collections::BTreeMap;

use common::draft::{Draft, OBLIGATIONS, rules};
use common::{Dice, agreement, dataset, facts, grant, party, question};
use policy::diff::{Change, Diff, How, Item, diff};
use policy::strictness::Strictness;
use policy::{
    Action, Bearing, Class, Decision, Engine, Facts, Obligations, Personal, Question, RuleColumn, RuleSet,
    SharingKind,
};

fn between(old: &str, new: &str) -> Diff {
    diff(&rules(old, "", OBLIGATIONS), &rules(new, "", OBLIGATIONS))
}

fn only(diff: &Diff) -> &Change {
    let [change] = diff.changes.as_slice() else { panic!("{:#?}", diff.changes) };
    change
}

fn base() -> String {
    grant("R-1", "20", "gr:wards", "ds:a", "query", "allow").replace(" -, allow", " OB, allow")
}

#[test]
fn order_comments_and_the_same_content_are_no_difference() {
    let more = grant("R-2", "20", "*", "ds:b", "*", "allow");
    let diff = between(&format!("{}{more}", base()), &format!("# said otherwise\n{more}{}", base()));
    assert!(diff.changes.is_empty());
    assert_eq!((diff.bearing, diff.from.sha256), (Bearing::Neutral, diff.to.sha256));
}

#[test]
fn a_change_names_each_column_with_both_contents() {
    let to =
        base().replace("0, 9", "0, 3").replace("*, *, *, *", "pu:p, *, +, *").replace(" OB,", " STRICT,");
    let diff = between(&base(), &to);
    let change = only(&diff);
    assert_eq!((change.item, change.how, change.id.as_str()), (Item::Grant, How::Changed, "R-1"));
    let columns: BTreeMap<_, _> = change.columns.iter().map(|c| (c.column, c.to.clone().unwrap())).collect();
    let wanted = [
        (RuleColumn::Purpose, "pu:p"),
        (RuleColumn::Basis, "+"),
        (RuleColumn::Class, "0–3"),
        (RuleColumn::Obligations, "STRICT"),
    ];
    assert_eq!(columns, wanted.map(|(column, text)| (column, text.to_owned())).into());
    assert_eq!(change.bearing, Bearing::Closes);
    assert_eq!(
        change.en(),
        "changed grant R-1: purpose * → pu:p; legal basis * → +; class 0–9 → 0–3; obligations OB → STRICT; audit 1 → 2; rate_per_min - → 6"
    );
    assert!(change.vi().starts_with("sửa quy tắc R-1: mục đích * → pu:p"), "{}", change.vi());
}

#[test]
fn every_column_of_a_rule_is_compared() {
    let open = "p, R, 20, *, *, *, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";
    let last = |conditions: &str| open.replace(", allow", &format!(", allow, {conditions}"));
    let narrower = [
        (RuleColumn::Subject, open.replacen("*, *", "gr:x, *", 1)),
        (RuleColumn::Object, open.replacen("*, *", "*, co:x", 1)),
        (RuleColumn::Action, open.replacen("*, *, *", "*, *, call", 1)),
        (RuleColumn::Purpose, open.replacen("*, *, *, *", "*, *, *, pu:x", 1)),
        (RuleColumn::Agreement, open.replacen("*, *, *, *, *", "*, *, *, *, +", 1)),
        (RuleColumn::Basis, open.replacen("*, *, *, *, *, *", "*, *, *, *, *, -", 1)),
        (RuleColumn::Network, open.replacen("*, *, *, *, *, *, *", "*, *, *, *, *, *, net:x", 1)),
        (RuleColumn::Class, open.replacen("0, 9", "1, 9", 1)),
        (RuleColumn::Time, open.replacen("2020-", "2021-", 1)),
        (RuleColumn::Unit, last("unit=un:x")),
        (RuleColumn::Role, last("role=ro:x")),
        (RuleColumn::Clearance, last("clearance=2-9")),
        (RuleColumn::Place, last("place=pl:x")),
        (RuleColumn::Route, last("route=via:x")),
    ];
    for (column, narrow) in &narrower {
        let closing = between(open, narrow);
        assert_eq!(only(&closing).columns.iter().map(|c| c.column).collect::<Vec<_>>(), [*column]);
        assert_eq!(closing.bearing, Bearing::Closes, "{column:?}");
        assert_eq!(between(narrow, open).bearing, Bearing::Opens, "{column:?}");
    }
    let moved = between(open, &open.replace(" 20,", " 30,"));
    assert_eq!(only(&moved).columns[0].column, RuleColumn::Tier);
    let turned = between(open, &open.replace("allow", "deny"));
    assert_eq!(turned.bearing, Bearing::Closes);
    assert!(turned.changes.iter().any(|change| change.item == Item::Reason && change.how == How::Added));
}

#[test]
fn grants_and_denies_open_and_close() {
    let deny = grant("D-1", "20", "*", "ds:b", "*", "deny");
    let allow = grant("A-1", "20", "*", "ds:b", "*", "allow");
    assert_eq!(between(&base(), &format!("{}{deny}", base())).bearing, Bearing::Closes);
    assert_eq!(between(&format!("{}{deny}", base()), &base()).bearing, Bearing::Opens);
    assert_eq!(between(&base(), &format!("{}{allow}", base())).bearing, Bearing::Opens);
    let added = between(&base(), &format!("{}{allow}", base()));
    let [when] =
        only(&added).columns.iter().filter(|c| c.column == RuleColumn::Object).collect::<Vec<_>>()[..]
    else {
        panic!("{added:#?}")
    };
    assert_eq!((when.from.as_deref(), when.to.as_deref()), (None, Some("ds:b")));
}

#[test]
fn a_grant_that_joins_others_in_its_tier_may_close_too() {
    let strict = grant("A-1", "20", "*", "*", "*", "allow").replace(" -, allow", " STRICT, allow");
    assert_eq!(between(&base(), &format!("{}{strict}", base())).bearing, Bearing::CannotTell);
    // On another dataset they never meet.
    let apart = strict.replace("*, *, *, *", "*, ds:b, *, *");
    assert_eq!(between(&base(), &format!("{}{apart}", base())).bearing, Bearing::Opens);
}

#[test]
fn purposes_meet_where_one_stands_under_both() {
    let of = |purpose: &str| base().replacen("query, *", &format!("query, {purpose}"), 1);
    let strict = of("pu:r").replace("R-1", "R-2").replace(" OB,", " STRICT,");
    let (old, new) = (of("pu:q"), format!("{}{strict}", of("pu:q")));
    assert_eq!(between(&old, &new).bearing, Bearing::Opens);
    let links = "g3, pu:p, pu:q\ng3, pu:p, pu:r\n";
    assert_eq!(between(&format!("{links}{old}"), &format!("{links}{new}")).bearing, Bearing::CannotTell);
}

#[test]
fn a_grant_that_takes_over_from_an_emergency_may_close() {
    let emergency = grant("N-1", "10", "*", "ds:a", "query", "allow")
        .replacen("query, *, *, *", "query, *, *, bas:emergency", 1)
        .replace("9999-12-31", "2027-06-01");
    let more = grant("L-1", "00", "*", "ds:a", "query", "allow");
    let (old, new) = (rules(&emergency, "", "{}"), rules(&format!("{emergency}{more}"), "", "{}"));
    assert_eq!(diff(&old, &new).bearing, Bearing::CannotTell);
    let mut asked = question("ag:x", Action::Query, "ds:a");
    asked.basis = Some("bas:emergency".parse().unwrap());
    let facts = facts(party(&[]), dataset(1, SharingKind::Special));
    let permits = |rules: &RuleSet| Engine::new(rules.clone()).unwrap().decide(&asked, &facts).is_permit();
    assert_eq!((permits(&old), permits(&new)), (true, false), "the claim is about something real");
}

#[test]
fn links_reach_as_far_as_the_rules_that_name_what_is_above() {
    let link = |text: &str| format!("{text}{}", base());
    assert_eq!(between(&base(), &link("g, ag:x, gr:wards\n")).bearing, Bearing::Opens);
    assert_eq!(between(&base(), &link("g, ag:x, gr:unnamed\n")).bearing, Bearing::Neutral);
    assert_eq!(between(&link("g, ag:x, gr:wards\n"), &base()).bearing, Bearing::Closes);
    let denied = format!("{}{}", base(), grant("D", "00", "gr:bad", "*", "*", "deny"));
    assert_eq!(between(&denied, &format!("g, ag:x, gr:bad\n{denied}")).bearing, Bearing::Closes);
    let diff = between(&base(), &link("g, ag:x, gr:wards\n"));
    assert_eq!(only(&diff).en(), "added link g: ag:x → gr:wards");
}

#[test]
fn obligation_sets_are_compared_part_by_part_and_bear_only_where_they_are_used() {
    let with = |obligations: &str| rules(&base(), "", obligations);
    let old = with(r#"{"OB": {"audit": 1}, "SPARE": {"audit": 1}}"#);
    for (new, bearing) in [
        (r#"{"OB": {"audit": 2}, "SPARE": {"audit": 1}}"#, Bearing::Closes),
        (r#"{"OB": {}, "SPARE": {"audit": 1}}"#, Bearing::Opens),
        (r#"{"OB": {"watermark": true}, "SPARE": {"audit": 1}}"#, Bearing::CannotTell),
        (r#"{"OB": {"audit": 1}, "SPARE": {}}"#, Bearing::Neutral),
        (r#"{"OB": {"audit": 1}}"#, Bearing::Neutral),
    ] {
        let diff = diff(&old, &with(new));
        assert_eq!((only(&diff).item, diff.bearing), (Item::Obligations, bearing), "{new}");
    }
    let diff = diff(&old, &with(r#"{"OB": {"audit": 2}, "SPARE": {"audit": 1}}"#));
    assert_eq!(only(&diff).obligations[0].strictness, Strictness::Tighter);
}

#[test]
fn duties_only_close_when_they_come_and_open_when_they_go() {
    let duty = "p, DU-1, 20, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow\n";
    let (without, with) = (rules(&base(), "", OBLIGATIONS), rules(&base(), duty, OBLIGATIONS));
    assert_eq!(diff(&without, &with).bearing, Bearing::Closes);
    assert_eq!(diff(&with, &without).bearing, Bearing::Opens);
    assert_eq!(only(&diff(&without, &with)).item, Item::Duty);
}

fn random_question(dice: &mut Dice) -> (Question, Facts) {
    let action = *dice.pick(&[Action::Query, Action::Download, Action::Discover]);
    let mut asked =
        question(dice.pick::<&str>(&["ag:x", "ag:y"]), action, dice.pick::<&str>(&["ds:a", "ds:b"]));
    asked.purpose = dice.pick(&[None, Some("pu:p"), Some("pu:q"), Some("pu:r")]).map(|p| p.parse().unwrap());
    asked.basis =
        dice.pick(&[None, Some("bas:law"), Some("bas:emergency")]).map(|basis| basis.parse().unwrap());
    asked.role = dice.pick(&[None, Some("ro:doctor")]).map(|role| role.parse().unwrap());
    asked.place = dice.pick(&[None, Some("pl:ward"), Some("pl:hanoi")]).map(|place| place.parse().unwrap());
    asked.clearance = Class::new(*dice.pick(&[0, 3])).unwrap();
    let kind = *dice.pick(&[SharingKind::Default, SharingKind::Default, SharingKind::Special]);
    let mut record = dataset(*dice.pick(&[1, 3]), kind);
    record.personal = *dice.pick(&[Personal::None, Personal::Basic]);
    let mut facts = facts(party(dice.pick::<&[&str]>(&[&[], &["gr:a"], &["gr:b"]])), record);
    if dice.chance(2) {
        asked.agreement = Some("agr:1".parse().unwrap());
        facts.agreement = Some(agreement(&asked, &[*dice.pick(&["pu:p", "pu:q"])]));
    }
    (asked, facts)
}

fn opens(before: &Decision, after: &Decision) -> bool {
    match (before.obligations(), after.obligations()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => !Obligations::at_least(after, before),
    }
}

/// The claims are held against thousands of questions: what "closes" never opens, what "opens" never closes.
#[test]
fn a_claim_about_a_change_holds_for_every_question() {
    let mut dice = Dice(0x7261_6d31);
    let (mut claims, mut seen) = (BTreeMap::<Bearing, u32>::new(), BTreeMap::<(Bearing, bool), u32>::new());
    for round in 0..700 {
        let old = Draft::random(&mut dice);
        let mut new = old.clone();
        (0..1 + dice.below(2)).for_each(|_| new.change(&mut dice));
        if new == old {
            continue;
        }
        let (old, new) = (Engine::new(old.rules()).unwrap(), Engine::new(new.rules()).unwrap());
        let diff = diff(old.rule_set(), new.rule_set());
        *claims.entry(diff.bearing).or_default() += 1;
        for _ in 0..80 {
            let (asked, facts) = random_question(&mut dice);
            let (before, after) = (old.decide(&asked, &facts), new.decide(&asked, &facts));
            let told = || format!("round {round}\n{diff:#?}\n{asked:#?}\n{before:#?}\n{after:#?}");
            let (opened, closed) = (opens(&before, &after), opens(&after, &before));
            assert!(!opened || diff.bearing.may_open(), "it opens, but: {}", told());
            assert!(!closed || diff.bearing.may_close(), "it closes, but: {}", told());
            if opened || closed {
                *seen.entry((diff.bearing, opened)).or_default() += 1;
            }
        }
    }
    for bearing in [Bearing::Closes, Bearing::Opens, Bearing::CannotTell] {
        assert!(claims.get(&bearing).is_some_and(|count| *count > 50), "{bearing:?} is too rare: {claims:?}");
    }
    // Something did happen under each claim, or the claims were never tried.
    assert!(seen.get(&(Bearing::Closes, false)).is_some_and(|count| *count > 50), "{seen:?}");
    assert!(seen.get(&(Bearing::Opens, true)).is_some_and(|count| *count > 50), "{seen:?}");
}

#[test]
fn another_legal_order_is_a_change_of_which_nobody_can_tell_where_it_leads() {
    let about = include_str!("../packs/eu/pack.toml");
    let plain = common::files(&base());
    let (vn, eu) = (plain.clone(), plain.with("pack.toml", about));
    let load = |files| RuleSet::from_files(&files, 1).unwrap();
    let diff = diff(&load(vn), &load(eu));
    let change = only(&diff);
    assert_eq!(
        (change.item, change.how, change.id.as_str()),
        (Item::LegalOrder, How::Changed, "vn/1 → eu/1")
    );
    assert_eq!(diff.bearing, Bearing::CannotTell);
    assert!(change.vi().contains("khung pháp luật") && change.en().contains("legal order"));
}
