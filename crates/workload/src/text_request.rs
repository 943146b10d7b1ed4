//! What one request of a dataset says.
//!
//! It does not know the file that it came from, nor how its tokens are counted.

use crate::tokenizer::Tokenizer;
use infermeter_core::request::{BodyMember, Message};

/// What one request of a dataset says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRequest {
    /// The messages up to the answer.
    pub messages: Vec<Message>,
    /// The answer of the dataset, where it has one.
    pub answer: Option<String>,
    /// What the request carries beside them.
    pub members: Vec<BodyMember>,
}

impl TextRequest {
    /// All messages as one text, for counting and for APIs without messages.
    pub fn prompt(&self) -> String {
        let texts: Vec<&str> = self.messages.iter().map(|m| &*m.text).collect();
        texts.join("\n")
    }

    /// Puts the slot with a number before the first message, in words of `tokenizer`. With the run's
    /// salt requests of a run go on sharing what they shared, and nothing that another run left in a
    /// cache serves them.
    #[must_use]
    pub fn salted(mut self, tokenizer: &Tokenizer, number: u64) -> Self {
        if let Some(first) = self.messages.first_mut() {
            let slot = tokenizer.slot(number, u32::MAX);
            first.text.insert_str(0, &format!("{slot}. "));
        }
        self
    }
}
