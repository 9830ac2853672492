//! One policy: its head, then each permission, prohibition and obligation as rows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::constraint::{Atomic, alternatives};
use super::{OBJECTS, Reading, SUBJECTS};
use crate::ids::{ObligationSetId, RuleId};
use crate::obligations::Obligations;
use crate::odrl::columns::{COLUMNS, Column, Frame, On};
use crate::odrl::names::{PROFILE, RULE, SET};
use crate::odrl::problem::OdrlCode;
use crate::odrl::read::{Fields, normal, text, texts};
use crate::odrl::terms::{FULFIL, read_action};
use crate::rule::{Action, Pattern, RuleEffect, Tier};

/// What the head of a policy says for all its rules.
struct Head<'v> {
    tier: Tier,
    assignee: Option<&'v Value>,
    target: Option<&'v Value>,
    /// Duties of the policy as a whole, as offers carry them.
    common: Option<Obligations>,
}

/// Which list of a policy a rule stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permission,
    Prohibition,
    Obligation,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Prohibition => "prohibition",
            Self::Obligation => "obligation",
        }
    }
}

impl Reading<'_> {
    pub(super) fn policy(&mut self, mut fields: Fields<'_>) {
        let at = fields.at.clone();
        let uid = fields.text("uid", self.problems).unwrap_or("a policy without uid").to_owned();
        self.profile(&mut fields);
        self.conflict(&mut fields);
        let tier = self.tier(&mut fields, &uid);
        if let Some(assigner) = fields.text("assigner", self.problems) {
            self.note(&format!("{uid} is offered by {assigner}"));
        }
        let assignee = fields.take("assignee");
        let target = fields.take("target");
        let lists = [Kind::Permission, Kind::Prohibition, Kind::Obligation]
            .map(|kind| (kind, fields.list(kind.word())));
        fields.finish(self.problems);
        let (fulfil, plain): (Vec<_>, Vec<_>) =
            lists[2].1.iter().enumerate().partition(|(_, value)| is_fulfil(value));
        let common: Vec<&Value> = plain.into_iter().map(|(_, value)| *value).collect();
        let common = if common.is_empty() {
            None
        } else {
            crate::odrl::duty::read(&common, &format!("{at}/obligation"), self.problems)
        };
        let permits = lists.iter().any(|(kind, list)| *kind == Kind::Permission && !list.is_empty());
        if common.is_some() && !permits {
            let why = "a policy that permits nothing obliges nobody: put the duty to the permission that it goes with";
            self.problems.add(&format!("{at}/obligation"), OdrlCode::Duty, "obligation", why);
        }
        let head = Head { tier, assignee, target, common };
        for (kind, list) in &lists {
            for (index, value) in list.iter().enumerate() {
                let of_policy = *kind == Kind::Obligation && !fulfil.iter().any(|(at, _)| *at == index);
                if !of_policy {
                    self.rule(&head, *kind, value, &format!("{at}/{}/{index}", kind.word()));
                }
            }
        }
    }

    fn note(&mut self, text: &str) {
        let shown = text.chars().take(240).flat_map(char::escape_debug).collect();
        self.draft.notes.push(shown);
    }

    fn profile(&mut self, fields: &mut Fields<'_>) {
        let Some(value) = fields.take("profile") else { return };
        let iris = texts(value).unwrap_or_default();
        let ours = |iri: &&str| normal(iri) == normal(PROFILE);
        if iris.is_empty() || !iris.iter().all(ours) {
            let foreign = iris.iter().find(|iri| !ours(iri)).copied().unwrap_or("profile");
            let why = format!("this profile is not known here: `{PROFILE}` is");
            self.problems.add(&format!("{}/profile", fields.at), OdrlCode::Profile, foreign, why);
        }
    }

    fn conflict(&mut self, fields: &mut Fields<'_>) {
        let word = fields.text("conflict", self.problems).map(normal);
        if word.as_deref() == Some("prohibit") {
            return;
        }
        let (term, why) = match word.as_deref() {
            None => ("conflict", "absent means that a conflict voids the whole policy: write `prohibit`"),
            Some("perm") => ("perm", "a permission does not win over a prohibition here: write `prohibit`"),
            Some(_) => ("invalid", "a conflict does not void a policy here: write `prohibit`"),
        };
        self.problems.add(&format!("{}/conflict", fields.at), OdrlCode::Conflict, term, why);
    }

    fn tier(&mut self, fields: &mut Fields<'_>, uid: &str) -> Tier {
        let at = format!("{}/gov:tier", fields.at);
        let Some(value) = fields.take("gov:tier") else {
            self.note(&format!("{uid} names no tier; its rules stand in the lowest, 30"));
            return Tier::Owner;
        };
        let written = text(value).unwrap_or_default();
        Tier::ALL.into_iter().find(|tier| tier.written() == written).unwrap_or_else(|| {
            self.problems.add(&at, OdrlCode::Tier, written, "write 00, 10, 20 or 30");
            Tier::Owner
        })
    }

    /// What the policy says holds for each of its rules (ODRL 2.2, section 2.7.1), so a rule that says something else would
    /// be about both: refused rather than read as one of them.
    fn one_of<'v>(
        &mut self,
        own: Option<&'v Value>,
        shared: Option<&'v Value>,
        at: &str,
        term: &'static str,
    ) -> Option<&'v Value> {
        if let (Some(own), Some(shared)) = (own, shared)
            && own != shared
        {
            let why = "the policy names another one for all its rules: say it in one place";
            self.problems.add(&format!("{at}/{term}"), OdrlCode::Twice, term, why);
        }
        own.or(shared)
    }

    fn rule(&mut self, head: &Head<'_>, kind: Kind, value: &Value, at: &str) {
        let Some(mut fields) = Fields::of(value, at, kind.word(), self.problems) else { return };
        let uid = fields.text("uid", self.problems).unwrap_or_default();
        let id = uid.strip_prefix(RULE).and_then(|id| RuleId::parse(id).ok());
        let Some(id) = id.or_else(|| self.fresh("ODRL")) else { return };
        let assignee = self.one_of(fields.take("assignee"), head.assignee, at, "assignee");
        let target = self.one_of(fields.take("target"), head.target, at, "target");
        let subject = self.party(assignee, SUBJECTS, at, "assignee");
        let object = self.party(target, OBJECTS, at, "target");
        let action = self.action(&mut fields, kind);
        let constraints = fields.list("constraint");
        let duty = if kind == Kind::Obligation { "gov:duty" } else { "duty" };
        let duties = fields.list(duty);
        let set = fields.take("gov:obligations");
        fields.finish(self.problems);
        let set = self.duties_of(head, kind, &duties, set, at);
        let rows = alternatives(&constraints, &format!("{at}/constraint"), self.problems);
        let (Some(subject), Some(object), Some(action), Some(set), Some(rows)) =
            (subject, object, action, set, rows)
        else {
            return;
        };
        let effect = if kind == Kind::Prohibition { RuleEffect::Deny } else { RuleEffect::Allow };
        let several = rows.len() > 1;
        for (index, row) in rows.into_iter().enumerate() {
            let id =
                if several { RuleId::parse(&format!("{id}.{}", index + 1)).ok() } else { Some(id.clone()) };
            let Some(mut frame) = id.and_then(|id| Frame::open(id, head.tier, effect)) else {
                self.problems.add(at, OdrlCode::Limit, "uid", "the rule's id is too long to be numbered");
                return;
            };
            frame.rule.subject = subject.clone();
            frame.rule.object = object.clone();
            frame.rule.action = action;
            frame.rule.obligations.clone_from(&set);
            if self.fill(&mut frame, &row, kind) {
                let list =
                    if kind == Kind::Obligation { &mut self.draft.duties } else { &mut self.draft.grants };
                list.push(frame.rule);
            }
        }
    }

    fn party(
        &mut self,
        value: Option<&Value>,
        kinds: &[&'static str],
        at: &str,
        key: &str,
    ) -> Option<Pattern> {
        let Some(value) = value else { return Some(Pattern::Any) };
        let Some(iri) = text(value) else {
            let why = "one IRI is due here; refinements and inline descriptions cannot be said in rules";
            self.problems.add(&format!("{at}/{key}"), OdrlCode::Malformed, key, why);
            return None;
        };
        self.name(iri, kinds, at, key).map(Pattern::Name)
    }

    /// `Some(None)` is any action.
    fn action(&mut self, fields: &mut Fields<'_>, kind: Kind) -> Option<Option<Action>> {
        let word = fields.text("action", self.problems).map(normal)?;
        if kind == Kind::Obligation {
            // Which one it is about stands among its conditions.
            return Some(None);
        }
        let found = read_action(&word);
        if found.is_none() {
            let why = "this action is not known here: use odrl:read, odrl:reproduce, odrl:use or one of the profile";
            self.problems.add(&format!("{}/action", fields.at), OdrlCode::Action, &word, why);
        }
        found
    }

    /// The obligation set of a rule; `Some(None)` is none.
    fn duties_of(
        &mut self,
        head: &Head<'_>,
        kind: Kind,
        duties: &[&Value],
        named: Option<&Value>,
        at: &str,
    ) -> Option<Option<ObligationSetId>> {
        if kind == Kind::Prohibition {
            if duties.is_empty() && named.is_none() {
                return Some(None);
            }
            self.problems.add(at, OdrlCode::Duty, "duty", "a prohibition cannot oblige to anything");
            return None;
        }
        let common = head.common.as_ref().filter(|_| kind == Kind::Permission);
        if duties.is_empty() && named.is_none() && common.is_none() {
            return Some(None);
        }
        let own = crate::odrl::duty::read(duties, &format!("{at}/duty"), self.problems)?;
        let id = match named {
            Some(value) => self.set_named(value, &own, at)?,
            None => self.fresh("ODRL-OB")?,
        };
        let set = match common {
            Some(common) if named.is_some() => {
                let why = "the policy obliges to more than the named set: say it in one place";
                self.problems.add(at, OdrlCode::Duty, id.as_str(), why);
                common.join(&own)
            }
            Some(common) => common.join(&own),
            None => own,
        };
        self.keep_set(id.clone(), set, at);
        Some(Some(id))
    }

    /// The id of a named set, when the duties that stand here are the ones that its digest is over.
    fn set_named(&mut self, value: &Value, own: &Obligations, at: &str) -> Option<ObligationSetId> {
        let at = format!("{at}/gov:obligations");
        let mut fields = Fields::of(value, &at, "gov:obligations", self.problems)?;
        let uid = fields.text("uid", self.problems).unwrap_or_default();
        let digest = fields.text("gov:sha256", self.problems).unwrap_or_default();
        fields.finish(self.problems);
        let id = uid.strip_prefix(SET).and_then(|id| RuleId::parse(id).ok());
        if own.digest().map(|own| own.to_string()).ok().as_deref() != Some(digest) {
            let why =
                "the duties here are not those of the named set: something was weakened, added or changed";
            self.problems.add(&at, OdrlCode::Duty, uid, why);
            return None;
        }
        if id.is_none() {
            self.problems.add(&at, OdrlCode::Value, uid, format!("write `{SET}<id>`"));
        }
        id
    }

    /// Puts conditions into a rule's columns; each at most once.
    fn fill(&mut self, frame: &mut Frame, row: &[Atomic<'_>], kind: Kind) -> bool {
        let mut seen: BTreeSet<(&'static str, &'static str)> = BTreeSet::new();
        let mut sound = true;
        for Atomic { at, operand, operator, right } in row {
            let fits = |column: &&Column| {
                let here = match column.on {
                    On::Both => true,
                    On::Grants => kind != Kind::Obligation,
                    On::Duties => kind == Kind::Obligation,
                };
                here && column.operand == operand
            };
            let done = match COLUMNS.iter().find(fits) {
                None => {
                    let known = COLUMNS.iter().map(|c| c.operand).collect::<Vec<_>>().join(", ");
                    let why = format!("rules have no such column here: known are {known}");
                    Err((OdrlCode::Operand, operand, why))
                }
                Some(column) => match column.operators.iter().find(|known| *known == operator) {
                    None => {
                        let why = format!("`{operand}` takes {} here", column.operators.join(", "));
                        Err((OdrlCode::Operator, operator, why))
                    }
                    Some(known) if !seen.insert((column.operand, known)) => {
                        let why = "this condition stands twice, and a rule has one place for it".to_owned();
                        Err((OdrlCode::Twice, operand, why))
                    }
                    Some(known) => {
                        (column.read)(frame, known, right).map_err(|(code, why)| (code, operand, why))
                    }
                },
            };
            if let Err((code, term, why)) = done {
                self.problems.add(at, code, term, why);
                sound = false;
            }
        }
        sound
    }
}

fn is_fulfil(value: &Value) -> bool {
    let action = value.as_object().into_iter().flatten().find(|(key, _)| normal(key) == "action");
    action.and_then(|(_, value)| text(value)).map(normal).as_deref() == Some(FULFIL)
}
