//! Names and shapes of tiles (C2SP `tlog-tiles`): how a log of any size is cut into files that never change.
//!
//! Promise: a tile's path and its coordinates map one to one; a path that is not canonical is refused.

use std::fmt;
use std::str::FromStr;

use crate::error::{LedgerError, Result};
use crate::text;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// The highest level that the specification names.
pub const LEVEL_MAX: u8 = 63;
/// Bytes of a hash.
pub const HASH_BYTES: u64 = 32;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Hashes of complete subtrees of height `8 * level`.
    Hashes {
        /// 0 for leaf hashes.
        level: u8,
    },
    /// The entries themselves, each behind its length (16 bits, big-endian).
    Entries,
}

/// One tile: what it holds, its number, and how many items (1..=256; 256 is full).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    content: Content,
    index: u64,
    width: u16,
}

impl Tile {
    /// Checks the coordinates.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] for a level over 63 or a width outside of 1..=256.
    pub fn new(content: Content, index: u64, width: u16) -> Result<Self> {
        if let Content::Hashes { level } = content
            && level > LEVEL_MAX
        {
            return Err(LedgerError::malformed("tile", format!("level {level} is over {LEVEL_MAX}")));
        }
        if width == 0 || u64::from(width) > TILE_WIDTH {
            return Err(LedgerError::malformed("tile", format!("width {width} is not in 1..={TILE_WIDTH}")));
        }
        Ok(Self { content, index, width })
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Its number in its level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many items it holds, 1..=256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }
}

/// How many hashes the level has in a tree of `size` leaves.
#[must_use]
pub fn level_length(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// All tiles of one content that a log of `size` entries serves: the full ones, then the partial one if any.
pub fn tiles_of(content: Content, size: u64) -> impl Iterator<Item = Tile> {
    let length = match content {
        Content::Hashes { level } => level_length(level, size),
        Content::Entries => size,
    };
    let (full, rest) = (length / TILE_WIDTH, length % TILE_WIDTH);
    let whole = (0..full).map(move |index| Tile { content, index, width: 256 });
    // `rest` is under 256, so the conversion holds.
    let partial = u16::try_from(rest).ok().filter(|width| *width > 0);
    whole.chain(partial.map(|width| Tile { content, index: full, width }))
}

/// The levels that have at least one hash in a tree of `size` leaves.
pub fn levels_of(size: u64) -> impl Iterator<Item = u8> {
    (0..8u8).take_while(move |level| level_length(*level, size) > 0)
}

impl fmt::Display for Tile {
    /// The path under the log's prefix, such as `tile/0/x001/x234/067.p/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Hashes { level } => write!(f, "tile/{level}/")?,
            Content::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if u64::from(self.width) < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Tile {
    type Err = LedgerError;

    fn from_str(path: &str) -> Result<Self> {
        let refuse = || LedgerError::malformed("tile path", format!("`{}`", text::shortened(path)));
        let tile = parse(path).ok_or_else(refuse)?;
        // One path per tile: what we would not write ourselves is refused.
        if tile.to_string() == path { Ok(tile) } else { Err(refuse()) }
    }
}

fn parse(path: &str) -> Option<Tile> {
    let (kind, number) = path.strip_prefix("tile/")?.split_once('/')?;
    let content = match kind {
        "entries" => Content::Entries,
        level => Content::Hashes { level: u8::try_from(text::decimal(level)?).ok()? },
    };
    let (number, width) = match number.split_once(".p/") {
        Some((number, width)) => (number, u16::try_from(text::decimal(width)?).ok()?),
        None => (number, 256),
    };
    let mut index: u64 = 0;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Tile::new(content, index, width).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEAVES: Content = Content::Hashes { level: 0 };

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |content, index, width| Tile::new(content, index, width).unwrap().to_string();
        assert_eq!(path(LEAVES, 0, 256), "tile/0/000");
        assert_eq!(path(LEAVES, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Content::Hashes { level: 1 }, 273, 17), "tile/1/273.p/17");
        assert_eq!(path(Content::Entries, 1000, 112), "tile/entries/x001/000.p/112");
    }

    #[test]
    fn other_spellings_are_refused() {
        let bad = [
            "",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/00/001",
            "tile/64/001",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/../checkpoint",
            "tile/-1/000",
            "/tile/0/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for path in bad {
            assert!(path.parse::<Tile>().is_err(), "{path}");
        }
        assert!(Tile::new(LEAVES, 0, 257).is_err());
        assert!(Tile::new(Content::Hashes { level: 64 }, 0, 1).is_err());
    }

    #[test]
    fn shapes_at_the_edges() {
        let shape = |content, size| -> Vec<(u64, u16)> {
            tiles_of(content, size).map(|tile| (tile.index(), tile.width())).collect()
        };
        let one = Content::Hashes { level: 1 };
        assert_eq!(shape(LEAVES, 0), []);
        assert_eq!(shape(LEAVES, 255), [(0, 255)]);
        assert_eq!(shape(LEAVES, 256), [(0, 256)]);
        assert_eq!(shape(one, 255), []);
        assert_eq!(shape(one, 256), [(0, 1)]);
        assert_eq!(shape(LEAVES, 257), [(0, 256), (1, 1)]);
        assert_eq!(shape(LEAVES, 70_000).len(), 274);
        assert_eq!(shape(LEAVES, 70_000).last(), Some(&(273, 112)));
        assert_eq!(shape(one, 70_000), [(0, 256), (1, 17)]);
        assert_eq!(shape(Content::Hashes { level: 2 }, 70_000), [(0, 1)]);
        assert_eq!(levels_of(70_000).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(levels_of(u64::MAX).count(), 8);
        assert_eq!(level_length(LEVEL_MAX, u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn path_and_coordinates_map_one_to_one(level in 0u8..64, index: u64, width in 1u16..=256, entries: bool) {
            let content = if entries { Content::Entries } else { Content::Hashes { level } };
            let tile = Tile::new(content, index, width).unwrap();
            prop_assert_eq!(tile.to_string().parse::<Tile>().unwrap(), tile);
        }
    }
}
