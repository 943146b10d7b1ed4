//! What the full screen of `--live` shows: tabs for load, latency, client, server and findings.
//!
//! Pure: a look at the run in, cells out. Invariant: no meaning by colour alone, and nothing is judged here;
//! that is done when the run has ended.

use super::line::{SECOND_PRESS, failures, phase_and_left, questionable_lag, time};
use super::series::{Point, Series};
use super::share;
use infermeter_analysis::checks::SEND_LAG;
use infermeter_core::finding::QUESTIONABLE_FRACTION;
use infermeter_core::number::count;
use infermeter_core::plan::Plan;
use infermeter_core::text::inert;
use infermeter_report::number::significant;
use infermeter_runner::progress::{Snapshot, Times};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{
    Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Sparkline, Tabs, Wrap,
};

/// Longest text of the plan or of a note, bytes.
const MOST_BYTES: usize = 400;

/// One side of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Load,
    Latency,
    Client,
    Server,
    Findings,
}

impl Tab {
    /// In the order of their keys.
    pub(super) const ALL: [Self; 5] = [
        Self::Load,
        Self::Latency,
        Self::Client,
        Self::Server,
        Self::Findings,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Load => "1 Load",
            Self::Latency => "2 Latency",
            Self::Client => "3 Client",
            Self::Server => "4 Server",
            Self::Findings => "5 Findings",
        }
    }
}

/// The run so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub snapshot: &'a Snapshot,
    pub series: &'a Series,
}

/// What is shown, and how.
#[derive(Debug)]
pub(super) struct View {
    /// The side that is shown.
    pub tab: Tab,
    about: String,
    said: Vec<String>,
    color: bool,
}

impl View {
    /// Of a run of this plan; `said` is what was told before it.
    pub(super) fn of(plan: &Plan, said: &[String], color: bool) -> Self {
        let load = match (plan.rate, plan.concurrency) {
            (Some(rate), _) => format!("{rate} requests/s"),
            (None, Some(slots)) => format!("closed loop of {slots}"),
            (None, None) => "a schedule of its own".to_owned(),
        };
        let about = format!("{}: {}, {load}", plan.target, plan.workload);
        Self {
            tab: Tab::Load,
            about: inert(&about, MOST_BYTES),
            said: said.iter().map(|line| inert(line, MOST_BYTES)).collect(),
            color,
        }
    }

    /// So many tabs on.
    pub(super) fn turn(&mut self, by: isize) {
        let all = Tab::ALL.len() as isize;
        let place = Tab::ALL.iter().position(|tab| *tab == self.tab);
        let place = (place.unwrap_or(0) as isize + by).rem_euclid(all);
        self.tab = Tab::ALL[place as usize];
    }

    pub(super) fn draw(&self, look: Look<'_>, frame: &mut Frame<'_>) {
        let rows = [
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
        ];
        let [about, gauge, tabs, body, keys] = Layout::vertical(rows).areas(frame.area());
        frame.render_widget(Line::from(self.about.as_str()), about);
        frame.render_widget(self.gauge(look.snapshot), gauge);
        let place = Tab::ALL.iter().position(|tab| *tab == self.tab);
        let names = Tabs::new(Tab::ALL.map(Tab::name))
            .select(place)
            .highlight_style(Modifier::REVERSED);
        frame.render_widget(names, tabs);
        match self.tab {
            Tab::Load => self.load(look, body, frame),
            Tab::Latency => self.latency(look, body, frame),
            Tab::Client => self.client(look, body, frame),
            Tab::Server => self.server(look, body, frame),
            Tab::Findings => self.findings(look, body, frame),
        }
        frame.render_widget(Line::from(self.keys(look.snapshot)), keys);
    }

    fn gauge(&self, s: &Snapshot) -> Gauge<'static> {
        let share = share(s);
        let percent = share.map(|share| format!("{:.0} %  ", (share * 100.0).floor()));
        Gauge::default()
            .ratio(share.unwrap_or(0.0).clamp(0.0, 1.0))
            .label(percent.unwrap_or_default() + &phase_and_left(s))
            .gauge_style(self.style(Color::Cyan))
            .use_unicode(true)
    }

    fn keys(&self, s: &Snapshot) -> String {
        match s.stopping {
            true => format!("Stopping. {SECOND_PRESS}."),
            false => {
                "1-5 or Tab: another side  q: back to one line  Ctrl-C: stop sending".to_owned()
            }
        }
    }

    fn style(&self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    fn load(&self, look: Look<'_>, area: Rect, frame: &mut Frame<'_>) {
        let s = look.snapshot;
        let due = s.due.map(|due| format!("{} due, ", count(due)));
        let lines = vec![
            format!(
                "Requests   {}{} sent",
                due.unwrap_or_default(),
                count(s.sent)
            ),
            format!(
                "Ended      {} done, {} in flight",
                count(s.done),
                count(s.in_flight)
            ),
            format!(
                "Failures   {}",
                failures(s).unwrap_or_else(|| "none".to_owned())
            ),
        ];
        let rest = text(lines, area, frame);
        self.sparks(
            look.series,
            &[
                Spark::of("Sent/s", |p| p.sent_per_s),
                Spark::of("Done/s", |p| p.done_per_s),
                Spark::of("In flight", |p| p.in_flight),
            ],
            rest,
            frame,
        );
    }

    fn latency(&self, look: Look<'_>, area: Rect, frame: &mut Frame<'_>) {
        let lines = vec![
            format!("TTFT from the send so far: {}", spread(&look.snapshot.ttft)),
            "Within 4 %, to watch; the result is computed from the record. A p99 needs 100 requests."
                .to_owned(),
        ];
        let rest = text(lines, area, frame);
        let points = look.series.points();
        let of = |value: fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
            let known = points.iter().filter_map(|p| Some((p.at_s, value(p)?)));
            known.collect()
        };
        let (p50, p99) = (of(|p| p.ttft_p50), of(|p| p.ttft_p99));
        let most = p50
            .iter()
            .chain(&p99)
            .map(|(_, ms)| *ms)
            .fold(0.0, f64::max);
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let set = |name, data, marker, color| {
            Dataset::default()
                .name(name)
                .data(data)
                .marker(marker)
                .graph_type(GraphType::Scatter)
                .style(self.style(color))
        };
        let sets = vec![
            set("• p50 of a second", &p50, Marker::Dot, Color::Green),
            set("⠂ p99 of a second", &p99, Marker::Braille, Color::Yellow),
        ];
        let seconds = |s: f64| format!("{s:.0} s");
        let chart = Chart::new(sets)
            .block(Block::bordered().title("TTFT over time"))
            .x_axis(
                Axis::default()
                    .bounds([first.at_s - 1.0, last.at_s])
                    .labels([seconds(first.at_s - 1.0), seconds(last.at_s)]),
            )
            .y_axis(
                Axis::default()
                    .bounds([0.0, most * 1.05])
                    .labels(["0".to_owned(), time(most * 1.05)]),
            );
        frame.render_widget(chart, rest);
    }

    fn client(&self, look: Look<'_>, area: Rect, frame: &mut Frame<'_>) {
        let s = look.snapshot;
        let limit = SEND_LAG.limit.unwrap_or_default();
        let behind = s.due.map(|due| due.saturating_sub(s.sent));
        let behind = behind.map_or_else(
            || "not known: answers decide when requests are due".to_owned(),
            |behind| format!("{} due and not sent", count(behind)),
        );
        let lines = vec![
            format!("Send lag   {}", spread(&s.send_lag)),
            format!(
                "           a p99 beyond {} is questionable, beyond {} and a tenth of the TTFT invalid",
                time(limit * QUESTIONABLE_FRACTION),
                time(limit)
            ),
            format!("Behind     {behind}"),
        ];
        let rest = text(lines, area, frame);
        let sparks = [Spark::of("Cores busy", |p| p.cores)];
        self.sparks(look.series, &sparks, rest, frame);
    }

    fn server(&self, look: Look<'_>, area: Rect, frame: &mut Frame<'_>) {
        let s = look.snapshot;
        let mut lines = vec![
            "As seen from here; its own metrics are in the report.".to_owned(),
            format!("In flight  {}", count(s.in_flight)),
        ];
        let failed = s.failed_by.iter();
        lines
            .extend(failed.map(|f| format!("Failed     {} {}", count(f.count), f.reason.as_str())));
        let rest = text(lines, area, frame);
        let sparks = [
            Spark::of("Tokens/s", |p| p.tokens_per_s),
            Spark::of("Done/s", |p| p.done_per_s),
        ];
        self.sparks(look.series, &sparks, rest, frame);
    }

    fn findings(&self, look: Look<'_>, area: Rect, frame: &mut Frame<'_>) {
        let mut lines = signs(look.snapshot);
        if lines.is_empty() {
            lines.push("Nothing strikes the eye.".to_owned());
        }
        lines.push("The run is judged when it has ended.".to_owned());
        if !self.said.is_empty() {
            lines.push(String::new());
            lines.push("Said before the load:".to_owned());
            lines.extend(self.said.iter().cloned());
        }
        let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
    }

    /// Rates over time, the latest at the right, each with its last value in words.
    fn sparks(&self, series: &Series, sparks: &[Spark], area: Rect, frame: &mut Frame<'_>) {
        let heights = sparks.iter().map(|_| Constraint::Max(6));
        let areas = Layout::vertical(heights).split(area);
        for (spark, area) in sparks.iter().zip(areas.iter()) {
            let wide = usize::from(area.width);
            let points = series.points();
            let shown = &points[points.len().saturating_sub(wide)..];
            // In thousandths: a sparkline takes whole numbers.
            let data: Vec<u64> = shown
                .iter()
                .map(|p| ((spark.of)(p) * 1e3).round() as u64)
                .collect();
            let most = shown.iter().map(spark.of).fold(0.0, f64::max);
            let last = shown.last().map_or(0.0, spark.of);
            let title = format!(
                "{} now {}, at most {}",
                spark.name,
                significant(last),
                significant(most)
            );
            let drawn = Sparkline::default()
                .data(data)
                .style(self.style(Color::Cyan))
                .block(Block::new().title(title));
            frame.render_widget(drawn, *area);
        }
    }
}

/// A figure over time.
struct Spark {
    name: &'static str,
    of: fn(&Point) -> f64,
}

impl Spark {
    fn of(name: &'static str, of: fn(&Point) -> f64) -> Self {
        Self { name, of }
    }
}

/// Lines at the top, and what is left of the area.
fn text(lines: Vec<String>, area: Rect, frame: &mut Frame<'_>) -> Rect {
    let height = lines.len() as u16 + 1;
    let rows = [Constraint::Length(height), Constraint::Min(0)];
    let [above, below] = Layout::vertical(rows).areas(area);
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), above);
    below
}

/// `p50 41.2 ms, p99 120 ms of 1,204`.
fn spread(times: &Times) -> String {
    let at = |name: &str, share: f64| Some(format!("{name} {}", time(times.at_share(share)?)));
    let parts = [at("p50", 0.5), at("p90", 0.9), at("p99", 0.99)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "nothing yet".to_owned(),
        false => format!("{} of {}", parts.join(", "), count(times.n())),
    }
}

/// What a reader should look into, in words.
fn signs(s: &Snapshot) -> Vec<String> {
    let limit = SEND_LAG.limit.unwrap_or_default() * QUESTIONABLE_FRACTION;
    let late = questionable_lag(s).map(|lag| {
        format!(
            "Requests are sent late by the client itself: p99 {} (questionable beyond {}).",
            time(lag),
            time(limit)
        )
    });
    let behind = s.due.map(|due| due.saturating_sub(s.sent));
    let behind = behind.filter(|behind| *behind > 1 + s.sent / 100);
    let behind = behind.map(|behind| format!("{} requests are due and not sent.", count(behind)));
    let failed = failures(s).map(|failed| format!("Requests {failed}."));
    [failed, late, behind].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::line::tests::snapshot;
    use crate::progress::series::tests::even;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(tab: Tab, width: u16, height: u16, snapshot: &Snapshot) -> String {
        let mut plan = Plan::defaults();
        plan.target = "http://host\u{1b}[2J:8000".to_owned();
        plan.rate = Some(10.0);
        let said = ["server: vLLM\u{1b}]0;x\u{7}".to_owned()];
        let view = View {
            tab,
            ..View::of(&plan, &said, false)
        };
        let series = even(30);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a backend");
        let look = Look {
            snapshot,
            series: &series,
        };
        terminal
            .draw(|frame| view.draw(look, frame))
            .expect("drawn");
        terminal.backend().to_string()
    }

    fn check(tab: Tab, words: &[&str]) {
        let text = drawn(tab, 80, 24, &snapshot());
        for word in words {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn every_side_says_what_it_is_about() {
        check(
            Tab::Load,
            &[
                "41 %  measuring, 18 s left",
                "121 due, 120 sent",
                "112 done, 7 in flight",
                "failed 1: http_status 1",
                "Sent/s now 10.0, at most 10.0",
            ],
        );
        check(
            Tab::Latency,
            &["TTFT from the send so far: nothing yet", "TTFT over time"],
        );
        check(
            Tab::Client,
            &["Send lag", "1 due and not sent", "Cores busy now 0.500"],
        );
        check(
            Tab::Server,
            &["As seen from here", "1 http_status", "Tokens/s now 400"],
        );
        check(
            Tab::Findings,
            &[
                "Requests failed 1: http_status 1.",
                "judged when it has ended",
                "server: vLLM",
            ],
        );
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (10, 3), (40, 8), (80, 24), (300, 100)] {
            for tab in Tab::ALL {
                drawn(tab, width, height, &snapshot());
            }
        }
    }

    #[test]
    fn who_stops_is_told_what_a_second_press_does() {
        let stopping = Snapshot {
            stopping: true,
            ..snapshot()
        };
        let text = drawn(Tab::Load, 100, 24, &stopping);
        assert!(
            text.contains("Stopping. Ctrl-C again cancels what is"),
            "{text}"
        );
    }

    #[test]
    fn tabs_go_round() {
        let mut view = View::of(&Plan::defaults(), &[], true);
        view.turn(-1);
        assert_eq!(view.tab, Tab::Findings);
        view.turn(2);
        assert_eq!(view.tab, Tab::Latency);
    }
}
