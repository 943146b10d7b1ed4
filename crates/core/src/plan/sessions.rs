//! `sessions`: conversations of several turns, as a user writes them (`NAME=VALUE`, a list).
//!
//! It draws nothing and knows no text; the `workload` crate draws turns, the `schedule` crate
//! waits.
//!
//! Invariant: what is read has at least one turn, at most [`MAX_TURNS`], and no negative wait.

use super::syntax::{Source, SyntaxError, meant, split_name, trimmed};
use super::workload::{Bounds, Length, MAX_TOKENS, MIN_PROMPT_TOKENS};
use crate::text::inert;
use crate::units::Span;
use serde::Serialize;
use std::fmt;

/// Most turns of a session.
pub const MAX_TURNS: u32 = 10_000;

/// Most turns of a session whose distribution has no bounds.
const UNBOUNDED_TURNS: u32 = 1_000;

/// Longest wait asked for: a day.
const MAX_WAIT: Span = Span::seconds(86_400);

/// How long someone waits before the next request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Wait {
    /// Always the same.
    Fixed(Span),
    /// Exponential with this mean.
    Exponential(Span),
    /// Each time from the least to the most is as likely as any other.
    Uniform {
        /// Least.
        least: Span,
        /// Most.
        most: Span,
    },
    /// Lognormal.
    LogNormal {
        /// Median.
        median: Span,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Mean.
        mean: Span,
        /// Coefficient of variation.
        cv: f64,
    },
}

impl Wait {
    /// No wait.
    pub const NONE: Self = Self::Fixed(Span(0));
}

/// What the history in a turn's prompt is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum History {
    /// Text made in advance, as long as the answers asked for.
    Planned,
    /// What the server said.
    Live,
}

/// What becomes of a session when one of its turns fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum OnFailure {
    /// Its later turns are not sent.
    End,
    /// It goes on.
    Continue,
}

/// Sessions of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sessions {
    /// Requests of a session.
    pub turns: Length,
    /// Between an answer and the user's next message.
    pub think: Wait,
    /// Between an answer and a tool's result.
    pub tool: Wait,
    /// Share of the later turns that bring a tool's result, 0 to 1.
    pub tool_share: f64,
    /// Closed loop: between a user's sessions.
    pub pause: Wait,
    /// Tokens of the system prompt that all sessions share; absent: none.
    pub system: Option<u32>,
    /// Most tokens of prompt and answer together: a session ends before.
    pub max_context: Option<u32>,
    /// What the history is made of.
    pub history: History,
    /// What a failed turn does.
    pub on_failure: OnFailure,
}

/// Why a list of options is no description of sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionsError {
    /// One option is wrong.
    #[error("`{option}`: {source}")]
    Option {
        /// The option, inert.
        option: String,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// An option is given twice.
    #[error("{0} is given twice: leave one out")]
    Twice(&'static str),
    /// An option needs another one.
    #[error("{0}")]
    Missing(&'static str),
}

impl Sessions {
    /// Names of the options.
    pub const NAMES: [&'static str; 9] = [
        "turns",
        "think",
        "tool",
        "tool-share",
        "pause",
        "system",
        "max-context",
        "history",
        "on-failure",
    ];

    /// Reads a plan's list; `None` where it is empty.
    ///
    /// # Errors
    /// Naming the option that is wrong, given twice or missing.
    pub fn parse(options: &[String]) -> Result<Option<Self>, SessionsError> {
        if options.is_empty() {
            return Ok(None);
        }
        let mut sessions = Self {
            turns: Length::Fixed(0),
            think: Wait::NONE,
            tool: Wait::NONE,
            tool_share: 0.0,
            pause: Wait::NONE,
            system: None,
            max_context: None,
            history: History::Planned,
            on_failure: OnFailure::End,
        };
        let mut seen: Vec<&'static str> = Vec::new();
        for option in options {
            let name = sessions
                .set(option)
                .map_err(|source| SessionsError::Option {
                    option: inert(option, 80),
                    source,
                })?;
            if seen.contains(&name) {
                return Err(SessionsError::Twice(name));
            }
            seen.push(name);
        }
        let given = |name| seen.contains(&name);
        if !given("turns") {
            let needed = "turns=N is needed, as in turns=5 or turns=uniform:2..8";
            return Err(SessionsError::Missing(needed));
        }
        if given("tool") != given("tool-share") {
            let needed = "tool and tool-share are given together, as in tool=exp:2s and \
                          tool-share=0.3";
            return Err(SessionsError::Missing(needed));
        }
        let least = sessions.system.unwrap_or(0) + MIN_PROMPT_TOKENS + 1;
        if sessions.max_context.is_some_and(|most| most < least) {
            let needed = "max-context must have room for the system prompt, a message of 16 \
                          tokens and an answer";
            return Err(SessionsError::Missing(needed));
        }
        Ok(Some(sessions))
    }

    /// Most turns that a session can have.
    pub fn most_turns(&self) -> u32 {
        bounds_of(&self.turns).max
    }

    /// Sets one option; its name.
    fn set(&mut self, text: &str) -> Result<&'static str, SyntaxError> {
        let source = Source(text);
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let value = &text[text.len() - value.len()..];
        let name = trimmed(name);
        let Some(known) = Self::NAMES.into_iter().find(|known| *known == name) else {
            let near = meant(name, &Self::NAMES);
            let names = Self::NAMES.join(", ");
            let needed = format!("unknown option{near}; one of {names}");
            return Err(source.error(name, needed));
        };
        if trimmed(value).is_empty() {
            let needed = format!("a value is needed, as in {}", example(known));
            return Err(source.error(value, needed));
        }
        match known {
            "turns" => self.turns = turns(source, trimmed(value))?,
            "think" => self.think = wait(source, trimmed(value))?,
            "tool" => self.tool = wait(source, trimmed(value))?,
            "pause" => self.pause = wait(source, trimmed(value))?,
            "tool-share" => {
                let needed = "a share from 0 to 1 is needed, as in tool-share=0.3";
                self.tool_share = source.number(value, 0.0..=1.0, needed)?;
            }
            "system" => self.system = Some(tokens(source, value, known)?),
            "max-context" => self.max_context = Some(tokens(source, value, known)?),
            "history" => {
                let all = [("planned", History::Planned), ("live", History::Live)];
                self.history = choice(source, value, &all)?;
            }
            _ => {
                let all = [("end", OnFailure::End), ("continue", OnFailure::Continue)];
                self.on_failure = choice(source, value, &all)?;
            }
        }
        Ok(known)
    }
}

/// How an option is written.
fn example(name: &str) -> &'static str {
    match name {
        "turns" => "turns=5, turns=2..8 or turns=zipf:1.2/1..20",
        "think" => "think=5s or think=exp:5s",
        "tool" => "tool=2s or tool=lognormal:2s/0.8",
        "tool-share" => "tool-share=0.3",
        "pause" => "pause=exp:30s",
        "system" => "system=500",
        "max-context" => "max-context=32000",
        "history" => "history=planned or history=live",
        _ => "on-failure=end or on-failure=continue",
    }
}

fn choice<T: Copy>(source: Source<'_>, value: &str, all: &[(&str, T)]) -> Result<T, SyntaxError> {
    let value = trimmed(value);
    let found = all.iter().find(|(name, _)| *name == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        source.error(value, format!("one of {} is needed", names.join(", ")))
    })
}

fn tokens(source: Source<'_>, value: &str, name: &str) -> Result<u32, SyntaxError> {
    let value = trimmed(value);
    let count = value
        .parse()
        .ok()
        .filter(|n| (MIN_PROMPT_TOKENS..=MAX_TOKENS).contains(n));
    count.ok_or_else(|| {
        let needed = format!(
            "a whole number of tokens from 16 to 4,000,000 is needed, as in {}",
            example(name)
        );
        source.error(value, needed)
    })
}

/// `N`, `A..B`, or a distribution with its parameters.
fn turns<'a>(source: Source<'a>, value: &'a str) -> Result<Length, SyntaxError> {
    const NEEDED: &str = "a number of turns from 1 to 10,000 is needed: turns=5, turns=2..8, \
                          uniform:2..8, zipf:S/1..20, normal:MEAN/SD/1..20, \
                          lognormal:MEDIAN/SIGMA/1..20 or gamma:MEAN/CV/1..20";
    let range = |part: &'a str| {
        let (min, max) = source.whole_range(part, 1..=MAX_TURNS, NEEDED)?;
        Ok(Bounds { min, max })
    };
    let (kind, Some(body)) = split_name(value) else {
        if value.contains("..") {
            return Ok(Length::Uniform(range(value)?));
        }
        let count = value.parse().ok().filter(|n| (1..=MAX_TURNS).contains(n));
        let count = count.ok_or_else(|| source.error(value, NEEDED))?;
        return Ok(Length::Fixed(count));
    };
    let mut parts = body.split('/');
    let first = parts.next().unwrap_or(body);
    if kind == "uniform" {
        return match parts.next() {
            None => Ok(Length::Uniform(range(first)?)),
            Some(more) => Err(source.error(trimmed(more), NEEDED)),
        };
    }
    let (second, third) = (parts.next(), parts.next());
    let Some(second) = second.filter(|_| parts.next().is_none()) else {
        return Err(source.error(trimmed(body), NEEDED));
    };
    if kind == "zipf" && third.is_none() {
        let exponent = source.number(first, 0.0..=10.0, NEEDED)?;
        let bounds = range(second)?;
        return Ok(Length::Zipf { exponent, bounds });
    }
    let bounds = third.map(range).transpose()?;
    let bounds = Some(bounds.unwrap_or(Bounds {
        min: 1,
        max: UNBOUNDED_TURNS,
    }));
    let centre = source.number(first, 1.0..=f64::from(MAX_TURNS), NEEDED)?;
    let spread = |range| source.number(second, range, NEEDED);
    Ok(match kind {
        "normal" => Length::Normal {
            mean: centre,
            sd: spread(0.001..=f64::from(MAX_TURNS))?,
            bounds,
        },
        "lognormal" => Length::LogNormal {
            median: centre,
            sigma: spread(0.001..=5.0)?,
            bounds,
        },
        "gamma" => Length::Gamma {
            mean: centre,
            cv: spread(0.01..=10.0)?,
            bounds,
        },
        _ => return Err(source.error(kind, NEEDED)),
    })
}

/// The least and greatest number of turns.
fn bounds_of(turns: &Length) -> Bounds {
    match turns {
        Length::Fixed(n) => Bounds { min: *n, max: *n },
        Length::Uniform(bounds) | Length::Zipf { bounds, .. } => *bounds,
        Length::Normal { bounds, .. }
        | Length::LogNormal { bounds, .. }
        | Length::Gamma { bounds, .. } => bounds.unwrap_or(Bounds {
            min: 1,
            max: UNBOUNDED_TURNS,
        }),
    }
}

/// `TIME`, or a distribution with its parameters.
fn wait<'a>(source: Source<'a>, value: &'a str) -> Result<Wait, SyntaxError> {
    const NEEDED: &str = "a time up to 24h is needed: 5s, exp:5s, uniform:1s..9s, \
                          lognormal:MEDIAN/SIGMA as in lognormal:5s/0.8, or gamma:MEAN/CV as in \
                          gamma:5s/2";
    let span = |part: &str| {
        let span: Option<Span> = trimmed(part).parse().ok();
        let span = span.filter(|span| *span <= MAX_WAIT);
        span.ok_or_else(|| source.error(trimmed(part), NEEDED))
    };
    let (kind, Some(body)) = split_name(value) else {
        return Ok(Wait::Fixed(span(value)?));
    };
    let spread = |range: std::ops::RangeInclusive<f64>| {
        let parts = body.split_once('/');
        let (first, second) = parts.ok_or_else(|| source.error(trimmed(body), NEEDED))?;
        Ok((span(first)?, source.number(second, range, NEEDED)?))
    };
    Ok(match kind {
        "exp" => Wait::Exponential(span(body)?),
        "uniform" => {
            let ends = body.split_once("..");
            let (least, most) = ends.ok_or_else(|| source.error(trimmed(body), NEEDED))?;
            let (least, most) = (span(least)?, span(most)?);
            if least > most {
                return Err(source.error(trimmed(body), NEEDED));
            }
            Wait::Uniform { least, most }
        }
        "lognormal" => {
            let (median, sigma) = spread(0.001..=5.0)?;
            Wait::LogNormal { median, sigma }
        }
        "gamma" => {
            let (mean, cv) = spread(0.01..=10.0)?;
            Wait::Gamma { mean, cv }
        }
        _ => return Err(source.error(kind, NEEDED)),
    })
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(span) => span.fmt(f),
            Self::Exponential(mean) => write!(f, "exp:{mean}"),
            Self::Uniform { least, most } => write!(f, "uniform:{least}..{most}"),
            Self::LogNormal { median, sigma } => write!(f, "lognormal:{median}/{sigma}"),
            Self::Gamma { mean, cv } => write!(f, "gamma:{mean}/{cv}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> Result<Sessions, String> {
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        let sessions = Sessions::parse(&options).map_err(|e| e.to_string())?;
        Ok(sessions.expect("options were given"))
    }

    #[test]
    fn options_are_read() {
        let sessions = parse(&[
            "turns=2..8",
            "think=lognormal:5s/0.8",
            "tool = exp:2s",
            "tool-share=0.25",
            "pause=1m",
            "system=500",
            "max-context=32000",
            "history=live",
            "on-failure=continue",
        ])
        .expect("sound");
        let (median, sigma) = (Span::seconds(5), 0.8);
        assert_eq!(sessions.turns, Length::Uniform(Bounds { min: 2, max: 8 }));
        assert_eq!(sessions.most_turns(), 8);
        assert_eq!(sessions.think, Wait::LogNormal { median, sigma });
        assert_eq!(sessions.tool, Wait::Exponential(Span::seconds(2)));
        assert_eq!(sessions.pause, Wait::Fixed(Span::seconds(60)));
        assert_eq!((sessions.system, sessions.tool_share), (Some(500), 0.25));
        assert_eq!(sessions.history, History::Live);
        assert_eq!(sessions.on_failure, OnFailure::Continue);
    }

    #[test]
    fn numbers_of_turns() {
        let most = |text: &str| parse(&[text]).map(|s| s.most_turns());
        assert_eq!(most("turns=3"), Ok(3));
        assert_eq!(most("turns=uniform:2..8"), Ok(8));
        assert_eq!(most("turns=zipf:1.2/1..20"), Ok(20));
        assert_eq!(most("turns=lognormal:4/0.8"), Ok(1_000));
        assert_eq!(most("turns=gamma:4/0.8/1..12"), Ok(12));
        for text in [
            "0",
            "10001",
            "8..2",
            "few",
            "poisson:3/1",
            "zipf:1",
            "normal:4",
        ] {
            most(&format!("turns={text}")).expect_err(text);
        }
    }

    #[test]
    fn waits_print_as_they_are_read() {
        for text in [
            "5s",
            "exp:5s",
            "uniform:1s..9s",
            "lognormal:5s/0.8",
            "gamma:5s/2",
        ] {
            let sessions = parse(&["turns=2", &format!("think={text}")]).expect(text);
            assert_eq!(sessions.think.to_string(), text);
        }
        for text in [
            "5",
            "exp:-1s",
            "uniform:9s..1s",
            "gamma:5s",
            "25h",
            "weibull:5s/2",
        ] {
            parse(&["turns=2", &format!("think={text}")]).expect_err(text);
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        for (options, expect) in [
            (&["trns=3"][..], "did you mean `turns`?"),
            (&["turns"], "a value is needed, as in turns=5"),
            (&["turns=3", "turns=4"], "turns is given twice"),
            (&["think=5s"], "turns=N is needed"),
            (&["turns=3", "tool=5s"], "tool and tool-share"),
            (&["turns=3", "history=real"], "one of planned, live"),
            (&["turns=3", "tool-share=2"], "character 12, `2`: a share"),
            (&["turns=3", "max-context=16"], "room for the system prompt"),
        ] {
            let error = parse(options).expect_err(expect);
            assert!(error.contains(expect), "{error}");
        }
    }
}
