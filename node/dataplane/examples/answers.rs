//! Answers queries for `tests/conformance/duckdb`: each line of the input is an object with a file, or with a query for
//! the file named last; each line of the output is what the crate says. No restriction: what is compared is the
//! answers, not the policy.

use std::io::{BufRead, Write};

use dataplane::{
    Format, Job, Limits, OutputFormat, Query, Restriction, Schema, Source, inspect, output_schema, run,
};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// The file that queries are put to.
struct Table {
    source: Source,
    schema: Schema,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut table: Option<Table> = None;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let said = match (asked.get("path").and_then(Value::as_str), asked.get("sql").and_then(Value::as_str))
        {
            (Some(path), _) => {
                let found = open(path, asked.get("schema"))?;
                let said = json!({"schema": found.schema, "format": found.source.format});
                table = Some(found);
                said
            }
            (None, Some(sql)) => match &table {
                Some(table) => answer(table, sql).await.unwrap_or_else(|e| json!({"error": e.to_string()})),
                None => json!({"error": "no file yet"}),
            },
            (None, None) => json!({"error": "neither `path` nor `sql`"}),
        };
        writeln!(out, "{said}")?;
        out.flush()?;
    }
    Ok(())
}

/// The file by its own inspection, or by the schema given.
fn open(path: &str, schema: Option<&Value>) -> Result<Table, Failure> {
    let found = inspect(path.as_ref(), None)?;
    let schema = match schema {
        Some(schema) => serde_json::from_value(schema.clone())?,
        None => found.schema,
    };
    let format: Format = found.format;
    Ok(Table { source: Source { path: path.into(), format }, schema })
}

async fn answer(table: &Table, sql: &str) -> Result<Value, Failure> {
    let query = Query::from_sql(sql, "this_dataset")?;
    let restriction = Restriction::default();
    let columns = output_schema(&table.schema, &restriction, &query)?;
    let job = Job {
        source: table.source.clone(),
        schema: table.schema.clone(),
        restriction,
        query,
        format: OutputFormat::Csv,
        limits: Limits::default(),
        correlation: "answers".into(),
    };
    let mut lines = Vec::new();
    let mut answer = run(Job { format: OutputFormat::Ndjson, ..job }).await?;
    while let Some(bytes) = answer.next_bytes().await {
        lines.extend_from_slice(&bytes?);
    }
    Ok(json!({"columns": columns, "rows": String::from_utf8(lines)?}))
}
