//! Two agencies' ledgers of the same exchanges, held against each other: what one has and the other lacks, what differs,
//! what was begun and never ended, what was never acknowledged.
//!
//! Nobody is accused by what nobody signed: an entry counts when a key of its author that is known here signed it; any other
//! is told as a fault of the ledger that holds it.
//!
//! Both parties log the same bytes, so a leaf hash that stands in one log alone is an omission that can be shown. Memory:
//! some 200 bytes an exchange between the two, in the period.

use std::collections::BTreeMap;

use ledger::merkle::Hash;
use ledger::statement::{Decision, SignedStatement, Statement};
use serde_json::{Value, json};

use super::filter::Period;
use super::place::Opened;
use super::trust::{Judge, Signed, Trust};
use crate::error::{Error, Result};
use crate::files;

/// What is wrong with an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Only B has its statement.
    MissingAtA,
    /// Only A has it.
    MissingAtB,
    /// Both have one, and not the same.
    Differing,
    /// The provider began and wrote no outcome.
    Unanswered,
    /// Permitted and answered, and the consumer's acknowledgement is in neither log.
    Unacknowledged,
    /// Only B has the acknowledgement.
    AckMissingAtA,
    /// Only A has it.
    AckMissingAtB,
    /// A holds an entry in the name of one of the two that no known key of its author signed.
    UnsignedAtA,
    /// B does.
    UnsignedAtB,
}

impl Reason {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingAtA => "missing-at-a",
            Self::MissingAtB => "missing-at-b",
            Self::Differing => "differing",
            Self::Unanswered => "unanswered",
            Self::Unacknowledged => "unacknowledged",
            Self::AckMissingAtA => "ack-missing-at-a",
            Self::AckMissingAtB => "ack-missing-at-b",
            Self::UnsignedAtA => "unsigned-at-a",
            Self::UnsignedAtB => "unsigned-at-b",
        }
    }

    /// For people: Vietnamese, English.
    pub fn words(self, a: &str, b: &str) -> (String, String) {
        let missing = |at: &str, by: &str| {
            (
                format!("sổ của {at} không có bản ghi mà sổ của {by} có"),
                format!("{at} has no entry of what {by} recorded"),
            )
        };
        let ack = |at: &str, by: &str| {
            (
                format!("sổ của {by} có xác nhận đã nhận, sổ của {at} không có"),
                format!("{by} has the acknowledgement, {at} does not"),
            )
        };
        let unsigned = |at: &str| {
            (
                format!("sổ của {at} giữ một bản ghi mà không khóa nào đã biết của người lập ký"),
                format!("{at} holds an entry that no known key of its author signed"),
            )
        };
        match self {
            Self::MissingAtA => missing(a, b),
            Self::MissingAtB => missing(b, a),
            Self::Differing => (
                "hai sổ ghi hai nội dung khác nhau cho cùng một lần trao đổi".to_owned(),
                "the two ledgers say different things of the same exchange".to_owned(),
            ),
            Self::Unanswered => (
                "bên cung cấp đã bắt đầu mà không ghi kết quả".to_owned(),
                "the provider began it and recorded no outcome".to_owned(),
            ),
            Self::Unacknowledged => (
                "bên nhận chưa xác nhận đã nhận".to_owned(),
                "the consumer has not acknowledged it".to_owned(),
            ),
            Self::AckMissingAtA => ack(a, b),
            Self::AckMissingAtB => ack(b, a),
            Self::UnsignedAtA => unsigned(a),
            Self::UnsignedAtB => unsigned(b),
        }
    }
}

/// What one log has of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    statement: Option<(u64, Hash)>,
    /// Whether the statement, or an intent, is inside of the period.
    inside: bool,
    permitted: bool,
    intent: Option<u64>,
    interrupted: bool,
    ack: Option<u64>,
    /// Two statements of one exchange that are not the same.
    doubled: bool,
    /// An entry that its author did not sign.
    unsigned: bool,
}

/// Consumer and id: an id is unique per consumer.
type Key = (bool, String);
type Side = BTreeMap<Key, Held>;

/// Holds two opened ledgers against each other.
pub fn reconcile(a: &Opened, b: &Opened, period: &Period) -> Result<Value> {
    let (of_a, of_b) = (a.owner(), b.owner());
    if of_a == of_b {
        return Err(Error::usage(format!("both are ledgers of `{of_a}`; give those of two agencies")));
    }
    let trusts = [&a.trust, &b.trust];
    let (held_a, held_b) =
        (read(a, trusts, [&of_a, &of_b], period)?, read(b, trusts, [&of_a, &of_b], period)?);
    let mut keys: Vec<&Key> = held_a.keys().chain(held_b.keys()).collect();
    keys.sort();
    keys.dedup();
    let (mut found, mut agree) = (Vec::new(), 0u64);
    for key in keys {
        let at = |side: &Side| side.get(key).copied().unwrap_or_default();
        let (at_a, at_b) = (at(&held_a), at(&held_b));
        if !at_a.inside && !at_b.inside {
            continue;
        }
        let (consumer_is_a, id) = key;
        let reasons = judge(&at_a, &at_b, *consumer_is_a);
        agree += u64::from(reasons.is_empty());
        let (consumer, provider) = if *consumer_is_a { (&of_a, &of_b) } else { (&of_b, &of_a) };
        for reason in reasons {
            let (vi, en) = reason.words(&of_a, &of_b);
            found.push(
                json!({"code": reason.code(), "exchange": id, "provider": provider, "consumer": consumer,
                "a": place(&at_a), "b": place(&at_b), "reason": {"vi": vi, "en": en}}),
            );
        }
    }
    let side = |log: &Opened, owner: &str| {
        json!({"place": log.place.to_string(), "agency": owner, "origin": log.origin(), "size": log.reader.size(),
            "entries": log.held(), "archived": log.archived})
    };
    Ok(
        json!({"ok": found.is_empty(), "a": side(a, &of_a), "b": side(b, &of_b), "agree": agree, "differences": found}),
    )
}

fn place(held: &Held) -> Value {
    json!({"index": held.statement.map(|(index, _)| index), "leaf": held.statement.map(|(_, leaf)| files::hex(&leaf.0)),
        "intent": held.intent, "ack": held.ack})
}

fn judge(a: &Held, b: &Held, consumer_is_a: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if a.unsigned {
        reasons.push(Reason::UnsignedAtA);
    }
    if b.unsigned {
        reasons.push(Reason::UnsignedAtB);
    }
    match (a.statement, b.statement) {
        _ if a.doubled || b.doubled => reasons.push(Reason::Differing),
        (Some((_, one)), Some((_, other))) if one != other => reasons.push(Reason::Differing),
        (Some(_), Some(_)) => {}
        (None, Some(_)) => reasons.push(Reason::MissingAtA),
        (Some(_), None) => reasons.push(Reason::MissingAtB),
        (None, None) => {
            let provider = if consumer_is_a { b } else { a };
            if provider.intent.is_some() && !provider.interrupted {
                reasons.push(Reason::Unanswered);
            }
        }
    }
    match (a.ack, b.ack) {
        (None, None) if a.permitted || b.permitted => reasons.push(Reason::Unacknowledged),
        (None, Some(_)) => reasons.push(Reason::AckMissingAtA),
        (Some(_), None) => reasons.push(Reason::AckMissingAtB),
        _ => {}
    }
    reasons
}

/// What a log has of the exchanges between the two.
fn read(log: &Opened, trusts: [&Trust; 2], [a, b]: [&str; 2], period: &Period) -> Result<Side> {
    let mut side = Side::new();
    let mut judges = [Judge::default(), Judge::default()];
    let mut is_signed = |signed: &SignedStatement| {
        trusts.iter().zip(&mut judges).any(|(trust, judge)| judge.judge(trust, signed) == Signed::Good)
    };
    // Interruptions name no party; they belong to the intent with their id.
    let mut interrupted = Vec::new();
    for entry in log.entries(0) {
        let entry = entry?;
        let Ok(signed) = SignedStatement::parse(&entry.bytes) else { continue };
        let said = signed.statement();
        let id = said.id().as_str();
        let inside = period.holds(said.time().get());
        let key = |provider: &str, consumer: &str| match (provider, consumer) {
            (p, c) if p == b && c == a => Some((true, id.to_owned())),
            (p, c) if p == a && c == b => Some((false, id.to_owned())),
            _ => None,
        };
        match said {
            Statement::Intent(intent) => {
                let question = &intent.question;
                let Some(key) = key(question.provider.as_str(), question.consumer.as_str()) else { continue };
                let held = side.entry(key).or_default();
                held.inside |= inside;
                if is_signed(&signed) {
                    held.intent = Some(entry.index);
                } else {
                    held.unsigned = true;
                }
            }
            Statement::Exchange(exchange) => {
                let question = &exchange.question;
                let Some(key) = key(question.provider.as_str(), question.consumer.as_str()) else { continue };
                let held = side.entry(key).or_default();
                held.inside |= inside;
                if !is_signed(&signed) {
                    held.unsigned = true;
                    continue;
                }
                held.doubled |= held.statement.is_some_and(|(_, leaf)| leaf != entry.leaf);
                held.statement.get_or_insert((entry.index, entry.leaf));
                held.permitted = matches!(exchange.decision, Decision::Permit { .. });
            }
            Statement::Ack(ack) => {
                let of = |log: &str| log.strip_suffix("/ledger").unwrap_or(log).to_owned();
                let (provider, consumer) = (of(ack.provider.log.as_str()), of(ack.consumer.log.as_str()));
                let Some(key) = key(&provider, &consumer) else { continue };
                let held = side.entry(key).or_default();
                // The consumer signs it, whoever's ledger holds it.
                if signed.signer() == consumer && is_signed(&signed) {
                    held.ack.get_or_insert(entry.index);
                } else {
                    held.inside |= inside;
                    held.unsigned = true;
                }
            }
            Statement::Interrupted(_) => interrupted.push(id.to_owned()),
            Statement::Own(_) => {}
        }
    }
    for id in interrupted {
        for consumer_is_a in [true, false] {
            if let Some(held) = side.get_mut(&(consumer_is_a, id.clone())) {
                held.interrupted = true;
            }
        }
    }
    Ok(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(leaf: u8) -> Held {
        let statement = Some((1, Hash([leaf; 32])));
        Held { statement, inside: true, permitted: true, intent: Some(0), ack: Some(2), ..Held::default() }
    }

    #[test]
    fn each_difference_has_its_own_reason() {
        let none = Held::default();
        assert_eq!(judge(&whole(1), &whole(1), true), []);
        assert_eq!(judge(&whole(1), &whole(2), true), [Reason::Differing]);
        assert_eq!(judge(&none, &whole(1), true), [Reason::MissingAtA, Reason::AckMissingAtA]);
        assert_eq!(judge(&whole(1), &none, true), [Reason::MissingAtB, Reason::AckMissingAtB]);
        let silent = Held { ack: None, ..whole(1) };
        assert_eq!(judge(&silent, &silent, true), [Reason::Unacknowledged]);
        let refused = Held { permitted: false, ..silent };
        assert_eq!(judge(&refused, &refused, true), []);
        let begun = Held { intent: Some(1), inside: true, ..none };
        assert_eq!(judge(&none, &begun, true), [Reason::Unanswered]);
        assert_eq!(judge(&begun, &none, true), [], "an intent counts in the provider's log");
        let closed = Held { interrupted: true, ..begun };
        assert_eq!(judge(&none, &closed, true), []);
        // What its author did not sign says nothing of the other side.
        let forged = Held { unsigned: true, inside: true, ..none };
        assert_eq!(judge(&forged, &none, true), [Reason::UnsignedAtA]);
        let twice = Held { doubled: true, ..whole(1) };
        assert_eq!(judge(&twice, &whole(1), true), [Reason::Differing]);
    }
}
