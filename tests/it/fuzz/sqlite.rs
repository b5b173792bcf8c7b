//! SQLite's files: their pages, trees and rows, and what a scan makes of them.

use layersift::content::nested::budget::{Bounds, Budget};
use layersift::content::sqlite::{File, Pages, read, trees};
use rusqlite::Connection;

use super::nested;

/// Bytes of a page of the seeds, the fewest that there can be.
const PAGE: usize = 512;

pub(super) fn run(data: &[u8]) {
    let bounds = Bounds { file_bytes: 256 << 10, held_bytes: 16 << 10, ..Bounds::default() };
    if let Some(pages) = Pages::of_database(data) {
        assert!(pages.usable() <= 65_536);
        assert!(pages.page(1).is_none_or(|page| page.len() == pages.usable()) && pages.page(0).is_none());
        let all = trees(&pages);
        assert_eq!((all.first().map(|tree| tree.root), trees(&pages) == all), (Some(1), true));
    }
    let name = "f.db-journal";
    if let Some(file) = File::sniff(name.as_bytes(), data) {
        let rows = || {
            let budget = Budget::new(bounds, data.len() as u64);
            let (mut rows, mut bytes) = (Vec::new(), 0);
            let found = read(data, file, &budget, &mut |row| {
                assert!(!row.texts.is_empty() && row.spot.tree.is_none_or(|tree| tree < row.trees.len()), "{:?}", row.spot);
                assert!(!row.spot.name(row.trees).is_empty());
                assert_eq!(row.spot.note(row.trees).is_none(), row.spot.life == layersift::content::sqlite::Life::Live);
                bytes += row.texts.iter().map(|text| text.bytes.len() as u64).sum::<u64>();
                let texts: Vec<_> = row.texts.iter().map(|text| (text.name.map(<[u8]>::to_vec), text.bytes.to_vec())).collect();
                rows.push((row.spot, texts));
            });
            // A unit of UTF-16, which is two bytes, may be three.
            assert!(2 * bytes <= 3 * budget.spent(), "{bytes} bytes of rows, and {} were paid for", budget.spent());
            for range in &found.used {
                assert!(range.start <= range.end && range.end <= data.len(), "{range:?} of {}", data.len());
            }
            (rows, found.used, found.problems, budget.spent())
        };
        assert_eq!(rows(), rows());
    }
    nested::check(name, data);
}

/// A database that statements make; SQLite writes files only.
fn database(statements: &str) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("layersift-fuzz-{}-{}.db", std::process::id(), statements.len()));
    let _ = std::fs::remove_file(&path);
    let database = Connection::open(&path).unwrap();
    database.execute_batch(&format!("PRAGMA secure_delete = OFF; PRAGMA page_size = {PAGE}; {statements}")).unwrap();
    database.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

/// Pages as a write-ahead log has them; what was written before it began anew has another salt.
fn log(database: &[u8]) -> Vec<u8> {
    let mut out = [0x377f_0682, 3_007_000, PAGE as u32, 0, 1, 2, 3, 4].map(u32::to_be_bytes).concat();
    for (number, page) in (1u32..).zip(database.chunks(PAGE)) {
        let (last, salt) = (if number % 3 == 0 { number } else { 0 }, u32::from(number > 4));
        out.extend([number, last, 1, salt, 0, 0].map(u32::to_be_bytes).concat());
        out.extend(page);
    }
    out
}

/// Pages as a rollback journal has them.
fn journal(database: &[u8], magic: [u8; 8]) -> Vec<u8> {
    let count = (database.len() / PAGE) as u32;
    let mut out = [&magic[..], &[count, 7, count, PAGE as u32, PAGE as u32].map(u32::to_be_bytes).concat(), &[0; PAGE - 28]].concat();
    for (number, page) in (1u32..).zip(database.chunks(PAGE)) {
        out.extend(number.to_be_bytes());
        out.extend(page);
        out.extend([0; 4]);
    }
    out
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = String::from_utf8(nested::text("sqlite")).unwrap().replace('"', "");
    let long = text.repeat(20);
    let tables = format!(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT, token TEXT); CREATE INDEX by_token ON users (token);
         CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
         INSERT INTO users VALUES (17, 'alice', '{text}'), (18, 'bob', x'7f00ff'); INSERT INTO settings VALUES ('smtp_password', '{text}');"
    );
    let plain = database(&tables);
    let wide = database(&format!("PRAGMA encoding = 'UTF-16le'; {tables}"));
    // Values that go on in other pages, rows and tables that are gone, and pages that are free.
    let deleted = database(&format!(
        "CREATE TABLE a (x TEXT); CREATE TABLE b (x BLOB); INSERT INTO a VALUES ('first'), ('{text}'), ('{long}'), ('last');
         INSERT INTO b VALUES ('{long}'), (x'504b0506'), ('{text}'); DELETE FROM a WHERE rowid IN (2, 3); DROP TABLE b"
    ));
    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    vec![log(&plain), journal(&plain, magic), journal(&deleted, [0; 8]), log(&deleted), plain, wide, deleted]
}
