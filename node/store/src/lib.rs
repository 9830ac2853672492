//! KEEPS: what the node remembers, on sled
