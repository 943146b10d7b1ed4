//! A run as an engine model has it: the same requests at the same instants, answered in virtual time.
//!
//! Invariant: what comes out is judged as a measured run is, from records.

use super::model::EngineModel;
use super::seen::{SeenRequest, SeenRun};
use infermeter_analysis::{Percentile, Summary, summarize_log};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{Progress, RunLog, RunManifest};
use infermeter_mock::engine::{EngineRequest, Finish, Fleet, SequenceId};
use infermeter_mock::virtual_time::{Sorted, run};

/// Seeds the spread of the steps: the same for every run, so that models differ by their parameters alone.
pub(super) const SEED: u64 = 1;

/// What a model is fitted to, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub p50: f64,
    pub p99: f64,
}

impl Moments {
    /// Those of TTFT, as the sample has them.
    pub fn of(summary: &Summary) -> Option<Self> {
        let ttft = summary.latency.ttft.from(summary.headline_origin)?;
        let of = |percent: f64| {
            ttft.percentiles
                .get(&Percentile::new(percent)?)?
                .order_statistic
        };
        Some(Self {
            p50: of(50.0)?,
            p99: of(99.0)?,
        })
    }
}

/// The figures of a run on a simulated engine.
pub(super) fn replay(model: &EngineModel, seen: &SeenRun) -> Summary {
    let mut fleet = Fleet::new(model.params(SEED), 1);
    answered(model, &mut fleet, &seen.requests, &seen.manifest)
}

/// The figures of requests, in order of arrival, on simulated engines.
pub(super) fn answered(
    model: &EngineModel,
    fleet: &mut Fleet,
    requests: &[SeenRequest],
    manifest: &RunManifest,
) -> Summary {
    let arrivals = requests.iter().enumerate().map(|(index, request)| {
        let asked = EngineRequest {
            id: SequenceId(index as u64),
            prompt_tokens: request.prompt_tokens,
            output_tokens: request.output_tokens,
            finish: Finish::Length,
            blocks: [].into(),
            adapter: None,
        };
        (request.arrived_ns, asked)
    });
    let delay_ns = (model.fit.delay_ms * 1e6).round() as i64;
    let mut records = Vec::with_capacity(requests.len());
    let totals = run(fleet, &mut Sorted::new(arrivals), |one| {
        let request = &requests[one.id.0 as usize];
        let mut record = one.to_record(request.class, request.phase);
        record.id = request.id;
        record.intended = Offset(request.intended_ns);
        delayed(&mut record, delay_ns);
        records.push(record);
    });
    records.sort_unstable_by_key(|record| record.id);
    let manifest = RunManifest {
        progress: Some(progress(records.len(), totals.end_ns + delay_ns)),
        ..manifest.clone()
    };
    summarize_log(&RunLog { manifest, records }).1
}

/// What comes back comes later.
fn delayed(record: &mut RequestRecord, delay_ns: i64) {
    for chunk in &mut record.chunks {
        for at in [&mut chunk.at, &mut chunk.seen, &mut chunk.lower] {
            at.0 += delay_ns;
        }
    }
    let instants = [
        &mut record.first_byte,
        &mut record.first_byte_seen,
        &mut record.finished,
        &mut record.closed,
    ];
    for at in instants.into_iter().flatten() {
        at.0 += delay_ns;
    }
}

fn progress(requests: usize, ended_ns: i64) -> Progress {
    Progress {
        scheduled: requests as u64,
        drain_not_reached: 0,
        unfinished_sessions: Vec::new(),
        drain_without_load: false,
        ended: Offset(ended_ns),
        interrupted: false,
        recovered: false,
        counted: None,
    }
}
