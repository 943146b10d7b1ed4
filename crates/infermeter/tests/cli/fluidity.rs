//! The fluidity index of a stream whose one stall is known, from the run and from its report.

use crate::process::{Mock, UNPROBED, infermeter, run_with, words};
use serde_json::{Value, json};

/// Means of the three forms, the share of answers on time throughout, and the answers with an index.
fn figures(summary: &Value) -> Value {
    let fluidity = &summary["latency"]["fluidity"];
    let mean = |form: &str| fluidity[form]["mean"]["value"].clone();
    json!([
        mean("written"),
        mean("coded"),
        mean("absolute"),
        fluidity["all_on_time"]["value"],
        fluidity["n"]
    ])
}

#[test]
fn one_stall_costs_what_each_form_says() {
    // Tokens come at 2 and 3 ms; then nothing for 2,750 ms; then four at once. With a deadline each
    // 500 ms the third is 1,250 ms late and the sixth, due at 3,000 ms, is early.
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let line = format!(
        "run {} {UNPROBED} --rate 50 --requests 6 --warmup 0 --workload fixed:16,6 --threads 1 \
         --header 'x-mock-fault: stall=2:2750ms' --fluidity 500ms/500ms",
        mock.url
    );
    let run = run_with(words(&line), |_| {});
    assert!(run.completes().iter().all(|r| r.chunks.len() == 6));
    let summary = run.manifest()["summary"].clone();
    assert_eq!(
        figures(&summary),
        json!([5.0 / 6.0, 5.0 / 8.0, 0.5, 0.0, 6])
    );
    let deadlines = &summary["latency"]["fluidity"]["deadlines"];
    assert_eq!(deadlines, &json!({"first_ms": 500.0, "next_ms": 500.0}));
    assert!(run.ran.out.contains("Fluidity"), "{}", run.ran.out);

    let report = |line: &str| infermeter(&format!("report {} {line} --json", run.dir.display()));
    assert_eq!(figures(&report("").json()["summary"]), figures(&summary));
    let later = report("--fluidity 500ms/5s").json();
    assert_eq!(figures(&later["summary"]), json!([1.0, 1.0, 1.0, 1.0, 6]));
    // A report with other deadlines leaves the run as it is.
    assert_eq!(figures(&run.manifest()["summary"]), figures(&summary));
    report("--fluidity 500").fails(2, &["--fluidity"]);
}
