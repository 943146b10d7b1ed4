//! The checks: each a pure function of a run and its summary.

mod answers;
mod caching;
mod calibration;
mod client;
mod conservation;
mod delivery;
mod failures;
mod host;
mod load;
mod machine;
mod publication;
mod reach;
mod run_state;
mod sample;
mod server;
mod sessions;
mod setup;
mod silence;
mod stamps;
mod standstill;
mod steady;
mod tokens;
mod warmup;

use crate::limits::{QUESTIONABLE_FRACTION, RUN_QUEUE_WAIT};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::number::{count, counted};

type Check = fn(&Run, &Summary) -> Option<Finding>;

/// Every check, in the order of printing within one severity.
const CHECKS: &[Check] = &[
    run_state::recorder_error,
    run_state::interrupted,
    conservation::conservation,
    steady::residence_disagrees,
    failures::nothing_measured,
    reach::unreachable,
    reach::address_down,
    failures::failures,
    failures::in_band_errors,
    failures::truncated_streams,
    standstill::stood_still,
    standstill::not_sent,
    failures::bodies_without_end,
    answers::unknown_finish,
    answers::empty,
    answers::mislabelled,
    answers::numbers_broken,
    answers::unknown_members,
    load::send_lag,
    load::slot_lag,
    load::undelivered,
    stamps::uncertain_instants,
    stamps::program_stamps,
    stamps::departures_missing,
    stamps::clock_step,
    machine::client_busy,
    machine::run_queue_wait,
    machine::too_few_connections,
    machine::ports_in_use,
    machine::power_governor,
    calibration::outside,
    calibration::stale,
    calibration::inside,
    warmup::no_warmup,
    warmup::short_warmup,
    warmup::unwarmed_lengths,
    load::short_level,
    steady::warmup_too_short,
    setup::cold_start,
    silence::froze,
    silence::streams_hang,
    steady::slows_down,
    steady::unstable_load,
    steady::drift,
    steady::stability_undecided,
    steady::steady_undecided,
    host::client_beside_server,
    server::littles_law,
    server::metrics_unread,
    sample::asked_percentile,
    sample::default_percentile,
    sample::slo_without_data,
    sample::correlated,
    sample::pooled_classes,
    sample::pooled_bimodal,
    sample::tail_ratio,
    load::closed_loop,
    load::drain_without_load,
    setup::dataset_repeated,
    setup::file_not_whole,
    setup::verbose_logging,
    caching::response_caching,
    caching::prefix_caching,
    caching::without_answer,
    sessions::slip,
    sessions::live_history,
    delivery::usage_implausible,
    delivery::duplicate_chunks,
    delivery::bursty_delivery,
    delivery::cache_suspected,
    tokens::length_not_obeyed,
    tokens::counts_disagree,
    tokens::prompt_tokens,
    tokens::cached_prompts,
    tokens::unknown_counts,
    tokens::estimated,
    tokens::multi_token_chunks,
    client::connections_inside,
    client::single_use,
    client::resent,
    client::bodies_late,
    client::waits_for_cap,
    client::reads_without_stamp,
];

/// Checks of publication scope: under `--strict` alone.
const PUBLICATION: &[Check] = &[
    publication::warmup,
    publication::one_run,
    publication::one_load,
    publication::one_configuration,
    publication::one_workload,
    setup::hits_undeclared,
    publication::fixed_prompts,
    publication::constant_arrivals,
    publication::hardware,
    publication::engine,
    publication::context,
];

/// Every finding about a run, the heaviest first: those made before and during it as they are,
/// those of the checks, and for a strict plan those of publication scope.
pub fn judge(run: &Run, summary: &Summary) -> Vec<Finding> {
    let mut findings = run.manifest.run_findings.clone();
    findings.extend(CHECKS.iter().filter_map(|check| check(run, summary)));
    let publication = PUBLICATION.iter();
    let publication = publication.filter(|_| run.manifest.plan.strict);
    findings.extend(publication.filter_map(|check| check(run, summary)));
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

/// A note about a run, a warning about one to be published.
fn by_scope(run: &Run) -> Severity {
    if run.manifest.plan.strict {
        Severity::Warning
    } else {
        Severity::Note
    }
}

/// Error beyond `limit`, warning beyond a fifth of it.
fn tiered(value: f64, limit: f64) -> Option<Severity> {
    if value > limit {
        Some(Severity::Error)
    } else if value > limit * QUESTIONABLE_FRACTION {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// ` The client's threads waited 13.5 % of the time for a core.`, where that says something.
fn waited_for_a_core(summary: &Summary) -> String {
    let share = summary
        .client
        .threads
        .as_ref()
        .and_then(|t| t.run_queue_wait_share);
    share.filter(|share| *share > RUN_QUEUE_WAIT).map_or_else(String::new, |share| {
        format!(
            " The client's threads waited {} of the time for a core: something else runs there.",
            percent(share)
        )
    })
}

/// A share as a percentage, with digits enough to tell it from 0 and from its limit.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent < 1.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests;
