//! Profiles as they are written, printed and refused.

use super::*;

fn profile(text: &str) -> RateProfile {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn profiles_read_and_print() {
    for text in [
        "ramp:5..50/1m",
        "ramp:5..50/1m,50..50/30s,50..0/1m,repeat",
        "steps:10/30s,20/30s,40/30s",
        "steps:10/30s,20/30s,repeat",
        "points:5@0s,50@12h,5@24h,repeat",
        "diurnal:10..50/1h",
        "diurnal:0..2.5/24h@6h",
        "bursts:50/5s,5/25s",
        "random-bursts:50/5s,0/25s",
    ] {
        assert_eq!(profile(text).to_string(), text);
        assert_eq!(profile(&profile(text).to_string()), profile(text));
    }
    assert_eq!(
        profile(" ramp: 5 .. 50 / 60s ").to_string(),
        "ramp:5..50/1m"
    );
    assert_eq!(profile("ramp:5/60s").to_string(), "ramp:5..5/1m");
}

#[test]
fn figures_of_a_lap() {
    for (text, lap_s, mean, peak, warmup, held) in [
        ("ramp:5..50/60s", 60.0, 27.5, 50.0, 5.0, Some(50.0)),
        ("ramp:0..50/60s", 60.0, 25.0, 50.0, 25.0, Some(50.0)),
        ("ramp:5..50/60s,repeat", 60.0, 27.5, 50.0, 27.5, None),
        ("steps:10/30s,40/60s", 90.0, 30.0, 40.0, 10.0, Some(40.0)),
        (
            "steps:10/30s,0/60s",
            90.0,
            10.0 / 3.0,
            10.0,
            10.0,
            Some(0.0),
        ),
        ("points:0@0,60@10s,0@40s", 40.0, 30.0, 60.0, 30.0, Some(0.0)),
        ("diurnal:10..50/1h", 3600.0, 30.0, 50.0, 30.0, None),
        ("bursts:50/5s,5/25s", 30.0, 12.5, 50.0, 12.5, None),
    ] {
        let p = profile(text);
        assert_eq!(p.lap().as_seconds(), lap_s, "{text}");
        assert!((p.mean() - mean).abs() < 1e-12, "{text}");
        assert_eq!(p.peak(), peak, "{text}");
        assert!((p.warmup_rate() - warmup).abs() < 1e-12, "{text}");
        assert_eq!(p.held(), held, "{text}");
    }
}

fn check(text: &str, expect: &str) {
    let error = text.parse::<RateProfile>().expect_err(text).to_string();
    assert!(error.starts_with(expect), "{text}: {error}");
}

#[test]
fn what_is_no_profile_says_where_and_why() {
    check(
        "rampe:5..50/60s",
        "character 1, `rampe`: unknown kind of profile; did you mean `ramp`? One of ramp:5..50/60s",
    );
    check(
        "xyz",
        "character 1, `xyz`: unknown kind of profile: one of ramp",
    );
    check(
        "ramp",
        "character 5, nothing: rates are missing; write ramp:5..50/60s",
    );
    check("ramp:", "character 6, nothing: rates are missing");
    check(
        "ramp:5..50",
        "character 6, `5..50`: no `/` here; write ramp:5..50/60s",
    );
    check(
        "ramp:5-50/60s",
        "character 6, `5-50`: a rate from 0 to 10,000,000",
    );
    check(
        "ramp:5..50/60",
        "character 12, `60`: a time from 1ms to ten years",
    );
    check("ramp:5...50/60s", "character 9, `.50`: a rate");
    check("steps:10/30s,,20/30s", "character 14, nothing: no `/` here");
    check("steps:10/30s,20/0s", "character 17, `0s`: a time");
    check("steps:10/30s,-1/30s", "character 14, `-1`: a rate");
    check("steps:5..9/30s", "character 7, `5..9`: a rate");
    check(
        "steps:0/30s,0/1s",
        "character 7, `0/30s,0/1s`: all rates are 0",
    );
    check("steps:1e8/30s", "character 7, `1e8`: a rate");
    check(
        "points:5@1s,6@2s",
        "character 10, `1s`: the first point lies at 0",
    );
    check(
        "points:5@0,6@2s,7@1s",
        "character 19, `1s`: the first point lies at 0",
    );
    check("points:5@0", "character 8, `5@0`: at least two points");
    check(
        "diurnal:50..10/1h",
        "character 9, `50..10`: the lower rate comes first",
    );
    check(
        "diurnal:10..50/1h@2h",
        "character 19, `2h`: the time since the lowest rate",
    );
    check(
        "diurnal:10..50/1h,5..6/1h",
        "character 19, `5..6/1h`: one sinusoid only",
    );
    check(
        "bursts:50/5s",
        "character 8, `50/5s`: two phases are needed",
    );
    check(
        "bursts:50/5s,5/25s,repeat,1/1s",
        "character 20, `repeat`: two phases are needed",
    );
}
