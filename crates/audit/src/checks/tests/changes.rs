//! For each check one change of a sound body of evidence, which that check alone then fails.

use super::{REQUESTS, TOKENS, noise};
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Rates, SetupItem, TokenSource,
};
use crate::format::Format;
use infermeter_analysis::raised;

pub(super) type Change = (&'static str, fn(&mut Facts));

pub(super) type SideChange = (&'static str, fn(&mut Vec<Facts>));

/// Takes a send instant away, so that nobody can tell whether neighbours are alike.
fn untimed(f: &mut Facts) {
    f.requests[REQUESTS - 1].start_s = None;
}

fn per_gpu_alone() -> Rates {
    Rates {
        per_gpu: Some(1.0),
        ..Rates::default()
    }
}

/// One change of one result for each check of results.
pub(super) const ONE: &[Change] = &[
    ("nothing-measured", |f| {
        f.counts.completed = Some(0.0);
        f.load.asked_requests = Some(0.0);
        f.requests.clear();
        f.rates = per_gpu_alone();
        f.latency.clear();
    }),
    ("failures", |f| {
        f.counts.failed = Some(50.0);
        f.load.asked_requests = Some(1050.0);
    }),
    ("conservation", |f| f.load.asked_requests = Some(1010.0)),
    ("errors-counted-as-success", |f| f.requests[5].failed = true),
    ("empty-answers", |f| {
        f.requests[5].output_tokens = Some(0.0);
        f.requests[5].tpot_ms = None;
    }),
    ("length-not-obeyed", |f| f.tokens.asked_output = Some(30.0)),
    ("resent", |f| f.counts.retries = Some(3.0)),
    ("truncated-answers", |f| {
        f.tokens.asked_output = None;
        f.counts.finish_reasons.insert("length".to_owned(), 100);
    }),
    ("throughput-without-latency", |f| {
        f.latency.clear();
        f.requests.clear();
    }),
    ("latency-without-throughput", |f| {
        f.rates = per_gpu_alone();
        f.load.duration_s = None;
        f.requests.clear();
    }),
    ("throughput-at-concurrency-one", |f| {
        f.load.model = Some(LoadModel::Closed);
        f.load.concurrency = Some(1.0);
        f.latency.clear();
    }),
    ("throughput-beyond-slo", |f| f.rates.attainment = Some(0.5)),
    ("input-dominated-throughput", |f| {
        f.tokens.input = f.tokens.output.map(|n| n * 10.0);
        f.tokens.input_recount = f.tokens.input;
    }),
    ("prefill-only", |f| {
        f.tokens.asked_output = Some(1.0);
        for r in &mut f.requests {
            r.output_tokens = Some(1.0);
            r.tpot_ms = None;
        }
        f.rates.output = None;
    }),
    ("one-phase-only", |f| {
        for r in &mut f.requests {
            (r.gaps_ms, r.tpot_ms) = (None, None);
        }
        f.latency
            .retain(|m, _| matches!(m, Metric::Ttft | Metric::E2e));
    }),
    ("per-gpu-missing", |f| f.rates.per_gpu = None),
    ("normalised-hides-stalls", |f| {
        for r in &mut f.requests {
            r.gaps_ms = None;
        }
        f.latency.remove(&Metric::ChunkGap);
    }),
    ("ttft-without-stream", |f| f.streaming = Some(false)),
    ("multi-token-chunks", |f| f.tokens.per_chunk = Some(2.0)),
    ("client-token-counts", |f| {
        f.tokens.source = Some(TokenSource::Tokenizer)
    }),
    ("token-counts-disagree", |f| {
        f.tokens.output_recount = Some(30_000.0)
    }),
    ("prompt-tokens-disagree", |f| {
        f.tokens.input_recount = Some(30_000.0)
    }),
    ("identities-broken", |f| {
        for r in &mut f.requests {
            r.e2e_ms = r.e2e_ms.map(|e| e - 20.0);
        }
    }),
    ("throughput-disagrees", |f| f.rates.output = Some(250.0)),
    ("impossible-values", |f| f.not_finite = 1),
    ("no-warmup", |f| {
        (f.load.warmup_s, f.load.warmup_requests) = (Some(0.0), Some(0.0))
    }),
    ("short-warmup", |f| f.load.warmup_s = Some(5.0)),
    ("short-level", |f| {
        f.load.duration_s = Some(30.0);
        f.rates.output = None;
        f.rates.requests = None;
    }),
    ("closed-loop", |f| {
        f.load.model = Some(LoadModel::Closed);
        f.load.concurrency = None;
    }),
    ("all-at-once", |f| f.load.model = Some(LoadModel::Burst)),
    ("constant-arrivals", |f| {
        f.load.arrivals = Some(Arrivals::Constant)
    }),
    ("load-not-delivered", |f| {
        for r in &mut f.requests {
            r.start_s = r.start_s.map(|s| s * 1.5);
        }
    }),
    ("send-lag", |f| f.load.send_lag_ms = Some(9.0)),
    ("fixed-prompt-length", |f| {
        for r in &mut f.requests {
            r.input_tokens = Some(500.0);
        }
    }),
    ("cold-start-samples", |f| {
        for r in &mut f.requests[..10] {
            r.ttft_ms = Some(1000.0);
            r.e2e_ms = r
                .gaps_ms
                .as_ref()
                .map(|gaps| 1000.0 + gaps.iter().sum::<f64>());
        }
        untimed(f);
    }),
    ("drift", |f| {
        for (i, r) in f.requests.iter_mut().enumerate() {
            let more = i as f64 * 0.02;
            r.ttft_ms = r.ttft_ms.map(|t| t + more);
            r.e2e_ms = r.e2e_ms.map(|t| t + more);
        }
        untimed(f);
    }),
    ("warmup-too-short", |f| {
        // Long answers into an empty server: its filling is among the requests.
        for r in &mut f.requests {
            r.gaps_ms = Some(vec![1000.0; TOKENS - 1]);
            r.tpot_ms = Some(1000.0);
            r.e2e_ms = r.ttft_ms.map(|t| t + 20_000.0);
        }
        f.rates.requests = None;
        f.rates.output = None;
    }),
    ("unstable-load", |f| {
        // So few completed that dependence and drift cannot be told from them.
        f.requests.truncate(120);
        for (i, r) in f.requests.iter_mut().enumerate() {
            let more = 100.0 * i as f64;
            r.ttft_ms = r.ttft_ms.map(|t| t + more);
            r.e2e_ms = r.e2e_ms.map(|t| t + more);
            (r.gaps_ms, r.tpot_ms) = (None, None);
            r.failed = i % 4 == 3;
        }
        f.counts.completed = Some(90.0);
        f.load.asked_requests = Some(90.0);
        f.rates = per_gpu_alone();
        for s in f.latency.values_mut() {
            s.percentiles.truncate(1);
        }
        f.latency.retain(|_, s| s.n.is_some());
        f.tokens.cached = None;
    }),
    ("invalid-by-its-tool", |f| {
        f.format = Format::MlperfLoadgen;
        f.tool_says_valid = Some(false);
    }),
    ("other-findings", |f| {
        // One that no check of the list has a name for.
        let finding = raised::TLS_UNVERIFIED.found("", "Nobody looked.", "");
        f.format = Format::Infermeter;
        f.findings = Some(vec![finding]);
    }),
    ("host-shared-with-server", |f| {
        f.setup
            .insert(SetupItem::ClientPlacement, "same host".to_owned());
    }),
    ("connections-opened-inside", |f| {
        f.new_connections = Some(0.2)
    }),
    ("verbose-server-logging", |f| {
        f.setup.insert(SetupItem::ServerLogging, "debug".to_owned());
    }),
    ("interrupted", |f| f.cut_short = Some(true)),
    ("prefix-cache-hit", |f| f.tokens.cached = Some(10_000.0)),
    ("cache-hits-undeclared", |f| {
        f.tokens.cached = None;
        f.setup.insert(SetupItem::PrefixCache, "on".to_owned());
    }),
    ("repeated-answers", |f| {
        for r in &mut f.requests {
            r.answer_key = Some(1);
        }
    }),
    ("repeated-prompts", |f| {
        for r in &mut f.requests {
            r.prompt_key = Some(1);
        }
    }),
    ("response-caching", |f| {
        for i in 0..20 {
            f.requests[900 + i].prompt_key = f.requests[i].prompt_key;
            f.requests[900 + i].ttft_ms = Some(1.0);
            f.requests[900 + i].tpot_ms = Some(0.5);
            f.requests[900 + i].gaps_ms = Some(vec![0.5; 20]);
            f.requests[900 + i].e2e_ms = Some(11.0);
        }
    }),
    ("client-bound-likely", |f| {
        f.rates.output = Some(20_000.0);
        f.load.duration_s = f.tokens.output.map(|n| n / 20_000.0);
        f.load.duration_s = None;
        f.rates.requests = None;
        f.requests.clear();
    }),
    ("concurrency-disagrees", |f| f.load.concurrency = Some(1.0)),
    ("percentile-unsupported", |f| {
        let ttft = f.latency.entry(Metric::Ttft).or_default();
        let most = ttft.max.unwrap_or_default();
        ttft.insert(99.9, most);
    }),
    ("averages-alone", |f| {
        f.requests.clear();
        for s in f.latency.values_mut() {
            s.percentiles.truncate(1);
            let median = s.percentile(50.0).unwrap_or_default();
            s.percentiles.insert(0, (25.0, 0.98 * median));
            s.percentiles.insert(0, (10.0, 0.97 * median));
        }
    }),
    ("no-distribution", |f| {
        f.requests.clear();
        for s in f.latency.values_mut() {
            s.percentiles.drain(..3);
        }
    }),
    ("correlated-samples", |f| {
        for (i, r) in f.requests.iter_mut().enumerate() {
            let wave = if i / 50 % 2 == 0 { 8.0 } else { 0.0 };
            r.ttft_ms = r.ttft_ms.map(|t| t + wave);
            r.e2e_ms = r.e2e_ms.map(|t| t + wave);
        }
    }),
    ("variance-unreported", |f| {
        f.requests.clear();
        for s in f.latency.values_mut() {
            s.std = None;
        }
    }),
    ("p99-is-max", |f| {
        let ttft = f.latency.entry(Metric::Ttft).or_default();
        ttft.max = ttft.percentile(99.0);
    }),
    ("tail-ratio", |f| {
        let ttft = f.latency.entry(Metric::Ttft).or_default();
        ttft.percentiles.pop();
        ttft.insert(99.0, 900.0);
        (ttft.mean, ttft.max, ttft.std) = (Some(70.0), Some(950.0), Some(100.0));
    }),
    ("mean-beyond-tail", |f| {
        let ttft = f.latency.entry(Metric::Ttft).or_default();
        (ttft.mean, ttft.max, ttft.std) = (Some(100.0), None, None);
    }),
    ("time-outside-requests", |f| {
        f.load.duration_s = Some(300.0);
        (f.rates.requests, f.rates.output) = (None, None);
    }),
    ("tokenising-inside-timing", |f| {
        f.format = Format::Llmperf;
        f.tokens.source = Some(TokenSource::UsageOrTokenizer);
    }),
    ("pooled-bimodal", |f| {
        for (i, r) in f.requests.iter_mut().enumerate() {
            let more = if noise(9, i) < 0.3 { 400.0 } else { 0.0 };
            r.ttft_ms = r.ttft_ms.map(|t| t + more);
            r.e2e_ms = r.e2e_ms.map(|t| t + more);
        }
    }),
    ("histogram-percentile", |f| {
        f.percentile_rule = Some(PercentileRule::Histogram)
    }),
    ("hardware-unstated", |f| {
        f.setup
            .insert(SetupItem::Interconnect, "unknown".to_owned());
    }),
    ("model-unstated", |f| {
        f.setup.insert(SetupItem::ModelSize, "Unknown".to_owned());
    }),
    ("engine-unstated", |f| {
        f.setup.insert(SetupItem::EngineFlags, "unknown".to_owned());
    }),
    ("parallelism-unstated", |f| {
        f.setup
            .insert(SetupItem::DataParallel, "unknown".to_owned());
    }),
    ("engine-features-unstated", |f| {
        f.setup.insert(SetupItem::Speculation, "unknown".to_owned());
    }),
    ("tuning-unstated", |f| {
        f.setup.insert(SetupItem::Tuning, "unknown".to_owned());
    }),
    ("client-placement-unstated", |f| {
        f.setup
            .insert(SetupItem::ClientPlacement, "unknown".to_owned());
    }),
    ("tokenizer-unstated", |f| {
        f.setup
            .insert(SetupItem::ChatTemplate, "unknown".to_owned());
    }),
    ("workload-unstated", |f| {
        f.setup.insert(SetupItem::Dataset, "unknown".to_owned());
    }),
];

/// Checks of all results of a side.
pub(super) const SIDE: &[SideChange] = &[
    ("single-load-level", |all| {
        all.retain(|f| f.load.rate == Some(5.0))
    }),
    ("single-run", |all| {
        all.remove(0);
        all.pop();
    }),
    ("single-configuration", |all| {
        for f in all {
            f.setup.insert(SetupItem::BatchLimits, "one".to_owned());
        }
    }),
    ("single-dataset", |all| {
        for f in all {
            f.setup.insert(SetupItem::Dataset, "one".to_owned());
        }
    }),
    ("knee-not-reached", |all| {
        for f in all.iter_mut().filter(|f| f.load.rate == Some(9.0)) {
            f.load.duration_s = None;
            f.rates.output = Some(250.0);
            f.rates.requests = Some(11.0);
        }
    }),
    ("runs-differ", |all| {
        all[0].latency.remove(&Metric::E2e);
        all[0].latency.entry(Metric::Ttft).or_default();
        for s in all[0].latency.values_mut() {
            *s = s.clone().scaled(1.3);
        }
    }),
];

/// Changes of every result of the second side.
pub(super) const PAIR: &[Change] = &[
    ("setups-differ", |f| {
        f.setup.insert(SetupItem::TensorParallel, "4".to_owned());
    }),
    ("technique-across-engines", |f| {
        f.setup.insert(SetupItem::Engine, "another".to_owned());
        f.setup.insert(SetupItem::Scheduling, "a".to_owned());
        f.setup.insert(SetupItem::Speculation, "on".to_owned());
    }),
    ("models-differ", |f| {
        f.setup.insert(SetupItem::Model, "another".to_owned());
    }),
    ("clients-differ", |f| {
        f.tool_version = Some("0.31".to_owned())
    }),
    ("tokenizers-differ", |f| {
        f.setup.insert(SetupItem::Tokenizer, "another".to_owned());
    }),
    ("tuning-unequal", |f| {
        f.setup.insert(SetupItem::Tuning, "40 trials".to_owned());
    }),
    ("workloads-differ", |f| {
        f.setup
            .entry(SetupItem::Dataset)
            .or_default()
            .push_str(", another");
    }),
    ("seeds-differ", |f| f.seed = Some("99".to_owned())),
    ("finish-reasons-differ", |f| {
        f.counts.finish_reasons.insert("tool_calls".to_owned(), 100);
    }),
    ("not-interleaved", |f| {
        f.date = f.date.take().map(|d| format!("9{d}"))
    }),
    ("no-test", |f| f.comparison_test = Some("none".to_owned())),
    ("one-axis-only", |f| {
        // Half the tokens at half the TPOT: the rate keeps to the totals.
        if let Some(s) = f.latency.get_mut(&Metric::Tpot) {
            *s = s.clone().scaled(1.5);
        }
        if let Some(s) = f.latency.get_mut(&Metric::Ttft) {
            *s = s.clone().scaled(0.5);
        }
        f.latency.remove(&Metric::E2e);
    }),
    ("more-gpus", |f| {
        f.setup.insert(SetupItem::GpuCount, "16".to_owned());
        f.rates.output = f.rates.output.map(|r| r * 1.9);
        f.rates.requests = f.rates.requests.map(|r| r * 1.9);
        f.load.duration_s = f.load.duration_s.map(|s| s / 1.6);
        f.load.duration_s = None;
    }),
];
