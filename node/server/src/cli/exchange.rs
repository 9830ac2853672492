//! `tram exchange …`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::{ExchangeCommand, ExchangeGetArgs};
use super::client::{Client, segment};
use super::home::{self, Home};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, RefusalInfo, Result};

/// How long a resumed exchange may look as if it still waited: one try to connect, with some room. A provider that has just
/// started refuses the first tries.
const RESUME_PATIENCE: Duration = Duration::from_secs(16);

/// For how long it is looked every second how an exchange goes, and not every five: what fails at once is told at once.
const EAGER: Duration = Duration::from_secs(20);

/// Most bytes of rows that are printed on a screen.
const SCREEN_BYTES: u64 = 256 * 1024;

/// How long a stage may last before it is said what it may be waiting for.
const SLOW: Duration = Duration::from_secs(15);

/// Runs one verb; the exit code says how it went (3 refused, 4 receipts that do not verify).
pub async fn run(dir: &Path, verb: ExchangeCommand, out: Out) -> Result<u8> {
    let doors = match verb {
        ExchangeCommand::Get(_) | ExchangeCommand::Resume { .. } => Doors::Peer,
        ExchangeCommand::List
        | ExchangeCommand::Show { .. }
        | ExchangeCommand::Apply { .. }
        | ExchangeCommand::Decisions { .. }
        | ExchangeCommand::Handover { .. }
        | ExchangeCommand::Erase { .. } => Doors::Closed,
    };
    let client = Client::connect(dir, doors).await?;
    let done = verb_on(&client, dir, verb, out).await;
    client.close().await;
    done
}

async fn verb_on(client: &Client, dir: &Path, verb: ExchangeCommand, out: Out) -> Result<u8> {
    match verb {
        ExchangeCommand::Get(args) => get(client, *args, out).await,
        ExchangeCommand::List => {
            let answer = client.get("/v1/exchanges").await?;
            out.result(&answer, |a| exchanges_table(list(a, "exchanges")));
            Ok(0)
        }
        ExchangeCommand::Show { exchange } => {
            let answer = client.get(&format!("/v1/exchanges/{}", segment(&exchange))).await?;
            out.result(&answer, show_text);
            Ok(0)
        }
        ExchangeCommand::Decisions { exchange, receipts } => {
            decisions(client, &exchange, receipts.as_deref(), out).await
        }
        ExchangeCommand::Erase { exchange, reason } => {
            let path = format!("/v1/exchanges/{}/erase", segment(&exchange));
            let answer = client.post(&path, &json!({"reason": reason})).await?;
            out.result(&answer, |told| {
                let exchange = text(told, "exchange");
                match told["entry"].as_u64() {
                    Some(entry) => {
                        format!("what opened exchange {exchange} is destroyed; entry {entry} of the ledger says so")
                    }
                    None => format!("what was kept of exchange {exchange} is destroyed; nothing of it stands in the ledger"),
                }
            });
            Ok(0)
        }
        ExchangeCommand::Handover { exchange, says, out: file } => {
            super::escrow::hand_over(client, dir, (&exchange, says), &file, out).await
        }
        ExchangeCommand::Apply { exchange, copy, replace } => {
            super::subscription::apply(client, &exchange, &copy, replace, out).await
        }
        ExchangeCommand::Resume { exchange, out: file, receipts, replace, any_hour } => {
            let home = Home { out: file, receipts, replace };
            resume(client, &exchange, home, any_hour, out).await
        }
    }
}

/// Takes up an exchange that waits; one that is complete is taken home without a word to the provider.
async fn resume(client: &Client, exchange: &str, home: Home, any_hour: bool, out: Out) -> Result<u8> {
    home::can_write(home.out.as_deref())?;
    let path = format!("/v1/exchanges/{}", segment(exchange));
    client.post(&format!("{path}/resume?any_hour={any_hour}"), &json!({})).await?;
    let wanted =
        Wanted { overwrites: home.replace, home, queue: true, wait: 3_600, patience: RESUME_PATIENCE };
    finish(client, exchange, &wanted, out).await
}

/// Lists the decisions about an exchange; with a folder, writes the receipt of each.
async fn decisions(client: &Client, exchange: &str, folder: Option<&Path>, out: Out) -> Result<u8> {
    let path = format!("/v1/exchanges/{}/decisions", segment(exchange));
    let mut answer = client.get(&path).await?;
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        for decision in answer["decisions"].as_array_mut().into_iter().flatten() {
            let Some(entry) = decision["entry"].as_u64() else { continue };
            let file = folder.join(format!("{exchange}-decision-{entry}.tlog-proof"));
            let mut sink = tokio::fs::File::create(&file).await.map_err(|e| Error::io(&file, e))?;
            client.download(&format!("{path}/{entry}"), &mut sink).await?;
            decision["receipt_file"] = json!(file.display().to_string());
        }
    }
    out.result(&answer, decisions_text);
    Ok(0)
}

fn decisions_text(answer: &Value) -> String {
    let decisions = list(answer, "decisions");
    if decisions.is_empty() {
        return match answer["erased"].as_u64() {
            Some(entry) => {
                format!("what opened its decisions was erased; entry {entry} of the ledger says so")
            }
            None => "this node decided nothing about it: the provider decides".to_owned(),
        };
    }
    let row = |decision: &Value| {
        let said = &decision["decision"];
        vec![
            text(decision, "entry"),
            text(decision, "at"),
            text(&decision["question"], "action"),
            text(said, "effect"),
            text(said, "rule"),
            text(said, "rule_set_version"),
            text(decision, "receipt_file"),
        ]
    };
    let rows: Vec<Vec<String>> = decisions.iter().map(row).collect();
    table(&["entry", "time", "action", "effect", "rule", "rule set", "receipt"], &rows)
}

struct Wanted {
    home: Home,
    /// Whether a file that is there gives way now; what is told for later never says so unasked.
    overwrites: bool,
    queue: bool,
    wait: u64,
    /// How long an exchange that waits for the network is still looked at before it is said so.
    patience: Duration,
}

async fn get(client: &Client, args: ExchangeGetArgs, out: Out) -> Result<u8> {
    let (participant, dataset) = args.what.rsplit_once('/').ok_or_else(|| {
        Error::usage(format!(
            "`{}` names no dataset; write PARTICIPANT/DATASET as `tram catalog search` shows it",
            args.what
        ))
    })?;
    let body = json!({
        "participant": participant,
        "dataset": dataset,
        "purpose": args.purpose,
        "basis": args.basis,
        "unit": args.unit,
        "role": args.role,
        "clearance": args.clearance,
        "place": args.place,
        "action": if args.download { "download" } else { "query" },
        "columns": args.columns,
        "where": args.filter,
        "group_by": args.group_by,
        "measures": args.measure,
        "distinct": args.distinct,
        "order_by": args.order_by,
        "limit": args.limit,
        "sql": args.sql,
        "format": args.format.word(),
        "queue": args.queue,
        "renew": args.renew,
        "since": args.since,
        "committed": {"user": args.user, "subject": args.subject, "case": args.case},
    });
    home::can_write(args.out.as_deref())?;
    if let Some(file) = &args.out {
        // What is there may be the copy itself, which the changes are to be applied to.
        home::is_free(file, args.replace || args.since.is_none())?;
    }
    let started = client.post("/v1/exchanges", &body).await?;
    let id = text(&started, "id");
    say(&format!("exchange {id}: asking {participant} for {dataset}"));
    let wanted = Wanted {
        home: Home { out: args.out, receipts: args.receipts, replace: args.replace },
        overwrites: args.replace || args.since.is_none(),
        queue: args.queue,
        wait: args.wait,
        patience: Duration::ZERO,
    };
    finish(client, &id, &wanted, out).await
}

/// Waits for the end of an exchange, telling each stage once, and brings home what it left.
async fn finish(client: &Client, id: &str, wanted: &Wanted, out: Out) -> Result<u8> {
    let queued = |why: &str| queued(id, why, &wanted.home);
    let begun = Instant::now();
    let until = begun + Duration::from_secs(wanted.wait);
    let mut told = String::new();
    let (mut since, mut slow) = (begun, false);
    loop {
        let look = if begun.elapsed() < EAGER { 1 } else { 5 };
        let path = format!("/v1/exchanges/{}?wait={look}&seen={}", segment(id), segment(&told));
        let exchange = client.get(&path).await?;
        let stage = text(&exchange, "stage");
        if stage != told {
            say(&format!("  {}", stage_text(&exchange)));
            told.clone_from(&stage);
            (since, slow) = (Instant::now(), false);
        }
        let waits = exchange.get("waiting").is_some_and(|w| !w.is_null());
        if waits && !slow && since.elapsed() >= SLOW {
            slow = true;
            say(&format!("  {}", slow_text(&exchange, &wanted.home)));
        }
        match stage.as_str() {
            "completed" => return bring_home(client, exchange, wanted, out).await,
            "refused" => return refused(client, exchange, wanted, out).await,
            "unreachable" => return Err(Error::Unreachable(text(&exchange, "failure"))),
            "failed" | "interrupted" | "cancelled" => {
                return Err(Error::Peer(format!(
                    "the exchange {id} {stage}: {}",
                    text(&exchange, "failure")
                )));
            }
            _ => {}
        }
        // Hours are no matter of a moment, whoever waits.
        let hours = exchange["wait"]["for"] == json!("hours");
        if waits && (wanted.queue || hours) && begun.elapsed() >= wanted.patience {
            return Err(queued(&text(&exchange, "waiting")));
        }
        if client.is_in_the_way() {
            return Err(queued(
                "nút đang khởi động và làm tiếp / the node is being started, and takes it over",
            ));
        }
        if Instant::now() > until {
            return Err(queued("đang tiếp tục / it is still going on"));
        }
    }
}

/// What an exchange that takes long waits for, as the node knows it, and how the rows are taken home without this command.
fn slow_text(exchange: &Value, home: &Home) -> String {
    let later = home::later(&text(exchange, "id"), home);
    format!(
        "{why}. Nút tự làm tiếp khi `tram serve` chạy; lấy về sau / it goes on without you where `tram serve` runs; to take it home later: `{later}`",
        why = text(exchange, "waiting")
    )
}

/// What is told of an exchange that is not at its end: why, and the command that takes the rows home later.
fn queued(id: &str, why: &str, home: &Home) -> Error {
    let later = home::later(id, home);
    Error::Queued(format!(
        "trao đổi {id} chưa xong / exchange {id} is not finished: {why}; nút tự nhận dữ liệu khi `tram serve` chạy và không tự ghi tệp; để lấy về, chạy / the node fetches the rows by itself while `tram serve` runs, and writes no file; to take them home run: `{later}`"
    ))
}

/// Whether rows may go to standard output: a screen takes a few of them only.
fn on_a_screen(exchange: &Value) -> Result<()> {
    let (id, bytes) = (text(exchange, "id"), exchange["bytes"].as_u64().unwrap_or_default());
    if !std::io::stdout().is_terminal() || bytes <= SCREEN_BYTES {
        return Ok(());
    }
    Err(Error::usage(format!(
        "dữ liệu đã về, {bytes} byte, quá nhiều cho màn hình; ghi ra tệp / the rows are here, {bytes} bytes, too many for a screen; write them to a file: `{}`",
        home::later(&id, &Home::default())
    )))
}

/// Takes the rows and both receipts of a completed exchange home, verified.
async fn bring_home(client: &Client, exchange: Value, wanted: &Wanted, out: Out) -> Result<u8> {
    super::subscription::tell_copy(&exchange);
    let data = format!("/v1/exchanges/{}/data", segment(&text(&exchange, "id")));
    if let Some(file) = &wanted.home.out {
        home::bring(client, &data, &text(&exchange, "sha256"), file, wanted.overwrites).await?;
    }
    let (exchange, verified) = with_receipts(client, exchange, wanted, wanted.home.out.as_deref()).await?;
    if wanted.home.out.is_none() && !out.json {
        on_a_screen(&exchange)?;
        let mut stdout = tokio::fs::File::from_std(std::fs::File::from(stdout_copy()?));
        client.download(&data, &mut stdout).await?;
        use tokio::io::AsyncWriteExt;
        stdout.flush().await.map_err(|e| Error::io(Path::new("standard output"), e))?;
    } else {
        out.result(&exchange, done_text);
    }
    Ok(verified.code(0))
}

fn stdout_copy() -> Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    std::io::stdout().as_fd().try_clone_to_owned().map_err(|e| Error::io(Path::new("standard output"), e))
}

/// Takes the receipts of a refusal home and tells why: the exchange is the result, the words go to stderr.
async fn refused(client: &Client, exchange: Value, wanted: &Wanted, out: Out) -> Result<u8> {
    let (exchange, verified) = with_receipts(client, exchange, wanted, None).await?;
    out.result(&exchange, |e| format!("exchange {} was refused", text(e, "id")));
    let info: RefusalInfo = serde_json::from_value(exchange["refusal"].clone())
        .map_err(|e| Error::internal(format!("the refusal of the exchange is unreadable: {e}")))?;
    say(&format!("tram: {}", info.text()));
    for file in list(&exchange, "receipt_files").iter().filter_map(Value::as_str) {
        say(&format!("  receipt of the refusal: {file}"));
    }
    Ok(verified.code(3))
}

/// How the receipts that were taken home verify.
enum Verified {
    /// Nobody asked for them.
    NotTaken,
    /// All of them.
    All,
    /// Not all of them; why was said.
    No,
}

impl Verified {
    /// The exit code, when it would otherwise be `good`.
    fn code(&self, good: u8) -> u8 {
        if matches!(self, Self::No) { 4 } else { good }
    }
}

/// The exchange with the files of its receipts, and whether they verify and are about `data`.
async fn with_receipts(
    client: &Client,
    mut exchange: Value,
    wanted: &Wanted,
    data: Option<&Path>,
) -> Result<(Value, Verified)> {
    let files = save_receipts(client, &exchange, wanted).await?;
    let verified = verify_all(&files, data);
    exchange["receipt_file"] = json!(files.first());
    exchange["receipt_files"] = json!(files);
    // Of receipts that nobody took home nothing is known, which is not the same as a bad one.
    exchange["verified"] = match verified {
        Verified::NotTaken => Value::Null,
        Verified::All => json!(true),
        Verified::No => json!(false),
    };
    Ok((exchange, verified))
}

/// Writes the receipts of both sides beside the rows (or into the folder asked for).
async fn save_receipts(client: &Client, exchange: &Value, wanted: &Wanted) -> Result<Vec<String>> {
    let id = text(exchange, "id");
    let stem = match (&wanted.home.receipts, &wanted.home.out) {
        (Some(folder), _) => {
            std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
            folder.join(&id)
        }
        (None, Some(file)) => file.clone(),
        (None, None) => return Ok(Vec::new()),
    };
    let mut files = Vec::new();
    for side in list(exchange, "receipts").iter().filter_map(Value::as_str) {
        let path = PathBuf::from(format!("{}.{side}.tlog-proof", stem.display()));
        let mut sink = tokio::fs::File::create(&path).await.map_err(|e| Error::io(&path, e))?;
        client.download(&format!("/v1/exchanges/{}/receipts/{side}", segment(&id)), &mut sink).await?;
        sink.sync_all().await.map_err(|e| Error::io(&path, e))?;
        files.push(path.display().to_string());
    }
    Ok(files)
}

fn verify_all(receipts: &[String], data: Option<&Path>) -> Verified {
    if receipts.is_empty() {
        return Verified::NotTaken;
    }
    let mut verified = Verified::All;
    for file in receipts {
        if let Err(error) = super::receipt::verify(Path::new(file), &[], data) {
            say(&format!("tram: {error}"));
            verified = Verified::No;
        }
    }
    verified
}

fn stage_text(exchange: &Value) -> String {
    match text(exchange, "stage").as_str() {
        "negotiating" => "negotiating the agreement".to_owned(),
        "agreed" => format!("agreed: {}", text(exchange, "agreement")),
        "transferring" => "transfer asked for".to_owned(),
        "receiving" => "receiving".to_owned(),
        "acknowledging" => "all chunks verified; exchanging receipts".to_owned(),
        "completed" => {
            format!("completed: {} rows, {} bytes", text(exchange, "rows"), text(exchange, "bytes"))
        }
        other => other.to_owned(),
    }
}

fn done_text(exchange: &Value) -> String {
    let mut lines = vec![
        format!(
            "{} rows, {} bytes, sha256 {}",
            text(exchange, "rows"),
            text(exchange, "bytes"),
            text(exchange, "sha256")
        ),
        format!("agreement {}", text(exchange, "agreement")),
        format!("obligations {}", exchange["obligations"]),
    ];
    let word = if exchange["verified"] == json!(true) { "verified" } else { "DOES NOT VERIFY" };
    lines.extend(
        list(exchange, "receipt_files")
            .iter()
            .filter_map(Value::as_str)
            .map(|f| format!("receipt {f}  {word}")),
    );
    lines.join("\n")
}

fn exchanges_table(exchanges: &[Value]) -> String {
    if exchanges.is_empty() {
        return "no exchanges yet; `tram exchange get PARTICIPANT/DATASET --purpose P --basis B --out FILE`"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = exchanges
        .iter()
        .map(|e| {
            ["id", "side", "peer", "dataset", "purpose", "stage", "rows", "updated", "waiting"]
                .iter()
                .map(|k| text(e, k))
                .collect()
        })
        .collect();
    table(&["exchange", "side", "peer", "dataset", "purpose", "stage", "rows", "updated", "waiting"], &rows)
}

fn show_text(exchange: &Value) -> String {
    let Some(members) = exchange.as_object() else { return exchange.to_string() };
    let width = members.keys().map(String::len).max().unwrap_or(0);
    let lines: Vec<String> = members.keys().map(|k| format!("{k:width$}  {}", text(exchange, k))).collect();
    lines.join("\n")
}
