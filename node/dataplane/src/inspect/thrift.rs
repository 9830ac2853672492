//! As much of Thrift's compact protocol as it takes to look at Parquet's own words before its reader believes them: field
//! by field, nothing kept, nothing set aside by a number that the bytes claim.
//!
//! The form is that of the specification `thrift-compact-protocol.md`. Every loop eats at least a byte a turn, and structures
//! nest [`DEPTH_MAX`] deep at most, so bytes that lie cost no more than their length.

/// Deepest structures that are followed; Parquet's own are four deep.
const DEPTH_MAX: u32 = 12;

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// They end too early.
    Short,
    /// They cannot be what they should be.
    Bad,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True or false, which the field's own byte says.
    Bool(bool),
    Byte,
    /// Whole numbers of 16, 32 and 64 bits: all written alike.
    Number,
    Double,
    Bytes,
    List,
    Map,
    Struct,
}

impl Kind {
    fn read(code: u8) -> Result<Self, Stop> {
        Ok(match code {
            1 => Self::Bool(true),
            2 => Self::Bool(false),
            3 => Self::Byte,
            4..=6 => Self::Number,
            7 => Self::Double,
            8 => Self::Bytes,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            _ => return Err(Stop::Bad),
        })
    }
}

/// Reads bytes from the front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compact<'a> {
    rest: &'a [u8],
}

impl<'a> Compact<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.rest.split_first().ok_or(Stop::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn pass(&mut self, count: u64) -> Result<(), Stop> {
        let count = usize::try_from(count).map_err(|_| Stop::Bad)?;
        self.rest = self.rest.get(count..).ok_or(Stop::Short)?;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0u64;
        for place in 0..10 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Bad)
    }

    /// A whole number of any width.
    pub(crate) fn number(&mut self) -> Result<i64, Stop> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// The next field of a structure: its number and kind; none at its end. `last` is the number of the one before, from 0.
    pub(crate) fn field(&mut self, last: &mut i64) -> Result<Option<(i64, Kind)>, Stop> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let step = i64::from(head >> 4);
        *last = if step == 0 { self.number()? } else { last.checked_add(step).ok_or(Stop::Bad)? };
        Ok(Some((*last, Kind::read(head & 0x0F)?)))
    }

    /// The head of a list: how many elements it says it has, and their kind.
    pub(crate) fn list(&mut self) -> Result<(u64, Kind), Stop> {
        let head = self.byte()?;
        let short = u64::from(head >> 4);
        let count = if short == 15 { self.varint()? } else { short };
        Ok((count, Kind::read(head & 0x0F)?))
    }

    /// Passes over a value of this kind.
    pub(crate) fn skip(&mut self, kind: Kind) -> Result<(), Stop> {
        self.skip_deep(kind, 0)
    }

    fn skip_deep(&mut self, kind: Kind, depth: u32) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            return Err(Stop::Bad);
        }
        match kind {
            Kind::Bool(_) => Ok(()),
            Kind::Byte => self.pass(1),
            Kind::Number => self.number().map(|_| ()),
            Kind::Double => self.pass(8),
            Kind::Bytes => {
                let length = self.varint()?;
                self.pass(length)
            }
            Kind::List => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            Kind::Map => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::read(kinds >> 4)?, Kind::read(kinds & 0x0F)?);
                (0..count).try_for_each(|_| {
                    self.skip_element(key, depth)?;
                    self.skip_element(value, depth)
                })
            }
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_deep(kind, depth + 1)?;
                }
                Ok(())
            }
        }
    }

    /// An element of a list or map: there a truth value takes a byte.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Result<(), Stop> {
        match kind {
            Kind::Bool(_) => self.pass(1),
            other => self.skip_deep(other, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (bytes, due) in
            [(&[0][..], 0), (&[1], -1), (&[2], 1), (&[0xAC, 0x02], 150), (&[0x80, 0x80, 0x04], 32_768)]
        {
            assert_eq!(Compact::new(bytes).number(), Ok(due));
        }
        assert_eq!(Compact::new(&[0x80]).number(), Err(Stop::Short));
        assert_eq!(Compact::new(&[0xFF; 11]).number(), Err(Stop::Bad));
        let least = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(Compact::new(&least).number(), Ok(i64::MIN));
    }

    #[test]
    fn a_structure_is_passed_over_whole() {
        // 1: 150, 2: true, 3: [1, -1], 4: "ab", 5: {1: 0.0}, 6: {"a": true}, end; then one more byte.
        let bytes = [
            0x15, 0xAC, 0x02, 0x11, 0x19, 0x25, 0x02, 0x01, 0x18, 2, b'a', b'b', 0x1C, 0x17, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0x1B, 1, 0x81, 1, b'a', 1, 0, 9,
        ];
        let mut reader = Compact::new(&bytes);
        reader.skip(Kind::Struct).unwrap();
        assert_eq!(reader.left(), 1);
        for cut in 0..bytes.len() - 1 {
            assert_eq!(Compact::new(&bytes[..cut]).skip(Kind::Struct), Err(Stop::Short), "at {cut}");
        }
    }

    #[test]
    fn counts_and_depths_that_lie_end_soon() {
        // A list of 2^60 structures, a text of 2^60 bytes, structures in structures without end.
        let many = [0x19, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        assert_eq!(Compact::new(&many).skip(Kind::Struct), Err(Stop::Short));
        let long = [0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        assert!(Compact::new(&long).skip(Kind::Struct).is_err());
        assert_eq!(Compact::new(&[0x1C; 100_000]).skip(Kind::Struct), Err(Stop::Bad));
        assert_eq!(Compact::new(&[0x1D]).skip(Kind::Struct), Err(Stop::Bad), "a kind that there is not");
    }
}
