//! Finds the repository and the binary under test. The binary is built once per test program, in the profile that the test
//! itself was built in; `$TRAM_BIN` names another one (a packaged build, for example).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The repository's root: the folder above this crate.
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The binary `tram`, built if need be.
///
/// # Panics
/// When it can't be built, with cargo's own words.
pub fn tram() -> &'static Path {
    static TRAM: OnceLock<PathBuf> = OnceLock::new();
    TRAM.get_or_init(|| match std::env::var_os("TRAM_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let release = !cfg!(debug_assertions);
    let mut command = cargo();
    // The whole workspace's features, as `cargo test --workspace` has them, or the engine would be compiled twice.
    command.args(["build", "--workspace", "--bin", "tram", "--quiet"]);
    if release {
        command.arg("--release");
    }
    let output = command.output().unwrap_or_else(|error| panic!("cargo did not start: {error}"));
    assert!(output.status.success(), "`tram` does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    let binary = target_directory().join(if release { "release" } else { "debug" }).join("tram");
    assert!(binary.is_file(), "cargo built no `{}`", binary.display());
    binary
}

fn target_directory() -> PathBuf {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output();
    let output = output.unwrap_or_else(|error| panic!("cargo did not start: {error}"));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("cargo metadata is no JSON: {error}"));
    match metadata.get("target_directory").and_then(|path| path.as_str()) {
        Some(path) => PathBuf::from(path),
        None => panic!("cargo metadata names no target directory"),
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repository());
    command
}
