//! Whether the server answers a prompt faster that it has answered before: a trial on a quiet server,
//! asked for by `--probe-response-cache`.
//!
//! It judges nothing: it sends pairs of a repeated and a fresh prompt of one length, in turns, and
//! hands the instants on. Invariant: fresh prompts are never sent twice; the repeated one was answered
//! before the first pair.

use crate::features::in_band_error;
use crate::target::{Control, said};
use infermeter_client::control::ControlAnswer;
use infermeter_client::encode::{RequestEncoder, RequestShape};
use infermeter_core::environment::{AnswerTimes, CachePair, CacheTrial};
use infermeter_core::request::{RequestContent, RequestSpec};
use serde_json::Value;

/// Pairs: enough for an exact test at 0.0005.
pub(crate) const PAIRS: usize = 12;

/// Prompts that the trial needs: one that is repeated, one that warms the server up, and a fresh one
/// for each pair.
pub const PROMPTS: usize = PAIRS + 2;

impl Control {
    /// Sends the pairs. Each prompt is a request's content and what it asks for; `prompts` has
    /// [`PROMPTS`] of them.
    pub fn response_cache(
        &mut self,
        shape: &RequestShape,
        prompts: &[(RequestSpec, RequestContent)],
    ) -> CacheTrial {
        let mut shape = shape.clone();
        // Some caches hold only what is not drawn at random.
        shape.extra_body.insert("temperature".to_owned(), 0.into());
        let encoder = RequestEncoder::new(self.target(), &shape);
        let mut trial = CacheTrial::default();
        let [repeated, warm, fresh @ ..] = prompts else {
            trial.problem = Some("no prompts".to_owned());
            return trial;
        };
        let mut ask = |(spec, content): &(RequestSpec, RequestContent)| {
            self.timed(&encoder, &shape, spec, content)
        };
        let mut pairs = || -> Result<(), String> {
            ask(repeated)?;
            ask(warm)?;
            for (i, fresh) in fresh.iter().enumerate() {
                // In turns, so that a drift favours neither.
                let pair = if i % 2 == 0 {
                    let repeated = ask(repeated)?;
                    let fresh = ask(fresh)?;
                    CachePair { repeated, fresh }
                } else {
                    let fresh = ask(fresh)?;
                    let repeated = ask(repeated)?;
                    CachePair { repeated, fresh }
                };
                trial.pairs.push(pair);
            }
            Ok(())
        };
        let ended = pairs();
        trial.problem = ended.err();
        trial
    }

    fn timed(
        &mut self,
        encoder: &RequestEncoder,
        shape: &RequestShape,
        spec: &RequestSpec,
        content: &RequestContent,
    ) -> Result<AnswerTimes, String> {
        let request = encoder.encode(&self.next_id(), spec, content);
        let what = format!("POST {}", shape.path());
        let answer = self.send(&request, &what, "trial of response caching");
        let answer = answer.map_err(|e| infermeter_core::text::inert(&e.to_string(), 300))?;
        if answer.head.status != 200 {
            return Err(format!("status {}: {}", answer.head.status, said(&answer)));
        }
        if let Some(problem) = in_band_error(&answer) {
            return Err(format!("error event: {problem}"));
        }
        times(&answer).ok_or_else(|| "an answer without text".to_owned())
    }
}

/// Instants of an answer; `None` where it generated nothing.
pub fn times(answer: &ControlAnswer) -> Option<AnswerTimes> {
    let since_ms = |at: i64| (at - answer.sent_ns) as f64 / 1e6;
    let (last, _) = answer.reads.last()?;
    let e2e_ms = since_ms(*last);
    let whole: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if let Some(whole) = whole {
        return Some(AnswerTimes {
            ttft_ms: None,
            e2e_ms,
            output_tokens: tokens_of(&whole),
        });
    }
    let (mut first, mut output_tokens, mut end) = (None, None, 0);
    for line in answer.body.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let Some(event) = line.strip_prefix(b"data:") else {
            continue;
        };
        let Ok(event) = serde_json::from_slice::<Value>(event) else {
            continue;
        };
        output_tokens = tokens_of(&event).or(output_tokens);
        if first.is_none() && has_text(&event) {
            let read = answer.reads.iter().find(|(_, length)| *length >= end);
            first = read.map(|(at, _)| since_ms(*at));
        }
    }
    Some(AnswerTimes {
        ttft_ms: Some(first?),
        e2e_ms,
        output_tokens,
    })
}

fn tokens_of(event: &Value) -> Option<u64> {
    event.pointer("/usage/completion_tokens")?.as_u64()
}

/// Text of a chat's or a completion's event, reasoning too.
fn has_text(event: &Value) -> bool {
    let places = [
        "/choices/0/text",
        "/choices/0/delta/content",
        "/choices/0/delta/reasoning_content",
        "/choices/0/delta/reasoning",
    ];
    let text = |place: &&str| event.pointer(place).and_then(Value::as_str);
    places.iter().filter_map(text).any(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(reads: &[&str]) -> ControlAnswer {
        let mut body = Vec::new();
        let reads = reads.iter().zip(1..).map(|(text, i)| {
            body.extend_from_slice(text.as_bytes());
            (i * 10_000_000, body.len())
        });
        let reads: Vec<(i64, usize)> = reads.collect();
        ControlAnswer {
            behind: infermeter_client::control::Behind::Unknown,
            head: Default::default(),
            fields: Vec::new(),
            body,
            sent_ns: 4_000_000,
            reads,
        }
    }

    #[test]
    fn the_first_text_counts_and_not_the_role() {
        let role =
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let (head, tail) = text.split_at(20);
        let usage =
            "data: {\"choices\":[],\"usage\":{\"completion_tokens\":7}}\n\ndata: [DONE]\n\n";
        let found = times(&answer(&[role, head, tail, usage])).expect("text");
        let expect = AnswerTimes {
            ttft_ms: Some(26.0),
            e2e_ms: 36.0,
            output_tokens: Some(7),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn answers_that_are_whole_or_empty() {
        let whole = "{\"choices\":[{\"text\":\"Hi\"}],\"usage\":{\"completion_tokens\":2}}";
        let found = times(&answer(&[whole])).expect("an answer");
        assert_eq!((found.ttft_ms, found.output_tokens), (None, Some(2)));
        assert_eq!(times(&answer(&["data: [DONE]\n\n"])), None);
        assert_eq!(times(&answer(&[])), None);
    }
}
