//! Repeated runs on a terminal: verdict and findings, what was asked to be pinned down, and each
//! figure over the runs.

use crate::findings;
use crate::number::{counted, interval, significant, time};
use crate::style::Style;
use infermeter_analysis::{
    Over, PrecisionLook, PrecisionMethod, PrecisionState, Repeated, RepeatedFigure,
};
use infermeter_core::finding::{Finding, Verdict};

/// Renders repeated runs for people. Ends with a line break.
pub fn repeated(
    repeated: &Repeated,
    looks: &[PrecisionLook],
    (verdict, findings): (Verdict, &[Finding]),
    style: Style,
) -> String {
    let mut lines = findings::lines(verdict, findings, style);
    lines.push(String::new());
    if let Some(last) = looks.last() {
        lines.extend(precision(last, style));
        lines.push(String::new());
    }
    let heading = format!(
        "Figures over {} runs: mean over runs [{:.0} % interval]",
        repeated.runs,
        repeated.confidence_level * 100.0
    );
    lines.push(style.heading(&heading));
    lines.push(format!(
        "  {:<26}{:<28}{:>10}{:>10}{:>10}{:>8}{:>6}",
        "", "mean", "std", "min", "max", "CV", "runs"
    ));
    lines.extend(repeated.figures.iter().filter_map(row));
    let absent: Vec<&str> = repeated
        .figures
        .iter()
        .filter(|figure| figure.over.is_none())
        .map(|figure| figure.name.as_str())
        .collect();
    if !absent.is_empty() {
        let text = format!("No run supports {}.", absent.join(", "));
        lines.extend(style.wrap(2, &text).iter().map(|line| format!("  {line}")));
    }
    lines.join("\n") + "\n"
}

/// One line for a run that has ended.
pub fn run_line(number: usize, most: usize, verdict: Verdict, repeated: &Repeated) -> String {
    let of = |name: &str| -> Option<String> {
        let figure = repeated.figure(name)?;
        let value = (*figure.runs.last()?)?;
        let shown = match figure.unit.as_ref() {
            "ms" => time(value),
            _ => significant(value),
        };
        Some(format!("{name} {shown}"))
    };
    let names = ["ttft.p50", "ttft.p99", "itl.p50", "output_tokens_per_s"];
    let figures: Vec<String> = names.into_iter().filter_map(of).collect();
    format!(
        "Run {number} of {most}: {}; {}",
        verdict.as_str(),
        figures.join(", ")
    )
}

/// What a look found, and what it means for the runs to come.
pub fn look_line(look: &PrecisionLook) -> String {
    let by = match look.method {
        PrecisionMethod::ConfidenceSequence => "confidence sequence over all requests",
        PrecisionMethod::PlannedLooks => "planned looks at runs",
    };
    let width = match (look.value, look.relative) {
        (Some(value), Some(relative)) => {
            format!("{} +-{}%", time(value), significant(relative * 100.0))
        }
        (Some(value), None) => format!("{} with an open interval", time(value)),
        (None, _) => "nothing to say yet".to_owned(),
    };
    let state = match look.state {
        PrecisionState::Reached => "reached".to_owned(),
        PrecisionState::NotReached => "not reached".to_owned(),
        PrecisionState::Continue => match look.expected_runs {
            Some(runs) => format!("{runs} runs expected"),
            None => "going on".to_owned(),
        },
    };
    format!(
        "{}: {width} after {} ({by}): {state}",
        look.asked,
        counted(look.runs as u64, "run")
    )
}

fn precision(last: &PrecisionLook, style: Style) -> Vec<String> {
    let mut lines = vec![style.heading("Precision")];
    lines.push(format!("  {}", look_line(last)));
    if let Some(value) = last.value {
        let range = interval(last.low.map(time), last.high.map(time));
        lines.push(format!(
            "  {} {range}, of joint coverage over all looks",
            time(value)
        ));
    }
    lines
}

fn row(figure: &RepeatedFigure) -> Option<String> {
    let over: &Over = figure.over.as_ref()?;
    let write = significant;
    let range = interval(over.mean.low.map(write), over.mean.high.map(write));
    let some = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), write);
    let unit = match figure.unit.as_ref() {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let percent = over.cv.map(|cv| format!("{} %", write(cv * 100.0)));
    Some(format!(
        "  {:<26}{:<28}{:>10}{:>10}{:>10}{:>8}{:>6}",
        format!("{}{unit}", figure.name),
        format!("{} {range}", write(over.mean.value)),
        some(over.std),
        write(over.min),
        write(over.max),
        percent.unwrap_or_else(|| "-".to_owned()),
        over.n,
    ))
}
