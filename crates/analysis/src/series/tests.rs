//! Series against values counted by hand, in parts, and over records that hold little or too much.

use super::{Picked, RunSeries, StillKind};
use crate::run::Run;
use crate::summary::summarize;
use infermeter_core::clock::Offset;
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_core::run::{RunLog, RunManifest};
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    PageDetail, Quantity, ReadingCause, SERVER_METRICS_VERSION, ServerEngine, ServerFigures,
    ServerReading, ServerReadings, ServerWatch, WatchedPage,
};
use infermeter_core::source::merged::MergedRecords;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_metrics::fixture::{self, ms};
use std::convert::Infallible;
use std::ops::ControlFlow;

fn read<S: RecordSource<Error = Infallible>>(manifest: &RunManifest, source: &S) -> RunSeries {
    let Ok(run) = Run::read(manifest.clone(), source);
    of_run(&run, source)
}

fn of_run<S: RecordSource<Error = Infallible>>(run: &Run, source: &S) -> RunSeries {
    let Ok(summary) = summarize(run, source);
    let Ok(series) = RunSeries::read(run, &summary, source);
    series
}

fn of(log: &RunLog) -> RunSeries {
    read(&log.manifest, log)
}

/// Records that come in several parts, as those of a file do.
struct Parts<'a>(Vec<&'a [RequestRecord]>);

impl RecordSource for Parts<'_> {
    type Error = Infallible;

    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        self.0
            .iter()
            .try_for_each(|part| part.in_order(fields, each))
    }

    fn scan<C: Send>(
        &self,
        fields: ChunkFields,
        start: &(dyn Fn() -> C + Sync),
        take: &(dyn Fn(&mut C, &RequestRecord) + Sync),
    ) -> Result<Vec<C>, Infallible> {
        let parts = self.0.iter().map(|part| part.scan(fields, start, take));
        Ok(parts
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

#[test]
fn a_small_run_by_hand() {
    let mut run = fixture::Run::open(1.0, 12);
    run.warmup_stream(-2_000, ms(500), ms(100), 3);
    run.stream(0, ms(20), ms(10), 3).late(ms(4));
    run.stream(500, ms(40), ms(30), 2);
    run.failed(600, Reason::HttpStatus);
    run.stream(7_000, ms(60), ms(10), 4)
        .pause_before(2, ms(900));
    let mut log = run.build();
    log.records[1].chunks[0].lower = log.records[1].chunks[0].at.plus(-ms(3));
    log.manifest.client_health.as_mut().expect("health").threads[0]
        .gaps
        .push(Gap {
            at: log.records[0].intended.plus(ms(100)),
            ns: ms(150),
            cause: GapCause::Stopped,
        });
    let series = of(&log);
    // From 2 s before the window to its end, in at most 12 parts.
    assert!(series.from_window);
    assert_eq!(
        (series.start_s, series.part_s, series.end_s),
        (-2.0, 2.0, 14.0)
    );
    let phases: Vec<_> = series
        .phases
        .iter()
        .map(|p| (p.phase, p.from_s, p.to_s))
        .collect();
    assert_eq!(
        phases,
        [(Phase::Warmup, -2.0, 0.0), (Phase::Measure, 0.0, 12.0)]
    );

    let ttft = series
        .ttft
        .iter()
        .map(|p| (p.at_s, p.n, p.failed, p.least, p.greatest));
    let ttft: Vec<_> = ttft.collect();
    let expect = [
        (-2.0, 1, 0, Some(500.0), Some(500.0)),
        (0.0, 2, 1, Some(24.0), Some(40.0)),
        (6.0, 1, 0, Some(60.0), Some(60.0)),
    ];
    assert_eq!(ttft, expect);
    assert!(
        series
            .ttft
            .iter()
            .all(|part| part.p50.is_none() && part.p99.is_none())
    );
    let each: Vec<_> = series
        .ttft_each
        .iter()
        .map(|p| (p.id, p.at_s, p.ms, p.least_ms))
        .collect();
    let expect = [
        (0, -2.0, 500.0, 500.0),
        (1, 0.0, 24.0, 21.0),
        (2, 0.5, 40.0, 40.0),
        (4, 7.0, 60.0, 60.0),
    ];
    assert_eq!(each, expect);

    assert_eq!(&*series.gap, "itl");
    let gaps: Vec<_> = series
        .gaps
        .iter()
        .map(|p| (p.at_s, p.n, p.least, p.greatest))
        .collect();
    let expect = [
        (-2.0, 2, Some(100.0), Some(100.0)),
        (0.0, 3, Some(10.0), Some(30.0)),
        (6.0, 3, Some(10.0), Some(910.0)),
    ];
    assert_eq!(gaps, expect);
    let widths: Vec<_> = series
        .client
        .stamp_width
        .iter()
        .map(|p| (p.n, p.greatest))
        .collect();
    assert_eq!(widths, [(3, Some(0.0)), (5, Some(3.0)), (4, Some(0.0))]);
    let lags: Vec<_> = series
        .client
        .send_lag
        .iter()
        .map(|p| (p.n, p.greatest))
        .collect();
    assert_eq!(lags, [(1, Some(0.0)), (3, Some(4.0)), (1, Some(0.0))]);

    let still: Vec<_> = series
        .still
        .iter()
        .map(|s| (s.kind, s.from_s, s.to_s))
        .collect();
    assert_eq!(still, [(StillKind::Client, -1.9, -1.75)]);
    let bars: Vec<_> = series
        .requests
        .bars
        .iter()
        .map(|b| (b.id, b.picked))
        .collect();
    let slowest = Picked::Slowest;
    assert_eq!(
        bars,
        [(1, slowest), (2, slowest), (3, Picked::Even), (4, slowest)]
    );
    let bar = &series.requests.bars[0];
    assert_eq!(
        (series.requests.of, bar.due_s, bar.sent_s),
        (4, 0.0, Some(0.004))
    );
    let first = bar.first.expect("a first chunk");
    assert_eq!((first.least_s, first.at_s), (0.021, 0.024));
    let failed = &series.requests.bars[2];
    assert_eq!(
        (failed.first, failed.reason),
        (None, Some(Reason::HttpStatus))
    );
}

/// Long enough for parts that carry a median.
fn steady() -> RunLog {
    fixture::Run::steady(2_000, 50.0, 20).build()
}

#[test]
fn estimates_have_intervals_that_hold_them() {
    let series = of(&steady());
    assert!(series.ttft_each.is_empty(), "too many to show each");
    let supported = series
        .ttft
        .iter()
        .filter_map(|part| Some((part, part.p50?)));
    let supported: Vec<_> = supported.collect();
    assert!(supported.len() > 15, "{} parts", supported.len());
    for (part, p50) in supported {
        assert!(part.least <= p50.low && p50.low <= Some(p50.value));
        assert!(Some(p50.value) <= p50.high && p50.high <= part.greatest);
    }
    let band = series.positions.last().expect("a band");
    assert_eq!((band.first, band.last), (17, 32));
    let p50 = band.p50.expect("supported");
    assert!(p50.low.expect("bounded") < p50.value && p50.value < p50.high.expect("bounded"));
}

#[test]
fn percentiles_by_position_are_those_of_the_summary() {
    let log = steady();
    let (_, summary) = crate::summary::summarize_log(&log);
    let series = of(&log);
    assert_eq!(series.positions.len(), summary.token_positions.len());
    for (own, exact) in series.positions.iter().zip(&summary.token_positions) {
        assert_eq!(
            (own.first, own.last, own.n),
            (exact.first, exact.last, exact.n)
        );
        assert_eq!(own.p50.map(|p| p.value), exact.p50);
    }
}

#[test]
fn the_time_average_is_the_load_of_the_window() {
    let log = steady();
    let series = of(&log);
    let window = log.manifest.window.expect("a window");
    let inside = series.in_flight.iter().filter(|part| part.at_s >= 0.0);
    let inside: Vec<_> = inside.filter(|part| part.at_s < window.seconds()).collect();
    let mean = inside.iter().map(|part| part.mean).sum::<f64>() / inside.len() as f64;
    let collected = fixture::facts(&log);
    let whole = infermeter_metrics::in_flight::in_flight(&collected.requests, window);
    assert!((mean - whole.mean).abs() < 1e-6, "{mean} {}", whole.mean);
    assert!(
        inside
            .iter()
            .all(|p| p.least as f64 <= p.mean && p.mean <= p.most as f64)
    );
}

#[test]
fn parts_of_a_record_give_what_the_whole_gives() {
    let mut log = steady();
    for (n, record) in log.records.iter_mut().enumerate() {
        record.requested_prompt_tokens = 100 + n as u32 % 700;
        record.prompt_tokens = Some(record.requested_prompt_tokens);
    }
    let whole = of(&log);
    assert!(whole.ttft_by_load.is_some());
    for cuts in [[0, 0], [1, 700], [1_000, 2_060]] {
        let (head, rest) = log.records.split_at(cuts[0]);
        let (middle, tail) = rest.split_at(cuts[1] - cuts[0]);
        assert_eq!(read(&log.manifest, &Parts(vec![head, middle, tail])), whole);
    }
    let of_client = |client: usize| {
        let records = log.records.iter().filter(|r| r.id as usize % 2 == client);
        RunLog {
            manifest: log.manifest.clone(),
            records: records.cloned().collect(),
        }
    };
    let merged = MergedRecords::of(vec![of_client(0), of_client(1)]);
    assert_eq!(read(&log.manifest, &merged), whole);
}

#[test]
fn the_load_of_a_field_is_that_at_the_send() {
    let mut run = fixture::Run::open(1.0, 100);
    for i in 0..100 {
        // Pairs, half a millisecond apart: the second finds the first in flight, and waits twice as long.
        run.stream(i * 1_000, ms(20) + i % 7 * 1_000, ms(100), 2);
        run.stream(i * 1_000 + 1, ms(40) + i % 5 * 1_000, ms(100), 2);
    }
    let map = of(&run.build()).ttft_by_load.expect("two loads");
    let loads: Vec<_> = map
        .in_flight
        .iter()
        .map(|b| (b.least, b.greatest))
        .collect();
    assert_eq!((map.prompt_tokens.len(), loads), (1, vec![(0, 0), (1, 1)]));
    let p50 = map
        .fields
        .iter()
        .map(|f| (f.load, f.n, f.p50.map(|p| p.value.round())));
    let p50: Vec<_> = p50.collect();
    assert_eq!(p50, [(0, 100, Some(20.0)), (1, 100, Some(40.0))]);
}

#[test]
fn the_server_stands_on_the_same_axis() {
    let log = steady();
    let mut run = Run::of(&log);
    let start = log.manifest.window.expect("a window").start;
    let reading = |second: i64, figures| ServerReading {
        asked_ns: start.plus(second * ms(1_000)),
        answered_ns: start.plus(second * ms(1_000) + 2_000),
        phase: Phase::Measure,
        cause: ReadingCause::Interval,
        skipped: u64::from(second == 2),
        error: (second == 3).then(|| "timed out".to_owned()),
        page: 0,
        detail: PageDetail::default(),
        figures,
    };
    let figures = |running, preemptions, queries, hits| {
        ServerFigures::from([
            (Quantity::Running, running),
            (Quantity::Preemptions, preemptions),
            (Quantity::PrefixQueries, queries),
            (Quantity::PrefixHits, hits),
        ])
    };
    run.server = Some(ServerReadings {
        watch: ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![WatchedPage {
                engine: ServerEngine::Vllm,
                url: "http://server.example:8000/metrics".to_owned(),
            }],
            interval_ns: ms(1_000),
        },
        readings: vec![
            reading(0, figures(1.0, 0.0, 100.0, 0.0)),
            reading(1, figures(5.0, 2.0, 200.0, 75.0)),
            reading(2, figures(3.0, 2.0, 200.0, 75.0)),
            reading(3, ServerFigures::default()),
            // The server was started again: its counters went back.
            reading(4, figures(9.0, 0.0, 10.0, 1.0)),
        ],
    });
    let server = of_run(&run, &log).server.expect("readings");
    assert_eq!((server.readings, server.missing), (4, 2));
    let parts = |name: &str| -> Vec<(f64, u64, f64, f64)> {
        let gauge = server.gauges.iter().find(|gauge| &*gauge.name == name);
        let parts = gauge.map_or(&[][..], |gauge| &gauge.parts).iter();
        parts.map(|p| (p.at_s, p.n, p.mean, p.greatest)).collect()
    };
    assert_eq!(parts("running").iter().map(|p| p.1).sum::<u64>(), 4);
    assert_eq!(parts("running").last(), Some(&(4.0, 1, 9.0, 9.0)));
    assert_eq!(parts("preemptions_per_s").len(), 2);
    assert_eq!(parts("prefix_hit_share"), [(0.0, 1, 0.75, 0.75)]);
    assert!(parts("waiting").is_empty());
}

#[test]
fn runs_with_little_in_them_have_series_all_the_same() {
    let nothing = of(&fixture::Run::open(1.0, 10).build());
    assert!(nothing.ttft.is_empty() && nothing.requests.bars.is_empty());
    assert!(nothing.in_flight.is_empty() && nothing.positions.is_empty());

    let mut run = fixture::Run::open(1.0, 10);
    (0..10).for_each(|i| run.failed(i * 1_000, Reason::ConnectFailed));
    let failed = of(&run.build());
    assert_eq!(failed.ttft.iter().map(|part| part.failed).sum::<u64>(), 10);
    assert!(
        failed
            .ttft
            .iter()
            .all(|part| part.n == 0 && part.least.is_none())
    );
    assert_eq!(failed.requests.bars.len(), 10);
    assert!(failed.gaps.is_empty() && failed.ttft_by_load.is_none());

    let mut run = fixture::Run::open(1.0, 10);
    (0..10).for_each(|i| run.not_sent(i * 1_000));
    run.manifest().window = None;
    let never = of(&run.build());
    assert!(!never.from_window && never.client.send_lag.is_empty());
    assert_eq!(
        never
            .requests
            .bars
            .iter()
            .filter(|b| b.sent_s.is_some())
            .count(),
        0
    );
}

#[test]
fn a_killed_run_ends_at_its_last_instant() {
    let mut log = steady();
    log.records.truncate(400);
    log.manifest.progress = None;
    let end = log
        .records
        .iter()
        .filter_map(|r| r.closed)
        .max()
        .expect("closed");
    let series = of(&log);
    let phase = series.phases.last().expect("a phase");
    let start = log.manifest.window.expect("a window").start;
    assert_eq!(phase.phase, Phase::Measure);
    assert!((phase.to_s - end.since(start) as f64 / 1e9).abs() < 1e-9);
}

#[test]
fn gaps_of_a_class_are_apart_and_together() {
    let mut log = steady();
    assert_eq!(of(&log).gaps_by_class, []);
    log.manifest.classes = vec!["chat".to_owned(), "batch".to_owned()];
    for (n, record) in log.records.iter_mut().enumerate() {
        record.class = u16::from(n % 3 == 0);
    }
    let count = |parts: &[super::TimePart]| parts.iter().map(|part| part.n).sum::<u64>();
    let series = of(&log);
    let classes: Vec<_> = series.gaps_by_class.iter().map(|c| c.class).collect();
    assert_eq!(classes, [0, 1]);
    let [chat, batch] = [0, 1].map(|class| count(&series.gaps_by_class[class].parts));
    assert!(chat > batch && batch > 0, "{chat} {batch}");
    assert_eq!(chat + batch, count(&series.gaps));
    // Records that come in several parts make the same.
    let (one, two) = log.records.split_at(log.records.len() / 2);
    let parts = read(&log.manifest, &Parts(vec![one, two]));
    assert_eq!(parts.gaps_by_class, series.gaps_by_class);
}

#[test]
fn its_size_is_bounded() {
    let mut log = steady();
    let instants = [-ms(600_000_000), ms(700_000_000)];
    let classes = 3_000;
    log.manifest.classes = (0..classes)
        .map(|n| format!("{n}{}", "c".repeat(10_000)))
        .collect();
    for (n, record) in log.records.iter_mut().enumerate() {
        record.class = (n % classes) as u16;
    }
    let json = serde_json::to_string(&of(&log)).expect("JSON");
    assert!(json.len() < 300_000, "{} bytes", json.len());
    // Wild instants make no chart and no fault.
    for (record, at) in log.records.iter_mut().zip(instants) {
        record.intended = Offset(at);
        record
            .chunks
            .iter_mut()
            .for_each(|chunk| chunk.at = Offset(-at));
    }
    let series = of(&log);
    assert!(series.ttft.len() <= 120 && series.gaps.len() <= 120);
}
