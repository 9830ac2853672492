//! Legal packs: a versioned folder of rules, tests, texts, public holidays, and the matrix from clause to rule to test
//! to evidence.
//!
//! A pack is where an agency's own rules begin, and what they are held against later ([`Pack::hold`]). Its folder is a
//! rule set as it stands; `pack.toml`, `matrix.toml` and `holidays.toml` come on top. Citations carry marks for how far
//! they were checked (P, S, M) until a lawyer has confirmed them; nothing in a pack is legal advice.
//!
//! What it is not: a rule set in force does not read the matrix, and a node does not fetch packs from anywhere.
//!
//! Begin with [`Pack::builtin`] or [`Pack::from_folder`].

mod about;
mod check;
mod hold;
mod matrix;
mod names;

use std::path::Path;

pub use about::{About, Threshold};
pub use hold::{Held, Standing};
pub use matrix::{Clause, ClauseState};
pub use names::{Clock, Evidence, Feature, TestName};

use crate::calendar::Calendar;
use crate::load::{Files, LoadError, Problem, ProblemCode, Problems, name};
use crate::rule_set::RuleSet;

/// Names of the packs that ship with the node.
pub const BUILTIN: [&str; 2] = ["vn", "eu"];

/// A loaded and checked pack.
#[derive(Debug, Clone)]
pub struct Pack {
    about: About,
    rules: RuleSet,
    clauses: Vec<Clause>,
    calendar: Option<Calendar>,
    files: Files,
}

impl Pack {
    /// A pack that ships with the node: `vn` or `eu`.
    ///
    /// # Errors
    /// [`LoadError`] for another name; never for these, as a test proves.
    pub fn builtin(name: &str) -> Result<Self, LoadError> {
        let Some(files) = crate::builtin::pack(name) else {
            let message =
                format!("there is no pack of this name in the program; there are {}", BUILTIN.join(", "));
            return Err(LoadError::single(name, &message));
        };
        Self::from_files(files)
    }

    /// Loads and checks a pack from a folder.
    ///
    /// # Errors
    /// [`LoadError`] with every problem found.
    pub fn from_folder(folder: &Path) -> Result<Self, LoadError> {
        Self::from_files(Files::read(folder)?)
    }

    /// Loads and checks a pack held in memory: its rules, and that every clause of its matrix has something that keeps
    /// it and something that tests it, and every rule a clause.
    ///
    /// # Errors
    /// [`LoadError`] with every problem found.
    pub fn from_files(files: Files) -> Result<Self, LoadError> {
        let mut problems = Problems::default();
        let about = read(&files, name::PACK, About::parse, &mut problems);
        let clauses = read(&files, name::MATRIX, matrix::parse, &mut problems);
        let offset = about.as_ref().and_then(|about| about.utc_offset_minutes);
        let calendar = match (files.get(name::HOLIDAYS).is_some(), offset) {
            (false, _) => None,
            (true, None) => {
                let message =
                    "holidays.toml needs `utc_offset_minutes` in pack.toml: where do its days begin?";
                problems.add(Problem::new(name::PACK, ProblemCode::Pack, message));
                None
            }
            (true, Some(offset)) => {
                let parse = |text: &str| Calendar::parse(text, offset).map_err(|e| e.to_string());
                read(&files, name::HOLIDAYS, parse, &mut problems)
            }
        };
        let version = about.as_ref().map_or(0, |about| u64::from(about.version));
        let rules = crate::load::rule_set(&files, version);
        let rules = match rules {
            Ok(rules) => Some(rules),
            Err(error) => {
                problems.take(error);
                None
            }
        };
        if let (Some(rules), Some(clauses)) = (&rules, &clauses) {
            check::check(clauses, rules, &mut problems);
        }
        match (about, rules, clauses) {
            (Some(about), Some(rules), Some(clauses)) => {
                problems.into_result()?;
                Ok(Self { about, rules, clauses, calendar, files })
            }
            _ => Err(problems
                .into_result()
                .err()
                .unwrap_or_else(|| LoadError::single(name::PACK, "the pack does not load"))),
        }
    }

    /// What it says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Its rule set.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Its matrix.
    #[must_use]
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Its working days, where it has `holidays.toml`.
    #[must_use]
    pub fn calendar(&self) -> Option<&Calendar> {
        self.calendar.as_ref()
    }

    /// The files that it was made of.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }
}

fn read<T>(
    files: &Files,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
    problems: &mut Problems,
) -> Option<T> {
    if files.get(name).is_none() {
        problems.add(Problem::new(name, ProblemCode::FileMissing, "a pack needs this file"));
        return None;
    }
    let text = files.text(name, problems)?;
    parse(text).map_err(|why| problems.add(Problem::new(name, ProblemCode::Pack, why))).ok()
}
