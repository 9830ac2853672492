//! Every limit of the store, with its reason. The tests stand at their edges.

/// Longest key, in bytes. An index node of the engine holds up to 256 keys and must stay under its 128 KiB fragment
/// limit, above which it writes to files that nobody syncs.
pub const KEY_BYTES_MAX: usize = 256;

/// Longest value, in bytes. Larger things are files of their own, with their digest kept here.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// Longest piece of a value inside the engine, in bytes. A leaf holds up to 16 items before it splits; 16 pieces of
/// 4 KiB stay under the engine's 128 KiB fragment limit.
pub const PART_BYTES: usize = 4096;

/// Most checks, and most writes, of one transaction: keeps one caller from holding up all others.
pub const TX_ITEMS_MAX: usize = 1000;

/// Most bytes (keys and values) of one transaction.
pub const TX_BYTES_MAX: usize = 4 << 20;

/// Most transactions that are made durable by one sync.
pub(crate) const GROUP_TX_MAX: usize = 256;

/// A group takes no further transaction once it holds this many bytes.
pub(crate) const GROUP_BYTES_SOFT: usize = 1 << 20;

/// Transactions that may wait for the committer; further ones are refused as busy instead of eating memory.
pub const QUEUE_MAX: usize = 4096;

/// Most records of one page of [`crate::Store::scan`]; a larger `limit` is lowered to it.
pub const SCAN_RECORDS_MAX: usize = 1000;

/// A page of a scan ends early once it holds this many bytes of values.
pub const SCAN_BYTES_SOFT: usize = 8 << 20;

/// Hints that a slow watcher may fall behind before it is told that it missed some.
pub(crate) const WATCH_BACKLOG: usize = 1024;

/// The engine's page cache, in bytes: a node idles under 60 MB, and the cache fills only with use.
pub const CACHE_BYTES: u64 = 64 << 20;

/// Free space below which the store does not open, in bytes: the engine writes a snapshot while it opens, and cannot
/// open at all on a full disk.
pub const FREE_OPEN_MIN_BYTES: u64 = 256 << 20;

/// Free space below which writes are refused, in bytes. Above the limit for opening, so that a store that stopped
/// writing can still be opened.
pub const FREE_WRITE_MIN_BYTES: u64 = 512 << 20;

/// Longest line of an export, in bytes: one record with its value in base64 and its names.
pub(crate) const EXPORT_LINE_BYTES_MAX: u64 = (VALUE_BYTES_MAX as u64) * 2;

/// Bad records that one report lists by name; the rest is counted.
pub const REPORT_BAD_MAX: usize = 100;
