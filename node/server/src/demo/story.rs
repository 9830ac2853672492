//! What happens in the demo, told as it happens.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Talk;
use super::cast::{Agency, Cast};
use crate::cli::client::segment;
use crate::cli::out::{list, table, text};
use crate::error::{Error, Result};

/// Longest that one exchange of the story may take.
const EXCHANGE_SECONDS: u64 = 120;

/// One wish of the ward.
struct Wish<'a> {
    provider: &'a Agency,
    dataset: &'a str,
    purpose: &'a str,
    basis: &'a str,
    file: &'a str,
}

/// Plays the story and returns its machine-readable summary.
pub async fn tell(cast: &mut Cast, talk: Talk) -> Result<Value> {
    talk.part(4, "Phường tìm dữ liệu", "The ward looks for data");
    search(cast, talk, "chat luong khong khi").await?;
    search(cast, talk, "sot xuat huyet").await?;

    talk.part(5, "Phường xin chất lượng không khí theo giờ", "The ward asks for hourly air quality");
    let air = wish(
        cast,
        talk,
        &Wish {
            provider: &cast.environment,
            dataset: "air-hourly",
            purpose: "air-quality-management",
            basis: "law",
            file: "air-hourly.csv",
        },
    )
    .await?;

    talk.part(
        6,
        "Phường xin danh sách ca bệnh để đánh giá cán bộ: bị từ chối",
        "The ward asks for the case list to appraise staff: refused",
    );
    let refused = wish(
        cast,
        talk,
        &Wish {
            provider: &cast.health,
            dataset: "dengue-cases",
            purpose: "staff-appraisal",
            basis: "law",
            file: "dengue-cases-appraisal.csv",
        },
    )
    .await?;

    talk.part(
        7,
        "Phường xin cùng dữ liệu cho dịch tễ: nhận số liệu tổng hợp, ô nhỏ bị che",
        "The ward asks for the same data for epidemiology: it gets aggregates, small cells withheld",
    );
    let aggregate = wish(
        cast,
        talk,
        &Wish {
            provider: &cast.health,
            dataset: "dengue-cases",
            purpose: "epidemiology",
            basis: "law",
            file: "dengue-cases-by-ward-and-month.csv",
        },
    )
    .await?;
    summary(cast, vec![air, refused, aggregate]).await
}

async fn search(cast: &Cast, talk: Talk, words: &str) -> Result<()> {
    let found = cast.ward.client.get(&format!("/v1/catalog?refresh=true&q={}", segment(words))).await?;
    let entries = list(&found, "entries");
    if entries.is_empty() {
        return Err(Error::internal(format!("nothing was found for `{words}` in the catalogs")));
    }
    talk.line(
        &format!("  ▸ “{words}”: {} bộ dữ liệu", entries.len()),
        &format!("{} datasets found", entries.len()),
    );
    for entry in entries {
        talk.detail(&format!(
            "{}/{}  {}",
            text(entry, "participant"),
            text(entry, "dataset"),
            text(&entry["title"], "vi")
        ));
    }
    Ok(())
}

/// One exchange from the wish to the verified receipts.
async fn wish(cast: &Cast, talk: Talk, wish: &Wish<'_>) -> Result<Value> {
    let began = Instant::now();
    let body = json!({
        "participant": wish.provider.id,
        "dataset": wish.dataset,
        "purpose": wish.purpose,
        "basis": wish.basis,
        "format": "csv",
        "queue": true,
    });
    talk.detail(&format!("purpose {}, legal basis {}", wish.purpose, wish.basis));
    let started = cast.ward.client.post("/v1/exchanges", &body).await?;
    let id = text(&started, "id");
    let exchange = wait(cast, talk, &id).await?;
    let file = cast.inbox.join(wish.file);
    let effect = if text(&exchange, "stage") == "completed" { "permit" } else { "deny" };
    if effect == "permit" {
        fetch(cast, &format!("/v1/exchanges/{id}/data"), &file).await?;
        talk.line("  ▸ đã nhận đủ, từng mảnh đều được kiểm tra", "received; every chunk verified");
        talk.detail(&format!(
            "{}: {} rows, {} bytes",
            file.display(),
            text(&exchange, "rows"),
            text(&exchange, "bytes")
        ));
        for (vi, en) in in_words(&exchange["obligations"]) {
            talk.line(&format!("  ▸ {vi}"), &en);
        }
    } else {
        let refusal = &exchange["refusal"];
        talk.line(
            &format!("  ✗ bị từ chối: {}", text(refusal, "text_vi")),
            &format!("refused: {}", text(refusal, "text_en")),
        );
        talk.detail(&format!("{} — {}", text(refusal, "code"), text(refusal, "legal_basis")));
    }
    let receipts = receipts(cast, talk, &exchange, &file, effect == "permit").await?;
    Ok(json!({
        "exchange": id,
        "provider": wish.provider.id,
        "dataset": wish.dataset,
        "purpose": wish.purpose,
        "basis": wish.basis,
        "effect": effect,
        "reasons": exchange["reasons"],
        "obligations": exchange["obligations"],
        "rows": exchange["rows"].as_u64().unwrap_or(0),
        "bytes": exchange["bytes"].as_u64().unwrap_or(0),
        "sha256": exchange["sha256"],
        "agreement": exchange["agreement"],
        "transfer": exchange["transfer"],
        "file": (effect == "permit").then(|| file.display().to_string()),
        "receipt_file": receipts.first(),
        "receipt_files": receipts,
        "verified": receipts.len() == 2,
        "duration_ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

/// The obligations that a clerk should see, in plain words of both languages.
fn in_words(obligations: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let names = |value: &Value| {
        let all: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        all.join(", ")
    };
    let dropped: Vec<&str> = obligations["mask"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, mask)| *mask == "drop")
        .map(|(column, _)| column.as_str())
        .collect();
    if !dropped.is_empty() {
        let columns = dropped.join(", ");
        lines.push((format!("đã bỏ các cột: {columns}"), format!("columns dropped: {columns}")));
    }
    for filter in list(obligations, "row_filter") {
        let (column, value) = (text(filter, "column"), text(filter, "value"));
        let op = match text(filter, "op").as_str() {
            "eq" => "=".to_owned(),
            "ne" => "≠".to_owned(),
            "lt" => "<".to_owned(),
            "le" => "≤".to_owned(),
            "gt" => ">".to_owned(),
            "ge" => "≥".to_owned(),
            other => other.to_owned(),
        };
        lines.push((
            format!("chỉ giữ các dòng thoả điều kiện: {column} {op} {value}"),
            format!("only rows that meet: {column} {op} {value}"),
        ));
    }
    if let Some(k) = obligations["aggregate"]["k"].as_u64() {
        let by = names(&obligations["aggregate"]["group_by"]);
        lines.push((
            format!("chỉ số liệu tổng hợp theo {by}; nhóm dưới {k} người bị che"),
            format!("aggregates only, by {by}; groups of fewer than {k} persons withheld"),
        ));
    }
    if let Some(days) = obligations["retention_days"].as_u64() {
        lines.push((
            format!("bên nhận phải xoá sau {days} ngày"),
            format!("the recipient deletes after {days} days"),
        ));
    }
    lines
}

async fn wait(cast: &Cast, talk: Talk, id: &str) -> Result<Value> {
    let until = Instant::now() + Duration::from_secs(EXCHANGE_SECONDS);
    let mut seen = String::new();
    while Instant::now() < until {
        let path = format!("/v1/exchanges/{id}?wait=5&seen={}", segment(&seen));
        let exchange = cast.ward.client.get(&path).await?;
        let stage = text(&exchange, "stage");
        if stage != seen {
            talk.detail(&format!("… {stage}"));
            seen.clone_from(&stage);
        }
        match stage.as_str() {
            "completed" | "refused" => return Ok(exchange),
            "failed" | "unreachable" | "interrupted" => {
                return Err(Error::Peer(format!("exchange {id} {stage}: {}", text(&exchange, "failure"))));
            }
            _ => {}
        }
    }
    Err(Error::Queued(format!("exchange {id} is not finished after {EXCHANGE_SECONDS} s (stage {seen})")))
}

async fn fetch(cast: &Cast, path: &str, file: &Path) -> Result<()> {
    let mut sink = tokio::fs::File::create(file).await.map_err(|e| Error::io(file, e))?;
    cast.ward.client.download(path, &mut sink).await?;
    sink.sync_all().await.map_err(|e| Error::io(file, e))
}

/// Takes both sides' receipts home and verifies them with nothing but the files.
async fn receipts(
    cast: &Cast,
    talk: Talk,
    exchange: &Value,
    data: &Path,
    with_data: bool,
) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for side in list(exchange, "receipts").iter().filter_map(Value::as_str) {
        let file = Path::new(&format!("{}.{side}.tlog-proof", data.display())).to_owned();
        fetch(cast, &format!("/v1/exchanges/{}/receipts/{side}", text(exchange, "id")), &file).await?;
        crate::cli::verify_receipt(&file, with_data.then_some(data))?;
        files.push(file.display().to_string());
    }
    talk.line(
        &format!("  ▸ {} biên nhận, kiểm tra ngoại tuyến: đúng", files.len()),
        &format!("{} receipts, verified offline", files.len()),
    );
    for file in &files {
        talk.detail(file);
    }
    Ok(files)
}

async fn summary(cast: &Cast, exchanges: Vec<Value>) -> Result<Value> {
    let mut nodes = Vec::new();
    for agency in [&cast.ward, &cast.environment, &cast.health] {
        let checked = agency.client.post("/v1/ledger/verify", &json!({})).await?;
        nodes.push(json!({
            "participant": agency.id,
            "name": agency.name,
            "dir": agency.dir.display().to_string(),
            "ledger_entries": checked["entries"],
            "ledger_verified": checked["ok"],
        }));
    }
    let verified = exchanges.iter().all(|e| e["verified"] == json!(true))
        && nodes.iter().all(|n| n["ledger_verified"] == json!(true));
    Ok(json!({"exchanges": exchanges, "nodes": nodes, "verified": verified}))
}

/// The end of the story as text.
pub fn summary_text(summary: &Value) -> String {
    let exchanges: Vec<Vec<String>> = list(summary, "exchanges")
        .iter()
        .map(|e| {
            vec![
                text(e, "dataset"),
                text(e, "purpose"),
                text(e, "effect"),
                text(e, "rows"),
                text(e, "bytes"),
                text(e, "duration_ms"),
                text(e, "verified"),
            ]
        })
        .collect();
    let nodes: Vec<Vec<String>> = list(summary, "nodes")
        .iter()
        .map(|n| vec![text(n, "name"), text(n, "ledger_entries"), text(n, "ledger_verified")])
        .collect();
    let refused = list(summary, "exchanges")
        .iter()
        .filter(|e| text(e, "effect") == "deny")
        .map(|e| {
            let reason = list(e, "reasons").first().cloned().unwrap_or_default();
            format!(
                "Bị từ chối / refused: {} → {}: {}\n    {} ({}; {})",
                text(e, "dataset"),
                text(e, "purpose"),
                text(&reason, "text_vi"),
                text(&reason, "text_en"),
                text(&reason, "code"),
                text(&reason, "legal_basis")
            )
        })
        .collect::<Vec<_>>()
        .join("\n");
    let receipts: Vec<&str> = list(summary, "exchanges")
        .iter()
        .flat_map(|e| list(e, "receipt_files"))
        .filter_map(Value::as_str)
        .collect();
    format!(
        "\nTóm tắt / Summary\n{}\n\n{}\n\n{refused}\n\nBiên nhận / receipts (tram receipt verify FILE):\n  {}",
        table(&["dataset", "purpose", "effect", "rows", "bytes", "ms", "verified"], &exchanges),
        table(&["node", "ledger entries", "verified"], &nodes),
        receipts.join("\n  ")
    )
}
