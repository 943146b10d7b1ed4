//! What a run says of its server, as numbers and texts that other formats have a place for.

use infermeter_core::declared::{Declared, Subject};
use infermeter_core::plan::{ArrivalKind, Plan};
use infermeter_core::run::{LoadModel, RunManifest};
use infermeter_core::schedule::Phase;
use infermeter_metrics::collect::Collected;
use serde_json::{Value, json};

/// What was declared of a server, or is known of it.
pub(crate) struct SetUp<'a> {
    declared: Declared,
    manifest: &'a RunManifest,
}

impl<'a> SetUp<'a> {
    pub(crate) fn of(manifest: &'a RunManifest) -> Self {
        Self {
            declared: Declared::of_plan(&manifest.plan),
            manifest,
        }
    }

    /// A text by the names of `--hardware`, `--model-info` and `--engine-info`.
    pub(crate) fn text(&self, subject: Subject, name: &str) -> Option<String> {
        let said = self.declared.value(subject, name);
        said.filter(|text| !text.eq_ignore_ascii_case("unknown"))
    }

    /// A whole number of the engine: `tp`, `pp`, `dp`, `ep`.
    pub(crate) fn parallel(&self, name: &str) -> Option<u64> {
        self.text(Subject::Engine, name)?.trim().parse().ok()
    }

    /// Accelerators: as declared, else as many as its parallelism takes.
    pub(crate) fn gpus(&self) -> Option<u64> {
        let count = self.text(Subject::Hardware, "count");
        let counted = count.and_then(|text| text.trim().parse().ok());
        counted.or_else(|| self.split()?.gpus())
    }

    /// How the model is declared to be split; absent where that is not the number of its accelerators.
    pub(crate) fn split(&self) -> Option<Split> {
        let of = |name| self.parallel(name).unwrap_or(1);
        let split = Split {
            tp: self.parallel("tp")?,
            pp: of("pp"),
            dp: of("dp"),
        };
        let gpus = split.gpus();
        let count = self.text(Subject::Hardware, "count");
        let count = count.and_then(|text| text.trim().parse().ok());
        (gpus.is_some() && count.or(gpus) == gpus).then_some(split)
    }

    /// The engine: as declared, else as the server says.
    pub(crate) fn engine(&self) -> Option<String> {
        let simulated = self.manifest.plan.is_mock();
        let simulator = simulated.then(|| "infermeter-mock".to_owned());
        self.text(Subject::Engine, "engine").or(simulator)
    }
}

/// How a model is split over accelerators: what is not named is not split.
pub(crate) struct Split {
    pub(crate) tp: u64,
    pub(crate) pp: u64,
    pub(crate) dp: u64,
}

impl Split {
    /// The accelerators that it takes.
    fn gpus(&self) -> Option<u64> {
        self.tp.checked_mul(self.pp)?.checked_mul(self.dp)
    }
}

/// Requests per second asked for; absent where none are.
pub(crate) fn rate(manifest: &RunManifest) -> Option<f64> {
    match manifest.load_model {
        LoadModel::OpenLoop => manifest
            .rate_asked
            .filter(|_| manifest.plan.trace.is_none()),
        LoadModel::ClosedLoop | LoadModel::Observed => None,
        LoadModel::Imported => manifest.plan.rate,
    }
}

/// The burstiness of vLLM: gamma's shape; constant gaps are its limit.
pub(crate) fn burstiness(plan: &Plan) -> Value {
    match (plan.arrival, plan.cv) {
        _ if plan.rate.is_none() => Value::Null,
        (ArrivalKind::Poisson, _) => json!(1.0),
        (ArrivalKind::Constant, _) => json!("inf"),
        (ArrivalKind::Gamma, Some(cv)) if cv > 0.0 => json!(1.0 / (cv * cv)),
        (ArrivalKind::Gamma | ArrivalKind::Weibull, _) => Value::Null,
    }
}

/// Measured requests.
pub(crate) fn measured(collected: &Collected) -> usize {
    let requests = collected.requests.iter();
    requests.filter(|r| r.phase == Phase::Measure).count()
}
