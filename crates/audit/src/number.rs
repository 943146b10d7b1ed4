//! Figures inside sentences: three significant digits, thousands apart, never NaN.

use infermeter_core::number::grouped;

/// A number for people; `unknown` where it is not finite.
pub(crate) fn figure(x: f64) -> String {
    if !x.is_finite() {
        return "unknown".to_owned();
    }
    let magnitude = x.abs();
    if magnitude >= 1e15 {
        return format!("{x:.2e}");
    }
    if magnitude >= 100.0 || x == x.trunc() {
        return thousands(x);
    }
    let decimals = if magnitude >= 10.0 {
        1
    } else if magnitude >= 1.0 {
        2
    } else if magnitude >= 0.1 {
        3
    } else if magnitude >= 0.01 {
        4
    } else {
        return format!("{x:.2e}");
    };
    format!("{x:.decimals$}")
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", figure(share * 100.0))
}

/// `1 request`, `1,300 requests`.
pub(crate) fn counted(n: f64, noun: &str) -> String {
    let plural = if n == 1.0 { "" } else { "s" };
    format!("{} {noun}{plural}", figure(n))
}

fn thousands(x: f64) -> String {
    let digits = format!("{:.0}", x.abs());
    let sign = if x < 0.0 && digits != "0" { "-" } else { "" };
    format!("{sign}{}", grouped(&digits))
}

#[cfg(test)]
mod tests {
    use super::{counted, figure, percent};

    #[test]
    fn figures_are_short_and_never_nan() {
        let cases = [
            (0.0, "0"),
            (1234567.8, "1,234,568"),
            (-1234.5, "-1,234"),
            (12.345, "12.3"),
            (1.005, "1.00"),
            (0.1234, "0.123"),
            (0.00012, "1.20e-4"),
            (1e300, "1.00e300"),
        ];
        for (x, expect) in cases {
            assert_eq!(figure(x), expect);
        }
        assert_eq!(figure(f64::NAN), "unknown");
        assert_eq!(figure(f64::INFINITY), "unknown");
        assert_eq!(percent(0.256), "25.6 %");
        assert_eq!(counted(1.0, "request"), "1 request");
        assert_eq!(counted(1300.0, "request"), "1,300 requests");
    }
}
