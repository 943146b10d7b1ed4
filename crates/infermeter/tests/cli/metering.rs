//! `infermeter metering`: the simulator's truth log beside what a gateway might have metered.

use crate::process::{Going, Scratch, infermeter, run, words};
use rustix::process::Signal;
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The requests of a truth log.
fn requests(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("a log");
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["kind"] == "request")
        .collect()
}

/// Rows of a CSV as a gateway would write them: one for each request, under the id of its answer.
fn csv(requests: &[Value]) -> Vec<String> {
    let row = |request: &Value| {
        format!(
            "chatcmpl-{},team,mock/fixed,{},{}",
            request["request_id"].as_str().expect("an id"),
            request["prompt_tokens"],
            request["output_tokens"]
        )
    };
    requests.iter().map(row).collect()
}

fn written(scratch: &Scratch, rows: &[String]) -> String {
    let header = "id,key,model,prompt_tokens,completion_tokens";
    scratch.file("spend.csv", &format!("{header}\n{}\n", rows.join("\n")))
}

#[test]
fn what_was_metered_is_compared_with_what_was_served() {
    let scratch = Scratch::new();
    let log = scratch.path("truth.jsonl");
    let port = free_port();
    let line = format!(
        "mock --preset fixed --ttft 2ms --step 1ms --port {port} --truth {}",
        log.display()
    );
    let mut mock = Going::start(&words(&line));
    mock.until_says("Ctrl-C");
    let asked = run(&format!("http://127.0.0.1:{port}"), "");
    // Killed, it would lose the end of its log.
    mock.signal(Signal::INT);
    assert_eq!(mock.end().code, Some(0));
    let served = requests(&log);
    assert_eq!(served.len(), asked.records().len());
    let truth = log.display();
    let rows = csv(&served);
    let metered = written(&scratch, &rows);
    let same = infermeter(&format!("metering {truth} {metered} --json"));
    assert_eq!(same.code, Some(0), "{}", same.out);
    let same = same.json();
    assert_eq!(
        (&same["agrees"], &same["joined_by"]),
        (&true.into(), &"request_id".into())
    );
    assert_eq!(same["served"]["requests"], served.len());

    // One billed twice, one not at all, one that nobody served, one with other tokens.
    let mut wrong = rows.clone();
    wrong.push(rows[0].clone());
    wrong.remove(1);
    wrong.push("chatcmpl-unheard-of,team,mock/fixed,5,5".to_owned());
    let last = wrong.len() - 3;
    wrong[last] = format!("{}9", wrong[last]);
    let metered = written(&scratch, &wrong);
    let told = infermeter(&format!("metering {truth} {metered} --json"));
    assert_eq!(told.code, Some(1), "{}", told.err);
    let told = told.json();
    for kind in ["double", "missing", "unknown", "output_differs"] {
        assert_eq!(told[kind]["requests"], 1, "{kind}: {told:#}");
    }
    let shown = infermeter(&format!("metering {truth} {metered}"));
    for part in [
        "What was metered is not",
        "Metered more than once",
        "Served and not metered",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
}

#[test]
fn what_cannot_be_compared_says_why() {
    let scratch = Scratch::new();
    let truth = scratch.file("truth.jsonl", "{}\n");
    let rows = scratch.file("rows.csv", "id,prompt_tokens\na,1\n");
    infermeter(&format!("metering {truth} {rows}")).fails(2, &["truth log, line 1"]);
    infermeter(&format!("metering /nonexistent {rows}")).fails(2, &["/nonexistent"]);
    infermeter("metering").fails(2, &["TRUTH"]);
    let map = scratch.file("map.toml", "[values]\ntokens = \"x\"\n");
    let line = format!("metering {truth} {rows} --map {map}");
    infermeter(&line).fails(2, &["--map", "`tokens` is not a fact"]);
}
