//! Reads `NAME <op> VALUE` round a keyword, in whatever syntax it is written: env, INI, properties, YAML, JSON, TOML, XML, HCL, shell,
//! code, command lines. It knows syntax only; whether the value is a secret is for others to say.

use std::ops::Range;

/// Longest name, value and run of blanks that are looked at.
const MAX_NAME: usize = 80;
const MAX_VALUE: usize = 1024;
const MAX_BLANKS: usize = 40;

/// How the value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// Between quotes.
    Quoted,
    /// Up to a blank or the end of the line.
    Bare,
    /// Between an XML or HTML start tag and its end tag.
    Element,
}

/// How name and value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`, `:=`, `?=`, `=>`, ...
    Equals,
    /// `:`
    Colon,
    /// `==`, `!=` and their kin.
    Comparison,
    /// `<name>value</name>`
    Element,
    /// `--name value`
    Flag,
    /// `f("name", "value")`
    Argument,
    /// `name("value")`
    Call,
}

/// A name with the value it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name, keyword included.
    pub name: Range<usize>,
    /// The value without its quotes.
    pub value: Range<usize>,
    /// How the value is written.
    pub quoting: Quoting,
    /// How both are joined.
    pub operator: Operator,
    /// Whether the name is quoted, as in JSON.
    pub quoted_name: bool,
    /// Whether the value is one of a list.
    pub listed: bool,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// Most values of one list that are read.
const MAX_LISTED: usize = 64;

/// Reads the assignment whose name holds `text[keyword]` and gives `take` its value, or each value of a list. Takes nothing if there is
/// none: by far the commonest case, so the cheap questions come first.
pub fn parse(text: &[u8], keyword: Range<usize>, mut take: impl FnMut(Found)) {
    let Some(joined) = joined(text, keyword) else { return };
    let found = |value, quoting, listed| {
        let Joined { name, operator, quoted_name, .. } = joined.clone();
        Found { name, value, quoting, operator, quoted_name, listed }
    };
    let after = blanks(text, joined.at);
    if text.get(after) == Some(&b'[') && matches!(joined.operator, Operator::Equals | Operator::Colon) {
        for value in list(text, after + 1) {
            take(found(value, Quoting::Quoted, true));
        }
        return;
    }
    if let Some((value, quoting)) = value(text, joined.at, joined.operator) {
        take(found(value, quoting, false));
    }
}

/// A name and what joins it to what begins at `at`.
#[derive(Clone)]
struct Joined {
    name: Range<usize>,
    operator: Operator,
    quoted_name: bool,
    at: usize,
}

fn joined(text: &[u8], keyword: Range<usize>) -> Option<Joined> {
    let end = (keyword.end + MAX_NAME).min(text.len());
    let name_end = keyword.end + text[keyword.end..end].iter().take_while(|&&b| is_name(b)).count();
    let (after_name, quoted_name) = closing(text, name_end);
    let (operator, at) = operator(text, after_name, quoted_name)?;
    let start = keyword.start.saturating_sub(MAX_NAME);
    let name_start = keyword.start - text[start..keyword.start].iter().rev().take_while(|&&b| is_name(b)).count();
    let before = name_start.checked_sub(1).map(|at| text[at]);
    match operator {
        Operator::Element if before != Some(b'<') => return None,
        // A blank joins only a flag and its argument.
        Operator::Flag if quoted_name || !text[name_start..].starts_with(b"--") => return None,
        _ => {}
    }
    Some(Joined { name: name_start..name_end, operator, quoted_name, at })
}

/// The quoted values of a list that begins at `at`, up to the first thing that is none.
fn list(text: &[u8], mut at: usize) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        at = gap(text, at);
        let escapes = text[at..].iter().take(8).take_while(|&&b| b == b'\\').count();
        let &quote = text.get(at + escapes).filter(|b| matches!(b, b'"' | b'\'' | b'`'))?;
        let limit = (at + MAX_VALUE).min(text.len());
        let (value, _) = quoted(text, at + escapes, quote, escapes, limit)?;
        at = gap(text, value.end + escapes + 1);
        at = if text.get(at) == Some(&b',') { at + 1 } else { text.len() };
        Some(value)
    })
    .take(MAX_LISTED)
}

/// Steps over blanks and line breaks.
fn gap(text: &[u8], at: usize) -> usize {
    let end = (at + MAX_BLANKS).min(text.len());
    at + text[at.min(end)..end].iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// Steps over what closes the name: a quote (escaped or not) and a bracket.
fn closing(text: &[u8], mut at: usize) -> (usize, bool) {
    let mut quoted = false;
    while text.get(at) == Some(&b'\\') && at < text.len() {
        at += 1;
    }
    if matches!(text.get(at), Some(b'"' | b'\'' | b'`')) {
        at += 1;
        quoted = true;
    }
    if text.get(at) == Some(&b']') {
        at += 1;
    }
    (at, quoted)
}

fn blanks(text: &[u8], at: usize) -> usize {
    let end = (at + MAX_BLANKS).min(text.len());
    at + text[at.min(end)..end].iter().take_while(|&&b| b == b' ' || b == b'\t').count()
}

/// The operator after a name that ends at `at`, and where it ends.
fn operator(text: &[u8], at: usize, quoted_name: bool) -> Option<(Operator, usize)> {
    if text.get(at) == Some(&b'>') {
        return Some((Operator::Element, at + 1));
    }
    let after = blanks(text, at);
    let rest = &text[after..(after + 24).min(text.len())];
    let joined = |operator, length| Some((operator, after + length));
    match rest {
        [b'=', b'=', b'=', ..] | [b'!', b'=', b'=', ..] => joined(Operator::Comparison, 3),
        [b'=', b'=', ..] | [b'!', b'=', ..] => joined(Operator::Comparison, 2),
        [b'=', b'>', ..] | [b':', b'=', ..] | [b'?', b'=', ..] | [b'+', b'=', ..] => joined(Operator::Equals, 2),
        [b'|', b'|', b'=', ..] => joined(Operator::Equals, 3),
        [b'=', ..] => joined(Operator::Equals, 1),
        // `a::b` is a path; `name:value` an assignment.
        [b':', b':', ..] => None,
        [b':', ..] => Some(typed(text, after + 1).map_or((Operator::Colon, after + 1), |at| (Operator::Equals, at))),
        [b',', ..] if quoted_name => joined(Operator::Argument, 1),
        [b'(', ..] if after == at && !quoted_name => joined(Operator::Call, 1),
        // <add key="password" value="..."/>
        [b'v' | b'V', b'a', b'l', b'u', b'e', b'=', ..] if quoted_name && after > at => joined(Operator::Equals, 6),
        [_, ..] if after > at && !quoted_name => joined(Operator::Flag, 0),
        _ => None,
    }
}

/// Steps over a type between the colon and an equals sign: `password: Optional[str] = "..."`.
fn typed(text: &[u8], at: usize) -> Option<usize> {
    let start = blanks(text, at);
    let end = (start + 40).min(text.len());
    let type_length = text[start..end]
        .iter()
        .take_while(|&&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']' | b'<' | b'>' | b'?' | b'&' | b'|'))
        .count();
    let equals = blanks(text, start + type_length);
    let is_type = type_length > 0 && text.get(equals) == Some(&b'=') && text.get(equals + 1) != Some(&b'=') && equals > start + type_length;
    is_type.then_some(equals + 1)
}

/// The value that begins at or after `at`.
fn value(text: &[u8], at: usize, operator: Operator) -> Option<(Range<usize>, Quoting)> {
    let mut at = if operator == Operator::Element { at } else { blanks(text, at) };
    let limit = (at + MAX_VALUE).min(text.len());
    if operator == Operator::Element {
        if text[at..limit].starts_with(b"<![CDATA[") {
            at += 9;
        }
        let length = memchr::memchr2(b'<', b'\n', &text[at..limit])?;
        let end = at + length - usize::from(text[at..at + length].ends_with(b"]]"));
        return (text.get(at + length) == Some(&b'<') && length > 0).then_some((at..end, Quoting::Element));
    }
    // String prefixes: r"", b"", u"", f"", @"".
    let prefix =
        text[at..limit].iter().take(2).take_while(|&&b| matches!(b, b'r' | b'b' | b'u' | b'f' | b'R' | b'B' | b'U' | b'@' | b'L')).count();
    if prefix > 0 && matches!(text.get(at + prefix), Some(b'"' | b'\'')) {
        at += prefix;
    }
    let escapes = text[at..limit].iter().take(8).take_while(|&&b| b == b'\\').count();
    match text.get(at + escapes) {
        Some(&quote @ (b'"' | b'\'' | b'`')) => quoted(text, at + escapes, quote, escapes, limit),
        _ if escapes > 0 || matches!(operator, Operator::Argument | Operator::Call) => None,
        Some(b'|' | b'>') if operator == Operator::Colon => block(text, at + 1, limit),
        Some(_) => bare(text, at, limit),
        None => None,
    }
}

/// A value between quotes that are themselves escaped `escapes` times.
fn quoted(text: &[u8], open: usize, quote: u8, escapes: usize, limit: usize) -> Option<(Range<usize>, Quoting)> {
    let mut start = open + 1;
    // Triple quotes hold a line of their own.
    if text[start..limit].starts_with(&[quote, quote]) {
        start += 2;
    }
    let mut at = start;
    while at < limit {
        let found = at + text[at..limit].iter().position(|&b| b == quote || b == b'\n')?;
        if text[found] == b'\n' {
            return None;
        }
        let slashes = text[start..found].iter().rev().take_while(|&&b| b == b'\\').count();
        // The closing quote is escaped as the opening one is; a deeper escape belongs to the value.
        if slashes <= escapes {
            let end = found - slashes;
            return (end > start).then_some((start..end, Quoting::Quoted));
        }
        at = found + 1;
    }
    None
}

/// A value that is the only line of a block of YAML, whose mark ends at `at`.
fn block(text: &[u8], at: usize, limit: usize) -> Option<(Range<usize>, Quoting)> {
    let line_end = |from: usize| memchr::memchr(b'\n', &text[from..limit]).map(|length| from + length);
    let feed = line_end(at)?;
    if !text[at..feed].iter().all(|byte| matches!(byte, b'+' | b'-' | b'0'..=b'9' | b' ' | b'\r')) {
        return None;
    }
    let indent = |from: usize| text[from..limit].iter().take(MAX_BLANKS).take_while(|&&byte| byte == b' ').count();
    let start = feed + 1 + indent(feed + 1);
    let end = line_end(start).unwrap_or(limit);
    let is_last = end == limit || indent(end + 1) < indent(feed + 1);
    let (value, quoting) = bare(text, start, limit)?;
    let is_whole = text[value.end..end].iter().all(u8::is_ascii_whitespace);
    (start > feed + 1 && is_last && is_whole).then_some((value, quoting))
}

/// A value that ends at a blank, a quote or a bracket.
fn bare(text: &[u8], start: usize, limit: usize) -> Option<(Range<usize>, Quoting)> {
    let stops = |b: u8| {
        !(0x21..0x7f).contains(&b)
            || matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'|' | b';' | b',' | b'\\')
    };
    // Some tokens are a number, a bar and the rest; any other bar is a shell's.
    let digits = text[start..limit].iter().take_while(|b| b.is_ascii_digit()).count();
    let head = if digits > 0 && text.get(start + digits) == Some(&b'|') { digits + 1 } else { 0 };
    let mut length = head + text[(start + head).min(limit)..limit].iter().take_while(|&&b| !stops(b)).count();
    let next = text.get(start + length).copied();
    // A call, an index, a template or an expansion is not a literal; neither is a value longer than we look.
    if matches!(next, Some(b'(' | b'[' | b'{')) || length == 0 || start + length == limit && limit < text.len() {
        return None;
    }
    // In a URL's query the next parameter follows an ampersand.
    if let Some(at) = text[start..start + length].iter().position(|&b| b == b'&') {
        length = at;
    }
    (length > 0).then_some((start..start + length, Quoting::Bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        let at = text.find("passw")?;
        let mut all = Vec::new();
        parse(text.as_bytes(), at..at + 5, |found| all.push((text[found.name].to_owned(), text[found.value].to_owned())));
        (!all.is_empty()).then(|| (all[0].0.clone(), all.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join("+")))
    }

    #[test]
    fn every_syntax_gives_the_same_pair() {
        for (text, name, value) in [
            ("DB_PASSWORD=x1".to_lowercase().as_str(), "db_password", "x1"),
            ("password = 'x 1'", "password", "x 1"),
            ("  password: x1\n", "password", "x1"),
            (r#"{"password":"x1"}"#, "password", "x1"),
            (r#"{\"password\": \"x1\"}"#, "password", "x1"),
            (r#"{\\\"password\\\": \\\"x1\\\"}"#, "password", "x1"),
            ("<password>x1</password>", "password", "x1"),
            ("<add key=\"password\" value=\"x1\"/>", "password", "x1"),
            ("define('db_password', 'x1');", "db_password", "x1"),
            ("$c['password'] = 'x1';", "password", "x1"),
            ("password := `x1`", "password", "x1"),
            ("password => \"x1\"", "password", "x1"),
            ("password: str = \"x1\"", "password", "x1"),
            ("run --password=x1 --user y", "--password", "x1"),
            ("run --password x1", "--password", "x1"),
            ("/?password=x1&user=y", "password", "x1"),
            (r#"password = "a\"b""#, "password", r#"a\"b"#),
            ("password = r\"x1\"", "password", "x1"),
            ("password=12|x1", "password", "12|x1"),
            ("password=x1|sort", "password", "x1"),
            ("user.setPassword(\"x1\")".to_lowercase().as_str(), "user.setpassword", "x1"),
            ("passwords: ['x1', \"x2\",\n  'x3']", "passwords", "x1+x2+x3"),
            (r#"{\"passwords\":[\"x1\",\"x2\"]}"#, "passwords", "x1+x2"),
            ("  password: |\n    x1\n  user: y\n", "password", "x1"),
            ("password: >-\r\n  x1\r\nuser: y\r\n", "password", "x1"),
        ] {
            assert_eq!(read(text), Some((name.to_owned(), value.to_owned())), "{text}");
        }
    }

    #[test]
    fn words_calls_and_expansions_are_not_values() {
        for text in [
            "the password is here",
            "password = get(1)",
            "password = ${X}",
            "password",
            "password\n= x1",
            "password::new",
            "<password>",
            "password = \"unclosed",
            "password: |\n  two\n  lines\n",
            "password: |\n  two words\n",
            "password: |\nuser: x\n",
            "password: | user\n  x\n",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
