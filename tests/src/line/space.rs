//! Network namespaces by `ip netns`, named after the process that made them, so that what a killed test left behind is found
//! and taken away by the next one.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Begins the name of every namespace made here; the process id follows.
const PREFIX: &str = "tram-line-";

/// One network namespace.
#[derive(Debug)]
pub struct Space {
    name: String,
    address: &'static str,
    device: String,
}

impl Space {
    /// Two new ones, each with its loopback up. Addresses are the same for every pair: nobody else is in there.
    pub(super) fn pair() -> Result<[Self; 2], String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let make = |end: &str, address| {
            let pid = std::process::id();
            let space = Self {
                name: format!("{PREFIX}{pid}-{number}{end}"),
                address,
                // An interface has at most 15 characters.
                device: format!("tl{pid}x{number}{end}"),
            };
            ip(&["netns", "add", &space.name])?;
            ip(&["-n", &space.name, "link", "set", "lo", "up"])?;
            Ok::<_, String>(space)
        };
        Ok([make("a", "10.77.0.1")?, make("b", "10.77.0.2")?])
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of this end.
    pub fn address(&self) -> &'static str {
        self.address
    }

    /// The interface that leads to the other end.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// Takes an interface of the machine's own into this namespace, gives it the address and puts it up.
    pub(super) fn take(&self) -> Result<(), String> {
        let address = format!("{}/30", self.address);
        ip(&["link", "set", &self.device, "netns", &self.name])?;
        ip(&["-n", &self.name, "addr", "add", &address, "dev", &self.device])?;
        ip(&["-n", &self.name, "link", "set", &self.device, "mtu", "1400", "up"])
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Takes away the namespaces of processes that are gone, with whatever still runs in them.
pub(super) fn sweep() -> Result<(), String> {
    for name in ours()? {
        let pid = name.trim_start_matches(PREFIX).split('-').next().unwrap_or_default();
        if !std::path::Path::new("/proc").join(pid).exists() {
            remove(&name);
        }
    }
    Ok(())
}

/// The namespaces that were made here, by any process.
pub(super) fn ours() -> Result<Vec<String>, String> {
    let listed = run(Command::new("ip").args(["netns", "list"]))?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| name.starts_with(PREFIX)).map(str::to_owned).collect())
}

/// Best effort: a namespace that can't go now is found by the next sweep.
fn remove(name: &str) {
    let within = run(Command::new("ip").args(["netns", "pids", name])).unwrap_or_default();
    for pid in within.split_whitespace() {
        let _gone_already = run(Command::new("kill").args(["-9", pid]));
    }
    let _swept_later = ip(&["netns", "del", name]);
}

/// `ip` with these words.
pub(super) fn ip(words: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(words)).map(|_| ())
}

/// Runs a command; its output, or the whole of what went wrong as one text.
pub(super) fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?} did not start ({error}); install iproute2"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
