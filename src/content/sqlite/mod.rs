//! SQLite's files: a database, the write-ahead log and the rollback journal beside it (sqlite.org, "Database File Format").
//!
//! Read from bytes that anyone may have written, and read for what an SQL engine does not show: pages and parts of pages that are no longer in use and
//! still hold what was deleted, and what stands in a log. So it is not SQLite that reads them. Every page of a tree is read once, no length is
//! believed before the bytes are there, and what does not make sense is left to who reads the bytes as they are.

mod node;
mod pages;
mod record;
mod rows;
mod schema;

pub use node::{Cell, Node};
pub use pages::Pages;
pub use record::{Value, values};
pub use rows::{Life, Read, Row, Spot, Text, read};
pub use schema::{Tree, trees};

/// Which of the files it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// The database.
    Database,
    /// A write-ahead log: pages as they were written.
    Log,
    /// A rollback journal: pages as they were before they were written.
    Journal,
}

impl File {
    /// What a file is that begins with `head`; `path` is asked where bytes cannot tell.
    pub fn sniff(path: &[u8], head: &[u8]) -> Option<Self> {
        if head.starts_with(pages::MAGIC) {
            Some(File::Database)
        } else if head.starts_with(&[0x37, 0x7f, 0x06, 0x82]) || head.starts_with(&[0x37, 0x7f, 0x06, 0x83]) {
            Some(File::Log)
        } else if head.starts_with(pages::JOURNAL) || (path.ends_with(b"-journal") && rows::is_unfinished_journal(head)) {
            Some(File::Journal)
        } else {
            None
        }
    }
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
