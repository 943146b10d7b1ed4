//! What a rung is: `streams:100x50`, `requests:200x16`, `bytes:4096`, `chunks:8`, `null:64`, `flood:64`, with
//! `/tls` behind it for TLS. From it follow the client's plan and the simulator's flags.

use infermeter_core::certificate::{LoadKind, Transport};
use infermeter_core::plan::{Plan, Warmup, WorkloadKind};
use infermeter_core::text::closest;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Tokens per answer of a `requests` rung that does not say.
const REQUEST_TOKENS: u32 = 8;
/// Streams of a `bytes` rung, and tokens per second of each.
const BYTES_STREAMS: (u32, u32) = (50, 50);
/// Streams of a `chunks` rung, and events per second of each.
const CHUNK_STREAMS: (u32, u32) = (50, 50);
/// Most tokens per event.
const MAX_CHUNK: u32 = 1_024;
/// Tokens per answer of a `flood` rung: long, so that events and not requests are the load.
const FLOOD_TOKENS: u32 = 2_000;
/// Prompt tokens of every request.
const PROMPT_TOKENS: u32 = 16;
/// Most streams, slots and requests per second that anyone can mean.
const MAX_SIZE: u32 = 1_000_000;
/// Event sizes that the simulator can be brought to: no smaller than its plain event.
const BYTES: std::ops::RangeInclusive<u32> = 320..=65_536;
/// Bytes of the simulator's event with `mock/` for a model name, HTTP chunk border included.
const PLAIN_EVENT_BYTES: u32 = 250;

/// One load of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Its shape.
    pub shape: Shape,
    /// Its transport.
    pub transport: Transport,
}

/// Shape of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Streams with steady tokens.
    Streams {
        /// How many.
        streams: u32,
        /// Tokens per second of each.
        rate: u32,
    },
    /// Short requests in open loop.
    Requests {
        /// Per second.
        rate: u32,
        /// Tokens of each.
        tokens: u32,
    },
    /// Large events.
    Bytes {
        /// Bytes of each.
        bytes: u32,
    },
    /// Events of several tokens.
    Chunks {
        /// Tokens of each.
        tokens: u32,
    },
    /// One token at once, closed loop.
    Null {
        /// Slots.
        slots: u32,
    },
    /// Tokens as fast as they can be written.
    Flood {
        /// Streams.
        slots: u32,
    },
}

impl Spec {
    /// Over TCP alone.
    pub const fn plain(shape: Shape) -> Self {
        Self {
            shape,
            transport: Transport::Plain,
        }
    }

    /// The kind in the certificate.
    pub fn kind(self) -> LoadKind {
        match self.shape {
            Shape::Streams { .. } => LoadKind::Streams,
            Shape::Requests { .. } => LoadKind::Requests,
            Shape::Bytes { .. } => LoadKind::Bytes,
            Shape::Chunks { .. } => LoadKind::Chunks,
            Shape::Null { .. } => LoadKind::Null,
            Shape::Flood { .. } => LoadKind::Flood,
        }
    }

    /// Events per second asked for; `None`: as many as go.
    pub fn events_per_s(self) -> Option<f64> {
        let product = |a: u32, b: u32| Some(f64::from(a) * f64::from(b));
        match self.shape {
            Shape::Streams { streams, rate } => product(streams, rate),
            Shape::Requests { rate, tokens } => product(rate, tokens),
            Shape::Bytes { .. } => product(BYTES_STREAMS.0, BYTES_STREAMS.1),
            Shape::Chunks { .. } => product(CHUNK_STREAMS.0, CHUNK_STREAMS.1),
            Shape::Null { .. } | Shape::Flood { .. } => None,
        }
    }

    /// Asked for per second, in the kind's unit.
    pub(crate) fn asked_per_s(self) -> Option<f64> {
        match self.shape {
            Shape::Requests { rate, .. } => Some(f64::from(rate)),
            _ => self.events_per_s(),
        }
    }

    /// Tokens of each answer.
    fn tokens(self) -> u32 {
        match self.shape {
            // Answers of about a second: the last ones do not make the drain long.
            Shape::Streams { rate, .. } => rate.max(2),
            Shape::Requests { tokens, .. } => tokens,
            Shape::Bytes { .. } => BYTES_STREAMS.1,
            Shape::Chunks { tokens } => tokens * CHUNK_STREAMS.1,
            Shape::Null { .. } => 1,
            Shape::Flood { .. } => FLOOD_TOKENS,
        }
    }

    /// Distance of the simulator's steps, nanoseconds; `None`: it has none.
    pub(crate) fn step_ns(self) -> Option<i64> {
        match self.shape {
            Shape::Streams { rate, .. } => Some(1_000_000_000 / i64::from(rate.max(1))),
            Shape::Requests { .. } => Some(1_000_000),
            Shape::Bytes { .. } => Some(1_000_000_000 / i64::from(BYTES_STREAMS.1)),
            Shape::Chunks { tokens } => Some(1_000_000_000 / i64::from(CHUNK_STREAMS.1 * tokens)),
            Shape::Null { .. } | Shape::Flood { .. } => None,
        }
    }

    /// The client's plan.
    pub fn plan(self, duration: Span, warmup: Span) -> Plan {
        let (concurrency, rate) = match self.shape {
            Shape::Streams { streams, .. } => (Some(streams), None),
            Shape::Requests { rate, .. } => (None, Some(f64::from(rate))),
            Shape::Bytes { .. } => (Some(BYTES_STREAMS.0), None),
            Shape::Chunks { .. } => (Some(CHUNK_STREAMS.0), None),
            Shape::Null { slots } | Shape::Flood { slots } => (Some(slots), None),
        };
        Plan {
            target: format!("mock:{}", self.preset()),
            concurrency,
            rate,
            duration: Some(duration),
            warmup: Some(Warmup {
                time: warmup,
                requests: 0,
            }),
            workload: WorkloadKind::fixed(PROMPT_TOKENS, self.tokens()),
            // An open loop ends with a drain as long as this, should an answer hang.
            timeout: Span::seconds(30),
            quiet: true,
            ..self
                .named_model()
                .map_or_else(Plan::defaults, |model| Plan {
                    // A name this long is cut where models are listed: it is given, and so is the
                    // field that a probe would have found.
                    model: Some(model),
                    no_probe: true,
                    extra_body: Some(serde_json::json!({"ignore_eos": true})),
                    ..Plan::defaults()
                })
        }
    }

    /// A model name that brings the events to their size: every event repeats it.
    fn named_model(self) -> Option<String> {
        let Shape::Bytes { bytes } = self.shape else {
            return None;
        };
        let room = bytes.saturating_sub(PLAIN_EVENT_BYTES) as usize;
        Some(format!("mock/{}", "x".repeat(room)))
    }

    fn preset(self) -> &'static str {
        match self.shape {
            Shape::Null { .. } => "null",
            _ => "fixed",
        }
    }

    /// The simulator's flags, transport aside.
    pub(crate) fn mock_flags(self) -> Vec<String> {
        let mut flags = vec!["--preset".to_owned(), self.preset().to_owned()];
        let mut flag = |name: &str, value: String| flags.extend([name.to_owned(), value]);
        match self.shape {
            Shape::Null { .. } => {}
            // The first token at the boundary behind the arrival: the streams share their steps.
            Shape::Streams { .. } => flag("--ttft", "1us".to_owned()),
            Shape::Requests { .. } => flag("--ttft", "2ms".to_owned()),
            Shape::Bytes { .. } => flag("--ttft", "1us".to_owned()),
            Shape::Chunks { tokens } => {
                flag("--ttft", "1us".to_owned());
                flag("--stream-interval", tokens.to_string());
            }
            Shape::Flood { .. } => {
                flag("--ttft", "1us".to_owned());
                flag("--step", "1us".to_owned());
            }
        }
        if let Some(step) = self.step_ns() {
            flag("--step", format!("{step}ns"));
        }
        if let Some(model) = self.named_model() {
            flag("--model", model);
        }
        flags
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

infermeter_core::text_schema!("^[a-z]+:" => Spec);

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().as_str();
        match self.shape {
            Shape::Streams { streams, rate } => write!(f, "{kind}:{streams}x{rate}")?,
            Shape::Requests {
                rate,
                tokens: REQUEST_TOKENS,
            } => write!(f, "{kind}:{rate}")?,
            Shape::Requests { rate, tokens } => write!(f, "{kind}:{rate}x{tokens}")?,
            Shape::Bytes { bytes: n }
            | Shape::Chunks { tokens: n }
            | Shape::Null { slots: n }
            | Shape::Flood { slots: n } => write!(f, "{kind}:{n}")?,
        }
        match self.transport {
            Transport::Plain => Ok(()),
            Transport::Tls => f.write_str("/tls"),
        }
    }
}

/// Why a text is no rung.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Its first word is no kind.
    #[error(
        "`{text}`: unknown load `{kind}`{}: write streams:NxR, requests:R, requests:RxT, bytes:B, \
         chunks:T, null:N or flood:N, with /tls after it for TLS",
        hint(.suggestion)
    )]
    Kind {
        /// The text, made inert.
        text: String,
        /// Its first word, made inert.
        kind: String,
        /// The nearest kind.
        suggestion: Option<&'static str>,
    },
    /// Its numbers are none, or too many, or out of range.
    #[error("`{text}` is not a load: write {expected}")]
    Numbers {
        /// The text, made inert.
        text: String,
        /// What to write.
        expected: &'static str,
    },
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |kind| format!(", did you mean `{kind}`?"))
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (load, transport) = match text.trim().strip_suffix("/tls") {
            Some(load) => (load, Transport::Tls),
            None => (text.trim(), Transport::Plain),
        };
        let (kind, numbers) = load.split_once(':').unwrap_or((load, ""));
        let numbers: Option<Vec<u32>> = numbers.split('x').map(number).collect();
        let numbers = numbers.unwrap_or_default();
        let bad = |expected| SpecError::Numbers {
            text: inert(text, 80),
            expected,
        };
        let shape = match (kind, numbers.as_slice()) {
            // A step lasts a microsecond at least.
            ("streams", &[streams, rate]) if rate <= 100_000 => Shape::Streams { streams, rate },
            ("streams", _) => return Err(bad("streams:100x50, 100 streams of 50 tokens/s")),
            ("requests", &[rate]) => Shape::Requests {
                rate,
                tokens: REQUEST_TOKENS,
            },
            ("requests", &[rate, tokens]) => Shape::Requests { rate, tokens },
            ("requests", _) => return Err(bad("requests:200, or requests:200x16 of 16 tokens")),
            ("bytes", &[bytes]) if BYTES.contains(&bytes) => Shape::Bytes { bytes },
            ("bytes", _) => return Err(bad("bytes:4096, from 320 to 65536 bytes per event")),
            ("chunks", &[tokens]) if tokens <= MAX_CHUNK => Shape::Chunks { tokens },
            ("chunks", _) => return Err(bad("chunks:8, up to 1024 tokens per event")),
            ("null", &[slots]) => Shape::Null { slots },
            ("null", _) => return Err(bad("null:64, a number of slots")),
            ("flood", &[slots]) => Shape::Flood { slots },
            ("flood", _) => return Err(bad("flood:64, a number of streams")),
            (other, _) => {
                return Err(SpecError::Kind {
                    text: inert(text, 80),
                    kind: inert(other, 40),
                    suggestion: nearest(other),
                });
            }
        };
        Ok(Self { shape, transport })
    }
}

fn nearest(kind: &str) -> Option<&'static str> {
    closest(kind, LoadKind::ALL.into_iter().map(LoadKind::as_str))
}

fn number(text: &str) -> Option<u32> {
    let number = text.parse().ok()?;
    (1..=MAX_SIZE).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_and_print() {
        for text in [
            "streams:100x50",
            "requests:200",
            "requests:200x16",
            "bytes:4096",
            "chunks:8",
            "null:64",
            "flood:8/tls",
            "streams:1x20/tls",
        ] {
            assert_eq!(text.parse::<Spec>().expect("a rung").to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let check = |text: &str, expect: &str| {
            let error = text.parse::<Spec>().expect_err("no rung").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("stream:4x50", "did you mean `streams`?");
        check("qqq:1", "unknown load `qqq`: write");
        check("streams:4", "streams:100x50");
        check("streams:0x50", "streams:100x50");
        check("bytes:1", "from 320");
        check("requests:1x2x3", "requests:200");
        check("null:999999999999", "null:64");
    }

    #[test]
    fn the_plan_asks_for_what_the_rung_says() {
        let spec: Spec = "streams:7x50".parse().expect("a rung");
        let plan = spec.plan(Span::seconds(2), Span::seconds(1));
        assert_eq!((plan.concurrency, plan.rate), (Some(7), None));
        assert_eq!(spec.asked_per_s(), Some(350.0));
        assert_eq!(
            spec.mock_flags().join(" "),
            "--preset fixed --ttft 1us --step 20000000ns"
        );
        let spec: Spec = "requests:200x4".parse().expect("a rung");
        assert_eq!(
            (spec.asked_per_s(), spec.events_per_s()),
            (Some(200.0), Some(800.0))
        );
    }
}
