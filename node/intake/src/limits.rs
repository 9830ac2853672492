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
