//! Signed notes: a short text with the signatures of those who vouch for it (C2SP `signed-note`).
//!
//! Promise: what [`Note::parse`] accepts is canonical (writing it again gives the same bytes) and within named
//! limits, and [`Note::verify`] follows the specification: signatures of keys we do not know are ignored, a key
//! we know whose signature is wrong spoils the whole note, and a note that no known key signed is refused.
//!
//! Two kinds of signature: plain Ed25519 (0x01) and the time-stamped cosignature of a witness (0x04, C2SP
//! `tlog-cosignature`). Others are carried along and not judged. There is no clock here: times are arguments.
//!
//! Begin with [`Signer::sign`] to make a note and [`Note::verify`] to judge one.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// A whole note, in bytes: post-quantum signatures are 5 kB each, and a text of ours stays under 64 KiB.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Signature lines of one note: the specification asks for at least 16; a federation's witnesses fit in 64.
pub const SIGNATURES_MAX: usize = 64;
/// Length of a key name in bytes: as long as the longest participant id with a path behind it.
pub const KEY_NAME_BYTES_MAX: usize = 1024;

const SIGNATURE_LINE_START: &str = "\u{2014} ";
const KEY_ID_BYTES: usize = 4;
const ED25519_BYTES: usize = 64;
const COSIGNATURE_BYTES: usize = 8 + ED25519_BYTES;
/// Cosignature times are POSIX seconds that also fit a signed 64-bit number (C2SP `tlog-cosignature`).
const TIME_MAX: u64 = i64::MAX as u64;

/// Why a note, a key or a signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More bytes than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes, more than {NOTE_BYTES_MAX}; ask its sender for a smaller one")]
    TooLarge {
        /// How many bytes came.
        bytes: usize,
    },
    /// The bytes are not in the grammar of a signed note.
    #[error("not a signed note: {0}; ask its sender for the exact bytes")]
    Malformed(&'static str),
    /// A key name that no note may carry.
    #[error(
        "`{0}` is no key name: it must be 1 to {KEY_NAME_BYTES_MAX} bytes without spaces, controls and `+`"
    )]
    KeyName(String),
    /// A verification key that cannot be read or must not be trusted.
    #[error("`{vkey}` is no usable verification key: {why}")]
    Vkey {
        /// The text as it came, cut to a printable length.
        vkey: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key that we know, and a signature of its name and id that is not its own.
    #[error("the signature of `{0}` does not verify; the note was altered or is not by that key")]
    BadSignature(KeyName),
    /// None of the known keys signed.
    #[error("none of the known keys signed this note; check that the registry holds its signer's key")]
    NoKnownSignature,
}

/// The name of a key as notes carry it: non-empty, no Unicode space, no control character, no `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks the name.
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn new(name: &str) -> Result<Self, NoteError> {
        let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || !name.chars().all(legal) {
            return Err(NoteError::KeyName(shortened(name)));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = NoteError;
    fn from_str(name: &str) -> Result<Self, NoteError> {
        Self::new(name)
    }
}

/// What a key's signatures mean. The number is the type byte of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// Ed25519 over the text of the note.
    Ed25519 = 0x01,
    /// Ed25519 over a time and the text: "at that time this was the largest consistent tree I knew".
    CosignatureV1 = 0x04,
}

impl KeyKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureV1),
            _ => None,
        }
    }
}

/// A verification key: name, kind and public key. Its text form is `name+hexid+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey {
    name: KeyName,
    kind: KeyKind,
    key: VerifyingKey,
}

impl Vkey {
    /// Joins a name and a public key.
    ///
    /// # Errors
    /// [`NoteError::Vkey`] when the key is of small order: such a key accepts signatures of anybody.
    pub fn new(name: KeyName, kind: KeyKind, key: VerifyingKey) -> Result<Self, NoteError> {
        if key.is_weak() {
            return Err(NoteError::Vkey { vkey: shortened(name.as_str()), why: "the public key is weak" });
        }
        Ok(Self { name, kind, key })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What its signatures mean.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &VerifyingKey {
        &self.key
    }

    /// The four bytes by which signature lines name this key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let mut hash = Sha256::new();
        hash.update(self.name.as_str().as_bytes());
        hash.update([b'\n', self.kind as u8]);
        hash.update(self.key.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// Whether the signature line claims to be of this key.
    fn claims(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.key_id == self.id()
    }

    /// The time of a cosignature (`None` for a plain one), or `None` outside when the signature is wrong.
    fn judge(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        match self.kind {
            KeyKind::Ed25519 => self.strict(text.as_bytes(), signature).then_some(None),
            KeyKind::CosignatureV1 => {
                if signature.len() != COSIGNATURE_BYTES {
                    return None;
                }
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                let good = time <= TIME_MAX && self.strict(&cosigned_message(text, time), signature);
                good.then_some(Some(time))
            }
        }
    }

    fn strict(&self, message: &[u8], signature: &[u8]) -> bool {
        match ed25519_dalek::Signature::from_slice(signature) {
            Ok(signature) => self.key.verify_strict(message, &signature).is_ok(),
            Err(_) => false,
        }
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+", self.name)?;
        for byte in self.id() {
            write!(f, "{byte:02x}")?;
        }
        let mut raw = vec![self.kind as u8];
        raw.extend_from_slice(self.key.as_bytes());
        write!(f, "+{}", BASE64.encode(raw))
    }
}

impl FromStr for Vkey {
    type Err = NoteError;

    /// Reads `name+hexid+base64`; the id must be the one that name and key give.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refuse = |why| NoteError::Vkey { vkey: shortened(text), why };
        // Neither name nor id has a `+`; base64 may have some.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(raw)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse("it must read name+id+key"));
        };
        let raw = BASE64.decode(raw).map_err(|_| refuse("the key is not canonical base64"))?;
        let (kind, key) = raw.split_first().ok_or_else(|| refuse("the key is empty"))?;
        let kind = KeyKind::from_byte(*kind).ok_or_else(|| refuse("the key's type is not supported"))?;
        let key: [u8; 32] = key.try_into().map_err(|_| refuse("the key must have 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| refuse("the key is no point of the curve"))?;
        let vkey = Self::new(KeyName::new(name)?, kind, key)?;
        let expected: String = vkey.id().iter().map(|byte| format!("{byte:02x}")).collect();
        if id != expected {
            return Err(refuse("the id does not belong to this name and key"));
        }
        Ok(vkey)
    }
}

/// A named Ed25519 key that signs notes. Its `Debug` shows the public side only.
#[derive(Clone)]
pub struct Signer {
    name: KeyName,
    key: SigningKey,
}

impl Signer {
    /// Joins a name and a key.
    #[must_use]
    pub fn new(name: KeyName, key: SigningKey) -> Self {
        Self { name, key }
    }

    /// What others need to verify this signer.
    #[must_use]
    pub fn vkey(&self) -> Vkey {
        Vkey { name: self.name.clone(), kind: KeyKind::Ed25519, key: self.key.verifying_key() }
    }

    /// A new note with this signer's signature.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when the text is no note text (see [`Note::new`]).
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        let mut note = Note::new(text)?;
        self.add_to(&mut note)?;
        Ok(note)
    }

    /// Adds this signer's signature to a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when the note already carries [`SIGNATURES_MAX`] signatures.
    pub fn add_to(&self, note: &mut Note) -> Result<(), NoteError> {
        let bytes = self.key.sign(note.text.as_bytes()).to_bytes().to_vec();
        note.push(Signature { name: self.name.clone(), key_id: self.vkey().id(), bytes })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.vkey())
    }
}

/// A witness: signs a time together with the text. One key per witness name, never shared: the message does not
/// name its signer. `Debug` shows the public side only.
#[derive(Clone)]
pub struct Cosigner {
    name: KeyName,
    key: SigningKey,
}

impl Cosigner {
    /// Joins a name and a key.
    #[must_use]
    pub fn new(name: KeyName, key: SigningKey) -> Self {
        Self { name, key }
    }

    /// What others need to verify this witness.
    #[must_use]
    pub fn vkey(&self) -> Vkey {
        Vkey { name: self.name.clone(), kind: KeyKind::CosignatureV1, key: self.key.verifying_key() }
    }

    /// Adds the cosignature of `time` (POSIX seconds) to a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for a time past 2^63-1 or a note that is full.
    pub fn add_to(&self, note: &mut Note, time: u64) -> Result<(), NoteError> {
        if time > TIME_MAX {
            return Err(NoteError::Malformed("a cosignature's time is past 2^63-1"));
        }
        let signature = self.key.sign(&cosigned_message(&note.text, time));
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        note.push(Signature { name: self.name.clone(), key_id: self.vkey().id(), bytes })
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.vkey())
    }
}

/// One signature line: the name and id of a key, and what it signed with (the form depends on the key's kind).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub key_id: [u8; 4],
    /// The signature proper, after the id.
    pub bytes: Vec<u8>,
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key that signed.
    pub key: Vkey,
    /// The time of a cosignature; `None` for a plain signature.
    pub time: Option<u64>,
}

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note without signatures yet. The text must be non-empty, end with a newline and have no control
    /// character but newlines.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], [`NoteError::TooLarge`].
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { bytes: text.len() });
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end with a newline"));
        }
        if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed("the text has a control character"));
        }
        Ok(Self { text: text.to_owned(), signatures: Vec::new() })
    }

    /// Reads the bytes of a note with at least one signature line.
    ///
    /// # Errors
    /// [`NoteError::TooLarge`], [`NoteError::Malformed`], [`NoteError::KeyName`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { bytes: bytes.len() });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        let (before, lines) =
            whole.rsplit_once("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let mut note = Self::new(&format!("{before}\n"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the last signature line does not end with a newline"))?;
        for line in lines.split('\n') {
            note.push(parse_signature(line)?)?;
        }
        Ok(note)
    }

    /// The bytes of the note: text, an empty line, one line per signature.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            let mut raw = signature.key_id.to_vec();
            raw.extend_from_slice(&signature.bytes);
            out.push_str(&format!("{SIGNATURE_LINE_START}{} {}\n", signature.name, BASE64.encode(raw)));
        }
        out.into_bytes()
    }

    /// What was signed, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order. Reading them proves nothing; see [`Note::verify`].
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Checks the note against the keys we know, and gives back those that signed, each once, in the order of
    /// their first signature.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] when a known key's signature is wrong, even if others are right;
    /// [`NoteError::NoKnownSignature`] when no known key signed.
    pub fn verify(&self, known: &[Vkey]) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let mut claimed = known.iter().filter(|key| key.claims(signature)).peekable();
            if claimed.peek().is_none() {
                continue;
            }
            // Two known keys may share a 32-bit id: one of them must verify.
            let good = claimed.find_map(|key| Some((key, key.judge(&self.text, &signature.bytes)?)));
            let Some((key, time)) = good else {
                return Err(NoteError::BadSignature(signature.name.clone()));
            };
            if verified.iter().all(|earlier| earlier.key != *key) {
                verified.push(Verified { key: key.clone(), time });
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }

    /// Adds a signature line that somebody else made (a witness's answer). It is not judged here.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when the note is full.
    pub fn push(&mut self, signature: Signature) -> Result<(), NoteError> {
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(NoteError::Malformed("too many signature lines"));
        }
        self.signatures.push(signature);
        Ok(())
    }
}

/// Reads one signature line without its newline, as witnesses answer it.
///
/// # Errors
/// [`NoteError::Malformed`], [`NoteError::KeyName`].
pub fn parse_signature(line: &str) -> Result<Signature, NoteError> {
    let rest = line
        .strip_prefix(SIGNATURE_LINE_START)
        .ok_or(NoteError::Malformed("a signature line does not start with an em dash and a space"))?;
    let (name, raw) =
        rest.split_once(' ').ok_or(NoteError::Malformed("a signature line has no space after the name"))?;
    let raw =
        BASE64.decode(raw).map_err(|_| NoteError::Malformed("a signature line is not canonical base64"))?;
    match raw.split_first_chunk::<KEY_ID_BYTES>() {
        Some((key_id, bytes)) if !bytes.is_empty() => {
            Ok(Signature { name: KeyName::new(name)?, key_id: *key_id, bytes: bytes.to_vec() })
        }
        _ => Err(NoteError::Malformed("a signature line is too short")),
    }
}

/// What a witness signs: C2SP `tlog-cosignature`, version 1.
fn cosigned_message(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// Foreign text for an error message: not longer than a line.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_VKEY: &str =
        "ledger.example/agency-a/exchange-log+bd1d9640+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    const WITNESS_VKEY: &str =
        "witness.example/agency-b+151f51b4+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
    const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const CHECKPOINT: &str = "ledger.example/agency-a/exchange-log\n3\n\
        bchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=\n\n\
        \u{2014} ledger.example/agency-a/exchange-log vR2WQB5qQJnTxqUSeo0/9i5ZRzKObyV/fhtXJ/F0UYLqZg9WCOtFpaBkdtRPZb6/rJh9wB86aZOVkvc7rLwWqOZ9RA4=\n\
        \u{2014} witness.example/agency-b FR9RtAAAAABqsTuA2JfRCtL4Tj9knDMO0uqD49ZhdyEfeFJlumC2Az4YeqYX2K1KpOXceyd30f0lmWOgjmHSfrABhgRRpF9nRtbaBg==\n";

    fn name(text: &str) -> KeyName {
        KeyName::new(text).unwrap()
    }
    fn signer() -> Signer {
        Signer::new(name("ledger.example/agency-a/exchange-log"), SigningKey::from_bytes(&[7; 32]))
    }
    fn witness() -> Cosigner {
        Cosigner::new(name("witness.example/agency-b"), SigningKey::from_bytes(&[9; 32]))
    }

    #[test]
    fn vkeys_match_the_vectors() {
        assert_eq!(signer().vkey().to_string(), LOG_VKEY);
        assert_eq!(witness().vkey().to_string(), WITNESS_VKEY);
        for text in [LOG_VKEY, WITNESS_VKEY, SPEC_VKEY] {
            assert_eq!(text.parse::<Vkey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn signing_gives_the_vector_and_reads_back() {
        let text = CHECKPOINT.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let mut note = signer().sign(&text).unwrap();
        witness().add_to(&mut note, 1_790_000_000).unwrap();
        assert_eq!(String::from_utf8(note.to_bytes()).unwrap(), CHECKPOINT);
        assert_eq!(Note::parse(CHECKPOINT.as_bytes()).unwrap(), note);
    }

    #[test]
    fn verify_tells_who_and_when() {
        let note = Note::parse(CHECKPOINT.as_bytes()).unwrap();
        let by = note.verify(&[LOG_VKEY.parse().unwrap(), WITNESS_VKEY.parse().unwrap()]).unwrap();
        let who: Vec<_> = by.iter().map(|v| (v.key.name().as_str(), v.time)).collect();
        assert_eq!(
            who,
            [
                ("ledger.example/agency-a/exchange-log", None),
                ("witness.example/agency-b", Some(1_790_000_000))
            ]
        );
    }

    #[test]
    fn unknown_keys_are_ignored_but_one_known_key_must_sign() {
        let note = Note::parse(CHECKPOINT.as_bytes()).unwrap();
        assert_eq!(note.verify(&[LOG_VKEY.parse().unwrap()]).unwrap().len(), 1);
        assert_eq!(note.verify(&[SPEC_VKEY.parse().unwrap()]), Err(NoteError::NoKnownSignature));
        assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
    }

    #[test]
    fn a_wrong_signature_of_a_known_key_spoils_the_note() {
        let altered = CHECKPOINT.replace("\n3\n", "\n4\n");
        let note = Note::parse(altered.as_bytes()).unwrap();
        let refused = note.verify(&[LOG_VKEY.parse().unwrap()]).unwrap_err();
        assert_eq!(refused, NoteError::BadSignature(name("ledger.example/agency-a/exchange-log")));
        // A right signature beside it does not help.
        let mut mixed = signer().sign("a\n").unwrap();
        let foreign = witness();
        foreign.add_to(&mut mixed, 1).unwrap();
        mixed.signatures[1].bytes[0] ^= 1;
        assert!(mixed.verify(&[signer().vkey(), foreign.vkey()]).is_err());
    }

    #[test]
    fn the_time_of_a_cosignature_is_bound() {
        let mut note = Note::new("a\n").unwrap();
        witness().add_to(&mut note, 5).unwrap();
        note.signatures[0].bytes[7] = 6;
        assert!(matches!(note.verify(&[witness().vkey()]), Err(NoteError::BadSignature(_))));
        assert!(witness().add_to(&mut note, TIME_MAX + 1).is_err());
    }

    #[test]
    fn the_last_empty_line_divides() {
        let note = signer().sign("one\n\ntwo\n").unwrap();
        let again = Note::parse(&note.to_bytes()).unwrap();
        assert_eq!(again.text(), "one\n\ntwo\n");
        assert!(again.verify(&[signer().vkey()]).is_ok());
    }

    #[test]
    fn malformed_notes_are_refused() {
        let line = CHECKPOINT.lines().nth(4).unwrap();
        let cases: Vec<Vec<u8>> = vec![
            vec![],
            b"text\n".to_vec(),
            b"text\n\n".to_vec(),
            format!("text\n\n{line}").into_bytes(),
            format!("text\n\n{line}\n\n").into_bytes(),
            format!("te\txt\n\n{line}\n").into_bytes(),
            format!("te\rxt\n\n{line}\n").into_bytes(),
            format!("text\n\n{}\n", line.replace('\u{2014}', "-")).into_bytes(),
            format!("text\n\n{} \n", line).into_bytes(),
            format!("text\n\n{}\n", line.replace("RA4=", "RA5=")).into_bytes(), // trailing bits
            format!("text\n\n{}\n", line.replace("RA4=", "RA4")).into_bytes(),
            b"text\n\n\xe2\x80\x94 name AAAA\n".to_vec(),
            b"text\n\n\xe2\x80\x94 na+me AAAAAAAA\n".to_vec(),
            b"\xff\n\n\xe2\x80\x94 name AAAAAAAA\n".to_vec(),
            vec![b'a'; NOTE_BYTES_MAX + 1],
        ];
        for case in cases {
            assert!(Note::parse(&case).is_err(), "{:?}", String::from_utf8_lossy(&case));
        }
    }

    #[test]
    fn the_number_of_signatures_has_an_edge() {
        let mut note = Note::new("a\n").unwrap();
        for _ in 0..SIGNATURES_MAX {
            signer().add_to(&mut note).unwrap();
        }
        let bytes = note.to_bytes();
        assert_eq!(Note::parse(&bytes).unwrap().signatures().len(), SIGNATURES_MAX);
        assert_eq!(note.verify(&[signer().vkey()]).unwrap().len(), 1, "each key counts once");
        assert!(signer().add_to(&mut note).is_err());
        let line = String::from_utf8(bytes.clone()).unwrap().lines().last().unwrap().to_owned() + "\n";
        assert!(Note::parse(&[bytes, line.into_bytes()].concat()).is_err());
    }

    #[test]
    fn bad_vkeys_and_names_are_refused() {
        let cases = [
            "",
            "name",
            "name+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+BekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
            "exam ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        ];
        for case in cases {
            assert!(case.parse::<Vkey>().is_err(), "{case}");
        }
        // The identity point has order one: everybody's signature would do.
        let mut identity = [0u8; 32];
        identity[0] = 1;
        let weak = VerifyingKey::from_bytes(&identity).unwrap();
        assert!(Vkey::new(name("weak"), KeyKind::Ed25519, weak).is_err());
        for bad in ["", "a b", "a\u{a0}b", "a+b", "a\nb", &"x".repeat(KEY_NAME_BYTES_MAX + 1)] {
            assert!(KeyName::new(bad).is_err(), "{bad:?}");
        }
        assert!(KeyName::new("urn:agency:vn:h26.18/ledger").is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", signer(), witness());
        assert_eq!(shown, format!("Signer({LOG_VKEY}) Cosigner({WITNESS_VKEY})"));
    }
}
