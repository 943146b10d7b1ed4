//! Which requests a fault strikes: `NAME[=VALUE][@WHEN]`.
//!
//! Invariant: whom a rule strikes is a function of the seed, the request's number, the rule's place
//! in the list and the time; never of chance.

use super::{Fault, FaultError};
use crate::length::open_unit;
use infermeter_core::seed::splitmix64;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which requests a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultShare {
    /// All of them.
    Always,
    /// `every:N`: the n-th, the 2n-th, ... generation request (0 strikes none).
    EveryNth(u64),
    /// `nth:N`: the n-th generation request alone, from 1.
    Nth(u64),
    /// `0.01` or `1%`: each on its own with this probability, by the configuration's seed.
    Probability(f64),
}

/// `10s..20s`: the time in which a rule strikes, since the simulator's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultWindow {
    /// First instant.
    pub from: Span,
    /// First instant behind it; `None`: no end.
    pub until: Option<Span>,
}

/// A fault for requests that do not ask for one themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// For whom.
    pub share: FaultShare,
    /// When; `None`: at all times.
    pub window: Option<FaultWindow>,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultRuleError {
    /// Its fault is none.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// What stands behind the `@` is not a condition.
    #[error(
        "fault `{rule}`: `{when}` is not a condition: write a probability (0.01 or 1%), every:N, \
         nth:N, a time since the start (10s..20s, 10s..), or one of the former and a time \
         (1%,10s..20s)"
    )]
    When {
        /// The whole rule, made inert.
        rule: String,
        /// The part that is wrong, made inert.
        when: String,
    },
}

/// What decides about a request besides its own wish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    /// Generation request number, from 1.
    pub ordinal: u64,
    /// The configuration's seed.
    pub seed: u64,
    /// Since the simulator's start, nanoseconds.
    pub since_start_ns: i64,
}

impl FaultRule {
    /// The fault for every request.
    pub(crate) fn always(fault: Fault) -> Self {
        Self {
            fault,
            share: FaultShare::Always,
            window: None,
        }
    }

    /// The fault of the first rule that strikes.
    pub(crate) fn first(rules: &[Self], occasion: Occasion) -> Option<Fault> {
        let mut numbered = (0_u64..).zip(rules);
        numbered
            .find(|(place, rule)| rule.strikes(*place, occasion))
            .map(|(_, rule)| rule.fault)
    }

    fn strikes(&self, place: u64, occasion: Occasion) -> bool {
        let ordinal = occasion.ordinal;
        let in_window = self.window.is_none_or(|window| {
            let now = Span(occasion.since_start_ns);
            window.from <= now && window.until.is_none_or(|until| now < until)
        });
        in_window
            && match self.share {
                FaultShare::Always => true,
                FaultShare::EveryNth(n) => ordinal.checked_rem(n) == Some(0),
                FaultShare::Nth(n) => ordinal == n,
                FaultShare::Probability(p) => {
                    // Rules draw on their own: two of 1 % strike 2 % together.
                    let stream = splitmix64(splitmix64(occasion.seed).wrapping_add(place));
                    open_unit(splitmix64(stream ^ ordinal)) <= p
                }
            }
    }
}

impl FromStr for FaultRule {
    type Err = FaultRuleError;

    fn from_str(text: &str) -> Result<Self, FaultRuleError> {
        let Some((fault, when)) = text.split_once('@') else {
            return Ok(Self::always(text.parse()?));
        };
        let mut rule = Self::always(fault.parse()?);
        let mut has_share = false;
        for part in when.split(',').map(str::trim) {
            let wrong = || FaultRuleError::When {
                rule: inert(text, 120),
                when: inert(part, 80),
            };
            match part.split_once("..") {
                Some((from, until)) if rule.window.is_none() => {
                    rule.window = Some(window(from, until).ok_or_else(wrong)?);
                }
                None if !has_share => {
                    rule.share = share(part).ok_or_else(wrong)?;
                    has_share = true;
                }
                _ => return Err(wrong()),
            }
        }
        Ok(rule)
    }
}

fn window(from: &str, until: &str) -> Option<FaultWindow> {
    let from = match from.trim() {
        "" => Span(0),
        text => text.parse().ok()?,
    };
    let until: Option<Span> = match until.trim() {
        "" => None,
        text => Some(text.parse().ok()?),
    };
    until
        .is_none_or(|until| from < until)
        .then_some(FaultWindow { from, until })
}

fn share(text: &str) -> Option<FaultShare> {
    let counted = |text: &str| text.trim().parse().ok().filter(|n| *n > 0);
    if let Some(n) = text.strip_prefix("every:") {
        return counted(n).map(FaultShare::EveryNth);
    }
    if let Some(n) = text.strip_prefix("nth:") {
        return counted(n).map(FaultShare::Nth);
    }
    let probability = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0)
        .contains(&probability)
        .then_some(FaultShare::Probability(probability))
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        let mut mark = '@';
        match self.share {
            FaultShare::Always => {}
            FaultShare::EveryNth(n) => write!(f, "@every:{n}")?,
            FaultShare::Nth(n) => write!(f, "@nth:{n}")?,
            FaultShare::Probability(p) => write!(f, "@{p}")?,
        }
        if self.share != FaultShare::Always {
            mark = ',';
        }
        if let Some(window) = self.window {
            write!(f, "{mark}{}..", window.from)?;
            if let Some(until) = window.until {
                write!(f, "{until}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for FaultRule {
    type Error = FaultRuleError;

    fn try_from(text: String) -> Result<Self, FaultRuleError> {
        text.parse()
    }
}

impl From<FaultRule> for String {
    fn from(rule: FaultRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> FaultRule {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn at(ordinal: u64, seconds: i64) -> Occasion {
        Occasion {
            ordinal,
            seed: 1,
            since_start_ns: seconds * 1_000_000_000,
        }
    }

    fn struck(texts: &[&str]) -> usize {
        let rules: Vec<FaultRule> = texts.iter().map(|text| rule(text)).collect();
        (1..=1000)
            .filter(|n| FaultRule::first(&rules, at(*n, 0)).is_some())
            .count()
    }

    #[test]
    fn rules_strike_their_share() {
        assert_eq!(struck(&["no-done"]), 1000);
        assert_eq!(struck(&["no-done@every:4"]), 250);
        assert_eq!(struck(&["no-done@nth:7"]), 1);
        assert_eq!(struck(&["no-done@0"]), 0);
        assert_eq!(struck(&["no-done@100%"]), 1000);
        assert!((200..300).contains(&struck(&["no-done@0.25"])));
        // Rules draw on their own: 1 - 0.75^2 of the requests meet one of two.
        assert!((390..490).contains(&struck(&["no-done@25%", "empty@25%"])));
        let never = FaultRule {
            share: FaultShare::EveryNth(0),
            ..rule("no-done")
        };
        assert_eq!(FaultRule::first(&[never], at(1, 0)), None);
    }

    #[test]
    fn the_first_rule_that_strikes_wins() {
        let rules = [rule("no-done@nth:2"), rule("empty@every:2")];
        assert_eq!(FaultRule::first(&rules, at(1, 0)), None);
        assert_eq!(FaultRule::first(&rules, at(2, 0)), Some(Fault::NoDone));
        assert_eq!(FaultRule::first(&rules, at(4, 0)), Some(Fault::Empty));
    }

    #[test]
    fn a_window_counts_from_the_start() {
        let rules = [rule("no-done@10s..20s"), rule("empty@nth:3,20s..")];
        let strike = |ordinal, seconds| FaultRule::first(&rules, at(ordinal, seconds));
        assert_eq!(strike(3, 9), None);
        assert_eq!(strike(3, 10), Some(Fault::NoDone));
        assert_eq!(strike(3, 19), Some(Fault::NoDone));
        assert_eq!(strike(3, 20), Some(Fault::Empty));
        assert_eq!(strike(4, 20), None);
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "status=503",
            "stall=2:5s@every:100",
            "empty@nth:5",
            "no-done@0.01,10s..20s",
            "reset-after=0@10s..",
        ] {
            assert_eq!(rule(text).to_string(), text);
        }
        let json = serde_json::to_string(&rule("empty@1%")).expect("text");
        assert_eq!(json, "\"empty@0.01\"");
        assert_eq!(
            serde_json::from_str::<FaultRule>(&json).expect("a rule"),
            rule("empty@1%")
        );
    }

    #[test]
    fn wrong_conditions_are_named() {
        for (text, part) in [
            ("empty@", "``"),
            ("empty@2", "`2`"),
            ("empty@every:0", "`every:0`"),
            ("empty@20s..10s", "`20s..10s`"),
            ("empty@1%,2%", "`2%`"),
            ("empty@sometimes", "`sometimes`"),
        ] {
            let error = text.parse::<FaultRule>().expect_err(text).to_string();
            assert!(error.contains(part) && error.contains("every:N"), "{error}");
        }
        assert!("emty@1%".parse::<FaultRule>().is_err());
    }
}
