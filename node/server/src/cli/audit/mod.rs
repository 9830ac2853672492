//! The auditor's verbs: words to places and keys, reports to text. What is checked and how is in `crate::audit`.

mod query;
pub mod reading;
mod text;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certs::NodeKeys;
use ledger::timestamp::Roots;
use ledger::{KeyName, Signer};
use serde_json::{Value, json};
use tokio::runtime::Handle;

pub use self::query::query;
use self::reading::Read;
use super::client::Client;
use super::ledger_args::{AccessArgs, ExportArgs, PlaceArgs, ReconcileArgs, WatchArgs};
use super::out::{Out, say};
use crate::audit::bundle::write::{Order, Plan};
use crate::audit::filter::Period;
use crate::audit::place::{Access, Opened, Place};
use crate::audit::{bundle, check, reconcile as both, watch as monitor};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::files;
use crate::operation::Clock;

/// Environment variable with the bearer token.
const TOKEN_VARIABLE: &str = "TRAM_LEDGER_TOKEN";
/// Longest token, bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// Longest file of certificates, bytes: the system's own has a quarter of that.
const ROOTS_BYTES_MAX: usize = 1 << 20;

/// The token comes from a file or the environment: a command line is seen by every user of the machine.
fn access(args: &AccessArgs) -> Result<Access> {
    let token = match &args.token_file {
        Some(path) => {
            Some(String::from_utf8_lossy(&files::read_limited(path, TOKEN_BYTES_MAX)?).into_owned())
        }
        None => std::env::var(TOKEN_VARIABLE).ok(),
    };
    let token = token.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    if token.as_ref().is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
        return Err(Error::usage(format!(
            "the token is over {TOKEN_BYTES_MAX} bytes; it is not the right file"
        )));
    }
    let policy = args.policy.as_deref().map(super::witness::policy_of).transpose()?;
    let mut vkeys = args.vkey.clone();
    if let Some(policy) = &policy {
        vkeys.extend(policy.logs().iter().map(|log| log.key.to_string()));
        vkeys.extend(policy.witnesses().iter().map(|witness| witness.key.to_string()));
    }
    Ok(Access {
        witnessed: false,
        keys: args.keys.clone(),
        vkeys,
        ca: args.ca.clone(),
        stamps: args.stamp_roots.as_deref().map(roots).transpose()?,
        policy: policy.map(Arc::new),
        max_age: args.max_age.map(|hours| hours.saturating_mul(3_600)),
        archive: args.archive.clone(),
        token,
        handle: Handle::current(),
    })
}

fn roots(path: &Path) -> Result<Arc<Roots>> {
    let bytes = files::read_limited(path, ROOTS_BYTES_MAX)?;
    let roots = Roots::from_pem(&bytes).map_err(|e| Error::usage(format!("`{}`: {e}", path.display())))?;
    Ok(Arc::new(roots))
}

fn place(dir: &Path, place: Option<&str>) -> Result<Place> {
    match place {
        Some(text) => Place::find(text),
        // What is wrong with a node's folder is told by who reads it.
        None => Ok(Place::Node(dir.to_owned())),
    }
}

/// What is left out must be known, or its absence would look like an answer.
fn tell_archived(log: &Opened) {
    if log.archived > 0 {
        say(&format!(
            "tram: {}: {} mục đầu nằm trong kho lưu trữ và không được đọc; thêm --archive THƯ-MỤC / the first {} entries are in \
             an archive and were not read; give its folder with --archive DIR",
            log.place, log.archived, log.archived
        ));
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// `tram ledger verify`
pub async fn verify(dir: &Path, args: PlaceArgs, out: Out) -> Result<u8> {
    let (place, access) = (place(dir, args.place.as_deref())?, access(&args.access)?);
    let report = match blocking(move || check::check(&place, &access)).await {
        // A source that does not fit before its entries can be read is a verdict, too.
        Err(Error::Verification(problem)) => json!({"ok": false, "problem": problem}),
        other => other?,
    };
    let sound = report["ok"] == json!(true);
    out.result(&report, text::report);
    if !sound {
        say(&format!("tram: the ledger does not verify: {}", super::out::text(&report, "problem")));
    }
    Ok(if sound { 0 } else { 4 })
}

/// `tram ledger export`
pub async fn export(dir: &Path, args: ExportArgs, out: Out) -> Result<u8> {
    let open = args.open.iter().map(|name| {
        bundle::field(name).ok_or_else(|| {
            Error::usage(format!(
                "`{name}` is no field of an entry; fields are request, response, user, subject, case"
            ))
        })
    });
    for text in [Some(&args.made_for), args.purpose.as_ref()].into_iter().flatten() {
        if text.chars().any(char::is_control) {
            return Err(Error::usage("--for and --purpose are one line of text without control characters"));
        }
    }
    if args.out.exists() {
        return Err(Error::usage(format!("`{}` is there already; choose another name", args.out.display())));
    }
    let order = Order {
        made_for: args.made_for.clone(),
        purpose: args.purpose.clone(),
        period: Period::parse(&args.period)?,
        exchanges: args.exchange.clone(),
        open: open.collect::<Result<_>>()?,
    };
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = export_with(&client, dir, order, &args).await;
    client.close().await;
    out.result(&done?, text::exported);
    Ok(0)
}

/// The ledger says that the file is given before it is.
async fn export_with(client: &Client, dir: &Path, order: Order, args: &ExportArgs) -> Result<Value> {
    let own = Access { archive: args.archive.clone(), ..Access::plain(Handle::current()) };
    let folder = dir.to_owned();
    let (log, plan) = blocking(move || {
        let place = Place::Node(folder.clone());
        let log = Opened::open(&place, &own)?;
        tell_archived(&log);
        let plan = Plan::make(&folder, &log, order.clone())?;
        // Under the word of the node's witnesses, when that covers what is asked for.
        let vouched = Opened::open(&place, &Access { witnessed: true, ..own })?;
        if vouched.reader.size() < plan.span().1 {
            return Ok((log, plan));
        }
        let plan = Plan::make(&folder, &vouched, order)?;
        Ok((vouched, plan))
    })
    .await?;
    let (from, to) = plan.span();
    let (entries, opened, stamps) = (plan.entries(), plan.opened(), plan.stamps());
    let told = json!({"reader": args.made_for, "action": "export", "purpose": args.purpose, "from": from, "to": to,
        "opened": opened});
    let recorded = client.post("/v1/ledger/reads", &told).await?;
    let keys = NodeKeys::load(&dir.join("keys")).map_err(|e| Error::usage(e.to_string()))?;
    let name = KeyName::new(&log.owner()).map_err(Error::internal)?;
    let signer = Signer::new(name, keys.signing.clone());
    let (path, now) = (args.out.clone(), Clock::system().now());
    let manifest = blocking(move || plan.write(&log, &signer, now, &path)).await?;
    Ok(json!({"file": args.out.display().to_string(), "for": manifest.made_for, "origin": manifest.origin,
        "size": manifest.size, "entries": entries, "opened": opened, "time_stamps": stamps,
        "unreadable": manifest.unreadable, "recorded": recorded["index"]}))
}

/// `tram ledger reconcile`
pub async fn reconcile(args: ReconcileArgs, out: Out) -> Result<u8> {
    let (a, b) = (Place::find(&args.a)?, Place::find(&args.b)?);
    let period = args.period.as_deref().map_or_else(|| Period::new(None, None), Period::parse)?;
    let access = access(&args.access)?;
    let opened = blocking(move || Ok([Opened::open(&a, &access)?, Opened::open(&b, &access)?])).await?;
    let read = Read { act: "reconcile", reader: args.reader, own: false };
    for log in &opened {
        tell_archived(log);
        read.record(&log.place, 0, log.reader.size()).await?;
    }
    let found = blocking(move || both::reconcile(&opened[0], &opened[1], &period)).await?;
    out.result(&found, text::reconciled);
    Ok(if found["ok"] == json!(true) { 0 } else { 4 })
}

/// `tram ledger watch`
pub async fn watch(args: WatchArgs, out: Out) -> Result<u8> {
    let (place, access) = (Place::find(&args.place)?, access(&args.access)?);
    let state = args.state.clone().unwrap_or_else(|| monitor::state_file(&place));
    let state = std::path::absolute(&state).map_err(|e| Error::io(&state, e))?;
    let read = Read { act: "watch", reader: args.reader.clone(), own: false };
    loop {
        let (p, a, s, read) = (place.clone(), access.clone(), state.clone(), read.clone());
        let round = blocking(move || {
            let recorded = |size| a.handle.block_on(read.record(&p, 0, size));
            monitor::round(&p, &a, &s, recorded, |entry| line(entry, out))
        })
        .await;
        match round {
            Ok(monitor::Round::Grown(told)) => {
                // Without --once a silent round says nothing.
                if args.once || told["new"] != json!(0) {
                    out.result(&told, text::grown);
                }
            }
            Ok(monitor::Round::Conflict(told)) => {
                out.result(&told, text::conflict);
                say(&format!("tram: {}", text::conflict(&told)));
                return Ok(4);
            }
            // A line or a node that is down comes back; what does not verify, or is asked wrongly, does not.
            Err(error @ (Error::Unreachable(_) | Error::Unavailable(_) | Error::Io { .. })) if !args.once => {
                say(&format!("tram: {error}; trying again in {} s", args.interval));
            }
            Err(error) => return Err(error),
        }
        if args.once {
            return Ok(0);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(args.interval)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(0),
        }
    }
}

fn line(entry: &Value, out: Out) {
    let line = if out.json { entry.to_string() } else { text::entry(entry) };
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
