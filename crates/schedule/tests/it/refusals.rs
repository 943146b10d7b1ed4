//! Parameters that make no schedule, each with the flag in its message.

use infermeter_core::plan::{ArrivalKind, Warmup};
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, ClosedParams, OpenParams, Rate, ScheduleError, WarmupRule, closed_schedule,
    open_schedule, thin,
};

const GOOD: OpenParams<'_> = OpenParams {
    process: ArrivalProcess::Poisson,
    rate: Rate::Constant(10.0),
    warmup: WarmupRule::NONE,
    duration: Some(Span::seconds(10)),
    requests: None,
    drain_max: Span::seconds(1),
};

fn check(params: OpenParams<'_>, flag: &str) {
    let error = open_schedule(&params, 1).expect_err("must be refused");
    assert!(error.to_string().contains(flag), "{error}");
}

#[test]
fn rates_must_be_positive_numbers() {
    for rate in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rate = Rate::Constant(rate);
        check(OpenParams { rate, ..GOOD }, "--rate");
    }
}

#[test]
fn coefficients_of_variation_must_be_in_range() {
    for cv in [0.0, -1.0, 1e-9, 1e9, f64::NAN, f64::INFINITY] {
        for process in [ArrivalProcess::Gamma { cv }, ArrivalProcess::Weibull { cv }] {
            check(OpenParams { process, ..GOOD }, "--cv");
        }
    }
    for (kind, name) in [
        (ArrivalKind::Gamma, "gamma"),
        (ArrivalKind::Weibull, "weibull"),
    ] {
        let refused = ArrivalProcess::resolve(kind, None);
        assert_eq!(refused, Err(ScheduleError::CvMissing(name)));
    }
    assert_eq!(
        ArrivalProcess::resolve(ArrivalKind::Poisson, Some(2.0)),
        Err(ScheduleError::CvUnused)
    );
}

#[test]
fn windows_must_have_a_length_and_an_end() {
    check(
        OpenParams {
            duration: Some(Span(0)),
            ..GOOD
        },
        "--duration",
    );
    check(
        OpenParams {
            requests: Some(0),
            ..GOOD
        },
        "--requests",
    );
    check(
        OpenParams {
            duration: None,
            ..GOOD
        },
        "--duration or --requests",
    );
    check(
        OpenParams {
            duration: Some(Span(1)),
            ..GOOD
        },
        "no request arrives",
    );
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_made() {
    let rate = Rate::Constant(1e9);
    check(OpenParams { rate, ..GOOD }, "--rate");
    check(
        OpenParams {
            duration: None,
            requests: Some(u64::MAX),
            ..GOOD
        },
        "--requests",
    );
    check(
        OpenParams {
            rate: Rate::Constant(1e-9),
            requests: Some(1),
            duration: None,
            ..GOOD
        },
        "more than a year",
    );
    let least = Warmup {
        time: Span(0),
        requests: u64::MAX,
    };
    let warmup = WarmupRule::resolve(Some(least), None);
    check(OpenParams { warmup, ..GOOD }, "--warmup");
    let least = Warmup {
        time: Span(-1),
        requests: 0,
    };
    let warmup = WarmupRule::resolve(Some(least), None);
    check(OpenParams { warmup, ..GOOD }, "--warmup");
}

#[test]
fn profiles_must_fit_the_run() {
    let with = |text: &str, duration, requests, expect: &str| {
        let profile = text.parse().expect("a profile");
        let params = OpenParams {
            rate: Rate::Profile(&profile),
            duration,
            requests,
            ..GOOD
        };
        check(params, expect);
    };
    let day = Some(Span::seconds(86_400));
    with(
        "steps:10/30s,0/30s",
        None,
        Some(1_000),
        "ends at 0 requests/s",
    );
    with("steps:1e6/30s", day, None, "--duration");
    with("bursts:1e6/30s,0/30s", None, Some(u64::MAX), "--requests");
    with(
        "bursts:1e-6/1ms,0/1ms",
        None,
        Some(1_000),
        "more than a year",
    );
    with(
        "random-bursts:5/1ms,0/1ms",
        Some(Span::seconds(31_000_000)),
        None,
        "100,000,000",
    );
    with(
        "steps:0/20s,5/1s",
        Some(Span::seconds(19)),
        None,
        "no request arrives",
    );
}

#[test]
fn shares_must_leave_something() {
    for share in [0.0, -0.5, 1.1, f64::NAN] {
        let error = thin(10, share, 1).expect_err("no share").to_string();
        assert!(error.contains("--thin"), "{error}");
    }
    assert_eq!(
        thin(3, 1e-9, 1),
        Err(ScheduleError::ThinnedAway {
            rows: 3,
            share: 1e-9
        })
    );
}

#[test]
fn closed_loops_need_slots_and_an_end() {
    let good = ClosedParams {
        slots: 1,
        stride: 1,
        warmup: WarmupRule::NONE,
        duration: None,
        requests: Some(1),
    };
    assert!(closed_schedule(&good).is_ok());
    assert_eq!(
        closed_schedule(&ClosedParams { slots: 0, ..good }),
        Err(ScheduleError::Slots(0))
    );
    assert_eq!(
        closed_schedule(&ClosedParams {
            requests: None,
            ..good
        }),
        Err(ScheduleError::Endless)
    );
    assert_eq!(
        closed_schedule(&ClosedParams {
            requests: Some(0),
            ..good
        }),
        Err(ScheduleError::Requests)
    );
}
