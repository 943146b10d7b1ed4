//! Findings that are raised where they happen and not by a check of the run: while the target is prepared,
//! the record is written, or read back.
//!
//! Here is what they are; what they say is said where they are raised.

use infermeter_core::finding::{Check, Dimension, Scope, Severity, Weight};

/// A file of the record is not what the run wrote.
pub const RECORD_ALTERED: Check = Check {
    code: "record-altered",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: (),
};

/// Others may read the file of the API key.
pub const KEY_FILE_READABLE: Check = Check {
    code: "key-file-readable",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// The record was made from its journal.
pub const RECOVERED: Check = Check {
    code: "recovered",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: None,
    test: (),
};

/// Another tool measured it.
pub const IMPORTED: Check = Check {
    code: "imported",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// A proxy saw it: the load was its users' own.
pub const OBSERVED: Check = Check {
    code: "load-observed",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// The record went away while the run wrote it.
pub const RECORD_REMOVED: Check = Check {
    code: "record-removed",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// `run.json` could not be written when the run began.
pub const MANIFEST_UNWRITTEN: Check = Check {
    code: "manifest-unwritten",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// A prompt could not be made as it was planned.
pub const PROMPT_INEXACT: Check = Check {
    code: "prompt-inexact",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// The environment names a proxy, and the load does not go through it.
pub const PROXY_UNUSED: Check = Check {
    code: "proxy-unused",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// An earlier run sent the same prompts to the server.
pub const PROMPTS_SENT_BEFORE: Check = Check {
    code: "prompts-sent-before",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// A trial before the run met an error of the server's own.
pub const PROBE_UNSURE: Check = Check {
    code: "probe-unsure",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// The server answers for a model that it does not list.
pub const MODEL_NOT_LISTED: Check = Check {
    code: "model-not-listed",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// Nobody vouches for the server's identity.
pub const TLS_UNVERIFIED: Check = Check {
    code: "tls-unverified",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// What is known of the server names several engines.
pub const ENGINE_DISAGREES: Check = Check {
    code: "engine-disagrees",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// Addresses of a name that do not accept connections.
pub const ADDRESS_LEFT_OUT: Check = Check {
    code: "address-left-out",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// A rank began its part of a load later than was agreed on.
pub const START_LATE: Check = Check {
    code: "start-late",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Ranks of a run left no record, or none of all of their part.
pub const RANKS_MISSING: Check = Check {
    code: "ranks-missing",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: (),
};

/// Ranks of an open loop came to their ends apart.
pub const DRAIN_UNEVEN: Check = Check {
    code: "drain-uneven",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: None,
    test: (),
};

/// Rows of several ranks have one id.
pub const IDS_TWICE: Check = Check {
    code: "ids-twice",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// What was merged is not what one run's ranks leave.
pub const MERGED_BY_FORCE: Check = Check {
    code: "merged-by-force",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// A start did not get to its end.
pub(crate) const START_FAILED: Check = Check {
    code: "start-failed",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: (),
};

/// Caches may not be as they were to be before a start.
pub(crate) const CACHE_STATE_UNENFORCED: Check = Check {
    code: "cache-state-unenforced",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Speed still changed at the end of a start's light load.
pub(crate) const NEVER_STEADY: Check = Check {
    code: "never-steady",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// All of these.
pub(crate) const RAISED: &[&Check] = &[
    &RECORD_ALTERED,
    &KEY_FILE_READABLE,
    &RECOVERED,
    &IMPORTED,
    &OBSERVED,
    &RECORD_REMOVED,
    &MANIFEST_UNWRITTEN,
    &PROMPT_INEXACT,
    &PROXY_UNUSED,
    &PROMPTS_SENT_BEFORE,
    &PROBE_UNSURE,
    &MODEL_NOT_LISTED,
    &TLS_UNVERIFIED,
    &ENGINE_DISAGREES,
    &ADDRESS_LEFT_OUT,
    &START_LATE,
    &RANKS_MISSING,
    &DRAIN_UNEVEN,
    &IDS_TWICE,
    &MERGED_BY_FORCE,
    &START_FAILED,
    &CACHE_STATE_UNENFORCED,
    &NEVER_STEADY,
];
