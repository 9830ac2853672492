//! Keys and names that the tests of this crate share: those of the design's vectors.

use certs::note::{Cosigner, KeyName, Signer};
use ed25519_dalek::SigningKey;

pub(crate) const LOG_ORIGIN: &str = "ledger.example/agency-a/exchange-log";

pub(crate) fn signer(name: &str, seed: u8) -> Signer {
    Signer::new(KeyName::new(name).unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

pub(crate) fn log_signer() -> Signer {
    signer(LOG_ORIGIN, 7)
}

pub(crate) fn witness() -> Cosigner {
    Cosigner::new(KeyName::new("witness.example/agency-b").unwrap(), SigningKey::from_bytes(&[9; 32]))
}
