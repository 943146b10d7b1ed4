//! Answers are checked under the measured load: an honest server is believed, one that breaks is named, and everything is
//! computed again without a text. Servers of this file's own say what the simulator does not.

use crate::process::{
    Going, Run, Scratch, UNPROBED, everything_in, finding, infermeter, manifest, mock, run_with,
    wait_until, words,
};
use crate::server::{DONE, MODELS, Request, Server, Then, reply, reply_events};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::Path;

/// A hundred and twenty answers of 40 tokens in little more than a second.
const LOAD: &str = "--rate 100 --requests 120 --warmup 0 --workload fixed:160,40 --threads 1";

fn checked(target: &str, more: &str) -> Run {
    run_with(words(&format!("run {target} {LOAD} {more}")), |_| {})
}

fn answers(run: &Run) -> Value {
    run.manifest()["summary"]["answers"].clone()
}

/// The codes of findings about answers that weigh more than a note.
fn accusations(manifest: &Value) -> Vec<String> {
    let about = |code: &str| {
        let starts = [
            "answers-",
            "canar",
            "prompt-trunc",
            "first-token",
            "schema-",
            "tools-",
            "reasoning-",
        ];
        starts.iter().any(|start| code.starts_with(start))
    };
    let findings = manifest["findings"].as_array().expect("a list");
    let grave = findings
        .iter()
        .filter(|finding| finding["severity"] != "note");
    let codes = grave.filter_map(|finding| finding["code"].as_str());
    codes
        .filter(|code| about(code))
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_honest_server_is_believed() {
    let run = checked(mock(), "--check-answers --canaries 20%");
    let answers = answers(&run);
    assert_eq!(answers["checked"], 120, "{answers:#}");
    assert_eq!(answers["corrupted"]["count"], 0, "{answers:#}");
    let canaries = &answers["canaries"];
    assert!(
        canaries["answered"].as_u64().expect("a count") > 10,
        "{canaries:#}"
    );
    for right in ["right", "right_before", "right_after"] {
        assert_eq!(canaries[right]["value"], 1.0, "{right} in {canaries:#}");
    }
    assert_eq!(canaries["paired"]["lost"], 0, "{canaries:#}");
    let accused = accusations(&run.manifest());
    assert!(accused.is_empty(), "{accused:?}");
    assert!(
        run.ran.out.contains("Answers, read when the load was over"),
        "{}",
        run.ran.out
    );
    assert!(!run.dir.join("responses.jsonl").exists());
}

#[test]
fn a_run_without_the_flags_knows_nothing_of_answers() {
    let run = checked(mock(), "");
    assert_eq!(answers(&run), Value::Null);
    assert!(!run.ran.out.contains("Answers"), "{}", run.ran.out);
    assert!(run.records().iter().all(|record| record.answer.is_none()));
}

#[test]
fn garbage_is_named_and_everything_is_computed_again_without_texts() {
    let target = "'mock:fixed?ttft=2ms&step=1ms&cheat=garbage-above:30%@0'";
    let run = checked(target, "--check-answers --slo e2e.p50<10s");
    let manifest = run.manifest();
    let found = run.finding("answers-corrupted");
    assert_eq!(found["severity"], "error", "{found:#}");
    assert!(
        found["evidence"].to_string().contains("; requests "),
        "{found:#}"
    );
    assert_eq!(run.ran.code, Some(3), "{:#?}", run.ran);
    let answers = &manifest["summary"]["answers"];
    let corrupted = answers["corrupted"]["count"].as_u64().expect("a count");
    assert!((15..=60).contains(&corrupted), "{answers:#}");
    // A corrupted answer is no good one.
    let met = manifest["summary"]["goodput"]["attainment"]["count"].as_u64();
    assert!(
        met.is_none_or(|met| met <= 120 - corrupted),
        "{:#}",
        manifest["summary"]["goodput"]
    );

    // No text is anywhere, and the report has the same figures.
    let bytes = everything_in(&run.dir);
    assert!(!bytes.windows(8).any(|bytes| bytes == b"!!!!!!!!"));
    let again = infermeter(&format!("report {} --json", run.dir.display()));
    assert_eq!(&again.json()["summary"]["answers"], answers);
    let verified = infermeter(&format!("verify {}", run.dir.display()));
    assert_eq!(verified.code, Some(0), "{verified:#?}");
}

#[test]
fn texts_are_kept_where_they_are_asked_for() {
    let run = checked(mock(), "--check-answers --save-responses");
    let texts = std::fs::read_to_string(run.dir.join("responses.jsonl")).expect("texts");
    // Those that were cut behind the load are there, too.
    assert!(texts.lines().count() >= 120, "{}", texts.lines().count());
    assert_eq!(answers(&run)["checked"], 120);
}

#[test]
fn a_publication_has_its_answers_checked() {
    let run = checked(mock(), "--publication");
    assert_eq!(answers(&run)["checked"], 120);
}

#[test]
fn workers_check_their_parts_and_the_whole_is_computed_from_them() {
    let run = checked("mock:fixed", "--check-answers --canaries 20% --workers 2");
    let answers = answers(&run);
    assert_eq!(answers["checked"], 120, "{:#?}", run.ran);
    assert_eq!(answers["canaries"]["right"]["value"], 1.0, "{answers:#}");
    assert!(accusations(&run.manifest()).is_empty());
}

#[test]
fn what_cannot_be_checked_is_refused_before_anything_is_sent() {
    let ran = infermeter(&format!(
        "run {} --rate 1 --requests 1 --endpoint embeddings --check-answers",
        mock()
    ));
    ran.fails(2, &["--check-answers", "nothing is generated"]);
    let ran = infermeter(&format!(
        "run {} --rate 1 --requests 1 --endpoint rerank --canaries 5%",
        mock()
    ));
    ran.fails(2, &["--canaries", "nothing is generated"]);
    let ran = infermeter(&format!(
        "run {} --rate 1 --requests 1 --canaries 0",
        mock()
    ));
    ran.fails(
        2,
        &[
            "--canaries",
            "`0` is not a share of the requests",
            "write 2%",
        ],
    );
    let ran =
        infermeter("run 'mock:fixed?cheat=garbage-abov' --rate 1 --requests 1 --check-answers");
    ran.fails(2, &["did you mean `garbage-above`?"]);
    let ran = infermeter(&format!(
        "run {} --rate 1 --requests 1 --chek-answers",
        mock()
    ));
    ran.fails(2, &["--check-answers"]);
}

#[test]
fn a_file_with_bad_rows_is_named_with_its_lines() {
    let scratch = Scratch::new();
    let good = r#"{"prompt": "2+2?", "answer": 4, "kind": "number"}"#;
    let refused = |name: &str, second: &str, said: &str| {
        let file = scratch.file(name, &format!("{good}\n\n{second}\n"));
        let ran = infermeter(&format!(
            "run {} --rate 1 --requests 1 --eval {file}",
            mock()
        ));
        ran.fails(2, &[name, "line 3", said]);
    };
    refused("cut.jsonl", "{\"prompt\": \"2+2?\"", "");
    refused(
        "kind.jsonl",
        r#"{"prompt": "a", "answer": 4, "kind": "numbr"}"#,
        "number",
    );
    refused(
        "none.jsonl",
        r#"{"prompt": "a", "kind": "exact"}"#,
        "it has no `answer`",
    );
    let empty = scratch.file("empty.jsonl", "\n");
    infermeter(&format!(
        "run {} --rate 1 --requests 1 --eval {empty}",
        mock()
    ))
    .fails(2, &["empty.jsonl", "no rows"]);
    let absent = scratch.path("absent.jsonl");
    infermeter(&format!(
        "run {} --rate 1 --requests 1 --eval {}",
        mock(),
        absent.display()
    ))
    .fails(2, &["absent.jsonl"]);
}

#[test]
fn an_evaluation_rides_in_the_load_and_has_its_score() {
    let run = checked(mock(), "--eval builtin,share=20%");
    let evals = answers(&run)["evals"].clone();
    let eval = &evals[0];
    assert_eq!(eval["synthetic"], true, "{evals:#}");
    assert!(eval["answered"].as_u64().expect("a count") > 10, "{eval:#}");
    for right in ["right", "right_before"] {
        assert_eq!(eval[right]["value"], 1.0, "{right} in {eval:#}");
    }
    assert!(accusations(&run.manifest()).is_empty());
}

#[test]
fn answers_under_load_are_held_against_those_given_alone() {
    let run = checked(mock(), "--reference solo:5 --sampling temperature=0");
    let references = answers(&run)["references"].clone();
    assert_eq!(references["compared"], 5, "{references:#}");
    assert_eq!(references["equal"]["value"], 1.0, "{references:#}");
    assert_eq!(references["deterministic_asked"], true);
    assert!(
        accusations(&run.manifest())
            .iter()
            .all(|code| !code.starts_with("reference-div"))
    );
    // Without greedy sampling or a seed it says little, and that is said.
    let run = checked(mock(), "--reference solo:5 --sampling temperature=0.9");
    run.finding("reference-meaningless");
}

/// What a comparison says of the answers of its other side.
fn beside(other: &str, more: &str) -> (Value, Vec<String>) {
    let scratch = Scratch::new();
    let out = scratch.path("compared");
    let ran = infermeter(&format!(
        "compare 'mock:fixed?ttft=2ms&step=1ms' {other} --answers --rounds 2 --rate 50 --duration 500ms --warmup 0 \
         --workload fixed:60,40 --threads 1 --sampling temperature=0 --json --out {} {more}",
        out.display()
    ));
    let json = ran.json();
    let comparison = &json["comparison"];
    let findings = comparison["findings"].as_array().expect("a list");
    let codes = findings
        .iter()
        .filter_map(|finding| finding["code"].as_str());
    let codes = codes.filter(|code| code.starts_with("same-model-"));
    let codes = codes.map(str::to_owned).collect();

    // It comes from the record: the directory says the same.
    let again = infermeter(&format!("compare {} --json", out.display()));
    assert_eq!(
        &again.json()["comparison"]["answered"],
        &comparison["answered"]
    );
    (comparison["answered"][0].clone(), codes)
}

#[test]
fn a_side_that_answers_otherwise_is_named() {
    let (same, codes) = beside("'mock:fixed?ttft=3ms&step=1ms'", "--reference solo:10");
    assert_eq!(same["prompts"], 20, "{same:#}");
    assert_eq!(same["says"], "equal", "{same:#}");
    assert!(codes.is_empty(), "{codes:?}");

    let (other, codes) = beside(
        "'mock:fixed?ttft=2ms&step=1ms&seed=7'",
        "--reference solo:10",
    );
    assert_eq!(other["says"], "different", "{other:#}");
    assert_eq!(codes, ["same-model-unlikely"]);

    let (few, codes) = beside("'mock:fixed?ttft=3ms&step=1ms'", "--reference solo:3");
    assert_eq!(few["says"], "unknown", "{few:#}");
    assert_eq!(codes, ["same-model-unproven"]);
}

#[test]
fn sides_with_one_server_have_no_prompt_in_common() {
    let ran = infermeter("compare mock:fixed mock:fixed --answers --rate 10 --duration 1s");
    ran.fails(2, &["--answers", "side B", "--reference solo"]);
    let ran = infermeter("compare mock:fixed --aa --answers --rate 10 --duration 1s");
    ran.fails(2, &["--answers", "--aa"]);
}

#[test]
fn a_killed_run_is_judged_from_its_journal() {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run {} --rate 100 --duration 10m --warmup 0 --workload fixed:16,8 --threads 1 {UNPROBED} --check-answers --out {}",
        mock(),
        dir.display()
    );
    let going = Going::start(&words(&line));
    let journal = dir.join("requests.journal");
    wait_until(|| std::fs::metadata(&journal).is_ok_and(|m| m.len() > 4_000));
    going.signal(Signal::KILL);
    assert_eq!(going.end().code, None);
    let ran = infermeter(&format!("report {}", dir.display()));
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    let answers = manifest(&dir)["summary"]["answers"].clone();
    assert!(
        answers["checked"].as_u64().expect("a count") > 5,
        "{answers:#}"
    );
    assert_eq!(answers["corrupted"]["count"], 0, "{answers:#}");
}

/// Answers each generation with a text, in pieces where a stream is asked for.
fn say(request: &Request, out: &mut TcpStream, text: &str) -> Then {
    if request.what() == "GET /v1/models" {
        return reply(out, "200 OK", "application/json", MODELS);
    }
    if !request.is_generation() {
        return reply(out, "404 Not Found", "application/json", "{}");
    }
    let asked: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let usage = json!({"prompt_tokens": 27, "completion_tokens": 4, "total_tokens": 31});
    if asked["stream"] != true {
        let message = json!({"role": "assistant", "content": text});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let body = json!({"object": "chat.completion", "choices": [choice], "usage": usage});
        return reply(out, "200 OK", "application/json", &body.to_string());
    }
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(characters.len().div_ceil(4).max(1));
    let event = |piece: &[char]| {
        let delta = json!({"content": piece.iter().collect::<String>()});
        json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
    };
    let mut events: Vec<String> = pieces.map(event).collect();
    events
        .push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string());
    events.push(json!({"choices": [], "usage": usage}).to_string());
    events.push(DONE.to_owned());
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    reply_events(out, &events)
}

/// A small load with canaries against a server that says what it is told to.
fn told(text: impl Fn(usize) -> String + Send + Sync + 'static) -> Run {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request, out| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        say(request, out, &text(number))
    });
    let line = format!(
        "run {} --no-probe --model small --rate 50 --requests 40 --warmup 0 --workload fixed:120,8 --threads 1 \
         --check-answers --canaries 30%",
        server.url
    );
    run_with(words(&line), |_| {})
}

#[test]
fn a_model_that_refuses_is_not_called_broken() {
    let run = told(|_| "I'm sorry, but I can't help with that.".to_owned());
    let manifest = run.manifest();
    finding(&manifest, "canaries-refused");
    let answers = answers(&run);
    assert_eq!(answers["corrupted"]["count"], 0, "{answers:#}");
    let accused = accusations(&manifest);
    assert!(
        !accused.iter().any(|code| code == "canary-accuracy-falls"),
        "{accused:?}"
    );
}

#[test]
fn a_model_that_speaks_japanese_is_not_called_broken() {
    let run = told(|number| {
        format!(
            "これは{number}番目の質問への答えです。日本語で書かれていて、どこにも誤りはありません。ご質問をどうぞ。"
        )
    });
    let answers = answers(&run);
    assert_eq!(answers["checked"], 40, "{answers:#}");
    assert_eq!(answers["corrupted"]["count"], 0, "{answers:#}");
    let accused = accusations(&run.manifest());
    assert!(accused.is_empty(), "{accused:?}");
}

#[test]
fn an_answer_of_megabytes_ends_the_run_in_order() {
    let run = told(|number| match number % 10 {
        0 => format!("{number} good words and then more of them, all different. ").repeat(60_000),
        _ => format!("A short and sound answer, number {number}."),
    });
    assert!(matches!(run.ran.code, Some(0 | 3 | 4)), "{:#?}", run.ran);
    assert_eq!(run.measured().len(), 40);
    let answers = answers(&run);
    assert!(
        answers["checked"].as_u64().expect("a count") >= 20,
        "{answers:#}"
    );
}

#[test]
fn token_ids_without_text_are_no_good_answers() {
    let server = Server::start(|request, out| {
        if !request.is_generation() {
            return reply(out, "200 OK", "application/json", MODELS);
        }
        let event = r#"{"choices":[{"index":0,"delta":{"content":"","token_ids":[17]},"finish_reason":null}]}"#;
        let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":4,"total_tokens":31}}"#;
        reply_events(out, &[event, event, event, event, end, usage, DONE])
    });
    let line = format!(
        "run {} --no-probe --model small --rate 50 --requests 20 --warmup 0 --workload fixed:16,4 --threads 1 --check-answers",
        server.url
    );
    let run = run_with(words(&line), |_| {});
    let manifest = run.manifest();
    let answers = &manifest["summary"]["answers"];
    let doubts = answers["doubts"].as_array().expect("a list");
    let silent = doubts.iter().find(|doubt| doubt["doubt"] == "no-text");
    let silent = silent
        .and_then(|doubt| doubt["answers"].as_u64())
        .unwrap_or(0);
    assert_eq!(answers["checked"].as_u64(), Some(silent), "{answers:#}");
    let completed = manifest["summary"]["requests"]["measured"]["completed"].as_u64();
    if completed.is_some_and(|completed| completed > 0) {
        finding(&manifest, "answers-not-checked");
    }
}

#[test]
fn no_text_of_a_run_goes_into_a_bundle() {
    let run = checked(mock(), "--check-answers --canaries 20%");
    let scratch = Scratch::new();
    let file = scratch.path("run.imb");
    let packed = infermeter(&format!(
        "bundle {} --out {}",
        run.dir.display(),
        file.display()
    ));
    assert_eq!(packed.code, Some(0), "{packed:#?}");
    assert!(has_no_question(&run.dir));
}

/// A question of a canary stands in no file of a run.
fn has_no_question(dir: &Path) -> bool {
    let bytes = everything_in(dir);
    let needle = b"nothing else";
    !bytes.windows(needle.len()).any(|bytes| bytes == needle)
}
