//! Values of settings that JSON has no word for.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A limit that can be off: a whole number of at least 1, or the text `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// No limit, or the thing limited is not simulated.
    Off,
    /// The limit.
    At(u64),
}

impl Limit {
    /// The limit, where there is one.
    pub fn value(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::At(value) => Some(value),
        }
    }

    /// Off where there is none.
    pub fn of(value: Option<u64>) -> Self {
        value.map_or(Self::Off, Self::At)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::At(value) => serializer.serialize_u64(*value),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of at least 1, or `off`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Limit, E> {
        if value == 0 {
            return Err(E::custom("must be at least 1, or `off`"));
        }
        Ok(Limit::At(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Limit, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::custom("must be at least 1, or `off`")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
        match text {
            "off" => Ok(Limit::Off),
            other => match other.parse::<u64>() {
                Ok(value) => self.visit_u64(value),
                Err(_) => Err(E::custom("must be a whole number of at least 1, or `off`")),
            },
        }
    }
}

/// A non-negative, finite time that may be a fraction of a nanosecond; written with a unit, as in
/// `0.04ns` or `25us`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fine(f64);

/// Unit and nanoseconds, longer names before those that they end in.
const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];

impl Fine {
    /// From nanoseconds; a negative or infinite number is no time.
    pub(crate) fn of_ns(ns: f64) -> Option<Self> {
        (ns.is_finite() && ns >= 0.0).then_some(Self(ns))
    }

    /// Nanoseconds.
    pub fn ns(self) -> f64 {
        self.0
    }

    /// Whole nanoseconds.
    pub(crate) fn whole_ns(self) -> i64 {
        self.0.round() as i64
    }
}

/// Why a text is no [`Fine`] time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: write a number and a unit, as in 0.04ns, 25us, 7ms")]
pub struct FineError(String);

impl FromStr for Fine {
    type Err = FineError;

    fn from_str(text: &str) -> Result<Self, FineError> {
        let bad = || FineError(infermeter_core::text::inert(text, 80));
        let trimmed = text.trim();
        if trimmed == "0" {
            return Ok(Self(0.0));
        }
        let (number, scale) = UNITS
            .iter()
            .find_map(|(unit, scale)| Some((trimmed.strip_suffix(unit)?, *scale)))
            .ok_or_else(bad)?;
        let value: f64 = number.trim().parse().map_err(|_| bad())?;
        Self::of_ns(value * scale)
            .filter(|fine| fine.0 <= 1e15)
            .ok_or_else(bad)
    }
}

impl fmt::Display for Fine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = UNITS.iter().rev().find(|(_, scale)| self.0 >= *scale);
        let (unit, scale) = scale.unwrap_or(&UNITS[0]);
        // The shortest decimal number that reads back as the same value, most of the time.
        let shown = self.0 / scale;
        if shown * scale == self.0 {
            write!(f, "{shown}{unit}")
        } else {
            write!(f, "{}ns", self.0)
        }
    }
}

impl Serialize for Fine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
