//! `tram ledger query`: entries as they come, so that a long ledger needs no memory.

use std::io::{BufWriter, Write};
use std::path::Path;

use ledger::statement::SignedStatement;
use serde_json::{Value, json};

use super::super::ledger_args::{EffectArg, QueryArgs};
use super::super::out::{Out, say};
use super::reading::Read;
use super::{access, blocking, place, tell_archived, text};
use crate::audit::filter::{self, Filter, Period};
use crate::audit::place::Opened;
use crate::error::{Error, Result};

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Lines,
    Csv,
}

/// Columns of the CSV, as `text::cells` fills them.
const COLUMNS: [&str; 15] = [
    "index",
    "time",
    "kind",
    "exchange",
    "provider",
    "consumer",
    "dataset",
    "purpose",
    "decision",
    "reason",
    "signer",
    "basis",
    "rule_set_version",
    "reader",
    "action",
];

/// Prints what was asked for. Exit code 4 when an entry on the way does not fit the signed tree.
pub async fn query(dir: &Path, args: QueryArgs, out: Out) -> Result<u8> {
    let form = match (args.csv, args.ndjson, out.json) {
        (true, _, _) => Form::Csv,
        (_, true, _) => Form::Lines,
        (_, _, true) => Form::Json,
        _ => Form::Text,
    };
    let effect = args.effect.map(|effect| match effect {
        EffectArg::Permit => "permit",
        EffectArg::Deny => "deny",
    });
    let filter = Filter {
        agency: args.agency.clone(),
        dataset: args.dataset.clone(),
        purpose: args.purpose.clone(),
        effect,
        period: Period::new(args.from.as_deref(), args.to.as_deref())?,
        kinds: args.kind.iter().map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).collect(),
        text: args.text.clone(),
    };
    for kind in &filter.kinds {
        known(kind)?;
    }
    let place = place(dir, args.place.place.as_deref())?;
    let access = access(&args.place.access)?;
    let read = Read { act: "query", reader: args.reader.clone(), own: args.place.place.is_none() };
    let (p, a) = (place.clone(), access.clone());
    let log = blocking(move || Opened::open(&p, &a)).await?;
    tell_archived(&log);
    let from = args.after.map_or(0, |after| after.saturating_add(1));
    read.record(&place, from, log.reader.size()).await?;
    let limit = args.limit;
    blocking(move || print(&log, &filter, from, limit, form)).await
}

fn known(kind: &str) -> Result<()> {
    let all = ledger::statement::Kind::ALL.map(ledger::statement::Kind::first_line);
    let short =
        |line: &str| line.trim_start_matches("tram/").split('@').next().unwrap_or_default().to_owned();
    if all.iter().any(|line| *line == kind || short(line) == kind) {
        return Ok(());
    }
    let names: Vec<String> = all.iter().map(|line| short(line)).collect();
    Err(Error::usage(format!("`{kind}` is no kind of entry; kinds are {}", names.join(", "))))
}

fn print(log: &Opened, filter: &Filter, from: u64, limit: Option<u64>, form: Form) -> Result<u8> {
    let mut page = Page { out: BufWriter::new(std::io::stdout().lock()), form, shown: 0, closed: false };
    page.head(log);
    let (mut last, mut more, mut problem) = (None, false, None);
    let opened = log.bundle.as_ref().map_or(&[][..], |head| &head.manifest.opened);
    for entry in log.entries(from) {
        let entry = match entry {
            Err(Error::Verification(why)) => {
                problem = Some(why);
                break;
            }
            other => other?,
        };
        let signed = SignedStatement::parse(&entry.bytes).ok();
        if !filter.wants(&log.trust, &entry, signed.as_ref()) {
            continue;
        }
        if limit.is_some_and(|limit| page.shown >= limit) {
            more = true;
            break;
        }
        page.entry(&filter::view(&entry, signed.as_ref(), opened));
        last = Some(entry.index);
        // Whoever reads has gone (`… | head`).
        if page.closed {
            return Ok(0);
        }
    }
    page.end(last.filter(|_| more), problem.as_deref());
    if let Some(problem) = &problem {
        say(&format!("tram: {problem}"));
    }
    Ok(if problem.is_some() { 4 } else { 0 })
}

struct Page<W: Write> {
    out: W,
    form: Form,
    shown: u64,
    closed: bool,
}

impl<W: Write> Page<W> {
    fn put(&mut self, text: &str) {
        self.closed |= self.out.write_all(text.as_bytes()).is_err();
    }

    fn head(&mut self, log: &Opened) {
        match self.form {
            Form::Json => {
                let (origin, size) = (json!(log.origin()), log.reader.size());
                self.put(&format!("{{\"origin\":{origin},\"size\":{size},\"entries\":["));
            }
            Form::Csv => self.put(&format!("{}\n", COLUMNS.join(","))),
            Form::Text | Form::Lines => {}
        }
    }

    fn entry(&mut self, view: &Value) {
        match self.form {
            Form::Json if self.shown > 0 => self.put(&format!(",{view}")),
            Form::Json => self.put(&view.to_string()),
            Form::Lines => self.put(&format!("{view}\n")),
            Form::Csv => self.put(&format!("{}\n", text::cells(view).map(|c| cell(&c)).join(","))),
            Form::Text => self.put(&format!("{}\n", text::entry(view))),
        }
        self.shown += 1;
    }

    fn end(&mut self, next: Option<u64>, problem: Option<&str>) {
        match self.form {
            Form::Json => {
                let end = json!({"next": next, "problem": problem}).to_string();
                self.put(&format!("],{}\n", end.trim_start_matches('{')));
            }
            Form::Text if self.shown == 0 => self.put("không có mục nào / no entries\n"),
            Form::Text => {
                if let Some(next) = next {
                    self.put(&format!("… tiếp / more: --after {next}\n"));
                }
            }
            Form::Csv | Form::Lines => {}
        }
        let _ = self.out.flush();
    }
}

/// One cell (RFC 4180). A value that a spreadsheet would take for a formula gets a quote before it: entries hold words
/// that other agencies chose.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_gets_through() {
        for (given, written) in
            [("a", "a"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "'=1+1"), ("-1", "'-1")]
        {
            assert_eq!(cell(given), written);
        }
    }

    #[test]
    fn a_page_is_one_json_document_whatever_ends_it() {
        for (entries, next, problem) in [(0, None, None), (2, Some(7), None), (1, None, Some("bad \"x\""))] {
            let mut page =
                Page { out: b"{\"entries\":[".to_vec(), form: Form::Json, shown: 0, closed: false };
            for index in 0..entries {
                page.entry(&json!({"index": index}));
            }
            page.end(next, problem);
            let read: Value = serde_json::from_slice(&page.out).unwrap();
            assert_eq!(read["entries"].as_array().map(Vec::len), Some(entries));
            assert_eq!((&read["next"], &read["problem"]), (&json!(next), &json!(problem)));
        }
    }

    #[test]
    fn kinds_are_known_by_name_and_by_first_line() {
        assert!(known("exchange").is_ok() && known("tram/audit@v1").is_ok());
        assert!(known("exchanges").unwrap_err().to_string().contains("interrupted"));
    }
}
