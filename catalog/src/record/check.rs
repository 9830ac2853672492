//! What must be so for a record to make sense. Finds all problems, not just the first.

use std::collections::BTreeSet;

use crate::error::Problem;
use crate::limits;
use crate::record::{Column, ColumnKind, DatasetRecord, Format, Measure, Personal, Rule, SharingKind, Text};
use serde_json::Number;

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, path: impl Into<String>, what: impl Into<String>) {
        if self.0.len() < limits::PROBLEMS_MAX {
            self.0.push(Problem::new(path, what));
        }
    }

    fn words(&mut self, path: &str, list: &[String], most: usize) {
        if list.len() > most {
            self.add(path, format!("{} entries, at most {most} are allowed", list.len()));
        }
        let mut seen = BTreeSet::new();
        for (i, word) in list.iter().enumerate() {
            if word.trim().is_empty() || word.chars().count() > limits::WORD_CHARS_MAX || has_control(word) {
                let max = limits::WORD_CHARS_MAX;
                self.add(format!("{path}[{i}]"), format!("write 1 to {max} characters on one line"));
            } else if !seen.insert(word) {
                self.add(format!("{path}[{i}]"), format!("`{word}` is listed twice; remove one"));
            }
        }
    }

    fn text(&mut self, path: &str, text: &Text, chars_max: usize, lines: bool) {
        for (language, words) in [("vi", &text.vi), ("en", &text.en)] {
            let path = format!("{path}.{language}");
            if words.chars().count() > chars_max {
                self.add(&path, format!("longer than {chars_max} characters; shorten it"));
            }
            if words.chars().any(|c| c.is_control() && !(lines && c == '\n')) {
                self.add(&path, "holds a control character; type it anew");
            }
        }
    }

    fn expression(&mut self, path: &str, value: Option<&str>) {
        if value.is_some_and(|value| value.is_empty() || value.len() > limits::EXPRESSION_BYTES_MAX) {
            let max = limits::EXPRESSION_BYTES_MAX;
            self.add(path, format!("write 1 to {max} bytes, or leave it out"));
        }
    }

    fn reference(&mut self, path: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        if value.trim().is_empty() || value.len() > limits::REFERENCE_BYTES_MAX || has_control(value) {
            let max = limits::REFERENCE_BYTES_MAX;
            self.add(path, format!("write 1 to {max} bytes on one line, or leave it out"));
        }
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

pub(super) fn problems(record: &DatasetRecord) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    if record.version == 0 {
        found.add("version", "0 is no version; the first one is 1");
    }
    if record.title.vi.trim().is_empty() {
        found.add("title.vi", "the Vietnamese title is missing; write one");
    }
    found.text("title", &record.title, limits::TITLE_CHARS_MAX, false);
    found.text("description", &record.description, limits::DESCRIPTION_CHARS_MAX, true);
    found.reference("publisher", Some(&record.publisher));
    found.reference("theme", record.theme.as_deref());
    found.reference("dpia", record.dpia.as_deref());
    found.reference("licence", record.licence.as_deref());
    for (path, list) in [
        ("keywords", &record.keywords),
        ("collections", &record.collections),
        ("tags", &record.tags),
        ("purposes", &record.purposes),
        ("group_by", &record.group_by),
    ] {
        found.words(path, list, limits::WORDS_MAX);
    }
    source(record, &mut found);
    columns(record, &mut found);
    named_columns(record, &mut found);
    rules(&record.quality, "quality", record, &mut found);
    latency(record, &mut found);
    append_by(record, &mut found);
    sharing(record, &mut found);
    found.0
}

fn source(record: &DatasetRecord, found: &mut Found) {
    found.reference("source.path", Some(&record.source.path));
    match (record.source.format, record.source.delimiter) {
        (Format::Csv, Some(c)) if !c.is_ascii() || matches!(c, '"' | '\n' | '\r' | '\0') => {
            found.add("source.delimiter", "use one ASCII character other than a quote or a line end");
        }
        (Format::Ndjson | Format::Json | Format::Parquet, Some(_)) => {
            found.add("source.delimiter", "only CSV has a delimiter; leave it out");
        }
        _ => {}
    }
    if record.frequency.is_some_and(|f| f.every == 0) {
        found.add("frequency", "every 0 units is never; write at least 1 or leave it out");
    }
    if record.modified < record.issued {
        found.add("modified", "it is before `issued`; check the clock");
    }
    if let Some(digest) = &record.contract_digest
        && !(digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    {
        found.add("contract_digest", "it is not a SHA-256 in lower-case hex");
    }
}

fn columns(record: &DatasetRecord, found: &mut Found) {
    let columns = &record.columns;
    if columns.is_empty() || columns.len() > limits::COLUMNS_MAX {
        found.add("columns", format!("{} columns; 1 to {} are allowed", columns.len(), limits::COLUMNS_MAX));
    }
    let mut seen = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (i, column) in columns.iter().enumerate() {
        let path = format!("columns[{i}]");
        if let Some(id) = column.promises.id.as_deref().filter(|id| !ids.insert(*id)) {
            found
                .add(format!("{path}.promises.id"), format!("`{}` comes twice; each column has its own", id));
        }
        if column.name.is_empty()
            || column.name.len() > limits::COLUMN_NAME_BYTES_MAX
            || has_control(&column.name)
        {
            let max = limits::COLUMN_NAME_BYTES_MAX;
            found.add(format!("{path}.name"), format!("write 1 to {max} bytes on one line"));
        } else if !seen.insert(&column.name) {
            found.add(format!("{path}.name"), format!("`{}` comes twice; column names differ", column.name));
        }
        found.text(&format!("{path}.description"), &column.description, limits::DESCRIPTION_CHARS_MAX, true);
        if column.personal > record.personal {
            let what = format!(
                "`{}` is stricter than the dataset; make the dataset's `personal` at least as strict",
                column.name
            );
            found.add(format!("{path}.personal"), what);
        }
        if column.classification.is_some_and(|class| class > record.classification) {
            let what = format!("`{}` is above the dataset's classification; raise that one", column.name);
            found.add(format!("{path}.classification"), what);
        }
        promises(column, &format!("{path}.promises"), record, found);
    }
}

fn promises(column: &Column, path: &str, record: &DatasetRecord, found: &mut Found) {
    let promises = &column.promises;
    let number = matches!(column.kind, ColumnKind::Integer | ColumnKind::Number);
    if promises.unit.is_some() && !number {
        found.add(format!("{path}.unit"), "only a number has a unit; leave it out");
    }
    found.words(&format!("{path}.unit"), promises.unit.as_slice(), 1);
    found.words(&format!("{path}.id"), promises.id.as_slice(), 1);
    found.words(&format!("{path}.codes"), &promises.codes, limits::CODES_MAX);
    let bound = |n: &Option<Number>| n.as_ref().and_then(Number::as_f64);
    if bound(&promises.minimum).zip(bound(&promises.maximum)).is_some_and(|(low, high)| low > high) {
        found.add(format!("{path}.minimum"), "it is above the maximum");
    }
    if promises.min_length.zip(promises.max_length).is_some_and(|(low, high)| low > high) {
        found.add(format!("{path}.min_length"), "it is above the greatest length");
    }
    found.expression(&format!("{path}.pattern"), promises.pattern.as_deref());
    rules(&promises.quality, &format!("{path}.quality"), record, found);
}

fn rules(rules: &[Rule], path: &str, record: &DatasetRecord, found: &mut Found) {
    if rules.len() > limits::WORDS_MAX {
        found.add(path, format!("{} rules, at most {} are allowed", rules.len(), limits::WORDS_MAX));
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = format!("{path}[{i}]");
        found.reference(&format!("{path}.name"), rule.name.as_deref());
        match &rule.measure {
            Measure::Sql { query } => found.expression(&format!("{path}.query"), Some(query)),
            Measure::Library { arguments, .. } => {
                found.expression(&format!("{path}.arguments.pattern"), arguments.pattern.as_deref());
                for name in arguments.properties.iter().filter(|name| record.column(name).is_none()) {
                    let what = format!("there is no column `{name}`; name one of the columns");
                    found.add(format!("{path}.arguments.properties"), what);
                }
            }
        }
    }
}

fn latency(record: &DatasetRecord, found: &mut Found) {
    let Some(latency) = &record.latency else { return };
    let kind = record.column(&latency.column).map(|column| column.kind);
    if !matches!(kind, Some(ColumnKind::Date | ColumnKind::Timestamp)) {
        let what = format!("`{}` is no column of days or times; name one", latency.column);
        found.add("latency", what);
    }
    if latency.within.every == 0 {
        found.add("latency", "an age of 0 units cannot be kept; write at least 1");
    }
}

fn append_by(record: &DatasetRecord, found: &mut Found) {
    let Some(name) = &record.append_by else { return };
    let what = match record.column(name) {
        None => format!("there is no column `{name}`; name the column whose values grow with each new row"),
        Some(column)
            if !matches!(column.kind, ColumnKind::Integer | ColumnKind::Date | ColumnKind::Timestamp) =>
        {
            format!(
                "`{name}` holds neither whole numbers nor days nor times; rows can grow only by one of these"
            )
        }
        Some(column) if column.nullable => {
            format!(
                "`{name}` may be missing, and such a row has no place in the order; set `required: true` on it"
            )
        }
        Some(_) => return,
    };
    found.add("append_by", what);
}

fn named_columns(record: &DatasetRecord, found: &mut Found) {
    let subject = record.subject.iter().map(|s| ("subject".to_owned(), s.column()));
    let group_by = record.group_by.iter().enumerate().map(|(i, c)| (format!("group_by[{i}]"), c.as_str()));
    for (path, name) in subject.chain(group_by) {
        if record.column(name).is_none() && !is_part(record, name) {
            found.add(path, format!("there is no column `{name}`; name one of the columns"));
        }
    }
    if let Some(subject) = &record.subject
        && record.group_by.iter().any(|c| c == subject.column())
    {
        found.add(
            "group_by",
            format!("`{}` tells people apart; aggregates by it are no aggregates", subject.column()),
        );
    }
}

/// Whether a group is a part of the time in a column, as in `month(luc)`.
fn is_part(record: &DatasetRecord, name: &str) -> bool {
    const PARTS: [&str; 6] = ["year", "month", "day", "hour", "month_of_year", "hour_of_day"];
    let Some((part, column)) = name.strip_suffix(')').and_then(|call| call.split_once('(')) else {
        return false;
    };
    let kind = record.column(column).map(|column| column.kind);
    PARTS.contains(&part) && matches!(kind, Some(ColumnKind::Date | ColumnKind::Timestamp))
}

fn sharing(record: &DatasetRecord, found: &mut Found) {
    if record.kind == SharingKind::Open && record.personal != Personal::None {
        found.add("kind", "personal data cannot be open data; use `default` or `special`");
    }
    if record.kind == SharingKind::Open && record.classification.get() > 0 {
        found.add("classification", "open data has classification 0");
    }
}

pub(super) fn advice(record: &DatasetRecord) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    if record.title.en.trim().is_empty() {
        found.add("title.en", "no English title yet");
    }
    if record.description.vi.trim().is_empty() {
        found.add("description.vi", "no description yet; people will not know what this is");
    }
    if record.personal != Personal::None && record.columns.iter().all(|c| c.personal == Personal::None) {
        found.add(
            "columns",
            "the dataset is personal but no column is marked: mark them, so that people who write rules see which to mask",
        );
    }
    for (i, column) in record.columns.iter().enumerate() {
        if column.personal < crate::looks_personal(&column.name) {
            let what = format!("`{}` looks like personal data and is not marked so", column.name);
            found.add(format!("columns[{i}].personal"), what);
        }
    }
    found.0
}
