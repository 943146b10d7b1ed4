//! Steps of the rate, and replicas.

use super::check;
use infermeter_metrics::fixture::Run;

/// Steps of the quiet run, whose rate is 20/s on average, and an objective.
fn steps(profile: &'static str, slo: &'static str) -> impl FnOnce(&mut Run) {
    move |run| {
        let plan = &mut run.manifest().plan;
        plan.rate = None;
        plan.rate_profile = profile.parse().ok();
        plan.slo = vec![slo.parse().expect("an objective")];
    }
}

#[test]
fn steps_that_settle_and_steps_that_do_not() {
    // Levels of a minute and more: shorter ones have a note of their own.
    let long = "steps:20/65s";
    check(steps(long, "ttft.p50<500ms"), &[]);
    check(steps(long, "ttft.p50<10ms"), &["note step-never-settled"]);
    let short = "steps:19/2s,20.03/63s";
    let expect = &["note short-level", "note steps-too-short"];
    check(steps(short, "ttft.p50<500ms"), expect);
}

#[test]
fn replicas_that_nobody_told() {
    let asked = |run: &mut Run| run.manifest().plan.replicas_command = Some("true".to_owned());
    check(asked, &["note replicas-not-read"]);
}
