//! The functions that a filter may call (URL Conventions 4.01, 5.1.1.5 to 5.1.1.11).

use crate::expr::Sort;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `contains(text, part)`
    Contains,
    /// `startswith(text, part)`
    StartsWith,
    /// `endswith(text, part)`
    EndsWith,
    /// `length(text)`, in characters
    Length,
    /// `indexof(text, part)`, in characters from 0 on; -1 if it is not there
    IndexOf,
    /// `substring(text, from[, length])`
    Substring,
    /// `tolower(text)`
    ToLower,
    /// `toupper(text)`
    ToUpper,
    /// `trim(text)`
    Trim,
    /// `concat(text, text)`
    Concat,
    /// `year(day or time)`
    Year,
    /// `month(day or time)`
    Month,
    /// `day(day or time)`
    Day,
    /// `hour(time)`
    Hour,
    /// `minute(time)`
    Minute,
    /// `second(time)`
    Second,
    /// `date(time)`
    Date,
    /// `round(number)`
    Round,
    /// `floor(number)`
    Floor,
    /// `ceiling(number)`
    Ceiling,
}

/// All of them, with their names.
pub(crate) const ALL: [(Function, &str); 20] = [
    (Function::Contains, "contains"),
    (Function::StartsWith, "startswith"),
    (Function::EndsWith, "endswith"),
    (Function::Length, "length"),
    (Function::IndexOf, "indexof"),
    (Function::Substring, "substring"),
    (Function::ToLower, "tolower"),
    (Function::ToUpper, "toupper"),
    (Function::Trim, "trim"),
    (Function::Concat, "concat"),
    (Function::Year, "year"),
    (Function::Month, "month"),
    (Function::Day, "day"),
    (Function::Hour, "hour"),
    (Function::Minute, "minute"),
    (Function::Second, "second"),
    (Function::Date, "date"),
    (Function::Round, "round"),
    (Function::Floor, "floor"),
    (Function::Ceiling, "ceiling"),
];

impl Function {
    /// The function of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, known)| *known == name).map(|(function, _)| *function)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// What it takes; for `substring` the last may be left out.
    pub(crate) fn takes(self) -> &'static [Sort] {
        use Sort::{DayOrTime, Number, Text, Time, Whole};
        match self {
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::IndexOf | Self::Concat => {
                &[Text, Text]
            }
            Self::Length | Self::ToLower | Self::ToUpper | Self::Trim => &[Text],
            Self::Substring => &[Text, Whole, Whole],
            Self::Year | Self::Month | Self::Day => &[DayOrTime],
            Self::Hour | Self::Minute | Self::Second | Self::Date => &[Time],
            Self::Round | Self::Floor | Self::Ceiling => &[Number],
        }
    }

    /// What it gives.
    pub(crate) fn gives(self) -> Sort {
        match self {
            Self::Contains | Self::StartsWith | Self::EndsWith => Sort::Truth,
            Self::Substring | Self::ToLower | Self::ToUpper | Self::Trim | Self::Concat => Sort::Text,
            Self::Length
            | Self::IndexOf
            | Self::Year
            | Self::Month
            | Self::Day
            | Self::Hour
            | Self::Minute
            | Self::Second => Sort::Whole,
            Self::Date => Sort::Day,
            Self::Round | Self::Floor | Self::Ceiling => Sort::Number,
        }
    }
}
