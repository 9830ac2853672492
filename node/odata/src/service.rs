//! The service document: which sets there are (JSON Format 4.01, 5).

use serde_json::{Map, Value, json};

use crate::{Metadata, Model};

/// The document; `base` is the address of the service with a slash at its end.
#[must_use]
pub fn document(model: &Model, base: &str, metadata: Metadata) -> Value {
    let sets = model.sets.iter().map(|set| {
        let mut entry = json!({"name": set.name, "kind": "EntitySet", "url": set.name});
        if let (false, Some(entry)) = (set.title.is_empty(), entry.as_object_mut()) {
            entry.insert("title".to_owned(), set.title.as_str().into());
        }
        entry
    });
    let mut document = Map::new();
    if metadata != Metadata::None {
        document.insert("@odata.context".to_owned(), format!("{base}$metadata").into());
    }
    document.insert("value".to_owned(), Value::Array(sets.collect()));
    Value::Object(document)
}
