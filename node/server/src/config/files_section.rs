//! `[files]`: how rows lie ready as files, and how long their addresses are good.

use serde::{Deserialize, Serialize};

use crate::limits::LINK_SECONDS_MAX;

/// `[files]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesSection {
    /// Largest part file, MiB; 1 to 128.
    pub part_mib: u32,
    /// Most rows of a part file.
    pub part_rows: u64,
    /// How long a signed address is good, minutes; 1 to 60.
    pub link_minutes: u32,
}

impl Default for FilesSection {
    fn default() -> Self {
        Self { part_mib: 128, part_rows: 10_000_000, link_minutes: 15 }
    }
}

impl FilesSection {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        dataplane::PartLimits::new(u64::from(self.part_mib) << 20, self.part_rows)
            .map_err(|_| "[files] part_mib is 1 to 128 and part_rows 1 to 10000000".to_owned())?;
        if !(1..=LINK_SECONDS_MAX / 60).contains(&self.link_minutes) {
            return Err(format!("[files] link_minutes is 1 to {}", LINK_SECONDS_MAX / 60));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::FilesSection;

    #[test]
    fn sizes_and_times_have_their_bounds() {
        let usual = FilesSection::default();
        usual.check().unwrap();
        for bad in [
            FilesSection { part_mib: 0, ..usual.clone() },
            FilesSection { part_mib: 129, ..usual.clone() },
            FilesSection { part_rows: 0, ..usual.clone() },
            FilesSection { link_minutes: 0, ..usual.clone() },
            FilesSection { link_minutes: 61, ..usual.clone() },
        ] {
            assert!(bad.check().unwrap_err().contains("[files]"), "{bad:?}");
        }
    }
}
