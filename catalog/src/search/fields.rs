//! The fields of the index, and an entry as a document of it.
//!
//! Each text stands in three fields of its place: as written, folded, and as folded pairs of neighbours ("giao_thong"). The
//! pairs are what Vietnamese needs instead of a dictionary: most of its words are two syllables.

use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{TantivyDocument, Term};

use crate::CatalogEntry;
use crate::fold::{Word, words};

/// Splits at blanks only: what comes to the index are words already.
const AT_BLANKS: &str = "whitespace";

/// The three fields of one place in an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Words as written, composed and in lower case.
    pub(super) exact: Field,
    /// Words without marks.
    pub(super) fold: Field,
    /// Neighbours without marks.
    pub(super) pair: Field,
    /// What a hit here is worth.
    pub(super) worth: f32,
    /// Words that such a text usually has, for weighing its length.
    pub(super) length: u64,
}

/// All fields.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// Number of the entry in this index.
    pub(super) slot: Field,
    /// All words of all places, folded: what must be there.
    pub(super) all: Field,
    /// The same without columns: not everybody who finds an entry may know what its columns are called.
    pub(super) open: Field,
    /// Title; keywords, theme and name; description; columns.
    pub(super) places: [Place; 4],
}

/// Worth of title, keywords, description and columns, and how many words they usually have.
const PLACES: [(&str, f32, u64); 4] =
    [("title", 4.0, 8), ("tag", 2.0, 8), ("description", 1.0, 30), ("column", 0.5, 30)];

impl Fields {
    /// The schema with its fields.
    pub(super) fn new() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let text = |record| {
            let indexing = TextFieldIndexing::default().set_tokenizer(AT_BLANKS).set_index_option(record);
            TextOptions::default().set_indexing_options(indexing)
        };
        let slot = schema.add_u64_field("slot", FAST | INDEXED);
        // With positions, for the words of a synonym, which must stand together.
        let all = schema.add_text_field("all", text(IndexRecordOption::WithFreqsAndPositions));
        let open = schema.add_text_field("open", text(IndexRecordOption::WithFreqsAndPositions));
        let places = PLACES.map(|(name, worth, length)| {
            let mut add = |kind: &str| {
                schema.add_text_field(&format!("{name}_{kind}"), text(IndexRecordOption::WithFreqs))
            };
            Place { exact: add("exact"), fold: add("fold"), pair: add("pair"), worth, length }
        });
        (schema.build(), Self { slot, all, open, places })
    }

    /// How many words a text of this field usually has.
    pub(super) fn length(&self, field: Field) -> u64 {
        let of = self.places.iter().find(|p| [p.exact, p.fold, p.pair].contains(&field));
        of.map_or(1, |place| place.length)
    }

    /// The term that takes an entry out.
    pub(super) fn slot_term(&self, slot: usize) -> Term {
        Term::from_field_u64(self.slot, slot as u64)
    }

    /// An entry as a document.
    pub(super) fn document(&self, slot: usize, entry: &CatalogEntry) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_u64(self.slot, slot as u64);
        for (place, texts) in self.places.iter().zip(texts(entry)) {
            for text in texts {
                self.add(&mut document, place, &words(text));
            }
        }
        document
    }

    /// Where words are looked for, with the columns or without: the field with all words, and the places.
    pub(super) fn sought(&self, columns: bool) -> (Field, &[Place]) {
        match self.places.split_last() {
            Some((_, others)) if !columns => (self.open, others),
            _ => (self.all, &self.places),
        }
    }

    fn is_column(&self, place: &Place) -> bool {
        self.places.last().is_some_and(|column| column.fold == place.fold)
    }

    fn add(&self, document: &mut TantivyDocument, place: &Place, words: &[Word]) {
        if words.is_empty() {
            return;
        }
        let spelled: Vec<String> = words.iter().map(Word::spelled).collect();
        let exact: Vec<&str> = words.iter().map(|w| w.exact.as_str()).collect();
        let folded = spelled.join(" ");
        document.add_text(self.all, &folded);
        if !self.is_column(place) {
            document.add_text(self.open, &folded);
        }
        document.add_text(place.fold, &folded);
        document.add_text(place.exact, exact.join(" "));
        let pairs = pairs(&spelled);
        if !pairs.is_empty() {
            document.add_text(place.pair, pairs.join(" "));
        }
    }
}

/// Neighbours, joined.
pub(super) fn pairs(words: &[String]) -> Vec<String> {
    words
        .windows(2)
        .filter_map(|w| match w {
            [a, b] => Some(format!("{a}_{b}")),
            _ => None,
        })
        .collect()
}

/// The texts of an entry by their places. Each keyword and column is a text of its own: the end of one and the beginning of
/// the next are no neighbours.
fn texts(entry: &CatalogEntry) -> [Vec<&str>; 4] {
    let title = vec![entry.title.vi.as_str(), &entry.title.en];
    let mut tags = vec![entry.dataset.rsplit(['/', ':']).next().unwrap_or_default()];
    tags.extend(entry.theme.as_deref());
    tags.extend(entry.keywords.iter().map(String::as_str));
    let description = vec![entry.description.vi.as_str(), &entry.description.en];
    let mut columns = Vec::new();
    for column in &entry.columns {
        columns.extend([column.name.as_str(), &column.description.vi, &column.description.en]);
    }
    [title, tags, description, columns]
}
