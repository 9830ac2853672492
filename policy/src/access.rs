//! Access: who can see a dataset, and what an agency can see, by one rule set at one moment.
//!
//! Every row of the table was really decided by the engine. Only values that can make a difference are tried: names that
//! some rule about the dataset or some agreement names, one that none names ("any other"), and none. Names that stand
//! under the same named ones answer alike, so one of them is asked for all. Volume so far is taken as nothing.
//!
//! What it is not: it does not say what was given (the ledger does), and it shows possibilities, not permits.
//! Begin with [`who_sees`] and [`what_is_seen_by`].

mod choices;
mod world;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Serialize, Serializer};

use crate::engine::Engine;
use crate::explain::Field;
use crate::ids::{DatasetId, RuleId, SubjectId};
use crate::impact::Compared;
use crate::limits::{ACCESS_DECISIONS_MAX, ACCESS_ROWS_MAX};
use crate::obligations::Obligations;
use crate::question::{Facts, PartyFacts, Question};
use crate::rule::{Action, Class, Rule, RuleEffect};
use crate::standing::Standing;
use choices::Dimension;
pub use world::{KnownAgreement, KnownDataset, KnownParty, Who, World};

/// How much one table may decide and show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessLimits {
    /// Most hypothetical questions.
    pub decisions: u64,
    /// Most rows.
    pub rows: usize,
}

impl Default for AccessLimits {
    fn default() -> Self {
        Self { decisions: ACCESS_DECISIONS_MAX, rows: ACCESS_ROWS_MAX }
    }
}

/// What is permitted, as a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Access {
    /// The rule set that decided.
    pub rules: Compared,
    /// The moment it was decided for, Unix seconds.
    pub at: i64,
    /// The permits.
    pub rows: Vec<Row>,
    /// Questions decided.
    pub decided: u64,
    /// Pairs of party and dataset that were not looked at, because the limit on decisions was reached.
    pub pairs_left_out: u64,
    /// Rows that are not shown, because the limit on rows was reached.
    pub rows_left_out: u64,
}

/// Questions that are all permitted by one rule under the same obligations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Who may.
    pub party: Who,
    /// What it may have.
    pub dataset: DatasetId,
    /// For each field of the question the values with which it may; every combination of them.
    pub fields: BTreeMap<Field, Cell>,
    /// The rule that decides.
    pub rule: RuleId,
    /// The duties that apply.
    pub duties: Vec<RuleId>,
    /// What it obliges to.
    pub obligations: Obligations,
}

/// Values of one field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Whatever the value.
    Any,
    /// One of these: names, `none`, `some`, `any other`, `a new one`; broader names before those that stand under them.
    Of(Vec<String>),
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => s.serialize_str("any"),
            Self::Of(values) => values.serialize(s),
        }
    }
}

/// Who can see a dataset: the parties of `world`, any member of each group that a rule names, and any other.
#[must_use]
pub fn who_sees(engine: &Engine, world: &World, dataset: &DatasetId, limits: AccessLimits) -> Access {
    let mut table = Table::new(engine, world, limits);
    for known in world.datasets.iter().filter(|known| known.id == *dataset) {
        let rules = table.about(known);
        for (who, subject, facts) in world.candidates(&rules) {
            table.pair(&who, &subject, &facts, known, &rules);
        }
    }
    table.access
}

/// What a party of `world` can see.
#[must_use]
pub fn what_is_seen_by(engine: &Engine, world: &World, party: &SubjectId, limits: AccessLimits) -> Access {
    let mut table = Table::new(engine, world, limits);
    for known in world.parties.iter().filter(|known| known.id == *party) {
        for dataset in &world.datasets {
            let rules = table.about(dataset);
            table.pair(&Who::Known(known.id.clone()), &known.id, &known.facts, dataset, &rules);
        }
    }
    table.access
}

/// A permit without the question: what rows are told apart by.
#[derive(PartialEq)]
struct Outcome {
    rule: RuleId,
    duties: Vec<RuleId>,
    obligations: Obligations,
}

/// Positions of values, field by field.
type Cells = Vec<Vec<usize>>;

/// The table while it is made.
struct Table<'w> {
    engine: &'w Engine,
    world: &'w World,
    limits: AccessLimits,
    by_object: HashMap<&'w str, Vec<&'w Rule>>,
    allows: HashSet<&'w RuleId>,
    access: Access,
}

impl<'w> Table<'w> {
    fn new(engine: &'w Engine, world: &'w World, limits: AccessLimits) -> Self {
        let set = engine.rule_set();
        let mut by_object: HashMap<&str, Vec<&Rule>> = HashMap::new();
        for rule in set.grants().iter().chain(set.duties()) {
            by_object.entry(rule.object.written()).or_default().push(rule);
        }
        let rules = Compared { version: set.version(), sha256: set.digest() };
        let access =
            Access { rules, at: world.at, rows: Vec::new(), decided: 0, pairs_left_out: 0, rows_left_out: 0 };
        let allows = set.grants().iter().filter(|rule| rule.effect == RuleEffect::Allow);
        Self { engine, world, limits, by_object, allows: allows.map(|rule| &rule.id).collect(), access }
    }

    /// Grants and duties whose object column fits the dataset.
    fn about(&self, dataset: &KnownDataset) -> Vec<&'w Rule> {
        let asked = self.question(&self.world.somebody(), &dataset.id);
        let facts = Facts { dataset: Some(dataset.facts.clone()), ..Facts::default() };
        // A record that contradicts the rules' links is refused whole; then no rule is about it.
        let Ok(standing) = Standing::of(
            self.engine.rule_set().invariants(),
            &self.engine.rule_set().closure,
            &asked,
            &facts,
        ) else {
            return Vec::new();
        };
        let names = standing.objects().chain(std::iter::once("*"));
        names.filter_map(|name| self.by_object.get(name)).flatten().copied().collect()
    }

    fn question(&self, subject: &SubjectId, dataset: &DatasetId) -> Question {
        Question {
            subject: subject.clone(),
            unit: None,
            role: None,
            clearance: Class::OPEN,
            action: Action::Query,
            dataset: dataset.clone(),
            purpose: None,
            agreement: None,
            basis: None,
            network: self.world.zone(),
            place: None,
            route: crate::ids::RouteId::default(),
            now: self.world.at,
        }
    }

    /// Decides every combination of values for one party and one dataset, action by action.
    fn pair(
        &mut self,
        who: &Who,
        subject: &SubjectId,
        party: &PartyFacts,
        dataset: &KnownDataset,
        rules: &[&Rule],
    ) {
        let question = self.question(subject, &dataset.id);
        let facts =
            Facts { party: Some(party.clone()), dataset: Some(dataset.facts.clone()), ..Facts::default() };
        let (Ok(standing), true) = (
            Standing::of(
                self.engine.rule_set().invariants(),
                &self.engine.rule_set().closure,
                &question,
                &facts,
            ),
            party.active,
        ) else {
            return;
        };
        let mut asked = Vec::new();
        for action in Action::ALL {
            let fit = self.fitting(rules, &standing, dataset, action);
            // Duties alone permit nothing.
            if fit.iter().any(|rule| self.allows.contains(&rule.id)) {
                let set = self.engine.rule_set();
                let fields = choices::dimensions(set, &fit, self.world, subject, dataset, action);
                asked.push((action, fields));
            }
        }
        let combinations = asked.iter().map(|(_, fields)| choices::combinations(fields));
        let combinations = combinations.fold(0, u64::saturating_add);
        // A pair is looked at whole or not at all, so that `any` means any.
        if combinations > self.limits.decisions.saturating_sub(self.access.decided) {
            self.access.pairs_left_out += 1;
            return;
        }
        self.access.decided += combinations;
        let mut permits = Permits::default();
        for (action, fields) in &asked {
            let question = Question { action: *action, ..question.clone() };
            self.decide(&question, &facts, fields, &mut permits);
        }
        for row in permits.rows(who, &dataset.id) {
            if self.access.rows.len() < self.limits.rows {
                self.access.rows.push(row);
            } else {
                self.access.rows_left_out += 1;
            }
        }
    }

    /// The rules that can match at all: the other columns are the same in every combination.
    fn fitting(
        &self,
        rules: &[&'w Rule],
        standing: &Standing,
        dataset: &KnownDataset,
        action: Action,
    ) -> Vec<&'w Rule> {
        let fits = |rule: &&Rule| {
            standing.subject.fits(&rule.subject)
                && rule.action.is_none_or(|own| own == action)
                && (rule.class_from..=rule.class_to).contains(&dataset.facts.class)
                && (rule.not_before.unix()..rule.expires.unix()).contains(&self.world.at)
        };
        rules.iter().copied().filter(fits).collect()
    }

    fn decide(&self, base: &Question, known: &Facts, fields: &[Dimension], permits: &mut Permits) {
        let mut found: Vec<(usize, Cells)> = Vec::new();
        let mut at = vec![0; fields.len()];
        loop {
            let (mut question, mut facts) = (base.clone(), known.clone());
            for (field, at) in fields.iter().zip(&at) {
                if let Some(choice) = field.choices.get(*at) {
                    choice.put(&mut question, &mut facts);
                }
            }
            if let Some(outcome) = self.permitted(&question, &facts) {
                found.push((permits.place(outcome), at.iter().map(|at| vec![*at]).collect()));
            }
            if !step(&mut at, fields) {
                break;
            }
        }
        for (outcome, cells) in merged(found, fields.len()) {
            let cells = fields.iter().zip(&cells).map(|(field, at)| (field.field, field.cell(at)));
            permits.by_content.entry((outcome, cells.collect())).or_default().push(base.action);
        }
    }

    fn permitted(&self, question: &Question, facts: &Facts) -> Option<Outcome> {
        let decision = self.engine.decide(question, facts);
        let obligations = decision.obligations()?.clone();
        Some(Outcome { rule: decision.rule?, duties: decision.duties, obligations })
    }
}

/// The permits of one pair, by what they are told apart by.
#[derive(Default)]
struct Permits {
    outcomes: Vec<Outcome>,
    by_content: BTreeMap<(usize, BTreeMap<Field, Cell>), Vec<Action>>,
}

impl Permits {
    fn place(&mut self, outcome: Outcome) -> usize {
        self.outcomes.iter().position(|known| *known == outcome).unwrap_or_else(|| {
            self.outcomes.push(outcome);
            self.outcomes.len() - 1
        })
    }

    /// One row for all actions that are permitted alike.
    fn rows(self, who: &Who, dataset: &DatasetId) -> Vec<Row> {
        let row = |((outcome, mut fields), actions): ((usize, BTreeMap<Field, Cell>), Vec<Action>)| {
            let outcome = self.outcomes.get(outcome)?;
            let actions = if actions.len() == Action::ALL.len() {
                Cell::Any
            } else {
                Cell::Of(actions.into_iter().map(|action| action.written().to_owned()).collect())
            };
            fields.insert(Field::Action, actions);
            Some(Row {
                party: who.clone(),
                dataset: dataset.clone(),
                fields,
                rule: outcome.rule.clone(),
                duties: outcome.duties.clone(),
                obligations: outcome.obligations.clone(),
            })
        };
        self.by_content.into_iter().filter_map(row).collect()
    }
}

/// The next combination; false after the last.
fn step(at: &mut [usize], fields: &[Dimension]) -> bool {
    for (at, field) in at.iter_mut().zip(fields) {
        *at += 1;
        if *at < field.choices.len() {
            return true;
        }
        *at = 0;
    }
    false
}

/// Rows that differ in one field only become one row; the fields that people ask about last are put together first.
fn merged(mut rows: Vec<(usize, Cells)>, fields: usize) -> Vec<(usize, Cells)> {
    for field in (0..fields).rev() {
        let mut together: BTreeMap<(usize, Cells), Vec<usize>> = BTreeMap::new();
        for (outcome, mut cells) in rows {
            let values = cells.get_mut(field).map(std::mem::take).unwrap_or_default();
            together.entry((outcome, cells)).or_default().extend(values);
        }
        rows = together
            .into_iter()
            .map(|((outcome, mut cells), mut values)| {
                values.sort_unstable();
                if let Some(cell) = cells.get_mut(field) {
                    *cell = values;
                }
                (outcome, cells)
            })
            .collect();
    }
    rows
}
