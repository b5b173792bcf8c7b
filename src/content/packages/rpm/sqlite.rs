//! `rpmdb.sqlite`: the table `Packages` has a header in each row (sqlite.org, "Database File Format"). What stands in a write-ahead log
//! beside it is not read: images are made by programs that close their database.

/// Deepest tree that is walked.
const MAX_DEPTH: usize = 20;

const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    usable: usize,
    /// Pages that may still be read: a database that leads in circles ends.
    budget: usize,
    /// Bytes that records may still have: they share none.
    left: usize,
}

/// Gives every header of the database.
pub(super) fn blobs(bytes: &[u8], tell: &mut dyn FnMut(&[u8])) {
    let Some(mut database) = Database::open(bytes) else { return };
    let mut root = None;
    database.rows(1, 0, &mut |row| {
        // type, name, tbl_name, rootpage, sql
        if let [Value::Text(b"table"), Value::Text(b"Packages"), _, Value::Integer(page), ..] = columns(row)[..] {
            root = usize::try_from(page).ok();
        }
    });
    let Some(root) = root else { return };
    database.rows(root, 0, &mut |row| {
        if let [_, Value::Blob(blob), ..] = columns(row)[..] {
            tell(blob);
        }
    });
}

impl<'a> Database<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(b"SQLite format 3\0") {
            return None;
        }
        let page_size = match u16::from_be_bytes(*bytes.get(16..)?.first_chunk()?) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return None,
        };
        let usable = page_size.checked_sub(usize::from(*bytes.get(20)?)).filter(|usable| *usable >= 480)?;
        Some(Self { bytes, page_size, usable, budget: bytes.len() / page_size + 1, left: bytes.len() })
    }

    /// A page, from 1.
    fn page(&mut self, number: usize) -> Option<&'a [u8]> {
        self.budget = self.budget.checked_sub(1)?;
        let start = number.checked_sub(1)?.checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.usable)?)
    }

    /// The records of the table whose tree begins at a page.
    fn rows(&mut self, number: usize, depth: usize, tell: &mut dyn FnMut(&[u8])) -> Option<()> {
        let page = self.page(number).filter(|_| depth < MAX_DEPTH)?;
        let start = if number == 1 { 100 } else { 0 };
        let kind = *page.get(start)?;
        let count = usize::from(short(page, start + 3)?);
        let cells = start + if kind == INTERIOR { 12 } else { 8 };
        for cell in 0..count {
            let at = usize::from(short(page, cells + 2 * cell)?);
            match kind {
                INTERIOR => {
                    self.rows(long(page, at)?, depth + 1, tell);
                }
                LEAF => {
                    let (length, next) = varint(page, at)?;
                    let (_, body) = varint(page, next)?;
                    let record = usize::try_from(length).ok().and_then(|length| self.payload(page, body, length));
                    if let Some(record) = record {
                        tell(&record);
                    }
                }
                _ => return None,
            }
        }
        if kind == INTERIOR { self.rows(long(page, start + 8)?, depth + 1, tell) } else { Some(()) }
    }

    /// A record, which may go on in a chain of further pages.
    fn payload(&mut self, page: &'a [u8], at: usize, length: usize) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(length)?;
        let most = self.usable - 35;
        let local = if length <= most {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let local = least + (length - least) % (self.usable - 4);
            if local <= most { local } else { least }
        };
        let mut record = page.get(at..at.checked_add(local)?)?.to_vec();
        if local == length {
            return Some(record);
        }
        let mut next = long(page, at + local)?;
        while record.len() < length {
            let page = self.page(next)?;
            next = long(page, 0)?;
            let rest = &page[4..];
            record.extend_from_slice(&rest[..rest.len().min(length - record.len())]);
        }
        Some(record)
    }
}

fn short(page: &[u8], at: usize) -> Option<u16> {
    page.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn long(page: &[u8], at: usize) -> Option<usize> {
    let number = page.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))?;
    usize::try_from(number).ok()
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
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

#[derive(Debug, Clone, Copy)]
enum Value<'r> {
    Integer(u64),
    Text(&'r [u8]),
    Blob(&'r [u8]),
    Other,
}

/// The columns of a record, as far as they make sense.
fn columns(record: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    let Some((header, mut at)) = varint(record, 0) else { return values };
    let Ok(header) = usize::try_from(header) else { return values };
    let mut body = header;
    while at < header.min(record.len()) {
        let Some((kind, next)) = varint(record, at) else { break };
        at = next;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => break,
            _ => (kind - 12) / 2,
        };
        let end = usize::try_from(size).ok().and_then(|size| body.checked_add(size));
        let Some(bytes) = end.and_then(|end| record.get(body..end)) else { break };
        body += bytes.len();
        values.push(match kind {
            1..=6 => Value::Integer(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))),
            9 => Value::Integer(1),
            12.. if kind % 2 == 0 => Value::Blob(bytes),
            12.. => Value::Text(bytes),
            _ => Value::Other,
        });
    }
    values
}
