//! What a log and a witness say to each other (C2SP `tlog-witness`), as bytes.
//!
//! Promise: one spelling only, within named limits. Reading judges no signature.

use certs::note::{Signature, parse_signature};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{LedgerError, Result};
use crate::merkle::Hash;
use crate::text;

/// A whole request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Lines of the consistency proof (C2SP `tlog-witness`).
pub const PROOF_LINES_MAX: usize = 63;
/// A whole answer of a witness, in bytes: some lines, post-quantum ones among them.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Cosignature lines in an answer.
pub const ANSWER_LINES_MAX: usize = 16;
/// Content type of the answer that tells a client the size to start from.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// The request for a cosignature: `POST <prefix>/add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last, as far as the client knows.
    pub old: u64,
    /// The consistency path from there (RFC 9162), empty from 0.
    pub proof: Vec<Hash>,
    /// What shall be cosigned.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// The body to send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("old {}\n", self.old);
        for hash in &self.proof {
            head.push_str(&format!("{hash}\n"));
        }
        head.push('\n');
        [head.as_bytes(), &self.checkpoint.to_bytes()].concat()
    }

    /// Reads a body. The root of a checkpoint of size 0 is not looked at: a witness must first ask who signed it.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`], [`LedgerError::Note`].
    pub fn parse(body: &[u8]) -> Result<Self> {
        let refuse = |why: &str| LedgerError::malformed("request for a cosignature", why);
        if body.len() > REQUEST_BYTES_MAX {
            let (what, bytes) = ("request for a cosignature", body.len());
            return Err(LedgerError::TooLarge { what, bytes, max: REQUEST_BYTES_MAX });
        }
        let whole = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8"))?;
        let (head, checkpoint) =
            whole.split_once("\n\n").ok_or_else(|| refuse("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(text::decimal);
        let old = old.ok_or_else(|| refuse("its first line is not `old` and a canonical number"))?;
        let proof = lines.take(PROOF_LINES_MAX + 1).map(str::parse).collect::<Result<Vec<Hash>>>()?;
        if proof.len() > PROOF_LINES_MAX {
            return Err(refuse("its proof has more than 63 lines"));
        }
        Ok(Self { old, proof, checkpoint: SignedCheckpoint::parse_any_root(checkpoint.as_bytes())? })
    }
}

/// Reads the body of a witness's yes: one or more cosignature lines. What they are worth, and whose they are, tells
/// [`SignedCheckpoint::cosigned`].
///
/// # Errors
/// [`LedgerError::TooLarge`], [`LedgerError::Malformed`], [`LedgerError::Note`].
pub fn parse_cosignatures(body: &[u8]) -> Result<Vec<Signature>> {
    let refuse = |why: &str| LedgerError::malformed("answer of a witness", why);
    if body.len() > ANSWER_BYTES_MAX {
        let (what, bytes) = ("answer of a witness", body.len());
        return Err(LedgerError::TooLarge { what, bytes, max: ANSWER_BYTES_MAX });
    }
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8"))?;
    let lines = text.strip_suffix('\n').ok_or_else(|| refuse("its last line does not end"))?;
    let lines: Vec<&str> = lines.splitn(ANSWER_LINES_MAX + 1, '\n').collect();
    if lines.len() > ANSWER_LINES_MAX {
        return Err(refuse("it has too many lines"));
    }
    lines.into_iter().map(|line| parse_signature(line).map_err(Into::into)).collect()
}

/// The body of a witness's "you are not where I am" (status 409): the size to start from.
#[must_use]
pub fn size_body(size: u64) -> String {
    format!("{size}\n")
}

/// Reads the body of a status 409.
///
/// # Errors
/// [`LedgerError::Malformed`]; also for an empty body, which older witnesses send for a root that differs.
pub fn parse_size(body: &[u8]) -> Result<u64> {
    let number =
        std::str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n')).and_then(text::decimal);
    number
        .ok_or_else(|| LedgerError::malformed("size of a witness", "it is no canonical number and a newline"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, witness};

    fn request() -> AddCheckpoint {
        let tree = Tree::of(3, 3, "");
        AddCheckpoint { old: 1, proof: tree.consistency(1, 3), checkpoint: tree.signed(3) }
    }

    #[test]
    fn the_request_is_that_of_the_vectors_and_reads_back() {
        let text = String::from_utf8(request().to_bytes()).unwrap();
        assert!(text.starts_with(
            "old 1\n9n+5Apqw839WN6kgcGDYetrgO0q94UEA7XKL89Q0J6I=\nii0cKVdqOgQ+C+IfUVQAzRrLrSg5X3zbi2m30eFpQWI=\n\nledger.example/agency-a/exchange-log\n3\n"
        ));
        assert_eq!(AddCheckpoint::parse(text.as_bytes()).unwrap(), request());
        let first = AddCheckpoint { old: 0, proof: vec![], ..request() };
        assert_eq!(AddCheckpoint::parse(&first.to_bytes()).unwrap(), first);
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = String::from_utf8(request().to_bytes()).unwrap();
        let hash = good.lines().nth(1).unwrap().to_owned() + "\n";
        let most = good.replacen(&hash, &hash.repeat(62), 1);
        assert_eq!(AddCheckpoint::parse(most.as_bytes()).unwrap().proof.len(), 63);
        let bad = [
            String::new(),
            good.replacen(&hash, &hash.repeat(63), 1),
            good.replacen("old 1", "old 01", 1),
            good.replacen("old 1", "old -1", 1),
            good.replacen("old 1", "Old 1", 1),
            good.replacen("old 1", "old  1", 1),
            good.replacen("old 1\n", "", 1),
            good.replacen("old 1\n", "old 1\n\n", 1),
            good.replacen(&hash, "AAAA\n", 1),
            good.replace('\n', "\r\n"),
            good.trim_end().to_owned(),
            good.replacen("\n3\n", "\n03\n", 1),
            "old 0\n\n".to_owned(),
        ];
        for body in bad {
            assert!(AddCheckpoint::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(AddCheckpoint::parse(&vec![b'a'; REQUEST_BYTES_MAX + 1]).is_err());
        assert!(AddCheckpoint::parse(b"\xff\n\n").is_err());
    }

    #[test]
    fn answers_are_read() {
        let mut note = certs::note::Note::new("a\n").unwrap();
        witness().add_to(&mut note, 7).unwrap();
        let line = String::from_utf8(note.to_bytes()).unwrap().lines().last().unwrap().to_owned() + "\n";
        assert_eq!(parse_cosignatures(line.as_bytes()).unwrap(), note.signatures());
        assert_eq!(parse_cosignatures(line.repeat(16).as_bytes()).unwrap().len(), 16);
        for bad in [String::new(), "\n".into(), line.trim_end().into(), line.repeat(17), format!("{line}\n")]
        {
            assert!(parse_cosignatures(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(parse_size(size_body(70_000).as_bytes()).unwrap(), 70_000);
        for bad in ["", "1", "01\n", "1\n\n", "-1\n", "18446744073709551616\n"] {
            assert!(parse_size(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
