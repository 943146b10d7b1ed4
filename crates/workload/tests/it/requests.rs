//! What rows of texts carry beside them, and what is left out: nothing is lost without a word.

use crate::files::{file_of, read, refuse, with};
use infermeter_core::environment::{Fate, SkipReason};
use infermeter_core::plan::Members;
use infermeter_core::request::{BodyMember, Message, Role};
use infermeter_workload::{
    MemberRule, TextRequest, Texts, TraceFacts, TraceFormat, TraceOptions, read_rows,
};
use std::collections::BTreeSet;

/// A conversation with a tool, as the chat API takes it.
const CALLS: &str = r#"{"messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "weather?"}]}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "c1", "content": "sunny"}, {"role": "user", "name": "ann", "content": "thanks"}], "max_tokens": 9, "temperature": 0.3, "tools": [{"type": "function", "function": {"name": "w"}}], "model": "theirs", "source": "made up"}"#;

fn requests(name: &str, text: &str, rule: MemberRule) -> (Vec<TextRequest>, TraceFacts) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("written");
    let mut rows = Vec::new();
    let facts = read_rows(&path, &TraceOptions::default(), &mut |row| {
        rows.push(row);
        Ok(())
    });
    let facts = facts.expect("rows");
    let mut texts = Texts::open(&path, facts.format).expect("texts").under(rule);
    let get =
        |row: &infermeter_workload::Row| texts.get(&row.text.expect("a text")).expect("a request");
    (rows.iter().map(get).collect(), facts)
}

fn named(members: &[BodyMember]) -> Vec<(&str, &str)> {
    members.iter().map(|m| (&*m.name, &*m.json)).collect()
}

#[test]
fn members_of_the_api_go_on_and_others_are_counted() {
    let (found, facts) = requests("a.jsonl", CALLS, MemberRule::default());
    let [request] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        named(&request.members),
        [
            ("temperature", "0.3"),
            (
                "tools",
                r#"[{"type": "function", "function": {"name": "w"}}]"#
            )
        ]
    );
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    let expect = [
        Role::Developer,
        Role::User,
        Role::Assistant,
        Role::Tool,
        Role::User,
    ];
    assert_eq!(roles, expect);
    assert!(request.messages[2].has_calls() && request.messages[2].text.is_empty());
    assert_eq!(
        named(&request.messages[3].members),
        [("tool_call_id", "\"c1\"")]
    );
    assert_eq!(named(&request.messages[4].members), [("name", "\"ann\"")]);
    let fate = |name: &str| {
        facts
            .members
            .iter()
            .find(|m| m.name == name)
            .map(|m| m.fate)
    };
    assert_eq!(fate("tools"), Some(Fate::Sent));
    assert_eq!(fate("messages[].tool_calls"), Some(Fate::Sent));
    assert_eq!(fate("model"), Some(Fate::Ours));
    assert_eq!(fate("source"), Some(Fate::Unknown));
    let said = facts.left_out();
    assert_eq!(
        said,
        ["members not sent, no members of the API: source (1 row)"]
    );
}

#[test]
fn completions_and_flags_leave_members_out() {
    let rule = MemberRule {
        known: Members::Completions,
        flags: BTreeSet::from(["temperature".to_owned()]),
    };
    let (found, _) = requests("a.jsonl", CALLS, rule);
    assert_eq!(found[0].members, []);
    let none = |m: &Message| m.members.is_empty();
    assert!(found[0].messages.iter().all(none));
}

#[test]
fn null_and_empty_texts_are_left_out() {
    let text = r#"[{"id": "a", "conversations": [{"from": "human", "value": null}, {"from": "gpt", "value": "hello"}]},
 {"id": "b", "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}, {"from": "human", "value": "z"}, {"from": "gpt", "value": null}]},
 {"id": "c", "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": ""}]}]"#;
    let (rows, facts) = read(text.as_bytes()).expect("rows");
    assert_eq!(rows.len(), 1);
    let skipped: Vec<(SkipReason, u64)> = facts
        .skipped
        .iter()
        .map(|s| (s.reason, s.touched.rows))
        .collect();
    assert_eq!(
        skipped,
        [(SkipReason::NullText, 2), (SkipReason::NoOutput, 1)]
    );
    let chat = r#"{"messages": [{"role": "user", "content": null}]}"#;
    refuse(chat, "a text that is null");
    let audio = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "hear"}, {"type": "input_audio", "input_audio": {}}]}]}"#;
    refuse(audio, "parts that are neither text nor image");
    refuse("{\"prompt\": null}", "an empty prompt");
}

#[test]
fn no_output_tokens_cannot_be_asked_for() {
    for text in [
        "{\"prompt\": \"n\", \"output_tokens\": 0}",
        "{\"prompt\": \"n\", \"max_tokens\": 0}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"n\"}], \"max_tokens\": 0}",
        "prompt,output_tokens\nn,0\n",
        "{\"timestamp\": 0, \"input_length\": 3, \"output_length\": 0, \"hash_ids\": [1]}",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.0,3,0\n",
    ] {
        refuse(text, "0 output tokens, which cannot be asked for");
    }
    refuse(
        "{\"prompt\": \"n\", \"output_tokens\": -1}",
        "output_tokens is `-1`",
    );
    refuse(
        "{\"prompt\": \"n\", \"output_tokens\": 4000001}",
        "output_tokens is `4000001`",
    );
}

#[test]
fn batches_questions_and_lines_are_read() {
    let rule = MemberRule::default;
    let batch = r#"{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "x", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "top_p": 0.5}}"#;
    let (found, facts) = requests("a.jsonl", batch, rule());
    assert_eq!(facts.format, TraceFormat::Batch);
    assert_eq!(found[0].prompt(), "hi");
    assert_eq!(named(&found[0].members), [("top_p", "0.5")]);
    refuse(
        "{\"custom_id\": \"1\", \"body\": {\"input\": \"a\"}}",
        "body has neither messages nor prompt",
    );
    let (found, facts) = requests(
        "a.jsonl",
        "{\"question\": \"q\", \"answer\": \"a\"}",
        rule(),
    );
    assert_eq!(facts.format, TraceFormat::Questions);
    assert_eq!(
        (found[0].prompt().as_str(), found[0].answer.as_deref()),
        ("q", Some("a"))
    );
    let csv = "id,question,answer,temperature\n1,\"q, r\",a,0.5\n2,s,,\n";
    let (found, facts) = requests("a.csv", csv, rule());
    assert_eq!(
        (found[0].prompt().as_str(), found[0].answer.as_deref()),
        ("q, r", Some("a"))
    );
    assert_eq!(named(&found[0].members), [("temperature", "0.5")]);
    assert_eq!(
        (found[1].answer.as_deref(), found[1].members.len()),
        (None, 0)
    );
    let rows = |name: &str| {
        facts
            .members
            .iter()
            .find(|m| m.name == name)
            .map(|m| m.rows)
    };
    assert_eq!((rows("id"), rows("temperature")), (Some(2), Some(1)));
    let lines = "\u{feff}First, one.\r\n\r\n[INST] \"two\n";
    let (found, facts) = requests("a.txt", lines, rule());
    assert_eq!(facts.format, TraceFormat::Lines);
    let texts: Vec<String> = found.iter().map(TextRequest::prompt).collect();
    assert_eq!(texts, ["First, one.", "[INST] \"two"]);
    // Under another name it is no format that anyone can tell.
    refuse(
        "First, one.\n",
        "no known format has the columns First,one.",
    );
    let forced = with(&["format=lines"], b"[INST] a\n").expect("lines");
    assert_eq!(forced.0.len(), 1);
    // A trace stays one, whatever it is called.
    let csv = "prompt\na\n";
    assert_eq!(
        requests("a.txt", csv, rule()).1.format,
        TraceFormat::Prompts
    );
}

#[test]
fn sharegpt_brings_system_and_tools() {
    let text = r#"[{"system": "Be kind.", "tools": "[{\"name\": \"w\"}]", "conversations": [{"from": "human", "value": "x"}, {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "5"}, {"from": "gpt", "value": "y"}]}]"#;
    let (found, _) = requests("a.json", text, MemberRule::default());
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].messages[0], Message::new(Role::System, "Be kind."));
    assert_eq!(named(&found[1].members), [("tools", "[{\"name\": \"w\"}]")]);
}

#[test]
fn the_unit_of_times_is_not_guessed() {
    let mooncake = |times: &[&str]| -> String {
        let row = |time: &&str| {
            format!(
                "{{\"timestamp\": {time}, \"input_length\": 10, \"output_length\": 5, \"hash_ids\": [0]}}\n"
            )
        };
        times.iter().map(row).collect()
    };
    let fraction = mooncake(&["0.0", "0.2", "0.4"]);
    refuse(
        &fraction,
        "line 2: timestamp is `0.2`: the format mooncake has whole milliseconds",
    );
    refuse(&fraction, "--trace-option time-unit=s");
    let (rows, _) = with(&["time-unit=s"], fraction.as_bytes()).expect("seconds");
    assert_eq!(rows[2].at_ns, Some(400_000_000));
    let (rows, _) = with(&["time-unit=ms"], fraction.as_bytes()).expect("milliseconds");
    assert_eq!(rows[2].at_ns, Some(400_000));
    // Whole seconds: a thousand requests a second as milliseconds.
    let seconds: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let seconds: Vec<&str> = seconds.iter().map(String::as_str).collect();
    refuse(&mooncake(&seconds), "20 rows would take 0.019 s");
    assert!(with(&["time-unit=ms"], mooncake(&seconds).as_bytes()).is_ok());
    // Rows of one instant say nothing about the unit, and need none.
    assert!(read(mooncake(&["0", "0", "0", "3000"]).as_bytes()).is_ok());
    let burst: String = (0..12)
        .map(|n| format!("{},ChatGPT,3,4,7,API log\n", n * 2_000_000))
        .collect();
    let header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
    let burst = format!("{header}{burst}");
    refuse(&burst, "say the unit");
    let (rows, _) = with(&["time-unit=ms"], burst.as_bytes()).expect("milliseconds");
    assert_eq!(rows[1].at_ns, Some(2_000_000_000_000));
}

#[test]
fn options_without_use_are_refused() {
    for (option, text) in [
        (
            "time-unit=s",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.0,3,1\n",
        ),
        ("block-size=16", "{\"prompt\": \"a\"}"),
        ("spread", "{\"prompt\": \"a\"}"),
        ("sort", "{\"prompt\": \"a\"}"),
    ] {
        let error = with(&[option], text.as_bytes())
            .expect_err(option)
            .to_string();
        assert!(error.contains("is of no use for the format"), "{error}");
    }
}

#[test]
fn mooncake_rows_have_texts_sessions_and_delays() {
    let text = "{\"timestamp\": 0, \"text_input\": \"hello\", \"output_length\": 5}\n\
                {\"timestamp\": 500, \"text_input\": \"good day\", \"session_id\": \"s\"}\n\
                {\"session_id\": \"s\", \"delay\": 250, \"text_input\": \"again\", \"output_length\": 2}\n";
    let (rows, facts) = read(text.as_bytes()).expect("rows");
    assert_eq!(facts.format, TraceFormat::Mooncake);
    assert_eq!(
        (rows[0].output_tokens, rows[1].output_tokens),
        (Some(5), None)
    );
    assert_eq!((rows[1].at_ns, rows[2].at_ns), (Some(500_000_000), None));
    assert_eq!(
        (rows[2].delay_ns, rows[2].parent.as_deref()),
        (Some(250_000_000), Some("2"))
    );
    let file = file_of(text.as_bytes());
    let mut texts = Texts::open(file.path(), facts.format).expect("texts");
    let request = texts
        .get(&rows[2].text.expect("a text"))
        .expect("a request");
    assert_eq!(request.prompt(), "again");
}
