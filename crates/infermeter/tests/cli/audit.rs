//! `infermeter audit`: our runs and other tools' results, good files and bad ones.

use crate::process::{Scratch, infermeter, mock, run};
use serde_json::{Value, json};

/// A result of vllm bench serve, without a flaw in its arithmetic.
fn result(rate: f64) -> Value {
    json!({
        "date": "20261120-120000", "backend": "vllm", "model_id": "m", "tokenizer_id": "t",
        "num_prompts": 600, "request_rate": rate, "burstiness": 1.0, "max_concurrency": null,
        "duration": 600.0 / rate, "completed": 600, "failed": 0,
        "total_input_tokens": 60_000, "total_output_tokens": 60_000,
        "request_throughput": rate, "output_throughput": rate * 100.0,
        "total_token_throughput": rate * 200.0,
        "mean_ttft_ms": 80.0, "median_ttft_ms": 75.0, "std_ttft_ms": 9.0, "p90_ttft_ms": 95.0,
        "mean_itl_ms": 11.0, "median_itl_ms": 11.0, "std_itl_ms": 1.0, "p90_itl_ms": 12.0
    })
}

fn outcome<'a>(audit: &'a Value, code: &str) -> &'a Value {
    let checks = audit["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|c| c["code"] == code)
        .expect("the check")
}

#[test]
fn a_file_name_steers_neither_page_nor_terminal() {
    let scratch = Scratch::new();
    let folder = scratch.path("results");
    std::fs::create_dir(&folder).expect("created");
    let names = ["<script>a(1)&lt;|`b`.json", "x\u{1b}[31m\n# y.json"];
    std::fs::write(folder.join(names[0]), result(10.0).to_string()).expect("written");
    std::fs::write(folder.join(names[1]), "{}").expect("written");
    let audit = infermeter(&format!("audit {} --markdown", folder.display()));
    assert_eq!(audit.code, Some(0), "{audit:#?}");
    assert!(!audit.out.contains("<script"), "{}", audit.out);
    let shown = "&lt;script&gt;a(1)&amp;lt;\\|\\`b\\`.json";
    assert!(audit.out.contains(shown), "{}", audit.out);
    assert!(audit.err.contains("left out"), "{}", audit.err);
    assert!(
        !audit.err.contains('\u{1b}') && !audit.err.contains("\n#"),
        "{}",
        audit.err
    );
}

#[test]
fn a_foreign_result_in_three_forms() {
    let scratch = Scratch::new();
    let file = scratch.file("anything.txt", &result(10.0).to_string());
    let text = infermeter(&format!("audit {file}"));
    assert_eq!(text.code, Some(0), "{text:#?}");
    for word in [
        "vllm bench serve, 600 requests completed, no per-request data",
        "Evaluation set-up",
        "single-load-level: There is one load only.",
        "warm-up: no-warmup, short-warmup",
        "itl = chunk gap",
    ] {
        assert!(text.out.contains(word), "no `{word}` in {}", text.out);
    }
    let strict = infermeter(&format!("audit {file} --strict --markdown"));
    assert_eq!(strict.code, Some(3));
    assert!(
        strict.out.starts_with("# Audit of 1 result\n"),
        "{}",
        strict.out
    );
    assert!(
        strict.out.contains("\n- itl = chunk gap ("),
        "{}",
        strict.out
    );
    let audit = infermeter(&format!("audit {file} --json")).json();
    assert_eq!(audit["format_version"], 1);
    assert_eq!(audit["sources"][0]["format"], "vllm");
    assert_eq!(outcome(&audit, "throughput-disagrees")["answer"], "pass");
    assert_eq!(outcome(&audit, "no-warmup")["missing"], "warm-up");
    assert_eq!(
        outcome(&audit, "no-warmup")["page"],
        "audit-checks.md#no-warmup"
    );
    let setup = &audit["dimensions"][1];
    assert_eq!(setup["dimension"], "evaluation_setup");
    assert!(
        setup["coverage"]
            .as_f64()
            .is_some_and(|c| c > 0.0 && c < 1.0)
    );
}

#[test]
fn a_directory_is_one_body_of_evidence() {
    let scratch = Scratch::new();
    scratch.file("1.json", &result(5.0).to_string());
    scratch.file("2.json", &result(10.0).to_string());
    scratch.file("notes.json", "{\"a\": 1}");
    scratch.file("broken.json", "{\"a\": ");
    scratch.file("README.md", "not looked at");
    let directory = scratch.path("").display().to_string();
    let ran = infermeter(&format!("audit {directory} --json"));
    let audit = ran.json();
    assert_eq!(audit["sources"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome(&audit, "single-load-level")["answer"], "pass");
    assert_eq!(
        outcome(&audit, "too-few-rounds")["answer"],
        "not_applicable"
    );
    for word in ["notes.json", "no known format", "broken.json", "cut short"] {
        assert!(ran.err.contains(word), "no `{word}` in {}", ran.err);
    }
}

#[test]
fn two_paths_are_compared() {
    let scratch = Scratch::new();
    let a = scratch.file("a.json", &result(10.0).to_string());
    let mut other = result(10.0);
    other["model_id"] = json!("another");
    let b = scratch.file("b.json", &other.to_string());
    let ran = infermeter(&format!("audit {a} {b} --json --state engine=vllm"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let audit = ran.json();
    assert_eq!(
        outcome(&audit, "models-differ")["evidence"],
        "model: m against another."
    );
    assert_eq!(outcome(&audit, "too-few-rounds")["answer"], "fail");
    assert_eq!(outcome(&audit, "setups-differ")["answer"], "cannot_tell");
}

#[test]
fn a_run_answers_with_its_findings() {
    let measured = run(mock(), "");
    let directory = measured.dir.display().to_string();
    let audit = infermeter(&format!("audit {directory} --json")).json();
    assert_eq!(audit["sources"][0]["format"], "infermeter");
    assert_eq!(audit["sources"][0]["samples"], 6.0);
    assert_eq!(outcome(&audit, "no-warmup")["answer"], "fail");
    assert_eq!(outcome(&audit, "conservation")["answer"], "pass");
    assert_eq!(
        outcome(&audit, "client-bound-likely")["answer"],
        "not_applicable"
    );
    let record = measured.dir.join("requests.parquet");
    let bytes = std::fs::read(&record).expect("read");
    std::fs::write(&record, &bytes[..bytes.len() / 2]).expect("written");
    infermeter(&format!("audit {directory}")).fails(2, &["requests.parquet"]);
    std::fs::write(&record, bytes).expect("written");
    let manifest = measured.dir.join("run.json");
    infermeter(&format!("audit {}", manifest.display())).fails(2, &["give its directory"]);
    let newer = std::fs::read_to_string(&manifest).expect("read");
    let newer = newer.replacen("\"format_version\": 1", "\"format_version\": 99", 1);
    std::fs::write(&manifest, newer).expect("written");
    infermeter(&format!("audit {directory}")).fails(2, &["99", "newer"]);
}

#[test]
fn repeated_runs_are_one_body_of_evidence() {
    let repeated = run(mock(), "--repeat 2");
    let ran = infermeter(&format!("audit {} --json", repeated.dir.display()));
    assert_eq!(ran.err, "", "nothing is left out");
    let audit = ran.json();
    assert_eq!(audit["sources"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome(&audit, "single-run")["answer"], "pass");
    assert_eq!(outcome(&audit, "single-load-level")["answer"], "fail");
}

#[test]
fn what_cannot_be_read_is_said() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty.json", "");
    infermeter(&format!("audit {empty}")).fails(2, &["empty.json", "the file is empty"]);
    let unknown = scratch.file("unknown.json", "{\"completed\": 3}");
    infermeter(&format!("audit {unknown}")).fails(2, &["nearest is vllm bench serve"]);
    infermeter("audit nowhere.json").fails(2, &["nowhere.json"]);
    let directory = scratch.path("").display().to_string();
    infermeter(&format!("audit {directory}")).fails(2, &["no result", "unknown.json"]);
    let file = scratch.file("good.json", &result(1.0).to_string());
    infermeter(&format!("audit {file} --state gpu-modle=x")).fails(2, &["mean gpu-model?"]);
    infermeter(&format!("audit {file} --state gpu-model")).fails(2, &["NAME=VALUE"]);
    infermeter("audit").fails(2, &["PATHS"]);
}

#[test]
fn a_directory_may_hold_anything() {
    let scratch = Scratch::new();
    scratch.file("good.json", &result(5.0).to_string());
    scratch.file("empty.csv", "");
    scratch.file("notes.txt", "not looked at");
    scratch.file(
        "mlperf_log_summary.txt",
        "MLPerf Results Summary\nScenario : Server\nResult is : INVALID\ntarget_qps : 5\n",
    );
    std::fs::write(scratch.path("bytes.json"), [0xff, 0xfe, 0, 1]).expect("written");
    let root = scratch.path("");
    std::fs::create_dir_all(scratch.path("1/2/3/4/5/6/7")).expect("made");
    std::os::unix::fs::symlink(&root, scratch.path("loop")).expect("linked");
    std::os::unix::fs::symlink("nowhere.json", scratch.path("gone.json")).expect("linked");
    std::os::unix::fs::symlink("good.json", scratch.path("twice.json")).expect("linked");
    let ran = infermeter(&format!("audit {} --json", root.display()));
    assert_eq!(
        ran.code,
        Some(3),
        "LoadGen calls its result invalid: {ran:#?}"
    );
    for word in [
        "empty.csv: the file is empty",
        "bytes.json: the file is not text",
        "1/2/3/4/5/6/7: more than 6 directories deep",
    ] {
        assert!(ran.err.contains(word), "no `{word}` in {}", ran.err);
    }
    assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
    let audit = ran.json();
    assert_eq!(audit["sources"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome(&audit, "invalid-by-its-tool")["answer"], "fail");
}

#[test]
fn the_client_behind_a_file_can_be_stated() {
    let scratch = Scratch::new();
    let mut busy = result(100.0);
    busy["output_throughput"] = json!(20_000.0);
    busy["steady_state"] = json!({});
    let file = scratch.file("rust.json", &busy.to_string());
    let judged = |flags: &str| {
        let audit = infermeter(&format!("audit {file} --json {flags}")).json();
        outcome(&audit, "client-bound-likely").clone()
    };
    let silent = judged("");
    assert_eq!(silent["answer"], "cannot_tell");
    assert_eq!(silent["missing"], "the client's cores");
    assert_eq!(judged("--state client-cores=4")["answer"], "pass");
    let one = judged("--state client-cores=0.5");
    assert_eq!(one["answer"], "fail");
    let evidence = one["evidence"].as_str().unwrap_or_default();
    assert!(evidence.contains("30 ms at p99"), "{evidence}");
    let other = judged("--state client=evalscope --state client-cores=2");
    assert_eq!(other["answer"], "fail");
    let unknown = judged("--state client=curl --state client-cores=2");
    assert_eq!(unknown["answer"], "cannot_tell");
    let wrong = infermeter(&format!("audit {file} --state client-cores=many"));
    wrong.fails(2, &["client-cores", "a number"]);
}

#[test]
fn a_mapping_reads_a_table() {
    let scratch = Scratch::new();
    let csv = scratch.file("t.csv", "qps,n,p99\n5,4000,0.3\n9,4000,0.5\n");
    let map = scratch.file(
        "map.toml",
        "unit = \"s\"\n[values]\nrate = \"qps\"\ncompleted = \"n\"\n\"ttft.p99\" = \"p99\"\n\
         [facts]\nload-model = \"open\"\n",
    );
    let audit = infermeter(&format!("audit {csv} --map {map} --json")).json();
    assert_eq!(audit["sources"][1]["samples"], 4000.0);
    assert_eq!(outcome(&audit, "percentile-unsupported")["answer"], "pass");
    let wrong = scratch.file("wrong.toml", "[values]\nrat = \"qps\"\n");
    infermeter(&format!("audit {csv} --map {wrong}")).fails(2, &["wrong.toml", "`rat`"]);
}
