//! Short-lived addresses of files: an HMAC-SHA-256 over what is given, until when, and under which decision.
//!
//! The members of the address are named as Amazon's signed addresses have them, and `X-Amz-Signature` among them, because
//! readers of Delta tables take an address for a signed one by that name alone. The signature is this node's own: it is
//! good for GET and HEAD, for one path, as often as wanted until it expires. It is a credential: whoever has the address
//! has the file, for that time and while the gate agrees.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::files;
use crate::limits::LINK_SECONDS_MAX;

/// What the signature is, for people who look at an address.
const ALGORITHM: &str = "TRAM-HMAC-SHA256";
/// How far another node's or process's clock may be ahead, seconds.
const SKEW_SECONDS: i64 = 60;

/// The query of a signed address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// How it is signed.
    #[serde(rename = "X-Amz-Algorithm")]
    algorithm: Option<String>,
    /// When, Unix seconds.
    #[serde(rename = "X-Amz-Date")]
    date: Option<i64>,
    /// For how many seconds.
    #[serde(rename = "X-Amz-Expires")]
    expires: Option<u32>,
    /// The signature, hex.
    #[serde(rename = "X-Amz-Signature")]
    signature: Option<String>,
}

/// Signs addresses of one node.
pub struct Signer([u8; 32]);

impl Signer {
    /// The signer of a node, from its secret; the key is good for nothing else.
    pub fn new(secret: &[u8; 32]) -> Result<Self> {
        Ok(Self(mac(secret, &[b"tram/link-key@v1"])?.finalize().into_bytes().into()))
    }

    /// A path with the query that makes it good. `bound` is what the address stands and falls with besides: the digest of a
    /// decision.
    pub fn sign(&self, path: &str, bound: &str, now: i64, seconds: u32) -> Result<String> {
        let signature = self.over(path, bound, now, seconds)?.finalize().into_bytes();
        Ok(format!(
            "{path}?X-Amz-Algorithm={ALGORITHM}&X-Amz-Date={now}&X-Amz-Expires={seconds}&X-Amz-Signature={}",
            files::hex(&signature)
        ))
    }

    /// Whether an address is one of ours and still good.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], with the same words whatever is wrong but for an address that was good and expired.
    pub fn check(&self, path: &str, bound: &str, signed: &Signed, now: i64) -> Result<()> {
        let wrong = || {
            Error::Unauthenticated("this address is not signed by this node; ask for a new one".to_owned())
        };
        let (Some(ALGORITHM), Some(date), Some(expires), Some(signature)) =
            (signed.algorithm.as_deref(), signed.date, signed.expires, &signed.signature)
        else {
            return Err(wrong());
        };
        let signature = files::unhex::<32>(signature).ok_or_else(wrong)?;
        // Compares in constant time.
        self.over(path, bound, date, expires)?.verify_slice(&signature).map_err(|_| wrong())?;
        let until = date.saturating_add(i64::from(expires.min(LINK_SECONDS_MAX)));
        if now >= until || date > now.saturating_add(SKEW_SECONDS) {
            return Err(Error::Unauthenticated("this address has expired; ask for a new one".to_owned()));
        }
        Ok(())
    }

    fn over(&self, path: &str, bound: &str, date: i64, expires: u32) -> Result<Hmac<Sha256>> {
        let (date, expires) = (date.to_string(), expires.to_string());
        let parts = ["tram/link@v1", path, bound, &date, &expires];
        mac(&self.0, &parts.map(str::as_bytes))
    }
}

/// Each part with its length before it, so that no two lists of parts give the same bytes.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/v1/files/a/0.parquet";
    const NOW: i64 = 1_790_000_000;

    fn signer() -> Signer {
        Signer::new(&[7; 32]).unwrap()
    }

    fn read(address: &str) -> Signed {
        let (_, query) = address.split_once('?').unwrap();
        axum::extract::Query::try_from_uri(&format!("/?{query}").parse().unwrap()).unwrap().0
    }

    #[test]
    fn an_address_is_good_until_it_expires_and_for_nothing_else() {
        let address = signer().sign(PATH, "decision", NOW, 900).unwrap();
        assert!(address.contains("X-Amz-Signature=") && address.starts_with(PATH), "{address}");
        let signed = read(&address);
        for now in [NOW - SKEW_SECONDS, NOW, NOW + 899] {
            signer().check(PATH, "decision", &signed, now).unwrap();
        }
        let not = |signer: &Signer, path: &str, bound: &str, signed: &Signed, now: i64| {
            matches!(signer.check(path, bound, signed, now), Err(Error::Unauthenticated(_)))
        };
        assert!(not(&signer(), PATH, "decision", &signed, NOW + 900), "expired");
        assert!(not(&signer(), PATH, "decision", &signed, NOW - SKEW_SECONDS - 1), "from the future");
        assert!(not(&signer(), "/v1/files/a/1.parquet", "decision", &signed, NOW), "another file");
        assert!(not(&signer(), PATH, "other", &signed, NOW), "another decision");
        assert!(not(&Signer::new(&[8; 32]).unwrap(), PATH, "decision", &signed, NOW), "another node");
        for (from, to) in [
            ("X-Amz-Expires=900", "X-Amz-Expires=901"),
            ("X-Amz-Date=1790000000", "X-Amz-Date=1790000001"),
            ("TRAM-HMAC-SHA256", "AWS4-HMAC-SHA256"),
            ("X-Amz-Signature=", "X-Amz-Signature=00"),
        ] {
            assert!(address.contains(from));
            assert!(not(&signer(), PATH, "decision", &read(&address.replace(from, to)), NOW), "{to}");
        }
        for cut in ["?X-Amz-Expires=900", "?"] {
            assert!(not(&signer(), PATH, "decision", &read(cut), NOW), "{cut}");
        }
    }

    #[test]
    fn every_digit_of_the_signature_counts() {
        let address = signer().sign(PATH, "decision", NOW, 900).unwrap();
        let (head, digits) = address.split_once("Signature=").unwrap();
        for at in 0..digits.len() {
            let mut changed = digits.as_bytes().to_vec();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = format!("{head}Signature={}", String::from_utf8(changed).unwrap());
            assert!(signer().check(PATH, "decision", &read(&changed), NOW).is_err(), "digit {at}");
        }
    }

    #[test]
    fn no_address_is_good_for_longer_than_the_limit() {
        let signed = read(&signer().sign(PATH, "", NOW, LINK_SECONDS_MAX + 1_000).unwrap());
        signer().check(PATH, "", &signed, NOW + i64::from(LINK_SECONDS_MAX) - 1).unwrap();
        assert!(signer().check(PATH, "", &signed, NOW + i64::from(LINK_SECONDS_MAX)).is_err());
    }
}
