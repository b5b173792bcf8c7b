//! A JSON document as texts to match: each string with the name it is given, where it stands as a JSON pointer.
//!
//! `{"Labels": {"ci.token": "x"}}` becomes the text `ci.token=x` at `/Labels/ci.token`, so that rules see the name and the value
//! together, as they would in a file. Lists of words (`Cmd`, `Entrypoint`) are joined by blanks, since a flag and its argument are
//! neighbours there.

use serde_json::Value;

/// One text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it stands.
    pub pointer: String,
    /// What rules see.
    pub bytes: Vec<u8>,
}

/// All texts of a document, in the document's order. None if it is not JSON; then its bytes are the text.
pub fn texts(bytes: &[u8]) -> Option<Vec<Text>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let mut out = Vec::new();
    let mut pointer = String::new();
    walk(&value, None, &mut pointer, &mut out);
    Some(out)
}

/// serde_json bounds the depth of what it parses (128), and with it the depth of this recursion.
fn walk(value: &Value, name: Option<&str>, pointer: &mut String, out: &mut Vec<Text>) {
    match value {
        Value::Object(object) => {
            // A name/value pair spread over two members, as in `{"name": "TOKEN", "value": "x"}`.
            let pair = |name: &str| object.get(name).and_then(Value::as_str);
            let named = ["name", "key", "Name", "Key"].iter().find_map(|name| pair(name));
            for (key, child) in object {
                let name = if key.eq_ignore_ascii_case("value") { named.unwrap_or(key) } else { key };
                step(pointer, key, |pointer| walk(child, Some(name), pointer, out));
            }
        }
        Value::Array(items) if items.len() > 1 && items.iter().all(is_word) && !items.iter().any(is_assignment) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            out.push(Text { pointer: pointer.clone(), bytes: words.join(" ").into_bytes() });
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                step(pointer, &index.to_string(), |pointer| walk(child, name, pointer, out));
            }
        }
        Value::String(text) if !text.is_empty() => {
            let in_list = pointer.rsplit('/').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
            let bytes = match name {
                // Items of a list, and texts of many words such as instructions, speak for themselves.
                Some(name) if !in_list && !matches!(name, "created_by" | "comment") => format!("{name}={text}").into_bytes(),
                _ => text.clone().into_bytes(),
            };
            out.push(Text { pointer: pointer.clone(), bytes });
        }
        _ => {}
    }
}

fn is_word(value: &Value) -> bool {
    value.is_string()
}

/// `NAME=value`, as in `Env`: each is a text of its own.
fn is_assignment(value: &Value) -> bool {
    let name = value.as_str().and_then(|text| text.split_once('=')).map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Runs `inside` with `key` appended to the pointer, escaped as RFC 6901 says.
fn step(pointer: &mut String, key: &str, inside: impl FnOnce(&mut String)) {
    let length = pointer.len();
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    inside(pointer);
    pointer.truncate(length);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(json: &str) -> Vec<(String, String)> {
        texts(json.as_bytes()).unwrap().into_iter().map(|text| (text.pointer, String::from_utf8(text.bytes).unwrap())).collect()
    }

    #[test]
    fn names_and_values_stand_together() {
        let read = read(
            r#"{"config":{"Env":["A=1","B=2"],"Cmd":["run","--password","x"],"Labels":{"a/b":"v"}},"history":[{"created_by":"RUN x","author":"me"}],"e":[{"name":"T","value":"v"}]}"#,
        );
        let expected = [
            ("/config/Env/0", "A=1"),
            ("/config/Env/1", "B=2"),
            ("/config/Cmd", "run --password x"),
            ("/config/Labels/a~1b", "a/b=v"),
            ("/history/0/created_by", "RUN x"),
            ("/history/0/author", "author=me"),
            ("/e/0/name", "name=T"),
            ("/e/0/value", "T=v"),
        ];
        assert_eq!(read, expected.map(|(pointer, text)| (pointer.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_is_not_json_is_said() {
        assert!(texts(b"{").is_none());
        assert!(texts(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat()).is_none(), "too deep");
    }
}
