//! The two roles of one exchange.

use serde::{Deserialize, Serialize};

/// Who a party is in one exchange. A node is provider in some and consumer in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The party that has the data.
    Provider,
    /// The party that asks for it.
    Consumer,
}

impl Role {
    /// Both roles, for tables and tests.
    pub const ALL: [Role; 2] = [Role::Provider, Role::Consumer];

    /// The counter-party's role.
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Provider => Role::Consumer,
            Role::Consumer => Role::Provider,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Provider => "provider",
            Role::Consumer => "consumer",
        })
    }
}
