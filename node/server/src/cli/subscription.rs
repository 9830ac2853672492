//! `tram subscription …`, and what the command line says of copies and versions.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use exchange::manifest::{CopyKind, CopyRef};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};

/// `tram subscription …`
#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// Keep a copy of a peer's dataset current: the node asks for what changed, again and again, while `tram serve` runs.
    Add(Box<AddArgs>),
    /// List the subscriptions.
    List,
    /// Show one subscription; with --out, write its copy to a file.
    Show {
        /// Its name.
        subscription: String,
        /// File for the copy.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Ask for what changed now.
    Refresh {
        /// Its name.
        subscription: String,
    },
    /// Ask no more; the copy stays.
    Stop {
        /// Its name.
        subscription: String,
    },
}

/// `tram subscription add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What: PARTICIPANT/DATASET, for example urn:agency:vn:hanoi-env/air-hourly.
    pub what: String,
    /// How often: 15m, 1h, 7d.
    #[arg(long)]
    pub every: String,
    /// Name of the subscription: lower-case letters, digits and dashes [default: the dataset's].
    #[arg(long)]
    pub name: Option<String>,
    /// Purpose, for example air-quality-management.
    #[arg(long)]
    pub purpose: Option<String>,
    /// Legal basis, for example law.
    #[arg(long)]
    pub basis: Option<String>,
    /// Only these columns.
    #[arg(long, value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows for which this holds, as in `tram exchange get`; repeat for and.
    #[arg(long = "where", value_name = "CONDITION")]
    pub filter: Vec<String>,
}

/// Runs one verb.
pub async fn run(dir: &Path, verb: SubscriptionCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: SubscriptionCommand, out: Out) -> Result<()> {
    let at = |name: &str, tail: &str| format!("/v1/subscriptions/{}{tail}", segment(name));
    match verb {
        SubscriptionCommand::Add(args) => {
            let (participant, dataset) = args.what.rsplit_once('/').ok_or_else(|| {
                Error::usage(format!(
                    "`{0}` không phải bộ dữ liệu; viết CƠ-QUAN/BỘ-DỮ-LIỆU · `{0}` names no dataset; write PARTICIPANT/DATASET",
                    args.what
                ))
            })?;
            let body = json!({
                "participant": participant,
                "dataset": dataset,
                "name": args.name,
                "purpose": args.purpose,
                "basis": args.basis,
                "columns": args.columns,
                "where": args.filter,
                "every": args.every,
            });
            let answer = client.post("/v1/subscriptions", &body).await?;
            out.result(&answer, |a| {
                format!(
                    "đã đăng ký {0}; bản sao được cập nhật khi `tram serve` chạy · subscribed as {0}; it is brought up while `tram serve` runs",
                    text(a, "name")
                )
            });
        }
        SubscriptionCommand::List => {
            let answer = client.get("/v1/subscriptions").await?;
            out.result(&answer, |a| subscriptions_table(list(a, "subscriptions")));
        }
        SubscriptionCommand::Show { subscription, out: file } => {
            let answer = client.get(&at(&subscription, "")).await?;
            if let Some(file) = file {
                download(client, &at(&subscription, "/data"), &file).await?;
            }
            out.result(&answer, show_text);
        }
        SubscriptionCommand::Refresh { subscription } => {
            let answer = client.post(&at(&subscription, "/refresh"), &json!({})).await?;
            out.result(&answer, |a| format!("đang hỏi {0} · {0} is asked for now", text(a, "name")));
        }
        SubscriptionCommand::Stop { subscription } => {
            let answer = client.post(&at(&subscription, "/stop"), &json!({})).await?;
            out.result(&answer, |a| {
                format!(
                    "thôi hỏi {0}, bản sao còn lại · {0} is asked for no more; its copy stays",
                    text(a, "name")
                )
            });
        }
    }
    Ok(())
}

async fn download(client: &Client, path: &str, file: &Path) -> Result<()> {
    let part = file.with_extension("part");
    let mut sink = tokio::fs::File::create(&part).await.map_err(|e| Error::io(&part, e))?;
    client.download(path, &mut sink).await?;
    sink.sync_all().await.map_err(|e| Error::io(&part, e))?;
    std::fs::rename(&part, file).map_err(|e| Error::io(file, e))
}

fn subscriptions_table(all: &[Value]) -> String {
    let row = |s: &Value| {
        let state = match (&s["stopped"], &s["running"], &s["failure"]) {
            (Value::String(_), _, _) => "đã dừng · stopped".to_owned(),
            (_, Value::String(id), _) => format!("đang lấy · running {id}"),
            (_, _, Value::String(_)) => "lỗi, xem dưới · failed, see below".to_owned(),
            _ => "tốt · good".to_owned(),
        };
        vec![
            text(s, "name"),
            format!("{}/{}", text(s, "participant"), text(s, "dataset")),
            text(&s["copy"], "rows"),
            text(&s["copy"], "at"),
            text(s, "next"),
            state,
        ]
    };
    if all.is_empty() {
        return "chưa có đăng ký nào; `tram subscription add CƠ-QUAN/BỘ-DỮ-LIỆU --every 1h` · no subscriptions yet; `tram subscription add PARTICIPANT/DATASET --every 1h`"
            .to_owned();
    }
    let mut told = table(
        &[
            "tên · name",
            "bộ dữ liệu · dataset",
            "dòng · rows",
            "tính đến · as of",
            "lần tới · next",
            "tình trạng · state",
        ],
        &all.iter().map(row).collect::<Vec<_>>(),
    );
    // Reasons in full: cut off they would say nothing.
    for s in all.iter().filter(|s| s["stopped"].is_null() && s["running"].is_null()) {
        if let Some(why) = s["failure"].as_str() {
            told.push_str(&format!("\n{}: {why}", text(s, "name")));
        }
    }
    told
}

fn show_text(s: &Value) -> String {
    let copy = &s["copy"];
    [
        format!("{}: {}/{}", text(s, "name"), text(s, "participant"), text(s, "dataset")),
        format!(
            "bản sao · copy: {} dòng · rows, tính đến · as of {}, {}",
            text(copy, "rows"),
            text(copy, "at"),
            text(copy, "file")
        ),
        format!("sha256 {}", text(copy, "sha256")),
        format!(
            "lần tới · next: {}, lần trước · last: {}, đang lấy · running: {}",
            text(s, "next"),
            text(s, "last"),
            text(s, "running")
        ),
        format!("lỗi · failure: {}", text(s, "failure")),
    ]
    .join("\n")
}

/// The kept versions of a dataset as text.
pub fn versions_text(answer: &Value) -> String {
    let need = |need: &Value| match text(need, "need").as_str() {
        "present" => "hiện hành · present".to_owned(),
        "agreements" => {
            format!("{} thoả thuận đến · agreements until {}", text(need, "agreements"), text(need, "until"))
        }
        _ => {
            let peers: Vec<&str> = list(need, "peers").iter().filter_map(Value::as_str).collect();
            format!("bản sao của · copies of {} (until {})", peers.join(", "), text(need, "until"))
        }
    };
    let row = |version: &Value| {
        let needs: Vec<String> = list(version, "needed_by").iter().map(need).collect();
        vec![
            text(version, "version"),
            text(version, "contract"),
            text(version, "rows"),
            text(version, "bytes"),
            text(version, "kept"),
            needs.join("; "),
        ]
    };
    let rows: Vec<Vec<String>> = list(answer, "versions").iter().map(row).collect();
    let mut told = table(&["version", "contract", "rows", "bytes", "kept", "needed by"], &rows);
    if answer["in_place"] == json!(true) {
        told.push_str(
            "\ntệp để tại chỗ, không giữ phiên bản · the file stays in its place, so no versions are kept",
        );
    }
    for older in list(answer, "older_contracts") {
        told.push_str(&format!(
            "\nhợp đồng cũ {0} được phục vụ đến {1} · older contract {0} is served until {1}, {2} agreements",
            text(older, "contract"),
            text(older, "until"),
            text(older, "agreements")
        ));
    }
    told
}

/// Says what an exchange brought of a copy, and that its version of the contract ends.
pub fn tell_copy(exchange: &Value) {
    let (copy, superseded) = (&exchange["copy"], &exchange["superseded"]);
    let told = match copy["kind"].as_str() {
        Some("changes") => Some("thay đổi từ · changes since"),
        Some("append") => Some("dòng mới từ · new rows since"),
        _ => None,
    };
    if let Some(told) = told {
        say(&format!(
            "  {told} {}; `tram exchange apply {} --copy FILE`",
            text(copy, "from_version"),
            text(exchange, "id")
        ));
    } else if let Some(why) = copy["why"].as_str().filter(|why| *why != "first") {
        say(&format!("  toàn bộ, không phải phần thay đổi · the whole, not what changed: {}", why_text(why)));
    }
    if superseded.is_object() {
        say(&format!(
            "  CHÚ Ý: hợp đồng dữ liệu này chỉ còn được phục vụ đến {0}; phiên bản mới là {1} (--renew) · NOTICE: this version of the contract is served until {0} only; the new one is {1} (--renew)",
            text(superseded, "until"),
            text(superseded, "by")
        ));
    }
}

fn why_text(why: &str) -> &'static str {
    match why {
        "gone" => "phiên bản của bản sao không còn được giữ · the version of the copy is not kept any more",
        "rules" => "quy tắc, câu hỏi hoặc hợp đồng đã khác · rules, question or contract are others now",
        "aggregates" => {
            "chỉ có số tổng hợp; hiệu của hai bản có thể lộ một người · only aggregates leave; two of them could tell of one person"
        }
        "rewritten" => "có dòng đến muộn, bị sửa hoặc bị bỏ · a row came late, was corrected or went",
        _ => "mỗi bản bị giới hạn số dòng hoặc có dấu riêng · each copy is limited or marked on its own",
    }
}

/// Brings a copy up by what an exchange brought.
pub async fn apply(client: &Client, id: &str, copy: &Path, replace: bool, out: Out) -> Result<u8> {
    let exchange = client.get(&format!("/v1/exchanges/{}", segment(id))).await?;
    let told: Option<CopyRef> = serde_json::from_value(exchange["copy"].clone()).map_err(Error::internal)?;
    let told = told.ok_or_else(|| {
        Error::usage(format!("exchange `{id}` brought no copy; ask with `tram exchange get … --since none`"))
    })?;
    let is_whole = told.kind == CopyKind::Whole;
    if is_whole && !replace && copy.exists() && crate::files::sha256_of(copy)? != told.sha256.to_string() {
        return Err(Error::usage(format!(
            "exchange `{id}` brought the whole, which would take the place of `{}`: say --replace if that is the copy, or name a new file",
            copy.display()
        )));
    }
    let received = copy.with_extension("changes.part");
    download(client, &format!("/v1/exchanges/{}/data", segment(id)), &received).await?;
    let done = crate::subscriptions::copy::apply(copy, &received, &told, None);
    let _ = std::fs::remove_file(&received);
    done?;
    let answer = json!({"copy": copy.display().to_string(), "rows": told.rows, "sha256": told.sha256});
    out.result(&answer, |a| {
        format!(
            "{}: {} dòng · rows, sha256 {}, đúng như bên cung cấp đã ký · as signed by the provider",
            text(a, "copy"),
            text(a, "rows"),
            text(a, "sha256")
        )
    });
    Ok(0)
}
