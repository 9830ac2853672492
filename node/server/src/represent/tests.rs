use super::*;

use http_body_util::BodyExt;

/// A file of so many bytes, each saying where it is.
fn file(dir: &std::path::Path, bytes: usize) -> (Representation, Vec<u8>) {
    let content: Vec<u8> = (0..bytes).map(|place| (place * 31 % 251) as u8).collect();
    let path = dir.join("part");
    std::fs::write(&path, &content).unwrap();
    let representation = Representation {
        path,
        bytes: bytes as u64,
        sha256: sha2::Sha256::digest(&content).into(),
        media_type: "application/vnd.apache.parquet",
        file_name: "part.parquet".into(),
    };
    (representation, content)
}

async fn ask(
    file: &Representation,
    method: Method,
    fields: &[(header::HeaderName, &str)],
) -> (Response<()>, Vec<u8>) {
    let mut headers = HeaderMap::new();
    fields.iter().for_each(|(name, value)| drop(headers.insert(name.clone(), value.parse().unwrap())));
    let (parts, body) = file.answer(&method, &headers).await.unwrap().into_parts();
    (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes().to_vec())
}

fn field<'a>(response: &'a Response<()>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn digest(bytes: &[u8]) -> String {
    digest_field(&sha2::Sha256::digest(bytes).into())
}

#[tokio::test]
async fn head_says_exactly_what_get_gives() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(dir.path(), 300_000);
    let (head, nothing) = ask(&file, Method::HEAD, &[]).await;
    let (get, bytes) = ask(&file, Method::GET, &[]).await;
    assert_eq!((nothing.len(), &bytes), (0, &content));
    for response in [&head, &get] {
        assert_eq!(response.status(), 200);
        assert_eq!(field(response, "content-length"), "300000");
        assert_eq!(field(response, "accept-ranges"), "bytes");
        assert_eq!(field(response, "content-type"), "application/vnd.apache.parquet");
        assert_eq!(field(response, "repr-digest"), digest(&content));
        assert_eq!(field(response, "etag"), file.etag());
        assert!(field(response, "cache-control").contains("no-transform"));
        assert!(!response.headers().contains_key("content-encoding"));
    }
    assert_eq!(field(&get, "content-digest"), digest(&content));
}

#[tokio::test]
async fn a_span_is_a_206_with_its_place_and_its_own_digest() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than what is read whole, so that both ways of sending a span are gone.
    let (file, content) = file(dir.path(), DIGEST_SPAN_BYTES_MAX as usize + 100);
    let last = content.len() - 1;
    for (asked, from, to) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=-8".to_owned(), last - 7, last),
        ("bytes=70000-140001".to_owned(), 70_000, 140_001),
        (format!("bytes={last}-"), last, last),
        ("bytes=10-".to_owned(), 10, last),
        ("bytes=0-".to_owned(), 0, last),
    ] {
        let (response, bytes) = ask(&file, Method::GET, &[(header::RANGE, &asked)]).await;
        assert_eq!(response.status(), 206, "{asked}");
        assert_eq!(field(&response, "content-range"), format!("bytes {from}-{to}/{}", content.len()));
        assert_eq!(field(&response, "content-length"), (to - from + 1).to_string());
        assert_eq!(field(&response, "repr-digest"), digest(&content), "of the whole, whatever the span");
        assert!(bytes == content[from..=to], "{asked}");
        let own = field(&response, "content-digest");
        let short = bytes.len() as u64 <= DIGEST_SPAN_BYTES_MAX;
        assert_eq!(own, if short { digest(&bytes) } else { String::new() }, "{asked}");
    }
}

/// The problem in a body, which must be one and agree with its answer.
fn problem(response: &Response<()>, bytes: &[u8]) -> crate::error::Problem {
    assert_eq!(field(response, "content-type"), "application/problem+json");
    let problem: crate::error::Problem = serde_json::from_slice(bytes).unwrap();
    assert_eq!(problem.status, response.status().as_u16());
    problem
}

#[tokio::test]
async fn what_cannot_be_satisfied_says_how_long_the_file_is() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = file(dir.path(), 10);
    let (response, bytes) = ask(&file, Method::GET, &[(header::RANGE, "bytes=10-")]).await;
    assert_eq!((response.status().as_u16(), field(&response, "content-range")), (416, "bytes */10"));
    let told = problem(&response, &bytes);
    assert_eq!(told.kind, "urn:tram:problem:range-not-satisfiable");
    assert!(told.detail.contains("bytes=0-9"), "{}", told.detail);
    assert_eq!(field(&response, "accept-ranges"), "bytes");
    assert!(!response.headers().contains_key("content-digest"), "of no rows");
    let (response, bytes) = ask(&file, Method::GET, &[(header::IF_NONE_MATCH, &file.etag())]).await;
    assert_eq!((response.status().as_u16(), bytes.len()), (304, 0));
    assert_eq!(field(&response, "etag"), file.etag());
}

#[tokio::test]
async fn another_version_than_there_is_is_a_problem_that_names_the_one_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = file(dir.path(), 10);
    let other = [(header::IF_MATCH, "\"other\"")];
    let (response, bytes) = ask(&file, Method::GET, &other).await;
    assert_eq!((response.status().as_u16(), field(&response, "etag")), (412, &*file.etag()));
    let told = problem(&response, &bytes);
    assert_eq!(told.kind, "urn:tram:problem:precondition-failed");
    assert!(told.detail.contains(&file.etag()), "{}", told.detail);
    let (head, nothing) = ask(&file, Method::HEAD, &other).await;
    assert_eq!((head.status().as_u16(), nothing.len()), (412, 0), "a HEAD has no body");
    assert_eq!(field(&head, "content-length"), bytes.len().to_string(), "and says what the GET's is");
    assert_eq!(field(&head, "content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_form_that_nobody_can_make_is_a_problem_that_names_those_that_can_be_made() {
    let response = problems::not_acceptable(&["text/csv", "application/json"]);
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let told = problem(&Response::from_parts(parts, ()), &bytes);
    assert_eq!((told.status, &*told.kind), (406, "urn:tram:problem:not-acceptable"));
    assert!(told.detail.contains("text/csv, application/json"), "{}", told.detail);
}

#[tokio::test]
async fn a_span_is_not_held_while_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(dir.path(), 1_000_000);
    for asked in ["bytes=100-900000", "bytes=100-"] {
        std::fs::write(&file.path, &content).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, asked.parse().unwrap());
        let mut body = file.answer(&Method::GET, &headers).await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.len() <= PIECE_BYTES && first == content[100..100 + first.len()]);
        // What was not sent yet is not in memory: cut away on the disk, it cannot come any more.
        std::fs::write(&file.path, &content[..200]).unwrap();
        let mut came = first.len();
        while let Some(Ok(frame)) = body.frame().await {
            came += frame.into_data().unwrap().len();
        }
        assert!(came <= 2 * PIECE_BYTES, "{came} bytes of {asked} were held");
    }
}

#[tokio::test]
async fn an_empty_file_is_whole_and_has_no_span() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = file(dir.path(), 0);
    let (response, bytes) = ask(&file, Method::GET, &[]).await;
    assert_eq!((response.status().as_u16(), bytes.len(), field(&response, "content-length")), (200, 0, "0"));
    assert_eq!(ask(&file, Method::GET, &[(header::RANGE, "bytes=0-")]).await.0.status(), 416);
}

#[tokio::test]
async fn a_file_that_was_cut_or_is_gone_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(dir.path(), 100);
    std::fs::write(&file.path, &content[..99]).unwrap();
    assert!(matches!(file.answer(&Method::GET, &HeaderMap::new()).await, Err(Error::Internal(_))));
    std::fs::remove_file(&file.path).unwrap();
    assert!(matches!(file.answer(&Method::HEAD, &HeaderMap::new()).await, Err(Error::Io { .. })));
}

#[test]
fn names_of_files_are_plain() {
    assert_eq!(plain_name("bụi-2026 \"x\"\r\n/../a.csv"), "b-i-2026--x----..-a.csv");
}
