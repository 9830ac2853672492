//! What is wrong with a rule set, one entry per problem, so that all can be mended in one go.

use serde::Serialize;

use crate::ids::shown;
use crate::limits::PROBLEMS_MAX;

/// Kinds of problems. The words are stable; editors and tests hold on to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum ProblemCode {
    /// A file that must be there is not.
    FileMissing,
    /// A file that has no place in a rule set.
    FileUnknown,
    /// The same file is there in two forms.
    FileTwice,
    /// A TOML file is no TOML, or a table has a key that it may not have, or lacks one.
    Table,
    /// A file is too large or cannot be read.
    FileUnreadable,
    /// A file is not UTF-8, has a byte order mark or a NUL.
    NotText,
    /// A model file is not the model of this version.
    ModelDiffers,
    /// A row of a section that does not exist.
    SectionUnknown,
    /// A row has too few or too many fields.
    FieldCount,
    /// A field is blank.
    FieldBlank,
    /// A name has a wrong prefix or a forbidden character.
    Name,
    /// A rule id is malformed.
    Id,
    /// An id stands twice.
    IdTwice,
    /// Not one of the four tiers.
    Tier,
    /// A condition of the last column is not known or malformed.
    When,
    /// Neither `allow` nor `deny`.
    Effect,
    /// Not an action.
    Action,
    /// Not a single digit, or an empty interval.
    Class,
    /// Not a time of the fixed form, or an empty interval.
    Time,
    /// The obligation set is not there.
    ObligationsUnknown,
    /// An obligation set is malformed or has a kind this node does not know.
    Obligations,
    /// A deny that obliges.
    DenyObliges,
    /// A duty without an obligation set, or one that denies.
    Duty,
    /// A link stands twice.
    LinkTwice,
    /// A name stands under itself or under too many others.
    LinkCircle,
    /// A reason is malformed.
    Reason,
    /// A deny without a reason.
    ReasonMissing,
    /// A reason for something that is not there.
    ReasonUnknown,
    /// A test case is malformed.
    Case,
    /// The test register is malformed.
    Registry,
    /// More rules or links than a rule set may have.
    TooMany,
    /// There is no grant at all.
    NoRules,
    /// `pack.toml`, `matrix.toml` or `holidays.toml` is malformed.
    Pack,
    /// A clause that nothing keeps.
    ClauseUnkept,
    /// A clause that nothing tests, or whose cases do not touch what it names.
    ClauseUntested,
    /// A clause names a rule or case that is not there.
    ClauseUnknown,
    /// A clause that is not kept as a whole and does not say what is left.
    ClauseNote,
    /// A rule that no clause asks for.
    RuleUnnamed,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which file.
    pub file: String,
    /// Which line, from 1; `None` when it is about the whole file.
    pub line: Option<u32>,
    /// Which rule or obligation set, where it has an id.
    pub rule: Option<String>,
    /// What kind.
    pub code: ProblemCode,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(file: &str, code: ProblemCode, message: impl Into<String>) -> Self {
        Self { file: shown(file), line: None, rule: None, code, message: message.into() }
    }

    pub(crate) fn at(file: &str, line: u32, code: ProblemCode, message: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::new(file, code, message) }
    }

    pub(crate) fn of(self, rule: &str) -> Self {
        Self { rule: Some(shown(rule)), ..self }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, " ({rule})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A rule set that was not loaded, with every problem found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the rule set is not loaded: {} problem(s); first: {}", problems.len() + unlisted, first_of(problems))]
pub struct LoadError {
    /// The problems, at most 500; never empty.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub unlisted: usize,
}

fn first_of(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, ToString::to_string)
}

impl LoadError {
    pub(crate) fn single(file: &str, message: &str) -> Self {
        Self { problems: vec![Problem::new(file, ProblemCode::FileUnreadable, message)], unlisted: 0 }
    }

    /// True when a problem of this kind was found.
    #[must_use]
    pub fn has(&self, code: ProblemCode) -> bool {
        self.problems.iter().any(|problem| problem.code == code)
    }
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    unlisted: usize,
}

impl Problems {
    pub fn add(&mut self, problem: Problem) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(problem);
        } else {
            self.unlisted += 1;
        }
    }

    /// Adds what another load found; a problem that is known already is not told twice.
    pub fn take(&mut self, error: LoadError) {
        for problem in error.problems {
            if !self.list.contains(&problem) {
                self.add(problem);
            }
        }
        self.unlisted += error.unlisted;
    }

    /// True when a problem of this kind was found.
    pub fn have(&self, code: ProblemCode) -> bool {
        self.list.iter().any(|problem| problem.code == code)
    }

    /// True when a problem was found in one of these files.
    pub fn have_in(&self, files: &[&str]) -> bool {
        self.list.iter().any(|problem| files.contains(&problem.file.as_str()))
    }

    pub fn into_result(self) -> Result<(), LoadError> {
        if self.list.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// Of at least one problem.
    pub fn into_error(self) -> LoadError {
        LoadError { problems: self.list, unlisted: self.unlisted }
    }
}
