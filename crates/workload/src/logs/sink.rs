//! Takes calls: makes them anonymous, counts what is odd, and keeps what rows need.
//!
//! It works out no session. Invariant: a call is kept, or counted as left out with its place; neither a name nor,
//! unless asked for, a text is kept.

use super::asked::{ImportOptions, LogError, TextsKept};
use super::call::{Call, Said};
use super::chat;
use super::format::LogFormat;
use super::hashes::Hashed;
use super::left_out::{Counts, Place, Reason};
use super::plain;
use super::sides::Sides;
use super::spill::{Packed, Spill};
use crate::counter::TokenCounter;
use crate::keyed::BlockChain;
use infermeter_core::text::inert;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Most sessions told apart: some hundred bytes each. Calls of further ones stand alone.
pub(super) const MOST_SESSIONS: usize = 4_000_000;
/// Most classes: one less than of a trace, where rows without one are of a class of their own.
pub(super) const MOST_CLASSES: usize = 999;
/// Kinds of calls whose names are written: they say nothing of anybody.
const KINDS: [&str; 2] = ["agent", "user"];
/// A clock that goes back by more, nanoseconds, was set: calls are logged when they end, an hour later at most.
const BACK_NS: i64 = 3_600_000_000_000;
/// A clock that goes forward by more was set, or nobody called for a week.
const FORWARD_NS: i64 = 604_800_000_000_000;

/// Takes calls: makes them anonymous and keeps what rows need.
pub(super) struct Sink<'s> {
    pub options: &'s ImportOptions<'s>,
    pub spill: Spill,
    counter: Option<TokenCounter>,
    /// Sessions by two hashes under keys that nobody keeps.
    pub sessions: HashMap<(u64, u64), u32>,
    hashers: (RandomState, RandomState),
    pub classes: Vec<String>,
    class_index: HashMap<String, u32>,
    pub format: LogFormat,
    /// Spans of calls.
    pub sides: Sides,
    pub last: Option<(i64, Option<u32>)>,
    pub records: u64,
    pub calls: u64,
    pub odd: Odd,
    pub left_out: Counts,
    pub jumps: u64,
    pub first_jumps: Vec<Place>,
    pub error: Option<LogError>,
}

/// What of the calls is worth a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Odd {
    /// Some have instants, or none has; absent before the first.
    pub timed: Option<bool>,
    /// Some have blocks.
    pub blocks: bool,
    /// Some have a number of cached tokens.
    pub cached: bool,
    /// Prompts that were counted.
    pub counted: u64,
    /// Some were cut into blocks of the tokenizer.
    pub cut: bool,
    /// Calls of sessions beyond the most.
    pub sessions: u64,
    /// Calls of classes beyond the most.
    pub classes: u64,
}

impl<'s> Sink<'s> {
    pub fn new(options: &'s ImportOptions<'s>) -> Self {
        Self {
            options,
            spill: Spill::new(&options.folder),
            counter: None,
            sessions: HashMap::new(),
            hashers: (RandomState::new(), RandomState::new()),
            classes: Vec::new(),
            class_index: HashMap::new(),
            format: LogFormat::Mapped,
            sides: Sides::default(),
            last: None,
            records: 0,
            calls: 0,
            odd: Odd::default(),
            left_out: Counts::default(),
            jumps: 0,
            first_jumps: Vec::new(),
            error: None,
        }
    }

    /// Blocks of a log are kept where they are as long as those asked for.
    pub fn takes_blocks_of(&self, tokens: u32) -> bool {
        tokens == self.options.block_tokens
    }

    /// Counts a record that gives no call.
    pub fn leave(&mut self, reason: Reason, place: Place) {
        self.left_out.add(reason, place);
    }

    /// Takes a call.
    pub fn call(&mut self, mut call: Call<'_>, place: Place) {
        match self.packed(&mut call, place) {
            Err(reason) => self.leave(reason, place),
            Ok(packed) => {
                self.calls += 1;
                if let Err(error) = self.spill.add(&packed) {
                    self.error = Some(error.into());
                }
            }
        }
    }

    fn packed(&mut self, call: &mut Call<'_>, place: Place) -> Result<Packed, Reason> {
        let has_time = call.at_ns.is_some();
        // One call without an instant does not make a log one without any.
        let lacks = !has_time && self.format.has_instants();
        if lacks || *self.odd.timed.get_or_insert(has_time) != has_time {
            return Err(Reason::NoTime);
        }
        if call.output_tokens == Some(0) {
            return Err(Reason::NoOutput);
        }
        let said = self.texts(call)?;
        // A log's own blocks may cover more than the prompt; of an unknown length none are its.
        let whole = |tokens: u32| tokens.div_ceil(self.options.block_tokens.max(1));
        call.blocks
            .truncate(call.input_tokens.map_or(0, whole) as usize);
        if call.input_tokens == Some(0) {
            return Err(Reason::NoPrompt);
        }
        if !has_time && call.input_tokens.is_none() && call.output_tokens.is_none() {
            return Err(Reason::NoLength);
        }
        let session = self.session(call);
        if let Some(at) = call.at_ns {
            self.watch_clock(at, session, place);
        }
        self.odd.blocks |= !call.blocks.is_empty();
        self.odd.cached |= call.cached_tokens.is_some() && session.is_some();
        Ok(Packed {
            at_ns: call.at_ns.unwrap_or(self.calls as i64),
            duration_ns: call.duration_ns,
            session,
            input_tokens: call.input_tokens,
            output_tokens: call.output_tokens,
            cached_tokens: call.cached_tokens,
            class: self.class(call),
            place,
            blocks: std::mem::take(&mut call.blocks),
            said,
        })
    }

    /// Counts and hashes what a call says, as far as that is wanted; what is written of it.
    fn texts(&mut self, call: &mut Call<'_>) -> Result<Vec<u8>, Reason> {
        let kept = self.options.texts;
        match kept {
            TextsKept::None | TextsKept::Plain => call.blocks.clear(),
            TextsKept::Hashed => {
                for block in &mut call.blocks {
                    *block = self.options.key.again(*block);
                }
            }
        }
        let Some(said) = call.said.take() else {
            return match kept {
                TextsKept::Plain => Err(Reason::NoPrompt),
                TextsKept::None | TextsKept::Hashed => Ok(Vec::new()),
            };
        };
        let lacks = call.input_tokens.is_none();
        if lacks || (kept == TextsKept::Hashed && call.blocks.is_empty()) {
            let Some(hashed) = self.hashed(&said) else {
                // Of another form than messages: without a length it is of no use.
                return if lacks {
                    Err(Reason::WrongValue)
                } else {
                    Ok(Vec::new())
                };
            };
            self.odd.counted += u64::from(lacks);
            let tokens = *call.input_tokens.get_or_insert(hashed.tokens);
            if kept == TextsKept::Hashed {
                self.odd.cut = true;
                call.blocks = hashed.ids;
                call.blocks
                    .truncate((tokens / self.options.block_tokens) as usize);
            }
        }
        Ok(match kept {
            TextsKept::Plain => plain::member(&said),
            TextsKept::None | TextsKept::Hashed => Vec::new(),
        })
    }

    fn hashed(&mut self, said: &Said<'_>) -> Option<Hashed> {
        if self.counter.is_none() && self.options.counter.is_none() {
            match TokenCounter::load(&self.options.tokenizer) {
                Ok(counter) => self.counter = Some(counter),
                Err(error) => self.error = Some(error.into()),
            }
        }
        let counter = self.options.counter.or(self.counter.as_ref())?;
        let chain = BlockChain::new(&self.options.key, self.options.block_tokens);
        let texts = chat::texts(said)?;
        let messages = texts.iter().map(|(role, text)| (&**role, &**text));
        Some(Hashed::of(messages, chain, counter))
    }

    fn session(&mut self, call: &Call<'_>) -> Option<u32> {
        let id = call.session.as_deref().filter(|id| !id.is_empty())?;
        let (one, other) = &self.hashers;
        let key = (one.hash_one(id), other.hash_one(id));
        let next = self.sessions.len();
        if next >= MOST_SESSIONS && !self.sessions.contains_key(&key) {
            self.odd.sessions += 1;
            return None;
        }
        Some(*self.sessions.entry(key).or_insert(next as u32))
    }

    fn class(&mut self, call: &Call<'_>) -> Option<u32> {
        let name = call.class.as_deref().filter(|name| !name.is_empty())?;
        if let Some(index) = self.class_index.get(name) {
            return Some(*index);
        }
        if self.classes.len() >= MOST_CLASSES {
            self.odd.classes += 1;
            return None;
        }
        let index = self.classes.len() as u32;
        let kinds = self.format.has_kinds();
        let known = kinds && KINDS.contains(&name);
        let plain = self.options.texts == TextsKept::Plain || known;
        self.classes.push(match (plain, kinds) {
            (true, _) => inert(name, 80),
            (false, true) => format!("kind {}", index + 1),
            (false, false) => format!("model {}", index + 1),
        });
        self.class_index.insert(name.to_owned(), index);
        Some(index)
    }

    /// Names jumps of the clock between calls that were written one after the other.
    fn watch_clock(&mut self, at: i64, session: Option<u32>, place: Place) {
        let before = self.last.replace((at, session));
        let Some((before, of)) = before else { return };
        let follows = self.format.is_ordered() || (session.is_some() && of == session);
        let by = at.saturating_sub(before);
        if follows && !(-BACK_NS..=FORWARD_NS).contains(&by) {
            self.jumps += 1;
            if self.first_jumps.len() < 3 {
                self.first_jumps.push(place);
            }
        }
    }
}
