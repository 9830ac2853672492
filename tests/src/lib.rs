//! What end-to-end tests stand on: real nodes, real sockets, real files.
//!
//! A [`TestNode`] is the binary `tram` running in a folder of its own, exactly as a person would run it: `init`, `serve`,
//! commands with exit codes and two streams, `kill -9`. Nothing is mocked, and nothing of the node's own code is linked
//! here, so a test sees what an agency sees.
//!
//! What this is not: a place for the node's logic, and not a place for unit tests, which live beside the code they test.
//! The house rules (crate arrows, live documents, no machine paths) are in `tests/house.rs`.
//!
//! Begin with [`TestNode::up`] and [`pair`]:
//!
//! ```no_run
//! let ward = tests::TestNode::up("urn:agency:vn:ward", "Phường Tây Hồ");
//! let air = tests::TestNode::up("urn:agency:vn:air", "Chi cục Môi trường");
//! tests::pair(&ward, &air);
//! assert!(ward.json(&["peer", "list"]).to_string().contains("urn:agency:vn:air"));
//! ```
//!
//! Everything here panics with the command line, both streams and the node's log when it can't go on: in a test that is
//! the answer one wants. The files of `../shared` are found by [`shared`]; a test without them calls [`skip`].

pub mod bench;
mod binary;
mod command;
pub mod door;
mod files;
pub mod line;
mod node;
mod ports;
mod rules;
pub mod scene;

pub use binary::{repository, tram};
pub use command::{Output, Running, run};
pub use files::{flip_byte, rss_bytes, shared, skip};
pub use node::{TestNode, pair};
pub use ports::free_port;
pub use rules::Rules;
