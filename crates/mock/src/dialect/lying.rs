//! A voice that says more, or other numbers, than it should: of any API, around that of the API.
//!
//! It decides nothing: the manner is given. Invariant: an end and an error are those of the voice inside.

use super::{End, Opening, Said, Saying, UsageCounts, Voice};
use crate::cheat::Manner;
use crate::content::Part;
use crate::render::Framing;

/// The voice inside, and how it is told.
#[derive(Debug)]
pub(super) struct Lying {
    pub voice: Box<dyn Voice>,
    pub manner: Manner,
}

impl Lying {
    fn claimed(&self, usage: UsageCounts) -> UsageCounts {
        let claimed = |tokens| self.manner.claimed(tokens);
        UsageCounts {
            completion: claimed(usage.completion),
            reasoning: usage.reasoning.map(claimed),
            ..usage
        }
    }
}

impl Voice for Lying {
    fn role(&mut self, out: &mut Vec<u8>, opening: Opening, framing: Framing) {
        self.voice.role(out, opening, framing);
    }

    fn again(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        self.voice.again(out, saying, end, framing);
    }

    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        let is_text = matches!(saying.part, Part::Content | Part::Reasoning);
        let end = End {
            usage: end.usage.map(|usage| self.claimed(usage)),
            ..end
        };
        if !self.manner.twice || !is_text || saying.text.is_empty() {
            return self.voice.content(out, saying, end, framing);
        }
        // The end belongs to the last of both, usage to each.
        let first = End {
            reason: None,
            ..end
        };
        self.voice.content(out, saying, first, framing);
        self.voice.again(out, saying, end, framing);
    }

    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing) {
        let usage = self.claimed(usage);
        self.voice.usage(out, usage, framing);
    }

    fn end(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.voice.end(out, framing);
    }

    fn error(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.voice.error(out, framing);
    }

    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        let usage = usage.map(|usage| self.claimed(usage));
        self.voice.whole(said, finish, usage)
    }
}
