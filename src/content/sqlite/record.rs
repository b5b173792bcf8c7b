//! Records: what a row or an entry of an index holds.

/// A number of one to nine bytes, and where it ends.
pub(super) fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for index in 0..9 {
        let byte = *bytes.get(at + index)?;
        if index == 8 {
            return Some((number << 8 | u64::from(byte), at + 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((number, at + index + 1));
        }
    }
    None
}

/// A column's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'r> {
    /// A whole number.
    Integer(i64),
    /// A text, in the encoding of the database.
    Text(&'r [u8]),
    /// Bytes.
    Blob(&'r [u8]),
    /// Nothing, or a fraction.
    Other,
}

/// The values of a record that should be `length` bytes long, of which `record` are there: none if its header does not say so.
pub fn values(record: &[u8], length: usize) -> Option<Vec<Value<'_>>> {
    let (header, mut at) = varint(record, 0)?;
    let header = usize::try_from(header).ok().filter(|header| *header <= record.len() && *header >= at)?;
    let mut values = Vec::new();
    let mut body = header;
    while at < header {
        let (kind, next) = varint(&record[..header], at)?;
        at = next;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let end = body.checked_add(usize::try_from(size).ok()?).filter(|end| *end <= length)?;
        let bytes = record.get(body.min(record.len())..end.min(record.len())).unwrap_or_default();
        body = end;
        values.push(match kind {
            1..=6 => Value::Integer(integer(bytes)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            12.. if kind % 2 == 0 => Value::Blob(bytes),
            12.. => Value::Text(bytes),
            _ => Value::Other,
        });
    }
    (body == length).then_some(values)
}

/// A number in two's complement, most significant byte first.
fn integer(bytes: &[u8]) -> i64 {
    let sign = bytes.first().map_or(0, |first| i64::from(*first as i8) >> 7);
    bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_the_header() {
        let record = [6, 0, 1, 2, 23, 16, 0xff, 0x01, 0x00, b'h', b'e', b'l', b'l', b'o', 1, 2];
        let expected = [Value::Other, Value::Integer(-1), Value::Integer(256), Value::Text(b"hello"), Value::Blob(&[1, 2])];
        assert_eq!(values(&record, record.len()).as_deref(), Some(&expected[..]));
        // Of one that is cut short there is what there is.
        let cut = values(&record[..12], record.len()).unwrap_or_default();
        assert_eq!(cut[3..], [Value::Text(b"hel"), Value::Blob(&[])]);
        assert_eq!(values(&record, record.len() + 1), None);
        assert_eq!(values(&[], 0), None);
        assert_eq!(values(&[0xff; 20], 20), None);
    }

    #[test]
    fn numbers_have_up_to_nine_bytes() {
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xff; 8], 0), None);
    }
}
