//! Conditions that a client sends so that it gets fewer files. What they leave out is known from the files' figures.
//!
//! **Promise.** A file is left out only if none of its rows can fulfil the condition, as its figures say: rows, missing
//! values, and the least and the greatest value of a column. What is not understood, or not known, leaves the file in.

mod json;
mod sql;

pub use self::json::from_json;
pub use self::sql::from_sql;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Hint {
    /// A column compared with a value.
    Compare(String, Op, Literal),
    /// The column's value is missing.
    IsNull(String),
    /// All hold.
    And(Vec<Hint>),
    /// One holds.
    Or(Vec<Hint>),
    /// It does not hold.
    Not(Box<Hint>),
    /// Something that is not understood: it may hold or not.
    Unknown,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// The same comparison with its sides changed.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }
}

/// A value that a column is compared with, or an end of its range.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Whole number.
    Whole(i64),
    /// Number.
    Number(f64),
    /// Calendar day, `YYYY-MM-DD`.
    Day(String),
    /// Anything else; nothing is compared with it.
    Other,
}

impl Literal {
    /// A calendar day, if the text is one.
    #[must_use]
    pub fn day(text: &str) -> Option<Self> {
        let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        let good = text.len() == 10
            && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit)
            && text.as_bytes().get(4) == Some(&b'-')
            && text.as_bytes().get(7) == Some(&b'-');
        good.then(|| Self::Day(text.to_owned()))
    }

    /// How it stands to another; none where the two cannot be compared for certain.
    fn order(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            (Self::Day(a), Self::Day(b)) => Some(a.cmp(b)),
            (Self::Whole(a), Self::Number(b)) => exact(*a)?.partial_cmp(b),
            (Self::Number(a), Self::Whole(b)) => a.partial_cmp(&exact(*b)?),
            _ => None,
        }
    }
}

/// A whole number as a number, where that is the same.
fn exact(whole: i64) -> Option<f64> {
    const EXACT_MAX: u64 = 1 << 53;
    (whole.unsigned_abs() <= EXACT_MAX).then_some(whole as f64)
}

/// Figures of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Rows.
    pub rows: u64,
    /// What its columns hold.
    pub columns: Vec<ColumnFacts>,
}

/// Figures of one column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFacts {
    /// Name.
    pub name: String,
    /// Missing values.
    pub nulls: u64,
    /// Least and greatest value, where they are known.
    pub range: Option<[Literal; 2]>,
}

impl Facts {
    fn column(&self, name: &str) -> Option<&ColumnFacts> {
        let mut named = self.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let found = named.next()?;
        // Two names that differ by their case alone: it is not known which is meant.
        named.next().is_none().then_some(found)
    }
}

/// What a condition may be for the rows of a file. A row for which it is neither (a missing value) counts for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    hold: bool,
    fail: bool,
}

const EITHER: May = May { hold: true, fail: true };

impl Hint {
    /// Whether a row of the file may fulfil it.
    #[must_use]
    pub fn may_hold(&self, facts: &Facts) -> bool {
        self.may(facts).hold
    }

    fn may(&self, facts: &Facts) -> May {
        match self {
            Self::Unknown => EITHER,
            Self::Compare(column, op, value) => {
                facts.column(column).map_or(EITHER, |found| compared(found, facts.rows, *op, value))
            }
            Self::IsNull(column) => facts
                .column(column)
                .map_or(EITHER, |found| May { hold: found.nulls > 0, fail: found.nulls < facts.rows }),
            Self::And(all) => May {
                hold: all.iter().all(|hint| hint.may(facts).hold),
                fail: all.iter().any(|hint| hint.may(facts).fail),
            },
            Self::Or(all) => May {
                hold: all.iter().any(|hint| hint.may(facts).hold),
                fail: all.iter().all(|hint| hint.may(facts).fail),
            },
            Self::Not(inner) => {
                let May { hold, fail } = inner.may(facts);
                May { hold: fail, fail: hold }
            }
        }
    }
}

fn compared(column: &ColumnFacts, rows: u64, op: Op, value: &Literal) -> May {
    if column.nulls >= rows {
        return May { hold: false, fail: false };
    }
    let Some([least, most]) = &column.range else { return EITHER };
    let (Some(from), Some(to)) = (least.order(value), most.order(value)) else { return EITHER };
    let (all_equal, inside) = (from.is_eq() && to.is_eq(), from.is_le() && to.is_ge());
    // What is no number (NaN) is in no figure, and for some readers it is greater than all numbers.
    let more = matches!(least, Literal::Number(_));
    match op {
        Op::Eq => May { hold: inside, fail: !all_equal || more },
        Op::Ne => May { hold: !all_equal || more, fail: inside },
        Op::Lt => May { hold: from.is_lt(), fail: to.is_ge() || more },
        Op::Le => May { hold: from.is_le(), fail: to.is_gt() || more },
        Op::Gt => May { hold: to.is_gt() || more, fail: from.is_le() },
        Op::Ge => May { hold: to.is_ge() || more, fail: from.is_lt() },
    }
}

#[cfg(test)]
mod tests;
