//! Chunks side by side: a window of requests for one transfer, and where the chunks are put as they come.
//!
//! **Promises.** Memory is bounded: at most [`limits::CHUNKS_AT_ONCE`] chunks of a transfer and
//! [`limits::CHUNKS_PER_PEER_AT_ONCE`] of a peer are asked for and not on the disk yet; transfers wait for a place in
//! turn, so none starves. Each chunk is hashed once, when its signed answer is verified. The window is one chunk wide
//! until the line shows that it is quick. What is on the disk is not asked for again.
//!
//! **What it is not.** It knows nothing of manifests' signatures, statements and receipts: see [`super::receive`].

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::merkle::Sha256;
use dataplane::{Accepted, ChunkDigest, DataError, Inbox, Landing, Synced};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, JoinSet};

use super::receive::{Line, POLL, POLL_MAX};
use crate::error::{Error, Result};
use crate::limits;
use crate::outbound::Answer;

/// How often a provider may cut its rows anew while they are fetched: it may be set up anew once or twice, not for ever.
const ANEW_MAX: u32 = 3;

/// Where chunks lie.
enum Rows {
    Clear(Box<Landing>),
    Sealed(Inbox),
    /// With a blocking thread, or lost with it.
    Away,
}

/// One transfer's chunks on their way to the disk.
pub struct Fetch {
    line: Arc<Line>,
    folder: PathBuf,
    rows: Rows,
    window: Window,
    syncing: Option<JoinHandle<std::result::Result<Synced, DataError>>>,
}

impl Fetch {
    /// Opens what is on the disk already.
    pub async fn open(line: &Arc<Line>, folder: PathBuf, sealed: bool) -> Result<Self> {
        let dir = folder.clone();
        let rows = blocking(move || {
            Ok(if sealed {
                Rows::Sealed(Inbox::open(&dir)?)
            } else {
                Rows::Clear(Box::new(Landing::open(&dir)?))
            })
        })
        .await?;
        let window = Window::new(line.clone());
        Ok(Self { line: line.clone(), folder, rows, window, syncing: None })
    }

    /// Every chunk from the first that is not here to the last, while the provider writes them.
    pub async fn while_written(&mut self) -> Result<()> {
        let (mut next, mut end, mut pause, mut anew) = (0_u64, u64::MAX, POLL, 0);
        let (mut not_before, mut failed) = (Instant::now(), None);
        loop {
            failed = failed.or_else(|| self.line.waits(self.bytes()));
            if failed.is_none() && Instant::now() >= not_before {
                while self.window.has_room() && (self.is_begun() || self.window.is_empty()) {
                    while next < end && (self.holds(next) || self.window.has(next)) {
                        next += 1;
                    }
                    if next >= end {
                        break;
                    }
                    self.window.ask(next);
                }
            }
            let Some(came) = self.window.next().await? else {
                if let Some(error) = failed {
                    return Err(error);
                }
                if next >= end {
                    return Ok(());
                }
                tokio::time::sleep(not_before.saturating_duration_since(Instant::now())).await;
                continue;
            };
            match came.answer {
                Ok(Some(answer)) => {
                    pause = POLL;
                    if self.put(came.number, answer).await? == Accepted::Anew {
                        anew += 1;
                        (next, end) = (0, u64::MAX);
                    }
                }
                Ok(None) => {
                    next = next.min(came.number);
                    not_before = Instant::now() + pause;
                    pause = (pause * 2).min(POLL_MAX);
                    self.window.narrow();
                }
                Err(Error::NotFound(_)) => end = end.min(came.number),
                // What is under way beside it is not thrown away.
                Err(error) => failed = failed.or(Some(error)),
            }
            if anew > ANEW_MAX {
                let who = &self.line.exchange.peer;
                return Err(Error::Verification(format!("{who} cuts its rows anew again and again")));
            }
        }
    }

    /// Tells how the manifest's chunks are cut and whether they are sealed.
    pub async fn fit(&mut self, sealed: bool, chunk_size: u64, count: usize) -> Result<()> {
        self.synced().await?;
        self.rows = match std::mem::replace(&mut self.rows, Rows::Away) {
            Rows::Clear(landing) if sealed => Rows::Sealed(blocking(move || landing.into_inbox()).await?),
            Rows::Clear(mut landing) => {
                blocking(move || landing.fit(chunk_size, count).map(|()| Rows::Clear(landing))).await?
            }
            other => other,
        };
        Ok(())
    }

    /// Whatever is in the list and not here, or here otherwise, of a transfer of `total` bytes. With 0 no hours are waited for.
    pub async fn missing(&mut self, wanted: &[ChunkDigest], total: u64) -> Result<()> {
        let missing = match &self.rows {
            Rows::Clear(landing) => landing.missing(wanted),
            Rows::Sealed(inbox) => inbox.missing(wanted),
            Rows::Away => return Err(away()),
        };
        let mut rest = missing.into_iter();
        let mut failed = None;
        loop {
            if rest.len() > 0 {
                failed = failed.or_else(|| self.line.waits(total));
            }
            while failed.is_none() && self.window.has_room() {
                let Some(number) = rest.next() else { break };
                self.window.ask(number);
            }
            let Some(came) = self.window.next().await? else { return failed.map_or(Ok(()), Err) };
            match came.answer {
                Ok(Some(answer)) => _ = self.put(came.number, answer).await?,
                Ok(None) => {
                    let gone = || Error::Unavailable("a chunk of a closed transfer is not there".to_owned());
                    failed = failed.or_else(|| Some(gone()));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
    }

    /// Clear rows get their name; sealed ones stay as they are.
    pub async fn finish(mut self, wanted: Vec<ChunkDigest>, sha256: Sha256, target: PathBuf) -> Result<()> {
        self.synced().await?;
        match self.rows {
            Rows::Clear(landing) => {
                blocking(move || landing.finish(&wanted, &sha256, &target).map(|_| ())).await
            }
            Rows::Sealed(_) => Ok(()),
            Rows::Away => Err(away()),
        }
    }

    /// The sealed chunks.
    pub async fn into_inbox(self) -> Result<Inbox> {
        match self.rows {
            Rows::Sealed(inbox) => Ok(inbox),
            Rows::Clear(landing) => blocking(move || landing.into_inbox()).await,
            Rows::Away => blocking(move || Inbox::open(&self.folder)).await,
        }
    }

    /// Puts a chunk on the disk; a sync that is due goes on beside the next chunks.
    async fn put(&mut self, number: u64, held: Held) -> Result<Accepted> {
        let digest = Sha256(held.answer.sha256);
        match std::mem::replace(&mut self.rows, Rows::Away) {
            Rows::Clear(mut landing) => {
                if landing.bytes() > limits::RECEIVED_BYTES_MAX {
                    return Err(Error::Verification(format!(
                        "more than {} GiB came and no end; ask for less",
                        limits::RECEIVED_BYTES_MAX >> 30
                    )));
                }
                let (landing, accepted, due) = blocking(move || {
                    let accepted = landing.accept(number, digest, &held.answer.body)?;
                    drop(held);
                    let due = landing.due()?;
                    Ok((landing, accepted, due))
                })
                .await?;
                self.rows = Rows::Clear(landing);
                if let Some(due) = due {
                    self.synced().await?;
                    self.syncing = Some(tokio::task::spawn_blocking(move || due.sync()));
                }
                Ok(accepted)
            }
            Rows::Sealed(mut inbox) => {
                let (inbox, accepted) = blocking(move || {
                    let chunk = ChunkDigest { len: held.answer.body.len() as u64, sha256: digest };
                    let accepted = inbox.accept(number, &chunk, &held.answer.body)?;
                    Ok((inbox, accepted))
                })
                .await?;
                self.rows = Rows::Sealed(inbox);
                Ok(accepted)
            }
            Rows::Away => Err(away()),
        }
    }

    /// Waits for the sync that is under way. Where it failed, what came since the last good one is thrown away, and the step
    /// ends: it is fetched again when the exchange is taken up.
    async fn synced(&mut self) -> Result<()> {
        let Some(sync) = self.syncing.take() else { return Ok(()) };
        let done = sync.await.map_err(Error::internal)?;
        match (done, std::mem::replace(&mut self.rows, Rows::Away)) {
            (Ok(done), Rows::Clear(mut landing)) => {
                landing.synced(done);
                self.rows = Rows::Clear(landing);
                Ok(())
            }
            (Err(error), Rows::Clear(mut landing)) => {
                tracing::error!(exchange = self.line.exchange.id, %error, "the disk did not take what came; it is fetched again");
                blocking(move || landing.forget()).await?;
                Err(told(error))
            }
            (done, other) => {
                self.rows = other;
                done.map(|_| ()).map_err(told)
            }
        }
    }

    fn holds(&self, number: u64) -> bool {
        matches!(&self.rows, Rows::Clear(landing) if landing.holds(number))
    }

    /// Bytes that came in clear.
    fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Clear(landing) => landing.bytes(),
            Rows::Sealed(_) | Rows::Away => 0,
        }
    }

    fn is_begun(&self) -> bool {
        matches!(&self.rows, Rows::Clear(landing) if landing.is_begun())
    }
}

fn away() -> Error {
    Error::internal("the rows are with a thread that failed")
}

/// An answer with its place among the peer's chunks: given back when it is on the disk.
struct Held {
    answer: Answer,
    _place: OwnedSemaphorePermit,
}

struct Came {
    number: u64,
    answer: Result<Option<Held>>,
    took: Duration,
}

/// Requests under way. Dropped, it takes them back.
struct Window {
    line: Arc<Line>,
    flying: JoinSet<Came>,
    numbers: BTreeSet<u64>,
    width: usize,
}

impl Window {
    fn new(line: Arc<Line>) -> Self {
        Self { line, flying: JoinSet::new(), numbers: BTreeSet::new(), width: 1 }
    }

    fn has_room(&self) -> bool {
        self.numbers.len() < self.width
    }

    fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    fn has(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    fn narrow(&mut self) {
        self.width = 1;
    }

    fn ask(&mut self, number: u64) {
        self.numbers.insert(number);
        let line = self.line.clone();
        self.flying.spawn(async move {
            let place = match line.node.outbound.chunk_place(&line.route).await {
                Ok(place) => place,
                Err(error) => return Came { number, answer: Err(error), took: Duration::ZERO },
            };
            let asked = Instant::now();
            let answer = line.get(&format!("chunks/{number}"), limits::CHUNK_ANSWER_BYTES_MAX).await;
            let answer = answer.map(|found| found.map(|answer| Held { answer, _place: place }));
            Came { number, answer, took: asked.elapsed() }
        });
    }

    /// The next answer, in the order in which they come; none when nothing is asked.
    async fn next(&mut self) -> Result<Option<Came>> {
        let Some(joined) = self.flying.join_next().await else { return Ok(None) };
        let came = joined.map_err(Error::internal)?;
        self.numbers.remove(&came.number);
        self.width = widened(self.width, came.took, matches!(came.answer, Ok(Some(_))));
        Ok(Some(came))
    }
}

/// How many may fly next, when one came after so long.
fn widened(width: usize, took: Duration, came: bool) -> usize {
    match came {
        true if took <= limits::CHUNK_QUICK => (width + 1).min(limits::CHUNKS_AT_ONCE),
        true if took >= limits::CHUNK_SLOW => 1,
        _ => width,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, DataError> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    done.map_err(told)
}

/// A disk that is full or fails passes, and the exchange waits for it; anything else is wrong about what came.
fn told(error: DataError) -> Error {
    match error {
        DataError::Io { .. } => Error::internal(error),
        other => Error::Verification(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_on_a_quick_line_and_closes_on_a_slow_one() {
        let quick = limits::CHUNK_QUICK / 2;
        let widths: Vec<usize> =
            std::iter::successors(Some(1), |w| Some(widened(*w, quick, true))).take(6).collect();
        assert_eq!(widths, [1, 2, 3, 4, 4, 4]);
        assert_eq!(widened(4, limits::CHUNK_SLOW, true), 1);
        assert_eq!(widened(3, limits::CHUNK_QUICK * 2, true), 3);
        assert_eq!(widened(3, quick, false), 3, "an answer without a chunk tells nothing of the line");
    }
}
