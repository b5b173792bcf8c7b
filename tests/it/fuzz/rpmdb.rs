//! The three databases of rpm. An input is which one, in one byte, and its bytes.

use layersift::content::packages::{DatabaseFile, condensed, is_large};

use super::packages;

const PATHS: [&str; 3] = ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages"];

pub(super) fn run(data: &[u8]) {
    let Some((&which, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(which) % PATHS.len()].as_bytes().to_vec();
    assert!(is_large(&path));
    let kept = condensed(DatabaseFile { path, bytes: bytes.to_vec() });
    // What is kept of a database is for memory, and so has a bound.
    assert!(kept.bytes.len() <= 4 * bytes.len() + 1024, "{} bytes are kept of {}", kept.bytes.len(), bytes.len());
    packages::check(&[kept]);
}

/// A header of a package with these files: folder, name, hash.
fn header(files: &[(&str, &str, &str)]) -> Vec<u8> {
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    let texts = |of: fn(&(&str, &str, &str)) -> String| files.iter().flat_map(|file| text(&of(file))).collect::<Vec<u8>>();
    let mut entries: Vec<(u32, u32, usize, Vec<u8>)> = Vec::new();
    for (tag, value) in [(1000, "thing"), (1001, "1.2"), (1002, "3"), (1011, "Fedora Project")] {
        entries.push((tag, 6, 1, text(value)));
    }
    entries.push((268, 7, 3, vec![1, 2, 3]));
    entries.push((1003, 4, 1, 2_u32.to_be_bytes().to_vec()));
    entries.push((1035, 8, files.len(), texts(|file| file.2.to_owned())));
    entries.push((1116, 4, files.len(), (0..files.len() as u32).flat_map(u32::to_be_bytes).collect()));
    entries.push((1117, 8, files.len(), texts(|file| file.1.to_owned())));
    entries.push((1118, 8, files.len(), texts(|file| file.0.to_owned())));
    let (mut index, mut values) = (Vec::new(), Vec::new());
    for (tag, kind, count, value) in &entries {
        values.resize(usize::next_multiple_of(values.len(), 4), 0);
        index.extend([*tag, *kind, values.len() as u32, *count as u32].iter().flat_map(|number| number.to_be_bytes()));
        values.extend(value);
    }
    [&(entries.len() as u32).to_be_bytes()[..], &(values.len() as u32).to_be_bytes(), &index, &values].concat()
}

/// `Packages.db`.
fn ndb(blobs: &[Vec<u8>]) -> Vec<u8> {
    let words = |mark: &[u8], numbers: [u32; 3]| [mark, &numbers.map(u32::to_le_bytes).concat()].concat();
    let mut bytes = words(b"RpmP", [0, 7, 1]);
    bytes.extend([0; 16]);
    let mut bodies = Vec::new();
    for (number, blob) in (1u32..).zip(blobs) {
        bytes.extend(words(b"Slot", [number, ((4096 + bodies.len()) / 16) as u32, 9]));
        bodies.extend(words(b"BlbS", [number, 7, blob.len() as u32]));
        bodies.extend(blob);
        bodies.resize(usize::next_multiple_of(bodies.len(), 16), 0);
    }
    bytes.resize(4096, 0);
    bytes.extend(bodies);
    bytes
}

/// `Packages`: a page of the table with a value in its place, and one whose value is in pages of its own.
fn bdb(blob: &[u8]) -> Vec<u8> {
    const PAGE: usize = 512;
    let mut bytes = vec![0; 2 * PAGE];
    bytes[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
    bytes[20..24].copy_from_slice(&(PAGE as u32).to_le_bytes());
    let mut page = vec![0; PAGE];
    page[25] = 13;
    page[20..22].copy_from_slice(&4u16.to_le_bytes());
    let item = [&[3, 0, 0, 0][..], &2u32.to_le_bytes(), &(blob.len() as u32).to_le_bytes()].concat();
    for (index, at) in [500u16, 480, 470, 460].into_iter().enumerate() {
        page[26 + 2 * index..28 + 2 * index].copy_from_slice(&at.to_le_bytes());
    }
    page[480..492].copy_from_slice(&item);
    page[460] = 1;
    bytes[PAGE..].copy_from_slice(&page);
    for (number, part) in (2u32..).zip(blob.chunks(PAGE - 26)) {
        let mut page = vec![0; PAGE];
        page[16..20].copy_from_slice(&(number + 1).to_le_bytes());
        page[22..24].copy_from_slice(&(part.len() as u16).to_le_bytes());
        page[25] = 7;
        page[26..26 + part.len()].copy_from_slice(part);
        bytes.extend(page);
    }
    bytes
}

/// A number of SQLite.
fn varint(number: usize) -> Vec<u8> {
    if number < 128 { vec![number as u8] } else { vec![(number >> 7) as u8 | 0x80, number as u8 & 0x7F] }
}

/// `rpmdb.sqlite`: the schema in the first page, one row in the second.
fn sqlite(blob: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let cell = |columns: &[(usize, &[u8])]| {
        let kinds: Vec<u8> = columns.iter().flat_map(|(kind, _)| varint(*kind)).collect();
        let values: Vec<u8> = columns.iter().flat_map(|(_, value)| value.to_vec()).collect();
        let record = [&varint(kinds.len() + 1), &kinds, &values].map(Vec::as_slice).concat();
        [varint(record.len()), varint(1), record].concat()
    };
    let page = |start: usize, cell: &[u8]| {
        let (mut page, at) = (vec![0; PAGE], PAGE - cell.len());
        page[start] = 13;
        page[start + 4] = 1;
        page[start + 8..start + 10].copy_from_slice(&(at as u16).to_be_bytes());
        page[at..].copy_from_slice(cell);
        page
    };
    let text = |text: &'static str| (13 + 2 * text.len(), text.as_bytes());
    let mut first = page(100, &cell(&[text("table"), text("Packages"), text("Packages"), (1, &[2])]));
    first[..16].copy_from_slice(b"SQLite format 3\0");
    first[16..18].copy_from_slice(&(PAGE as u16).to_be_bytes());
    [first, page(0, &cell(&[(0, &[]), (12 + 2 * blob.len(), blob)]))].concat()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let blob = header(&[("/etc/", "thing", SUM), ("/usr/bin/", "a", SUM), ("/srv/", "b", "")]);
    [sqlite(&blob), ndb(&[blob.clone(), blob.clone()]), bdb(&blob)]
        .into_iter()
        .zip(0u8..)
        .map(|(bytes, which)| [vec![which], bytes].concat())
        .collect()
}
