//! Whether an open queue keeps up with its arrivals: stable, unstable, or undecided.
//!
//! "Completed under 95 % of offered" calls three quarters of stable runs overloaded, since what is
//! still inside at the end was never due to be finished. Three signs are used instead: arrivals
//! against departures inside the window, the trend of the number inside over ten equal parts
//! (Mann-Kendall at 0.001), and whether the queue was ever empty in the last third. A minute cannot
//! tell a load of 0.98 from one of 1.02: that is what undecided is for.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::drift::{DRIFT_ALPHA, DRIFT_BATCHES};
use crate::error::{StatsError, check_finite, check_paired};
use crate::mann_kendall::mann_kendall;
use crate::residence::residence;

/// Seconds of one load below which nothing is known of it.
pub const SHORTEST_LEVEL_S: f64 = 60.0;

/// A delay up to this many times the least of its kind is that of an idle server.
pub(crate) const IDLE_DELAY: f64 = 1.5;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// The queue was empty in the last third, and nothing grows.
    Stable,
    /// The number inside grows, and the queue was never empty in the last third.
    Unstable,
    /// Neither: look longer.
    Undecided,
}

/// The signs and the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Saturation {
    /// The answer.
    pub stability: Stability,
    /// Arrivals in the window.
    pub arrivals: usize,
    /// Departures in the window, whenever they arrived.
    pub departures: usize,
    /// Time average of the number inside, over ten equal parts of the window.
    pub inside: Vec<f64>,
    /// Kendall's tau of these against time.
    pub tau: f64,
    /// Its two-sided p-value.
    pub p_value: f64,
    /// Whether the queue was empty at some moment of the last third; `None` where nobody knows.
    pub emptied: Option<bool>,
}

impl Saturation {
    /// Arrivals less departures over arrivals; `None` without arrivals.
    #[must_use]
    pub fn left_behind(&self) -> Option<f64> {
        let (arrivals, departures) = (self.arrivals as f64, self.departures as f64);
        (self.arrivals > 0).then(|| (arrivals - departures) / arrivals)
    }
}

/// Judges `stays` (from arrival up to departure; those still inside end past the window) over
/// `window`. `emptied` as [`queue_emptied`] has it. Without it only a rise can be told: the answer
/// is then unstable or undecided, never stable.
///
/// # Errors
/// `InvalidDivision` for a window under ten nanoseconds.
pub fn saturation(
    stays: &[Range<i64>],
    window: Range<i64>,
    emptied: Option<bool>,
) -> Result<Saturation, StatsError> {
    let length = i128::from(window.end) - i128::from(window.start);
    if length < DRIFT_BATCHES as i128 {
        let length = length.max(0) as i64;
        return Err(StatsError::InvalidDivision { length });
    }
    let edge = |part: usize| {
        let offset = length * part as i128 / DRIFT_BATCHES as i128;
        (i128::from(window.start) + offset) as i64
    };
    let inside = (0..DRIFT_BATCHES)
        .map(|part| Ok(residence(stays, edge(part)..edge(part + 1))?.by_residence))
        .collect::<Result<Vec<f64>, StatsError>>()?;
    let trend = mann_kendall(&inside)?;
    let arrivals = stays.iter().filter(|s| window.contains(&s.start)).count();
    let departures = stays.iter().filter(|s| window.contains(&s.end)).count();
    let rising = trend.tau > 0.0 && trend.p_value < DRIFT_ALPHA && arrivals > departures;
    let stability = match emptied {
        Some(true) if !rising => Stability::Stable,
        Some(false) | None if rising => Stability::Unstable,
        _ => Stability::Undecided,
    };
    Ok(Saturation {
        stability,
        arrivals,
        departures,
        inside,
        tau: trend.tau,
        p_value: trend.p_value,
        emptied,
    })
}

/// Whether a queue was empty at some moment of the last third of `window`, from observations in
/// any order: those of its length, with `idle` 0, or the delays of arrivals, with the delay that
/// an arrival has at an idle server. `None` without an observation there.
///
/// # Errors
/// `Empty`, `NotFinite`, `LengthMismatch`.
pub fn queue_emptied(
    values: &[f64],
    at_ns: &[i64],
    window: Range<i64>,
    idle: f64,
) -> Result<Option<bool>, StatsError> {
    check_finite(values)?;
    check_paired(values, at_ns)?;
    let length = i128::from(window.end) - i128::from(window.start);
    let from = (i128::from(window.end) - length / 3) as i64;
    let last = from..window.end;
    let mut seen = values
        .iter()
        .zip(at_ns)
        .filter(|(_, at)| last.contains(at))
        .peekable();
    if seen.peek().is_none() {
        return Ok(None);
    }
    Ok(Some(seen.any(|(value, _)| *value <= idle)))
}

/// How long an arrival waited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// Arrivals of one kind would wait alike at an idle server.
    pub kind: u32,
    /// When it arrived, nanoseconds.
    pub at_ns: i64,
    /// The delay, in any unit.
    pub delay: f64,
}

/// [`queue_emptied`] where only delays are known: the least of each kind before the last third
/// stands for an idle server, up to `IDLE_DELAY` times. Kinds without such a delay above 0 are
/// left out.
///
/// # Errors
/// `Empty` where nothing is left, `NotFinite`.
pub fn queue_emptied_by_delays(
    delays: &[Delay],
    window: Range<i64>,
) -> Result<Option<bool>, StatsError> {
    let last_third = window.end - (window.end - window.start) / 3;
    let mut floors: BTreeMap<u32, f64> = BTreeMap::new();
    for seen in delays.iter().filter(|d| d.at_ns < last_third) {
        let floor = floors.entry(seen.kind).or_insert(seen.delay);
        *floor = floor.min(seen.delay);
    }
    let relative = |seen: &Delay| {
        let floor = floors.get(&seen.kind).filter(|floor| **floor > 0.0)?;
        Some((seen.delay / floor, seen.at_ns))
    };
    let (values, at_ns): (Vec<f64>, Vec<i64>) = delays.iter().filter_map(relative).unzip();
    queue_emptied(&values, &at_ns, window, IDLE_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrivals every 10, each inside for `stay(arrival)`.
    fn stays(stay: impl Fn(i64) -> i64) -> Vec<Range<i64>> {
        (0..1_000).map(|i| i * 10..i * 10 + stay(i * 10)).collect()
    }

    #[test]
    fn three_answers() {
        let window = 1_000..10_000;
        let answer = |stays: &[Range<i64>], emptied| {
            saturation(stays, window.clone(), emptied)
                .unwrap()
                .stability
        };
        let calm = stays(|at| 50 + at % 70);
        assert_eq!(answer(&calm, Some(true)), Stability::Stable);
        assert_eq!(answer(&calm, Some(false)), Stability::Undecided);
        assert_eq!(answer(&calm, None), Stability::Undecided);
        let growing = stays(|at| 50 + at / 4);
        assert_eq!(answer(&growing, Some(false)), Stability::Unstable);
        assert_eq!(answer(&growing, None), Stability::Unstable);
        assert_eq!(answer(&growing, Some(true)), Stability::Undecided);
    }

    #[test]
    fn counts_are_of_the_window_without_the_drain() {
        let found = saturation(&stays(|_| 25), 1_000..2_000, Some(true)).unwrap();
        assert_eq!((found.arrivals, found.departures), (100, 100));
        assert_eq!(found.left_behind(), Some(0.0));
        assert_eq!(found.inside.len(), 10);
        assert!(found.inside.iter().all(|inside| *inside == 2.5));
    }

    #[test]
    fn the_last_third_decides_whether_it_emptied() {
        let at_ns = [0, 50, 80, 95];
        let emptied = |values: [f64; 4]| queue_emptied(&values, &at_ns, 0..100, 0.0);
        assert_eq!(emptied([0.0, 0.0, 3.0, 2.0]), Ok(Some(false)));
        assert_eq!(emptied([5.0, 5.0, 3.0, 0.0]), Ok(Some(true)));
        assert_eq!(queue_emptied(&[0.0], &[10], 0..100, 0.0), Ok(None));
        assert!(queue_emptied(&[], &[], 0..100, 0.0).is_err());
        assert!(queue_emptied(&[1.0], &[], 0..100, 0.0).is_err());
    }

    #[test]
    fn defined_cases() {
        assert!(saturation(&[], 0..9, None).is_err());
        let nothing = saturation(&[], 0..100, None).unwrap();
        assert_eq!(nothing.stability, Stability::Undecided);
        assert_eq!((nothing.left_behind(), nothing.p_value), (None, 1.0));
    }

    #[test]
    fn delays_tell_an_idle_server_by_kind() {
        // Kind 1 waits ten times as long as kind 0 by nature.
        let delays = |last: f64| {
            let one = |(kind, at_ns, delay)| Delay { kind, at_ns, delay };
            [(0, 10, 2.0), (1, 20, 20.0), (0, 30, 9.0), (1, 80, last)].map(one)
        };
        let emptied = |last| queue_emptied_by_delays(&delays(last), 0..90);
        assert_eq!(emptied(30.0), Ok(Some(true)));
        assert_eq!(emptied(30.1), Ok(Some(false)));
        assert_eq!(queue_emptied_by_delays(&delays(20.0)[..3], 0..90), Ok(None));
        // A kind that was not seen before says nothing.
        let new = [Delay {
            kind: 2,
            at_ns: 80,
            delay: 1.0,
        }];
        assert_eq!(queue_emptied_by_delays(&new, 0..90), Err(StatsError::Empty));
    }
}
