//! How two plans, or two of what is asked for, differ: by key, in words.
//!
//! The one place that knows which keys of a plan may differ between runs that are put together. It refuses nothing:
//! that is done by whoever needs them to be the same. Invariant: a difference is named with both values, and none
//! holds a secret that the plans do not show.

use infermeter_core::plan::Plan;
use infermeter_core::text::inert;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Differences that a message names.
const NAMED: usize = 3;

/// Keys that change nothing for the server: what is drawn, looked at and said. So do those that only show a result.
const UNSEEN: [&str; 27] = [
    "profile",
    "seed",
    "workload-seed",
    "schedule-seed",
    "salt",
    "repeat",
    "until",
    "slo",
    "percentile",
    "fluidity",
    "strict",
    "publication",
    "label",
    "threads",
    "max-connections",
    "io",
    "audit-send",
    "save-responses",
    "check-answers",
    "reference",
    "solo-time",
    "server-metrics",
    "server-metrics-interval",
    "gpu-metrics",
    "replicas-from",
    "replicas-command",
    "source-address",
];

/// Keys that say which server it is, how it is reached, and what is declared of it.
const SERVER: [&str; 19] = [
    "target",
    "more-targets",
    "hardware",
    "model-info",
    "engine-info",
    "engine",
    "gpus",
    "gpu-hour",
    "kwh",
    "quantization",
    "api-key-file",
    "header",
    "proxy",
    "tls-ca",
    "tls-insecure",
    "connect-timeout",
    "no-probe",
    "probe-timeout",
    "probe-response-cache",
];

/// Keys that say how much is sent in one run: the rate, and for how long.
const LEVEL: [&str; 4] = ["rate", "duration", "requests", "warmup"];

/// What may differ between two plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayDiffer {
    /// The server: the work is the same.
    Server,
    /// The rate, and how long it is sent: the server and each request are the same.
    Level,
}

impl MayDiffer {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Server => &SERVER,
            Self::Level => &LEVEL,
        }
    }
}

/// Whose the values of a difference are: what stands behind each.
pub type Whose<'a> = [&'a str; 2];

/// How two plans differ beyond what may differ and what a server cannot see.
pub fn of_plans(first: &Plan, other: &Plan, may: MayDiffer, whose: Whose<'_>) -> Vec<String> {
    of(first, other, &|key| counts(key, may), whose)
}

/// Whether a key must be the same.
fn counts(key: &str, may: MayDiffer) -> bool {
    let mut may_differ = UNSEEN.iter().chain(may.keys());
    !may_differ.any(|known| *known == key) && !Plan::is_showing(key)
}

/// How two values differ by those of their members that count.
pub(crate) fn of(
    first: &impl Serialize,
    other: &impl Serialize,
    counts: &dyn Fn(&str) -> bool,
    whose: Whose<'_>,
) -> Vec<String> {
    let first = serde_json::to_value(first).unwrap_or_default();
    let other = serde_json::to_value(other).unwrap_or_default();
    let members = other.as_object().into_iter().flatten();
    let differing = members.filter(|(key, value)| counts(key) && first[key.as_str()] != **value);
    let shown = |value: &Value| inert(&value.to_string(), 60);
    let [of_first, of_other] = whose;
    differing
        .map(|(key, value)| {
            let first = shown(&first[key.as_str()]);
            format!("{key} is {first}{of_first} and {}{of_other}", shown(value))
        })
        .collect()
}

/// What identifies the work of a plan on a server, whatever it is called: SHA-256, hex, over what counts of the plan and
/// is not as it is where nobody says anything, so that keys of later versions change nothing.
pub(crate) fn work(plan: &Plan, server: &str) -> String {
    let value = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let (plan, usual) = (value(plan), value(&Plan::defaults()));
    let members = plan.as_object().into_iter().flatten();
    let counts = members
        .filter(|(key, value)| counts(key, MayDiffer::Server) && usual[key.as_str()] != **value);
    let said: BTreeMap<&String, &Value> = counts.collect();
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(&(server, said)).unwrap_or_default());
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The first few differences, and how many more there are.
pub fn named(differences: &[String]) -> String {
    let first = differences[..differences.len().min(NAMED)].join("; ");
    match differences.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::key::Keyed;

    #[test]
    fn keys_that_may_differ_are_keys_of_the_plan() {
        for name in UNSEEN.iter().chain(&SERVER).chain(&LEVEL) {
            assert!(Plan::KEYS.iter().any(|key| key.name == *name), "{name}");
        }
    }

    #[test]
    fn what_counts_depends_on_what_is_put_together() {
        let first = Plan::defaults();
        let other = Plan {
            seed: 9,
            ..Plan::defaults()
        };
        let differences = |other: &Plan, may| of_plans(&first, other, may, [" there", " here"]);
        assert!(differences(&other, MayDiffer::Server).is_empty());
        let rate = Plan {
            rate: Some(5.0),
            ..other.clone()
        };
        assert!(differences(&rate, MayDiffer::Level).is_empty());
        let said = differences(&rate, MayDiffer::Server);
        assert_eq!(said, ["rate is null there and 5.0 here"]);
        let elsewhere = Plan {
            target: "mock:fixed".to_owned(),
            ..other
        };
        assert!(differences(&elsewhere, MayDiffer::Server).is_empty());
        assert_eq!(differences(&elsewhere, MayDiffer::Level).len(), 1);
    }

    #[test]
    fn the_work_is_the_same_whatever_only_shows() {
        let plan = |change: fn(&mut Plan)| {
            let mut plan = Plan::defaults();
            change(&mut plan);
            work(&plan, "here")
        };
        let same = plan(|_| {});
        assert_eq!(plan(|plan| (plan.seed, plan.quiet) = (9, true)), same);
        assert_eq!(plan(|plan| plan.target = "mock:fixed".to_owned()), same);
        assert_ne!(plan(|plan| plan.rate = Some(5.0)), same);
        assert_ne!(work(&Plan::defaults(), "there"), same);
    }

    #[test]
    fn a_message_names_three() {
        let differences: Vec<String> = (0..5).map(|n| format!("k{n}")).collect();
        assert_eq!(named(&differences), "k0; k1; k2; and 2 more");
        assert_eq!(named(&differences[..1]), "k0");
    }
}
