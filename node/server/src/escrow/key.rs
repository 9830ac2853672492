//! The auditor's key pair: X25519. The secret half lies in a private file, the public half is one line of text.
//!
//! The line is `x25519+<8 hex digits>+<base64 of 32 bytes>`; the digits are the beginning of a SHA-256, so that a line that
//! was copied badly is refused and no provider seals to nobody.

use std::path::Path;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use exchange::manifest::Fixed;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;
use crate::operation::random;

/// First word of the line.
const KIND: &str = "x25519";
/// Digits of the checksum.
const CHECK_DIGITS: usize = 8;

/// An auditor's public key, as it stands in a provider's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// Reads the line that [`Recipient`]'s `Display` writes.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn parse(line: &str) -> std::result::Result<Self, String> {
        let form =
            || format!("`{}` is no escrow key; take the line that `tram escrow key` printed", shown(line));
        let mut parts = line.trim().splitn(3, '+');
        let (Some(KIND), Some(check), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let Fixed(bytes) = Fixed::<32>::parse(key).ok_or_else(form)?;
        if check_of(&bytes) != check {
            return Err(format!("the escrow key `{}` was copied badly: its digits do not fit", shown(line)));
        }
        Self::of(bytes)
            .ok_or_else(|| format!("`{}` is a point of small order; nobody has its secret", shown(line)))
    }

    /// Takes a point unless it is one to which everybody's shared secret is known.
    fn of(bytes: [u8; 32]) -> Option<Self> {
        let mine = PrivateKey::from_private_key(&X25519, &random::<32>().ok()?).ok()?;
        agree(&mine, UnparsedPublicKey::new(&X25519, bytes), (), |_| Ok(())).ok()?;
        Some(Self(bytes))
    }

    /// The point.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&line(&self.0))
    }
}

/// The line of a point that somebody else wrote down.
pub(super) fn line(point: &[u8; 32]) -> String {
    format!("{KIND}+{}+{}", check_of(point), Fixed(*point))
}

fn check_of(bytes: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(b"tram/escrow-key@v1\n").chain_update(bytes).finalize();
    let mut digits = files::hex(&digest);
    digits.truncate(CHECK_DIGITS);
    digits
}

/// Foreign text in an error: its beginning.
fn shown(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// An auditor's secret key.
pub struct AuditorKey {
    secret: [u8; 32],
    public: Recipient,
}

impl std::fmt::Debug for AuditorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditorKey({}, secret hidden)", self.public)
    }
}

impl AuditorKey {
    /// Draws a new one.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives no randomness.
    pub fn generate() -> Result<Self> {
        Self::of(random::<32>()?)
    }

    /// The key of these secret bytes.
    pub(super) fn of(secret: [u8; 32]) -> Result<Self> {
        let unusable = |_| Error::Verification("these bytes are no X25519 key".to_owned());
        let private = PrivateKey::from_private_key(&X25519, &secret).map_err(|e| unusable(e.to_string()))?;
        let public = private.compute_public_key().map_err(|e| unusable(e.to_string()))?;
        let public = <[u8; 32]>::try_from(public.as_ref()).map_err(|e| unusable(e.to_string()))?;
        Ok(Self { secret, public: Recipient(public) })
    }

    /// Reads the file that [`AuditorKey::write`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Verification`] when the file was damaged.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(files::read_secret(path)?)
    }

    /// Writes the secret half into a file that its owner alone can read. Nothing is written over.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is a file; [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        if path.exists() {
            return Err(Error::usage(format!(
                "`{}` is there already; a key that is written over opens nothing any more: choose another name",
                path.display()
            )));
        }
        files::write_secret(path, &self.secret)
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        self.public
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_line_says_the_key_and_a_slip_of_the_pen_is_found() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let line = key.recipient().to_string();
        assert_eq!(Recipient::parse(&format!(" {line}\n")).unwrap(), key.recipient());
        for at in 0..line.len() {
            let mut bad = line.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(Recipient::parse(&bad).is_err(), "{bad}");
        }
        for bad in ["", "x25519", "x25519+00000000+", &line[..line.len() - 1], &format!("{line}A")] {
            assert!(Recipient::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_point_that_everybody_can_open_is_refused() {
        for point in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            let line = Recipient(point).to_string();
            assert!(Recipient::parse(&line).unwrap_err().contains("small order"));
        }
    }

    #[test]
    fn the_secret_lies_in_a_private_file_is_never_written_over_and_shown_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("escrow.key");
        let key = AuditorKey::generate().unwrap();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(AuditorKey::read(&path).unwrap().recipient(), key.recipient());
        assert!(matches!(AuditorKey::generate().unwrap().write(&path), Err(Error::Usage(_))));
        assert_eq!(AuditorKey::read(&path).unwrap().recipient(), key.recipient());
        assert!(!format!("{key:?}").contains(&files::hex(key.secret())));
    }

    /// Made with another implementation: Python's `cryptography`, `X25519PrivateKey.from_private_bytes(bytes([5])*32)`.
    #[test]
    fn the_public_half_is_the_one_that_others_compute() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let hex = "50a61409b1ddd0325e9b16b700e719e9772c07000b1bd7786e907c653d20495d";
        assert_eq!(files::hex(key.recipient().bytes()), hex);
    }
}
