//! `tram policy decide`: a file of questions, decided by the node a thousand at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::out::{Out, list, table, text};
use crate::error::{Error, Result};
use crate::limits::{QUESTION_BYTES_MAX, QUESTIONS_AT_ONCE_MAX, QUESTIONS_MAX};

/// Reads the questions, asks, and prints what was decided, in the order of the file.
pub async fn run(client: &Client, file: &Path, out: Out) -> Result<()> {
    let questions = read(BufReader::new(File::open(file).map_err(|e| Error::io(file, e))?), file)?;
    let mut decisions = Vec::with_capacity(questions.len());
    for some in questions.chunks(QUESTIONS_AT_ONCE_MAX) {
        let mut answer = client.post("/v1/policy/decide", &json!({"questions": some})).await?;
        match answer["decisions"].take() {
            Value::Array(all) if all.len() == some.len() => decisions.extend(all),
            _ => return Err(Error::Peer("the node did not answer every question".to_owned())),
        }
    }
    out.result(&json!({"decisions": decisions}), |all| {
        let rows: Vec<Vec<String>> = list(all, "decisions").iter().map(row).collect();
        table(&["subject", "does", "dataset", "decision", "by rule"], &rows)
    });
    Ok(())
}

/// One JSON object on each line; blank lines are skipped.
fn read(mut lines: impl BufRead, file: &Path) -> Result<Vec<Value>> {
    let (mut questions, mut line, mut number) = (Vec::new(), String::new(), 0_usize);
    loop {
        line.clear();
        number += 1;
        let place = || format!("{}:{number}", file.display());
        // One byte more than a line may have, so that one that is too long is seen.
        let mut limited = (&mut lines).take(QUESTION_BYTES_MAX as u64 + 1);
        let length = limited.read_line(&mut line).map_err(|e| Error::io(file, e))?;
        if length == 0 {
            return Ok(questions);
        }
        if length > QUESTION_BYTES_MAX {
            return Err(Error::usage(format!("{}: the line is over {QUESTION_BYTES_MAX} bytes", place())));
        }
        if line.trim().is_empty() {
            continue;
        }
        if questions.len() == QUESTIONS_MAX {
            return Err(Error::usage(format!("{}: over {QUESTIONS_MAX} questions: split the file", place())));
        }
        let question: Value = serde_json::from_str(&line)
            .map_err(|e| Error::usage(format!("{}: no JSON object that can be read: {e}", place())))?;
        questions.push(question);
    }
}

fn row(decided: &Value) -> Vec<String> {
    let (question, decision) = (&decided["question"], &decided["decision"]);
    let effect = match decision["effect"].as_str() {
        Some("permit") => "permit".to_owned(),
        _ => format!("refuse ({})", text(decision, "code")),
    };
    let rule = decision["rule"].as_str().unwrap_or("-").to_owned();
    vec![text(question, "subject"), text(question, "action"), text(question, "dataset"), effect, rule]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{read, row};
    use crate::limits::QUESTION_BYTES_MAX;

    #[test]
    fn lines_are_read_in_order_and_a_bad_one_is_named() {
        let file = Path::new("q.ndjson");
        let good = read("{\"a\": 1}\n\n  {\"b\": 2}".as_bytes(), file).unwrap();
        assert_eq!(good, [json!({"a": 1}), json!({"b": 2})]);
        let bad = read("{}\n{\n".as_bytes(), file).unwrap_err().to_string();
        assert!(bad.contains("q.ndjson:2"), "{bad}");
        let long = format!("{{}}\n{}\n", " ".repeat(QUESTION_BYTES_MAX));
        assert!(read(long.as_bytes(), file).unwrap_err().to_string().contains("q.ndjson:2"));
    }

    #[test]
    fn a_refusal_is_told_with_its_code_and_rule() {
        let question = json!({"subject": "ag:a", "action": "query", "dataset": "ds:x"});
        let decision = json!({"effect": "refuse", "code": "RULE-DENIES", "rule": "R"});
        let told = row(&json!({"question": question, "decision": decision}));
        assert_eq!(told, ["ag:a", "query", "ds:x", "refuse (RULE-DENIES)", "R"]);
    }
}
