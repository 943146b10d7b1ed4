//! `prefix`: what prompts share at their beginnings, as a user writes it.
//!
//! It draws nothing and writes no text; the `workload` crate does.
//!
//! Invariant: what is printed reads back as the same value.

use super::syntax::{Source, SyntaxError, meant, split_name, trimmed};
use super::workload::{Length, kind_and_parameters, prompt_length};
use std::fmt;
use std::str::FromStr;

/// Most shared beginnings: their lengths are kept in a table.
pub(crate) const MAX_PREFIXES: u32 = 1_000_000;

/// Most rotations of a tiling.
pub(crate) const MAX_ROTATIONS: u32 = 1_000_000;

/// What prompts share at their beginnings, and whether runs share it, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PrefixMode {
    /// Nothing: every prompt begins with a number of its own.
    Bust,
    /// The prompts carry no salt: with the same seed every run sends the same bytes.
    None,
    /// Some system prompts, each request has one of them.
    Shared {
        /// How many.
        prefixes: u32,
        /// Tokens of each.
        length: Length,
        /// The n-th is chosen with a weight of n to the power of -zipf; 0 makes all alike.
        zipf: f64,
    },
    /// Long contexts in turn, each time with a new question: what a cache holds is asked for again
    /// only after all the others.
    Tiling {
        /// How many.
        contexts: u32,
        /// Tokens of each.
        length: Length,
        /// Tokens of a question.
        question: Length,
        /// Measured rotations through all contexts; absent: as many as `requests` says.
        rotations: Option<u32>,
    },
    /// Beginnings of one text, so long that a cache without limit holds this share of all prompt
    /// tokens.
    Hit {
        /// The share, above 0 and below 1.
        share: f64,
    },
}

impl PrefixMode {
    /// Prompts are meant to begin alike.
    pub fn shares(&self) -> bool {
        matches!(
            self,
            Self::Shared { .. } | Self::Tiling { .. } | Self::Hit { .. }
        )
    }
}

const NAMES: [&str; 5] = ["bust", "none", "shared", "tiling", "hit"];

const ALL: &str = "bust, none, shared:N/LENGTH, shared:N/LENGTH/ZIPF, \
                   tiling:CONTEXTS/LENGTH/QUESTION, tiling:CONTEXTS/LENGTH/QUESTION/ROTATIONS, \
                   hit:SHARE";

const SHARED_NEEDS: &str = "the number of system prompts and their length are needed, as in \
                            shared:8/1000 or shared:8/lognormal:500/0.8/1.2 (the last number is \
                            the Zipf exponent)";

const TILING_NEEDS: &str = "the number of contexts, their length and the questions' length are \
                            needed, as in tiling:50/20000/100 or tiling:50/20000/100/3 (the last \
                            number is the measured rotations)";

/// A whole number up to `most`, then what follows its `/`.
fn counted<'a>(
    source: Source<'a>,
    text: &'a str,
    most: u32,
    needs: &str,
) -> Result<(u32, &'a str), SyntaxError> {
    let (count, rest) = text.split_once('/').unwrap_or((text, &text[text.len()..]));
    let number: Option<u32> = trimmed(count).parse().ok();
    match number.filter(|n| (1..=most).contains(n)) {
        Some(number) => Ok((number, rest)),
        None => Err(source.error(trimmed(count), needs)),
    }
}

fn shared<'a>(source: Source<'a>, body: &'a str) -> Result<PrefixMode, SyntaxError> {
    let (prefixes, rest) = counted(source, body, MAX_PREFIXES, SHARED_NEEDS)?;
    let (length, rest) = prompt_length(source, rest, SHARED_NEEDS)?;
    let zipf = match rest {
        None => 0.0,
        Some(rest) => source.number(rest, 0.0..=10.0, SHARED_NEEDS)?,
    };
    Ok(PrefixMode::Shared {
        prefixes,
        length,
        zipf,
    })
}

fn tiling<'a>(source: Source<'a>, body: &'a str) -> Result<PrefixMode, SyntaxError> {
    let (contexts, rest) = counted(source, body, MAX_PREFIXES, TILING_NEEDS)?;
    let (length, rest) = prompt_length(source, rest, TILING_NEEDS)?;
    let end = &body[body.len()..];
    let (question, rest) = prompt_length(source, rest.unwrap_or(end), TILING_NEEDS)?;
    let rotations = match rest {
        None => None,
        Some(rest) => match counted(source, rest, MAX_ROTATIONS, TILING_NEEDS)? {
            (rotations, "") => Some(rotations),
            (_, more) => return Err(source.error(more, "nothing may follow the rotations")),
        },
    };
    Ok(PrefixMode::Tiling {
        contexts,
        length,
        question,
        rotations,
    })
}

impl FromStr for PrefixMode {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        match split_name(text) {
            ("bust", None) => Ok(Self::Bust),
            ("none", None) => Ok(Self::None),
            ("shared", Some(body)) => shared(source, body),
            ("tiling", Some(body)) => tiling(source, body),
            ("hit", Some(body)) => {
                let needed = "a share above 0 and below 1 is needed, as in hit:0.6";
                let share = source.number(body, 0.0..=1.0, needed)?;
                if share <= 0.0 || share >= 1.0 {
                    return Err(source.error(trimmed(body), needed));
                }
                Ok(Self::Hit { share })
            }
            (name, body) => Err(source.error(trimmed(text), unknown(name, body))),
        }
    }
}

fn unknown(name: &str, body: Option<&str>) -> String {
    match (name, body) {
        ("bust" | "none", Some(_)) => format!("`{name}` has no parameters; one of {ALL}"),
        ("shared" | "tiling" | "hit", None) => format!("parameters are missing; one of {ALL}"),
        _ => match meant(name, &NAMES) {
            near if near.is_empty() => format!("unknown: one of {ALL}"),
            near => format!("unknown{near} One of {ALL}"),
        },
    }
}

impl fmt::Display for PrefixMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bust => f.write_str("bust"),
            Self::None => f.write_str("none"),
            Self::Shared {
                prefixes,
                length,
                zipf,
            } => {
                write!(f, "shared:{prefixes}/{}", kind_and_parameters(length))?;
                if *zipf == 0.0 {
                    return Ok(());
                }
                write!(f, "/{zipf}")
            }
            Self::Tiling {
                contexts,
                length,
                question,
                rotations,
            } => {
                let (length, question) =
                    (kind_and_parameters(length), kind_and_parameters(question));
                write!(f, "tiling:{contexts}/{length}/{question}")?;
                match rotations {
                    Some(rotations) => write!(f, "/{rotations}"),
                    None => Ok(()),
                }
            }
            Self::Hit { share } => write!(f, "hit:{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Bounds;

    fn read(text: &str) -> PrefixMode {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in [
            "bust",
            "none",
            "shared:8/1000",
            "shared:8/1000/1.2",
            "shared:8/lognormal:500/0.8",
            "shared:8/lognormal:500/0.8/1.2",
            "shared:8/lognormal:500/0.8/16..4000/1.2",
            "shared:3/uniform:100..200/1",
            "tiling:50/20000/100",
            "tiling:50/20000/100/3",
            "tiling:50/normal:20000/500/gamma:100/1/16..400/3",
            "hit:0.6",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("shared:8/fixed:1000").to_string(), "shared:8/1000");
    }

    #[test]
    fn the_exponent_is_told_from_bounds() {
        let bounds = Some(Bounds { min: 16, max: 4000 });
        for (text, bounds, zipf) in [
            ("shared:2/lognormal:500/0.8/1.2", None, 1.2),
            ("shared:2/lognormal:500/0.8/16..4000", bounds, 0.0),
        ] {
            let length = Length::LogNormal {
                median: 500.0,
                sigma: 0.8,
                bounds,
            };
            let expect = PrefixMode::Shared {
                prefixes: 2,
                length,
                zipf,
            };
            assert_eq!(read(text), expect);
        }
    }

    #[test]
    fn errors_say_where_and_what_is_needed() {
        for (text, said) in [
            ("bus", "did you mean `bust`"),
            ("bust:1", "`bust` has no parameters"),
            ("shared", "parameters are missing"),
            ("shared:0/100", "character 8, `0`"),
            ("shared:8", "character 9, nothing"),
            ("shared:8/5", "IN at least 16"),
            ("shared:8/100/x", "character 14, `x`"),
            ("shared:8/poisson:4", "fixed, uniform"),
            ("tiling:5/100", "questions' length"),
            ("tiling:5/100/20/3/4", "nothing may follow"),
            ("tiling:5/100/20/0", "rotations"),
            ("hit:1", "above 0 and below 1"),
            ("hit:0", "above 0 and below 1"),
        ] {
            let error = text.parse::<PrefixMode>().expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
