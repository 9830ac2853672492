//! Every limit of this crate, named, with its reason. What passes a limit is refused, never cut silently.

use std::path::PathBuf;
use std::time::Duration;

/// Longest record (a CSV record, a JSON object) in bytes. Real rows are a few kilobytes; a longer one is a broken
/// quote or an attack, and the reader must not hold it in memory.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Most columns of a table: the widest real table is below, and plans grow with it.
pub const COLUMNS_MAX: usize = 2_048;
/// Longest column name in bytes: headers are sentences at times, more is a broken file.
pub const NAME_BYTES_MAX: usize = 256;
/// Deepest nesting while looking for the end of a JSON record; values themselves must be flat.
pub const JSON_DEPTH_MAX: usize = 32;
/// Records that an inspection looks at to tell the kinds of the columns.
pub const SAMPLE_ROWS_MAX: u64 = 10_000;
/// Problems that one validation reports: people repair a pattern, not a list.
pub const PROBLEMS_MAX: usize = 20;
/// Longest piece of a cell quoted in a problem, in characters.
pub const QUOTED_CHARS_MAX: usize = 40;
/// Largest Parquet footer that is read, in bytes: it is held in memory whole.
pub const PARQUET_FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest row group of a Parquet source, uncompressed: a reader holds pages of it in memory.
pub const PARQUET_ROW_GROUP_BYTES_MAX: i64 = 1024 * 1024 * 1024;
/// Longest page of a Parquet source, packed or not: it is held in memory whole. Writers make pages of about 1 MiB, some of a
/// whole row group.
pub const PARQUET_PAGE_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Deepest schema of a Parquet source: its reader follows it by calling itself. Tables are flat, so this is for the message.
pub const PARQUET_SCHEMA_DEPTH_MAX: usize = 32;
/// Most pieces (columns times row groups) of a Parquet source: each is a record in memory.
pub const PARQUET_CHUNKS_MAX: u64 = 200_000;
/// Most rows of a Parquet source: some bytes can say "a thousand million times the same", and reading them takes the time.
pub const PARQUET_ROWS_MAX: i64 = 10_000_000_000;
/// Texts of one batch of a Parquet source, written out.
pub const PARQUET_BATCH_TEXT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most predicates in one query or one restriction: each is evaluated on every row.
pub const PREDICATES_MAX: usize = 64;
/// Most values behind one `in`.
pub const IN_VALUES_MAX: usize = 1_000;
/// Longest text value of a predicate or a constant mask, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Most measures of one query.
pub const MEASURES_MAX: usize = 64;
/// Most group-by columns of one query.
pub const GROUP_BY_MAX: usize = 16;
/// Most columns that an answer is sorted by.
pub const ORDER_BY_MAX: usize = 16;
/// Most answers that are put together.
pub const JOINED_MAX: usize = 16;
/// Longest query written as SQL, in bytes: room for an `IN` of many values.
pub const SQL_BYTES_MAX: usize = 64 * 1024;
/// Deepest parentheses in SQL: each level takes stack while it is parsed.
pub const SQL_DEPTH_MAX: usize = 6;
/// Most keywords and operators in SQL: the parser's tree can be as deep as there are of them, and dropping it takes
/// stack.
pub const SQL_JOINTS_MAX: usize = 512;

/// Smallest chunk: below, digests and round trips cost more than the bytes.
pub const CHUNK_BYTES_MIN: u64 = 256 * 1024;
/// Default chunk.
pub const CHUNK_BYTES_DEFAULT: u64 = 4 * 1024 * 1024;
/// Largest chunk: a cut line loses at most this.
pub const CHUNK_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most chunks of one transfer: 8 TiB at the largest size, and a manifest of about 70 MB.
pub const CHUNKS_MAX: u64 = 1_048_576;

/// Memory that sorting one copy may hold, in bytes; what is beyond lies in sorted runs on the disk. Two copies are made one
/// after the other, so a question for changes costs no more than a sorted answer does.
pub const SORT_BYTES: usize = 32 * 1024 * 1024;
/// Most sorted runs of one copy before they are merged into one: each is an open file with a buffer.
pub const SORT_RUNS_MAX: usize = 256;
/// Largest part of an answer as files: readers fetch parts side by side, and some hold one in memory.
pub const PART_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Smallest limit of a part: as long as the longest record.
pub const PART_BYTES_MIN: u64 = 1024 * 1024;
/// Most rows of a part.
pub const PART_ROWS_MAX: u64 = 10_000_000;
/// Most parts of an answer: over a terabyte at the largest size.
pub const PARTS_MAX: u64 = 10_000;

/// What one answer may cost this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory that the engine may hold for groups and sorts, in bytes.
    pub memory_bytes: usize,
    /// Where the engine may put groups and sorts that do not fit in memory; `None` and it must do without. They may
    /// hold raw values: give a directory that is as well protected as the data.
    pub scratch_dir: Option<PathBuf>,
    /// Most bytes in there.
    pub disk_bytes: u64,
    /// Rows of one batch inside the engine.
    pub batch_rows: usize,
    /// Longest time from the start to the last byte, on the wall.
    pub timeout: Duration,
    /// Most rows of an answer; more is an error, not a cut.
    pub rows_max: u64,
    /// Most bytes of an answer; more is an error, not a cut.
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 128 * 1024 * 1024,
            scratch_dir: None,
            disk_bytes: 1024 * 1024 * 1024,
            batch_rows: 8_192,
            timeout: Duration::from_secs(3_600),
            rows_max: 1_000_000_000,
            bytes_max: 1 << 40,
        }
    }
}
