//! Names of times in spans: which attribute of which generation of names is which time.
//!
//! A time without a row here is not used. Invariant: a value that is no time (negative, not finite, longer than
//! a week) is counted, and is absent.

use infermeter_core::spans::{SpanTime, SpanTimes};

/// Longest time that is believed, seconds: a week.
const LONGEST_S: f64 = 604_800.0;

/// An attribute and the time that it is. All of them are in seconds.
pub(super) const NAMES: &[(&str, SpanTime)] = &[
    // vLLM's `llm_request` and SGLang's root, in names of the GenAI conventions of 1.36 and before. SGLang's
    // prefill begins before the queue, and its span tells no queue.
    ("gen_ai.latency.time_to_first_token", SpanTime::Ttft),
    ("gen_ai.latency.time_in_queue", SpanTime::Queue),
    ("gen_ai.latency.time_in_model_prefill", SpanTime::Prefill),
    ("gen_ai.latency.time_in_model_decode", SpanTime::Decode),
    ("gen_ai.latency.e2e", SpanTime::E2e),
    // The server's metrics of 1.37 to 1.41 as attributes of its span.
    ("gen_ai.server.time_to_first_token", SpanTime::Ttft),
    ("gen_ai.server.request.duration", SpanTime::E2e),
    // GenAI conventions 0.1.0, on their own.
    ("gen_ai.response.time_to_first_chunk", SpanTime::Ttft),
    // The simulator's, which tells the first step from the prefill.
    ("infermeter.latency.time_in_first_step", SpanTime::FirstStep),
];

/// Spans that are as long as a time. SGLang sends one for each stage of a request.
const LENGTHS: &[(&str, SpanTime)] = &[("prefill_waiting", SpanTime::Queue)];

/// The time that a span of this name is as long as.
pub(super) fn of_length(name: &str) -> Option<SpanTime> {
    let known = LENGTHS.iter().find(|(known, _)| *known == name);
    known.map(|(_, time)| *time)
}

/// The value of an attribute, as far as it may be a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said<'a> {
    Number(f64),
    Text(&'a str),
    /// A list, a map, a truth value, bytes, nothing.
    Other,
}

/// What the attributes of a span tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The times.
    pub times: SpanTimes,
    /// Values of known names that are no times.
    pub bad: u64,
}

impl Told {
    /// Takes an attribute.
    pub(super) fn take(&mut self, name: &str, said: Said<'_>) {
        let Some((_, time)) = NAMES.iter().find(|(known, _)| *known == name) else {
            return;
        };
        let seconds = match said {
            Said::Number(number) => Some(number),
            Said::Text(text) => text.trim().parse().ok(),
            Said::Other => None,
        };
        match seconds.filter(|s| (0.0..=LONGEST_S).contains(s)) {
            Some(seconds) => self.times.put(*time, (seconds * 1e9).round() as i64),
            None => self.bad += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_and_what_is_none_is_counted() {
        let mut told = Told::default();
        told.take("gen_ai.latency.time_in_queue", Said::Number(0.25));
        told.take("gen_ai.response.time_to_first_chunk", Said::Text("0.5"));
        told.take("gen_ai.latency.time_in_model_prefill", Said::Number(-0.1));
        told.take("gen_ai.latency.e2e", Said::Number(f64::NAN));
        told.take("gen_ai.latency.time_in_model_decode", Said::Text("long"));
        told.take("gen_ai.request.max_tokens", Said::Number(-3.0));
        let expect = SpanTimes {
            queue: Some(250_000_000),
            ttft: Some(500_000_000),
            ..SpanTimes::default()
        };
        assert_eq!((told.times, told.bad), (expect, 3));
    }
}
