//! TTFT by prompt length and load, as a heat map.

use super::Pictured;
use super::over_time::from;
use super::timed::estimate;
use crate::chart::{Axis, Cells, Chart, Field, Marks, Range, Series, Unit};
use infermeter_analysis::series::{Band, HeatField};
use infermeter_core::number::{count, counted};

/// The map; `None` where all prompts and loads are the same.
pub(super) fn chart(of: &Pictured<'_>) -> Option<Chart> {
    let map = of.series.ttft_by_load.as_ref()?;
    let loads = map.in_flight.len();
    let x = Axis::categories("prompt tokens", names(map.prompt_tokens.iter()));
    // From above: the highest load first.
    let y = Axis::categories(
        "others in flight at the send",
        names(map.in_flight.iter().rev()),
    );
    let mut chart = Chart::new("ttft-by-load", "TTFT by prompt length and load", x, y);
    let (known, thin): (Vec<&HeatField>, Vec<_>) = map.fields.iter().partition(|f| f.p50.is_some());
    let field = |field: &&HeatField| {
        Some(Field {
            x: Range::of_category(field.prompt),
            y: Range::of_category(loads - 1 - field.load),
            value: estimate(field.p50?),
            n: Some(field.n),
            label: String::new(),
        })
    };
    let cells = Cells {
        of: Axis::linear("median TTFT", Unit::Milliseconds),
        cells: known.iter().filter_map(field).collect(),
    };
    let n: u64 = map.fields.iter().map(|f| f.n).sum();
    chart.series.push(Series {
        label: "median TTFT".to_owned(),
        n: Some(n),
        marks: Marks::Cells(cells),
        ..Series::default()
    });
    chart.said.push(format!(
        "Median TTFT {} of {}, with its 95 % interval on the effective sample size.",
        from(of.series.origin),
        counted(n, "completed measured request"),
    ));
    let of_thin: u64 = thin.iter().map(|f| f.n).sum();
    if of_thin > 0 {
        chart.said.push(format!(
            "{} fields are blank: their {} do not carry a median.",
            count(thin.len() as u64),
            counted(of_thin, "request"),
        ));
    }
    chart.said.push(
        "Bands hold about equally many requests. Prompt tokens are those of usage where the server gives them; \
         the load counts every other request between send and close."
            .to_owned(),
    );
    Some(chart)
}

fn names<'a>(bands: impl Iterator<Item = &'a Band>) -> Vec<String> {
    let name = |band: &Band| match band.least == band.greatest {
        true => count(band.least),
        false => format!("{} to {}", count(band.least), count(band.greatest)),
    };
    bands.map(name).collect()
}
