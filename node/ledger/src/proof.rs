//! Proof files (C2SP `tlog-proof`): an index, its inclusion path and a checkpoint, as one text file that other
//! people's tools read too.
//!
//! Promise: [`ProofFile::parse`] accepts the canonical text only. Parsing judges nothing; the `extra` line is
//! **not authenticated** by the format, so whatever rides in it must prove itself.

use crate::checkpoint::SignedCheckpoint;
use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, PROOF_HASHES_MAX, verify_inclusion};
use crate::text;

/// First line of a proof file.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A whole proof file, in bytes: checkpoint, path and the extra line.
pub const PROOF_BYTES_MAX: usize = 1 << 20;

/// A proof that something stands at `index` of the log of that checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Bytes that ride along unauthenticated.
    pub extra: Option<Vec<u8>>,
    /// The place in the log.
    pub index: u64,
    /// The inclusion path, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// The checkpoint, with cosignatures.
    pub checkpoint: SignedCheckpoint,
}

impl ProofFile {
    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            out.push_str(&format!("extra {}\n", text::to_base64(extra)));
        }
        out.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            out.push_str(&format!("{hash}\n"));
        }
        out.push('\n');
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&self.checkpoint.to_bytes());
        bytes
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`], [`LedgerError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let refuse = |why: &str| LedgerError::malformed("proof file", why);
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(LedgerError::TooLarge {
                what: "proof file",
                bytes: bytes.len(),
                max: PROOF_BYTES_MAX,
            });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8"))?;
        let (head, checkpoint) =
            whole.split_once("\n\n").ok_or_else(|| refuse("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(refuse("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(
                line.strip_prefix("extra ")
                    .and_then(text::base64)
                    .ok_or_else(|| refuse("its extra line is not canonical base64"))?,
            ),
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(text::decimal)
            .ok_or_else(|| refuse("its index line is missing or no canonical number"))?;
        let path = lines.map(str::parse).collect::<Result<Vec<Hash>>>()?;
        if path.len() > PROOF_HASHES_MAX {
            return Err(refuse("its path is longer than that of any tree"));
        }
        Ok(Self { extra, index, path, checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())? })
    }

    /// Checks that the leaf stands at the index under the checkpoint's root. The checkpoint's signatures are
    /// checked apart ([`SignedCheckpoint::verify`]).
    ///
    /// # Errors
    /// [`LedgerError::ProofWrong`].
    pub fn verify_leaf(&self, leaf: &Hash) -> Result<()> {
        let checkpoint = self.checkpoint.checkpoint();
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::merkle::leaf_hash;
    use crate::testing::log_signer;

    /// inclusion(1, 3) of the design's vectors.
    fn vector() -> ProofFile {
        let body = "ledger.example/agency-a/exchange-log\n3\nbchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=\n";
        ProofFile {
            extra: None,
            index: 1,
            path: vec![
                "F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE=".parse().unwrap(),
                "ii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI=".parse().unwrap(),
            ],
            checkpoint: Checkpoint::parse(body).unwrap().sign(&log_signer()).unwrap(),
        }
    }

    #[test]
    fn writes_reads_and_verifies() {
        for extra in [None, Some(vec![]), Some(b"along for the ride".to_vec())] {
            let proof = ProofFile { extra, ..vector() };
            assert_eq!(ProofFile::parse(&proof.to_bytes()).unwrap(), proof);
        }
        vector().verify_leaf(&leaf_hash(br#"{"exchange":1}"#)).unwrap();
        assert!(vector().verify_leaf(&leaf_hash(br#"{"exchange":2}"#)).is_err());
        let elsewhere = ProofFile { index: 0, ..vector() };
        assert!(elsewhere.verify_leaf(&leaf_hash(br#"{"exchange":1}"#)).is_err());
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = String::from_utf8(vector().to_bytes()).unwrap();
        let long = format!("index 1\n{}", "F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE=\n".repeat(63));
        let bad = [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 1", "index 01"),
            good.replace("index 1", "Index 1"),
            good.replace("index 1\n", ""),
            good.replace("index 1\n", "index 1\nextra AAAA\n"),
            good.replace("index 1\n", "extra AAA\nindex 1\n"),
            good.replace("index 1\n", "extra AAAA\nextra AAAA\nindex 1\n"),
            good.replace("index 1\n", "index 1\n\n"),
            good.replace("index 1\n", &long),
            good.replace("ii0c", "ii0"),
            good.replace('\n', "\r\n"),
            format!(" {good}"),
        ];
        for text in bad {
            assert!(ProofFile::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(ProofFile::parse(&vec![b'a'; PROOF_BYTES_MAX + 1]).is_err());
    }
}
