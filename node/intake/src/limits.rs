//! The limits of what is read. They are wide for what agencies have and narrow for what attackers make.

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 2_048;
/// Longest cell, bytes.
pub const CELL_BYTES_MAX: usize = 1 << 20;
/// Longest row, bytes over all cells.
pub const ROW_BYTES_MAX: usize = 8 << 20;
/// Most problems that one run tells; the rest is counted.
pub const PROBLEMS_MAX: usize = 100;
/// Most characters of a cell that a message quotes.
pub const QUOTED_CHARS_MAX: usize = 60;
/// Largest file with a secret, bytes.
pub const SECRET_BYTES_MAX: u64 = 16 << 10;
/// Longest mapping file, bytes.
pub const MAPPING_BYTES_MAX: usize = 1 << 20;
/// Most source columns that one column is joined of.
pub const JOINED_MAX: usize = 8;
/// Most words of a list in a mapping, and forms of a date.
pub const WORDS_MAX: usize = 100;
/// Largest code list, bytes.
pub const CODES_BYTES_MAX: u64 = 4 << 20;
/// Most rows of a code list.
pub const CODES_ROWS_MAX: usize = 100_000;
/// Most different unknown codes of a column that a report lists; the rest is counted.
pub const UNKNOWN_MAX: usize = 50;
/// Longest number, characters.
pub const NUMBER_CHARS_MAX: usize = 64;
/// Most keys that are held in memory to find duplicates, over all columns; more go to a scratch file. About 40 MB.
pub const KEYS_IN_MEMORY: usize = 900_000;
/// Most scratch files for the duplicates of one key.
pub const KEY_RUNS_MAX: usize = 256;
/// Most places of offending rows that a result names.
pub const PLACES_MAX: usize = 5;
/// Most different values of a column that are counted exactly; more are estimated. A table of more than a hundred columns
/// shares out a hundred times as many, here and below.
pub const DISTINCT_EXACT_MAX: usize = 10_000;
/// Most different values of a column among which the most frequent ones are told.
pub const TOP_AMONG_MAX: usize = 1_000;
/// Columns that have all of that to themselves.
pub const PROFILED_IN_FULL: usize = 100;
/// Most frequent values that a profile tells.
pub const TOP_MAX: usize = 10;
/// Most bins of a histogram.
pub const BINS_MAX: usize = 32;
/// Longest wait until a server answers a connection, seconds.
pub const CONNECT_SECONDS: u64 = 15;
/// Longest wait for the next bytes of a server, seconds.
pub const IDLE_SECONDS: u64 = 60;
/// Longest time that a server may work on one step, such as the first rows of a sorted query, seconds.
pub const STEP_SECONDS: u64 = 900;
/// Longest time that one reading of a server takes unless the origin says less, seconds.
pub const READ_SECONDS: u64 = 6 * 3_600;
/// Longest time of a check, seconds.
pub const CHECK_SECONDS: u64 = 30;
/// Longest query that a description may hold, bytes.
pub const QUERY_BYTES_MAX: usize = 64 << 10;
/// Largest file with certificate authorities, bytes.
pub const CA_BYTES_MAX: u64 = 4 << 20;
/// Most pages of an answer in pages.
pub const PAGES_MAX: u64 = 100_000;
/// Largest page of JSON, bytes.
pub const PAGE_BYTES_MAX: u64 = 16 << 20;
/// Most bytes that one reading takes from a server of pages or objects.
pub const FETCHED_BYTES_MAX: u64 = 64 << 30;
/// Deepest objects in objects of a record.
pub const NESTED_MAX: usize = 8;
/// Most attempts of one request that a server puts off.
pub const ATTEMPTS_MAX: u32 = 4;
/// Longest wait that a server may ask for between two attempts, seconds.
pub const RETRY_SECONDS_MAX: u64 = 60;
/// Largest object of an object store, bytes.
pub const OBJECT_BYTES_MAX: u64 = 16 << 30;
/// Most pages (of 1,000 names) of the list of an object store.
pub const LISTS_MAX: u32 = 1_000;
