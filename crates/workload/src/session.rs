//! Sessions: which turns a conversation has, how long they are, and what their prompts say.
//!
//! It does not know when a turn is sent: that rests on the answer before it and on waits that are
//! the schedule's.
//!
//! Invariant: session `s` has ids from `s * stride`, one for each turn, and everything about a turn
//! is a function of (plan, seed, id); the salt changes nothing but the slot. The history inside a
//! prompt is the prompt before it and its answer, byte for byte. Without a system prompt a session
//! begins with a slot of its own; with one, all begin with the run's, and behind the system prompt
//! with words that no other session has. So sessions share the system prompt and nothing else, and
//! runs nothing at all.

use crate::classes::Classes;
use crate::expected_tokens::ExpectedTokens;
use crate::identity::Identity;
use crate::lengths::LengthDistribution;
use crate::prompt_error::PromptError;
use crate::slot::SlotKey;
use crate::tokenizer::Tokenizer;
use infermeter_core::plan::{Bounds, MAX_TURNS, MIN_PROMPT_TOKENS, Sessions};
use infermeter_core::request::{
    ClassIndex, Message, RequestContent, RequestId, RequestSpec, Role, Turn,
};
use infermeter_core::seed::splitmix64;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

/// Keeps the random streams of sessions apart from others of the same seed.
const SESSION_TAG: u64 = 0x7365_7373_696f_6e73;
const TURN_TAG: u64 = 0x7475_726e_7475_726e;
const TOOL_TAG: u64 = 0x746f_6f6c_746f_6f6c;

/// Keeps the texts of messages, answers and the system prompt apart.
const MESSAGE_TAG: u64 = 0x6d65_7373_6167_6573;
const ANSWER_TAG: u64 = 0x616e_7377_6572_7321;
const SYSTEM_TAG: u64 = 0x7379_7374_656d_2121;

/// A session ends before it reaches so many tokens, whatever the plan says.
const MOST_TOKENS: u64 = 1 << 31;

/// Turns looked at for means.
const SAMPLED_TURNS: u64 = 20_000;
/// Sessions looked at for means.
const SAMPLED_SESSIONS: u64 = 1_000;

/// One turn, its place aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    class: ClassIndex,
    input: u32,
    output: u32,
}

/// Sessions as a plan describes them.
#[derive(Debug, Clone)]
pub(crate) struct SessionSource {
    sessions: Sessions,
    turns: LengthDistribution,
    classes: Arc<Classes>,
    seed: u64,
}

/// Means over sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionMeans {
    /// Turns of a session.
    pub turns: f64,
    /// Tokens of a request.
    pub tokens: ExpectedTokens,
    /// Share of the prompt tokens that stood in an earlier prompt of the run.
    pub shared: f64,
}

impl SessionSource {
    /// The sessions of a plan whose messages and answers have lengths from `classes`.
    pub fn new(sessions: Sessions, classes: Arc<Classes>, seed: u64) -> Self {
        let any = Bounds {
            min: 1,
            max: MAX_TURNS,
        };
        Self {
            turns: LengthDistribution::new(&sessions.turns, any),
            sessions,
            classes,
            seed,
        }
    }

    /// Distance between the first ids of two sessions.
    pub fn stride(&self) -> u64 {
        u64::from(self.sessions.most_turns())
    }

    fn id(&self, turn: Turn) -> RequestId {
        turn.session * self.stride() + u64::from(turn.number)
    }

    /// The place of turn `id`.
    pub fn turn(&self, id: RequestId) -> Turn {
        Turn {
            session: id / self.stride(),
            // Below the stride, which is a number of turns.
            number: (id % self.stride()) as u32,
        }
    }

    fn stream(&self, tag: u64, number: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(self.seed ^ tag));
        rng.set_stream(number);
        rng
    }

    /// The class of a session and the turns drawn for it.
    fn session(&self, session: u64) -> (ClassIndex, u32) {
        let mut rng = self.stream(SESSION_TAG, session);
        let z: f64 = StandardNormal.sample(&mut rng);
        let class = self.classes.draw_class(&mut rng);
        (class, self.turns.tokens(z))
    }

    /// A turn of a session of `class`. The first is cut to the context.
    fn draw(&self, class: ClassIndex, turn: Turn) -> Drawn {
        let mut rng = self.stream(TURN_TAG, self.id(turn));
        let lengths = self.classes.draw_lengths(class, &mut rng);
        let (mut input, mut output) = (u64::from(lengths.input), u64::from(lengths.output));
        if turn.number == 0 {
            let room = self.context().saturating_sub(self.system());
            output = output.min(room.saturating_sub(u64::from(MIN_PROMPT_TOKENS)).max(1));
            input = input.min(room.saturating_sub(output).max(1));
        }
        Drawn {
            class,
            input: input as u32,
            output: output as u32,
        }
    }

    fn context(&self) -> u64 {
        let asked = self.sessions.max_context;
        asked.map_or(MOST_TOKENS, u64::from)
    }

    fn system(&self) -> u64 {
        u64::from(self.sessions.system.unwrap_or(0))
    }

    /// Tokens of the prompt of `turn`, and the turn itself.
    fn prompt(&self, class: ClassIndex, turn: Turn) -> (u64, Drawn) {
        let at = |number| self.draw(class, Turn { number, ..turn });
        let before: u64 = (0..turn.number)
            .map(at)
            .map(|turn| u64::from(turn.input) + u64::from(turn.output))
            .sum();
        let own = at(turn.number);
        (self.system() + before + u64::from(own.input), own)
    }

    /// What request `id` asks for.
    pub fn spec(&self, id: RequestId) -> RequestSpec {
        let turn = self.turn(id);
        let (class, _) = self.session(turn.session);
        let (prompt_tokens, own) = self.prompt(class, turn);
        RequestSpec {
            id,
            class,
            // A session ends long before.
            prompt_tokens: u32::try_from(prompt_tokens).unwrap_or(u32::MAX),
            output_tokens: own.output,
            turn: Some(turn),
            items: None,
        }
    }

    /// The turn after that of `spec`, if the session has one.
    pub fn next(&self, spec: &RequestSpec) -> Option<RequestId> {
        let turn = spec.turn?;
        let next = Turn {
            number: turn.number + 1,
            ..turn
        };
        let (class, turns) = self.session(turn.session);
        if next.number >= turns {
            return None;
        }
        let own = self.draw(class, next);
        let history = u64::from(spec.prompt_tokens) + u64::from(spec.output_tokens);
        let whole = history + u64::from(own.input) + u64::from(own.output);
        (whole <= self.context()).then(|| self.id(next))
    }

    /// Who says the new message of turn `id`.
    pub fn role(&self, id: RequestId) -> Role {
        if self.turn(id).number == 0 {
            return Role::User;
        }
        let drawn = self.stream(TOOL_TAG, id).random::<f64>();
        if drawn < self.sessions.tool_share {
            Role::Tool
        } else {
            Role::User
        }
    }

    /// Where the number in the slot of a turn's prompt comes from.
    pub fn slot_key(&self, id: RequestId) -> SlotKey {
        match self.sessions.system {
            Some(_) => SlotKey::Run,
            None => SlotKey::Own(id - u64::from(self.turn(id).number)),
        }
    }

    /// Text of its own, `slot` aside; without one it begins with words that no other text has.
    fn text(
        &self,
        tag: u64,
        id: RequestId,
        slot: Option<u64>,
        tokens: u32,
        tokenizer: &Tokenizer,
    ) -> Result<String, PromptError> {
        let key = splitmix64(self.seed ^ tag);
        let slot = slot.unwrap_or_else(|| splitmix64(id ^ key));
        tokenizer.write(slot, key, id, tokens)
    }

    /// The messages of a turn's prompt, the first of which begins with `slot`. `answers` are those
    /// that the server gave, where its words are to be the history; planned ones stand in for what
    /// is missing or empty.
    ///
    /// # Errors
    /// Only under a `tokenizer.json` that cannot meet a length.
    pub fn content(
        &self,
        spec: &RequestSpec,
        tokenizer: &Tokenizer,
        slot: u64,
        answers: &[Arc<str>],
    ) -> Result<RequestContent, PromptError> {
        let turn = self.turn(spec.id);
        let (class, _) = self.session(turn.session);
        let mut messages = Vec::with_capacity(2 * turn.number as usize + 2);
        let mut slot = Some(slot);
        if let Some(tokens) = self.sessions.system {
            let text = self.text(SYSTEM_TAG, 0, slot.take(), tokens, tokenizer)?;
            messages.push(Message::new(Role::System, text));
        }
        for number in 0..=turn.number {
            let place = Turn { number, ..turn };
            let (id, own) = (self.id(place), self.draw(class, place));
            let text = self.text(MESSAGE_TAG, id, slot.take(), own.input, tokenizer)?;
            messages.push(Message::new(self.role(id), text));
            if number == turn.number {
                break;
            }
            let said = answers.get(number as usize).filter(|said| !said.is_empty());
            let text = match said {
                Some(said) => said.to_string(),
                None => self.text(ANSWER_TAG, id, None, own.output, tokenizer)?,
            };
            messages.push(Message::new(Role::Assistant, text));
        }
        Ok(RequestContent::of_messages(messages))
    }

    /// Adds what decides about the requests.
    pub fn identity(&self, identity: Identity) -> Identity {
        let Sessions {
            turns,
            tool_share,
            system,
            max_context,
            history,
            ..
        } = self.sessions;
        let text = format!("{turns:?} {tool_share} {system:?} {max_context:?} {history:?}");
        self.classes.identity(identity).text(&text)
    }

    /// Means over the first sessions.
    pub fn means(&self) -> SessionMeans {
        let (mut sessions, mut turns) = (0_u64, 0_u64);
        let (mut input, mut output, mut shared) = (0.0, 0.0, 0.0);
        while sessions < SAMPLED_SESSIONS && turns < SAMPLED_TURNS {
            let mut next = Some(sessions * self.stride());
            let mut before = self.system();
            while let Some(id) = next {
                let spec = self.spec(id);
                turns += 1;
                input += f64::from(spec.prompt_tokens);
                output += f64::from(spec.output_tokens);
                shared += before as f64;
                before = u64::from(spec.prompt_tokens);
                next = self.next(&spec);
            }
            sessions += 1;
        }
        SessionMeans {
            turns: turns as f64 / sessions as f64,
            tokens: ExpectedTokens {
                input: input / turns as f64,
                output: output / turns as f64,
            },
            shared: shared / input,
        }
    }
}

#[cfg(test)]
mod tests;
