//! Every limit of this crate, with its reason. A peer can reach none of the code below without passing one of these.

/// Bytes of one protocol message. The largest honest one is a catalog page; 100 datasets of 8 KiB fit.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Nesting of JSON objects and arrays. A catalog inside a catalog with logical constraints needs about 16.
pub const JSON_DEPTH_MAX: usize = 32;

/// Nesting of what this node itself stored. A message at [`JSON_DEPTH_MAX`] that gave single objects where lists are due
/// is stored with the lists, at most twice as deep, and a query within two levels more: it must still be readable.
pub const STORED_DEPTH_MAX: usize = 2 * JSON_DEPTH_MAX + 8;

/// Bytes of an id. Ids are opaque; the longest real ones (IRIs with a path) have about 200.
pub const ID_BYTES_MAX: usize = 1024;

/// Bytes of a URL that a peer gives. What common servers and proxies accept as a request line.
pub const ADDRESS_BYTES_MAX: usize = 2048;

/// Bytes of a short text: codes, formats, operands, actions.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Items of one list of a message (datasets, rules, constraints, reasons). Bounds work that grows with the square.
pub const LIST_ITEMS_MAX: usize = 1000;

/// Bytes of `urn:tram:ns:query` in canonical form. A filter over a hundred columns has about 8 KiB.
pub const QUERY_BYTES_MAX: usize = 16 << 10;

/// Messages that one negotiation may take before it must be closed. Ten rounds of haggling have about 25.
pub const NEGOTIATION_STEPS_MAX: usize = 64;

/// Messages that one transfer may take. A line that breaks every hour for a month suspends and resumes 1,440 times.
pub const TRANSFER_STEPS_MAX: usize = 4096;

/// The smallest chunk of a transfer: below it the request costs more than the data on a slow line.
pub const CHUNK_BYTES_MIN: u64 = 256 << 10;

/// The largest chunk of a transfer: what is sent again after a cut.
pub const CHUNK_BYTES_MAX: u64 = 8 << 20;

/// Chunks of one transfer: 8 TiB at the largest chunk size.
pub const MANIFEST_CHUNKS_MAX: usize = 1 << 20;

/// Columns of one dataset.
pub const MANIFEST_COLUMNS_MAX: usize = 4096;

/// Bytes of a manifest: the limit of chunks at about 100 bytes each, and the rest.
pub const MANIFEST_BYTES_MAX: usize = 128 << 20;

/// Largest whole number that every JSON reader keeps exactly (RFC 7493 section 2.2): 2^53 - 1.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;
