//! The file of a store: made for its owner only, and refused if it is not ours. Nothing is written to a file before that is known.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::super::queue::VERSION;
use super::Fault;
use crate::private;

/// Tells our files from those of other programs: "lays".
const APPLICATION: i32 = 0x6c61_7973;

/// How long a process waits for others that are writing.
const PATIENCE: Duration = Duration::from_secs(60);

const SCHEMA: &str = include_str!("schema.sql");

/// What a file holds.
enum Content {
    Nothing,
    Ours,
}

/// Opens the file at `path`, which is absolute, or makes it.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    prepare(path)?;
    // Without CREATE: it would come with everybody's permissions. Without URI: a name is a name.
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(PATIENCE)?;
    let content = content(&*db.transaction()?)?;
    write_ahead(&db)?;
    // With the log written ahead, what was committed outlives the process; only losing power may lose the last of it.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if matches!(content, Content::Nothing) {
        make_tables(&mut db)?;
    }
    Ok(db)
}

fn prepare(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Err(Fault::said("it is a folder; name a file in it"));
    }
    match private::new_file(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Fault::Said(error.to_string())),
        _ => {}
    }
    let meta = fs::metadata(path).map_err(|error| Fault::Said(error.to_string()))?;
    if private::is_shared(&meta) {
        return Err(Fault::said("other users can write to it; make it its owner's with `chmod 600`, if all that is in it can be trusted"));
    }
    Ok(())
}

/// What is in the file, seen at one moment.
fn content(db: &Connection) -> Result<Content, Fault> {
    let number = |sql| db.query_row(sql, [], |row| row.get::<_, i32>(0));
    let application = number("PRAGMA application_id").map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Fault::said("it is a file of something else; name another one"),
        _ => error.into(),
    })?;
    if application == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(Content::Nothing);
    }
    if application != APPLICATION {
        return Err(Fault::said("it is a database of another program; name another file"));
    }
    match number("PRAGMA user_version")? {
        VERSION => Ok(Content::Ours),
        other => Err(Fault::Said(format!(
            "it is of version {other}, and this program reads version {VERSION}; name another file, or use the program that made it"
        ))),
    }
}

/// Lets others read while one writes. SQLite does not wait by itself for this.
fn write_ahead(db: &Connection) -> Result<(), Fault> {
    let until = Instant::now() + PATIENCE;
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => return Err(Fault::said("its file system cannot be shared by processes; put it on a local disk")),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn make_tables(db: &mut Connection) -> Result<(), Fault> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if matches!(content(&transaction)?, Content::Nothing) {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}
