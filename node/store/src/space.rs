//! The drawers of the store. A space's number is written on the disk and its name in exports: neither ever changes.

use std::fmt;

/// One drawer of the store: all records of one noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// What the node knows of itself: counters, feature levels, guard keys.
    Meta,
    /// Datasets that this node offers.
    Dataset,
    /// Versions of the rule set.
    RuleSet,
    /// Peers and what is known of them.
    Peer,
    /// Negotiations under way and ended.
    Negotiation,
    /// Transfers under way and ended.
    Transfer,
    /// Agreements, as the exact signed bytes.
    Agreement,
    /// Exchanges: negotiation, transfers and receipts as one story for people.
    Exchange,
    /// What waits for an unreachable peer.
    Outbox,
    /// Messages already handled, so that a repeated one is answered alike.
    Dedup,
    /// Invitations to join.
    Invitation,
    /// Receipts, as the exact signed bytes.
    Receipt,
    /// Decisions of the policy, for explaining them later.
    Decision,
    /// Those who are no peers and may ask at the public door.
    Party,
    /// Connectors (Dataspace Protocol): registrations, their processes and agreements.
    Connector,
}

impl Space {
    /// Every space, in the order of their numbers.
    pub const ALL: [Space; 15] = [
        Space::Meta,
        Space::Dataset,
        Space::RuleSet,
        Space::Peer,
        Space::Negotiation,
        Space::Transfer,
        Space::Agreement,
        Space::Exchange,
        Space::Outbox,
        Space::Dedup,
        Space::Invitation,
        Space::Receipt,
        Space::Decision,
        Space::Party,
        Space::Connector,
    ];

    /// The name used in exports, reports and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Space::Meta => "meta",
            Space::Dataset => "dataset",
            Space::RuleSet => "rule-set",
            Space::Peer => "peer",
            Space::Negotiation => "negotiation",
            Space::Transfer => "transfer",
            Space::Agreement => "agreement",
            Space::Exchange => "exchange",
            Space::Outbox => "outbox",
            Space::Dedup => "dedup",
            Space::Invitation => "invitation",
            Space::Receipt => "receipt",
            Space::Decision => "decision",
            Space::Party => "party",
            Space::Connector => "connector",
        }
    }

    /// The space of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Space> {
        Self::ALL.into_iter().find(|space| space.name() == name)
    }

    /// The first byte of every key of this space on the disk; bytes under 0x10 are the store's own.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Space::Meta => 0x10,
            Space::Dataset => 0x11,
            Space::RuleSet => 0x12,
            Space::Peer => 0x13,
            Space::Negotiation => 0x14,
            Space::Transfer => 0x15,
            Space::Agreement => 0x16,
            Space::Exchange => 0x17,
            Space::Outbox => 0x18,
            Space::Dedup => 0x19,
            Space::Invitation => 0x1a,
            Space::Receipt => 0x1b,
            Space::Decision => 0x1c,
            Space::Party => 0x1d,
            Space::Connector => 0x1e,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Space> {
        Self::ALL.into_iter().find(|space| space.code() == code)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_on_the_disk_never_change() {
        let written: Vec<_> = Space::ALL.iter().map(|s| format!("{:02x}={s}", s.code())).collect();
        assert_eq!(
            written.join(" "),
            "10=meta 11=dataset 12=rule-set 13=peer 14=negotiation 15=transfer 16=agreement 17=exchange \
             18=outbox 19=dedup 1a=invitation 1b=receipt 1c=decision 1d=party 1e=connector"
        );
        for space in Space::ALL {
            assert_eq!(Space::from_name(space.name()), Some(space));
            assert_eq!(Space::from_code(space.code()), Some(space));
        }
        assert_eq!(Space::from_name("Meta"), None);
        assert_eq!(Space::from_code(0x01), None);
    }
}
