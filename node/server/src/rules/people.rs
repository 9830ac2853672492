//! The people who may say something about rule sets: name, roles, public key, time in office.
//!
//! Promise: once somebody who may approve is in the register, it changes only by the signature of such a person, and
//! somebody who may approve for an unlimited time always stays in it: four eyes are never switched off by time or by
//! removing people one after another. Nor does one approver get a second pair by letting in somebody of their own: who
//! comes with a say over rules beside another approver waits ([`WAIT_SECONDS`]) until that other one confirms, and is
//! listed all the while. Each change is an entry of the ledger (`person@v1`). The private keys are never here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::PublicKey;
use ledger::statement::{Deed, PersonChanged, Word};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Store, Tx};

use super::act::{Act, Newcomer, SignedAct};
use crate::error::{Error, Result};
use crate::flow::statement;
use crate::limits::{NAME_CHARS_MAX, PEOPLE_MAX};
use crate::node::Node;
use crate::operation::{Operation, rfc3339};
use crate::records::{self, Leaf};

/// Key of the register in the store.
const REGISTER: &[u8] = b"people";
/// Key of the register as it is about to be.
const PENDING: &[u8] = b"people-pending";
/// How old an act may be when it comes in, seconds (one day): it may be signed at another machine.
const ACT_SECONDS_MAX: i64 = 86_400;
/// How long somebody whom one approver alone let in waits before acting, seconds (seven days).
pub const WAIT_SECONDS: i64 = 7 * 86_400;
/// How far the clock of the one who signs may be ahead, seconds.
const AHEAD_SECONDS_MAX: i64 = 300;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Proposes rule sets.
    PolicyEditor,
    /// Approves rule sets of others, and lets people in and out.
    PolicyApprover,
    /// Approves, as the second, what opens personal data.
    DataProtectionOfficer,
    /// Reads and checks.
    Auditor,
    /// Looks after datasets.
    Steward,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name, roles, key, end of the time in office.
    pub is: Newcomer,
    /// Since when, Unix seconds.
    pub since: i64,
    /// Acts from this second on, Unix time: later than `since` where nobody else has confirmed the person yet.
    pub from: i64,
    /// Thumbprint of the key that let the person in.
    pub by: Option<String>,
    /// When the person was let out; stays listed, because old approvals name the key.
    pub removed: Option<i64>,
}

impl Person {
    /// Whether the person may act at this second.
    pub fn serves(&self, at: i64) -> bool {
        self.removed.is_none() && self.from <= at && self.is.until.is_none_or(|until| at <= until)
    }

    /// Whether the person still had a say over who may act, at this second or up to [`WAIT_SECONDS`] before.
    fn approved_lately(&self, at: i64) -> bool {
        let end = self.removed.into_iter().chain(self.is.until).min();
        self.has(Role::PolicyApprover) && end.is_none_or(|end| end.saturating_add(WAIT_SECONDS) > at)
    }

    /// Whether the person has this role.
    pub fn has(&self, role: Role) -> bool {
        self.is.roles.contains(&role)
    }

    /// For people and programs.
    pub fn view(&self) -> Value {
        json!({
            "name": self.is.name,
            "roles": self.is.roles,
            "key": self.is.key.thumbprint(),
            "public_key": self.is.key,
            "since": rfc3339(self.since),
            "from": rfc3339(self.from),
            "until": self.is.until.map(rfc3339),
            "removed": self.removed.map(rfc3339),
        })
    }
}

/// The register of people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// Grows with each change.
    pub version: u64,
    /// Everybody who ever was in it.
    pub people: Vec<Person>,
}

impl People {
    /// The register as the store has it, and the revision that was read.
    pub fn read(store: &Store) -> Result<(Self, Option<u64>)> {
        Ok(match records::get::<Self>(store, Space::Meta, REGISTER)? {
            Some((people, revision)) => (people, Some(revision)),
            None => (Self::default(), None),
        })
    }

    /// Whether what one person proposes needs another who approves it.
    pub fn four_eyes(&self) -> bool {
        self.people.iter().any(|p| p.removed.is_none() && p.has(Role::PolicyApprover))
    }

    /// Who holds this key, whether still serving or not.
    pub fn holder(&self, key: &str) -> Option<&Person> {
        self.people.iter().rev().find(|p| p.is.key.thumbprint() == key)
    }

    /// The person who said this: serving now, the signature good, at this node, and not long ago.
    pub fn speaker(&self, node: &str, now: i64, signed: &SignedAct) -> Result<&Person> {
        let person = self.holder(&signed.key).filter(|person| person.serves(now)).ok_or_else(|| {
            Error::Verification(format!(
                "the key {} is of nobody who may act here now; `tram person list` tells who may, and from when",
                shown(&signed.key)
            ))
        })?;
        signed.verify(&person.is.key)?;
        if signed.said.node != node {
            return Err(Error::Verification(format!(
                "this was signed for the node `{}`, not for this one",
                shown(&signed.said.node)
            )));
        }
        if !(now.saturating_sub(ACT_SECONDS_MAX)..=now.saturating_add(AHEAD_SECONDS_MAX))
            .contains(&signed.said.at)
        {
            return Err(Error::Verification(
                "this was signed over a day ago, or by a clock that is ahead; sign it anew".to_owned(),
            ));
        }
        Ok(person)
    }

    /// The same, who must have one of these roles.
    pub fn speaker_in(&self, node: &str, now: i64, signed: &SignedAct, roles: &[Role]) -> Result<&Person> {
        let person = self.speaker(node, now, signed)?;
        if roles.iter().any(|role| person.has(*role)) {
            return Ok(person);
        }
        let wanted: Vec<String> = roles.iter().map(|role| role_word(*role)).collect();
        Err(Error::conflict(format!(
            "{} may not {}: it needs the role {}",
            person.is.name,
            signed.said.act.word(),
            wanted.join(" or ")
        )))
    }

    /// For people and programs.
    pub fn view(&self) -> Value {
        let people: Vec<Value> = self.people.iter().map(Person::view).collect();
        json!({"register": self.version, "four_eyes": self.four_eyes(), "people": people})
    }

    /// Whether somebody who may approve for an unlimited time is there.
    fn secured(&self) -> bool {
        let mut approvers = self.people.iter().filter(|p| p.removed.is_none() && p.has(Role::PolicyApprover));
        approvers.any(|p| p.is.until.is_none())
    }

    fn let_in(&mut self, person: Newcomer, by: Option<String>, now: i64) -> Result<()> {
        check(&person, now)?;
        if self.people.len() >= PEOPLE_MAX {
            return Err(Error::conflict(format!(
                "the register holds {PEOPLE_MAX} people, which is its limit"
            )));
        }
        let taken = |p: &&Person| {
            p.is.key == person.key
                || (p.removed.is_none() && p.is.name.to_lowercase() == person.name.to_lowercase())
        };
        if let Some(other) = self.people.iter().find(taken) {
            return Err(Error::conflict(format!(
                "`{}` has this name or this key already; each person has one entry and each entry a new key",
                other.is.name
            )));
        }
        let judges = [Role::PolicyApprover, Role::DataProtectionOfficer];
        let beside = |p: &Person| Some(p.is.key.thumbprint()) != by && p.approved_lately(now);
        let waits = judges.iter().any(|role| person.roles.contains(role)) && self.people.iter().any(beside);
        let from = if waits { now.saturating_add(WAIT_SECONDS) } else { now };
        self.people.push(Person { is: person, since: now, from, by, removed: None });
        self.after_change()
    }

    /// Ends the wait of a person, by the word of somebody who did not let that person in.
    fn confirm(&mut self, key: &PublicKey, by: Option<String>, now: i64) -> Result<()> {
        let person = self.people.iter_mut().find(|p| p.is.key == *key && p.removed.is_none());
        let person = person.ok_or_else(|| Error::not_found("nobody in the register has this key"))?;
        if person.from <= now {
            return Err(Error::conflict(format!("{} may act already", person.is.name)));
        }
        if by.is_none() || by == person.by {
            return Err(Error::conflict(format!(
                "{} is confirmed by another policy-approver than the one who let them in, or may act from {}",
                person.is.name,
                rfc3339(person.from)
            )));
        }
        person.from = now;
        self.after_change()
    }

    fn let_out(&mut self, key: &PublicKey, now: i64) -> Result<()> {
        let person = self.people.iter_mut().find(|p| p.is.key == *key && p.removed.is_none());
        let person = person.ok_or_else(|| Error::not_found("nobody in the register has this key"))?;
        person.removed = Some(now);
        self.after_change()
    }

    /// One more version, unless nobody would be left who may approve for good.
    fn after_change(&mut self) -> Result<()> {
        self.version += 1;
        let ever = self.people.iter().any(|p| p.has(Role::PolicyApprover));
        if ever && !self.secured() {
            return Err(Error::conflict(
                "then nobody would be left who may approve for an unlimited time, and four eyes would end by themselves; \
                 let another policy-approver in first, without --until",
            ));
        }
        Ok(())
    }
}

fn role_word(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect::<String>().escape_debug().to_string()
}

fn check(person: &Newcomer, now: i64) -> Result<()> {
    let name = &person.name;
    if name.trim() != name || name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::usage(format!(
            "a name has 1 to {NAME_CHARS_MAX} characters and no blanks around it"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::usage("a name has no control characters"));
    }
    if person.roles.is_empty() {
        return Err(Error::usage("give the person at least one role"));
    }
    if person.until.is_some_and(|until| until <= now || until > certs::public::TIME_MAX) {
        return Err(Error::usage("the end of the time in office lies in the past or beyond the year 9999"));
    }
    Ok(())
}

/// Lets a person in.
pub async fn add(
    node: &Node,
    operation: &Operation,
    person: Newcomer,
    signed: Option<&SignedAct>,
) -> Result<Value> {
    let said = |register| Act::AddPerson { register, person: person.clone() };
    let by = signed.map(|signed| signed.key.clone());
    let how = |people: &mut People| people.let_in(person.clone(), by.clone(), operation.now);
    change(node, operation, signed, said, how).await
}

/// Confirms a person whom somebody else let in.
pub async fn confirm(
    node: &Node,
    operation: &Operation,
    key: PublicKey,
    signed: Option<&SignedAct>,
) -> Result<Value> {
    let said = |register| Act::ConfirmPerson { register, key };
    let by = signed.map(|signed| signed.key.clone());
    let how = |people: &mut People| people.confirm(&key, by.clone(), operation.now);
    change(node, operation, signed, said, how).await
}

/// Lets a person out.
pub async fn remove(
    node: &Node,
    operation: &Operation,
    key: PublicKey,
    signed: Option<&SignedAct>,
) -> Result<Value> {
    let said = |register| Act::RemovePerson { register, key };
    change(node, operation, signed, said, |people| people.let_out(&key, operation.now)).await
}

async fn change(
    node: &Node,
    operation: &Operation,
    signed: Option<&SignedAct>,
    act: impl Fn(u64) -> Act,
    how: impl Fn(&mut People) -> Result<()>,
) -> Result<Value> {
    // What is being decided now is decided by the register as it is now.
    let _turn = super::activation::turn(node).await?;
    let (mut people, revision) = People::read(&node.store)?;
    let act = act(people.version);
    guard(node, operation, &people, signed, &act)?;
    how(&mut people)?;
    let deed = deed(&people, &act, signed)?;
    let bytes = statement::own_bytes(node, operation.now, None, deed)?;
    let entry = Leaf { bytes: BASE64.encode(&bytes), from: node.ledger.size(), index: None };
    let tx = Tx::new().absent(Space::Meta, PENDING);
    let tx = tx.put_json(Space::Meta, PENDING, &Pending { people: people.clone(), entry });
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    node.append(bytes).await?;
    put(node, &people, revision).await?;
    tracing::info!(register = people.version, "the register of people changed");
    Ok(people.view())
}

/// A change of the register that is about to go into the ledger; as with rule sets, the entry decides.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    people: People,
    entry: Leaf,
}

/// Takes up a change of the register that was cut off.
pub async fn settle(node: &Node) -> Result<()> {
    let Some((pending, _)) = records::get::<Pending>(&node.store, Space::Meta, PENDING)? else {
        return Ok(());
    };
    let bytes = BASE64.decode(&pending.entry.bytes).map_err(Error::internal)?;
    if statement::find(node, &bytes, pending.entry.from)?.is_some() {
        let (_, revision) = People::read(&node.store)?;
        return put(node, &pending.people, revision).await;
    }
    let tx = Tx::new().delete(Space::Meta, PENDING);
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

async fn put(node: &Node, people: &People, revision: Option<u64>) -> Result<()> {
    let tx = match revision {
        Some(revision) => Tx::new().at(Space::Meta, REGISTER, revision),
        None => Tx::new().absent(Space::Meta, REGISTER),
    };
    let tx = tx.delete(Space::Meta, PENDING).put_json(Space::Meta, REGISTER, people).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

/// What the ledger says of a change: the key and the roles, never the name.
fn deed(people: &People, act: &Act, signed: Option<&SignedAct>) -> Result<Deed> {
    let (change, key) = match act {
        Act::AddPerson { person, .. } => ("add", person.key),
        Act::ConfirmPerson { key, .. } => ("confirm", *key),
        Act::RemovePerson { key, .. } => ("remove", *key),
        other => return Err(Error::internal(format!("to {} is no change of the register", other.word()))),
    };
    let key = key.thumbprint();
    let roles = people.holder(&key).into_iter().flat_map(|p| &p.is.roles).map(|role| role_word(*role));
    let word = |text: &str| Word::new(text).map_err(Error::internal);
    Ok(Deed::PersonChanged(PersonChanged {
        register: people.version,
        change: word(change)?,
        key: word(&key)?,
        roles: word(&roles.collect::<Vec<_>>().join(","))?,
        by: signed.map(|signed| word(&signed.key)).transpose()?,
    }))
}

/// Whether this change of the register may be made.
fn guard(
    node: &Node,
    operation: &Operation,
    people: &People,
    signed: Option<&SignedAct>,
    wanted: &Act,
) -> Result<()> {
    let Some(signed) = signed else {
        if people.four_eyes() {
            return Err(Error::conflict(
                "people come and go here by the signature of somebody who may approve; give that person's key with --as KEYFILE",
            ));
        }
        return Ok(());
    };
    // Without anybody who may approve there is nobody whose signature counts.
    people.speaker_in(&node.config.node.id, operation.now, signed, &[Role::PolicyApprover])?;
    if signed.said.act == *wanted {
        return Ok(());
    }
    Err(Error::conflict(
        "the signature is about another person or another version of the register; look at `tram person list` and sign anew",
    ))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::rules::act::Said;

    const NOW: i64 = 1_800_000_000;
    const HERE: &str = "urn:agency:vn:a";

    fn newcomer(n: u8, roles: &[Role]) -> Newcomer {
        let key = PublicKey::of(&SigningKey::from_bytes(&[n; 32]));
        Newcomer { name: format!("Người {n}"), roles: roles.iter().copied().collect(), key, until: None }
    }

    fn register(people: &[Newcomer]) -> People {
        let mut register = People::default();
        for person in people {
            register.let_in(person.clone(), None, NOW).unwrap();
        }
        register
    }

    fn remove(n: u8, register: u64, node: &str, at: i64) -> SignedAct {
        let act = Act::RemovePerson { register, key: newcomer(9, &[]).key };
        SignedAct::sign(Said { node: node.into(), at, act }, &SigningKey::from_bytes(&[n; 32])).unwrap()
    }

    #[test]
    fn only_who_serves_here_and_now_is_heard() {
        let mut people = register(&[newcomer(1, &[Role::PolicyApprover]), newcomer(2, &[Role::Auditor])]);
        let roles = [Role::PolicyApprover];
        let heard = |people: &People, signed| {
            people.speaker_in(HERE, NOW, &signed, &roles).map(|p| p.is.name.clone())
        };
        assert_eq!(heard(&people, remove(1, 2, HERE, NOW)).unwrap(), "Người 1");
        assert!(
            matches!(heard(&people, remove(2, 2, HERE, NOW)), Err(Error::Conflict(t)) if t.contains("policy-approver"))
        );
        for bad in [
            remove(3, 2, HERE, NOW),
            remove(1, 2, "urn:agency:vn:b", NOW),
            remove(1, 2, HERE, NOW - ACT_SECONDS_MAX - 1),
            remove(1, 2, HERE, NOW + AHEAD_SECONDS_MAX + 1),
        ] {
            assert!(matches!(heard(&people, bad), Err(Error::Verification(_))));
        }
        people.let_in(newcomer(3, &roles), None, NOW).unwrap();
        people.let_out(&newcomer(1, &[]).key, NOW).unwrap();
        assert!(heard(&people, remove(1, 2, HERE, NOW)).is_err(), "removed");
    }

    #[test]
    fn four_eyes_do_not_end_by_time_or_by_removal() {
        let brief = Newcomer { until: Some(NOW + 5), ..newcomer(1, &[Role::PolicyApprover]) };
        assert!(People::default().let_in(brief.clone(), None, NOW).is_err());
        let mut people = register(&[newcomer(2, &[Role::PolicyApprover])]);
        people.let_in(brief, Some(newcomer(2, &[]).key.thumbprint()), NOW).unwrap();
        assert!(people.clone().let_out(&newcomer(2, &[]).key, NOW).is_err());
        people.let_in(newcomer(3, &[Role::PolicyApprover]), None, NOW).unwrap();
        people.let_out(&newcomer(2, &[]).key, NOW).unwrap();
        assert!(people.four_eyes() && !people.people[1].serves(NOW + 6) && people.people[1].serves(NOW + 5));
    }

    #[test]
    fn one_approver_gets_no_second_pair_of_eyes_alone() {
        let by = |n: u8| Some(newcomer(n, &[]).key.thumbprint());
        let key = |n: u8| newcomer(n, &[]).key;
        let officer = newcomer(4, &[Role::DataProtectionOfficer]);
        let mut people = register(&[newcomer(1, &[Role::PolicyApprover])]);
        people.let_in(newcomer(2, &[Role::PolicyApprover]), by(1), NOW).unwrap();
        assert!(people.people[1].serves(NOW), "the second of all comes by the first alone");
        people.let_in(newcomer(3, &[Role::PolicyEditor]), by(1), NOW).unwrap();
        assert!(people.people[2].serves(NOW), "who only proposes does not wait");
        people.let_in(officer.clone(), by(1), NOW).unwrap();
        let serves = |people: &People, at| people.holder(&by(4).unwrap()).unwrap().serves(at);
        assert!(!serves(&people, NOW + WAIT_SECONDS - 1) && serves(&people, NOW + WAIT_SECONDS));
        for nobody in [None, by(1)] {
            assert!(people.clone().confirm(&key(4), nobody, NOW).is_err());
        }
        people.confirm(&key(4), by(2), NOW + 1).unwrap();
        assert!(serves(&people, NOW + 1) && people.confirm(&key(4), by(2), NOW + 1).is_err());
        // Letting the other one out first does not help.
        let mut people = register(&[newcomer(1, &[Role::PolicyApprover])]);
        people.let_in(newcomer(2, &[Role::PolicyApprover]), by(1), NOW).unwrap();
        people.let_out(&key(2), NOW).unwrap();
        let mut later = people.clone();
        people.let_in(officer.clone(), by(1), NOW + 5).unwrap();
        assert!(!serves(&people, NOW + 5));
        later.let_in(officer, by(1), NOW + WAIT_SECONDS).unwrap();
        assert!(serves(&later, NOW + WAIT_SECONDS));
    }

    #[test]
    fn a_person_has_one_entry_and_an_entry_a_new_key() {
        let mut people = register(&[newcomer(1, &[Role::Auditor])]);
        assert!(people.let_in(newcomer(1, &[Role::Steward]), None, NOW).is_err());
        let same_name = Newcomer { name: "NGƯỜI 1".into(), ..newcomer(2, &[Role::Auditor]) };
        assert!(people.let_in(same_name, None, NOW).is_err());
        people.let_out(&newcomer(1, &[]).key, NOW).unwrap();
        assert!(people.let_in(newcomer(1, &[Role::Auditor]), None, NOW).is_err(), "a key that was given up");
        for bad in [" a", "", "a\u{7}", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert!(
                people
                    .let_in(Newcomer { name: bad.into(), ..newcomer(5, &[Role::Auditor]) }, None, NOW)
                    .is_err()
            );
        }
        assert!(people.let_in(newcomer(6, &[]), None, NOW).is_err());
        assert!(
            people.let_in(Newcomer { until: Some(NOW), ..newcomer(7, &[Role::Auditor]) }, None, NOW).is_err()
        );
    }
}
