//! HOW: Dataspace Protocol messages, state machines, agreements, manifests. No clock, no network, no disk
