//! What the ledger says of linkage keys: one `linkage@v1` entry for each act, durable before it is done. Never the key.

use std::collections::BTreeSet;

use ledger::statement::{Deed, LinkageAct, Party, Word};
use policy::Linkage;

use super::keys::Held;
use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;
use crate::operation::Operation;

/// What is done with a key.
pub(super) enum Act<'a> {
    /// It is made here.
    Make(&'a Held),
    /// It is sealed to another holder.
    Seal(&'a Held, &'a str),
    /// It is taken from its giver.
    Take(&'a Held),
    /// It is forgotten; of a damaged one the holders are not known.
    Drop(&'a Linkage, Option<Held>),
}

/// Writes what is about to be done.
///
/// # Errors
/// [`Error::Unavailable`] when the ledger does not take it; [`Error::Usage`] when the holders' names are too long for it.
pub(super) async fn write(node: &Node, operation: &Operation, act: &Act<'_>) -> Result<()> {
    statement::own(node, operation.now, None, Deed::Linkage(Box::new(said(act)?))).await?;
    Ok(())
}

fn said(act: &Act<'_>) -> Result<LinkageAct> {
    let unknown = BTreeSet::from(["?".to_owned()]);
    let (done, linkage, holders, party) = match act {
        Act::Make(held) => ("make", held.linkage(), held.holders(), None),
        Act::Seal(held, to) => ("seal", held.linkage(), held.holders(), Some(*to)),
        Act::Take(held) => ("take", held.linkage(), held.holders(), Some(held.from())),
        Act::Drop(linkage, held) => ("drop", *linkage, held.as_ref().map_or(&unknown, Held::holders), None),
    };
    // A bar is in no participant's id.
    let holders: Vec<&str> = holders.iter().map(String::as_str).collect();
    let holders = Word::new(&holders.join("|"))
        .map_err(|e| Error::usage(format!("the holders' ids are too long together for the ledger: {e}")))?;
    let word = |text: &str| Word::new(text).map_err(Error::internal);
    Ok(LinkageAct {
        linkage: word(linkage.as_str())?,
        act: word(done)?,
        holders,
        party: party.map(Party::new).transpose().map_err(Error::internal)?,
    })
}

#[cfg(test)]
mod tests {
    use ledger::statement::{Own, SignedStatement, Statement};

    use super::*;
    use crate::linkage;
    use crate::operation::Actor;
    use crate::testing;

    const LAND: &str = "urn:agency:vn:b";

    #[tokio::test]
    async fn each_act_on_a_key_stands_in_the_ledger_and_the_key_does_not() {
        let (_dir, node) = testing::node().await;
        let (keys, descriptor) = testing::member(LAND);
        testing::pair(&node, &keys, &descriptor).await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let from = node.ledger.size();
        let (held, _) = linkage::make(&node, &operation, "dinh-danh", &[LAND.to_owned()]).await.unwrap();
        linkage::seal(&node, &operation, held.linkage(), LAND).await.unwrap();
        linkage::drop(&node, &operation, held.linkage(), false).await.unwrap();
        let mut found = Vec::new();
        for index in from..node.ledger.size() {
            let bytes = node.ledger.entry(index).unwrap();
            let signed = SignedStatement::parse(&bytes).unwrap();
            let Statement::Own(Own { deed: Deed::Linkage(act), .. }) = signed.statement() else {
                panic!("{}", signed.statement())
            };
            assert_eq!(act.linkage.as_str(), held.linkage().as_str());
            assert_eq!(act.holders.as_str(), "urn:agency:vn:a|urn:agency:vn:b");
            found.push((act.act.to_string(), act.party.as_ref().map(ToString::to_string)));
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(!text.contains(&crate::files::hex(held.expose())));
        }
        let to = |act: &str, party: Option<&str>| (act.to_owned(), party.map(str::to_owned));
        assert_eq!(
            found,
            [to("make", None), to("seal", Some(LAND)), to("seal", Some(LAND)), to("drop", None)]
        );
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_not_done() {
        let (_dir, node) = testing::node().await;
        let (keys, descriptor) = testing::member(LAND);
        testing::pair(&node, &keys, &descriptor).await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let (held, _) = linkage::make(&node, &operation, "dinh-danh", &[LAND.to_owned()]).await.unwrap();
        node.ledger.close();
        let refused = linkage::make(&node, &operation, "khac", &[LAND.to_owned()]).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
        assert!(linkage::seal(&node, &operation, held.linkage(), LAND).await.is_err());
        assert!(linkage::drop(&node, &operation, held.linkage(), true).await.is_err());
        assert_eq!(linkage::of(&node).names().unwrap(), [held.linkage().clone()].into());
        crate::boot::close(&node).await;
    }
}
