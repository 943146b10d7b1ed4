//! What an answer says, token by token: reasoning, then words, a text that is set or a tool call.
//!
//! What is not plain words (a text in advance, a turn that a text takes) stands behind one pointer, so that words cost
//! nothing for it. Knows no events and no sockets. Invariant: the texts of a script's tokens put together are its
//! whole text; a token may have none (the rest of a piece that cannot be split).

use super::ContentParams;
use super::margin::{self, Margin};
use super::schema::Draft;
use super::tongue::Turn;
use crate::engine::Finish;
use crate::length::AnswerLength;
use crate::render::json_text;
use crate::text::{Ahead, Meter, Speech, for_each_run};
use serde_json::Value;

/// Which part of an answer a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What the model thinks before it answers.
    Reasoning,
    /// The answer's text.
    Content,
    /// The name of the function called.
    CallName,
    /// The arguments of the call: JSON.
    CallArguments,
}

/// What a request wants an answer to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    /// Any text.
    Words,
    /// JSON of a schema; any object without one.
    Json(Option<Value>),
    /// This text and nothing behind it.
    Exactly(String),
    /// This text; where the end is ignored words come behind it.
    Answer {
        /// The text.
        text: String,
        /// The end is ignored.
        goes_on: bool,
    },
    /// A call of a function with arguments of a schema.
    Call {
        /// The function's name.
        name: String,
        /// Its parameters.
        schema: Option<Value>,
    },
    /// A call of a function with these arguments.
    CallExactly {
        /// The function's name.
        name: String,
        /// JSON.
        arguments: String,
    },
}

/// A text that is set in advance, cut into tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Pieces {
    /// JSON text without quotes.
    text: String,
    /// Where each token ends in `text`.
    ends: Vec<u32>,
    /// Tokens of the function's name, where it is a call.
    name: Option<u32>,
}

impl Pieces {
    /// Adds a text. Runs of several tokens come with their last one, as from a detokenizer that
    /// waits for whole characters.
    fn add(&mut self, text: &str) {
        for_each_run(text, |run, tokens| {
            let before = self.text.len() as u32;
            self.ends.extend((1..tokens).map(|_| before));
            self.push(run);
            self.ends.push(self.text.len() as u32);
        });
    }

    /// Adds a text that comes at once with its last token.
    fn add_whole(&mut self, text: &str) {
        let before = self.text.len() as u32;
        for_each_run(text, |run, tokens| {
            self.ends.extend((0..tokens).map(|_| before));
            self.push(run);
        });
        if let Some(end) = self.ends.last_mut() {
            *end = self.text.len() as u32;
        }
    }

    fn push(&mut self, run: &str) {
        let is_plain = |byte| byte >= b' ' && byte != b'"' && byte != b'\\';
        if run.bytes().all(is_plain) {
            self.text.push_str(run);
        } else {
            self.text.push_str(&json_text(run));
        }
    }

    fn tokens(&self) -> u32 {
        self.ends.len() as u32
    }
}

/// What is not plain words.
#[derive(Debug, Clone, PartialEq, Default)]
struct Set {
    /// The text in advance; empty where there is none.
    pieces: Pieces,
    turn: Option<Turn>,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script {
    reasoning: u32,
    speech: Speech,
    set: Option<Box<Set>>,
    said: u32,
}

/// What decides about a script.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The simulator's parameters.
    pub params: &'a ContentParams,
    /// The answer may begin with reasoning.
    pub may_reason: bool,
    /// What is wanted.
    pub wish: Wish,
    /// Seeds the text.
    pub key: u64,
    /// How long the answer would be.
    pub length: AnswerLength,
    /// How long it may be, tokens.
    pub max_tokens: u32,
}

impl Plan<'_> {
    /// The script, and how long the answer is with it: a text that is set decides for itself.
    pub fn script(self) -> (AnswerLength, Script) {
        let visible = self.length.visible();
        let mut script = Script {
            reasoning: if self.may_reason {
                self.params.reasoning_of(visible)
            } else {
                0
            },
            speech: Speech::of(self.key),
            set: None,
            said: 0,
        };
        let (name, draft) = match &self.wish {
            Wish::Words => return (self.length, script),
            Wish::Exactly(text) | Wish::Answer { text, .. } => (None, Draft::fixed(text)),
            Wish::Json(schema) => (None, Draft::of(schema.as_ref(), self.key)),
            Wish::Call { name, schema } => {
                let arguments = match schema {
                    Some(schema) => Draft::of(Some(schema), self.key),
                    None => Draft::fixed("{}"),
                };
                (Some(name), arguments)
            }
            Wish::CallExactly { name, arguments } => (Some(name), Draft::fixed(arguments)),
        };
        let least = pieces(name, &draft.text(0, self.key));
        let body = visible.saturating_sub(script.reasoning);
        let extra = body.saturating_sub(least.tokens()).min(draft.room());
        let whole = match extra {
            0 => least,
            _ => pieces(name, &draft.text(extra, self.key)),
        };
        let length = match self.wish {
            Wish::Answer { goes_on: true, .. } => self.length,
            _ => self.fitted(script.reasoning.saturating_add(whole.tokens())),
        };
        script.set = Some(Box::new(Set {
            pieces: whole,
            turn: None,
        }));
        (length, script)
    }

    /// The length of an answer whose text takes `needed` tokens.
    fn fitted(&self, needed: u32) -> AnswerLength {
        let limit = self.max_tokens;
        let is_full = self.length.finish == Finish::Length && self.length.tokens == needed;
        if needed >= limit || is_full {
            // The limit cuts it, or comes with its last token.
            return AnswerLength::full(needed.min(limit));
        }
        // Nothing may follow a text that is complete but the end token.
        AnswerLength::stopped(needed)
    }
}

fn pieces(name: Option<&String>, body: &str) -> Pieces {
    let mut pieces = Pieces::default();
    if let Some(name) = name {
        pieces.add_whole(name);
        pieces.name = Some(pieces.tokens());
    }
    pieces.add(body);
    pieces
}

impl Script {
    /// Tokens of reasoning that come first.
    pub fn reasoning(&self) -> u32 {
        self.reasoning
    }

    /// Tokens of reasoning said so far.
    pub fn reasoned(&self) -> u32 {
        self.said.min(self.reasoning)
    }

    /// Its text is set in advance.
    pub fn is_set(&self) -> bool {
        self.set
            .as_ref()
            .is_some_and(|set| !set.pieces.ends.is_empty())
    }

    /// The text behind the reasoning takes a turn.
    pub fn turn(&mut self, turn: Turn) {
        self.set.get_or_insert_default().turn = Some(turn);
    }

    /// The part that the next token belongs to.
    #[inline]
    pub fn part(&self) -> Part {
        if self.said < self.reasoning {
            return Part::Reasoning;
        }
        match &self.set {
            None => Part::Content,
            Some(set) => match set.pieces.name {
                None => Part::Content,
                Some(name) if self.said - self.reasoning < name => Part::CallName,
                Some(_) => Part::CallArguments,
            },
        }
    }

    /// The next token's text, as JSON text.
    #[inline]
    pub fn next(&mut self) -> &str {
        let said = self.said;
        self.said = said.saturating_add(1);
        if said >= self.reasoning && self.set.is_some() {
            return self.next_set(said - self.reasoning);
        }
        self.speech.next_word()
    }

    fn next_set(&mut self, place: u32) -> &str {
        let Some(set) = &mut self.set else {
            return self.speech.next_word();
        };
        let Set { pieces, turn } = &mut **set;
        if let Some(turn) = turn
            && turn.is_behind(place)
        {
            return turn.next();
        }
        let place = place as usize;
        let piece = pieces.ends.get(place).and_then(|end| {
            let start = place.checked_sub(1).map_or(0, |before| pieces.ends[before]);
            pieces.text.get(start as usize..*end as usize)
        });
        match piece {
            Some(text) => text,
            // Words up to a turn, or behind a text that the answer is longer than.
            None => self.speech.next_word(),
        }
    }

    /// A tool call that has been said to its end.
    pub fn has_called(&self) -> bool {
        self.set.as_ref().is_some_and(|set| {
            let end = self.reasoning.saturating_add(set.pieces.tokens());
            set.turn.is_none() && set.pieces.name.is_some() && self.said >= end
        })
    }

    /// How far the next token is from the one that might have come instead.
    pub fn margin(&self) -> Margin {
        self.ahead().map_or_else(Margin::wide, Margin::of)
    }

    /// The next token, where it is a word of the simulator's own.
    fn ahead(&self) -> Option<Ahead> {
        let Some(place) = self.said.checked_sub(self.reasoning) else {
            return Some(self.speech.ahead());
        };
        let Some(set) = &self.set else {
            return Some(self.speech.ahead());
        };
        match &set.turn {
            Some(turn) if turn.is_behind(place) => turn.words().map(Speech::ahead),
            _ if place < set.pieces.tokens() => None,
            _ => Some(self.speech.ahead()),
        }
    }

    /// Leaves the text of a model that runs alone, as numeric noise has it: at a place among the first `visible` tokens
    /// where two tokens are nearly tied, each with this chance. What comes behind is another text. Whether it did.
    pub fn part_ways(&mut self, visible: u32, chance: f64, key: u64) -> bool {
        if self.set.is_some() {
            return false;
        }
        let mut speech = self.speech;
        for place in 0..visible {
            let ahead = speech.ahead();
            let draw = margin::draw(key, place);
            if place >= self.reasoning && Margin::of(ahead).is_near_tie() && draw < chance {
                self.turn(Turn::aside(place - self.reasoning, ahead.word(1), key));
                return true;
            }
            speech.next_word();
        }
        false
    }

    /// Adds the first `visible` tokens behind the prompt, as a later prompt with this answer in its
    /// history will have them.
    pub fn measure(&self, visible: u32, meter: &mut Meter) {
        let mut rehearsal = self.clone();
        if self.reasoning > 0 {
            // Templates drop reasoning from the history: what follows differs.
            meter.template(0, REASONING);
        }
        for _ in 0..visible {
            meter.text(rehearsal.next());
        }
    }
}

/// Sets an answer with reasoning apart from one without.
const REASONING: u64 = 0x7468_696e_6b00;

#[cfg(test)]
mod tests {
    use super::super::tongue::Tongue;
    use super::*;
    use serde_json::json;

    fn plan(params: &ContentParams, wish: Wish, tokens: u32, finish: Finish) -> Plan<'_> {
        Plan {
            params,
            may_reason: true,
            wish,
            key: 5,
            length: AnswerLength { tokens, finish },
            max_tokens: 300,
        }
    }

    fn said(script: &mut Script, tokens: u32) -> Vec<(Part, String)> {
        let mut parts: Vec<(Part, String)> = Vec::new();
        for _ in 0..tokens {
            let part = script.part();
            let text = script.next();
            match parts.last_mut() {
                Some((last, whole)) if *last == part => whole.push_str(text),
                _ => parts.push((part, text.to_owned())),
            }
        }
        parts
    }

    fn unescaped(text: &str) -> String {
        serde_json::from_str(&format!("\"{text}\"")).expect("JSON text")
    }

    #[test]
    fn reasoning_comes_before_the_answer() {
        let params = ContentParams {
            reasoning_tokens: 3,
            ..ContentParams::default()
        };
        let (length, mut script) = plan(&params, Wish::Words, 8, Finish::Length).script();
        assert_eq!(length.tokens, 8);
        let parts = said(&mut script, 8);
        assert_eq!(
            (parts[0].0, parts[0].1.split(' ').count()),
            (Part::Reasoning, 4)
        );
        assert_eq!(
            (parts[1].0, parts[1].1.split(' ').count()),
            (Part::Content, 6)
        );
        assert_eq!(script.reasoned(), 3);
    }

    #[test]
    fn a_call_has_a_name_and_padded_arguments() {
        let wish = || Wish::Call {
            name: "get_weather".to_owned(),
            schema: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        };
        let params = ContentParams::default();
        let (length, mut script) = plan(&params, wish(), 40, Finish::Length).script();
        assert_eq!((length.tokens, length.finish), (40, Finish::Length));
        let parts = said(&mut script, 40);
        assert_eq!(parts[0], (Part::CallName, "get_weather".to_owned()));
        let arguments: Value = serde_json::from_str(&unescaped(&parts[1].1)).expect("JSON");
        // get, _weather, {", city, ":", "}
        let words = arguments["city"]
            .as_str()
            .expect("a text")
            .split(' ')
            .count();
        assert_eq!(words, 40 - 6);
        assert!(script.has_called());
        // The end token takes one.
        let (length, mut script) = plan(&params, wish(), 40, Finish::Stop).script();
        assert_eq!((length.tokens, length.finish), (40, Finish::Stop));
        said(&mut script, 39);
        assert!(script.has_called());
    }

    #[test]
    fn a_set_text_decides_its_length_within_the_limit() {
        let params = ContentParams::default();
        let wish = || Wish::Exactly("yes, it is".to_owned());
        let (length, _) = plan(&params, wish(), 40, Finish::Length).script();
        assert_eq!((length.tokens, length.finish), (5, Finish::Stop));
        let (length, _) = plan(&params, wish(), 2, Finish::Stop).script();
        assert_eq!((length.tokens, length.finish), (5, Finish::Stop));
        let mut short = plan(&params, wish(), 3, Finish::Length);
        short.max_tokens = 3;
        let (length, mut script) = short.script();
        assert_eq!((length.tokens, length.finish), (3, Finish::Length));
        assert_eq!(said(&mut script, 3)[0].1, "yes, it");
        assert!(!script.has_called());
    }

    #[test]
    fn an_answer_goes_on_behind_itself_where_the_end_is_ignored() {
        let params = ContentParams::default();
        let wish = |goes_on| Wish::Answer {
            text: "It is 42.".to_owned(),
            goes_on,
        };
        let (length, _) = plan(&params, wish(false), 40, Finish::Length).script();
        assert_eq!((length.tokens, length.finish), (5, Finish::Stop));
        let (length, mut script) = plan(&params, wish(true), 40, Finish::Length).script();
        assert_eq!((length.tokens, length.finish), (40, Finish::Length));
        let text = &said(&mut script, 40)[0].1;
        assert!(
            text.starts_with("It is 42. ") && text.split(' ').count() == 3 + 36,
            "{text}"
        );
    }

    #[test]
    fn noise_leaves_a_text_at_a_near_tie_with_its_second_word() {
        let params = ContentParams::default();
        let (_, solo) = plan(&params, Wish::Words, 200, Finish::Length).script();
        let mut parted = solo.clone();
        assert!(!parted.part_ways(200, 0.0, 1));
        assert!(parted.part_ways(200, 1.0, 1));
        let (mut one, mut other) = (solo.clone(), parted);
        let mut places = 0;
        loop {
            let (margin, same) = (one.margin(), one.margin() == other.margin());
            let (a, b) = (one.next().to_owned(), other.next().to_owned());
            if a != b {
                assert!(margin.is_near_tie());
                assert_eq!(margin.rival(1), Some(&*b));
                break;
            }
            assert!(same && !margin.is_near_tie(), "it leaves at the first one");
            places += 1;
        }
        assert!((1..200).contains(&places), "{places}");
        assert_ne!(said(&mut one, 30), said(&mut other, 30));
    }

    #[test]
    fn a_turn_comes_behind_the_reasoning_and_ends_a_call() {
        let params = ContentParams {
            reasoning_tokens: 3,
            ..ContentParams::default()
        };
        let (_, mut script) = plan(&params, Wish::Words, 9, Finish::Length).script();
        script.turn(Turn::to(2, Tongue::Mark("!")));
        let parts = said(&mut script, 9);
        assert_eq!(parts[0].1.split(' ').count(), 4);
        assert_eq!(
            (parts[1].1.split(' ').count(), parts[1].1.ends_with("!!!!")),
            (3, true)
        );
        let call = Wish::CallExactly {
            name: "look".to_owned(),
            arguments: "{\"a\":1}".to_owned(),
        };
        let (length, mut script) = plan(&params, call, 30, Finish::Stop).script();
        let mut broken = script.clone();
        said(&mut script, length.visible());
        assert!(script.has_called());
        broken.turn(Turn::to(2, Tongue::Mark("!")));
        said(&mut broken, length.visible());
        assert!(!broken.has_called());
    }

    #[test]
    fn texts_of_any_kind_are_said_whole() {
        let params = ContentParams::default();
        let text = "électricité \"12345\"\n";
        let wish = Wish::Exactly(text.to_owned());
        let (length, mut script) = plan(&params, wish, 40, Finish::Stop).script();
        let parts = said(&mut script, length.tokens - 1);
        assert_eq!(unescaped(&parts[0].1), text);
    }
}
