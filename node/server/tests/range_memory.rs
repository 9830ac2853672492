//! Spans of a large file, read by many at once and slowly: what the process holds does not grow with the span, nor with
//! those who read, and who goes away in the middle leaves nothing behind. In a process of its own, so that what it holds is
//! what this holds.

#![allow(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tram::represent::Representation;

/// Length of the file; most of it is a hole.
const FILE_BYTES: u64 = 700_000_000;
/// The longest span that is hashed before it is sent, and one that is not.
const SPANS: [(u64, u64); 2] = [(1_000, 1_000 + (4 << 20) - 1), (1_000, FILE_BYTES - 1)];
/// How many read at once.
const READERS: usize = 200;
/// What they may cost together. One span of the smaller kind for each would be 840 MB.
const GROWN_BYTES_MAX: u64 = 120_000_000;

/// What the kernel keeps for each end of a connection: less than a span, so that a reader that stands still stops the sender.
const KERNEL_BYTES: u32 = 64 << 10;

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Open handles of the file.
fn handles(path: &std::path::Path) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == path)).count()
}

async fn answer(
    State(file): State<Arc<Representation>>,
    method: Method,
    headers: HeaderMap,
) -> tram::Result<Response> {
    file.answer(&method, &headers).await
}

/// Asks for a span and reads its head and one byte.
async fn begin(address: std::net::SocketAddr, (first, last): (u64, u64)) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(KERNEL_BYTES).unwrap();
    let mut line = socket.connect(address).await.unwrap();
    let ask = format!("GET / HTTP/1.1\r\nhost: x\r\nrange: bytes={first}-{last}\r\n\r\n");
    line.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(line.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 206"), "{head}");
    assert!(head.contains(&format!("content-length: {}\r\n", last - first + 1)), "{head}");
    line.read_u8().await.unwrap();
    line
}

#[tokio::test]
async fn two_hundred_slow_readers_of_long_spans_cost_little_memory_and_leave_nothing_when_they_are_cut() {
    if resident().is_none() {
        println!("skipped: this system tells no resident memory");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("rows");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(FILE_BYTES).unwrap();
    file.write_all_at(b"the end", FILE_BYTES - 7).unwrap();
    let representation = Representation {
        path: path.clone(),
        bytes: FILE_BYTES,
        sha256: [7; 32],
        media_type: "text/csv",
        file_name: "rows.csv".into(),
    };
    drop(file);
    let router = Router::new().route("/", get(answer)).with_state(Arc::new(representation));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(KERNEL_BYTES).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1_024).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    for span in SPANS {
        // Warm: what one reader costs is no cost of the many.
        drop(begin(address, span).await);
        let before = resident().unwrap();
        let mut lines = Vec::new();
        for _ in 0..READERS {
            lines.push(begin(address, span).await);
        }
        // Each has sent what the kernel takes; nobody reads on.
        assert_eq!(handles(&path), READERS, "each of them is under way");
        let grown = resident().unwrap().saturating_sub(before);
        assert!(grown < GROWN_BYTES_MAX, "{READERS} readers of {span:?} took {grown} bytes");
        // One that reads on gets all that it asked for, and the right place of it.
        let mut one = lines.pop().unwrap();
        let (mut left, mut buffer) = (span.1 - span.0, vec![0; 1 << 20]);
        let mut tail = Vec::new();
        while left > 0 {
            let read = one.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{left} bytes are missing");
            left -= read as u64;
            tail.extend_from_slice(&buffer[read.saturating_sub(7)..read]);
        }
        assert_eq!(tail.ends_with(b"the end"), span.1 == FILE_BYTES - 1);
        drop(one);
        // The others are cut off in the middle.
        drop(lines);
        while handles(&path) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
