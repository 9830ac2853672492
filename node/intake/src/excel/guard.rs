//! Looks over a workbook before the reader of workbooks does: what it would unpack to, and whether it lies.
//!
//! The reader holds shared texts and one element of a sheet in memory and believes the counts that a file states, so sizes
//! are checked in the directory and again on the bytes that really come out, and so are the elements and the counts.

use std::io::Read;

use zip::ZipArchive;

use crate::file::Input;
use crate::limits::CELL_BYTES_MAX;
use crate::{IntakeError, Place, Said};

/// Largest workbook as it lies, bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Largest workbook unpacked, bytes.
pub(super) const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Largest unpacked part that is held in memory, bytes.
const HELD_BYTES_MAX: u64 = 128 << 20;
/// Most parts.
const PARTS_MAX: usize = 10_000;
/// Longest element or text of XML, bytes; a cell's text may be escaped.
const EVENT_BYTES_MAX: usize = 2 * CELL_BYTES_MAX;
/// Longest start of an element in which a count is looked for, bytes.
const TAG_BYTES_MAX: usize = 64 << 10;
/// Counts that the reader makes room for at once: shared texts, shared formulas.
const COUNTS_MAX: [(&[u8], u64); 2] = [(b"uniqueCount", 10_000_000), (b"si", 1_000_000)];

/// Refuses what is no .xlsx or would hurt.
pub(super) fn guard(input: &Input) -> Result<(), IntakeError> {
    if input.len() > FILE_BYTES_MAX {
        return Err(too_large(FILE_BYTES_MAX));
    }
    let mut file = input.rewound()?;
    let mut magic = Vec::new();
    (&mut file).take(8).read_to_end(&mut magic).map_err(|e| input.broken(&e))?;
    if let Some(said) = another_kind(&magic) {
        return Err(content(said));
    }
    let mut archive = ZipArchive::new(input.rewound()?).map_err(|e| damaged(&e))?;
    if archive.len() > PARTS_MAX {
        return Err(content(Said::new(
            format!("tệp có {} phần, nhiều nhất là {PARTS_MAX}", archive.len()),
            format!("the file has {} parts, at most {PARTS_MAX} are taken", archive.len()),
        )));
    }
    known_kind(&archive)?;
    let mut stated = 0_u64;
    for i in 0..archive.len() {
        stated = stated.saturating_add(archive.by_index_raw(i).map_err(|e| damaged(&e))?.size());
    }
    if stated > UNPACKED_BYTES_MAX {
        return Err(too_large(UNPACKED_BYTES_MAX));
    }
    let mut unpacked = 0;
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(|e| damaged(&e))?;
        let name = part.name().map_err(|e| damaged(&e))?.to_ascii_lowercase();
        let held = name.ends_with("sharedstrings.xml")
            || name.ends_with("styles.xml")
            || name.ends_with("workbook.xml");
        unpacked += looked_over(part, if held { HELD_BYTES_MAX } else { UNPACKED_BYTES_MAX - unpacked })?;
    }
    Ok(())
}

/// Reads a part to its end; its size.
fn looked_over(mut part: impl Read, bytes_max: u64) -> Result<u64, IntakeError> {
    let (mut buf, mut size, mut markup) = (vec![0; 64 << 10], 0_u64, None);
    loop {
        let n = part.read(&mut buf).map_err(|e| damaged(&e))?;
        size += n as u64;
        if size > bytes_max {
            return Err(too_large(bytes_max));
        }
        let chunk = buf.get(..n).unwrap_or_default();
        if n == 0 {
            return Ok(size);
        }
        let markup = markup.get_or_insert_with(|| Markup::of(chunk));
        if let Some(markup) = markup {
            markup.take(chunk)?;
        }
    }
}

fn another_kind(magic: &[u8]) -> Option<Said> {
    match magic {
        [0xD0, 0xCF, 0x11, 0xE0, ..] => Some(Said::new(
            "đây là tệp .xls cũ hoặc tệp có mật khẩu; hãy mở bằng Excel hoặc LibreOffice, bỏ mật khẩu và lưu dạng .xlsx",
            "this is an old .xls or has a password; open it in Excel or LibreOffice, take the password off and save as .xlsx",
        )),
        [b'P', b'K', ..] => None,
        _ => Some(Said::new(
            "đây không phải là tệp .xlsx; nếu là văn bản hãy đặt `type = \"text\"`",
            "this is no .xlsx file; if it is text, set `type = \"text\"`",
        )),
    }
}

fn known_kind<R: Read + std::io::Seek>(archive: &ZipArchive<R>) -> Result<(), IntakeError> {
    let has = |end: &str| archive.file_names().flatten().any(|name| name.to_ascii_lowercase().ends_with(end));
    if has("workbook.xml") {
        return Ok(());
    }
    let what = if has("workbook.bin") {
        ".xlsb"
    } else if has("content.xml") {
        ".ods"
    } else {
        "zip"
    };
    Err(content(Said::new(
        format!("đây là tệp {what}; hãy mở bằng Excel hoặc LibreOffice và lưu dạng .xlsx"),
        format!("this is a {what} file; open it in Excel or LibreOffice and save as .xlsx"),
    )))
}

/// Follows XML by its angle brackets and quotes: how long each piece is, and which counts it states.
struct Markup {
    state: State,
    len: usize,
    tag: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Tag,
    Quoted(u8),
    /// Within a comment, character data or an instruction, until these bytes and `>`.
    Until(&'static [u8]),
}

impl Markup {
    /// For a part that begins as XML does.
    fn of(start: &[u8]) -> Option<Self> {
        let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
        let first = start.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0)?;
        // A mark of UTF-16 is XML, too; the counts in it would not be seen.
        matches!(*first, b'<' | 0xFF | 0xFE).then_some(Self { state: State::Text, len: 0, tag: Vec::new() })
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        for byte in chunk.iter().copied() {
            self.len += 1;
            if byte == 0 || self.len > EVENT_BYTES_MAX {
                return Err(suspicious());
            }
            if self.state != State::Text && self.tag.len() < TAG_BYTES_MAX {
                self.tag.push(byte);
            }
            self.state = match (self.state, byte) {
                (State::Text, b'<') => self.begin(),
                (State::Tag, b'>') => self.end()?,
                // Readers differ on quotes in an end tag; nobody writes them.
                (State::Tag, b'"' | b'\'') if self.tag.starts_with(b"/") => return Err(suspicious()),
                (State::Tag, b'"' | b'\'') => State::Quoted(byte),
                (State::Tag, b'?') if self.tag == b"?" => State::Until(b"?"),
                (State::Tag, b'[') if self.tag == b"![" => State::Until(b"]]"),
                (State::Tag, b'-') if self.tag == b"!-" => State::Until(b"--"),
                // A document type may define entities; no program writes one into a workbook.
                (State::Tag, _) if self.tag.starts_with(b"!") && self.tag.len() > 1 => {
                    return Err(suspicious());
                }
                (State::Quoted(quote), byte) if byte == quote => State::Tag,
                (State::Until(end), byte) => {
                    self.until(end, byte);
                    if byte == b'>' { self.closed(end)? } else { self.state }
                }
                (state, _) => state,
            };
        }
        Ok(())
    }

    fn begin(&mut self) -> State {
        self.len = 0;
        self.tag.clear();
        State::Tag
    }

    fn begin_text(&mut self) -> State {
        self.len = 0;
        State::Text
    }

    /// After a `>` within a comment, character data or an instruction.
    fn closed(&mut self, end: &[u8]) -> Result<State, IntakeError> {
        if !self.tag.ends_with(&[end, b">"].concat()) {
            return Ok(self.state);
        }
        // `<!-->` and `<?>` end for some readers and go on for others.
        if [&b"!-->"[..], b"!--->", b"?>"].contains(&self.tag.as_slice()) {
            return Err(suspicious());
        }
        Ok(self.begin_text())
    }

    /// Keeps the last bytes of what is passed over.
    fn until(&mut self, end: &[u8], byte: u8) {
        if self.tag.len() >= TAG_BYTES_MAX {
            let from = self.tag.len().saturating_sub(end.len());
            self.tag.drain(..from);
            self.tag.push(byte);
        }
    }

    fn end(&mut self) -> Result<State, IntakeError> {
        if self.tag.len() >= TAG_BYTES_MAX {
            return Err(suspicious());
        }
        for (name, most) in COUNTS_MAX {
            if stated(&self.tag, name).is_some_and(|count| count > most) {
                return Err(suspicious());
            }
        }
        Ok(self.begin_text())
    }
}

/// The largest number that an attribute of this name states, whatever blanks and quotes are around it.
fn stated(tag: &[u8], name: &[u8]) -> Option<u64> {
    let is_name = |bytes: &[u8]| {
        bytes.split_first().is_some_and(|(before, rest)| before.is_ascii_whitespace() && rest == name)
    };
    let starts = tag.windows(name.len() + 1).enumerate().filter(|(_, bytes)| is_name(bytes));
    starts.filter_map(|(at, _)| tag.get(at + 1 + name.len()..)).map(number).max()
}

fn number(rest: &[u8]) -> u64 {
    let digits = rest.iter().skip_while(|byte| byte.is_ascii_whitespace() || b"=\"'+".contains(byte));
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

fn content(said: Said) -> IntakeError {
    IntakeError::content(Place::default(), said.vi, said.en)
}

fn suspicious() -> IntakeError {
    content(Said::new(
        "tệp có cấu trúc bất thường mà Excel không ghi; hãy mở bằng Excel và lưu lại dạng .xlsx",
        "the file is built as no Excel builds it; open it in Excel and save it as .xlsx again",
    ))
}

fn too_large(most: u64) -> IntakeError {
    let most = most >> 20;
    content(Said::new(
        format!("tệp quá lớn khi giải nén (trên {most} MiB); hãy chia nhỏ hoặc xuất ra CSV"),
        format!("the file is too large unpacked (above {most} MiB); split it or export it as CSV"),
    ))
}

pub(super) fn damaged(e: &dyn std::fmt::Display) -> IntakeError {
    content(Said::new(
        format!("tệp .xlsx hỏng: {e}; hãy mở bằng Excel và lưu lại"),
        format!("the .xlsx file is damaged: {e}; open it in Excel and save it again"),
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn look(xml: &[u8]) -> Result<u64, String> {
        looked_over(Cursor::new(xml), UNPACKED_BYTES_MAX).map_err(|e| e.to_string())
    }

    #[test]
    fn counts_that_would_take_the_memory_are_refused() {
        for bad in [
            &b"<sst uniqueCount=\"99999999999\">"[..],
            b"<?xml version=\"1.0\"?><sst a=\">\" uniqueCount = '0099999999'>",
            b"<c><f t=\"shared\" si=\"4000000000\"/>",
            b"</a \"><f t=\"shared\" si=\"4000000000\"/>",
            b"<a b=\" si=1\" si=\"4000000000\"/>",
            b"<!--><f si=\"1\"/>",
            b"<?><f si=\"1\"/>",
            b"\xFF\xFE<\x00s\x00",
            b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
        ] {
            assert!(look(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let good = &b"<!-- <a si=\"9999999999\"> --><a><![CDATA[<b si=\"9999999999\"/>]]> uniqueCount=\"9999999999\"</a>"[..];
        assert_eq!(look(good), Ok(good.len() as u64));
        assert_eq!(look(b"PNG uniqueCount"), Ok(15));
        let long = format!("<!--{}-->", "- x >".repeat(50_000));
        assert!(look(long.as_bytes()).is_ok());
        assert!(look(format!("{long}<f si=\"4000000000\"/>").as_bytes()).is_err());
    }

    #[test]
    fn pieces_without_an_end_are_refused() {
        for start in ["<a b=\"", "<a>", "<!--", "<![CDATA["] {
            let endless = Cursor::new(start).chain(std::io::repeat(b'x'));
            assert!(looked_over(endless, UNPACKED_BYTES_MAX).is_err(), "{start}");
        }
        assert!(looked_over(Cursor::new("x").chain(std::io::repeat(0)), 1 << 20).is_err());
    }
}
