//! A rule set that was read from ODRL: a draft, which becomes a rule set only through the strict loader.

use std::collections::BTreeMap;

use crate::ids::ObligationSetId;
use crate::invariants::Invariants;
use crate::load::{Files, name};
use crate::obligations::Obligations;
use crate::rule::{Link, Rule, WHEN_COLUMNS};
use crate::rule_set::Reason;

/// Rules as they were read, not in force and not tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Grants.
    pub grants: Vec<Rule>,
    /// Duties.
    pub duties: Vec<Rule>,
    /// Links.
    pub links: Vec<Link>,
    /// Obligation sets by id.
    pub obligations: BTreeMap<ObligationSetId, Obligations>,
    /// Reasons by rule id.
    pub reasons: BTreeMap<String, Reason>,
    /// The legal order that its rules stand under.
    pub invariants: Invariants,
    /// What was read and is no part of a rule: who offers, tiers that were not said. For whoever edits the draft.
    pub notes: Vec<String>,
}

impl Draft {
    /// The files of the draft, as the loader and an editor take them.
    #[must_use]
    pub fn files(&self) -> Files {
        let mut policy = String::from(
            "# Draft from ODRL: read it, add cases.json, test it. Nothing of this is in force.\n\
             # p, id, tier, subject, object, action, purpose, agreement, basis, network, class from, class to, from, until, obligations, effect\n",
        );
        for link in &self.links {
            row(&mut policy, link.kind.written(), &[link.from.clone(), link.to.clone()]);
        }
        let mut duties = String::from(
            "# p, id, tier, subject, object, action, purpose, class from, class to, from, until, obligations, effect\n",
        );
        for rule in &self.grants {
            row(&mut policy, "p", &with_when(rule.grant_row(), rule));
        }
        for rule in &self.duties {
            row(&mut duties, "p", &with_when(rule.duty_row(), rule));
        }
        let mut files = Files::new()
            .with(name::POLICY, policy)
            .with(name::DUTIES, duties)
            .with(name::OBLIGATIONS, pretty(&self.obligations));
        if !self.reasons.is_empty() {
            files.insert(name::REASONS, pretty(&self.reasons));
        }
        if !self.invariants.is_default() {
            files.insert(name::PACK, self.pack());
        }
        files.insert(name::README, self.readme());
        files
    }

    /// Where a folder names its legal order.
    fn pack(&self) -> String {
        let law = serde_json::to_value(self.invariants).unwrap_or_default();
        format!(
            "id = \"odrl-draft\"\nversion = 1\ninvariants = {law}\n\n[name]\nvi = \"Bản nháp từ ODRL\"\nen = \"Draft from ODRL\"\n\n\
             [covers]\nvi = \"Chưa được xem lại.\"\nen = \"Not reviewed.\"\n"
        )
    }

    fn readme(&self) -> String {
        let mut text = String::from(
            "# Draft from ODRL\n\nNot in force. Read it, write `cases.json`, then `tram policy test`.\n",
        );
        for note in &self.notes {
            text.push_str("\n- ");
            text.push_str(note);
        }
        text.push('\n');
        text
    }
}

/// casbin's columns of the further conditions, as the one last column that files have.
fn with_when(mut columns: Vec<String>, rule: &Rule) -> Vec<String> {
    columns.truncate(columns.len().saturating_sub(WHEN_COLUMNS));
    columns.extend((!rule.when.is_any()).then(|| rule.when.written()));
    columns
}

fn row(text: &mut String, section: &str, fields: &[String]) {
    text.push_str(section);
    for field in fields {
        text.push_str(", ");
        text.push_str(field);
    }
    text.push('\n');
}

/// Maps of obligations and reasons always have a JSON form.
fn pretty<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| "{}".to_owned()) + "\n"
}
