//! An `ExportTraceServiceRequest` of OTLP as protobuf (opentelemetry/proto/trace/v1/trace.proto).
//!
//! Writes what the simulator has to say and no more. Invariant: a time that a request does not have is no
//! attribute.

use super::Traced;
use infermeter_core::clock::RealtimePairing;
use infermeter_core::seed::splitmix64;
use infermeter_core::spans::SpanId;

/// `SPAN_KIND_SERVER`
const SERVER: u64 = 2;

/// A message being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn fixed64(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn inside(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// A `KeyValue` whose value `fill` writes.
    fn attribute(&mut self, field: u64, key: &str, fill: impl FnOnce(&mut Self)) {
        self.inside(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.inside(2, fill);
        });
    }
}

/// A span being written.
struct Span<'a> {
    message: &'a mut Message,
}

impl Span<'_> {
    fn text(&mut self, key: &str, text: &str) {
        self.message
            .attribute(9, key, |value| value.bytes(1, text.as_bytes()));
    }

    fn whole(&mut self, key: &str, number: u32) {
        self.message
            .attribute(9, key, |value| value.number(3, u64::from(number)));
    }

    /// A time in seconds, where there is one.
    fn seconds(&mut self, key: &str, ns: Option<i64>) {
        if let Some(ns) = ns {
            let seconds = ns as f64 / 1e9;
            self.message
                .attribute(9, key, |value| value.fixed64(4, seconds.to_bits()));
        }
    }
}

/// The spans of finished requests; `pairing` leads to the clock that others have.
pub(super) fn message(requests: &[Traced], model: &str, pairing: &RealtimePairing) -> Vec<u8> {
    let mut message = Message::default();
    message.inside(1, |resource_spans| {
        resource_spans.inside(1, |resource| {
            resource.attribute(1, "service.name", |value| {
                value.bytes(1, b"infermeter-mock");
            });
        });
        resource_spans.inside(2, |scope_spans| {
            scope_spans.inside(1, |scope| scope.bytes(1, b"infermeter-mock"));
            for request in requests {
                spans(scope_spans, request, model, pairing);
            }
        });
    });
    message.0
}

/// The two spans of one request.
fn spans(out: &mut Message, of: &Traced, model: &str, pairing: &RealtimePairing) {
    let progress = &of.progress;
    let arrived = progress.arrived_ns;
    let since = |instant: Option<i64>| instant.map(|at| at - arrived);
    let (first, last) = (progress.first_ns, progress.last_ns);
    let unix = |at: i64| (at + pairing.realtime_minus_monotonic_ns).max(0) as u64;
    let low = u64::from_be_bytes(of.parent.span.0);
    let front = SpanId(splitmix64(low ^ 1).max(1).to_be_bytes());
    let engine = SpanId(splitmix64(low ^ 2).max(1).to_be_bytes());
    let mut span = |id: SpanId, parent: SpanId, name: &str, fill: &dyn Fn(&mut Span<'_>)| {
        out.inside(2, |message| {
            message.bytes(1, &of.parent.trace);
            message.bytes(2, &id.0);
            message.bytes(4, &parent.0);
            message.bytes(5, name.as_bytes());
            message.number(6, SERVER);
            message.fixed64(7, unix(arrived));
            message.fixed64(8, unix(last));
            fill(&mut Span { message });
        });
    };
    span(
        front,
        of.parent.span,
        &format!("chat {model}"),
        &|span: &mut Span<'_>| {
            span.text("gen_ai.operation.name", "chat");
            span.text("gen_ai.request.model", model);
            span.seconds("gen_ai.response.time_to_first_chunk", since(first));
        },
    );
    span(engine, front, "llm_request", &|span: &mut Span<'_>| {
        span.text("gen_ai.response.model", model);
        span.whole("gen_ai.usage.prompt_tokens", progress.prompt_tokens);
        span.whole("gen_ai.usage.completion_tokens", progress.generated);
        let admitted = progress.admitted_ns;
        let prefilled = of.prefilled_ns.filter(|at| Some(*at) <= first);
        let between = |from: Option<i64>, to: Option<i64>| Some(to? - from?);
        span.seconds("gen_ai.latency.time_to_first_token", since(first));
        span.seconds("gen_ai.latency.time_in_queue", since(admitted));
        let computed = between(admitted, prefilled.or(first));
        span.seconds("gen_ai.latency.time_in_model_prefill", computed);
        let step = between(prefilled, first);
        span.seconds("infermeter.latency.time_in_first_step", step);
        let decode = between(first, Some(last));
        span.seconds("gen_ai.latency.time_in_model_decode", decode);
        span.seconds("gen_ai.latency.e2e", Some(last - arrived));
    });
}
