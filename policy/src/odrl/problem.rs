//! What of an ODRL text is not taken, where it stands, and what it is called.

use serde::Serialize;

use crate::ids::shown;
use crate::limits::PROBLEMS_MAX;

/// Kinds of problems. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum OdrlCode {
    /// Not JSON, a key twice, or not of the form that is due.
    Malformed,
    /// Larger, deeper or longer than what is taken.
    Limit,
    /// Not a policy, or an unknown kind of node.
    Type,
    /// A profile that is not known.
    Profile,
    /// `conflict` is absent (ODRL then voids the whole policy on a conflict), `perm` or `invalid`.
    Conflict,
    /// `xone` or `andSequence`.
    Logic,
    /// `inheritFrom`: rules that stand elsewhere.
    Inherit,
    /// `remedy`, `consequence` or `failure`: what is to happen after a breach.
    Consequence,
    /// A left operand that is not known.
    Operand,
    /// An operator that the operand does not take.
    Operator,
    /// A right operand that the operand does not take.
    Value,
    /// An action that is not known.
    Action,
    /// A property that is not known.
    Property,
    /// The same thing is said twice.
    Twice,
    /// The tier is not one of the four.
    Tier,
    /// Duties do not agree with the obligation set that they are said to be: something was weakened or added.
    Duty,
    /// What was read is no rule set; the loader says why.
    RuleSet,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OdrlProblem {
    /// Where: a JSON pointer.
    pub at: String,
    /// What kind.
    pub code: OdrlCode,
    /// The name of what is not taken.
    pub term: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for OdrlProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = if self.at.is_empty() { "/" } else { &self.at };
        write!(f, "{at}: `{}`: {}", self.term, self.message)
    }
}

/// An ODRL text that was not taken, with every problem found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the ODRL is not taken: {} problem(s); first: {}", problems.len() + unlisted, first_of(problems))]
pub struct OdrlError {
    /// The problems, at most 500; never empty.
    pub problems: Vec<OdrlProblem>,
    /// How many more there are.
    pub unlisted: usize,
}

fn first_of(problems: &[OdrlProblem]) -> String {
    problems.first().map_or_else(String::new, ToString::to_string)
}

impl OdrlError {
    /// True when a problem of this kind was found.
    #[must_use]
    pub fn has(&self, code: OdrlCode) -> bool {
        self.problems.iter().any(|problem| problem.code == code)
    }
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<OdrlProblem>,
    unlisted: usize,
}

impl Problems {
    pub fn add(&mut self, at: &str, code: OdrlCode, term: &str, message: impl Into<String>) {
        if self.list.len() < PROBLEMS_MAX {
            let (at, term) = (shown_pointer(at), shown(term));
            self.list.push(OdrlProblem { at, code, term, message: message.into() });
        } else {
            self.unlisted += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn into_result(self) -> Result<(), OdrlError> {
        if self.list.is_empty() {
            return Ok(());
        }
        Err(OdrlError { problems: self.list, unlisted: self.unlisted })
    }
}

/// Keys of the input stand in pointers, so these are made printable as well.
fn shown_pointer(at: &str) -> String {
    at.chars().take(240).flat_map(char::escape_debug).collect()
}
