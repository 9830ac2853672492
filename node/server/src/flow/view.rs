//! What people and applications see of an exchange.

use serde_json::{Value, json};

use super::hours::{ForHours, held};
use super::{manifest, receive, retention};
use crate::approvals;
use crate::error::Result;
use crate::line::Way;
use crate::line::waiting::ForNetwork;
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
    let waits = waiting(node, exchange)?;
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
        "waiting": waits.as_ref().map(Wait::text),
        "wait": waits.as_ref().map(Wait::view),
        "line": line(node, exchange)?,
        "obligations": exchange.obligations,
        "rows": exchange.rows,
        "bytes": exchange.bytes,
        "sha256": exchange.sha256,
        "copy": exchange.copy,
        "superseded": exchange.superseded,
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

/// What an exchange waits for.
enum Wait {
    Network(ForNetwork),
    Approval(String),
    Answer,
    /// For the hours of big transfers; with the exchange.
    Hours(ForHours, String),
}

impl Wait {
    fn text(&self) -> String {
        match self {
            Self::Network(network) => network.text(),
            Self::Approval(id) => format!(
                "chờ phê duyệt {id} / waiting for the approval {id}; `tram approval list` shows it"
            ),
            Self::Hours(hours, id) => hours.text(id),
            Self::Answer => "bên cung cấp đã nhận yêu cầu và chưa trả lời; có thể phải có người phê duyệt / the provider has the request and has not answered; a person there may have to approve it".to_owned(),
        }
    }

    fn view(&self) -> Value {
        match self {
            Self::Network(network) => network.view(),
            Self::Approval(id) => json!({"for": "approval", "approval": id}),
            Self::Answer => json!({"for": "answer"}),
            Self::Hours(hours, _) => hours.view(),
        }
    }
}

/// What the exchange waits for, if it waits: for the network, or for people.
fn waiting(node: &Node, exchange: &Exchange) -> Result<Option<Wait>> {
    if exchange.stage.is_final() {
        return Ok(None);
    }
    if let Some(hours) = ForHours::of_exchange(node, exchange) {
        return Ok(Some(Wait::Hours(hours, exchange.id.clone())));
    }
    let key = String::from_utf8_lossy(&exchange.key()).into_owned();
    let rows = outbox::waiting(node, &exchange.peer)?;
    let own = rows.iter().find(|(_, row)| row.exchange == key);
    // Messages to one peer go in order: this one's turn comes when the first has gone.
    let stuck = own.and_then(|(_, row)| {
        ForNetwork::of_message(row)
            .or_else(|| rows.first().and_then(|(_, first)| ForNetwork::of_message(first)))
    });
    Ok(match (stuck, exchange.side) {
        (Some(network), _) => Some(Wait::Network(network)),
        (None, Side::Consumer) if exchange.failure.is_some() => {
            ForNetwork::of_exchange(exchange).map(Wait::Network)
        }
        (None, Side::Provider) => for_people(node, exchange)?.map(Wait::Approval),
        // Delivered, and no word since: the protocol knows no "a person is being asked".
        (None, Side::Consumer)
            if matches!(exchange.stage, Stage::Negotiating | Stage::Transferring)
                && node.clock.now() - exchange.updated > SLOW_SECONDS =>
        {
            Some(Wait::Answer)
        }
        _ => None,
    })
}

/// The approval that people here are asked for.
fn for_people(node: &Node, exchange: &Exchange) -> Result<Option<String>> {
    let now = node.clock.now();
    let open = approvals::all(node)?.into_iter().find(|a| {
        a.state(now) == "open"
            && (&a.request.consumer, &a.request.dataset) == (&exchange.peer, &exchange.dataset)
            && (&a.request.purpose, &a.request.basis) == (&exchange.ask.purpose, &exchange.ask.basis)
    });
    Ok(open.map(|approval| approval.id))
}

/// How much has come, how much there is as far as this side knows, and how long the rest takes as the line was last measured.
fn line(node: &Node, exchange: &Exchange) -> Result<Option<Value>> {
    if exchange.stage.is_final() || !matches!(exchange.stage, Stage::Transferring | Stage::Receiving) {
        return Ok(None);
    }
    let (way, here, total) = match exchange.side {
        Side::Consumer => (Way::Fetch, Some(held(&receive::inbox_of(node, exchange))), exchange.bytes),
        Side::Provider => (Way::Serve, None, manifest::kept(node, exchange).map(|manifest| manifest.bytes)),
    };
    let rate = node.lines.rate(way, &exchange.peer);
    let left = total.map(|total| total.saturating_sub(here.unwrap_or(0)));
    let seconds = left.zip(rate).map(|(left, rate)| left.div_ceil(rate.max(1)));
    Ok(Some(json!({
        "bytes_here": here,
        "bytes_expected": total,
        "bytes_per_second": rate,
        "seconds_left": seconds,
    })))
}
