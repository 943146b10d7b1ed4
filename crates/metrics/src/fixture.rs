//! Fabricated runs for tests: a few lines say what each request did, the rest is filled in so
//! that nothing else is remarkable.

use crate::collect::{Collected, collect};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::plan::Plan;
use infermeter_core::record::{
    Chunk, ChunkKind, Outcome, Reason, RequestError, RequestRecord, StampSource, TokenSource,
};
use infermeter_core::run::{
    ClientHealth, FORMAT_VERSION, IoBackend, LoadModel, Progress, RunLog, RunManifest, RunState,
    ThreadHealth, Window,
};
use infermeter_core::schedule::Phase;
use infermeter_core::units::Span;

mod ranks;

pub use ranks::{later, ranked};

/// Milliseconds as nanoseconds.
pub const fn ms(ms: i64) -> i64 {
    ms * 1_000_000
}

/// The window starts this long after the origin, nanoseconds.
const WINDOW_START_NS: i64 = ms(30_000);

/// A run under construction. Instants are milliseconds since the window's start.
#[derive(Debug, Clone)]
pub struct Run {
    manifest: RunManifest,
    records: Vec<RequestRecord>,
}

impl Run {
    /// An open loop of `rate` requests per second with a measured window of `seconds`.
    pub fn open(rate: f64, seconds: i64) -> Self {
        let mut plan = Plan::defaults();
        plan.target = "http://server.example:8000".to_owned();
        plan.rate = Some(rate);
        plan.duration = Some(Span::seconds(seconds));
        Self {
            manifest: manifest(plan, seconds),
            records: Vec::new(),
        }
    }

    /// A closed loop of `slots` with a measured window of `seconds`.
    pub fn closed(slots: u32, seconds: i64) -> Self {
        let mut run = Self::open(1.0, seconds);
        run.manifest.plan.rate = None;
        run.manifest.plan.concurrency = Some(slots);
        run.manifest.rate_asked = None;
        run.manifest.load_model = LoadModel::ClosedLoop;
        run
    }

    /// A quiet run that gives no reason for doubt: `n` measured requests of `tokens` tokens at
    /// `rate` per second with a warm-up before, evenly scattered latencies around 60 ms and gaps
    /// around 10 ms.
    pub fn steady(n: u32, rate: f64, tokens: u32) -> Self {
        let seconds = (f64::from(n) / rate).ceil() as i64;
        let mut run = Self::open(rate, seconds);
        let mut random = SplitMix(7);
        let gap_ms = 1e3 / rate;
        for i in 0..60 {
            let at = -30_000 + i64::from(i) * 400;
            run.warmup_stream(at, ms(60), ms(10), tokens);
        }
        let mut at = 0.0;
        let mut offsets = Vec::new();
        for _ in 0..n {
            offsets.push(at);
            at += -(1.0 - random.unit()).ln() * gap_ms;
        }
        let scale = (seconds * 1_000) as f64 / at.max(1.0);
        for offset in offsets {
            let ttft = ms(40) + (random.unit() * 40e6) as i64;
            let gap = ms(8) + (random.unit() * 4e6) as i64;
            run.stream((offset * scale) as i64, ttft, gap, tokens);
        }
        run
    }

    /// The manifest, to change.
    pub fn manifest(&mut self) -> &mut RunManifest {
        &mut self.manifest
    }

    /// The records so far, to change.
    pub fn records(&mut self) -> &mut Vec<RequestRecord> {
        &mut self.records
    }

    /// A completed measured request: first chunk `ttft_ns` after the send, then `chunks - 1` more,
    /// `gap_ns` apart, one token each.
    pub fn stream(&mut self, at_ms: i64, ttft_ns: i64, gap_ns: i64, chunks: u32) -> Shape<'_> {
        self.push_stream(Phase::Measure, at_ms, ttft_ns, gap_ns, chunks)
    }

    /// The same in the warm-up (`at_ms` negative).
    pub fn warmup_stream(
        &mut self,
        at_ms: i64,
        ttft_ns: i64,
        gap_ns: i64,
        chunks: u32,
    ) -> Shape<'_> {
        self.push_stream(Phase::Warmup, at_ms, ttft_ns, gap_ns, chunks)
    }

    /// A measured request that failed 5 ms after its send, without a chunk.
    pub fn failed(&mut self, at_ms: i64, reason: Reason) {
        self.push_failure(at_ms, Outcome::Failed, reason);
    }

    /// A measured request that timed out.
    pub fn timed_out(&mut self, at_ms: i64) {
        self.push_failure(at_ms, Outcome::TimedOut, Reason::RequestTimeout);
    }

    /// A measured request still in flight when the drain ended.
    pub fn drained(&mut self, at_ms: i64) {
        self.push_failure(at_ms, Outcome::Cancelled, Reason::DrainEnded);
    }

    /// A measured request that an interrupt kept from being sent.
    pub fn not_sent(&mut self, at_ms: i64) {
        let mut record = blank(Phase::Measure, at_ms);
        record.error = Some(RequestError {
            reason: Reason::Interrupted,
            text: "interrupted".to_owned(),
        });
        self.records.push(record);
    }

    /// The run: records in order of intended time, numbered.
    pub fn build(self) -> RunLog {
        let Self {
            mut manifest,
            mut records,
        } = self;
        records.sort_by_key(|r| r.intended);
        for (id, record) in records.iter_mut().enumerate() {
            record.id = id as u64;
        }
        if let Some(progress) = &mut manifest.progress {
            progress.scheduled = records.len() as u64;
            let ended = records.iter().filter_map(|r| r.closed).max();
            progress.ended = progress.ended.max(ended.unwrap_or(Offset::ZERO));
        }
        RunLog { manifest, records }
    }

    fn push_stream(
        &mut self,
        phase: Phase,
        at_ms: i64,
        ttft_ns: i64,
        gap_ns: i64,
        chunks: u32,
    ) -> Shape<'_> {
        let mut record = blank(phase, at_ms);
        let start = record.intended;
        mark_sent(&mut record);
        record.outcome = Outcome::Completed;
        record.status = Some(200);
        record.chunks = (0..chunks)
            .map(|i| chunk(start.plus(ttft_ns + i64::from(i) * gap_ns), i))
            .collect();
        record.token_source = Some(TokenSource::OnePerChunk);
        record.finish_reason = Some("length".to_owned());
        record.requested_output_tokens = chunks;
        record.prompt_tokens = Some(record.requested_prompt_tokens);
        record.output_tokens = Some(chunks);
        record.first_byte = record.chunks.first().map(|c| c.at);
        record.first_byte_seen = record.chunks.first().map(|c| c.seen);
        record.finished = record.chunks.last().map(|c| c.at);
        record.closed = record.finished.map(|f| f.plus(100_000));
        self.records.push(record);
        let last = self.records.len() - 1;
        Shape(&mut self.records[last])
    }

    fn push_failure(&mut self, at_ms: i64, outcome: Outcome, reason: Reason) {
        let mut record = blank(Phase::Measure, at_ms);
        mark_sent(&mut record);
        record.closed = Some(record.intended.plus(ms(5)));
        record.outcome = outcome;
        record.status = (reason == Reason::HttpStatus).then_some(500);
        record.error = Some(RequestError {
            reason,
            text: "the server said no".to_owned(),
        });
        self.records.push(record);
    }
}

/// A fabricated run after its first reading.
pub fn facts(log: &RunLog) -> Collected {
    let Ok(collected) = collect(&log.manifest, log);
    collected
}

/// Changes to the request just added.
#[derive(Debug)]
pub struct Shape<'a>(&'a mut RequestRecord);

impl Shape<'_> {
    /// Everything but the intended time happens `ns` later.
    pub fn late(self, ns: i64) -> Self {
        let r = &mut *self.0;
        for at in [
            &mut r.send_start,
            &mut r.sent,
            &mut r.first_byte,
            &mut r.first_byte_seen,
            &mut r.finished,
            &mut r.closed,
        ] {
            *at = at.map(|a| a.plus(ns));
        }
        r.chunks.iter_mut().for_each(|c| move_chunk(c, ns));
        self
    }

    /// Each chunk carries `n` tokens.
    pub fn tokens_per_chunk(self, n: u32) -> Self {
        let total = n * self.0.chunks.len() as u32;
        self.0.chunks.iter_mut().for_each(|c| c.tokens = n);
        self.0.token_source = Some(TokenSource::ContinuousUsage);
        self.0.requested_output_tokens = total;
        self.usage(total)
    }

    /// The server says nothing about tokens.
    pub fn without_token_counts(self) -> Self {
        for chunk in &mut self.0.chunks {
            chunk.tokens = Chunk::TOKENS_UNKNOWN;
        }
        self.0.token_source = Some(TokenSource::Unknown);
        self.0.output_tokens = None;
        self
    }

    /// Output tokens by usage.
    pub fn usage(self, output: u32) -> Self {
        self.0.output_tokens = Some(output);
        self
    }

    /// Chunk `index` and all after it come `ns` later.
    pub fn pause_before(self, index: usize, ns: i64) -> Self {
        let r = &mut *self.0;
        r.chunks
            .iter_mut()
            .skip(index)
            .for_each(|c| move_chunk(c, ns));
        r.finished = r.finished.map(|f| f.plus(ns));
        r.closed = r.closed.map(|c| c.plus(ns));
        self
    }

    /// The response closes `ns` after its last chunk.
    pub fn closes_after(self, ns: i64) -> Self {
        self.0.closed = self.0.finished.map(|f| f.plus(ns));
        self
    }

    /// The request fails after its chunks, without usage.
    pub fn fails(self, reason: Reason) -> Self {
        self.0.outcome = Outcome::Failed;
        self.0.prompt_tokens = None;
        self.0.output_tokens = None;
        self.0.error = Some(RequestError {
            reason,
            text: "the stream broke".to_owned(),
        });
        self
    }
}

fn move_chunk(chunk: &mut Chunk, ns: i64) {
    chunk.at = chunk.at.plus(ns);
    chunk.seen = chunk.seen.plus(ns);
    chunk.lower = chunk.lower.plus(ns);
}

fn chunk(at: Offset, read: u32) -> Chunk {
    Chunk {
        at,
        seen: at.plus(20_000),
        lower: at,
        tokens: 1,
        read,
        kind: ChunkKind::Text,
    }
}

fn blank(phase: Phase, at_ms: i64) -> RequestRecord {
    let intended = Offset(WINDOW_START_NS + ms(at_ms));
    RequestRecord::unsent(0, 0, phase, intended, 100, 10)
}

fn mark_sent(record: &mut RequestRecord) {
    record.send_start = Some(record.intended);
    record.sent = Some(record.intended.plus(30_000));
    record.attempts = 1;
    record.connection = Some(1);
    record.new_connection = Some(false);
    record.stamp_source = Some(StampSource::Kernel);
}

fn manifest(plan: Plan, seconds: i64) -> RunManifest {
    let start = Offset(WINDOW_START_NS);
    let end = start.plus(seconds * ms(1_000));
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: "0.1.0".to_owned(),
        run_id: "00112233445566778899aabbccddeeff".to_owned(),
        state: RunState::Finished,
        plan_hash: String::new(),
        seeds: plan.seeds(),
        model: "llama-8b".to_owned(),
        load_model: LoadModel::OpenLoop,
        rate_asked: plan.rate,
        addresses: Vec::new(),
        classes: vec!["chat".to_owned()],
        clock: Clock {
            monotonic_origin_ns: 0,
            realtime_origin_ns: 0,
        },
        window: Some(Window { start, end }),
        schedule: None,
        progress: Some(Progress {
            scheduled: 0,
            drain_not_reached: 0,
            unfinished_sessions: Vec::new(),
            drain_without_load: false,
            ended: end,
            interrupted: false,
            recovered: false,
            counted: None,
        }),
        environment: Default::default(),
        calibration: None,
        imported: None,
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: Some(health(end)),
        clients: Vec::new(),
        rank: None,
        evals: Vec::new(),
        solo: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
        plan,
    }
}

fn health(end: Offset) -> ClientHealth {
    ClientHealth {
        threads: vec![ThreadHealth {
            cpu_ns: end.0 / 10,
            run_queue_wait_ns: Some(end.0 / 1_000),
            wall_ns: end.0,
            reads: 10_000,
            ..ThreadHealth::default()
        }],
        process_cpu_ns: end.0 / 9,
        peak_rss_bytes: Some(40 << 20),
        kernel_stamps: true,
        cores: 2,
        io: IoBackend::Epoll,
        recorder_error: None,
        unwritten: None,
    }
}

/// Numbers that look random and are the same everywhere.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    /// The next number in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = infermeter_core::seed::splitmix64(self.0);
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}
