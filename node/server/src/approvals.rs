//! Approval by people: the obligation `approval` names roles, and nothing leaves before each of them has said yes.
//!
//! An exchange that needs an approval waits; people see it with `tram approval list`, and what they say is kept with their
//! name and reason. A yes holds for the same request under the same obligations until it ends or is withdrawn; a no
//! refuses the request with the reason given. Every decision that rests on an approval carries it among its grounds, so the
//! ledger's commitment covers who approved.
//!
//! What it is not: it does not know people. Who may speak for a role is for those who hold the node's local door.

use std::collections::{BTreeMap, BTreeSet};

use policy::Obligations;
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

use crate::error::{Error, RefusalInfo, Result};
use crate::flow::notice;
use crate::flow::terms::Stated;
use crate::gate::Asked;
use crate::limits;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{self, Exchange};

/// Prefix of the keys.
const PREFIX: &str = "approval/";
/// Longest name or note, bytes.
const TEXT_BYTES_MAX: usize = 1_024;
/// Most approvals of one consumer that wait at once: past this its further requests wait without being shown to people, so
/// that nobody fills the list.
const OPEN_MAX: usize = 100;

/// What people were asked, and what they said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// ULID.
    pub id: String,
    /// When it was asked for, Unix seconds.
    pub asked: i64,
    /// The exchange that asked first.
    pub exchange: String,
    /// What is asked for.
    pub request: Request,
    /// What each role has said.
    pub roles: BTreeMap<String, Option<Word>>,
    /// From this Unix second on it does not hold any more.
    pub until: i64,
    /// Who took it back, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Word>,
}

/// What an approval is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who asks.
    pub consumer: String,
    /// For which dataset.
    pub dataset: String,
    /// `query`, `download`, …
    pub action: String,
    /// What is done to the rows before they leave, SHA-256 of the obligations, hex: who approved pseudonyms has not
    /// approved names.
    pub obligations: String,
    /// For which purpose.
    pub purpose: Option<String>,
    /// On which legal basis.
    pub basis: Option<String>,
    /// What the consumer states of the people and the place that use the data.
    #[serde(default, skip_serializing_if = "Stated::is_empty")]
    pub stated: Stated,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Yes or no.
    pub approved: bool,
    /// Who said it.
    pub by: String,
    /// Why; a no needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When, Unix seconds.
    pub at: i64,
}

/// How it stands with the approvals that a permit demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// None is demanded, or all are on record.
    Given(Vec<Approval>),
    /// These roles have not spoken yet.
    Open(BTreeSet<String>),
    /// Somebody said no, for this reason.
    Refused(String),
}

impl Approval {
    /// The word people see.
    pub fn state(&self, now: i64) -> &'static str {
        if self.withdrawn.is_some() {
            "withdrawn"
        } else if now >= self.until {
            "expired"
        } else if self.roles.values().flatten().any(|word| !word.approved) {
            "refused"
        } else if self.roles.values().all(Option::is_some) {
            "approved"
        } else {
            "open"
        }
    }

    fn stands_for(&self, role: &str) -> bool {
        self.roles.get(role).is_some_and(|word| word.as_ref().is_some_and(|word| word.approved))
    }
}

impl Request {
    fn of(asked: &Asked<'_>, obligations: &Obligations) -> Result<Self> {
        Ok(Self {
            consumer: asked.subject.to_owned(),
            dataset: asked.dataset.to_owned(),
            action: asked.action.written().to_owned(),
            obligations: obligations.digest().map_err(Error::internal)?.to_string(),
            purpose: asked.purpose.map(str::to_owned),
            basis: asked.basis.map(str::to_owned),
            stated: asked.agreement.map(|agreement| agreement.stated.clone()).unwrap_or_default(),
        })
    }
}

/// All approvals, the newest first.
pub fn all(node: &Node) -> Result<Vec<Approval>> {
    let found = records::all::<Approval>(&node.store, Space::Meta, PREFIX.as_bytes())?;
    let mut all: Vec<Approval> = found.into_iter().map(|(_, approval)| approval).collect();
    all.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(all)
}

/// All approvals that one consumer needed, the newest first.
fn of_consumer(node: &Node, consumer: &str) -> Result<Vec<Approval>> {
    let prefix = format!("{PREFIX}{}/", records::short(consumer));
    let found = records::all::<Approval>(&node.store, Space::Meta, prefix.as_bytes())?;
    Ok(found.into_iter().rev().map(|(_, approval)| approval).collect())
}

/// How it stands with what these obligations demand of this request.
pub fn state(node: &Node, now: i64, asked: &Asked<'_>, obligations: &Obligations) -> Result<State> {
    if obligations.approval.is_empty() {
        return Ok(State::Given(Vec::new()));
    }
    let request = Request::of(asked, obligations)?;
    let about: Vec<Approval> = of_consumer(node, asked.subject)?
        .into_iter()
        .filter(|a| a.request == request && a.state(now) != "withdrawn")
        .collect();
    let mut open = BTreeSet::new();
    let mut given: Vec<Approval> = Vec::new();
    for role in &obligations.approval {
        let role = role.as_str();
        // The newest that asked this role is what counts, whether it has an answer or not.
        match about.iter().find(|a| a.roles.contains_key(role)) {
            Some(approval) if approval.state(now) == "refused" => return Ok(refused(approval)),
            Some(approval) if now < approval.until && approval.stands_for(role) => {
                if !given.contains(approval) {
                    given.push(approval.clone());
                }
            }
            _ => {
                open.insert(role.to_owned());
            }
        }
    }
    Ok(if open.is_empty() { State::Given(given) } else { State::Open(open) })
}

fn refused(approval: &Approval) -> State {
    let no = approval.roles.values().flatten().find(|word| !word.approved);
    State::Refused(no.and_then(|word| word.note.clone()).unwrap_or_default())
}

/// Asks people for what is missing, unless they are asked already; tells the roles by a notice.
pub async fn ask(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    asked: &Asked<'_>,
    obligations: &Obligations,
    roles: &BTreeSet<String>,
) -> Result<()> {
    // Two requests at once ask people once.
    let _turn = node.locks.lock(PREFIX.as_bytes()).await;
    let request = Request::of(asked, obligations)?;
    let open: Vec<Approval> =
        of_consumer(node, asked.subject)?.into_iter().filter(|a| a.state(operation.now) == "open").collect();
    let waits = |role: &String| open.iter().any(|a| a.request == request && a.roles.contains_key(role));
    let missing: BTreeMap<String, Option<Word>> =
        roles.iter().filter(|role| !waits(role)).map(|role| (role.clone(), None)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if open.len() >= OPEN_MAX {
        return Err(Error::Unavailable(
            "too many requests of this consumer wait for an approval; answer some of them".to_owned(),
        ));
    }
    let approval = Approval {
        id: ulid::Ulid::generate().to_string(),
        asked: operation.now,
        exchange: exchange.id.clone(),
        request,
        roles: missing,
        until: operation.now.saturating_add(limits::AGREEMENT_SECONDS_DEFAULT),
        withdrawn: None,
    };
    for role in approval.roles.keys() {
        notice::write(node, operation, exchange, role, "approval")?;
    }
    let key = key(&approval);
    let tx = Tx::new().put_json(Space::Meta, key, &approval).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    tracing::info!(exchange = exchange.id, approval = approval.id, "waits for an approval");
    Ok(())
}

/// What a person says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// In which role.
    pub role: String,
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// Why; needed for a no, because a refusal is given with its reason.
    #[serde(default)]
    pub note: Option<String>,
}

/// Keeps what a person said; the last word of a role cannot be changed, only withdrawn.
pub async fn answer(node: &Node, operation: &Operation, id: &str, said: &Said) -> Result<Approval> {
    let note = check(&said.by, said.note.as_deref())?;
    if !said.approved && note.is_none() {
        return Err(Error::usage(
            "a refusal needs its reason: it is told to the asker (Decree 194/2025, Art. 16(2)); add a note",
        ));
    }
    change(node, id, |approval| {
        let state = approval.state(operation.now);
        let Some(word) = approval.roles.get_mut(&said.role) else {
            let wanted = approval.roles.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::usage(format!("role `{}` is not asked here; asked are {wanted}", said.role)));
        };
        if state != "open" || word.is_some() {
            return Err(Error::conflict(format!(
                "this approval is {state} or `{}` has answered; withdraw it, and the next request asks anew",
                said.role
            )));
        }
        *word = Some(Word {
            approved: said.approved,
            by: said.by.clone(),
            note: note.clone(),
            at: operation.now,
        });
        Ok(())
    })
    .await
}

/// Takes an approval (or a refusal) back: the next request asks people anew, and running transfers that rest on it end.
pub async fn withdraw(
    node: &Node,
    operation: &Operation,
    id: &str,
    by: &str,
    note: Option<&str>,
) -> Result<Approval> {
    let note = check(by, note)?;
    change(node, id, |approval| {
        if approval.withdrawn.is_some() {
            return Err(Error::conflict("this approval is withdrawn already"));
        }
        approval.withdrawn =
            Some(Word { approved: false, by: by.to_owned(), note: note.clone(), at: operation.now });
        Ok(())
    })
    .await
}

fn check(by: &str, note: Option<&str>) -> Result<Option<String>> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    if by.trim().is_empty() || by.len() > TEXT_BYTES_MAX || note.is_some_and(|n| n.len() > TEXT_BYTES_MAX) {
        return Err(Error::usage(format!(
            "say who it is; name and note have at most {TEXT_BYTES_MAX} bytes"
        )));
    }
    Ok(note.map(str::to_owned))
}

async fn change(
    node: &Node,
    id: &str,
    mut edit: impl FnMut(&mut Approval) -> Result<()>,
) -> Result<Approval> {
    let found = all(node)?.into_iter().find(|approval| approval.id == id);
    let key = found.map(|approval| key(&approval)).ok_or_else(|| {
        Error::not_found(format!("no approval `{id}` here; `tram approval list` shows them"))
    })?;
    records::update::<Approval, Approval>(&node.store, Space::Meta, &key, |approval| {
        edit(approval)?;
        Ok((approval.clone(), Tx::new()))
    })
    .await
}

fn key(approval: &Approval) -> Vec<u8> {
    format!("{PREFIX}{}/{}", records::short(&approval.request.consumer), approval.id).into_bytes()
}

/// What the asker is told while people have not spoken, where it cannot wait.
pub fn pending() -> RefusalInfo {
    told(
        "APPROVAL-PENDING",
        "Yêu cầu được phép sau khi có người phê duyệt; việc phê duyệt chưa xong.".to_owned(),
        "The request is permitted once a person has approved it, and nobody has yet.".to_owned(),
    )
}

/// What the asker is told when somebody said no.
pub fn denied(reason: &str) -> RefusalInfo {
    told(
        "APPROVAL-REFUSED",
        format!("Người phê duyệt không đồng ý: {reason}"),
        format!("The person who had to approve it refused: {reason}"),
    )
}

fn told(code: &str, text_vi: String, text_en: String) -> RefusalInfo {
    RefusalInfo {
        code: code.to_owned(),
        legal_basis: "Nghị định 194/2025/NĐ-CP, Điều 16 khoản 2 / Decree 194/2025/ND-CP, Art. 16(2)"
            .to_owned(),
        text_vi,
        text_en,
    }
}
