//! Whether a pack's matrix is whole: no clause without something that keeps it and a test that shows it, no rule that
//! no clause asks for.
//!
//! A case shows a clause only if it really touches what the clause names: it is decided, and the deciding rule, the
//! duties that applied and the code of the refusal are held against the clause.

use std::collections::{BTreeMap, BTreeSet};

use super::matrix::{Clause, ClauseState};
use crate::cases;
use crate::decision::Decision;
use crate::engine::Engine;
use crate::limits::{CLAUSE_NAMES_MAX, CLAUSES_MAX};
use crate::load::{Problem, ProblemCode, Problems, name};
use crate::rule_set::RuleSet;

/// Holds the clauses against the rules and their table.
pub(super) fn check(clauses: &[Clause], rules: &RuleSet, problems: &mut Problems) {
    if clauses.is_empty() || clauses.len() > CLAUSES_MAX {
        let message = format!("{} clauses: a matrix has 1 to {CLAUSES_MAX}", clauses.len());
        problems.add(Problem::new(name::MATRIX, ProblemCode::Pack, message));
        return;
    }
    let touched = touched(rules, problems);
    let known: BTreeSet<&str> = rules.grants().iter().chain(rules.duties()).map(|r| r.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    for clause in clauses {
        let add = &mut |code, message: String| {
            problems.add(Problem::new(name::MATRIX, code, message).of(clause.id.as_str()));
        };
        if !seen.insert(&clause.id) {
            add(
                ProblemCode::IdTwice,
                format!("the clause `{}` stands twice: give each its own id", clause.id),
            );
        }
        whole(clause, add);
        names(clause, &known, &touched, add);
    }
    unnamed(clauses, &known, problems);
}

/// What a clause must have at all.
fn whole(clause: &Clause, add: &mut impl FnMut(ProblemCode, String)) {
    let sizes = [clause.rules.len(), clause.cases.len(), clause.tests.len(), clause.evidence.len()];
    if sizes.iter().any(|size| *size > CLAUSE_NAMES_MAX) {
        add(ProblemCode::TooMany, format!("a clause names at most {CLAUSE_NAMES_MAX} of a kind: split it"));
    }
    let people = clause.state == ClauseState::LeftToPeople;
    if !people && !clause.is_kept_by_something() {
        let message = "nothing keeps this clause: name a rule, an invariant, a feature or a job of the clock, or say \
                       `state = \"left-to-people\"` with a note";
        add(ProblemCode::ClauseUnkept, message.to_owned());
    }
    if !people && clause.cases.is_empty() && clause.tests.is_empty() {
        let message = "nothing tests this clause: name a case of cases.json or a test of the program";
        add(ProblemCode::ClauseUntested, message.to_owned());
    }
    let by_program = !clause.features.is_empty() || !clause.clock.is_empty();
    if by_program && clause.tests.is_empty() {
        let message =
            "features and the clock are tested by the program: name its test as `path/file.rs::name`";
        add(ProblemCode::ClauseUntested, message.to_owned());
    }
    if clause.state != ClauseState::Kept && clause.note.is_none() {
        let message = "this clause is not kept as a whole: say in `note` what is left, to whom and why";
        add(ProblemCode::ClauseNote, message.to_owned());
    }
}

/// What a clause names must be there, and one of its cases must touch it.
fn names(
    clause: &Clause,
    known: &BTreeSet<&str>,
    touched: &BTreeMap<&str, BTreeSet<String>>,
    add: &mut impl FnMut(ProblemCode, String),
) {
    for rule in clause.rules.iter().filter(|rule| !known.contains(rule.as_str())) {
        add(ProblemCode::ClauseUnknown, format!("there is no rule or duty `{rule}` in this pack"));
    }
    for case in clause.cases.iter().filter(|case| !touched.contains_key(case.as_str())) {
        add(
            ProblemCode::ClauseUnknown,
            format!("there is no case `{}` in cases.json", crate::ids::shown(case)),
        );
    }
    let shown: BTreeSet<&String> =
        clause.cases.iter().filter_map(|case| touched.get(case.as_str())).flatten().collect();
    let wanted = clause.rules.iter().map(ToString::to_string);
    for what in wanted.chain(clause.invariants.iter().map(ToString::to_string)) {
        if !shown.contains(&what) {
            add(
                ProblemCode::ClauseUntested,
                format!("no case of this clause is decided by `{what}`: name one that is"),
            );
        }
    }
}

/// Every rule must be asked for by some clause.
fn unnamed(clauses: &[Clause], known: &BTreeSet<&str>, problems: &mut Problems) {
    let named: BTreeSet<&str> =
        clauses.iter().flat_map(|clause| &clause.rules).map(|rule| rule.as_str()).collect();
    for rule in known.difference(&named) {
        let message = format!("no clause of matrix.toml asks for `{rule}`: say which law it stands on");
        problems.add(Problem::new(name::MATRIX, ProblemCode::RuleUnnamed, message).of(rule));
    }
}

/// For each case, by name, what decided it: rules, duties, code of the refusal. Failing and doubled cases are told.
fn touched<'r>(rules: &'r RuleSet, problems: &mut Problems) -> BTreeMap<&'r str, BTreeSet<String>> {
    let mut tell = |message: String| problems.add(Problem::new(name::CASES, ProblemCode::Case, message));
    let mut touched = BTreeMap::new();
    let Some(registry) = rules.fixture() else {
        tell("a pack has cases.json and registry.json: its matrix stands on them".to_owned());
        return touched;
    };
    let engine = match Engine::new(rules.clone()) {
        Ok(engine) => engine,
        Err(error) => {
            tell(error.to_string());
            return touched;
        }
    };
    for failure in cases::run(&engine, rules.cases(), registry).failed {
        tell(format!("the case `{}` fails: {}", failure.name, failure.differs.join("; ")));
    }
    for case in rules.cases() {
        let decision = engine.decide(&case.question, &case.facts(registry));
        if touched.insert(case.name.as_str(), deciding(&decision)).is_some() {
            tell(format!("two cases are named `{}`: the matrix could mean either", case.name));
        }
    }
    touched
}

fn deciding(decision: &Decision) -> BTreeSet<String> {
    let rules = decision.matched.iter().chain(&decision.duties).map(ToString::to_string);
    let code = decision.refusal().map(|refusal| refusal.code().to_string());
    rules.chain(code).collect()
}
