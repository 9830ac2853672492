//! Rows of `policy.csv` and `duties.csv`.
//!
//! One row per line, fields separated by commas, blanks around a field ignored, lines beginning with `#` and blank
//! lines skipped. There is no quoting: no field can hold a comma, and a quote is a forbidden character.

use super::files::Files;
use super::problem::{Problem, ProblemCode, Problems};
use crate::ids::{RoleId, RouteId, RuleId, UnitId, check, shown};
use crate::minute::Minute;
use crate::rule::{Action, Class, Link, LinkKind, Pattern, Recorded, Rule, RuleEffect, Tier, When};

/// Something with the file and the line it stood on.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub file: &'static str,
    pub line: u32,
    pub item: T,
}

/// What a row may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Grant,
    Duty,
    Link(LinkKind),
}

impl Section {
    /// Sections of `policy.csv`, by the word in the first field.
    pub const POLICY: &'static [(&'static str, Self)] = &[
        ("p", Self::Grant),
        ("g", Self::Link(LinkKind::Subject)),
        ("g2", Self::Link(LinkKind::Object)),
        ("g3", Self::Link(LinkKind::Purpose)),
        ("g4", Self::Link(LinkKind::Place)),
    ];
    /// Sections of `duties.csv`.
    pub const DUTIES: &'static [(&'static str, Self)] = &[("p", Self::Duty)];
}

/// What a file's rows say.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub rules: Vec<Placed<Rule>>,
    pub links: Vec<Placed<Link>>,
}

const AGENCIES: &[&str] = &["ag:", "us:", "gr:", "ro:"];
const MEMBERS: &[&str] = &["ag:", "us:", "gr:", "ro:", "un:"];
const GROUPS: &[&str] = &["gr:", "ro:", "un:"];
const OBJECTS: &[&str] = &["ds:", "co:", "tag:", "se:", "ow:"];
/// What a dataset's record alone decides (`se:` and `ow:`) may stand under something, but nothing is put under an owner.
const MARKED: &[&str] = &["ds:", "co:", "tag:", "se:", "ow:"];
const MARKS: &[&str] = &["co:", "tag:"];
const PURPOSES: &[&str] = &["pu:"];
const PLACES: &[&str] = &["pl:"];

/// Reads all rows of a file.
pub(crate) fn read(
    files: &Files,
    file: &'static str,
    sections: &[(&'static str, Section)],
    problems: &mut Problems,
) -> Rows {
    let mut rows = Rows::default();
    let text = files.text(file, problems).unwrap_or_default();
    for (line, text) in (1u32..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut row = Row::at(file, line, problems);
        row.read(&fields, sections, &mut rows);
    }
    rows
}

/// The optional last column apart from the fields that every row has; `with` is how many fields a row with it has,
/// besides the section.
fn split_when<'f>(fields: &'f [&'f str], with: usize) -> (&'f [&'f str], Option<&'f str>) {
    match fields.split_last() {
        Some((when, rest)) if fields.len() == with + 1 => (rest, Some(when)),
        _ => (fields, None),
    }
}

/// One row while it is read. A field that cannot be read is reported; reading goes on, so that all are.
pub(super) struct Row<'p> {
    file: &'static str,
    line: u32,
    rule: Option<String>,
    problems: &'p mut Problems,
    sound: bool,
}

impl<'p> Row<'p> {
    /// A row that stands there.
    pub(super) fn at(file: &'static str, line: u32, problems: &'p mut Problems) -> Self {
        Self { file, line, rule: None, problems, sound: true }
    }

    /// The same, about a rule that says its id.
    pub(super) fn of(self, rule: &str) -> Self {
        Self { rule: Some(shown(rule)), ..self }
    }

    pub(super) fn placed<T>(&self, item: T) -> Placed<T> {
        Placed { file: self.file, line: self.line, item }
    }

    fn read(&mut self, fields: &[&str], sections: &[(&'static str, Section)], rows: &mut Rows) {
        let word = fields.first().copied().unwrap_or_default();
        let Some((_, section)) = sections.iter().find(|(name, _)| *name == word) else {
            let known = sections.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            self.report(
                ProblemCode::SectionUnknown,
                format!("`{}` is no section: begin the row with {known}", shown(word)),
            );
            return;
        };
        match section {
            Section::Link(kind) => {
                let link = self.fields::<2>(fields).and_then(|f| self.link(*kind, f));
                rows.links.extend(link.map(|item| self.placed(item)));
            }
            Section::Grant => {
                let (fields, when) = split_when(fields, 16);
                let when = self.when(when);
                let rule = self.fields::<15>(fields).and_then(|f| self.grant(f, when));
                rows.rules.extend(rule.map(|item| self.placed(item)));
            }
            Section::Duty => {
                let (fields, when) = split_when(fields, 13);
                let when = self.when(when);
                let rule = self.fields::<12>(fields).and_then(|f| self.duty(f, when));
                rows.rules.extend(rule.map(|item| self.placed(item)));
            }
        }
    }

    pub(super) fn report(&mut self, code: ProblemCode, message: impl Into<String>) {
        self.sound = false;
        let mut problem = Problem::at(self.file, self.line, code, message);
        problem.rule.clone_from(&self.rule);
        self.problems.add(problem);
    }

    /// The fields after the section word: exactly `N`, none blank.
    fn fields<'f, const N: usize>(&mut self, fields: &[&'f str]) -> Option<[&'f str; N]> {
        let rest = fields.get(1..).unwrap_or_default();
        self.rule = rest.first().map(|id| shown(id));
        let Ok(exact) = <[&str; N]>::try_from(rest) else {
            let message =
                format!("{} fields after the section, {N} are needed: see the head of the file", rest.len());
            self.report(ProblemCode::FieldCount, message);
            return None;
        };
        if let Some(at) = exact.iter().position(|field| field.is_empty()) {
            self.report(
                ProblemCode::FieldBlank,
                format!("field {} is blank: write `*` for any, `-` for none", at + 1),
            );
            return None;
        }
        Some(exact)
    }

    pub(super) fn link(&mut self, kind: LinkKind, [from, to]: [&str; 2]) -> Option<Link> {
        self.rule = None;
        let (narrow, broad) = match kind {
            LinkKind::Subject => (MEMBERS, GROUPS),
            LinkKind::Object => (MARKED, MARKS),
            LinkKind::Purpose => (PURPOSES, PURPOSES),
            LinkKind::Place => (PLACES, PLACES),
        };
        self.name(from, "a name that this section links", narrow);
        self.name(to, "a name that this section links to", broad);
        self.sound.then(|| Link { kind, from: from.to_owned(), to: to.to_owned() })
    }

    pub(super) fn grant(&mut self, fields: [&str; 15], when: Option<When>) -> Option<Rule> {
        let [id, tier, sub, obj, act, pur, agr, bas, net, clo, chi, nbf, exp, obl, eft] = fields;
        let mut rule = self.common([id, tier, sub, obj, act, pur, clo, chi, nbf, exp, obl], when)?;
        let agreement = self.recorded(agr, "an agreement", &["agr:"]);
        let basis = self.recorded(bas, "a legal basis", &["bas:"]);
        let network = self.pattern(net, "a network zone", &["net:"]);
        let effect = match eft {
            "allow" => RuleEffect::Allow,
            "deny" => RuleEffect::Deny,
            other => {
                let message =
                    format!("`{}` is no effect: write `allow` or `deny`, in small letters", shown(other));
                self.report(ProblemCode::Effect, message);
                return None;
            }
        };
        rule.agreement = agreement?;
        rule.basis = basis?;
        rule.network = network?;
        rule.effect = effect;
        self.sound.then_some(rule)
    }

    pub(super) fn duty(&mut self, fields: [&str; 12], when: Option<When>) -> Option<Rule> {
        let [id, tier, sub, obj, act, pur, clo, chi, nbf, exp, obl, eft] = fields;
        let rule = self.common([id, tier, sub, obj, act, pur, clo, chi, nbf, exp, obl], when);
        if eft != "allow" {
            self.report(ProblemCode::Duty, format!("`{}` in a duty: a duty always says `allow`", shown(eft)));
        }
        if obl == "-" {
            self.report(ProblemCode::Duty, "a duty needs an obligation set: name one of obligations.json");
        }
        rule.filter(|_| self.sound)
    }

    /// The columns that grants and duties share, with `*` in those they do not.
    fn common(&mut self, fields: [&str; 11], when: Option<When>) -> Option<Rule> {
        let [id, tier, sub, obj, act, pur, clo, chi, nbf, exp, obl] = fields;
        let id = self.id(id);
        let tier = self.tier(tier);
        let subject = self.pattern(sub, "a subject", AGENCIES);
        let object = self.pattern(obj, "a dataset, collection or tag", OBJECTS);
        let action = self.action(act);
        let purpose = self.pattern(pur, "a purpose", PURPOSES);
        let classes = self.classes(clo, chi);
        let times = self.times(nbf, exp);
        let obligations = if obl == "-" { Some(None) } else { self.id(obl).map(Some) };
        let ((class_from, class_to), (not_before, expires)) = (classes?, times?);
        Some(Rule {
            id: id?,
            tier: tier?,
            subject: subject?,
            object: object?,
            action: action?,
            purpose: purpose?,
            agreement: Recorded::Any,
            basis: Recorded::Any,
            network: Pattern::Any,
            class_from,
            class_to,
            not_before,
            expires,
            obligations: obligations?,
            effect: RuleEffect::Allow,
            when: when?,
        })
    }

    /// The last column: `key=value` conditions with blanks between.
    fn when(&mut self, text: Option<&str>) -> Option<When> {
        if text == Some("") {
            self.report(
                ProblemCode::FieldBlank,
                "the last column is blank: write conditions or leave the comma out",
            );
            return None;
        }
        let conditions = text.into_iter().flat_map(str::split_ascii_whitespace);
        self.conditions(conditions.map(|condition| condition.split_once('=').unwrap_or((condition, ""))))
    }

    /// The further conditions, by key and value.
    pub(super) fn conditions<'t>(&mut self, each: impl Iterator<Item = (&'t str, &'t str)>) -> Option<When> {
        let mut when = When::default();
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in each {
            if seen.contains(&key) {
                self.report(ProblemCode::When, format!("`{}` stands twice: keep one", shown(key)));
                return None;
            }
            seen.push(key);
            match key {
                "unit" => when.unit = self.pattern(value, "a unit", UnitId::PREFIXES)?,
                "role" => when.role = self.pattern(value, "a role", RoleId::PREFIXES)?,
                "place" => when.place = self.pattern(value, "a place", PLACES)?,
                "route" => when.route = self.pattern(value, "a route", RouteId::PREFIXES)?,
                "clearance" => {
                    let (from, to) = value.split_once('-').unwrap_or((value, value));
                    (when.clearance_from, when.clearance_to) = self.classes(from, to)?;
                }
                other => {
                    let message = format!(
                        "`{}` is no condition: write unit=un:…, role=ro:…, clearance=2-9, place=pl:… or route=via:…",
                        shown(other)
                    );
                    self.report(ProblemCode::When, message);
                    return None;
                }
            }
        }
        Some(when)
    }

    fn name(&mut self, text: &str, kind: &'static str, prefixes: &[&str]) -> Option<String> {
        match check(text, kind, prefixes) {
            Ok(()) => Some(text.to_owned()),
            Err(error) => {
                self.report(ProblemCode::Name, error.to_string());
                None
            }
        }
    }

    fn pattern(&mut self, text: &str, kind: &'static str, prefixes: &[&str]) -> Option<Pattern> {
        if text == "*" { Some(Pattern::Any) } else { self.name(text, kind, prefixes).map(Pattern::Name) }
    }

    fn recorded(&mut self, text: &str, kind: &'static str, prefixes: &[&str]) -> Option<Recorded> {
        match text {
            "*" => Some(Recorded::Any),
            "+" => Some(Recorded::Some),
            "-" => Some(Recorded::None),
            name => self.name(name, kind, prefixes).map(Recorded::Name),
        }
    }

    fn id(&mut self, text: &str) -> Option<RuleId> {
        RuleId::parse(text).map_err(|error| self.report(ProblemCode::Id, error.to_string())).ok()
    }

    fn tier(&mut self, text: &str) -> Option<Tier> {
        let tier = Tier::ALL.into_iter().find(|tier| tier.written() == text);
        if tier.is_none() {
            let message = format!(
                "`{}` is no tier: write 00 (law), 10 (national), 20 (agency) or 30 (owner)",
                shown(text)
            );
            self.report(ProblemCode::Tier, message);
        }
        tier
    }

    fn action(&mut self, text: &str) -> Option<Option<Action>> {
        if text == "*" {
            return Some(None);
        }
        let action = Action::read(text);
        if action.is_none() {
            let known = Action::ALL.map(Action::written).join(", ");
            self.report(
                ProblemCode::Action,
                format!("`{}` is no action: write * or one of {known}", shown(text)),
            );
        }
        action.map(Some)
    }

    fn classes(&mut self, from: &str, to: &str) -> Option<(Class, Class)> {
        let digit = |text: &str| match text.as_bytes() {
            [digit @ b'0'..=b'9'] => Class::new(digit - b'0'),
            _ => None,
        };
        let pair = digit(from).zip(digit(to)).filter(|(from, to)| from <= to);
        if pair.is_none() {
            let message = format!(
                "classes `{}` to `{}`: write one digit each, the lower first (the text is compared as it stands)",
                shown(from),
                shown(to)
            );
            self.report(ProblemCode::Class, message);
        }
        pair
    }

    fn times(&mut self, from: &str, to: &str) -> Option<(Minute, Minute)> {
        let mut read = |text: &str| {
            Minute::parse(text).map_err(|error| self.report(ProblemCode::Time, error.to_string())).ok()
        };
        let (from, to) = (read(from), read(to));
        let (from, to) = (from?, to?);
        if from >= to {
            self.report(
                ProblemCode::Time,
                format!("from {from} until {to} there is no time: put the earlier first"),
            );
            return None;
        }
        Some((from, to))
    }
}
