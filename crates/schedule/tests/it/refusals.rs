//! Parameters that make no schedule, each with the flag in its message.

use infermeter_core::plan::{ArrivalKind, Warmup};
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, ClosedParams, OpenParams, ScheduleError, WarmupRule, closed_schedule,
    open_schedule,
};

const GOOD: OpenParams = OpenParams {
    process: ArrivalProcess::Poisson,
    rate: 10.0,
    warmup: WarmupRule::NONE,
    duration: Some(Span::seconds(10)),
    requests: None,
    drain_max: Span::seconds(1),
};

fn check(params: OpenParams, flag: &str) {
    let error = open_schedule(&params, 1).expect_err("must be refused");
    assert!(error.to_string().contains(flag), "{error}");
}

#[test]
fn rates_must_be_positive_numbers() {
    for rate in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check(OpenParams { rate, ..GOOD }, "--rate");
    }
}

#[test]
fn coefficients_of_variation_must_be_in_range() {
    for cv in [0.0, -1.0, 1e-9, 1e9, f64::NAN, f64::INFINITY] {
        let process = ArrivalProcess::Gamma { cv };
        check(OpenParams { process, ..GOOD }, "--cv");
    }
    assert_eq!(
        ArrivalProcess::resolve(ArrivalKind::Gamma, None),
        Err(ScheduleError::CvMissing)
    );
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
    check(OpenParams { rate: 1e9, ..GOOD }, "--rate");
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
            rate: 1e-9,
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
fn closed_loops_need_slots_and_an_end() {
    let good = ClosedParams {
        slots: 1,
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
