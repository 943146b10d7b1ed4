//! Runs under a rate profile and with a mixture of classes: what reaches the record and the report.

use crate::process::{mock, run_with, words};
use serde_json::json;

#[test]
fn a_profile_and_a_mixture_reach_record_and_report() {
    let line = format!(
        "run {} --rate-profile ramp:20..180/500ms --arrival constant --duration 500ms --warmup \
         100ms --workload mix:fixed:16,4=1,fixed:20,2=1 --threads 1 --no-probe --model mock/fixed",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let measured = run.measured();
    // 100/s on average; equal gaps give the number expected, up to where the first one fell.
    assert!((49..=51).contains(&measured.len()), "{}", measured.len());
    for record in &measured {
        let asked = (
            record.requested_prompt_tokens,
            record.requested_output_tokens,
        );
        assert_eq!(asked, [(16, 4), (20, 2)][usize::from(record.class)]);
    }
    let manifest = run.manifest();
    let asked = manifest["rate_asked"].as_f64().expect("a number");
    assert!((asked - 100.0).abs() < 1e-6, "{asked}");
    assert_eq!(manifest["classes"], json!(["fixed:16,4", "fixed:20,2"]));
    assert_eq!(manifest["plan"]["rate-profile"], "ramp:20..180/500ms");
    let classes = manifest["summary"]["classes"].as_array().expect("a list");
    let names: Vec<&str> = classes.iter().filter_map(|c| c["class"].as_str()).collect();
    assert_eq!(names, ["fixed:16,4", "fixed:20,2"]);
    let cv = manifest["summary"]["load"]["cv"]["value"].as_f64();
    assert!(cv.is_some_and(|cv| cv < 1e-4), "{cv:?}");
    for said in [
        "open loop, constant, ramp:20..180/500ms, 100/s asked on average,",
        "with the profile's rate divided out",
        "fixed:20,2",
    ] {
        assert!(
            squeezed(&run.ran.out).contains(said),
            "no `{said}` in\n{}",
            run.ran.out
        );
    }
}

/// Lines of a report are wrapped.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
