//! The published catalogue of entries is what the types say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::path::Path;

#[test]
fn the_document_is_written_from_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ledger-entries.md");
    let wanted = ledger::statement::catalogue();
    if std::env::var_os("TRAM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).expect("docs/ledger-entries.md");
    assert!(
        found == wanted,
        "docs/ledger-entries.md is not what the types say; its first lines tell how to write it anew"
    );
}
