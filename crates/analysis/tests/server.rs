//! The server's gauges and counters against the client's records, with the simulator's engine in
//! virtual time: what the engine itself says is the truth, and nothing is late.

use infermeter_analysis::{
    Agreement, KeepsUp, QueueSign, Run, SpeculationSource, Summary, judge, summarize,
};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{RunLog, Window};
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    PageDetail, Quantity, ReadingCause, SERVER_METRICS_VERSION, ServerEngine, ServerFigures,
    ServerReading, ServerReadings, ServerWatch, WatchedPage,
};
use infermeter_metrics::fixture;
use infermeter_mock::engine::{EngineCounters, Fleet};
use infermeter_mock::settings::Settings;
use infermeter_mock::virtual_time::{Lognormal, OpenLoop, Sorted, run_watched};
use infermeter_mock::{Config, Preset};

/// One second, nanoseconds.
const SECOND: i64 = 1_000_000_000;
/// The measured window, seconds; the fixture's window begins at 30 s.
const WINDOW_S: i64 = 60;

/// A run, and the engine's own counters at the window's edges.
struct Watched {
    run: Run,
    log: RunLog,
    edges: Vec<EngineCounters>,
}

/// Poisson arrivals at `rate` requests per second, of which the client keeps those that `keeps` says.
fn watched(settings: &[&str], rate: f64, seed: u64, keeps: fn(&RequestRecord) -> bool) -> Watched {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    let settings = Settings::from_texts(settings.iter().copied()).expect("settings");
    settings.apply(&mut config).expect("settings fit");
    let mut run = fixture::Run::open(rate, WINDOW_S);
    let window = run.manifest().window.expect("a window");
    let length = |mean| Lognormal { mean, sigma: 0.6 };
    let last = window.end.plus(10 * SECOND);
    let mut arrivals = OpenLoop::new(rate, length(200.0), length(100.0), seed);
    arrivals.most = 1_000;
    let arrivals = arrivals.take_while(|(at, _)| *at < last.0);
    let (mut readings, mut edges) = (Vec::new(), Vec::new());
    let look = |at: i64, fleet: &Fleet| {
        readings.push(reading(at, fleet));
        if at == window.start.0 || at == window.end.0 {
            edges.push(fleet.counters());
        }
    };
    let mut fleet = Fleet::new(config.engine_params().expect("an engine"), 1);
    run_watched(
        &mut fleet,
        &mut Sorted::new(arrivals),
        |answered| {
            let phase = phase(window, answered.arrived_ns);
            run.records().push(answered.to_record(0, phase));
        },
        SECOND,
        look,
    );
    run.records().retain(keeps);
    let log = run.build();
    let mut run = Run::of(&log);
    run.server = Some(ServerReadings {
        watch: ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![WatchedPage {
                engine: ServerEngine::Vllm,
                url: "http://server.example:8000/metrics".to_owned(),
            }],
            interval_ns: SECOND,
        },
        readings,
    });
    Watched { run, log, edges }
}

fn phase(window: Window, at: i64) -> Phase {
    match Offset(at) {
        at if at < window.start => Phase::Warmup,
        at if at < window.end => Phase::Measure,
        _ => Phase::Drain,
    }
}

fn reading(at: i64, fleet: &Fleet) -> ServerReading {
    let (gauges, counters) = (fleet.gauges(), fleet.counters());
    let drafts = (counters.drafts > 0).then_some((Quantity::Drafts, counters.drafts as f64));
    let mut figures = ServerFigures::from([
        (Quantity::Running, gauges.running.value() as f64),
        (Quantity::Waiting, gauges.waiting.value() as f64),
        (Quantity::DraftTokens, counters.draft_tokens as f64),
        (Quantity::AcceptedTokens, counters.accepted_tokens as f64),
    ]);
    figures.extend(drafts);
    ServerReading {
        asked_ns: Offset(at),
        answered_ns: Offset(at),
        phase: Phase::Measure,
        cause: ReadingCause::Interval,
        skipped: 0,
        error: None,
        page: 0,
        figures,
        detail: PageDetail::default(),
    }
}

impl Watched {
    fn summary(&self) -> Summary {
        let Ok(summary) = summarize(&self.run, &self.log);
        summary
    }

    /// Warnings and errors.
    fn doubts(&self) -> Vec<String> {
        let mut findings = judge(&self.run, &self.summary());
        findings.retain(|f| f.severity > infermeter_core::finding::Severity::Note);
        findings.into_iter().map(|f| f.code).collect()
    }
}

/// All requests are this client's.
fn all(_: &RequestRecord) -> bool {
    true
}

#[test]
fn a_server_that_this_client_alone_loads_agrees() {
    for (rate, seed) in [(5.0, 1), (10.0, 2), (20.0, 3), (20.0, 4)] {
        let watched = watched(&[], rate, seed, all);
        let server = watched.summary().server.expect("read");
        let law = server.littles_law.expect("both gauges");
        assert_eq!(law.answer, Agreement::Agrees, "{rate} {law:?}");
        assert_eq!(law.n, WINDOW_S as usize);
        // The engine has a request from its arrival to its last token: so has this client.
        assert!(law.difference.abs() < 0.2, "{rate} {law:?}");
        assert!(
            !watched
                .doubts()
                .contains(&"littles-law-disagrees".to_owned())
        );
    }
}

#[test]
fn other_load_is_found_and_nothing_else() {
    // One request in three is somebody else's.
    let watched = watched(&[], 20.0, 5, |record| record.id % 3 != 0);
    let law = watched.summary().server.and_then(|s| s.littles_law);
    let law = law.expect("both gauges");
    assert_eq!(law.answer, Agreement::Disagrees, "{law:?}");
    let share = law.difference / law.server;
    assert!((share - 1.0 / 3.0).abs() < 0.05, "{law:?}");
    assert_eq!(watched.doubts(), ["littles-law-disagrees"]);
}

#[test]
fn the_waiting_gauge_tells_an_overloaded_server() {
    let slots = ["max-num-seqs=16"];
    let stability = |rate| {
        let load = watched(&slots, rate, 6, all).summary().load;
        let found = load.and_then(|load| load.stability).expect("an open loop");
        assert_eq!(found.emptied_by, Some(QueueSign::ServerGauge));
        (found.answer, found.emptied)
    };
    assert_eq!(stability(10.0), (KeepsUp::Stable, Some(true)));
    assert_eq!(stability(60.0), (KeepsUp::Unstable, Some(false)));
}

#[test]
fn the_accepted_length_is_the_engines_own() {
    let watched = watched(&["speculative-acceptance=0.8,0.5"], 10.0, 7, all);
    let found = watched.summary().speculation.expect("counted");
    assert_eq!(found.source, Some(SpeculationSource::ServerCounters));
    let [from, to] = &watched.edges[..] else {
        panic!("two edges")
    };
    let drafts = (to.drafts - from.drafts) as f64;
    let accepted = (to.accepted_tokens - from.accepted_tokens) as f64;
    let length = found.accepted_length.expect("counted");
    assert_eq!(length, 1.0 + accepted / drafts);
    assert_eq!(found.drafts, Some(drafts));
    let tokens = (to.draft_tokens - from.draft_tokens) as f64;
    assert_eq!(found.acceptance_rate, Some(accepted / tokens));
    // 1 + 0.8 + 0.8 * 0.5. Draws depend on slot and position here: some hundred are independent.
    assert!((length - 2.2).abs() < 0.1, "{length} over {drafts} drafts");
}
