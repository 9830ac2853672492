//! Names with a prefix, one type per kind; none can be blank.
//!
//! casbin keeps all its links in one graph, so a dataset link must never be able to speak for an agency: every name
//! says its kind (`ag:`, `ds:`, …) and each column takes only its own kinds. After the prefix stand 1 or more of
//! `A-Z a-z 0-9 : . _ / -`; no comma, blank, quote or wildcard can be part of a name.

use serde::{Deserialize, Serialize};

use crate::limits::{NAME_BYTES_MAX, RULE_ID_BYTES_MAX};

/// Why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not begin with a prefix of its kind.
    #[error("`{text}` is not {kind}: begin it with {wanted}")]
    Prefix {
        /// What was given, shortened and made printable.
        text: String,
        /// What was asked for.
        kind: &'static str,
        /// The prefixes that would do.
        wanted: String,
    },
    /// Nothing stands after the prefix.
    #[error("`{text}` is not {kind}: nothing stands after the prefix")]
    Blank {
        /// What was given.
        text: String,
        /// What was asked for.
        kind: &'static str,
    },
    /// A character that no name may have.
    #[error("`{text}` is not {kind}: use only A-Z a-z 0-9 : . _ / -")]
    Character {
        /// What was given, shortened and made printable.
        text: String,
        /// What was asked for.
        kind: &'static str,
    },
    /// The name is too long.
    #[error("`{text}…` is not {kind}: at most {max} bytes")]
    Long {
        /// The beginning of what was given.
        text: String,
        /// What was asked for.
        kind: &'static str,
        /// The limit.
        max: usize,
    },
}

/// `text` for an error message: at most 80 characters, control characters escaped, no backtick.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).map(|c| if c == '`' { '\'' } else { c }).collect()
}

fn name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_' | '/' | '-')
}

/// Checks `text` against the prefixes of its kind.
pub(crate) fn check(text: &str, kind: &'static str, prefixes: &[&str]) -> Result<(), IdError> {
    if text.len() > NAME_BYTES_MAX {
        return Err(IdError::Long { text: shown(text), kind, max: NAME_BYTES_MAX });
    }
    let Some(rest) = prefixes.iter().find_map(|p| text.strip_prefix(p)) else {
        let wanted = prefixes.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(" or ");
        return Err(IdError::Prefix { text: shown(text), kind, wanted });
    };
    if rest.is_empty() {
        return Err(IdError::Blank { text: shown(text), kind });
    }
    if !rest.chars().all(name_character) {
        return Err(IdError::Character { text: shown(text), kind });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $main:literal $(, $other:literal)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The prefixes of this kind, the usual one first.
            pub const PREFIXES: &'static [&'static str] = &[$main $(, $other)*];

            /// Reads a whole name, prefix included.
            ///
            /// # Errors
            /// [`IdError`] for another prefix, nothing after it, a forbidden character or too many bytes.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, $kind, Self::PREFIXES)?;
                Ok(Self(text.to_owned()))
            }

            /// Puts the usual prefix before a bare name, such as a participant id or a local dataset name.
            ///
            /// # Errors
            /// As [`Self::parse`].
            pub fn named(bare: &str) -> Result<Self, IdError> {
                Self::parse(&format!("{}{bare}", $main))
            }

            /// A name that stands for all that nobody uses.
            #[allow(dead_code, reason = "not every kind is asked for")]
            pub(crate) fn unnamed(used: impl Fn(&str) -> bool) -> Self {
                let mut name = concat!($main, "any-other").to_owned();
                while used(&name) {
                    name.push('-');
                }
                Self(name)
            }

            /// The whole name, prefix included.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// Who asks: an agency `ag:<participant id>`, or a person of this node `us:<login>`.
    SubjectId, "a subject", "ag:", "us:"
);
name!(
    /// A group of agencies or a role: `gr:…`, `ro:…`.
    GroupId, "a group or role", "gr:", "ro:"
);
name!(
    /// A dataset: `ds:<local dataset name>`.
    DatasetId, "a dataset", "ds:"
);
name!(
    /// A collection of datasets: `co:…`.
    CollectionId, "a collection", "co:"
);
name!(
    /// A tag of a dataset: `tag:…`.
    TagId, "a tag", "tag:"
);
name!(
    /// What the data is for: `pu:…`.
    PurposeId, "a purpose", "pu:"
);
name!(
    /// An agreement: `agr:…`.
    AgreementId, "an agreement", "agr:"
);
name!(
    /// A legal basis on record: `bas:…`.
    BasisId, "a legal basis", "bas:"
);
name!(
    /// A unit inside the asking agency: `un:…`.
    UnitId, "a unit", "un:"
);
name!(
    /// The role of the person who asks, as its agency states it: `ro:…`.
    RoleId, "a role", "ro:"
);
name!(
    /// Where the data will be used: `pl:…`.
    PlaceId, "a place", "pl:"
);
name!(
    /// The way that data takes from node to node: `via:direct`, `via:platform`, …
    RouteId, "a route", "via:"
);
name!(
    /// The sector of a dataset: `se:…`.
    SectorId, "a sector", "se:"
);
name!(
    /// A named network zone the request came through: `net:…`.
    ZoneId, "a network zone", "net:"
);

/// Prefix of the name that a dataset's owner puts above it: `ow:<participant id>`.
pub(crate) const OWNER_PREFIX: &str = "ow:";
/// The way straight from node to node.
const DIRECT: &str = "via:direct";

impl Default for RouteId {
    /// Straight from node to node.
    fn default() -> Self {
        Self(DIRECT.to_owned())
    }
}

impl RouteId {
    /// True when data goes straight from node to node.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.0 == DIRECT
    }
}

/// Explicit consent to special categories (GDPR, Art. 9(2)(a)).
pub(crate) const BASIS_ART9_CONSENT: &str = "bas:art9-consent";
/// Grounds on which special categories may be processed (GDPR, Art. 9(2)); each stands for a ground of Art. 6 as well.
pub(crate) const BASIS_ART9: [&str; 9] = [
    BASIS_ART9_CONSENT,
    "bas:art9-employment",
    "bas:art9-vital-interests",
    "bas:art9-made-public",
    "bas:art9-legal-claims",
    "bas:art9-public-interest",
    "bas:art9-health-care",
    "bas:art9-public-health",
    "bas:art9-research",
];
/// The legal basis that the emergency exceptions of the law rest on.
pub(crate) const BASIS_EMERGENCY: &str = "bas:emergency";
/// The legal basis of a person's consent.
pub(crate) const BASIS_CONSENT: &str = "bas:consent";

/// Id of a rule or of an obligation set: 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(String);

impl RuleId {
    /// Reads an id.
    ///
    /// # Errors
    /// [`IdError`] for a blank id, a forbidden character or too many bytes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let kind = "a rule id";
        if text.len() > RULE_ID_BYTES_MAX {
            return Err(IdError::Long { text: shown(text), kind, max: RULE_ID_BYTES_MAX });
        }
        if text.is_empty() {
            return Err(IdError::Blank { text: String::new(), kind });
        }
        let letter_first = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !letter_first || !text.chars().all(plain) {
            return Err(IdError::Character { text: shown(text), kind });
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RuleId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.0
    }
}

/// Id of an obligation set; same form as a rule id.
pub type ObligationSetId = RuleId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iris_of_agencies_and_datasets_are_names() {
        let agency = SubjectId::named("urn:agency:vn:hanoi-env").unwrap();
        assert_eq!(agency.as_str(), "ag:urn:agency:vn:hanoi-env");
        assert_eq!(DatasetId::parse("ds:hanoi-env/air-hourly").unwrap().as_str(), "ds:hanoi-env/air-hourly");
        assert!(SubjectId::parse("us:lan").is_ok());
    }

    #[test]
    fn what_could_pass_for_another_kind_is_refused() {
        for bad in [
            "", "ag:", "tax", "ds:x", "*", "+", "-", "ag:a,b", "ag:a b", "ag:a\nb", "ag:đ", "ag:*", "AG:x",
            "ag:a\"b",
        ] {
            assert!(SubjectId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(DatasetId::parse("ag:tax").is_err());
        assert!(SubjectId::parse(&format!("ag:{}", "x".repeat(NAME_BYTES_MAX - 3))).is_ok());
        assert!(SubjectId::parse(&format!("ag:{}", "x".repeat(NAME_BYTES_MAX - 2))).is_err());
    }

    #[test]
    fn rule_ids_are_short_and_plain() {
        assert!(RuleId::parse("NAT-01").is_ok());
        for bad in ["", "-", "*", "1A", "A B", "A,B", "A:B"] {
            assert!(RuleId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(RuleId::parse(&"R".repeat(RULE_ID_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_message_shows_the_input_printably() {
        let message = SubjectId::parse("x`\u{7}").unwrap_err().to_string();
        assert!(message.contains("`x'\\u{7}`"), "{message}");
    }
}
