//! Arrivals under a rate profile. Seeds are fixed, as in the tests of constant rates.

use crate::support::{ks, mean_and_variance};
use infermeter_core::clock::Offset;
use infermeter_core::plan::{RateProfile, Warmup, WorkloadKind};
use infermeter_core::rate::RateCurve;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, Arrivals, OpenParams, Rate, VaryingArrivals, WarmupRule, open_schedule,
};
use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof, proptest};
use proptest::sample::select;
use statrs::distribution::{ContinuousCDF, Exp, Gamma, Weibull};

const PROFILES: [&str; 6] = [
    "ramp:5..50/60s",
    "steps:10/30s,0/5s,40/30s,repeat",
    "points:0@0,60@10s,1@40s,repeat",
    "diurnal:0..50/5m@1m",
    "bursts:50/5s,0/25s",
    "random-bursts:50/5s,2/25s",
];

fn profile(text: &str) -> RateProfile {
    text.parse().expect(text)
}

fn arrivals(process: ArrivalProcess, text: &str, seed: u64) -> VaryingArrivals {
    VaryingArrivals::new(process, &profile(text), Offset::ZERO, seed).expect("arrivals")
}

/// Gaps between `n` arrivals in units of the expected gap: mapped back through the integral.
fn mapped_gaps(process: ArrivalProcess, text: &str, n: usize) -> Vec<f64> {
    let mut curve = RateCurve::new(&profile(text), 7);
    let reached: Vec<f64> = arrivals(process, text, 7)
        .take(n + 1)
        .map(|at| curve.expected(at.0))
        .collect();
    reached.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn gaps_mapped_back_follow_the_renewal_law() {
    let gamma = Gamma::new(0.25, 0.25).expect("a distribution");
    // Shape and scale from SciPy, as in weibull.rs.
    let weibull = Weibull::new(2.101349094688543, 1.1290633895396092).expect("a distribution");
    let exponential = Exp::new(1.0).expect("a distribution");
    for text in PROFILES {
        let check = |process, cdf: &dyn Fn(f64) -> f64| {
            let d = ks(mapped_gaps(process, text, 20_000), cdf);
            assert!(d < 2.23, "{text} {process:?}: {d}");
        };
        check(ArrivalProcess::Poisson, &|x| exponential.cdf(x));
        check(ArrivalProcess::Gamma { cv: 2.0 }, &|x| gamma.cdf(x));
        check(ArrivalProcess::Weibull { cv: 0.5 }, &|x| weibull.cdf(x));
        // One nanosecond at 60/s is 6e-8 of a gap.
        let constant = mapped_gaps(ArrivalProcess::Constant, text, 5_000);
        assert!(
            constant.iter().all(|gap| (gap - 1.0).abs() < 2e-7),
            "{text}"
        );
    }
}

/// Arrivals in each of `windows` windows of `width_s`, for each seed.
fn counts(process: ArrivalProcess, text: &str, windows: usize, width_s: i64) -> Vec<Vec<f64>> {
    let end = Offset(windows as i64 * width_s * 1_000_000_000);
    let of_seed = |seed| {
        let mut counts = vec![0.0; windows];
        for at in arrivals(process, text, seed).take_while(|at| *at < end) {
            counts[(at.0 / (width_s * 1_000_000_000)) as usize] += 1.0;
        }
        counts
    };
    (0..200).map(of_seed).collect()
}

#[test]
fn counts_disperse_as_theory_says() {
    // Windows of at least 150 arrivals: there the index of a renewal process is its CV squared,
    // to 1 % for these.
    for (text, windows, width_s) in [
        ("ramp:20..60/200s", 20, 10),
        ("diurnal:10..50/100s", 20, 15),
        ("bursts:50/5s,5/5s", 20, 10),
    ] {
        for (process, theory) in [
            (ArrivalProcess::Poisson, 1.0),
            (ArrivalProcess::Gamma { cv: 2.0 }, 4.0),
            (ArrivalProcess::Weibull { cv: 0.5 }, 0.25),
        ] {
            let by_seed = counts(process, text, windows, width_s);
            let index = |w: usize| {
                let sample: Vec<f64> = by_seed.iter().map(|counts| counts[w]).collect();
                let (mean, variance) = mean_and_variance(&sample);
                variance / mean
            };
            let mean = (0..windows).map(index).sum::<f64>() / windows as f64;
            assert!(
                (mean / theory - 1.0).abs() < 0.1,
                "{text} {process:?}: {mean}"
            );
        }
    }
}

#[test]
fn ramps_have_the_count_that_is_expected() {
    let by_seed = counts(ArrivalProcess::Poisson, "ramp:5..50/60s", 6, 10);
    for (w, exact) in [(0, 87.5), (1, 162.5), (2, 237.5), (5, 462.5)] {
        let sample: Vec<f64> = by_seed.iter().map(|counts| counts[w]).collect();
        let (mean, _) = mean_and_variance(&sample);
        assert!(
            (mean - exact).abs() < 4.0 * (exact / 200.0_f64).sqrt(),
            "{w}: {mean}"
        );
    }
    // Equal gaps leave no choice: 1,650 arrivals are expected, their integral is exact.
    let constant = arrivals(ArrivalProcess::Constant, "ramp:5..50/60s", 3);
    let inside = constant.take_while(|at| at.0 < 60_000_000_000).count();
    assert_eq!(inside, 1_650);
}

#[test]
fn nothing_arrives_where_the_rate_is_0() {
    let all: Vec<i64> = arrivals(ArrivalProcess::Poisson, "bursts:50/5s,0/25s", 1)
        .take(10_000)
        .map(|at| at.0 % 30_000_000_000)
        .collect();
    assert!(all.iter().all(|at| *at <= 5_000_000_000));
    let ends = arrivals(ArrivalProcess::Poisson, "steps:50/5s,0/25s", 1).count();
    assert!((ends as f64 - 250.0).abs() < 4.0 * 250_f64.sqrt(), "{ends}");
}

#[test]
fn an_hour_at_1000_per_second_does_not_drift() {
    let mut varying = arrivals(ArrivalProcess::Constant, "steps:1000/1s,1000/1s", 5);
    let first = varying.next().expect("an arrival").0;
    let mut last = first;
    for _ in 0..3_600_000 {
        let next = varying.next().expect("an arrival").0;
        assert!((999_999..=1_000_001).contains(&(next - last)));
        last = next;
    }
    assert!((last - first - 3_600_000_000_000).abs() <= 1, "{last}");
}

#[test]
fn the_first_instants_are_pinned() {
    let first = |text| -> Vec<i64> {
        arrivals(ArrivalProcess::Poisson, text, 42)
            .take(3)
            .map(|at| at.0)
            .collect()
    };
    assert_eq!(
        [
            first("ramp:5..50/60s"),
            first("diurnal:10..50/1h"),
            first("random-bursts:50/5s,2/25s")
        ],
        [
            [172_933_720, 458_216_826, 579_141_397],
            [87_588_337, 236_981_999, 302_148_349],
            [437_941_689, 1_184_910_063, 1_510_741_884]
        ]
    );
}

fn params<'a>(rate: Rate<'a>, process: ArrivalProcess, warmup: Warmup) -> OpenParams<'a> {
    OpenParams {
        process,
        rate,
        warmup: WarmupRule::resolve(Some(warmup), None),
        duration: Some(Span::seconds(60)),
        requests: None,
        drain_max: Span::seconds(5),
    }
}

#[test]
fn a_profile_starts_with_the_window() {
    let ramp = profile("ramp:10..100/60s");
    let warmup = Warmup {
        time: Span::seconds(10),
        requests: 150,
    };
    let process = ArrivalProcess::Gamma { cv: 1.5 };
    let p = params(Rate::Profile(&ramp), process, warmup);
    let s = open_schedule(&p, 4).expect("a schedule");
    // The warm-up is that of the constant rate 10/s, to the rounding of an instant.
    let constant = params(Rate::Constant(10.0), process, warmup);
    let c = open_schedule(&constant, 4).expect("a schedule");
    assert_eq!(s.measure_from, 150);
    assert!(s.window_start.since(c.window_start).abs() <= 1);
    for (a, b) in s.arrivals[..150].iter().zip(&c.arrivals[..150]) {
        assert!(a.since(*b).abs() <= 1);
    }
    assert_eq!(s.window_end.since(s.window_start), 60_000_000_000);
    let measured = s.drain_from - s.measure_from;
    // Mean 3,300, variance 2.25 times that.
    let error = (3_300.0 * 2.25_f64).sqrt();
    assert!(
        (measured as f64 - 3_300.0).abs() < 4.0 * error,
        "{measured}"
    );
    // The drain goes on at the last rate.
    let drain = s.arrivals.len() - s.drain_from;
    assert!(
        (drain as f64 - 500.0).abs() < 4.0 * (500.0 * 2.25_f64).sqrt(),
        "{drain}"
    );
}

#[test]
fn a_profile_that_ends_at_0_leaves_the_window_as_long_as_asked() {
    let steps = profile("steps:20/10s,0/10s");
    let p = params(Rate::Profile(&steps), ArrivalProcess::Poisson, Warmup::NONE);
    let s = open_schedule(&p, 4).expect("a schedule");
    assert_eq!(s.window_end, Offset(60_000_000_000));
    assert_eq!(s.drain_from, s.arrivals.len());
    assert!(s.arrivals.iter().all(|at| at.0 <= 10_000_000_000));
}

#[test]
fn requests_end_the_window_of_a_profile_too() {
    let steps = profile("steps:20/10s,40/10s,repeat");
    let p = OpenParams {
        duration: None,
        requests: Some(1_000),
        ..params(
            Rate::Profile(&steps),
            ArrivalProcess::Constant,
            Warmup::NONE,
        )
    };
    let s = open_schedule(&p, 4).expect("a schedule");
    assert_eq!(s.drain_from, 1_000);
    // 600 arrivals a lap: the other 400 take 10 s and 5 s.
    let end_s = s.window_end.0 as f64 / 1e9;
    assert!((end_s - 35.0).abs() < 0.06, "{end_s}");
}

proptest! {
    #[test]
    fn a_flat_profile_is_the_constant_rate(
        seed in any::<u64>(),
        rate in 0.1_f64..5_000.0,
        cv in 0.2_f64..4.0,
    ) {
        let text = format!("ramp:{rate}..{rate}/7s,repeat");
        let process = ArrivalProcess::Weibull { cv };
        let constant = Arrivals::new(process, rate, seed).expect("arrivals").take(500);
        for (varying, constant) in arrivals(process, &text, seed).take(500).zip(constant) {
            assert!(varying.since(constant).abs() <= 2, "{varying:?} {constant:?}");
        }
    }

    #[test]
    fn arrivals_never_go_back(seed in any::<u64>(), which in 0_usize..6, cv in 0.2_f64..8.0) {
        let process = ArrivalProcess::Gamma { cv };
        let all: Vec<Offset> = arrivals(process, PROFILES[which], seed).take(2_000).collect();
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1]));
        let again: Vec<Offset> = arrivals(process, PROFILES[which], seed).take(2_000).collect();
        assert_eq!(all, again);
    }

    #[test]
    fn any_text_is_a_value_or_an_error_with_its_place(
        name in prop_oneof![
            Just("ramp:"), Just("steps:"), Just("points:"), Just("diurnal:"), Just("bursts:"),
            Just("fixed:"), Just("normal:"), Just("zipf:"), Just("mix:"), Just("mix:chat=1,"),
        ],
        body in vec(select("0123456789./,@=- smhé:repatfixdu".chars().collect::<Vec<_>>()), 0..30),
    ) {
        let text = name.to_owned() + &body.into_iter().collect::<String>();
        let length = text.chars().count();
        match text.parse::<RateProfile>() {
            Ok(profile) => assert_eq!(profile.to_string().parse(), Ok(profile)),
            Err(error) => assert!((1..=length + 1).contains(&error.column), "{text}: {error}"),
        }
        match text.parse::<WorkloadKind>() {
            Ok(workload) => assert_eq!(workload.to_string().parse(), Ok(workload)),
            Err(error) => assert!((1..=length + 1).contains(&error.column), "{text}: {error}"),
        }
    }
}
