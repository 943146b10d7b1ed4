//! How often a sweep decides wrongly: at each level, and in its answer.
//!
//! The protocol of `infermeter sweep` on the engine simulator in virtual time, over summaries of whole records, as
//! a measured run has them. The limit is the percentile that very long runs have at one share of the capacity, so
//! the true highest rate is that share. Invariant: a level's row has no other level in it, so that it shows what
//! its looks alone decide.

use super::Scale;
use super::clean::{SEQUENCES, run_log};
use super::engine::{Extent, Simulator};
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::{Context, Result};
use infermeter_analysis::{CurveAnswer, SloStatus, summarize_log};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::seed::Seeds;
use infermeter_protocol::{
    Intensity, Kept, Length, Place, Point, Protocol, RunPoint, RunSeen, Step, Sweep, SweepSpec,
};
use infermeter_stats::{Quantile, order_statistic};

/// Sweeps, and repetitions of each level.
const SWEEPS: u64 = 200;

/// The true answer, as a share of the capacity.
const TRUTH: f64 = 0.85;

/// Runs that the limit comes from, and their length in seconds.
const LONG: (u64, i64) = (16, 2_500);

/// Windows of a level's first run, seconds.
const WINDOW_S: i64 = 60;

/// Levels, as shares of the true answer.
const LEVELS: [f64; 8] = [0.85, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1, 1.2];

/// The chance of a wrong answer on either side that the looks at a level spend.
const WRONG: f64 = 0.025;

/// Nearer to the answer than this no target is set: whether a queue's worst minutes are in a run decides there.
const NO_TARGET: f64 = 0.03;

/// How near the law's rate is to be.
const NEAR: f64 = 0.05;

/// The name of the rows of whole sweeps.
const WHOLE: &str = "a whole sweep";

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let server = Server::new(scale)?;
    for share in LEVELS {
        let name = format!("a level at {:.0} % of the highest rate", 100.0 * share);
        if table.wants(&name) {
            let sweep = server.sweep(&[share])?;
            let found = replicate(scale.of(SWEEPS), |seed| server.swept(&sweep, seed));
            at_level(table, share, &name, &found);
        }
    }
    if table.wants(WHOLE) {
        let sweep = server.sweep(&LEVELS)?;
        let found = replicate(scale.of(SWEEPS), |seed| {
            server.swept(&sweep, 1_000_000 + seed)
        });
        of_answers(table, &server, &found);
    }
    Ok(())
}

/// The rows of one level.
fn at_level(table: &mut Table, share: f64, at: &str, found: &[Swept]) {
    let count = |status: SloStatus| {
        let levels = found.iter().flat_map(|swept| &swept.curve.levels);
        levels.filter(|level| level.status == status).count()
    };
    let is_within = share < 1.0;
    let (right, wrong) = match is_within {
        true => (SloStatus::Met, SloStatus::Missed),
        false => (SloStatus::Missed, SloStatus::Met),
    };
    let target = match (share - 1.0).abs() < NO_TARGET {
        true => Target::None,
        false => Target::AtMost(WRONG),
    };
    let n = found.len();
    table.share(&format!("{at}: decided wrongly"), count(wrong), n, target);
    table.share(
        &format!("{at}: decided rightly"),
        count(right),
        n,
        Target::None,
    );
    let runs: usize = found.iter().map(|swept| swept.runs).sum();
    table.value(
        &format!("{at}: runs of the three"),
        runs as f64 / n as f64 / 3.0,
        n,
        Target::None,
    );
}

/// The rows of whole sweeps.
fn of_answers(table: &mut Table, server: &Server, found: &[Swept]) {
    let (truth, n) = (server.truth(), found.len());
    let of = |is: &dyn Fn(&CurveAnswer) -> bool| found.iter().filter(|s| is(&s.curve)).count();
    let wrong = of(&|curve| {
        let highest = curve.highest;
        highest.met.is_some_and(|met| met > truth) || highest.missed.is_some_and(|m| m < truth)
    });
    table.share(
        &format!("{WHOLE}: its levels leave the truth out"),
        wrong,
        n,
        Target::AtMost(2.0 * WRONG),
    );
    let closed = found.iter().filter_map(|swept| {
        let highest = swept.curve.highest;
        Some(highest.missed? / highest.met?)
    });
    let mut widths: Vec<f64> = closed.collect();
    widths.sort_unstable_by(f64::total_cmp);
    let figure = format!("{WHOLE}: its levels bracket an answer");
    table.share(&figure, widths.len(), n, Target::None);
    if let Some(width) = widths.get(widths.len() / 2) {
        let figure = format!("{WHOLE}: the higher level over the lower one, median");
        table.value(&figure, *width, widths.len(), Target::None);
    }
    let laws = of(&|curve| curve.estimate.law().is_some());
    table.share(
        &format!("{WHOLE}: its levels support the law"),
        laws,
        n,
        Target::None,
    );
    if laws == 0 {
        return;
    }
    let covers = of(&|curve| {
        curve
            .estimate
            .law()
            .is_some_and(|law| (law.low..=law.high).contains(&truth))
    });
    table.share(
        "of these, the law's 95 % interval holds the truth",
        covers,
        laws,
        Target::AtLeast(0.9),
    );
    let near = of(&|curve| {
        curve
            .estimate
            .law()
            .is_some_and(|law| (law.rate / truth - 1.0).abs() <= NEAR)
    });
    table.share(
        "of these, its rate is within 5 %",
        near,
        laws,
        Target::AtLeast(0.95),
    );
}

/// What a sweep found, and in how many runs.
struct Swept {
    curve: CurveAnswer,
    runs: usize,
}

/// An engine with an objective whose true answer is known.
struct Server {
    simulator: Simulator,
    plan: Plan,
}

impl Server {
    fn new(scale: Scale) -> Result<Self> {
        let simulator = Simulator::new(Some(SEQUENCES))?;
        let long = replicate(scale.of_truth(LONG.0), |seed| {
            simulator
                .run(7_000_000 + seed, Extent::Seconds(LONG.1), TRUTH)
                .ttft_s
        });
        let mut all = long.concat();
        all.sort_unstable_by(f64::total_cmp);
        let p99 = order_statistic(&all, Quantile::P99).context("a percentile")?;
        let plan = Plan {
            slo: vec![format!("ttft.p99<{:.3}ms", p99 * 1e3).parse()?],
            ..Plan::defaults()
        };
        Ok(Self { simulator, plan })
    }

    fn truth(&self) -> f64 {
        TRUTH * self.simulator.capacity_per_s
    }

    /// A sweep over levels that are shares of the true answer.
    fn sweep(&self, shares: &[f64]) -> Result<Sweep> {
        let rates = shares
            .iter()
            .map(|share| (share * self.truth()).to_string());
        let spec = SweepSpec {
            rates: Some(rates.collect::<Vec<_>>().join(",").parse()?),
            ..SweepSpec::defaults()
        };
        Ok(Sweep::of(&spec, std::slice::from_ref(&self.plan))?)
    }

    fn swept(&self, sweep: &Sweep, seed: u64) -> Swept {
        let mut points: Vec<RunPoint> = Vec::new();
        loop {
            let at = match sweep.next(&points) {
                Step::Measure(at) => at,
                Step::Extend(index) => points[index].at,
                Step::Stop(mut answer) => {
                    return Swept {
                        curve: answer.curves.remove(0),
                        runs: points.len(),
                    };
                }
            };
            let times = match at.length {
                Some(Length::Times(times)) => i64::from(times),
                _ => 1,
            };
            let rate = match at.load {
                Some(Intensity::Rate(rate)) => rate,
                _ => 0.0,
            };
            let number = points.len() + 1;
            points.push(Point {
                number,
                replicate: points.iter().filter(|point| point.at == at).count(),
                seen: self.seen(seed * 1_000 + number as u64, rate, times * WINDOW_S),
                at,
            });
        }
    }

    fn seen(&self, seed: u64, rate: f64, seconds: i64) -> RunSeen {
        let load = rate / self.simulator.capacity_per_s;
        let mut log = run_log(&self.simulator, seed, load, seconds);
        log.manifest.plan.slo.clone_from(&self.plan.slo);
        let (_, summary) = summarize_log(&log);
        RunSeen {
            summary,
            verdict: Verdict::Valid,
            findings: Vec::new(),
            state: RunState::Finished,
            kept: Kept::Whole,
            precision: None,
            place: Place {
                directory: std::path::PathBuf::new(),
                run_id: seed.to_string(),
                seeds: Seeds {
                    workload: seed,
                    schedule: seed,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_far_from_the_answer_are_decided_soon() {
        let server = Server::new(Scale::Quick).expect("a server");
        let sweep = server.sweep(&[0.6, 1.6]).expect("a sweep");
        let swept = server.swept(&sweep, 1);
        let statuses: Vec<SloStatus> = swept.curve.levels.iter().map(|l| l.status).collect();
        assert_eq!(statuses, [SloStatus::Met, SloStatus::Missed]);
        // A first run of a minute has too few requests beyond the p99 to bound their share; the second has them.
        assert!(swept.runs <= 4, "{} runs", swept.runs);
    }
}
