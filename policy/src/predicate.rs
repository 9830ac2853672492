//! Row predicates: `column op value`, never free SQL.
//!
//! A predicate is data: a column name, one of nine operators and typed values. What runs it (the data plane) builds a
//! plan from it; no text is ever pasted into a query. The short form `year >= 2020` is read into the same structure.

use serde::{Deserialize, Serialize};

use crate::ids::shown;
use crate::limits::{COLUMN_BYTES_MAX, IN_VALUES_MAX, LITERAL_BYTES_MAX};

/// Exact name of a column as its header has it: not blank, no blank at either end, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Column(String);

impl Column {
    /// Checks a column name.
    ///
    /// # Errors
    /// [`PredicateError::Column`] for a blank, padded, over-long or unprintable name.
    pub fn new(name: &str) -> Result<Self, PredicateError> {
        let good = !name.is_empty()
            && name.trim() == name
            && name.len() <= COLUMN_BYTES_MAX
            && !name.chars().any(char::is_control);
        if good { Ok(Self(name.to_owned())) } else { Err(PredicateError::Column(shown(name))) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Column {
    type Error = PredicateError;
    fn try_from(name: String) -> Result<Self, PredicateError> {
        Self::new(&name)
    }
}

impl From<Column> for String {
    fn from(column: Column) -> Self {
        column.0
    }
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal to the value.
    Eq,
    /// Not equal to the value.
    Ne,
    /// Less than the value.
    Lt,
    /// Less than or equal to the value.
    Le,
    /// Greater than the value.
    Gt,
    /// Greater than or equal to the value.
    Ge,
    /// One of the values.
    In,
    /// Has no value.
    IsNull,
    /// Has a value.
    NotNull,
    /// Text that begins with the value, taken literally (no wildcard inside).
    LikePrefix,
}

/// A finite number that is no integer. Ordered and equal by [`f64::total_cmp`]; never negative zero.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Finite(f64);

impl Finite {
    /// `None` for infinities and for what is not a number.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(if number == 0.0 { 0.0 } else { number }))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Finite {}
impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Finite {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A typed literal. Dates and times are text in the column's own form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged, try_from = "serde_json::Value")]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(Finite),
    /// Text, at most 1 KiB.
    Text(String),
}

impl TryFrom<serde_json::Value> for Value {
    type Error = PredicateError;
    fn try_from(json: serde_json::Value) -> Result<Self, PredicateError> {
        let literal = || PredicateError::Literal(shown(&json.to_string()));
        match &json {
            serde_json::Value::Bool(b) => Ok(Self::Boolean(*b)),
            serde_json::Value::Number(n) => match (n.as_i64(), n.is_f64()) {
                (Some(whole), _) => Ok(Self::Integer(whole)),
                (None, true) => n.as_f64().and_then(Finite::new).map(Self::Real).ok_or_else(literal),
                // An integer past i64 would lose digits as a float.
                (None, false) => Err(literal()),
            },
            serde_json::Value::String(text) if text.len() <= LITERAL_BYTES_MAX => {
                Ok(Self::Text(text.clone()))
            }
            _ => Err(literal()),
        }
    }
}

/// Why a row predicate is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredicateError {
    /// Not a column name.
    #[error("`{0}` is not a column name: it must not be blank, padded, unprintable or longer than 256 bytes")]
    Column(String),
    /// Not a literal.
    #[error("`{0}` is not a value: give text of at most 1024 bytes, a number or true/false")]
    Literal(String),
    /// The operator has too few or too many values.
    #[error("operator `{op}` on `{column}` takes {takes}, {found} given")]
    Values {
        /// The operator as written in files.
        op: &'static str,
        /// The column.
        column: String,
        /// What it takes.
        takes: &'static str,
        /// How many were given.
        found: usize,
    },
    /// `like_prefix` on something that is not text.
    #[error("operator `like_prefix` on `{0}` takes text")]
    PrefixText(String),
    /// The short form is not of the one allowed shape.
    #[error(
        "`{0}` is not a row filter: write `column >= 2020` or `column = 'text'` (= != < <= > >=), or the object form"
    )]
    Form(String),
}

/// One condition that a row must meet to leave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Read")]
pub struct Predicate {
    column: Column,
    op: Op,
    values: Vec<Value>,
}

impl Predicate {
    /// Builds a predicate. The values of `in` are sorted and without repeats.
    ///
    /// # Errors
    /// [`PredicateError`] when the number or kind of values does not fit the operator.
    pub fn new(column: Column, op: Op, mut values: Vec<Value>) -> Result<Self, PredicateError> {
        let found = values.len();
        let (takes, fits) = match op {
            Op::IsNull | Op::NotNull => ("no value", found == 0),
            Op::In => ("1 to 1000 values", (1..=IN_VALUES_MAX).contains(&found)),
            _ => ("one value", found == 1),
        };
        if !fits {
            return Err(PredicateError::Values {
                op: op.written(),
                column: shown(column.as_str()),
                takes,
                found,
            });
        }
        if op == Op::LikePrefix && !matches!(values.first(), Some(Value::Text(_))) {
            return Err(PredicateError::PrefixText(shown(column.as_str())));
        }
        values.sort();
        values.dedup();
        Ok(Self { column, op, values })
    }

    /// Reads the short form: a plain column name, an operator and a literal, separated by blanks.
    ///
    /// # Errors
    /// [`PredicateError::Form`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PredicateError> {
        Self::read_short(text).unwrap_or_else(|| Err(PredicateError::Form(shown(text))))
    }

    fn read_short(text: &str) -> Option<Result<Self, PredicateError>> {
        let (name, rest) = text.trim().split_once(' ')?;
        let (sign, literal) = rest.trim_start().split_once(' ')?;
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let op = match sign {
            "=" => Op::Eq,
            "!=" => Op::Ne,
            "<" => Op::Lt,
            "<=" => Op::Le,
            ">" => Op::Gt,
            ">=" => Op::Ge,
            _ => return None,
        };
        let value = short_literal(literal.trim())?;
        plain.then(|| Column::new(name).and_then(|column| Self::new(column, op, vec![value])))
    }

    /// The column, by its raw (unmasked) value.
    #[must_use]
    pub fn column(&self) -> &Column {
        &self.column
    }

    /// The operator.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// The values: none for `is_null` and `not_null`, one or more for `in`, one otherwise.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

fn short_literal(text: &str) -> Option<Value> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'')?;
        let plain = !inner.contains(['\'', '\\']) && inner.len() <= LITERAL_BYTES_MAX;
        return plain.then(|| Value::Text(inner.to_owned()));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !numeric {
        return None;
    }
    if digits.contains('.') {
        return text.parse().ok().and_then(Finite::new).map(Value::Real);
    }
    text.parse().ok().map(Value::Integer)
}

impl Op {
    /// The word used in files and answers.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::In => "in",
            Self::IsNull => "is_null",
            Self::NotNull => "not_null",
            Self::LikePrefix => "like_prefix",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    column: Column,
    op: Op,
    value: Option<Value>,
    values: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a row filter: \"year >= 2020\" or {\"column\": \"year\", \"op\": \"ge\", \"value\": 2020}"
)]
enum Read {
    Short(String),
    Object(Object),
}

impl TryFrom<Read> for Predicate {
    type Error = PredicateError;
    fn try_from(read: Read) -> Result<Self, PredicateError> {
        match read {
            Read::Short(text) => Self::parse(&text),
            Read::Object(Object { column, op, value, values }) => {
                let both = value.is_some() && values.is_some();
                let mut all: Vec<Value> = value.into_iter().chain(values.into_iter().flatten()).collect();
                if both {
                    // `value` beside `values` says two things: make it fail as too many.
                    all.resize(IN_VALUES_MAX + 1, Value::Boolean(false));
                }
                Self::new(column, op, all)
            }
        }
    }
}

#[derive(Serialize)]
struct Written {
    column: Column,
    op: Op,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<Value>,
}

impl From<Predicate> for Written {
    fn from(Predicate { column, op, mut values }: Predicate) -> Self {
        let value = if op == Op::In { None } else { values.pop() };
        Self { column, op, value, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_becomes_structure() {
        let read = Predicate::parse("year >= 2020").unwrap();
        assert_eq!((read.column().as_str(), read.op()), ("year", Op::Ge));
        assert_eq!(read.values(), [Value::Integer(2020)]);
        assert_eq!(Predicate::parse("city = 'Hà Nội'").unwrap().values(), [Value::Text("Hà Nội".into())]);
        assert_eq!(Predicate::parse("t < -1.5").unwrap().values(), [Value::Real(Finite(-1.5))]);
    }

    #[test]
    fn sql_in_the_short_form_is_refused() {
        for bad in [
            "",
            "year",
            "year >=",
            "year>=2020",
            "year >= 2020 or 1 = 1",
            "year >= 2020; drop table x",
            "lower(name) = 'a'",
            "name = 'a' or 'a' = 'a'",
            "name = 'a'' or 1=1 --'",
            "name = \"a\"",
            "name like 'a%'",
            "year == 2020",
            "year >= 2020.",
            "year >= 1e9",
            "year >= 99999999999999999999",
            "a.b = 1",
            "name = '",
        ] {
            assert!(Predicate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_object_form_is_strict() {
        let read = |json: &str| serde_json::from_str::<Predicate>(json);
        assert!(read(r#"{"column": "Năm báo cáo", "op": "in", "values": [2021, 2020, 2020]}"#).is_ok());
        assert!(read(r#"{"column": "a", "op": "is_null"}"#).is_ok());
        for bad in [
            r#"{"column": "a", "op": "eq"}"#,
            r#"{"column": "a", "op": "eq", "value": null}"#,
            r#"{"column": "a", "op": "eq", "value": [1]}"#,
            r#"{"column": "a", "op": "eq", "values": [1, 2]}"#,
            r#"{"column": "a", "op": "in", "values": []}"#,
            r#"{"column": "a", "op": "in", "value": 1, "values": [2]}"#,
            r#"{"column": "a", "op": "is_null", "value": 1}"#,
            r#"{"column": "a", "op": "like_prefix", "value": 1}"#,
            r#"{"column": "a", "op": "matches", "value": "x"}"#,
            r#"{"column": " a", "op": "eq", "value": 1}"#,
            r#"{"column": "", "op": "eq", "value": 1}"#,
            r#"{"column": "a", "op": "eq", "value": 1, "sql": "1=1"}"#,
            r#"{"column": "a", "op": "eq", "value": 18446744073709551615}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for json in [
            r#"{"column":"a","op":"in","values":[1,2]}"#,
            r#"{"column":"a","op":"ge","value":2.5}"#,
            r#"{"column":"a","op":"not_null"}"#,
        ] {
            let read: Predicate = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
    }
}
