//! Plain words for people, Vietnamese first, and the legal texts they rest on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::limits::TEXT_BYTES_MAX;

/// A text in Vietnamese and English; neither can be blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawText")]
pub struct Text {
    vi: Cow<'static, str>,
    en: Cow<'static, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    vi: String,
    en: String,
}

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// One language is missing.
    #[error("the text is blank in `{0}`: give it in Vietnamese (`vi`) and English (`en`)")]
    Blank(&'static str),
    /// Too long.
    #[error("the text is longer than 4096 bytes in `{0}`: shorten it")]
    Long(&'static str),
    /// A control character other than a line break.
    #[error("the text has a control character in `{0}`: remove it")]
    Control(&'static str),
}

impl Text {
    /// Checks and keeps both texts.
    ///
    /// # Errors
    /// [`TextError`] when one is blank, over 4 KiB or has control characters.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Result<Self, TextError> {
        let (vi, en) = (vi.into(), en.into());
        for (text, language) in [(&vi, "vi"), (&en, "en")] {
            if text.trim().is_empty() {
                return Err(TextError::Blank(language));
            }
            if text.len() > TEXT_BYTES_MAX {
                return Err(TextError::Long(language));
            }
            if text.chars().any(|c| c.is_control() && c != '\n') {
                return Err(TextError::Control(language));
            }
        }
        Ok(Self { vi: vi.into(), en: en.into() })
    }

    /// For the texts of this crate's own tables; a test holds them to the same rules.
    pub(crate) const fn fixed(vi: &'static str, en: &'static str) -> Self {
        Self { vi: Cow::Borrowed(vi), en: Cow::Borrowed(en) }
    }

    /// Vietnamese.
    #[must_use]
    pub fn vi(&self) -> &str {
        &self.vi
    }

    /// English.
    #[must_use]
    pub fn en(&self) -> &str {
        &self.en
    }
}

impl TryFrom<RawText> for Text {
    type Error = TextError;
    fn try_from(raw: RawText) -> Result<Self, TextError> {
        Self::new(raw.vi, raw.en)
    }
}

/// How far a citation has been checked; shown until a lawyer has confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceMark {
    /// The primary text was seen.
    #[serde(rename = "P")]
    Primary,
    /// From a secondary source.
    #[serde(rename = "S")]
    Secondary,
    /// From memory.
    #[serde(rename = "M")]
    Memory,
}

/// The legal basis of an answer; cannot be blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCitation")]
pub struct Citation {
    #[serde(flatten)]
    text: Text,
    mark: SourceMark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCitation {
    vi: String,
    en: String,
    mark: SourceMark,
}

impl Citation {
    /// A citation.
    #[must_use]
    pub const fn new(text: Text, mark: SourceMark) -> Self {
        Self { text, mark }
    }

    /// The words of the citation.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// How far it has been checked.
    #[must_use]
    pub fn mark(&self) -> SourceMark {
        self.mark
    }
}

impl TryFrom<RawCitation> for Citation {
    type Error = TextError;
    fn try_from(raw: RawCitation) -> Result<Self, TextError> {
        Ok(Self::new(Text::new(raw.vi, raw.en)?, raw.mark))
    }
}
