//! The rule set that ships with the node, from `packs/vn-core`.

use crate::load::{Files, name};

/// The files of the rule set that ships with the node, by name: a form to begin one's own with.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        (name::POLICY, include_str!("../packs/vn-core/policy.csv")),
        (name::DUTIES, include_str!("../packs/vn-core/duties.csv")),
        (name::OBLIGATIONS, include_str!("../packs/vn-core/obligations.json")),
        (name::REASONS, include_str!("../packs/vn-core/reasons.json")),
        (name::CASES, include_str!("../packs/vn-core/cases.json")),
        (name::REGISTRY, include_str!("../packs/vn-core/registry.json")),
    ]
    .into_iter()
}

/// The same for the loader.
pub(crate) fn files() -> Files {
    texts().fold(Files::new(), |files, (name, text)| files.with(name, text))
}
