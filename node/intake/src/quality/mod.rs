//! Quality: rows held against a contract's rules.

mod fit;

pub(crate) use fit::Fit;
