//! What is told of the figures of a trace.
//!
//! Names from the file are kept as they are: every format makes them inert.

use super::figures::{Arrivals, Class, Figures, Lengths, Sessions, Shares};
use infermeter_core::number::{count, counted};
use infermeter_core::text::inert;
use infermeter_report::number::{figure, percent, significant, span};
use infermeter_report::{Block, Cell, Column, Document, Entries, Section, Spark, Table, Tone};

/// Rows of an instant, on average, from which the clock of a trace looks coarse.
const COARSE: f64 = 2.0;

/// The figures as a document.
pub fn document(figures: &Figures) -> Document {
    let mut document = Document::titled(figures.file.clone());
    document.push(head(figures));
    document.push(lengths(figures));
    document.push(histogram(figures));
    if let Some(arrivals) = &figures.arrivals {
        document.push(of_arrivals(arrivals));
    }
    if let Some(sharing) = &figures.sharing {
        let block = figures.facts.as_ref().and_then(|facts| facts.block_tokens);
        document.push(of_sharing(sharing, block));
    }
    if let Some(sessions) = &figures.sessions {
        document.push(of_sessions(sessions));
    }
    document.push(of_classes(&figures.classes, figures.rows));
    document
}

fn head(figures: &Figures) -> Section {
    let mut entries = Entries::default();
    if let Some(facts) = &figures.facts {
        let packed = if facts.compressed { ", gzip" } else { "" };
        entries.add("Format", format!("{}{packed}", facts.format));
        let unit = facts.time_unit;
        entries.maybe("Times in", unit.map(|unit| unit.name().to_owned()));
    }
    entries.add("Rows", count(figures.rows));
    entries.maybe("With images", figures.rows_with_images.map(count));
    entries.all("Note", figures.notes.iter().map(|note| inert(note, 400)));
    if let Some(texts) = figures.texts_not_counted {
        let texts = counted(texts, "text");
        let hint = format!("{texts} not counted: give --tokenizer o200k (or another)");
        entries.add("Prompt tokens", hint);
    }
    Section::new("").with(entries)
}

fn lengths(figures: &Figures) -> Section {
    let names = ["mean", "p50", "p90", "p99", "max", "cv"];
    let mut table = Table::new("", names.map(Column::right).to_vec());
    for (name, lengths) in of_both(figures) {
        if let Some(l) = lengths {
            let values = [l.mean, l.p50, l.p90, l.p99, l.max];
            let mut cells = values.map(|value| Cell::of(figure(value))).to_vec();
            cells.push(Cell::or_dash(l.cv.map(significant)));
            table.row(name, cells);
        }
    }
    let mut section = Section::new("Lengths, tokens").with(table);
    if let Some(correlation) = figures.rank_correlation {
        let text = format!("Rank correlation of prompt and answer: {correlation:.2}.");
        section.push(Block::Text(Tone::Plain, text));
    }
    section
}

fn of_both(figures: &Figures) -> [(&'static str, Option<&Lengths>); 2] {
    [
        ("prompt", figures.prompt_tokens.as_ref()),
        ("answer", figures.answer_tokens.as_ref()),
    ]
}

/// Shares of prompts and answers by powers of two, side by side.
fn histogram(figures: &Figures) -> Section {
    let columns = of_both(figures).map(|(_, lengths)| lengths);
    let share = |lengths: Option<&Lengths>, power: usize| {
        let lengths = lengths?;
        let count = lengths.by_power_of_two.get(power).copied().unwrap_or(0);
        (count > 0).then(|| count as f64 / lengths.n as f64)
    };
    let of_power = |power: usize| columns.map(|lengths| share(lengths, power));
    let powers = columns.into_iter().flatten();
    let top = powers.map(|l| l.by_power_of_two.len()).max().unwrap_or(0);
    let used = |power: &usize| of_power(*power).iter().any(Option::is_some);
    let Some(bottom) = (0..top).find(used) else {
        return Section::default();
    };
    let all = (bottom..top).flat_map(of_power).flatten();
    let most = all.fold(f64::MIN_POSITIVE, f64::max);
    let heads = ["prompts", "answers"];
    let heads = heads.map(|name| [Column::right("share").of(name), Column::left("").of(name)]);
    let mut table = Table::new("tokens, below", heads.concat());
    for power in bottom..top {
        let cells = of_power(power).map(|share| match share {
            None => [Cell::noted(""), Cell::bar(0.0)],
            Some(share) => [Cell::of(percent(share)), Cell::bar(share / most)],
        });
        let range = format!("{} - {}", short(1 << power), short(2 << power));
        table.row(range, cells.concat());
    }
    Section::new("Lengths by powers of two").with(table)
}

fn of_arrivals(arrivals: &Arrivals) -> Section {
    let mut entries = Entries::default();
    let rate = arrivals.rate_per_s.map_or(String::new(), |rate| {
        format!(", {} requests/s on average", significant(rate))
    });
    entries.add("Time span", format!("{}{rate}", span(arrivals.span_s)));
    let instants = count(arrivals.distinct_instants as u64);
    entries.add("Instants", format!("{instants} distinct"));
    let rows = arrivals.over_time.iter().sum::<u64>() as f64 / arrivals.distinct_instants as f64;
    if rows >= COARSE {
        let rows = figure(rows);
        entries.more(format!("{rows} rows share one: see the option spread"));
    }
    if let Some(gaps) = &arrivals.gaps_s {
        entries.add(
            "Gaps",
            format!(
                "p50 {}, p90 {}, p99 {}, max {}",
                span(gaps.p50),
                span(gaps.p90),
                span(gaps.p99),
                span(gaps.max)
            ),
        );
    }
    let cv = arrivals.gap_cv;
    let cv = cv.map(|cv| format!("{} (Poisson: 1)", significant(cv)));
    entries.maybe("Gaps' CV", cv);
    let windows = arrivals.dispersion.iter();
    let windows = windows.map(|d| format!("{} at {} s", significant(d.index), d.window_s));
    let windows: Vec<String> = windows.collect();
    if !windows.is_empty() {
        let text = format!("{} (Poisson: 1)", windows.join(", "));
        entries.add("Dispersion", text);
    }
    let mut section = Section::new("Arrivals").with(entries);
    if arrivals.span_s > 0.0 {
        section.push(over_time(arrivals));
    }
    section
}

fn over_time(arrivals: &Arrivals) -> Block {
    let most = arrivals.over_time.iter().max().copied().unwrap_or(0);
    let part = arrivals.span_s / arrivals.over_time.len() as f64;
    Block::Spark(Spark {
        label: "Over time".to_owned(),
        counts: arrivals.over_time.clone(),
        caption: format!(
            "highest: {} requests/s over {}",
            significant(most as f64 / part),
            span(part)
        ),
    })
}

fn of_sharing(shares: &Shares, block_tokens: Option<u32>) -> Section {
    let counts = &shares.counts;
    let size = block_tokens.map_or(String::new(), |size| format!(", blocks of {size} tokens"));
    let mut entries = Entries::default();
    entries.add(
        "Blocks",
        format!(
            "{}, {} distinct",
            count(counts.blocks),
            count(counts.distinct_blocks)
        ),
    );
    let columns = vec![Column::right("hit rate"), Column::left("")];
    let mut table = Table::new("cache without limits", columns);
    for (name, rate) in [
        ("by blocks", shares.block_hit_rate),
        ("by tokens", shares.token_hit_rate),
    ] {
        table.row(name, vec![Cell::of(percent(rate)), Cell::bar(rate)]);
    }
    Section::new(format!("Prefix sharing{size}"))
        .with(entries)
        .with(table)
}

fn of_sessions(sessions: &Sessions) -> Section {
    let mut entries = Entries::default();
    entries.add("Number", count(sessions.sessions as u64));
    let requests = &sessions.requests;
    entries.add(
        "Requests each",
        format!(
            "mean {}, p50 {}, p90 {}, p99 {}, max {}",
            significant(requests.mean),
            figure(requests.p50),
            figure(requests.p90),
            figure(requests.p99),
            figure(requests.max)
        ),
    );
    if let Some(delays) = &sessions.delays_s {
        entries.add(
            "Delays",
            format!(
                "p50 {}, p90 {}, max {} ({} of them)",
                span(delays.p50),
                span(delays.p90),
                span(delays.max),
                count(delays.n as u64)
            ),
        );
    }
    if sessions.waiting > 0 {
        let (waiting, joining) = (count(sessions.waiting), count(sessions.joining));
        entries.add(
            "Waiting",
            format!("{waiting} for an answer, {joining} of them for several"),
        );
    }
    Section::new("Conversations").with(entries)
}

fn of_classes(classes: &[Class], rows: u64) -> Section {
    let names = ["rows", "share", "prompt p50", "answer p50"];
    let mut table = Table::new("", names.map(Column::right).to_vec());
    let middle = |lengths: &Option<Lengths>| lengths.as_ref().map(|l| figure(l.p50));
    for class in classes {
        let cells = vec![
            Cell::of(count(class.rows)),
            Cell::of(percent(class.rows as f64 / rows.max(1) as f64)),
            Cell::or_dash(middle(&class.prompt_tokens)),
            Cell::or_dash(middle(&class.answer_tokens)),
        ];
        table.row(class.name.clone(), cells);
    }
    Section::new("Classes").with(table)
}

/// A limit of the histogram: `512`, `4k`, `1M` (powers of 1,024).
fn short(value: u64) -> String {
    match value {
        0..1_024 => value.to_string(),
        1_024..1_048_576 => format!("{}k", value / 1_024),
        _ => format!("{}M", value / 1_048_576),
    }
}
