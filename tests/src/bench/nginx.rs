//! The yardstick of a transfer: nginx with mutual TLS 1.3 and `curl`, on the same machine in the same run.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for nginx; it may have to be installed first.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// An nginx that serves one file; it ends with this value.
#[derive(Debug)]
pub struct Nginx {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Nginx {
    /// Serves `payload` (linked, not copied, where the disk allows).
    ///
    /// # Errors
    /// When nginx can't be installed or does not open its port.
    pub fn serve(payload: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir_in(payload.parent().unwrap_or(Path::new(".")))?;
        let www = folder.path().join("www");
        std::fs::create_dir(&www)?;
        if std::fs::hard_link(payload, www.join("payload")).is_err() {
            std::fs::copy(payload, www.join("payload"))?;
        }
        let port = crate::free_port();
        let process = Command::new(crate::repository().join("tests/bench/nginx"))
            .arg(folder.path())
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()?;
        let mut nginx = Self { folder, port, process };
        nginx.wait()?;
        Ok(nginx)
    }

    fn wait(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(io::Error::other(format!("nginx does not serve: {ended:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Gets the file to `out`, durably as the node does, and says how long it took.
    ///
    /// # Errors
    /// When `curl` fails or anything but the file comes back.
    pub fn fetch(&self, out: &Path) -> io::Result<Duration> {
        let pki = |name: &str| -> PathBuf { self.folder.path().join("pki").join(name) };
        let started = Instant::now();
        let status = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--tlsv1.3", "--cacert"])
            .arg(pki("ca.pem"))
            .arg("--cert")
            .arg(pki("client.pem"))
            .arg("--key")
            .arg(pki("client.key"))
            .arg("--output")
            .arg(out)
            .arg(format!("https://127.0.0.1:{}/payload", self.port))
            .status()?;
        std::fs::File::open(out)?.sync_all()?;
        let took = started.elapsed();
        let wanted = std::fs::metadata(self.folder.path().join("www/payload"))?.len();
        let got = std::fs::metadata(out)?.len();
        if !status.success() || got != wanted {
            return Err(io::Error::other(format!("curl: {status}, {got} of {wanted} bytes")));
        }
        Ok(took)
    }

    /// The same, and then the file's digest by `sha256sum`, as its client would check what it got; both durations.
    ///
    /// # Errors
    /// As [`Nginx::fetch`].
    pub fn fetch_verified(&self, out: &Path) -> io::Result<(Duration, Duration)> {
        let fetched = self.fetch(out)?;
        let started = Instant::now();
        let status = Command::new("sha256sum").arg(out).stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("sha256sum: {status}")));
        }
        Ok((fetched, started.elapsed()))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM and not SIGKILL: the master must take its workers along.
        let _gone_already = Command::new("kill").arg(self.process.id().to_string()).status();
        let _reaped = self.process.wait();
    }
}
