//! Simulators, loads and runs for tests.

use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::encode::{Features, Headers, RequestEncoder, RequestShape, Target};
use infermeter_client::engine::{Destinations, EngineConfig, Route};
use infermeter_client::prepared::Prepared;
use infermeter_client::response::Expect;
use infermeter_client::reuse::Reuse;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::RequestRecord;
use infermeter_core::request::{FollowUp, RequestContent, RequestSpec};
use infermeter_core::run::IoBackend;
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Schedule, Slice};
use infermeter_mock::{Config, MockHandle, Preset, spawn_in_thread};
use infermeter_runner::progress::Snapshot;
use infermeter_runner::{
    Begin, Inputs, RecordSink, RunError, RunOutcome, RunSettings, SessionRules, run,
};
use infermeter_sys::stamp::Sentinel;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

const MODEL: &str = "mock/test";

pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;

/// A simulator of the `fixed` preset.
pub fn fixed(ttft: &str, step: &str) -> Config {
    let mut config = Config::new(Preset::parse("fixed").expect("a preset"));
    config.ttft = Some(ttft.parse().expect("a span"));
    config.step = Some(step.parse().expect("a span"));
    config.model = Some(MODEL.to_owned());
    config
}

pub fn start(config: Config) -> MockHandle {
    spawn_in_thread(config).expect("a simulator on loopback")
}

/// An address that refuses connections as long as the descriptor lives: bound, not listening.
pub fn dead_target() -> (OwnedFd, SocketAddr) {
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let address = getsockname(&fd).expect("bound");
    (fd, address.try_into().expect("an IPv4 address"))
}

/// What one request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Tokens of its prompt.
    pub words: u32,
    pub output_tokens: u32,
    /// For the simulator's `x-mock-fault`.
    pub fault: Option<&'static str>,
}

impl Ask {
    pub fn tokens(output_tokens: u32) -> Self {
        Self {
            words: 3,
            output_tokens,
            fault: None,
        }
    }

    pub fn with_fault(self, fault: &'static str) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }
}

/// The request with an id.
pub fn prepare(id: u64, ask: Ask) -> Prepared {
    let mut headers = Headers::default();
    if let Some(fault) = ask.fault {
        headers.push("x-mock-fault", fault).expect("a header");
    }
    let shape = RequestShape {
        dialect: Dialect::of(Endpoint::Chat),
        model: MODEL.to_owned(),
        stream: true,
        features: Features {
            ignore_eos: true,
            include_usage: true,
            continuous_usage: true,
            ..Features::default()
        },
        headers,
        extra_body: serde_json::Map::new(),
        session_header: None,
        path: None,
        template: None,
    };
    let target = Target::parse("http://localhost").expect("a target");
    let encoder = RequestEncoder::new(&target, &shape);
    let content = RequestContent::of_prompt(" word".repeat(ask.words as usize));
    let spec = spec(id, ask);
    Prepared {
        spec,
        bytes: encoder.encode(&request_id(id), &spec, &content),
        expect: Expect {
            dialect: Dialect::of(Endpoint::Chat),
            streaming: true,
            keep_texts: KeepTexts::No,
            output_tokens: ask.output_tokens.min(1_000) as usize,
            numbers: infermeter_client::response::Numbers::NONE,
        },
        waited: None,
        next: Vec::new(),
        address: None,
        pause_ns: 0,
    }
}

pub fn request_id(id: u64) -> String {
    format!("run-{id}")
}

pub fn spec(id: u64, ask: Ask) -> RequestSpec {
    RequestSpec::alone(id, ask.words, ask.output_tokens)
}

/// What engines receive with: the tests are built twice, and in the crate `uring` it is io_uring
/// (where the kernel allows it).
pub fn io() -> IoBackend {
    let wanted = env!("CARGO_CRATE_NAME") == "uring";
    if wanted && infermeter_sys::uring::probe().is_ok() {
        IoBackend::Uring
    } else {
        IoBackend::Epoll
    }
}

/// Generous limits: what a test is about it sets itself. Whether stamps work here is found out by
/// whoever uses it.
pub fn engine_config(address: SocketAddr) -> EngineConfig {
    EngineConfig {
        to: Arc::new(Destinations::one(Route::to(address, None))),
        clock: Clock::starting_in(0),
        io: io(),
        kernel_stamps: false,
        audit_send: false,
        max_connections: 1_000,
        first_connection: 0,
        connection_stride: 1,
        connect_timeout: 20 * SECOND,
        timeout: 20 * SECOND,
        first_token_timeout: None,
        idle_timeout: None,
        keepalive: 20 * SECOND,
        spare_connections: 0,
        reuse: Reuse::Tried,
        retry_stale: false,
        budget: Arc::default(),
        burn: 0,
        spin: 0,
    }
}

pub fn settings(address: SocketAddr, threads: usize) -> RunSettings {
    RunSettings {
        threads,
        cores: Vec::new(),
        engine: engine_config(address),
        open_ahead: 2 * threads,
        sessions: SessionRules::default(),
        drain_without_load: false,
    }
}

/// Arrivals at these instants (milliseconds), of which the first `warmup` and then `measured`; the
/// rest is drain.
pub fn arrivals(at_ms: &[i64], warmup: usize, measured: usize) -> OpenSchedule {
    let arrivals: Vec<Offset> = at_ms.iter().map(|ms| Offset(ms * MS)).collect();
    let instant = |i: usize| arrivals.get(i).copied();
    let drain_from = warmup + measured;
    let last = instant(drain_from - 1).expect("measured arrivals");
    OpenSchedule {
        measure_from: warmup,
        drain_from,
        window_start: instant(warmup).expect("measured arrivals"),
        window_end: instant(drain_from).unwrap_or(last).max(last.plus(1)),
        arrivals,
        ids: ArrivalIds::ALONE,
        slice: Slice::WHOLE,
    }
}

/// A run and its records in id order.
#[derive(Debug)]
pub struct Done {
    pub records: Vec<RequestRecord>,
    pub outcome: RunOutcome,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<RequestRecord>,
    /// Requests that have begun and not ended.
    open: BTreeSet<u64>,
}

impl RecordSink for Kept {
    fn append(&mut self, record: &RequestRecord) -> Result<(), String> {
        let begun = self.open.remove(&record.id);
        assert!(begun || record.sent.is_none(), "sent unseen: {record:?}");
        self.records.push(record.clone());
        Ok(())
    }

    fn begin(&mut self, record: &RequestRecord) -> Result<(), String> {
        self.open.insert(record.id);
        Ok(())
    }

    fn flush(&mut self, _: Offset) -> Result<(), String> {
        Ok(())
    }
}

/// Executes a schedule and checks what holds for every run.
pub fn execute(
    schedule: &Schedule,
    settings: &RunSettings,
    ask: &(dyn Fn(u64) -> Ask + Sync),
) -> Done {
    execute_watched(schedule, settings, ask, &mut |_| {})
}

/// The same with someone who looks at the progress.
pub fn execute_watched(
    schedule: &Schedule,
    settings: &RunSettings,
    ask: &(dyn Fn(u64) -> Ask + Sync),
    on_progress: &mut dyn FnMut(&Snapshot),
) -> Done {
    let asked = Asked {
        make: &|id, _| prepare(id, ask(id)),
        spec: &|id| spec(id, ask(id)),
        next: &|_| Vec::new(),
    };
    execute_asked(schedule, settings, &asked, on_progress)
}

/// Says when a run begins that is ready.
pub type Gate<'a> = &'a mut dyn FnMut() -> Result<Begin, String>;

/// The same with someone who says when it begins; an error where that is never, and then nothing is on record.
pub fn execute_begun(
    schedule: &Schedule,
    settings: &RunSettings,
    ask: &(dyn Fn(u64) -> Ask + Sync),
    begin: Gate<'_>,
) -> Result<Done, RunError> {
    let asked = Asked {
        make: &|id, _| prepare(id, ask(id)),
        spec: &|id| spec(id, ask(id)),
        next: &|_| Vec::new(),
    };
    executed(schedule, settings, &asked, begin, &mut |_| {})
}

/// What is sent.
pub struct Asked<'a> {
    pub make: &'a (dyn Fn(u64, &[Arc<str>]) -> Prepared + Sync),
    pub spec: &'a (dyn Fn(u64) -> RequestSpec + Sync),
    pub next: &'a (dyn Fn(&RequestSpec) -> Vec<FollowUp> + Sync),
}

/// Executes a schedule of anything.
pub fn execute_asked(
    schedule: &Schedule,
    settings: &RunSettings,
    asked: &Asked<'_>,
    on_progress: &mut dyn FnMut(&Snapshot),
) -> Done {
    let begin = &mut || Ok(Begin::Now);
    executed(schedule, settings, asked, begin, on_progress).expect("workers go on")
}

fn executed(
    schedule: &Schedule,
    settings: &RunSettings,
    asked: &Asked<'_>,
    begin: Gate<'_>,
    on_progress: &mut dyn FnMut(&Snapshot),
) -> Result<Done, RunError> {
    let stamps = Sentinel::start();
    let mut settings = settings.clone();
    settings.engine.kernel_stamps = stamps.is_some();
    let mut sink = Kept::default();
    let inputs = Inputs {
        make: asked.make,
        spec: asked.spec,
        next: asked.next,
        sink: &mut sink,
        begin,
        on_start: &mut |_| {},
        on_phase: &mut |_| {},
        on_progress,
    };
    let outcome = run(schedule, &settings, inputs);
    assert!(sink.open.is_empty(), "begun, and never ended");
    let mut records = sink.records;
    if outcome.is_err() {
        assert!(records.is_empty(), "nothing began: {records:?}");
    }
    let outcome = outcome?;
    records.sort_by_key(|record| record.id);
    let ids: BTreeSet<u64> = records.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), records.len(), "an id has two records");
    assert_eq!(outcome.progress.scheduled, records.len() as u64);
    assert_eq!(outcome.health.recorder_error, None);
    assert_eq!(outcome.health.threads.len(), settings.threads);
    records.iter().for_each(check_instants);
    Ok(Done { records, outcome })
}

/// The order of one record's instants.
pub fn check_instants(record: &RequestRecord) {
    let Some(send_start) = record.send_start else {
        assert_eq!(record.attempts, 0, "{record:?}");
        assert!(record.chunks.is_empty() && record.sent.is_none());
        return;
    };
    assert!(record.intended <= send_start, "{record:?}");
    let chain = [record.connected, record.tls_done, record.sent];
    let mut last = send_start;
    for instant in chain.into_iter().flatten() {
        assert!(instant >= last, "{record:?}");
        last = instant;
    }
    let mut at = record.first_byte.unwrap_or(send_start);
    for chunk in &record.chunks {
        assert!(
            chunk.lower <= chunk.at && chunk.at <= chunk.seen,
            "{chunk:?}"
        );
        assert!(chunk.at >= at, "{record:?}");
        at = chunk.at;
    }
    assert_eq!(record.finished, record.chunks.last().map(|chunk| chunk.at));
    assert!(
        record.closed.is_some_and(|closed| closed >= at),
        "{record:?}"
    );
}
