//! Which requests go on with which: a request whose messages begin with an earlier one's messages and its answer, or
//! that names a session in a header.
//!
//! It keeps keyed digests, never a text. Invariant: a request goes on only with one whose answer had ended before it
//! came; and so many answers are remembered at most, the oldest forgotten and counted.

use super::question::Said;
use infermeter_core::clock::Offset;
use infermeter_workload::HashKey;
use std::collections::{HashMap, VecDeque};

/// Headers by which clients name a session.
pub(crate) const SESSION_HEADERS: [&str; 5] = [
    "x-session-id",
    "session-id",
    "x-conversation-id",
    "conversation-id",
    "x-claude-code-session-id",
];

/// Answers that are remembered.
const MOST: usize = 200_000;

/// A request and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the request.
    pub(crate) number: u64,
    /// Number of its session.
    pub(crate) session: u64,
    /// Place in it, from 0.
    pub(crate) turn: u32,
    /// When its answer had ended.
    pub(crate) closed: Offset,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Linked {
    pub(crate) session: u64,
    pub(crate) turn: u32,
    /// The request that it goes on with.
    pub(crate) parent: Option<Place>,
}

/// A request as far as conversations go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) said: &'a [Said],
    /// Its session, where a header names it.
    pub(crate) named: Option<&'a str>,
    /// When it came.
    pub(crate) at: Offset,
}

type State = [u8; 32];

/// The conversations so far.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    ended: HashMap<State, Place>,
    order: VecDeque<State>,
    sessions: u64,
    /// Answers that were forgotten.
    pub(crate) forgotten: u64,
}

impl Conversations {
    /// The place of a request that has ended, whose own answer was `answer`; who goes on with it is told so.
    pub(crate) fn place(
        &mut self,
        key: &HashKey,
        turn: Turn<'_>,
        answer: &[u8],
        own: Ended,
    ) -> Linked {
        let states = states(key, turn.said);
        let name = turn
            .named
            .map(|name| key.digest(&[b"named", name.as_bytes()]));
        let parent = self.parent(key, &states, name, turn);
        let linked = match parent {
            Some(parent) => Linked {
                session: parent.session,
                turn: parent.turn + 1,
                parent: Some(parent),
            },
            None => self.begun(name),
        };
        let place = Place {
            number: own.number,
            session: linked.session,
            turn: linked.turn,
            closed: own.closed,
        };
        if let Some(last) = states.last() {
            self.remember(with_answer(key, last, answer), place);
            self.remember(with_any_answer(key, last), place);
        }
        if let Some(name) = name {
            self.remember(name, place);
        }
        linked
    }

    /// The first request of a session, or one of a named session that runs beside its others.
    fn begun(&mut self, name: Option<State>) -> Linked {
        let beside = name.and_then(|name| self.ended.get(&name));
        let session = match beside {
            Some(beside) => beside.session,
            None => {
                self.sessions += 1;
                self.sessions - 1
            }
        };
        Linked {
            session,
            turn: 0,
            parent: None,
        }
    }

    fn parent(
        &self,
        key: &HashKey,
        states: &[State],
        name: Option<State>,
        turn: Turn<'_>,
    ) -> Option<Place> {
        let before = |place: &&Place| place.closed <= turn.at;
        let named = name.and_then(|name| self.ended.get(&name)).filter(before);
        // The longest beginning that is known.
        let begun = (1..turn.said.len()).rev().find_map(|end| {
            let exact = self.ended.get(states.get(end - 1)?);
            let is_answer = turn.said.get(end)?.role == "assistant";
            let any = || {
                let state = with_any_answer(key, states.get(end - 1)?);
                self.ended.get(&state).filter(|_| is_answer)
            };
            exact.or_else(any).filter(before)
        });
        begun.or(named).copied()
    }

    fn remember(&mut self, state: State, place: Place) {
        if self.ended.insert(state, place).is_none() {
            self.order.push_back(state);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.ended.remove(&oldest);
                self.forgotten += 1;
            }
        }
    }

    /// Sessions so far.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions
    }
}

/// The end of a request's own answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) number: u64,
    pub(crate) closed: Offset,
}

/// The state behind each message.
fn states(key: &HashKey, said: &[Said]) -> Vec<State> {
    let mut state = [0; 32];
    let next = |said: &Said| {
        state = message(key, &state, &said.role, said.text.as_bytes());
        state
    };
    said.iter().map(next).collect()
}

fn message(key: &HashKey, state: &State, role: &str, text: &[u8]) -> State {
    key.digest(&[state, role.as_bytes(), text])
}

fn with_answer(key: &HashKey, state: &State, answer: &[u8]) -> State {
    message(key, state, "assistant", answer)
}

/// Clients leave reasoning out of what they send back, or write calls of tools in another form.
fn with_any_answer(key: &HashKey, state: &State) -> State {
    key.digest(&[state, b"any answer"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(all: &[(&str, &str)]) -> Vec<Said> {
        all.iter()
            .map(|(role, text)| Said {
                role: (*role).to_owned(),
                text: (*text).to_owned(),
            })
            .collect()
    }

    struct Seen {
        conversations: Conversations,
        number: u64,
    }

    impl Seen {
        fn new() -> Self {
            Self {
                conversations: Conversations::default(),
                number: 0,
            }
        }

        /// A request at `at` whose answer takes 10.
        fn asks(&mut self, at: i64, named: Option<&str>, all: &[(&str, &str)]) -> Linked {
            let turn = Turn {
                said: &said(all),
                named,
                at: Offset(at),
            };
            let own = Ended {
                number: self.number,
                closed: Offset(at + 10),
            };
            self.number += 1;
            self.conversations
                .place(&HashKey::new([3; 32]), turn, b"an answer", own)
        }
    }

    #[test]
    fn a_request_that_begins_with_another_goes_on_with_it() {
        let mut seen = Seen::new();
        let first = seen.asks(0, None, &[("user", "Hi")]);
        assert_eq!((first.session, first.turn, first.parent), (0, 0, None));
        let other = seen.asks(5, None, &[("user", "Ho")]);
        assert_eq!((other.session, other.parent), (1, None));
        let next = [("user", "Hi"), ("assistant", "an answer"), ("user", "Why?")];
        let second = seen.asks(30, None, &next);
        let parent = second.parent.expect("a parent");
        assert_eq!((second.session, second.turn, parent.number), (0, 1, 0));
        assert_eq!(parent.closed, Offset(10));
        let mut third = next.to_vec();
        third.extend([
            ("assistant", "an answer without its reasoning"),
            ("user", "So?"),
        ]);
        let third = seen.asks(60, None, &third);
        assert_eq!((third.session, third.turn), (0, 2));
    }

    #[test]
    fn what_had_not_ended_is_nobodys_parent() {
        let mut seen = Seen::new();
        seen.asks(0, None, &[("user", "Hi")]);
        let early = [("user", "Hi"), ("assistant", "an answer"), ("user", "Why?")];
        let early = seen.asks(5, None, &early);
        assert_eq!((early.session, early.parent), (1, None));
    }

    #[test]
    fn a_named_session_needs_no_beginning_in_common() {
        let mut seen = Seen::new();
        seen.asks(0, Some("s"), &[("user", "Hi")]);
        let second = seen.asks(20, Some("s"), &[("user", "Another")]);
        assert_eq!((second.session, second.turn), (0, 1));
        let beside = seen.asks(25, Some("s"), &[("user", "A third")]);
        assert_eq!((beside.session, beside.turn, beside.parent), (0, 0, None));
        let other = seen.asks(60, Some("t"), &[("user", "Hi")]);
        assert_eq!((other.session, other.parent), (1, None));
    }
}
