//! What a database says of its tables: names, columns, and where their trees begin.

use super::node::Node;
use super::pages::Pages;
use super::record::{Value, values};
use super::rows::text;

/// Most bytes of a schema's row that are read.
const MAX_SQL: usize = 1 << 20;
/// Most trees of a database.
const MAX_TREES: usize = 10_000;
/// Most columns of a table; SQLite knows 2,000 and can be built to know 32,767.
const MAX_COLUMNS: usize = 32_767;
/// Deepest tree of a schema that is walked.
const MAX_DEPTH: usize = 20;

/// A table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Its name.
    pub name: String,
    /// Names of a table's columns, in the order of their values.
    pub columns: Vec<String>,
    /// The page where it begins.
    pub root: u32,
}

/// The trees of a database, the first of which is the schema itself. Fewer, if pages are missing.
pub fn trees(pages: &Pages<'_>) -> Vec<Tree> {
    let schema = ["type", "name", "tbl_name", "rootpage", "sql"];
    let mut trees = vec![Tree { name: "sqlite_schema".to_owned(), columns: schema.map(str::to_owned).to_vec(), root: 1 }];
    // Rows may share the pages that they go on in, and pages may lead in circles.
    let mut left = pages.file().len() + MAX_SQL;
    let mut open = vec![(1, 0)];
    while let Some((number, depth)) = open.pop() {
        left = left.saturating_sub(pages.size());
        let Some(node) = Node::parse(pages, number).filter(|_| depth < MAX_DEPTH && left > 0) else { continue };
        open.extend(node.children().rev().map(|child| (child, depth + 1)));
        for payload in node.cells.iter().filter_map(|cell| cell.payload.as_ref()).filter(|_| node.has_rows()) {
            left = left.saturating_sub(payload.length.min(MAX_SQL));
            if left == 0 || trees.len() > MAX_TREES {
                return trees;
            }
            let record = node.payload(pages, payload, MAX_SQL, &mut |_, _| {});
            trees.extend(values(&record, payload.length).and_then(|row| tree(pages, &row)));
        }
    }
    trees
}

fn tree(pages: &Pages<'_>, row: &[Value<'_>]) -> Option<Tree> {
    let [Value::Text(_), Value::Text(name), Value::Text(_), Value::Integer(root), rest @ ..] = row else { return None };
    let root = u32::try_from(*root).ok().filter(|root| *root > 0)?;
    let encoding = pages.encoding();
    let name = String::from_utf8_lossy(&text(name, encoding)).into_owned();
    let sql = match rest.first() {
        Some(Value::Text(sql)) => String::from_utf8_lossy(&text(sql, encoding)).into_owned(),
        _ => String::new(),
    };
    Some(Tree { name, columns: columns(&sql), root })
}

/// The names of the columns that a `CREATE TABLE` makes, those of the primary key first if the table is kept by that.
fn columns(sql: &str) -> Vec<String> {
    let words = words(sql);
    let is_create = words.first().is_some_and(|word| word.is("create")) && words.iter().take(4).any(|word| word.is("table"));
    let Some(open) = words.iter().position(|word| word.is("(")).filter(|_| is_create) else { return Vec::new() };
    let (mut columns, mut key): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut depth = 0;
    let mut definition: Vec<&Word> = Vec::new();
    for word in &words[open + 1..] {
        match word.text.as_str() {
            ")" if depth == 0 && !word.is_quoted => break,
            "(" if !word.is_quoted => depth += 1,
            ")" if !word.is_quoted => depth -= 1,
            "," if depth == 0 && !word.is_quoted => {
                define(&definition, &mut columns, &mut key);
                definition.clear();
                continue;
            }
            _ => {}
        }
        definition.push(word);
    }
    define(&definition, &mut columns, &mut key);
    let is_by_key = words.windows(2).any(|pair| pair[0].is("without") && pair[1].is("rowid"));
    if is_by_key {
        columns.retain(|column| !key.contains(column));
        columns.splice(0..0, key);
    }
    columns.truncate(MAX_COLUMNS);
    columns
}

/// Takes in what stands between two commas of a `CREATE TABLE`.
fn define(definition: &[&Word], columns: &mut Vec<String>, key: &mut Vec<String>) {
    let Some((first, rest)) = definition.split_first() else { return };
    let is_constraint = ["constraint", "primary", "unique", "check", "foreign"].iter().any(|word| first.is(word));
    let primary = definition.windows(2).position(|pair| pair[0].is("primary") && pair[1].is("key"));
    if is_constraint {
        let listed = primary.map_or(&[][..], |at| &definition[at + 2..]);
        let names =
            listed.iter().skip(1).take_while(|word| !word.is(")")).filter(|word| !word.is(",") && !word.is("asc") && !word.is("desc"));
        key.extend(names.map(|word| word.text.clone()));
        return;
    }
    // A column that is worked out when it is asked for has no value in the record.
    let is_computed = rest.iter().any(|word| word.is("as")) && !rest.iter().any(|word| word.is("stored"));
    if !is_computed {
        columns.push(first.text.clone());
        key.extend(primary.map(|_| first.text.clone()));
    }
}

/// A word of SQL, or one of its marks.
#[derive(Debug)]
struct Word {
    text: String,
    is_quoted: bool,
}

impl Word {
    fn is(&self, word: &str) -> bool {
        !self.is_quoted && self.text.eq_ignore_ascii_case(word)
    }
}

fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(close) = [('"', '"'), ('`', '`'), ('[', ']'), ('\'', '\'')].iter().find(|(open, _)| *open == first) {
            let inner = &rest[1..];
            let end = inner.find(close.1).unwrap_or(inner.len());
            words.push(Word { text: inner[..end].to_owned(), is_quoted: true });
            rest = inner.get(end + 1..).unwrap_or("");
        } else if first.is_alphanumeric() || first == '_' || first == '$' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(rest.len());
            words.push(Word { text: rest[..end].to_owned(), is_quoted: false });
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                words.push(Word { text: first.to_string(), is_quoted: false });
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn columns_are_those_that_the_statement_names() {
        for (sql, expected) in [
            ("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, pw VARCHAR(20) DEFAULT 'a, b')", "id name pw"),
            ("create table if not exists t(\"a b\" , [c], `d` -- x, y\n, /* e, */ f CHECK (f IN (1, 2)), UNIQUE (f, c))", "a b c d f"),
            ("CREATE TABLE t(v TEXT, k TEXT PRIMARY KEY) WITHOUT ROWID", "k v"),
            ("CREATE TABLE t(v TEXT, k TEXT, j INT, PRIMARY KEY (j DESC, k)) WITHOUT ROWID", "j k v"),
            ("CREATE TABLE t(a INT, b INT GENERATED ALWAYS AS (a + 1), c INT AS (a) STORED, d)", "a c d"),
            ("CREATE INDEX i ON t(a, b)", ""),
            ("CREATE TABLE t(", ""),
            ("", ""),
        ] {
            assert_eq!(columns(sql).join(" "), expected, "{sql}");
        }
    }
}
