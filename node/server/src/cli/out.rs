//! How results look: JSON or plain aligned text on stdout, talk on stderr.

use std::io::Write;

use serde_json::Value;

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// Machine-readable.
    pub json: bool,
}

impl Out {
    /// A result: the document itself with `--json`, else what `text` makes of it.
    pub fn result(self, document: &Value, text: impl FnOnce(&Value) -> String) {
        let mut stdout = std::io::stdout().lock();
        let line = if self.json { document.to_string() } else { plain(&text(document)) };
        // A closed pipe (`tram … | head`) is no failure of ours.
        let _ = writeln!(stdout, "{}", line.trim_end());
    }
}

/// Talk: progress and hints, on stderr.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}

/// Text for a terminal: what a foreign file or peer put into a value must not steer the screen. Line ends, tabs and this
/// program's own red stay.
fn plain(text: &str) -> String {
    let kept = text.replace(RED, "\u{1}").replace(NO_COLOUR, "\u{2}");
    let shown = |c: char| match c {
        '\u{1}' => RED.to_owned(),
        '\u{2}' => NO_COLOUR.to_owned(),
        c if c.is_control() && c != '\n' && c != '\t' => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    kept.chars().map(shown).collect()
}

/// Begins what must not be overlooked.
const RED: &str = "\u{1b}[1;31m";
/// Ends it.
const NO_COLOUR: &str = "\u{1b}[0m";

/// What a terminal shows in red.
pub fn red(line: &str) -> String {
    use std::io::IsTerminal;
    if std::io::stdout().is_terminal() { format!("{RED}{line}{NO_COLOUR}") } else { line.to_owned() }
}

/// Columns aligned by their widest cell; widths count characters, so Vietnamese lines up.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(heads.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// A member of an object as text: strings as they are, null and missing as `-`, the rest as JSON.
pub fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(s)) if s.is_empty() => "-".to_owned(),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    }
}

/// The array under `key`, empty when there is none.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    #[test]
    fn foreign_text_does_not_steer_the_terminal() {
        let shown = super::plain("a\u{1b}[2J\u{9b}\rb\u{7}\tc\nd");
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}\\u{d}b\\u{7}\tc\nd");
        let red = format!("{}x{}", super::RED, super::NO_COLOUR);
        assert_eq!(super::plain(&red), red);
    }

    #[test]
    fn tables_line_up_by_characters() {
        let table = super::table(
            &["tên", "n"],
            &[vec!["không khí".into(), "1".into()], vec!["x".into(), "22".into()]],
        );
        assert_eq!(table, "tên        n\nkhông khí  1\nx          22");
    }
}
