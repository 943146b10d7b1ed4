//! Loads of many clients: what is sent, what reaches record and report, and what inspect shows.

use crate::process::{Scratch, infermeter, mock, run_with, words};
use serde_json::json;

const PROFILE: &str = r#"
format-version = 1
name = "two"

[[client]]
name = "busy"
rate = 90
arrival = "gamma"
cv = 2
lengths = "fixed:20,2"

[[client]]
name = "calm"
rate = 30
arrival = "constant"
lengths = "fixed:40,3"
"#;

#[test]
fn each_client_is_a_class_with_its_own_lengths_and_rate() {
    let scratch = Scratch::new();
    let file = scratch.file("two.toml", PROFILE);
    let line = format!(
        "run {} --clients {file} --duration 500ms --warmup 100ms --threads 1 --no-probe --model \
         mock/fixed",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let manifest = run.manifest();
    assert_eq!(manifest["classes"], json!(["busy", "calm"]));
    assert_eq!(manifest["plan"]["clients"], json!(file));
    let asked = manifest["rate_asked"].as_f64().expect("a rate");
    assert!((asked - 120.0).abs() < 1e-6, "{asked}");
    let measured = run.measured();
    for record in &measured {
        let lengths = (
            record.requested_prompt_tokens,
            record.requested_output_tokens,
        );
        assert_eq!(lengths, [(20, 2), (40, 3)][usize::from(record.class)]);
    }
    let calm = measured.iter().filter(|r| r.class == 1).count();
    assert!((14..=16).contains(&calm), "{calm}");
    let out = run.ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "open loop, many clients, 120/s asked on average",
        "Class calm",
    ] {
        assert!(out.contains(said), "no `{said}` in {out}");
    }
}

#[test]
fn a_rate_scales_all_clients_and_the_dry_run_shows_them() {
    let dry = |more: &str| {
        let line = format!("run http://h --clients synthetic --duration 10m --dry-run {more}");
        let ran = infermeter(&line);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.out
    };
    let out = dry("--rate 40");
    for said in [
        "24 clients of synthetic",
        "invented clients, not measured ones",
        "all rates x ",
        "chat-app",
        "14 more",
        "40.0 requests/s asked for on average",
    ] {
        assert!(out.contains(said), "no `{said}` in {out}");
    }
    assert!(!dry("").contains("all rates x"));
}

#[test]
fn the_same_seed_gives_the_same_load_and_inspect_shows_it() {
    let inspect = |more: &str| {
        let line =
            format!("workload inspect --clients synthetic --rate 20 --duration 10m --json {more}");
        let ran = infermeter(&line);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.json()
    };
    let first = inspect("");
    assert_eq!(first, inspect(""));
    assert_ne!(first, inspect("--seed 2"));
    let rate = first["arrivals"]["rate_per_s"].as_f64().expect("a rate");
    assert!((rate - 20.0).abs() < 2.0, "{rate}");
    assert_eq!(first["classes"].as_array().map(Vec::len), Some(24));
    let cv = first["arrivals"]["gap_cv"].as_f64().expect("a CV");
    assert!(cv > 1.1, "{cv}");
    infermeter("workload inspect").fails(2, &["FILE"]);
    infermeter("workload inspect --clients synthetic --rate 0").fails(2, &["--rate"]);
}

#[test]
fn a_wrong_profile_names_the_client() {
    let scratch = Scratch::new();
    let wrong = PROFILE.replace("rate = 30", "rate = -1");
    let file = scratch.file("wrong.toml", &wrong);
    let ran = infermeter(&format!(
        "run http://h --clients {file} --duration 1s --dry-run"
    ));
    ran.fails(2, &["--clients", "client `calm`: rate -1"]);
}

#[test]
fn the_warm_up_meets_bands_that_only_few_requests_have() {
    let line = format!(
        "run {} --concurrency 2 --requests 60 --warmup 8req --threads 1 --workload \
         mix:fixed:20,1=30,fixed:200,1=3,fixed:1800,1=3",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let warm: std::collections::BTreeSet<u32> = run
        .records()
        .iter()
        .filter(|r| r.id < 8)
        .map(|r| r.requested_prompt_tokens)
        .collect();
    assert_eq!(warm.into_iter().collect::<Vec<_>>(), [20, 200, 1_800]);
    let findings = run.manifest()["findings"].to_string();
    assert!(!findings.contains("unwarmed-lengths"), "{findings}");
}

#[test]
fn the_production_profile_is_five_minutes_and_thirty() {
    let ran = infermeter("run http://h --rate 1 --profile production --print-config");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let line = |key: &str| {
        let found = ran.out.lines().find(|line| line.starts_with(key));
        found.unwrap_or_else(|| panic!("no {key} in {}", ran.out))
    };
    for (key, value) in [("warmup", "\"5m\""), ("duration", "\"30m\"")] {
        assert!(line(key).contains(value), "{}", line(key));
        assert!(line(key).ends_with("# profile production"), "{}", line(key));
    }
    assert!(line("profile").ends_with("# flag"));
}
