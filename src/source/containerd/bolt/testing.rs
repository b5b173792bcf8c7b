//! Writes databases for tests.

use std::collections::BTreeMap;

use super::{BRANCH, ELEMENT, HEADER, IS_BUCKET, LEAF, MAGIC, VERSION, checksum};

const PAGE: usize = 1024;

/// What is to be in a bucket.
#[derive(Debug, Clone)]
pub(in crate::source) enum Node {
    Bytes(Vec<u8>),
    Bucket(Tree),
}

pub(in crate::source) type Tree = BTreeMap<Vec<u8>, Node>;

/// Flags, key and value of a leaf's element.
type Element = (u32, Vec<u8>, Vec<u8>);

/// A database with a page size of 1 KiB; leaves have `most` elements at most, and branches as many pages.
pub(in crate::source) fn database(tree: &Tree, most: usize) -> Vec<u8> {
    // Two meta pages and the list of free ones.
    let mut bytes = vec![0; 3 * PAGE];
    let root = bucket(tree, most, &mut bytes);
    for (number, transaction) in [(0, 7_u64), (1, 6)] {
        let mut meta = Vec::new();
        meta.extend([MAGIC, VERSION, PAGE as u32, 0].iter().flat_map(|number| number.to_le_bytes()));
        meta.extend([root, 0, 2, (bytes.len() / PAGE) as u64, transaction].iter().flat_map(|number| number.to_le_bytes()));
        meta.extend(checksum(&meta).to_le_bytes());
        bytes[number * PAGE + HEADER..][..meta.len()].copy_from_slice(&meta);
    }
    bytes
}

/// Writes a bucket's pages; the number of the topmost one.
fn bucket(tree: &Tree, most: usize, bytes: &mut Vec<u8>) -> u64 {
    let elements: Vec<Element> = tree.iter().map(|(key, node)| element(key, node, most, bytes)).collect();
    let mut pages: Vec<(Vec<u8>, u64)> =
        elements.chunks(most).map(|chunk| (chunk[0].1.clone(), put(LEAF, &leaf(chunk), chunk.len(), bytes))).collect();
    if pages.is_empty() {
        return put(LEAF, &[], 0, bytes);
    }
    while pages.len() > 1 {
        pages = pages.chunks(most).map(|chunk| (chunk[0].0.clone(), put(BRANCH, &branch(chunk), chunk.len(), bytes))).collect();
    }
    pages[0].1
}

fn element(key: &[u8], node: &Node, most: usize, bytes: &mut Vec<u8>) -> Element {
    match node {
        Node::Bytes(value) => (0, key.to_vec(), value.clone()),
        Node::Bucket(tree) => {
            let values: Option<Vec<Element>> = tree
                .iter()
                .map(|(key, node)| if let Node::Bytes(value) = node { Some((0, key.clone(), value.clone())) } else { None })
                .collect();
            let value = match values.filter(|values| leaf(values).len() < PAGE / 4) {
                Some(values) => {
                    let header = header(0, LEAF, values.len(), 0);
                    [&[0; 16][..], &header, &leaf(&values)].concat()
                }
                None => [bucket(tree, most, bytes).to_le_bytes(), [0; 8]].concat(),
            };
            (IS_BUCKET, key.to_vec(), value)
        }
    }
}

fn header(id: u64, flags: u16, count: usize, overflow: u32) -> Vec<u8> {
    [&id.to_le_bytes()[..], &flags.to_le_bytes(), &(count as u16).to_le_bytes(), &overflow.to_le_bytes()].concat()
}

fn leaf(elements: &[Element]) -> Vec<u8> {
    let (mut list, mut data) = (Vec::new(), Vec::new());
    for (number, (flags, key, value)) in elements.iter().enumerate() {
        let position = (elements.len() - number) * ELEMENT + data.len();
        let numbers = [*flags, position as u32, key.len() as u32, value.len() as u32];
        list.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        data.extend([&key[..], value].concat());
    }
    [list, data].concat()
}

fn branch(children: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let (mut list, mut data) = (Vec::new(), Vec::new());
    for (number, (key, page)) in children.iter().enumerate() {
        let position = (children.len() - number) * ELEMENT + data.len();
        list.extend([position as u32, key.len() as u32].iter().flat_map(|number| number.to_le_bytes()));
        list.extend(page.to_le_bytes());
        data.extend(key);
    }
    [list, data].concat()
}

fn put(flags: u16, body: &[u8], count: usize, bytes: &mut Vec<u8>) -> u64 {
    let (id, pages) = ((bytes.len() / PAGE) as u64, (HEADER + body.len()).div_ceil(PAGE));
    bytes.extend(header(id, flags, count, pages as u32 - 1));
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
    id
}
