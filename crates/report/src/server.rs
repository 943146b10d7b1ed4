//! What the server said of itself: its gauges, and its speculative decoding.

use crate::number::{percent, plus_minus, significant};
use infermeter_analysis::{
    Agreement, ClassAcceptedLength, GaugeFigure, ServerSummary, SpeculationSource,
    SpeculationSummary,
};
use infermeter_core::number::count;
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
        parts.push(format!("preemptions {}", count(preempted as u64)));
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
    let error = plus_minus(error.map(write));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::spaced;
    use infermeter_analysis::LittlesLaw;
    use infermeter_core::server::ServerEngine;

    fn gauge(mean: f64, error: Option<f64>, max: f64) -> Option<GaugeFigure> {
        Some(GaugeFigure {
            mean,
            standard_error: error,
            max,
            n: 60,
        })
    }

    fn server(answer: Agreement) -> ServerSummary {
        ServerSummary {
            not_available: None,
            engine: Some(ServerEngine::Vllm),
            readings: 1_200,
            failed: 0,
            skipped: 0,
            running: gauge(12.25, Some(0.5), 20.0),
            waiting: gauge(0.0, Some(0.0), 0.0),
            kv_usage: gauge(0.314, None, 0.5),
            preemptions: Some(3.0),
            littles_law: Some(LittlesLaw {
                answer,
                server: 12.25,
                client: 12.0,
                difference: 0.25,
                sampling_error: Some(0.5),
                network_share: 0.5,
                tolerance: Some(1.6),
                n: 1_200,
            }),
            gauges: [].into(),
            engines: vec![],
            beside: None,
            pages: None,
        }
    }

    #[test]
    fn gauges_with_their_errors() {
        assert_eq!(
            line(&server(Agreement::Agrees))
                .map(|text| spaced(&text))
                .as_deref(),
            Some(
                "running 12.2 ± 0.500, max 20.0; waiting 0, max 0; KV cache 31.4 %, max 50.0 %; \
                 preemptions 3 (vLLM, 1,200 readings, agrees with the requests in flight)"
            )
        );
        let other = line(&server(Agreement::Disagrees)).expect("a line");
        assert!(other.ends_with("readings, DISAGREES with the requests in flight)"));
        let few = line(&server(Agreement::Undecided)).expect("a line");
        assert!(few.ends_with("(vLLM, 1,200 readings)"));
    }

    #[test]
    fn a_page_that_stopped_answering_is_told_and_no_page_is_not() {
        let silent = ServerSummary {
            not_available: Some("status\u{1b} 503".to_owned()),
            ..server(Agreement::Undecided)
        };
        let text = line(&silent).expect("a line");
        assert!(
            text.starts_with("vLLM metrics not available: status"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        let none = ServerSummary {
            engine: None,
            ..silent
        };
        assert_eq!(line(&none), None);
    }

    #[test]
    fn accepted_lengths_say_what_they_rest_on() {
        let why = Some("it was restarted".to_owned());
        let found = |source, length: Option<f64>| SpeculationSummary {
            not_available: why.clone().filter(|_| length.is_none()),
            source,
            accepted_length: length,
            acceptance_rate: Some(0.525),
            drafts: None,
            draft_tokens: None,
            accepted_tokens: None,
            classes: vec![ClassAcceptedLength {
                class: "chat".to_owned(),
                accepted_length: 1.5,
            }],
        };
        use SpeculationSource::{ServerCounters, ServerGauge, TokensPerChunkUpperBound};
        for (source, length, expect) in [
            (
                ServerCounters,
                Some(2.05),
                "accepted length 2.05, 52.5 % of the draft tokens accepted (server counters)",
            ),
            (
                ServerCounters,
                None,
                "accepted length not available: it was restarted",
            ),
            (
                ServerGauge,
                Some(2.5),
                "accepted length 2.50 (the server's own average)",
            ),
            (
                TokensPerChunkUpperBound,
                Some(1.7),
                "accepted length at most 1.70 (tokens per chunk, an upper-bound proxy; chat 1.50)",
            ),
        ] {
            let text = speculation(&found(Some(source), length)).map(|text| spaced(&text));
            assert_eq!(text.as_deref(), Some(expect));
        }
        assert_eq!(speculation(&found(None, None)), None);
    }
}
