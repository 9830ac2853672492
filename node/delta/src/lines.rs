//! The lines of an answer, one JSON object each, in both of the protocol's forms (sections "API Response Format in Parquet"
//! and "in Delta").

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::capabilities::Form;
use crate::hint::{Facts, Literal};
use crate::schema::{self, Column};

/// Media type of lines.
pub const MEDIA_TYPE: &str = "application/x-ndjson; charset=utf-8";

/// What an answer says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What the table is called for as long as it lives.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Description for people.
    pub description: Option<String>,
    /// Its columns as they are shown.
    pub columns: Vec<Column>,
    /// Version that this is said of, where one was asked for.
    pub version: Option<u64>,
    /// Bytes of all files, where they are known.
    pub bytes: Option<u64>,
    /// Number of files, where it is known.
    pub files: Option<u64>,
    /// Whether changes between versions are told.
    pub changes: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Signed address.
    pub url: String,
    /// Name that stays the same while the bytes do.
    pub id: String,
    /// Bytes.
    pub bytes: u64,
    /// Figures of its rows as they are shown.
    pub facts: Facts,
    /// Version of the table, where one was asked for.
    pub version: Option<u64>,
    /// When that version came to be, milliseconds since 1970.
    pub at: Option<i64>,
    /// Until when the address is good, milliseconds since 1970.
    pub expires: Option<i64>,
}

/// What a file of changes tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// All its rows are new.
    Add,
    /// Its column `_change_type` says what became of each row.
    Cdf,
    /// All its rows are gone.
    Remove,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Cdf => "cdf",
            Self::Remove => "remove",
        }
    }
}

/// An answer as it is put together.
#[derive(Debug)]
pub struct Lines {
    form: Form,
    body: Vec<u8>,
}

impl Lines {
    /// Begins an answer: protocol and table.
    #[must_use]
    pub fn new(form: Form, metadata: &Metadata) -> Self {
        let mut lines = Self { form, body: Vec::new() };
        lines.put(&protocol(form, metadata));
        lines.put(&told(form, metadata));
        lines
    }

    /// A file of the table.
    pub fn file(&mut self, file: &File) {
        let line = match self.form {
            Form::Parquet => json!({"file": plain(file)}),
            Form::Delta => wrapped(file, "add", true),
        };
        self.put(&line);
    }

    /// A file of changes.
    pub fn change(&mut self, change: Change, file: &File) {
        let line = match (self.form, change) {
            (Form::Parquet, _) => {
                let mut line = Map::new();
                line.insert(change.word().to_owned(), plain(file));
                Value::Object(line)
            }
            (Form::Delta, Change::Add) => wrapped(file, "add", true),
            (Form::Delta, Change::Cdf) => wrapped(file, "cdc", false),
            (Form::Delta, Change::Remove) => wrapped(file, "remove", true),
        };
        self.put(&line);
    }

    /// The body of the answer.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.body
    }

    fn put(&mut self, line: &impl Serialize) {
        // Values made of texts and numbers are always written.
        if let Ok(line) = serde_json::to_vec(line) {
            self.body.extend_from_slice(&line);
            self.body.push(b'\n');
        }
    }
}

fn protocol(form: Form, metadata: &Metadata) -> Value {
    let inner = match form {
        Form::Parquet => return json!({"protocol": {"minReaderVersion": 1}}),
        Form::Delta if schema::has_times(&metadata.columns) => {
            let writer: &[&str] =
                if metadata.changes { &["timestampNtz", "changeDataFeed"] } else { &["timestampNtz"] };
            json!({"minReaderVersion": 3, "minWriterVersion": 7,
                   "readerFeatures": ["timestampNtz"], "writerFeatures": writer})
        }
        Form::Delta => {
            json!({"minReaderVersion": 1, "minWriterVersion": if metadata.changes { 4 } else { 2 }})
        }
    };
    json!({"protocol": {"deltaProtocol": inner}})
}

fn told(form: Form, metadata: &Metadata) -> Value {
    let name = match form {
        Form::Parquet => "enableChangeDataFeed",
        Form::Delta => "delta.enableChangeDataFeed",
    };
    let configuration = if metadata.changes { json!({name: "true"}) } else { json!({}) };
    let mut inner = json!({
        "id": metadata.id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema::text(&metadata.columns, form == Form::Delta),
        "partitionColumns": [],
        "configuration": configuration,
    });
    let mut outer = json!({});
    with(&mut inner, "name", metadata.name.as_deref());
    with(&mut inner, "description", metadata.description.as_deref());
    let figures = if form == Form::Delta { &mut outer } else { &mut inner };
    with(figures, "version", metadata.version);
    with(figures, "size", metadata.bytes);
    with(figures, "numFiles", metadata.files);
    if form == Form::Parquet {
        return json!({"metaData": inner});
    }
    with(&mut inner, "createdTime", Some(0));
    with(&mut outer, "deltaMetadata", Some(inner));
    json!({"metaData": outer})
}

fn with(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.into());
    }
}

/// A file as the older form has it.
fn plain(file: &File) -> Value {
    let mut line = json!({
        "url": file.url, "id": file.id, "partitionValues": {}, "size": file.bytes, "stats": stats(&file.facts),
    });
    with_version(&mut line, file);
    line
}

fn with_version(line: &mut Value, file: &File) {
    with(line, "version", file.version);
    with(line, "timestamp", file.at);
    with(line, "expirationTimestamp", file.expires);
}

/// A file as an action of a Delta log, within a line of the newer form.
fn wrapped(file: &File, action: &str, data: bool) -> Value {
    let mut inner = json!({"path": file.url, "partitionValues": {}, "size": file.bytes, "dataChange": data});
    let at = file.at.unwrap_or_default();
    match action {
        "add" => {
            with(&mut inner, "modificationTime", Some(at));
            with(&mut inner, "stats", Some(stats(&file.facts)));
        }
        "remove" => {
            with(&mut inner, "deletionTimestamp", Some(at));
            with(&mut inner, "extendedFileMetadata", Some(true));
        }
        _ => {}
    }
    let mut single = json!({});
    with(&mut single, action, Some(inner));
    let mut line = json!({"id": file.id, "size": file.bytes, "deltaSingleAction": single});
    with_version(&mut line, file);
    json!({"file": line})
}

/// Figures of a file as a text (section "Per-file Statistics").
fn stats(facts: &Facts) -> String {
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    for column in &facts.columns {
        nulls.insert(column.name.clone(), column.nulls.into());
        let Some([from, to]) = &column.range else { continue };
        if let (Some(from), Some(to)) = (said(from), said(to)) {
            least.insert(column.name.clone(), from);
            most.insert(column.name.clone(), to);
        }
    }
    json!({"numRecords": facts.rows, "minValues": least, "maxValues": most, "nullCount": nulls}).to_string()
}

fn said(value: &Literal) -> Option<Value> {
    match value {
        Literal::Whole(whole) => Some((*whole).into()),
        Literal::Number(number) => serde_json::Number::from_f64(*number).map(Value::Number),
        Literal::Day(day) => Some(day.as_str().into()),
        Literal::Other => None,
    }
}

#[cfg(test)]
mod tests;
