//! ISO 9660 images: where their files are said to lie, by all of their trees, and what a scan makes of them.

use layersift::content::nested::iso::{is_image, is_udf, list};

use super::{asar, nested};
use crate::archives::{iso, iso_records};

const SECTOR: usize = 2048;

pub(super) fn run(data: &[u8]) {
    assert!(!(is_image(data) && is_udf(data)));
    asar::check(data, 50, list);
    nested::check("f.iso", data);
}

/// A folder's record of a file or a folder of one sector, with what Rock Ridge says of it.
fn record(sector: u32, flags: u8, name: &[u8], system: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 33 + name.len() + (name.len() + 1) % 2];
    out.extend(system);
    out[0] = out.len() as u8;
    out[2..6].copy_from_slice(&sector.to_le_bytes());
    out[10..14].copy_from_slice(&(SECTOR as u32).to_le_bytes());
    out[25] = flags;
    out[32] = name.len() as u8;
    out[33..33 + name.len()].copy_from_slice(name);
    out
}

/// Puts records in place of those of the root folder.
fn with_records(mut image: Vec<u8>, records: &[Vec<u8>]) -> Vec<u8> {
    let (records, at) = (records.concat(), iso_records(&["\0".to_owned()])[0]);
    image[at..at + SECTOR].fill(0);
    image[at..at + records.len()].copy_from_slice(&records);
    image
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("iso");
    let plain = iso(&[("A.TXT;1", &text), ("B.;1", b"x")]);
    // Sector 18 is the root, 19 a file, 20 a folder in it.
    let own = record(18, 2, b"\0", b"SP\x07\x01\xbe\xef\0RR\x05\x01\x81");
    let file = record(19, 0, b"A.TXT;1", b"RR\x05\x01\x89NM\x0d\x01\0.env.lo");
    let rock_ridge = with_records(plain.clone(), &[own.clone(), file, record(20, 2, b"D", b"NM\x08\x01\0dir")]);
    let looped = with_records(plain.clone(), &[own, record(18, 2, b"LOOP", b""), record(99, 0, b"Z", b""), record(19, 0, b"A", b"")]);
    // The root once more, as that of a tree of Joliet's.
    let mut joliet = with_records(plain.clone(), &[record(19, 0, b"\0.\0e\0n\0v", b""), record(20, 2, b"\0d", b"")]);
    let (primary, second) = (16 * SECTOR, 17 * SECTOR);
    joliet.copy_within(primary..primary + SECTOR, second);
    joliet[second] = 2;
    joliet[second + 88..second + 91].copy_from_slice(b"%/E");
    let mut udf = plain[..17 * SECTOR].to_vec();
    udf[primary + 1..primary + 6].copy_from_slice(b"BEA01");
    vec![plain, rock_ridge, looped, joliet, udf]
}
