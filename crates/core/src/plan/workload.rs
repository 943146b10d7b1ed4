//! `workload`: what lengths requests have, as a user writes it.
//!
//! It draws nothing and reads no file; the `workload` crate does.
//!
//! Invariant: prompts have at least 16 tokens (their salt needs room), answers at least 1, both at
//! most 4,000,000; what is printed reads back as the same value.

use super::syntax::{Source, SyntaxError, meant, split_name, trimmed};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Most tokens of a prompt or an answer.
pub const MAX_TOKENS: u32 = 4_000_000;

/// Least tokens of a prompt: its salt takes eight, and a first block has sixteen.
pub const MIN_PROMPT_TOKENS: u32 = 16;

/// Most values of a Zipf length: its probabilities are kept in a table.
pub(crate) const MAX_ZIPF_VALUES: u32 = 1_000_000;

/// Most classes of a mixture.
const MAX_CLASSES: usize = 1_000;

/// Limits of a length, tokens, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Least.
    pub min: u32,
    /// Greatest.
    pub max: u32,
}

/// How long a prompt or an answer is, in tokens. Where bounds are absent, they are the least and
/// the most that a prompt or an answer may have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Length {
    /// Always the same.
    Fixed(u32),
    /// Each whole number within the bounds is as likely as any other.
    Uniform(Bounds),
    /// Normal, drawn again until it lies within the bounds.
    Normal {
        /// Mean before truncation.
        mean: f64,
        /// Standard deviation before truncation.
        sd: f64,
        /// Where it is truncated.
        bounds: Option<Bounds>,
    },
    /// Lognormal; a draw outside the bounds becomes the bound.
    LogNormal {
        /// Median.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
        /// Where it is clipped.
        bounds: Option<Bounds>,
    },
    /// Gamma; a draw outside the bounds becomes the bound.
    Gamma {
        /// Mean before clipping.
        mean: f64,
        /// Coefficient of variation before clipping.
        cv: f64,
        /// Where it is clipped.
        bounds: Option<Bounds>,
    },
    /// A length of n tokens has a probability proportional to n to the power of -exponent.
    Zipf {
        /// The exponent; 0 makes all lengths equally likely.
        exponent: f64,
        /// Least and greatest length.
        bounds: Bounds,
    },
}

impl Length {
    /// The name of the distribution.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "fixed",
            Self::Uniform(_) => "uniform",
            Self::Normal { .. } => "normal",
            Self::LogNormal { .. } => "lognormal",
            Self::Gamma { .. } => "gamma",
            Self::Zipf { .. } => "zipf",
        }
    }
}

/// Lengths of prompts and answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// Of prompts.
    pub input: Length,
    /// Of answers.
    pub output: Length,
    /// Correlation of the normal variables that both are made from (a Gaussian copula), -1 to 1;
    /// absent: independent.
    pub rho: Option<f64>,
}

/// A class of a mixture.
#[derive(Debug, Clone, PartialEq)]
pub struct MixPart {
    /// Its lengths.
    pub class: WorkloadClass,
    /// Its share, relative to the other classes' weights.
    pub weight: f64,
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadClass {
    /// Short prompts, medium answers.
    Chat,
    /// Medium prompts, long answers.
    CodeGeneration,
    /// Very long prompts.
    LongContextQa,
    /// Long prompts, short answers.
    Summarization,
    /// Lengths from named distributions.
    Lengths(Lengths),
    /// Pairs of lengths from a file.
    Empirical(PathBuf),
}

/// What kind of requests is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadKind {
    /// All of one class.
    One(WorkloadClass),
    /// Several classes, each with its share of the requests; at least two.
    Mix(Vec<MixPart>),
}

const NAMES: [&str; 12] = [
    "chat",
    "code-generation",
    "long-context-qa",
    "summarization",
    "fixed",
    "uniform",
    "normal",
    "lognormal",
    "gamma",
    "zipf",
    "empirical",
    "mix",
];

const ALL: &str = "chat, code-generation, long-context-qa, summarization, fixed:IN,OUT, \
                   uniform:A..B,C..D, normal:MEAN/SD,MEAN/SD, lognormal:MEDIAN/SIGMA,MEDIAN/SIGMA, \
                   gamma:MEAN/CV,MEAN/CV, zipf:S/A..B,S/C..D, empirical:FILE, mix:NAME=W,NAME=W";

impl WorkloadKind {
    /// Every request the same size, tokens.
    pub fn fixed(input: u32, output: u32) -> Self {
        Self::One(WorkloadClass::Lengths(Lengths {
            input: Length::Fixed(input),
            output: Length::Fixed(output),
            rho: None,
        }))
    }

    /// Names of the classes used in records: the workload's own, or those of a mixture, in which
    /// classes with parameters are named by their whole text.
    pub fn classes(&self) -> Vec<String> {
        match self {
            Self::Mix(parts) => parts.iter().map(|part| part.class.to_string()).collect(),
            Self::One(WorkloadClass::Lengths(lengths)) => vec![lengths.input.name().to_owned()],
            Self::One(WorkloadClass::Empirical(_)) => vec!["empirical".to_owned()],
            Self::One(named) => vec![named.to_string()],
        }
    }
}

/// One side of a pair of lengths.
#[derive(Clone, Copy)]
struct Side {
    name: &'static str,
    /// As placeholder in messages.
    short: &'static str,
    least: u32,
}

const PROMPT: Side = Side {
    name: "prompts",
    short: "IN",
    least: MIN_PROMPT_TOKENS,
};
const ANSWER: Side = Side {
    name: "answers",
    short: "OUT",
    least: 1,
};

/// How a distribution's parameters are written.
fn example(kind: &str) -> &'static str {
    match kind {
        "fixed" => "fixed:128,64",
        "uniform" => "uniform:100..2000,64..256",
        "normal" => "normal:500/100,200/50 or normal:500/100/16..4000,200/50/1..2000",
        "lognormal" => "lognormal:220/0.8,160/0.8 or lognormal:220/0.8/16..4000,160/0.8/1..2000",
        "gamma" => "gamma:220/1.5,160/1 or gamma:220/1.5/16..4000,160/1/1..2000",
        _ => "zipf:1.2/16..4000,1/1..2000",
    }
}

/// The second number of a distribution: what it is called, and its range.
#[derive(Clone, Copy)]
struct Spread {
    name: &'static str,
    least: f64,
    most: f64,
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    source: Source<'a>,
    kind: &'a str,
    side: Side,
}

impl<'a> Reader<'a> {
    fn needed(self, what: &str) -> String {
        format!("{what} is needed, as in {}", example(self.kind))
    }

    fn tokens(self, part: &'a str) -> Result<u32, SyntaxError> {
        let part = trimmed(part);
        let count: Option<u32> = part.parse().ok();
        count
            .filter(|n| (self.side.least..=MAX_TOKENS).contains(n))
            .ok_or_else(|| {
                let what = format!(
                    "a whole number of tokens, {} at least {} and at most 4,000,000,",
                    self.side.short, self.side.least
                );
                self.source.error(part, self.needed(&what))
            })
    }

    fn bounds(self, part: &'a str) -> Result<Bounds, SyntaxError> {
        let what = format!(
            "a range LEAST..MOST of tokens, {} at least {} and at most 4,000,000,",
            self.side.short, self.side.least
        );
        let range = self.side.least..=MAX_TOKENS;
        let (min, max) = self.source.whole_range(part, range, &self.needed(&what))?;
        Ok(Bounds { min, max })
    }

    fn number(self, part: &'a str, least: f64, most: f64, what: &str) -> Result<f64, SyntaxError> {
        let what = format!("{what} from {least} to {most}");
        let needed = self.needed(&what);
        self.source.number(part, least..=most, &needed)
    }

    /// `CENTRE/SPREAD`, with `/LEAST..MOST` where bounds are wanted.
    fn spread(
        self,
        body: &'a str,
        centre: &str,
        spread: Spread,
    ) -> Result<(f64, f64, Option<Bounds>), SyntaxError> {
        let mut parts = body.splitn(3, '/');
        let first = parts.next().unwrap_or(body);
        let Spread { name, least, most } = spread;
        let Some(second) = parts.next() else {
            let what = format!("the {name} after a `/`");
            return Err(self.source.error(trimmed(body), self.needed(&what)));
        };
        let middle = self.number(first, 1.0, f64::from(MAX_TOKENS), centre)?;
        let width = self.number(second, least, most, name)?;
        let bounds = match parts.next() {
            None => None,
            Some(part) => {
                let bounds = self.bounds(part)?;
                if middle < f64::from(bounds.min) || middle > f64::from(bounds.max) {
                    let needed = format!("a range that holds the {centre} {middle} is needed");
                    return Err(self.source.error(trimmed(part), needed));
                }
                Some(bounds)
            }
        };
        Ok((middle, width, bounds))
    }

    fn zipf(self, body: &'a str) -> Result<Length, SyntaxError> {
        let Some((exponent, range)) = body.split_once('/') else {
            let needed = self.needed("the range of lengths after a `/`");
            return Err(self.source.error(trimmed(body), needed));
        };
        let exponent = self.number(exponent, 0.0, 10.0, "an exponent")?;
        let bounds = self.bounds(range)?;
        if bounds.max - bounds.min >= MAX_ZIPF_VALUES {
            let needed = "a range of at most 1,000,000 lengths is needed";
            return Err(self.source.error(trimmed(range), needed));
        }
        Ok(Length::Zipf { exponent, bounds })
    }

    fn length(self, body: &'a str) -> Result<Length, SyntaxError> {
        Ok(match self.kind {
            "fixed" => Length::Fixed(self.tokens(body)?),
            "uniform" => Length::Uniform(self.bounds(body)?),
            "normal" => {
                let spread = Spread {
                    name: "standard deviation",
                    least: 0.001,
                    most: f64::from(MAX_TOKENS),
                };
                let (mean, sd, bounds) = self.spread(body, "mean", spread)?;
                Length::Normal { mean, sd, bounds }
            }
            "lognormal" => {
                let spread = Spread {
                    name: "sigma",
                    least: 0.001,
                    most: 5.0,
                };
                let (median, sigma, bounds) = self.spread(body, "median", spread)?;
                Length::LogNormal {
                    median,
                    sigma,
                    bounds,
                }
            }
            "gamma" => {
                let spread = Spread {
                    name: "coefficient of variation",
                    least: 0.01,
                    most: 10.0,
                };
                let (mean, cv, bounds) = self.spread(body, "mean", spread)?;
                Length::Gamma { mean, cv, bounds }
            }
            _ => self.zipf(body)?,
        })
    }
}

/// `KIND:PARAMETERS`; the second of a pair may leave its kind to the first.
fn side<'a>(
    source: Source<'a>,
    part: &'a str,
    inherited: Option<&'a str>,
    side: Side,
) -> Result<(Length, &'a str), SyntaxError> {
    let (kind, body) = match (part.split_once(':'), inherited) {
        (Some((kind, body)), _) => (kind.trim(), body),
        (None, Some(kind)) => (kind, part),
        (None, None) => (part.trim(), &part[part.len()..]),
    };
    let distribution = matches!(
        kind,
        "fixed" | "uniform" | "normal" | "lognormal" | "gamma" | "zipf"
    );
    if !distribution {
        let needed = format!(
            "lengths of {} are needed: fixed, uniform, normal, lognormal, gamma or zipf",
            side.name
        );
        return Err(source.error(kind, needed));
    }
    let reader = Reader { source, kind, side };
    Ok((reader.length(body)?, kind))
}

/// The length of a prompt's part at the beginning of `text`, `KIND:PARAMETERS` or a number of
/// tokens, and what follows its `/`. Parameters are told from what follows by their number: bounds
/// have two dots. `needs` says what is wanted where there is nothing.
pub(super) fn prompt_length<'a>(
    source: Source<'a>,
    text: &'a str,
    needs: &str,
) -> Result<(Length, Option<&'a str>), SyntaxError> {
    if text.trim().is_empty() {
        return Err(source.error(text, needs));
    }
    let kind = text.split(':').next().unwrap_or(text);
    let named = !kind.contains('/') && kind.len() < text.len();
    let spread = named && matches!(kind.trim(), "normal" | "lognormal" | "gamma");
    let least = if spread || (named && kind.trim() == "zipf") {
        2
    } else {
        1
    };
    let mut slashes = text.match_indices('/').map(|(at, _)| at).skip(least - 1);
    let mut end = slashes.next();
    if let Some(at) = end
        && spread
    {
        let bounds_end = slashes.next();
        let third = text.get(at + 1..bounds_end.unwrap_or(text.len()));
        if third.is_some_and(|part| part.contains("..")) {
            end = bounds_end;
        }
    }
    let part = &text[..end.unwrap_or(text.len())];
    let (length, _) = side(source, part, (!named).then_some("fixed"), PROMPT)?;
    Ok((length, end.map(|at| &text[at + 1..])))
}

/// A length as [`prompt_length`] reads it.
pub(super) fn kind_and_parameters(length: &Length) -> String {
    match length {
        Length::Fixed(tokens) => tokens.to_string(),
        other => format!("{}:{other}", other.name()),
    }
}

fn lengths<'a>(source: Source<'a>, text: &'a str) -> Result<Lengths, SyntaxError> {
    let parts: Vec<&str> = text.split(',').collect();
    let (input, kind) = side(source, parts[0], None, PROMPT)?;
    let Some(second) = parts.get(1) else {
        let needed = format!(
            "the answers' lengths after a comma are missing; write {}",
            example(kind)
        );
        return Err(source.error(&text[text.len()..], needed));
    };
    let (output, _) = side(source, second, Some(kind), ANSWER)?;
    let rho = match parts.get(2) {
        None => None,
        Some(part) => Some(rho(source, part, &[input, output])?),
    };
    if let Some(more) = parts.get(3) {
        return Err(source.error(trimmed(more), "nothing may follow rho"));
    }
    Ok(Lengths { input, output, rho })
}

fn rho<'a>(source: Source<'a>, part: &'a str, sides: &[Length]) -> Result<f64, SyntaxError> {
    let part = trimmed(part);
    let value = part.strip_prefix("rho=").map(str::trim);
    let rho = value.and_then(|value| value.parse::<f64>().ok());
    let rho = rho
        .filter(|rho| (-1.0..=1.0).contains(rho))
        .ok_or_else(|| {
            let needed = "only a correlation from -1 to 1 may follow, as in rho=0.4";
            source.error(part, needed)
        })?;
    if sides.iter().any(|side| matches!(side, Length::Fixed(_))) {
        let needed = "a fixed length has no correlation: leave rho out";
        return Err(source.error(part, needed));
    }
    Ok(rho)
}

fn mix<'a>(source: Source<'a>, body: &'a str) -> Result<Vec<MixPart>, SyntaxError> {
    const EXAMPLE: &str = "as in mix:chat=0.7,code-generation=0.3";
    let mut parts: Vec<MixPart> = Vec::new();
    let mut rest = body;
    while !rest.trim().is_empty() {
        let (item, weight, after) = weighted(rest).ok_or_else(|| {
            let needed = format!("a class and its weight above 0 are needed, {EXAMPLE}");
            source.error(trimmed(rest), needed)
        })?;
        let class = class(source, trimmed(item))?;
        if parts.iter().any(|part| part.class == class) {
            let needed = "each class is given once: add up the weights";
            return Err(source.error(trimmed(item), needed));
        }
        parts.push(MixPart { class, weight });
        if parts.len() > MAX_CLASSES {
            return Err(source.error(trimmed(item), "more than 1000 classes"));
        }
        rest = after;
    }
    if parts.len() < 2 {
        let needed = format!("at least two classes are needed, {EXAMPLE}");
        return Err(source.error(trimmed(body), needed));
    }
    Ok(parts)
}

/// The first class of a mixture, its weight, and what follows: a class ends at the comma after
/// `=WEIGHT`, since its own text may have commas. `rho=0.4` is no weight, `rho=0.4=2` has one.
fn weighted(text: &str) -> Option<(&str, f64, &str)> {
    let ends = text.match_indices(',').map(|(at, _)| at);
    let mut start = 0;
    for end in ends.chain([text.len()]) {
        let last = text.get(start..end)?;
        let named = last.trim_start().starts_with("rho=");
        let weight = if named && last.matches('=').count() < 2 {
            None
        } else {
            last.rsplit_once('=').map(|(_, weight)| weight.trim())
        };
        let weight = weight.and_then(|weight| weight.parse::<f64>().ok());
        if let Some(weight) = weight.filter(|w| *w > 0.0 && *w <= 1e12) {
            let item = text.get(..end)?.rsplit_once('=')?.0;
            return Some((item, weight, text.get(end + 1..).unwrap_or("")));
        }
        start = end + 1;
    }
    None
}

fn class<'a>(source: Source<'a>, text: &'a str) -> Result<WorkloadClass, SyntaxError> {
    let (name, body) = split_name(text);
    Ok(match (name, body) {
        ("chat", None) => WorkloadClass::Chat,
        ("code-generation", None) => WorkloadClass::CodeGeneration,
        ("long-context-qa", None) => WorkloadClass::LongContextQa,
        ("summarization", None) => WorkloadClass::Summarization,
        ("fixed" | "uniform" | "normal" | "lognormal" | "gamma" | "zipf", Some(_)) => {
            WorkloadClass::Lengths(lengths(source, text)?)
        }
        ("empirical", Some(file)) if !file.trim().is_empty() => {
            WorkloadClass::Empirical(PathBuf::from(file.trim()))
        }
        ("mix", Some(_)) => return Err(source.error(text, "a mixture holds no other mixture")),
        _ => return Err(source.error(text, unknown(name, body))),
    })
}

fn unknown(name: &str, body: Option<&str>) -> String {
    match (NAMES.contains(&name), body) {
        (true, None) => format!("parameters are missing; one of {ALL}"),
        (true, Some(body)) if body.trim().is_empty() => {
            format!("parameters are missing; one of {ALL}")
        }
        (true, Some(_)) => format!("`{name}` has no parameters; one of {ALL}"),
        (false, _) => match meant(name, &NAMES) {
            near if near.is_empty() => format!("unknown workload: one of {ALL}"),
            near => format!("unknown workload{near} One of {ALL}"),
        },
    }
}

impl FromStr for WorkloadKind {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        match split_name(text) {
            ("mix", Some(body)) => Ok(Self::Mix(mix(source, body)?)),
            _ => Ok(Self::One(class(source, text)?)),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.min, self.max)
    }
}

/// The parameters, without the kind.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (centre, spread, bounds) = match self {
            Self::Fixed(tokens) => return write!(f, "{tokens}"),
            Self::Uniform(bounds) => return write!(f, "{bounds}"),
            Self::Zipf { exponent, bounds } => return write!(f, "{exponent}/{bounds}"),
            Self::Normal { mean, sd, bounds } => (mean, sd, bounds),
            Self::LogNormal {
                median,
                sigma,
                bounds,
            } => (median, sigma, bounds),
            Self::Gamma { mean, cv, bounds } => (mean, cv, bounds),
        };
        write!(f, "{centre}/{spread}")?;
        match bounds {
            Some(bounds) => write!(f, "/{bounds}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, output) = (self.input.name(), self.output.name());
        write!(f, "{input}:{},", self.input)?;
        if input != output {
            write!(f, "{output}:")?;
        }
        write!(f, "{}", self.output)?;
        match self.rho {
            Some(rho) => write!(f, ",rho={rho}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WorkloadClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat => f.write_str("chat"),
            Self::CodeGeneration => f.write_str("code-generation"),
            Self::LongContextQa => f.write_str("long-context-qa"),
            Self::Summarization => f.write_str("summarization"),
            Self::Lengths(lengths) => lengths.fmt(f),
            Self::Empirical(path) => write!(f, "empirical:{}", path.display()),
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(class) => class.fmt(f),
            Self::Mix(parts) => {
                let part = |part: &MixPart| format!("{}={}", part.class, part.weight);
                let parts: Vec<String> = parts.iter().map(part).collect();
                write!(f, "mix:{}", parts.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests;
