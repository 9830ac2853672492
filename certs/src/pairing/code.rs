//! The text form of an invitation.
//!
//! Bytes: id length (1), id, endpoint length without `https://` (2), endpoint, SPKI hash (32), secret (16), expiry
//! (5, Unix seconds), checksum (4, the first bytes of a SHA-256). All numbers big-endian. Text: base32 (RFC 4648
//! alphabet in lower case: no 0, 1, 8, 9), in groups of five, so that it can be read aloud and also fits the dense mode
//! of a QR code.

use zeroize::Zeroizing;

use super::{CODE_PREFIX, Invitation, PairingError, PairingSecret};
use crate::encode::sha256;
use crate::id::ParticipantId;

/// Longest code with longest id and endpoint, hyphens included, and some white space from copying.
pub const CODE_CHARS_MAX: usize = 2_048;
/// Five bytes of seconds.
pub(super) const EXPIRES_MAX: i64 = (1 << 40) - 1;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const GROUP: usize = 5;
const CHECKSUM_BYTES: usize = 4;
const CHECKSUM_CONTEXT: &[u8] = b"tram/pairing/code/v1\0";
const HTTPS: &str = "https://";

pub(super) fn write(invitation: &Invitation) -> Zeroizing<String> {
    let bytes = encode(invitation);
    let mut code = Zeroizing::new(String::from(CODE_PREFIX));
    for (i, letter) in base32(&bytes).chars().enumerate() {
        if i > 0 && i % GROUP == 0 {
            code.push('-');
        }
        code.push(letter);
    }
    code
}

pub(super) fn read(text: &str) -> Result<Invitation, PairingError> {
    if text.len() > CODE_CHARS_MAX {
        return Err(PairingError::TooLong);
    }
    let folded = text.trim().to_ascii_lowercase();
    let rest = folded.strip_prefix("tram").ok_or(PairingError::NotACode)?;
    let (version, rest) = rest.split_once('-').ok_or(PairingError::NotACode)?;
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
        return Err(PairingError::NotACode);
    }
    if version != "1" {
        return Err(PairingError::OtherVersion);
    }
    decode(&unbase32(rest)?)
}

fn encode(invitation: &Invitation) -> Zeroizing<Vec<u8>> {
    let id = invitation.participant.as_str().as_bytes();
    let endpoint = invitation.endpoint.strip_prefix(HTTPS).unwrap_or_default().as_bytes();
    let mut out = Zeroizing::new(Vec::new());
    // Ids have at most 256 characters; the length is kept less one, so that it fits a byte.
    out.push(u8::try_from(id.len().saturating_sub(1)).unwrap_or(u8::MAX));
    out.extend_from_slice(id);
    out.extend_from_slice(&u16::try_from(endpoint.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(endpoint);
    out.extend_from_slice(&invitation.channel_spki);
    out.extend_from_slice(invitation.secret.bytes());
    out.extend(invitation.expires.to_be_bytes().into_iter().skip(3));
    let sum = checksum(&out);
    out.extend_from_slice(&sum);
    out
}

fn decode(bytes: &[u8]) -> Result<Invitation, PairingError> {
    let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(PairingError::Checksum)?;
    if checksum(body) != *sum {
        return Err(PairingError::Checksum);
    }
    let mut body = Reader(body);
    let [id_len] = body.array::<1>()?;
    let id = body.text(usize::from(id_len) + 1)?;
    let endpoint_len = u16::from_be_bytes(body.array()?);
    let endpoint = format!("{HTTPS}{}", body.text(usize::from(endpoint_len))?);
    let channel_spki = body.array()?;
    let secret = PairingSecret::new(body.array()?);
    let [a, b, c, d, e] = body.array::<5>()?;
    let expires = i64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    if !body.0.is_empty() {
        return Err(PairingError::Content("there is more in it than there should be"));
    }
    let participant =
        ParticipantId::parse(id).map_err(|_| PairingError::Content("the participant id is malformed"))?;
    Ok(Invitation { participant, endpoint, channel_spki, secret, expires })
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = sha256(&[CHECKSUM_CONTEXT, body].concat());
    let mut sum = [0; CHECKSUM_BYTES];
    sum.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    sum
}

/// Takes parts from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], PairingError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*head)
    }

    fn text(&mut self, len: usize) -> Result<&'a str, PairingError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        std::str::from_utf8(head).map_err(|_| PairingError::Content("a text in it is not UTF-8"))
    }
}

const SHORT: PairingError = PairingError::Content("a part of it is missing");

fn base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::new());
    let (mut window, mut bits) = (0u32, 0u32);
    for byte in bytes {
        window = (window << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(letter(window >> bits));
        }
    }
    if bits > 0 {
        out.push(letter(window << (5 - bits)));
    }
    out
}

fn letter(value: u32) -> char {
    let index = (value & 31) as usize;
    ALPHABET.get(index).map_or('a', |b| char::from(*b))
}

/// Ignores hyphens and white space. What is left over at the end must be the zero bits that `base32` wrote.
fn unbase32(text: &str) -> Result<Zeroizing<Vec<u8>>, PairingError> {
    let mut out = Zeroizing::new(Vec::new());
    let (mut window, mut bits) = (0u32, 0u32);
    let letters = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
    for (i, found) in letters.enumerate() {
        let value = ALPHABET.iter().position(|b| char::from(*b) == found);
        let value =
            value.and_then(|v| u32::try_from(v).ok()).ok_or(PairingError::Character { found, at: i + 1 })?;
        window = (window << 5 | value) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((window >> bits & 0xff) as u8);
        }
    }
    if bits >= 5 || window & ((1 << bits) - 1) != 0 {
        return Err(PairingError::Checksum);
    }
    Ok(out)
}
