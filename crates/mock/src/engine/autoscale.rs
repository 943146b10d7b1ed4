//! The rule of a simple autoscaler: as many replicas as requests in flight ask for.
//!
//! It is the rule that horizontal autoscalers use with a target of an average value, without their tolerance and
//! without a wait before it scales down: what it wants is a function of the instant alone. It adds and drains nothing
//! itself. Invariant: what it wants lies between its least and its most.

use infermeter_core::text::inert;
use infermeter_core::units::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An autoscaler's parameters; written `TARGET,MIN,MAX,INTERVAL`, as in `8,1,6,15s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autoscale {
    /// Requests in flight, running and waiting, that one replica is to have; above 0.
    pub target: f64,
    /// Fewest replicas, at least 1.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// From one look to the next, at least 10 ms.
    pub interval: Span,
}

/// Shortest interval: a look costs a pass over the replicas.
const SHORTEST: Span = Span::millis(10);

impl Autoscale {
    /// Replicas wanted for so many requests in flight.
    pub(crate) fn wanted(&self, in_flight: u64) -> u32 {
        let wanted = (in_flight as f64 / self.target).ceil();
        // A number beyond 32 bits becomes the greatest, and that the most.
        (wanted as u32).clamp(self.min, self.max)
    }
}

/// Whether a simulator scales itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Autoscaling {
    /// It does not: replicas change when they are asked to.
    Off,
    /// It does.
    On(Autoscale),
}

impl Autoscaling {
    /// The autoscaler, where there is one.
    pub fn value(self) -> Option<Autoscale> {
        match self {
            Self::Off => None,
            Self::On(autoscale) => Some(autoscale),
        }
    }

    /// Off where there is none.
    pub fn of(value: Option<Autoscale>) -> Self {
        value.map_or(Self::Off, Self::On)
    }
}

/// Why a text is no autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an autoscaler ({problem}): write TARGET,MIN,MAX,INTERVAL, as in 8,1,6,15s, or off"
)]
pub struct AutoscaleError {
    text: String,
    problem: &'static str,
}

impl FromStr for Autoscaling {
    type Err = AutoscaleError;

    fn from_str(text: &str) -> Result<Self, AutoscaleError> {
        if text.trim() == "off" {
            return Ok(Self::Off);
        }
        parse(text).map(Self::On).map_err(|problem| AutoscaleError {
            text: inert(text, 80),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Autoscale, &'static str> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [target, min, max, interval] = parts[..] else {
        return Err("four values with commas between them are needed");
    };
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| "the number of replicas is no number")
    };
    let found = Autoscale {
        target: target.parse().map_err(|_| "the target is no number")?,
        min: number(min)?,
        max: number(max)?,
        interval: interval.parse().map_err(|_| "the interval is no time")?,
    };
    match found {
        Autoscale { target, .. } if !(target.is_finite() && target > 0.0) => {
            Err("the target must be above 0")
        }
        Autoscale { min: 0, .. } => Err("the fewest replicas are 1"),
        Autoscale { min, max, .. } if max < min => Err("the most are fewer than the fewest"),
        Autoscale { interval, .. } if interval < SHORTEST => {
            Err("the interval must be at least 10ms")
        }
        found => Ok(found),
    }
}

impl fmt::Display for Autoscaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On(Autoscale {
                target,
                min,
                max,
                interval,
            }) => write!(f, "{target},{min},{max},{interval}"),
        }
    }
}

impl Serialize for Autoscaling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Autoscaling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wants_what_the_requests_ask_for_within_its_bounds() {
        let Ok(Autoscaling::On(rule)) = "8,2,6,15s".parse() else {
            panic!("an autoscaler");
        };
        let wanted = [0, 16, 17, 40, 41, u64::MAX].map(|in_flight| rule.wanted(in_flight));
        assert_eq!(wanted, [2, 2, 3, 5, 6, 6]);
    }

    #[test]
    fn it_is_read_and_written_alike() {
        for text in ["off", "8,1,6,15s", "0.5,2,2,10ms"] {
            let read: Autoscaling = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
        }
        for (text, problem) in [
            ("8", "four values"),
            ("8,1,6,x", "the interval is no time"),
            ("0,1,6,15s", "the target must be above 0"),
            ("NaN,1,6,15s", "the target must be above 0"),
            ("8,0,6,15s", "the fewest replicas are 1"),
            ("8,3,2,15s", "the most are fewer"),
            ("8,1,2,1ms", "at least 10ms"),
        ] {
            let refused = text.parse::<Autoscaling>().expect_err(text);
            assert!(refused.to_string().contains(problem), "{refused}");
        }
    }
}
