//! Reading a YAML document piece by piece, remembering where one is and everything that is wrong.
//!
//! A piece that is wrong becomes a problem and a stand-in value; the whole is thrown away if there was any problem, so a
//! stand-in never gets out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::Problem;
use crate::limits;

pub(super) type Object = Map<String, Value>;

/// A piece of the document and its place.
#[derive(Clone)]
pub(super) struct Piece<'v> {
    pub(super) value: &'v Value,
    pub(super) path: String,
}

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

/// Words that a text may be, and what they stand for.
pub(super) type Choices<T> = [(&'static str, T)];

impl Reader {
    pub(super) fn add(&mut self, path: &str, what: impl Into<String>) {
        if self.problems.len() < limits::PROBLEMS_MAX {
            let path = if path.is_empty() { "the whole file" } else { path };
            self.problems.push(Problem::new(path, what));
        }
    }

    /// An object of known keys; unknown ones are problems.
    pub(super) fn object<'v>(&mut self, piece: &Piece<'v>, known: &[&str]) -> Option<&'v Object> {
        let Value::Object(map) = piece.value else {
            self.add(&piece.path, "expected a mapping (`key: value` lines)");
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let hint = did_you_mean(key, known);
            self.add(&join(&piece.path, key), format!("unknown key{hint}; remove or correct it"));
        }
        Some(map)
    }

    pub(super) fn items<'v>(&mut self, piece: Option<Piece<'v>>) -> Vec<Piece<'v>> {
        let Some(piece) = piece else { return Vec::new() };
        let Value::Array(list) = piece.value else {
            self.add(&piece.path, "expected a list (`- ` lines)");
            return Vec::new();
        };
        let item = |(i, value)| Piece { value, path: format!("{}[{i}]", piece.path) };
        list.iter().enumerate().map(item).collect()
    }

    /// A text; a number or a truth value is not taken for one, since YAML may have changed what was written.
    pub(super) fn text(&mut self, piece: Option<Piece<'_>>) -> Option<String> {
        let piece = piece?;
        match piece.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                self.add(&piece.path, "expected a text; put it in quotes");
                None
            }
            _ => {
                self.add(&piece.path, "expected a text");
                None
            }
        }
    }

    pub(super) fn needed<'v>(&mut self, piece: Option<Piece<'v>>, path: &str) -> Option<Piece<'v>> {
        if piece.is_none() {
            self.add(path, "it is missing; add it");
        }
        piece
    }

    pub(super) fn texts(&mut self, piece: Option<Piece<'_>>) -> Vec<String> {
        self.items(piece).into_iter().filter_map(|item| self.text(Some(item))).collect()
    }

    pub(super) fn truth(&mut self, piece: Option<Piece<'_>>) -> Option<bool> {
        let piece = piece?;
        if piece.value.as_bool().is_none() {
            self.add(&piece.path, "expected `true` or `false`");
        }
        piece.value.as_bool()
    }

    /// A whole number, also in quotes.
    pub(super) fn number(&mut self, piece: Option<Piece<'_>>) -> Option<u64> {
        let piece = piece?;
        let number = match piece.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.add(&piece.path, "expected a whole number, 0 or more");
        }
        number
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&mut self, piece: Option<Piece<'_>>, choices: &Choices<T>) -> Option<T> {
        let piece = piece?;
        let text = self.text(Some(piece.clone()))?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, stands_for)| *stands_for);
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.add(
                &piece.path,
                format!("`{}` is not known here; use {}", shorten(&text), words.join(", ")),
            );
        }
        found
    }

    /// The custom properties beside a piece, by name. Names of other tools begin with `x-` and are passed over.
    pub(super) fn custom<'v>(
        &mut self,
        list: Option<Piece<'v>>,
        known: &[&str],
    ) -> BTreeMap<String, Piece<'v>> {
        let mut properties = BTreeMap::new();
        let base = list.as_ref().map(|piece| piece.path.clone()).unwrap_or_default();
        for item in self.items(list) {
            let Some(map) = self.object(&item, &["id", "property", "value", "description"]) else { continue };
            let name = self.needed(get(map, "property", &item.path), &join(&item.path, "property"));
            let Some(name) = self.text(name) else { continue };
            let path = join(&base, &name);
            let Some(value) = self.needed(get(map, "value", &item.path), &path) else { continue };
            if name.starts_with("x-") {
                continue;
            }
            if !known.contains(&name.as_str()) {
                let hint = did_you_mean(&name, known);
                let what = format!(
                    "unknown property{hint}; correct it, or begin its name with `x-` if it is another tool's"
                );
                self.add(&path, what);
            } else if properties.insert(name, Piece { value: value.value, path: path.clone() }).is_some() {
                self.add(&path, "it is there twice; remove one");
            }
        }
        properties
    }
}

/// The member of an object, unless it is missing or null.
pub(super) fn get<'v>(map: &'v Object, key: &str, path: &str) -> Option<Piece<'v>> {
    let value = map.get(key).filter(|value| !value.is_null())?;
    Some(Piece { value, path: join(path, key) })
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { shorten(key) } else { format!("{path}.{}", shorten(key)) }
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The known name that is nearest, if any is near.
fn did_you_mean(name: &str, known: &[&str]) -> String {
    let name = shorten(name);
    let nearest = known.iter().map(|k| (distance(&name, k), k)).min();
    match nearest {
        Some((steps, near)) if steps <= 2 || near.eq_ignore_ascii_case(&name) => {
            format!(" (did you mean `{near}`?)")
        }
        _ => String::new(),
    }
}

/// How many letters to change, add or drop to get from one to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, above), above_left) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + 1).min(left + 1).min(above_left + usize::from(x != *y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_between_names() {
        assert_eq!(distance("personal", "personal"), 0);
        assert_eq!(distance("personl", "personal"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
