use std::io::Cursor;

use super::testing::{Node, Tree, database};
use super::*;

/// A tree of every kind: values, small buckets, large ones, values that overflow their page.
fn tree() -> Tree {
    let bytes = |text: &str| Node::Bytes(text.as_bytes().to_vec());
    let small: Tree = [(b"a".to_vec(), bytes("1")), (b"b".to_vec(), bytes("2"))].into();
    let many: Tree = (0..12).map(|number| (format!("key {number:02}").into_bytes(), Node::Bucket(small.clone()))).collect();
    let large: Tree = [(b"long".to_vec(), bytes(&"x".repeat(3000)))].into();
    [
        (b"empty".to_vec(), Node::Bucket(Tree::new())),
        (b"large".to_vec(), Node::Bucket(large)),
        (b"many".to_vec(), Node::Bucket(many)),
        (b"value".to_vec(), bytes("v")),
    ]
    .into()
}

/// All that is reachable.
fn whole(bytes: &[u8]) -> Result<Tree, BoltError> {
    let mut bolt = Bolt::open(Cursor::new(bytes))?;
    let root = bolt.root();
    below(&mut bolt, &root, 0)
}

fn below(bolt: &mut Bolt<Cursor<&[u8]>>, bucket: &Bucket, depth: usize) -> Result<Tree, BoltError> {
    let mut tree = Tree::new();
    for (key, value) in bolt.entries(bucket)? {
        let node = match value {
            Value::Bytes(bytes) => Node::Bytes(bytes),
            // Who damages a file can make a bucket hold itself.
            Value::Bucket(_) if depth > 3 => continue,
            Value::Bucket(bucket) => Node::Bucket(below(bolt, &bucket, depth + 1)?),
        };
        tree.insert(key, node);
    }
    Ok(tree)
}

#[test]
fn what_was_written_is_read() {
    for most in [2, 7, 1000] {
        assert_eq!(format!("{:?}", whole(&database(&tree(), most)).unwrap()), format!("{:?}", tree()), "{most}");
    }
    let mut bolt = Bolt::open(Cursor::new(database(&tree(), 5))).unwrap();
    let root = bolt.root();
    assert_eq!(bolt.get(&root, b"value").unwrap(), Some(Value::Bytes(b"v".to_vec())));
    assert_eq!((bolt.bucket(&root, b"value").unwrap(), bolt.get(&root, b"none").unwrap()), (None, None));
}

#[test]
fn the_last_transaction_counts_and_either_meta_page_will_do() {
    let mut bytes = database(&tree(), 5);
    let transaction = |bytes: &[u8]| Bolt::open(Cursor::new(bytes)).map(|bolt| bolt.transaction());
    assert_eq!(transaction(&bytes).unwrap(), 7);
    bytes[HEADER + 48] ^= 1;
    assert_eq!(transaction(&bytes).unwrap(), 6, "the checksum tells");
    assert_eq!(whole(&bytes).unwrap().len(), 4);
    bytes[1024 + HEADER] ^= 1;
    assert!(matches!(transaction(&bytes), Err(BoltError::NoMeta)));
}

#[test]
fn a_file_that_ends_anywhere_is_an_error_or_says_less() {
    let bytes = database(&tree(), 5);
    let last = (0..bytes.len()).filter(|&end| whole(&bytes[..end]).is_ok()).collect::<Vec<_>>();
    assert_eq!(last, Vec::<usize>::new(), "the topmost page is the last one written");
    assert!(matches!(whole(b""), Err(BoltError::NoMeta)) && matches!(whole(&[0; 9000]), Err(BoltError::NoMeta)));
}

#[test]
fn any_byte_may_be_wrong() {
    let bytes = database(&tree(), 5);
    let mut damaged = 0;
    for at in 3 * 1024..bytes.len() {
        for flip in [0x01, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            damaged += usize::from(whole(&bytes).is_err());
        }
    }
    assert!(damaged > 100, "{damaged}");
}

#[test]
fn pages_that_lead_back_and_elements_that_overlap_have_an_end() {
    let bytes = database(&tree(), 2);
    let root = bytes.len() - 1024;
    assert_eq!(u16_at(&bytes, root + 8), Some(BRANCH));
    let mut cycle = bytes.clone();
    let own = (root / 1024) as u64;
    cycle[root + HEADER + 8..][..8].copy_from_slice(&own.to_le_bytes());
    assert!(matches!(whole(&cycle), Err(BoltError::Damaged { problem: "the tree is too deep", .. })));
    // Each element of a leaf claims the whole page.
    let leaf = (3..).map(|page| page * 1024).find(|at| u16_at(&bytes, at + 8) == Some(LEAF) && u16_at(&bytes, at + 10) == Some(2)).unwrap();
    let mut overlapping = bytes;
    for element in 0..2 {
        let at = leaf + HEADER + element * ELEMENT;
        overlapping[at..at + ELEMENT].copy_from_slice(&[[0; 4], [0; 4], [0; 4], 900_u32.to_le_bytes()].concat());
    }
    assert!(matches!(whole(&overlapping), Err(BoltError::Damaged { problem: "its elements overlap", .. })));
}
