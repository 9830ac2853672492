//! A question's file as people write it: slips of the pen are told with what was probably meant, before anybody is asked.

use std::path::Path;

use serde_json::Value;

use super::columns::{meant, mistake};
use super::document::QuestionDoc;
use crate::error::Result;

/// Fields of a question.
const FIELDS: [&str; 4] = ["title", "format", "columns", "sources"];
/// Fields of one of its sources.
const SOURCE_FIELDS: [&str; 15] = [
    "name", "from", "purpose", "basis", "columns", "where", "group_by", "measures", "distinct", "order_by",
    "limit", "sql", "optional", "join", "on",
];
/// File endings, and the forms that belong to them; the first is the usual one.
const ENDINGS: [(&str, &[&str]); 7] = [
    ("csv", &["csv", "csv-bom"]),
    ("xlsx", &["xlsx"]),
    ("json", &["json"]),
    ("ndjson", &["ndjson"]),
    ("jsonl", &["ndjson"]),
    ("parquet", &["parquet"]),
    ("arrow", &["arrow"]),
];

/// Reads a question; `format` takes the place of its own. Everything is checked that needs no node.
///
/// # Errors
/// [`crate::Error::Usage`] with the place in the file, or the field, and what to do.
pub fn read(text: &str, is_toml: bool, format: Option<&str>) -> Result<QuestionDoc> {
    let no =
        |why: String| mistake("tệp này không đọc được thành câu hỏi", format!("this is no question: {why}"));
    let value: Value = match is_toml {
        true => toml::from_str(text).map_err(|e| no(e.to_string()))?,
        false => serde_json::from_str(text).map_err(|e| no(e.to_string()))?,
    };
    fields("câu hỏi", "the question", &value, &FIELDS)?;
    for (at, source) in value["sources"].as_array().into_iter().flatten().enumerate() {
        let name = source["name"].as_str().map_or_else(|| (at + 1).to_string(), |name| format!("`{name}`"));
        fields(&format!("nguồn {name}"), &format!("source {name}"), source, &SOURCE_FIELDS)?;
    }
    // From the text once more: its errors name the line.
    let mut doc: QuestionDoc = match is_toml {
        true => toml::from_str(text).map_err(|e| no(e.to_string()))?,
        false => serde_json::from_str(text).map_err(|e| no(e.to_string()))?,
    };
    if let Some(format) = format {
        format.clone_into(&mut doc.format);
    }
    // Whose node it is, is not known here; the node checks again.
    doc.check("")?;
    Ok(doc)
}

fn fields(vi: &str, en: &str, value: &Value, known: &[&str]) -> Result<()> {
    for field in value.as_object().into_iter().flatten().map(|(field, _)| field) {
        if known.contains(&field.as_str()) {
            continue;
        }
        return Err(match meant(field, known.iter().copied()) {
            Some(like) => mistake(
                format!("{vi}: không có trường `{field}`; có phải muốn viết `{like}`?"),
                format!("{en} has no field `{field}`; is `{like}` meant?"),
            ),
            None => mistake(
                format!("{vi}: không có trường `{field}`; có các trường {}", known.join(", ")),
                format!("{en} has no field `{field}`; there are {}", known.join(", ")),
            ),
        });
    }
    Ok(())
}

/// Refuses a file whose ending says another form than the rows have.
///
/// # Errors
/// [`crate::Error::Usage`] with both ways out.
pub fn fits(file: &Path, format: &str) -> Result<()> {
    let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let Some((ending, forms)) = ENDINGS.iter().find(|(known, _)| ending.as_deref() == Some(*known)) else {
        return Ok(());
    };
    let usual = forms.first().copied().unwrap_or_default();
    if forms.contains(&format) {
        return Ok(());
    }
    let own = ENDINGS.iter().find(|(_, forms)| forms.contains(&format)).map_or(format, |(ending, _)| ending);
    let (shown, better) = (file.display(), file.with_extension(own));
    Err(mistake(
        format!(
            "`{shown}` có đuôi .{ending} mà dạng kết quả là {format}; ghi `--out {}`, hoặc hỏi với `--format {usual}`",
            better.display()
        ),
        format!(
            "`{shown}` ends in .{ending} and the result is {format}; write `--out {}`, or ask with `--format {usual}`",
            better.display()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
title = \"x\"
[[sources]]
name = \"a\"
from = \"urn:agency:vn:a/x\"
group_by = [\"nam\"]
measures = [\"count\"]
[[sources]]
name = \"b\"
from = \"urn:agency:vn:b/x\"
on = [\"nam\"]
";

    #[test]
    fn slips_of_the_pen_are_told_with_what_was_meant() {
        assert_eq!(read(GOOD, true, None).unwrap().format, "csv");
        assert_eq!(read(GOOD, true, Some("xlsx")).unwrap().format, "xlsx");
        for (good, bad, told) in [
            ("group_by", "groupby", "source `a` has no field `groupby`; is `group_by` meant?"),
            ("group_by", "groub_by", "nguồn `a`: không có trường `groub_by`; có phải muốn viết `group_by`?"),
            ("measures", "mesures", "is `measures` meant?"),
            ("title", "tilte", "the question has no field `tilte`; is `title` meant?"),
            ("from", "nguon", "there are name, from"),
            ("on = [\"nam\"]", "on = \"nam\"", "line 10"),
            ("name = \"b\"", "name = \"a\"", "two sources are named `a`"),
            ("on = [\"nam\"]", "on = [\"năm\"]", "is `nam` meant?"),
            ("[[sources]]\nname = \"b\"", "[[sources]\nname = \"b\"", "line 7"),
        ] {
            let error = read(&GOOD.replacen(good, bad, 1), true, None).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(" · "), "{bad}: {error}");
        }
        let json = r#"{"sources": [{"nane": "a"}]}"#;
        assert!(read(json, false, None).unwrap_err().to_string().contains("source 1 has no field `nane`"));
    }

    #[test]
    fn a_files_ending_says_what_is_in_it() {
        for (file, format, good) in [
            ("a.csv", "csv", true),
            ("a.CSV", "csv-bom", true),
            ("a.jsonl", "ndjson", true),
            ("a.ket-qua", "xlsx", true),
            ("a", "xlsx", true),
            ("a.csv", "xlsx", false),
            ("a.xlsx", "csv", false),
            ("a.json", "ndjson", false),
        ] {
            assert_eq!(fits(Path::new(file), format).is_ok(), good, "{file} {format}");
        }
        let told = fits(Path::new("b/a.csv"), "xlsx").unwrap_err().to_string();
        assert!(told.contains("--out b/a.xlsx") && told.contains("--format csv"), "{told}");
    }
}
