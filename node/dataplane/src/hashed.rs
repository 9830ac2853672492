//! What is being written, hashed and counted on the way.

use std::io::{self, Write};

use sha2::Digest as _;

use crate::merkle::Sha256;

/// Hands on what is written, and keeps its SHA-256 and length. Into [`io::sink`] it hashes alone.
#[derive(Debug)]
pub(crate) struct Hashed<W> {
    out: W,
    sha256: sha2::Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, sha256: sha2::Sha256::new(), bytes: 0 }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what was written so far.
    pub(crate) fn sha256(&self) -> Sha256 {
        Sha256(self.sha256.clone().finalize().into())
    }

    pub(crate) fn get_ref(&self) -> &W {
        &self.out
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.sha256.update(bytes.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
