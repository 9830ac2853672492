//! Linkage keys: what lets several providers give one pseudonym for one person, to one recipient for one purpose.
//!
//! **Promises.** A key is 256 random bits, known to its holders alone: the agencies that were named when it was made. Its full
//! name `NAME@ID` is a digest of key, name and holders, so rules, agreements, approvals and receipts that bear it mean this key
//! and these holders. A pseudonym is an HMAC over the recipient, the purpose and the canonical value, so those of two
//! recipients, or of one recipient's two purposes, never meet by themselves. A holder never gets such pseudonyms: it could undo
//! them. Making, sealing, taking and dropping each stand in the ledger before they are done. Without the key
//! nothing leaves; nothing falls back to clear values or to another key. The key stands in one private file
//! and, sealed, in the files for the other holders; never in the store, the ledger, a log or an error.
//!
//! **What it is not.** No secrecy against a holder, and none that outlives the key: a citizen's number has few possible values,
//! and who has the key tries them all. None against two recipients (or purposes) that lay their answers side by side: rows come in the
//! source's order, and other columns tell them apart (docs/linkage.md). Where to begin: [`make`] and [`take`] for people, [`keys::Linkages`] for masks.

pub mod handing;
pub mod keys;
mod record;

use std::collections::BTreeSet;

use policy::{Linkage, Mask, RuleSet};
use serde_json::{Value, json};

use self::handing::Handed;
use self::keys::{Held, Linkages};
use self::record::Act;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Operation, random, rfc3339};
use crate::rules::manifest::Way;

/// Most agencies that hold one key: each more is one more that can lose it.
pub const HOLDERS_MAX: usize = 16;

/// The keys of a node.
pub fn of(node: &Node) -> Linkages {
    Linkages::new(&node.dir)
}

/// One change of keys at a time, so that what is looked at stays so until it is done.
async fn turn(node: &Node) -> tokio::sync::OwnedMutexGuard<()> {
    node.locks.lock(b"linkage").await
}

/// Makes a key that this node and these peers hold, and the file for each of them.
///
/// # Errors
/// [`Error::Usage`], [`Error::NotFound`] for no peer; [`Error::Unavailable`] when the ledger takes no entry: nothing is kept then.
pub async fn make(
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
    let files = others.into_iter().map(|to| Ok((to.clone(), handing::seal(node, operation, &held, to)?)));
    let files: Vec<(String, Handed)> = files.collect::<Result<_>>()?;
    let _turn = turn(node).await;
    record::write(node, operation, &Act::Make(&held)).await?;
    for (to, _) in &files {
        record::write(node, operation, &Act::Seal(&held, to)).await?;
    }
    of(node).put(&held)?;
    Ok((held, files))
}

/// The file for one of the other holders, sealed anew: for one that was lost, or for a holder's new key.
///
/// # Errors
/// [`handing::seal`]'s; [`Error::Unavailable`] when the ledger takes no entry.
pub async fn seal(node: &Node, operation: &Operation, linkage: &Linkage, to: &str) -> Result<Handed> {
    let held = of(node).find(linkage)?;
    let handed = handing::seal(node, operation, &held, to)?;
    record::write(node, operation, &Act::Seal(&held, to)).await?;
    Ok(handed)
}

/// Takes a key that another holder handed over.
///
/// # Errors
/// [`handing::open`]'s and [`Linkages::put`]'s; [`Error::Unavailable`] when the ledger takes no entry: nothing is kept then.
pub async fn take(node: &Node, operation: &Operation, handed: &Handed) -> Result<Held> {
    let held = handing::open(node, operation, handed)?;
    let _turn = turn(node).await;
    record::write(node, operation, &Act::Take(&held)).await?;
    of(node).put(&held)?;
    Ok(held)
}

/// Forgets a key for good, and tells which rules in force let nothing leave any more; where there are some, only `in_use`.
///
/// # Errors
/// [`Error::Conflict`] when rules in force name it and `in_use` is not said; [`Error::NotFound`]; [`Error::Unavailable`]
/// when the ledger takes no entry: the key stays then.
pub async fn drop(
    node: &Node,
    operation: &Operation,
    linkage: &Linkage,
    in_use: bool,
) -> Result<Vec<String>> {
    let _turn = turn(node).await;
    let rules = rules_naming(node.gate.engine().rule_set(), linkage);
    if !rules.is_empty() && !in_use {
        return Err(Error::conflict(format!(
            "quy tắc đang có hiệu lực còn nêu khóa `{linkage}` · rules in force name the linkage key `{linkage}`, and would let nothing \
             leave without it: `{}`; take it out of them first, or say `--in-use`",
            rules.join("`, `")
        )));
    }
    let keys = of(node);
    keys.demand(linkage)?;
    record::write(node, operation, &Act::Drop(linkage, keys.find(linkage).ok())).await?;
    keys.remove(linkage)?;
    Ok(rules)
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

/// Refuses rules that newly name a key which is not here: what they permit would be refused each time. A key that the rules
/// in force name already stops no change, since a lost one must not stand in the way of stricter rules; nor does any stop
/// an emergency or a way back. [`lacking`] tells of those.
pub fn demand_keys(node: &Node, rules: &RuleSet, how: &Way) -> Result<()> {
    if matches!(how, Way::Emergency | Way::RolledBack { .. }) {
        return Ok(());
    }
    let (here, engine) = (of(node), node.gate.engine());
    let known = named(engine.rule_set());
    for linkage in named(rules).difference(&known) {
        here.find(linkage).map_err(|error| {
            let rules = rules_naming(rules, linkage).join("`, `");
            Error::usage(format!("the rules `{rules}` cannot come into force: {error}"))
        })?;
    }
    Ok(())
}

/// What people should know before rules come into force: keys that they name and that are not here or damaged.
pub fn lacking(node: &Node, rules: &RuleSet) -> Vec<String> {
    let here = of(node);
    let said = |linkage: &Linkage| {
        let why = here.find(linkage).err()?;
        let rules = rules_naming(rules, linkage).join("`, `");
        Some(format!(
            "theo quy tắc `{rules}` không dòng nào ra, vì thiếu khóa liên kết `{linkage}`; lấy lại bằng `tram linkage import`\n  by \
             `{rules}` nothing leaves: {why}"
        ))
    };
    named(rules).into_iter().filter_map(said).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::operation::Actor;
    use crate::rules::{self, manifest::Way};
    use crate::testing;

    const LAND: &str = "urn:agency:vn:b";

    fn files(linkages: &[&Linkage]) -> BTreeMap<String, String> {
        let always = "2020-01-01T00:00Z, 9999-12-31T00:00Z";
        let row = |at: usize| {
            format!("p, R{at}, 20, gr:state, ds:x, query, *, *, *, *, 0, 0, {always}, O{at}, allow\n")
        };
        let set = |(at, linkage): (usize, &&Linkage)| {
            (format!("O{at}"), json!({"mask": {"id": {"linkage": linkage.as_str()}}}))
        };
        let sets: serde_json::Map<String, Value> = linkages.iter().enumerate().map(set).collect();
        let file = |name: &str, text: String| (name.to_owned(), text);
        [
            file("policy.csv", (0..linkages.len()).map(row).collect()),
            file("duties.csv", "# none\n".to_owned()),
            file("obligations.json", Value::Object(sets).to_string()),
        ]
        .into()
    }

    #[tokio::test]
    async fn a_lost_key_stops_no_change_but_new_rules_that_name_it_and_none_in_an_emergency() {
        let (_dir, node) = testing::node().await;
        let (keys, descriptor) = testing::member(LAND);
        testing::pair(&node, &keys, &descriptor).await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let (held, _) = make(&node, &operation, "dinh-danh", &[LAND.to_owned()]).await.unwrap();
        let lost = held.linkage();
        rules::direct::apply(&node, &operation, files(&[lost])).await.unwrap();
        // Not while rules name it, but when it is said so.
        let kept = drop(&node, &operation, lost, false).await.unwrap_err();
        assert!(
            matches!(&kept, Error::Conflict(why) if why.contains("--in-use") && why.contains("R0")),
            "{kept}"
        );
        assert!(of(&node).find(lost).is_ok());
        assert_eq!(drop(&node, &operation, lost, true).await.unwrap(), ["R0"]);
        assert!(of(&node).names().unwrap().is_empty());

        // What names it already may change, and is told.
        let done = rules::direct::apply(&node, &operation, files(&[lost, lost])).await.unwrap();
        let warned = done["warnings"].to_string();
        assert!(warned.contains(lost.as_str()) && warned.contains("linkage import"), "{warned}");
        // Another that was never here may not come in, save by those ways that must not wait.
        let other = Linkage::new("khac", &"0".repeat(32)).unwrap();
        let refused = rules::direct::apply(&node, &operation, files(&[lost, &other])).await.unwrap_err();
        assert!(refused.to_string().contains("R1") && refused.to_string().contains("khac"), "{refused}");
        let rules = rules::load(&files(&[&other]), 9).unwrap();
        let to = rules::base(&node);
        for how in [Way::Emergency, Way::RolledBack { to }] {
            demand_keys(&node, &rules, &how).unwrap();
        }
        assert!(demand_keys(&node, &rules, &Way::Applied).is_err());
        // And the way back to rules that name the lost key is open.
        let (new, _) = make(&node, &operation, "moi", &[LAND.to_owned()]).await.unwrap();
        rules::direct::apply(&node, &operation, files(&[new.linkage()])).await.unwrap();
        assert!(rules::direct::apply(&node, &operation, files(&[lost])).await.is_err(), "new again");
        rules::direct::roll_back(&node, &operation, None, None).await.unwrap();
        crate::boot::close(&node).await;
    }
}
