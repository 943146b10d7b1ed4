//! Plots of a few lines, as they are read.

use super::*;
use crate::chart::{Axis, Band, Bounds, Point, Reach, Reading, Rule, Unit};

fn curve() -> Chart {
    let x = Axis::linear("load asked", Unit::Of("requests/s".to_owned())).holding(0.0);
    let y = Axis::logarithmic("TTFT", Unit::Milliseconds);
    let mut chart = Chart::new("curve", "TTFT by load", x, y);
    let levels = [
        (2.0, 41.0, Some(45.0), "✓"),
        (8.0, 95.0, Some(160.0), "?"),
        (16.0, 900.0, None, "✗"),
    ];
    let points = levels.map(|(x, y, high, label)| Point {
        label: label.to_owned(),
        ..Point::of(Reading::exact(x), Reading::estimate(y, Some(y * 0.6), high))
    });
    chart.series.push(Series {
        label: "TTFT p99".to_owned(),
        marks: Marks::Line(points.to_vec()),
        ..Series::default()
    });
    let middle = levels.map(|(x, y, ..)| Point::at(x, y / 3.0));
    chart.series.push(Series {
        label: "TTFT p50".to_owned(),
        marks: Marks::Line(middle.to_vec()),
        ..Series::default()
    });
    chart.rules.push(Rule {
        across: Across::Y,
        at: 500.0,
        label: "ttft.p99<500ms".to_owned(),
    });
    chart
}

fn distribution() -> Chart {
    let x = Axis::logarithmic("TTFT", Unit::Milliseconds);
    let y = Axis::linear("share at or below", Unit::Share);
    let mut chart = Chart::new("ecdf", "TTFT", x, y.holding(0.0).holding(1.0));
    let at = |i: i32| (30.0 * 1.05_f64.powi(i), f64::from(i) / 40.0);
    let points = (0..=40).map(at).map(|(x, y)| Point::at(x, y)).collect();
    let reaches = (0..=40).map(at).map(|(x, y)| Reach {
        x,
        y: Bounds {
            low: Some((y - 0.12).max(0.0)),
            high: Some((y + 0.12).min(1.0)),
        },
    });
    chart.series.push(Series {
        label: "all\u{1b}[31m requests".to_owned(),
        n: Some(1_300),
        marks: Marks::Step(points),
        band: Some(Band {
            label: "95 % confidence band".to_owned(),
            reaches: reaches.collect(),
        }),
        ..Series::default()
    });
    chart
}

#[test]
fn a_curve_of_characters() {
    insta::assert_snapshot!(lines(&curve(), 60, Charset::Unicode).join("\n"));
}

#[test]
fn a_distribution_of_ascii() {
    let drawn = lines(&distribution(), 60, Charset::Ascii).join("\n");
    assert!(drawn.is_ascii() || drawn.contains('\u{fffd}'), "{drawn}");
    assert!(!drawn.contains('\u{1b}'), "{drawn}");
    insta::assert_snapshot!(drawn);
}

/// A chart of series that have these points each.
fn pointed(series: &[&[(f64, f64)]]) -> Chart {
    let mut chart = Chart::new(
        "points",
        "",
        Axis::linear("x", Unit::Number).holding(0.0).holding(10.0),
        Axis::linear("y", Unit::Number).holding(0.0).holding(10.0),
    );
    chart.series = (0..)
        .zip(series)
        .map(|(i, points): (usize, _)| Series {
            label: format!("series {i}"),
            marks: Marks::Points(points.iter().map(|(x, y)| Point::at(*x, *y)).collect()),
            ..Series::default()
        })
        .collect();
    chart
}

#[test]
fn marks_that_meet_say_so() {
    let check = |charset, several: &str| {
        let apart = pointed(&[&[(2.0, 2.0)], &[(8.0, 8.0)]]);
        let apart = lines(&apart, 60, charset).join("\n");
        assert!(!apart.contains(several), "{apart}");
        let meet = pointed(&[&[(2.0, 2.0), (5.0, 5.0)], &[(5.0, 5.0)], &[(5.0, 5.0)]]);
        let meet = lines(&meet, 60, charset).join("\n");
        assert_eq!(meet.matches(several).count(), 2, "{meet}");
        assert!(meet.contains(&format!("{several} several marks in one place")));
    };
    check(Charset::Unicode, "◆");
    check(Charset::Ascii, "$");
    let twice = lines(&pointed(&[&[(5.0, 5.0), (5.0, 5.0)]]), 60, Charset::Unicode);
    assert!(!twice.concat().contains('◆'), "{twice:#?}");
}

#[test]
fn series_beyond_those_with_a_form_have_letters() {
    let points: Vec<[(f64, f64); 1]> = (0..40).map(|i| [(f64::from(i) / 4.0, 5.0)]).collect();
    let series: Vec<&[(f64, f64)]> = points.iter().map(<[_; 1]>::as_slice).collect();
    for charset in [Charset::Unicode, Charset::Ascii] {
        let glyphs = charset.glyphs();
        let mut marks: Vec<char> = (0..Glyphs::APART).map(|i| glyphs.mark(i)).collect();
        let others = [
            glyphs.line,
            glyphs.upright,
            glyphs.level,
            glyphs.full,
            glyphs.band,
        ];
        let taken = others.iter().chain(&glyphs.open).chain(&glyphs.rules);
        marks.extend(taken.chain([&glyphs.several]));
        let all = marks.len();
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), all, "{marks:?}");
        let said = |n: usize| {
            let drawn = lines(&pointed(&series[..n]), 80, charset).join("\n");
            drawn.contains("from series 31 on, marks are repeated")
        };
        assert!(!said(8) && !said(30) && said(31));
    }
}

#[test]
fn neither_an_arrow_nor_a_label_hides_a_mark() {
    let mut chart = pointed(&[&[(5.0, 5.0)], &[(5.2, 5.0)]]);
    let label = Point {
        label: "name".to_owned(),
        ..Point::at(5.0, 5.0)
    };
    chart.series[0].marks = Marks::Points(vec![label]);
    let drawn = lines(&chart, 60, Charset::Unicode).join("\n");
    assert!(drawn.contains("name●○"), "{drawn}");
    // A line of many points is drawn by its marks.
    let mut chart = pointed(&[&[], &[(5.0, 5.0)]]);
    let line = (0..=100).map(|i| Point::at(f64::from(i) / 10.0, 10.0));
    chart.series[0].marks = Marks::Line(line.collect());
    let open = Point::of(Reading::exact(5.0), Reading::estimate(5.0, Some(4.0), None));
    chart.series[1].marks = Marks::Points(vec![open]);
    let drawn = lines(&chart, 60, Charset::Unicode).join("\n");
    assert!(drawn.contains('○') && !drawn.contains('↑'), "{drawn}");
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for columns in [38, 58, 78, 98, 198] {
        for chart in [curve(), distribution()] {
            for line in lines(&chart, columns, Charset::Unicode) {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }
}

#[test]
fn a_heat_map_is_a_table_with_shades() {
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let x = Axis::categories("requests/s", names(["2", "4"]));
    let mut chart = Chart::new("heat", "", x, Axis::categories("", names(["a", "b"])));
    let cell = |column: usize, row: usize, value: f64| crate::chart::Field {
        x: crate::chart::Range::of_category(column),
        y: crate::chart::Range::of_category(row),
        value: Reading::exact(value),
        label: "✓".to_owned(),
        ..crate::chart::Field::default()
    };
    chart.series.push(Series {
        marks: Marks::Cells(crate::chart::Cells {
            of: Axis::logarithmic("TTFT", Unit::Milliseconds),
            cells: vec![cell(0, 0, 10.0), cell(1, 0, 40.0), cell(1, 1, 90.0)],
        }),
        ..Series::default()
    });
    let table = fields(&chart, Charset::Unicode).expect("fields");
    let cells = table
        .rows
        .iter()
        .flat_map(|row| row.cells.iter().map(|c| c.shown()));
    let expect = [" ✓ 10.0 ms", "▓✓ 40.0 ms", "-", "█✓ 90.0 ms"];
    assert_eq!(cells.collect::<Vec<_>>(), expect);
    assert!(fields(&curve(), Charset::Unicode).is_none());
}
