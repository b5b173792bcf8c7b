//! Databases: each row is a place of its own, and what was deleted is found as long as it can be read.

use layersift::finding::{Finding, Place, Reason, Scan};
use layersift::random::Random;
use layersift::source::builder::ImageBuilder;
use rusqlite::{Connection, params};

use crate::archives::{gzip, zip};
use crate::support::*;

/// Scans a layer with one file.
fn file(path: &str, bytes: impl AsRef<[u8]>) -> Scan {
    let bytes = bytes.as_ref();
    scan_image(&ImageBuilder::new().layer("COPY . .", |layer| layer.file(path, bytes)))
}

/// The record that a finding stands in, and what is said of it.
fn place(finding: &Finding) -> (String, String) {
    let Place::LayerFile { inner, position, .. } = &finding.place else { panic!("not in a file: {:?}", finding.place) };
    assert!(position.is_none() || inner.is_empty(), "a record has no lines");
    let inner: Vec<_> = inner.iter().map(|member| String::from_utf8_lossy(member).into_owned()).collect();
    (inner.join("!"), finding.note.clone().unwrap_or_default())
}

/// A database that is made by statements, as bytes.
fn database(setup: &str, fill: impl FnOnce(&Connection)) -> Vec<u8> {
    let temp = Temp::new();
    let path = temp.path("x.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA secure_delete = OFF").unwrap();
    connection.execute_batch(setup).unwrap();
    fill(&connection);
    connection.close().unwrap();
    std::fs::read(path).unwrap()
}

fn insert(connection: &Connection, sql: &str, values: impl rusqlite::Params) {
    connection.execute(sql, values).unwrap();
}

#[test]
fn a_row_of_a_table_is_a_place_and_its_column_is_a_name() {
    let (token, password) = (token("row"), "Kq7#mVx2pLw9");
    let setup = "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT, password TEXT, token TEXT);
        CREATE INDEX by_token ON users (token);
        CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;";
    for setup in [setup.to_owned(), format!("PRAGMA encoding = 'UTF-16le'; {setup}"), format!("PRAGMA encoding = 'UTF-16be'; {setup}")] {
        let bytes = database(&setup, |db| {
            insert(db, "INSERT INTO users VALUES (17, 'alice', ?1, ?2)", [password, &token]);
            insert(db, "INSERT INTO users VALUES (18, 'bob', 'x', ?1)", [&token]);
        });
        let scan = file("/srv/app.db", &bytes);
        assert_eq!(place(only(&scan, &token)), ("users[17]".into(), "value of token; it stands in 3 more places of the database".into()));
        assert_eq!(place(only(&scan, password)), ("users[17]".into(), "value of password".into()));
        assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]), "{:#?}", scan.findings);
    }
    // A setting has its name in the column beside it.
    let bytes = database(setup, |db| insert(db, "INSERT INTO settings VALUES ('smtp_password', ?1)", [password]));
    assert_eq!(place(only(&file("/srv/app.db", bytes), password)), ("page 4 of settings".into(), "value of smtp_password".into()));
}

#[test]
fn a_value_that_goes_on_in_other_pages_is_whole() {
    // Wherever the pages cut it.
    let tokens: Vec<String> = (0..80).map(|number| token(&format!("long {number}"))).collect();
    let bytes = database("PRAGMA page_size = 512; CREATE TABLE notes (body TEXT)", |db| {
        for (number, token) in tokens.iter().enumerate() {
            let body =
                format!("{}{token} {}", "some words of it ".repeat(60 + number / 20) + &".".repeat(number * 7), "and more ".repeat(200));
            insert(db, "INSERT INTO notes VALUES (?1)", [body]);
        }
    });
    let scan = file("/srv/app.db", bytes);
    for (number, token) in tokens.iter().enumerate() {
        assert_eq!(place(only(&scan, token)).0, format!("notes[{}]", number + 1));
    }
    assert_eq!(reasons(&scan), []);
}

#[test]
fn what_was_deleted_and_can_still_be_read_is_said_to_be() {
    let tokens: Vec<String> = (0..4).map(|number| token(&format!("deleted {number}"))).collect();
    let long = |token: &str| format!("{} {token} {}", "words ".repeat(100), "more words ".repeat(300));
    // Rows beside others, one of which goes on in further pages; the rows of a table that is gone; and the rest.
    let bytes = database("PRAGMA page_size = 512; CREATE TABLE a (x TEXT); CREATE TABLE b (x TEXT); CREATE TABLE c (x)", |db| {
        insert(db, "INSERT INTO a VALUES ('first'), (?1), ('third')", [&tokens[0]]);
        insert(db, "INSERT INTO a VALUES (?1)", [long(&tokens[1])]);
        insert(db, "INSERT INTO a VALUES ('last')", []);
        for _ in 0..40 {
            insert(db, "INSERT INTO b VALUES (?1)", [&tokens[2]]);
        }
        insert(db, "INSERT INTO b VALUES (?1)", [long(&tokens[3])]);
        db.execute_batch("DROP TABLE c; DELETE FROM a WHERE rowid IN (2, 4); DROP TABLE b").unwrap();
    });
    let scan = file("/srv/app.db", &bytes);
    let places: Vec<(String, String)> = tokens.iter().map(|token| place(only(&scan, token))).collect();
    assert!(places[0].0 == "page 2" && places[0].1.starts_with("in unused bytes of a page of a of the database: "), "{places:?}");
    assert!(places[1].0 == "page 2" && places[1].1.starts_with("in unused bytes"), "{places:?}");
    assert!(places[2..].iter().all(|(_, note)| note.starts_with("in a freed page of the database: it was deleted")), "{places:?}");
    assert!(places[2].0.ends_with("[1]"), "{places:?}");
    assert_eq!((scan.findings.len(), reasons(&scan)), (4, vec![]), "{:#?}", scan.findings);
}

#[test]
fn logs_beside_a_database_are_read() {
    let (old, new) = (token("old"), token("new"));
    let temp = Temp::new();
    for (mode, ending) in [("wal", "wal"), ("delete", "journal")] {
        let words = if mode == "wal" { 90 } else { 2 };
        let body = |token: &str| format!("{} {token} {}", "words ".repeat(words), "more ".repeat(words * 5));
        let db = Connection::open(temp.path(mode)).unwrap();
        db.execute_batch("PRAGMA page_size = 512; CREATE TABLE notes (body TEXT);").unwrap();
        db.pragma_update(None, "journal_mode", mode).unwrap();
        insert(&db, "INSERT INTO notes VALUES (?1)", [body(&old)]);
        db.execute_batch("BEGIN; CREATE TABLE other (a)").unwrap();
        match mode {
            "wal" => {
                // As long as the old one, so that of the long value only the page with the secret is written again.
                insert(&db, "UPDATE notes SET body = ?1", [body(&new)]);
                db.execute_batch("COMMIT").unwrap();
            }
            _ => insert(&db, "DELETE FROM notes", []),
        }
        let log = std::fs::read(temp.path(&format!("{mode}-{ending}"))).unwrap();
        let scan = file(&format!("/srv/app.db-{ending}"), &log);
        let note = if mode == "wal" {
            "value of body; in a write-ahead log"
        } else {
            "value of body; in a rollback journal: as it was before a change"
        };
        let expected = ("notes[1]".to_owned(), note.to_owned());
        assert_eq!(place(only(&scan, &old)), expected);
        if mode == "wal" {
            assert_eq!(place(only(&scan, &new)), expected);
        }
        assert_eq!(reasons(&scan), []);
    }
}

#[test]
fn a_file_in_a_row_is_looked_into() {
    let secret = token("blob");
    let text = format!("a\nb = {secret}\n");
    let bytes = database("CREATE TABLE cache (name TEXT, body BLOB)", |db| {
        insert(db, "INSERT INTO cache VALUES ('x', ?1)", [zip(&[("a.env", &gzip(text.repeat(3).as_bytes()))])]);
    });
    let scan = file("/srv/app.db", bytes);
    let Place::LayerFile { inner, position, .. } = &only(&scan, &secret).place else { panic!() };
    assert_eq!(inner.iter().map(|member| String::from_utf8_lossy(member)).collect::<Vec<_>>(), ["cache[1]", "a.env"]);
    assert_eq!(position.unwrap().line, 2);
}

/// A database of all kinds of tables, and the secrets in it.
fn random_database(seed: u64) -> (Vec<u8>, Vec<String>) {
    let mut random = Random::new(seed);
    let mut secrets = Vec::new();
    let size = [512, 1024, 4096, 65_536][random.below(4)];
    let vacuum = random.below(3);
    let setup = format!(
        "PRAGMA page_size = {size}; PRAGMA auto_vacuum = {vacuum}; CREATE TABLE a (k INTEGER PRIMARY KEY, v); CREATE INDEX a_v ON a (v);
        CREATE TABLE b (k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE c (v, w); CREATE INDEX c_w ON c (w, v);"
    );
    let bytes = database(&setup, |db| {
        for number in 0..120 {
            let table = ["a", "b", "c"][random.below(3)];
            let around = [0, 3, 50, 600, 3000][random.below(5)];
            let mut words = || random.text(b"abcdefgh ijklm\n,.", around);
            let secret = token(&format!("{seed} {number}"));
            let value = format!("{} {secret} {}", words(), words());
            let key: Box<dyn rusqlite::ToSql> = match table {
                "a" => Box::new(number),
                "b" => Box::new(random.text(b"abcdefgh", 12)),
                _ => Box::new(Option::<i64>::None),
            };
            let value: Box<dyn rusqlite::ToSql> = if random.below(2) == 0 { Box::new(value) } else { Box::new(value.into_bytes()) };
            insert(db, &format!("INSERT INTO {table} VALUES (?1, ?2)"), params![key, value]);
            if table != "b" && random.below(4) == 0 {
                db.execute_batch(&format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table}) AND rowid % 3 = 0")).unwrap();
            } else {
                secrets.push(secret);
            }
        }
    });
    (bytes, secrets)
}

#[test]
fn every_secret_of_a_database_is_found_once() {
    for seed in 0..8 {
        let (bytes, secrets) = random_database(seed);
        let scan = file("/srv/app.db", &bytes);
        for secret in &secrets {
            assert!(!place(only(&scan, secret)).0.is_empty(), "seed {seed}: {:?}", only(&scan, secret).place);
        }
        let mut all: Vec<&[u8]> = scan.findings.iter().map(|finding| finding.secret.expose()).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), reasons(&scan)), (count, vec![]), "seed {seed}");
    }
}

#[test]
fn a_hostile_database_ends_and_hides_nothing_that_can_be_seen() {
    let (bytes, secrets) = random_database(1);
    let mut random = Random::new(7);
    for round in 0..40 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random.below(30) {
            let at = random.below(damaged.len());
            // Headers of pages most of all.
            let at = if random.below(2) == 0 { at / 512 * 512 + random.below(16) } else { at };
            damaged[at.min(bytes.len() - 1)] = random.bytes(1)[0];
        }
        if random.below(4) == 0 {
            damaged.truncate(random.below(bytes.len()));
        }
        let scan = file("/srv/app.db", &damaged);
        for secret in secrets.iter().filter(|secret| memchr::memmem::find(&damaged, secret.as_bytes()).is_some()) {
            assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()), "round {round}: {secret}");
        }
        assert!(reasons(&scan).iter().all(|reason| *reason == Reason::DamagedFile));
    }
}
