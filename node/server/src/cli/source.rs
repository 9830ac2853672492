//! `tram source …`

use std::path::Path;

use serde_json::{Value, json};

use super::args::SourceCommand;
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::sources::{Description, refused};

/// Runs one verb.
pub async fn run(dir: &Path, verb: SourceCommand, out: Out) -> Result<u8> {
    if let SourceCommand::Check { file, rows } = verb {
        let answer =
            tokio::task::spawn_blocking(move || check(&file, rows)).await.map_err(Error::internal)??;
        out.result(&answer, check_text);
        remarks(&answer);
        return Ok(0);
    }
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: SourceCommand, out: Out) -> Result<()> {
    match verb {
        SourceCommand::List => out.result(&client.get("/v1/sources").await?, sources_text),
        SourceCommand::Refresh { dataset } => {
            let path = format!("/v1/sources/{}/refresh", segment(&dataset));
            let answer = client.post(&path, &json!({})).await?;
            out.result(&answer, |a| {
                let what =
                    if a["changed"] == json!(true) { "new rows are served" } else { "the rows are the same" };
                format!("{}: {what}, {} rows", text(a, "dataset"), text(&a["state"], "rows"))
            });
            remarks(&answer["state"]);
        }
        // Answered before a node was looked for.
        SourceCommand::Check { .. } => {}
    }
    Ok(())
}

fn check(file: &Path, wanted: u64) -> Result<Value> {
    let described = Description::read(file)?;
    let health = described.origin.check(&described.base).map_err(|e| refused(&e))?;
    let mut rows = described.open()?;
    let (mut row, mut first) = (Vec::new(), Vec::new());
    while (first.len() as u64) < wanted {
        match rows.next(&mut row).map_err(|e| refused(&e))? {
            Some(place) => first.push(json!({"place": place, "cells": row})),
            None => break,
        }
    }
    Ok(json!({"health": health, "columns": rows.columns(), "rows": first, "remarks": rows.remarks()}))
}

fn check_text(answer: &Value) -> String {
    let columns: Vec<&str> = list(answer, "columns").iter().filter_map(Value::as_str).collect();
    let rows: Vec<Vec<String>> = list(answer, "rows")
        .iter()
        .map(|row| list(row, "cells").iter().map(|cell| cell.as_str().unwrap_or("-").to_owned()).collect())
        .collect();
    let said = &answer["health"]["said"];
    format!("{} · {}\n\n{}", text(said, "vi"), text(said, "en"), table(&columns, &rows))
}

fn remarks(answer: &Value) {
    for remark in list(answer, "remarks") {
        let said = if remark["said"].is_object() { &remark["said"] } else { remark };
        say(&format!("note ({}): {} · {}", text(remark, "code"), text(said, "vi"), text(said, "en")));
    }
}

fn sources_text(answer: &Value) -> String {
    let sources = list(answer, "sources");
    if sources.is_empty() {
        return "no dataset is fetched; `tram dataset add DESCRIPTION.toml` adds one that is".to_owned();
    }
    let row = |source: &Value| {
        let state = &source["state"];
        let problem = source["broken"].as_str().or_else(|| state["problem"].as_str()).unwrap_or("-");
        vec![
            text(source, "dataset"),
            text(source, "type"),
            text(source, "every_seconds"),
            text(state, "rows"),
            text(state, "good"),
            problem.lines().next().unwrap_or_default().to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = sources.iter().map(row).collect();
    table(&["dataset", "source", "every (s)", "rows", "good at", "problem"], &rows)
}
