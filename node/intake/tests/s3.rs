//! The S3 reader against two stores of others, `moto_server` (PyPI) and `s3s-fs` (crates.io), and one that lies.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use intake::{IntakeError, Origin, Rows};

struct Store {
    server: Option<Child>,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Waits until a server listens; none (said aloud) where the program is missing.
fn started(mut store: Store, command: &mut Command, from: &str) -> Option<Store> {
    let Ok(server) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        println!("skipped: no {:?} here ({from})", command.get_program());
        return None;
    };
    store.server = Some(server);
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", store.port)).is_ok() {
            return Some(store);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{:?} did not start", command.get_program());
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A store with an empty bucket `so-lieu`. It does not check signatures.
fn store() -> Option<Store> {
    let port = free();
    let mut command = Command::new("moto_server");
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let store = started(Store::at(port), &mut command, "PyPI: moto[server]")?;
    store.put("", b"");
    Some(store)
}

/// A store over the folder `objects`, which checks signatures.
fn strict() -> Option<Store> {
    let store = Store::at(free());
    let root = store.dir.path().join("objects");
    std::fs::create_dir_all(root.join("so-lieu")).unwrap();
    let mut command = Command::new("s3s-fs");
    command.args(["--host", "127.0.0.1", "--port", &store.port.to_string()]);
    command.args(["--access-key", "AKIDEXAMPLE", "--secret-key", "bí-mật/của+kho"]).arg(root);
    started(store, &mut command, "crates.io: s3s-fs --features binary")
}

impl Store {
    fn at(port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("id"), "AKIDEXAMPLE").unwrap();
        std::fs::write(dir.path().join("key"), "bí-mật/của+kho").unwrap();
        Self { server: None, port, dir }
    }

    fn put(&self, key: &str, body: &[u8]) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let n = body.len();
        write!(socket, "PUT /so-lieu/{key} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n", self.port).unwrap();
        socket.write_all(body).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn origin(&self, more: &str) -> Origin {
        Origin::parse(&format!(
            "type = \"s3\"\nendpoint = \"http://127.0.0.1:{}\"\nallow_http = true\nbucket = \"so-lieu\"\n\
             access_key = {{ file = {:?} }}\nsecret_key = {{ file = {:?} }}\n{more}",
            self.port,
            self.dir.path().join("id"),
            self.dir.path().join("key"),
        ))
        .unwrap()
    }

    fn read(&self, more: &str) -> Result<Vec<String>, IntakeError> {
        all(self.origin(more).open(Path::new("/"))?)
    }
}

fn all(mut rows: Box<dyn Rows>) -> Result<Vec<String>, IntakeError> {
    let (mut lines, mut row) = (vec![rows.columns().join(",")], Vec::new());
    while rows.next(&mut row)?.is_some() {
        let cells: Vec<_> = row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
        lines.push(cells.join(","));
    }
    Ok(lines)
}

#[test]
fn an_object_is_found_by_key_by_name_and_by_time_and_read() {
    let Some(store) = store() else { return };
    store.put("pm/2026-11-24.csv", b"a,b\n9,\xc4\x91\n");
    store.put(
        "pm/a%20%C4%91%20%2B.ndjson",
        "{\"a\": 0.10, \"b\": {\"c\": \"x\"}}\n\n{\"d\": null, \"a\": 2}\n".as_bytes(),
    );
    // Times of the store are of whole seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    store.put("pm/2026-11-23.csv", b"a,b\n8,\n");
    assert_eq!(store.read("format = \"csv\"\nkey = \"pm/2026-11-24.csv\"").unwrap(), ["a,b", "9,đ"]);
    assert_eq!(store.read("format = \"csv\"\nprefix = \"pm/2026\"").unwrap(), ["a,b", "9,đ"]);
    assert_eq!(store.read("format = \"csv\"\nprefix = \"pm/\"\nnewest = \"time\"").unwrap(), ["a,b", "8,-"]);
    let lines = store.read("format = \"ndjson\"\nkey = \"pm/a đ +.ndjson\"").unwrap();
    assert_eq!(lines, ["a,b.c,d", "0.10,x,-", "2,-,-"]);
    let chosen = store.read("format = \"ndjson\"\nprefix = \"pm/a\"\ncolumns = [\"b.c\", \"a\"]").unwrap();
    assert_eq!(chosen, ["b.c,a", "x,0.10", "-,2"]);
    let health = store.origin("format = \"csv\"\nprefix = \"pm/2026\"").check(Path::new("/")).unwrap();
    assert!(health.said.en.contains("pm/2026-11-24.csv") && health.said.en.contains("9 bytes"), "{health:?}");
    for (more, word) in [
        ("format = \"csv\"\nkey = \"pm/2026\"", "no object"),
        ("format = \"csv\"\nprefix = \"nothing/\"", "no object"),
        ("format = \"csv\"\nprefix = \"pm/\"\ncolumns = [\"z\"]", "no such column"),
    ] {
        let e = store.read(more).unwrap_err();
        assert!(e.to_string().contains(word), "{e}");
        assert!(!format!("{e} {e:?}").contains("của+kho"), "{e}");
    }
}

#[test]
fn the_newest_of_more_objects_than_one_list_has_is_found() {
    let Some(store) = store() else { return };
    for i in 0..1_002 {
        store.put(&format!("n/{i:04}.csv"), format!("a\n{i}\n").as_bytes());
    }
    assert_eq!(store.read("format = \"csv\"\nprefix = \"n/\"").unwrap(), ["a", "1001"]);
}

#[test]
fn requests_are_signed_so_that_a_store_that_checks_lets_only_the_right_key_in() {
    let Some(store) = strict() else { return };
    std::fs::write(store.dir.path().join("objects/so-lieu/a đ.csv"), "a\n1\n").unwrap();
    for what in ["key = \"a đ.csv\"", "prefix = \"a đ\""] {
        assert_eq!(store.read(&format!("format = \"csv\"\n{what}")).unwrap(), ["a", "1"]);
    }
    std::fs::write(store.dir.path().join("key"), "bí-mật/của+khO").unwrap();
    let e = store.read("format = \"csv\"\nprefix = \"a\"").unwrap_err();
    assert!(e.to_string().contains("403"), "{e}");
}

/// A store that lists one object of so many bytes and gives `answer` for it.
fn liar(list: String, answer: Vec<u8>) -> Store {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = [0; 4_096];
            let n = socket.read(&mut head).unwrap();
            let listing = String::from_utf8_lossy(&head[..n]).contains("list-type=2");
            let list = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{list}",
                list.len()
            );
            // The client may have gone.
            let _ = socket.write_all(if listing { list.as_bytes() } else { &answer });
        }
    });
    Store::at(port)
}

fn list(bytes: &str, more: &str) -> String {
    format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents><Key>a.csv</Key>\
         <LastModified>2026-11-23T08:00:00.000Z</LastModified><ETag>\"t\"</ETag><Size>{bytes}</Size></Contents>{more}\
         </ListBucketResult>"
    )
}

#[test]
fn objects_that_are_not_what_the_store_lists_are_refused() {
    let ok = |head: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}").into_bytes()
    };
    let good = ok("Content-Length: 4\r\nETag: \"t\"\r\n", "a\n1\n");
    assert_eq!(
        liar(list("4", ""), good.clone()).read("format = \"csv\"\nkey = \"a.csv\"").unwrap(),
        ["a", "1"]
    );
    let endless = "<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>";
    for (list, answer, word) in [
        (list("5", ""), good.clone(), "changed"),
        (list("3", ""), good.clone(), "changed"),
        (list("4", ""), ok("Content-Length: 4\r\nETag: \"u\"\r\n", "a\n1\n"), "changed"),
        (list("9", ""), ok("Content-Length: 9\r\n", "a\n1\n"), "broke off"),
        (list("4", ""), ok("x-amz-checksum-sha256: AAAA\r\n", "a\n1\n"), "checksum"),
        (list("99999999999999", ""), good.clone(), "the most is"),
        (list("-1", ""), good.clone(), "no list"),
        ("<html>".to_owned(), good.clone(), "no list"),
        ("<a>".repeat(100_000), good.clone(), "no list"),
    ] {
        let e = liar(list, answer).read("format = \"csv\"\nkey = \"a.csv\"").unwrap_err().to_string();
        assert!(e.contains(word), "{word}: {e}");
    }
    let e = liar(list("4", endless).replace("a.csv", "other"), good)
        .read("format = \"csv\"\nprefix = \"a\"")
        .unwrap_err();
    assert!(e.to_string().contains("no object"), "{e}");
}

#[test]
fn descriptions_that_contradict_themselves_are_refused() {
    for bad in [
        "",
        "key = \"a\"\nprefix = \"b\"",
        "key = \"\"",
        "key = \"a\"\nbucket = \"../x\"",
        "key = \"a\"\nendpoint = \"https://s3.example/?x\"",
    ] {
        let mut text =
            "type = \"s3\"\nformat = \"csv\"\naccess_key = { env = \"A\" }\nsecret_key = { env = \"B\" }\n"
                .to_owned();
        text += bad;
        for (name, value) in [("endpoint", "https://s3.example"), ("bucket", "so-lieu")] {
            if !bad.contains(name) {
                text += &format!("\n{name} = {value:?}");
            }
        }
        let e = Origin::parse(&text).unwrap_err();
        assert!(e.to_string().contains("`key` and `prefix`"), "{e}");
    }
}
