//! One agency's node: a folder, two ports, a process. It is killed when it goes out of scope; if the test is failing, the
//! end of its log is printed first.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{clean, program};
use crate::line::Space;
use crate::{Output, Running, free_port, rss_bytes};

/// Longest wait for a node to be ready, or to end when asked to.
const NODE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a waiting test looks.
const POLL: Duration = Duration::from_millis(30);
/// How often it knocks at a door of a starting node.
const DOOR_POLL: Duration = Duration::from_millis(1);
/// How much of a log a failing test prints, characters.
const LOG_SHOWN: usize = 6_000;

/// A node that a test owns.
#[derive(Debug)]
pub struct TestNode {
    id: String,
    folder: TempDir,
    peer_port: u16,
    local_port: u16,
    /// Where its public door is; none when it has none.
    public_port: Option<u16>,
    /// The namespace in which it and its commands run, with its address there; this machine's own otherwise.
    space: Option<(String, &'static str)>,
    /// `TRAM_LOG` of the process.
    log_filter: Option<&'static str>,
    process: Option<Child>,
    start_time: Duration,
}

impl TestNode {
    /// `tram init` in a new folder; nothing runs yet.
    #[track_caller]
    pub fn init(id: &str, name: &str) -> Self {
        Self::init_in(id, name, None, None)
    }

    /// A node with a public door on loopback, serving.
    #[track_caller]
    pub fn up_public(id: &str, name: &str) -> Self {
        let mut node = Self::init_in(id, name, None, Some(free_port()));
        node.start();
        node
    }

    /// Base URL of its public door, without a trailing slash.
    #[track_caller]
    pub fn public_url(&self) -> String {
        let port = self.public_port.unwrap_or_else(|| panic!("`{}` has no public door", self.id));
        format!("http://127.0.0.1:{port}")
    }

    /// The same at one end of a [`crate::line::Line`]: the node and every command on it run in that namespace.
    #[track_caller]
    pub fn init_at(id: &str, name: &str, end: &Space) -> Self {
        Self::init_in(id, name, Some((end.name().to_owned(), end.address())), None)
    }

    #[track_caller]
    fn init_in(
        id: &str,
        name: &str,
        space: Option<(String, &'static str)>,
        public_port: Option<u16>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let (peer_port, local_port) = (free_port(), free_port());
        let node = Self {
            id: id.into(),
            folder,
            peer_port,
            local_port,
            public_port,
            space,
            log_filter: None,
            process: None,
            start_time: Duration::ZERO,
        };
        let (peer, local) = (node.peer_address(), node.local_address());
        let public = public_port.map(|port| format!("127.0.0.1:{port}"));
        let mut words = vec!["init", "--id", id, "--name", name, "--listen", &peer, "--local", &local];
        words.extend(public.iter().flat_map(|address| ["--public", address.as_str()]));
        node.ok(&words);
        node
    }

    /// `tram init`, `tram serve`, and the wait until it is ready.
    #[track_caller]
    pub fn up(id: &str, name: &str) -> Self {
        let mut node = Self::init(id, name);
        node.start();
        node
    }

    /// What it logs from its next start on, as `TRAM_LOG` says it.
    pub fn log_as(&mut self, filter: &'static str) {
        self.log_filter = Some(filter);
    }

    /// `tram serve`, and the wait until `tram status` says yes. The log goes on where it was.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "`{}` runs already", self.id);
        let log = || -> File {
            let opened = OpenOptions::new().create(true).append(true).open(self.log_file());
            opened.unwrap_or_else(|error| panic!("the log can't be written: {error}"))
        };
        let mut command = clean(program(self.space_name()));
        if let Some(filter) = self.log_filter {
            command.env("TRAM_LOG", filter);
        }
        let child =
            command.args(self.words(&["serve"])).stdin(Stdio::null()).stdout(log()).stderr(log()).spawn();
        self.process = Some(child.unwrap_or_else(|error| panic!("`tram serve` did not start: {error}")));
        self.wait_ready();
    }

    /// Doors open last, so a door that accepts is the moment to take the time; `status` then says whether all is well.
    #[track_caller]
    fn wait_ready(&mut self) {
        let started = Instant::now();
        // The loopback of another namespace is not ours to knock at.
        while self.space.is_none() && TcpStream::connect((Ipv4Addr::LOCALHOST, self.local_port)).is_err() {
            self.check_starting(started);
            thread::sleep(DOOR_POLL);
        }
        self.start_time = started.elapsed();
        while self.cmd(&["status", "--json"]).code != 0 {
            self.check_starting(started);
            thread::sleep(POLL);
        }
    }

    /// Panics when the node ended, or takes too long.
    #[track_caller]
    fn check_starting(&mut self, started: Instant) {
        let ended = self.process.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            self.process = None;
            panic!("`{}` ended while starting ({status}):\n{}", self.id, self.log_tail());
        }
        assert!(started.elapsed() < NODE_TIMEOUT, "`{}` is not ready:\n{}", self.id, self.log_tail());
    }

    /// How long the last start took, from the process to the first connection that its local door accepted.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// `kill -9`: no farewell, as at a power cut of the process.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
    }

    /// A polite end (SIGTERM), and the exit code it gave.
    ///
    /// # Panics
    /// When it does not end in a minute.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        let Some(mut child) = self.process.take() else { panic!("`{}` does not run", self.id) };
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "no SIGTERM could be sent");
        let deadline = Instant::now() + NODE_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = child.try_wait() {
                return status.code().unwrap_or(-1);
            }
            thread::sleep(POLL);
        }
        let _gone_already = child.kill();
        panic!("`{}` does not stop:\n{}", self.id, self.log_tail())
    }

    /// Ends it (politely) and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    /// One command on this node, `--dir` added: whatever it gives.
    #[track_caller]
    pub fn cmd(&self, words: &[&str]) -> Output {
        Running::start_in(self.space_name(), &self.words(words)).wait()
    }

    /// The same, which must succeed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Output {
        self.cmd(words).expect_code(0)
    }

    /// The same with `--json`, which must succeed and give one JSON value.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let mut words = words.to_vec();
        words.push("--json");
        self.ok(&words).json()
    }

    /// Starts a command on this node and does not wait.
    pub fn spawn(&self, words: &[&str]) -> Running {
        Running::start_in(self.space_name(), &self.words(words))
    }

    fn space_name(&self) -> Option<&str> {
        self.space.as_ref().map(|(name, _)| name.as_str())
    }

    fn words(&self, words: &[&str]) -> Vec<OsString> {
        let mut all: Vec<OsString> = words.iter().map(OsString::from).collect();
        all.extend(["--dir".into(), self.dir().into_os_string()]);
        all
    }

    /// The participant id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The node's folder.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    /// A folder beside the node's, for files that a person would have.
    pub fn desk(&self) -> &Path {
        self.folder.path()
    }

    /// Where other nodes reach it, `127.0.0.1:PORT`, or with the address of its end of a line.
    pub fn peer_address(&self) -> String {
        let address = self.space.as_ref().map_or("127.0.0.1", |(_, address)| *address);
        format!("{address}:{}", self.peer_port)
    }

    /// Where the agency's own programs reach it, `127.0.0.1:PORT`.
    pub fn local_address(&self) -> String {
        format!("127.0.0.1:{}", self.local_port)
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Resident memory now, bytes; with `peak`, the most it ever had since it started.
    pub fn rss_bytes(&self, peak: bool) -> Option<u64> {
        rss_bytes(self.pid()?, peak)
    }

    /// All that it has printed since the first start.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let skipped = log.chars().count().saturating_sub(LOG_SHOWN);
        log.chars().skip(skipped).collect()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            eprintln!("---- log of `{}` ----\n{}", self.id, self.log_tail());
        }
    }
}

/// Two running nodes get to know each other by invitation: `host` invites, `guest` accepts. Each takes the other for an
/// agency of the state (group `state`).
#[track_caller]
pub fn pair(host: &TestNode, guest: &TestNode) {
    let invitation = host.json(&["peer", "invite", "--group", "state"]);
    let Some(code) = invitation.get("code").and_then(Value::as_str) else {
        panic!("the invitation has no `code`: {invitation}")
    };
    guest.json(&["peer", "accept", code, "--group", "state"]);
}
