//! Drives several real nodes on real sockets
