//! Chunks: written, read while they are written, carried over, checked, put together.

use std::path::Path;

use dataplane::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use dataplane::merkle::{Sha256, root};
use dataplane::{
    Accepted, Chunk, ChunkDigest, ChunkWriter, Column, ColumnKind, DataError, Inbox, Job, Schema,
    SpoolReader, SpoolState, run, spool,
};

use crate::common::{answer, csv, job};

const SIZE: u64 = CHUNK_BYTES_MIN;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

fn sealed(dir: &Path, data: &[u8]) -> SpoolReader {
    let (mut writer, reader) = ChunkWriter::create(dir, SIZE).unwrap();
    // In pieces that do not fall on the bounds of chunks.
    for piece in data.chunks(100_003) {
        writer.write(piece).unwrap();
    }
    writer.seal(7, false).unwrap();
    reader
}

async fn chunk(reader: &SpoolReader, number: u64) -> (Vec<u8>, ChunkDigest) {
    match reader.read_chunk(number).await.unwrap() {
        Chunk::Ready(bytes, digest) => (bytes.to_vec(), digest),
        Chunk::NotYet => panic!("chunk {number} is not there"),
    }
}

#[tokio::test]
async fn chunks_are_the_data_cut_evenly() {
    let size = SIZE as usize;
    for length in [0, 1, size - 1, size, size + 1, 3 * size, 3 * size + 17] {
        let dir = tempfile::tempdir().unwrap();
        let data = bytes(length);
        let reader = sealed(dir.path(), &data);
        let summary = reader.summary().unwrap();
        let expected: Vec<ChunkDigest> =
            data.chunks(size).map(|c| ChunkDigest { len: c.len() as u64, sha256: Sha256::of(c) }).collect();
        assert_eq!(summary.chunks, expected);
        assert_eq!((summary.bytes, summary.rows), (length as u64, 7));
        assert_eq!((summary.sha256, summary.root), (Sha256::of(&data), root(&expected)));
        for (number, part) in (0..).zip(data.chunks(size)) {
            assert_eq!(chunk(&reader, number).await.0, part);
        }
        let past = expected.len() as u64;
        assert!(matches!(reader.read_chunk(past).await, Err(DataError::NoChunk(n)) if n == past));
        // And the same after a restart.
        let again = SpoolReader::open(dir.path()).unwrap();
        assert_eq!(again.summary(), reader.summary());
        assert_eq!(again.progress(), reader.progress());
    }
}

#[test]
fn sizes_outside_the_bounds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for size in [0, CHUNK_BYTES_MIN - 1, CHUNK_BYTES_MAX + 1, u64::MAX] {
        assert!(matches!(ChunkWriter::create(dir.path(), size), Err(DataError::ChunkSize(n)) if n == size));
    }
    assert!(ChunkWriter::create(dir.path(), CHUNK_BYTES_MAX).is_ok());
}

#[tokio::test]
async fn a_chunk_is_served_while_the_next_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = ChunkWriter::create(dir.path(), SIZE).unwrap();
    assert_eq!(reader.read_chunk(0).await.unwrap(), Chunk::NotYet);
    let data = bytes(SIZE as usize + 10);
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.wait_chunk(0).await }
    });
    tokio::task::yield_now().await;
    writer.write(&data).unwrap();
    assert!(matches!(waiting.await.unwrap().unwrap(), Chunk::Ready(b, _) if b[..] == data[..SIZE as usize]));
    assert_eq!(reader.read_chunk(1).await.unwrap(), Chunk::NotYet);
    assert_eq!(reader.summary(), None);
    assert!(
        matches!(SpoolReader::open(dir.path()), Err(DataError::Spool(_))),
        "not sealed, so not to be trusted"
    );
    writer.seal(1, false).unwrap();
    assert_eq!(chunk(&reader, 1).await.0, &data[SIZE as usize..]);
}

#[tokio::test]
async fn an_abandoned_spool_says_so_and_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    let (mut writer, reader) = ChunkWriter::create(dir.path(), SIZE).unwrap();
    writer.write(&bytes(SIZE as usize)).unwrap();
    drop(writer);
    assert_eq!(reader.progress().state, SpoolState::Abandoned);
    assert!(matches!(reader.wait_chunk(1).await, Err(DataError::NoChunk(1))));
    let reader = sealed(dir.path(), b"short");
    assert_eq!(reader.summary().unwrap().chunks.len(), 1);
    assert!(dir.path().join("notes.txt").exists());
    assert!(dir.path().join("0.chunk").exists());
}

#[tokio::test]
async fn a_damaged_spool_is_noticed() {
    let data = bytes(2 * SIZE as usize);
    let spoil: [fn(&Path); 4] = [
        |d| std::fs::remove_file(d.join("1.chunk")).unwrap(),
        |d| std::fs::write(d.join("1.chunk"), b"short").unwrap(),
        |d| std::fs::write(d.join("spool.json"), b"{}").unwrap(),
        |d| {
            let text = std::fs::read_to_string(d.join("spool.json")).unwrap();
            let other = Sha256::of(b"other").to_string();
            let root = text.rfind("\"root\":\"").unwrap() + 8;
            std::fs::write(d.join("spool.json"), format!("{}{other}{}", &text[..root], &text[root + 64..]))
                .unwrap();
        },
    ];
    for spoil in spoil {
        let dir = tempfile::tempdir().unwrap();
        sealed(dir.path(), &data);
        assert!(SpoolReader::open(dir.path()).is_ok());
        spoil(dir.path());
        assert!(matches!(SpoolReader::open(dir.path()), Err(DataError::Spool(_))));
    }
}

fn big_job(dir: &Path) -> Job {
    let path = dir.join("big.csv");
    let rows: String = (0..60_000).map(|i| format!("{i},person number {i}\n")).collect();
    std::fs::write(&path, format!("n,name\n{rows}")).unwrap();
    let schema = Schema::new(vec![
        Column::new("n", ColumnKind::Integer, false),
        Column::new("name", ColumnKind::String, false),
    ])
    .unwrap();
    job(csv(&path), schema)
}

#[tokio::test]
async fn an_answer_is_spooled_carried_over_and_put_together() {
    let dir = tempfile::tempdir().unwrap();
    let job = big_job(dir.path());
    let (expected, outcome) = answer(job.clone()).await.unwrap();
    let (writer, reader) = ChunkWriter::create(&dir.path().join("spool"), SIZE).unwrap();
    let summary = spool(run(job).await.unwrap(), writer).await.unwrap();
    assert_eq!((summary.rows, summary.bytes), (outcome.rows, expected.len() as u64));
    assert_eq!(summary.sha256, Sha256::of(&expected));
    assert!(summary.chunks.len() > 3);

    let inbox_dir = dir.path().join("inbox");
    let target = dir.path().join("received.csv");
    let count = summary.chunks.len() as u64;
    // In any order, in two sittings, each chunk offered twice.
    let mut inbox = Inbox::open(&inbox_dir).unwrap();
    for number in (0..count).rev().step_by(2) {
        let (bytes, digest) = chunk(&reader, number).await;
        assert_eq!(inbox.accept(number, &digest, &bytes).unwrap(), Accepted::New);
        assert_eq!(inbox.accept(number, &digest, &bytes).unwrap(), Accepted::Held);
    }
    let missing = inbox.missing(&summary.chunks);
    assert_eq!(missing.len() as u64, count / 2);
    let early = inbox.assemble(&summary.chunks, &summary.sha256, &target);
    assert!(matches!(early, Err(DataError::Incomplete(n)) if n == count / 2));
    drop(inbox);
    let mut inbox = Inbox::open(&inbox_dir).unwrap();
    assert_eq!(inbox.missing(&summary.chunks), missing);
    for number in missing {
        let (bytes, digest) = chunk(&reader, number).await;
        inbox.accept(number, &digest, &bytes).unwrap();
    }
    assert_eq!(inbox.next_missing(), count);
    let wrong = inbox.assemble(&summary.chunks, &Sha256::of(b"other"), &target);
    assert!(matches!(wrong, Err(DataError::WholeMismatch(_))));
    assert!(!target.exists());
    assert_eq!(inbox.assemble(&summary.chunks, &summary.sha256, &target).unwrap(), expected.len() as u64);
    assert!(std::fs::read(&target).unwrap() == expected);
    inbox.discard().unwrap();
    assert!(!inbox_dir.exists());
}

#[tokio::test]
async fn a_failing_answer_abandons_its_spool() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = big_job(dir.path());
    job.limits.rows_max = 40_000;
    let (writer, reader) = ChunkWriter::create(&dir.path().join("spool"), SIZE).unwrap();
    let error = spool(run(job).await.unwrap(), writer).await.unwrap_err();
    assert!(matches!(error, DataError::Quota { .. }));
    assert_eq!(reader.progress().state, SpoolState::Abandoned);
    assert_eq!(reader.summary(), None);
}

#[test]
fn only_the_announced_chunk_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut inbox = Inbox::open(dir.path()).unwrap();
    let right = ChunkDigest { len: 3, sha256: Sha256::of(b"abc") };
    for wrong in [&b"abd"[..], b"ab", b"abcd", b""] {
        assert!(matches!(inbox.accept(0, &right, wrong), Err(DataError::ChunkMismatch { number: 0, .. })));
    }
    let huge = ChunkDigest { len: CHUNK_BYTES_MAX + 1, ..right };
    assert!(matches!(inbox.accept(0, &huge, b"abc"), Err(DataError::NoChunk(0))));
    assert!(matches!(inbox.accept(u64::MAX, &right, b"abc"), Err(DataError::NoChunk(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a refused chunk leaves no trace");
    inbox.accept(0, &right, b"abc").unwrap();
    // Another manifest, another chunk: it is asked for again and replaced.
    let other = ChunkDigest { len: 3, sha256: Sha256::of(b"xyz") };
    assert_eq!(inbox.missing(&[other]), [0]);
    assert_eq!(inbox.accept(0, &other, b"xyz").unwrap(), Accepted::New);
    assert!(inbox.missing(&[other]).is_empty());
}

#[test]
fn what_lies_on_disk_is_hashed_before_it_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let chunks = [b"abc", b"def"].map(|c| ChunkDigest { len: 3, sha256: Sha256::of(c) });
    let mut inbox = Inbox::open(dir.path()).unwrap();
    inbox.accept(0, &chunks[0], b"abc").unwrap();
    inbox.accept(1, &chunks[1], b"def").unwrap();
    // As after a torn write, a stranger's file, an unfinished one.
    std::fs::write(dir.path().join("0.chunk"), b"ab\0").unwrap();
    std::fs::write(dir.path().join("2.chunk"), b"").unwrap();
    std::fs::write(dir.path().join("1.chunk.part"), b"de").unwrap();
    let inbox = Inbox::open(dir.path()).unwrap();
    assert_eq!(inbox.missing(&chunks), [0]);
    assert_eq!(inbox.next_missing(), 2, "before the manifest is known it counts as held");
}
