//! Many sources: counts vary as the theory of each and of their superposition says, and no source
//! depends on another.

use infermeter_core::clock::Offset;
use infermeter_core::plan::{RateProfile, Warmup};
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, MergedSchedule, ScheduleError, Source, SourceWindow, SourcesParams, WarmupRule,
    expected_arrivals, merged_schedule,
};

const SEEDS: u64 = 200;

fn source(rate: f64, process: ArrivalProcess, seed: u64) -> Source {
    Source {
        process,
        rate: "steps:1/1s".parse::<RateProfile>().expect("a profile"),
        factor: rate,
        windows: Vec::new(),
        seed,
    }
}

fn params(seconds: i64) -> SourcesParams {
    SourcesParams {
        warmup: WarmupRule {
            least: Warmup {
                time: Span::seconds(5),
                requests: 0,
            },
            at_most: None,
        },
        duration: Some(Span::seconds(seconds)),
        requests: None,
        drain_max: Span::seconds(1),
    }
}

fn of(merged: &MergedSchedule, source: u32) -> Vec<Offset> {
    let all = merged.schedule.arrivals.iter().zip(&merged.source_of);
    let own = all.filter(|(_, s)| **s == source);
    own.map(|(at, _)| *at).collect()
}

/// Counts of measured arrivals in windows of `window_s`.
fn counts(merged: &MergedSchedule, source: Option<u32>, window_s: i64, windows: usize) -> Vec<f64> {
    let mut counts = vec![0.0; windows];
    let all = merged.schedule.arrivals.iter().zip(&merged.source_of);
    for (at, from) in all {
        let since = at.since(merged.schedule.window_start);
        let place = since.div_euclid(window_s * 1_000_000_000);
        if source.is_none_or(|s| s == *from) && (0..windows as i64).contains(&place) {
            counts[place as usize] += 1.0;
        }
    }
    counts
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, squares / (n - 1.0))
}

/// Over long windows the index of dispersion of a renewal process is CV^2 (Cox, Renewal Theory,
/// 1962, ch. 4), and variances of independent sources add up.
#[test]
fn counts_of_each_source_and_of_all_are_as_bursty_as_asked() {
    let asked = [
        (8.0, ArrivalProcess::Gamma { cv: 2.0 }, 4.0),
        (6.0, ArrivalProcess::Poisson, 1.0),
        (4.0, ArrivalProcess::Weibull { cv: 1.5 }, 2.25),
        (2.0, ArrivalProcess::Constant, 0.0),
    ];
    let (window_s, windows) = (30, 20);
    let mut each: Vec<Vec<f64>> = vec![Vec::new(); asked.len()];
    let mut together = Vec::new();
    for seed in 0..SEEDS {
        let sources: Vec<Source> = asked
            .iter()
            .enumerate()
            .map(|(i, (rate, process, _))| source(*rate, *process, seed * 100 + i as u64))
            .collect();
        let merged = merged_schedule(&sources, &params(window_s * windows as i64));
        let merged = merged.expect("a schedule");
        for (i, all) in each.iter_mut().enumerate() {
            all.extend(counts(&merged, Some(i as u32), window_s, windows));
        }
        together.extend(counts(&merged, None, window_s, windows));
    }
    for ((rate, _, index), counts) in asked.iter().zip(&each) {
        let (mean, variance) = mean_and_variance(counts);
        let expected = rate * window_s as f64;
        assert!((mean / expected - 1.0).abs() < 0.02, "{mean} of {expected}");
        let found = variance / mean;
        assert!(
            (found - index).abs() < 0.1 * index + 0.02,
            "{found} of {index}"
        );
    }
    let index = (8.0 * 4.0 + 6.0 + 4.0 * 2.25) / 20.0;
    let (mean, variance) = mean_and_variance(&together);
    assert!((mean / 600.0 - 1.0).abs() < 0.02, "{mean}");
    assert!(
        (variance / mean / index - 1.0).abs() < 0.1,
        "{variance} {mean} {index}"
    );
}

#[test]
fn one_source_more_leaves_the_others_alone() {
    let two = [
        source(5.0, ArrivalProcess::Gamma { cv: 2.0 }, 1),
        source(3.0, ArrivalProcess::Poisson, 2),
    ];
    let three = [
        two[0].clone(),
        source(40.0, ArrivalProcess::Weibull { cv: 3.0 }, 3),
        two[1].clone(),
    ];
    let before = merged_schedule(&two, &params(60)).expect("a schedule");
    let after = merged_schedule(&three, &params(60)).expect("a schedule");
    assert!(!of(&before, 0).is_empty());
    assert_eq!(of(&before, 0), of(&after, 0));
    assert_eq!(of(&before, 1), of(&after, 2));
    let arrivals = &after.schedule.arrivals;
    assert!(arrivals.windows(2).all(|pair| pair[0] <= pair[1]));
}

#[test]
fn windows_change_rate_and_gaps_and_only_there() {
    let window = |from, to, rate, process| SourceWindow {
        from: Span::seconds(from),
        to: Span::seconds(to),
        rate,
        process,
    };
    let steady = |windows| Source {
        windows,
        ..source(10.0, ArrivalProcess::Constant, 7)
    };
    let busy = [steady(vec![
        window(0, 10, Some(0.0), None),
        window(20, 30, Some(5.0), None),
    ])];
    // Nothing for 10 s, 10/s, 50/s, 10/s: rates of windows are before the factor.
    let expected = expected_arrivals(&busy, Span::seconds(40)).expect("rates");
    assert!((expected[0] - 700.0).abs() < 1e-6, "{expected:?}");
    let merged = merged_schedule(&busy, &params(40)).expect("a schedule");
    let counts = counts(&merged, None, 10, 4);
    for (count, expected) in counts.iter().zip([0.0, 100.0, 500.0, 100.0]) {
        assert!((count - expected).abs() <= 1.0, "{counts:?}");
    }
    // In the warm-up the rate is that of time 0.
    assert_eq!(merged.schedule.measure_from, 0);

    let gamma = ArrivalProcess::Gamma { cv: 3.0 };
    let bursty = [steady(vec![window(10, 20, None, Some(gamma))])];
    let merged = merged_schedule(&bursty, &params(30)).expect("a schedule");
    let gaps = |from: i64| -> Vec<i64> {
        let start = merged.schedule.window_start;
        let inside: Vec<i64> = of(&merged, 0)
            .iter()
            .map(|at| at.since(start))
            .filter(|at| (from * 1_000_000_000..(from + 10) * 1_000_000_000).contains(at))
            .collect();
        inside.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    for from in [0, 20] {
        assert!(gaps(from).iter().all(|gap| (gap - 100_000_000).abs() <= 1));
    }
    let inside: Vec<f64> = gaps(10).iter().map(|gap| *gap as f64).collect();
    let (mean, variance) = mean_and_variance(&inside);
    assert!(variance.sqrt() / mean > 1.5, "{}", variance.sqrt() / mean);
}

#[test]
fn expected_counts_hold_across_windows_for_every_process() {
    let window = SourceWindow {
        from: Span::seconds(5),
        to: Span::seconds(15),
        rate: Some(3.0),
        process: Some(ArrivalProcess::Gamma { cv: 2.5 }),
    };
    let mut sum = 0.0;
    for seed in 0..SEEDS {
        let changing = [Source {
            rate: "diurnal:0.5..1.5/20s@5s".parse().expect("a profile"),
            windows: vec![window],
            ..source(4.0, ArrivalProcess::Weibull { cv: 1.8 }, seed)
        }];
        let merged = merged_schedule(&changing, &params(20)).expect("a schedule");
        sum += counts(&merged, None, 20, 1)[0];
        let asked = expected_arrivals(&changing, Span::seconds(20)).expect("rates")[0];
        // 10 s of the curve's ends (where it is 1 on average at 5 s before and after its middle).
        assert!((asked - (40.0 + 120.0)).abs() < 30.0, "{asked}");
        if seed + 1 == SEEDS {
            let mean = sum / SEEDS as f64;
            assert!((mean / asked - 1.0).abs() < 0.05, "{mean} of {asked}");
        }
    }
}

#[test]
fn what_makes_no_schedule_is_refused() {
    let ending = [Source {
        rate: "steps:1/5s,0/1s".parse().expect("a profile"),
        ..source(4.0, ArrivalProcess::Poisson, 1)
    }];
    let counted = SourcesParams {
        duration: None,
        requests: Some(100),
        ..params(1)
    };
    let refused = |sources: &[Source], params: &SourcesParams| {
        merged_schedule(sources, params).expect_err("must be refused")
    };
    assert_eq!(refused(&ending, &counted), ScheduleError::SourcesEnd);
    let silent = [Source {
        rate: "steps:0/5s,1/1s".parse().expect("a profile"),
        ..source(4.0, ArrivalProcess::Poisson, 1)
    }];
    let waiting = SourcesParams {
        warmup: WarmupRule {
            least: "10req".parse().expect("a warm-up"),
            at_most: None,
        },
        ..params(10)
    };
    assert_eq!(refused(&silent, &waiting), ScheduleError::SilentWarmup);
    let endless = SourcesParams {
        requests: None,
        ..counted
    };
    assert_eq!(refused(&ending, &endless), ScheduleError::Endless);
    let huge = [source(1e7, ArrivalProcess::Poisson, 1)];
    assert!(matches!(
        refused(&huge, &params(100)),
        ScheduleError::TooMany { .. }
    ));
    let bad = [source(1.0, ArrivalProcess::Gamma { cv: 1e9 }, 1)];
    assert_eq!(refused(&bad, &params(10)), ScheduleError::Cv(1e9));
}
