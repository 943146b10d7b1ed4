//! Whether the sample carries what is read off it.

use super::{Check, count, percent};
use crate::class_summary::ClassSummary;
use crate::distribution::Distribution;
use crate::figure::{Cell, CellGrade};
use crate::latency::LatencySummary;
use crate::limits::{self, CLASSES_DIFFER, MODES_BANDS};
use crate::modes::{Modes, modes};
use crate::objective::SloStatus;
use crate::percentile::Percentile;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_metrics::origin::Origin;
use infermeter_stats::Plausible;

/// A percentile asked for, by flag or objective, that the sample cannot support.
pub const PERCENTILE_UNSUPPORTED: Check = Check {
    code: "percentile-unsupported",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: asked_percentile,
};

fn asked_percentile(run: &Run, summary: &Summary) -> Option<Finding> {
    let asked = Percentile::asked(&run.manifest.plan);
    let mut thin = thin_cells(summary, &asked);
    for line in &summary.slo {
        // An objective that is decided without it does not need the figure.
        let cell = line.cell.as_ref();
        let undecided = cell.filter(|_| line.status == SloStatus::Undecided);
        if let Some(cell) = undecided {
            thin.push((line.objective.clone(), cell));
        }
    }
    if thin.is_empty() {
        return None;
    }
    Some(PERCENTILE_UNSUPPORTED.found(
        "A percentile asked for has too thin a tail in this sample to be a figure.",
        needs(&thin),
        "Measure longer (--duration or --requests), or ask for a lower percentile.",
    ))
}

/// Default percentiles that the sample cannot support: their cells print what they need.
pub(super) const PERCENTILE_NEEDS_MORE: Check = Check {
    code: "percentile-needs-more",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: default_percentile,
};

fn default_percentile(run: &Run, summary: &Summary) -> Option<Finding> {
    let asked = Percentile::asked(&run.manifest.plan);
    let mut default = Percentile::DEFAULT.to_vec();
    default.retain(|p| !asked.contains(p));
    let thin = thin_cells(summary, &default);
    if thin.is_empty() {
        return None;
    }
    Some(PERCENTILE_NEEDS_MORE.found(
        "Some percentiles have too thin a tail in this sample and are not printed.",
        needs(&thin),
        "Measure longer where you need them.",
    ))
}

/// For each headline metric, the least of `percentiles` that is unsupported.
fn thin_cells<'a>(summary: &'a Summary, percentiles: &[Percentile]) -> Vec<(String, &'a Cell)> {
    let least = |(name, distribution): (&str, &'a Distribution)| {
        let mut cells = distribution.percentiles.iter();
        let (percentile, cell) =
            cells.find(|(p, c)| percentiles.contains(p) && c.grade == CellGrade::Unsupported)?;
        Some((format!("{name} {percentile}"), cell))
    };
    summary.headline().into_iter().filter_map(least).collect()
}

/// What each needs, and how much longer a run would have to be to give it.
fn needs(thin: &[(String, &Cell)]) -> String {
    let list: Vec<String> = thin
        .iter()
        .map(|(name, cell)| {
            let needed = cell.needed.unwrap_or(cell.n);
            let (needed, have) = (count(needed as u64), count(cell.n as u64));
            format!("{name} needs {needed} (have {have})")
        })
        .collect();
    let ratio = |cell: &Cell| cell.needed.unwrap_or(cell.n) as f64 / cell.n as f64;
    let longest = thin.iter().map(|(_, cell)| ratio(cell)).fold(1.0, f64::max);
    format!(
        "{}. A run {} times as long would carry them.",
        list.join(", "),
        longer(longest)
    )
}

/// A factor rounded up: 1.4, 11.
fn longer(factor: f64) -> String {
    if factor < 9.95 {
        format!("{:.1}", (factor * 10.0).ceil() / 10.0)
    } else {
        count(factor.ceil() as u64)
    }
}

/// An objective on a metric that this run has no sample of.
pub(super) const SLO_WITHOUT_DATA: Check = Check {
    code: "slo-without-data",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: slo_without_data,
};

fn slo_without_data(_: &Run, summary: &Summary) -> Option<Finding> {
    let lines = summary.slo.iter().filter(|l| l.lacks_sample());
    let names: Vec<&str> = lines.map(|l| l.objective.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    Some(SLO_WITHOUT_DATA.found(
        "An objective could not be judged: the run has no sample of its metric.",
        names.join(", ") + ".",
        "Answers without a stream have no TTFT, TPOT or ITL; ITL and TPOT need token counts; shares of answers \
         need --check-answers, --canaries, --eval or --reference.",
    ))
}

/// Requests share a queue: the sample is worth less than its size.
pub const CORRELATED_SAMPLES: Check = Check {
    code: "correlated-samples",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: correlated,
};

fn correlated(_: &Run, summary: &Summary) -> Option<Finding> {
    let mut thin = summary.headline();
    thin.retain(|(_, d)| d.correlated == Some(true));
    let thin = thin.into_iter();
    let least = |d: &Distribution| {
        let effective = d.percentiles.values().map(|c| c.effective_n);
        effective.fold(d.n as f64, f64::min)
    };
    let list: Vec<String> = thin
        .clone()
        .map(|(name, d)| {
            let (n, worth) = (count(d.n as u64), count(least(d) as u64));
            format!("{name}: {n} requests are worth {worth} independent ones")
        })
        .collect();
    if list.is_empty() {
        return None;
    }
    Some(CORRELATED_SAMPLES.found(
        "Requests waited on each other, so neighbouring latencies are alike. The intervals shown \
         allow for it; another run may still differ by more than a plain interval would say.",
        list.join("; ") + "." + &widest(thin).unwrap_or_default(),
        "Measure longer, or repeat the run with other seeds (--repeat with longer runs), before \
         reading small differences.",
    ))
}

/// ` At this load the true TTFT p99 is plausibly 21 % lower to 60 % higher.`: of the metric with the
/// widest plausible range, at its highest percentile up to p99 that is a figure.
fn widest<'a>(metrics: impl Iterator<Item = (&'static str, &'a Distribution)>) -> Option<String> {
    let upto = Percentile::new(99.0)?;
    let highest = |(name, d): (&'static str, &'a Distribution)| {
        let mut cells = d.percentiles.iter().rev();
        let (percentile, cell) = cells.find(|(p, c)| **p <= upto && c.value.is_some())?;
        // The full grade is that of a hundred effective tail samples.
        let thin = cell.grade != CellGrade::Full;
        let range = Plausible::of(cell.value?, cell.low, cell.high, thin)?;
        Some((range, name, percentile))
    };
    let width = |range: &Plausible| range.higher.unwrap_or(f64::INFINITY);
    let all = metrics.filter_map(highest);
    let (range, name, percentile) = all.max_by(|a, b| width(&a.0).total_cmp(&width(&b.0)))?;
    let part = |share: f64| match share * 100.0 {
        percent if percent < 1.0 => "under 1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    };
    let unknown = || "an unknown amount".to_owned();
    Some(format!(
        " At this load the true {name} {percentile} is plausibly {} lower to {} higher.",
        range.lower.map_or_else(unknown, part),
        range.higher.map_or_else(unknown, part)
    ))
}

/// One distribution of a summary.
type Metric = fn(&LatencySummary, Origin) -> Option<&Distribution>;

/// Classes whose p99 differ strongly: the p99 over all is that of a mixture.
pub(super) const POOLED_CLASSES: Check = Check {
    code: "pooled-classes",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: pooled_classes,
};

fn pooled_classes(_: &Run, summary: &Summary) -> Option<Finding> {
    let origin = summary.headline_origin;
    let metrics: [(&str, Metric); 3] = [
        ("TTFT", |l, origin| l.ttft.from(origin)),
        ("TPOT", |l, _| l.tpot.as_ref()),
        ("E2E", |l, origin| l.e2e.from(origin)),
    ];
    let apart = metrics.iter().filter_map(|(name, metric)| {
        let of = |class: &'_ ClassSummary| {
            let cell = metric(&class.latency, origin)?.cell(Percentile::new(99.0)?)?;
            Some((class.class.clone(), cell.clone(), cell.value?))
        };
        let mut cells: Vec<(String, Cell, f64)> = summary.classes.iter().filter_map(of).collect();
        cells.sort_by(|a, b| a.2.total_cmp(&b.2));
        let ((low_class, low, least), (high_class, high, most)) = (cells.first()?, cells.last()?);
        let disjoint = low.high? < high.low?;
        (disjoint && *most > CLASSES_DIFFER * least).then(|| {
            format!("{name} p99 {least:.1} ms ({low_class}) and {most:.1} ms ({high_class})")
        })
    });
    let apart: Vec<String> = apart.collect();
    (!apart.is_empty()).then(|| {
        POOLED_CLASSES.found(
            "Classes differ so much that a percentile over all of them describes none.",
            apart.join("; ") + ".",
            "Read the figures by class; an objective for the mixture is met or missed by its \
             slowest class.",
        )
    })
}

/// The tail is far from the median.
pub const TAIL_RATIO: Check = Check {
    code: "tail-ratio",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: Some(limits::TAIL_RATIO),
    test: tail_ratio,
};

fn tail_ratio(_: &Run, summary: &Summary) -> Option<Finding> {
    let heavy = |(name, d): (&str, &Distribution)| {
        let ratio = d.tail_ratio.filter(|ratio| *ratio > limits::TAIL_RATIO)?;
        ["TTFT", "TPOT", "E2E"]
            .contains(&name)
            .then(|| format!("{name} {ratio:.0}"))
    };
    let heavy: Vec<String> = summary.headline().into_iter().filter_map(heavy).collect();
    (!heavy.is_empty()).then(|| {
        TAIL_RATIO.found(
            "The tail is more than ten times the median.",
            format!("p99 / p50: {}.", heavy.join(", ")),
            "Give the p99 beside the median; look for queueing, preemption or mixed classes.",
        )
    })
}

/// Latencies with two modes: percentiles over all requests describe neither population.
pub const POOLED_BIMODAL: Check = Check {
    code: "pooled-bimodal",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: pooled_bimodal,
};

fn pooled_bimodal(run: &Run, summary: &Summary) -> Option<Finding> {
    let all = modes(run, summary.headline_origin);
    if all.is_empty() {
        return None;
    }
    let evidence: Vec<String> = all.iter().map(two_modes).collect();
    let explained = all.iter().any(|m| m.explained.is_some());
    Some(POOLED_BIMODAL.found(
        "Two populations are pooled: a latency has two modes.",
        evidence.join(" "),
        if explained {
            "Read the populations apart: --full breaks figures down by class, turn and length."
        } else {
            "Find out what tells them apart: no class, turn, length, cached prompt or connection \
             does. The ECDF in the JSON shows both."
        },
    ))
}

/// `TTFT has two modes, near 60.1 and 480.2 ms; 25.0 % of the requests are in the smaller one. By class:
/// chat 0.0 % in the upper one, long 100.0 %.`
fn two_modes(modes: &Modes) -> String {
    let found = &modes.found;
    let mut text = format!(
        "{} has two modes, near {:.1} and {:.1} ms; {} of the requests are in the smaller one.",
        modes.metric,
        found.medians.0,
        found.medians.1,
        percent(found.smaller)
    );
    if let Some(explained) = &modes.explained {
        let bands = explained.bands.iter().take(MODES_BANDS);
        let bands: Vec<String> = bands
            .map(|(band, share)| format!("{band} {}", percent(*share)))
            .collect();
        let key = explained.key.replace('_', " ");
        text += &format!(" By {key}, in the upper one: {}", bands.join(", "));
        text += if explained.bands.len() > MODES_BANDS {
            ", ..."
        } else {
            "."
        };
    }
    text
}

#[cfg(test)]
mod tests;
