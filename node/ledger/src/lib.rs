//! DID: the tamper-evident log: tiles, checkpoints, proofs, statements, receipts
