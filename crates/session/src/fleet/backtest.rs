//! A level that a model has not seen: what it says of it, beside what was measured.
//!
//! Invariant: both sides are figures of the same requests, so that what differs is the model.

use super::model::EngineModel;
use super::replay::replay;
use super::seen::SeenRun;
use infermeter_analysis::capacity::{BACKTEST_WITHIN, Backtest, Predicted};
use infermeter_analysis::{Cell, Distribution, Percentile, Summary};

/// The first of the runs that were held out, which are at one rate.
pub(super) fn of(model: &EngineModel, held: &[&SeenRun]) -> Backtest {
    let Some(run) = held.first() else {
        return Backtest {
            rate: 0.0,
            figures: Vec::new(),
        };
    };
    let (measured, simulated) = (&run.summary, &replay(model, run));
    let times = [
        ("ttft.p50", 50.0),
        ("ttft.p99", 99.0),
        ("itl.p50", 50.0),
        ("itl.p99", 99.0),
    ];
    let mut figures: Vec<Predicted> = times
        .into_iter()
        .filter_map(|(name, percent)| time(name, percent, measured, simulated))
        .collect();
    figures.extend(attainment(measured, simulated));
    Backtest {
        rate: run.rate,
        figures,
    }
}

fn time(name: &str, percent: f64, measured: &Summary, simulated: &Summary) -> Option<Predicted> {
    let percentile = Percentile::new(percent)?;
    let cell = |summary| Some(series(name, summary)?.percentiles.get(&percentile)?.clone());
    let found: Cell = cell(measured)?;
    Some(Predicted {
        name: name.to_owned(),
        unit: "ms",
        measured: found.order_statistic?,
        low: found.low,
        high: found.high,
        predicted: cell(simulated)?.order_statistic?,
    })
}

fn series<'a>(name: &str, summary: &'a Summary) -> Option<&'a Distribution> {
    let latency = &summary.latency;
    match name.starts_with("ttft") {
        true => latency.ttft.from(summary.headline_origin),
        // With one token in each chunk they are the same.
        false => latency.itl.as_ref().or(latency.chunk_gap.as_ref()),
    }
}

fn attainment(measured: &Summary, simulated: &Summary) -> Option<Predicted> {
    let share = measured.goodput.as_ref()?.attainment;
    Some(Predicted {
        name: "attainment".to_owned(),
        unit: "",
        measured: share.value,
        low: share.low,
        high: share.high,
        predicted: simulated.goodput.as_ref()?.attainment.value,
    })
}

/// Why a model that failed is not used.
pub(super) fn why(backtest: &Backtest) -> String {
    let Some(worst) = backtest.worst() else {
        return "the level that was held out has no figures to predict".to_owned();
    };
    format!(
        "it predicts {} at {} requests/s {:+.0} % off, more than {:.0} %",
        worst.name,
        backtest.rate,
        worst.error() * 100.0,
        BACKTEST_WITHIN * 100.0
    )
}
