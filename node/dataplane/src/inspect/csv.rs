//! CSV: fields of a record, strictly, so that every reader sees the same ones; delimiter, header, cells.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

use super::guess::{Guess, is_of, null_word};
use super::{FileReport, Hashing, Inspection, Problems, expected, quoted, schema_of, text_of};
use crate::limits::SAMPLE_ROWS_MAX;
use crate::records::{Framing, Records};
use crate::source::DELIMITERS;
use crate::{ColumnKind, DataError, Format, Problem, Schema};

/// Stands for a delimiter that is to be found out.
pub(super) const UNKNOWN: char = '\0';
/// Records that are cut with each delimiter to see which one fits.
const SNIFFED_RECORDS: usize = 20;

/// One field of a record.
#[derive(Debug, PartialEq, Eq)]
struct Field<'a> {
    text: Cow<'a, str>,
    quoted: bool,
}

/// The fields of one record after RFC 4180; a quote inside an unquoted field or a text behind a closing quote is
/// refused, since readers disagree about them.
fn fields(record: &str, delimiter: char) -> Result<Vec<Field<'_>>, &'static str> {
    let mut out = Vec::new();
    let mut rest = record;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(inner) => quoted_field(inner)?,
            None => plain_field(rest, delimiter)?,
        };
        out.push(field);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(out),
            None => return Err("a text follows a closing quote; double the quotes inside a quoted field"),
        }
    }
}

fn plain_field(rest: &str, delimiter: char) -> Result<(Field<'_>, &str), &'static str> {
    let (text, after) = rest.split_at(rest.find(delimiter).unwrap_or(rest.len()));
    if text.contains('"') {
        return Err("a quote stands inside an unquoted field; quote the whole field and double the quote");
    }
    if text.contains('\r') {
        return Err("a carriage return stands alone; save the file with line ends LF or CRLF");
    }
    Ok((Field { text: Cow::Borrowed(text), quoted: false }, after))
}

/// `inner` begins behind the opening quote.
fn quoted_field(inner: &str) -> Result<(Field<'_>, &str), &'static str> {
    let mut text = Cow::Borrowed("");
    let mut rest = inner;
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quoted field is not closed")?;
        text += part;
        match after.strip_prefix('"') {
            Some(next) => {
                text += "\"";
                rest = next;
            }
            None => return Ok((Field { text, quoted: true }, after)),
        }
    }
}

/// Reads the header line: the column names in order.
pub(crate) fn header<R: Read>(records: &mut Records<R>, delimiter: char) -> Result<Vec<String>, Problem> {
    let Some(record) = records.next_record()? else {
        return Err(Problem::file("it has no header line; put the column names in the first line"));
    };
    let line = record.line;
    let text = text_of(line, record.offset, record.bytes)?;
    let fields = fields(text, delimiter).map_err(|what| Problem::line(line, what))?;
    Ok(fields.into_iter().map(|f| f.text.into_owned()).collect())
}

pub(super) fn inspect(
    file: File,
    delimiter: char,
    null_text: Option<String>,
) -> Result<Inspection, DataError> {
    let mut warnings = Vec::new();
    let delimiter = if delimiter == UNKNOWN { sniff_delimiter(&file, &mut warnings)? } else { delimiter };
    let mut records = Records::new(&file, Framing::Csv);
    let names = header(&mut records, delimiter).map_err(DataError::problem)?;
    // Two columns of one name are refused before any row is looked at.
    schema_of(names.iter().map(|n| crate::Column::new(n, ColumnKind::String, true)).collect())?;
    let mut guesses = vec![Guess::default(); names.len()];
    let mut rows = 0;
    let mut whole_file = true;
    while let Some(record) = records.next_record().map_err(|e| DataError::problem(e.into()))? {
        if rows >= SAMPLE_ROWS_MAX {
            whole_file = false;
            break;
        }
        see_row(&record, delimiter, &mut guesses).map_err(DataError::problem)?;
        rows += 1;
    }
    if rows == 0 {
        warnings.push("the file has a header but no rows, so every column is taken as text".to_owned());
    }
    let word = null_text.or_else(|| guesses.iter().find_map(Guess::missing_word).map(str::to_owned));
    warn(&names, &guesses, word.as_deref(), &mut warnings);
    let columns = names
        .iter()
        .zip(&guesses)
        .map(|(n, g)| g.column(n, word.as_deref(), whole_file && rows > 0))
        .collect();
    let format = Format::Csv { delimiter, null_text: word };
    Ok(Inspection { format, schema: schema_of(columns)?, sampled_rows: rows, warnings })
}

fn see_row(
    record: &crate::records::Record<'_>,
    delimiter: char,
    guesses: &mut [Guess],
) -> Result<(), Problem> {
    let text = text_of(record.line, record.offset, record.bytes)?;
    let fields = fields(text, delimiter).map_err(|what| Problem::line(record.line, what))?;
    check_count(record.line, fields.len(), guesses.len())?;
    for (field, guess) in fields.iter().zip(guesses) {
        guess.see(&field.text, field.quoted);
    }
    Ok(())
}

fn warn(names: &[String], guesses: &[Guess], word: Option<&str>, warnings: &mut Vec<String>) {
    for (name, guess) in names.iter().zip(guesses) {
        if guess.is_blank() {
            warnings.push(format!("column `{name}` has no value in the sample, so it is taken as text"));
        } else if let Some(word) = word.filter(|w| guess.holds(w) && guess.kind() == ColumnKind::String) {
            warnings
                .push(format!("column `{name}` is a text and holds `{word}`, which will be read as missing"));
        }
        warnings.extend(guess.lost_digits().map(|what| format!("column `{name}` {what}")));
        if guess.may_be_thousands() {
            warnings.push(format!(
                "column `{name}` is read as a number with a decimal point; where `1.234` means a thousand and more, describe the file as a source with a mapping that says thousands = \".\""
            ));
        }
    }
    if let Some(word) = word {
        warnings.push(format!("`{word}` is read as a missing value in every column"));
    }
}

fn check_count(line: u64, found: usize, expected: usize) -> Result<(), Problem> {
    if found == expected {
        return Ok(());
    }
    let hint =
        if found > expected { "quote fields that hold the delimiter" } else { "add the missing delimiters" };
    Err(Problem::line(line, format!("the row has {found} fields, the header has {expected}; {hint}")))
}

/// The delimiter that cuts the first records into the most fields, the same number in each.
fn sniff_delimiter(mut file: &File, warnings: &mut Vec<String>) -> Result<char, DataError> {
    use std::io::Seek;
    let mut best = (1, ',');
    for delimiter in DELIMITERS {
        file.rewind().map_err(DataError::io("read the file"))?;
        let mut records = Records::new(file, Framing::Csv);
        let Ok(names) = header(&mut records, delimiter) else { continue };
        if names.len() > best.0 && fits(&mut records, delimiter, names.len()) {
            best = (names.len(), delimiter);
        }
    }
    file.rewind().map_err(DataError::io("read the file"))?;
    if best.0 == 1 {
        warnings.push("no delimiter was recognised, so the file is read as one column".to_owned());
    }
    Ok(best.1)
}

/// Whether most of the first records have that many fields. One ragged row must not hide the delimiter: it is
/// reported as such later.
fn fits<R: Read>(records: &mut Records<R>, delimiter: char, columns: usize) -> bool {
    let (mut right, mut seen) = (0, 0);
    while seen < SNIFFED_RECORDS {
        let Ok(Some(record)) = records.next_record() else { break };
        seen += 1;
        let text = String::from_utf8_lossy(record.bytes);
        right += usize::from(fields(&text, delimiter).is_ok_and(|f| f.len() == columns));
    }
    right * 2 >= seen
}

pub(super) fn validate(
    file: File,
    delimiter: char,
    null_text: Option<&str>,
    schema: &Schema,
) -> Result<FileReport, DataError> {
    let mut input = Hashing::new(file);
    let mut problems = Problems::default();
    let mut rows = 0;
    let mut records = Records::new(&mut input, Framing::Csv);
    let names = header(&mut records, delimiter).map_err(DataError::problem)?;
    check_header(&names, schema).map_err(DataError::problem)?;
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(e) => return Err(problems.last(e.into())),
        };
        rows += 1;
        check_row(&record, delimiter, null_text, schema, &mut problems)?;
    }
    problems.finish()?;
    Ok(input.report(rows))
}

/// Whether a file's header is exactly the schema's names in order. Anything else would put values under the names,
/// and masks, of other columns.
pub(crate) fn check_header(names: &[String], schema: &Schema) -> Result<(), Problem> {
    check_count(1, names.len(), schema.columns().len()).map_err(|p| Problem {
        what: p.what.replace("the row has", "the file has").replace("the header has", "the schema has"),
        ..p
    })?;
    for (name, column) in names.iter().zip(schema.columns()) {
        if *name != column.name {
            let what = format!("the schema has {} where the file has {}", quoted(&column.name), quoted(name));
            return Err(Problem::line(1, format!("{what}; put the columns in the schema's order")));
        }
    }
    Ok(())
}

fn check_row(
    record: &crate::records::Record<'_>,
    delimiter: char,
    null_text: Option<&str>,
    schema: &Schema,
    problems: &mut Problems,
) -> Result<(), DataError> {
    let line = record.line;
    let text = match text_of(line, record.offset, record.bytes) {
        Ok(text) => text,
        Err(problem) => return problems.add(problem),
    };
    let fields = match fields(text, delimiter) {
        Ok(fields) => fields,
        Err(what) => return problems.add(Problem::line(line, what)),
    };
    if let Err(problem) = check_count(line, fields.len(), schema.columns().len()) {
        return problems.add(problem);
    }
    for (field, column) in fields.iter().zip(schema.columns()) {
        let missing = field.text.is_empty() || Some(&*field.text) == null_text;
        if missing && !column.nullable {
            problems.add(Problem::cell(line, &column.name, "the value is missing; fill it in"))?;
        }
        if !missing && !is_of(column.kind, &field.text) {
            problems.add(Problem::cell(line, &column.name, wrong(&field.text, column.kind)))?;
        }
    }
    Ok(())
}

fn wrong(text: &str, kind: ColumnKind) -> String {
    let hint = if null_word(text).is_some() { "; for a missing value leave the field empty" } else { "" };
    format!("{} is not {}{hint}", quoted(text), expected(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(record: &str) -> Result<Vec<String>, &'static str> {
        Ok(fields(record, ',')?.into_iter().map(|f| f.text.into_owned()).collect())
    }

    #[test]
    fn fields_after_the_rfc() {
        assert_eq!(texts("a,,\"b,\"\"c\"\"\",").unwrap(), ["a", "", "b,\"c\"", ""]);
        assert_eq!(texts("\"\"").unwrap(), [""]);
        assert_eq!(texts("\"x\ny\",é").unwrap(), ["x\ny", "é"]);
    }

    #[test]
    fn what_readers_disagree_about_is_refused() {
        for bad in ["a\"b", "\"a\"b", "\"a", "a\rb"] {
            assert!(texts(bad).is_err(), "{bad:?}");
        }
    }
}
