//! Credentials: an origin names where they are, and they are read when they are needed.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::limits::SECRET_BYTES_MAX;
use crate::{IntakeError, Remark, Said};

/// Bits of a file's mode that let the group or others read it.
const OTHERS: u32 = 0o044;

/// Where a secret is. Never the secret itself, so a description can be shown and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A file with nothing else in it; blanks around are cut.
    File(PathBuf),
    /// An environment variable of the node.
    Env(String),
}

impl<'de> Deserialize<'de> for Secret {
    /// Not derived: those errors quote what they do not expect, and that may be a password in the wrong place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Described;
        impl<'de> Visitor<'de> for Described {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WRONG)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let wrong = || A::Error::custom(WRONG);
                let (kind, value) =
                    map.next_entry::<String, String>().map_err(|_| wrong())?.ok_or_else(wrong)?;
                if map.next_key::<IgnoredAny>().map_err(|_| wrong())?.is_some() {
                    return Err(wrong());
                }
                match kind.as_str() {
                    "file" => Ok(Secret::File(value.into())),
                    "env" => Ok(Secret::Env(value)),
                    _ => Err(wrong()),
                }
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Secret, E> {
                Err(E::custom(WRONG))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(E::custom(WRONG))
            }

            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(E::custom(WRONG))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(E::custom(WRONG))
            }
        }
        deserializer.deserialize_any(Described)
    }
}

/// What a description that holds something else is told.
const WRONG: &str = "a secret is written as { file = \"…\" } or { env = \"…\" }, never as its value";

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl Secret {
    /// The file, as seen from a description's folder.
    fn path(&self, base: &Path) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(base.join(path)),
            Self::Env(_) => None,
        }
    }

    /// What a person should know of the place: that others of the machine can read it.
    pub(crate) fn remark(&self, base: &Path) -> Option<Remark> {
        let mode = std::fs::metadata(self.path(base)?).ok()?.permissions().mode();
        (mode & OTHERS != 0).then(|| {
            Remark::new(
                "secret-readable",
                format!("người khác trên máy này đọc được {self}; hãy chạy `chmod 600` với tệp ấy"),
                format!("others on this machine can read the {self}; run `chmod 600` on it"),
            )
        })
    }

    /// Reads it; a relative file from `base`.
    ///
    /// # Errors
    /// [`IntakeError::Secret`] when it is not there, empty, too long or not text.
    pub fn read(&self, base: &Path) -> Result<Zeroizing<String>, IntakeError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).ok().map(Zeroizing::new),
            Self::File(path) => {
                let mut text = Zeroizing::new(String::new());
                let file = std::fs::File::open(base.join(path)).ok();
                let read = file.and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text).ok());
                read.map(|_| text)
            }
        };
        let text = text.map(|text| Zeroizing::new(text.trim().to_owned())).filter(|text| !text.is_empty());
        text.ok_or_else(|| {
            IntakeError::Secret(Said::new(
                format!("không đọc được thông tin đăng nhập ở {self}; hãy đặt giá trị vào đó"),
                format!("no credentials in the {self}; put the value there"),
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, " mật-khẩu \n").unwrap();
        let secret = Secret::File(path.clone());
        let elsewhere = Path::new("/nowhere");
        assert_eq!(secret.read(elsewhere).unwrap().as_str(), "mật-khẩu");
        let beside = Secret::File("password".into());
        assert_eq!(beside.read(dir.path()).unwrap().as_str(), "mật-khẩu", "relative to the description");
        assert!(beside.read(elsewhere).is_err());
        for (mode, told) in [(0o600, false), (0o640, true), (0o644, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(beside.remark(dir.path()).is_some(), told, "{mode:o}");
        }
        assert!(!format!("{secret:?} {secret}").contains("mật-khẩu"));
        for bad in ["", " \n"] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(secret.read(elsewhere), Err(IntakeError::Secret(_))));
        }
        assert!(Secret::Env("TRAM_NO_SUCH_VARIABLE".into()).read(elsewhere).is_err());
    }

    #[test]
    fn a_password_in_the_place_of_its_file_is_refused_without_being_quoted() {
        for bad in [
            "password = \"hunter2\"",
            "password = { hunter2 = \"x\" }",
            "password = { file = [\"hunter2\"] }",
            "password = { file = \"a\", env = \"hunter2\" }",
            "password = 4711000",
            "password = 4711000.5",
            "password = [\"hunter2\"]",
            "password = \"hunter2",
            "pasword = \"hunter2\"",
        ] {
            let text = format!(
                "type = \"postgresql\"\nhost = \"h\"\ndatabase = \"d\"\nuser = \"u\"\ntable = \"a.b\"\n{bad}"
            );
            let e = crate::Origin::parse(&text).unwrap_err();
            assert!(
                !format!("{e} {e:?}").contains("hunter2") && !format!("{e:?}").contains("4711000"),
                "{bad}: {e}"
            );
        }
        for secret in [Secret::File("/a".into()), Secret::Env("B".into())] {
            let json = serde_json::to_string(&secret).unwrap();
            assert_eq!(serde_json::from_str::<Secret>(&json).unwrap(), secret);
        }
    }
}
