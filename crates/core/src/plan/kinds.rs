//! What requests carry beside their text, as a user writes it: kinds by weight, adapters by weight,
//! images, sampling parameters.
//!
//! It reads no file and makes no request; the `workload` crate does.
//!
//! Invariant: what is printed reads back as the same value.

use super::syntax::{Source, SyntaxError, meant, trimmed};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Greatest weight.
const MAX_WEIGHT: f64 = 1e12;
/// Most images of a request.
const MAX_IMAGES: u32 = 64;
/// Most pixels in each direction.
const MAX_PIXELS: u32 = 8_192;
/// Most images of a pool.
const MAX_DISTINCT: u32 = 1_000_000;

/// What a request asks for beside words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// Nothing.
    Plain,
    /// An answer of a given form.
    Schema,
    /// Tools may be called.
    Tools,
    /// Images come with the text.
    Images,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Schema, Self::Tools, Self::Images];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Schema => "schema",
            Self::Tools => "tools",
            Self::Images => "images",
        }
    }
}

/// A kind and its share of the requests, relative to the other kinds' weights: `schema=0.3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindWeight {
    /// The kind.
    pub kind: RequestKind,
    /// Its weight.
    pub weight: f64,
}

/// An adapter and its share of the requests: `sql-adapter=2`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterWeight {
    /// Its name, sent as `model`.
    pub name: String,
    /// Its weight.
    pub weight: f64,
}

/// Generated images of a request: `2@1024x768`, or `2@1024x768/50` out of a pool of 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSpec {
    /// Images of a request.
    pub count: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Different images of the whole run; absent: no two are alike.
    pub distinct: Option<u32>,
}

/// A sampling parameter: `temperature=0.7`.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingValue {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// Sampling parameters of the common servers.
const SAMPLING: [&str; 21] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "length_penalty",
    "seed",
    "stop",
    "stop_token_ids",
    "bad_words",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "best_of",
    "use_beam_search",
    "skip_special_tokens",
    "reasoning_effort",
];

/// `NAME=WEIGHT`; the name may hold `=`.
fn weighted<'a>(
    source: Source<'a>,
    text: &'a str,
    example: &str,
) -> Result<(&'a str, f64), SyntaxError> {
    let Some((name, weight)) = text.rsplit_once('=') else {
        let needed = format!("a weight after `=` is needed, as in {example}");
        return Err(source.error(trimmed(text), needed));
    };
    let needed = format!("a weight above 0 is needed, as in {example}");
    let weight = source.number(weight, f64::MIN_POSITIVE..=MAX_WEIGHT, &needed)?;
    Ok((trimmed(name), weight))
}

impl FromStr for KindWeight {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        let (name, weight) = weighted(source, text, "schema=0.3")?;
        let named = |kind: &RequestKind| kind.as_str() == name;
        let kind = RequestKind::ALL.into_iter().find(named).ok_or_else(|| {
            let near = meant(name, &RequestKind::ALL.map(RequestKind::as_str));
            let all = "One of plain, schema, tools, images";
            source.error(name, format!("unknown kind{near} {all}"))
        })?;
        Ok(Self { kind, weight })
    }
}

impl fmt::Display for KindWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.as_str(), self.weight)
    }
}

impl FromStr for AdapterWeight {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        let (name, weight) = weighted(source, text, "sql-adapter=1")?;
        if name.is_empty() {
            let needed = "the adapter's name is needed, as in sql-adapter=1";
            return Err(source.error(name, needed));
        }
        Ok(Self {
            name: name.to_owned(),
            weight,
        })
    }
}

impl fmt::Display for AdapterWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.weight)
    }
}

impl FromStr for ImageSpec {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        const EXAMPLE: &str = "as in 1@1024x768, or 1@1024x768/50 for a pool of 50";
        let source = Source(text);
        let whole = |part: &str, most: u32, what: &str| {
            let part = trimmed(part);
            let number = part.parse().ok().filter(|n| (1..=most).contains(n));
            number.ok_or_else(|| {
                let needed = format!("{what} from 1 to {most} is needed, {EXAMPLE}");
                source.error(part, needed)
            })
        };
        let missing = |what: &str| source.error(trimmed(text), format!("{what}, {EXAMPLE}"));
        let (count, rest) = text
            .split_once('@')
            .ok_or_else(|| missing("COUNT@WIDTHxHEIGHT is needed"))?;
        let (size, distinct) = match rest.split_once('/') {
            Some((size, distinct)) => (size, Some(distinct)),
            None => (rest, None),
        };
        let (width, height) = size
            .split_once('x')
            .ok_or_else(|| missing("WIDTHxHEIGHT in pixels is needed"))?;
        Ok(Self {
            count: whole(count, MAX_IMAGES, "a number of images")?,
            width: whole(width, MAX_PIXELS, "a width")?,
            height: whole(height, MAX_PIXELS, "a height")?,
            distinct: distinct
                .map(|n| whole(n, MAX_DISTINCT, "a number of different images"))
                .transpose()?,
        })
    }
}

impl fmt::Display for ImageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}x{}", self.count, self.width, self.height)?;
        match self.distinct {
            Some(distinct) => write!(f, "/{distinct}"),
            None => Ok(()),
        }
    }
}

impl FromStr for SamplingValue {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        let Some((name, value)) = text.split_once('=') else {
            let needed = "a value after `=` is needed, as in temperature=0.7";
            return Err(source.error(trimmed(text), needed));
        };
        let name = trimmed(name);
        if !SAMPLING.contains(&name) {
            let near = meant(name, &SAMPLING);
            let needed = format!(
                "no sampling parameter that is known here{near} Other members go into --extra-body"
            );
            return Err(source.error(name, needed));
        }
        let value = trimmed(value);
        let value: Value = serde_json::from_str(value).map_err(|_| {
            let needed = "JSON is needed: a number, true, a list, or a text in quotes, as in \
                          stop=[\"END\"]";
            source.error(value, needed)
        })?;
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

impl fmt::Display for SamplingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: FromStr<Err = SyntaxError> + fmt::Display>(text: &str) {
        let read: T = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(read.to_string(), text);
    }

    fn refused<T: FromStr<Err = SyntaxError>>(text: &str, expect: &str) {
        let error = text.parse::<T>().err().map(|e| e.to_string());
        let error = error.unwrap_or_else(|| panic!("{text} must be refused"));
        assert!(error.starts_with(expect), "{error}");
    }

    #[test]
    fn what_is_printed_reads_back() {
        round::<KindWeight>("schema=0.3");
        round::<AdapterWeight>("a=b=2");
        round::<ImageSpec>("2@1024x768");
        round::<ImageSpec>("1@16x16/50");
        round::<SamplingValue>("temperature=0.7");
        round::<SamplingValue>("stop=[\"END\"]");
    }

    #[test]
    fn what_is_wrong_says_where_and_suggests() {
        refused::<KindWeight>(
            "shema=1",
            "character 1, `shema`: unknown kind; did you mean `schema`?",
        );
        refused::<KindWeight>("tools", "character 1, `tools`: a weight after `=`");
        refused::<KindWeight>("tools=0", "character 7, `0`: a weight above 0");
        refused::<AdapterWeight>("=1", "character 1, nothing: the adapter's name");
        refused::<ImageSpec>("1024x768", "character 1, `1024x768`: COUNT@");
        refused::<ImageSpec>("1@1024", "character 1, `1@1024`: WIDTHxHEIGHT");
        refused::<ImageSpec>("0@8x8", "character 1, `0`: a number of images from 1 to 64");
        refused::<ImageSpec>("1@8x9000", "character 5, `9000`: a height from 1 to 8192");
        refused::<SamplingValue>(
            "temprature=1",
            "character 1, `temprature`: no sampling parameter that is known here; did you mean \
             `temperature`?",
        );
        refused::<SamplingValue>("stop=END", "character 6, `END`: JSON is needed");
    }
}
