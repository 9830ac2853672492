//! Linkage keys: what lets several providers give one pseudonym for one person, to one recipient for one purpose.
//!
//! **Promises.** A key is 256 random bits, known to its holders alone: the agencies that were named when it was made. Its full
//! name `NAME@ID` is a digest of key, name and holders, so rules, agreements, approvals and receipts that bear it mean this key
//! and these holders. A pseudonym is an HMAC over the recipient, the purpose and the canonical value, so neither two
//! recipients nor one recipient's two purposes join. A holder never gets such pseudonyms: it could undo them. Without the key
//! nothing leaves; nothing falls back to clear values or to another key. The key stands in one private file
//! and, sealed, in the files for the other holders; never in the store, the ledger, a log or an error.
//!
//! **What it is not.** No secrecy against a holder, and none that outlives the key: a citizen's number has few possible values,
//! and who has the key tries them all. Where to begin: [`make`] and [`take`] for people, [`keys::Linkages`] for masks.

pub mod handing;
pub mod keys;

use std::collections::BTreeSet;

use policy::{Linkage, Mask, RuleSet};
use serde_json::{Value, json};

use self::handing::Handed;
use self::keys::{Held, Linkages};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Operation, random, rfc3339};

/// Most agencies that hold one key: each more is one more that can lose it.
pub const HOLDERS_MAX: usize = 16;

/// The keys of a node.
pub fn of(node: &Node) -> Linkages {
    Linkages::new(&node.dir)
}

/// Makes a key that this node and these peers hold, and the file for each of them.
pub fn make(
    node: &Node,
    operation: &Operation,
    name: &str,
    with: &[String],
) -> Result<(Held, Vec<(String, Handed)>)> {
    let me = node.config.node.id.as_str();
    let holders: BTreeSet<String> = with.iter().map(String::as_str).chain([me]).map(str::to_owned).collect();
    if holders.len() < 2 || holders.len() > HOLDERS_MAX {
        return Err(Error::usage(format!(
            "a linkage key is held by 2 to {HOLDERS_MAX} agencies, this one among them; name the others with `--with`"
        )));
    }
    let others: Vec<&String> = holders.iter().filter(|holder| *holder != me).collect();
    // Before anything is kept: a key for somebody unknown is no use to anybody.
    others.iter().try_for_each(|holder| node.peers.route(holder).map(|_| ()))?;
    let held = Held::new(random::<32>()?, name, holders.clone(), me, operation.now)?;
    of(node).put(&held)?;
    let files = others.into_iter().map(|to| Ok((to.clone(), handing::seal(node, operation, &held, to)?)));
    Ok((held.clone(), files.collect::<Result<_>>()?))
}

/// The file for one of the other holders, sealed anew: for one that was lost, or for a holder's new key.
pub fn seal(node: &Node, operation: &Operation, linkage: &Linkage, to: &str) -> Result<Handed> {
    handing::seal(node, operation, &of(node).find(linkage)?, to)
}

/// Takes a key that another holder handed over.
pub fn take(node: &Node, operation: &Operation, handed: &Handed) -> Result<Held> {
    let held = handing::open(node, operation, handed)?;
    of(node).put(&held)?;
    Ok(held)
}

/// Forgets a key for good, and tells which rules in force let nothing leave any more.
pub fn drop(node: &Node, linkage: &Linkage) -> Result<Vec<String>> {
    of(node).remove(linkage)?;
    Ok(rules_naming(node.gate.engine().rule_set(), linkage))
}

/// A key for people and programs: everything but the key.
pub fn view(node: &Node, held: &Held) -> Value {
    json!({
        "linkage": held.linkage().as_str(),
        "holders": held.holders(),
        "from": held.from(),
        "made": rfc3339(held.made()),
        "mask": {"linkage": held.linkage().as_str()},
        "rules": rules_naming(node.gate.engine().rule_set(), held.linkage()),
    })
}

/// Refuses a rule set that names a key which is not here: what it permits would be refused each time.
pub fn demand_keys(node: &Node, rules: &RuleSet) -> Result<()> {
    let here = of(node);
    for linkage in named(rules) {
        here.find(linkage).map_err(|error| {
            let rules = rules_naming(rules, linkage).join("`, `");
            Error::usage(format!("the rules `{rules}` cannot come into force: {error}"))
        })?;
    }
    Ok(())
}

/// The keys that masks of a rule set name, those of unused obligation sets left out.
fn named(rules: &RuleSet) -> BTreeSet<&Linkage> {
    let all = rules.grants().iter().chain(rules.duties());
    let used = all.filter_map(|rule| rule.obligations.as_ref());
    used.filter_map(|set| rules.obligations().get(set))
        .flat_map(|set| set.mask.values())
        .filter_map(key)
        .collect()
}

/// Ids of the rules whose obligations name a key.
fn rules_naming(rules: &RuleSet, linkage: &Linkage) -> Vec<String> {
    let names = |rule: &&policy::Rule| {
        let set = rule.obligations.as_ref().and_then(|set| rules.obligations().get(set));
        set.is_some_and(|set| set.mask.values().filter_map(key).any(|named| named == linkage))
    };
    rules.grants().iter().chain(rules.duties()).filter(names).map(|rule| rule.id.to_string()).collect()
}

fn key(mask: &Mask) -> Option<&Linkage> {
    match mask {
        Mask::Linkage(linkage) => Some(linkage),
        _ => None,
    }
}
