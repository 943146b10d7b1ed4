//! The highest rate that meets objectives, from runs at several rates.
//!
//! Whether a run meets an objective is one bit; how far its figure lies from the limit says more, also in a run
//! without a single miss. So a local law is fitted to the margins, `ln(figure / limit)`:
//!
//! `margin = steepness x (ln rate - ln highest - settling x shortness) + noise`
//!
//! Beyond [`FAR`], on both sides, a run says only on which side it is: its likelihood is the chance to lie there, as
//! in Tobit's model. Were it taken as a margin that the law meets exactly, the many runs far from the limit would
//! prove that there is no noise, and a bad minute near it would decide the answer. A run begins with an
//! idle server, so a short one is too kind: its shortness is the mean stay of a request over the window, and
//! `settling` a share that the runs themselves decide. The noise has the tails of Student's t with
//! `FREEDOM` degrees, for a queue's bad minutes, and shrinks with the number of requests. It is never below
//! that of the load itself: so many Poisson arrivals have a rate that is off by one over their root, which a
//! steep law turns into margin. All four parameters have flat priors on a grid (in the logarithm where they are scales), and what is not asked for
//! is summed out. So the answer is there after two runs, wide, and no fit can fail to converge.
//!
//! Not here: which rate is measured next. Invariant: the belief in a rate is never 0 inside the range.

use crate::all_failed;
use crate::objective::{Bound, SloLine};
use crate::stability::KeepsUp;
use crate::summary::Summary;
use schemars::JsonSchema;
use std::ops::Range;

/// Margins count up to this, on both sides of the limit: half of it, and twice.
pub const FAR: f64 = std::f64::consts::LN_2;

/// A queue that grows misses by this at least, whatever its requests show yet.
const GROWING: f64 = 0.05;

/// In a window shorter than twenty stays the requests in flight still grow from the beginning, far below
/// saturation, too.
const SETTLED: f64 = 0.05;

/// A factor in the odds of a miss moves a share's margin by this power of it: odds vary more than latencies.
const ODDS: f64 = 0.25;

/// The lower of two rates misses by so much, and the higher one keeps the limit by so much: no law that grows
/// with the rate explains it.
const AGAINST: f64 = 0.2;

/// Degrees of freedom of the noise.
const FREEDOM: f64 = 4.0;

/// Requests of a run at which its noise is one of [`NOISE`].
const NOISE_REQUESTS: f64 = 1_000.0;

/// Rates on the grid.
const RATES: usize = 160;

/// Steepness: the least, and the factor from one to the next.
const STEEPNESS: Scale = Scale(1.2, 1.5, 10);

/// Noise of the margin of a run of [`NOISE_REQUESTS`]. The least is what a p99 of so many independent requests has
/// at best: runs that happen to agree prove no less. The most leaves a run of 20,000 requests off by half: near
/// saturation a queue's bad minutes are as many as the window has, whatever the rate.
const NOISE: Scale = Scale(0.04, 2.0, 7);

/// By how much a run is too kind, as a share of its shortness in the logarithm of the rate.
const SETTLING: [f64; 5] = [0.0, 0.125, 0.25, 0.375, 0.5];

/// Products of likelihoods are taken apart before they overflow.
const LARGE: f64 = 1e200;

/// A geometric scale: its least, the factor, how many.
struct Scale(f64, f64, i32);

impl Scale {
    fn values(&self) -> Vec<f64> {
        (0..self.2).map(|i| self.0 * self.1.powi(i)).collect()
    }
}

/// What one run says of one objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Its rate, per second.
    pub rate: f64,
    /// `ln(figure / limit)`: above 0 the objective is missed.
    pub margin: f64,
    /// Measured requests.
    pub requests: f64,
    /// The mean stay of a request over the window.
    pub shortness: f64,
}

impl Trial {
    /// The same where requests in flight grew over the window: a miss, unless the window is too short to tell.
    pub fn growing(self) -> Self {
        match self.shortness <= SETTLED {
            true => Self {
                margin: self.margin.max(GROWING),
                ..self
            },
            false => self,
        }
    }
}

/// What one run says of all objectives.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Requests per second.
    pub rate: f64,
    /// For each objective what it says, if anything.
    pub trials: Vec<Option<Trial>>,
}

impl Probe {
    /// Length of its window, by the requests that came at its rate.
    pub(crate) fn seconds(&self) -> f64 {
        let requests = self.trials.iter().flatten().map(|trial| trial.requests);
        requests.fold(0.0, f64::max) / self.rate
    }
}

/// What is believed of the highest rate that meets an objective.
#[derive(Debug, Clone, PartialEq)]
pub struct RateBelief {
    from: f64,
    step: f64,
    mass: Vec<f64>,
}

/// The highest rate, with the interval that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct FoundRate {
    /// The median of the belief, requests per second.
    pub rate: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl FoundRate {
    /// Half the width over the rate.
    pub fn relative_half_width(&self) -> f64 {
        0.5 * (self.high / self.low).ln()
    }
}

/// How far an objective is from its limit; `None` where the run has nothing to judge it by. Failures are
/// beyond every limit.
pub fn margin(line: &SloLine) -> Option<f64> {
    let figure = &line.measured;
    if figure.infinite {
        return Some(FAR);
    }
    let raw = line.cell.as_ref().and_then(|cell| cell.order_statistic);
    let value = raw.or(figure.value)?;
    let beyond = match figure.bound {
        Bound::AtMost => 1.0,
        Bound::AtLeast => -1.0,
    };
    let distance = if figure.unit.is_empty() {
        ODDS * (log_odds(smoothed(value, figure.n as f64)) - log_odds(figure.limit))
    } else {
        // What an allowance leaves may be below 0: as far within the limit as can be.
        (value.max(0.0) / figure.limit).ln()
    };
    let distance = beyond * distance;
    (!distance.is_nan()).then(|| distance.clamp(-FAR, FAR))
}

/// A share that is never 0 or 1: half a request is added to either side.
fn smoothed(share: f64, n: f64) -> f64 {
    (share * n + 0.5) / (n + 1.0)
}

fn log_odds(share: f64) -> f64 {
    let share = share.clamp(1e-9, 1.0 - 1e-9);
    (share / (1.0 - share)).ln()
}

impl Probe {
    /// That of a run at `rate`; one whose requests all failed misses everything.
    pub fn of(summary: &Summary, rate: f64) -> Self {
        let requests = summary.requests.measured.total as f64;
        let shortness = shortness(summary, rate).unwrap_or(0.0);
        let failed = all_failed(summary);
        let grows = grows(summary);
        let trial = |line: &SloLine| {
            let trial = Trial {
                rate,
                margin: if failed { FAR } else { margin(line)? },
                requests,
                shortness: if failed { 0.0 } else { shortness },
            };
            Some(if grows { trial.growing() } else { trial })
        };
        Self {
            rate,
            trials: summary.slo.iter().map(trial).collect(),
        }
    }

    /// The margin of the objective that is nearest to missing, or misses by most; `None` where one of them
    /// has no sample, and without any.
    pub fn worst(&self) -> Option<f64> {
        let margins: Option<Vec<f64>> = self
            .trials
            .iter()
            .map(|t| Some(t.as_ref()?.margin))
            .collect();
        margins?.into_iter().reduce(f64::max)
    }

    /// What it says of one objective alone.
    pub fn only(&self, objective: usize) -> Self {
        Self {
            rate: self.rate,
            trials: vec![self.trials.get(objective).copied().flatten()],
        }
    }
}

/// Requests in flight grow: the load is beyond what the server can take.
fn grows(summary: &Summary) -> bool {
    let load = summary.load.as_ref();
    let stability = load.and_then(|load| load.stability.as_ref());
    stability.is_some_and(|stability| stability.answer == KeepsUp::Unstable)
}

/// Two rates of which the lower misses clearly and the higher does not.
pub fn not_monotone(probes: &[Probe]) -> Option<Range<f64>> {
    let pairs = probes
        .iter()
        .flat_map(|low| probes.iter().map(move |high| [low, high]));
    let mut against = pairs.filter(|[low, high]| {
        let missed = low.worst().is_some_and(|margin| margin > AGAINST);
        let met = high.worst().is_some_and(|margin| margin < -AGAINST);
        low.rate < high.rate && missed && met
    });
    against.next().map(|[low, high]| low.rate..high.rate)
}

/// The belief after all runs in the highest rate that meets all objectives: first over the whole range, then
/// over where the belief is. `None` where a run says nothing of an objective, and without any.
pub fn together(probes: &[Probe], range: Range<f64>) -> Option<RateBelief> {
    let objectives = probes.first()?.trials.len();
    let of = |objective: usize| {
        probes
            .iter()
            .map(move |probe| *probe.trials.get(objective)?)
    };
    let trials: Vec<Vec<Trial>> = (0..objectives)
        .map(|objective| of(objective).collect())
        .collect::<Option<_>>()?;
    let over = |range: Range<f64>| {
        let each: Vec<RateBelief> = trials.iter().map(|t| belief(t, range.clone())).collect();
        RateBelief::of_all(&each)
    };
    over(over(range)?.range())
}

/// Little's law: requests in flight over the rate are the mean stay.
fn shortness(summary: &Summary, rate: f64) -> Option<f64> {
    let seconds = summary.window_s?;
    let inside = summary.load.as_ref()?.stability.as_ref()?.inside.iter();
    let mean = inside.clone().sum::<f64>() / inside.len().max(1) as f64;
    (seconds > 0.0 && rate > 0.0).then(|| (mean / rate / seconds).min(1.0))
}

/// The belief after `trials` in a rate within `rates`.
fn belief(trials: &[Trial], rates: Range<f64>) -> RateBelief {
    let from = rates.start.ln();
    let step = (rates.end.ln() - from) / RATES as f64;
    let grid = Grid::new(trials);
    let logs: Vec<f64> = (0..=RATES)
        .map(|i| grid.log_likelihood(from + step * i as f64))
        .collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut mass: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
    let sum: f64 = mass.iter().sum();
    mass.iter_mut().for_each(|m| *m /= sum);
    RateBelief { from, step, mass }
}

/// A trial as the grid looks at it, again and again.
struct Ready {
    log_rate: f64,
    margin: Margin,
    /// The root of its requests over [`NOISE_REQUESTS`].
    weight: f64,
    shortness: f64,
}

/// A margin, or the side on which it is far from the limit.
#[derive(Clone, Copy)]
enum Margin {
    At(f64),
    FarBelow,
    FarBeyond,
}

impl Margin {
    fn of(margin: f64) -> Self {
        match margin {
            far if far <= -FAR => Self::FarBelow,
            far if far >= FAR => Self::FarBeyond,
            near => Self::At(near),
        }
    }
}

/// How far a trial is from the law, in units of the noise of [`NOISE_REQUESTS`].
#[derive(Clone, Copy)]
enum Misfit {
    /// By so much.
    By(f64),
    /// By so much or more.
    AtLeast(f64),
}

/// The parameters that are summed out.
struct Grid {
    trials: Vec<Ready>,
    steepness: Vec<f64>,
    noise: Vec<f64>,
}

impl Grid {
    fn new(trials: &[Trial]) -> Self {
        let ready = |trial: &Trial| Ready {
            log_rate: trial.rate.ln(),
            margin: Margin::of(trial.margin),
            weight: (trial.requests / NOISE_REQUESTS).sqrt(),
            shortness: trial.shortness,
        };
        Self {
            trials: trials.iter().map(ready).collect(),
            steepness: STEEPNESS.values(),
            noise: NOISE.values(),
        }
    }

    /// Of one highest rate, all else summed out.
    fn log_likelihood(&self, highest: f64) -> f64 {
        let mut logs = Vec::with_capacity(self.steepness.len() * SETTLING.len() * self.noise.len());
        let mut misfits = Vec::with_capacity(self.trials.len());
        for steepness in &self.steepness {
            let of_load = steepness * NOISE_REQUESTS.recip().sqrt();
            for settling in SETTLING {
                let of = |trial| misfit(trial, *steepness, highest, settling);
                misfits.clear();
                misfits.extend(self.trials.iter().map(of));
                let noises = self.noise.iter().map(|noise| noise.hypot(of_load));
                logs.extend(noises.map(|noise| student(&misfits, noise)));
            }
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
    }
}

fn misfit(trial: &Ready, steepness: f64, highest: f64, settling: f64) -> Misfit {
    let answer = highest + settling * trial.shortness;
    let expected = steepness * (trial.log_rate - answer);
    match trial.margin {
        Margin::At(margin) => Misfit::By((margin - expected) * trial.weight),
        Margin::FarBelow => Misfit::AtLeast((expected + FAR) * trial.weight),
        Margin::FarBeyond => Misfit::AtLeast((FAR - expected) * trial.weight),
    }
}

/// The logarithm of Student's density of all misfits together, and of its tail for those that are known to be
/// beyond something, but for a constant.
fn student(misfits: &[Misfit], noise: f64) -> f64 {
    let (mut log, mut product, mut seen) = (0.0, 1.0_f64, 0_u32);
    let power = -0.5 * (FREEDOM + 1.0);
    let mut beyond = 1.0_f64;
    for misfit in misfits {
        match misfit {
            Misfit::By(misfit) => {
                let z = misfit / noise;
                product *= 1.0 + z * z / FREEDOM;
                seen += 1;
            }
            Misfit::AtLeast(misfit) => beyond *= tail(misfit / noise),
        }
        if product > LARGE || beyond < LARGE.recip() {
            log += power * product.ln() + beyond.ln();
            (product, beyond) = (1.0, 1.0);
        }
    }
    log + power * product.ln() + beyond.ln() - f64::from(seen) * noise.ln()
}

/// The chance that Student's variable with [`FREEDOM`] degrees, which are four, is above `t`. In closed form
/// `w^2 (3 - w) / 4` with `w = 1 - t / sqrt(4 + t^2)`, which for large `t` has to be had without the difference.
fn tail(t: f64) -> f64 {
    let root = (4.0 + t * t).sqrt();
    let w = match t > 0.0 {
        true => 4.0 / (root * (root + t)),
        false => 1.0 - t / root,
    };
    0.25 * w * w * (3.0 - w)
}

impl RateBelief {
    /// The belief in the highest rate that meets all of several objectives, each with a belief on the same
    /// range; `None` of none.
    pub(crate) fn of_all(beliefs: &[Self]) -> Option<Self> {
        let first = beliefs.first()?;
        let mut above = vec![1.0; first.mass.len()];
        for belief in beliefs {
            let mut left = 1.0_f64;
            for (above, mass) in above.iter_mut().zip(&belief.mass) {
                left -= mass;
                *above *= left.max(0.0);
            }
        }
        let before = std::iter::once(&1.0).chain(&above);
        let mass = before.zip(&above).map(|(before, after)| before - after);
        Some(Self {
            mass: mass.collect(),
            ..first.clone()
        })
    }

    /// The rate below which the highest lies with this probability.
    pub fn quantile(&self, probability: f64) -> f64 {
        let mut below = 0.0;
        for (index, mass) in self.mass.iter().enumerate() {
            if below + mass >= probability {
                let within = (probability - below) / mass.max(f64::MIN_POSITIVE);
                return (self.from + self.step * (index as f64 - 0.5 + within)).exp();
            }
            below += mass;
        }
        (self.from + self.step * RATES as f64).exp()
    }

    /// The median, and the interval that holds the highest rate with probability `level`.
    pub fn found(&self, level: f64) -> FoundRate {
        let tail = 0.5 * (1.0 - level);
        FoundRate {
            rate: self.quantile(0.5),
            low: self.quantile(tail),
            high: self.quantile(1.0 - tail),
        }
    }

    /// Where nearly all of the belief is, and somewhat more on both sides: the range of a finer grid.
    pub fn range(&self) -> Range<f64> {
        let (low, high) = (self.quantile(0.0005).ln(), self.quantile(0.9995).ln());
        let pad = 0.3 * (high - low) + 0.03;
        (low - pad).exp()..(high + pad).exp()
    }
}

#[cfg(test)]
mod tests;
