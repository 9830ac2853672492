//! Making the rows of a transfer: the governed view, computed under a permit, cut into chunks on disk, closed by the
//! signed manifest and the statement.
//!
//! A spool that is not sealed is worth nothing and is made again after a restart; a sealed one with its manifest and
//! statement is served as it is. The consumer reads while the view is still computed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dataplane::sealing::Sealer;
use dataplane::{ChunkWriter, Job, SpoolReader, SpoolSummary};
use exchange::SignedManifest;
use exchange::dsp::Cause;
use exchange::transfer::Transfer;
use store::Space;

use super::delivery::terminate;
use super::job::{self, broken};
use super::protocol::known;
use super::shared::{self, Shapes};
use super::{change, copies, escrow, manifest, provider, sealing, statement};
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::query::QueryDoc;
use crate::records::{self, Exchange};
use crate::sources::live;
use crate::usage::{self, Made};
use crate::versions::contracts;
use crate::{datasets, files, privacy};

/// Views that are being computed, and the readers of spools that are served.
#[derive(Default)]
pub struct Productions {
    running: Mutex<HashSet<Vec<u8>>>,
    readers: Mutex<HashMap<Vec<u8>, SpoolReader>>,
    shapes: Shapes,
}

impl Productions {
    pub(super) fn reader(&self, key: &[u8]) -> Option<SpoolReader> {
        self.readers.lock().ok()?.get(key).cloned()
    }

    fn begin(&self, key: &[u8]) -> bool {
        self.running.lock().is_ok_and(|mut running| running.insert(key.to_vec()))
    }

    pub(super) fn opened(&self, key: &[u8], reader: SpoolReader) {
        if let Ok(mut readers) = self.readers.lock() {
            readers.insert(key.to_vec(), reader);
        }
    }

    fn end(&self, key: &[u8]) {
        if let Ok(mut running) = self.running.lock() {
            running.remove(key);
        }
    }

    /// Lets go of the readers of exchanges that are at their end.
    pub(super) fn keep_only(&self, open: &HashSet<Vec<u8>>) {
        if let Ok(mut readers) = self.readers.lock() {
            readers.retain(|key, _| open.contains(key));
        }
        self.shapes.keep_existing();
    }
}

pub(crate) fn folder(node: &Node, exchange: &Exchange) -> PathBuf {
    node.dir.join("spool").join(format!("{}-{}", records::short(&exchange.peer), exchange.id))
}

/// End of the name of such a folder.
pub(super) const LIVE_ROWS: &str = ".rows";

/// Where the rows of a live source lie while the view is computed from them.
fn live_folder(node: &Node, exchange: &Exchange) -> PathBuf {
    node.dir.join("spool").join(format!("{}-{}{LIVE_ROWS}", records::short(&exchange.peer), exchange.id))
}

/// Makes sure that the rows are there or being made.
pub fn ensure(node: &Arc<Node>, exchange: &Exchange) {
    let key = exchange.key();
    if exchange.intent.is_none() || exchange.ack.is_some() || !node.productions.begin(&key) {
        return;
    }
    let (node, exchange) = (node.clone(), exchange.clone());
    tokio::spawn(async move {
        if let Err(error) = produce(&node, &exchange).await {
            give_up(&node, &exchange, &error).await;
        }
        // The reader stays: the consumer is still reading. Only the claim is given back.
        node.productions.end(&key);
    });
}

/// Tells the consumer that no rows will come. What the engine said about the data stays here.
async fn give_up(node: &Arc<Node>, exchange: &Exchange, error: &Error) {
    tracing::warn!(exchange = exchange.id, %error, "the rows could not be made");
    let operation = Operation::begin(Actor::Node, &node.clock);
    let told = match error {
        Error::Usage(why) | Error::Conflict(why) => why.clone(),
        Error::Refused(info) => info.text(),
        _ => format!("the rows could not be made; the provider finds out under {}", exchange.id),
    };
    let done = async {
        // The reason first: whoever sees the interruption, here or after a crash, tells the consumer why.
        change(node, &exchange.key(), |e| e.failure = Some(told.clone())).await?;
        if exchange.statement.is_none() {
            statement::interrupt(node, &operation, exchange, "computation-failed").await?;
        }
        let pid = exchange.transfer.as_deref().unwrap_or_default();
        let row = known::<Transfer>(node, pid)?;
        terminate(node, exchange, &row.process, Cause::plain("COMPUTATION", &told)).await
    };
    if let Err(error) = done.await {
        tracing::warn!(exchange = exchange.id, %error, "the failure could not be told yet; the monitor comes back");
    }
}

async fn produce(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    // One answer to a consumer is made and counted before the next one of the same dataset is begun: two at once would
    // each get what the quota leaves for one.
    let counted = ["quota", "differential_privacy"].iter().any(|o| exchange.obligations.get(*o).is_some());
    let rules = node.gate.engine();
    let _turn = if counted || rules.rule_set().has_quotas() || rules.rule_set().has_privacy_budgets() {
        Some(node.locks.lock(&usage::turn(&exchange.peer, &exchange.dataset)).await)
    } else {
        None
    };
    let operation = Operation::begin(Actor::Node, &node.clock);
    let pid = exchange.transfer.as_deref().ok_or_else(|| Error::internal("no transfer"))?;
    let row = known::<Transfer>(node, pid)?;
    let (permit, query) = match provider::permitted_now(node, &operation, exchange, &row)? {
        Ok(permitted) => permitted,
        Err(provider::No::Refusal(refusal, _)) => return Err(Error::Refused(refusal)),
        Err(provider::No::Request(_, why)) => return Err(Error::conflict(why)),
    };
    let (signed, rows) = match sealed(node, exchange, &permit).await? {
        Some(done) => done,
        // The statement commits to a manifest and so to a key. Rows made anew would have another one, and a consumer that
        // acknowledges the first could not open them.
        None if exchange.receipt_first && exchange.statement.is_some() => {
            return Err(Error::conflict(
                "the sealed rows of this exchange cannot be served any more; ask again",
            ));
        }
        None => compute(node, &operation, exchange, &permit, &query).await?,
    };
    let digest = signed.manifest.digest().map_err(Error::internal)?;
    let now = records::get::<Exchange>(&node.store, Space::Exchange, &exchange.key())?
        .map(|(exchange, _)| exchange);
    // Ended while the rows were made: its intent is closed already, and nobody waits for the rows.
    if now.is_none_or(|now| now.stage.is_final() || now.interrupted.is_some()) {
        return Ok(());
    }
    let rules = &signed.manifest.rule_set;
    let rules = ledger::statement::RuleSet { sha256: *rules.sha256.as_bytes(), version: rules.version };
    statement::permit(node, &operation, exchange, &permit, rules, digest.as_bytes()).await?;
    let made = Made { rows, bytes: signed.manifest.bytes, sha256: signed.manifest.sha256.to_string() };
    usage::count(node, exchange, &made, node.clock.now()).await
}

/// A spool that was sealed and has its manifest, from before a restart, if it still fits what is permitted now.
async fn sealed(node: &Node, exchange: &Exchange, permit: &Permit) -> Result<Option<(SignedManifest, u64)>> {
    let path = manifest::path(node, exchange);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let Ok(signed) = SignedManifest::parse(&bytes) else { return Ok(None) };
    let whole = whole(node, exchange).await?;
    let version = contracts::served_to(node, exchange)?.dataset.record.version;
    let fits =
        signed.manifest.dataset.version == version && keeps(&signed.manifest.obligations.applied, permit);
    let rows = signed.manifest.rows;
    Ok((whole && fits).then_some((signed, rows)))
}

/// Whether the chunks on the disk are those that were written: nobody synced them. What this process wrote or has
/// hashed before is not hashed again.
async fn whole(node: &Node, exchange: &Exchange) -> Result<bool> {
    let (known, folder) = (node.productions.reader(&exchange.key()), folder(node, exchange));
    let work = move || {
        let reader = known.map_or_else(|| SpoolReader::open(&folder), Ok)?;
        reader.verify().map(|()| reader)
    };
    match tokio::task::spawn_blocking(work).await.map_err(Error::internal)? {
        Ok(reader) => {
            node.productions.opened(&exchange.key(), reader);
            Ok(true)
        }
        Err(error) => {
            tracing::warn!(exchange = exchange.id, %error, "the rows have to be made again");
            Ok(false)
        }
    }
}

/// Whether rows that were made under these obligations keep what is demanded now.
pub(crate) fn keeps(made_under: &serde_json::Value, permit: &Permit) -> bool {
    let made: std::result::Result<policy::Obligations, _> = serde_json::from_value(made_under.clone());
    made.is_ok_and(|made| made.at_least(permit.obligations()))
}

/// Whether the rows of an exchange, made or being made, may be served under this permit. Rules that became stricter
/// while a transfer runs end it; the consumer asks again and gets what is allowed now.
pub fn still_fits(exchange: &Exchange, permit: &Permit) -> bool {
    keeps(&exchange.obligations, permit)
}

async fn compute(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    query: &QueryDoc,
) -> Result<(SignedManifest, u64)> {
    let served = contracts::served_to(node, exchange)?;
    let dataset = &served.dataset;
    datasets::unchanged(dataset)?;
    let (mut job, mut columns) = job::job(node, operation.now, exchange, permit, dataset, query)?;
    job::one_noise(&served, &job)?;
    let live = live_rows(node, exchange, &served, &job).await?;
    if let Some(live) = &live {
        job::no_changes(query)?;
        job.source = live.source();
    }
    let format = job.format;
    // What the rows are made under is kept before the first of them can be read.
    let obligations = serde_json::to_value(permit.obligations()).map_err(Error::internal)?;
    let chunk_bytes = exchange.chunk_bytes.unwrap_or_else(|| node.lines.chunk_bytes(&exchange.peer));
    change(node, &exchange.key(), |e| {
        e.obligations = obligations.clone();
        e.chunk_bytes = Some(chunk_bytes);
    })
    .await?;
    // A manifest that a statement commits to stays the one of the same rows.
    let before = std::fs::read(manifest::path(node, exchange)).ok();
    let folder = folder(node, exchange);
    files::remove_folder(&folder)?;
    files::make_private_dir(&folder)?;
    let key = exchange.receipt_first.then(|| sealing::draw(node, exchange)).transpose()?;
    let sealer = key.as_ref().map(|key| Sealer::new(key, &exchange.id).map_err(broken)).transpose()?;
    if let Some(private) = &permit.obligations().differential_privacy {
        privacy::spend(node, exchange, private, operation.now).await?;
    }
    let mut copy = None;
    let (summary, reader) = match sealer {
        sealer if query.since.is_some() => {
            let _place = node.views.acquire().await.map_err(Error::internal)?;
            let asked = (query, &served);
            let made = copies::make(node, operation.now, exchange, permit, asked, &folder).await?;
            let cut = copied(node, exchange, &made, &folder, chunk_bytes, sealer).await?;
            (columns, copy) = (made.columns, Some(made.copy));
            cut
        }
        Some(sealer) => view(node, job, &folder, chunk_bytes, |writer| writer.sealed(sealer), |_| ()).await?,
        None => clear(node, exchange, dataset, job, &folder, chunk_bytes, live.is_some()).await?,
    };
    let bytes = summary.chunks.iter().map(|chunk| chunk.len).fold(0, u64::saturating_add);
    if permit.left().bytes.is_some_and(|left| bytes > left) {
        return Err(Error::Refused(Box::new(usage::too_much(bytes))));
    }
    // What was described must be what was read: a file that changed under the view makes no manifest.
    if live.is_none() {
        datasets::unchanged(dataset)?;
    }
    let sealed = key.as_ref().map(|key| escrow::announce(node, exchange, key)).transpose()?;
    let is_sealed = sealed.is_some();
    let more = (sealed, copy, served.superseded.clone());
    let signed = manifest::sign(node, operation, exchange, permit, dataset, format, columns, &summary, more)?;
    let signed = match before.and_then(|bytes| manifest::again(&bytes, &signed)) {
        Some(before) => before,
        // A statement commits to the rows from before, and the consumer could not open it with these.
        None if exchange.statement.is_some() => {
            return Err(Error::conflict(
                "the rows of this exchange are not there any more, and other ones are; ask again",
            ));
        }
        None => signed,
    };
    files::write_atomic(&manifest::path(node, exchange), &signed.to_bytes().map_err(Error::internal)?)?;
    if let Some(live) = &live {
        live.done();
    }
    if is_sealed {
        node.productions.opened(&exchange.key(), reader);
    }
    Ok((signed, summary.rows))
}

/// What a live source gives for this answer. Rows of an older contract are kept ones.
pub(crate) async fn live_rows(
    node: &Arc<Node>,
    exchange: &Exchange,
    served: &contracts::Served,
    job: &Job,
) -> Result<Option<live::Reading>> {
    if served.number.is_some() || live::described(node, &served.dataset)?.is_none() {
        return Ok(None);
    }
    // Logins to origins are bounded by the places for views.
    let _place = node.views.acquire().await.map_err(Error::internal)?;
    live::read(node, &served.dataset, job, live_folder(node, exchange)).await
}

/// The rows in clear: those of an earlier transfer if they are the same, else made now. One of a shape is made at a
/// time, so that a hundred who ask at once cost one view.
async fn clear(
    node: &Arc<Node>,
    exchange: &Exchange,
    dataset: &datasets::Dataset,
    job: Job,
    folder: &Path,
    chunk_bytes: u64,
    is_live: bool,
) -> Result<(Arc<SpoolSummary>, SpoolReader)> {
    // What could not be made a second time outlives a power cut.
    let durable = is_live || !job.repeats();
    let spool = node.dir.join("spool");
    let shape = shared::shape(dataset, &job, chunk_bytes);
    let _turn = match &shape {
        Some(shape) => Some(node.locks.lock(format!("shape/{shape}").as_bytes()).await),
        None => None,
    };
    if let Some(shape) = &shape {
        let (owner, spool, shape, folder) = (node.clone(), spool.clone(), shape.clone(), folder.to_owned());
        let work = move || owner.productions.shapes.adopt(&spool, &shape, &folder);
        let adopted = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
        if let Some((reader, summary)) = adopted.and_then(|reader| Some((reader.clone(), reader.summary()?)))
        {
            node.productions.opened(&exchange.key(), reader.clone());
            return Ok((summary, reader));
        }
    }
    let made = view(
        node,
        job,
        folder,
        chunk_bytes,
        |writer| if durable { writer.durable() } else { writer },
        |reader| {
            node.productions.opened(&exchange.key(), reader.clone());
        },
    );
    let (summary, reader) = made.await?;
    if let Some(shape) = &shape {
        node.productions.shapes.note(&spool, shape, folder, reader.clone());
    }
    Ok((summary, reader))
}

/// Cuts a copy, or the changes to one, into a spool.
async fn copied(
    node: &Arc<Node>,
    exchange: &Exchange,
    made: &copies::Made,
    folder: &Path,
    chunk_bytes: u64,
    sealer: Option<Sealer>,
) -> Result<(Arc<SpoolSummary>, SpoolReader)> {
    let (writer, reader) = ChunkWriter::create(folder, chunk_bytes).map_err(broken)?;
    let writer = match sealer {
        Some(sealer) => writer.sealed(sealer),
        None => {
            node.productions.opened(&exchange.key(), reader.clone());
            writer
        }
    };
    Ok((copies::spool(made, writer).await?, reader))
}

/// Computes a view into a spool; `begun` hears of its reader before the first chunk.
async fn view(
    node: &Arc<Node>,
    job: Job,
    folder: &Path,
    chunk_bytes: u64,
    prepare: impl FnOnce(ChunkWriter) -> ChunkWriter,
    begun: impl FnOnce(&SpoolReader),
) -> Result<(Arc<SpoolSummary>, SpoolReader)> {
    let _place = node.views.acquire().await.map_err(Error::internal)?;
    let (writer, reader) = ChunkWriter::create(folder, chunk_bytes).map_err(broken)?;
    let writer = prepare(writer);
    begun(&reader);
    let answer = dataplane::run(job).await.map_err(broken)?;
    let summary = dataplane::spool(answer, writer).await.map_err(broken)?;
    Ok((summary, reader))
}
