//! What must never be committed.

use crate::scan::{check, code_only, rust_files, text_files};

/// Folders of somebody's machine. Written in halves, so that this file does not name them.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\"),
];

/// Notes to self: it is done, or it is an issue.
const NOTES_TO_SELF: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

#[test]
fn no_path_of_a_machine() {
    check(lines_with(&MACHINE_PATHS, |line, at| {
        // An absolute path begins a word; the same letters inside an address or a relative path do not.
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-:/".contains(c))
    }));
}

#[test]
fn no_note_to_self() {
    check(lines_with(&NOTES_TO_SELF, |line, at| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }));
}

/// Tracked lines with one of these words at a place that counts, as `file:line: text`.
fn lines_with(words: &[&str], counts: fn(&str, usize) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in text_files() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.match_indices(word).any(|(at, _)| counts(line, at))) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn no_conflict_markers_and_no_stray_whitespace_in_scripts() {
    let mut breaches = Vec::new();
    for (path, text) in text_files() {
        let marker = |line: &str| {
            line.starts_with(concat!("<<<<", "<<< ")) || line.starts_with(concat!(">>>>", ">>> "))
        };
        breaches.extend(text.lines().filter(|line| marker(line)).map(|line| format!("{path}: {line}")));
        if text.starts_with("#!") && text.contains('\r') {
            breaches.push(format!("{path}: a script with carriage returns does not run"));
        }
    }
    check(breaches);
}

#[test]
fn a_suppressed_lint_has_a_reason() {
    let mut breaches = Vec::new();
    for (path, text) in rust_files("") {
        let dense: String = code_only(&text).split_whitespace().collect();
        for form in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
            for rest in dense.split(form).skip(1) {
                let inside = rest.split(")]").next().unwrap_or_default();
                if !inside.contains("reason=") {
                    breaches.push(format!("{path}: `{form}{inside})]` says no reason"));
                }
            }
        }
    }
    check(breaches);
}
