//! The numbers and lists that the tables of a 7z archive are made of.

/// What the parts of a table are called.
pub(super) mod id {
    pub(in super::super) const END: u8 = 0;
    pub(in super::super) const HEADER: u8 = 1;
    pub(in super::super) const PROPERTIES: u8 = 2;
    pub(in super::super) const ADDITIONAL: u8 = 3;
    pub(in super::super) const MAIN: u8 = 4;
    pub(in super::super) const FILES: u8 = 5;
    pub(in super::super) const PACK: u8 = 6;
    pub(in super::super) const UNPACK: u8 = 7;
    pub(in super::super) const SUB_STREAMS: u8 = 8;
    pub(in super::super) const SIZE: u8 = 9;
    pub(in super::super) const CRC: u8 = 10;
    pub(in super::super) const FOLDER: u8 = 11;
    pub(in super::super) const UNPACK_SIZE: u8 = 12;
    pub(in super::super) const UNPACK_STREAMS: u8 = 13;
    pub(in super::super) const EMPTY_STREAM: u8 = 14;
    pub(in super::super) const NAMES: u8 = 17;
    pub(in super::super) const ENCODED_HEADER: u8 = 23;
}

/// Reads a table from its beginning.
pub(super) struct Table<'t> {
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
}

impl<'t> Table<'t> {
    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'t [u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    /// A number: the first byte's leading ones say how many bytes follow, its other bits are the highest.
    pub(super) fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let extra = first.leading_ones() as usize;
        let low = self.take(extra)?.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        let high = if extra >= 7 { 0 } else { u64::from(first & (0x7f >> extra)) << (8 * extra) };
        Some(high | low)
    }

    /// How many of something there are, each of which takes a byte at least of what is left.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len() - self.at).then_some(count)
    }

    /// A list of bits, most significant first.
    pub(super) fn bits(&mut self, count: usize) -> Option<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8))?;
        Some((0..count).map(|bit| bytes[bit / 8] & 0x80 >> (bit % 8) != 0).collect())
    }

    /// Passes over checksums of `count` things; which of them have one.
    pub(super) fn sums(&mut self, count: usize) -> Option<Vec<bool>> {
        let known = if self.byte()? != 0 { vec![true; count] } else { self.bits(count)? };
        self.take(known.iter().filter(|is_known| **is_known).count().checked_mul(4)?)?;
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_by_bytes_and_counts_are_believed_as_far_as_there_are_bytes() {
        for (bytes, number) in [
            (&[0x7f][..], Some(0x7f)),
            (&[0x80, 0x34], Some(0x34)),
            (&[0x92, 0x34], Some(0x1234)),
            (&[0xc1, 2, 3], Some(0x1_0302)),
            (&[0xff, 1, 0, 0, 0, 0, 0, 0, 0x80], Some(1 << 63 | 1)),
            (&[0xff, 1], None),
        ] {
            assert_eq!(Table { bytes, at: 0 }.number(), number, "{bytes:?}");
        }
        assert_eq!(Table { bytes: &[2, 0, 0], at: 0 }.count(), Some(2));
        assert_eq!(Table { bytes: &[3, 0, 0], at: 0 }.count(), None);
    }
}
