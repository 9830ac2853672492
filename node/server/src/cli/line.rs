//! `tram line …`

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};

/// `tram line`
#[derive(Debug, Subcommand)]
pub enum LineCommand {
    /// Show what is set, how fast each line was, and what waits for each peer and why.
    Show,
    /// Set caps and low-data mode, for all peers or for one.
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
            if args.serve.is_none() && args.fetch.is_none() && args.low_data.is_none() {
                return Err(Error::usage("nothing to set; write --serve, --fetch or --low-data"));
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
