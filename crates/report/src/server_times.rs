//! What the server says of its own time for each request, and what the client's latencies have more.
//!
//! Decides nothing. Invariant: what the server does not say has no row.

use crate::document::{Block, Section, Tone};
use crate::latency::{Named, table_of};
use infermeter_analysis::{ServerTimesSummary, Summary};
use infermeter_core::number::count;

/// The section; empty where the server says nothing of the kind.
pub(crate) fn section(summary: &Summary) -> Section {
    let Some(times) = &summary.server_times else {
        return Section::default();
    };
    let rows = rows(times);
    let heading = format!(
        "Each request by the server's own account ({} of {})",
        count(times.requests),
        count(times.of)
    );
    Section::new(heading)
        .with(table_of(&rows, summary))
        .with(Block::Text(Tone::Aside, legend(times)))
}

fn rows(times: &ServerTimesSummary) -> Vec<Named<'_>> {
    let all = [
        ("queue", &times.queue),
        ("prefill", &times.prefill),
        ("decode", &times.decode),
        ("processing", &times.processing),
        ("TTFT beyond", &times.ttft_beyond),
        ("E2E beyond", &times.e2e_beyond),
    ];
    let named = all.into_iter().filter_map(|(name, of)| {
        let of = of.as_ref()?;
        Some(Named { name, of })
    });
    named.collect()
}

fn legend(times: &ServerTimesSummary) -> String {
    let mut text = "Beyond: the client's latency from the send less the server's times of the same request, which \
                    is connecting, network, gateway and front end"
        .to_owned();
    text.push_str(match times.queue {
        Some(_) => ".",
        None => ", and the queue, of which this server does not say anything.",
    });
    if times.below > 0 {
        text.push_str(&format!(
            " Of {} it is below zero by more than {} ms.",
            count(times.below),
            times.error_ms
        ));
    }
    text
}
