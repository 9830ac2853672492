//! What the tests share: running a job, and finding the real files.

use std::path::{Path, PathBuf};

use dataplane::{
    Column, ColumnKind, DataError, Format, Job, Limits, Outcome, OutputFormat, Query, Restriction, Schema,
    Source, run,
};

/// A file that lies beside the repository, or nothing (said aloud, so that the test counts as skipped).
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRAM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: `{path}` is not there");
    None
}

pub fn csv(path: &Path) -> Source {
    Source { path: path.to_owned(), format: Format::Csv { delimiter: ',', null_text: None } }
}

pub fn job(source: Source, schema: Schema) -> Job {
    Job {
        source,
        schema,
        restriction: Restriction::default(),
        query: Query::default(),
        format: OutputFormat::Csv,
        limits: Limits::default(),
        correlation: "ref-1".into(),
    }
}

pub async fn answer(job: Job) -> Result<(Vec<u8>, Outcome), DataError> {
    let mut answer = run(job).await?;
    let mut out = Vec::new();
    while let Some(bytes) = answer.next_bytes().await {
        let bytes = bytes?;
        assert!(!bytes.is_empty());
        out.extend_from_slice(&bytes);
    }
    let outcome = answer.outcome();
    assert!(outcome.complete);
    assert_eq!(outcome.bytes, out.len() as u64);
    Ok((out, outcome))
}

pub async fn text(job: Job) -> Result<String, DataError> {
    answer(job).await.map(|(bytes, _)| String::from_utf8(bytes).unwrap())
}

/// A small table of people, as in the attacks.
pub fn people() -> Schema {
    use ColumnKind::{Date, Integer, Number, String};
    Schema::new(vec![
        Column::new("id", Integer, false),
        Column::new("citizen_id", String, true),
        Column::new("full name", String, true),
        Column::new("province", String, true),
        Column::new("salary", Integer, true),
        Column::new("Rate", Number, true),
        Column::new("born", Date, true),
    ])
    .unwrap()
}
