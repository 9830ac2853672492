//! Terms between ODRL and the gate: what a catalog offers to one party, and what a party's terms ask of the rules.
//!
//! An offer repeats no rule. It says what the rules permit to this caller, found by deciding ([`policy::odrl::announce`]),
//! with the duties that come with it; never what they say about others. Back from a peer, every condition is put into
//! the question or refused by its name, and duties must be exactly those that the decision demands: weaker ones would
//! be a promise less than the rules ask, stronger ones a promise that this node does not keep.

use exchange::dsp::{self, Id, NonEmpty, Offer, Profile, Rule, RuleBody};
use exchange::terms::{self, Terms};
use policy::odrl::{self, Announced, Announcement, Spelling};
use policy::{Action, Class, Facts, Obligations, PlaceId, PurposeId, RoleId, UnitId, Usage};
use serde::{Deserialize, Serialize};

use super::agreement::{self, Standing};
use crate::error::{Error, Result};
use crate::gate::{self, Asked};
use crate::node::Node;
use crate::operation::Operation;

/// What a consumer states of the people and the place that use the data, as names of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stated {
    /// The unit of the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// The role of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// The person's clearance.
    #[serde(skip_serializing_if = "Class::is_open")]
    pub clearance: Class,
    /// Where the data is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceId>,
}

impl Stated {
    /// True when nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As terms carry it.
    fn to_terms(&self) -> Result<terms::Stated> {
        let iri = |name: Option<&str>| name.map(|name| id(&odrl::iri_of(name))).transpose();
        Ok(terms::Stated {
            unit: iri(self.unit.as_ref().map(|unit| unit.as_str()))?,
            role: iri(self.role.as_ref().map(|role| role.as_str()))?,
            clearance: (!self.clearance.is_open()).then(|| self.clearance.get()),
            place: iri(self.place.as_ref().map(|place| place.as_str()))?,
            route: None,
            channel: None,
        })
    }

    /// Whether an offer with these conditions is for somebody who states this. Names must be the very ones: what stands
    /// under what is the provider's to know.
    fn meets(&self, asked: &terms::Stated) -> bool {
        let Ok(own) = self.to_terms() else { return false };
        let same = |asked: &Option<Id>, own: &Option<Id>| asked.is_none() || asked == own;
        same(&asked.unit, &own.unit)
            && same(&asked.role, &own.role)
            && same(&asked.place, &own.place)
            && asked.clearance.is_none_or(|needed| own.clearance.is_some_and(|own| own >= needed))
    }
}

/// The offers of a dataset to one party. The first has the dataset's offer id, the others that id and a digest of their
/// rules: another dataset version, another rule set or other terms make another id.
pub fn offers(
    node: &Node,
    operation: &Operation,
    caller: &str,
    dataset: &str,
    purposes: &[String],
    base: &str,
) -> Result<NonEmpty<Offer>> {
    let announced = announce(node, operation, caller, dataset, purposes)?;
    let mut offers = Vec::new();
    for permission in &announced.permissions {
        let rules = rules(permission)?;
        offers.push(Offer { id: offer_id(base, offers.is_empty(), &rules)?, rules });
    }
    if let Some(offers) = NonEmpty::new(offers) {
        return Ok(offers);
    }
    let all = Rule::new(id("use")?, Vec::new());
    // Nothing that was tried is permitted. Where not all could be tried, nothing is said of it.
    let rules = match announced.complete {
        true => RuleBody::new(Vec::new(), vec![all], Vec::new()),
        false => RuleBody::new(vec![all], Vec::new(), Vec::new()),
    };
    let rules = rules.ok_or_else(|| Error::internal("an offer without rules"))?;
    Ok(NonEmpty::one(Offer { id: id(base)?, rules }))
}

fn announce(
    node: &Node,
    operation: &Operation,
    caller: &str,
    dataset: &str,
    purposes: &[String],
) -> Result<Announced> {
    let proposed = Standing::proposed(node, caller, dataset, operation.now);
    let asked = Asked {
        subject: caller,
        action: Action::Query,
        dataset,
        purpose: None,
        basis: None,
        agreement: Some(&proposed),
        exchange: None,
    };
    let (question, facts) = gate::question(node, operation, &asked)?;
    // A quota that is used up today is still one that is offered.
    let facts = Facts { usage: Usage::default(), ..facts };
    // Purposes of a record are texts for people as well; those that no rule can name are not tried.
    let purposes: Vec<PurposeId> = purposes.iter().filter_map(|p| PurposeId::named(p).ok()).collect();
    odrl::announce(&node.gate.engine(), &question, &facts, &purposes, gate::can_keep).map_err(Error::internal)
}

fn offer_id(base: &str, first: bool, rules: &RuleBody) -> Result<Id> {
    if first {
        return id(base);
    }
    let parts = serde_json::json!([rules.permission(), rules.obligation()]);
    let digest = exchange::json::digest(&parts).map_err(Error::internal)?.to_string();
    let digest = digest.rsplit(':').next().unwrap_or_default();
    let short: String = digest.chars().take(16).collect();
    id(&format!("{base}:{short}"))
}

/// Whether an id is that of an offer that this node makes now.
pub fn is_current(offer: &str, base: &str) -> bool {
    let hex = |rest: &str| rest.len() == 16 && rest.chars().all(|c| c.is_ascii_hexdigit());
    offer == base || offer.strip_prefix(base).and_then(|rest| rest.strip_prefix(':')).is_some_and(hex)
}

fn rules(permission: &Announcement) -> Result<RuleBody> {
    let constraints = permission.constraints().iter().map(|c| c.value(Spelling::Message)).collect::<Vec<_>>();
    let action = permission.action.map_or("use", |action| odrl::action_of(Some(action)));
    let rule = serde_json::json!({"action": action, "constraint": constraints});
    let rule = match constraints.is_empty() {
        true => Rule::new(id(action)?, Vec::new()),
        false => dsp::parse_value::<Rule>(rule).map_err(Error::internal)?,
    };
    let duties = duties(&permission.obligations)?;
    let plain = constraints.is_empty() && duties.is_empty();
    let rules = RuleBody::new(vec![rule], Vec::new(), duties);
    let rules = rules.ok_or_else(|| Error::internal("an offer without rules"))?;
    Ok(if plain { rules } else { rules.with_profile(Profile::one(id(terms::PROFILE)?)) })
}

/// Obligations as the duties of an offer or agreement.
pub fn duties(obligations: &Obligations) -> Result<Vec<Rule>> {
    let all = odrl::duties(obligations).into_iter().map(|duty| duty.value(Spelling::Message));
    all.map(|duty| dsp::parse_value::<Rule>(duty).map_err(Error::internal)).collect()
}

/// The obligations that terms name; none when they name no duty.
pub fn agreed(terms: &Terms) -> std::result::Result<Option<Obligations>, String> {
    if terms.duties.is_empty() {
        return Ok(None);
    }
    let duties: Vec<serde_json::Value> = terms.duties.iter().map(dsp::to_value).collect();
    odrl::obligations(&duties).map(Some).map_err(|error| {
        let all: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        format!("the duties are not understood: {}", all.join("; "))
    })
}

/// What terms state of the consumer; anything that is not so or cannot be named by rules is refused by name.
pub fn stated(node: &Node, stated: &terms::Stated) -> std::result::Result<Stated, String> {
    let terms::Stated { unit, role, clearance, place, route, channel } = stated;
    let named = |what: &str, iri: &Option<Id>, kind: &'static str| {
        let name = iri.as_ref().map(|iri| odrl::name_of(iri.as_str(), &[kind])).transpose();
        name.map_err(|why| format!("the condition `{what}`: {why}"))
    };
    let refused = |what: &str, found: &str, instead: &str| {
        Err(format!(
            "the condition `{what}` asks for `{found}`, and this node meets its peers by `{instead}`"
        ))
    };
    let (way, zone) = (&node.config.peer.route, &node.config.peer.network);
    let (way, zone) = (format!("via:{way}"), format!("net:{zone}"));
    if let Some(route) = named("urn:tram:ns:route", route, "via:")?.filter(|route| *route != way) {
        return refused("urn:tram:ns:route", &route, &way);
    }
    if let Some(channel) = named("odrl:deliveryChannel", channel, "net:")?.filter(|channel| *channel != zone)
    {
        return refused("odrl:deliveryChannel", &channel, &zone);
    }
    let text = |error: policy::IdError| error.to_string();
    Ok(Stated {
        unit: named("urn:tram:ns:unit", unit, "un:")?.map(|n| UnitId::parse(&n)).transpose().map_err(text)?,
        role: named("urn:tram:ns:role", role, "ro:")?.map(|n| RoleId::parse(&n)).transpose().map_err(text)?,
        clearance: clearance.and_then(Class::new).unwrap_or_default(),
        place: named("odrl:spatial", place, "pl:")?.map(|n| PlaceId::parse(&n)).transpose().map_err(text)?,
    })
}

/// Whether agreed duties are those that a decision demands, or which ones are not.
pub fn same_duties(agreed: &Obligations, demanded: &Obligations) -> std::result::Result<(), String> {
    if agreed == demanded {
        return Ok(());
    }
    let words = |of: &Obligations, without: &Obligations| {
        let others = odrl::duties(without);
        let mut words: Vec<&str> = odrl::duties(of)
            .into_iter()
            .filter(|duty| !others.contains(duty))
            .map(|duty| duty.action)
            .collect();
        words.dedup();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    Err(format!(
        "the duties are not those of the offer: demanded and not agreed to: {}; agreed to and not demanded: {}; take them from the catalog",
        words(demanded, agreed),
        words(agreed, demanded)
    ))
}

/// The offer that fits a wish, with the terms to ask for under it; the first one where none fits, and then without
/// duties, so that the provider says why not.
pub fn choose<'o>(
    offers: &'o NonEmpty<Offer>,
    purpose: Option<&str>,
    basis: Option<&str>,
    action: &str,
    stated: &Stated,
) -> Option<(&'o Offer, Terms)> {
    let own = stated.to_terms().ok()?;
    let deed = odrl::action_of(Some(if action == "download" { Action::Download } else { Action::Query }));
    let fits = |offer: &&Offer| {
        let Ok(terms) = Terms::read(&offer.rules) else { return false };
        let purpose_fits = terms.purposes.is_empty()
            || purpose.is_some_and(|purpose| agreement::codes(&terms.purposes).iter().any(|p| p == purpose));
        let basis_fits = match terms.legal_basis.as_ref().map(agreement::basis_code) {
            None => true,
            Some(named) if named == SOME_BASIS => basis.is_some(),
            Some(named) => basis == Some(named.as_str()),
        };
        let deed_fits = terms.deed.as_ref().is_none_or(|found| found.as_str() == deed);
        purpose_fits && basis_fits && deed_fits && stated.meets(&terms.stated)
    };
    let Some(offer) = offers.iter().find(fits) else {
        return offers.iter().next().map(|offer| (offer, Terms { stated: own, ..Terms::default() }));
    };
    let read = Terms::read(&offer.rules).ok()?;
    Some((
        offer,
        Terms {
            deed: read.deed,
            duties: read.duties,
            valid_until: read.valid_until,
            stated: own,
            ..Terms::default()
        },
    ))
}

/// "Some legal basis" in offers; who asks names one.
pub const SOME_BASIS: &str = "urn:tram:ns:some";

fn id(text: &str) -> Result<Id> {
    Id::new(text).map_err(Error::internal)
}
