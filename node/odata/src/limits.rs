//! Every limit of this crate, with its reason.

/// Longest query string of a request, in bytes, before it is decoded: what servers and proxies let through anyway.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Most parameters of a request: there are fewer than ten system query options, the rest is a client's own.
pub const PARAMETERS_MAX: usize = 64;

/// Longest filter, in bytes after decoding: half of [`QUERY_BYTES_MAX`]; reporting programs write long lists of values.
pub const FILTER_BYTES_MAX: usize = 8 * 1024;

/// Deepest nesting of a filter's parentheses, calls and `not`: people write two or three, programs about ten. It also
/// bounds how deep the reader and the evaluator go on the stack.
pub const DEPTH_MAX: usize = 32;

/// Most words, values and signs of a filter; each costs at most one step of the evaluator for each row.
pub const TOKENS_MAX: usize = 2_048;

/// Most values of one `in`, as many as the node's own query language takes.
pub const VALUES_MAX: usize = 256;

/// Most conditions that are handed to the query of the node, its own limit; what is beyond them is done row by row.
pub const CLAUSES_MAX: usize = 32;

/// Most comparisons in all those conditions together: the engine's own limit.
pub const TESTS_MAX: usize = 64;

/// Longest value that is handed to the query of the node, in bytes: its own limit.
pub const VALUE_BYTES_MAX: usize = 1_024;

/// Most columns to sort by: those of the node's own query language.
pub const ORDER_MAX: usize = 16;

/// Longest name of a property, in characters (CSDL 4.01, 17.2: SimpleIdentifier).
pub const NAME_CHARS_MAX: usize = 128;

/// Most that `$top` and `$skip` may say: more rows than any table here has, and far from overflow.
pub const ROWS_MAX: u64 = 1 << 40;

/// Longest text of a request that an error message repeats, in characters: enough to find the place.
pub const QUOTE_CHARS_MAX: usize = 80;

/// Longest text that `concat` makes, in bytes: a filter compares names and codes, it does not write documents.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
