//! Rules from one written form into the other, with their comments.
//!
//! Promise: what comes out has the digest of what went in, or nothing comes out. Comments on lines of their own keep their
//! places between the rules; comments behind something, and the layout, do not.

use super::files::Files;
use super::rows::Rows;
use super::tables::{FIRST, LAST, kind_word, tier_word};
use super::{LoadError, Problems, duties, name, policy};
use crate::rule::{Action, Class, Link, Pattern, Recorded, Rule};
use crate::rule_set::RuleSet;

/// How the rules and duties of a rule set are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `policy.csv`, `duties.csv`
    Csv,
    /// `policy.toml`, `duties.toml`
    Toml,
}

/// Heads of the CSV files, for those who read them.
const GRANT_HEAD: &str = "# p, id, tier, subject, object, action, purpose, agreement, basis, network, class from, class to, from, until, \
obligations, effect, further conditions\n";
const DUTY_HEAD: &str = "# p, id, tier, subject, object, action, purpose, class from, class to, from, until, obligations, allow, further conditions\n";

/// The same rule set with its rules and duties in this form; the other files stay as they are.
///
/// # Errors
/// [`LoadError`] when `files` are no rule set, or when the two forms would not say the same.
pub fn convert(files: &Files, form: Form) -> Result<Files, LoadError> {
    let before = RuleSet::from_files(files, 1)?;
    let mut problems = Problems::default();
    let rows = [policy(files, &mut problems), duties(files, &mut problems)];
    problems.into_result()?;
    let pairs = [(name::POLICY, name::POLICY_TOML, GRANT_HEAD), (name::DUTIES, name::DUTIES_TOML, DUTY_HEAD)];
    let mut out = Files::new();
    for (file, bytes) in
        files.iter().filter(|(file, _)| !pairs.iter().any(|(csv, toml, _)| file == csv || file == toml))
    {
        out.insert(file, bytes);
    }
    for ((csv, toml, head), rows) in pairs.into_iter().zip(&rows) {
        let there = files.get(csv).or(files.get(toml)).unwrap_or_default();
        let text = merged(rows, &String::from_utf8_lossy(there), form);
        match form {
            Form::Csv if !text.contains("# p, id") => out.insert(csv, format!("{head}{text}")),
            Form::Csv => out.insert(csv, text),
            Form::Toml => out.insert(toml, text),
        }
    }
    if RuleSet::from_files(&out, 1)?.digest() == before.digest() {
        return Ok(out);
    }
    Err(LoadError::single(
        name::POLICY,
        "written in the other form it would say something else; leave it as it is",
    ))
}

/// Rules, links and comments in the order in which they stood.
fn merged(rows: &Rows, before: &str, form: Form) -> String {
    let duties =
        rows.rules.first().is_some_and(|rule| rule.file == name::DUTIES || rule.file == name::DUTIES_TOML);
    let mut pieces: Vec<(u32, String)> = (1u32..)
        .zip(before.lines())
        .filter(|(_, line)| line.trim_start().starts_with('#'))
        .map(|(at, line)| (at, format!("{}\n", line.trim())))
        .collect();
    pieces.extend(rows.rules.iter().map(|rule| {
        let text = match form {
            Form::Csv => csv_rule(&rule.item, duties),
            Form::Toml => toml_rule(&rule.item, duties),
        };
        (rule.line, text)
    }));
    pieces.extend(rows.links.iter().map(|link| {
        let text = match form {
            Form::Csv => csv_link(&link.item),
            Form::Toml => toml_link(&link.item),
        };
        (link.line, text)
    }));
    pieces.sort_by_key(|(line, _)| *line);
    let text: String = pieces.into_iter().map(|(_, text)| text).collect();
    if text.is_empty() { "# none\n".to_owned() } else { text }
}

fn csv_rule(rule: &Rule, duty: bool) -> String {
    let (row, columns) = if duty { (rule.duty_row(), 12) } else { (rule.grant_row(), 15) };
    let mut fields: Vec<String> =
        std::iter::once("p".to_owned()).chain(row.into_iter().take(columns)).collect();
    if !rule.when.is_any() {
        fields.push(rule.when.written());
    }
    fields.join(", ") + "\n"
}

fn csv_link(link: &Link) -> String {
    format!("{}, {}, {}\n", link.kind.written(), link.from, link.to)
}

fn toml_link(link: &Link) -> String {
    let mut table = Table::of("link");
    table.key("kind", kind_word(link.kind));
    table.key("from", &link.from);
    table.key("to", &link.to);
    table.finish()
}

fn toml_rule(rule: &Rule, duty: bool) -> String {
    // Every column by name: a new one must be thought about here.
    let Rule {
        id,
        tier,
        subject,
        object,
        action,
        purpose,
        agreement,
        basis,
        network,
        class_from,
        class_to,
        not_before,
        expires,
        obligations,
        effect,
        when,
    } = rule;
    let mut table = Table::of(if duty { "duty" } else { "grant" });
    table.key("id", id.as_str());
    table.key("tier", tier_word(*tier));
    table.name("subject", subject);
    table.name("object", object);
    table.key_unless("action", action.map_or("*", Action::written), "*");
    table.name("purpose", purpose);
    table.record("agreement", agreement);
    table.record("basis", basis);
    table.name("network", network);
    table.classes("class", *class_from, *class_to);
    table.key_unless("from", &not_before.to_string(), FIRST);
    table.key_unless("until", &expires.to_string(), LAST);
    table.name("unit", &when.unit);
    table.name("role", &when.role);
    table.classes("clearance", when.clearance_from, when.clearance_to);
    table.name("place", &when.place);
    table.name("route", &when.route);
    table.key_unless("obligations", obligations.as_ref().map_or("-", |id| id.as_str()), "-");
    if !duty {
        table.key("effect", effect.written());
    }
    table.finish()
}

/// One table as it is written.
struct Table(String);

impl Table {
    fn of(name: &str) -> Self {
        Self(format!("[[{name}]]\n"))
    }

    fn key(&mut self, key: &str, value: &str) {
        self.0.push_str(&format!("{key} = {}\n", toml::Value::from(value)));
    }

    fn key_unless(&mut self, key: &str, value: &str, left_out: &str) {
        if value != left_out {
            self.key(key, value);
        }
    }

    fn name(&mut self, key: &str, pattern: &Pattern) {
        self.key_unless(key, pattern.written(), "*");
    }

    fn record(&mut self, key: &str, recorded: &Recorded) {
        self.key_unless(key, recorded.written(), "*");
    }

    fn classes(&mut self, key: &str, from: Class, to: Class) {
        self.key_unless(key, &format!("{from}-{to}"), "0-9");
    }

    fn finish(self) -> String {
        self.0 + "\n"
    }
}
