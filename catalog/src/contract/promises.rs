//! What a contract promises of values: keys, bounds and quality rules, read and written.

use serde_json::{Map, Number, Value, json};

use super::reader::{Choices, Object, Piece, Reader, get, join};
use super::writer::{compact, is_empty};
use crate::{Arguments, Column, ColumnKind, Expect, Measure, Metric, Promises, Rule, RuleUnit, Severity};

const RULE: &[&str] = &[
    "id",
    "authoritativeDefinitions",
    "businessImpact",
    "customProperties",
    "description",
    "dimension",
    "method",
    "name",
    "schedule",
    "scheduler",
    "severity",
    "tags",
    "type",
    "unit",
    "metric",
    "rule",
    "arguments",
    "query",
    "engine",
    "implementation",
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];
const ARGUMENTS: &[&str] = &["validValues", "pattern", "missingValues", "properties"];

#[derive(Clone, Copy)]
enum Kind {
    Library,
    Sql,
    NotRead,
}

const TYPE: &Choices<Kind> =
    &[("library", Kind::Library), ("sql", Kind::Sql), ("text", Kind::NotRead), ("custom", Kind::NotRead)];
const METRIC: &Choices<Metric> = &[
    ("nullValues", Metric::NullValues),
    ("missingValues", Metric::MissingValues),
    ("invalidValues", Metric::InvalidValues),
    ("duplicateValues", Metric::DuplicateValues),
    ("rowCount", Metric::RowCount),
];
const UNIT: &Choices<RuleUnit> = &[("rows", RuleUnit::Rows), ("percent", RuleUnit::Percent)];
const SEVERITY: &Choices<Severity> =
    &[("info", Severity::Info), ("warning", Severity::Warning), ("error", Severity::Error)];

type One = fn(Number) -> Expect;
type Two = fn([Number; 2]) -> Expect;
const ONE: &[(&str, One)] = &[
    ("mustBe", Expect::MustBe),
    ("mustNotBe", Expect::MustNotBe),
    ("mustBeGreaterThan", Expect::MustBeGreaterThan),
    ("mustBeGreaterOrEqualTo", Expect::MustBeGreaterOrEqualTo),
    ("mustBeLessThan", Expect::MustBeLessThan),
    ("mustBeLessOrEqualTo", Expect::MustBeLessOrEqualTo),
];
const TWO: &[(&str, Two)] =
    &[("mustBeBetween", Expect::MustBeBetween), ("mustNotBeBetween", Expect::MustNotBeBetween)];

/// What the standard's schema (ODCS 3.1, `SchemaBaseProperty`) knows as options of a number, a text, a day or time.
const NUMBER_OPTIONS: &[&str] =
    &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"];
const TEXT_OPTIONS: &[&str] = &["minLength", "maxLength", "pattern", "format"];
const TIME_OPTIONS: &[&str] =
    &["format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "timezone", "defaultTimezone"];

/// Keys, bounds and rules of a column; its unit and codes stand in custom properties.
pub(super) fn column(reader: &mut Reader, map: &Object, path: &str, kind: Option<ColumnKind>) -> Promises {
    let mut promises = Promises {
        id: reader.text(get(map, "id", path)),
        primary_key: reader.truth(get(map, "primaryKey", path)).unwrap_or_default(),
        unique: reader.truth(get(map, "unique", path)).unwrap_or_default(),
        quality: rules(reader, get(map, "quality", path)),
        ..Promises::default()
    };
    // -1 is the standard's word for none.
    let position = get(map, "primaryKeyPosition", path).filter(|piece| piece.value.as_i64() != Some(-1));
    promises.key_position = reader.number(position).and_then(|n| u32::try_from(n).ok());
    let Some(options) = get(map, "logicalTypeOptions", path) else { return promises };
    // A bound that is misspelt would be a promise that nobody keeps.
    let known = match kind {
        Some(ColumnKind::Integer | ColumnKind::Number) => NUMBER_OPTIONS,
        Some(ColumnKind::String) => TEXT_OPTIONS,
        Some(ColumnKind::Date | ColumnKind::Timestamp) => TIME_OPTIONS,
        _ => return promises,
    };
    let Some(map) = reader.object(&options, known) else { return promises };
    let path = &options.path;
    match kind {
        Some(ColumnKind::Integer | ColumnKind::Number) => {
            promises.minimum = numeral(reader, get(map, "minimum", path));
            promises.maximum = numeral(reader, get(map, "maximum", path));
        }
        Some(ColumnKind::String) => {
            promises.min_length = reader.number(get(map, "minLength", path));
            promises.max_length = reader.number(get(map, "maxLength", path));
            promises.pattern = reader.text(get(map, "pattern", path));
        }
        _ => {}
    }
    promises
}

/// Any number, also with a fraction.
fn numeral(reader: &mut Reader, piece: Option<Piece<'_>>) -> Option<Number> {
    let piece = piece?;
    let number = piece.value.as_number().filter(|n| n.as_f64().is_some_and(f64::is_finite));
    if number.is_none() {
        reader.add(&piece.path, "expected a number");
    }
    number.cloned()
}

/// The rules that are read: of type `library` and `sql`.
pub(super) fn rules(reader: &mut Reader, piece: Option<Piece<'_>>) -> Vec<Rule> {
    reader.items(piece).iter().filter_map(|item| rule(reader, item)).collect()
}

fn rule(reader: &mut Reader, piece: &Piece<'_>) -> Option<Rule> {
    let map = reader.object(piece, RULE)?;
    let path = &piece.path;
    let kind = match get(map, "type", path) {
        Some(word) => reader.choice(Some(word), TYPE)?,
        None => Kind::Library,
    };
    let measure = match kind {
        Kind::NotRead => return None,
        Kind::Library => library(reader, map, path)?,
        Kind::Sql => {
            let query = reader.needed(get(map, "query", path), &join(path, "query"));
            Measure::Sql { query: reader.text(query)? }
        }
    };
    // The standard lets any word be a severity; one that we do not know is not taken lightly.
    let severity = get(map, "severity", path).and_then(|piece| {
        SEVERITY.iter().find(|(word, _)| piece.value.as_str() == Some(word)).map(|(_, severity)| *severity)
    });
    Some(Rule {
        name: reader.text(get(map, "name", path)),
        severity: severity.unwrap_or_default(),
        measure,
        expect: expect(reader, map, path)?,
    })
}

fn library(reader: &mut Reader, map: &Object, path: &str) -> Option<Measure> {
    let metric = reader.needed(get(map, "metric", path), &join(path, "metric"));
    let metric = reader.choice(metric, METRIC);
    let unit = reader.choice(get(map, "unit", path), UNIT).unwrap_or_default();
    let arguments = match get(map, "arguments", path) {
        Some(piece) => arguments(reader, &piece)?,
        None => Arguments::default(),
    };
    Some(Measure::Library { metric: metric?, unit, arguments })
}

fn arguments(reader: &mut Reader, piece: &Piece<'_>) -> Option<Arguments> {
    let map = reader.object(piece, ARGUMENTS)?;
    let path = &piece.path;
    Some(Arguments {
        valid_values: scalars(reader, get(map, "validValues", path)),
        pattern: reader.text(get(map, "pattern", path)),
        missing_values: scalars(reader, get(map, "missingValues", path)),
        properties: reader.texts(get(map, "properties", path)),
    })
}

/// Values as texts; null, which stands for itself, is left out.
fn scalars(reader: &mut Reader, piece: Option<Piece<'_>>) -> Vec<String> {
    let mut texts = Vec::new();
    for item in reader.items(piece) {
        match item.value {
            Value::Null => {}
            Value::String(text) => texts.push(text.clone()),
            Value::Number(number) => texts.push(number.to_string()),
            Value::Bool(truth) => texts.push(truth.to_string()),
            _ => reader.add(&item.path, "expected one value"),
        }
    }
    texts
}

fn expect(reader: &mut Reader, map: &Object, path: &str) -> Option<Expect> {
    let mut found = Vec::new();
    for (key, make) in ONE {
        if let Some(piece) = get(map, key, path) {
            found.push(numeral(reader, Some(piece)).map(make));
        }
    }
    for (key, make) in TWO {
        let Some(piece) = get(map, key, path) else { continue };
        let pair = reader.items(Some(piece.clone()));
        let numbers: Vec<Number> = pair.iter().filter_map(|n| numeral(reader, Some(n.clone()))).collect();
        let pair: Option<[Number; 2]> = numbers.try_into().ok();
        let pair = pair.filter(|[low, high]| low.as_f64() <= high.as_f64());
        if pair.is_none() {
            reader.add(&piece.path, "expected two numbers, the smaller one first");
        }
        found.push(pair.map(make));
    }
    if found.len() != 1 {
        let keys: Vec<&str> = ONE.iter().map(|o| o.0).chain(TWO.iter().map(|t| t.0)).collect();
        reader.add(path, format!("say once what the number must be: one of {}", keys.join(", ")));
        return None;
    }
    found.pop().flatten()
}

/// Adds keys, bounds and rules to a written column.
pub(super) fn write_column(column: &Column, map: &mut Map<String, Value>) {
    let promises = &column.promises;
    let options = compact(json!({
        "minimum": promises.minimum,
        "maximum": promises.maximum,
        "minLength": promises.min_length,
        "maxLength": promises.max_length,
        "pattern": promises.pattern,
    }));
    for (key, value) in [
        ("id", json!(promises.id)),
        ("primaryKey", json!(promises.primary_key.then_some(true))),
        ("primaryKeyPosition", json!(promises.key_position)),
        ("unique", json!(promises.unique.then_some(true))),
        ("logicalTypeOptions", options),
        ("quality", write_rules(&promises.quality)),
    ] {
        if !is_empty(&value) {
            map.insert(key.to_owned(), value);
        }
    }
}

pub(super) fn write_rules(rules: &[Rule]) -> Value {
    rules.iter().map(write_rule).collect()
}

fn write_rule(rule: &Rule) -> Value {
    let word = |severity| SEVERITY.iter().find(|(_, s)| *s == severity).map(|(word, _)| *word);
    let severity = Some(rule.severity).filter(|s| *s != Severity::Error).and_then(word);
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        if !is_empty(&value) {
            map.insert(key.to_owned(), value);
        }
    };
    set("name", json!(rule.name));
    set("severity", json!(severity));
    match &rule.measure {
        Measure::Sql { query } => {
            set("type", json!("sql"));
            set("query", json!(query));
        }
        Measure::Library { metric, unit, arguments } => {
            set("metric", json!(metric));
            set("unit", json!((*unit == RuleUnit::Percent).then_some("percent")));
            set(
                "arguments",
                compact(json!({
                    "validValues": arguments.valid_values,
                    "pattern": arguments.pattern,
                    "missingValues": arguments.missing_values,
                    "properties": arguments.properties,
                })),
            );
        }
    }
    // An enum of one value each is written as `{mustBe: 0}`.
    if let Ok(Value::Object(expect)) = serde_json::to_value(&rule.expect) {
        map.extend(expect);
    }
    Value::Object(map)
}

/// What stands before the name of a promise in the contract.
pub(super) fn place(name: &str) -> &'static str {
    match name.split(['[', '.']).next() {
        Some("unit" | "codes") => "customProperties.",
        Some("minimum" | "maximum" | "min_length" | "max_length" | "pattern") => "logicalTypeOptions.",
        _ => "",
    }
}
