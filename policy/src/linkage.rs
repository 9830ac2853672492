//! The name of a linkage key: `NAME@ID`, as a mask says it and as providers tell each other.
//!
//! The id is a digest of the key, its name and its holders, so a rule that names a linkage names one key and nothing else:
//! another key under the old name cannot slip under a rule, an agreement or an approval. The key itself is the node's affair.

use serde::{Deserialize, Serialize};

/// Longest name before the `@`, characters.
pub const LINKAGE_NAME_MAX: usize = 32;
/// Hexadecimal digits behind the `@`: 128 bits, so that nobody finds two keys of one name.
pub const LINKAGE_ID_DIGITS: usize = 32;

/// A linkage key by its full name, for example `dinh-danh@0f3a9c21b4d8e6f01b7e54d2c6a8930f`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Linkage(String);

impl Linkage {
    /// Puts a name and the digits of an id together.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(name: &str, id: &str) -> Result<Self, String> {
        Self::try_from(format!("{name}@{id}"))
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people called it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('@').map_or("", |(name, _)| name)
    }

    /// Which key it is, [`LINKAGE_ID_DIGITS`] hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, id)| id)
    }
}

impl std::fmt::Display for Linkage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Linkage {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let good = text.split_once('@').is_some_and(|(name, id)| {
            (1..=LINKAGE_NAME_MAX).contains(&name.len())
                && name.bytes().all(plain)
                && id.len() == LINKAGE_ID_DIGITS
                && id.bytes().all(digit)
        });
        if good {
            return Ok(Self(text));
        }
        Err(format!(
            "`{}` names no linkage key: write NAME@ID as `tram linkage list` prints it, NAME of a-z 0-9 - (at most \
             {LINKAGE_NAME_MAX}), ID of {LINKAGE_ID_DIGITS} digits 0-9 a-f",
            crate::ids::shown(&text)
        ))
    }
}

impl From<Linkage> for String {
    fn from(linkage: Linkage) -> Self {
        linkage.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linkage_is_named_with_its_id_or_not_at_all() {
        let good = Linkage::new("dinh-danh", "0f3a9c21b4d8e6f01b7e54d2c6a8930f").unwrap();
        assert_eq!((good.name(), good.id()), ("dinh-danh", "0f3a9c21b4d8e6f01b7e54d2c6a8930f"));
        for bad in [
            "dinh-danh",
            "dinh-danh@",
            "@0f3a9c21b4d8e6f01b7e54d2c6a8930f",
            "dinh-danh@0f3a9c21b4d8e6f0",
            "dinh-danh@0f3a9c21b4d8e6f01b7e54d2c6a8930",
            "dinh-danh@0F3A9C21B4D8E6F01B7E54D2C6A8930F",
            "../x@0f3a9c21b4d8e6f01b7e54d2c6a8930f",
            "a@b@0f3a9c21b4d8e6f01b7e54d2c6a8930f",
            "định-danh@0f3a9c21b4d8e6f01b7e54d2c6a8930f",
        ] {
            assert!(Linkage::try_from(bad.to_owned()).unwrap_err().contains("tram linkage list"), "{bad}");
        }
    }
}
