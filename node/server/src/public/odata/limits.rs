//! Every limit of this door, with its reason.

use std::time::Duration;

/// Rows of one page: a spreadsheet of a hundred thousand rows comes in twenty answers, and none is long in the making.
pub const PAGE_ROWS_MAX: u64 = 5_000;

/// Bytes after which a page is closed, whatever the number of its rows: it is made in memory.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes of kept rows that one answer looks through at most for rows that fulfil a filter which the engine cannot. The page
/// then ends with a link, with few rows or none (Protocol 4.01, 11.2.6.7), and its reader comes back.
pub const SCAN_BYTES_MAX: u64 = 256 << 20;

/// Longest row of an answer that is read back, in bytes: what a source may have in a row, as JSON.
pub const ROW_BYTES_MAX: u64 = 64 << 20;

/// Groups of an aggregate-only dataset that are sorted for a reader, in memory; the rules make a table of them, not a dump.
pub const SORTED_ROWS_MAX: usize = 100_000;

/// Longest opaque token that is read, in bytes; ours have some 200.
pub const TOKEN_BYTES_MAX: usize = 1_024;

/// How long an answer is kept to be read on, page by page: a reader asks for the next page at once.
pub const PAGES_KEPT: Duration = Duration::from_secs(3_600);
