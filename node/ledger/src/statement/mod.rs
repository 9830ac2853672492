//! Statements: what a leaf of the ledger says, as typed values and as canonical text.
//!
//! Promise: text and value map one to one. Lines stand in a fixed order, each value has one spelling, an optional
//! line that is absent has no value, and anything else is refused: unknown kinds, unknown lines, doubles. Old
//! leaves never change, so neither does a kind once it is written; a new need gets a new kind or `@v2`.
//!
//! Personal data has no place here: [`Commitment`]s stand for it. Purpose and legal basis are shown, because an
//! auditor must see them and they are not personal.
//!
//! Begin with [`Exchange`], then [`Statement::sign`] and [`SignedStatement`].

mod lines;
mod signed;
mod word;

use std::fmt;
use std::str::FromStr;

pub use signed::{STATEMENT_BYTES_MAX, SignedStatement};
pub use word::{EntryRef, ExchangeId, Party, Place, RuleSet, Seconds, WORD_BYTES_MAX, Word};

use crate::commitment::{Commitment, Field};
use crate::error::{LedgerError, Result};
use crate::merkle::Hash;
use crate::text;
use lines::{Lines, Writer, number, pair};

/// The kinds of statement that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A transfer was permitted; durable before the first byte leaves.
    Intent,
    /// What was asked, decided and answered.
    Exchange,
    /// The consumer verified everything and logged the exchange.
    Ack,
    /// An intent that found no outcome.
    Interrupted,
}

/// Kinds whose names are taken for what is to come. They are refused until this crate can read them.
pub const RESERVED: [&str; 7] = ["key", "policy", "audit", "erasure", "anchor", "conflict", "registry"];

impl Kind {
    /// The first line of its statements.
    #[must_use]
    pub fn first_line(self) -> &'static str {
        match self {
            Self::Intent => "tram/intent@v1",
            Self::Exchange => "tram/exchange@v1",
            Self::Ack => "tram/ack@v1",
            Self::Interrupted => "tram/interrupted@v1",
        }
    }
}

impl FromStr for Kind {
    type Err = LedgerError;

    fn from_str(line: &str) -> Result<Self> {
        let known = [Self::Intent, Self::Exchange, Self::Ack, Self::Interrupted];
        if let Some(kind) = known.into_iter().find(|kind| kind.first_line() == line) {
            return Ok(kind);
        }
        let name = line.strip_prefix("tram/").and_then(|rest| rest.split_once('@')).map(|(name, _)| name);
        let newer = name.is_some_and(|name| RESERVED.contains(&name) || known_name(&known, name));
        let why = if newer {
            format!("the kind `{}` is of a newer version than this program", text::shortened(line))
        } else {
            format!("the kind `{}` is unknown", text::shortened(line))
        };
        Err(LedgerError::malformed("statement", why))
    }
}

fn known_name(known: &[Kind], name: &str) -> bool {
    known.iter().any(|kind| kind.first_line() == format!("tram/{name}@v1"))
}

/// What both an intent and an exchange say about the question that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The exchange's id; chosen by the consumer, unique per consumer.
    pub id: ExchangeId,
    /// When the provider wrote the statement.
    pub time: Seconds,
    /// The agency that provides, and signs.
    pub provider: Party,
    /// The agency that asks.
    pub consumer: Party,
    /// The dataset with its version.
    pub dataset: Word,
    /// What is done with it, such as `read`.
    pub operation: Word,
    /// The agreement under which; none for a question without one.
    pub agreement: Option<Word>,
    /// The code of the purpose; none when the asker gave none.
    pub purpose: Option<Word>,
    /// The code of the legal basis; none when there is none.
    pub basis: Option<Word>,
}

/// What was decided, and the commitment to the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes. The answer's digest is known, so it is committed to.
    Permit {
        /// Of the answer's Content-Digest value, or of the manifest's digest.
        response: Commitment,
    },
    /// No.
    Deny {
        /// The code of the main reason.
        reason: Word,
        /// Of the refusal's Content-Digest value, when the refusal was committed to.
        response: Option<Commitment>,
    },
}

/// Commitments to what identifies people and their affairs; each may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// The person who asked.
    pub user: Option<Commitment>,
    /// The person whom the data is about.
    pub subject: Option<Commitment>,
    /// The case or file.
    pub case: Option<Commitment>,
}

/// `exchange@v1`: one question, its decision and the commitment to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub question: Question,
    /// What was decided.
    pub decision: Decision,
    /// By which rule set.
    pub rules: RuleSet,
    /// Of the request's signature base and signature.
    pub request: Commitment,
    /// What is sealed.
    pub sealed: Sealed,
}

/// `intent@v1`: a transfer was permitted and may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What was asked.
    pub question: Question,
    /// The rule set that permitted it.
    pub rules: RuleSet,
}

/// `ack@v1`: the consumer holds and has logged the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The exchange's id.
    pub id: ExchangeId,
    /// When the consumer acknowledged.
    pub time: Seconds,
    /// The leaf hash of the exchange statement, the same in both logs.
    pub leaf: Hash,
    /// Where the provider's log has it.
    pub provider: Place,
    /// Where the consumer's log has it.
    pub consumer: Place,
}

/// `interrupted@v1`: an intent without an outcome, closed at start-up or after its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The exchange's id.
    pub id: ExchangeId,
    /// When it was closed.
    pub time: Seconds,
    /// The intent's entry in the same log.
    pub intent: EntryRef,
    /// The code of the reason.
    pub reason: Word,
}

/// Any statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `intent@v1`
    Intent(Intent),
    /// `exchange@v1`
    Exchange(Exchange),
    /// `ack@v1`
    Ack(Ack),
    /// `interrupted@v1`
    Interrupted(Interrupted),
}

impl Statement {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Intent(_) => Kind::Intent,
            Self::Exchange(_) => Kind::Exchange,
            Self::Ack(_) => Kind::Ack,
            Self::Interrupted(_) => Kind::Interrupted,
        }
    }

    /// The exchange that it is about.
    #[must_use]
    pub fn id(&self) -> &ExchangeId {
        match self {
            Self::Intent(intent) => &intent.question.id,
            Self::Exchange(exchange) => &exchange.question.id,
            Self::Ack(ack) => &ack.id,
            Self::Interrupted(interrupted) => &interrupted.id,
        }
    }

    /// When its author wrote it.
    #[must_use]
    pub fn time(&self) -> Seconds {
        match self {
            Self::Intent(intent) => intent.question.time,
            Self::Exchange(exchange) => exchange.question.time,
            Self::Ack(ack) => ack.time,
            Self::Interrupted(interrupted) => interrupted.time,
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = Writer::new(self.kind().first_line());
        out.line("id", self.id()).line("time", self.time());
        match self {
            Self::Intent(intent) => {
                write_question(&mut out, &intent.question);
                out.line("policy", intent.rules);
            }
            Self::Exchange(exchange) => write_exchange(&mut out, exchange),
            Self::Ack(ack) => {
                out.line("leaf", ack.leaf)
                    .line("provider-log", &ack.provider.log)
                    .line("provider-index", ack.provider.index)
                    .line("consumer-log", &ack.consumer.log)
                    .line("consumer-index", ack.consumer.index);
            }
            Self::Interrupted(interrupted) => {
                out.line("intent", interrupted.intent).line("reason", &interrupted.reason);
            }
        }
        out.finish()
    }

    /// Reads canonical text.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] naming the line.
    pub fn parse(text: &str) -> Result<Self> {
        let (first, mut lines) = Lines::new(text)?;
        let kind: Kind = first.parse()?;
        let id: ExchangeId = lines.value("id")?;
        let time = Seconds::new(lines.number("time")?)?;
        let statement = match kind {
            Kind::Intent => Self::Intent(Intent {
                question: read_question(&mut lines, id, time)?,
                rules: read_rules(&mut lines)?,
            }),
            Kind::Exchange => Self::Exchange(read_exchange(&mut lines, id, time)?),
            Kind::Ack => Self::Ack(read_ack(&mut lines, id, time)?),
            Kind::Interrupted => {
                let intent = read_entry_ref(&mut lines)?;
                Self::Interrupted(Interrupted { id, time, intent, reason: lines.value("reason")? })
            }
        };
        lines.end()?;
        Ok(statement)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

fn write_question(out: &mut Writer, question: &Question) {
    out.line("provider", &question.provider)
        .line("consumer", &question.consumer)
        .line("dataset", &question.dataset)
        .line("operation", &question.operation)
        .line_or_dash("agreement", question.agreement.as_ref())
        .line_or_dash("purpose", question.purpose.as_ref())
        .line_or_dash("basis", question.basis.as_ref());
}

fn read_question(lines: &mut Lines<'_>, id: ExchangeId, time: Seconds) -> Result<Question> {
    Ok(Question {
        id,
        time,
        provider: lines.value("provider")?,
        consumer: lines.value("consumer")?,
        dataset: lines.value("dataset")?,
        operation: lines.value("operation")?,
        agreement: lines.value_or_dash("agreement")?,
        purpose: lines.value_or_dash("purpose")?,
        basis: lines.value_or_dash("basis")?,
    })
}

fn write_exchange(out: &mut Writer, exchange: &Exchange) {
    write_question(out, &exchange.question);
    let response = match &exchange.decision {
        Decision::Permit { response } => {
            out.line("decision", "permit");
            Some(response)
        }
        Decision::Deny { reason, response } => {
            out.line("decision", format_args!("deny {reason}"));
            response.as_ref()
        }
    };
    out.line("policy", exchange.rules)
        .line(Field::Request.name(), exchange.request)
        .line_if_some(Field::Response.name(), response)
        .line_if_some(Field::User.name(), exchange.sealed.user.as_ref())
        .line_if_some(Field::Subject.name(), exchange.sealed.subject.as_ref())
        .line_if_some(Field::Case.name(), exchange.sealed.case.as_ref());
}

fn read_exchange(lines: &mut Lines<'_>, id: ExchangeId, time: Seconds) -> Result<Exchange> {
    let question = read_question(lines, id, time)?;
    let decision = lines.text("decision")?;
    let rules = read_rules(lines)?;
    let request = lines.value(Field::Request.name())?;
    let decision = read_decision(lines, decision)?;
    let sealed = Sealed {
        user: lines.value_if_present(Field::User.name())?,
        subject: lines.value_if_present(Field::Subject.name())?,
        case: lines.value_if_present(Field::Case.name())?,
    };
    Ok(Exchange { question, decision, rules, request, sealed })
}

/// Joins the decision with the line `response`, which a permit must have and a refusal may have.
fn read_decision(lines: &mut Lines<'_>, decision: &str) -> Result<Decision> {
    let key = Field::Response.name();
    if decision == "permit" {
        return Ok(Decision::Permit { response: lines.value(key)? });
    }
    let reason = decision.strip_prefix("deny ").ok_or_else(|| {
        let why = format!("`decision` is `{}`, not `permit` or `deny <reason>`", text::shortened(decision));
        LedgerError::malformed("statement", why)
    })?;
    Ok(Decision::Deny { reason: reason.parse()?, response: lines.value_if_present(key)? })
}

fn read_rules(lines: &mut Lines<'_>) -> Result<RuleSet> {
    let (digest, version) = pair("policy", lines.text("policy")?)?;
    let sha256 = text::hex_32(digest).ok_or_else(|| {
        LedgerError::malformed("statement", "`policy` needs 64 lower-case hexadecimal digits first")
    })?;
    Ok(RuleSet { sha256, version: number("policy", version)? })
}

fn read_entry_ref(lines: &mut Lines<'_>) -> Result<EntryRef> {
    let (index, leaf) = pair("intent", lines.text("intent")?)?;
    Ok(EntryRef { index: number("intent", index)?, leaf: leaf.parse()? })
}

fn read_ack(lines: &mut Lines<'_>, id: ExchangeId, time: Seconds) -> Result<Ack> {
    let leaf = lines.value("leaf")?;
    let provider = Place { log: lines.value("provider-log")?, index: lines.number("provider-index")? };
    let consumer = Place { log: lines.value("consumer-log")?, index: lines.number("consumer-index")? };
    Ok(Ack { id, time, leaf, provider, consumer })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
