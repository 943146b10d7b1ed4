//! `infermeter mock`: its parameters on the command line, in a file and in a target, and what it
//! leaves.

use crate::process::{Going, Scratch, files_in, infermeter, light, run_with, words};
use rustix::process::Signal;

#[test]
fn the_printed_parameters_can_be_read_back() {
    let scratch = Scratch::new();
    let first = infermeter("mock --preset fixed --step 5ms --set max-waiting=9 --print-config");
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert!(first.out.contains("step = \"5ms\""), "{}", first.out);
    assert!(first.out.contains("max-waiting = 9 "), "{}", first.out);
    let file = scratch.file("mock.toml", &first.out);
    let again = infermeter(&format!(
        "mock --preset fixed --config {file} --print-config"
    ));
    assert_eq!(again.out, first.out);
    let over = format!("mock --preset fixed --config {file} --set step=7ms --print-config");
    assert!(infermeter(&over).out.contains("step = \"7ms\""));
}

#[test]
fn wrong_parameters_say_what_to_do() {
    for (line, parts) in [
        (
            "mock --set max-nun-seqs=3",
            &["--set", "did you mean `max-num-seqs`"][..],
        ),
        ("mock --set zzz=3", &["zzz", "--print-config"]),
        ("mock --set seed", &["NAME=VALUE"]),
        (
            "mock --set kv-blocks=10",
            &["160 tokens", "131072", "8192 blocks"],
        ),
        (
            "mock --config /nonexistent.toml",
            &["--config /nonexistent.toml"],
        ),
        ("mock --spin sometimes", &["--spin", "auto, on, off"]),
        (
            "mock --tls-cert /nonexistent.pem --tls-key /nonexistent.pem",
            &["certificate"],
        ),
        (
            "run mock:fixed?stp=1ms --rate 1 --requests 1",
            &["target", "did you mean `step`"],
        ),
        (
            "run mock:fixed?max-num-seqs=0 --rate 1 --requests 1",
            &["max-num-seqs is 0"],
        ),
    ] {
        let said = infermeter(line);
        said.fails(2, parts);
    }
}

#[test]
fn a_target_carries_parameters_to_the_simulator() {
    let target = "mock:fixed?ttft=3ms&step=2ms&model=mock/other";
    let run = run_with(light(target, "--no-probe"), |_| {});
    let manifest = run.manifest();
    assert_eq!(manifest["model"], "mock/other");
    assert_eq!(manifest["plan"]["target"], target);
    run.completes();
}

#[test]
fn the_truth_log_becomes_a_table_when_it_is_asked_for() {
    let scratch = Scratch::new();
    let dir = scratch.path("logs");
    std::fs::create_dir(&dir).expect("created");
    let table = dir.join("truth.parquet");
    let line = format!("mock --preset fixed --port 0 --truth {}", table.display());
    let mut going = Going::start(&words(&line));
    going.until_says("Ctrl-C");
    assert_eq!(files_in(&dir), ["truth.parquet.jsonl"]);
    going.signal(Signal::INT);
    let ended = going.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(files_in(&dir), ["truth.parquet"]);
    let bytes = std::fs::read(&table).expect("there");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}
