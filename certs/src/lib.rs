//! WHO: keys, certificates, the federation registry, signed messages

pub mod note;
