//! The checks: each one struct, with a pure function of a run and its summary.

mod answers;
mod beside;
mod caching;
mod calibration;
mod client;
mod conservation;
mod delivery;
mod engine;
mod failures;
mod gpus;
mod host;
mod load;
mod machine;
mod publication;
mod ranks;
mod reach;
mod run_state;
mod said;
mod sample;
mod server;
mod server_times;
mod sessions;
mod setup;
mod silence;
mod spans;
mod stamps;
mod standstill;
mod steady;
mod steps;
mod tokens;
mod warmup;

// Those that an audit asks of any result, and those that are tried on planted faults.
pub use answers::EMPTY_ANSWERS;
pub use beside::{ANSWERS_SHORTER_UNDER_LOAD, FINISH_REASONS_SHIFT};
pub use caching::RESPONSE_CACHING;
pub use calibration::OUTSIDE_CALIBRATION;
pub use client::{CONNECTIONS_OPENED_INSIDE, RESENT};
pub use conservation::CONSERVATION;
pub use delivery::{BURSTY_DELIVERY, CACHE_SUSPECTED, DUPLICATE_CHUNKS, USAGE_IMPLAUSIBLE};
pub use failures::{FAILURES, NOTHING_MEASURED};
pub use host::HOST_SHARED_WITH_SERVER;
pub use load::{CLOSED_LOOP, LOAD_NOT_DELIVERED, SEND_LAG, SHORT_LEVEL};
pub use publication::{
    CONSTANT_ARRIVALS, ENGINE_NOT_STATED, FIXED_PROMPT_LENGTH, HARDWARE_NOT_STATED, ONE_RUN_ONLY,
    SINGLE_CONFIGURATION, SINGLE_DATASET, SINGLE_LOAD_LEVEL, WARMUP_BELOW_PUBLICATION,
};
pub use reach::SERVER_UNREACHABLE;
pub use run_state::{INTERRUPTED, RECORD_INCOMPLETE};
pub use said::{
    ANSWERS_CORRUPTED, ANSWERS_CORRUPTED_UNDER_LOAD, ANSWERS_CROSSED, ANSWERS_EQUAL,
    ANSWERS_LANGUAGE_SHIFT, ANSWERS_NOT_CHECKED, ANSWERS_REFUSED_IN_TEXT, CANARIES_REFUSED,
    CANARY_ACCURACY_FALLS, CANARY_ACCURACY_LOW, FIRST_TOKEN_BLANK, PROMPT_TRUNCATED,
    REASONING_LEAKS, REASONING_MISSING, SCHEMA_BROKEN, TOOLS_WRONG,
};
pub use sample::{CORRELATED_SAMPLES, PERCENTILE_UNSUPPORTED, POOLED_BIMODAL, TAIL_RATIO};
pub use setup::{CACHE_HITS_UNDECLARED, COLD_START_SAMPLES, VERBOSE_SERVER_LOGGING};
pub use silence::{SERVER_FROZE, STREAMS_HANG};
pub use stamps::{CLOCK_STEP, PROGRAM_STAMPS, UNCERTAIN_INSTANTS};
pub use standstill::CLIENT_STOOD_STILL;
pub use steady::{DRIFT, SERVER_SLOWS_DOWN, UNSTABLE_LOAD, WARMUP_TOO_SHORT};
pub use tokens::{
    LENGTH_NOT_OBEYED, MULTI_TOKEN_CHUNKS, PREFIX_CACHE_HIT, PROMPT_TOKENS_DISAGREE,
    TOKEN_COUNTS_DISAGREE,
};
pub use warmup::{NO_WARMUP, SHORT_WARMUP};

use crate::compare::COMPARED;
use crate::limits::RUN_QUEUE_WAIT;
use crate::raised::RAISED;
use crate::repeated::REPEATED;
use crate::run::Run;
use crate::shadow::SHADOWED;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::number::{count, counted};

/// What can be asked of a run that another tool measured: its file knows nothing of client, plan and server.
const OF_IMPORTS: [&str; 13] = [
    run_state::INTERRUPTED.code,
    failures::NOTHING_MEASURED.code,
    failures::FAILURES.code,
    load::SHORT_LEVEL.code,
    steady::DRIFT.code,
    sample::PERCENTILE_UNSUPPORTED.code,
    sample::PERCENTILE_NEEDS_MORE.code,
    sample::SLO_WITHOUT_DATA.code,
    sample::CORRELATED_SAMPLES.code,
    sample::POOLED_BIMODAL.code,
    sample::TAIL_RATIO.code,
    tokens::TOKEN_COUNTS_UNKNOWN.code,
    tokens::MULTI_TOKEN_CHUNKS.code,
];

/// What a check asks of a run: its finding, if there is one.
pub type Ask = fn(&Run, &Summary) -> Option<Finding>;

/// A check of a run.
pub type Check = infermeter_core::finding::Check<Ask>;

const WARNING: Weight = Weight::Always(Severity::Warning);
const NOTE: Weight = Weight::Always(Severity::Note);

/// A check of what the server, or its GPUs, say of themselves.
const fn of_server(code: &'static str, weight: Weight, limit: Option<f64>, test: Ask) -> Check {
    Check {
        code,
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight,
        limit,
        test,
    }
}

/// Every check, in the order of printing within one severity.
pub(crate) const CHECKS: &[&Check] = &[
    &run_state::RECORD_INCOMPLETE,
    &run_state::INTERRUPTED,
    &conservation::CONSERVATION,
    &steady::RESIDENCE_DISAGREES,
    &failures::NOTHING_MEASURED,
    &reach::SERVER_UNREACHABLE,
    &reach::ADDRESS_DOWN,
    &failures::FAILURES,
    &failures::IN_BAND_ERRORS,
    &failures::TRUNCATED_STREAMS,
    &standstill::CLIENT_STOOD_STILL,
    &standstill::NOT_SENT,
    &failures::BODY_WITHOUT_END,
    &answers::UNKNOWN_FINISH_REASON,
    &answers::EMPTY_ANSWERS,
    &answers::ANSWERS_MISLABELLED,
    &answers::EVENT_NUMBERS_BROKEN,
    &answers::UNKNOWN_DELTA_MEMBERS,
    &said::ANSWERS_CORRUPTED,
    &said::ANSWERS_CORRUPTED_UNDER_LOAD,
    &said::ANSWERS_CROSSED,
    &said::CANARY_ACCURACY_FALLS,
    &beside::EVAL_ACCURACY_FALLS,
    &beside::REFERENCE_DIVERGES,
    &beside::ANSWERS_SHORTER_UNDER_LOAD,
    &beside::FINISH_REASONS_SHIFT,
    &said::PROMPT_TRUNCATED,
    &said::ANSWERS_EQUAL,
    &said::ANSWERS_REFUSED_IN_TEXT,
    &said::ANSWERS_LANGUAGE_SHIFT,
    &said::FIRST_TOKEN_BLANK,
    &said::SCHEMA_BROKEN,
    &said::TOOLS_WRONG,
    &said::REASONING_LEAKS,
    &said::REASONING_MISSING,
    &said::ANSWERS_NOT_CHECKED,
    &beside::REFERENCE_UNKNOWN,
    &beside::REFERENCE_MEANINGLESS,
    &said::SOLO_CUT_SHORT,
    &said::CANARY_ACCURACY_LOW,
    &said::CANARIES_REFUSED,
    &said::CANARIES_TOO_FEW,
    &load::SEND_LAG,
    &load::SLOT_LAG,
    &load::LOAD_NOT_DELIVERED,
    &stamps::UNCERTAIN_INSTANTS,
    &stamps::PROGRAM_STAMPS,
    &stamps::DEPARTURES_MISSING,
    &stamps::CLOCK_STEP,
    &machine::CLIENT_BUSY,
    &machine::RUN_QUEUE_WAIT,
    &machine::TOO_FEW_CONNECTIONS,
    &machine::PORTS_EXHAUSTED,
    &machine::PORTS_IN_USE,
    &machine::POWER_GOVERNOR,
    &ranks::RANKS_DIFFER,
    &ranks::CLOCK_OFFSET_UNKNOWN,
    &ranks::CLOCK_OFFSET_LARGE,
    &ranks::RANKS_STARTED_APART,
    &calibration::OUTSIDE_CALIBRATION,
    &calibration::CALIBRATION_STALE,
    &calibration::CALIBRATED,
    &warmup::NO_WARMUP,
    &warmup::SHORT_WARMUP,
    &warmup::UNWARMED_LENGTHS,
    &load::SHORT_LEVEL,
    &steady::WARMUP_TOO_SHORT,
    &setup::COLD_START_SAMPLES,
    &silence::SERVER_FROZE,
    &silence::STREAMS_HANG,
    &steady::SERVER_SLOWS_DOWN,
    &steady::UNSTABLE_LOAD,
    &steady::DRIFT,
    &steady::STABILITY_UNDECIDED,
    &steady::STEADY_UNDECIDED,
    &host::HOST_SHARED_WITH_MOCK,
    &host::HOST_SHARED_WITH_SERVER,
    &server::LITTLES_LAW_DISAGREES,
    &engine::OTHER_LOAD,
    &engine::VIEWS_DISAGREE,
    &engine::SERVER_RESTARTED,
    &engine::SPECULATION_INACTIVE,
    &engine::KV_NEARLY_FULL,
    &engine::PREEMPTIONS,
    &engine::UNEVEN_ENGINES,
    &engine::FRONT_END_ADDS,
    &engine::QUEUE_IN_ENGINE,
    &engine::METRICS_PAGE_ODD,
    &server_times::SERVER_TIMES_DISAGREE,
    &server::SERVER_METRICS_UNREAD,
    &gpus::XID,
    &gpus::ECC,
    &gpus::THROTTLED,
    &gpus::CLOCK_DROPPED,
    &gpus::IDLE,
    &gpus::ENERGY_UNKNOWN,
    &gpus::STALE,
    &gpus::UNREAD,
    &steps::NEVER_SETTLED,
    &steps::TOO_SHORT,
    &steps::REPLICAS_UNREAD,
    &spans::SPANS_DISAGREE,
    &spans::SPANS_MISSING,
    &spans::SPANS_RESIDUAL,
    &spans::SPANS_REPEATED,
    &spans::SPANS_MALFORMED,
    &sample::PERCENTILE_UNSUPPORTED,
    &sample::PERCENTILE_NEEDS_MORE,
    &sample::SLO_WITHOUT_DATA,
    &sample::CORRELATED_SAMPLES,
    &sample::POOLED_CLASSES,
    &sample::POOLED_BIMODAL,
    &sample::TAIL_RATIO,
    &load::CLOSED_LOOP,
    &load::DRAIN_WITHOUT_LOAD,
    &setup::DATASET_REPEATED,
    &setup::FILE_NOT_WHOLE,
    &setup::VERBOSE_SERVER_LOGGING,
    &caching::RESPONSE_CACHING,
    &caching::PREFIX_CACHE_ON,
    &caching::RESPONSE_CACHE_UNKNOWN,
    &sessions::TRACE_SLIP,
    &sessions::LIVE_HISTORY,
    &delivery::USAGE_IMPLAUSIBLE,
    &delivery::DUPLICATE_CHUNKS,
    &delivery::BURSTY_DELIVERY,
    &delivery::CACHE_SUSPECTED,
    &tokens::LENGTH_NOT_OBEYED,
    &tokens::TOKEN_COUNTS_DISAGREE,
    &tokens::PROMPT_OVERHEAD,
    &tokens::TEMPLATE_MISMATCH,
    &tokens::PROMPT_TOKENS_DISAGREE,
    &tokens::PREFIX_CACHE_SHARED,
    &tokens::PREFIX_CACHE_HIT,
    &tokens::TOKEN_COUNTS_UNKNOWN,
    &tokens::TOKENS_ESTIMATED,
    &tokens::MULTI_TOKEN_CHUNKS,
    &client::CONNECTIONS_OPENED_INSIDE,
    &client::CONNECTIONS_SINGLE_USE,
    &client::RESENT,
    &client::BODIES_LATE,
    &client::WAITS_FOR_CONNECTION,
    &client::READS_WITHOUT_STAMP,
    // Of publication scope: asked under `--publication` alone.
    &publication::WARMUP_BELOW_PUBLICATION,
    &publication::ONE_RUN_ONLY,
    &publication::P99_BELOW_FULL_GRADE,
    &publication::SINGLE_LOAD_LEVEL,
    &publication::SINGLE_CONFIGURATION,
    &publication::SINGLE_DATASET,
    &setup::CACHE_HITS_UNDECLARED,
    &publication::FIXED_PROMPT_LENGTH,
    &publication::CONSTANT_ARRIVALS,
    &publication::HARDWARE_NOT_STATED,
    &publication::ENGINE_NOT_STATED,
    &publication::CONTEXT_UNKNOWN,
];

/// Every finding there is: of the checks of a run, of what is raised elsewhere, and of repeated runs.
pub fn declared() -> Vec<infermeter_core::finding::Check> {
    let checks = CHECKS.iter().map(|check| check.declared());
    let others = RAISED
        .iter()
        .chain(REPEATED)
        .chain(COMPARED)
        .chain(SHADOWED)
        .copied();
    checks.chain(others.copied()).collect()
}

/// Every finding about a run, the heaviest first: those made before and during it as they are,
/// those of the checks, and of a run for publication those of that scope.
pub fn judge(run: &Run, summary: &Summary) -> Vec<Finding> {
    let mut findings = run.manifest.run_findings.clone();
    let publication = run.manifest.plan.publication;
    let asked = CHECKS
        .iter()
        .filter(|check| publication || check.scope != Scope::Publication)
        .filter(|check| run.manifest.load_model.is_ours() || OF_IMPORTS.contains(&check.code));
    findings.extend(asked.filter_map(|check| (check.test)(run, summary)));
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

/// A note about a run, a warning about one to be published.
fn by_scope(run: &Run) -> Severity {
    if run.manifest.plan.publication {
        Severity::Warning
    } else {
        Severity::Note
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
