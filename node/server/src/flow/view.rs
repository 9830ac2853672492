//! What people and applications see of an exchange.

use serde_json::{Value, json};

use super::retention;
use crate::approvals;
use crate::error::Result;
use crate::node::Node;
use crate::operation::rfc3339;
use crate::outbox;
use crate::records::{Exchange, Side, Stage};

/// An exchange as JSON.
pub fn exchange(node: &Node, exchange: &Exchange) -> Result<Value> {
    let effect = match (&exchange.refusal, exchange.rows) {
        (Some(_), _) => json!("deny"),
        (None, Some(_)) => json!("permit"),
        (None, None) => Value::Null,
    };
    let reasons: Vec<&crate::error::RefusalInfo> = exchange.refusal.iter().collect();
    Ok(json!({
        "id": exchange.id,
        "side": exchange.side,
        "peer": exchange.peer,
        "dataset": exchange.dataset,
        "action": exchange.ask.action,
        "purpose": exchange.ask.purpose,
        "basis": exchange.ask.basis,
        "stage": exchange.stage.word(),
        "effect": effect,
        "reasons": reasons,
        "refusal": exchange.refusal,
        "failure": exchange.failure,
        "waiting": waiting(node, exchange)?,
        "obligations": exchange.obligations,
        "rows": exchange.rows,
        "bytes": exchange.bytes,
        "sha256": exchange.sha256,
        "agreement": exchange.agreement,
        "transfer": exchange.transfer,
        "entries": {
            "intent": exchange.intent.as_ref().and_then(|l| l.index),
            "statement": exchange.statement.as_ref().and_then(|l| l.index),
            "ack": exchange.ack.as_ref().and_then(|l| l.index),
            "erasure": exchange.erasure.as_ref().and_then(|l| l.index),
        },
        "receipts": exchange.receipts,
        "delete_by": retention::delete_by(exchange).map(rfc3339),
        "created": rfc3339(exchange.created),
        "updated": rfc3339(exchange.updated),
    }))
}

/// How long an unanswered request is only slow, seconds.
const SLOW_SECONDS: i64 = 30;

/// What the exchange waits for, if it waits: for the network, or for people.
fn waiting(node: &Node, exchange: &Exchange) -> Result<Option<String>> {
    if exchange.stage.is_final() {
        return Ok(None);
    }
    let key = String::from_utf8_lossy(&exchange.key()).into_owned();
    let rows = outbox::waiting(node, &exchange.peer)?;
    let stuck = rows.iter().find(|(_, row)| row.exchange == key && row.attempts > 0);
    Ok(match (stuck, &exchange.failure, exchange.side) {
        (Some((_, row)), _, _) => Some(format!(
            "waiting for the network: {} tries of the {} ({})",
            row.attempts,
            row.kind,
            row.last_error.as_deref().unwrap_or("-")
        )),
        (None, Some(why), Side::Consumer) => Some(format!("waiting for the network: {why}")),
        (None, None, Side::Provider) => for_people(node, exchange)?,
        // Delivered, and no word since: the protocol knows no "a person is being asked".
        (None, None, Side::Consumer)
            if matches!(exchange.stage, Stage::Negotiating | Stage::Transferring)
                && node.clock.now() - exchange.updated > SLOW_SECONDS =>
        {
            Some(
                "the provider has the request and has not answered; a person there may have to approve it"
                    .to_owned(),
            )
        }
        _ => None,
    })
}

fn for_people(node: &Node, exchange: &Exchange) -> Result<Option<String>> {
    let now = node.clock.now();
    let open = approvals::all(node)?.into_iter().find(|a| {
        a.state(now) == "open"
            && (&a.request.consumer, &a.request.dataset) == (&exchange.peer, &exchange.dataset)
            && (&a.request.purpose, &a.request.basis) == (&exchange.ask.purpose, &exchange.ask.basis)
    });
    Ok(open
        .map(|approval| format!("waiting for the approval {}; `tram approval list` shows it", approval.id)))
}
