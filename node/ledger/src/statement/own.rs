//! Statements of one agency about its own node: what it decided, what it put in force, who read its ledger, what it
//! erased, what others witnessed. One party signs them, and they stand in that party's log alone.
//!
//! All share the lines `id`, `time` and `agency`; the rest is the [`Deed`].

use certs::note::KeyName;

use super::lines::{Lines, Writer, number, pair};
use super::{ExchangeId, Kind, Party, RuleSet, Seconds, Word, read_rules};
use crate::commitment::{Commitment, Field};
use crate::error::{LedgerError, Result};
use crate::merkle::Hash;
use crate::statement::EntryRef;
use crate::text;

/// A statement of an agency about its own node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The exchange that it belongs to, or an id of its own (a ULID).
    pub id: ExchangeId,
    /// When it was written.
    pub time: Seconds,
    /// The agency, which signs.
    pub agency: Party,
    /// What was done.
    pub deed: Deed,
}

/// What an agency did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// `decision@v1`
    Decided(Box<Decided>),
    /// `policy@v1`
    RulesActivated(RulesActivated),
    /// `person@v1`
    PersonChanged(PersonChanged),
    /// `audit@v1`
    Read(Read),
    /// `erasure@v1`
    Erased(Erased),
    /// `anchor@v1`
    Anchored(Anchored),
    /// `conflict@v1`
    Conflict(Conflict),
    /// `broken-promise@v1`
    Broken(Broken),
    /// `own-read@v1`
    OwnRead(Box<OwnRead>),
    /// `linkage@v1`
    Linkage(Box<LinkageAct>),
}

/// `decision@v1`: one question put to the rules, and what they said. It replays: the opened question, put to the rule set
/// of that digest, must give the opened verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Who asked.
    pub subject: Party,
    /// What it wanted to do.
    pub action: Word,
    /// With which dataset.
    pub dataset: Word,
    /// For which purpose.
    pub purpose: Option<Word>,
    /// On which legal basis.
    pub basis: Option<Word>,
    /// Under which agreement.
    pub agreement: Option<Word>,
    /// The code of the reason of a refusal; none for a permit.
    pub refused: Option<Word>,
    /// The rule set.
    pub rules: RuleSet,
    /// Of the whole question with its facts, canonical JSON (RFC 8785).
    pub question: Commitment,
    /// Of the whole decision, canonical JSON.
    pub verdict: Commitment,
}

/// `policy@v1`: a rule set came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesActivated {
    /// The rule set.
    pub rules: RuleSet,
    /// The one before it.
    pub before: RuleSet,
}

/// `person@v1`: a person may act on rule sets from now on, or may no more. Who it is, the agency's register says; here stands
/// the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChanged {
    /// Version of the register after the change.
    pub register: u64,
    /// `add`, `confirm` or `remove`.
    pub change: Word,
    /// Thumbprint of the person's key.
    pub key: Word,
    /// The person's roles, commas between.
    pub roles: Word,
    /// Thumbprint of the key that signed the change; none while nobody's signature was needed.
    pub by: Option<Word>,
}

/// `audit@v1`: somebody read entries of this ledger, or had fields opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The agency or office that reads.
    pub reader: Word,
    /// What it did: `query`, `export`, `tiles`, `list`, `watch`, `reconcile`.
    pub action: Word,
    /// For which purpose, when it said one.
    pub purpose: Option<Word>,
    /// First entry of the range that was open to it.
    pub from: u64,
    /// End of that range, not included.
    pub to: u64,
    /// How many fields were opened.
    pub opened: u64,
    /// The person, as a commitment.
    pub user: Option<Commitment>,
}

/// `erasure@v1`: what opens an entry's commitments was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The entry that opens to nothing any more; it stays and proves itself.
    pub entry: EntryRef,
    /// The code of the reason: `retention`, `request`, `order`.
    pub reason: Word,
}

/// `anchor@v1`: a time-stamping authority (RFC 3161) stamped a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// Size of the stamped tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// SHA-256 of the token (DER).
    pub token: [u8; 32],
    /// The time in the token, POSIX seconds.
    pub stamped: Seconds,
}

/// `conflict@v1`: a log signed two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The log's origin.
    pub log: KeyName,
    /// Size of its first tree.
    pub first_size: u64,
    /// Root of its first tree.
    pub first_root: Hash,
    /// Size of its second tree.
    pub second_size: u64,
    /// Root of its second tree.
    pub second_root: Hash,
    /// SHA-256 of the file with the evidence.
    pub evidence: [u8; 32],
}

/// `broken-promise@v1`: a log has something else where its keeper promised a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The log's origin.
    pub log: KeyName,
    /// The place and the leaf that was promised there.
    pub promised: EntryRef,
    /// The leaf that stands there.
    pub found: Hash,
    /// Size of the tree in which it stands.
    pub size: u64,
    /// Root of that tree.
    pub root: Hash,
    /// SHA-256 of the file with the evidence.
    pub evidence: [u8; 32],
}

/// `own-read@v1`: the agency read a dataset of its own for a question to several sources. Written before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRead {
    /// The dataset.
    pub dataset: Word,
    /// What is done with it.
    pub operation: Word,
    /// For which purpose, when the question said one.
    pub purpose: Option<Word>,
    /// On which legal basis.
    pub basis: Option<Word>,
    /// By which permit: `owner`, which no rule decides.
    pub permit: Word,
    /// The rule set in force.
    pub rules: RuleSet,
    /// Of what was asked of the dataset, canonical JSON (RFC 8785).
    pub question: Commitment,
}

/// `linkage@v1`: the agency made a linkage key, sealed it to another holder, took it from one or dropped it. Written before
/// it is done; the key itself stands nowhere in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkageAct {
    /// The key's full name, `NAME@ID`.
    pub linkage: Word,
    /// What was done: `make`, `seal`, `take`, `drop`.
    pub act: Word,
    /// The agencies that hold the key, bars (`|`) between.
    pub holders: Word,
    /// To whom it was sealed, or from whom it was taken; none else.
    pub party: Option<Party>,
}

impl Deed {
    pub(super) fn commitment(&self, field: Field) -> Option<Commitment> {
        match (self, field) {
            (Self::Decided(decided), Field::Question) => Some(decided.question),
            (Self::OwnRead(read), Field::Question) => Some(read.question),
            (Self::Decided(decided), Field::Verdict) => Some(decided.verdict),
            (Self::Read(read), Field::User) => read.user,
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Decided(_) => Kind::Decision,
            Self::RulesActivated(_) => Kind::Policy,
            Self::PersonChanged(_) => Kind::Person,
            Self::Read(_) => Kind::Audit,
            Self::Erased(_) => Kind::Erasure,
            Self::Anchored(_) => Kind::Anchor,
            Self::Conflict(_) => Kind::Conflict,
            Self::Broken(_) => Kind::BrokenPromise,
            Self::OwnRead(_) => Kind::OwnRead,
            Self::Linkage(_) => Kind::Linkage,
        }
    }
}

impl Own {
    /// Writes the lines after `id` and `time`.
    pub(super) fn write(&self, out: &mut Writer) {
        out.line("agency", &self.agency);
        match &self.deed {
            Deed::Decided(decided) => write_decided(out, decided),
            Deed::RulesActivated(activated) => {
                out.line("policy", activated.rules).line("before", activated.before);
            }
            Deed::PersonChanged(changed) => {
                out.line("register", changed.register)
                    .line("change", &changed.change)
                    .line("key", &changed.key)
                    .line("roles", &changed.roles)
                    .line_or_dash("by", changed.by.as_ref());
            }
            Deed::Read(read) => {
                out.line("reader", &read.reader)
                    .line("action", &read.action)
                    .line_or_dash("purpose", read.purpose.as_ref())
                    .line("entries", format_args!("{} {}", read.from, read.to))
                    .line("opened", read.opened)
                    .line_if_some(Field::User.name(), read.user.as_ref());
            }
            Deed::Erased(erased) => {
                out.line("entry", erased.entry).line("reason", &erased.reason);
            }
            Deed::Anchored(anchored) => {
                out.line("tree", format_args!("{} {}", anchored.size, anchored.root))
                    .line("token", text::to_hex(&anchored.token))
                    .line("stamped", anchored.stamped);
            }
            Deed::Conflict(conflict) => {
                out.line("log", &conflict.log)
                    .line("first", format_args!("{} {}", conflict.first_size, conflict.first_root))
                    .line("second", format_args!("{} {}", conflict.second_size, conflict.second_root))
                    .line("evidence", text::to_hex(&conflict.evidence));
            }
            Deed::Broken(broken) => {
                out.line("log", &broken.log)
                    .line("promised", broken.promised)
                    .line("found", broken.found)
                    .line("tree", format_args!("{} {}", broken.size, broken.root))
                    .line("evidence", text::to_hex(&broken.evidence));
            }
            Deed::OwnRead(read) => {
                out.line("dataset", &read.dataset)
                    .line("operation", &read.operation)
                    .line_or_dash("purpose", read.purpose.as_ref())
                    .line_or_dash("basis", read.basis.as_ref())
                    .line("permit", &read.permit)
                    .line("policy", read.rules)
                    .line(Field::Question.name(), read.question);
            }
            Deed::Linkage(act) => {
                out.line("linkage", &act.linkage)
                    .line("act", &act.act)
                    .line("holders", &act.holders)
                    .line_or_dash("party", act.party.as_ref());
            }
        }
    }

    /// Reads the lines after `id` and `time`.
    pub(super) fn read(kind: Kind, lines: &mut Lines<'_>, id: ExchangeId, time: Seconds) -> Result<Self> {
        let agency = lines.value("agency")?;
        let deed = match kind {
            Kind::Decision => Deed::Decided(Box::new(read_decided(lines)?)),
            Kind::Policy => Deed::RulesActivated(RulesActivated {
                rules: read_rules(lines, "policy")?,
                before: read_rules(lines, "before")?,
            }),
            Kind::Person => Deed::PersonChanged(PersonChanged {
                register: lines.number("register")?,
                change: lines.value("change")?,
                key: lines.value("key")?,
                roles: lines.value("roles")?,
                by: lines.value_or_dash("by")?,
            }),
            Kind::Audit => Deed::Read(read_read(lines)?),
            Kind::Erasure => {
                Deed::Erased(Erased { entry: read_entry(lines, "entry")?, reason: lines.value("reason")? })
            }
            Kind::Anchor => Deed::Anchored(read_anchored(lines)?),
            Kind::Conflict => Deed::Conflict(read_conflict(lines)?),
            Kind::BrokenPromise => Deed::Broken(read_broken(lines)?),
            Kind::OwnRead => Deed::OwnRead(Box::new(read_own_read(lines)?)),
            Kind::Linkage => Deed::Linkage(Box::new(LinkageAct {
                linkage: lines.value("linkage")?,
                act: lines.value("act")?,
                holders: lines.value("holders")?,
                party: lines.value_or_dash("party")?,
            })),
            Kind::Intent | Kind::Exchange | Kind::Ack | Kind::Interrupted => {
                let why = format!("`{}` is no statement of one agency", kind.first_line());
                return Err(LedgerError::malformed("statement", why));
            }
        };
        Ok(Self { id, time, agency, deed })
    }
}

fn write_decided(out: &mut Writer, decided: &Decided) {
    out.line("subject", &decided.subject)
        .line("action", &decided.action)
        .line("dataset", &decided.dataset)
        .line_or_dash("agreement", decided.agreement.as_ref())
        .line_or_dash("purpose", decided.purpose.as_ref())
        .line_or_dash("basis", decided.basis.as_ref());
    match &decided.refused {
        None => out.line("decision", "permit"),
        Some(reason) => out.line("decision", format_args!("deny {reason}")),
    };
    out.line("policy", decided.rules)
        .line(Field::Question.name(), decided.question)
        .line(Field::Verdict.name(), decided.verdict);
}

fn read_decided(lines: &mut Lines<'_>) -> Result<Decided> {
    let (subject, action, dataset) =
        (lines.value("subject")?, lines.value("action")?, lines.value("dataset")?);
    let (agreement, purpose) = (lines.value_or_dash("agreement")?, lines.value_or_dash("purpose")?);
    let basis = lines.value_or_dash("basis")?;
    let refused = super::reason_of(lines.text("decision")?)?;
    Ok(Decided {
        subject,
        action,
        dataset,
        purpose,
        basis,
        agreement,
        refused,
        rules: read_rules(lines, "policy")?,
        question: lines.value(Field::Question.name())?,
        verdict: lines.value(Field::Verdict.name())?,
    })
}

fn read_read(lines: &mut Lines<'_>) -> Result<Read> {
    let (reader, action) = (lines.value("reader")?, lines.value("action")?);
    let purpose = lines.value_or_dash("purpose")?;
    let (from, to) = pair("entries", lines.text("entries")?)?;
    let (from, to) = (number("entries", from)?, number("entries", to)?);
    if from > to {
        return Err(LedgerError::malformed("statement", "`entries` ends before it begins"));
    }
    let (opened, user) = (lines.number("opened")?, lines.value_if_present(Field::User.name())?);
    Ok(Read { reader, action, purpose, from, to, opened, user })
}

fn read_own_read(lines: &mut Lines<'_>) -> Result<OwnRead> {
    Ok(OwnRead {
        dataset: lines.value("dataset")?,
        operation: lines.value("operation")?,
        purpose: lines.value_or_dash("purpose")?,
        basis: lines.value_or_dash("basis")?,
        permit: lines.value("permit")?,
        rules: read_rules(lines, "policy")?,
        question: lines.value(Field::Question.name())?,
    })
}

fn read_entry(lines: &mut Lines<'_>, key: &str) -> Result<EntryRef> {
    let (index, leaf) = tree(lines, key)?;
    Ok(EntryRef { index, leaf })
}

fn read_anchored(lines: &mut Lines<'_>) -> Result<Anchored> {
    let (size, root) = tree(lines, "tree")?;
    let token = digest(lines, "token")?;
    Ok(Anchored { size, root, token, stamped: Seconds::new(lines.number("stamped")?)? })
}

fn read_conflict(lines: &mut Lines<'_>) -> Result<Conflict> {
    let log = KeyName::new(lines.text("log")?)?;
    let (first_size, first_root) = tree(lines, "first")?;
    let (second_size, second_root) = tree(lines, "second")?;
    let evidence = digest(lines, "evidence")?;
    Ok(Conflict { log, first_size, first_root, second_size, second_root, evidence })
}

fn read_broken(lines: &mut Lines<'_>) -> Result<Broken> {
    let log = KeyName::new(lines.text("log")?)?;
    let (promised, found) = (read_entry(lines, "promised")?, lines.value("found")?);
    let (size, root) = tree(lines, "tree")?;
    Ok(Broken { log, promised, found, size, root, evidence: digest(lines, "evidence")? })
}

/// A number and a hash.
fn tree(lines: &mut Lines<'_>, key: &str) -> Result<(u64, Hash)> {
    let (size, hash) = pair(key, lines.text(key)?)?;
    Ok((number(key, size)?, hash.parse()?))
}

fn digest(lines: &mut Lines<'_>, key: &str) -> Result<[u8; 32]> {
    let value = lines.text(key)?;
    text::hex_32(value).ok_or_else(|| {
        LedgerError::malformed("statement", format!("`{key}` is not 64 lower-case hexadecimal digits"))
    })
}
