//! A run of infermeter itself: its manifest, findings and records as facts.
//!
//! The run has judged much of this already: its findings come along, and checks of the same code
//! answer with them.

use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics,
    TokenSource, Undecided, is_unknown,
};
use crate::format::Format;
use crate::json::{is_not_finite, percent};
use infermeter_analysis::{Context, Distribution, KeepsUp, Rate, Steadiness, Summary, checks};
use infermeter_core::declared::{Declared, Statement, Subject};
use infermeter_core::environment::TargetSide;
use infermeter_core::finding::Finding;
use infermeter_core::plan::{ArrivalKind, Plan};
use infermeter_core::record::{Outcome, TokenSource as RecordSource};
use infermeter_core::run::{LoadModel as RunLoad, RunManifest, RunState};
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use std::collections::BTreeMap;

/// Items of the set-up, by subject and name as they are declared.
const CONTEXT: [(SetupItem, Subject, &str); 25] = [
    (SetupItem::GpuModel, Subject::Hardware, "gpu"),
    (SetupItem::GpuCount, Subject::Hardware, "count"),
    (SetupItem::GpuMemory, Subject::Hardware, "memory"),
    (SetupItem::Interconnect, Subject::Hardware, "interconnect"),
    (SetupItem::Network, Subject::Hardware, "network"),
    (SetupItem::Storage, Subject::Hardware, "storage"),
    (SetupItem::ClientPlacement, Subject::Hardware, "placement"),
    (SetupItem::ModelVersion, Subject::Model, "version"),
    (SetupItem::ModelSize, Subject::Model, "size"),
    (SetupItem::Precision, Subject::Model, "quantisation"),
    (SetupItem::Engine, Subject::Engine, "engine"),
    (SetupItem::EngineVersion, Subject::Engine, "version"),
    (SetupItem::EngineFlags, Subject::Engine, "flags"),
    (SetupItem::TensorParallel, Subject::Engine, "tp"),
    (SetupItem::PipelineParallel, Subject::Engine, "pp"),
    (SetupItem::DataParallel, Subject::Engine, "dp"),
    (SetupItem::AttentionBackend, Subject::Engine, "attention"),
    (SetupItem::Scheduling, Subject::Engine, "scheduling"),
    (SetupItem::PrefixCache, Subject::Engine, "prefix-cache"),
    (
        SetupItem::ChunkedPrefill,
        Subject::Engine,
        "chunked-prefill",
    ),
    (SetupItem::Speculation, Subject::Engine, "speculation"),
    (SetupItem::BatchLimits, Subject::Engine, "batch-limits"),
    (SetupItem::CacheHitRate, Subject::Engine, "hit-rate"),
    (SetupItem::Tuning, Subject::Engine, "tuning"),
    (SetupItem::ServerLogging, Subject::Engine, "logging"),
];

/// Owners in a list of models that name the engine behind it.
const ENGINES: [&str; 3] = ["vllm", "sglang", "infermeter-mock"];

/// The facts of a run, from its manifest and the facts of its requests. What judging it gave comes
/// with [`add_judgement`].
pub fn of_run(manifest: &RunManifest, requests: &[RequestFacts]) -> Facts {
    let mut facts = Facts::of(Format::Infermeter);
    facts.tool_version = Some(manifest.infermeter_version.clone());
    facts.date = manifest.begun_ns().map(|ns| format!("{ns:020}"));
    facts.percentile_rule = Some(PercentileRule::Exact);
    facts.seed = Some(manifest.seeds.workload.to_string());
    facts.streaming = Some(manifest.plan.streams());
    facts.cut_short = Some(manifest.state == RunState::Interrupted);
    let measured: Vec<&RequestFacts> = requests
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    load(&mut facts, manifest, requests);
    counts(&mut facts, &measured, has_own_salts(manifest));
    latencies(&mut facts, manifest, &measured);
    facts.client_cores = manifest.client_health.as_ref().map(|h| f64::from(h.cores));
    set_up(&mut facts, manifest);
    facts
}

/// Adds the findings and the figures of the summary, once the run has been judged.
pub fn add_judgement(facts: &mut Facts, findings: &[Finding], summary: &Summary) {
    facts.findings = Some(findings.to_vec());
    facts.undecided = undecided(facts, summary);
    context(facts, &summary.context);
    let finite = |value: &f64| value.is_finite();
    facts.load.warmup_s = summary.warmup.seconds;
    if let Some(of) = &summary.throughput {
        let per_s = |rate: Option<&Rate>| rate.map(|rate| rate.per_s).filter(finite);
        facts.rates.requests = per_s(Some(&of.requests));
        facts.rates.output = per_s(of.output_tokens.as_ref());
        facts.rates.input = per_s(of.input_tokens.as_ref());
        facts.rates.total = per_s(of.total_tokens.as_ref());
        facts.rates.per_gpu = per_s(of.output_tokens_per_gpu.as_ref());
    }
    let goodput = summary.goodput.as_ref();
    facts.rates.attainment = goodput.map(|g| g.attainment.value).filter(finite);
    // The server's counters, where its answers do not say.
    let realised = summary
        .prefix_cache
        .as_ref()
        .and_then(|c| c.realised.as_ref());
    let counted = realised
        .map(|realised| realised.share)
        .zip(facts.tokens.input);
    let counted = counted.map(|(share, n)| share * n);
    facts.tokens.cached = facts.tokens.cached.or(counted);
    if let Some(gap) = &summary.latency.chunk_gap {
        facts.state(Metric::ChunkGap, distribution(gap));
    }
}

/// Takes what the run found out of its context, and what it calls unknown: in its record nobody states
/// that. Of the simulator nobody can.
fn context(facts: &mut Facts, context: &Context) {
    for (item, subject, name) in CONTEXT {
        let known = match subject {
            Subject::Hardware => &context.hardware,
            Subject::Model => &context.model,
            Subject::Engine => &context.engine,
        };
        let said = known.get(name).filter(|text| !is_not_finite(text));
        let said = said.filter(|text| !(facts.simulated && is_unknown(text)));
        if let (Some(said), false) = (said, facts.setup.contains_key(&item)) {
            facts.setup.insert(item, said.clone());
        }
    }
}

/// Adds what tells the answers apart: a key by request, where the record keeps the texts.
pub fn add_answers(facts: &mut Facts, requests: &[RequestFacts], answers: &BTreeMap<u64, u64>) {
    let measured = requests.iter().filter(|r| r.phase == Phase::Measure);
    for (request, record) in facts.requests.iter_mut().zip(measured) {
        request.answer_key = answers.get(&record.id).copied();
    }
}

/// What the run could not decide: no finding says so, and none that it passed.
fn undecided(facts: &Facts, summary: &Summary) -> Vec<Undecided> {
    let stability = summary.load.as_ref().and_then(|l| l.stability.as_ref());
    let steady = summary.steady.as_ref();
    let is_open = |answer: Option<Steadiness>| answer.is_none_or(|a| a == Steadiness::Undecided);
    let is_open_loop = facts.load.model == Some(LoadModel::Open);
    let latency = &summary.latency;
    let series = [
        &latency.ttft.intended,
        &latency.ttft.send,
        &latency.tpot,
        &latency.e2e.intended,
        &latency.e2e.send,
    ];
    let dependence = series.into_iter().flatten().any(|d| d.correlated.is_some());
    let answers = [
        (
            checks::UNSTABLE_LOAD.code,
            is_open_loop && stability.is_none_or(|s| s.answer == KeepsUp::Undecided),
            "a longer run to tell a growing queue from chance",
        ),
        (
            checks::WARMUP_TOO_SHORT.code,
            is_open(steady.map(|s| s.start_up.answer)),
            "a run long enough to tell a start-up",
        ),
        (
            checks::DRIFT.code,
            is_open(steady.map(|s| s.answer)),
            "a window long enough to tell whether it was steady",
        ),
        (
            checks::CORRELATED_SAMPLES.code,
            !dependence,
            "enough requests to tell dependence",
        ),
    ];
    let open = answers.into_iter().filter(|(_, open, _)| *open);
    open.map(|(code, _, lacking)| Undecided { code, lacking })
        .collect()
}

/// A distribution of the summary; percentiles that it does not print stay absent.
fn distribution(of: &Distribution) -> Statistics {
    let mut out = Statistics {
        n: Some(of.n as f64),
        mean: of.mean.map(|mean| mean.value),
        min: Some(of.min),
        max: Some(of.max),
        ..Statistics::default()
    };
    for (percentile, cell) in &of.percentiles {
        let name = percentile.to_string();
        let p = name.strip_prefix('p').and_then(percent);
        if let Some((p, value)) = p.zip(cell.value) {
            out.insert(p, value);
        }
    }
    out
}

/// Every prompt begins with a salt of its own, unless the file or trace says what it holds.
fn has_own_salts(manifest: &RunManifest) -> bool {
    manifest.plan.trace.is_none() && manifest.plan.workload_file.is_none()
}

fn load(facts: &mut Facts, manifest: &RunManifest, requests: &[RequestFacts]) {
    facts.load.rate = manifest.rate_asked;
    facts.load.model = match manifest.load_model {
        RunLoad::OpenLoop => Some(LoadModel::Open),
        RunLoad::ClosedLoop => Some(LoadModel::Closed),
        // Its plan says what the other tool asked for.
        RunLoad::Imported => match (manifest.plan.rate, manifest.plan.concurrency) {
            (Some(_), _) => Some(LoadModel::Open),
            (None, Some(_)) => Some(LoadModel::Closed),
            (None, None) => None,
        },
        // Users decide, each for themselves.
        RunLoad::Observed => Some(LoadModel::Open),
    };
    facts.load.arrivals =
        (manifest.load_model == RunLoad::OpenLoop).then(|| match manifest.plan.arrival {
            _ if manifest.plan.trace.is_some() => Arrivals::Other,
            ArrivalKind::Poisson => Arrivals::Poisson,
            ArrivalKind::Constant => Arrivals::Constant,
            ArrivalKind::Gamma | ArrivalKind::Weibull => Arrivals::Other,
        });
    facts.load.concurrency = manifest.plan.concurrency.map(f64::from);
    facts.load.duration_s = manifest.window.map(|w| w.seconds());
    let warmup = requests.iter().filter(|r| r.phase == Phase::Warmup);
    facts.load.warmup_requests = Some(warmup.count() as f64);
}

fn counts(facts: &mut Facts, measured: &[&RequestFacts], own_salts: bool) {
    let is_completed = |r: &&&RequestFacts| r.outcome == Outcome::Completed;
    let completed: Vec<&RequestFacts> = measured.iter().filter(is_completed).copied().collect();
    let n = completed.len() as f64;
    facts.counts.completed = Some(n);
    facts.counts.failed = Some((measured.len() - completed.len()) as f64);
    let again = measured.iter().filter(|r| r.attempts > 1).count();
    facts.counts.retries = Some(again as f64);
    for finish in completed.iter().filter_map(|r| r.finish) {
        let reasons = &mut facts.counts.finish_reasons;
        *reasons.entry(finish.as_str().to_owned()).or_default() += 1;
    }
    facts.load.asked_requests = Some(measured.len() as f64);
    facts.tokens.source = token_source(&completed);
    let sum = |of: fn(&RequestFacts) -> Option<u64>| -> Option<f64> {
        completed.iter().map(|r| of(r).map(|n| n as f64)).sum()
    };
    facts.tokens.output = sum(RequestFacts::output_token_count);
    facts.tokens.cached = sum(|r| r.cached_tokens.map(u64::from));
    facts.requests = measured.iter().map(|r| request(r, own_salts)).collect();
    let lengths = |of: fn(&Request) -> Option<f64>| {
        let values: Vec<f64> = facts.completed().filter_map(of).collect();
        Some(Statistics::of_values(&values)).filter(|s| !s.is_empty())
    };
    let (input, output) = (lengths(|r| r.input_tokens), lengths(|r| r.output_tokens));
    facts.tokens.input = input.as_ref().and_then(|s| Some(s.mean? * s.n?));
    facts.tokens.input_lengths = input;
    facts.tokens.output_lengths = output;
    let chunks: usize = completed.iter().map(|r| r.chunks.count).sum();
    facts.tokens.chunks = (chunks > 0).then(|| chunks as f64 / n);
    let counted = facts.tokens.output.filter(|_| chunks > 0);
    facts.tokens.per_chunk = counted.map(|tokens| tokens / chunks as f64);
}

/// Who counted; `None` where some answer's tokens are unknown.
fn token_source(completed: &[&RequestFacts]) -> Option<TokenSource> {
    let known = |r: &&RequestFacts| r.output_token_count().is_some();
    let is_estimated = |r: &&&RequestFacts| r.token_source == Some(RecordSource::Estimated);
    let estimated = completed.iter().filter(is_estimated).count();
    let all = !completed.is_empty() && completed.iter().all(known);
    all.then_some(match estimated {
        0 => TokenSource::Usage,
        n if n == completed.len() => TokenSource::Tokenizer,
        _ => TokenSource::UsageOrTokenizer,
    })
}

fn request(record: &RequestFacts, own_salts: bool) -> Request {
    let value = |metric: RequestMetric| metric.value_ms(record, Origin::Send);
    Request {
        start_s: record.send_start.map(|at| at.0 as f64 / 1e9),
        ttft_ms: value(RequestMetric::Ttft),
        tpot_ms: value(RequestMetric::Tpot),
        e2e_ms: value(RequestMetric::E2e),
        gaps_ms: None,
        input_tokens: record.prompt_tokens.map(f64::from),
        output_tokens: record.output_token_count().map(|n| n as f64),
        failed: record.outcome != Outcome::Completed,
        prompt_key: own_salts.then_some(record.id),
        answer_key: None,
    }
}

fn latencies(facts: &mut Facts, manifest: &RunManifest, measured: &[&RequestFacts]) {
    let origin = Origin::headline(manifest.load_model);
    let completed = || measured.iter().filter(|r| r.outcome == Outcome::Completed);
    for (metric, of) in [
        (Metric::Ttft, RequestMetric::Ttft),
        (Metric::Tpot, RequestMetric::Tpot),
        (Metric::Ntpot, RequestMetric::Ntpot),
        (Metric::E2e, RequestMetric::E2e),
    ] {
        let values: Vec<f64> = completed().filter_map(|r| of.value_ms(r, origin)).collect();
        facts.state(metric, Statistics::computed(&values));
    }
}

/// What was said of the server: by name, else as text.
fn declared(facts: &mut Facts, plan: &Plan) {
    let declared = Declared::of_plan(plan);
    let hardware = declared.hardware.as_ref();
    let (model, engine) = (declared.model_info.as_ref(), declared.engine_info.as_ref());
    let text = hardware.and_then(|said| match said {
        Statement::Text(text) => Some(text.clone()),
        Statement::Named(_) => None,
    });
    facts.declare(SetupItem::GpuModel, text);
    facts.declare(SetupItem::GpuCount, plan.gpus.map(|n| n.to_string()));
    facts.declare(SetupItem::Precision, plan.quantization.clone());
    facts.declare(SetupItem::Engine, plan.engine.clone());
    for (item, subject, name) in CONTEXT {
        let statement = match subject {
            Subject::Hardware => hardware,
            Subject::Model => model,
            Subject::Engine => engine,
        };
        let said = statement.and_then(|s| s.value(name));
        facts.declare(item, said.map(str::to_owned));
    }
}

/// What the server said of itself before the run: its engine where the list of models names one, and
/// the version that goes with it. The simulator's preset is its configuration.
fn observed(facts: &mut Facts, target: &TargetSide) {
    let owner = target.models.first().and_then(|m| m.owned_by.as_deref());
    if let Some(engine) = owner.filter(|owner| ENGINES.contains(owner)) {
        facts.declare(SetupItem::Engine, Some(engine.to_owned()));
        facts.declare(SetupItem::EngineVersion, target.version.clone());
    }
    facts.simulated = target.mock.is_some();
    facts.declare(SetupItem::EngineFlags, target.mock.clone());
}

fn set_up(facts: &mut Facts, manifest: &RunManifest) {
    let plan = &manifest.plan;
    facts.declare(SetupItem::Model, Some(manifest.model.clone()));
    observed(facts, &manifest.environment.target);
    declared(facts, plan);
    let template = match &plan.chat_template {
        Some(file) => file.display().to_string(),
        None if plan.endpoint.has_messages() => "the server's own".to_owned(),
        None => "none".to_owned(),
    };
    facts.declare(SetupItem::ChatTemplate, Some(template));
    facts.declare(SetupItem::Tokenizer, Some(plan.tokenizer.to_string()));
    let file = plan.trace.as_ref().or(plan.workload_file.as_ref());
    let dataset = file.map_or_else(|| plan.workload.to_string(), |f| f.display().to_string());
    facts.declare(SetupItem::Dataset, Some(dataset));
    let target = super::placement(&plan.target);
    facts.declare(SetupItem::ClientPlacement, target);
}

#[cfg(test)]
mod tests {
    use super::{add_judgement, of_run};
    use crate::facts::SetupItem;
    use infermeter_analysis::{KeepsUp, Steadiness, judge, summarize_log};
    use infermeter_metrics::fixture::Run;

    #[test]
    fn a_record_knows_what_nobody_declared() {
        let judged = |mock: Option<&str>| {
            let mut run = Run::steady(1_300, 20.0, 12);
            let manifest = run.manifest();
            manifest.environment.target.mock = mock.map(str::to_owned);
            manifest.plan.hardware = Some("network=10GbE".to_owned());
            let built = run.build();
            let (run, mut summary) = summarize_log(&built);
            let steady = summary.steady.as_mut().expect("a steady load");
            steady.answer = Steadiness::Undecided;
            steady.start_up.answer = Steadiness::Steady;
            let load = summary.load.as_mut().expect("a window");
            load.stability.as_mut().expect("an open loop").answer = KeepsUp::Stable;
            summary.latency = Default::default();
            let mut facts = of_run(&built.manifest, &[]);
            add_judgement(&mut facts, &judge(&run, &summary), &summary);
            facts
        };
        let facts = judged(None);
        assert_eq!(facts.setup[&SetupItem::GpuModel], "unknown");
        assert_eq!(facts.stated(SetupItem::GpuModel), None);
        assert_eq!(facts.setup[&SetupItem::Network], "10GbE");
        let open: Vec<&str> = facts.undecided.iter().map(|open| open.code).collect();
        assert_eq!(open, ["drift", "correlated-samples"]);
        let facts = judged(Some("llama-8b-h100"));
        assert!(facts.simulated && !facts.setup.contains_key(&SetupItem::GpuModel));
        assert_eq!(facts.setup[&SetupItem::EngineFlags], "llama-8b-h100");
    }

    #[test]
    fn what_was_declared_by_name_and_as_text() {
        let setup = |hardware: &str, engine_info: Option<&str>| {
            let mut run = Run::open(1.0, 10);
            let plan = &mut run.manifest().plan;
            plan.hardware = Some(hardware.to_owned());
            plan.gpus = Some(4);
            plan.engine = Some("vllm 0.9".to_owned());
            plan.engine_info = engine_info.map(str::to_owned);
            of_run(&run.build().manifest, &[]).setup
        };
        let text = setup("4xH100", None);
        assert_eq!(text[&SetupItem::GpuModel], "4xH100");
        assert_eq!(text[&SetupItem::GpuCount], "4");
        assert_eq!(text[&SetupItem::Engine], "vllm 0.9");
        let named = setup(
            "gpu=H200, count=8",
            Some("engine=vllm, version=0.11.0, tp=8"),
        );
        assert_eq!(named[&SetupItem::GpuModel], "H200");
        assert_eq!(named[&SetupItem::GpuCount], "8");
        assert_eq!(named[&SetupItem::Engine], "vllm");
        assert_eq!(named[&SetupItem::EngineVersion], "0.11.0");
        assert_eq!(named[&SetupItem::TensorParallel], "8");
        assert!(!named.contains_key(&SetupItem::GpuMemory));
    }
}
