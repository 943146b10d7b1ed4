//! Which answers a cheat strikes: `NAME[:SHARE][@LOAD]`, read and written.
//!
//! Invariant: what a rule displays as parses to the same rule.

use super::Cheat;
use infermeter_core::text::inert;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A cheat, and whom it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheatRule {
    pub(crate) cheat: Cheat,
    /// Each answer with this probability, 0 to 1.
    pub(crate) share: f64,
    /// Only while more than so many requests are in flight, the struck one included.
    pub(crate) above: u32,
}

/// Why a text is not a rule of a cheat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheatRuleError {
    /// No cheat has that name.
    #[error("unknown cheat `{name}`{}: one of {}", hint(.suggestion), names())]
    Name {
        /// What was asked for, made inert.
        name: String,
        /// The closest name, where one is close.
        suggestion: Option<&'static str>,
    },
    /// What stands behind the colon.
    #[error(
        "cheat `{rule}`: `{share}` is not a share of the answers: write 0.05 or 5%, more than 0 and at most 1"
    )]
    Share {
        /// The whole rule, made inert.
        rule: String,
        /// The part that is wrong, made inert.
        share: String,
    },
    /// What stands behind the `@`.
    #[error(
        "cheat `{rule}`: `{load}` is not a number of requests: write @8 for while more than 8 are in flight, from 0 to \
         {MOST_LOAD}"
    )]
    Load {
        /// The whole rule, made inert.
        rule: String,
        /// The part that is wrong, made inert.
        load: String,
    },
}

/// No simulator has so many requests in flight.
const MOST_LOAD: u32 = 1_000_000;

/// Less similar names (Jaro-Winkler, 0 to 1) are no suggestion.
const SIMILAR: f64 = 0.75;

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn names() -> String {
    let names: Vec<&str> = Cheat::ALL.into_iter().map(Cheat::name).collect();
    names.join(", ")
}

fn closest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    Cheat::ALL
        .into_iter()
        .map(|cheat| (strsim::jaro_winkler(&name, cheat.name()), cheat.name()))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

impl FromStr for CheatRule {
    type Err = CheatRuleError;

    fn from_str(text: &str) -> Result<Self, CheatRuleError> {
        let (rest, load) = split(text, '@');
        let (name, share) = split(rest, ':');
        let cheat = Cheat::find(name).ok_or_else(|| CheatRuleError::Name {
            name: inert(name, 80),
            suggestion: closest(name),
        })?;
        let trick = cheat.trick();
        let rule = || inert(text, 120);
        Ok(Self {
            cheat,
            share: match share {
                None => trick.share,
                Some(given) => read_share(given).ok_or_else(|| CheatRuleError::Share {
                    rule: rule(),
                    share: inert(given, 80),
                })?,
            },
            above: match load {
                None => trick.above,
                Some(given) => read_load(given).ok_or_else(|| CheatRuleError::Load {
                    rule: rule(),
                    load: inert(given, 80),
                })?,
            },
        })
    }
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, behind)) => (before.trim(), Some(behind.trim())),
        None => (text.trim(), None),
    }
}

fn read_share(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (share > 0.0 && share <= 1.0).then_some(share)
}

fn read_load(text: &str) -> Option<u32> {
    text.parse().ok().filter(|load| *load <= MOST_LOAD)
}

impl fmt::Display for CheatRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trick = self.cheat.trick();
        f.write_str(trick.name)?;
        if self.share != trick.share {
            write!(f, ":{}", self.share)?;
        }
        if self.above != trick.above {
            write!(f, "@{}", self.above)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for CheatRule {
    type Error = CheatRuleError;

    fn try_from(text: String) -> Result<Self, CheatRuleError> {
        text.parse()
    }
}

impl From<CheatRule> for String {
    fn from(rule: CheatRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, share: f64, above: u32) {
        let rule: CheatRule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!((rule.share, rule.above), (share, above), "{text}");
        assert_eq!(rule.to_string().parse(), Ok(rule), "{text}");
    }

    #[test]
    fn rules_are_read_and_written_back() {
        check("early-stop", 1.0, 0);
        check("language-flip", 0.05, 0);
        check("garbage-above", 0.05, 8);
        check("garbage-above:20%@4", 0.2, 4);
        check(" cheap-above @ 16 ", 1.0, 16);
        check("cheap-above:0.25@0", 0.25, 0);
        for cheat in Cheat::ALL {
            let rule: CheatRule = cheat.name().parse().expect("a name is a rule");
            assert_eq!(
                (rule.cheat, rule.to_string().as_str()),
                (cheat, cheat.name())
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_write() {
        for (text, part) in [
            ("erly-stop", "did you mean `early-stop`?"),
            ("usage_half", "did you mean `usage-half`?"),
            (
                "nonsense-of-some-kind",
                "one of response-cache, truncate-prompt",
            ),
            ("early-stop:0", "`0` is not a share of the answers"),
            ("early-stop:1.5", "`1.5` is not a share"),
            ("early-stop:120%@3", "`120%` is not a share"),
            ("early-stop:NaN", "`NaN` is not a share"),
            ("early-stop@-1", "`-1` is not a number of requests"),
            ("early-stop@many", "`many` is not a number of requests"),
            ("early-stop@99999999", "from 0 to 1000000"),
        ] {
            let error = text.parse::<CheatRule>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = "nonsense-of-some-kind"
            .parse::<CheatRule>()
            .expect_err("no name");
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }
}
