//! Texts of compiled code. Compilers put strings side by side with nothing between them but lengths and marks, which look like letters of the
//! string before or after. Taken apart, each string is a text of its own.

use std::ops::Range;

use super::little;

/// Shorter strings say nothing.
const MIN: usize = 6;
/// First version of the class file format.
const MIN_MAJOR: u64 = 45;
/// Class files of no version have a larger number; other files with the same first bytes (Mach-O for several processors) have a smaller one.
const MAX_MAJOR: u64 = 200;

/// Strings of a file as one text, each ended by a NUL.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strings {
    /// The strings.
    pub text: Vec<u8>,
    /// Where each string begins: in the text, and in the file.
    starts: Vec<(usize, usize)>,
    /// The bytes of the file that hold the strings and what says how long they are.
    pub table: Option<Range<usize>>,
}

impl Strings {
    fn push(&mut self, bytes: &[u8], range: Range<usize>) {
        if range.len() >= MIN {
            self.starts.push((self.text.len(), range.start));
            self.text.extend_from_slice(&bytes[range]);
            self.text.push(0);
        }
    }

    /// Where in the file the byte `at` of the text stands.
    pub fn origin(&self, at: usize) -> usize {
        let index = self.starts.partition_point(|(start, _)| *start <= at);
        index.checked_sub(1).and_then(|index| self.starts.get(index)).map_or(at, |(start, origin)| origin + (at - start))
    }
}

/// Whether bytes begin as a class file does.
pub fn is_class(head: &[u8]) -> bool {
    head.starts_with(&[0xca, 0xfe, 0xba, 0xbe]) && big_2(head, 6).is_some_and(|major| (MIN_MAJOR..MAX_MAJOR).contains(&(major as u64)))
}

fn big_2(bytes: &[u8], at: usize) -> Option<usize> {
    let [high, low] = *bytes.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(high) << 8 | usize::from(low))
}

/// The strings of a class file's constant pool (JVM specification, section 4.4).
pub fn of_class(bytes: &[u8]) -> Strings {
    const POOL: usize = 10;
    let mut strings = Strings::default();
    let count = big_2(bytes, 8).unwrap_or(0);
    let (mut at, mut index) = (POOL, 1);
    while index < count {
        let length = match bytes.get(at) {
            Some(1) => {
                let Some(length) = big_2(bytes, at + 1) else { break };
                let range = at + 3..at + 3 + length;
                if range.end > bytes.len() {
                    break;
                }
                strings.push(bytes, range);
                3 + length
            }
            Some(7 | 8 | 16 | 19 | 20) => 3,
            Some(15) => 4,
            Some(3 | 4 | 9..=12 | 17 | 18) => 5,
            // These take two numbers of the pool.
            Some(5 | 6) => {
                index += 1;
                9
            }
            _ => break,
        };
        at += length;
        index += 1;
    }
    strings.table = Some(0..at.min(bytes.len()));
    strings
}

/// The strings of compiled Python: what stands after a mark of the marshal format and its length and is text throughout. Code objects differ from
/// version to version; strings do not.
pub fn of_python(bytes: &[u8]) -> Strings {
    let mut strings = Strings::default();
    let mut at = 0;
    while let Some(&mark) = bytes.get(at) {
        let start = match mark & 0x7f {
            b'z' | b'Z' => bytes.get(at + 1).map(|&length| (at + 2, usize::from(length))),
            b's' | b't' | b'a' | b'A' | b'u' => little::<4>(bytes, at + 1).map(|length| (at + 5, length as usize)),
            _ => None,
        };
        let range = start.and_then(|(start, length)| Some(start..start.checked_add(length).filter(|end| *end <= bytes.len())?));
        match range.filter(|range| range.len() >= MIN && is_text(&bytes[range.clone()])) {
            Some(range) => {
                at = range.end;
                strings.push(bytes, range);
            }
            None => at += 1,
        }
    }
    strings
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_of_a_class_are_taken_apart() {
        let mut class = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 6];
        class.extend([1, 0, 50]);
        class.extend([b'a'; 50]);
        class.extend([5, 0, 0, 0, 0, 0, 0, 0, 1]);
        class.extend([1, 0, 7]);
        class.extend(b"another");
        class.extend([8, 0, 1]);
        class.extend(b"the rest");
        assert!(is_class(&class));
        let strings = of_class(&class);
        assert_eq!(strings.text, [&[b'a'; 50][..], b"\0another\0"].concat());
        assert_eq!((strings.origin(3), strings.origin(51)), (16, 75));
        assert_eq!(strings.table, Some(0..class.len() - 8));
    }

    #[test]
    fn a_mach_o_file_is_no_class() {
        assert!(!is_class(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 0, 0]));
    }

    #[test]
    fn constants_of_python_are_taken_apart() {
        let code = [&b"\x42\x0d\x0d\x0aNN\xda\x30"[..], &[b'x'; 48], b"z\x06secretr\x01\0\0\0u\x08\0\0\0long one"].concat();
        let strings = of_python(&code);
        assert_eq!(strings.text, [&[b'x'; 48][..], b"\0secret\0long one\0"].concat());
        assert_eq!(strings.origin(49), 58);
    }
}
