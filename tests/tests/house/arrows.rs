//! Arrows between crates (from `cargo metadata`) and between doors (from the text of `tram`).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::scan::{check, code_only, rust_files};

/// Crates that know none of ours. `ledger` alone may use one, and `tests` drives `tram` from outside.
const LEAVES: [&str; 6] = ["certs", "catalog", "policy", "exchange", "dataplane", "store"];

/// Heavy things, and the only crate that may name them.
const OWNERS: [(&str, &[&str]); 3] = [
    ("dataplane", &["datafusion", "arrow", "parquet", "object_store", "opendp"]),
    ("store", &["sled"]),
    ("policy", &["casbin"]),
];

/// The doors of `tram`; each is a folder or a file of that name.
const DOORS: [&str; 4] = ["peer", "local", "console", "public"];

/// Package name → names of all direct dependencies, of any kind and target.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(tests::repository())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    list(&metadata, "packages")
        .iter()
        .map(|package| (name(package), list(package, "dependencies").iter().map(name).collect()))
        .collect()
}

#[test]
fn leaf_crates_know_nothing_of_each_other() {
    let packages = dependencies();
    let ours: BTreeSet<&String> = packages.keys().collect();
    let mut breaches = Vec::new();
    for (package, wants) in &packages {
        let allowed: &[&str] = match package.as_str() {
            leaf if LEAVES.contains(&leaf) => &[],
            "ledger" => &["certs"],
            // What a row must be is said by the contract.
            "intake" => &["catalog"],
            "tram" => &["certs", "catalog", "policy", "exchange", "dataplane", "intake", "ledger", "store"],
            // Tests may read what a node wrote with the crates that know its form; never with the node's own code.
            "tests" => &["certs", "catalog", "policy", "exchange", "ledger", "store"],
            "fuzz" => &["catalog", "certs", "intake", "ledger"],
            other => panic!("`{other}` is a new crate: say here what it may know"),
        };
        let bad = wants.iter().filter(|want| ours.contains(want) && !allowed.contains(&want.as_str()));
        breaches.extend(bad.map(|want| format!("`{package}` must not depend on `{want}`")));
    }
    assert!(LEAVES.iter().all(|leaf| packages.contains_key(*leaf)), "a leaf crate has gone: {packages:?}");
    check(breaches);
}

#[test]
fn heavy_crates_have_one_owner() {
    let packages = dependencies();
    let mut breaches = Vec::new();
    for (owner, heavy) in OWNERS {
        let owns = packages[owner].iter().any(|want| is_one_of(want, heavy));
        assert!(owns, "`{owner}` no longer uses any of {heavy:?}: this rule looks at nothing");
        for (package, wants) in packages.iter().filter(|(package, _)| *package != owner) {
            let bad = wants.iter().filter(|want| is_one_of(want, heavy));
            breaches.extend(bad.map(|want| format!("`{package}` uses `{want}`, which is `{owner}`'s alone")));
        }
    }
    check(breaches);
}

/// `arrow` stands for `arrow-array` and its like too.
fn is_one_of(name: &str, heavy: &[&str]) -> bool {
    heavy.iter().any(|root| name == *root || name.starts_with(&format!("{root}-")))
}

#[test]
fn doors_never_import_each_other() {
    let source = tests::repository().join("node/server/src");
    let present: Vec<&str> = DOORS
        .into_iter()
        .filter(|door| source.join(door).is_dir() || source.join(format!("{door}.rs")).is_file())
        .collect();
    assert!(present.contains(&"peer") && present.contains(&"local"), "the doors have moved: {present:?}");
    let mut breaches = Vec::new();
    for (path, text) in rust_files("node/server/src/") {
        let inside = path.trim_start_matches("node/server/src/");
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if !present.contains(&room) {
            continue;
        }
        let code = code_only(&text);
        let others = present.iter().filter(|door| **door != room && imports(&code, door));
        breaches.extend(others.map(|door| format!("`{path}` imports the door `{door}`")));
    }
    check(breaches);
}

/// Whether the code names a module of the crate's root: `crate::door`, `super::door`, or inside `crate::{…}`.
fn imports(code: &str, module: &str) -> bool {
    let dense: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    ["crate::", "super::"].into_iter().any(|root| {
        dense.match_indices(root).any(|(at, _)| {
            let rest = &dense[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group_names(group).contains(&module),
                None => rest.strip_prefix(module).is_some_and(ends),
            }
        })
    })
}

/// First words of the items of a `use` group, given what follows its opening brace.
fn group_names(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(group[start..at].split("::").next().unwrap_or_default());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

#[test]
fn the_import_scan_sees_every_form() {
    for code in [
        "use crate::local::x;",
        "use crate::local;",
        "use crate::{a::{b, c}, local::d};",
        "let x = crate :: local\n::f();",
        "use super::super::local::x;",
    ] {
        assert!(imports(code, "local"), "{code}");
    }
    for code in ["use crate::locale::x;", "use crate::{a::{local}, b};", "let local = 1; local::<u8>();"] {
        assert!(!imports(code, "local"), "{code}");
    }
    assert!(!imports(&code_only("// crate::local\n/* crate::local */ let a = \"crate::local\";"), "local"));
}

/// The compatibility kit's script decides by ids; no build that anybody runs may have it unasked.
#[test]
fn no_default_feature_brings_the_script_of_the_compatibility_kit() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(tests::repository())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut known = false;
    for package in &packages {
        let features = package["features"].as_object().cloned().unwrap_or_default();
        known |= features.contains_key("tck");
        for (name, brings) in features.iter().filter(|(name, _)| *name != "tck") {
            let brings = brings.to_string();
            assert!(
                !brings.contains("tck"),
                "feature `{name}` of {} brings `tck`: {brings}",
                package["name"]
            );
        }
        let wants = package["dependencies"].to_string();
        assert!(!wants.contains("\"tck\""), "{} asks a dependency for its feature `tck`", package["name"]);
    }
    assert!(known, "the feature `tck` has gone: mend this test");
}
