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
        SourceCommand::Show { dataset } => {
            out.result(&client.get(&format!("/v1/sources/{}", segment(&dataset))).await?, show_text);
        }
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
    described.check_mapping()?;
    let health = described.check()?;
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

fn show_text(answer: &Value) -> String {
    let state = &answer["state"];
    let mut lines = vec![format!(
        "looked at {}, good at {}, {} rows",
        text(state, "at"),
        text(state, "good"),
        text(state, "rows")
    )];
    if let Some(problem) = state["problem"].as_str() {
        lines.push(format!("problem: {problem}"));
    }
    let (profile, quality) = (&answer["found"]["profile"], &answer["found"]["quality"]);
    if profile["score"].is_object() {
        lines.push(format!("quality {} of 100", text(&profile["score"], "score")));
    }
    if profile["freshness"].is_object() {
        let fresh =
            if profile["freshness"]["fresh"] == json!(true) { "fresh" } else { "older than promised" };
        lines.push(format!("{fresh}: newest row {} s old", text(&profile["freshness"], "age_s")));
    }
    let rows: Vec<Vec<String>> = list(profile, "columns").iter().map(column_row).collect();
    lines.push(table(&["column", "values", "missing", "invalid", "distinct", "least", "greatest"], &rows));
    for result in list(quality, "results").iter().filter(|result| result["outcome"] != json!("passed")) {
        lines.push(format!(
            "{}: {} · {}",
            text(result, "outcome"),
            text(&result["said"], "vi"),
            text(&result["said"], "en")
        ));
    }
    lines.join("\n")
}

fn column_row(column: &Value) -> Vec<String> {
    let mut row: Vec<String> =
        ["name", "values", "missing", "invalid", "distinct"].iter().map(|key| text(column, key)).collect();
    row.extend(
        ["least", "greatest"].iter().map(|key| column["shape"][key].as_str().unwrap_or("-").to_owned()),
    );
    row
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
