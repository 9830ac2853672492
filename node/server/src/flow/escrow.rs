//! Escrow in an exchange: the provider's envelope in its manifest, the consumer's demand for one, and what the consumer hands
//! over to the auditor when the provider fails.
//!
//! What an envelope is: [`crate::escrow`]. What an auditor does with what it is handed: [`crate::escrow::judge`].

use dataplane::sealing::SealingKey;
use exchange::Digest;
use exchange::dsp::Id;
use exchange::manifest::{Bound, Sealed, Sealing};
use ledger::commitment::Field;
use serde_json::{Value, json};

use super::{evidence, receipts, receive};
use crate::audit::record::{self, Act, Reading};
use crate::config::EscrowSection;
use crate::error::{Error, Result};
use crate::escrow as envelope;
use crate::escrow::handover::{FORM, Head};
use crate::files;
use crate::node::Node;
use crate::records::{Exchange, Side, Stage};

/// Longest word of a consumer to the auditor, bytes.
const SAYS_BYTES_MAX: usize = 1_000;

/// What the manifest says of the key: its digest and, where an auditor is configured, the key sealed to it. It is signed and
/// with the consumer before any acknowledgement, so the consumer holds it whatever the provider does afterwards.
pub fn announce(node: &Node, exchange: &Exchange, key: &SealingKey) -> Result<Sealed> {
    let key_sha256 = Digest::from_bytes(key.sha256().0);
    let to_auditor = |section: &EscrowSection| {
        let bound = Bound {
            exchange: &exchange.id,
            provider: &node.config.node.id,
            consumer: &exchange.peer,
            auditor: &section.auditor,
            key_sha256,
        };
        let auditor = Id::new(&section.auditor).map_err(Error::internal)?;
        envelope::seal(key, auditor, &section.recipient().map_err(Error::internal)?, &bound)
    };
    let escrow = node.config.ledger.escrow.as_ref().map(to_auditor).transpose()?;
    Ok(Sealed { algorithm: Sealing::Aes256Gcm, key_sha256, escrow })
}

/// What this node, as consumer, demands of sealed rows before it acknowledges them: where its configuration says so, an
/// envelope to its own auditor's key. Whether the envelope opens only the auditor can see.
pub fn demand(node: &Node, exchange: &Exchange, sealed: &Sealed) -> Result<()> {
    let Some(section) = node.config.ledger.escrow.as_ref().filter(|section| section.demand) else {
        return Ok(());
    };
    let wanted = section.recipient().map_err(Error::internal)?;
    let named = sealed.escrow.as_ref().map(|e| (e.auditor.as_str(), &e.recipient.0));
    if named == Some((section.auditor.as_str(), wanted.bytes())) {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "{} did not seal the key of its rows to {}, as [ledger.escrow] of this node demands; nothing was acknowledged",
        exchange.peer, section.auditor
    )))
}

/// What the consumer of sealed rows hands to the auditor besides the manifest and the chunks of its inbox: its receipt with
/// the acknowledgement, and what opens the statement's commitment to the manifest. That this is given out stands in the
/// ledger before it is.
pub async fn hand_over(node: &Node, exchange: &Exchange, says: Option<String>) -> Result<Value> {
    if says.as_ref().is_some_and(|text| text.len() > SAYS_BYTES_MAX || text.chars().any(char::is_control)) {
        return Err(Error::usage(format!(
            "what you say to the auditor is one line of at most {SAYS_BYTES_MAX} bytes without control characters"
        )));
    }
    let no = |why: &str| {
        Err(Error::conflict(format!("exchange {} has nothing for an auditor: {why}", exchange.id)))
    };
    if exchange.side != Side::Consumer || !exchange.receipt_first {
        return no("this node is not the consumer of rows that must be acknowledged first");
    }
    if exchange.ack.as_ref().and_then(|leaf| leaf.index).is_none() {
        return no("this node has not acknowledged the rows, and who has not has no right to them");
    }
    if exchange.stage == Stage::Completed {
        return no("the rows are here; `tram exchange resume` takes them home");
    }
    if exchange.stage == Stage::Refused {
        return no("the provider refused before it took the acknowledgement");
    }
    let manifest = receive::kept_manifest(node, exchange);
    let sealed = manifest.as_ref().and_then(|manifest| manifest.sealed.as_ref());
    let Some(escrow) = sealed.and_then(|sealed| sealed.escrow.as_ref()) else {
        return no("the provider sealed the key to no auditor");
    };
    let opening = evidence::read(node, exchange)?.key()?.open(Field::Response, &[]);
    let receipt = receipts::own(node, exchange).await?;
    let (_, index) = receipts::statement_of(exchange)?;
    let reading = Reading {
        reader: escrow.auditor.to_string(),
        act: Act::Export,
        purpose: Some("escrow".to_owned()),
        from: index,
        to: index + 1,
        opened: 1,
    };
    let recorded = record::record(node, &reading).await?;
    let head = Head {
        form: FORM.to_owned(),
        exchange: exchange.id.clone(),
        auditor: escrow.auditor.to_string(),
        salt: files::hex(opening.salt()),
        says,
    };
    let receipt = String::from_utf8(receipt).map_err(Error::internal)?;
    Ok(json!({"head": head, "receipt": receipt, "recorded": recorded}))
}
