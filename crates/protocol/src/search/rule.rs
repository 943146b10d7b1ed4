//! The rule of a search, over what its runs say of the objectives.
//!
//! First short runs at rates that double until one misses: they bracket the answer and cost little. Then runs
//! that grow longer, each where the answer is believed to be, a little above and a little below it in turn,
//! since a law needs both; the last ones only as long as what is missing takes. After each of them there is a look, at most [`SearchRule::most_runs`] of them, and the
//! search ends when the interval is narrow enough. Invariant: which runs are measured depends on their margins
//! alone, and the number of looks on nothing measured.

use infermeter_analysis::CONFIDENCE;
use infermeter_analysis::highest_rate::{FoundRate, Probe, together};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Window and warm-up of a run that brackets, seconds.
const SHORT: Dwell = Dwell {
    warmup_s: 10.0,
    window_s: 20.0,
};

/// A margin that a short run has to pass to count as a miss: five per cent beyond the limit.
const MISSED: f64 = 0.05;

/// Window of the first run near the answer, seconds; how much longer each next one is; and the longest.
const FIRST_S: f64 = 90.0;
const LONGER: f64 = 1.5;
const LONGEST_S: f64 = 600.0;

/// The shortest run near the answer, seconds: a shorter one is mostly a beginning.
const LEAST_S: f64 = 60.0;

/// Warm-up before a window, as its share, and at least, seconds.
const WARMUP_SHARE: f64 = 0.16;
const WARMUP_S: f64 = 10.0;

/// Runs near the answer before the first look that may end the search.
const LEAST_RUNS: usize = 3;

/// How far from its middle the belief is tried, in probability.
const ASIDE: f64 = 0.15;

/// What a search is held to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SearchRule {
    /// The first rate, per second.
    pub from: f64,
    /// No rate above this is tried.
    pub to: f64,
    /// Half the interval's width over the rate at which the search ends.
    pub precision: f64,
    /// Runs near the answer, at most.
    pub most_runs: usize,
}

/// How long a run takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dwell {
    /// Warm-up, seconds.
    pub warmup_s: f64,
    /// Measured window, seconds.
    pub window_s: f64,
}

/// A run to be measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// Requests per second.
    pub rate: f64,
    /// How long.
    pub dwell: Dwell,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Ending {
    /// The interval is as narrow as asked for.
    Found {
        /// The highest rate that meets all objectives.
        rate: FoundRate,
    },
    /// The runs were used up before that.
    Undecided {
        /// The highest rate that meets all objectives, as far as it is known.
        rate: FoundRate,
    },
    /// The lowest rate that was tried misses.
    Below {
        /// That rate, requests per second.
        rate: f64,
        /// The ratio of the figure to its limit there, of the objective that misses by most; at most twice.
        times: f64,
    },
    /// The highest rate that may be tried meets all objectives.
    Above {
        /// That rate, requests per second.
        rate: f64,
    },
    /// A run has no sample that an objective could be judged on.
    NoSample {
        /// Its rate, requests per second.
        rate: f64,
    },
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Measure this.
    Run(Order),
    /// Nothing more.
    End(Ending),
}

impl SearchRule {
    /// The next step after these runs.
    pub fn next(&self, probes: &[Probe]) -> Next {
        if let Some(probe) = probes.iter().find(|probe| probe.worst().is_none()) {
            return Next::End(Ending::NoSample { rate: probe.rate });
        }
        match self.bracket(probes) {
            Bracket::Open(rate) => Next::Run(Order { rate, dwell: SHORT }),
            Bracket::Closed(range, short) => self.look(probes, &probes[short..], range),
            Bracket::AtEdge(rate, short) => self.at_edge(&probes[short..], rate),
        }
    }

    /// Where the doubling is, or ended.
    fn bracket(&self, probes: &[Probe]) -> Bracket {
        let mut rate = self.from;
        for (index, probe) in probes.iter().enumerate() {
            let missed = probe.worst().is_some_and(|margin| margin > MISSED);
            match missed {
                true if index == 0 => return Bracket::AtEdge(rate, 1),
                true => {
                    return Bracket::Closed(rate / 3.0..(rate * 1.1).min(self.to * 1.1), index + 1);
                }
                false if rate >= self.to => return Bracket::AtEdge(rate, index + 1),
                false => rate = (rate * 2.0).min(self.to),
            }
        }
        Bracket::Open(rate)
    }

    /// The first or the last rate of all seems to be the answer: one longer run there has to agree.
    fn at_edge(&self, longer: &[Probe], rate: f64) -> Next {
        let lowest = rate <= self.from && self.from < self.to;
        let Some(margin) = longer.first().and_then(Probe::worst) else {
            return Next::Run(Order {
                rate,
                dwell: dwell(0),
            });
        };
        let range = match (lowest, margin > 0.0) {
            (true, true) => {
                return Next::End(Ending::Below {
                    rate,
                    times: margin.exp(),
                });
            }
            (false, false) => return Next::End(Ending::Above { rate }),
            (true, false) => rate / 1.5..(rate * 4.0).min(self.to * 1.1),
            (false, true) => rate / 3.0..rate * 1.1,
        };
        self.look(longer, longer, range)
    }

    /// A look at all runs; `longer` are those near the answer.
    fn look(&self, probes: &[Probe], longer: &[Probe], range: Range<f64>) -> Next {
        let Some(belief) = together(probes, range) else {
            return Next::End(Ending::NoSample { rate: self.from });
        };
        let rate = belief.found(CONFIDENCE);
        if longer.len() >= LEAST_RUNS && rate.relative_half_width() <= self.precision {
            return Next::End(Ending::Found { rate });
        }
        if longer.len() >= self.most_runs {
            return Next::End(Ending::Undecided { rate });
        }
        let aside = match longer.len() % 2 {
            0 => ASIDE,
            _ => -ASIDE,
        };
        let next = belief.quantile(0.5 + aside).clamp(self.from, self.to);
        Next::Run(Order {
            rate: rounded(next),
            dwell: self.missing(longer.len(), rate),
        })
    }

    /// The run number `index` near the answer, once the runs before it have left `rate`: no longer than what is
    /// missing takes, if the width falls with the root of the time spent.
    fn missing(&self, index: usize, rate: FoundRate) -> Dwell {
        let spent: f64 = (0..index).map(window_s).sum();
        let times = (rate.relative_half_width() / self.precision).powi(2);
        let needed = match index >= LEAST_RUNS {
            true => (times - 1.0) * spent,
            false => f64::INFINITY,
        };
        dwell_of(window_s(index).min(needed.max(LEAST_S)))
    }

    /// The highest rate as far as these runs tell; absent while they do not bracket it.
    pub fn belief(&self, probes: &[Probe]) -> Option<FoundRate> {
        let Bracket::Closed(range, _) = self.bracket(probes) else {
            return None;
        };
        Some(together(probes, range)?.found(CONFIDENCE))
    }

    /// What the runs say of each objective; absent where none of them misses it.
    pub fn each(&self, probes: &[Probe]) -> Vec<Option<FoundRate>> {
        let rates = || probes.iter().map(|probe| probe.rate);
        let (Some(low), Some(high)) = (rates().reduce(f64::min), rates().reduce(f64::max)) else {
            return Vec::new();
        };
        let objectives = probes.first().map_or(0, |probe| probe.trials.len());
        let of = |objective: usize| {
            let own: Vec<Probe> = probes.iter().map(|probe| probe.only(objective)).collect();
            let beyond = |probe: &Probe| probe.worst().is_some_and(|margin| margin > 0.0);
            let missed = own.iter().any(beyond);
            let belief = together(&own, low / 3.0..high * 1.2).filter(|_| missed)?;
            Some(belief.found(CONFIDENCE))
        };
        (0..objectives).map(of).collect()
    }

    /// The runs that may still come, at worst; a rate that is not known yet is absent.
    pub fn ahead(&self, probes: &[Probe]) -> Vec<(Option<f64>, Dwell)> {
        let (mut rate, short) = match self.bracket(probes) {
            Bracket::Open(rate) => (rate, probes.len()),
            Bracket::Closed(_, short) | Bracket::AtEdge(_, short) => (f64::INFINITY, short),
        };
        let mut ahead = Vec::new();
        while rate <= self.to {
            ahead.push((Some(rate), SHORT));
            rate = match rate < self.to {
                true => (rate * 2.0).min(self.to),
                false => f64::INFINITY,
            };
        }
        let longer = probes.len().saturating_sub(short);
        ahead.extend((longer..self.most_runs).map(|index| (None, dwell(index))));
        if let Next::End(_) = self.next(probes) {
            ahead.clear();
        }
        ahead
    }
}

/// How far the doubling is.
enum Bracket {
    /// The next rate.
    Open(f64),
    /// The answer lies in a range; so many short runs.
    Closed(Range<f64>, usize),
    /// The answer seems to lie beyond this rate; so many short runs.
    AtEdge(f64, usize),
}

/// How long the run number `index` near the answer takes at most, from 0: whole seconds.
fn dwell(index: usize) -> Dwell {
    dwell_of(window_s(index))
}

fn window_s(index: usize) -> f64 {
    (FIRST_S * LONGER.powi(index as i32)).min(LONGEST_S)
}

fn dwell_of(window_s: f64) -> Dwell {
    let window_s = window_s.round();
    Dwell {
        warmup_s: (window_s * WARMUP_SHARE).max(WARMUP_S).round(),
        window_s,
    }
}

/// Four digits: a rate is read by people, too.
fn rounded(rate: f64) -> f64 {
    let digits = 10_f64.powf(3.0 - rate.log10().floor());
    (rate * digits).round() / digits
}

#[cfg(test)]
mod tests;
