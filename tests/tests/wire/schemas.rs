//! The official JSON Schemas of DSP 2025-1, read from the shared vectors and never fetched.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{shared, skip};

const FOLDERS: [&str; 4] = ["common", "catalog", "negotiation", "transfer"];

/// The schemas, or nothing when the vectors are not here (said aloud).
pub struct Schemas(BTreeMap<String, jsonschema::Validator>);

impl Schemas {
    /// Reads them.
    pub fn load() -> Self {
        let Some(base) = shared("vectors/dsp") else {
            skip("no vectors/dsp: messages are not held against the official schemas");
            return Self(BTreeMap::new());
        };
        let mut documents: BTreeMap<String, Value> = BTreeMap::new();
        for folder in FOLDERS {
            for entry in std::fs::read_dir(base.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                if let Some(name) = file.strip_suffix("-schema.json") {
                    let text = std::fs::read(&path).unwrap();
                    documents.insert(format!("{folder}/{name}"), serde_json::from_slice(&text).unwrap());
                }
            }
        }
        let mut registry = jsonschema::Registry::new();
        for document in documents.values() {
            registry = registry.add(document["$id"].as_str().unwrap(), document).unwrap();
        }
        let registry = registry.prepare().unwrap();
        let build =
            |document: &Value| jsonschema::options().with_registry(&registry).build(document).unwrap();
        Self(documents.iter().map(|(name, document)| (name.clone(), build(document))).collect())
    }

    /// Demands that a message is valid by the schema of its own type.
    #[track_caller]
    pub fn check(&self, message: &Value) {
        if self.0.is_empty() {
            return;
        }
        let kind = message["@type"].as_str().unwrap_or_else(|| panic!("no type: {message}"));
        let name = schema_of(kind);
        let schema = self.0.get(&name).unwrap_or_else(|| panic!("no schema `{name}` for {message}"));
        if let Some(error) = schema.iter_errors(message).next() {
            panic!("{name} at `{}`: {error}\n{message:#}", error.instance_path());
        }
    }
}

/// `ContractRequestMessage` is described by `negotiation/contract-request-message`.
fn schema_of(kind: &str) -> String {
    let mut name = String::new();
    for (at, letter) in kind.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    let folder = match kind {
        _ if kind.starts_with("Contract") => "negotiation",
        _ if kind.starts_with("Transfer") => "transfer",
        _ => "catalog",
    };
    format!("{folder}/{name}")
}
