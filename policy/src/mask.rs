//! Masks: what is done to one column before a row leaves, ordered by how much they hide.
//!
//! The kinds are a chain, `partial < truncate < generalize < linkage < hash < constant < null < drop`; inside a kind the
//! parameters form a small lattice of their own, and a partial mask under a truncation shortens what that shows; pseudonyms of
//! two linkage keys join to pseudonyms of the agreement alone. So any two masks have exactly one least mask that is at least as strict as both, and
//! the order in which rules are met can never change what leaves.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::limits::LITERAL_BYTES_MAX;
use crate::linkage::Linkage;

/// What is done to a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "Wire")]
pub enum Mask {
    /// Only the first and last characters stay; the rest is replaced. Bare `partial` shows the last four.
    Partial(Shown),
    /// Only so many first characters stay, and nothing tells how many there were.
    Truncate(u8),
    /// A coarser value. Bare `generalize` is [`Generalization::Coarsest`].
    Generalize(Generalization),
    /// HMAC with a key that providers share: equal values are equal for one recipient and purpose, whichever of them
    /// answers. It links more than [`Mask::Hash`] and so hides less.
    Linkage(Linkage),
    /// HMAC with a key of the agreement: equal values stay equal under one agreement and mean nothing outside it.
    Hash,
    /// The same text in every row.
    Constant(String),
    /// No value; the column stays.
    Null,
    /// The column does not leave at all.
    Drop,
}

/// How many characters a partial mask leaves visible; each at most 16. A value that is not longer than what would be
/// shown is hidden whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Characters at the beginning.
    #[serde(default)]
    pub first: u8,
    /// Characters at the end.
    #[serde(default)]
    pub last: u8,
}

/// How a value is made coarser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generalization {
    /// A time to its day.
    Day,
    /// A date to its month.
    Month,
    /// A date to its year.
    Year,
    /// A number to the lower edge of its bucket of this width.
    Bucket(NonZeroU64),
    /// A number cut to so many decimals, towards the lower: two decimals of a coordinate are about a kilometre.
    Decimals(u8),
    /// An address to so many of its last parts, which commas separate: 1 leaves the province.
    Place(u8),
    /// As coarse as the column's kind allows: dates to the year, anything else to no value.
    Coarsest,
}

/// Most characters a partial mask may show at either end.
pub const SHOWN_MAX: u8 = 16;
/// Most characters that a truncation leaves.
const TRUNCATE_MAX: u8 = 64;
/// Most decimals that a generalised number keeps: six of a coordinate are a tenth of a metre.
const DECIMALS_MAX: u8 = 6;
/// Most parts that a generalised address keeps.
const PLACE_PARTS_MAX: u8 = 4;

impl Mask {
    /// The least mask that is at least as strict as both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Partial(a), Self::Partial(b)) => {
                Self::Partial(Shown { first: a.first.min(b.first), last: a.last.min(b.last) })
            }
            (Self::Truncate(a), Self::Truncate(b)) => Self::Truncate(*a.min(b)),
            (Self::Partial(shown), Self::Truncate(n)) | (Self::Truncate(n), Self::Partial(shown)) => {
                Self::Truncate(*n.min(&shown.first))
            }
            (Self::Generalize(a), Self::Generalize(b)) => Self::Generalize(a.join(*b)),
            // Two different constants: neither hides more, so the next kind up hides both.
            (Self::Constant(a), Self::Constant(b)) if a != b => Self::Null,
            // Two keys link with two circles; what links with neither is the agreement's own.
            (Self::Linkage(a), Self::Linkage(b)) if a != b => Self::Hash,
            _ if self.strength() >= other.strength() => self.clone(),
            _ => other.clone(),
        }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Partial(_) => 0,
            Self::Truncate(_) => 1,
            Self::Generalize(_) => 2,
            Self::Linkage(_) => 3,
            Self::Hash => 4,
            Self::Constant(_) => 5,
            Self::Null => 6,
            Self::Drop => 7,
        }
    }
}

impl Generalization {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            // Buckets nest only when one width divides the other, so the least that hides both is the common multiple.
            (Self::Bucket(a), Self::Bucket(b)) => common_multiple(a, b).map_or(Self::Coarsest, Self::Bucket),
            // A whole bucket is coarser than any decimals.
            (Self::Bucket(width), Self::Decimals(_)) | (Self::Decimals(_), Self::Bucket(width)) => {
                Self::Bucket(width)
            }
            (Self::Decimals(a), Self::Decimals(b)) => Self::Decimals(a.min(b)),
            (Self::Place(a), Self::Place(b)) => Self::Place(a.min(b)),
            (Self::Day, Self::Month) | (Self::Month, Self::Day) => Self::Month,
            (Self::Day | Self::Month, Self::Year) | (Self::Year, Self::Day | Self::Month) => Self::Year,
            _ => Self::Coarsest,
        }
    }
}

fn common_multiple(a: NonZeroU64, b: NonZeroU64) -> Option<NonZeroU64> {
    let (mut x, mut y) = (a.get(), b.get());
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.get() / x).checked_mul(b.get()).and_then(NonZeroU64::new)
}

/// The two ways to write a mask: a bare word, or an object with its parameter.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a mask: `partial`, `generalize`, `hash`, `null`, `drop`, {\"partial\": {\"first\": 1, \
                 \"last\": 0}}, {\"truncate\": 3}, {\"generalize\": \"day\" | \"month\" | \"year\" | {\"bucket\": 1000} | \
                 {\"decimals\": 2} | {\"place\": 1}}, {\"linkage\": \"NAME@ID\"} (as `tram linkage list` prints it) or \
                 {\"constant\": \"…\"}"
)]
enum Wire {
    Word(Word),
    Detail(Detail),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Partial,
    Generalize,
    Hash,
    Null,
    Drop,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Detail {
    Partial(Shown),
    Truncate(u8),
    Generalize(Generalization),
    Linkage(Linkage),
    Constant(String),
}

impl TryFrom<Wire> for Mask {
    type Error = String;
    fn try_from(wire: Wire) -> Result<Self, String> {
        Ok(match wire {
            Wire::Word(Word::Partial) => Self::Partial(Shown { first: 0, last: 4 }),
            Wire::Word(Word::Generalize) => Self::Generalize(Generalization::Coarsest),
            Wire::Word(Word::Hash) => Self::Hash,
            Wire::Word(Word::Null) => Self::Null,
            Wire::Word(Word::Drop) => Self::Drop,
            Wire::Detail(Detail::Partial(shown)) if shown.first > SHOWN_MAX || shown.last > SHOWN_MAX => {
                return Err(format!("a partial mask shows at most {SHOWN_MAX} characters at either end"));
            }
            Wire::Detail(Detail::Partial(shown)) => Self::Partial(shown),
            Wire::Detail(Detail::Truncate(n)) if n > TRUNCATE_MAX => {
                return Err(format!("a truncation leaves at most {TRUNCATE_MAX} characters"));
            }
            Wire::Detail(Detail::Truncate(n)) => Self::Truncate(n),
            Wire::Detail(Detail::Generalize(Generalization::Decimals(n))) if n == 0 || n > DECIMALS_MAX => {
                return Err(format!(
                    "`decimals` keeps 1 to {DECIMALS_MAX}; whole numbers are {{\"bucket\": 1}}"
                ));
            }
            Wire::Detail(Detail::Generalize(Generalization::Place(n))) if n == 0 || n > PLACE_PARTS_MAX => {
                return Err(format!("`place` keeps the last 1 to {PLACE_PARTS_MAX} parts of an address"));
            }
            Wire::Detail(Detail::Generalize(to)) => Self::Generalize(to),
            Wire::Detail(Detail::Linkage(key)) => Self::Linkage(key),
            Wire::Detail(Detail::Constant(text)) if text.len() > LITERAL_BYTES_MAX => {
                return Err(format!("a constant mask has at most {LITERAL_BYTES_MAX} bytes"));
            }
            Wire::Detail(Detail::Constant(text)) => Self::Constant(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Mask, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn both_ways_to_write_a_mask() {
        assert_eq!(read(r#""null""#).unwrap(), Mask::Null);
        assert_eq!(read(r#""partial""#).unwrap(), Mask::Partial(Shown { first: 0, last: 4 }));
        assert_eq!(read(r#"{"partial": {"first": 1}}"#).unwrap(), Mask::Partial(Shown { first: 1, last: 0 }));
        assert_eq!(read(r#"{"generalize": "year"}"#).unwrap(), Mask::Generalize(Generalization::Year));
        assert_eq!(
            read(r#"{"generalize": {"bucket": 10}}"#).unwrap(),
            Mask::Generalize(Generalization::Bucket(NonZeroU64::new(10).unwrap()))
        );
        assert_eq!(read(r#"{"constant": "***"}"#).unwrap(), Mask::Constant("***".into()));
    }

    #[test]
    fn a_mask_that_is_not_understood_is_refused() {
        for bad in [
            r#""blur""#,
            r#""NULL""#,
            "null",
            r#"{"partial": {"middle": 2}}"#,
            r#"{"partial": {"first": 17}}"#,
            r#"{"partial": {"first": -1}}"#,
            r#"{"generalize": "decade"}"#,
            r#"{"generalize": {"bucket": 0}}"#,
            r#"{"hash": "sha256"}"#,
            r#""linkage""#,
            r#"{"linkage": "dinh-danh"}"#,
            r#"{"constant": 1}"#,
            r#"{"constant": "a", "partial": {}}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for json in [
            r#"{"linkage":"dinh-danh@0f3a9c21b4d8e6f01b7e54d2c6a8930f"}"#,
            r#""hash""#,
            r#"{"partial":{"first":0,"last":4}}"#,
            r#"{"generalize":"coarsest"}"#,
            r#""drop""#,
        ] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn the_stricter_hides_what_both_hide() {
        let first = Mask::Partial(Shown { first: 2, last: 0 });
        let last = Mask::Partial(Shown { first: 0, last: 4 });
        assert_eq!(first.join(&last), Mask::Partial(Shown { first: 0, last: 0 }));
        assert_eq!(Mask::Constant("a".into()).join(&Mask::Constant("b".into())), Mask::Null);
        let linkage = |id: &str| Mask::Linkage(crate::Linkage::new("a", id).unwrap());
        let (one, other) =
            (linkage("00000000000000000000000000000001"), linkage("00000000000000000000000000000002"));
        assert_eq!(one.join(&one), one);
        assert_eq!(one.join(&other), Mask::Hash, "what two circles may link, neither may");
        assert_eq!((one.join(&Mask::Hash), one.join(&first)), (Mask::Hash, one.clone()));
        let bucket = |n| Mask::Generalize(Generalization::Bucket(NonZeroU64::new(n).unwrap()));
        assert_eq!(bucket(10).join(&bucket(15)), bucket(30));
        assert_eq!(bucket(u64::MAX).join(&bucket(2)), Mask::Generalize(Generalization::Coarsest));
        assert_eq!(
            bucket(10).join(&Mask::Generalize(Generalization::Year)),
            Mask::Generalize(Generalization::Coarsest)
        );
    }
}
