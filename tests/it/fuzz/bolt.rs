//! The database of containerd.

use layersift::fuzzing;

pub(super) fn run(data: &[u8]) {
    assert_eq!(fuzzing::bolt(data), fuzzing::bolt(data));
}

const PAGE: usize = 1024;

fn header(id: u64, flags: u16, count: u16) -> Vec<u8> {
    [&id.to_le_bytes()[..], &flags.to_le_bytes(), &count.to_le_bytes(), &[0; 4]].concat()
}

/// The elements of a leaf: whether it is a bucket, key and value.
fn leaf(elements: &[(bool, &[u8], &[u8])]) -> Vec<u8> {
    let (mut list, mut data) = (Vec::new(), Vec::new());
    for (number, (is_bucket, key, value)) in elements.iter().enumerate() {
        let position = (elements.len() - number) * 16 + data.len();
        list.extend(
            [u32::from(*is_bucket), position as u32, key.len() as u32, value.len() as u32].iter().flat_map(|number| number.to_le_bytes()),
        );
        data.extend([*key, *value].concat());
    }
    [list, data].concat()
}

fn meta(number: u64, transaction: u64, pages: u64) -> Vec<u8> {
    let mut meta: Vec<u8> = [0xED0C_DAED_u32, 2, PAGE as u32, 0].iter().flat_map(|number| number.to_le_bytes()).collect();
    meta.extend([3, 0, 2, pages, transaction].iter().flat_map(|number: &u64| number.to_le_bytes()));
    let sum = meta.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    meta.extend(sum.to_le_bytes());
    [header(number, 4, 0), meta].concat()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let inline = [&[0; 16][..], &header(0, 2, 1), &leaf(&[(false, b"digest", b"sha256:00")])].concat();
    let root =
        leaf(&[(true, b"large", &[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), (true, b"v1", &inline), (false, b"version", b"\x03")]);
    let branch: Vec<u8> = [[0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]; 2].concat();
    let pages = [
        meta(0, 7, 6),
        meta(1, 6, 6),
        header(2, 0x10, 0),
        [header(3, 2, 3), root].concat(),
        [header(4, 2, 1), leaf(&[(false, b"key", &[b'x'; 300])])].concat(),
        [header(5, 1, 2), branch].concat(),
    ];
    let whole: Vec<u8> = pages
        .into_iter()
        .flat_map(|mut page| {
            page.resize(PAGE, 0);
            page
        })
        .collect();
    let mut second = whole.clone();
    second[20] ^= 1;
    vec![whole, second]
}
