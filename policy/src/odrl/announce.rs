//! What an offer may announce to one party: permissions with their duties, each found by really deciding.
//!
//! Rules of several tiers cannot stand in one offer, and rules about others must not. So an offer does not repeat rules:
//! the questions that this party could ask are put to the engine, and those that it permits are said, grouped by what
//! they oblige to. Which questions are tried comes only from rules that are about this party and this dataset.
//!
//! An announcement is no promise: the rules decide when something is asked. It never says more than was permitted then.

mod search;

use std::collections::{BTreeMap, BTreeSet};

use super::model::{OdrlConstraint, OdrlDuty, Operator, Right};
use super::names::iri_of;
use search::{Search, Wish};

use crate::digest::CanonError;
use crate::engine::Engine;
use crate::ids::{BasisId, PlaceId, PurposeId, RoleId, UnitId};
use crate::limits::{ANNOUNCEMENTS_MAX, WISHES_MAX};
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::{Facts, Question};
use crate::rule::{Action, Class, LinkKind, Pattern, Recorded, Rule, RuleEffect};

/// A basis that no rule names: what it opens, any basis on record opens.
const PROBE: &str = "bas:any-on-record";

/// Which legal basis must be stated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BasisTerm {
    /// None need be.
    Any,
    /// Some.
    Some,
    /// This one.
    Named(BasisId),
}

/// Who asks from where, as far as rules look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// The unit.
    pub unit: Option<UnitId>,
    /// The role.
    pub role: Option<RoleId>,
    /// The clearance.
    pub clearance: Class,
    /// The place of use.
    pub place: Option<PlaceId>,
}

/// One permission that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What may be done; none is both asking and taking a copy.
    pub action: Option<Action>,
    /// For which purposes, any of them; empty is for any.
    pub purposes: Vec<PurposeId>,
    /// On which basis.
    pub basis: BasisTerm,
    /// Who must ask from where.
    pub stated: Stated,
    /// Before this minute: then a rule that permits it ends.
    pub until: Option<Minute>,
    /// Under which obligations.
    pub obligations: Obligations,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The permissions; none when nothing that was tried is permitted.
    pub permissions: Vec<Announcement>,
    /// False when a limit ended the search, so that there may be more.
    pub complete: bool,
}

/// What must be the same for purposes to stand in one permission.
type Group = (Stated, BasisTerm, Option<Minute>, String);

/// Purposes that are treated alike, and how.
type Groups = BTreeMap<Group, (BTreeSet<Option<PurposeId>>, Obligations)>;
/// A permission on one basis: obligations, and until when.
type Ground = (BasisTerm, Obligations, Option<Minute>);

/// Finds what `question`'s subject may have of its dataset. Of the question only subject, dataset, agreement, network,
/// route and time count; `purposes` are tried besides those that rules name, `deliverable` says which obligations this
/// node can keep.
///
/// # Errors
/// [`CanonError`] when obligations have no canonical form; none that a rule set holds does that.
pub fn announce(
    engine: &Engine,
    question: &Question,
    facts: &Facts,
    purposes: &[PurposeId],
    deliverable: impl Fn(&Obligations) -> bool,
) -> Result<Announced, CanonError> {
    let tried = Tried::of(engine, question, facts, purposes);
    let mut search = Search::new(engine, question, facts, &tried.grants, &tried.duties);
    let mut found: BTreeMap<Action, Groups> = BTreeMap::new();
    let mut plain: BTreeMap<(Action, &Option<PurposeId>), Vec<Ground>> = BTreeMap::new();
    let mut budget = WISHES_MAX;
    'search: for stated in &tried.stated {
        for purpose in &tried.purposes {
            for action in &tried.actions {
                if budget < tried.bases.len() {
                    budget = 0;
                    break 'search;
                }
                budget -= tried.bases.len();
                let decided = |basis: &Option<BasisId>| {
                    let wish = Wish { action: *action, purpose, basis, stated };
                    search.decide(&wish).filter(|(obligations, _)| deliverable(obligations))
                };
                let grounds = by_basis(&tried.bases, decided);
                // What needs nothing stated is said once.
                if *stated == Stated::default() {
                    plain.insert((*action, purpose), grounds.clone());
                } else if plain.get(&(*action, purpose)) == Some(&grounds) {
                    continue;
                }
                for (basis, obligations, until) in grounds {
                    let group = (stated.clone(), basis, until, obligations.digest()?.to_string());
                    let entry = found.entry(*action).or_default().entry(group);
                    entry.or_insert_with(|| (BTreeSet::new(), obligations)).0.insert(purpose.clone());
                }
            }
        }
    }
    let complete = budget > 0;
    let everything = tried.purposes.len();
    let mut permissions = Vec::new();
    let mut copies = found.remove(&Action::Download).unwrap_or_default();
    for (group, (purposes, obligations)) in found.remove(&Action::Query).unwrap_or_default() {
        let both = copies.get(&group).is_some_and(|(others, _)| *others == purposes);
        if both {
            copies.remove(&group);
        }
        let action = if both { None } else { Some(Action::Query) };
        permissions.push((action, group, purposes, obligations));
    }
    let copies = copies.into_iter();
    permissions.extend(
        copies.map(|(group, (purposes, obligations))| (Some(Action::Download), group, purposes, obligations)),
    );
    // "Any purpose" is said only where every purpose that was tried is treated the same.
    let whole = |purposes: &BTreeSet<_>| purposes.len() == everything || !purposes.contains(&None);
    let complete = complete && permissions.iter().all(|(_, _, purposes, _)| whole(purposes));
    let permissions = permissions.into_iter();
    let mut permissions: Vec<Announcement> = permissions
        .filter_map(|(action, (stated, basis, until, _), purposes, obligations)| {
            let any = purposes.len() == everything;
            let purposes: Vec<PurposeId> =
                if any { Vec::new() } else { purposes.into_iter().flatten().collect() };
            (any || !purposes.is_empty()).then_some(Announcement {
                action,
                purposes,
                basis,
                stated,
                until,
                obligations,
            })
        })
        .collect();
    let complete = complete && permissions.len() <= ANNOUNCEMENTS_MAX;
    permissions.truncate(ANNOUNCEMENTS_MAX);
    Ok(Announced { permissions, complete })
}

/// What is permitted with no basis, with any, and with a named one where that makes a difference.
fn by_basis(
    bases: &[Option<BasisId>],
    mut decided: impl FnMut(&Option<BasisId>) -> Option<(Obligations, Option<Minute>)>,
) -> Vec<Ground> {
    let mut all: Vec<Ground> = Vec::new();
    for basis in bases {
        let Some((obligations, until)) = decided(basis) else { continue };
        if all.iter().any(|(_, before, end)| *before == obligations && *end == until) {
            continue;
        }
        let term = match basis {
            None => BasisTerm::Any,
            Some(basis) if basis.as_str() == PROBE => BasisTerm::Some,
            Some(basis) => BasisTerm::Named(basis.clone()),
        };
        all.push((term, obligations, until));
    }
    all
}

/// What is worth asking.
struct Tried<'e> {
    grants: Vec<&'e Rule>,
    duties: Vec<&'e Rule>,
    actions: Vec<Action>,
    purposes: Vec<Option<PurposeId>>,
    bases: Vec<Option<BasisId>>,
    stated: Vec<Stated>,
}

impl<'e> Tried<'e> {
    fn of(engine: &'e Engine, question: &Question, facts: &Facts, purposes: &[PurposeId]) -> Self {
        let about = About::of(engine, question, facts);
        let allows: Vec<&Rule> =
            about.grants.iter().copied().filter(|rule| rule.effect == RuleEffect::Allow).collect();
        let actions = [Action::Query, Action::Download].into_iter();
        let actions =
            actions.filter(|action| allows.iter().any(|rule| rule.action.is_none_or(|a| a == *action)));
        let mut named: BTreeSet<Option<PurposeId>> = BTreeSet::new();
        for rule in about.grants.iter().chain(&about.duties) {
            named.extend(purpose_of(&rule.purpose).map(Some));
        }
        let rules = engine.rule_set();
        for link in rules.links().iter().filter(|link| link.kind == LinkKind::Purpose) {
            let under = |rule: &&Rule| match &rule.purpose {
                Pattern::Any => false,
                Pattern::Name(broad) => rules.closure.is_under(&link.from, broad),
            };
            if allows.iter().any(under) {
                named.extend(PurposeId::parse(&link.from).ok().map(Some));
            }
        }
        let mut tried: Vec<Option<PurposeId>> = vec![None];
        tried.extend(purposes.iter().cloned().map(Some));
        named.retain(|purpose| !tried.contains(purpose));
        tried.extend(named);
        tried.dedup();
        let mut bases: BTreeSet<Option<BasisId>> = BTreeSet::from([None]);
        bases.extend(about.grants.iter().filter_map(|rule| match &rule.basis {
            Recorded::Name(name) => BasisId::parse(name).ok().map(Some),
            _ => None,
        }));
        let mut bases: Vec<Option<BasisId>> = bases.into_iter().collect();
        // After "none" and before the named ones: what any basis opens need not be said of each.
        bases.splice(1..1, BasisId::parse(PROBE).ok().map(Some));
        let stated: BTreeSet<Stated> = allows.iter().map(|rule| stated(rule)).collect();
        let plain = Stated::default();
        let others = stated.into_iter().filter(|stated| *stated != plain);
        let actions = actions.collect();
        Self {
            grants: about.grants,
            duties: about.duties,
            actions,
            purposes: tried,
            bases,
            stated: std::iter::once(plain.clone()).chain(others).collect(),
        }
    }
}

fn purpose_of(pattern: &Pattern) -> Option<PurposeId> {
    match pattern {
        Pattern::Any => None,
        Pattern::Name(name) => PurposeId::parse(name).ok(),
    }
}

/// The least that a party must state for a rule to match.
fn stated(rule: &Rule) -> Stated {
    let name = |pattern: &Pattern| match pattern {
        Pattern::Any => None,
        Pattern::Name(name) => Some(name.clone()),
    };
    Stated {
        unit: name(&rule.when.unit).and_then(|name| UnitId::parse(&name).ok()),
        role: name(&rule.when.role).and_then(|name| RoleId::parse(&name).ok()),
        clearance: rule.when.clearance_from,
        place: name(&rule.when.place).and_then(|name| PlaceId::parse(&name).ok()),
    }
}

/// Rules that are about this party and this dataset now.
struct About<'e> {
    grants: Vec<&'e Rule>,
    duties: Vec<&'e Rule>,
}

impl<'e> About<'e> {
    fn of(engine: &'e Engine, question: &Question, facts: &Facts) -> Self {
        let Ok((standing, grants, duties)) = engine.about(question, facts) else {
            return Self { grants: Vec::new(), duties: Vec::new() };
        };
        let now = Minute::from_unix(question.now);
        let class = facts.dataset.as_ref().map(|dataset| dataset.class);
        let fits = |rule: &&Rule| {
            standing.subject.fits(&rule.subject)
                && class.is_some_and(|class| rule.class_from <= class && class <= rule.class_to)
                && now.is_some_and(|now| rule.not_before <= now && now < rule.expires)
        };
        let of = |rules: Vec<&'e Rule>| rules.into_iter().filter(fits).collect();
        Self { grants: of(grants), duties: of(duties) }
    }
}

impl Announcement {
    /// Its conditions, in a fixed order.
    #[must_use]
    pub fn constraints(&self) -> Vec<OdrlConstraint> {
        let mut all = Vec::new();
        let mut put = |left, operator, right| all.push(OdrlConstraint::new(left, operator, right));
        let iris: Vec<String> = self.purposes.iter().map(|purpose| iri_of(purpose.as_str())).collect();
        match iris.as_slice() {
            [] => {}
            [one] => put("odrl:purpose", Operator::Eq, Right::Iri(one.clone())),
            _ => put("odrl:purpose", Operator::IsAnyOf, Right::Texts(iris)),
        }
        match &self.basis {
            BasisTerm::Any => {}
            BasisTerm::Some => put("gov:legalBasis", Operator::Eq, Right::Term(super::columns::SOME)),
            BasisTerm::Named(basis) => {
                put("gov:legalBasis", Operator::Eq, Right::Iri(iri_of(basis.as_str())))
            }
        }
        if let Some(until) = self.until {
            let text = until.to_string().replace('Z', ":00Z");
            put("odrl:dateTime", Operator::Lt, Right::Typed("xsd:dateTime", text));
        }
        let Stated { unit, role, clearance, place } = &self.stated;
        if let Some(unit) = unit {
            put("gov:unit", Operator::IsPartOf, Right::Iri(iri_of(unit.as_str())));
        }
        if let Some(role) = role {
            put("gov:role", Operator::IsA, Right::Iri(iri_of(role.as_str())));
        }
        if *clearance > Class::OPEN {
            put("gov:clearance", Operator::Gteq, Right::Number(clearance.get().into()));
        }
        if let Some(place) = place {
            put("odrl:spatial", Operator::IsPartOf, Right::Iri(iri_of(place.as_str())));
        }
        all
    }

    /// Its duties.
    #[must_use]
    pub fn duties(&self) -> Vec<OdrlDuty> {
        super::duties(&self.obligations)
    }
}
