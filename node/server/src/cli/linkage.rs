//! `tram linkage …`: keys by which several providers give one pseudonym for one person.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::escrow::handover::write_new;
use crate::linkage::handing::FILE_BYTES_MAX;

/// Longest part of a file's name that names a holder, bytes: names have at most 255, with the key's full name before it.
const PEER_BYTES_MAX: usize = 180;

/// `tram linkage …`
#[derive(Debug, Subcommand)]
pub enum LinkageCommand {
    /// Make a key that this agency and others hold, and a sealed file for each of the others.
    New {
        /// What to call it: lower-case letters, digits and dashes, for example dinh-danh.
        name: String,
        /// Another holder: a peer's participant id; repeat for each.
        #[arg(long, value_name = "PARTICIPANT", required = true)]
        with: Vec<String>,
        /// Folder for the sealed files.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        out: PathBuf,
    },
    /// Write the sealed file for one of the other holders once more.
    Seal {
        /// Its full name, NAME@ID.
        linkage: String,
        /// For whom.
        #[arg(long = "for", value_name = "PARTICIPANT")]
        peer: String,
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a key that another holder sealed to this agency.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// The keys that this agency holds; never the secrets.
    List,
    /// Forget a key for good; rules that name it let nothing leave from then on.
    Drop {
        /// Its full name, NAME@ID.
        linkage: String,
        /// Although rules in force name it.
        #[arg(long)]
        in_use: bool,
    },
}

/// Runs one verb.
pub async fn run(dir: &Path, verb: LinkageCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: LinkageCommand, out: Out) -> Result<()> {
    match verb {
        LinkageCommand::New { name, with, out: folder } => {
            // Before there is a key: what cannot be written is no use, and the key would be kept.
            writable(&folder, &with)?;
            let mut told = client.post("/v1/linkages", &json!({"name": name, "with": with})).await?;
            let mut files = Vec::new();
            for file in list(&told, "files") {
                let to = text(file, "to");
                let path = folder.join(format!("{}.{}.linkage", text(&told, "linkage"), plain(&to)));
                write(&path, &file["file"]).map_err(|e| unwritten(&e, &text(&told, "linkage"), &to))?;
                files.push(json!({"to": to, "file": path.display().to_string()}));
            }
            told["files"] = json!(files);
            out.result(&told, made);
        }
        LinkageCommand::Seal { linkage, peer, out: file } => {
            let at = format!("/v1/linkages/{}/sealed", segment(&linkage));
            let told = client.post(&at, &json!({"peer": peer})).await?;
            write(&file, &told["file"])?;
            let told = json!({"to": peer, "file": file.display().to_string()});
            out.result(&told, hand_over);
        }
        LinkageCommand::Import { file } => {
            let bytes = crate::files::read_limited(&file, FILE_BYTES_MAX)?;
            let handed: Value = serde_json::from_slice(&bytes).map_err(|_| {
                Error::usage(format!(
                    "`{f}` không phải tệp khóa liên kết · `{f}` is no linkage file; ask the giver for it once more",
                    f = file.display()
                ))
            })?;
            let told = client.post("/v1/linkages/import", &handed).await?;
            out.result(&told, |told| format!("đã nhận · taken\n{}", one(told)));
        }
        LinkageCommand::List => {
            out.result(&client.get("/v1/linkages").await?, |all| listed(list(all, "linkages")))
        }
        LinkageCommand::Drop { linkage, in_use } => {
            let told = client.delete(&format!("/v1/linkages/{}?in_use={in_use}", segment(&linkage))).await?;
            out.result(&told, dropped);
        }
    }
    Ok(())
}

/// Writes a sealed file, which must be new; its owner alone reads it.
fn write(path: &Path, file: &Value) -> Result<()> {
    write_new(path, &serde_json::to_vec_pretty(file).map_err(Error::internal)?)
}

/// Whether a file for each of the others can be written into a folder.
fn writable(folder: &Path, with: &[String]) -> Result<()> {
    let of: BTreeSet<&String> = with.iter().collect();
    let names: BTreeSet<String> = of.iter().map(|id| plain(id)).collect();
    if names.len() < of.len() {
        return Err(Error::usage(
            "tên tệp cho hai bên giống nhau · two of the holders' files would have one name; make the key with `--json` through the \
             local API, or with ids that differ in letters and digits",
        ));
    }
    if let Some(long) = names.iter().find(|name| name.len() > PEER_BYTES_MAX) {
        return Err(Error::usage(format!("the id `{long}` is too long for the name of a file")));
    }
    tempfile::Builder::new().prefix(".linkage-").tempfile_in(folder).map(drop).map_err(|e| {
        Error::usage(format!(
            "không ghi được vào thư mục `{f}`, chưa tạo khóa nào · cannot write into the folder `{f}`, no key was made: {e}; name \
             another with `--out`",
            f = folder.display()
        ))
    })
}

/// The key is kept, the file for a holder is not: how to get it.
fn unwritten(why: &Error, linkage: &str, to: &str) -> Error {
    Error::usage(format!(
        "đã tạo khóa `{linkage}` nhưng chưa ghi được tệp cho `{to}` · the key `{linkage}` was made, but the file for `{to}` was not \
         written: {why}; write it with `tram linkage seal {linkage} --for {to} --out FILE`"
    ))
}

/// A participant id as part of a file name.
fn plain(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn one(told: &Value) -> String {
    let holders: Vec<&str> = list(told, "holders").iter().filter_map(Value::as_str).collect();
    format!(
        "khóa liên kết · linkage key {}\n  cùng giữ · holders: {}\n  ghi trong obligations.json · write in obligations.json: {}",
        text(told, "linkage"),
        holders.join(", "),
        told["mask"]
    )
}

fn made(told: &Value) -> String {
    let files = list(told, "files").iter().map(hand_over);
    std::iter::once(one(told)).chain(files).collect::<Vec<_>>().join("\n")
}

fn hand_over(file: &Value) -> String {
    format!(
        "  đưa tệp này cho {to}, chỉ nút đó mở được · hand this file to {to}, whose node alone opens it: {}",
        text(file, "file"),
        to = text(file, "to")
    )
}

fn dropped(told: &Value) -> String {
    let rules: Vec<&str> = list(told, "rules").iter().filter_map(Value::as_str).collect();
    if !rules.is_empty() {
        let rules = rules.join(", ");
        say(&format!(
            "quy tắc còn nêu khóa này, từ nay không dòng nào ra · rules that name this key let nothing leave now: {rules}"
        ));
    }
    format!("đã xoá khóa · dropped {}", text(told, "linkage"))
}

fn listed(all: &[Value]) -> String {
    if all.is_empty() {
        return "chưa có khóa liên kết nào · no linkage keys yet; `tram linkage new NAME --with PARTICIPANT`"
            .to_owned();
    }
    let row = |told: &Value| {
        let names = |key| list(told, key).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        let state = told["damaged"].as_str().map_or_else(|| names("rules"), str::to_owned);
        vec![text(told, "linkage"), names("holders"), text(told, "from"), text(told, "made"), state]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["khóa · key", "cùng giữ · holders", "từ · from", "lúc · made", "quy tắc · rules"], &rows)
}
