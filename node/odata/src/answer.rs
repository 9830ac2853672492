//! Rows as JSON (JSON Format 4.01), written into a buffer piece by piece, so that a page need not be in memory twice.

use serde_json::Value;

pub use crate::accept::max_page_size;
pub use crate::error::body as error;
use crate::model::NAMESPACE;
pub use crate::options::format;
use crate::{Accept, ColumnKind, EntitySet, Metadata, Options};

/// How the rows of one request are written.
#[derive(Debug, Clone)]
pub struct Shape<'a> {
    set: &'a EntitySet,
    columns: Vec<usize>,
    key: bool,
    selected: bool,
    metadata: Metadata,
    ieee754: bool,
}

impl<'a> Shape<'a> {
    /// For a request with these options, in this form.
    #[must_use]
    pub fn new(set: &'a EntitySet, options: &Options, accept: Accept) -> Self {
        let (metadata, ieee754) = match accept {
            Accept::Json { metadata, ieee754 } => (metadata, ieee754),
            Accept::Xml | Accept::Text => (Metadata::Minimal, false),
        };
        Self {
            set,
            columns: options.columns(set),
            key: options.key,
            selected: options.select.is_some(),
            metadata,
            ieee754,
        }
    }

    /// What stands before the first row. `base` is the address of the service with a slash at its end.
    pub fn begin(&self, out: &mut Vec<u8>, base: &str, count: Option<u64>) {
        out.push(b'{');
        if self.metadata != Metadata::None {
            member(out, "@odata.context", &self.context(base).into());
            out.push(b',');
        }
        if let Some(count) = count {
            // Edm.Int64 (JSON Format 4.01, 4.5.5)
            let count = if self.ieee754 { count.to_string().into() } else { count.into() };
            member(out, "@odata.count", &count);
            out.push(b',');
        }
        out.extend_from_slice(b"\"value\":[");
    }

    /// What stands after the last row; `next` is where the answer goes on.
    pub fn end(&self, out: &mut Vec<u8>, next: Option<&str>) {
        out.push(b']');
        if let Some(next) = next {
            out.push(b',');
            member(out, "@odata.nextLink", &next.into());
        }
        out.push(b'}');
    }

    /// One row with its number, from 1 on; `cells` are those of the selected columns in their order, and a comma stands before
    /// all rows of a page but its first.
    pub fn row(&self, out: &mut Vec<u8>, first: bool, number: u64, cells: &[Value]) {
        if !first {
            out.push(b',');
        }
        out.push(b'{');
        let begin = out.len();
        if self.metadata == Metadata::Full {
            member(out, "@odata.type", &format!("#{NAMESPACE}.{}", self.set.name).into());
            out.push(b',');
            // There is no address of a single row (JSON Format 4.01, 4.5.8).
            member(out, "@odata.id", &Value::Null);
            out.push(b',');
        }
        if self.key {
            self.value(out, &self.set.key, ColumnKind::Integer, &number.into());
        }
        for (at, cell) in self.columns.iter().zip(cells) {
            if let Some(property) = self.set.properties.get(*at) {
                self.value(out, &property.name, property.column.kind, cell);
            }
        }
        if out.len() > begin {
            out.pop();
        }
        out.push(b'}');
    }

    /// A property with a comma behind it.
    fn value(&self, out: &mut Vec<u8>, name: &str, kind: ColumnKind, cell: &Value) {
        let kind_told = matches!(kind, ColumnKind::Integer | ColumnKind::Date | ColumnKind::Timestamp);
        if self.metadata == Metadata::Full && kind_told && !cell.is_null() {
            let kind = kind.edm().replace("Edm.", "#");
            member(out, &format!("{name}@odata.type"), &kind.into());
            out.push(b',');
        }
        match (kind, cell) {
            (ColumnKind::Integer, Value::Number(n)) if self.ieee754 => {
                member(out, name, &n.to_string().into())
            }
            (ColumnKind::Timestamp, Value::String(time)) => member(out, name, &with_zone(time).into()),
            (ColumnKind::Number, Value::String(text)) => member(out, name, &unbounded(text).into()),
            _ => member(out, name, cell),
        }
        out.push(b',');
    }

    fn context(&self, base: &str) -> String {
        let set = &self.set.name;
        if !self.selected {
            return format!("{base}$metadata#{set}");
        }
        let key = self.key.then_some(self.set.key.as_str());
        let columns =
            self.columns.iter().filter_map(|at| self.set.properties.get(*at)).map(|p| p.name.as_str());
        let names: Vec<&str> = key.into_iter().chain(columns).collect();
        format!("{base}$metadata#{set}({})", names.join(","))
    }
}

fn member(out: &mut Vec<u8>, name: &str, value: &Value) {
    out.extend_from_slice(Value::from(name).to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(value.to_string().as_bytes());
}

/// OData has no time without a zone: the digits are those of the table, said to be UTC.
fn with_zone(time: &str) -> String {
    if time.ends_with('Z') { time.to_owned() } else { format!("{time}Z") }
}

/// Numbers for which JSON has none (JSON Format 4.01, 7.1).
fn unbounded(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" => "INF".to_owned(),
        "-inf" | "-infinity" => "-INF".to_owned(),
        "nan" => "NaN".to_owned(),
        _ => text.to_owned(),
    }
}
