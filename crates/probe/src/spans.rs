//! Receives spans of requests while a run goes on: OTLP over HTTP, as protobuf or as JSON.
//!
//! It asks nobody for anything, and shares nothing with the threads that measure: what comes is read by the
//! listener's own threads, which give way to all others. Invariants: bytes that are no OTLP are counted and
//! refused; every span of a message is counted in exactly one place; nothing that comes lets memory grow
//! without a limit.

mod json;
mod names;
mod protobuf;
mod sort;
mod wire;

use wire::OtlpError;
pub(crate) use wire::{Export, Form};

use crate::listen::{Asked, Limits, Listening, Reply, listen};
use infermeter_core::spans::{RequestSpan, SpanTally, TraceKey};
use infermeter_core::text::inert;
use sort::Sorter;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where OTLP over HTTP has its traces.
const PATH: &str = "/v1/traces";
/// Longest message, bytes, unpacked: exporters send some hundred spans of a thousand bytes at once.
const MESSAGE_BYTES: usize = 4 << 20;

/// What becomes of the run's spans in a message.
pub type WriteSpans = Box<dyn FnMut(Vec<RequestSpan>) + Send>;

/// A receiver of spans. It outlives runs, since an engine is told once where to send them; dropping it ends it.
pub struct SpanReceiver {
    of_run: Arc<Mutex<Option<OfRun>>>,
    listening: Listening,
}

/// Spans of the run that goes on.
struct OfRun {
    sorter: Sorter,
    write: WriteSpans,
}

impl SpanReceiver {
    /// Listens at `address`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let of_run: Arc<Mutex<Option<OfRun>>> = Arc::default();
        let limits = Limits {
            body_bytes: MESSAGE_BYTES,
            ..Limits::default()
        };
        let receiving = Arc::clone(&of_run);
        let listening = listen(address, limits, move |asked| answer(asked, &receiving))?;
        Ok(Self { of_run, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// A run begins: spans of its traces go to `write`.
    pub fn begin(&self, traces: TraceKey, write: WriteSpans) {
        *lock(&self.of_run) = Some(OfRun {
            sorter: Sorter::new(traces),
            write,
        });
    }

    /// Requests of which a span has come that tells a time.
    pub fn requests(&self) -> u64 {
        lock(&self.of_run)
            .as_ref()
            .map_or(0, |run| run.sorter.requests())
    }

    /// The run has ended: what came altogether. Spans that come later are taken and dropped.
    pub fn end(&self) -> SpanTally {
        lock(&self.of_run)
            .take()
            .map_or_else(SpanTally::default, |run| run.sorter.tally())
    }
}

impl fmt::Debug for SpanReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanReceiver({})", self.address())
    }
}

fn lock(of_run: &Mutex<Option<OfRun>>) -> MutexGuard<'_, Option<OfRun>> {
    of_run.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For fuzzing: what comes of a message that comes twice, where its traces are those of the run.
pub(crate) fn sorted_twice(export: &Export) -> SpanTally {
    let traces = TraceKey::of_run("fuzzing");
    let mut own = export.clone();
    for (request, span) in (0..).zip(&mut own.spans) {
        span.trace = span.trace.map(|_| traces.parent(request % 3).trace);
    }
    let mut sorter = Sorter::new(traces);
    sorter.sort(own.clone());
    sorter.sort(own);
    sorter.tally()
}

/// Takes a message.
fn answer(asked: &Asked<'_>, of_run: &Mutex<Option<OfRun>>) -> Reply {
    if asked.path().trim_end_matches('/') != PATH {
        return Reply::text(404, "traces are taken at /v1/traces alone");
    }
    if asked.method != "POST" {
        return Reply::text(405, "traces are sent by POST");
    }
    let Some(form) = Form::of(asked.content_type) else {
        return Reply::text(
            415,
            "write application/x-protobuf or application/json (gRPC is not spoken here: set \
             OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf)",
        );
    };
    let read = read(asked.body, form);
    let mut of_run = lock(of_run);
    match (read, &mut *of_run) {
        (Ok(_), None) => accepted(form, 0),
        (Ok(export), Some(run)) => {
            let sorted = run.sorter.sort(export);
            if !sorted.kept.is_empty() {
                (run.write)(sorted.kept);
            }
            accepted(form, sorted.rejected)
        }
        (Err(error), run) => {
            if let Some(run) = run {
                run.sorter.refuse();
            }
            Reply::text(400, &inert(&error.to_string(), 300))
        }
    }
}

/// The answer to a message that was read; `rejected` of its spans have no proper ids, or no room.
fn accepted(form: Form, rejected: u64) -> Reply {
    Reply {
        status: 200,
        content_type: form.content_type(),
        body: match form {
            Form::Protobuf => protobuf::response(rejected),
            Form::Json => json::response(rejected),
        },
    }
}

/// Reads a message.
pub(crate) fn read(bytes: &[u8], form: Form) -> Result<Export, OtlpError> {
    match form {
        Form::Protobuf => protobuf::read(bytes),
        Form::Json => json::read(bytes),
    }
}

#[cfg(test)]
mod tests;
