//! Plans that make no sense: code 2, and a message that names the flag, the key or the line and
//! says what to write instead. Nothing is sent and nothing is written.

use crate::process::{LIGHT, Scratch, files_in, infermeter, mock};

/// `run LINE` is refused as a matter of usage, with each of `words`.
#[track_caller]
fn refused(line: &str, words: &[&str]) {
    let ran = infermeter(&format!("run {line}"));
    ran.fails(2, words);
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn a_plan_needs_target_load_and_end() {
    refused(
        "",
        &["no target", "http://localhost:8000", "mock:llama-8b-h100"],
    );
    refused("http://h", &["--rate R", "--concurrency N", "--trace FILE"]);
    refused("http://h --rate 5", &["--duration TIME", "--requests N"]);
}

#[test]
fn impossible_combinations_name_both_sides() {
    for (line, words) in [
        (
            "--rate 5 --concurrency 4",
            ["--rate and --concurrency", "give one"],
        ),
        ("--rate 5 --trace t.csv", ["--rate and --trace", "give one"]),
        (
            "--concurrency 5 --trace t.csv",
            ["--concurrency and --trace", "give one"],
        ),
        ("--rate 5 --arrival gamma", ["--arrival gamma", "--cv"]),
        ("--rate 5 --cv 2", ["--cv", "--arrival gamma"]),
        (
            "--concurrency 5 --arrival constant",
            ["--arrival", "--rate"],
        ),
        ("--concurrency 5 --arrival poisson", ["--arrival", "--rate"]),
        ("--rate 5 --time-scale 2", ["--time-scale", "--trace"]),
        ("--rate 5 --trace-limit 2", ["--trace-limit", "--trace"]),
        ("--rate 5 --thin 0.5", ["--thin", "--trace"]),
        (
            "--rate 5 --rate-profile ramp:1..2/1s",
            ["--rate and --rate-profile", "give one"],
        ),
        ("--rate 5 --arrival weibull", ["--arrival weibull", "--cv"]),
        (
            "--rate 5 --threads 4 --max-connections 2",
            ["--threads 4", "--max-connections"],
        ),
        (
            "--rate 5 --no-stream --first-token-timeout 1s",
            ["--first-token-timeout", "--no-stream"],
        ),
        ("--rate 5 --tls-ca c.pem", ["--tls-ca", "https://"]),
        (
            "--rate 5 --api-key-file k --header 'Authorization: x'",
            ["--api-key-file", "--header Authorization"],
        ),
    ] {
        refused(&format!("http://h --duration 5s {line}"), &words);
    }
    refused(
        "http://u:p@h --rate 5 --duration 5s --api-key-file k",
        &["--api-key-file", "URL"],
    );
}

#[test]
fn numbers_that_are_none_name_their_flag() {
    for (flag, value, word) in [
        ("rate", "-5", "above 0"),
        ("rate", "0", "above 0"),
        ("rate", "nan", "not a number"),
        ("rate", "inf", "not a number"),
        ("rate", "fast", "not a number"),
        ("concurrency", "0", "above 0"),
        ("concurrency", "-3", "whole number"),
        ("concurrency", "1.5", "whole number"),
        ("concurrency", "5000000000", "too large"),
        ("concurrency", "2000000", "1,000,000"),
    ] {
        refused(
            &format!("http://h --duration 5s --{flag} {value}"),
            &[&format!("--{flag}"), word],
        );
    }
    for (flag, value, word) in [
        ("duration", "-2s", "span of time"),
        ("duration", "20", "30s, 500ms"),
        ("duration", "0", "above 0"),
        ("requests", "0", "above 0"),
        ("requests", "-1", "whole number"),
        ("requests", "1e3", "whole number"),
        ("warmup", "50", "50req"),
        ("warmup", "-1s", "warm-up"),
        ("seed", "-1", "whole number"),
        ("workload-seed", "x", "whole number"),
        ("schedule-seed", "1.5", "whole number"),
        ("salt", "x", "whole number"),
        ("threads", "0", "above 0"),
        ("threads", "-2", "whole number"),
        ("threads", "100000", "1024"),
        ("max-connections", "0", "above 0"),
        ("gpus", "0", "above 0"),
        ("timeout", "0", "above 0"),
        ("connect-timeout", "5", "span of time"),
        ("first-token-timeout", "0", "above 0"),
        ("idle-timeout", "-1s", "span of time"),
        ("keepalive", "-1s", "span of time"),
        ("burn", "x", "span of time"),
    ] {
        // The same flag is not given twice.
        let end = if flag == "duration" {
            ""
        } else {
            "--duration 5s"
        };
        refused(
            &format!("http://h --rate 5 {end} --{flag} {value}"),
            &[&format!("--{flag}"), word],
        );
    }
    refused(
        "http://h --rate 5 --duration 5s --arrival gamma --cv -1",
        &["--cv", "above 0"],
    );
}

#[test]
fn names_that_are_none_list_what_there_is() {
    for (line, words) in [
        (
            "--workload chatt",
            &["--workload", "summarization", "fixed:IN,OUT"][..],
        ),
        ("--workload fixed:1,1", &["--workload", "IN at least 16"]),
        (
            "--workload lognormal:220/9,160/0.8",
            &["--workload: character 15, `9`", "sigma from 0.001 to 5"],
        ),
        (
            "--workload mix:chat=1,code=1",
            &["character 12, `code`", "did you mean `code-generation`?"],
        ),
        (
            "--workload empirical:/nowhere.csv",
            &["/nowhere.csv", "--workload empirical:", "cannot be opened"],
        ),
        ("--endpoint pooling", &["--endpoint", "chat", "completions"]),
        (
            "--arrival uniform",
            &["--arrival", "poisson", "constant", "gamma"],
        ),
        ("--slo ttft.p99", &["--slo", "ttft.p99<500ms"]),
        ("--slo tttft.p99<1s", &["--slo", "tttft", "chunk_gap"]),
        ("--slo ttft.p99<5", &["--slo", "500ms"]),
        ("--slo ttft.99<5s", &["--slo", "p99.9"]),
        (
            "--no-stream --slo e2e.p50<1s --slo ttft.p50<1s",
            &["--slo ttft", "--no-stream", "e2e or ntpot"],
        ),
        ("--percentile 75", &["--percentile", "p75"]),
        (
            "--tokenizer nope",
            &["--tokenizer", "o200k", "tokenizer.json"],
        ),
        ("--header no-colon", &["--header", "Name: value"]),
        (
            "--header 'Content-Length: 5'",
            &["--header", "Content-Length"],
        ),
        ("--header 'x-request-id: 5'", &["--header", "x-request-id"]),
        ("--extra-body [1]", &["--extra-body", "object"]),
        ("--extra-body {a", &["--extra-body", "JSON"]),
        ("--raet 5", &["--raet", "--rate"]),
    ] {
        refused(
            &format!("http://h --rate 5 --duration 5s --dry-run {line}"),
            words,
        );
    }
}

#[test]
fn profiles_that_are_none_say_where() {
    for (profile, words) in [
        (
            "rampe:5..50/60s",
            &[
                "--rate-profile: character 1, `rampe`",
                "did you mean `ramp`?",
            ][..],
        ),
        ("ramp:5..50", &["character 6, `5..50`", "ramp:5..50/60s"]),
        ("steps:0/5s", &["all rates are 0"]),
        ("bursts:1e7/1h,0/1h", &["50,000,000"]),
    ] {
        refused(
            &format!("http://h --rate-profile {profile} --duration 10h --dry-run"),
            words,
        );
    }
    refused(
        "http://h --rate-profile steps:5/5s,0/5s --requests 50 --dry-run",
        &["--rate-profile ends at 0", "--duration"],
    );
}

#[test]
fn targets_that_are_none_say_what_to_write() {
    for (target, words) in [
        ("localhost:8000", &["target", "http://"][..]),
        ("ftp://h", &["ftp://", "http://"]),
        ("http://", &["target", "host"]),
        ("http://h:99999", &["99999", "65535"]),
        (
            "http://h/v1/chat/completions",
            &["/chat/completions", "base URL"],
        ),
        ("http://h/?x=y", &["target", "?"]),
        ("mock:llama-8b", &["target", "did you mean `llama-8b-h100`"]),
        ("mock:zzz", &["zzz", "llama-70b-8xh100", "fixed", "null"]),
    ] {
        refused(&format!("{target} --rate 5 --duration 5s --dry-run"), words);
    }
}

#[test]
fn plan_files_name_the_key_or_the_line() {
    let scratch = Scratch::new();
    for (text, words) in [
        (
            "durration = \"5s\"",
            &["durration", "did you mean `duration`"][..],
        ),
        ("max_connections = 5", &["did you mean `max-connections`"]),
        ("RATE = 5", &["did you mean `rate`"]),
        ("zzzzz = 5", &["zzzzz", "flags of `run`"]),
        ("[load]\nrate = 5", &["unknown key `load`"]),
        ("rate = \"abc\"", &["key `rate`", "`abc` is not a number"]),
        ("rate = true", &["key `rate`", "`true` is not a number"]),
        ("seed = 1.5", &["key `seed`", "whole number"]),
        (
            "duration = 20",
            &["key `duration`", "`20` is not a span of time", "30s"],
        ),
        (
            "timeout = -5",
            &["key `timeout`", "`-5` is not a span of time"],
        ),
        ("json = 1", &["key `json`", "true or false"]),
        ("no-stream = \"yes\"", &["key `no-stream`", "true or false"]),
        ("header = [5]", &["key `header`", "list of texts"]),
        ("slo = \"x\"", &["key `slo`", "ttft.p99<500ms"]),
        ("target = []", &["key `target`", "not a text"]),
        ("seed = 1\nrate = 5\nrate = 6", &["line 3", "duplicate key"]),
        (
            "seed = 1\nheader = [\"A: hunter2\"",
            &["line 2", "unclosed array"],
        ),
        ("rate = ", &["line 1"]),
    ] {
        let path = scratch.file("plan.toml", text);
        let ran = infermeter(&format!("run --config {path}"));
        ran.fails(2, &[&format!("plan file {path}")]);
        ran.fails(2, words);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    for (text, words) in [
        ("durration: 5s", &["did you mean `duration`"][..]),
        ("rate: 5\nrate: 6", &["line 2", "duplicate"]),
        (
            "seed: 1\nheader: [\"A: hunter2\", }",
            &["line 2", "bracket"],
        ),
        ("- a\n- b", &["keys and values"]),
        ("concurrency: 1.5", &["key `concurrency`", "whole number"]),
    ] {
        let path = scratch.file("plan.yaml", text);
        let ran = infermeter(&format!("run --config {path}"));
        ran.fails(2, words);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    refused(
        "--config /nowhere/plan.toml",
        &["/nowhere/plan.toml", "cannot be read"],
    );
}

#[test]
fn a_wrong_plan_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let line = format!("{} --out {} {LIGHT} --header x", mock(), out.display());
    refused(&line, &["--header"]);
    let missing = format!(
        "{} --out {} {LIGHT} --api-key-file /nowhere/key",
        mock(),
        out.display()
    );
    refused(&missing, &["--api-key-file /nowhere/key", "cannot be read"]);
    let empty = scratch.file("key", " \n");
    let line = format!(
        "{} --out {} {LIGHT} --api-key-file {empty}",
        mock(),
        out.display()
    );
    refused(&line, &["--api-key-file", "is empty"]);
    assert_eq!(files_in(out.parent().expect("above it")), ["key"]);
}

#[test]
fn an_existing_directory_is_refused() {
    let scratch = Scratch::new();
    let precious = scratch.file("precious", "data");
    let dir = scratch.path("").display().to_string();
    for out in [&dir, &precious] {
        let line = format!("{} {LIGHT} --out {out}", mock());
        refused(&line, &["exists already", "--out"]);
    }
    assert_eq!(std::fs::read_to_string(&precious).expect("there"), "data");
    assert_eq!(files_in(&scratch.path("")), ["precious"]);
}

#[test]
fn other_commands_refuse_what_they_cannot_do() {
    let scratch = Scratch::new();
    let empty = scratch.path("").display().to_string();
    infermeter(&format!("report {empty}")).fails(2, &[&empty, "run.json"]);
    infermeter("report /nowhere").fails(2, &["/nowhere", "not a directory"]);
    let slo = format!("report {empty} --slo x");
    infermeter(&slo).fails(2, &["--slo", "ttft.p99<500ms"]);
    infermeter("mock --preset zzz").fails(2, &["zzz", "llama-8b-h100"]);
    infermeter("mock --fault explode").fails(2, &["--fault", "disconnect-after=N"]);
    infermeter("mock --role-chunk never").fails(2, &["--role-chunk", "with-first"]);
    infermeter("mock --preset llama-8b-h100 --ttft 5ms").fails(2, &["ttft", "fixed"]);
    infermeter("mock --port 99999").fails(2, &["--port"]);
    let taken = mock().rsplit(':').next().expect("a port");
    infermeter(&format!("mock --port {taken}")).fails(2, &[taken, "in use"]);
    infermeter("rnu").fails(2, &["rnu", "--help"]);
}
