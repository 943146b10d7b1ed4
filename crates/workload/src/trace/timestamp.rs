//! Timestamps of traces: `2023-11-16 18:15:46.6805900`, `2024-05-10T00:00:00.009930+00:00`.
//!
//! It knows no calendar but the Gregorian one and no time zone names; a timestamp without an
//! offset counts as UTC, which is all one where only differences matter.

/// Nanoseconds since the Unix epoch (UTC, no leap seconds), exact, or `None` where `text` is no
/// timestamp with a four-digit year and at most nine digits of fraction.
pub fn parse(text: &str) -> Option<i64> {
    let (date, clock) = text.trim().split_once([' ', 'T', 't'])?;
    let (clock, zone_s) = split_zone(clock)?;
    let (hms, fraction) = match clock.split_once('.') {
        Some((hms, digits)) => (hms, fraction_ns(digits)?),
        None => (clock, 0),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(hms, ':', [2, 2, 2])?;
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    (seconds - zone_s)
        .checked_mul(1_000_000_000)?
        .checked_add(fraction)
}

/// Three numbers of exactly `widths` digits.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut out = [0; 3];
    let mut parts = text.split(separator);
    for (value, width) in out.iter_mut().zip(widths) {
        let part = parts.next().filter(|p| p.len() == width)?;
        *value = digits(part)?;
    }
    parts.next().is_none().then_some(out)
}

fn digits(text: &str) -> Option<i64> {
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

/// Up to nine digits after the point, as nanoseconds.
fn fraction_ns(text: &str) -> Option<i64> {
    let missing = 9_u32.checked_sub(u32::try_from(text.len()).ok()?)?;
    Some(digits(text)? * 10_i64.pow(missing))
}

/// Splits `Z`, `+HH:MM`, `+HHMM` or `+HH` off; the offset in seconds.
fn split_zone(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.find(['+', '-']) else {
        return Some((clock, 0));
    };
    let (clock, zone) = clock.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let plain = zone[1..].replace(':', "");
    let (hours, minutes) = match plain.len() {
        2 => (digits(&plain)?, 0),
        // Four bytes may be one character.
        4 => (digits(plain.get(..2)?)?, digits(plain.get(2..)?)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counting years from March
/// so that the leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 306 + 5) / 10 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ns: i64) {
        assert_eq!(parse(text), Some(ns), "{text}");
    }

    #[test]
    fn reads_what_the_traces_hold() {
        // Reference values: `date -u -d ... +%s`.
        check("1970-01-01 00:00:00", 0);
        check("2023-11-16 18:15:46.6805900", 1_700_158_546_680_590_000);
        check(
            "2024-05-10 00:00:00.009930+00:00",
            1_715_299_200_009_930_000,
        );
        check("2024-05-10T02:00:00.5+02:00", 1_715_299_200_500_000_000);
        check("2024-02-29T23:59:59Z", 1_709_251_199_000_000_000);
        check("2024-05-09T16:30:00-0730", 1_715_299_200_000_000_000);
        check("2000-03-01 00:00:00.000000001", 951_868_800_000_000_001);
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "2023-11-16",
            "2023-11-16 18:15",
            "2023-13-01 00:00:00",
            "2023-02-29 00:00:00",
            "2023-02-28 24:00:00",
            "2023-02-28 00:00:60",
            "2023-02-28 00:00:00.",
            "2023-02-28 00:00:00.1234567890",
            "2023-02-28 00:00:00+1",
            "23-02-28 00:00:00",
            "2023-02-28 00:00:00 extra",
            "9999-02-28 00:00:00",
            "2023-02-28 +0:00:00",
            "2023-02-28 00:00:00+é",
            "2023-02-28 00:00:00+😀",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
