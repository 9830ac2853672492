//! What lint has to say about a rule set: one entry per matter, with what to do about it.

use serde::Serialize;

use crate::ids::RuleId;
use crate::limits::{FINDING_OTHERS_MAX, FINDINGS_MAX};
use crate::text::Text;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The rule set does not do what it says, or says what the law does not allow.
    Error,
    /// Look at it before the rule set is put in force.
    Warning,
    /// Good to know.
    Note,
}

/// Kinds of findings. The words are stable: editors, scripts and tests hold on to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum FindingCode {
    /// A name that nothing defines.
    UnknownName,
    /// A rule that can match nothing.
    Blank,
    /// A rule that is never heard: the law refuses first, or a more authoritative rule of the same effect decides.
    Unreachable,
    /// A rule that is never heard because a rule that says the opposite covers it.
    Shadowed,
    /// A rule whose removal would change nothing.
    Redundant,
    /// An allow and a deny of the same tier that meet: the deny wins there.
    Overlap,
    /// A deny that a more authoritative allow overrules in part.
    Overruled,
    /// A rule that has not matched for long.
    NeverMatched,
    /// A grant up to a class above that of its dataset.
    WideClass,
    /// A grant without a named dataset that reaches special or sensitive data.
    Broad,
    /// A grant on personal data for any purpose.
    NoPurpose,
    /// A grant on personal data on any legal basis or none.
    NoBasis,
    /// A grant on personal data without a citation.
    NoCitation,
    /// A grant on personal data without a time after which it is deleted.
    NoRetention,
    /// A grant on personal data without an end.
    NoEnd,
    /// A rule whose time is over.
    Expired,
    /// A rule whose time is over soon.
    ExpiresSoon,
    /// A grant that does not say what people gain.
    NoBenefit,
    /// A deny without reason and legal basis.
    DenyUngrounded,
    /// A grant to parties abroad without an agreement that a dossier could be filed for.
    Abroad,
    /// A link that contradicts the catalog record of a dataset: each question about it is refused.
    RecordConflict,
    /// A dataset with more persons than its class under the law on data allows.
    ClassCount,
    /// An agency that cannot read back the data that it answers for.
    NoReadBack,
    /// An obligation set that no rule uses.
    UnusedObligations,
    /// Obligations that do not fit the columns of the data: nothing leaves.
    Misfit,
    /// There was more to compare than one run compares.
    Incomplete,
}

impl FindingCode {
    /// All codes.
    pub const ALL: [Self; 26] = [
        Self::UnknownName,
        Self::Blank,
        Self::Unreachable,
        Self::Shadowed,
        Self::Redundant,
        Self::Overlap,
        Self::Overruled,
        Self::NeverMatched,
        Self::WideClass,
        Self::Broad,
        Self::NoPurpose,
        Self::NoBasis,
        Self::NoCitation,
        Self::NoRetention,
        Self::NoEnd,
        Self::Expired,
        Self::ExpiresSoon,
        Self::NoBenefit,
        Self::DenyUngrounded,
        Self::Abroad,
        Self::RecordConflict,
        Self::ClassCount,
        Self::NoReadBack,
        Self::UnusedObligations,
        Self::Misfit,
        Self::Incomplete,
    ];
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// The rule or duty that it is about.
    pub rule: Option<RuleId>,
    /// Other rules that are part of it, at most 5.
    pub other: Vec<RuleId>,
    /// The file the rule stands in, where known.
    pub file: Option<String>,
    /// The line it stands on, from 1, where known.
    pub line: Option<u32>,
    /// What is so.
    pub text: Text,
    /// What to do.
    pub what_to_do: Text,
}

impl Finding {
    pub(super) fn new(code: FindingCode, severity: Severity, text: Text, what_to_do: Text) -> Self {
        Self { code, severity, rule: None, other: Vec::new(), file: None, line: None, text, what_to_do }
    }

    pub(super) fn of(self, rule: &RuleId) -> Self {
        Self { rule: Some(rule.clone()), ..self }
    }

    pub(super) fn with<'r>(self, other: impl IntoIterator<Item = &'r RuleId>) -> Self {
        Self { other: other.into_iter().take(FINDING_OTHERS_MAX).cloned().collect(), ..self }
    }
}

/// A text made of own words and of names that the loader has checked, so it is neither blank nor too long.
pub(super) fn said(vi: impl Into<String>, en: impl Into<String>) -> Text {
    const LOST: Text = Text::fixed("Không viết được lời giải thích.", "The words could not be written.");
    Text::new(vi, en).unwrap_or(LOST)
}

/// What lint found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// The findings, errors first, at most 1000.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: usize,
    /// Errors, listed or not.
    pub errors: usize,
    /// Warnings, listed or not.
    pub warnings: usize,
    /// Notes, listed or not.
    pub notes: usize,
}

impl LintReport {
    /// True when a finding of this kind is listed.
    #[must_use]
    pub fn has(&self, code: FindingCode) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }
}

/// Findings as they are made. Each severity has its own room, so that notes never push out an error.
#[derive(Debug, Default)]
pub(super) struct Findings {
    room: [Vec<Finding>; 3],
    count: [usize; 3],
}

impl Findings {
    pub fn add(&mut self, finding: Finding) {
        let (Some(room), Some(count)) =
            (self.room.get_mut(finding.severity as usize), self.count.get_mut(finding.severity as usize))
        else {
            return;
        };
        *count += 1;
        if room.len() < FINDINGS_MAX {
            room.push(finding);
        }
    }

    pub fn report(self, place: impl Fn(&RuleId) -> Option<(String, u32)>) -> LintReport {
        let [errors, warnings, notes] = self.count;
        let mut findings: Vec<Finding> = Vec::new();
        for mut room in self.room {
            room.sort_by(|a, b| (a.code, &a.rule).cmp(&(b.code, &b.rule)));
            findings.append(&mut room);
        }
        findings.truncate(FINDINGS_MAX);
        for finding in &mut findings {
            (finding.file, finding.line) = finding.rule.as_ref().and_then(&place).unzip();
        }
        LintReport { unlisted: errors + warnings + notes - findings.len(), findings, errors, warnings, notes }
    }
}
