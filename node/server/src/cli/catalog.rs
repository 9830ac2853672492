//! `tram catalog …`

use std::path::Path;

use clap::ValueEnum as _;
use serde_json::Value;

use super::args::CatalogCommand;
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use super::peer_args::{CatalogFilters, CatalogSort};
use crate::boot::Doors;
use crate::error::{Error, Result};

/// Runs one verb of `tram catalog`.
pub async fn run(dir: &Path, verb: CatalogCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: CatalogCommand, out: Out) -> Result<()> {
    match verb {
        CatalogCommand::Search { words, only, sort, facets, cached } => {
            let answer = client.get(&search_path(&words, &only, sort, facets, cached)).await?;
            out.result(&answer, found);
            for peer in list(&answer, "unreached") {
                say(&format!(
                    "{} could not be asked ({}); what it showed before is listed",
                    text(peer, "id"),
                    text(peer, "why")
                ));
            }
        }
        CatalogCommand::Show { id, evidence } => {
            let (participant, dataset) = id.split_once('/').ok_or_else(|| {
                Error::usage(format!(
                    "`{id}` names no dataset; write PARTICIPANT/DATASET as `tram catalog search` shows it"
                ))
            })?;
            let path = format!("/v1/catalog/{}/{}", segment(participant), segment(dataset));
            let answer = client.get(&format!("{path}?evidence={evidence}")).await?;
            out.result(&answer, shown);
        }
    }
    Ok(())
}

fn search_path(
    words: &[String],
    only: &CatalogFilters,
    sort: CatalogSort,
    facets: bool,
    cached: bool,
) -> String {
    let sort = sort.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let mut path = format!(
        "/v1/catalog?refresh={}&facets={facets}&sort={sort}&q={}",
        !cached,
        segment(&words.join(" "))
    );
    let classification = only.classification.map(|class| class.to_string());
    let filters = [
        ("participant", &only.participant),
        ("theme", &only.theme),
        ("keyword", &only.keyword),
        ("sharing", &only.sharing),
        ("classification", &classification),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    path
}

fn found(answer: &Value) -> String {
    let entries = list(answer, "entries");
    if entries.is_empty() {
        return "nothing found".to_owned();
    }
    let row = |e: &Value| {
        vec![
            format!("{}/{}", text(e, "participant"), text(e, "dataset")),
            text(e, "version"),
            text(&e["title"], "vi"),
            text(e, "seen"),
        ]
    };
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    let mut told = table(&["dataset", "version", "title", "seen"], &rows);
    if let Some(facets) = answer["facets"].as_object() {
        for (name, values) in facets {
            let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
            let counts: Vec<String> =
                values.iter().map(|v| format!("{} ({})", text(v, "value"), text(v, "count"))).collect();
            if !counts.is_empty() {
                told.push_str(&format!("\n{name}: {}", counts.join(", ")));
            }
        }
    }
    told
}

fn shown(answer: &Value) -> String {
    let entry = &answer["entry"];
    let words = |name: &str| {
        list(entry, name).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>().join(", ")
    };
    let columns: Vec<String> = list(entry, "columns").iter().map(|c| text(c, "name")).collect();
    let mut rows = vec![
        vec!["dataset".to_owned(), format!("{}/{}", text(entry, "participant"), text(entry, "dataset"))],
        vec!["title".to_owned(), text(&entry["title"], "vi")],
        vec!["description".to_owned(), text(&entry["description"], "vi")],
        vec!["version".to_owned(), text(entry, "version")],
        vec!["theme".to_owned(), text(entry, "theme")],
        vec!["keywords".to_owned(), words("keywords")],
        vec!["sharing".to_owned(), text(entry, "sharing")],
        vec!["classification".to_owned(), text(entry, "classification")],
        vec!["columns".to_owned(), columns.join(", ")],
        vec!["seen".to_owned(), text(entry, "seen")],
    ];
    let evidence = &answer["evidence"];
    for (name, word) in [("signed", &evidence["page"]), ("confirmed", &evidence["confirmed"])] {
        if word.is_object() {
            let holds = match word["key"].as_str() {
                Some(key) => format!("{} by {key}", text(word, "at")),
                None => format!("{} DOES NOT HOLD: {}", text(word, "at"), text(word, "broken")),
            };
            rows.push(vec![name.to_owned(), holds]);
        }
    }
    rows.iter().map(|row| format!("{:<16}{}", row[0], row[1])).collect::<Vec<_>>().join("\n")
}
