//! Energy: what the GPUs drew over the window, and what that makes per token, per request and in money.
//!
//! Counted are the GPUs of every page that was read, each once by its own name. Tokens and requests are those of the
//! window's throughput. Invariant: where one GPU's energy is not known, that of all of them is not, and it is never 0.

mod gpu;
mod meter;
mod sensor;

pub use gpu::{GpuEnergy, GpuGauge};
pub use meter::{EnergyMethod, Measured};
pub use sensor::Sensor;

use crate::objective::Goodput;
use crate::run::Run;
use crate::throughput::{Rate, ThroughputSummary};
use gpu::{Said, Told};
use infermeter_core::environment::MetricsPlace;
use infermeter_core::run::Window;
use infermeter_core::server::{
    Quantity, ReadingCause, ServerEngine, ServerFigures, ServerReading, ServerReadings,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Joules of a kilowatt-hour.
const KWH_J: f64 = 3.6e6;
/// Tokens are paid by the million.
const MILLION: f64 = 1e6;
/// A GPU that is busy for less of the time than this does nothing.
const IDLE_SHARE: f64 = 0.1;

/// Energy of the GPUs over the measured window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnergySummary {
    /// Why nothing is known of any GPU; absent where something is.
    pub not_available: Option<String>,
    /// Who told of GPUs and hosts.
    pub sources: Vec<ServerEngine>,
    /// Readings of the window with figures, of all who told.
    pub readings: usize,
    /// Readings of the window without.
    pub failed: usize,
    /// Why the first of those had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The GPUs, each once.
    pub gpus: Vec<GpuEnergy>,
    /// Energy of all of them, joules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Measured>,
    /// Their mean power together, in watts: energy over the window's seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_power_w: Option<f64>,
    /// Joules per output token of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_output_token: Option<Measured>,
    /// Joules per token of the window, input and output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_token: Option<Measured>,
    /// Joules per completed request of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<Measured>,
    /// Joules per request that meets every objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_good_request: Option<Measured>,
    /// What that energy costs; absent where no price was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<EnergyCost>,
    /// Readings at which requests waited, and at how many of them the GPUs did nothing; absent where
    /// either is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_while_waiting: Option<IdleWhileWaiting>,
    /// Hosts that told of themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostLoad>,
}

/// What energy costs, in the money of the price of a kilowatt-hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnergyCost {
    /// An hour at the window's mean power, in the money of the price.
    pub hour: f64,
    /// A million output tokens, in the same.
    pub million_output: Option<f64>,
    /// A million tokens, input and output, in the same.
    pub million_total: Option<f64>,
    /// A request that meets every objective, in the same.
    pub good_request: Option<f64>,
}

/// GPUs that did nothing while requests waited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdleWhileWaiting {
    /// Readings at which requests waited.
    pub waiting: usize,
    /// Of those, with GPUs that were busy for less than a tenth of the time.
    pub idle: usize,
}

/// A host over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostLoad {
    /// Its page, without credentials.
    pub source: String,
    /// Share of its CPU time that was not idle.
    pub cpu_busy: Option<f64>,
    /// The most of its memory in use, bytes.
    pub memory_used: Option<f64>,
    /// Its memory, bytes.
    pub memory_total: Option<f64>,
}

/// What came out of the window: what energy is shared by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output<'a> {
    pub throughput: Option<&'a ThroughputSummary>,
    pub goodput: Option<&'a Goodput>,
}

impl EnergySummary {
    /// Of a run whose window is known, where anybody told of GPUs, or was to.
    pub(crate) fn of(run: &Run, window: Option<Window>, output: Output<'_>) -> Option<Self> {
        let window = window?;
        let pages = run.server.as_ref().map(ServerReadings::device_pages);
        let server = run
            .server
            .as_ref()
            .zip(pages.filter(|pages| !pages.is_empty()));
        let Some((server, pages)) = server else {
            return Self::missing(run);
        };
        let inside = |r: &&ServerReading| pages.contains(&r.page) && window.contains(r.at());
        let inside: Vec<&ServerReading> = server.readings.iter().filter(inside).collect();
        let failed = || inside.iter().filter(|r| r.error.is_some());
        let gpus: Vec<GpuEnergy> = told(server).iter().map(|gpu| gpu.over(window)).collect();
        let mut found = Self {
            sources: pages
                .iter()
                .map(|page| server.watch.pages[*page].engine)
                .collect(),
            readings: inside.len() - failed().count(),
            failed: failed().count(),
            failure: failed().next().and_then(|r| r.error.clone()),
            idle_while_waiting: IdleWhileWaiting::of(server, window),
            hosts: pages
                .iter()
                .filter_map(|page| HostLoad::of(server, *page, window))
                .collect(),
            ..Self::unknown(None)
        };
        if gpus.is_empty() {
            let why = found.failure.clone();
            let nothing = || "no page that was read tells of a GPU".to_owned();
            found.not_available = Some(why.unwrap_or_else(nothing));
        }
        found.share(sum(&gpus), window, output);
        found.gpus = gpus;
        found.cost = run.manifest.plan.kwh.and_then(|kwh| found.cost(kwh));
        Some(found)
    }

    /// Where nobody was read: said where somebody was to be.
    fn missing(run: &Run) -> Option<Self> {
        if run.manifest.plan.gpu_metrics.places().is_empty() {
            return None;
        }
        match run.manifest.environment.target.gpu_metrics.as_ref()? {
            MetricsPlace::NotAvailable { not_available } => {
                Some(Self::unknown(Some(not_available.clone())))
            }
            MetricsPlace::Known { .. } => None,
        }
    }

    fn unknown(not_available: Option<String>) -> Self {
        Self {
            not_available,
            sources: Vec::new(),
            readings: 0,
            failed: 0,
            failure: None,
            gpus: Vec::new(),
            energy: None,
            mean_power_w: None,
            per_output_token: None,
            per_token: None,
            per_request: None,
            per_good_request: None,
            cost: None,
            idle_while_waiting: None,
            hosts: Vec::new(),
        }
    }

    /// Shares the energy by what came out.
    fn share(&mut self, energy: Option<Measured>, window: Window, output: Output<'_>) {
        let Some(energy) = energy else {
            return;
        };
        let per = |rate: Option<Rate>| energy.per(rate?.count);
        let throughput = output.throughput;
        self.energy = Some(energy);
        self.mean_power_w = Some(energy.value / window.seconds());
        self.per_output_token = per(throughput.and_then(|t| t.output_tokens));
        self.per_token = per(throughput.and_then(|t| t.total_tokens));
        self.per_request = per(throughput.map(|t| t.requests));
        self.per_good_request = per(output.goodput.and_then(|goodput| goodput.requests));
    }

    fn cost(&self, kwh: f64) -> Option<EnergyCost> {
        let price = |joules: f64| joules / KWH_J * kwh;
        let each = |per: Option<Measured>, many: f64| per.map(|per| price(per.value) * many);
        Some(EnergyCost {
            hour: price(self.mean_power_w? * crate::cost::HOUR_S),
            million_output: each(self.per_output_token, MILLION),
            million_total: each(self.per_token, MILLION),
            good_request: each(self.per_good_request, 1.0),
        })
    }
}

/// The energy of all GPUs; `None` where there is none, or one's is not known.
fn sum(gpus: &[GpuEnergy]) -> Option<Measured> {
    let all = gpus.iter().map(|gpu| gpu.energy);
    let all: Option<Vec<Measured>> = all.collect();
    all?.into_iter().reduce(|a, b| Measured {
        value: a.value + b.value,
        error: a.error + b.error,
    })
}

/// Every GPU with all that it said, each once: who tells of it again is not read twice.
fn told(server: &ServerReadings) -> Vec<Told<'_>> {
    let mut all: Vec<Told<'_>> = Vec::new();
    for page in server.device_pages() {
        let watched = &server.watch.pages[page];
        if watched.engine == ServerEngine::NodeExporter {
            continue;
        }
        let mut own: BTreeMap<BTreeMap<String, String>, Vec<Said<'_>>> = BTreeMap::new();
        for reading in server.of_page(page).filter(|r| r.error.is_none()) {
            for (labels, figures) in of_reading(reading) {
                own.entry(labels).or_default().push(said(reading, figures));
            }
        }
        for (labels, said) in own {
            let gpu = Told {
                labels,
                source: watched.url.clone(),
                said,
            };
            if !all.iter().any(|known| known.uuid() == gpu.uuid()) {
                all.push(gpu);
            }
        }
    }
    all
}

/// The GPUs of a reading; the page as one where it does not tell them apart.
fn of_reading(reading: &ServerReading) -> Vec<(BTreeMap<String, String>, &ServerFigures)> {
    let apart = reading.detail.engines.iter();
    let apart: Vec<_> = apart
        .map(|gpu| (gpu.labels.clone(), &gpu.figures))
        .collect();
    match apart.is_empty() {
        true => vec![(BTreeMap::new(), &reading.figures)],
        false => apart,
    }
}

fn said<'a>(reading: &ServerReading, figures: &'a ServerFigures) -> Said<'a> {
    Said {
        at: reading.at(),
        slack_ns: (reading.answered_ns.since(reading.asked_ns) / 2).max(0),
        cause: reading.cause,
        figures,
    }
}

impl IdleWhileWaiting {
    /// At the readings of the server's queue inside the window, what GPUs said nearest to them.
    fn of(server: &ServerReadings, window: Window) -> Option<Self> {
        let interval_ns = server.watch.interval_ns.unsigned_abs();
        let devices = server.device_pages();
        let busy = server.readings.iter().filter(|r| devices.contains(&r.page));
        let busy = busy.filter_map(|r| Some((r.at(), r.figures.get(Quantity::GpuUtilisation)?)));
        let busy: Vec<_> = busy.collect();
        let joined = server.joined();
        let regular = joined.iter();
        let regular =
            regular.filter(|r| r.cause == ReadingCause::Interval && window.contains(r.at()));
        let mut found = None;
        for reading in regular {
            let waiting = reading.figures.get(Quantity::Waiting);
            let apart = |(at, _): &&(_, f64)| reading.at().since(*at).unsigned_abs();
            let nearest = busy.iter().min_by_key(apart);
            let near = nearest.filter(|said| apart(said) <= interval_ns);
            let (Some(waiting), Some((_, share))) = (waiting, near) else {
                continue;
            };
            let found = found.get_or_insert(Self {
                waiting: 0,
                idle: 0,
            });
            found.waiting += usize::from(waiting > 0.0);
            found.idle += usize::from(waiting > 0.0 && *share < IDLE_SHARE);
        }
        found
    }
}

impl HostLoad {
    fn of(server: &ServerReadings, page: usize, window: Window) -> Option<Self> {
        let watched = &server.watch.pages[page];
        if watched.engine != ServerEngine::NodeExporter {
            return None;
        }
        let inside: Vec<&ServerReading> = server
            .of_page(page)
            .filter(|r| r.error.is_none() && window.contains(r.at()))
            .collect();
        let (first, last) = inside.first().zip(inside.last())?;
        let idle = |r: &ServerReading| {
            let modes = r.detail.parts.get(Quantity::HostCpuTime)?;
            Some(modes.get("idle")? + modes.get("iowait").copied().unwrap_or(0.0))
        };
        let rise = |of: &dyn Fn(&ServerReading) -> Option<f64>| Some(of(last)? - of(first)?);
        let all = rise(&|r| r.figures.get(Quantity::HostCpuTime));
        let share = all.filter(|all| *all > 0.0).zip(rise(&idle));
        let memory = |r: &&ServerReading| {
            let of = |quantity| r.figures.get(quantity);
            Some(of(Quantity::HostMemoryTotal)? - of(Quantity::HostMemoryAvailable)?)
        };
        Some(Self {
            source: watched.url.clone(),
            cpu_busy: share.map(|(all, idle)| (1.0 - idle / all).clamp(0.0, 1.0)),
            memory_used: inside.iter().filter_map(memory).reduce(f64::max),
            memory_total: last.figures.get(Quantity::HostMemoryTotal),
        })
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
