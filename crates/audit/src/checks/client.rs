//! Checks of the client that measured: its cost against its cores, and what it kept in flight.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::client_cost::Client;
use crate::facts::{Facts, LoadModel, Metric, SetupItem};
use crate::limits;
use crate::number::figure;
use infermeter_analysis::{checks, raised};
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "client-bound-likely",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The client was probably the bottleneck.",
            advice: "Share the load between clients, or use a lighter one; else quote this error.",
            run: OwnRun::Silent,
            test: Test::One(client_bound_likely),
        },
    },
    Check {
        code: "concurrency-disagrees",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The configured concurrency was not in flight.",
            advice: "Quote the mean in flight; look for what the client does between an answer and the next request.",
            run: OwnRun::Silent,
            test: Test::One(concurrency_disagrees),
        },
    },
    checks::CLIENT_STOOD_STILL.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "The client stood still for a part of the run.",
            advice: "Measure again, with a client that nobody stops or throttles.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    checks::UNCERTAIN_INSTANTS.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Instants are known to an interval only.",
            advice: "Use more threads or a quieter machine.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    checks::PROGRAM_STAMPS.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Responses were stamped by the program, not by the kernel.",
            advice: "Run where the kernel stamps.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    checks::OUTSIDE_CALIBRATION.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The load is above what the client was proven for.",
            advice: "Calibrate fully, or lower the load.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    checks::CLOCK_STEP.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "The real-time clock jumped.",
            advice: "Let the clock settle before measuring.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    checks::RECORD_INCOMPLETE.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "The record is incomplete.",
            advice: "Free space and measure again.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    raised::RECOVERED.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The record was recovered from a journal.",
            advice: "Read it as a shorter run, or measure again.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
    raised::RECORD_ALTERED.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "The record was changed after the run.",
            advice: "Take the record from where it was measured.",
            run: OwnRun::Judges,
            test: Test::One(own),
        },
    ),
];

/// Chunks per second, and whether tokens stand for them.
fn chunks_per_s(facts: &Facts) -> Option<(f64, &'static str)> {
    let seconds = facts.load.duration_s.filter(|s| *s > 0.0);
    let gaps: Option<usize> = facts
        .completed()
        .map(|r| Some(r.gaps_ms.as_ref()?.len() + 1))
        .sum();
    let counted = gaps
        .filter(|n| *n > 0 && facts.has_all_requests())
        .map(|n| n as f64);
    let stated = facts
        .tokens
        .chunks
        .zip(facts.counts.completed)
        .map(|(c, n)| c * n);
    if let Some((chunks, seconds)) = counted.or(stated).zip(seconds) {
        return Some((chunks / seconds, "chunks"));
    }
    let tokens = facts.rates.output?;
    let per_chunk = facts.tokens.per_chunk.filter(|n| *n >= 1.0);
    Some(match per_chunk {
        Some(n) => (tokens / n, "chunks"),
        None => (tokens, "tokens, as many chunks at most,"),
    })
}

/// The client that measured, if its cost is known: as stated, else by the format.
fn measured_client(facts: &Facts) -> Result<Client, Missing> {
    let stated = facts.stated(SetupItem::Client);
    let known = match stated {
        Some(name) => Client::named(name),
        None => Client::of_format(facts.format),
    };
    known.need("the client's CPU time per token event")
}

fn stated_cores(facts: &Facts) -> Option<f64> {
    let text = facts.stated(SetupItem::ClientCores)?;
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

pub(super) fn client_bound_likely(facts: &Facts) -> Checked {
    if facts.format.is_own() || facts.streaming == Some(false) {
        return Ok(Answer::NotApplicable);
    }
    let (events, what) = chunks_per_s(facts).need("chunks or tokens per second")?;
    let client = measured_client(facts)?;
    let cost = client.nearest(events);
    let one = client.single_process.then_some(1.0);
    let known = one
        .or_else(|| stated_cores(facts))
        .filter(|cores| *cores > 0.0);
    let most = facts.client_cores.filter(|cores| *cores > 0.0);
    let cores = known.or(most).need("the client's cores")?;
    let utilisation = events * cost.cpu_us * 1e-6 / cores;
    if utilisation <= limits::CLIENT_USE && known.is_none() {
        // Its processes may have had fewer cores than there were of them.
        return Err(Missing("the client's cores".to_owned()));
    }
    fail_if(utilisation > limits::CLIENT_USE, || {
        let plural = if cores == 1.0 { "core" } else { "cores" };
        let bound = if known.is_some() { "" } else { " at most" };
        format!(
            "{} {what} per second at {} us of CPU each take {} of {}{bound} {plural}. At the nearest \
             load measured ({} events/s) this client added {} ms to TTFT on average, {} ms at p99.",
            figure(events),
            figure(cost.cpu_us),
            figure(utilisation * cores),
            figure(cores),
            figure(cost.events_per_s),
            figure(cost.ttft_mean_ms),
            figure(cost.ttft_p99_ms)
        )
    })
}

pub(super) fn concurrency_disagrees(facts: &Facts) -> Checked {
    let closed = facts.load.model.need("load model")? == LoadModel::Closed;
    if !closed && facts.load.concurrency.is_none() {
        return Ok(Answer::NotApplicable);
    }
    let asked = facts
        .load
        .concurrency
        .filter(|c| *c > 0.0)
        .need("concurrency")?;
    let rate = facts.rates.requests.need("request throughput")?;
    let e2e = facts
        .latency
        .get(&Metric::E2e)
        .and_then(|s| s.mean)
        .need("mean E2E")?;
    let implied = rate * e2e / 1e3;
    let ratio = implied / asked;
    // In an open loop the number is a cap: fewer in flight is the load's doing.
    let (least, most) = limits::IN_FLIGHT;
    let outside = (closed && ratio < least) || ratio > most;
    fail_if(outside, || {
        // Whatever a server does to a closed loop is inside E2E.
        let whose = match ratio < 1.0 {
            true => " The rest is the client's, between requests.",
            false => "",
        };
        format!(
            "{}/s of {} ms each are {} in flight (Little's law); {} were configured.{whose}",
            figure(rate),
            figure(e2e),
            figure(implied),
            figure(asked)
        )
    })
}

/// What only a run of infermeter tells of itself: answered by its findings.
pub(super) fn own(facts: &Facts) -> Checked {
    match facts.findings {
        Some(_) => Ok(Answer::Pass),
        None => Ok(Answer::NotApplicable),
    }
}
