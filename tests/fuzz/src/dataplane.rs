//! Readers of the crate `dataplane` that need nothing of its engine, taken by their path: the engine itself would take longer
//! to build with coverage than all targets run.

#![allow(dead_code, reason = "only the readers' faces are called here")]

#[path = "../../../node/dataplane/src/inspect/footer.rs"]
pub(crate) mod footer;
#[path = "../../../node/dataplane/src/inspect/page_header.rs"]
pub(crate) mod page_header;
#[path = "../../../node/dataplane/src/records.rs"]
pub(crate) mod records;
#[path = "../../../node/dataplane/src/inspect/thrift.rs"]
pub(crate) mod thrift;
