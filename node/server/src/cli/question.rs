//! `tram question …`: one question to several sources, joined at this node.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::{FormatArg, QuestionAskArgs, QuestionCommand};
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, RefusalInfo, Result};
use crate::questions::written;

/// Largest question file that is read, bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Runs one verb; the exit code says how it went (3 refused, 6 not yet answered).
pub async fn run(dir: &Path, verb: QuestionCommand, out: Out) -> Result<u8> {
    let doors = match verb {
        QuestionCommand::Ask(_) | QuestionCommand::Fetch { .. } => Doors::Peer,
        QuestionCommand::List | QuestionCommand::Show { .. } | QuestionCommand::Erase { .. } => Doors::Closed,
    };
    // A file that cannot be read is told before a node is started.
    let asked = match &verb {
        QuestionCommand::Ask(args) => Some(document(args)?),
        _ => None,
    };
    let client = Client::connect(dir, doors).await?;
    let done = verb_on(&client, verb, asked, out).await;
    client.close().await;
    done
}

async fn verb_on(client: &Client, verb: QuestionCommand, asked: Option<Value>, out: Out) -> Result<u8> {
    match verb {
        QuestionCommand::Ask(args) => {
            let told = client.post("/v1/questions", &asked.unwrap_or_default()).await?;
            let (id, sources) = (text(&told, "id"), list(&told, "sources").len());
            say(&format!("câu hỏi {id}: đang hỏi {sources} nguồn · question {id}: asking {sources} sources"));
            finish(client, &text(&told, "id"), args.out.as_deref(), args.wait, out).await
        }
        QuestionCommand::Fetch { question, out: file, wait } => {
            finish(client, &question, file.as_deref(), wait, out).await
        }
        QuestionCommand::Erase { question, reason } => {
            let path = format!("/v1/questions/{}/erase", segment(&question));
            let told = client.post(&path, &json!({"reason": reason})).await?;
            out.result(&told, erased);
            Ok(0)
        }
        QuestionCommand::List => {
            out.result(&client.get("/v1/questions").await?, |a| listed(list(a, "questions")));
            Ok(0)
        }
        QuestionCommand::Show { question } => {
            let told = client.get(&format!("/v1/questions/{}", segment(&question))).await?;
            out.result(&told, shown);
            Ok(0)
        }
    }
}

/// The question of a file: JSON, or TOML by the ending of its name; whatever is wrong with it is told before a node is asked.
fn document(args: &QuestionAskArgs) -> Result<Value> {
    let bytes = crate::files::read_limited(&args.file, FILE_BYTES_MAX)?;
    let wrong = |why: &dyn std::fmt::Display| {
        let file = args.file.display();
        Error::usage(format!("`{file}`: {why} (docs/questions.md); chưa hỏi ai · nobody was asked"))
    };
    let text = String::from_utf8(bytes)
        .map_err(|e| wrong(&format!("không phải văn bản UTF-8 · it is no UTF-8 text ({e})")))?;
    let is_toml = args.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let doc = written::read(&text, is_toml, args.format.map(FormatArg::word)).map_err(|e| wrong(&e))?;
    if let Some(out) = &args.out {
        written::fits(out, &doc.format).map_err(|e| wrong(&e))?;
    }
    serde_json::to_value(doc).map_err(Error::internal)
}

/// Waits for the end, telling what each source does, and brings home what there is.
async fn finish(client: &Client, id: &str, file: Option<&Path>, wait: u64, out: Out) -> Result<u8> {
    let until = Instant::now() + Duration::from_secs(wait);
    let mut told = String::new();
    loop {
        let question = client.get(&format!("/v1/questions/{}?wait=2", segment(id))).await?;
        let now = sources_text(&question);
        if now != told {
            say(&now);
            told = now;
        }
        match text(&question, "stage").as_str() {
            "completed" => return bring_home(client, question, file, out).await,
            "failed" => return failed(client, question, file, out).await,
            _ => {}
        }
        if client.is_in_the_way() || Instant::now() > until {
            return Err(Error::Queued(format!(
                "câu hỏi {id} chưa có đủ câu trả lời; nút còn chạy thì còn hỏi tiếp, lấy về sau bằng `tram question fetch {id} --out TỆP` · question {id} is not answered yet; it goes on while the node runs, `tram question fetch {id} --out FILE` brings it home"
            )));
        }
    }
}

/// Writes the result, the report beside it, and of each source its answer and its receipts, verified.
async fn bring_home(client: &Client, mut question: Value, file: Option<&Path>, out: Out) -> Result<u8> {
    let mut code = 0;
    if let Some(file) = file {
        written::fits(file, &text(&question["report"]["result"], "format"))?;
        let data = format!("/v1/questions/{}/data", segment(&text(&question, "id")));
        download(client, &data, file).await?;
        let wanted = text(&question["report"]["result"], "sha256");
        if crate::files::sha256_of(file)? != wanted {
            return Err(Error::Verification(format!(
                "`{f}` không đúng như báo cáo; lấy lại bằng `tram question fetch` · `{f}` is not what the report says; fetch it again",
                f = file.display()
            )));
        }
        let (files, verified) = sources_home(client, &question, file).await?;
        question["receipt_files"] = json!(files);
        question["verified"] = json!(verified);
        code = if verified { 0 } else { 4 };
        let report = PathBuf::from(format!("{}.report.json", file.display()));
        let bytes = serde_json::to_vec_pretty(&question["report"]).map_err(Error::internal)?;
        std::fs::write(&report, bytes).map_err(|e| Error::io(&report, e))?;
        question["report_file"] = json!(report.display().to_string());
    }
    out.result(&question, shown);
    Ok(code)
}

async fn failed(client: &Client, mut question: Value, file: Option<&Path>, out: Out) -> Result<u8> {
    if let Some(file) = file {
        let (files, _) = sources_home(client, &question, file).await?;
        question["receipt_files"] = json!(files);
    }
    out.result(&question, shown);
    say(&format!("tram: {}", text(&question, "failure")));
    let refused =
        |source: &&Value| source["optional"] != json!(true) && !source["exchange"]["refusal"].is_null();
    match list(&question, "sources").iter().find(refused) {
        Some(source) => {
            let refusal = serde_json::from_value::<RefusalInfo>(source["exchange"]["refusal"].clone());
            if let Ok(refusal) = refusal {
                say(&format!("tram: {}: {}", text(source, "name"), refusal.text()));
            }
            Ok(3)
        }
        None => Ok(1),
    }
}

/// Of each source the answer and the receipts, and whether all receipts verify and are about these answers.
async fn sources_home(client: &Client, question: &Value, file: &Path) -> Result<(Vec<String>, bool)> {
    let (mut files, mut verified) = (Vec::new(), true);
    for source in list(question, "sources") {
        let (name, exchange) = (text(source, "name"), &source["exchange"]);
        if exchange.is_null() {
            continue;
        }
        let base = format!("/v1/exchanges/{}", segment(&text(exchange, "id")));
        let mut data = None;
        if text(exchange, "stage") == "completed" {
            let path = PathBuf::from(format!("{}.{name}.parquet", file.display()));
            download(client, &format!("{base}/data"), &path).await?;
            data = Some(path);
        }
        for side in list(exchange, "receipts").iter().filter_map(Value::as_str) {
            let path = PathBuf::from(format!("{}.{name}.{side}.tlog-proof", file.display()));
            download(client, &format!("{base}/receipts/{side}"), &path).await?;
            if let Err(error) = super::receipt::verify(&path, &[], data.as_deref()) {
                say(&format!("tram: {name}: {error}"));
                verified = false;
            }
            files.push(path.display().to_string());
        }
    }
    Ok((files, verified))
}

async fn download(client: &Client, from: &str, file: &Path) -> Result<()> {
    let part = PathBuf::from(format!("{}.part", file.display()));
    let mut sink = tokio::fs::File::create(&part).await.map_err(|e| Error::io(&part, e))?;
    client.download(from, &mut sink).await?;
    sink.sync_all().await.map_err(|e| Error::io(&part, e))?;
    std::fs::rename(&part, file).map_err(|e| Error::io(file, e))
}

fn state(source: &Value) -> String {
    match source["exchange"].is_null() {
        true => "của chính nút này · own dataset".to_owned(),
        false => stage(&text(&source["exchange"], "stage")),
    }
}

/// The word of a stage, Vietnamese first.
fn stage(word: &str) -> String {
    let vi = match word {
        "asking" => "đang hỏi",
        "completed" => "xong",
        "failed" => "không có kết quả",
        "negotiating" => "đang thoả thuận",
        "agreed" => "đã thoả thuận",
        "transferring" => "bên cung cấp đang chuẩn bị",
        "receiving" => "đang nhận",
        "acknowledging" => "đang xác nhận",
        "refused" => "bị từ chối",
        "unreachable" => "chưa liên lạc được",
        "interrupted" => "bị ngắt",
        "answered" => "đã trả lời",
        "missing" => "thiếu",
        "own" => "của chính nút này",
        _ => return word.to_owned(),
    };
    format!("{vi} · {word}")
}

fn sources_text(question: &Value) -> String {
    let line = |source: &Value| {
        let waiting = source["exchange"]["waiting"].as_str().map(|w| format!(" ({w})")).unwrap_or_default();
        format!("  {}: {}{waiting}", text(source, "name"), state(source))
    };
    list(question, "sources").iter().map(line).collect::<Vec<_>>().join("\n")
}

fn listed(questions: &[Value]) -> String {
    if questions.is_empty() {
        return "chưa có câu hỏi nào · no questions yet; `tram question ask FILE.toml --out RESULT.csv`"
            .to_owned();
    }
    let row = |q: &Value| vec![text(q, "id"), stage(&text(q, "stage")), text(q, "title"), text(q, "created")];
    let rows: Vec<Vec<String>> = questions.iter().map(row).collect();
    table(&["câu hỏi · question", "tình trạng · stage", "tên · title", "hỏi lúc · asked"], &rows)
}

/// What was erased, Vietnamese first.
fn erased(told: &Value) -> String {
    let entries = |of: &str| list(told, of).iter().filter_map(|one| one["entry"].as_u64());
    let entries: Vec<String> = entries("exchanges").chain(entries("own")).map(|n| n.to_string()).collect();
    let (id, count) = (text(told, "question"), list(told, "exchanges").len());
    let said = match entries.is_empty() {
        true => "sổ không có gì để mở · nothing of it stands in the ledger".to_owned(),
        false => format!("sổ ghi ở mục {n} · the ledger says so in {n}", n = entries.join(", ")),
    };
    format!(
        "đã xoá câu hỏi {id}, kết quả và {count} lượt trao đổi; {said}\nquestion {id}, its result and {count} exchanges are \
         erased. Tệp đã lấy về thì tự xoá · Files that were taken home are yours to delete."
    )
}

fn shown(question: &Value) -> String {
    let mut lines = vec![format!(
        "câu hỏi · question {}\n{}: {}",
        text(question, "id"),
        text(question, "title"),
        stage(&text(question, "stage")),
    )];
    if let Some(failure) = question["failure"].as_str() {
        lines.push(failure.to_owned());
    }
    let report = &question["report"];
    if report.is_null() {
        lines.push(sources_text(question));
        return lines.join("\n");
    }
    let result = &report["result"];
    let whole = match report["complete"] == json!(true) {
        true => "",
        false => ", có nguồn không trả lời · not all sources answered",
    };
    lines.push(format!("{} dòng · rows, sha256 {}{whole}", text(result, "rows"), text(result, "sha256")));
    let row = |source: &Value| {
        let mut row: Vec<String> =
            ["name", "from", "state", "rows", "rows_without", "exchange", "statement", "why"]
                .iter()
                .map(|key| text(source, key))
                .collect();
        if let Some(state) = row.get_mut(2) {
            *state = stage(state);
        }
        row
    };
    let rows: Vec<Vec<String>> = list(report, "sources").iter().map(row).collect();
    let heads = [
        "nguồn · source",
        "từ · from",
        "tình trạng · state",
        "dòng · rows",
        "dòng kết quả thiếu nguồn này · result rows without it",
        "trao đổi · exchange",
        "số trong sổ · entry",
        "",
    ];
    lines.push(table(&heads, &rows));
    lines.push(format!("nghĩa vụ còn theo kết quả · obligations that hold on: {}", report["obligations"]));
    lines.join("\n")
}
