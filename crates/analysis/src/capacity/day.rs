//! A load that changes over the day: instances for each hour.
//!
//! Invariant: an hour needs what its busiest five minutes need. Shorter peaks are what headroom is for: no
//! fleet grows faster than an engine loads its weights.

use super::asked::Asked;
use super::levels::InstanceRate;
use super::sizing::instances;
use infermeter_core::plan::RateProfile;
use infermeter_core::rate::RateCurve;
use schemars::JsonSchema;
use serde::Serialize;

/// The part of an hour that its peak is taken over.
const PART_S: i64 = 300;

/// Parts of an hour.
const PARTS: usize = 12;

/// Hours of a day.
const DAY_HOURS: usize = 24;

/// Most hours of a trace that are looked at: a month.
const MAX_HOURS: usize = 744;

/// An hour of load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct HourPeak {
    /// Requests per second, mean.
    pub mean: f64,
    /// Mean of its busiest five minutes, requests per second.
    pub peak: f64,
}

/// A load over hours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Demand {
    /// One hour after the other.
    pub hours: Vec<HourPeak>,
    /// Hours that were left out at the end.
    pub left_out: usize,
}

impl Demand {
    /// The first day of a rate profile.
    pub fn of_profile(profile: &RateProfile, seed: u64) -> Self {
        let mut curve = RateCurve::new(profile, seed);
        let mut before = 0.0;
        let mut part = |i: usize| {
            let until = curve.expected((i as i64 + 1) * PART_S * 1_000_000_000);
            let rate = (until - before) / PART_S as f64;
            before = until;
            rate
        };
        let parts: Vec<f64> = (0..DAY_HOURS * PARTS).map(&mut part).collect();
        Self::of_parts(&parts)
    }

    /// Arrivals of a trace, nanoseconds from its start. The hour that it ends in counts with the five minutes
    /// that it has.
    pub fn of_arrivals(times: &[i64]) -> Self {
        let Some(last) = times.iter().max() else {
            return Self::of_parts(&[]);
        };
        let part = |ns: i64| (ns.max(0) / (PART_S * 1_000_000_000)) as usize;
        let all = part(*last) + 1;
        let mut counts = vec![0.0; all.min(MAX_HOURS * PARTS)];
        for ns in times {
            if let Some(count) = counts.get_mut(part(*ns)) {
                *count += 1.0;
            }
        }
        let rates: Vec<f64> = counts.iter().map(|count| count / PART_S as f64).collect();
        Self {
            left_out: all.div_ceil(PARTS).saturating_sub(MAX_HOURS),
            ..Self::of_parts(&rates)
        }
    }

    fn of_parts(parts: &[f64]) -> Self {
        let hour = |parts: &[f64]| HourPeak {
            mean: parts.iter().sum::<f64>() / parts.len() as f64,
            peak: parts.iter().copied().fold(0.0, f64::max),
        };
        Self {
            hours: parts.chunks(PARTS).map(hour).collect(),
            left_out: 0,
        }
    }
}

/// An hour and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Hour {
    /// Its load as given.
    pub load: HourPeak,
    /// Instances for its peak with growth and headroom.
    pub instances: u64,
    /// The same from the low end of the capacity's interval.
    pub instances_at_low: Option<u64>,
}

/// What a day needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Day {
    /// One hour after the other.
    pub hours: Vec<Hour>,
    /// Hours that were left out at the end.
    pub left_out: usize,
    /// Instances of the busiest hour.
    pub peak_instances: u64,
    /// Instance-hours of all hours.
    pub instance_hours: f64,
    /// Instance-hours of a day; absent under a day.
    pub instance_hours_per_day: Option<f64>,
    /// Instance-hours where the peak's instances stay all the time.
    pub instance_hours_at_peak: f64,
    /// What the hours cost; absent without a price.
    pub cost: Option<f64>,
    /// What they cost where the peak's instances stay.
    pub cost_at_peak: Option<f64>,
}

impl Day {
    /// What `demand` needs.
    pub fn of(demand: &Demand, asked: &Asked, instance: &InstanceRate) -> Self {
        let factor = asked.growth * (1.0 + asked.headroom);
        let low = instance.low.filter(|low| *low > 0.0);
        let hour = |load: &HourPeak| Hour {
            load: *load,
            instances: instances(load.peak * factor, instance.rate),
            instances_at_low: low.map(|low| instances(load.peak * factor, low)),
        };
        let hours: Vec<Hour> = demand.hours.iter().map(hour).collect();
        let peak = hours.iter().map(|hour| hour.instances).max().unwrap_or(0);
        let sum = hours.iter().map(|hour| hour.instances).sum::<u64>() as f64;
        let at_peak = peak as f64 * hours.len() as f64;
        let days = hours.len() as f64 / DAY_HOURS as f64;
        Self {
            left_out: demand.left_out,
            peak_instances: peak,
            instance_hours: sum,
            instance_hours_per_day: (days >= 1.0).then(|| sum / days),
            instance_hours_at_peak: at_peak,
            cost: asked.instance_hour().map(|price| price * sum),
            cost_at_peak: asked.instance_hour().map(|price| price * at_peak),
            hours,
        }
    }
}
