//! Parameters of an action: from the query of a GET, from a form, or from JSON, where the same value may be a text or not.

use serde_json::{Map, Value};

use super::Problem;

/// Parameters by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(Map<String, Value>);

impl Params {
    /// From a query or a form. A name that comes again makes a list, as in CKAN.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut map = Map::new();
        for (name, value) in pairs {
            match map.get_mut(&name) {
                None => {
                    map.insert(name, Value::String(value));
                }
                Some(Value::Array(list)) => list.push(Value::String(value)),
                Some(one) => *one = Value::Array(vec![one.take(), Value::String(value)]),
            }
        }
        Params(map)
    }

    /// From the body of a POST; an empty one has no parameters.
    pub fn from_json(body: &[u8]) -> Result<Self, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Params::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Params(map)),
            Ok(_) => Err(Problem::BadRequest(
                "JSON Error: the parameters must be an object with names and values".to_owned(),
            )),
            Err(error) => {
                Err(Problem::BadRequest(format!("JSON Error: Error decoding JSON data. Error: {error}")))
            }
        }
    }

    /// A text; nothing where it is missing or null.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(yes)) => Ok(Some(yes.to_string())),
            Some(_) => Err(invalid(name, "Must be one text")),
        }
    }

    /// A text that must be there.
    pub(super) fn demand(&self, name: &str) -> Result<String, Problem> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| invalid(name, "Missing value"))
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Problem> {
        match self.text(name)?.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(invalid(name, "Must be a natural number")),
            },
        }
    }

    /// Yes or no, as CKAN reads it.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        Ok(self
            .text(name)?
            .map(|text| matches!(text.to_lowercase().as_str(), "true" | "yes" | "t" | "y" | "1")))
    }

    /// A list: an array, a name that came several times, a text that is a JSON array, or one text.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, Problem> {
        let texts = |list: &[Value]| {
            let read = |value: &Value| value.as_str().map(str::to_owned);
            list.iter()
                .map(read)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| invalid(name, "Must be a list of texts"))
        };
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => texts(list),
            Some(Value::String(text)) if text.trim_start().starts_with('[') => {
                match serde_json::from_str(text) {
                    Ok(Value::Array(list)) => texts(&list),
                    _ => Err(invalid(name, "Must be a list of texts")),
                }
            }
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(_) => Err(invalid(name, "Must be a list of texts")),
        }
    }

    /// The same where one text holds a Solr query that may begin with a bracket: it is never read as JSON.
    pub(super) fn queries(&self, name: &str) -> Result<Vec<String>, Problem> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            _ => self.list(name),
        }
    }
}

pub(super) fn invalid(field: &str, message: &str) -> Problem {
    Problem::Validation { field: field.to_owned(), message: message.to_owned() }
}
