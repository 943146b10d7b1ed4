//! One figure over several runs: mean, spread, interval, outlying runs.
//!
//! The unit is the run, so dependence inside a run does no harm. What replicates cannot cure is the
//! bias of runs that are too short for their figure: then the interval is open above, and says why.
//! It does not judge whether runs are alike in anything but the figure.

use crate::error::{StatsError, check_finite, check_level};
use crate::estimate::FULL_TAIL;
use crate::interval::Interval;
use crate::long_run_variance::{Centred, mean};
use crate::special::student_two_sided;

/// Fewest runs among which one can be called outlying.
pub(crate) const OUTLIER_MIN_RUNS: usize = 5;

/// The figure of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunFigure {
    /// The value, in its own unit.
    pub value: f64,
    /// Effective tail samples behind it (ESS times the smaller tail, or tail blocks), for a
    /// quantile; `None` for a figure without a tail, such as a mean.
    pub effective_tail: Option<f64>,
}

/// Why an interval over runs has no upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAbove {
    /// One run says nothing about the spread of runs.
    OneRun,
    /// So many runs have fewer than a hundred effective tail samples, so that their quantiles are
    /// biased in a way that no number of runs cures.
    ShortRuns {
        /// How many.
        runs: usize,
    },
}

/// A figure over runs; all in the unit of the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct OverRuns {
    /// Runs, at least 1.
    pub n: usize,
    /// Arithmetic mean of the runs' figures.
    pub mean: f64,
    /// Sample standard deviation between runs; `None` for one run.
    pub std: Option<f64>,
    /// Smallest figure.
    pub min: f64,
    /// Largest figure.
    pub max: f64,
    /// Standard deviation over the magnitude of the mean; `None` for one run or a mean of 0.
    pub cv: Option<f64>,
    /// Student's t with n - 1 degrees of freedom. Open on both sides for one run; open above where
    /// runs are too short.
    pub interval: Interval,
    /// Why the interval is open above; `None` where it is closed.
    pub open_above: Option<OpenAbove>,
    /// Positions of outlying runs, ascending; empty below `OUTLIER_MIN_RUNS`.
    pub outlying: Vec<usize>,
}

/// One figure over independent runs.
///
/// At 85 % load the interval over five runs' p99 covers 39 to 52 % for runs of 1,000 observations and
/// above 90 % for runs of 10,000: hence `FULL_TAIL` effective tail samples a run, or no upper
/// bound.
///
/// # Errors
/// `Empty`; `NotFinite`, since a mean with infinities says nothing; `InvalidLevel`.
pub fn over_runs(runs: &[RunFigure], level: f64) -> Result<OverRuns, StatsError> {
    check_level(level)?;
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    check_finite(&values)?;
    let n = values.len();
    let centre = mean(&values);
    let std = (n > 1).then(|| (Centred::new(&values).sum_of_squares() / (n - 1) as f64).sqrt());
    let tails = runs.iter().filter_map(|run| run.effective_tail);
    let short = tails.filter(|tail| tail + 1e-9 < FULL_TAIL).count();
    let open_above = match (std, short) {
        (None, _) => Some(OpenAbove::OneRun),
        (_, 0) => None,
        (_, runs) => Some(OpenAbove::ShortRuns { runs }),
    };
    Ok(OverRuns {
        n,
        mean: centre,
        std,
        min: values.iter().copied().fold(centre, f64::min),
        max: values.iter().copied().fold(centre, f64::max),
        cv: std.filter(|_| centre != 0.0).map(|std| std / centre.abs()),
        interval: interval(centre, std, n, open_above, level),
        open_above,
        outlying: outlying_runs(&values),
    })
}

fn interval(
    centre: f64,
    std: Option<f64>,
    n: usize,
    open_above: Option<OpenAbove>,
    level: f64,
) -> Interval {
    let Some(std) = std else {
        return Interval::open(level);
    };
    let t = student_two_sided(level, (n - 1) as f64);
    let closed = Interval::around(centre, t * std / (n as f64).sqrt(), level);
    match open_above {
        None => closed,
        Some(_) => Interval {
            high: None,
            ..closed
        },
    }
}

/// Positions of values that lie further from the median than chance allows, ascending.
///
/// The distance is in median absolute deviations, scaled to the standard deviation of a normal
/// law (Hampel 1974; Iglewicz and Hoaglin 1993), which two outlying values of five do not spoil. The
/// usual bound of 3.5 fires in a third of all clean sets of five; the bounds used let 1 % of clean
/// normal sets through, whatever their size. None below [`OUTLIER_MIN_RUNS`] values, nor where more
/// than half of them are equal. `values` must be finite.
fn outlying_runs(values: &[f64]) -> Vec<usize> {
    let n = values.len();
    if n < OUTLIER_MIN_RUNS {
        return Vec::new();
    }
    let centre = median(values.to_vec());
    let deviations: Vec<f64> = values.iter().map(|x| (x - centre).abs()).collect();
    let scale = median(deviations.clone()) * MAD_TO_STD;
    if scale == 0.0 {
        return Vec::new();
    }
    let bound = outlier_bound(n) * scale;
    (0..n).filter(|at| deviations[*at] > bound).collect()
}

/// Median absolute deviation to standard deviation, for a normal law: 1 / z(0.75).
const MAD_TO_STD: f64 = 1.482_602_218_505_602;

/// Runs, and the 99 % point of the greatest scaled deviation among so many normal values (numpy, a
/// million sets each: `d = abs(x - median(x)); max(d) / (1.4826 * median(d))`).
const OUTLIER_BOUNDS: [(usize, f64); 11] = [
    (5, 18.6),
    (6, 10.1),
    (7, 10.8),
    (8, 8.0),
    (9, 8.3),
    (10, 6.9),
    (12, 6.3),
    (15, 6.0),
    (20, 5.2),
    (30, 4.8),
    (50, 4.5),
];

/// The bound of the largest tabulated number that is not above `n`; larger sets have smaller ones.
fn outlier_bound(n: usize) -> f64 {
    let row = OUTLIER_BOUNDS.iter().rfind(|(runs, _)| *runs <= n);
    row.map_or(f64::INFINITY, |(_, bound)| *bound)
}

/// The median of values that are not empty, halfway between the middle two of an even number.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Vec<RunFigure> {
        let figure = |&value| RunFigure {
            value,
            effective_tail: Some(120.0),
        };
        values.iter().map(figure).collect()
    }

    /// `scipy.stats.t.interval(0.95, 4, loc=m, scale=scipy.stats.sem(x))`.
    #[test]
    fn five_runs_against_scipy() {
        let over = over_runs(&figures(&[10.0, 12.0, 11.0, 13.0, 9.5]), 0.95).unwrap();
        assert_eq!(
            (over.n, over.mean, over.min, over.max),
            (5, 11.1, 9.5, 13.0)
        );
        assert!((over.std.unwrap() - 1.431_782_106_327_635_2).abs() < 1e-12);
        assert!((over.cv.unwrap() - 0.128_989_378_948_435_6).abs() < 1e-12);
        assert!((over.interval.low.unwrap() - 9.322_207_705_300_62).abs() < 1e-9);
        assert!((over.interval.high.unwrap() - 12.877_792_294_699_379).abs() < 1e-9);
        assert_eq!(over.open_above, None);
    }

    #[test]
    fn short_runs_leave_the_interval_open_above() {
        let mut runs = figures(&[10.0, 12.0, 11.0]);
        runs[1].effective_tail = Some(99.0);
        let over = over_runs(&runs, 0.95).unwrap();
        assert_eq!(over.open_above, Some(OpenAbove::ShortRuns { runs: 1 }));
        assert!(over.interval.low.is_some() && over.interval.high.is_none());
        runs[1].effective_tail = None;
        assert!(over_runs(&runs, 0.95).unwrap().interval.is_closed());
    }

    #[test]
    fn outlying_runs_are_named_even_two_of_seven() {
        let over = over_runs(&figures(&[10.0, 30.0, 10.1, 9.9, 10.2, 9.8, 31.0]), 0.95);
        assert_eq!(over.unwrap().outlying, [1, 6]);
        let clean = over_runs(&figures(&[10.0, 12.0, 11.0, 13.0, 9.5]), 0.95);
        assert!(clean.unwrap().outlying.is_empty());
        assert!(outlying_runs(&[1.0, 1.0, 1.0, 9.0]).is_empty());
        assert!(outlying_runs(&[1.0, 1.0, 1.0, 1.0, 9.0]).is_empty());
    }

    #[test]
    fn defined_cases() {
        assert_eq!(over_runs(&[], 0.95), Err(StatsError::Empty));
        let one = over_runs(&figures(&[3.0]), 0.95).unwrap();
        assert_eq!((one.std, one.cv), (None, None));
        assert_eq!(one.open_above, Some(OpenAbove::OneRun));
        assert_eq!(one.interval, Interval::open(0.95));
        let equal = over_runs(&figures(&[0.0, 0.0]), 0.95).unwrap();
        assert_eq!((equal.std, equal.cv), (Some(0.0), None));
        assert_eq!(equal.interval.width(), Some(0.0));
        assert!(over_runs(&figures(&[1.0, f64::INFINITY]), 0.95).is_err());
        assert!(over_runs(&figures(&[1.0, 2.0]), 1.5).is_err());
    }
}
