//! Numbers as people read them: three significant digits, a unit that fits, thousands apart.
//!
//! The only place that writes figures of results. Invariant: what belongs together is joined by
//! [`JOIN`], so that no line ends between a number and its unit or inside an interval; what rounds to nothing has no
//! sign, and no decimals that would say nothing.

use infermeter_analysis::{Mean, Rate, Share};
use infermeter_core::number::{count, grouped};

/// Per cent that are nothing, and what rounding leaves of it: less than one request in two hundred million.
const NOTHING: f64 = 5e-7;

/// Stands between a number and its unit. Lines do not break there, and it is shown as a space.
pub const JOIN: char = '\u{a0}';

/// `text` for where lines are not broken: with plain spaces.
pub(crate) fn spaced(text: &str) -> String {
    text.replace(JOIN, " ")
}

/// Nothing is left of it but zeros.
fn is_zero(digits: &str) -> bool {
    !digits.contains(|c: char| matches!(c, '1'..='9'))
}

/// With so many decimals, thousands apart; without a sign where nothing but zeros is left.
fn decimal(x: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", x.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if x < 0.0 && !is_zero(&text) { "-" } else { "" };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}", grouped(whole))
}

/// `text`, which says how much something has changed, with a `+` where it has grown by what can be seen.
pub(crate) fn plus(change: f64, text: &str) -> String {
    let sign = if change > 0.0 && !is_zero(text) {
        "+"
    } else {
        ""
    };
    format!("{sign}{text}")
}

/// Three significant digits, at most three decimals, thousands apart: `41.2`, `0.041`, `12,345`; `0` below a
/// two-thousandth.
pub fn significant(x: f64) -> String {
    let magnitude = x.abs();
    let decimals = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        _ => 3,
    };
    let text = decimal(x, decimals);
    match is_zero(&text) {
        true => "0".to_owned(),
        false => text,
    }
}

/// [`significant`], whole numbers without decimals: `512`, `1.50`, `1,234`.
pub fn figure(x: f64) -> String {
    match x.abs() {
        m if m < 1e15 && m.fract() == 0.0 => decimal(x, 0),
        _ => significant(x),
    }
}

/// An amount of money: two decimals from 1 on, three significant digits below: `12,345.00`, `0.000278`.
pub(crate) fn money(x: f64) -> String {
    let decimals = match x.abs() {
        m if m >= 1.0 || m == 0.0 => 2,
        m => (2.0 - m.log10().floor()).clamp(2.0, 12.0) as usize,
    };
    let text = decimal(x, decimals);
    match is_zero(&text) {
        true => "0.00".to_owned(),
        false => text,
    }
}

/// `190 completed, 8 failed`: the first part always, the others where there is any.
pub(crate) fn parts<const N: usize>(parts: [(u64, &str); N]) -> String {
    let shown = parts
        .iter()
        .enumerate()
        .filter(|(i, (n, _))| *i == 0 || *n > 0);
    let texts: Vec<String> = shown
        .map(|(_, (n, name))| format!("{} {name}", count(*n)))
        .collect();
    texts.join(", ")
}

/// A large count in few characters: `9,999`, `12k`, `3.4M`.
pub(crate) fn short_count(n: usize) -> String {
    match n {
        0..10_000 => count(n as u64),
        10_000..1_000_000 => format!("{}k", n.div_ceil(1_000)),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// Unit of a row of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Micro,
    Milli,
    Second,
}

impl TimeUnit {
    /// The unit in which times up to `largest_ms` take four digits at most; milliseconds for 0.
    pub(crate) fn fitting(largest_ms: f64) -> Self {
        if largest_ms >= 9_999.5 {
            Self::Second
        } else if largest_ms >= 0.9995 || largest_ms == 0.0 {
            Self::Milli
        } else {
            Self::Micro
        }
    }

    /// Its symbol.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Micro => "µs",
            Self::Milli => "ms",
            Self::Second => "s",
        }
    }

    /// How many of this unit a millisecond is.
    pub(crate) fn per_ms(self) -> f64 {
        match self {
            Self::Micro => 1e3,
            Self::Milli => 1.0,
            Self::Second => 1e-3,
        }
    }

    /// Milliseconds written in this unit, without it. Four digits stay together: `1234`.
    pub(crate) fn write(self, ms: f64) -> String {
        let scaled = ms * self.per_ms();
        let text = significant(scaled);
        if scaled < 9_999.5 {
            text.replace(',', "")
        } else {
            text
        }
    }
}

/// One time with its unit: `41.2 ms`, `1.23 s`, `45 µs`.
pub fn time(ms: f64) -> String {
    let unit = match ms.abs() {
        m if m >= 999.5 => TimeUnit::Second,
        m if m >= 0.9995 || m == 0.0 => TimeUnit::Milli,
        _ => TimeUnit::Micro,
    };
    format!("{}{JOIN}{}", unit.write(ms), unit.symbol())
}

/// `[low, high]`; an open side is `∞`, or 0 below, since every figure here is at least 0.
pub(crate) fn interval(low: Option<String>, high: Option<String>) -> String {
    let low = low.unwrap_or_else(|| "0".to_owned());
    match high {
        Some(high) => format!("[{low},{JOIN}{high}]"),
        None => format!("[{low},{JOIN}∞)"),
    }
}

/// A rate with its interval: `1,204/s [1,190, 1,220]`.
pub(crate) fn rate(rate: &Rate, unit: &str) -> String {
    let range = interval(rate.low.map(significant), rate.high.map(significant));
    format!("{}{JOIN}{unit} {range}", significant(rate.per_s))
}

/// A mean with its interval.
pub(crate) fn mean(mean: &Mean) -> String {
    let range = interval(mean.low.map(significant), mean.high.map(significant));
    format!("{} {range}", significant(mean.value))
}

/// A share in percent: enough digits to tell it from 0 and 100.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // How far from the nearer end.
    let apart = percent.abs().min((100.0 - percent).abs());
    let decimals = match apart {
        apart if apart < NOTHING => 0,
        apart if !(0.0..=100.0).contains(&percent) || apart >= 1.0 => 1,
        apart if apart >= 0.005 => 2,
        apart => -apart.log10().floor() as usize,
    };
    let text = decimal(percent, decimals);
    let text = if is_zero(&text) { "0" } else { &text };
    format!("{text}{JOIN}%")
}

/// A change in percent, with its sign: `+5.1 %`; `0 %` where it rounds to nothing.
pub(crate) fn signed_percent(change: f64) -> String {
    format!("{}{JOIN}%", plus(change, &significant(change * 100.0)))
}

/// A figure in its unit: `ms`, `1/s`, or empty for a share.
pub(crate) fn in_unit(value: f64, unit: &str) -> String {
    match unit {
        "ms" => time(value),
        "1/s" => format!("{}/s", significant(value)),
        _ => percent(value),
    }
}

/// A p-value: `0.016`, `< 0.001`.
pub(crate) fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => format!("<{JOIN}0.001"),
        false => format!("{p:.3}"),
    }
}

/// A share with its interval: `98.1 % [96.9 %, 98.9 %]`.
pub(crate) fn share(share: &Share) -> String {
    let range = interval(share.low.map(percent), share.high.map(percent));
    format!("{} {range}", percent(share.value))
}

/// ` ± 7.75`, or nothing where the error is not known.
pub(crate) fn plus_minus(error: Option<String>) -> String {
    error.map_or_else(String::new, |error| format!("{JOIN}±{JOIN}{error}"))
}

/// Seconds in a unit that fits, up to days: `2.50 h`, `41.2 ms`.
pub fn span(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 172_800.0 => (s / 86_400.0, "days"),
        s if s >= 7_200.0 => (s / 3_600.0, "h"),
        s if s >= 120.0 => (s / 60.0, "min"),
        s if s >= 1.0 => (s, "s"),
        0.0 => return "0".to_owned(),
        s if s >= 0.001 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    format!("{}{JOIN}{unit}", figure(value))
}

/// A number among others that are `step` apart, with the decimals that tell them apart: `0.25`, `1,500`.
pub(crate) fn stepped(x: f64, step: f64) -> String {
    // A step of 0.5 has a logarithm just below 0, whatever rounding did to it.
    let decimals = (-(step.abs() + f64::MIN_POSITIVE).log10() - 1e-9)
        .ceil()
        .clamp(0.0, 9.0) as usize;
    decimal(x, decimals)
}

/// Bytes: `42 MB`.
pub(crate) fn bytes(n: u64) -> String {
    format!("{}{JOIN}MB", significant(n as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_steps_have_the_decimals_of_the_step() {
        for (x, step, expect) in [
            (0.25, 0.05, "0.25"),
            (0.5, 0.5, "0.5"),
            (1.0, 0.2, "1.0"),
            (1_500.0, 500.0, "1,500"),
            (-0.0, 1.0, "0"),
            (-20.0, 10.0, "-20"),
        ] {
            assert_eq!(stepped(x, step), expect);
        }
    }

    #[test]
    fn what_rounds_to_nothing_is_zero_without_a_sign() {
        for tiny in [0.0, -0.0, 4e-4, -4e-4, 1e-12, -1e-12] {
            assert_eq!(significant(tiny), "0", "{tiny}");
            assert_eq!(figure(tiny), "0", "{tiny}");
            assert_eq!(plus(tiny, &significant(tiny)), "0", "{tiny}");
            assert_eq!(signed_percent(tiny / 100.0), "0\u{a0}%", "{tiny}");
        }
        for tiny in [4e-7, -4e-7, -1e-12] {
            assert_eq!(time(tiny), "0\u{a0}µs", "{tiny}");
        }
        assert_eq!(time(-0.0), "0\u{a0}ms");
        assert_eq!(span(1e-12), "0\u{a0}µs");
        assert_eq!(percent(-0.0), "0\u{a0}%");
        assert_eq!(percent(-1e-9), "0\u{a0}%");
        assert_eq!(money(-0.0), "0.00");
        assert_eq!(money(-1e-15), "0.00");
        assert_eq!(plus(0.02, &significant(0.02)), "+0.020");
        assert_eq!(plus(-0.02, &significant(-0.02)), "-0.020");
    }

    #[test]
    fn three_significant_digits() {
        for (x, expect) in [
            (0.0, "0"),
            (0.04123, "0.041"),
            (0.9999, "1.00"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (41.26, "41.3"),
            (99.96, "100"),
            (1_234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-12.34, "-12.3"),
        ] {
            assert_eq!(significant(x), expect);
        }
    }

    #[test]
    fn whole_numbers_have_no_decimals() {
        for (x, expect) in [
            (50.0, "50"),
            (1.5, "1.50"),
            (-1_234.0, "-1,234"),
            (0.0041, "0.004"),
        ] {
            assert_eq!(figure(x), expect);
        }
    }

    #[test]
    fn money_has_cents_or_three_digits() {
        for (x, expect) in [
            (0.0, "0.00"),
            (0.000_277_8, "0.000278"),
            (0.05, "0.0500"),
            (1.389, "1.39"),
            (12_345.0, "12,345.00"),
            (-123.0, "-123.00"),
        ] {
            assert_eq!(money(x), expect);
        }
    }

    #[test]
    fn times_take_a_unit_that_fits() {
        assert_eq!(time(0.0454), "45.4\u{a0}µs");
        assert_eq!(time(41.23), "41.2\u{a0}ms");
        assert_eq!(time(1_234.0), "1.23\u{a0}s");
        assert_eq!(span(9_000.0), "2.50\u{a0}h");
        assert_eq!(span(180.0), "3\u{a0}min");
        assert_eq!(span(0.0), "0");
        assert_eq!(TimeUnit::Milli.write(1_234.4), "1234");
        assert_eq!(TimeUnit::fitting(12_000.0), TimeUnit::Second);
        assert_eq!(TimeUnit::fitting(0.5), TimeUnit::Micro);
        assert_eq!(TimeUnit::fitting(0.0), TimeUnit::Milli);
    }

    #[test]
    fn open_sides_are_shown() {
        let text = |s: &str| Some(s.to_owned());
        assert_eq!(interval(text("1"), text("2")), "[1,\u{a0}2]");
        assert_eq!(interval(text("1"), None), "[1,\u{a0}∞)");
    }

    #[test]
    fn changes_have_a_sign() {
        assert_eq!(signed_percent(0.0512), "+5.12\u{a0}%");
        assert_eq!(signed_percent(-0.12), "-12.0\u{a0}%");
        assert_eq!(signed_percent(0.0), "0\u{a0}%");
        assert_eq!(signed_percent(1e-9), "0\u{a0}%");
        assert_eq!(p_value(0.0156), "0.016");
        assert_eq!(p_value(0.0001), "<\u{a0}0.001");
    }

    #[test]
    fn shares_and_counts() {
        assert_eq!(percent(0.0), "0\u{a0}%");
        assert_eq!(percent(0.0012), "0.12\u{a0}%");
        assert_eq!(percent(0.981), "98.1\u{a0}%");
        assert_eq!(percent(0.9999), "99.99\u{a0}%");
        assert_eq!(percent(1.0), "100\u{a0}%");
        assert_eq!(percent(1.0 - 1e-15), "100\u{a0}%");
        assert_eq!(percent(0.00001), "0.001\u{a0}%");
        assert_eq!(percent(0.999_998), "99.9998\u{a0}%");
        assert_eq!(percent(-0.032), "-3.2\u{a0}%");
        assert_eq!(percent(1.5), "150.0\u{a0}%");
        assert_eq!(short_count(1_000), "1,000");
        assert_eq!(short_count(12_345), "13k");
        assert_eq!(short_count(3_400_000), "3.4M");
    }
}
