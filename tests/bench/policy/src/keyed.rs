//! The index that Cedar and regorus are given: rules by object, then by action and subject, as the node's own has it.

use std::collections::HashMap;

use crate::world::{Asked, World};

/// Positions of rules by object.
pub struct Keyed {
    by_object: HashMap<String, Vec<Key>>,
    above: HashMap<String, Vec<String>>,
}

struct Key {
    at: usize,
    subject: String,
    action: &'static str,
}

impl Keyed {
    /// Indexes all rules.
    pub fn of(world: &World) -> Self {
        let mut by_object: HashMap<String, Vec<Key>> = HashMap::new();
        for (at, row) in world.rows.iter().enumerate() {
            let key = Key { at, subject: row.subject.clone(), action: row.action };
            by_object.entry(row.object.clone()).or_default().push(key);
        }
        let own = |(name, above): (&str, Vec<&str>)| {
            (name.to_owned(), above.into_iter().map(str::to_owned).collect())
        };
        Self { by_object, above: world.above().into_iter().map(own).collect() }
    }

    /// The rules about the question's dataset or what stands above it, of its action and subject.
    pub fn rules(&self, asked: &Asked) -> Vec<usize> {
        let above = |name: &str| self.above.get(name).map_or(&[][..], Vec::as_slice);
        let (objects, subjects) = (above(&asked.dataset), above(&asked.subject));
        let lists =
            objects.iter().map(String::as_str).chain(["*"]).filter_map(|name| self.by_object.get(name));
        let fits = |key: &&Key| {
            (key.action == "*" || key.action == asked.action)
                && (key.subject == "*" || subjects.contains(&key.subject))
        };
        lists.flatten().filter(fits).map(|key| key.at).collect()
    }
}
