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

mod catalogue;
mod lines;
mod own;
mod signed;
mod word;

use std::fmt;
use std::str::FromStr;

pub use catalogue::{FieldDoc, catalogue};
pub use own::{
    Anchored, Broken, Conflict, Decided, Deed, Erased, LinkageAct, Own, OwnRead, PersonChanged, Read,
    RulesActivated,
};
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
    /// A question put to the rules, and what they said.
    Decision,
    /// A rule set came into force.
    Policy,
    /// A person may act on rule sets, or may no more.
    Person,
    /// Somebody read entries, or had fields opened.
    Audit,
    /// What opens an entry's commitments was destroyed.
    Erasure,
    /// A time-stamping authority stamped a checkpoint.
    Anchor,
    /// A log signed two histories.
    Conflict,
    /// A log has something else where its keeper promised a leaf.
    BrokenPromise,
    /// The agency read its own data for a question to several sources.
    OwnRead,
    /// A linkage key was made, sealed, taken or dropped.
    Linkage,
}

/// Kinds whose names are taken for what is to come. They are refused until this crate can read them.
pub const RESERVED: [&str; 2] = ["key", "registry"];

impl Kind {
    /// All kinds, in the order of the catalogue.
    pub const ALL: [Self; 14] = [
        Self::Intent,
        Self::Exchange,
        Self::Ack,
        Self::Interrupted,
        Self::Decision,
        Self::Policy,
        Self::Person,
        Self::Audit,
        Self::Erasure,
        Self::Anchor,
        Self::Conflict,
        Self::BrokenPromise,
        Self::OwnRead,
        Self::Linkage,
    ];

    /// The first line of its statements.
    #[must_use]
    pub fn first_line(self) -> &'static str {
        match self {
            Self::Intent => "tram/intent@v1",
            Self::Exchange => "tram/exchange@v1",
            Self::Ack => "tram/ack@v1",
            Self::Interrupted => "tram/interrupted@v1",
            Self::Decision => "tram/decision@v1",
            Self::Policy => "tram/policy@v1",
            Self::Person => "tram/person@v1",
            Self::Audit => "tram/audit@v1",
            Self::Erasure => "tram/erasure@v1",
            Self::Anchor => "tram/anchor@v1",
            Self::Conflict => "tram/conflict@v1",
            Self::BrokenPromise => "tram/broken-promise@v1",
            Self::OwnRead => "tram/own-read@v1",
            Self::Linkage => "tram/linkage@v1",
        }
    }
}

impl FromStr for Kind {
    type Err = LedgerError;

    fn from_str(line: &str) -> Result<Self> {
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.first_line() == line) {
            return Ok(kind);
        }
        let name = line.strip_prefix("tram/").and_then(|rest| rest.split_once('@')).map(|(name, _)| name);
        let newer = name.is_some_and(|name| RESERVED.contains(&name) || known_name(name));
        let why = if newer {
            format!("the kind `{}` is of a newer version than this program", text::shortened(line))
        } else {
            format!("the kind `{}` is unknown", text::shortened(line))
        };
        Err(LedgerError::malformed("statement", why))
    }
}

fn known_name(name: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.first_line() == format!("tram/{name}@v1"))
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
pub struct CommittedFields {
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
    /// The fields of which it says the commitments only.
    pub committed: CommittedFields,
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
    /// What an agency says about its own node: `decision@v1`, `policy@v1`, `person@v1`, `audit@v1`, `erasure@v1`, `anchor@v1`,
    /// `conflict@v1`, `broken-promise@v1`, `own-read@v1`, `linkage@v1`.
    Own(Own),
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
            Self::Own(own) => own.deed.kind(),
        }
    }

    /// The exchange that it is about, or the id of its own of a statement that is about none.
    #[must_use]
    pub fn id(&self) -> &ExchangeId {
        match self {
            Self::Intent(intent) => &intent.question.id,
            Self::Exchange(exchange) => &exchange.question.id,
            Self::Ack(ack) => &ack.id,
            Self::Interrupted(interrupted) => &interrupted.id,
            Self::Own(own) => &own.id,
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
            Self::Own(own) => own.time,
        }
    }

    /// The commitment of a field, if this statement has one.
    #[must_use]
    pub fn commitment(&self, field: Field) -> Option<Commitment> {
        match (self, field) {
            (Self::Exchange(exchange), Field::Request) => Some(exchange.request),
            (Self::Exchange(exchange), Field::Response) => match &exchange.decision {
                Decision::Permit { response } => Some(*response),
                Decision::Deny { response, .. } => *response,
            },
            (Self::Exchange(exchange), Field::User) => exchange.committed.user,
            (Self::Exchange(exchange), Field::Subject) => exchange.committed.subject,
            (Self::Exchange(exchange), Field::Case) => exchange.committed.case,
            (Self::Own(own), field) => own.deed.commitment(field),
            _ => None,
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
            Self::Own(own) => own.write(&mut out),
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
                rules: read_rules(&mut lines, "policy")?,
            }),
            Kind::Exchange => Self::Exchange(read_exchange(&mut lines, id, time)?),
            Kind::Ack => Self::Ack(read_ack(&mut lines, id, time)?),
            Kind::Interrupted => {
                let intent = read_entry_ref(&mut lines)?;
                Self::Interrupted(Interrupted { id, time, intent, reason: lines.value("reason")? })
            }
            Kind::Decision
            | Kind::Policy
            | Kind::Person
            | Kind::Audit
            | Kind::Erasure
            | Kind::Anchor
            | Kind::Conflict
            | Kind::BrokenPromise
            | Kind::OwnRead
            | Kind::Linkage => Self::Own(Own::read(kind, &mut lines, id, time)?),
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
        .line_if_some(Field::User.name(), exchange.committed.user.as_ref())
        .line_if_some(Field::Subject.name(), exchange.committed.subject.as_ref())
        .line_if_some(Field::Case.name(), exchange.committed.case.as_ref());
}

fn read_exchange(lines: &mut Lines<'_>, id: ExchangeId, time: Seconds) -> Result<Exchange> {
    let question = read_question(lines, id, time)?;
    let decision = lines.text("decision")?;
    let rules = read_rules(lines, "policy")?;
    let request = lines.value(Field::Request.name())?;
    let decision = read_decision(lines, decision)?;
    let committed = CommittedFields {
        user: lines.value_if_present(Field::User.name())?,
        subject: lines.value_if_present(Field::Subject.name())?,
        case: lines.value_if_present(Field::Case.name())?,
    };
    Ok(Exchange { question, decision, rules, request, committed })
}

/// Joins the decision with the line `response`, which a permit must have and a refusal may have.
fn read_decision(lines: &mut Lines<'_>, decision: &str) -> Result<Decision> {
    let key = Field::Response.name();
    match reason_of(decision)? {
        None => Ok(Decision::Permit { response: lines.value(key)? }),
        Some(reason) => Ok(Decision::Deny { reason, response: lines.value_if_present(key)? }),
    }
}

/// The reason of a refusal; none for a permit.
fn reason_of(decision: &str) -> Result<Option<Word>> {
    if decision == "permit" {
        return Ok(None);
    }
    let reason = decision.strip_prefix("deny ").ok_or_else(|| {
        let why = format!("`decision` is `{}`, not `permit` or `deny <reason>`", text::shortened(decision));
        LedgerError::malformed("statement", why)
    })?;
    reason.parse().map(Some)
}

fn read_rules(lines: &mut Lines<'_>, key: &str) -> Result<RuleSet> {
    let (digest, version) = pair(key, lines.text(key)?)?;
    let sha256 = text::hex_32(digest).ok_or_else(|| {
        let why = format!("`{key}` needs 64 lower-case hexadecimal digits first");
        LedgerError::malformed("statement", why)
    })?;
    Ok(RuleSet { sha256, version: number(key, version)? })
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
