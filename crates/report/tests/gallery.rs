//! A page with every kind of chart, and with names that would do harm if they could: its marks and values.
//!
//! With `INFERMETER_GALLERY=DIR` the page and each picture are written there, for `cargo xtask browser`.

use infermeter_analysis::{SloFigure, TrendRun, trend};
use infermeter_core::finding::{Severity, Verdict};
use infermeter_report::chart::{
    Across, Axis, Band, Bar, Bounds, Cells, Chart, Field, Known, Marks, Point, Range, Reach,
    Reading, Rule, Scale, Series, Shade, ShadeKind, Span, Unit,
};
use infermeter_report::svg::{Theme, picture};
use infermeter_report::{
    Block, Cell, Column, Document, Entries, Format, Found, HistoryRun, HistoryView, Judgement,
    Screen, Section, Table, Tone, TrendView, of_trends,
};
use std::collections::BTreeMap;

/// What a server, a file or a plan may be called.
const HOSTILE: &str = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\
    \u{1b}[31m\u{202e}&amp;'\"` javascript:alert(1)";

fn axis(label: &str, unit: Unit, scale: Scale) -> Axis {
    Axis {
        label: label.to_owned(),
        unit,
        scale,
        holds: Vec::new(),
    }
}

fn exact(value: f64) -> Reading {
    Reading {
        value,
        known: Known::Exactly,
    }
}

fn within(value: f64, low: f64, high: Option<f64>) -> Reading {
    let low = Some(low);
    Reading {
        value,
        known: Known::Within(Bounds { low, high }),
    }
}

fn censored(low: f64, high: f64) -> Reading {
    Reading {
        value: high,
        known: Known::Censored(Bounds {
            low: Some(low),
            high: Some(high),
        }),
    }
}

fn point(x: Reading, y: Reading) -> Point {
    Point {
        x,
        y,
        ..Point::default()
    }
}

fn series(label: &str, marks: Marks) -> Series {
    Series {
        label: label.to_owned(),
        marks,
        ..Series::default()
    }
}

fn chart(slug: &str, title: &str, x: Axis, y: Axis) -> Chart {
    Chart {
        slug: slug.to_owned(),
        title: title.to_owned(),
        said: vec!["Every request of the window. Intervals are 95 %.".to_owned()],
        x,
        y,
        ..Chart::default()
    }
}

/// Levels with intervals, one of them open, an objective, an undecided point.
fn curve() -> Chart {
    let mut chart = chart(
        "curve",
        "Time to first token by load",
        axis(
            "load asked",
            Unit::Of("requests/s".to_owned()),
            Scale::Linear,
        ),
        axis("TTFT", Unit::Milliseconds, Scale::Logarithmic),
    );
    let levels = [
        (2.0, 41.0, 38.0, Some(45.0), "✓"),
        (4.0, 48.0, 44.0, Some(55.0), "✓"),
        (8.0, 95.0, 70.0, Some(160.0), "?"),
        (16.0, 900.0, 500.0, None, "✗"),
    ];
    let points = levels.map(|(x, y, low, high, label)| Point {
        n: Some(3),
        label: label.to_owned(),
        ..point(exact(x), within(y, low, high))
    });
    chart
        .series
        .push(series("TTFT p99", Marks::Line(points.to_vec())));
    let middle = levels.map(|(x, y, ..)| point(exact(x), exact(y / 2.0)));
    chart
        .series
        .push(series("TTFT p50", Marks::Line(middle.to_vec())));
    chart.rules.push(Rule {
        across: Across::Y,
        at: 500.0,
        label: "ttft.p99<500ms".to_owned(),
    });
    chart
}

/// Series by class over time, a gap, phases and a stall.
fn over_time() -> Chart {
    let mut time = axis("time since the start", Unit::Seconds, Scale::Linear);
    time.holds = vec![0.0, 60.0];
    let mut ttft = axis("TTFT", Unit::Milliseconds, Scale::Linear);
    ttft.holds = vec![0.0];
    let mut chart = chart(
        "ttft-over-time",
        "Time to first token over time",
        time,
        ttft,
    );
    for (i, class) in [None, Some("chat"), Some(HOSTILE)].into_iter().enumerate() {
        let at = |t: i32| {
            let wave = (f64::from(t) / 6.0).sin() * 8.0 + 60.0 + 20.0 * i as f64;
            Point {
                after_gap: t == 30,
                n: Some(20),
                ..point(exact(f64::from(t)), exact(wave))
            }
        };
        let points: Vec<Point> = (0..60).filter(|t| !(24..30).contains(t)).map(at).collect();
        let reaches = points.iter().map(|p| Reach {
            x: p.x.value,
            y: Bounds {
                low: Some(p.y.value - 6.0),
                high: Some(p.y.value + 9.0),
            },
        });
        let band = (i == 0).then(|| Band {
            label: "least to greatest".to_owned(),
            reaches: reaches.collect(),
        });
        chart.series.push(Series {
            class: class.map(str::to_owned),
            n: Some(1_080),
            band,
            ..series("p50", Marks::Line(points))
        });
    }
    let shade = |kind, low: f64, high: f64, label: &str| Shade {
        kind,
        x: Range { low, high },
        label: label.to_owned(),
    };
    chart
        .shades
        .push(shade(ShadeKind::Phase, 0.0, 10.0, "warm-up"));
    chart
        .shades
        .push(shade(ShadeKind::Stall, 41.0, 42.2, "client"));
    chart
}

fn ecdf() -> Chart {
    let mut chart = chart(
        "ecdf",
        "Distribution of TTFT",
        axis("TTFT", Unit::Milliseconds, Scale::Logarithmic),
        axis("share of requests", Unit::Share, Scale::Linear),
    );
    let at = |i: i32| {
        let share = f64::from(i) / 40.0;
        (30.0 * (1.0 + 3.0 * share.powi(4)), share)
    };
    let points = (0..=40).map(at).map(|(x, y)| point(exact(x), exact(y)));
    let reaches = (0..=40).map(at).map(|(x, y)| Reach {
        x,
        y: Bounds {
            low: Some((y - 0.12).max(0.0)),
            high: Some((y + 0.12).min(1.0)),
        },
    });
    chart.series.push(Series {
        n: Some(41),
        band: Some(Band {
            label: "95 % confidence band".to_owned(),
            reaches: reaches.collect(),
        }),
        ..series("TTFT", Marks::Step(points.collect()))
    });
    chart
}

/// Rows of pieces, one of which ended at an instant that is known only to lie between two others.
fn timeline() -> Chart {
    let names = (1..=8).map(|i| format!("request {i}")).collect();
    let mut chart = chart(
        "timeline",
        "Requests",
        axis("time since the start", Unit::Seconds, Scale::Linear),
        axis("", Unit::Number, Scale::Categories(names)),
    );
    let spans = |from: f64, to: f64| {
        let each = (0..8).map(|row| Span {
            row,
            from: exact(row as f64 * 0.4 + from),
            to: match row == 3 && to > 1.0 {
                true => censored(row as f64 * 0.4 + to - 0.3, row as f64 * 0.4 + to + 0.3),
                false => exact(row as f64 * 0.4 + to),
            },
        });
        Marks::Spans(each.collect())
    };
    chart.series.push(series("waiting", spans(0.0, 0.2)));
    chart
        .series
        .push(series("until the first token", spans(0.2, 0.6)));
    chart.series.push(series("answering", spans(0.6, 2.0)));
    chart
}

fn bars() -> Chart {
    let names = (1..=6).map(|n| n.to_string()).collect();
    let mut chart = chart(
        "tokens-per-chunk",
        "Tokens per chunk",
        axis("tokens", Unit::Number, Scale::Categories(names)),
        axis("share of chunks", Unit::Share, Scale::Linear),
    );
    let bars = [0.6, 0.2, 0.1, 0.06, 0.03, 0.01].into_iter().enumerate();
    let bars = bars.map(|(i, share)| Bar {
        x: Range {
            low: i as f64 - 0.5,
            high: i as f64 + 0.5,
        },
        y: within(share, share * 0.9, Some(share * 1.1)),
        n: Some((share * 1e3) as u64),
    });
    chart
        .series
        .push(series("chunks", Marks::Bars(bars.collect())));
    chart
}

fn heat_map() -> Chart {
    let mut chart = chart(
        "heat-map",
        "TTFT p99 by prompt length and load",
        axis(
            "load (requests/s)",
            Unit::Number,
            Scale::Categories(["2", "4", "8", "16"].map(str::to_owned).to_vec()),
        ),
        axis(
            "prompt tokens",
            Unit::Number,
            Scale::Categories(["128", "512", "2,048"].map(str::to_owned).to_vec()),
        ),
    );
    let fields = (0..12).filter(|i| *i != 11).map(|i: usize| {
        let (column, row) = (i % 4, i / 4);
        let place = |i: usize| Range {
            low: i as f64 - 0.5,
            high: i as f64 + 0.5,
        };
        Field {
            x: place(column),
            y: place(row),
            value: exact(20.0 * 3f64.powi((column + row) as i32)),
            n: Some(100),
            label: if column + row < 3 { "✓" } else { "✗" }.to_owned(),
        }
    });
    chart.series.push(series(
        "TTFT p99",
        Marks::Cells(Cells {
            of: axis("TTFT p99", Unit::Milliseconds, Scale::Logarithmic),
            cells: fields.collect(),
        }),
    ));
    chart
}

/// Intervals in both directions, and an instant between two others.
fn frontier() -> Chart {
    let mut chart = chart(
        "frontier",
        "Pareto frontier",
        axis("throughput", Unit::Of("tokens/s".to_owned()), Scale::Linear),
        axis("TTFT p99", Unit::Milliseconds, Scale::Linear),
    );
    let at = |i: i32| {
        let x = 400.0 * f64::from(i);
        let y = 30.0 + f64::from(i * i) * 12.0;
        Point {
            label: format!("{}{}", 2 * i, if i == 3 { ", knee" } else { "" }),
            ..point(
                within(x, x * 0.95, Some(x * 1.05)),
                within(y, y * 0.8, Some(y * 1.3)),
            )
        }
    };
    chart
        .series
        .push(series("frontier", Marks::Line((1..=5).map(at).collect())));
    chart.series.push(series(
        "censored",
        Marks::Points(vec![point(exact(900.0), censored(150.0, 320.0))]),
    ));
    chart.rules.push(Rule {
        across: Across::Y,
        at: 5_000.0,
        label: "ttft.p99<5s".to_owned(),
    });
    chart
}

fn document() -> Document {
    let mut document = Document::titled(format!("Run {HOSTILE}"));
    let found = |severity, code: &str| Found {
        severity,
        code: code.to_owned(),
        message: format!("The model is called {HOSTILE}."),
        evidence: "12 of 300 requests".to_owned(),
        advice: "Repeat it.".to_owned(),
    };
    document.verdict = Some(Judgement {
        verdict: Verdict::Questionable,
        findings: vec![
            found(Severity::Warning, "send-lag"),
            found(Severity::Note, "short-level"),
        ],
    });
    let mut entries = Entries::default();
    entries.add("Model", "m".repeat(10_000));
    entries.add(HOSTILE, HOSTILE);
    let mut table = Table::new(
        "",
        vec![
            Column::right("p50").of("TTFT"),
            Column::right("p99").of("TTFT"),
            Column::left("class"),
        ],
    );
    for (label, p50, p99, class) in [
        ("a", "900 ms", "1.20 s", HOSTILE),
        ("b", "1.10 s", "20.0 s", "chat"),
        ("c", "45 µs", "9.00 ms", "code"),
    ] {
        let p99 = Cell {
            interval: Some("[1.10 s, ∞)".to_owned()),
            ..Cell::of(p99)
        };
        table.row(label, vec![Cell::of(p50), p99, Cell::of(class)]);
    }
    table.row(
        "d",
        vec![Cell::noted("-"), Cell::noted("needs 1,000"), Cell::of("")],
    );
    document.push(Section::new("Run").with(entries).with(table));
    let charts = [
        curve(),
        over_time(),
        ecdf(),
        timeline(),
        bars(),
        heat_map(),
        frontier(),
    ];
    document.push(
        charts
            .into_iter()
            .fold(Section::new("Charts"), Section::with),
    );
    for class in ["chat", HOSTILE] {
        let said = Block::Text(Tone::Plain, format!("Figures of {class}"));
        document.push(Section {
            class: Some(class.to_owned()),
            ..Section::new(format!("Class {class}")).with(said)
        });
    }
    document.push(Section::new(HOSTILE).with(Block::Text(Tone::Aside, HOSTILE.to_owned())));
    document
}

fn charts(document: &Document) -> Vec<&Chart> {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let charts = blocks.filter_map(|block| match block {
        Block::Chart(chart) => Some(chart),
        _ => None,
    });
    charts.collect()
}

#[test]
fn the_page_has_every_chart_and_no_foreign_markup() {
    let document = document();
    let page = Format::Html.render(&document, Screen::default());
    for chart in charts(&document) {
        assert!(
            page.contains(&format!("id=\"chart-{}\"", chart.slug)),
            "{}",
            chart.slug
        );
    }
    // One script, ours; no handler; nothing that steers a terminal or the direction of writing.
    assert_eq!(page.matches("<script").count(), 1);
    for harmful in [
        "<img",
        "\u{1b}",
        "\u{202e}",
        " style=",
        "unsafe",
        "http-equiv=\"refresh",
        "src=",
    ] {
        let inside = page.replace("src=x onerror=&quot;", "");
        assert!(!inside.contains(harmful), "{harmful}");
    }
    assert!(page.len() < 300_000, "{} bytes", page.len());
    let Ok(directory) = std::env::var("INFERMETER_GALLERY") else {
        return;
    };
    let write = |name: &str, text: &str| {
        std::fs::write(std::path::Path::new(&directory).join(name), text).expect("written");
    };
    write("gallery.html", &page);
    for chart in charts(&document) {
        write(
            &format!("{}.svg", chart.slug),
            &picture(chart, 860.0, Theme::Light),
        );
    }
}

/// Runs every quarter of an hour, whose TTFT grows by a tenth behind the fourteenth; the last is not used.
#[test]
fn the_page_of_a_trend() {
    let figures: Vec<BTreeMap<String, SloFigure>> = (0..24)
        .map(|n| {
            let noise = (n * 37 % 11) as f64 / 5.0 - 1.0;
            let value = (100.0 + noise) * if n < 14 { 1.0 } else { 1.1 };
            let figure = SloFigure {
                unit: "ms".into(),
                value: Some(value),
                low: Some(value * 0.98),
                high: (n != 5).then_some(value * 1.02),
                n: 500,
                ..SloFigure::default()
            };
            BTreeMap::from([("ttft.p50".to_owned(), figure)])
        })
        .collect();
    let used = figures.iter().enumerate().map(|(n, figures)| TrendRun {
        used: n != 23,
        figures: figures.clone(),
    });
    let used: Vec<TrendRun> = used.collect();
    let mut found = trend(&used, &["ttft.p50".parse().expect("a figure")]);
    found.figures[0].changes[0].beside = vec![format!("server.version: {HOSTILE}, then 2")];
    let begun = |n: usize| format!("2026-11-21 {:02}:{:02}", 6 + n / 4, n % 4 * 15);
    let names: Vec<[String; 2]> = (0..24).map(|n| [format!("run{n:05}"), begun(n)]).collect();
    let runs = figures.iter().zip(&names).enumerate();
    let runs = runs.map(|(n, (figures, [id, begun]))| HistoryRun {
        id,
        begun,
        seconds: n as f64 * 900.0,
        verdict: Verdict::Valid,
        figures,
    });
    let view = TrendView {
        of: HistoryView {
            id: "3f9a",
            about: HOSTILE.to_owned(),
            runs: runs.collect(),
        },
        trend: &found,
    };
    let page = Format::Html.render(
        &of_trends("nightly", &[view], &[(7, HOSTILE)]),
        Screen::default(),
    );
    assert!(page.contains("id=\"chart-trend-ttft-p50\"") && !page.contains("<img"));
    if let Ok(directory) = std::env::var("INFERMETER_GALLERY") {
        std::fs::write(std::path::Path::new(&directory).join("trend.html"), page).expect("written");
    }
}

#[test]
fn no_chart_is_shown_where_none_can_be_drawn() {
    let document = document();
    for format in [Format::Terminal, Format::Markdown] {
        let text = format.render(&document, Screen::default());
        assert!(
            !text.contains("Pareto") && !text.contains("Charts"),
            "{text}"
        );
    }
}

/// The values of an attribute of every element with this class.
fn attributes<'a>(svg: &'a str, class: &str, name: &str) -> Vec<&'a str> {
    let elements = svg
        .split('<')
        .filter(|e| e.contains(&format!("class=\"{class}\"")));
    let value = |element: &'a str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()
    };
    elements.filter_map(value).collect()
}

#[test]
fn a_curve_has_its_marks_where_its_values_are() {
    let svg = picture(&curve(), 860.0, Theme::Light);
    insta::assert_snapshot!(
        svg.split("</style>")
            .nth(1)
            .expect("marks")
            .replace('>', ">\n")
    );
    // An open interval ends in an arrow, and only that one.
    assert_eq!(attributes(&svg, "open", "d").len(), 1);
    assert_eq!(attributes(&svg, "dot", "d").len(), 4 + 4 + 2);
    assert_eq!(attributes(&svg, "whisker", "d").len(), 4 + 1);
}

#[test]
fn what_is_censored_is_drawn_between_its_bounds() {
    let svg = picture(&frontier(), 860.0, Theme::Light);
    assert_eq!(attributes(&svg, "censored", "d").len(), 1 + 1);
    assert!(svg.contains("somewhere within") && svg.contains("ttft.p99&lt;5s ↑ above the chart"));
    let svg = picture(&timeline(), 860.0, Theme::Light);
    assert_eq!(attributes(&svg, "unsure", "x").len(), 1);
    assert_eq!(attributes(&svg, "span", "x").len(), 24 + 3);
}

#[test]
fn a_heat_map_leaves_out_what_was_not_measured() {
    let svg = picture(&heat_map(), 860.0, Theme::Dark);
    let fields: usize = (0..6)
        .map(|i| attributes(&svg, &format!("q{i}"), "x").len())
        .sum();
    assert_eq!(fields, 11 + 6);
    assert!(svg.contains(">✗ 1.62 s<"), "{svg}");
}
