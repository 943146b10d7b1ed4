//! What the spans of one request tell of its time to the first token, and into which parts that falls.
//!
//! A request may have several spans: of a gateway, of the engine's front end, of the engine, of its stages. The
//! engine's are those that tell queue or prefill; of the others the longest TTFT is the outermost's. Invariant: the parts of a
//! request add up to its TTFT.

use infermeter_core::request::RequestId;
use infermeter_core::spans::{RequestSpan, SpanTimes};
use infermeter_core::text::Word;
use infermeter_metrics::origin::Origin;
use std::collections::BTreeMap;

/// The spans of a run by request.
#[derive(Debug)]
pub(super) struct Joined<'a>(BTreeMap<RequestId, Vec<&'a RequestSpan>>);

/// Whether spans take a request apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Apart {
    /// They tell the server's TTFT.
    Told(Told),
    /// None tells it.
    Missing,
    /// Several engines tell one.
    Ambiguous,
}

/// Which times are known, and so which parts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    /// A span around the engine's tells the TTFT of a front end.
    front: bool,
    queue: bool,
    prefill: bool,
    first_step: bool,
}

/// The times that the spans of a request tell, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    pub shape: Shape,
    /// TTFT of the outermost span.
    outer_ms: f64,
    /// TTFT of the engine's span, or of the innermost that has one.
    pub server_ms: f64,
    queue_ms: f64,
    prefill_ms: f64,
    first_step_ms: f64,
    /// What the server's TTFT holds beside the parts that it tells; exact, as it comes from whole
    /// nanoseconds.
    pub rest_ms: f64,
}

impl<'a> Joined<'a> {
    /// Spans by their requests.
    pub fn of(spans: &'a [RequestSpan]) -> Self {
        let mut by_request: BTreeMap<RequestId, Vec<&RequestSpan>> = BTreeMap::new();
        for span in spans {
            by_request.entry(span.request).or_default().push(span);
        }
        Self(by_request)
    }

    /// What the spans of a request tell.
    pub fn told(&self, request: RequestId) -> Apart {
        let spans = self.0.get(&request).map_or(&[][..], Vec::as_slice);
        let times = || spans.iter().map(|span| &span.times);
        let engines = times().filter(|times| times.is_of_engine());
        let Some(engine) = together(engines) else {
            return Apart::Ambiguous;
        };
        let mut around: Vec<i64> = times()
            .filter(|times| !times.is_of_engine())
            .filter_map(|times| times.ttft)
            .collect();
        around.sort_unstable();
        // Without an engine's TTFT the innermost one's is as near as it gets.
        let server = match engine.ttft {
            Some(server) => Some(server),
            None if around.is_empty() => None,
            None => Some(around.remove(0)),
        };
        server.map_or(Apart::Missing, |server| {
            Apart::Told(Told::of(&engine, server, around.last().copied()))
        })
    }
}

/// The times that the spans of one engine tell together; `None` where two of them tell the same one: those are of
/// several engines.
fn together<'a>(engines: impl Iterator<Item = &'a SpanTimes>) -> Option<SpanTimes> {
    let mut all = SpanTimes::default();
    let mut has_queue_inside = false;
    for own in engines {
        // Where the span of the prefill tells no queue, its prefill begins before that.
        has_queue_inside |= own.prefill.is_some() && own.queue.is_none();
        let mut own = *own;
        for (field, told) in fields(&mut all).into_iter().zip(fields(&mut own)) {
            if field.is_some() && told.is_some() {
                return None;
            }
            *field = field.or(*told);
        }
    }
    if has_queue_inside && let (Some(prefill), Some(queue)) = (all.prefill, all.queue) {
        all.prefill = Some(prefill.checked_sub(queue).filter(|rest| *rest >= 0)?);
    }
    Some(all)
}

fn fields(times: &mut SpanTimes) -> [&mut Option<i64>; 6] {
    let SpanTimes {
        ttft,
        queue,
        prefill,
        first_step,
        decode,
        e2e,
    } = times;
    [ttft, queue, prefill, first_step, decode, e2e]
}

impl Shape {
    /// The parts could account for all of the server's TTFT.
    pub fn has_residual(self) -> bool {
        self.prefill
    }

    /// The names of the parts, in the order of time.
    pub fn parts(self, origin: Origin) -> impl Iterator<Item = Word> {
        let client = (origin == Origin::Intended).then_some("client");
        let outside: &'static [&'static str] = match self.front {
            true => &["network", "front_end"],
            false => &["network_and_front_end"],
        };
        let inside: &'static [&'static str] = match (self.queue, self.prefill, self.first_step) {
            (true, true, true) => &["queue", "prefill", "first_step"],
            (true, true, false) => &["queue", "prefill_and_first_step"],
            (true, false, true) => &["queue", "first_step"],
            (true, false, false) => &["queue"],
            (false, true, true) => &["queue_and_prefill", "first_step"],
            (false, true, false) => &["queue_prefill_and_first_step"],
            (false, false, true) => &["first_step"],
            (false, false, false) => &[],
        };
        let rest = match self.has_residual() {
            true => "residual",
            false => "server",
        };
        let names = client.into_iter().chain(outside.iter().copied());
        let names = names.chain(inside.iter().copied()).chain([rest]);
        names.map(Word::from)
    }
}

impl Told {
    fn of(engine: &SpanTimes, server: i64, outer: Option<i64>) -> Self {
        let ms = |ns: i64| ns as f64 / 1e6;
        let some = |time: Option<i64>| time.map_or(0.0, ms);
        let told = [engine.queue, engine.prefill, engine.first_step].map(|time| time.unwrap_or(0));
        Self {
            shape: Shape {
                front: outer.is_some(),
                queue: engine.queue.is_some(),
                prefill: engine.prefill.is_some(),
                first_step: engine.first_step.is_some(),
            },
            outer_ms: ms(outer.unwrap_or(server)),
            server_ms: ms(server),
            queue_ms: some(engine.queue),
            prefill_ms: some(engine.prefill),
            first_step_ms: some(engine.first_step),
            rest_ms: ms(server - told.iter().sum::<i64>()),
        }
    }

    /// What lies between the two sides of a request whose TTFT from its send this is, milliseconds.
    pub fn outside_ms(&self, sent_ms: f64) -> f64 {
        sent_ms - self.outer_ms
    }

    /// The parts of a request whose TTFT this is, from its origin and from its send, milliseconds.
    pub fn parts(&self, ttft_ms: f64, sent_ms: f64, origin: Origin) -> Vec<f64> {
        let shape = self.shape;
        let part = |is_known: bool, ms: f64| is_known.then_some(ms);
        let parts = [
            part(origin == Origin::Intended, ttft_ms - sent_ms),
            Some(self.outside_ms(sent_ms)),
            part(shape.front, self.outer_ms - self.server_ms),
            part(shape.queue, self.queue_ms),
            part(shape.prefill, self.prefill_ms),
            part(shape.first_step, self.first_step_ms),
            Some(self.rest_ms),
        ];
        parts.into_iter().flatten().collect()
    }
}
