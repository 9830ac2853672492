//! `tram policy compliance` and `tram policy pack …`: legal packs, and how this node lives up to them.

use std::path::Path;

use policy::pack::BUILTIN;
use serde_json::{Value, json};

use super::args::{ComplianceArgs, PackCommand};
use super::client::Client;
use super::out::{Out, list, red, say, table, text};
use crate::boot::Doors;
use crate::compliance;
use crate::error::{Error, Result};
use crate::files;

/// Prints the matrix; exit code 1 when a clause lost its rule.
pub async fn run(dir: &Path, args: ComplianceArgs, out: Out) -> Result<u8> {
    let answer = match &args.rules {
        Some(folder) => compliance::of_rules(compliance::folder(folder)?, args.pack.as_deref())?,
        None => at_node(dir, args.pack.as_deref()).await?,
    };
    out.result(&answer, |a| compliance_text(a, args.all));
    Ok(if answer["ok"] == json!(true) { 0 } else { 1 })
}

async fn at_node(dir: &Path, pack: Option<&str>) -> Result<Value> {
    // The name goes into an address: only the packs that there are.
    let query = match pack {
        Some(name) => format!("?pack={}", compliance::pack(name)?.about().id),
        None => String::new(),
    };
    let client = Client::connect(dir, Doors::Closed).await?;
    let answer = client.get(&format!("/v1/policy/compliance{query}")).await;
    client.close().await;
    answer
}

/// Runs one verb of `tram policy pack`; none needs a node.
pub fn pack(verb: &PackCommand, out: Out) -> Result<u8> {
    match verb {
        PackCommand::List => {
            let packs: Result<Vec<Value>> = BUILTIN
                .iter()
                .map(|name| compliance::pack(name).map(|pack| compliance::head(&pack)))
                .collect();
            out.result(&json!({"packs": packs?}), list_text);
        }
        PackCommand::Show { name } => {
            let pack = compliance::pack(name)?;
            let clauses = serde_json::to_value(pack.clauses()).map_err(Error::internal)?;
            out.result(&json!({"pack": compliance::head(&pack), "clauses": clauses}), show_text);
        }
        PackCommand::Export { name, folder } => {
            let written = export(name, folder)?;
            out.result(&json!({"folder": folder.display().to_string(), "files": written}), |w| {
                format!("wrote {} files to {}", list(w, "files").len(), text(w, "folder"))
            });
            say(&format!(
                "Sửa rồi thử / edit, then: tram policy test {0} && tram policy compliance --rules {0}",
                folder.display()
            ));
        }
        PackCommand::Check { folder } => {
            let pack = policy::pack::Pack::from_folder(folder).map_err(|e| crate::rules::refused(&e))?;
            out.result(&json!({"pack": compliance::head(&pack), "ok": true}), |p| {
                format!("OK: {}", head_text(&p["pack"]))
            });
        }
    }
    Ok(0)
}

/// Writes a pack into a folder that is empty or not there yet.
fn export(name: &str, folder: &Path) -> Result<Vec<String>> {
    let pack = compliance::pack(name)?;
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::usage(format!(
            "`{}` is not empty; name a folder that does not exist yet",
            folder.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut written = Vec::new();
    for (name, bytes) in pack.files().iter() {
        files::write_atomic(&folder.join(name), bytes)?;
        written.push(name.to_owned());
    }
    Ok(written)
}

fn head_text(head: &Value) -> String {
    format!(
        "{} {}: {} / {}\n  {} clauses, {} grants, {} duties, {} cases, invariants {}",
        text(head, "id"),
        text(head, "version"),
        text(&head["name"], "vi"),
        text(&head["name"], "en"),
        text(head, "clauses"),
        text(head, "grants"),
        text(head, "duties"),
        text(head, "cases"),
        text(head, "invariants")
    )
}

fn list_text(answer: &Value) -> String {
    list(answer, "packs").iter().map(head_text).collect::<Vec<_>>().join("\n")
}

fn show_text(answer: &Value) -> String {
    let mut lines = vec![head_text(&answer["pack"]), text(&answer["pack"]["covers"], "vi")];
    lines.push(text(&answer["pack"]["covers"], "en"));
    for year in list(&answer["pack"], "holidays") {
        lines.push(format!(
            "ngày nghỉ / public holidays {}: {} [{}] {}",
            text(year, "year"),
            text(year, "off"),
            text(&year["source"], "mark"),
            text(&year["source"], "vi")
        ));
    }
    for clause in list(answer, "clauses") {
        lines.push(String::new());
        lines.push(clause_text(clause));
        lines.push(format!("  {}", how(clause)));
    }
    lines.join("\n")
}

fn clause_text(clause: &Value) -> String {
    let mut lines = vec![
        format!(
            "{}  [{}] {}",
            text(clause, "id"),
            text(&clause["source"], "mark"),
            text(&clause["source"], "vi")
        ),
        format!("  {}", text(&clause["asks"], "vi")),
        format!("  {}", text(&clause["asks"], "en")),
    ];
    if clause["note"].is_object() {
        lines.push(format!("  ! {}", text(&clause["note"], "vi")));
        lines.push(format!("  ! {}", text(&clause["note"], "en")));
    }
    lines.join("\n")
}

/// What keeps a clause, and how many cases and tests show it.
fn how(clause: &Value) -> String {
    let names = ["rules", "invariants", "features", "clock"].iter().flat_map(|key| list(clause, key));
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    let names = if names.is_empty() { "—".to_owned() } else { names.join(" ") };
    let (cases, tests) = (list(clause, "cases").len(), list(clause, "tests").len());
    format!("{}: {names}; {cases} cases, {tests} tests", text(clause, "state"))
}

fn compliance_text(answer: &Value, all: bool) -> String {
    let clauses = list(answer, "clauses");
    let rows: Vec<Vec<String>> = clauses.iter().map(row).collect();
    let heads = ["điều/clause", "dấu/mark", "giữ/kept", "hiện/now", "bằng chứng/evidence", "yêu cầu/asks"];
    let mut lines = vec![
        head_text(&answer["pack"]),
        format!(
            "rule set version {}, sha256 {}",
            text(&answer["rule_set"], "version"),
            text(&answer["rule_set"], "sha256")
        ),
        String::new(),
        table(&heads, &rows),
        String::new(),
        summary_text(answer),
    ];
    for clause in clauses.iter().filter(|clause| clause["standing"] == json!("lost")) {
        lines.push(red(&format!("MẤT / LOST  {}: {}", text(clause, "id"), lost_text(clause))));
    }
    if all {
        for clause in clauses {
            lines.push(String::new());
            lines.push(clause_text(clause));
            lines.push(format!("  {}", how(clause)));
        }
    }
    lines.join("\n")
}

fn row(clause: &Value) -> Vec<String> {
    let evidence = list(clause, "evidence").iter().map(|evidence| {
        let count = evidence["count"].as_u64().map_or_else(|| "?".to_owned(), |count| count.to_string());
        format!("{} {count}", text(evidence, "what"))
    });
    vec![
        text(clause, "id"),
        text(&clause["source"], "mark"),
        text(clause, "state"),
        text(clause, "standing"),
        evidence.collect::<Vec<_>>().join(", "),
        text(&clause["asks"], "vi"),
    ]
}

fn lost_text(clause: &Value) -> String {
    let words = |key: &str| list(clause, key).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !list(clause, "lost").is_empty() {
        parts.push(format!("không còn quy tắc / rules are gone: {}", words("lost")));
    }
    if !list(clause, "broken").is_empty() {
        parts.push(format!("câu mẫu đổi câu trả lời / cases get another answer: {}", words("broken")));
    }
    if parts.is_empty() {
        parts.push("quy tắc thuộc hệ pháp luật khác / the rules are of another legal order".to_owned());
    }
    parts.join("; ")
}

fn summary_text(answer: &Value) -> String {
    let (summary, counted) = (&answer["summary"], &answer["counted"]);
    let mut lines = vec![format!(
        "{} kept, {} partly, {} left to people; {} changed, {} LOST; marks {}",
        text(summary, "kept"),
        text(summary, "partly"),
        text(summary, "left_to_people"),
        text(summary, "changed"),
        text(summary, "lost"),
        summary["marks"]
    )];
    if counted.is_object() {
        lines.push(format!(
            "evidence from entries {} to {} of the ledger ({} unreadable) and {} kept decisions",
            text(counted, "from"),
            text(counted, "size"),
            text(counted, "unreadable"),
            text(counted, "decisions")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OUT: Out = Out { json: true };

    #[test]
    fn an_exported_pack_is_checked_as_a_pack_and_overwrites_nothing() {
        let desk = tempfile::tempdir().unwrap();
        for name in BUILTIN {
            let folder = desk.path().join(name);
            assert!(export(name, &folder).unwrap().contains(&"matrix.toml".to_owned()));
            assert!(matches!(export(name, &folder), Err(Error::Usage(_))));
            assert_eq!(pack(&PackCommand::Check { folder: folder.clone() }, OUT).unwrap(), 0);
            std::fs::write(folder.join("matrix.toml"), "[[clause]]\n").unwrap();
            assert!(matches!(pack(&PackCommand::Check { folder }, OUT), Err(Error::Usage(_))));
        }
        assert!(matches!(export("xx", &desk.path().join("xx")), Err(Error::NotFound(_))));
    }

    #[test]
    fn the_matrix_is_told_in_words_and_what_is_lost_by_name() {
        let rules = policy::RuleSet::builtin(1).unwrap();
        let mut answer = compliance::of_rules(rules, Some("vn")).unwrap();
        let text = compliance_text(&answer, true);
        assert!(text.contains("ND194-16-2-REFUSAL") && text.contains("0 LOST"), "{text}");
        assert!(text.contains("refusals:INV-SECRET ?"), "a figure that was not counted is no 0: {text}");
        answer["clauses"][0]["standing"] = json!("lost");
        answer["clauses"][0]["lost"] = json!(["VN-LAW-03"]);
        answer["clauses"][0]["broken"] = json!(["a case"]);
        let text = compliance_text(&answer, false);
        assert!(text.contains("MẤT / LOST  ND47-1-2") && text.contains("VN-LAW-03"), "{text}");
        assert!(text.contains("another answer: a case"), "{text}");
        answer["clauses"][0]["lost"] = json!([]);
        answer["clauses"][0]["broken"] = json!([]);
        assert!(compliance_text(&answer, false).contains("another legal order"));
        let pack = compliance::pack("vn").unwrap();
        let clauses = serde_json::to_value(pack.clauses()).unwrap();
        let text = show_text(&json!({"pack": compliance::head(&pack), "clauses": clauses}));
        assert!(text.contains("public holidays 2026: 13 [M]"), "{text}");
        assert!(list_text(&json!({"packs": [compliance::head(&pack)]})).starts_with("vn 1: "));
    }
}
