//! What a node signs about a rule set that it puts in force, and the bundle that shows it to strangers.
//!
//! Promise: a bundle is judged with nothing but itself and a registry: whether the node signed the manifest, whether these
//! are its files, whether the people named in it signed what it says they did, and whether that was enough.

use certs::descriptor::SignedDescriptor;
use certs::public::DocSignature;
use certs::{KeyUse, PublicKey, SigningKeyWithId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::act::{Act, DraftName, Proposal, RuleSetRef, SignedAct};
use super::content::{self, Texts};
use super::people::{Person, Role};
use crate::error::{Error, Result};
use crate::operation::rfc3339;

/// What stands before the canonical form in the signed bytes.
const LABEL: &[u8] = b"tram/rule-set-manifest@v1\n";

/// By which way a rule set came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Way {
    /// Put in force at once; nobody who may approve was registered.
    Applied,
    /// From a draft.
    Draft {
        /// Which.
        draft: DraftName,
        /// Whether it opened personal data and so needed two.
        opens_personal: bool,
    },
    /// An earlier rule set, again.
    RolledBack {
        /// Which.
        to: RuleSetRef,
    },
    /// One signature, because it only forbids more, for a few days.
    Emergency,
}

/// What is said of a rule set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Participant id of the node.
    pub node: String,
    /// The rule set.
    pub rule_set: RuleSetRef,
    /// SHA-256 of its files, hex.
    pub files: String,
    /// The one before it.
    pub previous: RuleSetRef,
    /// How it came into force.
    pub how: Way,
    /// Whether two people were needed.
    pub four_eyes: bool,
    /// Not in force before this second, Unix time.
    pub not_before: Option<i64>,
    /// What the author said of it.
    pub note: Option<String>,
    /// Who proposed it.
    pub author: Option<SignedAct>,
    /// Who approved it, rolled back or tightened.
    pub approvals: Vec<SignedAct>,
    /// The people who signed, as the register had them.
    pub people: Vec<Person>,
    /// When it came into force, Unix seconds.
    pub activated: i64,
}

/// A manifest and the node's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedManifest {
    /// What is said.
    pub manifest: Manifest,
    /// By the node's signing key.
    signature: DocSignature,
}

impl SignedManifest {
    /// Signs.
    pub fn sign(manifest: Manifest, signer: &SigningKeyWithId) -> Result<Self> {
        let signature = DocSignature::make(signer.participant(), signer.key(), &bytes(&manifest)?);
        Ok(Self { manifest, signature })
    }
}

fn bytes(manifest: &Manifest) -> Result<Vec<u8>> {
    let canonical = exchange::json::canonical(manifest).map_err(|e| Error::usage(e.to_string()))?;
    Ok([LABEL, &canonical].concat())
}

/// The signing keys of a node at a second, as somebody trusts them.
pub type Keys<'a> = &'a dyn Fn(&str, i64) -> Vec<PublicKey>;

/// A rule set that was put in force, with all that shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What the node says of it.
    pub signed: SignedManifest,
    /// The files.
    pub files: Texts,
    /// The node's description of itself, with its keys.
    pub descriptor: SignedDescriptor,
}

impl Bundle {
    /// Judges the bundle. `trusted` are the node's signing keys at a time, from a registry; without it the keys that ride
    /// in the bundle count, and their fingerprint is for people to compare.
    pub fn verify(&self, trusted: Option<Keys<'_>>) -> Result<Value> {
        let said = &self.signed.manifest;
        let keys = match trusted {
            Some(keys) => keys(&said.node, said.activated),
            None => self.own_keys(said.activated)?,
        };
        let bytes = bytes(said)?;
        if !keys.iter().any(|key| key.verify(&bytes, &self.signed.signature.signature)) {
            return Err(broken("the manifest is not signed by a key that the node had at that time"));
        }
        self.check_files()?;
        check_people(said)?;
        Ok(json!({
            "valid": true,
            "node": said.node,
            "rule_set": said.rule_set,
            "previous": said.previous,
            "how": said.how,
            "four_eyes": said.four_eyes,
            "activated": rfc3339(said.activated),
            "note": said.note,
            "author": said.author.as_ref().map(|act| person_view(said, act)),
            "approvals": said.approvals.iter().map(|act| person_view(said, act)).collect::<Vec<_>>(),
            "trusted": if trusted.is_some() { "registry" } else { "bundle" },
            "descriptor_sha256": crate::files::hex(&self.descriptor.digest()),
        }))
    }

    fn own_keys(&self, at: i64) -> Result<Vec<PublicKey>> {
        let descriptor = self.descriptor.descriptor();
        if descriptor.participant.as_str() != self.signed.manifest.node {
            return Err(broken("the keys in the bundle are of another node"));
        }
        let keys = descriptor.keys_at(KeyUse::Signing, at).filter_map(|key| match key {
            certs::descriptor::KeyMaterial::Signing(key) => Some(*key),
            _ => None,
        });
        Ok(keys.collect())
    }

    fn check_files(&self) -> Result<()> {
        let said = &self.signed.manifest;
        let rules = super::load(&self.files, said.rule_set.version)?;
        if rules.digest().to_string() != said.rule_set.sha256 || content::digest(&self.files)? != said.files {
            return Err(broken("the files are not those that the manifest names"));
        }
        Ok(())
    }
}

fn broken(what: &str) -> Error {
    Error::Verification(format!("the bundle does not hold: {what}"))
}

/// Who signed an act, for people.
pub fn person_view(said: &Manifest, act: &SignedAct) -> Value {
    let name = said.people.iter().find(|p| p.is.key.thumbprint() == act.key).map(|p| p.is.name.clone());
    json!({"key": act.key, "name": name, "did": act.said.act.word(), "at": rfc3339(act.said.at)})
}

/// Whether those who are named signed what was needed.
fn check_people(said: &Manifest) -> Result<()> {
    let mut approvers = Vec::new();
    for act in said.author.iter().chain(&said.approvals) {
        let person = said.people.iter().find(|p| p.is.key.thumbprint() == act.key);
        let person = person.ok_or_else(|| broken("somebody signed who is not named in it"))?;
        act.verify(&person.is.key)?;
        if act.said.node != said.node {
            return Err(broken("somebody signed for another node"));
        }
    }
    for act in &said.approvals {
        if !about(said, &act.said.act) {
            return Err(broken("somebody signed something else"));
        }
        let person = said.people.iter().find(|p| p.is.key.thumbprint() == act.key);
        approvers.extend(person.filter(|p| p.serves(said.activated)));
    }
    if said.author.as_ref().is_some_and(|a| a.said.act != Act::Propose { proposal: proposal(said) }) {
        return Err(broken("the author proposed something else"));
    }
    if said.four_eyes {
        let two = matches!(said.how, Way::Draft { opens_personal: true, .. });
        enough(&approvers, said.author.as_ref(), two, matches!(said.how, Way::Draft { .. }))
            .map_err(|why| broken(&why))?;
    }
    Ok(())
}

/// Whether these people are enough to approve: one policy approver, and where personal data opens a data-protection
/// officer who is somebody else; the author counts for nothing.
pub fn enough(
    people: &[&Person],
    author: Option<&SignedAct>,
    two: bool,
    author_needed: bool,
) -> std::result::Result<(), String> {
    let author = author.map(|act| act.key.clone());
    if author_needed && author.is_none() {
        return Err("nobody signed as its author, so nobody can be known to be somebody else".to_owned());
    }
    let others: Vec<&&Person> = people.iter().filter(|p| Some(p.is.key.thumbprint()) != author).collect();
    let approvers = others.iter().filter(|p| p.has(Role::PolicyApprover));
    let officer_beside =
        |key: &PublicKey| others.iter().any(|p| p.has(Role::DataProtectionOfficer) && p.is.key != *key);
    let mut approvers = approvers.peekable();
    if approvers.peek().is_none() {
        let also = if two {
            ", nor has a data-protection-officer, who is needed because it opens personal data"
        } else {
            ""
        };
        return Err(format!("a policy-approver who is not its author has not approved it{also}"));
    }
    if two && !approvers.any(|p| officer_beside(&p.is.key)) {
        return Err(
            "it opens personal data, and a data-protection-officer, beside the policy-approver, has not approved it".to_owned(),
        );
    }
    Ok(())
}

fn proposal(said: &Manifest) -> Proposal {
    Proposal {
        rules: said.rule_set.sha256.clone(),
        files: said.files.clone(),
        base: said.previous.clone(),
        not_before: said.not_before,
    }
}

/// Whether an act is about what this manifest says.
fn about(said: &Manifest, act: &Act) -> bool {
    match (&said.how, act) {
        (Way::Draft { draft, .. }, Act::Approve { draft: of, proposal: what }) => {
            draft == of && *what == proposal(said)
        }
        (Way::RolledBack { to }, Act::RollBack { to: of, base }) => {
            // The digest does not hang on the version: going back puts the very rules in force that were signed for.
            to == of && *base == said.previous && to.sha256 == said.rule_set.sha256
        }
        (Way::Emergency, Act::Tighten { proposal: what }) => *what == proposal(said),
        _ => false,
    }
}
