//! A live reading: of a table, only the columns and rows that one question needs.
//!
//! **Promise.** Every row that matches all conditions comes, and others may come too: a condition is put to the source only
//! in a form of which that surely holds, whatever its collation, its number formats and the composition of its text. Who
//! asks applies the conditions again to what came.
//!
//! **How values travel.** As bound parameters, never as part of a statement; names are quoted.
//!
//! **What a cell without a form does.** In a live reading it is missing, and the row's place names its column; so is one that
//! is too large, alone or together with the others of its row. One row that nobody may see must not end the answer to
//! somebody else's question; who asks must not take such a row for whole. Cells that are not needed are not looked at.

use std::path::Path;

use catalog::ColumnKind;

use crate::{IntakeError, Origin, Rows};

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=` one value.
    Equal,
    /// `<>` one value.
    Unequal,
    /// `<` one value.
    Less,
    /// `<=` one value.
    LessOrEqual,
    /// `>` one value.
    Greater,
    /// `>=` one value.
    GreaterOrEqual,
    /// Equal to one of the values.
    In,
    /// From the first value to the second, both included.
    Between,
    /// A text that begins with the one value.
    StartsWith,
    /// Missing, or a text of no letters.
    Missing,
    /// Neither.
    Present,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A text; a day as `2026-11-23`; a time as `2026-11-23T08:00:00.000000`.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
}

/// One comparison of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// What the contract says that it holds.
    pub kind: ColumnKind,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub values: Vec<Given>,
}

/// What one question needs of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// The columns of the contract.
    pub all: Vec<String>,
    /// Those that are needed; some of `all`.
    pub columns: Vec<String>,
    /// Conditions of the policy.
    pub policy: Vec<Condition>,
    /// Conditions of whoever asks. They are put to tables alone: a view may compute, and a computation that fails on a row
    /// would tell of it.
    pub asked: Vec<Condition>,
    /// Rows after which reading may stop.
    pub limit: Option<u64>,
}

/// A reading under way.
pub struct Live {
    /// The rows: at least the columns wanted, perhaps more.
    pub rows: Box<dyn Rows>,
    /// The statement that reads them. It holds no value.
    pub statement: String,
    /// How many of the policy's conditions the source applies, and how many of the others.
    pub pushed: (usize, usize),
}

impl Origin {
    /// Whether questions can be put to this origin one by one.
    #[must_use]
    pub fn can_be_live(&self) -> bool {
        match self {
            Self::Postgresql(it) => it.table.is_some(),
            Self::Sqlite(it) => it.table.is_some(),
            _ => false,
        }
    }

    /// Opens what one question needs.
    ///
    /// # Errors
    /// Every [`IntakeError`]; [`IntakeError::Origin`] where [`Self::can_be_live`] says no.
    pub fn open_live(&self, base: &Path, wanted: &Wanted) -> Result<Live, IntakeError> {
        match self {
            Self::Postgresql(it) if it.table.is_some() => it.open_live(base, wanted),
            Self::Sqlite(it) if it.table.is_some() => it.open_live(base, wanted),
            _ => Err(IntakeError::origin(
                "chỉ một bảng (`table`) của PostgreSQL hay SQLite mới đọc trực tiếp được; hãy bỏ `mode = \"live\"`",
                "only a `table` of PostgreSQL or SQLite can be read live; take `mode = \"live\"` out",
            )),
        }
    }
}

/// Whether a text can only have been made, by composing letters (NFC), of itself: it is ASCII, and none of the three
/// characters that other characters become (U+212A, U+037E, U+1FEF).
pub(crate) fn composed_of_itself(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii() && !matches!(b, b'K' | b';' | b'`'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization as _;

    #[test]
    fn no_other_character_becomes_a_text_that_is_composed_of_itself() {
        let mut others = 0;
        for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii()) {
            let composed: String = std::iter::once(c).nfc().collect();
            assert!(composed.is_empty() || !composed_of_itself(&composed), "{c:?}");
            others += u32::from(composed.is_ascii());
        }
        assert_eq!(others, 3);
        assert!(!composed_of_itself("Hà") && !composed_of_itself("HK") && composed_of_itself("00004"));
    }
}
