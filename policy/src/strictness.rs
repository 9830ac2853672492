//! Which of two obligation sets is the stricter one, as a whole and part by part.
//!
//! Built on the order of the lattice ([`Obligations::at_least`]) alone, and on the names that obligations have in
//! files; so a new kind of obligation is compared here without a change.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::obligations::Obligations;

/// How a second obligation set stands to a first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// They are the same.
    Same,
    /// The second is at least as strict in everything, and stricter in something.
    Tighter,
    /// The second is nowhere stricter, and weaker in something.
    Looser,
    /// Stricter in one thing and weaker in another, or no order between them.
    Mixed,
}

impl Strictness {
    /// Holds a second set against a first one.
    #[must_use]
    pub fn of(from: &Obligations, to: &Obligations) -> Self {
        match (to.at_least(from), from.at_least(to)) {
            (true, true) => Self::Same,
            (true, false) => Self::Tighter,
            (false, true) => Self::Looser,
            (false, false) => Self::Mixed,
        }
    }

    /// True when something that was held back under the first set may leave under the second.
    #[must_use]
    pub fn loosens(self) -> bool {
        matches!(self, Self::Looser | Self::Mixed)
    }

    /// True when something that could leave under the first set is held back under the second.
    #[must_use]
    pub fn tightens(self) -> bool {
        matches!(self, Self::Tighter | Self::Mixed)
    }
}

/// One part of an obligation set that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartChange {
    /// Its name as files have it; members of an object after a dot: `rate_per_min`, `mask.ho_ten`.
    pub part: String,
    /// What it was; null when it was not there.
    pub from: Value,
    /// What it is; null when it is not there.
    pub to: Value,
    /// How the second stands to the first.
    pub strictness: Strictness,
}

/// What differs between two obligation sets, part by part.
#[must_use]
pub fn parts(from: &Obligations, to: &Obligations) -> Vec<PartChange> {
    let (from, to) = (members(from), members(to));
    names(&from, &to).into_iter().flat_map(|name| part(name, from.get(name), to.get(name))).collect()
}

fn members(obligations: &Obligations) -> Map<String, Value> {
    match serde_json::to_value(obligations) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn names<'m>(from: &'m Map<String, Value>, to: &'m Map<String, Value>) -> BTreeSet<&'m str> {
    from.keys().chain(to.keys()).map(String::as_str).collect()
}

fn part(name: &str, from: Option<&Value>, to: Option<&Value>) -> Vec<PartChange> {
    if from == to {
        return Vec::new();
    }
    if let Some(inner) = inner_parts(name, from, to) {
        return inner;
    }
    // What cannot be read alone cannot be ordered: then no order is claimed.
    let alone = |value: Option<&Value>| read(value.map(|value| (name, value.clone())));
    let strictness = match (alone(from), alone(to)) {
        (Some(from), Some(to)) => Strictness::of(&from, &to),
        _ => Strictness::Mixed,
    };
    vec![change(name.to_owned(), from, to, strictness)]
}

/// Objects (masks by column) member by member; `None` when their members mean nothing alone.
fn inner_parts(name: &str, from: Option<&Value>, to: Option<&Value>) -> Option<Vec<PartChange>> {
    let none = Map::new();
    let object = |value: Option<&'_ Value>| match value {
        None => Some(none.clone()),
        Some(Value::Object(members)) => Some(members.clone()),
        Some(_) => None,
    };
    let (from, to) = (object(from)?, object(to)?);
    let mut changes = Vec::new();
    for member in names(&from, &to) {
        let (was, is) = (from.get(member), to.get(member));
        if was == is {
            continue;
        }
        let alone = |value: Option<&Value>| {
            let wrapped =
                value.map(|value| Value::Object(Map::from_iter([(member.to_owned(), value.clone())])));
            read(wrapped.map(|object| (name, object)))
        };
        let strictness = Strictness::of(&alone(was)?, &alone(is)?);
        changes.push(change(format!("{name}.{member}"), was, is, strictness));
    }
    Some(changes)
}

fn read(member: Option<(&str, Value)>) -> Option<Obligations> {
    let members = member.map(|(name, value)| (name.to_owned(), value));
    serde_json::from_value(Value::Object(members.into_iter().collect())).ok()
}

fn change(part: String, from: Option<&Value>, to: Option<&Value>, strictness: Strictness) -> PartChange {
    PartChange {
        part,
        from: from.cloned().unwrap_or_default(),
        to: to.cloned().unwrap_or_default(),
        strictness,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Obligations {
        serde_json::from_str(json).unwrap()
    }

    fn told(from: &str, to: &str) -> Vec<(String, Strictness)> {
        parts(&read(from), &read(to)).into_iter().map(|change| (change.part, change.strictness)).collect()
    }

    #[test]
    fn each_part_says_whether_it_became_stricter() {
        let from = r#"{"rate_per_min": 600, "retention_days": 30, "audit": 1, "columns": ["a", "b"], "no_onward": true}"#;
        let to = r#"{"rate_per_min": 60, "retention_days": 90, "audit": 1, "columns": ["a", "c"], "watermark": true}"#;
        let wanted = [
            ("columns", Strictness::Mixed),
            ("no_onward", Strictness::Looser),
            ("rate_per_min", Strictness::Tighter),
            ("retention_days", Strictness::Looser),
            ("watermark", Strictness::Tighter),
        ];
        assert_eq!(told(from, to), wanted.map(|(part, strictness)| (part.to_owned(), strictness)));
        assert_eq!(Strictness::of(&read(from), &read(to)), Strictness::Mixed);
    }

    #[test]
    fn masks_are_compared_column_by_column() {
        let changes =
            told(r#"{"mask": {"a": "hash", "b": "drop"}}"#, r#"{"mask": {"a": "null", "c": "hash"}}"#);
        let wanted = [
            ("mask.a", Strictness::Tighter),
            ("mask.b", Strictness::Looser),
            ("mask.c", Strictness::Tighter),
        ];
        assert_eq!(changes, wanted.map(|(part, strictness)| (part.to_owned(), strictness)));
    }

    #[test]
    fn a_part_whose_members_mean_nothing_alone_is_compared_whole() {
        let from = r#"{"aggregate": {"k": 5}}"#;
        assert_eq!(
            told(from, r#"{"aggregate": {"k": 9}}"#),
            [("aggregate.k".to_owned(), Strictness::Tighter)]
        );
        let to = r#"{"aggregate": {"k": 5, "group_by": ["a"]}}"#;
        assert_eq!(told(from, to), [("aggregate".to_owned(), Strictness::Tighter)]);
        assert_eq!(told(to, "{}"), [("aggregate".to_owned(), Strictness::Looser)]);
        assert_eq!(told(to, to), []);
    }
}
