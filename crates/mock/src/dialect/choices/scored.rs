//! Answers with log probabilities: `logprobs` of chat and completions, as OpenAI's API and vLLM have them.
//!
//! The tokens are found by saying the answer a second time, so that answers without log probabilities know nothing of
//! this. Tool calls have none. Invariant: the tokens of an event put together are its text.

use super::whole::{Whole, whole_answer};
use super::{Choices, END, Kind, usage_field};
use crate::content::{Margin, Part, Script};
use crate::dialect::{End, Opening, Said, Saying, Scores, UsageCounts, Voice};
use crate::render::{Framing, piece, put};

/// The voice, and the answer that it says once more.
#[derive(Debug)]
pub(super) struct Scored {
    choices: Choices,
    rehearsal: Script,
    top: u32,
    /// Characters of the texts so far.
    offset: usize,
    /// What was told of the last event, for one that comes twice.
    told: Vec<u8>,
}

/// A token beside its rivals.
struct Token {
    /// JSON text without quotes.
    text: String,
    margin: Margin,
}

impl Token {
    /// The text of a rank, as JSON text; a made-up one where no other word could have stood there.
    fn text(&self, rank: usize) -> &str {
        match rank {
            0 => &self.text,
            rank => self
                .margin
                .rival(rank)
                .unwrap_or(RIVALS[rank % RIVALS.len()]),
        }
    }
}

/// What might have come instead of a token of a text that is set.
const RIVALS: [&str; 4] = [" the", ",", " a", "."];

impl Scored {
    pub(super) fn new(choices: Choices, scores: Scores<'_>) -> Self {
        Self {
            choices,
            rehearsal: scores.script.clone(),
            top: scores.top,
            offset: 0,
            told: b"null".to_vec(),
        }
    }

    /// The log probabilities of the tokens that a text consists of: JSON.
    fn score(&mut self, part: Part, text: &[u8]) -> Vec<u8> {
        let tokens = tokens_of(&mut self.rehearsal, text);
        let offset = self.offset;
        self.offset += plain(&String::from_utf8_lossy(text)).chars().count();
        match (self.choices.kind, part) {
            _ if tokens.is_empty() => b"null".to_vec(),
            (_, Part::CallName | Part::CallArguments) => b"null".to_vec(),
            (Kind::Chat, _) => chat(&tokens, self.top),
            (Kind::Completion, _) => completion(&tokens, self.top, offset),
        }
    }

    fn write(&self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        let (before, close) = self.choices.around(saying.part);
        let usage = usage_field(end.usage);
        let quote: &[u8] = if end.reason.is_some() { b"\"" } else { b"" };
        let parts = [
            &self.choices.opening,
            before,
            saying.text,
            close,
            b",\"logprobs\":",
            &self.told,
            b",\"finish_reason\":",
            quote,
            end.reason.unwrap_or("null").as_bytes(),
            quote,
            b",\"stop_reason\":null}]",
            usage.as_bytes(),
            END,
        ];
        piece(out, &parts, framing);
    }
}

/// The next tokens of a script, up to the end of a text; none where the text is not the script's.
fn tokens_of(rehearsal: &mut Script, text: &[u8]) -> Vec<Token> {
    let (mut tokens, mut bytes) = (Vec::new(), 0);
    if !text.starts_with(rehearsal.clone().next().as_bytes()) {
        return tokens;
    }
    while bytes < text.len() {
        let margin = rehearsal.margin();
        let token = rehearsal.next().to_owned();
        bytes += token.len();
        tokens.push(Token {
            text: token,
            margin,
        });
    }
    tokens
}

fn chat(tokens: &[Token], top: u32) -> Vec<u8> {
    let entry = |out: &mut Vec<u8>, token: &Token, rank: usize| {
        let (text, logprob) = (token.text(rank), token.margin.logprob(rank));
        let bytes = plain(text).into_bytes();
        put(
            out,
            format_args!("\"token\":\"{text}\",\"logprob\":{logprob:.6},\"bytes\":{bytes:?}"),
        );
    };
    let mut out = b"{\"content\":[".to_vec();
    for (place, token) in tokens.iter().enumerate() {
        out.extend_from_slice(if place > 0 { b",{" } else { b"{" });
        entry(&mut out, token, 0);
        out.extend_from_slice(b",\"top_logprobs\":[");
        for rank in 0..top as usize {
            out.extend_from_slice(if rank > 0 { b",{" } else { b"{" });
            entry(&mut out, token, rank);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    out
}

fn completion(tokens: &[Token], top: u32, offset: usize) -> Vec<u8> {
    let list = |item: &dyn Fn(&Token) -> String| {
        let items: Vec<String> = tokens.iter().map(item).collect();
        items.join(",")
    };
    let mut at = offset;
    let offsets: Vec<String> = tokens
        .iter()
        .map(|token| {
            let here = at;
            at += plain(&token.text).chars().count();
            here.to_string()
        })
        .collect();
    let rivals = |token: &Token| {
        let ranks = 0..(top as usize).max(1);
        let entries: Vec<String> = ranks
            .map(|rank| format!("\"{}\":{:.6}", token.text(rank), token.margin.logprob(rank)))
            .collect();
        format!("{{{}}}", entries.join(","))
    };
    let logprobs = list(&|token: &Token| format!("{:.6}", token.margin.logprob(0)));
    let texts = list(&|token: &Token| format!("\"{}\"", token.text));
    let mut out = Vec::new();
    put(
        &mut out,
        format_args!(
            "{{\"text_offset\":[{}],\"token_logprobs\":[{logprobs}],\"tokens\":[{texts}],\
             \"top_logprobs\":[{}]}}",
            offsets.join(","),
            list(&rivals),
        ),
    );
    out
}

/// JSON text as the text that it stands for.
fn plain(json_text: &str) -> String {
    serde_json::from_str(&format!("\"{json_text}\"")).unwrap_or_default()
}

impl Voice for Scored {
    fn role(&mut self, out: &mut Vec<u8>, opening: Opening, framing: Framing) {
        self.choices.role(out, opening, framing);
    }

    fn again(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        self.write(out, saying, end, framing);
    }

    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        self.told = match saying.text.is_empty() {
            true => b"null".to_vec(),
            false => self.score(saying.part, saying.text),
        };
        match saying.part {
            Part::CallName | Part::CallArguments => self.choices.content(out, saying, end, framing),
            Part::Content | Part::Reasoning => self.write(out, saying, end, framing),
        }
    }

    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing) {
        self.choices.usage(out, usage, framing);
    }

    fn end(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.choices.end(out, framing);
    }

    fn error(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.choices.error(out, framing);
    }

    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        let mut again = self.rehearsal.clone();
        let mut tokens = tokens_of(&mut again, said.reasoning.unwrap_or_default());
        tokens.extend(tokens_of(&mut again, said.text));
        let logprobs = match (said.call, self.choices.kind) {
            (Some(_), _) => b"null".to_vec(),
            (None, Kind::Chat) => chat(&tokens, self.top),
            (None, Kind::Completion) => completion(&tokens, self.top, 0),
        };
        let whole = Whole {
            said,
            finish,
            usage: &usage_field(usage),
            logprobs: &logprobs,
        };
        whole_answer(&self.choices, whole)
    }
}
