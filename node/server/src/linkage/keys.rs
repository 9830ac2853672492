//! A linkage key and its private file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use certs::ParticipantId;
use hmac::{Hmac, KeyInit, Mac};
use policy::{LINKAGE_ID_DIGITS, Linkage};
use serde::{Deserialize, Serialize};

use super::HOLDERS_MAX;
use crate::error::{Error, Result};
use crate::files;

/// What the file says it is.
const FORM: &str = "tram/linkage-key@v1";
/// Largest file, bytes: 16 holders and some words.
const FILE_BYTES_MAX: usize = 16 << 10;

/// A key, with everything that its id is a digest of.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    linkage: Linkage,
    holders: BTreeSet<String>,
    from: String,
    made: i64,
    key: [u8; 32],
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({}, key secret)", self.linkage)
    }
}

/// The private file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    form: String,
    linkage: Linkage,
    holders: BTreeSet<String>,
    from: String,
    made: i64,
    key: String,
}

impl Held {
    /// A key by this name; `from` is the agency that it comes from. The id follows from the rest.
    ///
    /// # Errors
    /// [`Error::Usage`] when the name or the holders cannot be used.
    pub fn new(key: [u8; 32], name: &str, holders: BTreeSet<String>, from: &str, made: i64) -> Result<Self> {
        if holders.len() < 2 || holders.len() > HOLDERS_MAX || !holders.contains(from) {
            return Err(Error::usage(format!(
                "a linkage key is held by 2 to {HOLDERS_MAX} agencies, its maker among them"
            )));
        }
        // A name with a zero byte would make two sets of holders one digest.
        if let Some(why) = holders.iter().find_map(|holder| ParticipantId::parse(holder).err()) {
            return Err(Error::usage(format!("a holder of the linkage key is no participant: {why}")));
        }
        let parts = ["tram/linkage-id@v1", name].into_iter().chain(holders.iter().map(String::as_str));
        let mut id = files::hex(&derived(&key, parts)?);
        id.truncate(LINKAGE_ID_DIGITS);
        let linkage = Linkage::new(name, &id).map_err(Error::usage)?;
        Ok(Self { linkage, holders, from: from.to_owned(), made, key })
    }

    /// Its full name.
    #[must_use]
    pub fn linkage(&self) -> &Linkage {
        &self.linkage
    }

    /// The agencies that hold it.
    #[must_use]
    pub fn holders(&self) -> &BTreeSet<String> {
        &self.holders
    }

    /// The agency that it comes from.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// When it came to be, Unix seconds.
    #[must_use]
    pub fn made(&self) -> i64 {
        self.made
    }

    /// The key, for sealing it to another holder.
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// Key of the pseudonyms for one recipient and purpose.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a recipient that holds the key itself.
    fn for_whom(&self, recipient: &str, purpose: &str) -> Result<[u8; 32]> {
        if self.holders.contains(recipient) {
            return Err(Error::conflict(format!(
                "`{recipient}` holds the linkage key `{}` itself and could undo its pseudonyms, so nothing leaves; give \
                 these rows another mask for it, or make a key that it does not hold",
                self.linkage
            )));
        }
        derived(&self.key, ["tram/linked@v1", recipient, purpose].into_iter())
    }
}

/// HMAC-SHA-256 over parts, a zero byte behind each; none of them has one in it.
fn derived<'a>(key: &[u8; 32], parts: impl Iterator<Item = &'a str>) -> Result<[u8; 32]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).map_err(Error::internal)?;
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    Ok(mac.finalize().into_bytes().into())
}

/// The keys in a node's folder. Each look reads the file: a key that was dropped is gone at once.
#[derive(Debug, Clone)]
pub struct Linkages {
    folder: PathBuf,
}

impl Linkages {
    /// Of the node in this folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { folder: dir.join("keys").join("linkage") }
    }

    fn path(&self, linkage: &Linkage) -> PathBuf {
        self.folder.join(format!("{linkage}.key"))
    }

    /// Keeps a key, durably. The same key once more is fine, and mends a damaged file.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another key, or one of other holders, is here by this name; [`Error::Io`].
    pub fn put(&self, held: &Held) -> Result<()> {
        if let Ok(here) = self.find(&held.linkage)
            && (here.key, &here.holders) != (held.key, &held.holders)
        {
            return Err(Error::conflict(format!(
                "this node holds another linkage key by the name `{}`, and a key is never replaced; make a new one with `tram \
                 linkage new`",
                held.linkage
            )));
        }
        files::make_private_dir(&self.folder)?;
        let disk = OnDisk {
            form: FORM.to_owned(),
            linkage: held.linkage.clone(),
            holders: held.holders.clone(),
            from: held.from.clone(),
            made: held.made,
            key: files::hex(&held.key),
        };
        files::write_atomic(&self.path(&held.linkage), &serde_json::to_vec(&disk).map_err(Error::internal)?)
    }

    /// The key of this full name.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is not here or its file is damaged; the text holds nothing of the file.
    pub fn find(&self, linkage: &Linkage) -> Result<Held> {
        let path = self.path(linkage);
        if !path.exists() {
            return Err(Error::conflict(format!(
                "this node does not hold the linkage key `{linkage}`, so nothing leaves; `tram linkage list` shows those it \
                 holds; ask another holder for the file once more (`tram linkage seal`) and take it with `tram linkage import`"
            )));
        }
        let damaged = || {
            Error::conflict(format!(
                "the file of the linkage key `{linkage}` is damaged, so nothing leaves; take it anew with `tram linkage \
                 import`, or put it back from a backup"
            ))
        };
        let bytes = files::read_limited(&path, FILE_BYTES_MAX)?;
        let disk: OnDisk = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let key = files::unhex::<32>(&disk.key).ok_or_else(damaged)?;
        let held =
            Held::new(key, linkage.name(), disk.holders, &disk.from, disk.made).map_err(|_| damaged())?;
        // The id is a digest of all that counts, so it is the checksum, too.
        if disk.form == FORM && held.linkage == *linkage { Ok(held) } else { Err(damaged()) }
    }

    /// The full names of all keys, in order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn names(&self) -> Result<BTreeSet<Linkage>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(e) => return Err(Error::io(&self.folder, e)),
        };
        let name = |file: std::fs::DirEntry| {
            let name = file.file_name().into_string().ok()?;
            Linkage::try_from(name.strip_suffix(".key")?.to_owned()).ok()
        };
        Ok(entries.flatten().filter_map(name).collect())
    }

    /// Asks for a key's file, whatever is in it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not here.
    pub fn demand(&self, linkage: &Linkage) -> Result<()> {
        if self.path(linkage).exists() {
            return Ok(());
        }
        Err(Error::not_found(format!("no linkage key `{linkage}` here; `tram linkage list` shows them")))
    }

    /// Removes a key, durably.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not here; [`Error::Io`].
    pub fn remove(&self, linkage: &Linkage) -> Result<()> {
        self.demand(linkage)?;
        files::remove(&self.path(linkage))
    }

    /// Key of the pseudonyms that a mask asks for, for one recipient and purpose.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is no such key here, no purpose, or the recipient holds the key itself: nothing leaves.
    pub fn pseudonyms(&self, linkage: &Linkage, recipient: &str, purpose: Option<&str>) -> Result<[u8; 32]> {
        let held = self.find(linkage)?;
        let purpose = purpose.ok_or_else(|| {
            Error::conflict(format!(
                "pseudonyms of the linkage key `{linkage}` are made for one purpose, and none was stated; ask with a purpose"
            ))
        })?;
        held.for_whom(recipient, purpose)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LAND: &str = "urn:agency:vn:dat-dai";
    const HEALTH: &str = "urn:agency:vn:y-te";
    const CITY: &str = "urn:agency:vn:thanh-pho";

    fn held(key: u8, name: &str, holders: &[&str]) -> Held {
        Held::new([key; 32], name, holders.iter().map(|&h| h.to_owned()).collect(), HEALTH, 7).unwrap()
    }

    #[test]
    fn the_id_says_the_key_its_name_and_its_holders() {
        let one = held(1, "dinh-danh", &[HEALTH, LAND]);
        assert_eq!(one.linkage(), held(1, "dinh-danh", &[LAND, HEALTH]).linkage());
        for other in [
            held(2, "dinh-danh", &[HEALTH, LAND]),
            held(1, "so-thua", &[HEALTH, LAND]),
            held(1, "dinh-danh", &[HEALTH, LAND, CITY]),
            held(1, "dinh-danh", &[HEALTH, CITY]),
        ] {
            assert_ne!(one.linkage().id(), other.linkage().id());
        }
        assert!(Held::new([1; 32], "a", [HEALTH.to_owned()].into(), HEALTH, 0).is_err(), "held by one alone");
        assert!(Held::new([1; 32], "a", [LAND.to_owned(), CITY.to_owned()].into(), HEALTH, 0).is_err());
    }

    #[test]
    fn a_key_is_never_replaced_under_its_name_and_holders_are_participants() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, held) = (Linkages::new(dir.path()), held(1, "dinh-danh", &[HEALTH, LAND]));
        keys.put(&held).unwrap();
        keys.put(&held).unwrap();
        for other in [
            Held { key: [2; 32], ..held.clone() },
            Held { holders: [HEALTH.to_owned(), CITY.to_owned()].into(), ..held.clone() },
        ] {
            let error = keys.put(&other).unwrap_err();
            assert!(matches!(&error, Error::Conflict(why) if why.contains("never replaced")), "{error}");
            assert_eq!(keys.find(held.linkage()).unwrap(), held);
        }
        // One name with a zero byte in it, or two names, would be the same bytes.
        for bad in [format!("{LAND}\0{CITY}"), "dat-dai".to_owned(), String::new()] {
            let error = Held::new([1; 32], "a", [HEALTH.to_owned(), bad].into(), HEALTH, 0).unwrap_err();
            assert!(matches!(&error, Error::Usage(why) if why.contains("participant")), "{error}");
        }
    }

    #[test]
    fn pseudonyms_are_of_one_recipient_and_one_purpose_and_never_for_a_holder() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, held) = (Linkages::new(dir.path()), held(1, "dinh-danh", &[HEALTH, LAND]));
        keys.put(&held).unwrap();
        let made = |who, why| keys.pseudonyms(held.linkage(), who, why);
        let first = made(CITY, Some("planning")).unwrap();
        assert_eq!(first, made(CITY, Some("planning")).unwrap());
        assert_ne!(first, made("urn:agency:vn:khac", Some("planning")).unwrap());
        assert_ne!(first, made(CITY, Some("statistics")).unwrap());
        for (who, why, told) in [(LAND, Some("planning"), "undo"), (CITY, None, "purpose")] {
            let error = made(who, why).unwrap_err();
            assert!(matches!(&error, Error::Conflict(why) if why.contains(told)), "{error}");
        }
    }

    #[test]
    fn the_file_is_private_and_damage_and_loss_are_told_without_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, held) = (Linkages::new(dir.path()), held(0xa7, "dinh-danh", &[HEALTH, LAND]));
        assert!(keys.names().unwrap().is_empty());
        keys.put(&held).unwrap();
        let path = keys.path(held.linkage());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&keys.folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(keys.find(held.linkage()).unwrap(), held);
        assert_eq!(keys.names().unwrap(), [held.linkage().clone()].into());
        let secret = files::hex(&held.key);
        assert!(!format!("{held:?}").contains(&secret));
        let whole = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            whole.replace("a7a7", "a7a8"),
            whole.replace(LAND, CITY),
            whole[..whole.len() / 2].to_owned(),
            String::new(),
        ] {
            assert_ne!(damaged, whole);
            std::fs::write(&path, damaged).unwrap();
            let error = keys.find(held.linkage()).unwrap_err();
            assert!(matches!(&error, Error::Conflict(why) if why.contains("damaged")), "{error}");
            assert!(!error.to_string().contains("a7a7"), "{error}");
        }
        keys.remove(held.linkage()).unwrap();
        let error = keys.find(held.linkage()).unwrap_err();
        assert!(matches!(&error, Error::Conflict(why) if why.contains("linkage import")), "{error}");
        assert!(matches!(keys.remove(held.linkage()), Err(Error::NotFound(_))));
    }
}
