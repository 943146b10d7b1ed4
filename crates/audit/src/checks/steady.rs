//! Checks of steadiness: a cold start, a start-up inside the sample, drift, a load not sustained.
//!
//! They look at requests with send instants, by the rules of `infermeter-stats`; too few of them, or
//! a run too short to decide, cannot tell.

use crate::check::{Answer, Check, Checked, Missing, Need, OwnRun, Question, Test, fail_if};
use crate::facts::{Facts, LoadModel, Request};
use crate::limits;
use crate::number::{counted, figure, percent};
use crate::shape::{ALL_REQUESTS, in_order};
use infermeter_analysis::checks;
use infermeter_core::finding::{Severity, Weight};
use infermeter_core::request::length_band;
use infermeter_stats::{
    DRIFT_ALPHA, Delay, Stability, Transient, drift as drift_of, queue_emptied_by_delays,
    saturation, transient,
};
use std::ops::Range;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    checks::COLD_START_SAMPLES.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The first requests met a cold server.",
            advice: "Warm up longer, or measure the cold start by itself.",
            run: OwnRun::JudgesSamples,
            test: Test::One(cold_start_samples),
        },
    ),
    checks::DRIFT.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Latency drifts over the run.",
            advice: "Find out why; measure only once it is steady, or say that it is not.",
            run: OwnRun::JudgesAlone,
            test: Test::One(drift),
        },
    ),
    checks::WARMUP_TOO_SHORT.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The start-up is among the measured requests.",
            advice: "Warm up for longer than that, and do not measure those requests.",
            run: OwnRun::Judges,
            test: Test::One(warmup_too_short),
        },
    ),
    checks::UNSTABLE_LOAD.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The server did not keep up with the load.",
            advice: "Lower the rate: these latencies grow with the length of the run.",
            run: OwnRun::Judges,
            test: Test::One(unstable_load),
        },
    ),
];

/// Nanoseconds of a second.
const NS: f64 = 1e9;
/// Longest run looked at second by second: a month.
const LONGEST_S: usize = 31 * 86_400;

pub(super) fn cold_start_samples(facts: &Facts) -> Checked {
    let ttft: Vec<f64> = in_order(facts).iter().filter_map(|r| r.ttft_ms).collect();
    (ttft.len() >= 20)
        .then_some(())
        .need("TTFT of 20 requests")?;
    let head = ((ttft.len() as f64 * limits::COLD_HEAD) as usize).max(1);
    let (first, rest) = ttft.split_at(head);
    let mean = first.iter().sum::<f64>() / first.len() as f64;
    let mut rest = rest.to_vec();
    rest.sort_unstable_by(f64::total_cmp);
    let high = rest[(rest.len() * 99).div_ceil(100).max(1) - 1];
    (high > 0.0).then_some(()).need("TTFT above 0")?;
    fail_if(mean > limits::COLD_RATIO * high, || {
        format!(
            "TTFT of the first {}: {} ms; p99 of the others: {} ms.",
            counted(head as f64, "request"),
            figure(mean),
            figure(high)
        )
    })
}

pub(super) fn drift(facts: &Facts) -> Checked {
    let said = |answer: Checked| matches!(answer, Ok(Answer::Fail(_)));
    if said(unstable_load(facts)) || said(warmup_too_short(facts)) {
        // What drifts is named already.
        return Ok(Answer::NotApplicable);
    }
    let timed = |r: &Request| Some((r.ttft_ms.or_else(|| r.end_to_end_ms())?, r.start_s?));
    let pairs: Vec<(f64, f64)> = facts.completed().filter_map(timed).collect();
    (pairs.len() >= limits::SHAPE_REQUESTS)
        .then_some(())
        .need("latency and send instant of 100 requests")?;
    let first = pairs
        .iter()
        .map(|(_, at)| *at)
        .fold(f64::INFINITY, f64::min);
    let (values, at): (Vec<f64>, Vec<i64>) = pairs
        .iter()
        .map(|(v, at)| (*v, ((at - first) * 1e9) as i64))
        .unzip();
    let found = drift_of(&values, &at, DRIFT_ALPHA).ok().flatten();
    let found = found.need("requests in every tenth of the run")?;
    fail_if(found.is_significant(), || {
        "Latency rises or falls over the run (Mann-Kendall on ten batch means, 0.001).".to_owned()
    })
}

/// From send to end of every request, nanoseconds since the first send, in the order of the file.
fn stays(facts: &Facts) -> Result<Vec<Range<i64>>, Missing> {
    facts.has_all_requests().then_some(()).need(ALL_REQUESTS)?;
    let first = facts
        .requests
        .iter()
        .filter_map(|r| r.start_s)
        .reduce(f64::min);
    let first = first.need("send instants")?;
    let stay = |r: &Request| {
        let start = (r.start_s? - first) * NS;
        let end = start + r.end_to_end_ms().unwrap_or(0.0).max(0.0) * 1e6;
        Some(start as i64..end as i64)
    };
    let stays: Option<Vec<Range<i64>>> = facts.requests.iter().map(stay).collect();
    let known = facts.completed().all(|r| r.end_to_end_ms().is_some());
    let stays = stays.filter(|s| known && s.len() >= limits::SHAPE_REQUESTS);
    stays.need("send instant and E2E of 100 requests")
}

pub(super) fn warmup_too_short(facts: &Facts) -> Checked {
    let stays = stays(facts)?;
    let last = stays.iter().map(|s| s.start).max().unwrap_or(0);
    let bins = (last as f64 / NS) as usize;
    if bins > LONGEST_S {
        return Err(Missing("send instants within a month".to_owned()));
    }
    let in_flight = in_flight_by_second(&stays, bins);
    let ttft = ttft_by_second(facts, bins);
    let mut series: Vec<&[f64]> = vec![&in_flight];
    series.extend(ttft.as_deref());
    // What came before the first measured request is not in the file.
    let found = transient(&series, 0);
    match found {
        Ok(Transient::Steady) => Ok(Answer::Pass),
        Ok(Transient::Until { end, relative }) => Ok(Answer::Fail(format!(
            "The first {} s are at {} of the level that follows, in flight or TTFT.",
            figure(end as f64),
            percent(1.0 + relative)
        ))),
        Ok(Transient::Undecided(_)) | Err(_) => {
            Err(Missing("100 s of requests, steady at the end".to_owned()))
        }
    }
}

/// Requests in flight, averaged over each of the first `bins` seconds.
fn in_flight_by_second(stays: &[Range<i64>], bins: usize) -> Vec<f64> {
    let mut partly = vec![0.0; bins + 1];
    let mut wholly = vec![0.0; bins + 1];
    for stay in stays {
        let end = bins as f64;
        let (from, to) = (stay.start as f64 / NS, (stay.end as f64 / NS).min(end));
        let (first, last) = (from as usize, to as usize);
        if from >= end {
            continue;
        }
        if first == last {
            partly[first] += to - from;
            continue;
        }
        partly[first] += first as f64 + 1.0 - from;
        partly[last] += to - last as f64;
        wholly[first + 1] += 1.0;
        wholly[last] -= 1.0;
    }
    let mut running = 0.0;
    let inside = partly.iter().zip(wholly).map(|(part, step)| {
        running += step;
        part + running
    });
    inside.take(bins).collect()
}

/// Mean TTFT of the requests sent in each second; `None` where one has none.
fn ttft_by_second(facts: &Facts, bins: usize) -> Option<Vec<f64>> {
    let first = facts
        .requests
        .iter()
        .filter_map(|r| r.start_s)
        .reduce(f64::min)?;
    let mut sums = vec![(0.0, 0.0); bins];
    for r in facts.completed() {
        let (start, ttft) = r.start_s.zip(r.ttft_ms)?;
        if let Some((sum, n)) = sums.get_mut((start - first) as usize) {
            *sum += ttft;
            *n += 1.0;
        }
    }
    let mean = |(sum, n): (f64, f64)| (n > 0.0).then(|| sum / n);
    sums.into_iter().map(mean).collect()
}

pub(super) fn unstable_load(facts: &Facts) -> Checked {
    if facts.load.model.need("load model")? != LoadModel::Open {
        return Ok(Answer::NotApplicable);
    }
    let stays = stays(facts)?;
    let last = stays.iter().map(|s| s.start).max().unwrap_or(0);
    let mut lengths: Vec<i64> = stays.iter().map(|s| s.end - s.start).collect();
    lengths.sort_unstable();
    // A file begins with an empty server; its filling is no growth.
    let filled = lengths[lengths.len() / 2].saturating_mul(2).min(last / 2);
    let window = filled..last;
    let emptied = emptied(facts, &window);
    let undecided = || Missing("a longer run to tell a growing queue from chance".to_owned());
    let found = saturation(&stays, window, emptied).map_err(|_| undecided())?;
    match found.stability {
        Stability::Stable => Ok(Answer::Pass),
        Stability::Undecided => Err(undecided()),
        Stability::Unstable => {
            let parts = found.inside.first().zip(found.inside.last());
            let (first, last) = parts.map_or((0.0, 0.0), |(a, b)| (*a, *b));
            Ok(Answer::Fail(format!(
                "Requests in flight rise from {} to {} over ten parts of the run.",
                figure(first),
                figure(last)
            )))
        }
    }
}

/// Whether some TTFT of the last third is about the least that such prompts had before.
fn emptied(facts: &Facts, window: &Range<i64>) -> Option<bool> {
    let first = facts
        .requests
        .iter()
        .filter_map(|r| r.start_s)
        .reduce(f64::min)?;
    let band = |tokens: f64| length_band(tokens.clamp(0.0, f64::from(u32::MAX)) as u32);
    let of = |r: &Request| {
        Some(Delay {
            kind: r.input_tokens.map_or(0, band),
            at_ns: ((r.start_s? - first) * NS) as i64,
            delay: r.ttft_ms?,
        })
    };
    let delays: Vec<Delay> = facts.completed().filter_map(of).collect();
    queue_emptied_by_delays(&delays, window.clone()).ok()?
}

#[cfg(test)]
mod tests {
    use super::in_flight_by_second;

    #[test]
    fn seconds_hold_what_was_inside() {
        let s = |at: f64| (at * 1e9) as i64;
        let stays = [s(0.5)..s(2.25), s(1.0)..s(1.5), s(2.0)..s(9.0)];
        assert_eq!(in_flight_by_second(&stays, 4), [0.5, 1.5, 1.25, 1.0]);
        assert!(in_flight_by_second(&stays, 0).is_empty());
    }
}
