//! Attacks and properties.
