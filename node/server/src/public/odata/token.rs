//! Where an answer goes on: an opaque token that only this node makes, good for one caller and one question.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::limits::{PAGES_KEPT, TOKEN_BYTES_MAX};
use crate::error::{Error, Result};

/// A place in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The exchange whose rows they are.
    pub exchange: String,
    /// When the answer began, Unix seconds.
    pub since: i64,
    /// Bytes of the kept rows that were read, or rows of them where they are sorted here.
    pub at: u64,
    /// Rows that were given.
    pub given: u64,
    /// Rows to come at most.
    pub left: Option<u64>,
}

/// What a token is bound to.
pub struct Bound<'a> {
    /// The node's secret.
    pub secret: &'a [u8; 32],
    /// Who asks.
    pub subject: &'a str,
    /// Hash of its key; empty for the public.
    pub key: &'a str,
    /// The set.
    pub name: &'a str,
    /// What is asked, without the place.
    pub query: &'a str,
}

impl Bound<'_> {
    fn mac(&self, place: &str) -> Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret).map_err(Error::internal)?;
        for part in ["tram/odata-place@v1", self.subject, self.key, self.name, self.query, place] {
            // With its length before it, so that no two lists of parts are the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Ok(mac)
    }

    /// The token of a place.
    pub fn seal(&self, place: &Place) -> Result<String> {
        let place = URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).map_err(Error::internal)?);
        let mac = URL_SAFE_NO_PAD.encode(self.mac(&place)?.finalize().into_bytes());
        Ok(format!("{place}.{mac}"))
    }

    /// The place of a token.
    ///
    /// # Errors
    /// [`Error::Usage`] for one that is not of this node, caller and question; [`Error::NotFound`] for one whose time is over.
    pub fn open(&self, token: &str, now: i64) -> Result<Place> {
        let wrong = || {
            Error::usage("$skiptoken: it does not belong to this question; follow @odata.nextLink as it is")
        };
        let (place, mac) =
            token.split_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX).ok_or_else(wrong)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| wrong())?;
        self.mac(place)?.verify_slice(&mac).map_err(|_| wrong())?;
        let place = URL_SAFE_NO_PAD.decode(place).map_err(|_| wrong())?;
        let place: Place = serde_json::from_slice(&place).map_err(|_| wrong())?;
        let until = place.since.saturating_add_unsigned(PAGES_KEPT.as_secs());
        if now >= until {
            return Err(Error::not_found(
                "$skiptoken: this answer is not kept any more; ask again from the beginning",
            ));
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_caller_and_question_alone() {
        let bound = |subject: &'static str, key: &'static str, name: &'static str, query: &'static str| {
            Bound { secret: &[7; 32], subject, key, name, query }
        };
        let place = Place { exchange: "E".into(), since: 1_000, at: 5, given: 2, left: Some(3) };
        let token = bound("a", "k", "x", "q").seal(&place).unwrap();
        assert_eq!(bound("a", "k", "x", "q").open(&token, 1_001).unwrap(), place);
        for other in [
            bound("b", "k", "x", "q"),
            bound("a", "l", "x", "q"),
            bound("a", "k", "y", "q"),
            bound("a", "k", "x", "r"),
            bound("ak", "", "x", "q"),
        ] {
            assert!(matches!(other.open(&token, 1_001), Err(Error::Usage(_))));
        }
        let late = 1_000 + i64::try_from(PAGES_KEPT.as_secs()).unwrap();
        assert!(matches!(bound("a", "k", "x", "q").open(&token, late), Err(Error::NotFound(_))));
        let moved = bound("a", "k", "x", "q").seal(&Place { at: 6, ..place }).unwrap();
        let forged = format!("{}.{}", moved.split_once('.').unwrap().0, token.split_once('.').unwrap().1);
        for bad in ["", "x", "x.y", forged.as_str(), &"a".repeat(2_000)] {
            assert!(bound("a", "k", "x", "q").open(bad, 1_001).is_err(), "{bad}");
        }
    }
}
