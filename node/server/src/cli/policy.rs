//! `tram policy …`: rules are written in a folder, tested there, and applied whole.

use std::collections::BTreeMap;
use std::path::Path;

use policy::{Files, RuleSet};
use serde_json::{Value, json};

use super::args::PolicyCommand;
use super::client::Client;
use super::life;
use super::out::{Out, list, say, table, text};
use super::policy_decide;
use super::policy_impact;
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::{files, rules};

/// Runs one verb. `test` needs neither a node nor its folder.
pub async fn run(dir: &Path, verb: PolicyCommand, out: Out) -> Result<u8> {
    let verb = match verb {
        PolicyCommand::Test { folder, mutation } => return test(&folder, mutation, out),
        PolicyCommand::Lint(args) => return super::policy_lint::run(dir, args, out).await,
        PolicyCommand::Compliance(args) => return super::policy_compliance::run(dir, args, out).await,
        PolicyCommand::Pack(verb) => return super::policy_compliance::pack(&verb, out),
        PolicyCommand::Impact(args) => return policy_impact::impact(dir, args, out).await,
        PolicyCommand::Who(args) => return policy_impact::who(dir, args, out).await,
        PolicyCommand::Diff(args) => return policy_impact::diff(dir, args, out).await,
        PolicyCommand::Apply(args) => return life::apply(dir, args, out).await,
        PolicyCommand::Life(verb) => return life::run(dir, verb, out).await,
        verb => verb,
    };
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: PolicyCommand, out: Out) -> Result<()> {
    match verb {
        PolicyCommand::Show => {
            let answer = client.get("/v1/policy").await?;
            out.result(&answer, show_text);
        }
        PolicyCommand::Export { folder, version } => {
            let version = version.map_or_else(String::new, |version| format!("?version={version}"));
            let answer = client.get(&format!("/v1/policy{version}")).await?;
            let written = write_files(&answer, &folder)?;
            out.result(&json!({"folder": folder.display().to_string(), "files": written}), |w| {
                format!("wrote {} files to {}", list(w, "files").len(), text(w, "folder"))
            });
            say(&format!("Edit them, then: tram policy test {0} && tram policy apply {0}", folder.display()));
        }
        PolicyCommand::Explain { subject, dataset, action, purpose, basis, agreement } => {
            let body = json!({
                "subject": subject,
                "dataset": dataset,
                "action": action,
                "purpose": purpose,
                "basis": basis,
                "agreement": agreement,
            });
            let answer = client.post("/v1/policy/explain", &body).await?;
            out.result(&answer, explain_text);
        }
        PolicyCommand::Decide { file } => policy_decide::run(client, &file, out).await?,
        // Answered before a node was looked for.
        _ => {}
    }
    Ok(())
}

/// The texts of a rule set's folder; files that have no place in one are named.
pub fn texts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let files = Files::read(folder).map_err(|e| rules::refused(&e))?;
    let mut texts = BTreeMap::new();
    for (name, bytes) in files.iter() {
        let text = String::from_utf8(bytes.to_vec()).map_err(|e| {
            Error::usage(format!(
                "{name}: not UTF-8 at byte {}: save it as UTF-8",
                e.utf8_error().valid_up_to()
            ))
        })?;
        texts.insert(name.to_owned(), text);
    }
    Ok(texts)
}

fn test(folder: &Path, mutation: bool, out: Out) -> Result<u8> {
    let rules = RuleSet::from_folder(folder, 1).map_err(|e| rules::refused(&e))?;
    let score = mutation.then(|| super::policy_lint::mutation(&rules)).transpose()?;
    let mut tested = rules::test(rules)?;
    if let Some(score) = score {
        tested["mutation"] = score;
    }
    out.result(&tested, tests_text);
    if tested["total"].as_u64() == Some(0) {
        say(&format!("warning: {}", rules::UNTESTED));
    }
    Ok(if tested["failed"].as_u64() == Some(0) { 0 } else { 1 })
}

pub(super) fn tests_text(tested: &Value) -> String {
    let mut lines = vec![format!("{} of {} cases pass", text(tested, "passed"), text(tested, "total"))];
    for failure in list(tested, "failures") {
        lines.push(format!("FAILED: {}", text(failure, "name")));
        lines.extend(
            list(failure, "differs").iter().filter_map(Value::as_str).map(|what| format!("  {what}")),
        );
    }
    if tested["mutation"].is_object() {
        lines.push(super::policy_lint::mutation_text(&tested["mutation"]));
    }
    lines.join("\n")
}

pub(super) fn rule_set_text(rules: &Value) -> String {
    format!(
        "rule set version {}: {} grants, {} duties\nsha256 {}",
        text(rules, "version"),
        text(rules, "grants"),
        text(rules, "duties"),
        text(rules, "sha256")
    )
}

fn show_text(answer: &Value) -> String {
    let files = answer["files"].as_object();
    let form =
        if files.is_some_and(|f| f.contains_key("policy.toml")) { "policy.toml" } else { "policy.csv" };
    let policy = files.and_then(|f| f.get(form)).and_then(Value::as_str).unwrap_or_default();
    let names: Vec<&str> = files.iter().flat_map(|f| f.keys()).map(String::as_str).collect();
    format!("{}\nfiles: {}\n\n{form}\n{policy}", rule_set_text(&answer["rule_set"]), names.join(", "))
}

/// Writes the files into a folder that is empty or not there yet, so that nobody's edits are lost.
pub(super) fn write_files(answer: &Value, folder: &Path) -> Result<Vec<String>> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::usage(format!(
            "`{}` is not empty; name a folder that does not exist yet",
            folder.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut written = Vec::new();
    for (name, content) in answer["files"].as_object().into_iter().flatten() {
        // The names come from a node, perhaps of another machine: only plain ones become files.
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !plain || name.starts_with('.') {
            return Err(Error::Peer(format!("`{}` is no name of a rule set's file", name.escape_debug())));
        }
        files::write_atomic(&folder.join(name), content.as_str().unwrap_or_default().as_bytes())?;
        written.push(name.clone());
    }
    Ok(written)
}

fn explain_text(answer: &Value) -> String {
    let explanation = &answer["explanation"];
    let decision = &explanation["decision"];
    let mut lines = vec![decision_text(decision)];
    lines.extend(outcome_text(&answer["outcome"], decision));
    lines.extend(privacy_text(&answer["outcome"]["privacy"]));
    for help in list(explanation, "helps") {
        let changes = list(help, "changes").iter();
        let changes: Vec<String> = changes
            .map(|c| format!("{}: {} → {}", text(c, "field"), text(c, "from"), text(c, "to")))
            .collect();
        lines.push(format!("would be permitted by {} with {}", text(help, "rule"), changes.join(", ")));
    }
    let rows: Vec<Vec<String>> = list(explanation, "near").iter().map(near_row).collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(table(&["rule", "tier", "says", "does not fit"], &rows));
    }
    lines.join("\n")
}

/// What an answer would spend of the privacy budget, and what is left.
fn privacy_text(privacy: &Value) -> Option<String> {
    let periods = privacy["periods"].as_object()?;
    let left = periods.iter().map(|(period, of)| format!("{} of {} this {period}", of["left"], of["budget"]));
    let left: Vec<String> = left.collect();
    Some(format!("privacy budget: epsilon {} an answer; left: {}", privacy["epsilon"], left.join(", ")))
}

/// What the node makes of the rules' answer, where that is something else.
fn outcome_text(outcome: &Value, decision: &Value) -> Option<String> {
    if decision["effect"] != json!("permit") {
        return None;
    }
    let refusal = &outcome["refusal"];
    match outcome["effect"].as_str() {
        Some("permit") if outcome["obligations"] == decision["obligations"] => None,
        Some("permit") => {
            Some(format!("with what the agreement says: obligations {}", outcome["obligations"]))
        }
        Some("wait") => Some(format!(
            "but it WAITS for people: {}; `tram approval list`",
            list(outcome, "waits_for").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        )),
        _ => {
            let detail = outcome["detail"].as_str().map(|detail| format!("\n  {detail}"));
            Some(format!(
                "but this node REFUSES ({}): {} / {}{}",
                text(refusal, "code"),
                text(refusal, "text_vi"),
                text(refusal, "text_en"),
                detail.unwrap_or_default()
            ))
        }
    }
}

fn decision_text(decision: &Value) -> String {
    let what = if decision["effect"] == json!("permit") {
        format!("PERMIT, obligations {}", decision["obligations"])
    } else {
        let words = &decision["text"];
        format!(
            "REFUSE ({}): {} / {}\nlegal basis: {}",
            text(decision, "code"),
            text(words, "vi"),
            text(words, "en"),
            text(&decision["legal_basis"], "vi")
        )
    };
    format!(
        "{what}\nby rule {}, rule set version {}",
        text(decision, "rule"),
        text(decision, "rule_set_version")
    )
}

fn near_row(near: &Value) -> Vec<String> {
    let failing = list(near, "conditions").iter().filter(|c| c["holds"] != json!(true));
    let failing: Vec<String> = failing
        .map(|c| format!("{} {} (wants {})", text(c, "field"), text(c, "asked"), text(c, "wanted")))
        .collect();
    let failing = if failing.is_empty() { "all fits".to_owned() } else { failing.join("; ") };
    vec![text(near, "rule"), text(near, "tier"), text(near, "effect"), failing]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{explain_text, test, tests_text, texts, write_files};
    use crate::cli::out::Out;
    use crate::error::Error;

    const OUT: Out = Out { json: true };

    fn folder(policy: &str, cases: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("policy.csv", policy);
        put("duties.csv", "# none\n");
        put("obligations.json", "{}");
        put("cases.json", cases);
        put(
            "registry.json",
            r#"{"datasets": {"ds:x": {"owner": "ag:a", "cls": 0, "personal": "none", "kind": "open"}},
            "agreements": {}, "parties": {"ag:b": "VN"}, "transfer_dossiers": []}"#,
        );
        folder
    }

    const OPEN: &str =
        "p, R-1, 30, *, co:open, *, *, *, *, *, 0, 0, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";

    fn case(want: &str) -> String {
        format!(
            r#"[{{"n": "open", "q": ["ag:b", "ds:x", "query", "-", "-", "-", "net:gov", "2026-11-20T08:00Z"], "want": "{want}"}}]"#
        )
    }

    #[test]
    fn a_table_that_fails_ends_with_one_and_one_that_passes_with_none() {
        assert_eq!(test(folder(OPEN, &case("allow")).path(), false, OUT).unwrap(), 0);
        assert_eq!(test(folder(OPEN, &case("deny")).path(), false, OUT).unwrap(), 1);
    }

    #[test]
    fn every_problem_of_a_bad_rule_set_is_listed() {
        let bad = format!("{}{}", OPEN.replace("30", "31"), OPEN.replace("allow", "Allow"));
        let error = test(folder(&bad, "[]").path(), false, OUT).unwrap_err();
        let Error::Usage(text) = &error else { panic!("{error:?}") };
        assert!(text.contains("`31` is no tier") && text.contains("`Allow` is no effect"), "{text}");
    }

    #[test]
    fn foreign_files_and_foreign_text_are_refused() {
        let folder = folder(OPEN, "[]");
        assert_eq!(texts(folder.path()).unwrap().len(), 5);
        std::fs::write(folder.path().join("duties.csv"), [0xff, 0xfe]).unwrap();
        assert!(texts(folder.path()).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn an_export_overwrites_nothing_and_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("rules");
        let answer = json!({"files": {"policy.csv": "p"}});
        assert_eq!(write_files(&answer, &to).unwrap(), ["policy.csv"]);
        assert!(matches!(write_files(&answer, &to), Err(Error::Usage(_))));
        for name in ["../x", ".hidden", "", "a/b"] {
            let fresh = folder.path().join("fresh");
            assert!(write_files(&json!({"files": {name: ""}}), &fresh).is_err(), "{name}");
        }
    }

    #[test]
    fn failures_and_reasons_are_told_in_words() {
        let text = tests_text(&json!({"total": 2, "passed": 1, "failed": 1,
            "failures": [{"name": "open", "differs": ["effect: wanted Deny, got Allow"]}]}));
        assert!(text.contains("1 of 2") && text.contains("FAILED: open") && text.contains("wanted Deny"));
        let rules = policy::RuleSet::builtin(1).unwrap();
        let case = rules.cases().iter().find(|c| c.ground.as_deref() == Some("RULE-DENIES")).unwrap().clone();
        let facts = rules.fixture().unwrap().facts(&case.question);
        let engine = policy::Engine::new(rules).unwrap();
        let explanation = engine.explain(&case.question, &facts, &[]);
        let text = explain_text(&json!({"explanation": explanation}));
        assert!(text.starts_with("REFUSE (RULE-DENIES): Dữ liệu cá nhân"), "{text}");
        assert!(text.contains("VN-LAW-03"), "{text}");
    }
}
