//! A search: the sentence that a report should contain, each objective, and what it took.

use crate::document::{Cell, Column, Document, Entries, Section, Table};
use crate::number::{figure, interval, percent, significant};
use crate::over_runs::{RunJudged, over_runs};
use infermeter_analysis::highest_rate::FoundRate;
use infermeter_core::number::counted;
use std::path::Path;

/// What the document says.
#[derive(Debug, Clone)]
pub struct SearchView<'a> {
    /// The highest rate, as far as it is known.
    pub rate: Option<FoundRate>,
    /// Its interval is as narrow as asked for.
    pub is_found: bool,
    /// A run had nothing to judge an objective by.
    pub no_sample: bool,
    /// All rates up to this one meet the objectives.
    pub met_up_to: Option<f64>,
    /// The lowest rate that was tried misses: the rate, and the figure over its limit.
    pub missed_at: Option<(f64, f64)>,
    /// The highest rate of each objective on its own.
    pub each: Vec<(&'a str, Option<FoundRate>)>,
    /// A lower rate missed clearly and a higher one did not.
    pub not_monotone: Option<(f64, f64)>,
    /// A run that says nothing of the server.
    pub spoilt: Option<SpoiltRun<'a>>,
    /// Requests that were sent.
    pub requests: u64,
    /// Runs.
    pub runs: usize,
    /// All of them, in the order of measuring.
    pub judged: Vec<RunJudged<'a>>,
}

/// A run that ended the search.
#[derive(Debug, Clone, Copy)]
pub struct SpoiltRun<'a> {
    /// Its number.
    pub number: usize,
    /// Where its findings are.
    pub directory: &'a Path,
}

/// What is told of a search.
pub fn of_search(view: &SearchView<'_>) -> Document {
    let mut document = Document::titled("Search");
    document.answers.push(highest_rate(view));
    if let Some((low, high)) = view.not_monotone {
        document.answers.push(format!(
            "Not monotone: {} requests/s misses clearly and {} does not. Something else than the load changed, \
             or a higher load is served otherwise; the answer does not hold for both.",
            figure(low),
            figure(high)
        ));
    }
    document.verdict = over_runs(&view.judged);
    document.push(Section::new("Objectives").with(objectives(view)));
    let mut spent = Entries::default();
    spent.add("runs", view.runs.to_string());
    spent.add("requests", format!("{}, warm-ups counted", view.requests));
    document.push(Section::new("Spent").with(spent));
    document
}

fn objectives(view: &SearchView<'_>) -> Table {
    let columns = vec![Column::left("highest rate, requests/s")];
    let mut table = Table::new("objective", columns);
    for (objective, rate) in &view.each {
        let cell = match rate {
            Some(rate) => Cell {
                interval: Some(interval(
                    Some(significant(rate.low)),
                    Some(significant(rate.high)),
                )),
                ..Cell::of(significant(rate.rate))
            },
            None => Cell::noted("not missed where it was tried"),
        };
        table.row(*objective, vec![cell]);
    }
    table
}

/// The answer in a sentence.
pub fn highest_rate(view: &SearchView<'_>) -> String {
    if let Some(SpoiltRun { number, directory }) = view.spoilt {
        return format!(
            "Run {number} says nothing of the server, so the search ended there: `infermeter report {}` says why.",
            directory.display()
        );
    }
    if view.no_sample {
        return "A run has no sample that an objective could be judged on.".to_owned();
    }
    if let Some((rate, times)) = view.missed_at {
        return format!(
            "No rate meets the objectives: the lowest that was tried, {} requests/s, is at {times:.2} times the \
             limit or beyond. Try lower ones with --from.",
            figure(rate)
        );
    }
    if let Some(rate) = view.met_up_to {
        return format!(
            "All objectives are met up to {} requests/s, the highest rate that was allowed. Raise --to to find \
             where they end.",
            figure(rate)
        );
    }
    let Some(rate) = view.rate else {
        return "The search has not ended.".to_owned();
    };
    let known = format!(
        "{} requests/s [{}, {}] meet all objectives, from {}",
        significant(rate.rate),
        significant(rate.low),
        significant(rate.high),
        counted(view.runs as u64, "run")
    );
    match view.is_found {
        true => format!("{known}."),
        false => format!(
            "{known}. Undecided: the interval is {} wide on either side when the runs are used up. Raise \
             --max-runs, or --precision.",
            percent(rate.relative_half_width())
        ),
    }
}
