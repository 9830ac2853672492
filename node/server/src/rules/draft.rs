//! Drafts: rule sets that somebody proposed, what others said to them, and what still stands between them and force.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Store, Tx};

use super::act::{Act, DraftName, Proposal, SignedAct};
use super::activation::{self, Coming};
use super::manifest::{self, Way};
use super::people::{People, Person, Role};
use super::{Checked, base, checked, content};
use crate::error::{Error, Result};
use crate::limits::{ANSWERS_MAX, NOTE_CHARS_MAX, OPEN_DRAFTS_MAX};
use crate::node::Node;
use crate::operation::{Operation, rfc3339};
use crate::records;

/// Who may propose.
const PROPOSERS: [Role; 2] = [Role::PolicyEditor, Role::PolicyApprover];
/// Who may approve or reject.
const JUDGES: [Role; 2] = [Role::PolicyApprover, Role::DataProtectionOfficer];

/// Most openings that a draft tells in words.
const OPENINGS_TOLD_MAX: usize = 100;

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// Waits.
    Open,
    /// Somebody rejected it.
    Rejected,
    /// It came into force.
    InForce {
        /// As this version.
        version: u64,
    },
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Its name.
    pub name: DraftName,
    /// What it proposes.
    pub proposal: Proposal,
    /// The author's note.
    pub note: Option<String>,
    /// When it was proposed, Unix seconds.
    pub proposed: i64,
    /// Who proposed it.
    pub author: Option<SignedAct>,
    /// What it opens, in words; see [`policy::review`].
    pub opens: Vec<String>,
    /// Whether some of that may be personal data.
    pub opens_personal: bool,
    /// Approvals and rejections.
    pub answers: Vec<SignedAct>,
    /// What became of it.
    pub state: State,
}

/// The key under which a draft is kept.
pub fn key(name: DraftName) -> Vec<u8> {
    format!("d/{:020}", name.0).into_bytes()
}

/// A draft and its revision, or an error that says what to do.
pub fn demand(store: &Store, name: DraftName) -> Result<(Draft, u64)> {
    records::get::<Draft>(store, Space::RuleSet, &key(name))?
        .ok_or_else(|| Error::not_found(format!("no draft {name} here; `tram policy drafts` lists them")))
}

/// All drafts, the oldest first.
pub fn all(node: &Node) -> Result<Vec<Draft>> {
    Ok(records::all::<Draft>(&node.store, Space::RuleSet, b"d/")?
        .into_iter()
        .map(|(_, draft)| draft)
        .collect())
}

/// A wish to propose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Texts of the files, by name.
    pub files: content::Texts,
    /// A note for those who judge it.
    #[serde(default)]
    pub note: Option<String>,
    /// Not in force before this second, Unix time.
    #[serde(default)]
    pub not_before: Option<i64>,
    /// The author's signature.
    #[serde(default)]
    pub signed: Option<SignedAct>,
}

/// Checks files as a draft, runs their cases and keeps it.
pub async fn propose(node: &Node, operation: &Operation, wish: Wish) -> Result<Value> {
    let _turn = activation::turn(node).await?;
    if wish.note.as_ref().is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX) {
        return Err(Error::usage(format!("a note has at most {NOTE_CHARS_MAX} characters")));
    }
    let base = base(node);
    let checked = checked(wish.files, base.version + 1).await?;
    crate::compliance::demand_seat(node, checked.engine.rule_set())?;
    let proposal = Proposal {
        rules: checked.sha256(),
        files: content::digest(&checked.files)?,
        base,
        not_before: wish.not_before,
    };
    let (people, _) = People::read(&node.store)?;
    author(node, operation, &people, &proposal, wish.signed.as_ref())?;
    let drafts = all(node)?;
    if drafts.iter().filter(|draft| draft.state == State::Open).count() >= OPEN_DRAFTS_MAX {
        return Err(Error::conflict(format!("{OPEN_DRAFTS_MAX} drafts are open; reject some first")));
    }
    let (opens, opens_personal) = opens(node, &checked).await?;
    let draft = Draft {
        name: DraftName(drafts.last().map_or(0, |draft| draft.name.0) + 1),
        proposal,
        note: wish.note,
        proposed: operation.now,
        author: wish.signed,
        opens,
        opens_personal,
        answers: Vec::new(),
        state: State::Open,
    };
    content::put(&node.store, &checked.files).await?;
    let tx =
        Tx::new().absent(Space::RuleSet, key(draft.name)).put_json(Space::RuleSet, key(draft.name), &draft);
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    Ok(
        json!({"draft": view(node, &draft, operation.now)?, "tests": checked.tests, "warnings": checked.warnings(node, operation.now)?}),
    )
}

fn author(
    node: &Node,
    operation: &Operation,
    people: &People,
    proposal: &Proposal,
    signed: Option<&SignedAct>,
) -> Result<()> {
    let Some(signed) = signed else {
        if people.four_eyes() {
            return Err(Error::conflict(
                "a draft needs its author's signature here, so that somebody else approves it; give your key with --as KEYFILE",
            ));
        }
        return Ok(());
    };
    people.speaker_in(&node.config.node.id, operation.now, signed, &PROPOSERS)?;
    if signed.said.act == (Act::Propose { proposal: proposal.clone() }) {
        return Ok(());
    }
    Err(Error::Verification(
        "the author signed other files, or the rule set in force changed meanwhile; look at it and sign anew"
            .to_owned(),
    ))
}

/// What a rule set opens beside the one in force, and whether that may be personal data.
pub(super) async fn opens(node: &Node, checked: &Checked) -> Result<(Vec<String>, bool)> {
    let (old, new) = (node.gate.engine(), Arc::clone(&checked.engine));
    // Large rule sets take a while to compare; requests do not wait for it.
    let compared =
        tokio::task::spawn_blocking(move || policy::review::openings(old.rule_set(), new.rule_set()));
    let openings = compared.await.map_err(Error::internal)?;
    // A dataset that is not here, or cannot be read, may hold personal data when it comes.
    let personal = |name: &str| {
        let found = crate::datasets::find(node, name).ok().flatten();
        found.is_none_or(|dataset| dataset.record.personal != catalog::Personal::None)
    };
    let opens_personal = openings.iter().any(|opening| opening.reaches_personal(personal));
    let words = openings.into_iter().map(|opening| opening.what).take(OPENINGS_TOLD_MAX).collect();
    Ok((words, opens_personal))
}

/// Takes what somebody says to a draft: an approval or a rejection.
pub async fn answer(node: &Node, operation: &Operation, name: DraftName, signed: SignedAct) -> Result<Value> {
    let _turn = activation::turn(node).await?;
    let (mut draft, revision) = demand(&node.store, name)?;
    if draft.state != State::Open {
        return Err(Error::conflict(format!("the draft {name} is {}", state_word(&draft.state))));
    }
    let (people, _) = People::read(&node.store)?;
    let person = people.speaker_in(&node.config.node.id, operation.now, &signed, &JUDGES)?;
    let proposal = draft.proposal.clone();
    if signed.said.act == (Act::Reject { draft: name, proposal: proposal.clone() }) {
        draft.state = State::Rejected;
    } else if signed.said.act != (Act::Approve { draft: name, proposal }) {
        return Err(Error::Verification(format!(
            "this was signed about something else than the draft {name} as it is here; look at it and sign anew"
        )));
    } else if draft.author.as_ref().is_some_and(|author| author.key == signed.key) {
        return Err(Error::conflict(format!(
            "{} proposed the draft {name}; somebody else must approve it",
            person.is.name
        )));
    }
    if draft.answers.iter().any(|answer| answer.key == signed.key && answer.said.act == signed.said.act) {
        return Err(Error::conflict(format!("{} has said so already", person.is.name)));
    }
    if draft.answers.len() >= ANSWERS_MAX {
        return Err(Error::conflict(format!("{ANSWERS_MAX} people have answered already")));
    }
    draft.answers.push(signed);
    let tx = Tx::new().at(Space::RuleSet, key(name), revision).put_json(Space::RuleSet, key(name), &draft);
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    Ok(json!({"draft": view(node, &draft, operation.now)?}))
}

/// Puts a draft in force.
pub async fn activate(node: &Node, operation: &Operation, name: DraftName) -> Result<Value> {
    let turn = activation::turn(node).await?;
    let (mut draft, _) = demand(&node.store, name)?;
    let files = content::get(&node.store, &draft.proposal.files)?;
    let checked = checked(files, base(node).version + 1).await?;
    // Asked again: datasets may hold personal data since.
    (draft.opens, draft.opens_personal) = opens(node, &checked).await?;
    let missing = missing(node, &draft, operation.now)?;
    if !missing.is_empty() {
        return Err(Error::conflict(format!(
            "the draft {name} does not come into force: {}",
            missing.join("; ")
        )));
    }
    let approvals = draft.answers.into_iter().filter(|a| matches!(a.said.act, Act::Approve { .. })).collect();
    let warnings = checked.warnings(node, operation.now)?;
    let coming = Coming {
        checked,
        how: Way::Draft { draft: name, opens_personal: draft.opens_personal },
        not_before: draft.proposal.not_before,
        note: draft.note,
        author: draft.author,
        approvals,
    };
    let mut done = activation::activate(node, operation, &turn, coming).await?;
    done["warnings"] = json!(warnings);
    Ok(done)
}

/// What still stands between a draft and force, in words; nothing when it may come into force.
fn missing(node: &Node, draft: &Draft, now: i64) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    if draft.state != State::Open {
        missing.push(format!("it is {}", state_word(&draft.state)));
    }
    let base = base(node);
    if draft.proposal.base != base {
        missing.push(format!(
            "it was made for version {} and version {} is in force now; export that, make the change there and draft it anew",
            draft.proposal.base.version, base.version
        ));
    }
    if let Some(from) = draft.proposal.not_before.filter(|from| now < *from) {
        missing.push(format!("it is for {} and later", rfc3339(from)));
    }
    let (people, _) = People::read(&node.store)?;
    if people.four_eyes() {
        let author = draft.author.as_ref();
        let left = |author: &&SignedAct| !people.holder(&author.key).is_some_and(|p| p.serves(now));
        if author.filter(left).is_some() {
            missing.push("its author is no longer in office; somebody else drafts it anew".to_owned());
        }
        let enough = manifest::enough(&approvers(&people, draft, now), author, draft.opens_personal, true);
        missing.extend(enough.err());
    }
    Ok(missing)
}

/// Those who approved and still may.
fn approvers<'a>(people: &'a People, draft: &Draft, now: i64) -> Vec<&'a Person> {
    let approvals = draft.answers.iter().filter(|a| matches!(a.said.act, Act::Approve { .. }));
    approvals.filter_map(|a| people.holder(&a.key)).filter(|person| person.serves(now)).collect()
}

fn state_word(state: &State) -> String {
    match state {
        State::Open => "open".to_owned(),
        State::Rejected => "rejected".to_owned(),
        State::InForce { version } => format!("in force since version {version}"),
    }
}

/// A draft for people and programs.
pub fn view(node: &Node, draft: &Draft, now: i64) -> Result<Value> {
    let (people, _) = People::read(&node.store)?;
    let said = |act: &SignedAct| {
        let name = people.holder(&act.key).map(|p| p.is.name.clone());
        json!({"key": act.key, "name": name, "did": act.said.act.word(), "at": rfc3339(act.said.at)})
    };
    let missing = if draft.state == State::Open { missing(node, draft, now)? } else { Vec::new() };
    Ok(json!({
        "name": draft.name,
        "state": draft.state,
        "proposal": draft.proposal,
        "note": draft.note,
        "proposed": rfc3339(draft.proposed),
        "author": draft.author.as_ref().map(said),
        "opens": draft.opens,
        "opens_personal": draft.opens_personal,
        "answers": draft.answers.iter().map(said).collect::<Vec<_>>(),
        "missing": missing,
    }))
}
