//! Counting evidence: one pass over the ledger, one over the decisions, one over the requests of others.

use std::collections::BTreeMap;

use ledger::statement::{Deed, SignedStatement, Statement};
use policy::pack::{Evidence, Pack};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Space, Store};

use crate::error::{Error, Result};
use crate::limits::COMPLIANCE_ENTRIES_MAX;
use crate::node::Node;
use crate::records::Exchange;

/// Working days in which a request is answered (Decree 194/2025/ND-CP, Art. 40(3)).
const ANSWER_WORKING_DAYS: u32 = 2;
/// Records of one read of the store.
const PAGE: usize = 256;

/// What was counted, and over what.
#[derive(Debug)]
pub struct Counted {
    from: u64,
    size: u64,
    unreadable: u64,
    kinds: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    decisions: u64,
    rules: BTreeMap<String, u64>,
    overdue: std::result::Result<u64, String>,
}

impl Counted {
    /// How often there was evidence of this kind; an error says why that is not known.
    pub fn of(&self, what: &Evidence) -> std::result::Result<u64, String> {
        let count = |map: &BTreeMap<String, u64>, key: &str| map.get(key).copied().unwrap_or_default();
        match what {
            Evidence::Entries(kind) => Ok(count(&self.kinds, kind)),
            Evidence::Refusals(code) => Ok(count(&self.refusals, code.as_str())),
            Evidence::Rule(id) => Ok(count(&self.rules, id.as_str())),
            Evidence::Overdue => self.overdue.clone(),
        }
    }

    /// What the counts are over.
    pub fn view(&self) -> Value {
        json!({"from": self.from, "size": self.size, "unreadable": self.unreadable, "decisions": self.decisions})
    }
}

/// Counts everything that a matrix may name.
pub fn count(node: &Node, pack: &Pack, now: i64) -> Result<Counted> {
    let overdue = match pack.calendar() {
        Some(calendar) => overdue(&node.store, calendar, now)?,
        None => Err("this pack has no public holidays, so working days cannot be counted".to_owned()),
    };
    let (kinds, refusals, rules) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut counted =
        Counted { from: 0, size: 0, unreadable: 0, kinds, refusals, decisions: 0, rules, overdue };
    ledger(node, &mut counted)?;
    decisions(&node.store, &mut counted)?;
    Ok(counted)
}

/// Entries by kind and refusals by code, over the newest entries that are here.
fn ledger(node: &Node, counted: &mut Counted) -> Result<()> {
    let told = |error: ledger::LedgerError| Error::Verification(error.to_string());
    counted.size = node.ledger.size();
    let archived = node.ledger.archived().map_or(0, |archived| archived.below);
    counted.from = archived.max(counted.size.saturating_sub(COMPLIANCE_ENTRIES_MAX)).min(counted.size);
    let mut at = counted.from;
    while at < counted.size {
        let end = at.saturating_add(ledger::log::ENTRIES_MAX).min(counted.size);
        for bytes in node.ledger.entries(at..end).map_err(told)? {
            match SignedStatement::parse(&bytes) {
                Ok(signed) => statement(signed.statement(), counted),
                Err(_) => counted.unreadable += 1,
            }
        }
        at = end;
    }
    Ok(())
}

fn statement(said: &Statement, counted: &mut Counted) {
    let line = said.kind().first_line();
    let kind = line.trim_start_matches("tram/").split('@').next().unwrap_or_default();
    *counted.kinds.entry(kind.to_owned()).or_default() += 1;
    if let Statement::Own(own) = said
        && let Deed::Decided(decided) = &own.deed
        && let Some(code) = &decided.refused
    {
        *counted.refusals.entry(code.as_str().to_owned()).or_default() += 1;
    }
}

/// Of a kept decision only what names rules.
#[derive(Deserialize)]
struct Seen {
    decision: Names,
}

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    matched: Vec<String>,
    #[serde(default)]
    duties: Vec<String>,
}

/// How many kept decisions each rule took part in. What an erasure destroyed is not counted.
fn decisions(store: &Store, counted: &mut Counted) -> Result<()> {
    each::<Seen>(store, Space::Decision, b"", |seen| {
        counted.decisions += 1;
        for rule in seen.decision.matched.into_iter().chain(seen.decision.duties) {
            *counted.rules.entry(rule).or_default() += 1;
        }
    })
}

/// Requests of others that are still open after the law's time.
fn overdue(store: &Store, calendar: &policy::Calendar, now: i64) -> Result<std::result::Result<u64, String>> {
    let mut late = Ok(0_u64);
    each::<Exchange>(store, Space::Exchange, b"p/", |exchange| {
        if exchange.stage.is_final() {
            return;
        }
        match (calendar.deadline(exchange.created, ANSWER_WORKING_DAYS), &mut late) {
            (Ok(deadline), Ok(count)) if deadline <= now => *count += 1,
            (Err(error), Ok(_)) => late = Err(error.to_string()),
            _ => {}
        }
    })?;
    Ok(late)
}

/// Reads a space page by page; a record that cannot be read is passed over, other commands tell of it.
fn each<T: serde::de::DeserializeOwned>(
    store: &Store,
    space: Space,
    prefix: &[u8],
    mut with: impl FnMut(T),
) -> Result<()> {
    let end = store::prefix_end(prefix);
    let mut from = prefix.to_vec();
    loop {
        let page = store.scan(space, &from, end.as_deref(), PAGE).map_err(Error::from)?;
        for record in &page.records {
            if let Ok(value) = serde_json::from_slice(&record.value) {
                with(value);
            }
        }
        match page.next {
            Some(next) => from = next.to_vec(),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::pack::Pack;
    use serde_json::json;
    use store::{Space, Tx};

    use super::*;
    use crate::boot;
    use crate::records::{Ask, Side};

    /// Thursday 2026-11-19, 08:00 in Hanoi.
    const THURSDAY: i64 = 1_795_050_000;
    const DAY: i64 = 86_400;

    async fn request(node: &Node, id: &str, side: Side, stage: crate::records::Stage) {
        let mut exchange = Exchange::new(
            id.to_owned(),
            side,
            "urn:agency:vn:b".to_owned(),
            "x".to_owned(),
            Ask {
                action: "query".to_owned(),
                purpose: None,
                basis: None,
                query: json!({}),
                stated: Default::default(),
            },
            THURSDAY,
        );
        exchange.stage = stage;
        let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).unwrap();
        node.store.commit(tx).await.unwrap();
    }

    #[tokio::test]
    async fn only_open_requests_of_others_are_overdue_and_only_after_two_working_days() {
        use crate::records::Stage;
        let (_dir, node) = crate::testing::node().await;
        request(&node, "a", Side::Provider, Stage::Negotiating).await;
        request(&node, "b", Side::Provider, Stage::Refused).await;
        request(&node, "c", Side::Consumer, Stage::Negotiating).await;
        let pack = Pack::builtin("vn").unwrap();
        let at = |now| count(&node, &pack, now).unwrap().of(&Evidence::Overdue);
        // Friday, the weekend, Monday: the second working day ends at midnight before Tuesday.
        assert_eq!(at(THURSDAY + 4 * DAY), Ok(0));
        assert_eq!(at(THURSDAY + 5 * DAY), Ok(1));
        let eu = Pack::builtin("eu").unwrap();
        assert!(
            count(&node, &eu, THURSDAY).unwrap().of(&Evidence::Overdue).unwrap_err().contains("holidays")
        );
        boot::close(&node).await;
    }

    #[tokio::test]
    async fn a_year_without_public_holidays_is_told_and_not_counted_as_nothing() {
        let (_dir, node) = crate::testing::node().await;
        request(&node, "a", Side::Provider, crate::records::Stage::Negotiating).await;
        let mut files = Pack::builtin("vn").unwrap().files().clone();
        let holidays = String::from_utf8(files.get("holidays.toml").unwrap().to_vec()).unwrap();
        let until = holidays.find("[[year]]\nyear = 2026").unwrap();
        files.insert("holidays.toml", &holidays[..until]);
        let pack = Pack::from_files(files).unwrap();
        let told = count(&node, &pack, THURSDAY).unwrap().of(&Evidence::Overdue).unwrap_err();
        assert!(told.contains("no year 2026"), "{told}");
        boot::close(&node).await;
    }
}
