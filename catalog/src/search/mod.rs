//! Search in memory over own and peers' entries.
//!
//! Every word of the question must be in an entry (or what stands for it: `synonyms.txt`), the last one as the beginning of
//! a word; marks may be left out. Hits are ordered by where the words stand, by whether marks fit too, and by whether
//! words that stand together in the question stand together in the entry: "giao thong" finds "Lưu lượng giao thông"
//! before "Giao dịch thông tin". Nothing is hidden or shown here: callers put in and ask for what may be seen, and scores,
//! totals and facets come of what they may see alone.
//!
//! The index is Tantivy's, in memory; the entries lie beside it by number. A change writes the changed entries only.

mod ask;
mod collect;
mod facets;
mod fields;
mod mark;
mod slots;
mod synonyms;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tantivy::query::AllQuery;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy};

use self::ask::Wanted;
use self::collect::Even;
pub use self::facets::{Facets, Value};
use self::fields::Fields;
pub use self::mark::{Marks, Piece};
use self::slots::{Slot, Slots};
use crate::{CatalogEntry, CatalogError, SharingKind, limits};

/// In which order hits come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Those that fit best first; by title where there is no question.
    #[default]
    Best,
    /// By title, in the order of the Vietnamese alphabet.
    Title,
    /// Those that were read last first.
    Newest,
}

/// What is looked for. Filters and words must all fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words; empty finds everything.
    pub text: String,
    /// Only of this participant.
    pub participant: Option<String>,
    /// Only of this theme, marks and case aside.
    pub theme: Option<String>,
    /// Only with this keyword, marks and case aside.
    pub keyword: Option<String>,
    /// Only what is shared in this way.
    pub sharing: Option<SharingKind>,
    /// Only of this classification.
    pub classification: Option<u8>,
    /// The order of hits.
    pub sort: Sort,
    /// Leaves out the words of columns: for those who may know of an entry and not what its columns are called.
    pub without_columns: bool,
    /// Whether the facets of all hits are counted.
    pub facets: bool,
    /// How many hits to leave out from the beginning.
    pub offset: usize,
    /// How many hits to give, at most [`limits::HITS_MAX`].
    pub limit: usize,
}

impl Query {
    /// A first page for these words.
    pub fn new(text: impl Into<String>) -> Self {
        Query { text: text.into(), limit: limits::HITS_MAX, ..Query::default() }
    }
}

/// One entry found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit<'i> {
    /// The entry.
    pub entry: &'i CatalogEntry,
    /// How well it fits; only for comparing hits of one search.
    pub score: f32,
}

/// A page of hits, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found<'i> {
    /// The hits of this page.
    pub hits: Vec<Hit<'i>>,
    /// How many there are in all.
    pub total: usize,
    /// Facets of all hits, where they were asked for.
    pub facets: Option<Facets>,
}

/// What a change of many entries did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries written to the index: new ones and changed ones.
    pub written: usize,
    /// Entries taken out.
    pub removed: usize,
    /// Entries that were the same already; at most the time at which they were read is new.
    pub same: usize,
    /// Entries that break the limits or found no place.
    pub left_out: usize,
}

/// The index; entries are known by participant and dataset.
pub struct SearchIndex {
    fields: Fields,
    index: Index,
    reader: IndexReader,
    slots: Slots,
    /// [`limits::ENTRIES_MAX`]; fewer in tests.
    entries_max: usize,
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SearchIndex({} entries)", self.slots.len())
    }
}

impl SearchIndex {
    /// An empty index.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn new() -> Result<Self, CatalogError> {
        let (schema, fields) = Fields::new();
        let index = Index::create_in_ram(schema);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { fields, index, reader, slots: Slots::new(), entries_max: limits::ENTRIES_MAX })
    }

    /// Puts an entry in, in place of an older one of the same participant and dataset.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] if the entry breaks the limits, [`CatalogError::IndexFull`], [`CatalogError::Index`].
    pub fn put(&mut self, entry: CatalogEntry) -> Result<(), CatalogError> {
        entry.check()?;
        if self.slots.len() >= self.entries_max
            && self.slots.find(&entry.participant, &entry.dataset).is_none()
        {
            return Err(CatalogError::IndexFull);
        }
        self.put_all(vec![entry]).map(|_| ())
    }

    /// Puts entries in, each in place of an older one. Those that break the limits are left out and counted.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn put_all(&mut self, entries: Vec<CatalogEntry>) -> Result<Changes, CatalogError> {
        self.change(Vec::new(), entries)
    }

    /// Makes these the entries of a participant: writes what is new or changed, takes out what is not among them.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn replace(
        &mut self,
        participant: &str,
        entries: Vec<CatalogEntry>,
    ) -> Result<Changes, CatalogError> {
        let stay: HashSet<&str> = entries.iter().map(|entry| entry.dataset.as_str()).collect();
        let gone = self.slots.of(participant).into_iter();
        let gone = gone.filter(|slot| {
            self.slots.get(*slot).is_some_and(|slot| !stay.contains(slot.entry.dataset.as_str()))
        });
        let gone = gone.collect();
        let entries = entries.into_iter().filter(|entry| entry.participant == participant).collect();
        self.change(gone, entries)
    }

    /// Takes an entry out; says whether it was there.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn remove(&mut self, participant: &str, dataset: &str) -> Result<bool, CatalogError> {
        let Some(slot) = self.slots.find(participant, dataset) else { return Ok(false) };
        self.change(vec![slot], Vec::new()).map(|changes| changes.removed > 0)
    }

    /// Takes out all entries of a participant; says how many there were.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn remove_participant(&mut self, participant: &str) -> Result<usize, CatalogError> {
        self.change(self.slots.of(participant), Vec::new()).map(|changes| changes.removed)
    }

    fn change(&mut self, gone: Vec<usize>, entries: Vec<CatalogEntry>) -> Result<Changes, CatalogError> {
        let mut changes = Changes::default();
        // A name that comes twice is the later one.
        let mut last: HashMap<(String, String), CatalogEntry> = HashMap::new();
        for entry in entries {
            if entry.check().is_err() {
                changes.left_out += 1;
            } else {
                last.insert((entry.participant.clone(), entry.dataset.clone()), entry);
            }
        }
        let mut new = Vec::new();
        for entry in last.into_values() {
            match self.slots.find(&entry.participant, &entry.dataset) {
                Some(slot) if self.slots.renew(slot, &entry) => changes.same += 1,
                old => new.push((old, entry)),
            }
        }
        if gone.is_empty() && new.is_empty() {
            return Ok(changes);
        }
        let mut writer: IndexWriter = self.index.writer_with_num_threads(1, limits::INDEX_WRITER_BYTES)?;
        for slot in gone {
            writer.delete_term(self.fields.slot_term(slot));
            changes.removed += usize::from(self.slots.remove(slot));
        }
        for (old, entry) in new {
            if let Some(slot) = old {
                writer.delete_term(self.fields.slot_term(slot));
                self.slots.remove(slot);
            } else if self.slots.len() >= self.entries_max {
                changes.left_out += 1;
                continue;
            }
            let document = &entry.clone();
            let slot = self.slots.insert(entry);
            writer.add_document(self.fields.document(slot, document))?;
            changes.written += 1;
        }
        writer.commit()?;
        // The writer goes with its threads and its memory; a merge that it has begun is waited for.
        writer.wait_merging_threads()?;
        self.reader.reload()?;
        Ok(changes)
    }

    /// The entry of that participant and dataset.
    #[must_use]
    pub fn get(&self, participant: &str, dataset: &str) -> Option<&CatalogEntry> {
        let slot = self.slots.find(participant, dataset)?;
        self.slots.get(slot).map(|slot| &slot.entry)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds what fits the query.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn search(&self, query: &Query) -> Result<Found<'_>, CatalogError> {
        self.search_where(query, |_| true, |_| true)
    }

    /// As [`SearchIndex::search`], over the entries of the participants that `of` lets through and of those the ones that
    /// `visible` does, so that hits, order, total and facets give away nothing of the others.
    ///
    /// # Errors
    /// [`CatalogError::Index`].
    pub fn search_where(
        &self,
        query: &Query,
        of: impl Fn(&str) -> bool,
        visible: impl Fn(&CatalogEntry) -> bool,
    ) -> Result<Found<'_>, CatalogError> {
        let Some(wanted) = Wanted::read(&query.text) else { return Ok(Found::default()) };
        let Some(filter) = Filter::new(&self.slots, query, of) else { return Ok(Found::default()) };
        let fits = self.fitting(&wanted, query)?.into_iter();
        let mut hits: Vec<(f32, &Slot)> = fits
            .filter_map(|(number, score)| Some((score, self.slots.get(number as usize)?)))
            .filter(|(_, slot)| filter.fits(slot) && visible(&slot.entry))
            .collect();
        let total = hits.len();
        let facets = query.facets.then(|| facets::count(hits.iter().map(|(_, slot)| *slot)));
        let end = query.offset.saturating_add(query.limit.min(limits::HITS_MAX)).min(total);
        first(&mut hits, end, |a, b| compare(query.sort, a, b));
        let page = hits.into_iter().take(end).skip(query.offset);
        let hits = page.map(|(score, slot)| Hit { entry: &slot.entry, score }).collect();
        Ok(Found { hits, total, facets })
    }

    fn fitting(&self, wanted: &Wanted, query: &Query) -> Result<Vec<(u32, f32)>, CatalogError> {
        let searcher = self.reader.searcher();
        let collector = collect::Slots { scored: query.sort == Sort::Best && !wanted.is_empty() };
        Ok(if wanted.is_empty() {
            searcher.search(&AllQuery, &collector)?
        } else {
            let even = Even(&self.fields);
            searcher.search_with_statistics_provider(
                &wanted.query(&self.fields, !query.without_columns),
                &collector,
                &even,
            )?
        })
    }
}

/// Puts the first `count` in order; the others stay as they are. Much cheaper than ordering all.
fn first<T>(items: &mut [T], count: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if count < items.len() && count > 0 {
        items.select_nth_unstable_by(count - 1, &compare);
    }
    if let Some(page) = items.get_mut(..count) {
        page.sort_unstable_by(&compare);
    }
}

fn compare(sort: Sort, (a, x): &(f32, &Slot), (b, y): &(f32, &Slot)) -> Ordering {
    let asked = match sort {
        Sort::Best => b.total_cmp(a),
        Sort::Title => Ordering::Equal,
        Sort::Newest => y.entry.fetched_at.cmp(&x.entry.fetched_at),
    };
    asked.then_with(|| x.order.cmp(&y.order)).then_with(|| name(x).cmp(&name(y)))
}

fn name(slot: &Slot) -> (&str, &str) {
    (&slot.entry.participant, &slot.entry.dataset)
}

struct Filter {
    participants: HashSet<u32>,
    theme: Option<u32>,
    keyword: Option<u32>,
    sharing: Option<SharingKind>,
    classification: Option<u8>,
}

impl Filter {
    /// `None` if nothing can fit: a word that no entry has.
    fn new(slots: &Slots, query: &Query, of: impl Fn(&str) -> bool) -> Option<Self> {
        let only = query.participant.as_deref();
        let wanted = |name: &str| only.is_none_or(|only| only == name) && of(name);
        let word = |text: &Option<String>| match text {
            None => Some(None),
            Some(text) => slots.word(text).map(Some),
        };
        Some(Self {
            participants: slots.participants().filter(|(_, name)| wanted(name)).map(|(id, _)| id).collect(),
            theme: word(&query.theme)?,
            keyword: word(&query.keyword)?,
            sharing: query.sharing,
            classification: query.classification,
        })
    }

    fn fits(&self, slot: &Slot) -> bool {
        self.participants.contains(&slot.participant)
            && (self.theme.is_none() || self.theme == slot.theme)
            && self.keyword.is_none_or(|wanted| slot.keywords.iter().any(|(id, _)| *id == wanted))
            && (self.sharing.is_none() || self.sharing == slot.entry.sharing)
            && (self.classification.is_none() || self.classification == slot.entry.classification)
    }
}

#[cfg(test)]
mod tests;
