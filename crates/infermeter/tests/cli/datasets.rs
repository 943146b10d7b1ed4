//! Texts of datasets as the prompts of a run: which text goes where, with which lengths, and what is
//! left out.

use crate::process::{Mock, Run, Scratch, command, infermeter, mock, run_with, words};
use crate::server::{Server, good};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_record::{TableColumn, write_table};
use std::io::Write;
use std::process::Stdio;

const PROMPTS: &str = "{\"prompt\": \"One two three four.\", \"output_tokens\": 3}\n\
                       {\"prompt\": \"The sun is up and the day is long, they say.\"}\n\
                       {\"prompt\": \"Say yes.\", \"output_tokens\": 5}\n";

/// Tokens of the texts above under o200k.
const TOKENS: [u32; 3] = [5, 13, 3];

/// In order, one at a time.
fn in_turn(file: &str, target: &str, more: &str) -> Run {
    let line = format!(
        "run {target} --dataset {file} --concurrency 1 --warmup 0 --no-probe --model mock/fixed \
         --workload fixed:16,7 {more}"
    );
    run_with(words(&line), |_| {})
}

fn lengths(run: &Run) -> Vec<(u32, u32)> {
    let of = |r: &RequestRecord| (r.requested_prompt_tokens, r.requested_output_tokens);
    run.records().iter().map(of).collect()
}

#[test]
fn texts_are_sent_in_order_with_the_lengths_of_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("prompts.jsonl", PROMPTS);
    let run = in_turn(&file, mock(), "--requests 3 --prefix none");
    let expect = [(TOKENS[0], 3), (TOKENS[1], 7), (TOKENS[2], 5)];
    assert_eq!(lengths(&run)[..3], expect);
    let manifest = run.manifest();
    assert_eq!(manifest["classes"], serde_json::json!(["dataset"]));
    assert_eq!(
        manifest["environment"]["workload"]["texts_before_repeating"],
        3
    );
    // Eight words of salt and a full stop, the same in every run.
    let (one, other) = (
        in_turn(&file, mock(), "--requests 3"),
        in_turn(&file, mock(), "--requests 3"),
    );
    let salted = lengths(&one)[..3].to_vec();
    assert_eq!(salted, lengths(&other)[..3]);
    for ((with, _), (without, _)) in salted.iter().zip(&expect) {
        assert_eq!(*with, without + 9);
    }
}

#[test]
fn a_dataset_that_is_exhausted_begins_again_and_says_so() {
    let scratch = Scratch::new();
    let file = scratch.file("prompts.jsonl", PROMPTS);
    let run = in_turn(&file, mock(), "--requests 7 --prefix none");
    let found = lengths(&run);
    assert_eq!(found[..3], found[3..6]);
    let evidence = run.finding("dataset-repeated")["evidence"].to_string();
    assert!(evidence.contains("3 texts"), "{evidence}");
    let shuffled = in_turn(
        &file,
        mock(),
        "--requests 6 --prefix none --dataset-order shuffled",
    );
    let mut shuffled = lengths(&shuffled);
    shuffled.truncate(6);
    assert_eq!(shuffled[..3], shuffled[3..]);
    shuffled[..3].sort_unstable();
    assert_eq!(shuffled[..3], [(3, 5), (5, 3), (13, 7)]);
}

#[test]
fn the_server_gets_the_messages_of_the_file() {
    let mock = Mock::start("--preset llama-8b-h100 --set prompt-tokens-details=true");
    let scratch = Scratch::new();
    let chat = "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, \
                {\"role\": \"user\", \"content\": \"Why is the sky blue?\"}], \"max_tokens\": 4}\n";
    let long = format!(
        "[{{\"conversations\": [{{\"from\": \"human\", \"value\": \"{}\"}}, \
         {{\"from\": \"gpt\", \"value\": \"Yes it is.\"}}, {{\"from\": \"human\", \"value\": \"And?\"}}, \
         {{\"from\": \"gpt\", \"value\": \"No.\"}}]}}]",
        "The sun is up. ".repeat(40)
    );
    for (name, text, expect) in [
        ("chat.jsonl", chat, vec![(3 + 6, 4)]),
        // Each answer is a request, with what was said before it.
        ("sharegpt.json", &long, vec![(201, 4), (201 + 4 + 2, 2)]),
    ] {
        let file = scratch.file(name, text);
        let line = format!(
            "run {} --dataset {file} --concurrency 1 --requests {} --warmup 0 --no-probe --model \
             mock/llama-8b-h100 --prefix none",
            mock.url,
            expect.len()
        );
        let run = run_with(words(&line), |_| {});
        let found = lengths(&run);
        assert_eq!(found[..expect.len()], expect, "{name}");
        for record in run.measured() {
            assert_eq!(record.outcome, Outcome::Completed);
            // Message by message the server counts what was counted ahead of time, and its template.
            let over = record.prompt_tokens.expect("usage") - record.requested_prompt_tokens;
            assert!((8..64).contains(&over), "{name}: {over}");
        }
    }
}

/// A conversation with a tool, and members that are no business of a server.
const CALLS: &str = "{\"messages\": [{\"role\": \"developer\", \"content\": \"Be brief.\"}, \
    {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Weather?\"}]}, \
    {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"c1\", \"type\": \
    \"function\", \"function\": {\"name\": \"w\", \"arguments\": \"{}\"}}]}, \
    {\"role\": \"tool\", \"tool_call_id\": \"c1\", \"content\": \"\"}], \"max_tokens\": 9, \
    \"temperature\": 0.3, \"stop\": [\"x\"], \"model\": \"theirs\", \"source\": \"made up\"}\n";

/// The body of the only request that `arguments` send.
fn body_of(arguments: &str) -> (serde_json::Value, Run) {
    let server = Server::start(good);
    let line = format!(
        "run {} {arguments} --concurrency 1 --requests 1 --warmup 0 --no-probe --model m",
        server.url
    );
    let run = run_with(words(&line), |_| {});
    let sent = server.generations();
    (serde_json::from_str(&sent[0].body).expect("JSON"), run)
}

#[test]
fn members_of_chat_requests_reach_the_server() {
    let scratch = Scratch::new();
    let file = scratch.file("calls.jsonl", CALLS);
    let (body, run) = body_of(&format!("--dataset {file} --prefix none"));
    let given: serde_json::Value = serde_json::from_str(CALLS).expect("JSON");
    for same in ["temperature", "stop", "max_tokens"] {
        assert_eq!(body[same], given[same], "{same}");
    }
    for message in [0, 2, 3] {
        assert_eq!(body["messages"][message], given["messages"][message]);
    }
    assert_eq!(body["messages"][1]["content"], "Weather?");
    assert_eq!(body["model"], "m");
    assert!(body.get("source").is_none());
    let evidence = run.finding("file-not-whole")["evidence"].to_string();
    assert!(
        evidence.contains("source (1 row)") && !evidence.contains("model"),
        "{evidence}"
    );

    // What a flag asks for goes before what the file says, once.
    let (body, run) = body_of(&format!(
        "--dataset {file} --sampling temperature=0 --extra-body '{{\"stop\":[]}}'"
    ));
    assert_eq!(
        (&body["temperature"], &body["stop"]),
        (&0.into(), &serde_json::json!([]))
    );
    let evidence = run.finding("file-not-whole")["evidence"].to_string();
    assert!(
        evidence.contains("a flag sets them: stop (1 row), temperature (1 row)"),
        "{evidence}"
    );

    let (body, run) = body_of(&format!("--dataset {file} --endpoint completions"));
    assert!(
        body["prompt"].is_string() && body["temperature"] == 0.3,
        "{body}"
    );
    let evidence = run.finding("file-not-whole")["evidence"].to_string();
    assert!(
        evidence.contains("messages[].tool_calls (1 row)"),
        "{evidence}"
    );
}

#[test]
fn members_pass_through_workload_files_and_other_forms() {
    let scratch = Scratch::new();
    let file = scratch.file("calls.jsonl", CALLS);
    let (made, back) = (scratch.path("made.jsonl"), scratch.path("back.jsonl"));
    let (made, back) = (made.display().to_string(), back.display().to_string());
    let ran = infermeter(&format!(
        "workload make --dataset {file} --prefix none --concurrency 1 --requests 1 --warmup 0 --out {made}"
    ));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let (body, _) = body_of(&format!("--workload-file {made}"));
    assert_eq!(body["messages"][2]["tool_calls"][0]["id"], "c1");
    assert_eq!(body["temperature"], 0.3);
    let ran = infermeter(&format!(
        "workload convert {made} --to messages --out {back}"
    ));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let again: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&back).expect("written")).expect("JSON");
    assert_eq!(again["messages"], body["messages"]);
    assert_eq!(
        (&again["temperature"], &again["max_tokens"]),
        (&body["temperature"], &9.into())
    );
    let ran = infermeter(&format!("workload convert {made} --to prompts --out -"));
    assert_eq!(ran.out.lines().count(), 1, "{ran:#?}");
    assert!(ran.err.contains("1 requests have temperature"), "{ran:#?}");
}

#[test]
fn files_come_through_standard_input() {
    let piped = |line: &str, text: &str| {
        let mut command = command(&words(line));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let mut input = child.stdin.take().expect("a pipe");
        // A command that refuses its arguments does not read.
        let _ = input.write_all(text.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("ended");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = piped(
        "run http://h --dataset - --rate 5 --requests 9 --dry-run",
        PROMPTS,
    );
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("3 rows of the format prompts"), "{out}");
    let (_, out, _) = piped("workload inspect - --tokenizer o200k --json", PROMPTS);
    let figures: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(figures["prompt_tokens"]["n"], 3);
    let plan = "target = \"http://h\"\nrate = 5\nduration = \"5s\"\n";
    let (code, out, err) = piped("run --config - --dry-run", plan);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("5.00 requests/s"), "{out}");
    let (code, _, err) = piped("run --config - --dataset - --dry-run", plan);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("--dataset and --config are all - (standard input)"),
        "{err}"
    );
    let (code, _, err) = piped("run http://h --rate 5 --duration 5s --out -", "");
    assert_eq!(code, Some(2));
    assert!(err.contains("--out"), "{err}");
    // A workload file read where it was written.
    let make = "workload make --workload fixed:20,3 --rate 5 --duration 2s --warmup 0 --out -";
    let made = infermeter(make);
    assert!(made.err.contains("sha256"), "{made:#?}");
    let (code, out, err) = piped("run http://h --workload-file - --dry-run", &made.out);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("20 prompt and 3 output tokens a request"),
        "{out}"
    );
}

#[test]
fn parquet_prompts_are_read_as_their_json_lines_are() {
    let scratch = Scratch::new();
    let path = scratch.path("prompts.parquet");
    let texts = ["One two three four.", "Say yes."].map(str::to_owned);
    let columns = [
        ("prompt", TableColumn::Texts(texts.map(Some).to_vec())),
        ("output_tokens", TableColumn::Numbers(vec![Some(3), None])),
    ];
    write_table(&path, &columns, &[]).expect("written");
    let file = path.to_str().expect("UTF-8");
    let run = in_turn(file, mock(), "--requests 2 --prefix none");
    assert_eq!(lengths(&run)[..2], [(5, 3), (3, 7)]);
    let shown = infermeter(&format!("workload head {file} -n 2"));
    assert_eq!(shown.out.lines().count(), 2, "{shown:#?}");
}

#[test]
fn rows_beyond_the_context_are_left_out_and_counted() {
    let scratch = Scratch::new();
    let file = scratch.file("prompts.jsonl", PROMPTS);
    let line = |more: &str| {
        format!("run http://h --dataset {file} --rate 5 --requests 9 --warmup 0 --dry-run {more}")
    };
    let ran = infermeter(&line("--prefix none --trace-option max-context=10"));
    let said = "Dataset       2 rows of the format prompts";
    assert!(ran.out.contains(said), "{ran:#?}");
    let said = "left out 1 row (line 2): longer than the context";
    assert!(ran.out.contains(said), "{ran:#?}");
    assert!(ran.out.contains("repeated"), "{ran:#?}");
    infermeter(&line("--trace-option max-context=5")).fails(2, &["--dataset", "no rows left"]);
    infermeter(&line("--trace-option max-context=5 --trace-option clip"))
        .fails(2, &["--dataset", "clip"]);
    infermeter(&line("--prefix shared:2/100")).fails(2, &["--prefix and --dataset"]);
    infermeter(&line("--trace x.csv")).fails(2, &["--trace"]);
    let lengths = scratch.file(
        "lengths.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.0,20,3\n",
    );
    let line = format!("run http://h --dataset {lengths} --rate 5 --requests 9 --dry-run");
    infermeter(&line).fails(2, &["--dataset", "a row without a text", "--trace"]);
    infermeter("run http://h --rate 5 --requests 9 --dataset-order shuffled --dry-run")
        .fails(2, &["--dataset-order needs --dataset"]);
}

#[test]
fn texts_without_salt_hit_what_an_earlier_run_left() {
    let mock = Mock::start("--preset llama-8b-h100 --set prompt-tokens-details=true");
    let scratch = Scratch::new();
    let text = |n: u32| {
        format!(
            "{{\"prompt\": \"Case {n}. {}\"}}\n",
            "The sun is up. ".repeat(20)
        )
    };
    let file = scratch.file("texts.jsonl", &format!("{}{}", text(1), text(2)));
    let cached = |more: &str| -> Vec<u32> {
        let line = format!(
            "run {} --dataset {file} --concurrency 1 --requests 4 --warmup 0 --no-probe --model \
             mock/llama-8b-h100 --workload fixed:16,2 {more}",
            mock.url
        );
        let run = run_with(words(&line), |_| {});
        let mut records = run.records();
        records.retain(|r| r.outcome == Outcome::Completed);
        records
            .iter()
            .map(|r| r.cached_tokens.expect("usage"))
            .take(4)
            .collect()
    };
    for _ in 0..2 {
        // Sharing stays inside a run: the second round of the two texts, and nothing of another run.
        let found = cached("");
        assert_eq!(found[0], 0, "{found:?}");
        assert!(found[2] >= 80 && found[3] >= 80, "{found:?}");
        assert_eq!(cached("--prefix bust"), [0; 4]);
    }
    assert_eq!(cached("--prefix none")[0], 0);
    assert!(cached("--prefix none")[0] >= 80);
}

/// Two conversations of agents; a tool takes 50 ms in the first.
const AGENTS: &str = "\
{\"conversation_id\": \"a\", \"role\": \"user\", \"content\": \"Look up the weather.\"}\n\
{\"conversation_id\": \"a\", \"role\": \"assistant\", \"content\": \"I call the tool.\"}\n\
{\"conversation_id\": \"a\", \"role\": \"tool\", \"content\": \"Sunny.\", \"delay_seconds\": 0.05}\n\
{\"conversation_id\": \"a\", \"role\": \"assistant\", \"content\": \"It is sunny.\"}\n\
{\"conversation_id\": \"b\", \"role\": \"user\", \"content\": \"Hello there.\"}\n\
{\"conversation_id\": \"b\", \"role\": \"assistant\", \"content\": \"Hello.\"}\n";

#[test]
fn conversations_wait_for_answers_and_tools() {
    let scratch = Scratch::new();
    let file = scratch.file("agents.jsonl", AGENTS);
    let line = format!(
        "run {} --dataset {file} --dataset-order conversations --rate 12 --duration 1s --warmup 0",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let records = run.records();
    let mut waited = 0;
    for record in &records {
        let turn = record.turn.expect("a place in a conversation");
        // Three requests a lap: two of the first conversation, one of the second.
        let (lap, row) = (record.id / 3, record.id % 3);
        assert_eq!(
            (turn.session, turn.number),
            (2 * lap + row / 2, (row % 2) as u32)
        );
        let Some(parent) = record.parent else {
            assert_eq!(turn.number, 0);
            continue;
        };
        assert_eq!(parent + 1, record.id);
        let parent = records.iter().find(|r| r.id == parent).expect("its record");
        if record.send_start.is_some() {
            let closed = parent.closed.expect("it ended");
            assert_eq!(record.intended.since(closed), 50_000_000);
            waited += 1;
        }
    }
    assert!(waited > 0, "{records:#?}");
    infermeter(&line.replace("--rate 12", "--concurrency 1")).fails(2, &["needs --rate"]);
}
