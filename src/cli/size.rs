//! Sizes as people type them: `512M`, `2G`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a size: write a number and K, M, G or T, for example 512M or 2G")]
pub(super) struct MalformedSize {
    given: String,
}

impl FromStr for Size {
    type Err = MalformedSize;

    /// Units are powers of 1024, with or without `B` or `iB`, as for the memory limits of containers.
    fn from_str(text: &str) -> Result<Self, MalformedSize> {
        let malformed = || MalformedSize { given: text.to_owned() };
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..end].parse().map_err(|_| malformed())?;
        let shift = match text[end..].trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(malformed()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        let table = [("0", 0), ("4096", 4096), ("512M", 512 << 20), ("2g", 2 << 30), ("1 GiB", 1 << 30), ("3kB", 3 << 10), ("1T", 1 << 40)];
        for (text, bytes) in table {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "M", "-1M", "1.5G", "2X", "99999999999T", "1 2", "½G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
