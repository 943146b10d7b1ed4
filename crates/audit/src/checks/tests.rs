//! A body of evidence that passes every check, and for each check one change that fails it alone.

use crate::audit::{Kind, Side, audit};
use crate::check::{Answer, Test};
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Rates, Request, SetupItem, Statistics,
    TokenSource,
};
use crate::format::Format;
use infermeter_core::finding::{Finding, Severity};
use std::collections::BTreeSet;

/// Requests of each result: what a p99 needs.
const REQUESTS: usize = 1000;
/// Output tokens of each request.
const TOKENS: usize = 21;

/// Evenly scattered numbers in [0, 1): a fixed hash of the index (splitmix64).
fn noise(seed: u64, i: usize) -> f64 {
    let mut z = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn requests(rate: f64, seed: u64) -> Vec<Request> {
    let request = |i: usize| {
        let ttft = 50.0 + 20.0 * noise(seed, i);
        let gaps = vec![9.0 + 2.0 * noise(seed ^ 1, i); TOKENS - 1];
        Request {
            start_s: Some((i as f64 + noise(seed ^ 2, i)) / rate),
            ttft_ms: Some(ttft),
            tpot_ms: Some(gaps[0]),
            e2e_ms: Some(ttft + gaps.iter().sum::<f64>()),
            gaps_ms: Some(gaps),
            input_tokens: Some((100.0 + 900.0 * noise(seed ^ 3, i)).round()),
            output_tokens: Some(TOKENS as f64),
            failed: false,
            prompt_key: Some(i as u64),
            answer_key: Some(i as u64),
        }
    };
    (0..REQUESTS).map(request).collect()
}

fn with_percentiles(values: &[f64]) -> Statistics {
    let mut out = Statistics::of_values(values);
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    for p in [50.0, 90.0, 95.0, 99.0] {
        out.insert(
            p,
            sorted[(sorted.len() as f64 * p / 100.0).ceil() as usize - 1],
        );
    }
    out
}

/// One result without a flaw, at 10 or 18 requests per second.
fn result(rate: f64, round: u64) -> Facts {
    let mut f = Facts::of(Format::Vllm);
    f.source = format!("{rate}-{round}");
    f.tool_version = Some("0.32".to_owned());
    f.date = Some(format!("2026-11-20T{round:02}"));
    let duration = if rate < 15.0 { 100.5 } else { 61.0 };
    let n = REQUESTS as f64;
    f.load.model = Some(LoadModel::Open);
    f.load.arrivals = Some(Arrivals::Poisson);
    f.load.rate = Some(rate);
    f.load.asked_requests = Some(n);
    f.load.duration_s = Some(duration);
    f.load.warmup_s = Some(30.0);
    f.load.warmup_requests = Some(60.0);
    f.load.send_lag_ms = Some(0.1);
    f.counts.completed = Some(n);
    f.counts.failed = Some(0.0);
    f.counts.retries = Some(0.0);
    f.counts
        .finish_reasons
        .insert("stop".to_owned(), REQUESTS as u64);
    f.requests = requests(rate, round * 100 + rate as u64);
    let output = n * TOKENS as f64;
    let input = f
        .requests
        .iter()
        .filter_map(|r| r.input_tokens)
        .sum::<f64>();
    f.tokens.source = Some(TokenSource::Usage);
    f.tokens.asked_output = Some(TOKENS as f64);
    f.tokens.output = Some(output);
    f.tokens.output_recount = Some(output);
    f.tokens.input = Some(output * 2.0);
    f.tokens.input_recount = Some(output * 2.0);
    f.tokens.cached = Some(0.0);
    assert!(input > output * 2.0);
    f.rates.requests = Some(n / duration);
    f.rates.output = Some(output / duration);
    f.rates.total = Some(3.0 * output / duration);
    f.rates.per_gpu = Some(output / duration / 8.0);
    f.rates.attainment = Some(0.99);
    let series = |of: fn(&Request) -> Option<f64>| -> Vec<f64> {
        f.requests.iter().filter_map(of).collect()
    };
    let gaps: Vec<f64> = f
        .requests
        .iter()
        .filter_map(|r| r.gaps_ms.clone())
        .flatten()
        .collect();
    let latency = [
        (Metric::Ttft, series(|r| r.ttft_ms)),
        (Metric::Tpot, series(|r| r.tpot_ms)),
        (Metric::E2e, series(|r| r.e2e_ms)),
        (Metric::ChunkGap, gaps),
    ];
    for (metric, values) in latency {
        f.state(metric, with_percentiles(&values));
    }
    f.streaming = Some(true);
    f.seed = Some(round.to_string());
    f.percentile_rule = Some(PercentileRule::Exact);
    f.cut_short = Some(false);
    f.new_connections = Some(0.0);
    for item in SetupItem::ALL {
        f.setup.insert(*item, format!("the {}", item.label()));
    }
    f.setup.insert(SetupItem::GpuCount, "8".to_owned());
    f.setup.insert(SetupItem::PrefixCache, "off".to_owned());
    f.setup
        .insert(SetupItem::ServerLogging, "warning".to_owned());
    f.setup.remove(&SetupItem::CacheHitRate);
    f
}

/// Two loads, two runs each, two workloads and configurations.
fn one_side() -> Vec<Side> {
    let mut results: Vec<Facts> = [(10.0, 1), (18.0, 2), (10.0, 3), (18.0, 4)]
        .into_iter()
        .map(|(rate, round)| result(rate, round))
        .collect();
    for facts in &mut results[2..] {
        facts.setup.insert(SetupItem::Dataset, "another".to_owned());
        facts
            .setup
            .insert(SetupItem::BatchLimits, "others".to_owned());
    }
    vec![Side {
        name: "side".to_owned(),
        results,
    }]
}

/// Six interleaved rounds of two loads on two sides with another scheduler each.
fn two_sides() -> Vec<Side> {
    let mut loads = [result(10.0, 1), result(18.0, 2)];
    for facts in &mut loads {
        facts.requests.clear();
        facts.comparison_test = Some("wilcoxon".to_owned());
    }
    let side = |name: &str, first: usize| {
        let round = |i: usize| {
            loads.clone().map(|mut facts| {
                facts.date = Some(format!("{:02}", 2 * i + first));
                facts.setup.insert(SetupItem::Scheduling, name.to_owned());
                facts
                    .setup
                    .insert(SetupItem::Dataset, format!("set {}", i % 2));
                facts
                    .setup
                    .insert(SetupItem::BatchLimits, format!("{}", i % 2));
                facts
            })
        };
        Side {
            name: name.to_owned(),
            results: (0..6).flat_map(round).collect(),
        }
    };
    vec![side("a", 0), side("b", 1)]
}

/// A run of infermeter: its findings answer.
fn own() -> Vec<Side> {
    let mut sides = one_side();
    for facts in &mut sides[0].results {
        facts.format = Format::Infermeter;
        facts.findings = Some(Vec::new());
    }
    sides
}

fn codes(sides: &[Side], kind: Kind) -> BTreeSet<&'static str> {
    let audited = audit(sides);
    audited
        .checks
        .iter()
        .filter(|c| c.answer == kind)
        .map(|c| c.code)
        .collect()
}

#[track_caller]
fn fails_alone(code: &str, sides: &[Side]) {
    let audited = audit(sides);
    let failed = audited.checks.iter().filter(|c| c.answer == Kind::Fail);
    let failed: Vec<(&str, &str)> = failed
        .map(|c| (c.code, c.evidence.as_deref().unwrap_or("")))
        .collect();
    let alone = matches!(failed[..], [(only, _)] if only == code);
    assert!(alone, "{code} alone should fail: {failed:#?}");
}

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

/// The first result fails `code` alone; the others are those that passed.
#[track_caller]
fn fails_first(code: &str, side: &[Facts]) {
    let answers = super::all().map(|check| match check.test {
        Test::Side(_) => (check.code, super::on_side(check, side)),
        Test::One(_) | Test::Pair(_) => (check.code, super::on_one(check, &side[0]).0),
    });
    let failed: Vec<(&str, Answer)> = answers
        .filter(|(_, answer)| matches!(answer, Answer::Fail(_)))
        .collect();
    let alone = matches!(&failed[..], [(only, _)] if *only == code);
    assert!(alone, "{code} alone should fail: {failed:#?}");
}

type Change = (&'static str, fn(&mut Facts));

/// One change of one result for each check of results.
const ONE: &[Change] = &[
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
            r.e2e_ms = r.e2e_ms.map(|e| e + 20.0);
        }
    }),
    ("throughput-disagrees", |f| f.rates.output = Some(250.0)),
    ("impossible-values", |f| f.not_finite = 1),
    ("no-warmup", |f| {
        (f.load.warmup_s, f.load.warmup_requests) = (Some(0.0), Some(0.0))
    }),
    ("short-warmup", |f| f.load.warmup_s = Some(10.0)),
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
    ("send-lag", |f| f.load.send_lag_ms = Some(18.0)),
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
    ("concurrency-disagrees", |f| f.load.concurrency = Some(2.0)),
    ("percentile-unsupported", |f| {
        f.latency
            .entry(Metric::Ttft)
            .or_default()
            .insert(99.9, 69.999);
    }),
    ("averages-alone", |f| {
        f.requests.clear();
        for s in f.latency.values_mut() {
            s.percentiles.truncate(1);
            s.percentiles.insert(0, (25.0, 0.0));
            s.percentiles.insert(0, (10.0, 0.0));
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
        ttft.max = Some(950.0);
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

#[test]
fn a_sound_body_of_evidence_passes_everything() {
    for sides in [one_side(), two_sides(), own()] {
        assert_eq!(codes(&sides, Kind::Fail), BTreeSet::new());
    }
    assert_eq!(codes(&one_side(), Kind::CannotTell), BTreeSet::new());
    assert_eq!(codes(&own(), Kind::CannotTell), BTreeSet::new());
}

#[test]
fn each_change_of_a_result_fails_one_check() {
    for (code, change) in ONE {
        let mut sides = one_side();
        change(&mut sides[0].results[0]);
        fails_first(code, &sides[0].results);
    }
}

type SideChange = (&'static str, fn(&mut Vec<Facts>));

/// Checks of all results of a side.
const SIDE: &[SideChange] = &[
    ("single-load-level", |all| {
        all.retain(|f| f.load.rate == Some(10.0))
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
        for f in all.iter_mut().filter(|f| f.load.rate == Some(18.0)) {
            f.load.duration_s = None;
            f.rates.output = Some(500.0);
            f.rates.requests = Some(22.0);
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

#[test]
fn each_change_of_a_side_fails_one_check() {
    for (code, change) in SIDE {
        let mut sides = one_side();
        change(&mut sides[0].results);
        fails_alone(code, &sides);
    }
}

/// Changes of every result of the second side.
const PAIR: &[Change] = &[
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

#[test]
fn each_change_of_one_of_two_sides_fails_one_check() {
    for (code, change) in PAIR {
        let mut sides = two_sides();
        let [first, second] = &mut sides[..] else {
            unreachable!("two sides");
        };
        second.results.iter_mut().for_each(change);
        if *code == "no-test" {
            first.results.iter_mut().for_each(change);
        }
        fails_alone(code, &sides);
    }
    let mut sides = two_sides();
    sides[0].results.truncate(10);
    fails_alone("too-few-rounds", &sides);
}

#[test]
fn findings_of_a_run_answer_for_it() {
    for code in super::JUDGED_BY_RUN {
        let mut sides = own();
        let finding = Finding::new(Severity::Warning, code, "", "seen by the run", "");
        sides[0].results[0].findings = Some(vec![finding]);
        fails_first(code, &sides[0].results);
    }
}

#[test]
fn every_check_has_its_fixture() {
    let tested: BTreeSet<&str> = ONE
        .iter()
        .map(|(code, _)| *code)
        .chain(SIDE.iter().map(|(code, _)| *code))
        .chain(PAIR.iter().map(|(code, _)| *code))
        .chain(super::JUDGED_BY_RUN)
        .chain(["too-few-rounds"])
        .collect();
    let all: BTreeSet<&str> = super::all().map(|c| c.code).collect();
    assert_eq!(tested, all);
    assert_eq!(super::all().count(), all.len(), "a code names one check");
}
