//! How reports for people say things: sizes, counts, instructions, texts cut to a width. Pure text; nothing here knows of secrets, so
//! what comes in is redacted and sanitised already.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::dockerfile::Step;

/// `12.3 MB`; powers of 1000.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be printed as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1,234,567`.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 layer`, `2,000 layers`.
pub(super) fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// An instruction as its author wrote it, more or less: builders wrap it in shells and comments. Blanks and line breaks become one blank.
pub(super) fn instruction(created_by: &str) -> String {
    let text = created_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let step = Step::parse(&text);
    match (step.kind, step.arguments) {
        (Some(kind), Some(arguments)) => format!("{kind} {} (build arguments: {arguments})", step.text),
        (Some(kind), None) => format!("{kind} {}", step.text).trim_end().to_owned(),
        (None, _) => step.text.to_owned(),
    }
}

/// `text`, cut to `width` columns with an ellipsis.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut cut = String::new();
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// `text` in lines of at most `width` columns, broken at blanks; a longer word has its own line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_next_unit_in_time() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_999, "1.0 MB"),
            (12_345_678, "12.3 MB"),
            (u64::MAX, "18446.7 PB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!([number(0), number(999), number(1000), number(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "layer", "layers"), count(2, "layer", "layers")], ["1 layer", "2 layers"]);
    }

    #[test]
    fn instructions_lose_what_builders_wrap_round_them() {
        let table = [
            ("/bin/sh -c #(nop)  CMD [\"sh\"]", "CMD [\"sh\"]"),
            ("/bin/sh -c apt-get  update \\\n  && true", "RUN apt-get update \\ && true"),
            ("RUN /bin/sh -c make # buildkit", "RUN make"),
            ("COPY . . # buildkit", "COPY . ."),
            ("|1 TOKEN=**** /bin/sh -c make", "RUN make (build arguments: TOKEN=****)"),
            ("RUN |2 A=1 B=2 /bin/sh -c make # buildkit", "RUN make (build arguments: A=1 B=2)"),
            ("RUN [\"/app\"]", "RUN [\"/app\"]"),
            ("bazel build ...", "bazel build ..."),
        ];
        for (created_by, text) in table {
            assert_eq!(instruction(created_by), text);
        }
    }

    #[test]
    fn texts_are_cut_by_columns_not_by_bytes() {
        assert_eq!(shorten("COPY . .", 8), "COPY . .");
        assert_eq!(shorten("COPY . .", 7), "COPY .…");
        assert_eq!(shorten("文件文件", 6), "文件…");
    }

    #[test]
    fn wrapping_keeps_long_words_whole() {
        assert_eq!(
            wrap("revoke it at https://example.com/a/long/path now", 12),
            ["revoke it at", "https://example.com/a/long/path", "now"]
        );
    }
}
