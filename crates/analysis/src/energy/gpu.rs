//! One GPU over the window: its energy, its gauges, what held it back, and the errors that it counted.
//!
//! Invariant: what a GPU does not say is absent.

use super::meter::{
    Edges, EnergyMethod, Measured, Sample, by_counter, by_power, longest_gap_s, refresh_s,
};
use super::sensor::Sensor;
use infermeter_core::clock::Offset;
use infermeter_core::run::Window;
use infermeter_core::server::{Quantity, QuantityKind, ReadingCause, ServerFigures};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bits of the reasons for which a clock is held down, as NVIDIA's libraries have them. Not among them: that it is
/// idle (1), and that an application has set it (2).
const THROTTLES: [(u64, &str); 6] = [
    (0x4, "power_cap"),
    (0x8, "hardware_slowdown"),
    (0x10, "sync_boost"),
    (0x20, "thermal"),
    (0x40, "hardware_thermal"),
    (0x80, "power_brake"),
];

/// A gauge's readings at whole intervals inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GpuGauge {
    /// Their mean, in the gauge's unit.
    pub mean: f64,
    /// The least, in that unit.
    pub least: f64,
    /// The greatest, in that unit.
    pub greatest: f64,
    /// Readings.
    pub n: usize,
}

/// One GPU over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GpuEnergy {
    /// Its own name in all the world; where nobody tells it, its index or that of its page.
    pub uuid: String,
    /// Its place on its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Who told of it, without credentials.
    pub source: String,
    /// Energy over the window, joules; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Measured>,
    /// What it was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<EnergyMethod>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_known: Option<String>,
    /// Its mean power, in watts: its energy over the window's seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_power_w: Option<f64>,
    /// Its sensor; absent where nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<Sensor>,
    /// From one change of its figures to the next, seconds; absent where they are as fresh as the readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_s: Option<f64>,
    /// The longest time without a reading of its power, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_s: Option<f64>,
    /// Its gauges by name: `gpu_power` in watts, `gpu_utilisation` as a share, and so on.
    pub gauges: BTreeMap<String, GpuGauge>,
    /// Share of the readings at which its clock was held down, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throttled: BTreeMap<String, f64>,
    /// Clock of its multiprocessors in the window's last third relative to that in the first, while it worked; a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ratio: Option<f64>,
    /// What its counters of errors rose by in the window, by name; those that rose alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, f64>,
    /// Numbers of errors that NVIDIA's driver logged in the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xids: Vec<u64>,
}

/// What a GPU said at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub at: Offset,
    /// Half of the answer's time, nanoseconds.
    pub slack_ns: i64,
    pub cause: ReadingCause,
    pub figures: &'a ServerFigures,
}

/// A GPU, and all that it said during the run, in order of time.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub labels: BTreeMap<String, String>,
    pub source: String,
    pub said: Vec<Said<'a>>,
}

impl Told<'_> {
    /// Its own name.
    pub(super) fn uuid(&self) -> String {
        let label = |name: &str| self.labels.get(name).filter(|value| !value.is_empty());
        match (label("uuid"), label("gpu")) {
            (Some(uuid), _) => uuid.clone(),
            (None, Some(index)) => {
                let host = label("host").map(|host| format!("{host} "));
                format!("{}GPU {index}", host.unwrap_or_default())
            }
            (None, None) => self.source.clone(),
        }
    }

    /// A quantity's values with their instants.
    fn samples(&self, window: Window, quantity: Quantity) -> Vec<Sample> {
        let sample = |said: &Said<'_>| {
            Some(Sample {
                at_s: said.at.since(window.start) as f64 / 1e9,
                slack_s: said.slack_ns as f64 / 1e9,
                value: said.figures.get(quantity)?,
            })
        };
        self.said.iter().filter_map(sample).collect()
    }

    /// Readings at whole intervals inside the window: those of phases would weigh its edges more.
    fn regular(&self, window: Window) -> impl Iterator<Item = &Said<'_>> {
        let said = self.said.iter();
        said.filter(move |s| s.cause == ReadingCause::Interval && window.contains(s.at))
    }

    fn gauge(&self, window: Window, quantity: Quantity) -> Option<GpuGauge> {
        let values = self.regular(window).filter_map(|s| s.figures.get(quantity));
        let values: Vec<f64> = values.collect();
        Some(GpuGauge {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            least: values.iter().copied().reduce(f64::min)?,
            greatest: values.iter().copied().reduce(f64::max)?,
            n: values.len(),
        })
    }

    /// It over the window.
    pub(super) fn over(&self, window: Window) -> GpuEnergy {
        let label = |name: &str| {
            self.labels
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        };
        let gauges = Quantity::ALL
            .iter()
            .filter(|q| q.kind() == QuantityKind::Gauge);
        let gauges = gauges.filter_map(|q| Some((q.name().to_owned(), self.gauge(window, *q)?)));
        let counter = self.samples(window, Quantity::GpuEnergy);
        let power = self.samples(window, Quantity::GpuPower);
        let edges = Edges::of(window);
        let (method, energy) = energy(&counter, &power, edges);
        let model = label("model");
        let known = energy.as_ref().ok();
        GpuEnergy {
            uuid: self.uuid(),
            index: label("gpu"),
            sensor: model.as_deref().and_then(Sensor::of),
            model,
            host: label("host"),
            source: self.source.clone(),
            energy: known.copied(),
            method: known.map(|_| method),
            not_known: energy.as_ref().err().map(|why| (*why).to_owned()),
            mean_power_w: known.map(|energy| energy.value / window.seconds()),
            refresh_s: refresh_s(&counter),
            longest_gap_s: longest_gap_s(&power, edges),
            gauges: gauges.collect(),
            throttled: self.throttled(window),
            clock_ratio: self.clock_ratio(window),
            errors: self.errors(window),
            xids: self.xids(window),
        }
    }

    /// Share of the readings with each reason.
    fn throttled(&self, window: Window) -> BTreeMap<String, f64> {
        let reasons = self.regular(window);
        let reasons = reasons.filter_map(|s| s.figures.get(Quantity::GpuThrottleReasons));
        let reasons: Vec<u64> = reasons.map(|bits| bits as u64).collect();
        let share = |bit: u64| {
            let with = reasons.iter().filter(|bits| **bits & bit != 0).count();
            (with > 0).then(|| with as f64 / reasons.len() as f64)
        };
        let all = THROTTLES.iter();
        all.filter_map(|(bit, name)| Some(((*name).to_owned(), share(*bit)?)))
            .collect()
    }

    /// The clock at the end over that at the beginning, of readings at which it worked.
    fn clock_ratio(&self, window: Window) -> Option<f64> {
        let busy = self.regular(window).filter(|s| {
            let utilisation = s.figures.get(Quantity::GpuUtilisation);
            utilisation.is_none_or(|share| share > 0.0)
        });
        let clocks = busy.filter_map(|s| s.figures.get(Quantity::GpuSmClock));
        let clocks: Vec<f64> = clocks.collect();
        let third = clocks.len() / 3;
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        if third < THIRD_READINGS {
            return None;
        }
        let (first, last) = (&clocks[..third], &clocks[clocks.len() - third..]);
        (mean(first) > 0.0).then(|| mean(last) / mean(first))
    }

    /// From the last reading before the window to the last one in it.
    fn errors(&self, window: Window) -> BTreeMap<String, f64> {
        let counters = [
            Quantity::GpuEccCorrected,
            Quantity::GpuEccUncorrected,
            Quantity::GpuPcieReplays,
            Quantity::GpuPowerThrottled,
            Quantity::GpuThermalThrottled,
        ];
        let rise = |quantity: &Quantity| {
            let of = |said: &&Said<'_>| said.figures.get(*quantity);
            let before = self.said.iter().take_while(|s| s.at <= window.start);
            let first = before.filter_map(|s| of(&s)).last();
            let inside = self.said.iter().filter(|s| window.contains(s.at));
            let inside: Vec<f64> = inside.filter_map(|s| of(&s)).collect();
            let first = first.or(inside.first().copied())?;
            let rise = inside.last()? - first;
            (rise > 0.0).then(|| (quantity.name().to_owned(), rise))
        };
        counters.iter().filter_map(rise).collect()
    }

    /// Errors other than the one that was the last before the window.
    fn xids(&self, window: Window) -> Vec<u64> {
        let of = |said: &Said<'_>| said.figures.get(Quantity::GpuXid).map(|xid| xid as u64);
        let before = self.said.iter().take_while(|s| s.at <= window.start);
        let mut last = before.filter_map(of).last();
        let mut found = Vec::new();
        for xid in self
            .said
            .iter()
            .filter(|s| window.contains(s.at))
            .filter_map(of)
        {
            if xid != 0 && last.is_some_and(|last| last != xid) {
                found.push(xid);
            }
            last = Some(xid);
        }
        found
    }
}

/// Readings of a third of the window without which clocks are not compared.
const THIRD_READINGS: usize = 5;

/// By the counter first; by power where that says nothing.
fn energy(
    counter: &[Sample],
    power: &[Sample],
    edges: Edges,
) -> (EnergyMethod, Result<Measured, &'static str>) {
    let counted = match counter.is_empty() {
        true => Err("it tells neither its energy nor its power"),
        false => by_counter(counter, edges),
    };
    match (counted, power.is_empty()) {
        (Err(_), false) => (EnergyMethod::Power, by_power(power, edges)),
        (counted, _) => (EnergyMethod::Counter, counted),
    }
}
