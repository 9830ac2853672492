//! `tram line …`

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::line::hours::{Big, TimeOfDay};

/// `tram line`
#[derive(Debug, Subcommand)]
pub enum LineCommand {
    /// Show what is set, how fast each line was, and what waits for each peer and why.
    Show,
    /// Set caps, low-data mode and the hours of big transfers, for all peers or for one.
    Set(LineSetArgs),
}

/// `tram line set`
#[derive(Debug, Args)]
pub struct LineSetArgs {
    /// For this peer alone (participant id); for all peers when left out.
    #[arg(long, value_name = "PARTICIPANT")]
    peer: Option<String>,
    /// Most bytes of data served a second, 1000 or more, k and M allowed (8k); `none` takes the cap away.
    #[arg(long, value_name = "BYTES|none", value_parser = rate)]
    serve: Option<u64>,
    /// Most bytes of data fetched a second.
    #[arg(long, value_name = "BYTES|none", value_parser = rate)]
    fetch: Option<u64>,
    /// Every byte counts: smallest chunks, and the peer is asked for the same.
    #[arg(long)]
    low_data: Option<LowData>,
    /// From so many MB on a transfer is big, and is fetched in its hours alone (time zone of the node's machine); `none` takes
    /// the hours away.
    #[arg(long, value_name = "MB|none", value_parser = size)]
    big_mb: Option<u64>,
    /// When the hours of big transfers begin, for example 20:00.
    #[arg(long, value_name = "HH:MM", requires = "big_mb", requires = "big_to")]
    big_from: Option<TimeOfDay>,
    /// When they end, for example 06:00; over midnight where that is before the beginning.
    #[arg(long, value_name = "HH:MM", requires = "big_mb", requires = "big_from")]
    big_to: Option<TimeOfDay>,
}

/// A switch that may also be left to what is set for all.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LowData {
    /// On.
    On,
    /// Off.
    Off,
    /// As for all peers.
    Unset,
}

/// Bytes a second with a unit; `none` is 0.
fn rate(text: &str) -> std::result::Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    let (digits, unit) = match text.strip_suffix(['k', 'M']) {
        Some(digits) => (digits, if text.ends_with('k') { 1_000 } else { 1_000_000 }),
        None => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "write bytes a second such as 8000, 8k or 2M, or none")?;
    match number.saturating_mul(unit) {
        0 => Err("a cap of 0 would stop all exchange; write none for no cap".to_owned()),
        bytes => Ok(bytes),
    }
}

/// A number of MB; `none` is 0.
fn size(text: &str) -> std::result::Result<u64, String> {
    match text {
        "none" => Ok(0),
        _ => text
            .parse()
            .ok()
            .filter(|mb| *mb > 0)
            .ok_or_else(|| "write a number of MB such as 50, or none".to_owned()),
    }
}

/// What is said about big transfers, as the local door takes it.
fn big(args: &LineSetArgs) -> Result<Value> {
    match (args.big_mb, args.big_from, args.big_to) {
        (None, ..) => Ok(Value::Null),
        (Some(0), None, None) => Ok(json!("none")),
        (Some(mb), Some(from), Some(to)) if mb > 0 => Ok(json!(Big { mb, from, to })),
        _ => Err(Error::usage("write --big-mb 50 --big-from 20:00 --big-to 06:00, or --big-mb none")),
    }
}

/// Runs one verb.
pub async fn run(dir: &Path, verb: LineCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: LineCommand, out: Out) -> Result<()> {
    let answer = match verb {
        LineCommand::Show => client.get("/v1/line").await?,
        LineCommand::Set(args) => {
            let big = big(&args)?;
            if args.serve.is_none() && args.fetch.is_none() && args.low_data.is_none() && big.is_null() {
                return Err(Error::usage("nothing to set; write --serve, --fetch, --low-data or --big-mb"));
            }
            let low_data = args.low_data.map(|switch| match switch {
                LowData::On => "on",
                LowData::Off => "off",
                LowData::Unset => "unset",
            });
            let body = json!({
                "peer": args.peer,
                "serve_bytes_per_second": args.serve,
                "fetch_bytes_per_second": args.fetch,
                "low_data": low_data,
                "big": big,
            });
            let answer = client.post("/v1/line", &body).await?;
            say("đã đặt, có hiệu lực ngay / set, in force now");
            answer
        }
    };
    out.result(&answer, shown);
    Ok(())
}

fn shown(answer: &Value) -> String {
    let all = &answer["all"];
    let cap = |key: &str| match all[key].as_u64() {
        Some(cap) => format!("{cap} B/s"),
        None => "-".to_owned(),
    };
    let head = format!(
        "mọi nơi / all peers: gửi / served {}, nhận / fetched {}, tiết kiệm dữ liệu / low data {}",
        cap("serve_bytes_per_second"),
        cap("fetch_bytes_per_second"),
        if all["low_data"] == json!(true) { "bật / on" } else { "tắt / off" },
    );
    let hours = |big: &Value| format!("{} MB: {}–{}", big["mb"], text(big, "from"), text(big, "to"));
    let head = match &all["big"] {
        Value::Null => head,
        big => format!("{head}\ntải lớn chỉ / big transfers only from {}", hours(big)),
    };
    let peers = list(answer, "peers");
    let row = |peer: &Value| {
        let keys = [
            "peer",
            "low_data",
            "serve_bytes_per_second",
            "fetch_bytes_per_second",
            "chunk_bytes",
            "messages",
        ];
        keys.iter().map(|key| text(peer, key)).chain([text(peer, "waiting")]).collect()
    };
    let rows: Vec<Vec<String>> = peers.iter().map(row).collect();
    let heads = ["peer", "low data", "served B/s", "fetched B/s", "chunk", "messages", "waiting"];
    format!("{head}\n{}", table(&heads, &rows))
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_read_with_their_units_and_zero_is_no_rate() {
        assert_eq!(
            [rate("8000"), rate("8k"), rate("2M"), rate("none")],
            [Ok(8_000), Ok(8_000), Ok(2_000_000), Ok(0)]
        );
        for bad in ["0", "0k", "fast", "8kb", "-1", ""] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
