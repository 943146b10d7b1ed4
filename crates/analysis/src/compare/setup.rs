//! Whether two sides can be compared at all: their set-ups, what they were sent, and how they answered.
//!
//! Invariant: what nobody said of one side is no difference; it is not known.

use crate::context::UNKNOWN;
use crate::summary::Summary;
use infermeter_core::finish::FinishReason;
use infermeter_core::run::{ReferenceAnswers, RunManifest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shares of finish reasons and failures, and the mean length of answers, that differ by more than this
/// are named: one point, or one per cent.
const UNLIKE: f64 = 0.01;

/// What one run says of its side, beside its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSetup {
    /// Over everything that is sent but its salt.
    pub workload: Option<String>,
    /// Over the instants; absent in a closed loop.
    pub schedule: Option<String>,
    /// What was declared and discovered, by name.
    pub facts: Vec<Fact>,
    /// When it began, nanoseconds since the Unix epoch; absent where that was not kept.
    #[serde(default)]
    pub began_ns: Option<i64>,
    /// What it answered to prompts that were asked alone; absent where none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<AnsweredAlone>,
    /// The server counts what is looked up in its prefix cache, and during the run nothing was.
    pub cache_unused: bool,
}

/// Prompts of a run that were asked alone, and the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredAlone {
    /// What is mixed into the prompts: with another number they are others.
    pub salt: Option<u64>,
    /// Requests ask for the same answer each time: greedy, or by a seed.
    pub deterministic_asked: bool,
    /// The answers, by request.
    pub answers: Vec<ReferenceAnswers>,
}

/// One thing that is known of a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What is known of it.
    pub value: String,
}

/// Where two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// In what.
    pub name: String,
    /// The first side.
    pub first: String,
    /// The other.
    pub other: String,
}

impl RunSetup {
    /// That of a run, whose figures are `summary`.
    pub fn of(manifest: &RunManifest, summary: &Summary) -> Self {
        let workload = &manifest.environment.workload;
        Self {
            workload: workload.sha256.clone(),
            schedule: workload.schedule_sha256.clone(),
            facts: facts(manifest, summary),
            began_ns: manifest.begun_ns(),
            alone: AnsweredAlone::of(manifest),
            cache_unused: manifest
                .environment
                .target
                .prefix_cache
                .and_then(|counters| Some(counters.after?.queries == counters.before.queries))
                .unwrap_or(false),
        }
    }

    /// The answers of both to the very same prompts, asked alone.
    pub(super) fn alone_with<'a>(&'a self, other: &'a Self) -> Option<[&'a AnsweredAlone; 2]> {
        let (own, others) = self.alone.as_ref().zip(other.alone.as_ref())?;
        let same =
            own.salt == others.salt && self.workload.is_some() && self.workload == other.workload;
        same.then_some([own, others])
    }

    /// The two were sent the same requests at the same instants; `None` where that is not known.
    pub fn has_load_of(&self, other: &Self) -> Option<bool> {
        let workload = self.workload.as_ref()? == other.workload.as_ref()?;
        let schedule = match (&self.schedule, &other.schedule) {
            (Some(own), Some(other)) => own == other,
            (None, None) => true,
            _ => false,
        };
        Some(workload && schedule)
    }

    /// Where the two differ, as far as both are known.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let differs = |fact: &Fact| {
            let theirs = other.facts.iter().find(|f| f.name == fact.name)?;
            (theirs.value != fact.value).then(|| Difference {
                name: fact.name.clone(),
                first: fact.value.clone(),
                other: theirs.value.clone(),
            })
        };
        self.facts.iter().filter_map(differs).collect()
    }
}

impl AnsweredAlone {
    fn of(manifest: &RunManifest) -> Option<Self> {
        let passes = manifest.solo.as_ref()?.reference.as_ref()?;
        Some(Self {
            salt: manifest.environment.workload.salt,
            deterministic_asked: passes.deterministic_asked,
            answers: passes.answers.clone(),
        })
    }
}

fn facts(manifest: &RunManifest, summary: &Summary) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: String, value: Option<String>| {
        if let Some(value) = value.filter(|value| value != UNKNOWN) {
            facts.push(Fact { name, value });
        }
    };
    for (subject, known) in summary.context.parts() {
        for (name, value) in known {
            add(format!("{} {name}", subject.key()), Some(value.clone()));
        }
    }
    let (plan, target) = (&manifest.plan, &manifest.environment.target);
    add("simulator".to_owned(), target.mock.clone());
    add("server header".to_owned(), target.server.clone());
    let longest = target.models.first().and_then(|model| model.max_model_len);
    add("longest context".to_owned(), longest.map(|n| n.to_string()));
    add("gpus".to_owned(), plan.gpus.map(|n| n.to_string()));
    let price = plan.gpu_hour.map(|price| format!("${price}"));
    add("price of a GPU for an hour".to_owned(), price);
    add(
        "path of the API".to_owned(),
        Some(plan.endpoint.api().path.to_owned()),
    );
    let fields = target.fields.as_ref();
    let obeys = fields.and_then(|fields| fields.ignore_eos);
    add("ignore_eos".to_owned(), obeys.map(|on| on.to_string()));
    add(
        "same host as the client".to_owned(),
        target.same_host.map(|on| on.to_string()),
    );
    let version = Some(manifest.infermeter_version.clone());
    add("infermeter".to_owned(), version);
    facts
}

/// How two sides answered, where that is unlike: their speeds then do not mean the same.
pub(crate) fn unlike_answers(first: &[&Summary], other: &[&Summary]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |name: String,
                       of: &dyn Fn(&Summary) -> Option<f64>,
                       unlike: &dyn Fn(f64, f64) -> bool,
                       shown: &dyn Fn(f64) -> String| {
        let means = mean_over(first, of).zip(mean_over(other, of));
        if let Some((first, other)) = means.filter(|(a, b)| unlike(*a, *b)) {
            found.push(Difference {
                name,
                first: shown(first),
                other: shown(other),
            });
        }
    };
    let points = |a: f64, b: f64| (a - b).abs() > UNLIKE;
    let relative = |a: f64, b: f64| (a - b).abs() > UNLIKE * a.max(b);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    compare(
        "failed requests".to_owned(),
        &|s| Some(s.requests.failed?.value),
        &points,
        &percent,
    );
    for reason in REASONS {
        let share = |s: &Summary| share_of(s, reason);
        compare(
            format!("answers that ended with {}", word(reason)),
            &share,
            &points,
            &percent,
        );
    }
    compare(
        "output tokens of an answer".to_owned(),
        &mean_output,
        &relative,
        &|n| format!("{n:.1}"),
    );
    compare(
        "prompt tokens of a request".to_owned(),
        &mean_prompt,
        &relative,
        &|n| format!("{n:.1}"),
    );
    found
}

const REASONS: [FinishReason; 6] = [
    FinishReason::Stop,
    FinishReason::Length,
    FinishReason::ToolCalls,
    FinishReason::ContentFilter,
    FinishReason::Aborted,
    FinishReason::Other,
];

fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "a tool call",
        FinishReason::ContentFilter => "a filter",
        FinishReason::Aborted => "an abort",
        FinishReason::Other => "another reason",
    }
}

fn share_of(summary: &Summary, reason: FinishReason) -> Option<f64> {
    let shares = &summary.requests.finish_reasons;
    if shares.is_empty() {
        return None;
    }
    let found = shares.iter().find(|share| share.reason == Some(reason));
    Some(found.map_or(0.0, |found| found.share.value))
}

fn mean_output(summary: &Summary) -> Option<f64> {
    let tokens = &summary.tokens;
    (tokens.output_known > 0).then(|| tokens.output_tokens as f64 / tokens.output_known as f64)
}

fn mean_prompt(summary: &Summary) -> Option<f64> {
    let tokens = &summary.tokens;
    (tokens.with_usage > 0).then(|| tokens.prompt_tokens as f64 / tokens.with_usage as f64)
}

/// The mean over the runs that have it.
fn mean_over(runs: &[&Summary], of: &dyn Fn(&Summary) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(|run| of(run)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize_log;
    use infermeter_metrics::fixture::Run;

    fn run(change: impl FnOnce(&mut RunManifest)) -> RunSetup {
        let mut log = Run::steady(40, 20.0, 12).build();
        change(&mut log.manifest);
        let (run, summary) = summarize_log(&log);
        RunSetup::of(&run.manifest, &summary)
    }

    #[test]
    fn what_is_declared_or_discovered_and_differs_is_named() {
        let first = run(|m| m.plan.engine_info = Some("tp=1".to_owned()));
        let other = run(|m| {
            m.plan.engine_info = Some("tp=2, dp=4".to_owned());
            m.environment.target.server = Some("uvicorn".to_owned());
        });
        let named: Vec<String> = first
            .differences(&other)
            .into_iter()
            .map(|d| d.name)
            .collect();
        assert_eq!(named, ["engine-info tp"]);
        assert_eq!(first.differences(&first), []);
    }

    #[test]
    fn the_same_load_is_that_of_requests_and_instants() {
        let load = |workload: &str, schedule: Option<&str>| RunSetup {
            workload: Some(workload.to_owned()),
            schedule: schedule.map(str::to_owned),
            facts: Vec::new(),
            began_ns: None,
            alone: None,
            cache_unused: false,
        };
        let own = load("a", Some("1"));
        assert_eq!(own.has_load_of(&load("a", Some("1"))), Some(true));
        assert_eq!(own.has_load_of(&load("b", Some("1"))), Some(false));
        assert_eq!(own.has_load_of(&load("a", Some("2"))), Some(false));
        assert_eq!(own.has_load_of(&load("a", None)), Some(false));
        let unknown = RunSetup {
            workload: None,
            ..own.clone()
        };
        assert_eq!(own.has_load_of(&unknown), None);
    }

    #[test]
    fn unlike_answers_are_named() {
        let summary = |tokens: u32| summarize_log(&Run::steady(40, 20.0, tokens).build()).1;
        let (short, long) = (summary(12), summary(14));
        assert_eq!(unlike_answers(&[&short], &[&short]), []);
        let found = unlike_answers(&[&short], &[&long]);
        let names: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["output tokens of an answer"]);
        let mut failing = short.clone();
        if let Some(failed) = &mut failing.requests.failed {
            failed.value = 0.1;
        }
        let found = unlike_answers(&[&short], &[&failing]);
        assert_eq!(
            (found[0].first.as_str(), found[0].other.as_str()),
            ("0.0 %", "10.0 %")
        );
    }
}
