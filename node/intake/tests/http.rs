//! The HTTP reader against a small server that does as a test says, well or badly.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use intake::{IntakeError, Origin, Rows};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Path with query, and the whole head of a request.
type Asked = (String, String);

struct Server {
    port: u16,
    asked: Receiver<Asked>,
}

/// A server that answers each path (and the number of the request, from 1) with what `answer` writes.
fn serve(answer: impl Fn(&str, u64, &mut TcpStream) + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (tell, asked) = channel();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut n = 0;
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { continue };
            n += 1;
            answer(path, n, &mut socket);
            if tell.send((path.to_owned(), head.join("\n"))).is_err() {
                return;
            }
        }
    });
    Server { port, asked }
}

fn send(socket: &mut TcpStream, status: &str, head: &str, body: &str) {
    let n = body.len();
    // The client may have gone.
    let _ =
        write!(socket, "HTTP/1.1 {status}\r\n{head}Connection: close\r\nContent-Length: {n}\r\n\r\n{body}");
}

fn json(socket: &mut TcpStream, body: &str) {
    send(socket, "200 OK", "Content-Type: application/json\r\n", body);
}

fn csv(socket: &mut TcpStream, body: &str) {
    send(socket, "200 OK", "Content-Type: text/csv\r\n", body);
}

impl Server {
    fn origin(&self, path: &str, more: &str) -> Origin {
        let port = self.port;
        let text =
            format!("type = \"http\"\nurl = \"http://127.0.0.1:{port}{path}\"\nallow_http = true\n{more}");
        Origin::parse(&text).unwrap()
    }

    fn read(&self, path: &str, more: &str) -> Result<Vec<String>, IntakeError> {
        all(self.origin(path, more).open(Path::new("/"))?)
    }

    fn paths(&self) -> Vec<String> {
        self.asked.try_iter().map(|(path, _)| path).collect()
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
fn pages_are_followed_by_a_link_in_the_body_with_credentials_on_each() {
    let server = serve(|path, _, socket| match path {
        "/v1" => {
            json(socket, r#"{"data": {"items": [{"id": 1, "at": {"lat": 21.030}}]}, "next": "/v1?p=2"}"#)
        }
        _ => json(socket, r#"{"data": {"items": [{"id": 2}]}, "next": null}"#),
    });
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "khoá-bí-mật").unwrap();
    std::fs::write(dir.path().join("ascii"), "t0ken").unwrap();
    let more = format!(
        "format = \"json\"\nrecords = \"data.items\"\npaging = {{ by = \"next\", path = \"next\" }}\n\
         bearer = {{ file = {:?} }}\nheaders = {{ X-Api-Key = {{ file = {key:?} }} }}",
        dir.path().join("ascii")
    );
    assert_eq!(server.read("/v1", &more).unwrap(), ["id,at.lat", "1,21.030", "2,-"]);
    let asked: Vec<Asked> = server.asked.try_iter().collect();
    assert_eq!(asked.len(), 2);
    for (_, head) in asked {
        let head = head.to_ascii_lowercase();
        assert!(head.contains("authorization: bearer t0ken") && head.contains("x-api-key: "), "{head}");
        assert!(head.contains("accept-encoding: identity"), "{head}");
    }
}

#[test]
fn pages_are_followed_by_link_header_number_and_offset() {
    let server = serve(|path, _, socket| match path {
        "/h" => send(
            socket,
            "200 OK",
            "Content-Type: text/csv\r\nLink: </h>; rel=\"first\", </h?2>; rel=\"next\"\r\n",
            "a,b\n1,x\n",
        ),
        "/h?2" => csv(socket, "b,a\ny,2\n"),
        "/n?page=0" => json(socket, r#"[{"a": 1}]"#),
        "/n?page=1" => json(socket, r#"[{"a": 2}]"#),
        "/n?page=2" => json(socket, "[]"),
        "/o?skip=0&top=2" => json(socket, r#"[{"a": 1}, {"a": 2}]"#),
        "/o?skip=2&top=2" => json(socket, r#"[{"a": 3}]"#),
        _ => send(socket, "404 Not Found", "", ""),
    });
    let header = server.read("/h", "format = \"csv\"\npaging = { by = \"link_header\" }").unwrap();
    assert_eq!(header, ["a,b", "1,x", "2,y"]);
    let page = "format = \"json\"\npaging = { by = \"page\", parameter = \"page\", first = 0 }";
    assert_eq!(server.read("/n", page).unwrap(), ["a", "1", "2"]);
    let offset = "format = \"json\"\npaging = { by = \"offset\", offset = \"skip\", limit_parameter = \"top\", limit = 2 }";
    assert_eq!(server.read("/o?skip=9", offset).unwrap(), ["a", "1", "2", "3"]);
    assert_eq!(server.paths().len(), 2 + 3 + 2);
}

#[test]
fn pages_without_an_end_are_told_from_data() {
    let server = serve(|path, _, socket| match path {
        "/round" => json(socket, r#"{"d": [{"a": 1}], "next": "/round"}"#),
        // The same rows whatever page is asked for.
        _ => json(socket, r#"[{"a": 1}]"#),
    });
    let round = "format = \"json\"\nrecords = \"d\"\npaging = { by = \"next\", path = \"next\" }";
    let same = "format = \"json\"\npaging = { by = \"page\", parameter = \"page\" }";
    for (path, more) in [("/round", round), ("/same", same)] {
        let e = server.read(path, more).unwrap_err();
        assert!(e.to_string().contains("do not end"), "{e}");
    }
}

#[test]
fn another_server_is_never_asked_by_redirect_or_link() {
    let other = serve(|_, _, socket| json(socket, "[]"));
    let there = format!("http://127.0.0.1:{}/", other.port);
    let server = serve(move |path, _, socket| match path {
        "/redirect" => send(socket, "302 Found", &format!("Location: {there}\r\n"), ""),
        "/near" => send(socket, "307 Temporary Redirect", "Location: /here\r\n", ""),
        "/here" => json(socket, r#"[{"a": 1}]"#),
        "/for-ever" => send(socket, "302 Found", "Location: /for-ever\r\n", ""),
        _ => json(socket, &format!(r#"{{"d": [{{"a": 1}}], "next": "{there}"}}"#)),
    });
    let next = "format = \"json\"\nrecords = \"d\"\npaging = { by = \"next\", path = \"next\" }";
    for (path, more) in [("/redirect", "format = \"json\""), ("/link", next)] {
        let e = server.read(path, more).unwrap_err();
        assert!(e.to_string().contains("another place"), "{e}");
    }
    assert!(server.read("/for-ever", "format = \"json\"").is_err());
    assert_eq!(server.read("/near", "format = \"json\"").unwrap(), ["a", "1"]);
    assert!(other.asked.try_recv().is_err());
}

#[test]
fn a_server_that_puts_off_is_asked_again_a_few_times() {
    let server = serve(|path, n, socket| match (path, n) {
        ("/busy", 1) => send(socket, "429 Too Many Requests", "Retry-After: 0\r\n", ""),
        ("/busy", 2) => send(socket, "503 Service Unavailable", "Retry-After: 0\r\n", ""),
        ("/never", _) => send(socket, "503 Service Unavailable", "Retry-After: 0\r\n", ""),
        ("/long", _) => send(socket, "429 Too Many Requests", "Retry-After: 999999999\r\n", ""),
        _ => json(socket, r#"[{"a": 1}]"#),
    });
    assert_eq!(server.read("/busy", "format = \"json\"").unwrap(), ["a", "1"]);
    assert!(matches!(server.read("/never", "format = \"json\""), Err(IntakeError::Unreachable(_))));
    assert_eq!(server.paths().len(), 3 + 4);
    // The wait would outlast the reading.
    assert!(matches!(
        server.read("/long", "format = \"json\"\nseconds_max = 5"),
        Err(IntakeError::Unreachable(_))
    ));
    assert_eq!(server.paths().len(), 1);
}

#[test]
fn what_is_not_what_it_should_be_is_refused() {
    let server = serve(|path, _, socket| match path {
        "/login" => send(socket, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<html>"),
        "/gzip" => {
            send(socket, "200 OK", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "\u{1f}")
        }
        "/short" => {
            let _ = socket.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 99\r\n\r\na,b\n1,2\n",
            );
        }
        "/chunk" => {
            let _ = socket.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n8\r\na,b\n1,2\n\r\n",
            );
        }
        "/list" => json(socket, r#"[{"a": [1]}]"#),
        "/new" => json(socket, r#"{"d": [{"a": 1}], "next": "/new2"}"#),
        "/new2" => json(socket, r#"{"d": [{"a": 1, "b": 2}]}"#),
        "/uneven" => csv(socket, "a,b\n1\n"),
        "/twice" => csv(socket, "a,a\n1,2\n"),
        "/many" => csv(socket, &format!("{}\n", vec!["x"; 100_000].join(","))),
        "/latin" => {
            let _ = socket.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\na\n\xe9\n",
            );
        }
        "/deep" => json(socket, &format!("[{}1{}]", "{\"a\":".repeat(100_000), "}".repeat(100_000))),
        "/denied?key=abc" => send(socket, "403 Forbidden", "", ""),
        _ => send(socket, "404 Not Found", "", ""),
    });
    let next = "format = \"json\"\nrecords = \"d\"\npaging = { by = \"next\", path = \"next\" }";
    for (path, more, word) in [
        ("/login", "format = \"json\"", "login"),
        ("/login", "format = \"csv\"", "login"),
        ("/gzip", "format = \"json\"", "compressed"),
        ("/short", "format = \"csv\"", "broke off"),
        ("/chunk", "format = \"csv\"", "broke off"),
        ("/list", "format = \"json\"", "`a`"),
        ("/new", next, "`b`"),
        ("/uneven", "format = \"csv\"", "1 cells"),
        ("/twice", "format = \"csv\"", "stands twice"),
        ("/many", "format = \"csv\"", "100000 columns"),
        ("/latin", "format = \"csv\"", "UTF-8"),
        ("/deep", "format = \"json\"", "too deep"),
        ("/denied?key=abc", "format = \"json\"", "403"),
        ("/gone?key=abc", "format = \"json\"", "404"),
    ] {
        let e = server.read(path, more).unwrap_err().to_string();
        assert!(e.contains(word), "{path}: {e}");
        assert!(!e.contains("key=abc"), "{e}");
    }
}

#[test]
fn bodies_and_records_without_an_end_are_cut_and_a_slow_drip_is_given_up() {
    let server = serve(|path, _, socket| {
        let kind = if path == "/json" { "application/json" } else { "text/csv" };
        let _ = write!(socket, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
        let (bytes, pause) = match path {
            "/drip" => (b"a".to_vec(), 50),
            "/json" => (b"[0,".repeat(10_000), 0),
            _ => (b"a,\"".repeat(10_000), 0),
        };
        while socket.write_all(&bytes).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(pause));
        }
    });
    assert!(server.read("/json", "format = \"json\"").unwrap_err().to_string().contains("too much"));
    assert!(server.read("/record", "format = \"csv\"").unwrap_err().to_string().contains("too large"));
    let e = server.read("/drip", "format = \"csv\"\nseconds_max = 2").unwrap_err();
    assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
}

#[test]
fn addresses_that_would_carry_credentials_in_the_open_are_refused() {
    let parse = |more: &str| Origin::parse(&format!("type = \"http\"\nformat = \"json\"\n{more}"));
    for bad in [
        "url = \"http://127.0.0.1/\"",
        "url = \"ftp://127.0.0.1/\"\nallow_http = true",
        "url = \"file:///etc/passwd\"\nallow_http = true",
        "url = \"https://user:pass@example.vn/\"",
        "url = \"https://example.vn/\"\nheaders = { Host = { env = \"X\" } }",
        "url = \"https://example.vn/\"\npaging = { by = \"offset\", offset = \"o\", limit_parameter = \"l\", limit = 0 }",
        "url = \"https://example.vn/\"\npassword = \"x\"",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    // Documentation addresses (RFC 5737) are nobody's own network; nothing is sent there.
    for host in ["203.0.113.5", "169.254.169.254", "[2001:db8::1]"] {
        let origin = parse(&format!("url = \"http://{host}/\"\nallow_http = true")).unwrap();
        assert!(matches!(origin.open(Path::new("/")), Err(IntakeError::Origin(_))), "{host}");
    }
}

#[test]
fn a_check_asks_for_one_page_and_names_the_columns() {
    let server = serve(|_, _, socket| json(socket, r#"[{"a": 1, "b": {"c": 2}}]"#));
    let more = "format = \"json\"\npaging = { by = \"page\", parameter = \"page\" }";
    let health = server.origin("/", more).check(Path::new("/")).unwrap();
    assert_eq!(health.columns, ["a", "b.c"]);
    assert_eq!(server.paths().len(), 1);
}

/// A server of TLS for `localhost`, its authority's certificate in `ca.pem` of the folder, another's in `other.pem`.
fn secured(dir: &Path) -> u16 {
    let authority = |file: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(dir.join(file), params.self_signed(&key).unwrap().pem()).unwrap();
        Issuer::new(params, key)
    };
    authority("other.pem");
    let issuer = authority("ca.pem");
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let der = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], der);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut socket = rustls::StreamOwned::new(connection, socket.unwrap());
            let mut head = [0; 4_096];
            if socket.read(&mut head).is_ok() {
                let _ = socket.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[{\"a\": 1}]",
                );
                let _ = socket.flush();
            }
        }
    });
    port
}

#[test]
fn a_server_is_believed_only_with_a_certificate_of_a_trusted_authority_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let port = secured(dir.path());
    let read = |host: &str, ca: &str| {
        let text = format!("type = \"http\"\nurl = \"https://{host}:{port}/\"\nformat = \"json\"\n{ca}");
        Origin::parse(&text).unwrap().open(dir.path()).and_then(all)
    };
    assert_eq!(read("localhost", "ca = \"ca.pem\"").unwrap(), ["a", "1"]);
    for (host, ca) in
        [("localhost", "ca = \"other.pem\""), ("localhost", ""), ("127.0.0.1", "ca = \"ca.pem\"")]
    {
        let e = read(host, ca).unwrap_err();
        assert!(e.to_string().to_lowercase().contains("certificate"), "{e}");
    }
    assert!(matches!(read("localhost", "ca = \"missing.pem\""), Err(IntakeError::Origin(_))));
}

#[test]
fn a_chosen_column_that_no_record_has_is_told() {
    let server = serve(|_, _, socket| json(socket, r#"[{"a": 1, "b": 2}, {"a": 2}]"#));
    for (columns, told) in [("\"a\", \"b\"", false), ("\"a\", \"pm_25\"", true)] {
        let mut rows = server
            .origin("/", &format!("format = \"json\"\ncolumns = [{columns}]"))
            .open(Path::new("/"))
            .unwrap();
        while rows.next(&mut Vec::new()).unwrap().is_some() {}
        let remarks = rows.remarks();
        assert_eq!(
            remarks.iter().any(|r| r.code == "column-never-seen" && r.said.en.contains("`pm_25`")),
            told
        );
        assert_eq!(remarks.len(), usize::from(told));
    }
}
