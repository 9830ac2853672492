//! A real PostgreSQL server for a test: in a temporary folder, on a free port of this machine, gone with its last user.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Password of the role `reader`, with what a careless program would trip over.
pub const PASSWORD: &str = "đọc' \"only\\";

pub struct Server {
    pub dir: tempfile::TempDir,
    pub port: u16,
    bin: PathBuf,
    user: Option<u32>,
}

static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// The server, or none (said aloud) where PostgreSQL or the tables are missing.
pub fn server() -> Option<Arc<Server>> {
    let mut running = RUNNING.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(server) = running.upgrade() {
        return Some(server);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/data"));
    let data = beside.into_iter().find(|data| data.exists()).unwrap_or_default();
    let sql = ["admin-units-schema.sql", "admin-units-data.sql"]
        .map(|name| std::fs::read_to_string(data.join(name)));
    let [Ok(schema), Ok(rows)] = sql else {
        println!("skipped: no ../shared/data/admin-units-*.sql");
        return None;
    };
    let Some(bin) = binaries() else {
        println!("skipped: no PostgreSQL server here (Debian: postgresql)");
        return None;
    };
    let server = Arc::new(Server::start(bin));
    server.admin(&schema);
    server.admin(&rows);
    let password = PASSWORD.replace('\'', "''");
    server.admin(&format!(
        "CREATE ROLE reader LOGIN PASSWORD '{password}'; GRANT SELECT ON wards, provinces TO reader;
         CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT SELECT, INSERT ON wards TO clerk;"
    ));
    // Once: tests run side by side, and a file that is being written anew is empty for a moment.
    std::fs::write(server.path("reader"), PASSWORD).unwrap();
    std::fs::set_permissions(server.path("reader"), PermissionsExt::from_mode(0o600)).unwrap();
    *running = Arc::downgrade(&server);
    Some(server)
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

impl Server {
    fn start(bin: PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let id = |args: &[&str]| {
            let out = Command::new("id").args(args).output().ok().filter(|out| out.status.success())?;
            String::from_utf8_lossy(&out.stdout).trim().parse::<u32>().ok()
        };
        // PostgreSQL does not run as root.
        let user = (id(&["-u"]) == Some(0)).then(|| id(&["-u", "postgres"]).unwrap_or(65_534));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { dir, port, bin, user };
        server.certificates();
        std::fs::write(server.path("password"), "admin").unwrap();
        server.own();
        let (data, password) = (server.path("data"), server.path("password"));
        server.run(
            "initdb",
            &[
                "-D",
                &text(&data),
                "-U",
                "admin",
                "--pwfile",
                &text(&password),
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
        );
        let mut config = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        write!(
            config,
            "listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{0}'\nfsync=off\nssl=on\n\
             ssl_cert_file='{0}/server.pem'\nssl_key_file='{0}/server.key'\n",
            text(server.dir.path())
        )
        .unwrap();
        server.run("pg_ctl", &["-D", &text(&data), "-w", "-l", &text(&server.path("log")), "start"]);
        server
    }

    /// `server.pem` for `localhost`, by the authority of `ca.pem`; `other.pem` is an authority that signed nothing.
    fn certificates(&self) {
        let authority = |file: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            std::fs::write(self.path(file), params.self_signed(&key).unwrap().pem()).unwrap();
            Issuer::new(params, key)
        };
        authority("other.pem");
        let issuer = authority("ca.pem");
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(self.path("server.pem"), leaf.pem()).unwrap();
        std::fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(self.path("server.key"), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn own(&self) {
        let Some(user) = self.user else { return };
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            chown(entry.unwrap().path(), Some(user), None).unwrap();
        }
        chown(self.dir.path(), Some(user), None).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir("/").env("PGPASSWORD", "admin").env("LC_ALL", "C.UTF-8");
        if let Some(user) = self.user {
            command.uid(user);
        }
        command
    }

    fn run(&self, program: &str, args: &[&str]) {
        // Not `output()`: the server would keep the pipes.
        let done = self.command(program).args(args).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "{program}");
    }

    /// Runs statements as the administrator; what the last says.
    pub fn admin(&self, sql: &str) -> String {
        let (dir, port) = (text(self.dir.path()), self.port.to_string());
        let mut psql = self
            .command("psql")
            .args(["-h", &dir, "-p", &port, "-U", "admin", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let out = psql.wait_with_output().unwrap();
        assert!(out.status.success(), "{sql:.200}");
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// A description: on the socket unless `more` says otherwise, as `reader`.
    pub fn origin(&self, more: &str) -> String {
        let mut text =
            format!("type = \"postgresql\"\nport = {}\ndatabase = \"postgres\"\n{more}\n", self.port);
        if !more.contains("host =") {
            text += &format!("host = {:?}\n", self.dir.path());
        }
        if !more.contains("user =") {
            text += &format!("user = \"reader\"\npassword = {{ file = {:?} }}\n", self.path("reader"));
        }
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = text(&self.path("data"));
        let _ = self
            .command("pg_ctl")
            .args(["-D", &data, "-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .status();
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
