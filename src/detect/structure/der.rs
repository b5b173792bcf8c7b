//! A strict reader of DER: definite, shortest lengths, one-byte tags. Private keys need no more.

/// Universal and context tags that keys use.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Elements one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Tag and content of the next element.
    pub(super) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, header, length) = header(self.rest)?;
        let end = header.checked_add(length)?;
        let content = self.rest.get(header..end)?;
        self.rest = &self.rest[end..];
        Some((tag, content))
    }

    /// Content of the next element, which must have the tag; nothing is consumed otherwise.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.peek()? != tag {
            return None;
        }
        self.any().map(|(_, content)| content)
    }

    /// The elements of the next one, a sequence.
    pub(super) fn sequence(&mut self) -> Option<Reader<'a>> {
        self.expect(SEQUENCE).map(Reader::new)
    }

    /// A non-negative integer, most significant byte first, without leading zeros.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        match self.expect(INTEGER)? {
            [0, magnitude @ ..] if magnitude.first().is_none_or(|byte| *byte >= 0x80) => Some(magnitude),
            all @ [first, ..] if (1..0x80).contains(first) => Some(all),
            _ => None,
        }
    }

    /// An integer below 128.
    pub(super) fn small(&mut self) -> Option<u8> {
        match self.integer()? {
            [] => Some(0),
            [value] => Some(*value),
            _ => None,
        }
    }
}

/// Tag, size of the header and length of the content of the element that begins the bytes, which may be cut short.
pub(super) fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
    if tag & 0x1f == 0x1f {
        return None;
    }
    if first < 0x80 {
        return Some((tag, 2, usize::from(first)));
    }
    let size = usize::from(first & 0x7f);
    let digits = bytes.get(2..2 + size).filter(|digits| (1..=4).contains(&digits.len()) && digits[0] != 0)?;
    let length = digits.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
    (length >= 0x80).then_some((tag, 2 + size, length))
}

/// Size in bits of an integer without leading zeros.
pub(super) fn bits(integer: &[u8]) -> u32 {
    match integer {
        [] => 0,
        [first, ..] => (integer.len() as u32) * 8 - first.leading_zeros(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_shortest_definite_lengths_are_read() {
        let long = [&[SEQUENCE, 0x81, 0x80][..], &[0; 128]].concat();
        assert_eq!(Reader::new(&long).any().unwrap().1.len(), 128);
        for bad in
            [&[SEQUENCE, 0x81, 1, 0][..], &[SEQUENCE, 0x82, 0, 1, 0], &[SEQUENCE, 0x80, 0, 0], &[SEQUENCE, 2, 0], &[0x1f, 0], &[SEQUENCE]]
        {
            assert!(Reader::new(bad).any().is_none(), "{bad:?}");
        }
    }

    #[test]
    fn integers_are_minimal_and_not_negative() {
        for (bytes, value) in [
            (&[2, 1, 0][..], Some(&[][..])),
            (&[2, 1, 127], Some(&[127])),
            (&[2, 2, 0, 128], Some(&[128])),
            (&[2, 1, 128], None),
            (&[2, 2, 0, 1], None),
            (&[2, 0], None),
        ] {
            assert_eq!(Reader::new(bytes).integer(), value, "{bytes:?}");
        }
        assert_eq!((bits(&[]), bits(&[1]), bits(&[0x80, 0])), (0, 1, 16));
    }
}
