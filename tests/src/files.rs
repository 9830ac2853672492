//! Files that tests read and spoil, and what the kernel says of a process.

use std::path::{Path, PathBuf};

/// A file or folder of the shared real data and vectors, `shared("data/hanoi-air-quality.csv")`: under `$TRAM_SHARED`, or
/// beside the repository. `None` if it isn't there: then [`skip`].
pub fn shared(path: &str) -> Option<PathBuf> {
    let base = match std::env::var_os("TRAM_SHARED") {
        Some(base) => PathBuf::from(base),
        None => crate::repository().join("../shared"),
    };
    let path = base.join(path);
    path.exists().then_some(path)
}

/// Says that a test could not do its work; `tests/run` counts these. Return after it.
pub fn skip(why: &str) {
    println!("skipped: {why}");
}

/// Turns one bit of one byte over, in place.
///
/// # Panics
/// When the file is shorter than that, or can't be written.
#[track_caller]
pub fn flip_byte(path: &Path, offset: usize) {
    let mut bytes =
        std::fs::read(path).unwrap_or_else(|error| panic!("`{}` can't be read: {error}", path.display()));
    match bytes.get_mut(offset) {
        Some(byte) => *byte ^= 1,
        None => panic!("`{}` has no byte {offset}", path.display()),
    }
    std::fs::write(path, bytes)
        .unwrap_or_else(|error| panic!("`{}` can't be written: {error}", path.display()));
}

/// Resident memory of a process in bytes: `VmRSS`, or with `peak` the most it ever had (`VmHWM`). `None` when it is gone.
pub fn rss_bytes(pid: u32, peak: bool) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let name = if peak { "VmHWM:" } else { "VmRSS:" };
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_is_known_and_of_none_is_not() {
        let now = rss_bytes(std::process::id(), false).unwrap();
        let peak = rss_bytes(std::process::id(), true).unwrap();
        assert!(now > 100_000 && peak >= now / 2, "{now} {peak}");
        assert_eq!(rss_bytes(u32::MAX, false), None);
    }

    #[test]
    fn a_flipped_byte_is_the_only_difference() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, b"abc").unwrap();
        flip_byte(&path, 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"acc");
        assert!(std::panic::catch_unwind(|| flip_byte(&path, 3)).is_err());
    }
}
