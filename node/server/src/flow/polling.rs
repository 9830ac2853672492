//! A node that accepts no connection asks its peers for the messages that wait for it there, and takes each as if it had come
//! in by its own door: signed by who is on the line, checked by the protocol's record, durable before it is confirmed.
//!
//! Peers are asked side by side ([`rounds`]), each within its own time: a dead one holds up nobody. What was taken in and not
//! confirmed is handed out again, and a message that comes again changes nothing.

mod rounds;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;
use store::Space;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use self::rounds::Rounds;
use super::delivery;
use super::protocol::{self, Protocol, base};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::outbound::Call;
use crate::peers::Route;
use crate::records::{self, Exchange, Side};

/// How often peers are asked with whom something goes on; rarer where every byte counts.
const EVERY: Duration = Duration::from_secs(3);
/// How much longer the pause is for a peer with low-data mode.
const LOW_DATA_TIMES: u32 = 10;
/// How often it is looked whose turn it is.
const LOOK: Duration = Duration::from_secs(1);
/// How long one request may take: some 350 KB over a line of 64 kbit/s.
const ASK: Duration = Duration::from_secs(60);
/// How long messages of one peer are taken in at one ask; the others are taken at its next one.
const TURN: Duration = Duration::from_secs(120);

/// One message as a peer hands it out.
#[derive(Debug, Deserialize)]
struct Message {
    id: String,
    url: String,
    body: String,
}

#[derive(Debug, Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

/// Peers that somebody wants to be asked without a pause.
#[derive(Debug, Default)]
pub struct Polls {
    wanted: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl Polls {
    /// A person thinks that the line to this peer is back.
    pub fn soon(&self, peer: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(peer.to_owned());
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut stop = node.stop.subscribe();
    let (mut rounds, mut asking, mut peers) = (Rounds::default(), JoinSet::new(), HashMap::new());
    loop {
        let now = Instant::now();
        node.polls.take().iter().for_each(|peer| rounds.soon(peer, now));
        for peer in rounds.begin(&waited_for(&node), now) {
            let (node, asked) = (node.clone(), peer.clone());
            let ask = asking.spawn(async move { poll(&node, &asked).await });
            peers.insert(ask.id(), peer);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = node.polls.wake.notified() => {}
            Some(ended) = asking.join_next_with_id() => end(&node, &mut rounds, &mut peers, ended),
            () = crate::operation::stopped(&mut stop) => return,
        }
    }
}

/// Notes how an ask ended.
fn end(
    node: &Node,
    rounds: &mut Rounds,
    peers: &mut HashMap<Id, String>,
    ended: std::result::Result<(Id, Result<()>), JoinError>,
) {
    let (id, outcome) = match ended {
        Ok(ended) => ended,
        Err(error) => (error.id(), Err(Error::internal(error))),
    };
    let Some(peer) = peers.remove(&id) else { return };
    if let Err(error) = &outcome {
        tracing::info!(%peer, %error, "the messages that wait at a peer could not be fetched; asked again");
    }
    let every = if node.lines.low_data(&peer) { EVERY * LOW_DATA_TIMES } else { EVERY };
    rounds.ended(&peer, outcome.is_ok(), every, Instant::now());
}

/// Peers from which an exchange of ours waits for something.
fn waited_for(node: &Node) -> BTreeSet<String> {
    let open = super::unfinished(node);
    let exchanges = open.iter().filter_map(|key| {
        records::get::<Exchange>(&node.store, Space::Exchange, key)
            .ok()
            .flatten()
            .map(|(exchange, _)| exchange)
    });
    exchanges.filter(|exchange| exchange.side == Side::Consumer).map(|exchange| exchange.peer).collect()
}

async fn poll(node: &Arc<Node>, peer: &str) -> Result<()> {
    let route = node.peers.route(peer)?;
    let url = format!("{}/tram/outbox", route.endpoint);
    let until = Instant::now() + TURN;
    let answer = node.outbound.call(node, &route, Call::get(url.clone()).within(ASK)).await?.success()?;
    let told: Messages = serde_json::from_slice(&answer.body)
        .map_err(|e| Error::Peer(format!("the messages that wait at {peer} are unreadable: {e}")))?;
    for message in told.messages {
        if Instant::now() >= until {
            break;
        }
        let outcome = match take(node, &route, &message).await {
            Ok(()) => json!({}),
            Err(Error::Usage(why) | Error::NotFound(why)) => json!({"refused": why}),
            // Its turn comes again: what is behind it must not overtake it.
            Err(error) => return Err(error),
        };
        if !message.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::Peer(format!("{peer} names a message in a way that is no address")));
        }
        let body = serde_json::to_vec(&outcome).map_err(Error::internal)?;
        let settled = Call::post(format!("{url}/{}", message.id), body).within(ASK);
        node.outbound.call(node, &route, settled).await?.success()?;
    }
    Ok(())
}

async fn take(node: &Arc<Node>, route: &Route, message: &Message) -> Result<()> {
    let here = base(&node.config.peer.endpoint)?;
    let path = message.url.strip_prefix(here.as_str()).map(|path| path.trim_start_matches('/'));
    let elsewhere = || Error::usage(format!("`{}` is no address of a message to this node", message.url));
    let mut parts = path.ok_or_else(elsewhere)?.splitn(3, '/');
    let (Some(process), Some(pid), Some(tail)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(elsewhere());
    };
    let pid = percent_decode_str(pid).decode_utf8().map_err(|_| elsewhere())?;
    if process == Negotiation::PATH {
        take_in::<Negotiation>(node, route, &pid, tail, message.body.as_bytes()).await
    } else if process == Transfer::PATH {
        take_in::<Transfer>(node, route, &pid, tail, message.body.as_bytes()).await
    } else {
        Err(elsewhere())
    }
}

/// The same checks as at the door: a process with this peer, a message of it, at the message's own address, in turn.
async fn take_in<P: Protocol>(
    node: &Arc<Node>,
    route: &Route,
    pid: &str,
    tail: &str,
    body: &[u8],
) -> Result<()> {
    let known = protocol::find::<P>(node, pid)?
        .filter(|row| row.process.ends().peer().as_str() == route.participant.as_str());
    if known.is_none() {
        return Err(Error::not_found(format!("no {} `{pid}` with this peer", P::PROCESS.word())));
    }
    let message = P::read(body).map_err(Error::Usage)?;
    if P::tail(&message).join("/") != tail {
        return Err(Error::usage("this message has another address"));
    }
    let row = delivery::take::<P>(node, pid, &message).await?.map_err(Error::Usage)?;
    super::nudge(node, row.exchange.as_bytes());
    Ok(())
}
