//! Reading the repository: which files are tracked, what of a Rust file is code.

use std::process::Command;

/// Tracked files that are text, as (path from the root, content). Files deleted in the working tree are left out.
pub fn text_files() -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(tests::repository())
        .output()
        .expect("git runs: the house rules look at tracked files");
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let files: Vec<_> = list
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(|path| {
            Some((path.to_owned(), std::fs::read_to_string(tests::repository().join(path)).ok()?))
        })
        .collect();
    assert!(files.len() > 20, "only {} tracked files: is this a clone?", files.len());
    files
}

/// Tracked Rust files whose path begins so.
pub fn rust_files(under: &str) -> Vec<(String, String)> {
    let mut files = text_files();
    files.retain(|(path, _)| path.starts_with(under) && path.ends_with(".rs"));
    assert!(!files.is_empty(), "no Rust file under `{under}`");
    files
}

/// The code of a Rust file: comments and the insides of string literals are gone.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find("'").map_or(rest.len(), |at| at + 2)
        } else if c == '"' {
            code.push_str("\"\"");
            string_length(rest)
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[skip..];
    }
    code
}

/// Length of the string literal at the start, quotes included. Raw strings end at their first quote, which is near enough.
fn string_length(literal: &str) -> usize {
    let mut escaped = false;
    for (at, c) in literal.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    literal.len()
}

/// Fails with all breaches, one a line.
#[track_caller]
pub fn check(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{} found:\n{}", breaches.len(), breaches.join("\n"));
}
