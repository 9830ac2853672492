//! Who asks, when, and under which correlation id: the value that goes along with every deed.
//!
//! Time and randomness enter the program here and nowhere deeper, so that everything below can be tested.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where "now" comes from: the system's clock in the program, a fixed one in tests.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The system's clock, Unix seconds. A clock before 1970 counts as 0.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        }))
    }

    /// A clock for tests.
    pub fn from_fn(f: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// Unix seconds now.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// On whose behalf something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A participant of the federation, as the mutual TLS and the message signature say.
    Peer(certs::ParticipantId),
    /// Somebody of this agency, through the local door or the command line.
    Local,
    /// The node itself: recovery, workers.
    Node,
}

/// One operation: passed to everything that acts.
#[derive(Debug, Clone)]
pub struct Operation {
    /// On whose behalf.
    pub actor: Actor,
    /// Unix seconds at which it began; the only "now" that a decision sees.
    pub now: i64,
    /// Id that ties answers, logs and problems together (a ULID).
    pub correlation: String,
}

impl Operation {
    /// Opens an operation now.
    pub fn begin(actor: Actor, clock: &Clock) -> Self {
        Self { actor, now: clock.now(), correlation: ulid::Ulid::generate().to_string() }
    }
}

/// Waits until a node is told to stop.
pub async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    // A sender that is gone says stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Unix seconds as RFC 3339 in UTC; `-` for a moment that no calendar holds.
pub fn rfc3339(unix: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(unix)
        .ok()
        .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| "-".to_owned())
}

/// A date (its beginning, UTC) or a time in RFC 3339, as Unix seconds.
pub fn read_time(text: &str) -> Result<i64, crate::Error> {
    let midnight = format!("{text}T00:00:00Z");
    let read = |text: &str| time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
    read(&midnight).or_else(|_| read(text)).map(time::OffsetDateTime::unix_timestamp).map_err(|_| {
        crate::Error::usage(format!("`{text}` is no date; write 2026-11-23 or 2026-11-23T08:00:00+07:00"))
    })
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], crate::Error> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| crate::Error::internal(format!("the operating system gave no random bytes: {e}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_rfc3339_in_utc() {
        assert_eq!(rfc3339(1_790_000_000), "2026-09-21T14:13:20Z");
        assert_eq!(rfc3339(i64::MAX), "-");
    }
}
