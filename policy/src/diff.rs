//! What differs between two rule sets, change by change, in words, and which way each change can turn answers.
//!
//! Rules are compared by their id, column by column; obligation sets by their name, part by part. Comments, order,
//! test tables and the register of a test table are no difference: they change no decision.
//!
//! Begin with [`diff`]; [`Diff::bearing`] is what a gate asks, [`Change::en`] what people read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::bearing::{Bearing, Scene};
use crate::boxes::{RuleColumn, written};
use crate::ids::ObligationSetId;
use crate::impact::Compared;
use crate::limits::DIFF_COMPARISONS_MAX;
use crate::obligations::Obligations;
use crate::rule::{Link, Rule};
use crate::rule_set::RuleSet;
use crate::strictness::{PartChange, Strictness, parts};

/// Two rule sets held against each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The first.
    pub from: Compared,
    /// The second.
    pub to: Compared,
    /// Which way all changes together can turn answers.
    pub bearing: Bearing,
    /// The changes: grants, duties, links, obligation sets, reasons.
    pub changes: Vec<Change>,
}

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A grant of `policy.csv`.
    Grant,
    /// A duty of `duties.csv`.
    Duty,
    /// A link of `policy.csv`.
    Link,
    /// A set of `obligations.json`.
    Obligations,
    /// An entry of `reasons.json`.
    Reason,
    /// The legal order of `pack.toml`, whose invariants stand before the rules.
    LegalOrder,
}

/// How it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Only the second rule set has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, with other content.
    Changed,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What.
    pub item: Item,
    /// Its id; of a link `g: from → to`.
    pub id: String,
    /// How.
    pub how: How,
    /// Columns of a rule that differ; of one that was added or removed, those that restrict it.
    pub columns: Vec<ColumnChange>,
    /// Parts of an obligation set that differ; of a rule whose set is another one, what differs between the sets.
    pub obligations: Vec<PartChange>,
    /// Which way this change alone can turn answers.
    pub bearing: Bearing,
}

/// A column with other content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// Which.
    pub column: RuleColumn,
    /// As it was; `None` when the rule was not there.
    pub from: Option<String>,
    /// As it is; `None` when the rule is gone.
    pub to: Option<String>,
}

/// Holds two rule sets against each other.
#[must_use]
pub fn diff(from: &RuleSet, to: &RuleSet) -> Diff {
    let mut scene = Scene::of(from, to, DIFF_COMPARISONS_MAX);
    let mut changes = rules(Item::Grant, from.grants(), to.grants(), from, to, &mut scene);
    changes.extend(rules(Item::Duty, from.duties(), to.duties(), from, to, &mut scene));
    changes.extend(links(from, to, &mut scene));
    changes.extend(obligation_sets(from, to, &scene));
    changes.extend(reasons(from, to));
    changes.extend(legal_order(from, to));
    let bearing = changes.iter().map(|change| change.bearing).fold(Bearing::Neutral, Bearing::and);
    Diff { from: compared(from), to: compared(to), bearing, changes }
}

fn compared(rules: &RuleSet) -> Compared {
    Compared { version: rules.version(), sha256: rules.digest() }
}

fn rules(
    item: Item,
    old: &[Rule],
    new: &[Rule],
    from: &RuleSet,
    to: &RuleSet,
    scene: &mut Scene<'_>,
) -> Vec<Change> {
    let duty = item == Item::Duty;
    let by_id = |rules: &'_ [Rule]| rules.iter().map(|rule| (rule.id.clone(), rule.clone())).collect();
    let (old, new): (BTreeMap<_, Rule>, BTreeMap<_, Rule>) = (by_id(old), by_id(new));
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for id in ids {
        let (was, is) = (old.get(id), new.get(id));
        let (how, bearing) = match (was, is) {
            (None, Some(is)) => (How::Added, scene.added(is, duty)),
            (Some(was), None) => (How::Removed, scene.added(was, duty).reversed()),
            (Some(was), Some(is)) if was != is => (How::Changed, scene.changed(was, is, duty)),
            _ => continue,
        };
        changes.push(Change {
            item,
            id: id.to_string(),
            how,
            columns: columns(was, is),
            obligations: rule_obligations(was, is, from, to),
            bearing,
        });
    }
    changes
}

/// Columns that differ; `*` and other things that restrict nothing are left out where there is no second rule.
fn columns(was: Option<&Rule>, is: Option<&Rule>) -> Vec<ColumnChange> {
    let texts = |rule: Option<&Rule>| rule.map(written).map(Vec::from).unwrap_or_default();
    let (was, is) = (texts(was), texts(is));
    let of = |column: RuleColumn, texts: &[(RuleColumn, String)]| {
        texts.iter().find(|(name, _)| *name == column).map(|(_, text)| text.clone())
    };
    let named = if is.is_empty() { &was } else { &is };
    let changes = named.iter().map(|(column, _)| ColumnChange {
        column: *column,
        from: of(*column, &was),
        to: of(*column, &is),
    });
    changes.filter(|change| change.from != change.to).filter(ColumnChange::says_something).collect()
}

impl ColumnChange {
    fn says_something(&self) -> bool {
        match (&self.from, &self.to) {
            (Some(_), Some(_)) => true,
            (one, other) => {
                let open = |text: &String| ["*", "-", "0–9"].contains(&text.as_str());
                // `-` restricts an agreement or a basis, but is no obligation.
                let restricts = matches!(self.column, RuleColumn::Agreement | RuleColumn::Basis);
                one.iter().chain(other).any(|text| !open(text) || (restricts && text == "-"))
            }
        }
    }
}

fn rule_obligations(was: Option<&Rule>, is: Option<&Rule>, from: &RuleSet, to: &RuleSet) -> Vec<PartChange> {
    let ids = (was.and_then(|rule| rule.obligations.as_ref()), is.and_then(|rule| rule.obligations.as_ref()));
    if was.is_some() && is.is_some() && ids.0 == ids.1 {
        // The content of a set of the same name is told once, with the set.
        return Vec::new();
    }
    let content = |id: Option<&ObligationSetId>, rules: &RuleSet| {
        id.and_then(|id| rules.obligations().get(id)).cloned().unwrap_or_default()
    };
    parts(&content(ids.0, from), &content(ids.1, to))
}

fn links(from: &RuleSet, to: &RuleSet, scene: &mut Scene<'_>) -> Vec<Change> {
    let (old, new): (BTreeSet<&Link>, BTreeSet<&Link>) =
        (from.links().iter().collect(), to.links().iter().collect());
    let change = |link: &Link, how, bearing| Change {
        item: Item::Link,
        id: format!("{}: {} → {}", link.kind.written(), link.from, link.to),
        how,
        columns: Vec::new(),
        obligations: Vec::new(),
        bearing,
    };
    let mut changes = Vec::new();
    for link in new.difference(&old) {
        changes.push(change(link, How::Added, scene.linked(link)));
    }
    for link in old.difference(&new) {
        changes.push(change(link, How::Removed, scene.linked(link).reversed()));
    }
    changes
}

fn obligation_sets(from: &RuleSet, to: &RuleSet, scene: &Scene<'_>) -> Vec<Change> {
    let none = Obligations::default();
    let ids: BTreeSet<_> = from.obligations().keys().chain(to.obligations().keys()).collect();
    let mut changes = Vec::new();
    for id in ids {
        let (was, is) = (from.obligations().get(id), to.obligations().get(id));
        let (how, bearing) = match (was, is) {
            (Some(was), Some(is)) if was != is => {
                (How::Changed, scene.redefined(id, Strictness::of(was, is)))
            }
            // The rules that name it are told by themselves.
            (None, Some(_)) => (How::Added, Bearing::Neutral),
            (Some(_), None) => (How::Removed, Bearing::Neutral),
            _ => continue,
        };
        changes.push(Change {
            item: Item::Obligations,
            id: id.to_string(),
            how,
            columns: Vec::new(),
            obligations: parts(was.unwrap_or(&none), is.unwrap_or(&none)),
            bearing,
        });
    }
    changes
}

/// Reasons are the words of a refusal: they turn no answer.
/// Other invariants: what they ask cannot be compared, so they may open and may close.
fn legal_order(from: &RuleSet, to: &RuleSet) -> Option<Change> {
    (from.invariants() != to.invariants()).then(|| Change {
        item: Item::LegalOrder,
        id: format!("{} → {}", from.invariants().version(), to.invariants().version()),
        how: How::Changed,
        columns: Vec::new(),
        obligations: Vec::new(),
        bearing: Bearing::CannotTell,
    })
}

fn reasons(from: &RuleSet, to: &RuleSet) -> Vec<Change> {
    let ids: BTreeSet<&String> = from.reasons.keys().chain(to.reasons.keys()).collect();
    let how = |id: &String| match (from.reasons.get(id), to.reasons.get(id)) {
        (None, Some(_)) => Some(How::Added),
        (Some(_), None) => Some(How::Removed),
        (was, is) => (was != is).then_some(How::Changed),
    };
    let change = |id: &String, how| Change {
        item: Item::Reason,
        id: id.clone(),
        how,
        columns: Vec::new(),
        obligations: Vec::new(),
        bearing: Bearing::Neutral,
    };
    ids.into_iter().filter_map(|id| how(id).map(|how| change(id, how))).collect()
}

impl Change {
    /// The change in one line of Vietnamese.
    #[must_use]
    pub fn vi(&self) -> String {
        let how = match self.how {
            How::Added => "thêm",
            How::Removed => "bỏ",
            How::Changed => "sửa",
        };
        let item = match self.item {
            Item::Grant => "quy tắc",
            Item::Duty => "nghĩa vụ thêm",
            Item::Link => "liên kết",
            Item::Obligations => "bộ nghĩa vụ",
            Item::Reason => "lời giải thích",
            Item::LegalOrder => "khung pháp luật",
        };
        self.line(&format!("{how} {item}"), |column| column.text().vi().to_owned())
    }

    /// The change in one line of English.
    #[must_use]
    pub fn en(&self) -> String {
        let how = match self.how {
            How::Added => "added",
            How::Removed => "removed",
            How::Changed => "changed",
        };
        let item = match self.item {
            Item::Grant => "grant",
            Item::Duty => "duty",
            Item::Link => "link",
            Item::Obligations => "obligation set",
            Item::Reason => "reason",
            Item::LegalOrder => "legal order",
        };
        self.line(&format!("{how} {item}"), |column| column.text().en().to_owned())
    }

    fn line(&self, head: &str, name: impl Fn(RuleColumn) -> String) -> String {
        let columns = self.columns.iter().map(|change| {
            let (from, to) = (change.from.as_deref(), change.to.as_deref());
            match (from, to) {
                (Some(from), Some(to)) => format!("{} {from} → {to}", name(change.column)),
                (one, other) => format!("{} {}", name(change.column), one.or(other).unwrap_or("-")),
            }
        });
        let parts = self.obligations.iter().map(|part| match self.how {
            How::Removed => format!("{} {}", part.part, short(&part.from)),
            How::Added => format!("{} {}", part.part, short(&part.to)),
            How::Changed => format!("{} {} → {}", part.part, short(&part.from), short(&part.to)),
        });
        let details: Vec<String> = columns.chain(parts).collect();
        let colon = if details.is_empty() { "" } else { ": " };
        format!("{head} {}{colon}{}", self.id, details.join("; "))
    }
}

/// A value of an obligation for a line of text.
fn short(value: &serde_json::Value) -> String {
    const CHARS: usize = 80;
    let text = if value.is_null() { "-".to_owned() } else { value.to_string() };
    if text.chars().count() > CHARS { text.chars().take(CHARS).chain(['…']).collect() } else { text }
}
