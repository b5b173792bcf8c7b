//! `Packages.db`, rpm's own database ("ndb"), as SUSE has it: slots of 16 bytes say in which blocks of 16 bytes a header lies, and before it
//! stand its mark, its number, a generation and its length. All numbers are little-endian.

const MARK: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE: usize = 4096;
const BLOCK: usize = 16;

/// Gives every header of the database.
pub(super) fn blobs(bytes: &[u8], tell: &mut dyn FnMut(&[u8])) {
    if !bytes.starts_with(MARK) {
        return;
    }
    let pages = number(bytes, 12).unwrap_or_default();
    let slots = bytes.get(..pages.saturating_mul(PAGE).min(bytes.len())).unwrap_or_default();
    // The first two places are the database's own header. Slots that are free have no number.
    for slot in slots.as_chunks::<BLOCK>().0.iter().skip(2).filter(|slot| slot.starts_with(SLOT)) {
        if let Some(blob) = number(slot, 4).filter(|package| *package > 0).and_then(|package| blob(bytes, package, number(slot, 8)?)) {
            tell(blob);
        }
    }
}

fn blob(bytes: &[u8], package: usize, block: usize) -> Option<&[u8]> {
    let start = block.checked_mul(BLOCK)?;
    let head = bytes.get(start..start.checked_add(BLOCK)?)?;
    let is_of = head.starts_with(BLOB) && number(head, 4) == Some(package);
    let length = number(head, 12).filter(|_| is_of)?;
    bytes.get(start + BLOCK..(start + BLOCK).checked_add(length)?)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with these blobs, each after an unused slot.
    fn database(blobs: &[&[u8]]) -> Vec<u8> {
        let words = |mark: &[u8], numbers: [u32; 3]| [mark, &numbers.map(u32::to_le_bytes).concat()].concat();
        let mut bytes = words(MARK, [0, 7, 1]);
        bytes.extend([0; 16]);
        let mut bodies = Vec::new();
        for (number, blob) in blobs.iter().enumerate() {
            let block = (PAGE + bodies.len()) / BLOCK;
            bytes.extend(words(SLOT, [0, 0, 0]));
            bytes.extend(words(SLOT, [number as u32 + 1, block as u32, 9]));
            bodies.extend(words(BLOB, [number as u32 + 1, 7, blob.len() as u32]));
            bodies.extend(*blob);
            bodies.resize(usize::next_multiple_of(bodies.len(), BLOCK), 0);
        }
        bytes.resize(PAGE, 0);
        bytes.extend(bodies);
        bytes
    }

    #[test]
    fn slots_lead_to_blobs() {
        let bytes = database(&[b"one", b"a header of more than a block"]);
        let mut found = Vec::new();
        blobs(&bytes, &mut |blob| found.push(blob.to_vec()));
        assert_eq!(found, [b"one".to_vec(), b"a header of more than a block".to_vec()]);
        for length in 0..bytes.len() {
            blobs(&bytes[..length], &mut |_| {});
        }
    }
}
