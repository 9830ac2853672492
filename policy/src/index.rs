//! The index: which rules could match a question at all.
//!
//! casbin takes some µs per rule, so it is given only the rules of which no column is known to fail: first by object (the
//! dataset, what stands above it, or `*`) and, where one object has many rules, by subject; then column by column. A rule
//! left out has a column that cannot match, so its matcher would be false; a rule that does not match never touches the
//! effect; and the order is kept. So the answer is that of the whole rule set, which a property test against stock casbin
//! holds it to. What is left goes before casbin, which alone says that a rule matches.
//!
//! Begin with [`Index::candidates`]. What it compares in bulk are numbers that lie beside each other, so that the cost does
//! not grow with the rule set; a new column of [`Rule`] needs a line in [`rest_fits`], or casbin is asked more than it need.

use std::collections::HashMap;

use crate::limits::{BUCKET_MAX, CANDIDATES_MAX};
use crate::minute::Minute;
use crate::question::Question;
use crate::reason::ReasonCode;
use crate::rule::{Action, Class, Pattern, Rule};
use crate::standing::{Named, Standing};
use crate::window::Window;

/// The number of `*`.
const ANY: u32 = 0;

/// Rules by object column; `*` stands under its own name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_object: HashMap<Box<str>, Bucket>,
    /// Names that some rule has as subject or purpose, as numbers from 1.
    numbers: HashMap<Box<str>, u32>,
}

/// The rules about one object.
#[derive(Debug)]
enum Bucket {
    Few(Vec<Entry>),
    /// By the subject's number.
    Many(HashMap<u32, Vec<Entry>>),
}

/// The columns of a rule that most often decide, small enough to go through many.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: u32,
    subject: u32,
    purpose: u32,
    action: Option<Action>,
    class_from: Class,
    class_to: Class,
    not_before: Minute,
    expires: Minute,
}

/// A question as the index compares it.
pub(crate) struct Asked<'q> {
    pub question: &'q Question,
    pub standing: &'q Standing,
    pub class: Class,
    pub now: Minute,
}

/// The numbers of a question's subject and purpose, and of all that these stand under.
struct Numbers {
    subjects: Vec<u32>,
    purposes: Vec<u32>,
}

impl Index {
    /// Indexes rules that are already in order.
    pub fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut by_object: HashMap<&str, Vec<Entry>> = HashMap::new();
        for (at, rule) in (0_u32..).zip(rules) {
            let entry = Entry {
                at,
                subject: index.number(&rule.subject),
                purpose: index.number(&rule.purpose),
                action: rule.action,
                class_from: rule.class_from,
                class_to: rule.class_to,
                not_before: rule.not_before,
                expires: rule.expires,
            };
            by_object.entry(rule.object.written()).or_default().push(entry);
        }
        index.by_object = by_object.into_iter().map(|(name, all)| (name.into(), Bucket::of(all))).collect();
        index
    }

    fn number(&mut self, pattern: &Pattern) -> u32 {
        let Pattern::Name(name) = pattern else { return ANY };
        if let Some(known) = self.numbers.get(name.as_str()) {
            return *known;
        }
        // No more names than rules, of which there are far fewer than numbers.
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.numbers.insert(name.as_str().into(), next);
        next
    }

    /// Rules whose object column fits, in order.
    pub fn about<'r>(&self, rules: &'r [Rule], standing: &Standing) -> Vec<&'r Rule> {
        let mut places: Vec<u32> =
            self.buckets(standing).flat_map(Bucket::all).map(|entry| entry.at).collect();
        in_order(&mut places, rules)
    }

    /// Rules that could match the question, in order. The edges of all that could match it at some other time narrow
    /// the window.
    ///
    /// # Errors
    /// `LIMIT` when there are more than one question may put before casbin.
    pub fn candidates<'r>(
        &self,
        rules: &'r [Rule],
        asked: &Asked<'_>,
        window: &mut Window,
    ) -> Result<Vec<&'r Rule>, ReasonCode> {
        let subject = &asked.standing.subject;
        let numbers =
            Numbers { subjects: self.of_name(subject), purposes: self.of_name(&asked.standing.purpose) };
        let mut places = Vec::new();
        for entry in self.buckets(asked.standing).flat_map(|bucket| bucket.of_subjects(&numbers.subjects)) {
            let fits = entry.fits(asked, &numbers)
                && rules.get(entry.at as usize).is_some_and(|rule| rest_fits(rule, asked));
            if !fits {
                continue;
            }
            window.edge(entry.not_before.unix());
            window.edge(entry.expires.unix());
            if (entry.not_before..entry.expires).contains(&asked.now) {
                places.push(entry.at);
            }
        }
        if places.len() > CANDIDATES_MAX { Err(ReasonCode::Limit) } else { Ok(in_order(&mut places, rules)) }
    }

    fn buckets(&self, standing: &Standing) -> impl Iterator<Item = &Bucket> {
        standing.objects().chain(std::iter::once("*")).filter_map(|name| self.by_object.get(name))
    }

    /// `*`, and the name with all that it stands under, where a rule names them.
    fn of_name(&self, named: &Named) -> Vec<u32> {
        std::iter::once(ANY).chain(named.names().filter_map(|name| self.numbers.get(name).copied())).collect()
    }
}

impl Bucket {
    fn of(entries: Vec<Entry>) -> Self {
        if entries.len() <= BUCKET_MAX {
            return Self::Few(entries);
        }
        let mut by_subject: HashMap<u32, Vec<Entry>> = HashMap::new();
        entries.into_iter().for_each(|entry| by_subject.entry(entry.subject).or_default().push(entry));
        Self::Many(by_subject)
    }

    fn all(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        match self {
            Self::Few(entries) => Box::new(entries.iter()),
            Self::Many(by_subject) => Box::new(by_subject.values().flatten()),
        }
    }

    /// The rules about these subjects, perhaps with others.
    fn of_subjects<'a>(&'a self, subjects: &'a [u32]) -> impl Iterator<Item = &'a Entry> {
        let (few, many) = match self {
            Self::Few(entries) => (Some(entries), None),
            Self::Many(by_subject) => (None, Some(by_subject)),
        };
        let named =
            many.into_iter().flat_map(move |many| subjects.iter().filter_map(|subject| many.get(subject)));
        few.into_iter().chain(named).flatten()
    }
}

impl Entry {
    /// Whether all of its columns but time could match.
    fn fits(&self, asked: &Asked<'_>, numbers: &Numbers) -> bool {
        self.action.is_none_or(|action| action == asked.question.action)
            && (self.class_from..=self.class_to).contains(&asked.class)
            && numbers.subjects.contains(&self.subject)
            && numbers.purposes.contains(&self.purpose)
    }
}

/// Whether the columns that no [`Entry`] has could match.
fn rest_fits(rule: &Rule, asked: &Asked<'_>) -> bool {
    let Asked { question, standing, .. } = asked;
    let when = &rule.when;
    let same = |pattern: &Pattern, value: &str| *pattern == Pattern::Any || pattern.written() == value;
    rule.agreement.fits(question.agreement.as_ref().map(|agreement| agreement.as_str()))
        && rule.basis.fits(question.basis.as_ref().map(|basis| basis.as_str()))
        && same(&rule.network, question.network.as_str())
        && standing.unit.fits(&when.unit)
        && standing.role.fits(&when.role)
        && (when.clearance_from..=when.clearance_to).contains(&question.clearance)
        && standing.place.fits(&when.place)
        && same(&when.route, question.route.as_str())
}

fn in_order<'r>(places: &mut [u32], rules: &'r [Rule]) -> Vec<&'r Rule> {
    places.sort_unstable();
    places.iter().filter_map(|at| rules.get(*at as usize)).collect()
}
