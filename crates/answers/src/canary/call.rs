//! A canary's tools: three are given, one is to be called.
//!
//! Invariant: no two tools share a name, and no name holds another one.

use super::Draws;
use infermeter_core::request::BodyMember;
use serde_json::{Map, Value, json};

/// Tools: name, what it does, a parameter of text, one of whole numbers.
const TOOLS: [(&str, &str, &str, &str); 6] = [
    (
        "get_weather",
        "The weather of a city for some days.",
        "city",
        "days",
    ),
    (
        "book_table",
        "Books a table at a restaurant.",
        "restaurant",
        "guests",
    ),
    ("set_alarm", "Sets an alarm.", "label", "minutes"),
    (
        "buy_ticket",
        "Buys tickets to a station.",
        "station",
        "count",
    ),
    ("send_parcel", "Sends a parcel to a town.", "town", "grams"),
    ("play_song", "Plays a song.", "title", "volume"),
];

/// Values of the parameter of text.
const VALUES: [&str; 8] = [
    "Oslo", "Lima", "Quito", "Riga", "Turin", "Malmo", "Porto", "Delhi",
];

/// The call that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    name: &'static str,
    text: (&'static str, &'static str),
    number: (&'static str, u64),
}

impl Call {
    /// A call, and the member of the body that gives its tool and two others.
    pub(super) fn draw(draws: &mut Draws) -> (Self, BodyMember) {
        let first = draws.below(TOOLS.len() as u64) as usize;
        let given = [0, 1, 3].map(|step| TOOLS[(first + step) % TOOLS.len()]);
        let (name, _, text, number) = given[draws.below(3) as usize];
        let call = Self {
            name,
            text: (text, VALUES[draws.below(VALUES.len() as u64) as usize]),
            number: (number, 2 + draws.below(97)),
        };
        let tools: Vec<Value> = given
            .into_iter()
            .map(|(name, does, text, number)| tool(name, does, text, number))
            .collect();
        let member = BodyMember {
            name: "tools".into(),
            json: Value::from(tools).to_string().into(),
        };
        (call, member)
    }

    /// What is asked for, as a sentence.
    pub(super) fn asked(&self) -> String {
        let ((text, value), (number, count)) = (self.text, self.number);
        format!(
            "Call the tool {} with {text} \"{value}\" and {number} {count}.",
            self.name
        )
    }

    /// The answer's calls are this one alone.
    pub(super) fn is_made(&self, calls: &str) -> bool {
        let Some(arguments) = calls.trim().strip_prefix(self.name) else {
            return false;
        };
        let Ok(arguments) = serde_json::from_str::<Map<String, Value>>(arguments) else {
            return false;
        };
        let ((text, value), (number, count)) = (self.text, self.number);
        // Some models write numbers as text: the tool would take them.
        let counts = |given: &Value| *given == json!(count) || *given == json!(count.to_string());
        arguments.len() == 2
            && arguments.get(text).is_some_and(|given| given == value)
            && arguments.get(number).is_some_and(counts)
    }

    /// The calls of an answer that is right.
    #[cfg(test)]
    pub(super) fn made(&self) -> String {
        let arguments = json!({self.text.0: self.text.1, self.number.0: self.number.1});
        format!("{}{arguments}", self.name)
    }
}

fn tool(name: &str, does: &str, text: &str, number: &str) -> Value {
    json!({"type": "function", "function": {
        "name": name,
        "description": does,
        "parameters": {
            "type": "object",
            "properties": {text: {"type": "string"}, number: {"type": "integer"}},
            "required": [text, number],
        },
    }})
}
