//! Which values of each field are worth trying for one party, one dataset and one action.
//!
//! Promise: every question about the three answers like one of the combinations of these values. Names are sorted into
//! classes by which named names they stand under; rules and agreements cannot tell the members of a class apart. A field
//! that no rule about the dataset restricts and no invariant looks at has one value.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::world::{KnownDataset, World};
use super::{Cell, Field};
use crate::closure::Closure;
use crate::ids::{
    AgreementId, BASIS_CONSENT, BASIS_EMERGENCY, BasisId, PlaceId, PurposeId, RoleId, RouteId, SubjectId,
    UnitId, ZoneId,
};
use crate::question::{AgreementFacts, Dpia, Facts, Personal, Question, SharingKind};
use crate::rule::{Action, Class, LinkKind, Pattern, Recorded, Rule};
use crate::rule_set::RuleSet;

/// A field with the values that are tried for it.
pub(super) struct Dimension {
    pub field: Field,
    pub choices: Vec<Choice>,
}

/// One value, and what it stands for.
pub(super) struct Choice {
    labels: Vec<String>,
    value: Value,
}

/// A value of a field.
enum Value {
    Purpose(Option<PurposeId>),
    Agreement(Option<(AgreementId, AgreementFacts, bool)>),
    /// One that is made for this very question.
    NewAgreement(AgreementId, Dpia),
    Basis(Option<BasisId>),
    Network(ZoneId),
    Unit(Option<UnitId>),
    Role(Option<RoleId>),
    Clearance(Class),
    Place(Option<PlaceId>),
    Route(RouteId),
}

/// Label of no value.
const NONE: &str = "none";
/// Label of any value that has no label of its own.
const OTHER: &str = "any other";
/// The same where no value has one.
const SOME: &str = "some";
/// Label of an agreement that is still to be made.
const NEW: &str = "a new one";

/// The label of values that nobody names.
fn other(named: &BTreeSet<&str>) -> &'static str {
    if named.is_empty() { SOME } else { OTHER }
}

impl Choice {
    fn new(label: impl Into<String>, value: Value) -> Self {
        Self { labels: vec![label.into()], value }
    }

    /// Puts the value into a question. Agreements come after purposes: a new one covers the purpose asked for.
    pub fn put(&self, question: &mut Question, facts: &mut Facts) {
        match &self.value {
            Value::Purpose(purpose) => question.purpose.clone_from(purpose),
            Value::Agreement(None) => {}
            Value::Agreement(Some((id, agreement, dossier))) => {
                question.agreement = Some(id.clone());
                facts.agreement = Some(agreement.clone());
                facts.transfer_dossier = *dossier;
            }
            Value::NewAgreement(id, dpia) => {
                question.agreement = Some(id.clone());
                facts.agreement = Some(AgreementFacts {
                    consumer: question.subject.clone(),
                    datasets: vec![question.dataset.clone()],
                    purposes: question.purpose.iter().cloned().collect(),
                    not_before: question.now,
                    expires: question.now.saturating_add(1),
                    signatures: 2,
                    dpia: dpia.clone(),
                });
            }
            Value::Basis(basis) => question.basis.clone_from(basis),
            Value::Network(zone) => question.network = zone.clone(),
            Value::Unit(unit) => question.unit.clone_from(unit),
            Value::Role(role) => question.role.clone_from(role),
            Value::Clearance(clearance) => question.clearance = *clearance,
            Value::Place(place) => question.place.clone_from(place),
            Value::Route(route) => question.route = route.clone(),
        }
    }
}

impl Dimension {
    /// The values at these positions as people see them.
    pub fn cell(&self, at: &[usize]) -> Cell {
        if at.len() == self.choices.len() {
            return Cell::Any;
        }
        let chosen = at.iter().filter_map(|at| self.choices.get(*at));
        Cell::Of(chosen.flat_map(|choice| choice.labels.iter().cloned()).collect())
    }
}

/// How many combinations of values there are.
pub(super) fn combinations(fields: &[Dimension]) -> u64 {
    fields.iter().map(|field| field.choices.len() as u64).fold(1, u64::saturating_mul)
}

/// All fields but the action with their values, those that people ask about first. `rules` are those that can match.
pub(super) fn dimensions(
    set: &RuleSet,
    rules: &[&Rule],
    world: &World,
    subject: &SubjectId,
    dataset: &KnownDataset,
    action: Action,
) -> Vec<Dimension> {
    let tree = Tree { set, rules };
    let mut fields = vec![(Field::Purpose, purposes(&tree, world, subject, dataset))];
    fields.push((Field::LegalBasis, bases(rules, dataset)));
    fields.push((Field::Agreement, agreements(world, subject, dataset, action)));
    fields.push((Field::Network, zones(rules, world)));
    fields.push((Field::Unit, tree.names(LinkKind::Subject, |rule| &rule.when.unit, Value::Unit)));
    fields.push((Field::Role, tree.names(LinkKind::Subject, |rule| &rule.when.role, Value::Role)));
    fields.push((Field::Clearance, clearances(rules)));
    fields.push((Field::Place, tree.names(LinkKind::Place, |rule| &rule.when.place, Value::Place)));
    fields.push((Field::Route, routes(rules, world)));
    fields.into_iter().map(|(field, choices)| Dimension { field, choices }).collect()
}

/// The links and rules that names are sorted by.
struct Tree<'r> {
    set: &'r RuleSet,
    rules: &'r [&'r Rule],
}

impl<'r> Tree<'r> {
    /// Values of a field that rules restrict by name; one value when none does.
    fn names<T: FromStr + Unnamed>(
        &self,
        kind: LinkKind,
        column: fn(&Rule) -> &Pattern,
        value: fn(Option<T>) -> Value,
    ) -> Vec<Choice> {
        let named = named(self.rules, column);
        if named.is_empty() {
            return vec![Choice::new(OTHER, value(None))];
        }
        self.classes(kind, &named, value)
    }

    /// None, one name of each class, and one that stands under nothing that is named.
    fn classes<T: FromStr + Unnamed>(
        &self,
        kind: LinkKind,
        named: &BTreeSet<&str>,
        value: fn(Option<T>) -> Value,
    ) -> Vec<Choice> {
        let links = || self.set.links().iter().filter(move |link| link.kind == kind);
        let known = links().flat_map(|link| [link.from.as_str(), link.to.as_str()]);
        let known: BTreeSet<&str> = known.chain(named.iter().copied()).collect();
        let mut choices = vec![Choice::new(NONE, value(None))];
        for labels in sorted_into_classes(&known, named, &self.set.closure) {
            // Names of another kind (groups beside units) are none that this field can have.
            let labels: Vec<&str> = labels.into_iter().filter(|name| name.parse::<T>().is_ok()).collect();
            if let Some(one) = labels.first().and_then(|name| name.parse().ok()) {
                let labels = labels.into_iter().map(str::to_owned).collect();
                choices.push(Choice { labels, value: value(Some(one)) });
            }
        }
        let unnamed = T::unnamed(&|name| known.contains(name));
        choices.push(Choice::new(other(named), value(Some(unnamed))));
        choices
    }
}

/// Kinds of names that can stand for all that nobody uses.
trait Unnamed {
    fn unnamed(used: &dyn Fn(&str) -> bool) -> Self;
}

macro_rules! unnamed {
    ($($kind:ty),*) => {$(
        impl Unnamed for $kind {
            fn unnamed(used: &dyn Fn(&str) -> bool) -> Self {
                <$kind>::unnamed(used)
            }
        }
    )*};
}

unnamed!(PurposeId, UnitId, RoleId, PlaceId);

/// Known names that stand under the same named ones, together; those under none are left out. Broader names first.
fn sorted_into_classes<'n>(
    known: &BTreeSet<&'n str>,
    named: &BTreeSet<&str>,
    closure: &Closure,
) -> Vec<Vec<&'n str>> {
    let mut classes: BTreeMap<BTreeSet<&str>, Vec<&'n str>> = BTreeMap::new();
    for name in known {
        let above = closure.above(name).filter(|up| named.contains(up));
        let under: BTreeSet<&str> = above.chain(named.get(name).copied()).collect();
        if !under.is_empty() {
            classes.entry(under.into_iter().collect()).or_default().push(name);
        }
    }
    let depth = |name: &&str| closure.above(name).count();
    let mut classes: Vec<Vec<&str>> = classes.into_values().collect();
    classes.iter_mut().for_each(|names| names.sort_by_key(depth));
    classes.sort_by_key(|names| names.first().map(depth));
    classes
}

fn named<'r>(rules: &[&'r Rule], column: fn(&Rule) -> &Pattern) -> BTreeSet<&'r str> {
    let names = rules.iter().filter_map(|rule| match column(rule) {
        Pattern::Name(name) => Some(name.as_str()),
        Pattern::Any => None,
    });
    names.collect()
}

fn about_both<'w>(
    world: &'w World,
    subject: &'w SubjectId,
    dataset: &'w KnownDataset,
) -> impl Iterator<Item = &'w super::KnownAgreement> {
    let agreements = world.agreements.iter();
    agreements.filter(|known| known.facts.consumer == *subject && known.facts.datasets.contains(&dataset.id))
}

/// Invariants look at the purpose (is there one, is it in the agreement), so none and any other are always tried.
fn purposes(tree: &Tree<'_>, world: &World, subject: &SubjectId, dataset: &KnownDataset) -> Vec<Choice> {
    let mut names = named(tree.rules, |rule| &rule.purpose);
    for known in about_both(world, subject, dataset) {
        names.extend(known.facts.purposes.iter().map(|purpose| purpose.as_str()));
    }
    tree.classes(LinkKind::Purpose, &names, Value::Purpose)
}

fn bases(rules: &[&Rule], dataset: &KnownDataset) -> Vec<Choice> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for rule in rules {
        if let Recorded::Name(name) = &rule.basis {
            names.insert(name);
        }
    }
    // What invariants look at.
    let record = &dataset.facts;
    if record.personal != Personal::None {
        names.insert(BASIS_CONSENT);
    }
    if record.kind == SharingKind::Special || record.personal == Personal::Sensitive {
        names.insert(BASIS_EMERGENCY);
    }
    let mut choices = vec![Choice::new(NONE, Value::Basis(None))];
    for name in &names {
        choices.extend(BasisId::parse(name).ok().map(|basis| Choice::new(*name, Value::Basis(Some(basis)))));
    }
    let unnamed = BasisId::unnamed(|name| names.contains(name));
    choices.push(Choice::new(other(&names), Value::Basis(Some(unnamed))));
    choices
}

/// None, those on record between the two, and for data that moves one that could be made. Any other is refused by law.
fn agreements(world: &World, subject: &SubjectId, dataset: &KnownDataset, action: Action) -> Vec<Choice> {
    let mut choices = vec![Choice::new(NONE, Value::Agreement(None))];
    for known in about_both(world, subject, dataset) {
        let value = Value::Agreement(Some((known.id.clone(), known.facts.clone(), known.dossier)));
        choices.push(Choice::new(known.id.as_str(), value));
    }
    if let Some(dpia) = dataset.new_agreement.as_ref().filter(|_| action.moves_content()) {
        let id = AgreementId::unnamed(|name| world.agreements.iter().any(|known| known.id.as_str() == name));
        choices.push(Choice::new(NEW, Value::NewAgreement(id, dpia.clone())));
    }
    choices
}

fn zones(rules: &[&Rule], world: &World) -> Vec<Choice> {
    if !world.zones.is_empty() {
        return world
            .zones
            .iter()
            .map(|zone| Choice::new(zone.as_str(), Value::Network(zone.clone())))
            .collect();
    }
    let names = named(rules, |rule| &rule.network);
    let mut choices: Vec<Choice> = Vec::new();
    for name in &names {
        choices.extend(ZoneId::parse(name).ok().map(|zone| Choice::new(*name, Value::Network(zone))));
    }
    let other = ZoneId::unnamed(|name| names.contains(name));
    choices.push(Choice::new(OTHER, Value::Network(other)));
    choices
}

/// The straight way, those that rules name, and any other.
fn routes(rules: &[&Rule], world: &World) -> Vec<Choice> {
    if !world.routes.is_empty() {
        let route = |route: &RouteId| Choice::new(route.as_str(), Value::Route(route.clone()));
        return world.routes.iter().map(route).collect();
    }
    let names = named(rules, |rule| &rule.when.route);
    let direct = RouteId::default();
    let mut choices = vec![Choice::new(direct.as_str(), Value::Route(direct.clone()))];
    for name in names.iter().filter(|name| **name != direct.as_str()) {
        choices.extend(RouteId::parse(name).ok().map(|route| Choice::new(*name, Value::Route(route))));
    }
    if !names.is_empty() {
        let other = RouteId::unnamed(|name| names.contains(name) || name == direct.as_str());
        choices.push(Choice::new(OTHER, Value::Route(other)));
    }
    choices
}

/// One clearance of each stretch between two edges of rules.
fn clearances(rules: &[&Rule]) -> Vec<Choice> {
    let mut starts = BTreeSet::from([0]);
    for rule in rules {
        starts.insert(rule.when.clearance_from.get());
        starts.insert(rule.when.clearance_to.get() + 1);
    }
    let starts: Vec<u8> = starts.into_iter().filter(|start| *start <= Class::SECRET.get()).collect();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([Class::SECRET.get()]);
    let stretches = starts.iter().zip(ends);
    let choice = |(start, end): (&u8, u8)| {
        let label = if *start == end { start.to_string() } else { format!("{start}–{end}") };
        Class::new(*start).map(|class| Choice::new(label, Value::Clearance(class)))
    };
    stretches.filter_map(choice).collect()
}
