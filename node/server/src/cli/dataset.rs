//! `tram dataset …`

use std::path::Path;

use serde_json::{Value, json};

use super::args::{DataClassArg, DatasetAddArgs, DatasetCommand, KindArg, PersonalArg};
use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};

/// Runs one verb.
pub async fn run(dir: &Path, verb: DatasetCommand, out: Out) -> Result<u8> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: DatasetCommand, out: Out) -> Result<()> {
    match verb {
        DatasetCommand::Add(args) => add(client, *args, out).await,
        DatasetCommand::List => {
            let answer = client.get("/v1/datasets").await?;
            out.result(&answer, |a| datasets_table(list(a, "datasets")));
            Ok(())
        }
        DatasetCommand::Show { dataset } => {
            let answer = client.get(&format!("/v1/datasets/{}", segment(&dataset))).await?;
            out.result(&answer, show_text);
            Ok(())
        }
        DatasetCommand::Validate { dataset } => {
            let answer =
                client.post(&format!("/v1/datasets/{}/validate", segment(&dataset)), &json!({})).await?;
            out.result(&answer, valid_text);
            Ok(())
        }
        DatasetCommand::Versions { dataset } => {
            let answer = client.get(&format!("/v1/datasets/{}/versions", segment(&dataset))).await?;
            out.result(&answer, super::subscription::versions_text);
            Ok(())
        }
        DatasetCommand::End { dataset, contract, on } => {
            let path = format!("/v1/datasets/{}/end", segment(&dataset));
            let answer = client.post(&path, &json!({"contract": contract, "on": on})).await?;
            out.result(&answer, super::subscription::versions_text);
            Ok(())
        }
        DatasetCommand::Publish { dataset } => turn(client, &dataset, "publish", out).await,
        DatasetCommand::Withdraw { dataset } => turn(client, &dataset, "withdraw", out).await,
    }
}

fn valid_text(answer: &Value) -> String {
    let report = &answer["report"];
    let mut lines = vec![
        format!(
            "valid: {} rows, {} bytes, version {}",
            text(report, "rows"),
            text(report, "bytes"),
            text(&answer["dataset"], "version")
        ),
        format!("sha256 {}", text(report, "sha256")),
    ];
    let changes = &answer["changes"];
    if changes.is_object() {
        let breaking = changes["breaking"] == json!(true);
        lines.push(if breaking {
            "the contract changed, không tương thích · breaking for those who use the old one:".to_owned()
        } else {
            "the contract changed, tương thích · compatible:".to_owned()
        });
        let said =
            |change: &Value| format!("  {} · {}", text(&change["said"], "vi"), text(&change["said"], "en"));
        lines.extend(list(changes, "list").iter().map(said));
    }
    lines.join("\n")
}

async fn turn(client: &Client, dataset: &str, verb: &str, out: Out) -> Result<()> {
    let answer = client.post(&format!("/v1/datasets/{}/{verb}", segment(dataset)), &json!({})).await?;
    out.result(&answer, |a| format!("{} is {}", text(&a["dataset"], "id"), text(&a["dataset"], "status")));
    for warning in list(&answer, "warnings") {
        say(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    Ok(())
}

async fn add(client: &Client, args: DatasetAddArgs, out: Out) -> Result<()> {
    let path = std::fs::canonicalize(&args.file).map_err(|e| Error::io(&args.file, e))?;
    let subject = match (&args.subject_key, &args.subject_count) {
        (Some(column), _) => json!({"key": column}),
        (None, Some(column)) => json!({"count": column}),
        (None, None) => Value::Null,
    };
    let body = json!({
        "path": path,
        "name": args.name,
        "title": args.title,
        "title_en": args.title_en,
        "description": args.description,
        "keywords": args.keyword,
        "kind": args.kind.map(|kind| match kind {
            KindArg::Open => "open",
            KindArg::Default => "default",
            KindArg::Special => "special",
            KindArg::Secret => "secret",
        }),
        "class": args.class,
        "personal": args.personal.map(|personal| match personal {
            PersonalArg::None => "none",
            PersonalArg::Basic => "basic",
            PersonalArg::Sensitive => "sensitive",
        }),
        "data_class": args.data_class.map(|class| match class {
            DataClassArg::Other => "other",
            DataClassArg::Important => "important",
            DataClassArg::Core => "core",
        }),
        "theme": args.theme,
        "collections": args.collection,
        "tags": args.tag,
        "subject": subject,
        "group_by": args.group_by,
        "dpia": args.dpia,
        "receipt_first": args.receipt_first,
        "append_by": args.append_by,
        "in_place": args.in_place,
    });
    let answer = client.post("/v1/datasets", &body).await?;
    out.result(&answer, show_text);
    for warning in list(&answer, "warnings") {
        say(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    say(&format!(
        "The contract was written to {}; edit it if the schema is not right, then:\n  tram dataset validate {id}\n  tram dataset publish {id}",
        text(&answer, "contract"),
        id = text(&answer["dataset"], "id"),
    ));
    Ok(())
}

fn datasets_table(datasets: &[Value]) -> String {
    if datasets.is_empty() {
        return "no datasets yet; add one with `tram dataset add FILE`".to_owned();
    }
    let rows: Vec<Vec<String>> = datasets
        .iter()
        .map(|d| {
            ["id", "status", "version", "kind", "personal", "rows"]
                .iter()
                .map(|k| text(d, k))
                .chain([title(d)])
                .collect()
        })
        .collect();
    table(&["dataset", "status", "version", "kind", "personal", "rows", "title"], &rows)
}

fn title(dataset: &Value) -> String {
    text(&dataset["title"], "vi")
}

fn show_text(answer: &Value) -> String {
    let dataset = &answer["dataset"];
    let mut lines = vec![
        format!("{}  {}", text(dataset, "id"), title(dataset)),
        format!(
            "status {}, version {}, kind {}, class {}, data class {}, personal data {}",
            text(dataset, "status"),
            text(dataset, "version"),
            text(dataset, "kind"),
            text(dataset, "classification"),
            text(dataset, "data_class"),
            text(dataset, "personal")
        ),
        format!("contract {}", text(answer, "contract")),
    ];
    if dataset["receipt_first"] == json!(true) {
        lines.push("receipt first: consumers acknowledge the rows before they can read them".to_owned());
    }
    if let Some(column) = dataset["append_by"].as_str() {
        lines.push(format!("chỉ thêm dòng theo cột · rows are only added, by `{column}`"));
    }
    lines.push(String::new());
    let rows: Vec<Vec<String>> = list(dataset, "columns")
        .iter()
        .map(|c| vec![text(c, "name"), text(c, "kind"), text(c, "nullable"), text(c, "personal")])
        .collect();
    lines.push(table(&["column", "type", "nullable", "personal"], &rows));
    lines.join("\n")
}
