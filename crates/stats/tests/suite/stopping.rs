//! Coverage with fixed seeds of what is looked at again and again, and of figures over runs.

use infermeter_stats::{
    Look, LookPlan, Quantile, QuantileSequence, RunFigure, SampleSeries, over_runs,
    relative_half_width,
};

use crate::processes::{Lcg, slotted, uniforms};

fn count(replicates: u64, holds: impl FnMut(&u64) -> bool) -> usize {
    (1..=replicates)
        .map(|seed| seed * 7_919)
        .filter(holds)
        .count()
}

/// At every one of 100 looks together, not only at the last.
#[test]
fn a_confidence_sequence_holds_at_all_looks() {
    let sequence = QuantileSequence::new(Quantile::P90, 0.95, 1_000).unwrap();
    let mut fixed = 0;
    let covered = count(100, |seed| {
        let values = uniforms(*seed, 2_000);
        let mut always = [true, true];
        for n in (20..=2_000).step_by(20) {
            let mut sorted = values[..n].to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            always[0] &= sequence.interval(&sorted).unwrap().contains(0.9);
            let once = infermeter_stats::independent_interval(&sorted, Quantile::P90, 0.95);
            always[1] &= once.unwrap().contains(0.9);
        }
        fixed += usize::from(always[1]);
        always[0]
    });
    assert!(covered >= 95, "{covered} of 100");
    assert!(fixed <= 80, "the interval for one look: {fixed} of 100");
}

#[test]
fn a_sequence_stopped_when_narrow_covers() {
    let sequence = QuantileSequence::new(Quantile::P90, 0.95, 1_000).unwrap();
    let mut looks = 0;
    let covered = count(150, |seed| {
        let values = uniforms(*seed, 3_000);
        let stopped = (100..=3_000).step_by(100).find_map(|n| {
            let mut sorted = values[..n].to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            looks += 1;
            let interval = sequence.interval(&sorted).unwrap();
            let half = relative_half_width(&interval, sorted[Quantile::P90.rank(n) - 1])?;
            (half <= 0.035).then_some(interval)
        });
        stopped.is_none_or(|interval| interval.contains(0.9))
    });
    assert!(covered >= 140, "{covered} of 150");
    assert!(looks > 300, "{looks}");
}

#[test]
fn planned_looks_cover_and_unplanned_ones_do_not() {
    let plan = LookPlan::new(3, 12, 4, 0.95).unwrap();
    let mut naive = 0;
    let covered = count(300, |seed| {
        let mut lcg = Lcg(*seed);
        let runs: Vec<RunFigure> = (0..12)
            .map(|_| RunFigure {
                value: 10.0 + (0..12).map(|_| lcg.uniform() - 0.5).sum::<f64>(),
                effective_tail: None,
            })
            .collect();
        let stopped =
            plan.runs()
                .iter()
                .find_map(|n| match plan.look(&runs[..*n], 0.06).unwrap()? {
                    Look::Reached(over) | Look::NotReached(over) => Some(over.interval),
                    Look::Continue { .. } => None,
                });
        let unplanned = (2..=12).find_map(|n| {
            let over = over_runs(&runs[..n], 0.95).unwrap();
            let half = relative_half_width(&over.interval, over.mean)?;
            (half <= 0.06 || n == 12).then_some(over.interval)
        });
        naive += usize::from(unplanned.unwrap().contains(10.0));
        stopped.unwrap().contains(10.0)
    });
    assert!(covered >= 282, "{covered} of 300");
    assert!(naive <= 282 && naive < covered, "{naive} of 300");
}

/// One clean set in a hundred has a run called outlying, whatever the number of runs.
#[test]
fn clean_sets_rarely_have_an_outlying_run() {
    for n in [5, 6, 8, 10, 15, 30] {
        let named = count(1_000, |seed| {
            let mut lcg = Lcg(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + n as u64);
            let normal = |lcg: &mut Lcg| (0..12).map(|_| lcg.uniform() - 0.5).sum::<f64>();
            let runs: Vec<RunFigure> = (0..n)
                .map(|_| RunFigure {
                    value: normal(&mut lcg),
                    effective_tail: None,
                })
                .collect();
            !over_runs(&runs, 0.95).unwrap().outlying.is_empty()
        });
        assert!((1..=25).contains(&named), "{named} of 1000 sets of {n}");
    }
}

/// A small form of the 85 % table: waits at a server with eight slots.
#[test]
fn five_long_runs_cover_and_five_short_ones_do_not() {
    let p99 = |seed: u64, n: usize| {
        let (waits, _) = slotted(seed, n, 8, 0.85);
        let series = SampleSeries::new(&waits).unwrap();
        RunFigure {
            value: series.value(Quantile::P99),
            effective_tail: None,
        }
    };
    let truth = p99(1, 400_000).value;
    let covered = |n: usize| {
        count(60, |seed| {
            let runs: Vec<RunFigure> = (0..5).map(|run| p99(seed + run, n)).collect();
            over_runs(&runs, 0.95).unwrap().interval.contains(truth)
        })
    };
    let (short, long) = (covered(300), covered(6_000));
    assert!(
        short <= 48 && long >= 50 && long > short,
        "{short} and {long} of 60"
    );
}

/// A server with 64 slots in one run: the default interval at 60 % load, and the flag at both loads.
#[test]
fn one_run_at_60_percent_covers_and_the_flag_tells_the_loads_apart() {
    let truth = {
        let (_, sojourns) = slotted(1, 200_000, 64, 0.6);
        SampleSeries::new(&sojourns).unwrap().value(Quantile::P99)
    };
    let mut flagged = 0;
    let covered = count(80, |seed| {
        let (_, sojourns) = slotted(*seed, 2_500, 64, 0.6);
        let series = SampleSeries::new(&sojourns).unwrap();
        flagged += usize::from(series.correlated());
        let estimate = series.estimate(Quantile::P99, 0.95).unwrap();
        estimate.interval.contains(truth)
    });
    assert!(covered >= 72, "{covered} of 80");
    let busy = count(30, |seed| {
        let (waits, _) = slotted(*seed, 4_000, 64, 0.85);
        SampleSeries::new(&waits).unwrap().correlated()
    });
    assert!(flagged <= 2 && busy >= 26, "{flagged} of 80, {busy} of 30");
}
