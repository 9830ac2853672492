//! The small query language between people, nodes and the engine.
//!
//! People write conditions and measures as short texts (`pm25 > 50`, `sum(cases)`); nodes carry them as the JSON of
//! [`QueryDoc`] inside a transfer request (`urn:tram:ns:query`); the engine gets its own types. There is no free SQL on
//! any of these ways, because SQL text can reach behind a view.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Conditions in one query.
const FILTERS_MAX: usize = 32;
/// Columns, groups or measures in one query.
const NAMES_MAX: usize = 256;
/// Values of one `in`.
const VALUES_MAX: usize = 256;
/// The forms in which rows travel.
pub const FORMATS: [&str; 7] = ["csv", "csv-bom", "ndjson", "json", "parquet", "arrow", "xlsx"];
/// Bytes of one name or value.
const TEXT_MAX: usize = 1_024;

/// What a consumer adds to the governed view, as it travels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryDoc {
    /// `query` or `download`.
    pub action: String,
    /// One of [`FORMATS`].
    pub format: String,
    /// Only these columns; empty means all that are visible.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// All of these must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<Condition>,
    /// Columns made of the time in others, for the groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<dataplane::TimePart>,
    /// Groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    /// Measures of the groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// Each answer's row once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub distinct: bool,
    /// By which columns of the answer its rows are sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_by: Vec<Order>,
    /// At most so many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// A copy to be kept current: what changed since the copy that this exchange brought, or [`SINCE_NONE`] for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// There is no copy yet: the whole, in the order of copies.
pub const SINCE_NONE: &str = "none";

/// A column by which rows are sorted; missing values come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Column of the answer.
    pub column: String,
    /// From the greatest to the least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// Another comparison of a condition's column: one of them is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// Comparison.
    pub op: Op,
    /// Values as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Column name.
    pub column: String,
    /// Comparison.
    pub op: Op,
    /// Values as text; the engine reads them by the column's type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The condition holds as well where one of these does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<Alternative>,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// `in (…)`
    In,
    /// `is null`
    IsNull,
    /// `is not null`
    NotNull,
    /// `starts with`
    StartsWith,
    /// `not in (…)`
    NotIn,
    /// `between A and B`
    Between,
    /// `not between A and B`
    NotBetween,
    /// Does not start with.
    NotStartsWith,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What is computed.
    pub function: Function,
    /// Over which column; none for `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its name in the answer; by default function and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Functions of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Rows.
    Count,
    /// Sum.
    Sum,
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

impl QueryDoc {
    /// Reads the wire form; `None` or null is the empty query.
    pub fn from_wire(value: Option<&Value>) -> Result<Self, String> {
        let doc = match value {
            None | Some(Value::Null) => Self::default(),
            Some(value) => Self::deserialize(value).map_err(|e| format!("urn:tram:ns:query: {e}"))?,
        };
        doc.check()?;
        Ok(doc)
    }

    /// Checks the limits and the closed words.
    pub fn check(&self) -> Result<(), String> {
        if !["", "query", "download"].contains(&self.action.as_str()) {
            return Err(format!("action `{}` is unknown; use query or download", self.action));
        }
        if !self.format.is_empty() && !FORMATS.contains(&self.format.as_str()) {
            return Err(format!("format `{}` is unknown; use one of {}", self.format, FORMATS.join(", ")));
        }
        self.check_since()?;
        if self.filter.len() > FILTERS_MAX {
            return Err(format!("{} conditions are too many; at most {FILTERS_MAX}", self.filter.len()));
        }
        for (what, n) in [
            ("columns", self.columns.len()),
            ("columns made of times", self.times.len()),
            ("groups", self.group_by.len()),
            ("measures", self.measures.len()),
            ("columns to sort by", self.order_by.len()),
        ] {
            if n > NAMES_MAX {
                return Err(format!("{n} {what} are too many; at most {NAMES_MAX}"));
            }
        }
        for condition in &self.filter {
            if condition.or.len() > VALUES_MAX {
                return Err(format!(
                    "the condition on `{}` has over {VALUES_MAX} alternatives",
                    condition.column
                ));
            }
            let values =
                condition.or.iter().map(|or| or.values.len()).sum::<usize>() + condition.values.len();
            if values > VALUES_MAX {
                return Err(format!("the condition on `{}` has over {VALUES_MAX} values", condition.column));
            }
        }
        let texts = self
            .columns
            .iter()
            .chain(&self.group_by)
            .chain(self.times.iter().flat_map(|t| t.name.iter().chain([&t.column])))
            .chain(self.filter.iter().flat_map(|c| c.values.iter().chain([&c.column])))
            .chain(self.filter.iter().flat_map(|c| c.or.iter().flat_map(|or| &or.values)))
            .chain(self.order_by.iter().map(|order| &order.column))
            .chain(self.measures.iter().flat_map(|m| m.column.iter().chain(&m.name)));
        for text in texts {
            if text.len() > TEXT_MAX {
                return Err(format!("a name or value is over {TEXT_MAX} bytes; shorten the query"));
            }
        }
        Ok(())
    }
}

impl QueryDoc {
    /// Adds groups as people write them: `ward`, `month(Local Time)` or `month(Local Time) as thang`.
    #[must_use]
    pub fn with_groups(mut self, groups: &[String]) -> Self {
        for group in groups {
            match group.parse::<dataplane::TimePart>() {
                Ok(part) => {
                    self.group_by.push(part.output_name());
                    self.times.push(part);
                }
                Err(dataplane::NoTimePart) => self.group_by.push(group.trim().to_owned()),
            }
        }
        self
    }

    fn check_since(&self) -> Result<(), String> {
        let Some(since) = &self.since else { return Ok(()) };
        let exchange = since.len() == 26 && ulid::Ulid::from_string(since).is_ok();
        if !exchange && since != SINCE_NONE {
            return Err("`since` takes the id of the exchange that brought the copy, or `none`".to_owned());
        }
        if !["", "csv"].contains(&self.format.as_str()) {
            return Err(format!("copies that are kept current are CSV, not `{}`", self.format));
        }
        if self.limit.is_some() || !self.order_by.is_empty() {
            return Err("a copy that is kept current has no `limit` and an order of its own".to_owned());
        }
        Ok(())
    }

    /// Whether it asks for anything but all that is visible.
    pub fn asks(&self) -> bool {
        let Self { action, format, .. } = self;
        *self != Self { action: action.clone(), format: format.clone(), ..Self::default() }
    }

    /// Adds what a text in the small part of SQL asks (`docs/queries.md`). The text itself goes nowhere.
    pub fn with_sql(self, sql: &str, dataset: &str) -> Result<Self, String> {
        let asked = dataplane::Query::from_sql(sql, dataset).map_err(|e| e.to_string())?;
        let condition = |predicate: dataplane::Predicate| Condition {
            column: predicate.column,
            op: op(predicate.op),
            values: predicate.values.iter().map(text).collect(),
            or: predicate
                .or
                .iter()
                .map(|or| Alternative { op: op(or.op), values: or.values.iter().map(text).collect() })
                .collect(),
        };
        let measure = |measure: dataplane::Measure| Measure {
            function: function(measure.function),
            column: measure.column,
            name: measure.name,
        };
        let order = |order: dataplane::Order| Order { column: order.column, descending: order.descending };
        Ok(Self {
            columns: asked.columns.unwrap_or_default(),
            filter: asked.filter.into_iter().map(condition).collect(),
            times: asked.times,
            group_by: asked.group_by,
            measures: asked.measures.into_iter().map(measure).collect(),
            distinct: asked.distinct,
            order_by: asked.order_by.into_iter().map(order).collect(),
            limit: asked.limit,
            ..self
        })
    }
}

fn op(op: dataplane::Op) -> Op {
    match op {
        dataplane::Op::Eq => Op::Eq,
        dataplane::Op::Ne => Op::Ne,
        dataplane::Op::Lt => Op::Lt,
        dataplane::Op::Le => Op::Le,
        dataplane::Op::Gt => Op::Gt,
        dataplane::Op::Ge => Op::Ge,
        dataplane::Op::In => Op::In,
        dataplane::Op::IsNull => Op::IsNull,
        dataplane::Op::IsNotNull => Op::NotNull,
        dataplane::Op::StartsWith => Op::StartsWith,
        dataplane::Op::NotIn => Op::NotIn,
        dataplane::Op::Between => Op::Between,
        dataplane::Op::NotBetween => Op::NotBetween,
        dataplane::Op::NotStartsWith => Op::NotStartsWith,
    }
}

fn function(function: dataplane::Function) -> Function {
    match function {
        dataplane::Function::Count => Function::Count,
        dataplane::Function::Sum => Function::Sum,
        dataplane::Function::Avg => Function::Avg,
        dataplane::Function::Min => Function::Min,
        dataplane::Function::Max => Function::Max,
    }
}

/// A value as it travels; the provider reads it by the kind of its column.
fn text(value: &dataplane::Value) -> String {
    match value {
        dataplane::Value::Boolean(value) => value.to_string(),
        dataplane::Value::Integer(value) => value.to_string(),
        dataplane::Value::Number(value) => value.to_string(),
        dataplane::Value::Text(value) => value.clone(),
    }
}

/// Reads one column to sort by: `COLUMN` or `COLUMN desc`.
pub fn parse_order(text: &str) -> Order {
    let trimmed = text.trim();
    let last = trimmed.rsplit_once(char::is_whitespace);
    let (column, descending) = match last {
        Some((column, word)) if word.eq_ignore_ascii_case("desc") => (column, true),
        Some((column, word)) if word.eq_ignore_ascii_case("asc") => (column, false),
        _ => (trimmed, false),
    };
    Order { column: column.trim_end().to_owned(), descending }
}

/// Operators as written, longest first so that `<=` is not read as `<`.
const OPERATORS: [(&str, Op); 8] = [
    ("<>", Op::Ne),
    ("!=", Op::Ne),
    ("<=", Op::Le),
    (">=", Op::Ge),
    ("=", Op::Eq),
    ("<", Op::Lt),
    (">", Op::Gt),
    ("starts with ", Op::StartsWith),
];

/// Reads one condition: `COLUMN OP VALUE`, `COLUMN in (A, B)`, `COLUMN is [not] null`, `COLUMN starts with TEXT`.
/// Column names may hold spaces; values may stand in single quotes.
pub fn parse_condition(text: &str) -> Result<Condition, String> {
    let trimmed = text.trim();
    let help = || {
        format!(
            "condition `{text}` is not understood; write for example \"PM25 > 50\", \"ward in (A, B)\" or \"note is null\""
        )
    };
    let lower = trimmed.to_ascii_lowercase();
    for (ending, op) in [(" is not null", Op::NotNull), (" is null", Op::IsNull)] {
        if lower.ends_with(ending) {
            let column = trimmed.get(..trimmed.len() - ending.len()).unwrap_or_default();
            return named(column, op, Vec::new()).ok_or_else(help);
        }
    }
    if let (Some(at), true) = (lower.find(" in ("), lower.ends_with(')')) {
        let column = trimmed.get(..at).unwrap_or_default();
        let inside = trimmed.get(at + 5..trimmed.len() - 1).unwrap_or_default();
        let values: Vec<String> = inside.split(',').map(unquote).collect();
        return named(column, Op::In, values).ok_or_else(help);
    }
    // The first operator in the text decides, so that a value may hold operator characters.
    let found = OPERATORS.iter().filter_map(|(sign, op)| lower.find(sign).map(|at| (at, *sign, *op)));
    let best = found.min_by_key(|(at, sign, _)| (*at, usize::MAX - sign.len()));
    let (at, sign, op) = best.ok_or_else(help)?;
    let column = trimmed.get(..at).unwrap_or_default();
    let value = trimmed.get(at + sign.len()..).unwrap_or_default();
    if value.trim().is_empty() {
        return Err(help());
    }
    named(column, op, vec![unquote(value)]).ok_or_else(help)
}

fn named(column: &str, op: Op, values: Vec<String>) -> Option<Condition> {
    let column = column.trim();
    (!column.is_empty()).then(|| Condition { column: column.to_owned(), op, values, or: Vec::new() })
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
    inner.map_or_else(|| text.to_owned(), |t| t.replace("''", "'"))
}

/// Reads one measure: `count`, `sum(COLUMN)`, `avg(COLUMN)`, `min(COLUMN)`, `max(COLUMN)`, each with ` as NAME` if wanted.
pub fn parse_measure(text: &str) -> Result<Measure, String> {
    let trimmed = text.trim();
    let at = trimmed.to_ascii_lowercase().rfind(" as ").filter(|_| !trimmed.ends_with(')'));
    if let Some((call, name)) = at.and_then(|at| Some((trimmed.get(..at)?, trimmed.get(at + 4..)?.trim()))) {
        let named = Some(name.to_owned()).filter(|name| !name.is_empty());
        return parse_measure(call).map(|measure| Measure { name: named, ..measure });
    }
    if trimmed.eq_ignore_ascii_case("count") || trimmed.eq_ignore_ascii_case("count(*)") {
        return Ok(Measure { function: Function::Count, column: None, name: None });
    }
    let help = || {
        format!(
            "measure `{text}` is not understood; write count, sum(COLUMN), avg(COLUMN), min(COLUMN) or max(COLUMN)"
        )
    };
    let (name, rest) = trimmed.split_once('(').ok_or_else(help)?;
    let column = rest.strip_suffix(')').map(str::trim).filter(|c| !c.is_empty()).ok_or_else(help)?;
    let function = match name.trim().to_ascii_lowercase().as_str() {
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        _ => return Err(help()),
    };
    Ok(Measure { function, column: Some(column.to_owned()), name: None })
}

#[cfg(test)]
mod tests {
    use super::{Function, Op, QueryDoc, parse_condition, parse_measure};

    #[test]
    fn conditions_are_read() {
        for (text, column, op, values) in [
            ("PM25 > 50", "PM25", Op::Gt, vec!["50"]),
            ("Local Time >= 2023-04-01 00:00:00", "Local Time", Op::Ge, vec!["2023-04-01 00:00:00"]),
            ("a<=b>c", "a", Op::Le, vec!["b>c"]),
            ("ward in (Nghĩa Đô, 'Xuân, Phương')", "ward", Op::In, vec!["Nghĩa Đô", "'Xuân", "Phương'"]),
            ("note IS NOT NULL", "note", Op::NotNull, vec![]),
            ("note is null", "note", Op::IsNull, vec![]),
            ("name = 'O''Neil'", "name", Op::Eq, vec!["O'Neil"]),
            ("name starts with Ng", "name", Op::StartsWith, vec!["Ng"]),
            ("x != 1", "x", Op::Ne, vec!["1"]),
        ] {
            let read = parse_condition(text).unwrap();
            assert_eq!((read.column.as_str(), read.op), (column, op), "{text}");
            assert_eq!(read.values, values, "{text}");
        }
        for bad in ["", "PM25", "> 5", "PM25 >", " is null"] {
            assert!(parse_condition(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sql_travels_as_the_structure_that_it_says() {
        let doc = QueryDoc { format: "json".into(), ..QueryDoc::default() };
        let doc = doc
            .with_sql(
                "SELECT ward, sum(cases) AS n FROM benh WHERE year BETWEEN 2001 AND 2005 AND (ward = 'A' OR ward IS NULL) \
                 AND kind NOT IN ('x') GROUP BY ward ORDER BY n DESC LIMIT 3",
                "benh",
            )
            .unwrap();
        doc.check().unwrap();
        let again = QueryDoc::from_wire(Some(&serde_json::to_value(&doc).unwrap())).unwrap();
        assert_eq!(again, doc);
        assert_eq!(
            (doc.format.as_str(), doc.limit, doc.group_by.as_slice()),
            ("json", Some(3), &["ward".to_owned()][..])
        );
        assert_eq!(
            (doc.filter[0].op, doc.filter[0].values.as_slice()),
            (Op::Between, &["2001".to_owned(), "2005".to_owned()][..])
        );
        assert_eq!((doc.filter[1].or[0].op, doc.filter[2].op), (Op::IsNull, Op::NotIn));
        assert_eq!(doc.measures[0].name.as_deref(), Some("n"));
        assert!(doc.order_by[0].descending);
        let bad = QueryDoc::default().with_sql("SELECT * FROM other", "benh").unwrap_err();
        assert!(bad.contains("other"), "{bad}");
        assert_eq!(
            super::parse_order("PM 2.5 desc"),
            super::Order { column: "PM 2.5".into(), descending: true }
        );
        assert!(!super::parse_order("desc").descending);
    }

    #[test]
    fn measures_are_read() {
        assert_eq!(parse_measure("count").unwrap().function, Function::Count);
        assert_eq!(parse_measure("sum( cases )").unwrap().column.as_deref(), Some("cases"));
        let named = parse_measure("sum(ca as ng) as tong").unwrap();
        assert_eq!((named.column.as_deref(), named.name.as_deref()), (Some("ca as ng"), Some("tong")));
        let doc = QueryDoc::default().with_groups(&["ward".into(), "month(Local Time) as thang".into()]);
        assert_eq!(doc.group_by, ["ward", "thang"]);
        let again = QueryDoc::from_wire(Some(&serde_json::to_value(&doc).unwrap())).unwrap();
        assert_eq!((again.times[0].column.as_str(), &again), ("Local Time", &doc));
        for bad in ["", "sum", "sum()", "stddev(x)", "sum(x"] {
            assert!(parse_measure(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_wire_form_is_strict_and_bounded() {
        let good =
            serde_json::json!({"filter": [{"column": "a", "op": "in", "values": ["1", "2"]}], "limit": 5});
        assert_eq!(QueryDoc::from_wire(Some(&good)).unwrap().limit, Some(5));
        assert!(QueryDoc::from_wire(None).unwrap().columns.is_empty());
        for bad in [
            serde_json::json!({"sql": "select 1"}),
            serde_json::json!({"format": "exe"}),
            serde_json::json!({"filter": [{"column": "a", "op": "like", "values": []}]}),
            serde_json::json!({"columns": vec!["a"; 257]}),
            serde_json::json!({"columns": ["a".repeat(1_025)]}),
        ] {
            assert!(QueryDoc::from_wire(Some(&bad)).is_err(), "{bad}");
        }
    }
}
