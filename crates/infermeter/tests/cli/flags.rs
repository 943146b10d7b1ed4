//! Help, and names that people bring along from other tools.

use crate::process::{Scratch, infermeter};

#[test]
fn short_help_shows_what_most_need_and_long_help_everything() {
    let short = infermeter("run -h").out;
    let flags = |help: &str| {
        let lines = help.lines().map(str::trim_start);
        let flags = lines.filter(|line| line.starts_with("--") && !line.starts_with("--help "));
        flags.count()
    };
    assert!((12..=18).contains(&flags(&short)), "{short}");
    assert_eq!(short.matches("  infermeter run ").count(), 3, "{short}");
    assert!(short.contains("--help shows every flag"), "{short}");
    let long = infermeter("run --help").out;
    assert!(flags(&long) > 80, "{long}");
    assert!(long.len() > 3 * short.len());
    for heading in ["Load:", "Requests:", "Result:", "Client:"] {
        assert!(long.contains(&format!("\n{heading}\n")), "{heading}");
    }
    for (help, hidden) in [
        (&short, "--burn"),
        (&long, "--request-rate"),
        (&long, "--url"),
    ] {
        assert!(!help.contains(hidden), "{hidden}");
    }
    for help in [&short, &long] {
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    assert!(infermeter("help run").out.contains("--burn"));
}

#[test]
fn flags_of_other_tools_are_understood() {
    let line = "run --base-url http://h --request-rate 5 -n 10 -z 1m30s --dry-run --json";
    let told = infermeter(line).json();
    assert_eq!(told["target"], "http://h");
    assert_eq!(told["window"]["requests"], 10);
    let told = infermeter("run --url http://h -c 4 --num-prompts 9 --dry-run --json").json();
    assert_eq!(told["load_model"], "closed_loop");
    let printed = infermeter("run --url http://h --qps 2 --print-config").out;
    assert!(printed.contains("rate = 2.0"), "{printed}");
}

#[test]
fn messages_say_it_in_the_words_of_the_user() {
    let scratch = Scratch::new();
    let plan = scratch.file("plan.toml", "thin = 0.5\nrate = 5\nduration = \"5s\"\n");
    for (line, said) in [
        (
            "http://h --request-rate inf --duration 5s".to_owned(),
            "--request-rate: `inf` is not a number; all requests at once have no rate: --concurrency N",
        ),
        (
            "http://h --qps 0 --duration 5s".to_owned(),
            "--qps: 0 must be above 0 and at most 10000000",
        ),
        (
            "http://h --qps 5 --max-concurrency 4 --duration 5s".to_owned(),
            "--qps and --max-concurrency exclude each other: give one",
        ),
        (
            "http://h --rate 5 --qps 4".to_owned(),
            "--qps and --rate are the same flag: give one",
        ),
        (
            format!("http://h --config {plan}"),
            ": `thin` needs --trace: to lower any other load, lower its `rate`",
        ),
        (
            "http://h --rate 5 --num-warmups 3".to_owned(),
            "unexpected argument '--num-warmups' found; --warmup 50req waits for 50 requests",
        ),
        (
            "http://h --request-rat 5".to_owned(),
            "a similar argument exists: '--rate'",
        ),
        (
            "http://h --rate 5 --duration 1h30".to_owned(),
            "--duration: `1h30` is not a span of time: write a number and a unit, as in 30s",
        ),
        (
            "http://h --rate 5 --duration 5s --endpoint /v1/completions".to_owned(),
            "--endpoint: `/v1/completions` is not one of",
        ),
    ] {
        let ran = infermeter(&format!("run {line} --dry-run"));
        ran.fails(2, &["error: ", said]);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    let ran = infermeter("run http://h --rate 5 --utnil x");
    assert!(!ran.err.contains("--url"), "{}", ran.err);
}

#[test]
fn the_plan_file_may_come_from_print_config_whatever_the_load() {
    let scratch = Scratch::new();
    for load in [
        "--concurrency 3 --requests 9",
        "--clients synthetic --rate 5 --duration 5s",
    ] {
        let printed = infermeter(&format!("run http://h {load} --print-config")).out;
        let plan = scratch.file("again.toml", &printed);
        let ran = infermeter(&format!("run --config {plan} --dry-run"));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    }
}

/// What is wrong is one line, whatever the parser of the command line adds to it.
#[test]
fn a_flag_without_its_value_is_refused_in_a_line() {
    let refused = infermeter("run http://h --rate-profile");
    refused.fails(2, &["--rate-profile", "see --help"]);
    assert_eq!(refused.err.trim_end().lines().count(), 1, "{refused:#?}");
}
