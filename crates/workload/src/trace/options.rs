//! How a trace is to be read: the format where it is not recognised, what is declared about it,
//! and which operations are applied to its rows.
//!
//! Invariant: without options nothing is changed and nothing but failed requests is left out.

use super::error::TraceError;
use super::format::TraceFormat;
use super::pacing::Pacing;
use super::time_unit::TimeUnit;
use infermeter_core::text::inert;
use std::str::FromStr;

/// What happens to a row that asks for more tokens than the context holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverContext {
    /// It is left out and counted.
    #[default]
    Skip,
    /// Its prompt is cut to what the answer leaves, and it is counted.
    Clip,
}

/// Which order of rows is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowOrder {
    /// Time must not go backwards.
    #[default]
    ByTime,
    /// Rows are sorted by time; equal instants keep the order of the file.
    Sort,
}

/// What becomes of rows that share an instant because the clock of the trace was coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instants {
    /// They arrive together, as recorded.
    #[default]
    AsRecorded,
    /// They are spread over the step of the clock: uniform draws, sorted.
    Spread,
}

/// How a trace is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceOptions {
    /// The format; absent: recognised by content.
    pub format: Option<TraceFormat>,
    /// The format of a file whose content no other fits; absent: that is an error.
    pub otherwise: Option<TraceFormat>,
    /// Rows to use; absent: all.
    pub limit: Option<u64>,
    /// Tokens of a block that one hash id stands for; absent: the format's own.
    pub block_tokens: Option<u32>,
    /// Unit of the timestamps; absent: the format's own.
    pub time_unit: Option<TimeUnit>,
    /// Most tokens of prompt and answer together; absent: no limit.
    pub max_context: Option<u32>,
    /// What happens to rows beyond it.
    pub over_context: OverContext,
    /// Which order is accepted.
    pub order: RowOrder,
    /// What becomes of equal instants.
    pub instants: Instants,
    /// When rows are due that wait for another one; absent: as the format has it.
    pub pacing: Option<Pacing>,
    /// Seed of what is drawn (the instants of [`Instants::Spread`]).
    pub seed: u64,
}

impl TraceOptions {
    /// Names of the options that [`TraceOptions::set`] knows.
    pub const NAMES: [&'static str; 8] = [
        "format",
        "block-size",
        "time-unit",
        "max-context",
        "clip",
        "sort",
        "spread",
        "pacing",
    ];

    /// Sets one option written as `NAME` or `NAME=VALUE`.
    ///
    /// # Errors
    /// When there is no such option, or the value is none of its own.
    pub fn set(&mut self, text: &str) -> Result<(), TraceError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        match (name, value) {
            ("format", Some(value)) => {
                let format = TraceFormat::from_str(value);
                self.format = Some(format.map_err(|e| bad(text, &e.to_string()))?);
            }
            ("block-size", Some(value)) => self.block_tokens = Some(tokens(text, value)?),
            ("max-context", Some(value)) => self.max_context = Some(tokens(text, value)?),
            ("time-unit", Some(value)) => {
                let unit = TimeUnit::parse(value);
                self.time_unit = Some(unit.ok_or_else(|| bad(text, "one of s, ms, us, ns"))?);
            }
            ("pacing", Some(value)) => {
                let pacing = Pacing::from_str(value);
                let known = "one of recorded, timestamps, idle-gaps";
                self.pacing = Some(pacing.map_err(|()| bad(text, known))?);
            }
            ("clip", None) => self.over_context = OverContext::Clip,
            ("sort", None) => self.order = RowOrder::Sort,
            ("spread", None) => self.instants = Instants::Spread,
            ("clip" | "sort" | "spread", Some(_)) => return Err(bad(text, "it takes no value")),
            (name, None) if Self::NAMES.contains(&name) => {
                return Err(bad(text, "it needs a value, as in max-context=131072"));
            }
            _ => {
                let known = format!("unknown option: one of {}", Self::NAMES.join(", "));
                return Err(bad(text, &known));
            }
        }
        Ok(())
    }

    /// Checks the options together.
    ///
    /// # Errors
    /// When one needs another that is not there, and for a limit of 0 rows.
    pub fn check(&self) -> Result<(), TraceError> {
        if self.limit == Some(0) {
            return Err(option(
                "a limit of 0 rows (--trace-limit): at least 1 is needed",
            ));
        }
        if self.over_context == OverContext::Clip && self.max_context.is_none() {
            return Err(option("the option clip needs max-context=TOKENS"));
        }
        if self.format == Some(TraceFormat::Vllm) && self.time_unit.is_none() {
            return Err(option(
                "the format vllm needs time-unit=s, ms, us or ns: its files do not say",
            ));
        }
        Ok(())
    }

    /// Checks them for the format of the file: what would change nothing was not meant.
    ///
    /// # Errors
    /// When an option says something about what the format does not have.
    pub(super) fn check_for(&self, format: TraceFormat) -> Result<(), TraceError> {
        if self.time_unit.is_some() && !format.has_numeric_times() {
            return Err(useless(
                "time-unit",
                format,
                "its rows have dates or no times",
            ));
        }
        if self.block_tokens.is_some() && !format.has_blocks() {
            return Err(useless("block-size", format, "its rows have no hash ids"));
        }
        if self.pacing.is_some() && !format.is_timed() {
            return Err(useless("pacing", format, "its rows have no times"));
        }
        if self.instants == Instants::Spread && !format.is_timed() {
            return Err(useless("spread", format, "its rows have no times"));
        }
        if self.order == RowOrder::Sort && !format.is_timed() {
            return Err(useless("sort", format, "its rows have no times"));
        }
        Ok(())
    }
}

fn useless(name: &str, format: TraceFormat, why: &str) -> TraceError {
    option(&format!(
        "the option {name} is of no use for the format {format}: {why}"
    ))
}

fn option(message: &str) -> TraceError {
    let message = message.to_owned();
    TraceError::Option { message }
}

fn bad(text: &str, what: &str) -> TraceError {
    option(&format!("option `{}`: {what}", inert(text, 80)))
}

fn tokens(text: &str, value: &str) -> Result<u32, TraceError> {
    match value.parse() {
        Ok(count @ 1..=1_000_000_000) => Ok(count),
        _ => Err(bad(text, "a whole number of tokens, at least 1, is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let mut options = TraceOptions::default();
        for text in [
            "format=vllm",
            "block-size=16",
            "time-unit = ms",
            "max-context=100",
            "clip",
        ] {
            options.set(text).expect(text);
        }
        let expect = TraceOptions {
            format: Some(TraceFormat::Vllm),
            block_tokens: Some(16),
            time_unit: Some(TimeUnit::Milliseconds),
            max_context: Some(100),
            over_context: OverContext::Clip,
            ..TraceOptions::default()
        };
        assert_eq!(options, expect);
        options.check().expect("complete");
    }

    #[test]
    fn wrong_options_say_what_is_needed() {
        for (text, expect) in [
            ("format=csv", "one of rows, azure, burstgpt"),
            ("block-size=0", "at least 1"),
            ("block-size", "needs a value"),
            ("sort=yes", "no value"),
            ("time-unit=h", "s, ms, us, ns"),
            ("pacing=fast", "timestamps, idle-gaps"),
            ("spred", "one of format, block-size"),
        ] {
            let error = TraceOptions::default()
                .set(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(expect) && error.contains(text), "{error}");
        }
        for text in ["clip", "format=vllm"] {
            let mut options = TraceOptions::default();
            options.set(text).expect(text);
            options.check().expect_err(text);
        }
    }
}
