//! Text that explains: a comment that shows a URL of a host that can belong to nobody.

use std::ops::Range;

/// Most bytes of a line that are looked at before a match.
const MAX_LINE: usize = 240;

/// Names that RFC 2606 and RFC 6761 keep for documentation and tests.
const RESERVED: [&str; 6] = ["example.com", "example.net", "example.org", "example", "test", "invalid"];

/// Whether `text[secret]` is the password of a URL that a comment gives for a reserved host. Both are needed: a deployment may well be
/// called `db.corp.example` in a file that is handed out, and real passwords stand in comments.
pub(super) fn is_shown_url(text: &[u8], secret: &Range<usize>) -> bool {
    text.get(secret.end) == Some(&b'@') && is_comment(&text[..secret.start]) && is_reserved(&text[secret.end + 1..])
}

fn is_comment(before: &[u8]) -> bool {
    let before = &before[before.len().saturating_sub(MAX_LINE)..];
    let Some(start) = before.iter().rposition(|&byte| byte == b'\n') else { return false };
    let line = before[start + 1..].trim_ascii_start();
    [&b"#"[..], b"//", b"/*", b"* ", b"--", b";"].iter().any(|mark| line.starts_with(mark))
}

fn is_reserved(after: &[u8]) -> bool {
    let length = after.iter().take(254).take_while(|&&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')).count();
    let host = String::from_utf8_lossy(&after[..length]).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    RESERVED.iter().any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> bool {
        let start = text.find("S3cr3t").unwrap_or_default();
        is_shown_url(text.as_bytes(), &(start..start + 6))
    }

    #[test]
    fn a_comment_with_a_reserved_host_explains() {
        for text in
            ["\n  # get(\"http://sam:S3cr3t@my.example.com\")", "\n// x://a:S3cr3t@db.example:1/", "x\n * ftp://a:S3cr3t@host.test."]
        {
            assert!(shown(text), "{text}");
        }
    }

    #[test]
    fn code_and_hosts_that_may_exist_do_not() {
        for text in [
            "\nurl = \"http://sam:S3cr3t@my.example.com\"",
            "\n# http://sam:S3cr3t@my.example.corp",
            "\n# http://sam:S3cr3t@counterexample.com",
            "\n# http://sam:S3cr3t",
            "# a:S3cr3t",
        ] {
            assert!(!shown(text), "{text}");
        }
    }
}
