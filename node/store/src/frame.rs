//! How a record stands on the disk. Pure: bytes in, bytes out.
//!
//! ```text
//! value up to 4 KiB   [1][revision u64][value][crc32]
//! longer value        [2][revision u64][length u32][crc32 of the value][id u32][crc32]
//!   its parts         [3][up to 4 KiB][crc32]      under the part key: [0x01][revision u64][id u32][index u32]
//! newest revision     [4][revision u64][crc32]     under the key [0x00]
//! ```
//!
//! Numbers are big-endian. The last crc32 covers the key on the disk and everything before it, so that a record moved
//! under another key is as bad as one with a flipped bit. Unknown first bytes are errors: a new kind of frame comes
//! with a new schema number.

use bytes::Bytes;

use crate::{Space, limits};

const INLINE: u8 = 1;
const SPLIT: u8 = 2;
const PART: u8 = 3;
const REVISION: u8 = 4;

const CRC_BYTES: usize = 4;

/// The key of the newest revision.
pub(crate) const REVISION_KEY: [u8; 1] = [0x00];

/// The first byte of all part keys.
pub(crate) const PARTS: u8 = 0x01;

/// What is wrong with a frame, in words for an error message.
pub(crate) type Bad = &'static str;

/// The frame found under a record's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The value is inside.
    Inline { revision: u64, value: Bytes },
    /// The value is in parts.
    Split(Split),
}

/// Where the parts of a long value are, and what they must add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) revision: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) id: u32,
}

impl Head {
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Head::Inline { revision, .. } => *revision,
            Head::Split(split) => split.revision,
        }
    }
}

impl Split {
    /// The keys of its parts, in order.
    pub(crate) fn part_keys(self) -> impl Iterator<Item = Vec<u8>> {
        let parts = (self.len as usize).div_ceil(limits::PART_BYTES) as u32;
        (0..parts).map(move |index| {
            let mut key = vec![PARTS];
            key.extend_from_slice(&self.revision.to_be_bytes());
            key.extend_from_slice(&self.id.to_be_bytes());
            key.extend_from_slice(&index.to_be_bytes());
            key
        })
    }
}

/// The key on the disk of a record.
pub(crate) fn record_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(space.code());
    out.extend_from_slice(key);
    out
}

/// Every frame that a put writes: the head, and the parts of a long value. `id` tells apart the long values that one
/// transaction writes.
pub(crate) fn frames(
    space: Space,
    key: &[u8],
    value: &Bytes,
    revision: u64,
    id: u32,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let head_key = record_key(space, key);
    if value.len() <= limits::PART_BYTES {
        let frame = seal(&head_key, INLINE, &[&revision.to_be_bytes(), value]);
        return vec![(head_key, frame)];
    }
    let split = Split { revision, len: value.len() as u32, crc: crc32fast::hash(value), id };
    let numbers = [split.len.to_be_bytes(), split.crc.to_be_bytes(), split.id.to_be_bytes()].concat();
    let frame = seal(&head_key, SPLIT, &[&revision.to_be_bytes(), &numbers]);
    let mut out = vec![(head_key, frame)];
    for (part_key, part) in split.part_keys().zip(value.chunks(limits::PART_BYTES)) {
        let frame = seal(&part_key, PART, &[part]);
        out.push((part_key, frame));
    }
    out
}

pub(crate) fn revision_frame(revision: u64) -> Vec<u8> {
    seal(&REVISION_KEY, REVISION, &[&revision.to_be_bytes()])
}

/// Reads the frame under a record's key on the disk.
pub(crate) fn read_head(disk_key: &[u8], frame: &[u8]) -> Result<Head, Bad> {
    let (kind, content) = unseal(disk_key, frame)?;
    let (revision, rest) = take_u64(content)?;
    match kind {
        INLINE if rest.len() <= limits::PART_BYTES => {
            Ok(Head::Inline { revision, value: Bytes::copy_from_slice(rest) })
        }
        SPLIT => {
            let (len, rest) = take_u32(rest)?;
            let (crc, rest) = take_u32(rest)?;
            let (id, rest) = take_u32(rest)?;
            let fits = (limits::PART_BYTES + 1..=limits::VALUE_BYTES_MAX).contains(&(len as usize));
            if rest.is_empty() && fits {
                Ok(Head::Split(Split { revision, len, crc, id }))
            } else {
                Err("the frame of a long value has the wrong length")
            }
        }
        _ => Err("the frame is of an unknown kind"),
    }
}

/// Reads the frame under a part's key.
pub(crate) fn read_part<'f>(part_key: &[u8], frame: &'f [u8]) -> Result<&'f [u8], Bad> {
    match unseal(part_key, frame)? {
        (PART, content) => Ok(content),
        _ => Err("a part of the value is of an unknown kind"),
    }
}

pub(crate) fn read_revision(frame: &[u8]) -> Result<u64, Bad> {
    match unseal(&REVISION_KEY, frame)? {
        (REVISION, content) => match take_u64(content)? {
            (revision, []) => Ok(revision),
            _ => Err("the frame has the wrong length"),
        },
        _ => Err("the frame is of an unknown kind"),
    }
}

fn seal(disk_key: &[u8], kind: u8, content: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![kind];
    for piece in content {
        out.extend_from_slice(piece);
    }
    let crc = crc(disk_key, &out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

fn unseal<'f>(disk_key: &[u8], frame: &'f [u8]) -> Result<(u8, &'f [u8]), Bad> {
    let body_len = frame.len().checked_sub(CRC_BYTES).ok_or("the frame is too short")?;
    let (body, crc_found) = frame.split_at(body_len);
    if crc(disk_key, body).to_be_bytes() != crc_found {
        return Err("its checksum does not fit its key and content");
    }
    match body {
        [kind, content @ ..] => Ok((*kind, content)),
        [] => Err("the frame is too short"),
    }
}

fn crc(disk_key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(disk_key);
    hasher.update(body);
    hasher.finalize()
}

fn take_u64(bytes: &[u8]) -> Result<(u64, &[u8]), Bad> {
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or("the frame is too short")?;
    Ok((u64::from_be_bytes(*first), rest))
}

fn take_u32(bytes: &[u8]) -> Result<(u32, &[u8]), Bad> {
    let (first, rest) = bytes.split_first_chunk::<4>().ok_or("the frame is too short")?;
    Ok((u32::from_be_bytes(*first), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Kept samples: a change of the bytes on the disk needs a new schema number and a migration.
    #[test]
    fn the_bytes_on_the_disk_are_these() {
        let short = frames(Space::Peer, b"k", &Bytes::from_static(b"v"), 7, 0);
        assert_eq!(hex(&short[0].0), "136b");
        assert_eq!(
            hex(&short[0].1),
            format!("01000000000000000776{:08x}", crc32_of("136b01000000000000000776"))
        );
        let long = frames(Space::Peer, b"k", &Bytes::from(vec![0; 4097]), 7, 2);
        assert_eq!(long.len(), 3);
        assert_eq!(hex(&long[1].0), "0100000000000000070000000200000000");
        assert_eq!(hex(&long[2].0), "0100000000000000070000000200000001");
        assert_eq!(hex(&long[0].1[..13]), "02000000000000000700001001");
        assert_eq!(hex(&revision_frame(7)[..9]), "040000000000000007");
    }

    fn crc32_of(hex: &str) -> u32 {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        crc32fast::hash(&bytes)
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (key, frame) = frames(Space::Peer, b"key", &Bytes::from_static(b"value"), 9, 0).remove(0);
        assert_eq!(
            read_head(&key, &frame),
            Ok(Head::Inline { revision: 9, value: Bytes::from_static(b"value") })
        );
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read_head(&key, &bad).is_err(), "bit {bit}");
        }
        for len in 0..frame.len() {
            assert!(read_head(&key, &frame[..len]).is_err(), "cut at {len}");
        }
        assert!(read_head(b"\x13kex", &frame).is_err(), "moved under another key");
    }

    #[test]
    fn a_frame_of_another_kind_is_refused() {
        let key = record_key(Space::Peer, b"k");
        assert!(read_head(&key, &seal(&key, 9, &[&[0; 8]])).is_err());
        assert!(read_head(&key, &seal(&key, PART, &[&[0; 8]])).is_err());
        let split = |len: u32| {
            let mut numbers = len.to_be_bytes().to_vec();
            numbers.extend_from_slice(&[0; 8]);
            read_head(&key, &seal(&key, SPLIT, &[&[0; 8], &numbers]))
        };
        assert!(split(4096).is_err() && split(4097).is_ok());
        assert!(split(1 << 20).is_ok() && split((1 << 20) + 1).is_err());
        assert!(read_revision(&seal(&REVISION_KEY, REVISION, &[&[0; 9]])).is_err());
        assert_eq!(read_revision(&revision_frame(3)), Ok(3));
    }
}
