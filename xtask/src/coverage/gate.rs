//! Gates: how often they fail where nothing changed, and find a planted change.
//!
//! Runs are figures with a lognormal spread between them: what a run measures is not simulated here.

use super::Scale;
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::{Gate, GateAnswer, GateFigures, SloFigure};
use infermeter_core::gate::FailIf;

/// Gates of each row.
const REPETITIONS: u64 = 4_000;

/// Runs of both sides of one gate.
struct Case {
    criterion: &'static str,
    /// So many such criteria, on figures that do not depend on each other.
    criteria: usize,
    baseline: usize,
    candidate: usize,
    /// Standard deviation between runs.
    noise: f64,
    /// How much slower the candidate is.
    slower: f64,
}

const PLAIN: Case = Case {
    criterion: "ttft.p99>+5%",
    criteria: 1,
    baseline: 8,
    candidate: 8,
    noise: 0.02,
    slower: 0.0,
};

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let any = "ttft.p99>+0.01%";
    let fails = GateAnswer::Fail;
    let alarms = Target::AtMost(0.05);
    let mut row = |figure: &str, answer, target, case: Case| -> Result<()> {
        let criterion: FailIf = case.criterion.parse()?;
        let criteria = vec![criterion; case.criteria];
        let found = replicate(scale.of(REPETITIONS), |seed| {
            one(&criteria, &case, seed) == answer
        });
        let hits = found.iter().filter(|found| **found).count();
        table.share(figure, hits, found.len(), target);
        Ok(())
    };
    for (figure, criteria, baseline, candidate) in [
        ("A/A fails at any threshold, 8 runs against 8", 1, 8, 8),
        ("the same, three criteria", 3, 8, 8),
        ("the same, 3 runs against 8", 1, 8, 3),
        ("the same, 1 run against 19", 1, 19, 1),
    ] {
        let case = Case {
            criterion: any,
            criteria,
            baseline,
            candidate,
            ..PLAIN
        };
        row(figure, fails, alarms, case)?;
    }
    row(
        "A/A fails +5 %, 8 runs against 8, s_d 2 %",
        fails,
        alarms,
        PLAIN,
    )?;
    let passes = GateAnswer::Pass;
    row(
        "A/A passes +5 %, 8 runs against 8, s_d 2 %",
        passes,
        Target::AtLeast(0.9),
        PLAIN,
    )?;
    let slower = Case {
        slower: 0.05,
        ..PLAIN
    };
    row(
        "5 % slower fails +5 %, 8 runs against 8, s_d 2 %",
        fails,
        Target::AtLeast(0.9),
        slower,
    )?;
    let slower = Case {
        slower: 0.05,
        criterion: "ttft.p99>+2%",
        ..PLAIN
    };
    row(
        "5 % slower fails +2 %, 8 runs against 8, s_d 2 %",
        fails,
        Target::AtLeast(0.9),
        slower,
    )?;
    let slower = Case {
        slower: 0.05,
        criteria: 3,
        ..PLAIN
    };
    row(
        "5 % slower fails +5 %, three criteria",
        fails,
        Target::AtLeast(0.9),
        slower,
    )?;
    let noisy = Case {
        slower: 0.05,
        noise: 0.04,
        ..PLAIN
    };
    row(
        "5 % slower fails +5 %, 8 runs against 8, s_d 4 %",
        fails,
        Target::None,
        noisy,
    )?;
    let one = Case {
        slower: 0.05,
        baseline: 19,
        candidate: 1,
        ..PLAIN
    };
    row(
        "5 % slower fails +5 %, 1 run against 19, s_d 2 %",
        fails,
        Target::None,
        one,
    )?;
    let one = Case {
        slower: 0.10,
        baseline: 19,
        candidate: 1,
        ..PLAIN
    };
    row(
        "10 % slower fails +5 %, 1 run against 19, s_d 2 %",
        fails,
        Target::None,
        one,
    )
}

fn one(criteria: &[FailIf], case: &Case, seed: u64) -> GateAnswer {
    let mut random = Random::new(seed);
    let mut side = |runs: usize, centre: f64| -> Vec<GateFigures> {
        let mut run = || -> GateFigures {
            let figure = |_: &FailIf| SloFigure {
                unit: "ms".into(),
                value: Some(centre * (case.noise * random.normal()).exp()),
                ..SloFigure::default()
            };
            criteria.iter().map(figure).collect()
        };
        (0..runs).map(|_| run()).collect()
    };
    let baseline = side(case.baseline, 100.0);
    let candidate = side(case.candidate, 100.0 * (1.0 + case.slower));
    Gate::of(criteria, &baseline, &candidate).answer
}
