//! The entries by number, with what filters, facets and orders need of them.

use std::collections::HashMap;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};

use crate::{CatalogEntry, fold};

/// One entry.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: CatalogEntry,
    /// Its title's place in the Vietnamese alphabet.
    pub(super) order: Vec<u8>,
    pub(super) participant: u32,
    pub(super) theme: Option<u32>,
    /// Each keyword once, with its place in the entry's list.
    pub(super) keywords: Vec<(u32, u8)>,
}

/// Words by number. A word that nobody uses any more keeps its number: they are few.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    fn number(&mut self, name: String) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(name).or_insert(next)
    }

    fn find(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

/// All entries; `None` is a number that is free.
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    by_name: HashMap<u32, HashMap<String, usize>>,
    participants: Names,
    words: Names,
    collator: Option<CollatorBorrowed<'static>>,
}

impl Slots {
    pub(super) fn new() -> Self {
        // The data is part of the program, so it is there; without it titles would stand in the order of their bytes.
        let language = icu_locale_core::locale!("vi").into();
        let collator = Collator::try_new(language, CollatorOptions::default()).ok();
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            participants: Names::default(),
            words: Names::default(),
            collator,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)?.as_ref()
    }

    /// The number of an entry.
    pub(super) fn find(&self, participant: &str, dataset: &str) -> Option<usize> {
        self.by_name.get(&self.participants.find(participant)?)?.get(dataset).copied()
    }

    /// The numbers of a participant's entries.
    pub(super) fn of(&self, participant: &str) -> Vec<usize> {
        let of = self.participants.find(participant).and_then(|id| self.by_name.get(&id));
        of.map(|names| names.values().copied().collect()).unwrap_or_default()
    }

    pub(super) fn word(&self, name: &str) -> Option<u32> {
        self.words.find(&key(name))
    }

    /// Participants that have entries, by number and name.
    pub(super) fn participants(&self) -> impl Iterator<Item = (u32, &str)> {
        let alive = |id: &u32| self.by_name.get(id).is_some_and(|names| !names.is_empty());
        self.participants.0.iter().filter(move |(_, id)| alive(id)).map(|(name, id)| (*id, name.as_str()))
    }

    /// Puts an entry in that is not there.
    pub(super) fn insert(&mut self, entry: CatalogEntry) -> usize {
        let participant = self.participants.number(entry.participant.clone());
        let theme =
            entry.theme.as_deref().filter(|t| !t.trim().is_empty()).map(|t| self.words.number(key(t)));
        let mut keywords: Vec<(u32, u8)> = Vec::new();
        for (at, keyword) in entry.keywords.iter().enumerate() {
            let id = self.words.number(key(keyword));
            if !keywords.iter().any(|(other, _)| *other == id) {
                keywords.push((id, u8::try_from(at).unwrap_or(u8::MAX)));
            }
        }
        let order = self.order(if entry.title.vi.is_empty() { &entry.title.en } else { &entry.title.vi });
        let dataset = entry.dataset.clone();
        let slot = Some(Slot { entry, order, participant, theme, keywords });
        let number = match self.free.pop() {
            Some(number) => number,
            None => self.slots.len(),
        };
        match self.slots.get_mut(number) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.by_name.entry(participant).or_default().insert(dataset, number);
        number
    }

    /// Notes when an entry was read if it says the same as before; otherwise changes nothing.
    pub(super) fn renew(&mut self, number: usize, entry: &CatalogEntry) -> bool {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::as_mut) else { return false };
        let before = std::mem::replace(&mut slot.entry.fetched_at, entry.fetched_at);
        let same = slot.entry == *entry;
        if !same {
            slot.entry.fetched_at = before;
        }
        same
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, number: usize) -> bool {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::take) else { return false };
        if let Some(names) = self.by_name.get_mut(&slot.participant) {
            names.remove(&slot.entry.dataset);
        }
        self.free.push(number);
        true
    }

    fn order(&self, title: &str) -> Vec<u8> {
        let mut key = Vec::new();
        match &self.collator {
            Some(collator) => {
                // Writing to memory does not fail.
                let _ = collator.write_sort_key_to(title, &mut key);
            }
            None => key.extend_from_slice(title.as_bytes()),
        }
        key
    }
}

fn key(word: &str) -> String {
    fold(word.trim())
}
