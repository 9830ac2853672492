//! Every limit of the catalog, with its reason.

/// Longest data contract, in bytes: several thousand columns with their descriptions.
pub const CONTRACT_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of a data contract; ours need seven levels, other tools' sections a few more.
pub const CONTRACT_DEPTH_MAX: usize = 24;

/// Problems that one reading lists; a person mends these and reads again.
pub const PROBLEMS_MAX: usize = 50;

/// Most columns of a dataset: more than the widest statistical tables have.
pub const COLUMNS_MAX: usize = 2048;

/// Longest name of a column, in bytes.
pub const COLUMN_NAME_BYTES_MAX: usize = 256;

/// Longest title, in characters: it has to fit a list.
pub const TITLE_CHARS_MAX: usize = 300;

/// Longest description, in characters: what the data portals that harvest us accept.
pub const DESCRIPTION_CHARS_MAX: usize = 5000;

/// Most entries of any list of words (keywords, tags, collections, purposes, group-by columns).
pub const WORDS_MAX: usize = 100;

/// Longest word of such a list, in characters.
pub const WORD_CHARS_MAX: usize = 100;

/// Longest path, licence, reference or participant id, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 1024;

/// Longest search text, in characters; the rest is cut off.
pub const QUERY_CHARS_MAX: usize = 200;

/// Most words of a search that count; the rest is ignored.
pub const QUERY_WORDS_MAX: usize = 12;

/// Most hits of one page of results.
pub const HITS_MAX: usize = 100;

/// Longest word that is told from another by all its letters, in characters: longer than any word of a language.
pub const QUERY_WORD_CHARS_MAX: usize = 64;

/// Memory of the index's writer while it writes, in bytes: the least that it works with.
pub const INDEX_WRITER_BYTES: usize = 15_000_000;

/// Values of each facet that an answer tells, those with the most entries first: what a person reads.
pub const FACET_VALUES_MAX: usize = 20;

/// Most entries in the index of one node, own and peers': twice what the bench searches; some hundred MB of memory.
pub const ENTRIES_MAX: usize = 200_000;

/// Most codes of one column's list: three times the communes of the country.
pub const CODES_MAX: usize = 10_000;

/// Longest regular expression or query of a contract, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
