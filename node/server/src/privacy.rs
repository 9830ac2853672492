//! The privacy budget: what each recipient has spent on each dataset under differential privacy.
//!
//! One record a recipient, dataset and year, to which entries are only added. An answer is paid for before the first of
//! its rows is computed, in the transaction that looks at what is left, and leaves only when all of it is made. So a node
//! that is killed in between has paid for an answer that nobody saw, and the same exchange is then answered for what it
//! has paid; one whose answer may have been seen pays again, since noise is drawn anew. Days, months and years are those
//! of UTC. What was spent before a rule set a budget counts too.

use std::collections::BTreeMap;

use policy::{DifferentialPrivacy, Obligations, Period};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};
use time::OffsetDateTime;

use crate::error::{Error, RefusalInfo, Result};
use crate::node::Node;
use crate::records::{self, Exchange};

/// One year.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Year {
    spent: Vec<Spent>,
}

/// One answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    exchange: String,
    /// Unix seconds.
    at: i64,
    /// Thousandths of epsilon.
    epsilon_milli: u32,
}

/// Pays for the answer to an exchange, or refuses when the budget does not hold it. To be called before any row of the
/// answer is computed, under the lock [`crate::usage::turn`].
pub async fn spend(node: &Node, exchange: &Exchange, private: &DifferentialPrivacy, now: i64) -> Result<()> {
    let year_key = key(&exchange.peer, &exchange.dataset, &day(now)?.0);
    let cost = private.epsilon.thousandths();
    records::update::<Exchange, ()>(&node.store, Space::Exchange, &exchange.key(), |exchange| {
        let found = records::get::<Year>(&node.store, Space::Meta, &year_key)?;
        let (mut year, tx) = match found {
            Some((year, revision)) => (year, Tx::new().at(Space::Meta, year_key.clone(), revision)),
            None => (Year::default(), Tx::new().absent(Space::Meta, year_key.clone())),
        };
        // Paid for, and killed before anything was served: an answer is served once it is counted.
        let paid = year.spent.iter().any(|s| s.exchange == exchange.id && s.epsilon_milli >= cost);
        if paid && exchange.counted.is_none() {
            return Ok(((), Tx::new()));
        }
        if let Some(period) = short_of(&year, private, None, now)? {
            return Err(Error::Refused(Box::new(used_up(private, period))));
        }
        year.spent.push(Spent { exchange: exchange.id.clone(), at: now, epsilon_milli: cost });
        Ok(((), tx.put_json(Space::Meta, year_key.clone(), &year).map_err(Error::from)?))
    })
    .await
}

/// The refusal when nothing is left for one more answer; what the exchange `except` paid for is not held against it.
pub fn refusal(
    node: &Node,
    consumer: &str,
    dataset: &str,
    except: Option<&str>,
    owed: &Obligations,
    now: i64,
) -> Result<Option<RefusalInfo>> {
    let Some(private) = &owed.differential_privacy else { return Ok(None) };
    let year = year(node, consumer, dataset, now)?;
    Ok(short_of(&year, private, except, now)?.map(|period| used_up(private, period)))
}

/// What an answer spends and what is left in each period, for the provider's own people; nothing without such a rule.
pub fn told(
    node: &Node,
    consumer: &str,
    dataset: &str,
    owed: &Obligations,
    now: i64,
) -> Result<Option<Value>> {
    let Some(private) = &owed.differential_privacy else { return Ok(None) };
    let spent = spent(&year(node, consumer, dataset, now)?, None, now)?;
    let left = private.budget.iter().map(|(period, most)| {
        let left = most.thousandths().saturating_sub(spent.get(period).copied().unwrap_or(0));
        (period.to_string(), json!({"budget": most, "left": f64::from(left) / 1_000.0}))
    });
    let left: serde_json::Map<String, Value> = left.collect();
    Ok(Some(json!({"epsilon": private.epsilon, "periods": left})))
}

/// The first period whose budget does not hold one more answer.
fn short_of(
    year: &Year,
    private: &DifferentialPrivacy,
    except: Option<&str>,
    now: i64,
) -> Result<Option<Period>> {
    let spent = spent(year, except, now)?;
    let after =
        |period| spent.get(period).copied().unwrap_or(0).saturating_add(private.epsilon.thousandths());
    Ok(private
        .budget
        .iter()
        .find(|(period, most)| after(period) > most.thousandths())
        .map(|(period, _)| *period))
}

/// Thousandths of epsilon, of today, this month and this year.
fn spent(year: &Year, except: Option<&str>, now: i64) -> Result<BTreeMap<Period, u32>> {
    let today = day(now)?;
    let mut sums = BTreeMap::new();
    for one in year.spent.iter().filter(|one| except != Some(one.exchange.as_str())) {
        let at = day(one.at)?;
        for (period, counts) in [
            (Period::Year, at.0 == today.0),
            (Period::Month, at.1 == today.1),
            (Period::Day, at.2 == today.2),
        ] {
            if counts {
                let sum: &mut u32 = sums.entry(period).or_default();
                *sum = sum.saturating_add(one.epsilon_milli);
            }
        }
    }
    Ok(sums)
}

fn year(node: &Node, consumer: &str, dataset: &str, now: i64) -> Result<Year> {
    let key = key(consumer, dataset, &day(now)?.0);
    Ok(records::get::<Year>(&node.store, Space::Meta, &key)?.map(|(year, _)| year).unwrap_or_default())
}

fn key(consumer: &str, dataset: &str, year: &str) -> Vec<u8> {
    format!("privacy/{}/{dataset}/{year}", records::short(consumer)).into_bytes()
}

/// Year (`2026`), month (`2026-11`) and day (`2026-11-30`), UTC.
fn day(now: i64) -> Result<(String, String, String)> {
    let at = OffsetDateTime::from_unix_timestamp(now).map_err(Error::internal)?;
    let year = format!("{:04}", at.year());
    let month = format!("{year}-{:02}", u8::from(at.month()));
    let day = format!("{month}-{:02}", at.day());
    Ok((year, month, day))
}

fn used_up(private: &DifferentialPrivacy, period: Period) -> RefusalInfo {
    let (vi, en) = match period {
        Period::Day => ("ngày", "day"),
        Period::Month => ("tháng", "month"),
        Period::Year => ("năm", "year"),
    };
    let (epsilon, most) =
        (f64::from(private.epsilon), private.budget.get(&period).copied().map_or(0.0, f64::from));
    RefusalInfo {
        code: "PRIVACY-BUDGET".to_owned(),
        legal_basis: "nghĩa vụ của quy tắc chia sẻ: ngân sách riêng tư / obligation of the sharing rule: privacy budget"
            .to_owned(),
        text_vi: format!(
            "Ngân sách riêng tư của {vi} này (epsilon {most}) không còn đủ cho một câu trả lời (epsilon {epsilon}); \
             hãy dùng lại câu trả lời đã có, hoặc chờ kỳ sau."
        ),
        text_en: format!(
            "This {en}'s privacy budget (epsilon {most}) does not hold one more answer (epsilon {epsilon}); use an answer \
             that you have, or wait for the next period."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Side;

    const NOVEMBER_30: i64 = 1_796_040_000;
    const DAY: i64 = 86_400;
    const B: &str = "urn:agency:vn:b";

    fn private() -> Obligations {
        let json = json!({"aggregate": {"k": 5},
            "differential_privacy": {"epsilon": 0.5, "budget": {"day": 1, "month": 1.7}}});
        serde_json::from_value(json).unwrap()
    }

    async fn exchange(node: &Node, id: &str) -> Exchange {
        let ask = crate::testing::ask();
        let exchange = Exchange::new(id.into(), Side::Provider, B.into(), "air".into(), ask, NOVEMBER_30);
        let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).unwrap();
        node.store.commit(tx).await.unwrap();
        exchange
    }

    #[tokio::test]
    async fn a_budget_is_spent_once_an_answer_and_then_refuses() {
        let (_dir, node) = crate::testing::node().await;
        let owed = private();
        let rule = owed.differential_privacy.clone().unwrap();
        let left = |at| {
            let told = told(&node, B, "air", &owed, at).unwrap().unwrap();
            let of = |period: &str| told["periods"][period]["left"].as_f64().unwrap();
            (of("day"), of("month"))
        };
        assert_eq!(left(NOVEMBER_30), (1.0, 1.7));
        let one = exchange(&node, "1").await;
        spend(&node, &one, &rule, NOVEMBER_30 - DAY).await.unwrap();
        assert_eq!(left(NOVEMBER_30), (1.0, 1.2), "yesterday is of this month");
        // Killed before anything was served: answered for what is paid.
        spend(&node, &one, &rule, NOVEMBER_30).await.unwrap();
        assert_eq!(left(NOVEMBER_30), (1.0, 1.2));
        // Served, and its rows are made anew: they have other noise, so they cost again.
        let made = crate::usage::Made { rows: 1, bytes: 9, sha256: "00".into() };
        crate::usage::count(&node, &one, &made, NOVEMBER_30).await.unwrap();
        spend(&node, &one, &rule, NOVEMBER_30).await.unwrap();
        assert_eq!(left(NOVEMBER_30), (0.5, 0.7));
        let two = exchange(&node, "2").await;
        spend(&node, &two, &rule, NOVEMBER_30).await.unwrap();
        assert_eq!(left(NOVEMBER_30), (0.0, 0.2));
        let refused = |except, at| refusal(&node, B, "air", except, &owed, at).unwrap();
        let told = refused(None, NOVEMBER_30).unwrap();
        assert_eq!(told.code, "PRIVACY-BUDGET");
        assert!(told.text_en.contains("This day's privacy budget (epsilon 1)"), "{}", told.text_en);
        assert!(refused(Some("2"), NOVEMBER_30).is_none(), "what it has paid for it may have");
        let three = exchange(&node, "3").await;
        let error = spend(&node, &three, &rule, NOVEMBER_30).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        assert_eq!(left(NOVEMBER_30), (0.0, 0.2), "what is refused costs nothing");
        // The next month begins anew; other recipients and datasets have budgets of their own.
        assert_eq!(left(NOVEMBER_30 + DAY), (1.0, 1.7));
        for (consumer, dataset) in [("urn:agency:vn:c", "air"), (B, "water")] {
            assert!(refusal(&node, consumer, dataset, None, &owed, NOVEMBER_30).unwrap().is_none());
        }
        crate::boot::close(&node).await;
    }
}
