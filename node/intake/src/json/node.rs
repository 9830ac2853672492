//! A piece of JSON in memory, within bounds, with numbers as they are written.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use struson::reader::{JsonReader as _, JsonStreamReader, ReaderError, ValueType};

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    /// `null`.
    Null,
    /// Text, a number as written, `true`, `false`.
    Text(String),
    /// A list.
    List(Vec<Arc<Node>>),
    /// Fields in their order, no two of one name.
    Object(Vec<(String, Arc<Node>)>),
}

/// Why a piece cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// Two fields of an object have this name.
    Twice(String),
    /// What the parser says.
    Json(ReaderError),
}

impl From<ReaderError> for Fault {
    fn from(e: ReaderError) -> Self {
        Self::Json(e)
    }
}

impl Node {
    /// The next value. Depth is bounded by the reader's settings, size by what it reads from.
    pub fn read<R: Read>(json: &mut JsonStreamReader<R>) -> Result<Self, Fault> {
        Ok(match json.peek()? {
            ValueType::Null => {
                json.next_null()?;
                Self::Null
            }
            ValueType::Boolean => Self::Text(json.next_bool()?.to_string()),
            ValueType::String => Self::Text(json.next_string()?),
            ValueType::Number => Self::Text(number(json.next_number_as_string()?)),
            ValueType::Array => {
                let mut list = Vec::new();
                json.begin_array()?;
                while json.has_next()? {
                    list.push(Arc::new(Self::read(json)?));
                }
                json.end_array()?;
                Self::List(list)
            }
            ValueType::Object => {
                let (mut fields, mut seen) = (Vec::new(), HashSet::new());
                json.begin_object()?;
                while json.has_next()? {
                    let name = json.next_name_owned()?;
                    if !seen.insert(name.clone()) {
                        return Err(Fault::Twice(name));
                    }
                    fields.push((name, Arc::new(Self::read(json)?)));
                }
                json.end_object()?;
                Self::Object(fields)
            }
        })
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Arc<Self>> {
        match self {
            Self::Object(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// A number without an exponent. The parser lets none through that is longer than 100 digits.
fn number(written: String) -> String {
    if written == "-0" {
        return "0".to_owned();
    }
    if !written.contains(['e', 'E']) {
        return written;
    }
    written.parse::<f64>().map_or(written, |n| n.to_string())
}
