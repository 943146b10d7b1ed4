//! A history with one change, told and drawn.

use super::*;
use crate::screen::Screen;
use crate::{Format, chart::Marks};
use infermeter_analysis::{TrendRun, trend};

/// Runs whose TTFT grows by a tenth behind the fourteenth; the last is not used.
fn figures() -> Vec<BTreeMap<String, SloFigure>> {
    let value = |n: usize| {
        let noise = (n * 37 % 11) as f64 / 5.0 - 1.0;
        (100.0 + noise) * if n < 14 { 1.0 } else { 1.1 }
    };
    let of = |n: usize| {
        BTreeMap::from([(
            "ttft.p50".to_owned(),
            SloFigure {
                unit: "ms".into(),
                value: Some(value(n)),
                low: Some(value(n) * 0.98),
                high: Some(value(n) * 1.02),
                n: 500,
                ..SloFigure::default()
            },
        )])
    };
    (0..24).map(of).collect()
}

const DAY: f64 = 86_400.0;

fn document(beside: &str) -> Document {
    told(&figures(), DAY, beside)
}

/// Runs that are so many seconds apart.
fn told(figures: &[BTreeMap<String, SloFigure>], seconds: f64, beside: &str) -> Document {
    let names: Vec<[String; 2]> = (0..24)
        .map(|n| [format!("run{n:05}"), format!("2026-11-{:02}", n + 1)])
        .collect();
    let runs = figures
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(n, (figures, [id, begun]))| HistoryRun {
            id,
            begun,
            seconds: n as f64 * seconds,
            verdict: Verdict::Valid,
            figures,
        });
    let used = figures.iter().enumerate().map(|(n, figures)| TrendRun {
        used: n != 23,
        figures: figures.clone(),
    });
    let used: Vec<TrendRun> = used.collect();
    let mut found = trend(&used, &["ttft.p50".parse().expect("a figure")]);
    found.figures[0].changes[0].beside = vec![beside.to_owned()];
    let view = TrendView {
        of: HistoryView {
            id: "3f9a",
            about: "prod, 20/s".to_owned(),
            runs: runs.collect(),
        },
        trend: &found,
    };
    of_trends("nightly", &[view], &[(7, "it was changed")])
}

#[test]
fn a_change_is_told_with_its_size_its_place_and_what_else_changed() {
    let document = document("server.version: 1, then 2");
    let text = Format::Terminal.render(&document, Screen::default());
    for said in [
        "nightly: 1 change",
        "line 7",
        "it was changed",
        "3f9a: prod, 20/s",
        "ttft.p50",
        "(worse) from run run00014, 2026-11-15",
        "at the same time server.version: 1, then 2",
        "5.0 % after 3 more runs",
    ] {
        assert!(text.contains(said), "no `{said}` in\n{text}");
    }
}

#[test]
fn a_figure_among_the_failures_is_said_and_not_drawn() {
    let all = figures().into_iter().enumerate().map(|(n, mut figures)| {
        let figure = figures.get_mut("ttft.p50").expect("there");
        if n >= 14 {
            (figure.value, figure.low, figure.infinite) = (None, None, true);
            figure.high = None;
        }
        figures
    });
    let failed: Vec<_> = all.collect();
    let document = told(&failed, DAY, "");
    let text = Format::Terminal.render(&document, Screen::default());
    for said in ["among failures", "ms to failures (worse) from run run00014"] {
        assert!(text.contains(said), "no `{said}` in\n{text}");
    }
    let page = Format::Html.render(&document, Screen::default());
    assert!(
        page.contains("Not drawn: 9 runs among failures"),
        "nothing is said below the chart"
    );
    assert_eq!(
        kept(failed[20].get("ttft.p50")),
        Cell::noted(AMONG_FAILURES)
    );
}

fn chart_of(document: &Document) -> &crate::chart::Chart {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let charts = blocks.filter_map(|block| match block {
        Block::Chart(chart) => Some(chart),
        _ => None,
    });
    let charts: Vec<_> = charts.collect();
    assert_eq!(charts.len(), 1);
    charts[0]
}

#[test]
fn the_time_axis_is_in_the_unit_that_fits() {
    let check = |seconds: f64, expect: &str| {
        let document = told(&figures(), seconds, "");
        let lines = crate::characters::lines(chart_of(&document), 80, Default::default());
        let title = format!("time since 2026-11-01 ({expect})");
        assert!(lines.iter().any(|line| line.contains(&title)), "{lines:#?}");
    };
    check(10.0, "s");
    check(300.0, "min");
    check(3_600.0, "h");
    check(DAY, "days");
}

#[test]
fn every_run_is_a_mark_and_the_change_a_rule_in_its_shade() {
    let document = document("");
    let chart = chart_of(&document);
    assert_eq!(chart.slug, "trend-ttft-p50");
    let counts: Vec<usize> = chart
        .series
        .iter()
        .map(|series| match &series.marks {
            Marks::Line(points) | Marks::Points(points) => points.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(counts, [4, 23, 1]);
    assert_eq!((chart.rules.len(), chart.shades.len()), (1, 1));
    assert!((chart.rules[0].at - 13.5).abs() < 1e-9);
    assert!(chart.shades[0].x.low <= 13.5 && chart.shades[0].x.high >= 13.5);
}

#[test]
fn hostile_words_are_inert_on_the_page() {
    let document = document("server.version: <script>alert(1)</script>\u{1b}[2J, then 2");
    let page = Format::Html.render(&document, Screen::default());
    assert!(!page.contains("<script>alert") && !page.contains('\u{1b}'));
}
