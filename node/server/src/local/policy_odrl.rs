//! The rules in force as ODRL, on the local door.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::body::Params;
use crate::error::{Error, Result};
use crate::node::Node;

/// Query of `GET /v1/policy/odrl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Only rules about this dataset.
    dataset: Option<String>,
}

/// `GET /v1/policy/odrl`: the rule set in force as one ODRL document, or its rules about one dataset.
pub async fn export(State(node): State<Arc<Node>>, Params(about): Params<About>) -> Result<Json<Value>> {
    let engine = node.gate.engine();
    let facts = about.dataset.map(|name| {
        let dataset = crate::datasets::demand(&node, &name)?;
        let id = policy::DatasetId::named(&name).map_err(|e| Error::usage(e.to_string()))?;
        Ok::<_, Error>((id, crate::datasets::facts(&node, &dataset)?))
    });
    let facts = facts.transpose()?;
    let about = facts.as_ref().map(|(id, facts)| (id, facts));
    policy::odrl::document(engine.rule_set(), about).map(Json).map_err(Error::internal)
}
