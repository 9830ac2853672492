//! A model of casbin cut down to the columns that some rules use.
//!
//! casbin's cost is by the column: each is copied for each rule and looked up by name. A column that every rule at hand
//! leaves open (`*`, or the whole range of classes) makes its part of the matcher true whatever is asked, so casbin may be
//! asked without both and answers the same. The published model stays the one text: what is cut out is worked out from it.

use std::collections::BTreeSet;

use casbin::rhai::Dynamic;

use crate::judge::JudgeError;

/// A model text taken apart at the `&&` of its matcher.
#[derive(Debug)]
pub(crate) struct Model {
    request: Vec<&'static str>,
    rule: Vec<&'static str>,
    effect: &'static str,
    roles: Vec<&'static str>,
    parts: Vec<Part>,
}

/// One condition of the matcher.
#[derive(Debug)]
struct Part {
    text: &'static str,
    /// Columns of the rule that it reads, by place.
    rule: Vec<usize>,
    /// Columns of the question that it reads, by place.
    request: Vec<usize>,
}

/// Which conditions are left, one bit each.
pub(crate) type Needed = u32;

/// What is left of a model.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The model, as casbin reads it.
    pub text: String,
    rule: Vec<usize>,
    request: Vec<usize>,
}

impl Model {
    /// Takes a model of this crate apart.
    ///
    /// # Errors
    /// [`JudgeError::Section`] when it is not of the form that they have.
    pub fn read(text: &'static str) -> Result<Self, JudgeError> {
        let line = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
            found.map(str::trim).ok_or(JudgeError::Section)
        };
        let columns =
            |key: &str| Ok::<_, JudgeError>(line(key)?.split(',').map(str::trim).collect::<Vec<_>>());
        let (request, rule) = (columns("r")?, columns("p")?);
        let parts: Vec<Part> = line("m")?
            .split(" && ")
            // A condition in brackets may have an `&&` of its own: the pieces are put together again below.
            .fold(Vec::new(), |mut parts: Vec<&'static str>, piece| {
                match parts.last().copied().filter(|last| open_brackets(last) > 0) {
                    Some(last) => {
                        parts.pop();
                        parts.push(spanning(text, last, piece));
                    }
                    None => parts.push(piece),
                }
                parts
            })
            .into_iter()
            .map(|text| Part { text, rule: named(text, "p.", &rule), request: named(text, "r.", &request) })
            .collect();
        let roles = text.lines().filter(|line| line.starts_with('g')).collect();
        let model = Self { request, rule, effect: line("e")?, roles, parts };
        if model.parts.len() > Needed::BITS as usize { Err(JudgeError::Section) } else { Ok(model) }
    }

    /// The conditions that these rows do not all leave open.
    pub fn needed(&self, rows: &[Vec<String>]) -> Needed {
        let closed = |part: &&Part| rows.iter().any(|row| part.rule.iter().any(|at| !self.is_open(row, *at)));
        let bits = (0..).zip(&self.parts).filter(|(_, part)| closed(part)).map(|(bit, _)| 1 << bit);
        bits.fold(0, |all, bit: Needed| all | bit)
    }

    fn is_open(&self, row: &[String], at: usize) -> bool {
        let (Some(name), Some(value)) = (self.rule.get(at), row.get(at)) else { return false };
        match *name {
            "clo" | "qlo" => value == "0",
            "chi" | "qhi" => value == "9",
            "nbf" | "exp" => false,
            _ => value == "*",
        }
    }

    /// The model with these conditions alone.
    pub fn cut(&self, needed: Needed) -> Cut {
        let kept =
            || (0..).zip(&self.parts).filter(|(bit, _)| needed & (1 << bit) != 0).map(|(_, part)| part);
        let places = |read: fn(&Part) -> &Vec<usize>| -> Vec<usize> {
            kept().flat_map(read).copied().collect::<BTreeSet<usize>>().into_iter().collect()
        };
        let (mut rule, request) = (places(|part| &part.rule), places(|part| &part.request));
        // The effect is read by casbin itself. The id keeps rows apart: casbin has a set of them, and two that are alike
        // would be one.
        rule.extend(self.rule.iter().position(|name| *name == "eft"));
        rule.extend(self.rule.iter().position(|name| *name == "id"));
        let names = |all: &[&str], places: &[usize]| -> String {
            places.iter().filter_map(|at| all.get(*at).copied()).collect::<Vec<_>>().join(", ")
        };
        let matcher = kept().map(|part| part.text).collect::<Vec<_>>().join(" && ");
        let text = format!(
            "[request_definition]\nr = {}\n[policy_definition]\np = {}\n[role_definition]\n{}\n[policy_effect]\ne = {}\n\
             [matchers]\nm = {matcher}\n",
            names(&self.request, &request),
            names(&self.rule, &rule),
            self.roles.join("\n"),
            self.effect
        );
        Cut { text, rule, request }
    }
}

impl Cut {
    /// The columns of a rule that are left.
    pub fn row(&self, mut row: Vec<String>) -> Vec<String> {
        self.rule.iter().filter_map(|at| row.get_mut(*at).map(std::mem::take)).collect()
    }

    /// The columns of a question that are left.
    pub fn request(&self, all: &[Dynamic]) -> Vec<Dynamic> {
        self.request.iter().filter_map(|at| all.get(*at).cloned()).collect()
    }
}

/// Brackets that a piece opens and does not close.
fn open_brackets(text: &str) -> usize {
    let count = |bracket: char| text.chars().filter(|c| *c == bracket).count();
    count('(').saturating_sub(count(')'))
}

/// The stretch of the text from the first of two pieces, which follow each other, to the end of the second.
fn spanning(text: &'static str, first: &'static str, second: &'static str) -> &'static str {
    let whole = first.len() + " && ".len() + second.len();
    text.find(first).and_then(|at| text.get(at..at + whole)).unwrap_or(first)
}

/// Which of these columns a text reads, by place.
fn named(text: &str, prefix: &str, columns: &[&str]) -> Vec<usize> {
    let words: BTreeSet<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .filter_map(|word| word.strip_prefix(prefix))
        .collect();
    (0..).zip(columns).filter(|(_, name)| words.contains(**name)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{DUTY_MODEL, GRANT_MODEL};

    fn matcher(text: &str) -> &str {
        text.lines().find_map(|line| line.strip_prefix("m = ")).unwrap()
    }

    #[test]
    fn with_nothing_cut_the_matcher_is_the_published_one() {
        for text in [GRANT_MODEL, DUTY_MODEL] {
            let model = Model::read(text).unwrap();
            let whole = model.cut(Needed::MAX).text;
            assert_eq!(matcher(&whole), matcher(text));
            assert!(model.parts.len() > 8, "{:?}", model.parts);
            assert!(model.parts.iter().all(|part| open_brackets(part.text) == 0), "{:?}", model.parts);
            assert!(model.parts.iter().all(|part| !part.rule.is_empty() && !part.request.is_empty()));
        }
    }

    #[test]
    fn only_what_every_row_leaves_open_is_cut() {
        let model = Model::read(DUTY_MODEL).unwrap();
        let row = |changes: &[(&str, &str)]| -> Vec<String> {
            let value = |name: &&str| match *name {
                "clo" | "qlo" => "0",
                "chi" | "qhi" => "9",
                _ => "*",
            };
            let changed =
                |name: &&str| changes.iter().find(|(column, _)| column == name).map(|(_, value)| *value);
            model.rule.iter().map(|name| changed(name).unwrap_or(value(name)).to_owned()).collect()
        };
        let text = |rows: &[Vec<String>]| model.cut(model.needed(rows)).text;
        let open = text(&[row(&[])]);
        assert_eq!(matcher(&open), "r.now >= p.nbf && r.now < p.exp", "time is never open");
        assert!(open.contains("\nr = now\n") && open.contains("\np = nbf, exp, eft, id\n"), "{open}");
        let two = text(&[row(&[("chi", "3")]), row(&[("obj", "ds:x")])]);
        assert!(matcher(&two).contains("p.chi") && matcher(&two).contains("g2(r.obj, p.obj)"), "{two}");
        assert!(!two.contains("p.sub") && !two.contains("clo"), "{two}");
        assert_eq!(
            model.cut(model.needed(&[row(&[])])).row(row(&[("nbf", "a"), ("exp", "b"), ("eft", "c")])),
            ["a", "b", "c", "*"]
        );
        // A row that is too short is no row that leaves something open.
        assert_eq!(
            model.needed(&[vec![]]),
            model.needed(&[row(&[
                ("sub", "ag:a"),
                ("obj", "a"),
                ("act", "a"),
                ("pur", "a"),
                ("clo", "1"),
                ("chi", "1"),
                ("unt", "a"),
                ("rol", "a"),
                ("qlo", "1"),
                ("qhi", "1"),
                ("plc", "a"),
                ("via", "a")
            ])])
        );
    }
}
