//! A connection: statements that are prepared once, and what an error means for those who could try again.

use std::collections::HashMap;
use std::error::Error as _;

use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement, Transaction};

use super::super::queue::VERSION;
use super::target::Target;

const SCHEMA: &str = include_str!("schema.sql");

/// Held by who makes tables, begins a run or completes one: "lays" and "ift".
const LOCK: i64 = 0x6c61_7973_0069_6674;

/// What went wrong in a transaction.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{}", said(.0))]
    Store(#[from] postgres::Error),
    #[error("{0}")]
    Said(String),
}

impl Fault {
    pub(super) fn said(problem: &str) -> Self {
        Self::Said(problem.to_owned())
    }

    /// Whether the same may work in a while: the server went away, is starting, or chose this transaction to end a deadlock.
    pub(super) fn passes(&self) -> bool {
        let Self::Store(error) = self else { return false };
        let passing = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        match error.code() {
            Some(code) => passing.contains(code),
            None => error.is_closed() || is_io(error),
        }
    }
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self::Said(problem)
    }
}

/// Whether the connection is what failed, but not because of who is at its other end.
fn is_io(error: &postgres::Error) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>()))
}

/// What an error says. The values of a statement are in none of it.
fn said(error: &postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        return format!("{}{hint}", error.message());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    if text.contains("certificate") {
        text.push_str("; name the file of its authority with `sslrootcert=FILE`");
    }
    text
}

/// A connection to a database that has our tables.
pub(super) struct Session {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

/// A transaction.
pub(super) struct Db<'s> {
    transaction: Transaction<'s>,
    statements: &'s mut HashMap<&'static str, Statement>,
}

impl Session {
    /// Connects, and makes the tables if there are none.
    pub(super) fn new(target: &Target) -> Result<Self, Fault> {
        let mut session = Self { client: target.connect()?, statements: HashMap::new() };
        session.transact(make_tables)?;
        Ok(session)
    }

    /// Whether the connection is lost.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Does `work` as a whole or not at all.
    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&mut Db<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut db = Db { transaction: self.client.transaction()?, statements: &mut self.statements };
        let value = work(&mut db)?;
        db.transaction.commit()?;
        Ok(value)
    }
}

impl Db<'_> {
    fn statement(&mut self, sql: &'static str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// All rows.
    pub(super) fn rows(&mut self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, postgres::Error> {
        let statement = self.statement(sql)?;
        self.transaction.query(&statement, values)
    }

    /// One row, or none.
    pub(super) fn row(&mut self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, postgres::Error> {
        let statement = self.statement(sql)?;
        self.transaction.query_opt(&statement, values)
    }

    /// How many rows it touched.
    pub(super) fn run(&mut self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, postgres::Error> {
        let statement = self.statement(sql)?;
        self.transaction.execute(&statement, values)
    }

    /// Waits until no other worker holds it; held until the end of the transaction.
    pub(super) fn lock(&mut self) -> Result<(), postgres::Error> {
        self.run("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).map(|_| ())
    }
}

fn make_tables(db: &mut Db<'_>) -> Result<(), Fault> {
    db.lock()?;
    let known = "SELECT to_regnamespace('layersift') IS NOT NULL, to_regclass('layersift.version') IS NOT NULL";
    let known = db.row(known, &[])?;
    let known = |at: usize| known.as_ref().is_some_and(|row| row.get(at));
    if known(1) {
        let version = db.row("SELECT version FROM layersift.version", &[])?.map_or(0, |row| row.get(0));
        return match version {
            VERSION => Ok(()),
            other => Err(Fault::Said(format!(
                "its schema `layersift` is of version {other}, and this program knows version {VERSION}; name another database, or use the program that made it"
            ))),
        };
    }
    // Who may not make schemas can be given one.
    if !known(0) {
        db.transaction.batch_execute("CREATE SCHEMA layersift")?;
    }
    db.transaction.batch_execute(SCHEMA)?;
    db.run("INSERT INTO layersift.version VALUES ($1)", &[&VERSION])?;
    Ok(())
}
