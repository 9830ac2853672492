//! The rule set that ships with the node, from `packs/vn-core`.

use crate::load::{Files, name};

/// Its files.
pub(crate) fn files() -> Files {
    Files::new()
        .with(name::POLICY, include_str!("../packs/vn-core/policy.csv"))
        .with(name::DUTIES, include_str!("../packs/vn-core/duties.csv"))
        .with(name::OBLIGATIONS, include_str!("../packs/vn-core/obligations.json"))
        .with(name::REASONS, include_str!("../packs/vn-core/reasons.json"))
        .with(name::CASES, include_str!("../packs/vn-core/cases.json"))
        .with(name::REGISTRY, include_str!("../packs/vn-core/registry.json"))
}
