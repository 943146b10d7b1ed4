//! Canaries: small questions that any capable model answers, and a program can check.
//!
//! Each is made from a key alone. An answer may say more than what was asked for, as models do; it is right where what was
//! asked for can be found in it, and nothing else could be meant. Invariant: the text of a question and what its answer has
//! to hold come from the same draws.

mod call;

use crate::marker::{find_all, marker};
use crate::numbers;
use crate::right::{judged, object_in};
use crate::said::Said;
use call::Call;
use infermeter_core::answer::QuestionKind;
use infermeter_core::request::BodyMember;
use infermeter_core::seed::splitmix64;
use serde_json::Value;

/// The kinds that need a prompt and an answer of text alone, in the order in which they come.
const KINDS: [QuestionKind; 6] = [
    QuestionKind::Copy,
    QuestionKind::Needle,
    QuestionKind::Count,
    QuestionKind::Reverse,
    QuestionKind::Arithmetic,
    QuestionKind::Json,
];

/// The same where requests may give tools.
const KINDS_WITH_TOOLS: [QuestionKind; 7] = [
    QuestionKind::Copy,
    QuestionKind::Needle,
    QuestionKind::Count,
    QuestionKind::Reverse,
    QuestionKind::Arithmetic,
    QuestionKind::Json,
    QuestionKind::Tool,
];

/// What a server can do beside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Abilities {
    /// Nothing.
    #[default]
    Text,
    /// Its answers may call tools. Whoever is not sure does not say so: many servers refuse a request that gives any.
    Tools,
}

/// Words of lists: short, common, and unlike each other.
const WORDS: [&str; 24] = [
    "apple", "river", "table", "green", "music", "stone", "paper", "house", "light", "bread",
    "cloud", "horse", "glass", "garden", "winter", "silver", "window", "orange", "market",
    "bridge", "summer", "kitchen", "forest", "island",
];

/// More of an answer is not read: what was asked for stands near its beginning.
const MOST_READ: usize = 64 << 10;

/// A canary.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Its kind.
    pub kind: QuestionKind,
    /// What is asked, at the end of the prompt.
    pub text: String,
    /// What stands somewhere before, in the filler; absent where the question says all.
    pub needle: Option<String>,
    /// Where the needle stands: this share of the filler comes before it.
    pub depth: f64,
    /// Members of the body that belong to the question.
    pub members: Vec<BodyMember>,
    expected: Expected,
}

/// What a right answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// This marker, and no other.
    Marker(String),
    /// This number, as the last one of its answer.
    Number(u64),
    /// These words in this order, and no further one of them.
    Words(Vec<&'static str>),
    /// An object with these members.
    Members(Vec<(&'static str, Value)>),
    /// This call, and no other one.
    Call(Call),
}

/// Tokens that the answer to a canary may take: they are given to it where its class would have fewer.
pub const ANSWER_TOKENS: u32 = 64;

impl Canary {
    /// The canary number `row` of a seed: kinds come in turn.
    pub fn of(seed: u64, row: u32, abilities: Abilities) -> Self {
        let kinds: &[QuestionKind] = match abilities {
            Abilities::Text => &KINDS,
            Abilities::Tools => &KINDS_WITH_TOOLS,
        };
        let kind = kinds[row as usize % kinds.len()];
        let mut draws = Draws(splitmix64(seed ^ 0x6361_6e61_7279) ^ u64::from(row));
        match kind {
            QuestionKind::Copy => copy(&mut draws),
            QuestionKind::Needle => needle(&mut draws),
            QuestionKind::Count => count(&mut draws),
            QuestionKind::Reverse => reverse(&mut draws),
            QuestionKind::Arithmetic => arithmetic(&mut draws),
            QuestionKind::Tool => tool(&mut draws),
            QuestionKind::Json | QuestionKind::Eval => json(&mut draws),
        }
    }

    /// The marker that its answer has to hold.
    pub fn marker(&self) -> Option<&str> {
        match &self.expected {
            Expected::Marker(marker) => Some(marker),
            _ => None,
        }
    }

    /// Whether an answer is right; `None` for one that cannot be judged: it was cut before it could be right, it refuses,
    /// or nothing of it can be read.
    ///
    /// More may be said than was asked for. A marker has to be there, with its brackets or without, and no other one; a
    /// number has to be the last of the answer, or the first behind words that announce it; words have to stand in their
    /// order, and no further word of a list; an object has to have the members, and may have others; a tool has to be
    /// called once, with the arguments and no others.
    pub fn is_right(&self, said: &Said<'_>) -> Option<bool> {
        let text = beginning(said.content);
        let right = match &self.expected {
            Expected::Marker(marker) => holds(text, marker),
            Expected::Number(number) => numbers::says(text, *number as f64, 0.0),
            Expected::Words(words) => words_of(text) == *words,
            Expected::Members(members) => object_in(text).is_some_and(|object| {
                let has = |(name, value): &(&str, Value)| object.get(*name) == Some(value);
                members.iter().all(has)
            }),
            Expected::Call(call) => call.is_made(beginning(said.calls)),
        };
        judged(right, said)
    }
}

/// A marker stands in a text, and no other one does.
fn holds(text: &str, marker: &str) -> bool {
    let bare = marker.trim_matches(['[', ']']);
    text.contains(bare) && find_all(text).all(|one| one == marker)
}

/// Numbers, one after the other.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = splitmix64(self.0);
        self.0 % end
    }

    /// So many different words.
    fn words(&mut self, count: usize) -> Vec<&'static str> {
        let mut words = WORDS.to_vec();
        for place in 0..count {
            let other = place + self.below((words.len() - place) as u64) as usize;
            words.swap(place, other);
        }
        words.truncate(count);
        words
    }
}

fn plain(kind: QuestionKind, text: String, expected: Expected) -> Canary {
    Canary {
        kind,
        text,
        needle: None,
        depth: 0.0,
        members: Vec::new(),
        expected,
    }
}

fn copy(draws: &mut Draws) -> Canary {
    let marker = marker(draws.below(u64::MAX));
    let text = format!("Ignore the text above. Answer with this marker and nothing else: {marker}");
    plain(QuestionKind::Copy, text, Expected::Marker(marker))
}

fn needle(draws: &mut Draws) -> Canary {
    let marker = marker(draws.below(u64::MAX));
    let depth = 0.05 + 0.9 * draws.below(1_000) as f64 / 1_000.0;
    Canary {
        needle: Some(format!("The marker of this text is {marker}.")),
        depth,
        ..plain(
            QuestionKind::Needle,
            "What is the marker of the text above? Answer with the marker and nothing else."
                .to_owned(),
            Expected::Marker(marker),
        )
    }
}

fn count(draws: &mut Draws) -> Canary {
    let words = draws.words(3);
    let wanted = words[0];
    let times = 1 + draws.below(5);
    let others = 2 + draws.below(4);
    let mut list: Vec<&str> = (0..times).map(|_| wanted).collect();
    for _ in 0..others {
        let other = words[1 + draws.below(2) as usize];
        let place = draws.below(list.len() as u64 + 1) as usize;
        list.insert(place, other);
    }
    let text = format!(
        "Ignore the text above. How many times does the word {wanted} stand in this list: {}? Answer with the number and \
         nothing else.",
        list.join(", ")
    );
    plain(QuestionKind::Count, text, Expected::Number(times))
}

fn reverse(draws: &mut Draws) -> Canary {
    let count = 4 + draws.below(3) as usize;
    let words = draws.words(count);
    let text = format!(
        "Ignore the text above. Write these words in reverse order, with commas between them, and nothing else: {}",
        words.join(", ")
    );
    let reversed = words.into_iter().rev().collect();
    plain(QuestionKind::Reverse, text, Expected::Words(reversed))
}

fn arithmetic(draws: &mut Draws) -> Canary {
    let (first, second) = (10 + draws.below(80), 3 + draws.below(17));
    let (sign, number) = match draws.below(2) {
        0 => ("plus", first + second),
        _ => ("times", first * second),
    };
    let text = format!(
        "Ignore the text above. What is {first} {sign} {second}? Answer with the number and nothing else."
    );
    plain(QuestionKind::Arithmetic, text, Expected::Number(number))
}

fn json(draws: &mut Draws) -> Canary {
    let words = draws.words(2);
    let number = 1 + draws.below(98);
    let text = format!(
        "Ignore the text above. Answer with a JSON object and nothing else: its member \"name\" is \"{}\", \"place\" is \
         \"{}\", \"count\" is {number}.",
        words[0], words[1]
    );
    let members = vec![
        ("name", Value::from(words[0])),
        ("place", Value::from(words[1])),
        ("count", Value::from(number)),
    ];
    plain(QuestionKind::Json, text, Expected::Members(members))
}

fn tool(draws: &mut Draws) -> Canary {
    let (call, tools) = Call::draw(draws);
    let text = format!("Ignore the text above. {} Say nothing else.", call.asked());
    Canary {
        members: vec![tools],
        ..plain(QuestionKind::Tool, text, Expected::Call(call))
    }
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(MOST_READ);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The words of lists that a text has, in order.
fn words_of(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    words
        .filter_map(|word| WORDS.into_iter().find(|known| *known == word))
        .collect()
}

#[cfg(test)]
mod tests;
