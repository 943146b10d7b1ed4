//! `infermeter plot DIR --chart NAME`: one chart of a result as a picture.
//!
//! Measures nothing. Invariant: the chart is that of the page which `report --html` writes.

use super::report;
use crate::cli::tables::{PlotArgs, ReportArgs};
use crate::page::{self, Delivery};
use crate::{exit, output, picture};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::text::{inert, not_one_of};
use infermeter_report::chart::Chart;
use infermeter_report::svg::picture as draw;
use infermeter_report::{Block, Document};

/// What a file holds, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
}

/// Runs the subcommand.
///
/// # Errors
/// When the directory holds no result, the chart is none of it, or the picture cannot be written.
pub(crate) fn plot(args: &PlotArgs) -> Result<u8> {
    let kind = kind(args)?;
    if let Some(path) = &args.out {
        page::check_file(path).context("--out")?;
    }
    let of = ReportArgs {
        run_dir: args.run_dir.clone(),
        ..ReportArgs::defaults()
    };
    let draw = |document: &Document| match &args.chart {
        None => list(document),
        Some(name) => put(args, kind, chart(document, name)?),
    };
    report::report(&of, &Delivery::Used(&draw))?;
    Ok(exit::OK)
}

fn kind(args: &PlotArgs) -> Result<Kind> {
    let Some(path) = &args.out else {
        return Ok(Kind::Svg);
    };
    if args.chart.is_none() {
        bail!("--out needs --chart NAME; without both, plot lists the names");
    }
    match path.extension().and_then(|end| end.to_str()) {
        Some("svg") => Ok(Kind::Svg),
        Some("png") => picture::available().map(|()| Kind::Png),
        _ => bail!("--out {}: the name ends with .svg or .png", path.display()),
    }
}

/// The charts of a document, in its order.
fn charts(document: &Document) -> impl Iterator<Item = &Chart> {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    blocks.filter_map(|block| match block {
        Block::Chart(chart) => Some(chart),
        _ => None,
    })
}

fn list(document: &Document) -> Result<()> {
    let lines: Vec<String> = charts(document)
        .map(|chart| format!("{:20} {}\n", chart.slug, inert(&chart.title, 200)))
        .collect();
    if lines.is_empty() {
        bail!("this result has no chart");
    }
    output::print(&lines.concat());
    Ok(())
}

fn chart<'a>(document: &'a Document, name: &str) -> Result<&'a Chart> {
    let found = charts(document).find(|chart| chart.slug == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = charts(document).map(|chart| chart.slug.as_str()).collect();
        match names.is_empty() {
            true => anyhow!("--chart: this result has no chart"),
            false => anyhow!("--chart: {}", not_one_of(name, &names)),
        }
    })
}

fn put(args: &PlotArgs, kind: Kind, chart: &Chart) -> Result<()> {
    let svg = draw(chart, f64::from(args.width), args.theme.into());
    match (&args.out, kind) {
        (None, _) => output::print(&svg),
        (Some(path), Kind::Svg) => page::put(path, svg.as_bytes())?,
        (Some(path), Kind::Png) => page::put(path, &picture::png(&svg)?)?,
    }
    Ok(())
}
