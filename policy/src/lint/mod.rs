//! Lint: what can be told about a rule set without asking it anything.
//!
//! It holds rules against each other, against the law's standing refusals, against the clock, and against what the
//! node knows of datasets, parties and past questions ([`LintContext`]). A rule is a box, so "covers" is exact column
//! by column through the closure of the links: what it says of one rule covering another is sound. It is not
//! complete: a rule that several others cover only together is not seen, nor two groups that meet only in a member.
//!
//! It decides nothing and changes nothing, and a clean lint does not say that the rules are right; the test table
//! does that. Begin with [`lint`].

mod breadth;
mod catalog;
mod clock;
mod context;
mod cover;
mod finding;
mod misfit;
mod names;
mod never;
mod overlap;
mod personal;
mod reach;
mod survey;
mod unknown;
mod words;

pub use context::{KnownDataset, LintContext, Observed, SOON_DAYS, UNMATCHED_DAYS};
pub use finding::{Finding, FindingCode, LintReport, Severity};
pub use misfit::misfits;

use crate::limits::COMPARISONS_MAX;
use crate::rule_set::RuleSet;
use finding::said;
use reach::Reach;
use survey::Survey;

/// Looks a rule set over. Pure; its work is bounded by [`COMPARISONS_MAX`] comparisons of rules, and it says so when
/// that was not enough ([`FindingCode::Incomplete`]).
#[must_use]
pub fn lint(rules: &RuleSet, context: &LintContext) -> LintReport {
    lint_within(rules, context, COMPARISONS_MAX)
}

fn lint_within(rules: &RuleSet, context: &LintContext, comparisons: u64) -> LintReport {
    let mut survey = Survey::of(rules, context, comparisons);
    let reach = Reach::of(context, &survey.names);
    cover::grants(&mut survey);
    cover::duties(&mut survey);
    overlap::check(&mut survey);
    unknown::check(&mut survey);
    never::check(&mut survey);
    clock::check(&mut survey);
    words::check(&mut survey);
    catalog::check(&mut survey);
    misfit::check(&mut survey);
    breadth::check(&mut survey, &reach);
    personal::check(&mut survey, &reach);
    if !survey.is_complete() {
        survey.findings.add(incomplete());
    }
    survey.findings.report(|rule| context.places.get(rule).cloned())
}

fn incomplete() -> Finding {
    let text = said(
        "Quá nhiều quy tắc nói về cùng chủ thể, dữ liệu và mục đích, nên chưa so sánh hết: có thể còn quy tắc bị che mà chưa được nêu.",
        "Too many rules are about the same subject, dataset and purpose, so not all were compared: there may be covered rules that are not named.",
    );
    let todo = said(
        "Gộp các quy tắc giống nhau bằng nhóm (gr:, co:) hoặc mục đích rộng hơn.",
        "Merge like rules by groups (gr:, co:) or a broader purpose.",
    );
    Finding::new(FindingCode::Incomplete, Severity::Warning, text, todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lint_that_could_not_compare_everything_says_so() {
        let rules = RuleSet::builtin(1).unwrap();
        assert!(!lint_within(&rules, &LintContext::default(), 1_000).has(FindingCode::Incomplete));
        assert!(lint_within(&rules, &LintContext::default(), 3).has(FindingCode::Incomplete));
    }
}
