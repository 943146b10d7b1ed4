//! Answers as bytes: role, tokens, usage, finish.

use super::*;
use crate::api::StreamUsage;
use crate::length::AnswerLength;
use crate::truth::{Arrival, ArrivalSource};

struct Case {
    kind: AnswerKind,
    stream: bool,
    usage: StreamUsage,
    fault: Option<Fault>,
    finish: Finish,
    tokens: u32,
}

impl Case {
    fn chat(fault: Option<Fault>) -> Self {
        Self {
            kind: AnswerKind::Chat,
            stream: true,
            usage: StreamUsage::Final,
            fault,
            finish: Finish::Length,
            tokens: 6,
        }
    }

    fn answer(&self) -> Answer {
        Answer::new(Opening {
            id: SequenceId(1),
            ask: Ask {
                kind: self.kind,
                stream: self.stream,
                usage: self.usage,
                prompt_tokens: 5,
                length: AnswerLength {
                    tokens: self.tokens,
                    finish: self.finish,
                },
                key: 9,
            },
            fault: self.fault,
            to: ReplyTo {
                request_id: Some("r\"1".to_owned()),
                http10: false,
                keep_alive: true,
            },
            request_id: "r\"1",
            model: "m",
            prompt_tokens_details: false,
            created_s: 1,
            arrival: Arrival {
                at_ns: 0,
                seen_ns: 0,
                source: ArrivalSource::Program,
            },
        })
    }

    /// The writes of the whole answer, how it ended, and its truth.
    fn run(&self) -> (Vec<String>, Then, TruthRequest) {
        let mut answer = self.answer();
        let mut writes = Vec::new();
        let mut turn = answer.begin(true, RoleChunk::WithFirst);
        flush(&mut answer, turn, &mut writes);
        for index in 0..self.tokens {
            if turn.then != Then::GoOn {
                break;
            }
            turn = answer.take(Emission {
                id: SequenceId(1),
                tokens: 1,
                index,
                finish: (index + 1 == self.tokens).then_some(self.finish),
            });
            flush(&mut answer, turn, &mut writes);
        }
        (writes, turn.then, answer.into_truth(RequestEnd::Finished))
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
    for (kind, stream, fault) in [
        (AnswerKind::Chat, false, None),
        (AnswerKind::Completion, false, None),
        (AnswerKind::Chat, true, Some(Fault::JsonInsteadOfStream)),
        (AnswerKind::Chat, false, Some(Fault::InBandErrorAfter(2))),
    ] {
        let case = Case {
            kind,
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
