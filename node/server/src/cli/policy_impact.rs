//! `tram policy impact`, `who` and `diff`: what rules do, and what a change of them would do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use policy::{Bearing, RuleSet};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{Out, list, say, table, text};
use super::policy::texts;
use crate::boot::Doors;
use crate::error::Result;
use crate::local::compared;
use crate::rules;

/// `tram policy impact`
#[derive(Debug, Args)]
pub struct ImpactArgs {
    /// Folder with the draft.
    folder: PathBuf,
    /// How many of the newest recorded questions to replay.
    #[arg(long, value_name = "N", default_value_t = crate::limits::IMPACT_QUESTIONS)]
    last: usize,
    /// The time at which they are asked again: a date, a time, or `recorded` for their own [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// `tram policy who`
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Dataset of this node: who can see it.
    #[arg(required_unless_present = "agency", conflicts_with = "agency")]
    dataset: Option<String>,
    /// Participant: what it can see.
    #[arg(long, value_name = "PARTICIPANT")]
    agency: Option<String>,
    /// An earlier rule set [default: the one in force].
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// The time it is asked for: a date or a time [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// `tram policy diff`
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A folder, or the number of a version. Alone, it is what the rules in force are compared with.
    a: String,
    /// What it is compared with: a folder, or the number of a version.
    b: Option<String>,
}

/// Replays recorded questions against a draft.
pub async fn impact(dir: &Path, args: ImpactArgs, out: Out) -> Result<u8> {
    let files = texts(&args.folder)?;
    let body = json!({"draft": {"files": files}, "last": args.last, "at": args.at});
    let answer = asked(dir, "/v1/policy/impact", Some(&body)).await?;
    out.result(&answer, impact_text);
    if answer["questions"]["unreadable"] != json!(0) {
        say(&format!(
            "warning: {} recorded questions cannot be read and were not replayed",
            text(&answer["questions"], "unreadable")
        ));
    }
    Ok(0)
}

/// Shows who can see a dataset, or what an agency can see.
pub async fn who(dir: &Path, args: WhoArgs, out: Out) -> Result<u8> {
    let pairs = [
        ("dataset", args.dataset),
        ("agency", args.agency),
        ("version", args.version.map(|version| version.to_string())),
        ("at", args.at),
    ];
    let query: Vec<String> = pairs
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", segment(&value))))
        .collect();
    let path = format!("/v1/policy/who?{}", query.join("&"));
    let answer = asked(dir, &path, None).await?;
    out.result(&answer, who_text);
    for name in list(&answer, "unpublished").iter().filter_map(Value::as_str) {
        say(&format!("`{name}` is not published: this is what would be possible if it were"));
    }
    for (key, what) in [("pairs_left_out", "pairs of party and dataset"), ("rows_left_out", "rows")] {
        if answer[key] != json!(0) {
            say(&format!("warning: {} {what} are left out, there are too many", text(&answer, key)));
        }
    }
    Ok(0)
}

/// Tells what differs between two rule sets. Two folders need no node.
pub async fn diff(dir: &Path, args: DiffArgs, out: Out) -> Result<u8> {
    let (from, to) = match (Named::read(&args.a)?, args.b.as_deref().map(Named::read).transpose()?) {
        (a, Some(b)) => (a, b),
        (a, None) => (Named::InForce, a),
    };
    let answer = match (&from, &to) {
        (Named::Folder(from), Named::Folder(to)) => compared(&offline(from)?, &offline(to)?)?,
        _ => {
            let body = json!({"from": from.body(), "to": to.body()});
            asked(dir, "/v1/policy/diff", Some(&body)).await?
        }
    };
    out.result(&answer, diff_text);
    Ok(0)
}

/// A rule set as the command line names it.
enum Named {
    InForce,
    Version(u64),
    Folder(BTreeMap<String, String>),
}

impl Named {
    fn read(word: &str) -> Result<Self> {
        if let Ok(version) = word.parse() {
            return Ok(Self::Version(version));
        }
        texts(Path::new(word)).map(Self::Folder)
    }

    fn body(&self) -> Value {
        match self {
            Self::InForce => json!({}),
            Self::Version(version) => json!({"version": version}),
            Self::Folder(files) => json!({"files": files}),
        }
    }
}

fn offline(files: &BTreeMap<String, String>) -> Result<RuleSet> {
    rules::load(files, 0)
}

/// What the node answers; a body makes it a POST.
async fn asked(dir: &Path, path: &str, body: Option<&Value>) -> Result<Value> {
    let client = Client::connect(dir, Doors::Closed).await?;
    let answer = match body {
        Some(body) => client.post(path, body).await,
        None => client.get(path).await,
    };
    client.close().await;
    answer
}

fn impact_text(answer: &Value) -> String {
    let questions = &answer["questions"];
    let mut lines = vec![format!(
        "{} of {} recorded questions asked again ({} to {}), rules in force {}: {} unchanged",
        text(answer, "replayed"),
        text(questions, "kept"),
        text(questions, "from"),
        text(questions, "until"),
        text(&answer["in_force"], "version"),
        text(answer, "unchanged"),
    )];
    for turn in policy::impact::Turn::ALL {
        let Some(count) = answer["turned"].get(word(turn)) else { continue };
        let (words, mark) = (turn.text(), if turn.opens() { "!" } else { " " });
        lines.push(format!("{mark} {count}  {} · {}", words.vi(), words.en()));
    }
    let groups = list(answer, "groups");
    if !groups.is_empty() {
        let heads = ["change", "count", "agency", "dataset", "now", "draft", "for example"];
        lines.push(String::new());
        lines.push(table(&heads, &groups.iter().map(group_row).collect::<Vec<_>>()));
    }
    for group in groups.iter().filter(|group| group["undeliverable"].is_string()) {
        let (rule, dataset) = (text(&group["to"], "rule"), text(group, "dataset"));
        lines.push(format!(
            "! {dataset}: không dòng nào ra, dù {rule} cho phép / nothing leaves, although {rule} permits: {}",
            text(group, "undeliverable")
        ));
    }
    for (turn, count) in answer["ungrouped"].as_object().into_iter().flatten() {
        lines.push(format!("and {count} more of {turn}, in groups that are not shown"));
    }
    lines.join("\n")
}

/// The name of something in JSON.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn group_row(group: &Value) -> Vec<String> {
    let ground = |side: &Value| {
        let effect = if side["permit"] == json!(true) { "permit" } else { "refuse" };
        let words = [text(side, "reason"), text(side, "rule")];
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "-").collect();
        format!("{effect} {}", words.join(" "))
    };
    let example = list(group, "examples").first().cloned().unwrap_or_default();
    let parts = list(&example, "obligations").iter();
    let parts: Vec<String> = parts
        .map(|part| format!("{} {} → {}", text(part, "part"), text(part, "from"), text(part, "to")))
        .collect();
    let question = &example["question"];
    let told = format!("{} for {} {}", text(question, "action"), text(question, "purpose"), parts.join("; "));
    vec![
        text(group, "turn").replace('_', " "),
        text(group, "count"),
        text(group, "subject"),
        text(group, "dataset"),
        ground(&group["from"]),
        ground(&group["to"]),
        format!("{}, exchange {}", told.trim_end(), text(&example, "exchange")),
    ]
}

fn who_text(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = list(answer, "rows").iter().map(who_row).collect();
    let head = format!(
        "rule set version {}, at {}: {} ways, {} questions decided",
        text(&answer["rules"], "version"),
        text(answer, "at"),
        rows.len(),
        text(answer, "decided")
    );
    if rows.is_empty() {
        return format!("{head}\nnobody · không ai");
    }
    let heads = ["who", "dataset", "may", "purpose", "legal basis", "agreement", "if", "rule", "obligations"];
    format!("{head}\n{}", table(&heads, &rows))
}

fn who_row(row: &Value) -> Vec<String> {
    let who = match &row["party"] {
        Value::Object(party) => match party.iter().next() {
            Some((kind, name)) if kind == "member_of" => format!("any member of {}", plain(name)),
            Some((_, name)) => plain(name),
            None => "-".to_owned(),
        },
        kind => plain(kind).replace('_', " "),
    };
    let field = |name: &str| cell(&row["fields"][name]);
    let further = ["unit", "role", "clearance", "place", "route"];
    let further: Vec<String> = further
        .iter()
        .filter(|name| row["fields"][**name] != json!("any"))
        .map(|name| format!("{name} {}", field(name)))
        .collect();
    let mut obligations = row["obligations"].to_string();
    if row["undeliverable"].is_string() {
        obligations = format!("{obligations} — refused for now: {}", text(row, "undeliverable"));
    }
    vec![
        who,
        text(row, "dataset"),
        field("action"),
        field("purpose"),
        field("legal_basis"),
        field("agreement"),
        if further.is_empty() { "-".to_owned() } else { further.join(", ") },
        text(row, "rule"),
        obligations,
    ]
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Values of a field: all of a few, the first of many.
fn cell(values: &Value) -> String {
    const SHOWN: usize = 3;
    let Some(values) = values.as_array() else { return plain(values) };
    let shown: Vec<String> = values.iter().take(SHOWN).map(plain).collect();
    let more = values.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn diff_text(answer: &Value) -> String {
    let changes = list(answer, "changes");
    if changes.is_empty() {
        return "no difference · không khác gì".to_owned();
    }
    let bearings = [Bearing::Opens, Bearing::CannotTell, Bearing::Closes, Bearing::Neutral];
    let told = |name: &Value| {
        let bearing = bearings.into_iter().find(|bearing| word(bearing) == plain(name));
        bearing
            .map(|bearing| format!("{} · {}", bearing.text().vi(), bearing.text().en()))
            .unwrap_or_default()
    };
    let mut lines = vec![format!("{} changes; together: {}", changes.len(), told(&answer["bearing"]))];
    for change in changes {
        lines.push(format!("{}: {}", told(&change["bearing"]), text(&change["text"], "en")));
    }
    if answer["left_out"] != json!(0) {
        lines.push(format!("and {} more changes that are not shown", text(answer, "left_out")));
    }
    lines.join("\n")
}
