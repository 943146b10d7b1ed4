//! What the server said of itself: its gauges, and its speculative decoding.

use crate::number::{count, percent, significant};
use infermeter_analysis::{
    Agreement, ClassAcceptedLength, GaugeFigure, ServerSummary, SpeculationSource,
    SpeculationSummary,
};
use infermeter_core::text::inert;

/// The gauges over the window; `None` where the server was not to be asked, or has no page.
pub(crate) fn line(server: &ServerSummary) -> Option<String> {
    let engine = server.engine?;
    if let Some(why) = &server.not_available {
        return Some(format!(
            "{} metrics not available: {}",
            engine.name(),
            inert(why, 160)
        ));
    }
    let number = |value: f64| significant(value);
    let gauges = [
        ("running", &server.running, number as fn(f64) -> String),
        ("waiting", &server.waiting, number),
        ("KV cache", &server.kv_usage, percent),
    ];
    let told = gauges
        .into_iter()
        .filter_map(|(name, gauge, write)| Some(written(name, gauge.as_ref()?, write)));
    let mut parts: Vec<String> = told.collect();
    if let Some(preempted) = server.preemptions.filter(|n| *n > 0.0) {
        parts.push(format!("preemptions {}", significant(preempted)));
    }
    let law = server.littles_law.as_ref().map(|law| match law.answer {
        Agreement::Agrees => ", agrees with the requests in flight",
        Agreement::Disagrees => ", DISAGREES with the requests in flight",
        Agreement::Undecided => "",
    });
    Some(format!(
        "{} ({}, {} readings{})",
        parts.join("; "),
        engine.name(),
        count(server.readings as u64),
        law.unwrap_or_default()
    ))
}

/// `running 12.3 ± 0.4, max 20`.
fn written(name: &str, gauge: &GaugeFigure, write: fn(f64) -> String) -> String {
    let error = gauge.standard_error.filter(|error| *error > 0.0);
    let error = error.map_or_else(String::new, |error| format!(" ± {}", write(error)));
    format!(
        "{name} {}{error}, max {}",
        write(gauge.mean),
        write(gauge.max)
    )
}

/// The accepted length, and what it rests on; `None` where nothing says that there is any.
pub(crate) fn speculation(found: &SpeculationSummary) -> Option<String> {
    let source = found.source?;
    let Some(length) = found.accepted_length.map(significant) else {
        let why = found.not_available.as_deref().unwrap_or("no figure");
        return Some(format!(
            "accepted length not available: {}",
            inert(why, 160)
        ));
    };
    Some(match source {
        SpeculationSource::ServerCounters => {
            let rate = found.acceptance_rate.map_or_else(String::new, |rate| {
                format!(", {} of the draft tokens accepted", percent(rate))
            });
            format!("accepted length {length}{rate} (server counters)")
        }
        SpeculationSource::ServerGauge => {
            format!("accepted length {length} (the server's own average)")
        }
        SpeculationSource::TokensPerChunkUpperBound => {
            let of_class = |class: &ClassAcceptedLength| {
                let name = inert(&class.class, 80);
                format!("; {name} {}", significant(class.accepted_length))
            };
            let classes: String = found.classes.iter().map(of_class).collect();
            format!(
                "accepted length at most {length} (tokens per chunk, an upper-bound proxy{classes})"
            )
        }
    })
}
