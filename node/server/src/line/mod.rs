//! The lines to peers: what people set about them ([`settings`]), how fast data may go ([`pace`]), how fast it went, what
//! follows from that for the size of chunks, when big transfers may go ([`hours`]), and what waits ([`waiting`]).
//!
//! What this is not: transport. Requests go out in [`crate::outbound`] and come in by [`crate::peer`]; both ask here.

pub mod hours;
pub mod pace;
mod rates;
pub mod settings;
pub mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::pace::Pacer;
use self::settings::Settings;
use crate::error::Result;
use crate::limits;

/// Says in a request that the sender wants few bytes; it is a wish and no claim, so nothing hangs on its being signed.
pub const LOW_DATA_HEADER: &str = "tram-low-data";
/// Bodies below this size tell about round trips and not about the rate, bytes.
const MEASURED_BYTES_MIN: u64 = 32 << 10;
/// How much the newest measurement counts, of 4.
const NEWEST_WEIGHT: u64 = 1;
/// How long one chunk should take over a slow line: what is lost when a line dies in the middle of it.
const CHUNK_SECONDS: u64 = 30;

/// How often measured rates are kept, seconds: each time is a write to the disk.
const KEEP_SECONDS: i64 = 600;

/// What a low-data line is spared, with the pause between two times, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spared {
    /// This node's newest checkpoint in a message: some 500 bytes each.
    Checkpoint,
    /// The whole catalog of a peer, when all peers are asked: one named by a person is always asked.
    Catalog,
}

impl Spared {
    fn pause_seconds(self) -> i64 {
        match self {
            Self::Checkpoint => 600,
            Self::Catalog => 86_400,
        }
    }
}

/// Which way data goes, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From here to a peer.
    Serve,
    /// From a peer to here.
    Fetch,
}

/// Caps that are in force, for one peer or for all.
type Pacers = HashMap<(Way, Option<String>), Arc<Pacer>>;

/// All lines of a node.
#[derive(Debug)]
pub struct Lines {
    settings: ArcSwap<Settings>,
    pacers: Mutex<Pacers>,
    /// Bytes a second as measured.
    measured: Mutex<HashMap<(Way, String), u64>>,
    /// Whether something was measured since the rates were kept, and when that was, Unix seconds.
    unkept: AtomicBool,
    kept: AtomicI64,
    /// What each peer's newest request said of low data.
    wishes: Mutex<HashMap<String, bool>>,
    /// When what is spared was last sent, Unix seconds.
    sent: Mutex<HashMap<(Spared, String), i64>>,
}

impl Lines {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            pacers: Mutex::default(),
            measured: Mutex::default(),
            unkept: AtomicBool::new(false),
            kept: AtomicI64::new(0),
            wishes: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// What is set.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Changes what is set: on disk, and from now on.
    pub fn set(&self, dir: &std::path::Path, settings: Settings) -> Result<()> {
        settings.write(dir)?;
        self.settings.store(Arc::new(settings));
        // Whoever is being paced finishes its piece at the old pace; the next one asks for the new.
        lock(&self.pacers).clear();
        Ok(())
    }

    /// Whether few bytes are to go to and from this peer: this node's own setting, or the peer's wish.
    pub fn low_data(&self, peer: &str) -> bool {
        self.settings.load().low_data(peer) || lock(&self.wishes).get(peer).copied().unwrap_or(false)
    }

    /// When big transfers may be fetched from this peer; at any time where nothing is set.
    pub fn big(&self, peer: &str) -> Option<hours::Big> {
        self.settings.load().big(peer)
    }

    /// What a peer's request says.
    pub fn heard(&self, peer: &str, headers: &http::HeaderMap) {
        let low = headers.contains_key(LOW_DATA_HEADER);
        let mut wishes = lock(&self.wishes);
        if low {
            wishes.insert(peer.to_owned(), true);
        } else {
            wishes.remove(peer);
        }
    }

    /// Whether this may go to or come from a peer now; always where low-data mode is off.
    pub fn may(&self, what: Spared, peer: &str, now: i64) -> bool {
        let last = lock(&self.sent).get(&(what, peer.to_owned())).copied();
        !self.low_data(peer) || last.is_none_or(|last| now.saturating_sub(last) >= what.pause_seconds())
    }

    /// Notes that it went or came.
    pub fn went(&self, what: Spared, peer: &str, now: i64) {
        lock(&self.sent).insert((what, peer.to_owned()), now);
    }

    /// Waits until so many bytes may go: by the cap for all, and by the one for this peer.
    pub async fn wait(&self, way: Way, peer: &str, bytes: usize) {
        for pacer in self.pacers(way, peer) {
            pacer.wait(bytes).await;
        }
    }

    /// The cap on data that goes this way, bytes a second.
    pub fn cap(&self, way: Way, peer: &str) -> Option<u64> {
        self.pacers(way, peer).iter().map(|pacer| pacer.rate()).min()
    }

    fn pacers(&self, way: Way, peer: &str) -> Vec<Arc<Pacer>> {
        let settings = self.settings.load();
        let cap = |limits: &settings::Limits| match way {
            Way::Serve => limits.serve_bytes_per_second,
            Way::Fetch => limits.fetch_bytes_per_second,
        };
        let own = settings.peers.get(peer).and_then(cap).map(|cap| ((way, Some(peer.to_owned())), cap));
        let caps = [cap(&settings.all).map(|cap| ((way, None), cap)), own];
        let mut pacers = lock(&self.pacers);
        let one = |(key, cap)| pacers.entry(key).or_insert_with(|| Arc::new(Pacer::new(cap))).clone();
        caps.into_iter().flatten().map(one).collect()
    }

    /// Takes up what was measured before a restart.
    pub fn recall(&self, dir: &std::path::Path, now: i64) {
        lock(&self.measured).extend(rates::Rates::read(dir, now));
    }

    /// Keeps what was measured, if anything was and it was not done a short while ago; with `leaving` in any case.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn keep(&self, dir: &std::path::Path, now: i64, leaving: bool) -> Result<()> {
        let recent = now.saturating_sub(self.kept.load(Ordering::Relaxed)) < KEEP_SECONDS;
        if (recent && !leaving) || !self.unkept.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.kept.store(now, Ordering::Relaxed);
        let rates = rates::Rates::of(lock(&self.measured).iter(), now);
        rates.write(dir)
    }

    /// Takes down how long so many bytes took.
    pub fn measure(&self, way: Way, peer: &str, bytes: u64, took: Duration) {
        if bytes < MEASURED_BYTES_MIN {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = (bytes.saturating_mul(1_000_000) / micros).max(1);
        self.unkept.store(true, Ordering::Relaxed);
        let mut measured = lock(&self.measured);
        let known = measured.entry((way, peer.to_owned())).or_insert(rate);
        *known = (*known / 4 * (4 - NEWEST_WEIGHT)).saturating_add(rate / 4 * NEWEST_WEIGHT).max(1);
    }

    /// Bytes a second as last measured, never more than the caps that are set.
    pub fn rate(&self, way: Way, peer: &str) -> Option<u64> {
        let measured = lock(&self.measured).get(&(way, peer.to_owned())).copied();
        match (measured, self.cap(way, peer)) {
            (Some(measured), Some(cap)) => Some(measured.min(cap)),
            (one, other) => one.or(other),
        }
    }

    /// Size of the chunks that are cut for this peer, bytes: smallest in low-data mode, else what its line brings in half a
    /// minute, within what exchange allows; the usual size while nothing is known of the line.
    pub fn chunk_bytes(&self, peer: &str) -> u64 {
        let smallest = dataplane::limits::CHUNK_BYTES_MIN;
        let usual = limits::CHUNK_BYTES as u64;
        if self.low_data(peer) {
            return smallest;
        }
        let Some(rate) = self.rate(Way::Serve, peer) else { return usual };
        let fits = rate.saturating_mul(CHUNK_SECONDS);
        // A power of two, so that the same data is cut alike for peers with lines that are nearly alike.
        let mut bytes = usual;
        while bytes > fits && bytes > smallest {
            bytes /= 2;
        }
        bytes.max(smallest)
    }
}

/// Whoever panicked with one of these maps in hand left it whole: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "urn:agency:vn:b";

    fn lines(text: &str) -> Lines {
        Lines::new(Settings::parse(text).unwrap())
    }

    #[test]
    fn chunks_are_as_large_as_the_line_brings_in_half_a_minute() {
        let lines = lines("");
        assert_eq!(lines.chunk_bytes(PEER), 4 << 20, "nothing is known of the line");
        for (bytes, seconds, wanted) in [
            (8_000_000, 1, 4 << 20),
            (1_000_000, 20, 1 << 20),
            (64_000, 8, 256 << 10),
            (40_000, 400, 256 << 10),
        ] {
            lines.measured.lock().unwrap().clear();
            lines.measure(Way::Serve, PEER, bytes, Duration::from_secs(seconds));
            assert_eq!(lines.chunk_bytes(PEER), wanted, "{bytes} bytes in {seconds} s");
        }
        lines.measure(Way::Serve, PEER, 1_000, Duration::from_secs(1_000));
        assert_eq!(lines.rate(Way::Serve, PEER), Some(100), "a small answer says nothing of the rate");
        assert_eq!(lines.rate(Way::Fetch, PEER), None, "the other way was not measured");
    }

    #[test]
    fn what_was_measured_outlives_a_restart_and_what_is_old_or_damaged_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("run/rates.json");
        std::fs::create_dir(dir.path().join("run")).unwrap();
        let (before, now) = (lines(""), 1_000_000_000);
        before.keep(dir.path(), now, true).unwrap();
        assert!(!file.exists(), "nothing was measured");
        before.measure(Way::Serve, PEER, 64_000, Duration::from_secs(8));
        before.keep(dir.path(), now, false).unwrap();
        // Measured again at once: not written for each chunk, and when the node stops.
        before.measure(Way::Fetch, PEER, 1_000_000, Duration::from_secs(1));
        before.keep(dir.path(), now + 1, false).unwrap();
        let after = |now: i64| {
            let lines = lines("");
            lines.recall(dir.path(), now);
            (lines.rate(Way::Serve, PEER), lines.rate(Way::Fetch, PEER), lines.chunk_bytes(PEER))
        };
        assert_eq!(after(now + 5), (Some(8_000), None, 256 << 10));
        before.keep(dir.path(), now + 2, true).unwrap();
        assert_eq!(after(now + 5), (Some(8_000), Some(1_000_000), 256 << 10));
        assert_eq!(after(now + 31 * 86_400), (None, None, 4 << 20), "too old");
        assert_eq!(after(now - 60), (None, None, 4 << 20), "of a clock that was wrong");
        for damaged in ["", "{", r#"{"at": 1000000000, "serve": {"urn:agency:vn:b": 0}, "fetch": {}}"#] {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(after(now + 5).0, None, "{damaged}");
        }
    }

    #[test]
    fn low_data_is_this_nodes_setting_or_the_peers_wish() {
        let lines = lines("[peers.\"urn:agency:vn:c\"]\nlow_data = true\n");
        assert_eq!((lines.chunk_bytes("urn:agency:vn:c"), lines.chunk_bytes(PEER)), (256 << 10, 4 << 20));
        let mut headers = http::HeaderMap::new();
        headers.insert(LOW_DATA_HEADER, http::HeaderValue::from_static("1"));
        lines.heard(PEER, &headers);
        assert_eq!(lines.chunk_bytes(PEER), 256 << 10);
        lines.heard(PEER, &http::HeaderMap::new());
        assert_eq!(lines.chunk_bytes(PEER), 4 << 20, "the newest request counts");
    }

    #[test]
    fn a_low_data_line_is_spared_what_went_a_short_while_ago() {
        let lines = lines("[peers.\"urn:agency:vn:b\"]\nlow_data = true\n");
        for peer in [PEER, "urn:agency:vn:c"] {
            assert!(lines.may(Spared::Checkpoint, peer, 1_000));
            lines.went(Spared::Checkpoint, peer, 1_000);
        }
        assert!(!lines.may(Spared::Checkpoint, PEER, 1_599) && lines.may(Spared::Checkpoint, PEER, 1_600));
        assert!(lines.may(Spared::Checkpoint, "urn:agency:vn:c", 1_001), "low-data mode is off there");
        assert!(lines.may(Spared::Catalog, PEER, 1_001), "one thing says nothing of the other");
    }

    #[test]
    fn a_cap_is_what_can_be_expected_when_the_line_is_faster() {
        let lines = lines(
            "[all]\nfetch_bytes_per_second = 50000\n[peers.\"urn:agency:vn:b\"]\nfetch_bytes_per_second = 20000\n",
        );
        assert_eq!(lines.rate(Way::Fetch, PEER), Some(20_000));
        lines.measure(Way::Fetch, PEER, 1_000_000, Duration::from_secs(1));
        assert_eq!(lines.rate(Way::Fetch, PEER), Some(20_000));
        assert_eq!(lines.rate(Way::Fetch, "urn:agency:vn:c"), Some(50_000));
        assert_eq!(lines.cap(Way::Serve, PEER), None);
    }
}
