//! Checks of the context: is it stated? Stated items pass, an item declared `unknown` fails, and
//! where a file is silent nobody can tell, since the publication around it may say it.

use crate::check::{Answer, Check, Checked, Dimension, Missing, OwnRun, Question, Scope, Test};
use crate::facts::{Facts, SetupItem, is_unknown};
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "hardware-unstated",
        scope: Scope::Publication,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The hardware is not stated.",
            advice: "State GPU model, count and memory, interconnect, network and storage.",
            run: OwnRun::Silent,
            test: Test::One(hardware_unstated),
        },
    },
    Check {
        code: "workload-unstated",
        scope: Scope::Publication,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The experiment is not stated.",
            advice: "State dataset, seed, load model, warm-up, duration and samples.",
            run: OwnRun::Silent,
            test: Test::One(workload_unstated),
        },
    },
    Check {
        code: "client-placement-unstated",
        scope: Scope::Publication,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Where the client ran is not stated.",
            advice: "State whether it shared the host or the network with the server.",
            run: OwnRun::Silent,
            test: Test::One(client_placement_unstated),
        },
    },
    Check {
        code: "model-unstated",
        scope: Scope::Publication,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The model is not stated.",
            advice: "State name, version, size and precision.",
            run: OwnRun::Silent,
            test: Test::One(model_unstated),
        },
    },
    Check {
        code: "engine-unstated",
        scope: Scope::Publication,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The engine is not stated.",
            advice: "State engine, version and every flag.",
            run: OwnRun::Silent,
            test: Test::One(engine_unstated),
        },
    },
    Check {
        code: "parallelism-unstated",
        scope: Scope::Publication,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Parallelism is not stated.",
            advice: "State tensor, pipeline and data parallelism.",
            run: OwnRun::Silent,
            test: Test::One(parallelism_unstated),
        },
    },
    Check {
        code: "engine-features-unstated",
        scope: Scope::Publication,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The engine's features are not stated.",
            advice: "State attention back end, scheduling, prefix cache, chunked prefill, speculation and batch limits.",
            run: OwnRun::Silent,
            test: Test::One(engine_features_unstated),
        },
    },
    Check {
        code: "tuning-unstated",
        scope: Scope::Publication,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "How the server was tuned is not stated.",
            advice: "State how many settings were tried, and which.",
            run: OwnRun::Silent,
            test: Test::One(tuning_unstated),
        },
    },
    Check {
        code: "tokenizer-unstated",
        scope: Scope::Publication,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Tokenizer and chat template are not stated.",
            advice: "State which tokenizer counted, and whether the template is in the counts.",
            run: OwnRun::Silent,
            test: Test::One(tokenizer_unstated),
        },
    },
];

fn stated(facts: &Facts, items: &[SetupItem]) -> Checked {
    let value = |item: &SetupItem| facts.setup.get(item);
    let is_unknown = |item: &&SetupItem| value(item).is_some_and(|text| is_unknown(text));
    let labels = |items: Vec<&SetupItem>| -> String {
        let labels: Vec<&str> = items.iter().map(|item| item.label()).collect();
        labels.join(", ")
    };
    let unknown: Vec<&SetupItem> = items.iter().filter(is_unknown).collect();
    if !unknown.is_empty() {
        return Ok(Answer::Fail(format!("Unknown: {}.", labels(unknown))));
    }
    let silent: Vec<&SetupItem> = items.iter().filter(|item| value(item).is_none()).collect();
    if silent.is_empty() {
        Ok(Answer::Pass)
    } else if facts.simulated {
        Ok(Answer::NotApplicable)
    } else {
        Err(Missing(labels(silent)))
    }
}

pub(super) fn hardware_unstated(facts: &Facts) -> Checked {
    let items = [
        SetupItem::GpuModel,
        SetupItem::GpuCount,
        SetupItem::GpuMemory,
        SetupItem::Interconnect,
        SetupItem::Network,
        SetupItem::Storage,
    ];
    stated(facts, &items)
}

pub(super) fn model_unstated(facts: &Facts) -> Checked {
    let items = [
        SetupItem::Model,
        SetupItem::ModelVersion,
        SetupItem::ModelSize,
        SetupItem::Precision,
    ];
    stated(facts, &items)
}

pub(super) fn engine_unstated(facts: &Facts) -> Checked {
    let items = [
        SetupItem::Engine,
        SetupItem::EngineVersion,
        SetupItem::EngineFlags,
    ];
    stated(facts, &items)
}

pub(super) fn parallelism_unstated(facts: &Facts) -> Checked {
    let items = [
        SetupItem::TensorParallel,
        SetupItem::PipelineParallel,
        SetupItem::DataParallel,
    ];
    stated(facts, &items)
}

pub(super) fn engine_features_unstated(facts: &Facts) -> Checked {
    let items = [
        SetupItem::AttentionBackend,
        SetupItem::Scheduling,
        SetupItem::PrefixCache,
        SetupItem::ChunkedPrefill,
        SetupItem::Speculation,
        SetupItem::BatchLimits,
    ];
    stated(facts, &items)
}

pub(super) fn tuning_unstated(facts: &Facts) -> Checked {
    stated(facts, &[SetupItem::Tuning])
}

pub(super) fn client_placement_unstated(facts: &Facts) -> Checked {
    stated(facts, &[SetupItem::ClientPlacement])
}

pub(super) fn tokenizer_unstated(facts: &Facts) -> Checked {
    stated(facts, &[SetupItem::Tokenizer, SetupItem::ChatTemplate])
}

pub(super) fn workload_unstated(facts: &Facts) -> Checked {
    let load = &facts.load;
    let silent = [
        ("dataset", !facts.setup.contains_key(&SetupItem::Dataset)),
        ("load model", load.model.is_none()),
        ("warm-up", load.warmup_s.or(load.warmup_requests).is_none()),
        ("duration", load.duration_s.is_none()),
        ("number of samples", facts.samples().is_none()),
        ("seed", facts.seed.is_none()),
    ];
    let names: Vec<&str> = silent
        .iter()
        .filter(|(_, s)| *s)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        stated(facts, &[SetupItem::Dataset])
    } else {
        Err(Missing(names.join(", ")))
    }
}
