//! What the commands of several runs have in common: forms, `--dry-run`, `--print-config`, a target that dies, gates.

use crate::process::{Going, Mock, Scratch, infermeter, mock, words};
use serde_json::Value;

const LOAD: &str =
    "--workload fixed:16,2 --duration 1s --warmup 0 --threads 1 --connect-timeout 5s";

/// Nothing listens there: what sends nothing does not mind.
const NOBODY: &str = "http://127.0.0.1:9";

#[track_caller]
fn dry(line: &str) -> Value {
    let ran = infermeter(&format!("{line} --dry-run --format json"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran.json()
}

#[test]
fn a_dry_run_says_what_lies_ahead_and_sends_nothing() {
    let sweep = dry(&format!("sweep {NOBODY} {LOAD} --rates 2,4 --looks 1"));
    assert_eq!(
        (&sweep["command"], &sweep["runs_at_most"]),
        (&"sweep".into(), &2.into())
    );
    assert_eq!(sweep["seconds_at_most"], 2.0);
    assert_eq!(sweep["runs"][1]["at"]["load"]["rate"], 4.0);
    assert_eq!(sweep["one_run"]["window"]["seconds"], 1.0);
    let search = dry(&format!(
        "search {NOBODY} --workload fixed:16,2 --slo ttft.p50<1s --to 100"
    ));
    assert!(search["runs_at_most"].as_u64() > Some(3), "{search:#}");
    let compare = dry(&format!(
        "compare {NOBODY} mock:fixed {LOAD} --rates 2,4 --rounds 3"
    ));
    assert_eq!(compare["runs_at_most"], 12);
    let sides: Vec<&str> = compare["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .filter_map(|run| run["of"].as_str())
        .collect();
    assert_eq!(
        sides.iter().filter(|side| **side == "B").count(),
        2,
        "{compare:#}"
    );
    let page = infermeter(&format!(
        "compare {NOBODY} mock:fixed {LOAD} --rate 2 --dry-run --format markdown"
    ));
    assert!(
        page.out.starts_with("# What this compare would send"),
        "{}",
        page.out
    );
    assert!(page.out.contains("Nothing was sent."), "{}", page.out);
}

/// What is printed is a plan file of the same command.
#[test]
fn the_resolved_plan_is_printed_and_can_be_run() {
    let scratch = Scratch::new();
    let again = |command: &str, flags: &str| {
        let printed = infermeter(&format!("{command} {flags} --print-config"));
        assert_eq!(printed.code, Some(0), "{printed:#?}");
        let file = scratch.file(&format!("{command}.toml"), &printed.out);
        (printed.out, file)
    };
    let (text, file) = again("sweep", &format!("{NOBODY} {LOAD} --looks 4"));
    assert!(
        text.contains("#   --looks 4\n") && text.contains("#   --max-runs 24  # default"),
        "{text}"
    );
    dry(&format!("sweep --config {file} --rates 2,4"));
    let (_, file) = again(
        "search",
        &format!("{NOBODY} --slo ttft.p50<1s --workload fixed:16,2"),
    );
    dry(&format!("search --config {file}"));
    let sides = "--side B.model=other --side A.gpus=8 --rate 5";
    let (text, file) = again("compare", &format!("{NOBODY} mock:fixed {LOAD} {sides}"));
    let own = "[[side]]\nname = \"B\"\ntarget = \"mock:fixed\"\nmodel = \"other\"\n";
    assert!(text.contains(own), "{text}");
    let compare = dry(&format!("compare --config {file}"));
    let runs = compare["runs"].as_array().expect("runs");
    let a = runs.iter().find(|run| run["of"] == "A").expect("side A");
    assert_eq!(a["target"], NOBODY);
}

#[test]
fn gates_are_checked_before_anything_is_sent() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("empty")).expect("made");
    let fails = |line: String, expect: &[&str]| infermeter(&line).fails(2, expect);
    let sweep = format!("sweep {NOBODY} {LOAD} --rates 2,4");
    fails(
        format!("{sweep} --fail-if ttft.p99>+5%"),
        &["--fail-if needs --baseline"],
    );
    let empty = scratch.path("empty");
    fails(
        format!(
            "{sweep} --fail-if ttft.p99>+5% --baseline {}",
            empty.display()
        ),
        &["is no sweep"],
    );
    fails(
        format!("compare {NOBODY} mock:fixed {LOAD} --rate 2 --fail-if ttft.p99>5%"),
        &["a change for the worse has a sign"],
    );
    fails(
        format!("compare {NOBODY} mock:fixed {LOAD} --rate 2 --inconclusive pass"),
        &["--inconclusive needs --fail-if"],
    );
    fails(
        "compare runs/a runs/b --fail-if ttft.p99>+5%".to_owned(),
        &["`infermeter gate` judges"],
    );
}

/// Rounds are a gate, when they are measured and when they are read again.
#[test]
fn the_rounds_of_a_comparison_are_gated() {
    let scratch = Scratch::new();
    let out = scratch.path("c");
    let load = "--workload fixed:16,2 --requests 20 --rate 100 --warmup 0 --threads 1 --rounds 2";
    let ran = infermeter(&format!(
        "compare {url} {url} {load} --fail-if output_throughput<-5% --fail-if error_rate>90% --json --out {}",
        out.display(),
        url = mock()
    ));
    let gate = &ran.json()["gate"]["decision"];
    assert_eq!(gate["lines"][0]["form"], "paired_rounds", "{gate:#}");
    assert_eq!(gate["lines"][0]["doubt"]["too_few_runs"]["needed"], 5);
    assert_eq!(gate["lines"][1]["answer"], "pass");
    assert!(matches!(ran.code, Some(3 | 5)), "{ran:#?}");
    let again = infermeter(&format!(
        "gate {} --fail-if output_throughput<-5%",
        out.display()
    ));
    assert!(
        again
            .out
            .contains("2 rounds are too few: it needs 5 rounds"),
        "{}",
        again.out
    );
    let as_baseline = format!(
        "gate {0} --baseline {0} --fail-if e2e.mean>+5%",
        out.display()
    );
    infermeter(&as_baseline).fails(2, &["its first side, A, is the baseline"]);
}

#[test]
fn a_side_that_dies_leaves_its_rounds_and_is_named() {
    let scratch = Scratch::new();
    let out = scratch.path("d");
    let dies = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let mut going = Going::start(&words(&format!(
        "compare {} {} {LOAD} --rate 20 --rounds 6 --out {}",
        mock(),
        dies.url,
        out.display()
    )));
    going.until_says("Run 3: ");
    drop(dies);
    let ended = going.end();
    ended.fails(4, &["Run 3: "]);
    let ledger = infermeter(&format!("report {}", out.display()));
    assert_eq!(ledger.code, Some(4), "{ledger:#?}");
    assert!(
        ledger.out.contains("of 6 rounds") && ledger.out.contains(", B)"),
        "{}",
        ledger.out
    );
    let goes_on = format!("`infermeter compare --resume {}` goes on", out.display());
    let flat = ledger.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&goes_on), "{flat}");
}
