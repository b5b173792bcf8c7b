//! Headers of cpio archives: the new ASCII form (with and without checksum), the old ASCII form, and the binary one. Initial RAM disks and the
//! payload of RPM packages are such archives.

use super::little;

/// Longest name that is believed.
const MAX_NAME: u64 = 64 * 1024;
/// The name of the last member.
pub const TRAILER: &[u8] = b"TRAILER!!!";

/// A member's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the header.
    pub length: usize,
    /// Bytes of the name, its NUL among them.
    pub name: usize,
    /// Bytes of the member.
    pub size: u64,
    /// What name and body are padded to.
    align: u64,
    /// The type and permissions.
    pub mode: u64,
}

/// Most bytes of a header.
pub const MAX_HEADER: usize = 110;

/// Whether bytes begin with a header.
pub fn is_header(head: &[u8]) -> bool {
    header(head).is_some_and(|header| header.name > 1)
}

/// Reads a header.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let field = |range: std::ops::Range<usize>, radix: u32| {
        let digits = bytes.get(range).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
    };
    let found = if bytes.starts_with(b"070701") || bytes.starts_with(b"070702") {
        Header { length: 110, name: field(94..102, 16)? as usize, size: field(54..62, 16)?, align: 4, mode: field(14..22, 16)? }
    } else if bytes.starts_with(b"070707") {
        Header { length: 76, name: field(59..65, 8)? as usize, size: field(65..76, 8)?, align: 1, mode: field(18..24, 8)? }
    } else if bytes.starts_with(&[0xc7, 0x71]) {
        let size = little::<2>(bytes, 22)? << 16 | little::<2>(bytes, 24)?;
        Header { length: 26, name: little::<2>(bytes, 20)? as usize, size, align: 2, mode: little::<2>(bytes, 6)? }
    } else {
        return None;
    };
    (found.name as u64 <= MAX_NAME).then_some(found)
}

impl Header {
    /// Bytes of header, name and what follows the name.
    pub fn before(&self) -> u64 {
        let end = (self.length + self.name) as u64;
        end.next_multiple_of(self.align)
    }

    /// Bytes that follow the body.
    pub fn padding(&self) -> u64 {
        self.size.next_multiple_of(self.align) - self.size
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_how_long_name_and_body_are() {
        let text = format!("070701{}", [1, 0o100644, 0, 0, 1, 0, 5, 0, 0, 0, 0, 6, 0].map(|field: u32| format!("{field:08X}")).concat());
        let header = header(text.as_bytes()).map(|header| (header.before(), header.size, header.padding(), header.is_file()));
        assert_eq!(header, Some((116, 5, 3, true)));
        assert!(!is_header(b"070701zzzz"));
    }
}
