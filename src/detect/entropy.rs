//! Shannon entropy of a text: how evenly its bytes are spread. Says nothing of their order; see `placeholder::randomness` for that.

/// Bits per byte, from 0 (one byte repeated, or nothing) to 8. Allocates nothing.
pub fn shannon(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let repeated: f64 = counts.iter().filter(|count| **count > 1).map(|count| f64::from(*count) * f64::from(*count).log2()).sum();
    if bytes.is_empty() { 0.0 } else { (total.log2() - repeated / total).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (text, bits) in
            [("", 0.0), ("a", 0.0), ("aaaaaaaa", 0.0), ("abababab", 1.0), ("abcd", 2.0), ("0123456789abcdef", 4.0), ("aab", 0.918_296)]
        {
            assert!((shannon(text.as_bytes()) - bits).abs() < 1e-5, "{text}: {}", shannon(text.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert!((shannon(&all) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn bounds_and_order_of_bytes() {
        let mut random = 3u64;
        for length in 1..300 {
            let mut text: Vec<u8> = (0..length)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (random >> 56) as u8
                })
                .collect();
            let bits = shannon(&text);
            assert!((0.0..=8.0).contains(&bits));
            text.reverse();
            assert!((shannon(&text) - bits).abs() < 1e-9);
        }
    }
}
