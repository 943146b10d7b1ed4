//! Single requests of another tool's result as a run: manifest and records.
//!
//! The file is read by `audit`, which knows the formats; here its requests become records. Invariants: what the file
//! does not say is absent; every duration is the file's, to a nanosecond; where E2E ends behind the last token, or
//! where chunks are not known, the manifest says so.

mod record;

use infermeter_audit::Format;
use infermeter_audit::facts::{Facts, SetupItem};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{
    FORMAT_VERSION, Imported, LoadModel, Progress, RunLog, RunManifest, RunState, Window,
};
use infermeter_core::text::inert;
use record::Reading;

/// Longest text taken from a file, bytes.
const MOST_TEXT: usize = 200;

/// Longest span of send instants, as a multiple of the stated duration: tools differ in where a run begins and ends,
/// and a wrong unit is a factor of a thousand.
const MOST_SPAN: f64 = 2.0;

/// Where a result comes from, and what its record is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, without its folder.
    pub file: String,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// A fresh id for the run.
    pub run_id: String,
    /// When its first request was sent, nanoseconds since the Unix epoch, for a file that does not say it; absent where
    /// its user does not either.
    pub begun_ns: Option<i64>,
    /// Version of infermeter.
    pub infermeter_version: String,
}

/// Why a result does not become a run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoRun {
    /// It holds sums and percentiles only.
    #[error(
        "it holds no single requests, only what was computed from them; give the detailed file: {0}. \
         `infermeter audit` reads this one as it is"
    )]
    NoRequests(&'static str),
    /// Arrays of the file do not line up.
    #[error(
        "its arrays are of different lengths ({0}): which belongs to which request is not known"
    )]
    Unequal(String),
    /// Its instants are not of the unit they are read in.
    #[error("start times span {span_s} s, the file says {duration_s} s: are they in seconds?")]
    Unit {
        /// From the first send to the last.
        span_s: f64,
        /// What the file says of the whole.
        duration_s: f64,
    },
    /// It has a date, and is given one.
    #[error("it says itself when its first request was sent, and needs no --begun: leave it out")]
    Dated,
    /// A request cannot be.
    #[error("request {number}: {what}")]
    BadRequest {
        /// Its place in the file, from 1: with a request a line, the line.
        number: usize,
        /// What is wrong.
        what: String,
    },
}

/// Makes a run of a result.
///
/// # Errors
/// Where it has no single requests, or one that cannot be.
pub fn run(facts: &Facts, origin: &Origin) -> Result<RunLog, NoRun> {
    if let Some(unequal) = facts.unequal.first() {
        return Err(NoRun::Unequal(inert(unequal, MOST_TEXT)));
    }
    if facts.requests.is_empty() {
        return Err(NoRun::NoRequests(detailed(facts.format)));
    }
    let reading = Reading::of(facts);
    if origin.begun_ns.is_some() && reading.epoch_ns().is_some() {
        return Err(NoRun::Dated);
    }
    let mut records = Vec::with_capacity(facts.requests.len());
    for (index, request) in facts.requests.iter().enumerate() {
        let record = reading.record(request);
        records.push(record.map_err(|what| NoRun::BadRequest {
            number: index + 1,
            what,
        })?);
    }
    in_seconds(facts, &reading)?;
    // In order of sending, as our schedules number them.
    records.sort_by_key(|record: &RequestRecord| record.intended);
    for (id, record) in (0..).zip(&mut records) {
        record.id = id;
    }
    let manifest = manifest(facts, origin, &reading, &records);
    Ok(RunLog { manifest, records })
}

/// Refuses send instants that lie much further apart than the file says its run lasted.
fn in_seconds(facts: &Facts, reading: &Reading) -> Result<(), NoRun> {
    let stated = facts.load.duration_s.filter(|s| *s > 0.0);
    match reading.span_s(facts).zip(stated) {
        Some((span_s, duration_s)) if span_s > MOST_SPAN * duration_s => {
            Err(NoRun::Unit { span_s, duration_s })
        }
        _ => Ok(()),
    }
}

/// What to give instead of a summary.
fn detailed(format: Format) -> &'static str {
    match format {
        Format::Vllm | Format::VllmRust => "vllm bench serve --save-result --save-detailed",
        Format::Sglang => "bench_serving --output-details",
        Format::Aiperf | Format::GenaiPerf => "profile_export.jsonl",
        Format::Llmperf => "the file that ends with individual_responses.json",
        Format::InferencePerf => "per_request_lifecycle_metrics.json",
        Format::Llmeter => "responses.jsonl",
        Format::MlperfLoadgen => "mlperf_log_detail.txt",
        _ => "one that lists every request",
    }
}

fn manifest(
    facts: &Facts,
    origin: &Origin,
    reading: &Reading,
    records: &[RequestRecord],
) -> RunManifest {
    let plan = plan(facts, origin, reading);
    let ends = records.iter().filter_map(|r| r.closed.max(r.send_start));
    let ended = ends.max().unwrap_or_default();
    // A window is without its end: the last request has to end before it.
    let window = Window {
        start: Offset::ZERO,
        end: ended.plus(1),
    };
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: origin.infermeter_version.clone(),
        run_id: origin.run_id.clone(),
        state: RunState::Finished,
        plan_hash: String::new(),
        seeds: plan.seeds(),
        model: stated(facts, SetupItem::Model).unwrap_or_else(|| "unknown".to_owned()),
        load_model: LoadModel::Imported,
        rate_asked: None,
        addresses: Vec::new(),
        classes: vec!["imported".to_owned()],
        clock: Clock {
            monotonic_origin_ns: 0,
            realtime_origin_ns: begun_ns(origin, reading).unwrap_or(0),
        },
        window: reading.has_starts().then_some(window),
        schedule: None,
        progress: Some(Progress {
            scheduled: records.len() as u64,
            drain_not_reached: 0,
            unfinished_sessions: Vec::new(),
            drain_without_load: false,
            ended,
            interrupted: false,
            recovered: false,
            counted: None,
        }),
        environment: Default::default(),
        calibration: None,
        imported: Some(imported(facts, origin, reading, records)),
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: None,
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

/// When its first request was sent, nanoseconds since the Unix epoch.
fn begun_ns(origin: &Origin, reading: &Reading) -> Option<i64> {
    origin.begun_ns.or(reading.epoch_ns())
}

/// Where it comes from, and what is known of it.
fn imported(
    facts: &Facts,
    origin: &Origin,
    reading: &Reading,
    records: &[RequestRecord],
) -> Imported {
    Imported {
        tool: facts.format.label().to_owned(),
        tool_version: facts.tool_version.as_ref().map(|v| inert(v, MOST_TEXT)),
        file: inert(&origin.file, MOST_TEXT),
        sha256: origin.sha256.clone(),
        part: (!facts.source.is_empty()).then(|| inert(&facts.source, MOST_TEXT)),
        has_starts: reading.has_starts(),
        has_date: begun_ns(origin, reading).is_some(),
        remarks: remarks(facts, origin, reading, records),
    }
}

/// What the file says of set-up and load, under the plan's names.
fn plan(facts: &Facts, origin: &Origin, reading: &Reading) -> Plan {
    let mut plan = Plan::defaults();
    let file = inert(&origin.file, MOST_TEXT);
    plan.target = format!("imported:{file}");
    plan.no_stream = !reading.streams();
    plan.rate = facts.load.rate;
    let slots = facts.load.concurrency.filter(|n| *n >= 1.0 && *n < 1e9);
    plan.concurrency = slots.map(|n| n as u32);
    plan.gpus = stated(facts, SetupItem::GpuCount).and_then(|n| n.parse().ok());
    plan.hardware = stated(facts, SetupItem::GpuModel).map(|gpu| named("gpu", &gpu));
    plan.engine_info = stated(facts, SetupItem::Engine).map(|engine| {
        let version = stated(facts, SetupItem::EngineVersion);
        let version = version.map(|version| named("version", &version));
        [Some(named("engine", &engine)), version]
            .into_iter()
            .flatten()
            .collect::<Vec<String>>()
            .join(", ")
    });
    plan.quantization = stated(facts, SetupItem::Precision);
    plan
}

/// `gpu=H100`: without what would begin another name.
fn named(name: &str, value: &str) -> String {
    let value = value.replace([',', '='], " ");
    format!("{name}={}", value.trim())
}

fn stated(facts: &Facts, item: SetupItem) -> Option<String> {
    let text = facts.stated(item)?;
    Some(inert(text.trim(), MOST_TEXT)).filter(|text| !text.is_empty())
}

/// What is known of its date, where its instants do not say it.
fn date(facts: &Facts, origin: &Origin, reading: &Reading) -> Option<String> {
    let says = facts.date.as_ref().map(|date| {
        let date = inert(date, MOST_TEXT);
        format!(" The file names {date}, and not by whose clock.")
    });
    match (origin.begun_ns, reading.epoch_ns()) {
        (_, Some(_)) => None,
        (Some(_), None) => Some("Its date is the one that was given on import.".to_owned()),
        (None, None) => Some(format!(
            "Its instants do not say on which day it was measured: it has no date.{}",
            says.unwrap_or_default()
        )),
    }
}

/// What a reader of the figures has to know.
fn remarks(
    facts: &Facts,
    origin: &Origin,
    reading: &Reading,
    records: &[RequestRecord],
) -> Vec<String> {
    let mut remarks = vec![
        "When requests were due is not known: latencies begin with the send, and a client that sent late \
         cannot be told from one that did not."
            .to_owned(),
        "How far its client's instants are off is not known.".to_owned(),
    ];
    if !reading.has_starts() {
        remarks.push(
            "It does not say when requests were sent: throughput, load and change over time are not known."
                .to_owned(),
        );
    }
    remarks.extend(date(facts, origin, reading));
    if let Some(behind) = reading.end_remark() {
        remarks.push(behind.to_owned());
    }
    let alone = records.iter().filter(|r| r.knows_ends_alone()).count();
    if alone > 0 {
        let requests = counted(alone as u64, "request");
        remarks.push(format!(
            "Of {requests} only the first and the last token are known, not the chunks between."
        ));
    }
    if let Some(all) = facts.counts.completed.filter(|_| !facts.has_all_requests()) {
        let listed = counted(facts.completed().count() as u64, "request");
        remarks.push(format!(
            "It lists {listed} of {all} that completed: figures are those of the list."
        ));
    }
    if facts.not_finite > 0 {
        let numbers = counted(facts.not_finite, "number");
        remarks.push(format!(
            "{numbers} of the file are not finite and were left out."
        ));
    }
    if facts.no_numbers > 0 {
        let elements = counted(facts.no_numbers, "element");
        remarks.push(format!(
            "{elements} of its arrays of numbers are no numbers and were left out."
        ));
    }
    let differ = facts.translations.iter().filter(|t| t.to != t.from);
    let names = differ.map(|t| format!("`{}` is {}", t.from, t.to));
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        remarks.push(format!("Names were translated: {}.", names.join(", ")));
    }
    remarks
}
