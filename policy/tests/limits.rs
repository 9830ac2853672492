//! A rule set of any size is refused by name or served; none hangs. No clock is read here: what has no bound would not end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::fmt::Write;

use common::{dataset, engine, facts, files, party, question};
use policy::{Action, LoadError, ProblemCode, ReasonCode, RuleSet, SharingKind, limits};

/// The shortest rows there are, about one dataset each.
fn grants(count: usize) -> String {
    let mut text = String::with_capacity(count * 100);
    for id in 0..count {
        writeln!(text, "p,R{id},30,*,ds:{id},*,*,*,*,*,0,9,2020-01-01T00:00Z,9999-12-31T00:00Z,-,allow")
            .unwrap();
    }
    text
}

fn refusal(policy: &str) -> LoadError {
    RuleSet::from_files(&files(policy), 1).expect_err("a rule set past its limit was loaded")
}

#[test]
fn a_million_rules_are_refused_by_name() {
    let text = grants(1_000_000);
    assert!(text.len() > limits::FILE_BYTES_MAX, "no row is so short that a million would fit into the file");
    assert!(refusal(&text).has(ProblemCode::FileUnreadable));
}

#[test]
fn a_million_lines_of_any_kind_are_refused_by_name() {
    // Short enough to fit into the file: links, and rows that are too short.
    let links: String = (0..1_000_000).fold(String::new(), |mut text, id| {
        writeln!(text, "g,us:{id},gr:g").unwrap();
        text
    });
    assert!(links.len() < limits::FILE_BYTES_MAX);
    let error = refusal(&links);
    assert!(error.has(ProblemCode::TooMany), "{:?}", error.problems.first());
    let error = refusal(&"p,R\n".repeat(1_000_000));
    assert!(error.has(ProblemCode::FieldCount), "{:?}", error.problems.first());
    assert_eq!(error.problems.len(), limits::PROBLEMS_MAX, "and the rest is counted");
    assert!(error.unlisted > 900_000);
    // A million lines that say nothing are still a rule set.
    let comments = format!("{}{}", "#\n".repeat(1_000_000), grants(1));
    assert_eq!(RuleSet::from_files(&files(&comments), 1).unwrap().grants().len(), 1);
}

#[test]
fn as_many_rules_as_there_may_be_are_loaded_and_decide_and_one_more_is_refused() {
    let full = grants(limits::RULES_MAX);
    let engine = engine(&files(&full));
    let known = facts(party(&[]), dataset(1, SharingKind::Default));
    for id in [0, limits::RULES_MAX / 2, limits::RULES_MAX - 1] {
        let decision = engine.decide(&question("ag:a", Action::Query, &format!("ds:{id}")), &known);
        assert!(decision.is_permit());
        assert_eq!(decision.rule.unwrap().as_str(), format!("R{id}"));
    }
    let none = engine.decide(&question("ag:a", Action::Query, "ds:none"), &known);
    assert_eq!(none.refusal().unwrap().code(), ReasonCode::NoRule);
    let more = format!("{full}{}", grants(1).replace("R0", "MORE"));
    assert!(refusal(&more).has(ProblemCode::TooMany));
}

#[test]
fn links_that_would_grow_with_their_square_are_refused_by_name() {
    let link = |text: &mut String, from: usize, to: usize| writeln!(text, "g,gr:{from},gr:{to}").unwrap();
    // A chain so long that the ancestors of its names would be billions.
    let mut chain = grants(1);
    (0..20_000).for_each(|id| link(&mut chain, id, id + 1));
    // Names that are each under no more than they may be, and together under too many.
    let mut fan = grants(1);
    (0..900).for_each(|id| link(&mut fan, id, id + 1));
    (1_000..8_000).for_each(|id| link(&mut fan, id, 0));
    for text in [chain, fan] {
        let error = refusal(&text);
        assert!(error.has(ProblemCode::LinkCircle), "{:?}", error.problems.first());
        assert!(error.problems.iter().any(|problem| problem.message.contains("flatten")));
    }
}
