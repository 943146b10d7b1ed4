//! When requests are due.

use anyhow::{Result, bail};
use infermeter_core::plan::{Plan, RateProfile};
use infermeter_core::units::Span;
use infermeter_schedule::{ArrivalProcess, WarmupRule};
use serde::Serialize;

/// When requests are due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadSpec {
    /// What sets the pace.
    pub pace: Pace,
    /// Recorded times, those of instants and of waits, are multiplied by this.
    pub time_scale: f64,
    /// The warm-up that was asked for, or the default.
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests.
    pub requests: Option<u64>,
    /// Some of the three were asked for, and go before the phases that a file brings.
    pub has_own_phases: bool,
}

/// What sets the pace of a load.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Open loop: a process of arrivals at a rate.
    Rate {
        /// Requests per second.
        rate: RateSpec,
        /// Shape of the gaps.
        process: ArrivalProcess,
    },
    /// Open loop: clients, each with a rate, gaps and lengths of its own.
    Clients {
        /// A profile by name or file.
        profile: String,
        /// All of them together, where that is not the profile's.
        rate: Option<f64>,
    },
    /// Open loop: the instants of a file.
    Recorded,
    /// Closed loop: so many slots.
    Slots(u32),
}

/// Requests per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSpec {
    /// All the time.
    Constant(f64),
    /// Over time.
    Profile(RateProfile),
}

impl LoadSpec {
    /// That of a plan.
    ///
    /// # Errors
    /// Where nothing sets the pace, or several things do.
    pub fn of(plan: &Plan) -> Result<Self> {
        Ok(Self {
            pace: pace(plan)?,
            time_scale: plan.time_scale,
            warmup: WarmupRule::resolve(plan.warmup, plan.duration),
            duration: plan.duration,
            requests: plan.requests,
            has_own_phases: plan.warmup.is_some()
                || plan.duration.is_some()
                || plan.requests.is_some(),
        })
    }

    /// The highest rate asked for, requests per second; absent where no rate is.
    pub fn peak_rate(&self) -> Option<f64> {
        match &self.pace {
            Pace::Rate { rate, .. } => Some(match rate {
                RateSpec::Constant(rate) => *rate,
                RateSpec::Profile(profile) => profile.peak(),
            }),
            Pace::Clients { rate, .. } => *rate,
            Pace::Recorded | Pace::Slots(_) => None,
        }
    }
}

fn pace(plan: &Plan) -> Result<Pace> {
    let process = || ArrivalProcess::resolve(plan.arrival, plan.cv);
    let paces = (plan.rate, &plan.rate_profile, plan.concurrency);
    Ok(match (paces, &plan.clients) {
        ((rate, None, None), Some(profile)) => Pace::Clients {
            profile: profile.clone(),
            rate,
        },
        ((Some(rate), None, None), None) => Pace::Rate {
            rate: RateSpec::Constant(rate),
            process: process()?,
        },
        ((None, Some(profile), None), None) => Pace::Rate {
            rate: RateSpec::Profile(profile.clone()),
            process: process()?,
        },
        ((None, None, Some(slots)), None) => Pace::Slots(slots),
        ((None, None, None), None) if plan.is_replay() => Pace::Recorded,
        ((None, None, None), None) => {
            bail!("no load: give --rate, --rate-profile, --concurrency or --trace")
        }
        _ => bail!(
            "--rate, --rate-profile, --concurrency and --clients exclude each other: give one"
        ),
    })
}
