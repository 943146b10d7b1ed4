//! Good plans: flags, plan files, defaults, what is printed of them, and the dry run.

use crate::process::{Scratch, infermeter, words};
use std::fmt::Write;

/// The lines of `--print-config` that are not defaults, blanks squeezed.
fn not_default(line: &str) -> String {
    let ran = infermeter(&format!("run {line} --print-config"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.err, "");
    let mut shown = String::new();
    for line in ran.out.lines().filter(|line| !line.ends_with("# default")) {
        let squeezed: Vec<&str> = line.split_whitespace().collect();
        writeln!(shown, "{}", squeezed.join(" ")).expect("a string");
    }
    shown
}

#[test]
fn every_flag_reaches_the_plan() {
    let flags = "http://host:1/base --out d --rate 2.5 --arrival gamma --cv 2 --duration 90s \
                 --requests 7 --warmup 10s+5req --workload fixed:20,3 --model m --endpoint \
                 completions --no-stream --seed 3 --workload-seed 4 --schedule-seed 5 --salt 6 \
                 --tokenizer cl100k --threads 2 --max-connections 9 --slo ttft.p99<500ms --slo \
                 e2e.p75<2s --percentile p75 --connect-timeout 1s --timeout 2m \
                 --idle-timeout 3s --keepalive 500ms --retry-stale --header 'a: b' --header \
                 'c: d' --extra-body {\"top_p\":0.5} --api-key-file k --save-responses --json \
                 --quiet --strict --publication --probe-response-cache --no-probe --hardware h100 --gpus 8 --engine vllm \
                 --quantization fp8 --label x --io epoll --audit-send --burn 10us";
    let expected = "\
target = \"http://host:1/base\" # flag
out = \"d\" # flag
rate = 2.5 # flag
arrival = \"gamma\" # flag
cv = 2.0 # flag
duration = \"90s\" # flag
requests = 7 # flag
warmup = \"10s+5req\" # flag
workload = \"fixed:20,3\" # flag
model = \"m\" # flag
endpoint = \"completions\" # flag
no-stream = true # flag
seed = 3 # flag
workload-seed = 4 # flag
schedule-seed = 5 # flag
salt = 6 # flag
tokenizer = \"cl100k\" # flag
threads = 2 # flag
max-connections = 9 # flag
slo = [\"ttft.p99<500ms\", \"e2e.p75<2s\"] # flag
percentile = [\"p75\"] # flag
connect-timeout = \"1s\" # flag
timeout = \"2m\" # flag
idle-timeout = \"3s\" # flag
keepalive = \"500ms\" # flag
retry-stale = true # flag
header = [\"a: ***\", \"c: ***\"] # flag
extra-body = { \"top_p\" = 0.5 } # flag
api-key-file = \"k\" # flag
save-responses = true # flag
json = true # flag
quiet = true # flag
strict = true # flag
publication = true # flag
no-probe = true # flag
probe-response-cache = true # flag
hardware = \"h100\" # flag
gpus = 8 # flag
engine = \"vllm\" # flag
quantization = \"fp8\" # flag
label = \"x\" # flag
io = \"epoll\" # flag
audit-send = true # flag
burn = \"10us\" # flag
";
    assert_eq!(not_default(flags), expected);
    let others = "https://h --trace t.csv --trace-limit 5 --trace-option sort --time-scale 0.5 \
                  --thin 0.25 --tls-ca c.pem --first-token-timeout 4s";
    let expected = "\
target = \"https://h\" # flag
trace = \"t.csv\" # flag
trace-limit = 5 # flag
trace-option = [\"sort\"] # flag
time-scale = 0.5 # flag
thin = 0.25 # flag
first-token-timeout = \"4s\" # flag
tls-ca = \"c.pem\" # flag
";
    assert_eq!(not_default(others), expected);
    assert_eq!(not_default("--concurrency 32"), "concurrency = 32 # flag\n");
    let varying = "--rate-profile ramp:5..50/60s,repeat --workload mix:chat=7,fixed:20,3=3 \
                   --prefix shared:8/fixed:1000/0.5";
    let expected = "\
rate-profile = \"ramp:5..50/1m,repeat\" # flag
workload = \"mix:chat=7,fixed:20,3=3\" # flag
prefix = \"shared:8/1000/0.5\" # flag
";
    assert_eq!(not_default(varying), expected);
}

#[test]
fn toml_and_yaml_say_the_same_and_flags_win() {
    let scratch = Scratch::new();
    let toml = "# a plan\ntarget = \"mock:fixed\"\nrate = 20\nduration = \"60s\"\nwarmup = 0\n\
                slo = [\"ttft.p99<500ms\"]\nheader = \"x-a: secret-value\"\nno-stream = true\n\
                label = 7\n[extra-body]\napi_key = \"hide\"\n";
    let yaml = "# a plan\ntarget: mock:fixed\nrate: 20\nduration: 60s\nwarmup: 0\n\
                slo: ['ttft.p99<500ms']\nheader: 'x-a: secret-value'\nno-stream: true\n\
                label: 7\nextra-body: {api_key: hide}\n";
    for (name, text) in [("plan.toml", toml), ("plan.yaml", yaml), ("plan.yml", yaml)] {
        let path = scratch.file(name, text);
        let expected = format!(
            "target = \"mock:fixed\" # file {path}\nrate = 5.5 # flag\nduration = \"1m\" # file \
             {path}\nwarmup = \"0\" # file {path}\nno-stream = true # file {path}\nslo = \
             [\"ttft.p99<500ms\"] # file {path}\nheader = [\"x-a: ***\"] # file \
             {path}\nextra-body = {{ \"api_key\" = \"***\" }} # file \
             {path}\nlabel = \"7\" # file {path}\n"
        );
        assert_eq!(
            not_default(&format!("--config {path} --rate 5.5")),
            expected
        );
    }
}

#[test]
fn what_is_printed_is_a_plan_file_again() {
    let scratch = Scratch::new();
    let line = "mock:fixed --concurrency 3 --requests 10 --warmup 5req --slo itl.p50<1s";
    let printed = infermeter(&format!("run {line} --print-config")).out;
    let path = scratch.file("again.toml", &printed);
    let again = infermeter(&format!("run --config {path} --print-config")).out;
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| {
            line.split("  #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        text.lines().map(value).collect()
    };
    assert_eq!(values(&printed), values(&again));
}

#[test]
fn a_dry_run_tells_what_would_be_sent() {
    let line = "http://nobody.invalid --rate 10 --arrival constant --duration 20s --warmup 2s \
                --workload fixed:100,20 --timeout 30s --slo e2e.p75<1s --percentile p99.99";
    let ran = infermeter(&format!("run {line} --dry-run"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for said in [
        "http://nobody.invalid",
        "fixed, 100 prompt and 20 output tokens a request",
        "open loop, 10.0 requests/s",
        "in 2 s",
        "200 requests in 20 s",
        // 20 tokens at 10 ms each; the load goes on for the whole time-out at most.
        "about 2 requests in 200 ms, at most 300 requests in 30 s",
        "at most 520 requests in 52 s",
        "20,000 prompt and 4,000 output tokens",
        "p50 yes",
        "p75 yes",
        "p99 needs 1,000",
        "p99.99 needs 100,000",
        "Nothing was sent.",
    ] {
        assert!(ran.out.contains(said), "no `{said}` in\n{}", ran.out);
    }
    let ran = infermeter("run http://nobody.invalid --concurrency 4 --requests 9 --dry-run");
    for said in [
        "closed loop, 4 requests in flight",
        "9 requests",
        "30s+50req, at most 2m",
    ] {
        assert!(ran.out.contains(said), "no `{said}` in\n{}", ran.out);
    }
}

#[test]
fn a_dry_run_is_json_where_that_is_asked_for() {
    let line = "run http://nobody.invalid --rate 10 --arrival constant --duration 20s --warmup 2s \
                --workload fixed:100,20 --timeout 30s --dry-run --json";
    let told = infermeter(line).json();
    assert_eq!(told["dry_run"], true);
    let requests = |part: &str| told[part]["requests"].as_u64();
    let sum = requests("warmup")
        .zip(requests("window"))
        .map(|(a, b)| a + b);
    let drain = told["drain"]["estimated"]["requests"].as_u64();
    let all = told["total"]["estimated"]["requests"].as_u64();
    assert_eq!(sum.zip(drain).map(|(a, b)| a + b), all);
    assert_eq!(told["total"]["at_most"]["seconds"], 52.0);
    assert_eq!(
        told["percentiles"][0],
        serde_json::json!({
            "percentile": 50.0, "needs": 20, "supported": true
        })
    );
}

#[test]
fn wrong_arguments_take_a_line() {
    for (line, said) in [
        (
            "run mock:fixed --json=false",
            "unexpected value 'false' for '--json'",
        ),
        (
            "run mock:fixed --ratee 5",
            "a similar argument exists: '--rate'",
        ),
        ("rum", "similar subcommand"),
        ("report", "required arguments"),
    ] {
        let ran = infermeter(line);
        ran.fails(2, &["error: ", said, "--help"]);
        assert_eq!(
            (ran.err.lines().count(), ran.out.as_str()),
            (1, ""),
            "{ran:#?}"
        );
    }
    let ran = infermeter("run mock:fixed --rate 1e9 --duration 1s");
    ran.fails(2, &["--rate", "above 0 and at most 10000000"]);
}

#[test]
fn a_dry_run_tells_what_a_profile_and_a_mixture_mean() {
    let line = "run http://nobody.invalid --rate-profile ramp:10..50/20s --arrival constant \
                --duration 40s --warmup 10s --workload mix:fixed:100,20=3,fixed:200,60=1 --dry-run";
    let ran = infermeter(line);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for said in [
        "fixed:100,20, fixed:200,60, 125 prompt and 30 output tokens a request (means)",
        // 600 arrivals on the ramp, 1,000 after it.
        "open loop, 40.0 requests/s asked for on average over the window",
        "ramp:10..50/20s from the start of the window, then 50/s; 10.0/s during the warm-up",
        "100 requests in 10 s",
        "1,600 requests in 40 s",
    ] {
        assert!(ran.out.contains(said), "no `{said}` in\n{}", ran.out);
    }
    let line = "run http://nobody.invalid --rate-profile bursts:50/5s,5/25s --duration 60s \
                --dry-run";
    let ran = infermeter(line);
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "repeated every 30s; 12.5/s during the warm-up";
    assert!(flat.contains(said), "{}", ran.out);
}

#[test]
fn the_same_seed_plans_the_same_load() {
    let dry = |seeds: &str| {
        let line = "run http://nobody.invalid --rate 7 --duration 30s --dry-run";
        infermeter(&format!("{line} {seeds}")).out
    };
    assert_eq!(dry("--seed 5"), dry("--seed 5"));
    assert_ne!(dry("--seed 5"), dry("--seed 6"));
    assert_eq!(
        dry("--seed 5 --schedule-seed 9"),
        dry("--seed 6 --schedule-seed 9")
    );
}

#[test]
fn help_names_every_flag_and_the_exit_codes() {
    let top = infermeter("--help");
    assert_eq!(top.code, Some(0));
    assert!(top.out.contains("130 interrupted"), "{}", top.out);
    let help = infermeter("run --help").out;
    let flags = "--out --rate --rate-profile --thin --concurrency --trace --trace-limit --trace-option --arrival --cv --duration \
                 --requests --warmup --workload --model --endpoint --no-stream --seed \
                 --workload-seed --schedule-seed --tokenizer --time-scale --threads \
                 --max-connections --slo --connect-timeout --timeout --first-token-timeout \
                 --idle-timeout --header --extra-body --save-responses --json --quiet --strict \
                 --publication --fail-if --baseline --no-probe --config --print-config --dry-run --keepalive --retry-stale \
                 --api-key-file --tls-ca --hardware --gpus --engine --quantization --io --audit-send \
                 --prefix --probe-response-cache";
    for flag in words(flags) {
        assert!(
            help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
            "{flag}"
        );
    }
    assert_eq!(infermeter("--version").code, Some(0));
    assert_eq!(infermeter("mock --help").code, Some(0));
    assert_eq!(infermeter("report --help").code, Some(0));
}
