//! Why a decision is as it is, and what would really change it.
//!
//! Two audiences. The provider's staff and auditors see each near rule condition by condition, and the changes to the
//! request that turn it into a permit; each of these was really decided. The consumer sees only which documents are
//! missing: never another purpose that would pass, never a rule, never that a hidden dataset exists.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::decision::{ConsumerView, Decision};
use crate::engine::Engine;
use crate::help::{Search, Trial};
use crate::ids::{AgreementId, RuleId};
use crate::limits::{HELPS_MAX, NEAR_RULES_MAX};
use crate::minute::Minute;
use crate::question::{AgreementFacts, Facts, Question};
use crate::rule::{Action, Class, Pattern, Rule, RuleEffect, Tier};
use crate::standing::{Named, Standing};

/// An explanation for the provider's staff and auditors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The decision that is explained.
    pub decision: Decision,
    /// Rules about the dataset, those nearest to matching first; at most 20.
    pub near: Vec<NearRule>,
    /// Changes that would turn a refusal into a permit, the fewest first; at most 3.
    pub helps: Vec<Help>,
}

/// An explanation for the other side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConsumerExplanation {
    /// The decision as the consumer may see it.
    #[serde(flatten)]
    pub view: ConsumerView,
    /// Documents with which the same request would be permitted; empty when documents alone do not help.
    pub missing: BTreeSet<MissingDocument>,
}

/// A document that a consumer can ask for or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingDocument {
    /// An agreement in force for this dataset and purpose.
    Agreement,
    /// A legal basis on record.
    LegalBasis,
    /// An impact assessment.
    ImpactAssessment,
    /// A dossier for sending data abroad.
    TransferDossier,
}

/// A rule held against the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearRule {
    /// The rule.
    pub rule: RuleId,
    /// Its tier.
    pub tier: Tier,
    /// What it says when it matches.
    pub effect: RuleEffect,
    /// Each condition and whether it holds.
    pub conditions: Vec<Condition>,
}

impl NearRule {
    /// True when every condition holds, which is when casbin's matcher is true.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.conditions.iter().all(|condition| condition.holds)
    }

    fn failing(&self) -> usize {
        self.conditions.iter().filter(|condition| !condition.holds).count()
    }
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Which field of the question.
    pub field: Field,
    /// Whether the question meets it.
    pub holds: bool,
    /// What the question has.
    pub asked: String,
    /// What the rule wants.
    pub wanted: String,
}

/// A field of the question or a fact that a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Who asks.
    Subject,
    /// Which dataset.
    Dataset,
    /// Which action.
    Action,
    /// What for.
    Purpose,
    /// Under which agreement.
    Agreement,
    /// On which legal basis.
    LegalBasis,
    /// Through which network.
    Network,
    /// For which unit.
    Unit,
    /// In which role.
    Role,
    /// Up to which class the person is cleared.
    Clearance,
    /// Where the data is used.
    Place,
    /// Which way the data takes.
    Route,
    /// The dataset's class.
    Class,
    /// When.
    Time,
    /// The impact assessment on record.
    ImpactAssessment,
    /// The dossier for sending data abroad.
    TransferDossier,
}

/// A set of changes under which the request was really decided as a permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Help {
    /// The rule that would permit.
    pub rule: RuleId,
    /// What would have to be different.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What changes.
    pub field: Field,
    /// What it is.
    pub from: String,
    /// What it would be.
    pub to: String,
}

impl Engine {
    /// Explains a decision to the provider's staff or an auditor. `others` are agreements that could be named instead.
    #[must_use]
    pub fn explain(
        &self,
        question: &Question,
        facts: &Facts,
        others: &[(AgreementId, AgreementFacts)],
    ) -> Explanation {
        let decision = self.decide(question, facts);
        let near = self.near_rules(question, facts);
        let helps = if decision.is_permit() { Vec::new() } else { self.helps(question, facts, others) };
        Explanation { decision, near, helps }
    }

    /// Explains a decision to the consumer.
    #[must_use]
    pub fn explain_to_consumer(
        &self,
        question: &Question,
        facts: &Facts,
        others: &[(AgreementId, AgreementFacts)],
    ) -> ConsumerExplanation {
        let decision = self.decide(question, facts);
        let looking = Question { action: Action::Discover, ..question.clone() };
        let may_discover = self.decide(&looking, facts).is_permit();
        let missing = if decision.is_permit() || !may_discover {
            BTreeSet::new()
        } else {
            self.missing(question, facts, others)
        };
        ConsumerExplanation { view: decision.for_consumer(may_discover), missing }
    }

    fn near_rules(&self, question: &Question, facts: &Facts) -> Vec<NearRule> {
        let (Ok((standing, rules)), Some(now)) =
            (self.near(question, facts), Minute::from_unix(question.now))
        else {
            return Vec::new();
        };
        let Some(class) = facts.dataset.as_ref().map(|dataset| dataset.class) else { return Vec::new() };
        let mut near: Vec<NearRule> = rules
            .into_iter()
            .map(|rule| NearRule {
                rule: rule.id.clone(),
                tier: rule.tier,
                effect: rule.effect,
                conditions: conditions(rule, &standing, question, class, now),
            })
            .collect();
        near.sort_by_key(NearRule::failing);
        near.truncate(NEAR_RULES_MAX);
        near
    }

    fn helps(
        &self,
        question: &Question,
        facts: &Facts,
        others: &[(AgreementId, AgreementFacts)],
    ) -> Vec<Help> {
        let mut helps: Vec<Help> = Vec::new();
        for Trial { changes, permitted_by, .. } in Search::for_staff(self, question, facts, others).permits()
        {
            if helps.iter().all(|help| help.changes != changes) {
                helps.push(Help { rule: permitted_by, changes });
            }
        }
        helps.sort_by_key(|help| help.changes.len());
        helps.truncate(HELPS_MAX);
        helps
    }

    fn missing(
        &self,
        question: &Question,
        facts: &Facts,
        others: &[(AgreementId, AgreementFacts)],
    ) -> BTreeSet<MissingDocument> {
        let permits = Search::for_consumer(self, question, facts, others).permits();
        let fewest = permits.into_iter().min_by_key(|trial| trial.changes.len());
        let fields = fewest.into_iter().flat_map(|trial| trial.changes).map(|change| change.field);
        fields
            .filter_map(|field| match field {
                Field::Agreement => Some(MissingDocument::Agreement),
                Field::LegalBasis => Some(MissingDocument::LegalBasis),
                Field::ImpactAssessment => Some(MissingDocument::ImpactAssessment),
                Field::TransferDossier => Some(MissingDocument::TransferDossier),
                _ => None,
            })
            .collect()
    }
}

/// A rule held against a question, condition by condition. All hold exactly when casbin's matcher is true; a property
/// test holds the two together.
pub(crate) fn conditions(
    rule: &Rule,
    standing: &Standing,
    question: &Question,
    class: Class,
    now: Minute,
) -> Vec<Condition> {
    let mut all = name_conditions(rule, standing, question);
    let agreement = question.agreement.as_ref().map(|a| a.as_str());
    let basis = question.basis.as_ref().map(|b| b.as_str());
    let network = question.network.as_str();
    let same_network = rule.network == Pattern::Any || rule.network.written() == network;
    let in_class = (rule.class_from..=rule.class_to).contains(&class);
    let in_time = (rule.not_before..rule.expires).contains(&now);
    let classes = format!("{} to {}", rule.class_from, rule.class_to);
    let times = format!("from {} until {}", rule.not_before, rule.expires);
    all.extend([
        row(
            Field::Agreement,
            rule.agreement.fits(agreement),
            agreement.unwrap_or("-"),
            rule.agreement.written(),
        ),
        row(Field::LegalBasis, rule.basis.fits(basis), basis.unwrap_or("-"), rule.basis.written()),
        row(Field::Network, same_network, network, rule.network.written()),
        row(Field::Class, in_class, &class.to_string(), &classes),
        row(Field::Time, in_time, &now.to_string(), &times),
    ]);
    all.extend(when_conditions(rule, standing, question));
    all
}

/// The conditions that most rules leave open.
fn when_conditions(rule: &Rule, standing: &Standing, question: &Question) -> [Condition; 5] {
    let when = &rule.when;
    let named =
        |field, own: &Named, pattern: &Pattern| row(field, own.fits(pattern), &own.name, pattern.written());
    let cleared = (when.clearance_from..=when.clearance_to).contains(&question.clearance);
    let clearances = format!("{} to {}", when.clearance_from, when.clearance_to);
    let route = question.route.as_str();
    let same_route = when.route == Pattern::Any || when.route.written() == route;
    [
        named(Field::Unit, &standing.unit, &when.unit),
        named(Field::Role, &standing.role, &when.role),
        row(Field::Clearance, cleared, &question.clearance.to_string(), &clearances),
        named(Field::Place, &standing.place, &when.place),
        row(Field::Route, same_route, route, when.route.written()),
    ]
}

/// The columns that name something or what stands above it, and the action.
fn name_conditions(rule: &Rule, standing: &Standing, question: &Question) -> Vec<Condition> {
    let under =
        |field, own: &Named, pattern: &Pattern| row(field, own.fits(pattern), &own.name, pattern.written());
    let action = question.action;
    let same_action = rule.action.is_none_or(|wanted| wanted == action);
    vec![
        under(Field::Subject, &standing.subject, &rule.subject),
        under(Field::Dataset, &standing.dataset, &rule.object),
        row(Field::Action, same_action, action.written(), rule.action.map_or("*", Action::written)),
        under(Field::Purpose, &standing.purpose, &rule.purpose),
    ]
}

fn row(field: Field, holds: bool, asked: &str, wanted: &str) -> Condition {
    Condition { field, holds, asked: asked.to_owned(), wanted: wanted.to_owned() }
}
