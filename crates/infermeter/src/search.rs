//! How the runs of a search are shown, as they come and together.

use crate::exit;
use crate::several::{Rendering, Seen, code_of_runs, judged};
use crate::told::ExperimentOutput;
use infermeter_analysis::{Gated, all_failed};
use infermeter_core::finding::Verdict;
use infermeter_protocol::search::rule::Ending;
use infermeter_protocol::{Coordinates, RunPoint, Search, SearchAnswer};
use infermeter_report::{Document, SearchView, SpoiltRun, highest_rate, number, of_search};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The highest rate.
pub(crate) struct Searched;

/// A search for programs.
pub(crate) type SearchOutput<'a> = ExperimentOutput<'a, SearchFound<'a>, SearchRun>;

/// What a search has found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SearchFound<'a> {
    /// How it ended, and the highest rates.
    search: &'a SearchAnswer,
    /// The same in a sentence.
    sentence: String,
}

/// What is said of a run of a search.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SearchRun {
    /// Which rate, and how long.
    at: Coordinates,
    /// Natural logarithm of figure / limit, of the objective that misses by most: above 0 where it is missed; null
    /// without a sample.
    margin: Option<f64>,
}

impl Rendering<Search> for Searched {
    const FILE: &'static str = "search.json";

    fn finds(&self, protocol: &Search) -> Vec<String> {
        let rule = protocol.rule();
        vec![
            format!(
                "Short runs at {} requests/s, doubling up to {} until an objective is missed; then longer ones \
                 around the answer, until its 95 % interval is known within {}, at most {} of them.",
                number::figure(rule.from),
                number::figure(rule.to),
                number::percent(rule.precision),
                rule.most_runs
            ),
            "The requests are these times multiplied by the rate, which is what the search looks for.".to_owned(),
        ]
    }

    fn lines(&self, protocol: &Search, points: &[RunPoint]) -> Vec<String> {
        let last = points.last();
        last.map(|point| line(protocol, points, point))
            .into_iter()
            .collect()
    }

    fn document(&self, seen: &Seen<'_, Search>) -> Document {
        of_search(&view(seen))
    }

    fn json(&self, seen: &Seen<'_, Search>, gate: Option<&Gated>) -> Value {
        let found = SearchFound {
            search: &seen.answer,
            sentence: highest_rate(&view(seen)),
        };
        let of_run = |point: &RunPoint| SearchRun {
            at: point.at,
            margin: seen.protocol.worst(point),
        };
        let output = SearchOutput::of(found, self.word(seen));
        output.over(seen, of_run).json(gate)
    }

    fn word(&self, seen: &Seen<'_, Search>) -> String {
        highest_rate(&view(seen))
    }

    /// What was found, not how each run went: some are meant to miss.
    fn code(&self, seen: &Seen<'_, Search>, strict: bool) -> u8 {
        let cut = seen.points.iter().filter(|point| !point.seen.is_whole());
        let cut: Vec<RunPoint> = cut.cloned().collect();
        let nothing = seen
            .points
            .iter()
            .all(|point| all_failed(&point.seen.summary));
        let spoilt = seen.answer.spoilt.is_some() && cut.is_empty();
        let doubted = strict
            && seen
                .points
                .iter()
                .any(|p| p.seen.verdict == Verdict::Questionable);
        let of_end = match seen.answer.ending {
            Some(Ending::Found { .. } | Ending::Above { .. }) => exit::OK,
            Some(Ending::Below { .. }) => exit::MISSED,
            Some(Ending::Undecided { .. } | Ending::NoSample { .. }) | None => exit::UNDECIDED,
        };
        exit::gravest(&[
            code_of_runs(&cut, false),
            if nothing { exit::TARGET } else { exit::OK },
            if spoilt || doubted {
                exit::INVALID
            } else {
                exit::OK
            },
            of_end,
        ])
    }
}

fn view<'a>(seen: &'a Seen<'_, Search>) -> SearchView<'a> {
    let answer = &seen.answer;
    let (met, below) = match answer.ending {
        Some(Ending::Above { rate }) => (Some(rate), None),
        Some(Ending::Below { rate, times }) => (None, Some((rate, times))),
        _ => (None, None),
    };
    let rate = match answer.ending {
        Some(Ending::Found { rate } | Ending::Undecided { rate }) => Some(rate),
        _ => None,
    };
    SearchView {
        rate,
        is_found: matches!(answer.ending, Some(Ending::Found { .. })),
        no_sample: matches!(answer.ending, Some(Ending::NoSample { .. })),
        met_up_to: met,
        missed_at: below,
        each: answer
            .each
            .iter()
            .map(|each| (each.objective.as_str(), each.rate))
            .collect(),
        not_monotone: answer.not_monotone,
        spoilt: seen.points.iter().find_map(|point| {
            (Some(point.number) == answer.spoilt).then_some(SpoiltRun {
                number: point.number,
                directory: &point.seen.place.directory,
            })
        }),
        requests: answer.requests,
        runs: answer.runs,
        judged: judged(seen.points),
    }
}

/// What is said of a run that has ended.
fn line(protocol: &Search, points: &[RunPoint], point: &RunPoint) -> String {
    let load = point
        .at
        .load
        .map_or_else(String::new, |load| load.to_string());
    let margin = match protocol.worst(point) {
        Some(margin) if margin > 0.0 => format!("missed, {:.2} times the limit", margin.exp()),
        Some(margin) => format!("met, {:.2} of the limit", margin.exp()),
        None => "no sample".to_owned(),
    };
    let so_far = match protocol.belief(points) {
        Some(rate) => format!(
            "; so far {} [{}, {}]",
            number::figure(rate.rate),
            number::figure(rate.low),
            number::figure(rate.high)
        ),
        None => String::new(),
    };
    format!("Run {}: {load}: {margin}{so_far}", point.number)
}
