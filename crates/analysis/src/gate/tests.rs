//! Gates on figures made by hand.

use super::*;
use infermeter_core::seed::splitmix64;

fn figure(value: f64) -> GateFigures {
    vec![SloFigure {
        unit: "ms".into(),
        value: Some(value),
        effective_n: Some(400.0),
        ..SloFigure::default()
    }]
}

fn runs(values: &[f64]) -> Vec<GateFigures> {
    values.iter().map(|value| figure(*value)).collect()
}

fn gate(criterion: &str, baseline: &[f64], candidate: &[f64]) -> GateLine {
    let criteria = [criterion.parse().expect("a gate")];
    let gate = Gate::of(&criteria, &runs(baseline), &runs(candidate));
    assert_eq!(gate.answer, gate.lines[0].answer);
    gate.lines.into_iter().next().expect("a line")
}

/// Eight runs a side that differ by about 1 %.
const BEFORE: [f64; 8] = [100.0, 101.2, 99.1, 100.4, 98.9, 100.9, 99.6, 100.2];

fn after(factor: f64) -> Vec<f64> {
    BEFORE.iter().rev().map(|x| x * factor).collect()
}

#[test]
fn a_change_fails_passes_or_is_not_told() {
    let check = |factor: f64, expect: GateAnswer| {
        let line = gate("ttft.p99>+5%", &BEFORE, &after(factor));
        assert_eq!(
            (line.answer, line.form),
            (expect, GateForm::TwoGroups),
            "{line:?}"
        );
        line
    };
    let same = check(1.0, GateAnswer::Pass);
    assert!(
        same.noise
            .is_some_and(|noise| (0.005..0.015).contains(&noise))
    );
    assert!(same.power.is_some_and(|power| power > 0.99), "{same:?}");
    // Worse for certain, but by less than what is not accepted.
    let little = check(1.02, GateAnswer::Pass);
    assert!(little.p_value.is_some_and(|p| p < 0.05) && little.at_least > Some(0.0));
    let worse = check(1.06, GateAnswer::Fail);
    assert!(
        worse.worse.is_some_and(|x| (x - 0.06).abs() < 0.01),
        "{worse:?}"
    );
    check(0.9, GateAnswer::Pass);
    // Twenty times the noise: nothing is ruled out, nothing is shown.
    let noisy: Vec<f64> = BEFORE.iter().map(|x| 100.0 + 20.0 * (x - 100.0)).collect();
    let line = gate("ttft.p99>+5%", &noisy, &noisy);
    assert_eq!(line.answer, GateAnswer::Inconclusive);
    assert_eq!(line.doubt, Some(GateDoubt::NotTold));
    assert!(line.power.is_some_and(|power| power < 0.5));
}

#[test]
fn less_of_a_rate_is_worse() {
    let line = gate("output_throughput<-5%", &BEFORE, &after(0.92));
    assert_eq!(line.answer, GateAnswer::Fail);
    assert!(
        line.worse.is_some_and(|x| (x - 0.08).abs() < 0.01),
        "{line:?}"
    );
    assert_eq!(
        gate("output_throughput<-5%", &BEFORE, &after(1.2)).answer,
        GateAnswer::Pass
    );
}

#[test]
fn too_few_runs_decide_nothing() {
    let line = gate("ttft.p99>+5%", &BEFORE, &[200.0]);
    assert_eq!(
        (line.answer, line.form),
        (GateAnswer::Inconclusive, GateForm::OneRun)
    );
    assert_eq!(line.doubt, Some(GateDoubt::TooFewRuns { needed: 19 }));
    let three = gate("ttft.p99>+5%", &BEFORE[..2], &[200.0, 201.0, 202.0]);
    assert_eq!(three.doubt, Some(GateDoubt::TooFewRuns { needed: 3 }));
    let nineteen: Vec<f64> = (0..19).map(|i| 100.0 + f64::from(i) * 0.1).collect();
    assert_eq!(
        gate("ttft.p99>+5%", &nineteen, &[110.0]).answer,
        GateAnswer::Fail
    );
    assert_eq!(
        gate("ttft.p99>+5%", &nineteen, &[100.0]).answer,
        GateAnswer::Pass
    );
    let none = gate("ttft.p99>+5%", &[], &[100.0]);
    assert_eq!(none.answer, GateAnswer::Inconclusive);
}

#[test]
fn a_run_without_the_figure_leaves_it_open() {
    let mut baseline = runs(&BEFORE);
    baseline[3][0].value = None;
    let criteria = ["ttft.p99>+5%".parse().expect("a gate")];
    let line = &Gate::of(&criteria, &baseline, &runs(&after(2.0))).lines[0];
    let expect = GateDoubt::WithoutFigure {
        baseline: 1,
        candidate: 0,
    };
    assert_eq!(
        (line.answer, line.doubt),
        (GateAnswer::Inconclusive, Some(expect))
    );
}

#[test]
fn a_level_is_judged_on_the_requests() {
    let level = |share: f64| gate("error_rate>1%", &[], &[share; 8]);
    assert_eq!(level(0.0).answer, GateAnswer::Pass);
    assert_eq!(level(0.03).answer, GateAnswer::Fail);
    assert_eq!(level(0.01).doubt, Some(GateDoubt::NotTold));
    // 400 requests without a failure: at most 0.75 %, of 100 at most 3 %.
    assert_eq!(
        gate("error_rate>0.5%", &[], &[0.0]).answer,
        GateAnswer::Inconclusive
    );
    assert_eq!(
        gate("attainment(ttft<1s)<95%", &[], &[0.90]).answer,
        GateAnswer::Fail
    );
    assert_eq!(
        gate("attainment(ttft<1s)<95%", &[], &[0.99]).answer,
        GateAnswer::Pass
    );
}

#[test]
fn several_criteria_share_the_error() {
    let criterion: FailIf = "ttft.p99>+5%".parse().expect("a gate");
    let twice = |values: &[f64]| -> Vec<GateFigures> {
        let run = |value: &f64| [figure(*value), figure(*value)].concat();
        values.iter().map(run).collect()
    };
    let nineteen: Vec<f64> = (0..19).map(|i| 100.0 + f64::from(i) * 0.1).collect();
    let gate = Gate::of(
        &[criterion.clone(), criterion],
        &twice(&nineteen),
        &twice(&[120.0]),
    );
    let needed = GateDoubt::TooFewRuns { needed: 39 };
    assert_eq!(gate.lines[0].doubt, Some(needed));
}

/// Standard normal numbers of a seed (Box and Muller 1958).
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 += 1;
        ((splitmix64(self.0) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// How often a gate gives an answer: `before` runs against `after`, 2 % between runs, so much slower.
fn how_often(criterion: &str, sides: [usize; 2], slower: f64, answer: GateAnswer) -> f64 {
    const GATES: u32 = 300;
    let criteria: [FailIf; 1] = [criterion.parse().expect("a gate")];
    let mut normal = Normal(7);
    let mut side = |runs: usize, centre: f64| -> Vec<GateFigures> {
        let run = |_| figure(centre * (0.02 * normal.next()).exp());
        (0..runs).map(run).collect()
    };
    let gives = (0..GATES).filter(|_| {
        let (before, after) = (
            side(sides[0], 100.0),
            side(sides[1], 100.0 * (1.0 + slower)),
        );
        Gate::of(&criteria, &before, &after).answer == answer
    });
    gives.count() as f64 / f64::from(GATES)
}

/// `cargo xtask coverage gate` has more of these. Three standard errors beyond 5 % of 300 are 9 %.
#[test]
fn false_alarms_are_rare_and_planted_changes_are_found() {
    let (pass, fail) = (GateAnswer::Pass, GateAnswer::Fail);
    for sides in [[8, 8], [8, 3], [19, 1]] {
        let alarms = how_often("ttft.p99>+0.01%", sides, 0.0, fail);
        assert!(alarms <= 0.09, "{sides:?}: {alarms}");
    }
    let accepted = how_often("ttft.p99>+5%", [8, 8], 0.0, pass);
    assert!(accepted >= 0.9, "{accepted}");
    let alarms = how_often("ttft.p99>+5%", [8, 8], 0.0, fail);
    assert!(alarms <= 0.02, "{alarms}");
    for criterion in ["ttft.p99>+5%", "ttft.p99>+2%"] {
        let found = how_often(criterion, [8, 8], 0.05, fail);
        assert!(found >= 0.9, "{criterion}: {found}");
    }
}
