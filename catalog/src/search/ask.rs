//! A question in words as a query of the index.

use tantivy::Term;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, FuzzyTermQuery, Occur, PhraseQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::fields::{Fields, Place, pairs};
use super::synonyms::{self, Other};
use crate::fold::{Word, words};
use crate::limits;

/// What a word in its place adds by how it fits; measured (`docs/search.md`).
const FOLDED: f32 = 1.0;
const EXACT: f32 = 1.5;
const PAIR: f32 = 3.0;
/// What a word adds of which only the beginning was written.
const BEGUN: f32 = 0.5;

/// The words that are looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    words: Vec<Word>,
    spelled: Vec<String>,
    groups: Vec<Group>,
}

/// Neighbours of the question that stand for one thing, with what may stand in their place.
#[derive(Debug, Clone)]
struct Group {
    from: usize,
    count: usize,
    others: &'static [Other],
}

impl Wanted {
    /// Reads a question; what is over the limits is cut off. `None`: there was something, but no word.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text: String = text.chars().take(limits::QUERY_CHARS_MAX).collect();
        let mut words = words(&text);
        words.truncate(limits::QUERY_WORDS_MAX);
        if words.is_empty() && !text.trim().is_empty() {
            return None;
        }
        let spelled: Vec<String> = words.iter().map(Word::spelled).collect();
        let mut groups = Vec::new();
        let mut from = 0;
        while let Some(rest) = spelled.get(from..).filter(|rest| !rest.is_empty()) {
            let (count, others) = synonyms::at_beginning(rest).unwrap_or((1, &[]));
            groups.push(Group { from, count, others });
            from += count;
        }
        Some(Self { words, spelled, groups })
    }

    /// Whether everything fits.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Sequences of folded words to be marked in a text, and the beginning of a word that fits as well.
    pub(super) fn sequences(&self) -> (Vec<&[String]>, Option<&str>) {
        let own = self.spelled.iter().map(std::slice::from_ref);
        let others = self.groups.iter().flat_map(|g| g.others).map(|o| o.words.as_slice());
        (own.chain(others).collect(), self.words.last().map(|w| w.folded.as_str()))
    }

    /// The query: every word must be there (or what stands for it, or the last one begun); the rest is for the order.
    pub(super) fn query(&self, fields: &Fields, columns: bool) -> BooleanQuery {
        let (all, places) = fields.sought(columns);
        let must = self.groups.iter().map(|group| (Occur::Must, self.must(all, group)));
        let own = self.worths(places).into_iter();
        let others = self.groups.iter().flat_map(|g| g.others).flat_map(|other| other_worths(places, other));
        let should = own.chain(others).map(|query| (Occur::Should, query));
        BooleanQuery::new(must.chain(should).collect())
    }

    fn must(&self, field: Field, group: &Group) -> Box<dyn Query> {
        let range = group.from..group.from + group.count;
        let own = range.clone().filter_map(|i| {
            let exactly = term(field, self.spelled.get(i)?, IndexRecordOption::Basic);
            if i + 1 < self.words.len() {
                return Some(exactly);
            }
            let begun = FuzzyTermQuery::new_prefix(
                Term::from_field_text(field, &self.words.get(i)?.folded),
                0,
                false,
            );
            Some(any(vec![exactly, Box::new(begun)]))
        });
        let mut ways: Vec<Box<dyn Query>> = vec![all(own.collect())];
        ways.extend(group.others.iter().map(|other| together(field, &other.words)));
        // It must be there, but says nothing of how well it fits.
        Box::new(ConstScoreQuery::new(any(ways), 0.0))
    }

    fn worths(&self, places: &[Place]) -> Vec<Box<dyn Query>> {
        let mut worths = Vec::new();
        for place in places {
            for (word, spelled) in self.words.iter().zip(&self.spelled) {
                worths.push(boosted(place.fold, spelled, place.worth * FOLDED));
                worths.push(boosted(place.exact, &word.exact, place.worth * EXACT));
            }
            for pair in pairs(&self.spelled) {
                worths.push(boosted(place.pair, &pair, place.worth * PAIR));
            }
            if let Some(last) = self.words.last() {
                let begun =
                    FuzzyTermQuery::new_prefix(Term::from_field_text(place.fold, &last.folded), 0, false);
                worths.push(Box::new(ConstScoreQuery::new(Box::new(begun), place.worth * BEGUN)));
            }
        }
        worths
    }
}

fn other_worths(places: &[Place], other: &Other) -> Vec<Box<dyn Query>> {
    let mut worths = Vec::new();
    for place in places {
        let pairs = pairs(&other.words);
        if pairs.is_empty() {
            for word in &other.words {
                worths.push(boosted(place.fold, word, place.worth * (FOLDED + PAIR) * other.worth));
            }
        }
        for pair in &pairs {
            worths.push(boosted(place.pair, pair, place.worth * PAIR * other.worth));
        }
    }
    worths
}

fn term(field: Field, word: &str, record: IndexRecordOption) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, word), record))
}

fn boosted(field: Field, word: &str, boost: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(term(field, word, IndexRecordOption::WithFreqs), boost))
}

fn together(field: Field, words: &[String]) -> Box<dyn Query> {
    match words {
        [word] => term(field, word, IndexRecordOption::Basic),
        _ => Box::new(PhraseQuery::new(words.iter().map(|w| Term::from_field_text(field, w)).collect())),
    }
}

fn any(mut ways: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match (ways.len(), ways.pop()) {
        (1, Some(only)) => only,
        (_, last) => Box::new(BooleanQuery::union(ways.into_iter().chain(last).collect())),
    }
}

fn all(mut parts: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => Box::new(BooleanQuery::intersection(parts.into_iter().chain(last).collect())),
    }
}
