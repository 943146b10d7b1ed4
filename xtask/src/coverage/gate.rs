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
#[derive(Clone, Copy)]
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

/// A row: a case, the answer that is counted, and what its share should be.
struct Row {
    figure: &'static str,
    answer: GateAnswer,
    target: Target,
    case: Case,
}

/// A against A: an alarm is false.
fn equal() -> Vec<Row> {
    let alarm = |figure, criteria, baseline, candidate| Row {
        figure,
        answer: GateAnswer::Fail,
        target: Target::AtMost(0.05),
        case: Case {
            criterion: "ttft.p99>+0.01%",
            criteria,
            baseline,
            candidate,
            ..PLAIN
        },
    };
    vec![
        alarm("A/A fails at any threshold, 8 runs against 8", 1, 8, 8),
        alarm("the same, three criteria", 3, 8, 8),
        alarm("the same, 3 runs against 8", 1, 8, 3),
        alarm("the same, 1 run against 19", 1, 19, 1),
        Row {
            figure: "A/A fails +5 %, 8 runs against 8, s_d 2 %",
            case: PLAIN,
            ..alarm("", 1, 8, 8)
        },
        Row {
            figure: "A/A passes +5 %, 8 runs against 8, s_d 2 %",
            answer: GateAnswer::Pass,
            target: Target::AtLeast(0.9),
            case: PLAIN,
        },
    ]
}

/// A slow-down is planted: it should be found.
fn slower() -> Vec<Row> {
    let slower = Case {
        slower: 0.05,
        ..PLAIN
    };
    let one = Case {
        baseline: 19,
        candidate: 1,
        ..slower
    };
    let row = |figure, target, case| Row {
        figure,
        answer: GateAnswer::Fail,
        target,
        case,
    };
    let found = Target::AtLeast(0.9);
    vec![
        row(
            "5 % slower fails +5 %, 8 runs against 8, s_d 2 %",
            found,
            slower,
        ),
        row(
            "5 % slower fails +2 %, 8 runs against 8, s_d 2 %",
            found,
            Case {
                criterion: "ttft.p99>+2%",
                ..slower
            },
        ),
        row(
            "5 % slower fails +5 %, three criteria",
            found,
            Case {
                criteria: 3,
                ..slower
            },
        ),
        row(
            "5 % slower fails +5 %, 8 runs against 8, s_d 4 %",
            Target::None,
            Case {
                noise: 0.04,
                ..slower
            },
        ),
        row(
            "5 % slower fails +5 %, 1 run against 19, s_d 2 %",
            Target::None,
            one,
        ),
        row(
            "10 % slower fails +5 %, 1 run against 19, s_d 2 %",
            Target::None,
            Case {
                slower: 0.10,
                ..one
            },
        ),
    ]
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for row in equal().into_iter().chain(slower()) {
        let criterion: FailIf = row.case.criterion.parse()?;
        let criteria = vec![criterion; row.case.criteria];
        let found = replicate(scale.of(REPETITIONS), |seed| {
            one(&criteria, &row.case, seed) == row.answer
        });
        let hits = found.iter().filter(|found| **found).count();
        table.share(row.figure, hits, found.len(), row.target);
    }
    Ok(())
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
