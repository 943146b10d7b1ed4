//! Sessions of coding agents, one a line: turns with calls of a model and batches of tools (the form of the
//! GitHub Copilot traces of 2026).
//!
//! Tools are not read: what a call waited for, their time among it, is in the instants of the calls.
//! Invariant: every call of a line becomes one or is counted.

use super::call::{Any, Call, duration_of, instant_of, tokens};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    turns: Vec<Turn<'a>>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(default, borrow)]
    llm_calls: Vec<Made<'a>>,
}

#[derive(Deserialize)]
struct Made<'a> {
    #[serde(borrow)]
    timestamp: Option<Any<'a>>,
    #[serde(borrow)]
    duration_ms: Option<Any<'a>>,
    #[serde(borrow)]
    initiator_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status_code: Option<Any<'a>>,
    #[serde(borrow)]
    tokens: Option<Counts<'a>>,
}

#[derive(Deserialize)]
struct Counts<'a> {
    #[serde(borrow)]
    prompt: Option<Any<'a>>,
    #[serde(borrow)]
    completion: Option<Any<'a>>,
    #[serde(borrow)]
    cached: Option<Any<'a>>,
}

/// Reads a session.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    for made in line.turns.iter().flat_map(|turn| &turn.llm_calls) {
        match call(&line.session_id, made) {
            Ok(call) => sink.call(call, place),
            Err(reason) => sink.leave(reason, place),
        }
    }
    Ok(())
}

fn call<'a>(session: &'a str, made: &'a Made<'a>) -> Result<Call<'a>, Reason> {
    let status = tokens(made.status_code)?;
    if status.is_some_and(|status| !(200..300).contains(&status)) {
        return Err(Reason::Failed);
    }
    let counts = made.tokens.as_ref().ok_or(Reason::NoOutput)?;
    Ok(Call {
        at_ns: instant_of(made.timestamp, 1_000_000)?,
        duration_ns: duration_of(made.duration_ms, 1_000_000),
        session: Some(Cow::Borrowed(session)),
        input_tokens: tokens(counts.prompt)?,
        output_tokens: tokens(counts.completion)?,
        cached_tokens: tokens(counts.cached)?,
        class: made.initiator_type.as_deref().map(Cow::Borrowed),
        ..Call::default()
    })
}
