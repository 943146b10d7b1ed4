//! Answers as bytes: role, tokens, usage, finish.

use super::*;
use crate::api::StreamUsage;
use crate::content::{Plan, ReasoningField, Wish};
use crate::length::AnswerLength;
use crate::truth::{Arrival, ArrivalSource};
use infermeter_core::plan::Endpoint;

struct Case {
    endpoint: Endpoint,
    stream: bool,
    usage: StreamUsage,
    fault: Option<Fault>,
    finish: Finish,
    tokens: u32,
    per_step: u32,
    content: ContentParams,
    wish: Wish,
}

impl Case {
    fn chat(fault: Option<Fault>) -> Self {
        Self {
            endpoint: Endpoint::Chat,
            stream: true,
            usage: StreamUsage::Final,
            fault,
            finish: Finish::Length,
            tokens: 6,
            per_step: 1,
            content: ContentParams::default(),
            wish: Wish::Words,
        }
    }

    fn script(&self) -> Script {
        let plan = Plan {
            params: &self.content,
            may_reason: self.endpoint == Endpoint::Chat,
            wish: self.wish.clone(),
            key: 9,
            length: AnswerLength {
                tokens: self.tokens,
                finish: self.finish,
            },
            max_tokens: 100,
        };
        plan.script().1
    }

    fn answer(&self) -> Answer {
        Answer::new(Opening {
            id: SequenceId(1),
            ask: Ask {
                listed: Listed::default(),
                endpoint: self.endpoint,
                stream: self.stream,
                usage: self.usage,
                prompt_tokens: 5,
                computed_tokens: 5,
                logprobs: None,
                manner: Default::default(),
                cheats: Default::default(),
                held: None,
                length: AnswerLength {
                    tokens: self.tokens,
                    finish: self.finish,
                },
                script: self.script(),
                adapter: None,
                blocks: [].into(),
            },
            fault: self.fault,
            to: ReplyTo {
                request_id: Some("r\"1".to_owned()),
                http10: false,
                keep_alive: true,
            },
            request_id: "r\"1",
            model: "m",
            content: &self.content,
            prompt_tokens_details: false,
            created_s: 1,
            arrival: Arrival {
                at_ns: 0,
                seen_ns: 0,
                source: ArrivalSource::Program,
                link_in_ns: None,
            },
        })
    }

    /// The writes of the whole answer, how it ended, and its truth. A pause ends behind `wake_at`
    /// tokens.
    fn run_waking(&self, wake_at: u32) -> (Vec<String>, Then, TruthRequest) {
        let mut answer = self.answer();
        let mut writes = Vec::new();
        let mut turn = answer.begin(true, RoleChunk::WithFirst);
        flush(&mut answer, turn, &mut writes);
        let mut wakes = turn.then == Then::Wake;
        let mut index = 0;
        while index < self.tokens && matches!(turn.then, Then::GoOn | Then::Wake) {
            let tokens = self.per_step.min(self.tokens - index);
            turn = answer.take(Emission {
                id: SequenceId(1),
                tokens,
                index,
                finish: (index + tokens == self.tokens).then_some(self.finish),
            });
            index += tokens;
            flush(&mut answer, turn, &mut writes);
            wakes |= turn.then == Then::Wake;
            if wakes && index >= wake_at {
                turn = answer.wake();
                flush(&mut answer, turn, &mut writes);
                wakes = turn.then == Then::Wake;
            }
        }
        while turn.then == Then::Wake {
            turn = answer.wake();
            flush(&mut answer, turn, &mut writes);
        }
        (writes, turn.then, answer.into_truth(RequestEnd::Finished))
    }

    fn run(&self) -> (Vec<String>, Then, TruthRequest) {
        self.run_waking(u32::MAX)
    }
}

fn flush(answer: &mut Answer, turn: Turn, writes: &mut Vec<String>) {
    if turn.write {
        writes.push(String::from_utf8(answer.pending().to_vec()).expect("text"));
        answer.written(writes.len() as i64);
    }
}

/// Events with text, per write.
fn contents(writes: &[String]) -> Vec<usize> {
    writes
        .iter()
        .map(|write| write.matches("\"content\":\" ").count())
        .collect()
}

#[test]
fn a_stream_is_one_write_per_token_with_all_that_follows_in_the_last() {
    let (writes, then, truth) = Case::chat(None).run();
    assert_eq!(then, Then::Done);
    assert_eq!(contents(&writes), [0, 1, 1, 1, 1, 1, 1]);
    assert!(writes[0].starts_with("HTTP/1.1 200 OK\r\n") && writes[0].ends_with("\r\n\r\n"));
    assert!(writes[1].contains("\"role\":\"assistant\""));
    let last = &writes[6];
    assert!(last.contains("\"finish_reason\":\"length\""));
    assert!(last.contains(
        "\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"total_tokens\":11,\"completion_tokens\":6}"
    ));
    assert!(last.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
    assert_eq!(truth.tokens_ns, [2, 3, 4, 5, 6, 7]);
    assert_eq!(truth.output_tokens, 6);
}

#[test]
fn an_end_token_counts_and_has_no_text() {
    let case = Case {
        finish: Finish::Stop,
        ..Case::chat(None)
    };
    let (writes, _, truth) = case.run();
    assert_eq!(contents(&writes), [0, 1, 1, 1, 1, 1, 0]);
    assert!(writes[6].contains("\"content\":\"\"},\"logprobs\":null,\"finish_reason\":\"stop\""));
    assert!(writes[6].contains("\"completion_tokens\":6"));
    assert_eq!((truth.tokens_ns.len(), truth.output_tokens), (5, 6));
}

#[test]
fn continuous_usage_rises_with_every_event() {
    let case = Case {
        usage: StreamUsage::Continuous,
        ..Case::chat(None)
    };
    let (writes, ..) = case.run();
    assert!(writes[1].contains("\"completion_tokens\":0}"));
    for (index, write) in writes[1..].iter().enumerate() {
        assert!(write.contains(&format!("\"completion_tokens\":{}}}", index + 1)));
    }
}

#[test]
fn coalescing_and_batching_change_events_and_writes() {
    let (writes, _, truth) = Case::chat(Some(Fault::Coalesce(4))).run();
    assert_eq!(contents(&writes), [0, 1, 1]);
    assert_eq!(truth.tokens_ns, [2, 2, 2, 2, 3, 3]);
    let (writes, _, truth) = Case::chat(Some(Fault::MultiEvent(4))).run();
    assert_eq!(contents(&writes), [0, 4, 2]);
    assert_eq!(truth.tokens_ns, [2, 2, 2, 2, 3, 3]);
}

#[test]
fn cuts_come_behind_their_tokens() {
    for (fault, end) in [
        (Fault::DisconnectAfter(2), Then::Close),
        (Fault::ResetAfter(2), Then::Reset),
        (Fault::StallAfter(2), Then::Stall),
        (Fault::InBandErrorAfter(2), Then::Done),
    ] {
        let (writes, then, truth) = Case::chat(Some(fault)).run();
        assert_eq!(then, end);
        assert_eq!(contents(&writes), [0, 1, 1], "{fault:?}");
        assert_eq!(truth.tokens_ns.len(), 2);
        let is_error = matches!(fault, Fault::InBandErrorAfter(_));
        assert_eq!(writes[2].contains("{\"error\":{"), is_error);
    }
    let (writes, then, _) = Case::chat(Some(Fault::ResetAfter(0))).run();
    assert_eq!((writes.len(), then), (0, Then::Reset));
}

#[test]
fn what_is_left_out_is_left_out() {
    let last = |fault| Case::chat(Some(fault)).run().0.pop().expect("a last write");
    assert!(!last(Fault::NoDone).contains("[DONE]"));
    assert!(!last(Fault::NoUsage).contains("usage"));
    assert!(last(Fault::WrongUsage).contains("\"completion_tokens\":13"));
    let (writes, then, truth) = Case::chat(Some(Fault::BadLength)).run();
    assert_eq!(then, Then::Close);
    assert!(writes[6].ends_with("4e\r\ndata: [DONE]\n\n"));
    assert_eq!(truth.tokens_ns.len(), 6);
    let (writes, then, truth) = Case::chat(Some(Fault::Empty)).run();
    assert_eq!((then, contents(&writes)), (Then::Done, vec![0]));
    assert!(truth.tokens_ns.is_empty());
}

#[test]
fn hostile_text_is_escaped_json() {
    let (writes, ..) = Case::chat(Some(Fault::EscapeSequences)).run();
    assert!(!writes[2].contains('\u{1b}'));
    let json = writes[2].split("data: ").nth(1).expect("an event");
    let json = json.split("\n\n").next().expect("an event");
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let text = value["choices"][0]["delta"]["content"]
        .as_str()
        .expect("text");
    assert!(text.contains("\u{1b}[2J"));
}

#[test]
fn a_whole_answer_is_one_body_of_the_announced_length() {
    for (endpoint, stream, fault) in [
        (Endpoint::Chat, false, None),
        (Endpoint::Completions, false, None),
        (Endpoint::Chat, true, Some(Fault::JsonInsteadOfStream)),
        (Endpoint::Chat, false, Some(Fault::InBandErrorAfter(2))),
    ] {
        let case = Case {
            endpoint,
            stream,
            ..Case::chat(fault)
        };
        let (writes, then, truth) = case.run();
        assert_eq!((then, writes.len()), (Then::Done, 1));
        let (head, body) = writes[0].split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", body.len())));
        let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(value["usage"]["completion_tokens"], 6);
        assert_eq!(value["choices"][0]["finish_reason"], "length");
        assert_eq!(truth.tokens_ns, [1; 6]);
    }
}

#[test]
fn the_stream_interval_holds_tokens_back_but_the_first() {
    let case = Case {
        content: ContentParams {
            stream_interval: 3,
            ..ContentParams::default()
        },
        tokens: 9,
        ..Case::chat(None)
    };
    let (writes, _, truth) = case.run();
    let words: Vec<usize> = writes.iter().map(|write| words_of(write)).collect();
    assert_eq!(words, [0, 1, 3, 3, 2]);
    assert_eq!(truth.tokens_ns, [2, 3, 3, 3, 4, 4, 4, 5, 5]);
    assert!(writes[4].contains("\"completion_tokens\":9"));
}

/// Words in the contents of a write.
fn words_of(write: &str) -> usize {
    let texts = write.split("\"content\":\"").skip(1);
    texts
        .map(|rest| rest.split('"').next().unwrap_or("").matches(' ').count())
        .sum()
}

#[test]
fn the_tokens_of_a_step_share_a_chunk() {
    for (finish, words) in [(Finish::Length, [0, 4, 4, 1]), (Finish::Stop, [0, 4, 4, 0])] {
        let case = Case {
            per_step: 4,
            tokens: 9,
            finish,
            ..Case::chat(None)
        };
        let (writes, _, truth) = case.run();
        assert_eq!(
            writes.iter().map(|w| words_of(w)).collect::<Vec<_>>(),
            words
        );
        assert_eq!(truth.output_tokens, 9);
        assert_eq!(truth.tokens_ns.len(), words.iter().sum::<usize>());
        assert!(writes[3].contains("\"completion_tokens\":9"));
    }
    let (writes, then, truth) = Case {
        per_step: 4,
        ..Case::chat(Some(Fault::DisconnectAfter(2)))
    }
    .run();
    assert_eq!((words_of(&writes[1]), then), (2, Then::Close));
    assert_eq!(truth.output_tokens, 2);
}

#[test]
fn reasoning_comes_first_in_a_member_of_its_own() {
    for (field, name) in [
        (ReasoningField::ReasoningContent, "reasoning_content"),
        (ReasoningField::Reasoning, "reasoning"),
    ] {
        let case = Case {
            content: ContentParams {
                reasoning_tokens: 2,
                reasoning_field: field,
                ..ContentParams::default()
            },
            ..Case::chat(None)
        };
        let (writes, ..) = case.run();
        let thought = format!("\"{name}\":\" ");
        let thinks: Vec<usize> = writes.iter().map(|w| w.matches(&thought).count()).collect();
        assert_eq!(thinks, [0, 1, 1, 0, 0, 0, 0]);
        assert_eq!(contents(&writes), [0, 0, 0, 1, 1, 1, 1]);
        assert!(writes[6].contains("\"completion_tokens_details\":{\"reasoning_tokens\":2}"));
        let (writes, ..) = Case {
            stream: false,
            ..case
        }
        .run();
        let body = writes[0].split("\r\n\r\n").nth(1).expect("a body");
        let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let message = &value["choices"][0]["message"];
        let words = |text: &serde_json::Value| text.as_str().map(|t| t.matches(' ').count());
        assert_eq!(
            (words(&message[name]), words(&message["content"])),
            (Some(2), Some(4))
        );
    }
}

#[test]
fn a_border_between_parts_ends_an_event() {
    let case = Case {
        content: ContentParams {
            reasoning_tokens: 2,
            ..ContentParams::default()
        },
        usage: StreamUsage::Continuous,
        per_step: 4,
        tokens: 8,
        ..Case::chat(None)
    };
    let (writes, _, truth) = case.run();
    assert_eq!(
        writes[1].matches("data: ").count(),
        3,
        "role, reasoning, content"
    );
    assert_eq!(words_of(&writes[1]), 2);
    assert_eq!(truth.tokens_ns, [2, 2, 2, 2, 3, 3, 3, 3]);
    let usage: Vec<&str> = writes[1].split("\"completion_tokens\":").skip(1).collect();
    let counts: Vec<&str> = usage.iter().map(|rest| &rest[..1]).collect();
    assert_eq!(counts, ["0", "2", "4"]);
}

fn call(tokens: u32, stream: bool) -> Case {
    Case {
        wish: Wish::Call {
            name: "get_weather".to_owned(),
            schema: Some(serde_json::json!({"properties": {"city": {"type": "string"}}})),
        },
        tokens,
        stream,
        ..Case::chat(None)
    }
}

fn deltas(writes: &[String]) -> Vec<serde_json::Value> {
    let all = writes.concat();
    let events = all.split("data: ").skip(1);
    events
        .map(|event| event.split("\n\n").next().expect("an event"))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str::<serde_json::Value>(data).expect("JSON"))
        .map(|chunk| chunk["choices"][0].clone())
        .collect()
}

#[test]
fn a_tool_call_streams_its_name_and_its_arguments() {
    let (writes, then, truth) = call(12, true).run();
    assert_eq!(then, Then::Done);
    let deltas = deltas(&writes);
    let mut arguments = String::new();
    let mut names = Vec::new();
    for delta in &deltas {
        let function = &delta["delta"]["tool_calls"][0]["function"];
        names.extend(function["name"].as_str());
        arguments.push_str(function["arguments"].as_str().unwrap_or(""));
    }
    assert_eq!(names, ["get_weather"]);
    let arguments: serde_json::Value = serde_json::from_str(&arguments).expect("JSON");
    assert!(arguments["city"].is_string());
    assert!(writes.concat().contains("\"finish_reason\":\"tool_calls\""));
    // The name's two tokens leave together, so the first write with tokens is the second one.
    assert_eq!(
        (truth.tokens_ns.len(), truth.tokens_ns[..2].to_vec()),
        (12, vec![2, 2])
    );

    let (writes, ..) = call(5, true).run();
    assert!(writes.concat().contains("\"finish_reason\":\"length\""));

    let (writes, ..) = call(12, false).run();
    let body = writes[0].split("\r\n\r\n").nth(1).expect("a body");
    let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let choice = &value["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&"tool_calls".into(), &serde_json::Value::Null)
    );
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    assert_eq!(function["arguments"], arguments.to_string());
}

#[test]
fn usage_can_come_with_the_last_chunk() {
    let case = Case {
        usage: StreamUsage::InLastChunk,
        ..Case::chat(None)
    };
    let (writes, ..) = case.run();
    assert!(!writes.concat().contains("\"choices\":[]"));
    assert_eq!(writes.concat().matches("\"usage\"").count(), 1);
    assert!(writes[6].contains("\"completion_tokens\":6"));
}

#[test]
fn cached_tokens_are_those_of_the_first_admission() {
    let mut answer = Answer {
        cached: Some(0),
        ..Case::chat(None).answer()
    };
    answer.admitted(32);
    answer.admitted(48);
    assert_eq!(answer.usage(1).and_then(|usage| usage.cached), Some(32));
    let mut silent = Case::chat(None).answer();
    silent.admitted(32);
    assert_eq!(silent.usage(1).and_then(|usage| usage.cached), None);
}

#[test]
fn a_pause_holds_everything_back_until_the_wake() {
    let time = infermeter_core::units::Span::millis(5);
    let (writes, then, truth) = Case::chat(Some(Fault::StallFor(2, time))).run_waking(4);
    assert_eq!(
        (contents(&writes), then),
        (vec![0, 1, 1, 2, 1, 1], Then::Done)
    );
    assert_eq!(truth.tokens_ns, [2, 3, 4, 4, 5, 6]);
    // The answer is over before the pause is.
    let (writes, then, truth) = Case::chat(Some(Fault::StallFor(2, time))).run();
    assert_eq!((contents(&writes), then), (vec![0, 1, 1], Then::GoOn));
    assert_eq!((truth.tokens_ns.len(), truth.output_tokens), (2, 6));
    let (writes, then, _) = Case::chat(Some(Fault::SlowHead(time))).run_waking(3);
    assert_eq!((contents(&writes), then), (vec![3, 1, 1, 1], Then::Done));
    assert!(writes[0].starts_with("HTTP/1.1 200 OK"));
    let (writes, then, _) = Case::chat(Some(Fault::StallFor(0, time))).run_waking(3);
    assert_eq!((contents(&writes), then), (vec![0, 3, 1, 1, 1], Then::Done));
}

#[test]
fn what_is_held_back_leaves_at_each_wake() {
    let time = infermeter_core::units::Span::millis(5);
    let (writes, then, truth) = Case::chat(Some(Fault::HoldBack(time))).run_waking(3);
    assert_eq!((contents(&writes), then), (vec![3, 1, 1, 1], Then::Done));
    assert_eq!(truth.output_tokens, 6);
}

#[test]
fn what_a_pause_holds_has_a_limit() {
    let time = infermeter_core::units::Span::millis(5);
    let mut answer = Case::chat(Some(Fault::SlowHead(time))).answer();
    let begun = answer.begin(true, RoleChunk::WithFirst);
    assert_eq!((begun.then, answer.pause_ns()), (Then::Wake, 5_000_000));
    answer.pending.resize((16 << 20) + 1, b'x');
    let turn = answer.take(Emission {
        id: SequenceId(1),
        tokens: 1,
        index: 0,
        finish: None,
    });
    assert_eq!((turn.write, turn.then), (false, Then::Close));
}

#[test]
fn a_late_wake_finds_the_whole_answer() {
    let time = infermeter_core::units::Span::millis(5);
    let case = Case::chat(Some(Fault::StallFor(2, time)));
    let mut answer = case.answer();
    answer.begin(true, RoleChunk::WithFirst);
    answer.written(1);
    for index in 0..6 {
        let turn = answer.take(Emission {
            id: SequenceId(1),
            tokens: 1,
            index,
            finish: (index == 5).then_some(Finish::Length),
        });
        assert_eq!(turn.write, index < 2);
        if turn.write {
            answer.written(2);
        }
    }
    assert_eq!(answer.wake(), Turn::write_and(Then::Done));
    let rest = String::from_utf8(answer.pending().to_vec()).expect("text");
    assert_eq!(contents(&[rest]), [4]);
}

#[test]
fn a_paced_answer_leaves_byte_by_byte() {
    let time = infermeter_core::units::Span::millis(5);
    let (plain, ..) = Case::chat(None).run();
    let mut answer = Case::chat(Some(Fault::ByteWise(time))).answer();
    let mut bytes = Vec::new();
    let mut turn = answer.begin(true, RoleChunk::WithFirst);
    for index in 0..6 {
        if turn.write {
            bytes.extend_from_slice(answer.pending());
            answer.written(0);
        }
        turn = answer.take(Emission {
            id: SequenceId(1),
            tokens: 1,
            index,
            finish: (index == 5).then_some(Finish::Length),
        });
        // One wake at a time is on its way.
        assert_eq!(turn, Turn::GO_ON);
    }
    let mut now_ns = 0;
    loop {
        turn = answer.wake();
        now_ns += 1;
        if turn.write {
            assert_eq!(answer.pending().len(), 1);
            bytes.extend_from_slice(answer.pending());
            answer.written(now_ns);
        }
        if turn.then != Then::Wake {
            break;
        }
    }
    assert_eq!(turn.then, Then::Done);
    assert_eq!(String::from_utf8(bytes).expect("text"), plain.concat());
    let truth = answer.into_truth(RequestEnd::Finished);
    assert_eq!(truth.tokens_ns.len(), 6);
    assert!(truth.tokens_ns.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(
        truth.tokens_ns[5] < now_ns,
        "usage and the end mark come behind it"
    );
}

#[test]
fn a_cut_by_time_comes_with_its_wake() {
    let time = infermeter_core::units::Span::millis(5);
    for (fault, end) in [
        (Fault::DisconnectAt(time), Then::Close),
        (Fault::ResetAt(time), Then::Reset),
    ] {
        let (writes, then, _) = Case::chat(Some(fault)).run_waking(2);
        assert_eq!((contents(&writes), then), (vec![0, 1, 1], end));
    }
}

#[test]
fn answers_end_for_other_reasons() {
    let (writes, then, truth) = Case::chat(Some(Fault::ContentFilter(2))).run();
    assert_eq!((contents(&writes), then), (vec![0, 1, 1], Then::Done));
    assert!(writes[2].contains("\"finish_reason\":\"content_filter\""));
    assert!(writes[2].contains("\"completion_tokens\":2") && writes[2].contains("[DONE]"));
    assert_eq!(truth.output_tokens, 2);
    let (writes, then, _) = Case::chat(Some(Fault::TruncateAfter(2))).run();
    assert_eq!((contents(&writes), then), (vec![0, 1, 1], Then::Done));
    assert!(writes[2].ends_with("\r\n0\r\n\r\n") && !writes[2].contains("[DONE]"));
    assert!(!writes.concat().contains("\"finish_reason\":\""));
}

#[test]
fn lines_change_and_chunks_repeat_on_demand() {
    let run = |fault: &str| {
        let fault = fault.parse().expect("a fault");
        Case::chat(Some(fault)).run().0.concat()
    };
    assert_eq!(
        run("duplicate-chunks").matches("\"content\":\" ").count(),
        12
    );
    assert_eq!(
        run("comments").matches(": keep-alive\n\n").count(),
        1 + 6 + 1 + 1
    );
    assert_eq!(run("pings").matches("event: ping\n").count(), 1 + 6 + 1 + 1);
    assert!(!run("line-ends=cr").contains("}\n\n"));
    assert_eq!(
        run("line-ends=crlf").matches("}\r\n\r\n").count(),
        1 + 6 + 1
    );
    // One event is struck, behind the first token.
    assert_eq!(
        run("malformed=no-data-prefix").matches("data: {").count(),
        1 + 5 + 1
    );
    assert_eq!(run("malformed=no-blank-line").matches("}\n\r\n").count(), 1);
    assert_eq!(
        run("malformed=bad-json").matches("\"content\":\" ").count(),
        5
    );
}
