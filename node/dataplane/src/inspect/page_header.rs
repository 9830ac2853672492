//! The header of a Parquet page: what it claims, read without believing it (`parquet.thrift`, `PageHeader`).

use super::thrift::{Compact, Kind, Stop};

/// What a page's header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// Whether it holds rows.
    pub is_data: bool,
    /// Whether it holds the words that rows refer to.
    pub is_dictionary: bool,
    /// Bytes on disk behind the header.
    pub packed: u64,
    /// Bytes once unpacked.
    pub unpacked: u64,
    /// Values, the missing ones among them.
    pub values: u64,
    /// Bytes in front that are never packed (pages of version 2).
    pub levels: u64,
    /// Whether the rest is packed at all.
    pub is_packed: bool,
}

/// Numbers of fields that are looked at in the structure of a page's kind.
const INNER_FIELDS: usize = 8;

impl PageHeader {
    /// The header at the front of these bytes, and its length.
    ///
    /// # Errors
    /// [`Stop::Short`] when more bytes could make one.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), Stop> {
        let mut reader = Compact::new(bytes);
        let (mut last, mut outer) = (0, [None; 4]);
        let (mut inner, mut is_packed, mut told) = ([None; INNER_FIELDS], true, None);
        while let Some((field, kind)) = reader.field(&mut last)? {
            match (field, kind) {
                (1..=3, Kind::Number) => put(&mut outer, field, reader.number()?)?,
                // One of a data page, a dictionary, a data page of version 2.
                (5 | 7 | 8, Kind::Struct) if told.is_none() => {
                    told = Some(field);
                    is_packed = inside(&mut reader, &mut inner, field == 8)?;
                }
                // Another reader might believe the second of two, or read a number where none is.
                (1..=3 | 5 | 7 | 8, _) => return Err(Stop::Bad),
                _ => reader.skip(kind)?,
            }
        }
        let size = |value: Option<i64>| value.and_then(|n| u64::try_from(n).ok()).ok_or(Stop::Bad);
        let kind = outer[1].ok_or(Stop::Bad)?;
        let holds_values = matches!(kind, 0 | 2 | 3);
        // The structure must be that of the page's kind: whoever reads the page goes by the kind.
        let due = match kind {
            0 => Some(5),
            2 => Some(7),
            3 => Some(8),
            _ => None,
        };
        if holds_values && told != due || !holds_values && told.is_some() {
            return Err(Stop::Bad);
        }
        let version_2 = told == Some(8);
        let values = if holds_values { size(inner[1])? } else { 0 };
        let levels = if version_2 { size(inner[5])?.saturating_add(size(inner[6])?) } else { 0 };
        let header = Self {
            is_data: matches!(kind, 0 | 3),
            is_dictionary: kind == 2,
            packed: size(outer[3])?,
            unpacked: size(outer[2])?,
            values,
            levels,
            is_packed,
        };
        Ok((header, bytes.len() - reader.left()))
    }
}

fn put<const N: usize>(fields: &mut [Option<i64>; N], field: i64, value: i64) -> Result<(), Stop> {
    match usize::try_from(field).ok().and_then(|field| fields.get_mut(field)) {
        Some(place @ None) => *place = Some(value),
        _ => return Err(Stop::Bad),
    }
    Ok(())
}

/// The numbers of the structure of a page's kind; says whether the page is packed, which field 7 of version 2 can deny.
fn inside(
    reader: &mut Compact<'_>,
    fields: &mut [Option<i64>; INNER_FIELDS],
    version_2: bool,
) -> Result<bool, Stop> {
    let (mut last, mut is_packed) = (0, true);
    while let Some((field, kind)) = reader.field(&mut last)? {
        match (field, kind) {
            (1..=6, Kind::Number) => put(fields, field, reader.number()?)?,
            (7, Kind::Bool(said)) if version_2 => is_packed = said,
            (1, _) => return Err(Stop::Bad),
            (2..=7, _) if version_2 => return Err(Stop::Bad),
            _ => reader.skip(kind)?,
        }
    }
    Ok(is_packed)
}

#[cfg(test)]
mod tests {
    use super::{PageHeader, Stop};

    /// Data page of version 1: kind 0, 100 and 50 bytes, 7 values.
    const PAGE: [u8; 17] = [0x15, 0, 0x15, 0xC8, 1, 0x15, 0x64, 0x2C, 0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6, 0];

    #[test]
    fn a_header_says_its_sizes() {
        let bytes = [&PAGE[..], &[0, 9, 9]].concat();
        let (header, size) = PageHeader::read(&bytes).unwrap();
        assert_eq!((header.packed, header.unpacked, header.values, size), (50, 100, 7, 18));
        assert!(header.is_data && !header.is_dictionary && header.is_packed);
        for cut in 0..size {
            assert_eq!(PageHeader::read(&bytes[..cut]), Err(Stop::Short), "at {cut}");
        }
    }

    #[test]
    fn what_two_readers_would_take_in_two_ways_is_no_header() {
        // Field 7 of a page of version 1 says that it is not packed: no reader looks at it there.
        let mut loose = PAGE[..PAGE.len() - 1].to_vec();
        loose.extend([0x32, 0, 0]);
        assert!(PageHeader::read(&loose).is_ok_and(|(header, _)| header.is_packed));
        // A second size after the first, once by a step of none and once by another kind of value.
        for again in [[0x05, 0x06, 0xD0], [0x03, 0x06, 0xD0]] {
            let twice = [&PAGE[..7], &again[..], &PAGE[7..], &[0]].concat();
            assert_eq!(PageHeader::read(&twice), Err(Stop::Bad), "{again:?}");
        }
        // The structure of version 2 in a page of version 1.
        let mut other = [&PAGE[..], &[0]].concat();
        other[7] = 0x5C;
        assert_eq!(PageHeader::read(&other), Err(Stop::Bad));
    }

    #[test]
    fn sizes_of_less_than_nothing_or_none_at_all_are_no_header() {
        let mut negative = [&PAGE[..], &[0]].concat();
        negative[6] = 0x63;
        assert_eq!(PageHeader::read(&negative), Err(Stop::Bad));
        assert_eq!(PageHeader::read(&[0x15, 0, 0]), Err(Stop::Bad));
        assert_eq!(PageHeader::read(&[0]), Err(Stop::Bad));
    }
}
