//! Agreements with connectors. Both sides confirmed them over authenticated lines, nobody signed them: rules that ask for a
//! signed agreement are not met by them.

use exchange::Role;
use exchange::dsp::Agreement;
use exchange::negotiation::Negotiation;
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

use super::Row;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::records;

/// Agreements in the drawer of connectors.
const AGREED: &str = "a/";

/// An agreement with a connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The party of the other side.
    pub party: String,
    /// This node's role.
    pub role: Role,
    /// Id of the offer that it was made on.
    pub offer: String,
    /// The agreement, word for word.
    pub agreement: Agreement,
    /// Until before this Unix second transfers may begin under it.
    pub until: i64,
}

fn key(role: Role, party: &str, id: &str) -> Vec<u8> {
    let role = match role {
        Role::Provider => "p",
        Role::Consumer => "c",
    };
    format!("{AGREED}{role}/{}/{id}", records::short(party)).into_bytes()
}

/// An agreement by its id. Ids are the provider's own: those of one party say nothing to another.
pub fn find(node: &Node, role: Role, party: &str, id: &str) -> Result<Option<Standing>> {
    #[cfg(feature = "tck")]
    if let Some(standing) = crate::dsp::script::agreement(node, role, party, id) {
        return Ok(Some(standing));
    }
    Ok(records::get::<Standing>(&node.store, Space::Connector, &key(role, party, id))?
        .map(|(found, _)| found))
}

/// Keeps the agreement of a negotiation that is final; the same again is no change.
pub async fn keep(node: &Node, row: &Row<Negotiation>) -> Result<()> {
    let agreement =
        row.process.agreement().ok_or_else(|| Error::internal("a final negotiation has no agreement"))?;
    let (role, made) = (row.process.ends().role(), row.process.updated());
    let key = key(role, &row.party, agreement.id.as_str());
    let standing = Standing {
        party: row.party.clone(),
        role,
        offer: row.process.offer().id.to_string(),
        agreement: agreement.clone(),
        until: made.saturating_add(limits::AGREEMENT_SECONDS_DEFAULT),
    };
    let tx = Tx::new().absent(Space::Connector, key.clone()).put_json(Space::Connector, key, &standing);
    match node.store.commit(tx.map_err(Error::from)?).await {
        Err(error) if error.is_conflict() => Ok(()),
        done => done.map(|_| ()).map_err(Error::from),
    }
}
