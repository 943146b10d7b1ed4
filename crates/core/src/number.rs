//! Counts in words: thousands apart, and a noun in the right number.
//!
//! Measured figures are written by whoever prints them; this is only what all of them share.

/// Digits in groups of three: `1,234`.
pub fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with thousands apart.
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// `1 request`, `1,300 requests`.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

#[cfg(test)]
mod tests {
    use super::{count, counted};

    #[test]
    fn counts_have_thousands_apart() {
        for (n, expect) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(count(n), expect);
        }
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(1_300, "request"), "1,300 requests");
    }
}
