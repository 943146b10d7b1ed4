//! Instants of wall clocks as messages have them.
//!
//! It reads no clock.

/// How long ago an instant was, for people; what a clock that differs puts into the future was just now.
pub(super) fn ago(then_unix_ns: i64, now_unix_ns: i64) -> String {
    format!("{} ago", span(now_unix_ns.saturating_sub(then_unix_ns)))
}

/// How long something takes, for people.
pub(super) fn span(ns: i64) -> String {
    let seconds = ns.max(0) as f64 / 1e9;
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} minutes", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} hours", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_past_are_told_in_their_units() {
        let check = |seconds: i64, expect: &str| {
            assert_eq!(ago(1_000, 1_000 + seconds * 1_000_000_000), expect);
        };
        check(-5, "0.0 s ago");
        check(12, "12.0 s ago");
        check(600, "10 minutes ago");
        check(10_800, "3 hours ago");
        check(864_000, "10 days ago");
        assert_eq!(ago(i64::MIN, i64::MAX), "106752 days ago");
    }
}
