//! Subscriptions: copies of peers' datasets that this node keeps current by itself.
//!
//! **What it is.** A wish of this agency's people (`subscriptions/NAME.json` in the node's folder) and beside it the copy, one
//! CSV file under a path that stays. When its time has come the node begins an ordinary exchange that asks for what changed
//! since the copy, with everything that belongs to one: the provider's decision, ledger entries, receipts. One exchange at a
//! time, so a line that was down for a week is caught up with in one answer.
//!
//! **Promises.** The id of an exchange is kept here before it is begun, and the copy is replaced before this record says so:
//! whenever the node is killed, no exchange is begun twice and no change is applied twice or lost. The copy has at each
//! moment the digest that the provider signed for the whole.
//!
//! **Where to begin.** [`add`], and [`run`], which calls [`look_at`] for each.

pub mod copy;
mod offered;

use std::path::PathBuf;
use std::sync::Arc;

use exchange::manifest::CopyKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Space;

use crate::error::{Error, Result};
use crate::files;
use crate::flow::consumer::{self, How};
use crate::flow::evidence::CommittedValues;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation, rfc3339};
use crate::query::{QueryDoc, SINCE_NONE};
use crate::records::{self, Ask, Exchange, Stage};

/// A copy that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The exchange that brought it to where it is.
    pub exchange: String,
    /// SHA-256 of the file, hex, as the provider signed it.
    pub sha256: String,
    /// Rows.
    pub rows: u64,
    /// When it was brought there, Unix seconds.
    pub at: i64,
}

/// One subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its name here.
    pub name: String,
    /// The provider.
    pub participant: String,
    /// Dataset name at the provider.
    pub dataset: String,
    /// What is asked each time.
    pub ask: Ask,
    /// How often, seconds.
    pub every_seconds: u64,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// The copy; none before the first.
    pub copy: Option<Held>,
    /// The exchange that is under way.
    pub running: Option<String>,
    /// Whether the next one begins as soon as this one ends: somebody asked for a refresh meanwhile, and the one under way may
    /// have been answered before; or its changes do not fit, and the whole is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// When the last exchange ended, Unix seconds.
    pub last: Option<i64>,
    /// Why the last one brought nothing.
    pub failure: Option<String>,
    /// When people stopped it, Unix seconds.
    pub stopped: Option<i64>,
}

/// What is wished for.
pub struct New {
    /// Its name here; the dataset's where none is given.
    pub name: Option<String>,
    /// The provider.
    pub participant: String,
    /// Dataset name at the provider.
    pub dataset: String,
    /// What is asked each time.
    pub ask: Ask,
    /// How often: `15m`, `1h`, `7d`.
    pub every: String,
}

fn folder(node: &Node) -> PathBuf {
    node.dir.join("subscriptions")
}

fn path(node: &Node, name: &str) -> PathBuf {
    folder(node).join(format!("{name}.json"))
}

/// The file that other programs read.
pub fn copy_path(node: &Node, name: &str) -> PathBuf {
    folder(node).join(format!("{name}.csv"))
}

fn turn(name: &str) -> Vec<u8> {
    [b"subscription/", name.as_bytes()].concat()
}

fn put(node: &Node, subscription: &Subscription) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(subscription).map_err(Error::internal)?;
    files::write_atomic(&path(node, &subscription.name), &bytes)
}

/// A subscription by its name.
pub fn demand(node: &Node, name: &str) -> Result<Subscription> {
    let unknown = || {
        Error::not_found(format!(
            "không có đăng ký `{name}`; xem `tram subscription list` · no subscription `{name}` here; `tram subscription list` shows them"
        ))
    };
    catalog::DatasetId::try_from(name.to_owned()).map_err(|_| unknown())?;
    let path = path(node, name);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Error::internal(format!("`{}` is damaged ({e}); put it back from a backup", path.display()))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(unknown()),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// All, by name. One that cannot be read is logged and left out.
pub fn all(node: &Node) -> Result<Vec<Subscription>> {
    let folder = folder(node);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(&folder, e)),
    };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| !stem.starts_with('.'));
        let Some(name) = name.filter(|_| path.extension().is_some_and(|end| end == "json")) else { continue };
        match demand(node, name) {
            Ok(subscription) => found.push(subscription),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a subscription cannot be read"),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Subscribes; the first copy is asked for at once. A subscription of this name that was stopped goes on if it asks the same.
pub async fn add(node: &Arc<Node>, new: New) -> Result<Subscription> {
    let name = new.name.clone().unwrap_or_else(|| new.dataset.clone());
    for name in [&name, &new.dataset] {
        catalog::DatasetId::try_from(name.clone()).map_err(|e| Error::usage(e.to_string()))?;
    }
    node.peers.route(&new.participant)?;
    let every = crate::sources::period(&new.every).map_err(|_| no_period(&new.every))?;
    consumer::wish(
        node,
        &Operation::begin(Actor::Local, &node.clock),
        &new.participant,
        &new.dataset,
        new.ask.clone(),
    )?;
    offered::check(node, &new).await?;
    let _turn = node.locks.lock(&turn(&name)).await;
    let wanted = Subscription {
        participant: new.participant,
        dataset: new.dataset,
        ask: new.ask,
        every_seconds: every.as_secs(),
        created: node.clock.now(),
        copy: None,
        running: None,
        again: false,
        last: None,
        failure: None,
        stopped: None,
        name,
    };
    let found = match demand(node, &wanted.name) {
        Err(Error::NotFound(_)) => None,
        other => Some(other?),
    };
    let kept = match found {
        Some(found) if found.stopped.is_none() || found.running.is_some() => {
            return Err(Error::conflict(format!(
                "đã có đăng ký `{0}`; đặt tên khác bằng --name, hoặc `tram subscription stop {0}` rồi đăng ký lại · there is a subscription `{0}` already, or an exchange of it under way; `tram subscription show {0}` shows it, --name gives this one another name, a stopped one gives way",
                wanted.name
            )));
        }
        // People stopped it and wish for something else under its name; its copy is not what they wish for.
        Some(found) if !found.is_of(&wanted) => {
            let copy = copy_path(node, &wanted.name);
            files::remove(&copy)?;
            files::remove(&copy::beside(&copy))?;
            wanted
        }
        Some(found) => {
            Subscription { every_seconds: wanted.every_seconds, last: None, stopped: None, ..found }
        }
        None if all(node)?.len() >= limits::SUBSCRIPTIONS_MAX => {
            return Err(Error::conflict(format!("{} subscriptions are the most", limits::SUBSCRIPTIONS_MAX)));
        }
        None => wanted,
    };
    files::make_private_dir(&folder(node))?;
    put(node, &kept)?;
    node.changed.send_modify(|n| *n += 1);
    Ok(kept)
}

fn no_period(text: &str) -> Error {
    let shown: String = text.chars().take(20).collect();
    Error::usage(format!(
        "`--every {0}` không phải chu kỳ từ 1m đến 366d; viết số rồi m, h hoặc d, như 15m, 1h, 7d · `--every {0}` is no period from 1m to 366d; write a number and m, h or d, such as 15m, 1h, 7d",
        shown.escape_debug()
    ))
}

impl Subscription {
    fn is_of(&self, other: &Self) -> bool {
        (&self.participant, &self.dataset, &self.ask) == (&other.participant, &other.dataset, &other.ask)
    }

    /// Whether it is time to ask, and nothing is under way.
    fn is_due(&self, now: i64) -> bool {
        let every = i64::try_from(self.every_seconds).unwrap_or(i64::MAX);
        let due = self.last.is_none_or(|last| now.saturating_sub(last) >= every);
        self.running.is_none() && self.stopped.is_none() && due
    }
}

/// Asks now, whatever the time.
pub async fn refresh(node: &Arc<Node>, name: &str) -> Result<Subscription> {
    let _turn = node.locks.lock(&turn(name)).await;
    let mut subscription = demand(node, name)?;
    if subscription.stopped.is_some() {
        return Err(Error::conflict(format!(
            "đăng ký `{name}` đã dừng; `tram subscription add` với cùng lời để nhận tiếp · the subscription `{name}` was stopped; `tram subscription add` with the same words takes it up again"
        )));
    }
    subscription.last = None;
    subscription.again = subscription.running.is_some();
    put(node, &subscription)?;
    node.changed.send_modify(|n| *n += 1);
    Ok(subscription)
}

/// Asks no more. The copy stays where it is, and so does what is under way.
pub async fn stop(node: &Arc<Node>, name: &str) -> Result<Subscription> {
    let _turn = node.locks.lock(&turn(name)).await;
    let mut subscription = demand(node, name)?;
    subscription.stopped.get_or_insert(node.clock.now());
    put(node, &subscription)?;
    Ok(subscription)
}

/// Removes the copies that the rows of an exchange went into, which is about to be erased. A subscription that goes on asks for
/// the whole again.
pub async fn forget(node: &Node, exchange: &Exchange) -> Result<()> {
    // Whatever it was asked for: rather a copy too many than erased rows that stay.
    let of = |s: &Subscription| {
        exchange.copy.is_some() && (&s.participant, &s.dataset) == (&exchange.peer, &exchange.dataset)
    };
    for name in all(node)?.into_iter().filter(of).map(|subscription| subscription.name) {
        let _turn = node.locks.lock(&turn(&name)).await;
        let mut subscription = demand(node, &name)?;
        let copy = copy_path(node, &name);
        files::remove(&copy)?;
        files::remove(&copy::beside(&copy))?;
        subscription.copy = None;
        put(node, &subscription)?;
    }
    Ok(())
}

/// Looks after all subscriptions until the node stops: when an exchange changed, and on a slow tick.
pub async fn run(node: Arc<Node>) {
    let (mut stop, mut changed) = (node.stop.subscribe(), node.changed.subscribe());
    loop {
        match all(&node) {
            Ok(all) => {
                for subscription in all {
                    if let Err(error) = look_at(&node, &subscription.name).await {
                        tracing::warn!(subscription = subscription.name, %error, "a subscription could not be looked after; it is tried again");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the subscriptions cannot be read; it is tried again"),
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(limits::MONITOR_PERIOD) => {}
            () = crate::operation::stopped(&mut stop) => return,
        }
    }
}

/// Does the next thing that a subscription needs.
pub async fn look_at(node: &Arc<Node>, name: &str) -> Result<()> {
    let _turn = node.locks.lock(&turn(name)).await;
    let mut subscription = demand(node, name)?;
    if subscription.running.is_some() {
        return follow(node, &mut subscription).await;
    }
    if subscription.is_due(node.clock.now()) {
        // Kept first: a kill behind this line begins this exchange again and no other one.
        subscription.running = Some(ulid::Ulid::generate().to_string());
        put(node, &subscription)?;
        return begin(node, &subscription).await;
    }
    Ok(())
}

async fn begin(node: &Arc<Node>, subscription: &Subscription) -> Result<()> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let mut query = QueryDoc::from_wire(Some(&subscription.ask.query)).map_err(Error::Usage)?;
    let since = subscription.copy.as_ref().map_or(SINCE_NONE, |copy| copy.exchange.as_str());
    query.since = Some(since.to_owned());
    let query = serde_json::to_value(&query).map_err(Error::internal)?;
    let ask = Ask { query, ..subscription.ask.clone() };
    let how = How {
        queue: true,
        id: subscription.running.clone(),
        subscription: Some(subscription.name.clone()),
        ..How::default()
    };
    let (participant, dataset) = (&subscription.participant, &subscription.dataset);
    let nobody = CommittedValues::default();
    consumer::begin(node, &operation, participant, dataset, ask, &nobody, how).await.map(|_| ())
}

/// Takes up what the running exchange left.
async fn follow(node: &Arc<Node>, subscription: &mut Subscription) -> Result<()> {
    let id = subscription.running.clone().unwrap_or_default();
    let found = records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(&id))?;
    let Some((exchange, _)) = found else {
        let begun = begin(node, subscription).await;
        // A peer that is not trusted any more, for example: told, and tried again when it is due.
        return match begun {
            Err(error @ (Error::Usage(_) | Error::NotFound(_) | Error::Conflict(_) | Error::Refused(_))) => {
                ended(node, subscription, Some(error.to_string()))
            }
            other => other,
        };
    };
    if !exchange.stage.is_final() {
        return Ok(());
    }
    if exchange.stage != Stage::Completed {
        let why = exchange.refusal.as_ref().map(crate::error::RefusalInfo::text).or(exchange.failure);
        return ended(node, subscription, Some(why.unwrap_or_else(|| exchange.stage.word().to_owned())));
    }
    match copy::bring_up(node, subscription, &exchange).await {
        Ok(held) => {
            subscription.copy = Some(held);
            ended(node, subscription, None)
        }
        // The copy here is not the one that the changes are of: the whole is asked for.
        // At once, unless it was the whole that did not do.
        Err(Error::Verification(why)) => {
            subscription.copy = None;
            subscription.again |= exchange.copy.is_some_and(|copy| copy.kind != CopyKind::Whole);
            ended(node, subscription, Some(why))
        }
        Err(error) => Err(error),
    }
}

fn ended(node: &Arc<Node>, subscription: &mut Subscription, failure: Option<String>) -> Result<()> {
    subscription.running = None;
    let again = std::mem::take(&mut subscription.again);
    subscription.last = (!again).then(|| node.clock.now());
    subscription.failure = failure;
    put(node, subscription)?;
    node.changed.send_modify(|n| *n += 1);
    Ok(())
}

/// A subscription as people and applications see it.
pub fn view(node: &Node, subscription: &Subscription) -> Value {
    let copy = subscription.copy.as_ref().map(|copy| {
        json!({
            "exchange": copy.exchange,
            "sha256": copy.sha256,
            "rows": copy.rows,
            "at": rfc3339(copy.at),
            "file": copy_path(node, &subscription.name).display().to_string(),
        })
    });
    let next = subscription
        .last
        .map(|last| last.saturating_add(i64::try_from(subscription.every_seconds).unwrap_or(i64::MAX)));
    json!({
        "name": subscription.name,
        "participant": subscription.participant,
        "dataset": subscription.dataset,
        "purpose": subscription.ask.purpose,
        "basis": subscription.ask.basis,
        "query": subscription.ask.query,
        "every_seconds": subscription.every_seconds,
        "copy": copy,
        "running": subscription.running,
        "last": subscription.last.map(rfc3339),
        "next": next.filter(|_| subscription.stopped.is_none()).map(rfc3339),
        "failure": subscription.failure,
        "stopped": subscription.stopped.map(rfc3339),
        "created": rfc3339(subscription.created),
    })
}
