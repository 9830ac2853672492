//! The search for what would help: hypothetical requests, each really decided.
//!
//! Starts from rules that would permit this subject this action on this dataset, takes for each field the values
//! that such a rule wants, and puts the combinations to the engine, fewest changes first, up to a limit.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::closure::Closure;
use crate::engine::Engine;
use crate::explain::{Change, Condition, Field, conditions};
use crate::ids::{AgreementId, BASIS_EMERGENCY, BasisId, PurposeId, RuleId, ZoneId};
use crate::limits::{ALTERNATIVES_MAX, TRIALS_MAX};
use crate::minute::Minute;
use crate::question::{AgreementFacts, Dpia, Facts, Question};
use crate::rule::{Pattern, Recorded, Rule, RuleEffect, When};

/// Name of an agreement that does not exist yet.
const TO_BE_MADE: &str = "agr:to-be-made";
/// Basis put in where a rule wants any and the question has none.
const ANY_BASIS: &str = "bas:law";
/// Reference put in for an assessment that is not on record yet.
const TO_BE_FILED: &str = "to be filed";

/// A hypothetical request that was permitted.
pub(crate) struct Trial {
    pub changes: Vec<Change>,
    pub permitted_by: RuleId,
}

/// An agreement that a trial names, with what would be on record about it.
type Named = Option<(AgreementId, AgreementFacts)>;

/// What a search may change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Anything but who, which dataset, which action.
    Everything,
    /// Only documents.
    Documents,
}

/// A search for one question.
pub(crate) struct Search<'s> {
    engine: &'s Engine,
    question: &'s Question,
    facts: &'s Facts,
    others: &'s [(AgreementId, AgreementFacts)],
    reach: Reach,
}

impl<'s> Search<'s> {
    pub fn for_staff(
        engine: &'s Engine,
        question: &'s Question,
        facts: &'s Facts,
        others: &'s [(AgreementId, AgreementFacts)],
    ) -> Self {
        Self { engine, question, facts, others, reach: Reach::Everything }
    }

    pub fn for_consumer(
        engine: &'s Engine,
        question: &'s Question,
        facts: &'s Facts,
        others: &'s [(AgreementId, AgreementFacts)],
    ) -> Self {
        Self { engine, question, facts, others, reach: Reach::Documents }
    }

    /// For each rule that could permit, the smallest change under which the request is permitted.
    pub fn permits(&self) -> Vec<Trial> {
        let mut left = TRIALS_MAX;
        self.promising().into_iter().filter_map(|rule| self.smallest(rule, &mut left)).collect()
    }

    /// Rules that would permit if only changeable fields were different.
    fn promising(&self) -> Vec<&'s Rule> {
        let engine: &'s Engine = self.engine;
        let near = engine.near(self.question, self.facts).ok();
        let class = self.facts.dataset.as_ref().map(|dataset| dataset.class);
        let (Some((standing, rules)), Some(class), Some(now)) =
            (near, class, Minute::from_unix(self.question.now))
        else {
            return Vec::new();
        };
        let fixed = |condition: &Condition| match condition.field {
            Field::Subject | Field::Dataset | Field::Action | Field::Class => true,
            Field::Purpose
            | Field::Network
            | Field::Time
            | Field::Unit
            | Field::Role
            | Field::Clearance
            | Field::Place
            | Field::Route => self.reach == Reach::Documents,
            _ => false,
        };
        let reachable = |rule: &&Rule| {
            let all = conditions(rule, &standing, self.question, class, now);
            rule.effect == RuleEffect::Allow
                && all.iter().all(|condition| condition.holds || !fixed(condition))
        };
        rules.into_iter().filter(reachable).collect()
    }

    fn smallest(&self, rule: &Rule, left: &mut usize) -> Option<Trial> {
        let mut trials = self.trials(rule);
        trials.sort_by_key(|(_, _, changes)| changes.len());
        for (question, facts, changes) in trials {
            if *left == 0 {
                return None;
            }
            *left -= 1;
            let decision = self.engine.decide(&question, &facts);
            if let (true, Some(permitted_by)) = (decision.is_permit(), decision.rule) {
                return Some(Trial { changes, permitted_by });
            }
        }
        None
    }

    /// All combinations of what the rule wants, each with its changes; the unchanged request is not among them.
    fn trials(&self, rule: &Rule) -> Vec<(Question, Facts, Vec<Change>)> {
        let mut trials = Vec::new();
        let base = self.steered(rule);
        for basis in self.bases(rule) {
            for named in self.agreements(rule, base.purpose.as_ref(), base.now) {
                for dossier in BTreeSet::from([self.facts.transfer_dossier, true]) {
                    let mut question = Question { basis: basis.clone(), ..base.clone() };
                    let mut facts = Facts { transfer_dossier: dossier, ..self.facts.clone() };
                    question.agreement = named.as_ref().map(|(id, _)| id.clone());
                    facts.agreement = named.as_ref().map(|(_, agreement)| agreement.clone());
                    let changes = self.changes(&question, &facts);
                    if !changes.is_empty() {
                        trials.push((question, facts, changes));
                    }
                }
            }
        }
        trials
    }

    /// The question with purpose, network and time as the rule wants them, where they may change.
    fn steered(&self, rule: &Rule) -> Question {
        let mut question = self.question.clone();
        if self.reach == Reach::Documents {
            return question;
        }
        let closure = &self.engine.rule_set().closure;
        if let Pattern::Name(wanted) = &rule.purpose {
            let fits =
                question.purpose.as_ref().is_some_and(|asked| closure.is_under(asked.as_str(), wanted));
            if !fits {
                question.purpose = PurposeId::parse(wanted).ok();
            }
        }
        if let Pattern::Name(wanted) = &rule.network
            && let Ok(zone) = ZoneId::parse(wanted)
        {
            question.network = zone;
        }
        steer_when(&mut question, &rule.when, closure);
        let now = Minute::from_unix(question.now);
        if !now.is_some_and(|now| (rule.not_before..rule.expires).contains(&now)) {
            question.now = rule.not_before.unix();
        }
        question
    }

    /// The basis as asked, and what the rule or the law would want. A consumer is never pointed to an emergency.
    fn bases(&self, rule: &Rule) -> Vec<Option<BasisId>> {
        let asked = self.question.basis.clone();
        let wanted = match &rule.basis {
            Recorded::Name(name) => BasisId::parse(name).ok(),
            Recorded::None => None,
            Recorded::Any | Recorded::Some => asked.clone().or_else(|| BasisId::parse(ANY_BASIS).ok()),
        };
        let shown = |basis: &BasisId| self.reach == Reach::Everything || basis.as_str() != BASIS_EMERGENCY;
        let mut all = vec![asked];
        all.extend(wanted.filter(shown).map(Some));
        all.dedup();
        all
    }

    /// The agreement as asked; the same with an assessment; others of this consumer; one that is still to be made.
    fn agreements(&self, rule: &Rule, purpose: Option<&PurposeId>, now: i64) -> Vec<Named> {
        let asked = self.question.agreement.clone().zip(self.facts.agreement.clone());
        let mut all = vec![asked.clone()];
        all.extend(asked.map(|(id, agreement)| Some((id, assessed(agreement)))));
        let about_this = |agreement: &AgreementFacts| {
            agreement.consumer == self.question.subject && agreement.datasets.contains(&self.question.dataset)
        };
        let named = self.others.iter().filter(|(_, agreement)| about_this(agreement)).take(ALTERNATIVES_MAX);
        for (id, agreement) in named {
            all.push(Some((id.clone(), agreement.clone())));
            all.push(Some((id.clone(), assessed(agreement.clone()))));
        }
        let open = matches!(rule.agreement, Recorded::Any | Recorded::Some);
        if let (true, Some(purpose), Ok(id)) = (open, purpose, AgreementId::parse(TO_BE_MADE)) {
            let made = AgreementFacts {
                consumer: self.question.subject.clone(),
                datasets: vec![self.question.dataset.clone()],
                purposes: vec![purpose.clone()],
                not_before: now,
                expires: now.saturating_add(1),
                signatures: 2,
                dpia: Dpia::Missing,
            };
            all.push(Some((id.clone(), made.clone())));
            all.push(Some((id, assessed(made))));
        }
        all.dedup();
        all
    }

    fn changes(&self, question: &Question, facts: &Facts) -> Vec<Change> {
        let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let was = self.question;
        let assessment = |facts: &Facts| {
            let filed = facts.agreement.as_ref().is_some_and(|agreement| agreement.dpia == filed());
            if filed { TO_BE_FILED } else { "-" }.to_owned()
        };
        let dossier = |facts: &Facts| if facts.transfer_dossier { "filed" } else { "-" }.to_owned();
        let minute =
            |seconds| Minute::from_unix(seconds).map_or_else(String::new, |minute| minute.to_string());
        let pairs = [
            (
                Field::Purpose,
                text(was.purpose.as_ref().map(|p| p.as_str())),
                text(question.purpose.as_ref().map(|p| p.as_str())),
            ),
            (
                Field::Agreement,
                text(was.agreement.as_ref().map(|a| a.as_str())),
                text(question.agreement.as_ref().map(|a| a.as_str())),
            ),
            (
                Field::LegalBasis,
                text(was.basis.as_ref().map(|b| b.as_str())),
                text(question.basis.as_ref().map(|b| b.as_str())),
            ),
            (Field::Network, was.network.to_string(), question.network.to_string()),
            (
                Field::Unit,
                text(was.unit.as_ref().map(|u| u.as_str())),
                text(question.unit.as_ref().map(|u| u.as_str())),
            ),
            (
                Field::Role,
                text(was.role.as_ref().map(|r| r.as_str())),
                text(question.role.as_ref().map(|r| r.as_str())),
            ),
            (Field::Clearance, was.clearance.to_string(), question.clearance.to_string()),
            (
                Field::Place,
                text(was.place.as_ref().map(|p| p.as_str())),
                text(question.place.as_ref().map(|p| p.as_str())),
            ),
            (Field::Route, was.route.to_string(), question.route.to_string()),
            (Field::Time, minute(was.now), minute(question.now)),
            (Field::ImpactAssessment, assessment(self.facts), assessment(facts)),
            (Field::TransferDossier, dossier(self.facts), dossier(facts)),
        ];
        let changed = pairs.into_iter().filter(|(_, from, to)| from != to);
        changed.map(|(field, from, to)| Change { field, from, to }).collect()
    }
}

/// Unit, role, clearance, place and route as the rule wants them, where they do not fit yet.
fn steer_when(question: &mut Question, when: &When, closure: &Closure) {
    question.unit = steered_name(question.unit.take(), &when.unit, closure);
    question.role = steered_name(question.role.take(), &when.role, closure);
    question.place = steered_name(question.place.take(), &when.place, closure);
    question.clearance = question.clearance.clamp(when.clearance_from, when.clearance_to);
    if let Pattern::Name(wanted) = &when.route
        && let Ok(route) = wanted.parse()
    {
        question.route = route;
    }
}

fn steered_name<T: FromStr + AsRef<str>>(asked: Option<T>, wanted: &Pattern, closure: &Closure) -> Option<T> {
    match wanted {
        Pattern::Name(wanted) if !asked.as_ref().is_some_and(|a| closure.is_under(a.as_ref(), wanted)) => {
            wanted.parse().ok()
        }
        _ => asked,
    }
}

fn filed() -> Dpia {
    Dpia::Filed(TO_BE_FILED.to_owned())
}

/// The agreement with an assessment on record; one that has one stays as it is.
fn assessed(agreement: AgreementFacts) -> AgreementFacts {
    if agreement.dpia.on_record() { agreement } else { AgreementFacts { dpia: filed(), ..agreement } }
}
