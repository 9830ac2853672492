//! HTTP/1.1 as text, both ways: just enough for one request and one answer with a known length.

use std::io::{self, ErrorKind, Read, Write};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Request;

/// Longest head that a test reads, bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Writes a request that asks for the end of the connection after the answer.
pub fn write_request(stream: &mut impl Write, host: &str, request: &Request) -> io::Result<()> {
    let mut head =
        format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method, request.path);
    head.push_str(&format!("content-length: {}\r\n", request.body.len()));
    let mut bytes = head.into_bytes();
    write_fields(&mut bytes, &request.headers);
    bytes.extend_from_slice(&request.body);
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Writes an answer.
pub fn write_response(
    stream: &mut impl Write,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    write_fields(&mut bytes, headers);
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)?;
    stream.flush()
}

fn write_fields(bytes: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
}

/// First line, fields and body of one message; `None` when the other side closed before it began.
pub fn read_message(stream: &mut impl Read) -> io::Result<Option<(String, HeaderMap, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "the head is too long"));
        }
        if !read_some(stream, &mut bytes)? {
            return if bytes.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let (first, headers) = parse_head(&head)?;
    let length: usize =
        headers.get("content-length").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(0);
    while body.len() < length {
        if !read_some(stream, &mut body)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    body.truncate(length);
    Ok(Some((first, headers, body)))
}

/// Status, fields and body of an answer.
pub fn read_response(stream: &mut impl Read) -> io::Result<(u16, HeaderMap, Vec<u8>)> {
    let (first, headers, body) = read_message(stream)?.ok_or(ErrorKind::UnexpectedEof)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok((status.ok_or(ErrorKind::InvalidData)?, headers, body))
}

fn parse_head(head: &str) -> io::Result<(String, HeaderMap)> {
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        let name: HeaderName = name.parse().map_err(|_| ErrorKind::InvalidData)?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| ErrorKind::InvalidData)?);
    }
    Ok((first, headers))
}

fn read_some(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut part = [0; 16 * 1024];
    let count = match stream.read(&mut part) {
        // A close without TLS's own farewell ends the stream as well.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
        other => other?,
    };
    bytes.extend_from_slice(&part[..count]);
    Ok(count > 0)
}
