//! What a connector is offered. It takes an offer as it stands and states nothing of its own, so its offer already says
//! purpose and legal basis of its registration, and what must be done; whether it may have the rows is decided again when
//! it asks for the agreement, for the transfer, and for the rows.

use exchange::dsp::{
    DataService, Dataset, DatasetDescription, Distribution, Extra, Id, LangText, NonEmpty, Offer, Profile,
    Rule, RuleBody,
};
use exchange::terms::{self, Terms};
use policy::Action;

use super::{Connector, FORMAT};
use crate::error::{Error, Result};
use crate::flow::terms::duties;
use crate::gate::{Asked, Permit};
use crate::node::Node;
use crate::operation::Operation;
use crate::shown::Shown;
use crate::{datasets, kinds};

/// Prefix of a purpose in terms.
const PURPOSE: &str = "urn:tram:purpose:";
/// Prefix of a legal basis in terms.
const BASIS: &str = "urn:tram:basis:";

/// Id of a dataset of this node in the protocol.
pub fn target(node: &Node, name: &str) -> Result<Id> {
    id(&format!("{}/{name}", node.config.node.id))
}

/// The name here of a dataset's id in the protocol.
pub fn name_of<'a>(node: &Node, target: &'a str) -> Option<&'a str> {
    target.strip_prefix(node.config.node.id.as_str())?.strip_prefix('/')
}

/// The permit for the rows of a dataset as the rules stand now, whole or queried; nothing is recorded.
pub fn permit(
    node: &Node,
    operation: &Operation,
    connector: &Connector,
    name: &str,
) -> Result<std::result::Result<Permit, crate::error::RefusalInfo>> {
    let ask = |action: Action| {
        let asked = Asked {
            subject: &connector.party,
            action,
            dataset: name,
            purpose: connector.purpose.as_deref(),
            basis: connector.basis.as_deref(),
            agreement: None,
            exchange: None,
        };
        node.gate.look(node, operation, &asked).map(crate::gate::Verdict::permit)
    };
    match ask(Action::Download)? {
        Ok(permit) => Ok(Ok(permit)),
        Err(_) => ask(Action::Query),
    }
}

/// The offer of a dataset to a connector: what it may have, or that it may not.
pub fn current(node: &Node, operation: &Operation, connector: &Connector, shown: &Shown) -> Result<Offer> {
    let offer = |rules| -> Result<Offer> {
        Ok(Offer { id: id(&datasets::offer_id(node, &shown.dataset.record))?, rules })
    };
    let none = || Error::internal("an offer without rules");
    let Ok(permit) = permit(node, operation, connector, shown.name())? else {
        let all = Rule::new(id("use")?, Vec::new());
        return offer(RuleBody::new(Vec::new(), vec![all], Vec::new()).ok_or_else(none)?);
    };
    let iri = |prefix: &str, code: &Option<String>| {
        code.as_ref().map(|code| id(&format!("{prefix}{code}"))).transpose()
    };
    let terms = Terms {
        purposes: iri(PURPOSE, &connector.purpose)?.into_iter().collect(),
        legal_basis: iri(BASIS, &connector.basis)?,
        duties: duties(permit.demanded())?,
        ..Terms::default()
    };
    if terms == Terms::default() {
        let all = Rule::new(id("use")?, Vec::new());
        return offer(RuleBody::new(vec![all], Vec::new(), Vec::new()).ok_or_else(none)?);
    }
    let rules = terms.to_rules().map_err(Error::internal)?;
    offer(rules.with_profile(Profile::one(id(terms::PROFILE)?)))
}

/// Whether the rules of a request are those of an offer: remarks beside them do not count.
pub fn same_rules(asked: &RuleBody, offered: &RuleBody) -> bool {
    let parts = |rules: &RuleBody| {
        let parts = serde_json::json!([rules.permission(), rules.prohibition(), rules.obligation()]);
        exchange::json::canonical(&parts).ok()
    };
    let (asked, offered) = (parts(asked), parts(offered));
    asked.is_some() && asked == offered
}

/// A dataset as a connector's catalog shows it.
pub fn describe(node: &Node, operation: &Operation, connector: &Connector, shown: &Shown) -> Result<Dataset> {
    let record = &shown.dataset.record;
    let texts = |text: &catalog::Text| LangText { vi: text.vi.clone(), en: text.en.clone() };
    let column = |c: &catalog::Column| exchange::manifest::Column {
        name: c.name.clone(),
        kind: kinds::to_manifest(kinds::to_engine(c.kind)),
    };
    let columns = if shown.columns { record.columns.iter().map(column).collect() } else { Vec::new() };
    let description = DatasetDescription {
        title: texts(&record.title),
        description: texts(&record.description),
        keywords: record.keywords.clone(),
        identifier: Some(record.id.to_string()),
        // As at the other renditions: these are for who may know more of it than its title.
        version: shown.columns.then_some(record.version),
        classification: shown.columns.then(|| record.classification.get()),
        columns,
        purposes: if shown.columns { record.purposes.clone() } else { Vec::new() },
        theme: record.theme.clone(),
        // How it is shared is for those who may know more of it than its title.
        sharing: shown.columns.then(|| record.kind.word().to_owned()),
        older: Vec::new(),
    };
    Ok(Dataset {
        id: target(node, record.id.as_str())?,
        offers: NonEmpty::one(current(node, operation, connector, shown)?),
        distributions: NonEmpty::one(Distribution::new(id(FORMAT)?, service(node)?)),
        extra: description.to_extra().map_err(Error::internal)?,
    })
}

/// The service that answers here.
pub fn service(node: &Node) -> Result<DataService> {
    let service = DataService::new(id(&format!("{}/connector", node.config.node.id))?, super::base(node)?);
    Ok(DataService { extra: Extra::none(), ..service })
}

/// A text of ours as an id.
pub fn id(text: &str) -> Result<Id> {
    Id::new(text).map_err(Error::internal)
}
