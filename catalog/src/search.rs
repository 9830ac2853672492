//! Search in memory over own and peers' entries.
//!
//! Every word of the query must be in an entry, the last one as the beginning of a word; marks may be left out. Hits are
//! ordered by where the words stand (title, then keywords, description, columns), by whether marks fit too, and by
//! whether words that stand together in the query stand together in the entry: "giao thong" finds "Lưu lượng giao
//! thông" before "Giao dịch thông tin". Nothing is hidden or shown here: callers put in and ask for what may be seen.

use std::collections::BTreeMap;

use crate::fold::{Word, words};
use crate::{CatalogEntry, CatalogError, fold, limits};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'i> {
    /// The entry.
    pub entry: &'i CatalogEntry,
    /// How well it fits; only for comparing hits of one search.
    pub score: u32,
}

/// A page of hits, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found<'i> {
    /// The hits of this page.
    pub hits: Vec<Hit<'i>>,
    /// How many there are in all.
    pub total: usize,
}

/// What a word is worth by where it stands.
const TITLE: u32 = 80;
const KEYWORD: u32 = 40;
const DESCRIPTION: u32 = 20;
const COLUMN: u32 = 10;

struct Indexed {
    entry: CatalogEntry,
    /// The words of each text with its worth. Each keyword and column is a text of its own, so that words of two do not
    /// count as standing together.
    texts: Vec<(u32, Vec<Word>)>,
    /// For ordering hits of equal score.
    folded_title: String,
}

/// The index; entries are known by participant and dataset.
#[derive(Default)]
pub struct SearchIndex {
    entries: BTreeMap<(String, String), Indexed>,
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SearchIndex({} entries)", self.entries.len())
    }
}

impl SearchIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an entry in, in place of an older one of the same participant and dataset.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] if the entry breaks the limits, [`CatalogError::IndexFull`].
    pub fn put(&mut self, entry: CatalogEntry) -> Result<(), CatalogError> {
        entry.check()?;
        let key = (entry.participant.clone(), entry.dataset.clone());
        if self.entries.len() >= limits::ENTRIES_MAX && !self.entries.contains_key(&key) {
            return Err(CatalogError::IndexFull);
        }
        self.entries.insert(key, Indexed::new(entry));
        Ok(())
    }

    /// Takes an entry out; says whether it was there.
    pub fn remove(&mut self, participant: &str, dataset: &str) -> bool {
        self.entries.remove(&(participant.to_owned(), dataset.to_owned())).is_some()
    }

    /// Takes out all entries of a participant; says how many there were.
    pub fn remove_participant(&mut self, participant: &str) -> usize {
        let before = self.entries.len();
        self.entries.retain(|(of, _), _| of != participant);
        before - self.entries.len()
    }

    /// The entry of that participant and dataset.
    #[must_use]
    pub fn get(&self, participant: &str, dataset: &str) -> Option<&CatalogEntry> {
        self.entries.get(&(participant.to_owned(), dataset.to_owned())).map(|i| &i.entry)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Finds what fits the query, best first; entries of equal score in the order of their titles.
    #[must_use]
    pub fn search(&self, query: &Query) -> Found<'_> {
        self.search_where(query, |_| true)
    }

    /// As [`SearchIndex::search`], over the entries that `visible` lets through, so that hits and total give away nothing
    /// of the others.
    #[must_use]
    pub fn search_where(&self, query: &Query, visible: impl Fn(&CatalogEntry) -> bool) -> Found<'_> {
        let text: String = query.text.chars().take(limits::QUERY_CHARS_MAX).collect();
        let mut wanted = words(&text);
        wanted.truncate(limits::QUERY_WORDS_MAX);
        if wanted.is_empty() && !text.trim().is_empty() {
            return Found::default();
        }
        let filter = Filter::new(query);
        let mut hits: Vec<(u32, &Indexed)> = self
            .entries
            .values()
            .filter(|indexed| filter.fits(&indexed.entry) && visible(&indexed.entry))
            .filter_map(|indexed| Some((indexed.score(&wanted)?, indexed)))
            .collect();
        // The map's own order settles what is still equal: sorting is stable.
        hits.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.folded_title.cmp(&y.folded_title)));
        let total = hits.len();
        let page = hits.into_iter().skip(query.offset).take(query.limit.min(limits::HITS_MAX));
        Found { hits: page.map(|(score, indexed)| Hit { entry: &indexed.entry, score }).collect(), total }
    }
}

impl Indexed {
    fn new(entry: CatalogEntry) -> Self {
        let mut texts = Vec::new();
        for (worth, text) in [(TITLE, &entry.title), (DESCRIPTION, &entry.description)] {
            texts.push((worth, words(&text.vi)));
            texts.push((worth, words(&text.en)));
        }
        let local = entry.dataset.rsplit(['/', ':']).next().unwrap_or_default();
        texts.push((KEYWORD, words(local)));
        texts.extend(entry.theme.iter().map(|theme| (KEYWORD, words(theme))));
        texts.extend(entry.keywords.iter().map(|keyword| (KEYWORD, words(keyword))));
        for column in &entry.columns {
            texts.push((COLUMN, words(&column.name)));
            texts.push((COLUMN, words(&column.description.vi)));
            texts.push((COLUMN, words(&column.description.en)));
        }
        texts.retain(|(_, words)| !words.is_empty());
        texts.sort_by_key(|(worth, _)| std::cmp::Reverse(*worth));
        Indexed { folded_title: fold(&entry.title.vi), entry, texts }
    }

    /// How well the words fit; `None` if one of them is nowhere.
    fn score(&self, wanted: &[Word]) -> Option<u32> {
        let mut score = 0;
        for (i, word) in wanted.iter().enumerate() {
            let last = i + 1 == wanted.len();
            let best = self
                .texts
                .iter()
                .filter_map(|(worth, text)| Some(worth * best_fit(text, word, last)?))
                .max()?;
            score += best;
        }
        let together = wanted.windows(2).enumerate().map(|(i, pair)| {
            let last = i + 2 == wanted.len();
            let worths = self
                .texts
                .iter()
                .filter(|(_, text)| stand_together(text, pair, last))
                .map(|(worth, _)| *worth);
            worths.max().unwrap_or(0) * TOGETHER
        });
        Some(score + together.sum::<u32>())
    }
}

/// Worth of a fit: the beginning of a word, a word without its marks, the word as written.
const BEGINNING: u32 = 1;
const FOLDED: u32 = 2;
const EXACT: u32 = 3;
/// Worth of two words standing together.
const TOGETHER: u32 = 2;

fn best_fit(text: &[Word], wanted: &Word, may_begin: bool) -> Option<u32> {
    text.iter().filter_map(|word| fit(word, wanted, may_begin)).max()
}

fn fit(word: &Word, wanted: &Word, may_begin: bool) -> Option<u32> {
    if word.exact == wanted.exact {
        Some(EXACT)
    } else if word.folded == wanted.folded {
        Some(FOLDED)
    } else if may_begin && word.folded.starts_with(&wanted.folded) {
        Some(BEGINNING)
    } else {
        None
    }
}

fn stand_together(text: &[Word], pair: &[Word], may_begin: bool) -> bool {
    let [first, second] = pair else { return false };
    text.windows(2).any(|window| match window {
        [a, b] => fit(a, first, false).is_some() && fit(b, second, may_begin).is_some(),
        _ => false,
    })
}

struct Filter<'q> {
    participant: Option<&'q str>,
    theme: Option<String>,
    keyword: Option<String>,
}

impl<'q> Filter<'q> {
    fn new(query: &'q Query) -> Self {
        Filter {
            participant: query.participant.as_deref(),
            theme: query.theme.as_deref().map(|t| fold(t.trim())),
            keyword: query.keyword.as_deref().map(|k| fold(k.trim())),
        }
    }

    fn fits(&self, entry: &CatalogEntry) -> bool {
        let same = |wanted: &Option<String>, has: &[String]| {
            wanted.as_ref().is_none_or(|wanted| has.iter().any(|word| fold(word.trim()) == *wanted))
        };
        self.participant.is_none_or(|p| p == entry.participant)
            && same(&self.theme, entry.theme.as_slice())
            && same(&self.keyword, &entry.keywords)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    fn entry(dataset: &str, title: &str) -> CatalogEntry {
        CatalogEntry {
            participant: "urn:agency:a".to_owned(),
            dataset: dataset.to_owned(),
            title: Text::new(title, ""),
            ..CatalogEntry::default()
        }
    }

    fn index(entries: Vec<CatalogEntry>) -> SearchIndex {
        let mut index = SearchIndex::new();
        for entry in entries {
            index.put(entry).unwrap();
        }
        index
    }

    fn found(index: &SearchIndex, text: &str) -> Vec<String> {
        index.search(&Query::new(text)).hits.iter().map(|h| h.entry.dataset.clone()).collect()
    }

    #[test]
    fn marks_may_be_left_out_and_words_together_come_first() {
        let index = index(vec![
            entry("trade", "Giao dịch thông tin đất đai"),
            entry("traffic", "Lưu lượng giao thông theo giờ"),
            entry("water", "Mực nước sông Hồng"),
        ]);
        assert_eq!(found(&index, "giao thong"), ["traffic", "trade"]);
        assert_eq!(found(&index, "giao thông"), ["traffic", "trade"]);
        assert_eq!(found(&index, "THÔNG GIAO"), ["trade", "traffic"]);
        assert_eq!(found(&index, "dat dai"), ["trade"]);
        assert_eq!(found(&index, "luu luong gi"), ["traffic"], "the last word may be begun only");
        assert!(found(&index, "lu luong").is_empty(), "the others may not");
        assert!(found(&index, "giao thong xe").is_empty(), "all words must be there");
        assert!(found(&index, "!!!").is_empty(), "no words at all find nothing");
        assert_eq!(found(&index, "  ").len(), 3, "no text finds everything");
    }

    #[test]
    fn written_marks_count() {
        let index =
            index(vec![entry("drug", "Ma túy"), entry("tax", "Mã số thuế"), entry("grave", "Má và mạ")]);
        assert_eq!(found(&index, "mã")[0], "tax");
        assert_eq!(found(&index, "ma")[0], "drug");
        assert_eq!(found(&index, "ma").len(), 3);
    }

    #[test]
    fn the_title_counts_more_than_keywords_description_and_columns() {
        let mut column = entry("column", "a");
        column.columns =
            vec![crate::EntryColumn { name: "mưa".to_owned(), kind: None, description: Text::default() }];
        let mut description = entry("description", "b");
        description.description = Text::new("Lượng mưa đo hằng giờ", "");
        let mut keyword = entry("keyword", "c");
        keyword.keywords = vec!["mưa".to_owned()];
        let index = index(vec![column, description, keyword, entry("title", "Mưa")]);
        assert_eq!(found(&index, "mua"), ["title", "keyword", "description", "column"]);
    }

    #[test]
    fn filters_pages_and_totals() {
        let mut entries: Vec<_> =
            (0..30).map(|i| entry(&format!("d{i:02}"), &format!("Dữ liệu {i:02}"))).collect();
        entries[3].theme = Some("Y tế".to_owned());
        entries[4].keywords = vec!["Không khí".to_owned()];
        entries[5].participant = "urn:agency:b".to_owned();
        let index = index(entries);
        let one = |query: Query| {
            let found = index.search(&Query { limit: 10, ..query });
            assert_eq!(found.total, 1);
            found.hits[0].entry.dataset.clone()
        };
        assert_eq!(one(Query { theme: Some("y te".to_owned()), ..Query::default() }), "d03");
        assert_eq!(one(Query { keyword: Some("khong khi ".to_owned()), ..Query::new("du lieu") }), "d04");
        assert_eq!(one(Query { participant: Some("urn:agency:b".to_owned()), ..Query::default() }), "d05");
        let page = index.search(&Query { offset: 25, limit: 10, ..Query::new("du lieu") });
        assert_eq!((page.total, page.hits.len()), (30, 5));
        assert_eq!(page.hits[0].entry.dataset, "d25");
        let some = index.search_where(&Query::new(""), |e| e.dataset == "d07");
        assert_eq!((some.total, some.hits.len()), (1, 1));
    }

    #[test]
    fn a_newer_entry_takes_the_place_of_the_older_one() {
        let mut index = index(vec![entry("x", "Cũ"), entry("y", "Khác")]);
        index.put(entry("x", "Mới")).unwrap();
        assert_eq!(index.len(), 2);
        assert!(found(&index, "cu").is_empty());
        assert_eq!(index.get("urn:agency:a", "x").unwrap().title.vi, "Mới");
        assert!(index.remove("urn:agency:a", "x") && !index.remove("urn:agency:a", "x"));
        assert_eq!(index.remove_participant("urn:agency:a"), 1);
        assert!(index.is_empty());
        assert!(index.put(entry("", "no name")).is_err());
    }

    #[test]
    fn limits_of_query_page_and_index() {
        let mut index = SearchIndex::new();
        for i in 0..limits::ENTRIES_MAX {
            index.put(entry(&format!("{i}"), "a")).unwrap();
        }
        assert!(matches!(index.put(entry("one more", "a")), Err(CatalogError::IndexFull)));
        index.put(entry("7", "b")).unwrap();
        let all = index.search(&Query { limit: usize::MAX, ..Query::new("a") });
        assert_eq!((all.total, all.hits.len()), (limits::ENTRIES_MAX - 1, limits::HITS_MAX));
        let words = |n: usize| format!("{}zzz", "b ".repeat(n));
        assert_eq!(
            found(&index, &words(limits::QUERY_WORDS_MAX)),
            ["7"],
            "words beyond the limit do not count"
        );
        assert!(found(&index, &words(limits::QUERY_WORDS_MAX - 1)).is_empty());
        let text = |n: usize| format!("b{}zzz", " ".repeat(n));
        assert_eq!(found(&index, &text(limits::QUERY_CHARS_MAX - 1)), ["7"], "nor do characters");
        assert!(found(&index, &text(limits::QUERY_CHARS_MAX - 2)).is_empty());
    }
}
