//! Gates: `ttft.p99>+5%`, a change for the worse that is not accepted; `error_rate>1%`, a level that is not.
//!
//! The measure is that of an objective; the sign says that a change is meant. Nothing is judged here. Invariant:
//! what is printed reads back as the same gate.

use crate::slo::{Beginning, Figure, Measure, Percent, SloError, Wanted};
use crate::text::inert;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What is not accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct FailIf {
    /// What is looked at.
    pub of: Measure,
    /// How much of it is too much.
    pub threshold: Threshold,
}

/// How much is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// So much worse than the baseline, relative to it.
    Relative(Percent),
    /// A share so many percentage points worse than the baseline's.
    Points(Percent),
    /// A share beyond this, whatever the baseline's.
    Level(Percent),
}

const CRITERION: Wanted = Wanted {
    name: "a criterion",
    example: "ttft.p99>+5%",
};

/// Why a text is no gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailIfError {
    /// It does not begin with a measure.
    #[error(transparent)]
    Measure(#[from] SloError),
    /// What follows is not a threshold.
    #[error("`{text}` is not a gate: {problem}")]
    Threshold {
        /// What was written.
        text: String,
        /// What is wrong, and what to write.
        problem: String,
    },
}

impl FromStr for FailIf {
    type Err = FailIfError;

    fn from_str(text: &str) -> Result<Self, FailIfError> {
        let read = Measure::read(text).map_err(|error| error.wanted(CRITERION));
        let Beginning { measure, rest } = read?;
        let threshold = threshold(&measure, rest);
        let threshold = threshold.map_err(|problem| FailIfError::Threshold {
            text: inert(text, 80),
            problem,
        })?;
        Ok(Self {
            of: measure,
            threshold,
        })
    }
}

/// The sign in front of a change for the worse, and the comparison.
struct Signs {
    compare: char,
    change: char,
}

impl Signs {
    fn of(measure: &Measure) -> Self {
        match measure.figure.has_most() {
            true => Self {
                compare: '>',
                change: '+',
            },
            false => Self {
                compare: '<',
                change: '-',
            },
        }
    }
}

fn threshold(measure: &Measure, rest: &str) -> Result<Threshold, String> {
    let Signs { compare, change } = Signs::of(measure);
    let example = match is_share(measure) {
        true => {
            format!("{measure}{compare}{change}1pp (a change) or {measure}{compare}2% (a level)")
        }
        false => format!("{measure}{compare}{change}5%"),
    };
    let behind = rest.strip_prefix(compare).ok_or_else(|| {
        let turned = rest.starts_with(['<', '>']);
        match turned && measure.figure.has_most() {
            true => format!("less of {measure} is better, so more of it fails: write {example}"),
            false if turned => {
                format!("more of {measure} is better, so less of it fails: write {example}")
            }
            false => format!("`{compare}` and a threshold are missing: write {example}"),
        }
    })?;
    let behind = behind.strip_prefix('=').unwrap_or(behind).trim();
    let signed = behind.strip_prefix(change).map(str::trim);
    let none = || {
        format!(
            "`{}` is not a threshold: write {example}",
            inert(behind, 40)
        )
    };
    let points = |text: &str| Percent::parse(&format!("{}%", text.strip_suffix("pp")?));
    match (signed, is_share(measure)) {
        (Some(text), true) => match points(text) {
            Some(points) if points.0 > 0.0 => Ok(Threshold::Points(points)),
            _ => Err(format!(
                "a change of a share is counted in percentage points, above 0: write {example}"
            )),
        },
        (None, true) => Percent::parse(behind)
            .map(Threshold::Level)
            .ok_or_else(none),
        (Some(text), false) => match Percent::parse(text) {
            Some(percent) if percent.0 > 0.0 && is_possible(percent, change) => {
                Ok(Threshold::Relative(percent))
            }
            _ => Err(none()),
        },
        (None, false) if Percent::parse(behind).is_some() => Err(format!(
            "a change for the worse has a sign, which is `{change}` for {measure}: write {example}"
        )),
        (None, false) => Err(format!(
            "`{}` is not a change for the worse: write {example}; --slo holds a run to a limit of its own",
            inert(behind, 40)
        )),
    }
}

/// Nothing can be 100 % lower and still be compared.
fn is_possible(percent: Percent, change: char) -> bool {
    change == '+' || percent.0 < 100.0
}

fn is_share(measure: &Measure) -> bool {
    match measure.figure {
        Figure::Fluidity { .. }
        | Figure::Attainment(_)
        | Figure::ErrorRate
        | Figure::Answers(_) => true,
        Figure::Latency(_) | Figure::Rate(_) => false,
    }
}

impl fmt::Display for FailIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signs { compare, change } = Signs::of(&self.of);
        write!(f, "{}{compare}", self.of)?;
        match self.threshold {
            Threshold::Relative(percent) => write!(f, "{change}{percent}"),
            Threshold::Points(points) => write!(f, "{change}{}pp", points.0),
            Threshold::Level(percent) => write!(f, "{percent}"),
        }
    }
}

impl Serialize for FailIf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FailIf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_read_and_print() {
        for text in [
            "ttft.p99>+5%",
            "ttft.p99{class=chat}>+5%",
            "e2e.mean>+2.5%",
            "output_throughput<-5%",
            "error_rate>1%",
            "error_rate>+0.5pp",
            "attainment(ttft<500ms, tpot<50ms)<95%",
            "attainment(ttft<500ms)<-1pp",
        ] {
            assert_eq!(text.parse::<FailIf>().expect(text).to_string(), text);
        }
        let spaced: FailIf = " ttft.p99 > + 5 % ".parse().expect("spaces");
        assert_eq!(spaced.to_string(), "ttft.p99>+5%");
        assert_eq!(spaced.threshold, Threshold::Relative(Percent(5.0)));
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, expect) in [
            (
                "ttft.p99>5%",
                "has a sign, which is `+` for ttft.p99: write ttft.p99>+5%",
            ),
            ("ttft.p99>500ms", "--slo holds a run to a limit of its own"),
            (
                "ttft.p99<+5%",
                "less of ttft.p99 is better, so more of it fails",
            ),
            ("ttft.p99>-5%", "`-5%` is not a change for the worse"),
            ("ttft.p99>+0%", "`+0%` is not a threshold"),
            (
                "ttft.p99",
                "`>` and a threshold are missing: write ttft.p99>+5%",
            ),
            (
                "throughput>+5%",
                "more of throughput is better, so less of it fails",
            ),
            ("throughput<-100%", "`-100%` is not a threshold"),
            ("error_rate>+1%", "percentage points"),
            (
                "error_rate>0.01",
                "`0.01` is not a threshold: write error_rate>+1pp",
            ),
            ("tttf.p99>+5%", "did you mean `ttft`?"),
            ("ttft>+5%", "a statistic is missing"),
        ] {
            let said = text.parse::<FailIf>().expect_err(text).to_string();
            assert!(said.contains(expect), "{said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_reads_prints_and_reads(text in "(ttft\\.p9|error_rate|goodput)[<>+ 0-9p%.=-]{0,12}") {
            if let Ok(gate) = text.parse::<FailIf>() {
                proptest::prop_assert_eq!(gate.to_string().parse(), Ok(gate));
            }
        }
    }
}
