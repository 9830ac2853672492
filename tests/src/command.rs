//! One run of `tram`: arguments in; exit code and two streams out. A run that hangs is killed and reported, so that a test
//! fails with a text and not with CI's own time limit.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest that one command may take. Far above any honest run on a busy machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);
/// How often a waiting test looks.
const POLL: Duration = Duration::from_millis(20);

/// What a finished command left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The words it was called with, for messages.
    pub line: String,
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Output {
    /// The same, after a check that the exit code is the wanted one.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn expect_code(self, wanted: i32) -> Self {
        assert_eq!(
            self.code, wanted,
            "`{}` gave {}\nstdout: {}\nstderr: {}",
            self.line, self.code, self.stdout, self.stderr
        );
        self
    }

    /// Standard output as one JSON value.
    ///
    /// # Panics
    /// When it is none, or when something follows it.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("`{}` gave no JSON: {error}\nstdout: {}\nstderr: {}", self.line, self.stdout, self.stderr)
        })
    }
}

/// A command that is still under way: a test may kill a node meanwhile.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Running {
    /// Starts `tram` with these words.
    ///
    /// # Panics
    /// When the program can't be started.
    pub fn start<S: AsRef<OsStr>>(words: &[S]) -> Self {
        Self::start_in(None, words)
    }

    /// The same in the network namespace of this name.
    pub(crate) fn start_in<S: AsRef<OsStr>>(space: Option<&str>, words: &[S]) -> Self {
        let shown: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let line = format!("tram {}", shown.join(" "));
        let mut child = clean(program(space))
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{line}` did not start: {error}"));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Self { line, child, stdout: collect(stdout), stderr: collect(stderr) }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// `kill -9`, as a user who closes the window.
    pub fn kill(&mut self) {
        let _gone_already = self.child.kill();
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it takes longer than five minutes.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
                Ok(None) => break None,
                Err(error) => panic!("`{}` can't be waited for: {error}", self.line),
            }
        };
        if status.is_none() {
            self.kill();
        }
        let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
        let (stdout, stderr) = (text(self.stdout), text(self.stderr));
        let Some(status) = status else {
            panic!("`{}` did not end in {COMMAND_TIMEOUT:?}\nstdout: {stdout}\nstderr: {stderr}", self.line)
        };
        Output { line: self.line, code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

/// Runs `tram` with these words to its end.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(words: &[S]) -> Output {
    Running::start(words).wait()
}

/// `tram`, in the network namespace of this name if there is one. `ip netns exec` becomes the program it runs, so that the
/// process is the node's own.
pub(crate) fn program(space: Option<&str>) -> Command {
    let Some(name) = space else { return Command::new(crate::tram()) };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]).arg(crate::tram());
    command
}

/// Takes away what a developer's own environment would say to a node.
pub(crate) fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("TRAM_") || name_text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.env("NO_COLOR", "1");
    command
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _partial_is_fine = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, code: i32) -> Output {
        Output { line: "tram x".into(), code, stdout: stdout.into(), stderr: "talk".into() }
    }

    #[test]
    fn json_is_exactly_one_value() {
        assert_eq!(output("{\"a\":1}\n", 0).json()["a"], 1);
        assert!(std::panic::catch_unwind(|| output("{} {}", 0).json()).is_err());
        assert!(std::panic::catch_unwind(|| output("", 0).json()).is_err());
    }

    #[test]
    fn another_code_panics_with_both_streams() {
        let caught = std::panic::catch_unwind(|| output("result", 3).expect_code(0)).unwrap_err();
        let text = caught.downcast_ref::<String>().unwrap();
        assert!(text.contains("tram x") && text.contains("result") && text.contains("talk"), "{text}");
        assert_eq!(output("", 3).expect_code(3).code, 3);
    }
}
