//! Objectives as they are printed and stored: one text for each.

use super::{Allowance, Condition, Figure, Latency, Limit, Measure, Percent, Slo, Statistic};
use crate::deadlines::Deadlines;
use crate::origin::Origin;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = sign(self.of.figure.has_most());
        write!(f, "{}{sign}{}", self.of, self.limit)
    }
}

/// `<` reads as it always has; of what has to reach something, the usual sign.
fn sign(most: bool) -> &'static str {
    match most {
        true => "<",
        false => ">=",
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.figure)?;
        let origin = match self.figure {
            Figure::Latency(Latency { origin, .. }) => origin,
            _ => None,
        };
        labels(f, self.class.as_deref(), origin)
    }
}

/// `{class=chat,origin=send}`; nothing without labels.
fn labels(f: &mut fmt::Formatter<'_>, class: Option<&str>, origin: Option<Origin>) -> fmt::Result {
    let class = class.map(|class| match is_bare(class) {
        true => format!("class={class}"),
        false => format!("class=\"{class}\""),
    });
    let origin = origin.map(|origin| format!("origin={}", origin.as_str()));
    let labels: Vec<String> = class.into_iter().chain(origin).collect();
    match labels.is_empty() {
        true => Ok(()),
        false => write!(f, "{{{}}}", labels.join(",")),
    }
}

fn is_bare(class: &str) -> bool {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    class.chars().all(is_bare)
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        match self {
            Self::Latency(latency) => write!(f, ".{}", latency.statistic),
            Self::Fluidity {
                deadlines,
                statistic,
            } => {
                arguments(f, *deadlines)?;
                write!(f, ".{statistic}")
            }
            Self::Attainment(conditions) => {
                let conditions: Vec<String> = conditions.iter().map(ToString::to_string).collect();
                write!(f, "({})", conditions.join(", "))
            }
            Self::ErrorRate | Self::Rate(_) | Self::Answers(_) => Ok(()),
        }
    }
}

fn arguments(f: &mut fmt::Formatter<'_>, deadlines: Option<Deadlines>) -> fmt::Result {
    deadlines.map_or(Ok(()), |deadlines| write!(f, "({deadlines})"))
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::Mean => f.write_str("mean"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency {
                metric,
                own,
                origin,
                most,
            } => {
                f.write_str(metric.name())?;
                if let Some(own) = own {
                    write!(f, ".{own}")?;
                }
                labels(f, None, *origin)?;
                write!(f, "{}{most}", sign(true))
            }
            Self::Fluidity { deadlines, least } => {
                f.write_str("fluidity")?;
                arguments(f, *deadlines)?;
                write!(f, "{}{least}", sign(false))
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(most) => write!(f, "{most}"),
            Self::Share(share) => write!(f, "{share}"),
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        match self.per_input_token.ns() {
            0 => Ok(()),
            _ => write!(f, "+{}/input_token", self.per_input_token),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Slo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
