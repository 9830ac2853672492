//! A filter as a tree, with every name resolved and every kind checked.

use std::fmt;

use crate::{ColumnKind, EntitySet, Function, Value, literal};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compare {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

/// The comparisons, with their words.
pub(crate) const COMPARISONS: [(Compare, &str); 6] = [
    (Compare::Eq, "eq"),
    (Compare::Ne, "ne"),
    (Compare::Gt, "gt"),
    (Compare::Ge, "ge"),
    (Compare::Lt, "lt"),
    (Compare::Le, "le"),
];

impl Compare {
    /// The same comparison read from the other side: `5 lt a` is `a gt 5`.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            same => same,
        }
    }

    fn word(self) -> &'static str {
        COMPARISONS.iter().find(|(known, _)| *known == self).map_or("", |(_, word)| word)
    }
}

/// What kind of value an expression has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Yes or no.
    Truth,
    /// A whole number.
    Whole,
    /// A number; whole ones are numbers, too.
    Number,
    /// A text.
    Text,
    /// A day.
    Day,
    /// A day and time of day.
    Time,
    /// A day or a time; only in what functions take.
    DayOrTime,
    /// Missing: fits everything.
    Nothing,
}

impl Sort {
    /// In words, for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Day => "a day",
            Self::Time => "a time",
            Self::DayOrTime => "a day or a time",
            Self::Nothing => "null",
        }
    }

    /// Whether a value of this kind is taken where `wanted` is.
    pub(crate) fn fits(self, wanted: Self) -> bool {
        self == wanted
            || matches!(
                (self, wanted),
                (Self::Nothing, _) | (Self::Whole, Self::Number) | (Self::Day | Self::Time, Self::DayOrTime)
            )
    }

    /// Whether values of both kinds can be compared.
    pub(crate) fn compares(self, other: Self) -> bool {
        self.fits(other) || other.fits(self)
    }
}

/// An expression. Columns are places in [`EntitySet::properties`].
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A value.
    Literal(Value),
    /// A column.
    Property(usize),
    /// A call.
    Call(Function, Vec<Expr>),
    /// A comparison.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// One of these values.
    In(Box<Expr>, Vec<Value>),
    /// All of these; at least two.
    And(Vec<Expr>),
    /// Any of these; at least two.
    Or(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
}

impl Expr {
    /// What kind of value it has.
    pub(crate) fn sort(&self, set: &EntitySet) -> Sort {
        match self {
            Self::Literal(value) => sort_of(value),
            Self::Property(at) => set.properties.get(*at).map_or(Sort::Nothing, |p| kind(p.column.kind)),
            Self::Call(function, _) => function.gives(),
            Self::Compare(..) | Self::In(..) | Self::And(_) | Self::Or(_) | Self::Not(_) => Sort::Truth,
        }
    }

    /// Places of the columns that it names; some may come twice.
    #[must_use]
    pub fn properties(&self) -> Vec<usize> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Property(at) => vec![*at],
            Self::Call(_, parts) | Self::And(parts) | Self::Or(parts) => {
                parts.iter().flat_map(Self::properties).collect()
            }
            Self::Compare(_, left, right) => [left.properties(), right.properties()].concat(),
            Self::In(inner, _) | Self::Not(inner) => inner.properties(),
        }
    }

    /// As a text that [`crate::filter`] reads back.
    #[must_use]
    pub fn text(&self, set: &EntitySet) -> String {
        Shown(self, set).to_string()
    }
}

pub(crate) fn sort_of(value: &Value) -> Sort {
    match value {
        Value::Null => Sort::Nothing,
        Value::Boolean(_) => Sort::Truth,
        Value::Integer(_) => Sort::Whole,
        Value::Number(_) => Sort::Number,
        Value::Text(_) => Sort::Text,
        Value::Date(_) => Sort::Day,
        Value::Time(_) => Sort::Time,
    }
}

fn kind(kind: ColumnKind) -> Sort {
    match kind {
        ColumnKind::Text => Sort::Text,
        ColumnKind::Integer => Sort::Whole,
        ColumnKind::Number => Sort::Number,
        ColumnKind::Boolean => Sort::Truth,
        ColumnKind::Date => Sort::Day,
        ColumnKind::Timestamp => Sort::Time,
    }
}

struct Shown<'a>(&'a Expr, &'a EntitySet);

/// A value in the middle of a text.
struct Quoted<'a>(&'a Value);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        literal::write(self.0, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.1;
        let joined = |parts: &[Expr], sign: &str| {
            let texts: Vec<String> = parts.iter().map(|part| Shown(part, set).to_string()).collect();
            texts.join(sign)
        };
        match self.0 {
            Expr::Literal(value) => literal::write(value, f),
            Expr::Property(at) => f.write_str(set.properties.get(*at).map_or("", |p| p.name.as_str())),
            Expr::Call(function, arguments) => write!(f, "{}({})", function.name(), joined(arguments, ",")),
            Expr::Compare(op, left, right) => {
                write!(f, "({} {} {})", Shown(left, set), op.word(), Shown(right, set))
            }
            Expr::In(left, values) => {
                let values: Vec<String> = values.iter().map(|value| Quoted(value).to_string()).collect();
                write!(f, "({} in ({}))", Shown(left, set), values.join(","))
            }
            Expr::And(parts) => write!(f, "({})", joined(parts, " and ")),
            Expr::Or(parts) => write!(f, "({})", joined(parts, " or ")),
            Expr::Not(inner) => write!(f, "not ({})", Shown(inner, set)),
        }
    }
}
