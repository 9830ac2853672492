//! Credentials: an origin names where they are, and they are read when they are needed.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::limits::SECRET_BYTES_MAX;
use crate::{IntakeError, Said};

/// Where a secret is. Never the secret itself, so a description can be shown and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A file with nothing else in it; blanks around are cut.
    File(PathBuf),
    /// An environment variable of the node.
    Env(String),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl Secret {
    /// Reads it.
    ///
    /// # Errors
    /// [`IntakeError::Secret`] when it is not there, empty, too long or not text.
    pub fn read(&self) -> Result<Zeroizing<String>, IntakeError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).ok().map(Zeroizing::new),
            Self::File(path) => {
                let mut text = Zeroizing::new(String::new());
                let file = std::fs::File::open(path).ok();
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
        assert_eq!(secret.read().unwrap().as_str(), "mật-khẩu");
        assert!(!format!("{secret:?} {secret}").contains("mật-khẩu"));
        for bad in ["", " \n"] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(secret.read(), Err(IntakeError::Secret(_))));
        }
        assert!(Secret::Env("TRAM_NO_SUCH_VARIABLE".into()).read().is_err());
    }
}
