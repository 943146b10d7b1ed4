//! Figures of a trace for a terminal of 80 columns.
//!
//! Formatting only. Invariant: names from the file are made inert, and everything is readable
//! without colour.

use super::chart;
use super::figures::{Arrivals, Class, Figures, Lengths, Sessions, Shares};
use infermeter_core::text::inert;

/// Columns of the labels at the left.
const LABEL: usize = 16;
/// Cells of a bar.
const BAR: usize = 22;
/// Rows of an instant, on average, from which the clock of a trace looks coarse.
const COARSE: f64 = 2.0;
/// Columns in all.
const WIDTH: usize = 80;

/// Whether headings are bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As they are.
    Plain,
    /// With ANSI sequences.
    Ansi,
}

/// The figures as text.
pub fn text(figures: &Figures, ink: Ink) -> String {
    let mut lines = head(figures, ink);
    lengths(figures, ink, &mut lines);
    if let Some(arrivals) = &figures.arrivals {
        show_arrivals(arrivals, ink, &mut lines);
    }
    if let Some(sharing) = &figures.sharing {
        let block = figures.facts.as_ref().and_then(|facts| facts.block_tokens);
        show_sharing(sharing, block, ink, &mut lines);
    }
    if let Some(sessions) = &figures.sessions {
        show_sessions(sessions, ink, &mut lines);
    }
    if !figures.classes.is_empty() {
        show_classes(&figures.classes, figures.rows, ink, &mut lines);
    }
    lines.join("\n") + "\n"
}

fn heading(text: &str, ink: Ink) -> String {
    match ink {
        Ink::Plain => text.to_owned(),
        Ink::Ansi => format!("\u{1b}[1m{text}\u{1b}[0m"),
    }
}

fn entry(label: &str, text: &str) -> String {
    format!("  {label:<LABEL$}{text}")
}

fn head(figures: &Figures, ink: Ink) -> Vec<String> {
    let mut lines = vec![heading(&inert(&figures.file, 200), ink)];
    if let Some(facts) = &figures.facts {
        let packed = if facts.compressed { ", gzip" } else { "" };
        lines.push(entry("Format", &format!("{}{packed}", facts.format)));
        if let Some(unit) = facts.time_unit {
            lines.push(entry("Times in", unit.name()));
        }
    }
    lines.push(entry("Rows", &grouped(figures.rows as f64)));
    if let Some(rows) = figures.rows_with_images {
        lines.push(entry("With images", &grouped(rows as f64)));
    }
    for remark in &figures.notes {
        let remark = inert(remark, 400);
        for (i, line) in wrap(&remark, WIDTH - LABEL - 2).iter().enumerate() {
            lines.push(entry(if i == 0 { "Note" } else { "" }, line));
        }
    }
    if let Some(texts) = figures.texts_not_counted {
        let texts = grouped(texts as f64);
        let hint = format!("{texts} texts not counted: give --tokenizer o200k (or another)");
        lines.push(entry("Prompt tokens", &hint));
    }
    lines
}

fn lengths(figures: &Figures, ink: Ink, lines: &mut Vec<String>) {
    let rows = [
        ("prompt", &figures.prompt_tokens),
        ("answer", &figures.answer_tokens),
    ];
    if rows.iter().all(|(_, lengths)| lengths.is_none()) {
        return;
    }
    lines.push(String::new());
    let columns = ["mean", "p50", "p90", "p99", "max", "cv"];
    let columns: String = columns.iter().map(|name| format!("{name:>9}")).collect();
    let title = format!("{:<w$}{columns}", "Lengths, tokens", w = LABEL + 2);
    lines.push(heading(&title, ink));
    for (name, lengths) in rows {
        if let Some(lengths) = lengths {
            lines.push(entry(name, &quantiles(lengths)));
        }
    }
    if let Some(correlation) = figures.rank_correlation {
        let text = format!("{correlation:.2} between prompt and answer");
        lines.push(entry("rank correlation", &format!(" {text}")));
    }
    lines.push(String::new());
    histogram(rows.map(|(_, lengths)| lengths.as_ref()), lines);
}

fn quantiles(l: &Lengths) -> String {
    let mut text: String = [l.mean, l.p50, l.p90, l.p99, l.max]
        .iter()
        .map(|value| format!("{:>9}", figure(*value)))
        .collect();
    if let Some(cv) = l.cv {
        text += &format!("{cv:>9.2}");
    }
    text
}

/// Shares of prompts and answers by powers of two, side by side.
fn histogram(columns: [Option<&Lengths>; 2], lines: &mut Vec<String>) {
    let counts = columns.map(|c| c.map_or(&[][..], |c| &c.by_power_of_two));
    let totals = columns.map(|c| c.map_or(0, |c| c.n));
    let share = |which: usize, power: usize| {
        let count = counts[which].get(power).copied().unwrap_or(0);
        count as f64 / totals[which].max(1) as f64
    };
    let top = counts[0].len().max(counts[1].len());
    let used = |power: &usize| share(0, *power) + share(1, *power) > 0.0;
    let Some(bottom) = (0..top).find(used) else {
        return;
    };
    let most = (bottom..top)
        .flat_map(|power| [share(0, power), share(1, power)])
        .fold(0.0, f64::max);
    lines.push(format!(
        "  {:<LABEL$}{:<w$}answers",
        "tokens, below",
        "prompts",
        w = BAR + 9
    ));
    for power in bottom..top {
        let cell = |which: usize| {
            let share = share(which, power);
            let percent = match share {
                0.0 => String::new(),
                s if s < 0.0005 => "<0.1 %".to_owned(),
                s => format!("{:.1} %", s * 100.0),
            };
            format!("{percent:>7} {}", chart::bar(share, most, BAR))
        };
        let range = format!("{} - {}", short(1 << power), short(2 << power));
        let line = format!("  {range:>14}  {} {}", cell(0), cell(1));
        lines.push(line.trim_end().to_owned());
    }
}

fn show_arrivals(arrivals: &Arrivals, ink: Ink, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(heading("Arrivals", ink));
    let rate = arrivals.rate_per_s.map_or(String::new(), |rate| {
        format!(", {} requests/s on average", figure(rate))
    });
    lines.push(entry(
        "Time span",
        &format!("{}{rate}", span(arrivals.span_s)),
    ));
    let instants = grouped(arrivals.distinct_instants as f64);
    lines.push(entry("Instants", &format!("{instants} distinct")));
    let rows = arrivals.over_time.iter().sum::<u64>() as f64 / arrivals.distinct_instants as f64;
    if rows >= COARSE {
        let text = format!("{} rows share one: see the option spread", figure(rows));
        lines.push(entry("", &text));
    }
    if let Some(gaps) = &arrivals.gaps_s {
        let text = format!(
            "p50 {}, p90 {}, p99 {}, max {}",
            span(gaps.p50),
            span(gaps.p90),
            span(gaps.p99),
            span(gaps.max)
        );
        lines.push(entry("Gaps", &text));
    }
    if let Some(cv) = arrivals.gap_cv {
        lines.push(entry("Gaps' CV", &format!("{} (Poisson: 1)", figure(cv))));
    }
    let windows: Vec<String> = arrivals
        .dispersion
        .iter()
        .map(|d| format!("{} at {} s", figure(d.index), d.window_s))
        .collect();
    if !windows.is_empty() {
        let text = format!("{} (Poisson: 1)", windows.join(", "));
        lines.push(entry("Dispersion", &text));
    }
    if arrivals.span_s > 0.0 {
        let most = arrivals.over_time.iter().max().copied().unwrap_or(0);
        let part = arrivals.span_s / arrivals.over_time.len() as f64;
        lines.push(entry("Over time", &chart::columns(&arrivals.over_time)));
        let peak = format!(
            "highest: {} requests/s over {}",
            figure(most as f64 / part),
            span(part)
        );
        lines.push(entry("", &peak));
    }
}

fn show_sharing(shares: &Shares, block_tokens: Option<u32>, ink: Ink, lines: &mut Vec<String>) {
    let counts = &shares.counts;
    lines.push(String::new());
    let size = block_tokens.map_or(String::new(), |size| format!(", blocks of {size} tokens"));
    lines.push(heading(&format!("Prefix sharing{size}"), ink));
    let text = format!(
        "{}, {} distinct",
        grouped(counts.blocks as f64),
        grouped(counts.distinct_blocks as f64)
    );
    lines.push(entry("Blocks", &text));
    lines.push(entry("Hit rate of a prefix cache without limits", ""));
    for (name, rate) in [
        ("by blocks", shares.block_hit_rate),
        ("by tokens", shares.token_hit_rate),
    ] {
        let bar = chart::bar(rate, 1.0, 40);
        lines.push(entry(
            name,
            &format!("{:>6.1} % {}", rate * 100.0, bar.trim_end()),
        ));
    }
}

fn show_sessions(sessions: &Sessions, ink: Ink, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(heading("Conversations", ink));
    lines.push(entry("Number", &grouped(sessions.sessions as f64)));
    let requests = &sessions.requests;
    let text = format!(
        "mean {:.2}, p50 {}, p90 {}, p99 {}, max {}",
        requests.mean,
        grouped(requests.p50),
        grouped(requests.p90),
        grouped(requests.p99),
        grouped(requests.max)
    );
    lines.push(entry("Requests of one", &text));
    if let Some(delays) = &sessions.delays_s {
        let text = format!(
            "p50 {}, p90 {}, max {} ({} of them)",
            span(delays.p50),
            span(delays.p90),
            span(delays.max),
            grouped(delays.n as f64)
        );
        lines.push(entry("Delays", &text));
    }
}

fn show_classes(classes: &[Class], rows: u64, ink: Ink, lines: &mut Vec<String>) {
    lines.push(String::new());
    let title = format!(
        "{:<26}{:>9}{:>9}{:>16}{:>16}",
        "Classes", "rows", "share", "prompt p50", "answer p50"
    );
    lines.push(heading(&title, ink));
    let middle =
        |lengths: &Option<Lengths>| lengths.as_ref().map_or(String::new(), |l| figure(l.p50));
    for class in classes {
        let line = format!(
            "  {:<24}{:>9}{:>7.1} %{:>16}{:>16}",
            inert(&class.name, 22),
            grouped(class.rows as f64),
            class.rows as f64 / rows.max(1) as f64 * 100.0,
            middle(&class.prompt_tokens),
            middle(&class.answer_tokens)
        );
        lines.push(line.trim_end().to_owned());
    }
}

/// Words of `text` in lines of at most `width` columns.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Three significant digits below 100, whole numbers above.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => grouped(value.round()),
        v if v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A limit of the histogram: `512`, `4k`, `1M` (powers of 1,024).
fn short(value: u64) -> String {
    match value {
        0..1_024 => value.to_string(),
        1_024..1_048_576 => format!("{}k", value / 1_024),
        _ => format!("{}M", value / 1_048_576),
    }
}

/// Seconds in a unit that fits.
fn span(seconds: f64) -> String {
    match seconds {
        s if s >= 172_800.0 => format!("{} days", figure(s / 86_400.0)),
        s if s >= 7_200.0 => format!("{} h", figure(s / 3_600.0)),
        s if s >= 120.0 => format!("{} min", figure(s / 60.0)),
        s if s >= 1.0 => format!("{} s", figure(s)),
        0.0 => "0".to_owned(),
        s if s >= 0.001 => format!("{} ms", figure(s * 1e3)),
        s => format!("{} µs", figure(s * 1e6)),
    }
}
