//! Small readers that the text formats share. Each accepts one spelling of a value only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A decimal number without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Standard base64 with padding and without trailing bits.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Exactly 32 bytes as base64.
pub(crate) fn base64_32(text: &str) -> Option<[u8; 32]> {
    base64(text)?.try_into().ok()
}

/// Exactly 32 bytes as lower-case hexadecimal digits.
pub(crate) fn hex_32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
    }
    Some(out)
}

/// Lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Foreign text for an error message: one short line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "18446744073709551616", "٣"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
        assert_eq!(hex_32(&to_hex(&[0xa5; 32])), Some([0xa5; 32]));
        assert_eq!(hex_32(&to_hex(&[0xa5; 32]).to_uppercase()), None);
        assert_eq!(hex_32(&"g".repeat(64)), None);
        assert_eq!(base64_32(&to_base64(&[1; 32])), Some([1; 32]));
        assert_eq!(base64_32(&to_base64(&[1; 31])), None);
        assert_eq!(base64("AB=="), None);
        assert_eq!(base64("AA"), None);
    }
}
