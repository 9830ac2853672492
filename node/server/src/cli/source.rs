//! `tram source …`

use std::path::Path;

use intake::Rows;
use serde_json::{Value, json};

use super::args::SourceCommand;
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::operation::Clock;
use crate::sources::{Description, refused};

/// Runs one verb.
pub async fn run(dir: &Path, verb: SourceCommand, out: Out) -> Result<u8> {
    if let SourceCommand::Check { file, rows, contract } = verb {
        let look = move || check(&file, rows, contract.as_deref());
        let answer = tokio::task::spawn_blocking(look).await.map_err(Error::internal)??;
        out.result(&answer, check_text);
        remarks(&answer);
        remarks(&answer["mapped"]);
        return Ok(u8::from(!answer["mapped"]["problems"].as_array().is_none_or(Vec::is_empty)));
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

fn check(file: &Path, wanted: u64, contract: Option<&Path>) -> Result<Value> {
    let described = Description::read(file)?;
    described.check_mapping()?;
    let health = described.check()?;
    let mut rows = described.open()?;
    let first = first(rows.as_mut(), wanted)?;
    let mapped = match (contract, &described.mapping) {
        (Some(contract), Some(_)) => mapped(&described, wanted, contract)?,
        (Some(_), None) => {
            return Err(Error::usage(format!(
                "`{}` has no `mapping`, so its rows are taken as they are; --contract shows what a mapping makes of them",
                file.display()
            )));
        }
        (None, Some(_)) => json!({"remarks": [{
            "code": "mapping-unseen",
            "vi": "thêm --contract TỆP.yaml để xem các dòng đầu sau khi ánh xạ",
            "en": "add --contract FILE.yaml to see the first rows as the mapping makes them",
        }]}),
        (None, None) => Value::Null,
    };
    let columns = rows.columns();
    Ok(
        json!({"health": health, "columns": columns, "rows": first, "remarks": rows.remarks(), "mapped": mapped}),
    )
}

fn first(rows: &mut dyn Rows, wanted: u64) -> Result<Vec<Value>> {
    let (mut row, mut first) = (Vec::new(), Vec::new());
    while (first.len() as u64) < wanted {
        match rows.next(&mut row).map_err(|e| refused(&e))? {
            Some(place) => first.push(json!({"place": place, "cells": row})),
            None => break,
        }
    }
    Ok(first)
}

/// The first rows in the columns of a contract, and what does not fit on the way to them.
fn mapped(described: &Description, wanted: u64, contract: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(contract).map_err(|e| Error::io(contract, e))?;
    let record = catalog::contract::read(&text, Clock::system().now())
        .map_err(|e| Error::usage(format!("{}:\n{e}", contract.display())))?;
    let Some(mut rows) = described.standardised_of(&record.columns, wanted)? else {
        return Ok(Value::Null);
    };
    // The end of so few rows is no verdict on all of them: what does not fit is told row by row.
    let (mut row, mut shown) = (Vec::new(), Vec::new());
    while let Ok(Some(place)) = rows.next(&mut row) {
        shown.push(json!({"place": place, "cells": row}));
    }
    let report = rows.report();
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    Ok(json!({"columns": rows.columns(), "rows": shown, "problems": problems, "remarks": report.remarks}))
}

/// Columns and characters of a cell that a screen has room for; `--json` shows all.
const COLUMNS_SHOWN: usize = 12;
const CELL_CHARS_SHOWN: usize = 32;

fn check_text(answer: &Value) -> String {
    let said = &answer["health"]["said"];
    let mut lines =
        vec![format!("{} · {}", text(said, "vi"), text(said, "en")), String::new(), rows_text(answer)];
    let mapped = &answer["mapped"];
    if mapped["rows"].is_array() {
        lines.push("\nsau khi ánh xạ / as the mapping makes them:\n".to_owned());
        lines.push(rows_text(mapped));
        lines.extend(list(mapped, "problems").iter().filter_map(Value::as_str).map(str::to_owned));
    }
    lines.join("\n")
}

fn rows_text(answer: &Value) -> String {
    let cut = |text: &str| {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match text.chars().nth(CELL_CHARS_SHOWN) {
            Some(_) => text.chars().take(CELL_CHARS_SHOWN - 1).chain(['…']).collect(),
            None => text,
        }
    };
    let columns: Vec<String> = list(answer, "columns").iter().filter_map(Value::as_str).map(cut).collect();
    let heads: Vec<&str> = columns.iter().take(COLUMNS_SHOWN).map(String::as_str).collect();
    let cells = |row: &Value| -> Vec<String> {
        let cells = list(row, "cells").iter().take(COLUMNS_SHOWN);
        cells.map(|cell| cut(cell.as_str().unwrap_or("-"))).collect()
    };
    let rows: Vec<Vec<String>> = list(answer, "rows").iter().map(cells).collect();
    let more = columns.len().saturating_sub(COLUMNS_SHOWN);
    let more = if more == 0 { String::new() } else { format!("\n(+ {more} cột / more columns: --json)") };
    format!("{}{more}", table(&heads, &rows))
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
        lines.push(format!("problem, last at {}: {problem}", text(state, "problem_at")));
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
        let found =
            state["problem"].as_str().map(|problem| format!("{} {problem}", text(state, "problem_at")));
        let problem =
            source["broken"].as_str().map(str::to_owned).or(found).unwrap_or_else(|| "-".to_owned());
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
