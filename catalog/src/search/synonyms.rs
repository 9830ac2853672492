//! Other words for the same: abbreviations, and the names of provinces before and after the mergers.
//!
//! The table is `synonyms.txt` beside this file. It works on the question, not on the index, so that a line more needs no
//! new index. Province names are facts of Resolution 202/2025/QH15; communes are not listed: of ten thousand old names most
//! stand for several new ones.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::fold::{Word, words};

/// Words that may stand for others, and what they are worth beside them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Other {
    /// The words, folded.
    pub(super) words: Vec<String>,
    /// 1 would be the same as the words that were written.
    pub(super) worth: f32,
}

/// An abbreviation says the same; an old name says only where to look now.
const SAME: f32 = 0.8;
const MERGED: f32 = 0.4;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("synonyms.txt")));

struct Table {
    others: HashMap<Vec<String>, Vec<Other>>,
    /// Words of the longest.
    longest: usize,
}

impl Table {
    /// Lines `a = b = c` (the same), `old > new` (merged into); `#` begins a remark.
    fn read(text: &str) -> Self {
        let mut others: HashMap<Vec<String>, Vec<Other>> = HashMap::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (mark, worth) = if line.contains('>') { ('>', MERGED) } else { ('=', SAME) };
            let names: Vec<Vec<String>> = line.split(mark).map(spelled).collect();
            for (i, name) in names.iter().enumerate() {
                for (j, other) in names.iter().enumerate() {
                    if i != j && name != other {
                        let list = others.entry(name.clone()).or_default();
                        list.push(Other { words: other.clone(), worth });
                    }
                }
            }
        }
        let longest = others.keys().map(Vec::len).max().unwrap_or(0);
        Self { others, longest }
    }
}

fn spelled(text: &str) -> Vec<String> {
    words(text).iter().map(Word::spelled).collect()
}

/// What may stand for the words at the beginning: how many they are, as many as possible, and the others.
pub(super) fn at_beginning(words: &[String]) -> Option<(usize, &'static [Other])> {
    (1..=TABLE.longest.min(words.len())).rev().find_map(|count| {
        let others = TABLE.others.get(words.get(..count)?)?;
        Some((count, others.as_slice()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(text: &str) -> Vec<String> {
        let found = at_beginning(&spelled(text));
        found.map(|(_, others)| others.iter().map(|o| o.words.join(" ")).collect()).unwrap_or_default()
    }

    #[test]
    fn abbreviations_and_old_names_lead_both_ways() {
        assert_eq!(others("UBND phường"), ["ui ban nhan dan"].map(|s| s.replace("ui", "uy")));
        assert_eq!(others("Uỷ ban nhân dân"), ["ubnd"]);
        assert!(others("Bình Dương").contains(&"ho chi minh".to_owned()));
        assert!(others("Hồ Chí Minh").contains(&"binh duong".to_owned()));
        assert!(
            !others("Bình Dương").contains(&"vung tau".to_owned()),
            "two that were merged are not the same"
        );
        assert_eq!(others("đường"), Vec::<String>::new());
    }

    /// 63 provinces became 34 on 1 July 2025: 29 names went.
    #[test]
    fn the_merger_is_whole() {
        let gone: std::collections::BTreeSet<&str> = include_str!("synonyms.txt")
            .lines()
            .skip_while(|line| !line.starts_with("# 2025"))
            .filter_map(|line| line.split_once(" > ").map(|(old, _)| old))
            .collect();
        assert_eq!(gone.len(), 29);
    }
}
