//! `tram demo`: three agencies on this machine, each with its own node, keys and store, from nothing to verified
//! receipts. Everything in it is the real thing: the nodes speak over mutual TLS on loopback, decide by their rules,
//! and write their ledgers; only the rows are made up.
//!
//! [`cast`] says who plays, [`generate`] makes the rows, [`story`] tells what happens.

mod cast;
pub mod generate;
mod story;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::args::DemoArgs;
use crate::cli::out::{Out, say};
use crate::error::{Error, Result};

/// Runs the story; without `--once` the nodes stay up until Ctrl-C.
pub async fn run(args: DemoArgs, out: Out) -> Result<u8> {
    let (folder, ours) = folder(args.into.as_deref())?;
    let talk = Talk { quiet: out.json };
    let mut cast = cast::Cast::assemble(&folder, args.seed, talk).await?;
    let told = story::tell(&mut cast, talk).await;
    let summary = match told {
        Ok(summary) => summary,
        Err(error) => {
            cast.close().await;
            return Err(error);
        }
    };
    out.result(&summary, story::summary_text);
    if !args.once {
        stay(&cast, &folder).await;
    }
    cast.close().await;
    if args.once && ours && !out.json {
        say(&format!("The nodes' folders stay at {} for you to look into.", folder.display()));
    }
    Ok(if summary["verified"] == Value::Bool(true) { 0 } else { 4 })
}

/// Whether the story is told to a person.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    quiet: bool,
}

impl Talk {
    /// One line of the story, Vietnamese first, English beside it.
    pub fn line(self, vi: &str, en: &str) {
        if !self.quiet {
            say(&format!("{vi}\n    {en}"));
        }
    }

    /// A heading.
    pub fn part(self, number: u8, vi: &str, en: &str) {
        if !self.quiet {
            say(&format!("\n{number}. {vi}\n   {en}"));
        }
    }

    /// A line of detail, the same in both languages.
    pub fn detail(self, text: &str) {
        if !self.quiet {
            say(&format!("     {text}"));
        }
    }
}

fn folder(into: Option<&Path>) -> Result<(PathBuf, bool)> {
    if let Some(path) = into {
        let taken = std::fs::read_dir(path).is_ok_and(|mut d| d.next().is_some());
        if taken {
            return Err(Error::usage(format!(
                "`{}` is not empty; name a folder that does not exist yet",
                path.display()
            )));
        }
        crate::files::make_private_dir(path)?;
        return Ok((path.to_owned(), false));
    }
    let folder = tempfile::Builder::new()
        .prefix("tram-demo-")
        .tempdir()
        .map_err(|e| Error::io(&std::env::temp_dir(), e))?
        .keep();
    Ok((folder, true))
}

async fn stay(cast: &cast::Cast, folder: &Path) {
    say(&format!("\nThe three nodes stay up; their folders are under {}. Look further:", folder.display()));
    let exe = std::env::args().next().unwrap_or_else(|| "tram".to_owned());
    for words in [
        format!("{exe} exchange list --dir {}", cast.ward.dir.display()),
        format!("{exe} catalog search giao thong --dir {}", cast.environment.dir.display()),
        format!("{exe} ledger verify --dir {}", cast.environment.dir.display()),
        format!("{exe} dataset list --dir {}", cast.health.dir.display()),
    ] {
        say(&format!("  {words}"));
    }
    say("Ctrl-C ends it.");
    let _ = tokio::signal::ctrl_c().await;
}
