//! How the bytes of a text file become letters: given, or found out by evidence.

use std::collections::HashSet;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::file::Input;
use crate::font::Font;
use crate::syllable::{is_syllable, marked_words};
use crate::{IntakeError, Place};

/// Encodings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Windows-1258.
    #[serde(rename = "windows-1258")]
    Windows1258,
    /// TCVN3 (ABC).
    Tcvn3,
    /// VNI for Windows.
    VniWindows,
}

/// Those that have no mark and are told by what they say.
const OLD: [Encoding; 3] = [Encoding::Windows1258, Encoding::Tcvn3, Encoding::VniWindows];
/// Most different words that are evidence.
const WORDS_MAX: usize = 2_000;
/// Fewest words that must make sense.
const WORDS_MIN: usize = 4;
/// Longest word, bytes.
const WORD_BYTES_MAX: usize = 40;

impl Encoding {
    /// The word for it in a description.
    pub fn word(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1258 => "windows-1258",
            Self::Tcvn3 => "tcvn3",
            Self::VniWindows => "vni-windows",
        }
    }

    /// Whether it is not Unicode.
    pub(crate) fn is_old(self) -> bool {
        OLD.contains(&self)
    }

    /// A cell as text; `None` when the bytes are none of this encoding. UTF-16 has become UTF-8 before.
    pub(crate) fn text(self, bytes: &[u8]) -> Option<String> {
        let single =
            |table: &'static encoding_rs::Encoding| table.decode_without_bom_handling(bytes).0.into_owned();
        let text = match self {
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => {
                return std::str::from_utf8(bytes).ok().map(str::to_owned);
            }
            Self::Windows1258 => crate::text_form::nfc(single(encoding_rs::WINDOWS_1258)),
            Self::Tcvn3 => Font::Tcvn3.shown(&single(encoding_rs::WINDOWS_1252)).into_owned(),
            Self::VniWindows => Font::VniWindows.shown(&single(encoding_rs::WINDOWS_1252)).into_owned(),
        };
        // What the tables leave open comes out as control characters.
        (!text.contains(|c: char| ('\u{80}'..'\u{a0}').contains(&c))).then_some(text)
    }
}

/// A file's bytes with ASCII delimiters: as they are, or UTF-16 turned into UTF-8; without a byte-order mark.
pub(crate) fn bytes(input: &Input, encoding: Encoding) -> Result<Box<dyn Read>, IntakeError> {
    let mut file = input.rewound()?;
    let mark: &[u8] = match encoding {
        Encoding::Utf8 => b"\xEF\xBB\xBF",
        Encoding::Utf16Le => b"\xFF\xFE",
        Encoding::Utf16Be => b"\xFE\xFF",
        _ => b"",
    };
    let mut start = Vec::new();
    (&mut file).take(mark.len() as u64).read_to_end(&mut start).map_err(|e| input.broken(&e))?;
    let start = if start == mark { Vec::new() } else { start };
    let whole = io::Cursor::new(start).chain(file);
    Ok(match encoding {
        Encoding::Utf16Le => Box::new(Wide::new(whole, encoding_rs::UTF_16LE)),
        Encoding::Utf16Be => Box::new(Wide::new(whole, encoding_rs::UTF_16BE)),
        _ => Box::new(whole),
    })
}

/// UTF-16 as UTF-8. Halves of a pair without the other are an error.
struct Wide<R> {
    input: R,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: Read> Wide<R> {
    fn new(input: R, table: &'static encoding_rs::Encoding) -> Self {
        let decoder = table.new_decoder_without_bom_handling();
        Self { input, decoder, raw: vec![0; 16 << 10], out: Vec::new(), at: 0, done: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let n = self.input.read(&mut self.raw)?;
        self.done = n == 0;
        let source = self.raw.get(..n).unwrap_or_default();
        let room = self.decoder.max_utf8_buffer_length_without_replacement(n).unwrap_or(0);
        self.out.resize(room, 0);
        self.at = 0;
        let (result, _, written) =
            self.decoder.decode_to_utf8_without_replacement(source, &mut self.out, self.done);
        self.out.truncate(written);
        match result {
            encoding_rs::DecoderResult::InputEmpty => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not UTF-16")),
        }
    }
}

impl<R: Read> Read for Wide<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() {
            if self.done {
                return Ok(0);
            }
            self.fill()?;
        }
        let ready = self.out.get(self.at..).unwrap_or_default();
        let n = ready.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), ready.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}

/// What a pass over the whole file saw.
#[derive(Debug, Default)]
struct Seen {
    start: Vec<u8>,
    nul: bool,
    sound: u64,
    broken: u64,
    broken_line: u64,
    lines: u64,
}

/// Finds out how a file is encoded.
///
/// # Errors
/// [`IntakeError::Content`] when it cannot be told, with what to set.
pub(crate) fn found(input: &Input) -> Result<Encoding, IntakeError> {
    let seen = look(input)?;
    match seen.start.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => return Ok(Encoding::Utf8),
        [0xFF, 0xFE, ..] => return Ok(Encoding::Utf16Le),
        [0xFE, 0xFF, ..] => return Ok(Encoding::Utf16Be),
        _ => {}
    }
    if seen.nul {
        return Err(IntakeError::content(
            Place::default(),
            "đây không phải là tệp văn bản, hoặc là UTF-16 không có dấu BOM; nếu là UTF-16 hãy đặt `encoding = \"utf-16le\"`",
            "this is no text file, or UTF-16 without a byte-order mark; if it is UTF-16, set `encoding = \"utf-16le\"`",
        ));
    }
    if seen.broken == 0 {
        return Ok(Encoding::Utf8);
    }
    if seen.sound > 4 * seen.broken {
        let n = seen.broken;
        return Err(IntakeError::content(
            Place::row(seen.broken_line),
            format!("tệp là UTF-8 nhưng có {n} chỗ bị hỏng, chỗ đầu tiên ở dòng này; hãy xuất lại tệp"),
            format!("the file is UTF-8 with {n} broken places, the first on this line; export it again"),
        ));
    }
    by_evidence(&words(input)?, seen.broken_line)
}

/// Whether a file that is said to be in this encoding looks like good UTF-8 with letters beyond ASCII.
///
/// # Errors
/// [`IntakeError`] when the file cannot be read.
pub(crate) fn is_rather_utf8(input: &Input, said: Encoding) -> Result<bool, IntakeError> {
    if said == Encoding::Utf8 {
        return Ok(false);
    }
    let seen = look(input)?;
    Ok(seen.broken == 0 && seen.sound > 0 && !seen.nul)
}

fn look(input: &Input) -> Result<Seen, IntakeError> {
    let (mut file, mut seen) = (input.rewound()?, Seen { lines: 1, ..Seen::default() });
    let (mut buf, mut held) = (vec![0; 64 << 10], 0);
    loop {
        let room = buf.get_mut(held..).unwrap_or_default();
        let n = file.read(room).map_err(|e| input.broken(&e))?;
        let chunk = buf.get(..held + n).unwrap_or_default();
        if seen.start.is_empty() {
            seen.start = chunk.get(..4.min(chunk.len())).unwrap_or_default().to_vec();
        }
        seen.nul |= chunk.contains(&0);
        let rest = seen.take(chunk, n == 0);
        let from = chunk.len() - rest;
        buf.copy_within(from..from + rest, 0);
        held = rest;
        if n == 0 {
            return Ok(seen);
        }
    }
}

impl Seen {
    /// Counts letters of UTF-8 and what is none; how many bytes at the end wait for more.
    fn take(&mut self, mut chunk: &[u8], last: bool) -> usize {
        loop {
            let (valid, broken) = match std::str::from_utf8(chunk) {
                Ok(_) => (chunk.len(), None),
                Err(e) => (e.valid_up_to(), Some(e.error_len())),
            };
            let (head, tail) = chunk.split_at(valid);
            self.sound += head.iter().filter(|byte| **byte >= 0xC0).count() as u64;
            self.lines += head.iter().filter(|byte| **byte == b'\n').count() as u64;
            chunk = match broken {
                None => return 0,
                Some(None) if !last => return tail.len(),
                Some(len) => {
                    if self.broken == 0 {
                        self.broken_line = self.lines;
                    }
                    self.broken += 1;
                    tail.get(len.unwrap_or(tail.len())..).unwrap_or_default()
                }
            };
        }
    }
}

/// Different words with bytes beyond ASCII.
fn words(input: &Input) -> Result<Vec<Vec<u8>>, IntakeError> {
    let file = io::BufReader::new(input.rewound()?);
    let (mut seen, mut words, mut word) = (HashSet::new(), Vec::new(), Vec::new());
    for byte in file.bytes() {
        let byte = byte.map_err(|e| input.broken(&e))?;
        if byte.is_ascii_alphabetic() || byte >= 0x80 {
            if word.len() <= WORD_BYTES_MAX {
                word.push(byte);
            }
            continue;
        }
        if !word.is_ascii() && word.len() <= WORD_BYTES_MAX && seen.insert(word.clone()) {
            words.push(word.clone());
        }
        word.clear();
        if words.len() >= WORDS_MAX {
            break;
        }
    }
    if !word.is_ascii() && word.len() <= WORD_BYTES_MAX && seen.insert(word.clone()) {
        words.push(word);
    }
    Ok(words)
}

/// The one old encoding in which most words are Vietnamese, if it is far ahead of the others.
fn by_evidence(words: &[Vec<u8>], line: u64) -> Result<Encoding, IntakeError> {
    let sense = |encoding: Encoding| {
        let whole = |text: &String| marked_words(text).all(is_syllable) && !text.is_ascii();
        words.iter().filter(|word| encoding.text(word).as_ref().is_some_and(whole)).count()
    };
    let mut scores = OLD.map(|encoding| (sense(encoding), encoding));
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let [(best, encoding), (second, _), _] = scores;
    if best >= WORDS_MIN && best * 10 >= words.len() * 7 && second * 2 <= best {
        return Ok(encoding);
    }
    let shown = OLD.map(|encoding| {
        let read = words.iter().take(3).filter_map(|word| encoding.text(word)).collect::<Vec<_>>().join(" ");
        format!("`{}`: {}", encoding.word(), crate::header::quoted(&read))
    });
    let shown = shown.join("; ");
    Err(IntakeError::content(
        Place::row(line),
        format!(
            "tệp không phải UTF-8 và không đủ căn cứ để biết bảng mã; hãy đặt `encoding` theo cách đọc đúng ({shown}) hoặc lưu lại tệp dạng UTF-8"
        ),
        format!(
            "the file is not UTF-8 and there is not enough evidence for its encoding; set `encoding` to the one that reads well ({shown}) or save it as UTF-8"
        ),
    ))
}

#[cfg(test)]
mod tests;
