//! What changed between two versions of a contract, and what that means for those who rely on it.
//!
//! The view is the consumer's: a change is breaking when a program, a question or an agreement made for the old version may
//! no longer hold. So a type is breaking whichever way it changes (files carry types), and so is a promise that becomes
//! weaker: consumers may then meet what they did not have to expect. A promise that becomes stronger is compatible, and
//! code lists are the exception: codes that go break questions by them, codes that come are to be expected.
//!
//! A renamed column is known by the `id` that both versions give it, never by likeness.

mod columns;
mod dataset;

use serde::Serialize;

use crate::{DatasetRecord, Text};

/// What a change means for those who rely on the contract. Ordered by weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Words only.
    Editorial,
    /// More than before, and nothing less.
    Compatible,
    /// What was made for the old version may no longer hold.
    Breaking,
}

/// Which part of a version `major.minor.patch` to count up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Nothing changed.
    Same,
    /// The third: words.
    Patch,
    /// The second: compatible.
    Minor,
    /// The first: breaking; the old version stays served while agreements on it live.
    Major,
}

impl Advice {
    /// The version `major.minor.patch` that should come after this one.
    #[must_use]
    pub fn next(self, [major, minor, patch]: [u32; 3]) -> [u32; 3] {
        match self {
            Advice::Same => [major, minor, patch],
            Advice::Patch => [major, minor, patch.saturating_add(1)],
            Advice::Minor => [major, minor.saturating_add(1), 0],
            Advice::Major => [major.saturating_add(1), 0, 0],
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// A stable word for programs, such as `column-removed`.
    pub code: &'static str,
    /// The column by its new name (its old one if it is gone); `None`: the dataset.
    pub column: Option<String>,
    /// What it means.
    pub effect: Effect,
    /// Whether rules and agreements should be looked at: it changes what may be known of people, or who may know it.
    pub review: bool,
    /// What changed, for people.
    pub said: Text,
}

/// All changes between two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// In the order of the contract: the dataset, then its columns.
    pub list: Vec<Change>,
}

impl Changes {
    /// Which part of the version to count up.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.list.iter().map(|change| change.effect).max() {
            None => Advice::Same,
            Some(Effect::Editorial) => Advice::Patch,
            Some(Effect::Compatible) => Advice::Minor,
            Some(Effect::Breaking) => Advice::Major,
        }
    }

    /// Whether what was made for the old version may no longer hold.
    #[must_use]
    pub fn breaking(&self) -> bool {
        self.advice() == Advice::Major
    }

    /// Whether somebody who answers for rules and agreements should look.
    #[must_use]
    pub fn review(&self) -> bool {
        self.list.iter().any(|change| change.review)
    }

    fn add(&mut self, code: &'static str, column: Option<&str>, effect: Effect, said: Text) {
        let column = column.map(str::to_owned);
        self.list.push(Change { code, column, effect, review: false, said });
    }

    /// One that rules and agreements are to be looked at for.
    fn add_for_review(&mut self, code: &'static str, column: Option<&str>, effect: Effect, said: Text) {
        self.add(code, column, effect, said);
        if let Some(change) = self.list.last_mut() {
            change.review = true;
        }
    }
}

/// Compares two versions of a contract. Version numbers, and times and digests of reading, are no changes.
#[must_use]
pub fn compare(old: &DatasetRecord, new: &DatasetRecord) -> Changes {
    let mut changes = Changes::default();
    dataset::compare(&mut changes, old, new);
    columns::compare(&mut changes, old, new);
    changes
}

/// A value as a message shows it.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut cut: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        cut.push('…');
    }
    format!("`{cut}`")
}

/// Some values, the first of many.
fn listed<'a>(values: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let all: Vec<&str> = values.collect();
    let mut text = all.iter().take(SHOWN).map(|value| shown(value)).collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        text.push_str(&format!(", … (+{})", all.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests;
