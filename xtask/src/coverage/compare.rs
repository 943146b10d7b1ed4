//! How often a comparison finds what is not there, what is there, and that nothing is there.
//!
//! Synthetic rounds have log ratios of known spread; the engine's rounds come from the simulator in virtual
//! time, where a server that is slower by a factor is the same server under that much more load, with its
//! times stretched. Invariant: both sides of a round have the same arrivals.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::{
    Answer, Better, Decision, Pair, PairedChange, Scale as RatioOrDifference, decide,
};
use infermeter_stats::{Quantile, SampleSeries, SignedRankPower};

/// Rounds of a comparison, figures of its family, and its margin.
const ROUNDS: usize = 8;
const METRICS: usize = 6;
const MARGIN: f64 = 0.03;

/// Correlation between the figures of one round: they come from the same requests.
const CORRELATION: f64 = 0.5;

/// Spread of a server's speed from run to run in the engine's rounds. Queues amplify it: at 60 % of the capacity log
/// ratios then spread by just under 2 %, the most that the targets are meant for.
const DRIFT: f64 = 0.007;

/// Requests of a run of the engine.
const REQUESTS: u64 = 1_000;

/// Rows of synthetic rounds.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    same(scale, table);
    for spread in [0.01, 0.02, 0.025, 0.03] {
        found(scale, table, spread);
    }
    Ok(())
}

/// The decisions of one comparison: log ratios of `spread`, the first `slowed` figures by `factor`.
fn decisions(seed: u64, spread: f64, factor: f64, slowed: usize) -> Vec<Decision> {
    let mut random = Random::new(seed);
    let mut pairs = vec![Vec::new(); METRICS];
    for _ in 0..ROUNDS {
        let shared = random.normal();
        for (metric, pairs) in pairs.iter_mut().enumerate() {
            let own = random.normal();
            let noise = CORRELATION.sqrt() * shared + (1.0 - CORRELATION).sqrt() * own;
            let change = if metric < slowed { factor } else { 1.0 };
            pairs.push(Pair {
                first: 100.0,
                other: 100.0 * change * (spread * noise).exp(),
            });
        }
    }
    decided(&pairs)
}

fn decided(family: &[Vec<Pair>]) -> Vec<Decision> {
    let change =
        |pairs: &Vec<Pair>| PairedChange::of(pairs, Better::Lower, RatioOrDifference::Ratio);
    decide(&family.iter().map(change).collect::<Vec<_>>(), MARGIN)
}

/// A against A: any answer that names a difference.
fn same(scale: Scale, table: &mut Table) {
    let full = 400;
    let differs = replicate(scale.of(full), |seed| {
        let found = decisions(seed, 0.02, 1.0, 0);
        found.iter().any(|d| d.answer.is_difference())
    });
    let hits = differs.iter().filter(|differs| **differs).count();
    let figure = "A against A answers faster or slower, 8 rounds, 6 figures";
    table.share(figure, hits, differs.len(), Target::AtMost(28.0 / 400.0));
}

/// A true slow-down of 5 % in one figure, and equivalence of the others.
fn found(scale: Scale, table: &mut Table, spread: f64) {
    let rows = replicate(scale.of(2_000), |seed| {
        let found = decisions(1_000_000 + seed, spread, 1.05, 1);
        let same = decisions(2_000_000 + seed, spread, 1.0, 0);
        (found[0].answer.is_worse(), is_small(&same[0]))
    });
    let held = spread <= 0.02;
    let target = |share| {
        if held {
            Target::AtLeast(share)
        } else {
            Target::None
        }
    };
    let slower = rows.iter().filter(|row| row.0).count();
    let named = |what: &str| format!("{what}, spread {} %", 100.0 * spread);
    table.share(
        &named("a slow-down of 5 % in one figure is found"),
        slower,
        rows.len(),
        target(0.9),
    );
    let equal = rows.iter().filter(|row| row.1).count();
    table.share(
        &named("equivalence within 3 % is answered"),
        equal,
        rows.len(),
        target(0.9),
    );
}

/// The change was shown to be small: equivalent, or a difference within the margin.
fn is_small(decision: &Decision) -> bool {
    match decision.answer {
        Answer::Equivalent | Answer::BetterWithinMargin | Answer::WorseWithinMargin => true,
        Answer::Better | Answer::Worse | Answer::Undecided | Answer::NotTested => false,
    }
}

/// One round of the engine at a share of its capacity.
fn round(simulator: &Simulator, seed: u64, load: f64, factor: f64) -> Vec<Pair> {
    let mut random = Random::new(seed ^ 0x00c0_ffee);
    let mut side = |factor: f64| {
        let factor = factor * (DRIFT * random.normal()).exp();
        let run = simulator.run(seed, Extent::Requests(REQUESTS), load * factor);
        let percentile = |values: &[f64], p| {
            SampleSeries::new(values).map_or(f64::NAN, |series| factor * series.value(p))
        };
        [
            percentile(&run.ttft_s, Quantile::P50),
            percentile(&run.ttft_s, Quantile::P90),
            percentile(&run.e2e_s, Quantile::P50),
            factor * run.e2e_s.iter().sum::<f64>() / run.e2e_s.len() as f64,
            percentile(&run.ttft_s, Quantile::P99),
        ]
    };
    let (first, other) = (side(1.0), side(factor));
    let pairs = first.iter().zip(other);
    pairs
        .map(|(first, other)| Pair {
            first: *first,
            other,
        })
        .collect()
}

/// Figures of a run of the engine, in the order of [`round`].
const NAMES: [&str; 5] = ["TTFT p50", "TTFT p90", "E2E p50", "E2E mean", "TTFT p99"];

/// Comparisons of an engine with one that is slower by `factor`, at a share of its capacity.
struct Engines {
    load: f64,
    factor: f64,
    each: Vec<Compared>,
}

/// One comparison: for each figure its decision, and mean and spread of its log ratios.
type Compared = Vec<(Decision, Moments)>;

/// Of log ratios.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    std: f64,
}

/// Comparisons of the engine with itself and with slower ones. A queue makes more of a slow-down than it is, so the
/// change of each figure is printed.
pub fn engine(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(None)?;
    for (load, factor) in [(0.6, 1.0), (0.6, 1.025), (0.6, 1.05), (0.9, 1.05)] {
        let mut engines = Engines {
            load,
            factor,
            each: Vec::new(),
        };
        if table.wants(&engines.name()) {
            engines.each = replicate(scale.of(100), |number| {
                comparison(&simulator, number, load, factor)
            });
            (0..NAMES.len()).for_each(|figure| engines.row(figure, table));
        }
    }
    Ok(())
}

fn comparison(simulator: &Simulator, number: u64, load: f64, factor: f64) -> Compared {
    let first = number * ROUNDS as u64;
    let rounds = first..first + ROUNDS as u64;
    let rounds: Vec<Vec<Pair>> = rounds
        .map(|seed| round(simulator, seed, load, factor))
        .collect();
    let of_figure = |at| rounds.iter().map(|pairs| pairs[at]).collect();
    let family: Vec<Vec<Pair>> = (0..NAMES.len()).map(of_figure).collect();
    let moments = family.iter().map(|pairs| moments(pairs));
    decided(&family).into_iter().zip(moments).collect()
}

fn moments(pairs: &[Pair]) -> Moments {
    let ratios: Vec<f64> = pairs
        .iter()
        .map(|pair| (pair.other / pair.first).ln())
        .collect();
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let squares = ratios
        .iter()
        .map(|ratio| (ratio - mean).powi(2))
        .sum::<f64>();
    Moments {
        mean,
        std: (squares / (n - 1.0)).sqrt(),
    }
}

impl Engines {
    fn name(&self) -> String {
        format!(
            "engine at {:.0} %, slower by {:.1} %",
            100.0 * self.load,
            100.0 * (self.factor - 1.0)
        )
    }

    /// The row of one figure. Which rows are held to a target is fixed beforehand: no tail, and no load near the knee.
    fn row(&self, figure: usize, table: &mut Table) {
        let n = self.each.len();
        let moments = self.each.iter().map(|compared| compared[figure].1);
        let mean = moments.clone().map(|m| m.mean).sum::<f64>() / n as f64;
        // The mean of variances: that of deviations over eight rounds is 4 % below.
        let spread = (moments.map(|m| m.std.powi(2)).sum::<f64>() / n as f64).sqrt();
        let slower = self.factor > 1.0;
        let (what, power) = match slower {
            true => ("slower is found", power(mean, spread)),
            false => ("equivalence is answered", equivalence_power(spread)),
        };
        let answers = self.each.iter().map(|compared| &compared[figure].0);
        let hits = answers.filter(|decision| match slower {
            true => decision.answer.is_worse(),
            false => is_small(decision),
        });
        let name = format!(
            "{}: {what}, {}, changed by {:.1} %, spread {:.2} %, normal log ratios: {:.0} %",
            self.name(),
            NAMES[figure],
            100.0 * mean.exp_m1(),
            100.0 * spread,
            100.0 * power,
        );
        let tail = NAMES[figure].contains("p99");
        let held = self.load < 0.7 && !tail && (!slower || self.factor >= 1.05);
        let target = if held {
            Target::AtLeast(0.9)
        } else {
            Target::None
        };
        table.share(&name, hits.count(), n, target);
    }
}

/// The chance to find a change of the logarithm by the strictest step of the family, at a spread.
fn power(change: f64, spread: f64) -> f64 {
    let power = SignedRankPower::new(ROUNDS, 0.05 / NAMES.len() as f64);
    power.map_or(f64::NAN, |power| power.at(change / spread))
}

/// The chance that equivalence is answered where it is true, at a spread of normal log ratios.
fn equivalence_power(spread: f64) -> f64 {
    let draws = 2_000;
    let hits = (0..draws).filter(|seed| is_small(&decisions(3_000_000 + seed, spread, 1.0, 0)[0]));
    hits.count() as f64 / draws as f64
}
