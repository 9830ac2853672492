//! What fits, as slots with scores, and figures that make a score say nothing of other entries.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::Field;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader, Term};

use super::fields::Fields;

/// Collects everything that fits.
pub(super) struct Slots {
    /// Whether scores are wanted.
    pub(super) scored: bool,
}

pub(super) struct OfSegment {
    slots: Column<u64>,
    found: Vec<(u32, Score)>,
}

impl Collector for Slots {
    type Fruit = Vec<(u32, Score)>;
    type Child = OfSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<OfSegment> {
        Ok(OfSegment { slots: segment.fast_fields().u64("slot")?, found: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        self.scored
    }

    fn merge_fruits(&self, found: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        Ok(found.concat())
    }
}

impl SegmentCollector for OfSegment {
    type Fruit = Vec<(u32, Score)>;

    fn collect(&mut self, document: DocId, score: Score) {
        let slot = self.slots.first(document).and_then(|slot| u32::try_from(slot).ok());
        self.found.extend(slot.map(|slot| (slot, score)));
    }

    fn harvest(self) -> Self::Fruit {
        self.found
    }
}

/// The same figures for every word: a score, and so the order, comes of the entry and the question alone. With true
/// figures, entries that somebody may not see would move those that he may.
pub(super) struct Even<'f>(pub(super) &'f Fields);

/// Entries in the imagined index, and how many of them have a word.
const DOCUMENTS: u64 = 1000;
const WITH_WORD: u64 = 50;

impl Bm25StatisticsProvider for Even<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(DOCUMENTS * self.0.length(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(DOCUMENTS)
    }

    fn doc_freq(&self, _: &Term) -> tantivy::Result<u64> {
        Ok(WITH_WORD)
    }
}
