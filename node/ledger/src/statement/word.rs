//! The values that lines of a statement hold, each with one spelling.

use std::fmt;
use std::str::FromStr;

use certs::note::KeyName;

use crate::error::{LedgerError, Result};
use crate::merkle::Hash;
use crate::text;

/// Length of a word in bytes: as long as the longest id that the wire accepts.
pub const WORD_BYTES_MAX: usize = 1024;

/// One value without spaces: 1 to 1024 printable ASCII characters, and not the single `-` that stands for "none".
///
/// ASCII only, so that two different values never look the same to an auditor. Ids that hold other characters are
/// percent-encoded by whoever mints them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl Word {
    /// Checks the value.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn new(value: &str) -> Result<Self> {
        let printable = value.bytes().all(|byte| byte.is_ascii_graphic());
        if value.is_empty() || value == "-" || value.len() > WORD_BYTES_MAX || !printable {
            let why = format!(
                "`{}` must be 1 to {WORD_BYTES_MAX} printable ASCII characters without spaces, and not `-`",
                text::shortened(value)
            );
            return Err(LedgerError::malformed("statement value", why));
        }
        Ok(Self(value.to_owned()))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Word {
    type Err = LedgerError;
    fn from_str(value: &str) -> Result<Self> {
        Self::new(value)
    }
}

/// A participant id or a log's origin: a [`Word`] that also is a legal key name (no `+`), because the notes of
/// that participant or log carry it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party(Word);

impl Party {
    /// Checks the value.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`], [`LedgerError::Note`].
    pub fn new(value: &str) -> Result<Self> {
        let word = Word::new(value)?;
        KeyName::new(value)?;
        Ok(Self(word))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Party {
    type Err = LedgerError;
    fn from_str(value: &str) -> Result<Self> {
        Self::new(value)
    }
}

/// The id of an exchange: a ULID in its canonical spelling (26 upper-case Crockford base32 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(String);

impl ExchangeId {
    /// Checks the id.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn new(value: &str) -> Result<Self> {
        let crockford = |byte: u8| {
            byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U'))
        };
        // 26 characters of 5 bits hold 130; the first may use three of its bits only.
        let fits = value.len() == 26 && matches!(value.as_bytes().first(), Some(b'0'..=b'7'));
        if !fits || !value.bytes().all(crockford) {
            let why = format!("`{}` is not a ULID of 26 upper-case characters", text::shortened(value));
            return Err(LedgerError::malformed("exchange id", why));
        }
        Ok(Self(value.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExchangeId {
    type Err = LedgerError;
    fn from_str(value: &str) -> Result<Self> {
        Self::new(value)
    }
}

/// A time in POSIX seconds that also fits a signed 64-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u64);

impl Seconds {
    /// Checks the time.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] past 2^63-1.
    pub fn new(seconds: u64) -> Result<Self> {
        if i64::try_from(seconds).is_err() {
            return Err(LedgerError::malformed("time", format!("`{seconds}` is past 2^63-1")));
        }
        Ok(Self(seconds))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which rule set decided: its digest and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSet {
    /// SHA-256 of the rule set's canonical bytes.
    pub sha256: [u8; 32],
    /// Its version number.
    pub version: u64,
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", text::to_hex(&self.sha256), self.version)
    }
}

/// One place in one log: the log's origin and the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The log's origin.
    pub log: Party,
    /// The entry's index.
    pub index: u64,
}

/// One entry of the own log: index and leaf hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef {
    /// The entry's index.
    pub index: u64,
    /// The entry's leaf hash.
    pub leaf: Hash,
}

impl fmt::Display for EntryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.index, self.leaf)
    }
}
