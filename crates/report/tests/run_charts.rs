//! The charts of a run: which there are, what each says, how many marks it takes, and some by hand.

use infermeter_analysis::series::RunSeries;
use infermeter_analysis::{
    CurveAnswer, Highest, Level, LevelLooks, LevelRun, NoLaw, RateEstimate, Run as Read, Summary,
    SweepAnswer, summarize_log,
};
use infermeter_core::answer::{AnswerFacts, Doubt};
use infermeter_core::finding::Verdict;
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::record::Reason;
use infermeter_core::run::RunLog;
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::{Run, ms};
use infermeter_report::chart::{Chart, Known, Marks, Reading, Scale, Series, ShadeKind};
use infermeter_report::{
    Axis, Block, Document, Format, NamedSweep, Pictured, Screen, Section, SweepView, View, of_run,
    of_sweeps, pictures,
};

/// A run with its series.
struct Seen {
    log: RunLog,
    summary: Summary,
    series: RunSeries,
}

fn seen(log: RunLog) -> Seen {
    let (run, summary): (Read, Summary) = summarize_log(&log);
    let Ok(series) = RunSeries::read(&run, &summary, &log);
    Seen {
        log,
        summary,
        series,
    }
}

impl Seen {
    fn sections(&self) -> Vec<Section> {
        let (summary, manifest) = (&self.summary, &self.log.manifest);
        let document = of_run(summary, Verdict::Valid, &[], manifest, View::Shared);
        let mut sections = document.sections;
        sections.extend(pictures(&Pictured {
            summary,
            manifest,
            series: &self.series,
        }));
        sections
    }

    fn charts(&self) -> Vec<Chart> {
        let blocks = self
            .sections()
            .into_iter()
            .flat_map(|section| section.blocks);
        let chart = |block| match block {
            Block::Chart(chart) => Some(chart),
            _ => None,
        };
        blocks.filter_map(chart).collect()
    }

    #[track_caller]
    fn chart(&self, slug: &str) -> Chart {
        let found = self.charts().into_iter().find(|chart| chart.slug == slug);
        found.unwrap_or_else(|| panic!("no chart {slug}"))
    }
}

fn readings(series: &Series) -> Vec<Reading> {
    match &series.marks {
        Marks::Line(points) | Marks::Step(points) | Marks::Points(points) => {
            points.iter().flat_map(|p| [p.x, p.y]).collect()
        }
        Marks::Bars(bars) => bars.iter().map(|bar| bar.y).collect(),
        Marks::Spans(spans) => spans.iter().flat_map(|span| [span.from, span.to]).collect(),
        Marks::Cells(cells) => cells.cells.iter().map(|cell| cell.value).collect(),
    }
}

/// Marks, and the ends of bands.
fn size(chart: &Chart) -> usize {
    let of = |s: &Series| readings(s).len() + s.band.as_ref().map_or(0, |b| b.reaches.len());
    chart.series.iter().map(of).sum()
}

fn steady() -> Run {
    let mut run = Run::steady(2_000, 50.0, 20);
    run.failed(3_000, Reason::HttpStatus);
    run
}

#[test]
fn a_run_has_every_chart_that_it_has_figures_for() {
    let seen = seen(steady().build());
    let slugs: Vec<String> = seen.charts().into_iter().map(|chart| chart.slug).collect();
    let expect = [
        "ecdf-ttft",
        "ecdf-itl",
        "ecdf-tpot",
        "ecdf-e2e",
        "ttft-over-time",
        "itl-over-time",
        "in-flight-over-time",
        "failures-over-time",
        "requests",
        "ttft-by-load",
        "itl-by-position",
        "tokens-per-chunk",
        "send-lag-over-time",
        "instants-over-time",
    ];
    assert_eq!(slugs, expect);
    for chart in seen.charts() {
        assert!(!chart.said.is_empty(), "{} says nothing", chart.slug);
        for series in &chart.series {
            let all = readings(series);
            assert!(all.iter().all(|r| r.value.is_finite()), "{}", chart.slug);
            let in_order = |points: &[infermeter_report::chart::Point]| {
                points.is_sorted_by(|a, b| a.x.value <= b.x.value)
            };
            match &series.marks {
                Marks::Line(points) | Marks::Step(points) => assert!(in_order(points)),
                _ => {}
            }
        }
    }
}

#[test]
fn estimates_have_intervals_and_bands_lie_around_shares() {
    let seen = seen(steady().build());
    let chart = seen.chart("ttft-over-time");
    let median = chart.series.iter().find(|s| s.label.starts_with("median"));
    let median = median.expect("a median");
    let Marks::Line(points) = &median.marks else {
        panic!("a line");
    };
    assert!(points.len() > 15 && points.iter().all(|p| p.n > Some(0)));
    assert!(points.iter().all(|p| matches!(p.y.known, Known::Within(_))));
    let warmup = chart
        .shades
        .iter()
        .find(|shade| shade.kind == ShadeKind::Phase);
    assert_eq!(warmup.map(|shade| &*shade.label), Some("warm-up"));

    let whole = &seen.chart("ecdf-ttft").series[0];
    let Marks::Step(points) = &whole.marks else {
        panic!("steps");
    };
    let band = whole.band.as_ref().expect("a band");
    assert_eq!((whole.n, band.reaches.len()), (Some(2_000), points.len()));
    for (point, reach) in points.iter().zip(&band.reaches) {
        let (low, high) = (reach.y.low.expect("closed"), reach.y.high.expect("closed"));
        assert!(low <= point.y.value && point.y.value <= high && low >= 0.0 && high <= 1.0);
    }
}

/// The filter of a page shows the series of a class by its name.
#[test]
fn both_charts_over_time_have_the_same_classes_apart() {
    let mut run = steady();
    run.manifest().classes = vec!["chat".to_owned(), "batch".to_owned()];
    let mut log = run.build();
    for (n, record) in log.records.iter_mut().enumerate() {
        record.class = u16::from(n % 3 == 0);
    }
    let seen = seen(log);
    for slug in ["ttft-over-time", "itl-over-time"] {
        let chart = seen.chart(slug);
        let of_classes = chart.series.iter().filter(|series| series.class.is_some());
        let classes: Vec<_> = of_classes.clone().filter_map(|s| s.class.clone()).collect();
        assert_eq!(classes, ["chat", "batch"], "{slug}");
        for series in of_classes {
            let Marks::Line(points) = &series.marks else {
                panic!("a line");
            };
            assert!(points.iter().any(|p| p.n > Some(0)), "{slug}");
        }
    }
}

#[test]
fn rows_of_the_timeline_by_hand() {
    let mut run = Run::open(1.0, 12);
    run.stream(0, ms(20), ms(10), 3).late(ms(4));
    run.failed(600, Reason::HttpStatus);
    let mut log = run.build();
    log.records[0].connected = log.records[0].send_start.map(|at| at.plus(ms(5)));
    log.records[0].chunks[0].lower = log.records[0].chunks[0].at.plus(-ms(3));
    let health = log.manifest.client_health.as_mut().expect("health");
    health.threads[0].gaps.push(Gap {
        at: log.records[0].intended,
        ns: ms(150),
        cause: GapCause::Stopped,
    });
    let seen = seen(log);
    let chart = seen.chart("requests");
    let Scale::Categories(names) = &chart.y.scale else {
        panic!("categories");
    };
    assert_eq!(names, &["#0 *", "#1 http status"]);
    let stages: Vec<(&str, usize, f64, f64)> = chart
        .series
        .iter()
        .flat_map(|series| match &series.marks {
            Marks::Spans(spans) => spans
                .iter()
                .map(|s| (&*series.label, s.row, s.from.value, s.to.value))
                .collect(),
            _ => Vec::new(),
        })
        .collect();
    let expect = [
        ("waiting to be sent", 0, 0.0, 0.004),
        ("connecting", 0, 0.004, 0.009),
        ("until the first token", 0, 0.009, 0.024),
        ("decoding", 0, 0.024, 0.044),
        ("without a token until it failed", 1, 0.6, 0.605),
    ];
    assert_eq!(stages, expect);
    let first = readings(&chart.series[2])[1].known;
    let Known::Censored(bounds) = first else {
        panic!("a censored instant");
    };
    assert_eq!((bounds.low, bounds.high), (Some(0.021), Some(0.024)));
    let stall = seen.chart("ttft-over-time").shades.into_iter();
    let mut stall = stall.filter(|shade| shade.kind == ShadeKind::Stall);
    let label = stall.next().map(|shade| shade.label).unwrap_or_default();
    assert_eq!(
        label,
        "the client was stopped, or waited for memory or a disk"
    );
}

#[test]
fn shares_of_tokens_per_chunk_by_hand() {
    let mut run = Run::open(1.0, 120);
    for i in 0..100 {
        let tokens = if i % 4 == 0 { 3 } else { 1 };
        run.stream(i * 1_000, ms(20), ms(10), 5)
            .tokens_per_chunk(tokens);
    }
    let chart = seen(run.build()).chart("tokens-per-chunk");
    let Marks::Bars(bars) = &chart.series[0].marks else {
        panic!("bars");
    };
    let found: Vec<_> = bars
        .iter()
        .map(|b| (b.x.low, b.x.high, b.y.value, b.n))
        .collect();
    assert_eq!(
        found,
        [(0.5, 1.5, 0.75, Some(375)), (1.5, 3.5, 0.25, Some(125))]
    );
    assert!(
        bars.iter()
            .all(|bar| matches!(bar.y.known, Known::Within(_)))
    );
}

#[test]
fn sound_answers_stand_over_the_load_beside_their_latency() {
    let mut run = Run::steady(600, 30.0, 20);
    run.manifest().plan.check_answers = true;
    for record in run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure)
    {
        let doubt = (record.id % 10 == 0).then_some(Doubt::Gibberish);
        record.answer = Some(Box::new(AnswerFacts {
            doubts: doubt.into_iter().collect(),
            chars: 100,
            script: None,
            text_hash: record.id + 1,
            prompt_hash: record.id + 1,
            question: None,
            correct: None,
            reference: None,
        }));
    }
    let seen = seen(run.build());
    let levels = &seen.summary.answers.as_ref().expect("checked").levels;
    assert!(levels.len() > 2, "{levels:?}");
    let chart = seen.chart("answers-by-load");
    let Marks::Line(points) = &chart.series[0].marks else {
        panic!("a line");
    };
    for (point, level) in points.iter().zip(levels) {
        let sound = 1.0 - level.corrupted.count as f64 / level.checked as f64;
        assert!((point.y.value - sound).abs() < 1e-12, "{point:?}");
        assert_eq!(point.n, Some(level.checked));
    }
    let waits = seen.chart("answers-ttft-by-load");
    assert_eq!(waits.x, chart.x);
    assert!(size(&waits) <= levels.len());
}

#[test]
fn runs_with_nothing_have_no_chart_and_no_fault() {
    let nothing = seen(Run::open(1.0, 10).build());
    assert_eq!(nothing.charts(), []);
    let mut run = Run::open(1.0, 10);
    (0..10).for_each(|i| run.failed(i * 1_000, Reason::ConnectFailed));
    let failed = seen(run.build());
    let slugs: Vec<String> = failed
        .charts()
        .into_iter()
        .map(|chart| chart.slug)
        .collect();
    let expect = [
        "in-flight-over-time",
        "failures-over-time",
        "requests",
        "send-lag-over-time",
    ];
    assert_eq!(slugs, expect);
}

#[test]
fn marks_words_and_the_page_are_bounded() {
    let classes = 300;
    let mut run = Run::steady(6_000, 100.0, 12);
    for i in 0..150 {
        run.stream(i * 350, ms(9_000), ms(700), 8);
    }
    run.manifest().classes = (0..classes)
        .map(|n| format!("{n}{}", "<c>".repeat(3_333)))
        .collect();
    run.manifest().model = "m".repeat(10_000);
    let mut log = run.build();
    for (n, record) in log.records.iter_mut().enumerate() {
        record.class = if n % 2 == 0 {
            (n % 12) as u16
        } else {
            (n % classes) as u16
        };
        record.requested_prompt_tokens = 10 + (n as u32 * 37) % 4_000;
        record.prompt_tokens = None;
    }
    let seen = seen(log);
    let charts = seen.charts();
    let marks: usize = charts.iter().map(size).sum();
    assert!(marks < 12_000, "{marks} marks");
    let words = |chart: &Chart| {
        let said: usize = chart.said.iter().map(String::len).sum();
        let labels: usize = chart.series.iter().map(|s| s.label.len()).sum();
        let names = match &chart.y.scale {
            Scale::Categories(names) => names.iter().map(String::len).sum(),
            _ => 0,
        };
        said + labels + names
    };
    let words: usize = charts.iter().map(words).sum();
    assert!(words < 20_000, "{words} bytes of words");
    let mut document = Document::titled("a run");
    document.sections = seen.sections();
    let page = Format::Html.render(&document, Screen::default());
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

/// A sweep of levels at these loads, whose runs had this TTFT in milliseconds.
fn sweep(levels: &[(f64, i64)]) -> SweepAnswer {
    let level = |(load, ttft_ms): &(f64, i64)| {
        let mut run = Run::open(20.0, 100);
        for i in 0..2_000 {
            run.stream(i * 50, ms(*ttft_ms) + i * 7_919 % 101 * 1_000, ms(10), 4);
        }
        let (_, summary) = summarize_log(&run.build());
        let run = LevelRun {
            summary: &summary,
            verdict: Verdict::Valid,
        };
        let once = LevelLooks {
            replicates: 1,
            most: 1,
        };
        Level::of(*load, &[run], once)
    };
    SweepAnswer {
        curves: vec![CurveAnswer {
            variant: 0,
            levels: levels.iter().map(level).collect(),
            highest: Highest::default(),
            estimate: RateEstimate::Bracket {
                why: NoLaw::NoObjectives,
            },
            objectives: Vec::new(),
            overloaded_at: None,
            out_of_order: Vec::new(),
            past_saturation: Vec::new(),
            most_goodput: None,
            throughput_and_tail: Vec::new(),
            gpu_and_user: Vec::new(),
            knee: None,
            scalability: None,
            breaking: None,
            sustained: None,
        }],
    }
}

#[test]
fn open_and_closed_loops_stand_over_the_same_rates() {
    // Runs of the fixture complete 20 requests/s, whatever was asked for.
    let (open, closed) = (
        sweep(&[(20.0, 40), (30.0, 4_000)]),
        sweep(&[(1.0, 40), (64.0, 90)]),
    );
    let named = |name, answer, axis| NamedSweep {
        name,
        view: SweepView {
            answer,
            axis,
            names: &[],
            runs: Vec::new(),
        },
    };
    let document = of_sweeps(&[
        named("open", &open, Axis::Rate),
        named("closed", &closed, Axis::Concurrency),
    ]);
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let ttft = blocks.clone().find_map(|block| match block {
        Block::Chart(chart) if chart.slug == "sweeps-ttft" => Some(chart),
        _ => None,
    });
    let found: Vec<(&str, Vec<f64>)> = ttft
        .expect("a chart")
        .series
        .iter()
        .map(|series| match &series.marks {
            Marks::Line(points) => (
                &*series.label,
                points.iter().map(|p| p.x.value.round()).collect(),
            ),
            _ => ("", Vec::new()),
        })
        .collect();
    let expect = [
        ("p50, open, open loop", vec![20.0, 30.0]),
        ("p99, open, open loop", vec![20.0, 30.0]),
        ("p50, closed, closed loop", vec![20.0, 20.0]),
        ("p99, closed, closed loop", vec![20.0, 20.0]),
    ];
    assert_eq!(found, expect);
    let text = Format::Terminal.render(&document, Screen::default());
    assert!(text.contains("30, open, open loop"), "{text}");
}
