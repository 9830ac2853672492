//! A node's local door, as an application uses it, and what its process has used up.

use std::io;

use serde_json::Value;

use crate::{TestNode, door};

/// Clock ticks a second in `/proc/PID/stat` (`USER_HZ`): 100 on every Linux that this runs on.
const TICKS_PER_S: f64 = 100.0;

/// One call of the local door.
///
/// # Errors
/// The socket's, or an answer that is no JSON.
pub fn call(node: &TestNode, method: &str, path: &str, body: &str) -> io::Result<Value> {
    serde_json::from_slice(&door::ask(node, method, path, body)?.body).map_err(io::Error::other)
}

/// Seconds of processor time that a node has used; 0 of one that does not run.
pub fn cpu_s(node: &TestNode) -> f64 {
    let stat = node.pid().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    // The name, in brackets, may hold spaces: count from behind it. User and system time are fields 14 and 15.
    let ticks = stat.as_deref().and_then(|stat| stat.rsplit_once(") ")).map(|(_, rest)| {
        rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
    });
    ticks.unwrap_or(0.0) / TICKS_PER_S
}

/// The machine's load, mean of the last minute: whoever else works on it is in every figure by the clock.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}
