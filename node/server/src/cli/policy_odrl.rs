//! `tram policy odrl …`: the rules in force as an ODRL document, and an ODRL document as the draft of a rule set.
//!
//! A draft is a folder. Nothing here puts anything in force.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use policy::limits::ODRL_BYTES_MAX;
use policy::odrl::{Draft, OdrlError};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::out::{Out, list, say, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::files;

/// `tram policy odrl …`
#[derive(Debug, Subcommand)]
pub enum OdrlCommand {
    /// Write the rule set in force as an ODRL document.
    Export {
        /// Only rules about this dataset.
        #[arg(long)]
        dataset: Option<String>,
        /// File to write [default: standard output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Read an ODRL document into a draft folder; nothing is put in force.
    Import {
        /// The document.
        file: PathBuf,
        /// Folder to write; it must not exist yet or be empty.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
}

/// Runs one verb. `import` needs neither a node nor its folder.
pub async fn run(dir: &Path, verb: OdrlCommand, out: Out) -> Result<u8> {
    match verb {
        OdrlCommand::Import { file, out: folder } => import(&file, &folder, out),
        OdrlCommand::Export { dataset, out: file } => export(dir, dataset, file, out).await,
    }
    .map(|()| 0)
}

async fn export(dir: &Path, dataset: Option<String>, file: Option<PathBuf>, out: Out) -> Result<()> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let query = dataset.map_or_else(String::new, |dataset| format!("?dataset={}", escaped(&dataset)));
    let answer = client.get(&format!("/v1/policy/odrl{query}")).await;
    client.close().await;
    let document = answer?;
    let pretty = serde_json::to_string_pretty(&document).map_err(Error::internal)?;
    let Some(file) = file else {
        out.result(&document, |_| pretty.clone());
        return Ok(());
    };
    files::write_atomic(&file, format!("{pretty}\n").as_bytes())?;
    let policies = list(&document, "@graph").iter().filter(|node| node["@type"] == "Set").count();
    out.result(&json!({"file": file.display().to_string(), "policies": policies}), |w| {
        format!("wrote {} policies to {}", text(w, "policies"), text(w, "file"))
    });
    Ok(())
}

/// A dataset's name has none of these; what has is refused by the node, and not taken for another query.
fn escaped(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    name.bytes()
        .map(|b| if plain(char::from(b)) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn import(file: &Path, folder: &Path, out: Out) -> Result<()> {
    let bytes = files::read_limited(file, ODRL_BYTES_MAX)?;
    let draft = policy::odrl::import(&bytes).map_err(|error| refused(&error))?;
    let written = super::policy::write_files(&json!({"files": texts(&draft)}), folder)?;
    let done = json!({
        "folder": folder.display().to_string(),
        "files": written,
        "grants": draft.grants.len(),
        "duties": draft.duties.len(),
        "notes": draft.notes,
    });
    out.result(&done, |d| {
        format!(
            "draft with {} grants and {} duties in {}",
            text(d, "grants"),
            text(d, "duties"),
            text(d, "folder")
        )
    });
    draft.notes.iter().for_each(|note| say(&format!("note: {note}")));
    say(&format!(
        "Nothing of it is in force. Read it, write cases.json, then: tram policy test {}",
        folder.display()
    ));
    Ok(())
}

/// The files that a draft is written as; all are text.
fn texts(draft: &Draft) -> Map<String, Value> {
    let files = draft.files();
    files.iter().map(|(name, bytes)| (name.to_owned(), json!(String::from_utf8_lossy(bytes)))).collect()
}

/// Everything that was not taken, by name and place, a line each.
fn refused(error: &OdrlError) -> Error {
    let mut lines = vec![format!("the ODRL has {} problems:", error.problems.len() + error.unlisted)];
    lines.extend(error.problems.iter().map(|problem| format!("  {problem}")));
    if error.unlisted > 0 {
        lines.push(format!("  and {} more", error.unlisted));
    }
    Error::usage(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Out = Out { json: true };

    #[test]
    fn what_was_exported_is_imported_as_a_draft_that_loads() {
        let rules = policy::RuleSet::builtin(1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("rules.json"), dir.path().join("draft"));
        std::fs::write(&file, policy::odrl::document(&rules, None).unwrap().to_string()).unwrap();
        import(&file, &folder, OUT).unwrap();
        assert_eq!(policy::RuleSet::from_folder(&folder, 1).unwrap().digest(), rules.digest());
        assert!(
            matches!(import(&file, &folder, OUT), Err(Error::Usage(_))),
            "nobody's edits are overwritten"
        );
    }

    #[test]
    fn every_refused_term_is_named_and_no_folder_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("rules.json"), dir.path().join("draft"));
        let text = r#"{"@type": "Set", "conflict": "perm", "inheritFrom": "urn:y", "permission": [{"action": "use"}]}"#;
        std::fs::write(&file, text).unwrap();
        let error = import(&file, &folder, OUT).unwrap_err().to_string();
        assert!(error.contains("`perm`") && error.contains("`inheritFrom`"), "{error}");
        assert!(!folder.exists());
    }

    #[test]
    fn a_dataset_cannot_become_another_query() {
        assert_eq!(escaped("air/hourly-1"), "air/hourly-1");
        assert_eq!(escaped("a&version=1 đ"), "a%26version%3D1%20%C4%91");
    }
}
