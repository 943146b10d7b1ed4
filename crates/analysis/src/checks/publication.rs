//! What a result to be published needs beyond a sound measurement: asked under `--publication` alone.
//!
//! Invariant: nothing here says that a figure is wrong; it says what a reader cannot know of it.

use super::Check;
use super::counted;
use crate::context::UNKNOWN;
use crate::figure::CellGrade;
use crate::limits::{PUBLICATION_WARMUP_REQUESTS, PUBLICATION_WARMUP_S};
use crate::percentile::Percentile;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::declared::{Declared, Subject};
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::plan::{ArrivalKind, WorkloadKind};
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::Phase;
use infermeter_core::slo::SloMetric;
use infermeter_metrics::facts::RequestFacts;

/// A warm-up below what published figures need. None at all is a finding of its own.
pub const WARMUP_BELOW_PUBLICATION: Check = Check {
    code: "warmup-below-publication",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: warmup,
};

fn warmup(_: &Run, summary: &Summary) -> Option<Finding> {
    let warmup = &summary.warmup;
    let seconds = warmup.seconds.filter(|_| warmup.requests > 0)?;
    // The window starts when the warm-up has its length; its first request comes a gap later.
    let gap = seconds / warmup.requests as f64;
    let short =
        seconds + gap < PUBLICATION_WARMUP_S || warmup.requests < PUBLICATION_WARMUP_REQUESTS;
    short.then(|| {
        WARMUP_BELOW_PUBLICATION.found(
            "The warm-up is shorter than published figures need.",
            format!(
                "{seconds:.1} s and {}; needed: {PUBLICATION_WARMUP_S:.0} s and \
                 {PUBLICATION_WARMUP_REQUESTS} requests.",
                counted(warmup.requests, "request")
            ),
            "Use --warmup 30s+50req or more.",
        )
    })
}

/// One run has no spread between runs.
pub const ONE_RUN_ONLY: Check = Check {
    code: "one-run-only",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: one_run,
};

fn one_run(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let repeated = plan.repeat.is_some_and(|n| n > 1) || plan.until.is_some();
    (!repeated).then(|| {
        ONE_RUN_ONLY.found(
            "One run does not show how much another would differ.",
            "Neither --repeat nor --until.",
            "Use --repeat 5.",
        )
    })
}

/// A p99 that readers will compare to the last digit.
pub(super) const P99_BELOW_FULL_GRADE: Check = Check {
    code: "p99-below-full-grade",
    scope: Scope::Publication,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: p99,
};

fn p99(_: &Run, summary: &Summary) -> Option<Finding> {
    let p99 = Percentile::new(99.0)?;
    let metrics = SloMetric::NAMES.into_iter();
    let thin = metrics.filter_map(|(name, metric)| {
        let distribution = summary.distribution(metric)?;
        let cell = distribution.cell(p99)?;
        (cell.grade == CellGrade::Indicative).then(|| format!("{name} ({} values)", cell.n))
    });
    let thin: Vec<String> = thin.collect();
    (!thin.is_empty()).then(|| {
        P99_BELOW_FULL_GRADE.found(
            "A p99 rests on fewer than 100 effective tail samples: another run's may lie far from it.",
            format!("Indicative: {}.", thin.join(", ")),
            "Measure about ten times as many requests (--duration or --requests), or publish p90.",
        )
    })
}

/// One load says nothing of the curve. A note: one run can be no more than one point of it.
pub const SINGLE_LOAD_LEVEL: Check = Check {
    code: "single-load-level",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: one_load,
};

fn one_load(run: &Run, summary: &Summary) -> Option<Finding> {
    let load = summary.load.as_ref()?;
    let level = match run.manifest.load_model {
        LoadModel::OpenLoop => format!("{:.2} requests/s", load.rate_due_per_s),
        LoadModel::ClosedLoop => format!("{} slots", load.concurrency?),
        LoadModel::Imported | LoadModel::Observed => return None,
    };
    run.manifest.plan.rate_profile.is_none().then(|| {
        SINGLE_LOAD_LEVEL.found(
            "One load level shows one point of a curve: neither the capacity nor the latency at another \
             load follows from it.",
            format!("{level}."),
            "Measure several loads, and publish them together.",
        )
    })
}

/// One configuration of the server says nothing of others. A note, as that of a single load.
pub const SINGLE_CONFIGURATION: Check = Check {
    code: "single-configuration",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: one_configuration,
};

fn one_configuration(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let tuned = Declared::of_plan(plan).value(Subject::Engine, "tuning");
    (tuned.is_none() && !is_simulated(&plan.target)).then(|| {
        SINGLE_CONFIGURATION.found(
            "One configuration of the server shows neither its best nor what its settings cost.",
            "No --engine-info tuning.",
            "Measure the settings that readers would try (parallelism, batch limits, caches), and state \
             what was tried: --engine-info tuning='12 settings of max-num-seqs and tp'.",
        )
    })
}

/// One class of requests says nothing of others.
pub const SINGLE_DATASET: Check = Check {
    code: "single-dataset",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: one_workload,
};

fn one_workload(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let one = match (
        &plan.trace,
        &plan.clients,
        &plan.workload_file,
        &plan.dataset,
    ) {
        (None, None, None, Some(dataset)) => dataset.display().to_string(),
        (None, None, None, None) if matches!(plan.workload, WorkloadKind::One(_)) => {
            plan.workload.to_string()
        }
        _ => return None,
    };
    Some(SINGLE_DATASET.found(
        "One kind of requests shows how the server handles that one.",
        format!("{one}."),
        "Measure at least two, such as chat and long context, each by itself and as a mixture.",
    ))
}

/// Prompts that are all of one length.
pub const FIXED_PROMPT_LENGTH: Check = Check {
    code: "fixed-prompt-length",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: fixed_prompts,
};

fn fixed_prompts(run: &Run, _: &Summary) -> Option<Finding> {
    let requests = run.collected.requests.iter();
    let measured = requests.filter(|r| r.phase == Phase::Measure);
    // Absent as soon as one is not known.
    let known = |r: &RequestFacts| r.input_tokens().map(|_| r.requested_prompt_tokens);
    let lengths: Vec<u32> = measured.map(known).collect::<Option<_>>()?;
    let (first, further) = lengths.split_first().filter(|(_, rest)| !rest.is_empty())?;
    further.iter().all(|length| length == first).then(|| {
        FIXED_PROMPT_LENGTH.found(
            "Every prompt has the same length: batches are more even than those of users.",
            format!("{first} tokens each."),
            "Use a workload with a distribution of lengths, or a trace.",
        )
    })
}

/// Arrivals at equal gaps.
pub const CONSTANT_ARRIVALS: Check = Check {
    code: "constant-arrivals",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: constant_arrivals,
};

fn constant_arrivals(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let open = run.manifest.load_model == LoadModel::OpenLoop && plan.trace.is_none();
    (open && plan.arrival == ArrivalKind::Constant).then(|| {
        CONSTANT_ARRIVALS.found(
            "Arrivals at equal gaps queue less than those of users, who come at random.",
            "--arrival constant.",
            "Use --arrival poisson (the default), gamma, or a trace.",
        )
    })
}

/// A server whose hardware nobody stated.
pub const HARDWARE_NOT_STATED: Check = Check {
    code: "hardware-not-stated",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: hardware,
};

fn hardware(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let stated = Declared::of_plan(plan).has_hardware();
    (!stated && !is_simulated(&plan.target)).then(|| {
        HARDWARE_NOT_STATED.found(
            "The server's hardware is not stated.",
            "No --hardware.",
            "Use --hardware gpu=H100 --hardware count=8, and memory= and interconnect=.",
        )
    })
}

/// A server whose engine nobody stated.
pub const ENGINE_NOT_STATED: Check = Check {
    code: "engine-not-stated",
    scope: Scope::Publication,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: engine,
};

fn engine(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let stated = Declared::of_plan(plan).has_engine();
    (!stated && !is_simulated(&plan.target)).then(|| {
        ENGINE_NOT_STATED.found(
            "The server's engine is not stated.",
            "Neither --engine nor --engine-info.",
            "Use --engine-info engine=vllm --engine-info version=0.11.0, and what it was started with.",
        )
    })
}

/// What a reader cannot know of the server.
pub(super) const CONTEXT_UNKNOWN: Check = Check {
    code: "context-unknown",
    scope: Scope::Publication,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: context,
};

fn context(run: &Run, summary: &Summary) -> Option<Finding> {
    let parts = summary.context.parts().into_iter();
    let missing: Vec<String> = parts
        .filter_map(|(subject, known)| {
            let names = subject.names().iter();
            let unknown = names.filter(|name| known.get::<str>(name).is_none_or(|v| v == UNKNOWN));
            let unknown: Vec<&str> = unknown.copied().collect();
            (!unknown.is_empty()).then(|| format!("--{}: {}", subject.key(), unknown.join(", ")))
        })
        .collect();
    (!missing.is_empty() && !is_simulated(&run.manifest.plan.target)).then(|| {
        CONTEXT_UNKNOWN.found(
            "Part of the set-up is not stated: readers cannot repeat or compare this run.",
            format!("{}.", missing.join("; ")),
            "State what you know, as in --hardware memory=80GB --engine-info flags='--max-num-seqs 256'.",
        )
    })
}

/// A simulator's preset states both.
fn is_simulated(target: &str) -> bool {
    target.starts_with("mock:")
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use crate::summarize_log;
    use infermeter_core::declared::Subject;
    use infermeter_core::plan::ArrivalKind;
    use infermeter_core::run::LoadModel;
    use infermeter_metrics::fixture::{Run, ms};

    /// For publication, and with nothing to say against it but that it is short.
    fn published() -> Run {
        let mut run = Run::steady(1_300, 20.0, 12);
        for (i, record) in run.records().iter_mut().enumerate() {
            record.requested_prompt_tokens = 100 + i as u32 % 2;
            record.prompt_tokens = Some(record.requested_prompt_tokens);
        }
        let plan = &mut run.manifest().plan;
        plan.publication = true;
        plan.repeat = Some(5);
        plan.rate_profile = "ramp:20..20/65s".parse().ok();
        plan.workload = "mix:chat=1,summarization=1".parse().expect("a mixture");
        plan.hardware = Some("8 x H100".to_owned());
        plan.engine = Some("vllm 0.11.0".to_owned());
        for subject in [Subject::Hardware, Subject::Model, Subject::Engine] {
            let names = subject.names().iter();
            // Hardware and engine have flags of their own here.
            let names = names.filter(|name| !["gpu", "engine"].contains(name));
            let said: Vec<String> = names.map(|name| format!("{name}=x")).collect();
            let place = match subject {
                Subject::Hardware => &mut plan.hardware,
                Subject::Model => &mut plan.model_info,
                Subject::Engine => &mut plan.engine_info,
            };
            *place = Some(said.join(", "));
        }
        plan.hardware = plan.hardware.take().map(|said| format!("gpu=H100, {said}"));
        run
    }

    fn check(change: impl FnOnce(&mut Run), expect: &[&str]) {
        let mut run = published();
        change(&mut run);
        let (run, summary) = summarize_log(&run.build());
        let mut codes: Vec<String> = judge(&run, &summary).into_iter().map(|f| f.code).collect();
        let short = ["percentile-needs-more", "p99-below-full-grade"];
        codes.retain(|c| !short.contains(&c.as_str()));
        assert_eq!(codes, expect);
    }

    #[test]
    fn each_is_found_alone_and_for_publication_only() {
        check(|_| {}, &[]);
        check(
            |run| run.records().retain(|r| r.intended.0 > ms(10_000)),
            &["warmup-below-publication"],
        );
        check(|run| run.manifest().plan.repeat = None, &["one-run-only"]);
        check(
            |run| run.manifest().plan.rate_profile = None,
            &["single-load-level"],
        );
        check(
            |run| run.manifest().plan.rate_profile = "steps:20/40s,20/25s".parse().ok(),
            &["short-level"],
        );
        check(
            |run| {
                let said = run.manifest().plan.engine_info.take();
                let without =
                    said.map(|said| said.replace("tuning=x", "pp=1").replace("pp=x, ", ""));
                run.manifest().plan.engine_info = without;
            },
            &["single-configuration", "context-unknown"],
        );
        check(
            |run| run.manifest().plan.workload = "chat".parse().expect("a workload"),
            &["single-dataset"],
        );
        check(
            |run| {
                run.manifest().plan.rate_profile = None;
                run.manifest().plan.concurrency = Some(8);
                run.manifest().load_model = LoadModel::ClosedLoop;
            },
            &["closed-loop", "single-load-level"],
        );
        check(
            |run| {
                for record in run.records() {
                    record.requested_prompt_tokens = 100;
                    record.prompt_tokens = Some(100);
                }
            },
            &["fixed-prompt-length"],
        );
        check(
            |run| run.manifest().plan.arrival = ArrivalKind::Constant,
            &["constant-arrivals"],
        );
        check(
            |run| run.manifest().plan.hardware = None,
            &["hardware-not-stated", "context-unknown"],
        );
        check(
            |run| run.manifest().plan.engine = None,
            &["engine-not-stated", "context-unknown"],
        );
        check(
            |run| {
                let plan = &mut run.manifest().plan;
                plan.hardware = None;
                plan.engine = None;
                plan.engine_info = Some("engine=vllm,tuning=none".to_owned());
            },
            &["hardware-not-stated", "context-unknown"],
        );
        check(
            |run| run.manifest().plan.model_info = Some("version=3.1".to_owned()),
            &["context-unknown"],
        );
        check(
            |run| {
                let plan = &mut run.manifest().plan;
                plan.publication = false;
                plan.repeat = None;
                plan.hardware = None;
                plan.engine = None;
            },
            &[],
        );
    }

    #[test]
    fn an_indicative_p99_is_named() {
        let (run, summary) = summarize_log(&published().build());
        let findings = judge(&run, &summary);
        let found = findings.iter().find(|f| f.code == "p99-below-full-grade");
        let evidence = &found.expect("1,300 requests").evidence;
        assert!(evidence.contains("ttft (1300 values)"), "{evidence}");
    }
}
