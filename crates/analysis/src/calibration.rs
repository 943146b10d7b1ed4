//! The run's load against what this machine's client was calibrated for.
//!
//! The certificate was read by the facade; here it is only compared. Bounds are those of
//! [`CALIBRATED_BOUND_US`], by the stamps that the run's instants are.

use crate::limits::CALIBRATED_BOUND_US;
use crate::run::Run;
use crate::token_figures::TokenFigures;
use infermeter_core::certificate::{Citation, LimitEnd, LoadKind, Transport};
use infermeter_core::record::StampSource;
use infermeter_core::run::Window;
use infermeter_metrics::stamps::StampCounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the machine's certificate says about the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationSummary {
    /// The certificate's date.
    pub created: Option<String>,
    /// Why it does not hold for this run; empty where it does.
    pub stale: Vec<String>,
    /// Whose stamps the figures are for.
    pub stamps: StampSource,
    /// The run's load on each ladder.
    pub loads: Vec<CalibratedLoad>,
}

/// A load beside its ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibratedLoad {
    /// The ladder.
    pub kind: LoadKind,
    /// This run's load, per second in the kind's unit.
    pub per_s: f64,
    /// The highest load whose errors were shown to stay within the bound.
    pub proven_per_s: Option<f64>,
    /// Largest error p99 of the lowest usable rung that is at least as high, microseconds.
    pub error_p99_us: Option<f64>,
    /// Where the load lies.
    pub range: Range,
}

/// Where a load lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Not above the highest proven load.
    Inside,
    /// Above it.
    Outside,
    /// The certificate proves nothing for this ladder.
    Unknown,
}

impl CalibrationSummary {
    /// Of a run with a certificate and a window.
    pub(crate) fn of(
        run: &Run,
        window: Option<Window>,
        counts: &StampCounts,
        figures: &TokenFigures,
    ) -> Option<Self> {
        let citation = run.manifest.calibration.as_ref()?;
        let stamps = if counts.program == 0 {
            StampSource::Kernel
        } else {
            StampSource::Program
        };
        let transport = if run.manifest.plan.target.starts_with("https:") {
            Transport::Tls
        } else {
            Transport::Plain
        };
        let load = |(kind, per_s)| load(citation, kind, transport, stamps, per_s);
        let loads = window.map_or_else(Vec::new, |window| {
            rates(run, window, figures).into_iter().map(load).collect()
        });
        Some(Self {
            created: citation.created.clone(),
            stale: citation.stale.clone(),
            stamps,
            loads,
        })
    }

    /// The load lies inside on each ladder that proves something, and on one at least.
    pub fn is_inside(&self) -> bool {
        let is = |range| self.loads.iter().any(|load| load.range == range);
        self.stale.is_empty() && is(Range::Inside) && !is(Range::Outside)
    }

    /// The largest error p99 that the certificate shows at such loads, microseconds.
    pub fn error_p99_us(&self) -> Option<f64> {
        let errors = self.loads.iter().filter_map(|load| load.error_p99_us);
        errors.max_by(f64::total_cmp)
    }
}

/// Events and requests per second inside the window.
fn rates(run: &Run, window: Window, figures: &TokenFigures) -> [(LoadKind, f64); 2] {
    let seconds = window.seconds();
    let events = figures.throughput.as_ref().map_or(0, |t| t.chunks);
    let sends = run.collected.requests.iter().filter_map(|r| r.send_start);
    let requests = sends.filter(|at| window.contains(*at)).count();
    [
        (LoadKind::Streams, events as f64 / seconds),
        (LoadKind::Requests, requests as f64 / seconds),
    ]
}

fn load(
    citation: &Citation,
    kind: LoadKind,
    transport: Transport,
    stamps: StampSource,
    per_s: f64,
) -> CalibratedLoad {
    let limit = citation.limits.iter().find(|limit| {
        (limit.kind, limit.transport, limit.stamps) == (kind, transport, stamps)
            && limit.bound_us == CALIBRATED_BOUND_US
    });
    let proven = limit.and_then(|limit| limit.proven.as_ref());
    let proven_per_s = proven.map(|proven| proven.per_s);
    let range = match (proven_per_s, limit.map(|limit| limit.ended)) {
        (Some(most), _) if per_s <= most => Range::Inside,
        (Some(_), _) | (None, Some(LimitEnd::Exceeded)) => Range::Outside,
        (None, _) => Range::Unknown,
    };
    let ladder = citation.rungs.iter();
    let above = ladder.filter(|r| r.kind == kind && r.transport == transport && r.per_s >= per_s);
    let nearest = above.min_by(|a, b| a.per_s.total_cmp(&b.per_s));
    CalibratedLoad {
        kind,
        per_s,
        proven_per_s,
        error_p99_us: nearest.and_then(|rung| rung.worst_p99_us(stamps)),
        range,
    }
}
