//! A body of evidence that passes every check, and for each check one change that fails it alone.

mod changes;

use crate::audit::{Kind, Side, audit};
use crate::check::{Answer, OwnRun, Test};
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics,
    TokenSource, Undecided,
};
use crate::format::Format;
use changes::{ONE, PAIR, SIDE};
use infermeter_core::finding::Severity;
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

/// One result without a flaw, at 5 or 9 requests per second.
fn result(rate: f64, round: u64) -> Facts {
    let mut f = Facts::of(Format::Vllm);
    f.source = format!("{rate}-{round}");
    f.tool_version = Some("0.32".to_owned());
    f.date = Some(format!("2026-11-20T{round:02}"));
    let duration = if rate < 7.0 { 201.0 } else { 118.0 };
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
    f.setup.insert(SetupItem::Client, "vllm".to_owned());
    f.setup.insert(SetupItem::ClientCores, "1".to_owned());
    f.setup.insert(SetupItem::PrefixCache, "off".to_owned());
    f.setup
        .insert(SetupItem::ServerLogging, "warning".to_owned());
    f.setup.remove(&SetupItem::CacheHitRate);
    f
}

/// Two loads, two runs each, two workloads and configurations.
fn one_side() -> Vec<Side> {
    let mut results: Vec<Facts> = [(5.0, 1), (9.0, 2), (5.0, 3), (9.0, 4)]
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
    let mut loads = [result(5.0, 1), result(9.0, 2)];
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

/// The first result fails `code` alone; the others are those that passed.
#[track_caller]
fn fails_first(code: &str, side: &[Facts]) {
    let answers = super::all().map(|check| match check.test.test {
        Test::Side(_) => (check.code, super::on_side(check, side)),
        Test::One(_) | Test::Pair(_) => (check.code, super::on_one(check, &side[0]).0),
    });
    let failed: Vec<(&str, Answer)> = answers
        .filter(|(_, answer)| matches!(answer, Answer::Fail(_)))
        .collect();
    let alone = matches!(&failed[..], [(only, _)] if *only == code);
    assert!(alone, "{code} alone should fail: {failed:#?}");
}

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

#[test]
fn each_change_of_a_side_fails_one_check() {
    for (code, change) in SIDE {
        let mut sides = one_side();
        change(&mut sides[0].results);
        fails_alone(code, &sides);
    }
}

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

/// The checks that a run of infermeter judges itself.
fn judged() -> impl Iterator<Item = &'static crate::check::Check> {
    super::all().filter(|check| check.test.run != OwnRun::Silent)
}

#[test]
fn findings_of_a_run_answer_for_it() {
    let caching = super::all().filter(|check| check.code == "response-caching");
    for check in judged().chain(caching) {
        let mut sides = own();
        let finding = check.weighing(Severity::Note, "", "seen by the run", "");
        sides[0].results[0].findings = Some(vec![finding]);
        fails_first(check.code, &sides[0].results);
    }
}

#[test]
fn what_a_run_left_open_cannot_be_told() {
    let mut sides = own();
    sides[0].results[0].undecided = vec![Undecided {
        code: "drift",
        lacking: "a longer window",
    }];
    // So few that there is no p99.
    let latency = &mut sides[0].results[0].latency;
    latency.values_mut().for_each(|s| s.percentiles.truncate(1));
    let audited = audit(&sides);
    let of = |code: &str| audited.checks.iter().find(|c| c.code == code);
    for (code, missing) in [("drift", "a longer window"), ("tail-ratio", "p50 and p99")] {
        let outcome = of(code).expect("a check");
        assert_eq!(outcome.answer, Kind::CannotTell, "{code}");
        assert_eq!(outcome.missing.as_deref(), Some(missing));
    }
}

#[test]
fn every_check_has_its_fixture() {
    let tested: BTreeSet<&str> = ONE
        .iter()
        .map(|(code, _)| *code)
        .chain(SIDE.iter().map(|(code, _)| *code))
        .chain(PAIR.iter().map(|(code, _)| *code))
        .chain(judged().map(|check| check.code))
        .chain(["too-few-rounds"])
        .collect();
    let all: BTreeSet<&str> = super::all().map(|c| c.code).collect();
    assert_eq!(tested, all);
    assert_eq!(super::all().count(), all.len(), "a code names one check");
}
