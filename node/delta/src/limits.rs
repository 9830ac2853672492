//! Every limit of this crate, with its reason.

/// Bytes of the body of a question. The longest honest one has a tree of conditions and no more.
pub const BODY_BYTES_MAX: usize = 256 << 10;

/// Bytes of one hint. A condition over a hundred values has about 10 KiB; a longer one is not looked at.
pub const HINT_BYTES_MAX: usize = 64 << 10;

/// Hints of one question; what comes after them is not looked at.
pub const HINTS_MAX: usize = 64;

/// Nodes of one tree of conditions: bounds the work for each file.
pub const HINT_NODES_MAX: usize = 1024;

/// Nesting of one tree of conditions. Clients write a few levels.
pub const HINT_DEPTH_MAX: usize = 32;

/// Entries of one page of a list.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Bytes of a page token: ours hold one name.
pub const PAGE_TOKEN_BYTES_MAX: usize = 1024;

/// Bytes of the header with a client's capabilities. The longest known has about 200.
pub const CAPABILITIES_BYTES_MAX: usize = 2048;

/// Bytes of a time in a question.
pub const MOMENT_BYTES_MAX: usize = 64;

/// Versions that one question for changes may span. Each is compared with the one before.
pub const CHANGES_VERSIONS_MAX: u64 = 1000;
