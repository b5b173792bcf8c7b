//! `Packages`, a hash table of Berkeley DB, as Red Hat's distributions have it up to 8: pages of keys and values in turn, and values that do
//! not fit in chains of pages of their own ("db_page.h"). Numbers are those of the machine that wrote it.

const MAGIC: u32 = 0x0006_1561;
/// Bytes of a page's head.
const HEAD: usize = 26;
/// Kinds of pages: of a hash table (two generations), and what is beyond one page.
const HASH: [u8; 2] = [2, 13];
const OVERFLOW: u8 = 7;
/// A value that lies in pages of its own.
const OFF_PAGE: u8 = 3;
/// A value in its place.
const KEY_DATA: u8 = 1;

/// Of the bytes of a number.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn long(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    fn short(self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(usize::from(match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }))
    }
}

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    order: Order,
    /// Pages that may still be read: chains that lead in circles end.
    budget: usize,
}

/// Gives every header of the database.
pub(super) fn blobs(bytes: &[u8], tell: &mut dyn FnMut(&[u8])) {
    let Some(mut database) = Database::open(bytes) else { return };
    for number in 1..bytes.len() / database.page_size {
        database.page_of_table(number, tell);
    }
}

impl<'a> Database<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let order = [Order::Little, Order::Big].into_iter().find(|order| order.long(bytes, 12) == Some(MAGIC))?;
        let page_size = usize::try_from(order.long(bytes, 20)?).ok()?;
        let is_sound = page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        is_sound.then(|| Self { bytes, page_size, order, budget: 2 * (bytes.len() / page_size) + 2 })
    }

    fn page(&mut self, number: usize) -> Option<&'a [u8]> {
        self.budget = self.budget.checked_sub(1)?;
        let start = number.checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.page_size)?)
    }

    fn long_at(&self, page: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.order.long(page, at)?).ok()
    }

    fn page_of_table(&mut self, number: usize, tell: &mut dyn FnMut(&[u8])) -> Option<()> {
        let page = self.page(number)?;
        if !HASH.contains(page.get(25)?) {
            return None;
        }
        let entries = self.order.short(page, 20)?;
        // Keys and values in turn, from the page's end: an item ends where the one before it begins.
        for index in (1..entries).step_by(2) {
            let at = self.order.short(page, HEAD + 2 * index)?;
            let end = self.order.short(page, HEAD + 2 * (index - 1))?;
            match *page.get(at)? {
                OFF_PAGE => {
                    let (first, length) = (self.long_at(page, at + 4)?, self.long_at(page, at + 8)?);
                    if let Some(blob) = self.chain(first, length) {
                        tell(&blob);
                    }
                }
                KEY_DATA => {
                    if let Some(blob) = page.get(at + 1..end) {
                        tell(blob);
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn chain(&mut self, first: usize, length: usize) -> Option<Vec<u8>> {
        let mut blob = Vec::new();
        let mut next = first;
        while blob.len() < length {
            let page = self.page(next).filter(|page| page[25] == OVERFLOW)?;
            let used = self.order.short(page, 22)?;
            blob.extend_from_slice(page.get(HEAD..HEAD.checked_add(used)?)?);
            next = self.long_at(page, 16)?;
        }
        blob.truncate(length);
        Some(blob)
    }
}
