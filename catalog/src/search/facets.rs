//! How many of the hits have which publisher, theme, keyword, way of sharing and classification.
//!
//! Counted over hits only, and named as a hit names them: an entry that may not be seen adds neither a count nor a spelling.

use std::collections::HashMap;

use serde::Serialize;

use super::slots::Slot;
use crate::limits;

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// As the first hit with it writes it.
    pub value: String,
    /// How many hits have it.
    pub count: usize,
}

/// Counts of the hits of a search, each list with the most frequent first, at most [`limits::FACET_VALUES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// Participants that publish them: each runs a node of its own.
    pub publisher: Vec<Value>,
    /// Themes.
    pub theme: Vec<Value>,
    /// Keywords.
    pub keyword: Vec<Value>,
    /// Ways of sharing (`open`, `default`, `special`).
    pub sharing: Vec<Value>,
    /// Classifications, 0 to 9.
    pub classification: Vec<Value>,
}

#[derive(Default)]
struct Counter<'i> {
    counts: HashMap<u32, (usize, &'i str)>,
}

impl<'i> Counter<'i> {
    fn add(&mut self, id: u32, name: &'i str) {
        self.counts.entry(id).or_insert((0, name)).0 += 1;
    }

    fn most(self) -> Vec<Value> {
        let mut values: Vec<(usize, &str)> = self.counts.into_values().collect();
        values.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        values.truncate(limits::FACET_VALUES_MAX);
        values.into_iter().map(|(count, value)| Value { value: value.to_owned(), count }).collect()
    }
}

/// Counts.
pub(super) fn count<'i>(hits: impl Iterator<Item = &'i Slot>) -> Facets {
    let [mut publisher, mut theme, mut keyword] = [const { None }; 3].map(|_: Option<()>| Counter::default());
    let mut sharing: HashMap<&'static str, usize> = HashMap::new();
    let mut classification = [0_usize; 10];
    for slot in hits {
        publisher.add(slot.participant, &slot.entry.participant);
        if let (Some(id), Some(name)) = (slot.theme, &slot.entry.theme) {
            theme.add(id, name.trim());
        }
        for (id, at) in &slot.keywords {
            let name = slot.entry.keywords.get(usize::from(*at)).map_or("", |k| k.trim());
            keyword.add(*id, name);
        }
        if let Some(kind) = slot.entry.sharing {
            *sharing.entry(kind.word()).or_default() += 1;
        }
        if let Some(count) = slot.entry.classification.and_then(|c| classification.get_mut(usize::from(c))) {
            *count += 1;
        }
    }
    let mut sharing: Vec<Value> =
        sharing.into_iter().map(|(value, count)| Value { value: value.to_owned(), count }).collect();
    sharing.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    let classes = classification.iter().enumerate().filter(|(_, count)| **count > 0);
    Facets {
        publisher: publisher.most(),
        theme: theme.most(),
        keyword: keyword.most(),
        sharing,
        classification: classes
            .map(|(class, count)| Value { value: class.to_string(), count: *count })
            .collect(),
    }
}
