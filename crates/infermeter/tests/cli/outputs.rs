//! What a run prints, and how its exit code comes about.

use crate::process::{
    LIGHT, Run, Scratch, UNPROBED, infermeter, light, mock, run, run_with, words,
};
use serde_json::Value;
use std::process::Stdio;

fn report(run: &Run, more: &str) -> crate::process::Ran {
    infermeter(&format!("report {} {more}", run.dir.display()))
}

#[test]
fn the_readme_command_works_on_the_embedded_simulator() {
    let run = run_with(
        words("run mock:llama-8b-h100 --rate 10 --duration 1s --warmup 0 --workload fixed:32,4"),
        |_| {},
    );
    assert!(matches!(run.ran.code, Some(0 | 3)), "{:#?}", run.ran);
    let manifest = run.manifest();
    assert_eq!(manifest["model"], "mock/llama-8b-h100");
    assert_eq!(manifest["environment"]["target"]["mock"], "llama-8b-h100");
    assert!(!run.measured().is_empty());
    run.finding("host-shared-with-mock");
}

#[test]
fn the_summary_says_verdict_first_and_names_its_record() {
    let run = run(mock(), "--slo ttft.p50<10s --slo e2e.p50<1ns");
    let out = &run.ran.out;
    assert!(out.starts_with("Verdict: "), "{out}");
    for part in [
        "open loop, Poisson",
        "50.0/s asked",
        "6 completed",
        "TTFT",
        "NTPOT",
        "p99.9",
        "Output ",
        "Tokens/chunk",
        "Send lag",
        "CPU",
        "intended send",
    ] {
        assert!(out.contains(part), "no {part} in\n{out}");
    }
    let last = out.trim_end().lines().last().expect("lines");
    assert_eq!(last, format!("Record in {}", run.dir.display()));
    assert!(!out.contains('\u{1b}'), "no colour without a terminal");
    assert!(!run.ran.err.contains('\u{1b}'), "plain progress lines");
}

#[test]
fn json_holds_what_the_record_holds() {
    let run = run(mock(), "--json");
    let printed = run.ran.json();
    let place = format!("Record in {}\n", run.dir.display());
    assert!(run.ran.err.ends_with(&place), "{}", run.ran.err);
    assert_eq!(printed["run_id"], run.manifest()["run_id"]);
    assert_eq!(printed["verdict"], run.manifest()["verdict"]);
    assert_eq!(printed["summary"], run.manifest()["summary"]);
    let again = report(&run, "--json");
    assert_eq!(again.code, run.ran.code);
    assert_eq!(again.json(), printed);
}

#[test]
fn report_prints_the_same_again() {
    let run = run(mock(), "");
    let again = report(&run, "");
    assert_eq!(again.code, run.ran.code);
    assert!(
        run.ran.out.starts_with(again.out.trim_end()),
        "{}",
        again.out
    );
    assert_eq!(again.err, "");
}

#[test]
fn a_report_is_shown_in_any_form() {
    let run = run(mock(), "");
    let page = report(&run, "--format markdown");
    assert_eq!(page.code, run.ran.code);
    let run_id = run.manifest()["run_id"].as_str().map(str::to_owned);
    let title = format!("# Run {}\n\n**Verdict: ", run_id.expect("an id"));
    assert!(page.out.starts_with(&title), "{}", page.out);
    for part in [
        "\n## Run\n",
        "- **Target:** ",
        "|  | p50 | p90 |",
        "| TTFT ",
    ] {
        assert!(page.out.contains(part), "no `{part}` in {}", page.out);
    }
    assert_eq!(report(&run, "--markdown").out, page.out);
    assert_eq!(
        report(&run, "--format json").out,
        report(&run, "--json").out
    );
    assert_eq!(report(&run, "--format terminal").out, report(&run, "").out);
    report(&run, "--format jsn").fails(2, &["jsn", "did you mean `json`?"]);
    report(&run, "--format json --markdown")
        .fails(2, &["--format and --markdown exclude each other"]);
}

#[test]
fn a_run_prints_each_form() {
    let shown = |form: &str| {
        let scratch = Scratch::new();
        let out = scratch.path("run");
        let target = mock();
        let line = format!(
            "run {target} {LIGHT} {UNPROBED} {form} --out {}",
            out.display()
        );
        (infermeter(&line), out)
    };
    let (page, out) = shown("--format markdown");
    assert!(
        page.out.starts_with("# ") && page.out.contains("\n## Run\n"),
        "{}",
        page.out
    );
    // Where the record is stands beside the page, not on it.
    let place = out.display().to_string();
    assert!(
        !page.out.contains(&place) && page.err.contains(&place),
        "{page:?}"
    );
    let (json, _) = shown("--format json");
    assert_eq!(
        json.json()["summary"]["requests"]["measured"]["completed"],
        6
    );
    let (both, _) = shown("--format markdown --json");
    both.fails(2, &["--format and --json exclude each other"]);
}

#[test]
fn a_dry_run_names_every_target() {
    let line = "run http://a:1 http://b:2 --rate 5 --duration 5s --dry-run";
    let text = infermeter(line).out;
    assert!(
        text.contains("http://a:1") && text.contains("http://b:2"),
        "{text}"
    );
    let json = infermeter(&format!("{line} --json")).json();
    assert_eq!(json["more_targets"], serde_json::json!(["http://b:2"]));
    let one = infermeter("run http://a:1 --rate 5 --duration 5s --dry-run --json");
    assert_eq!(one.json().get("more_targets"), None);
}

/// No line is wider than so many columns, but for single words.
fn fits(text: &str, width: usize) -> bool {
    let alone = |line: &str| !line.trim().contains(' ');
    let mut lines = text.lines();
    lines.all(|line| line.chars().count() <= width || alone(line))
}

#[test]
fn what_is_told_without_a_run_fits_any_width() {
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for line in [
        &format!("workload inspect {DATA}/workload/tests/data/azure-2023-code-head.csv"),
        "workload inspect --clients synthetic --duration 10m",
        "run http://h --clients synthetic --duration 10m --dry-run",
        "run http://h --concurrency 4 --requests 9 --dry-run",
        &format!("audit {DATA}/audit/tests/golden/vllm.json"),
    ] {
        for width in [60, 80, 100, 120, 200] {
            let mut command = crate::process::command(&words(line));
            command.env("COLUMNS", width.to_string());
            let out = crate::process::ran(command).out;
            assert!(!out.is_empty() && fits(&out, width), "{width}:\n{out}");
        }
    }
}

#[test]
fn colour_and_width_are_what_the_environment_says() {
    let run = run(mock(), "");
    let line = format!("report {}", run.dir.display());
    let with = |variables: &[(&str, &str)]| {
        let mut command = crate::process::command(&words(&line));
        command.envs(variables.iter().copied());
        crate::process::ran(command).out
    };
    assert!(fits(&with(&[("COLUMNS", "60")]), 60));
    assert!(fits(&with(&[]), 100) && !fits(&with(&[]), 60));
    assert!(with(&[("CLICOLOR_FORCE", "1")]).contains("\u{1b}[1m"));
    let none = with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!none.contains('\u{1b}'));
}

#[test]
fn quiet_is_the_verdict_and_the_place() {
    let run = run(mock(), "--quiet");
    assert_eq!(run.ran.err, "");
    let lines: Vec<&str> = run.ran.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.ran.out);
    assert!(matches!(lines[0], "Valid" | "Questionable" | "Invalid"));
    assert_eq!(lines[1], run.dir.to_str().expect("UTF-8"));
}

#[test]
fn a_missed_objective_is_code_1_unless_the_measurement_is_worse() {
    // Without warm-up a run is Questionable at best: --strict makes that code 3.
    // Requests enough to decide, though neighbours are alike.
    let run_many = |slo: &str| {
        let load = "--rate 100 --requests 60 --warmup 0 --workload fixed:16,4 --threads 1";
        run_with(
            words(&format!("run {} {load} {UNPROBED} {slo}", mock())),
            |_| {},
        )
    };
    let met = run_many("--slo e2e.p50<1h");
    let missed = run_many("--slo e2e.p50<1ns");
    let verdict = |run: &Run| run.manifest()["verdict"].as_str().map(str::to_owned);
    let expected = |run: &Run, otherwise: i32| match verdict(run).as_deref() {
        Some("invalid") => Some(3),
        _ => Some(otherwise),
    };
    assert_eq!(met.ran.code, expected(&met, 0), "{:#?}", met.ran);
    assert_eq!(missed.ran.code, expected(&missed, 1), "{:#?}", missed.ran);
    assert_eq!(report(&missed, "").code, missed.ran.code);
    assert_eq!(report(&missed, "--strict").code, Some(3));
    assert_eq!(report(&met, "--slo e2e.p50<1ns").code, expected(&met, 1));
    assert_eq!(run_strict().ran.code, Some(3));
    let (tick, cross) = ("✓", "✗");
    assert!(met.ran.out.contains(tick), "{}", met.ran.out);
    assert!(missed.ran.out.contains(cross), "{}", missed.ran.out);
}

#[test]
fn an_objective_without_enough_data_is_undecided_and_code_5() {
    let run = run(mock(), "--slo e2e.p99<1h --slo e2e.p50<1h");
    let code = |otherwise| match run.manifest()["verdict"].as_str() {
        Some("invalid") => Some(3),
        _ => Some(otherwise),
    };
    assert_eq!(run.ran.code, code(5), "{:#?}", run.ran);
    let mut lines = run.ran.out.lines().map(str::trim_start);
    let line = lines.find(|line| line.starts_with("? e2e.p99<1h"));
    let line = line.expect("the objective");
    for part in ["undecided: p99 needs", "(have 6)", "holds the limit"] {
        assert!(line.contains(part), "{line}");
    }
    let json = report(&run, "--json");
    assert_eq!(json.code, code(5));
    assert_eq!(json.json()["summary"]["slo"][0]["status"], "undecided");
}

fn run_strict() -> Run {
    run(mock(), "--strict")
}

#[test]
fn doubts_are_findings_in_the_record_and_in_every_output() {
    let run = run(mock(), "--percentile p99.9 --slo ttft.p99<10s");
    for code in [
        "percentile-unsupported",
        "no-warmup",
        "host-shared-with-server",
    ] {
        let finding = run.finding(code);
        for part in ["message", "evidence", "advice", "severity"] {
            assert!(finding[part].is_string(), "{finding}");
        }
        assert!(run.ran.out.contains(code), "{}", run.ran.out);
    }
    let json = report(&run, "--json").json();
    assert_eq!(json["findings"], run.manifest()["findings"]);
}

#[test]
fn another_objective_is_judged_without_being_kept() {
    let run = run(mock(), "");
    let before = run.manifest();
    let with = report(&run, "--json --slo e2e.p50<1ns");
    let lines = with.json()["summary"]["slo"].as_array().map(Vec::len);
    assert_eq!(lines, Some(1));
    assert_eq!(run.manifest(), before);
}

#[test]
fn nothing_to_measure_is_invalid_not_a_crash() {
    let line = "run http://nobody.invalid --rate 0.001 --duration 1s --warmup 0 --dry-run";
    infermeter(line).fails(2, &["--rate", "--duration", "--requests"]);
}

#[test]
fn without_out_the_record_has_a_name_of_its_own() {
    let scratch = crate::process::Scratch::new();
    let mut command = crate::process::command(&light(mock(), &format!("{UNPROBED} --quiet")));
    command.current_dir(scratch.path(""));
    let ran = crate::process::ran(command);
    let place = ran.out.lines().last().expect("a place").to_owned();
    assert!(place.starts_with("runs/2"), "{place}");
    assert!(scratch.path(&place).join("requests.parquet").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let line = format!("run {} {LIGHT} {UNPROBED} --json --out", mock());
    let scratch = crate::process::Scratch::new();
    let mut arguments = words(&line);
    arguments.push(scratch.path("run").display().to_string());
    let mut command = crate::process::limited("exec > >(true)", &arguments);
    let status = command.stderr(Stdio::null()).status().expect("started");
    assert!(matches!(status.code(), Some(0 | 3)), "{status:?}");
}

#[test]
fn declared_facts_and_the_environment_are_kept() {
    let run = run(
        mock(),
        "--hardware 8xH100 --gpus 8 --engine 'vllm 0.9' --quantization fp8 --label nightly \
         --engine-info version=0.9 --engine-info tp=2",
    );
    let manifest = run.manifest();
    let environment = &manifest["environment"];
    assert_eq!(environment["declared"]["hardware"], "8xH100");
    assert_eq!(environment["declared"]["engine_info"]["tp"], "2");
    assert_eq!(environment["declared"]["engine_info"]["version"], "0.9");
    assert_eq!(environment["declared"]["gpus"], 8);
    assert_eq!(environment["declared"]["engine"], "vllm 0.9");
    assert_eq!(environment["declared"]["quantization"], "fp8");
    assert_eq!(environment["declared"]["label"], "nightly");
    assert!(environment["client"]["host"].is_object());
    assert_eq!(environment["target"]["loopback"], true);
    // Nobody asked: unknown is null, not empty or 0.
    assert_eq!(environment["target"]["server"], Value::Null);
    run.finding("host-shared-with-server");
    assert!(
        run.ran.out.contains("GPU") || run.ran.out.contains("accelerator"),
        "{}",
        run.ran.out
    );
}

#[test]
fn series_come_with_the_json_of_one_run_where_they_are_asked_for() {
    let run = run(mock(), "");
    let plain = report(&run, "--json").json();
    let with = report(&run, "--json --series").json();
    assert!(plain.get("series").is_none());
    assert_eq!(plain["summary"], with["summary"]);
    let bars = with["series"]["requests"]["bars"].as_array().map(Vec::len);
    assert_eq!(bars, Some(run.measured().len()));
    report(&run, "--series").fails(2, &["write --json as well"]);
    let page = report(&run, "--format html").out;
    for slug in [
        "ttft-over-time",
        "ecdf-ttft",
        "itl-over-time",
        "send-lag-over-time",
    ] {
        assert!(page.contains(slug), "no {slug}");
    }
}

#[test]
fn a_page_for_others_says_how_to_measure_the_same_again() {
    let run = run(mock(), "--slo ttft.p99<1s");
    let text = report(&run, "--format markdown").out;
    let command = text.split("infermeter run ").nth(1).expect("a command");
    assert!(
        command.contains("--slo") && command.contains("--rate"),
        "{command}"
    );
    assert!(text.contains("Figures to quote"), "{text}");
    let short = report(&run, "").out;
    assert!(!short.contains("Figures to quote"), "{short}");
}
