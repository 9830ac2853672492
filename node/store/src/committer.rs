//! The one thread that writes.
//!
//! It takes the transactions that wait, checks each against the state left by those before it, applies what passed as
//! one unit, makes it durable with one sync, and only then answers all of them, the refused ones too. A failing write
//! or sync ends writing until the program starts again: after a failed sync nobody knows what is on the disk, and a
//! second sync may report success for data that was dropped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use tokio::sync::{broadcast, oneshot};

use crate::engine::{DiskWrite, Engine};
use crate::frame::{self, Head};
use crate::gate::{Gate, Inside};
use crate::tx::{Check, Tx};
use crate::{Changed, Space, StoreError, directory, limits, reader};

pub(crate) type Answer = Result<u64, StoreError>;

/// A waiting transaction.
pub(crate) struct Job {
    pub(crate) tx: Tx,
    pub(crate) reply: Reply,
}

/// How the one who waits is told.
pub(crate) enum Reply {
    Task(oneshot::Sender<Answer>),
    Thread(SyncSender<Answer>),
}

impl Reply {
    /// Who no longer waits is not told; the transaction stands all the same.
    fn send(self, answer: Answer) {
        match self {
            Reply::Task(sender) => drop(sender.send(answer)),
            Reply::Thread(sender) => drop(sender.send(answer)),
        }
    }
}

/// What the committer shares with the readers. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    /// Held for each group from its checks until it is durable; export and verify hold it to see a standing store.
    gate: Gate,
    /// Held for writing only while a group is applied, so that readers see whole transactions. `None`: closed.
    engine: RwLock<Option<Engine>>,
    /// The first failure of writing.
    failure: OnceLock<String>,
    engine_dir: PathBuf,
    free_write_min_bytes: u64,
    changes: Mutex<Option<broadcast::Sender<Changed>>>,
}

impl Shared {
    pub(crate) fn new(engine: Engine, engine_dir: PathBuf, free_write_min_bytes: u64) -> Self {
        Shared {
            gate: Gate::default(),
            engine: RwLock::new(Some(engine)),
            failure: OnceLock::new(),
            engine_dir,
            free_write_min_bytes,
            changes: Mutex::new(Some(broadcast::channel(limits::WATCH_BACKLOG).0)),
        }
    }

    /// Keeps commits waiting until the guard is dropped.
    pub(crate) fn hold_commits(&self) -> Inside<'_> {
        self.gate.enter_standing()
    }

    /// Runs `read` on the engine while no group is being applied.
    pub(crate) fn with_engine<T>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(self.view().as_ref().ok_or(StoreError::Closed)?)
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    pub(crate) fn read_only(&self) -> StoreError {
        StoreError::ReadOnly { cause: self.failure().unwrap_or("the committer stopped").to_owned() }
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Changed> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match changes.as_ref() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// Takes the engine away from everybody and ends the watchers.
    pub(crate) fn shut(&self) -> Option<Engine> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.engine.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn view(&self) -> RwLockReadGuard<'_, Option<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, writes: Vec<DiskWrite>) -> Result<(), StoreError> {
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        engine.as_ref().ok_or(StoreError::Closed)?.apply(writes)
    }

    fn enough_space(&self) -> Result<(), StoreError> {
        let (free_bytes, min_bytes) = (directory::free_bytes(&self.engine_dir)?, self.free_write_min_bytes);
        if free_bytes < min_bytes { Err(StoreError::DiskFull { free_bytes, min_bytes }) } else { Ok(()) }
    }

    fn announce(&self, changed: BTreeMap<Space, u64>) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = changes.as_ref() {
            for (space, revision) in changed {
                // Nobody listening is no failure.
                drop(sender.send(Changed { space, revision }));
            }
        }
    }
}

/// Works until the queue's senders are gone and it is empty. `revision` is the newest one on the disk.
pub(crate) fn run(shared: &Shared, queue: &Receiver<Job>, mut revision: u64) {
    let _on_panic = FailOnPanic(shared);
    while let Ok(first) = queue.recv() {
        let group = collect(first, queue);
        if shared.failure().is_some() {
            group.into_iter().for_each(|job| job.reply.send(Err(shared.read_only())));
        } else if let Err(error) = shared.enough_space() {
            refuse_all(group, &error);
        } else {
            revision = commit_group(shared, group, revision);
        }
    }
}

/// The engine has panics of its own: they too must leave the store read-only, not silently stuck.
struct FailOnPanic<'s>(&'s Shared);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.failure.set("the storage engine panicked".to_owned()));
        }
    }
}

fn collect(first: Job, queue: &Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.tx.bytes();
    let mut group = vec![first];
    while group.len() < limits::GROUP_TX_MAX && bytes < limits::GROUP_BYTES_SOFT {
        let Ok(job) = queue.try_recv() else { break };
        bytes += job.tx.bytes();
        group.push(job);
    }
    group
}

/// Too little space stops nobody for good, so the caller gets the numbers and the store goes on.
fn refuse_all(group: Vec<Job>, error: &StoreError) {
    for job in group {
        job.reply.send(Err(match error {
            StoreError::DiskFull { free_bytes, min_bytes } => {
                StoreError::DiskFull { free_bytes: *free_bytes, min_bytes: *min_bytes }
            }
            other => StoreError::Engine { what: "look for free space", detail: other.to_string() },
        }));
    }
}

/// Commits what passes its checks and answers everybody; gives the newest revision handed out.
fn commit_group(shared: &Shared, jobs: Vec<Job>, revision: u64) -> u64 {
    let _inside = shared.gate.enter_to_write();
    let mut group = Group { revision, ..Group::default() };
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let answer = shared.with_engine(|engine| group.admit(engine, job.tx));
        answers.push((job.reply, answer));
    }
    let newest = group.revision;
    let done = if newest == revision { Ok(BTreeMap::new()) } else { make_durable(shared, group) };
    match done {
        Ok(changed) => {
            answers.into_iter().for_each(|(reply, answer)| reply.send(answer));
            shared.announce(changed);
        }
        Err(error) => {
            let cause = match &error {
                StoreError::Io { what, source } => format!("could not {what}: {source}"),
                other => other.to_string(),
            };
            tracing::error!(%cause, "writing failed; the store is read-only until the node is restarted");
            drop(shared.failure.set(cause));
            answers.into_iter().for_each(|(reply, _)| reply.send(Err(shared.read_only())));
        }
    }
    newest
}

fn make_durable(shared: &Shared, group: Group) -> Result<BTreeMap<Space, u64>, StoreError> {
    let (writes, changed) = group.into_writes();
    shared.apply(writes)?;
    shared.with_engine(Engine::make_durable)?;
    Ok(changed)
}

/// The transactions of one group that passed, as one overlay over what is on the disk.
#[derive(Default)]
struct Group {
    revision: u64,
    /// What the disk holds under the keys that the group touches.
    found: BTreeMap<(Space, Bytes), Option<Head>>,
    /// What the group leaves there, with its revision; `None` deletes.
    left: BTreeMap<(Space, Bytes), (u64, Option<Bytes>)>,
}

impl Group {
    /// Adds a transaction if all its checks hold and all it touches can be read; gives its revision.
    fn admit(&mut self, engine: &Engine, tx: Tx) -> Answer {
        for (check, wanted) in tx.checks.into_iter().enumerate() {
            let Check { space, key, revision } = wanted;
            let found = self.revision_of(engine, space, &key)?;
            if found != revision {
                return Err(StoreError::Conflict { check, space, key: key.to_vec(), found });
            }
        }
        for write in &tx.writes {
            self.look_up(engine, write.space, &write.key)?;
        }
        self.revision += 1;
        for write in tx.writes {
            self.left.insert((write.space, write.key), (self.revision, write.value));
        }
        Ok(self.revision)
    }

    fn revision_of(&mut self, engine: &Engine, space: Space, key: &Bytes) -> Result<Option<u64>, StoreError> {
        if let Some((revision, value)) = self.left.get(&(space, key.clone())) {
            return Ok(value.as_ref().map(|_| *revision));
        }
        self.look_up(engine, space, key)
    }

    /// Reads what the disk holds under a key, once per group.
    fn look_up(&mut self, engine: &Engine, space: Space, key: &Bytes) -> Result<Option<u64>, StoreError> {
        let at = (space, key.clone());
        if let Some(head) = self.found.get(&at) {
            return Ok(head.as_ref().map(Head::revision));
        }
        let head = reader::head(engine, space, key)?;
        let revision = head.as_ref().map(Head::revision);
        self.found.insert(at, head);
        Ok(revision)
    }

    /// The frames to write and remove, and the newest revision per space.
    fn into_writes(self) -> (Vec<DiskWrite>, BTreeMap<Space, u64>) {
        let mut writes: Vec<DiskWrite> = Vec::with_capacity(self.left.len() + 1);
        let mut changed: BTreeMap<Space, u64> = BTreeMap::new();
        for (id, ((space, key), (revision, value))) in (0u32..).zip(self.left) {
            let newest = changed.entry(space).or_default();
            *newest = revision.max(*newest);
            if let Some(Some(Head::Split(old))) = self.found.get(&(space, key.clone())) {
                writes.extend(old.part_keys().map(|part| (part, None)));
            }
            match value {
                Some(value) => writes.extend(
                    frame::frames(space, &key, &value, revision, id).into_iter().map(|(k, f)| (k, Some(f))),
                ),
                None => writes.push((frame::record_key(space, &key), None)),
            }
        }
        writes.push((frame::REVISION_KEY.to_vec(), Some(frame::revision_frame(self.revision))));
        (writes, changed)
    }
}
