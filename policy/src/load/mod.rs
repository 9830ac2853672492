//! The strict loader: files in, a checked rule set out, or every problem by name.
//!
//! casbin has no schema: it drops unknown sections, takes short rows, ignores a misspelt deny and only fails (or
//! permits) at the first question. So nothing reaches it that has not passed here. What is not understood is refused;
//! all problems are reported, not the first.

mod convert;
mod files;
mod json;
mod problem;
mod rows;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

pub use convert::{Form, convert};
pub use files::Files;
pub use problem::{LoadError, Problem, ProblemCode};

use crate::closure::Closure;
use crate::ids::{ObligationSetId, RuleId};
use crate::invariants::Invariants;
use crate::judge::{DUTY_MODEL, DUTY_MODEL_1, GRANT_MODEL, GRANT_MODEL_1, meaning};
use crate::limits::{LINKS_MAX, RULES_MAX};
use crate::obligations::Obligations;
use crate::rule::{Link, Rule, RuleEffect};
use crate::rule_set::{Parts, Reason, RuleSet};
pub(crate) use problem::Problems;
use rows::{Placed, Rows, Section};

/// Names of the files of a rule set.
pub(crate) mod name {
    pub const GRANT_MODEL: &str = "grant.conf";
    pub const DUTY_MODEL: &str = "duty.conf";
    pub const POLICY: &str = "policy.csv";
    pub const DUTIES: &str = "duties.csv";
    /// The same as the two above in another form.
    pub const POLICY_TOML: &str = "policy.toml";
    pub const DUTIES_TOML: &str = "duties.toml";
    pub const OBLIGATIONS: &str = "obligations.json";
    pub const REASONS: &str = "reasons.json";
    pub const CASES: &str = "cases.json";
    pub const REGISTRY: &str = "registry.json";
    /// Which legal order the rules are for; of a pack also who it is.
    pub const PACK: &str = "pack.toml";
    /// Of a pack: clause, rule, test, evidence. A rule set does not read it.
    pub const MATRIX: &str = "matrix.toml";
    /// Of a pack: public holidays. A rule set does not read it.
    pub const HOLIDAYS: &str = "holidays.toml";
    /// For people; not read.
    pub const README: &str = "README.md";
}

/// Loads a rule set from its files.
pub(crate) fn rule_set(files: &Files, version: u64) -> Result<RuleSet, LoadError> {
    let mut problems = Problems::default();
    files.check_names(&mut problems);
    let policy = policy(files, &mut problems);
    let duties = duties(files, &mut problems);
    let plain = policy.rules.iter().chain(&duties.rules).all(|Placed { item, .. }| item.when.is_any());
    check_model(files, name::GRANT_MODEL, GRANT_MODEL, plain.then_some(GRANT_MODEL_1), &mut problems);
    check_model(files, name::DUTY_MODEL, DUTY_MODEL, plain.then_some(DUTY_MODEL_1), &mut problems);
    let obligations = json::obligations(files, &mut problems);
    let reasons = json::reasons(files, &mut problems);
    let cases = json::cases(files, &mut problems);
    let fixture = json::registry(files, &mut problems);
    let file = form_of(files, name::POLICY, name::POLICY_TOML);
    let sizes = [
        (file, "grants", policy.rules.len(), RULES_MAX),
        (form_of(files, name::DUTIES, name::DUTIES_TOML), "duties", duties.rules.len(), RULES_MAX),
        (file, "links", policy.links.len(), LINKS_MAX),
    ];
    check_sizes(sizes, &mut problems);
    if problems.have(ProblemCode::TooMany) {
        // To compare millions of rows with each other would take long, and tell nothing that matters more.
        return Err(problems.into_error());
    }
    check_ids(&policy.rules, &duties.rules, &mut problems);
    // What follows from a file that could not be read is not told beside it.
    if !problems.have_in(&[name::OBLIGATIONS]) {
        check_obligations(&policy.rules, &duties.rules, &obligations, &mut problems);
    }
    if !problems.have_in(&[file, form_of(files, name::DUTIES, name::DUTIES_TOML)]) {
        check_reasons(&policy.rules, &duties.rules, reasons.as_ref(), &mut problems);
    }
    let closure = closure_of(&policy.links, file, &mut problems);
    let invariants = invariants(files, &mut problems);
    problems.into_result()?;
    let parts = Parts {
        grants: rules_of(policy.rules),
        duties: rules_of(duties.rules),
        links: policy.links.into_iter().map(|placed| placed.item).collect(),
        obligations,
        reasons: reasons.unwrap_or_default(),
        closure,
        cases,
        fixture,
        invariants,
    };
    RuleSet::assemble(parts, version)
        .map_err(|error| LoadError::single(name::OBLIGATIONS, &error.to_string()))
}

/// The legal order that `pack.toml` names; the usual one without it.
fn invariants(files: &Files, problems: &mut Problems) -> Invariants {
    let Some(text) = files.text(name::PACK, problems) else { return Invariants::default() };
    match crate::pack::About::parse(text) {
        Ok(about) => about.invariants,
        Err(why) => {
            problems.add(Problem::new(name::PACK, ProblemCode::Pack, why));
            Invariants::default()
        }
    }
}

/// The name of a file in the form in which it is there.
fn form_of(files: &Files, csv: &'static str, toml: &'static str) -> &'static str {
    if files.get(toml).is_some() { toml } else { csv }
}

/// Grants and links, in whichever form they are there.
fn policy(files: &Files, problems: &mut Problems) -> Rows {
    if files.get(name::POLICY_TOML).is_some() {
        return tables::policy(files, problems);
    }
    rows::read(files, name::POLICY, Section::POLICY, problems)
}

/// Duties, in whichever form they are there.
fn duties(files: &Files, problems: &mut Problems) -> Rows {
    if files.get(name::DUTIES_TOML).is_some() {
        return tables::duties(files, problems);
    }
    rows::read(files, name::DUTIES, Section::DUTIES, problems)
}

fn rules_of(placed: Vec<Placed<Rule>>) -> Vec<Rule> {
    placed.into_iter().map(|placed| placed.item).collect()
}

/// The model is fixed: a folder may carry it for readers, but only in the very words of this crate, or in `earlier` ones
/// that mean the same for its rules.
fn check_model(files: &Files, file: &'static str, own: &str, earlier: Option<&str>, problems: &mut Problems) {
    let Some(text) = files.text(file, problems) else { return };
    let is = |model: &str| meaning(text).eq(meaning(model));
    if !is(own) && !earlier.is_some_and(is) {
        let message = "this is not the model that this version knows: delete the file or take it from the documentation";
        problems.add(Problem::new(file, ProblemCode::ModelDiffers, message));
    }
}

fn check_sizes(sizes: [(&'static str, &str, usize, usize); 3], problems: &mut Problems) {
    for (file, what, size, max) in sizes {
        if size > max {
            let message = format!("{size} {what}, at most {max} are allowed: split the rule set");
            problems.add(Problem::new(file, ProblemCode::TooMany, message));
        }
        if what == "grants" && size == 0 && !problems.have_in(&[file]) {
            let message = "there is no grant: a rule set that permits nothing is not loaded by accident; write one rule";
            problems.add(Problem::new(file, ProblemCode::NoRules, message));
        }
    }
}

fn check_ids(grants: &[Placed<Rule>], duties: &[Placed<Rule>], problems: &mut Problems) {
    let mut seen: BTreeSet<&RuleId> = BTreeSet::new();
    for rules in [grants, duties] {
        for Placed { file, line, item: rule } in rules {
            if !seen.insert(&rule.id) {
                let message = format!("the id `{}` stands twice: give each rule and duty its own", rule.id);
                problems.add(Problem::at(file, *line, ProblemCode::IdTwice, message).of(rule.id.as_str()));
            }
        }
    }
}

fn check_obligations(
    grants: &[Placed<Rule>],
    duties: &[Placed<Rule>],
    sets: &BTreeMap<ObligationSetId, Obligations>,
    problems: &mut Problems,
) {
    for rules in [grants, duties] {
        for Placed { file, line, item: rule } in rules {
            let found = match (&rule.obligations, rule.effect) {
                (Some(_), RuleEffect::Deny) => {
                    Some((ProblemCode::DenyObliges, "a deny cannot oblige to anything: write `-`".to_owned()))
                }
                (Some(set), RuleEffect::Allow) if !sets.contains_key(set) => Some((
                    ProblemCode::ObligationsUnknown,
                    format!(
                        "there is no obligation set `{set}`: add it to obligations.json or correct the name"
                    ),
                )),
                _ => None,
            };
            if let Some((code, message)) = found {
                problems.add(Problem::at(file, *line, code, message).of(rule.id.as_str()));
            }
        }
    }
}

/// Where a rule set gives reasons at all, each deny needs one (Decree 194/2025, Art. 16(2)), and none may be for a
/// rule that is not there.
fn check_reasons(
    grants: &[Placed<Rule>],
    duties: &[Placed<Rule>],
    reasons: Option<&BTreeMap<String, Reason>>,
    problems: &mut Problems,
) {
    let Some(reasons) = reasons else { return };
    for Placed { file, line, item: rule } in grants {
        if rule.effect == RuleEffect::Deny && !reasons.contains_key(rule.id.as_str()) {
            let message = format!(
                "`{}` denies without a reason: give its legal basis and words in reasons.json",
                rule.id
            );
            problems.add(Problem::at(file, *line, ProblemCode::ReasonMissing, message).of(rule.id.as_str()));
        }
    }
    let known: BTreeSet<&str> = grants.iter().chain(duties).map(|placed| placed.item.id.as_str()).collect();
    for key in reasons.keys() {
        if !known.contains(key.as_str()) && key != crate::ReasonCode::NoRule.as_str() {
            let message =
                format!("`{key}` is neither a rule of this set nor `NO-RULE`: correct or remove it");
            problems.add(Problem::new(name::REASONS, ProblemCode::ReasonUnknown, message));
        }
    }
}

fn closure_of(links: &[Placed<Link>], in_file: &str, problems: &mut Problems) -> Closure {
    let mut seen = BTreeSet::new();
    for Placed { file, line, item: link } in links {
        if !seen.insert(link) {
            let message = format!("the link `{}` to `{}` stands twice: keep one", link.from, link.to);
            problems.add(Problem::at(file, *line, ProblemCode::LinkTwice, message));
        }
    }
    let plain: Vec<Link> = links.iter().map(|placed| placed.item.clone()).collect();
    Closure::of(&plain).unwrap_or_else(|errors| {
        for error in errors {
            problems.add(Problem::new(in_file, ProblemCode::LinkCircle, error.to_string()));
        }
        Closure::default()
    })
}
