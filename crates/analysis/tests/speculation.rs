//! The case study of the book (docs/src/case-study-speculation.md): two simulated servers of equal
//! mean TPOT, one with speculative decoding, which chunk gaps, stalls and fluidity tell apart.
//!
//! In virtual time: deterministic, and no client in between. The numbers of the book are these.

use infermeter_analysis::{
    Distribution, FluiditySummary, LatencySummary, Mean, Percentile, summarize_log,
};
use infermeter_core::clock::Offset;
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::Run;
use infermeter_mock::engine::Fleet;
use infermeter_mock::settings::Settings;
use infermeter_mock::virtual_time::{Lognormal, OpenLoop, Sorted, run_to_records};
use infermeter_mock::{Config, Preset};

/// Requests per second.
const RATE: f64 = 10.0;
/// The measured window, seconds; the fixture's window begins at 30 s.
const WINDOW_S: i64 = 300;

/// The settings of both servers, and those of the one that speculates: a draft model takes time in
/// each step and memory from the cache.
const BOTH: [&str; 1] = ["max-model-len=4096"];
const DRAFTS: [&str; 3] = [
    "speculative-acceptance=0.8,0.7,0.6",
    "step-base=18.8ms",
    "kv-blocks=820",
];

fn measure(settings: &[&str]) -> LatencySummary {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    let settings = BOTH.iter().chain(settings).copied();
    let settings = Settings::from_texts(settings).expect("settings");
    settings.apply(&mut config).expect("settings fit");
    let engine = config.engine_params().expect("an engine");
    // The lengths of lognormal:220/0.8,160/0.8, whose first figures are medians.
    let length = |median: f64| Lognormal {
        mean: median * 0.32_f64.exp(),
        sigma: 0.8,
    };
    let mut run = Run::open(RATE, WINDOW_S);
    let window = run.manifest().window.expect("a window");
    let phase = |at_ns: i64| match Offset(at_ns) {
        at if at < window.start => Phase::Warmup,
        at if at < window.end => Phase::Measure,
        _ => Phase::Drain,
    };
    let last = window.end.plus(10_000_000_000);
    let mut arrivals = OpenLoop::new(RATE, length(220.0), length(160.0), 7);
    arrivals.most = 1_900;
    let arrivals = arrivals.take_while(|(at, _)| *at < last.0);
    *run.records() = run_to_records(
        &mut Fleet::new(engine, 1),
        &mut Sorted::new(arrivals),
        |answered| phase(answered.arrived_ns),
    );
    run.manifest().plan.fluidity = "500ms/15ms".parse().ok();
    summarize_log(&run.build()).1.latency
}

/// Within half a unit of the last digit that the book prints.
fn check(name: &str, value: f64, printed: f64, unit: f64) {
    assert!((value - printed).abs() <= unit / 2.0, "{name}: {value}");
}

fn p99(distribution: Option<&Distribution>) -> f64 {
    let p99 = Percentile::new(99.0).expect("a percentile");
    let cell = distribution.and_then(|d| d.cell(p99)?.value);
    cell.expect("a p99")
}

fn mean_of(mean: Option<Mean>) -> f64 {
    mean.expect("a mean").value
}

#[test]
fn equal_means_of_tpot_are_told_apart() {
    let (off, on) = (measure(&[]), measure(&DRAFTS));
    let tpot = [&off, &on].map(|l| mean_of(l.tpot.as_ref().and_then(|d| d.mean)));
    check("TPOT without drafts", tpot[0], 7.90, 0.01);
    check("TPOT with drafts", tpot[1], 7.92, 0.01);
    assert!((tpot[1] / tpot[0] - 1.0).abs() < 0.02);

    let tokens = on.tokens_per_chunk.as_ref().and_then(|d| d.mean);
    check("tokens per chunk", mean_of(tokens), 2.66, 0.01);
    check("gap without drafts", p99(off.chunk_gap.as_ref()), 21.6, 0.1);
    check("gap with drafts", p99(on.chunk_gap.as_ref()), 46.8, 0.1);

    assert_eq!((off.stalls.count, off.stalls.requests_examined), (0, 2_988));
    assert_eq!((on.stalls.count, on.stalls.requests_stalled), (103, 86));

    let [off, on] = [off, on].map(|l| l.fluidity.expect("deadlines"));
    let on_time = |f: &FluiditySummary| f.all_on_time.map(|share| (share.count, share.n));
    assert_eq!(on_time(&off), Some((2_988, 2_988)));
    assert_eq!(on_time(&on), Some((2_769, 2_988)));
    let forms = |f: &FluiditySummary| [&f.written, &f.coded, &f.absolute].map(|f| mean_of(f.mean));
    assert_eq!(forms(&off), [1.0; 3]);
    let printed = [("written", 0.998), ("coded", 0.984), ("absolute", 0.960)];
    for (value, (name, printed)) in forms(&on).into_iter().zip(printed) {
        check(name, value, printed, 0.001);
    }
}
