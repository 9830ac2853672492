//! Names as OData can say them: a SimpleIdentifier (CSDL 4.01, 17.2) begins with a letter or `_`, goes on with letters,
//! digits, marks and `_`, and has at most 128 characters. Datasets have hyphens, columns have spaces and dots.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::limits::NAME_CHARS_MAX;

/// The entity set of a dataset: hyphens become `_`, a digit in front gets one before it. Dataset names have neither `_` nor
/// capitals, so [`dataset_of`] finds the way back.
#[must_use]
pub fn set_name(dataset: &str) -> String {
    let name = dataset.replace('-', "_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The dataset that an entity set's name stands for, if it can be one.
#[must_use]
pub fn dataset_of(set: &str) -> Option<String> {
    let bare = set.strip_prefix('_').unwrap_or(set);
    let dataset = bare.replace('_', "-");
    (set_name(&dataset) == set).then_some(dataset)
}

/// Names of properties for these columns: all different, and none of those that are `taken`.
pub(crate) fn properties<'a>(columns: impl Iterator<Item = &'a str>, taken: &[&str]) -> Vec<String> {
    let columns: Vec<&str> = columns.collect();
    let mut used: HashSet<String> = taken.iter().map(|&name| name.to_owned()).collect();
    // Columns whose names are fine keep them, whatever the others turn into.
    let fine: HashSet<&str> = columns.iter().copied().filter(|name| identifier(name) == *name).collect();
    let mut name = |column: &str| {
        let base = identifier(column);
        let kept = base == column;
        let free = |name: &str, used: &HashSet<String>| {
            !used.contains(name) && (kept && name == base || !fine.contains(name))
        };
        let mut name = base.clone();
        let mut n = 2_usize;
        while !free(&name, &used) {
            let end = format!("_{n}");
            name = base.chars().take(NAME_CHARS_MAX - end.len()).chain(end.chars()).collect();
            n += 1;
        }
        used.insert(name.clone());
        name
    };
    columns.iter().map(|column| name(column)).collect()
}

/// Letters that Unicode calls alphabetic, but that are symbols and no letters (circled ones).
fn is_symbol(c: char) -> bool {
    matches!(c, '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F189}')
}

fn begins(c: char) -> bool {
    c == '_' || (c.is_alphabetic() && !is_combining_mark(c) && !is_symbol(c))
}

fn goes_on(c: char) -> bool {
    begins(c) || c.is_ascii_digit() || is_combining_mark(c)
}

/// Whether a name may begin with this character.
pub(crate) fn starts_word(c: char) -> bool {
    begins(c)
}

/// Whether a name may go on with this character.
pub(crate) fn in_word(c: char) -> bool {
    goes_on(c)
}

fn identifier(text: &str) -> String {
    let mut name: String = text.nfc().map(|c| if goes_on(c) { c } else { '_' }).collect();
    if !name.starts_with(begins) {
        name.insert(0, '_');
    }
    name.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{dataset_of, properties, set_name};

    #[test]
    fn datasets_have_one_name_each_way() {
        for (dataset, set) in
            [("air-hourly", "air_hourly"), ("2023-dan-so", "_2023_dan_so"), ("a", "a"), ("a-", "a_")]
        {
            assert_eq!(set_name(dataset), set);
            assert_eq!(dataset_of(set).as_deref(), Some(dataset));
        }
        for other in ["_a", "2a", "a-b", "__2a", ""] {
            assert!(dataset_of(other).is_none_or(|dataset| set_name(&dataset) == other), "{other}");
        }
        assert_eq!(dataset_of("_a"), None);
        assert_eq!(dataset_of("a-b"), None);
    }

    #[test]
    fn columns_get_names_that_programs_take_and_no_two_the_same() {
        let columns = [
            "Local Time",
            "Local_Time",
            "PM 2.5",
            "Phường",
            "2020",
            "_row",
            "Local-Time",
            "²",
            "ma so\u{301}",
        ];
        let names = properties(columns.into_iter(), &["_row"]);
        assert_eq!(
            names,
            [
                "Local_Time_2",
                "Local_Time",
                "PM_2_5",
                "Phường",
                "_2020",
                "_row_2",
                "Local_Time_3",
                "_",
                "ma_só"
            ]
        );
        let long = "x".repeat(300);
        let names = properties([long.as_str(), &format!("{long}y")].into_iter(), &[]);
        assert!(names.iter().all(|name| name.chars().count() == 128) && names[0] != names[1]);
    }
}
