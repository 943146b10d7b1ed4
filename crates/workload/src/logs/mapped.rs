//! Rows of a file that no reader knows, through a mapping that the caller has.
//!
//! Invariant: what the mapping does not find is absent.

use super::asked::RowMapping;
use super::call::{Call, Said, instant, instant_text};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use crate::trace::MAX_TOKENS;
use serde_json::Value;
use std::borrow::Cow;

/// Reads a row.
pub(super) fn read(
    bytes: &[u8],
    place: Place,
    mapping: RowMapping<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Reason> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    let row = mapping(&value).map_err(|_| Reason::WrongValue)?;
    if row.failed == Some(true) {
        return Err(Reason::Failed);
    }
    let ns = |value: Option<f64>, unit: f64| match value.map(|value| (value * unit).round()) {
        None => Ok(None),
        Some(ns) if (0.0..9.2e18).contains(&ns) => Ok(Some(ns as i64)),
        Some(_) => Err(Reason::WrongTime),
    };
    let at_ns = match &row.start_text {
        Some(date) => Some(instant_text(date, 1_000_000_000)?),
        None => ns(row.start_s, 1e9)?,
    };
    // Seconds of a clock that began with the run are as good as those of the epoch.
    let of_epoch = at_ns.is_some_and(|ns| instant(Some(ns)).is_ok());
    sink.call(
        Call {
            at_ns: at_ns.filter(|ns| of_epoch || *ns < 1_000_000_000_000_000_000),
            duration_ns: ns(row.e2e_ms, 1e6)?,
            session: row.session.map(Cow::Owned),
            input_tokens: tokens(row.input_tokens)?,
            output_tokens: tokens(row.output_tokens)?,
            cached_tokens: tokens(row.cached_tokens)?,
            said: row.prompt.map(|prompt| Said::Text(prompt.into())),
            ..Call::default()
        },
        place,
    );
    Ok(())
}

fn tokens(value: Option<f64>) -> Result<Option<u32>, Reason> {
    match value {
        None => Ok(None),
        Some(tokens)
            if tokens.fract() == 0.0 && (0.0..=f64::from(MAX_TOKENS)).contains(&tokens) =>
        {
            Ok(Some(tokens as u32))
        }
        Some(_) => Err(Reason::WrongValue),
    }
}
