//! Where the files of an RPM package lie: after its lead and two headers, as a compressed cpio archive.

/// Bytes of the lead.
const LEAD: usize = 96;
/// What each header begins with.
const HEADER: &[u8] = b"\x8e\xad\xe8\x01";
/// Bytes before a header's index.
const INTRODUCTION: usize = 16;
/// Bytes of an entry of the index.
const INDEX_ENTRY: usize = 16;

/// Where the archive of files begins.
pub fn payload(bytes: &[u8]) -> Option<usize> {
    let signature = after_header(bytes, LEAD)?;
    // The second header begins at a multiple of eight.
    after_header(bytes, signature.next_multiple_of(8)).filter(|payload| *payload < bytes.len())
}

fn after_header(bytes: &[u8], at: usize) -> Option<usize> {
    let header = bytes.get(at..)?.first_chunk::<INTRODUCTION>().filter(|header| header.starts_with(HEADER))?;
    let number = |at: usize| header[at..at + 4].iter().fold(0usize, |number, &byte| number << 8 | usize::from(byte));
    let (entries, data) = (number(8), number(12));
    at.checked_add(INTRODUCTION)?.checked_add(entries.checked_mul(INDEX_ENTRY)?)?.checked_add(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_follows_two_headers() {
        let header = |entries: u8, data: u8| {
            let mut header = [HEADER, &[0; 4], &[0, 0, 0, entries], &[0, 0, 0, data]].concat();
            header.resize(INTRODUCTION + usize::from(entries) * INDEX_ENTRY + usize::from(data), 7);
            header
        };
        let mut package = [vec![0; LEAD], header(1, 3)].concat();
        package.resize(package.len().next_multiple_of(8), 0);
        package.extend(header(2, 9));
        let end = package.len();
        package.extend(b"payload");
        assert_eq!(payload(&package), Some(end));
        assert_eq!(payload(&package[..end]), None);
        assert_eq!(payload(&[0xff; 200]), None);
    }
}
