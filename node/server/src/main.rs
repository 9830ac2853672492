//! One node of an agency.
fn main() {}
