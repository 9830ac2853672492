//! The one form of text: NFC, the composed letters that every search and every join expects.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::Remark;

/// The same text as NFC.
pub(crate) fn nfc(text: String) -> String {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text
    } else {
        text.nfc().collect()
    }
}

/// Brings cells to NFC and counts those that were not.
#[derive(Debug, Default)]
pub(crate) struct Composed(u64);

impl Composed {
    /// The cell as NFC.
    pub fn take(&mut self, text: String) -> String {
        if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
            return text;
        }
        let composed: String = text.nfc().collect();
        self.0 += u64::from(composed != text);
        composed
    }

    /// What was changed.
    pub fn remark(&self) -> Option<Remark> {
        let n = self.0;
        (n > 0).then(|| {
            Remark::new(
                "text-composed",
                format!("{n} ô viết dạng tổ hợp (NFD) đã đưa về dạng dựng sẵn (NFC)"),
                format!("{n} cells in decomposed form (NFD) were brought to the composed form (NFC)"),
            )
        })
    }
}
