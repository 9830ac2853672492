//! What a person says about rule sets and about people: proposes, approves, rejects, rolls back, tightens, lets somebody in
//! or out, confirms. Each is signed with the person's own key, outside the node; the node only checks.
//!
//! Promise: the signed bytes begin with a label that nothing else signs behind, and name the node, the rule sets and the
//! register that they are about. A word about one draft says nothing about another, and one said before something changed
//! says nothing afterwards.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::PublicKey;
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use super::people::Role;
use crate::error::{Error, Result};

/// What stands before the canonical form in the signed bytes.
const LABEL: &[u8] = b"tram/rule-set-act@v1\n";

/// A rule set as acts and manifests name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetRef {
    /// Its version at the node.
    pub version: u64,
    /// SHA-256 of its canonical content, hex.
    pub sha256: String,
}

/// What is proposed: exactly these files, in place of exactly that rule set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// SHA-256 of the rules' canonical content, hex.
    pub rules: String,
    /// SHA-256 of the files with their names, hex: test cases are part of it, too.
    pub files: String,
    /// The rule set that it takes the place of.
    pub base: RuleSetRef,
    /// Not in force before this second, Unix time.
    pub not_before: Option<i64>,
}

/// Name of a draft: `D` and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DraftName(pub u64);

impl fmt::Display for DraftName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "D{}", self.0)
    }
}

impl FromStr for DraftName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix('D').filter(|d| !d.starts_with('0') && !d.starts_with('+'));
        digits.and_then(|d| d.parse().ok()).map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            Error::usage(format!(
                "`{}` is no draft; drafts are called D1, D2 and so on",
                shown.escape_debug()
            ))
        })
    }
}

impl TryFrom<String> for DraftName {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DraftName> for String {
    fn from(name: DraftName) -> Self {
        name.to_string()
    }
}

/// A person to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    /// The name, for people.
    pub name: String,
    /// What the person may do.
    pub roles: BTreeSet<Role>,
    /// The person's public key.
    pub key: PublicKey,
    /// Last second of the time in office, Unix time; open-ended without.
    pub until: Option<i64>,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// I propose this.
    Propose {
        /// What.
        proposal: Proposal,
    },
    /// I approve this draft.
    Approve {
        /// Which draft.
        draft: DraftName,
        /// What it proposes.
        proposal: Proposal,
    },
    /// This draft shall not come into force.
    Reject {
        /// Which draft.
        draft: DraftName,
        /// What it proposes.
        proposal: Proposal,
    },
    /// An earlier rule set shall be in force again.
    RollBack {
        /// The earlier one.
        to: RuleSetRef,
        /// The one in force.
        base: RuleSetRef,
    },
    /// This takes force at once, because it only forbids more, for a few days.
    Tighten {
        /// What.
        proposal: Proposal,
    },
    /// This person may act here.
    AddPerson {
        /// Version of the register of people that this changes.
        register: u64,
        /// Who.
        person: Newcomer,
    },
    /// This person, whom somebody else let in, may act here without waiting.
    ConfirmPerson {
        /// Version of the register of people that this changes.
        register: u64,
        /// The person's public key.
        key: PublicKey,
    },
    /// This person may act here no more.
    RemovePerson {
        /// Version of the register of people that this changes.
        register: u64,
        /// The person's public key.
        key: PublicKey,
    },
}

impl Act {
    /// What it does, for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Propose { .. } => "propose",
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::RollBack { .. } => "roll back",
            Self::Tighten { .. } => "tighten",
            Self::AddPerson { .. } => "add a person",
            Self::ConfirmPerson { .. } => "confirm a person",
            Self::RemovePerson { .. } => "remove a person",
        }
    }
}

/// What is said, where and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Participant id of the node.
    pub node: String,
    /// When, Unix seconds, by the clock of the one who signs.
    pub at: i64,
    /// What.
    pub act: Act,
}

/// What is said, with the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAct {
    /// What is said.
    pub said: Said,
    /// Thumbprint of the key.
    pub key: String,
    /// Ed25519 over the label and the canonical form of `said`, base64.
    signature: String,
}

impl SignedAct {
    /// Signs.
    pub fn sign(said: Said, key: &SigningKey) -> Result<Self> {
        let signature = BASE64.encode(key.sign(&bytes(&said)?).to_bytes());
        Ok(Self { said, key: PublicKey::of(key).thumbprint(), signature })
    }

    /// Whether `key` signed this.
    pub fn verify(&self, key: &PublicKey) -> Result<()> {
        let signature = BASE64.decode(&self.signature).ok().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes(&self.said)?;
        if self.key == key.thumbprint() && signature.is_some_and(|s: [u8; 64]| key.verify(&bytes, &s)) {
            return Ok(());
        }
        Err(Error::Verification(format!(
            "the signature to {} does not verify with the key {}",
            self.said.act.word(),
            key.thumbprint()
        )))
    }
}

fn bytes(said: &Said) -> Result<Vec<u8>> {
    let canonical = exchange::json::canonical(said).map_err(|e| Error::usage(e.to_string()))?;
    Ok([LABEL, &canonical].concat())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn proposal() -> Proposal {
        let base = RuleSetRef { version: 1, sha256: "b".repeat(64) };
        Proposal { rules: "a".repeat(64), files: "f".repeat(64), base, not_before: None }
    }

    fn said(act: Act) -> Said {
        Said { node: "urn:agency:vn:a".into(), at: 1_800_000_000, act }
    }

    #[test]
    fn a_signature_is_about_every_member_and_of_one_key() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let other = PublicKey::of(&SigningKey::from_bytes(&[2; 32]));
        let act = Act::Approve { draft: DraftName(3), proposal: proposal() };
        let signed = SignedAct::sign(said(act), &key).unwrap();
        signed.verify(&PublicKey::of(&key)).unwrap();
        assert!(signed.verify(&other).is_err());
        let whole = serde_json::to_value(&signed).unwrap();
        for (pointer, value) in [
            ("/said/node", "urn:agency:vn:b".into()),
            ("/said/at", 1.into()),
            ("/said/act/do", "reject".into()),
            ("/said/act/draft", "D4".into()),
            ("/said/act/proposal/rules", "c".into()),
            ("/said/act/proposal/files", "c".into()),
            ("/said/act/proposal/base/version", 2.into()),
            ("/said/act/proposal/base/sha256", "c".into()),
            ("/said/act/proposal/not_before", 7.into()),
            ("/signature", BASE64.encode([1; 64]).into()),
        ] {
            let mut changed = whole.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            let changed: SignedAct = serde_json::from_value(changed).unwrap();
            assert!(changed.verify(&PublicKey::of(&key)).is_err(), "{pointer}");
        }
    }

    #[test]
    fn acts_are_read_strictly() {
        let act = Act::Propose { proposal: proposal() };
        let good = serde_json::to_value(said(act)).unwrap();
        assert!(serde_json::from_value::<Said>(good.clone()).is_ok());
        for pointer in ["", "/act", "/act/proposal", "/act/proposal/base"] {
            let mut bad = good.clone();
            bad.pointer_mut(pointer).unwrap()["extra"] = 1.into();
            assert!(serde_json::from_value::<Said>(bad).is_err(), "{pointer}");
        }
    }

    #[test]
    fn drafts_have_one_spelling() {
        assert_eq!("D12".parse::<DraftName>().unwrap().to_string(), "D12");
        for bad in ["", "D", "12", "d12", "D012", "D+1", "D-1", "D 1", "D99999999999999999999999"] {
            assert!(bad.parse::<DraftName>().is_err(), "{bad}");
        }
    }
}
