//! `tram policy lint`, and the mutation score of `tram policy test --mutation`.

use std::path::{Path, PathBuf};

use clap::Args;
use policy::lint::LintContext;
use policy::{Files, Minute, RuleSet};
use serde_json::{Value, json};

use super::client::Client;
use super::out::{Out, list, red, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::operation::Clock;
use crate::{gate, rules};

/// `tram policy lint`
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Folder with a rule set, looked over without a node [default: the rule set in force at the node].
    folder: Option<PathBuf>,
    /// An earlier version of the node's rule set.
    #[arg(long, value_name = "N", conflicts_with = "folder")]
    version: Option<u64>,
    /// Days without a match after which a rule is named [default: 90].
    #[arg(long, value_name = "N", conflicts_with = "folder")]
    unmatched_days: Option<u32>,
}

/// Looks rules over; 1 when there is an error among the findings.
pub async fn run(dir: &Path, args: LintArgs, out: Out) -> Result<u8> {
    let answer = match &args.folder {
        Some(folder) => offline(folder, Clock::system().now())?,
        None => {
            let client = Client::connect(dir, Doors::Closed).await?;
            let answer = client.get(&path(&args)).await;
            client.close().await;
            answer?
        }
    };
    out.result(&answer, report_text);
    Ok(u8::from(answer["lint"]["errors"] != json!(0)))
}

fn path(args: &LintArgs) -> String {
    let version = args.version.map(|version| format!("version={version}"));
    let days = args.unmatched_days.map(|days| format!("unmatched_days={days}"));
    let query: Vec<String> = version.into_iter().chain(days).collect();
    if query.is_empty() {
        "/v1/policy/lint".to_owned()
    } else {
        format!("/v1/policy/lint?{}", query.join("&"))
    }
}

/// A folder, with what its own register says of parties and datasets.
fn offline(folder: &Path, now: i64) -> Result<Value> {
    let files = Files::read(folder).map_err(|e| rules::refused(&e))?;
    let rules = RuleSet::from_files(&files, 1).map_err(|e| rules::refused(&e))?;
    let context = LintContext { now: Minute::from_unix(now), ..LintContext::of_cases(&rules) };
    let report = policy::lint::lint(&rules, &context.with_places(&files));
    Ok(json!({"rule_set": gate::described(&rules), "lint": report}))
}

fn report_text(answer: &Value) -> String {
    let report = &answer["lint"];
    let mut lines: Vec<String> = list(report, "findings").iter().map(finding_text).collect();
    if report["unlisted"] != json!(0) {
        lines.push(format!("and {} more", text(report, "unlisted")));
    }
    lines.push(format!(
        "{} errors, {} warnings, {} notes",
        text(report, "errors"),
        text(report, "warnings"),
        text(report, "notes")
    ));
    lines.join("\n")
}

fn finding_text(finding: &Value) -> String {
    let place = match (finding["file"].as_str(), finding["line"].as_u64()) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    let rule = finding["rule"].as_str().map(|rule| format!(" {rule}")).unwrap_or_default();
    let others: Vec<&str> = list(finding, "other").iter().filter_map(Value::as_str).collect();
    let others = if others.is_empty() { String::new() } else { format!(" [{}]", others.join(", ")) };
    let head = format!(
        "{place}{} {}{rule}{others}",
        text(finding, "severity").to_uppercase(),
        text(finding, "code")
    );
    let head = if finding["severity"] == json!("error") { red(&head) } else { head };
    let (said, todo) = (&finding["text"], &finding["what_to_do"]);
    format!(
        "{head}\n  {}\n  {}\n  → {} / {}",
        text(said, "vi"),
        text(said, "en"),
        text(todo, "vi"),
        text(todo, "en")
    )
}

/// The mutation score of a rule set's test table.
pub fn mutation(rules: &RuleSet) -> Result<Value> {
    let report = policy::mutation::mutate(rules).map_err(Error::internal)?;
    serde_json::to_value(report).map_err(Error::internal)
}

/// The score in words.
pub fn mutation_text(report: &Value) -> String {
    let mut lines = vec![format!(
        "mutation score {} of 100: the cases notice {} of {} changes to the rules",
        text(report, "score"),
        text(report, "noticed"),
        text(report, "mutants")
    )];
    let untested: Vec<&str> = list(report, "untested").iter().filter_map(Value::as_str).collect();
    if !untested.is_empty() {
        lines.push(format!("no case tests: {}", untested.join(", ")));
    }
    for mutant in list(report, "unnoticed") {
        lines.push(format!("unnoticed: {} {}", text(mutant, "rule"), change_text(&mutant["change"])));
    }
    for (key, what) in [
        ("unlisted", "more changes are not noticed"),
        ("failing", "cases fail without any change and show nothing"),
        ("cases_left_out", "cases were left out: too many for one run"),
        ("not_tried", "changes were not tried: too many for one run"),
    ] {
        if report[key] != json!(0) {
            lines.push(format!("{} {what}", text(report, key)));
        }
    }
    lines.join("\n")
}

fn change_text(change: &Value) -> String {
    match (change.as_str(), change["widened"].as_str()) {
        (_, Some(field)) => format!("without its condition on {field}"),
        (Some("turned_round"), _) => "turned round".to_owned(),
        (Some("without_obligations"), _) => "without its obligations".to_owned(),
        _ => "removed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20.
    const NOW: i64 = 1_795_132_800;

    fn folder(effect: &str, object: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put(
            "policy.csv",
            &format!(
                "# one\np, R-1, 20, gr:state, {object}, query, pu:x, *, +, *, 0, 2, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, {effect}\n"
            ),
        );
        put("duties.csv", "# none\n");
        put("obligations.json", "{}");
        folder
    }

    #[test]
    fn findings_are_told_with_place_and_what_to_do_in_both_languages() {
        let answer = offline(folder("deny", "co:x").path(), NOW).unwrap();
        let told = report_text(&answer);
        assert!(told.contains("policy.csv:2: ERROR DENY-UNGROUNDED R-1"), "{told}");
        assert!(
            told.contains("reasons.json") && told.contains("Lệnh cấm") && told.contains("1 errors"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn an_error_ends_with_one_and_a_note_with_none() {
        let out = Out { json: true };
        for (effect, object, code) in
            [("deny", "co:x", 1), ("allow", "co:open", 0), ("allow", "tag:personal", 1)]
        {
            let folder = folder(effect, object);
            let args = LintArgs { folder: Some(folder.path().into()), version: None, unmatched_days: None };
            assert_eq!(run(Path::new("nowhere"), args, out).await.unwrap(), code, "{effect} {object}");
        }
    }

    #[test]
    fn the_query_says_which_rules_and_how_long() {
        let args = |version, unmatched_days| LintArgs { folder: None, version, unmatched_days };
        assert_eq!(path(&args(None, None)), "/v1/policy/lint");
        assert_eq!(path(&args(Some(3), Some(7))), "/v1/policy/lint?version=3&unmatched_days=7");
    }

    #[test]
    fn a_score_names_what_no_case_notices() {
        let report = mutation(&RuleSet::builtin(1).unwrap()).unwrap();
        let told = mutation_text(&report);
        assert!(told.contains(&format!("mutation score {} of 100", report["score"])), "{told}");
        assert!(told.contains("unnoticed: ") && told.contains("without its condition on"), "{told}");
        let none = mutation_text(
            &mutation(&RuleSet::from_folder(folder("allow", "co:x").path(), 1).unwrap()).unwrap(),
        );
        assert!(none.contains("no case tests: R-1") && none.contains("R-1 turned round"), "{none}");
    }
}
