//! Every finding's place: where it is asked, and what it is about.
//!
//! Weight and words are the check's. Invariant (kept by `cargo xtask tidy`): the codes here are those
//! that checks raise, no more and no fewer.

use serde::{Deserialize, Serialize};

/// Where a check applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each result by itself.
    Run,
    /// Results at one load: repeats.
    Repeated,
    /// Results at several loads.
    Sweep,
    /// Two sides.
    Comparison,
    /// What is published.
    Publication,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Whether what is compared is comparable.
    BaselineFairness,
    /// Whether the experiment can carry a conclusion.
    EvaluationSetup,
    /// Whether the figures say what they seem to say.
    MetricDesign,
}

impl Dimension {
    /// All dimensions, in the order of printing.
    pub const ALL: [Self; 3] = [
        Self::BaselineFairness,
        Self::EvaluationSetup,
        Self::MetricDesign,
    ];

    /// The name printed.
    pub fn label(self) -> &'static str {
        match self {
            Self::BaselineFairness => "Baseline fairness",
            Self::EvaluationSetup => "Evaluation set-up",
            Self::MetricDesign => "Metric design",
        }
    }
}

/// The place of the finding with this code; absent for a code that no check has.
pub fn place_of(code: &str) -> Option<(Scope, Dimension)> {
    let row = FINDINGS.iter().find(|(known, _, _)| *known == code)?;
    Some((row.1, row.2))
}

use Dimension::{BaselineFairness, EvaluationSetup, MetricDesign};
use Scope::{Publication, Repeated, Run};

/// Code, scope and dimension of every finding of a run or of repeated runs.
pub const FINDINGS: &[(&str, Scope, Dimension)] = &[
    ("client-stood-still", Run, EvaluationSetup),
    ("not-sent", Run, EvaluationSetup),
    ("send-lag", Run, EvaluationSetup),
    ("slot-lag", Run, EvaluationSetup),
    ("load-not-delivered", Run, EvaluationSetup),
    ("server-unreachable", Run, EvaluationSetup),
    ("address-down", Run, EvaluationSetup),
    ("closed-loop", Run, EvaluationSetup),
    ("drain-without-load", Run, EvaluationSetup),
    ("dataset-repeated", Run, EvaluationSetup),
    ("file-not-whole", Run, EvaluationSetup),
    ("trace-slip", Run, EvaluationSetup),
    ("live-history", Run, EvaluationSetup),
    ("no-warmup", Run, EvaluationSetup),
    ("short-warmup", Run, EvaluationSetup),
    ("unwarmed-lengths", Run, EvaluationSetup),
    ("short-level", Run, EvaluationSetup),
    ("warmup-too-short", Run, EvaluationSetup),
    ("cold-start-samples", Run, EvaluationSetup),
    ("server-froze", Run, EvaluationSetup),
    ("streams-hang", Run, EvaluationSetup),
    ("server-slows-down", Run, EvaluationSetup),
    ("unstable-load", Run, EvaluationSetup),
    ("stability-undecided", Run, EvaluationSetup),
    ("drift", Run, EvaluationSetup),
    ("steady-undecided", Run, EvaluationSetup),
    ("resent", Run, EvaluationSetup),
    ("bodies-late", Run, EvaluationSetup),
    ("waits-for-connection", Run, EvaluationSetup),
    ("connections-opened-inside", Run, EvaluationSetup),
    ("connections-single-use", Run, EvaluationSetup),
    ("body-without-end", Run, EvaluationSetup),
    ("client-busy", Run, EvaluationSetup),
    ("run-queue-wait", Run, EvaluationSetup),
    ("too-few-connections", Run, EvaluationSetup),
    ("ports-in-use", Run, EvaluationSetup),
    ("power-governor", Run, EvaluationSetup),
    ("outside-calibration", Run, EvaluationSetup),
    ("calibrated", Run, EvaluationSetup),
    ("calibration-stale", Run, EvaluationSetup),
    ("uncertain-instants", Run, EvaluationSetup),
    ("program-stamps", Run, EvaluationSetup),
    ("reads-without-stamp", Run, EvaluationSetup),
    ("departures-missing", Run, EvaluationSetup),
    ("clock-step", Run, EvaluationSetup),
    ("host-shared-with-server", Run, EvaluationSetup),
    ("host-shared-with-mock", Run, EvaluationSetup),
    ("littles-law-disagrees", Run, EvaluationSetup),
    ("server-metrics-unread", Run, EvaluationSetup),
    ("failures", Run, EvaluationSetup),
    ("in-band-errors", Run, EvaluationSetup),
    ("truncated-streams", Run, EvaluationSetup),
    ("unknown-finish-reason", Run, EvaluationSetup),
    ("empty-answers", Run, EvaluationSetup),
    ("answers-mislabelled", Run, EvaluationSetup),
    ("event-numbers-broken", Run, EvaluationSetup),
    ("unknown-delta-members", Run, MetricDesign),
    ("nothing-measured", Run, EvaluationSetup),
    ("usage-implausible", Run, MetricDesign),
    ("duplicate-chunks", Run, MetricDesign),
    ("bursty-delivery", Run, MetricDesign),
    ("cache-suspected", Run, EvaluationSetup),
    ("prompts-sent-before", Run, EvaluationSetup),
    ("length-not-obeyed", Run, EvaluationSetup),
    ("prompt-inexact", Run, EvaluationSetup),
    ("prefix-cache-hit", Run, EvaluationSetup),
    ("prefix-cache-shared", Run, EvaluationSetup),
    ("response-caching", Run, EvaluationSetup),
    ("prefix-cache-on", Run, EvaluationSetup),
    ("response-cache-unknown", Run, EvaluationSetup),
    ("verbose-server-logging", Run, EvaluationSetup),
    ("probe-unsure", Run, EvaluationSetup),
    ("model-not-listed", Run, EvaluationSetup),
    ("engine-disagrees", Run, EvaluationSetup),
    ("tls-unverified", Run, EvaluationSetup),
    ("proxy-unused", Run, EvaluationSetup),
    ("address-left-out", Run, EvaluationSetup),
    ("key-file-readable", Run, EvaluationSetup),
    ("conservation", Run, EvaluationSetup),
    ("residence-disagrees", Run, EvaluationSetup),
    ("record-removed", Run, EvaluationSetup),
    ("record-incomplete", Run, EvaluationSetup),
    ("manifest-unwritten", Run, EvaluationSetup),
    ("interrupted", Run, EvaluationSetup),
    ("recovered", Run, EvaluationSetup),
    ("record-altered", Run, EvaluationSetup),
    ("token-counts-disagree", Run, MetricDesign),
    ("token-counts-unknown", Run, MetricDesign),
    ("tokens-estimated", Run, MetricDesign),
    ("multi-token-chunks", Run, MetricDesign),
    ("prompt-tokens-disagree", Run, MetricDesign),
    ("prompt-overhead", Run, MetricDesign),
    ("template-mismatch", Run, MetricDesign),
    ("percentile-unsupported", Run, MetricDesign),
    ("percentile-needs-more", Run, MetricDesign),
    ("slo-without-data", Run, MetricDesign),
    ("correlated-samples", Run, MetricDesign),
    ("pooled-classes", Run, MetricDesign),
    ("pooled-bimodal", Run, MetricDesign),
    ("tail-ratio", Run, MetricDesign),
    ("warmup-below-publication", Publication, EvaluationSetup),
    ("one-run-only", Publication, EvaluationSetup),
    ("single-load-level", Publication, EvaluationSetup),
    ("single-configuration", Publication, EvaluationSetup),
    ("single-dataset", Publication, EvaluationSetup),
    ("cache-hits-undeclared", Publication, EvaluationSetup),
    ("fixed-prompt-length", Publication, EvaluationSetup),
    ("constant-arrivals", Publication, EvaluationSetup),
    ("hardware-not-stated", Publication, EvaluationSetup),
    ("engine-not-stated", Publication, BaselineFairness),
    ("context-unknown", Publication, BaselineFairness),
    ("runs-not-valid", Repeated, EvaluationSetup),
    ("outlying-run", Repeated, EvaluationSetup),
    ("same-requests", Repeated, EvaluationSetup),
    ("run-too-short", Repeated, MetricDesign),
    ("few-runs", Repeated, MetricDesign),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_has_one_place() {
        let codes: BTreeSet<&str> = FINDINGS.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(codes.len(), FINDINGS.len());
        assert_eq!(place_of("send-lag"), Some((Run, EvaluationSetup)));
        assert_eq!(place_of("sendlag"), None);
    }
}
