//! `policy.toml` and `duties.toml`: the same rules and links as in the CSV files, one table each, with names for the columns.
//!
//! A key that is left out means what `*` means in a column (any; for `obligations` none). The columns themselves are read
//! by the same code as those of the CSV rows, so nothing can be said in one form that the other refuses.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::files::Files;
use super::name;
use super::problem::{Problem, ProblemCode, Problems};
use super::rows::{Placed, Row, Rows};
use crate::ids::shown;
use crate::limits::{LINKS_MAX, RULES_MAX};
use crate::rule::{Link, LinkKind, Rule, Tier};

/// What `from` and `until` mean when they are left out.
pub(super) const FIRST: &str = "0000-01-01T00:00Z";
pub(super) const LAST: &str = "9999-12-31T00:00Z";

/// `[[grant]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    id: String,
    tier: String,
    subject: Option<String>,
    object: Option<String>,
    action: Option<String>,
    purpose: Option<String>,
    agreement: Option<String>,
    basis: Option<String>,
    network: Option<String>,
    class: Option<String>,
    from: Option<String>,
    until: Option<String>,
    unit: Option<String>,
    role: Option<String>,
    clearance: Option<String>,
    place: Option<String>,
    route: Option<String>,
    obligations: Option<String>,
    effect: String,
}

/// `[[duty]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    id: String,
    tier: String,
    subject: Option<String>,
    object: Option<String>,
    action: Option<String>,
    purpose: Option<String>,
    class: Option<String>,
    from: Option<String>,
    until: Option<String>,
    unit: Option<String>,
    role: Option<String>,
    clearance: Option<String>,
    place: Option<String>,
    route: Option<String>,
    obligations: String,
}

/// `[[link]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bond {
    kind: Kind,
    from: String,
    to: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Subject,
    Object,
    Purpose,
    Place,
}

impl Kind {
    fn link(self) -> LinkKind {
        match self {
            Self::Subject => LinkKind::Subject,
            Self::Object => LinkKind::Object,
            Self::Purpose => LinkKind::Purpose,
            Self::Place => LinkKind::Place,
        }
    }
}

/// The word for a link section.
pub(super) fn kind_word(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Subject => "subject",
        LinkKind::Object => "object",
        LinkKind::Purpose => "purpose",
        LinkKind::Place => "place",
    }
}

/// The word for a tier.
pub(super) fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Law => "law",
        Tier::National => "national",
        Tier::Agency => "agency",
        Tier::Owner => "owner",
    }
}

type Tables = Vec<toml::Spanned<toml::Table>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    grant: Tables,
    #[serde(default)]
    link: Tables,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DutiesFile {
    #[serde(default)]
    duty: Tables,
}

/// Reads `policy.toml`.
pub(super) fn policy(files: &Files, problems: &mut Problems) -> Rows {
    let text = files.text(name::POLICY_TOML, problems).unwrap_or_default();
    let Some(file) = whole::<PolicyFile>(text, name::POLICY_TOML, problems) else { return Rows::default() };
    let lines = Lines::of(text);
    let rules = each(&file.grant, "grant", name::POLICY_TOML, &lines, problems, grant);
    let links = each(&file.link, "link", name::POLICY_TOML, &lines, problems, link);
    Rows { rules, links }
}

/// Reads `duties.toml`.
pub(super) fn duties(files: &Files, problems: &mut Problems) -> Rows {
    let text = files.text(name::DUTIES_TOML, problems).unwrap_or_default();
    let Some(file) = whole::<DutiesFile>(text, name::DUTIES_TOML, problems) else { return Rows::default() };
    let rules = each(&file.duty, "duty", name::DUTIES_TOML, &Lines::of(text), problems, duty);
    Rows { rules, links: Vec::new() }
}

fn whole<T: DeserializeOwned>(text: &str, file: &'static str, problems: &mut Problems) -> Option<T> {
    // Counted before they are read: a table in memory is many times its text.
    // Inline tables count too; a brace in a text is rare enough to be counted as one.
    let count = text.matches("[[").count() + text.matches('{').count();
    if count > RULES_MAX + LINKS_MAX {
        let message =
            format!("{count} tables, at most {} are allowed: split the rule set", RULES_MAX + LINKS_MAX);
        problems.add(Problem::new(file, ProblemCode::TooMany, message));
        return None;
    }
    let misread = |error: toml::de::Error| {
        let message = error.message().to_owned();
        match error.span() {
            Some(span) => Problem::at(file, Lines::of(text).line(span.start), ProblemCode::Table, message),
            None => Problem::new(file, ProblemCode::Table, message),
        }
    };
    toml::from_str(text).map_err(|error| problems.add(misread(error))).ok()
}

/// Reads each table alone, so that all broken ones are named and not only the first.
fn each<T: DeserializeOwned, R>(
    tables: &Tables,
    what: &str,
    file: &'static str,
    lines: &Lines,
    problems: &mut Problems,
    read: impl Fn(&mut Row<'_>, &T) -> Option<R>,
) -> Vec<Placed<R>> {
    let mut found = Vec::new();
    for table in tables {
        let line = lines.line(table.span().start);
        let id = table.as_ref().get("id").and_then(toml::Value::as_str);
        match table.as_ref().clone().try_into::<T>() {
            Ok(said) => {
                let row = Row::at(file, line, problems);
                let mut row = if let Some(id) = id { row.of(id) } else { row };
                let item = read(&mut row, &said);
                found.extend(item.map(|item| row.placed(item)));
            }
            Err(error) => {
                let problem =
                    Problem::at(file, line, ProblemCode::Table, format!("[[{what}]]: {}", error.message()));
                problems.add(if let Some(id) = id { problem.of(id) } else { problem });
            }
        }
    }
    found
}

fn link(row: &mut Row<'_>, said: &Bond) -> Option<Link> {
    row.link(said.kind.link(), [&said.from, &said.to])
}

fn grant(row: &mut Row<'_>, said: &Grant) -> Option<Rule> {
    let any = |column: &Option<String>| column.clone().unwrap_or_else(|| "*".to_owned());
    let tier = tier(row, &said.tier);
    let (from, to) = class(said.class.as_deref());
    let when = row.conditions(conditions([
        ("unit", &said.unit),
        ("role", &said.role),
        ("clearance", &said.clearance),
        ("place", &said.place),
        ("route", &said.route),
    ]));
    row.grant(
        [
            &said.id,
            tier?,
            &any(&said.subject),
            &any(&said.object),
            &any(&said.action),
            &any(&said.purpose),
            &any(&said.agreement),
            &any(&said.basis),
            &any(&said.network),
            from,
            to,
            said.from.as_deref().unwrap_or(FIRST),
            said.until.as_deref().unwrap_or(LAST),
            said.obligations.as_deref().unwrap_or("-"),
            &said.effect,
        ],
        when,
    )
}

fn duty(row: &mut Row<'_>, said: &Duty) -> Option<Rule> {
    let any = |column: &Option<String>| column.clone().unwrap_or_else(|| "*".to_owned());
    let tier = tier(row, &said.tier);
    let (from, to) = class(said.class.as_deref());
    let when = row.conditions(conditions([
        ("unit", &said.unit),
        ("role", &said.role),
        ("clearance", &said.clearance),
        ("place", &said.place),
        ("route", &said.route),
    ]));
    row.duty(
        [
            &said.id,
            tier?,
            &any(&said.subject),
            &any(&said.object),
            &any(&said.action),
            &any(&said.purpose),
            from,
            to,
            said.from.as_deref().unwrap_or(FIRST),
            said.until.as_deref().unwrap_or(LAST),
            &said.obligations,
            "allow",
        ],
        when,
    )
}

fn conditions<'t>(all: [(&'t str, &'t Option<String>); 5]) -> impl Iterator<Item = (&'t str, &'t str)> {
    all.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)))
}

/// The digits of a tier that is written as a word.
fn tier(row: &mut Row<'_>, word: &str) -> Option<&'static str> {
    let tier = Tier::ALL.into_iter().find(|tier| tier_word(*tier) == word).map(Tier::written);
    if tier.is_none() {
        let message = format!("`{}` is no tier: write law, national, agency or owner", shown(word));
        row.report(ProblemCode::Tier, message);
    }
    tier
}

/// `"0-3"`, or one class.
fn class(text: Option<&str>) -> (&str, &str) {
    text.map_or(("0", "9"), |text| text.split_once('-').unwrap_or((text, text)))
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line of this byte, from 1.
    fn line(&self, at: usize) -> u32 {
        u32::try_from(self.0.partition_point(|begin| *begin <= at)).unwrap_or(u32::MAX)
    }
}
