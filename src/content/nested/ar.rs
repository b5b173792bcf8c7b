//! Where the members of an `ar` archive lie: Debian packages and static libraries.

use std::ops::Range;

/// What such an archive begins with.
pub const MAGIC: &[u8] = b"!<arch>\n";
/// Bytes of a member's header.
pub const HEADER: usize = 60;

/// A member's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name as it stands there; long ones are elsewhere.
    pub name: Name,
    /// Bytes of the member that follow the header.
    pub size: u64,
}

/// A member's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// All of it.
    Short(Vec<u8>),
    /// GNU: at this offset of the table of names.
    InTable(usize),
    /// BSD: in so many first bytes of the member.
    InFront(usize),
    /// The table of names itself.
    Table,
}

/// Reads a header.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.first_chunk::<HEADER>()?;
    if !bytes.ends_with(b"`\n") {
        return None;
    }
    let size = number(&bytes[48..58])?;
    let name = bytes[..16].trim_ascii_end();
    let name = match name {
        b"//" => Name::Table,
        [b'/', digits @ ..] if number(digits).is_some() => Name::InTable(usize::try_from(number(digits)?).ok()?),
        [b'#', b'1', b'/', digits @ ..] if number(digits).is_some() => Name::InFront(usize::try_from(number(digits)?).ok()?),
        name => Name::Short(name.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(name).to_vec()),
    };
    Some(Header { name, size })
}

/// The name that stands at `offset` of the table of names.
pub fn in_table(table: &[u8], offset: usize) -> Vec<u8> {
    let rest = table.get(offset..).unwrap_or_default();
    let end = rest.iter().position(|&byte| matches!(byte, b'\n' | 0)).unwrap_or(rest.len());
    let name = &rest[..end];
    name.strip_suffix(b"/").unwrap_or(name).to_vec()
}

/// Bytes to the next header: members begin at even offsets.
pub fn padding(size: u64) -> u64 {
    size % 2
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok()
}

/// The members of an archive that lies in memory: names, and where their bytes are. What follows the last whole member is not among them.
pub fn list(bytes: &[u8]) -> Vec<(Vec<u8>, Range<usize>)> {
    let mut members = Vec::new();
    let mut table: &[u8] = &[];
    let mut at = MAGIC.len();
    while let Some(header) = bytes.get(at..).and_then(header) {
        let start = at + HEADER;
        let end = usize::try_from(header.size).unwrap_or(usize::MAX).saturating_add(start);
        let Some(body) = bytes.get(start..end) else { break };
        match header.name {
            Name::Table => {
                table = body;
                members.push((Vec::new(), start..end));
            }
            Name::Short(name) => members.push((name, start..end)),
            Name::InTable(offset) => members.push((in_table(table, offset), start..end)),
            Name::InFront(length) => {
                let length = length.min(body.len());
                let name = body[..length].iter().copied().take_while(|&byte| byte != 0).collect();
                members.push((name, start + length..end));
            }
        }
        at = end + usize::from(padding(header.size) == 1);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, body: &[u8]) -> Vec<u8> {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", body.len());
        [header.as_bytes(), body, &b"\n"[..body.len() % 2]].concat()
    }

    #[test]
    fn names_are_short_in_a_table_or_in_front() {
        let archive = [
            MAGIC.to_vec(),
            member("debian-binary", b"2.0\n"),
            member("//", b"a-name-that-is-long.o/\n"),
            member("/0", b"one"),
            member("#1/8", b"bsd\0\0\0\0\0two"),
        ]
        .concat();
        let names: Vec<(String, &[u8])> =
            list(&archive).into_iter().map(|(name, range)| (String::from_utf8_lossy(&name).into_owned(), &archive[range])).collect();
        assert_eq!(names[0], ("debian-binary".to_owned(), &b"2.0\n"[..]));
        assert_eq!(names[2], ("a-name-that-is-long.o".to_owned(), &b"one"[..]));
        assert_eq!(names[3], ("bsd".to_owned(), &b"two"[..]));
        assert_eq!(list(&archive[..archive.len() - 2]).len(), 3, "a member that is cut short is none");
    }
}
