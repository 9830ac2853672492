//! What each consumer has had of each dataset: what quotas are held against.
//!
//! One record a consumer, dataset and month, written in the same transaction as the exchange that it counts; so nothing is
//! counted twice and nothing is forgotten, whenever the node is killed. Days and months are those of UTC.

use std::collections::BTreeMap;

use policy::{Measure, Usage};
use serde::{Deserialize, Serialize};
use store::{Space, Tx};
use time::OffsetDateTime;

use crate::error::{Error, RefusalInfo, Result};
use crate::node::Node;
use crate::records::{self, Exchange};

/// One month.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Month {
    /// By day of the month.
    days: BTreeMap<u8, Had>,
}

/// What was had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Had {
    requests: u64,
    rows: u64,
    bytes: u64,
}

impl Had {
    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            rows: self.rows.saturating_sub(other.rows),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// What an answer was.
#[derive(Debug, Clone)]
pub struct Made {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Key of the lock under which answers to one consumer from one dataset are made one after the other.
pub fn turn(consumer: &str, dataset: &str) -> Vec<u8> {
    format!("usage/{}/{dataset}", records::short(consumer)).into_bytes()
}

/// What a consumer is told whose answer is larger than what its quota leaves.
pub fn too_much(bytes: u64) -> RefusalInfo {
    RefusalInfo {
        code: "QUOTA".to_owned(),
        legal_basis: "nghĩa vụ của quy tắc chia sẻ: hạn mức / obligation of the sharing rule: quota"
            .to_owned(),
        text_vi: format!(
            "Kết quả dài {bytes} byte, nhiều hơn hạn mức còn lại của kỳ này; hãy hỏi ít cột hoặc ít dòng hơn."
        ),
        text_en: format!(
            "The answer has {bytes} bytes, more than this period's quota leaves; ask for fewer columns or rows."
        ),
    }
}

/// Writes down what was made for an exchange, and counts it once.
pub async fn count(node: &Node, exchange: &Exchange, made: &Made, now: i64) -> Result<()> {
    let (month, day) = calendar(now)?;
    let usage_key = key(&exchange.peer, &exchange.dataset, &month);
    records::update::<Exchange, ()>(&node.store, Space::Exchange, &exchange.key(), |exchange| {
        exchange.rows = Some(made.rows);
        exchange.bytes = Some(made.bytes);
        exchange.sha256 = Some(made.sha256.clone());
        exchange.updated = now;
        if exchange.counted.is_some() {
            return Ok(((), Tx::new()));
        }
        exchange.counted = Some(now);
        let found = records::get::<Month>(&node.store, Space::Meta, &usage_key)?;
        let (mut record, expected) = match found {
            Some((record, revision)) => (record, Tx::new().at(Space::Meta, usage_key.clone(), revision)),
            None => (Month::default(), Tx::new().absent(Space::Meta, usage_key.clone())),
        };
        let had = record.days.entry(day).or_default();
        *had = had.and(Had { requests: 1, rows: made.rows, bytes: made.bytes });
        let tx = expected.put_json(Space::Meta, usage_key.clone(), &record).map_err(Error::from)?;
        Ok(((), tx))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(())
}

/// What `consumer` has had of `dataset` today and this month, without what the exchange `except` got: what it has is not
/// held against it when it is asked about again.
pub fn of(node: &Node, consumer: &str, dataset: &str, except: Option<&str>, now: i64) -> Result<Usage> {
    let (month, day) = calendar(now)?;
    let found = records::get::<Month>(&node.store, Space::Meta, &key(consumer, dataset, &month))?;
    let Some((record, _)) = found else { return Ok(Usage::default()) };
    let mut today = record.days.get(&day).copied().unwrap_or_default();
    let mut whole = record.days.values().copied().fold(Had::default(), Had::and);
    if let Some((own, at)) = except.map(|id| counted(node, consumer, id)).transpose()?.flatten() {
        let (own_month, own_day) = calendar(at)?;
        if own_month == month {
            whole = whole.without(own);
            today = if own_day == day { today.without(own) } else { today };
        }
    }
    Ok(Usage::new(BTreeMap::from([
        (Measure::RequestsPerDay, today.requests),
        (Measure::RowsPerDay, today.rows),
        (Measure::BytesPerDay, today.bytes),
        (Measure::RequestsPerMonth, whole.requests),
        (Measure::RowsPerMonth, whole.rows),
        (Measure::BytesPerMonth, whole.bytes),
    ])))
}

/// What was counted for one exchange, and when.
fn counted(node: &Node, consumer: &str, id: &str) -> Result<Option<(Had, i64)>> {
    let key = records::provider_key(consumer, id);
    let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, &key)? else {
        return Ok(None);
    };
    let had = Had { requests: 1, rows: exchange.rows.unwrap_or(0), bytes: exchange.bytes.unwrap_or(0) };
    Ok(exchange.counted.map(|at| (had, at)))
}

/// Key of one month's record.
fn key(consumer: &str, dataset: &str, month: &str) -> Vec<u8> {
    format!("usage/{}/{dataset}/{month}", records::short(consumer)).into_bytes()
}

/// Month (`2026-11`) and day of the month, UTC.
fn calendar(now: i64) -> Result<(String, u8)> {
    let at = OffsetDateTime::from_unix_timestamp(now).map_err(Error::internal)?;
    Ok((format!("{:04}-{:02}", at.year(), u8::from(at.month())), at.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Side;

    const NOVEMBER_30: i64 = 1_796_040_000;
    const DAY: i64 = 86_400;

    fn exchange(id: &str) -> Exchange {
        let ask = crate::testing::ask();
        Exchange::new(id.into(), Side::Provider, "urn:agency:vn:b".into(), "air".into(), ask, NOVEMBER_30)
    }

    async fn had(node: &Node, id: &str, rows: u64, at: i64) {
        let exchange = exchange(id);
        if records::get::<Exchange>(&node.store, Space::Exchange, &exchange.key()).unwrap().is_none() {
            let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).unwrap();
            node.store.commit(tx).await.unwrap();
        }
        count(node, &exchange, &Made { rows, bytes: rows * 10, sha256: "00".into() }, at).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_is_counted_once_in_its_day_and_month() {
        let (_dir, node) = crate::testing::node().await;
        let now = |at, except| of(&node, "urn:agency:vn:b", "air", except, at).unwrap();
        assert!(now(NOVEMBER_30, None).is_empty());
        had(&node, "1", 5, NOVEMBER_30 - DAY).await;
        had(&node, "2", 7, NOVEMBER_30).await;
        // Made again after a crash: the same exchange does not count twice.
        had(&node, "2", 7, NOVEMBER_30).await;
        let usage = now(NOVEMBER_30, None);
        let of = |measure| usage.of(measure);
        assert_eq!((of(Measure::RowsPerDay), of(Measure::RowsPerMonth)), (7, 12));
        assert_eq!((of(Measure::RequestsPerDay), of(Measure::RequestsPerMonth)), (1, 2));
        assert_eq!((of(Measure::BytesPerDay), of(Measure::BytesPerMonth)), (70, 120));
        // What it has itself is not held against it, and the next month begins anew.
        assert_eq!(now(NOVEMBER_30, Some("2")).of(Measure::RowsPerMonth), 5);
        assert_eq!(now(NOVEMBER_30, Some("1")).of(Measure::RowsPerDay), 7);
        assert!(now(NOVEMBER_30 + DAY, None).is_empty());
        let other = super::of(&node, "urn:agency:vn:c", "air", None, NOVEMBER_30).unwrap();
        assert!(other.is_empty(), "another consumer has a quota of its own");
        crate::boot::close(&node).await;
    }
}
