//! What chat and completions have in common: answers as `choices`, events from a skeleton rendered once
//! per stream.

mod scored;
mod whole;

use super::{End, Naming, Opening, Said, Saying, TimesTold, UsageCounts, Voice};
use crate::content::{Part, ReasoningField, ServerTimesForm};
use crate::render::{Framing, json_text, piece, put};
use scored::Scored;
use whole::{Whole, whole_answer};

/// Which of the two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
}

impl Kind {
    fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl-",
            Self::Completion => "cmpl-",
        }
    }
}

/// What all events of one stream share, rendered once.
#[derive(Debug)]
pub(super) struct Choices {
    kind: Kind,
    /// The response's id, JSON text, which a tool call's is made from.
    id: String,
    created_s: i64,
    model: String,
    reasoning_field: ReasoningField,
    /// `data: {"id":...,"choices":[`
    opening: Vec<u8>,
}

/// What writes an answer of this name, with log probabilities where they are told.
pub(super) fn voice(kind: Kind, naming: Naming<'_>) -> Box<dyn Voice> {
    let choices = Choices::new(kind, naming);
    match naming.scores {
        None => Box::new(choices),
        Some(scores) => Box::new(Scored::new(choices, scores)),
    }
}

impl Choices {
    /// For an answer of this name.
    fn new(kind: Kind, naming: Naming<'_>) -> Self {
        let Naming { id, created_s, .. } = naming;
        let object = match kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Completion => "text_completion",
        };
        let mut opening = Vec::with_capacity(192);
        let prefix = kind.id_prefix();
        let model = json_text(naming.model);
        put(
            &mut opening,
            format_args!(
                "data: {{\"id\":\"{prefix}{id}\",\"object\":\"{object}\",\"created\":{created_s},\
                 \"model\":\"{model}\",\"choices\":["
            ),
        );
        Self {
            kind,
            id: id.to_owned(),
            created_s,
            model,
            reasoning_field: naming.reasoning_field,
            opening,
        }
    }

    /// The rest of a choice that goes on.
    fn open_end(&self) -> &'static [u8] {
        match self.kind {
            Kind::Chat => b",\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]",
            Kind::Completion => b",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}]",
        }
    }

    /// What stands before a text (before the id, where there is one) and behind it.
    fn around(&self, part: Part) -> (&'static [u8], &'static [u8]) {
        if self.kind == Kind::Completion {
            return (b"{\"index\":0,\"text\":\"", b"\"");
        }
        match (part, self.reasoning_field) {
            (Part::Content, _) => (b"{\"index\":0,\"delta\":{\"content\":\"", b"\"}"),
            (Part::Reasoning, ReasoningField::ReasoningContent) => {
                (b"{\"index\":0,\"delta\":{\"reasoning_content\":\"", b"\"}")
            }
            (Part::Reasoning, ReasoningField::Reasoning) => {
                (b"{\"index\":0,\"delta\":{\"reasoning\":\"", b"\"}")
            }
            (Part::CallName, _) => (
                b"{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call-",
                b"\",\"arguments\":\"\"}}]}",
            ),
            (Part::CallArguments, _) => (
                b"{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":\
                  {\"arguments\":\"",
                b"\"}}]}",
            ),
        }
    }
}

impl Voice for Choices {
    fn role(&mut self, out: &mut Vec<u8>, opening: Opening, framing: Framing) {
        if self.kind == Kind::Completion {
            return;
        }
        let usage = usage_field(opening.with_each);
        let choice: &[u8] = b"{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\
            \"logprobs\":null,\"finish_reason\":null}]";
        let parts = [&self.opening, choice, usage.as_bytes(), END];
        piece(out, &parts, framing);
    }

    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        let (before, close) = self.around(saying.part);
        let finish = end.reason;
        let usage = usage_field(end.usage);
        let usage = usage.as_bytes();
        if finish.is_none() && saying.part != Part::CallName {
            // Nearly every event is this one.
            let after = self.open_end();
            let parts = [&self.opening, before, saying.text, close, after, usage, END];
            return piece(out, &parts, framing);
        }
        let (id, behind_id): (&[u8], &[u8]) = match saying.part {
            Part::CallName => (
                self.id.as_bytes(),
                b"\",\"type\":\"function\",\"function\":{\"name\":\"",
            ),
            Part::Reasoning | Part::Content | Part::CallArguments => (b"", b""),
        };
        let (after, reason, end): (&[u8], &str, &[u8]) = match finish {
            None => (self.open_end(), "", b""),
            Some(reason) => (
                b",\"logprobs\":null,\"finish_reason\":\"",
                reason,
                b"\",\"stop_reason\":null,\"token_ids\":null}]",
            ),
        };
        let parts = [
            &self.opening,
            before,
            id,
            behind_id,
            saying.text,
            close,
            after,
            reason.as_bytes(),
            end,
            usage,
            END,
        ];
        piece(out, &parts, framing);
    }

    /// The usage chunk: no choices.
    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing) {
        let usage = usage_field(Some(usage));
        let parts = [&self.opening, &b"]"[..], usage.as_bytes(), END];
        piece(out, &parts, framing);
    }

    fn end(&mut self, out: &mut Vec<u8>, framing: Framing) {
        piece(out, &[DONE], framing);
    }

    fn error(&mut self, out: &mut Vec<u8>, framing: Framing) {
        piece(out, &[IN_BAND_ERROR], framing);
        piece(out, &[DONE], framing);
    }

    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        let whole = Whole {
            said,
            finish,
            usage: &usage_field(usage),
            logprobs: b"null",
        };
        whole_answer(self, whole)
    }
}

/// `,"usage":{...}` for the counts; nothing where there are none.
fn usage_field(counts: Option<UsageCounts>) -> String {
    let Some(counts) = counts else {
        return String::new();
    };
    let UsageCounts {
        prompt, completion, ..
    } = counts;
    let total = u64::from(prompt) + u64::from(completion);
    let cached = counts.cached.map_or_else(String::new, |cached| {
        format!(",\"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}")
    });
    let reasoning = counts.reasoning.map_or_else(String::new, |reasoning| {
        format!(",\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}")
    });
    let times = counts
        .times
        .map_or_else(String::new, |times| times_field(times, counts));
    format!(
        ",\"usage\":{{\"prompt_tokens\":{prompt},\"total_tokens\":{total},\
         \"completion_tokens\":{completion}{cached}{reasoning}}}{times}"
    )
}

/// `,"timings":{...}` or `,"metrics":{...}`.
fn times_field(times: TimesTold, counts: UsageCounts) -> String {
    let ms = |ns: i64| ns as f64 / 1e6;
    let (prefill, decode) = (ms(times.prefill_ns), ms(times.decode_ns));
    let UsageCounts {
        prompt, completion, ..
    } = counts;
    match times.form {
        ServerTimesForm::Off => String::new(),
        ServerTimesForm::Timings => {
            let cached = counts.cached.unwrap_or(0);
            let computed = prompt.saturating_sub(cached);
            format!(
                ",\"timings\":{{\"cache_n\":{cached},\"prompt_n\":{computed},\"prompt_ms\":{prefill},\
                 \"predicted_n\":{completion},\"predicted_ms\":{decode}}}"
            )
        }
        ServerTimesForm::Metrics => format!(
            ",\"metrics\":{{\"time_to_first_token_ms\":{prefill},\"generation_time_ms\":{decode},\
             \"queue_time_ms\":{}}}",
            ms(times.queue_ns)
        ),
    }
}

/// The end of an event.
const END: &[u8] = b"}\n\n";

/// The error event of a broken stream.
const IN_BAND_ERROR: &[u8] =
    b"data: {\"error\":{\"message\":\"engine died on demand\",\"type\":\"InternalServerError\",\
      \"param\":null,\"code\":500}}\n\n";

/// The last event.
const DONE: &[u8] = b"data: [DONE]\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: UsageCounts = UsageCounts {
        prompt: 5,
        completion: 7,
        cached: Some(4),
        reasoning: Some(2),
        times: None,
    };

    fn voice(kind: Kind, reasoning_field: ReasoningField, id: &str, model: &str) -> Choices {
        let naming = Naming {
            id,
            created_s: 1,
            model,
            reasoning_field,
            listed: Default::default(),
            scores: None,
        };
        Choices::new(kind, naming)
    }

    fn parsed(event: &[u8]) -> serde_json::Value {
        let text = std::str::from_utf8(event).expect("text");
        assert!(text.ends_with("\n\n"));
        let json = text.strip_prefix("data: ").expect("an event").trim_end();
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn every_event_is_json_and_about_as_long_as_vllms() {
        let field = ReasoningField::default();
        let id = "0123456789abcdef0123456789abcdef";
        for kind in [Kind::Chat, Kind::Completion] {
            let mut voice = voice(kind, field, id, "m\"x");
            let saying = |text| Saying {
                part: Part::Content,
                text,
            };
            let mut events = vec![Vec::new(); 4];
            let ends = End {
                reason: Some("length"),
                usage: Some(USAGE),
            };
            voice.role(&mut events[0], Opening::default(), Framing::Bare);
            voice.content(
                &mut events[1],
                saying(b" the"),
                End::default(),
                Framing::Bare,
            );
            voice.content(&mut events[2], saying(b" of"), ends, Framing::Bare);
            voice.usage(&mut events[3], USAGE, Framing::Bare);
            assert_eq!(events[0].is_empty(), kind == Kind::Completion);
            for event in events.iter().filter(|event| !event.is_empty()) {
                assert_eq!(parsed(event)["model"], "m\"x");
            }
            let usage = &parsed(&events[3])["usage"];
            assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 4);
            assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 2);
            assert!((180..280).contains(&events[1].len()), "{}", events[1].len());
        }
    }

    #[test]
    fn times_stand_beside_the_last_usage() {
        let mut voice = voice(Kind::Chat, ReasoningField::default(), "7", "m");
        let mut told = |form| {
            let times = TimesTold {
                form,
                queue_ns: 250_000,
                prefill_ns: 12_500_000,
                decode_ns: 80_000_000,
            };
            let mut event = Vec::new();
            let usage = UsageCounts {
                times: Some(times),
                ..USAGE
            };
            voice.usage(&mut event, usage, Framing::Bare);
            parsed(&event)
        };
        let timings = &told(ServerTimesForm::Timings)["timings"];
        assert_eq!(timings["prompt_ms"], 12.5);
        assert_eq!(
            (&timings["prompt_n"], &timings["cache_n"]),
            (&1.into(), &4.into())
        );
        let metrics = told(ServerTimesForm::Metrics)["metrics"].clone();
        assert_eq!(metrics["queue_time_ms"], 0.25);
        assert_eq!(metrics["generation_time_ms"], 80.0);
    }

    #[test]
    fn parts_have_their_places() {
        for (field, name) in [
            (ReasoningField::ReasoningContent, "reasoning_content"),
            (ReasoningField::Reasoning, "reasoning"),
        ] {
            let mut voice = voice(Kind::Chat, field, "7", "m");
            let mut delta = |part| {
                let mut event = Vec::new();
                let text = b"x\\\"";
                let saying = Saying { part, text };
                voice.content(&mut event, saying, End::default(), Framing::Bare);
                parsed(&event)["choices"][0]["delta"].clone()
            };
            assert_eq!(delta(Part::Reasoning)[name], "x\"");
            let call = &delta(Part::CallName)["tool_calls"][0];
            assert_eq!(
                (&call["id"], &call["type"]),
                (&"call-7".into(), &"function".into())
            );
            assert_eq!(
                (&call["index"], &call["function"]["name"]),
                (&0.into(), &"x\"".into())
            );
            let more = &delta(Part::CallArguments)["tool_calls"][0];
            assert_eq!(more["function"]["arguments"], "x\"");
            assert!(more.get("id").is_none());
        }
    }
}
