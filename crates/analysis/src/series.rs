//! The figures behind the charts of one run, from its record: what happened when, to which requests, and
//! how well each estimate is known.
//!
//! Computed only where somebody wants charts: it costs one more reading. Does not judge. Its size is bounded,
//! however long the run is: time in at most `SERIES_PARTS` parts of which least and greatest are kept, a
//! few requests one by one, a few bands of lengths and loads. Invariants: an estimate has its interval or
//! is absent; what is described and not estimated says how many values it holds.

mod estimated;
mod gpus;
mod heat;
mod marks;
mod over_time;
mod positions;
mod server;
mod timeline;

use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::source::RecordSource;
use infermeter_core::text::Word;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::series::axis::TimeAxis;
use infermeter_metrics::series::load::Stays;
use infermeter_metrics::series::pass::{Asked, pass};
use infermeter_metrics::token_series::TokenMetric;
use infermeter_metrics::window::measured_window;
use schemars::JsonSchema;
use serde::Serialize;

pub use estimated::Estimated;
pub use gpus::GpuSeries;
pub use heat::{Band, HeatField, HeatMap};
pub use marks::{PhaseSpan, StillKind, StillTime};
pub use over_time::{ClassParts, ClientParts, LoadPart, TimePart, TtftPoint};
pub use positions::PositionSeries;
pub use server::{GaugePart, GaugeSeries, ServerSeries};
pub use timeline::{Picked, RequestBar, Requests, Stamp};

/// What the charts of a run show. Instants are seconds since the window's start (since the run's origin where
/// there is no window), latencies milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunSeries {
    /// Instants are counted from the window's start.
    pub from_window: bool,
    /// Origin of TTFT and of the requests' ends.
    pub origin: Origin,
    /// Length of the parts of the time, seconds.
    pub part_s: f64,
    /// Where the first part begins.
    pub start_s: f64,
    /// Where the last part ends.
    pub end_s: f64,
    /// The phases of the load, in order.
    pub phases: Vec<PhaseSpan>,
    /// Times in which something stood still, in order.
    pub still: Vec<StillTime>,
    /// TTFT of completed requests of every phase, by origin.
    pub ttft: Vec<TimePart>,
    /// The same of the classes with the most requests; empty where there is one class.
    pub ttft_by_class: Vec<ClassParts>,
    /// The same one by one, where they are few; else empty.
    pub ttft_each: Vec<TtftPoint>,
    /// Which gap `gaps` are of: `itl`, or `chunk_gap` where tokens are unknown.
    pub gap: Word,
    /// Gaps of completed requests of every phase, by the chunk that ends them.
    pub gaps: Vec<TimePart>,
    /// The same of the classes with the most requests; empty where there is one class.
    pub gaps_by_class: Vec<ClassParts>,
    /// Requests in flight.
    pub in_flight: Vec<LoadPart>,
    /// The instrument itself.
    pub client: ClientParts,
    /// What the server said of itself; absent where it was not read.
    pub server: Option<ServerSeries>,
    /// What its GPUs said of themselves; absent where nobody told of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<GpuSeries>,
    /// Some requests, instant by instant.
    pub requests: Requests,
    /// TTFT by prompt length and load; absent where neither differs.
    pub ttft_by_load: Option<HeatMap>,
    /// The gap by token position.
    pub positions: Vec<PositionSeries>,
}

/// A run with its time, as every part of the series sees it.
struct Timed<'a> {
    run: &'a Run,
    origin: Origin,
    axis: TimeAxis,
    zero: Offset,
}

impl Timed<'_> {
    /// Seconds since the zero of the axis.
    fn seconds(&self, at: Offset) -> f64 {
        // Through floating point: instants at the ends of all time have no difference in 64 bits.
        (at.0 as f64 - self.zero.0 as f64) / 1e9
    }

    /// Where a part begins.
    fn edge(&self, part: usize) -> f64 {
        self.seconds(self.axis.edge(part))
    }
}

impl RunSeries {
    /// Reads what the charts of a run need: once, over all records.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read<S: RecordSource + ?Sized>(
        run: &Run,
        summary: &Summary,
        source: &S,
    ) -> Result<Self, S::Error> {
        let window = measured_window(&run.manifest, &run.collected.requests);
        let timed = Timed {
            run,
            origin: summary.headline_origin,
            axis: over_time::axis(run, window),
            zero: window.map_or(Offset::ZERO, |window| window.start),
        };
        let picked = timeline::pick(&timed);
        let gap = match summary.latency.itl {
            Some(_) => TokenMetric::Itl,
            None => TokenMetric::ChunkGap,
        };
        let each = over_time::few(run);
        let wanted = match &each {
            Some(all) => all.clone(),
            None => picked.ids(),
        };
        let apart = over_time::apart(&timed);
        let asked = Asked {
            axis: timed.axis,
            gap,
            classes: &apart,
            picked: &wanted,
        };
        let pass = pass(source, &run.collected, &asked)?;
        let stays = Stays::of(&run.collected.requests);
        Ok(Self {
            from_window: window.is_some(),
            origin: timed.origin,
            part_s: timed.axis.part_ns as f64 / 1e9,
            start_s: timed.edge(0),
            end_s: timed.seconds(timed.axis.end()),
            phases: marks::phases(&timed, window),
            still: marks::still(&timed, summary),
            ttft: over_time::ttft(&timed),
            ttft_by_class: over_time::ttft_by_class(&timed, &apart),
            ttft_each: each.map_or_else(Vec::new, |_| over_time::each(&timed, &pass.ends)),
            gap: match gap {
                TokenMetric::Itl => "itl",
                _ => "chunk_gap",
            }
            .into(),
            gaps: over_time::described(&timed, &pass.gaps),
            gaps_by_class: over_time::gaps_by_class(&timed, &apart, &pass.gaps_by_class),
            in_flight: over_time::in_flight(&timed, &stays),
            client: ClientParts {
                send_lag: over_time::send_lag(&timed),
                stamp_width: over_time::described(&timed, &pass.widths),
                read_lag: over_time::described(&timed, &pass.lags),
            },
            server: server::series(&timed),
            gpus: gpus::series(&timed),
            requests: picked.bars(&timed, &pass.ends),
            ttft_by_load: heat::heat_map(&timed, &stays),
            positions: positions::series(
                &run.collected.positions,
                &pass.bands,
                &summary.token_positions,
            ),
        })
    }
}

#[cfg(test)]
mod tests;
