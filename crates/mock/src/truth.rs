//! The truth log: what the simulator did, by its own clock.
//!
//! JSON lines. The first is the [`TruthHeader`], then one [`TruthRequest`] per generation request
//! in the order of their ends, with a [`TruthChange`] wherever parameters were changed, last the
//! [`TruthSummary`] (missing where the process was killed).
//! Every instant is `CLOCK_MONOTONIC` in nanoseconds, the same clock on which a client on the same
//! host measures. Lines join a client's records by `request_id`.
//!
//! Stamps are read just before the write call that carries the token; tokens that share a write
//! share their stamp. Bytes that a full socket refused are written later than their stamp says.
//!
//! Not here: requests that generate nothing (models, health), and per-token figures beyond stamps.

mod writer;

pub(crate) use writer::TruthWriter;

use crate::histogram::Summary;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};
use std::path::Path;

/// Version of the log's format.
pub const FORMAT_VERSION: u32 = 1;

/// The clock of every instant.
pub const CLOCK: &str = "CLOCK_MONOTONIC";

/// Stamps kept per request; an answer without end does not fill the memory.
const MAX_STAMPS: usize = 1 << 20;

/// Stamps that room is made for in advance.
const RESERVED_STAMPS: u32 = 1_024;

/// First line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthHeader {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// [`CLOCK`].
    pub clock: String,
    /// The preset's name.
    pub preset: String,
    /// The served model.
    pub model: String,
    /// The configuration's seed.
    pub seed: u64,
    /// All parameters in force at the start, by name; empty in logs of older versions.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Parameters were changed while the simulator ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthChange {
    /// From this instant on.
    pub at_ns: i64,
    /// The new values by name.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Where an arrival's instant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalSource {
    /// The kernel's receive stamp of the read that completed the request.
    Kernel,
    /// The program's clock behind that read: the kernel gave no stamp.
    Program,
}

/// When a request was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub at_ns: i64,
    pub seen_ns: i64,
    pub source: ArrivalSource,
    /// When the link let it through; `None` without a link.
    pub link_in_ns: Option<i64>,
}

impl Arrival {
    /// By the program's clock.
    pub fn seen_at(now_ns: i64) -> Self {
        Self {
            at_ns: now_ns,
            seen_ns: now_ns,
            source: ArrivalSource::Program,
            link_in_ns: None,
        }
    }

    /// When the engine knows of it.
    pub fn engine_ns(&self) -> i64 {
        self.link_in_ns.unwrap_or(self.at_ns)
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// The whole answer was handed to the socket.
    Finished,
    /// An error status was answered.
    Refused,
    /// A fault cut it.
    Fault,
    /// The client went away.
    Disconnect,
    /// The client read too slowly: the output buffer was full.
    SlowReader,
    /// The simulator stopped.
    Stopped,
}

/// One generation request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthRequest {
    /// The client's `x-request-id`, or the one given to it.
    pub request_id: String,
    /// When the kernel had received the whole request.
    pub arrival_ns: i64,
    /// When the program saw it.
    pub seen_ns: i64,
    /// Where `arrival_ns` comes from.
    pub arrival_source: ArrivalSource,
    /// When the link let the whole request through to the engine; absent without a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_in_ns: Option<i64>,
    /// Start of the step that first served it: the end of its time in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_ns: Option<i64>,
    /// Planned end of the step that completed its prefill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefilled_ns: Option<i64>,
    /// Prompt tokens that the prefix cache held at its first admission.
    #[serde(default)]
    pub cached_tokens: u32,
    /// When it lost its place to others, each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preempted_ns: Vec<i64>,
    /// Which engine of the fleet served it, from 0.
    #[serde(default)]
    pub replica: u32,
    /// The LoRA adapter it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The cheats that changed its answer, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cheats: Vec<String>,
    /// Prompt tokens, template included; absent where the request could not be read.
    pub prompt_tokens: Option<u32>,
    /// Tokens generated, an end token (which has no text and no stamp) included.
    pub output_tokens: u32,
    /// One instant per visible token written.
    pub tokens_ns: Vec<i64>,
    /// Bytes of the response that were handed to the socket, before encryption.
    #[serde(default)]
    pub bytes: u64,
    /// When it ended for the simulator: its last write, or when the client's leaving was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ns: Option<i64>,
    /// Stamps beyond the limit of one request (1,048,576), which were dropped.
    pub dropped_stamps: u64,
    /// The answer was complete.
    pub finished: bool,
    /// The client went away before the end.
    pub disconnect: bool,
    /// The response's status.
    pub status: u16,
    /// How it ended.
    pub end: RequestEnd,
}

impl TruthRequest {
    pub(crate) fn new(
        request_id: &str,
        arrival: Arrival,
        prompt_tokens: Option<u32>,
        status: u16,
        expected_tokens: u32,
    ) -> Self {
        Self {
            request_id: request_id.to_owned(),
            arrival_ns: arrival.at_ns,
            seen_ns: arrival.seen_ns,
            arrival_source: arrival.source,
            link_in_ns: arrival.link_in_ns,
            admitted_ns: None,
            prefilled_ns: None,
            cached_tokens: 0,
            preempted_ns: Vec::new(),
            replica: 0,
            adapter: None,
            cheats: Vec::new(),
            prompt_tokens,
            output_tokens: 0,
            bytes: 0,
            ended_ns: None,
            tokens_ns: Vec::with_capacity(expected_tokens.min(RESERVED_STAMPS) as usize),
            dropped_stamps: 0,
            finished: false,
            disconnect: false,
            status,
            end: RequestEnd::Refused,
        }
    }

    pub(crate) fn stamp(&mut self, at_ns: i64, tokens: u32) {
        for _ in 0..tokens {
            if self.tokens_ns.len() < MAX_STAMPS {
                self.tokens_ns.push(at_ns);
            } else {
                self.dropped_stamps += 1;
            }
        }
    }

    pub(crate) fn end(&mut self, end: RequestEnd, generated: u32) {
        self.end = end;
        self.output_tokens = generated;
        self.finished = end == RequestEnd::Finished;
        self.disconnect = end == RequestEnd::Disconnect;
    }
}

/// Last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruthSummary {
    /// Generation requests received.
    pub generations: u64,
    /// Most generation requests in flight at once (queued ones included).
    pub max_in_flight: u64,
    /// Most sequences running at once.
    pub max_running: u64,
    /// Engine steps.
    pub steps: u64,
    /// Engine time given up because the host was too slow, nanoseconds.
    pub lost_ns: i64,
    /// Visible tokens written.
    pub tokens: u64,
    /// Generations that a full queue refused.
    #[serde(default)]
    pub queue_refusals: u64,
    /// First write of a step minus its planned end, nanoseconds.
    pub step_lateness_ns: Summary,
    /// First write of a step to the end of its last one, nanoseconds.
    pub burst_ns: Summary,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum TruthLine {
    /// The first.
    Header(TruthHeader),
    /// A request.
    Request(TruthRequest),
    /// A change of parameters.
    Change(TruthChange),
    /// The last.
    Summary(TruthSummary),
}

/// A log read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Its header.
    pub header: TruthHeader,
    /// Its requests in the order of their ends.
    pub requests: Vec<TruthRequest>,
    /// Changes of parameters, in order.
    pub changes: Vec<TruthChange>,
    /// Its summary; absent where the simulator was killed.
    pub summary: Option<TruthSummary>,
}

/// Why a truth log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("cannot read the truth log: {0}")]
    Read(#[from] io::Error),
    /// A line is no line of a truth log.
    #[error("truth log, line {line}: {message}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// Reads a truth log. A last line cut short (by a kill) is dropped.
pub fn read(path: &Path) -> Result<Truth, TruthError> {
    let mut reader = io::BufReader::new(std::fs::File::open(path)?);
    let mut header = None;
    let mut requests = Vec::new();
    let mut changes = Vec::new();
    let mut summary = None;
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        reader.read_line(&mut text)?;
        if !text.ends_with('\n') {
            break;
        }
        match parse_line(&text, line)? {
            TruthLine::Header(found) => header = Some(found),
            TruthLine::Request(request) => requests.push(request),
            TruthLine::Change(change) => changes.push(change),
            TruthLine::Summary(found) => summary = Some(found),
        }
    }
    let header = header.ok_or_else(|| bad_line(1, "no header"))?;
    if header.format_version != FORMAT_VERSION {
        return Err(bad_line(1, "another format version"));
    }
    Ok(Truth {
        header,
        requests,
        changes,
        summary,
    })
}

fn parse_line(text: &str, line: usize) -> Result<TruthLine, TruthError> {
    serde_json::from_str(text).map_err(|error| bad_line(line, &error.to_string()))
}

fn bad_line(line: usize, message: &str) -> TruthError {
    TruthError::Line {
        line,
        message: message.to_owned(),
    }
}
