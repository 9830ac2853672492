//! WHO: keys, certificates, the federation registry, signed messages
