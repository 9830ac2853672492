//! Sealed chunks from a spool to a file: nothing in clear on either disk before the key, all of it after.

use std::path::Path;

use dataplane::limits::CHUNK_BYTES_MIN;
use dataplane::merkle::Sha256;
use dataplane::sealing::{OVERHEAD, Sealer, SealingKey};
use dataplane::{ChunkDigest, ChunkWriter, DataError, Inbox};

const SIZE: u64 = CHUNK_BYTES_MIN;
const EXCHANGE: &str = "01J9ZQ3V6T8W4X5Y6Z7A8B9CDE";
const LINE: &[u8] = b"Hoang Quoc Viet,120\n";

fn sealer(key: u8, exchange: &str) -> Sealer {
    Sealer::new(&SealingKey::new([key; 32]), exchange).unwrap()
}

fn rows(bytes: usize) -> Vec<u8> {
    LINE.iter().copied().cycle().take(bytes).collect()
}

/// A sealed spool of these rows in `dir`; its chunks as a manifest lists them.
fn spool(dir: &Path, data: &[u8]) -> Vec<ChunkDigest> {
    let (writer, _) = ChunkWriter::create(dir, SIZE).unwrap();
    let mut writer = writer.sealed(sealer(7, EXCHANGE));
    for piece in data.chunks(100_003) {
        writer.write(piece).unwrap();
    }
    let summary = writer.seal(1, false).unwrap();
    assert_eq!(summary.sha256, Sha256::of(data));
    assert_eq!(summary.bytes, data.len() as u64 + OVERHEAD * summary.chunks.len() as u64);
    summary.chunks.clone()
}

fn carry(from: &Path, to: &Path, chunks: &[ChunkDigest]) -> Inbox {
    let mut inbox = Inbox::open(to).unwrap();
    for (number, chunk) in (0u64..).zip(chunks) {
        let bytes = std::fs::read(from.join(format!("{number}.chunk"))).unwrap();
        inbox.accept(number, chunk, &bytes).unwrap();
    }
    inbox
}

/// Rows that went through a spool and an inbox, both of them sealed.
struct Carried {
    home: tempfile::TempDir,
    data: Vec<u8>,
    chunks: Vec<ChunkDigest>,
    inbox: Inbox,
}

impl Carried {
    fn of(bytes: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = rows(bytes);
        let chunks = spool(&home.path().join("spool"), &data);
        let inbox = carry(&home.path().join("spool"), &home.path().join("inbox"), &chunks);
        Self { home, data, chunks, inbox }
    }

    fn open(&self, chunks: &[ChunkDigest], sealer: &Sealer) -> Result<u64, DataError> {
        self.inbox.open_sealed(chunks, &Sha256::of(&self.data), sealer, &self.target())
    }

    fn target(&self) -> std::path::PathBuf {
        self.home.path().join("rows")
    }

    fn nothing_is_left(&self) {
        assert!(!self.target().exists() && !self.target().with_extension("part").exists());
    }
}

#[test]
fn sealed_rows_arrive_and_lie_nowhere_in_clear_before() {
    let room = (SIZE - OVERHEAD) as usize;
    for bytes in [0, 1, room - 1, room, room + 1, 3 * room + 17] {
        let carried = Carried::of(bytes);
        assert_eq!(carried.chunks.len(), bytes.div_ceil(room));
        for folder in ["spool", "inbox"] {
            for entry in std::fs::read_dir(carried.home.path().join(folder)).unwrap() {
                let found = std::fs::read(entry.unwrap().path()).unwrap();
                assert!(!found.windows(LINE.len()).any(|window| window == LINE), "rows in clear in {folder}");
            }
        }
        assert_eq!(carried.open(&carried.chunks, &sealer(7, EXCHANGE)).unwrap(), bytes as u64);
        assert_eq!(std::fs::read(carried.target()).unwrap(), carried.data);
    }
}

#[test]
fn another_key_or_exchange_leaves_no_file() {
    let carried = Carried::of(2 * SIZE as usize);
    for other in [sealer(8, EXCHANGE), sealer(7, "01J9ZQ3V6T8W4X5Y6Z7A8B9CDF")] {
        let told = carried.open(&carried.chunks, &other);
        assert!(matches!(told, Err(DataError::NotOpened { number: 0 })), "{told:?}");
        carried.nothing_is_left();
    }
}

#[test]
fn chunks_that_the_provider_swapped_do_not_open() {
    let carried = Carried::of(3 * SIZE as usize);
    let from = carried.home.path().join("spool");
    for (number, other) in [("0", "1"), ("1", "2"), ("2", "0")] {
        std::fs::copy(from.join(format!("{number}.chunk")), from.join(format!("{other}.moved"))).unwrap();
    }
    let mut chunks = carried.chunks.clone();
    chunks.truncate(3);
    chunks.rotate_right(1);
    let to = carried.home.path().join("swapped");
    let mut inbox = Inbox::open(&to).unwrap();
    for (number, chunk) in (0u64..).zip(&chunks) {
        let bytes = std::fs::read(from.join(format!("{number}.moved"))).unwrap();
        inbox.accept(number, chunk, &bytes).unwrap();
    }
    let told = inbox.open_sealed(&chunks, &Sha256::of(b"-"), &sealer(7, EXCHANGE), &carried.target());
    assert!(matches!(told, Err(DataError::NotOpened { number: 0 })), "{told:?}");
    carried.nothing_is_left();
}

#[test]
fn rows_that_are_not_the_announced_ones_leave_no_file() {
    let carried = Carried::of(SIZE as usize);
    let sealer = sealer(7, EXCHANGE);
    let told = carried.inbox.open_sealed(&carried.chunks, &Sha256::of(b"-"), &sealer, &carried.target());
    assert!(matches!(told, Err(DataError::WholeMismatch(_))), "{told:?}");
    carried.nothing_is_left();
}

#[test]
fn a_chunk_that_this_disk_spoilt_is_not_called_the_providers_fault() {
    let carried = Carried::of(SIZE as usize);
    let path = carried.home.path().join("inbox").join("1.chunk");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let told = carried.open(&carried.chunks, &sealer(7, EXCHANGE));
    assert!(matches!(told, Err(DataError::ChunkMismatch { number: 1, .. })), "{told:?}");
    carried.nothing_is_left();
}
