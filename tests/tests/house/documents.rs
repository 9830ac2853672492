//! Documents that must be there and must be true.

use std::collections::BTreeSet;
use std::path::Path;

use crate::scan::{check, rust_files, text_files};

/// Lines of `//!` that a crate's page has at least: what it is, what it is not, where to begin do not fit in fewer.
const PAGE_LINES_MIN: usize = 5;

#[test]
fn every_crate_begins_with_a_page() {
    let mut breaches = Vec::new();
    for (path, text) in rust_files("") {
        if !path.ends_with("src/lib.rs") {
            continue;
        }
        let lines = text.lines().take_while(|line| line.starts_with("//!")).count();
        if lines < PAGE_LINES_MIN {
            breaches
                .push(format!("`{path}` begins with {lines} lines of `//!`, a page has {PAGE_LINES_MIN}"));
        }
    }
    check(breaches);
}

#[test]
fn every_limit_is_explained() {
    let mut breaches = Vec::new();
    let mut seen = 0;
    for (path, text) in rust_files("").into_iter().filter(|(path, _)| path.ends_with("limits.rs")) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if !(line.starts_with("pub const ") || line.starts_with("pub(crate) const ")) {
                continue;
            }
            seen += 1;
            let above = lines[..number].iter().rev().find(|line| !line.starts_with("#["));
            if !above.is_some_and(|line| line.starts_with("///")) {
                breaches.push(format!("{path}:{}: `{line}` has no reason above it", number + 1));
            }
        }
    }
    assert!(seen > 10, "only {seen} limits seen: this rule looks at nothing");
    check(breaches);
}

#[test]
fn the_architecture_page_names_only_what_exists() {
    let root = tests::repository();
    let Ok(page) = std::fs::read_to_string(root.join("docs/architecture.md")) else {
        return tests::skip("docs/architecture.md is not written yet");
    };
    let names = named_paths(&page);
    assert!(names.len() >= 10, "the page names {} paths only: is the form still read?", names.len());
    let bases = ["", "node", "node/server", "node/server/src", "docs"].map(|base| root.join(base));
    let exists = |name: &String| bases.iter().any(|base| base.join(name).exists());
    let missing = names.iter().filter(|name| !exists(name));
    check(missing.map(|name| format!("docs/architecture.md names `{name}`, which does not exist")).collect());
}

/// Paths that a page names: in back-quotes, and as first word of a line of a fenced block.
fn named_paths(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            names.extend(line.split_whitespace().next().filter(|word| is_path(word)).map(str::to_owned));
        } else {
            names.extend(line.split('`').skip(1).step_by(2).filter(|word| is_path(word)).map(str::to_owned));
        }
    }
    names
}

/// A folder (`certs/`) or a file of the kinds that we write; no pattern, no address, nothing outside.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let known =
        Path::new(word).extension().is_some_and(|end| ["rs", "md", "toml"].iter().any(|kind| end == *kind));
    plain && (word.ends_with('/') || known) && !word.starts_with(['/', '.'])
}

#[test]
fn paths_are_told_from_other_words() {
    let page = "see `certs/`, `gate.rs`, `/dev/null`, `peer/*`, `a b/`\n```text\nnode/server/   RUNS\n  x     words\n```\n";
    let names: Vec<String> = named_paths(page).into_iter().collect();
    assert_eq!(names, ["certs/", "gate.rs", "node/server/"]);
}

#[test]
fn links_inside_documents_lead_somewhere() {
    let mut breaches = Vec::new();
    for (path, text) in text_files().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = tests::repository().join(&path);
        let folder = folder.parent().unwrap_or(tests::repository());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let foreign = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
            if !foreign && !folder.join(link).exists() {
                breaches.push(format!("{path}: a link leads to `{link}`, which does not exist"));
            }
        }
    }
    check(breaches);
}

#[test]
fn the_performance_page_and_the_benchmarks_agree() {
    let page = std::fs::read_to_string(tests::repository().join("docs/performance.md")).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let described: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    // A program each in `tests/src/bin`, or a package of its own in `tests/bench`.
    let own = |path: &str| -> Option<String> {
        let package = path.strip_prefix("tests/bench/").and_then(|rest| rest.strip_suffix("/src/main.rs"));
        let program = || path.strip_prefix("tests/src/bin/bench-")?.strip_suffix(".rs");
        package.or_else(program).map(str::to_owned)
    };
    let written: BTreeSet<String> = rust_files("tests/").iter().filter_map(|(path, _)| own(path)).collect();
    assert_eq!(
        described, written,
        "each benchmark has its row in docs/performance.md, and each row its benchmark"
    );
}
