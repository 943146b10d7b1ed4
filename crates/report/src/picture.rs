//! The charts of a run: figures that `analysis` computed, put on axes. One file a chart, or a few of a kind.
//!
//! No arithmetic but places on axes. Each chart says its population, how many values there are, and how it was
//! reduced. Invariant: the number of marks is bounded, whatever the run.

mod answers_by_load;
mod client;
mod ecdf;
mod gpus;
mod load;
mod over_time;
mod positions;
mod server;
mod spans;
mod steps;
mod timed;
mod timeline;
mod tokens_per_chunk;
mod ttft_by_load;

use crate::chart::Chart;
use crate::document::Section;
use infermeter_analysis::Summary;
use infermeter_analysis::series::RunSeries;
use infermeter_core::run::RunManifest;

/// What the charts of a run show.
#[derive(Debug, Clone, Copy)]
pub struct Pictured<'a> {
    /// Its figures.
    pub summary: &'a Summary,
    /// What was planned.
    pub manifest: &'a RunManifest,
    /// Its series.
    pub series: &'a RunSeries,
}

/// The distribution of each latency, of all requests and by class.
pub(crate) fn distributions(summary: &Summary) -> Section {
    section("Distributions", ecdf::charts(summary))
}

/// Every chart that the record has something for, in sections.
pub fn pictures(of: &Pictured<'_>) -> Vec<Section> {
    let sections = [
        section("Over time", over_time::charts(of)),
        section(
            "Response to steps over time",
            steps::chart_of(of).into_iter().collect(),
        ),
        section("Load and failures over time", load::charts(of)),
        section("Requests one by one", vec![timeline::chart(of)]),
        section(
            "Prompts and tokens",
            [
                ttft_by_load::chart(of),
                Some(positions::chart(of)),
                tokens_per_chunk::chart(of.summary),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        section("Answers by load", answers_by_load::charts(of.summary)),
        section(
            "Time to the first token, taken apart",
            spans::chart(of.summary).into_iter().collect(),
        ),
        section("The instrument itself", client::charts(of)),
        section("The server's own word", server::charts(of)),
        section("Its GPUs", gpus::charts(of)),
    ];
    sections
        .into_iter()
        .filter(|s| !s.blocks.is_empty())
        .collect()
}

fn section(heading: &str, charts: Vec<Chart>) -> Section {
    charts
        .into_iter()
        .fold(Section::new(heading), Section::with)
}
