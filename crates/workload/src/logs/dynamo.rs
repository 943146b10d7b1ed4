//! Events of Dynamo's `request.trace.v1`: the ends of requests, with sessions, lengths and rolling hashes.
//!
//! Names as in its source. Tools' events are not read: what a request waited for is in the instants.
//! Invariant: a session of a sub-agent belongs to the session that began it.

use super::call::{Any, Call, duration_of, instant_of, tokens};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// Most sessions of sub-agents whose parents are kept.
const MOST_PARENTS: usize = 1_000_000;
/// Most sub-agents of sub-agents.
const DEEPEST: usize = 32;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    agent_context: Option<Agent<'a>>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
struct Agent<'a> {
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    parent_session_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    output_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    request_received_ms: Option<Any<'a>>,
    #[serde(borrow)]
    total_time_ms: Option<Any<'a>>,
    replay: Option<Replay>,
}

#[derive(Deserialize)]
struct Replay {
    trace_block_size: u32,
    input_sequence_hashes: Vec<u64>,
}

/// The sessions of sub-agents so far.
#[derive(Debug, Default)]
pub(super) struct Events {
    parents: HashMap<String, String>,
}

impl Events {
    /// Reads an event.
    pub fn read(&mut self, bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
        let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
        if line.event_type != "request_end" {
            return Err(Reason::NoCall);
        }
        let request = line.request.ok_or(Reason::WrongValue)?;
        let session = line.agent_context.and_then(|agent| self.session(agent));
        let blocks = request
            .replay
            .filter(|replay| sink.takes_blocks_of(replay.trace_block_size));
        sink.call(
            Call {
                at_ns: instant_of(request.request_received_ms, 1_000_000)?,
                duration_ns: duration_of(request.total_time_ms, 1_000_000),
                session: session.map(Cow::Owned),
                input_tokens: tokens(request.input_tokens)?,
                output_tokens: tokens(request.output_tokens)?,
                class: request.model,
                blocks: blocks.map_or(Vec::new(), |replay| replay.input_sequence_hashes),
                ..Call::default()
            },
            place,
        );
        Ok(())
    }

    /// The session that a call belongs to: that of the agent that began its agent.
    fn session(&mut self, agent: Agent<'_>) -> Option<String> {
        let own = agent.session_id?.into_owned();
        if let Some(parent) = agent.parent_session_id
            && self.parents.len() < MOST_PARENTS
            && parent != own
        {
            self.parents.insert(own.clone(), parent.into_owned());
        }
        let mut root = own;
        for _ in 0..DEEPEST {
            match self.parents.get(&root) {
                Some(parent) => root.clone_from(parent),
                None => break,
            }
        }
        Some(root)
    }
}
