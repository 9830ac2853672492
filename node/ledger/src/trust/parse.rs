//! Reading the lines of a trust policy, one after the other.

use std::collections::{HashMap, HashSet};

use certs::note::{KeyKind, Vkey};

use super::{
    GROUPS_MAX, Group, LINE_BYTES_MAX, LOGS_MAX, Name, POLICY_BYTES_MAX, PolicyError, TrustPolicy,
    TrustedLog, TrustedWitness, Voter, WITNESSES_MAX,
};
use crate::text;

/// The quorum that asks for nobody; no witness or group may have this name.
pub(super) const NONE: &[u8] = b"none";

pub(super) fn parse(bytes: &[u8]) -> Result<TrustPolicy, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::Whole("is over 256 KiB; make it smaller"));
    }
    let Some(whole) = bytes.strip_suffix(b"\n") else {
        return Err(PolicyError::Whole("does not end with a newline; write its last line anew"));
    };
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(whole.split(|byte| *byte == b'\n')) {
        reader.line(line).map_err(|why| PolicyError::Line { line: number, why })?;
    }
    let Some(quorum) = reader.quorum else {
        return Err(PolicyError::Whole("has no quorum line; write one, if need be `quorum none`"));
    };
    let Reader { logs, witnesses, groups, .. } = reader;
    Ok(TrustPolicy { logs, witnesses, groups, quorum })
}

#[derive(Default)]
struct Reader {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    /// The outer `None`: no quorum line yet.
    quorum: Option<Option<Voter>>,
    names: HashMap<Name, Voter>,
    /// Names that a group has already.
    members: HashSet<Name>,
    /// Public keys, of logs and of witnesses apart: one key under two names would be counted twice.
    log_keys: HashSet<[u8; 32]>,
    witness_keys: HashSet<[u8; 32]>,
}

type Read<T> = Result<T, String>;

impl Reader {
    fn line(&mut self, line: &[u8]) -> Read<()> {
        if line.len() > LINE_BYTES_MAX {
            return Err("it is over 8 KiB".to_owned());
        }
        if line.iter().any(|byte| matches!(byte, 0..0x09 | 0x0b..0x20 | 0x7f)) {
            return Err("it has a control character other than tab".to_owned());
        }
        let words: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        let Some((kind, rest)) = words.split_first() else { return Ok(()) };
        match (*kind, rest) {
            (kind, _) if kind.starts_with(b"#") => Ok(()),
            (b"log", [key]) => self.log(key, None),
            (b"log", [key, url]) => self.log(key, Some(url)),
            (b"log", _) => Err("it must read `log <vkey> [<url>]`".to_owned()),
            (b"witness", [name, key]) => self.witness(name, key, None),
            (b"witness", [name, key, url]) => self.witness(name, key, Some(url)),
            (b"witness", _) => Err("it must read `witness <name> <vkey> [<url>]`".to_owned()),
            (b"group", [name, threshold, members @ ..]) if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            (b"group", _) => Err("it must read `group <name> all|any|<k> <member>...`".to_owned()),
            (b"quorum", [name]) => self.quorum(name),
            (b"quorum", _) => Err("it must read `quorum <name>|none`".to_owned()),
            _ => Err(format!("`{}` is no keyword: log, witness, group or quorum", shown(kind))),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) -> Read<()> {
        let key = vkey(key, KeyKind::Ed25519, "a log's key must be of type 0x01 (Ed25519)")?;
        if self.logs.len() >= LOGS_MAX {
            return Err(format!("there are more than {LOGS_MAX} logs"));
        }
        if !self.log_keys.insert(key.public().to_bytes()) {
            return Err("another log has this public key already".to_owned());
        }
        self.logs.push(TrustedLog { key, url: url.map(<[u8]>::to_vec) });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) -> Read<()> {
        let wanted = "a witness's key must be of type 0x04 (Ed25519 cosignature)";
        let key = vkey(key, KeyKind::CosignatureV1, wanted)?;
        if self.witnesses.len() >= WITNESSES_MAX {
            return Err(format!("there are more than {WITNESSES_MAX} witnesses"));
        }
        if !self.witness_keys.insert(key.public().to_bytes()) {
            return Err("another witness has this public key already".to_owned());
        }
        let name = self.define(name, Voter::Witness(self.witnesses.len()))?;
        self.witnesses.push(TrustedWitness { name, key, url: url.map(<[u8]>::to_vec) });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Read<()> {
        if self.groups.len() >= GROUPS_MAX {
            return Err(format!("there are more than {GROUPS_MAX} groups"));
        }
        let count = members.len();
        let threshold = match threshold {
            b"all" => Some(count),
            b"any" => Some(1),
            digits => {
                std::str::from_utf8(digits).ok().and_then(text::decimal).and_then(|k| k.try_into().ok())
            }
        };
        let threshold = threshold
            .filter(|k| (1..=count).contains(k))
            .ok_or_else(|| format!("the threshold must be `all`, `any` or a number from 1 to {count}"))?;
        let members = members.iter().map(|member| self.member(member)).collect::<Read<Vec<Voter>>>()?;
        let name = self.define(name, Voter::Group(self.groups.len()))?;
        self.groups.push(Group { name, threshold, members });
        Ok(())
    }

    fn member(&mut self, name: &[u8]) -> Read<Voter> {
        let voter = self.defined(name)?;
        if !self.members.insert(Name(name.to_vec())) {
            return Err(format!("`{}` is a member already; a name may be listed once", shown(name)));
        }
        Ok(voter)
    }

    fn quorum(&mut self, name: &[u8]) -> Read<()> {
        if self.quorum.is_some() {
            return Err("there is a quorum line already".to_owned());
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.defined(name)?) });
        Ok(())
    }

    fn defined(&self, name: &[u8]) -> Read<Voter> {
        let found = self.names.get(&Name(name.to_vec())).copied();
        found.ok_or_else(|| format!("`{}` is not defined on an earlier line", shown(name)))
    }

    fn define(&mut self, name: &[u8], as_what: Voter) -> Read<Name> {
        if name == NONE {
            return Err("`none` cannot be the name of a witness or a group".to_owned());
        }
        let key = Name(name.to_vec());
        if self.names.insert(key.clone(), as_what).is_some() {
            return Err(format!("`{}` is defined already", shown(name)));
        }
        Ok(key)
    }
}

fn vkey(word: &[u8], kind: KeyKind, wanted: &str) -> Read<Vkey> {
    let text = std::str::from_utf8(word).map_err(|_| "the key is not UTF-8".to_owned())?;
    let key: Vkey = text.parse().map_err(|error: certs::note::NoteError| error.to_string())?;
    if key.kind() == kind { Ok(key) } else { Err(wanted.to_owned()) }
}

fn shown(word: &[u8]) -> String {
    text::shortened(&String::from_utf8_lossy(word))
}
